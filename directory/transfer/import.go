package transfer

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/paulmach/orb"

	"archipel/directory"
)

// Author is the author of every change that an import makes or takes back.
const Author = "import"

// batchSize is how many rows are written at once.
const batchSize = 500

// maxPreview is how many entries a dry run shows.
const maxPreview = 10

// Categories finds the category that a text or an OpenStreetMap tag ("key=value") means.
type Categories interface {
	Match(label string) (id string, ok bool)
}

// Located is where a [Locator] found an address.
type Located struct {
	Point       orb.Point // [longitude, latitude]
	Approximate bool      // the town only, not the house
}

// Locator finds the position of an address. It keeps its own cache, so that an import that is run again does not ask
// again, and its own pace. An error means that it cannot answer now; that nothing was found is no error.
type Locator interface {
	Locate(ctx context.Context, a directory.Address, lang string) (at Located, found bool, err error)
}

// Progress is how far an import has come.
type Progress struct {
	Rows  int
	Bytes int64
	Total int64 // size of the file in bytes; 0 when not known
}

// ImportOptions say what a file is and what becomes of it. Every one of them may be left out; the mapping's settings
// count where an option is empty.
type ImportOptions struct {
	Source    string // names the data set; with a record's id it identifies the entry in every later import
	SourceURL string
	Licence   string           // SPDX identifier, for rows that name none
	Lang      string           // BCP 47, for rows that name none
	Kind      directory.Kind   // for rows that name none; otherwise events where there is a start, and places
	Status    directory.Status // of new entries; empty for published
	Timezone  string           // of dates without an offset; IANA name, empty for UTC
	Mapping   *Mapping         // nil: everything is recognised by name
	Format    Format           // empty: detected
	Batch     string           // names the import, to take it back; empty: a new name
	Note      string           // goes into the history of every entry

	KeepUnused   bool      // put columns that fill nothing into Extra
	FixSwapped   bool      // exchange coordinates that look swapped, instead of refusing the row
	Bounds       orb.Bound // where positions are expected, to notice swapped ones; zero: France, for French addresses
	NeedPosition bool      // leave out rows without a position

	Categories Categories // nil: every value becomes a tag
	Locator    Locator    // nil: rows without coordinates get no position
	Rules      directory.Rules

	DryRun   bool
	Size     int64 // of the file, for Progress
	Progress func(Progress)
	Now      func() time.Time // nil for time.Now
}

// source yields the rows of a file. An error that is a *rowError costs one row.
type source interface {
	next() (*row, error)
	columns() []Column
}

// rowError is a row that could not be read.
type rowError struct {
	row, line   int
	code, value string
	text        string
}

func (e *rowError) Error() string { return fmt.Sprintf("row %d: %s", e.row, e.text) }

// importer is one run of Import.
type importer struct {
	d       *directory.Directory
	o       *ImportOptions
	report  *Report
	builder *builder
	batch   []*record
	seen    map[uint64]int32 // hash of a record's key -> its row
	seed    maphash.Seed

	locatorFailures int
}

// Import reads entries from r and writes them. What a row is about is told by its source and id, so that importing a
// file again changes nothing and creates nothing twice; see the package documentation for how rows and entries meet.
//
// The report is returned even when there is an error. An error is about the file as a whole or the store, never about
// a row; what was written before it stands, and the same import may be run again.
func Import(ctx context.Context, d *directory.Directory, r io.Reader, o ImportOptions) (*Report, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	began := o.Now()
	report := &Report{DryRun: o.DryRun, Unmatched: map[string]int{}}
	err := run(ctx, d, r, &o, report)
	report.Elapsed = o.Now().Sub(began)
	if len(report.Unmatched) == 0 {
		report.Unmatched = nil
	}
	if err != nil {
		report.Incomplete = err.Error()
		return report, fmt.Errorf("import: %w", err)
	}
	return report, nil
}

