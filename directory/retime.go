package directory

import (
	"strings"
	"time"
)

// Retimed is v beginning at another hour of the same day: its dates that were moved, cancelled, left out or added follow by
// what clocks show, so that no change of them to or from summer time leaves any behind. at says where a moment of v has gone.
// It is false, and v as it was, when start is on another day, v lasts whole days, or its rule names the hours itself.
func (v *Schedule) Retimed(start time.Time, fallback *time.Location) (now Schedule, at func(time.Time) time.Time, ok bool) {
	loc := v.Location(fallback)
	was, will := shown(v.Start.In(loc)), shown(start.In(loc))
	if v.AllDay || v.Start.IsZero() || start.IsZero() || !day(was).Equal(day(will)) || namesHours(v.RRule) {
		return *v, nil, false
	}
	at = func(t time.Time) time.Time {
		switch {
		case t.IsZero():
			return t
		case t.Unix() == v.Start.Unix():
			return start.UTC()
		}
		w := shown(t.In(loc))
		// Where clocks leave out the hour of the event, its date shows another one.
		for _, back := range []int{0, -1} {
			plan := time.Date(w.Year(), w.Month(), w.Day()+back, was.Hour(), was.Minute(), was.Second(), was.Nanosecond(), time.UTC)
			if whenShown(plan, loc).Unix() == t.Unix() {
				w = plan
				break
			}
		}
		return whenShown(w.Add(will.Sub(was)), loc).UTC()
	}
	now = *v
	now.Start = start
	now.ExDates, now.RDates, now.Overrides = nil, nil, nil
	for _, t := range v.ExDates {
		now.ExDates = append(now.ExDates, at(t))
	}
	for _, t := range v.RDates {
		now.RDates = append(now.RDates, at(t))
	}
	for _, o := range v.Overrides {
		o.Original, o.Start, o.End = at(o.Original), at(o.Start), at(o.End)
		now.Overrides = append(now.Overrides, o)
	}
	now.RRule = v.untilLater(was, will, loc)
	return now, at, true
}

func namesHours(rule string) bool {
	rule = strings.ToUpper(rule)
	return strings.Contains(rule, "BYHOUR=") || strings.Contains(rule, "BYMINUTE=") || strings.Contains(rule, "BYSECOND=")
}

func day(t time.Time) time.Time { return t.Truncate(24 * time.Hour) }

// untilLater is the rule of v with an end that leaves its last date the same when its hour goes from was to will.
func (v *Schedule) untilLater(was, will time.Time, loc *time.Location) string {
	until, ok := v.Until(loc)
	if !ok {
		return v.RRule
	}
	w := shown(until.In(loc))
	clock := func(t time.Time) time.Duration { return t.Sub(day(t)) }
	last := day(w).Add(24*time.Hour - time.Second)
	switch on := clock(was) <= clock(w); {
	case on == (clock(will) <= clock(w)):
		return v.RRule // it says the same as before
	case !on:
		last = day(w).Add(-time.Second) // that day was not one of its dates
	}
	parts := strings.Split(v.RRule, ";")
	for i, p := range parts {
		if name, value, _ := strings.Cut(p, "="); strings.EqualFold(strings.TrimSpace(name), "UNTIL") {
			if parts[i] = name + "=" + last.Format("20060102T150405"); strings.HasSuffix(strings.ToUpper(strings.TrimSpace(value)), "Z") {
				parts[i] = name + "=" + whenShown(last, loc).UTC().Format("20060102T150405Z")
			}
		}
	}
	return strings.Join(parts, ";")
}
