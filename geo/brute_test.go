package geo

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"archipel/directory"
	"archipel/directory/hours"

	"github.com/google/uuid"
	"github.com/paulmach/orb"
)

var (
	testCategories = []string{"amap", "fablab", "repair", "energy", "school", "bike", "garden", "coop"}
	testTags       = []string{"Vélo", "zéro déchet", "solidaire", "bio", "low-tech"}
	testTowns      = []string{"Saint-Étienne", "Firminy", "Roanne", "Évreux", ""}
	testHours      = []string{"24/7", "Mo-Fr 09:00-12:00,14:00-18:00; PH off", "Mo-Sa 08:00-20:00; SH off", "Sa,Su,PH 22:00-04:00", "du lundi au vendredi", "18:00+"}
	testWords      = []string{"Café", "L'Établi", "Fourmilière", "atelier", "Maison", "Œuvre", "jardin", "du", "Coin", "Ressourcerie"}
	epoch          = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
)

func testID(n int) directory.ID {
	var u uuid.UUID
	r := rand.New(rand.NewPCG(uint64(n), 77))
	for i := range u {
		u[i] = byte(r.Uint32())
	}
	return directory.ID(u.String())
}

func pick[T any](r *rand.Rand, list []T) T { return list[r.IntN(len(list))] }

func subset(r *rand.Rand, list []string, most int) (out []string) {
	for range r.IntN(most + 1) {
		if v := pick(r, list); !slices.Contains(out, v) {
			out = append(out, v)
		}
	}
	return out
}

// randomPoint favours towns, repeated positions, and the awkward places of a map.
func randomPoint(r *rand.Rand) orb.Point {
	switch r.IntN(12) {
	case 0:
		return orb.Point{r.Float64()*360 - 180, r.Float64()*180 - 90}
	case 1:
		return pick(r, []orb.Point{{180, 0}, {-180, 0}, {179.9999, -17}, {-179.9999, -17}, {0, 90}, {12, -90}, {-180, 90}, {5, 85.06}, {0, 0}, {4.39, 45.44}})
	case 2:
		return orb.Point{179.5 + r.Float64()*0.5, -17 + r.Float64()}
	case 3:
		return orb.Point{-180 + r.Float64()*0.5, -17 + r.Float64()}
	case 4:
		return orb.Point{4 + float64(r.IntN(8))/8, 45 + float64(r.IntN(8))/8} // on round numbers
	}
	c := pick(r, []orb.Point{{4.39, 45.44}, {4.07, 46.03}, {4.83, 45.76}, {2.35, 48.85}})
	return orb.Point{c[0] + r.NormFloat64()*0.05, c[1] + r.NormFloat64()*0.05}
}

func randomItem(r *rand.Rand, n int) Item {
	it := Item{
		ID: testID(n), Kind: pick(r, directory.Kinds), Slug: fmt.Sprintf("entry-%d", n), Town: pick(r, testTowns),
		Name:       pick(r, testWords) + " " + pick(r, testWords) + " " + pick(r, testWords),
		Categories: subset(r, testCategories, 3), Tags: subset(r, testTags, 2), Approximate: r.IntN(5) == 0,
		Updated: epoch.Add(time.Duration(r.IntN(1000)) * time.Hour), Seen: pick(r, []time.Time{{}, epoch, epoch.AddDate(0, 0, 3), epoch.AddDate(0, 0, 40)}),
	}
	for range pick(r, []int{0, 1, 1, 1, 1, 1, 2, 3}) {
		it.Points = append(it.Points, fix(randomPoint(r)).point())
	}
	if r.IntN(2) == 0 {
		it.Hours, it.Holidays = pick(r, testHours), pick(r, []hours.Holidays{hours.France, hours.AlsaceMoselle, nil})
	}
	if r.IntN(4) == 0 {
		it.Origin = pick(r, []string{"isle.example", "other.example"})
	}
	if it.Kind == directory.Event {
		at := epoch
		for range r.IntN(4) {
			at = at.Add(time.Duration(1+r.IntN(400)) * time.Hour)
			it.Times = append(it.Times, directory.Span{Start: at, End: at.Add(time.Duration(r.IntN(3)) * time.Hour)})
		}
	}
	return it
}

