package api

import (
	"fmt"
	"net/url"
	"strings"
	"time"

	"archipel/directory"

	"github.com/teambition/rrule-go"
)

// Forms of dates and times as browsers send them.
const (
	formDate = "2006-01-02"
	formTime = "15:04"
)

// repeats are the simple choices of how an event repeats; anything else is kept as it is.
var repeats = []string{"", "weekly", "fortnightly", "monthly-day", "monthly-weekday"}

func formOfEvent(v url.Values, e *directory.Schedule, zone *time.Location) {
	loc := e.Location(zone)
	moment := func(name string, t time.Time) {
		if t.IsZero() {
			return
		}
		v.Set("event."+name+"Date", t.In(loc).Format(formDate))
		if !e.AllDay {
			v.Set("event."+name+"Time", t.In(loc).Format(formTime))
		}
	}
	moment("start", e.Start)
	end := e.End
	if e.AllDay && !end.IsZero() {
		end = end.In(loc).AddDate(0, 0, -1) // people name the last day, the directory the moment after it
		if end.Before(e.Start) {
			end = e.Start
		}
	}
	moment("end", end)
	if e.AllDay {
		v.Set("event.allDay", "1")
	}
	v.Set("event.timezone", loc.String())
	v.Set("event.price", e.Price)
	v.Set("event.attendanceUrl", e.AttendanceURL)
	v.Set("event.registerUrl", e.RegisterURL)
	v.Set("event.status", string(e.State))
	repeat, until := repeatOf(e, loc)
	v.Set("event.repeat", repeat)
	v.Set("event.until", until)
}

var weekdays = []rrule.Weekday{rrule.SU, rrule.MO, rrule.TU, rrule.WE, rrule.TH, rrule.FR, rrule.SA}

// ruleOf is a simple choice as an RRULE (RFC 5545, 3.3.10).
func ruleOf(repeat string, start time.Time) string {
	day := weekdays[start.Weekday()].String()
	switch repeat {
	case "weekly":
		return "FREQ=WEEKLY;BYDAY=" + day
	case "fortnightly":
		return "FREQ=WEEKLY;INTERVAL=2;BYDAY=" + day
	case "monthly-day":
		return fmt.Sprintf("FREQ=MONTHLY;BYMONTHDAY=%d", start.Day())
	case "monthly-weekday":
		n := (start.Day() + 6) / 7
		if n == 5 {
			n = -1 // not every month has a fifth: the last one is meant
		}
		return fmt.Sprintf("FREQ=MONTHLY;BYDAY=%d%s", n, day)
	}
	return ""
}

// repeatOf recognises the simple choices in a rule; "keep" is any other.
func repeatOf(e *directory.Schedule, loc *time.Location) (repeat, until string) {
	if e.RRule == "" {
		return "", ""
	}
	rule, end, _ := strings.Cut(e.RRule, ";UNTIL=")
	if end != "" {
		t, err := time.Parse("20060102T150405Z", end)
		if err != nil {
			return "keep", ""
		}
		until = t.In(loc).Format(formDate)
	}
	start := e.Start.In(loc)
	for _, r := range repeats[1:] {
		if ruleOf(r, start) == rule {
			return r, until
		}
	}
	if rule == "FREQ=WEEKLY" {
		return "weekly", until
	}
	return "keep", ""
}

// event reads when an event takes place.
func (f *filler) event() {
	if f.e.Kind != directory.Event {
		return
	}
	if !f.v.Has("event.startDate") {
		return
	}
	v := &directory.Schedule{}
	if f.e.Event != nil {
		old := *f.e.Event
		v = &old
	}
	f.text("event.timezone", &v.Timezone)
	zone := f.s.zone()
	if v.Timezone == "" {
		v.Timezone = zone.String()
	}
	loc, err := directory.Zone(v.Timezone)
	if err != nil {
		f.add("event.timezone", directory.CodeUnknown, v.Timezone)
		loc = zone
	}
	before := v.Start
	v.AllDay = f.v.Get("event.allDay") != ""
	v.Start = sameMinute(f.moment("start", v.AllDay, loc), v.Start)
	v.End = sameMinute(f.moment("end", v.AllDay, loc), v.End)
	if v.AllDay {
		if v.End.IsZero() {
			v.End = v.Start
		}
		if !v.End.IsZero() {
			v.End = v.End.In(loc).AddDate(0, 0, 1) // a day on the calendar, of 23 to 25 hours
		}
	}
	f.text("event.price", &v.Price)
	f.text("event.attendanceUrl", &v.AttendanceURL)
	f.text("event.registerUrl", &v.RegisterURL)
	if f.v.Has("event.status") {
		v.State = directory.EventState(f.v.Get("event.status"))
	}
	f.repeat(v, loc, before)
	f.dates(v, f.e.Event, loc, f.exceptions(v, f.e.Event, loc))
	f.e.Event = v
}

