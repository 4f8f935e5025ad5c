package federation

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"archipel/directory"
	"archipel/federation/fetch"
	"archipel/federation/vocab"
)

const (
	processAtOnce = 32 // hosts whose activities are done at the same time
	heapsAtOnce   = 8  // records that are read at the same time: 2 MB, and at most 8
	giveUpAfter   = 7 * 24 * time.Hour
)

// processInbox does what came in, each host's activities in the order in which they came, until ctx ends. Of several nodes
// one does so.
func (s *Service) processInbox(ctx context.Context) error {
	done, err := openSeen(ctx, s.store)
	if err != nil {
		return err
	}
	tick := time.NewTicker(2 * time.Second)
	defer tick.Stop()
	for swept := (time.Time{}); ; {
		if now := s.Now(); now.Sub(swept) >= sweepEvery {
			if err := s.sweepEchoes(ctx); err != nil && ctx.Err() == nil {
				s.Log.Warn("federation: what came back about entries that are gone cannot be erased", "err", err)
			}
			swept = now
		}
		if err := s.processAll(ctx, done); err != nil && ctx.Err() == nil {
			s.Log.Warn("federation: the inbox cannot be read", "err", err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-s.work:
		case <-tick.C:
		}
	}
}

// heap is a record of what came in.
type heap struct {
	key   string
	items []*item
}

// item is a received activity.
type item struct {
	received
	again   bool // it is done anew, though it was done before: the operator said so
	ready   bool // nothing remains to be done
	waiting bool // its time has not come
}

// readHeap reads a record of what came in. One activity alone, and not a list, is one that an operator wants done anew.
func readHeap(r directory.Record) (heap, error) {
	h := heap{key: r.Key}
	if len(r.Value) > 0 && r.Value[0] == '{' {
		it := &item{again: true}
		h.items = append(h.items, it)
		return h, json.Unmarshal(r.Value, &it.received)
	}
	var list []received
	err := json.Unmarshal(r.Value, &list)
	for _, one := range list {
		h.items = append(h.items, &item{received: one})
	}
	return h, err
}

// processAll does everything that is due, in rounds of some records.
func (s *Service) processAll(ctx context.Context, done *seenLog) error {
	for after := ""; ; {
		records, err := s.store.Records(ctx, kindInbox, after, heapsAtOnce)
		if err != nil || len(records) == 0 {
			return err
		}
		after = records[len(records)-1].Key
		var heaps []heap
		byHost := map[string][]*item{}
		taken := map[seenID]bool{}
		for _, r := range records {
			h, err := readHeap(r)
			if err != nil {
				s.Log.Error("federation: a received activity is damaged and left aside", "key", r.Key, "err", err)
				continue
			}
			heaps = append(heaps, h)
			for _, it := range h.items {
				id := it.seen()
				switch {
				case !it.again && it.Tries == 0 && (taken[id] || done.has(id)):
					it.ready = true // it came to two nodes, or twice at once, or its record outlived it
				case it.Next.After(s.Now()):
					it.waiting = true
				default:
					host := vocab.Host(it.Actor)
					byHost[host] = append(byHost[host], it)
				}
				taken[id] = true
			}
		}
		var wg sync.WaitGroup
		slots := make(chan struct{}, processAtOnce)
		for _, items := range byHost {
			slots <- struct{}{}
			wg.Go(func() {
				defer func() { <-slots }()
				for _, it := range items {
					if directory.Held(ctx) == nil {
						s.finish(ctx, it)
					}
				}
			})
		}
		wg.Wait()
		if err := directory.Held(ctx); err != nil {
			return err // what is not taken off the list will be done after the start, or by another node
		}
		if err := s.takeOff(ctx, heaps, done); err != nil {
			return err
		}
	}
}

// takeOff writes anew what is not done, notes what is, and erases the records: in this order, so that a crash between two
// of them loses nothing.
func (s *Service) takeOff(ctx context.Context, heaps []heap, done *seenLog) error {
	var ids []seenID
	var empty []string
	for _, h := range heaps {
		if len(h.items) == 1 && !h.items[0].ready {
			if it := h.items[0]; !it.waiting {
				if err := s.rewrite(ctx, h.key, it); err != nil {
					return err
				}
			}
			continue
		}
		for i, it := range h.items {
			if it.ready {
				if id := it.seen(); !done.has(id) {
					ids = append(ids, id)
				}
				continue
			}
			// A record of its own, behind its heap and before whatever came later.
			err := put(ctx, s.store, kindInbox, fmt.Sprintf("%s/%04d", h.key, i), []received{it.received}, 0, time.Time{})
			if err != nil && !isStale(err) {
				return err
			}
		}
		empty = append(empty, h.key)
	}
	if err := done.done(ctx, ids, s.Now()); err != nil {
		return err
	}
	for _, key := range empty {
		if err := s.store.DeleteRecord(ctx, kindInbox, key, 0); err != nil {
			return err
		}
	}
	return nil
}

// rewrite puts one activity that is to be tried again in its own place.
func (s *Service) rewrite(ctx context.Context, key string, it *item) error {
	r, err := s.store.Record(ctx, kindInbox, key)
	if err != nil || r.Rev == 0 {
		return err
	}
	var v any = []received{it.received}
	if it.again {
		v = it.received
	}
	return put(ctx, s.store, kindInbox, key, v, r.Rev, time.Time{})
}

// finish does one activity, or says when to try again.
func (s *Service) finish(ctx context.Context, it *item) {
	err := s.do(ctx, it)
	if ctx.Err() != nil {
		return // it is on the list and will be done after the start
	}
	if err != nil && temporary(err) && s.Now().Sub(it.At) < giveUpAfter {
		it.Tries++
		it.Next = s.Now().Add(pauseAfter(it.Tries, false, rand.Float64())).UTC()
		return
	}
	if err != nil {
		s.Log.Info("federation: activity left aside", "id", it.ID, "actor", it.Actor, "why", err)
	}
	it.ready = true
}

// do does what an activity asks for. It may be called again for one that was done before.
func (s *Service) do(ctx context.Context, it *item) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v: %w", r, vocab.ErrForm)
			s.Log.Error("federation: panic", "activity", it.ID, "panic", r)
		}
	}()
	doc, err := fetch.Object(it.Body)
	if err != nil {
		return err
	}
	a, err := vocab.Normal(doc)
	if err == nil && (a.Type == "Create" || a.Type == "Update" || a.Type == "Flag") {
		a, err = vocab.Read(doc) // what is in them is kept; of the others only who says it of what matters
	}
	if err != nil {
		return err
	}
	if a.ID != it.ID || a.Actor != it.Actor {
		return fmt.Errorf("it can be read as one of %.200q, whose signature was not checked: %w", a.Actor, vocab.ErrForm)
	}
	if p := s.policy.get(); p.Blocked(vocab.Host(a.Actor)) {
		return nil // blocked since it came
	}
	if taken, err := s.rooms.receive(ctx, doc, a); taken || err != nil {
		return err
	}
	switch a.Type {
	case "Follow":
		return s.follow(ctx, a, it.Tries > 0)
	case "Undo":
		return s.undo(ctx, a)
	case "Block":
		return s.shun(ctx, a)
	case "Create":
		return s.reply(ctx, a)
	case "Update":
		return s.update(ctx, a)
	case "Delete":
		return s.delete(ctx, a)
	case "Like", "Announce":
		return s.react(ctx, a)
	case "Flag":
		return s.flag(ctx, a)
	case "Join":
		return s.join(ctx, a, it.again)
	case "Leave":
		return s.leave(ctx, a.Actor, a.Object())
	case "Move":
		return s.followerMoves(ctx, a)
	}
	s.Log.Info("federation: activity of no use here", "type", a.Type, "id", a.ID, "actor", a.Actor)
	return nil
}

