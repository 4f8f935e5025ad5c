package searchtest

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/paulmach/orb"
	"github.com/paulmach/orb/geo"

	"archipel/directory"
	"archipel/search"
)

// testCounts asks random combinations of words and filters, and counts totals, facets and ids again by looking at
// every entry.
func testCounts(t *testing.T, x search.Index) {
	ctx := context.Background()
	var public []directory.Entry
	for _, e := range Fixture() {
		if e.Public() {
			public = append(public, e)
		}
	}
	r := rand.New(rand.NewPCG(3, 5))
	some := func(list ...string) []string {
		var out []string
		for _, s := range list {
			if r.IntN(4) == 0 {
				out = append(out, s)
			}
		}
		return out
	}
	texts := []string{"", "", "", "atelier", "coworking", "saint etienne", "lyon", "e", "cowrking", "die", "xyzzyplugh", "fabrique xyzzyplugh"}
	words := map[string]map[directory.ID]bool{}
	for _, text := range texts {
		ids, err := x.IDs(ctx, search.Query{Text: text, Lang: "fr"})
		if err != nil {
			t.Fatalf("ids of %q: %v", text, err)
		}
		words[text] = map[directory.ID]bool{}
		for _, id := range ids {
			words[text][id] = true
		}
	}
	if len(words[""]) != len(public) {
		t.Errorf("everything: got %d entries, want the %d public ones", len(words[""]), len(public))
	}
	empty := 0
	for i := range 300 {
		q := search.Query{Text: texts[r.IntN(len(texts))], Lang: "fr", Facets: true, Limit: 100, Categories: some("food", "fablab", "nonsense", "workshop"), Tags: some("VELO", "compost", "'\"] OR kind EXISTS")}
		for _, k := range directory.Kinds {
			if r.IntN(5) == 0 {
				q.Kinds = append(q.Kinds, k)
			}
		}
		switch r.IntN(8) {
		case 0:
			q.BBox = &orb.Bound{Min: orb.Point{-2 + r.Float64()*5, 43 + r.Float64()*4}, Max: orb.Point{4 + r.Float64()*3, 47 + r.Float64()*4}}
		case 1:
			q.BBox = &orb.Bound{Min: orb.Point{179, -17}, Max: orb.Point{-179, -16}}
		case 2:
			q.Near, q.Radius = &orb.Point{4 + r.Float64(), 45.5}, r.Float64()*90_000
		case 3:
			q.Polygon = orb.MultiPolygon{{{{3, 44}, {6, 44}, {4.5, 47}, {3, 44}}}, {{{-2, 47}, {-1, 47}, {-1, 48}, {-2, 48}, {-2, 47}}}}
		case 4:
			q.Zones = some("FR-69", "FR-42", "FR-44", "FR-26", "ZZ")
		case 5:
			q.From = Day.AddDate(0, 0, r.IntN(40))
			q.To = q.From.AddDate(0, 0, 1+r.IntN(9))
		}
		matches := func(e *directory.Entry, kind, category, tag bool) bool {
			return words[q.Text][e.ID] && inArea(e, &q) && inTime(e, &q) &&
				(!kind || len(q.Kinds) == 0 || slices.Contains(q.Kinds, e.Kind)) &&
				(!category || len(q.Categories) == 0 || overlap(under(e), q.Categories)) &&
				(!tag || len(q.Tags) == 0 || overlap(folded(e.Tags), folded(q.Tags)))
		}
		want := struct {
			ids   []directory.ID
			kinds map[directory.Kind]int
			cats  map[string]int
			tags  map[string]int
		}{kinds: map[directory.Kind]int{}, cats: map[string]int{}, tags: map[string]int{}}
		for j := range public {
			e := &public[j]
			if matches(e, true, true, true) {
				want.ids = append(want.ids, e.ID)
			}
			if matches(e, false, true, true) {
				want.kinds[e.Kind]++
			}
			if matches(e, true, false, true) {
				for _, c := range under(e) {
					want.cats[c]++
				}
			}
			if matches(e, true, true, false) {
				for _, tag := range folded(e.Tags) {
					want.tags[tag]++
				}
			}
		}
		slices.Sort(want.ids)
		name := describe(&q)
		res, err := x.Search(ctx, q)
		if err != nil {
			t.Fatalf("%d: search %s: %v", i, name, err)
		}
		var got []directory.ID
		for _, h := range res.Hits {
			got = append(got, h.ID)
		}
		slices.Sort(got)
		if !slices.Equal(got, want.ids) || res.Total != len(want.ids) {
			t.Errorf("%d: search %s: got %q (total %d), want %q", i, name, Names(got), res.Total, Names(want.ids))
		}
		ids, err := x.IDs(ctx, q)
		if err != nil {
			t.Fatalf("%d: ids of %s: %v", i, name, err)
		}
		if slices.Sort(ids); !slices.Equal(ids, want.ids) {
			t.Errorf("%d: ids of %s: got %q, want %q", i, name, Names(ids), Names(want.ids))
		}
		if !maps.Equal(res.Facets.Kinds, want.kinds) {
			t.Errorf("%d: kinds of %s: got %v, want %v", i, name, res.Facets.Kinds, want.kinds)
		}
		if !maps.Equal(res.Facets.Categories, want.cats) {
			t.Errorf("%d: categories of %s: got %v, want %v", i, name, res.Facets.Categories, want.cats)
		}
		tags := map[string]int{}
		for _, c := range res.Facets.Tags {
			tags[directory.Fold(c.Value)] += c.N
		}
		if !maps.Equal(tags, want.tags) {
			t.Errorf("%d: tags of %s: got %v, want %v", i, name, tags, want.tags)
		}
		if len(want.ids) > 0 {
			continue
		}
		empty++
		for _, f := range res.Without {
			less := q.Without()[f.Filter]
			less.Facets = false
			r, err := x.Search(ctx, less)
			if err != nil || r.Total != f.Total || f.Total == 0 {
				t.Errorf("%d: %s without its %s: said %d, found %+v, %v", i, name, f.Filter, f.Total, r, err)
			}
		}
		for _, h := range res.Outside {
			e := public[slices.IndexFunc(public, func(e directory.Entry) bool { return e.ID == h.ID })]
			if h.Distance < 0 || inArea(&e, &q) || !words[q.Text][e.ID] {
				t.Errorf("%d: %s offers %q at %f m", i, name, e.Name, h.Distance)
			}
		}
		if !slices.IsSortedFunc(res.Outside, func(a, b search.Hit) int { return int(a.Distance - b.Distance) }) {
			t.Errorf("%d: %s: what is outside is not sorted by distance: %+v", i, name, res.Outside)
		}
	}
	if empty == 0 || empty == 300 {
		t.Errorf("%d of 300 queries found nothing: this tests less than it should", empty)
	}
}

