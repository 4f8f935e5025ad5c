package federation_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"archipel/directory"
	"archipel/federation/fedtest"

	"github.com/paulmach/orb"
)

var claimed = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// team writes an entry as its team does.
func (in *instance) team(e directory.Entry) directory.Entry {
	in.t.Helper()
	outcomes, err := in.d.Write(in.t.Context(), directory.Write{Author: "test", Op: directory.OpTeam, Entries: []directory.Entry{e}})
	if err == nil {
		err = outcomes[0].Err
	}
	if err != nil {
		in.t.Fatal(err)
	}
	return outcomes[0].Entry
}

// organisation makes one that takes part in the fediverse, unless change says otherwise.
func (in *instance) organisation(handle string, change func(*directory.Entry)) directory.Entry {
	in.t.Helper()
	e := in.put(directory.Entry{
		Kind: directory.Organisation, Name: "La Fourmilière <3", Summary: "Un lieu & des outils.", Lang: "fr", Created: claimed,
		Sites: []orb.Point{{4.39, 45.44}}, Address: &directory.Address{Street: "2 rue des Tilleuls", Locality: "Saint-Étienne", Country: "FR"},
		Contact: &directory.Contact{Website: "https://fourmi.example/"}, Images: []directory.Image{{URL: "/media/ab/fourmi.jpg", Alt: "Une fourmi"}},
		Private: &directory.Private{Email: "secret@fourmi.example", Note: "secret note"},
	})
	e.Claimed = claimed
	e.Fediverse = &directory.Fediverse{Handle: handle, Since: claimed, Discoverable: true, Replies: true}
	if change != nil {
		change(&e)
	}
	return in.team(e)
}

func (in *instance) actor(e directory.Entry) string { return in.base + "/ap/actors/" + string(e.ID) }

// organises writes an event and says who organises it.
func (in *instance) organises(org directory.Entry, e directory.Entry) (directory.Entry, directory.Entry) {
	in.t.Helper()
	if e.ID == "" {
		e.ID = directory.NewID()
	}
	org.Relations = append(org.Relations, directory.Relation{Rel: "organises", Target: e.ID})
	outcomes, err := in.d.Write(in.t.Context(), directory.Write{Author: "test", Entries: []directory.Entry{org, e}})
	if err != nil || outcomes[0].Err != nil || outcomes[1].Err != nil {
		in.t.Fatal(err, outcomes[0].Err, outcomes[1].Err)
	}
	return outcomes[0].Entry, outcomes[1].Entry
}

// follows lets a peer follow an address, and waits for the Accept.
func (in *instance) follows(p *fedtest.Peer, object string) {
	in.t.Helper()
	n := len(p.Received("Accept"))
	if status := p.Post(in.inbox(), p.Activity("Follow", object), nil); status != http.StatusAccepted {
		in.t.Fatalf("Follow was answered with %d", status)
	}
	p.Await("Accept", n+1)
}

func (in *instance) finger(resource string) (int, map[string]any) {
	in.t.Helper()
	return fedtest.Get(in.t, in.base+"/.well-known/webfinger?resource="+url.QueryEscape(resource))
}

func (in *instance) host() string { return strings.TrimPrefix(in.base, "http://") }

