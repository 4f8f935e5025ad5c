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
	recordsSchema,
}

// inspect refuses a file that is not ours before anything touches it.
func (s *Store) inspect(ctx context.Context) error {
	db, err := sql.Open("sqlite", plainDSN(s.path)+"&_pragma=query_only(1)")
	if err != nil {
		return s.fail(ctx, "open "+s.path, err)
	}
	defer db.Close()
	_, err = s.version(ctx, db)
	return err
}

type queryer interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// version returns the version of the schema, 0 for an empty file.
func (s *Store) version(ctx context.Context, q queryer) (version int, err error) {
	var tables, id int
	// One statement, for another process may be migrating.
	err = q.QueryRowContext(ctx, `SELECT (SELECT count(*) FROM sqlite_schema), user_version, application_id
		FROM pragma_user_version, pragma_application_id`).Scan(&tables, &version, &id)
	if err != nil {
		return 0, s.fail(ctx, "open "+s.path, err)
	}
	switch {
	case tables == 0 && version == 0:
		return 0, nil
	case id != applicationID:
		return 0, fmt.Errorf("open %s: %w: this is another program's database", s.path, directory.ErrCorrupt)
	case version <= 0 || version > len(migrations):
		return 0, fmt.Errorf("open %s: %w: its schema has version %d, this program knows versions up to %d; use a newer one",
			s.path, directory.ErrCorrupt, version, len(migrations))
	}
	return version, nil
}

// migrate runs in one transaction per step, so that two processes starting together do each step once and a crash
// leaves a whole version.
func (s *Store) migrate(ctx context.Context) error {
	for {
		version, err := s.version(ctx, s.read)
		if err != nil || version == len(migrations) {
			return err
		}
		tx, err := s.write.BeginTx(ctx, nil)
		if err != nil {
			return s.fail(ctx, "open "+s.path, err)
		}
		if err := s.step(ctx, tx); err != nil {
			tx.Rollback()
			return err
		}
		if err := tx.Commit(); err != nil {
			return s.fail(ctx, "open "+s.path, err)
		}
	}
}

func (s *Store) step(ctx context.Context, tx *sql.Tx) error {
	version, err := s.version(ctx, tx)
	if err != nil || version == len(migrations) { // another process was faster
		return err
	}
	_, err = tx.ExecContext(ctx, fmt.Sprintf("%s; PRAGMA application_id = %d; PRAGMA user_version = %d",
		migrations[version], applicationID, version+1))
	if err != nil {
		return s.fail(ctx, "open "+s.path, err)
	}
	return nil
}