func describe(q *search.Query) string {
	return fmt.Sprintf("%q kinds=%v categories=%q tags=%q box=%v near=%v radius=%.0f polygon=%v zones=%q %v..%v", q.Text, q.Kinds, q.Categories, q.Tags, q.BBox, q.Near, q.Radius, len(q.Polygon) > 0, q.Zones, q.From, q.To)
}

func under(e *directory.Entry) []string {
	seen := map[string]bool{}
	var out []string
	for _, c := range e.Categories {
		for _, id := range []string{c, parents[c]} {
			if id != "" && !seen[id] {
				seen[id] = true
				out = append(out, id)
			}
		}
	}
	return out
}

func folded(tags []string) []string {
	seen := map[string]bool{}
	var out []string
	for _, t := range tags {
		if k := directory.Fold(t); !seen[k] {
			seen[k] = true
			out = append(out, k)
		}
	}
	return out
}

func overlap(a, b []string) bool {
	return slices.ContainsFunc(a, func(s string) bool { return slices.Contains(b, s) })
}

// inArea is written apart from the search package on purpose.
func inArea(e *directory.Entry, q *search.Query) bool {
	if len(q.Zones) > 0 {
		var have []string
		if e.Area != nil {
			have = append(have, e.Area.Zones...)
		}
		have = append(have, Zoner{}.Zones(e)...)
		if !overlap(have, q.Zones) {
			return false
		}
	}
	if q.BBox == nil && q.Radius == 0 && q.Polygon == nil {
		return true
	}
	return slices.ContainsFunc(e.Sites, func(p orb.Point) bool {
		if b := q.BBox; b != nil {
			east := p[0] >= b.Min[0] && p[0] <= b.Max[0]
			if b.Min[0] > b.Max[0] {
				east = p[0] >= b.Min[0] || p[0] <= b.Max[0]
			}
			if !east || p[1] < b.Min[1] || p[1] > b.Max[1] {
				return false
			}
		}
		if q.Radius > 0 && geo.DistanceHaversine(*q.Near, p) > q.Radius {
			return false
		}
		return q.Polygon == nil || slices.ContainsFunc(q.Polygon, func(poly orb.Polygon) bool { return insideRing(poly[0], p) })
	})
}

func insideRing(ring orb.Ring, p orb.Point) bool {
	in := false
	for i := 0; i+1 < len(ring); i++ {
		a, b := ring[i], ring[i+1]
		if (a[1] > p[1]) != (b[1] > p[1]) && p[0] < (b[0]-a[0])*(p[1]-a[1])/(b[1]-a[1])+a[0] {
			in = !in
		}
	}
	return in
}

func inTime(e *directory.Entry, q *search.Query) bool {
	if q.From.IsZero() {
		return true
	}
	if e.Event == nil {
		return false
	}
	start, end := e.Event.Start, e.Event.End
	if strings.HasPrefix(e.Event.RRule, "FREQ=WEEKLY") { // counted on by hand
		paris, err := time.LoadLocation("Europe/Paris")
		if err != nil {
			return false
		}
		length := end.Sub(start)
		for at := start.In(paris); at.Before(q.To); at = at.AddDate(0, 0, 7) {
			if at.Add(length).After(q.From) {
				return true
			}
		}
		return false
	}
	return end.After(q.From) && start.Before(q.To)
}
