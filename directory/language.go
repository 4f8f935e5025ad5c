package directory

import "golang.org/x/text/language"

// maxTag is how long a language tag can be, in bytes: real ones have some twenty. Reading a text of a stranger as one takes a
// time that grows with the square of its length, and more.
const maxTag = 100

// LanguageTag is a language as entries keep it, a BCP 47 tag in its canonical form, or ok is false for what names none. Of
// some tags the library makes others that it does not take itself, or makes again another of: those are none either.
func LanguageTag(s string) (tag string, ok bool) {
	for range 3 {
		if len(s) > maxTag {
			return "", false
		}
		t, err := language.Parse(s)
		if err != nil || t == language.Und {
			return "", false
		}
		if tag = t.String(); tag == s {
			return tag, true
		}
		s = tag
	}
	return "", false
}
