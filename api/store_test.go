package api_test

import (
	"context"
	"testing"
	"time"

	"archipel/directory"
	"archipel/directory/sqlitestore"
)

// openStore is a store for a test, in which records last as long by the clock of the tests as they are to.
func openStore(t testing.TB, dir string) directory.Store {
	t.Helper()
	store, err := sqlitestore.Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	return lateStore{store, max(0, time.Since(now)+24*time.Hour)}
}

// lateStore keeps records until so much later than they say. Stores go by the clock of the machine: once that is past the day of
// the tests, a session or a file that is to be kept for some time from [now] on would be gone at once.
type lateStore struct {
	directory.Store
	late time.Duration
}

func (s lateStore) PutRecord(ctx context.Context, kind string, r directory.Record) error {
	if !r.Expires.IsZero() {
		r.Expires = r.Expires.Add(s.late)
	}
	return s.Store.PutRecord(ctx, kind, r)
}

func (s lateStore) Record(ctx context.Context, kind, key string) (directory.Record, error) {
	r, err := s.Store.Record(ctx, kind, key)
	s.asPut(&r)
	return r, err
}

func (s lateStore) Records(ctx context.Context, kind, after string, limit int) ([]directory.Record, error) {
	list, err := s.Store.Records(ctx, kind, after, limit)
	for i := range list {
		s.asPut(&list[i])
	}
	return list, err
}

func (s lateStore) asPut(r *directory.Record) {
	if !r.Expires.IsZero() {
		r.Expires = r.Expires.Add(-s.late)
	}
}
