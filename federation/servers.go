package federation

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"archipel/directory"
	"archipel/federation/vocab"
)

// States of a [Server], each named by what matters most.
const (
	StateBlocked = "blocked" // nothing is exchanged with it
	StateLimited = "limited" // something is not taken from it
	StateFailing = "failing" // it does not answer
	StateWell    = "well"
	StateQuiet   = "quiet" // nothing was delivered to it yet
)

// ServerStates lists the states of a [Server].
var ServerStates = []string{StateFailing, StateLimited, StateBlocked, StateWell, StateQuiet}

// Server is what the operator sees of another server.
type Server struct {
	Host
	State     string
	Rule      Rule
	RuleOf    string // the domain that the rule is about; "" when there is none
	Allowed   bool   // by a line of the list of allowed domains
	Followers int
	Waiting   int // of its people, for the operator's yes
	Queue     int // changes that its inboxes have yet to be told of
	Reports   int // of it, that wait for a decision
	PassedOn  int // reports to it
}

// Load is what waits in the instance as a whole.
type Load struct {
	Queue    int // changes that inboxes have yet to be told of, all together
	Inboxes  int
	Incoming int // heaps of activities that came and are not done, at most 100
	Passing  int // reports that are to be passed on
}

// Servers lists the servers that there is anything to say of, by name.
func (s *Service) Servers(ctx context.Context) (list []Server, load Load, err error) {
	all := map[string]*Server{}
	of := func(host string) *Server {
		if all[host] == nil {
			all[host] = &Server{Host: Host{Host: host}}
		}
		return all[host]
	}
	hosts, err := Hosts(ctx, s.store)
	if err != nil {
		return nil, load, err
	}
	for _, h := range hosts {
		of(h.Host).Host = h
	}
	s.followers.mu.RLock()
	for _, f := range s.followers.all {
		switch {
		case f.Waiting:
			of(f.Host).Waiting++
		case !f.Refused:
			of(f.Host).Followers++
		}
	}
	s.followers.mu.RUnlock()
	p := s.policy.get()
	for domain := range p.Rules {
		of(domain)
	}
	for _, domain := range p.Allowed {
		of(domain)
	}
	reports, err := s.OpenReports(ctx)
	if err != nil {
		return nil, load, err
	}
	for i := range reports {
		of(reports[i].Host()).Reports++
	}
	passed, err := PassedOn(ctx, s.store)
	if err != nil {
		return nil, load, err
	}
	for i := range passed {
		of(passed[i].Host).PassedOn++
		if passed[i].Waits() {
			load.Passing++
		}
	}
	queues, err := s.queues(ctx)
	if err != nil {
		return nil, load, err
	}
	for inbox, n := range queues {
		of(vocab.Host(inbox)).Queue += n
		load.Queue += n
		load.Inboxes++
	}
	incoming, err := s.store.Records(ctx, kindInbox, "", 100)
	if err != nil {
		return nil, load, err
	}
	load.Incoming = len(incoming)
	delete(all, "")
	for _, one := range all {
		s.judgeServer(one, &p)
		list = append(list, *one)
	}
	slices.SortFunc(list, func(a, b Server) int { return cmp.Compare(a.Host.Host, b.Host.Host) })
	return list, load, nil
}

func (s *Service) judgeServer(one *Server, p *Policy) {
	host := one.Host.Host
	one.Rule, one.RuleOf = p.RuleOf(host)
	one.Allowed = p.allowed(host)
	switch {
	case p.Blocked(host):
		one.State = StateBlocked
	case one.Rule.Severity == Silence || one.Rule.RejectMedia || one.Rule.RejectReports:
		one.State = StateLimited
	case one.Failures > 0:
		one.State = StateFailing
	case one.Contact.IsZero():
		one.State = StateQuiet
	default:
		one.State = StateWell
	}
}

// queues are the changes that each inbox has yet to be told of. Most of them concern it not at all.
func (s *Service) queues(ctx context.Context) (map[string]int, error) {
	list := map[string]int{}
	head := s.Directory.Head()
	for _, f := range s.Directory.Followers() {
		inbox, ok := peerInbox(f.Name)
		if !ok {
			continue
		}
		at := f.At
		if f.Elsewhere {
			var err error
			if at, err = s.store.Cursor(ctx, f.Name); err != nil {
				return nil, err
			}
		}
		list[inbox] = int(max(0, head-at))
	}
	return list, nil
}

// ServerPage is everything that the operator sees of another server.
type ServerPage struct {
	Server
	Actors    int  // of it that are known
	More      bool // there may be more of them than were counted
	Inboxes   []InboxState
	Following []Follower
	Received  []Report // decided or not, the newest first
	Passed    []Passed
	Replies   int // that are kept
}

// InboxState is how an inbox of another server fares.
type InboxState struct {
	Inbox  string
	Queue  int
	Since  time.Time // it does not know us; zero: it does
	Next   time.Time
	Reason string
}

// maxCounted is how many records of known actors are looked through.
const maxCounted = 20_000

