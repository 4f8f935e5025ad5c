package federation

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"archipel/directory"
	"archipel/federation/fetch"
	"archipel/federation/vocab"
)

const (
	processAtOnce = 8 // hosts whose activities are done at the same time
	giveUpAfter   = 7 * 24 * time.Hour
)

// processInbox does what came in, each host's activities in the order in which they came, until ctx ends.
func (s *Service) processInbox(ctx context.Context) {
	tick := time.NewTicker(2 * time.Second)
	defer tick.Stop()
	for {
		if err := s.processAll(ctx); err != nil && ctx.Err() == nil {
			s.Log.Warn("federation: the inbox cannot be read", "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-s.work:
		case <-tick.C:
		}
	}
}

// item is a received activity with its place in the store.
type item struct {
	key string
	rev int64
	received
}

// processAll does everything that is due, in rounds of some hundred.
func (s *Service) processAll(ctx context.Context) error {
	for after := ""; ; {
		records, err := s.store.Records(ctx, kindInbox, after, 200)
		if err != nil || len(records) == 0 {
			return err
		}
		after = records[len(records)-1].Key
		byHost := map[string][]item{}
		for _, r := range records {
			it := item{key: r.Key, rev: r.Rev}
			if err := json.Unmarshal(r.Value, &it.received); err != nil {
				s.Log.Error("federation: a received activity is damaged and left aside", "key", r.Key, "err", err)
				continue
			}
			if !it.Next.After(s.Now()) {
				byHost[vocab.Host(it.Actor)] = append(byHost[vocab.Host(it.Actor)], it)
			}
		}
		var wg sync.WaitGroup
		slots := make(chan struct{}, processAtOnce)
		for _, items := range byHost {
			slots <- struct{}{}
			wg.Go(func() {
				defer func() { <-slots }()
				for _, it := range items {
					if ctx.Err() == nil {
						s.finish(ctx, it)
					}
				}
			})
		}
		wg.Wait()
		if ctx.Err() != nil {
			return nil
		}
	}
}

// finish does one activity, and takes it off the list or says when to try again.
func (s *Service) finish(ctx context.Context, it item) {
	err := s.do(ctx, &it)
	if ctx.Err() != nil {
		return // it is on the list and will be done after the start
	}
	if err != nil && temporary(err) && s.Now().Sub(it.At) < giveUpAfter {
		it.Tries++
		it.Next = s.Now().Add(pauseAfter(it.Tries, false, 0.5)).UTC()
		err = put(ctx, s.store, kindInbox, it.key, it.received, it.rev, time.Time{})
		if err == nil {
			return
		}
	}
	if err != nil {
		s.Log.Info("federation: activity left aside", "id", it.ID, "actor", it.Actor, "why", err)
	}
	if err := s.store.DeleteRecord(ctx, kindInbox, it.key, 0); err != nil && ctx.Err() == nil {
		s.Log.Warn("federation: an activity stays on the list", "id", it.ID, "err", err)
	}
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
	a, err := vocab.Read(doc)
	if err != nil {
		return err
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
		if a.Object().ID == s.relayID() {
			return s.dropFollower(ctx, a.Actor)
		}
		return nil
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
		return s.ignoreJoin(ctx, a)
	case "Leave":
		return nil // nobody takes part by way of us
	}
	s.Log.Info("federation: activity of no use here", "type", a.Type, "id", a.ID, "actor", a.Actor)
	return nil
}

// follow takes a follower and says so to it. The Follow stays on the list until its server has heard the answer.
func (s *Service) follow(ctx context.Context, a *vocab.Activity, again bool) error {
	if a.Object().ID != s.relayID() {
		s.Log.Info("federation: follows nobody here", "actor", a.Actor, "object", a.Object().ID)
		return nil
	}
	actor, err := s.actors.get(ctx, a.Actor)
	if err != nil {
		return err
	}
	f, known, err := s.lookAgain(ctx, a.Actor)
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
			Actor: a.Actor, Host: host, Inbox: actor.inbox(), Shared: actor.sharedInbox(), Follow: a.ID, Object: s.relayID(),
			Since: s.Directory.Head(), Waiting: waiting, Time: s.Now().UTC(),
		}
		if err := s.putFollower(ctx, f); err != nil {
			return err
		}
		s.Log.Info("federation: new follower", "actor", f.Actor, "waiting", f.Waiting)
	}
	switch {
	case f.Refused:
		if err := s.reportTo(ctx, actor, "Reject", a); err != nil && temporary(err) {
			return err
		}
		return s.dropFollower(ctx, a.Actor)
	case f.Waiting:
		return nil
	}
	return s.reportTo(ctx, actor, "Accept", a)
}

