package account_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
)

var base64url = base64.RawURLEncoding

// device is an authenticator: it holds one passkey and can be made to lie.
type device struct {
	key    *ecdsa.PrivateKey
	id     []byte
	handle []byte // the user that the site named
	count  uint32
	flags  byte // user present 1, verified 4, may be synced 8, is synced 16
	origin string
	rpID   string
}

func newDevice(origin string) *device {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	id := make([]byte, 32)
	rand.Read(id)
	return &device{key: key, id: id, flags: 1 | 4, origin: origin, rpID: "localhost", count: 1}
}

func cborHead(major byte, n int) []byte {
	switch {
	case n < 24:
		return []byte{major<<5 | byte(n)}
	case n < 256:
		return []byte{major<<5 | 24, byte(n)}
	}
	return binary.BigEndian.AppendUint16([]byte{major<<5 | 25}, uint16(n))
}

func cborBytes(b []byte) []byte { return append(cborHead(2, len(b)), b...) }
func cborText(s string) []byte  { return append(cborHead(3, len(s)), s...) }

// authData is the authenticator data (Web Authentication 6.1), with the new key when there is one.
func (d *device) authData(attested bool) []byte {
	hash := sha256.Sum256([]byte(d.rpID))
	flags := d.flags
	if attested {
		flags |= 0x40
	}
	out := append(hash[:], flags)
	out = binary.BigEndian.AppendUint32(out, d.count)
	if !attested {
		return out
	}
	out = append(out, make([]byte, 16)...) // no model
	out = binary.BigEndian.AppendUint16(out, uint16(len(d.id)))
	out = append(out, d.id...)
	public, err := d.key.PublicKey.Bytes()
	if err != nil {
		panic(err)
	}
	// COSE: kty EC2, alg ES256, crv P-256, x, y.
	out = append(out, 0xa5, 0x01, 0x02, 0x03, 0x26, 0x20, 0x01, 0x21)
	out = append(append(out, cborBytes(public[1:33])...), 0x22)
	return append(out, cborBytes(public[33:])...)
}

func (d *device) client(kind, challenge string) []byte {
	b, err := json.Marshal(map[string]any{"type": kind, "challenge": challenge, "origin": d.origin, "crossOrigin": false})
	if err != nil {
		panic(err)
	}
	return b
}

// create answers a question for a new passkey.
func (d *device) create(challenge string) string {
	object := append([]byte{0xa3}, append(cborText("fmt"), cborText("none")...)...)
	object = append(append(append(object, cborText("attStmt")...), 0xa0), append(cborText("authData"), cborBytes(d.authData(true))...)...)
	return answerOf(d.id, map[string]any{"clientDataJSON": base64url.EncodeToString(d.client("webauthn.create", challenge)), "attestationObject": base64url.EncodeToString(object), "transports": []string{"internal"}})
}

// get answers a question by signing it.
func (d *device) get(challenge string) string {
	client, data := d.client("webauthn.get", challenge), d.authData(false)
	hash := sha256.Sum256(client)
	sum := sha256.Sum256(append(bytes.Clone(data), hash[:]...))
	signature, err := ecdsa.SignASN1(rand.Reader, d.key, sum[:])
	if err != nil {
		panic(err)
	}
	return answerOf(d.id, map[string]any{"clientDataJSON": base64url.EncodeToString(client), "authenticatorData": base64url.EncodeToString(data),
		"signature": base64url.EncodeToString(signature), "userHandle": base64url.EncodeToString(d.handle)})
}

func answerOf(id []byte, response map[string]any) string {
	b, err := json.Marshal(map[string]any{"id": base64url.EncodeToString(id), "rawId": base64url.EncodeToString(id), "type": "public-key", "clientExtensionResults": map[string]any{}, "response": response})
	if err != nil {
		panic(err)
	}
	return string(b)
}
