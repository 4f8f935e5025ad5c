package federation

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"sync"
	"time"

	"archipel/directory"
	"archipel/federation/signature"
	"archipel/federation/vocab"
)

// kindBy are the records that say who posted an entry: the first who did is its author for ever, since other servers take
// changes of a post from its author only.
const kindBy = "ap-by"

type postedBy struct {
	Organisation directory.ID `json:"organisation,omitempty"` // empty: the instance
}

// authors remembers who posted what.
type authors struct {
	mu  sync.Mutex
	all map[directory.ID]directory.ID
}

const maxAuthors = 20_000

func (a *authors) get(id directory.ID) (directory.ID, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	by, ok := a.all[id]
	return by, ok
}

func (a *authors) put(id, by directory.ID) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.all == nil || len(a.all) >= maxAuthors {
		a.all = map[directory.ID]directory.ID{}
	}
	a.all[id] = by
}

// settleFor is how long after its last change an entry has no author yet for whoever only looks: a program that adds an event
// says in a second step who organises it.
const settleFor = 3 * time.Second

// author returns the actor that posts an entry: of the organisation in whose name it is, when that had an actor when the
// entry was made and has one now, else of the instance. decide makes that the answer for good.
func (s *Service) author(ctx context.Context, e *directory.Entry, decide bool) (identity, error) {
	by, err := s.authorOf(ctx, e, decide)
	if err != nil || by == "" || !s.Published.active(by) {
		return s.self(), err
	}
	return s.identity(ctx, by)
}

func (s *Service) authorOf(ctx context.Context, e *directory.Entry, decide bool) (directory.ID, error) {
	who, question := s.Published.organisers(e.ID, e.Created)
	if !question {
		return "", nil
	}
	if by, ok := s.authors.get(e.ID); ok {
		return by, nil
	}
	for {
		var kept postedBy
		rev, err := get(ctx, s.store, kindBy, string(e.ID), &kept)
		if err != nil {
			return "", err
		}
		if rev == 0 {
			if len(who) > 0 {
				kept.Organisation = who[0]
			}
			if !decide {
				return kept.Organisation, nil
			}
			if err := put(ctx, s.store, kindBy, string(e.ID), kept, 0, time.Time{}); isStale(err) {
				continue
			} else if err != nil {
				return "", err
			}
		}
		s.authors.put(e.ID, kept.Organisation)
		return kept.Organisation, nil
	}
}

// bring tells the peer of the entry of a change, as it stands now.
func (p *peer) bring(ctx context.Context, c *directory.Change, before directory.Seq) error {
	if c.Entry.Origin != "" {
		return nil
	}
	audience := p.s.followers.audience(p.inbox)
	var err error
	var version directory.Seq
	switch c.Entry.Kind {
	case directory.Organisation:
		version, err = p.bringActor(ctx, c, before, audience)
	case directory.Event, directory.Initiative:
		version, err = p.bringPost(ctx, c, before, audience)
	}
	if err == nil && version > c.Seq {
		p.ahead[c.Entry.ID] = version
	}
	return err
}

// bringPost tells of an event or an initiative. Who follows the organisation in whose name it is hears it from that; who
// follows the instance hears that it is there, and what becomes of it.
func (p *peer) bringPost(ctx context.Context, c *directory.Change, before directory.Seq, audience map[string]bool) (directory.Seq, error) {
	s := p.s
	e, err := s.Directory.Entry(ctx, c.Entry.ID)
	if err != nil {
		return 0, err
	}
	knew, err := s.wasPublic(ctx, e.ID, before)
	if err != nil {
		return 0, err
	}
	verb := verbUpdate
	switch now := publishes(&e); {
	case !knew && !now:
		return 0, nil
	case !knew:
		verb = verbCreate
	case !now:
		verb = verbDelete
	}
	if s.Directory.Head() < c.Seq {
		if err := s.Directory.Refresh(ctx); err != nil { // the views shall know at least as much
			return 0, err
		}
	}
	if verb == verbCreate && s.unsettled(&e) {
		return 0, &directory.Later{After: s.settle, Err: fmt.Errorf("entry %s has just been made", e.ID)}
	}
	who, err := s.author(ctx, &e, verb != verbDelete)
	if err != nil {
		return 0, err
	}
	relayed := audience[s.relayID()]
	if audience[who.id] || relayed && verb != verbCreate {
		if err := p.say(ctx, who, c.Seq, &e, verb); err != nil {
			return 0, err
		}
	}
	if relayed && verb == verbCreate && who.entry != "" {
		if err := p.say(ctx, s.self(), c.Seq, &e, verbAnnounce); err != nil {
			return 0, err
		}
	}
	return e.Version, nil
}

// unsettled reports whether an entry is so new that its organiser may not have been said yet.
func (s *Service) unsettled(e *directory.Entry) bool {
	who, question := s.Published.organisers(e.ID, e.Created)
	return question && len(who) == 0 && s.Now().Sub(e.Updated) < s.settle
}