func run(ctx context.Context, d *directory.Directory, r io.Reader, o *ImportOptions, report *Report) error {
	m, err := settle(o)
	if err != nil {
		return err
	}
	if o.Batch == "" {
		o.Batch = o.Now().UTC().Format("20060102-150405-") + uuid.NewString()[:8]
	}
	report.Batch, report.Source = o.Batch, m.Source
	f, err := open(r, o.Format, m.Encoding)
	if err != nil {
		return err
	}
	report.Format, report.Encoding = f.format, f.label
	b, err := newBuilder(o, m, report.Unmatched)
	if err != nil {
		return err
	}
	im := &importer{d: d, o: o, report: report, builder: b, seen: map[uint64]int32{}, seed: maphash.MakeSeed()}
	src, err := openSource(f, m, b, report)
	if err != nil {
		return err
	}
	err = im.consume(ctx, src, f.counter)
	report.Encoding, report.Columns = f.label, src.columns()
	if f.format == CSV && f.label == "utf-8" && f.charset == windows1252 {
		report.Encoding = f.charset.String()
	}
	return err
}

// settle joins options and mapping; the options win.
func settle(o *ImportOptions) (*Mapping, error) {
	m := &Mapping{}
	if o.Mapping != nil {
		clone := *o.Mapping
		m = &clone
	}
	for to, v := range map[*string]string{
		&m.Source: o.Source, &m.SourceURL: o.SourceURL, &m.Licence: o.Licence, &m.Lang: o.Lang, &m.Kind: string(o.Kind), &m.Timezone: o.Timezone,
	} {
		if v != "" {
			*to = v
		}
	}
	m.Licence = directory.CanonicalLicence(m.Licence)
	if err := m.check(); err != nil {
		return nil, err
	}
	// What holds for every row is checked once, and not reported a million times.
	probe := directory.Entry{
		Kind: directory.Place, Name: "x", Status: directory.Published, Licence: m.Licence, Lang: m.Lang,
		Source: &directory.Source{Name: m.Source, URL: m.SourceURL},
	}
	if m.Source == "" && m.SourceURL == "" {
		probe.Source = nil
	}
	directory.Normalize(&probe)
	if err := directory.Validate(&probe, directory.Rules{}); err != nil {
		return nil, err
	}
	return m, nil
}

func openSource(f *opened, m *Mapping, b *builder, report *Report) (source, error) {
	if f.format == CSV {
		return openCSV(f, m, b, report)
	}
	return openGeoJSON(f, m, b), nil
}

func (im *importer) consume(ctx context.Context, src source, read *counter) error {
	progress := func() {
		if im.o.Progress != nil {
			im.o.Progress(Progress{Rows: im.report.Rows, Bytes: read.n, Total: im.o.Size})
		}
	}
	defer progress()
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		r, err := src.next()
		var bad *rowError
		switch {
		case err == io.EOF:
			return im.flush(ctx)
		case errors.As(err, &bad):
			im.report.Rows++
			im.report.leftOut(Issue{Row: bad.row, Line: bad.line, Code: bad.code, Value: excerpt(bad.value), Text: bad.text})
			continue
		case err != nil:
			if ferr := im.flush(ctx); ferr != nil {
				return ferr
			}
			return err
		}
		im.report.Rows++
		rec, err := im.builder.build(r)
		if err != nil {
			im.refuse(rec, err)
			continue
		}
		if first := im.repeated(rec); first > 0 {
			im.refuse(rec, &refused{"sourceId", CodeDuplicate, strings.TrimPrefix(rec.key, im.report.Source+"\x00"), fmt.Sprintf("row %d is the same record", first)})
			continue
		}
		im.batch = append(im.batch, rec)
		if len(im.batch) == batchSize {
			if err := im.flush(ctx); err != nil {
				return err
			}
			progress()
		}
	}
}

// repeated returns the row that had the record before, or 0.
func (im *importer) repeated(rec *record) int32 {
	key := rec.key
	switch {
	case rec.id != "":
		key = string(rec.id)
	case key == "":
		key = string(rec.maybe)
	}
	h := maphash.String(im.seed, key)
	if first := im.seen[h]; first > 0 {
		return first
	}
	im.seen[h] = int32(rec.row.number)
	return 0
}

