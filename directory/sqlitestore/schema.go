package sqlitestore

import (
	"context"
	"database/sql"
	"fmt"

	"archipel/directory"
)

// applicationID marks the file as ours in its header ("Arch").
const applicationID = 0x41726368

// migrations bring the schema from version i to i+1. Never change one that was released: append the next.
var migrations = []string{
	// meta is the change as JSON, entry what directory.EncodeStored writes; so is body.
	`CREATE TABLE changes (
		seq      INTEGER PRIMARY KEY,
		entry_id TEXT NOT NULL,
		batch    TEXT NOT NULL,
		meta     BLOB NOT NULL,
		entry    BLOB NOT NULL
	) STRICT;
	CREATE INDEX changes_entry ON changes (entry_id, seq);
	CREATE INDEX changes_batch ON changes (batch, seq) WHERE batch <> '';
	CREATE TABLE entries (
		id      TEXT PRIMARY KEY,
		version INTEGER NOT NULL,
		body    BLOB NOT NULL
	) STRICT;
	CREATE TABLE cursors (
		name TEXT PRIMARY KEY,
		at   INTEGER NOT NULL
	) STRICT, WITHOUT ROWID;
	CREATE TABLE settings (
		key   TEXT PRIMARY KEY,
		rev   INTEGER NOT NULL,
		value BLOB NOT NULL
	) STRICT, WITHOUT ROWID;`,
}

// migrate runs in one transaction per step, so that two processes starting together do each step once and a crash
// leaves a whole version.
func (s *Store) migrate(ctx context.Context) error {
	fail := func(err error) error { return s.fail(ctx, "open "+s.path, err) }
	for {
		var version int
		if err := s.read.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version); err != nil {
			return fail(err)
		}
		if version == len(migrations) {
			return s.checkOwner(ctx, s.read)
		}
		tx, err := s.write.BeginTx(ctx, nil)
		if err != nil {
			return fail(err)
		}
		if err := s.step(ctx, tx); err != nil {
			tx.Rollback()
			return err
		}
		if err := tx.Commit(); err != nil {
			return fail(err)
		}
	}
}

func (s *Store) step(ctx context.Context, tx *sql.Tx) error {
	fail := func(err error) error { return s.fail(ctx, "open "+s.path, err) }
	var version, tables int
	if err := tx.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version); err != nil {
		return fail(err)
	}
	if err := tx.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_schema").Scan(&tables); err != nil {
		return fail(err)
	}
	if version > 0 || tables > 0 {
		if err := s.checkOwner(ctx, tx); err != nil {
			return err
		}
	}
	switch {
	case version == len(migrations): // another process was faster
		return nil
	case version < 0 || version > len(migrations):
		return fmt.Errorf("open %s: %w: its schema has version %d, this program knows versions up to %d; use a newer one",
			s.path, directory.ErrCorrupt, version, len(migrations))
	}
	_, err := tx.ExecContext(ctx, fmt.Sprintf("%s; PRAGMA application_id = %d; PRAGMA user_version = %d",
		migrations[version], applicationID, version+1))
	if err != nil {
		return fail(err)
	}
	return nil
}

type queryer interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

func (s *Store) checkOwner(ctx context.Context, q queryer) error {
	var id int64
	if err := q.QueryRowContext(ctx, "PRAGMA application_id").Scan(&id); err != nil {
		return s.fail(ctx, "open "+s.path, err)
	}
	if id != applicationID {
		return fmt.Errorf("open %s: %w: this is another program's database", s.path, directory.ErrCorrupt)
	}
	return nil
}
