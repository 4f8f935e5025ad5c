package islands

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"archipel/directory"
	"archipel/federation"
	"archipel/federation/vocab"
)

// Receive implements [federation.Room]: it does what other mirrors ask for.
func (s *Service) Receive(ctx context.Context, doc map[string]any, a *vocab.Activity) (taken bool, err error) {
	host := vocab.Host(a.Actor)
	known, err := With(ctx, s.store, host) // the operator may have said something a moment ago
	if err != nil {
		return true, err
	}
	if taken, err := s.receivePlain(ctx, a); taken || err != nil {
		return taken, err
	}
	peer := known.Actor == a.Actor && known.Actor != ""
	known.In.prepare()
	switch {
	case a.Type == "Follow" && a.Object().ID == s.mirrorID(), a.Type == "Offer" && vocab.Text(a.Object().Doc, "actor") == s.mirrorID() && vocab.Text(a.Object().Doc, "object") == a.Actor:
		return true, s.knock(ctx, host, doc, a)
	case !peer:
		return false, nil
	case isOffer(a):
		return true, s.suggested(ctx, &known, doc, a)
	case strings.HasPrefix(a.Object().ID, s.offerID("")):
		return true, s.offerAnswered(ctx, host, doc, a)
	case a.Type == "Announce":
		return true, s.announced(ctx, &known, doc, a)
	case a.Type == "Remove":
		return true, s.withdrawn(ctx, &known, a)
	case a.Type == "Accept", a.Type == "Reject", a.Type == "Undo":
		return true, s.answered(ctx, host, doc, a)
	}
	return false, nil
}

// scopeOf reads the scope that an activity carries, and what else it says of the agreement.
func scopeOf(doc map[string]any) (scope Scope, err error) {
	b, err := json.Marshal(doc["scope"])
	if err == nil && doc["scope"] != nil {
		err = json.Unmarshal(b, &scope)
	}
	if err == nil {
		err = scope.Validate()
	}
	return scope, err
}

// knock takes the wish of another directory to follow us, or its invitation to follow it.
func (s *Service) knock(ctx context.Context, host string, doc map[string]any, a *vocab.Activity) error {
	about, inbox, err := s.describe(ctx, a.Actor)
	if err != nil {
		if federation.MayPass(err) {
			return err
		}
		if errors.Is(err, errTalkative) {
			return s.turnAway(ctx, a, ReasonLarge)
		}
		s.Log.Info("islands: somebody knocked who is no directory", "actor", a.Actor, "why", err)
		return nil
	}
	scope, err := scopeOf(doc)
	if err != nil {
		s.Log.Info("islands: a directory asks for what cannot be understood", "actor", a.Actor, "why", err)
		return nil
	}
	err = s.letIn(ctx, host, func(v *Agreement, _ int64) (bool, error) {
		v.Name, v.Actor, v.Inbox, v.About, v.Seen = about.Name, a.Actor, inbox, about, s.Now().UTC()
		if a.Type == "Offer" {
			if v.In.State == "" || v.In.State == Ended || v.In.State == Refused {
				v.In.set(Offered, denies(&v.In), "")
				v.In.Agreed = scope
			}
			return true, nil
		}
		if v.Out.Follow == a.ID {
			return true, nil // it says so again
		}
		before, same := v.Out, sameScope(&v.Out.Asked, &scope)
		v.Out.Follow, v.Out.Asked, v.Out.Note = a.ID, scope, tidy(vocab.Text(doc, "summary"))
		switch {
		case before.State == Offered:
			v.Out.set(Narrowed, true, "Accept") // what was offered holds, whatever is asked
		case before.goesOn() && same:
			v.Out.set(v.Out.given(), true, "Accept") // it goes on with what it paused
		case before.Active() && same:
			v.Out.set(before.State, true, "Accept") // it asks for what it has: perhaps it lost what it knew
		case before.State == Paused && before.ByUs:
			v.Out.Asked, v.Out.Note = before.Asked, before.Note // what we go on with later is what we said yes to
			v.Out.tellAgain("Reject")                           // we paused: it is told so again
		case before.State == Ended && before.Tell == "Reject": // it has not heard yet that we ended it: it is told about this one
			v.Out.Note = before.Note
			v.Out.tellAgain("Reject")
		default:
			v.Out.Agreed = Scope{Others: true}
			v.Out.set(Asked, false, "")
		}
		return true, nil
	})
	if errors.Is(err, errFull) {
		return s.turnAway(ctx, a, ReasonFull)
	}
	s.stir()
	return err
}

