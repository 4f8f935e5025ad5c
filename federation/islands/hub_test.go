package islands_test

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"archipel/directory"
	"archipel/federation/islands"
)

// TestHub: b passes on to a what c shows it, with c's proof; a's own way to c and the loop back to c do no harm.
func TestHub(t *testing.T) {
	a, b, c := newIsle(t, nil), newIsle(t, nil), newIsle(t, nil)
	ctx := t.Context()
	own := b.put(farm("De b"))
	first := c.put(farm("De c"))
	b.follow(c, islands.Scope{}, islands.Show)
	b.shown(c, "De c")
	a.follow(b, islands.Scope{Others: true, Categories: []string{"ferme"}}, islands.Show)
	a.shown(b, "De b")
	a.shown(c, "De c")
	if m := a.entry(first.ID).Private.Mirror; fmt.Sprint(m.Via) != "["+b.host+"]" || m.Version != first.Version {
		t.Errorf("it is known as %+v", m)
	}
	first.Name = "De c, changé"
	first = c.put(first)
	a.shown(c, "De c, changé")

	// c follows a as well, for everything that a shows: its own entries do not come back, b's come by way of nobody.
	c.follow(a, islands.Scope{Others: true}, islands.Show)
	if err := c.s.Sync(ctx, a.host, true); err != nil {
		t.Fatal(err)
	}
	c.shown(b, "De b")
	if e := c.entry(first.ID); e.Origin != "" {
		t.Errorf("c's own entry belongs to %q now", e.Origin)
	}

	// A second way: what b withdraws stays, because c shows it too.
	a.follow(c, islands.Scope{}, islands.Show)
	eventually(t, "two ways", func() bool { return len(a.entry(first.ID).Private.Mirror.Via) == 2 })
	if _, err := islands.End(ctx, b.store, c.host, islands.In); err != nil {
		t.Fatal(err)
	}
	b.shown(c)
	eventually(t, "one way", func() bool {
		e := a.entry(first.ID)
		return e.Public() && fmt.Sprint(e.Private.Mirror.Via) == "["+c.host+"]"
	})
	// What c takes back is gone, and so is what came by way of b when a leaves b.
	first.Status = directory.Removed
	c.put(first)
	a.shown(c)
	if _, err := islands.End(ctx, a.store, b.host, islands.In); err != nil {
		t.Fatal(err)
	}
	a.shown(b)
	if got := a.entry(own.ID).Status; got != directory.Hidden {
		t.Errorf("b's entry is %s", got)
	}
}

// TestHubIsNotAsked: what an island shows to a hub only stays there.
func TestHubIsNotAsked(t *testing.T) {
	a, b, c := newIsle(t, nil), newIsle(t, nil), newIsle(t, nil)
	ctx := t.Context()
	c.put(farm("De c"))
	if _, err := islands.Ask(ctx, b.store, c.base, islands.Scope{}, islands.Show); err != nil {
		t.Fatal(err)
	}
	eventually(t, "asked", func() bool { return c.with(b).Out.State == islands.Asked })
	if _, err := islands.Accept(ctx, c.store, b.host, nil, false); err != nil {
		t.Fatal(err)
	}
	b.shown(c, "De c")
	a.follow(b, islands.Scope{Others: true}, islands.Show)
	b.put(farm("De b"))
	a.shown(b, "De b")
	if err := a.s.Sync(ctx, b.host, true); err != nil {
		t.Fatal(err)
	}
	a.shown(c)
	if _, err := islands.Accept(ctx, c.store, b.host, nil, true); err != nil {
		t.Fatal(err)
	}
	eventually(t, "b may pass it on", func() bool { return b.with(c).In.PassOn })
	eventually(t, "it comes", func() bool { return a.s.Sync(ctx, b.host, true) == nil && a.names(c.host) == "[De c]" })
}

// TestRestored: an island comes back as it was a while ago. What it lost is gone elsewhere as well, what it says from then
// on counts, though its numbers are lower than before.
func TestRestored(t *testing.T) {
	a, b := newIsle(t, nil), newIsle(t, nil)
	first := b.put(farm("Ferme"))
	a.follow(b, islands.Scope{}, islands.Show)
	a.shown(b, "Ferme")
	eventually(t, "a has been told so", func() bool { st, err := a.s.State(t.Context(), b.host); return err == nil && st.Cursor != "" })
	b.stop()
	backup := t.TempDir()
	if err := copyDir(b.dir, backup); err != nil {
		t.Fatal(err)
	}
	b.open()
	for i := range 3 {
		first.Name = fmt.Sprint("Ferme, version ", i)
		first = b.put(first)
	}
	lost := b.put(farm("Perdue"))
	a.shown(b, "Ferme, version 2", "Perdue")
	b.stop()
	b.dir = backup
	b.open()
	back := b.entry(first.ID)
	back.Name = "Ferme restaurée"
	b.put(back)
	a.shown(b, "Ferme restaurée")
	if got := a.entry(lost.ID).Status; got != directory.Removed {
		t.Errorf("what was lost is %s", got)
	}
	if b.s.Epoch() == 0 {
		t.Error("no new epoch began")
	}
	b.put(farm("Nouvelle"))
	a.shown(b, "Ferme restaurée", "Nouvelle")
}

