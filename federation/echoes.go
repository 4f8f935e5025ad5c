package federation

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"sync"
	"time"

	"archipel/directory"
	"archipel/federation/vocab"
)

// Echo is what the public page of an entry shows of what came back from elsewhere.
type Echo struct {
	Likes, Shares int     // 0 where no organisation with an account of its own posted the entry
	Replies       []Reply // those that are shown, the first at the beginning
}

const (
	echoFresh = 5 * time.Second // what was done on another node is seen after that
	echoSlow  = time.Minute     // where counting costs more
	manyLikes = 500
	maxEchoes = 2000

	sweepEvery = 24 * time.Hour
)

// echoCache keeps what pages asked for a moment ago: a page that many open does not ask the store each time.
type echoCache struct {
	mu   sync.Mutex
	kept map[directory.ID]keptEcho
	made map[directory.ID]int // counts what was forgotten meanwhile
}

type keptEcho struct {
	Echo
	until  time.Time
	policy int64
}

func (c *echoCache) get(id directory.ID, policy int64, now time.Time) (Echo, int, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	k, ok := c.kept[id]
	return k.Echo, c.made[id], ok && k.policy == policy && now.Before(k.until)
}

// put keeps e, unless something changed since version was read.
func (c *echoCache) put(id directory.ID, e keptEcho, version int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.made[id] != version {
		return
	}
	if c.kept == nil || len(c.kept) >= maxEchoes {
		c.kept = map[directory.ID]keptEcho{}
	}
	c.kept[id] = e
}

func (c *echoCache) forget(id directory.ID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.kept, id)
	if c.made == nil || len(c.made) >= maxEchoes {
		c.made, c.kept = map[directory.ID]int{}, nil
	}
	c.made[id]++
}

// Echo is what came back about an entry and may be shown to everybody. What is of a server that is blocked or silenced is not
// in it; a reply that was taken back here, or that its author deleted, is gone at once.
func (s *Service) Echo(ctx context.Context, e *directory.Entry) (Echo, error) {
	if !publishes(e) {
		return Echo{}, nil
	}
	p, policy := s.policy.current()
	now := s.Now()
	echo, version, ok := s.echoes.get(e.ID, policy, now)
	if ok {
		return echo, nil
	}
	who, err := s.author(ctx, e, false)
	if err != nil {
		return Echo{}, err
	}
	terms, err := s.takesPart(ctx, who, e)
	if err != nil {
		return Echo{}, err
	}
	if who.entry != "" {
		if echo.Likes, err = s.count(ctx, e.ID, "Like"); err != nil {
			return Echo{}, err
		}
		if echo.Shares, err = s.count(ctx, e.ID, "Announce"); err != nil {
			return Echo{}, err
		}
	}
	if echo.Replies = nil; terms.replies {
		err = s.eachReply(ctx, e.ID, func(r *Reply) error {
			if r.State == ReplyShown && !p.hides(r.Actor) {
				r.Content, r.Doc = replyHTML(r.Content), nil
				echo.Replies = append(echo.Replies, *r)
			}
			return nil
		})
		if err != nil {
			return Echo{}, err
		}
		slices.SortStableFunc(echo.Replies, func(a, b Reply) int { return a.When().Compare(b.When()) })
	}
	kept := keptEcho{Echo: echo, until: now.Add(echoFresh), policy: policy}
	if echo.Likes+echo.Shares > manyLikes {
		kept.until = now.Add(echoSlow)
	}
	s.echoes.put(e.ID, kept, version)
	return echo, nil
}

// current is the policy with its revision.
func (c *policyCache) current() (Policy, int64) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.p, c.rev
}

// When is when a reply was written, as its author says, unless that lies ahead of its arrival.
func (r *Reply) When() time.Time {
	if at, err := time.Parse(time.RFC3339, r.Published); err == nil && at.Before(r.Received) {
		return at
	}
	return r.Received
}

// Host is the server of a reply's author.
func (r *Reply) Host() string { return vocab.Host(r.Actor) }

// sweepEchoes forgets what came back about entries that are gone, and heeds that events were moved, once a day.
func (s *Service) sweepEchoes(ctx context.Context) error {
	if err := s.renewJoins(ctx); err != nil {
		return err
	}
	gone := map[directory.ID]bool{}
	var batch []directory.ID
	look := func() error {
		entries, err := s.Directory.Entries(ctx, batch)
		if err != nil {
			return err
		}
		for i := range entries {
			if e := &entries[i]; e.Status != directory.Removed || s.Now().Sub(e.Updated) < joinKept {
				delete(gone, e.ID)
			}
		}
		batch = batch[:0]
		return nil
	}
	for _, kind := range []string{kindReply, kindReaction, kindVoice, kindJoin} {
		clear(gone)
		last := directory.ID("")
		err := eachRecord(ctx, s.store, kind, func(r directory.Record) error {
			id := directory.ID(r.Key[:min(len(r.Key), 36)])
			if id == last {
				return nil
			}
			last, gone[id] = id, true
			if batch = append(batch, id); len(batch) == 500 {
				return look()
			}
			return nil
		})
		if err == nil {
			err = look()
		}
		if err != nil {
			return err
		}
		for _, id := range slices.Sorted(maps.Keys(gone)) {
			if err := s.dropEchoes(ctx, kind, id); err != nil {
				return err
			}
		}
	}
	return nil
}

// dropEchoes erases the records of one kind about an entry.
func (s *Service) dropEchoes(ctx context.Context, kind string, id directory.ID) error {
	return eachWithPrefix(ctx, s.store, kind, string(id)+"/", func(rec directory.Record) error {
		if kind == kindReply {
			var r Reply
			if json.Unmarshal(rec.Value, &r) == nil {
				if err := s.store.DeleteRecord(ctx, kindReplyBy, placeKey(r.Actor, r.ID), 0); err != nil {
					return err
				}
			}
		}
		return s.store.DeleteRecord(ctx, kind, rec.Key, 0)
	})
}

// Wishes is what the team of whoever posts an entry lets people elsewhere do: answer, and say that they come; asks says that
// those wait for the team's yes.
func (s *Service) Wishes(ctx context.Context, e *directory.Entry) (replies, joins, asks bool, err error) {
	if !publishes(e) {
		return false, false, false, nil
	}
	who, err := s.author(ctx, e, false)
	if err != nil {
		return false, false, false, err
	}
	o, err := s.takesPart(ctx, who, e)
	return o.replies, o.joins, o.joins && o.asks, err
}
