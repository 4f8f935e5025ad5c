package account

import (
	"context"
	"runtime"
	"strings"
	"time"
	"unicode/utf8"

	"archipel/directory"

	"github.com/alexedwards/argon2id"
)

// Bounds of a password, in characters. There are no other rules but that it is not made of the address or the name.
const (
	minPassword = 10
	maxPassword = 200
)

// cost is what one check takes: 19 MiB and some 100 ms of one core (OWASP's minimum for argon2id).
var cost = &argon2id.Params{Memory: 19 * 1024, Iterations: 2, Parallelism: 1, SaltLength: 16, KeyLength: 32}

// patience is how long a check waits for its turn.
const patience = 5 * time.Second

// hasher checks passwords, few at a time: a crowd at the door must not take the memory and the cores of everybody else.
type hasher struct {
	turns chan struct{}
	dummy string // the hash of nobody's password, so that unknown addresses take as long as known ones
}

func newHasher() *hasher {
	h := &hasher{turns: make(chan struct{}, max(2, runtime.GOMAXPROCS(0)))}
	// A random password, made with the same cost; creating it only fails without a source of randomness.
	h.dummy, _ = argon2id.CreateHash(secret(), cost)
	return h
}

func (h *hasher) enter(ctx context.Context) (leave func(), err error) {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case h.turns <- struct{}{}:
		return func() { <-h.turns }, nil
	case <-timer.C:
		return nil, ErrBusy
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (h *hasher) hash(ctx context.Context, password string) (string, error) {
	leave, err := h.enter(ctx)
	if err != nil {
		return "", err
	}
	defer leave()
	return argon2id.CreateHash(password, cost)
}

// matches compares a password with a hash; with no hash it takes as long and says no.
func (h *hasher) matches(ctx context.Context, password, hash string) (bool, error) {
	leave, err := h.enter(ctx)
	if err != nil {
		return false, err
	}
	defer leave()
	known := hash != ""
	if !known {
		hash = h.dummy
	}
	if len(password) > 4*maxPassword {
		password = ""
	}
	same, err := argon2id.ComparePasswordAndHash(password, hash)
	return same && known, err
}

// checkPassword says what is wrong with a new password; the error names the field.
func checkPassword(field, password, mail, name string) error {
	n := utf8.RuneCountInString(password)
	local, _, _ := strings.Cut(strings.ToLower(mail), "@")
	lower := strings.ToLower(password)
	switch {
	case password == "":
		return directory.Invalid{{Field: field, Code: directory.CodeRequired}}
	case !utf8.ValidString(password):
		return directory.Invalid{{Field: field, Code: directory.CodeControl}}
	case n < minPassword:
		return directory.Invalid{{Field: field, Code: "too_short", Params: map[string]any{"min": minPassword, "got": n}}}
	case n > maxPassword:
		return directory.Invalid{{Field: field, Code: directory.CodeTooLong, Params: map[string]any{"max": maxPassword, "got": n}}}
	case lower == strings.ToLower(mail), lower == strings.ToLower(name), len(local) > 3 && strings.ReplaceAll(lower, local, "") == "", easy(lower):
		return directory.Invalid{{Field: field, Code: "guessable"}}
	}
	return nil
}

// easy are passwords that everybody tries first: few different characters, rows of keys, repeated words.
func easy(lower string) bool {
	different := map[rune]bool{}
	for _, r := range lower {
		different[r] = true
	}
	if len(different) < 4 {
		return true
	}
	for _, row := range []string{"0123456789", "1234567890", "azertyuiop", "qwertyuiop", "qwertzuiop", "abcdefghij", "motdepasse", "password12", "archipel12"} {
		if strings.HasPrefix(lower, row) && len(lower) < len(row)+5 {
			return true
		}
	}
	for _, word := range []string{"motdepasse", "password", "azerty", "qwerty", "bonjour", "123456", "archipel"} {
		if rest := strings.ReplaceAll(lower, word, ""); len(rest) < len(lower) && strings.Trim(rest, "0123456789!.?*-_@#") == "" {
			return true
		}
	}
	return false
}
