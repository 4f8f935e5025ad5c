package meili_test

import (
	"cmp"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"archipel/search"
	"archipel/search/meili"
	"archipel/search/meili/meilitest"
	"archipel/search/searchtest"
)

// TestIndex runs on the stand-in, and on a real server as well when TEST_MEILISEARCH_URL names one.
func TestIndex(t *testing.T) {
	t.Run("StandIn", func(t *testing.T) {
		s := meilitest.New(t, "key")
		searchtest.Run(t, opener(s.URL, "key", "t"))
	})
	t.Run("Server", func(t *testing.T) {
		url := os.Getenv("TEST_MEILISEARCH_URL")
		if url == "" {
			t.Skip("set TEST_MEILISEARCH_URL (and TEST_MEILISEARCH_KEY) to run on a real server")
		}
		searchtest.Run(t, opener(url, os.Getenv("TEST_MEILISEARCH_KEY"), "archipel_test_"+time.Now().Format("150405")))
	})
}

func opener(url, key, prefix string) searchtest.Open {
	return func(t *testing.T, place string, src search.Source, b search.Builder) searchtest.Opened {
		t.Helper()
		x, err := meili.Open(options(t, url, key, prefix+"_"+place, src, b))
		if err != nil {
			t.Fatalf("open: %v", err)
		}
		t.Cleanup(func() {
			_ = x.Close()
			removeIndex(url, key, prefix+"_"+place)
		})
		return searchtest.Opened{Index: x, Lose: func() { deleteIndex(t, url, key, prefix+"_"+place) }}
	}
}

func options(t *testing.T, url, key, index string, src search.Source, b search.Builder) meili.Options {
	return meili.Options{
		URL: url, Key: key, Index: strings.ToLower(cmp.Or(index, "t")), Source: src, Builder: b, Poll: 5 * time.Millisecond, Timeout: 30 * time.Second,
		Now: func() time.Time { return searchtest.Day }, Log: slog.New(slog.NewTextHandler(t.Output(), nil)),
	}
}
