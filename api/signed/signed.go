// Package signed makes the tokens of links in mails that act without signing in: each proves by itself who may do what with
// it, and until when.
package signed

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"archipel/directory"
)

// Errors of [Keys.Open].
var (
	ErrForged  = errors.New("the link was not made here, or is not whole")
	ErrExpired = errors.New("the link has expired")
)

// The key is a record that never expires, so that backups hold it: links in mails outlive a move to another machine.
const (
	kind = "signing-key"
	name = "links"
)

// maxToken is the longest token that is looked at, in bytes.
const maxToken = 4 << 10

// Keys signs with a key that is kept in the store, which all nodes share. It may be used concurrently.
type Keys struct {
	store directory.Records
	mu    sync.Mutex
	key   []byte
}

// New makes Keys; the key itself is made when it is needed first.
func New(store directory.Records) *Keys { return &Keys{store: store} }

// secret reads the key, or makes it: of several who do, one succeeds and all use that one's.
func (k *Keys) secret(ctx context.Context) ([]byte, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for k.key == nil {
		r, err := k.store.Record(ctx, kind, name)
		if err != nil {
			return nil, err
		}
		if r.Rev > 0 {
			var key []byte
			if err := json.Unmarshal(r.Value, &key); err != nil || len(key) < 32 {
				return nil, fmt.Errorf("the key of signed links: %w", directory.ErrCorrupt)
			}
			k.key = key
			break
		}
		fresh := make([]byte, 32)
		rand.Read(fresh) // never fails
		value, err := json.Marshal(fresh)
		if err != nil {
			return nil, err
		}
		if err := k.store.PutRecord(ctx, kind, directory.Record{Key: name, Value: value}); err != nil && !errors.Is(err, directory.ErrStale) {
			return nil, err
		}
	}
	return k.key, nil
}

// Sign makes a token that says v, for one purpose, until a moment; the zero moment is never over. What a token says can be
// read by whoever holds it.
func (k *Keys) Sign(ctx context.Context, purpose string, v any, until time.Time) (string, error) {
	key, err := k.secret(ctx)
	if err != nil {
		return "", err
	}
	said, err := json.Marshal(v)
	if err != nil {
		return "", err
	}
	var end int64
	if !until.IsZero() {
		end = until.Unix()
	}
	payload := append(binary.BigEndian.AppendUint64(nil, uint64(end)), said...)
	return base64.RawURLEncoding.EncodeToString(payload) + "." + base64.RawURLEncoding.EncodeToString(mac(key, purpose, payload)), nil
}

// Open reads what a token says into v, if it was made for the purpose; else it returns [ErrForged] or [ErrExpired].
func (k *Keys) Open(ctx context.Context, purpose, token string, now time.Time, v any) error {
	first, second, ok := strings.Cut(token, ".")
	if !ok || len(token) > maxToken {
		return ErrForged
	}
	payload, err := base64.RawURLEncoding.Strict().DecodeString(first)
	if err != nil || len(payload) < 8 {
		return ErrForged
	}
	proof, err := base64.RawURLEncoding.Strict().DecodeString(second)
	if err != nil {
		return ErrForged
	}
	key, err := k.secret(ctx)
	if err != nil {
		return err
	}
	if !hmac.Equal(proof, mac(key, purpose, payload)) {
		return ErrForged
	}
	if end := int64(binary.BigEndian.Uint64(payload)); end != 0 && now.Unix() >= end {
		return ErrExpired
	}
	if err := json.Unmarshal(payload[8:], v); err != nil {
		return fmt.Errorf("%w: %w", ErrForged, err)
	}
	return nil
}

func mac(key []byte, purpose string, payload []byte) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(purpose))
	h.Write([]byte{0})
	h.Write(payload)
	return h.Sum(nil)[:20]
}
