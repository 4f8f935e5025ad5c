package storetest

import (
	"testing"

	"archipel/directory"
)

// Bench measures what people wait for: a durable write, an import's batch, an entry page, a start with 100,000 entries.
func Bench(b *testing.B, be Backend) {
	b.Run("Append1", func(b *testing.B) { benchAppend(b, be, 1) })
	b.Run("Append500", func(b *testing.B) { benchAppend(b, be, 500) })
	place, n := be.New(b), 100_000
	if testing.Short() {
		n = 10_000
	}
	s := be.open(b, place)
	es := typicals(n)
	putMany(b, s, es)
	b.Run("Entries1", func(b *testing.B) {
		for i := 0; b.Loop(); i++ {
			one(b, s, es[i*7919%n].ID)
		}
	})
	b.Run("Scan", func(b *testing.B) {
		for b.Loop() {
			got := 0
			err := s.Scan(background, "", func(es []directory.Entry) error { got += len(es); return nil })
			if err != nil || got != n {
				b.Fatalf("Scan gave %d entries, %v: want %d", got, err, n)
			}
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/entry")
	})
	b.Run("Open", func(b *testing.B) {
		for b.Loop() {
			s, err := be.Open(background, place)
			if err != nil {
				b.Fatal(err)
			}
			s.Close()
		}
	})
}

func benchAppend(b *testing.B, be Backend, size int) {
	s := be.fresh(b)
	es := typicals(size)
	for after := directory.Seq(0); b.Loop(); after += directory.Seq(size) {
		for i := range es {
			es[i].ID = directory.NewID()
		}
		putChanges(b, s, changesOf(after, directory.OpCreate, es...))
	}
}
