package geo

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"archipel/directory"

	"github.com/google/uuid"
	"github.com/paulmach/orb"
)

// benchItems makes a believable directory: entries around towns of very different sizes, with accents in their names.
func benchItems(n int) []Item {
	r := rand.New(rand.NewPCG(1, 2))
	towns := make([]orb.Point, 400)
	for i := range towns {
		towns[i] = orb.Point{-4 + r.Float64()*12, 42.5 + r.Float64()*8}
	}
	categories := make([]string, 60)
	for i := range categories {
		categories[i] = fmt.Sprintf("category-%d", i)
	}
	tags := make([]string, 800)
	for i := range tags {
		tags[i] = fmt.Sprintf("mot-clé-%d", i)
	}
	words := []string{"Atelier", "Café", "Jardin", "Maison", "Collectif", "Épicerie", "Recyclerie", "Ferme", "Grange", "Fourmilière"}
	items := make([]Item, n)
	for i := range items {
		k := int(math.Pow(float64(len(towns)), r.Float64())) - 1
		var u uuid.UUID
		for j := range u {
			u[j] = byte(r.Uint32())
		}
		it := Item{
			ID: directory.ID(u.String()), Kind: pick(r, directory.Kinds), Slug: fmt.Sprintf("entry-number-%d", i),
			Name: pick(r, words) + " " + pick(r, words) + " de la " + pick(r, words), Town: fmt.Sprintf("Ville %d", k),
			Categories: []string{categories[int(60*r.Float64()*r.Float64())], categories[int(60*r.Float64()*r.Float64())]},
			Tags:       []string{tags[int(800*r.Float64()*r.Float64())], tags[int(800*r.Float64()*r.Float64())]},
			Points:     []orb.Point{{towns[k][0] + r.NormFloat64()*0.05, towns[k][1] + r.NormFloat64()*0.05}},
			Updated:    epoch.Add(time.Duration(i) * time.Second),
		}
		if it.Kind == directory.Event {
			at := epoch.Add(time.Duration(r.IntN(2000)) * time.Hour)
			it.Times = []directory.Span{{Start: at, End: at.Add(2 * time.Hour)}}
		}
		items[i] = it
	}
	return items
}

const benchSize = 100_000

func benchIndex(b *testing.B) *Index {
	b.Helper()
	x := NewIndex()
	x.Put(benchItems(benchSize)...)
	b.ReportAllocs()
	b.ResetTimer()
	return x
}

func BenchmarkBuild(b *testing.B) {
	items := benchItems(benchSize)
	b.ReportAllocs()
	for b.Loop() {
		NewIndex().Put(items...)
	}
}

func BenchmarkPutOne(b *testing.B) {
	items := benchItems(benchSize)
	x := benchIndex(b)
	r := rand.New(rand.NewPCG(3, 3))
	for b.Loop() {
		it := items[r.IntN(len(items))]
		it.Points = []orb.Point{{it.Points[0][0] + 0.01, it.Points[0][1]}}
		x.Put(it)
	}
}

var benchTiles = [][3]int{{0, 0, 0}, {6, 32, 22}, {9, 260, 178}, {12, 2086, 1430}}

func BenchmarkTile(b *testing.B) {
	x := benchIndex(b)
	for _, t := range benchTiles {
		b.Run(fmt.Sprintf("z%d", t[0]), func(b *testing.B) {
			for b.Loop() {
				x.Tile(t[0], t[1], t[2], Filter{})
			}
		})
	}
}

// BenchmarkFilteredTile also counts what a filter costs when it is new.
func BenchmarkFilteredTile(b *testing.B) {
	x := benchIndex(b)
	f := Filter{Categories: []string{"category-3", "category-7"}, Words: "jardin"}
	b.Run("new", func(b *testing.B) {
		for b.Loop() {
			x.current.Load().seg.views.Store(nil)
			x.Tile(6, 32, 22, f)
		}
	})
	b.Run("known", func(b *testing.B) {
		for b.Loop() {
			x.Tile(6, 32, 22, f)
		}
	})
}

var benchFilters = []struct {
	name string
	f    Filter
}{
	{"all", Filter{}},
	{"kinds", Filter{Kinds: []directory.Kind{directory.Event, directory.Place}}},
	{"words", Filter{Words: "fourmiliere jardin"}},
	{"box", Filter{BBox: &orb.Bound{Min: orb.Point{0, 44}, Max: orb.Point{5, 47}}}},
	{"near", Filter{Near: &orb.Point{4.39, 45.44}, Radius: 20_000}},
	{"zone", Filter{Zone: benchZone()}},
}

// benchZone is a territory with as many edges as a region has.
func benchZone() *Zone {
	var ring orb.Ring
	for i := range 5000 {
		a := float64(i) / 5000 * 2 * math.Pi
		d := 2 + 0.2*math.Sin(a*40)
		ring = append(ring, orb.Point{2 + d*math.Cos(a), 46 + d*math.Sin(a)})
	}
	z, _ := NewZone(orb.MultiPolygon{{ring}})
	return z
}

func BenchmarkSelect(b *testing.B) {
	x := benchIndex(b)
	for _, c := range benchFilters {
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				x.Select(c.f, Page{Limit: 20})
			}
		})
	}
	b.Run("nearest", func(b *testing.B) {
		for b.Loop() {
			x.Select(Filter{Near: &orb.Point{4.39, 45.44}}, Page{Order: ByDistance, Limit: 20})
		}
	})
}

func BenchmarkFacets(b *testing.B) {
	x := benchIndex(b)
	for _, c := range benchFilters {
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				x.Facets(c.f, nil)
			}
		})
	}
}