// sameMinute is what was typed, or the instant that stood when its clock shows the same minute: a form has no seconds, and
// does not tell the two hours apart when the clocks are put back.
func sameMinute(typed, stood time.Time) time.Time {
	const minute = formDate + " " + formTime
	if !typed.IsZero() && !stood.IsZero() && typed.Format(minute) == stood.In(typed.Location()).Format(minute) {
		return stood
	}
	return typed
}

// moment reads a date and a time. An end without a date is on the day of the start, or after midnight.
func (f *filler) moment(name string, allDay bool, loc *time.Location) time.Time {
	date, clock := strings.TrimSpace(f.v.Get("event."+name+"Date")), strings.TrimSpace(f.v.Get("event."+name+"Time"))
	borrowed := false
	if name == "end" && date == "" && clock != "" && !allDay {
		date, borrowed = strings.TrimSpace(f.v.Get("event.startDate")), true
	}
	if date == "" {
		if clock != "" && name == "start" {
			f.add("event.startDate", directory.CodeRequired, "")
		}
		return time.Time{}
	}
	day, err := time.Parse(formDate, date)
	if err != nil || day.Year() < 1800 || day.Year() > 2200 {
		f.add("event."+name+"Date", directory.CodeInvalid, date)
		return time.Time{}
	}
	at := time.Time{}
	if !allDay {
		if clock == "" {
			f.problems = append(f.problems, directory.Problem{Field: "event." + name + "Time", Code: directory.CodeRequired})
			return time.Time{}
		}
		if at, err = time.Parse(formTime, clock); err != nil {
			f.add("event."+name+"Time", directory.CodeInvalid, clock)
			return time.Time{}
		}
	}
	t := time.Date(day.Year(), day.Month(), day.Day(), at.Hour(), at.Minute(), 0, 0, loc)
	if borrowed {
		if start := strings.TrimSpace(f.v.Get("event.startTime")); start != "" && clock < start {
			t = t.AddDate(0, 0, 1)
		}
	}
	return t
}

// repeat turns the choice into a rule.
func (f *filler) repeat(v *directory.Schedule, loc *time.Location, before time.Time) {
	choice := f.v.Get("event.repeat")
	if !f.v.Has("event.repeat") || choice == "keep" || v.Start.IsZero() {
		return
	}
	days := ruleOf(choice, v.Start.In(loc))
	rule := days
	if rule == "" && choice != "" {
		f.add("event.repeat", directory.CodeUnknown, choice)
		return
	}
	if until := strings.TrimSpace(f.v.Get("event.until")); until != "" && rule != "" {
		day, err := time.Parse(formDate, until)
		last := time.Date(day.Year(), day.Month(), day.Day(), 23, 59, 59, 0, loc)
		switch {
		case err != nil || day.Year() > 2200:
			f.add("event.until", directory.CodeInvalid, until)
			return
		case last.Before(v.Start):
			f.add("event.until", directory.CodeOrder, until)
			return
		}
		rule += ";UNTIL=" + last.UTC().Format("20060102T150405Z")
	}
	stood := *v
	stood.Start = before
	if old, until := repeatOf(&stood, loc); !before.IsZero() && old == choice && until == strings.TrimSpace(f.v.Get("event.until")) && days == ruleOf(choice, before.In(loc)) {
		return // the same, perhaps written otherwise
	}
	v.RRule = rule
}
