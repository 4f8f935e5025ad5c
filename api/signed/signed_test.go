package signed_test

import (
	"encoding/base64"
	"errors"
	"strings"
	"testing"
	"time"

	"archipel/api/signed"
	"archipel/directory"
	"archipel/directory/sqlitestore"
)

func open(t *testing.T) directory.Store {
	t.Helper()
	store, err := sqlitestore.Open(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	return store
}

func TestTokens(t *testing.T) {
	store, ctx := open(t), t.Context()
	keys, now := signed.New(store), time.Date(2027, 3, 12, 9, 0, 0, 0, time.UTC)
	token, err := keys.Sign(ctx, "close", "entry 7", now.Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	payload, proof, _ := strings.Cut(token, ".")
	raw, _ := base64.RawURLEncoding.DecodeString(payload)
	raw[0] ^= 0x40 // another end
	later := base64.RawURLEncoding.EncodeToString(raw) + "." + proof
	elsewhere, err := signed.New(open(t)).Sign(ctx, "close", "entry 7", now.Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		purpose, token string
		now            time.Time
		want           error
	}{
		"as it was made":          {"close", token, now, nil},
		"just before its end":     {"close", token, now.Add(time.Hour - time.Second), nil},
		"at its end":              {"close", token, now.Add(time.Hour), signed.ErrExpired},
		"for another purpose":     {"confirm", token, now, signed.ErrForged},
		"with another end":        {"close", later, now, signed.ErrForged},
		"another site's":          {"close", elsewhere, now, signed.ErrForged},
		"empty":                   {"close", "", now, signed.ErrForged},
		"without a proof":         {"close", payload + ".", now, signed.ErrForged},
		"cut short":               {"close", token[:len(token)-3], now, signed.ErrForged},
		"with something behind":   {"close", token + "A", now, signed.ErrForged},
		"not base64":              {"close", "é.é", now, signed.ErrForged},
		"endless":                 {"close", strings.Repeat("A", 1<<20) + ".A", now, signed.ErrForged},
		"nothing but a separator": {"close", ".", now, signed.ErrForged},
	} {
		var said string
		if err := keys.Open(ctx, c.purpose, c.token, c.now, &said); !errors.Is(err, c.want) || c.want == nil && (err != nil || said != "entry 7") {
			t.Errorf("%s: got %q, %v, want %v", name, said, err, c.want)
		}
	}
}

// TestOneKey: nodes that begin at the same time on an empty store agree on one key.
func TestOneKey(t *testing.T) {
	store, ctx := open(t), t.Context()
	tokens := make(chan string)
	for range 8 {
		go func() {
			token, err := signed.New(store).Sign(ctx, "x", 1, time.Time{})
			if err != nil {
				t.Error(err)
			}
			tokens <- token
		}()
	}
	for range 8 {
		var one int
		if err := signed.New(store).Open(ctx, "x", <-tokens, time.Now(), &one); err != nil || one != 1 {
			t.Errorf("a node's token: %d, %v", one, err)
		}
	}
}
