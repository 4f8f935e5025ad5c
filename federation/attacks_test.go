package federation_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"archipel/federation"
	"archipel/federation/fedtest"
	"archipel/federation/signature"
	"archipel/federation/vocab"
)

// checklist is what a server of the fediverse must withstand, each line after a flaw that some server had, and the tests that
// attack there.
var checklist = []struct {
	line  string
	tests []string
}{
	{"the key's owner lists that very key, and is the actor of the activity (CVE-2025-54888)", []string{"TestKeyOwner", "TestBorrowedKeys", "TestForwarded", "TestNewKey"}},
	{"what is fetched has the id of where it was fetched (CVE-2024-23832)", []string{"TestKeyOwner", "TestLedAstray"}},
	{"what is fetched is ActivityStreams by its type (GHSA-jhrq-qvrm-qr36)", []string{"TestKeyOwner", "TestGet"}},
	{"only its own actor changes, deletes or undoes something; an object inside with a foreign id is only its address", []string{"TestOthersWork", "TestNeighbours"}},
	{"domains are compared in lower case, in ASCII, with the port (CVE-2023-42451)", []string{"TestNames", "TestHost", "TestPolicy", "TestKeyWithOtherNames"}},
	{"public addresses only, after names were looked up, at every redirect (CVE-2025-25194, CVE-2026-33693)", []string{"TestCheck", "TestNameThatLeadsInside", "TestGet", "TestAddressesThatAreNotPublic", "TestNobodyElseIsAsked"}},
	{"small and shallow bodies, uncompressed, with a digest of the raw bytes", []string{"TestInboxRefuses", "TestPacked", "TestObject", "TestAttackedRequests"}},
	{"few fetches for one activity, few new actors of one domain", []string{"TestNobodyElseIsAsked", "TestNewActorsOfADomain", "TestCrowd"}},
	{"no foreign context is fetched; @graph, @reverse and @included are refused", []string{"TestInboxRefuses", "TestObjects", "TestNobodyElseIsAsked"}},
	{"a block holds everywhere, behind a boost as well (CVE-2026-23961)", []string{"TestBlock", "TestBlockedBehindABoost", "TestSignedFetch"}},
	{"foreign HTML is cleaned, names are plain", []string{"TestForeignHTML", "TestOthersWork"}},
	{"cheap checks come before fetches; nothing is done twice; each host has its share", []string{"TestReplay", "TestUnknownDelete", "TestRequestsOfAHost", "TestNewKey"}},
	{"deliveries do not go round in circles, and end", []string{"TestDeadHost", "TestGoneInbox", "TestAwayForAWhile", "TestUnknownForLong", "TestDeliveryIsNotLedOn"}},
	{"open, allowlist, quarantine; blocks from a file", []string{"TestQuarantine", "TestAllowlist", "TestBlockCSV"}},
}

// TestChecklist looks whether each line has tests, and whether they are there.
func TestChecklist(t *testing.T) {
	there := map[string]bool{}
	for _, pattern := range []string{"*_test.go", "*/*_test.go", "../publicnet/*_test.go"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range f.Decls {
				if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil {
					there[fn.Name.Name] = true
				}
			}
		}
	}
	if len(checklist) != 14 {
		t.Errorf("%d lines", len(checklist))
	}
	for _, line := range checklist {
		for _, name := range line.tests {
			if !there[name] {
				t.Errorf("%s: there is no %s", line.line, name)
			}
		}
	}
}

