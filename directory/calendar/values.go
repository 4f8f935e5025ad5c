package calendar

import (
	"strconv"
	"strings"
	"time"

	"archipel/directory"
)

// uid names an event for ever, on every island that mirrors it: its id, and the host that it belongs to.
func (w *Writer) uid(entry *directory.Entry) string {
	host := entry.Origin
	if host == "" {
		host = w.o.Host
	}
	if host == "" {
		host = "localhost"
	}
	return string(entry.ID) + "@" + host
}

// texts are in the calendar's language where the entry has them.
func (w *Writer) texts(entry *directory.Entry) (name, summary, description string) {
	name, summary, description = entry.Name, entry.Summary, entry.Description
	if base(entry.Lang) == base(w.o.Lang) {
		return
	}
	for tag, t := range entry.Translations {
		if base(tag) != base(w.o.Lang) {
			continue
		}
		if t.Name != "" {
			name = t.Name
		}
		if t.Summary != "" {
			summary = t.Summary
		}
		if t.Description != "" {
			description = t.Description
		}
	}
	return
}

func base(lang string) string {
	b, _, _ := strings.Cut(lang, "-")
	return strings.ToLower(b)
}

// status is the one of the three that calendars know.
func status(s directory.EventState) string {
	switch s {
	case directory.Cancelled:
		return "CANCELLED"
	case directory.Tentative, directory.Postponed:
		return "TENTATIVE"
	}
	return "CONFIRMED"
}

// description is what a calendar has no field of its own for, below the entry's own words.
func (w *Writer) description(entry *directory.Entry, state directory.EventState, summary, description string) string {
	v := entry.Event
	parts := []string{summary, description, v.Price, v.AttendanceURL, v.RegisterURL}
	name := ""
	if w.o.Origin != nil {
		name = w.o.Origin(entry)
	}
	attribution := ""
	if w.o.Attribution != nil && entry.Source != nil {
		attribution = w.o.Attribution(entry.Source.Name)
	}
	parts = append(parts, join(", ", name, entry.Notice(attribution)))
	if w.o.Page != nil {
		parts = append(parts, w.o.Page(entry))
	}
	out := parts[:0]
	for _, s := range parts {
		if s = strings.TrimSpace(s); s != "" {
			out = append(out, s)
		}
	}
	return strings.Join(out, "\n\n")
}

func location(entry *directory.Entry) string {
	a := entry.Address
	if a == nil {
		return entry.Event.AttendanceURL
	}
	return join(", ", a.Street, join(" ", a.PostalCode, a.Locality), a.Region)
}

func (w *Writer) categories(entry *directory.Entry) string {
	var out []string
	for _, id := range entry.Categories {
		label := id
		if w.o.Label != nil {
			if s := w.o.Label(id, w.o.Lang); s != "" {
				label = s
			}
		}
		out = append(out, escape(label))
	}
	for _, tag := range entry.Tags {
		out = append(out, escape(tag))
	}
	return strings.Join(out, ",")
}

// rule is an event's RRULE in the form that goes with its start: UNTIL is a date with whole days, and UTC otherwise (RFC
// 5545, section 3.3.10).
func (t times) rule(v *directory.Schedule) string {
	var out []string
	for part := range strings.SplitSeq(strings.ToUpper(v.RRule), ";") {
		key, value, ok := strings.Cut(strings.TrimSpace(part), "=")
		if !ok || key == "DTSTART" || key == "TZID" {
			continue
		}
		if key == "UNTIL" {
			until, ok := v.Until(t.loc)
			if !ok {
				continue
			}
			if value = utc(until); t.allDay {
				value = until.In(t.loc).Format(dateForm)
			}
		}
		out = append(out, key+"="+value)
	}
	return strings.Join(out, ";")
}

// uri writes a property whose value is a URI; what a URI cannot contain is left out.
func (e *encoder) uri(name, value string) {
	if value == "" {
		return
	}
	e.line(name, strings.Map(func(r rune) rune {
		if r <= ' ' || r == '"' || r == '<' || r == '>' || r == '\\' {
			return -1
		}
		return r
	}, value))
}

func duration(d time.Duration) string {
	return "PT" + number(int64(max(d/time.Minute, 1))) + "M"
}

func number(n int64) string { return strconv.FormatInt(n, 10) }

func decimal(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

func join(sep string, parts ...string) string {
	out := parts[:0]
	for _, s := range parts {
		if s != "" {
			out = append(out, s)
		}
	}
	return strings.Join(out, sep)
}
