package account

import (
	"context"
	"errors"

	"archipel/directory"
)

// Actor is who makes a request: somebody signed in, a program with an API token, or nobody that we know.
type Actor struct {
	ID      string // account id, a UUID; empty for nobody
	Name    string // how the person is called here; the public does not see it
	Role    Role
	Lang    string // language of mails and pages, empty when not chosen
	Trusted bool   // publishes without waiting
	Wards   []Ward // parts of the directory that the actor moderates

	Token  bool    // acts through an API token
	Scopes []Scope // of that token

	keeps func(team directory.ID) (owns, edits bool) // whether the actor is of an entry's own team

	under func(category string) []string    // see Options.Under
	zones func(e *directory.Entry) []string // see Options.Zones

	session string // hash of the session's cookie
	fresh   bool   // signed in a few minutes ago
}

// Anonymous is the actor of a request that nobody signed.
func Anonymous() *Actor { return &Actor{} }

// SignedIn reports whether the actor has an account.
func (a *Actor) SignedIn() bool { return a != nil && a.ID != "" }

// Author is how the log names the actor: "account:ID", or "visitor".
func (a *Actor) Author() string {
	if !a.SignedIn() {
		return "visitor"
	}
	return AuthorPrefix + a.ID
}

// Acting is an account as it acts, with what the instance tells of its teams and wards; nobody when it is gone or blocked.
func (s *Service) Acting(ctx context.Context, id string) (*Actor, error) {
	a, err := s.Get(ctx, id)
	switch {
	case errors.Is(err, ErrNoAccount):
		return Anonymous(), nil
	case err != nil:
		return nil, err
	case a.Blocked:
		return Anonymous(), nil
	}
	return s.inTeams(a.Actor()), nil
}

// AuthorPrefix begins the author of every change that an account made.
const AuthorPrefix = "account:"

// Can reports whether [May] allows it, for pages that show what somebody can do.
func (a *Actor) Can(action Action) bool { return May(a, action, nil) == nil }
