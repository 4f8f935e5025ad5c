package frontend

import (
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/a-h/templ"
)

// AgendaView is the dates of the events that match, day by day.
type AgendaView struct {
	Query       Query  // the filters; its Datetime is set for a range only
	Mode        string // one of [AgendaModes], or "range"
	First, Last time.Time
	Today       time.Time
	Total       int  // dates in the period, or from First on
	Several     bool // the period has more than one day
	Days        []AgendaDay
	Weeks       [][]AgendaCell // of a month
	Earlier     string         // URLs; empty where there is nothing to go to
	Later       string
	LaterIsMore bool        // Later goes on with the same period
	Following   []AgendaDay // for an empty period: what comes next
	Previous    []AgendaDay // for an empty period: what was last, the newest first
	Categories  []Chip
	OnlyHere    *Chip             // as HomeView.OnlyHere
	Labels      map[string]string // as HomeView.Labels
	Notices     []string
}

// AgendaDay is a day that has something.
type AgendaDay struct {
	Day     time.Time
	Dates   []AgendaDate // what begins on it
	Going   []AgendaDate // what began before
	More    int          // dates that are not shown
	MoreURL string
}

// AgendaDate is one date of an event.
type AgendaDate struct {
	Occurrence
	Lang     string // of the name, when it is not the page's
	Category Category
	Town     string
	Summary  string
	Price    string
	Online   bool
	TimeZone string // IANA name, told when its hours are not the site's
	Past     bool

	Origin            string // as of a Card, with the three that follow
	Licence           string
	Silent, Highlight bool
}

// AgendaCell is a day in the grid of a month.
type AgendaCell struct {
	Day     time.Time
	Outside bool // it belongs to another month
	Count   int
	Names   []AgendaName // the first few
	URL     string
}

// AgendaName is an event in a cell.
type AgendaName struct {
	Name, Slug string
	Off        bool // cancelled
}

// AgendaModes are the periods that an agenda shows, in the order of its tabs.
var AgendaModes = []string{"upcoming", "day", "weekend", "week", "month"}

// agendaDay is how a day is written in an agenda's address.
const agendaDay = "2006-01-02"

// AgendaURL is the path of an agenda under the filters of q. mode is one of [AgendaModes]; a zero day means today.
func AgendaURL(q Query, mode string, day time.Time) string {
	return dayURL("/agenda", q, mode, day)
}

func dayURL(path string, q Query, mode string, day time.Time) string {
	q = q.Filters()
	q.Datetime, q.OpenAt = "", ""
	v := q.Values()
	if mode != "" && mode != "upcoming" {
		v.Set("view", mode)
	}
	if !day.IsZero() {
		v.Set("date", day.Format(agendaDay))
	}
	if len(v) == 0 {
		return path
	}
	return path + "?" + v.Encode()
}

// AgendaFrom is the agenda of a list: its filters, and its dates where it has some.
func AgendaFrom(q Query) string {
	q = q.Filters()
	q.OpenAt = ""
	return q.Without("kind", "organisation").Without("kind", "place").Without("kind", "initiative").Without("kind", "event").URL("/agenda")
}

// listOf is the list of the events that an agenda shows.
func (v AgendaView) listOf(view string) string {
	q := v.Query
	q.Kinds, q.View = []string{"event"}, view
	switch {
	case q.Datetime != "" || v.Mode == "upcoming" && v.First.Equal(v.Today):
	case v.First.Equal(v.Today) && (v.Mode == "day" || v.Mode == "weekend" || v.Mode == "week"):
		q.Datetime = map[string]string{"day": "today", "weekend": "weekend", "week": "week"}[v.Mode]
	case v.Mode == "upcoming":
		q.Datetime = v.First.Format(agendaDay) + "/.."
	default:
		q.Datetime = v.First.Format(agendaDay) + "/" + v.Last.Format(agendaDay)
	}
	return q.URL("/")
}

// calendarURL is the address of all dates as iCalendar, whatever period the page shows.
func (v AgendaView) calendarURL() string {
	q := v.Query
	q.Datetime, q.OpenAt = "", ""
	return ExportURL(q, "ics")
}

func (v AgendaView) feedURL(format string) string {
	q := v.Query
	q.Datetime, q.OpenAt, q.Kinds = "", "", []string{"event"}
	return ExportURL(q, format)
}

// webcalURL is an address that calendars subscribe to rather than copy.
func webcalURL(p Page, path string) templ.SafeURL {
	_, host, ok := strings.Cut(p.Site.PublicURL, "://")
	if !ok {
		return templ.SafeURL(path)
	}
	return templ.SafeURL("webcal://" + host + path)
}

