package federation

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"archipel/directory"
	"archipel/federation/fetch"
	"archipel/federation/signature"
	"archipel/federation/vocab"
)

const (
	kindActor   = "ap-actor"
	actorFresh  = 24 * time.Hour      // then it is asked again when something needs it
	actorKept   = 30 * 24 * time.Hour // then it is forgotten
	actorRetry  = 5 * time.Minute     // an actor whose signature does not fit is asked again, but no oftener
	keyRetry    = 5 * time.Second     // so is one that names a key which it did not list: it may have a new one
	awayFor     = 10 * time.Second    // so is one whose server did not answer: many things may wait for it
	maxInMemory = 5000

	// What strangers say of themselves costs us no more than that, however they say it.
	maxActorSent   = 256 << 10 // bytes of an actor's document, as it comes
	maxActorKept   = 16 << 10  // bytes of what is kept of it
	maxActorsBytes = 32 << 20  // of all that are in memory
	maxActorKeys   = 20
	maxActorNames  = 50 // addresses of one actor that it had elsewhere
)

// errStranger is a remote actor who cannot be known: not there, or not what it should be.
var errStranger = errors.New("this actor cannot be verified")

// errCrowd is the error of one more new actor of a domain that has sent too many in this hour. The next hour it is welcome.
var errCrowd = errors.New("too many new actors of this domain, try again later")

// remoteActor is somebody elsewhere.
type remoteActor struct {
	ID      string         `json:"id"`
	Fetched time.Time      `json:"fetched"`
	Doc     map[string]any `json:"doc"` // what is read of it: see [leanActor]

	keys map[string]crypto.PublicKey // by id
	size int                         // of Doc, in bytes
}

// readActor takes what matters of an actor's document. Keys that say they are somebody else's are left out.
func readActor(doc map[string]any, fetched time.Time) (*remoteActor, error) {
	doc, size := leanActor(doc)
	a := &remoteActor{ID: vocab.Text(doc, "id"), Fetched: fetched, Doc: doc, keys: map[string]crypto.PublicKey{}, size: size}
	if a.ID == "" || vocab.Host(a.inbox()) != vocab.Host(a.ID) {
		return nil, fmt.Errorf("%.200q has no inbox of its own: %w", a.ID, errStranger)
	}
	if size > maxActorKept {
		return nil, fmt.Errorf("%.200q says %d bytes of itself: %w", a.ID, size, fetch.ErrTooLarge)
	}
	for _, ref := range vocab.Refs(doc, "publicKey") {
		if vocab.Text(ref.Doc, "owner") != a.ID {
			continue
		}
		if key, err := signature.ParsePublicKey(vocab.Text(ref.Doc, "publicKeyPem")); err == nil {
			a.keys[ref.ID] = key
		}
	}
	for _, ref := range vocab.Refs(doc, "assertionMethod") { // FEP-521a
		if vocab.Text(ref.Doc, "controller") != a.ID {
			continue
		}
		if key, err := signature.ParseMultikey(vocab.Text(ref.Doc, "publicKeyMultibase")); err == nil {
			a.keys[ref.ID] = key
		}
	}
	return a, nil
}

func (a *remoteActor) inbox() string { return vocab.Text(a.Doc, "inbox") }

// sharedInbox is the actor's shared inbox, unless it is on another host: nobody else's inbox is filled on its word.
func (a *remoteActor) sharedInbox() string {
	for _, e := range vocab.Endpoints(a.Doc) {
		if shared := vocab.Text(e, "sharedInbox"); vocab.Host(shared) == vocab.Host(a.ID) {
			return shared
		}
	}
	return ""
}

// actorCache knows remote actors: in memory, in the store, and where they live.
type actorCache struct {
	s    *Service
	mu   sync.Mutex
	m    map[string]*remoteActor
	size int // of the documents in m, in bytes

	away   map[string]absence // by id
	owners map[string]string  // by the ids of keys that have documents of their own
}

// absence is why an actor could not be fetched, and when.
type absence struct {
	at  time.Time
	err error
}

// absent is the error of an actor whose server did not answer a moment ago, or nil.
func (c *actorCache) absent(id string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	a, ok := c.away[id]
	if ahead := c.s.Now().Sub(a.at); !ok || ahead < 0 || ahead > awayFor {
		return nil
	}
	return a.err
}

func (c *actorCache) noteAbsence(id string, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.away) >= maxInMemory {
		clear(c.away)
	}
	c.away[id] = absence{c.s.Now(), err}
}

func newActorCache(s *Service) *actorCache {
	return &actorCache{s: s, m: map[string]*remoteActor{}, away: map[string]absence{}, owners: map[string]string{}}
}

