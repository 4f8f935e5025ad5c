package hours

import "slices"

// times reads a list of times. A comma before something else belongs to the next rule.
func (p *parser) times(r *rule) error {
	for {
		s, err := p.span()
		if err != nil {
			return err
		}
		r.times = append(r.times, s)
		if p.peek(0) != "," || !p.isTime(1) {
			return nil
		}
		if s.openEnd {
			return p.fail("times after a time without end")
		}
		p.at++
	}
}

func (p *parser) span() (s span, err error) {
	start := p.pos()
	if s.from, err = p.moment(23*60 + 59); err != nil {
		return s, err
	}
	if p.is("+") {
		s.openEnd, s.noEnd = true, true
		return s, nil
	}
	if p.peek(0) != "-" {
		return s, &Error{start, "a single time: want a start and an end, or + after it"}
	}
	p.at++
	if !p.isTime(0) {
		return s, p.unexpected("the time of the end")
	}
	if s.to, err = p.moment(48 * 60); err != nil {
		return s, err
	}
	if p.peek(0) == "/" {
		return s, p.fail("times at intervals")
	}
	s.openEnd = p.is("+")
	return s, nil
}

// moment reads hours and minutes up to the latest, or an event of the sun with what is added to it.
func (p *parser) moment(latest int) (m moment, err error) {
	if isNumber(p.peek(0)) {
		start := p.pos()
		if m.minutes, err = p.clock(48); err == nil && m.minutes > latest {
			err = &Error{start, "this time is past the end of the day"}
		}
		return m, err
	}
	bracket := p.is("(")
	i, ok := index(sunEvents, p.peek(0))
	if !ok {
		return m, p.unexpected("sunrise, sunset, dawn or dusk")
	}
	m.event = sunEvents[i]
	p.at++
	if !bracket {
		return m, nil
	}
	sign := slices.Index([]string{"+", " ", "-"}, p.peek(0))
	if sign < 0 || sign == 1 {
		return m, p.unexpected("+ or -")
	}
	p.at++
	if m.minutes, err = p.clock(11); err != nil {
		return m, err
	}
	m.minutes *= 1 - sign
	if !p.is(")") {
		return m, p.unexpected(")")
	}
	return m, nil
}

func (p *parser) clock(hours int) (int, error) {
	h, err := p.number("hour", 0, hours)
	if err != nil {
		return 0, err
	}
	if !p.is(":") {
		return 0, p.unexpected("a colon and minutes")
	}
	if len(p.peek(0)) != 2 {
		return 0, p.unexpected("minutes of two digits")
	}
	m, err := p.number("minute", 0, 59)
	return h*60 + m, err
}
