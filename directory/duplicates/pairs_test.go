package duplicates

import (
	"context"
	"sync"
	"testing"
	"time"

	"archipel/directory"

	"github.com/paulmach/orb"
)

// running starts looking for pairs; settled waits until nothing is left to look at.
func running(t *testing.T, x *Index, apart func(a, b directory.ID) bool) (settled func() []Pair) {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		x.Run(ctx, func(_ context.Context, a, b directory.ID) bool { return apart != nil && apart(a, b) })
	})
	t.Cleanup(func() { stop(); wg.Wait() })
	return func() []Pair {
		t.Helper()
		for end := time.Now().Add(2 * time.Minute); ; time.Sleep(5 * time.Millisecond) {
			x.mu.RLock()
			begun := x.pairs != nil
			x.mu.RUnlock()
			if list, left := x.Pairs(); begun && left == 0 {
				return list
			}
			if time.Now().After(end) {
				t.Fatal("the index never comes to an end")
			}
		}
	}
}

// TestPairsOfAll: pairs are found among everything, and follow what changes.
func TestPairsOfAll(t *testing.T) {
	var x Index
	a, b := entry("La Fourmilière", "Saint-Étienne", 4.39, 45.44), entry("Association La Fourmilière", "Saint-Étienne", 4.3902, 45.4401)
	c := entry("Le Nichoir", "Saint-Étienne", 4.39, 45.44, phone("0477123456"))
	mirrored := entry("La Fourmilière", "Saint-Étienne", 4.39, 45.44)
	mirrored.Origin = "ile.example"
	x.Apply([]directory.Entry{a, b, c, mirrored})
	not := map[[2]directory.ID]bool{}
	var mu sync.Mutex
	settled := running(t, &x, func(a, b directory.ID) bool {
		mu.Lock()
		defer mu.Unlock()
		return not[[2]directory.ID{a, b}]
	})
	is := func(p Pair, one, other directory.Entry) bool {
		return p.A == min(one.ID, other.ID) && p.B == max(one.ID, other.ID) && p.Score >= LikelyFrom && len(p.Reasons) > 0
	}
	if got := settled(); len(got) != 1 || !is(got[0], a, b) {
		t.Fatalf("got %+v", got)
	}
	d := entry("Nichoir", "Saint-Étienne", 4.3901, 45.44, phone("04 77 12 34 56"))
	x.Apply([]directory.Entry{d})
	if got := settled(); len(got) != 2 || !is(got[0], c, d) && !is(got[1], c, d) {
		t.Errorf("after one was added: %+v", got)
	}
	b.Name, b.Sites = "Le Terrier", []orb.Point{{1, 44}}
	x.Apply([]directory.Entry{b})
	if got := settled(); len(got) != 1 || !is(got[0], c, d) {
		t.Errorf("after one was renamed: %+v", got)
	}
	x.Apart(d.ID, c.ID)
	mu.Lock()
	not[[2]directory.ID{min(c.ID, d.ID), max(c.ID, d.ID)}] = true
	mu.Unlock()
	if got := settled(); len(got) != 0 {
		t.Errorf("after somebody said that they are not the same: %+v", got)
	}
	x.Apply([]directory.Entry{c, d}) // written again: what was said stands
	if got := settled(); len(got) != 0 {
		t.Errorf("it was said that they are not the same: %+v", got)
	}
	c.Status, mirrored.Status = directory.Removed, directory.Removed
	x.Apply([]directory.Entry{c, mirrored})
	settled()
	if len(x.pairs.found)+len(x.pairs.of) != 0 {
		t.Errorf("something is left: %v %v", x.pairs.found, x.pairs.of)
	}
}

// TestPairsAmongMany: what is double in a crowded town is found, and little else.
func TestPairsAmongMany(t *testing.T) {
	if testing.Short() {
		t.Skip("a large directory takes a while")
	}
	x := crowded(4000)
	first := entry("Épicerie paysanne des Quatre Vents", "Paris", 2.35, 48.85)
	second := entry("L'épicerie paysanne des 4 vents", "Paris", 2.3501, 48.8501)
	third := entry("Épicerie Paysanne Quatre-Vents", "Paris", 2.3502, 48.85)
	x.Apply([]directory.Entry{first, second, third})
	began := time.Now()
	list := running(t, x, nil)()
	t.Logf("%d pairs in %v", len(list), time.Since(began))
	for _, p := range list {
		if p.A == min(first.ID, third.ID) && p.B == max(first.ID, third.ID) {
			return
		}
	}
	t.Errorf("the pair is not among %d", len(list))
}

// TestTwins: those of different instances are told from those of this one, and what another one has twice is left to it.
func TestTwins(t *testing.T) {
	var x Index
	ours, first, second, third := entry("La Fourmilière", "Saint-Étienne", 4.39, 45.44), entry("La Fourmilière", "Saint-Étienne", 4.39, 45.44), entry("La Fourmilière", "Saint-Étienne", 4.39, 45.44), entry("La Fourmilière", "Saint-Étienne", 4.39, 45.44)
	first.Origin, second.Origin, third.Origin = "une.example", "une.example", "autre.example"
	x.Apply([]directory.Entry{ours, first, second, third})
	settled := running(t, &x, nil)
	if got := settled(); len(got) != 0 {
		t.Errorf("pairs of ours: %+v", got)
	}
	if twins, left := x.Twins(); len(twins) != 5 || left != 0 {
		t.Errorf("%d twins, %d left: %+v", len(twins), left, twins)
	}
	x.Apart(third.ID, ours.ID)
	second.Status = directory.Hidden
	x.Apply([]directory.Entry{second})
	settled()
	if twins, _ := x.Twins(); len(twins) != 2 || twins[0].Score < LikelyFrom || len(twins[0].Reasons) == 0 {
		t.Errorf("%+v", twins)
	}
}
