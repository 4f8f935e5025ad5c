package islands_test

import (
	"strings"
	"testing"
	"time"

	"archipel/directory"
	"archipel/federation"
	"archipel/federation/fedtest"
	"archipel/federation/islands"
)

// provedBy is the key with which the origin of an entry said what an island has of it.
func (in *isle) provedBy(id directory.ID) (key string, doc map[string]any) {
	in.t.Helper()
	e := in.entry(id)
	doc, err := islands.Received(&e)
	if err != nil {
		in.t.Fatal(err)
	}
	proof, _ := doc["proof"].(map[string]any)
	key, _ = proof["verificationMethod"].(string)
	return key, doc
}

// TestKeysRenewed: an island gets new keys. Who follows it takes them up, also by way of a hub, everything is said anew with
// them, and what the old ones proved can be checked for 30 days.
func TestKeysRenewed(t *testing.T) {
	shared := &clock{}
	a, b, c := newIsle(t, shared), newIsle(t, shared), newIsle(t, shared)
	first := c.put(farm("De c"))
	b.follow(c, islands.Scope{}, islands.Show)
	b.shown(c, "De c")
	a.follow(b, islands.Scope{Others: true}, islands.Show)
	a.shown(c, "De c")
	key, old := a.provedBy(first.ID)
	if want := c.base + "/ap/mirror#ed25519-key"; key != want {
		t.Fatalf("it was proved by %s, want %s", key, want)
	}
	if status, info := fedtest.Get(t, c.base+"/nodeinfo/2.1"); status != 200 || info["metadata"].(map[string]any)["mirror"] != c.base+"/ap/mirror" {
		t.Errorf("NodeInfo says %v", info["metadata"])
	}

	for generation, suffix := range []string{"-2", "-3"} {
		shared.forward(time.Minute) // what was asked a moment ago is not asked again
		if err := federation.RotateKeys(t.Context(), c.store, ""); err != nil {
			t.Fatal(err)
		}
		eventually(t, "c has new keys", func() bool { return c.net.KeyGeneration() == generation+1 })
		c.put(farm("Après" + suffix))
		want := c.base + "/ap/mirror#ed25519-key" + suffix
		for _, in := range []*isle{b, a} {
			eventually(t, "what was there is said anew", func() bool { key, _ := in.provedBy(first.ID); return key == want })
		}
		a.shown(c, []string{"De c", "Après-2", "Après-3"}[:generation+2]...)
		if err := a.net.CheckProofOf(t.Context(), old, c.base+"/ap/mirror"); err != nil {
			t.Errorf("what the old key proved cannot be checked: %v", err)
		}
		_, actor := fedtest.Get(t, c.base+"/ap/mirror")
		if id, _ := actor["publicKey"].(map[string]any)["id"].(string); !strings.HasSuffix(id, "#main-key"+suffix) {
			t.Errorf("the key is called %s", id)
		}
		if list, _ := actor["assertionMethod"].([]any); len(list) != generation+2 {
			t.Errorf("%d keys are listed", len(list))
		}
	}

	shared.forward(31 * 24 * time.Hour)
	eventually(t, "the old key proves nothing any more", func() bool {
		shared.forward(time.Minute)
		return a.net.CheckProofOf(t.Context(), old, c.base+"/ap/mirror") != nil
	})
	// Who comes now can check everything all the same.
	late := newIsle(t, shared)
	late.follow(b, islands.Scope{Others: true}, islands.Show)
	late.shown(c, "De c", "Après-2", "Après-3")
	eventually(t, "b has told a all that c says now", func() bool {
		here := a.visible(c.host)
		for id, e := range b.visible(c.host) {
			is, was := here[id].Private, e.Private.Mirror
			if is == nil || is.Mirror.Epoch != c.s.Epoch() || is.Mirror.Epoch != was.Epoch || is.Mirror.Version != was.Version {
				return false
			}
		}
		return len(here) == 3
	})
	if err := a.s.Sync(t.Context(), b.host, true); err != nil {
		t.Fatal(err)
	}
	if st, err := a.s.State(t.Context(), b.host); err != nil || st.Differed != 0 {
		t.Errorf("%d differed: %v", st.Differed, err)
	}
}
