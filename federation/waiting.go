package federation

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"archipel/directory"
)

// Waiting is what waits for the people of one entry to decide.
type Waiting struct {
	Replies, Guests int
	Newest          time.Time // when the last of it came
}

// Waiting gathers what waits, by entry. What is of a server that is blocked or silenced is not in it.
func (s *Service) Waiting(ctx context.Context) (map[directory.ID]Waiting, error) {
	count, err := s.WaitingReplies(ctx)
	if err != nil {
		return nil, err
	}
	all, p := map[directory.ID]Waiting{}, s.policy.get()
	for id := range count {
		var w Waiting
		err := s.eachReply(ctx, id, func(r *Reply) error {
			if r.State == ReplyPending && !p.hides(r.Actor) {
				w.add(&w.Replies, r.Received)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		if w.Replies > 0 {
			all[id] = w
		}
	}
	err = eachRecord(ctx, s.store, kindJoin, func(rec directory.Record) error {
		var one participation
		event, _, ok := strings.Cut(rec.Key, "/")
		if !ok || json.Unmarshal(rec.Value, &one) != nil || one.State != GuestWaits || p.hides(one.Actor) {
			return nil
		}
		w := all[directory.ID(event)]
		w.add(&w.Guests, one.At)
		all[directory.ID(event)] = w
		return nil
	})
	return all, err
}

func (w *Waiting) add(to *int, at time.Time) {
	*to++
	if at.After(w.Newest) {
		w.Newest = at
	}
}
