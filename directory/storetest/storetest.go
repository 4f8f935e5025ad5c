// Package storetest holds the stores to every promise of [directory.Store]: the same tests run on each of them.
//
// A store's test package calls [Main] from TestMain and [Run] from a test. Environment: ARCHIPEL_TEST_LARGE=1 runs the
// large tests in full size.
package storetest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"archipel/directory"
)

// Backend is a store under test.
type Backend struct {
	// New makes a place for an empty store (a directory, a URI) and removes it when the test ends.
	New func(t testing.TB) (place string)
	// Open opens the store at a place. Stores opened at the same place share their data, in any number of processes.
	Open func(ctx context.Context, place string) (directory.Store, error)
	// Beside is how many reads at least fit into the writing of one large batch.
	Beside int
}

// patience is how long the tests wait for what must come at last, on a machine that is slow and shared.
const patience = 2 * time.Minute

// Run tests every promise.
func Run(t *testing.T, b Backend) {
	tests := []struct {
		name string
		run  func(*testing.T, Backend)
	}{
		{"Empty", testEmpty},
		{"Append", testAppend},
		{"AppendStale", testAppendStale},
		{"AppendRefuses", testAppendRefuses},
		{"RoundTrip", testRoundTrip},
		{"OddEntries", testOddEntries},
		{"Times", testTimes},
		{"Changes", testChanges},
		{"History", testHistory},
		{"Batch", testBatch},
		{"Redact", testRedact},
		{"Entries", testEntries},
		{"Scan", testScan},
		{"Cursors", testCursors},
		{"MoveCursors", testMoveCursors},
		{"Leases", testLeases},
		{"Fencing", testFencing},
		{"Settings", testSettings},
		{"SettingsRace", testSettingsRace},
		{"Records", testRecords},
		{"RecordsRefuse", testRecordsRefuse},
		{"RecordsExpire", testRecordsExpire},
		{"RecordsRace", testRecordsRace},
		{"Reopen", testReopen},
		{"Closed", testClosed},
		{"Cancelled", testCancelled},
		{"CancelledWhileWriting", testCancelledWhileWriting},
		{"Writers", testWriters},
		{"BatchRace", testBatchRace},
		{"ReadYourLog", testReadYourLog},
		{"ReadWhileWriting", testReadWhileWriting},
		{"Killed", testKilled},
		{"Large", testLarge},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { tt.run(t, b) })
	}
}

