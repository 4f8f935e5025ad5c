package federation_test

import (
	"encoding/json"
	"flag"
	"io"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"archipel/directory"
	"archipel/federation"
	"archipel/federation/fedtest"
)

var update = flag.Bool("update", false, "write the files of what is sent anew")

// golden compares what was sent with a file, in which addresses of the instance begin with HOST.
func (in *instance) golden(name string, sent []byte, names ...string) {
	in.t.Helper()
	fedtest.Golden(in.t, *update, name+".json", sent, append(slices.Clone(names), in.base, "HOST", in.host(), "NAME")...)
}

// served is what an address answers to a server that asks.
func (in *instance) served(address string, status int) []byte {
	in.t.Helper()
	r, err := http.NewRequestWithContext(in.t.Context(), http.MethodGet, address, nil)
	if err != nil {
		in.t.Fatal(err)
	}
	r.Header.Set("Accept", `application/ld+json; profile="https://www.w3.org/ns/activitystreams"`)
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		in.t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != status {
		in.t.Fatalf("%s: %d, want %d: %v %.200s", address, res.StatusCode, status, err, b)
	}
	return b
}

// sent is the n-th activity of a kind that a peer got, and whom it was from.
func sent(p *fedtest.Peer, kind string, n int) []byte {
	p.Await(kind, n)
	return p.Bodies(kind)[n-1]
}

// signatureOf hides what of a header differs from run to run.
var signatureOf = regexp.MustCompile(`((?:signature|digest|SHA-256)="?)[^",]+`)

// headersOf notes the headers of the requests that a peer gets: a GET, what is said to it alone, and what is said to all.
func headersOf(p *fedtest.Peer) func() map[string]any {
	seen := map[string]any{}
	p.Lock()
	defer p.Unlock()
	p.Answer = func(_ http.ResponseWriter, r *http.Request) bool {
		kind, h := r.Method, map[string]any{}
		if r.Header.Get("Collection-Synchronization") != "" {
			kind = "POST to followers"
		}
		for k, v := range r.Header {
			h[k] = signatureOf.ReplaceAllString(strings.Join(v, "\n"), "$1*")
		}
		delete(h, "Content-Length")
		if _, err := http.ParseTime(r.Header.Get("Date")); err == nil {
			h["Date"] = "*"
		}
		p.Lock()
		defer p.Unlock()
		if seen[kind] == nil {
			seen[kind] = h
		}
		return false
	}
	return func() map[string]any {
		p.Lock()
		defer p.Unlock()
		return maps.Clone(seen)
	}
}

// TestGolden holds everything that the instance sends and serves to files.
func TestGolden(t *testing.T) {
	in := open(t, nil)
	p := fedtest.NewPeer(t)
	headers := headersOf(p)
	in.follows(p, in.relay())
	in.golden("actor", in.served(in.relay(), 200))
	in.golden("followers", in.served(in.relay()+"/followers", 200))
	for _, name := range []string{"following", "members", "resources", "posts", "todos", "discussions", "events"} {
		in.golden("empty", in.served(in.relay()+"/"+name, 200), "/ap/relay/"+name, "/ap/relay/COLLECTION")
	}
	e := in.put(fair())
	id := in.base + "/id/" + string(e.ID)
	in.golden("create-event", sent(p, "Create", 1))
	in.golden("create-event", in.served(in.base+"/ap/activities/"+string(e.ID)+"/1", 200)) // its address shows the same
	in.golden("event", in.served(id, 200))
	in.golden("likes", in.served(in.base+"/ap/objects/"+string(e.ID)+"/likes", 200))
	ignored := p.Activity("Join", id)
	p.Post(in.inbox(), ignored, nil)
	in.answer("ignore", sent(p, "Ignore", 1), p)
	e.Event.State = directory.Cancelled
	e = in.put(e)
	in.golden("update-cancelled", sent(p, "Update", 1))
	e.Status = directory.Hidden
	in.put(e)
	in.golden("delete", sent(p, "Delete", 1))
	in.golden("tombstone", in.served(id, http.StatusGone))
	orchard := in.put(directory.Entry{
		ID: "0190a3a0-7b1c-7e2f-8d3c-000000000001", Kind: directory.Initiative, Name: "Un verger pour tous", Description: "Planter.", Lang: "fr",
		Created: time.Date(2027, 3, 2, 8, 0, 0, 0, time.UTC),
	})
	in.golden("create-initiative", sent(p, "Create", 2))
	in.golden("article", in.served(in.base+"/id/"+string(orchard.ID), 200))
	in.golden("outbox", in.served(in.relay()+"/outbox?page=true", 200))
	in.golden("outbox-collection", in.served(in.relay()+"/outbox", 200))
	for name, resource := range map[string]string{"": in.base, " by address": in.relay(), " by name": "acct:relay@" + in.host()} {
		status, finger := in.finger(resource)
		b, err := json.Marshal(finger)
		if err != nil || status != http.StatusOK {
			t.Fatal(name, status, err)
		}
		in.golden("webfinger", b)
	}
	in.golden("nodeinfo-links", in.served(in.base+"/.well-known/nodeinfo", 200))
	in.golden("nodeinfo", in.served(in.base+"/nodeinfo/2.1", 200))
	fedtest.GoldenText(t, *update, "host-meta.xml", string(in.served(in.base+"/.well-known/host-meta", 200)), in.base, "HOST")
	in.answer("accept", sent(p, "Accept", 1), p)
	if err := federation.Decide(t.Context(), in.store, p.ID(), false); err != nil {
		t.Fatal(err)
	}
	in.answer("reject", sent(p, "Reject", 1), p)
	h, err := json.Marshal(headers())
	if err != nil {
		t.Fatal(err)
	}
	in.golden("headers", h)
}

