package signature

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
)

var testKeys = sync.OnceValue(func() map[string]crypto.Signer {
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	_, edKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		panic(err)
	}
	return map[string]crypto.Signer{"rsa": rsaKey, "ed25519": edKey}
})

const body = `{"id":"https://ecrins.example/a/1","type":"Follow"}`

// signed is a request that was signed, as its receiver understands it.
func signed(t testing.TB, method, form, key string, at time.Time) *Message {
	t.Helper()
	content := []byte(body)
	if method == http.MethodGet {
		content = nil
	}
	r := httptest.NewRequest(method, "https://annuaire.example/ap/inbox%20x?page=2", bytes.NewReader(content))
	r.Header.Set("Content-Type", "application/activity+json")
	s := Signer{KeyID: "https://ecrins.example/u/1#main-key", Key: testKeys()[key]}
	sign := s.Cavage
	if form == "rfc9421" {
		sign = s.RFC9421
	}
	if err := sign(r, content, at); err != nil {
		t.Fatal(err)
	}
	return &Message{Method: method, Scheme: "https", Host: "annuaire.example", Target: "/ap/inbox%20x?page=2", Header: r.Header, Body: content}
}

func check(m *Message, key crypto.PublicKey, now time.Time) error {
	s, err := Parse(m, now)
	if err != nil {
		return err
	}
	return s.Verify(key)
}

func forms(t *testing.T, fn func(t *testing.T, form, key string)) {
	for _, form := range []string{"cavage", "rfc9421"} {
		for _, key := range []string{"rsa", "ed25519"} {
			t.Run(form+" "+key, func(t *testing.T) { fn(t, form, key) })
		}
	}
}

func TestSignedRequestsVerify(t *testing.T) {
	now := time.Now()
	forms(t, func(t *testing.T, form, key string) {
		for _, method := range []string{http.MethodPost, http.MethodGet} {
			m := signed(t, method, form, key, now)
			s, err := Parse(m, now)
			if err != nil {
				t.Fatalf("%s: %v", method, err)
			}
			if s.KeyID != "https://ecrins.example/u/1#main-key" {
				t.Errorf("%s: the key is %q", method, s.KeyID)
			}
			if err := s.Verify(testKeys()[key].Public()); err != nil {
				t.Errorf("%s: %v", method, err)
			}
			other := map[string]string{"rsa": "ed25519", "ed25519": "rsa"}[key]
			if err := s.Verify(testKeys()[other].Public()); !errors.Is(err, ErrWrong) {
				t.Errorf("%s with another key: %v", method, err)
			}
		}
	})
}

// TestAuthorizationIsNoSignature: what looks like a signature there is neither read nor in the way of the true one.
func TestAuthorizationIsNoSignature(t *testing.T) {
	now := time.Now()
	forms(t, func(t *testing.T, form, key string) {
		m := signed(t, http.MethodPost, form, key, now)
		m.Header.Set("Authorization", `Signature keyId="https://elsewhere.example/u/2#main-key",headers="host",signature="AAAA"`)
		s, err := Parse(m, now)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Verify(testKeys()[key].Public()); err != nil || s.KeyID != "https://ecrins.example/u/1#main-key" {
			t.Errorf("by %q: %v", s.KeyID, err)
		}
		m.Header.Del("Signature")
		if _, err := Parse(m, now); err == nil {
			t.Error("a signature in Authorization alone is taken")
		}
	})
}

