package directory

import (
	"errors"
	"iter"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/teambition/rrule-go"
)

// Rule is how an event recurs (RRULE of RFC 5545, section 3.3.10). Whatever it says, finding its dates takes no more work than
// looking at each of the days that are asked for: it may come from anybody, and lie in a store since before it was checked.
type Rule struct{ rrule.ROption }

// Limits of a rule.
const (
	maxTimesADay = 12    // more is a timetable, not an event
	maxInterval  = 1_000 // days, weeks, months or years
	seldomest    = 10    // years until the first date
)

// Errors about rules.
var (
	ErrTooOften = errors.New("recurs too often in a day")
	errRule     = errors.New("is no rule of recurrence")
	errNever    = errors.New("has no date for years")
)

// ParseRule reads a rule, or says [ErrTooOften] or what else is wrong with it.
func ParseRule(text string) (*Rule, error) {
	if len(text) > MaxLine || strings.ContainsFunc(text, unicode.IsControl) {
		return nil, errRule
	}
	o, err := rrule.StrToROption(text)
	switch {
	case err != nil:
		return nil, err
	case o.Freq > rrule.DAILY || max(1, len(o.Byhour))*max(1, len(o.Byminute))*max(1, len(o.Bysecond)) > maxTimesADay:
		return nil, ErrTooOften
	case o.Interval > maxInterval || len(o.Byeaster) > 0:
		return nil, errRule
	}
	if _, err := rrule.NewRRule(*o); err != nil { // it knows the range of each part
		return nil, err
	}
	return &Rule{*o}, nil
}

// CheckRule says what is wrong with the rule of an event that begins at start, in the location of the event: it cannot be read,
// or has no date for years.
func CheckRule(text string, start time.Time) error {
	r, err := ParseRule(text)
	if err != nil || start.IsZero() {
		return err
	}
	r.Until, r.Count = time.Time{}, 0 // a series may have been ended before it began
	first := shown(start)
	for range r.Dates(first, first, first.AddDate(seldomest, 0, 0)) {
		return nil
	}
	return errNever
}

// Dates are when the dates of a rule begin whose first may begin at first, ascending, among those from one moment to another,
// both included. Moments are what clocks show, as if it were UTC.
func (r *Rule) Dates(first, from, to time.Time) iter.Seq[time.Time] {
	return func(yield func(time.Time) bool) {
		first, last, left := first.Truncate(time.Second), to, max(r.Count, 0)
		if !r.Until.IsZero() && r.Until.Before(last) {
			last = r.Until
		}
		w, n := r.walk(first), 0
		if left == 0 { // nothing is to be counted: the periods before are left out
			n = w.before(from)
		}
		var set []time.Time
		for ; ; n++ {
			begin, end := w.period(n)
			if begin.After(last) {
				return
			}
			set = w.dates(set[:0], begin, end)
			for _, t := range set {
				switch {
				case t.After(last):
					return
				case t.Before(first):
					continue
				case !t.Before(from) && !yield(t):
					return
				}
				if left--; left == 0 {
					return
				}
			}
		}
	}
}

// walk goes through the periods of a rule, with what the first date says where the rule does not.
type walk struct {
	*Rule
	first     time.Time // its day
	interval  int
	months    []int
	monthDays []int
	weekdays  [7]bool         // from Monday on, of days that have no number
	numbered  []rrule.Weekday // the n-th of a month or a year
	clocks    []time.Duration // since midnight, ascending
}

func (r *Rule) walk(first time.Time) *walk {
	w := &walk{Rule: r, first: day(first), interval: max(r.Interval, 1), months: r.Bymonth, monthDays: r.Bymonthday}
	if len(r.Byweekno)+len(r.Byyearday)+len(r.Bymonthday)+len(r.Byweekday) == 0 {
		switch r.Freq {
		case rrule.YEARLY:
			if len(w.months) == 0 {
				w.months = []int{int(first.Month())}
			}
			w.monthDays = []int{first.Day()}
		case rrule.MONTHLY:
			w.monthDays = []int{first.Day()}
		case rrule.WEEKLY:
			w.weekdays[weekday(first)] = true
		}
	}
	for _, d := range r.Byweekday {
		if d.N() != 0 && r.Freq <= rrule.MONTHLY { // there is no n-th of weeks and days
			w.numbered = append(w.numbered, d)
		} else {
			w.weekdays[d.Day()] = true
		}
	}
	or := func(list []int, one int) []int {
		if len(list) == 0 {
			return []int{one}
		}
		return list
	}
	for _, hour := range or(r.Byhour, first.Hour()) {
		for _, minute := range or(r.Byminute, first.Minute()) {
			for _, second := range or(r.Bysecond, first.Second()) {
				w.clocks = append(w.clocks, time.Duration(hour)*time.Hour+time.Duration(minute)*time.Minute+time.Duration(second)*time.Second)
			}
		}
	}
	slices.Sort(w.clocks)
	w.clocks = slices.Compact(w.clocks)
	return w
}

