package hours

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// maxLength bounds a value, in bytes, and so the time that an answer takes; OpenStreetMap itself allows 255 characters.
const maxLength = 1024

var (
	weekdayNames = []string{"Su", "Mo", "Tu", "We", "Th", "Fr", "Sa"}
	monthNames   = []string{"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"}
	sunEvents    = []string{"sunrise", "sunset", "dawn", "dusk"}
)

// Parse reads opening hours. An error is an [*Error].
func Parse(s string) (*Hours, error) {
	if len(s) > maxLength {
		return nil, &Error{maxLength, "too long"}
	}
	p := &parser{text: s}
	h := &Hours{holidays: France}
	if err := p.scan(); err != nil {
		return nil, err
	}
	for sep := replaces; ; {
		r, err := p.rule(sep)
		if err != nil {
			return nil, err
		}
		if err := h.admit(r); err != nil {
			return nil, err
		}
		h.rules = append(h.rules, r)
		switch {
		case p.is(";"):
			sep = replaces
		case p.peek(0) == ",":
			if sep == fallback {
				return nil, p.fail("a comma after a rule that follows ||: write || again")
			}
			if !r.always && len(r.times) == 0 && !r.word && r.comment == "" {
				return nil, p.fail("a comma after days: name times, or use a semicolon")
			}
			p.at++
			sep = adds
		case p.is("||"):
			sep = fallback
		default:
			if p.at < len(p.tokens) {
				return nil, p.unexpected("")
			}
			return h.short(p)
		}
		if p.at == len(p.tokens) && sep == replaces {
			return h.short(p) // the last semicolon means nothing
		}
	}
}

// short refuses hours whose canonical form is too long to be read again. It can be several times as long as what was read.
func (h *Hours) short(p *parser) (*Hours, error) {
	if len(p.text) > maxLength/8 && len(h.String()) > maxLength {
		return nil, p.fail("too long in canonical form")
	}
	return h, nil
}

// admit refuses a rule of which the specification and what people mean differ: one without days, after others with days
// that it would replace altogether.
func (h *Hours) admit(r rule) error {
	if len(h.rules) == 0 || r.dated() || r.sep != replaces || r.state == Closed || len(r.times) == 0 {
		return nil
	}
	if r.state == Unknown || slices.ContainsFunc(h.rules, func(o rule) bool { return o.dated() }) {
		return &Error{r.pos, "times without days after other rules: name the days, or use a comma"}
	}
	return nil
}

// token is a word, a number, a comment with its quotes, or a sign.
type token struct {
	text string
	pos  int // in characters
}

func (t token) comment() bool { return t.text[0] == '"' }

type parser struct {
	text   string
	tokens []token
	at     int
}

func letter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }
func digit(c byte) bool  { return c >= '0' && c <= '9' }

func (p *parser) scan() error {
	s := p.text
	for i := 0; i < len(s); {
		pos, end := utf8.RuneCountInString(s[:i]), i+1
		switch c := s[i]; {
		case c == ' ':
			i++
			continue
		case strings.HasPrefix(s[i:], "24/7") && !p.after("-"): // week 2-24/7 is every seventh week
			end = i + 4
		case letter(c):
			for end < len(s) && letter(s[end]) {
				end++
			}
		case digit(c):
			for end < len(s) && digit(s[end]) {
				end++
			}
		case c == '"':
			n := strings.IndexByte(s[i+1:], '"')
			if n < 0 {
				return &Error{pos, "the comment has no end"}
			}
			end = i + 1 + n + 1
			if comment := s[i+1 : end-1]; strings.TrimSpace(comment) == "" {
				return &Error{pos, "the comment is empty"}
			} else if !utf8.ValidString(comment) {
				return &Error{pos, "the comment is not UTF-8"}
			}
		case strings.HasPrefix(s[i:], "||"):
			end = i + 2
		case strings.IndexByte(",;:-+/[]()", c) < 0:
			return &Error{pos, fmt.Sprintf("%q means nothing here", firstRune(s[i:]))}
		}
		p.tokens = append(p.tokens, token{s[i:end], pos})
		i = end
	}
	return nil
}

// after reports whether the last token that was scanned is a sign.
func (p *parser) after(sign string) bool {
	n := len(p.tokens)
	return n > 0 && p.tokens[n-1].text == sign
}

