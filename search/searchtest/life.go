package searchtest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"archipel/directory"
	"archipel/search"
)

func total(t *testing.T, x search.Index, text string) int {
	t.Helper()
	res, err := x.Search(context.Background(), search.Query{Text: text, Lang: "fr"})
	if err != nil {
		t.Fatalf("search %q: %v", text, err)
	}
	return res.Total
}

// testLife follows entries through their changes.
func testLife(t *testing.T, open Open, b search.Builder) {
	log := NewLog("life")
	x := open(t, "life", log, b).Index
	WaitReady(t, x, 0)
	e := place("Tiers-lieu du Vallon", "coworking", "", "26400", "Crest", 5.02, 44.73)
	step := func(what string, want int, change func()) {
		t.Helper()
		change()
		Consume(t, x, log.Put(e))
		if got := total(t, x, "vallon"); got != want {
			t.Errorf("%s: found %d, want %d", what, got, want)
		}
	}
	step("draft", 0, func() { e.Status = directory.Draft })
	step("published", 1, func() { e.Status = directory.Published })
	step("hidden", 0, func() { e.Status = directory.Hidden })
	step("published again", 1, func() { e.Status = directory.Published })
	step("renamed", 0, func() { e.Name = "Tiers-lieu du Coteau" })
	if got := total(t, x, "coteau"); got != 1 {
		t.Errorf("by its new name: found %d, want 1", got)
	}
	step("renamed back", 1, func() { e.Name = "Tiers-lieu du Vallon" })
	step("removed", 0, func() { e.Status = directory.Removed })
	step("revived", 1, func() { e.Status = directory.Published })

	// The same changes again, and several of one entry in one batch, change nothing.
	all, err := log.Changes(context.Background(), 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	Consume(t, x, all)
	Consume(t, x, all[2:4])
	if got := total(t, x, "vallon"); got != 1 {
		t.Errorf("after old changes: found %d, want 1", got)
	}
	e.Status = directory.Published
	first := log.Put(e)
	e.Status = directory.Hidden
	Consume(t, x, append(first, log.Put(e)...))
	if got := total(t, x, "vallon"); got != 0 {
		t.Errorf("published and hidden in one batch: found %d, want 0", got)
	}
	// A change whose content was erased.
	e.Status = directory.Published
	Consume(t, x, log.Put(e))
	erased := log.Put(directory.Entry{ID: e.ID, Kind: e.Kind, Status: directory.Published})
	erased[0].Redacted = true
	Consume(t, x, erased)
	if got := total(t, x, ""); got != 0 {
		t.Errorf("after its content was erased: found %d, want 0", got)
	}
	// A gap: the index lacks changes that the cursor says it has.
	for i := range 20 {
		log.Put(place(fmt.Sprintf("Lieu manqué %d", i), "", "", "", "Die", 5.3, 44.7))
	}
	Consume(t, x, log.Put(place("Lieu suivant", "", "", "", "Die", 5.3, 44.7)))
	if got := total(t, x, "lieu"); got != 21 {
		t.Errorf("after a gap: found %d, want 21", got)
	}
}

// testRestart opens an index again and again, with what may happen in between.
func testRestart(t *testing.T, open Open, b search.Builder) {
	log := NewLog("restart")
	changes := log.Put(Fixture()...)
	o := open(t, "restart", log, b)
	Consume(t, o.Index, changes)
	WaitReady(t, o.Index, 39)
	public := total(t, o.Index, "")
	again := func(what string, want directory.Seq, entries int) search.Index {
		t.Helper()
		if err := o.Index.Close(); err != nil {
			t.Fatalf("%s: close: %v", what, err)
		}
		o = open(t, "restart", log, b)
		WaitReady(t, o.Index, want)
		if got := total(t, o.Index, ""); got != entries {
			t.Errorf("%s: found %d, want %d", what, got, entries)
		}
		return o.Index
	}
	again("opened again", 39, public)
	log.Put(place("Pendant l'absence", "", "", "", "Die", 5.3, 44.7))
	again("written while it was closed, the cursor ahead", 40, public+1)
	if err := o.Index.Close(); err != nil {
		t.Fatal(err)
	}
	o.Lose()
	o = open(t, "restart", log, b)
	WaitReady(t, o.Index, 40)
	if got := total(t, o.Index, ""); got != public+1 {
		t.Errorf("lost, the cursor kept: found %d, want %d", got, public+1)
	}
	log = NewLog("another")
	Consume(t, again("another, shorter log", 0, 0), log.Put(place("Autre monde", "", "", "", "", 0, 0)))
	if got := total(t, o.Index, "monde"); got != 1 {
		t.Errorf("another log: found %d, want 1", got)
	}
	other := NewLog("third")
	other.Put(place("Troisième monde", "", "", "", "", 0, 0))
	log = other
	again("another log of the same length", 1, 1)
	if got := total(t, o.Index, "troisieme"); got != 1 {
		t.Errorf("third log: found %d, want 1", got)
	}
	if err := o.Index.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := o.Index.Search(context.Background(), search.Query{}); !errors.Is(err, search.ErrUnavailable) {
		t.Errorf("search after close: got %v, want %v", err, search.ErrUnavailable)
	}
	if st := o.Index.Status(context.Background()); !errors.Is(st.Err, search.ErrUnavailable) {
		t.Errorf("status after close: %+v", st)
	}
}

// testReindex searches and writes while a new index is built, and never misses what was there.
func testReindex(t *testing.T, open Open, b search.Builder) {
	log := NewLog("reindex")
	const n = 1500
	changes := log.Put(Large(n)...)
	x := open(t, "reindex", log, b).Index
	Consume(t, x, changes)
	WaitReady(t, x, n)
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	var searches atomic.Int64
	wg.Go(func() {
		for ctx.Err() == nil {
			res, err := x.Search(ctx, search.Query{Text: "", Limit: 1})
			if ctx.Err() != nil {
				return
			}
			if err != nil || res.Total < n {
				t.Errorf("search during reindex: %+v, %v", res, err)
				return
			}
			searches.Add(1)
			time.Sleep(time.Millisecond)
		}
	})
	done := make(chan error, 1)
	go func() { done <- x.Reindex(context.Background()) }()
	written := 0
	for running := true; running; {
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("reindex: %v", err)
			} else if searches.Load() == 0 && !t.Failed() { // nobody had the time: once more
				go func() { done <- x.Reindex(context.Background()) }()
				continue
			}
			running = false
		case <-time.After(20 * time.Millisecond):
			if written < 50 {
				Consume(t, x, log.Put(place(fmt.Sprintf("Pendant la reconstruction %d", written), "", "", "", "", 0, 0)))
				written++
			}
		}
	}
	cancel()
	wg.Wait()
	if searches.Load() == 0 {
		t.Error("nothing was searched during reindex")
	}
	if got := total(t, x, "reconstruction"); got != written {
		t.Errorf("written during reindex: found %d, want %d", got, written)
	}
	if got := total(t, x, ""); got != n+written {
		t.Errorf("after reindex: found %d, want %d", got, n+written)
	}
	ids, err := x.IDs(context.Background(), search.Query{})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(ids)
	if got := len(slices.Compact(ids)); got != n+written {
		t.Errorf("ids after reindex: %d different ones, want %d", got, n+written)
	}
}
