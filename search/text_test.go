package search

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"archipel/directory"
)

var _ Source = directory.Store(nil)

func TestTokens(t *testing.T) {
	for text, want := range map[string]string{
		"":                        "",
		"L'Atelier du 9":          "atelier du 9",
		"l’atelier D’ICI":         "atelier ici",
		"aujourd'hui":             "aujourd hui",
		"Qu'est-ce que c'est ?":   "est ce que est",
		"Neighbour's tools":       "neighbour tools",
		"O'Brien":                 "o brien",
		"A.M.A.P. du Diois":       "amap du diois",
		"S.A.S. X":                "sas x",
		"fin.Début J. Dupont":     "fin debut j dupont",
		"example.org":             "example org",
		"Cœur, Straße, Łódź, ﬁn":  "coeur strasse lodz fin",
		"Saint-Étienne":           "saint etienne",
		"e\u0301te\u0301":         "ete",
		"3D 1er 42 000":           "3d 1er 42 000",
		"共同工作":                    "共同 同工 工作",
		"工":                       "工",
		"café共同":                  "cafe 共同",
		"\xff\xfe a\x00b":         "a b",
		"🌱🏡":                      "",
		"مركز المجتمع":            "مركز المجتمع",
		"'''":                     "",
		"l'":                      "",
		strings.Repeat("x", 1000): strings.Repeat("x", maxToken),
	} {
		var got []string
		last := 0
		for _, tok := range Tokens(text) {
			got = append(got, tok.Text)
			if tok.Start < 0 || tok.End > len(text) || tok.End <= tok.Start || tok.End < last {
				t.Errorf("%q: token %+v stands nowhere", text, tok)
			}
			last = tok.End
		}
		if strings.Join(got, " ") != want {
			t.Errorf("Tokens(%q): got %q, want %q", text, got, want)
		}
	}
}

func FuzzWords(f *testing.F) {
	for _, s := range []string{"l'atelier du 9", "A.M.A.P", "\xff'", "共同工作 x", "st-étienne", strings.Repeat("a ", 300), "İ", "ﷺ"} {
		f.Add(s, "fr")
	}
	// Pairs of characters that overlap, and of which two together are a word by another pair.
	f.Add("\u5c71\u3088 \u309f\u308a \u5ddd f1 g2 h3 i4 j5 k6 l7 \u5c71\u3088\u308a\u5ddd", "ja")
	f.Add("**\u1015\n\u1015\n\u1015\n\u0e33\u0e33\u0e33\u1015\n*\u0e33\n*\u1015\u1015\u1015**\u1015*\n\u0e33\u1015*\u0e33\u1015\u0e33\u1015*\n\u1015\u1015\u0e33\u1015\u0e33*\u0e33\n\u1015**\u1015*\u1015\n\u0e33*", "")
	f.Add("A.M.A.P. l\u2019\u0130le d\u02bcici [x](y) <p>\ufb01n \ufdfa \u00bd \u2460 \u337f e\u0301 ko\u0142o \ufffd \ufeff ongen\u00edssement", "tr")
	f.Fuzz(func(t *testing.T, text, lang string) {
		words := Words(text, lang)
		if len(words) > MaxWords {
			t.Fatalf("%d words", len(words))
		}
		text = clip(text)
		for _, w := range words {
			if w.Text == "" || len(w.Text) > maxToken || !utf8.ValidString(w.Text) || strings.ContainsAny(w.Text, " \n\x00\x01\x02") {
				t.Fatalf("word %q", w.Text)
			}
			if w.Start < 0 || w.End > len(text) || w.Start >= w.End {
				t.Fatalf("word %+v of %q", w, text)
			}
		}
		d := Document{Name: text, Summary: text, Text: Plain(text), Lang: primary(lang)}
		for _, list := range d.Terms() {
			for _, term := range list {
				if term == "" || strings.Contains(term, "\n") {
					t.Fatalf("term %q", term)
				}
			}
		}
		for _, e := range d.Excerpts(NewMatcher(words, nil)) {
			last := 0
			for _, m := range e.Marks {
				if m.Start < last || m.End <= m.Start || m.End > len(e.Text) {
					t.Fatalf("marks %v in %q", e.Marks, e.Text)
				}
				last = m.End
			}
		}
	})
}

func TestExcerptOfLongText(t *testing.T) {
	long := strings.Repeat("Un lieu ouvert où l’on répare, échange et apprend ensemble. ", 60)
	d := Document{Lang: "fr", Text: long + "Ici le compost mûrit près des ruches. " + long}
	for _, q := range []string{"compost", "ruches compost", "lieu"} {
		e := d.Excerpts(NewMatcher(Words(q, "fr"), nil))
		if len(e) != 1 || len(e[0].Text) > 260 || !utf8.ValidString(e[0].Text) {
			t.Fatalf("excerpts of %q: %+v", q, e)
		}
		for _, m := range e[0].Marks {
			if got := directory.Fold(e[0].Text[m.Start:m.End]); !strings.Contains(q, strings.TrimSuffix(got, "x")) {
				t.Errorf("excerpt of %q marks %q", q, got)
			}
		}
		if q == "ruches compost" && len(e[0].Marks) != 2 {
			t.Errorf("excerpt of %q: %+v, want both words", q, e[0])
		}
	}
}

