package signature

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/dunglas/httpsfv"
)

// Algorithms of RFC 9421, section 6.2, that we know.
const (
	rsaV15     = "rsa-v1_5-sha256"
	rsaPSS     = "rsa-pss-sha512"
	ed25519Alg = "ed25519"
)

// maxSignatures is how many signatures of one message are looked at.
const maxSignatures = 4

// parseRFC9421 takes the first signature of the message that covers what it must.
func parseRFC9421(m *Message, now time.Time) (*Signature, error) {
	inputs, err := httpsfv.UnmarshalDictionary(m.Header.Values("Signature-Input"))
	if err != nil {
		return nil, fmt.Errorf("header Signature-Input: %w: %w", ErrForm, err)
	}
	values, err := httpsfv.UnmarshalDictionary(m.Header.Values("Signature"))
	if err != nil {
		return nil, fmt.Errorf("header Signature: %w: %w", ErrForm, err)
	}
	var failures []error
	for i, label := range inputs.Names() {
		if i == maxSignatures {
			break
		}
		s, err := oneRFC9421(m, inputs, values, label, now)
		if err == nil {
			return s, nil
		}
		failures = append(failures, fmt.Errorf("%s: %w", label, err))
	}
	if len(failures) == 0 {
		return nil, ErrMissing
	}
	return nil, errors.Join(failures...)
}

func oneRFC9421(m *Message, inputs, values *httpsfv.Dictionary, label string, now time.Time) (*Signature, error) {
	member, _ := inputs.Get(label)
	list, ok := member.(httpsfv.InnerList)
	if !ok {
		return nil, fmt.Errorf("not a list of components: %w", ErrForm)
	}
	sigMember, _ := values.Get(label)
	sigItem, _ := sigMember.(httpsfv.Item)
	sig, ok := sigItem.Value.([]byte)
	if !ok || len(sig) > 2<<10 {
		return nil, fmt.Errorf("no signature: %w", ErrForm)
	}
	keyID, err := stringParam(list, "keyid", true)
	if err != nil {
		return nil, err
	}
	algorithm, err := stringParam(list, "alg", false)
	if err != nil {
		return nil, err
	}
	if err := timeRFC9421(list, now); err != nil {
		return nil, err
	}
	covered := map[string]bool{}
	base, err := signatureBase(m, list, covered)
	if err != nil {
		return nil, err
	}
	_, query, _ := strings.Cut(m.Target, "?")
	target := covered["@target-uri"] ||
		covered["@authority"] && (covered["@request-target"] || covered["@path"] && (covered["@query"] || query == ""))
	if !covered["@method"] || !target {
		return nil, fmt.Errorf("the method or the target is not signed: %w", ErrForm)
	}
	if hasBody(m) {
		if !covered["content-digest"] {
			return nil, fmt.Errorf("content-digest is not signed: %w", ErrForm)
		}
		if err := checkContentDigest(m); err != nil {
			return nil, err
		}
	}
	return &Signature{KeyID: strings.Clone(keyID), verify: func(key crypto.PublicKey) error { return verifyBase(key, algorithm, base, sig) }}, nil
}

func verifyBase(key crypto.PublicKey, algorithm string, base, sig []byte) error {
	if err := checkKey(key); err != nil {
		return err
	}
	switch key := key.(type) {
	case *rsa.PublicKey:
		switch algorithm {
		case "", rsaV15:
			sum := sha256.Sum256(base)
			if rsa.VerifyPKCS1v15(key, crypto.SHA256, sum[:], sig) == nil {
				return nil
			}
		case rsaPSS:
			sum := sha512.Sum512(base)
			if rsa.VerifyPSS(key, crypto.SHA512, sum[:], sig, &rsa.PSSOptions{SaltLength: 64}) == nil {
				return nil
			}
		}
	case ed25519.PublicKey:
		if (algorithm == "" || algorithm == ed25519Alg) && ed25519.Verify(key, base, sig) {
			return nil
		}
	}
	return fmt.Errorf("algorithm %.40q: %w", algorithm, ErrWrong)
}

// timeRFC9421 wants a creation time near now, and no expiry that has passed.
func timeRFC9421(list httpsfv.InnerList, now time.Time) error {
	raw, _ := list.Params.Get("created")
	created, ok := raw.(int64)
	if !ok {
		return fmt.Errorf("no creation time: %w", ErrForm)
	}
	if err := inWindow(time.Unix(created, 0), now); err != nil {
		return err
	}
	if raw, ok := list.Params.Get("expires"); ok {
		expires, ok := raw.(int64)
		if !ok {
			return fmt.Errorf("expires: %w", ErrForm)
		}
		if time.Unix(expires, 0).Before(now) {
			return fmt.Errorf("expired: %w", ErrDate)
		}
	}
	return nil
}