// TestFindAnOrganisation finds it by every name it has, and not when it takes no part.
func TestFindAnOrganisation(t *testing.T) {
	in := open(t, nil)
	org := in.organisation("la-fourmiliere", nil)
	for _, resource := range []string{
		"acct:la-fourmiliere@" + in.host(), "acct:@La-Fourmiliere@" + strings.ToUpper(in.host()), in.actor(org), in.base + "/e/" + org.Slug, in.base + "/id/" + string(org.ID),
	} {
		status, doc := in.finger(resource)
		if status != http.StatusOK || doc["subject"] != "acct:la-fourmiliere@"+in.host() {
			t.Errorf("%s: %d %v", resource, status, doc)
		}
	}
	for _, resource := range []string{"acct:la-fourmiliere@elsewhere.example", "acct:fourmi@" + in.host(), in.base + "/ap/actors/x", "acct:@" + in.host(), "acct:la-fourmiliere"} {
		if status, _ := in.finger(resource); status != http.StatusNotFound {
			t.Errorf("%s: %d", resource, status)
		}
	}
	if _, doc := fedtest.Get(t, in.base+"/nodeinfo/2.1"); doc["usage"].(map[string]any)["users"].(map[string]any)["total"] != 1.0 {
		t.Errorf("NodeInfo: %v", doc)
	}
	// The address of the entry leads to the actor, that of the actor leads people to the page.
	res, err := (&http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}).Get(in.base + "/ap/actors/" + string(org.ID))
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatal(res, err)
	}
	res.Body.Close()
	r, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, in.actor(org), nil)
	r.Header.Set("Accept", "text/html")
	if res, err = (&http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}).Do(r); err != nil || res.Header.Get("Location") != in.base+"/e/"+org.Slug {
		t.Errorf("a browser is led to %q, %v", res.Header.Get("Location"), err)
	}
	res.Body.Close()
	// Who takes no part has no actor.
	for name, change := range map[string]func(*directory.Entry){
		"unclaimed": func(e *directory.Entry) { e.Claimed = time.Time{} },
		"off":       func(e *directory.Entry) { e.Fediverse.Off = true },
		"hidden":    func(e *directory.Entry) { e.Status = directory.Hidden },
		"elsewhere": func(e *directory.Entry) { e.Claimed, e.Fediverse = time.Time{}, nil },
	} {
		handle := "asso-" + name
		o := in.organisation(handle, change)
		if status, doc := fedtest.Get(t, in.actor(o)); status != http.StatusNotFound {
			t.Errorf("%s: its actor: %d %v", name, status, doc)
		}
		if status, _ := in.finger("acct:" + handle + "@" + in.host()); status != http.StatusNotFound {
			t.Errorf("%s: WebFinger %d", name, status)
		}
		p := fedtest.NewPeer(t)
		p.Post(in.inbox(), p.Activity("Follow", in.actor(o)), nil)
		p.Post(in.inbox(), p.Activity("Follow", in.relay()), nil)
		p.Await("Accept", 1) // of the second, and the first was before it
		if got := p.Received("Accept"); len(got) != 1 {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// TestOrganisationSpeaksForItsEvents follows an organisation, the instance, or both, and looks who hears what from whom.
func TestOrganisationSpeaksForItsEvents(t *testing.T) {
	in := open(t, nil)
	org, other := in.organisation("la-fourmiliere", nil), in.organisation("autre-asso", nil)
	fan, both, relayed, stranger := fedtest.NewPeer(t), fedtest.NewPeer(t), fedtest.NewPeer(t), fedtest.NewPeer(t)
	in.follows(fan, in.actor(org))
	in.follows(both, in.actor(org))
	in.follows(both, in.relay())
	in.follows(relayed, in.relay())
	in.follows(stranger, in.actor(other))
	for _, accept := range fan.Received("Accept") {
		if accept["actor"] != in.actor(org) {
			t.Errorf("the Accept is of %v", accept["actor"])
		}
	}
	if _, doc := fedtest.Get(t, in.actor(org)+"/followers"); doc["totalItems"] != 2.0 || doc["orderedItems"] != nil {
		t.Errorf("followers: %v", doc)
	}
	org, e := in.organises(org, event("Bal"))
	for _, p := range []*fedtest.Peer{fan, both} {
		create := p.Await("Create", 1)[0]
		object := create["object"].(map[string]any)
		if create["actor"] != in.actor(org) || object["attributedTo"] != in.actor(org) || !slices.Contains(create["cc"].([]any), any(in.actor(org)+"/followers")) {
			t.Errorf("the Create is %v", create)
		}
		if proof, _ := create["proof"].(map[string]any); proof["verificationMethod"] != in.actor(org)+"#ed25519-key" {
			t.Errorf("its proof is %v", proof)
		}
	}
	for _, p := range []*fedtest.Peer{both, relayed} {
		announce := p.Await("Announce", 1)[0]
		if announce["actor"] != in.relay() || announce["object"] != in.base+"/id/"+string(e.ID) {
			t.Errorf("the Announce is %v", announce)
		}
	}
	e.Name = "Grand bal"
	e = in.put(e)
	for _, p := range []*fedtest.Peer{fan, both, relayed} {
		if got := p.Await("Update", 1)[0]; got["actor"] != in.actor(org) {
			t.Errorf("the Update is of %v", got["actor"])
		}
	}
	e.Status = directory.Removed
	in.put(e)
	for _, p := range []*fedtest.Peer{fan, both, relayed} {
		got := p.Await("Delete", 1)[0]
		if got["actor"] != in.actor(org) || got["object"].(map[string]any)["type"] != "Tombstone" {
			t.Errorf("the Delete is %v", got)
		}
	}
	// What the instance itself posts is for those who follow the instance. It comes last.
	solo := in.put(event("Marché"))
	relayed.Await("Create", 1)
	if got := both.Await("Create", 2)[1]; got["actor"] != in.relay() || got["object"].(map[string]any)["id"] != in.base+"/id/"+string(solo.ID) {
		t.Errorf("the instance's own: %v", got)
	}
	for name, p := range map[string]*fedtest.Peer{"fan": fan, "both": both, "relayed": relayed, "stranger": stranger} {
		want := map[string]int{"fan": 3, "both": 5, "relayed": 4, "stranger": 0}[name]
		n := 0
		for _, doc := range p.Received("") {
			if doc["type"] != "Accept" {
				n++
			}
		}
		if n != want {
			t.Errorf("%s got %d activities, want %d: %v", name, n, want, p.Received(""))
		}
	}
}

// TestWhoPostedFirst: an event that the instance posted stays the instance's, whoever organises it later: its servers would
// not take changes from anybody else.
func TestWhoPostedFirst(t *testing.T) {
	c := &clock{}
	in := open(t, c)
	p := in.followed()
	early := in.put(event("Avant")) // nobody has an actor yet
	p.Await("Create", 1)
	org := in.organisation("la-fourmiliere", func(e *directory.Entry) { e.Fediverse.Since = time.Now() })
	lone := in.put(event("Sans organisateur"))
	p.Await("Create", 2)
	for _, e := range []directory.Entry{early, lone} {
		org.Relations = append(org.Relations, directory.Relation{Rel: "organises", Target: e.ID})
	}
	org = in.put(org)
	for i, e := range []directory.Entry{early, lone} {
		e.Name += ", changé"
		in.put(e)
		got := p.Await("Update", i+1)
		if got[len(got)-1]["actor"] != in.relay() {
			t.Errorf("%s is of %v now", e.Name, got[len(got)-1]["actor"])
		}
	}
	// An event whose organiser is said a moment after it is the organiser's. The moment is as long as the test needs.
	c.forward(-time.Minute)
	late := in.put(event("Après"))
	org.Relations = append(org.Relations, directory.Relation{Rel: "organises", Target: late.ID})
	in.put(org)
	c.forward(time.Minute)
	if got := p.Await("Announce", 1)[0]; got["object"] != in.base+"/id/"+string(late.ID) {
		t.Errorf("%v", got)
	}
}

// TestProfileChanges tells followers of another profile once, and not of every event that is added to it.
func TestProfileChanges(t *testing.T) {
	in := open(t, nil)
	org := in.organisation("la-fourmiliere", nil)
	p := fedtest.NewPeer(t)
	in.follows(p, in.actor(org))
	org, _ = in.organises(org, event("Un"))
	p.Await("Create", 1)
	org.Name = "La Grande Fourmilière"
	org = in.put(org)
	update := p.Await("Update", 1)[0]
	if o := update["object"].(map[string]any); update["actor"] != in.actor(org) || o["type"] != "Group" || o["name"] != "La Grande Fourmilière" || o["preferredUsername"] != "la-fourmiliere" {
		t.Errorf("%v", update)
	}
	org.Fediverse.Type = "Organization"
	org = in.team(org)
	if o := p.Await("Update", 2)[1]["object"].(map[string]any); o["type"] != "Organization" {
		t.Errorf("%v", o)
	}
	org.Private = nil
	in.put(org)
	in.organises(must(in.d.Entry(t.Context(), org.ID)), event("Deux"))
	p.Await("Create", 2)
	if got := p.Received("Update"); len(got) != 2 {
		t.Errorf("%d Updates, want 2", len(got))
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// TestEndOfAnActor: whose organisation takes no part any more is told, once, and forgotten; the address says that it is gone.
func TestEndOfAnActor(t *testing.T) {
	for name, change := range map[string]func(*directory.Entry){
		"off":       func(e *directory.Entry) { e.Fediverse.Off = true },
		"hidden":    func(e *directory.Entry) { e.Status = directory.Hidden },
		"removed":   func(e *directory.Entry) { e.Status = directory.Removed },
		"unclaimed": func(e *directory.Entry) { e.Claimed = time.Time{} },
	} {
		t.Run(name, func(t *testing.T) {
			in := open(t, nil)
			org := in.organisation("la-fourmiliere", nil)
			p, relayed := fedtest.NewPeer(t), in.followed()
			in.follows(p, in.actor(org))
			change(&org)
			org = in.team(org)
			for _, p := range []*fedtest.Peer{p, relayed} {
				if got := p.Await("Delete", 1)[0]; got["actor"] != in.actor(org) || got["object"] != in.actor(org) {
					t.Errorf("%v", got)
				}
			}
			eventually(t, "the follower is forgotten", func() bool { return len(in.records("ap-follower")) == 1 })
			if status, doc := fedtest.Get(t, in.actor(org)); status != http.StatusGone || doc["type"] != "Tombstone" {
				t.Errorf("%d %v", status, doc)
			}
			if status, _ := in.finger("acct:la-fourmiliere@" + in.host()); status != http.StatusNotFound {
				t.Errorf("WebFinger %d", status)
			}
		})
	}
}

// TestMerged leads the followers of an organisation to the one that it lives on in.
func TestMerged(t *testing.T) {
	in := open(t, nil)
	org, kept := in.organisation("la-fourmiliere", nil), in.organisation("les-fourmis", nil)
	p := fedtest.NewPeer(t)
	in.follows(p, in.actor(org))
	org.Status, org.MergedInto = directory.Removed, kept.ID
	in.put(org)
	move := p.Await("Move", 1)[0]
	if move["actor"] != in.actor(org) || move["object"] != in.actor(org) || move["target"] != in.actor(kept) {
		t.Errorf("%v", move)
	}
	// Both sides say so, as servers check.
	if status, doc := fedtest.Get(t, in.actor(org)); status != http.StatusOK || doc["movedTo"] != in.actor(kept) {
		t.Errorf("%d %v", status, doc)
	}
	if _, doc := fedtest.Get(t, in.actor(kept)); !slices.Contains(doc["alsoKnownAs"].([]any), any(in.actor(org))) {
		t.Errorf("%v", doc)
	}
}

// TestMoveOut tells followers where an organisation has gone.
func TestMoveOut(t *testing.T) {
	in := open(t, nil)
	org := in.organisation("la-fourmiliere", nil)
	p, there := fedtest.NewPeer(t), fedtest.NewPeer(t)
	in.follows(p, in.actor(org))
	if _, back, err := in.s.Elsewhere(t.Context(), there.ID(), &org); err != nil || back {
		t.Errorf("%v %v: an account that does not know of us", back, err)
	}
	there.Lock()
	there.Actor["alsoKnownAs"] = []any{in.actor(org)}
	there.Unlock()
	address, back, err := in.s.Elsewhere(t.Context(), there.ID(), &org)
	if err != nil || !back || address != there.ID() {
		t.Fatalf("%q %v %v", address, back, err)
	}
	if _, _, err := in.s.Elsewhere(t.Context(), in.relay(), &org); err == nil {
		t.Error("it can move to ourselves")
	}
	org.Fediverse.MovedTo = address
	org = in.team(org)
	if move := p.Await("Move", 1)[0]; move["target"] != there.ID() || move["object"] != in.actor(org) {
		t.Errorf("%v", move)
	}
	if _, doc := fedtest.Get(t, in.actor(org)); doc["movedTo"] != there.ID() {
		t.Errorf("%v", doc)
	}
}

// TestOneInboxForAll lets somebody follow three of our actors from one server: one queue, and each activity once.
func TestOneInboxForAll(t *testing.T) {
	in := open(t, nil)
	a, b := in.organisation("asso-a", nil), in.organisation("asso-b", nil)
	p := fedtest.NewPeer(t)
	for _, object := range []string{in.actor(a), in.actor(b), in.relay()} {
		in.follows(p, object)
	}
	queues := 0
	for _, f := range in.d.Followers() {
		if strings.Contains(f.Name, p.URL()) {
			queues++
		}
	}
	if queues != 1 {
		t.Errorf("%d queues to one inbox", queues)
	}
	_, e := in.organises(a, event("A"))
	in.organises(b, event("B"))
	p.Await("Create", 2)
	p.Await("Announce", 2)
	// FEP-8fcf: each collection has its own digest, and shows the server its own people only.
	for _, actor := range []string{in.actor(a), in.relay()} {
		status, doc := signedGet(t, p, actor+"/followers/sync")
		if status != http.StatusOK || fmt.Sprint(doc["orderedItems"]) != fmt.Sprint([]any{p.ID()}) {
			t.Errorf("%s: %d %v", actor, status, doc)
		}
	}
	// Who leaves one stays with the others.
	p.Post(in.inbox(), p.Activity("Undo", map[string]any{"id": p.URL() + "/x", "type": "Follow", "actor": p.ID(), "object": in.actor(a)}), nil)
	eventually(t, "it left", func() bool { return len(in.records("ap-follower")) == 2 })
	p.Post(in.inbox(), p.Activity("Block", in.actor(b)), nil)
	eventually(t, "it is gone", func() bool { return len(in.records("ap-follower")) == 1 })
	e.Name = "A, changé"
	in.put(e)
	p.Await("Update", 1) // it follows the instance still
}

func signedGet(t *testing.T, p *fedtest.Peer, address string) (int, map[string]any) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Accept", "application/activity+json")
	p.Sign(r, nil, time.Now())
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var doc map[string]any
	_ = json.NewDecoder(res.Body).Decode(&doc)
	return res.StatusCode, doc
}
