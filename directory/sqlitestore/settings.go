package sqlitestore

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"archipel/directory"
)

// Cursor returns a follower's durable position.
func (s *Store) Cursor(ctx context.Context, name string) (directory.Seq, error) {
	var at directory.Seq
	err := s.reads.row(ctx, "SELECT at FROM cursors WHERE name = ?", name).Scan(&at)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return 0, s.fail(ctx, "cursor "+name, err)
	}
	return at, nil
}

// SaveCursor makes a follower's position durable.
func (s *Store) SaveCursor(ctx context.Context, name string, at directory.Seq) error {
	return s.inTx(ctx, "cursor "+name, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "INSERT INTO cursors (name, at) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET at = excluded.at", name, at)
		return err
	})
}

// MoveCursors makes several positions durable in one transaction.
func (s *Store) MoveCursors(ctx context.Context, moves []directory.CursorMove) (stale []string, err error) {
	if len(moves) == 0 {
		return nil, nil
	}
	err = s.inTx(ctx, "cursors", func(tx *sql.Tx) error {
		stale = nil
		// A position that is absent is 0, whatever is in the row's place.
		put, err := tx.PrepareContext(ctx, `INSERT INTO cursors (name, at) SELECT ?1, ?3 WHERE ?2 = 0 OR EXISTS (SELECT 1 FROM cursors WHERE name = ?1)
			ON CONFLICT (name) DO UPDATE SET at = excluded.at WHERE cursors.at = ?2`)
		if err != nil {
			return err
		}
		defer put.Close()
		for _, m := range moves {
			res, err := put.ExecContext(ctx, m.Name, m.From, m.To)
			if err != nil {
				return err
			}
			if n, err := res.RowsAffected(); err != nil {
				return err
			} else if n == 0 {
				stale = append(stale, m.Name)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return stale, nil
}

// Setting returns a document and its revision, nil and 0 when absent.
func (s *Store) Setting(ctx context.Context, key string) (value []byte, rev int64, err error) {
	err = s.reads.row(ctx, "SELECT value, rev FROM settings WHERE key = ?", key).Scan(&value, &rev)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, 0, nil
	}
	if err != nil {
		return nil, 0, s.fail(ctx, "setting "+key, err)
	}
	return value, rev, nil
}

// PutSetting writes value if the stored revision is rev.
func (s *Store) PutSetting(ctx context.Context, key string, value []byte, rev int64) error {
	if !json.Valid(value) {
		return fmt.Errorf("setting %s: the value is not JSON", key)
	}
	return s.inTx(ctx, "setting "+key, func(tx *sql.Tx) error {
		var stands int64
		err := tx.QueryRowContext(ctx, "SELECT rev FROM settings WHERE key = ?", key).Scan(&stands)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		if stands != rev {
			return fmt.Errorf("%w: revision %d stands, not %d", directory.ErrStale, stands, rev)
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO settings (key, rev, value) VALUES (?, ?, ?)
			ON CONFLICT (key) DO UPDATE SET rev = excluded.rev, value = excluded.value`, key, rev+1, value)
		return err
	})
}

// Settings returns the keys of all settings, sorted.
func (s *Store) Settings(ctx context.Context) ([]string, error) {
	rows, err := s.reads.query(ctx, "SELECT key FROM settings ORDER BY key")
	if err != nil {
		return nil, s.fail(ctx, "settings", err)
	}
	defer rows.Close()
	var keys []string
	for rows.Next() {
		var k string
		if err := rows.Scan(&k); err != nil {
			return nil, s.fail(ctx, "settings", err)
		}
		keys = append(keys, k)
	}
	if err := rows.Err(); err != nil {
		return nil, s.fail(ctx, "settings", err)
	}
	return keys, nil
}
