package federation

// Unlimited lets every server send as much as it can, for measuring.
func (s *Service) Unlimited() { s.limits.unlimited = true }