func firstRune(s string) string {
	_, n := utf8.DecodeRuneInString(s)
	return s[:n]
}

// peek returns the text of a token ahead, or a blank.
func (p *parser) peek(ahead int) string {
	if p.at+ahead < len(p.tokens) {
		return p.tokens[p.at+ahead].text
	}
	return " "
}

// is takes a token if it is next.
func (p *parser) is(text string) bool {
	if p.peek(0) == text {
		p.at++
		return true
	}
	return false
}

func (p *parser) pos() int {
	if p.at < len(p.tokens) {
		return p.tokens[p.at].pos
	}
	return utf8.RuneCountInString(p.text)
}

func (p *parser) fail(format string, args ...any) error {
	return &Error{p.pos(), fmt.Sprintf(format, args...)}
}

func (p *parser) unexpected(want string) error {
	if want != "" {
		want = "want " + want + ", "
	}
	if p.at >= len(p.tokens) {
		return p.fail("%sgot the end", want)
	}
	return p.fail("%sgot %.40q", want, p.tokens[p.at].text)
}

func index(list []string, s string) (int, bool) {
	i := slices.Index(list, s)
	return i, i >= 0
}

func isWeekday(s string) bool { return slices.Contains(weekdayNames, s) }
func isMonth(s string) bool   { return slices.Contains(monthNames, s) }
func isHoliday(s string) bool { return s == "PH" || s == "SH" }
func isNumber(s string) bool  { return digit(s[0]) && s != "24/7" }

// isTime reports whether a time starts ahead.
func (p *parser) isTime(ahead int) bool {
	s := p.peek(ahead)
	return isNumber(s) && p.peek(ahead+1) == ":" || s == "(" || slices.Contains(sunEvents, s)
}

func (p *parser) rule(sep separator) (rule, error) {
	r := rule{sep: sep, state: Open, pos: p.pos()}
	start := p.at
	var err error
	if p.is("24/7") {
		r.always = true
	} else {
		if err = p.wide(&r); err == nil {
			err = p.weekdays(&r)
		}
		if err == nil && p.isTime(0) {
			err = p.times(&r)
		}
	}
	if err != nil {
		return r, err
	}
	switch word := p.peek(0); word {
	case "open", "off", "closed", "unknown":
		r.word = true
		r.state = map[string]State{"open": Open, "unknown": Unknown}[word]
		p.at++
	}
	if p.at < len(p.tokens) && p.tokens[p.at].comment() {
		text := p.tokens[p.at].text
		r.comment = strings.TrimSpace(text[1 : len(text)-1])
		if !r.word {
			r.state = Unknown
		}
		p.at++
	}
	if p.at == start {
		return r, p.unexpected("days, times or a word")
	}
	return r, nil
}

// wide reads months, days of months and weeks.
func (p *parser) wide(r *rule) error {
	for isMonth(p.peek(0)) {
		if err := p.dates(r); err != nil {
			return err
		}
		if p.peek(0) != "," || !isMonth(p.peek(1)) {
			break
		}
		p.at++
	}
	if p.is("week") {
		for {
			w, err := p.week()
			if err != nil {
				return err
			}
			r.weeks = append(r.weeks, w)
			if p.peek(0) != "," || !isNumber(p.peek(1)) || p.isTime(1) {
				break
			}
			p.at++
		}
	}
	if len(r.dates)+len(r.weeks) > 0 {
		p.is(":")
	}
	return nil
}

// dates reads a month or a range of months, or days of a month.
func (p *parser) dates(r *rule) error {
	month := p.month()
	if !isNumber(p.peek(0)) || p.isTime(0) {
		d := dateRange{fromMonth: month, toMonth: month}
		if p.peek(0) == "-" {
			p.at++
			if !isMonth(p.peek(0)) {
				return p.unexpected("a month")
			}
			d.toMonth = p.month()
			if isNumber(p.peek(0)) && !p.isTime(0) {
				return p.fail("a range from a month to a day: name the first day")
			}
		}
		r.dates = append(r.dates, d)
		return nil
	}
	for {
		d := dateRange{fromMonth: month, toMonth: month}
		var err error
		if d.fromDay, err = p.dayOf(month); err != nil {
			return err
		}
		d.toDay = d.fromDay
		if p.is("-") {
			named := isMonth(p.peek(0))
			if named {
				d.toMonth = p.month()
			}
			at := p.pos()
			if d.toDay, err = p.dayOf(d.toMonth); err != nil {
				return err
			}
			if !named && d.toDay < d.fromDay {
				return &Error{at, "the range ends before it begins"}
			}
		}
		r.dates = append(r.dates, d)
		if d.toMonth != month || p.peek(0) != "," || !isNumber(p.peek(1)) || p.isTime(1) {
			return nil
		}
		p.at++ // Dec 24,25
	}
}

