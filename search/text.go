package search

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"archipel/directory"
)

// Token is a word of a text: folded ([directory.Fold]), and where it stands, in bytes.
type Token struct {
	Text       string
	Start, End int
}

// maxToken is how many bytes of a word count.
const maxToken = 48

// Tokens splits a text into words at everything that is neither letter, mark nor digit. Elided articles are left out
// ("l'atelier" is "atelier"), dots inside abbreviations are ignored ("A.M.A.P." is "amap"), and runs of scripts that
// put no spaces between words become pairs of characters.
func Tokens(s string) []Token {
	var out []Token
	add := func(start, end int) {
		raw := s[start:end]
		if strings.IndexByte(raw, '.') >= 0 {
			raw = strings.ReplaceAll(raw, ".", "")
		}
		w := directory.Fold(raw)
		if strings.IndexByte(w, ' ') >= 0 { // compatibility forms may unfold to several words
			w = strings.ReplaceAll(w, " ", "")
		}
		if len(w) > maxToken {
			w = strings.ToValidUTF8(w[:maxToken], "")
		}
		if w != "" {
			out = append(out, Token{w, start, end})
		}
	}
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		if !wordRune(r) {
			i += n
			continue
		}
		start := i
		if spaceless(r) {
			prev := -1
			for i < len(s) {
				r, n = utf8.DecodeRuneInString(s[i:])
				if !spaceless(r) {
					break
				}
				if prev >= 0 {
					add(prev, i+n)
				}
				prev, i = i, i+n
			}
			if prev == start {
				add(start, i)
			}
			continue
		}
		since := 0 // letters since the last dot
		for i < len(s) {
			r, n = utf8.DecodeRuneInString(s[i:])
			if r == '.' && since == 1 && abbreviation(s[i+1:]) {
				since = 0
				i++
				continue
			}
			if !wordRune(r) || spaceless(r) {
				break
			}
			i += n
			since++
		}
		if r == '\'' || r == '’' || r == 'ʼ' {
			if i < len(s) && elided[strings.ToLower(s[start:i])] {
				continue // the article before an apostrophe
			}
		}
		if i-start == 1 && (s[start] == 's' || s[start] == 'S') && start > 0 && apostropheBefore(s[:start]) {
			continue // the English genitive
		}
		add(start, i)
	}
	return out
}

// abbreviation reports whether s, which follows a single letter and a dot, goes on with a single letter.
func abbreviation(s string) bool {
	r, n := utf8.DecodeRuneInString(s)
	if !unicode.IsLetter(r) {
		return false
	}
	next, _ := utf8.DecodeRuneInString(s[n:])
	return n == len(s) || !wordRune(next)
}

func apostropheBefore(s string) bool {
	r, _ := utf8.DecodeLastRuneInString(s)
	return r == '\'' || r == '’' || r == 'ʼ'
}

func wordRune(r rune) bool {
	if r < utf8.RuneSelf {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
	}
	return r != utf8.RuneError && (unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r))
}

func spaceless(r rune) bool {
	return r >= 0x0E00 && unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Thai, unicode.Lao, unicode.Khmer, unicode.Myanmar)
}

var elided = map[string]bool{
	"l": true, "d": true, "j": true, "m": true, "t": true, "s": true, "n": true, "c": true, "qu": true, "jusqu": true,
	"lorsqu": true, "puisqu": true, "quoiqu": true, "quelqu": true,
	"dell": true, "all": true, "nell": true, "sull": true, "dall": true, "un": true,
}

// Key is a text in the form in which names are compared with what somebody typed.
func Key(s string) string {
	var b strings.Builder
	for i, t := range Tokens(s) {
		if i > 0 {
			b.WriteByte(' ')
		}
		switch t.Text {
		case "st":
			b.WriteString("saint")
		case "ste":
			b.WriteString("sainte")
		default:
			b.WriteString(t.Text)
		}
	}
	return b.String()
}

// Word is one word of a query.
type Word struct {
	Token
	Prefix bool // it may be unfinished
	Stop   bool // it carries no meaning of its own
	Stem   string
	Also   []string // other spellings
	Joined string   // it and the word after it written as one, or empty
	Typos  int      // how many letters may be wrong
}

// Words parses what somebody typed in a language. At most [MaxWords] are kept; stop words go first.
func Words(text, lang string) []Word {
	lang = primary(lang)
	text = clip(text)
	tokens := Tokens(text)
	var words []Word
	for _, t := range tokens {
		words = append(words, Word{Token: t, Stop: isStop(lang, t.Text)})
	}
	for excess := len(words) - MaxWords; excess > 0; excess-- {
		drop := len(words) - 1
		for i, w := range words {
			if w.Stop {
				drop = i
				break
			}
		}
		words = append(words[:drop], words[drop+1:]...)
	}
	for i := range words {
		w := &words[i]
		w.Stem = stemmed(lang, w.Text)
		w.Also = alternates(w.Text)
		w.Typos = Typos(w.Text)
		if i+1 < len(words) && !w.Stop && !words[i+1].Stop {
			w.Joined = w.Text + words[i+1].Text
		}
		if i == len(words)-1 && w.End == len(strings.TrimRight(text, "'’\"»).!?")) {
			w.Prefix = prefixable(w.Text)
		}
	}
	return words
}

// prefixable reports whether w may be the beginning of a word: a single digit is a number already.
func prefixable(w string) bool { return !(len(w) == 1 && w[0] >= '0' && w[0] <= '9') }

// Letters from which on a word may have one and two letters wrong.
const (
	OneTypo  = 4
	TwoTypos = 8
)

// Typos returns how many letters of a folded word may be wrong. Numbers are taken as they are.
func Typos(w string) int {
	n := utf8.RuneCountInString(w)
	switch {
	case n < OneTypo || hasDigit(w):
		return 0
	case n < TwoTypos:
		return 1
	}
	return 2
}

// Respell puts corrections into what was typed, or returns "" when there are none.
func Respell(typed string, words []Word, fixes []string) string {
	var b strings.Builder
	at, changed := 0, false
	for i := 0; i < len(words); i++ {
		if fixes[i] == "" {
			continue
		}
		end := i
		if i+1 < len(words) && fixes[i+1] == fixes[i] { // two words that should be one
			end = i + 1
		}
		b.WriteString(typed[at:words[i].Start])
		b.WriteString(fixes[i])
		at, changed = words[end].End, true
		i = end
	}
	if !changed {
		return ""
	}
	b.WriteString(typed[at:])
	return strings.TrimSpace(b.String())
}
