package signature

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rsa"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"code.superseriousbusiness.org/httpsig"
)

// cavageParams are the parameters of a Signature header. They are read strictly before the library reads them: a name
// twice, or a quote or comma where it does not belong, could be understood in two ways.
func cavageParams(header string) (map[string]string, error) {
	params := map[string]string{}
	for _, part := range strings.Split(header, ",") {
		name, value, ok := strings.Cut(part, "=")
		if inner, quoted := strings.CutPrefix(value, `"`); quoted {
			var closed bool
			if value, closed = strings.CutSuffix(inner, `"`); !closed {
				return nil, fmt.Errorf("%.60q: %w", part, ErrForm)
			}
		}
		if !ok || name == "" || strings.ContainsAny(name, " \t\"") || strings.ContainsAny(value, "\"\r\n\\") || strings.TrimSpace(value) != value {
			return nil, fmt.Errorf("%.60q: %w", part, ErrForm)
		}
		if _, twice := params[name]; twice {
			return nil, fmt.Errorf("%.60q occurs twice: %w", name, ErrForm)
		}
		params[name] = value
	}
	return params, nil
}

func parseCavage(m *Message, now time.Time) (*Signature, error) {
	all := m.Header.Values("Signature")
	if len(all) == 0 {
		return nil, ErrMissing
	}
	if len(all) > 1 || len(all[0]) > 8<<10 {
		return nil, fmt.Errorf("header Signature: %w", ErrForm)
	}
	params, err := cavageParams(all[0])
	if err != nil {
		return nil, err
	}
	if params["keyId"] == "" || params["signature"] == "" {
		return nil, fmt.Errorf("no keyId or no signature: %w", ErrForm)
	}
	covered := strings.Split(params["headers"], " ")
	need := []string{"(request-target)", "host"}
	if hasBody(m) {
		need = append(need, "digest")
	}
	for _, name := range need {
		if !slices.Contains(covered, name) {
			return nil, fmt.Errorf("%s is not signed: %w", name, ErrForm)
		}
	}
	if err := cavageTime(m, params, covered, now); err != nil {
		return nil, err
	}
	if hasBody(m) {
		if err := checkDigest(m.Header, m.Body); err != nil {
			return nil, err
		}
	}
	path, query, _ := strings.Cut(m.Target, "?")
	// The library is given what is covered, and nothing else: it would also look at Authorization.
	h := make(http.Header, len(covered)+2)
	for _, name := range covered {
		if name = http.CanonicalHeaderKey(name); m.Header[name] != nil && name != "Authorization" {
			h[name] = m.Header[name]
		}
	}
	h["Signature"], h["Host"] = all, []string{m.Host}
	r := &http.Request{Method: m.Method, Host: m.Host, URL: &url.URL{Path: path, RawQuery: query}, Header: h}
	v, err := httpsig.NewVerifier(r)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrForm, err)
	}
	named := strings.ToLower(params["algorithm"])
	return &Signature{KeyID: params["keyId"], verify: func(key crypto.PublicKey) error {
		var algorithm httpsig.Algorithm
		switch key.(type) {
		case *rsa.PublicKey:
			algorithm = httpsig.RSA_SHA256
			if named == "rsa-sha512" {
				algorithm = httpsig.RSA_SHA512
			}
		case ed25519.PublicKey:
			algorithm = httpsig.ED25519
		}
		if err := checkKey(key); err != nil {
			return err
		}
		if err := v.Verify(key, algorithm); err != nil {
			return fmt.Errorf("%w: %w", ErrWrong, err)
		}
		return nil
	}}, nil
}

// cavageTime wants a signed Date, or (created), near now, and no (expires) that has passed.
func cavageTime(m *Message, params map[string]string, covered []string, now time.Time) error {
	timed := false
	if slices.Contains(covered, "date") {
		dates := m.Header.Values("Date")
		if len(dates) != 1 {
			return fmt.Errorf("header Date: %w", ErrForm)
		}
		t, err := http.ParseTime(dates[0])
		if err != nil {
			return fmt.Errorf("header Date: %w: %w", ErrForm, err)
		}
		if err := inWindow(t, now); err != nil {
			return err
		}
		timed = true
	}
	if slices.Contains(covered, "(created)") {
		n, err := strconv.ParseInt(params["created"], 10, 64)
		if err != nil {
			return fmt.Errorf("created: %w", ErrForm)
		}
		if err := inWindow(time.Unix(n, 0), now); err != nil {
			return err
		}
		timed = true
	}
	if raw, ok := params["expires"]; ok {
		n, err := strconv.ParseInt(raw, 10, 64)
		if err != nil {
			return fmt.Errorf("expires: %w", ErrForm)
		}
		if time.Unix(n, 0).Before(now) {
			return fmt.Errorf("expired: %w", ErrDate)
		}
	}
	if !timed {
		return fmt.Errorf("neither date nor (created) is signed: %w", ErrForm)
	}
	return nil
}

// Cavage signs a request after draft-cavage-http-signatures-12, in the shape that Mastodon, GoToSocial, Mobilizon and
// Gancio take: (request-target), host, date, and with a body digest and content-type.
func (s Signer) Cavage(r *http.Request, body []byte, now time.Time) error {
	algorithm := httpsig.RSA_SHA256
	if _, ok := s.Key.(ed25519.PrivateKey); ok {
		algorithm = httpsig.ED25519
	}
	headers := []string{httpsig.RequestTarget, "host", "date"}
	if r.Method == http.MethodPost {
		headers = append(headers, "digest", "content-type")
	} else {
		body = nil // an empty one would be given a digest
	}
	signer, _, err := httpsig.NewSigner([]httpsig.Algorithm{algorithm}, httpsig.DigestSha256, headers, httpsig.Signature, 0)
	if err != nil {
		return err
	}
	r.Header.Set("Date", now.UTC().Format(http.TimeFormat))
	r.Header.Set("Host", r.URL.Host)
	defer r.Header.Del("Host") // net/http sends its own, the same
	// The library signs URL.Path: give it the path as it is sent, escaped.
	as := &http.Request{Method: r.Method, URL: &url.URL{Path: r.URL.EscapedPath(), RawQuery: r.URL.RawQuery}, Header: r.Header}
	return signer.SignRequest(s.Key, s.KeyID, as, body)
}
