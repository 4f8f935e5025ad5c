package islands

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"archipel/directory"
	"archipel/federation"
	"archipel/federation/fetch"
	"archipel/federation/vocab"
)

const followerPrefix = "island "

// push brings an island what changes here that it gets. It is a Follower of the log, whose cursor is the queue. Where there
// is much to say, it only says that there is something, and the island asks.
type push struct {
	s    *Service
	host string
	told string        // the cursor that went with what was said last
	done directory.Seq // said up to here

	unknown int // how often in a row it did not know our key
}

// unknownTries is how often an island is told the same again, a minute later each time, that does not know our key: it may be
// a new one.
const unknownTries = 5

// Name implements [directory.Follower].
func (p *push) Name() string { return followerPrefix + p.host }

// Shared implements [directory.Shared]: of several nodes one delivers.
func (p *push) Shared() bool { return true }

// manyChanges is from how many changes on the island is asked to read them itself.
const manyChanges = 50

// drive makes a Follower of the log of each island that follows us, and stops those that do no more.
func (s *Service) drive(ctx context.Context) {
	driven := map[string]bool{}
	for _, f := range s.Directory.Followers() {
		if host, ok := strings.CutPrefix(f.Name, followerPrefix); ok {
			driven[host] = true
			if a := s.cache.get(host); a == nil || !a.Out.Active() || s.Network.Blocks(host) {
				s.Directory.Unfollow(f.Name)
				driven[host] = false
			}
		}
	}
	for _, a := range s.cache.list() {
		if !a.Out.Active() || driven[a.Host] || s.Network.Blocks(a.Host) {
			continue
		}
		p := &push{s: s, host: a.Host}
		// What there was before, it reads itself. A cursor from an earlier time, before a pause, is of no use.
		saved, err := s.store.Cursor(ctx, p.Name())
		if head := s.Directory.Head(); err == nil && saved == 0 && head > 1 {
			err = s.store.SaveCursor(ctx, p.Name(), head-1) // so that it is told at once that there is something
		}
		if err != nil {
			s.Log.Warn("islands: deliveries cannot begin", "island", a.Host, "err", err)
			continue
		}
		s.Directory.Follow(p)
	}
}

// revive goes on delivering to an island that was away and asks us something now: it is back.
func (s *Service) revive(ctx context.Context, host string) {
	name := followerPrefix + host
	for _, f := range s.Directory.Followers() {
		var later *directory.Later
		if f.Name != name || !errors.As(f.Err, &later) {
			continue
		}
		if err := s.Network.Answers(ctx, host); err != nil {
			s.Log.Warn("islands: that a peer is back cannot be noted", "island", host, "err", err)
			continue
		}
		s.Directory.Follow(&push{s: s, host: host})
	}
}

// Consume implements [directory.Follower].
func (p *push) Consume(ctx context.Context, changes []directory.Change) error {
	a := p.s.cache.get(p.host)
	if a == nil || !a.Out.Active() || p.s.Network.Blocks(p.host) || a.Inbox == "" {
		return nil
	}
	for len(changes) > 0 && changes[0].Seq <= p.done {
		changes = changes[1:]
	}
	if len(changes) == 0 {
		return nil
	}
	d, err := p.s.sender(ctx, a)
	if err != nil {
		return err
	}
	// The first time it asks by itself anyhow, for it cannot know what came before.
	if len(changes) >= manyChanges || p.told == "" {
		last := &changes[len(changes)-1]
		return p.hint(ctx, a, fmt.Sprintf("%s#hint/%s/%s", p.s.mirrorID(), last.ID, hashOf(p.host)), p.s.token(last.Seq, last.ID))
	}
	since := changes[0].Seq - 1
	items, err := d.items(ctx, changes, since, false)
	if err != nil {
		return err
	}
	for i := range changes {
		c := &changes[i]
		if items[i] != nil {
			if err := p.say(ctx, a, items[i], c); err != nil {
				return err
			}
		}
		p.done = c.Seq
	}
	return nil
}

// say brings one activity, by itself when it is the island's own, else within an Announce.
func (p *push) say(ctx context.Context, a *Agreement, item json.RawMessage, c *directory.Change) error {
	// By the id of the change: a log that lost its end gives the same numbers again.
	id := fmt.Sprintf("%s#announce/%s/%s", p.s.mirrorID(), c.ID, hashOf(p.host))
	return p.post(ctx, a, id, item, p.s.token(c.Seq, c.ID))
}

