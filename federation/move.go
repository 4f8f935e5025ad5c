package federation

import (
	"context"
	"fmt"
	"slices"

	"archipel/federation/vocab"
)

// followerMoves takes a follower who moves to another account along to it, when that names the old one as its own: only both
// together prove that it is the same person. What is not proved changes nothing.
func (s *Service) followerMoves(ctx context.Context, a *vocab.Activity) error {
	follows := s.followers.of(a.Actor)
	target := vocab.ReadThing(a.Doc).Target
	why := ""
	switch {
	case a.Object().ID != a.Actor:
		why = "it moves somebody else"
	case target == "" || target == a.Actor || vocab.Host(target) == "" || s.ours(target):
		why = "it leads nowhere"
	case len(follows) == 0:
		why = "it follows nobody here"
	}
	if why != "" {
		s.Log.Info("federation: a move is left aside", "actor", a.Actor, "to", short(target, 300), "why", why)
		return nil
	}
	known, err := s.actors.known(ctx, target)
	if err != nil {
		return err
	}
	// Asked anew: what was known of it may be older than its word about the old account.
	next, err := s.actors.fetch(ctx, target, known == nil)
	if err != nil {
		return fmt.Errorf("where %.200q moves to: %w", a.Actor, err)
	}
	if !slices.Contains(vocab.ReadThing(next.Doc).AlsoKnownAs, a.Actor) {
		s.Log.Info("federation: a move is left aside", "actor", a.Actor, "to", target, "why", "the new account does not name the old one")
		return nil
	}
	for _, f := range follows {
		if err := s.moveFollower(ctx, f, next); err != nil {
			return err
		}
	}
	return nil
}

// moveFollower lets somebody follow by another account, from where the deliveries to the old one stand.
func (s *Service) moveFollower(ctx context.Context, f follower, next *remoteActor) error {
	now, known, err := s.lookAgain(ctx, f.Actor, f.Object)
	if err != nil || !known || now.Refused {
		return err
	}
	if _, already := s.followers.get(s.followerKey(next.ID, f.Object)); !already {
		at, err := s.store.Cursor(ctx, (&peer{s: s, inbox: f.to()}).Name())
		if err != nil {
			return err
		}
		to, host, p := now, vocab.Host(next.ID), s.policy.get()
		to.Actor, to.Host, to.Inbox, to.Shared, to.Time = next.ID, host, next.inbox(), next.sharedInbox(), s.Now().UTC()
		to.Since, to.Waiting = max(f.Since, at), now.Waiting || p.Waits(host)
		if err := s.putFollower(ctx, to); err != nil {
			return err
		}
	}
	s.Log.Info("federation: follower moved", "actor", f.Actor, "to", next.ID, "of", f.Object)
	return s.dropFollower(ctx, f.Actor, f.Object)
}

// shun lets an actor who blocks one of ours go: it follows no more, and what it wrote here is not shown.
func (s *Service) shun(ctx context.Context, a *vocab.Activity) error {
	if !s.ours(a.Object().ID) {
		return nil
	}
	if _, follows := s.followers.get(s.followerKey(a.Actor, a.Object().ID)); follows {
		if err := s.dropFollower(ctx, a.Actor, a.Object().ID); err != nil {
			return err
		}
	}
	return s.deleteRepliesOf(ctx, a.Actor)
}
