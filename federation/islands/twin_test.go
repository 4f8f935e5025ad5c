package islands_test

import (
	"testing"

	"archipel/directory"
	"archipel/federation/islands"
)

// TestTwinsStayLinked: what this directory says of two entries survives what their islands say, and is not said to others.
func TestTwinsStayLinked(t *testing.T) {
	a, b, c := newIsle(t, nil), newIsle(t, nil), newIsle(t, nil)
	theirs, ours := b.put(farm("Ferme de b")), a.put(farm("Ferme de a"))
	a.follow(b, islands.Scope{}, islands.Show)
	c.follow(a, islands.Scope{}, islands.Show)
	eventually(t, "they arrive", func() bool { return len(a.visible(b.host)) == 1 && len(c.visible(a.host)) == 1 })
	twin := func(id, of directory.ID) {
		t.Helper()
		e := a.entry(id)
		if e.Private == nil {
			e.Private = &directory.Private{}
		}
		e.Private.Twin = of
		outcomes, err := a.d.Write(t.Context(), directory.Write{Author: "system", Op: directory.OpTwin, Entries: []directory.Entry{e}})
		if err != nil || outcomes[0].Err != nil {
			t.Fatal(err, outcomes[0].Err)
		}
	}
	shown := func(id directory.ID) bool { e := a.entry(id); return e.Shown() }
	twin(theirs.ID, ours.ID)
	theirs.Summary = "Du miel."
	b.put(theirs)
	eventually(t, "the change arrives", func() bool { return a.entry(theirs.ID).Summary == "Du miel." })
	if shown(theirs.ID) {
		t.Error("a change of its origin shows it again")
	}
	if _, err := a.s.Curate(t.Context(), "test", theirs.ID, islands.Overlay{Remark: "x"}, 0); err != nil || shown(theirs.ID) {
		t.Errorf("curating it shows it again, %v", err)
	}
	if _, err := islands.End(t.Context(), a.store, b.host, islands.In); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it goes with its agreement", func() bool { e := a.entry(theirs.ID); return !e.Public() })
	// Ours, when the other one is shown, is with others as before.
	twin(ours.ID, theirs.ID)
	mine := a.entry(ours.ID)
	mine.Private.Twin, mine.Summary = "", "Du lait."
	a.put(mine)
	eventually(t, "others hear of ours", func() bool { return c.entry(ours.ID).Summary == "Du lait." })
	there := c.entry(ours.ID)
	if shown(ours.ID) || !there.Shown() || there.Private.Twin != "" {
		t.Errorf("here it is shown: %v; there it is %+v", shown(ours.ID), there.Private)
	}
}