// answer is golden for what is said to one peer about what it sent.
func (in *instance) answer(name string, body []byte, p *fedtest.Peer, names ...string) {
	in.t.Helper()
	var doc map[string]any
	if err := json.Unmarshal(body, &doc); err != nil {
		in.t.Fatal(err)
	}
	id := doc["id"].(string)
	in.golden(name, body, append(names, id[strings.LastIndex(id, "/")+1:], "HASH", p.URL(), "PEER")...)
}

// TestOrganisationGolden holds what other servers see of an organisation to files.
func TestOrganisationGolden(t *testing.T) {
	c := &clock{}
	c.forward(time.Until(springFair.Add(-24 * time.Hour)))
	in := open(t, c)
	org := in.organisation("la-fourmiliere", func(e *directory.Entry) {
		e.Fediverse.Indexable, e.Fediverse.Joins, e.Fediverse.AlsoKnownAs = true, true, []string{"https://ailleurs.example/users/fourmi"}
	})
	own := func(name string, b []byte) { t.Helper(); in.golden("organisation"+name, b, string(org.ID), "ORG") }
	p, other := fedtest.NewPeer(t), fedtest.NewPeer(t)
	p.Now, other.Now = c.now, c.now
	in.follows(p, in.actor(org))
	in.follows(other, in.relay())
	e := fair()
	e.Event.RegisterURL = ""
	e.Images[0].URL = "/media/0123456789abcdef0123456789abcdef-1200.png" // as one that was uploaded here
	org, e = in.organises(org, e)
	own("", in.served(in.actor(org), 200))
	own("-create", sent(p, "Create", 1))
	own("-announce", sent(other, "Announce", 1))
	own("-announce", in.served(in.base+"/ap/announces/"+string(e.ID), 200)) // its address shows the same
	own("-event", in.served(in.base+"/id/"+string(e.ID), 200))
	own("-outbox", in.served(in.actor(org)+"/outbox?page=true", 200))
	own("-upcoming", in.served(in.actor(org)+"/upcoming", 200))
	own("-relay-outbox", in.served(in.relay()+"/outbox?page=true", 200))
	for _, name := range []string{"members", "resources", "posts", "todos", "discussions", "events", "following"} {
		in.golden("organisation-empty", in.served(in.actor(org)+"/"+name, 200), string(org.ID)+"/"+name, "ORG/COLLECTION", string(org.ID), "ORG")
	}
	_, finger := in.finger("acct:la-fourmiliere@" + in.host())
	b, err := json.Marshal(finger)
	if err != nil {
		t.Fatal(err)
	}
	own("-webfinger", b)
	join := p.Activity("Join", in.base+"/id/"+string(e.ID))
	p.Post(in.inbox(), join, nil)
	p.Await("Accept", 2)
	in.answer("organisation-accept-join", p.Bodies("Accept")[1], p, string(org.ID), "ORG")
	org.Name = "La Grande Fourmilière"
	org = in.put(org)
	own("-update", sent(p, "Update", 1))
	org.Fediverse.MovedTo = "https://ailleurs.example/users/fourmi"
	org = in.team(org)
	own("-move", sent(p, "Move", 1))
	org.Fediverse.MovedTo, org.Fediverse.Off = "", true
	in.team(org)
	own("-delete", sent(other, "Delete", 1))
	own("-tombstone", in.served(in.actor(org), http.StatusGone))
}
