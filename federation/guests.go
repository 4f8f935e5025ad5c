package federation

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"archipel/directory"
	"archipel/federation/vocab"
)

// GuestState is what becomes of somebody elsewhere who wants to come to an event.
type GuestState string

// States of a guest. Where the team did not ask for more, everybody who says so comes.
const (
	GuestComes   GuestState = ""
	GuestWaits   GuestState = "waiting"
	GuestRefused GuestState = "refused"
)

// Guest is somebody elsewhere who comes to an event, or asks to. It is for the eyes of the event's team.
type Guest struct {
	Key   string // tells them apart under their event
	Rev   int64  // of the record: what a decision is about
	Actor string // address of the account
	Name  string // plain text, as the others; may be empty
	// Handle is "@maud@elsewhere.example", or empty while it is not known.
	Handle, Host string
	Note         string // what they say to the team
	Since        time.Time
	State        GuestState
}

// Guests lists who comes to an event from elsewhere, or asks to: who waits first, then by the time when they said so. What is
// of a server that is blocked or silenced is not in it.
func (s *Service) Guests(ctx context.Context, event directory.ID) ([]Guest, error) {
	var list []Guest
	p := s.policy.get()
	err := eachWithPrefix(ctx, s.store, kindJoin, string(event)+"/", func(rec directory.Record) error {
		var one participation
		if json.Unmarshal(rec.Value, &one) != nil || p.hides(one.Actor) {
			return nil
		}
		list = append(list, Guest{
			Key: strings.TrimPrefix(rec.Key, string(event)+"/"), Rev: rec.Rev, Actor: one.Actor, Name: one.Name, Handle: one.Handle,
			Host: vocab.Host(one.Actor), Note: one.Note, Since: one.At, State: one.State,
		})
		return nil
	})
	slices.SortStableFunc(list, func(a, b Guest) int {
		if waits := a.State == GuestWaits; waits != (b.State == GuestWaits) {
			if waits {
				return -1
			}
			return 1
		}
		return a.Since.Compare(b.Since)
	})
	return list, err
}

// DecideGuest says yes or no to somebody who wants to come, also to one who was told something else before. Their server is
// told so, when it answers; once more when that was decided already. rev is the revision that was looked at: when something
// changed since, the error wraps [directory.ErrStale].
func (s *Service) DecideGuest(ctx context.Context, event directory.ID, key string, rev int64, yes bool) error {
	rec, err := s.store.Record(ctx, kindJoin, string(event)+"/"+key)
	if err != nil {
		return err
	}
	if rec.Rev == 0 {
		return directory.ErrNotFound
	}
	var one participation
	if err := json.Unmarshal(rec.Value, &one); err != nil {
		return fmt.Errorf("record %s %s: %w: %w", kindJoin, rec.Key, directory.ErrCorrupt, err)
	}
	if p := s.policy.get(); p.hides(one.Actor) {
		return directory.ErrNotFound
	}
	want := GuestRefused
	if yes {
		want = GuestComes
	}
	if one.State != want { // else the message may not have been put on the list the first time
		if rec.Rev != rev {
			return directory.ErrStale
		}
		one.State = want
		if err := put(ctx, s.store, kindJoin, rec.Key, one, rec.Rev, rec.Expires); err != nil {
			return err
		}
	}
	s.echoes.forget(event)
	// The Join is put before the inbox once more: whoever drives it says what was decided, as often as it takes.
	body, err := encode(map[string]any{"@context": vocab.Context, "id": one.Activity, "type": "Join", "actor": one.Actor, "object": s.objectID(event)})
	if err != nil {
		return err
	}
	now := s.Now().UTC()
	again := fmt.Sprintf("%020d-%.16s", now.UnixNano(), hashKey(one.Activity))
	return put(ctx, s.store, kindInbox, again, received{ID: one.Activity, Actor: one.Actor, At: now, Body: body}, 0, time.Time{})
}
