package subscribed

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"archipel/directory"
	"archipel/directory/ical"
)

// When calendars are fetched.
const (
	lookEvery   = 30 * time.Second // for calendars that are due
	atOnce      = 4                // fetches at the same time
	claimFor    = 5 * time.Minute  // how long one node has a calendar to itself
	oftenest    = time.Hour
	seldomest   = 24 * time.Hour
	firstPause  = 15 * time.Minute // after a failure, doubled each time
	tellAfter   = 3                // failures in a row, of which the team learns by mail
	maxRefused  = 10               // that are remembered
	maxWarnings = 12
)

// Run fetches what is due until ctx ends.
func (s *Service) Run(ctx context.Context) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		if err := s.Due(ctx); err != nil && ctx.Err() == nil {
			s.Log.Error("the calendars cannot be looked at", "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-s.wake:
		case <-tick.C:
		}
	}
}

// Due fetches every calendar that is due, and waits for them.
func (s *Service) Due(ctx context.Context) error {
	var due []*Calendar
	now := s.Now()
	err := s.each(ctx, func(c *Calendar) error {
		switch {
		case c.State == Active && !now.Before(c.Next) && (c.Claim == "" || !now.Before(c.Until)),
			c.State == Removed && c.Purge && !now.Before(c.Until):
			due = append(due, c)
		}
		return nil
	})
	if err != nil {
		return err
	}
	var wg sync.WaitGroup
	slots := make(chan struct{}, atOnce)
	for _, c := range due {
		slots <- struct{}{}
		if ctx.Err() != nil {
			break
		}
		wg.Go(func() {
			defer func() { <-slots }()
			if err := s.one(ctx, c); err != nil && ctx.Err() == nil {
				s.Log.Warn("a calendar was not fetched", "calendar", c.Key, "err", err)
			}
		})
	}
	wg.Wait()
	return nil
}

// one fetches a calendar, if no other node does.
func (s *Service) one(ctx context.Context, c *Calendar) error {
	if c.State == Removed {
		return s.purge(ctx, c)
	}
	now := s.Now().UTC()
	c.Claim, c.Until, c.Tried = s.node, now.Add(claimFor), now
	if err := s.save(ctx, c); err != nil {
		if errors.Is(err, directory.ErrStale) {
			return nil // somebody else has it, or somebody of the team changed it just now
		}
		return err
	}
	result := s.visit(ctx, c)
	if ctx.Err() != nil {
		return ctx.Err() // the claim ends by itself, and it begins anew
	}
	// What the team did meanwhile stands; the rest is as the fetch left it.
	told := false
	after, err := s.change(ctx, c.Key, func(now *Calendar) error {
		if now.Claim != s.node {
			return errLost
		}
		told = result(now)
		now.Claim, now.Until = "", time.Time{}
		return nil
	})
	switch {
	case errors.Is(err, errLost), errors.Is(err, ErrNone):
		return nil
	case err != nil:
		return err
	}
	if told && s.Tell != nil {
		if org, err := s.organisation(ctx, after.Of); err == nil {
			s.Tell(ctx, after, &org, after.Held != nil)
		}
	}
	return nil
}

var errLost = errors.New("another node has the calendar now")

// visit fetches a calendar and takes it over. What it gives writes down how that went, and says whether the team shall be
// told.
func (s *Service) visit(ctx context.Context, c *Calendar) func(*Calendar) bool {
	org, err := s.organisation(ctx, c.Of)
	if err != nil {
		return s.failed(&fetchError{code: codeOf(err), err: err})
	}
	if !org.Public() {
		return s.later
	}
	a, err := s.fetch.get(ctx, c, s.Now())
	if err != nil {
		return s.failed(err)
	}
	if a.unchanged {
		return s.same(c.ETag, c.Modified)
	}
	sum := sha256.Sum256(a.body)
	digest := hex.EncodeToString(sum[:])
	if digest == c.Digest {
		return s.same(a.etag, a.modified)
	}
	cal, err := ical.Read(a.body, ical.Options{Zone: s.Zone(), Now: s.Now()})
	if err != nil {
		code := BadType
		if errors.Is(err, ical.ErrTooLarge) {
			code = BadSize
		}
		return s.failed(&fetchError{code: code, err: err})
	}
	done, err := s.sync(ctx, c, &org, cal)
	if err != nil {
		return s.failed(&fetchError{code: BadStore, err: err})
	}
	return func(now *Calendar) bool {
		at := s.Now().UTC()
		begins := done.held != nil && now.Held == nil
		now.Title, now.Events, now.Fetched, now.Failures, now.Trouble = cal.Name, len(cal.Events), at, 0, nil
		now.Warnings, now.Refused, now.Held = cal.Warnings[:min(len(cal.Warnings), maxWarnings)], done.refused, done.held
		now.Waiting, now.Accept = done.waiting, now.Accept && !c.Accept
		if done.held != nil && c.Held != nil {
			now.Held.Since = c.Held.Since
		}
		now.ETag, now.Modified, now.Digest = "", "", ""
		if done.whole && done.held == nil && done.waiting == 0 {
			now.ETag, now.Modified, now.Digest = a.etag, a.modified, digest
		}
		// What changed lately is likely to change again.
		now.Interval = oftenest
		if cal.Refresh > 0 {
			now.Interval = clamp(cal.Refresh)
		}
		now.Next = at.Add(jittered(now.Interval))
		if !done.whole {
			now.Next = at.Add(jittered(firstPause))
		}
		return begins
	}
}

