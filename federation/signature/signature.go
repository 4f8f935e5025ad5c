// Package signature signs requests and checks signed ones, in the two forms that the fediverse speaks:
// draft-cavage-http-signatures-12 and RFC 9421, with RSA (PKCS #1 v1.5 and SHA-256) and Ed25519 keys. It also makes and
// checks the proofs of FEP-8b32 that an activity carries inside (eddsa-jcs-2022).
package signature

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/dunglas/httpsfv"
)

// Errors that callers test with [errors.Is].
var (
	ErrMissing = errors.New("the request is not signed")
	ErrForm    = errors.New("the signature is not well-formed, or leaves out what must be signed")
	ErrDate    = errors.New("the signature is too old, or from the future")
	ErrDigest  = errors.New("the digest does not fit the body")
	ErrWrong   = errors.New("the signature does not fit the request and the key")
	ErrKey     = errors.New("this key cannot be used")
)

// Window is how far the time of a signature may be from ours, in both directions. Whoever remembers what was received
// for longer than twice that cannot be made to take it twice.
const Window = time.Hour

// maxHeader is how long a header about signatures or digests may be, in bytes. They are read before anybody is known to have
// signed anything, and some take a hundred times their length.
const maxHeader = 8 << 10

// Message is a request as its receiver must understand it. Scheme and Host are the receiver's own public ones, never
// what the request claims: a request signed for another server does not verify here.
type Message struct {
	Method string
	Scheme string
	Host   string // with the port, unless it is the scheme's own
	Target string // path and query, as they came: "/ap/inbox?x=1"
	Header http.Header
	Body   []byte

	sum    [sha256.Size]byte // of the body
	summed bool
}

// Sum is the SHA-256 of the body.
func (m *Message) Sum() []byte {
	if !m.summed {
		m.sum, m.summed = sha256.Sum256(m.Body), true
	}
	return m.sum[:]
}

// Signature is a signature that has passed every check but the one of the key.
type Signature struct {
	KeyID  string // a copy: nothing of the message is kept in it
	verify func(crypto.PublicKey) error
}

// Verify checks the signature with the key that KeyID names. The error wraps [ErrWrong] or [ErrKey].
func (s *Signature) Verify(key crypto.PublicKey) error { return s.verify(key) }

// Parse finds a message's signature and checks its form, what it covers, its time and the digest of the body: the
// method, the target and the host must be covered, its time too, and the digest of a body.
func Parse(m *Message, now time.Time) (*Signature, error) {
	for _, name := range []string{"Signature", "Signature-Input", "Digest", "Content-Digest"} {
		n := 0
		for _, v := range m.Header.Values(name) {
			n += len(v)
		}
		if n > maxHeader {
			return nil, fmt.Errorf("header %s of %d bytes: %w", name, n, ErrForm)
		}
	}
	if len(m.Header.Values("Signature-Input")) > 0 {
		return parseRFC9421(m, now)
	}
	return parseCavage(m, now)
}

// hasBody tells requests that must carry a digest. In the draft's text a method has no case.
func hasBody(m *Message) bool { return strings.EqualFold(m.Method, http.MethodPost) || len(m.Body) > 0 }

// inWindow checks a time against ours.
func inWindow(t, now time.Time) error {
	if d := now.Sub(t); d > Window || d < -Window {
		return fmt.Errorf("signed at %s, it is %s: %w", t.UTC().Format(time.RFC3339), now.UTC().Format(time.RFC3339), ErrDate)
	}
	return nil
}

// checkDigest checks a Digest header (RFC 3230) against the bytes as they came.
func checkDigest(m *Message) error {
	known := false
	var long []byte
	var buf [(sha512.Size + 2) / 3 * 4]byte
	for one := range strings.SplitSeq(strings.Join(m.Header.Values("Digest"), ","), ",") {
		algorithm, value, _ := strings.Cut(strings.TrimSpace(one), "=")
		var sum []byte
		switch strings.ToLower(algorithm) {
		case "sha-256":
			sum = m.Sum()
		case "sha-512":
			if long == nil { // once, however often it is said
				s := sha512.Sum512(m.Body)
				long = s[:]
			}
			sum = long
		default:
			continue
		}
		if want := base64.StdEncoding.AppendEncode(buf[:0], sum); value != string(want) {
			return fmt.Errorf("header Digest: %w", ErrDigest)
		}
		known = true
	}
	if !known {
		return fmt.Errorf("header Digest: no SHA-256 or SHA-512: %w", ErrDigest)
	}
	return nil
}

// checkContentDigest checks a Content-Digest header (RFC 9530) against the bytes as they came.
func checkContentDigest(m *Message) error {
	dict, err := httpsfv.UnmarshalDictionary(m.Header.Values("Content-Digest"))
	if err != nil {
		return fmt.Errorf("header Content-Digest: %w: %w", ErrDigest, err)
	}
	known := false
	for _, name := range dict.Names() {
		var sum []byte
		switch name {
		case "sha-256":
			sum = m.Sum()
		case "sha-512":
			s := sha512.Sum512(m.Body)
			sum = s[:]
		default:
			continue
		}
		member, _ := dict.Get(name)
		item, _ := member.(httpsfv.Item)
		got, _ := item.Value.([]byte)
		if subtle.ConstantTimeCompare(got, sum) != 1 {
			return fmt.Errorf("header Content-Digest: %w", ErrDigest)
		}
		known = true
	}
	if !known {
		return fmt.Errorf("header Content-Digest: no sha-256 or sha-512: %w", ErrDigest)
	}
	return nil
}

// ParsePublicKey reads a PEM public key: RSA of 2048 to 8192 bits (PKIX or PKCS #1), or Ed25519 (PKIX).
func ParsePublicKey(text string) (crypto.PublicKey, error) {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return nil, fmt.Errorf("no PEM block: %w", ErrKey)
	}
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		var errPKCS1 error
		if key, errPKCS1 = x509.ParsePKCS1PublicKey(block.Bytes); errPKCS1 != nil {
			return nil, fmt.Errorf("%w: %w", ErrKey, err)
		}
	}
	return key, checkKey(key)
}

func checkKey(key crypto.PublicKey) error {
	switch key := key.(type) {
	case *rsa.PublicKey:
		if bits := key.N.BitLen(); bits < 2048 || bits > 8192 {
			return fmt.Errorf("RSA of %d bits: %w", bits, ErrKey)
		}
		return nil
	case ed25519.PublicKey:
		if len(key) == ed25519.PublicKeySize {
			return nil
		}
	}
	return fmt.Errorf("%T: %w", key, ErrKey)
}

// EncodePublicKey writes a key as PKIX in PEM, the form of publicKeyPem.
func EncodePublicKey(key crypto.PublicKey) (string, error) {
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrKey, err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})), nil
}

// Signer signs requests in the name of a key that others can look up.
type Signer struct {
	KeyID string
	Key   crypto.Signer // *rsa.PrivateKey or ed25519.PrivateKey
}
