package ical

import (
	"bytes"
	"encoding/binary"
	"io"
	"mime/quotedprintable"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
)

// Limits of what is read; what exceeds them is left out and told, see [Warning].
const (
	MaxBytes  = 5 << 20 // of a calendar
	MaxEvents = 5_000
	maxLine   = 256 << 10 // bytes of a content line: pictures are put into some
	maxDepth  = 8         // of components in one another
	maxProps  = 2_000     // of one component
	maxParams = 40
)

// property is a content line (RFC 5545, section 3.1).
type property struct {
	name   string // upper case
	params map[string]string
	value  string // as it stands, escaped
}

func (p *property) param(name string) string { return p.params[name] }

// component is what stands between BEGIN and END. Those that nobody here reads are not kept.
type component struct {
	name   string
	props  []property
	within []*component
}

func (c *component) get(name string) *property {
	for i := range c.props {
		if c.props[i].name == name {
			return &c.props[i]
		}
	}
	return nil
}

// decoded turns a file into UTF-8 as far as its beginning tells; single lines may still be in another coding.
func decoded(b []byte) []byte {
	wide := func(order binary.ByteOrder, b []byte) []byte {
		units := make([]uint16, len(b)/2)
		for i := range units {
			units[i] = order.Uint16(b[2*i:])
		}
		return []byte(string(utf16.Decode(units)))
	}
	switch {
	case bytes.HasPrefix(b, []byte{0xEF, 0xBB, 0xBF}):
		return b[3:]
	case bytes.HasPrefix(b, []byte{0xFF, 0xFE}):
		return wide(binary.LittleEndian, b[2:])
	case bytes.HasPrefix(b, []byte{0xFE, 0xFF}):
		return wide(binary.BigEndian, b[2:])
	case bytes.HasPrefix(b, []byte("B\x00E\x00")):
		return wide(binary.LittleEndian, b)
	case bytes.HasPrefix(b, []byte("\x00B\x00E")):
		return wide(binary.BigEndian, b)
	}
	return b
}

// lines calls fn with each content line, unfolded: bytes are put together before they are read as characters, since some
// programs fold within one. Lines end with CR LF, LF or CR, and empty ones do not count. cut is how many lines were too
// long and lost their ends.
func lines(b []byte, fn func(string)) (cut int) {
	var line []byte
	flush := func() {
		if len(line) > 0 {
			fn(utf8Of(line))
		}
		line = line[:0]
	}
	for len(b) > 0 {
		end := bytes.IndexAny(b, "\r\n")
		var physical []byte
		if end < 0 {
			physical, b = b, nil
		} else {
			physical, b = b[:end], b[end+1:]
		}
		switch {
		case len(physical) == 0:
			continue
		case physical[0] == ' ' || physical[0] == '\t':
			physical = physical[1:]
		default:
			flush()
		}
		if room := maxLine - len(line); len(physical) > room {
			physical = physical[:max(room, 0)]
			cut++
		}
		line = append(line, physical...)
	}
	flush()
	return cut
}

// utf8Of reads bytes as UTF-8, and those that are not as Windows-1252, of which Latin-1 is a part.
func utf8Of(b []byte) string {
	if utf8.Valid(b) {
		return string(b)
	}
	var out strings.Builder
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		if r == utf8.RuneError && n == 1 {
			r = charmap.Windows1252.DecodeByte(b[0])
		}
		if r != utf8.RuneError {
			out.WriteRune(r)
		}
		b = b[n:]
	}
	return out.String()
}

// dated are the properties whose values are moments: the first colon before a moment begins the value, whatever an unquoted
// name of a time zone before it contains.
var dated = map[string]bool{"DTSTART": true, "DTEND": true, "RECURRENCE-ID": true, "EXDATE": true, "RDATE": true, "DUE": true}

