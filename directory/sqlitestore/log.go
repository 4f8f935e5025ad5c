package sqlitestore

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"

	"archipel/directory"
)

const (
	headSQL    = "SELECT coalesce(max(seq), 0) FROM changes"
	logSQL     = "INSERT INTO changes (seq, entry_id, batch, meta, entry) VALUES (?, ?, ?, ?, ?)"
	projectSQL = `INSERT INTO entries (id, version, body) VALUES (?, ?, ?)
		ON CONFLICT (id) DO UPDATE SET version = excluded.version, body = excluded.body`
)

// Head returns the Seq of the newest change.
func (s *Store) Head(ctx context.Context) (directory.Seq, error) {
	var head directory.Seq
	err := s.reads.row(ctx, headSQL).Scan(&head)
	if err != nil {
		return 0, s.fail(ctx, "head", err)
	}
	return head, nil
}

// Append writes all of changes and their entries, or, with an error, none.
func (s *Store) Append(ctx context.Context, after directory.Seq, changes []directory.Change) (stands int, err error) {
	rows, err := encode(after, changes)
	if err != nil {
		return 0, err
	}
	if err := s.inTx(ctx, "append", func(tx *sql.Tx) error { return s.insert(ctx, tx, after, rows) }); err != nil {
		return 0, err
	}
	return len(changes), nil
}

type row struct {
	seq         directory.Seq
	id          directory.ID
	batch       string
	meta, entry []byte
}

// encode runs before the transaction begins, so that the file is locked for as short as possible.
func encode(after directory.Seq, changes []directory.Change) ([]row, error) {
	rows := make([]row, len(changes))
	for i := range changes {
		c := &changes[i]
		if want := after + 1 + directory.Seq(i); c.Seq != want || c.Entry.Version != want {
			return nil, fmt.Errorf("append: change %d has seq %d and version %d: want %d", i, c.Seq, c.Entry.Version, want)
		}
		if c.ID == "" || c.Entry.ID == "" {
			return nil, fmt.Errorf("append: change %d has no id, or its entry has none", c.Seq)
		}
		meta, err := json.Marshal(c)
		if err != nil {
			return nil, fmt.Errorf("append: change %d: %w", c.Seq, err)
		}
		entry, err := directory.EncodeStored(&c.Entry)
		if err != nil {
			return nil, fmt.Errorf("append: entry %s: %w", c.Entry.ID, err)
		}
		rows[i] = row{c.Seq, c.Entry.ID, c.Batch, meta, entry}
	}
	return rows, nil
}

func (s *Store) insert(ctx context.Context, tx *sql.Tx, after directory.Seq, rows []row) error {
	var head directory.Seq
	if err := s.in(ctx, tx, headSQL).QueryRowContext(ctx).Scan(&head); err != nil {
		return err
	}
	if head != after {
		return fmt.Errorf("%w: the newest change is %d, not %d", directory.ErrStale, head, after)
	}
	if len(rows) == 0 {
		return nil
	}
	log, project := s.in(ctx, tx, logSQL), s.in(ctx, tx, projectSQL)
	for _, r := range rows {
		if _, err := log.ExecContext(ctx, r.seq, r.id, r.batch, r.meta, r.entry); err != nil {
			return err
		}
		if _, err := project.ExecContext(ctx, r.id, r.seq, r.entry); err != nil {
			return err
		}
	}
	return nil
}

// inTx runs f holding the write lock, and commits.
func (s *Store) inTx(ctx context.Context, op string, f func(*sql.Tx) error) error {
	if err := s.present(); err != nil {
		return fmt.Errorf("%s: %w", op, err)
	}
	tx, err := s.write.BeginTx(ctx, nil)
	if err != nil {
		return s.fail(ctx, op, err)
	}
	if err := f(tx); err != nil {
		tx.Rollback()
		return s.fail(ctx, op, err)
	}
	if err := tx.Commit(); err != nil {
		return s.fail(ctx, op, err)
	}
	return nil
}

// Changes returns up to limit changes after a Seq, ascending.
func (s *Store) Changes(ctx context.Context, after directory.Seq, limit int) ([]directory.Change, error) {
	return s.changes(ctx, "changes", limit, "SELECT meta, entry FROM changes WHERE seq > ? ORDER BY seq LIMIT ?", after)
}

