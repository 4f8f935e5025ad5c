package federation

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"archipel/directory"
	"archipel/federation/fetch"
	"archipel/federation/signature"
	"archipel/federation/vocab"
)

// Room is a part of the instance that has an actor of its own, such as the mirror. It is given what came in before the
// rest of the instance looks at it.
type Room interface {
	// Receive does what an activity asks for whose sender was verified. doc is the activity as it came, a what was
	// understood of it. taken is false when it is none of the room's business. An error says that it shall come again.
	Receive(ctx context.Context, doc map[string]any, a *vocab.Activity) (taken bool, err error)
}

// guests are the rooms, by the name of their actor.
type guests map[string]Room

// Admit gives the instance another actor, ActorID(name), found as acct:name@HOST. Its document is the room's to serve; what
// is posted to its inbox takes the way of every activity. Call it before anything is served.
func (s *Service) Admit(name string, r Room) {
	if s.rooms == nil {
		s.rooms = guests{}
	}
	s.rooms[name] = r
	s.mux.HandleFunc("POST /ap/"+name+"/inbox", s.inbox)
}

// Handle serves a path of a room's. Call it before anything is served.
func (s *Service) Handle(pattern string, h http.HandlerFunc) { s.mux.HandleFunc(pattern, h) }

func (g guests) receive(ctx context.Context, doc map[string]any, a *vocab.Activity) (taken bool, err error) {
	for _, r := range g {
		if taken, err := r.Receive(ctx, doc, a); taken || err != nil {
			return true, err
		}
	}
	return false, nil
}

// finger answers WebFinger for the actor of a room, and reports whether it was asked for one.
func (g guests) finger(s *Service, w http.ResponseWriter, resource string) bool {
	for name := range g {
		id := s.ActorID(name)
		account, isAccount := strings.CutPrefix(resource, "acct:")
		user, host, _ := strings.Cut(strings.TrimPrefix(account, "@"), "@")
		if resource != id && !(isAccount && strings.EqualFold(user, name) && vocab.Host("https://"+host) == s.host) {
			continue
		}
		s.answer(w, http.StatusOK, typeJRD, map[string]any{
			"subject": "acct:" + name + "@" + s.host, "aliases": []any{id},
			"links": []any{map[string]any{"rel": "self", "type": typeActivity, "href": id}},
		})
		return true
	}
	return false
}

// ActorID is the address of the instance's actor of that name.
func (s *Service) ActorID(name string) string { return s.base + "/ap/" + name }

// Host is the instance's host, as domains are compared.
func (s *Service) Host() string { return s.host }

// speaker is the actor of a room, or the instance's own, with the keys it speaks with. Rooms have the instance's keys, under
// names of their own: whoever speaks for one speaks for all of them.
func (s *Service) speaker(name string) identity {
	return identity{id: s.ActorID(name), keys: s.relayKeys()}
}

// KeysOf are publicKey and assertionMethod of the document of a room's actor. Keys that were replaced not long ago are listed
// on, so that what they proved can be checked.
func (s *Service) KeysOf(name string) map[string]any {
	who := s.speaker(name)
	return map[string]any{
		"publicKey":       map[string]any{"id": who.mainKeyID(), "owner": who.id, "publicKeyPem": who.keys.rsaPEM},
		"assertionMethod": who.methods(s.Now()),
	}
}

// KeyGeneration says how often the instance's keys were renewed, as far as this process knows.
func (s *Service) KeyGeneration() int { return s.relayKeys().generation }

// RefreshKeys takes up keys that another process has renewed, before it is done anyhow.
func (s *Service) RefreshKeys(ctx context.Context) error { return s.refreshKeys(ctx) }

// Prove adds a room's proof to a document (FEP-8b32).
func (s *Service) Prove(name string, doc map[string]any) error {
	who := s.speaker(name)
	return signature.Prove(doc, who.assertionKeyID(), who.keys.ed, s.Now())
}

// knockingAs is knocking for the actor of a room.
func (s *Service) knockingAs(ctx context.Context, name, host string, fn func(fetch.Sign) error) error {
	return s.knock(ctx, s.speaker(name), host, func(err error) bool { return statusOf(err) == http.StatusUnauthorized }, fn)
}

