package islands_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"archipel/directory"
	"archipel/federation/islands"
)

// slowRedact is a store that erases nothing before it may.
type slowRedact struct {
	directory.Store
	began, may chan struct{}
	once       sync.Once
}

func (s *slowRedact) Redact(ctx context.Context, id directory.ID, upTo directory.Seq) (int, error) {
	s.once.Do(func() { close(s.began) })
	select {
	case <-ctx.Done():
		return 0, ctx.Err()
	case <-s.may:
	}
	return s.Store.Redact(ctx, id, upTo)
}

// TestPurgeInPeace: while a large island is erased, others are told, and heard.
func TestPurgeInPeace(t *testing.T) {
	shared := &clock{}
	a, b, c := newIsle(t, shared), newIsle(t, shared), newIsle(t, shared)
	ctx := t.Context()
	slow := &slowRedact{began: make(chan struct{}), may: make(chan struct{})}
	a.guard = func(s directory.Store) directory.Store { slow.Store = s; return slow }
	a.stop()
	a.open()
	first, second := b.put(farm("Ferme")), b.put(farm("Jardin"))
	a.follow(b, islands.Scope{}, islands.Show)
	a.shown(b, "Ferme", "Jardin")
	if _, err := islands.End(ctx, a.store, b.host, islands.In); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it is out of view", func() bool {
		return a.entry(first.ID).Status == directory.Hidden && a.entry(second.ID).Status == directory.Hidden
	})
	shared.forward(islands.PurgeAfter + 2*time.Hour)
	select {
	case <-slow.began:
	case <-time.After(2 * time.Minute):
		t.Fatal("nothing is erased")
	}
	a.follow(c, islands.Scope{}, islands.Show)
	c.put(farm("De c"))
	a.shown(c, "De c")
	close(slow.may)
	eventually(t, "all is erased", func() bool {
		return a.entry(first.ID).Status == directory.Removed && a.entry(second.ID).Status == directory.Removed
	})
}

// TestPurgeLeavesWhatCameBack: what may be seen again while others are erased is not erased after them.
func TestPurgeLeavesWhatCameBack(t *testing.T) {
	shared := &clock{}
	a, b, c := newIsle(t, shared), newIsle(t, shared), newIsle(t, shared)
	slow := &slowRedact{began: make(chan struct{}), may: make(chan struct{})}
	a.guard = func(s directory.Store) directory.Store { slow.Store = s; return slow }
	a.stop()
	a.open()
	first, second, last := b.put(farm("Ferme")), b.put(farm("Jardin")), c.put(farm("De c")) // it is erased in this order
	for _, in := range []*isle{b, c} {
		a.follow(in, islands.Scope{}, islands.Show)
		eventually(t, "all is there", func() bool { return len(a.visible(in.host)) == len(in.visible("")) })
		if _, err := islands.End(t.Context(), a.store, in.host, islands.In); err != nil {
			t.Fatal(err)
		}
		a.shown(in)
	}
	shared.forward(islands.PurgeAfter + 2*time.Hour)
	select {
	case <-slow.began:
	case <-time.After(2 * time.Minute):
		t.Fatal("nothing is erased")
	}
	a.follow(b, islands.Scope{}, islands.Show)
	a.shown(b, "Ferme", "Jardin")
	close(slow.may)
	eventually(t, "what nobody brought back is erased", func() bool { return a.entry(last.ID).Status == directory.Removed })
	for _, e := range []directory.Entry{first, second} {
		if is := a.entry(e.ID); !is.Public() || is.Name != e.Name {
			t.Errorf("%s is %s", e.Name, is.Status)
		}
	}
}
