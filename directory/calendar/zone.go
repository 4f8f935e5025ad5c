package calendar

import (
	"fmt"
	"slices"
	"time"
)

// A zone is described from this year on; what was before is written in UTC. Years after the last one follow the rule that
// the zone has then, if it has one.
const (
	zoneFrom = 1996
	zoneTo   = 2037
)

// turn is a moment at which a zone's clocks change.
type turn struct {
	local    time.Time // what clocks showed before the change, as if it were UTC
	from, to int       // offsets from UTC, in seconds
	name     string
	summer   bool
}

// turns are a zone's changes from zoneFrom to zoneTo, ascending.
func turns(loc *time.Location) []turn {
	var out []turn
	at := time.Date(zoneFrom, 1, 1, 0, 0, 0, 0, time.UTC)
	for {
		_, next := at.In(loc).ZoneBounds()
		if next.IsZero() || next.Year() > zoneTo {
			return out
		}
		if !next.After(at) { // Go says so on the last day of leap years, where a zone's tables leave them to its rule
			at = at.Add(24 * time.Hour)
			continue
		}
		_, from := next.Add(-time.Second).In(loc).Zone()
		name, to := next.In(loc).Zone()
		at = next
		if before, _ := next.Add(-time.Second).In(loc).Zone(); from == to && before == name {
			continue // where the tables of the zone end, nothing changes
		}
		out = append(out, turn{next.UTC().Add(time.Duration(from) * time.Second), from, to, name, next.In(loc).IsDST()})
	}
}

// yearly is a change that comes back every year: on a weekday of a month, counted from its beginning, or from its end
// when nth is negative, at the same time by the clocks.
type yearly struct {
	month   time.Month
	weekday time.Weekday
	nth     int
	clock   int // seconds of the day
	from    int
	to      int
}

// candidates are the rules that a change may follow, the one from the end of the month first.
func (t turn) candidates() []yearly {
	y := yearly{t.local.Month(), t.local.Weekday(), 0, t.local.Hour()*3600 + t.local.Minute()*60 + t.local.Second(), t.from, t.to}
	var out []yearly
	if t.local.AddDate(0, 0, 7).Month() != y.month {
		last := y
		last.nth = -1
		out = append(out, last)
	}
	if n := (t.local.Day()-1)/7 + 1; n < 5 {
		first := y
		first.nth = n
		out = append(out, first)
	}
	return out
}

// rules finds what the changes of a zone follow to the end, and how many of the changes come before they do.
func rules(all []turn) (irregular int, found []yearly) {
	n := len(all)
	if n < 4 || all[n-1].local.Year() != zoneTo || all[n-2].local.Year() != zoneTo {
		return n, nil // no two changes a year
	}
	for _, last := range []turn{all[n-2], all[n-1]} {
		best, since := yearly{}, 0
		for _, c := range last.candidates() {
			years := 0
			for i := slices.Index(all, last); i >= 0 && slices.Contains(all[i].candidates(), c); i -= 2 {
				years++
			}
			if years > since {
				best, since = c, years
			}
		}
		if since < 5 {
			return n, nil
		}
		found = append(found, best)
		irregular = max(irregular, n-2*since)
	}
	return irregular, found
}

// zone writes a VTIMEZONE.
func (e *encoder) zone(loc *time.Location) {
	e.line("BEGIN", "VTIMEZONE")
	e.text("TZID", loc.String())
	all := turns(loc)
	irregular, yearlies := rules(all)
	start := time.Date(zoneFrom, 1, 1, 0, 0, 0, 0, time.UTC)
	name, offset := start.In(loc).Zone()
	e.observance(turn{start, offset, offset, name, start.In(loc).IsDST()}, "")
	for _, t := range all[:irregular] {
		e.observance(t, "")
	}
	if yearlies != nil {
		for i, t := range all[irregular : irregular+2] {
			y := yearlies[i]
			if t.from != y.from || t.to != y.to {
				y = yearlies[1-i]
			}
			e.observance(t, fmt.Sprintf("FREQ=YEARLY;BYMONTH=%d;BYDAY=%d%s", y.month, y.nth, weekdays[y.weekday]))
		}
	}
	e.line("END", "VTIMEZONE")
}

var weekdays = [...]string{"SU", "MO", "TU", "WE", "TH", "FR", "SA"}

func (e *encoder) observance(t turn, rule string) {
	kind := "STANDARD"
	if t.summer {
		kind = "DAYLIGHT"
	}
	e.line("BEGIN", kind)
	e.line("DTSTART", t.local.Format(localForm))
	e.line("TZOFFSETFROM", offset(t.from))
	e.line("TZOFFSETTO", offset(t.to))
	e.text("TZNAME", t.name)
	if rule != "" {
		e.line("RRULE", rule)
	}
	e.line("END", kind)
}

// offset writes seconds east of UTC as +hhmm or +hhmmss.
func offset(seconds int) string {
	sign := '+'
	if seconds < 0 {
		sign, seconds = '-', -seconds
	}
	s := fmt.Sprintf("%c%02d%02d", sign, seconds/3600, seconds/60%60)
	if seconds%60 != 0 {
		s += fmt.Sprintf("%02d", seconds%60)
	}
	return s
}
