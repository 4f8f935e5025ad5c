package federation_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"net/http"
	"testing"
	"time"

	"archipel/federation/fedtest"
	"archipel/federation/signature"
)

// TestForwarded lets one server pass on what another one's actor said: only the proof inside counts.
func TestForwarded(t *testing.T) {
	in := open(t, nil)
	e := in.put(fair())
	author, carrier := fedtest.NewPeer(t), fedtest.NewPeer(t)
	public, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	method := author.ID() + "#ed25519-key"
	author.Lock()
	author.Actor["assertionMethod"] = []any{map[string]any{
		"id": method, "type": "Multikey", "controller": author.ID(), "publicKeyMultibase": signature.EncodeMultikey(public),
	}}
	author.Unlock()
	like := func(at time.Time) map[string]any {
		doc := author.Activity("Like", in.base+"/id/"+string(e.ID))
		if err := signature.Prove(doc, method, key, at); err != nil {
			t.Fatal(err)
		}
		return doc
	}
	changed := like(time.Now())
	changed["type"] = "Announce"
	bare := like(time.Now())
	delete(bare, "proof")
	for name, c := range map[string]struct {
		doc  map[string]any
		want int
	}{
		"as it was": {like(time.Now()), http.StatusAccepted}, "changed on the way": {changed, http.StatusUnauthorized},
		"without a proof": {bare, http.StatusUnauthorized}, "of last week": {like(time.Now().AddDate(0, 0, -7)), http.StatusUnauthorized},
		"in the name of another one": {with(like(time.Now()), "actor", author.URL()+"/users/eve"), http.StatusUnauthorized},
	} {
		if got := carrier.Post(in.inbox(), c.doc, nil); got != c.want {
			t.Errorf("%s: answered with %d, want %d", name, got, c.want)
		}
	}
	eventually(t, "the Like", func() bool {
		_, likes := fedtest.Get(t, in.base+"/ap/objects/"+string(e.ID)+"/likes")
		return likes["totalItems"] == 1.0
	})
}
