package federation

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"archipel/directory"
	"archipel/federation/vocab"
)

const kindFollower = "ap-follower"

// follower is somebody elsewhere who follows one of our actors.
type follower struct {
	Actor   string        `json:"actor"`
	Host    string        `json:"host"`
	Inbox   string        `json:"inbox"`
	Shared  string        `json:"sharedInbox,omitempty"`
	Follow  string        `json:"follow"`           // id of the activity
	Object  string        `json:"object"`           // whom it follows
	Since   directory.Seq `json:"since"`            // it gets what came after this change
	Waiting bool          `json:"waiting,omitzero"` // for the operator's yes
	Refused bool          `json:"refused,omitzero"` // the operator said no, and its server has not heard it yet
	Time    time.Time     `json:"time"`
}

// to is where deliveries for it go: one inbox for all of a server's people, where it has one.
func (f *follower) to() string {
	if f.Shared != "" {
		return f.Shared
	}
	return f.Inbox
}

// followerSet is who follows, as this process knows it.
type followerSet struct {
	change sync.Mutex // held while the store and what is known here change together

	mu     sync.RWMutex
	all    map[string]follower        // by followerKey
	behind map[string]map[string]bool // whom somebody follows, by the inbox where it is told
	digest map[[2]string]string       // by host and whom they follow there; made when it is asked for

	version int // counts changes of who follows
}

func (fs *followerSet) get(key string) (follower, bool) {
	fs.mu.RLock()
	defer fs.mu.RUnlock()
	f, ok := fs.all[key]
	return f, ok
}

// accepted lists those who follow one of our actors and are not waiting, of one host or ("") of all.
func (fs *followerSet) accepted(host, object string) []follower {
	fs.mu.RLock()
	defer fs.mu.RUnlock()
	var list []follower
	for _, f := range fs.all {
		if f.Object == object && !f.Waiting && !f.Refused && (host == "" || f.Host == host) {
			list = append(list, f)
		}
	}
	return list
}

// waiting is how many want to follow one of our actors and wait for the operator.
func (fs *followerSet) waiting(object string) (n int) {
	fs.mu.RLock()
	defer fs.mu.RUnlock()
	for _, f := range fs.all {
		if f.Object == object && f.Waiting {
			n++
		}
	}
	return n
}

// of lists what somebody follows.
func (fs *followerSet) of(actor string) []follower {
	fs.mu.RLock()
	defer fs.mu.RUnlock()
	var list []follower
	for _, f := range fs.all {
		if f.Actor == actor {
			list = append(list, f)
		}
	}
	return list
}

// audience are the addresses of our actors that somebody behind an inbox follows. It is not to be changed.
func (fs *followerSet) audience(inbox string) map[string]bool {
	fs.mu.RLock()
	defer fs.mu.RUnlock()
	return fs.behind[inbox]
}

// followerKey is the key of the record of somebody who follows one of our actors.
func (s *Service) followerKey(actor, object string) string {
	if object == s.relayID() {
		return hashKey(actor)
	}
	return hashKey(actor + "\n" + object)
}

// hashKey is the key of a record about an address, which may be longer than keys are.
func hashKey(address string) string {
	sum := sha256.Sum256([]byte(address))
	return hex.EncodeToString(sum[:])
}

// loadFollowers reads all followers and sees to it that each of their inboxes is delivered to, and no other.
func (s *Service) loadFollowers(ctx context.Context) error {
	s.followers.change.Lock()
	defer s.followers.change.Unlock()
	all := map[string]follower{}
	err := eachRecord(ctx, s.store, kindFollower, func(r directory.Record) error {
		var f follower
		if err := json.Unmarshal(r.Value, &f); err != nil {
			return fmt.Errorf("record %s %s: %w: %w", kindFollower, r.Key, directory.ErrCorrupt, err)
		}
		all[s.followerKey(f.Actor, f.Object)] = f
		return nil
	})
	if err != nil {
		return err
	}
	s.followers.mu.Lock()
	s.followers.all = all
	s.followers.mu.Unlock()
	return s.drivePeers(ctx)
}

