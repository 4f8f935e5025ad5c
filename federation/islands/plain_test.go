package islands_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"archipel/directory"
	"archipel/federation/fedtest"
	"archipel/federation/islands"
	"archipel/federation/vocab"

	"github.com/paulmach/orb"
)

// elsewhere is a server on loopback that speaks plain ActivityPub: it says what is in the files of a network, in its own
// forms, with events that are to come.
type elsewhere struct {
	*fedtest.Peer
	t       *testing.T
	in      *isle
	host    string
	home    string                    // of the files
	docs    map[string]map[string]any // by the name of the file
	mu      sync.Mutex
	paths   map[string]map[string]any // what is served
	gone    map[string]bool
	finger  map[string]string // actors by name
	objects int               // requests for things and pages
}

var (
	timesAhead = regexp.MustCompile(`("(?:startTime|endTime)": "?)\d{4}(-\d\d-\d\dT)`)
	timesPast  = regexp.MustCompile(`("(?:published|updated|deleted)": "?)\d{4}(-\d\d-\d\dT)`)
)

func newElsewhere(t *testing.T, in *isle, network string) *elsewhere {
	t.Helper()
	f := &elsewhere{
		Peer: fedtest.NewPeer(t), t: t, in: in, docs: map[string]map[string]any{}, paths: map[string]map[string]any{}, gone: map[string]bool{}, finger: map[string]string{},
	}
	f.host = vocab.Host(f.URL())
	f.Answer = f.answer
	files, err := filepath.Glob("../testdata/peers/" + network + "/*.json")
	if err != nil || len(files) == 0 {
		t.Fatal(err)
	}
	b, err := os.ReadFile("../testdata/peers/" + network + "/actor.json")
	if err != nil {
		t.Fatal(err)
	}
	f.home = "https://" + vocab.Host(regexp.MustCompile(`"id": "(https://[^"]*)"`).FindStringSubmatch(string(b))[1])
	for _, file := range files {
		if b, err = os.ReadFile(file); err != nil {
			t.Fatal(err)
		}
		f.docs[strings.TrimSuffix(filepath.Base(file), ".json")] = f.read(string(b))
	}
	return f
}

// read is a document of the files, on this server and next year; it was published long ago.
func (f *elsewhere) read(text string) (doc map[string]any) {
	f.t.Helper()
	text = strings.NewReplacer(f.home, f.URL(), "https://annuaire.example", f.in.base).Replace(text)
	text = timesAhead.ReplaceAllString(text, fmt.Sprintf("${1}%d${2}", f.in.clock.now().Year()+1))
	text = timesPast.ReplaceAllString(text, "${1}2024${2}")
	if err := json.Unmarshal([]byte(text), &doc); err != nil {
		f.t.Fatal(err)
	}
	return doc
}

// event is the event of a file, changed; it is served at its address.
func (f *elsewhere) event(file, path string, change func(map[string]any)) map[string]any {
	f.t.Helper()
	b, err := json.Marshal(f.docs[file]["object"])
	if err != nil {
		f.t.Fatal(err)
	}
	var doc map[string]any
	if err := json.Unmarshal(b, &doc); err != nil {
		f.t.Fatal(err)
	}
	if path != "" {
		doc["id"], doc["url"] = f.URL()+path, f.URL()+path
	}
	if change != nil {
		change(doc)
	}
	f.serve(doc)
	return doc
}

func (f *elsewhere) serve(docs ...map[string]any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, doc := range docs {
		path := strings.TrimPrefix(doc["id"].(string), f.URL())
		f.paths[path] = maps.Clone(doc)
		delete(f.gone, path)
	}
}

func (f *elsewhere) remove(doc map[string]any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	path := strings.TrimPrefix(doc["id"].(string), f.URL())
	delete(f.paths, path)
	f.gone[path] = true
}

// actor makes an actor of a file one of this server, with an outbox; it speaks as that one from then on.
func (f *elsewhere) actor(doc map[string]any, items ...any) {
	id := doc["id"].(string)
	doc = maps.Clone(doc)
	doc["outbox"] = id + "/outbox"
	doc["publicKey"] = map[string]any{"id": id + "#main-key"}
	f.Become(doc)
	f.mu.Lock()
	f.finger[doc["preferredUsername"].(string)] = id
	f.mu.Unlock()
	f.outbox(id, items...)
}

