package api

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net/url"

	"archipel/directory"
	"archipel/directory/calendar"
	"archipel/directory/transfer"
	"archipel/frontend"
	"archipel/geo"

	"github.com/gofiber/fiber/v2"
)

// format is a file that any list can be taken as.
type format struct {
	media string
	make  func(io.Writer, transfer.ExportOptions) transfer.Writer
	limit int  // entries at most; 0: all. A feed is for what is new.
	data  bool // for further use, which needs a licence; the others are for reading
}

var formats = map[string]format{
	"geojson": {typeGeoJSON, transfer.NewGeoJSON, 0, true},
	"csv":     {"text/csv; charset=utf-8; header=present", transfer.NewCSV, 0, true},
	"jsonld":  {"application/ld+json", transfer.NewJSONLD, 0, true},
	"atom":    {"application/atom+xml; charset=utf-8", transfer.NewAtom, 100, false},
	"rss":     {"application/rss+xml; charset=utf-8", transfer.NewRSS, 100, false},
	"ics":     {media: calendar.Type}, // see calendarFormat
}

// export writes the whole list that the query means, not a page of it, as it is read.
func (s *Server) export(name string) fiber.Handler {
	return func(c *fiber.Ctx) error {
		f := formats[name]
		v, err := values(c)
		if err != nil {
			return err
		}
		r, err := s.parseValues(v)
		if err != nil {
			return err
		}
		base, lang := s.base(c), s.lang(c)
		if err := s.understand(c.UserContext(), &r, lang); err != nil {
			return err
		}
		if name == "ics" {
			s.onlyDates(&r)
			f = s.calendarFormat(c, base+frontend.AgendaFrom(r.query.Filters()))
		}
		site := s.Site()
		o := transfer.ExportOptions{
			Title: site.Name, Self: base + c.OriginalURL(), Home: r.query.Filters().URL(base + "/"), Lang: lang,
			Page:  func(e *directory.Entry) string { return base + "/e/" + url.PathEscape(e.Slug) },
			Label: s.Taxonomy.Label, Types: s.Taxonomy, Origin: s.origin, Attribution: s.attribution,
		}
		page := geo.Page{Order: sorts[r.sort], Limit: 500}
		if f.limit > 0 {
			page = geo.Page{Order: geo.ByUpdated, Limit: f.limit}
		}
		// One snapshot, so that pages fit together whatever is written meanwhile.
		index := s.Index.Snapshot()
		first, err := index.Select(r.filter, page)
		if err != nil {
			return err
		}
		c.Set(fiber.HeaderContentType, f.media)
		c.Set(fiber.HeaderCacheControl, "no-cache")
		if r.query.Filtered() {
			c.Set("X-Robots-Tag", "noindex")
		}
		if name == "csv" || name == "geojson" || name == "ics" {
			c.Set(fiber.HeaderContentDisposition, `attachment; filename="`+directory.Slugify(site.Name)+"."+name+`"`)
		}
		if notModified(c, index.ETag(0, 0, 0, r.filter)[:1]+name+"-"+lang+"-"+s.termsStamp()+"-"+index.ETag(0, 0, 0, r.filter)[1:]) {
			return nil
		}
		entries, err := s.Directory.Entries(c.UserContext(), hitIDs(first.Hits))
		if err != nil {
			return err
		}
		if len(entries) > 0 {
			o.Updated = entries[0].Updated
			for i := range entries {
				o.Updated = later(o.Updated, entries[i].Updated)
			}
		}
		filter, id := r.filter, requestID(c)
		// A pipe, since its error breaks the connection: a client must not take half a list for the whole.
		pr, pw := io.Pipe()
		go func() {
			err := s.stream(bufio.NewWriterSize(pw, 32<<10), f, o, index, filter, page, first, entries)
			if err != nil && !errors.Is(err, io.ErrClosedPipe) {
				s.Log.Error("export broken off", "id", id, "err", err)
			}
			pw.CloseWithError(err)
		}()
		c.Context().SetBodyStream(pr, -1)
		return nil
	}
}

// stream writes the pages of a list one after the other, the first of which is there already.
func (s *Server) stream(w *bufio.Writer, f format, o transfer.ExportOptions, index *geo.Snapshot, filter geo.Filter, page geo.Page, sel geo.Selection, entries []directory.Entry) error {
	ctx := context.Background() // a client that goes away ends it by failing to take what is written
	out := f.make(w, o)
	for {
		for i := range entries {
			if e := &entries[i]; !e.Shown() || f.data && !e.MayBeCopied() {
				continue
			}
			if err := out.Write(&entries[i]); err != nil {
				return err
			}
		}
		if err := w.Flush(); err != nil {
			return err
		}
		if sel.Next == "" || f.limit > 0 {
			break
		}
		page.After = sel.Next
		var err error
		if sel, err = index.Select(filter, page); err != nil {
			return err
		}
		if entries, err = s.Directory.Entries(ctx, hitIDs(sel.Hits)); err != nil {
			return err
		}
	}
	if err := out.Close(); err != nil {
		return err
	}
	return w.Flush()
}

func hitIDs(hits []geo.Hit) []directory.ID {
	ids := make([]directory.ID, len(hits))
	for i, h := range hits {
		ids[i] = h.ID
	}
	return ids
}
