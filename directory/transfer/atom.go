package transfer

import (
	"bufio"
	"encoding/xml"
	"fmt"
	"io"
	"strings"
	"time"

	"archipel/directory"
)

type atomLink struct {
	Rel   string `xml:"rel,attr,omitempty"`
	Type  string `xml:"type,attr,omitempty"`
	Href  string `xml:"href,attr"`
	Title string `xml:"title,attr,omitempty"`
}

type atomText struct {
	Type string `xml:"type,attr,omitempty"`
	Text string `xml:",chardata"`
}

type atomCategory struct {
	Term  string `xml:"term,attr"`
	Label string `xml:"label,attr,omitempty"`
}

type atomEntry struct {
	XMLName    xml.Name       `xml:"entry"`
	Lang       string         `xml:"xml:lang,attr,omitempty"`
	ID         string         `xml:"id"`
	Title      atomText       `xml:"title"`
	Updated    string         `xml:"updated"`
	Published  string         `xml:"published,omitempty"`
	Author     *atomPerson    `xml:"author,omitempty"`
	Links      []atomLink     `xml:"link"`
	Categories []atomCategory `xml:"category"`
	Summary    *atomText      `xml:"summary,omitempty"`
	Content    *atomText      `xml:"content,omitempty"`
	Rights     *atomText      `xml:"rights,omitempty"`
	Point      string         `xml:"georss:point,omitempty"` // latitude longitude, as GeoRSS Simple has it
}

type atomPerson struct {
	Name string `xml:"name"`
	URI  string `xml:"uri,omitempty"`
}

type atomWriter struct {
	w     *bufio.Writer
	enc   *xml.Encoder
	o     ExportOptions
	begun bool
}

// NewAtom writes entries as an Atom feed (RFC 4287) with positions in GeoRSS Simple. Texts are plain, never HTML.
func NewAtom(w io.Writer, o ExportOptions) Writer {
	b := bufio.NewWriter(w)
	return &atomWriter{w: b, enc: xml.NewEncoder(b), o: o}
}

func (a *atomWriter) begin() error {
	if a.begun {
		return nil
	}
	a.begun = true
	o := &a.o
	a.w.WriteString(xml.Header + `<feed xmlns="http://www.w3.org/2005/Atom" xmlns:georss="http://www.georss.org/georss"`)
	if o.Lang != "" {
		a.w.WriteString(` xml:lang="` + escape(o.Lang) + `"`)
	}
	id, title, updated := o.ID, o.Title, o.Updated
	if id == "" {
		id = o.Self
	}
	if id == "" {
		id = "urn:archipel:export"
	}
	if title == "" {
		title = "Archipel"
	}
	if updated.IsZero() {
		updated = time.Now()
	}
	fmt.Fprintf(a.w, ">\n<id>%s</id>\n<title>%s</title>\n<updated>%s</updated>\n<author><name>%s</name></author>\n",
		escape(id), escape(title), updated.UTC().Format(time.RFC3339), escape(title))
	if o.Self != "" {
		fmt.Fprintf(a.w, `<link rel="self" type="application/atom+xml" href="%s"/>`+"\n", escape(o.Self))
	}
	if o.Home != "" {
		fmt.Fprintf(a.w, `<link rel="alternate" type="text/html" href="%s"/>`+"\n", escape(o.Home))
	}
	return nil
}

func (a *atomWriter) Write(e *directory.Entry) error {
	if err := a.begin(); err != nil {
		return err
	}
	x := atomEntry{
		Lang: e.Lang, ID: "urn:uuid:" + string(e.ID), Title: atomText{Text: e.Name}, Updated: e.Updated.UTC().Format(time.RFC3339),
	}
	if !e.Created.IsZero() {
		x.Published = e.Created.UTC().Format(time.RFC3339)
	}
	if page := a.o.page(e); page != "" {
		x.Links = append(x.Links, atomLink{Rel: "alternate", Type: "text/html", Href: page})
	}
	if e.Contact != nil && e.Contact.Website != "" {
		x.Links = append(x.Links, atomLink{Rel: "related", Href: e.Contact.Website})
	}
	if s := e.Source; s != nil {
		x.Author = &atomPerson{Name: s.Name, URI: s.URL}
		if s.URL != "" {
			x.Links = append(x.Links, atomLink{Rel: "via", Href: s.URL, Title: s.Name})
		}
	}
	if name, page := a.o.origin(e); name != "" {
		if page != "" && (e.Source == nil || e.Source.URL != page) {
			x.Links = append(x.Links, atomLink{Rel: "via", Href: page, Title: name})
		}
		if x.Author == nil {
			x.Author = &atomPerson{Name: name, URI: page}
		}
	}
	if licence := directory.LicenceURL(e.Licence); licence != "" {
		x.Links = append(x.Links, atomLink{Rel: "license", Href: licence, Title: e.Licence}) // RFC 4946
	}
	for _, c := range e.Categories {
		x.Categories = append(x.Categories, atomCategory{Term: c, Label: a.o.label(c)})
	}
	for _, t := range e.Tags {
		x.Categories = append(x.Categories, atomCategory{Term: t})
	}
	summary := e.Summary
	if when := whenText(e); when != "" {
		summary = strings.TrimSpace(when + "\n" + summary)
	}
	if summary != "" {
		x.Summary = &atomText{Text: summary}
	}
	if e.Description != "" {
		x.Content = &atomText{Type: "text", Text: e.Description}
	} else if len(x.Links) == 0 || x.Links[0].Rel != "alternate" {
		x.Content = &atomText{Type: "text", Text: summary} // RFC 4287, 4.1.2: without content there must be an alternate link
	}
	rights := a.o.notice(e)
	if rights != "" {
		x.Rights = &atomText{Text: rights}
	}
	if len(e.Sites) > 0 {
		x.Point = fmt.Sprintf("%g %g", e.Sites[0][1], e.Sites[0][0])
	}
	if err := a.enc.Encode(x); err != nil {
		return err
	}
	return a.w.WriteByte('\n')
}

func (a *atomWriter) Close() error {
	if err := a.begin(); err != nil {
		return err
	}
	a.w.WriteString("</feed>\n")
	return a.w.Flush()
}

func escape(s string) string {
	var b strings.Builder
	xml.EscapeText(&b, []byte(s)) //nolint:errcheck // a Builder does not fail
	return b.String()
}

// whenText is when an event takes place, in ISO 8601, which no language misreads.
func whenText(e *entry) string {
	v := e.Event
	if v == nil {
		return ""
	}
	start, end := local(v, v.Start), local(v, v.End)
	form := "2006-01-02 15:04"
	if v.AllDay {
		form = "2006-01-02"
		if !v.End.IsZero() {
			end = end.AddDate(0, 0, -1)
		}
	}
	text := start.Format(form)
	if last := end.Format(form); !v.End.IsZero() && last > text {
		text += " – " + last
	}
	if e.Town() != "" {
		text += ", " + e.Town()
	}
	return text
}

// local returns t in the event's own time zone.
func local(v *directory.Schedule, t time.Time) time.Time {
	if zone, err := time.LoadLocation(v.Timezone); err == nil && v.Timezone != "" {
		return t.In(zone)
	}
	return t
}
