package islands_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"archipel/directory"
	"archipel/directory/sqlitestore"
	"archipel/federation/islands"
)

// asOf stops an island, keeps what it has, and starts it again; the function returns it to that.
func (in *isle) asOf() (back func()) {
	in.t.Helper()
	in.stop()
	backup := in.t.TempDir()
	if err := copyDir(in.dir, backup); err != nil {
		in.t.Fatal(err)
	}
	in.open()
	return func() {
		in.t.Helper()
		in.stop()
		in.dir = backup
		in.open()
	}
}

// TestRestoredAgreement: an island comes back from a backup that is older than the agreement as it stands. Both find out by what
// the other one does, and agree again on what was last decided, or the operator is asked.
func TestRestoredAgreement(t *testing.T) {
	t.Run("before it was asked", func(t *testing.T) {
		c := &clock{}
		a, b := newIsle(t, c), newIsle(t, c)
		e := b.put(farm("Ferme"))
		back := b.asOf()
		a.follow(b, islands.Scope{}, islands.Show)
		a.shown(b, "Ferme")
		back()
		c.forward(2 * time.Hour) // a asks again what is new
		eventually(t, "b's operator is asked again", func() bool { c.forward(time.Second); return b.with(a).Out.State == islands.Asked })
		if _, err := islands.Accept(t.Context(), b.store, a.host, nil, true); err != nil {
			t.Fatal(err)
		}
		e.Name = "Ferme changée"
		b.put(e)
		eventually(t, "a is told", func() bool { c.forward(time.Second); return a.names(b.host) == "[Ferme changée]" })
	})
	t.Run("before a left", func(t *testing.T) {
		c := &clock{}
		a, b := newIsle(t, c), newIsle(t, c)
		e := b.put(farm("Ferme"))
		a.follow(b, islands.Scope{}, islands.Show)
		a.shown(b, "Ferme")
		back := b.asOf()
		if _, err := islands.End(t.Context(), a.store, b.host, islands.In); err != nil {
			t.Fatal(err)
		}
		eventually(t, "b knows", func() bool { return b.with(a).Out.State == islands.Ended })
		eventually(t, "a has noted that", func() bool { return a.with(b).In.Tell == "" }) // what is to be told still is not said again
		back()
		if got := b.with(a).Out.State; got != islands.Accepted {
			t.Fatalf("the backup says %s", got)
		}
		e.Name = "Ferme changée"
		b.put(e)
		eventually(t, "b knows again", func() bool { c.forward(time.Second); return b.with(a).Out.State == islands.Ended })
		a.shown(b)
	})
	t.Run("before b paused", func(t *testing.T) {
		c := &clock{}
		a, b := newIsle(t, c), newIsle(t, c)
		e := b.put(farm("Ferme"))
		a.follow(b, islands.Scope{}, islands.Show)
		a.shown(b, "Ferme")
		back := b.asOf()
		if _, err := islands.Pause(t.Context(), b.store, a.host, islands.Out); err != nil {
			t.Fatal(err)
		}
		a.shown(b)
		back()
		e.Name = "Ferme changée"
		b.put(e)
		eventually(t, "a is told", func() bool { c.forward(time.Second); return a.names(b.host) == "[Ferme changée]" })
		if got := a.with(b).In; !got.Active() {
			t.Errorf("for a the agreement is %s", got.State)
		}
	})
}

// TestEndedWhileReminding: an island that asks while the word that all is over is still under way believes for a moment that
// the other one has forgotten the agreement, and reminds it. What came disappears all the same.
func TestEndedWhileReminding(t *testing.T) {
	for name, late := range map[string]bool{"the reminder arrives first": false, "the word arrives first": true} {
		t.Run(name, func(t *testing.T) {
			a, b := newIsle(t, nil), newIsle(t, nil)
			b.put(farm("Ferme"))
			a.follow(b, islands.Scope{}, islands.Show)
			a.shown(b, "Ferme")
			b.told(a) // what is held below is its word that all is over
			held, release := make(chan struct{}, 100), make(chan struct{})
			letGo := sync.OnceFunc(func() { close(release) })
			defer letGo()
			hold := func(_ http.ResponseWriter, r *http.Request) bool {
				if strings.HasSuffix(r.URL.Path, "/inbox") {
					held <- struct{}{}
					<-release
				}
				return false
			}
			a.over(hold)
			if late {
				b.over(hold)
			}
			if _, err := islands.End(t.Context(), b.store, a.host, islands.Out); err != nil {
				t.Fatal(err)
			}
			<-held // b's word is under way
			follow := a.with(b).In.Follow
			if err := a.s.Sync(t.Context(), b.host, false); err == nil {
				t.Fatal("b answers")
			}
			if a.with(b).In.Follow == follow {
				t.Fatal("a does not remind b")
			}
			if late {
				<-held // a's reminder as well
			} else {
				eventually(t, "b is reminded", func() bool {
					return b.with(a).Out.Follow != "" && strings.HasSuffix(b.with(a).Out.Follow, a.with(b).In.Follow)
				})
			}
			letGo()
			a.shown(b)
			eventually(t, "it is over for both", func() bool { return a.with(b).In.State == islands.Ended && !b.with(a).Out.Active() })
		})
	}
}

// TestBackupWhileSomethingArrives: a backup may know that something arrived, and lack it.
func TestBackupWhileSomethingArrives(t *testing.T) {
	a, b := newIsle(t, nil), newIsle(t, nil)
	b.put(farm("Ferme"))
	a.follow(b, islands.Scope{}, islands.Show)
	a.shown(b, "Ferme")
	before := a.d.Head()
	back := a.asOf()
	b.put(farm("Nouvelle"))
	a.shown(b, "Ferme", "Nouvelle")
	var late islands.SyncState
	eventually(t, "a knows how far it read", func() bool {
		st, err := a.s.State(t.Context(), b.host)
		late = st
		return err == nil && st.Head > before && st.Cursor != ""
	})
	record, err := a.store.Record(t.Context(), "island-sync", b.host)
	if err == nil {
		record.Value, err = json.Marshal(late)
	}
	if err != nil {
		t.Fatal(err)
	}
	b.stop() // it tells nothing
	dir := a.dir
	back()
	a.stop()
	if dir == a.dir {
		t.Fatal("nothing was restored")
	}
	store, err := sqlitestore.Open(t.Context(), a.dir)
	if err != nil {
		t.Fatal(err)
	}
	old, err := store.Record(t.Context(), "island-sync", b.host)
	if err == nil {
		err = store.PutRecord(t.Context(), "island-sync", directory.Record{Key: b.host, Value: record.Value, Rev: old.Rev})
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	a.open()
	a.shown(b, "Ferme")
	if st, err := a.s.State(t.Context(), b.host); err != nil || st.Cursor != "" {
		t.Errorf("it goes on from %q: %v", st.Cursor, err)
	}
	b.open()
	eventually(t, "it reads anew", func() bool {
		return a.s.Sync(t.Context(), b.host, false) == nil && a.names(b.host) == "[Ferme Nouvelle]"
	})
}