// TestAttackedRequests changes what an attacker may change. Each must be refused.
func TestAttackedRequests(t *testing.T) {
	now := time.Now()
	type attack struct {
		name string
		do   func(m *Message)
		want error
	}
	attacks := []attack{
		{"another body", func(m *Message) { m.Body = []byte(strings.Replace(body, "Follow", "Delete", 1)) }, ErrDigest},
		{"no digest", func(m *Message) { m.Header.Del("Digest"); m.Header.Del("Content-Digest") }, nil},
		{"digest of an unknown kind", func(m *Message) {
			m.Header.Set("Digest", "MD5=abc")
			m.Header.Set("Content-Digest", "md5=:abc=:")
		}, ErrDigest},
		{"a good digest before a bad one", func(m *Message) {
			for _, h := range []string{"Digest", "Content-Digest"} {
				if v := m.Header.Get(h); v != "" {
					m.Header.Set(h, v+map[string]string{"Digest": ",SHA-512=AAAA", "Content-Digest": ", sha-512=:AAAA:"}[h])
				}
			}
		}, ErrDigest},
		{"another path", func(m *Message) { m.Target = "/ap/relay/inbox" }, ErrWrong},
		{"another query", func(m *Message) { m.Target = strings.Replace(m.Target, "2", "3", 1) }, ErrWrong},
		{"another method", func(m *Message) { m.Method = http.MethodPut }, ErrWrong},
		{"meant for another server", func(m *Message) { m.Host = "autre.example" }, ErrWrong},
		{"no signature", func(m *Message) { m.Header.Del("Signature"); m.Header.Del("Signature-Input") }, ErrMissing},
		{"a post in small letters without its body", func(m *Message) { m.Method, m.Body = "post", nil }, nil},
		{"a header that goes on and on", func(m *Message) {
			for _, h := range []string{"Signature-Input", "Digest", "Content-Digest"} {
				if v := m.Header.Get(h); v != "" {
					m.Header.Set(h, v+strings.Repeat(","+map[string]string{"Signature-Input": "a", "Digest": "MD5=", "Content-Digest": "a"}[h], maxHeader))
				}
			}
		}, ErrForm},
		{"another date", func(m *Message) {
			m.Header.Set("Date", now.Add(time.Minute).UTC().Format(http.TimeFormat))
			replaceIn(m, "Signature-Input", "created=", "created=1")
		}, nil},
	}
	forms(t, func(t *testing.T, form, key string) {
		for _, a := range attacks {
			m := signed(t, http.MethodPost, form, key, now)
			a.do(m)
			err := check(m, testKeys()[key].Public(), now)
			if err == nil || a.want != nil && !errors.Is(err, a.want) {
				t.Errorf("%s: got %v, want %v", a.name, err, a.want)
			}
		}
		for _, at := range []time.Duration{-Window - time.Minute, Window + time.Minute} {
			m := signed(t, http.MethodPost, form, key, now)
			if err := check(m, testKeys()[key].Public(), now.Add(at)); !errors.Is(err, ErrDate) {
				t.Errorf("%s later: %v", at, err)
			}
		}
	})
}

func replaceIn(m *Message, header, old, by string) {
	if v := m.Header.Get(header); v != "" {
		m.Header.Set(header, strings.Replace(v, old, by, 1))
	}
}

// TestWhatMustBeCovered leaves components out of a signature that is right otherwise.
func TestWhatMustBeCovered(t *testing.T) {
	now := time.Now()
	for name, params := range map[string]string{
		"no target":        `headers="host date digest"`,
		"no host":          `headers="(request-target) date digest"`,
		"no date":          `headers="(request-target) host digest"`,
		"no digest":        `headers="(request-target) host date"`,
		"no headers":       `algorithm="hs2019"`,
		"headers twice":    `headers="(request-target) host date digest",headers="date"`,
		"comma in a value": `headers="(request-target) host date digest",x="a,headers="date"`,
		"quote in a value": `headers="(request-target) host date digest",x="a"b"`,
		"space in a name":  `headers="(request-target) host date digest", keyId="x"`,
	} {
		m := signed(t, http.MethodPost, "cavage", "rsa", now)
		m.Header.Set("Signature", `keyId="k",signature="AAAA",`+params)
		if _, err := Parse(m, now); !errors.Is(err, ErrForm) {
			t.Errorf("cavage, %s: %v", name, err)
		}
	}
	created := ";created=" + strings.TrimSpace(jsonNumber(now.Unix())) + `;keyid="k"`
	for name, input := range map[string]string{
		"no method":         `sig=("@target-uri" "content-digest")` + created,
		"no target":         `sig=("@method" "content-digest")` + created,
		"path, no host":     `sig=("@method" "@path" "@query" "content-digest")` + created,
		"no query":          `sig=("@method" "@authority" "@path" "content-digest")` + created,
		"no digest":         `sig=("@method" "@target-uri")` + created,
		"no creation time":  `sig=("@method" "@target-uri" "content-digest");keyid="k"`,
		"no key":            `sig=("@method" "@target-uri" "content-digest");created=` + jsonNumber(now.Unix()),
		"a component twice": `sig=("@method" "@method" "@target-uri" "content-digest")` + created,
		"of a response":     `sig=("@status" "@method" "@target-uri" "content-digest")` + created,
		"parameters":        `sig=("@method" "@target-uri" "content-digest";bs)` + created,
		"expired":           `sig=("@method" "@target-uri" "content-digest");expires=1` + created,
	} {
		m := signed(t, http.MethodPost, "rfc9421", "rsa", now)
		m.Header.Set("Signature-Input", input)
		m.Header.Set("Signature", "sig=:AAAA:")
		if _, err := Parse(m, now); !errors.Is(err, ErrForm) && !errors.Is(err, ErrDate) {
			t.Errorf("RFC 9421, %s: %v", name, err)
		}
	}
}

