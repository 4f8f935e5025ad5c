package signature

import (
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"maps"
	"math/big"
	"strings"
	"time"
)

// Prove adds a proof after FEP-8b32 (cryptosuite eddsa-jcs-2022) to a document: a signature that goes on holding when
// somebody else passes the document on. method is the id of the key in the actor's assertionMethod (FEP-521a).
func Prove(doc map[string]any, method string, key ed25519.PrivateKey, now time.Time) error {
	delete(doc, "proof")
	proof := map[string]any{
		"type": "DataIntegrityProof", "cryptosuite": "eddsa-jcs-2022", "verificationMethod": method,
		"proofPurpose": "assertionMethod", "created": now.UTC().Format(time.RFC3339),
	}
	if c, ok := doc["@context"]; ok {
		proof["@context"] = c
	}
	hash, err := proofHash(doc, proof)
	if err != nil {
		return err
	}
	proof["proofValue"] = "z" + encodeBase58(ed25519.Sign(key, hash))
	doc["proof"] = proof
	return nil
}

// ProofMethod returns the id of the key that a document's proof names, or "" when it has no proof that we can check.
func ProofMethod(doc map[string]any) string {
	proof, _ := doc["proof"].(map[string]any)
	if proof["type"] != "DataIntegrityProof" || proof["cryptosuite"] != "eddsa-jcs-2022" || proof["proofPurpose"] != "assertionMethod" {
		return ""
	}
	method, _ := proof["verificationMethod"].(string)
	return method
}

// CheckProof checks a document's proof with the key that [ProofMethod] names. The error wraps [ErrForm], [ErrDate] or
// [ErrWrong]. A proof does not grow old; one from the future is refused.
func CheckProof(doc map[string]any, key ed25519.PublicKey, now time.Time) error {
	if ProofMethod(doc) == "" {
		return fmt.Errorf("no proof of a known kind: %w", ErrForm)
	}
	if err := checkKey(key); err != nil {
		return err
	}
	options := maps.Clone(doc["proof"].(map[string]any))
	text, _ := options["proofValue"].(string)
	delete(options, "proofValue")
	encoded, ok := strings.CutPrefix(text, "z")
	sig, decoded := decodeBase58(encoded)
	if !ok || !decoded || len(sig) != ed25519.SignatureSize {
		return fmt.Errorf("proofValue: %w", ErrForm)
	}
	if raw, there := options["created"]; there {
		text, _ := raw.(string)
		created, err := time.Parse(time.RFC3339, text)
		if err != nil {
			return fmt.Errorf("created: %w", ErrForm)
		}
		if created.After(now.Add(Window)) {
			return fmt.Errorf("created: %w", ErrDate)
		}
	}
	bare := maps.Clone(doc)
	delete(bare, "proof")
	hash, err := proofHash(bare, options)
	if err != nil {
		return err
	}
	if !ed25519.Verify(key, hash, sig) {
		return ErrWrong
	}
	return nil
}

// proofHash is SHA-256 of the canonical proof options, followed by SHA-256 of the canonical document (RFC 8785).
func proofHash(doc, options map[string]any) ([]byte, error) {
	var hash []byte
	for _, part := range []map[string]any{options, doc} {
		b, err := canonical(part)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrForm, err)
		}
		sum := sha256.Sum256(b)
		hash = append(hash, sum[:]...)
	}
	return hash, nil
}

// ed25519Prefix marks an Ed25519 public key in the multicodec table.
const ed25519Prefix = "\xed\x01"

// EncodeMultikey writes a key as publicKeyMultibase of a Multikey (FEP-521a).
func EncodeMultikey(key ed25519.PublicKey) string {
	return "z" + encodeBase58(append([]byte(ed25519Prefix), key...))
}

// ParseMultikey reads what [EncodeMultikey] writes.
func ParseMultikey(text string) (ed25519.PublicKey, error) {
	encoded, ok := strings.CutPrefix(text, "z")
	b, decoded := decodeBase58(encoded)
	raw, prefixed := strings.CutPrefix(string(b), ed25519Prefix)
	if !ok || !decoded || !prefixed || len(raw) != ed25519.PublicKeySize {
		return nil, fmt.Errorf("multikey %.60q: %w", text, ErrKey)
	}
	return ed25519.PublicKey(raw), nil
}

const base58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"

func encodeBase58(b []byte) string {
	n, base, digit := new(big.Int).SetBytes(b), big.NewInt(58), new(big.Int)
	var out []byte
	for n.Sign() > 0 {
		n.DivMod(n, base, digit)
		out = append(out, base58[digit.Int64()])
	}
	for _, c := range b {
		if c != 0 {
			break
		}
		out = append(out, '1')
	}
	for i, j := 0, len(out)-1; i < j; i, j = i+1, j-1 {
		out[i], out[j] = out[j], out[i]
	}
	return string(out)
}

func decodeBase58(s string) ([]byte, bool) {
	if len(s) > 200 {
		return nil, false // longer than any key or signature
	}
	n, base := new(big.Int), big.NewInt(58)
	for _, c := range []byte(s) {
		i := strings.IndexByte(base58, c)
		if i < 0 {
			return nil, false
		}
		n.Add(n.Mul(n, base), big.NewInt(int64(i)))
	}
	zeros := len(s) - len(strings.TrimLeft(s, "1"))
	return append(make([]byte, zeros), n.Bytes()...), true
}
