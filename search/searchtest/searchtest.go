package searchtest

import (
	"context"
	"testing"
	"time"

	"archipel/directory"
	"archipel/search"
)

// Opened is an index under test. Opening again with the same place continues with what is there.
type Opened struct {
	Index search.Index
	// Lose destroys what the index has stored, as after the loss of a disk. The index is closed.
	Lose func()
}

// Open opens an index at a place (a new place is empty) that fills itself from a source.
type Open func(t *testing.T, place string, src search.Source, b search.Builder) Opened

// Run holds what open returns to the promises of [search.Index].
func Run(t *testing.T, open Open) {
	builder := search.Builder{Taxonomy: Taxonomy{}, Zoner: Zoner{}}
	log := NewLog("a")
	changes := log.Put(Fixture()...)
	o := open(t, "fixture", log, builder)
	x := o.Index
	Consume(t, x, changes)
	WaitReady(t, x, directory.Seq(len(changes)))
	t.Run("Expectations", func(t *testing.T) { testExpectations(t, x) })
	t.Run("Counts", func(t *testing.T) { testCounts(t, x) })
	t.Run("Orders", func(t *testing.T) { testOrders(t, x) })
	t.Run("Outside", func(t *testing.T) { testOutside(t, x) })
	t.Run("Spelling", func(t *testing.T) { testSpelling(t, x) })
	t.Run("Excerpts", func(t *testing.T) { testExcerpts(t, x) })
	t.Run("Complete", func(t *testing.T) { testComplete(t, x) })
	t.Run("Hostile", func(t *testing.T) { testHostile(t, x) })
	t.Run("Invalid", func(t *testing.T) { testInvalid(t, x) })
	t.Run("Life", func(t *testing.T) { testLife(t, open, builder) })
	t.Run("Restart", func(t *testing.T) { testRestart(t, open, builder) })
	t.Run("Reindex", func(t *testing.T) { testReindex(t, open, builder) })
	if err := x.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
}

// WaitReady waits until x has come to a Seq.
func WaitReady(t *testing.T, x search.Index, at directory.Seq) {
	t.Helper()
	deadline := time.Now().Add(2 * time.Minute)
	for {
		st := x.Status(context.Background())
		if st.Err == nil && !st.Rebuilding && st.At >= at {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("index is not ready: %+v, want at %d", st, at)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// Consume gives changes to x until it takes them, as a directory does.
func Consume(t *testing.T, x search.Index, changes []directory.Change) {
	t.Helper()
	deadline := time.Now().Add(2 * time.Minute)
	for {
		err := x.Consume(context.Background(), changes)
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("consume: %v", err)
		}
		time.Sleep(10 * time.Millisecond)
	}
}
