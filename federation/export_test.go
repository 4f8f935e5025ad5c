package federation

import (
	"context"
	"time"

	"archipel/directory"
)

// Unlimited lets every server send as much as it can, for measuring.
func (s *Service) Unlimited() { s.limits.unlimited = true }

// Settle changes for how long an entry without an organiser waits for one.
func (s *Service) Settle(d time.Duration) { s.settle = d }

// ForgetActors forgets everybody elsewhere, as a month without them does.
func (s *Service) ForgetActors(ctx context.Context) error {
	s.actors.mu.Lock()
	clear(s.actors.m)
	s.actors.size = 0
	s.actors.mu.Unlock()
	return eachRecord(ctx, s.store, kindActor, func(r directory.Record) error { return s.store.DeleteRecord(ctx, kindActor, r.Key, 0) })
}

// Sweep does what is done once a day.
func (s *Service) Sweep(ctx context.Context) error { return s.sweepEchoes(ctx) }
