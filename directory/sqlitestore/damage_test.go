package sqlitestore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"archipel/directory"
	"archipel/directory/storetest"
)

var bg = context.Background()

func mustOpen(t testing.TB, dir string) *Store {
	t.Helper()
	s, err := Open(bg, dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func changesAfter(after directory.Seq, n int) []directory.Change {
	var out []directory.Change
	for i := range n {
		e := storetest.Typical(i)
		e.Version = after + 1 + directory.Seq(i)
		out = append(out, directory.Change{Seq: e.Version, ID: fmt.Sprint("id", e.Version), Time: e.Created, Op: directory.OpCreate, Entry: e})
	}
	return out
}

func fill(t testing.TB, s *Store, n int) {
	t.Helper()
	for after := 0; after < n; after += 500 {
		if _, err := s.Append(bg, directory.Seq(after), changesAfter(directory.Seq(after), min(500, n-after))); err != nil {
			t.Fatal(err)
		}
	}
}

// closed returns a data directory whose store holds n entries and is closed.
func closed(t testing.TB, n int) (dir, path string) {
	t.Helper()
	dir = t.TempDir()
	s := mustOpen(t, dir)
	fill(t, s, n)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return dir, filepath.Join(dir, File)
}

// TestNotOurs: what cannot be used is refused in one line that names the file, and is left as it was.
func TestNotOurs(t *testing.T) {
	otherProgram := func(t *testing.T, path string) {
		db, err := sql.Open("sqlite", path)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		if _, err := db.Exec("CREATE TABLE changes (x); PRAGMA user_version = 1"); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		name string
		make func(t *testing.T, path string)
		want string
	}{
		{"text", func(t *testing.T, path string) { write(t, path, strings.Repeat("name;lat;lon\n", 1000)) }, ""},
		{"short text", func(t *testing.T, path string) { write(t, path, "hello") }, ""},
		{"zeros", func(t *testing.T, path string) { write(t, path, strings.Repeat("\x00", 8192)) }, ""},
		{"another program's", otherProgram, "another program"},
		{"newer", func(t *testing.T, path string) {
			s := mustOpen(t, filepath.Dir(path))
			if _, err := s.write.Exec("PRAGMA user_version = 99"); err != nil {
				t.Fatal(err)
			}
			s.Close()
		}, "version 99"},
		{"a table lost", func(t *testing.T, path string) {
			s := mustOpen(t, filepath.Dir(path))
			if _, err := s.write.Exec("DROP TABLE changes"); err != nil {
				t.Fatal(err)
			}
			s.Close()
		}, ""},
		{"projection lost", func(t *testing.T, path string) {
			s := mustOpen(t, filepath.Dir(path))
			fill(t, s, 3)
			if _, err := s.write.Exec("DELETE FROM entries"); err != nil {
				t.Fatal(err)
			}
			s.Close()
		}, "change 3"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, File)
			tt.make(t, path)
			before, _ := os.ReadFile(path)
			_, err := Open(bg, dir)
			if !errors.Is(err, directory.ErrCorrupt) {
				t.Fatalf("Open: %v, want ErrCorrupt", err)
			}
			if text := err.Error(); !strings.Contains(text, path) || !strings.Contains(text, tt.want) || strings.Contains(text, "\n") {
				t.Errorf("Open says %q: want one line that names the file and %q", text, tt.want)
			}
			if after, _ := os.ReadFile(path); string(after) != string(before) {
				t.Error("Open changed a file that is not ours")
			}
		})
	}
}

func write(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestDamaged overwrites pieces of a database, and cuts it: a read gives what was written or ErrCorrupt, no panic and
// no half log.
func TestDamaged(t *testing.T) {
	dir, path := closed(t, 800)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	noticed := 0
	rnd := rand.New(rand.NewPCG(5, 6))
	for i := range 25 {
		broken := append([]byte(nil), whole...)
		switch i % 3 {
		case 0: // a torn page
			page := rnd.IntN(len(broken) / 4096)
			for j := range 4096 {
				broken[page*4096+j] = byte(rnd.Uint32())
			}
		case 1: // a page of zeros
			clear(broken[rnd.IntN(len(broken)/4096)*4096:][:4096])
		case 2: // the end is missing
			broken = broken[:4096*(1+rnd.IntN(len(broken)/4096-1))]
		}
		write(t, path, string(broken))
		err := readAll(dir)
		if err != nil && !errors.Is(err, directory.ErrCorrupt) {
			t.Errorf("damage %d: %v, want ErrCorrupt", i, err)
		}
		if err != nil {
			noticed++
		}
	}
	if noticed < 20 {
		t.Errorf("only %d of 25 damages were noticed", noticed)
	}
}

func readAll(dir string) error {
	s, err := Open(bg, dir)
	if err != nil {
		return err
	}
	defer s.Close()
	n := 0
	if err := s.Scan(bg, "", func(es []directory.Entry) error { n += len(es); return nil }); err != nil {
		return err
	}
	log, err := s.Changes(bg, 0, 10000)
	if err != nil {
		return err
	}
	if n != 800 || len(log) != 800 {
		return fmt.Errorf("%d entries, %d changes, and no error", n, len(log))
	}
	return nil
}

// TestDamagedLater: damage behind what Open looks at is met when it is read.
func TestDamagedLater(t *testing.T) {
	dir, path := closed(t, 2)
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec("UPDATE changes SET entry = x'7b' WHERE seq = 1; UPDATE entries SET body = x'00ff' WHERE version = 2"); err != nil {
		t.Fatal(err)
	}
	db.Close()
	s := mustOpen(t, dir)
	if _, err := s.Changes(bg, 0, 10); !errors.Is(err, directory.ErrCorrupt) {
		t.Errorf("Changes: %v, want ErrCorrupt", err)
	}
	if err := s.Scan(bg, "", func([]directory.Entry) error { return nil }); !errors.Is(err, directory.ErrCorrupt) {
		t.Errorf("Scan: %v, want ErrCorrupt", err)
	}
	if n, err := s.Append(bg, 2, changesAfter(2, 1)); n != 1 || err != nil {
		t.Errorf("Append beside the damage = %d, %v", n, err)
	}
}