func (f *elsewhere) outbox(actor string, items ...any) {
	f.serve(map[string]any{
		"@context": vocab.Context, "id": actor + "/outbox", "type": "OrderedCollection", "totalItems": len(items), "first": actor + "/outbox?page=1",
	}, map[string]any{
		"@context": vocab.Context, "id": actor + "/outbox?page=1", "type": "OrderedCollectionPage", "partOf": actor + "/outbox", "orderedItems": items,
	})
}

func (f *elsewhere) answer(w http.ResponseWriter, r *http.Request) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	path := r.URL.RequestURI()
	if r.URL.Path == "/.well-known/webfinger" {
		name, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Query().Get("resource"), "acct:"), "@")
		if f.finger[name] == "" {
			return false
		}
		w.Header().Set("Content-Type", "application/jrd+json")
		_ = json.NewEncoder(w).Encode(map[string]any{"links": []any{map[string]any{"rel": "self", "type": "application/activity+json", "href": f.finger[name]}}})
		return true
	}
	if f.gone[path] {
		f.objects++
		w.WriteHeader(http.StatusGone)
		return true
	}
	doc := f.paths[path]
	if doc == nil || r.Method != http.MethodGet {
		return false
	}
	f.objects++
	w.Header().Set("Content-Type", "application/activity+json")
	_ = json.NewEncoder(w).Encode(doc)
	return true
}

// announce is an activity by which the actor passes a thing on.
func (f *elsewhere) announce(object string) map[string]any {
	doc := f.Activity("Announce", object)
	doc["to"] = []any{vocab.Public}
	return doc
}

func (f *elsewhere) post(doc map[string]any) {
	f.t.Helper()
	if got := f.Post(f.in.base+"/ap/relay/inbox", doc, nil); got != http.StatusAccepted {
		f.t.Errorf("%v was answered with %d", doc["id"], got)
	}
}

// followed lets the island follow the actor that speaks now, and waits until both know.
func (f *elsewhere) followed(typed string, scope islands.Scope, policy islands.Policy, online bool) string {
	f.t.Helper()
	n := len(f.Received("Follow"))
	a, err := islands.Follow(context.Background(), f.in.store, typed, scope, policy, online)
	if err != nil {
		f.t.Fatal(err)
	}
	follow := f.Await("Follow", n+1)[n]
	f.post(f.Activity("Accept", map[string]any{"id": follow["id"], "type": "Follow", "actor": follow["actor"], "object": follow["object"]}))
	eventually(f.t, "the outbox is read", func() bool {
		st, err := f.in.s.State(context.Background(), a.Host)
		return err == nil && !st.Compared.IsZero()
	})
	return a.Host
}

func (in *isle) list(origin, want string) {
	in.t.Helper()
	got := ""
	for deadline := time.Now().Add(2 * time.Minute); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if got = in.names(origin); got == want {
			return
		}
	}
	in.t.Fatalf("of %s there is %s, want %s", origin, got, want)
}

func named(name string) func(map[string]any) { return func(d map[string]any) { d["name"] = name } }

// relayOf is Mobilizon's instance actor.
func (f *elsewhere) relayOf(items ...any) {
	doc := maps.Clone(f.docs["group"])
	doc["id"], doc["type"], doc["preferredUsername"], doc["name"], doc["inbox"] = f.URL()+"/relay", "Application", "relay", "Agora", f.URL()+"/relay/inbox"
	f.actor(doc, items...)
}

