package islands

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"time"

	"archipel/directory"
	"archipel/federation"
)

// kindPost is the kind of the records of activities that wait to be brought to another directory: corrections, and the
// answers to them.
const kindPost = "island-post"

// postLife is how long an activity is tried to be brought.
const postLife = 7 * 24 * time.Hour

type post struct {
	Host  string          `json:"host"`
	Body  json.RawMessage `json:"body"`
	Offer directory.ID    `json:"offer,omitempty"` // what is lost with it
	Since time.Time       `json:"since"`
	Next  time.Time       `json:"next,omitzero"`
}

// post keeps an activity to be brought; one of the same key that waits already is enough.
func (s *Service) post(ctx context.Context, key string, p post) error {
	err := put(ctx, s.store, kindPost, key, p, 0)
	if err != nil && !isStale(err) {
		return err
	}
	s.stir()
	return nil
}

// bring brings what waits, each activity in its own goroutine.
func (s *Service) bring(ctx context.Context, wg *sync.WaitGroup) {
	err := each(ctx, s.store, kindPost, func(key string, rev int64, p post) error {
		now, lock := s.Now(), "post "+key
		if now.Before(p.Next) || !s.syncs.try(lock) {
			return nil
		}
		if p.Offer != "" && now.Sub(p.Since) < postLife && !s.flows.offers(p.Host, now) {
			s.syncs.done(lock) // another directory's moderators are not to be flooded
			return nil
		}
		wg.Go(func() {
			defer s.syncs.done(lock)
			if err := s.bringOne(ctx, key, rev, p); err != nil && ctx.Err() == nil {
				s.Log.Warn("islands: what waits to be brought cannot be noted", "island", p.Host, "err", err)
			}
		})
		return nil
	})
	if err != nil && ctx.Err() == nil {
		s.Log.Warn("islands: what waits to be brought cannot be read", "err", err)
	}
}

func (s *Service) bringOne(ctx context.Context, key string, rev int64, p post) error {
	err := error(ErrNoAgreement)
	if a := s.cache.get(p.Host); a != nil && a.Inbox != "" && !s.Network.Blocks(p.Host) {
		err = s.Network.PostAs(ctx, actorName, a.Inbox, p.Body)
	}
	if ctx.Err() != nil {
		return nil
	}
	now := s.Now()
	if err != nil && now.Sub(p.Since) < postLife {
		wait := time.Hour
		var later *directory.Later
		if errors.As(err, &later) {
			wait = later.After
		} else if federation.MayPass(err) {
			wait = time.Minute
		}
		p.Next = now.Add(wait).UTC()
		if err := put(ctx, s.store, kindPost, key, p, rev); err != nil && !isStale(err) {
			return err
		}
		s.Log.Info("islands: a peer could not be told", "island", p.Host, "what", key, "err", err)
		return nil
	}
	if err != nil && p.Offer != "" {
		if err := s.settleOffer(ctx, p.Offer, Lost, string(p.Offer)+" "+Lost, ""); err != nil {
			return err
		}
	}
	return s.store.DeleteRecord(ctx, kindPost, key, 0)
}
