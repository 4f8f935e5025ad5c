package frontend

import (
	"slices"
	"strings"
)

// viewOf is what a phone shows first.
func viewOf(q Query) string {
	if q.View == "map" {
		return "map"
	}
	return "list"
}

func withView(q Query, view string) Query {
	if view == "list" {
		view = ""
	}
	q.View = view
	return q
}

func homeShell(v HomeView) string {
	if v.Directory == 0 {
		return "text"
	}
	return "map"
}

func territory(p Page, l *Localizer) string {
	if p.Site.Territory != "" {
		return p.Site.Territory
	}
	return l.Text("home.here")
}

func commandName(v HomeView) string {
	if v.Command != "" {
		return v.Command
	}
	return "archipel"
}

func staticAlt(l *Localizer, v HomeView) string {
	if v.Total == 0 {
		return l.Text("map.alt_empty")
	}
	return l.Plural("map.alt", v.Total)
}

func openChildren(chips []Chip) []Chip {
	var out []Chip
	for _, c := range chips {
		open := c.Selected || slices.ContainsFunc(c.Children, func(k Chip) bool { return k.Selected })
		if open {
			out = append(out, c.Children...)
		}
	}
	return out
}

// kindCode is a kind that the locale knows.
func kindCode(kind string) string {
	if slices.Contains(kinds, kind) {
		return kind
	}
	return "place"
}

func sorts(v HomeView) []string {
	if v.Sorts != nil {
		return slices.DeleteFunc(slices.Clone(v.Sorts), func(s string) bool { return !slices.Contains(knownSorts, s) })
	}
	if v.Query.Near != nil {
		return []string{"distance", "name", "updated"}
	}
	return []string{"name", "updated"}
}

// knownSorts are those with a word in the locales.
var knownSorts = []string{"relevance", "distance", "name", "updated", "start"}

func currentSort(v HomeView) string {
	if list := sorts(v); v.Query.Sort == "" && len(list) > 0 {
		return list[0]
	}
	return v.Query.Sort
}

func sorted(v HomeView, by string) Query {
	q := v.Query
	q.Sort, q.After = by, ""
	if list := sorts(v); len(list) > 0 && list[0] == by {
		q.Sort = ""
	}
	return q
}

func after(v HomeView) Query {
	q := v.Query
	q.After = v.Next
	return q
}

func suggested(v HomeView) Query {
	q := v.Query
	q.Q, q.After = v.Suggestion, ""
	return q
}

type panLink struct{ class, icon, url string }

// panLinks move and zoom the static map, each by a plain link.
func panLinks(b Bounds, q Query) []panLink {
	to := func(b Bounds) string {
		q := withView(q, "map")
		q.After, q.BBox = "", &b
		return q.URL("/")
	}
	return []panLink{
		{"zoom_in", "plus", to(b.zoomed(0.5))}, {"zoom_out", "minus", to(b.zoomed(2))},
		{"north", "arrow-up", to(b.moved(0, 0.5))}, {"south", "arrow-down", to(b.moved(0, -0.5))},
		{"west", "arrow-left", to(b.moved(-0.5, 0))}, {"east", "arrow-right", to(b.moved(0.5, 0))},
	}
}

func kindAndCategory(l *Localizer, kind string, c Category) string {
	k := l.Text("kind." + kindCode(kind))
	if c.Label == "" || strings.EqualFold(c.Label, k) {
		return k
	}
	return k + " – " + c.Label
}

func cardPosition(c Card) string {
	if c.Position == nil {
		return ""
	}
	return coordinate(c.Position.Lon, 5) + "," + coordinate(c.Position.Lat, 5)
}

func offState(status string) bool {
	return status == "cancelled" || status == "closed" || status == "ended"
}

// aliveLine is one thing said about a living entry.
type aliveLine struct{ tone, icon, text string }

func aliveLines(p Page, l *Localizer, a Alive) []aliveLine {
	var out []aliveLine
	switch a.Status {
	case "":
	case "cancelled", "closed":
		out = append(out, aliveLine{"coral", "calendar-x", l.Text("status." + a.Status)})
	case "postponed", "rescheduled", "movedOnline", "tentative", "ended":
		out = append(out, aliveLine{"sun", "circle-alert", l.Text("status." + a.Status)})
	}
	switch {
	case a.Open == Open && !a.Until.IsZero() && days(a.Until) == days(p.Now.In(a.Until.Location())):
		out = append(out, aliveLine{"leaf now", "clock", l.Text("open.until", "Time", l.Clock(a.Until))})
	case a.Open == Open:
		out = append(out, aliveLine{"leaf now", "clock", l.Text("open.now")})
	case a.Open == Closed && !a.Until.IsZero():
		out = append(out, aliveLine{"now", "clock", l.Text("open.closed_until", "When", l.Day(a.Until, p.Now)+", "+l.Clock(a.Until))})
	case a.Open == Closed:
		out = append(out, aliveLine{"now", "clock", l.Text("open.closed")})
	}
	if a.Next != nil {
		when := l.When(*a.Next, p.Now)
		if a.Next.Name != "" {
			when = l.Text("next.named", "When", when, "Name", shorten(a.Next.Name, 70))
		} else {
			when = capital(when)
		}
		out = append(out, aliveLine{"date", "calendar", when})
	}
	switch {
	case a.Stale && !a.Seen.IsZero():
		out = append(out, aliveLine{"sun", "history", l.Text("checked.stale", "Age", l.Span(a.Seen, p.Now))})
	case a.Checked.IsZero():
	default:
		out = append(out, aliveLine{"soft", "check", l.Text("checked.on", "Age", l.Age(a.Checked, p.Now))})
	}
	return out
}

func capital(s string) string {
	r := []rune(s)
	if len(r) == 0 {
		return s
	}
	return strings.ToUpper(string(r[0])) + string(r[1:])
}

func joinNonEmpty(sep string, parts ...string) string {
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), sep)
}

func importExample(l *Localizer, command, data string) string {
	file := l.Text("first.file") + ".csv"
	return command + " import" + data + " -dry-run " + file + "\n" + command + " import" + data + ` -source "` + l.Text("first.source") + `" -licence etalab-2.0 ` + file
}

// dataFlag leads a command to the data that this server reads, where that is not where it looks by itself.
func dataFlag(dir string) string {
	switch {
	case dir == "" || dir == "./data" || dir == "data":
		return ""
	case strings.ContainsAny(dir, " '\"$\\;&|<>()*?#~"):
		return " -data '" + strings.ReplaceAll(dir, "'", `'\''`) + "'"
	}
	return " -data " + dir
}
