package transfer

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"archipel/directory"
)

// Writer writes entries to a file as they come. Close ends the file; it does not close what lies below.
type Writer interface {
	Write(*directory.Entry) error
	Close() error
}

// SchemaTypes gives the schema.org type of a category, for an entry of that kind.
type SchemaTypes interface {
	SchemaType(category string, kind directory.Kind) string
}

// ExportOptions say what an export has besides the entries. Each format takes what it has a place for.
type ExportOptions struct {
	Title   string                             // of the file
	ID      string                             // of an Atom feed, an IRI that never changes; empty: Self
	Self    string                             // URL of the file
	Home    string                             // URL of the page that shows the same
	Lang    string                             // BCP 47, of the title and of labels
	Updated time.Time                          // when the newest entry changed; zero: now
	Page    func(*directory.Entry) string      // URL of an entry's page; nil: none
	Label   func(category, lang string) string // name of a category; nil: its id
	Types   SchemaTypes                        // nil: by kind alone
	Members map[string]any                     // further members of a FeatureCollection

	// Origin says what the directory calls itself that an entry belongs to, and where the entry's page is there; both are
	// empty for an entry of this one. Nil: nothing but its host is told.
	Origin func(*directory.Entry) (name, page string)

	// Attribution is what a source, by its name, asks to be written beside its data; nil: nothing.
	Attribution func(source string) string

	Separator rune // of CSV; 0: comma
	BOM       bool // begin CSV with a byte order mark, for spreadsheets that need it
}

func (o *ExportOptions) page(e *directory.Entry) string {
	if o.Page == nil {
		return ""
	}
	return o.Page(e)
}

func (o *ExportOptions) origin(e *directory.Entry) (name, page string) {
	if e.Origin == "" || o.Origin == nil {
		return e.Origin, ""
	}
	return o.Origin(e)
}

func (o *ExportOptions) attribution(e *directory.Entry) string {
	if e.Source == nil || o.Attribution == nil {
		return ""
	}
	return o.Attribution(e.Source.Name)
}

// notice names where an entry comes from and under which licence, with the directory that it belongs to.
func (o *ExportOptions) notice(e *directory.Entry) string {
	notice := e.Notice(o.attribution(e))
	if name, _ := o.origin(e); name != "" && (e.Source == nil || e.Source.Name != name) {
		notice = strings.TrimSuffix(name+", "+notice, ", ")
	}
	return notice
}

func (o *ExportOptions) label(category string) string {
	if o.Label != nil {
		if s := o.Label(category, o.Lang); s != "" {
			return s
		}
	}
	return category
}

// Export writes every entry that is shown and for which keep is true (nil: all), by ascending ID, and closes w. It returns how
// many there were.
func Export(ctx context.Context, d *directory.Directory, w Writer, keep func(*directory.Entry) bool) (int, error) {
	n := 0
	err := d.Scan(ctx, func(entries []directory.Entry) error {
		for i := range entries {
			e := &entries[i]
			if !e.Shown() || keep != nil && !keep(e) {
				continue
			}
			if err := w.Write(e); err != nil {
				return err
			}
			n++
		}
		return ctx.Err()
	})
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		return n, fmt.Errorf("export: %w", err)
	}
	return n, nil
}

// jsonList writes JSON documents of the form {members..., name: [items...]}.
type jsonList struct {
	w     *bufio.Writer
	head  map[string]any
	order []string // members in order
	name  string
	n     int
	begun bool
	err   error
}

func (l *jsonList) begin() {
	if l.begun || l.err != nil {
		return
	}
	l.begun = true
	l.w.WriteByte('{')
	for _, name := range l.order {
		key, err := json.Marshal(name)
		if err != nil {
			l.err = err
			return
		}
		v, err := json.Marshal(l.head[name])
		if err != nil {
			l.err = err
			return
		}
		l.w.Write(key)
		l.w.WriteByte(':')
		l.w.Write(v)
		l.w.WriteByte(',')
	}
	fmt.Fprintf(l.w, "%q:[", l.name)
}

func (l *jsonList) item(v any) error {
	l.begin()
	if l.err != nil {
		return l.err
	}
	b, err := json.Marshal(v)
	if err != nil {
		return err // this item only: nothing of it was written
	}
	if l.n++; l.n > 1 {
		l.w.WriteByte(',')
	}
	l.w.WriteByte('\n')
	_, l.err = l.w.Write(b)
	return l.err
}

func (l *jsonList) Close() error {
	l.begin()
	if l.err != nil {
		return l.err
	}
	l.w.WriteString("\n]}\n")
	return l.w.Flush()
}

type geoJSONWriter struct {
	jsonList
	o ExportOptions
}

// NewGeoJSON writes a FeatureCollection (RFC 7946) of entries in their public form.
func NewGeoJSON(w io.Writer, o ExportOptions) Writer {
	g := &geoJSONWriter{jsonList{w: bufio.NewWriter(w), name: "features", head: map[string]any{"type": "FeatureCollection"}, order: []string{"type"}}, o}
	for _, name := range slices.Sorted(maps.Keys(o.Members)) {
		if name != "type" && name != "features" {
			g.head[name] = o.Members[name]
			g.order = append(g.order, name)
		}
	}
	return g
}

func (g *geoJSONWriter) Write(e *directory.Entry) error {
	b, err := Feature(e, &g.o)
	if err != nil {
		return err
	}
	return g.item(json.RawMessage(b))
}

// Feature is the public form of an entry, a GeoJSON Feature, with the properties licenceUrl and attribution besides; with
// the option Origin one of another directory has originName and originUrl too.
func Feature(e *directory.Entry, o *ExportOptions) ([]byte, error) {
	b, err := json.Marshal(e)
	if err != nil {
		return nil, err
	}
	var besides struct {
		Licence     string `json:"licenceUrl,omitempty"`
		Attribution string `json:"attribution,omitempty"`
		Name        string `json:"originName,omitempty"`
		URL         string `json:"originUrl,omitempty"`
	}
	besides.Licence, besides.Attribution = directory.LicenceURL(e.Licence), o.attribution(e)
	if e.Origin != "" && o.Origin != nil {
		besides.Name, besides.URL = o.Origin(e)
	}
	more, err := json.Marshal(besides)
	if err != nil || len(more) == 2 {
		return b, err
	}
	inner, ok := bytes.CutSuffix(b, []byte("}}")) // the properties come last, and always have a kind
	if !ok {
		return nil, fmt.Errorf("feature of %s: it ends otherwise than a Feature", e.ID)
	}
	return append(append(append(inner, ','), more[1:]...), '}'), nil
}
