package signature

import (
	"bytes"
	"crypto/ed25519"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// FuzzVerified changes requests that were signed with a key: whatever still verifies says what was signed, to the same host.
// The key is always the same, since what is found is tried again by other processes.
func FuzzVerified(f *testing.F) {
	now := time.Unix(1_800_000_000, 0)
	key := ed25519.NewKeyFromSeed([]byte(strings.Repeat("k", ed25519.SeedSize)))
	const target = "/ap/inbox?page=2"
	signer := Signer{KeyID: "https://ecrins.example/u/1#main-key", Key: key}
	for _, sign := range []func(*http.Request, []byte, time.Time) error{signer.Cavage, signer.RFC9421} {
		r := httptest.NewRequest(http.MethodPost, "https://annuaire.example"+target, bytes.NewReader([]byte(body)))
		r.Header.Set("Content-Type", "application/activity+json")
		if err := sign(r, []byte(body), now); err != nil {
			f.Fatal(err)
		}
		h := r.Header
		for _, sent := range []struct{ method, host, target, body string }{
			{http.MethodPost, "annuaire.example", target, body},
			{"post", "annuaire.example", target, ""},
			{http.MethodPost, "annuaire.example/ap", "/inbox?page=2", body},
			{"", "annuaire.example", target, ""},
		} {
			f.Add(h.Get("Signature"), h.Get("Signature-Input"), h.Get("Digest"), h.Get("Content-Digest"), h.Get("Date"), sent.method, sent.host, sent.target, []byte(sent.body))
		}
	}
	f.Fuzz(func(t *testing.T, sig, input, digest, contentDigest, date, method, host, to string, sent []byte) {
		m := &Message{Method: method, Scheme: "https", Host: host, Target: to, Body: sent, Header: http.Header{"Signature": {sig}, "Content-Type": {"application/activity+json"}}}
		for name, v := range map[string]string{"Signature-Input": input, "Digest": digest, "Content-Digest": contentDigest, "Date": date} {
			if v != "" {
				m.Header.Set(name, v)
			}
		}
		for _, at := range []time.Duration{0, 2 * Window, -2 * Window} {
			s, err := Parse(m, now.Add(at))
			if err != nil || s.Verify(key.Public()) != nil {
				continue
			}
			if at != 0 {
				t.Errorf("verified %s later", at)
			}
			// draft-cavage-12 signs the method in lower case; HTTP's are told apart by case, and the server takes POST alone.
			// RFC 9421 signs the address in one piece; which of it is the host the receiver knows, who has that name.
			if !strings.EqualFold(method, http.MethodPost) || host+to != "annuaire.example"+target || string(sent) != body {
				t.Errorf("verified as %s %s%s %q, which nobody signed", method, host, to, sent)
			}
		}
	})
}
