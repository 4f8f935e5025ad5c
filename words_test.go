package main

import (
	"context"
	"encoding/json"
	"log/slog"
	"testing"

	"archipel/api"
	"archipel/directory/sqlitestore"
	"archipel/directory/taxonomy"
)

// TestCategoriesReachOtherNodes: what one node saves, another shows soon, and its search index is told when names changed.
func TestCategoriesReachOtherNodes(t *testing.T) {
	store, err := sqlitestore.Open(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	words := taxonomy.Default()
	node, err := openWords(t.Context(), config{}, store, words, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	running, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { node.watch(running); close(ended) }()
	defer func() { stop(); <-ended }()

	save := func(rev int64, change func(*taxonomy.Category)) {
		t.Helper()
		c, _ := words.Written("amap")
		change(&c)
		next, err := words.With(c)
		if err != nil {
			t.Fatal(err)
		}
		b, err := json.Marshal(next)
		if err != nil {
			t.Fatal(err)
		}
		if err := store.PutSetting(t.Context(), api.TaxonomyKey, b, rev); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the other node shows it", func() bool { return words.Stamp() == next.Stamp() })
	}
	save(0, func(c *taxonomy.Category) { c.Label = map[string]string{"fr": "Paniers", "en": "Baskets"} })
	<-node.stale // its index is older than the names
	save(1, func(c *taxonomy.Category) { c.Color = "#123456" })
	select {
	case <-node.stale:
		t.Error("a colour makes the search index old")
	default:
	}
	again := taxonomy.Default() // as after a start
	if _, err := openWords(t.Context(), config{}, store, again, slog.New(slog.DiscardHandler)); err != nil || again.Label("amap", "fr") != "Paniers" {
		t.Errorf("after a start: %v", err)
	}
}
