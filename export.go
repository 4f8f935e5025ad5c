package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"archipel/api"
	"archipel/directory"
	"archipel/directory/transfer"
)

// exportFormats are the files that entries can be written to, by the ending of their name.
var exportFormats = map[string]func(io.Writer, transfer.ExportOptions) transfer.Writer{
	"geojson": transfer.NewGeoJSON, "csv": transfer.NewCSV, "jsonld": transfer.NewJSONLD, "atom": transfer.NewAtom,
}

func exportFile(ctx context.Context, env *environment, args []string) (err error) {
	set := flags("export", env)
	format := set.String("format", "", "geojson, csv, jsonld or atom; by the file's ending when left out")
	kind := set.String("kind", "", "only organisation, place, initiative or event")
	lang := set.String("lang", "fr", "language of labels")
	semicolon := set.Bool("semicolon", false, "separate CSV by semicolons and begin it with a byte order mark, as French spreadsheets like it")
	c, rest, err := parse(set, env, args)
	if err != nil {
		return err
	}
	if len(rest) > 1 {
		return fmt.Errorf("export wants one FILE, or none for standard output: %w", errUsage)
	}
	path := ""
	if len(rest) == 1 {
		path = rest[0]
	}
	if *format == "" {
		*format = strings.TrimPrefix(filepath.Ext(path), ".")
		if *format == "json" || path == "" {
			*format = "geojson"
		}
	}
	make, ok := exportFormats[*format]
	if !ok {
		return fmt.Errorf("-format %q: want geojson, csv, jsonld or atom: %w", *format, errUsage)
	}
	words, err := c.words()
	if err != nil {
		return err
	}
	d, done, err := openDirectory(ctx, c, env)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, done()) }()
	if _, err := api.LoadTaxonomy(ctx, d.Store(), words); err != nil {
		return err
	}
	value, _, err := d.Store().Setting(ctx, api.SiteKey)
	if err != nil {
		return err
	}
	site, err := api.ParseSite(value)
	if err != nil {
		return err
	}
	terms, _, err := api.ReadTerms(ctx, d.Store())
	if err != nil {
		return err
	}
	o := transfer.ExportOptions{Title: site.Name, Home: c["public-url"], Lang: *lang, Label: words.Label, Types: words, Attribution: func(source string) string { return terms[source].Attribution }}
	if c["public-url"] != "" {
		o.Page = func(e *directory.Entry) string { return c["public-url"] + "/e/" + url.PathEscape(e.Slug) }
	}
	if *semicolon {
		o.Separator, o.BOM = ';', true
	}
	n := 0
	err = writeFile(path, env.stdout, func(w io.Writer) error {
		n, err = transfer.Export(ctx, d, make(w, o), func(e *directory.Entry) bool { return e.MayBeCopied() && (*kind == "" || string(e.Kind) == *kind) })
		return err
	})
	if err == nil && path != "" {
		fmt.Fprintf(env.stderr, "%d entries written to %s\n", n, path)
	}
	return err
}

// writeFile writes a file that is either whole or not there; an empty path is standard output.
func writeFile(path string, stdout io.Writer, write func(io.Writer) error) (err error) {
	if path == "" {
		w := bufio.NewWriter(stdout)
		return errors.Join(write(w), w.Flush())
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			os.Remove(tmp.Name())
		}
	}()
	w := bufio.NewWriterSize(tmp, 64<<10)
	if err := errors.Join(write(w), w.Flush(), tmp.Sync(), tmp.Close()); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), path)
}

// followers are those whose place in the log a backup keeps.
var followers = []string{"redact", "search"}

func backup(ctx context.Context, env *environment, args []string) (err error) {
	set := flags("backup", env)
	pictures := set.String("pictures", "", "folder to copy the pictures to as well; those that it has already are not copied again")
	c, rest, err := parse(set, env, args)
	if err != nil {
		return err
	}
	if len(rest) != 1 {
		return fmt.Errorf("backup wants one FILE: %w", errUsage)
	}
	store, err := c.store(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	var sum *transfer.BackupSummary
	err = writeFile(rest[0], env.stdout, func(w io.Writer) error {
		sum, err = transfer.Backup(ctx, store, w, followers...)
		return err
	})
	if err != nil {
		return err
	}
	if _, err = fmt.Fprintf(env.stderr, "%d changes and %d settings written to %s\n", sum.Changes, sum.Settings, rest[0]); err != nil {
		return err
	}
	return copyPictures(ctx, env, c, *pictures, false)
}

func restore(ctx context.Context, env *environment, args []string) (err error) {
	set := flags("restore", env)
	pictures := set.String("pictures", "", "folder to which a backup copied the pictures")
	c, rest, err := parse(set, env, args)
	if err != nil {
		return err
	}
	if len(rest) != 1 {
		return fmt.Errorf("restore wants one FILE: %w", errUsage)
	}
	f, err := os.Open(rest[0])
	if err != nil {
		return err
	}
	defer f.Close()
	store, err := c.store(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	sum, err := transfer.Restore(ctx, store, f)
	if err != nil {
		return err
	}
	if _, err = fmt.Fprintf(env.stderr, "%d changes and %d settings restored, of a backup of %s\n", sum.Changes, sum.Settings, sum.Created.Format("2006-01-02 15:04 MST")); err != nil {
		return err
	}
	return copyPictures(ctx, env, c, *pictures, true)
}
