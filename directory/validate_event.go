package directory

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// year checks that a moment is one that stores and other programs can hold, wherever it is looked at from: a year of four
// digits and no more, by the clocks of any place.
func (c *checker) year(field string, t time.Time) {
	if u := t.UTC(); !t.IsZero() && (u.Year() < 1800 || u.Year() > 2200) {
		c.add(field, CodeOutOfRange, map[string]any{"value": t.Format(time.RFC3339), "min": 1800, "max": 2200})
	}
}

// dates checks single dates of a series. One that cannot be is enough to say so.
func (c *checker) dates(field string, list []time.Time) {
	if !c.many(field, len(list), 1_000) {
		return
	}
	before := len(c.problems)
	for i, t := range list {
		if c.year(fmt.Sprintf("%s[%d]", field, i), t); len(c.problems) > before {
			return
		}
	}
}

func (c *checker) when(e *Entry) {
	v := e.Event
	if v == nil {
		if e.Kind == Event && e.Status != Removed && e.Status != Draft {
			c.add("event.start", CodeRequired, nil)
		}
		return
	}
	if e.Kind != Event {
		c.add("event", CodeNotHere, nil)
		return
	}
	if v.Start.IsZero() {
		c.add("event.start", CodeRequired, nil)
	}
	c.year("event.start", v.Start)
	c.year("event.end", v.End)
	if !v.End.IsZero() && v.End.Before(v.Start) {
		c.add("event.end", CodeOrder, nil)
	}
	if v.Timezone != "" {
		if _, err := Zone(v.Timezone); err != nil {
			c.invalid("event.timezone", CodeUnknown, v.Timezone)
		}
	}
	if v.RRule != "" {
		if err := CheckRule(v.RRule, v.Start.In(v.Location(time.UTC))); errors.Is(err, ErrTooOften) {
			c.invalid("event.rrule", CodeUnknown, v.RRule)
		} else if err != nil {
			c.invalid("event.rrule", CodeInvalid, v.RRule)
		}
	}
	c.dates("event.exdates", v.ExDates)
	c.dates("event.rdates", v.RDates)
	c.many("event.overrides", len(v.Overrides), 1_000)
	states := []EventState{"", Scheduled, Cancelled, Postponed, Rescheduled, MovedOnline, Tentative}
	if !slices.Contains(states, v.State) {
		c.invalid("event.status", CodeUnknown, string(v.State))
	}
	for i, o := range v.Overrides {
		field := fmt.Sprintf("event.overrides[%d]", i)
		if !slices.Contains(states, o.State) {
			c.invalid(field+".status", CodeUnknown, string(o.State))
		}
		if o.Original.IsZero() {
			c.add(field+".recurrenceId", CodeRequired, nil)
		}
		c.year(field+".recurrenceId", o.Original)
		c.year(field+".start", o.Start)
		c.year(field+".end", o.End)
		if !o.End.IsZero() && o.End.Before(o.Start) {
			c.add(field+".end", CodeOrder, nil)
		}
	}
	c.link("event.attendanceUrl", v.AttendanceURL, "http", "https")
	c.link("event.registerUrl", v.RegisterURL, "http", "https", "mailto")
	c.line("event.price", v.Price, MaxLine)
	if c.many("event.languages", len(v.Languages), MaxList) {
		for i, l := range v.Languages {
			c.lang(fmt.Sprintf("event.languages[%d]", i), l)
		}
	}
}
