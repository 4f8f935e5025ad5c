package islands_test

import (
	"testing"
	"time"

	"archipel/directory"
	"archipel/federation/islands"
)

// signedFarm is an entry of an island, as it says it, that it tells nobody by itself.
func (in *isle) signedFarm(name string) (directory.ID, map[string]any) {
	in.t.Helper()
	e := farm(name)
	e.ID, e.Status, e.Version, e.Slug, e.Created, e.Updated = directory.NewID(), directory.Published, 50, "x", time.Now().UTC(), time.Now().UTC()
	return e.ID, in.signed(e, func(_, _ map[string]any) {})
}

// TestPauseWhileTaking: the operator pauses an agreement while a batch is being made. Nothing of it stays in view, and all is
// erased when its time has come.
func TestPauseWhileTaking(t *testing.T) {
	a, b := newIsle(t, nil), newIsle(t, nil)
	ctx := t.Context()
	first := b.put(farm("Ferme"))
	a.follow(b, islands.Scope{Zones: []string{"FR-42"}}, islands.Show)
	a.shown(b, "Ferme")
	late, doc := b.signedFarm("En retard")
	paused := false
	pause := func() {
		if paused {
			return
		}
		paused = true
		if _, err := islands.Pause(ctx, a.store, b.host, islands.In); err != nil {
			t.Error(err)
		}
		eventually(t, "what was there is out of view", func() bool { return a.entry(first.ID).Status == directory.Hidden })
	}
	a.zoned.Store(&pause)
	written, err := a.s.Take(ctx, b.host, doc)
	a.zoned.Store(nil)
	if err != nil || written != 1 || !paused {
		t.Fatalf("%d are written, paused: %v, %v", written, paused, err)
	}
	if e := a.entry(late); e.Status != directory.Hidden || e.Private.Mirror.Held.IsZero() {
		t.Errorf("it is %s, held since %v", e.Status, e.Private.Mirror.Held)
	}
}

// TestWrittenElsewhere: another node took something a moment after an agreement was paused, of which it had not heard yet.
func TestWrittenElsewhere(t *testing.T) {
	shared := &clock{}
	a, b := newIsle(t, shared), newIsle(t, shared)
	ctx := t.Context()
	first := b.put(farm("Ferme"))
	a.follow(b, islands.Scope{}, islands.Show)
	a.shown(b, "Ferme")
	if _, err := islands.Pause(ctx, a.store, b.host, islands.In); err != nil {
		t.Fatal(err)
	}
	eventually(t, "what was there is out of view", func() bool { return a.entry(first.ID).Status == directory.Hidden })
	for _, after := range []time.Duration{20 * time.Second, 2 * time.Hour} {
		e := a.entry(first.ID)
		e.Status, e.Private.Mirror.Was, e.Private.Mirror.Held = directory.Published, "", time.Time{}
		if _, err := a.d.Write(ctx, directory.Write{Author: islands.Author(b.host), Entries: []directory.Entry{e}}); err != nil {
			t.Fatal(err)
		}
		shared.forward(after)
		eventually(t, "it is taken out of view", func() bool { return a.entry(first.ID).Status == directory.Hidden })
	}
}
