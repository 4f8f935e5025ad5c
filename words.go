package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"time"

	"archipel/api"
	"archipel/directory"
	"archipel/directory/taxonomy"
	"archipel/search"
)

// indexedKey is the setting that tells which names of categories the search index knows.
const indexedKey = "taxonomy-indexed"

// liveWords keeps the categories as they were edited last, by any node, and the search index in step with their names.
type liveWords struct {
	words  *taxonomy.Taxonomy
	store  directory.Store
	log    *slog.Logger
	shared bool          // the index is one for all nodes: the node on which somebody edits builds it anew
	stale  chan struct{} // the index is older than the categories' names
	rev    int64
}

// openWords puts the categories that were edited in the place of those of the file.
func openWords(ctx context.Context, c config, store directory.Store, words *taxonomy.Taxonomy, log *slog.Logger) (*liveWords, error) {
	rev, err := api.LoadTaxonomy(ctx, store, words)
	return &liveWords{words: words, store: store, log: log, shared: c["meili"] != "", stale: make(chan struct{}, 1), rev: rev}, err
}

// saved is called when somebody edited the categories on this node.
func (w *liveWords) saved() {
	select {
	case w.stale <- struct{}{}:
	default: // it will be built anew anyway
	}
}

// watch takes over what other nodes save, until ctx ends.
func (w *liveWords) watch(ctx context.Context) {
	tick := time.NewTicker(2 * time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		_, rev, err := w.store.Setting(ctx, api.TaxonomyKey)
		if err != nil || rev == w.rev {
			continue // a store that is away is told elsewhere
		}
		before := w.words.WordStamp()
		if w.rev, err = api.LoadTaxonomy(ctx, w.store, w.words); err != nil {
			w.log.Error("the categories cannot be read", "err", err)
			w.rev = rev
			continue
		}
		if !w.shared && w.words.WordStamp() != before {
			w.saved()
		}
	}
}

// index builds the search index anew when the categories' names changed, until ctx ends.
func (w *liveWords) index(ctx context.Context, index search.Index) {
	built := ""
	if value, _, err := w.store.Setting(ctx, indexedKey); err == nil && value != nil {
		_ = json.Unmarshal(value, &built) // what cannot be read is built anew
	} else if w.rev == 0 {
		built = w.words.WordStamp() // nobody has edited anything
	}
	if built != w.words.WordStamp() {
		w.saved()
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-w.stale:
		}
		stamp := w.words.WordStamp()
		if stamp == built {
			continue
		}
		w.log.Info("building the search index anew: the categories changed")
		if err := index.Reindex(ctx); err != nil {
			if ctx.Err() == nil {
				w.log.Error("building the search index anew", "err", err)
			}
			continue
		}
		built = stamp
		if _, rev, err := w.store.Setting(ctx, indexedKey); err == nil {
			if err := w.store.PutSetting(ctx, indexedKey, fmt.Appendf(nil, "%q", stamp), rev); err != nil && ctx.Err() == nil {
				w.log.Warn("the search index will be built once more at the next start", "err", err)
			}
		}
	}
}
