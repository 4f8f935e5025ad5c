package hours

import (
	"slices"
	"strings"
	"time"
)

// Span is a time on a day, in minutes since its midnight on the clock. To is beyond 24 hours when it ends on the next day.
type Span struct {
	From, To int
	State    State // Open or Unknown
	OpenEnd  bool  // it may last longer than To; when To is From, the end is not known at all
	Comment  string
}

// Week returns the spans of the days of t's week, Monday first, in t's location, as they are in that week with its holidays
// and its season. A span belongs to the day on which it starts. Whatever is closed is left out.
func (h *Hours) Week(t time.Time) [7][]Span {
	var week [7][]Span
	d := dateOf(t)
	monday := d.shift(-(int(d.weekday) + 6) % 7)
	today := h.plan(monday)
	for i := range week {
		next := h.plan(monday.shift(i + 1))
		for _, s := range today {
			if !s.tail {
				week[i] = add(week[i], s, 0)
			}
		}
		for _, s := range next {
			n := len(week[i])
			if !s.tail || n == 0 || week[i][n-1].To != dayMinutes+s.from && !(s.openEnd && week[i][n-1].OpenEnd) {
				break
			}
			week[i] = add(week[i], s, dayMinutes)
		}
		today = next
	}
	return week
}

// add appends a segment, as a part of the last span if it goes on there.
func add(spans []Span, s segment, shift int) []Span {
	state := s.mask.state()
	if state == Closed {
		return spans
	}
	n := len(spans)
	from, to := s.from+shift, s.to+shift
	if s.openEnd {
		switch {
		case n > 0 && spans[n-1].OpenEnd && shift > 0:
		case n > 0 && spans[n-1].To == from:
			spans[n-1].OpenEnd = true
		default:
			spans = append(spans, Span{from, from, Open, true, s.comment})
		}
		return spans
	}
	if n > 0 && spans[n-1].To == from && spans[n-1].State == state && spans[n-1].Comment == s.comment && !spans[n-1].OpenEnd {
		spans[n-1].To = to
		return spans
	}
	return append(spans, Span{from, to, state, false, s.comment})
}

// FromWeek writes the hours of a week that is always the same, Monday first, in canonical form: [Hours.Week] gives the spans
// back, as long as those of a day are ascending, do not touch, and do not reach into those of the next day. A week without
// spans is the empty string.
func FromWeek(week [7][]Span) string {
	var clauses [7][]string
	wraps, always := false, true
	for i, spans := range week {
		for _, s := range spans {
			wraps = wraps || s.To > dayMinutes || s.OpenEnd
		}
		clauses[i] = clausesOf(spans)
		always = always && slices.Equal(clauses[i], []string{"00:00-24:00"})
	}
	if always {
		return "24/7"
	}
	sep := replaces
	if wraps {
		sep = adds // a rule that replaces would end the night before it
	}
	var rules []string
	for i := range week {
		if len(clauses[i]) == 0 || slices.ContainsFunc(clauses[:i], func(c []string) bool { return slices.Equal(c, clauses[i]) }) {
			continue
		}
		var same []time.Weekday
		for j := i; j < 7; j++ {
			if slices.Equal(clauses[j], clauses[i]) {
				same = append(same, time.Weekday((j+1)%7))
			}
		}
		days := joined(ranges(same))
		for j, clause := range clauses[i] {
			clauses := days + " " + clause
			if j > 0 {
				rules[len(rules)-1] += adds.String() + clauses
				continue
			}
			rules = append(rules, clauses)
		}
	}
	return strings.Join(rules, sep.String())
}

// clausesOf writes the spans of a day: times that have the same state and comment together.
func clausesOf(spans []Span) []string {
	var rules []rule
	for _, s := range spans {
		t := span{from: moment{minutes: s.From}, to: moment{minutes: s.To}, openEnd: s.OpenEnd, noEnd: s.OpenEnd && s.From == s.To}
		if s.To > dayMinutes && s.To-dayMinutes <= s.From {
			t.to.minutes -= dayMinutes
		}
		comment := strings.TrimSpace(strings.ReplaceAll(s.Comment, `"`, "'"))
		if n := len(rules); n > 0 && rules[n-1].state == s.State && rules[n-1].comment == comment && !rules[n-1].times[len(rules[n-1].times)-1].openEnd {
			rules[n-1].times = append(rules[n-1].times, t)
			continue
		}
		rules = append(rules, rule{state: s.State, comment: comment, times: []span{t}})
	}
	out := make([]string, len(rules))
	for i := range rules {
		var b strings.Builder
		rules[i].write(&b, false)
		out[i] = b.String()
	}
	return out
}

// ranges joins three and more neighbours of ascending weekdays, Monday first.
func ranges(list []time.Weekday) []day {
	var days []day
	for i := 0; i < len(list); {
		j := i + 1
		for j < len(list) && list[j] == (list[j-1]+1)%7 {
			j++
		}
		if j-i < 3 {
			j = i + 1
		}
		days = append(days, day{from: list[i], to: list[j-1]})
		i = j
	}
	return days
}
