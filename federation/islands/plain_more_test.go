package islands_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"archipel/directory"
	"archipel/federation/islands"
	"archipel/federation/vocab"
)

// told waits until what was posted before was done: a thing that is announced last is there.
func (f *elsewhere) told() {
	f.t.Helper()
	doc := f.event("create-event", fmt.Sprintf("/events/last-%d", time.Now().UnixNano()), func(d map[string]any) {
		d["name"], d["isOnline"], d["location"] = "zz", true, nil
		d["startTime"] = f.in.clock.now().AddDate(0, 6, 0).Format(time.RFC3339)
		d["endTime"] = nil
	})
	f.post(f.announce(doc["id"].(string)))
	eventually(f.t, "the last thing arrives", func() bool { return strings.Contains(f.in.names(f.host), "zz") })
	f.remove(doc)
	f.post(f.Activity("Delete", doc["id"]))
	eventually(f.t, "and goes", func() bool { return !strings.Contains(f.in.names(f.host), "zz") })
}

// TestGancio: an instance actor that sends its events whole, and does not always say when they changed.
func TestGancio(t *testing.T) {
	a := newIsle(t, nil)
	if err := islands.SaveSettings(t.Context(), a.store, islands.Settings{Zones: []string{"FR-42"}}); err != nil {
		t.Fatal(err)
	}
	f := newElsewhere(t, a, "gancio")
	party := f.event("update-event-postal", "", nil)
	delete(party, "updated")
	f.serve(party)
	f.actor(f.docs["actor"])
	nowhere := f.docs["create-event"]["object"].(map[string]any)
	nowhere["id"] = f.URL() + "/federation/m/30"
	f.outbox(f.ID(), f.Activity("Create", party), f.Activity("Create", nowhere), f.Activity("Create", map[string]any{"id": f.URL() + "/n/1", "type": "Note", "content": "x"}))
	key := f.followed(f.ID(), islands.Scope{}, "", false)
	if key != "fete@"+f.host {
		t.Errorf("it is known as %s", key)
	}
	a.list(f.host, "[Fête du marché]")
	for _, asked := range f.Asked() {
		if strings.HasPrefix(asked, "GET /federation/m/") {
			t.Errorf("its own list says everything, and it was asked %s", asked)
		}
	}

	// What it lists each time and is not taken counts once, until everything is looked at again.
	for _, full := range []bool{false, true, false, false} {
		if err := a.s.Sync(t.Context(), key, full); err != nil {
			t.Fatal(err)
		}
		if st, err := a.s.State(t.Context(), key); err != nil || len(st.Refused) != 1 || st.Refused["without a place"] != 1 {
			t.Errorf("refused: %v, %v", st.Refused, err)
		}
	}

	party["name"] = "Fête du marché, avancée"
	f.serve(party)
	f.post(f.Activity("Update", party))
	a.list(f.host, "[Fête du marché, avancée]")
	party["name"], party["updated"] = "Fête du marché, reportée", "2024-09-01T00:00:00Z"
	f.serve(party)
	f.post(f.Activity("Update", party))
	a.list(f.host, "[Fête du marché, reportée]")
	stale := maps.Clone(party)
	stale["name"], stale["updated"] = "Fête, autrefois", "2024-08-01T00:00:00Z"
	f.post(f.Activity("Update", stale))
	before := a.onlyOne(f.host)
	party["name"], party["updated"] = "Fête !", "2024-10-01T00:00:00Z"
	f.serve(party)
	f.post(f.Activity("Update", party))
	a.list(f.host, "[Fête !]")
	history, err := a.d.History(t.Context(), before.ID, 0, 10)
	if err != nil || len(history) != 4 {
		t.Errorf("%d changes, %v: an old one was taken", len(history), err)
	}
	// It moves away, and comes back.
	place := party["location"]
	party["location"], party["updated"] = map[string]any{"name": "Paris", "latitude": 48.85, "longitude": 2.35}, "2024-10-02T00:00:00Z"
	f.serve(party)
	f.post(f.Activity("Update", party))
	a.list(f.host, "[]")
	party["location"], party["updated"] = place, "2024-10-03T00:00:00Z"
	f.serve(party)
	f.post(f.Activity("Update", party))
	a.list(f.host, "[Fête !]")
	if e := a.onlyOne(f.host); e.ID != before.ID || e.Slug != before.Slug {
		t.Errorf("it came back as %s %s", e.ID, e.Slug)
	}
	// What its server lost without a word is found out in the daily look; what is over goes some time after.
	f.remove(party)
	f.outbox(f.ID())
	if err := a.s.Sync(t.Context(), key, true); err != nil {
		t.Fatal(err)
	}
	a.list(f.host, "[]")
	later := f.event("update-event-postal", "/federation/m/40", named("Plus tard"))
	f.outbox(f.ID(), f.Activity("Create", later))
	if err := a.s.Sync(t.Context(), key, false); err != nil {
		t.Fatal(err)
	}
	a.list(f.host, "[Plus tard]")
	a.clock.forward(3 * 365 * 24 * time.Hour)
	if err := a.s.Sync(t.Context(), key, true); err != nil {
		t.Fatal(err)
	}
	a.list(f.host, "[]")
	// The server ends it.
	f.Now = a.clock.now
	f.post(f.Activity("Reject", map[string]any{"id": f.Received("Follow")[0]["id"], "type": "Follow", "actor": a.base + "/ap/relay", "object": f.ID()}))
	eventually(t, "the end is known", func() bool {
		v, err := islands.With(t.Context(), a.store, key)
		return err == nil && v.In.State == islands.Ended && !v.In.ByUs
	})
}

