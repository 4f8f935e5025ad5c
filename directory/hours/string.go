package hours

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// String writes the hours in canonical form, which [Parse] reads as the same hours.
func (h *Hours) String() string {
	var b strings.Builder
	for i := range h.rules {
		r := &h.rules[i]
		if i > 0 {
			b.WriteString(r.sep.String())
		}
		// A comma would go on with a list: of days after days alone, of times where the next rule begins with times.
		goesOn := i+1 < len(h.rules) && h.rules[i+1].sep == adds && (!r.always && len(r.times) == 0 || !h.rules[i+1].always && !h.rules[i+1].dated())
		r.write(&b, goesOn)
	}
	return b.String()
}

// write says "open" also where that goes without saying, if told to.
func (r *rule) write(b *strings.Builder, sayOpen bool) {
	var parts []string
	add := func(s string) {
		if s != "" {
			parts = append(parts, s)
		}
	}
	if r.always {
		add("24/7")
	}
	add(joined(r.dates))
	if len(r.weeks) > 0 {
		add("week " + joined(r.weeks))
	}
	add(joined(r.holidays))
	add(joined(r.days))
	add(joined(r.times))
	switch {
	case r.state == Closed:
		add("off")
	case r.state == Unknown && r.comment == "":
		add("unknown")
	case r.state == Open && (r.comment != "" || len(parts) == 0 || sayOpen):
		add("open")
	}
	if r.comment != "" {
		add(`"` + r.comment + `"`)
	}
	b.WriteString(strings.Join(parts, " "))
}

func joined[T fmt.Stringer](list []T) string {
	parts := make([]string, len(list))
	for i, v := range list {
		parts[i] = v.String()
	}
	return strings.Join(parts, ",")
}

func (r dateRange) String() string {
	from, to := monthNames[r.fromMonth-1], monthNames[r.toMonth-1]
	if r.fromDay > 0 {
		from, to = fmt.Sprintf("%s %02d", from, r.fromDay), fmt.Sprintf("%s %02d", to, r.toDay)
	}
	if from == to {
		return from
	}
	return from + "-" + to
}

func (r weekRange) String() string {
	switch {
	case r.from == r.to:
		return fmt.Sprintf("%02d", r.from)
	case r.step > 1:
		return fmt.Sprintf("%02d-%02d/%d", r.from, r.to, r.step)
	}
	return fmt.Sprintf("%02d-%02d", r.from, r.to)
}

func (y day) String() string {
	switch y.kind {
	case publicHoliday:
		return "PH"
	case schoolHoliday:
		return "SH"
	}
	s := weekdayNames[y.from]
	if y.from != y.to {
		return s + "-" + weekdayNames[y.to]
	}
	if len(y.nth) > 0 {
		var nth []string
		for _, n := range y.nth {
			one := fmt.Sprint(n[0])
			if n[0] != n[1] {
				one += fmt.Sprintf("-%d", n[1])
			}
			nth = append(nth, one)
		}
		s += "[" + strings.Join(nth, ",") + "]"
	}
	return s
}

func (m moment) String() string {
	switch {
	case m.event == "":
		return fmt.Sprintf("%02d:%02d", m.minutes/60, m.minutes%60)
	case m.minutes > 0:
		return fmt.Sprintf("(%s+%02d:%02d)", m.event, m.minutes/60, m.minutes%60)
	case m.minutes < 0:
		return fmt.Sprintf("(%s-%02d:%02d)", m.event, -m.minutes/60, -m.minutes%60)
	}
	return m.event
}

func (s span) String() string {
	out := s.from.String()
	if !s.noEnd {
		out += "-" + s.to.String()
	}
	if s.openEnd {
		out += "+"
	}
	return out
}

// Quote makes hours of a text that is none: it stands as a comment, so that it is kept and shown, and the state is Unknown. What
// [Parse] understands is returned in canonical form, and a blank text is empty.
func Quote(text string) string {
	if h, err := Parse(text); err == nil {
		return h.String()
	}
	text = strings.Join(strings.Fields(strings.ReplaceAll(strings.ToValidUTF8(text, ""), `"`, "'")), " ")
	for len(text) > maxLength-2 {
		_, n := utf8.DecodeLastRuneInString(text)
		text = text[:len(text)-n]
	}
	if text == "" {
		return ""
	}
	return `"` + strings.TrimSpace(text) + `"`
}