// reportTo answers an activity to who sent it. Of that it repeats what tells it apart: the rest of the foreign document
// has its own context, whose terms may not be what ours mean.
func (s *Service) reportTo(ctx context.Context, to *remoteActor, kind string, a *vocab.Activity) error {
	answered := map[string]any{"id": a.ID, "type": a.Type, "actor": a.Actor, "object": a.Object().ID}
	doc, err := vocab.Wrap(vocab.Envelope{
		ID: s.relayID() + "#" + kind + "/" + hashKey(a.ID)[:32], Type: kind, Actor: s.relayID(), To: []string{a.Actor}, Object: answered,
	})
	if err != nil {
		return err
	}
	body, err := encode(doc)
	if err != nil {
		return err
	}
	return s.post(ctx, vocab.Host(to.ID), to.inbox(), body, false)
}

// undo takes back what its own actor did: a Follow, a Like or an Announce.
func (s *Service) undo(ctx context.Context, a *vocab.Activity) error {
	o := a.Object()
	if o.Doc != nil && vocab.Text(o.Doc, "actor") != a.Actor {
		return fmt.Errorf("%s undoes what %s did: %w", a.Actor, vocab.Text(o.Doc, "actor"), errStranger)
	}
	if f, known := s.followers.get(a.Actor); known && (f.Follow == o.ID || o.Type == "Follow" && vocab.Text(o.Doc, "object") == s.relayID()) {
		s.Log.Info("federation: follower left", "actor", a.Actor)
		return s.dropFollower(ctx, a.Actor)
	}
	return s.unreact(ctx, a.Actor, o)
}

// update takes a new state of an actor, who is asked for it anew, or of a reply.
func (s *Service) update(ctx context.Context, a *vocab.Activity) error {
	if a.Object().ID != a.Actor {
		return s.reply(ctx, a)
	}
	f, follows := s.followers.get(a.Actor)
	known, err := s.actors.known(ctx, a.Actor)
	if err != nil || known == nil && !follows {
		return err
	}
	actor, err := s.actors.fetch(ctx, a.Actor, false)
	if err != nil || !follows {
		return err
	}
	f.Inbox, f.Shared = actor.inbox(), actor.sharedInbox()
	return s.putFollower(ctx, f)
}

// delete forgets an actor, or a reply of its.
func (s *Service) delete(ctx context.Context, a *vocab.Activity) error {
	if a.Object().ID != a.Actor {
		return s.deleteReply(ctx, a.Actor, a.Object().ID)
	}
	if err := s.dropFollower(ctx, a.Actor); err != nil {
		return err
	}
	if err := s.deleteRepliesOf(ctx, a.Actor); err != nil {
		return err
	}
	return s.actors.forget(ctx, a.Actor)
}

// ignoreJoin tells whoever wants to take part that we do not keep lists of participants (FEP-8a8e asks for an answer).
func (s *Service) ignoreJoin(ctx context.Context, a *vocab.Activity) error {
	id, ok := s.entryOf(a.Object().ID)
	if !ok {
		return nil
	}
	if e, err := s.Directory.Entry(ctx, id); err != nil || e.Kind != directory.Event || !publishes(&e) {
		return err
	}
	actor, err := s.actors.get(ctx, a.Actor)
	if err != nil {
		return err
	}
	return s.reportTo(ctx, actor, "Ignore", a)
}
