package federation

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"archipel/federation/fetch"
	"archipel/federation/vocab"
)

const giveUpAfter = 7 * 24 * time.Hour

// processInbox does what came in, each host's activities in the order in which they came, until ctx ends. Of several nodes
// one does so.
func (s *Service) processInbox(ctx context.Context) error {
	done, err := openSeen(ctx, s.store)
	if err != nil {
		return err
	}
	r := newRounds(s, done)
	defer r.running.Wait()
	tick := time.NewTicker(2 * time.Second)
	defer tick.Stop()
	for swept := (time.Time{}); ; {
		if now := s.Now(); now.Sub(swept) >= sweepEvery {
			if err := s.sweepEchoes(ctx); err != nil && ctx.Err() == nil {
				s.Log.Warn("federation: what came back about entries that are gone cannot be erased", "err", err)
			}
			swept = now
		}
		if err := r.pass(ctx); err != nil && ctx.Err() == nil {
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
		return s.join(ctx, a, it.again, it.Tries > 0)
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
	if err = s.answerTo(ctx, who, to, body); kind == "Ignore" && err != nil && ctx.Err() == nil {
		s.Log.Info("federation: not told that no list is kept", "actor", a.Actor, "err", err)
		return nil // nobody waits for that
	}
	return err
}

// answerTo brings an answer to somebody's inbox. While their host does not answer it is asked once a minute, however much it
// sends: it seems to be there, whatever pause was made before.
func (s *Service) answerTo(ctx context.Context, who identity, to *remoteActor, body []byte) error {
	host := vocab.Host(to.ID)
	if s.hosts.resting(host) {
		return fmt.Errorf("%s did not answer a moment ago", host)
	}
	err := s.post(ctx, who, host, to.inbox(), body, false)
	switch {
	case err == nil:
		return s.hosts.succeeded(ctx, host)
	case ctx.Err() != nil:
		return ctx.Err()
	case temporary(err):
		var status *fetch.StatusError
		asked := time.Duration(0)
		if errors.As(err, &status) {
			asked = status.RetryAfter
		}
		if _, _, failed := s.hosts.failed(ctx, host, err, asked); failed != nil {
			return failed
		}
	}
	return err
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
	for _, kind := range []string{kindReaction, kindVoice} {
		if err := s.eraseAll(ctx, kind, a.Actor); err != nil {
			return err
		}
	}
	return s.actors.forget(ctx, a.Actor)
}
