package api

import (
	"regexp"
	"slices"
	"strings"
	"time"

	"archipel/frontend"

	"golang.org/x/text/language"
	"golang.org/x/text/language/display"
)

// fieldsOfTime are the fields of the public form that hold instants.
var fieldsOfTime = []string{"event.start", "event.end", "event.exdates", "event.rdates", "event.overrides", "checked", "claimed"}

// writtenTime is a time as the public form has it (RFC 3339).
var writtenTime = regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)`)

// readable writes the values of fields as people do: times on the clocks of the site, rules of recurrence in words,
// categories, languages and countries by their names. Two values that would read the same stay as they are.
func (p presenter) readable(fields []frontend.FieldChange) []frontend.FieldChange {
	out := slices.Clone(fields)
	for i, f := range out {
		before, after := p.readableValue(f.Field, f.Old), p.readableValue(f.Field, f.New)
		if before != after {
			out[i].Old, out[i].New = before, after
		}
	}
	return out
}

func (p presenter) readableValue(field, value string) string {
	switch {
	case value == "":
		return ""
	case slices.Contains(fieldsOfTime, field):
		return writtenTime.ReplaceAllStringFunc(value, func(s string) string {
			t, err := time.Parse(time.RFC3339, s)
			if err != nil {
				return s
			}
			return frontend.T(p.lang).Stamp(t.In(p.zone))
		})
	case field == "event.rrule":
		rule, more, _ := strings.Cut(value, "\n")
		said := frontend.T(p.lang).Recurrence(rule, p.now)
		if said == "" || more != "" || !strings.Contains(rule, "BY") && !strings.Contains(rule, "DAILY") && !strings.Contains(rule, "YEARLY") {
			return value // the day would be that of the start, which is not at hand
		}
		return said
	case field == "categories":
		return eachLine(value, func(id string) string { return p.category(id).Label })
	case field == "lang" || field == "event.languages":
		namer := display.Languages(language.Make(p.lang))
		return eachLine(value, func(code string) string {
			tag, err := language.Parse(code)
			if err != nil {
				return code
			}
			return nameOr(namer.Name(tag), code)
		})
	case field == "address.addressCountry":
		region, err := language.ParseRegion(value)
		if err != nil {
			return value
		}
		return nameOr(display.Regions(language.Make(p.lang)).Name(region), value)
	}
	return value
}

func nameOr(name, code string) string {
	if name == "" {
		return code
	}
	return name
}

func eachLine(text string, name func(string) string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		lines[i] = name(line)
	}
	return strings.Join(lines, "\n")
}
