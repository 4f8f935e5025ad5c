package signature

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"code.superseriousbusiness.org/httpsig"
)

// Limits of a Signature header: the draft has seven parameters, and servers sign five or six headers. What is signed is put
// together before anybody is known to have signed it.
const (
	maxParams  = 16
	maxCovered = 30
)

// cavageParams are the parameters of a Signature header, in pairs of name and value. They are read strictly: a name twice, or
// a quote or comma where it does not belong, could be understood in two ways.
type cavageParams [][2]string

// get returns a parameter, and whether it is there.
func (p cavageParams) get(name string) (string, bool) {
	for _, one := range p {
		if one[0] == name {
			return one[1], true
		}
	}
	return "", false
}

// add reads the parameters of a header into p, which has none.
func (p cavageParams) add(header string) (cavageParams, error) {
	for part := range strings.SplitSeq(header, ",") {
		name, value, ok := strings.Cut(part, "=")
		if inner, quoted := strings.CutPrefix(value, `"`); quoted {
			var closed bool
			if value, closed = strings.CutSuffix(inner, `"`); !closed {
				return nil, fmt.Errorf("%.60q: %w", part, ErrForm)
			}
		}
		if !ok || name == "" || strings.ContainsAny(name, " \t\"") || !isPlain(value) || strings.TrimSpace(value) != value {
			return nil, fmt.Errorf("%.60q: %w", part, ErrForm)
		}
		if _, twice := p.get(name); twice || len(p) == maxParams {
			return nil, fmt.Errorf("%.60q occurs twice, or is one of too many: %w", name, ErrForm)
		}
		p = append(p, [2]string{name, value})
	}
	return p, nil
}

// isPlain reports whether a value needs no escape between quotes.
func isPlain(value string) bool {
	for i := range len(value) {
		if c := value[i]; c == '"' || c == '\\' || c == '\r' || c == '\n' {
			return false
		}
	}
	return true
}

func parseCavage(m *Message, now time.Time) (*Signature, error) {
	all := m.Header.Values("Signature")
	if len(all) == 0 {
		return nil, ErrMissing
	}
	if len(all) > 1 {
		return nil, fmt.Errorf("header Signature: %w", ErrForm)
	}
	var room [8][2]string
	params, err := cavageParams(room[:0]).add(all[0])
	if err != nil {
		return nil, err
	}
	keyID, _ := params.get("keyId")
	encoded, _ := params.get("signature")
	if keyID == "" || encoded == "" {
		return nil, fmt.Errorf("no keyId or no signature: %w", ErrForm)
	}
	sig, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return nil, fmt.Errorf("signature: %w: %w", ErrForm, err)
	}
	names, _ := params.get("headers")
	covered := strings.SplitN(names, " ", maxCovered+1)
	if len(covered) > maxCovered {
		return nil, fmt.Errorf("more than %d headers are signed: %w", maxCovered, ErrForm)
	}
	for i, name := range covered {
		if slices.Contains(covered[:i], name) {
			return nil, fmt.Errorf("%.60q is signed twice: %w", name, ErrForm)
		}
	}
	need := []string{"(request-target)", "host", "digest"}
	if !hasBody(m) {
		need = need[:2]
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
		if err := checkDigest(m); err != nil {
			return nil, err
		}
	}
	text, err := cavageText(m, params, covered)
	if err != nil {
		return nil, err
	}
	named, _ := params.get("algorithm")
	return &Signature{KeyID: strings.Clone(keyID), verify: func(key crypto.PublicKey) error { return verifyCavage(key, named, text, sig) }}, nil
}

// cavageText is what was signed: section 2.3 of the draft.
func cavageText(m *Message, params cavageParams, covered []string) ([]byte, error) {
	text := make([]byte, 0, 288+len(m.Target))
	for i, name := range covered {
		if i > 0 {
			text = append(text, '\n')
		}
		name = strings.ToLower(name)
		text = append(append(text, name...), ": "...)
		switch name {
		case "(request-target)":
			text = append(text, strings.ToLower(m.Method)...)
			text = append(append(text, ' '), m.Target...)
		case "(created)", "(expires)":
			value, _ := params.get(name[1 : len(name)-1])
			n, err := strconv.ParseInt(value, 10, 64)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", name, ErrForm)
			}
			text = strconv.AppendInt(text, n, 10)
		case "host":
			text = append(text, m.Host...)
		default:
			values := m.Header.Values(name)
			if len(values) == 0 {
				return nil, fmt.Errorf("header %.60q is signed and not there: %w", name, ErrForm)
			}
			for i, v := range values {
				if i > 0 {
					text = append(text, ", "...)
				}
				text = append(text, strings.TrimSpace(v)...)
			}
		}
	}
	return text, nil
}

// verifyCavage checks a signature with a key. What kind of key it is decides on the algorithm, not what the request says:
// that counts only for which hash is used.
func verifyCavage(key crypto.PublicKey, named string, text, sig []byte) error {
	if err := checkKey(key); err != nil {
		return err
	}
	switch key := key.(type) {
	case *rsa.PublicKey:
		if strings.EqualFold(named, "rsa-sha512") {
			sum := sha512.Sum512(text)
			if rsa.VerifyPKCS1v15(key, crypto.SHA512, sum[:], sig) == nil {
				return nil
			}
			break
		}
		sum := sha256.Sum256(text)
		if rsa.VerifyPKCS1v15(key, crypto.SHA256, sum[:], sig) == nil {
			return nil
		}
	case ed25519.PublicKey:
		if ed25519.Verify(key, text, sig) {
			return nil
		}
	}
	return fmt.Errorf("algorithm %.40q: %w", named, ErrWrong)
}

// cavageTime wants a signed Date, or (created), near now, and no (expires) that has passed.
func cavageTime(m *Message, params cavageParams, covered []string, now time.Time) error {
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
		created, _ := params.get("created")
		n, err := strconv.ParseInt(created, 10, 64)
		if err != nil {
			return fmt.Errorf("created: %w", ErrForm)
		}
		if err := inWindow(time.Unix(n, 0), now); err != nil {
			return err
		}
		timed = true
	}
	if raw, ok := params.get("expires"); ok {
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
