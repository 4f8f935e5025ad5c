package api

import (
	"cmp"
	"fmt"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"archipel/directory"
	"archipel/directory/hours"
	"archipel/frontend"

	"github.com/gofiber/fiber/v2"
)

// Opening hours have an editor on the form: nothing, a week, around the clock, or the text in OpenStreetMap's syntax. Its
// fields all begin with "hours."; "hours.was" is the text that stands, which stays to the letter as long as the editor says
// the same.

const dayMinutes = 24 * 60

// maxHoursComment is the longest comment, in characters. The text repeats it for each group of days.
const maxHoursComment = 120

// hoursOf puts opening hours into the editor of a form: a table where one says exactly the same, else the text.
func hoursOf(v url.Values, text string) {
	text = strings.TrimSpace(text)
	v.Set("hours.was", text)
	v.Set("openingHours", text)
	if text == "" {
		v.Set("hours.mode", "none")
		return
	}
	h, err := hours.Parse(text)
	if err != nil {
		v.Set("hours.mode", "text")
		return
	}
	t, ok := h.Table()
	switch {
	case !ok:
		v.Set("hours.mode", "text")
		return
	case t.Always() && t.Comment == "":
		v.Set("hours.mode", "always")
		return
	}
	v.Set("hours.mode", "table")
	for i, row := range frontend.HoursRows {
		spans := t.HolidayHours
		if i < 7 {
			if spans = t.Week[i]; len(spans) == 0 {
				v.Set("hours."+row+".closed", "1")
			}
		}
		for j, s := range spans {
			v.Set(frontend.HoursField(row, j, "from"), clockOf(s.From))
			v.Set(frontend.HoursField(row, j, "to"), clockOf(s.To))
		}
	}
	v.Set("hours.holidays", []string{"usual", "closed", "own"}[t.Holidays])
	if t.From != 0 {
		v.Set("hours.season.from", strconv.Itoa(int(t.From)))
		v.Set("hours.season.to", strconv.Itoa(int(t.To)))
	}
	v.Set("hours.comment", t.Comment)
}

func clockOf(minutes int) string {
	return fmt.Sprintf("%02d:%02d", minutes/60%24, minutes%60)
}

// hoursFrom reads the editor: the text that it stands for, and what is wrong by the row that it stands in.
func hoursFrom(v url.Values) (string, directory.Invalid) {
	switch v.Get("hours.mode") {
	case "always":
		return asItWas(v, func(t *hours.Table) bool { return t.Always() && t.Comment == "" }, "24/7"), nil
	case "text":
		text := strings.TrimSpace(v.Get("openingHours"))
		if _, err := hours.Parse(text); text != "" && err != nil && text != v.Get("hours.was") {
			return text, invalidParam("openingHours", directory.CodeInvalid, text)
		}
		return text, nil
	case "table":
		t, problems := tableFrom(v)
		if len(problems) > 0 {
			return "", problems
		}
		text := t.String()
		h, err := hours.Parse(text)
		if err != nil || len([]rune(text)) > directory.MaxHours {
			return "", directory.Invalid{{Field: "hours.comment", Code: "hours_long"}}
		}
		if read, ok := h.Table(); ok {
			t = read // times that touch are one
		}
		return asItWas(v, func(was *hours.Table) bool { return reflect.DeepEqual(*was, t) }, text), nil
	}
	return "", nil
}

// asItWas is the text that stands when it says the same, else the new one.
func asItWas(v url.Values, same func(*hours.Table) bool, text string) string {
	was := v.Get("hours.was")
	if h, err := hours.Parse(was); err == nil {
		if t, ok := h.Table(); ok && same(&t) {
			return was
		}
	}
	return text
}

