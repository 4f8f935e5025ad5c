package embedded_test

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"archipel/search"
	"archipel/search/embedded"
	"archipel/search/searchtest"
)

func TestIndex(t *testing.T) {
	dir := t.TempDir()
	searchtest.Run(t, func(t *testing.T, place string, src search.Source, b search.Builder) searchtest.Opened {
		t.Helper()
		path := filepath.Join(dir, place)
		x, err := embedded.Open(path, embedded.Options{
			Source: src, Builder: b, Now: func() time.Time { return searchtest.Day },
			Log: slog.New(slog.NewTextHandler(t.Output(), nil)),
		})
		if err != nil {
			t.Fatalf("open: %v", err)
		}
		t.Cleanup(func() { _ = x.Close() })
		return searchtest.Opened{Index: x, Lose: func() {
			if err := os.RemoveAll(path); err != nil {
				t.Fatal(err)
			}
		}}
	})
}
