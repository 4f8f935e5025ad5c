package geocode

import (
	"context"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/paulmach/orb"
)

// typing is what people type, letter by letter, with and without a typo.
func typing() []Query {
	near := orb.Point{4.4, 45.4}
	var list []Query
	for _, text := range []string{"Saillans (26)", "Saint-Étienne", "St Etienne", "Loos-en-Gohelle", "42000", "Auvergne-Rhône-Alpes", "Sailans", "Grenobe", "montpelier",
		"Bruxelles", "clermont ferand", "villeurbane", "marseile", "s", "xyzzyx", "42000 saint etienne"} {
		runes := []rune(text)
		for n := 1; n <= len(runes); n++ {
			list = append(list, Query{Text: string(runes[:n]), Language: "fr", Limit: 8})
			list = append(list, Query{Text: string(runes[:n]), Language: "fr", Limit: 8, Near: &near})
		}
	}
	return list
}

func BenchmarkComplete(b *testing.B) {
	g, queries := france(), typing()
	var took []time.Duration
	b.ReportAllocs()
	for b.Loop() {
		for _, q := range queries {
			start := time.Now()
			g.Complete(q)
			took = append(took, time.Since(start))
		}
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-µs")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-µs")
	b.ReportMetric(float64(took[len(took)-1].Microseconds()), "max-µs")
}

func BenchmarkLoad(b *testing.B) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	var g *Gazetteer
	for b.Loop() {
		g, _ = NewGazetteer("FR")
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/1e6, "MB-kept")
	runtime.KeepAlive(g)
}

func BenchmarkZones(b *testing.B) {
	g := france()
	for b.Loop() {
		g.Zones(orb.Point{4.4, 45.4}, "fr")
	}
}

func BenchmarkReverse(b *testing.B) {
	g := france()
	for b.Loop() {
		g.Reverse(context.Background(), orb.Point{2.3, 48.8}, "fr")
	}
}
