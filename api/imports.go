package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"archipel/api/account"
	"archipel/directory"
	"archipel/directory/transfer"
	"archipel/frontend"

	"github.com/gofiber/fiber/v2"
)

// Kinds of the records of imports. The file of one is kept in pieces for a day, so that any node can read it.
const (
	kindImport     = "import-run"
	kindImportFile = "import-file"
)

const (
	maxImport     = 16 << 20 // bytes of a file; larger ones are for the command line
	importPiece   = 512 << 10
	importKept    = 24 * time.Hour
	importIssues  = 200 // rows left out that a page names
	importSilence = 2 * time.Minute

	importLinesShown = 100 // imports that there were, on one page
)

// importRun is a file that somebody brought, or an import that is taken back.
type importRun struct {
	ID     string    `json:"id"`
	State  string    `json:"state"` // tried, waiting, running, done, failed
	By     string    `json:"by"`    // as in the log
	At     time.Time `json:"at"`
	Until  time.Time `json:"until,omitzero"` // while it runs: when another node may think that this one died
	File   string    `json:"file,omitempty"`
	Pieces int       `json:"pieces,omitempty"`
	Batch  string    `json:"batch"`
	Undo   bool      `json:"undo,omitempty"` // take Batch back

	Source    string           `json:"source,omitempty"`
	SourceURL string           `json:"sourceUrl,omitempty"`
	Licence   string           `json:"licence,omitempty"`
	Lang      string           `json:"lang,omitempty"`
	Kind      directory.Kind   `json:"kind,omitempty"`
	Status    directory.Status `json:"status,omitempty"`
	Timezone  string           `json:"timezone,omitempty"`
	Mapping   string           `json:"mapping,omitempty"` // TOML

	Rows      int              `json:"rows,omitempty"`
	Created   int              `json:"created,omitempty"`
	Updated   int              `json:"updated,omitempty"`
	Unchanged int              `json:"unchanged,omitempty"`
	Failed    int              `json:"failed,omitempty"`
	LeftOut   []transfer.Issue `json:"leftOut,omitempty"`
	Warnings  []transfer.Issue `json:"warnings,omitempty"`
	Error     string           `json:"error,omitempty"`

	rev int64
}

func (s *Server) importRoutes() {
	door := account.Require(account.ImportsUndo)
	s.app.Get("/admin/imports", door, s.importsPage)
	s.app.Post("/admin/imports", door, s.tryImport)
	s.app.Get("/admin/imports/:id", door, s.importPage)
	s.app.Post("/admin/imports/:id", door, s.decideImport)
	s.app.Get("/admin/imports/undo/:batch", door, s.undoPage)
	s.app.Post("/admin/imports/undo/:batch", door, s.undoImport)
	s.sourceRoutes()
}

// takesImports reports whether a request brings a file to import.
func takesImports(path string) bool { return strings.TrimSuffix(path, "/") == "/admin/imports" }

func (s *Server) importRun(ctx context.Context, id string) (*importRun, error) {
	rec, err := s.Directory.Store().Record(ctx, kindImport, id)
	if err != nil || rec.Rev == 0 {
		return nil, errors.Join(err, directory.ErrNotFound)
	}
	return readRun(rec)
}

func readRun(rec directory.Record) (*importRun, error) {
	r := &importRun{rev: rec.Rev}
	if err := json.Unmarshal(rec.Value, r); err != nil {
		return nil, fmt.Errorf("import %s: %w: %w", rec.Key, directory.ErrCorrupt, err)
	}
	return r, nil
}

// putRun saves a run, unless another node was faster.
func (s *Server) putRun(ctx context.Context, r *importRun) error {
	value, err := json.Marshal(r)
	if err != nil {
		return err
	}
	rec := directory.Record{Key: r.ID, Value: value, Rev: r.rev}
	if r.State == "tried" {
		rec.Expires = s.Now().Add(importKept)
	}
	if err := s.Directory.Store().PutRecord(ctx, kindImport, rec); err != nil {
		return err
	}
	r.rev++
	return nil
}

