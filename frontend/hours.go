package frontend

import (
	"fmt"
	"github.com/a-h/templ"
	"regexp"
	"time"
)

// HoursRows are the rows of the week in the editor of opening hours, Monday first, and that of public holidays.
var HoursRows = []string{"mo", "tu", "we", "th", "fr", "sa", "su", "ph"}

// hoursRanges is how many times a day has in the editor.
const hoursRanges = 3

// HoursField is the name of a field of the editor: where is from or to.
func HoursField(row string, i int, where string) string {
	return fmt.Sprintf("hours.%s.%d.%s", row, i, where)
}

// HoursNames are the names of all fields of a row.
func HoursNames(row string) []string {
	names := []string{"hours." + row + ".closed"}
	for i := range hoursRanges {
		names = append(names, HoursField(row, i, "from"), HoursField(row, i, "to"))
	}
	return names
}

// HoursView says in words what the editor of opening hours holds.
type HoursView struct {
	Text     string // in OpenStreetMap's syntax
	ThisWeek bool   // the lines are those of the present week: it may be another one in another
	Lines    []HoursLine
	Season   string
	Comment  string
}

// HoursLine is days that are alike, and their times. Days is empty when it is about every day.
type HoursLine struct{ Days, Times string }

func hoursMode(f EntryForm) string {
	switch mode := f.get("hours.mode"); mode {
	case "table", "always", "text":
		return mode
	}
	return "none"
}

// hoursRowName is a weekday, or public holidays.
func hoursRowName(l *Localizer, i int) string {
	if i == 7 {
		return capital(l.Text("hours_edit.ph"))
	}
	return capital(l.Weekday(time.Weekday((i + 1) % 7)))
}

func hoursMonth(l *Localizer, month int) string {
	return l.Text("date.month_" + fmt.Sprint(month))
}

var timeForm = regexp.MustCompile(`^$|^([01]\d|2[0-3]):[0-5]\d$`)

// hoursInput is the type of a field for a time. What was typed and is no time is shown as it was typed, which a field for
// times would not do.
func hoursInput(value string) string {
	if timeForm.MatchString(value) {
		return "time"
	}
	return "text"
}

// moreRanges reports whether the ranges of a row beyond the second are in use.
func moreRanges(f EntryForm, row string) bool {
	return f.get(HoursField(row, 2, "from"))+f.get(HoursField(row, 2, "to")) != ""
}

// hoursInvalid marks the fields of a part of the editor that is wrong, and ties them to what is said about it.
func hoursInvalid(f EntryForm, name string) templ.Attributes {
	if len(f.problems(name)) == 0 {
		return nil
	}
	return templ.Attributes{"aria-invalid": "true", "aria-describedby": postingID(name) + "-error"}
}
