package geo

import (
	"unicode/utf8"

	"archipel/directory"
)

// folds says what directory.Fold makes of the characters that Western European names consist of, as far as that does not
// depend on what is around them: a letter, digit or two, a space, or unknown. It makes folding ten times faster, which
// is most of the time that filling an index takes.
var folds = makeFolds()

const (
	latinEnd       = 0x180
	punctuation    = 0x2000
	punctuationEnd = 0x2070
)

type fold struct {
	n    uint8 // length of text; 0: unknown
	text [3]byte
}

func makeFolds() (table [latinEnd + punctuationEnd - punctuation]fold) {
	for i := range table {
		r := rune(i)
		if i >= latinEnd {
			r += punctuation - latinEnd
		}
		text := directory.Fold(string(r))
		if text == "" {
			text = " "
		}
		if len(text) <= 3 && directory.Fold("a"+string(r)+"b") == "a"+text+"b" {
			table[i].n = uint8(len(text))
			copy(table[i].text[:], text)
		}
	}
	return table
}

// appendFold appends what directory.Fold makes of s.
func appendFold(b []byte, s string) []byte {
	start, space := len(b), false
	for i := 0; i < len(s); {
		r, size := rune(s[i]), 1
		if r >= utf8.RuneSelf {
			r, size = utf8.DecodeRuneInString(s[i:])
			if r >= punctuation && r < punctuationEnd {
				r -= punctuation - latinEnd
			} else if r >= latinEnd {
				return append(b[:start], directory.Fold(s)...)
			}
		}
		f := &folds[r]
		switch {
		case f.n == 0:
			return append(b[:start], directory.Fold(s)...)
		case f.text[0] == ' ':
			space = true
		default:
			if space && len(b) > start {
				b = append(b, ' ')
			}
			space = false
			b = append(b, f.text[:f.n]...)
		}
		i += size
	}
	return b
}
