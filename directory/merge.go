package directory

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Merge is a request to make one entry of two that are the same.
type Merge struct {
	Author, Note              string
	Kept, Other               ID
	KeptVersion, OtherVersion Seq             // as the editor saw them
	Choice                    map[string]Side // by the field of [MergeFields]; what is not named is preferred
	Team                      bool            // who keeps the other keeps the result too
}

// Merging and taking a merge back are two changes each, which may be far apart when the process dies in between. The entry
// that is kept is written first, so that nothing is lost at any moment; the batch of that change names the other entry and
// its version, so that [Merges] can make the second change from the log alone.
const (
	mergePrefix   = "merge:"
	unmergePrefix = "unmerge:"
)

func mergeBatch(prefix string, other ID, version Seq) string {
	return prefix + string(other) + ":" + strconv.FormatInt(int64(version), 10)
}

// parseMerge reads a name that mergeBatch wrote.
func parseMerge(batch, prefix string) (other ID, version Seq, ok bool) {
	rest, ok := strings.CutPrefix(batch, prefix)
	id, number, cut := strings.Cut(rest, ":")
	n, err := strconv.ParseInt(number, 10, 64)
	return ID(id), Seq(n), ok && cut && err == nil && ID(id).Valid()
}

// isMerge reports whether a write is half of a merge, or of taking one back: for a moment both entries may then have the key
// of one record of a source.
func isMerge(batch string) bool {
	return strings.HasPrefix(batch, mergePrefix) || strings.HasPrefix(batch, unmergePrefix)
}

// Mergeable says why two entries cannot be made one, as [Invalid] that names the field; nil when they can.
func Mergeable(kept, other *Entry) error {
	bad := func(field, code string, value any) error {
		return Invalid{{Field: field, Code: code, Params: map[string]any{"value": value}}}
	}
	switch {
	case kept.ID == other.ID:
		return bad("other", CodeInvalid, string(other.ID))
	case kept.Origin != "" || other.Origin != "":
		return bad("origin", CodeImmutable, kept.Origin+other.Origin)
	case !kept.Public():
		return bad("kept", CodeInvalid, string(kept.Status))
	case other.Status == Removed || other.Status == Draft:
		return bad("other", CodeInvalid, string(other.Status))
	case (kept.Kind == Event) != (other.Kind == Event):
		return bad("kind", CodeInvalid, string(other.Kind))
	}
	return nil
}

// Merge unites two entries of ours in the first (see [Unite]); the second is removed, names the first as the entry in which
// it lives on, and its addresses lead there. It returns the kept entry as it stands.
//
// Errors are [Invalid] when the two cannot be one (see [Mergeable]), and [*ConflictError] when one of them is not at the
// version that the editor saw. Asking again for a merge that stands changes nothing.
func (d *Directory) Merge(ctx context.Context, m Merge) (Entry, error) {
	kept, err := d.Entry(ctx, m.Kept)
	if err != nil {
		return Entry{}, err
	}
	other, err := d.Entry(ctx, m.Other)
	if err != nil {
		return Entry{}, err
	}
	if other.Status == Removed && other.MergedInto == kept.ID {
		return kept, nil
	}
	if err := Mergeable(&kept, &other); err != nil {
		return kept, err
	}
	for _, one := range []struct {
		e    *Entry
		seen Seq
	}{{&kept, m.KeptVersion}, {&other, m.OtherVersion}} {
		if one.e.Version != one.seen {
			return kept, &ConflictError{Theirs: *one.e}
		}
	}
	batch := mergeBatch(mergePrefix, other.ID, other.Version)
	kept, err = d.writeOne(ctx, Write{Author: m.Author, Op: OpMerge, Batch: batch, Note: m.Note, Entries: []Entry{Unite(&kept, &other, m.Choice, m.Team)}})
	if err != nil {
		return kept, err
	}
	return kept, d.finishMerge(ctx, m.Author, m.Note, batch, kept.ID)
}

func (d *Directory) writeOne(ctx context.Context, w Write) (Entry, error) {
	outcomes, err := d.Write(ctx, w)
	if err != nil {
		return Entry{}, err
	}
	return outcomes[0].Entry, outcomes[0].Err
}

// finishMerge is the second half of a merge; it may be done again.
func (d *Directory) finishMerge(ctx context.Context, author, note, batch string, kept ID) error {
	id, version, ok := parseMerge(batch, mergePrefix)
	if !ok {
		return nil
	}
	other, err := d.Entry(ctx, id)
	if err != nil {
		return err
	}
	if other.Status == Removed && other.MergedInto == kept {
		return nil
	}
	if other.Version != version {
		return &ConflictError{Theirs: other}
	}
	other.Status, other.MergedInto = Removed, kept
	_, err = d.writeOne(ctx, Write{Author: author, Op: OpMerge, Batch: batch, Note: note, Entries: []Entry{other}})
	return err
}