// eachRecord calls fn with every record of a kind.
func eachRecord(ctx context.Context, store directory.Store, kind string, fn func(directory.Record) error) error {
	for after := ""; ; {
		records, err := store.Records(ctx, kind, after, 500)
		if err != nil {
			return err
		}
		for _, r := range records {
			if err := fn(r); err != nil {
				return err
			}
		}
		if len(records) == 0 {
			return nil
		}
		after = records[len(records)-1].Key
	}
}

// putFollower writes a follower and begins to deliver to it, unless it waits. Of one that was one before, nothing comes again
// and nothing is left out, also at another inbox.
func (s *Service) putFollower(ctx context.Context, f follower) error {
	s.followers.change.Lock()
	defer s.followers.change.Unlock()
	var before follower
	key := s.followerKey(f.Actor, f.Object)
	rev, err := get(ctx, s.store, kindFollower, key, &before)
	if err != nil {
		return err
	}
	if rev > 0 && !before.Waiting {
		f.Since = before.Since
		if before.to() != f.to() {
			at, err := s.store.Cursor(ctx, (&peer{s: s, inbox: before.to()}).Name())
			if err != nil {
				return err
			}
			f.Since = max(f.Since, at)
		}
	}
	if err := put(ctx, s.store, kindFollower, key, f, rev, time.Time{}); err != nil {
		return err
	}
	s.followers.mu.Lock()
	s.followers.all[key] = f
	s.followers.mu.Unlock()
	return s.drivePeers(ctx)
}

// lookAgain reads a follower from the store: the operator may have said something about it in another process.
func (s *Service) lookAgain(ctx context.Context, actor, object string) (f follower, known bool, err error) {
	s.followers.change.Lock()
	defer s.followers.change.Unlock()
	key := s.followerKey(actor, object)
	rev, err := get(ctx, s.store, kindFollower, key, &f)
	if err != nil || rev == 0 {
		return f, false, err
	}
	if before, ok := s.followers.get(key); ok && before == f {
		return f, true, nil
	}
	s.followers.mu.Lock()
	s.followers.all[key] = f
	s.followers.mu.Unlock()
	return f, true, s.drivePeers(ctx)
}

// dropFollower forgets a follower of one of our actors.
func (s *Service) dropFollower(ctx context.Context, actor, object string) error {
	key := s.followerKey(actor, object)
	s.followers.change.Lock()
	defer s.followers.change.Unlock()
	if err := s.store.DeleteRecord(ctx, kindFollower, key, 0); err != nil {
		return err
	}
	s.followers.mu.Lock()
	delete(s.followers.all, key)
	s.followers.mu.Unlock()
	return s.drivePeers(ctx)
}

// dropFollowers forgets those that which picks.
func (s *Service) dropFollowers(ctx context.Context, which func(*follower) bool, why string) {
	s.followers.mu.RLock()
	var gone []follower
	for _, f := range s.followers.all {
		if which(&f) {
			gone = append(gone, f)
		}
	}
	s.followers.mu.RUnlock()
	for _, f := range gone {
		if err := s.dropFollower(ctx, f.Actor, f.Object); err != nil {
			s.Log.Warn("federation: cannot drop a follower", "actor", f.Actor, "err", err)
			continue
		}
		s.Log.Info("federation: follower dropped", "actor", f.Actor, "of", f.Object, "why", why)
	}
}

// followersCollection says how many follow; who they are is theirs to say.
func (s *Service) followersCollection(w http.ResponseWriter, r *http.Request) {
	who, ok := s.askedActor(w, r)
	if !ok {
		return
	}
	s.answer(w, http.StatusOK, typeActivity, map[string]any{
		"@context": vocab.Context, "id": who.followersID(), "type": "OrderedCollection", "attributedTo": who.id,
		"totalItems": len(s.followers.accepted("", who.id)),
	})
}