// say sends what one of our actors says of an entry, with the keys that were in force when it changed.
func (p *peer) say(ctx context.Context, who identity, at directory.Seq, e *directory.Entry, verb string) error {
	s := p.s
	who.keys = who.keys.at(at)
	body, err := s.bodies.of(bodyKey{e.ID, e.Version, verb, who.id, who.keys.generation}, func() ([]byte, error) {
		doc, err := s.tell(ctx, who, e, verb)
		if err != nil {
			return nil, err
		}
		return encode(doc)
	})
	switch {
	case err != nil && temporary(err) && !errors.Is(err, vocab.ErrForm):
		return err
	case err != nil:
		s.Log.Error("federation: an entry cannot be told of", "entry", e.ID, "err", err)
		return nil // it will not get better by waiting
	}
	return p.deliver(ctx, who, body)
}

// bringActor tells those who follow an organisation what became of its actor: another profile, another address, or nothing
// any more. What its events are is told of those.
func (p *peer) bringActor(ctx context.Context, c *directory.Change, before directory.Seq, audience map[string]bool) (directory.Seq, error) {
	s := p.s
	id := s.actorID(c.Entry.ID)
	if !audience[id] && !audience[s.relayID()] {
		return 0, nil
	}
	changes, err := s.Directory.History(ctx, c.Entry.ID, before, 1)
	if err != nil || len(changes) == 0 {
		return 0, err
	}
	was := &changes[0].Entry
	if !acts(was) && !(changes[0].Redacted && was.Status == directory.Published) {
		return 0, nil
	}
	e, err := s.Directory.Entry(ctx, c.Entry.ID)
	if err != nil {
		return 0, err
	}
	who, err := s.identity(ctx, e.ID)
	if err != nil {
		return 0, err
	}
	switch now := acts(&e); {
	case now && !audience[id]:
		return e.Version, nil
	case now && e.Fediverse.MovedTo != "" && (was.Fediverse == nil || e.Fediverse.MovedTo != was.Fediverse.MovedTo):
		return e.Version, p.say(ctx, who, c.Seq, &e, verbMove)
	case now && s.sameProfile(who, was, &e):
		return e.Version, nil
	case now:
		return e.Version, p.say(ctx, who, c.Seq, &e, verbUpdate)
	}
	verb := verbDelete
	if s.target(&e) != "" {
		verb = verbMove
	}
	if verb == verbDelete || audience[id] {
		if err := p.say(ctx, who, c.Seq, &e, verb); err != nil {
			return 0, err
		}
	}
	s.dropFollowers(ctx, func(f *follower) bool { return f.Object == id && f.to() == p.inbox }, "the organisation takes no part any more")
	return e.Version, nil
}

// sameProfile reports whether two states of an organisation look the same from elsewhere.
func (s *Service) sameProfile(who identity, a, b *directory.Entry) bool {
	x, y := s.profile(who, a), s.profile(who, b)
	delete(x, "updated")
	delete(y, "updated")
	return reflect.DeepEqual(x, y)
}

// renewKeys tells the peer of new keys of the actors that are followed there, before it gets anything signed with them:
// the actor with the new keys, signed with the old ones.
func (p *peer) renewKeys(ctx context.Context, seq directory.Seq) error {
	if seq <= p.renewed {
		return nil
	}
	for address := range p.s.followers.audience(p.inbox) {
		who, ok, err := p.s.ourActor(ctx, address)
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		for k := who.keys; k.previous != nil; k = k.previous {
			if k.since+1 != seq {
				continue
			}
			body, err := p.s.newKeys(ctx, identity{who.id, who.entry, k})
			if err == nil {
				err = p.deliver(ctx, identity{who.id, who.entry, k.previous}, body)
			}
			if err != nil {
				return err
			}
		}
	}
	p.renewed = seq
	return nil
}

// newKeys is the Update of an actor that shows its new keys, proved with those before.
func (s *Service) newKeys(ctx context.Context, who identity) ([]byte, error) {
	var profile map[string]any
	if who.entry == "" {
		profile = s.relayDocument(who)
	} else {
		e, err := s.Directory.Entry(ctx, who.entry)
		if err != nil {
			return nil, err
		}
		profile = s.profile(who, &e)
	}
	doc, err := s.updateActor(who, fmt.Sprintf("%s#updates/keys-%d", who.id, who.keys.generation), profile, who.keys.created)
	if err != nil {
		return nil, err
	}
	if err := signature.Prove(doc, identity{who.id, who.entry, who.keys.previous}.assertionKeyID(), who.keys.previous.ed, s.Now()); err != nil {
		return nil, err
	}
	return encode(doc)
}

// updateActor is an Update of one of our actors, without a proof.
func (s *Service) updateActor(who identity, id string, profile map[string]any, at time.Time) (map[string]any, error) {
	profile = maps.Clone(profile)
	context := profile["@context"]
	doc, err := vocab.Wrap(vocab.Envelope{
		ID: id, Type: verbUpdate, Actor: who.id, To: []string{vocab.Public}, Cc: []string{who.followersID()}, Published: at, Object: profile,
	})
	if err == nil {
		doc["@context"] = context
	}
	return doc, err
}
