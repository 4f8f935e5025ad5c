package islands_test

import (
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"archipel/directory"
	"archipel/federation/islands"
)

// TestThirdIsAway: what a hub passes on of a server that does not answer is left for later, and the rest does not wait for that
// server again and again.
func TestThirdIsAway(t *testing.T) {
	shared := &clock{}
	a, b, c := newIsle(t, shared), newIsle(t, shared), newIsle(t, shared)
	var entries []directory.Entry
	for i := range 60 {
		entries = append(entries, farm(fmt.Sprint("De c ", i)))
	}
	if _, err := c.d.Write(t.Context(), directory.Write{Author: "test", Entries: entries}); err != nil {
		t.Fatal(err)
	}
	b.put(farm("De b"))
	b.follow(c, islands.Scope{}, islands.Show)
	eventually(t, "b has them", func() bool { return len(b.visible(c.host)) == 60 })
	var asked atomic.Int64
	c.mu.Lock()
	c.intercep = func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path != "/ap/mirror" || r.Method != http.MethodGet {
			return false
		}
		asked.Add(1)
		time.Sleep(100 * time.Millisecond)
		w.WriteHeader(http.StatusServiceUnavailable)
		return true
	}
	c.mu.Unlock()
	began := time.Now()
	a.follow(b, islands.Scope{Others: true}, islands.Show)
	a.shown(b, "De b")
	a.compared(b)
	// It is left in peace for ten seconds each time; without that it is asked some 20 times a second.
	if n := asked.Load(); n == 0 || n > 30+int64(8*time.Since(began)/(10*time.Second)) {
		t.Errorf("c was asked %d times for 60 entries", n)
	}
	c.mu.Lock()
	c.intercep = nil
	c.mu.Unlock()
	eventually(t, "a shows all of c", func() bool { // what was asked before may be answered only now
		shared.forward(time.Minute)
		return a.s.Sync(t.Context(), b.host, true) == nil && len(a.visible(c.host)) == 60
	})
}
