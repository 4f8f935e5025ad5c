package embedded_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"archipel/directory"
	"archipel/search"
	"archipel/search/embedded"
	"archipel/search/searchtest"
)

func open(t *testing.T, dir string, src search.Source) *embedded.Index {
	t.Helper()
	x, err := embedded.Open(dir, embedded.Options{Source: src, Builder: search.Builder{Taxonomy: searchtest.Taxonomy{}, Zoner: searchtest.Zoner{}}})
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	t.Cleanup(func() { _ = x.Close() })
	return x
}

// TestDamage spoils every file of the index in turn: it opens all the same, and has everything.
func TestDamage(t *testing.T) {
	log := searchtest.NewLog("damage")
	log.Put(searchtest.Fixture()...)
	dir := t.TempDir()
	x := open(t, dir, log)
	searchtest.WaitReady(t, x, 39)
	if err := x.Close(); err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(1, 1))
	spoil := map[string]func(path string, b []byte) error{
		"emptied": func(path string, b []byte) error { return os.WriteFile(path, nil, 0o600) },
		"cut":     func(path string, b []byte) error { return os.WriteFile(path, b[:len(b)/2], 0o600) },
		"gone":    func(path string, b []byte) error { return os.Remove(path) },
		"noise": func(path string, b []byte) error {
			for i := range b {
				b[i] = byte(r.Uint32())
			}
			return os.WriteFile(path, b, 0o600)
		},
	}
	for _, name := range slices.Sorted(maps.Keys(spoil)) { // in this order: the noise is the same every time
		f := spoil[name]
		for _, pattern := range []string{"CURRENT", "index_meta.json", "root.bolt", "*.zap"} {
			t.Run(name+" "+pattern, func(t *testing.T) {
				n := 0
				err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
					if ok, _ := filepath.Match(pattern, filepath.Base(path)); err != nil || !ok || d.IsDir() {
						return err
					}
					b, err := os.ReadFile(path)
					if err != nil {
						return err
					}
					n++
					return f(path, b)
				})
				if err != nil || n == 0 {
					t.Fatalf("spoilt %d files: %v", n, err)
				}
				x := open(t, dir, log)
				searchtest.WaitReady(t, x, 39)
				res, err := x.Search(t.Context(), search.Query{})
				if err != nil || res.Total != 35 {
					t.Errorf("everything: got %+v, %v; want 35 entries", res, err)
				}
				if res, err = x.Search(t.Context(), search.Query{Text: "loos en gohelle"}); err != nil || res.Total != 1 {
					t.Errorf("words: got %+v, %v; want one entry", res, err)
				}
				if err := x.Close(); err != nil {
					t.Fatal(err)
				}
			})
		}
	}
}

// TestTwoProcesses opens the same folder twice.
func TestTwoProcesses(t *testing.T) {
	dir := t.TempDir()
	open(t, dir, nil)
	if _, err := embedded.Open(dir, embedded.Options{}); err == nil || !strings.Contains(err.Error(), "in use by another process") {
		t.Errorf("open again: got %v, want that it is in use", err)
	}
}

// TestSourceAway opens an empty index while its source fails, and gets everything once it does not.
func TestSourceAway(t *testing.T) {
	log := searchtest.NewLog("away")
	log.Put(searchtest.Fixture()...)
	log.Break(directory.ErrUnavailable)
	x := open(t, t.TempDir(), log)
	if _, err := x.Search(t.Context(), search.Query{}); !errors.Is(err, search.ErrUnavailable) {
		t.Errorf("search: got %v, want %v", err, search.ErrUnavailable)
	}
	if st := x.Status(t.Context()); !errors.Is(st.Err, search.ErrUnavailable) {
		t.Errorf("status: got %+v, want %v", st, search.ErrUnavailable)
	}
	log.Break(nil)
	searchtest.WaitReady(t, x, 39)
}

// TestKill kills a process that writes, again and again: what it said it had written is there.
func TestKill(t *testing.T) {
	if dir := os.Getenv("ARCHIPEL_TEST_KILL"); dir != "" {
		writeUntilKilled(dir)
		return
	}
	if testing.Short() {
		t.Skip("starts processes")
	}
	dir := t.TempDir()
	r := rand.New(rand.NewPCG(4, 2))
	for round := range 4 {
		cmd := exec.Command(os.Args[0], "-test.run=^TestKill$")
		cmd.Env = append(os.Environ(), "ARCHIPEL_TEST_KILL="+dir)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		said, after := 0, 3+r.IntN(8)
		for lines.Scan() {
			if _, err := fmt.Sscanf(lines.Text(), "wrote %d", &said); err == nil {
				if after--; after <= 0 {
					break
				}
			}
		}
		time.Sleep(time.Duration(r.IntN(20)) * time.Millisecond)
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait() // it was killed
		x := open(t, dir, nil)
		at := int(x.Status(t.Context()).At)
		res, err := x.Search(t.Context(), search.Query{Text: "numéro"})
		if err != nil || at < said || res.Total != at {
			t.Errorf("round %d: %d said to be written, index at %d, found %+v, %v", round, said, at, res, err)
		}
		if err := x.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func writeUntilKilled(dir string) {
	x, err := embedded.Open(dir, embedded.Options{})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	for seq := x.Status(context.Background()).At + 1; ; seq++ {
		e := directory.Entry{ID: searchtest.ID(fmt.Sprint(seq)), Kind: directory.Place, Name: fmt.Sprintf("Numéro %d", seq), Status: directory.Published, Version: seq}
		if err := x.Consume(context.Background(), []directory.Change{{Seq: seq, ID: fmt.Sprint(seq), Entry: e}}); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Printf("wrote %d\n", seq)
	}
}