// open opens the store at place until the test ends.
func (b Backend) open(t testing.TB, place string) directory.Store {
	t.Helper()
	s, err := b.Open(context.Background(), place)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func (b Backend) fresh(t testing.TB) directory.Store {
	t.Helper()
	return b.open(t, b.New(t))
}

var epoch = time.Date(2026, 3, 14, 9, 26, 53, 589e6, time.UTC)

// simple is a small entry.
func simple(name string) directory.Entry {
	return directory.Entry{ID: directory.NewID(), Kind: directory.Place, Slug: name, Name: name, Sites: pointsOf(4.3872, 45.4397),
		Status: directory.Published, Created: epoch, Updated: epoch}
}

// changesOf makes the changes that append entries after a Seq.
func changesOf(after directory.Seq, op directory.Op, entries ...directory.Entry) []directory.Change {
	out := make([]directory.Change, len(entries))
	for i, e := range entries {
		seq := after + 1 + directory.Seq(i)
		e.Version = seq
		out[i] = directory.Change{Seq: seq, ID: string(directory.NewID()), Time: epoch.Add(time.Duration(seq) * time.Second),
			Author: "account:1", Op: op, Entry: e}
	}
	return out
}

// put appends entries at the head, which nobody else may move, and returns the changes.
func put(t testing.TB, s directory.Store, op directory.Op, entries ...directory.Entry) []directory.Change {
	t.Helper()
	changes := changesOf(head(t, s), op, entries...)
	putChanges(t, s, changes)
	return changes
}

func putChanges(t testing.TB, s directory.Store, changes []directory.Change) {
	t.Helper()
	n, err := s.Append(context.Background(), changes[0].Seq-1, changes)
	if err != nil || n != len(changes) {
		t.Fatalf("Append(%d, %d changes) = %d, %v: want all of them", changes[0].Seq-1, len(changes), n, err)
	}
}

// settle appends an entry although what others sent may still arrive, from a process that was killed or a write that was cut, and
// returns the change. After it nothing arrives any more: the numbers that it would need are taken.
func settle(t testing.TB, s directory.Store, op directory.Op, e directory.Entry) directory.Change {
	t.Helper()
	for deadline := time.Now().Add(patience); ; {
		c := changesOf(head(t, s), op, e)
		n, err := s.Append(context.Background(), c[0].Seq-1, c)
		if err == nil && n == 1 {
			return c[0]
		}
		if !errors.Is(err, directory.ErrStale) || time.Now().After(deadline) {
			t.Fatalf("Append(%d) = %d, %v: want it to stand", c[0].Seq-1, n, err)
		}
	}
}

// putMany appends any number of entries, in batches of 500.
func putMany(t testing.TB, s directory.Store, entries []directory.Entry) {
	t.Helper()
	after := head(t, s)
	for len(entries) > 0 {
		n := min(500, len(entries))
		putChanges(t, s, changesOf(after, directory.OpCreate, entries[:n]...))
		after, entries = after+directory.Seq(n), entries[n:]
	}
}

func head(t testing.TB, s directory.Store) directory.Seq {
	t.Helper()
	h, err := s.Head(context.Background())
	if err != nil {
		t.Fatalf("Head: %v", err)
	}
	return h
}

func one(t testing.TB, s directory.Store, id directory.ID) directory.Entry {
	t.Helper()
	got, err := s.Entries(context.Background(), []directory.ID{id})
	if err != nil || len(got) != 1 {
		t.Fatalf("Entries(%s) = %d entries, %v: want one", id, len(got), err)
	}
	return got[0]
}

// all returns the whole log, page by page, and fails on a gap.
func all(t testing.TB, s directory.Store) []directory.Change {
	t.Helper()
	var out []directory.Change
	for {
		page, err := s.Changes(context.Background(), directory.Seq(len(out)), 1000)
		if err != nil {
			t.Fatalf("Changes(%d): %v", len(out), err)
		}
		if len(page) == 0 {
			return out
		}
		for _, c := range page {
			if want := directory.Seq(len(out) + 1); c.Seq != want {
				t.Fatalf("the log has %d where %d belongs", c.Seq, want)
			}
			if c.Entry.Version != c.Seq {
				t.Fatalf("change %d has an entry of version %d", c.Seq, c.Entry.Version)
			}
			out = append(out, c)
		}
	}
}

func scan(t testing.TB, s directory.Store, after directory.ID) []directory.Entry {
	t.Helper()
	var out []directory.Entry
	err := s.Scan(context.Background(), after, func(es []directory.Entry) error {
		if len(es) == 0 {
			return errors.New("an empty batch")
		}
		out = append(out, es...)
		return nil
	})
	if err != nil {
		t.Fatalf("Scan: %v", err)
	}
	for i := 1; i < len(out); i++ {
		if out[i-1].ID >= out[i].ID {
			t.Fatalf("Scan gave %s before %s", out[i-1].ID, out[i].ID)
		}
	}
	return out
}

// agree fails unless the projection is exactly what the log says: the newest state of every entry.
func agree(t testing.TB, s directory.Store) []directory.Change {
	t.Helper()
	log := all(t, s)
	if h := head(t, s); int(h) != len(log) {
		t.Fatalf("Head = %d, the log has %d changes", h, len(log))
	}
	newest := make(map[directory.ID]*directory.Entry)
	for i := range log {
		newest[log[i].Entry.ID] = &log[i].Entry
	}
	got := scan(t, s, "")
	if len(got) != len(newest) {
		t.Fatalf("the projection has %d entries, the log %d", len(got), len(newest))
	}
	for i := range got {
		want := newest[got[i].ID]
		if want == nil {
			t.Fatalf("the projection has %s, the log has not", got[i].ID)
		}
		if d := Diff(got[i], *want); d != "" {
			t.Fatalf("projection of %s against the log: %s", got[i].ID, d)
		}
	}
	return log
}

// covers fails unless the projection has at least what the log had a moment before: more may arrive meanwhile.
func covers(t testing.TB, s directory.Store) {
	t.Helper()
	log := all(t, s)
	versions := make(map[directory.ID]directory.Seq)
	for _, e := range scan(t, s, "") {
		versions[e.ID] = e.Version
	}
	for i := range log {
		if got := versions[log[i].Entry.ID]; got < log[i].Seq {
			t.Fatalf("the projection has %s at %d, the log at %d", log[i].Entry.ID, got, log[i].Seq)
		}
	}
}

// large says how many entries the large tests use.
func large() int {
	if os.Getenv("ARCHIPEL_TEST_LARGE") != "" {
		return 100_000
	}
	return 5_000
}

func wantErr(t testing.TB, what string, err, target error) {
	t.Helper()
	if !errors.Is(err, target) {
		t.Errorf("%s: got error %v, want one that wraps %q", what, err, target)
	}
}

func names(n int) []directory.Entry {
	out := make([]directory.Entry, n)
	for i := range out {
		out[i] = simple(fmt.Sprintf("entry-%d", i))
	}
	return out
}