// TestBorrowedKeys lets an actor list a key under the id of somebody else's, and sign with it in both names.
func TestBorrowedKeys(t *testing.T) {
	in := open(t, nil)
	victim, thief := fedtest.NewPeer(t), fedtest.NewPeer(t)
	in.follows(victim, in.relay())
	thief.Lock()
	key := thief.Actor["publicKey"].(map[string]any)
	key["id"] = victim.KeyID()
	thief.Actor["publicKey"] = []any{key, map[string]any{"id": victim.KeyID(), "owner": victim.ID(), "publicKeyPem": key["publicKeyPem"]}}
	thief.Unlock()
	borrowed := func(r *http.Request) {
		r.Header.Set("Signature", strings.Replace(r.Header.Get("Signature"), thief.KeyID(), victim.KeyID(), 1))
	}
	undo := map[string]any{"id": victim.URL() + "/activities/1", "type": "Follow", "actor": victim.ID(), "object": in.relay()}
	for name, doc := range map[string]map[string]any{
		"in its own name":       thief.Activity("Follow", in.relay()),
		"in the victim's name":  with(thief.Activity("Undo", undo), "actor", victim.ID(), "id", victim.URL()+"/activities/2"),
		"with two actors' name": with(thief.Activity("Undo", undo), "actor", []any{victim.ID(), thief.ID()}),
	} {
		if got := thief.Post(in.inbox(), doc, borrowed); got != http.StatusUnauthorized && got != http.StatusBadRequest {
			t.Errorf("%s: answered with %d", name, got)
		}
	}
	eventually(t, "all to be done", in.idle)
	if in.followers() != 1 {
		t.Error("somebody else's Follow was undone")
	}
}

// TestLedAstray redirects a request for an actor to another server, that says what it likes.
func TestLedAstray(t *testing.T) {
	in := open(t, nil)
	for name, claim := range map[string]func(from, to *fedtest.Peer) string{
		"it calls itself what was asked for": func(from, _ *fedtest.Peer) string { return from.ID() },
		"it calls itself what it is":         func(_, to *fedtest.Peer) string { return to.ID() },
	} {
		from, to := fedtest.NewPeer(t), fedtest.NewPeer(t)
		from.Answer = func(w http.ResponseWriter, r *http.Request) bool {
			http.Redirect(w, r, to.ID(), http.StatusFound)
			return true
		}
		to.Lock()
		to.Actor["id"] = claim(from, to)
		to.Actor["inbox"] = to.Actor["id"].(string) + "/inbox"
		to.Actor["publicKey"] = with(from.Actor["publicKey"].(map[string]any), "owner", to.Actor["id"])
		to.Unlock()
		if got := from.Post(in.inbox(), from.Activity("Follow", in.relay()), nil); got != http.StatusUnauthorized {
			t.Errorf("%s: answered with %d", name, got)
		}
	}
}

// TestNeighbours lets somebody change, delete and undo what another one on the same server did.
func TestNeighbours(t *testing.T) {
	in := open(t, nil)
	e := in.put(fair())
	object := in.base + "/id/" + string(e.ID)
	p := in.followed()
	maud := p.ID()
	note := map[string]any{
		"id": p.URL() + "/notes/1", "type": "Note", "attributedTo": maud, "inReplyTo": object, "content": "J'y serai", "to": "as:Public",
	}
	p.Post(in.inbox(), p.Activity("Create", note), nil)
	like := p.Activity("Like", object)
	p.Post(in.inbox(), like, nil)
	eventually(t, "the reply and the Like", func() bool { return len(in.records("ap-reply")) == 1 && len(in.records("ap-reaction")) == 1 })
	eve := with(p.Actor, "id", p.URL()+"/users/eve", "inbox", p.URL()+"/users/eve/inbox", "publicKey", map[string]any{"id": p.URL() + "/users/eve#main-key"})
	p.Become(eve)
	for _, a := range []map[string]any{
		p.Activity("Update", with(note, "content", "Annulé")),
		p.Activity("Update", with(note, "content", "Annulé", "attributedTo", p.ID())),
		p.Activity("Update", with(note, "content", "Annulé", "attributedTo", []any{maud, p.ID()})),
		p.Activity("Create", with(note, "content", "Annulé", "attributedTo", p.ID())),
		p.Activity("Delete", note["id"]), p.Activity("Delete", map[string]any{"id": note["id"], "type": "Tombstone"}), p.Activity("Delete", maud),
		p.Activity("Undo", like), p.Activity("Undo", with(like, "actor", p.ID())), p.Activity("Undo", p.URL()+"/activities/1"),
		p.Activity("Update", with(eve, "id", maud)),
		p.Activity("Move", maud), p.Activity("Block", in.relay()),
	} {
		if got := p.Post(in.inbox(), a, nil); got != http.StatusAccepted {
			t.Errorf("%s was answered with %d", a["type"], got)
		}
	}
	// What somebody embeds under a foreign id is an address and no more.
	p.Post(in.inbox(), p.Activity("Announce", map[string]any{"id": object, "type": "Event", "name": "Annulé", "attributedTo": p.ID()}), nil)
	eventually(t, "all to be done", in.idle)
	replies := in.records("ap-reply")
	if len(replies) != 1 || replies[0]["content"] != "J&#39;y serai" || replies[0]["actor"] != maud {
		t.Errorf("the neighbour's reply is %v", replies)
	}
	if in.followers() != 1 {
		t.Error("the neighbour's Follow is gone")
	}
	if _, doc := fedtest.Get(t, object+"?"); doc["name"] != e.Name {
		t.Errorf("our event is called %v", doc["name"])
	}
	if n := len(in.records("ap-reaction")); n != 2 { // the Like, and the Announce
		t.Errorf("%d reactions", n)
	}
}

