package directory

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/teambition/rrule-go"
)

// many is a list of the numbers from one to another, as rules write it.
func many(from, to int) string {
	var out []string
	for n := from; n <= to; n++ {
		out = append(out, fmt.Sprint(n))
	}
	return strings.Join(out, ",")
}

// hostile are rules that ask for more dates than can be held, for days that there are not, or for what made libraries fail.
var hostile = []string{
	"FREQ=DAILY;BYHOUR=" + many(0, 23) + ";BYMINUTE=" + many(0, 59),
	"FREQ=DAILY;BYHOUR=" + many(0, 23) + ";BYMINUTE=" + many(0, 40) + ";BYSECOND=" + many(0, 9),
	"FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30",
	"FREQ=MONTHLY;BYMONTH=2;BYMONTHDAY=30,31",
	"FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30",
	"FREQ=WEEKLY;BYMONTH=4;BYMONTHDAY=31",
	"FREQ=DAILY;BYYEARDAY=1;BYMONTH=2",
	"FREQ=YEARLY;BYWEEKNO=1;BYMONTH=6",
	"FREQ=DAILY;BYSETPOS=2",
	"FREQ=MONTHLY;INTERVAL=12;BYMONTH=2;BYMONTHDAY=30",
	"FREQ=YEARLY;INTERVAL=400;BYMONTH=2;BYMONTHDAY=30",
	"FREQ=MONTHLY;BYDAY=-6MO",
	"FREQ=MONTHLY;BYDAY=53MO",
	"FREQ=YEARLY;BYMONTH=1;BYDAY=-53SU",
	"FREQ=YEARLY;BYEASTER=1000",
	"FREQ=YEARLY;INTERVAL=9223372036854775807",
	"FREQ=MONTHLY;INTERVAL=9223372036854775807",
	"FREQ=WEEKLY;INTERVAL=9223372036854775807",
	"FREQ=DAILY;INTERVAL=9223372036854775807",
	"FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30;COUNT=9223372036854775807",
	"FREQ=DAILY;BYHOUR=99",
	"FREQ=SECONDLY;BYMONTH=2;BYMONTHDAY=30",
	"FREQ=MINUTELY",
	"FREQ=HOURLY;BYHOUR=3",
}

// TestHostileRules: they are refused, and where one is stored all the same it is looked through in bounded work. A fault
// shows as a panic, or as a test that does not end.
func TestHostileRules(t *testing.T) {
	for _, year := range []int{1800, 2027, 2199} {
		start := time.Date(year, 1, 4, 18, 0, 0, 0, time.UTC)
		for _, rule := range hostile {
			if err := CheckRule(rule, start); err == nil {
				t.Errorf("%s is accepted", rule)
			}
			for _, more := range []string{"", ";UNTIL=22000101T000000Z", ";COUNT=1000000"} {
				v := Schedule{Start: start, End: start.Add(time.Hour), Timezone: "Europe/Paris", RRule: rule + more}
				if n := len(v.Occurrences(start, start.AddDate(300, 0, 0), 1501, nil)); n > 1501 {
					t.Errorf("%s gives %d dates", v.RRule, n)
				}
				for range 3 {
					v.Next(start.AddDate(1, 0, 0), nil)
				}
			}
		}
	}
}