// parsedHours are those of testHours that are understood.
var parsedHours = func() map[string]*hours.Hours {
	m := map[string]*hours.Hours{}
	for _, s := range testHours {
		if h, err := hours.Parse(s); err == nil {
			m[s] = h
		}
	}
	return m
}()

// model is the index as a list that is walked through.
type model map[directory.ID]Item

func randomFilter(r *rand.Rand, m model) (f Filter) {
	some := func() bool { return r.IntN(4) == 0 }
	if some() {
		a, b := randomPoint(r), randomPoint(r)
		f.BBox = &orb.Bound{Min: orb.Point{a[0], min(a[1], b[1])}, Max: orb.Point{b[0], max(a[1], b[1])}}
		if r.IntN(4) == 0 {
			f.BBox = &orb.Bound{Min: orb.Point{4, 45}, Max: orb.Point{4.5, 45.5}} // edges hit points
		}
	}
	if some() {
		p := randomPoint(r)
		f.Near = &p
		if r.IntN(2) == 0 {
			f.Radius = pick(r, []float64{1, 500, 5000, 80_000, 2e6, 1.5e7, 3e7})
		}
	}
	if some() {
		f.Zone, _ = NewZone(testZone)
	}
	if some() {
		f.Kinds = []directory.Kind{pick(r, directory.Kinds), pick(r, directory.Kinds)}
	}
	if some() {
		f.Categories = append(subset(r, testCategories, 3), "unknown")
	}
	if some() {
		f.Tags = subset(r, testTags, 2)
	}
	if some() {
		f.Origins = []string{pick(r, []string{"", "isle.example", "nowhere.example"})}
	}
	if some() {
		f.Words = pick(r, []string{"cafe", "ETABLI", "fourm", "oeuvre jardin", "saint etienne", "velo", "zero dechet", "evr", "x", "é"})
	}
	if some() {
		f.OpenAt = epoch.Add(time.Duration(r.IntN(3000)) * 30 * time.Minute)
	}
	if some() {
		f.From = epoch.Add(time.Duration(r.IntN(800)) * time.Hour)
		if r.IntN(2) == 0 {
			f.To = f.From.Add(time.Duration(r.IntN(300)) * time.Hour)
		}
	}
	if some() {
		f.Current = epoch.Add(time.Duration(r.IntN(1200)) * time.Hour)
	}
	if some() {
		f.Only = []directory.ID{testID(1 << 30), "not an id"}
		for _, id := range slices.Sorted(maps.Keys(m)) { // the same every time
			if r.IntN(2) == 0 {
				f.Only = append(f.Only, id)
			}
		}
	}
	return f
}

var testZone = orb.MultiPolygon{
	{{{3.9, 45.2}, {4.7, 45.3}, {4.5, 45.7}, {4.2, 45.5}, {3.8, 45.9}, {3.9, 45.2}}, {{4.3, 45.4}, {4.4, 45.4}, {4.4, 45.45}, {4.3, 45.45}}},
	{{{2, 48}, {3, 48}, {3, 49}, {2, 49}}},
}

func (f *Filter) brutePoint(p orb.Point) bool {
	if b := f.BBox; b != nil {
		lon := p[0] >= b.Min[0] && p[0] <= b.Max[0]
		if b.Min[0] > b.Max[0] {
			lon = p[0] >= b.Min[0] || p[0] <= b.Max[0]
		}
		if !lon || p[1] < b.Min[1] || p[1] > b.Max[1] {
			return false
		}
	}
	if f.Radius > 0 && sphere(*f.Near, p) > f.Radius {
		return false
	}
	if f.Zone == nil {
		return true
	}
	in := false
	for _, poly := range testZone {
		for _, ring := range poly {
			for i, a := range ring {
				b := ring[(i+1)%len(ring)]
				if (a[1] > p[1]) != (b[1] > p[1]) && p[0] < (b[0]-a[0])*(p[1]-a[1])/(b[1]-a[1])+a[0] {
					in = !in
				}
			}
		}
	}
	return in
}

