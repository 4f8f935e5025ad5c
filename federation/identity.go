package federation

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"

	"archipel/directory"
	"archipel/federation/fetch"
	"archipel/federation/signature"
	"archipel/federation/vocab"
)

// identity is one of our actors with the keys it speaks with: the instance's own, or an organisation's.
type identity struct {
	id    string       // its address, for ever
	entry directory.ID // the organisation; empty for the instance actor
	keys  *keys
}

func (i identity) mainKeyID() string      { return i.id + "#" + i.keys.name("main-key") }
func (i identity) assertionKeyID() string { return i.id + "#" + i.keys.name("ed25519-key") }
func (i identity) followersID() string    { return i.id + "/followers" }

// keyring keeps the keys of our actors in memory, by the key of their record.
type keyring struct {
	mu  sync.Mutex
	all map[string]*keys
}

// self is the instance actor.
func (s *Service) self() identity { return identity{id: s.relayID(), keys: s.relayKeys()} }

func (s *Service) relayKeys() *keys {
	s.ring.mu.Lock()
	defer s.ring.mu.Unlock()
	return s.ring.all[relayKey]
}

// identity returns the actor of an organisation, and makes its keys when it has none yet.
func (s *Service) identity(ctx context.Context, id directory.ID) (identity, error) {
	if id == "" {
		return s.self(), nil
	}
	name := actorKey(id)
	s.ring.mu.Lock()
	k := s.ring.all[name]
	s.ring.mu.Unlock()
	if k == nil {
		var err error
		if k, err = openKeys(ctx, s.store, name); err != nil {
			return identity{}, fmt.Errorf("keys of %s: %w", id, err)
		}
		s.ring.mu.Lock()
		s.ring.all[name] = k
		s.ring.mu.Unlock()
	}
	return identity{id: s.actorID(id), entry: id, keys: k}, nil
}

// refreshKeys takes up keys that another process has changed.
func (s *Service) refreshKeys(ctx context.Context) error {
	s.ring.mu.Lock()
	known := make(map[string]int, len(s.ring.all))
	for name, k := range s.ring.all {
		known[name] = k.generation
	}
	s.ring.mu.Unlock()
	return eachRecord(ctx, s.store, kindKey, func(r directory.Record) error {
		generation, ok := known[r.Key]
		if !ok {
			return nil
		}
		k, err := readKeys(r)
		if err != nil || k.generation == generation {
			return err
		}
		s.Log.Info("federation: an actor has new keys", "actor", r.Key, "generation", k.generation)
		s.ring.mu.Lock()
		s.ring.all[r.Key] = k
		s.ring.mu.Unlock()
		s.bodies.forget()
		return nil
	})
}

// actorID is the address of an organisation's actor. It stands in other servers' databases and may never change.
func (s *Service) actorID(id directory.ID) string { return s.base + "/ap/actors/" + string(id) }

// actorEntry is the organisation whose actor has that address.
func (s *Service) actorEntry(address string) (directory.ID, bool) {
	rest, ok := strings.CutPrefix(address, s.base+"/ap/actors/")
	id := directory.ID(rest)
	return id, ok && id.Valid()
}

// ourActor returns the actor at an address of ours that can be followed now: the instance's, or an organisation's.
func (s *Service) ourActor(ctx context.Context, address string) (who identity, ok bool, err error) {
	if address == s.relayID() {
		return s.self(), true, nil
	}
	id, ok := s.actorEntry(address)
	if !ok || !s.Published.active(id) {
		return identity{}, false, nil
	}
	who, err = s.identity(ctx, id)
	return who, err == nil, err
}

// signBy is a signature of one of our actors on requests, in one of the two forms.
func (s *Service) signBy(who identity, scheme string) fetch.Sign {
	signer := signature.Signer{KeyID: who.mainKeyID(), Key: who.keys.rsa}
	return func(r *http.Request, body []byte) error {
		if scheme == schemeRFC9421 {
			return signer.RFC9421(r, body, s.Now())
		}
		return signer.Cavage(r, body, s.Now())
	}
}

// knockingBy calls fn with a signature of one of our actors, in the form that the host took last, draft-cavage-12 first; and
// again with one of the other form when it does not know the actor by that.
func (s *Service) knockingBy(ctx context.Context, who identity, host string, fn func(fetch.Sign) error) error {
	return s.knock(ctx, who, host, stranger, fn)
}

// knock is knockingBy, where unknown says which answers are for somebody who is not known.
func (s *Service) knock(ctx context.Context, who identity, host string, unknown func(error) bool, fn func(fetch.Sign) error) error {
	scheme, other := s.hosts.schemes(ctx, host)
	err := fn(s.signBy(who, scheme))
	if !unknown(err) {
		return err
	}
	again := fn(s.signBy(who, other))
	if again == nil {
		s.hosts.took(ctx, host, other)
		return nil
	}
	return plainer(err, again, unknown)
}

// stranger reports whether a server said that it does not know who asks.
func stranger(err error) bool {
	return statusOf(err) == http.StatusUnauthorized || statusOf(err) == http.StatusForbidden
}

// statusOf is what a server answered, 0 when it did not.
func statusOf(err error) int {
	var status *fetch.StatusError
	if errors.As(err, &status) {
		return status.Code
	}
	return 0
}

// plainer is what came of two tries, of which the first was not known: that, unless the second answer is about something else
// than who asks. A server that cannot read a signature may also say 400, or break over it.
func plainer(first, second error, unknown func(error) bool) error {
	switch code := statusOf(second); {
	case unknown(second), code == 0, code == http.StatusBadRequest, code == http.StatusInternalServerError, code == http.StatusNotImplemented:
		return first
	}
	return second
}

// knocking is knockingBy for the instance actor.
func (s *Service) knocking(ctx context.Context, host string, fn func(fetch.Sign) error) error {
	return s.knockingBy(ctx, s.self(), host, fn)
}

// The parts of an actor's document that say who it is and where it is reached.
func (s *Service) identityTerms(who identity) map[string]any {
	doc := map[string]any{
		"@context": vocab.ActorTerms(), "id": who.id,
		"inbox": who.id + "/inbox", "outbox": who.id + "/outbox", "followers": who.followersID(),
		"endpoints":       map[string]any{"sharedInbox": s.sharedInbox()},
		"publicKey":       map[string]any{"id": who.mainKeyID(), "owner": who.id, "publicKeyPem": who.keys.rsaPEM},
		"assertionMethod": who.methods(s.Now()),
		// FEP-844e: what this server understands.
		"implements": []any{map[string]any{"name": "RFC-9421: HTTP Message Signatures", "href": "https://datatracker.ietf.org/doc/html/rfc9421"}},
	}
	for _, name := range emptyCollections {
		doc[name] = who.id + "/" + name
	}
	return doc
}