// follow takes a follower and says so to it. The Follow stays on the list until its server has heard the answer.
func (s *Service) follow(ctx context.Context, a *vocab.Activity, again bool) error {
	who, ok, err := s.ourActor(ctx, a.Object().ID)
	if err != nil || !ok {
		s.Log.Info("federation: follows nobody here", "actor", a.Actor, "object", a.Object().ID)
		return err
	}
	actor, err := s.actors.get(ctx, a.Actor)
	if err != nil {
		return err
	}
	f, known, err := s.lookAgain(ctx, a.Actor, who.id)
	if err != nil {
		return err
	}
	if again && (!known || f.Follow != a.ID) {
		return nil // taken back since
	}
	if !known || f.Follow != a.ID {
		host := vocab.Host(a.Actor)
		p := s.policy.get()
		waiting := p.Waits(host) && (!known || f.Waiting)
		f = follower{
			Actor: a.Actor, Host: host, Inbox: actor.inbox(), Shared: actor.sharedInbox(), Follow: a.ID, Object: who.id,
			Since: s.Directory.Head(), Waiting: waiting, Time: s.Now().UTC(),
		}
		if err := s.putFollower(ctx, f); err != nil {
			return err
		}
		s.Log.Info("federation: new follower", "actor", f.Actor, "of", f.Object, "waiting", f.Waiting)
	}
	switch {
	case f.Refused:
		if err := s.reportTo(ctx, who, actor, "Reject", a); err != nil && temporary(err) {
			return err
		}
		return s.dropFollower(ctx, a.Actor, who.id)
	case f.Waiting:
		return nil
	}
	return s.reportTo(ctx, who, actor, "Accept", a)
}

