package federation_test

import (
	"bytes"
	"compress/gzip"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"archipel/federation"
	"archipel/federation/fedtest"
)

// with is a document with some members changed.
func with(doc map[string]any, pairs ...any) map[string]any {
	doc = maps.Clone(doc)
	for i := 0; i+1 < len(pairs); i += 2 {
		doc[pairs[i].(string)] = pairs[i+1]
	}
	return doc
}

// TestInboxRefuses sends what must not be taken, one attack after the other. None may make a follower.
func TestInboxRefuses(t *testing.T) {
	in := open(t, nil)
	p, other := fedtest.NewPeer(t), fedtest.NewPeer(t)
	follow := func() map[string]any { return p.Activity("Follow", in.relay()) }
	deep := strings.Repeat(`{"a":`, 40) + "1" + strings.Repeat("}", 40)
	wide := "[" + strings.Repeat("1,", 1000) + "1]"
	raw := func(extra string) []byte {
		b, _ := json.Marshal(follow())
		return []byte(strings.TrimSuffix(string(b), "}") + extra + "}")
	}
	recipients := make([]any, 10_000)
	for i := range recipients {
		recipients[i] = fmt.Sprintf("https://a.example/%d", i)
	}
	for _, a := range []struct {
		name   string
		doc    any
		change func(*http.Request)
		want   int
	}{
		{"the actor is of another server", with(follow(), "actor", other.ID()), nil, 400},
		{"the actor is another one of the same server", with(follow(), "actor", p.URL()+"/users/eve"), nil, 401},
		{"the id is of another server", with(follow(), "id", other.URL()+"/1"), nil, 400},
		{"no id", with(follow(), "id", nil), nil, 400},
		{"two actors", with(follow(), "actor", []any{p.ID(), other.ID()}), nil, 400},
		{"an actor of ours", with(follow(), "actor", in.relay(), "id", in.base+"/1"), nil, 400},
		{"no type", with(follow(), "type", []any{}), nil, 400},
		{"no object", with(follow(), "object", nil), nil, 400},
		{"10,000 recipients", with(follow(), "to", recipients), nil, 400},
		{"too deep", raw(`,"x":` + deep), nil, 400},
		{"too wide", raw(`,"x":` + wide), nil, 400},
		{"a name twice", raw(`,"actor":"` + other.ID() + `"`), nil, 400},
		{"@graph", raw(`,"@graph":[]`), nil, 400},
		{"@reverse", raw(`,"x":{"@reverse":{}}`), nil, 400},
		{"two documents", append(raw(""), "{}"...), nil, 400},
		{"no JSON", []byte("follow me"), nil, 400},
		{"a list", []byte("[]"), nil, 400},
		{"too large", raw(`,"x":"` + strings.Repeat("a", 1<<20) + `"`), nil, 413},
		{"JSON of no kind", follow(), func(r *http.Request) { r.Header.Set("Content-Type", "application/json") }, 415},
		{"LD without the profile", follow(), func(r *http.Request) { r.Header.Set("Content-Type", "application/ld+json") }, 415},
		{"compressed", bomb(), func(r *http.Request) { r.Header.Set("Content-Encoding", "gzip") }, 415},
		{"no signature", follow(), func(r *http.Request) { r.Header.Del("Signature") }, 401},
		{"no digest", follow(), func(r *http.Request) { r.Header.Del("Digest") }, 401},
		{"an old date", follow(), func(r *http.Request) { p.Sign(r, nil, time.Now().Add(-2*time.Hour)) }, 401},
		{"another target", follow(), func(r *http.Request) { r.URL.Path = "/ap/relay/inbox" }, 401},
		{"a key of another server", follow(), func(r *http.Request) {
			r.Header.Set("Signature", strings.Replace(r.Header.Get("Signature"), p.URL(), other.URL(), 1))
		}, 401},
		{"a key that the actor does not list", follow(), func(r *http.Request) {
			r.Header.Set("Signature", strings.Replace(r.Header.Get("Signature"), "#main-key", "#other-key", 1))
		}, 401},
	} {
		if got := p.Post(in.inbox(), a.doc, a.change); got != a.want {
			t.Errorf("%s: answered with %d, want %d", a.name, got, a.want)
		}
	}
	eventually(t, "all to be done", in.idle)
	if n := in.followers(); n != 0 {
		t.Errorf("%v followers", n)
	}
	if got := p.Post(in.inbox(), follow(), nil); got != http.StatusAccepted {
		t.Errorf("an honest Follow afterwards: %d", got)
	}
}