func (s *Server) runs(ctx context.Context) (out []*importRun, err error) {
	for after := ""; ; {
		page, err := s.Directory.Store().Records(ctx, kindImport, after, 200)
		if err != nil || len(page) == 0 {
			return out, err
		}
		for _, rec := range page {
			after = rec.Key
			r, err := readRun(rec)
			if err != nil {
				return nil, err
			}
			out = append(out, r)
		}
	}
}

func (s *Server) importsPage(c *fiber.Ctx) error { return s.showImports(c, frontend.ImportsView{}) }

func (s *Server) showImports(c *fiber.Ctx, v frontend.ImportsView) error {
	ctx := c.UserContext()
	p, _ := s.moderationPage(c, "imports.title")
	show, names := s.presenter(p.Lang), map[string]string{}
	runs, err := s.runs(ctx)
	if err != nil {
		return err
	}
	by := map[string]*importRun{}
	for _, r := range slices.Backward(runs) {
		if !r.Undo && r.State != "tried" {
			by[r.Batch] = r
		}
		if r.State == "waiting" || r.State == "running" || r.State == "failed" {
			v.Working = append(v.Working, frontend.ImportLine{URL: frontend.ImportURL(r.ID), State: r.State, Undo: r.Undo, Name: r.Batch, Last: r.At.In(show.zone)})
		}
	}
	batches, err := s.batches.Batches(ctx, s.Directory)
	if err != nil {
		return err
	}
	if before := c.Query("before"); before != "" {
		batches = batches[1+slices.IndexFunc(batches, func(b transfer.BatchInfo) bool { return b.Batch == before }):]
	}
	if len(batches) > importLinesShown {
		batches = batches[:importLinesShown]
		v.Next = "/admin/imports?" + url.Values{"before": {batches[importLinesShown-1].Batch}}.Encode() + "#were"
	}
	for _, b := range batches {
		line := frontend.ImportLine{Name: b.Batch, Note: b.Note, Sources: b.Sources, Last: b.Last.In(show.zone), Created: b.Created, Updated: b.Updated, Undone: b.Undone, UndoURL: frontend.UndoURL(b.Batch)}
		if r := by[b.Batch]; r != nil {
			line.URL, line.Licence, line.File = frontend.ImportURL(r.ID), r.Licence, r.File
			if line.Author, err = s.authorFor(ctx, r.By, names); err != nil {
				return err
			}
		}
		v.Lines = append(v.Lines, line)
	}
	if v.Typed == nil {
		v.Typed = url.Values{"lang": {p.Lang}, "timezone": {s.Site().Timezone}}
	}
	return s.render(c, frontend.Imports(p, v))
}

// options are those of the import; the mapping is read from its text.
func (r *importRun) options(s *Server) (transfer.ImportOptions, error) {
	o := transfer.ImportOptions{Source: r.Source, SourceURL: r.SourceURL, Licence: r.Licence, Lang: r.Lang, Kind: r.Kind, Status: r.Status, Timezone: r.Timezone, Batch: r.Batch,
		Categories: s.Taxonomy, Rules: directory.Rules{Category: s.Taxonomy.Valid, Current: s.Taxonomy.Current}, Now: s.Now}
	if r.Mapping != "" {
		m, err := transfer.ReadMapping(strings.NewReader(r.Mapping))
		if err != nil {
			return o, err
		}
		o.Mapping = m
	}
	return o, nil
}

