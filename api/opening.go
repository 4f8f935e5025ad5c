package api

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"archipel/directory"
	"archipel/directory/hours"
	"archipel/frontend"
	"archipel/geo"
)

// moment reads open_at: now, an RFC 3339 time, or a date and a time on the clocks of the site. Zero when it is absent or wrong.
func (p *paramReader) moment(field string, now time.Time, zone *time.Location) time.Time {
	raw := strings.TrimSpace(p.v.Get(field))
	switch raw {
	case "":
		return time.Time{}
	case "now":
		return now.In(zone)
	}
	// A plus sign that was not encoded has become a blank, and no form of a time has one.
	if t, err := time.Parse(time.RFC3339, strings.ReplaceAll(raw, " ", "+")); err == nil {
		return t.In(zone)
	}
	for _, form := range []string{"2006-01-02T15:04", "2006-01-02T15:04:05"} {
		if t, err := time.ParseInLocation(form, raw, zone); err == nil {
			return t
		}
	}
	p.add(field, directory.CodeInvalid, raw)
	return time.Time{}
}

// openNow counts what is open now under the other filters, for the choice that says so.
func (s *Server) openNow(r *request) (frontend.Chip, error) {
	f := r.filter
	f.OpenAt = s.Now().In(s.zone())
	sel, err := s.Index.Select(f, geo.Page{Limit: 1})
	return frontend.Chip{Count: sel.Matched, Selected: r.query.OpenAt == "now"}, err
}

// open says whether an entry is open and until when, or when it opens again, where that is certain.
func (p presenter) open(h *hours.Hours, a *frontend.Alive) {
	if h == nil {
		return
	}
	state, _ := h.At(p.now)
	next, ok := h.Next(p.now)
	switch state {
	case hours.Open:
		a.Open = frontend.Open
		if ok && next.State == hours.Closed {
			a.Until = next.At
		}
	case hours.Closed:
		a.Open = frontend.Closed
		if ok && next.State == hours.Open {
			a.Until = next.At
		}
	}
}

// hours shows opening hours as they are this week: day by day when they are understood, as they were written when not.
func (p presenter) hours(e *directory.Entry, h *hours.Hours) *frontend.Hours {
	if e.OpeningHours == "" {
		return nil
	}
	v := &frontend.Hours{Raw: e.OpeningHours}
	if h == nil {
		return v
	}
	words := frontend.T(p.lang)
	week := h.Week(p.now)
	_, v.Comment = h.At(p.now)
	for i, spans := range week {
		day := frontend.HoursDay{Weekday: time.Weekday((i + 1) % 7)}
		day.Today = day.Weekday == p.now.Weekday()
		for _, s := range spans {
			day.Spans = append(day.Spans, span(words, s))
		}
		v.Days = append(v.Days, day)
	}
	if _, closed, ok := h.Weekly(); ok && closed {
		v.Comment = join(" ", v.Comment, words.Text("hours.holidays_closed"))
	}
	if v.Comment == "" && !slices.ContainsFunc(week[:], func(s []hours.Span) bool { return len(s) > 0 }) {
		v.Comment = words.Text("hours.none_this_week")
	}
	return v
}

// hoursLine writes opening hours on one line, for paper: what is the same every week in words, anything else as it was written.
func (p presenter) hoursLine(e *directory.Entry, h *hours.Hours) string {
	if h == nil {
		return e.OpeningHours
	}
	week, closed, ok := h.Weekly()
	if !ok {
		return e.OpeningHours
	}
	words := frontend.T(p.lang)
	name := func(day int) string { return words.Text(fmt.Sprint("hours.day_", (day+1)%7)) }
	var parts []string
	for i := 0; i < 7; {
		j := i + 1
		for j < 7 && slices.Equal(week[j], week[i]) {
			j++
		}
		if len(week[i]) > 0 {
			days := name(i)
			switch j - i {
			case 1:
			case 2:
				days += ", " + name(j-1)
			default:
				days += "–" + name(j-1)
			}
			times := make([]string, len(week[i]))
			for k, s := range week[i] {
				times[k] = span(words, s)
			}
			parts = append(parts, days+" "+strings.Join(times, ", "))
		}
		i = j
	}
	line := strings.Join(parts, " ; ")
	if closed {
		line = join(". ", line, words.Text("hours.holidays_closed"))
	}
	return line
}

// span writes one time of a day.
func span(words *frontend.Localizer, s hours.Span) string {
	clock := func(minutes int) string {
		return words.Clock(time.Date(2000, 1, 3, 0, minutes, 0, 0, time.UTC))
	}
	var text string
	switch {
	case s.From == 0 && s.To == 24*60:
		text = words.Text("hours.whole_day")
	case s.OpenEnd && s.To == s.From:
		text = words.Text("hours.from", "Time", clock(s.From))
	default:
		text = clock(s.From) + "–" + clock(s.To)
		if s.OpenEnd {
			text = words.Text("hours.or_later", "Times", text)
		}
	}
	switch {
	case s.Comment != "":
		return text + " (" + s.Comment + ")"
	case s.State == hours.Unknown:
		return words.Text("hours.perhaps", "Times", text)
	}
	return text
}
