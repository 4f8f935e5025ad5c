package transfer

import (
	"io"
	"strings"

	"archipel/directory"

	"github.com/gorilla/feeds"
)

type rssWriter struct {
	w    io.Writer
	o    ExportOptions
	feed feeds.Feed
}

// NewRSS writes entries as an RSS 2.0 feed, for readers that do not know Atom. It is written when it is closed: a feed is
// short. Texts are plain, never HTML.
func NewRSS(w io.Writer, o ExportOptions) Writer {
	title := o.Title
	if title == "" {
		title = "Archipel"
	}
	return &rssWriter{w: w, o: o, feed: feeds.Feed{Title: title, Description: title, Link: &feeds.Link{Href: o.Home}, Updated: o.Updated}}
}

func (r *rssWriter) Write(e *directory.Entry) error {
	var about []string
	for _, s := range []string{r.o.label(e.MainCategory()), e.Town(), e.Summary, r.o.notice(e)} {
		if s != "" {
			about = append(about, s)
		}
	}
	// The time is that of the change: readers show again what has changed, under the same id.
	r.feed.Items = append(r.feed.Items, &feeds.Item{
		Title: e.Name, Link: &feeds.Link{Href: r.o.page(e)}, Id: "urn:uuid:" + string(e.ID), IsPermaLink: "false", Updated: e.Updated,
		Description: strings.Join(about, " · "),
	})
	return nil
}

func (r *rssWriter) Close() error {
	rss := (&feeds.Rss{Feed: &r.feed}).RssFeed()
	rss.Language = r.o.Lang
	for i, it := range r.feed.Items {
		rss.Items[i].PubDate = it.Updated.UTC().Format("Mon, 02 Jan 2006 15:04:05 GMT")
	}
	return feeds.WriteXML(rss, r.w)
}
