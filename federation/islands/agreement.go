package islands

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"time"

	"archipel/directory"
	"archipel/federation/vocab"

	"github.com/google/uuid"
)

// State says how far one direction of an agreement has come.
type State string

// States. Asked, Offered and Refused are before an agreement, Accepted and Narrowed are one, Paused and Ended after it.
const (
	Offered  State = "offered"  // the directory that would be followed has invited the other
	Asked    State = "asked"    // the one that would follow waits for an answer
	Accepted State = "accepted" // as it was asked
	Narrowed State = "narrowed" // for less than was asked
	Refused  State = "refused"
	Paused   State = "paused" // nothing is sent and nothing is seen, and either can go on when whoever paused wants to
	Ended    State = "ended"
)

// Policy says what becomes of what comes in.
type Policy string

// Policies.
const (
	Show    Policy = "show"    // is public at once
	Review  Policy = "review"  // waits for a moderator
	Suggest Policy = "suggest" // is a draft that a moderator may take up
)

// Agreement is what this directory and another one have agreed to, in both directions. It is a record of the store.
type Agreement struct {
	Host  string      `json:"-"`               // of the other directory; of a plain actor, its handle
	Name  string      `json:"name,omitempty"`  // what it calls itself
	Actor string      `json:"actor,omitempty"` // its mirror; empty until it was found
	Inbox string      `json:"inbox,omitempty"`
	About Description `json:"about,omitzero"`  // what it said of itself when it was last asked
	Seen  time.Time   `json:"seen,omitzero"`   // when that was
	Plain *Plain      `json:"plain,omitempty"` // set when it is no directory of the archipelago; see [Follow]
	In    Side        `json:"in"`              // we follow it
	Out   Side        `json:"out"`             // it follows us

	rev int64
}

// Side is one direction of an agreement.
type Side struct {
	State    State     `json:"state,omitempty"`    // empty: nothing was ever said
	Follow   string    `json:"follow,omitempty"`   // id of the Follow that it is about
	Former   string    `json:"former,omitempty"`   // id of the Follow that was said before to remind, until this one is answered
	Before   []string  `json:"before,omitempty"`   // ids of the Follows before it that the other one may know instead, until this one is answered
	Asked    Scope     `json:"asked,omitzero"`     // what the follower wants
	Agreed   Scope     `json:"agreed,omitzero"`    // what the other one gives; both must hold
	Policy   Policy    `json:"policy,omitempty"`   // of In
	PassOn   bool      `json:"passOn,omitempty"`   // the follower may show it to others in its turn
	Standing bool      `json:"standing,omitempty"` // agreed to, and neither paused nor ended since: also while something else is asked for
	ByUs     bool      `json:"byUs,omitempty"`     // it was this side that refused, paused or ended
	Unbound  bool      `json:"unbound,omitempty"`  // asked for, taken back or declined when nothing had been agreed to: what comes by way of others may be seen
	Since    time.Time `json:"since,omitzero"`     // of the state
	Note     string    `json:"note,omitempty"`     // said with it, in plain text
	Reason   Reason    `json:"reason,omitempty"`   // why its program refused, before anybody there saw it
	Tell     string    `json:"tell,omitempty"`     // what the other side has not heard yet: a type of activity
	TellID   string    `json:"tellId,omitempty"`   // its id
	TellNext time.Time `json:"tellNext,omitzero"`  // not before
	Error    string    `json:"error,omitempty"`    // why it could not be told
	Reminded time.Time `json:"reminded,omitzero"`  // when it was told again last, because it seemed not to know
	MaxItems int       `json:"maxItems,omitempty"` // of In: how many entries are taken at most; 0 for DefaultMaxItems
}

// DefaultMaxItems is how many entries of one island are taken unless the agreement says otherwise.
const DefaultMaxItems = 500_000

// Active reports whether entries go this way.
func (s Side) Active() bool { return s.State == Accepted || s.State == Narrowed }

