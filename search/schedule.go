package search

import (
	"time"

	"archipel/directory"
)

// Next returns the first date of an event that is on at from or comes later, and starts before to. A zero from is the
// event's beginning; a zero to is three years after from.
func Next(s *directory.Schedule, from, to time.Time) (start time.Time, ok bool) {
	if s == nil {
		return time.Time{}, false
	}
	if from.IsZero() {
		if from = s.Start; !to.IsZero() && to.Before(from) {
			from = to.AddDate(-1, 0, 0) // a moved date may come before the beginning
		}
	}
	if to.IsZero() {
		to = from.AddDate(3, 0, 0)
	}
	spans := s.Occurrences(from, to, 1, nil)
	if len(spans) == 0 {
		return time.Time{}, false
	}
	return spans[0].Start, true
}
