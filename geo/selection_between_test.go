package geo

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"archipel/directory"
)

// TestPagesBetweenWrites walks through an order of relevance that is another one at the second page.
func TestPagesBetweenWrites(t *testing.T) {
	x := NewIndex()
	var ids []directory.ID
	for i := range 12 {
		ids = append(ids, testID(i))
		x.Put(Item{ID: ids[i], Kind: directory.Place, Name: "Entry", Slug: "e" + itoa(i)})
	}
	upper := func(list []directory.ID) []directory.ID {
		return []directory.ID{directory.ID(strings.ToUpper(string(list[0])))}
	}
	for _, c := range []struct {
		name       string
		then, want []directory.ID // the list at the second page, and what is there
	}{
		{"the same", ids[:10], ids[4:10]},
		{"one more at the end", ids[:11], ids[4:11]},
		{"one more at the top", slices.Concat(ids[10:11], ids[:10]), ids[4:10]},
		{"one more among the next", slices.Concat(ids[:6], ids[10:11], ids[6:10]), slices.Concat(ids[4:6], ids[10:11], ids[6:10])},
		{"one gone before", slices.Concat(ids[:1], ids[2:10]), ids[4:10]},
		{"one gone after", slices.Concat(ids[:7], ids[8:10]), slices.Concat(ids[4:7], ids[8:10])},
		{"the last one shown gone", slices.Concat(ids[:3], ids[4:10]), ids[4:10]},
		{"the last one shown is first", slices.Concat(ids[3:4], ids[:3], ids[4:10]), slices.Concat(ids[:3], ids[4:10])},
		{"the last one shown is written otherwise", slices.Concat(ids[:3], upper(ids[3:]), ids[4:10]), ids[4:10]},
		{"less than there was", ids[:2], nil},
		{"nothing any more", []directory.ID{}, nil},
	} {
		first := must(x.Select(Filter{Only: ids[:10]}, Page{Order: ByOnly, Limit: 4}))
		second, err := x.Select(Filter{Only: c.then}, Page{Order: ByOnly, Limit: 20, After: first.Next})
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		var got []directory.ID
		for _, h := range second.Hits {
			got = append(got, h.ID)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
	f := Filter{Only: ids[:10]}
	byName := must(x.Select(f, Page{Limit: 4})).Next
	for _, after := range []string{"x", "????", byName} {
		if _, err := x.Select(f, Page{Order: ByOnly, Limit: 4, After: after}); !errors.Is(err, ErrInvalid) {
			t.Errorf("after %q: %v", after, err)
		}
	}
}