// weekday counts from Monday, as rules do.
func weekday(t time.Time) int { return (int(t.Weekday()) + 6) % 7 }

const wholeDay = 24 * time.Hour

// period is the n-th stretch of days from which a rule picks: a year, a month, a week or a day.
func (w *walk) period(n int) (begin, end time.Time) {
	year, month, _ := w.first.Date()
	switch n *= w.interval; w.Freq {
	case rrule.YEARLY:
		return time.Date(year+n, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(year+n+1, 1, 1, 0, 0, 0, 0, time.UTC)
	case rrule.MONTHLY:
		return time.Date(year, month+time.Month(n), 1, 0, 0, 0, 0, time.UTC), time.Date(year, month+time.Month(n)+1, 1, 0, 0, 0, 0, time.UTC)
	case rrule.WEEKLY:
		begin = w.first.AddDate(0, 0, 7*n-w.intoWeek(w.first))
		end = begin.AddDate(0, 0, 7)
		if begin.Before(w.first) {
			begin = w.first
		}
		return begin, end
	}
	begin = w.first.AddDate(0, 0, n)
	return begin, begin.Add(wholeDay)
}

// intoWeek is how many days of its week come before a day.
func (w *walk) intoWeek(t time.Time) int { return (weekday(t) - w.Wkst.Day() + 7) % 7 }

// before is how many periods have surely ended before from.
func (w *walk) before(from time.Time) int {
	n := int(from.Sub(w.first) / wholeDay)
	switch w.Freq {
	case rrule.YEARLY:
		n = from.Year() - w.first.Year()
	case rrule.MONTHLY:
		n = 12*(from.Year()-w.first.Year()) + int(from.Month()-w.first.Month())
	case rrule.WEEKLY:
		n /= 7
	}
	return max(n/w.interval-1, 0)
}

// dates appends when the dates of a period begin.
func (w *walk) dates(set []time.Time, begin, end time.Time) []time.Time {
	for at := begin; at.Before(end); {
		if len(w.months) > 0 && !slices.Contains(w.months, int(at.Month())) {
			at = time.Date(at.Year(), at.Month()+1, 1, 0, 0, 0, 0, time.UTC)
			continue
		}
		if w.has(at) {
			for _, clock := range w.clocks {
				set = append(set, at.Add(clock))
			}
		}
		at = at.Add(wholeDay)
	}
	if len(w.Bysetpos) == 0 {
		return set
	}
	var picked []time.Time
	for _, n := range w.Bysetpos {
		if n--; n < 0 {
			n += 1 + len(set)
		}
		if 0 <= n && n < len(set) {
			picked = append(picked, set[n])
		}
	}
	slices.SortFunc(picked, time.Time.Compare)
	return slices.CompactFunc(picked, time.Time.Equal)
}

// has reports whether a day of the right month is one of the rule's. A rule that has weekdays with and without a number means
// days that are of both, as what other programs are made with has it.
func (w *walk) has(at time.Time) bool {
	on := weekday(at)
	if w.weekdays != [7]bool{} && !w.weekdays[on] {
		return false
	}
	if len(w.numbered) > 0 && !slices.ContainsFunc(w.numbered, func(d rrule.Weekday) bool { return d.Day() == on && w.isNth(at, d.N()) }) {
		return false
	}
	if len(w.monthDays) > 0 {
		year, month, date := at.Date()
		if !slices.Contains(w.monthDays, date) && !slices.Contains(w.monthDays, date-1-daysIn(year, month)) {
			return false
		}
	}
	if len(w.Byyearday) > 0 && !slices.Contains(w.Byyearday, at.YearDay()) && !slices.Contains(w.Byyearday, at.YearDay()-1-yearDays(at.Year())) {
		return false
	}
	if len(w.Byweekno) == 0 {
		return true
	}
	// A week is of the year in which its fourth day lies.
	middle := at.AddDate(0, 0, 3-w.intoWeek(at))
	number := (middle.YearDay()-1)/7 + 1
	weeks := number + (yearDays(middle.Year())-middle.YearDay())/7
	return slices.Contains(w.Byweekno, number) || slices.Contains(w.Byweekno, number-1-weeks)
}

// isNth reports whether a day is the n-th of its weekday in the month or the year, from the end when n is negative.
func (w *walk) isNth(at time.Time, n int) bool {
	date, of := at.Day(), daysIn(at.Year(), at.Month())
	if w.Freq == rrule.YEARLY && len(w.months) == 0 {
		date, of = at.YearDay(), yearDays(at.Year())
	}
	return n == (date-1)/7+1 || n == -((of-date)/7+1)
}

func daysIn(year int, month time.Month) int {
	return time.Date(year, month+1, 0, 0, 0, 0, 0, time.UTC).Day()
}

func yearDays(year int) int { return time.Date(year, 12, 31, 0, 0, 0, 0, time.UTC).YearDay() }
