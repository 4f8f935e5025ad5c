package federation

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"archipel/directory"
	"archipel/federation/vocab"
)

// PolicyKey is the setting that holds the [Policy].
const PolicyKey = "federation"

// Mode says who may follow.
type Mode string

// Modes.
const (
	ModeOpen       Mode = "open"       // everybody who is not blocked
	ModeAllowlist  Mode = "allowlist"  // nobody but the allowed domains
	ModeQuarantine Mode = "quarantine" // the operator says yes to each follower from a domain that is not allowed yet
)

// Severity says what becomes of a domain. The words are those of Mastodon's files.
type Severity string

// Severities.
const (
	Suspend Severity = "suspend" // nothing is taken from it, sent to it or asked of it
	Silence Severity = "silence" // its followers wait for the operator, its replies and reactions are left aside
	Noop    Severity = "noop"    // only what else the rule says
)

// Rule is what the operator says of a domain. It holds for its subdomains as well.
type Rule struct {
	Severity      Severity `json:"severity"`
	RejectMedia   bool     `json:"rejectMedia,omitempty"`
	RejectReports bool     `json:"rejectReports,omitempty"`
	Comment       string   `json:"comment,omitempty"`
	Private       string   `json:"private,omitempty"`   // a comment for this instance's team; it is not exported
	Obfuscate     bool     `json:"obfuscate,omitempty"` // kept for the export
}

// Policy is who may take part.
type Policy struct {
	Mode    Mode            `json:"mode"`
	Allowed []string        `json:"allowed,omitempty"` // domains
	Rules   map[string]Rule `json:"rules,omitempty"`   // by domain
}

// ParsePolicy reads a stored policy; nil is the default, open to all.
func ParsePolicy(b []byte) (Policy, error) {
	p := Policy{Mode: ModeOpen}
	if b == nil {
		return p, nil
	}
	if err := json.Unmarshal(b, &p); err != nil {
		return Policy{}, fmt.Errorf("setting %s: %w: %w", PolicyKey, directory.ErrCorrupt, err)
	}
	return p, nil
}

// Domain is the form in which domains are compared: lower case, in ASCII, with the port if there is one.
func Domain(text string) (string, error) {
	text = strings.TrimPrefix(strings.ToLower(strings.TrimSpace(text)), "*.")
	d := vocab.Host("https://" + text)
	if d == "" || strings.ContainsAny(text, "/?#@ ") || len(d) > 253 {
		return "", directory.Invalid{{Field: "domain", Code: directory.CodeInvalid, Params: map[string]any{"value": text}}}
	}
	return d, nil
}

// Rule returns what is said of a host, or of the nearest domain above it. A rule for a name holds on all its ports.
func (p *Policy) Rule(host string) Rule {
	r, _ := p.RuleOf(host)
	return r
}

// RuleOf is [Policy.Rule] with the domain that the rule is about, "" when there is none.
func (p *Policy) RuleOf(host string) (r Rule, domain string) {
	type named struct {
		Rule
		domain string
	}
	found, _ := nearest(host, func(d string) (named, bool) { r, ok := p.Rules[d]; return named{r, d}, ok })
	return found.Rule, found.domain
}

// Blocked reports whether nothing is exchanged with a host.
func (p *Policy) Blocked(host string) bool {
	return p.Rule(host).Severity == Suspend || p.Mode == ModeAllowlist && !p.allowed(host)
}

// Waits reports whether a follower from host waits for the operator.
func (p *Policy) Waits(host string) bool {
	return p.Rule(host).Severity == Silence || p.Mode == ModeQuarantine && !p.allowed(host)
}

func (p *Policy) allowed(host string) bool {
	_, ok := nearest(host, func(d string) (struct{}, bool) { return struct{}{}, slices.Contains(p.Allowed, d) })
	return ok
}

