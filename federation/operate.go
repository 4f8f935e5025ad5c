package federation

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"archipel/directory"
	"archipel/federation/vocab"
)

// Follower is what the operator sees of somebody who follows.
type Follower struct {
	Actor   string    `json:"actor"`
	Of      string    `json:"of"` // whom it follows
	Since   time.Time `json:"since"`
	Waiting bool      `json:"waiting,omitzero"` // for the operator's yes
}

// Followers lists who follows and who waits. It works beside a running server.
func Followers(ctx context.Context, store directory.Store) ([]Follower, error) {
	var list []Follower
	err := eachRecord(ctx, store, kindFollower, func(r directory.Record) error {
		var f follower
		if err := json.Unmarshal(r.Value, &f); err != nil {
			return fmt.Errorf("record %s %s: %w: %w", kindFollower, r.Key, directory.ErrCorrupt, err)
		}
		if !f.Refused {
			list = append(list, Follower{f.Actor, f.Object, f.Time, f.Waiting})
		}
		return nil
	})
	return list, err
}

// Hosts lists the servers that were delivered to, and how they fare.
func Hosts(ctx context.Context, store directory.Store) ([]Host, error) {
	return all[Host](ctx, store, kindHost)
}

// Replies lists what was written elsewhere under our objects.
func Replies(ctx context.Context, store directory.Store) ([]Reply, error) {
	return all[Reply](ctx, store, kindReply)
}

func all[T any](ctx context.Context, store directory.Store, kind string) ([]T, error) {
	var list []T
	err := eachRecord(ctx, store, kind, func(r directory.Record) error {
		var v T
		if err := json.Unmarshal(r.Value, &v); err != nil {
			return fmt.Errorf("record %s %s: %w: %w", kind, r.Key, directory.ErrCorrupt, err)
		}
		list = append(list, v)
		return nil
	})
	return list, err
}

// Decide says yes or no to a follower: one who waits, or, with no, anybody; of the instance and of every organisation that it
// follows. The running server tells the other side, within seconds or when that answers again: the Follow is put before it
// once more, also when that was decided already.
func Decide(ctx context.Context, store directory.Store, actor string, yes bool) error {
	found := false
	err := eachRecord(ctx, store, kindFollower, func(r directory.Record) error {
		var f follower
		if err := json.Unmarshal(r.Value, &f); err != nil {
			return fmt.Errorf("record %s %s: %w: %w", kindFollower, r.Key, directory.ErrCorrupt, err)
		}
		if f.Actor != actor || f.Refused && yes {
			return nil
		}
		found = true
		return decide(ctx, store, r, f, yes)
	})
	if err == nil && !found {
		return directory.Invalid{{Field: "actor", Code: directory.CodeUnknown, Params: map[string]any{"value": actor}}}
	}
	return err
}

func decide(ctx context.Context, store directory.Store, r directory.Record, f follower, yes bool) (err error) {
	if yes && f.Waiting || !yes && !f.Refused { // else the Follow may not have been put on the list the first time
		if f.Waiting, f.Refused = !yes, !yes; yes {
			if f.Since, err = store.Head(ctx); err != nil {
				return err
			}
		}
		if err := put(ctx, store, kindFollower, r.Key, f, r.Rev, time.Time{}); err != nil {
			return err
		}
	}
	body, err := encode(map[string]any{"@context": vocab.Context, "id": f.Follow, "type": "Follow", "actor": f.Actor, "object": f.Object})
	if err != nil {
		return err
	}
	now := time.Now().UTC()
	key := fmt.Sprintf("%020d-%.16s", now.UnixNano(), hashKey(f.Follow))
	return put(ctx, store, kindInbox, key, received{ID: f.Follow, Actor: f.Actor, At: now, Body: body}, 0, time.Time{})
}

// Handles lists the organisations whose actors have keys, by their handles. It works beside a running server.
func Handles(ctx context.Context, store directory.Store) (map[string]directory.ID, error) {
	var ids []directory.ID
	err := eachRecord(ctx, store, kindKey, func(r directory.Record) error {
		if id, ok := strings.CutPrefix(r.Key, actorKey("")); ok {
			ids = append(ids, directory.ID(id))
		}
		return nil
	})
	handles := map[string]directory.ID{}
	for len(ids) > 0 && err == nil {
		n := min(len(ids), 500)
		var entries []directory.Entry
		entries, err = store.Entries(ctx, ids[:n])
		for i := range entries {
			if f := entries[i].Fediverse; f != nil {
				handles[f.Handle] = entries[i].ID
			}
		}
		ids = ids[n:]
	}
	return handles, err
}
