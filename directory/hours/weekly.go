package hours

import (
	"slices"
	"time"
)

// never has no holidays.
type never struct{}

func (never) Holiday(int, time.Month, int) bool { return false }

// Weekly returns the week, Monday first, when it is the same all year round but for public holidays that are closed, which
// closedHolidays tells. ok is false for everything else: seasons, nth weekdays, times of the sun, other hours on holidays.
func (h *Hours) Weekly() (week [7][]Span, closedHolidays, ok bool) {
	for i := range h.rules {
		r := &h.rules[i]
		if len(r.dates)+len(r.weeks)+len(r.holidays) > 0 || slices.ContainsFunc(r.times, func(s span) bool { return s.from.event+s.to.event != "" }) {
			return week, false, false
		}
		onHolidays := false
		for _, d := range r.days {
			if d.kind == schoolHoliday || len(d.nth) > 0 {
				return week, false, false
			}
			onHolidays = onHolidays || d.kind == publicHoliday
		}
		switch {
		case onHolidays && (r.state != Closed || len(r.times) > 0 || r.sep == fallback):
			return week, false, false
		case onHolidays:
			closedHolidays = true
		case closedHolidays && r.state != Closed:
			return week, false, false // it comes after the holidays, and may replace them
		}
	}
	return h.With(never{}).Week(time.Date(2024, time.January, 3, 0, 0, 0, 0, time.UTC)), closedHolidays, true
}
