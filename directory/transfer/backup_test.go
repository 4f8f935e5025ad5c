package transfer

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"archipel/directory"
	"archipel/directory/sqlitestore"
)

func newStore(t testing.TB) *sqlitestore.Store {
	t.Helper()
	s, err := sqlitestore.Open(context.Background(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// filled returns a store with a history: creations, edits, a removal, an erasure, settings and a cursor.
func filled(t testing.TB, n int) directory.Store {
	t.Helper()
	ctx := context.Background()
	d := newDirectory(t)
	m := maker{Rand: rand.New(rand.NewPCG(3, 3))}
	var entries []directory.Entry
	for i := range n {
		entries = append(entries, m.entry(directory.Kinds[i%4], i))
	}
	if _, err := d.Write(ctx, directory.Write{Author: "account:alice", Batch: "b", Note: "é", Entries: entries}); err != nil {
		t.Fatal(err)
	}
	i := 0
	for _, e := range all(t, d) {
		if i++; i%11 == 0 {
			if err := d.Redact(ctx, "account:bob", e.ID); err != nil {
				t.Fatal(err)
			}
			continue
		}
		switch {
		case i%7 == 0:
			e.Status = directory.Removed
		case i%3 == 0:
			e.Summary = "edited"
		}
		if _, err := d.Put(ctx, "account:alice", e); err != nil {
			t.Fatal(err)
		}
	}
	s := d.Store()
	for key, value := range map[string]string{"name": `"Ici"`, "rules": `{"a": [1, 2, {"b": "<é>"}]}`} {
		if err := s.PutSetting(ctx, key, []byte(value), 0); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.SaveCursor(ctx, "peer:x", 5); err != nil {
		t.Fatal(err)
	}
	return s
}

func backup(t testing.TB, s directory.Store) []byte {
	t.Helper()
	var out bytes.Buffer
	if _, err := Backup(context.Background(), s, &out, "peer:x", "unknown"); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// contents is everything that a store holds, in a form that can be compared.
func contents(t testing.TB, s directory.Store) []string {
	t.Helper()
	ctx := context.Background()
	var out []string
	add := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	for after := directory.Seq(0); ; {
		changes, err := s.Changes(ctx, after, 300)
		if err != nil {
			t.Fatal(err)
		}
		if len(changes) == 0 {
			break
		}
		for _, c := range changes {
			e, err := directory.EncodeStored(&c.Entry)
			if err != nil {
				t.Fatal(err)
			}
			add("change %d %s %s %s %s %s %s %v %s", c.Seq, c.ID, c.Time.UTC(), c.Author, c.Op, c.Batch, c.Note, c.Redacted, e)
			after = c.Seq
		}
	}
	err := s.Scan(ctx, "", func(entries []directory.Entry) error {
		for i := range entries {
			e, err := directory.EncodeStored(&entries[i])
			if err != nil {
				return err
			}
			add("entry %s", e)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	keys, err := s.Settings(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range keys {
		v, _, err := s.Setting(ctx, k)
		if err != nil {
			t.Fatal(err)
		}
		var tight bytes.Buffer
		if err := json.Compact(&tight, v); err != nil {
			t.Fatal(err)
		}
		add("setting %s %s", k, &tight)
	}
	at, err := s.Cursor(ctx, "peer:x")
	if err != nil {
		t.Fatal(err)
	}
	add("cursor %d", at)
	return out
}

func differ(t testing.TB, got, want []string) {
	t.Helper()
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			t.Fatalf("got  %s\nwant %s", got[i], want[i])
		}
	}
	if len(got) != len(want) {
		t.Fatalf("got %d things, want %d", len(got), len(want))
	}
}

func TestBackupAndRestore(t *testing.T) {
	ctx := context.Background()
	from := filled(t, 520)
	file, want := backup(t, from), contents(t, from)
	to := newStore(t)
	sum, err := Restore(ctx, to, bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	differ(t, contents(t, to), want)
	if sum.Settings != 2 || sum.Cursors != 1 || sum.Changes < 520 || sum.Resumed != 0 {
		t.Errorf("summary: got %+v", sum)
	}
	if again := backup(t, to); len(again) == 0 {
		t.Error("the restored store cannot be backed up")
	}
	// From a pipe, too.
	other := newStore(t)
	if _, err := Restore(ctx, other, io.MultiReader(bytes.NewReader(file))); err != nil {
		t.Fatal(err)
	}
	differ(t, contents(t, other), want)
	// Run again, it finds everything there and changes nothing.
	if sum, err = Restore(ctx, other, bytes.NewReader(file)); err != nil || sum.Resumed != sum.Changes {
		t.Errorf("a second time: got %+v, %v", sum, err)
	}
	differ(t, contents(t, other), want)
	// And it lives: a directory opens it and goes on writing.
	d, err := directory.Open(ctx, directory.Options{Store: to})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Put(ctx, "account:alice", directory.Entry{Kind: directory.Place, Name: "Neuf"}); err != nil {
		t.Fatal(err)
	}
}

func TestRestoreRefuses(t *testing.T) {
	ctx := context.Background()
	file := backup(t, filled(t, 40))
	plain := gunzip(t, file)
	lines := strings.SplitAfter(plain, "\n")
	alter := func(f func([]string) []string) []byte {
		return zipped(strings.Join(f(append([]string(nil), lines...)), ""))
	}
	tests := map[string][]byte{
		"empty":               nil,
		"no backup":           []byte("id,nom\n1,A\n"),
		"another gzip":        zipped("hello\n"),
		"cut in half":         file[:len(file)/2],
		"last byte gone":      file[:len(file)-1],
		"a bit flipped":       flip(file, len(file)/2),
		"end line missing":    alter(func(l []string) []string { return l[:len(l)-2] }),
		"a change missing":    alter(func(l []string) []string { return append(l[:10], l[11:]...) }),
		"two changes swapped": alter(func(l []string) []string { l[10], l[11] = l[11], l[10]; return l }),
		"a letter changed":    zipped(strings.Replace(plain, "account:alice", "account:mallo", 1)),
		"a setting changed":   zipped(strings.Replace(plain, `"Ici"`, `"Las"`, 1)),
		"a later version":     zipped(strings.Replace(plain, `"version":1,`, `"version":2,`, 1)),
		"something behind":    append(append([]byte(nil), file...), "more"...),
		"more lines":          zipped(plain + lines[3]),
	}
	for name, bad := range tests {
		t.Run(name, func(t *testing.T) {
			s := newStore(t)
			_, err := Restore(ctx, s, bytes.NewReader(bad))
			if !errors.Is(err, ErrBackup) {
				t.Errorf("got %v, want ErrBackup", err)
			}
			head, herr := s.Head(ctx)
			keys, serr := s.Settings(ctx)
			if head != 0 || len(keys) != 0 || herr != nil || serr != nil {
				t.Errorf("something was written: head %d, settings %v", head, keys)
			}
		})
	}
	t.Run("a directory in use", func(t *testing.T) {
		s := filled(t, 3)
		before := contents(t, s)
		if _, err := Restore(ctx, s, bytes.NewReader(file)); !errors.Is(err, ErrNotEmpty) {
			t.Errorf("got %v, want ErrNotEmpty", err)
		}
		differ(t, contents(t, s), before)
	})
	t.Run("a setting in use", func(t *testing.T) {
		for _, key := range []string{"name", "another"} {
			s := newStore(t)
			if err := s.PutSetting(ctx, key, []byte(`"x"`), 0); err != nil {
				t.Fatal(err)
			}
			if _, err := Restore(ctx, s, bytes.NewReader(file)); !errors.Is(err, ErrNotEmpty) {
				t.Errorf("%s: got %v, want ErrNotEmpty", key, err)
			}
		}
	})
}

// breaking is a store that breaks down after some writes, as a process that is killed does.
type breaking struct {
	directory.Store
	left int
}

var errBroken = errors.New("broke down")

func (b *breaking) Append(ctx context.Context, after directory.Seq, c []directory.Change) (int, error) {
	if b.left--; b.left < 0 {
		n := len(c) / 2 // half of it stands
		if n > 0 {
			if _, err := b.Store.Append(ctx, after, c[:n]); err != nil {
				return 0, err
			}
		}
		return 0, errBroken
	}
	return b.Store.Append(ctx, after, c)
}

func (b *breaking) PutSetting(ctx context.Context, key string, v []byte, rev int64) error {
	if b.left--; b.left < 0 {
		return errBroken
	}
	return b.Store.PutSetting(ctx, key, v, rev)
}

func TestRestoreInterrupted(t *testing.T) {
	ctx := context.Background()
	from := filled(t, 520)
	file, want := backup(t, from), contents(t, from)
	for left := range 4 {
		to := newStore(t)
		if _, err := Restore(ctx, &breaking{to, left}, bytes.NewReader(file)); !errors.Is(err, errBroken) {
			t.Fatalf("after %d writes: got %v, want the failure", left, err)
		}
		sum, err := Restore(ctx, to, bytes.NewReader(file))
		if err != nil {
			t.Fatalf("after %d writes: %v", left, err)
		}
		if left > 2 && sum.Resumed == 0 {
			t.Errorf("after %d writes nothing was there: %+v", left, sum)
		}
		differ(t, contents(t, to), want)
	}
}

// An import over a store that breaks down reports what it did, and run again ends in the same state.
func TestImportInterrupted(t *testing.T) {
	ctx := context.Background()
	file := bigFile(1800, "un")
	for left := range 4 {
		s := newStore(t)
		d, err := directory.Open(ctx, directory.Options{Store: &breaking{s, left}})
		if err != nil {
			t.Fatal(err)
		}
		r, err := Import(ctx, d, strings.NewReader(file), ImportOptions{Source: "s", Batch: "b"})
		if !errors.Is(err, errBroken) || r.Created > 500*(left+1) || r.Incomplete == "" {
			t.Fatalf("got %v and %+v, want the failure", err, r)
		}
		d, err = directory.Open(ctx, directory.Options{Store: s})
		if err != nil {
			t.Fatal(err)
		}
		before := 500*left + min(500, 1800-500*left)/2
		r = mustImport(t, d, file, ImportOptions{Source: "s", Batch: "b"})
		if counts(t, r, 1800-before, 0, before, 0); len(all(t, d)) != 1800 {
			t.Errorf("got %d entries", len(all(t, d)))
		}
		u, err := Undo(ctx, d, "b")
		if err != nil || u.Removed != 1800 || len(all(t, d)) != 0 {
			t.Errorf("undo of both runs: got %+v, %v, %d entries", u, err, len(all(t, d)))
		}
	}
}

func zipped(s string) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	io.WriteString(w, s) //nolint:errcheck // memory
	w.Close()
	return b.Bytes()
}

func gunzip(t testing.TB, b []byte) string {
	t.Helper()
	r, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	out, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

func flip(b []byte, i int) []byte {
	c := append([]byte(nil), b...)
	c[i] ^= 4
	return c
}

func TestBackupWhileWriting(t *testing.T) {
	ctx := context.Background()
	d := newDirectory(t)
	mustImport(t, d, bigFile(1000, "un"), ImportOptions{})
	var out bytes.Buffer
	pr, pw := io.Pipe()
	done := make(chan error, 1)
	go func() {
		_, err := Backup(ctx, d.Store(), pw)
		pw.CloseWithError(err)
		done <- err
	}()
	one := make([]byte, 1)
	if _, err := io.ReadFull(pr, one); err != nil {
		t.Fatal(err)
	}
	out.Write(one)
	mustImport(t, d, bigFile(1500, "deux"), ImportOptions{})
	if _, err := io.Copy(&out, pr); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	to := newStore(t)
	sum, err := Restore(ctx, to, &out)
	if err != nil || sum.Changes < 1000 {
		t.Fatalf("got %+v, %v", sum, err)
	}
	got, err := to.Changes(ctx, 0, sum.Changes)
	if err != nil {
		t.Fatal(err)
	}
	want, err := d.Changes(ctx, 0, sum.Changes)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Error("the restored log is not the beginning of the log")
	}
}
