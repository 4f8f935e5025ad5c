package subscribed

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"archipel/directory"
	"archipel/directory/ical"
)

// batch is how many events are written at once; between two batches, others write.
const batch = 100

// placeKey is where an event remembers its place in the calendar's words: while they do not change, neither do the address
// and the position that were made of them, or that somebody corrected.
const placeKey = "calendar-place"

// outcome is how a calendar was taken over.
type outcome struct {
	whole   bool // everything that the calendar says is in the directory
	refused []Refused
	held    *Held
	waiting int // events that are not taken before others were moderated
}

// sync makes the directory say what the calendar says. It may be cut short at any moment and begun again.
func (s *Service) sync(ctx context.Context, c *Calendar, org *directory.Entry, cal *ical.Calendar) (outcome, error) {
	out := outcome{whole: true}
	current, err := s.entries(ctx, c)
	if err != nil {
		return out, err
	}
	known := make(map[string]directory.Entry, len(current))
	for _, e := range current {
		known[e.Source.ExternalID] = e
	}
	publish := s.Publish != nil && s.Publish(ctx, c.By, org)
	room := MaxPending
	for _, e := range current {
		if e.Status == directory.Pending {
			room--
		}
	}
	var writes []directory.Entry
	wanted := make(map[string]bool, len(cal.Events))
	for _, event := range s.order(cal.Events, publish) {
		wanted[event.UID] = true
		was, have := known[event.UID]
		if !have {
			if was, have, err = s.former(ctx, c, event.UID); err != nil {
				return out, err
			}
			if have && !belongs(&was, c.Of) && !belongs(&was, org.ID) {
				if len(out.refused) < maxRefused {
					out.refused = append(out.refused, Refused{Name: event.Entry.Name, Field: "source", Code: directory.CodeTaken})
				}
				continue // somebody else's, which only bears the name
			}
			if have && was.Status == directory.Removed && !s.ours(ctx, &was) {
				continue // somebody took it away on purpose
			}
		}
		status := was.Status
		switch anew := !have || was.Status == directory.Removed; {
		case anew && publish:
			status = directory.Published
		case anew && room <= 0:
			out.waiting++
			continue
		case anew:
			room--
			status = directory.Pending
		}
		e := s.entry(ctx, c, org, event, was, have)
		e.Status = status
		writes = append(writes, e)
	}
	gone, held := s.gone(c, current, wanted, cal.Complete)
	out.held = held
	writes = append(writes, gone...)
	for from := 0; from < len(writes); from += batch {
		if from > 0 {
			if standing, err := s.load(ctx, c.Key); err != nil || standing.State != Active || standing.Claim != s.node {
				return out, errors.Join(err, errLost)
			}
		}
		outcomes, err := s.write(ctx, writes[from:min(from+batch, len(writes))])
		if err != nil {
			return out, err
		}
		for _, o := range outcomes {
			var invalid directory.Invalid
			switch {
			case o.Err == nil:
			case errors.As(o.Err, &invalid):
				if len(out.refused) < maxRefused && len(invalid) > 0 {
					out.refused = append(out.refused, Refused{Name: o.Entry.Name, Field: invalid[0].Field, Code: invalid[0].Code})
				}
			default:
				out.whole = false // somebody changed it in this moment: again soon
			}
		}
	}
	return out, nil
}

// order is in which order events are taken over: where some may have to wait, those that come next are first.
func (s *Service) order(events []ical.Event, publish bool) []*ical.Event {
	list := make([]*ical.Event, len(events))
	for i := range events {
		list[i] = &events[i]
	}
	if publish || len(list) <= MaxPending {
		return list
	}
	now, over := s.Now(), time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)
	next := make(map[*ical.Event]time.Time, len(list))
	for _, e := range list {
		next[e] = over
		if date, ok := e.Entry.Event.Next(now, s.Zone()); ok {
			next[e] = date.Start
		}
	}
	slices.SortStableFunc(list, func(a, b *ical.Event) int { return next[a].Compare(next[b]) })
	return list
}

func (s *Service) write(ctx context.Context, entries []directory.Entry) ([]directory.Outcome, error) {
	if len(entries) == 0 {
		return nil, nil
	}
	return s.Directory.Write(ctx, directory.Write{Author: Author, Entries: entries})
}

// former is an event of the calendar that is in the directory and not among the living.
func (s *Service) former(ctx context.Context, c *Calendar, uid string) (directory.Entry, bool, error) {
	id, ok := s.Directory.BySource((&directory.Source{Name: c.Name, ExternalID: uid}).Key())
	if !ok {
		return directory.Entry{}, false, nil
	}
	e, err := s.Directory.Entry(ctx, id)
	if errors.Is(err, directory.ErrNotFound) {
		return directory.Entry{}, false, nil
	}
	return e, err == nil && e.Source.Key() != "", err
}

// ours reports whether an event was removed because the calendar said so.
func (s *Service) ours(ctx context.Context, e *directory.Entry) bool {
	last, err := s.Directory.History(ctx, e.ID, 0, 1)
	return err == nil && len(last) == 1 && last[0].Author == Author && e.MergedInto == ""
}

