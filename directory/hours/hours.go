// Package hours understands opening hours in a strict subset of OpenStreetMap's opening_hours syntax
// (https://wiki.openstreetmap.org/wiki/Key:opening_hours/specification), and says whether something is open at a moment.
//
// Understood are
//
//   - weekdays, lists and ranges of them, across the end of the week: Mo-Fr, Sa,Su, Fr-Mo, and the nth of a month: Sa[1], Su[-1], We[2-4]
//   - public holidays, PH, and school holidays, SH: in a list (Mo-Fr,PH) or before weekdays, which must both hold (SH Mo-Fr)
//   - months and days of months, across the end of the year: May-Sep, Dec 25, Dec 24-Jan 02, Dec 24-26, and ISO weeks: week 1-53/2
//   - times: 09:00-12:00,14:00-18:00, past midnight as 22:00-02:00 or 22:00-26:00, with an open end as 18:00+ or 14:00-17:00+,
//     and sunrise, sunset, dawn, dusk, also as (sunset-01:30)
//   - open, off, closed, unknown, and comments in quotes; a comment without one of these words means unknown
//   - 24/7
//   - rules, of which a later one replaces the earlier ones on the days it names (;), adds to them (,) or counts where they say
//     closed (||)
//
// Whatever else stands in a value is an error that names its place: years, Easter, days counted from another day, points in
// time, intervals. What depends on something not known here, such as school holidays or where the sun is, makes the answer Unknown
// and never a wrong one.
package hours

import (
	"fmt"
	"time"
)

// State is what opening hours say about a moment.
type State uint8

// The states. Unknown means that it may be open: the hours say so, give no end, or depend on something not known here.
const (
	Closed State = iota
	Open
	Unknown
)

func (s State) String() string {
	switch s {
	case Open:
		return "open"
	case Unknown:
		return "unknown"
	}
	return "closed"
}

// Hours are opening hours, made by [Parse]. They do not change and may be used by several goroutines.
type Hours struct {
	rules    []rule
	holidays Holidays
}

// Error says where a value is not understood.
type Error struct {
	Pos int    // number of characters before the place
	Msg string // in English, for a log; people are shown the place
}

func (e *Error) Error() string {
	return fmt.Sprintf("opening hours: at character %d: %s", e.Pos+1, e.Msg)
}

// With returns the same hours where the public holidays are h; nil when they are not known, so that PH is Unknown. [Parse]
// presumes [France].
func (h *Hours) With(holidays Holidays) *Hours {
	c := *h
	c.holidays = holidays
	return &c
}

// At says what holds at t on the clocks of t's location, with the comment that the hours give for it.
func (h *Hours) At(t time.Time) (State, string) {
	p := h.plan(dateOf(t))
	m := t.Hour()*60 + t.Minute()
	for i := range p {
		if m < p[i].to {
			return p[i].mask.state(), p[i].comment
		}
	}
	return Closed, "" // a plan covers its day
}

// Change is a moment from which on something else holds.
type Change struct {
	At      time.Time // in the location that was asked for
	State   State
	Comment string
}

// horizon is how many days [Hours.Next] looks ahead: a year, and a little for what happens on the nth weekday.
const horizon = 400

// Next returns the first change of state after t, on the clocks of t's location; false when there is none within 400 days.
func (h *Hours) Next(t time.Time) (Change, bool) {
	was, _ := h.At(t)
	loc := t.Location()
	for d, n := dateOf(t), 0; n <= horizon; d, n = d.next(), n+1 {
		midnight, after := d.clock(0, loc), d.next().clock(0, loc)
		if after.Sub(midnight) != 24*time.Hour || dateOf(midnight) != d || dateOf(midnight.Add(-time.Second)) == d { // midnight may come twice
			if c, ok := h.nextOn(d, t, was); ok {
				return c, true
			}
			continue
		}
		for _, s := range h.plan(d) {
			if state := s.mask.state(); state != was {
				if at := midnight.Add(time.Duration(s.from) * time.Minute); at.After(t) {
					return Change{at, state, s.comment}, true
				}
			}
		}
	}
	return Change{}, false
}

// nextOn is Next for a day on which the clocks are changed: some times of the day do not exist, or twice.
func (h *Hours) nextOn(d date, t time.Time, was State) (Change, bool) {
	loc := t.Location()
	start := time.Date(d.year, d.month, d.day, 0, 0, 0, 0, time.UTC)
	offsets := map[int]bool{}
	var candidates []time.Time
	for at := start.Add(-30 * time.Hour); at.Before(start.Add(54 * time.Hour)); at = at.Add(6 * time.Hour) {
		_, offset := at.In(loc).Zone()
		offsets[offset] = true
		if _, end := at.In(loc).ZoneBounds(); !end.IsZero() {
			candidates = append(candidates, end)
		}
	}
	for _, s := range h.plan(d) {
		for offset := range offsets {
			candidates = append(candidates, start.Add(time.Duration(s.from)*time.Minute-time.Duration(offset)*time.Second))
		}
	}
	var first Change
	found := false
	for _, at := range candidates {
		at = at.In(loc)
		if !at.After(t) || found && !at.Before(first.At) || dateOf(at) != d {
			continue
		}
		if state, c := h.At(at); state != was {
			first, found = Change{at, state, c}, true
		}
	}
	return first, found
}
