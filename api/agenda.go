package api

import (
	"errors"
	"net/url"
	"slices"
	"time"

	"archipel/directory"
	"archipel/frontend"
	"archipel/geo"

	"github.com/gofiber/fiber/v2"
)

// What an agenda shows at most, so that no page grows without end.
const (
	agendaDates  = 60  // dates of a page
	agendaPerDay = 12  // dates of one day among others, beginning on it
	agendaGoing  = 5   // dates of one day that began before
	agendaAlone  = 200 // dates of a day that is shown alone
	agendaNames  = 3   // of a day in the grid of a month
	agendaReach  = 366 // days of a range
)

// agendaYears are those that an agenda can be turned to.
const firstYear, lastYear = 1970, 2199

// period is what an agenda is asked to show.
type period struct {
	mode        string // one of frontend.AgendaModes, or "range"
	first, last geo.Day
	today       geo.Day
	after       string // on a day alone: the last date of the page before
}

// parseAgenda reads the filters of a list, and the period: view and date, or datetime as lists have it.
func (s *Server) parseAgenda(v url.Values) (request, period, error) {
	r, err := s.parseValues(v)
	var invalid directory.Invalid
	if err != nil && !errors.As(err, &invalid) {
		return r, period{}, err
	}
	p := paramReader{v: v, problems: invalid}
	zone := s.zone()
	now := s.Now().In(zone)
	a := period{mode: v.Get("view"), today: geo.DayOf(now)}
	if a.mode == "" {
		a.mode = "upcoming"
	}
	if !slices.Contains(frontend.AgendaModes, a.mode) {
		p.add("view", directory.CodeUnknown, a.mode)
	}
	day := a.today
	if raw := v.Get("date"); raw != "" {
		at, err := time.Parse(time.DateOnly, raw)
		switch {
		case err != nil:
			p.add("date", directory.CodeInvalid, raw)
		case at.Year() < firstYear || at.Year() > lastYear:
			p.problems = append(p.problems, directory.Problem{Field: "date", Code: directory.CodeOutOfRange, Params: map[string]any{"value": raw, "min": "1970-01-01", "max": "2199-12-31"}})
		default:
			day = geo.DayOf(at)
		}
	}
	if len(p.problems) > 0 {
		return r, a, p.problems
	}
	r.filter.Kinds, r.query.Kinds = []directory.Kind{directory.Event}, nil
	r.query.View, r.query.Sort, r.query.After, r.query.OpenAt = "", "", "", ""
	r.filter.OpenAt = time.Time{}
	from, to := r.filter.From, r.filter.To
	r.filter.From, r.filter.To, r.filter.Current = time.Time{}, time.Time{}, time.Time{}
	switch words := r.query.Datetime; words {
	case "":
	case "today", "weekend", "week":
		r.query.Datetime, a.mode = "", map[string]string{"today": "day"}[words]
		if a.mode == "" {
			a.mode = words
		}
	default:
		a.mode = "range"
		r.filter.From, r.filter.To = from, to
		a.first, a.last = a.today, a.today+agendaReach
		switch {
		case !from.IsZero() && !to.IsZero():
			a.first, a.last = geo.DayOf(from.In(zone)), geo.DayOf(to.In(zone).Add(-time.Second))
		case !from.IsZero():
			a.first = geo.DayOf(from.In(zone))
			a.last = a.first + agendaReach
		default:
			a.last = geo.DayOf(to.In(zone).Add(-time.Second))
			a.first = a.last - agendaReach
		}
		a.last = min(a.last, a.first+agendaReach)
		a.after = r.after
		return r, a, nil
	}
	a.after = r.after
	a.first, a.last = a.of(day)
	if a.mode != "month" && a.last >= a.today && a.first >= a.today-1 {
		r.filter.Current = now // what is over has left; what has begun stays until it ends
	}
	return r, a, nil
}

// of returns the period of a's mode around a day.
func (a period) of(day geo.Day) (first, last geo.Day) {
	at := day.In(time.UTC)
	switch a.mode {
	case "weekend":
		first = day + geo.Day((int(time.Saturday)-int(at.Weekday())+7)%7)
		if at.Weekday() == time.Sunday {
			first = day - 1
		}
		return first, first + 1
	case "week":
		return day, day + 6
	case "month":
		first = day - geo.Day(at.Day()-1)
		return first, geo.DayOf(first.In(time.UTC).AddDate(0, 1, -1))
	case "upcoming":
		return day, day + 6 // see upcoming
	}
	return day, day
}

// turned is the first day of the period before (-1) or after (1).
func (a period) turned(way int) geo.Day {
	switch a.mode {
	case "weekend":
		return a.first + geo.Day(7*way)
	case "month":
		return geo.DayOf(a.first.In(time.UTC).AddDate(0, way, 0))
	case "day":
		return a.first + geo.Day(way)
	}
	return a.first + geo.Day(7*way)
}

