package federation

import (
	"context"
	"crypto/ed25519"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"archipel/directory"
	"archipel/federation/fetch"
	"archipel/federation/signature"
	"archipel/federation/vocab"
)

// maxActivity leaves room for what is stored beside an activity.
const maxActivity = directory.MaxRecordValue - 32<<10

// message is a request as it must have been signed: with our own scheme and host, whatever it claims. The web server uses the
// memory of its texts again, so that nothing of it may be kept.
func (s *Service) message(r *http.Request, body []byte) *signature.Message {
	scheme, host, _ := strings.Cut(s.base, "://")
	return &signature.Message{Method: r.Method, Scheme: scheme, Host: host, Target: r.URL.RequestURI(), Header: r.Header, Body: body}
}

// readBody reads what was sent, and one byte more than is taken when there is more. What is promised is not taken at its word.
func readBody(r *http.Request) ([]byte, error) {
	if r.ContentLength > 0 && r.ContentLength <= 16<<10 {
		body := make([]byte, r.ContentLength)
		_, err := io.ReadFull(r.Body, body)
		return body, err
	}
	return io.ReadAll(io.LimitReader(r.Body, maxActivity+1))
}

// inbox takes an activity: cheap checks first, then the signature, then it is kept, and done later.
func (s *Service) inbox(w http.ResponseWriter, r *http.Request) {
	code, why := s.receive(r)
	if code/100 != 2 {
		s.Log.Debug("federation: refused", "status", code, "why", why)
		if code == http.StatusServiceUnavailable || code == http.StatusTooManyRequests {
			w.Header().Set("Retry-After", "60")
		}
		refuse(w, code, why)
		return
	}
	w.WriteHeader(code)
}

func (s *Service) receive(r *http.Request) (code int, why string) {
	ctx := withClient(r.Context(), r)
	if !fetch.IsActivity(r.Header.Get("Content-Type")) {
		return http.StatusUnsupportedMediaType, "send " + typeActivity
	}
	if enc := r.Header.Get("Content-Encoding"); enc != "" && !strings.EqualFold(enc, "identity") {
		return http.StatusUnsupportedMediaType, "send it uncompressed"
	}
	if !s.limits.client(clientOf(r)) {
		return http.StatusTooManyRequests, ""
	}
	body, err := readBody(r)
	if err != nil {
		return http.StatusBadRequest, "the body broke off"
	}
	if len(body) > maxActivity {
		return http.StatusRequestEntityTooLarge, ""
	}
	m := s.message(r, body)
	doc, err := fetch.Object(body)
	if err != nil {
		return http.StatusBadRequest, err.Error()
	}
	a, err := vocab.Peek(doc)
	if err != nil {
		return http.StatusBadRequest, err.Error()
	}
	host := vocab.Host(a.Actor)
	if !vocab.SameOrigin(a.ID, a.Actor) || host == s.host {
		return http.StatusBadRequest, "id: is not an address of the actor's server"
	}
	if p := s.policy.get(); p.Blocked(host) {
		return http.StatusForbidden, ""
	}
	seen := seenOf(a, doc, m)
	if s.came.has(seen) {
		return http.StatusAccepted, "" // before the signature: whoever repeats something gains nothing
	}
	sig, err := signature.Parse(m, s.Now())
	if err != nil {
		return http.StatusUnauthorized, err.Error()
	}
	forwarded := !vocab.SameOrigin(sig.KeyID, a.Actor)
	if p := s.policy.get(); forwarded && p.Blocked(vocab.Host(sig.KeyID)) {
		return http.StatusForbidden, ""
	}
	if s.limits.exhausted(host) {
		return http.StatusTooManyRequests, ""
	}
	known, err := s.actors.known(ctx, a.Actor)
	if err != nil {
		return s.unavailable(err)
	} else if known == nil && endsItself(a) {
		if left, err := s.left(ctx, a.Actor); err != nil {
			return s.unavailable(err)
		} else if !left {
			return http.StatusAccepted, "" // somebody we never knew is gone: nothing to do, and nobody to ask
		}
	}
	if forwarded {
		err = s.checkProof(ctx, doc, a.Actor)
	} else {
		err = s.checkSignature(ctx, sig, a.Actor)
	}
	switch {
	case err == nil, gone(err) && endsItself(a):
	case forwarded:
		return http.StatusUnauthorized, "the key is of another server than the actor: " + err.Error()
	default:
		return s.unverified(err)
	}
	if err == nil { // else nobody has proved to be of that host
		if known == nil {
			s.limits.metActor(a.Actor, s.Now())
		}
		if !s.limits.request(host) {
			return http.StatusTooManyRequests, ""
		}
	}
	return s.keep(ctx, a, seen, body)
}

// keep puts an activity on the list of what is to be done. What came to two nodes, or twice at once, is told apart then.
func (s *Service) keep(ctx context.Context, a *vocab.Activity, seen seenID, body []byte) (code int, why string) {
	if err := s.intake.add(ctx, s.store, s.Now, received{ID: a.ID, Actor: a.Actor, At: s.Now().UTC(), Seen: seen, Body: body}); err != nil {
		return s.unavailable(err)
	}
	s.came.add(seen)
	s.wake()
	return http.StatusAccepted, ""
}

// wake has done what came in.
func (s *Service) wake() {
	select {
	case s.work <- struct{}{}:
	default: // it is awake already
	}
}

func (s *Service) unavailable(err error) (int, string) {
	s.Log.Error("federation: the store failed while something came in", "err", err)
	return http.StatusServiceUnavailable, ""
}

// checkSignature returns why a signature of an actor does not hold, or nil.
func (s *Service) checkSignature(ctx context.Context, sig *signature.Signature, actor string) (err error) {
	for _, again := range []bool{false, true} {
		key, e := s.actors.key(ctx, actor, sig.KeyID, again)
		if e != nil {
			return e
		}
		if err = sig.Verify(key); err == nil {
			return nil
		}
	}
	return err
}

// unverified is the answer for what checkSignature returned.
func (s *Service) unverified(err error) (int, string) {
	switch {
	case errors.Is(err, directory.ErrUnavailable):
		return s.unavailable(err)
	case errors.Is(err, errCrowd):
		return http.StatusTooManyRequests, err.Error()
	case errors.Is(err, signature.ErrWrong), errors.Is(err, signature.ErrKey), errors.Is(err, signature.ErrForm):
		return http.StatusUnauthorized, err.Error()
	case temporary(err):
		return http.StatusServiceUnavailable, "your server does not answer: " + err.Error()
	}
	return http.StatusUnauthorized, err.Error()
}

// proofFresh is how old the proof of an activity may be that another server passes on: much less than what was seen is
// remembered.
const proofFresh = 24 * time.Hour

// checkProof checks what another server passes on: the proof of its own actor inside holds, whoever brings it (FEP-8b32).
func (s *Service) checkProof(ctx context.Context, doc map[string]any, actor string) error {
	method := signature.ProofMethod(doc)
	if !vocab.SameOrigin(method, actor) {
		return signature.ErrMissing
	}
	proof, _ := doc["proof"].(map[string]any)
	created, err := time.Parse(time.RFC3339, vocab.Text(proof, "created"))
	if err != nil || s.Now().Sub(created) > proofFresh {
		return signature.ErrDate
	}
	key, err := s.actors.key(ctx, actor, method, false)
	if err != nil {
		return err
	}
	ed, ok := key.(ed25519.PublicKey)
	if !ok {
		return signature.ErrKey
	}
	return signature.CheckProof(doc, ed, s.Now())
}
