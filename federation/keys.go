package federation

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"time"

	"archipel/directory"
	"archipel/federation/signature"
)

// keys are what the instance signs with: RSA for requests, Ed25519 for the proofs inside activities.
type keys struct {
	rsa    *rsa.PrivateKey
	ed     ed25519.PrivateKey
	rsaPEM string // public
}

// storedKeys is the record of the keys; it never leaves the store but for backups.
type storedKeys struct {
	RSA     string    `json:"rsa"`     // PKCS #8 in PEM
	Ed25519 string    `json:"ed25519"` // the seed, base64
	Created time.Time `json:"created"`
}

const (
	kindKey  = "ap-key"
	relayKey = "relay"
)

// openKeys reads the keys, or makes them. Of several processes that make them at once one wins, and all use its.
func openKeys(ctx context.Context, store directory.Store) (*keys, error) {
	for {
		var stored storedKeys
		rev, err := get(ctx, store, kindKey, relayKey, &stored)
		if err != nil {
			return nil, err
		}
		if rev > 0 {
			return parseKeys(stored)
		}
		if stored, err = makeKeys(); err != nil {
			return nil, err
		}
		if err := put(ctx, store, kindKey, relayKey, stored, 0, time.Time{}); err != nil && !errors.Is(err, directory.ErrStale) {
			return nil, err
		}
	}
}

func makeKeys() (storedKeys, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return storedKeys{}, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return storedKeys{}, err
	}
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return storedKeys{}, err
	}
	return storedKeys{
		RSA:     string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})),
		Ed25519: base64.StdEncoding.EncodeToString(ed.Seed()), Created: time.Now().UTC(),
	}, nil
}

func parseKeys(stored storedKeys) (*keys, error) {
	block, _ := pem.Decode([]byte(stored.RSA))
	if block == nil {
		return nil, fmt.Errorf("stored RSA key: %w", directory.ErrCorrupt)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	key, ok := parsed.(*rsa.PrivateKey)
	if err != nil || !ok {
		return nil, fmt.Errorf("stored RSA key: %w: %v", directory.ErrCorrupt, err)
	}
	seed, err := base64.StdEncoding.DecodeString(stored.Ed25519)
	if err != nil || len(seed) != ed25519.SeedSize {
		return nil, fmt.Errorf("stored Ed25519 key: %w", directory.ErrCorrupt)
	}
	public, err := signature.EncodePublicKey(&key.PublicKey)
	if err != nil {
		return nil, err
	}
	return &keys{rsa: key, ed: ed25519.NewKeyFromSeed(seed), rsaPEM: public}, nil
}

// get reads a record into v. A record that is not there leaves v alone and has revision 0.
func get(ctx context.Context, store directory.Store, kind, key string, v any) (rev int64, err error) {
	r, err := store.Record(ctx, kind, key)
	if err != nil || r.Rev == 0 {
		return 0, err
	}
	if err := json.Unmarshal(r.Value, v); err != nil {
		return 0, fmt.Errorf("record %s %s: %w: %w", kind, key, directory.ErrCorrupt, err)
	}
	return r.Rev, nil
}

// put writes a record over the revision rev.
func put(ctx context.Context, store directory.Store, kind, key string, v any, rev int64, expires time.Time) error {
	b, err := encode(v)
	if err != nil {
		return err
	}
	return store.PutRecord(ctx, kind, directory.Record{Key: key, Value: b, Rev: rev, Expires: expires})
}
