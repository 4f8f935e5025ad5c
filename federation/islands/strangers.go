package islands

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"archipel/federation"
	"archipel/federation/fetch"
	"archipel/federation/vocab"

	"github.com/google/uuid"
)

// What directories may leave here that only knocked: anybody can run as many of them as he likes.
const (
	maxStrangers   = 200
	strangerWaits  = 24 * time.Hour // before it may have to make room for another one
	strangerKept   = 90 * 24 * time.Hour
	maxDescription = 256 << 10 // bytes of a description as it is kept
)

var (
	errFull      = errors.New("too many directories wait for an answer here: ask again in some days")
	errTalkative = fmt.Errorf("it says more of itself than %d KB: %w", maxDescription>>10, fetch.ErrTooLarge)
)

// stranger reports whether all that there is with a directory is what it said by itself: nobody here ever decided anything
// about it that still holds.
func (a *Agreement) stranger() bool {
	in := a.In.State == "" || a.In.State == Offered
	out := a.Out.State == "" || !a.Out.ByUs && (a.Out.State == Asked || a.Out.State == Ended)
	return a.Plain == nil && in && out
}

// strangers lists the directories that only knocked, whoever was silent for longest first. One of which there ever was an entry
// is none of them.
func (s *Service) strangers() (list []*Agreement) {
	known := s.Mirrors.hosts()
	for _, a := range s.cache.list() {
		if _, shown := slices.BinarySearch(known, a.Host); a.stranger() && !shown {
			list = append(list, a)
		}
	}
	slices.SortStableFunc(list, func(a, b *Agreement) int { return cmp.Or(a.Seen.Compare(b.Seen), cmp.Compare(a.Host, b.Host)) })
	return list
}

// door lets in one after the other.
type door struct{ mu sync.Mutex }

// letIn changes what there is with a host that knocks. When nothing was, it must be among those for whom there is room: who
// has been silent for long leaves for it.
func (s *Service) letIn(ctx context.Context, host string, fn func(v *Agreement, rev int64) (bool, error)) error {
	s.door.mu.Lock()
	defer s.door.mu.Unlock()
	if s.cache.get(host) == nil {
		if err := s.makeRoom(ctx); err != nil {
			return err
		}
	}
	a, err := change(ctx, s.store, kindIsland, host, fn)
	if err == nil {
		a.Host = host
		s.cache.note(&a)
	}
	return err
}

func (s *Service) makeRoom(ctx context.Context) error {
	list := s.strangers()
	for i := 0; len(list)-i >= maxStrangers; i++ {
		if s.Now().Sub(list[i].Seen) < strangerWaits {
			return errFull
		}
		if err := s.forget(ctx, list[i]); err != nil {
			return err
		}
	}
	return nil
}

// forget erases what a stranger left, unless something changed in it.
func (s *Service) forget(ctx context.Context, a *Agreement) error {
	if a.rev == 0 {
		return nil // it knocked a moment ago
	}
	if err := s.store.DeleteRecord(ctx, kindIsland, a.Host, a.rev); err != nil && !isStale(err) {
		return err
	} else if err != nil {
		return nil // it is looked at again later
	}
	s.cache.forget(a.Host)
	s.Log.Info("islands: a directory that only knocked is forgotten", "island", a.Host, "silent since", a.Seen)
	return s.store.DeleteRecord(ctx, kindSync, a.Host, 0)
}

// forgetStrangers forgets directories that nobody answered and that were silent for [strangerKept].
func (s *Service) forgetStrangers(ctx context.Context) error {
	s.door.mu.Lock()
	defer s.door.mu.Unlock()
	for _, a := range s.strangers() {
		if s.Now().Sub(a.Seen) <= strangerKept {
			return nil
		}
		if err := s.forget(ctx, a); err != nil {
			return err
		}
	}
	return nil
}

// turnAway tells a directory that asks to follow us why that is not even considered. Nothing is kept of it: when it cannot be
// told now, it is not.
func (s *Service) turnAway(ctx context.Context, a *vocab.Activity, why Reason) error {
	s.Log.Info("islands: a directory is turned away", "actor", a.Actor, "why", why)
	if a.Type != "Follow" {
		return nil // it invited us, and waits for nothing
	}
	doc, err := s.Network.RemoteActor(ctx, a.Actor)
	if err != nil {
		return nil
	}
	body, err := encode(map[string]any{
		"@context": []any{vocab.Context, map[string]any{"archipel": terms, "state": "archipel:state", "reason": "archipel:reason"}},
		"id":       s.mirrorID() + "#reject/" + uuid.NewString(), "type": "Reject", "actor": s.mirrorID(), "to": []any{a.Actor},
		"object": map[string]any{"id": a.ID, "type": "Follow", "actor": a.Actor, "object": s.mirrorID()},
		"state":  string(Refused), "reason": string(why),
	})
	if err != nil {
		return err
	}
	if err := s.Network.PostAs(ctx, actorName, vocab.Text(doc, "inbox"), body); err != nil && ctx.Err() == nil {
		s.Log.Info("islands: who is turned away is not told so", "actor", a.Actor, "err", err, "passes", federation.MayPass(err))
	}
	return nil
}
