package frontend

import (
	"net/url"
	"strings"

	"github.com/a-h/templ"
)

// alternate is the same content in another format.
type alternate struct{ mime, title, url string }

func pageTitle(p Page) string {
	if p.Title == "" {
		if p.Site.Tagline != "" {
			return p.Site.Name + " – " + p.Site.Tagline
		}
		return p.Site.Name
	}
	return p.Title + " – " + p.Site.Name
}

func shareTitle(p Page) string {
	if p.Title == "" {
		return p.Site.Name
	}
	return p.Title
}

// direction is the writing direction of a language.
func direction(lang string) string {
	base, _, _ := strings.Cut(lang, "-")
	switch base {
	case "ar", "dv", "fa", "ckb", "he", "ps", "sd", "ug", "ur", "yi":
		return "rtl"
	}
	return "ltr"
}

// themeURL is the stylesheet of an operator's accent, empty for the default colours.
func themeURL(accent string) string {
	c, ok := parseColour(accent)
	if !ok {
		return ""
	}
	return "/static/theme-" + c.String()[1:] + ".css"
}

// lightURL is this page with the live map refused ("1") or welcome again ("0").
func lightURL(p Page, value string) templ.SafeURL {
	u, err := url.Parse(string(languageURL(p, "")))
	if err != nil {
		return "/"
	}
	v := u.Query()
	v.Del("lang")
	v.Set("light", value)
	u.RawQuery = v.Encode()
	return templ.SafeURL(u.String())
}

// entryAlternates are the news of an entry, and its dates.
func entryAlternates(l *Localizer, v EntryView) []alternate {
	out := []alternate{
		{"application/atom+xml", l.Text("export.atom"), EntryURL(v.Slug) + ".atom"},
		{"application/rss+xml", "RSS", EntryURL(v.Slug) + ".rss"},
	}
	if v.Event != nil || v.hasDates() {
		out = append(out, alternate{"text/calendar", l.Text("agenda.add"), CalendarURL(v.Slug)})
	}
	return out
}

func listAlternates(l *Localizer, q Query) []alternate {
	return []alternate{
		{"application/atom+xml", l.Text("export.atom"), ExportURL(q, "atom")},
		{"application/rss+xml", "RSS", ExportURL(q, "rss")},
		{"application/geo+json", "GeoJSON", ExportURL(q, "geojson")},
		{"application/ld+json", "JSON-LD", ExportURL(q, "jsonld")},
		{"text/csv", "CSV", ExportURL(q, "csv")},
	}
}
