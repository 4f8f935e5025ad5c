package main

import (
	"testing"
	"time"
)

// TestSmall is the whole simulation with little of everything: what the liar says reaches no mirror, and every mirror is like
// its origin in the end.
func TestSmall(t *testing.T) {
	if testing.Short() {
		t.Skip("starts six directories")
	}
	r, err := run(t.Context(), settings{
		islands: 6, entries: 40, changes: 40, rate: 40, down: 0.2, turn: time.Second, poll: 2 * time.Second, look: 50 * time.Millisecond,
		seed: 7, folder: t.TempDir(), patience: 4 * time.Minute, say: t.Logf,
	})
	if err != nil {
		t.Fatal(err)
	}
	if r.differ > 0 || r.forged > 0 {
		t.Errorf("%d entries differ from their origin, %d are forged: %s", r.differ, r.forged, r.example)
	}
	if r.first == 0 || r.mirrored == 0 || r.lies == 0 || r.stolen == 0 || len(r.took) == 0 || r.mirrorCost.bytes == 0 {
		t.Errorf("nothing happened: %+v", r)
	}
	t.Log(r.table())
}
