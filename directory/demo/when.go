package demo

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // Europe/Paris, on machines without a time zone database

	"archipel/directory"
)

// when is an event's time as the files write it: a day relative to today, and clock times in Europe/Paris.
//
// A day ("on") is one of
//
//	+5, -2     days from today
//	sat+1      the first Saturday after today, and so many weeks later (or -1: earlier)
//	2sat+1     the second Saturday of this month, and so many months later; -1sat is the last one
type when struct {
	On        string
	From, To  string // "18:30"; without From it lasts whole days
	Days      int    // more than one day: To is on the last one
	RRule     string
	Except    []string // days on which a series does not take place
	Cancelled []string // days of a series that were called off
	Moved     []move
}

type move struct {
	On       string // the day it would have been
	Day      string // the day it is instead
	From, To string
}

func (w *when) schedule(today time.Time) (*directory.Schedule, error) {
	s := &directory.Schedule{Timezone: "Europe/Paris", RRule: w.RRule, AllDay: w.From == ""}
	var err error
	at := func(on, clock string) time.Time {
		t, e := instant(today, on, clock)
		if e != nil && err == nil {
			err = e
		}
		return t
	}
	s.Start = at(w.On, w.From)
	last := s.Start.AddDate(0, 0, max(w.Days, 1)-1)
	switch {
	case s.AllDay:
		s.End = last.AddDate(0, 0, 1)
	case w.To != "":
		h, m, e := clock(w.To)
		if e != nil {
			return nil, e
		}
		s.End = time.Date(last.Year(), last.Month(), last.Day(), h, m, 0, 0, last.Location())
		if s.End.Before(s.Start) { // past midnight
			s.End = s.End.AddDate(0, 0, 1)
		}
	}
	for _, on := range w.Except {
		s.ExDates = append(s.ExDates, at(on, w.From))
	}
	for _, on := range w.Cancelled {
		s.Overrides = append(s.Overrides, directory.Occurrence{Original: at(on, w.From), State: directory.Cancelled})
	}
	for _, m := range w.Moved {
		s.Overrides = append(s.Overrides, directory.Occurrence{
			Original: at(m.On, w.From), Start: at(m.Day, m.From), End: at(m.Day, m.To), State: directory.Rescheduled,
		})
	}
	return s, err
}

var (
	dayForm  = regexp.MustCompile(`^[+-]\d{1,3}$`)
	weekForm = regexp.MustCompile(`^(sun|mon|tue|wed|thu|fri|sat)([+-]\d{1,2})?$`)
	nthForm  = regexp.MustCompile(`^(-1|[1-4])(sun|mon|tue|wed|thu|fri|sat)([+-]\d{1,2})?$`)
	weekdays = []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}
)

func instant(today time.Time, on, hhmm string) (time.Time, error) {
	d, err := day(today, on)
	if err != nil || hhmm == "" {
		return d, err
	}
	h, m, err := clock(hhmm)
	return time.Date(d.Year(), d.Month(), d.Day(), h, m, 0, 0, d.Location()), err
}

func day(today time.Time, on string) (time.Time, error) {
	number := func(s string) int { n, _ := strconv.Atoi(s); return n }
	weekday := func(s string) int { return slices.Index(weekdays, s) }
	if dayForm.MatchString(on) {
		return today.AddDate(0, 0, number(on)), nil
	}
	if m := weekForm.FindStringSubmatch(on); m != nil {
		ahead := (weekday(m[1]) - int(today.Weekday()) + 6) % 7 // 0 is tomorrow
		return today.AddDate(0, 0, 1+ahead+7*number(m[2])), nil
	}
	if m := nthForm.FindStringSubmatch(on); m != nil {
		first := time.Date(today.Year(), today.Month()+time.Month(number(m[3])), 1, 0, 0, 0, 0, today.Location())
		if n := number(m[1]); n > 0 {
			ahead := (weekday(m[2]) - int(first.Weekday()) + 7) % 7
			return first.AddDate(0, 0, ahead+7*(n-1)), nil
		}
		last := first.AddDate(0, 1, -1)
		back := (int(last.Weekday()) - weekday(m[2]) + 7) % 7
		return last.AddDate(0, 0, -back), nil
	}
	return today, fmt.Errorf("%q is no day: want +5, sat+1 or 2sat+1", on)
}

func clock(s string) (h, m int, err error) {
	hh, mm, ok := strings.Cut(s, ":")
	h, err1 := strconv.Atoi(hh)
	m, err2 := strconv.Atoi(mm)
	if !ok || err1 != nil || err2 != nil || h < 0 || h > 23 || m < 0 || m > 59 {
		return 0, 0, fmt.Errorf("%q is no time of day", s)
	}
	return h, m, nil
}
