package ical

import (
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// unescape reads a value of type TEXT (RFC 5545, section 3.3.11). A backslash before anything else is one.
func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var out strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			out.WriteByte(s[i])
			continue
		}
		i++
		switch s[i] {
		case 'n', 'N':
			out.WriteByte('\n')
		case '\\', ',', ';', ':', '"':
			out.WriteByte(s[i])
		default:
			out.WriteByte('\\')
			out.WriteByte(s[i])
		}
	}
	return out.String()
}

// splitList parts a value at commas that are not escaped.
func splitList(s string) []string {
	var out []string
	begin := 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case ',':
			out = append(out, s[begin:i])
			begin = i + 1
		}
	}
	return append(out, s[begin:])
}

// readable keeps the characters that an entry may have; lines says whether line breaks are among them.
func readable(s string, lines bool) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			if !lines {
				return ' '
			}
			return r
		case r == utf8.RuneError || unicode.IsControl(r) || r >= '\u202a' && r <= '\u202e' || r >= '\u2066' && r <= '\u2069' || r == '\ufeff':
			return -1
		}
		return r
	}, s)
}

// oneLine is text on one line, of at most n characters.
func oneLine(s string, n int) string {
	s = strings.Join(strings.Fields(readable(s, false)), " ")
	return shortened(s, n)
}

// shortened cuts a text that is too long, at a word when one ends near. It counts in the form that is kept (see
// [directory.Normalize]), where some characters are several.
func shortened(s string, n int) string {
	s = norm.NFC.String(s)
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	cut := string([]rune(s)[:n-1])
	if i := strings.LastIndexAny(cut, " \n"); i > len(cut)*3/4 {
		cut = cut[:i]
	}
	return strings.TrimRight(cut, " \n") + "…"
}

var durationForm = regexp.MustCompile(`^([+-])?P(?:(\d{1,6})W)?(?:(\d{1,6})D)?(?:T(?:(\d{1,6})H)?(?:(\d{1,7})M)?(?:(\d{1,8})S)?)?$`)

// duration is a value of type DURATION (RFC 5545, section 3.3.6), days and the rest apart: a day is not always 24 hours.
func duration(s string) (days int, rest time.Duration, ok bool) {
	m := durationForm.FindStringSubmatch(strings.ToUpper(strings.TrimSpace(s)))
	if m == nil || m[1] == "-" {
		return 0, 0, false
	}
	n := func(i int) int {
		v, _ := strconv.Atoi(m[i]) // digits only, or nothing
		return v
	}
	days = 7*n(2) + n(3)
	rest = time.Duration(n(4))*time.Hour + time.Duration(n(5))*time.Minute + time.Duration(n(6))*time.Second
	return days, rest, days > 0 || rest > 0
}

// stamp is a moment as a calendar writes it, before its zone is known.
type stamp struct {
	clock time.Time // what clocks show, as if it were UTC
	day   bool      // a whole day
	utc   bool
}

// maxStamp is how long a moment may be, with spaces around it.
const maxStamp = 60

// parseStamp reads a DATE or a DATE-TIME, also with the hyphens and colons of ISO 8601, and with an offset.
func parseStamp(s string) (stamp, bool) {
	if s = strings.TrimSpace(s); len(s) > 40 {
		return stamp{}, false
	}
	s = strings.ToUpper(s)
	for _, form := range []string{"20060102T150405Z", "20060102T1504Z", "2006-01-02T15:04:05Z"} {
		if t, err := time.Parse(form, s); err == nil {
			return stamp{clock: t, utc: true}, inRange(t)
		}
	}
	for _, form := range []string{"20060102T150405Z0700", "2006-01-02T15:04:05Z07:00"} {
		if t, err := time.Parse(form, s); err == nil {
			return stamp{clock: t.UTC(), utc: true}, inRange(t)
		}
	}
	for _, form := range []string{"20060102T150405", "20060102T1504", "2006-01-02T15:04:05", "2006-01-02T15:04"} {
		if t, err := time.Parse(form, s); err == nil {
			return stamp{clock: t}, inRange(t)
		}
	}
	for _, form := range []string{"20060102", "2006-01-02"} {
		if t, err := time.Parse(form, s); err == nil {
			return stamp{clock: t, day: true}, inRange(t)
		}
	}
	return stamp{}, false
}

// inRange reports whether an entry may have a moment, wherever its clock is, and whatever lasts until the next day.
func inRange(t time.Time) bool { return t.Year() >= 1900 && t.Year() < 2200 }

// in is the moment by the clocks of a place, the later one where they skip it.
func (s stamp) in(loc *time.Location) time.Time {
	if s.utc {
		return s.clock
	}
	c := s.clock
	return time.Date(c.Year(), c.Month(), c.Day(), c.Hour(), c.Minute(), c.Second(), 0, loc)
}
