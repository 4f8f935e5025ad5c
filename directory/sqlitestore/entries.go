package sqlitestore

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"runtime"

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

// page is a stretch of entries on its way from the file to fn.
type page struct {
	entries []directory.Entry
	err     error
}

// Scan calls fn with all entries by ascending ID. Pages are read one after the other, each in a transaction of its own
// so that a slow fn keeps no log alive, decoded on all processors, and handed over in order.
func (s *Store) Scan(ctx context.Context, after directory.ID, fn func([]directory.Entry) error) error {
	ctx, cancel := context.WithCancel(ctx)
	pages := make(chan chan page, runtime.GOMAXPROCS(0)) // bounds what is under way
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer close(pages)
		s.readPages(ctx, after, pages)
	}()
	defer func() { // every page sent is answered, so this ends
		cancel()
		for p := range pages {
			<-p
		}
		<-done
	}()
	for p := range pages {
		got := <-p
		if got.err != nil {
			return got.err
		}
		if err := fn(got.entries); err != nil {
			return err
		}
	}
	return ctx.Err()
}

func (s *Store) readPages(ctx context.Context, after directory.ID, pages chan<- chan page) {
	for {
		bodies, last, err := s.readPage(ctx, after)
		if err == nil && len(bodies) == 0 {
			return
		}
		p := make(chan page, 1)
		select {
		case pages <- p:
		case <-ctx.Done():
			return
		}
		if err != nil {
			p <- page{err: s.fail(ctx, "scan", err)}
			return
		}
		go func() {
			entries, err := decodeAll(bodies)
			p <- page{entries, err}
		}()
		after = last
	}
}

func (s *Store) readPage(ctx context.Context, after directory.ID) (bodies [][]byte, last directory.ID, err error) {
	rows, err := s.reads.query(ctx, "SELECT id, body FROM entries WHERE id > ? ORDER BY id LIMIT ?", after, scanBatch)
	if err != nil {
		return nil, "", err
	}
	defer rows.Close()
	bodies = make([][]byte, 0, scanBatch)
	var id string
	for rows.Next() {
		var body []byte
		if err := rows.Scan(&id, &body); err != nil {
			return nil, "", err
		}
		bodies = append(bodies, body)
	}
	return bodies, directory.ID(id), rows.Err()
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