func (in *isle) onlyOne(host string) directory.Entry {
	in.t.Helper()
	for _, e := range in.visible(host) {
		return e
	}
	in.t.Fatalf("nothing of %s is here", host)
	return directory.Entry{}
}

// TestTwoWays: one event that comes by way of a relay and of a group is one, and stays as long as one of them does.
func TestTwoWays(t *testing.T) {
	a := newIsle(t, nil)
	f := newElsewhere(t, a, "mobilizon")
	work := f.event("create-event", "", nil)
	f.relayOf()
	f.outbox(f.ID(), f.announce(work["id"].(string)))
	relay := f.followed(f.host, islands.Scope{}, islands.Review, false)
	eventually(t, "it waits", func() bool { return a.mirrors.Counts()[relay].Waiting == 1 })
	if _, err := islands.End(t.Context(), a.store, relay, islands.In); err != nil {
		t.Fatal(err)
	}
	f.Await("Undo", 1)
	relay = f.followed(f.host, islands.Scope{}, islands.Show, false)
	eventually(t, "it waits still", func() bool { return a.mirrors.Counts()[relay].Waiting == 1 })
	if a.names(f.host) != "[]" {
		t.Error("what waits for a moderator is shown")
	}
	f.actor(f.docs["group"], f.docs["create-event"])
	group := f.followed(f.docs["group"]["id"].(string), islands.Scope{}, islands.Show, false)
	if group != "les_batisseuses@"+f.host {
		t.Errorf("known as %s", group)
	}
	eventually(t, "it is known by both", func() bool { return a.mirrors.Counts()[relay].Via == 1 && a.mirrors.Counts()[group].Via == 1 })
	if c := a.mirrors.Counts()[f.host]; c.Waiting != 1 {
		t.Errorf("there are %+v of it", c)
	}
	for i, key := range []string{relay, group} {
		if _, err := islands.End(t.Context(), a.store, key, islands.In); err != nil {
			t.Fatal(err)
		}
		eventually(t, "it is seen or not", func() bool { return a.mirrors.Counts()[f.host].Hidden == i })
	}
}

