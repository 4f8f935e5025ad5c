// Package fedtest is another server of the fediverse, on loopback, for tests: it has an actor, signs what it sends, checks
// what it receives, and can be told to misbehave.
package fedtest

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"archipel/federation/signature"
)

// Peer is a server with one actor. Its fields may be changed before it is asked, and Lock'ed while it is.
type Peer struct {
	sync.Mutex
	t      testing.TB
	server *httptest.Server

	Key      crypto.Signer
	RFC9421  bool                                              // it signs with RFC 9421, and answers 401 to anything else
	Answer   func(w http.ResponseWriter, r *http.Request) bool // takes a request over when it returns true
	Actor    map[string]any                                    // its document
	Verify   func(keyID string) (pem string, err error)        // finds a key; nil: where its id says
	Heard    func(doc map[string]any)                          // is told of what came, before it is answered
	Now      func() time.Time                                  // its clock; nil: the machine's
	id, key  string                                            // of the actor, and of its key; "" for the usual ones
	others   map[string]map[string]any                         // documents of further actors, by path
	received []map[string]any
	bodies   [][]byte // of received
	asked    []string // method and path of every request
	rejected []error
	sequence int
}

// NewPeer starts a peer that ends with the test.
func NewPeer(t testing.TB) *Peer {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	p := &Peer{t: t, Key: key}
	p.server = httptest.NewServer(http.HandlerFunc(p.serve))
	t.Cleanup(p.server.Close)
	p.Actor = map[string]any{
		"@context": []any{"https://www.w3.org/ns/activitystreams", "https://w3id.org/security/v1"},
		"id":       p.ID(), "type": "Person", "preferredUsername": "maud", "inbox": p.ID() + "/inbox", "outbox": p.ID() + "/outbox",
		"endpoints": map[string]any{"sharedInbox": p.URL() + "/inbox"},
	}
	p.SetKey(key)
	return p
}

// SetKey gives the actor another key under the same id.
func (p *Peer) SetKey(key crypto.Signer) {
	text, err := signature.EncodePublicKey(key.Public())
	if err != nil {
		p.t.Fatal(err)
	}
	p.Lock()
	defer p.Unlock()
	p.Key = key
	p.Actor["publicKey"] = map[string]any{"id": p.KeyID(), "owner": p.ID(), "publicKeyPem": text}
}

// URL is the address of the server, ID that of its actor, KeyID that of the actor's key.
func (p *Peer) URL() string { return p.server.URL }

func (p *Peer) ID() string {
	if p.id != "" {
		return p.id
	}
	return p.server.URL + "/users/maud"
}

func (p *Peer) KeyID() string {
	if p.key != "" {
		return p.key
	}
	return p.ID() + "#main-key"
}

func (p *Peer) now() time.Time {
	if p.Now != nil {
		return p.Now()
	}
	return time.Now()
}

// Become gives the peer another actor, from its document: it speaks as that one from then on. The document's key keeps its id
// and is the peer's. Those that it was before are served on.
func (p *Peer) Become(actor map[string]any) {
	p.Lock()
	if p.others == nil {
		p.others = map[string]map[string]any{}
	}
	p.others[strings.TrimPrefix(p.ID(), p.URL())] = p.Actor
	p.Actor = actor
	p.id, _ = actor["id"].(string)
	p.key, _ = actor["publicKey"].(map[string]any)["id"].(string)
	p.Unlock()
	p.SetKey(p.Key)
}

func (p *Peer) serve(w http.ResponseWriter, r *http.Request) {
	p.Lock()
	p.asked = append(p.asked, r.Method+" "+r.URL.Path)
	answer := p.Answer
	doc := p.others[r.URL.Path]
	if p.URL()+r.URL.Path == p.ID() {
		doc = p.Actor
	}
	actor, _ := json.Marshal(doc)
	p.Unlock()
	if answer != nil && answer(w, r) {
		return
	}
	switch {
	case r.Method == http.MethodGet && doc != nil:
		w.Header().Set("Content-Type", "application/activity+json")
		_, _ = w.Write(actor)
	case r.Method == http.MethodPost && strings.Contains(strings.ToLower(r.URL.Path), "inbox"):
		p.take(w, r)
	default:
		http.NotFound(w, r)
	}
}

// take checks the signature of a delivery as a server does, and notes what it brings.
func (p *Peer) take(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err == nil {
		err = p.verify(r, body)
	}
	var doc map[string]any
	if err == nil {
		err = json.Unmarshal(body, &doc)
	}
	p.Lock()
	defer p.Unlock()
	if err != nil {
		p.rejected = append(p.rejected, err)
		http.Error(w, err.Error(), http.StatusUnauthorized)
		return
	}
	p.received, p.bodies = append(p.received, doc), append(p.bodies, body)
	if p.Heard != nil {
		p.Heard(doc)
	}
	w.WriteHeader(http.StatusAccepted)
}