// tryImport takes a file and tells what importing it would do; nothing is written yet.
func (s *Server) tryImport(c *fiber.Ctx) error {
	ctx, l := c.UserContext(), frontend.T(s.lang(c))
	typed := url.Values{}
	for _, name := range []string{"source", "source_url", "licence", "lang", "kind", "status", "timezone"} {
		typed.Set(name, strings.TrimSpace(c.FormValue(name)))
	}
	wrong := func(text string) error {
		c.Status(http.StatusBadRequest)
		return s.showImports(c, frontend.ImportsView{Wrong: text, Typed: typed})
	}
	data, name, err := uploaded(c, "file", maxImport)
	switch {
	case err != nil:
		return err
	case len(data) == 0:
		return wrong(l.Text("imports.no_file"))
	}
	mapping, _, err := uploaded(c, "mapping", 64<<10)
	if err != nil {
		return err
	}
	now := s.Now().UTC()
	r := &importRun{ID: string(directory.NewID()), State: "tried", By: account.From(c).Author(), At: now, File: name, Mapping: string(mapping),
		Source: typed.Get("source"), SourceURL: typed.Get("source_url"), Licence: directory.CanonicalLicence(typed.Get("licence")), Lang: typed.Get("lang"),
		Kind: directory.Kind(typed.Get("kind")), Status: directory.Status(typed.Get("status")), Timezone: typed.Get("timezone")}
	r.Batch = now.Format("20060102-150405") + "-" + r.ID[len(r.ID)-8:]
	if r.Source == "" && len(mapping) == 0 {
		return wrong(l.Text("imports.no_source"))
	}
	if r.Status != "" && !slices.Contains([]directory.Status{directory.Published, directory.Pending, directory.Draft}, r.Status) {
		return invalidParam("status", directory.CodeUnknown, string(r.Status))
	}
	o, err := r.options(s)
	if err != nil {
		return wrong(err.Error())
	}
	o.DryRun = true
	report, err := transfer.Import(ctx, s.Directory, bytes.NewReader(data), o)
	var invalid directory.Invalid
	switch {
	case errors.Is(err, directory.ErrUnavailable) || ctx.Err() != nil:
		return err
	case errors.As(err, &invalid) && len(invalid) > 0:
		field, text := l.ProblemText(frontend.Problem{Field: invalid[0].Field, Code: invalid[0].Code, Params: invalid[0].Params})
		return wrong(field + ": " + text)
	case err != nil && report.Rows == 0:
		return wrong(err.Error())
	case err != nil:
		r.Error = err.Error()
	}
	r.take(report)
	store := s.Directory.Store()
	for piece := range slices.Chunk(data, importPiece) {
		value, err := json.Marshal(piece)
		if err != nil {
			return err
		}
		if err := store.PutRecord(ctx, kindImportFile, directory.Record{Key: fmt.Sprintf("%s/%04d", r.ID, r.Pieces), Value: value, Expires: now.Add(importKept)}); err != nil {
			return err
		}
		r.Pieces++
	}
	if err := s.putRun(ctx, r); err != nil {
		return err
	}
	return c.Redirect(frontend.ImportURL(r.ID), http.StatusSeeOther)
}

// uploaded reads a file of a form; nothing when there is none.
func uploaded(c *fiber.Ctx, field string, most int64) ([]byte, string, error) {
	head, err := c.FormFile(field)
	if err != nil || head.Size == 0 {
		return nil, "", nil //nolint:nilerr // a form without the file
	}
	if head.Size > most {
		return nil, "", directory.Invalid{{Field: field, Code: directory.CodeTooLong, Params: map[string]any{"max": most, "got": head.Size}}}
	}
	var f multipart.File
	if f, err = head.Open(); err != nil {
		return nil, "", err
	}
	data, err := io.ReadAll(f)
	return data, filepath.Base(strings.ToValidUTF8(head.Filename, "")), errors.Join(err, f.Close())
}

// take keeps of a report what a page shows.
func (r *importRun) take(report *transfer.Report) {
	r.Rows, r.Created, r.Updated, r.Unchanged, r.Failed = report.Rows, report.Created, report.Updated, report.Unchanged, report.Failed
	r.LeftOut = report.LeftOut[:min(len(report.LeftOut), importIssues)]
	r.Warnings = report.Warnings[:min(len(report.Warnings), importIssues)]
	if r.Source == "" {
		r.Source = report.Source
	}
}