func bomb() []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write(make([]byte, 50<<20))
	_ = w.Close()
	return b.Bytes()
}

// TestKeyOwner lets an actor's document claim a key that is somebody else's, and serve one under another's id.
func TestKeyOwner(t *testing.T) {
	in := open(t, nil)
	for name, spoil := range map[string]func(p *fedtest.Peer){
		"the owner is another one": func(p *fedtest.Peer) { p.Actor["publicKey"].(map[string]any)["owner"] = p.URL() + "/users/eve" },
		"no owner":                 func(p *fedtest.Peer) { delete(p.Actor["publicKey"].(map[string]any), "owner") },
		"the document is of another one": func(p *fedtest.Peer) {
			p.Actor["id"] = p.URL() + "/users/eve"
		},
		"the document is of another server": func(p *fedtest.Peer) { p.Actor["id"] = "https://victim.example/users/eve" },
		"the inbox is on another server":    func(p *fedtest.Peer) { p.Actor["inbox"] = "https://victim.example/inbox" },
		"wrong content type": func(p *fedtest.Peer) {
			p.Answer = func(w http.ResponseWriter, r *http.Request) bool {
				w.Header().Set("Content-Type", "text/html")
				_ = json.NewEncoder(w).Encode(p.Actor)
				return true
			}
		},
		"compressed": func(p *fedtest.Peer) {
			p.Answer = func(w http.ResponseWriter, r *http.Request) bool {
				w.Header().Set("Content-Type", "application/activity+json")
				w.Header().Set("Content-Encoding", "gzip")
				_, _ = w.Write(bomb())
				return true
			}
		},
		"endless": func(p *fedtest.Peer) {
			p.Answer = func(w http.ResponseWriter, r *http.Request) bool {
				w.Header().Set("Content-Type", "application/activity+json")
				for range 3 << 10 {
					if _, err := w.Write(bytes.Repeat([]byte(" "), 1<<10)); err != nil {
						break
					}
				}
				return true
			}
		},
		"redirect to another address of ours": func(p *fedtest.Peer) {
			p.Answer = func(w http.ResponseWriter, r *http.Request) bool {
				http.Redirect(w, r, "http://169.254.169.254/latest/meta-data/", http.StatusFound)
				return true
			}
		},
		"redirects without end": func(p *fedtest.Peer) {
			p.Answer = func(w http.ResponseWriter, r *http.Request) bool {
				http.Redirect(w, r, r.URL.Path+"x", http.StatusFound)
				return true
			}
		},
	} {
		p := fedtest.NewPeer(t)
		spoil(p)
		if got := p.Post(in.inbox(), p.Activity("Follow", in.relay()), nil); got != http.StatusUnauthorized {
			t.Errorf("%s: answered with %d", name, got)
		}
	}
}

// TestReplay sends one request twice, and an old one again.
func TestReplay(t *testing.T) {
	in := open(t, nil)
	p := in.followed()
	follow := p.Activity("Follow", in.relay())
	undo := p.Activity("Undo", follow)
	p.Post(in.inbox(), follow, nil)
	p.Await("Accept", 2)
	p.Post(in.inbox(), undo, nil)
	eventually(t, "the follower to leave", func() bool { return in.followers() == 0 })
	if got := p.Post(in.inbox(), follow, nil); got != http.StatusAccepted {
		t.Errorf("the replay was answered with %d", got)
	}
	eventually(t, "all to be done", in.idle)
	if in.followers() != 0 {
		t.Error("a replayed Follow was taken")
	}
	if n := len(p.Received("Accept")); n != 2 {
		t.Errorf("%d Accepts", n)
	}
}

// TestOneIDForAll speaks as Mobilizon and Gancio do, who say Create, Update and Delete under one and the same id: all three count,
// and none counts twice.
func TestOneIDForAll(t *testing.T) {
	for _, id := range []string{"/comments/1/activity", "/federation/m/1#create"} {
		in := open(t, nil)
		e := in.put(fair())
		p := fedtest.NewPeer(t)
		note := map[string]any{
			"id": p.URL() + "/comments/1", "type": "Note", "attributedTo": p.ID(), "inReplyTo": in.base + "/id/" + string(e.ID), "content": "Bonjour", "to": "as:Public",
		}
		says := func(words string) func() bool {
			return func() bool {
				all := in.records("ap-reply")
				return len(all) == 1 && strings.Contains(all[0]["content"].(string), words)
			}
		}
		create := with(p.Activity("Create", note), "id", p.URL()+id)
		p.Post(in.inbox(), create, nil)
		eventually(t, "the reply", says("Bonjour"))
		update := with(p.Activity("Update", with(note, "content", "Bonsoir")), "id", p.URL()+id)
		p.Post(in.inbox(), update, nil)
		eventually(t, "its new text", says("Bonsoir"))
		p.Post(in.inbox(), create, nil) // whoever caught it
		eventually(t, "all to be done", in.idle)
		if !says("Bonsoir")() {
			t.Error("a replayed Create was taken")
		}
		p.Post(in.inbox(), with(p.Activity("Delete", note["id"]), "id", p.URL()+id), nil)
		eventually(t, "the reply to go", func() bool { return len(in.records("ap-reply")) == 0 })
		p.Post(in.inbox(), update, nil)
		p.Post(in.inbox(), create, nil)
		eventually(t, "all to be done", in.idle)
		if len(in.records("ap-reply")) != 0 {
			t.Error("what was deleted came back")
		}
	}
}

