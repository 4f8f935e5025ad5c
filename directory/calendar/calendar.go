// Package calendar writes events as iCalendar (RFC 5545, with the names and intervals of RFC 7986), so that calendars can
// subscribe to one event, to an organisation's or to any list.
package calendar

import (
	"io"
	"math"
	"strings"
	"time"

	"archipel/directory"
)

// Type is the media type of what a [Writer] writes.
const Type = "text/calendar; charset=utf-8"

// Options say what a calendar has besides its events.
type Options struct {
	Name        string                             // of the calendar
	Home        string                             // URL of the page that shows the same; empty: none
	Self        string                             // URL of the file, where it is fetched again; empty: it is not
	Lang        string                             // BCP 47, of the name and of labels
	Host        string                             // of this directory: behind the @ of our events' UIDs
	Zone        *time.Location                     // of events that name none; nil: UTC
	Page        func(*directory.Entry) string      // URL of an entry's page; nil: none
	Origin      func(*directory.Entry) string      // name of the directory an entry belongs to; empty for this one; nil: as if
	Attribution func(source string) string         // what a source, by its name, asks to be written beside its data; nil: nothing
	Label       func(category, lang string) string // name of a category; nil: its id
	Product     string                             // name and version of the program
	Interval    time.Duration                      // after which to fetch it again; 0: 6 hours
}

// Writer writes a calendar as events come. What is no event is passed over. It does not close what it writes to.
type Writer struct {
	o     Options
	e     *encoder
	zones map[string]bool // those described
	begun bool
}

// NewWriter returns a Writer on w.
func NewWriter(w io.Writer, o Options) *Writer {
	if o.Zone == nil {
		o.Zone = time.UTC
	}
	if o.Interval == 0 {
		o.Interval = 6 * time.Hour
	}
	if o.Product == "" {
		o.Product = "Archipel"
	}
	return &Writer{o: o, e: newEncoder(w), zones: map[string]bool{}}
}

func (w *Writer) begin() {
	if w.begun {
		return
	}
	w.begun = true
	e := w.e
	e.line("BEGIN", "VCALENDAR")
	e.line("VERSION", "2.0")
	e.text("PRODID", "-//"+w.o.Product+"//"+strings.ToUpper(w.o.Lang))
	e.line("CALSCALE", "GREGORIAN")
	e.text("NAME", w.o.Name)
	e.text("X-WR-CALNAME", w.o.Name)
	if w.o.Zone != time.UTC {
		e.text("X-WR-TIMEZONE", w.o.Zone.String())
	}
	e.uri("URL", w.o.Home)
	if w.o.Self != "" {
		e.uri("SOURCE;VALUE=URI", w.o.Self)
		e.line("REFRESH-INTERVAL;VALUE=DURATION", duration(w.o.Interval))
		e.line("X-PUBLISHED-TTL", duration(w.o.Interval))
	}
}

// Close ends the calendar.
func (w *Writer) Close() error {
	w.begin()
	w.e.line("END", "VCALENDAR")
	if err := w.e.w.Flush(); err != nil && w.e.err == nil {
		w.e.err = err
	}
	return w.e.err
}

// Write adds an event: one VEVENT, and one more for each of its dates that was moved or cancelled.
func (w *Writer) Write(entry *directory.Entry) error {
	v := entry.Event
	if v == nil || entry.Kind != directory.Event {
		return w.e.err
	}
	w.begin()
	t := w.times(v)
	w.event(entry, t, nil)
	if v.RRule != "" || len(v.RDates) > 0 {
		for i := range v.Overrides {
			w.event(entry, t, &v.Overrides[i])
		}
	}
	return w.e.err
}

// times writes the moments of one event in the form that it asks for: whole days, its time zone, or UTC.
type times struct {
	loc    *time.Location
	allDay bool
	utc    bool
}

func (w *Writer) times(v *directory.Schedule) times {
	t := times{loc: v.Location(w.o.Zone), allDay: v.AllDay}
	t.utc = !t.allDay && (t.loc == time.UTC || t.loc.String() == "UTC" || v.Start.Year() <= zoneFrom)
	if name := t.loc.String(); !t.allDay && !t.utc && !w.zones[name] {
		w.zones[name] = true
		w.e.zone(t.loc)
	}
	return t
}

