package federation

import (
	"context"
	"errors"

	"archipel/directory"
)

// What follows serves the pages for people. Reasons are words of the interface: empty when all is well.

// FollowersOf is how many follow an organisation, and how many wait for the operator's yes.
func (s *Service) FollowersOf(id directory.ID) (following, waiting int) {
	address := s.actorID(id)
	return len(s.followers.accepted("", address)), s.followers.waiting(address)
}

// SubscribePage is [Service.Subscribe] with a reason: "handle", "server" or "no_page".
func (s *Service) SubscribePage(ctx context.Context, typed, ours string) (address, reason string) {
	address, err := s.Subscribe(ctx, typed, ours)
	switch {
	case err == nil:
		return address, ""
	case errors.Is(err, ErrHandle):
		return "", "handle"
	case errors.Is(err, ErrNoSubscribe):
		return "", "no_page"
	}
	s.Log.Info("federation: somebody's server cannot be asked where to follow", "typed", short(typed, 300), "err", err)
	return "", "server"
}

// AccountElsewhere is [Service.Elsewhere] with a reason: "handle", "self", "server" or "unknown".
func (s *Service) AccountElsewhere(ctx context.Context, typed string, e *directory.Entry) (address string, back bool, reason string) {
	address, back, err := s.Elsewhere(ctx, typed, e)
	switch {
	case err == nil:
		return address, back, ""
	case errors.Is(err, ErrHandle):
		reason = "handle"
	case errors.Is(err, errOurs):
		reason = "self"
	case temporary(err) || gone(err):
		reason = "server"
	default:
		reason = "unknown"
	}
	s.Log.Info("federation: an account elsewhere cannot be read", "typed", short(typed, 300), "err", err)
	return "", false, reason
}