// TestPlainThenIsland: another directory of ours is followed plainly at first, and then as what it is.
func TestPlainThenIsland(t *testing.T) {
	a, b := newIsle(t, nil), newIsle(t, nil)
	event := farm("Marché")
	event.Kind, event.Categories = directory.Event, []string{"marche"}
	event.Event = &directory.Schedule{Start: time.Now().AddDate(0, 1, 0), Timezone: "Europe/Paris"}
	event = b.put(event)
	place := b.put(farm("Ferme"))
	if _, err := islands.Follow(t.Context(), a.store, "relay@"+b.host, islands.Scope{}, islands.Show, false); err != nil {
		t.Fatal(err)
	}
	a.list(b.host, "[Marché]")
	if e := a.entry(event.ID); !e.Public() || e.Licence != directory.LicenceNotStated || e.Origin != b.host {
		t.Errorf("by its relay it is %+v", e)
	}
	event.Name = "Grand marché"
	event = b.put(event)
	a.list(b.host, "[Grand marché]")
	a.follow(b, islands.Scope{}, islands.Show)
	a.list(b.host, "[Ferme Grand marché]")
	eventually(t, "its directory's word holds", func() bool { return a.entry(event.ID).Licence == "ODbL-1.0" })
	if len(a.visible(b.host)) != 2 || a.entry(place.ID).Name != "Ferme" {
		t.Errorf("there are %s", a.names(b.host))
	}
	event.Name = "Petit marché"
	b.put(event)
	a.list(b.host, "[Ferme Petit marché]")
	if e := a.entry(event.ID); e.Licence != "ODbL-1.0" {
		t.Errorf("the relay's word was taken for its directory's: %+v", e)
	}
}