// answered takes what the other side decided about an agreement.
func (s *Service) answered(ctx context.Context, host string, doc map[string]any, a *vocab.Activity) error {
	about := a.Object().ID
	paused := vocab.Text(doc, "state") == string(Paused)
	after := Ended
	if paused {
		after = Paused
	}
	full, first := false, false
	_, err := change(ctx, s.store, kindIsland, host, func(v *Agreement, _ int64) (bool, error) {
		ours := about == s.followID(v) && v.In.Follow != ""
		if former := v.In.Former; a.Type == "Reject" && former != "" && about == s.mirrorID()+"/"+former {
			ours = true
		}
		switch {
		case a.Type == "Undo" && v.Out.Follow != "" && (about == v.Out.Follow || slices.Contains(vocab.Texts(doc, "before"), v.Out.Follow)):
			if v.Out.Active() || after == Ended && (v.Out.State == Asked || v.Out.goesOn()) {
				v.Out.set(after, false, "")
			} else if v.Out.State == Asked {
				v.Out.set(Ended, false, "") // it pauses what it does not have
			} else {
				return false, nil // what we refused, paused or ended stays so, and what we offer too
			}
			if v.Out.State == Ended {
				v.Out.Follow = ""
			}
			return true, nil
		case a.Type == "Accept" && ours:
			if v.In.State != Asked && !v.In.Active() && !v.In.goesOn() && (v.In.State != Refused || v.In.ByUs) {
				return false, nil // it has not heard yet that we left, or nobody here wishes it
			}
			scope, err := scopeOf(doc)
			if err != nil {
				s.Log.Info("islands: an agreement that cannot be understood", "island", host, "why", err)
				return false, nil
			}
			passOn, _ := doc["passOn"].(bool)
			v.In.Agreed, v.In.PassOn, v.In.Former, v.In.Before = scope, passOn, "", nil
			state := Accepted
			if vocab.Text(doc, "state") == string(Narrowed) {
				state = Narrowed
			}
			full, first = true, !v.In.Active() && !v.In.Standing
			v.In.set(state, false, "")
			return true, nil
		case a.Type == "Reject" && ours:
			if v.In.State == Asked {
				after = Refused
				if paused {
					after = Paused
				}
			} else if !v.In.Active() {
				return false, nil
			}
			v.In.set(after, false, "")
			v.In.Note, v.In.Reason = tidy(vocab.Text(doc, "summary")), reasonOf(vocab.Text(doc, "reason"))
			return true, nil
		}
		return false, nil
	})
	if err != nil {
		return err
	}
	if err := s.cache.refresh(ctx, s.store); err != nil {
		return err
	}
	if first {
		return s.begin(ctx, host)
	}
	if full {
		return s.want(ctx, host, true)
	}
	s.stir()
	return nil
}

// followID is the address of our Follow: of a plain actor it is the instance actor's, as servers elsewhere expect it.
func (s *Service) followID(a *Agreement) string {
	if a.Plain != nil {
		return s.Network.ActorID(federation.Relay) + "#" + a.In.Follow
	}
	return s.mirrorID() + "/" + a.In.Follow
}

// tell brings other directories what the operator decided, each in its own goroutine.
func (s *Service) tell(ctx context.Context, wg *sync.WaitGroup) {
	for _, a := range s.cache.list() {
		now := s.Now()
		due := func(side *Side) bool { return side.Tell != "" && !now.Before(side.TellNext) }
		if !due(&a.In) && !due(&a.Out) || s.Network.Blocks(a.Server()) || !s.syncs.try("tell "+a.Host) {
			continue
		}
		wg.Go(func() {
			defer s.syncs.done("tell " + a.Host)
			now, err := With(ctx, s.store, a.Host) // what was said meanwhile counts
			if err != nil {
				return
			}
			for _, d := range []Direction{In, Out} {
				if side := now.sides(d)[0]; due(side) {
					s.tellOne(ctx, &now, d)
				}
			}
		})
	}
}

// tellOne brings one side's news to the other directory, and notes that it was heard, or why not and when to try again.
func (s *Service) tellOne(ctx context.Context, a *Agreement, d Direction) {
	side := a.sides(d)[0]
	said := side.TellID
	err := s.meet(ctx, a)
	if err == nil {
		var body []byte
		doc, by := s.message(a, d), actorName
		if a.Plain != nil {
			doc, by = s.plainMessage(a), federation.Relay
		}
		if body, err = encode(doc); err == nil {
			err = s.Network.PostAs(ctx, by, a.Inbox, body)
		}
	}
	if ctx.Err() != nil {
		return
	}
	if err != nil {
		s.Log.Info("islands: a peer could not be told", "island", a.Host, "what", side.Tell, "err", err)
	}
	_, err = change(ctx, s.store, kindIsland, a.Host, func(v *Agreement, _ int64) (bool, error) {
		if v.Actor == "" {
			v.Actor, v.Inbox = a.Actor, a.Inbox
		}
		if a.Seen.After(v.Seen) {
			v.Name, v.About, v.Seen = a.Name, a.About, a.Seen
		}
		now := v.sides(d)[0]
		if now.TellID != said {
			return true, nil // something else is to be told by now
		}
		if err == nil {
			now.Tell, now.Error = "", ""
			return true, nil
		}
		now.Error = cut(err.Error(), 300)
		wait := time.Hour
		var later *directory.Later
		if errors.As(err, &later) {
			wait = later.After
		} else if federation.MayPass(err) {
			wait = time.Minute
		}
		now.TellNext = s.Now().Add(wait).UTC()
		return true, nil
	})
	if err != nil && ctx.Err() == nil {
		s.Log.Warn("islands: what a peer heard cannot be noted", "island", a.Host, "err", err)
	}
	s.stir()
}