// followersSync shows a server which of its people follow (FEP-8fcf), so that both can mend what they have lost.
func (s *Service) followersSync(w http.ResponseWriter, r *http.Request) {
	who, ok := s.askedActor(w, r)
	if !ok {
		return
	}
	host, ok := s.signedBy(w, r)
	if !ok {
		return
	}
	items := []any{}
	for _, f := range s.followers.accepted(host, who.id) {
		items = append(items, f.Actor)
	}
	slices.SortFunc(items, func(a, b any) int { return cmpString(a.(string), b.(string)) })
	w.Header().Set("Cache-Control", "no-store")
	s.answer(w, http.StatusOK, typeActivity, map[string]any{
		"@context": vocab.Context, "id": who.followersID() + "/sync", "type": "OrderedCollection", "totalItems": len(items), "orderedItems": items,
	})
}

func cmpString(a, b string) int {
	if a < b {
		return -1
	}
	if a > b {
		return 1
	}
	return 0
}

// syncHeader is the Collection-Synchronization header of a delivery to host (FEP-8fcf): the XOR of the SHA-256 of the
// addresses of those there who follow one of our actors.
func (s *Service) syncHeader(who identity, host string) string {
	fs, key := s.followers, [2]string{host, who.id}
	fs.mu.RLock()
	header, known := fs.digest[key]
	version := fs.version
	fs.mu.RUnlock()
	if known {
		return header
	}
	var digest [sha256.Size]byte
	for _, f := range fs.accepted(host, who.id) {
		sum := sha256.Sum256([]byte(f.Actor))
		for i := range digest {
			digest[i] ^= sum[i]
		}
	}
	id := who.followersID()
	header = fmt.Sprintf(`collectionId=%q, url=%q, digest="%s"`, id, id+"/sync", hex.EncodeToString(digest[:]))
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if fs.version != version {
		return header // somebody came or left meanwhile
	}
	if fs.digest == nil || len(fs.digest) > 10_000 {
		fs.digest = map[[2]string]string{}
	}
	fs.digest[key] = header
	return header
}

// drivePeers makes a Follower of the log of each inbox that has followers, and stops those that have none. The caller holds
// s.followers.change.
func (s *Service) drivePeers(ctx context.Context) error {
	s.followers.mu.Lock()
	defer s.followers.mu.Unlock()
	wanted, behind := map[string]follower{}, map[string]map[string]bool{}
	for _, f := range s.followers.all {
		if !f.Waiting && !f.Refused {
			if behind[f.to()] == nil {
				behind[f.to()] = map[string]bool{}
			}
			behind[f.to()][f.Object] = true
		}
		if before, ok := wanted[f.to()]; !f.Waiting && !f.Refused && (!ok || f.Since < before.Since) {
			wanted[f.to()] = f
		}
	}
	s.followers.behind, s.followers.digest = behind, nil
	s.followers.version++
	driven := map[string]bool{}
	for _, state := range s.Directory.Followers() {
		if inbox, ok := peerInbox(state.Name); ok {
			driven[inbox] = true
			if _, ok := wanted[inbox]; !ok {
				s.Directory.Unfollow(state.Name)
			}
		}
	}
	var failures []error
	for inbox, f := range wanted {
		if driven[inbox] {
			continue
		}
		p := &peer{s: s, inbox: inbox, host: f.Host, ahead: map[directory.ID]directory.Seq{}, knows: map[string]int{}}
		// Its cursor may be there from an earlier time, when somebody else of that inbox followed.
		at, err := s.store.Cursor(ctx, p.Name())
		if err == nil && at < f.Since {
			// Where it stands elsewhere by now, another node drives it.
			_, err = s.store.MoveCursors(ctx, []directory.CursorMove{{Name: p.Name(), From: at, To: f.Since}})
		}
		if err != nil {
			failures = append(failures, err)
			continue
		}
		s.Directory.Follow(p)
	}
	return errors.Join(failures...)
}
