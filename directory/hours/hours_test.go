package hours

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"
)

func mustParse(t testing.TB, s string) *Hours {
	t.Helper()
	h, err := Parse(s)
	if err != nil {
		t.Fatalf("%s: %v", s, err)
	}
	return h
}

func paris(t testing.TB) *time.Location {
	t.Helper()
	loc, err := time.LoadLocation("Europe/Paris")
	if err != nil {
		t.Fatal(err)
	}
	return loc
}

func TestErrors(t *testing.T) {
	for _, c := range []struct {
		value string
		pos   int
	}{
		{"", 0}, {" ", 1}, {";", 0}, {"du lundi au vendredi", 0}, {"Mo-Fr 09:00", 6}, {"Mo-Fr 9h-12h", 6}, {"Mo-Fr 09:00-12:00;; Sa", 18},
		{"Mo-Fr 09.00-12.00", 8}, {"lun-ven 09:00-12:00", 0}, {"mo-fr 09:00-12:00", 0}, {"Mo-Fr 25:00-26:00", 6}, {"Mo-Fr 09:60-12:00", 9},
		{"Mo-Fr 09:00-12:0", 15}, {"Mo-Fr 24:00-25:00", 6}, {"Mo-Fr 09:00-49:00", 12}, {"Mo-Xx 09:00-12:00", 3}, {"Mo 09:00-12:00 maybe", 15},
		{"2024 Mo 09:00-12:00", 0}, {"2024-2026 Mo", 0}, {"easter off", 0}, {"Dec 32 off", 4}, {"Feb 30 off", 4}, {"Dec 24-20 off", 7},
		{"May-Sep 15 off", 8}, {"May, Mo 10:00-12:00", 3}, {"Mo, 10:00-12:00", 2}, {"week 54 Mo", 5}, {"week 0", 5}, {"week 20-10", 8}, {"Sa[6] 10:00-12:00", 3},
		{"Sa[0]", 3}, {"Sa[1 10:00-12:00", 5}, {"Sa[1] +1 day", 6}, {"PH +1 day off", 3}, {"Mo-Fr PH 10:00-12:00", 6}, {"SH,PH Mo-Fr", 6},
		{`Mo 09:00-12:00 "ferm`, 15}, {`""`, 0}, {`Mo ""`, 3}, {"10:00-16:00/90", 11}, {"10:00-16:00/01:30", 11}, {"18:00+,20:00-22:00", 6},
		{"(sunrise)-12:00", 8}, {"(noon+01:00)-12:00", 1}, {"sunset", 0}, {"Mo-Fr 09:00-12:00; 14:00-16:00", 19},
		{`09:00-12:00; 14:00-16:00 "x"`, 13}, {"24/7 Mo", 5}, {"Mo 24/7", 3}, {"Mo-Fr 09:00-12:00 || Sa 10:00-12:00, Su", 35},
		{"Mo\x00", 2}, {"Mo\xff", 2}, {"é", 0}, {"Mo 09:00–12:00", 8}, {"Mo\n10:00-12:00", 2}, {"99999999999999999999:00-12:00", 0},
		{strings.Repeat("Mo;", 2000), 1024},
	} {
		h, err := Parse(c.value)
		var e *Error
		if !errors.As(err, &e) {
			t.Errorf("%q: got %v, want an error", c.value, h)
			continue
		}
		if e.Pos != c.pos || e.Msg == "" {
			t.Errorf("%q: got %v, want it at %d", c.value, err, c.pos)
		}
	}
}

func TestString(t *testing.T) {
	for value, want := range map[string]string{
		"Mo - Fr 9:00-12:00 , 14:00-18:00;Sa closed ;": "Mo-Fr 09:00-12:00,14:00-18:00; Sa off",
		"Dec 24-26,31 off":                               "Dec 24-Dec 26,Dec 31 off",
		"Dec 24,25 8:00-9:00":                            "Dec 24,Dec 25 08:00-09:00",
		"week 1-53/2: Sa[1, 3-4],Su[-1] 10:00-26:00":     "week 01-53/2 Sa[1,3-4],Su[-1] 10:00-26:00",
		`Mo-Fr 10:00-12:00 " sur RDV "||unknown "x"`:     `Mo-Fr 10:00-12:00 "sur RDV" || "x"`,
		"SH Mo-Fr (sunrise+1:00)-(sunset-00:30), PH off": "SH Mo-Fr (sunrise+01:00)-(sunset-00:30), PH off",
		"24/7":                         "24/7",
		`24/7 open "automate"`:         `24/7 open "automate"`,
		"open":                         "open",
		"unknown":                      "unknown",
		"Mo-Fr open":                   "Mo-Fr",
		"Fr 18:00 + ; Sa 14:00-17:00+": "Fr 18:00+; Sa 14:00-17:00+",
	} {
		if got := mustParse(t, value).String(); got != want {
			t.Errorf("%s: got %s, want %s", value, got, want)
		}
	}
}