// TestNames says who it is in other letters than its own: what is compared must not be fooled.
func TestNames(t *testing.T) {
	in := open(t, nil)
	p := fedtest.NewPeer(t)
	host := strings.TrimPrefix(p.URL(), "http://")
	port := host[strings.LastIndex(host, ":"):]
	for _, address := range []string{
		"http://127.0.0.1" + port + ".evil.example/users/maud", "http://" + host + "@evil.example/users/maud", "http://maud@" + host + "/users/maud", "http://maud:pw@" + host + "/users/maud",
		"https://" + host + "/users/maud", "http://127.0.0.1:1/users/maud", "http://127.0.0.1/users/maud", "http://127.0.0.1.:1/users/maud", "http://１２７.0.0.1" + port + "/users/maud",
		"http://127。0。0。1" + port + "/users/maud", "//" + host + "/users/maud", "HTTP://" + host + "/users/maud", "http://[::ffff:127.0.0.1]" + port + "/users/maud", "http://2130706433" + port + "/users/maud",
		"http://0x7f.1" + port + "/users/maud", "http://" + host + "\\@evil.example/users/maud", "http://" + host + "%2f@evil.example/", "http://" + host + "/users/%6daud", "http://" + host + "/users/../users/maud",
		"http://" + host + "/users/maud?x=1", "http://" + host + "/users/maud#x", "javascript:alert(1)", "data:,x", "acct:maud@" + host, "http://" + host + ":0/users/maud",
	} {
		doc := with(p.Activity("Follow", in.relay()), "actor", address)
		if got := p.Post(in.inbox(), doc, nil); got/100 != 4 {
			t.Errorf("the actor %q: answered with %d", address, got)
		}
		if got := p.Post(in.inbox(), with(p.Activity("Follow", in.relay()), "id", address), nil); got == http.StatusAccepted && !vocab.SameOrigin(address, p.URL()+"/") {
			t.Errorf("the id %q is taken", address)
		}
	}
	eventually(t, "all to be done", in.idle)
	for _, f := range in.records("ap-follower") {
		if f["actor"] != p.ID() {
			t.Errorf("%v follows", f["actor"])
		}
	}
}

// TestKeyWithOtherNames blocks a server and lets it name its key in other letters.
func TestKeyWithOtherNames(t *testing.T) {
	in := open(t, nil)
	p := fedtest.NewPeer(t)
	host := strings.TrimPrefix(p.URL(), "http://")
	in.block(host)
	for _, name := range []string{host, strings.Replace(host, "127.0.0.1", "localhost", 1), "LOCALHOST" + host[9:], strings.ToUpper(host)} {
		doc := with(p.Activity("Follow", in.relay()), "actor", "http://"+name+"/users/maud", "id", "http://"+name+"/1")
		if got := p.Post(in.inbox(), doc, nil); got/100 != 4 {
			t.Errorf("%s: answered with %d", name, got)
		}
	}
	eventually(t, "all to be done", in.idle)
	if n := in.followers(); n != 0 {
		t.Errorf("%v followers", n)
	}
}