func TestPlain(t *testing.T) {
	for md, want := range map[string]string{
		"# Titre\n\nUn **mot** et `code`":             "Titre Un mot et code",
		"[lien](http://x.org/a?b) et ![image](i.png)": "lien et image",
		"- un\n- deux\n1. trois\n> cité":              "un deux trois cité",
		"<script>alert(1)</script> a < b":             "alert(1) a < b",
		"snake_case et 3 * 4":                         "snake_case et 3 * 4",
		"```go\nfunc\n```\nfin":                       "func fin",
	} {
		if got := Plain(md); got != want {
			t.Errorf("Plain(%q): got %q, want %q", md, got, want)
		}
	}
}

// TestAutomaton compares the automaton with the distance as it is defined.
func TestAutomaton(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 9))
	word := func() string {
		b := make([]byte, 1+r.IntN(9))
		for i := range b {
			b[i] = "abcd"[r.IntN(4)]
		}
		return string(b)
	}
	for range 20_000 {
		a, b, most, prefix := word(), word(), 1+r.IntN(2), r.IntN(2) == 0
		m := NewAutomaton(a, most, prefix)
		id := m.Start()
		for i := 0; i < len(b); i++ {
			if m.WillAlwaysMatch(id) && distance(a, b, prefix) > most {
				t.Fatalf("%q, %q: will not always match", a, b)
			}
			id = m.Accept(id, b[i])
		}
		want := distance(a, b, prefix) <= most
		if got := m.IsMatch(id); got != want {
			t.Fatalf("%q near %q (%d, prefix %v): got %v, want %v", b, a, most, prefix, got, want)
		}
		if want && !m.CanMatch(id) {
			t.Fatalf("%q near %q: matches and cannot", b, a)
		}
	}
	for term, want := range map[string]int{"lyon": 0, "lion": 1, "loyn": 1, "lyo": 1, "lyons": 1, "ryon": 2, "paris": 2} {
		if got := NewAutomaton("lyon", 1, false).Typos(term); min(got, 2) != want {
			t.Errorf("typos of %q for lyon: got %d, want %d", term, got, want)
		}
	}
}

// distance is the optimal string alignment distance; with prefix, from a to the nearest beginning of b.
func distance(a, b string, prefix bool) int {
	d := make([][]int, len(a)+1)
	for i := range d {
		d[i] = make([]int, len(b)+1)
		d[i][0] = i
	}
	for j := range d[0] {
		d[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			c := 1
			if a[i-1] == b[j-1] {
				c = 0
			}
			d[i][j] = min(d[i-1][j]+1, d[i][j-1]+1, d[i-1][j-1]+c)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				d[i][j] = min(d[i][j], d[i-2][j-2]+1)
			}
		}
	}
	if prefix {
		return slices.Min(d[len(a)])
	}
	return d[len(a)][len(b)]
}

func TestWords(t *testing.T) {
	words := Words("Fab Lab de Lyon", "fr")
	var got []string
	for _, w := range words {
		s := w.Text
		if w.Stop {
			s += "-"
		}
		if w.Prefix {
			s += "*"
		}
		got = append(got, s+"/"+w.Joined)
	}
	if want := "fab/fablab lab/ de-/ lyon*/"; strings.Join(got, " ") != want {
		t.Errorf("got %q, want %q", got, want)
	}
	for text, prefix := range map[string]bool{"atelier": true, "atelier ": false, "atelier.": true, "le 9": false, "420": true, "l'atelier'": true} {
		w := Words(text, "fr")
		if got := w[len(w)-1].Prefix; got != prefix {
			t.Errorf("%q: unfinished %v, want %v", text, got, prefix)
		}
	}
	if w := Words("un deux trois quatre cinq six sept huit neuf dix onze de la douze", "fr"); len(w) != MaxWords || w[len(w)-1].Text == "la" {
		t.Errorf("many words: %+v", w)
	}
	for _, lang := range []string{"fr", "en", "de", "es", "it", "pt", "nl", "ru", "sv", "fi", "no", "nb-NO", "da", "hu", "ro", "tr", "fr-CA", "", "xx"} {
		if w := Words("communs", lang); len(w) != 1 || w[0].Stem == "" {
			t.Errorf("%s: %+v", lang, w)
		}
	}
	if a, b := Words("ateliers ", "fr")[0].Stem, Words("atelier ", "fr")[0].Stem; a != b {
		t.Errorf("stems of ateliers and atelier: %q, %q", a, b)
	}
}