// Server tells of one server, also of one that nothing is known of.
func (s *Service) Server(ctx context.Context, host string) (page ServerPage, err error) {
	all, _, err := s.Servers(ctx)
	if err != nil {
		return page, err
	}
	i := slices.IndexFunc(all, func(one Server) bool { return one.Host.Host == host })
	if page.Server = (Server{Host: Host{Host: host}}); i >= 0 {
		page.Server = all[i]
	}
	p := s.policy.get()
	s.judgeServer(&page.Server, &p)
	queues, err := s.queues(ctx)
	if err != nil {
		return page, err
	}
	for inbox, n := range queues {
		if vocab.Host(inbox) == host {
			page.Inboxes = append(page.Inboxes, InboxState{Inbox: inbox, Queue: n})
		}
	}
	refusals, err := some[refusal](ctx, s.store, kindRefusal, func(r *refusal) bool { return r.Host == host })
	if err != nil {
		return page, err
	}
	for _, r := range refusals {
		for j := range page.Inboxes {
			if one := &page.Inboxes[j]; one.Inbox == r.Inbox {
				one.Since, one.Next, one.Reason = r.Since, r.Next, r.Reason
			}
		}
	}
	slices.SortFunc(page.Inboxes, func(a, b InboxState) int { return cmp.Compare(a.Inbox, b.Inbox) })
	followers, err := Followers(ctx, s.store)
	if err != nil {
		return page, err
	}
	page.Following = slices.DeleteFunc(followers, func(f Follower) bool { return vocab.Host(f.Actor) != host })
	if page.Received, err = Reports(ctx, s.store); err != nil {
		return page, err
	}
	page.Received = slices.DeleteFunc(page.Received, func(r Report) bool { return r.Host() != host })
	slices.SortFunc(page.Received, func(a, b Report) int { return cmp.Or(b.Received.Compare(a.Received), cmp.Compare(a.ID, b.ID)) })
	if page.Passed, err = PassedOn(ctx, s.store); err != nil {
		return page, err
	}
	page.Passed = slices.DeleteFunc(page.Passed, func(p Passed) bool { return p.Host != host })
	replies, err := Replies(ctx, s.store)
	if err != nil {
		return page, err
	}
	for _, r := range replies {
		if vocab.Host(r.Actor) == host {
			page.Replies++
		}
	}
	page.Actors, page.More, err = s.actorsOf(ctx, host)
	return page, err
}

// errEnough ends a walk through records.
var errEnough = errors.New("enough")

// actorsOf counts the actors of a server that are known.
func (s *Service) actorsOf(ctx context.Context, host string) (n int, more bool, err error) {
	seen := 0
	err = eachRecord(ctx, s.store, kindActor, func(r directory.Record) error {
		var a struct{ ID string }
		if json.Unmarshal(r.Value, &a) == nil && vocab.Host(a.ID) == host {
			n++
		}
		if seen++; seen >= maxCounted {
			return errEnough
		}
		return nil
	})
	if errors.Is(err, errEnough) {
		return n, true, nil
	}
	return n, false, err
}

func some[T any](ctx context.Context, store directory.Store, kind string, which func(*T) bool) ([]T, error) {
	list, err := all[T](ctx, store, kind)
	return slices.DeleteFunc(list, func(v T) bool { return !which(&v) }), err
}

// Decide is the function of that name, and the other side is told at once.
func (s *Service) Decide(ctx context.Context, actor string, yes bool) error {
	err := Decide(ctx, s.store, actor, yes)
	if err == nil {
		select {
		case s.work <- struct{}{}:
		default:
		}
	}
	return err
}

// RotateKeys is the function of that name, with effect before it returns. whose is "relay", "all", or the handle of an
// organisation that has keys; of anything else the error wraps [directory.ErrNotFound]. It returns the handles.
func (s *Service) RotateKeys(ctx context.Context, whose string) ([]string, error) {
	handles, err := Handles(ctx, s.store)
	if err != nil {
		return nil, err
	}
	wanted := map[string]directory.ID{}
	switch whose = strings.ToLower(whose); {
	case whose == "relay":
		wanted["relay"] = ""
	case whose == "all":
		wanted = handles
		wanted["relay"] = ""
	default:
		id, ok := handles[whose]
		if !ok {
			return nil, fmt.Errorf("keys of %.100q: %w", whose, directory.ErrNotFound)
		}
		wanted[whose] = id
	}
	var done []string
	for handle, id := range wanted {
		if err := RotateKeys(ctx, s.store, id); err != nil {
			return done, fmt.Errorf("keys of %s: %w", handle, err)
		}
		done = append(done, handle)
	}
	slices.Sort(done)
	return done, s.refreshKeys(ctx)
}

// HostOf is the server of an address, as domains are compared; "" when it has none.
func HostOf(address string) string { return vocab.Host(address) }

// Profile is what somebody elsewhere says of himself, as plain text. It is not to be trusted.
type Profile struct{ Name, Handle, Summary string }

// ProfileOf tells what is known of an actor, without asking its server; the zero Profile of one that is not known.
func (s *Service) ProfileOf(ctx context.Context, actor string) (Profile, error) {
	a, err := s.actors.known(ctx, actor)
	if err != nil || a == nil {
		return Profile{}, err
	}
	p := Profile{Name: short(plain(vocab.Text(a.Doc, "name")), 100), Summary: short(plain(vocab.Text(a.Doc, "summary")), 300)}
	if user := short(plain(vocab.Text(a.Doc, "preferredUsername")), 60); user != "" {
		p.Handle = "@" + user + "@" + vocab.Host(a.ID)
	}
	return p, nil
}