// block shuts a host out, and waits until that holds.
func (in *instance) block(host string) {
	in.t.Helper()
	in.policy(func(p *federation.Policy) { p.Rules[host] = federation.Rule{Severity: federation.Suspend} })
	eventually(in.t, host+" to be blocked", func() bool { return in.s.Blocks(host) })
}

func (in *instance) policy(change func(*federation.Policy)) {
	in.t.Helper()
	if _, err := federation.ChangePolicy(in.t.Context(), in.store, func(p *federation.Policy) error { change(p); return nil }); err != nil {
		in.t.Fatal(err)
	}
}

// TestNobodyElseIsAsked fills activities and actors with addresses of a server that has nothing to do with it.
func TestNobodyElseIsAsked(t *testing.T) {
	in := open(t, nil)
	object := in.base + "/id/" + string(in.put(fair()).ID)
	victim := fedtest.NewPeer(t)
	v := victim.URL()
	p := fedtest.NewPeer(t)
	p.Lock()
	for k, value := range map[string]any{
		"icon": map[string]any{"type": "Image", "url": v + "/icon.png"}, "image": v + "/image.png", "outbox": v + "/outbox", "followers": v + "/followers", "featured": v + "/featured",
		"endpoints": map[string]any{"sharedInbox": v + "/inbox", "proxyUrl": v + "/proxy"}, "alsoKnownAs": []any{v + "/me"}, "movedTo": v + "/me", "@context": []any{"https://www.w3.org/ns/activitystreams", v + "/context.json"},
		"attachment": []any{map[string]any{"type": "PropertyValue", "name": "x", "value": `<a rel="me" href="` + v + `">x</a>`}}, "tag": []any{map[string]any{"type": "Emoji", "icon": map[string]any{"url": v + "/emoji.png"}}},
	} {
		p.Actor[k] = value
	}
	p.Unlock()
	in.follows(p, in.relay())
	many := []any{}
	for i := range 900 {
		many = append(many, fmt.Sprint(v, "/", i))
	}
	note := map[string]any{
		"id": p.URL() + "/notes/1", "type": "Note", "attributedTo": p.ID(), "inReplyTo": object, "content": `<img src="` + v + `/x.png">Bien`, "to": "as:Public", "cc": many, "replies": v + "/replies",
		"attachment": []any{map[string]any{"type": "Document", "url": v + "/a.png"}}, "tag": []any{map[string]any{"type": "Mention", "href": v + "/users/maud"}}, "context": v + "/context", "quote": v + "/notes/2",
	}
	for _, doc := range []map[string]any{
		with(p.Activity("Create", note), "@context", []any{"https://www.w3.org/ns/activitystreams", v + "/context.json"}),
		p.Activity("Announce", v+"/notes/1"), p.Activity("Like", v+"/notes/1"), p.Activity("Announce", many), p.Activity("Delete", v+"/notes/1"), p.Activity("Undo", v+"/activities/1"),
		p.Activity("Accept", v+"/follows/1"), p.Activity("Add", v+"/x"), with(p.Activity("Move", p.ID()), "target", victim.ID()), with(p.Activity("Flag", many), "content", v), p.Activity("Follow", victim.ID()),
		with(p.Activity("Create", v+"/notes/3"), "target", v), p.Activity("Update", map[string]any{"id": victim.ID(), "type": "Person"}), p.Activity("Join", v+"/events/1"), p.Activity("Travel", v),
	} {
		if got := p.Post(in.inbox(), doc, nil); got != http.StatusAccepted {
			t.Errorf("%v was answered with %d", doc["type"], got)
		}
	}
	keyed := func(key string) func(*http.Request) {
		return func(r *http.Request) {
			r.Header.Set("Signature", strings.Replace(r.Header.Get("Signature"), p.KeyID(), key, 1))
		}
	}
	for _, key := range []string{victim.KeyID(), victim.URL() + "/latest/meta-data/", "http://169.254.169.254/latest/meta-data/#main-key", "file:///etc/passwd#main-key", "gopher://" + strings.TrimPrefix(v, "http://") + "/#main-key"} {
		if got := p.Post(in.inbox(), p.Activity("Like", object), keyed(key)); got/100 != 4 {
			t.Errorf("the key %s: answered with %d", key, got)
		}
	}
	eventually(t, "all to be done", in.idle)
	in.put(event("Après"))
	p.Await("Create", 1) // to its own inbox: the shared one is another server's
	// The account that a follower says it moves to is asked once whether it says so too.
	if asked := victim.Asked(); len(asked) > 1 || len(asked) == 1 && asked[0] != "GET /users/maud" {
		t.Errorf("a server that has nothing to do with it was asked %q", asked)
	}
}

