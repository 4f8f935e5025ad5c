package geo

import (
	"slices"
	"testing"
)

// testParent puts the test's categories under two others, one of which entries have as well.
func testParent(c string) string {
	switch c {
	case "amap", "garden", "coop":
		return "food"
	case "food", "repair":
		return "all"
	case "bike", "fablab":
		return "energy"
	}
	return ""
}

func checkFacets(t *testing.T, x *Index, m model, f Filter) {
	t.Helper()
	for _, parent := range []func(string) string{nil, testParent} {
		kinds, cats, tags := map[string]Facet{}, map[string]Facet{}, map[string]Facet{}
		add := func(to map[string]Facet, v string, count, open int) {
			c := to[v]
			to[v] = Facet{v, c.Count + count, c.Open + open}
		}
		matched := 0
		for _, it := range m {
			all := 0
			if ok, _ := f.brute(&it, ""); ok {
				all = 1
				matched++
			}
			if ok, _ := f.brute(&it, "kinds"); ok {
				add(kinds, string(it.Kind), all, 1)
			}
			if ok, _ := f.brute(&it, "tags"); ok {
				for _, v := range it.Tags {
					add(tags, v, all, 1)
				}
			}
			if ok, _ := f.brute(&it, "categories"); ok {
				var line []string
				for _, v := range it.Categories {
					for ; v != ""; v = testParent(v) {
						if !slices.Contains(line, v) {
							line = append(line, v)
						}
						if parent == nil {
							break
						}
					}
				}
				for _, v := range line {
					add(cats, v, all, 1)
				}
			}
		}
		got, err := x.Facets(f, parent)
		if err != nil {
			t.Fatal(err)
		}
		if got.Matched != matched {
			t.Errorf("facets matched %d, want %d", got.Matched, matched)
		}
		for _, c := range []struct {
			name string
			got  []Facet
			want map[string]Facet
		}{{"kinds", got.Kinds, kinds}, {"categories", got.Categories, cats}, {"tags", got.Tags, tags}} {
			for i, v := range c.got {
				if c.want[v.Value] != v {
					t.Errorf("%s: got %v, want %v", c.name, v, c.want[v.Value])
				}
				if i > 0 && v.Open > c.got[i-1].Open {
					t.Errorf("%s: %v comes after %v", c.name, v, c.got[i-1])
				}
			}
			if len(c.got) != len(c.want) {
				t.Errorf("%s: %d values, want %d", c.name, len(c.got), len(c.want))
			}
		}
	}
}