func TestHolidays(t *testing.T) {
	days := func(h Holidays, year int) (out []string) {
		for d := time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC); d.Year() == year; d = d.AddDate(0, 0, 1) {
			if h.Holiday(d.Date()) {
				out = append(out, d.Format("0102"))
			}
		}
		return out
	}
	// As published on service-public.fr.
	for year, want := range map[int]string{
		2024: "0101 0401 0501 0508 0509 0520 0714 0815 1101 1111 1225",
		2025: "0101 0421 0501 0508 0529 0609 0714 0815 1101 1111 1225",
		2026: "0101 0406 0501 0508 0514 0525 0714 0815 1101 1111 1225",
		2008: "0101 0324 0501 0508 0512 0714 0815 1101 1111 1225", // Ascension on the 1st of May
	} {
		if got := strings.Join(days(France, year), " "); got != want {
			t.Errorf("%d: got %s, want %s", year, got, want)
		}
	}
	if got, want := strings.Join(days(AlsaceMoselle, 2026), " "), "0101 0403 0406 0501 0508 0514 0525 0714 0815 1101 1111 1225 1226"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	for _, c := range []struct {
		country, code string
		want          Holidays
	}{{"", "", France}, {"FR", "42000", France}, {"FR", "67000", AlsaceMoselle}, {"", "57000", AlsaceMoselle}, {"FR", "97400", nil}, {"CH", "1200", nil}, {"DE", "67059", nil}} {
		if got := HolidaysOf(c.country, c.code); got != c.want {
			t.Errorf("%s %s: got %v, want %v", c.country, c.code, got, c.want)
		}
	}
}