// TestSameAgain says the same under one id in other words: it is done once.
func TestSameAgain(t *testing.T) {
	in := open(t, nil)
	e := in.put(fair())
	object := in.base + "/id/" + string(e.ID)
	p := in.followed()
	follow, like := p.Activity("Follow", in.relay()), p.Activity("Like", object)
	for i := range 3 {
		p.Post(in.inbox(), with(follow, "nonce", i), nil)
		p.Post(in.inbox(), with(like, "nonce", i), nil)
	}
	eventually(t, "all to be done", in.idle)
	if _, likes := fedtest.Get(t, in.base+"/ap/objects/"+string(e.ID)+"/likes"); likes["totalItems"] != 1.0 || in.followers() != 1 {
		t.Errorf("%v likes, %v followers", likes["totalItems"], in.followers())
	}
}

// TestOthersWork tries to undo, change and delete what somebody else of the same server did.
func TestOthersWork(t *testing.T) {
	in := open(t, nil)
	e := in.put(fair())
	object := in.base + "/id/" + string(e.ID)
	p := in.followed()
	p.Post(in.inbox(), p.Activity("Like", object), nil)
	note := map[string]any{
		"id": p.URL() + "/notes/1", "type": "Note", "attributedTo": p.ID(), "inReplyTo": object, "content": `<p onclick="x()">J'y serai <a href="javascript:x()">!</a></p>`,
		"to": []any{"https://www.w3.org/ns/activitystreams#Public"},
	}
	p.Post(in.inbox(), p.Activity("Create", note), nil)
	eventually(t, "the reply", func() bool { return len(in.records("ap-reply")) == 1 })
	if c := in.records("ap-reply")[0]["content"].(string); strings.Contains(c, "onclick") || strings.Contains(c, "javascript") || !strings.Contains(c, "J&#39;y serai") {
		t.Errorf("the reply is kept as %q", c)
	}

	eve := fedtest.NewPeer(t)
	for _, a := range []map[string]any{
		eve.Activity("Undo", map[string]any{"id": p.URL() + "/activities/1", "type": "Follow", "actor": p.ID(), "object": in.relay()}),
		eve.Activity("Undo", p.URL()+"/activities/1"),
		eve.Activity("Update", with(note, "content", "Annulé")),
		eve.Activity("Update", with(note, "content", "Annulé", "attributedTo", eve.ID())),
		eve.Activity("Delete", note["id"]),
		eve.Activity("Delete", p.ID()),
		eve.Activity("Create", with(note, "id", p.URL()+"/notes/2", "attributedTo", eve.ID())),
		eve.Activity("Update", with(fairDoc(object), "name", "Annulé")),
		eve.Activity("Delete", object),
	} {
		if got := eve.Post(in.inbox(), a, nil); got != http.StatusAccepted {
			t.Errorf("%s was answered with %d", a["type"], got)
		}
	}
	eventually(t, "all to be done", func() bool { return in.idle() })
	if in.followers() != 1 {
		t.Error("somebody else's Follow was undone")
	}
	if replies := in.records("ap-reply"); len(replies) != 1 || strings.Contains(replies[0]["content"].(string), "Annulé") {
		t.Errorf("somebody else's reply was changed: %v", replies)
	}
	if now, err := in.d.Entry(t.Context(), e.ID); err != nil || now.Version != e.Version {
		t.Errorf("our entry was changed: %v, %v", now, err)
	}
	if _, likes := fedtest.Get(t, in.base+"/ap/objects/"+string(e.ID)+"/likes"); likes["totalItems"] != 1.0 {
		t.Errorf("likes: %v", likes)
	}
	// The author may.
	p.Post(in.inbox(), p.Activity("Undo", map[string]any{"id": p.URL() + "/l", "type": "Like", "actor": p.ID(), "object": object}), nil)
	p.Post(in.inbox(), p.Activity("Delete", map[string]any{"id": note["id"], "type": "Tombstone"}), nil)
	eventually(t, "the reply to go", func() bool { return len(in.records("ap-reply")) == 0 })
	if _, likes := fedtest.Get(t, in.base+"/ap/objects/"+string(e.ID)+"/likes"); likes["totalItems"] != 0.0 {
		t.Errorf("likes after the Undo: %v", likes)
	}
}