func jsonNumber(n int64) string { b, _ := json.Marshal(n); return string(b) }

// TestKeys reads the forms in which servers write their keys, and refuses weak ones.
func TestKeys(t *testing.T) {
	key := testKeys()["rsa"].(*rsa.PrivateKey)
	pkcs1 := string(pem.EncodeToMemory(&pem.Block{Type: "RSA PUBLIC KEY", Bytes: x509.MarshalPKCS1PublicKey(&key.PublicKey)})) // as Mobilizon
	pkix, err := EncodePublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"PKCS #1": pkcs1, "PKIX": pkix} {
		got, err := ParsePublicKey(text + "\n\n")
		if err != nil || !key.PublicKey.Equal(got) {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	t.Setenv("GODEBUG", "rsa1024min=0")
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	text, err := EncodePublicKey(&weak.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"1024 bits": text, "nothing": "", "no key": "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"} {
		if _, err := ParsePublicKey(text); !errors.Is(err, ErrKey) {
			t.Errorf("%s: %v", name, err)
		}
	}
	ed := testKeys()["ed25519"].Public().(ed25519.PublicKey)
	if got, err := ParseMultikey(EncodeMultikey(ed)); err != nil || !ed.Equal(got) {
		t.Errorf("multikey: %v, %v", got, err)
	}
}

// TestProofVector holds proofs to the example of FEP-8b32.
func TestProofVector(t *testing.T) {
	b, err := os.ReadFile("testdata/fep-8b32.json")
	if err != nil {
		t.Fatal(err)
	}
	var vector struct {
		SecretKeyMultibase, KeyID string
		Created                   time.Time
		Unsigned, Signed          map[string]any
	}
	if err := json.Unmarshal(b, &vector); err != nil {
		t.Fatal(err)
	}
	secret, ok := decodeBase58(strings.TrimPrefix(vector.SecretKeyMultibase, "z"))
	if !ok || len(secret) != 2+ed25519.SeedSize {
		t.Fatalf("the secret key has %d bytes", len(secret))
	}
	key := ed25519.NewKeyFromSeed(secret[2:])
	if err := Prove(vector.Unsigned, vector.KeyID, key, vector.Created); err != nil {
		t.Fatal(err)
	}
	want := vector.Signed["proof"].(map[string]any)["proofValue"]
	if got := vector.Unsigned["proof"].(map[string]any)["proofValue"]; got != want {
		t.Errorf("the proof is %v, want %v", got, want)
	}
	public := key.Public().(ed25519.PublicKey)
	if err := CheckProof(vector.Signed, public, time.Now()); err != nil {
		t.Errorf("the vector does not verify: %v", err)
	}
	vector.Signed["object"].(map[string]any)["content"] = "Goodbye world"
	if err := CheckProof(vector.Signed, public, time.Now()); !errors.Is(err, ErrWrong) {
		t.Errorf("a changed document: %v", err)
	}
}

func FuzzParse(f *testing.F) {
	now := time.Unix(1_800_000_000, 0)
	for _, form := range []string{"cavage", "rfc9421"} {
		m := signed(f, http.MethodPost, form, "rsa", now)
		f.Add(m.Header.Get("Signature"), m.Header.Get("Signature-Input"), m.Header.Get("Digest"), m.Header.Get("Content-Digest"), m.Target)
	}
	f.Add(`keyId="a,b",headers="(created)",signature=""`, "", "SHA-256==", "", "?")
	f.Fuzz(func(t *testing.T, sig, input, digest, contentDigest, target string) {
		m := &Message{Method: http.MethodPost, Scheme: "https", Host: "annuaire.example", Target: target, Body: []byte(body), Header: http.Header{
			"Date": {now.UTC().Format(http.TimeFormat)}, "Signature": {sig}, "Digest": {digest}, "Content-Digest": {contentDigest},
		}}
		if input != "" {
			m.Header.Set("Signature-Input", input)
		}
		s, err := Parse(m, now)
		if err != nil {
			return
		}
		if s.KeyID == "" {
			t.Error("a signature without a key is taken")
		}
		// A key made for nobody: nothing that was not signed with it may verify.
		if s.Verify(ed25519.PublicKey(make([]byte, ed25519.PublicKeySize-1))) == nil {
			t.Error("verified with half a key")
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	now := time.Now()
	for _, form := range []string{"cavage", "rfc9421"} {
		m := signed(b, http.MethodPost, form, "rsa", now)
		b.Run(form, func(b *testing.B) {
			for b.Loop() {
				if err := check(m, testKeys()["rsa"].Public(), now); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
