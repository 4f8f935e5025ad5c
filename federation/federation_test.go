package federation_test

import (
	"context"
	"encoding/json"
	"net"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"archipel/directory"
	"archipel/directory/sqlitestore"
	"archipel/federation"
	"archipel/federation/fedtest"

	"github.com/paulmach/orb"
)

// instance is one of ours, on loopback.
type instance struct {
	t     testing.TB
	base  string
	d     *directory.Directory
	store directory.Store
	s     *federation.Service

	signedFetch atomic.Bool
}

// clock can be set ahead. One that stands does not move by itself, so that no pause ends before it is set ahead.
type clock struct {
	stands time.Time // zero: it goes
	mu     sync.Mutex
	ahead  time.Duration
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.stands.IsZero() {
		return c.stands.Add(c.ahead)
	}
	return time.Now().Add(c.ahead)
}

func (c *clock) forward(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ahead += d
}

// keeping is a store for a clock that is behind the store's own: what expires by it would have done so before it was written.
type keeping struct {
	directory.Store
	*clock
}

func (k keeping) PutRecord(ctx context.Context, kind string, r directory.Record) error {
	if behind := time.Since(k.now()); behind > 0 && !r.Expires.IsZero() {
		r.Expires = r.Expires.Add(behind)
	}
	return k.Store.PutRecord(ctx, kind, r)
}

func open(t testing.TB, c *clock) *instance {
	t.Helper()
	sqlite, err := sqlitestore.Open(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	var store directory.Store = sqlite
	if c != nil {
		store = keeping{sqlite, c}
	}
	published := &federation.Published{}
	poll := 20 * time.Millisecond
	if _, measured := t.(*testing.B); measured {
		poll = 0 // as the program does
	}
	d, err := directory.Open(t.Context(), directory.Options{Store: store, Views: []directory.View{published}, Poll: poll})
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	in := &instance{t: t, base: "http://" + ln.Addr().String(), d: d, store: store}
	o := federation.Options{
		Directory: d, Published: published, PublicURL: in.base, Version: "test",
		Site: func() federation.Site {
			return federation.Site{Name: "Archipel d'essai", Summary: "Pour les tests", Lang: "fr", SignedFetch: in.signedFetch.Load()}
		},
	}
	if c != nil {
		o.Now = c.now
	}
	if in.s, err = federation.New(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	in.s.Settle(50 * time.Millisecond)
	server := httptest.NewUnstartedServer(in.s)
	server.Listener.Close()
	server.Listener = ln
	server.Start()
	ctx, stop := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { d.Run(ctx) })
	wg.Go(func() { in.s.Run(ctx) })
	t.Cleanup(func() {
		stop()
		server.Close()
		wg.Wait()
		if err := sqlite.Close(); err != nil {
			t.Error(err)
		}
	})
	return in
}

func (in *instance) relay() string { return in.base + "/ap/relay" }
func (in *instance) inbox() string { return in.base + "/ap/inbox" }

func (in *instance) put(e directory.Entry) directory.Entry {
	in.t.Helper()
	e, err := in.d.Put(in.t.Context(), "test", e)
	if err != nil {
		in.t.Fatal(err)
	}
	return e
}

// followed lets a new peer follow, and waits until it is accepted and it is noted how it took that.
func (in *instance) followed() *fedtest.Peer {
	in.t.Helper()
	p := fedtest.NewPeer(in.t)
	in.follows(p, in.relay())
	eventually(in.t, "the Follow to be done", in.idle)
	return p
}

// delivered waits until all that there is was brought to an inbox of a peer, and that is noted.
func (in *instance) delivered(p *fedtest.Peer, inbox string) {
	in.t.Helper()
	eventually(in.t, "the deliveries to be noted", func() bool {
		return must(in.store.Cursor(in.t.Context(), "deliver "+p.URL()+inbox)) == in.d.Head()
	})
}

func (in *instance) followers() float64 {
	in.t.Helper()
	_, doc := fedtest.Get(in.t, in.relay()+"/followers")
	n, _ := doc["totalItems"].(float64)
	return n
}

func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("waited in vain: %s", what)
}

// records lists the records of a kind.
func (in *instance) records(kind string) []map[string]any {
	in.t.Helper()
	records, err := in.store.Records(in.t.Context(), kind, "", 100)
	if err != nil {
		in.t.Fatal(err)
	}
	var docs []map[string]any
	for _, r := range records {
		var doc map[string]any
		if err := json.Unmarshal(r.Value, &doc); err != nil {
			in.t.Fatal(err)
		}
		docs = append(docs, doc)
	}
	return docs
}

// idle reports whether everything that came in is done.
func (in *instance) idle() bool {
	in.t.Helper()
	records, err := in.store.Records(in.t.Context(), "ap-inbox", "", 1)
	if err != nil {
		in.t.Fatal(err)
	}
	return len(records) == 0
}

var springFair = time.Date(2027, 7, 1, 16, 0, 0, 0, time.UTC)

func fair() directory.Entry {
	return directory.Entry{
		ID: "0190a3a0-7b1c-7e2f-8d3c-1f2e3d4c5b6a", Kind: directory.Event, Name: "Troc de plantes <3", Summary: "Échange de semis.", Description: "Apportez *vos plantes*.\n\n<script>alert(1)</script>",
		Lang: "fr", Tags: []string{"jardin partagé", "42"}, Sites: []orb.Point{{4, 45}},
		Translations: map[string]directory.Translation{"en": {Name: "Plant swap", Description: "Bring your plants."}},
		Address:      &directory.Address{Street: "2 rue des Tilleuls", Locality: "Saint-Étienne", PostalCode: "42000", Region: "Loire", Country: "FR"},
		Contact:      &directory.Contact{Website: "https://troc.example/"},
		Images:       []directory.Image{{URL: "https://troc.example/affiche.png", Alt: "Une affiche"}},
		Created:      time.Date(2027, 3, 1, 8, 0, 0, 0, time.UTC),
		Event:        &directory.Schedule{Start: springFair, End: springFair.Add(2 * time.Hour), Timezone: "Europe/Paris", RegisterURL: "https://troc.example/inscription"},
		Private:      &directory.Private{Email: "secret@troc.example", Note: "secret note"},
	}
}