// TestHostileActors: what is announced, sent and served is not what it should be.
func TestHostileActors(t *testing.T) {
	a := newIsle(t, nil)
	mine := a.put(farm("À moi"))
	f, evil := newElsewhere(t, a, "mobilizon"), newElsewhere(t, a, "mobilizon")
	good := f.event("create-event", "/events/good", named("Bon"))
	f.actor(f.docs["group"], f.announce(good["id"].(string)))
	f.followed("les_batisseuses@"+f.host, islands.Scope{Others: true}, islands.Show, true)
	a.list(f.host, "[Bon]")

	// Nobody who was not asked is followed because it says so.
	evil.relayOf()
	evil.post(evil.Activity("Accept", map[string]any{"id": evil.URL() + "/f", "type": "Follow", "actor": a.base + "/ap/relay", "object": evil.ID()}))
	evil.event("create-event", "/events/uninvited", named("Sans invitation"))
	evil.post(evil.announce(evil.URL() + "/events/uninvited"))
	lie := maps.Clone(good)
	lie["name"], lie["updated"] = "Mensonge", "2024-12-31T00:00:00Z"
	evil.post(evil.Activity("Update", lie))
	evil.post(evil.Activity("Delete", good["id"]))
	// Another actor of the same server, to whom it does not belong.
	f.actor(map[string]any{"id": f.URL() + "/@other", "type": "Person", "preferredUsername": "other", "inbox": f.URL() + "/@other/inbox"})
	f.post(f.Activity("Update", lie))
	f.post(f.Activity("Delete", good["id"]))
	f.Become(f.docs["group"])
	f.docs["group"]["publicKey"] = map[string]any{"id": f.docs["group"]["id"].(string) + "#main-key"}
	f.actor(f.docs["group"])
	f.told()
	if got := a.names(f.host) + a.names(evil.host); got != "[Bon][]" {
		t.Fatalf("there is %s", got)
	}

	// What it passes on of another server is what that server says.
	evil.event("create-event", "/events/true", named("Vrai"))
	f.post(f.announced(map[string]any{"id": evil.URL() + "/events/true", "type": "Event", "name": "Faux", "to": vocab.Public}))
	a.list(evil.host, "[Vrai]")
	for path, doc := range map[string]map[string]any{
		"/events/alias":  {"id": f.URL() + "/events/elsewhere", "type": "Event", "name": "Alias"},
		"/events/script": nil, "/events/squat": nil, "/events/notime": nil, "/events/far": nil, "/events/deep": nil,
	} {
		if doc == nil {
			doc = evil.event("create-event", path, nil)
		}
		doc["to"] = []any{vocab.Public}
		switch path {
		case "/events/script":
			doc["name"] = "Tout\u202e <b>gras</b>\u0000\nici"
			doc["content"] = `<script>alert(1)</script><p onclick="x()">Texte <a href="javascript:alert(2)">lien</a><img src=x onerror=alert(3)></p>`
			doc["url"], doc["externalParticipationUrl"] = "javascript:alert(4)", "data:text/html,x"
			doc["license"] = "https://creativecommons.org/licenses/by-sa/4.0/"
		case "/events/squat":
			doc["name"] = "Squat"
			doc["id"] = evil.URL() + "/id/" + string(mine.ID)
			evil.serve(doc)
			path = "/id/" + string(mine.ID)
		case "/events/notime":
			delete(doc, "startTime")
		case "/events/far":
			doc["startTime"], doc["endTime"] = "9999-01-01T00:00:00Z", nil
		case "/events/deep":
			doc["name"] = strings.Repeat("x", 900_000)
			doc["content"] = strings.Repeat("y", 900_000)
		}
		evil.mu.Lock()
		evil.paths[path] = doc
		evil.mu.Unlock()
		f.post(f.announce(evil.URL() + path))
	}
	evil.mu.Lock()
	evil.paths["/away"] = nil
	evil.mu.Unlock()
	f.told()
	a.list(evil.host, "[Squat Tout <b>gras</b> ici Vrai]")
	if e := a.entry(mine.ID); e.Name != "À moi" || e.Origin != "" {
		t.Errorf("ours became %+v", e)
	}
	for _, e := range a.visible(evil.host) {
		b, _ := json.Marshal(e)
		if strings.Contains(string(b), "alert") || strings.Contains(string(b), "javascript:") || strings.Contains(string(b), "data:text") {
			t.Errorf("it shows %s", b)
		}
		if strings.HasPrefix(e.Name, "Tout") && e.Licence != "CC-BY-SA-4.0" {
			t.Errorf("its licence is %s", e.Licence)
		}
	}

	// A flood names more than is asked for, and its outbox has no end.
	evil.mu.Lock()
	before := evil.objects
	evil.mu.Unlock()
	began := time.Now()
	for i := range 300 {
		f.Post(a.base+"/ap/relay/inbox", f.announce(fmt.Sprintf("%s/events/flood-%d", evil.URL(), i)), nil)
	}
	eventually(t, "it is quiet again", func() bool {
		st, err := a.s.State(t.Context(), "les_batisseuses@"+f.host)
		return err == nil && !st.Soon
	})
	evil.mu.Lock()
	asked := evil.objects - before
	count := 0
	for _, line := range evil.Asked() {
		if strings.Contains(line, "flood-") {
			count++
		}
	}
	evil.mu.Unlock()
	// 60 at once, then two a second.
	if most := min(100+2*int(time.Since(began).Seconds()), 250); count > most || asked > most {
		t.Errorf("%d things were fetched at its word, and %d answered", count, asked)
	}
}

// announced is an Announce with the thing inside.
func (f *elsewhere) announced(object map[string]any) map[string]any {
	doc := f.Activity("Announce", object)
	doc["to"] = []any{vocab.Public}
	return doc
}

