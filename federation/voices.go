package federation

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"archipel/directory"
)

// Say is what the team of an entry said about somebody who writes under it.
type Say string

// What can be said about an author. The empty one takes it back.
const (
	VoiceShow Say = "show" // what they write is shown at once
	VoiceHide Say = "hide" // nothing of theirs is shown, or asked about
)

// Voice is somebody elsewhere about whom the team of an entry has decided once for all.
type Voice struct {
	Actor  string    `json:"actor"`
	Name   string    `json:"name,omitempty"`
	Handle string    `json:"handle,omitempty"`
	Say    Say       `json:"say"`
	By     string    `json:"by"` // who said so: an author of the log
	At     time.Time `json:"at"`
}

const maxVoices = 500 // of one entry

// voice is what was said about an author under an entry, or nothing.
func (s *Service) voice(ctx context.Context, entry directory.ID, actor string) (Say, error) {
	var v Voice
	_, err := get(ctx, s.store, kindVoice, string(entry)+"/"+hashKey(actor), &v)
	return v.Say, err
}

// VoicesOf lists those about whom the team of an entry has decided, the latest first.
func (s *Service) VoicesOf(ctx context.Context, entry directory.ID) ([]Voice, error) {
	var list []Voice
	err := eachWithPrefix(ctx, s.store, kindVoice, string(entry)+"/", func(rec directory.Record) error {
		var v Voice
		if json.Unmarshal(rec.Value, &v) == nil {
			list = append(list, v)
		}
		return nil
	})
	slices.SortStableFunc(list, func(a, b Voice) int { return b.At.Compare(a.At) })
	return list, err
}

// SetVoice says once for all what becomes of what somebody writes under an entry, and does so with what they wrote; "" takes
// that back and leaves what is there. Only who has written there, or has been decided about, can be named.
func (s *Service) SetVoice(ctx context.Context, entry directory.ID, actor string, say Say, by string) error {
	key := string(entry) + "/" + hashKey(actor)
	if say == "" {
		return s.store.DeleteRecord(ctx, kindVoice, key, 0)
	}
	if say != VoiceShow && say != VoiceHide {
		return directory.Invalid{{Field: "do", Code: directory.CodeUnknown, Params: map[string]any{"value": string(say)}}}
	}
	voices, err := s.VoicesOf(ctx, entry)
	if err != nil {
		return err
	}
	known := slices.ContainsFunc(voices, func(v Voice) bool { return v.Actor == actor })
	var theirs []Reply
	err = s.eachReply(ctx, entry, func(r *Reply) error {
		if r.Actor == actor {
			theirs = append(theirs, *r)
		}
		return nil
	})
	switch {
	case err != nil:
		return err
	case len(theirs) == 0 && !known:
		return directory.ErrNotFound
	case !known && len(voices) >= maxVoices:
		return directory.Invalid{{Field: "do", Code: directory.CodeTooMany, Params: map[string]any{"max": maxVoices, "got": len(voices) + 1}}}
	}
	v := Voice{Actor: actor, Say: say, By: by, At: s.Now().UTC()}
	if v.Name, v.Handle = s.nameOf(ctx, actor); len(theirs) > 0 && v.Handle == "" {
		v.Name, v.Handle = theirs[0].Name, theirs[0].Handle
	}
	rec, err := s.store.Record(ctx, kindVoice, key)
	if err != nil {
		return err
	}
	// First what holds from now on: a reply that comes meanwhile is treated by it.
	if err := put(ctx, s.store, kindVoice, key, v, rec.Rev, time.Time{}); err != nil {
		return err
	}
	for i := range theirs {
		r := &theirs[i]
		want := ReplyRefused
		if say == VoiceShow {
			want = ReplyShown
			if r.State == ReplyRefused {
				continue // that was said about it
			}
		}
		if r.State == want {
			continue
		}
		r.State, r.Decided, r.By = want, v.At, by
		if err := s.putReply(ctx, *r, r.Rev); err != nil && !isStale(err) {
			return err
		}
	}
	return nil
}

// RepliesOf lists what was written under an entry: what waits, then the rest, the latest first. What is of a server that is
// blocked or silenced is not in it.
func (s *Service) RepliesOf(ctx context.Context, entry directory.ID) ([]Reply, error) {
	var list []Reply
	p := s.policy.get()
	err := s.eachReply(ctx, entry, func(r *Reply) error {
		if !p.hides(r.Actor) {
			r.Content = replyHTML(r.Content)
			list = append(list, *r)
		}
		return nil
	})
	slices.SortStableFunc(list, func(a, b Reply) int {
		if waits := (a.State == ReplyPending); waits != (b.State == ReplyPending) {
			if waits {
				return -1
			}
			return 1
		}
		return b.Received.Compare(a.Received)
	})
	return list, err
}

// DecideReply shows a reply, or refuses it. rev is the revision that was looked at: when its author has changed it since, the
// error wraps [directory.ErrStale]; when it is gone, it is [directory.ErrNotFound].
func (s *Service) DecideReply(ctx context.Context, entry directory.ID, key string, rev int64, state ReplyState, by string) error {
	if state != ReplyShown && state != ReplyRefused {
		return directory.Invalid{{Field: "do", Code: directory.CodeUnknown, Params: map[string]any{"value": string(state)}}}
	}
	var r Reply
	now, err := get(ctx, s.store, kindReply, string(entry)+"/"+key, &r)
	switch p := s.policy.get(); {
	case err != nil:
		return err
	case now == 0 || r.Entry != entry || p.hides(r.Actor):
		return directory.ErrNotFound
	case now != rev:
		return directory.ErrStale
	}
	r.State, r.Decided, r.By = state, s.Now().UTC(), by
	return s.putReply(ctx, r, rev)
}

// WaitingReplies counts the replies about which nobody has decided, by entry.
func (s *Service) WaitingReplies(ctx context.Context) (map[directory.ID]int, error) {
	p, count := s.policy.get(), map[directory.ID]int{}
	err := s.eachPlace(ctx, "", func(_ string, at place) error {
		if at.State == ReplyPending && !p.Blocked(at.Host) && p.Rule(at.Host).Severity != Silence {
			count[at.Entry]++
		}
		return nil
	})
	return count, err
}
