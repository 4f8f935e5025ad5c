package taxonomy

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

func (t *tree) Match(text string) (id string, ok bool) {
	text = strings.TrimSpace(text)
	if len(text) > maxMatch {
		return "", false
	}
	if t.Valid(text) {
		return t.Current(text), true
	}
	if id := t.tags[tagKey(text)]; id != "" {
		return id, true
	}
	if key := Fold(text); key != "" {
		if id := t.words[key]; id != "" {
			return id, true
		}
	}
	if i := strings.LastIndexAny(text, ">›»"); i >= 0 {
		if last := strings.TrimLeft(text[i:], ">›» "); last != "" {
			return t.Match(last)
		}
	}
	return "", false
}

const maxMatch = 300 // bytes; longer texts are prose, not the name of a category

var smallWords = map[string]bool{
	"a": true, "au": true, "aux": true, "d": true, "de": true, "des": true, "du": true, "en": true, "et": true, "l": true,
	"la": true, "le": true, "les": true, "ou": true, "un": true, "une": true,
	"and": true, "of": true, "or": true, "the": true, "for": true,
}

// Fold brings a text to the form in which two spellings of the same name are equal: lower case without accents,
// ligatures, punctuation, small words and plural endings.
func Fold(text string) string {
	var b strings.Builder
	word := func(w string) {
		if w == "" || smallWords[w] {
			return
		}
		if b.Len() > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(singular(w))
	}
	var w strings.Builder
	for _, r := range norm.NFKD.String(text) {
		r = unicode.ToLower(r)
		switch {
		case unicode.Is(unicode.Mn, r):
		case r == 'œ':
			w.WriteString("oe")
		case r == 'æ':
			w.WriteString("ae")
		case r == 'ß':
			w.WriteString("ss")
		case unicode.IsLetter(r) || unicode.IsDigit(r):
			w.WriteRune(r)
		default:
			word(w.String())
			w.Reset()
		}
	}
	word(w.String())
	return b.String()
}

// singular takes French and English plural endings off a folded word. It is no stemmer: it only has to do the same to
// both forms of a word.
func singular(w string) string {
	if len(w) < 4 {
		return w
	}
	switch {
	case strings.HasSuffix(w, "eaux"), strings.HasSuffix(w, "eux"), strings.HasSuffix(w, "oux"):
		w = w[:len(w)-1]
	case strings.HasSuffix(w, "aux"):
		w = w[:len(w)-3] + "al"
	case strings.HasSuffix(w, "ss"):
	case strings.HasSuffix(w, "s"):
		w = w[:len(w)-1]
	}
	switch { // energie, energies, energy
	case strings.HasSuffix(w, "ie"):
		return w[:len(w)-1]
	case strings.HasSuffix(w, "y"):
		return w[:len(w)-1] + "i"
	}
	return w
}

// tagKey normalises "amenity = Cafe" to "amenity=cafe"; empty when text is not a tag.
func tagKey(text string) string {
	k, v, ok := strings.Cut(text, "=")
	if !ok {
		return ""
	}
	return strings.ToLower(strings.TrimSpace(k) + "=" + strings.TrimSpace(v))
}

// index fills words and tags. Ids and labels count before short labels, those before synonyms.
func (t *tree) index() {
	t.words, t.tags = map[string]string{}, map[string]string{}
	tiers := []func(c *Category) []string{
		func(c *Category) []string { return []string{c.ID} },
		func(c *Category) []string { return values(c.Label) },
		func(c *Category) []string { return values(c.Short) },
		func(c *Category) []string { return c.Synonyms },
	}
	for _, texts := range tiers {
		tier := map[string]string{}
		for i := range t.raw {
			c := &t.raw[i]
			for _, text := range texts(c) {
				key := Fold(text)
				other, taken := tier[key]
				switch {
				case key == "":
				case !taken || other == c.ID || t.above(c.ID, other):
					tier[key] = c.ID
				case !t.above(other, c.ID):
					tier[key] = "" // ambiguous
				}
			}
		}
		for key, id := range tier {
			if _, taken := t.words[key]; !taken {
				t.words[key] = id
			}
		}
	}
	// A tag means the category that names it earliest in its list; then the first one in the file.
	for pos, found := 0, true; found; pos++ {
		found = false
		for i := range t.raw {
			if pos >= len(t.raw[i].OSM) {
				continue
			}
			found = true
			if key := tagKey(t.raw[i].OSM[pos]); t.tags[key] == "" {
				t.tags[key] = t.raw[i].ID
			}
		}
	}
}

// above reports whether a is an ancestor of b.
func (t *tree) above(a, b string) bool {
	for n := t.byID[b]; n != nil && n.Parent != ""; n = t.byID[n.Parent] {
		if n.Parent == a {
			return true
		}
	}
	return false
}

func values(m map[string]string) []string {
	out := make([]string, 0, len(m))
	for _, v := range m {
		out = append(out, v)
	}
	return out
}
