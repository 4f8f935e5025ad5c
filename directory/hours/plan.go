package hours

import "slices"

const dayMinutes = 24 * 60

// mask is a set of states that may hold.
type mask uint8

func only(s State) mask { return 1 << s }

// state is the one state that may hold, or Unknown.
func (m mask) state() State {
	switch m {
	case only(Open):
		return Open
	case only(Closed):
		return Closed
	}
	return Unknown
}

// segment is a part of a day, in minutes since midnight on the clock, end excluded.
type segment struct {
	from, to int
	mask     mask
	comment  string
	tail     bool // began the day before
	openEnd  bool // after a time with no end
}

// part is what a time of a rule says about minutes since the midnight of its day, of that day and the next.
type part struct {
	from, to int
	maybe    bool
	openEnd  bool
}

// plan divides a day. Rules are applied one after the other, each with what it leaves to the day after right behind it.
func (h *Hours) plan(d date) []segment {
	plan := []segment{{to: dayMinutes, mask: only(Closed)}}
	before := d.shift(-1)
	for i := range h.rules {
		r := &h.rules[i]
		if m := r.on(d, h.holidays); m != no {
			plan = r.apply(plan, m, i > 0, false)
		}
		if r.wraps() {
			if m := r.on(before, h.holidays); m != no {
				plan = r.apply(plan, m, false, true)
			}
		}
	}
	return plan
}

func (r *rule) wraps() bool {
	return slices.ContainsFunc(r.times, func(s span) bool { return s.latest() > dayMinutes })
}

// apply puts a rule on a plan, its own day's or the tail of the day before.
func (r *rule) apply(plan []segment, days match, later, tail bool) []segment {
	if days == maybe {
		return union(r.apply(slices.Clone(plan), yes, later, tail), plan)
	}
	if later && !tail && r.sep == replaces && r.state != Closed && (r.dated() || r.state == Open) {
		plan = []segment{{to: dayMinutes, mask: only(Closed)}}
	}
	if len(r.times) == 0 {
		return r.paint(plan, part{to: dayMinutes}, tail)
	}
	for _, s := range r.times {
		for _, p := range s.parts() {
			if tail {
				p.from, p.to = max(p.from-dayMinutes, 0), p.to-dayMinutes
			}
			p.to = min(p.to, dayMinutes)
			if p.from < p.to {
				plan = r.paint(plan, p, tail)
			}
		}
	}
	return plan
}

// paint changes the state of a part of a plan.
func (r *rule) paint(plan []segment, p part, tail bool) []segment {
	out := make([]segment, 0, len(plan)+2)
	for _, s := range plan {
		from, to := max(s.from, p.from), min(s.to, p.to)
		if from >= to || r.sep == fallback && s.mask&only(Closed) == 0 {
			out = put(out, s)
			continue
		}
		if s.from < from {
			before := s
			before.to = from
			out = put(out, before)
		}
		painted := segment{from, to, only(r.state), r.comment, tail, p.openEnd}
		if p.openEnd && r.state == Open {
			painted.mask = only(Unknown)
		}
		if r.sep == fallback {
			painted.mask |= s.mask &^ only(Closed)
		}
		if p.maybe {
			painted.mask |= s.mask
			if painted.comment == "" {
				painted.comment = s.comment
			}
		}
		out = put(out, painted)
		if to < s.to {
			after := s
			after.from = to
			out = put(out, after)
		}
	}
	return out
}

// put appends a segment, or makes the last one longer when it says the same.
func put(plan []segment, s segment) []segment {
	if n := len(plan); n > 0 {
		last := plan[n-1]
		last.from, last.to = s.from, s.to
		if last == s {
			plan[n-1].to = s.to
			return plan
		}
	}
	return append(plan, s)
}

// union is what may hold when it is not known which of two plans does.
func union(a, b []segment) []segment {
	var out []segment
	for i, j, at := 0, 0, 0; i < len(a) && j < len(b); {
		s := a[i]
		s.from, s.to = at, min(a[i].to, b[j].to)
		s.mask |= b[j].mask
		if s.comment == "" {
			s.comment = b[j].comment
		}
		s.tail, s.openEnd = s.tail && b[j].tail, s.openEnd && b[j].openEnd
		out = put(out, s)
		at = s.to
		if a[i].to == at {
			i++
		}
		if b[j].to == at {
			j++
		}
	}
	return out
}
