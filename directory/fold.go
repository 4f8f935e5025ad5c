package directory

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Fold maps text to the form in which words are compared: lower case, without accents and other marks, ligatures
// spelled out, everything that is neither letter nor digit turned into single spaces, no space at either end.
func Fold(s string) string {
	if folded, ok := foldASCII(s); ok {
		return folded
	}
	var b strings.Builder
	b.Grow(len(s))
	space := false
	for _, r := range norm.NFKD.String(s) {
		switch {
		case unicode.Is(unicode.Mn, r):
			continue
		case unicode.IsLetter(r) || unicode.IsDigit(r):
			if space && b.Len() > 0 {
				b.WriteByte(' ')
			}
			space = false
			switch r = unicode.ToLower(r); r {
			case 'œ':
				b.WriteString("oe")
			case 'æ':
				b.WriteString("ae")
			case 'ß':
				b.WriteString("ss")
			case 'ø':
				b.WriteByte('o')
			case 'đ':
				b.WriteByte('d')
			case 'ł':
				b.WriteByte('l')
			default:
				b.WriteRune(r)
			}
		default:
			space = true
		}
	}
	return b.String()
}

func foldASCII(s string) (string, bool) {
	clean := true
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= utf8.RuneSelf {
			return "", false
		}
		if !(c >= 'a' && c <= 'z' || c >= '0' && c <= '9') {
			clean = false
		}
	}
	if clean {
		return s, true
	}
	b := make([]byte, 0, len(s))
	space := false
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c >= 'a' && c <= 'z' || c >= '0' && c <= '9' {
			if space && len(b) > 0 {
				b = append(b, ' ')
			}
			space = false
			b = append(b, c)
		} else {
			space = true
		}
	}
	return string(b), true
}

// maxSlug is the length of a slug in bytes, before a number that tells it from others.
const maxSlug = 80

// Slugify makes the part of an address that names an entry: [Fold] with hyphens, ASCII letters and digits only where
// there are any, at most 80 bytes, cut between words. It may be empty.
func Slugify(s string) string {
	folded := Fold(s)
	var b strings.Builder
	for _, word := range strings.Fields(folded) {
		if b.Len()+1+len(word) > maxSlug {
			if b.Len() == 0 {
				b.WriteString(strings.ToValidUTF8(word[:maxSlug], ""))
			}
			break
		}
		if b.Len() > 0 {
			b.WriteByte('-')
		}
		b.WriteString(word)
	}
	return b.String()
}
