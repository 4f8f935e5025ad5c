package federation_test

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"archipel/federation/fedtest"
)

// BenchmarkInbox measures what it costs to take an activity, from its bytes to its place in the store, with keys cached;
// beside it what RSA alone costs.
func BenchmarkInbox(b *testing.B) {
	b.Run("rsa", func(b *testing.B) {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			b.Fatal(err)
		}
		sum := sha256.Sum256([]byte("x"))
		sig, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
		if err != nil {
			b.Fatal(err)
		}
		for b.Loop() {
			if err := rsa.VerifyPKCS1v15(&key.PublicKey, crypto.SHA256, sum[:], sig); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("activity", func(b *testing.B) {
		in := open(b, nil)
		p := fedtest.NewPeer(b)
		p.Post(in.inbox(), p.Activity("Follow", in.relay()), nil)
		p.Await("Accept", 1)
		taken := 0
		for b.Loop() {
			b.StopTimer()
			body, err := json.Marshal(p.Activity("View", in.relay()))
			if err != nil {
				b.Fatal(err)
			}
			r := httptest.NewRequest(http.MethodPost, in.inbox(), bytes.NewReader(body))
			r.Header.Set("Content-Type", "application/activity+json")
			p.Sign(r, body, time.Now())
			w := httptest.NewRecorder()
			b.StartTimer()
			in.s.ServeHTTP(w, r)
			switch w.Code {
			case http.StatusAccepted:
				taken++
			case http.StatusTooManyRequests: // one server alone cannot send more; it was not verified
			default:
				b.Fatalf("answered with %d: %s", w.Code, w.Body)
			}
		}
		b.ReportMetric(float64(taken), "taken")
	})
}
