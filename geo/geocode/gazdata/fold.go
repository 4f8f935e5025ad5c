package gazdata

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// letters folds the Latin letters that Unicode does not decompose, and the
// final sigma, to what people type on any keyboard.
var letters = map[rune]string{
	'œ': "oe", 'æ': "ae", 'ß': "ss", 'ø': "o", 'ł': "l", 'đ': "d", 'ð': "d",
	'þ': "th", 'ı': "i", 'ħ': "h", 'ŋ': "n", 'ŧ': "t", 'ə': "e", 'ς': "σ", 'ʼ': "", 'ʻ': "",
}

// Fold brings a name to its searchable form: lower case, without accents,
// words of letters and digits separated by one space, nothing else. Hyphens,
// apostrophes and any other sign separate words: "Loos-en-Gohelle" gives
// "loos en gohelle", "L'Haÿ" gives "l hay". It never fails: bytes that are not UTF-8
// separate words too. Folding a folded text changes nothing.
func Fold(s string) string {
	b := make([]byte, 0, len(s))
	return string(AppendFold(b, s))
}

// AppendFold appends the folded form of s to dst, as Fold gives it.
func AppendFold(dst []byte, s string) []byte {
	start := len(dst)
	gap := false
	put := func(t string) {
		if t == "" {
			return
		}
		if gap && len(dst) > start {
			dst = append(dst, ' ')
		}
		gap = false
		dst = append(dst, t...)
	}
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			i++
			switch {
			case 'a' <= c && c <= 'z' || '0' <= c && c <= '9':
			case 'A' <= c && c <= 'Z':
				c += 'a' - 'A'
			default:
				gap = true
				continue
			}
			if gap && len(dst) > start {
				dst = append(dst, ' ')
			}
			gap = false
			dst = append(dst, c)
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		raw := s[i : i+n]
		i += n
		if r == utf8.RuneError {
			gap = true
			continue
		}
		foldRune(raw, r, put, &gap)
	}
	return dst
}

func foldRune(raw string, r rune, put func(string), gap *bool) {
	if unicode.Is(unicode.Mn, r) {
		return // a combining accent changes no letter
	}
	if d := norm.NFKD.PropertiesString(raw).Decomposition(); d != nil {
		for _, x := range string(d) {
			foldSimple(x, put, gap)
		}
		return
	}
	foldSimple(r, put, gap)
}

func foldSimple(r rune, put func(string), gap *bool) {
	if unicode.Is(unicode.Mn, r) {
		return
	}
	r = unicode.ToLower(r)
	if t, ok := letters[r]; ok {
		put(t)
		return
	}
	if unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.Is(unicode.Mc, r) {
		put(string(r))
		return
	}
	*gap = true
}

// ExpandSaint writes the words "st" and "ste" of a folded text out as "saint"
// and "sainte", the form in which names are indexed.
func ExpandSaint(folded string) string {
	if !strings.Contains(folded, "st") {
		return folded
	}
	words := strings.Split(folded, " ")
	for i, w := range words {
		switch w {
		case "st":
			words[i] = "saint"
		case "ste":
			words[i] = "sainte"
		}
	}
	return strings.Join(words, " ")
}

// FoldName is Fold and ExpandSaint: the form in which a name is indexed.
func FoldName(s string) string { return ExpandSaint(Fold(s)) }

// small words do not start a key of their own: nobody looks for "en gohelle".
var small = map[string]bool{
	"a": true, "au": true, "aux": true, "d": true, "de": true, "des": true, "du": true, "en": true, "et": true,
	"l": true, "la": true, "le": true, "les": true, "los": true, "s": true, "sous": true, "sur": true,
	"sainte": true, "saint": true, "the": true,
}

// Articles are the small words that people leave out when they name a town.
var Articles = map[string]bool{"l": true, "la": true, "le": true, "les": true, "the": true}

// WordStarts gives the byte offsets in a folded name, after the first word,
// of the words that somebody may type first.
func WordStarts(folded string) []int {
	var at []int
	for i := 0; i < len(folded); {
		end := strings.IndexByte(folded[i:], ' ')
		word := folded[i:]
		if end >= 0 {
			word = folded[i : i+end]
		}
		if i > 0 && !small[word] && len(word) > 2 {
			at = append(at, i)
		}
		if end < 0 {
			break
		}
		i += end + 1
	}
	return at
}