// TestEndlessOutbox: pages that lead to further pages, and a server that dies in between.
func TestEndlessOutbox(t *testing.T) {
	a := newIsle(t, nil)
	f := newElsewhere(t, a, "mobilizon")
	e := f.event("create-event", "", nil)
	f.relayOf()
	pages := 0
	usual := f.Answer
	broken := false
	f.Lock()
	f.Answer = func(w http.ResponseWriter, r *http.Request) bool {
		f.mu.Lock()
		dead := broken
		f.mu.Unlock()
		if dead {
			w.WriteHeader(http.StatusBadGateway)
			return true
		}
		if r.URL.Path != "/relay/outbox" {
			return usual(w, r)
		}
		f.mu.Lock()
		defer f.mu.Unlock()
		pages++
		w.Header().Set("Content-Type", "application/activity+json")
		_ = json.NewEncoder(w).Encode(map[string]any{
			"id": f.URL() + r.URL.RequestURI(), "type": "OrderedCollectionPage", "next": fmt.Sprintf("%s/relay/outbox?page=%d", f.URL(), pages),
			"orderedItems": []any{map[string]any{"id": fmt.Sprint(f.URL(), "/a/", pages), "type": "Announce", "actor": f.URL() + "/relay", "object": e["id"]}},
		})
		return true
	}
	f.Unlock()
	key := f.followed("relay@"+f.host, islands.Scope{}, islands.Show, false)
	a.list(f.host, "[Chantier terre-paille]")
	a.hush() // what it was reading is over, and is not noted 30 days later
	f.mu.Lock()
	n := pages
	broken = true
	f.mu.Unlock()
	if n > 70 {
		t.Errorf("%d pages were read", n)
	}
	a.clock.forward(islands.StaleAfter + time.Hour)
	if err := a.s.Sync(t.Context(), key, false); err == nil {
		t.Error("a server that is away was read")
	}
	all, err := a.s.Statuses(t.Context())
	if err != nil || !all[0].Stale || all[0].Problem == "" {
		t.Errorf("Statuses = %+v, %v", all, err)
	}
	if a.names(f.host) != "[Chantier terre-paille]" {
		t.Error("what a server that is away had is gone")
	}
}

// TestFollowRefuses what cannot be followed, by what was typed or by what is found.
func TestFollowRefuses(t *testing.T) {
	a, b := newIsle(t, nil), newIsle(t, nil)
	for _, typed := range []string{"", "@", "a@", "@b", "a b@c.example", "ftp://c.example/x", "https://u:p@c.example/x", "https:///x", strings.Repeat("x", 600)} {
		if v, err := islands.Follow(t.Context(), a.store, typed, islands.Scope{}, "", false); err == nil {
			t.Errorf("Follow(%.40q) = %+v", typed, v.Host)
		}
	}
	for _, scope := range []islands.Scope{{Kinds: []directory.Kind{directory.Place}}, {Languages: []string{"?"}}} {
		if _, err := islands.Follow(t.Context(), a.store, "relay@c.example", scope, "", false); err == nil {
			t.Errorf("Follow with %+v is no error", scope)
		}
	}
	for typed, want := range map[string]string{"mirror@" + b.host: "directory of the archipelago", "relay@" + a.host: "is here"} {
		v, err := islands.Follow(t.Context(), a.store, typed, islands.Scope{}, "", false)
		if err != nil {
			t.Fatal(err)
		}
		eventually(t, "the operator is told why not", func() bool {
			v, err := islands.With(t.Context(), a.store, v.Host)
			return err == nil && strings.Contains(v.In.Error, want)
		})
	}
}

// TestMovedCountsOnce: an organisation that has moved from one directory to another is one for whoever follows both.
func TestMovedCountsOnce(t *testing.T) {
	a, b, c := newIsle(t, nil), newIsle(t, nil), newIsle(t, nil)
	org := farm("La Fourmilière")
	org.Kind, org.Categories = directory.Organisation, nil
	old, next := a.put(org), b.put(org)
	c.follow(a, islands.Scope{}, islands.Show)
	c.follow(b, islands.Scope{}, islands.Show)
	c.list(a.host, "[La Fourmilière]")
	c.list(b.host, "[La Fourmilière]")
	old.Claimed = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	old.Fediverse = &directory.Fediverse{Handle: "fourmiliere", MovedTo: b.base + "/ap/actors/" + string(next.ID), MovedHome: b.base + "/e/" + next.Slug}
	old.Status = directory.Hidden
	outcomes, err := a.d.Write(t.Context(), directory.Write{Author: "test", Op: directory.OpTeam, Entries: []directory.Entry{old}})
	if err != nil || outcomes[0].Err != nil {
		t.Fatal(err, outcomes)
	}
	c.list(a.host, "[]")
	if got := c.names(b.host); got != "[La Fourmilière]" {
		t.Errorf("of the new one there is %s", got)
	}
	if home := outcomes[0].Entry.Home(); home != b.base+"/e/"+next.Slug {
		t.Errorf("the old one leads to %q", home)
	}
}