// TestBoundedDates: as many dates are worked out as are wanted, however many there are, and moved ones are among them.
func TestBoundedDates(t *testing.T) {
	start := time.Date(1800, 1, 1, 0, 0, 0, 0, time.UTC)
	v := Schedule{Start: start, RRule: "FREQ=DAILY;BYHOUR=" + many(1, 12), Timezone: "UTC"}
	if n := len(v.starts(start, start.AddDate(400, 0, 0), 100, time.UTC)); n != 100 {
		t.Errorf("%d dates are held, want 100", n)
	}
	first := start.Add(time.Hour)
	v.Overrides = []Occurrence{
		{Original: first, Start: first.AddDate(5, 0, 0)},
		{Original: first.AddDate(9, 0, 0), Start: start},
	}
	var got []string
	for _, s := range v.Occurrences(start, start.AddDate(400, 0, 0), 3, nil) {
		got = append(got, s.Start.Format("15:04"))
	}
	if want := []string{"00:00", "02:00", "03:00"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestCheckRule(t *testing.T) {
	start := time.Date(2027, 3, 2, 18, 0, 0, 0, time.UTC)
	for rule, often := range map[string]bool{
		"FREQ=DAILY;BYHOUR=9,19": false, "FREQ=DAILY;BYHOUR=" + many(8, 19): false, "FREQ=DAILY;BYHOUR=" + many(8, 20): true,
		"FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29": false, "FREQ=MONTHLY;BYDAY=5MO": false, "FREQ=YEARLY;BYWEEKNO=53;BYDAY=MO": false, "FREQ=WEEKLY;UNTIL=20200101": false,
		"FREQ=HOURLY": true, "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1": false, "FREQ=YEARLY;BYYEARDAY=366": false, "DTSTART=20200101T000000Z;FREQ=WEEKLY": false,
	} {
		if err := CheckRule(rule, start); errors.Is(err, ErrTooOften) != often || !often && err != nil {
			t.Errorf("%s: %v", rule, err)
		}
	}
}

// TestRuleAgrees compares the dates of random rules with those of the library that reads them. It looks for dates until the year
// 9999, which is near; and it forgets that the last week of a year may go on in the next.
func TestRuleAgrees(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 11))
	pick := func(of ...string) string { return of[rng.IntN(len(of))] }
	dates := 0
	for range 4_000 {
		freq := pick("YEARLY", "MONTHLY", "WEEKLY", "DAILY")
		rule := "FREQ=" + freq
		part := func(chance int, name string, of ...string) {
			if rng.IntN(chance) > 0 {
				return
			}
			values := map[string]bool{}
			for range 1 + rng.IntN(3) {
				values[pick(of...)] = true
			}
			var list []string
			for _, one := range of {
				if values[one] {
					list = append(list, one)
				}
			}
			rule += ";" + name + "=" + strings.Join(list, ",")
		}
		if rng.IntN(2) == 0 {
			rule += fmt.Sprintf(";INTERVAL=%d", 1+rng.IntN(5))
		}
		part(4, "BYMONTH", "1", "2", "5", "9", "12")
		part(4, "BYMONTHDAY", "1", "13", "28", "29", "31", "-1", "-5", "-31")
		if freq == "MONTHLY" || freq == "YEARLY" {
			if rng.IntN(2) == 0 {
				part(2, "BYDAY", "1MO", "2TU", "3WE", "-1SU", "-2FR", "5SA", "-5TH")
			} else {
				part(2, "BYDAY", "MO", "WE", "SA")
			}
		} else {
			part(2, "BYDAY", "MO", "TU", "FR", "SU")
		}
		part(8, "BYYEARDAY", "1", "60", "200", "365", "366")
		if freq == "YEARLY" {
			part(6, "BYWEEKNO", "1", "2", "20", "51")
		}
		part(6, "BYHOUR", "0", "9", "18")
		part(6, "BYMINUTE", "0", "30")
		if rng.IntN(3) == 0 {
			rule += ";WKST=" + pick("MO", "SU", "WE")
		}
		part(5, "BYSETPOS", "1", "2", "-1", "-3")
		if rng.IntN(3) == 0 {
			rule += fmt.Sprintf(";COUNT=%d", 1+rng.IntN(20))
		}
		first := time.Date(9950+rng.IntN(30), time.Month(1+rng.IntN(12)), 1+rng.IntN(31), rng.IntN(24), 0, 0, 0, time.UTC)
		if rng.IntN(3) == 0 {
			rule += ";UNTIL=" + first.AddDate(rng.IntN(5), 0, rng.IntN(300)).Format("20060102T150405Z")
		}
		r, err := ParseRule(rule)
		if err != nil {
			t.Fatalf("%s: %v", rule, err)
		}
		from := first.AddDate(rng.IntN(3), 0, rng.IntN(500)-100)
		to := from.AddDate(2, 0, 0)
		option := r.ROption
		option.Dtstart = first
		if option.Until.IsZero() || option.Until.After(to) {
			option.Until = to
		}
		judge, err := rrule.NewRRule(option)
		if err != nil {
			t.Fatalf("%s: %v", rule, err)
		}
		want, got := judge.Between(from, to, true), slices.Collect(r.Dates(first, from, to))
		if dates += len(want); !slices.EqualFunc(got, want, time.Time.Equal) {
			t.Errorf("%s from %s, %s to %s:\ngot  %v\nwant %v", rule, first, from, to, got, want)
		}
	}
	if dates < 4_000 {
		t.Errorf("only %d dates were compared", dates)
	}
}

// FuzzRule looks for a rule that fails, that takes for ever, or whose dates are not where they were asked for.
func FuzzRule(f *testing.F) {
	for _, rule := range append(hostile, "FREQ=MONTHLY;BYDAY=1SA,-1SU;COUNT=9", "FREQ=WEEKLY;WKST=SU;BYDAY=TU,TH;BYSETPOS=-1;UNTIL=20300101", "FREQ=YEARLY;BYWEEKNO=-53,53;BYHOUR=9,19") {
		f.Add(rule, int64(1_800_000_000))
	}
	f.Fuzz(func(t *testing.T, rule string, at int64) {
		start := time.Unix(at%7_000_000_000, 0).UTC()
		v := Schedule{Start: start, Timezone: "Europe/Paris", RRule: rule}
		from, to := start.AddDate(1, 0, 0), start.AddDate(4, 0, 0)
		accepted := CheckRule(rule, start) == nil
		spans := v.Occurrences(from, to, 50, nil)
		if len(spans) > 50 {
			t.Fatalf("%d dates", len(spans))
		}
		for i, s := range spans {
			if s.Start.Before(from) || !s.Start.Before(to) || i > 0 && !s.Start.After(spans[i-1].Start) {
				t.Fatalf("date %d is %v, of %v to %v", i, s.Start, from, to)
			}
		}
		if next, ok := v.Next(start, nil); ok && next.Start.Before(start) || len(spans) > 0 && !ok {
			t.Fatalf("the next date is %v, %v", next, ok)
		}
		if rule != "" && !accepted && len(spans) > 0 && len(v.Occurrences(start, start.AddDate(seldomest, 0, 0), 1, nil)) > 0 {
			if _, err := ParseRule(rule); err != nil {
				t.Fatalf("a rule that cannot be read has dates: %v", spans)
			}
		}
	})
}
