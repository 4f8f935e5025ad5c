package federation_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"archipel/directory"
	"archipel/federation"
	"archipel/federation/fedtest"
)

// TestParticipation counts who comes, where the organiser asked for that.
func TestParticipation(t *testing.T) {
	in := open(t, nil)
	org := in.organisation("la-fourmiliere", func(e *directory.Entry) { e.Fediverse.Joins = true })
	e := event("Bal")
	e.Event.RegisterURL, e.Event.Start, e.Event.End = "", time.Now().Add(24*time.Hour), time.Now().Add(26*time.Hour)
	org, e = in.organises(org, e)
	id := in.base + "/id/" + string(e.ID)
	p := fedtest.NewPeer(t)
	join := p.Activity("Join", id)
	p.Post(in.inbox(), join, nil)
	if got := p.Await("Accept", 1)[0]; got["actor"] != in.actor(org) || got["object"].(map[string]any)["id"] != join["id"] {
		t.Errorf("%v", got)
	}
	p.Post(in.inbox(), p.Activity("Join", id), nil)
	p.Await("Accept", 2)
	if _, doc := fedtest.Get(t, id); doc["participantCount"] != 1.0 || doc["joinMode"] != "free" {
		t.Errorf("%v %v", doc["participantCount"], doc["joinMode"])
	}
	p.Post(in.inbox(), p.Activity("Leave", id), nil)
	eventually(t, "it left", func() bool { return len(in.records("ap-join")) == 0 })
	p.Post(in.inbox(), p.Activity("Join", id), nil)
	eventually(t, "it comes", func() bool { return len(in.records("ap-join")) == 1 })
	p.Post(in.inbox(), p.Activity("Undo", join), nil)
	eventually(t, "it does not", func() bool { return len(in.records("ap-join")) == 0 })
	// What is over, is cancelled, or is registered for elsewhere has no list.
	for name, change := range map[string]func(*directory.Entry){
		"over":      func(e *directory.Entry) { e.Event.Start, e.Event.End = claimed, claimed.Add(time.Hour) },
		"cancelled": func(e *directory.Entry) { e.Event.State = directory.Cancelled },
		"elsewhere": func(e *directory.Entry) { e.Event.RegisterURL = "https://ailleurs.example/" },
	} {
		other := event(name)
		other.Event.RegisterURL, other.Event.Start, other.Event.End = "", time.Now().Add(24*time.Hour), time.Time{}
		change(&other)
		org, other = in.organises(org, other)
		n := len(p.Received("Ignore"))
		p.Post(in.inbox(), p.Activity("Join", in.base+"/id/"+string(other.ID)), nil)
		if got := p.Await("Ignore", n+1)[n]; got["actor"] != in.actor(org) {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// TestRepliesAreTheTeamsToWant leaves replies aside where the organiser does not want any.
func TestRepliesAreTheTeamsToWant(t *testing.T) {
	in := open(t, nil)
	quiet, open := in.organisation("asso-muette", func(e *directory.Entry) { e.Fediverse.Replies = false }), in.organisation("asso-ouverte", nil)
	p := fedtest.NewPeer(t)
	for i, org := range []directory.Entry{quiet, open} {
		_, e := in.organises(org, event(fmt.Sprint("Bal ", i)))
		id := in.base + "/id/" + string(e.ID)
		if _, doc := fedtest.Get(t, id); doc["commentsEnabled"] != (i == 1) {
			t.Errorf("commentsEnabled is %v", doc["commentsEnabled"])
		}
		p.Post(in.inbox(), p.Activity("Create", map[string]any{
			"id": fmt.Sprint(p.URL(), "/notes/", i), "type": "Note", "attributedTo": p.ID(), "inReplyTo": id, "content": "<p>Super</p>", "to": "https://www.w3.org/ns/activitystreams#Public",
		}), nil)
	}
	eventually(t, "the reply", func() bool { return len(in.records("ap-reply")) > 0 })
	if got := in.records("ap-reply"); len(got) != 1 || got[0]["id"] != p.URL()+"/notes/1" {
		t.Errorf("%v", got)
	}
}

// TestNewKeys gives an actor new keys: its followers hear of them by the old ones, before anything is signed with the new.
func TestNewKeys(t *testing.T) {
	for _, who := range []string{"relay", "organisation"} {
		t.Run(who, func(t *testing.T) {
			in := open(t, nil)
			org := in.organisation("la-fourmiliere", nil)
			id, actor := org.ID, in.actor(org)
			if who == "relay" {
				id, actor = "", in.relay()
			}
			p := fedtest.NewPeer(t)
			in.follows(p, actor)
			_, before := fedtest.Get(t, actor)
			oldKey := before["publicKey"].(map[string]any)
			publish := func(name string, n int) map[string]any {
				t.Helper()
				if who == "relay" {
					in.put(event(name))
				} else {
					org, _ = in.organises(must(in.d.Entry(t.Context(), org.ID)), event(name))
				}
				return p.Await("Create", n)[n-1]
			}
			publish("Avant", 1)
			var mu sync.Mutex
			var signers []string // as the peer sees them; it keeps the key that it knew until it hears of another
			known := oldKey
			var refused atomic.Int32
			p.Lock()
			p.Verify = func(keyID string) (string, error) {
				mu.Lock()
				defer mu.Unlock()
				signers = append(signers, keyID)
				if keyID != known["id"] {
					refused.Add(1)
					return "", fmt.Errorf("%s is not known", keyID)
				}
				return known["publicKeyPem"].(string), nil
			}
			p.Heard = func(doc map[string]any) {
				mu.Lock()
				defer mu.Unlock()
				if o, ok := doc["object"].(map[string]any); ok && doc["type"] == "Update" && o["id"] == actor {
					known = o["publicKey"].(map[string]any)
				}
			}
			p.Unlock()
			if err := federation.RotateKeys(t.Context(), in.store, id); err != nil {
				t.Fatal(err)
			}
			eventually(t, "the new key is shown", func() bool {
				_, doc := fedtest.Get(t, actor)
				return doc["publicKey"].(map[string]any)["id"] != oldKey["id"]
			})
			create := publish("Après", 2)
			update := p.Await("Update", 1)[0]
			_, now := fedtest.Get(t, actor)
			if update["actor"] != actor || update["object"].(map[string]any)["publicKey"].(map[string]any)["publicKeyPem"] != now["publicKey"].(map[string]any)["publicKeyPem"] {
				t.Errorf("%v", update)
			}
			if n := refused.Load(); n != 0 {
				t.Errorf("%d deliveries were signed with a key that the peer did not know: %v", n, signers)
			}
			if got := create["proof"].(map[string]any)["verificationMethod"]; got != actor+"#ed25519-key-2" {
				t.Errorf("the proof is of %v", got)
			}
			if list := now["assertionMethod"].([]any); len(list) != 2 || list[1].(map[string]any)["id"] != actor+"#ed25519-key" {
				t.Errorf("the old proofs can be checked no more: %v", list)
			}
		})
	}
}

// TestSignedFetch shows posts and organisations to servers that say who they are only.
func TestSignedFetch(t *testing.T) {
	in := open(t, nil)
	org, e := in.organises(in.organisation("la-fourmiliere", nil), event("Bal"))
	p := fedtest.NewPeer(t)
	in.signedFetch.Store(true)
	for _, address := range []string{
		in.actor(org), in.actor(org) + "/outbox", in.actor(org) + "/upcoming", in.base + "/id/" + string(e.ID), in.relay() + "/outbox", in.base + "/ap/announces/" + string(e.ID),
		fmt.Sprintf("%s/ap/activities/%s/%d", in.base, e.ID, e.Version),
	} {
		if status, doc := fedtest.Get(t, address); status != http.StatusUnauthorized {
			t.Errorf("%s: %d %v", address, status, doc)
		}
		if status, doc := signedGet(t, p, address); status != http.StatusOK {
			t.Errorf("%s, signed: %d %v", address, status, doc)
		}
	}
	// The instance actor is what others check our own signatures with, and WebFinger says nothing that is not said elsewhere.
	if status, _ := fedtest.Get(t, in.relay()); status != http.StatusOK {
		t.Errorf("the instance actor: %d", status)
	}
	if status, _ := in.finger("acct:la-fourmiliere@" + in.host()); status != http.StatusOK {
		t.Errorf("WebFinger: %d", status)
	}
	if _, err := federation.ChangePolicy(t.Context(), in.store, func(policy *federation.Policy) error {
		policy.Rules[strings.TrimPrefix(p.URL(), "http://")] = federation.Rule{Severity: federation.Suspend}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a blocked server is shown nothing", func() bool {
		status, _ := signedGet(t, p, in.actor(org))
		return status == http.StatusForbidden
	})
}

// TestSubscribe asks somebody's own server where to follow from there, and goes nowhere else.
func TestSubscribe(t *testing.T) {
	in := open(t, nil)
	p := fedtest.NewPeer(t)
	template := p.URL() + "/authorize?uri={uri}" // changed between questions only
	p.Answer = func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path != "/.well-known/webfinger" {
			return false
		}
		w.Header().Set("Content-Type", "application/jrd+json")
		_ = json.NewEncoder(w).Encode(map[string]any{"subject": r.URL.Query().Get("resource"), "links": []any{
			map[string]any{"rel": "self", "type": "application/activity+json", "href": p.ID()},
			map[string]any{"rel": "http://ostatus.org/schema/1.0/subscribe", "template": template},
		}})
		return true
	}
	me := "@maud@" + strings.TrimPrefix(p.URL(), "http://")
	got, err := in.s.Subscribe(t.Context(), me, "@la-fourmiliere@annuaire.example")
	if want := p.URL() + "/authorize?uri=%40la-fourmiliere%40annuaire.example"; err != nil || got != want {
		t.Errorf("%q, %v: want %q", got, err, want)
	}
	for _, evil := range []string{
		"https://evil.example/?uri={uri}", "javascript:alert(1)//{uri}", "//evil.example/{uri}", "", p.URL() + "/authorize", "http://maud@127.0.0.1/{uri}",
		"https://evil.example/" + p.URL() + "{uri}", "data:text/html,{uri}", "{uri}",
	} {
		template = evil
		if got, err := in.s.Subscribe(t.Context(), me, "https://evil.example/"); err == nil {
			t.Errorf("%q leads to %q", evil, got)
		}
	}
	for _, typed := range []string{"", "@", "maud", "@maud@", "@@x", "@maud@local host", "@maud@localhost", "maud@x.example/evil", "<b>@x.example", "@maud@user@x.example", "@maud@169.254.169.254", "@maud@[::1]:80"} {
		if got, err := in.s.Subscribe(t.Context(), typed, "x"); err == nil {
			t.Errorf("%q leads to %q", typed, got)
		}
	}
	if address, _, err := in.s.Elsewhere(t.Context(), me, &directory.Entry{ID: directory.NewID()}); err != nil || address != p.ID() {
		t.Errorf("%q %v", address, err)
	}
}

// TestSaidToOrganise: an event that says who organises it, as imports do, is told in the name of that organisation.
func TestSaidToOrganise(t *testing.T) {
	in := open(t, nil)
	org := in.organisation("la-fourmiliere", nil)
	p := fedtest.NewPeer(t)
	in.follows(p, in.actor(org))
	e := event("Bal")
	e.Relations = []directory.Relation{{Rel: "organisedBy", Target: org.ID}}
	e = in.put(e)
	create := p.Await("Create", 1)[0]
	if create["actor"] != in.actor(org) || create["object"].(map[string]any)["id"] != in.base+"/id/"+string(e.ID) {
		t.Errorf("the Create is %v", create)
	}
	if _, doc := fedtest.Get(t, in.actor(org)+"/outbox"); doc["totalItems"] != 1.0 {
		t.Errorf("the outbox: %v", doc)
	}
}
