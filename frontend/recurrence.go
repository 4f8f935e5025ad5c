package frontend

import (
	"strconv"
	"strings"
	"time"

	"github.com/teambition/rrule-go"
)

// Recurrence says a rule (RRULE of RFC 5545, 3.3.10) as people do: "Chaque mardi, jusqu’au 3 mai 2027". start is when the
// first occurrence begins, in the zone whose days are meant, also by an end of the rule that names no zone. It is "" for rules
// that few people would say in words.
func (l *Localizer) Recurrence(rule string, start time.Time) string {
	o, err := rrule.StrToROptionInLocation(rule, start.Location())
	if err != nil || len(o.Bysetpos)+len(o.Byyearday)+len(o.Byweekno)+len(o.Byhour)+len(o.Byminute)+len(o.Bysecond)+len(o.Byeaster) > 0 {
		return ""
	}
	days, ok := l.ruleDays(o, start)
	if !ok {
		return ""
	}
	text := l.ruleEvery(o, days)
	switch {
	case !o.Until.IsZero():
		return l.Text("recurrence.until", "Rule", text, "Date", l.DateOnly(o.Until.In(start.Location())))
	case o.Count > 0:
		return l.Plural("recurrence.times", o.Count, "Rule", text)
	}
	return text
}

var ruleUnits = map[rrule.Frequency]string{rrule.DAILY: "daily", rrule.WEEKLY: "weekly", rrule.MONTHLY: "monthly", rrule.YEARLY: "yearly"}

func (l *Localizer) ruleEvery(o *rrule.ROption, days []string) string {
	unit, n := ruleUnits[o.Freq], max(1, o.Interval)
	if unit == "weekly" && n == 1 && len(days) == 1 {
		return l.Text("recurrence.each", "Day", days[0])
	}
	text := l.Text("recurrence." + unit)
	if n > 1 {
		text = l.Text("recurrence."+unit+"_n", "N", l.Number(n))
	}
	if len(days) == 0 {
		return text
	}
	last := days[len(days)-1]
	if len(days) > 1 {
		last = l.Text("recurrence.and", "List", strings.Join(days[:len(days)-1], ", "), "Last", last)
	}
	return l.Text("recurrence.on", "Every", text, "Days", last)
}

// ruleDays names the days of a rule; ok is false when they cannot be said simply.
func (l *Localizer) ruleDays(o *rrule.ROption, start time.Time) (days []string, ok bool) {
	switch o.Freq {
	case rrule.DAILY:
		return nil, len(o.Byweekday)+len(o.Bymonthday)+len(o.Bymonth) == 0
	case rrule.WEEKLY:
		for _, d := range o.Byweekday {
			if d.N() != 0 {
				return nil, false
			}
			days = append(days, l.Weekday(weekdayOf(d)))
		}
		if len(days) == 0 {
			days = []string{l.Weekday(start.Weekday())}
		}
		return days, len(o.Bymonthday)+len(o.Bymonth) == 0
	case rrule.MONTHLY:
		if len(o.Bymonth) > 0 || len(o.Byweekday) > 0 && len(o.Bymonthday) > 0 {
			return nil, false
		}
		for _, d := range o.Byweekday {
			nth := "recurrence.nth_" + strconv.Itoa(d.N())
			if !l.Has(nth) {
				return nil, false
			}
			days = append(days, l.Text("recurrence.nth", "Nth", l.Text(nth), "Day", l.Weekday(weekdayOf(d))))
		}
		of := o.Bymonthday
		if len(of)+len(days) == 0 {
			of = []int{start.Day()}
		}
		for _, d := range of {
			switch {
			case d == -1:
				days = append(days, l.Text("recurrence.last_day"))
			case d == 1:
				days = append(days, l.Text("recurrence.day", "Day", l.Text("date.first")))
			case d > 1:
				days = append(days, l.Text("recurrence.day", "Day", strconv.Itoa(d)))
			default:
				return nil, false
			}
		}
		return days, true
	case rrule.YEARLY:
		sameMonth := len(o.Bymonth) == 0 || len(o.Bymonth) == 1 && o.Bymonth[0] == int(start.Month())
		sameDay := len(o.Bymonthday) == 0 || len(o.Bymonthday) == 1 && o.Bymonthday[0] == start.Day()
		return nil, sameMonth && sameDay && len(o.Byweekday) == 0
	}
	return nil, false
}

func weekdayOf(d rrule.Weekday) time.Weekday { return time.Weekday((d.Day() + 1) % 7) }
