package federation_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"archipel/federation/fedtest"
)

// TestClaimedHost lets somebody without a key speak in the name of a server, often and with many actors: the server itself is
// heard on.
func TestClaimedHost(t *testing.T) {
	in := open(t, nil)
	p, liar := fedtest.NewPeer(t), fedtest.NewPeer(t)
	from := func(address string, by *fedtest.Peer, doc map[string]any, change func(*http.Request)) int {
		body, err := json.Marshal(doc)
		if err != nil {
			t.Fatal(err)
		}
		r := httptest.NewRequest(http.MethodPost, in.inbox(), bytes.NewReader(body))
		r.Header.Set("Content-Type", "application/activity+json")
		by.Sign(r, body, time.Now())
		if change != nil {
			change(r)
		}
		r.RemoteAddr = address
		w := httptest.NewRecorder()
		in.s.ServeHTTP(w, r)
		return w.Code
	}
	claim := func(r *http.Request) {
		r.Header.Set("Signature", strings.Replace(r.Header.Get("Signature"), liar.URL(), p.URL(), 1))
	}
	if code := from("192.0.2.1:1000", p, p.Activity("Follow", in.relay()), nil); code != http.StatusAccepted {
		t.Fatalf("an honest Follow: %d", code)
	}
	for i := range 600 {
		doc := with(p.Activity("Like", in.relay()), "id", fmt.Sprint(p.URL(), "/claimed/", i))
		if code := from("198.51.100.1:1000", liar, doc, claim); code != http.StatusUnauthorized {
			t.Fatalf("the forged request %d: %d", i, code)
		}
	}
	for i := range 30 {
		id := fmt.Sprint(p.URL(), "/users/nobody", i)
		doc := with(p.Activity("Like", in.relay()), "actor", id)
		from("198.51.100.1:1000", liar, doc, claim)
	}
	if code := from("192.0.2.1:1000", p, p.Activity("Like", in.relay()), nil); code != http.StatusAccepted {
		t.Errorf("an honest activity afterwards: %d", code)
	}
	id := p.URL() + "/users/another"
	p.Become(with(p.Actor, "id", id, "inbox", id+"/inbox", "publicKey", map[string]any{"id": id + "#main-key", "owner": id}))
	if code := from("192.0.2.1:1000", p, p.Activity("Follow", in.relay()), nil); code != http.StatusAccepted {
		t.Errorf("a new actor afterwards: %d", code)
	}
}

// TestFloodFromOneAddress sends what nobody signed: of one network so much is looked at, and another one is not held up.
func TestFloodFromOneAddress(t *testing.T) {
	in := open(t, nil)
	codes := map[int]int{}
	post := func(address string) int {
		r := httptest.NewRequest(http.MethodPost, in.inbox(), strings.NewReader("{}"))
		r.Header.Set("Content-Type", "application/activity+json")
		r.RemoteAddr = address
		w := httptest.NewRecorder()
		in.s.ServeHTTP(w, r)
		return w.Code
	}
	for i := range 200_000 {
		code := post(fmt.Sprintf("[2001:db8:1:1::%x]:1000", i%999))
		if codes[code]++; code == http.StatusTooManyRequests {
			break
		}
	}
	if codes[http.StatusTooManyRequests] == 0 || codes[http.StatusBadRequest] < 2000 {
		t.Errorf("of one network: %v", codes)
	}
	if code := post("[2001:db8:1:2::1]:1000"); code != http.StatusBadRequest {
		t.Errorf("of another network: %d", code)
	}
}

// TestKeysWithoutOwner asks with keys that have documents of their own, made up or true: we look for few that are made up, and
// for a true one once.
func TestKeysWithoutOwner(t *testing.T) {
	in := open(t, nil)
	p := fedtest.NewPeer(t)
	key := p.URL() + "/keys/1"
	p.Become(with(p.Actor, "publicKey", map[string]any{"id": key}))
	document := with(p.Actor, "id", key, "owner", p.ID())
	p.Answer = func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path != "/keys/1" {
			return false
		}
		w.Header().Set("Content-Type", "application/activity+json")
		_ = json.NewEncoder(w).Encode(document)
		return true
	}
	ask := func(spoil func(*http.Request)) int {
		r := httptest.NewRequest(http.MethodGet, in.relay()+"/followers/sync", nil)
		p.Sign(r, nil, time.Now())
		if spoil != nil {
			spoil(r)
		}
		w := httptest.NewRecorder()
		in.s.ServeHTTP(w, r)
		return w.Code
	}
	for range 5 {
		if code := ask(nil); code != http.StatusOK {
			t.Fatalf("a true key: %d", code)
		}
	}
	asked := len(p.Asked())
	if asked != 2 { // the key, and its owner
		t.Errorf("for a true key there was asked %q", p.Asked())
	}
	last := 0
	for i := range 100 {
		last = ask(func(r *http.Request) {
			r.Header.Set("Signature", strings.Replace(r.Header.Get("Signature"), key, fmt.Sprint(p.URL(), "/invented/", i), 1))
		})
	}
	if n := len(p.Asked()) - asked; n == 0 || n > 20 || last != http.StatusTooManyRequests {
		t.Errorf("for 100 keys that are made up there was asked %d times, the last answer is %d", n, last)
	}
	if code := ask(nil); code != http.StatusOK {
		t.Errorf("a true key, afterwards: %d", code)
	}
}
