package federation

import (
	"context"
	"strings"
	"sync"
	"time"

	"archipel/directory"
	"archipel/federation/vocab"
)

// endsItself reports whether an activity says that its own actor is deleted. Who is gone has no key any more: their server,
// which answers that they are gone, says it for them.
func endsItself(a *vocab.Activity) bool { return a.Type == "Delete" && a.Object().ID == a.Actor }

// left reports whether something of an actor is here, whom we may have forgotten: they follow, answered, liked, announced,
// said that they come, or a team has decided about them.
func (s *Service) left(ctx context.Context, actor string) (bool, error) {
	if len(s.followers.of(actor)) > 0 {
		return true, nil
	}
	if wrote, err := s.wrote(ctx, actor); wrote || err != nil {
		return wrote, err
	}
	return s.traces.has(ctx, s, actor)
}

const tracesKept = time.Hour

// traces knows whose reactions and participations are kept, and about whom was decided. Their records cannot be found by who they are of, and servers tell
// of everybody who leaves them, known here or not: so all are read, at most once an hour. What is newer than that is of
// somebody who was known then, and is for a month.
type traces struct {
	mu   sync.Mutex
	read time.Time
	of   map[string]struct{} // hashes of actors
}

func (t *traces) has(ctx context.Context, s *Service, actor string) (bool, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if age := s.Now().Sub(t.read); t.of == nil || age < 0 || age > tracesKept {
		of := map[string]struct{}{}
		for _, kind := range []string{kindReaction, kindJoin, kindVoice} {
			err := eachRecord(ctx, s.store, kind, func(r directory.Record) error {
				of[strings.Clone(r.Key[strings.LastIndexByte(r.Key, '/')+1:])] = struct{}{}
				return nil
			})
			if err != nil {
				return false, err
			}
		}
		t.read, t.of = s.Now(), of
	}
	_, ok := t.of[hashKey(actor)]
	return ok, nil
}