func (p *Peer) verify(r *http.Request, body []byte) error {
	if p.RFC9421 && r.Header.Get("Signature-Input") == "" {
		return fmt.Errorf("only RFC 9421 is spoken here")
	}
	sig, err := signature.Parse(&signature.Message{
		Method: r.Method, Scheme: "http", Host: strings.TrimPrefix(p.URL(), "http://"), Target: r.RequestURI, Header: r.Header, Body: body,
	}, p.now())
	if err != nil {
		return err
	}
	p.Lock()
	find := p.Verify
	p.Unlock()
	if find != nil {
		text, err := find(sig.KeyID)
		if err != nil {
			return err
		}
		public, err := signature.ParsePublicKey(text)
		if err != nil {
			return err
		}
		return sig.Verify(public)
	}
	id, _, _ := strings.Cut(sig.KeyID, "#")
	_, actor, err := get(id)
	if err != nil {
		return err // the sender may have died in the meantime
	}
	key, _ := actor["publicKey"].(map[string]any)
	text, _ := key["publicKeyPem"].(string)
	if key["id"] != sig.KeyID {
		return fmt.Errorf("%s does not list %s", id, sig.KeyID)
	}
	public, err := signature.ParsePublicKey(text)
	if err != nil {
		return err
	}
	return sig.Verify(public)
}

// Received lists the activities that came, of one type, or ("") of all.
func (p *Peer) Received(kind string) []map[string]any {
	p.Lock()
	defer p.Unlock()
	var list []map[string]any
	for _, doc := range p.received {
		if kind == "" || doc["type"] == kind {
			list = append(list, doc)
		}
	}
	return list
}

// Bodies lists the bytes of the activities that came, of one type.
func (p *Peer) Bodies(kind string) [][]byte {
	p.Lock()
	defer p.Unlock()
	var list [][]byte
	for i, doc := range p.received {
		if doc["type"] == kind {
			list = append(list, p.bodies[i])
		}
	}
	return list
}

// Asked lists the requests that came, as "GET /users/maud".
func (p *Peer) Asked() []string {
	p.Lock()
	defer p.Unlock()
	return append([]string(nil), p.asked...)
}

// Await waits until n activities of a type have come, and returns them.
func (p *Peer) Await(kind string, n int) []map[string]any {
	p.t.Helper()
	deadline := time.Now().Add(2 * time.Minute)
	for time.Now().Before(deadline) {
		if list := p.Received(kind); len(list) >= n {
			return list
		}
		time.Sleep(20 * time.Millisecond)
	}
	p.Lock()
	defer p.Unlock()
	var kinds []any
	for _, doc := range p.received {
		kinds = append(kinds, doc["type"])
	}
	p.t.Fatalf("waited in vain for %d %s; there came %v, refused were %v", n, kind, kinds, p.rejected)
	return nil
}

// Activity makes an activity of the peer's actor.
func (p *Peer) Activity(kind string, object any) map[string]any {
	p.Lock()
	defer p.Unlock()
	p.sequence++
	return map[string]any{
		"@context": "https://www.w3.org/ns/activitystreams", "id": fmt.Sprintf("%s/activities/%d", p.server.URL, p.sequence),
		"type": kind, "actor": p.ID(), "object": object,
	}
}

// Post signs a document and sends it, as JSON unless it is []byte already. change may spoil the request after it was
// signed; it may be nil. It returns the status of the answer.
func (p *Peer) Post(inbox string, doc any, change func(*http.Request)) int {
	p.t.Helper()
	body, ok := doc.([]byte)
	if !ok {
		var err error
		if body, err = json.Marshal(doc); err != nil {
			p.t.Fatal(err)
		}
	}
	r, err := http.NewRequestWithContext(context.Background(), http.MethodPost, inbox, bytes.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/activity+json")
	p.Sign(r, body, p.now())
	if change != nil {
		change(r)
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		p.t.Fatal(err)
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, res.Body)
	return res.StatusCode
}

// Sign signs a request as the peer does.
func (p *Peer) Sign(r *http.Request, body []byte, now time.Time) {
	p.t.Helper()
	signer := signature.Signer{KeyID: p.KeyID(), Key: p.Key}
	sign := signer.Cavage
	if p.RFC9421 {
		sign = signer.RFC9421
	}
	if err := sign(r, body, now); err != nil {
		p.t.Fatal(err)
	}
}

// Get asks for an ActivityStreams document.
func Get(t testing.TB, address string) (status int, doc map[string]any) {
	status, doc, err := get(address)
	if err != nil {
		t.Error(err)
	}
	return status, doc
}

func get(address string) (status int, doc map[string]any, err error) {
	r, err := http.NewRequestWithContext(context.Background(), http.MethodGet, address, nil)
	if err != nil {
		return 0, nil, err
	}
	r.Header.Set("Accept", "application/activity+json")
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, nil, err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		return 0, nil, err
	}
	if len(b) > 0 && json.Unmarshal(b, &doc) != nil {
		doc = map[string]any{"text": string(b)}
	}
	return res.StatusCode, doc, nil
}