// tableFrom reads the table of the editor.
func tableFrom(v url.Values) (t hours.Table, problems directory.Invalid) {
	add := func(field, code string, params map[string]any) {
		problems = append(problems, directory.Problem{Field: field, Code: code, Params: params})
	}
	for i, row := range frontend.HoursRows {
		if i == 7 && v.Get("hours.holidays") != "own" {
			break
		}
		spans, problem := rowFrom(v, row)
		switch {
		case problem != nil:
			problems = append(problems, *problem)
		case i == 7:
			t.HolidayHours = spans
		case v.Get("hours."+row+".closed") != "" && len(spans) > 0:
			add("hours."+row, "hours_closed", nil)
		default:
			t.Week[i] = spans
		}
	}
	for i, spans := range t.Week {
		n := len(spans)
		if next := t.Week[(i+1)%7]; n > 0 && len(next) > 0 && spans[n-1].To-dayMinutes > next[0].From {
			add("hours."+frontend.HoursRows[i], "hours_next_day", nil)
		}
	}
	switch v.Get("hours.holidays") {
	case "closed":
		t.Holidays = hours.AllClosed
	case "own":
		t.Holidays = hours.OwnHours
		if len(t.HolidayHours) == 0 && len(problems) == 0 {
			add("hours.ph", "hours_empty", nil)
		}
	}
	from, to := monthFrom(v.Get("hours.season.from")), monthFrom(v.Get("hours.season.to"))
	switch {
	case (from == 0) != (to == 0):
		add("hours.season", "hours_season", nil)
	case from != to%12+1: // else it is the whole year
		t.From, t.To = from, to
	}
	t.Comment = strings.Join(strings.Fields(strings.ReplaceAll(v.Get("hours.comment"), `"`, "'")), " ")
	if n := len([]rune(t.Comment)); n > maxHoursComment {
		add("hours.comment", directory.CodeTooLong, map[string]any{"max": maxHoursComment, "got": n})
	}
	if len(problems) == 0 && t.Empty() {
		add("hours", "hours_empty", nil)
	}
	return t, problems
}

func monthFrom(s string) time.Month {
	if n, err := strconv.Atoi(s); err == nil && n >= 1 && n <= 12 {
		return time.Month(n)
	}
	return 0
}

// rowFrom reads the times of a day, in their order. An end that is not after its start is on the next day.
func rowFrom(v url.Values, row string) ([]hours.Span, *directory.Problem) {
	field := "hours." + row
	var spans []hours.Span
	for j := range hours.MaxRanges {
		from, to := strings.TrimSpace(v.Get(frontend.HoursField(row, j, "from"))), strings.TrimSpace(v.Get(frontend.HoursField(row, j, "to")))
		if from == "" && to == "" {
			continue
		}
		if from == "" || to == "" {
			return nil, &directory.Problem{Field: field, Code: "hours_half"}
		}
		var s hours.Span
		var okFrom, okTo bool
		s.From, okFrom = clockFrom(from)
		s.To, okTo = clockFrom(to)
		s.State = hours.Open
		switch {
		case !okFrom || s.From == dayMinutes:
			return nil, &directory.Problem{Field: field, Code: "hours_time", Params: map[string]any{"value": from}}
		case !okTo:
			return nil, &directory.Problem{Field: field, Code: "hours_time", Params: map[string]any{"value": to}}
		case s.From == s.To && s.From != 0:
			return nil, &directory.Problem{Field: field, Code: "hours_same", Params: map[string]any{"value": from}}
		case s.To <= s.From:
			s.To += dayMinutes
		}
		spans = append(spans, s)
	}
	slices.SortFunc(spans, func(a, b hours.Span) int { return cmp.Compare(a.From, b.From) })
	var out []hours.Span
	for _, s := range spans {
		switch n := len(out); {
		case n > 0 && s.From < out[n-1].To:
			return nil, &directory.Problem{Field: field, Code: "hours_overlap"}
		case n > 0 && s.From == out[n-1].To:
			out[n-1].To = s.To
		default:
			out = append(out, s)
		}
	}
	if n := len(out); n > 0 && out[n-1].To-out[0].From > dayMinutes {
		return nil, &directory.Problem{Field: field, Code: "hours_overlap"}
	}
	return out, nil
}

var clockForm = regexp.MustCompile(`(?i)^(\d{1,2})\s*(?:[h:.]\s*(\d{2})?)?$`)

// clockFrom reads a time of day as people type it, in minutes: 9:00, 9h30, 9h, 09.30, 24:00.
func clockFrom(s string) (minutes int, ok bool) {
	m := clockForm.FindStringSubmatch(strings.TrimSpace(s))
	if m == nil {
		return 0, false
	}
	h, _ := strconv.Atoi(m[1])
	n, _ := strconv.Atoi("0" + m[2])
	return h*60 + n, n < 60 && (h < 24 || h == 24 && n == 0)
}

