package frontend

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/a-h/templ"
)

// EntryURL is the path of an entry's page.
func EntryURL(slug string) string { return "/e/" + url.PathEscape(slug) }

// HistoryURL is the path of an entry's history.
func HistoryURL(slug string) string { return EntryURL(slug) + "/history" }

// EntryMapURL is the path of the static map of one entry.
func EntryMapURL(slug string, width, height int) string {
	return fmt.Sprintf("%s/map.png?h=%d&w=%d", EntryURL(slug), height, width)
}

// StaticMapURL is the path of the static map of a list: the whole query, so
// that its numbers are those of the page's cards, and the size in pixels.
func StaticMapURL(q Query, width, height int) string {
	q.View, q.Lang, q.Place = "", "", ""
	v := q.Values()
	v.Set("w", fmt.Sprint(width))
	v.Set("h", fmt.Sprint(height))
	v.Set("numbers", "1")
	return "/map.png?" + v.Encode()
}

// TilesURL is the template of the tiles that show a query's entries: its
// filters without the box, which the tiles are themselves.
func TilesURL(q Query) string {
	q = q.Filters()
	q.BBox, q.Place = nil, ""
	if q.Radius == 0 {
		q.Near = nil // only sorts
	}
	return q.URL("/tiles/entries/{z}/{x}/{y}.mvt")
}

// ExportURL is the path of a list in another format: geojson, csv, jsonld, atom, rss or ics.
func ExportURL(q Query, format string) string {
	q = q.Filters()
	q.Place = ""
	return q.URL("/entries." + format)
}

// withParam is a URL of ours with one more parameter.
func withParam(u, key, value string) string {
	sep := "?"
	if strings.Contains(u, "?") {
		sep = "&"
	}
	return u + sep + url.Values{key: {value}}.Encode()
}

// activeFilter is something that narrows the list, and the list without it.
type activeFilter struct{ Label, URL, key, value string }

func activeFilters(l *Localizer, v HomeView) []activeFilter {
	var out []activeFilter
	q := v.Query
	add := func(key, value, label string) {
		out = append(out, activeFilter{label, q.Without(key, value).URL("/"), key, value})
	}
	if q.Q != "" {
		add("q", "", l.Text("filter.words", "Words", shorten(q.Q, 60)))
	}
	for _, k := range q.Kinds {
		add("kind", k, l.Code("kind", k))
	}
	for _, c := range q.Categories {
		add("category", c, categoryLabel(v, c))
	}
	for _, t := range q.Tags {
		add("tag", t, "#"+shorten(t, 40))
	}
	if q.Near != nil {
		label := l.Text("filter.near_point")
		if q.Place != "" {
			label = l.Text("filter.near", "Place", shorten(q.Place, 40))
		}
		if q.Radius > 0 {
			label += " (" + l.Distance(q.Radius) + ")"
		}
		add("near", "", label)
	}
	if q.Zone != "" {
		label := q.Zone
		if s, ok := v.Labels[q.Zone]; ok {
			label = s
		}
		add("zone", "", label)
	}
	if q.BBox != nil {
		add("bbox", "", l.Text("filter.area"))
	}
	if q.Datetime != "" {
		add("datetime", "", l.Text("filter.dates", "Dates", shorten(l.Code("dates", q.Datetime), 50)))
	}
	if q.OpenAt == "now" {
		add("open_at", "", l.Text("filter.open_now"))
	} else if q.OpenAt != "" {
		add("open_at", "", l.Text("filter.open_at", "When", shorten(q.OpenAt, 40)))
	}
	if q.Only != "" {
		add("only", "", l.Text("isle.only"))
	}
	return out
}

func categoryLabel(v HomeView, id string) string {
	if s, ok := v.Labels[id]; ok {
		return s
	}
	var find func([]Chip) string
	find = func(chips []Chip) string {
		for _, c := range chips {
			if c.ID == id {
				return c.Label
			}
			if s := find(c.Children); s != "" {
				return s
			}
		}
		return ""
	}
	if s := find(v.Categories); s != "" {
		return s
	}
	return id
}

