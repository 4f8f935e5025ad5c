package transfer

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"archipel/directory"
	"archipel/directory/sqlitestore"
)

func emptyStore(t *testing.T) directory.Store {
	t.Helper()
	s, err := sqlitestore.Open(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestBackupRecords(t *testing.T) {
	from := emptyStore(t)
	for _, r := range []struct {
		kind string
		r    directory.Record
	}{
		{"account", directory.Record{Key: "1", Value: []byte(`{"name": "Jeanne"}`)}},
		{"account", directory.Record{Key: "2", Value: []byte(`{"name": "é<&>"}`)}},
		{"token", directory.Record{Key: "1/ff", Value: []byte(`1`)}},
		{"session", directory.Record{Key: "1/aa", Value: []byte(`1`), Expires: time.Now().Add(time.Hour)}},
	} {
		if err := from.PutRecord(t.Context(), r.kind, r.r); err != nil {
			t.Fatal(err)
		}
	}
	var file bytes.Buffer
	sum, err := Backup(t.Context(), from, &file)
	if err != nil || sum.Records != 3 {
		t.Fatalf("Backup: %+v, %v; want 3 records", sum, err)
	}
	to := emptyStore(t)
	for again := range 2 { // the second completes what stands already
		if sum, err := Restore(t.Context(), to, bytes.NewReader(file.Bytes())); err != nil || sum.Records != 3 {
			t.Fatalf("Restore, time %d: %+v, %v", again, sum, err)
		}
	}
	if r, err := to.Record(t.Context(), "account", "2"); err != nil || string(r.Value) != `{"name":"é<&>"}` && string(r.Value) != `{"name": "é<&>"}` {
		t.Errorf("restored: %s, %v", r.Value, err)
	}
	if r, err := to.Record(t.Context(), "session", "1/aa"); err != nil || r.Rev != 0 {
		t.Errorf("a session came back: %+v, %v", r, err)
	}
	other := emptyStore(t)
	if err := other.PutRecord(t.Context(), "account", directory.Record{Key: "9", Value: []byte(`{}`)}); err != nil {
		t.Fatal(err)
	}
	if _, err := Restore(t.Context(), other, bytes.NewReader(file.Bytes())); !errors.Is(err, ErrNotEmpty) {
		t.Errorf("Restore into a store with another account: %v, want ErrNotEmpty", err)
	}
	if err := to.PutRecord(t.Context(), "account", directory.Record{Key: "1", Rev: 1, Value: []byte(`{"name": "Jean"}`)}); err != nil {
		t.Fatal(err)
	}
	if _, err := Restore(t.Context(), to, bytes.NewReader(file.Bytes())); !errors.Is(err, ErrNotEmpty) {
		t.Errorf("Restore over a changed account: %v, want ErrNotEmpty", err)
	}
}
