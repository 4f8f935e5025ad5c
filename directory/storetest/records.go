package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"archipel/directory"
)

func put1(t *testing.T, s directory.Store, kind string, r directory.Record) {
	t.Helper()
	if err := s.PutRecord(context.Background(), kind, r); err != nil {
		t.Fatalf("PutRecord(%s, %s): %v", kind, r.Key, err)
	}
}

func record(t *testing.T, s directory.Store, kind, key string) directory.Record {
	t.Helper()
	r, err := s.Record(context.Background(), kind, key)
	if err != nil {
		t.Fatalf("Record(%s, %s): %v", kind, key, err)
	}
	if r.Key != key {
		t.Errorf("Record(%s, %s) has the key %q", kind, key, r.Key)
	}
	return r
}

func testRecords(t *testing.T, b Backend) {
	ctx := context.Background()
	place := b.New(t)
	s := b.open(t, place)
	if r := record(t, s, "account", "a"); r.Rev != 0 || r.Value != nil {
		t.Errorf("an absent record: got %+v", r)
	}
	value := []byte(`{"b": 1, "a": "é\u0000", "n": 12345678901234567890}`)
	put1(t, s, "account", directory.Record{Key: "a", Value: value})
	got := record(t, s, "account", "a")
	if !bytes.Equal(got.Value, value) || got.Rev != 1 || !got.Expires.IsZero() {
		t.Errorf("got %s, revision %d, expires %v; want it as it was written", got.Value, got.Rev, got.Expires)
	}
	wantErr(t, "a second creation", s.PutRecord(ctx, "account", directory.Record{Key: "a", Value: value}), directory.ErrStale)
	wantErr(t, "a revision to come", s.PutRecord(ctx, "account", directory.Record{Key: "a", Rev: 2, Value: value}), directory.ErrStale)
	wantErr(t, "an update of nothing", s.PutRecord(ctx, "account", directory.Record{Key: "b", Rev: 1, Value: value}), directory.ErrStale)
	until := time.Now().Add(time.Hour)
	put1(t, s, "account", directory.Record{Key: "a", Rev: 1, Value: []byte(`2`), Expires: until})
	if got := record(t, s, "account", "a"); string(got.Value) != "2" || got.Rev != 2 || !got.Expires.Equal(until.Truncate(time.Millisecond)) || got.Expires.Location() != time.UTC {
		t.Errorf("after an update: got %+v, want expiry %v", got, until)
	}
	if r := record(t, s, "session", "a"); r.Rev != 0 {
		t.Errorf("another kind has it too: %+v", r)
	}
	wantErr(t, "deleting an old revision", s.DeleteRecord(ctx, "account", "a", 1), directory.ErrStale)
	if err := s.DeleteRecord(ctx, "account", "a", 2); err != nil {
		t.Errorf("deleting the standing revision: %v", err)
	}
	wantErr(t, "deleting it twice", s.DeleteRecord(ctx, "account", "a", 2), directory.ErrStale)
	if err := s.DeleteRecord(ctx, "account", "a", 0); err != nil {
		t.Errorf("deleting what is not there, whatever its revision: %v", err)
	}
	put1(t, s, "account", directory.Record{Key: "z", Value: []byte(`1`)})
	if err := s.DeleteRecord(ctx, "account", "z", 0); err != nil || record(t, s, "account", "z").Rev != 0 {
		t.Errorf("deleting whatever is there: %v", err)
	}

	// Order is that of the bytes; kinds that are prefixes of one another stay apart.
	keys := []string{"10", "9", "A", "Z", "a", "a/1", "a/2", "a@b", "é", "\U0001F333"}
	for _, i := range []int{3, 1, 4, 0, 9, 5, 8, 2, 6, 7} {
		put1(t, s, "list", directory.Record{Key: keys[i], Value: []byte(`{}`)})
	}
	put1(t, s, "list-more", directory.Record{Key: "m", Value: []byte(`{}`)})
	put1(t, s, "lis", directory.Record{Key: "n", Value: []byte(`{}`)})
	var seen []string
	for after := ""; ; {
		page, err := s.Records(ctx, "list", after, 3)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			break
		}
		for _, r := range page {
			seen = append(seen, r.Key)
			if r.Rev != 1 || string(r.Value) != "{}" {
				t.Errorf("listed: %+v", r)
			}
		}
		after = page[len(page)-1].Key
	}
	if !slices.Equal(seen, keys) {
		t.Errorf("Records: got %q, want %q", seen, keys)
	}
	if page, err := s.Records(ctx, "list", "", 0); err != nil || len(page) != 0 {
		t.Errorf("a page of 0: %v, %v", page, err)
	}
	kinds, err := s.RecordKinds(ctx)
	if want := []string{"lis", "list", "list-more"}; err != nil || !slices.Equal(kinds, want) {
		t.Errorf("RecordKinds: got %q (%v), want %q", kinds, err, want)
	}
	s.Close()
	if _, err := s.Record(ctx, "list", "9"); !errors.Is(err, directory.ErrUnavailable) {
		t.Errorf("Record of a closed store: %v", err)
	}
	wantErr(t, "PutRecord of a closed store", s.PutRecord(ctx, "list", directory.Record{Key: "1", Value: []byte(`1`)}), directory.ErrUnavailable)
	again := b.open(t, place)
	if r := record(t, again, "list", "é"); r.Rev != 1 {
		t.Errorf("opened again: %+v", r)
	}
}

