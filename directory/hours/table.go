package hours

import (
	"slices"
	"strings"
	"time"
)

// MaxRanges is how many spans a day of a [Table] has at most.
const MaxRanges = 3

// OnHolidays is what a [Table] says of public holidays.
type OnHolidays uint8

// What holds on public holidays.
const (
	AsUsual OnHolidays = iota // the hours of their weekday
	AllClosed
	OwnHours // the table's own for them
)

// Table is opening hours as people fill them in: a week that is the same all year round or in some months, what holds on
// public holidays, and one comment. Its spans are open and have no comments of their own.
type Table struct {
	Week         [7][]Span // Monday first; at most MaxRanges a day, ascending, not touching
	Holidays     OnHolidays
	HolidayHours []Span     // when Holidays is OwnHours
	From, To     time.Month // the season, both ends included, possibly across the end of the year; 0: all year
	Comment      string     // with no spans at all: what there is instead of hours
}

// Empty reports whether the table says nothing at all.
func (t *Table) Empty() bool { return !t.timed() && t.Comment == "" }

// timed reports whether any day of the week has hours, or the holidays have their own.
func (t *Table) timed() bool {
	return t.Holidays == OwnHours && len(t.HolidayHours) > 0 || slices.ContainsFunc(t.Week[:], func(s []Span) bool { return len(s) > 0 })
}

// Always reports whether the table is open all day, every day, all year round.
func (t *Table) Always() bool {
	return t.Holidays == AsUsual && t.From == 0 && !slices.ContainsFunc(t.Week[:], func(s []Span) bool {
		return len(s) != 1 || s[0].From != 0 || s[0].To != dayMinutes
	})
}

// String writes the table in the syntax that [Parse] reads. [Hours.Table] gives the same table back, spans that touch aside:
// they become one.
func (t *Table) String() string {
	comment := strings.TrimSpace(strings.ReplaceAll(t.Comment, `"`, "'"))
	season := ""
	if t.From != 0 {
		season = dateRange{fromMonth: t.From, toMonth: t.To}.String() + " "
	}
	if !t.timed() {
		if comment == "" {
			return ""
		}
		text := season + `"` + comment + `"`
		if t.Holidays == AllClosed {
			text += "; PH off"
		}
		return text
	}
	said := func(spans []Span) []Span {
		out := slices.Clone(spans)
		for i := range out {
			out[i] = Span{From: out[i].From, To: out[i].To, State: Open, Comment: comment}
		}
		return out
	}
	var week [7][]Span
	for i, spans := range t.Week {
		week[i] = said(spans)
	}
	var rules []string
	switch text := FromWeek(week); {
	case text == "":
	default:
		h, err := Parse(text)
		if err != nil {
			return text // longer than Parse reads, which then says so
		}
		if t.From != 0 {
			if text == "24/7" { // it stands alone, without months
				h.rules = []rule{{state: Open, times: []span{{to: moment{minutes: dayMinutes}}}}}
			}
			for i := range h.rules {
				h.rules[i].dates = []dateRange{{fromMonth: t.From, toMonth: t.To}}
			}
		}
		rules = append(rules, h.String())
	}
	switch t.Holidays {
	case AllClosed:
		rules = append(rules, "PH off")
	case OwnHours:
		clauses := clausesOf(said(t.HolidayHours))
		if len(clauses) == 0 {
			clauses = []string{"off"}
		}
		rules = append(rules, season+"PH "+clauses[0])
	}
	return strings.Join(rules, "; ")
}

