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
	"strconv"
	"time"

	"archipel/directory"
	"archipel/federation/signature"
)

// keys are what the instance signs with: RSA for requests, Ed25519 for the proofs inside activities.
type keys struct {
	rsa    *rsa.PrivateKey
	ed     ed25519.PrivateKey
	rsaPEM string // public

	generation int
	since      directory.Seq // in force for what is told of changes after this one
	created    time.Time
	previous   *keys // those before, nil when there were none
}

// name is the fragment by which a key is named: each generation has its own, so that nobody takes one for another.
func (k *keys) name(base string) string {
	if k.generation == 0 {
		return base
	}
	return base + "-" + strconv.Itoa(k.generation+1)
}

// at returns the keys that were in force for what is told of the change seq.
func (k *keys) at(seq directory.Seq) *keys {
	for k.previous != nil && seq <= k.since {
		k = k.previous
	}
	return k
}

// upTo returns the newest keys of that generation or one before.
func (k *keys) upTo(generation int) *keys {
	for k.previous != nil && k.generation > generation {
		k = k.previous
	}
	return k
}

// storedKeys is the record of the keys; it never leaves the store but for backups.
type storedKeys struct {
	RSA        string        `json:"rsa"`     // PKCS #8 in PEM
	Ed25519    string        `json:"ed25519"` // the seed, base64
	Created    time.Time     `json:"created"`
	Generation int           `json:"generation,omitzero"`
	Since      directory.Seq `json:"since,omitzero"`
	Previous   *storedKeys   `json:"previous,omitempty"`
}

const (
	kindKey  = "ap-key"
	relayKey = "relay"
)

// actorKey is the key of the record of an organisation's keys.
func actorKey(id directory.ID) string { return "actor/" + string(id) }

// openKeys reads keys, or makes them. Of several processes that make them at once one wins, and all use its.
func openKeys(ctx context.Context, store directory.Store, name string) (*keys, error) {
	for {
		var stored storedKeys
		rev, err := get(ctx, store, kindKey, name, &stored)
		if err != nil {
			return nil, err
		}
		if rev > 0 {
			return parseKeys(stored)
		}
		if stored, err = makeKeys(); err != nil {
			return nil, err
		}
		if err := put(ctx, store, kindKey, name, stored, 0, time.Time{}); err != nil && !errors.Is(err, directory.ErrStale) {
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
	k := &keys{
		rsa: key, ed: ed25519.NewKeyFromSeed(seed), rsaPEM: public,
		generation: stored.Generation, since: stored.Since, created: stored.Created,
	}
	if stored.Previous != nil {
		if k.previous, err = parseKeys(*stored.Previous); err != nil {
			return nil, err
		}
	}
	return k, nil
}

func readKeys(r directory.Record) (*keys, error) {
	var stored storedKeys
	if err := json.Unmarshal(r.Value, &stored); err != nil {
		return nil, fmt.Errorf("record %s %s: %w: %w", kindKey, r.Key, directory.ErrCorrupt, err)
	}
	return parseKeys(stored)
}

const (
	// keysKept is how many generations of keys are kept: a server that was away for months is told of each in its turn.
	keysKept = 5
	// oldKeyListed is how long a key that was replaced goes on being listed, so that what it proved can be checked.
	oldKeyListed = 30 * 24 * time.Hour
)

// RotateKeys gives one of our actors new keys: the instance actor (""), or that of an organisation. Whoever follows it is
// told with the old ones, and from then on the new ones are used. A running server notices within seconds.
func RotateKeys(ctx context.Context, store directory.Store, id directory.ID) error {
	name := relayKey
	if id != "" {
		name = actorKey(id)
	}
	for {
		if _, err := openKeys(ctx, store, name); err != nil {
			return err
		}
		var before storedKeys
		rev, err := get(ctx, store, kindKey, name, &before)
		if err != nil {
			return err
		}
		next, err := makeKeys()
		if err != nil {
			return err
		}
		if next.Since, err = store.Head(ctx); err != nil {
			return err
		}
		next.Generation, next.Previous = before.Generation+1, &before
		for k, n := &next, 1; k != nil; k, n = k.Previous, n+1 {
			if n == keysKept {
				k.Previous = nil
			}
		}
		if err := put(ctx, store, kindKey, name, next, rev, time.Time{}); !isStale(err) {
			return err
		}
	}
}

// methods lists the keys that proofs are checked with (FEP-521a): the one in use, and those replaced not long ago.
func (i identity) methods(now time.Time) []any {
	var list []any
	for k := i.keys; k != nil; k = k.previous {
		list = append(list, map[string]any{
			"id": i.id + "#" + k.name("ed25519-key"), "type": "Multikey", "controller": i.id, "publicKeyMultibase": signature.EncodeMultikey(edPublic(k.ed)),
		})
		if now.Sub(k.created) > oldKeyListed {
			break // those before it were replaced then
		}
	}
	return list
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
