package hours

// moment is a time of the day in minutes since its midnight, or one that follows the sun.
type moment struct {
	minutes int    // added to the event, if there is one
	event   string // sunrise, sunset, dawn, dusk, or empty
}

// between returns the earliest and the latest that the moment can be, outside the polar circles: the sun rises before noon and
// sets between noon and two in the morning, whatever the clocks make of it.
func (m moment) between() (earliest, latest int) {
	switch m.event {
	case "":
		return m.minutes, m.minutes
	case "sunrise", "dawn":
		return m.minutes, 12*60 + m.minutes
	}
	return 12*60 + m.minutes, 26*60 + m.minutes
}

// span is a time from one moment to another, possibly of the next day.
type span struct {
	from, to moment
	openEnd  bool // it may last longer
	noEnd    bool // only the start is known, with openEnd
}

// parts says what a span covers.
func (s span) parts() []part {
	if s.noEnd {
		from, late := s.from.between()
		return []part{{max(from, 0), guess(late), s.from.event != "", true}}
	}
	f0, f1 := s.from.between()
	t0, t1 := s.to.between()
	certain := true
	if s.from.event == "" && s.to.event == "" {
		if t0 <= f0 {
			t0, t1 = t0+dayMinutes, t1+dayMinutes
		}
	} else if t1 <= f0 {
		t0, t1 = t0+dayMinutes, t1+dayMinutes
	} else if t0 < f1 {
		certain = false
		if s.from.event == "" {
			t1 += dayMinutes // 22:00-sunset may end on the next day, or not
		}
	}
	f0, t1 = max(f0, 0), min(t1, 2*dayMinutes)
	var out []part
	if s.openEnd {
		out = append(out, part{t0, max(guess(t1), t1), t0 != t1, true})
	}
	if f0 != f1 || t0 != t1 || !certain {
		out = append(out, part{from: f0, to: t1, maybe: true})
	}
	if certain && f1 < t0 {
		out = append(out, part{from: f1, to: t0})
	}
	return out
}

// guess is how long something that opens at a time, or is open until then and perhaps longer, is looked upon as possibly
// open: as the opening_hours library has it.
func guess(from int) int {
	switch {
	case from >= 22*60:
		return min(from+8*60, 2*dayMinutes)
	case from >= 17*60:
		return from + 10*60
	}
	return dayMinutes
}

// latest is the end of the last part.
func (s span) latest() int {
	last := 0
	for _, p := range s.parts() {
		last = max(last, p.to)
	}
	return last
}