// goesOn reports whether the other side has paused what was agreed to, and may go on with it when it likes.
func (s Side) goesOn() bool { return s.State == Paused && !s.ByUs }

func (s *Side) prepare() {
	if s.Policy == "" {
		s.Policy = Show
	}
}

// holds reports whether an entry is in what was asked and in what was agreed.
func (s *Side) holds(c *candidate) bool { return s.Asked.holds(c) && s.Agreed.holds(c) }

// Stands is what the follower asks for, or what it is given instead of that.
func (s *Side) Stands() Scope {
	if s.State == Narrowed {
		return s.Agreed
	}
	return s.Asked
}

func (s *Side) max() int {
	if s.MaxItems > 0 {
		return s.MaxItems
	}
	return DefaultMaxItems
}

// ErrNoAgreement is an island with which there is nothing that the operator could decide on in that way.
var ErrNoAgreement = fmt.Errorf("nothing of that kind stands with this island: %w", directory.ErrNotFound)

// HostOf understands what an operator types for another directory: its host, or any address of it. The error is a
// [directory.Invalid] about "island".
func HostOf(text string) (string, error) {
	text = strings.TrimSpace(text)
	address := text
	if !strings.Contains(address, "://") {
		address = "https://" + address
	}
	u, err := url.Parse(address)
	if err != nil || vocab.Host(address) == "" || strings.Trim(vocab.Host(address), "abcdefghijklmnopqrstuvwxyz0123456789.-:[]") != "" || u.User != nil || len(address) > 300 {
		return "", directory.Invalid{{Field: "island", Code: directory.CodeInvalid, Params: map[string]any{"value": text}}}
	}
	return vocab.Host(u.Scheme + "://" + u.Host), nil
}

// The functions below are what an operator decides. They write to the store only, so they work beside a running server,
// which tells the other side within seconds, or as soon as that answers again.

// Ask asks another directory to let us show what is in a scope.
func Ask(ctx context.Context, store directory.Store, island string, scope Scope, policy Policy) (Agreement, error) {
	return AskSaying(ctx, store, island, scope, policy, "")
}

// AskSaying is [Ask] with a few words for the people of the other directory, in plain text.
func AskSaying(ctx context.Context, store directory.Store, island string, scope Scope, policy Policy, message string) (Agreement, error) {
	host, err := HostOf(island)
	if err != nil {
		return Agreement{}, err
	}
	if err := scope.Validate(); err != nil {
		return Agreement{}, err
	}
	if policy, err = policyOf(policy); err != nil {
		return Agreement{}, err
	}
	return decide(ctx, store, host, func(a *Agreement) error {
		if a.In.State != Asked {
			a.In.Unbound = !a.In.Standing && !denies(&a.In)
		}
		a.In.Asked, a.In.Agreed, a.In.Policy = scope, Scope{Others: true}, policy
		if a.In.Follow != "" {
			a.In.Before = lastOf(append(a.In.Before, a.In.Follow), maxBefore)
		}
		a.In.Follow = "follows/" + uuid.NewString() // what comes before it is the server's to say
		a.In.set(Asked, true, "Follow")
		a.In.Note = cut(message, maxSaid)
		return nil
	})
}

// maxBefore is how many Follows one is asked for in vain are remembered.
const maxBefore = 8

func lastOf(ids []string, n int) []string { return ids[max(0, len(ids)-n):] }

// maxSaid is how long the words are that go with what is asked or refused, in bytes.
const maxSaid = 2000

// Offer invites another directory to follow us for a scope. When it asks for that or less, it is accepted at once.
func Offer(ctx context.Context, store directory.Store, island string, scope Scope) (Agreement, error) {
	host, err := HostOf(island)
	if err != nil {
		return Agreement{}, err
	}
	if err := scope.Validate(); err != nil {
		return Agreement{}, err
	}
	return decide(ctx, store, host, func(a *Agreement) error {
		if a.Out.Active() {
			return ErrNoAgreement
		}
		a.Out.Agreed, a.Out.PassOn = scope, true
		a.Out.set(Offered, true, "Offer")
		return nil
	})
}