// parseLine reads a content line, or reports that it is none.
func parseLine(line string) (property, bool) {
	p := property{}
	end := strings.IndexAny(line, ";:")
	if end <= 0 || end > 100 {
		return p, false
	}
	p.name = strings.ToUpper(strings.TrimSpace(line[:end]))
	if strings.ContainsFunc(p.name, func(r rune) bool {
		return r != '-' && r != '.' && r != '_' && (r < 'A' || r > 'Z') && (r < '0' || r > '9')
	}) {
		return p, false
	}
	if _, after, ok := strings.Cut(p.name, "."); ok {
		p.name = after // a group, as in vCard
	}
	params, value, ok := cutValue(line[end:], dated[p.name])
	if !ok {
		return p, false
	}
	p.value = value
	for _, param := range params {
		name, v, _ := strings.Cut(param, "=")
		if p.params == nil {
			p.params = map[string]string{}
		}
		if len(p.params) < maxParams {
			p.params[strings.ToUpper(strings.TrimSpace(name))] = strings.Trim(strings.TrimSpace(v), `"`)
		}
	}
	if strings.EqualFold(p.params["ENCODING"], "QUOTED-PRINTABLE") { // of vCalendar 1.0
		if b, err := io.ReadAll(quotedprintable.NewReader(strings.NewReader(p.value))); err == nil {
			p.value = strings.NewReplacer("\r\n", `\n`, "\n", `\n`, "\r", `\n`).Replace(utf8Of(b))
		}
	}
	return p, true
}

// cutValue parts what follows a property's name into parameters and value. Between quotation marks, nothing ends either;
// a mark that is never closed quotes nothing.
func cutValue(s string, moment bool) (params []string, value string, ok bool) {
	if moment && !strings.Contains(s, `"`) {
		for i := strings.IndexByte(s, ':'); i >= 0; {
			first, _, _ := strings.Cut(s[i+1:min(len(s), i+1+maxStamp)], ",") // only as much as may be one: there may be many colons
			first, _, _ = strings.Cut(first, "/")
			next := strings.IndexByte(s[i+1:], ':')
			if _, ok := parseStamp(first); ok || next < 0 {
				return strings.Split(strings.TrimPrefix(s[:i], ";"), ";"), s[i+1:], true
			}
			i += 1 + next
		}
	}
	quoted, begin := false, 1
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '"':
			quoted = !quoted && strings.IndexByte(s[i+1:], '"') >= 0
		case quoted:
		case s[i] == ';' || s[i] == ':':
			if i > 0 && len(params) < maxParams {
				params = append(params, s[begin:i])
			}
			begin = i + 1
			if s[i] == ':' {
				return params, s[i+1:], true
			}
		}
	}
	return nil, "", false
}

// parse reads the components of a file, and reports whether it ended as calendars do.
func (r *reader) parse(b []byte) (calendars []*component, complete bool) {
	var stack []*component
	open := 0 // calendars begun and not ended
	drop := 0 // depth of what is too deep
	r.warn(WarnLongLine, "", lines(b, func(line string) {
		p, ok := parseLine(line)
		if !ok {
			r.warn(WarnLine, line, 1)
			return
		}
		name := strings.ToUpper(strings.TrimSpace(p.value))
		switch p.name {
		case "BEGIN":
			if len(stack) >= maxDepth {
				drop++
				return
			}
			// An event that was never ended ends where the next one begins.
			if n := len(stack); n > 0 && stack[n-1].name == name && name == "VEVENT" {
				stack = stack[:n-1]
			}
			c := &component{name: name}
			if n := len(stack); n > 0 {
				stack[n-1].within = append(stack[n-1].within, c)
			} else if name == "VCALENDAR" {
				calendars = append(calendars, c)
				open++
			}
			stack = append(stack, c)
		case "END":
			if drop > 0 {
				drop--
				return
			}
			for i := len(stack) - 1; i >= 0; i-- {
				if stack[i].name == name {
					if name == "VCALENDAR" {
						open--
					}
					stack = stack[:i]
					break
				}
			}
		default:
			if n := len(stack); n > 0 && drop == 0 && len(stack[n-1].props) < maxProps && wanted(stack[n-1].name) {
				stack[n-1].props = append(stack[n-1].props, p)
			}
		}
	}))
	return calendars, len(calendars) > 0 && open <= 0
}

// wanted reports whether anybody reads the properties of a component.
func wanted(name string) bool {
	switch name {
	case "VCALENDAR", "VEVENT", "VTIMEZONE", "STANDARD", "DAYLIGHT":
		return true
	}
	return false
}