// entry is an event as the calendar has it, with what the calendar does not say as it was.
func (s *Service) entry(ctx context.Context, c *Calendar, org *directory.Entry, event *ical.Event, was directory.Entry, have bool) directory.Entry {
	from := &event.Entry
	e := was
	if have {
		e = was.Clone()
	} else {
		e = directory.Entry{
			Kind: directory.Event, Lang: from.Lang, Categories: slices.Clone(org.Categories), Licence: org.Licence,
			Private: &directory.Private{Team: org.ID},
		}
		if e.Lang == "" {
			e.Lang = org.Lang
		}
		if e.Licence == "" {
			e.Licence = s.Licence()
		}
		e.Relations = []directory.Relation{{Rel: "organisedBy", Target: org.ID}}
	}
	e.Name, e.Description = from.Name, from.Description
	schedule := *from.Event
	if have && was.Event != nil { // what calendars do not say
		schedule.Languages = was.Event.Languages
		for _, f := range []struct{ to, was *string }{
			{&schedule.AttendanceURL, &was.Event.AttendanceURL}, {&schedule.RegisterURL, &was.Event.RegisterURL}, {&schedule.Price, &was.Event.Price},
		} {
			if *f.to == "" {
				*f.to = *f.was
			}
		}
	}
	e.Event = &schedule
	if len(from.Tags) > 0 {
		e.Tags = from.Tags
	}
	for _, l := range from.Links {
		if !slices.Contains(e.Links, l) && len(e.Links) < directory.MaxList {
			e.Links = append(e.Links, l)
		}
	}
	if e.Contact == nil && from.Contact != nil {
		e.Contact = from.Contact
	}
	s.place(ctx, &e, org, event, have)
	e.Source = &directory.Source{Name: c.Name, ExternalID: event.UID}
	if len(from.Links) > 0 {
		e.Source.URL = from.Links[0].URL
	}
	return e
}

// place says where an event is: as the calendar does, else with its organisation.
func (s *Service) place(ctx context.Context, e, org *directory.Entry, event *ical.Event, have bool) {
	from := &event.Entry
	before, said := e.Extra[placeKey]
	words := event.Place
	if len(from.Sites) > 0 {
		e.Sites, e.Approximate = slices.Clone(from.Sites), false
	}
	if have && said && before == words || have && !said && words == "" {
		return
	}
	switch {
	case words == "" && from.Event.AttendanceURL != "": // online
		e.Address = nil
		if len(from.Sites) == 0 {
			e.Sites = nil
		}
	case words == "" || isThere(words, org):
		if org.Address != nil {
			a := *org.Address
			e.Address = &a
		}
		if len(from.Sites) == 0 && len(org.Sites) > 0 {
			e.Sites, e.Approximate = slices.Clone(org.Sites[:1]), org.Approximate
		}
	default:
		e.Address = nil
		if from.Address != nil {
			a := *from.Address
			e.Address = &a
		}
		if len(from.Sites) == 0 {
			e.Sites, e.Approximate = nil, false
			if s.Locate != nil {
				s.Locate(ctx, e)
			}
		}
	}
	if words != "" {
		extra := map[string]string{placeKey: words}
		for k, v := range e.Extra {
			if k != placeKey {
				extra[k] = v
			}
		}
		e.Extra = extra
	}
}

// isThere reports whether words name the organisation or its address.
func isThere(words string, org *directory.Entry) bool {
	said := directory.Fold(words)
	if said == directory.Fold(org.Name) {
		return true
	}
	a := org.Address
	return a != nil && a.Street != "" && strings.Contains(said, directory.Fold(a.Street)) && (a.Locality == "" || strings.Contains(said, directory.Fold(a.Locality)))
}

// gone are the events that the calendar does not have any more, as they shall be: those to come are removed, a series that
// has begun ends now, and what is over stays. When suddenly all of them are gone, or half, nothing is, and held says so.
func (s *Service) gone(c *Calendar, current []directory.Entry, wanted map[string]bool, complete bool) (gone []directory.Entry, held *Held) {
	if !complete {
		return nil, nil
	}
	now := s.Now()
	coming := 0
	for i := range current {
		e := current[i].Clone()
		if e.Event == nil {
			continue
		}
		if len(e.Event.Occurrences(now, now.AddDate(5, 0, 0), 1, s.Zone())) == 0 {
			continue
		}
		coming++
		if wanted[e.Source.ExternalID] {
			continue
		}
		if begun := e.Event.Start.Before(now) && len(e.Event.Occurrences(e.Event.Start.AddDate(0, 0, -1), now, 1, s.Zone())) > 0; begun && (e.Event.RRule != "" || len(e.Event.RDates) > 0) {
			endNow(e.Event, now)
		} else {
			e.Status = directory.Removed
		}
		gone = append(gone, e)
	}
	missing := len(gone)
	if !c.Accept && missing > 0 && (missing == coming || missing >= 3 && 2*missing >= coming) && (len(wanted) == 0 || missing >= 3) {
		return nil, &Held{Missing: missing, Of: coming, Since: now.UTC()}
	}
	return gone, nil
}

// endNow ends a series: what took place stays, what would come does not.
func endNow(v *directory.Schedule, now time.Time) {
	var parts []string
	for part := range strings.SplitSeq(v.RRule, ";") {
		if part != "" && !strings.HasPrefix(part, "UNTIL=") && !strings.HasPrefix(part, "COUNT=") {
			parts = append(parts, part)
		}
	}
	if len(parts) > 0 {
		v.RRule = strings.Join(append(parts, "UNTIL="+now.UTC().Format("20060102T150405Z")), ";")
	}
	v.RDates = slices.DeleteFunc(v.RDates, now.Before)
	v.Overrides = slices.DeleteFunc(v.Overrides, func(o directory.Occurrence) bool { return now.Before(o.Original) || now.Before(o.Start) })
}
