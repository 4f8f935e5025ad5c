package storetest

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"archipel/directory"
)

func testMoveCursors(t *testing.T, b Backend) {
	place := b.New(t)
	s := b.open(t, place)
	move := func(want []string, moves ...directory.CursorMove) {
		t.Helper()
		stale, err := s.MoveCursors(background, moves)
		slices.Sort(stale)
		if err != nil || !slices.Equal(stale, want) {
			t.Errorf("MoveCursors(%v) = %q, %v: want %q", moves, stale, err, want)
		}
	}
	move(nil)
	move(nil, directory.CursorMove{Name: "a", To: 3}, directory.CursorMove{Name: "b", To: 4}, directory.CursorMove{Name: "https://x.example/inbox é", To: 1})
	move([]string{"b", "c"}, directory.CursorMove{Name: "a", From: 3, To: 5}, directory.CursorMove{Name: "b", From: 3, To: 9}, directory.CursorMove{Name: "c", From: 1, To: 2})
	move([]string{"a"}, directory.CursorMove{Name: "a", To: 7}, directory.CursorMove{Name: "d", To: 1})
	if err := s.SaveCursor(background, "b", 0); err != nil { // from the beginning
		t.Fatal(err)
	}
	move(nil, directory.CursorMove{Name: "b", To: 2})
	again := b.open(t, place)
	for name, want := range map[string]directory.Seq{"a": 5, "b": 2, "c": 0, "d": 1} {
		if at, err := again.Cursor(background, name); at != want || err != nil {
			t.Errorf("Cursor(%s) = %d, %v: want %d", name, at, err, want)
		}
	}

	// Of several who move from the same place one does.
	stores := []directory.Store{s, again}
	for at := directory.Seq(0); at < 5; at++ {
		var won atomic.Int32
		var wg sync.WaitGroup
		for i := range 6 {
			wg.Go(func() {
				// Where each goes tells them apart.
				stale, err := stores[i%2].MoveCursors(background, []directory.CursorMove{
					{Name: fmt.Sprint("race ", at), To: directory.Seq(10 + i)}, {Name: fmt.Sprint("own ", at, i), To: 1},
				})
				if err != nil || len(stale) > 1 {
					t.Errorf("%q, %v", stale, err)
				}
				if len(stale) == 0 {
					won.Add(1)
				}
			})
		}
		wg.Wait()
		if won.Load() != 1 {
			t.Errorf("%d moved the same cursor from the same place", won.Load())
		}
	}
}