// Table returns the hours as a table, when a table can say exactly the same; ok is false for everything else.
func (h *Hours) Table() (t Table, ok bool) {
	var seasons []dateRange
	for i := range h.rules {
		r := &h.rules[i]
		if len(r.weeks)+len(r.holidays) > 0 || len(r.dates) > 1 ||
			slices.ContainsFunc(r.times, func(s span) bool { return s.from.event+s.to.event != "" }) ||
			slices.ContainsFunc(r.days, func(d day) bool { return d.kind == schoolHoliday || len(d.nth) > 0 }) {
			return t, false
		}
		for _, d := range r.dates {
			if d.fromDay > 0 {
				return t, false
			}
			if !slices.Contains(seasons, d) {
				seasons = append(seasons, d)
			}
		}
	}
	month := time.January
	if len(seasons) > 1 {
		return t, false
	}
	if len(seasons) == 1 {
		month, t.From, t.To = seasons[0].fromMonth, seasons[0].fromMonth, seasons[0].toMonth
	}
	mid := time.Date(2024, month, 15, 0, 0, 0, 0, time.UTC) // its week is of one month
	usual, festive := h.With(never{}).Week(mid), h.With(every{}).Week(mid)
	if t.Comment, ok = commentOf(usual, festive); !ok {
		return t, false
	}
	if slices.ContainsFunc(usual[:], func(s []Span) bool { return len(s) > 0 && s[0].State == Unknown }) {
		usual = [7][]Span{} // a comment instead of hours
		if slices.ContainsFunc(festive[:], func(s []Span) bool { return len(s) > 0 }) {
			festive = usual
		} else {
			t.Holidays = AllClosed
		}
	}
	for i := range usual {
		t.Week[i] = plain(usual[i])
	}
	switch {
	case t.Holidays == AllClosed || slices.EqualFunc(usual[:], festive[:], slices.Equal):
	case !slices.ContainsFunc(festive[:], func(s []Span) bool { return len(s) > 0 }):
		t.Holidays = AllClosed
	default:
		t.Holidays, t.HolidayHours = OwnHours, plain(festive[0])
	}
	for _, spans := range append(t.Week[:], t.HolidayHours) {
		if len(spans) > MaxRanges {
			return t, false
		}
		for _, s := range spans {
			if n := s.To - s.From; s.OpenEnd || n > dayMinutes || n == dayMinutes && s.From != 0 {
				return t, false
			}
		}
	}
	again, err := Parse(t.String())
	return t, err == nil && h.sameAs(again)
}

// commentOf is the one comment of all spans; false when there are several, or spans that are open and unknown.
func commentOf(weeks ...[7][]Span) (comment string, ok bool) {
	first := true
	var state State
	for _, week := range weeks {
		for _, spans := range week {
			for _, s := range spans {
				if first {
					comment, state, first = s.Comment, s.State, false
				}
				if s.Comment != comment || s.State != state {
					return "", false
				}
			}
		}
	}
	return comment, first || state == Open || comment != ""
}

// plain frees spans of what a table says once for all of them.
func plain(spans []Span) []Span {
	var out []Span
	for _, s := range spans {
		out = append(out, Span{From: s.From, To: s.To, State: Open, OpenEnd: s.OpenEnd})
	}
	return out
}

// every day is a holiday.
type every struct{}

func (every) Holiday(int, time.Month, int) bool { return true }

// second days are holidays, counted from an odd or an even one.
type second int64

func (s second) Holiday(year int, month time.Month, day int) bool {
	return time.Date(year, month, day, 0, 0, 0, 0, time.UTC).Unix()/(24*60*60)%2 == int64(s)
}

// sameAs reports whether both say the same of every minute, for hours that know months, weekdays and public holidays only.
// All there is to tell days apart is then their month, weekday and being a holiday, and those of the day before.
func (h *Hours) sameAs(o *Hours) bool {
	days := make([]date, 0, 12*19)
	for month := time.January; month <= time.December; month++ {
		for n := 8; n < 15; n++ {
			days = append(days, dateOf(time.Date(2020, month, n, 0, 0, 0, 0, time.UTC)))
		}
		for year := 2020; year < 2032; year++ { // the first of a month is every weekday
			days = append(days, dateOf(time.Date(year, month, 1, 0, 0, 0, 0, time.UTC)))
		}
	}
	for _, holidays := range []Holidays{never{}, every{}, second(0), second(1)} {
		a, b := h.With(holidays), o.With(holidays)
		for _, d := range days {
			if !slices.Equal(a.plan(d), b.plan(d)) {
				return false
			}
		}
	}
	return true
}