func overlap(a, b []string) bool {
	return slices.ContainsFunc(a, func(s string) bool { return slices.Contains(b, s) })
}

// brute reports whether an item has what f asks for, leaving out one facet, and which of its points count.
func (f Filter) brute(it *Item, without string) (ok bool, points []orb.Point) {
	for _, p := range it.Points {
		if f.brutePoint(p) {
			points = append(points, p)
		}
	}
	if len(points) == 0 && (f.BBox != nil || f.Radius > 0 || f.Zone != nil) {
		return false, nil
	}
	if len(f.Kinds) > 0 && without != "kinds" && !slices.Contains(f.Kinds, it.Kind) ||
		len(f.Categories) > 0 && without != "categories" && !overlap(f.Categories, it.Categories) ||
		len(f.Tags) > 0 && without != "tags" && !overlap(f.Tags, it.Tags) ||
		len(f.Origins) > 0 && !slices.Contains(f.Origins, it.Origin) ||
		f.Only != nil && !slices.Contains(f.Only, it.ID) {
		return false, nil
	}
	text := directory.Fold(it.Name) + "|" + directory.Fold(it.Town)
	for _, t := range it.Tags {
		text += "|" + directory.Fold(t)
	}
	for _, w := range strings.Fields(directory.Fold(f.Words)) {
		if !strings.Contains(text, w) {
			return false, nil
		}
	}
	if !f.OpenAt.IsZero() {
		if h := parsedHours[it.Hours]; h == nil {
			return false, nil
		} else if state, _ := h.With(it.Holidays).At(f.OpenAt); state != hours.Open {
			return false, nil
		}
	}
	if !f.Current.IsZero() && len(it.Times) > 0 && !slices.ContainsFunc(it.Times, func(s directory.Span) bool {
		return s.End.After(f.Current) || s.Start.Equal(f.Current)
	}) {
		return false, nil
	}
	if !f.From.IsZero() {
		return slices.ContainsFunc(it.Times, func(s directory.Span) bool {
			end := s.End
			if !end.After(s.Start) {
				end = s.Start.Add(time.Second)
			}
			return end.After(f.From) && (f.To.IsZero() || s.Start.Before(f.To))
		}), points
	}
	return true, points
}

// write applies a random write to both.
func write(r *rand.Rand, x *Index, m model, ids int) {
	switch r.IntN(5) {
	case 0:
		var gone []directory.ID
		for range r.IntN(20) {
			gone = append(gone, testID(r.IntN(ids)))
			delete(m, gone[len(gone)-1])
		}
		x.Remove(gone...)
	case 1:
		var items []Item
		for range r.IntN(300) {
			items = append(items, randomItem(r, r.IntN(ids)))
			m[items[len(items)-1].ID] = items[len(items)-1]
		}
		x.Put(items...)
	default:
		it := randomItem(r, r.IntN(ids))
		m[it.ID] = it
		x.Put(it)
	}
}

// TestAgainstBruteForce compares every answer with a walk through a list, while entries come, move, change and go and
// the index merges and packs itself.
func TestAgainstBruteForce(t *testing.T) {
	r := rand.New(rand.NewPCG(2026, 1))
	x, m := NewIndex(), model{}
	x.limit = 300 // merge often
	rounds := 400
	if testing.Short() {
		rounds = 60
	}
	for round := range rounds {
		write(r, x, m, 1500)
		if got, want := x.Len(), len(m); got != want {
			t.Fatalf("round %d: Len is %d, want %d", round, got, want)
		}
		f := randomFilter(r, m)
		if round%10 == 0 {
			f = Filter{}
		}
		checkList(t, r, x, m, f)
		checkFacets(t, x, m, f)
		for _, z := range []int{0, 1, 2, 3, 5 + r.IntN(4)} {
			checkZoom(t, x, m, f, z)
		}
		if t.Failed() {
			t.Fatalf("round %d, filter %s", round, f.key())
		}
	}
}
