package federation_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"archipel/directory"
	"archipel/directory/sqlitestore"
	"archipel/federation"
	"archipel/federation/fedtest"
)

// node is one of several processes of an instance, which share a store and an address.
type node struct {
	d     *directory.Directory
	store directory.Store
	s     *federation.Service
	stop  func()
}

// TestNodes lets two nodes of one instance take and deliver while nodes come and go. Each activity is delivered by one of them,
// each that came in is done once, whichever node it came to.
func TestNodes(t *testing.T) {
	dir := t.TempDir()
	var mu sync.Mutex
	var nodes []*node
	turn := 0
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		turn++
		n := nodes[turn%len(nodes)]
		mu.Unlock()
		n.s.ServeHTTP(w, r)
	}))
	defer front.Close()
	start := func() *node {
		store, err := sqlitestore.Open(t.Context(), dir)
		if err != nil {
			t.Fatal(err)
		}
		log := slog.New(slog.DiscardHandler)
		published := &federation.Published{}
		d, err := directory.Open(t.Context(), directory.Options{
			Store: store, Views: []directory.View{published}, Poll: 10 * time.Millisecond, Log: log,
			Leases: directory.NewLeases(directory.LeaseOptions{Store: store, Log: log, Beat: time.Second}),
		})
		if err != nil {
			t.Fatal(err)
		}
		s, err := federation.New(t.Context(), federation.Options{
			Directory: d, Published: published, PublicURL: front.URL, Version: "test", Log: log,
			Site: func() federation.Site { return federation.Site{Name: "Essai", Lang: "fr"} },
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		var wg sync.WaitGroup
		wg.Go(func() { d.Run(ctx) })
		wg.Go(func() { s.Run(ctx) })
		n := &node{d: d, store: store, s: s}
		n.stop = sync.OnceFunc(func() {
			mu.Lock()
			for i, other := range nodes {
				if other == n && len(nodes) > 1 {
					nodes = append(nodes[:i:i], nodes[i+1:]...)
				}
			}
			mu.Unlock()
			cancel()
			wg.Wait()
			store.Close()
		})
		mu.Lock()
		nodes = append(nodes, n)
		mu.Unlock()
		t.Cleanup(n.stop)
		return n
	}
	first := start()
	second := start()
	var peers []*fedtest.Peer
	for range 4 {
		p := fedtest.NewPeer(t)
		follow := p.Activity("Follow", front.URL+"/ap/relay")
		for range 2 { // the same to both
			if code := p.Post(front.URL+"/ap/inbox", follow, nil); code != http.StatusAccepted {
				t.Fatalf("Follow was answered with %d", code)
			}
		}
		p.Await("Accept", 1)
		peers = append(peers, p)
	}
	put := func(n *node, name string) {
		t.Helper()
		if _, err := n.d.Put(t.Context(), "test", event(name)); err != nil {
			t.Fatal(err)
		}
	}
	total := 0
	round := func(what string, by *node) {
		t.Helper()
		for i := range 5 {
			put(by, fmt.Sprintf("%s %d", what, i))
		}
		total += 5
		for _, p := range peers {
			eventually(t, what, func() bool {
				names := map[any]bool{}
				for _, a := range p.Received("Create") {
					o, _ := a["object"].(map[string]any)
					names[o["name"]] = true
				}
				return len(names) == total && must(by.store.Cursor(t.Context(), "deliver "+p.URL()+"/inbox")) == by.d.Head()
			})
		}
	}
	round("à deux", first)
	third := start()
	round("à trois", second)
	first.stop()
	round("sans le premier", third)
	second.stop()
	round("sans le deuxième", third)
	for i, p := range peers {
		ids, twice := map[any]any{}, 0
		for _, a := range p.Received("Create") {
			o, _ := a["object"].(map[string]any)
			if id, again := ids[o["name"]]; again {
				twice++
				if id != a["id"] {
					t.Errorf("follower %d got %v as %v and as %v", i, o["name"], id, a["id"])
				}
			}
			ids[o["name"]] = a["id"]
		}
		if twice > 5 { // one may be under way each time that the work goes to another node
			t.Errorf("follower %d got %d activities twice", i, twice)
		}
		for _, a := range p.Received("Accept") { // twice only when the work changed hands in its midst, and then with one id
			if first := p.Received("Accept")[0]; a["id"] != first["id"] {
				t.Errorf("follower %d was accepted as %v and as %v", i, first["id"], a["id"])
			}
		}
	}
}