// Unmerge takes a merge back: the entry that was merged stands again as it was, and the one it was merged into loses what
// came from it, except where somebody changed that since. version is that of the merged entry, as the editor saw it.
//
// Errors are [Invalid] when id is not merged into anything, and [*ConflictError] when version is not the one that stands.
func (d *Directory) Unmerge(ctx context.Context, author, note string, id ID, version Seq) (Entry, error) {
	other, err := d.Entry(ctx, id)
	if err != nil {
		return Entry{}, err
	}
	if other.Status != Removed || other.MergedInto == "" {
		return other, Invalid{{Field: "mergedInto", Code: CodeRequired}}
	}
	if other.Version != version {
		return other, &ConflictError{Theirs: other}
	}
	batch := mergeBatch(unmergePrefix, id, version)
	now, before, after, err := d.merged(ctx, &other)
	if err != nil {
		return other, err
	}
	if before != nil {
		e := undone(now, before, after)
		if _, err := d.writeOne(ctx, Write{Author: author, Op: OpRevert, Batch: batch, Note: note, Entries: []Entry{e}}); err != nil {
			return other, err
		}
	}
	return d.finishUnmerge(ctx, author, note, batch)
}

// merged finds what a merge changed in the entry that was kept. before is nil when that was nothing, or is not known any
// more, or when the kept entry is gone.
func (d *Directory) merged(ctx context.Context, other *Entry) (now, before, after *Entry, err error) {
	var batch string
	for last := Seq(0); batch == ""; { // who keeps it may have changed since, when an account was deleted
		changes, err := d.History(ctx, other.ID, last, 50)
		if err != nil || len(changes) == 0 {
			return nil, nil, nil, err
		}
		for i := range changes {
			if _, _, ok := parseMerge(changes[i].Batch, mergePrefix); ok && changes[i].Entry.MergedInto == other.MergedInto {
				batch = changes[i].Batch
				break
			}
			last = changes[i].Seq
		}
	}
	changes, err := d.Batch(ctx, batch, 0, 100)
	if err != nil {
		return nil, nil, nil, err
	}
	kept, err := d.Entry(ctx, other.MergedInto)
	if err != nil || kept.Status == Removed && kept.MergedInto == "" {
		return nil, nil, nil, err
	}
	for i := range changes {
		c := &changes[i]
		if c.Entry.ID != kept.ID || c.Op != OpMerge || c.Redacted {
			continue
		}
		past, err := d.History(ctx, kept.ID, c.Seq, 1)
		if err != nil || len(past) == 0 || past[0].Redacted {
			return nil, nil, nil, err
		}
		return &kept, &past[0].Entry, &c.Entry, nil
	}
	return nil, nil, nil, nil
}

// finishUnmerge is the second half of taking a merge back; it may be done again.
func (d *Directory) finishUnmerge(ctx context.Context, author, note, batch string) (Entry, error) {
	id, version, ok := parseMerge(batch, unmergePrefix)
	if !ok {
		return Entry{}, fmt.Errorf("%.80q is no merge: %w", batch, ErrNotFound)
	}
	e, err := d.Entry(ctx, id)
	if err != nil || e.Version != version || e.MergedInto == "" {
		return e, err
	}
	status := Published
	changes, err := d.History(ctx, id, version+1, 50)
	if err != nil {
		return e, err
	}
	for i := range changes { // what it was before it was merged
		if s := changes[i].Entry.Status; s != Removed {
			status = s
			break
		}
	}
	e.Status, e.MergedInto = status, ""
	return d.writeOne(ctx, Write{Author: author, Op: OpRevert, Batch: batch, Note: note, Entries: []Entry{e}})
}

// Merges is the [Follower] that makes the second change of a merge, or of taking one back, when the process died after the
// first. Where somebody changed the other entry in between it stays as it is, for a moderator to look at.
type Merges struct{ Directory *Directory }

// Name implements [Follower].
func (Merges) Name() string { return "merges" }

// Shared implements [Shared].
func (Merges) Shared() bool { return true }

// Consume implements [Follower].
func (m Merges) Consume(ctx context.Context, changes []Change) error {
	for i := range changes {
		c := &changes[i]
		var err error
		if other, _, ok := parseMerge(c.Batch, mergePrefix); ok && other != c.Entry.ID {
			err = m.Directory.finishMerge(ctx, c.Author, c.Note, c.Batch, c.Entry.ID)
		} else if other, _, ok := parseMerge(c.Batch, unmergePrefix); ok && other != c.Entry.ID {
			_, err = m.Directory.finishUnmerge(ctx, c.Author, c.Note, c.Batch)
		}
		var conflict *ConflictError
		var invalid Invalid
		if err != nil && !errors.As(err, &conflict) && !errors.As(err, &invalid) && !errors.Is(err, ErrNotFound) {
			return err
		}
	}
	return nil
}