// later leaves a calendar for a while: what nobody may see, or has not been read yet, has no events.
func (s *Service) later(now *Calendar) bool {
	now.Next = s.Now().UTC().Add(jittered(firstPause))
	return false
}

// same writes down that nothing changed: the next fetch may be later.
func (s *Service) same(etag, modified string) func(*Calendar) bool {
	return func(now *Calendar) bool {
		at := s.Now().UTC()
		now.Fetched, now.Failures, now.Trouble, now.ETag, now.Modified = at, 0, nil, etag, modified
		if now.Digest == "" {
			now.ETag, now.Modified = "", "" // somebody asked for all of it meanwhile
		}
		now.Interval = clamp(now.Interval * 3 / 2)
		now.Next = at.Add(jittered(now.Interval))
		return false
	}
}

// failed writes down why a fetch failed: the next one is later each time, and when the server says.
func (s *Service) failed(err error) func(*Calendar) bool {
	return func(now *Calendar) bool {
		at := s.Now().UTC()
		bad := &fetchError{code: BadNetwork, err: err}
		errors.As(err, &bad)
		since := at
		if now.Trouble != nil {
			since = now.Trouble.Since
		}
		now.Trouble = &Trouble{Code: bad.code, Status: bad.status, Since: since}
		now.Failures++
		wait := seldomest
		if now.Failures < 8 {
			wait = min(firstPause<<(now.Failures-1), seldomest)
		}
		now.Next = at.Add(max(jittered(wait), bad.after))
		s.Log.Info("a calendar could not be fetched", "calendar", now.Key, "err", err)
		return now.Failures == tellAfter
	}
}

func codeOf(err error) string {
	if errors.Is(err, directory.ErrNotFound) || errors.Is(err, directory.ErrGone) {
		return BadOrg
	}
	return BadStore
}

// organisation is the entry that a calendar belongs to, or the one in which it lives on.
func (s *Service) organisation(ctx context.Context, id directory.ID) (directory.Entry, error) {
	for range 10 {
		e, err := s.Directory.Entry(ctx, id)
		if err != nil {
			return e, err
		}
		switch {
		case e.Status != directory.Removed:
			return e, nil
		case e.MergedInto == "":
			return e, fmt.Errorf("entry %s: %w", id, directory.ErrGone)
		}
		id = e.MergedInto
	}
	return directory.Entry{}, fmt.Errorf("entry %s: %w", id, directory.ErrGone)
}

func clamp(d time.Duration) time.Duration { return min(max(d, oftenest), seldomest) }

// jittered keeps calendars of one server, and nodes that begin together, from asking at the same moment.
func jittered(d time.Duration) time.Duration { return d + rand.N(d/5+1) }

// entries are the events of a calendar that are not removed. Whoever writes the name of its source on an entry of another's
// does not make it one.
func (s *Service) entries(ctx context.Context, c *Calendar) ([]directory.Entry, error) {
	list, err := s.Directory.Entries(ctx, s.Index.Of(c.Name))
	if err != nil {
		return nil, err
	}
	owner := c.Of
	if org, err := s.organisation(ctx, c.Of); err == nil {
		owner = org.ID // it may live on in another one
	}
	return slices.DeleteFunc(list, func(e directory.Entry) bool {
		return e.Status == directory.Removed || !belongs(&e, c.Of) && !belongs(&e, owner)
	}), nil
}

// belongs reports whether an event was made for an organisation: nobody but its team can say so.
func belongs(e *directory.Entry, org directory.ID) bool {
	return e.Private != nil && e.Private.Team == org || slices.Contains(e.Relations, directory.Relation{Rel: "organisedBy", Target: org})
}