// onAgenda turns an address of the list into the same of the agenda.
func onAgenda(list string) templ.SafeURL {
	return templ.SafeURL("/agenda" + strings.TrimPrefix(list, "/"))
}

// hiddenAgenda are the inputs that keep the filters when a form of the agenda is sent.
func hiddenAgenda(v AgendaView, without ...string) [][2]string {
	u, err := url.Parse(AgendaURL(v.Query, v.Mode, v.First))
	if err != nil {
		return nil
	}
	values := u.Query()
	for _, key := range without {
		values.Del(key)
	}
	var out [][2]string
	for _, key := range sortedKeys(values) {
		for _, s := range values[key] {
			out = append(out, [2]string{key, s})
		}
	}
	return out
}

// agendaTitle names the period.
func agendaTitle(l *Localizer, v AgendaView) string {
	switch {
	case v.Mode == "month":
		return capital(l.Month(v.First))
	case v.Mode == "upcoming" && v.First.Equal(v.Today):
		return l.Text("agenda.title_upcoming")
	case v.Mode == "upcoming":
		return l.Text("agenda.title_from", "Day", l.Date(v.First, v.Today))
	case !v.Several:
		return capital(l.Day(v.First, v.Today))
	}
	return capital(l.Text("date.range", "From", l.Date(v.First, v.Today), "To", l.Date(v.Last, v.Today)))
}

// agendaClock writes when a date is on within its day.
func agendaClock(l *Localizer, d AgendaDate) string {
	end := d.End
	sameDay := !end.IsZero() && days(end) == days(d.Start)
	evening := !end.IsZero() && days(end) == days(d.Start)+1 && end.Hour() < 6
	switch {
	case d.AllDay:
		return l.Text("agenda.all_day")
	case sameDay || evening:
		return l.Clock(d.Start) + "–" + l.Clock(end)
	}
	return l.Clock(d.Start)
}

// agendaUntil says until when a date of several days lasts, or nothing.
func agendaUntil(l *Localizer, d AgendaDate, now time.Time) string {
	end := d.End
	if end.IsZero() || days(end) <= days(d.Start) || !d.AllDay && days(end) == days(d.Start)+1 && end.Hour() < 6 {
		return ""
	}
	return l.Text("agenda.until", "Day", l.Date(end, now))
}

// modeDay is the day that the tab of a mode leads to: the one that is shown, when it is not today.
func (v AgendaView) modeDay(mode string) time.Time {
	if v.First.Equal(v.Today) || v.Mode == "range" || mode == "upcoming" || mode == "day" || mode == "weekend" {
		return time.Time{}
	}
	if v.Mode == "month" && !v.Today.Before(v.First) && !v.Today.After(v.Last) {
		return time.Time{} // the month that we are in
	}
	return v.First
}

func dayID(d AgendaDay) string { return "d" + d.Day.Format("20060102") }

// shortDay is the beginning of a weekday's name.
func shortDay(l *Localizer, day time.Time) string {
	r := []rune(l.Weekday(day.Weekday()))
	return capital(string(r[:min(3, len(r))]))
}

func sortedKeys(v url.Values) []string {
	return slices.Sorted(maps.Keys(v))
}

func agendaAlternates(l *Localizer, v AgendaView) []alternate {
	return []alternate{
		{"text/calendar", l.Text("agenda.file"), v.calendarURL()},
		{"application/atom+xml", l.Text("export.atom"), v.feedURL("atom")},
		{"application/rss+xml", "RSS", v.feedURL("rss")},
	}
}

// CalendarURL is the path of an entry's dates as iCalendar.
func CalendarURL(slug string) string { return EntryURL(slug) + ".ics" }

// dateWords are the dates that one choice asks a list for.
var dateWords = []string{"today", "weekend", "week"}

func toggleDates(q Query, when string) Query {
	if q.Datetime == when {
		return q.Without("datetime", "")
	}
	q = q.Without("datetime", "")
	q.Datetime = when
	return q
}

// hasEvents reports whether a list has, or could have, something with a date.
func hasEvents(v HomeView) bool {
	for _, k := range v.Kinds {
		if k.ID == "event" && k.Count > 0 {
			return true
		}
	}
	return v.Query.Datetime != ""
}

// hasDates reports whether an entry that is no event organises, hosts or comprises some.
func (v EntryView) hasDates() bool {
	for _, g := range v.Related {
		if g.Relation != "organises" && g.Relation != "hosts" && g.Relation != "parts" {
			continue
		}
		for _, c := range g.Cards {
			if c.Kind == "event" {
				return true
			}
		}
	}
	return false
}