// TestFollowerRestored: the one that follows comes back as it was a while ago, and catches up.
func TestFollowerRestored(t *testing.T) {
	a, b := newIsle(t, nil), newIsle(t, nil)
	first, gone := b.put(farm("Ferme")), b.put(farm("Fermée"))
	a.follow(b, islands.Scope{}, islands.Show)
	a.shown(b, "Ferme", "Fermée")
	a.stop()
	backup := t.TempDir()
	if err := copyDir(a.dir, backup); err != nil {
		t.Fatal(err)
	}
	a.open()
	first.Name = "Ferme changée"
	b.put(first)
	gone.Status = directory.Removed
	b.put(gone)
	b.put(farm("Nouvelle"))
	a.shown(b, "Ferme changée", "Nouvelle")
	a.stop()
	a.dir = backup
	a.open()
	if err := a.s.Sync(t.Context(), b.host, false); err != nil {
		t.Fatal(err)
	}
	a.shown(b, "Ferme changée", "Nouvelle")
}

// TestAway: while one is away the other goes on; a follower that was away for longer than what is gone is remembered begins
// anew.
func TestAway(t *testing.T) {
	c := &clock{}
	a, b := newIsle(t, c), newIsle(t, c)
	first, gone := b.put(farm("Ferme")), b.put(farm("Fermée"))
	a.follow(b, islands.Scope{}, islands.Show)
	a.shown(b, "Ferme", "Fermée")
	a.stop()
	first.Name = "Ferme changée"
	b.put(first)
	gone.Status = directory.Removed
	b.put(gone)
	c.forward(200 * 24 * time.Hour)
	a.open()
	eventually(t, "it catches up", func() bool {
		return a.s.Sync(t.Context(), b.host, false) == nil && a.names(b.host) == "[Ferme changée]"
	})
	b.put(farm("Nouvelle"))
	a.shown(b, "Ferme changée", "Nouvelle")
}

// TestComparing finds what went wrong without anybody noticing.
func TestComparing(t *testing.T) {
	a, b := newIsle(t, nil), newIsle(t, nil)
	ctx := t.Context()
	var entries []directory.Entry
	for i := range 300 {
		entries = append(entries, farm(fmt.Sprint("Ferme ", i)))
	}
	outcomes, err := b.d.Write(ctx, directory.Write{Author: "test", Entries: entries})
	if err != nil {
		t.Fatal(err)
	}
	a.follow(b, islands.Scope{}, islands.Show)
	eventually(t, "all come", func() bool {
		st, err := a.s.State(ctx, b.host)
		return err == nil && !st.Compared.IsZero() && a.mirrors.Counts()[b.host].Public == 300
	})
	a.hush() // nobody but the test lets them compare
	// Somebody wrote past the log: one is gone here, one is older, one is too many.
	lost, old := a.entry(outcomes[3].Entry.ID), a.entry(outcomes[5].Entry.ID)
	lost.Status = directory.Removed
	lost.Private.Mirror.Raw, lost.Private.Mirror.Via, lost.Private.Mirror.Was = "", nil, directory.Published
	a.put(lost)
	old.Name, old.Private.Mirror.Version = "Vieille", old.Private.Mirror.Version-1
	a.put(old)
	extra := a.entry(outcomes[7].Entry.ID)
	extra.ID, extra.Version, extra.Slug, extra.Name = directory.NewID(), 0, "", "De trop"
	a.put(extra)
	if err := a.s.Sync(ctx, b.host, true); err != nil {
		t.Fatal(err)
	}
	if st, err := a.s.State(ctx, b.host); err != nil || st.Differed != 3 {
		t.Errorf("%d were set right, %v", st.Differed, err)
	}
	want := b.visible("")
	got := a.visible(b.host)
	for id, e := range want {
		if got[id].Name != e.Name {
			t.Errorf("%s is %q, want %q", id, got[id].Name, e.Name)
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d entries, want %d", len(got), len(want))
	}
}

func copyDir(from, to string) error {
	return filepath.WalkDir(from, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		if err := os.MkdirAll(filepath.Dir(filepath.Join(to, rel)), 0o755); err != nil {
			return err
		}
		in, err := os.Open(path)
		if err != nil {
			return err
		}
		defer in.Close()
		out, err := os.Create(filepath.Join(to, rel))
		if err != nil {
			return err
		}
		if _, err := io.Copy(out, in); err != nil {
			return err
		}
		return out.Close()
	})
}