// params are what stands between a property's name and its value.
func (t times) params() string {
	switch {
	case t.allDay:
		return ";VALUE=DATE"
	case t.utc:
		return ""
	}
	return ";TZID=" + t.loc.String() // names of IANA need no quotation marks
}

func (t times) value(at time.Time) string {
	switch {
	case t.allDay:
		return at.In(t.loc).Format(dateForm)
	case t.utc:
		return utc(at)
	}
	return at.In(t.loc).Format(localForm)
}

func (t times) list(at []time.Time) string {
	out := make([]string, len(at))
	for i, a := range at {
		out[i] = t.value(a)
	}
	return strings.Join(out, ",")
}

// event writes an event, or one of its dates that is not like the others.
func (w *Writer) event(entry *directory.Entry, t times, o *directory.Occurrence) {
	v, e := entry.Event, w.e
	start, end, state := v.Start, v.End, v.State
	if o != nil {
		start, end, state = overridden(v, o)
	}
	name, summary, description := w.texts(entry)
	e.line("BEGIN", "VEVENT")
	e.text("UID", w.uid(entry))
	e.line("DTSTAMP", utc(entry.Updated))
	e.line("CREATED", utc(entry.Created))
	e.line("LAST-MODIFIED", utc(entry.Updated))
	e.line("SEQUENCE", number(min(int64(entry.Version), math.MaxInt32)))
	if o != nil {
		e.line("RECURRENCE-ID"+t.params(), t.value(o.Original))
	}
	e.line("DTSTART"+t.params(), t.value(start))
	if end.After(start) && t.value(end) != t.value(start) {
		if t.allDay && end.In(t.loc).Hour() >= 12 { // the last day is meant as well
			end = end.Add(12 * time.Hour)
		}
		e.line("DTEND"+t.params(), t.value(end))
	}
	if o == nil {
		if rule := t.rule(v); rule != "" {
			e.line("RRULE", rule)
		}
		if len(v.RDates) > 0 {
			dates := v.RDates
			if v.RRule == "" {
				// The first date is one of them by itself (RFC 5545, section 3.8.5.3), and some programs forget it.
				dates = append([]time.Time{v.Start}, dates...)
			}
			e.line("RDATE"+t.params(), t.list(dates))
		}
		if len(v.ExDates) > 0 {
			e.line("EXDATE"+t.params(), t.list(v.ExDates))
		}
	}
	e.text("SUMMARY", name)
	e.line("STATUS", status(state))
	e.text("DESCRIPTION", w.description(entry, state, summary, description))
	e.text("LOCATION", location(entry))
	if len(entry.Sites) > 0 {
		e.line("GEO", decimal(entry.Sites[0][1])+";"+decimal(entry.Sites[0][0])) // latitude first, against all else here
	}
	if w.o.Page != nil {
		e.uri("URL", w.o.Page(entry))
	}
	if v.AttendanceURL != "" {
		e.uri("CONFERENCE;VALUE=URI", v.AttendanceURL)
	}
	if len(entry.Categories)+len(entry.Tags) > 0 {
		e.line("CATEGORIES", w.categories(entry))
	}
	if c := entry.Contact; c != nil && c.Email != "" {
		cn := c.Name
		if cn == "" {
			cn = c.Email
		}
		e.uri("ORGANIZER;CN="+quoted(cn), "mailto:"+c.Email)
	} else if c != nil {
		e.text("CONTACT", join(", ", c.Name, c.Phone, c.Website))
	}
	e.line("TRANSP", "TRANSPARENT") // a subscriber is not taken to go everywhere
	e.line("END", "VEVENT")
}

// overridden is when a date of a recurring event takes place, and how.
func overridden(v *directory.Schedule, o *directory.Occurrence) (start, end time.Time, state directory.EventState) {
	start, end, state = o.Original, o.End, v.State
	if !o.Start.IsZero() {
		start = o.Start
	}
	if end.IsZero() && v.End.After(v.Start) {
		end = start.Add(v.End.Sub(v.Start))
	}
	if o.State != "" {
		state = o.State
	}
	return start, end, state
}