func (p *parser) month() time.Month {
	i, _ := index(monthNames, p.peek(0))
	p.at++
	return time.Month(i + 1)
}

// number reads a number from low to high.
func (p *parser) number(what string, low, high int) (int, error) {
	if !isNumber(p.peek(0)) {
		return 0, p.unexpected(what)
	}
	n, err := strconv.Atoi(p.peek(0))
	if err != nil || n < low || n > high {
		return 0, p.fail("%.20s is no %s: want %d to %d", p.peek(0), what, low, high)
	}
	p.at++
	return n, nil
}

func (p *parser) dayOf(month time.Month) (int, error) {
	return p.number("day of "+monthNames[month-1], 1, date{year: 2000, month: month}.daysIn())
}

func (p *parser) week() (w weekRange, err error) {
	if w.from, err = p.number("week", 1, 53); err != nil {
		return w, err
	}
	w.to = w.from
	if p.is("-") {
		if w.to, err = p.number("week", w.from, 53); err != nil {
			return w, err
		}
		if p.is("/") {
			w.step, err = p.number("number of weeks", 2, 26)
		}
	}
	return w, err
}

// weekdays reads a list of weekdays and holidays, or holidays and then weekdays.
func (p *parser) weekdays(r *rule) error {
	plain := false
	for isWeekday(p.peek(0)) || isHoliday(p.peek(0)) {
		d, err := p.day()
		if err != nil {
			return err
		}
		plain = plain || d.kind == weekdays
		r.days = append(r.days, d)
		if p.peek(0) == "," && (isWeekday(p.peek(1)) || isHoliday(p.peek(1))) {
			p.at++
			continue
		}
		if isHoliday(p.peek(0)) || isWeekday(p.peek(0)) && (plain || len(r.holidays) > 0) {
			return p.unexpected("a comma")
		}
		if isWeekday(p.peek(0)) {
			if len(r.days) > 1 {
				return p.fail("weekdays after several kinds of holidays: write a rule for each")
			}
			r.holidays, r.days = r.days, nil
		}
	}
	for _, d := range r.days {
		if len(r.holidays) > 0 && d.kind != weekdays {
			return p.fail("holidays among the weekdays after holidays")
		}
	}
	return nil
}

func (p *parser) day() (day, error) {
	name := p.peek(0)
	p.at++
	switch name {
	case "PH":
		return day{kind: publicHoliday}, nil
	case "SH":
		return day{kind: schoolHoliday}, nil
	}
	i, _ := index(weekdayNames, name)
	d := day{from: time.Weekday(i), to: time.Weekday(i)}
	if p.is("-") {
		to, ok := index(weekdayNames, p.peek(0))
		if !ok {
			return d, p.unexpected("a weekday")
		}
		p.at++
		d.to = time.Weekday(to)
	} else if p.is("[") {
		for {
			n, err := p.nth()
			if err != nil {
				return d, err
			}
			d.nth = append(d.nth, n)
			if !p.is(",") {
				break
			}
		}
		if !p.is("]") {
			return d, p.unexpected("]")
		}
	}
	return d, nil
}

func (p *parser) nth() (n [2]int, err error) {
	if p.is("-") {
		n[0], err = p.number("place in the month", 1, 5)
		return [2]int{-n[0], -n[0]}, err
	}
	if n[0], err = p.number("place in the month", 1, 5); err != nil {
		return n, err
	}
	n[1] = n[0]
	if p.is("-") {
		n[1], err = p.number("place in the month", n[0], 5)
	}
	return n, err
}