// History returns up to limit changes of one entry, newest first.
func (s *Store) History(ctx context.Context, id directory.ID, before directory.Seq, limit int) ([]directory.Change, error) {
	if before <= 0 {
		before = 1<<63 - 1
	}
	return s.changes(ctx, "history of "+string(id), limit,
		"SELECT meta, entry FROM changes WHERE entry_id = ? AND seq < ? ORDER BY seq DESC LIMIT ?", id, before)
}

// Batch returns up to limit changes of an import batch, ascending.
func (s *Store) Batch(ctx context.Context, batch string, after directory.Seq, limit int) ([]directory.Change, error) {
	if batch == "" {
		return nil, nil
	}
	return s.changes(ctx, "batch "+batch, limit,
		"SELECT meta, entry FROM changes WHERE batch = ? AND batch <> '' AND seq > ? ORDER BY seq LIMIT ?", batch, after)
}

func (s *Store) changes(ctx context.Context, op string, limit int, query string, args ...any) ([]directory.Change, error) {
	if limit <= 0 {
		return nil, nil // SQLite takes a negative limit for none
	}
	rows, err := s.read.QueryContext(ctx, query, append(args, limit)...)
	if err != nil {
		return nil, s.fail(ctx, op, err)
	}
	out, err := collect(rows)
	if err != nil {
		return nil, s.fail(ctx, op, err)
	}
	return out, nil
}

func collect(rows *sql.Rows) ([]directory.Change, error) {
	defer rows.Close()
	var out []directory.Change
	for rows.Next() {
		var meta, entry sql.RawBytes
		if err := rows.Scan(&meta, &entry); err != nil {
			return nil, err
		}
		c, err := decode(meta, entry)
		if err != nil {
			return nil, err
		}
		out = append(out, c)
	}
	return out, rows.Err()
}

func decode(meta, entry []byte) (c directory.Change, err error) {
	if err := json.Unmarshal(meta, &c); err != nil {
		return c, fmt.Errorf("stored change: %w: %w", directory.ErrCorrupt, err)
	}
	return c, directory.DecodeStored(entry, &c.Entry)
}

// Redact erases the content of an entry's changes up to a Seq, from the file too: what was there is overwritten.
func (s *Store) Redact(ctx context.Context, id directory.ID, upTo directory.Seq) (erased int, err error) {
	op := "redact " + string(id)
	err = s.inTx(ctx, op, func(tx *sql.Tx) error {
		erased = 0
		for after := directory.Seq(0); ; {
			page, err := upToChanges(ctx, tx, id, after, upTo)
			if err != nil || len(page) == 0 {
				return err
			}
			for i := range page {
				if page[i].Redacted {
					continue
				}
				if err := blank(ctx, tx, &page[i]); err != nil {
					return err
				}
				erased++
			}
			after = page[len(page)-1].Seq
		}
	})
	if err != nil {
		return 0, err
	}
	if erased > 0 {
		// The log beside the file still holds the pages as they were. Readers may keep it a little longer.
		s.write.ExecContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)")
	}
	return erased, nil
}

func upToChanges(ctx context.Context, tx *sql.Tx, id directory.ID, after, upTo directory.Seq) ([]directory.Change, error) {
	rows, err := tx.QueryContext(ctx, `SELECT meta, entry FROM changes WHERE entry_id = ? AND seq > ? AND seq <= ? ORDER BY seq LIMIT 100`, id, after, upTo)
	if err != nil {
		return nil, err
	}
	return collect(rows)
}

func blank(ctx context.Context, tx *sql.Tx, c *directory.Change) error {
	c.Redacted, c.Note = true, ""
	meta, err := json.Marshal(c)
	if err != nil {
		return err
	}
	entry, err := directory.EncodeStored(&directory.Entry{ID: c.Entry.ID, Kind: c.Entry.Kind, Origin: c.Entry.Origin, Status: c.Entry.Status, Version: c.Entry.Version})
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, "UPDATE changes SET meta = ?, entry = ? WHERE seq = ?", meta, entry, c.Seq)
	return err
}