// hidden are the inputs that keep the other filters when the search form is sent.
func hidden(q Query) [][2]string {
	q.Q, q.After = "", ""
	values := q.Values()
	keys := make([]string, 0, len(values))
	for key := range values {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	var out [][2]string
	for _, key := range keys {
		for _, v := range values[key] {
			out = append(out, [2]string{key, v})
		}
	}
	return out
}

// languageURL is this page in another language.
func languageURL(p Page, lang string) templ.SafeURL {
	u, err := url.Parse(p.Path)
	if err != nil || !strings.HasPrefix(p.Path, "/") || strings.HasPrefix(p.Path, "//") {
		u = &url.URL{Path: "/"}
	}
	v := u.Query()
	v.Set("lang", lang)
	v.Del("fragment")
	return templ.SafeURL((&url.URL{Path: u.Path, RawPath: u.RawPath, RawQuery: v.Encode()}).String())
}

// safeLink is a URL that may be drawn as a link, or empty: only the schemes that lead somewhere harmless.
func safeLink(s string) templ.SafeURL {
	u, err := url.Parse(strings.TrimSpace(s))
	if err != nil {
		return ""
	}
	switch strings.ToLower(u.Scheme) {
	case "http", "https":
		if u.Host == "" {
			return ""
		}
	case "mailto", "tel", "geo", "xmpp":
	case "":
		if !strings.HasPrefix(u.Path, "/") || u.Host != "" || strings.HasPrefix(s, "//") || strings.HasPrefix(s, "/\\") {
			return ""
		}
	default:
		return ""
	}
	return templ.SafeURL(u.String())
}

// shortLink is a URL as people say it: without scheme, www and a lone slash.
func shortLink(s string) string {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" {
		return shorten(s, 48)
	}
	return shorten(strings.TrimSuffix(strings.TrimPrefix(u.Host, "www.")+u.Path, "/"), 48)
}

// telLink is the tel: URL of a phone number as people write it.
func telLink(s string) templ.SafeURL {
	keep := func(r rune) rune {
		if r >= '0' && r <= '9' || r == '+' {
			return r
		}
		return -1
	}
	return templ.SafeURL("tel:" + strings.Map(keep, s))
}

func geoLink(p Position) templ.SafeURL {
	at := coordinate(p.Lat, 6) + "," + coordinate(p.Lon, 6) // RFC 5870: latitude first
	return templ.SafeURL("geo:" + at + "?q=" + at)
}

func osmLink(p Position) templ.SafeURL {
	lat, lon := coordinate(p.Lat, 6), coordinate(p.Lon, 6)
	zoom := "18"
	if p.Approximate {
		zoom = "14"
	}
	return templ.SafeURL("https://www.openstreetmap.org/?mlat=" + lat + "&mlon=" + lon + "#map=" + zoom + "/" + lat + "/" + lon)
}

func routeLink(p Position) templ.SafeURL {
	return templ.SafeURL("https://www.openstreetmap.org/directions?to=" + coordinate(p.Lat, 6) + "%2C" + coordinate(p.Lon, 6))
}

func reportLink(p Page, slug string) templ.SafeURL {
	return safeLink(strings.ReplaceAll(p.Site.ReportURL, "{slug}", url.PathEscape(slug)))
}

// absolute is path on this site for programs elsewhere.
func absolute(p Page, path string) string {
	if strings.HasPrefix(path, "/") && !strings.HasPrefix(path, "//") {
		return p.Site.PublicURL + path
	}
	return path
}

// lines are the lines of a postal address, empty ones left out.
func (a Address) lines() []string {
	town := strings.TrimSpace(a.PostalCode + " " + a.Town)
	var out []string
	country := a.Country
	if len(country) == 2 {
		country = "" // a code is for programs; who writes to another country gives its name
	}
	for _, s := range []string{a.Street, town, a.Region, country} {
		if s = strings.TrimSpace(s); s != "" {
			out = append(out, s)
		}
	}
	return out
}