// refuse reports a row that is left out. Of several problems each is named.
func (im *importer) refuse(rec *record, err error) {
	i := Issue{Row: rec.row.number, Line: rec.row.line, Name: rec.entry.Name}
	var one *refused
	var many directory.Invalid
	switch {
	case errors.As(err, &one):
		i.Field, i.Code, i.Value, i.Text = one.field, one.code, excerpt(one.value), one.text
	case errors.As(err, &many) && len(many) > 0:
		texts := make([]string, len(many))
		for k, p := range many {
			texts[k] = p.Error()
		}
		i.Field, i.Code, i.Text = many[0].Field, many[0].Code, strings.TrimPrefix(strings.Join(texts, "; "), many[0].Field+": ")
	default:
		i.Code, i.Text = directory.CodeInvalid, err.Error()
	}
	if len(i.Name) > 200 {
		i.Name = excerpt(i.Name)
	}
	im.report.leftOut(i)
}

// flush writes the rows gathered so far. Entries that others change at the same moment are merged again.
func (im *importer) flush(ctx context.Context) error {
	todo := im.batch
	im.batch = im.batch[:0:0]
	for attempt := 0; len(todo) > 0; attempt++ {
		if err := im.d.Refresh(ctx); err != nil {
			return err
		}
		current, err := im.standing(ctx, todo)
		if err != nil {
			return err
		}
		var again, writing []*record
		var entries []directory.Entry
		for _, rec := range todo {
			e, write, err := im.next(ctx, rec, current)
			if err != nil {
				return err
			}
			if write {
				writing, entries = append(writing, rec), append(entries, e)
			}
		}
		if im.o.DryRun || len(entries) == 0 {
			return nil
		}
		outcomes, err := im.d.Write(ctx, directory.Write{Author: Author, Batch: im.o.Batch, Note: im.o.Note, Entries: entries})
		for i, out := range outcomes {
			if out.Result == directory.Failed {
				if err == nil && attempt < 5 && retry(writing[i], out.Err) {
					again = append(again, writing[i])
				} else if err == nil {
					im.refuse(writing[i], out.Err)
				}
				continue
			}
			im.count(writing[i], out.Result, &out.Entry)
		}
		if err != nil {
			return err
		}
		todo = again
	}
	return nil
}

// retry reports whether a refused record may be accepted the next time, having changed what stood in its way.
func retry(rec *record, err error) bool {
	var conflict *directory.ConflictError
	var invalid directory.Invalid
	switch {
	case errors.As(err, &conflict):
		rec.warnings = nil
		return true
	case errors.As(err, &invalid):
		for _, p := range invalid {
			if p.Code == directory.CodeTaken && p.Field == "slug" {
				rec.entry.Slug = ""
				return true
			}
			if p.Code == directory.CodeTaken {
				return true // another import has just created it
			}
		}
	}
	return false
}

// standing reads the entries that the records are about: by their own id, or by their source.
func (im *importer) standing(ctx context.Context, records []*record) (map[*record]*directory.Entry, error) {
	ids := make(map[*record]directory.ID, len(records))
	var ask []directory.ID
	for _, rec := range records {
		if rec.id != "" {
			ids[rec] = rec.id
			ask = append(ask, rec.id)
		}
		if id, ok := im.d.BySource(rec.key); ok && rec.key != "" {
			ask = append(ask, id)
			if rec.id == "" {
				ids[rec] = id
			}
		} else if rec.maybe != "" {
			ask = append(ask, rec.maybe)
		}
	}
	slices.Sort(ask)
	entries, err := im.d.Entries(ctx, slices.Compact(ask))
	if err != nil {
		return nil, err
	}
	byID := make(map[directory.ID]*directory.Entry, len(entries))
	for i := range entries {
		byID[entries[i].ID] = &entries[i]
	}
	found := make(map[*record]*directory.Entry, len(records))
	for _, rec := range records {
		if e := byID[ids[rec]]; e != nil {
			found[rec] = e
		} else if id, ok := im.d.BySource(rec.key); ok && rec.key != "" && byID[id] != nil {
			found[rec] = byID[id]
		} else if e := byID[rec.maybe]; e != nil {
			// Part of an export of ours, come back: only what its columns say counts, no default.
			found[rec], rec.given = e, rec.explicit
		}
	}
	return found, nil
}