// upcoming widens the period until it has enough dates, or a year and more are looked at.
func (a *period) upcoming(index *geo.Snapshot, f geo.Filter) ([]geo.Date, error) {
	for _, days := range []geo.Day{7, 31, 124, 366, 5 * 366} {
		a.last = a.first + days - 1
		dates, err := index.Dates(f, a.first, a.last)
		if err != nil || len(dates) > agendaDates || days > 366 {
			return dates, err
		}
	}
	return nil, nil
}

// agenda shows what takes place, day by day.
func (s *Server) agenda(c *fiber.Ctx) error {
	values, err := values(c)
	if err != nil {
		return err
	}
	r, a, err := s.parseAgenda(values)
	if err != nil {
		return err
	}
	p := s.page(c, frontend.T(s.lang(c)).Text("agenda.nav"))
	v, err := s.agendaView(c, &r, a, p.Lang)
	if err != nil {
		return err
	}
	p.NoIndex = r.query.Filtered() || values.Has("date") || values.Has("view") || values.Has("after")
	return s.render(c, frontend.Agenda(p, v))
}

// agendaView gathers what the page shows.
func (s *Server) agendaView(c *fiber.Ctx, r *request, a period, lang string) (frontend.AgendaView, error) {
	show := s.presenter(lang)
	v := frontend.AgendaView{Query: r.query, Mode: a.mode, Today: a.today.In(show.zone), Labels: map[string]string{}}
	if err := s.understand(c.UserContext(), r, lang); err != nil {
		return v, err
	}
	v.Notices = s.wordNotices(c, r, lang)
	if z, ok := s.zoneOf(r, lang); ok {
		v.Labels[string(z.Code)] = z.Label
	}
	for _, id := range r.query.Categories {
		v.Labels[id] = s.Taxonomy.Label(id, lang)
	}
	d := drawer{s: s, show: show, index: s.Index.Snapshot(), query: r.query}
	var dates []geo.Date
	var err error
	if a.mode == "upcoming" {
		dates, err = a.upcoming(d.index, r.filter)
	} else {
		dates, err = d.index.Dates(r.filter, a.first, a.last)
	}
	if err != nil {
		return v, err
	}
	v.First, v.Last, v.Total, v.Several = a.first.In(show.zone), a.last.In(show.zone), len(dates), a.last > a.first
	next := geo.Day(-1)
	if a.mode == "month" {
		v.Weeks = d.month(dates, a)
	}
	switch {
	case len(dates) == 0:
		err = d.around(&v, r.filter, a)
	case a.first == a.last:
		var rest string
		if rest, err = d.alone(&d.days, dates, a); rest != "" {
			v.LaterIsMore = true
			v.Later = withAfter(frontend.AgendaURL(r.query, "day", v.First), rest)
		}
	case a.mode != "month" || len(dates) <= agendaDates:
		next = d.some(&d.days, dates, a)
	}
	if err != nil {
		return v, err
	}
	if err := d.fill(c, &v); err != nil {
		return v, err
	}
	s.turnAgenda(&v, r, a, next)
	facets, err := d.index.Facets(r.filter, s.parentOf)
	if err != nil {
		return v, err
	}
	v.Categories = s.categoryChips(r, facets, show)
	v.OnlyHere, err = s.onlyHere(r, facets.Matched)
	return v, err
}

// turnAgenda links to the periods before and after; next is the first day that found no room on the page, if any.
func (s *Server) turnAgenda(v *frontend.AgendaView, r *request, a period, next geo.Day) {
	zone := v.Today.Location()
	reachable := func(d geo.Day) bool {
		y := d.In(time.UTC).Year()
		return y >= firstYear && y <= lastYear
	}
	if before := a.turned(-1); a.mode != "range" && reachable(before) {
		mode := a.mode
		if mode == "upcoming" {
			mode = "week"
		}
		v.Earlier = frontend.AgendaURL(r.query, mode, before.In(zone))
	}
	switch {
	case v.Later != "":
	case next >= 0 && a.mode == "range":
		q := r.query
		q.Datetime = next.In(zone).Format(time.DateOnly) + "/" + v.Last.Format(time.DateOnly)
		v.Later, v.LaterIsMore = q.URL("/agenda"), true
	case next >= 0:
		v.Later, v.LaterIsMore = frontend.AgendaURL(r.query, "upcoming", next.In(zone)), a.mode != "upcoming"
	case a.mode == "range" || a.mode == "upcoming":
	case reachable(a.turned(1)):
		v.Later = frontend.AgendaURL(r.query, a.mode, a.turned(1).In(zone))
	}
}
