package directory

import (
	"compress/gzip"
	"encoding/json"
	"os"
	"testing"
	"time"
)

// TestRecurrenceAgrees compares random rules around changes of the clocks with the answers of npm's rrule; see
// scripts/recurrence.
func TestRecurrenceAgrees(t *testing.T) {
	f, err := os.Open("testdata/recurrence.json.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	zr, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		Zone, Rule      string
		Start, From, To int64
		ExDates, Dates  []int64
	}
	if err := json.NewDecoder(zr).Decode(&cases); err != nil {
		t.Fatal(err)
	}
	if len(cases) < 1000 {
		t.Fatalf("only %d cases", len(cases))
	}
	wrong, dates := 0, 0
	for _, c := range cases {
		v := Schedule{Start: time.Unix(c.Start, 0).UTC(), Timezone: c.Zone, RRule: c.Rule}
		for _, x := range c.ExDates {
			v.ExDates = append(v.ExDates, time.Unix(x, 0).UTC())
		}
		var got []int64
		for _, s := range v.Occurrences(time.Unix(c.From, 0), time.Unix(c.To, 0).Add(time.Second), 0, nil) {
			got = append(got, s.Start.Unix())
		}
		dates += len(got)
		if at, ok := differ(got, c.Dates); ok {
			if wrong++; wrong <= 5 {
				show := func(list []int64) string {
					if at >= len(list) {
						return "nothing"
					}
					return time.Unix(list[at], 0).In(v.Location(nil)).String()
				}
				t.Errorf("%s from %s in %s: date %d of %d is %s, want %s", c.Rule, v.Start.In(v.Location(nil)), c.Zone, at+1, len(c.Dates), show(got), show(c.Dates))
			}
		}
	}
	if wrong > 0 {
		t.Errorf("%d of %d rules disagree", wrong, len(cases))
	}
	if dates < 7*len(cases) {
		t.Errorf("only %d dates were compared", dates)
	}
}

// differ tells where two lists are not the same.
func differ(a, b []int64) (int, bool) {
	for i := range max(len(a), len(b)) {
		if i >= len(a) || i >= len(b) || a[i] != b[i] {
			return i, true
		}
	}
	return 0, false
}