// known returns an actor that was fetched before, or nil.
func (c *actorCache) known(ctx context.Context, id string) (*remoteActor, error) {
	c.mu.Lock()
	a := c.m[id]
	c.mu.Unlock()
	if a != nil {
		return a, nil
	}
	var stored remoteActor
	rev, err := get(ctx, c.s.store, kindActor, hashKey(id), &stored)
	if err != nil || rev == 0 {
		return nil, err
	}
	if a, err = readActor(stored.Doc, stored.Fetched); err != nil {
		return nil, nil // kept by an older version with other demands
	}
	c.remember(a)
	return a, nil
}

func (c *actorCache) remember(a *remoteActor) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.drop(a.ID)
	if len(c.m) >= maxInMemory || c.size+a.size > maxActorsBytes {
		clear(c.m)
		c.size = 0
	}
	c.m[a.ID] = a
	c.size += a.size
}

// drop takes an actor out of memory. The caller holds c.mu.
func (c *actorCache) drop(id string) {
	if a := c.m[id]; a != nil {
		c.size -= a.size
		delete(c.m, id)
	}
}

// forget drops an actor who is gone.
func (c *actorCache) forget(ctx context.Context, id string) error {
	c.mu.Lock()
	c.drop(id)
	c.mu.Unlock()
	return c.s.store.DeleteRecord(ctx, kindActor, hashKey(id), 0)
}

// get returns an actor, from where it lives when it is not known or no longer fresh.
func (c *actorCache) get(ctx context.Context, id string) (*remoteActor, error) {
	a, err := c.known(ctx, id)
	if err != nil {
		return nil, err
	}
	if a != nil && (c.s.Now().Sub(a.Fetched) < actorFresh || c.s.hosts.resting(vocab.Host(id))) {
		return a, nil
	}
	fresh, err := c.fetch(ctx, id, a == nil)
	if err != nil && a != nil && !gone(err) {
		return a, nil // what was known holds until its server answers
	}
	return fresh, err
}

// fetch asks an actor's server for it. New ones count against their domain.
func (c *actorCache) fetch(ctx context.Context, id string, isNew bool) (*remoteActor, error) {
	if err := c.absent(id); err != nil {
		return nil, err
	}
	if isNew {
		if err := c.crowded(ctx, id); err != nil {
			return nil, err
		}
	}
	doc, err := c.s.fetchDocument(ctx, id, maxActorSent)
	if err != nil {
		if temporary(err) && ctx.Err() == nil {
			c.noteAbsence(id, err)
		}
		return nil, err
	}
	if vocab.Text(doc, "id") != id {
		return nil, fmt.Errorf("%.200q calls itself %.200q: %w", id, vocab.Text(doc, "id"), errStranger)
	}
	if slices.Contains(vocab.Texts(doc, "type"), "Tombstone") {
		return nil, &fetch.StatusError{Code: http.StatusGone} // some say it so, and with 200
	}
	a, err := readActor(doc, c.s.Now().UTC())
	if err != nil {
		return nil, err
	}
	rev := int64(0)
	if rev, err = get(ctx, c.s.store, kindActor, hashKey(id), &remoteActor{}); err == nil {
		err = put(ctx, c.s.store, kindActor, hashKey(id), a, rev, c.s.Now().Add(actorKept))
	}
	if err != nil && !isStale(err) {
		return nil, err
	}
	c.remember(a)
	return a, nil
}

// crowded is the error of one more new actor of a domain.
func (c *actorCache) crowded(ctx context.Context, id string) error {
	client, _ := ctx.Value(clientKey{}).(string)
	if !c.s.limits.newActor(client, id, c.s.Now()) {
		return fmt.Errorf("%s: %w", vocab.Host(id), errCrowd)
	}
	return nil
}

// key returns the key of that id, which the actor's own document must list. again is asked for after a signature did not
// fit: the actor may have a new key of the same name.
func (c *actorCache) key(ctx context.Context, actor, keyID string, again bool) (crypto.PublicKey, error) {
	a, err := c.get(ctx, actor)
	if err != nil {
		return nil, err
	}
	pause := actorRetry
	if a.keys[keyID] == nil {
		again, pause = true, keyRetry
	}
	if again && c.s.Now().Sub(a.Fetched) > pause {
		if a, err = c.fetch(ctx, actor, false); err != nil {
			return nil, err
		}
	}
	if key := a.keys[keyID]; key != nil {
		return key, nil
	}
	return nil, fmt.Errorf("%.200q does not list the key %.200q: %w", actor, keyID, errStranger)
}