// Accept says yes to an island that asks to follow us. narrower, when not nil, is what it gets of what it asked for; it may
// also be said later, about an agreement that stands. passOn lets it show our entries to others in its turn.
func Accept(ctx context.Context, store directory.Store, host string, narrower *Scope, passOn bool) (Agreement, error) {
	if narrower != nil {
		if err := narrower.Validate(); err != nil {
			return Agreement{}, err
		}
	}
	return decide(ctx, store, host, func(a *Agreement) error { return a.accept(narrower, passOn) })
}

// AcceptSeen is [Accept] by somebody who has seen what [Side.Stands]: when that has another tag by now, or somebody else has
// answered meanwhile, nothing is given.
func AcceptSeen(ctx context.Context, store directory.Store, host, tag string, narrower *Scope, passOn bool) (Agreement, error) {
	if narrower != nil {
		if err := narrower.Validate(); err != nil {
			return Agreement{}, err
		}
	}
	return decide(ctx, store, host, func(a *Agreement) error {
		stands := a.Out.Stands()
		open := a.Out.State == Asked || narrower != nil && a.Out.Active()
		if !open || stands.Tag() != tag {
			return ErrNoAgreement
		}
		return a.accept(narrower, passOn)
	})
}

func (a *Agreement) accept(narrower *Scope, passOn bool) error {
	waits := a.Out.Active() || a.Out.State == Asked || a.Out.State == Refused || a.Out.State == Paused && a.Out.ByUs
	if !waits || a.Out.Follow == "" {
		return ErrNoAgreement // it does not ask any more, or never did
	}
	a.Out.Agreed, a.Out.PassOn = Scope{Others: true}, passOn
	state := Accepted
	if narrower != nil {
		a.Out.Agreed, state = *narrower, Narrowed
	}
	a.Out.set(state, true, "Accept")
	return nil
}

// Refuse says no to an island that asks to follow us. note is told to it.
func Refuse(ctx context.Context, store directory.Store, host, note string) (Agreement, error) {
	return decide(ctx, store, host, func(a *Agreement) error {
		if a.Out.State != Asked {
			return ErrNoAgreement
		}
		a.Out.Note = cut(note, maxSaid)
		a.Out.set(Refused, true, "Reject")
		return nil
	})
}

// Direction names a side of an agreement.
type Direction string

// Directions.
const (
	In   Direction = "in"   // we follow
	Out  Direction = "out"  // they follow
	Both Direction = "both" // whatever stands
)

func (a *Agreement) sides(d Direction) []*Side {
	switch d {
	case In:
		return []*Side{&a.In}
	case Out:
		return []*Side{&a.Out}
	}
	return []*Side{&a.In, &a.Out}
}

// Pause stops an agreement for a while: what came disappears from public view, and is purged after [PurgeAfter].
func Pause(ctx context.Context, store directory.Store, host string, d Direction) (Agreement, error) {
	return stop(ctx, store, host, d, Paused, func(s *Side) bool { return s.Active() })
}

// Withdraw takes back what was asked for or offered, or declines what was offered, where nothing stands yet. What is seen
// here stays as it is.
func Withdraw(ctx context.Context, store directory.Store, host string, d Direction) (Agreement, error) {
	return stop(ctx, store, host, d, Ended, func(s *Side) bool {
		return s.State == Offered || d == In && s.State == Asked && !s.Standing
	})
}

// End ends an agreement, also while another scope is asked for, or takes back that one was asked for or offered.
func End(ctx context.Context, store directory.Store, host string, d Direction) (Agreement, error) {
	return stop(ctx, store, host, d, Ended, func(s *Side) bool {
		return s.Active() || s.State == Paused || s.State == Asked || s.State == Offered
	})
}

