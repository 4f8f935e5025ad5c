package account

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sort"
	"strings"
	"time"

	"archipel/directory"

	"github.com/gofiber/fiber/v2"
)

// tokenPrefix lets people and secret scanners recognise an API token.
const tokenPrefix = "archipel_"

// maxTokens is how many tokens an account may have.
const maxTokens = 20

// tokenRecord is what is kept of an API token; its key is the account's id and the hash of the token.
type tokenRecord struct {
	Name    string    `json:"name"`
	Scopes  []Scope   `json:"scopes"`
	Created time.Time `json:"created"`
	Seen    time.Time `json:"seen,omitzero"`
}

// Token is an API token as its owner sees it, without its secret.
type Token struct {
	ID            string // names it for revocation
	Name          string
	Scopes        []Scope
	Created, Seen time.Time
}

// ErrToken is an API token that is not valid.
var ErrToken = errors.New("this API token is not valid")

// NewToken makes an API token for an account, tells its owner by mail, and returns its secret, which cannot be had again.
func (s *Service) NewToken(ctx context.Context, a *Actor, name string, scopes []Scope) (string, error) {
	name = strings.TrimSpace(name)
	var problems directory.Invalid
	if err := checkText("token_name", name, 60); err != nil {
		problems = append(problems, *err)
	}
	if len(scopes) == 0 {
		problems = append(problems, directory.Problem{Field: "scopes", Code: directory.CodeRequired})
	}
	for _, scope := range scopes {
		if !slices.Contains(Scopes, scope) {
			problems = append(problems, directory.Problem{Field: "scopes", Code: directory.CodeUnknown, Params: map[string]any{"value": string(scope)}})
		}
	}
	if len(problems) > 0 {
		return "", problems
	}
	of, err := s.Get(ctx, a.ID)
	if err != nil {
		return "", err
	}
	have, err := s.Tokens(ctx, a.ID)
	if err != nil {
		return "", err
	}
	if len(have) >= maxTokens {
		return "", directory.Invalid{{Field: "token_name", Code: directory.CodeTooMany, Params: map[string]any{"max": maxTokens, "got": len(have) + 1}}}
	}
	token := secret()
	one := tokenRecord{Name: name, Scopes: slices.Compact(slices.Sorted(slices.Values(scopes))), Created: s.Now().UTC()}
	if err := save(ctx, s.Store, kindToken, a.ID+"/"+hashed(token), one, 0, time.Time{}); err != nil {
		return "", err
	}
	s.notify(ctx, of, "mail.token_added", map[string]string{"Key": name})
	return tokenPrefix + strings.ReplaceAll(a.ID, "-", "") + "_" + token, nil
}

// Tokens lists an account's API tokens, the newest first.
func (s *Service) Tokens(ctx context.Context, id string) ([]Token, error) {
	var out []Token
	err := s.eachRecord(ctx, kindToken, id, func(r directory.Record) error {
		var one tokenRecord
		if err := json.Unmarshal(r.Value, &one); err != nil {
			return fmt.Errorf("token: %w: %w", directory.ErrCorrupt, err)
		}
		out = append(out, Token{ID: strings.TrimPrefix(r.Key, id+"/")[:16], Name: one.Name, Scopes: one.Scopes, Created: one.Created, Seen: one.Seen})
		return nil
	})
	sortBy(out, func(a, b Token) bool { return a.Created.After(b.Created) })
	return out, err
}

// DeleteToken revokes an API token.
func (s *Service) DeleteToken(ctx context.Context, a *Actor, id string) error {
	return s.deleteByPrefix(ctx, kindToken, a.ID, id)
}

// useToken finds the actor of an API token.
func (s *Service) useToken(c *fiber.Ctx, token string) (*Actor, error) {
	ctx := c.UserContext()
	rest, ok := strings.CutPrefix(token, tokenPrefix)
	if !ok || len(rest) != 32+1+43 || rest[32] != '_' || strings.Trim(rest[:32], "0123456789abcdef") != "" {
		return nil, ErrToken
	}
	id := rest[:8] + "-" + rest[8:12] + "-" + rest[12:16] + "-" + rest[16:20] + "-" + rest[20:32]
	key := id + "/" + hashed(rest[33:])
	var one tokenRecord
	rev, err := load(ctx, s.Store, kindToken, key, &one)
	if err != nil {
		return nil, err
	}
	if rev == 0 {
		return nil, ErrToken
	}
	a, err := s.Get(ctx, id)
	if errors.Is(err, ErrNoAccount) || err == nil && a.Blocked {
		return nil, ErrToken
	}
	if err != nil {
		return nil, err
	}
	if now := s.Now().UTC(); now.Sub(one.Seen) > sessionTouch {
		one.Seen = now
		if err := save(ctx, s.Store, kindToken, key, one, rev, time.Time{}); err != nil && !errors.Is(err, directory.ErrStale) {
			return nil, err
		}
	}
	actor := a.Actor()
	actor.Token, actor.Scopes = true, one.Scopes
	return actor, nil
}

// checkText says what is wrong with a short text that must be there.
func checkText(field, text string, most int) *directory.Problem {
	switch n := len([]rune(text)); {
	case text == "":
		return &directory.Problem{Field: field, Code: directory.CodeRequired}
	case n > most:
		return &directory.Problem{Field: field, Code: directory.CodeTooLong, Params: map[string]any{"max": most, "got": n}}
	case strings.ContainsFunc(text, func(r rune) bool {
		return r < ' ' || r == 0x7f || r == 0xfffd || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069
	}):
		return &directory.Problem{Field: field, Code: directory.CodeControl}
	}
	return nil
}

func sortBy[T any](list []T, less func(a, b T) bool) {
	sort.SliceStable(list, func(i, j int) bool { return less(list[i], list[j]) })
}
