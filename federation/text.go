package federation

import (
	"bytes"
	"fmt"
	"html"
	"net/url"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/microcosm-cc/bluemonday"
	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/extension"
	goldhtml "github.com/yuin/goldmark/renderer/html"
)

// cleaner is what HTML passes on its way out and in.
type cleaner struct {
	markdown goldmark.Markdown
	policy   *bluemonday.Policy
	strict   *bluemonday.Policy
}

var clean = sync.OnceValue(func() cleaner {
	p := bluemonday.NewPolicy()
	for _, scheme := range []string{"http", "https", "mailto"} {
		p.AllowURLSchemeWithCustomPolicy(scheme, lasting)
	}
	p.RequireParseableURLs(true)
	p.AllowRelativeURLs(false)
	p.AllowElements("p", "br", "strong", "em", "b", "i", "u", "del", "code", "pre", "blockquote", "ul", "ol", "li", "h3", "h4")
	p.AllowAttrs("href").OnElements("a")
	p.RequireNoFollowOnLinks(true)
	return cleaner{
		markdown: goldmark.New(goldmark.WithExtensions(extension.Linkify), goldmark.WithRendererOptions(goldhtml.WithHardWraps())),
		policy:   p, strict: bluemonday.StrictPolicy(),
	}
})

// lasting reports whether an address is the same when it is written down and read again: without a "#" that nothing follows,
// one may end with a space that a reader takes off.
func lasting(u *url.URL) bool {
	written := u.String()
	again, err := url.Parse(strings.TrimSpace(written))
	return err == nil && again.String() == written
}

// markdown gives sanitised HTML of what people wrote.
func markdown(source string) string {
	var b bytes.Buffer
	if strings.TrimSpace(source) == "" || clean().markdown.Convert([]byte(source), &b) != nil {
		return ""
	}
	out := strings.NewReplacer("<h1", "<h3", "</h1>", "</h3>", "<h2", "<h3", "</h2>", "</h3>").Replace(b.String())
	return strings.TrimSpace(clean().policy.Sanitize(out))
}

// cleanHTML is what may stay of a stranger's HTML.
func cleanHTML(foreign string) string { return strings.TrimSpace(clean().policy.Sanitize(foreign)) }

// plain is the words of a stranger's text on one line, without any HTML and [unbent].
func plain(foreign string) string {
	bare := html.UnescapeString(clean().strict.Sanitize(foreign))
	words := strings.FieldsFunc(bare, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) })
	return strings.Join(strings.Fields(unbent(strings.Join(words, " "))), " ")
}

// paragraph is plain text as HTML.
func paragraph(text string) string {
	if text == "" {
		return ""
	}
	return "<p>" + html.EscapeString(text) + "</p>"
}

// months are in the languages that the interface has; elsewhere a date is written in the form of ISO 8601.
var months = map[string][]string{
	"fr": {"janvier", "février", "mars", "avril", "mai", "juin", "juillet", "août", "septembre", "octobre", "novembre", "décembre"},
	"en": {"January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"},
}

// factNames are what the lines of a profile are called in the language of the site: other servers show them as they are.
func factNames(lang string) (names struct{ website, address string }) {
	names.website, names.address = "Website", "Address"
	if base, _, _ := strings.Cut(strings.ToLower(lang), "-"); base == "fr" {
		names.website, names.address = "Site web", "Adresse"
	}
	return names
}

// dateText writes when something takes place, in its own time zone: "1 July 2027, 18:00".
func dateText(t time.Time, allDay bool, lang string) string {
	base, _, _ := strings.Cut(strings.ToLower(lang), "-")
	date := t.Format("2006-01-02")
	if names := months[base]; names != nil {
		day := fmt.Sprint(t.Day())
		if base == "fr" && t.Day() == 1 {
			day = "1er"
		}
		date = fmt.Sprintf("%s %s %d", day, names[t.Month()-1], t.Year())
	}
	if allDay {
		return date
	}
	return date + ", " + t.Format("15:04")
}

// whenText is dateText, and says so when the event does not take place.
func whenText(t time.Time, allDay, cancelled bool, lang string) string {
	switch date := dateText(t, allDay, lang); {
	case !cancelled:
		return date
	case strings.HasPrefix(strings.ToLower(lang), "fr"):
		return "Annulé : " + date
	default:
		return "Cancelled: " + date
	}
}
