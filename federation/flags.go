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

const (
	kindReport = "ap-report" // hash of the activity's id

	reportKept       = 180 * 24 * time.Hour // then nobody has decided, and it is forgotten
	reportClosedKept = 365 * 24 * time.Hour
	maxReports       = 2000 // that wait, of all servers together
	maxReportsHost   = 50   // that wait, of one domain with those below
)

// Report is a Flag from elsewhere, for the moderators. Nobody learns what came of it: the fediverse has no word for that.
type Report struct {
	ID       string    `json:"id"`
	Actor    string    `json:"actor"` // of Mastodon this is the server's own actor: nobody is told on
	Objects  []string  `json:"objects"`
	Content  string    `json:"content"` // plain text
	Received time.Time `json:"received"`

	Decision string    `json:"decision,omitempty"` // a word of the moderators' pages; set once
	Reason   string    `json:"reason,omitempty"`
	By       string    `json:"by,omitempty"` // as in the log
	Decided  time.Time `json:"decided,omitzero"`

	rev int64
}

// Key is the report's name in the store.
func (r *Report) Key() string { return hashKey(r.ID) }

// Host is the server that it comes from.
func (r *Report) Host() string { return vocab.Host(r.Actor) }

// flag puts a report of our objects into the moderators' queue. A server that floods it, under whatever names below its own, is
// heard again when some of its reports were decided.
func (s *Service) flag(ctx context.Context, a *vocab.Activity) error {
	host := vocab.Host(a.Actor)
	if p := s.policy.get(); p.Rule(host).RejectReports {
		return nil
	}
	said := vocab.ReadThing(a.Doc)
	if said.Content == "" {
		said.Content = said.Summary // Lemmy says why there
	}
	r := Report{ID: a.ID, Actor: a.Actor, Content: short(plain(said.Content), 4000), Received: s.Now().UTC()}
	for _, o := range a.Objects {
		if s.ours(o.ID) && len(o.ID) <= 2000 && len(r.Objects) < 50 && !slices.Contains(r.Objects, o.ID) {
			r.Objects = append(r.Objects, o.ID)
		}
	}
	if err := s.keepKnown(ctx, &r); err != nil || len(r.Objects) == 0 {
		return err
	}
	s.flags.Lock()
	defer s.flags.Unlock()
	open, err := s.OpenReports(ctx)
	if err != nil {
		return err
	}
	theirs, domain := 0, registrable(host)
	for i := range open {
		if registrable(open[i].Host()) == domain {
			theirs++
		}
	}
	if len(open) >= maxReports || theirs >= maxReportsHost {
		s.Log.Warn("federation: too many reports wait, one is left aside", "host", host, "id", a.ID, "of its domain", theirs, "of all", len(open))
		return nil
	}
	err = put(ctx, s.store, kindReport, r.Key(), r, 0, r.Received.Add(reportKept))
	if isStale(err) {
		return nil
	}
	return err
}

// keepKnown leaves of what a report is about only what is here: our actors, and entries that exist. A report of what never was
// would wait unseen.
func (s *Service) keepKnown(ctx context.Context, r *Report) error {
	of := map[string]directory.ID{}
	var ids []directory.ID
	for _, address := range r.Objects {
		if id, ok := s.EntryAt(address); ok {
			of[address], ids = id, append(ids, id)
		}
	}
	entries, err := s.Directory.Entries(ctx, ids)
	if err != nil {
		return err
	}
	r.Objects = slices.DeleteFunc(r.Objects, func(address string) bool {
		if id, ok := of[address]; ok {
			return !slices.ContainsFunc(entries, func(e directory.Entry) bool { return e.ID == id })
		}
		name, ok := strings.CutPrefix(address, s.ActorID(""))
		return address != s.relayID() && (!ok || s.rooms[name] == nil)
	})
	return nil
}

// OpenReports lists the reports that wait for a decision, the oldest first. Those of servers whose reports are rejected, or
// with which nothing is exchanged, are left out.
func (s *Service) OpenReports(ctx context.Context) ([]Report, error) {
	list, err := Reports(ctx, s.store)
	p := s.policy.get()
	list = slices.DeleteFunc(list, func(r Report) bool {
		host := r.Host()
		return r.Decision != "" || p.Blocked(host) || p.Rule(host).RejectReports
	})
	slices.SortStableFunc(list, func(a, b Report) int { return cmp.Or(a.Received.Compare(b.Received), cmp.Compare(a.ID, b.ID)) })
	return list, err
}

// ReportOf returns a report by its [Report.Key], or an error wrapping [directory.ErrNotFound].
func (s *Service) ReportOf(ctx context.Context, key string) (Report, error) {
	var r Report
	rev, err := get(ctx, s.store, kindReport, key, &r)
	if err == nil && rev == 0 {
		err = fmt.Errorf("report %.100q: %w", key, directory.ErrNotFound)
	}
	r.rev = rev
	return r, err
}

// errDecided is the error of a second decision.
var errDecided = errors.Join(errors.New("somebody has decided already"), directory.ErrStale)

// DecideReport notes what was decided about a report that [Service.ReportOf] gave. Of two people one decides; the error of
// the other wraps [directory.ErrStale].
func (s *Service) DecideReport(ctx context.Context, r Report, decision, reason, by string) error {
	if r.Decision != "" {
		return fmt.Errorf("report %s: %w", r.ID, errDecided)
	}
	r.Decision, r.Reason, r.By, r.Decided = decision, reason, by, s.Now().UTC()
	return put(ctx, s.store, kindReport, r.Key(), r, r.rev, r.Decided.Add(reportClosedKept))
}

// EntryAt is the entry that an address of ours is about: of a post, of the instance's Announce of it, or of an organisation's
// actor.
func (s *Service) EntryAt(address string) (directory.ID, bool) {
	if id, ok := s.entryOf(address); ok {
		return id, true
	}
	if id, ok := strings.CutPrefix(address, s.base+"/ap/announces/"); ok {
		return directory.ID(id), directory.ID(id).Valid()
	}
	return s.actorEntry(address)
}

// Reports lists what other servers reported, decided or not. It works beside a running server.
func Reports(ctx context.Context, store directory.Store) ([]Report, error) {
	var list []Report
	err := eachRecord(ctx, store, kindReport, func(rec directory.Record) error {
		r := Report{rev: rec.Rev}
		if err := json.Unmarshal(rec.Value, &r); err != nil {
			return fmt.Errorf("record %s %s: %w: %w", kindReport, rec.Key, directory.ErrCorrupt, err)
		}
		list = append(list, r)
		return nil
	})
	return list, err
}

// ObjectID is the address of an entry's object.
func (s *Service) ObjectID(id directory.ID) string { return s.objectID(id) }
