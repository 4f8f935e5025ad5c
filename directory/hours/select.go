package hours

import (
	"slices"
	"time"
)

// date is a day of the calendar.
type date struct {
	year    int
	month   time.Month
	day     int
	weekday time.Weekday
}

func dateOf(t time.Time) date {
	y, m, d := t.Date()
	return date{y, m, d, t.Weekday()}
}

func (d date) shift(days int) date {
	return dateOf(time.Date(d.year, d.month, d.day+days, 0, 0, 0, 0, time.UTC))
}

func (d date) next() date { return d.shift(1) }

// clock is the moment at which clocks in loc show the minutes after midnight.
func (d date) clock(minutes int, loc *time.Location) time.Time {
	return time.Date(d.year, d.month, d.day, 0, minutes, 0, 0, loc)
}

func (d date) isoWeek() int {
	_, w := time.Date(d.year, d.month, d.day, 0, 0, 0, 0, time.UTC).ISOWeek()
	return w
}

// daysIn is the length of d's month.
func (d date) daysIn() int { return time.Date(d.year, d.month+1, 0, 0, 0, 0, 0, time.UTC).Day() }

// match is whether something holds; maybe when that depends on what is not known here.
type match uint8

const (
	no match = iota
	maybe
	yes
)

// A rule holds at the times of the days that all its selectors name.
type rule struct {
	sep      separator
	dates    []dateRange // any of these; none: every day
	weeks    []weekRange
	holidays []day // one kind of them before weekdays: both must hold
	days     []day
	always   bool // 24/7
	times    []span
	state    State
	word     bool // the state was written
	comment  string
	pos      int
}

// separator is what stands before a rule.
type separator uint8

const (
	replaces separator = iota // ;
	adds                      // ,
	fallback                  // ||
)

func (s separator) String() string { return [...]string{"; ", ", ", " || "}[s] }

// dated reports whether the rule names days.
func (r *rule) dated() bool { return len(r.dates)+len(r.weeks)+len(r.holidays)+len(r.days) > 0 }

// dateRange is a range of months, or of days of months, both ends included, possibly across the end of the year.
type dateRange struct {
	fromMonth, toMonth time.Month
	fromDay, toDay     int // 0: whole months
}

func (r dateRange) has(d date) bool {
	at := int(d.month)*100 + d.day
	from, to := int(r.fromMonth)*100+r.fromDay, int(r.toMonth)*100+r.toDay
	if r.toDay == 0 {
		to += 99
	}
	if from <= to {
		return from <= at && at <= to
	}
	return at >= from || at <= to
}

// weekRange is a range of ISO weeks, or every so many of them.
type weekRange struct{ from, to, step int }

func (r weekRange) has(week int) bool {
	return week >= r.from && week <= r.to && (week-r.from)%max(r.step, 1) == 0
}

// dayKind is what a day of a list of weekdays is.
type dayKind uint8

const (
	weekdays dayKind = iota
	publicHoliday
	schoolHoliday
)

// day is a range of weekdays, possibly across the end of the week, one weekday at some of its places in the month, or a
// kind of holiday.
type day struct {
	kind     dayKind
	from, to time.Weekday
	nth      [][2]int // ranges of 1 to 5 from the start, or -1 to -5 from the end
}

func (y day) match(d date, holidays Holidays) match {
	switch y.kind {
	case publicHoliday:
		if holidays == nil {
			return maybe
		}
		return whether(holidays.Holiday(d.year, d.month, d.day))
	case schoolHoliday:
		return maybe
	}
	if y.from <= y.to && (d.weekday < y.from || d.weekday > y.to) || y.from > y.to && d.weekday < y.from && d.weekday > y.to {
		return no
	}
	if len(y.nth) == 0 {
		return yes
	}
	first, last := (d.day-1)/7+1, -((d.daysIn()-d.day)/7 + 1)
	return whether(slices.ContainsFunc(y.nth, func(n [2]int) bool {
		return n[0] <= first && first <= n[1] || n[0] <= last && last <= n[1]
	}))
}

func whether(b bool) match {
	if b {
		return yes
	}
	return no
}

// on says whether the rule's days hold.
func (r *rule) on(d date, holidays Holidays) match {
	if len(r.dates) > 0 && !slices.ContainsFunc(r.dates, func(x dateRange) bool { return x.has(d) }) {
		return no
	}
	if len(r.weeks) > 0 {
		week := d.isoWeek()
		if !slices.ContainsFunc(r.weeks, func(x weekRange) bool { return x.has(week) }) {
			return no
		}
	}
	return min(anyDay(r.holidays, d, holidays), anyDay(r.days, d, holidays))
}

func anyDay(list []day, d date, holidays Holidays) match {
	if len(list) == 0 {
		return yes
	}
	m := no
	for _, y := range list {
		m = max(m, y.match(d, holidays))
	}
	return m
}
