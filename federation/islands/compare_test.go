package islands_test

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"archipel/directory"
	"archipel/federation/islands"
)

// TestListsTooMuch: an island lists far more than was agreed. It is asked for what there is room for, and for what is here in
// another version; of the rest nothing is kept.
func TestListsTooMuch(t *testing.T) {
	a, b := newIsle(t, nil), newIsle(t, nil)
	ctx := t.Context()
	first := b.put(farm("Ferme"))
	a.follow(b, islands.Scope{}, islands.Show)
	a.shown(b, "Ferme")
	a.compared(b) // it is not to be asked twice below
	if _, err := islands.SetLimit(ctx, a.store, b.host, 20); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the limit is known", func() bool { return a.s.Limit(b.host) == 20 })
	lists := make([][]string, 256)
	enter := func(id directory.ID) {
		name := b.host + "/" + string(id)
		n := sha256.Sum256([]byte(name))[0]
		lists[n] = append(lists[n], name+" 0.99999")
	}
	for range 5000 {
		enter(directory.NewID())
	}
	enter(first.ID)
	var mu sync.Mutex
	var asked []string
	var long atomic.Bool
	b.over(func(w http.ResponseWriter, r *http.Request) bool {
		w.Header().Set("Content-Type", "application/json")
		var answer any
		switch strings.TrimPrefix(r.URL.Path, "/mirror/") {
		case "digest":
			answer = map[string]any{"count": 5001, "buckets": make([]string, 256)}
		case "bucket":
			n, _ := strconv.Atoi(r.URL.Query().Get("n"))
			list := slices.Clone(lists[n])
			if long.Load() {
				list[0] += strings.Repeat("0", 1000)
			}
			answer = map[string]any{"items": list}
		case "objects":
			w.Header().Set("Content-Type", "application/activity+json")
			mu.Lock()
			asked = append(asked, r.URL.Query()["id"]...)
			mu.Unlock()
			answer = map[string]any{"type": "OrderedCollectionPage", "orderedItems": []any{}}
		default:
			return false
		}
		if err := json.NewEncoder(w).Encode(answer); err != nil {
			t.Log(err)
		}
		return true
	})
	if err := a.s.Sync(ctx, b.host, true); err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	if most := 20 + 1000; len(asked) > most || len(asked) < 500 {
		t.Errorf("it is asked for %d of 5001, want at most %d", len(asked), most)
	}
	if !slices.Contains(asked, fmt.Sprintf("%s/%s", b.host, first.ID)) {
		t.Error("it is not asked for what is here in another version")
	}
	mu.Unlock()
	long.Store(true)
	if err := a.s.Sync(ctx, b.host, true); err == nil {
		t.Error("a line of 1000 characters is read")
	}
}
