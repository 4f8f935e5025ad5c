package search

import "strings"

// Named is a value with the names that people know it by, in the form of [Key].
type Named struct {
	Count
	Keys []string
}

// MatchNames returns the values that have a name with every word: names that begin with the words first, then what is
// more frequent; misspelt ones when there are no others.
func MatchNames(words []Word, named []Named, limit int) []Count {
	var begin, within, nearly []Count
	fuzzy := make([]*Automaton, len(words))
	for i := range words {
		if n := words[i].Typos; n > 0 {
			fuzzy[i] = NewAutomaton(words[i].Text, n, words[i].Prefix)
		}
	}
	for _, v := range named {
		best := 0
		for _, l := range v.Keys {
			best = max(best, matchName(l, words, fuzzy))
		}
		switch best {
		case 3:
			begin = append(begin, v.Count)
		case 2:
			within = append(within, v.Count)
		case 1:
			nearly = append(nearly, v.Count)
		}
	}
	out := append(TopCounts(begin, limit), TopCounts(within, limit)...)
	if len(out) == 0 {
		out = TopCounts(nearly, limit)
	}
	return out[:min(len(out), limit)]
}

// matchName is 3 when a name begins with the words, 2 when it has them all, 1 with typos, 0 when it has not.
func matchName(name string, words []Word, fuzzy []*Automaton) int {
	parts := strings.Split(name, " ")
	best := 2
	first, any := false, false
	for i, w := range words {
		if w.Stop && !w.Prefix {
			continue
		}
		any = true
		found := 0
		for n, p := range parts {
			switch {
			case p == w.Text || (w.Prefix && strings.HasPrefix(p, w.Text)):
				found = 2
				first = first || n == 0
			case len(w.Text) > len(p) && n+1 < len(parts) && strings.HasPrefix(p+parts[n+1], w.Text):
				found = 2
			case found == 0 && fuzzy[i] != nil && fuzzy[i].Typos(p) <= fuzzy[i].Max():
				found = 1
			}
			if found == 2 {
				break
			}
		}
		best = min(best, found)
	}
	switch {
	case !any:
		return 0
	case best == 2 && first:
		return 3
	}
	return best
}

// NameKeys are the names of a category in the form of [Key]; its id when nothing is known of it.
func NameKeys(tax Taxonomy, id string) []string {
	var keys []string
	if tax != nil {
		for _, l := range tax.Labels(id) {
			if k := Key(l); k != "" {
				keys = append(keys, k)
			}
		}
	}
	if len(keys) == 0 {
		keys = append(keys, Key(id))
	}
	return keys
}
