package embedded

import (
	"archipel/directory"
	"archipel/search"
)

// tally counts the values of rows for facets. Where every row counts it takes the numbers that the columns keep.
type tally struct {
	c     *columns
	ready bool // the numbers of the columns are the answer
	kinds [4]int
	cats  []int
	tags  []int
}

func newTally(c *columns, f *filter, t *text) *tally {
	if !t.asked && f.none() {
		return &tally{c: c, ready: true, kinds: c.kinds, cats: c.cats.counts, tags: c.tags.counts}
	}
	return &tally{c: c, cats: make([]int, len(c.cats.names)), tags: make([]int, len(c.tags.names))}
}

// add counts a row in the dimensions whose other filters it passes.
func (t *tally) add(r *row, pass uint8) {
	if t.ready {
		return
	}
	if pass|passKind == passAll {
		t.kinds[r.kind]++
	}
	if pass|passCat == passAll {
		for _, v := range r.cats() {
			t.cats[v]++
		}
	}
	if pass|passTag == passAll {
		for _, v := range r.tags() {
			t.tags[v]++
		}
	}
}

func (t *tally) facets() *search.Facets {
	f := &search.Facets{Kinds: map[directory.Kind]int{}, Categories: map[string]int{}}
	for i, n := range t.kinds {
		if n > 0 {
			f.Kinds[directory.Kinds[i]] = n
		}
	}
	for i, n := range t.cats {
		if n > 0 {
			f.Categories[t.c.cats.names[i]] = n
		}
	}
	for i, n := range t.tags {
		if n > 0 {
			f.Tags = append(f.Tags, search.Count{Value: t.c.tags.names[i], N: n})
		}
	}
	f.Tags = search.TopCounts(f.Tags, search.MaxFacets)
	return f
}
