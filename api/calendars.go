package api

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"archipel/api/account"
	"archipel/directory"
	"archipel/directory/subscribed"
	"archipel/frontend"
	"archipel/geo"

	"github.com/gofiber/fiber/v2"
)

// calendarRoutes are the pages on which the team of an organisation says which calendars it has elsewhere.
func (s *Server) calendarRoutes() {
	if s.Accounts == nil || s.Calendars == nil {
		return
	}
	s.app.Get("/e/:slug/calendars", s.calendarsPage)
	s.app.Post("/e/:slug/calendars", s.addCalendar)
	s.app.Post("/e/:slug/calendars/:calendar", s.changeCalendar)
}

// calendarsOf is the entry of an address whose calendars the actor may change. Events have none of their own.
func (s *Server) calendarsOf(c *fiber.Ctx) (directory.Entry, error) {
	e, err := s.editable(c)
	if err != nil {
		// Whoever may not see it learns that from the decision, which every route has to make.
		return e, errors.Join(account.Check(c, account.EntryEdit, nil), err)
	}
	if err := account.Check(c, account.EntryEdit, &e); err != nil {
		return e, err
	}
	if e.Kind == directory.Event {
		return e, directory.ErrNotFound
	}
	return e, nil
}

func (s *Server) calendarsPage(c *fiber.Ctx) error {
	e, err := s.calendarsOf(c)
	if err != nil {
		return err
	}
	v := frontend.CalendarsView{}
	if done := c.Query("done"); done != "" {
		if l := frontend.T(s.lang(c)); l.Has("calendar_done." + done) {
			v.Done = l.Code("calendar_done", done)
		}
	}
	return s.showCalendars(c, &e, v)
}

// addCalendar subscribes to a calendar.
func (s *Server) addCalendar(c *fiber.Ctx) error {
	e, err := s.calendarsOf(c)
	if err != nil {
		return err
	}
	l, actor := frontend.T(s.lang(c)), account.From(c)
	typed := c.FormValue("url")
	_, err = s.Calendars.Add(c.UserContext(), &e, typed, actor.ID)
	var invalid directory.Invalid
	v := frontend.CalendarsView{Typed: typed}
	switch {
	case err == nil:
		s.Log.Info("a calendar is subscribed to", "entry", e.ID, "author", actor.Author())
		return c.Redirect(frontend.CalendarsURL(e.Slug)+"?done=added", http.StatusSeeOther)
	case errors.As(err, &invalid):
		v.Wrong = l.Code("calendar_wrong", invalid[0].Code)
	case errors.Is(err, subscribed.ErrSubscribed):
		v.Wrong = l.Code("calendar_wrong", "subscribed")
	case errors.Is(err, subscribed.ErrTooMany):
		v.Refused = l.Text("calendars.full")
	default:
		return err
	}
	c.Status(http.StatusUnprocessableEntity)
	return s.showCalendars(c, &e, v)
}

// changeCalendar does what the team asks of one calendar.
func (s *Server) changeCalendar(c *fiber.Ctx) error {
	e, err := s.calendarsOf(c)
	if err != nil {
		return err
	}
	ctx, action := c.UserContext(), c.FormValue("action")
	key := string(e.ID) + "/" + c.Params("calendar") // of this entry, whatever the address says
	switch action {
	case "refresh":
		err = s.Calendars.Refresh(ctx, key)
	case "pause", "resume":
		err = s.Calendars.Pause(ctx, key, action == "pause")
	case "accept":
		err = s.Calendars.Accept(ctx, key)
	case "remove", "remove_all":
		err = s.Calendars.Remove(ctx, key, action == "remove_all")
	default:
		return invalidParam("action", directory.CodeUnknown, action)
	}
	switch {
	case errors.Is(err, subscribed.ErrSoon):
		c.Status(http.StatusTooManyRequests)
		c.Set(fiber.HeaderRetryAfter, "120")
		return s.showCalendars(c, &e, frontend.CalendarsView{Refused: frontend.T(s.lang(c)).Text("calendars.soon")})
	case errors.Is(err, subscribed.ErrNone):
		return directory.ErrNotFound
	case err != nil:
		return err
	}
	return c.Redirect(frontend.CalendarsURL(e.Slug)+"?done="+action, http.StatusSeeOther)
}

