package embedded

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"archipel/search"
	"archipel/search/searchtest"
)

// TestDamageFound has a search find damaged files: the index builds itself again, once.
func TestDamageFound(t *testing.T) {
	log := searchtest.NewLog("found")
	log.Put(searchtest.Fixture()...)
	now := time.Now()
	dir := t.TempDir()
	x, err := Open(dir, Options{Source: log, Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	searchtest.WaitReady(t, x, 39)
	before := readCurrent(dir)
	stumble := func() error { return x.with(t.Context(), func(*view) error { panic("index out of range") }) }
	if err := stumble(); !errors.Is(err, search.ErrUnavailable) {
		t.Errorf("search: got %v, want %v", err, search.ErrUnavailable)
	}
	searchtest.WaitReady(t, x, 39)
	after := readCurrent(dir)
	if after == before {
		t.Errorf("the index is still %s", after)
	}
	if err := stumble(); !errors.Is(err, search.ErrUnavailable) {
		t.Errorf("search again: got %v, want %v", err, search.ErrUnavailable)
	}
	if st := x.Status(t.Context()); st.Err != nil || st.Rebuilding || readCurrent(dir) != after {
		t.Errorf("a failure that a new index does not cure built another one: %+v", st)
	}
	if _, err := os.Stat(filepath.Join(dir, before)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the old index stays: %v", err)
	}
	if res, err := x.Search(t.Context(), search.Query{}); err != nil || res.Total != 35 {
		t.Errorf("search: %+v, %v", res, err)
	}
}

// TestCloseDuringReindex closes the index while a new one is built.
func TestCloseDuringReindex(t *testing.T) {
	log := searchtest.NewLog("closing")
	log.Put(searchtest.Large(3000)...)
	dir := t.TempDir()
	x, err := Open(dir, Options{Source: log})
	if err != nil {
		t.Fatal(err)
	}
	searchtest.WaitReady(t, x, 3000)
	before := readCurrent(dir)
	failed := make(chan error, 1)
	go func() { failed <- x.Reindex(t.Context()) }()
	for !x.working.Load() && len(failed) == 0 { // it may be done before it is seen
		time.Sleep(time.Millisecond)
	}
	time.Sleep(20 * time.Millisecond)
	if err := x.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
	if err := <-failed; err == nil {
		t.Log("the new index was ready before Close")
	} else if readCurrent(dir) != before {
		t.Errorf("reindex failed (%v) and the index in use is %s, not %s", err, readCurrent(dir), before)
	}
	if x, err = Open(dir, Options{Source: log}); err != nil {
		t.Fatal(err)
	}
	searchtest.WaitReady(t, x, 3000)
	if err := x.Close(); err != nil {
		t.Error(err)
	}
}