// copyMonday copies what Monday's row holds to the next days: the working week, or all.
func copyMonday(v url.Values, days int) {
	for _, row := range frontend.HoursRows[1 : 1+days] {
		for _, name := range frontend.HoursNames("mo") {
			to := strings.Replace(name, "hours.mo.", "hours."+row+".", 1)
			if v.Get(name) == "" {
				v.Del(to)
			} else {
				v.Set(to, v.Get(name))
			}
		}
	}
}

func hoursKey(key string) bool { return strings.HasPrefix(key, "hours.") || key == "openingHours" }

// mergeHours settles the editor when somebody else saved meanwhile: its fields belong together. Where they say what stood
// before, they become those that stand now.
func mergeHours(typed, before, now url.Values) {
	if text, problems := hoursFrom(typed); len(problems) > 0 || text != before.Get("openingHours") {
		return
	}
	for key := range typed {
		if hoursKey(key) {
			typed.Del(key)
		}
	}
	for key, list := range now {
		if hoursKey(key) {
			typed[key] = slices.Clone(list)
		}
	}
}

// hoursView says in words what the editor holds; nothing while something is wrong with it.
func (s *Server) hoursView(values url.Values, lang string) *frontend.HoursView {
	text, problems := hoursFrom(values)
	if text == "" || len(problems) > 0 {
		return nil
	}
	h, err := hours.Parse(text)
	if err != nil {
		return &frontend.HoursView{Text: text}
	}
	words := frontend.T(lang)
	v := &frontend.HoursView{Text: text}
	t, ok := h.Table()
	if !ok {
		v.ThisWeek = true
		v.Lines = weekLines(words, h.Week(s.Now().In(s.zone())))
		return v
	}
	switch {
	case t.Always():
		v.Lines = []frontend.HoursLine{{Times: words.Text("hours_edit.always")}}
	case !slices.ContainsFunc(t.Week[:], func(s []hours.Span) bool { return len(s) > 0 }): // a comment, or holidays alone
	default:
		v.Lines = weekLines(words, t.Week)
	}
	switch t.Holidays {
	case hours.AllClosed:
		v.Lines = append(v.Lines, frontend.HoursLine{Days: words.Text("hours_edit.ph"), Times: words.Text("hours_edit.closed_times")})
	case hours.OwnHours:
		v.Lines = append(v.Lines, frontend.HoursLine{Days: words.Text("hours_edit.ph"), Times: spansText(words, t.HolidayHours)})
	}
	if t.From != 0 {
		from, to := words.Text(fmt.Sprint("date.month_", int(t.From))), words.Text(fmt.Sprint("date.month_", int(t.To)))
		if v.Season = from; from != to {
			v.Season = words.Text("hours_edit.season_words", "From", from, "To", to)
		}
	}
	v.Comment = t.Comment
	return v
}

// weekLines writes a week by the days that are alike.
func weekLines(words *frontend.Localizer, week [7][]hours.Span) []frontend.HoursLine {
	var lines []frontend.HoursLine
	for i := 0; i < 7; {
		j := i + 1
		for j < 7 && slices.Equal(week[j], week[i]) {
			j++
		}
		from, to := words.Weekday(time.Weekday((i+1)%7)), words.Weekday(time.Weekday(j%7))
		line := frontend.HoursLine{Days: from, Times: spansText(words, week[i])}
		switch j - i {
		case 1:
		case 2:
			line.Days = words.Text("hours_edit.two_days", "From", from, "To", to)
		default:
			line.Days = words.Text("hours_edit.days", "From", from, "To", to)
		}
		lines = append(lines, line)
		i = j
	}
	return lines
}

func spansText(words *frontend.Localizer, spans []hours.Span) string {
	if len(spans) == 0 {
		return words.Text("hours_edit.closed_times")
	}
	times := make([]string, len(spans))
	for i, one := range spans {
		times[i] = span(words, one)
	}
	return strings.Join(times, ", ")
}

// hoursFragment says in words what the editor holds while it is filled in, for the island.
func (s *Server) hoursFragment(c *fiber.Ctx) error {
	v, err := values(c)
	if err != nil {
		return err
	}
	p := s.page(c, "")
	c.Set(fiber.HeaderCacheControl, "private, no-store")
	return s.render(c, frontend.HoursPreview(p, s.hoursView(v, p.Lang)))
}