// reportTo answers an activity to who sent it. Of that it repeats what tells it apart: the rest of the foreign document
// has its own context, whose terms may not be what ours mean.
func (s *Service) reportTo(ctx context.Context, who identity, to *remoteActor, kind string, a *vocab.Activity) error {
	answered := map[string]any{"id": a.ID, "type": a.Type, "actor": a.Actor, "object": a.Object().ID}
	doc, err := vocab.Wrap(vocab.Envelope{
		ID: who.id + "#" + kind + "/" + hashKey(a.ID)[:32], Type: kind, Actor: who.id, To: []string{a.Actor}, Object: answered,
	})
	if err != nil {
		return err
	}
	body, err := encode(doc)
	if err != nil {
		return err
	}
	return s.post(ctx, who, vocab.Host(to.ID), to.inbox(), body, false)
}

// undo takes back what its own actor did: a Follow, a Like or an Announce.
func (s *Service) undo(ctx context.Context, a *vocab.Activity) error {
	o := a.Object()
	if o.Doc != nil && vocab.Text(o.Doc, "actor") != a.Actor {
		return fmt.Errorf("%s undoes what %s did: %w", a.Actor, vocab.Text(o.Doc, "actor"), errStranger)
	}
	for _, f := range s.followers.of(a.Actor) {
		if f.Follow == o.ID || o.Type == "Follow" && vocab.Text(o.Doc, "object") == f.Object {
			s.Log.Info("federation: follower left", "actor", a.Actor, "of", f.Object)
			return s.dropFollower(ctx, a.Actor, f.Object)
		}
	}
	if o.Type == "Join" {
		return s.leave(ctx, a.Actor, vocab.Ref{ID: vocab.Text(o.Doc, "object")})
	}
	return s.unreact(ctx, a.Actor, o)
}

// update takes a new state of an actor, who is asked for it anew, or of a reply.
func (s *Service) update(ctx context.Context, a *vocab.Activity) error {
	if a.Object().ID != a.Actor {
		return s.reply(ctx, a)
	}
	follows := s.followers.of(a.Actor)
	known, err := s.actors.known(ctx, a.Actor)
	if err != nil || known == nil && len(follows) == 0 {
		return err
	}
	actor, err := s.actors.fetch(ctx, a.Actor, false)
	if err != nil {
		return err
	}
	for _, f := range follows {
		f.Inbox, f.Shared = actor.inbox(), actor.sharedInbox()
		if err := s.putFollower(ctx, f); err != nil {
			return err
		}
	}
	return nil
}

// delete forgets an actor, or a reply of its.
func (s *Service) delete(ctx context.Context, a *vocab.Activity) error {
	if a.Object().ID != a.Actor {
		return s.deleteReply(ctx, a.Actor, a.Object().ID)
	}
	for _, f := range s.followers.of(a.Actor) {
		if err := s.dropFollower(ctx, a.Actor, f.Object); err != nil {
			return err
		}
	}
	if err := s.leaveAll(ctx, a.Actor); err != nil {
		return err
	}
	if err := s.deleteRepliesOf(ctx, a.Actor); err != nil {
		return err
	}
	if err := s.unreactAll(ctx, a.Actor); err != nil {
		return err
	}
	return s.actors.forget(ctx, a.Actor)
}