// What is not known here is Unknown, and only that.
func TestUnknown(t *testing.T) {
	at := func(s string) time.Time {
		v, err := time.ParseInLocation("2006-01-02 15:04", s, paris(t))
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	for _, c := range []struct {
		value, at string
		holidays  Holidays
		want      State
		comment   string
	}{
		{"Mo-Fr 09:00-18:00; PH off", "2026-05-01 10:00", France, Closed, ""},
		{"Mo-Fr 09:00-18:00; PH off", "2026-05-01 10:00", nil, Unknown, ""},
		{"Mo-Fr 09:00-18:00; PH off", "2026-05-01 20:00", nil, Closed, ""},
		{"Mo-Fr 09:00-18:00; PH 10:00-12:00", "2026-05-04 11:00", nil, Open, ""},
		{"Mo-Fr 09:00-18:00; SH 10:00-12:00", "2026-05-04 11:00", France, Open, ""},
		{"Mo-Fr 09:00-18:00; SH 10:00-12:00", "2026-05-04 14:00", France, Unknown, ""},
		{"Mo-Fr 08:00-sunset", "2026-05-04 09:00", France, Open, ""},
		{"Mo-Fr 08:00-sunset", "2026-05-04 19:00", France, Unknown, ""},
		{"Mo-Fr 08:00-sunset", "2026-05-04 07:00", France, Closed, ""},
		{"sunset-sunrise", "2026-05-04 11:59", France, Unknown, ""},
		{"(sunset-02:00)-22:00", "2026-05-04 22:00", France, Closed, ""},
		{"18:00+", "2026-05-04 18:00", France, Unknown, ""},
		{"14:00-17:00+", "2026-05-04 16:59", France, Open, ""},
		{"14:00-17:00+", "2026-05-04 18:00", France, Unknown, ""},
		{`Mo-Fr "sur rendez-vous"`, "2026-05-04 18:00", France, Unknown, "sur rendez-vous"},
		{`Mo-Fr 10:00-12:00 || "sur rendez-vous"`, "2026-05-04 11:00", France, Open, ""},
		{`Mo-Fr 10:00-12:00 || "sur rendez-vous"`, "2026-05-04 12:00", France, Unknown, "sur rendez-vous"},
	} {
		h := mustParse(t, c.value).With(c.holidays)
		if got, comment := h.At(at(c.at)); got != c.want || comment != c.comment {
			t.Errorf("%s at %s: got %s %q, want %s %q", c.value, c.at, got, comment, c.want, c.comment)
		}
	}
}

// TestNextIsTheFirstChange goes minute by minute through the days on which clocks change, in several zones.
func TestNextIsTheFirstChange(t *testing.T) {
	o, _ := readOracle(t)
	var values []*Hours
	for i, a := range o.Answers {
		if a.Error == "" && i%20 == 0 {
			values = append(values, mustParse(t, a.Value))
		}
	}
	values = append(values, mustParse(t, "02:30-05:00"), mustParse(t, "00:15-02:15,02:45-03:15"), mustParse(t, "23:30-00:30"))
	for zone, days := range map[string][]string{
		"Europe/Paris":        {"2026-03-29", "2026-10-25"},
		"Australia/Lord_Howe": {"2026-04-05", "2026-10-04"}, // by half an hour
		"America/Santiago":    {"2026-04-05", "2026-09-06"}, // at midnight
		"Pacific/Apia":        {"2011-12-30"},               // a day that was not
	} {
		loc, err := time.LoadLocation(zone)
		if err != nil {
			t.Fatal(err)
		}
		for _, day := range days {
			d, err := time.ParseInLocation("2006-01-02", day, loc)
			if err != nil {
				t.Fatal(err)
			}
			from, to := d.Add(-6*time.Hour), d.Add(36*time.Hour)
			for _, h := range values {
				// Backwards, so that what is expected is known.
				expected := Change{}
				for at := to; !at.Before(from); at = at.Add(-time.Minute) {
					state, _ := h.At(at)
					after, _ := h.At(at.Add(time.Minute))
					if after != state {
						expected = Change{At: at.Add(time.Minute), State: after}
					}
					if at.Minute()%15 != 0 || expected.At.IsZero() {
						continue
					}
					if got, ok := h.Next(at); !ok || !got.At.Equal(expected.At) || got.State != expected.State {
						t.Errorf("%s in %s after %s: got %v, want %v", h, zone, at, got, expected)
						break
					}
				}
			}
		}
	}
}

func TestNextEnds(t *testing.T) {
	at := time.Date(2026, 5, 4, 10, 0, 0, 0, paris(t))
	for _, value := range []string{"24/7", "off", "unknown", "Mo-Su", "Mo[5] off", "Jan-Dec 00:00-24:00"} {
		if c, ok := mustParse(t, value).Next(at); ok {
			t.Errorf("%s: got %v, want no change", value, c)
		}
	}
}

func TestWeek(t *testing.T) {
	at := time.Date(2026, 4, 29, 10, 0, 0, 0, paris(t)) // the week of Friday the 1st of May
	open := func(from, to int) Span { return Span{From: from * 60, To: to * 60, State: Open} }
	for value, want := range map[string][7][]Span{
		"24/7":                                     {{open(0, 24)}, {open(0, 24)}, {open(0, 24)}, {open(0, 24)}, {open(0, 24)}, {open(0, 24)}, {open(0, 24)}},
		"Mo,Su 09:00-12:00,12:00-18:00; PH off":    {0: {open(9, 18)}, 6: {open(9, 18)}},
		"Th,Fr 20:00-02:00; PH 10:00-12:00":        {3: {open(20, 24)}, 4: {open(10, 12)}},
		"We,Fr 20:00-02:00; PH off":                {2: {open(20, 26)}},
		"Su 22:00-04:00":                           {6: {open(22, 28)}},
		"Sa 22:00-04:00, Su 02:00-05:00":           {5: {open(22, 26)}, 6: {open(2, 5)}},
		"Mo 18:00+; Tu 14:00-17:00+":               {0: {{18 * 60, 18 * 60, Open, true, ""}}, 1: {{14 * 60, 17 * 60, Open, true, ""}}},
		`Mo 10:00-12:00 "RDV", Mo 14:00-16:00`:     {0: {{600, 720, Unknown, false, "RDV"}, open(14, 16)}},
		"Jun-Sep Mo-Fr 10:00-12:00":                {},
		"Mo-Fr 10:00-12:00; May Mo-Fr 14:00-16:00": {{open(10, 12)}, {open(10, 12)}, {open(10, 12)}, {open(10, 12)}, {open(14, 16)}, nil, nil},
	} {
		if got := mustParse(t, value).Week(at); !reflect.DeepEqual(got, want) {
			t.Errorf("%s:\n got %v\nwant %v", value, got, want)
		}
	}
}

func TestFromWeek(t *testing.T) {
	day := func(times ...int) (out []Span) {
		for i := 0; i < len(times); i += 2 {
			out = append(out, Span{From: times[i] * 60, To: times[i+1] * 60, State: Open})
		}
		return out
	}
	office := day(9, 12, 14, 18)
	full := day(0, 24)
	for want, week := range map[string][7][]Span{
		"": {},
		"Mo-Fr 09:00-12:00,14:00-18:00; Sa 09:00-12:00": {office, office, office, office, office, day(9, 12), nil},
		"Mo,Tu,Th-Su 10:00-12:00":                       {day(10, 12), day(10, 12), nil, day(10, 12), day(10, 12), day(10, 12), day(10, 12)},
		"24/7":                                          {full, full, full, full, full, full, full},
		"Fr 22:00-02:00, Sa 10:00-12:00":                {4: day(22, 26), 5: day(10, 12)},
		"We 10:00-12:00 \"l'été\", We 14:00-16:00":      {2: {{600, 720, Unknown, false, `l"été`}, {840, 960, Open, false, ""}}},
		"Sa 08:00-08:00":                                {5: day(8, 32)},
	} {
		if got := FromWeek(week); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

// A week that is written and read is the same week.
func TestFromWeekInverse(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	at := time.Date(2026, 9, 16, 10, 0, 0, 0, time.UTC) // no holiday in it
	for n := range 5000 {
		var week [7][]Span
		var choices [3][]Span
		for i := range choices {
			for m := r.IntN(36) * 15; m < dayMinutes && len(choices[i]) < 4; {
				to := m + 15*(1+r.IntN(24))
				s := Span{From: m, To: to, State: Open}
				if r.IntN(8) == 0 {
					s.State, s.Comment = Unknown, fmt.Sprint("note ", r.IntN(2))
				}
				choices[i] = append(choices[i], s)
				m = to + 15*(1+r.IntN(8))
				if r.IntN(2) == 0 {
					break
				}
			}
		}
		first := dayMinutes // of any day: none before may reach into it
		for _, c := range choices {
			first = min(first, c[0].From)
		}
		for _, c := range choices {
			c[len(c)-1].To = min(c[len(c)-1].To, dayMinutes+first)
		}
		for i := range week {
			if c := r.IntN(4); c < 3 && (i%2 == 0 || c > 0) && (i < 6 || c > 0) {
				week[i] = choices[c]
			}
		}
		text := FromWeek(week)
		if text == "" {
			continue
		}
		h := mustParse(t, text)
		if got := h.Week(at); !reflect.DeepEqual(got, week) {
			t.Fatalf("%d: %s:\n got %v\nwant %v", n, text, got, week)
		}
		if h.String() != text {
			t.Fatalf("%s is not canonical: %s", text, h)
		}
	}
}

func TestQuote(t *testing.T) {
	for text, want := range map[string]string{
		"":                             "",
		" \n ":                         "",
		"Mo-Fr  9:00-12:00;":           "Mo-Fr 09:00-12:00",
		"du lundi au vendredi":         `"du lundi au vendredi"`,
		"le \"mardi\";\n10h || 12h ":   `"le 'mardi'; 10h || 12h"`,
		"\xffle mardi":                 `"le mardi"`,
		`"sur rendez-vous"`:            `"sur rendez-vous"`,
		strings.Repeat("é", maxLength): `"` + strings.Repeat("é", maxLength/2-1) + `"`,
	} {
		got := Quote(text)
		if got != want {
			t.Errorf("%.40q: got %.40q, want %.40q", text, got, want)
		}
		if got == "" {
			continue
		}
		if h := mustParse(t, got); h.String() != got {
			t.Errorf("%.40q is not canonical: %s", got, h)
		}
	}
}

func TestWeekly(t *testing.T) {
	for value, want := range map[string]string{
		"Mo-Fr 09:00-12:00; Sa 10:00-12:00":     "Mo-Fr 09:00-12:00; Sa 10:00-12:00",
		"Mo-Fr 09:00-12:00; PH off":             "Mo-Fr 09:00-12:00 off",
		"Mo-Sa 09:00-12:00; Su,PH off":          "Mo-Sa 09:00-12:00 off",
		"24/7":                                  "24/7",
		"Th-Sa 18:00-02:00; We off":             "Th-Sa 18:00-02:00",
		`Mo "sur rendez-vous"`:                  `Mo 00:00-24:00 "sur rendez-vous"`,
		"off":                                   "",
		"Mo-Fr 09:00-12:00; PH 10:00-11:00":     "-",
		"Mo-Fr,PH 09:00-12:00":                  "-",
		"PH off; Mo-Fr 09:00-12:00":             "-", // open on holidays, as it is written
		"Mo-Fr 09:00-12:00; SH off":             "-",
		"Sa[1] 09:00-12:00":                     "-",
		"May-Sep Sa 09:00-12:00":                "-",
		"week 1-53/2 Sa 09:00-12:00":            "-",
		"Sa sunrise-12:00":                      "-",
		"Mo-Fr 09:00-12:00; PH Mo off":          "-",
		`Mo-Fr 09:00-12:00 || PH off "perhaps"`: "-",
	} {
		week, closed, ok := mustParse(t, value).Weekly()
		got := FromWeek(week)
		if closed {
			got += " off"
		}
		if !ok {
			got = "-"
		}
		if got != want {
			t.Errorf("%s: got %s, want %s", value, got, want)
		}
	}
}