// meet finds another directory's mirror, unless it is known.
func (s *Service) meet(ctx context.Context, a *Agreement) (err error) {
	actor := a.Actor
	if actor != "" && s.Now().Sub(a.Seen) < time.Hour {
		return nil
	}
	if a.Plain != nil {
		if err := s.meetPlain(ctx, a); err != nil && (actor == "" || a.In.Tell != "Undo") {
			return err
		}
		return nil // whom we leave we leave also while it cannot be read
	}
	if actor == "" {
		if actor, err = s.findActor(ctx, a.Host); err != nil {
			return err
		}
	}
	about, inbox, err := s.describe(ctx, actor)
	if err != nil {
		if a.Actor != "" && a.Inbox != "" {
			return nil // its inbox is known all the same
		}
		return err
	}
	first := a.Actor == ""
	a.Actor, a.Inbox, a.Name, a.About, a.Seen = actor, inbox, about.Name, about, s.Now().UTC()
	if !first {
		return nil
	}
	// Before it is told anything: its answer may be here before it has said that it heard us.
	_, err = change(ctx, s.store, kindIsland, a.Host, func(v *Agreement, _ int64) (bool, error) {
		if v.Actor != "" {
			return false, nil
		}
		v.Actor, v.Inbox, v.Name, v.About, v.Seen = a.Actor, a.Inbox, a.Name, a.About, a.Seen
		return true, nil
	})
	return err
}

// message is what the other directory is told about one side of an agreement.
func (s *Service) message(a *Agreement, d Direction) map[string]any {
	side := a.sides(d)[0]
	doc := map[string]any{
		"@context": []any{vocab.Context, map[string]any{
			"archipel": terms, "scope": map[string]any{"@id": "archipel:scope", "@type": "@json"}, "state": "archipel:state", "passOn": "archipel:passOn",
			"before": map[string]any{"@id": "archipel:before", "@type": "@id", "@container": "@set"},
		}},
		"id": s.mirrorID() + "#" + strings.ToLower(side.Tell) + "/" + side.TellID, "type": side.Tell, "actor": s.mirrorID(), "to": []any{a.Actor},
	}
	follow := map[string]any{"id": s.followID(a), "type": "Follow", "actor": s.mirrorID(), "object": a.Actor}
	switch side.Tell {
	case "Follow":
		doc["id"], doc["object"], doc["scope"] = follow["id"], a.Actor, side.Asked
		if side.Note != "" {
			doc["summary"] = side.Note
		}
	case "Undo":
		doc["object"], doc["state"] = follow, string(side.State)
		if ids := side.Before; len(ids) > 0 {
			before := make([]any, len(ids))
			for i, id := range ids {
				before[i] = s.mirrorID() + "/" + id
			}
			doc["before"] = before
		}
	case "Offer":
		doc["object"] = map[string]any{"id": s.mirrorID() + "#offered/" + side.TellID, "type": "Follow", "actor": a.Actor, "object": s.mirrorID()}
		doc["scope"] = side.Agreed
	case "Accept", "Reject":
		doc["object"] = map[string]any{"id": side.Follow, "type": "Follow", "actor": a.Actor, "object": s.mirrorID()}
		doc["state"] = string(side.State)
		if side.Tell == "Accept" {
			doc["scope"], doc["passOn"] = side.Agreed, side.PassOn
		} else if side.Note != "" {
			doc["summary"] = side.Note
		}
	}
	return doc
}

// refreshAbout looks again at what another directory says of itself, once a day.
func (s *Service) refreshAbout(ctx context.Context, host string) error {
	a, err := With(ctx, s.store, host)
	if err != nil || a.Actor == "" || s.Now().Sub(a.Seen) < 24*time.Hour {
		return err
	}
	about, inbox, err := s.describe(ctx, a.Actor)
	if err != nil {
		return fmt.Errorf("description: %w", err)
	}
	_, err = change(ctx, s.store, kindIsland, host, func(v *Agreement, _ int64) (bool, error) {
		v.Name, v.Inbox, v.About, v.Seen = about.Name, inbox, about, s.Now().UTC()
		return true, nil
	})
	return err
}