// TestBlockedBehindABoost brings what a blocked server says through one that is not.
func TestBlockedBehindABoost(t *testing.T) {
	in := open(t, nil)
	e := in.put(fair())
	object := in.base + "/id/" + string(e.ID)
	carrier, blocked := in.followed(), fedtest.NewPeer(t)
	public, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	method := blocked.ID() + "#ed25519-key"
	blocked.Lock()
	blocked.Actor["assertionMethod"] = []any{map[string]any{"id": method, "type": "Multikey", "controller": blocked.ID(), "publicKeyMultibase": signature.EncodeMultikey(public)}}
	blocked.Unlock()
	in.block(strings.TrimPrefix(blocked.URL(), "http://"))
	note := map[string]any{"id": blocked.URL() + "/notes/1", "type": "Note", "attributedTo": blocked.ID(), "inReplyTo": object, "content": "x", "to": "as:Public"}
	create := blocked.Activity("Create", note)
	if err := signature.Prove(create, method, key, time.Now()); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		doc  map[string]any
		want int
	}{
		"by its address": {carrier.Activity("Announce", note["id"]), 202}, "in full": {carrier.Activity("Announce", note), 202}, "the activity": {carrier.Activity("Announce", create), 202},
		"as its own": {carrier.Activity("Create", note), 202}, "as it was, with its proof": {create, 403}, "its Follow": {carrier.Activity("Announce", blocked.Activity("Follow", in.relay())), 202},
	} {
		if got := carrier.Post(in.inbox(), c.doc, nil); got != c.want {
			t.Errorf("%s: answered with %d, want %d", name, got, c.want)
		}
	}
	// An actor who is led to the blocked server is not looked for there.
	led := fedtest.NewPeer(t)
	led.Answer = func(w http.ResponseWriter, r *http.Request) bool {
		http.Redirect(w, r, blocked.ID(), http.StatusFound)
		return true
	}
	if got := led.Post(in.inbox(), led.Activity("Like", object), nil); got != http.StatusUnauthorized {
		t.Errorf("led to it: answered with %d", got)
	}
	eventually(t, "all to be done", in.idle)
	if asked := blocked.Asked(); len(asked) != 0 {
		t.Errorf("the blocked server was asked %q", asked)
	}
	if n := len(in.records("ap-reply")) + len(in.records("ap-reaction")); n != 0 || in.followers() != 1 {
		t.Errorf("%d replies and reactions, %v followers", n, in.followers())
	}
	// A server that is blocked can carry nothing either.
	in.block(strings.TrimPrefix(carrier.URL(), "http://"))
	author := fedtest.NewPeer(t)
	if got := carrier.Post(in.inbox(), author.Activity("Like", object), nil); got != http.StatusForbidden {
		t.Errorf("carried by a blocked server: answered with %d", got)
	}
}

