package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"archipel/api"
	"archipel/directory"
	"archipel/directory/transfer"

	"github.com/google/uuid"
)

// openDirectory opens the directory of the options for a command that is done soon: no views, no followers.
func openDirectory(ctx context.Context, c config, env *environment) (*directory.Directory, func() error, error) {
	log, err := c.logger(env)
	if err != nil {
		return nil, nil, err
	}
	words, err := c.words()
	if err != nil {
		return nil, nil, err
	}
	store, err := c.store(ctx)
	if err != nil {
		return nil, nil, err
	}
	if _, err := api.LoadTaxonomy(ctx, store, words); err != nil {
		return nil, nil, errors.Join(err, store.Close())
	}
	d, err := directory.Open(ctx, directory.Options{Store: store, Rules: rules(words), Log: log})
	if err != nil {
		return nil, nil, errors.Join(err, store.Close())
	}
	return d, store.Close, nil
}

func importFile(ctx context.Context, env *environment, args []string) (err error) {
	set := flags("import", env)
	o := transfer.ImportOptions{}
	set.StringVar(&o.Source, "source", "", "name of the data set; with a record's id it finds the entry again in later imports")
	set.StringVar(&o.SourceURL, "source-url", "", "where the data set is published")
	set.StringVar(&o.Licence, "licence", "", "SPDX identifier, for rows that name none, like etalab-2.0 or ODbL-1.0")
	set.StringVar(&o.Lang, "lang", "", "language, for rows that name none; fr when the mapping has none")
	kind := set.String("kind", "", "organisation, place, initiative or event, for rows that name none")
	status := set.String("status", "", "published (the default), pending or draft, of new entries")
	mapping := set.String("mapping", "", "TOML file that says which column fills which field")
	set.StringVar(&o.Timezone, "timezone", "", "of dates without an offset; Europe/Paris when the mapping has none")
	set.BoolVar(&o.DryRun, "dry-run", false, "write nothing, show the first entries as they would be")
	set.BoolVar(&o.KeepUnused, "keep-unused", false, "keep columns that fill no field as further facts")
	set.BoolVar(&o.FixSwapped, "fix-swapped", false, "exchange coordinates that look swapped, instead of refusing the row")
	set.BoolVar(&o.NeedPosition, "need-position", false, "leave out rows without a position")
	geocode := set.Bool("geocode", false, "find positions for rows that have an address and none")
	set.StringVar(&o.Batch, "batch", "", "name of this import, to take it back or to go on with it; made from the time when left out")
	list := set.Bool("list", false, "list the imports that there were, the newest first")
	undo := set.String("undo", "", "take back the import with this batch name")
	asJSON := set.Bool("json", false, "print the report as JSON")
	c, rest, err := parse(set, env, args)
	if err != nil {
		return err
	}
	if alone := *undo != "" || *list; !alone && len(rest) != 1 || alone && len(rest) != 0 {
		return fmt.Errorf("import wants one FILE, or -undo BATCH, or -list: %w", errUsage)
	}
	o.Kind, o.Status = directory.Kind(*kind), directory.Status(*status)
	if *mapping != "" {
		if o.Mapping, err = readMapping(*mapping); err != nil {
			return err
		}
	}
	words, err := c.words()
	if err != nil {
		return err
	}
	o.Categories, o.Rules = words, rules(words)()
	d, done, err := openDirectory(ctx, c, env)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, done()) }()
	if _, err := api.LoadTaxonomy(ctx, d.Store(), words); err != nil {
		return err
	}

	if *list {
		return listImports(ctx, d, env.stdout)
	}
	if *undo != "" {
		report, err := transfer.Undo(ctx, d, *undo)
		if err != nil && report == nil {
			return err
		}
		return errors.Join(err, printReport(env.stdout, report, *asJSON))
	}
	if *geocode {
		l, closeLocator, failed := c.locator(ctx, env)
		if failed != nil {
			return failed
		}
		defer func() { err = errors.Join(err, closeLocator()) }()
		o.Locator = l
	}
	report, err := importFrom(ctx, d, rest[0], o, env.stderr)
	if report == nil {
		return err
	}
	err = errors.Join(err, printReport(env.stdout, report, *asJSON))
	if err == nil && report.Failed > 0 {
		err = fmt.Errorf("%d rows were left out", report.Failed)
	}
	return err
}

// listImports names the imports, so that one can be taken back.
func listImports(ctx context.Context, d *directory.Directory, w io.Writer) error {
	batches, err := transfer.Batches(ctx, d)
	if err != nil {
		return err
	}
	for _, b := range batches {
		_, err := fmt.Fprintf(w, "%s  %s  %d created, %d updated, %d taken back  %s\n", b.Batch, b.Last.Local().Format("2006-01-02 15:04"), b.Created, b.Updated, b.Undone, strings.Join(b.Sources, ", "))
		if err != nil {
			return err
		}
	}
	return nil
}

func printReport(w io.Writer, report any, asJSON bool) error {
	if asJSON {
		out := json.NewEncoder(w)
		out.SetIndent("", "  ")
		return out.Encode(report)
	}
	if r, ok := report.(io.WriterTo); ok {
		_, err := r.WriteTo(w)
		return err
	}
	_, err := fmt.Fprint(w, report)
	return err
}

func readMapping(path string) (*transfer.Mapping, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("-mapping: %w", err)
	}
	defer f.Close()
	m, err := transfer.ReadMapping(f)
	if err != nil {
		return nil, fmt.Errorf("-mapping %s: %w", path, err)
	}
	return m, nil
}

// importFrom imports one file, with a progress line on terminals.
func importFrom(ctx context.Context, d *directory.Directory, path string, o transfer.ImportOptions, stderr io.Writer) (*transfer.Report, error) {
	mapped := transfer.Mapping{}
	if o.Mapping != nil {
		mapped = *o.Mapping
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		return nil, fmt.Errorf("%s is a folder", path)
	}
	o.Size = info.Size()
	for _, d := range []struct {
		option         *string
		mapped, common string
	}{{&o.Source, mapped.Source, filepath.Base(path)}, {&o.Lang, mapped.Lang, "fr"}, {&o.Timezone, mapped.Timezone, "Europe/Paris"}} {
		if *d.option == "" && d.mapped == "" {
			*d.option = d.common
		}
	}
	if o.Batch == "" {
		o.Batch = time.Now().UTC().Format("20060102-150405") + "-" + uuid.NewString()[:8]
	}
	if !o.DryRun {
		// Said before anything is written: who stops it half-way must know what to take back.
		fmt.Fprintf(stderr, "import %s\n", o.Batch)
	}
	if terminal(stderr) {
		var last time.Time
		o.Progress = func(p transfer.Progress) {
			if time.Since(last) < 100*time.Millisecond {
				return
			}
			last = time.Now()
			fmt.Fprintf(stderr, "\r%s %d rows", bar(p), p.Rows)
		}
		defer fmt.Fprint(stderr, "\r\033[K")
	}
	return transfer.Import(ctx, d, f, o)
}

func bar(p transfer.Progress) string {
	if p.Total <= 0 {
		return ""
	}
	const width = 30
	done := int(min(p.Bytes, p.Total) * width / p.Total)
	return "[" + strings.Repeat("=", done) + strings.Repeat(" ", width-done) + "]"
}

// counter shows how many are done, to somebody who watches.
func counter(w io.Writer) func(int) {
	if !terminal(w) {
		return nil
	}
	return func(n int) { fmt.Fprintf(w, "\r%d", n) }
}

// terminal reports whether somebody watches.
func terminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
