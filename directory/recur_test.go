package directory

import (
	"testing"
	"time"
)

func paris(t *testing.T, s string) time.Time {
	t.Helper()
	loc, err := time.LoadLocation("Europe/Paris")
	if err != nil {
		t.Fatal(err)
	}
	at, err := time.ParseInLocation("2006-01-02 15:04", s, loc)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func TestOccurrences(t *testing.T) {
	weekly := Schedule{Start: paris(t, "2027-03-14 18:00").UTC(), End: paris(t, "2027-03-14 20:00").UTC(), Timezone: "Europe/Paris", RRule: "FREQ=WEEKLY"}
	cases := []struct {
		name     string
		schedule Schedule
		from, to string
		want     []string
	}{
		{"once, before", Schedule{Start: paris(t, "2027-03-14 18:00")}, "2027-03-15 00:00", "2027-04-01 00:00", nil},
		{"once, an instant at the edge", Schedule{Start: paris(t, "2027-03-14 18:00"), Timezone: "Europe/Paris"}, "2027-03-14 18:00", "2027-04-01 00:00", []string{"2027-03-14 18:00"}},
		{"has begun and goes on", Schedule{Start: paris(t, "2027-03-14 18:00"), End: paris(t, "2027-03-16 12:00"), Timezone: "Europe/Paris"}, "2027-03-15 00:00", "2027-03-15 01:00", []string{"2027-03-14 18:00"}},
		{"weekly keeps 18:00 across the change to summer time", weekly, "2027-03-20 00:00", "2027-04-06 00:00", []string{"2027-03-21 18:00", "2027-03-28 18:00", "2027-04-04 18:00"}},
		{"weekly without one", func() Schedule {
			s := weekly
			s.ExDates = []time.Time{paris(t, "2027-03-28 18:00").UTC()}
			return s
		}(), "2027-03-20 00:00", "2027-04-06 00:00", []string{"2027-03-21 18:00", "2027-04-04 18:00"}},
		{"one moved into the window from outside it", func() Schedule {
			s := weekly
			s.Overrides = []Occurrence{{Original: paris(t, "2027-05-02 18:00").UTC(), Start: paris(t, "2027-03-22 19:00").UTC()}}
			return s
		}(), "2027-03-20 00:00", "2027-03-27 00:00", []string{"2027-03-21 18:00", "2027-03-22 19:00"}},
		{"first Saturday of the month", Schedule{Start: paris(t, "2027-01-02 14:00").UTC(), Timezone: "Europe/Paris", RRule: "FREQ=MONTHLY;BYDAY=1SA"}, "2027-02-01 00:00", "2027-05-01 00:00", []string{"2027-02-06 14:00", "2027-03-06 14:00", "2027-04-03 14:00"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			var got []string
			for _, s := range c.schedule.Occurrences(paris(t, c.from), paris(t, c.to), 0, nil) {
				got = append(got, s.Start.Format("2006-01-02 15:04"))
			}
			if len(got) != len(c.want) {
				t.Fatalf("got %v, want %v", got, c.want)
			}
			for i := range got {
				if got[i] != c.want[i] {
					t.Errorf("got %v, want %v", got, c.want)
				}
			}
		})
	}
}

func TestNextLeavesOutCancelled(t *testing.T) {
	s := Schedule{Start: paris(t, "2027-03-14 18:00").UTC(), Timezone: "Europe/Paris", RRule: "FREQ=WEEKLY",
		Overrides: []Occurrence{{Original: paris(t, "2027-03-21 18:00").UTC(), State: Cancelled}}}
	next, ok := s.Next(paris(t, "2027-03-15 00:00"), nil)
	if got, want := next.Start.Format("2006-01-02 15:04"), "2027-03-28 18:00"; !ok || got != want {
		t.Errorf("got %s %v, want %s", got, ok, want)
	}
}

// TestNextFarAhead: what comes in many years is not over, and what is over stays so.
func TestNextFarAhead(t *testing.T) {
	now, far := paris(t, "2027-03-14 12:00"), paris(t, "2033-05-01 18:00").UTC()
	for name, c := range map[string]struct {
		v    Schedule
		want string
	}{
		"once":                    {Schedule{Start: far}, "2033-05-01"},
		"once, moved":             {Schedule{Start: far.AddDate(-8, 0, 0), RDates: []time.Time{far}}, "2033-05-01"},
		"a series to come":        {Schedule{Start: far, RRule: "FREQ=WEEKLY"}, "2033-05-01"},
		"every leap day":          {Schedule{Start: paris(t, "2020-02-29 18:00").UTC(), RRule: "FREQ=YEARLY;INTERVAL=12"}, "2032-02-29"},
		"a date moved far ahead":  {Schedule{Start: far.AddDate(-8, 0, 0), RRule: "FREQ=DAILY;COUNT=1", Overrides: []Occurrence{{Original: far.AddDate(-8, 0, 0), Start: far}}}, "2033-05-01"},
		"over":                    {Schedule{Start: far.AddDate(-8, 0, 0)}, ""},
		"a series that is over":   {Schedule{Start: far.AddDate(-8, 0, 0), RRule: "FREQ=WEEKLY;COUNT=5"}, ""},
		"a series that has ended": {Schedule{Start: far.AddDate(-8, 0, 0), RRule: "FREQ=WEEKLY;UNTIL=20260101"}, ""},
	} {
		c.v.Timezone = "Europe/Paris"
		next, ok := c.v.Next(now, nil)
		got := ""
		if ok {
			got = next.Start.Format("2006-01-02")
		}
		if got != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}
