// Package ical reads iCalendar (RFC 5545) as the world writes it: folded anywhere, in any 8-bit coding, with time zones of
// Windows, of the calendar's own making or of nobody's, and gives the events as entries of the directory.
package ical

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"archipel/directory"
)

// Errors of [Read].
var (
	ErrNotCalendar = errors.New("this is no iCalendar")
	ErrTooLarge    = errors.New("the calendar is too large")
)

// Codes of warnings.
const (
	WarnLine       = "line"       // content lines that could not be read, and were left out
	WarnLongLine   = "long_line"  // lines that lost their ends
	WarnZone       = "zone"       // a time zone that nobody knows: the site's was taken
	WarnZoneRules  = "zone_rules" // a time zone of the calendar's own, unlike any other: single dates are right, repeated ones as near as can be
	WarnDate       = "date"       // events without a date that could be read, left out
	WarnTitle      = "title"      // events without a title, left out
	WarnPrivate    = "private"    // events that are not for the public, left out
	WarnMany       = "too_many"   // events beyond the limit, left out
	WarnRule       = "rule"       // a recurrence that could not be read, or repeats within a day: the first date only
	WarnRuleExtra  = "rule_extra" // a second or an excluding rule, left out
	WarnEnd        = "end"        // an end before the beginning, left out
	WarnOccurrence = "occurrence" // a single date has a text of its own, which was left out
	WarnFollowing  = "following"  // a change of all dates from one on, taken over for the next ones only
	WarnDuplicate  = "duplicate"  // several events with one UID
	WarnTooLong    = "too_long"   // texts that were cut
	WarnExceptions = "exceptions" // more exceptions than a series may have
)

// Warning is something that was not taken over as it was meant.
type Warning struct {
	Code  string `json:"code"`
	Value string `json:"value,omitempty"` // the first that it was about
	Count int    `json:"count"`
}

// Options say what a calendar leaves open. The zero value is ready.
type Options struct {
	Zone *time.Location // of times that name none; nil: UTC
	Now  time.Time      // zero: now; what open-ended changes are worked out from
}

// Event is an event of a calendar.
type Event struct {
	// UID names it in its calendar for ever. Of an occurrence whose series is missing, it has the date at its end.
	UID string
	// Entry is the event: kind, name, description, tags, sites, contact, links, images and schedule. It is normalised, and
	// valid as far as the calendar can tell. What calendars do not say is empty.
	Entry directory.Entry
	// Place is the place in the calendar's words, as the address was made from.
	Place string
}

// Calendar is what was read.
type Calendar struct {
	Name     string
	Refresh  time.Duration // how often it asks to be fetched; 0: it does not say
	Events   []Event       // each UID once, in the order of the file
	Warnings []Warning
	// Complete reports that the file ended as calendars end, and that nothing was left out that is an event: what is not
	// in Events is not in the calendar.
	Complete bool
}

// reader gathers what is left out.
type reader struct {
	now      time.Time
	warnings []Warning
	futures  int // changes of all dates from one on
	names    int // of time zones that were looked for
}

func (r *reader) warn(code, value string, n int) {
	if n <= 0 {
		return
	}
	for i := range r.warnings {
		if r.warnings[i].Code == code {
			r.warnings[i].Count += n
			return
		}
	}
	r.warnings = append(r.warnings, Warning{Code: code, Value: oneLine(value, 80), Count: n})
}

// Read reads a calendar. What cannot be read of it is left out and told in the warnings; it is an error, wrapping
// [ErrNotCalendar] or [ErrTooLarge], when nothing can.
func Read(b []byte, o Options) (*Calendar, error) {
	if len(b) > MaxBytes {
		return nil, fmt.Errorf("%d bytes, at most %d are read: %w", len(b), MaxBytes, ErrTooLarge)
	}
	if o.Zone == nil {
		o.Zone = time.UTC
	}
	if o.Now.IsZero() {
		o.Now = time.Now()
	}
	r := &reader{now: o.Now}
	calendars, complete := r.parse(decoded(b))
	if len(calendars) == 0 {
		return nil, ErrNotCalendar
	}
	out := &Calendar{Complete: complete}
	seen := map[string]bool{}
	room := MaxEvents
	for _, c := range calendars {
		r.calendar(out, c, o, seen, &room)
	}
	out.Warnings = r.warnings
	for _, w := range r.warnings {
		// An event that is private or has no title is there, and will never be an entry; one without a date may be one.
		if w.Code == WarnMany || w.Code == WarnDate {
			out.Complete = false
		}
	}
	return out, nil
}

// calendar reads one VCALENDAR.
func (r *reader) calendar(out *Calendar, c *component, o Options, seen map[string]bool, room *int) {
	home := o.Zone
	for _, p := range c.props {
		switch p.name {
		case "X-WR-CALNAME", "NAME":
			if out.Name == "" {
				out.Name = oneLine(unescape(p.value), 200)
			}
		case "X-WR-TIMEZONE":
			if loc := r.named(p.value); loc != nil {
				home = loc
			}
		case "REFRESH-INTERVAL", "X-PUBLISHED-TTL":
			if days, rest, ok := duration(p.value); ok && out.Refresh == 0 {
				out.Refresh = time.Duration(min(days, 4_000))*24*time.Hour + rest
			}
		}
	}
	z := r.zones(c, home)
	var list []*source
	for _, e := range c.within {
		if e.name != "VEVENT" {
			continue
		}
		if *room == 0 {
			r.warn(WarnMany, "", 1)
			continue
		}
		*room--
		if s := r.source(e); s != nil {
			list = append(list, s)
		}
	}
	for _, g := range r.grouped(list) {
		if e, ok := r.event(g, z); ok && !seen[e.UID] {
			seen[e.UID] = true
			out.Events = append(out.Events, e)
		}
	}
}

// series is a UID: its event, and what was said of single dates of it.
type series struct {
	uid    string
	master *source
	dates  []*source
}

// grouped puts the components of each UID together. Of several versions, the highest SEQUENCE counts, then the latest
// LAST-MODIFIED or DTSTAMP. Some programs give different events one UID: those are events of their own.
func (r *reader) grouped(list []*source) []*series {
	byUID := map[string]*series{}
	var order []*series
	group := func(uid string) *series {
		g := byUID[uid]
		if g == nil {
			g = &series{uid: uid}
			byUID[uid] = g
			order = append(order, g)
		}
		return g
	}
	for _, s := range list {
		g := group(s.uid)
		switch {
		case s.recurrence != nil:
			g.dates = append(g.dates, s)
		case g.master == nil:
			g.master = s
		case s.newer(g.master):
			g.master = s
		case g.master.newer(s):
		case s.start == g.master.start && s.text("SUMMARY") == g.master.text("SUMMARY"):
			g.master = s
		default:
			r.warn(WarnDuplicate, s.uid, 1)
			own := s.uid + " " + s.start.clock.Format("20060102T150405")
			if s.start == g.master.start {
				own += " " + directory.Slugify(oneLine(unescape(s.text("SUMMARY")), 60))
			}
			if d := group(own); d.master == nil || s.newer(d.master) {
				d.master = s
				s.uid = own
			}
		}
	}
	// Dates whose series is not there stand for themselves.
	var out []*series
	for _, g := range order {
		if g.master != nil {
			out = append(out, g)
			continue
		}
		for _, s := range g.dates {
			out = append(out, &series{uid: g.uid + " " + strings.TrimSpace(s.recurrence.value), master: s})
		}
	}
	return out
}