func fairDoc(id string) map[string]any {
	return map[string]any{"id": id, "type": "Event", "name": "x", "attributedTo": "https://nobody.example/"}
}

// TestArrayType sends what makes the library panic, signed and honest.
func TestArrayType(t *testing.T) {
	in := open(t, nil)
	p := fedtest.NewPeer(t)
	f := with(p.Activity("Follow", in.relay()), "type", []any{"Follow", "http://example.org/Other"}, "to", "Public", "@context", nil)
	delete(f, "@context")
	if got := p.Post(in.inbox(), f, nil); got != http.StatusAccepted {
		t.Fatalf("answered with %d", got)
	}
	p.Await("Accept", 1)
}

// TestUnknownDelete must not make us ask for somebody who is gone.
func TestUnknownDelete(t *testing.T) {
	in := open(t, nil)
	p := fedtest.NewPeer(t)
	if got := p.Post(in.inbox(), p.Activity("Delete", p.ID()), nil); got != http.StatusAccepted {
		t.Errorf("answered with %d", got)
	}
	if asked := p.Asked(); len(asked) != 0 {
		t.Errorf("it was asked %q", asked)
	}
}

// TestNewKey signs with a key that the cache does not have: the actor is asked again, but not at every attempt.
func TestNewKey(t *testing.T) {
	c := &clock{}
	in := open(t, c)
	p := in.followed()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	p.SetKey(key)
	for range 5 {
		if got := p.Post(in.inbox(), p.Activity("Like", in.base), nil); got != http.StatusUnauthorized {
			t.Errorf("a new key, just after: %d", got)
		}
	}
	gets := 0
	for _, a := range p.Asked() {
		if a == "GET /users/maud" {
			gets++
		}
	}
	if gets != 1 {
		t.Errorf("the actor was asked for %d times", gets)
	}
	c.forward(10 * time.Minute)
	if got := p.Post(in.inbox(), p.Activity("Like", in.base), nil); got != http.StatusAccepted {
		t.Errorf("a new key, later: %d", got)
	}
}

// TestBlock shuts a server out: its follower goes, what it sends is refused, and it is neither asked nor told anything.
func TestBlock(t *testing.T) {
	in := open(t, nil)
	p := in.followed()
	host := strings.TrimPrefix(p.URL(), "http://")
	_, err := federation.ChangePolicy(t.Context(), in.store, func(policy *federation.Policy) error {
		policy.Rules["127.0.0.1"] = federation.Rule{Severity: federation.Suspend}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, host+" to be dropped", func() bool { return in.followers() == 0 })
	before := len(p.Asked())
	if got := p.Post(in.inbox(), p.Activity("Follow", in.relay()), nil); got != http.StatusForbidden {
		t.Errorf("a blocked server was answered with %d", got)
	}
	in.put(fair())
	time.Sleep(300 * time.Millisecond)
	if after := p.Asked(); len(after) != before {
		t.Errorf("a blocked server was asked %q", after[before:])
	}
}

// TestQuarantine lets a follower wait for the operator.
func TestQuarantine(t *testing.T) {
	in := open(t, nil)
	if _, err := federation.ChangePolicy(t.Context(), in.store, func(policy *federation.Policy) error {
		policy.Mode = federation.ModeQuarantine
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the policy", func() bool {
		_, a := fedtest.Get(t, in.relay())
		return a["manuallyApprovesFollowers"] == true
	})
	p := fedtest.NewPeer(t)
	if got := p.Post(in.inbox(), p.Activity("Follow", in.relay()), nil); got != http.StatusAccepted {
		t.Errorf("answered with %d", got)
	}
	eventually(t, "the follower", func() bool { return len(in.records("ap-follower")) == 1 })
	in.put(fair())
	time.Sleep(300 * time.Millisecond)
	if got := p.Received(""); len(got) != 0 || in.followers() != 0 {
		t.Errorf("before the operator said yes came %v", got)
	}
}
