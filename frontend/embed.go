package frontend

import (
	"fmt"
	"html"
	"net/url"
	"strings"

	"github.com/a-h/templ"
)

// EmbedView is a list on its own, for a frame on somebody else's site.
type EmbedView struct {
	Query  Query
	View   string // one of [EmbedViews]
	Theme  string // one of [EmbedThemes]
	Cards  []Card
	Total  int
	Next   string      // value of "after" for the next page of a list; empty on the last
	Agenda *AgendaView // of the view agenda
	Map    MapView

	Sources []Credit // the largest sources of the directory
}

// EmbedNewView is the page that makes the snippet.
type EmbedNewView struct {
	Query         Query
	View          string
	Theme         string
	Lang          string // of the frame; empty: the reader's
	Width, Height int    // of the frame in pixels; no width: all there is
	Labels        map[string]string
}

// The choices of an embedded list, the usual one first.
var (
	EmbedViews  = []string{"list", "map", "agenda"}
	EmbedThemes = []string{"auto", "light", "dark"}
)

// EmbedNewURL is the page that makes a snippet of a list for another site. view is list, map or agenda.
func EmbedNewURL(q Query, view string) string {
	q = q.Filters()
	q.View = view
	return q.URL("/embed/new")
}

// embedURL is the page that the frame shows.
func embedURL(q Query, view, theme, lang string) string {
	q = q.Filters()
	q.View, q.Lang = view, lang
	if view == "list" {
		q.View = ""
	}
	u := q.URL("/embed")
	if theme != "" && theme != "auto" {
		u = withParam(u, "theme", theme)
	}
	return u
}

// snippet is what goes into the other site: the frame, and a link for who sees no frames.
func snippet(p Page, v EmbedNewView, title string) string {
	width := "100%"
	if v.Width > 0 {
		width = fmt.Sprint(v.Width)
	}
	return fmt.Sprintf("<iframe src=\"%s\" title=\"%s\" width=\"%s\" height=\"%d\" loading=\"lazy\" style=\"border:0;max-width:100%%\"></iframe>\n<p><a href=\"%s\">%s</a></p>",
		html.EscapeString(absolute(p, embedURL(v.Query, v.View, v.Theme, v.Lang))), html.EscapeString(title), width, v.Height,
		html.EscapeString(absolute(p, v.directoryURL())), html.EscapeString(title))
}

// directoryURL is the same list in the directory.
func (v EmbedNewView) directoryURL() string { return fullURL(v.Query, v.View) }

func (v EmbedView) directoryURL() string { return fullURL(v.Query, v.View) }

func fullURL(q Query, view string) string {
	q = q.Filters()
	switch view {
	case "agenda":
		return AgendaFrom(q)
	case "map":
		q.View = "map"
	}
	return q.URL("/")
}

// embedTitle names the frame for who hears it.
func embedTitle(p Page, l *Localizer, view string) string {
	return l.Text("embed_title."+view, "Name", p.Site.Name)
}

// nextEmbed is the frame's next page.
func nextEmbed(v EmbedView, lang string) string {
	return withParam(embedURL(v.Query, v.View, v.Theme, lang), "after", v.Next)
}

// hiddenEmbed are the filters that the form of the snippet keeps.
func hiddenEmbed(q Query) [][2]string {
	q = q.Filters()
	u, err := url.Parse(q.URL("/embed/new"))
	if err != nil {
		return nil
	}
	values := u.Query()
	var out [][2]string
	for _, key := range sortedKeys(values) {
		for _, s := range values[key] {
			out = append(out, [2]string{key, s})
		}
	}
	return out
}

// staticEmbed is the picture of the map in the frame's theme.
func staticEmbed(v EmbedView) string {
	u := StaticMapURL(v.Query, 640, 400)
	if v.Theme == "dark" {
		u = withParam(u, "theme", "dark")
	}
	return u
}

func themeClass(theme string) string {
	if theme == "light" || theme == "dark" {
		return "theme-" + theme
	}
	return ""
}

// rowsOf is how many lines a text takes in a box of that many characters.
func rowsOf(s string, columns int) string {
	n := 0
	for line := range strings.SplitSeq(s, "\n") {
		n += 1 + len(line)/columns
	}
	return fmt.Sprint(n)
}

func sizeValue(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprint(n)
}

func frameWidth(n int) templ.Attributes {
	if n == 0 {
		return templ.Attributes{"width": "100%"}
	}
	return templ.Attributes{"width": fmt.Sprint(n)}
}
