package directory

import (
	"errors"

	"archipel/directory/hours"
)

// MaxHours is the longest that opening hours may be, in characters.
const MaxHours = 1_000

// opening checks the opening hours: those of our entries are understood by package hours. What other instances say is theirs;
// a program that takes free text keeps it with [hours.Quote].
func (c *checker) opening(e *Entry) {
	before := len(c.problems)
	c.line("openingHours", e.OpeningHours, MaxHours)
	if e.OpeningHours == "" || e.Origin != "" || len(c.problems) > before {
		return
	}
	var wrong *hours.Error
	if _, err := hours.Parse(e.OpeningHours); errors.As(err, &wrong) {
		value := e.OpeningHours
		if runes := []rune(value); wrong.Pos < len(runes) {
			value = string(runes[wrong.Pos:]) // from where it is not understood
		}
		c.add("openingHours", CodeInvalid, map[string]any{"value": excerpt(value), "position": wrong.Pos + 1})
	}
}

func excerpt(s string) string {
	if runes := []rune(s); len(runes) > 60 {
		return string(runes[:60]) + "…"
	}
	return s
}

// sameHours returns an entry to validate instead of e, which is written over was: opening hours that were stored before there
// was a check of them, or come back with an older version, keep nobody from changing something else.
func sameHours(e, was *Entry, op Op) *Entry {
	if e.OpeningHours == "" || op != OpRevert && (was == nil || was.OpeningHours != e.OpeningHours) {
		return e
	}
	checked := *e
	checked.OpeningHours = ""
	return &checked
}

// Holidays are the public holidays where the entry is; nil where they are not known.
func (e *Entry) Holidays() hours.Holidays {
	if e.Address == nil {
		return hours.France
	}
	return hours.HolidaysOf(e.Address.Country, e.Address.PostalCode)
}

// Hours returns the opening hours with the public holidays of the place; nil when there are none, or the text is not understood.
func (e *Entry) Hours() *hours.Hours {
	if e.OpeningHours == "" {
		return nil
	}
	h, err := hours.Parse(e.OpeningHours)
	if err != nil {
		return nil
	}
	return h.With(e.Holidays())
}
