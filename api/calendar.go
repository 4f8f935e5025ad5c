package api

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/url"
	"slices"
	"time"

	"archipel/directory"
	"archipel/directory/calendar"
	"archipel/directory/transfer"
	"archipel/frontend"
	"archipel/geo"

	"github.com/gofiber/fiber/v2"
)

// keptDates is how long a subscribed calendar shows what is over.
const keptDates = 31 * 24 * time.Hour

// calendarOptions are those of every calendar that this server writes.
func (s *Server) calendarOptions(c *fiber.Ctx, name, home string) calendar.Options {
	base := s.base(c)
	o := calendar.Options{
		Name: name, Home: home, Self: base + c.OriginalURL(), Lang: s.lang(c), Zone: s.zone(), Product: "Archipel " + s.Version,
		Page: func(e *directory.Entry) string { return base + frontend.EntryURL(e.Slug) }, Label: s.Taxonomy.Label,
		Origin: func(e *directory.Entry) string { name, _ := s.origin(e); return name }, Attribution: s.attribution,
	}
	if u, err := url.Parse(base); err == nil {
		o.Host = u.Hostname()
	}
	return o
}

// onlyDates makes a list one of events, with those that ended not long ago unless it says which dates it means.
func (s *Server) onlyDates(r *request) {
	r.filter.Kinds = []directory.Kind{directory.Event}
	if !r.filter.Current.IsZero() {
		r.filter.Current = r.filter.Current.Add(-keptDates).Truncate(24 * time.Hour)
	}
	r.sort = "start"
}

// calendarFormat is the format of a list as iCalendar.
func (s *Server) calendarFormat(c *fiber.Ctx, home string) format {
	o := s.calendarOptions(c, s.Site().Name, home)
	return format{calendar.Type, func(w io.Writer, _ transfer.ExportOptions) transfer.Writer { return calendar.NewWriter(w, o) }, 0, false}
}

// entryCalendar is an event as iCalendar; of anything else, the events that it organises, hosts or comprises.
func (s *Server) entryCalendar(c *fiber.Ctx) error {
	e, redirected, err := s.bySlug(c, ".ics")
	if err != nil || redirected {
		return err
	}
	events := []directory.Entry{e}
	if e.Kind != directory.Event {
		if events, err = s.eventsOf(c.UserContext(), &e); err != nil {
			return err
		}
	}
	o := s.calendarOptions(c, e.Name, s.base(c)+frontend.EntryURL(e.Slug))
	var body bytes.Buffer
	w := calendar.NewWriter(&body, o)
	for i := range events {
		if err := w.Write(&events[i]); err != nil {
			return err
		}
	}
	if err := w.Close(); err != nil {
		return err
	}
	c.Set(fiber.HeaderContentType, calendar.Type)
	c.Set(fiber.HeaderCacheControl, "no-cache")
	c.Set(fiber.HeaderContentDisposition, `attachment; filename="`+directory.Slugify(e.Slug)+`.ics"`)
	sum := sha256.Sum256(body.Bytes())
	if notModified(c, `"`+hex.EncodeToString(sum[:12])+`"`) {
		return nil
	}
	return c.Send(body.Bytes())
}

// eventsOf are the public events that e organises, hosts or comprises, but those that ended too long ago, by their start.
func (s *Server) eventsOf(ctx context.Context, e *directory.Entry) ([]directory.Entry, error) {
	since := s.Now().Add(-keptDates).Truncate(24 * time.Hour)
	events, err := s.undertakings(ctx, e, geo.Filter{Kinds: []directory.Kind{directory.Event}, Current: since}, geo.Page{})
	if err != nil {
		return nil, err
	}
	events = slices.DeleteFunc(events, func(e directory.Entry) bool { return e.Event == nil })
	slices.SortStableFunc(events, func(a, b directory.Entry) int { return a.Event.Start.Compare(b.Event.Start) })
	return events, nil
}

// undertakings are the public entries that e organises, hosts or comprises, as far as the filter takes them: only those that
// the page has of them are read.
func (s *Server) undertakings(ctx context.Context, e *directory.Entry, f geo.Filter, p geo.Page) ([]directory.Entry, error) {
	f.Only = []directory.ID{}
	for _, r := range e.Relations {
		if r.Rel == "organises" || r.Rel == "hosts" {
			f.Only = append(f.Only, s.Relations.Resolve(r.Target))
		}
	}
	for _, r := range s.Relations.To(e) {
		if r.Rel == "partOf" || r.Rel == "organisedBy" {
			f.Only = append(f.Only, r.Target)
		}
	}
	if len(f.Only) == 0 {
		return nil, nil
	}
	sel, err := s.Index.Select(f, p)
	if err != nil {
		return nil, err
	}
	ids := make([]directory.ID, len(sel.Hits))
	for i, h := range sel.Hits {
		ids[i] = h.ID
	}
	list, err := s.Directory.Entries(ctx, ids)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(list, func(e directory.Entry) bool { return !e.Shown() }), nil
}
