package search

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// Matcher knows which words of a text made it match a query.
type Matcher struct {
	words  []Word
	whole  map[string]bool
	stems  map[string]bool
	begins []string
}

// NewMatcher prepares words, and for each of them (or nil) the word that was found in its place.
func NewMatcher(words []Word, instead []string) *Matcher {
	m := &Matcher{words: words, whole: map[string]bool{}, stems: map[string]bool{}}
	for i, w := range words {
		if w.Stop && !onlyStops(words) {
			continue
		}
		m.whole[w.Text] = true
		m.stems[w.Stem] = true
		for _, a := range w.Also {
			m.whole[a] = true
		}
		if w.Joined != "" {
			m.whole[w.Joined] = true
		}
		if w.Prefix {
			m.begins = append(m.begins, w.Text)
		}
		if instead != nil && instead[i] != "" {
			m.whole[instead[i]] = true
		}
	}
	return m
}

func onlyStops(words []Word) bool {
	for _, w := range words {
		if !w.Stop {
			return false
		}
	}
	return true
}

// Matches reports whether a folded word of a text in a language matches one of the query.
func (m *Matcher) Matches(w, lang string) bool {
	if m.whole[w] {
		return true
	}
	for _, b := range m.begins {
		if strings.HasPrefix(w, b) {
			return true
		}
	}
	return m.stems[stemmed(lang, w)]
}

// marks returns the parts of text that match, by token.
func (m *Matcher) marks(text, lang string) []Range {
	var out []Range
	add := func(start, end int) {
		if n := len(out); n > 0 && out[n-1].End > start { // pairs of characters overlap
			out[n-1].End = end
			return
		}
		out = append(out, Range{start, end})
	}
	tokens := Tokens(text)
	for i := 0; i < len(tokens); i++ {
		t := tokens[i]
		if i+1 < len(tokens) && m.whole[t.Text+tokens[i+1].Text] && !m.whole[t.Text] {
			add(t.Start, tokens[i+1].End)
			i++
		} else if m.Matches(t.Text, lang) {
			add(t.Start, t.End)
		}
	}
	return out
}

const (
	excerptLength = 200 // bytes, about
	excerptBefore = 60
)

// Excerpts returns the pieces of d's own text that match, at most one per field.
func (d *Document) Excerpts(m *Matcher) []Excerpt {
	var out []Excerpt
	whole := func(field, text string) {
		if marks := m.marks(text, d.Lang); len(marks) > 0 {
			out = append(out, Excerpt{field, text, marks})
		}
	}
	whole("name", d.Name)
	whole("town", d.Town)
	for _, f := range []struct{ name, text string }{{"summary", d.Summary}, {"description", d.Text}} {
		if e, ok := m.excerpt(f.name, f.text, d.Lang); ok {
			out = append(out, e)
		}
	}
	return out
}

// excerpt cuts the piece of a long text that has most different matches.
func (m *Matcher) excerpt(field, text, lang string) (Excerpt, bool) {
	marks := m.marks(text, lang)
	if len(marks) == 0 {
		return Excerpt{}, false
	}
	best, most := 0, 0
	for i := range marks {
		seen := map[string]bool{}
		for _, k := range marks[i:] {
			if k.End > marks[i].Start+excerptLength-excerptBefore {
				break
			}
			seen[text[k.Start:k.End]] = true
		}
		if len(seen) > most {
			best, most = i, len(seen)
		}
	}
	from := wordStart(text, max(0, marks[best].Start-excerptBefore))
	to := wordEnd(text, max(from+excerptLength, marks[best].End))
	e := Excerpt{Field: field}
	if from > 0 {
		e.Text = "…"
	}
	shift := len(e.Text) - from
	e.Text += text[from:to]
	if to < len(text) {
		e.Text = strings.TrimRight(e.Text, " ,;:") + "…"
	}
	for _, k := range marks {
		if k.Start >= from && k.End <= to {
			e.Marks = append(e.Marks, Range{k.Start + shift, k.End + shift})
		}
	}
	e.Marks = slices.Clip(e.Marks)
	return e, true
}

func wordStart(s string, at int) int {
	if at == 0 {
		return 0
	}
	if i := strings.IndexByte(s[at:min(len(s), at+30)], ' '); i >= 0 {
		return at + i + 1
	}
	for at > 0 && !utf8.RuneStart(s[at]) {
		at--
	}
	return at
}

func wordEnd(s string, at int) int {
	if at >= len(s) {
		return len(s)
	}
	if i := strings.LastIndexByte(s[at-30:at], ' '); i >= 0 {
		return at - 30 + i
	}
	for at < len(s) && !utf8.RuneStart(s[at]) {
		at++
	}
	return at
}