func stop(ctx context.Context, store directory.Store, host string, d Direction, to State, can func(*Side) bool) (Agreement, error) {
	return decide(ctx, store, host, func(a *Agreement) error {
		any := false
		for _, s := range a.sides(d) {
			if !can(s) {
				continue
			}
			any = true
			switch {
			case s.State == Offered:
				s.Unbound = s == &a.Out || !denies(s)
			case s == &a.Out || s.State != Asked:
				s.Unbound = false
			}
			tell := "Undo"
			if s == &a.Out {
				tell = "Reject"
			}
			if s.Follow == "" {
				tell = "" // nobody waits for an answer
			}
			s.set(to, true, tell)
		}
		if !any {
			return ErrNoAgreement
		}
		return nil
	})
}

// Resume goes on with what this side has paused.
func Resume(ctx context.Context, store directory.Store, host string, d Direction) (Agreement, error) {
	return decide(ctx, store, host, func(a *Agreement) error {
		any := false
		for _, s := range a.sides(d) {
			if s.State != Paused || !s.ByUs {
				continue
			}
			any = true
			if s == &a.In {
				s.Follow = "follows/" + uuid.NewString()
				s.set(Asked, true, "Follow")
			} else {
				s.set(s.given(), true, "Accept")
			}
		}
		if !any {
			return ErrNoAgreement
		}
		return nil
	})
}

// SetPolicy says what becomes of what comes from an island from now on.
func SetPolicy(ctx context.Context, store directory.Store, host string, p Policy) (Agreement, error) {
	return decide(ctx, store, host, func(a *Agreement) error {
		if a.In.State == "" || p != Show && p != Review && p != Suggest {
			return ErrNoAgreement
		}
		a.In.Policy = p
		return nil
	})
}

// given is the state of a side that is given what Agreed says.
func (s *Side) given() State {
	g := &s.Agreed
	if len(g.Zones)+len(g.Kinds)+len(g.Categories)+len(g.Languages) > 0 || g.Area != nil || !g.Others {
		return Narrowed
	}
	return Accepted
}

// SetLimit says how many entries of an island are taken at most; 0 for [DefaultMaxItems].
func SetLimit(ctx context.Context, store directory.Store, host string, most int) (Agreement, error) {
	return decide(ctx, store, host, func(a *Agreement) error {
		if a.In.State == "" || most < 0 {
			return ErrNoAgreement
		}
		a.In.MaxItems = most
		return nil
	})
}

// set moves a side to a state and notes what the other directory is to be told.
func (s *Side) set(to State, byUs bool, tell string) {
	s.State, s.ByUs, s.Since, s.Reason = to, byUs, time.Now().UTC(), ""
	switch to {
	case Accepted, Narrowed:
		s.Standing = true
	case Refused, Paused, Ended:
		s.Standing = false
	}
	s.tellAgain(tell)
	if byUs && tell != "Reject" {
		s.Note = ""
	}
}

// tellAgain notes what the other directory is to be told, as something new: what it has heard already it leaves aside.
func (s *Side) tellAgain(what string) {
	s.Tell, s.TellID, s.TellNext, s.Error = what, uuid.NewString(), time.Time{}, ""
}

func decide(ctx context.Context, store directory.Store, host string, fn func(*Agreement) error) (Agreement, error) {
	a, err := change(ctx, store, kindIsland, host, func(a *Agreement, _ int64) (bool, error) {
		return true, fn(a)
	})
	a.Host = host
	return a, err
}

// List returns the agreements, by host.
func List(ctx context.Context, store directory.Store) ([]Agreement, error) {
	var list []Agreement
	err := each(ctx, store, kindIsland, func(key string, rev int64, a Agreement) error {
		a.Host, a.rev = key, rev
		list = append(list, a)
		return nil
	})
	return list, err
}

// With returns the agreement with a host; its states are empty when nothing was ever said.
func With(ctx context.Context, store directory.Store, host string) (Agreement, error) {
	a := Agreement{}
	_, err := get(ctx, store, kindIsland, host, &a)
	a.Host = host
	return a, err
}
