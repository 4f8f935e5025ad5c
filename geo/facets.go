package geo

import (
	"cmp"
	"slices"
)

// Facets counts the entries that match a filter by what they are.
type Facets struct {
	Matched    int // entries that match
	Kinds      []Facet
	Categories []Facet
	Tags       []Facet
}

// Facet is one value that entries have.
type Facet struct {
	Value string
	// Count is how many match the filter and have the value.
	Count int
	// Open is how many would match with this value, if nothing else were chosen of its sort: of a kind when the filter
	// leaves out its Kinds, of a category without its Categories, of a tag without its Tags. This is the number to show
	// beside a choice of several.
	Open int
}

// Facets counts the entries that match, once each. Values that nothing has are left out; the rest comes by falling Open,
// then by value. With parent, which returns the category above one or the empty string, a category counts what its
// descendants have as well, an entry still once. Errors wrap [ErrInvalid].
func (s *Snapshot) Facets(f Filter, parent func(category string) string) (Facets, error) {
	q, err := f.compile(s)
	if err != nil {
		return Facets{}, err
	}
	c := newCounter(s, q, parent)
	if q.area != nil {
		s.rowsIn(q.area).each(c.add)
	} else {
		for r := range uint32(len(s.ids)) {
			c.add(r)
		}
	}
	return Facets{c.matched, facetsOf(s.kinds.list, c.kinds), facetsOf(c.names, c.cats), facetsOf(s.tagNames.list, c.tags)}, nil
}

type pair struct{ count, open int32 }

type counter struct {
	s                 *Snapshot
	q                 *query
	matched           int
	kinds, cats, tags []pair
	names             []string   // of categories: the table's, and those that no entry has itself
	up                [][]uint32 // for each of the table's categories: it and those above it
	seen              []uint32   // for each category: the last row that was counted, plus one
}

func newCounter(s *Snapshot, q *query, parent func(string) string) *counter {
	c := &counter{
		s: s, q: q, kinds: make([]pair, len(s.kinds.list)), tags: make([]pair, len(s.tagNames.list)),
		names: s.categories.list,
	}
	if parent != nil {
		known := make(map[string]uint32, len(c.names))
		for i, name := range c.names {
			known[name] = uint32(i)
		}
		c.names = slices.Clip(c.names) // what is appended is not the table's
		for i, name := range s.categories.list {
			line := []uint32{uint32(i)}
			for up := parent(name); up != ""; up = parent(up) {
				n, ok := known[up]
				if !ok {
					n = uint32(len(c.names))
					known[up] = n
					c.names = append(c.names, up)
				}
				if slices.Contains(line, n) {
					break // a circle
				}
				line = append(line, n)
			}
			c.up = append(c.up, line)
		}
	}
	c.cats, c.seen = make([]pair, len(c.names)), make([]uint32, len(c.names))
	return c
}

// add counts a row if it is alive.
func (c *counter) add(r uint32) {
	s, q := c.s, c.q
	if !s.aliveAt(r, s.seq) {
		return
	}
	kind, cats, tags := s.kind[r], s.rowCats(r), s.rowTags(r)
	ofKind := q.kinds == nil || q.kinds[kind]
	ofCat := q.cats == nil || anyOf(q.cats, cats)
	ofTag := q.tags == nil || anyOf(q.tags, tags)
	misses := 0
	for _, ok := range [...]bool{ofKind, ofCat, ofTag} {
		if !ok {
			misses++
		}
	}
	if misses > 1 || !q.matchesRest(r) {
		return
	}
	var all int32
	if misses == 0 {
		all = 1
		c.matched++
	}
	if misses == 0 || !ofKind {
		c.kinds[kind].count += all
		c.kinds[kind].open++
	}
	if misses == 0 || !ofTag {
		for _, t := range tags {
			c.tags[t].count += all
			c.tags[t].open++
		}
	}
	if misses == 0 || !ofCat {
		for _, cat := range cats {
			if c.up == nil {
				c.cats[cat].count += all
				c.cats[cat].open++
				continue
			}
			for _, a := range c.up[cat] {
				if c.seen[a] != r+1 {
					c.seen[a] = r + 1
					c.cats[a].count += all
					c.cats[a].open++
				}
			}
		}
	}
}

func facetsOf(names []string, counts []pair) []Facet {
	var out []Facet
	for i, p := range counts {
		if p.open > 0 {
			out = append(out, Facet{names[i], int(p.count), int(p.open)})
		}
	}
	slices.SortFunc(out, func(a, b Facet) int {
		return cmp.Or(cmp.Compare(b.Open, a.Open), cmp.Compare(a.Value, b.Value))
	})
	return out
}