// keyAlone returns a key by its id, where no activity names the actor: its document names the owner, who must list it.
func (c *actorCache) keyAlone(ctx context.Context, keyID string) (crypto.PublicKey, error) {
	owner, _, fragment := strings.Cut(keyID, "#")
	if fragment {
		return c.key(ctx, owner, keyID, false)
	}
	c.mu.Lock()
	owner, known := c.owners[keyID]
	c.mu.Unlock()
	if !known {
		doc, err := c.keyDocument(ctx, keyID)
		if err != nil {
			return nil, err
		}
		for _, ref := range vocab.Refs(doc, "publicKey") {
			owner = vocab.Text(ref.Doc, "owner")
		}
		if o := vocab.Text(doc, "owner"); o != "" {
			owner = o
		}
		if !vocab.SameOrigin(owner, keyID) {
			return nil, fmt.Errorf("the key %.200q is of another server: %w", keyID, errStranger)
		}
	}
	key, err := c.key(ctx, owner, keyID, false)
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case err == nil && !known:
		if len(c.owners) >= maxInMemory {
			clear(c.owners)
		}
		c.owners[keyID] = owner
	case errors.Is(err, errStranger):
		delete(c.owners, keyID)
	}
	return key, err
}

// keyDocument asks for the document of a key that nobody here knows, as seldom as for an actor.
func (c *actorCache) keyDocument(ctx context.Context, keyID string) (map[string]any, error) {
	if err := c.absent(keyID); err != nil {
		return nil, err
	}
	if err := c.crowded(ctx, keyID); err != nil {
		return nil, err
	}
	doc, err := c.s.fetchDocument(ctx, keyID, maxActorSent)
	if err != nil && temporary(err) && ctx.Err() == nil {
		c.noteAbsence(keyID, err)
	}
	return doc, err
}

// fetchDocument gets a document from where its id says: what is served at an address must have it as its id, or lead to
// its id on the same server, where it is asked again. It may have so many bytes.
func (s *Service) fetchDocument(ctx context.Context, address string, most int) (map[string]any, error) {
	for range 2 {
		host := vocab.Host(address)
		if p := s.policy.get(); host == "" || p.Blocked(host) {
			return nil, fmt.Errorf("%.200q: blocked: %w", address, errStranger)
		}
		var a *fetch.Answer
		err := s.knocking(ctx, host, func(sign fetch.Sign) (err error) {
			a, err = s.client.Get(ctx, address, fetch.Activity, s.unblocked(sign))
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("fetch %.200q: %w", address, err)
		}
		if len(a.Body) > most {
			return nil, fmt.Errorf("fetch %.200q: %d bytes: %w", address, len(a.Body), fetch.ErrTooLarge)
		}
		doc, err := fetch.Object(a.Body)
		if err != nil {
			return nil, fmt.Errorf("fetch %.200q: %w", address, err)
		}
		id := vocab.Text(doc, "id")
		if withoutFragment(id) == withoutFragment(a.URL.String()) {
			return doc, nil
		}
		if !vocab.SameOrigin(id, a.URL.String()) {
			return nil, fmt.Errorf("%.200q calls itself %.200q: %w", a.URL, id, errStranger)
		}
		address = id
	}
	return nil, fmt.Errorf("%.200q is somewhere else each time: %w", address, errStranger)
}

// unblocked is a signature that no blocked server is asked with, wherever others lead us. sign may be nil.
func (s *Service) unblocked(sign fetch.Sign) fetch.Sign {
	return func(r *http.Request, body []byte) error {
		host := vocab.Host(r.URL.String())
		if p := s.policy.get(); host == "" || p.Blocked(host) {
			return fmt.Errorf("%.200q: blocked: %w", r.URL.Redacted(), errStranger)
		}
		if sign == nil {
			return nil
		}
		return sign(r, body)
	}
}

func withoutFragment(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return address
	}
	u.Fragment, u.RawFragment = "", ""
	return u.String()
}

// gone reports whether a server said that something is not there any more.
func gone(err error) bool {
	var status *fetch.StatusError
	return errors.As(err, &status) && (status.Code == 404 || status.Code == 410)
}

// temporary reports whether trying again may help.
func temporary(err error) bool {
	var status *fetch.StatusError
	switch {
	case errors.As(err, &status):
		return status.Code >= 500 || status.Code == 408 || status.Code == 429 || status.Code == 425
	case errors.Is(err, errStranger), errors.Is(err, fetch.ErrForbidden), errors.Is(err, fetch.ErrType),
		errors.Is(err, fetch.ErrTooLarge), errors.Is(err, fetch.ErrJSON), errors.Is(err, vocab.ErrForm), errors.Is(err, signature.ErrKey):
		return false
	case errors.Is(err, directory.ErrNotFound):
		return false
	}
	return true // the network, the store
}
