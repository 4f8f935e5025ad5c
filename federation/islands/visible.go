package islands

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"archipel/directory"
)

// PurgeAfter is how long what came from an island stays in the store when it may not be seen any more.
const PurgeAfter = 30 * 24 * time.Hour

// visibility is which islands' entries may be seen.
type visibility struct {
	key     string
	active  map[string]bool
	denied  map[string]bool
	blocked func(host string) bool
}

// visibility is made from the agreements and the policy as they stand.
func (s *Service) visibility() visibility {
	v := visibility{active: map[string]bool{}, denied: map[string]bool{}, blocked: s.Network.Blocks}
	var key strings.Builder
	for _, a := range s.cache.list() {
		v.active[a.Host], v.denied[a.Host] = a.In.Standing, denies(&a.In)
		fmt.Fprintf(&key, "%s %v %v\n", a.Host, a.In.Standing, denies(&a.In))
	}
	for _, host := range s.Mirrors.hosts() {
		if s.Network.Blocks(serverOf(host)) {
			key.WriteString("blocked " + host + "\n")
		}
	}
	v.key = key.String()
	return v
}

// visible reports whether an entry may be seen that came by way of those hosts.
func (v visibility) visible(origin string, via []string) bool {
	if v.blocked(origin) {
		return false
	}
	return slices.ContainsFunc(via, func(way string) bool {
		if !v.active[way] || v.blocked(serverOf(way)) {
			return false
		}
		return !v.denied[origin] || isPlain(way) && serverOf(way) == origin // what was agreed with it in another way holds
	})
}

// reconcile takes out of view what no agreement stands behind any more, and brings back what may be seen again. Map, lists,
// search, feeds and exports follow the log, so each has it with the write.
func (s *Service) reconcile(ctx context.Context, v visibility) error {
	ids := s.Mirrors.pick(func(origin string, via []string, held time.Time, gone bool) bool {
		return !gone && v.visible(origin, via) != held.IsZero()
	})
	return s.rewrite(ctx, ids, "system", "", func(e *directory.Entry, over *Overlay, _ map[string]string) {
		s.settle(e, over, v)
	})
}

// settleSince settles again what was written meanwhile as it may be seen under another visibility than that of now: who
// reconciled since then could not find it yet.
func (s *Service) settleSince(ctx context.Context, seen visibility) error {
	for now := s.visibility(); now.key != seen.key; now, seen = s.visibility(), now {
		if err := s.reconcile(ctx, now); err != nil {
			return err
		}
	}
	return nil
}

// reconciled says when what may be seen was last settled, so that it is settled when something changed, once more when every
// other node has heard of that and written what it still took, and then from time to time.
type reconciled struct {
	key   string    // of the visibility
	since time.Time // it holds
	last  time.Time
}

const (
	reconcileSoon  = 15 * time.Second
	reconcileEvery = time.Hour
)

// due reports whether what may be seen is to be settled.
func (r *reconciled) due(key string, now time.Time) bool {
	return key != r.key || r.last.Before(r.since.Add(reconcileSoon)) && !now.Before(r.since.Add(reconcileSoon)) || now.Sub(r.last) >= reconcileEvery
}

// done notes that it is settled, as of now.
func (r *reconciled) done(key string, now time.Time) {
	if r.last = now; key != r.key {
		r.key, r.since = key, now
	}
}

// rewrite changes entries of others in batches, each as it stands when it is written. note is why, for the history.
func (s *Service) rewrite(ctx context.Context, ids []directory.ID, author, note string, change func(e *directory.Entry, over *Overlay, words map[string]string)) error {
	for len(ids) > 0 {
		n := min(len(ids), maxBatch)
		todo := slices.Clone(ids[:n])
		ids = ids[n:]
		for try := 0; len(todo) > 0; try++ {
			if try > 10 {
				return fmt.Errorf("%d entries change all the time: %w", len(todo), directory.ErrStale)
			}
			entries, err := s.Directory.Entries(ctx, todo)
			if err != nil {
				return err
			}
			overlays, err := s.overlays(ctx, todo)
			if err != nil {
				return err
			}
			batch := entries[:0]
			maps := map[string]map[string]string{}
			for i := range entries {
				e := &entries[i]
				if e.Origin == "" || e.Status == directory.Removed || e.Private == nil || e.Private.Mirror == nil {
					continue
				}
				if _, known := maps[e.Origin]; !known {
					if maps[e.Origin], err = Map(ctx, s.store, e.Origin); err != nil {
						return err
					}
				}
				change(e, overlays[e.ID], maps[e.Origin])
				batch = append(batch, *e)
			}
			todo = nil
			outcomes, err := s.Directory.Write(ctx, directory.Write{Author: author, Note: note, Entries: batch})
			if err != nil {
				return err
			}
			for i := range outcomes {
				var conflict *directory.ConflictError
				if errors.As(outcomes[i].Err, &conflict) {
					todo = append(todo, batch[i].ID)
				} else if outcomes[i].Err != nil {
					s.Log.Warn("islands: an entry stays as it is", "entry", batch[i].ID, "err", outcomes[i].Err)
				}
			}
		}
	}
	return nil
}

// purge erases what has been out of view, or gone, for [PurgeAfter]. That it was there and in which version stays, so that
// nobody can bring it back by repeating what its origin once said.
func (s *Service) purge(ctx context.Context) error {
	before := s.Now().Add(-PurgeAfter)
	ids := s.Mirrors.pick(func(_ string, _ []string, held time.Time, _ bool) bool { return !held.IsZero() && held.Before(before) })
	for _, id := range ids {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		e, err := s.Directory.Entry(ctx, id)
		if err != nil {
			return err
		}
		if e.Origin == "" || e.Private == nil || e.Private.Mirror == nil {
			continue
		}
		if held := e.Private.Mirror.Held; held.IsZero() || held.After(before) {
			continue // it came back while others were erased, or is erased already
		}
		m := &directory.Mirrored{ID: e.Private.Mirror.ID, Epoch: e.Private.Mirror.Epoch, Version: e.Private.Mirror.Version}
		if len(e.Private.Mirror.Via) > 0 || e.Private.Mirror.Was != "" {
			m.Epoch, m.Version = 0, 0 // its origin did not take it back: when there is an agreement again, it comes as it is
		}
		blank := directory.Entry{ID: id, Kind: e.Kind, Origin: e.Origin, Status: directory.Removed, Version: e.Version, Private: &directory.Private{Mirror: m}}
		outcomes, err := s.Directory.Write(ctx, directory.Write{Author: "system", Op: directory.OpRedact, Entries: []directory.Entry{blank}})
		if err != nil {
			return err
		}
		if outcomes[0].Err != nil {
			continue // it changed at this moment: in an hour it is looked at again
		}
		if outcomes[0].Result == directory.Unchanged {
			continue
		}
		if _, err := s.store.Redact(ctx, id, outcomes[0].Entry.Version-1); err != nil {
			return err
		}
	}
	return nil
}