// FetchAs gets a document with the signature of a room's actor. Compressed answers are taken: see [fetch.Client.GetPacked].
func (s *Service) FetchAs(ctx context.Context, name, address string, types []fetch.MediaType) (a *fetch.Answer, err error) {
	host := vocab.Host(address)
	if p := s.policy.get(); host == "" || p.Blocked(host) {
		return nil, fmt.Errorf("%.200q: blocked: %w", address, errStranger)
	}
	err = s.knockingAs(ctx, name, host, func(sign fetch.Sign) (err error) {
		a, err = s.client.GetPacked(ctx, address, types, s.unblocked(sign))
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("fetch %.200q: %w", address, err)
	}
	if !vocab.SameOrigin(a.URL.String(), address) {
		return nil, fmt.Errorf("%.200q leads to another server: %w", address, errStranger)
	}
	return a, nil
}

// PostAs brings an activity of a room's actor to an inbox, not more than two at a time to one host. What may pass is a
// *[directory.Later] that says when to try again.
func (s *Service) PostAs(ctx context.Context, name, inbox string, body []byte) error {
	host := vocab.Host(inbox)
	if p := s.policy.get(); host == "" || p.Blocked(host) {
		return fmt.Errorf("%s is blocked: %w", host, errStranger)
	}
	wait, err := s.hosts.wait(ctx, host)
	if err != nil {
		return err
	}
	if wait > 0 {
		return &directory.Later{After: wait, Err: fmt.Errorf("%s is away", host)}
	}
	slots := s.hosts.of(host).slots
	select {
	case slots <- struct{}{}:
		defer func() { <-slots }()
	case <-ctx.Done():
		return ctx.Err()
	}
	err = s.knockingAs(ctx, name, host, func(sign fetch.Sign) error {
		return s.client.Post(ctx, inbox, typeActivity, body, sign)
	})
	switch {
	case err == nil:
		return s.hosts.succeeded(ctx, host)
	case ctx.Err() != nil:
		return ctx.Err()
	case !temporary(err):
		return err
	}
	var status *fetch.StatusError
	later := &directory.Later{Err: err}
	if errors.As(err, &status) {
		later.After = status.RetryAfter
	}
	if later.After, _, err = s.hosts.failed(ctx, host, err, later.After); err != nil {
		return err
	}
	return later
}

// Answers notes that a host is there again: what waited for it need not wait longer.
func (s *Service) Answers(ctx context.Context, host string) error {
	return s.hosts.succeeded(ctx, host)
}

// RemoteActor is the document of an actor elsewhere, at most a day old, or older while its server is away.
func (s *Service) RemoteActor(ctx context.Context, id string) (map[string]any, error) {
	a, err := s.actors.get(ctx, id)
	if err != nil {
		return nil, err
	}
	return a.Doc, nil
}

// CheckProofOf checks the proof of a document against the keys of an actor, whoever brought it and however old it is.
func (s *Service) CheckProofOf(ctx context.Context, doc map[string]any, actor string) error {
	method := signature.ProofMethod(doc)
	if !vocab.SameOrigin(method, actor) {
		return signature.ErrMissing
	}
	var err error
	for _, again := range []bool{false, true} {
		key, e := s.actors.key(ctx, actor, method, again)
		if e != nil {
			return e
		}
		ed, ok := key.(ed25519.PublicKey)
		if !ok {
			return signature.ErrKey
		}
		if err = signature.CheckProof(doc, ed, s.Now()); err == nil || !errors.Is(err, signature.ErrWrong) {
			return err
		}
	}
	return err
}

// Authenticate returns the actor that signed a request without a body, or the answer for one that did not.
func (s *Service) Authenticate(r *http.Request) (actor string, code int, why string) {
	if !s.limits.client(clientOf(r)) {
		return "", http.StatusTooManyRequests, ""
	}
	sig, err := signature.Parse(s.message(r, nil), s.Now())
	if err != nil {
		return "", http.StatusUnauthorized, err.Error()
	}
	actor, _, _ = strings.Cut(sig.KeyID, "#")
	host := vocab.Host(actor)
	if p := s.policy.get(); host == "" || p.Blocked(host) {
		return "", http.StatusForbidden, ""
	}
	if s.limits.exhausted(host) {
		return "", http.StatusTooManyRequests, ""
	}
	ctx := withClient(r.Context(), r)
	known, err := s.actors.known(ctx, actor)
	if err == nil {
		err = s.checkSignature(ctx, sig, actor)
	}
	if err != nil {
		code, why := s.unverified(err)
		return "", code, why
	}
	if known == nil {
		s.limits.metActor(actor, s.Now())
	}
	if !s.limits.request(host) {
		return "", http.StatusTooManyRequests, ""
	}
	return actor, 0, ""
}

// Blocks reports whether nothing is exchanged with a host.
func (s *Service) Blocks(host string) bool {
	p := s.policy.get()
	return p.Blocked(host)
}

// MayPass reports whether an error may pass when something is tried again.
func MayPass(err error) bool { return temporary(err) }

// Answer writes a document for another server, Refuse a status and a word for whoever looks into it.
func (s *Service) Answer(w http.ResponseWriter, contentType string, doc any) {
	s.answer(w, http.StatusOK, contentType, doc)
}

// Refuse answers with a status that is no success.
func Refuse(w http.ResponseWriter, code int, why string) { refuse(w, code, why) }

// WantsPage tells people's browsers from servers.
func WantsPage(r *http.Request) bool { return wantsPage(r) }
