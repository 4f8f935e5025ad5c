package sqlitestore

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"

	"archipel/directory"
)

// MaxIDs is how many ids [Store.Entries] takes.
const MaxIDs = 500

// Entries returns the entries of ids, in their order, without unknown ones.
func (s *Store) Entries(ctx context.Context, ids []directory.ID) ([]directory.Entry, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	if len(ids) > MaxIDs {
		return nil, fmt.Errorf("entries: %d ids: want at most %d", len(ids), MaxIDs)
	}
	list, err := json.Marshal(ids)
	if err != nil {
		return nil, fmt.Errorf("entries: %w", err)
	}
	// json_each keeps the statement constant; CROSS JOIN makes it the outer loop, so that entries is searched by key.
	rows, err := s.reads.query(ctx, `SELECT e.body FROM json_each(?) AS j CROSS JOIN entries AS e ON e.id = j.value ORDER BY j.key`, string(list))
	if err != nil {
		return nil, s.fail(ctx, "entries", err)
	}
	defer rows.Close()
	out := make([]directory.Entry, 0, len(ids))
	for rows.Next() {
		var body sql.RawBytes
		if err := rows.Scan(&body); err != nil {
			return nil, s.fail(ctx, "entries", err)
		}
		out = append(out, directory.Entry{})
		if err := directory.DecodeStored(body, &out[len(out)-1]); err != nil {
			return nil, s.fail(ctx, "entries", err)
		}
	}
	if err := rows.Err(); err != nil {
		return nil, s.fail(ctx, "entries", err)
	}
	return out, nil
}

// scanBatch is how many entries fn receives at once.
const scanBatch = 1000

// Scan calls fn with all entries by ascending ID. Each page is read in a transaction of its own, so that a slow fn keeps no
// log alive.
func (s *Store) Scan(ctx context.Context, after directory.ID, fn func([]directory.Entry) error) error {
	return directory.ScanPages(ctx, after, s.readPage, decodeAll, fn)
}

func (s *Store) readPage(ctx context.Context, after directory.ID) (bodies [][]byte, last directory.ID, err error) {
	rows, err := s.reads.query(ctx, "SELECT id, body FROM entries WHERE id > ? ORDER BY id LIMIT ?", after, scanBatch)
	if err != nil {
		return nil, "", s.fail(ctx, "scan", err)
	}
	defer rows.Close()
	bodies = make([][]byte, 0, scanBatch)
	var id string
	for rows.Next() {
		var body []byte
		if err := rows.Scan(&id, &body); err != nil {
			return nil, "", s.fail(ctx, "scan", err)
		}
		bodies = append(bodies, body)
	}
	if err := rows.Err(); err != nil {
		return nil, "", s.fail(ctx, "scan", err)
	}
	return bodies, directory.ID(id), nil
}

func decodeAll(bodies [][]byte) ([]directory.Entry, error) {
	entries := make([]directory.Entry, len(bodies))
	for i, b := range bodies {
		if err := directory.DecodeStored(b, &entries[i]); err != nil {
			return nil, fmt.Errorf("scan: %w", err)
		}
	}
	return entries, nil
}