func testRecordsRefuse(t *testing.T, b Backend) {
	s := b.fresh(t)
	for name, in := range map[string]struct {
		kind string
		r    directory.Record
	}{
		"no kind":        {"", directory.Record{Key: "a", Value: []byte(`1`)}},
		"odd kind":       {"A b", directory.Record{Key: "a", Value: []byte(`1`)}},
		"no key":         {"k", directory.Record{Value: []byte(`1`)}},
		"control":        {"k", directory.Record{Key: "a\x00b", Value: []byte(`1`)}},
		"not UTF-8":      {"k", directory.Record{Key: "a\xff", Value: []byte(`1`)}},
		"long key":       {"k", directory.Record{Key: strings.Repeat("a", directory.MaxRecordKey+1), Value: []byte(`1`)}},
		"large":          {"k", directory.Record{Key: "a", Value: []byte(`"` + strings.Repeat("a", directory.MaxRecordValue) + `"`)}},
		"no JSON":        {"k", directory.Record{Key: "a", Value: []byte(`{`)}},
		"nothing":        {"k", directory.Record{Key: "a"}},
		"minus revision": {"k", directory.Record{Key: "a", Rev: -1, Value: []byte(`1`)}},
	} {
		if err := s.PutRecord(context.Background(), in.kind, in.r); err == nil {
			t.Errorf("%s: it was taken", name)
		} else if errors.Is(err, directory.ErrStale) || errors.Is(err, directory.ErrUnavailable) || errors.Is(err, directory.ErrCorrupt) {
			t.Errorf("%s: %v, which says something else", name, err)
		}
	}
	put1(t, s, "k", directory.Record{Key: strings.Repeat("k", directory.MaxRecordKey), Value: []byte(`1`)})
}

func testRecordsExpire(t *testing.T, b Backend) {
	ctx := context.Background()
	s := b.fresh(t)
	put1(t, s, "link", directory.Record{Key: "past", Value: []byte(`1`), Expires: time.Now().Add(-time.Minute)})
	put1(t, s, "link", directory.Record{Key: "soon", Value: []byte(`1`), Expires: time.Now().Add(300 * time.Millisecond)})
	put1(t, s, "link", directory.Record{Key: "later", Value: []byte(`1`), Expires: time.Now().Add(time.Hour)})
	put1(t, s, "old", directory.Record{Key: "only", Value: []byte(`1`), Expires: time.Now().Add(-time.Minute)})
	for record(t, s, "link", "soon").Rev != 0 {
		time.Sleep(20 * time.Millisecond)
	}
	if r := record(t, s, "link", "past"); r.Rev != 0 || r.Value != nil {
		t.Errorf("an expired record is there: %+v", r)
	}
	wantErr(t, "updating what expired", s.PutRecord(ctx, "link", directory.Record{Key: "past", Rev: 1, Value: []byte(`2`)}), directory.ErrStale)
	wantErr(t, "deleting what expired", s.DeleteRecord(ctx, "link", "past", 1), directory.ErrStale)
	page, err := s.Records(ctx, "link", "", 10)
	if err != nil || len(page) != 1 || page[0].Key != "later" {
		t.Errorf("Records: %v, %v; want only the one that lives", page, err)
	}
	if kinds, err := s.RecordKinds(ctx); err != nil || !slices.Equal(kinds, []string{"link"}) {
		t.Errorf("RecordKinds: %q, %v", kinds, err)
	}
	put1(t, s, "link", directory.Record{Key: "past", Value: []byte(`3`)})
	if r := record(t, s, "link", "past"); string(r.Value) != "3" || r.Rev != 1 || !r.Expires.IsZero() {
		t.Errorf("written anew: %+v", r)
	}
	// Expired ones that pile up do not hide or harm the others.
	for i := range 200 {
		put1(t, s, "link", directory.Record{Key: fmt.Sprintf("p%03d", i), Value: []byte(`1`), Expires: time.Now().Add(-time.Second)})
	}
	if page, err := s.Records(ctx, "link", "", 10); err != nil || len(page) != 2 {
		t.Errorf("Records: %v, %v; want two", page, err)
	}
}

// testRecordsRace lets many write and delete the same revision: exactly one may succeed, each time.
func testRecordsRace(t *testing.T, b Backend) {
	ctx := context.Background()
	place := b.New(t)
	stores := []directory.Store{b.open(t, place), b.open(t, place)}
	for round := range 5 {
		key := fmt.Sprint(round)
		var created, updated, deleted atomic.Int32
		all := func(won *atomic.Int32, f func(s directory.Store, i int) error) {
			var wg sync.WaitGroup
			for i := range 8 {
				wg.Go(func() {
					switch err := f(stores[i%2], i); {
					case err == nil:
						won.Add(1)
					case !errors.Is(err, directory.ErrStale):
						t.Errorf("round %d: %v", round, err)
					}
				})
			}
			wg.Wait()
		}
		all(&created, func(s directory.Store, i int) error {
			return s.PutRecord(ctx, "race", directory.Record{Key: key, Value: []byte(fmt.Sprint(i)), Expires: time.Now().Add(time.Hour)})
		})
		all(&updated, func(s directory.Store, i int) error {
			return s.PutRecord(ctx, "race", directory.Record{Key: key, Rev: 1, Value: []byte(fmt.Sprint(i))})
		})
		all(&deleted, func(s directory.Store, _ int) error { return s.DeleteRecord(ctx, "race", key, 2) })
		if created.Load() != 1 || updated.Load() != 1 || deleted.Load() != 1 {
			t.Errorf("round %d: %d created, %d updated, %d deleted it; want one each", round, created.Load(), updated.Load(), deleted.Load())
		}
	}
}