// showCalendars shows the calendars of an entry, with what v says already.
func (s *Server) showCalendars(c *fiber.Ctx, e *directory.Entry, v frontend.CalendarsView) error {
	list, err := s.Calendars.Of(c.UserContext(), e.ID)
	if err != nil {
		return err
	}
	p, _ := s.moderationPage(c, "calendars.title")
	zone := s.zone()
	v.Name, v.Slug, v.Full, v.Most = e.Name, e.Slug, len(list) >= subscribed.MaxPerOrganisation, subscribed.MaxPending
	v.Moderated, v.Offline = account.May(account.From(c), account.EntryPublish, e) != nil, !e.Public()
	for _, one := range list {
		_, id, _ := strings.Cut(one.Key, "/")
		item := frontend.CalendarView{
			ID: id, Title: one.Title, URL: one.URL, Plain: one.Plain(), Paused: one.State == subscribed.Paused, Events: one.Events, Waiting: one.Waiting,
			Next: one.Next.In(zone), Asked: one.Claim != "" || !one.Next.After(s.Now()),
		}
		if item.Title == "" {
			item.Title = one.Host()
		}
		if !one.Fetched.IsZero() {
			item.Fetched = one.Fetched.In(zone)
		}
		if one.Trouble != nil {
			item.Trouble, item.Status, item.Since = one.Trouble.Code, one.Trouble.Status, one.Trouble.Since.In(zone)
		}
		if one.Held != nil {
			item.HeldMissing, item.HeldOf = one.Held.Missing, one.Held.Of
		}
		for _, w := range one.Warnings {
			item.Warnings = append(item.Warnings, frontend.CalendarWarning{Code: w.Code, Value: w.Value, Count: w.Count})
		}
		for _, r := range one.Refused {
			item.Refused = append(item.Refused, frontend.CalendarRefused{Name: r.Name, Problem: frontend.Problem{Field: r.Field, Code: r.Code}})
		}
		v.Calendars = append(v.Calendars, item)
	}
	return s.render(c, frontend.Calendars(p, v))
}

// calendarNote is what the form of an event that comes from a calendar says: whose it is, and where its team sees it.
func (s *Server) calendarNote(ctx context.Context, e *directory.Entry) (name, link string) {
	if s.Calendars == nil || e.Source.Key() == "" {
		return "", ""
	}
	for _, r := range e.Relations {
		if r.Rel != "organisedBy" {
			continue
		}
		cal, err := s.Calendars.Named(ctx, r.Target, e.Source.Name)
		if err != nil {
			continue // an import, or nobody subscribes to it any more; or the store is away, and the form matters more
		}
		name = cal.Title
		if name == "" {
			name = cal.Host()
		}
		if org, err := s.Directory.Entry(ctx, r.Target); err == nil {
			link = frontend.CalendarsURL(org.Slug)
		}
		return name, link
	}
	return "", ""
}

// PublishesCalendar gives whether events of an organisation's calendars need no moderation: when those of the account that
// subscribed do not.
func PublishesCalendar(accounts *account.Service) func(context.Context, string, *directory.Entry) bool {
	return func(ctx context.Context, id string, org *directory.Entry) bool {
		a, err := accounts.Get(ctx, id)
		if err != nil || a.Leaving {
			return false
		}
		actor, err := accounts.Acting(ctx, id)
		return err == nil && account.May(actor, account.EntryPublish, org) == nil
	}
}

// calendarHealth tells those who run the instance which calendars fail.
func (s *Server) calendarHealth(ctx context.Context, show presenter, v *frontend.HealthView) error {
	if s.Calendars == nil {
		return nil
	}
	active, failing, err := s.Calendars.Health(ctx)
	if err != nil {
		return err
	}
	v.Calendars = active
	for _, c := range failing {
		line := frontend.CalendarHealth{Name: c.Name}
		if c.Trouble != nil {
			line.Trouble, line.Since = c.Trouble.Code, c.Trouble.Since.In(show.zone)
		} else {
			line.Since = c.Held.Since.In(show.zone)
		}
		if org, err := s.Directory.Entry(ctx, c.Of); err == nil {
			line.URL = frontend.CalendarsURL(org.Slug)
		}
		v.CalendarsFailing = append(v.CalendarsFailing, line)
	}
	return nil
}

// maxOrganised is how many of the events of one organiser its page shows; its calendar and the agenda have them all.
const maxOrganised = 60

// soonest keeps, of the many events that a calendar gives an organisation, those that take place next.
func (p presenter) soonest(rel string, ids []directory.ID) []directory.ID {
	if rel != "organises" || len(ids) <= maxOrganised {
		return ids
	}
	index, today := p.s.Index.Snapshot(), geo.DayOf(p.now.In(p.zone))
	dates, err := index.Dates(geo.Filter{Only: ids, Current: p.now}, today, today+agendaReach)
	if err != nil {
		return ids[:maxOrganised]
	}
	var out []directory.ID
	for _, d := range dates {
		if id, _, _ := index.DateEntry(d); !slices.Contains(out, id) {
			if out = append(out, id); len(out) == maxOrganised {
				break
			}
		}
	}
	return out
}