// next says what the record makes of the entry that stands. Rows that need no writing are counted here.
func (im *importer) next(ctx context.Context, rec *record, standing map[*record]*directory.Entry) (e directory.Entry, write bool, err error) {
	current := standing[rec]
	revive := false
	if current != nil {
		if current.Origin != "" {
			im.refuse(rec, &refused{"origin", CodeForeign, current.Origin, "the entry belongs to another instance"})
			return e, false, nil
		}
		if current.Status == directory.Removed && current.MergedInto != "" {
			// The record lives on in another entry, which may be that of another source: neither is made again from it.
			rec.warn("status", CodeMergedHere, string(current.MergedInto), "somebody merged the entry into")
			im.count(rec, directory.Unchanged, current)
			return e, false, nil
		}
		if current.Status == directory.Removed {
			last, err := im.d.History(ctx, current.ID, 0, 1)
			if err != nil {
				return e, false, err
			}
			if len(last) == 0 || !byMachine(&last[0]) {
				im.refuse(rec, &refused{"status", CodeRemovedHere, "", "somebody removed the entry in this directory"})
				return e, false, nil
			}
			revive = true // an import had been taken back
		}
	}
	if err := im.locate(ctx, rec, current); err != nil {
		return e, false, err
	}
	if im.o.NeedPosition && len(rec.entry.Sites) == 0 && (current == nil || len(current.Sites) == 0) {
		im.refuse(rec, &refused{"geometry", CodeNoPosition, "", "has no position"})
		return e, false, nil
	}
	if current == nil && rec.key == "" && rec.id == "" {
		im.refuse(rec, errNoSource)
		return e, false, nil
	}
	if current == nil || revive {
		e = rec.entry.Clone()
		e.ID, e.Version, e.Origin, e.MergedInto, e.Private = rec.id, 0, "", "", nil
		if current != nil {
			e.ID, e.Version, e.Slug, e.Aliases, e.Private = current.ID, current.Version, current.Slug, current.Aliases, current.Private
		}
		if im.o.DryRun {
			result := directory.Created
			if revive {
				result = directory.Updated
			}
			im.count(rec, result, &e)
		}
		return e, !im.o.DryRun, nil
	}
	rec.warnings = slices.DeleteFunc(rec.warnings, func(i Issue) bool { return i.Code == CodeKeptLocal || i.Code == CodeOverwritten })
	e, changed, err := merge(ctx, im.d, rec, current)
	if err != nil {
		return e, false, err
	}
	if !changed {
		im.count(rec, directory.Unchanged, current)
		return e, false, nil
	}
	directory.Normalize(&e)
	if im.o.DryRun {
		if err := directory.Validate(&e, im.o.Rules); err != nil {
			im.refuse(rec, err)
		} else {
			im.count(rec, directory.Updated, &e)
		}
		return e, false, nil
	}
	return e, true, nil
}

func (im *importer) count(rec *record, result directory.Result, e *directory.Entry) {
	switch result {
	case directory.Created:
		im.report.Created++
	case directory.Updated:
		im.report.Updated++
	case directory.Unchanged:
		im.report.Unchanged++
	}
	if len(e.Sites) == 0 {
		im.report.NoPosition++
	}
	for _, w := range rec.warnings {
		im.report.warn(w)
	}
	if im.o.DryRun && len(im.report.Preview) < maxPreview && result != directory.Unchanged {
		im.report.Preview = append(im.report.Preview, Preview{Row: rec.row.number, Result: result, Entry: *e})
	}
}
