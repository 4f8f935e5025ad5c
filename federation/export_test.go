package federation

import "time"

// Unlimited lets every server send as much as it can, for measuring.
func (s *Service) Unlimited() { s.limits.unlimited = true }

// Settle changes for how long an entry without an organiser waits for one.
func (s *Service) Settle(d time.Duration) { s.settle = d }
