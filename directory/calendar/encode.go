package calendar

import (
	"bufio"
	"io"
	"strings"
	"time"
	"unicode/utf8"
)

// encoder writes content lines (RFC 5545, section 3.1). The first error sticks.
type encoder struct {
	w   *bufio.Writer
	err error
}

func newEncoder(w io.Writer) *encoder { return &encoder{w: bufio.NewWriter(w)} }

// line writes a property whose value is in its form already. name may have parameters. What cannot be in a line, such as
// a line break, is left out, so that no value can begin a line of its own.
func (e *encoder) line(name, value string) {
	if e.err != nil {
		return
	}
	s := printable(name + ":" + value)
	// A line has 75 octets at most, without its end; a folded one begins with a space. No character is cut in two.
	room := 75
	for len(s) > room {
		cut := room
		for !utf8.RuneStart(s[cut]) {
			cut--
		}
		e.write(s[:cut] + "\r\n ")
		s, room = s[cut:], 74
	}
	e.write(s + "\r\n")
}

func (e *encoder) write(s string) {
	if _, err := e.w.WriteString(s); err != nil && e.err == nil {
		e.err = err
	}
}

// text writes a property of type TEXT, unless it is empty.
func (e *encoder) text(name, value string) {
	if value != "" {
		e.line(name, escape(value))
	}
}

var escaper = strings.NewReplacer(`\`, `\\`, ";", `\;`, ",", `\,`, "\r\n", `\n`, "\n", `\n`, "\r", `\n`, "\u2028", `\n`, "\u2029", `\n`)

// escape writes text as a value of type TEXT (RFC 5545, section 3.3.11).
func escape(s string) string { return escaper.Replace(s) }

// printable leaves out the characters that no line may have.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < 0x20 && r != '\t' || r == 0x7f || r == utf8.RuneError {
			return -1
		}
		return r
	}, s)
}

// quoted is a parameter's value between quotation marks, which it cannot contain.
func quoted(s string) string {
	return `"` + strings.ReplaceAll(printable(strings.ReplaceAll(s, "\n", " ")), `"`, "'") + `"`
}

const (
	utcForm   = "20060102T150405Z"
	localForm = "20060102T150405"
	dateForm  = "20060102"
)

func utc(t time.Time) string { return t.UTC().Format(utcForm) }
