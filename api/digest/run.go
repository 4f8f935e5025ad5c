package digest

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"archipel/directory"
)

// Run sends what is due, every minute, until ctx ends.
func (s *Service) Run(ctx context.Context) {
	tick := time.NewTicker(time.Minute)
	defer tick.Stop()
	for {
		if _, err := s.Pass(ctx); err != nil && ctx.Err() == nil {
			s.Log.Error("digests by mail", "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// Pass brings every digest that is due into the outbox, and returns how many. Several nodes may do it at once.
func (s *Service) Pass(ctx context.Context) (mails int, err error) {
	now := s.Now().UTC()
	var due []*subscription
	for after := ""; ; {
		page, err := s.Directory.Store().Records(ctx, kindSubscription, after, 500)
		if err != nil {
			return 0, err
		}
		if len(page) == 0 {
			break
		}
		for _, r := range page {
			after = r.Key
			sub, err := read(r)
			if err != nil {
				return 0, err
			}
			if sub.Paused.IsZero() && !sub.Next.After(now) {
				due = append(due, sub)
			}
		}
	}
	if len(due) == 0 {
		return 0, nil
	}
	e := &edition{Service: s, now: now, entries: map[directory.ID]*directory.Entry{}, news: map[window][]directory.ID{}, pasts: map[directory.ID][]state{}}
	ends := map[time.Time]directory.Seq{}
	from, to := due[0].Told, directory.Seq(0)
	for _, sub := range due {
		if _, ok := ends[sub.Next]; !ok {
			if ends[sub.Next], err = s.fix(ctx, sub.Next); err != nil {
				return 0, err
			}
		}
		from, to = min(from, sub.Told), max(to, ends[sub.Next])
	}
	if err := e.read(ctx, from, to); err != nil {
		return 0, err
	}
	for _, sub := range due {
		if ctx.Err() != nil {
			return mails, ctx.Err()
		}
		sent, err := s.send(ctx, e, sub, ends[sub.Next])
		if err != nil {
			return mails, err
		}
		if sent {
			mails++
		}
	}
	return mails, nil
}

// fix says how far the digests of a time tell the log: the same on every node, and after a crash.
func (s *Service) fix(ctx context.Context, at time.Time) (directory.Seq, error) {
	key, store := at.UTC().Format(time.RFC3339), s.Directory.Store()
	for {
		r, err := store.Record(ctx, kindRun, key)
		if err != nil {
			return 0, err
		}
		if r.Rev > 0 {
			var end directory.Seq
			return end, json.Unmarshal(r.Value, &end)
		}
		if err := s.Directory.Refresh(ctx); err != nil {
			return 0, err
		}
		b, err := json.Marshal(s.Directory.Head())
		if err != nil {
			return 0, err
		}
		// It is kept for as long as the outbox remembers the mails.
		err = store.PutRecord(ctx, kindRun, directory.Record{Key: key, Value: b, Expires: s.Now().Add(30 * day)})
		if err != nil && !errors.Is(err, directory.ErrStale) {
			return 0, err
		}
	}
}

// send brings one digest into the outbox, unless there is nothing to tell, and moves the subscription on. After a crash in
// between the same mail is made again, and the outbox takes it once.
func (s *Service) send(ctx context.Context, e *edition, sub *subscription, end directory.Seq) (sent bool, err error) {
	if sub.Sent != "" {
		returned, err := s.Accounts.Mailer.GivenUp(ctx, sub.Sent)
		if err != nil {
			return false, err
		}
		if !returned {
			sub.Returned = 0
		} else if sub.Returned++; sub.Returned >= maxReturned {
			s.Log.Warn("a digest pauses: its mails come back", "digest", sub.key)
			sub.Paused = e.now
			if err := s.save(ctx, sub); err != nil && !errors.Is(err, directory.ErrStale) {
				return false, err
			}
			return false, nil
		}
		sub.Sent = ""
	}
	end = max(end, sub.Told)
	zone := s.Site().Zone
	until := reach(sub.Every, sub.Next, zone)
	letter, fresh, err := e.letter(ctx, sub, end, until)
	if err != nil {
		return false, err
	}
	if fresh {
		msg, err := s.message(ctx, sub, letter)
		if err != nil {
			return false, err
		}
		if err := s.Accounts.Mailer.Send(ctx, msg); err != nil {
			return false, err
		}
		sub.Sent = msg.Key
	}
	sub.Told, sub.Next = end, next(sub.Every, e.now, zone)
	if until.After(sub.Dates) {
		sub.Dates = until
	}
	if err := s.save(ctx, sub); errors.Is(err, directory.ErrStale) {
		return false, nil // another node did, or the choice was changed: then it comes up again
	} else if err != nil {
		return false, err
	}
	return fresh, nil
}

// window is a part of the log: after one change, up to another.
type window struct{ after, upTo directory.Seq }

// state is what an entry was after a change, as far as a digest cares.
type state struct {
	seq    directory.Seq
	public bool
	print  [16]byte // of what the public sees
}

// edition is what the digests of one pass share.
type edition struct {
	*Service
	now     time.Time
	from    directory.Seq
	log     []directory.ID // changed entries in the order of the log, with repetitions
	seqs    []directory.Seq
	pasts   map[directory.ID][]state          // in the order of the log
	based   map[directory.ID]bool             // pasts begins before the log that was read
	entries map[directory.ID]*directory.Entry // as they stand
	news    map[window][]directory.ID         // what changed in a part of the log, once each
}

// read goes through the log once, for all.
func (e *edition) read(ctx context.Context, after, upTo directory.Seq) error {
	e.from, e.based = after, map[directory.ID]bool{}
	for after < upTo {
		changes, err := e.Directory.Changes(ctx, after, 1000)
		if err != nil || len(changes) == 0 {
			return err
		}
		for i := range changes {
			ch := &changes[i]
			if after = ch.Seq; ch.Seq > upTo {
				break
			}
			id := ch.Entry.ID
			e.log, e.seqs = append(e.log, id), append(e.seqs, ch.Seq)
			e.pasts[id] = append(e.pasts[id], stateOf(ch))
		}
	}
	return nil
}

// stateOf leaves out what the directory writes by itself, and that somebody looked: to be confirmed is no news. What an entry
// organises is news of its own.
func stateOf(ch *directory.Change) state {
	st := state{seq: ch.Seq, public: ch.Entry.Public() && !ch.Redacted}
	if st.public {
		shown := ch.Entry
		shown.Version, shown.Updated, shown.Checked, shown.Aliases = 0, time.Time{}, time.Time{}, nil
		shown.Relations = slices.DeleteFunc(slices.Clone(shown.Relations), func(r directory.Relation) bool { return r.Rel == "organises" })
		if b, err := json.Marshal(&shown); err == nil {
			sum := sha256.Sum256(b)
			copy(st.print[:], sum[:])
		}
	}
	return st
}

// changed lists the entries of a part of the log, once each.
func (e *edition) changed(w window) []directory.ID {
	if ids, ok := e.news[w]; ok {
		return ids
	}
	ids, seen := []directory.ID{}, map[directory.ID]bool{}
	for i, id := range e.log {
		if e.seqs[i] > w.after && e.seqs[i] <= w.upTo && !seen[id] {
			seen[id] = true
			ids = append(ids, id)
		}
	}
	e.news[w] = ids
	return ids
}

// became says what happened to an entry in a part of the log: it became public, or what the public sees changed, or nothing.
func (e *edition) became(ctx context.Context, id directory.ID, w window) (isNew, isChanged bool, err error) {
	past := e.pasts[id]
	if len(past) == 0 {
		return false, false, nil
	}
	var before *state
	var after state
	for i := range past {
		if past[i].seq <= w.after {
			before = &past[i]
		}
		if past[i].seq <= w.upTo {
			after = past[i]
		}
	}
	if !after.public || after.seq <= w.after {
		return false, false, nil
	}
	if before == nil && !e.based[id] { // the change before what was read
		e.based[id] = true
		older, err := e.Directory.History(ctx, id, past[0].seq, 1)
		if err != nil {
			return false, false, err
		}
		if len(older) > 0 {
			e.pasts[id] = append([]state{stateOf(&older[0])}, past...)
			before = &e.pasts[id][0]
		}
	}
	if before == nil || !before.public {
		return true, false, nil
	}
	return false, before.print != after.print, nil
}

// get reads entries as they stand, through what other digests have read.
func (e *edition) get(ctx context.Context, ids []directory.ID) error {
	var missing []directory.ID
	for _, id := range ids {
		if e.entries[id] == nil {
			missing = append(missing, id)
		}
	}
	for len(missing) > 0 {
		n := min(len(missing), 500)
		found, err := e.Directory.Entries(ctx, missing[:n])
		if err != nil {
			return err
		}
		for i := range found {
			e.entries[found[i].ID] = &found[i]
		}
		missing = missing[n:]
	}
	return nil
}
