package fediverse

import (
	"context"
	"errors"
	"time"

	"archipel/directory"
	"archipel/federation"
)

// Flag is a report of another server, for the moderators. It says what somebody there wrote, and not who.
type Flag struct {
	Key      string
	Server   string // host
	Sender   string // address of the actor that sent it: of many networks the server's own
	Text     string // plain
	Received time.Time
	Entries  []directory.ID // that it is about, posts before organisations; none: the directory as a whole

	report federation.Report
}

func (s *Service) flagOf(r federation.Report) Flag {
	f := Flag{Key: r.Key(), Server: r.Host(), Sender: r.Actor, Text: r.Content, Received: r.Received, report: r}
	var actors []directory.ID
	for _, address := range r.Objects {
		id, ok := s.Federation.EntryAt(address)
		switch {
		case !ok:
		case address == s.Federation.ObjectID(id):
			f.Entries = append(f.Entries, id)
		default:
			actors = append(actors, id)
		}
	}
	f.Entries = append(f.Entries, actors...)
	return f
}

// Flags lists the reports that wait for a moderator, the oldest first.
func (s *Service) Flags(ctx context.Context) ([]Flag, error) {
	reports, err := s.Federation.OpenReports(ctx)
	if err != nil {
		return nil, err
	}
	list := make([]Flag, len(reports))
	for i, r := range reports {
		list[i] = s.flagOf(r)
	}
	return list, nil
}

// Flag returns one, and whether it still waits; the error of none wraps [directory.ErrNotFound].
func (s *Service) Flag(ctx context.Context, key string) (f Flag, waits bool, err error) {
	r, err := s.Federation.ReportOf(ctx, key)
	if err != nil {
		return f, false, err
	}
	return s.flagOf(r), r.Decision == "", nil
}

// Decide notes what was decided about a report, by somebody of the log. Of two people one decides; the error of the other wraps
// [directory.ErrStale].
func (s *Service) Decide(ctx context.Context, f Flag, decision, reason, by string) error {
	return s.Federation.DecideReport(ctx, f.report, decision, reason, by)
}

// Reaches reports whether a report about an entry of another directory can be passed on to that.
func (s *Service) Reaches(e *directory.Entry) bool {
	return s != nil && e.Origin != "" && !s.Federation.Blocks(e.Origin)
}

// PassOn sends a report about an entry of another directory to that, without saying who reported it. The same text is sent once. by
// is who decided so, as in the log; it stays here.
func (s *Service) PassOn(ctx context.Context, e *directory.Entry, text, by string) error {
	err := s.Federation.ReportEntry(ctx, by, text, e)
	var invalid directory.Invalid
	if errors.As(err, &invalid) {
		s.Log.Info("a report cannot be passed on", "entry", e.ID, "origin", e.Origin, "err", err)
		return nil // blocked meanwhile
	}
	return err
}
