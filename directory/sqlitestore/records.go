package sqlitestore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"archipel/directory"
)

// recordsSchema is a migration: expires is in milliseconds since 1970, 0 for never.
const recordsSchema = `CREATE TABLE records (
		kind    TEXT NOT NULL,
		key     TEXT NOT NULL,
		rev     INTEGER NOT NULL,
		expires INTEGER NOT NULL,
		value   BLOB NOT NULL,
		PRIMARY KEY (kind, key)
	) STRICT, WITHOUT ROWID;
	CREATE INDEX records_expires ON records (expires) WHERE expires > 0;`

// purgeEvery is how many writes of records go by between two sweeps of those that expired.
const purgeEvery = 64

const (
	alive = "(expires = 0 OR expires > ?)"

	revisionSQL  = "SELECT rev FROM records WHERE kind = ? AND key = ? AND " + alive
	putRecordSQL = `INSERT INTO records (kind, key, rev, expires, value) VALUES (?, ?, ?, ?, ?)
		ON CONFLICT (kind, key) DO UPDATE SET rev = excluded.rev, expires = excluded.expires, value = excluded.value`
	deleteRecordSQL = "DELETE FROM records WHERE kind = ? AND key = ?"
)

// Record returns a record, with Rev 0 when absent.
func (s *Store) Record(ctx context.Context, kind, key string) (directory.Record, error) {
	r := directory.Record{Key: key}
	var expires int64
	err := s.reads.row(ctx, "SELECT rev, expires, value FROM records WHERE kind = ? AND key = ? AND "+alive,
		kind, key, time.Now().UnixMilli()).Scan(&r.Rev, &expires, &r.Value)
	if errors.Is(err, sql.ErrNoRows) {
		return directory.Record{Key: key}, nil
	}
	if err != nil {
		return directory.Record{}, s.fail(ctx, "record "+kind, err)
	}
	r.Expires = expiry(expires)
	return r, nil
}

// PutRecord writes r if the stored revision is r.Rev.
func (s *Store) PutRecord(ctx context.Context, kind string, r directory.Record) error {
	if err := directory.CheckRecord(kind, r); err != nil {
		return err
	}
	return s.inTx(ctx, "record "+kind, func(tx *sql.Tx) error {
		stands, err := s.revision(ctx, tx, kind, r.Key)
		if err != nil {
			return err
		}
		if stands != r.Rev {
			return fmt.Errorf("%w: revision %d stands, not %d", directory.ErrStale, stands, r.Rev)
		}
		var expires int64
		if !r.Expires.IsZero() {
			expires = max(1, r.Expires.UnixMilli())
		}
		_, err = s.in(ctx, tx, putRecordSQL).ExecContext(ctx, kind, r.Key, r.Rev+1, expires, r.Value)
		if err == nil && s.recordWrites.Add(1)%purgeEvery == 0 {
			_, err = tx.ExecContext(ctx, "DELETE FROM records WHERE expires > 0 AND expires <= ?", time.Now().UnixMilli())
		}
		return err
	})
}

// DeleteRecord erases a record if the stored revision is rev, or rev is 0.
func (s *Store) DeleteRecord(ctx context.Context, kind, key string, rev int64) error {
	return s.inTx(ctx, "record "+kind, func(tx *sql.Tx) error {
		if rev != 0 {
			stands, err := s.revision(ctx, tx, kind, key)
			if err != nil {
				return err
			}
			if stands != rev {
				return fmt.Errorf("%w: revision %d stands, not %d", directory.ErrStale, stands, rev)
			}
		}
		_, err := s.in(ctx, tx, deleteRecordSQL).ExecContext(ctx, kind, key)
		return err
	})
}

// Records returns up to limit records of a kind after a key, ascending.
func (s *Store) Records(ctx context.Context, kind, after string, limit int) ([]directory.Record, error) {
	if limit <= 0 {
		return nil, nil
	}
	rows, err := s.reads.query(ctx, "SELECT key, rev, expires, value FROM records WHERE kind = ? AND key > ? AND "+alive+" ORDER BY key LIMIT ?",
		kind, after, time.Now().UnixMilli(), limit)
	if err != nil {
		return nil, s.fail(ctx, "records "+kind, err)
	}
	defer rows.Close()
	var out []directory.Record
	for rows.Next() {
		var r directory.Record
		var expires int64
		if err := rows.Scan(&r.Key, &r.Rev, &expires, &r.Value); err != nil {
			return nil, s.fail(ctx, "records "+kind, err)
		}
		r.Expires = expiry(expires)
		out = append(out, r)
	}
	if err := rows.Err(); err != nil {
		return nil, s.fail(ctx, "records "+kind, err)
	}
	return out, nil
}

// RecordKinds returns the kinds that have records, sorted.
func (s *Store) RecordKinds(ctx context.Context) ([]string, error) {
	rows, err := s.reads.query(ctx, "SELECT DISTINCT kind FROM records WHERE "+alive+" ORDER BY kind", time.Now().UnixMilli())
	if err != nil {
		return nil, s.fail(ctx, "kinds of records", err)
	}
	defer rows.Close()
	var kinds []string
	for rows.Next() {
		var k string
		if err := rows.Scan(&k); err != nil {
			return nil, s.fail(ctx, "kinds of records", err)
		}
		kinds = append(kinds, k)
	}
	if err := rows.Err(); err != nil {
		return nil, s.fail(ctx, "kinds of records", err)
	}
	return kinds, nil
}

// revision is the one that stands, 0 for a record that is absent or has expired.
func (s *Store) revision(ctx context.Context, tx *sql.Tx, kind, key string) (rev int64, err error) {
	err = s.in(ctx, tx, revisionSQL).QueryRowContext(ctx, kind, key, time.Now().UnixMilli()).Scan(&rev)
	if errors.Is(err, sql.ErrNoRows) {
		err = nil
	}
	return rev, err
}

func expiry(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}
