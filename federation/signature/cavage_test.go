package signature

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"code.superseriousbusiness.org/httpsig"
)

// TestCoveredWithoutEnd: what would be put together from one small request, again and again, is refused before that.
func TestCoveredWithoutEnd(t *testing.T) {
	now := time.Now().UTC()
	m := signed(t, http.MethodPost, "cavage", "rsa", now)
	m.Header.Set("A", strings.Repeat("a", 1<<13))
	sum := m.Header.Get("Signature")
	for name, more := range map[string]string{"many": "a" + strings.Repeat(" b", 40), "twice": "a a", "in another case": strings.Repeat(" a A", 20)} {
		m.Header.Set("Signature", strings.Replace(sum, `headers="`, `headers="`+strings.TrimSpace(more)+" ", 1))
		if _, err := Parse(m, now); !errors.Is(err, ErrForm) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestCavageAsOthersSign: what an implementation of the draft that is not ours signs verifies, whatever it covers and in whatever
// order, and no longer once one of the headers that it covers says something else.
func TestCavageAsOthersSign(t *testing.T) {
	now := time.Now().UTC()
	for name, tt := range map[string]struct {
		key       string
		algorithm httpsig.Algorithm
		covers    []string
	}{
		"as Mastodon signs":      {"rsa", httpsig.RSA_SHA256, []string{"(request-target)", "host", "date", "digest", "content-type"}},
		"in another order":       {"rsa", httpsig.RSA_SHA256, []string{"digest", "date", "x-trace", "host", "(request-target)", "content-type"}},
		"with SHA-512":           {"rsa", httpsig.RSA_SHA512, []string{"(request-target)", "host", "date", "digest"}},
		"with Ed25519":           {"ed25519", httpsig.ED25519, []string{"(request-target)", "x-trace", "host", "date", "digest"}},
		"with (created) instead": {"ed25519", httpsig.ED25519, []string{"(request-target)", "(created)", "(expires)", "host", "digest"}},
	} {
		t.Run(name, func(t *testing.T) {
			signer, _, err := httpsig.NewSigner([]httpsig.Algorithm{tt.algorithm}, httpsig.DigestSha256, tt.covers, httpsig.Signature, 600)
			if err != nil {
				t.Fatal(err)
			}
			r := httptest.NewRequest(http.MethodPost, "https://annuaire.example/ap/inbox?page=2", strings.NewReader(body))
			r.Header = http.Header{"Content-Type": {"application/activity+json"}, "Date": {now.Format(http.TimeFormat)}, "Host": {"annuaire.example"}, "X-Trace": {" a, b", "c "}}
			if err := signer.SignRequest(testKeys()[tt.key], "https://ecrins.example/u/1#main-key", r, []byte(body)); err != nil {
				t.Fatal(err)
			}
			m := &Message{Method: http.MethodPost, Scheme: "https", Host: "annuaire.example", Target: "/ap/inbox?page=2", Header: r.Header, Body: []byte(body)}
			if named := `algorithm="hs2019"`; tt.algorithm == httpsig.RSA_SHA512 {
				m.Header.Set("Signature", strings.Replace(m.Header.Get("Signature"), named, `algorithm="rsa-sha512"`, 1))
			}
			key := testKeys()[tt.key].Public()
			if err := check(m, key, now); err != nil {
				t.Fatal(err)
			}
			for _, header := range []string{"X-Trace", "Content-Type", "Date"} {
				old := m.Header[header]
				m.Header[header] = []string{now.Add(time.Second).Format(http.TimeFormat)}
				if err := check(m, key, now); (err == nil) == slices.Contains(tt.covers, strings.ToLower(header)) {
					t.Errorf("another %s: %v", header, err)
				}
				delete(m.Header, header)
				if err := check(m, key, now); (err == nil) == slices.Contains(tt.covers, strings.ToLower(header)) {
					t.Errorf("no %s: %v", header, err)
				}
				m.Header[header] = old
			}
		})
	}
}