func (s *Server) importPage(c *fiber.Ctx) error {
	r, err := s.importRun(c.UserContext(), c.Params("id"))
	if err != nil {
		return err
	}
	p, _ := s.moderationPage(c, "imports.title")
	zone := s.presenter(p.Lang).zone
	v := frontend.ImportView{ID: r.ID, State: r.State, Undo: r.Undo, Batch: r.Batch, File: r.File, Source: r.Source, Licence: r.Licence, At: r.At.In(zone), Rows: r.Rows, Created: r.Created, Updated: r.Updated,
		Unchanged: r.Unchanged, Failed: r.Failed, LeftOut: importLines(r.LeftOut), Warnings: importLines(r.Warnings), Error: r.Error}
	if v.Author, err = s.authorFor(c.UserContext(), r.By, map[string]string{}); err != nil {
		return err
	}
	return s.render(c, frontend.Import(p, v))
}

func importLines(issues []transfer.Issue) (out []frontend.ImportIssue) {
	for _, i := range issues {
		out = append(out, frontend.ImportIssue{Row: i.Row, Line: i.Line, Name: i.Name, Field: i.Field, Value: i.Value, Text: i.Text})
	}
	return out
}

// decideImport runs what was tried, or forgets it.
func (s *Server) decideImport(c *fiber.Ctx) error {
	ctx := c.UserContext()
	r, err := s.importRun(ctx, c.Params("id"))
	if err != nil {
		return err
	}
	switch action := c.FormValue("action"); action {
	case "run":
		if r.State == "tried" || r.State == "failed" {
			r.State, r.Error, r.By, r.At = "waiting", "", account.From(c).Author(), s.Now().UTC()
			if err := s.putRun(ctx, r); err != nil && !errors.Is(err, directory.ErrStale) {
				return err
			}
			s.wakeImports()
		}
		return c.Redirect(frontend.ImportURL(r.ID), http.StatusSeeOther)
	case "discard":
		if r.State != "tried" {
			return fiber.NewError(http.StatusConflict)
		}
		if err := s.Directory.Store().DeleteRecord(ctx, kindImport, r.ID, r.rev); err != nil && !errors.Is(err, directory.ErrStale) {
			return err
		}
		return c.Redirect("/admin/imports", http.StatusSeeOther)
	default:
		return invalidParam("action", directory.CodeUnknown, action)
	}
}

func (s *Server) undoPage(c *fiber.Ctx) error {
	p, _ := s.moderationPage(c, "imports.undo")
	batch := c.Params("batch")
	changes, err := s.Directory.Batch(c.UserContext(), batch, 0, 1)
	if err != nil {
		return err
	}
	if len(changes) == 0 || changes[0].Author != transfer.Author {
		return directory.ErrNotFound
	}
	return s.render(c, frontend.ImportUndo(p, batch))
}

// undoImport takes an import back, after a page that asks.
func (s *Server) undoImport(c *fiber.Ctx) error {
	ctx := c.UserContext()
	batch := c.Params("batch")
	changes, err := s.Directory.Batch(ctx, batch, 0, 1)
	if err != nil {
		return err
	}
	if len(changes) == 0 || changes[0].Author != transfer.Author {
		return directory.ErrNotFound
	}
	if c.FormValue("sure") != "1" {
		return c.Redirect(frontend.UndoURL(batch), http.StatusSeeOther)
	}
	r := &importRun{ID: string(directory.NewID()), State: "waiting", Undo: true, Batch: batch, By: account.From(c).Author(), At: s.Now().UTC()}
	if err := s.putRun(ctx, r); err != nil {
		return err
	}
	s.wakeImports()
	return c.Redirect(frontend.ImportURL(r.ID), http.StatusSeeOther)
}
