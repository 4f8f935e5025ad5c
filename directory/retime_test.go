package directory

import (
	"slices"
	"testing"
	"time"
)

func startsOf(v *Schedule, loc *time.Location) []string {
	var out []string
	for _, s := range v.Occurrences(v.Start.AddDate(0, 0, -1), v.Start.AddDate(0, 3, 0), 0, loc) {
		out = append(out, s.Start.In(loc).Format("01-02 15:04 ")+string(s.State))
	}
	return out
}

// TestRetimed: the same dates at another hour, with the same exceptions, whatever the clocks do meanwhile.
func TestRetimed(t *testing.T) {
	for _, zone := range []string{"Europe/Paris", "America/Montreal"} {
		loc, err := time.LoadLocation(zone)
		if err != nil {
			t.Fatal(err)
		}
		on := func(month time.Month, day, hour, minute int) time.Time {
			return time.Date(2027, month, day, hour, minute, 0, 0, loc)
		}
		for name, c := range map[string]struct {
			rule     string
			from, to time.Time
		}{
			"later":                 {"FREQ=WEEKLY;BYDAY=SU", on(3, 7, 19, 0), on(3, 7, 20, 30)},
			"earlier":               {"FREQ=WEEKLY;BYDAY=SU", on(3, 7, 19, 0), on(3, 7, 0, 15)},
			"out of the hour lost":  {"FREQ=WEEKLY;BYDAY=SU", on(3, 7, 2, 30), on(3, 7, 4, 0)},
			"into the hour lost":    {"FREQ=WEEKLY;BYDAY=SU", on(3, 7, 4, 0), on(3, 7, 2, 30)},
			"until its last date":   {"FREQ=WEEKLY;BYDAY=SU;UNTIL=" + on(4, 25, 19, 0).UTC().Format("20060102T150405Z"), on(3, 7, 19, 0), on(3, 7, 22, 0)},
			"until, without a zone": {"FREQ=WEEKLY;BYDAY=SU;UNTIL=20270425T190000", on(3, 7, 19, 0), on(3, 7, 22, 0)},
			"until before a date":   {"FREQ=WEEKLY;BYDAY=SU;UNTIL=20270425T180000", on(3, 7, 19, 0), on(3, 7, 9, 0)},
			"until a day":           {"FREQ=WEEKLY;BYDAY=SU;UNTIL=20270425", on(3, 7, 19, 0), on(3, 7, 22, 0)},
		} {
			plain := Schedule{Start: c.from.UTC(), End: c.from.UTC().Add(time.Hour), Timezone: zone, RRule: c.rule}
			spans := plain.Occurrences(c.from, c.from.AddDate(0, 3, 0), 0, loc)
			v := plain
			for i, s := range spans { // every date has something of its own
				switch i % 3 {
				case 0:
					v.Overrides = append(v.Overrides, Occurrence{Original: s.Start.UTC(), State: Cancelled})
				case 1:
					v.ExDates = append(v.ExDates, s.Start.UTC())
				}
			}
			now, _, ok := v.Retimed(c.to, time.UTC)
			if !ok {
				t.Errorf("%s, %s: refused", zone, name)
				continue
			}
			fresh := plain
			fresh.Start, fresh.RRule = c.to.UTC(), now.RRule
			dates := fresh.Occurrences(c.from.AddDate(0, 0, -1), c.from.AddDate(0, 3, 0), 0, loc)
			if len(dates) != len(spans) {
				t.Fatalf("%s, %s: %d dates became %d by %s", zone, name, len(spans), len(dates), now.RRule)
			}
			var want []string
			for i, s := range dates {
				switch at := s.Start.In(loc).Format("01-02 15:04 "); i % 3 {
				case 0:
					want = append(want, at+"cancelled")
				case 2:
					want = append(want, at)
				}
			}
			if got := startsOf(&now, loc); !slices.Equal(got, want) {
				t.Errorf("%s, %s: got %q\nwant %q", zone, name, got, want)
			}
		}
	}
}

func TestNotRetimed(t *testing.T) {
	start := time.Date(2027, 3, 7, 19, 0, 0, 0, time.UTC)
	for name, v := range map[string]Schedule{
		"another day": {Start: start.AddDate(0, 0, 1)}, "whole days": {Start: start.Add(-time.Hour), AllDay: true}, "hours of its own": {Start: start.Add(-time.Hour), RRule: "FREQ=DAILY;BYHOUR=9,19"}, "nothing": {},
	} {
		if _, _, ok := v.Retimed(start, time.UTC); ok {
			t.Errorf("%s: accepted", name)
		}
	}
}
