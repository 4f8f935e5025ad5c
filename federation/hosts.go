package federation

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"
	"unicode/utf8"

	"archipel/directory"
)

const (
	kindHost = "ap-host"

	schemeCavage  = "cavage"
	schemeRFC9421 = "rfc9421"

	firstPause = time.Minute
	longPause  = 24 * time.Hour
	deadAfter  = 7 * 24 * time.Hour  // from then on it is asked once a day
	dropAfter  = 60 * 24 * time.Hour // from then on its followers are gone
	perHost    = 2                   // deliveries at a time
	maxHosts   = 10_000              // in memory
)

// Host is how another server fares.
type Host struct {
	Host      string    `json:"host"`
	Scheme    string    `json:"scheme,omitempty"`  // the form of signature that it took last; empty: the first, cavage
	Contact   time.Time `json:"contact,omitzero"`  // last success
	Failing   time.Time `json:"failing,omitzero"`  // since when; zero: it is well
	Failures  int       `json:"failures,omitzero"` // in a row
	Next      time.Time `json:"next,omitzero"`     // not asked before
	LastError string    `json:"lastError,omitempty"`

	Refused     int       `json:"refused,omitzero"` // activities that it did not want, in all
	LastRefusal string    `json:"lastRefusal,omitempty"`
	RefusedAt   time.Time `json:"refusedAt,omitzero"`
}

// hostState is a host with its place in the store and its turnstile.
type hostState struct {
	mu    sync.Mutex
	rev   int64
	known bool // read from the store
	Host
	slots chan struct{}
	tried time.Time // when it last did not answer, as far as this process knows
}

type hostStates struct {
	store directory.Store
	now   func() time.Time
	mu    sync.Mutex
	all   map[string]*hostState
}

func (h *hostStates) of(host string) *hostState {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := h.all[host]
	if s == nil {
		if len(h.all) >= maxHosts {
			h.forgetIdle()
		}
		s = &hostState{Host: Host{Host: host}, slots: make(chan struct{}, perHost)}
		h.all[host] = s
	}
	return s
}

// forgetIdle drops the hosts with which nothing goes on now: what is to be known of them is in the store. The caller holds h.mu.
func (h *hostStates) forgetIdle() {
	for host, s := range h.all {
		if s.mu.TryLock() {
			if len(s.slots) == 0 {
				delete(h.all, host)
			}
			s.mu.Unlock()
		}
	}
}

// load reads a host's record once. The caller holds s.mu.
func (h *hostStates) load(ctx context.Context, s *hostState) error {
	if s.known {
		return nil
	}
	stored := Host{Host: s.Host.Host}
	rev, err := get(ctx, h.store, kindHost, stored.Host, &stored)
	if err != nil {
		return err
	}
	s.Host, s.rev, s.known = stored, rev, true
	return nil
}

// change changes a host's record. Of several processes that do so at once each has its say.
func (h *hostStates) change(ctx context.Context, host string, change func(*Host) bool) error {
	s := h.of(host)
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		if err := h.load(ctx, s); err != nil {
			return err
		}
		next := s.Host
		if !change(&next) {
			return nil
		}
		err := put(ctx, h.store, kindHost, host, next, s.rev, time.Time{})
		if err == nil {
			s.Host = next
			s.rev++
			return nil
		}
		if !isStale(err) {
			return err
		}
		s.known = false
	}
}

func isStale(err error) bool { return errors.Is(err, directory.ErrStale) }

// schemes are the form of signature that a host took last, and the other one.
func (h *hostStates) schemes(ctx context.Context, host string) (first, other string) {
	s := h.of(host)
	s.mu.Lock()
	defer s.mu.Unlock()
	_ = h.load(ctx, s) // only a hint: without it the request may knock twice
	if s.Scheme == schemeRFC9421 {
		return schemeRFC9421, schemeCavage
	}
	return schemeCavage, schemeRFC9421
}

// took remembers the form of signature that a host took.
func (h *hostStates) took(ctx context.Context, host, scheme string) {
	_ = h.change(ctx, host, func(s *Host) bool { // only a hint: without it the next request knocks twice again
		changed := s.Scheme != scheme
		s.Scheme = scheme
		return changed
	})
}

// wait is how long a host is not to be asked yet.
func (h *hostStates) wait(ctx context.Context, host string) (time.Duration, error) {
	s := h.of(host)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := h.load(ctx, s); err != nil {
		return 0, err
	}
	return max(0, s.Next.Sub(h.now())), nil
}

// succeeded notes that a host answered. The time of contact is kept to the hour.
func (h *hostStates) succeeded(ctx context.Context, host string) error {
	h.tried(host, time.Time{})
	return h.change(ctx, host, func(s *Host) bool {
		if s.Failures == 0 && h.now().Sub(s.Contact) < time.Hour {
			return false
		}
		s.Contact, s.Failing, s.Failures, s.Next, s.LastError = h.now().UTC(), time.Time{}, 0, time.Time{}, ""
		return true
	})
}

// refused notes that a host did not want an activity. It answers, so it is well.
func (h *hostStates) refused(ctx context.Context, host, activity string, cause error) error {
	h.tried(host, time.Time{})
	return h.change(ctx, host, func(s *Host) bool {
		now := h.now().UTC()
		s.Refused++
		s.LastRefusal, s.RefusedAt = short(activity+": "+cause.Error(), 300), now
		s.Contact, s.Failing, s.Failures, s.Next, s.LastError = now, time.Time{}, 0, time.Time{}, ""
		return true
	})
}

// turn waits until one of the few deliveries at a time to a host can be made, and returns what ends it.
func (h *hostStates) turn(ctx context.Context, host string) (release func(), err error) {
	slots := h.of(host).slots
	select {
	case slots <- struct{}{}:
		return func() { <-slots }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (h *hostStates) tried(host string, at time.Time) {
	s := h.of(host)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tried = at
}

// resting reports whether a host did not answer within the last minute.
func (h *hostStates) resting(host string) bool {
	s := h.of(host)
	s.mu.Lock()
	defer s.mu.Unlock()
	ago := h.now().Sub(s.tried)
	return !s.tried.IsZero() && ago >= 0 && ago < firstPause
}

// failed notes that a host does not answer, and says when to try again and whether its followers are to be given up.
func (h *hostStates) failed(ctx context.Context, host string, cause error, asked time.Duration) (wait time.Duration, giveUp bool, err error) {
	h.tried(host, h.now())
	err = h.change(ctx, host, func(s *Host) bool {
		now := h.now().UTC()
		if now.Before(s.Next) {
			wait = s.Next.Sub(now) // another delivery failed at the same time: one failure, not two
			return false
		}
		if s.Failing.IsZero() {
			s.Failing = now
		}
		s.Failures++
		giveUp = now.Sub(s.Failing) > dropAfter
		wait = pauseAfter(s.Failures, now.Sub(s.Failing) > deadAfter, rand.Float64())
		wait = max(wait, asked)
		s.Next, s.LastError = now.Add(wait), short(cause.Error(), 300)
		return true
	})
	return wait, giveUp, err
}

// pauseAfter is the pause after n failures in a row: a minute, doubled each time up to a day, give or take a quarter.
func pauseAfter(n int, dead bool, random float64) time.Duration {
	pause := longPause
	if !dead && n < 12 {
		pause = min(firstPause<<(n-1), longPause)
	}
	return time.Duration(float64(pause) * (0.75 + random/2))
}

// short is a text of at most so many bytes, whole characters all.
func short(s string, most int) string {
	if len(s) <= most {
		return s
	}
	for most > 0 && !utf8.RuneStart(s[most]) {
		most--
	}
	return s[:most]
}