// TestCrowd brings many new actors of one server: those that are too many are asked to come again, and nobody is asked for them.
func TestCrowd(t *testing.T) {
	in := open(t, nil)
	object := in.base + "/id/" + string(in.put(fair()).ID)
	p := fedtest.NewPeer(t)
	var codes []int
	for i := range 22 {
		id := fmt.Sprint(p.URL(), "/users/", i)
		p.Become(with(p.Actor, "id", id, "inbox", id+"/inbox", "publicKey", map[string]any{"id": id + "#main-key", "owner": id}))
		codes = append(codes, p.Post(in.inbox(), p.Activity("Like", object), nil))
	}
	if got := p.Asked(); codes[19] != http.StatusAccepted || codes[20] != http.StatusTooManyRequests || codes[21] != http.StatusTooManyRequests || len(got) != 20 {
		t.Errorf("answered with %v, after %d questions", codes, len(got))
	}
}

// TestPacked sends bodies in every coding: none is unpacked.
func TestPacked(t *testing.T) {
	in := open(t, nil)
	p := fedtest.NewPeer(t)
	for _, coding := range []string{"gzip", "x-gzip", "br", "deflate", "zstd", "gzip, gzip", "identity, gzip", "GZIP"} {
		if got := p.Post(in.inbox(), bomb(), func(r *http.Request) { r.Header.Set("Content-Encoding", coding) }); got != http.StatusUnsupportedMediaType {
			t.Errorf("%s: answered with %d", coding, got)
		}
	}
}

// TestAllowlist takes nothing from a server that is not on the list.
func TestAllowlist(t *testing.T) {
	in := open(t, nil)
	friend, stranger := fedtest.NewPeer(t), fedtest.NewPeer(t)
	in.policy(func(p *federation.Policy) {
		p.Mode, p.Allowed = federation.ModeAllowlist, []string{strings.TrimPrefix(friend.URL(), "http://")}
	})
	eventually(t, "the policy", func() bool { return in.s.Blocks("stranger.example") })
	if got := stranger.Post(in.inbox(), stranger.Activity("Follow", in.relay()), nil); got != http.StatusForbidden {
		t.Errorf("a stranger was answered with %d", got)
	}
	in.follows(friend, in.relay())
	if n := in.followers(); n != 1 || len(stranger.Asked()) != 0 {
		t.Errorf("%v followers; the stranger was asked %q", n, stranger.Asked())
	}
}

// TestDeliveryIsNotLedOn answers a delivery with a redirect, with too much, and with a bomb.
func TestDeliveryIsNotLedOn(t *testing.T) {
	in := open(t, nil)
	victim, p, other := fedtest.NewPeer(t), in.followed(), in.followed()
	p.Lock()
	p.Answer = func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodPost {
			w.Header().Set("Location", victim.URL()+"/inbox")
			w.Header().Set("Content-Encoding", "gzip")
			w.WriteHeader(http.StatusPermanentRedirect)
			_, _ = w.Write(bomb())
			return true
		}
		return false
	}
	p.Unlock()
	in.put(event("Bal"))
	in.put(event("Marché"))
	other.Await("Create", 2)
	eventually(t, "the refusals", func() bool {
		var posts int
		for _, a := range p.Asked() {
			if strings.HasPrefix(a, "POST") {
				posts++
			}
		}
		return posts > 2 // the Accept, and both that were refused
	})
	if asked := victim.Asked(); len(asked) != 0 {
		t.Errorf("the delivery was led to %q", asked)
	}
}

// TestDuplicateNames sends what two readers read in two ways.
func TestDuplicateNames(t *testing.T) {
	in := open(t, nil)
	p := fedtest.NewPeer(t)
	b, err := json.Marshal(p.Activity("Follow", in.relay()))
	if err != nil {
		t.Fatal(err)
	}
	for _, extra := range []string{`"type":"Like"`, `"act\u006fr":"https://victim.example/u"`, `"@included":[{"id":"x"}]`, `"x":{"y":[{"@graph":[]}]}`, `"object":null`, `"id":"` + p.URL() + `/2"`} {
		if got := p.Post(in.inbox(), []byte(strings.TrimSuffix(string(b), "}")+","+extra+"}"), nil); got != http.StatusBadRequest {
			t.Errorf("%s: answered with %d", extra, got)
		}
	}
}
