package transfer

import (
	"context"
	"reflect"
	"testing"

	"archipel/directory"
	"archipel/directory/mongostore"
	"archipel/directory/mongostore/mongotest"
	"archipel/directory/sqlitestore"
)

// countingStore counts the changes that are read from the log, and can show another log.
type countingStore struct {
	directory.Store
	read  int
	other directory.Store // of the changes
}

func (s *countingStore) Changes(ctx context.Context, after directory.Seq, limit int) ([]directory.Change, error) {
	log := s.Store
	if s.other != nil {
		log = s.other
	}
	changes, err := log.Changes(ctx, after, limit)
	s.read += len(changes)
	return changes, err
}

func openCounting(t *testing.T, mongo bool) (*directory.Directory, *countingStore) {
	t.Helper()
	var store directory.Store
	var err error
	if mongo {
		store, err = mongostore.Open(t.Context(), mongotest.Fresh(t))
	} else {
		store, err = sqlitestore.Open(t.Context(), t.TempDir())
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	s := &countingStore{Store: store}
	d, err := directory.Open(t.Context(), directory.Options{Store: s})
	if err != nil {
		t.Fatal(err)
	}
	return d, s
}

func batches(t *testing.T, tally *Tally, d *directory.Directory) []BatchInfo {
	t.Helper()
	infos, err := tally.Batches(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	return infos
}

// TestTallyReadsWhatIsNew: a second look does not read the log again, nor does the first one after a start.
func TestTallyReadsWhatIsNew(t *testing.T) {
	t.Run("SQLite", func(t *testing.T) { tallyReadsWhatIsNew(t, false) })
	t.Run("MongoDB", func(t *testing.T) { tallyReadsWhatIsNew(t, true) })
}

func tallyReadsWhatIsNew(t *testing.T, mongo bool) {
	d, s := openCounting(t, mongo)
	mustImport(t, d, bigFile(1200, "un"), ImportOptions{Batch: "one"})
	var tally Tally
	if infos := batches(t, &tally, d); len(infos) != 1 || infos[0].Created != 1200 {
		t.Fatalf("got %+v, want one import of 1200", infos)
	}
	s.read = 0
	if batches(t, &tally, d); s.read > 1 {
		t.Errorf("a second look reads %d changes, want only the last one known", s.read)
	}
	s.read = 0
	if infos := batches(t, new(Tally), d); s.read > 1 || len(infos) != 1 {
		t.Errorf("the first look after a start reads %d changes and finds %+v", s.read, infos)
	}
	mustImport(t, d, "id,nom,résumé\n2,Lieu 2,deux\nneuf,Neuf,un\n", ImportOptions{Batch: "two", Source: "autre"})
	if _, err := Undo(t.Context(), d, "two"); err != nil {
		t.Fatal(err)
	}
	s.read = 0
	infos := batches(t, &tally, d)
	if s.read > 10 || len(infos) != 2 || infos[0].Batch != "two" || infos[0].Undone != infos[0].Created+infos[0].Updated || infos[0].Undone == 0 || infos[0].Sources[0] != "autre" {
		t.Errorf("after another import %d changes are read, and the imports are %+v", s.read, infos)
	}
	if again := batches(t, new(Tally), d); !reflect.DeepEqual(again, infos) {
		t.Errorf("from the record: got %+v, want %+v", again, infos)
	}
}

// TestTallyOfAnotherLog: after a restoration the log may be shorter, or have others' changes below the same numbers.
func TestTallyOfAnotherLog(t *testing.T) {
	d, s := openCounting(t, false)
	mustImport(t, d, bigFile(1100, "un"), ImportOptions{Batch: "one"})
	var tally Tally
	batches(t, &tally, d)
	for name, rows := range map[string]int{"shorter": 5, "longer": 1300, "empty": 0} {
		other, log := openCounting(t, false)
		if rows > 0 {
			mustImport(t, other, bigFile(rows, "un"), ImportOptions{Batch: name})
		}
		s.other = log.Store
		for from, tally := range map[string]*Tally{"in memory": &tally, "from the record": new(Tally)} {
			infos := batches(t, tally, d)
			if rows == 0 && len(infos) == 0 {
				continue
			}
			if len(infos) != 1 || infos[0].Batch != name || infos[0].Created != rows {
				t.Errorf("%s, %s: got %+v, want %d created by %s", name, from, infos, rows, name)
			}
		}
	}
	s.other = nil
	if err := s.PutRecord(t.Context(), kindTally, directory.Record{Key: "x", Value: []byte(`1`)}); err != nil {
		t.Fatal(err)
	}
	rec, err := s.Record(t.Context(), kindTally, tallyKey)
	if err != nil || rec.Expires.IsZero() {
		t.Errorf("the record %+v, %v would be in backups", rec, err)
	}
	rec.Value = []byte(`"no tally"`)
	if err := s.PutRecord(t.Context(), kindTally, rec); err != nil {
		t.Fatal(err)
	}
	if infos := batches(t, new(Tally), d); len(infos) != 1 || infos[0].Created != 1100 {
		t.Errorf("with a record that cannot be read: got %+v", infos)
	}
}