func stringParam(list httpsfv.InnerList, name string, required bool) (string, error) {
	raw, there := list.Params.Get(name)
	text, ok := raw.(string)
	if there && !ok || required && text == "" {
		return "", fmt.Errorf("%s: %w", name, ErrForm)
	}
	return text, nil
}

// signatureBase builds what is signed (RFC 9421, section 2.5), and notes the components that it covers.
func signatureBase(m *Message, list httpsfv.InnerList, covered map[string]bool) ([]byte, error) {
	if len(list.Items) > 30 {
		return nil, fmt.Errorf("%d components: %w", len(list.Items), ErrForm)
	}
	var b strings.Builder
	for _, item := range list.Items {
		name, ok := item.Value.(string)
		if !ok || name != strings.ToLower(name) || len(item.Params.Names()) > 0 {
			// Parameters pick parts of a component; none of what must be signed has any.
			return nil, fmt.Errorf("component %.60q: %w", fmt.Sprint(item.Value), ErrForm)
		}
		if covered[name] {
			return nil, fmt.Errorf("component %.60q occurs twice: %w", name, ErrForm)
		}
		covered[name] = true
		value, err := component(m, name)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&b, "\"%s\": %s\n", name, value)
	}
	params, err := httpsfv.Marshal(list)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrForm, err)
	}
	b.WriteString("\"@signature-params\": " + params)
	return []byte(b.String()), nil
}

func component(m *Message, name string) (string, error) {
	path, query, _ := strings.Cut(m.Target, "?")
	switch name {
	case "@method":
		return m.Method, nil
	case "@target-uri":
		return m.Scheme + "://" + m.Host + m.Target, nil
	case "@authority":
		return m.Host, nil
	case "@scheme":
		return m.Scheme, nil
	case "@request-target":
		return m.Target, nil
	case "@path":
		return path, nil
	case "@query":
		return "?" + query, nil
	}
	if strings.HasPrefix(name, "@") || strings.ContainsAny(name, "\"\r\n: ") {
		return "", fmt.Errorf("component %.60q: %w", name, ErrForm)
	}
	if name == "host" {
		return m.Host, nil
	}
	values := m.Header.Values(name)
	if len(values) == 0 {
		return "", fmt.Errorf("component %.60q is not in the message: %w", name, ErrForm)
	}
	trimmed := make([]string, len(values))
	for i, v := range values {
		trimmed[i] = strings.TrimSpace(v)
	}
	return strings.Join(trimmed, ", "), nil
}

// RFC9421 signs a request after RFC 9421: method, target and, with a body, its Content-Digest (RFC 9530).
func (s Signer) RFC9421(r *http.Request, body []byte, now time.Time) error {
	components := []string{"@method", "@target-uri"}
	if r.Method == http.MethodPost {
		sum := sha256.Sum256(body)
		dict := httpsfv.NewDictionary()
		dict.Add("sha-256", httpsfv.NewItem(sum[:]))
		digest, err := httpsfv.Marshal(dict)
		if err != nil {
			return err
		}
		r.Header.Set("Content-Digest", digest)
		components = append(components, "content-digest")
	}
	list := httpsfv.InnerList{Params: httpsfv.NewParams()}
	for _, c := range components {
		list.Items = append(list.Items, httpsfv.NewItem(c))
	}
	algorithm := rsaV15
	if _, ok := s.Key.(ed25519.PrivateKey); ok {
		algorithm = ed25519Alg
	}
	list.Params.Add("created", now.Unix())
	list.Params.Add("keyid", s.KeyID)
	list.Params.Add("alg", algorithm)
	m := &Message{Method: r.Method, Scheme: r.URL.Scheme, Host: r.URL.Host, Target: r.URL.RequestURI(), Header: r.Header, Body: body}
	base, err := signatureBase(m, list, map[string]bool{})
	if err != nil {
		return err
	}
	var sig []byte
	if algorithm == ed25519Alg {
		sig, err = s.Key.Sign(rand.Reader, base, crypto.Hash(0))
	} else {
		sum := sha256.Sum256(base)
		sig, err = s.Key.Sign(rand.Reader, sum[:], crypto.SHA256)
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrKey, err)
	}
	for name, v := range map[string]httpsfv.Member{"Signature-Input": list, "Signature": httpsfv.NewItem(sig)} {
		dict := httpsfv.NewDictionary()
		dict.Add("sig1", v)
		text, err := httpsfv.Marshal(dict)
		if err != nil {
			return err
		}
		r.Header.Set(name, text)
	}
	return nil
}
