package federation_test

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
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

// clock can be set ahead.
type clock struct {
	mu    sync.Mutex
	ahead time.Duration
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.ahead)
}

func (c *clock) forward(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ahead += d
}

func open(t testing.TB, c *clock) *instance {
	t.Helper()
	store, err := sqlitestore.Open(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	published := &federation.Published{}
	d, err := directory.Open(t.Context(), directory.Options{Store: store, Views: []directory.View{published}, Poll: 20 * time.Millisecond})
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
		if err := store.Close(); err != nil {
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

// followed lets a new peer follow, and waits for the Accept.
func (in *instance) followed() *fedtest.Peer {
	in.t.Helper()
	p := fedtest.NewPeer(in.t)
	if status := p.Post(in.inbox(), p.Activity("Follow", in.relay()), nil); status != http.StatusAccepted {
		in.t.Fatalf("Follow was answered with %d", status)
	}
	p.Await("Accept", 1)
	return p
}

func (in *instance) followers() float64 {
	in.t.Helper()
	_, doc := fedtest.Get(in.t, in.relay()+"/followers")
	n, _ := doc["totalItems"].(float64)
	return n
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for range 500 {
		if ok() {
			return
		}
		time.Sleep(20 * time.Millisecond)
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

// golden compares a document with a file, in which the instance's address is HOST. UPDATE_GOLDEN=1 writes it anew.
func (in *instance) golden(name string, doc map[string]any, volatile ...string) {
	in.t.Helper()
	hide(doc, volatile)
	b, err := json.MarshalIndent(doc, "", "  ")
	if err != nil {
		in.t.Fatal(err)
	}
	got := strings.ReplaceAll(string(b), in.base, "HOST") + "\n"
	file := filepath.Join("testdata", name+".json")
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			in.t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		in.t.Fatal(err)
	}
	if got != string(want) {
		in.t.Errorf("%s changed; other servers have the old form. Look at it, then UPDATE_GOLDEN=1:\n%s", file, got)
	}
}

// hide blanks what differs from run to run.
func hide(v any, keys []string) {
	switch v := v.(type) {
	case map[string]any:
		for k, member := range v {
			hide(member, keys)
			for _, volatile := range keys {
				if k == volatile {
					v[k] = "*"
				}
			}
		}
	case []any:
		for _, item := range v {
			hide(item, keys)
		}
	}
}

// TestGolden holds everything that is sent to files.
func TestGolden(t *testing.T) {
	in := open(t, nil)
	p := in.followed()
	volatile := []string{"updated", "published", "deleted", "created", "proofValue", "publicKeyPem", "publicKeyMultibase"}
	_, actor := fedtest.Get(t, in.relay())
	in.golden("actor", actor, volatile...)
	e := in.put(fair())
	in.golden("create-event", p.Await("Create", 1)[0], volatile...)
	_, object := fedtest.Get(t, in.base+"/id/"+string(e.ID))
	in.golden("event", object, volatile...)
	e.Event.State = directory.Cancelled
	e = in.put(e)
	in.golden("update-cancelled", p.Await("Update", 1)[0], volatile...)
	e.Status = directory.Hidden
	in.put(e)
	in.golden("delete", p.Await("Delete", 1)[0], volatile...)
	in.put(directory.Entry{
		ID: "0190a3a0-7b1c-7e2f-8d3c-000000000001", Kind: directory.Initiative, Name: "Un verger pour tous", Description: "Planter.", Lang: "fr",
		Created: time.Date(2027, 3, 2, 8, 0, 0, 0, time.UTC),
	})
	in.golden("create-initiative", p.Await("Create", 2)[1], volatile...)
	_, outbox := fedtest.Get(t, in.relay()+"/outbox?page=true")
	in.golden("outbox", outbox, volatile...)
	_, finger := fedtest.Get(t, in.base+"/.well-known/webfinger?resource="+in.base)
	b, _ := json.Marshal(finger)
	var plain map[string]any
	_ = json.Unmarshal([]byte(strings.ReplaceAll(string(b), strings.TrimPrefix(in.base, "http://"), "NAME")), &plain)
	in.golden("webfinger", plain)
	accept := p.Await("Accept", 1)[0]
	hide(accept["object"], []string{"id", "actor"})
	hide(accept, []string{"id", "to"})
	in.golden("accept", accept)
}

// TestPeersNeeds looks, on the wire, for what each network needs (and the library takes away).
func TestPeersNeeds(t *testing.T) {
	in := open(t, nil)
	in.put(fair())
	r, _ := http.NewRequest(http.MethodGet, in.base+"/id/"+string(fair().ID), nil)
	r.Header.Set("Accept", `application/ld+json; profile="https://www.w3.org/ns/activitystreams"`)
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var raw map[string]json.RawMessage
	if err := json.NewDecoder(res.Body).Decode(&raw); err != nil {
		t.Fatal(err)
	}
	if got := string(raw["location"]); !strings.Contains(got, `"latitude":45.0`) || !strings.Contains(got, `"longitude":4.0`) {
		t.Errorf("Mobilizon needs decimals: %s", got)
	}
	for _, k := range []string{"to", "cc", "tag", "attachment"} {
		if !strings.HasPrefix(string(raw[k]), "[") {
			t.Errorf("Gancio calls .map on %s: %s", k, raw[k])
		}
	}
	if string(raw["type"]) != `"Event"` {
		t.Errorf("type is %s", raw["type"])
	}
	for peer, keys := range map[string][]string{
		"Gancio":    {"id", "name", "startTime", "endTime", "location"},
		"Mastodon":  {"name", "summary", "url", "attributedTo", "published"},
		"Mobilizon": {"uuid", "actor", "attributedTo", "startTime", "endTime", "timezone", "inLanguage", "category", "joinMode", "externalParticipationUrl", "participantCount", "anonymousParticipationEnabled", "repliesModerationOption", "commentsEnabled", "status", "ical:status", "draft", "isOnline"},
		"FEP-8a8e":  {"name", "startTime", "endTime", "organizers", "displayEndTime", "timezone", "eventStatus"},
	} {
		for _, k := range keys {
			if len(raw[k]) == 0 || string(raw[k]) == "null" || string(raw[k]) == `""` {
				t.Errorf("%s needs %s", peer, k)
			}
		}
	}
	content := string(raw["content"])
	for _, want := range []string{"Troc de plantes &lt;3", "1er juillet 2027, 18:00", "rue des Tilleuls", "/e/troc-de-plantes"} {
		if !strings.Contains(strings.NewReplacer(`\u0026`, "&", `\u003c`, "<").Replace(content), want) {
			t.Errorf("GoToSocial shows only the content, which has no %q: %s", want, content)
		}
	}
	all, _ := json.Marshal(raw)
	for _, never := range []string{"secret", "alert("} {
		if strings.Contains(string(all), never) {
			t.Errorf("%q leaves the instance", never)
		}
	}
}
