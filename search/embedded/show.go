package embedded

import "archipel/search"

// shower knows which words of a text made it match.
type shower struct {
	t       *text
	matcher *search.Matcher
}

func newShower(t *text, fixes []string) *shower {
	return &shower{t, search.NewMatcher(t.words, fixes)}
}
