package transfer

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"archipel/directory"
)

// ErrNoBatch reports that no change belongs to the batch.
var ErrNoBatch = errors.New("no import of that name")

// UndoReport tells what taking back an import did.
type UndoReport struct {
	Batch    string  `json:"batch"`
	Removed  int     `json:"removed"`  // the import had created them
	Restored int     `json:"restored"` // the import had changed them
	Already  int     `json:"already"`  // taken back before
	Kept     []Issue `json:"kept,omitempty"`
}

// String gives the report for people.
func (r *UndoReport) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "Took back import %s: %d entries removed, %d as they were before", r.Batch, r.Removed, r.Restored)
	if r.Already > 0 {
		fmt.Fprintf(&b, ", %d had been taken back already", r.Already)
	}
	b.WriteByte('\n')
	if len(r.Kept) > 0 {
		fmt.Fprintf(&b, "\nLeft as they are, because somebody changed them since (%d):\n", len(r.Kept))
		for _, i := range r.Kept {
			fmt.Fprintf(&b, "  %s\n", i)
		}
	}
	return b.String()
}

// touched is what a batch did to one entry.
type touched struct {
	id          directory.ID
	first, last directory.Seq
	created     bool
}

// Undo takes an import back: entries that it created are removed, entries that it changed become what they were.
// Entries that somebody else has changed since stay as they are and are named in the report. It may be run again after
// it was interrupted. An unknown batch is ErrNoBatch.
func Undo(ctx context.Context, d *directory.Directory, batch string) (*UndoReport, error) {
	report := &UndoReport{Batch: batch}
	all, err := batchEntries(ctx, d, batch)
	if err != nil {
		return report, fmt.Errorf("undo %s: %w", batch, err)
	}
	if len(all) == 0 || batch == "" {
		return report, fmt.Errorf("undo %.80q: %w", batch, ErrNoBatch)
	}
	for len(all) > 0 {
		n := min(len(all), batchSize)
		if err := undoSome(ctx, d, batch, all[:n], report); err != nil {
			return report, fmt.Errorf("undo %s: %w", batch, err)
		}
		all = all[n:]
	}
	return report, nil
}

// batchEntries lists what the batch touched, in the order in which it did.
func batchEntries(ctx context.Context, d *directory.Directory, batch string) ([]touched, error) {
	var all []touched
	index := map[directory.ID]int{}
	for after := directory.Seq(0); ; {
		changes, err := d.Batch(ctx, batch, after, 500)
		if err != nil {
			return nil, err
		}
		if len(changes) == 0 {
			return all, nil
		}
		for i := range changes {
			c := &changes[i]
			k, known := index[c.Entry.ID]
			if !known {
				k = len(all)
				index[c.Entry.ID] = k
				all = append(all, touched{id: c.Entry.ID, first: c.Seq, created: c.Op == directory.OpCreate})
			}
			all[k].last = c.Seq
		}
		after = changes[len(changes)-1].Seq
	}
}

func undoSome(ctx context.Context, d *directory.Directory, batch string, some []touched, report *UndoReport) error {
	if err := d.Refresh(ctx); err != nil {
		return err
	}
	ids := make([]directory.ID, len(some))
	for i := range some {
		ids[i] = some[i].id
	}
	found, err := d.Entries(ctx, ids)
	if err != nil {
		return err
	}
	standing := make(map[directory.ID]*directory.Entry, len(found))
	for i := range found {
		standing[found[i].ID] = &found[i]
	}
	// Removals and restorations are two operations, hence two writes.
	work := map[directory.Op][]directory.Entry{}
	for _, t := range some {
		current := standing[t.id]
		if current == nil {
			continue
		}
		e, op, err := before(ctx, d, batch, t, current, report)
		if err != nil {
			return err
		}
		if op != "" {
			work[op] = append(work[op], e)
		}
	}
	for _, op := range []directory.Op{directory.OpRevert, directory.OpRemove} {
		if len(work[op]) == 0 {
			continue
		}
		outcomes, err := d.Write(ctx, directory.Write{Author: Author, Op: op, Batch: undoBatch(batch), Note: batch, Entries: work[op]})
		if err != nil {
			return err
		}
		for i, out := range outcomes {
			e := &work[op][i]
			switch {
			case out.Err != nil:
				report.keep(e, "cannot be put back: "+out.Err.Error())
			case op == directory.OpRemove:
				report.Removed++
			default:
				report.Restored++
			}
		}
	}
	return nil
}

// before returns the entry as it was before the batch and how to write it; no op when it must stay as it is.
func before(ctx context.Context, d *directory.Directory, batch string, t touched, current *directory.Entry, report *UndoReport) (directory.Entry, directory.Op, error) {
	if current.Version != t.last {
		since, err := d.History(ctx, t.id, 0, 1)
		if err != nil {
			return directory.Entry{}, "", err
		}
		if len(since) > 0 && since[0].Batch == undoBatch(batch) {
			report.Already++
			return directory.Entry{}, "", nil
		}
		who := "somebody"
		if len(since) > 0 {
			switch c := &since[0]; {
			case byMachine(c):
				who = "import " + c.Batch
			case c.Author != "":
				who = c.Author
			}
		}
		report.keep(current, "changed since by "+who)
		return directory.Entry{}, "", nil
	}
	if t.created {
		e := current.Clone()
		e.Status = directory.Removed
		return e, directory.OpRemove, nil
	}
	past, err := d.History(ctx, t.id, t.first, 1)
	if err != nil {
		return directory.Entry{}, "", err
	}
	if len(past) == 0 || past[0].Redacted {
		report.keep(current, "what it was before was erased")
		return directory.Entry{}, "", nil
	}
	e := past[0].Entry.Clone()
	e.Version = current.Version
	if e.Status == directory.Removed { // the import had revived what an earlier undo removed
		return e, directory.OpRemove, nil
	}
	return e, directory.OpRevert, nil
}

func (r *UndoReport) keep(e *directory.Entry, text string) {
	r.Kept = append(r.Kept, Issue{Name: e.Name, Field: string(e.ID), Code: CodeKeptLocal, Text: text})
}
