package transfer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/paulmach/orb"

	"archipel/directory"
)

// locating is the Format of the report of [LocateMissing].
const locating Format = "locate"

// maxLocatorFailures is how many addresses in a row may fail before an import stops asking.
const maxLocatorFailures = 3

// locate looks for the position of a record that has an address and no coordinates.
func (im *importer) locate(ctx context.Context, rec *record, current *directory.Entry) error {
	e := &rec.entry
	if im.o.Locator == nil || len(e.Sites) > 0 || e.Address == nil || im.locatorFailures >= maxLocatorFailures {
		return nil
	}
	if current != nil && len(current.Sites) > 0 && current.Address != nil && sameAddress(*current.Address, *e.Address) {
		return nil // found before
	}
	at, found, err := im.o.Locator.Locate(ctx, *e.Address, e.Lang)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		if im.locatorFailures++; im.locatorFailures == maxLocatorFailures {
			im.report.warn(Issue{Code: CodeLocator, Value: excerpt(err.Error()), Text: "positions cannot be looked for now; the rest is imported without, and can be located later"})
		}
		rec.warn("geometry", CodeLocator, err.Error(), "its position could not be looked for")
		return nil
	}
	im.locatorFailures = 0
	if !found {
		rec.warn("geometry", CodeNoPosition, addressLine(e.Address), "its address was not found")
		return nil
	}
	e.Sites, e.Approximate = []orb.Point{at.Point}, at.Approximate
	rec.given["position"] = true
	im.report.Located++
	if at.Approximate {
		im.report.Approximate++
		rec.warn("geometry", CodeApproximate, addressLine(e.Address), "found at town level only")
	}
	directory.Normalize(e)
	return nil
}

func sameAddress(a, b directory.Address) bool {
	key := func(a directory.Address) string {
		return directory.Fold(a.Street + "\n" + a.PostalCode + "\n" + a.Locality + "\n" + a.Country)
	}
	return key(a) == key(b)
}

func addressLine(a *directory.Address) string {
	return excerpt(a.Street + ", " + a.PostalCode + " " + a.Locality)
}

// LocateMissing looks for the positions of entries of ours that have an address and none, and writes those it finds
// as one batch, which can be taken back. progress may be nil.
func LocateMissing(ctx context.Context, d *directory.Directory, l Locator, batch string, progress func(done int)) (*Report, error) {
	began := time.Now()
	report := &Report{Batch: batch, Format: locating}
	im := &importer{d: d, o: &ImportOptions{Locator: l}, report: report}
	var ids []directory.ID
	err := d.Scan(ctx, func(entries []directory.Entry) error {
		for i := range entries {
			if e := &entries[i]; e.Origin == "" && e.Status != directory.Removed && len(e.Sites) == 0 && e.Address != nil {
				ids = append(ids, e.ID)
			}
		}
		return nil
	})
	for i := 0; err == nil && i < len(ids) && im.locatorFailures < maxLocatorFailures; i++ {
		err = im.locateOne(ctx, ids[i], batch)
		if progress != nil {
			progress(i + 1)
		}
	}
	report.Rows, report.Elapsed = len(ids), time.Since(began)
	if err != nil {
		report.Incomplete = err.Error()
		return report, fmt.Errorf("locate: %w", err)
	}
	return report, nil
}

func (im *importer) locateOne(ctx context.Context, id directory.ID, batch string) error {
	e, err := im.d.Entry(ctx, id)
	if errors.Is(err, directory.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	rec := &record{row: &row{}, entry: e, given: map[string]bool{}}
	if err := im.locate(ctx, rec, nil); err != nil {
		return err
	}
	for _, w := range rec.warnings {
		im.report.warn(w)
	}
	if len(rec.entry.Sites) == 0 {
		im.report.NoPosition++
		im.report.Unchanged++
		return nil
	}
	outcomes, err := im.d.Write(ctx, directory.Write{Author: Author, Batch: batch, Entries: []directory.Entry{rec.entry}})
	if err != nil {
		return err
	}
	if outcomes[0].Err != nil {
		im.refuse(rec, outcomes[0].Err)
		return nil
	}
	im.report.Updated++
	return nil
}