// nearest looks a host up, with and without its port, then the domains above it.
func nearest[T any](host string, find func(string) (T, bool)) (T, bool) {
	if v, ok := find(host); ok {
		return v, true
	}
	if i := strings.LastIndexByte(host, ':'); i > 0 && !strings.HasSuffix(host, "]") {
		host = host[:i]
	}
	for {
		if v, ok := find(host); ok {
			return v, true
		}
		_, above, ok := strings.Cut(host, ".")
		if !ok {
			var none T
			return none, false
		}
		host = above
	}
}

// ChangePolicy changes the stored policy; a running server notices within two seconds.
func ChangePolicy(ctx context.Context, store directory.Store, change func(*Policy) error) (Policy, error) {
	for {
		value, rev, err := store.Setting(ctx, PolicyKey)
		if err != nil {
			return Policy{}, err
		}
		p, err := ParsePolicy(value)
		if err != nil {
			return Policy{}, err
		}
		p.Rules = maps.Clone(p.Rules)
		if p.Rules == nil {
			p.Rules = map[string]Rule{}
		}
		if err := change(&p); err != nil {
			return Policy{}, err
		}
		b, err := encode(p)
		if err != nil {
			return Policy{}, err
		}
		err = store.PutSetting(ctx, PolicyKey, b, rev)
		if !isStale(err) {
			return p, err
		}
	}
}

// ChangePolicy is the function of that name, with effect before it returns: followers that the policy shuts out are gone.
func (s *Service) ChangePolicy(ctx context.Context, change func(*Policy) error) (Policy, error) {
	p, err := ChangePolicy(ctx, s.store, change)
	if err != nil {
		return p, err
	}
	if err := s.policy.refresh(ctx); err != nil {
		return p, err
	}
	s.shutOut(ctx)
	return p, nil
}

// shutOut drops the followers with whom nothing is exchanged.
func (s *Service) shutOut(ctx context.Context) {
	p := s.policy.get()
	s.Log.Info("federation: the policy changed", "mode", p.Mode, "rules", len(p.Rules))
	s.dropFollowers(ctx, func(f *follower) bool { return p.Blocked(f.Host) }, "blocked")
}

// Policy is who may take part, as this process knows it. It is not to be changed.
func (s *Service) Policy() Policy { return s.policy.get() }

// policyCache keeps the policy as the store has it.
type policyCache struct {
	store directory.Store
	log   *slog.Logger
	mu    sync.RWMutex
	p     Policy
	rev   int64
}

func (c *policyCache) get() Policy {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.p
}

func (c *policyCache) refresh(ctx context.Context) error {
	_, err := c.changed(ctx)
	return err
}

// changed reads the store, and reports whether the policy is another than before.
func (c *policyCache) changed(ctx context.Context) (bool, error) {
	value, rev, err := c.store.Setting(ctx, PolicyKey)
	if err != nil {
		return false, err
	}
	c.mu.RLock()
	same := rev == c.rev && c.p.Mode != ""
	c.mu.RUnlock()
	if same {
		return false, nil
	}
	p, err := ParsePolicy(value)
	if err != nil {
		return false, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.p, c.rev = p, rev
	return true, nil
}

// watchPolicy looks for a changed policy and drops the followers that it shuts out, until ctx ends. It also takes up what
// other processes did to followers.
func (s *Service) watchPolicy(ctx context.Context) {
	tick := time.NewTicker(2 * time.Second)
	defer tick.Stop()
	for n := 0; ; n++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		changed, err := s.policy.changed(ctx)
		if err != nil {
			if ctx.Err() == nil {
				s.Log.Warn("federation: the policy cannot be read", "err", err)
			}
			continue
		}
		if changed {
			s.shutOut(ctx)
		}
		if n%2 == 1 {
			if err := s.refreshKeys(ctx); err != nil && ctx.Err() == nil {
				s.Log.Warn("federation: keys cannot be read", "err", err)
			}
		}
		if changed || n%5 == 4 {
			if err := s.loadFollowers(ctx); err != nil && ctx.Err() == nil {
				s.Log.Warn("federation: followers cannot be read", "err", err)
			}
		}
	}
}