// hint says that there is something to be read.
func (p *push) hint(ctx context.Context, a *Agreement, id, token string) error {
	object, err := encode(p.s.base + "/mirror/changes")
	if err != nil {
		return err
	}
	return p.post(ctx, a, id, object, token)
}

func (p *push) post(ctx context.Context, a *Agreement, id string, object json.RawMessage, token string) error {
	body, err := encode(map[string]any{
		"@context": []any{vocab.Context, map[string]any{"archipel": terms, "cursor": "archipel:cursor", "after": "archipel:after"}},
		"id":       id, "type": "Announce", "actor": p.s.mirrorID(), "to": []any{a.Actor}, "published": stamp(p.s.Now()), "object": object,
		"cursor": token, "after": p.told,
	})
	if err != nil {
		return err
	}
	err = p.s.Network.PostAs(ctx, actorName, a.Inbox, body)
	var later *directory.Later
	switch {
	case err == nil:
		p.told, p.unknown = token, 0
		return nil
	case errors.As(err, &later) || ctx.Err() != nil || federation.MayPass(err):
		return err
	}
	var status *fetch.StatusError
	if errors.As(err, &status) && status.Code == http.StatusUnauthorized && p.unknown < unknownTries {
		p.unknown++
		return &directory.Later{After: time.Minute, Err: err}
	}
	// It does not want this one. It finds out what it lacks when it asks or compares.
	p.s.Log.Info("islands: a peer refused what it was told", "island", p.host, "err", err)
	p.told = ""
	return nil
}

// announced takes what a peer tells us.
func (s *Service) announced(ctx context.Context, peer *Agreement, doc map[string]any, a *vocab.Activity) error {
	if !peer.In.Active() {
		return s.remind(ctx, peer.Host, In)
	}
	inner, whole := doc["object"].(map[string]any)
	gap, err := s.follows(ctx, peer.Host, vocab.Text(doc, "after"), vocab.Text(doc, "cursor"))
	if err != nil {
		return err
	}
	if !whole || gap || !s.flows.push(peer.Host, s.Now()) {
		if err := s.changeSync(ctx, peer.Host, func(v *SyncState) { v.saw(vocab.Text(doc, "cursor")) }); err != nil {
			return err
		}
		if err := s.want(ctx, peer.Host, false); err != nil {
			return err
		}
	}
	if !whole || !s.flows.take(peer.Host, 1, s.Now()) {
		return nil
	}
	if b, err := json.Marshal(inner); err != nil || len(b) > maxObject {
		s.noteRefusal(ctx, peer.Host, outcome{Refused: 1, Why: map[string]int{whyLarge: 1}})
		return nil
	}
	if inner["type"] == "Remove" {
		gone, err := vocab.Read(inner)
		if err != nil || gone.Actor != a.Actor {
			return nil
		}
		if err := s.withdrawn(ctx, peer, gone); err != nil {
			return err
		}
	} else {
		all, refused, err := s.readAll(ctx, []map[string]any{inner})
		if err != nil {
			return err
		}
		o, err := s.apply(ctx, peer, all)
		if err != nil {
			return err
		}
		o.add(refused)
		if o.Refused > 0 {
			s.noteRefusal(ctx, peer.Host, o)
		}
	}
	if gap {
		return nil
	}
	return s.arrived(ctx, peer.Host, vocab.Text(doc, "cursor"))
}

// withdrawn takes an object out that a peer does not show us any more.
func (s *Service) withdrawn(ctx context.Context, peer *Agreement, a *vocab.Activity) error {
	n, ok := s.withdrawal(a.Object().ID)
	if !ok {
		return nil
	}
	_, err := s.apply(ctx, peer, []news{n})
	return err
}

func (s *Service) withdrawal(address string) (news, bool) {
	host := vocab.Host(address)
	id, ok := strings.CutPrefix(address, s.scheme+"://"+host+"/id/")
	return news{&state{origin: host, id: directory.ID(id), object: address}, true}, ok && directory.ID(id).Valid() && host != s.host
}

// waitFor is how long a peer that could not be asked is left in peace: longer each time.
func waitFor(failures int) time.Duration {
	return jitter(min(time.Minute<<min(failures, 10), 12*time.Hour))
}