// TestMobilizonsRelay: an instance actor whose outbox names what is to be fetched, and what happens then.
func TestMobilizonsRelay(t *testing.T) {
	a := newIsle(t, nil)
	f := newElsewhere(t, a, "mobilizon")
	work := f.event("create-event", "", nil)
	far := f.event("create-event", "/events/far", func(d map[string]any) {
		d["name"] = "Loin"
		d["location"].(map[string]any)["longitude"] = 2.35
	})
	old := f.event("create-event", "/events/old", func(d map[string]any) {
		d["name"], d["startTime"], d["endTime"] = "Passé", "2023-05-01T10:00:00Z", "2023-05-01T12:00:00Z"
	})
	online := f.event("create-event", "/events/online", func(d map[string]any) {
		d["name"], d["isOnline"], d["location"] = "En ligne", true, nil
	})
	nowhere := f.event("create-event", "/events/nowhere", func(d map[string]any) { d["name"], d["location"] = "Nulle part", nil })
	hidden := f.event("create-event", "/events/hidden", func(d map[string]any) {
		d["name"], d["to"] = "Entre nous", []any{f.URL() + "/@les_batisseuses/followers"}
	})
	f.relayOf()
	var items []any
	for _, e := range []map[string]any{work, far, old, online, nowhere, hidden} {
		items = append(items, f.announce(e["id"].(string)))
	}
	f.outbox(f.ID(), append(items, f.announce(f.URL()+"/none"))...)

	key := f.followed("@relay@"+f.host, islands.Scope{Zones: []string{"FR-42"}}, "", true)
	a.list(f.host, "[Chantier terre-paille En ligne]")
	var got directory.Entry
	for _, e := range a.visible(f.host) {
		if e.Name == "Chantier terre-paille" {
			got = e
		}
	}
	if got.Kind != directory.Event || got.Lang != "fr" || got.Description != "Un mur en deux jours." || got.Sites[0] != (orb.Point{4.25, 45}) || got.Address.Country != "FR" || got.Address.Locality != "Montregard" ||
		got.Source == nil || got.Source.URL != work["url"] || got.Licence != directory.LicenceNotStated || got.MayBeCopied() || got.Event.Timezone != "Europe/Paris" ||
		got.Private == nil || got.Private.Mirror.Via[0] != key || got.Private.Mirror.Raw == "" || got.Accessibility["wheelchair"] != "limited" {
		t.Errorf("it arrived as %+v, %+v, %+v", got, got.Event, got.Address)
	}
	for _, secret := range []string{"@lise", "lise"} {
		if b, _ := json.Marshal(got); strings.Contains(string(b), secret) {
			t.Errorf("the public entry names %s: %s", secret, b)
		}
	}
	st, err := a.s.State(t.Context(), key)
	if err != nil || st.Refused["out of scope"] != 1 || st.Refused["without a place"] != 1 || st.Refused["not public"] != 1 || st.Refused["over"] != 1 {
		t.Errorf("refused: %v, %v", st.Refused, err)
	}
	all, err := a.s.Statuses(t.Context())
	if err != nil || len(all) != 1 || all[0].Plain == nil || all[0].Name != "Agora" || all[0].Count.Public != 2 || all[0].Plain.Type != "Application" {
		t.Errorf("Statuses = %+v, %v", all, err)
	}

	// What is told from now on.
	relay := f.ID()
	f.event("create-event", "/events/new", named("Nouveau"))
	f.post(f.announce(f.URL() + "/events/new"))
	a.list(f.host, "[Chantier terre-paille En ligne Nouveau]")
	lise := maps.Clone(f.docs["actor"])
	f.actor(lise)
	work["name"], work["updated"] = "Chantier terre-paille, complet", "2024-06-01T00:00:00Z"
	f.serve(work)
	f.post(f.Activity("Update", work))
	a.list(f.host, "[Chantier terre-paille, complet En ligne Nouveau]")
	f.remove(work)
	gone := f.docs["delete-event"]
	f.post(gone)
	a.list(f.host, "[En ligne Nouveau]")

	// A directory that follows us does not get what nobody said may be passed on.
	b := newIsle(t, nil)
	a.put(farm("Ferme des Bruyères"))
	b.follow(a, islands.Scope{Others: true}, islands.Show)
	b.shown(a, "Ferme des Bruyères")
	if got := b.names(f.host); got != "[]" {
		t.Errorf("it was passed on: %s", got)
	}

	for _, doc := range f.Received("Follow") {
		sent, _ := json.Marshal(doc)
		fedtest.Golden(t, *update, "plain-follow.json", sent, a.base, "https://annuaire.example", f.URL(), "https://agora.example", strings.TrimPrefix(doc["id"].(string), a.base+"/ap/relay#follows/"), "UUID")
	}
	if _, err := islands.End(t.Context(), a.store, key, islands.In); err != nil {
		t.Fatal(err)
	}
	a.list(f.host, "[]")
	undo := f.Await("Undo", 1)[0]
	sent, _ := json.Marshal(undo)
	fedtest.Golden(t, *update, "plain-undo.json", sent, a.base, "https://annuaire.example", f.URL(), "https://agora.example",
		strings.TrimPrefix(undo["id"].(string), a.base+"/ap/relay#undo/"), "UUID", strings.TrimPrefix(undo["object"].(map[string]any)["id"].(string), a.base+"/ap/relay#follows/"), "UUID")
	if undo["object"].(map[string]any)["object"] != relay {
		t.Errorf("undone: %v", undo)
	}
	a.clock.forward(islands.PurgeAfter + time.Hour)
	if err := a.s.Purge(t.Context()); err != nil {
		t.Fatal(err)
	}
	if e := a.entry(got.ID); e.Name != "" || e.Private != nil && e.Private.Mirror != nil && e.Private.Mirror.Raw != "" {
		t.Errorf("after the purge there is %+v", e)
	}
}
