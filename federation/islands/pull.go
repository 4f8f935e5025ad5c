package islands

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"archipel/directory"
	"archipel/federation"
	"archipel/federation/fetch"
	"archipel/federation/vocab"

	"github.com/google/uuid"
)

const (
	compareEvery = 24 * time.Hour
	maxPages     = 20_000 // of one asking
	maxWaits     = 10     // times that a peer may ask for patience
)

// SyncState is how asking an island fares. It is a record of the store, by host.
type SyncState struct {
	Cursor   string         `json:"cursor,omitempty"`   // in its log: everything up to there is here
	Head     directory.Seq  `json:"head,omitempty"`     // of our log, when that was noted
	Seen     string         `json:"seen,omitempty"`     // the farthest in its log that it ever told us of
	Soon     bool           `json:"soon,omitempty"`     // there is a reason to ask it now
	Next     time.Time      `json:"next,omitzero"`      // when it is asked again, without a reason
	Wait     time.Time      `json:"wait,omitzero"`      // not before, after a failure
	Contact  time.Time      `json:"contact,omitzero"`   // when it last answered, or told us something
	Compared time.Time      `json:"compared,omitzero"`  // when everything was last compared
	Anew     int            `json:"anew,omitempty"`     // how often something was decided for which everything is to be compared
	Differed int            `json:"differed,omitempty"` // entries that comparing set right, the last time
	Failures int            `json:"failures,omitempty"` // in a row
	Error    string         `json:"error,omitempty"`
	Since    time.Time      `json:"since,omitzero"`    // of the first failure in the row
	Refused  map[string]int `json:"refused,omitempty"` // what was not taken, by why, since it was last compared
	Mapped   int64          `json:"mapped,omitempty"`  // revision of the map of its words that its entries were last written with
}

func (s *Service) syncState(ctx context.Context, host string) (SyncState, error) {
	var v SyncState
	_, err := get(ctx, s.store, kindSync, host, &v)
	return v, err
}

func (s *Service) changeSync(ctx context.Context, host string, fn func(*SyncState)) error {
	_, err := change(ctx, s.store, kindSync, host, func(v *SyncState, _ int64) (bool, error) {
		fn(v)
		return true, nil
	})
	return err
}

func (s *Service) noteRefusal(ctx context.Context, host string, o outcome) {
	if o.Refused == 0 {
		return
	}
	err := s.changeSync(ctx, host, func(v *SyncState) {
		if v.Refused == nil {
			v.Refused = map[string]int{}
		}
		for why, n := range o.Why {
			v.Refused[why] += n
		}
	})
	if err != nil && ctx.Err() == nil {
		s.Log.Warn("islands: what was refused cannot be noted", "island", host, "err", err)
	}
}

// follows reports whether there is a gap between what we have of a peer and what it tells us now. Cursors are compared by
// their places; when it tells what we should have already, either it repeats itself, or its log lost its end: both are
// settled by asking.
func (s *Service) follows(ctx context.Context, host, after, now string) (gap bool, err error) {
	state, err := s.syncState(ctx, host)
	if err != nil {
		return false, err
	}
	have, _, okHave := split(state.Cursor)
	before, _, okBefore := split(after)
	at, _, okAt := split(now)
	return !okHave || !okBefore || !okAt || have.epoch != at.epoch || before.seq > have.seq || at.seq <= have.seq, nil
}

// again notes that everything is to be compared, also when that is being done now: it may have begun before what was decided.
func (v *SyncState) again() { v.Soon, v.Compared, v.Anew = true, time.Time{}, v.Anew+1 }

// saw notes how far a peer's log goes.
func (v *SyncState) saw(token string) {
	have, _, okHave := split(v.Seen)
	if at, _, ok := split(token); ok && (!okHave || at.epoch > have.epoch || at.epoch == have.epoch && at.seq > have.seq) {
		v.Seen = token
	}
}

// arrived notes that everything up to a peer's cursor is here.
func (s *Service) arrived(ctx context.Context, host, token string) error {
	return s.changeSync(ctx, host, func(v *SyncState) {
		have, _, _ := split(v.Cursor)
		if at, _, ok := split(token); ok && at.epoch == have.epoch && at.seq > have.seq {
			v.Cursor, v.Head = token, s.Directory.Head()
		}
		v.saw(token)
		v.Contact = s.Now().UTC()
	})
}

// sync asks a peer what changed, until there is nothing more; with full, or when its log is not the one that we knew, both
// sides compare everything then.
func (s *Service) sync(ctx context.Context, host string, full bool) error {
	began, anew := s.Now().UTC(), 0
	// Before it is asked: what it says while it answers is a reason to ask again.
	err := s.changeSync(ctx, host, func(v *SyncState) {
		anew = v.Anew
		if v.Soon = false; full {
			v.Refused = nil // what is refused still will be counted again
		}
	})
	if err == nil {
		err = s.syncOnce(ctx, host, full)
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	noted := s.changeSync(ctx, host, func(v *SyncState) {
		now := s.Now().UTC()
		if err == nil {
			v.Failures, v.Error, v.Since, v.Wait, v.Contact, v.Next = 0, "", time.Time{}, time.Time{}, now, now.Add(jitter(s.pollOf(host)))
			if v.Anew != anew {
				v.Compared = time.Time{}
			}
			return
		}
		if v.Contact.After(began) {
			v.Failures = 0 // it is there, only slow: some of what was asked for came
		}
		if v.Failures++; v.Failures == 1 {
			v.Since = now
		}
		v.Error, v.Wait = cut(err.Error(), 300), now.Add(waitFor(v.Failures))
		v.Next = v.Wait
		if full {
			v.Compared = time.Time{}
		}
	})
	return errors.Join(err, noted)
}

func (s *Service) syncOnce(ctx context.Context, host string, full bool) error {
	peer := s.cache.get(host)
	if peer == nil || !peer.In.Active() || peer.Actor == "" {
		return fmt.Errorf("%s: %w", host, ErrNoAgreement)
	}
	if peer.Plain != nil {
		return s.walk(ctx, peer, full)
	}
	if err := s.refreshAbout(ctx, host); err != nil && !federation.MayPass(err) {
		s.Log.Info("islands: a peer's description cannot be read", "island", host, "err", err)
	}
	state, err := s.syncState(ctx, host)
	if err != nil {
		return err
	}
	anew := state.Cursor == ""
	full = full || anew
	var asking sync.WaitGroup
	defer asking.Wait()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	next := s.askChanges(ctx, &asking, host, &state, anew)
	for range maxPages {
		got := <-next
		p, err := got.page, got.err
		var status *fetch.StatusError
		if errors.As(err, &status) && status.Code == http.StatusGone && state.Cursor+state.Seen != "" {
			s.Log.Info("islands: a peer's log is not the one that was known; everything is read anew", "island", host)
			state.Cursor, state.Seen, anew, full = "", "", true, true
			if err := s.changeSync(ctx, host, func(v *SyncState) { v.Cursor, v.Seen = "", "" }); err != nil {
				return err
			}
			next = s.askChanges(ctx, &asking, host, &state, anew)
			continue
		}
		if denied(err) { // it knows of no agreement: perhaps it lost what it knew
			err = errors.Join(err, s.remind(ctx, host, In))
		}
		if err != nil {
			return err
		}
		if _, _, ok := split(p.Cursor); !ok || p.More && p.Cursor == state.Cursor {
			return fmt.Errorf("%s does not say where to go on: %w", host, errForm)
		}
		state.Cursor = p.Cursor
		if !s.flows.may(host, s.Now()) {
			return &directory.Later{After: 10 * time.Minute, Err: fmt.Errorf("%s sends more than can be meant", host)}
		}
		if p.More {
			next = s.askChanges(ctx, &asking, host, &state, anew) // it makes the next page while we write this one
		}
		if err := s.takePage(ctx, host, p); err != nil {
			return err
		}
		if err := s.changeSync(ctx, host, func(v *SyncState) {
			v.Cursor, v.Head, v.Contact = p.Cursor, s.Directory.Head(), s.Now().UTC()
			v.saw(p.Cursor)
		}); err != nil {
			return err
		}
		if !p.More {
			if full {
				return s.compare(ctx, host)
			}
			return nil
		}
	}
	return fmt.Errorf("%s never comes to an end: %w", host, errForm)
}

type fetched struct {
	page *page
	err  error
}

// askChanges asks a peer for the page after a cursor, without waiting for it.
func (s *Service) askChanges(ctx context.Context, wg *sync.WaitGroup, host string, state *SyncState, anew bool) <-chan fetched {
	address := s.scheme + "://" + host + "/mirror/changes?after=" + url.QueryEscape(state.Cursor) + "&seen=" + url.QueryEscape(state.Seen)
	if anew {
		address += "&snapshot=1"
	}
	answer := make(chan fetched, 1)
	wg.Go(func() {
		p, err := s.fetchPage(ctx, address)
		answer <- fetched{p, err}
	})
	return answer
}

// fetchPage reads a page of a peer.
func (s *Service) fetchPage(ctx context.Context, address string) (*page, error) {
	a, err := s.Network.FetchAs(ctx, actorName, address, fetch.Activity)
	if err != nil {
		return nil, err
	}
	var p page
	if err := json.Unmarshal(a.Body, &p); err != nil {
		return nil, fmt.Errorf("%.200q: %w: %w", address, fetch.ErrJSON, err)
	}
	if len(p.Items) > 2*pageItems {
		return nil, fmt.Errorf("%.200q: a page of %d: %w", address, len(p.Items), fetch.ErrTooLarge)
	}
	return &p, nil
}

// takePage writes what is on a page of a peer.
func (s *Service) takePage(ctx context.Context, host string, p *page) error {
	peer := s.cache.get(host)
	if peer == nil || !peer.In.Active() {
		return fmt.Errorf("%s: %w", host, ErrNoAgreement) // it ended meanwhile
	}
	s.flows.take(host, len(p.Items), s.Now())
	docs := make([]map[string]any, len(p.Items))
	var wg sync.WaitGroup
	const workers = 2
	for w := range workers {
		wg.Go(func() {
			for i := w; i < len(p.Items); i += workers {
				if len(p.Items[i]) <= maxObject {
					docs[i], _ = fetch.Object(p.Items[i]) // what is none is refused below
				}
			}
		})
	}
	wg.Wait()
	var states []map[string]any
	var gone []news
	for _, doc := range docs {
		if doc["type"] != "Remove" {
			states = append(states, doc)
		} else if n, ok := s.withdrawal(vocab.Text(doc, "object")); ok && vocab.Text(doc, "actor") == peer.Actor {
			gone = append(gone, n)
		}
	}
	all, refused, err := s.readAll(ctx, states)
	if err != nil {
		return err
	}
	o, err := s.apply(ctx, peer, append(all, gone...)) // an object is on a page once, so their order does not matter
	o.add(refused)
	s.noteRefusal(ctx, host, o)
	return err
}

// compare sets right whatever is not as the peer has it, by asking for sums of everything, then for lists where they differ,
// then for single entries.
func (s *Service) compare(ctx context.Context, host string) error {
	base := s.scheme + "://" + host + "/mirror/"
	began := s.Directory.Head()
	var theirs summary
	if err := s.fetchJSON(ctx, base+"digest", &theirs); err != nil {
		return err
	}
	if len(theirs.Buckets) != 256 {
		return fmt.Errorf("the digest of %s has %d sums: %w", host, len(theirs.Buckets), errForm)
	}
	peer := s.cache.get(host)
	if peer == nil || !peer.In.Active() {
		return fmt.Errorf("%s: %w", host, ErrNoAgreement)
	}
	var ours digests
	s.Mirrors.standing(host, func(_ uuid.UUID, v version) { ours.add(&v) })
	var differ [256]bool
	for n := range ours {
		sum, err := base64.StdEncoding.DecodeString(theirs.Buckets[n])
		differ[n] = err != nil || !slices.Equal(sum, ours[n][:])
	}
	held := s.Mirrors.standingIn(host, &differ)
	room := max(0, peer.In.max()-s.Mirrors.fromPeer(host)) + listedMargin
	var missing []string
	var extra []news
	for n := range differ {
		if !differ[n] {
			continue
		}
		var list bucketList
		if err := s.fetchJSON(ctx, base+"bucket?n="+strconv.Itoa(n), &list); err != nil {
			return err
		}
		changed, unknown, x, err := s.differences(host, byte(n), list.Items, held[n], began)
		if err != nil {
			return err
		}
		unknown = unknown[:min(len(unknown), room)] // there is no room for more, whatever it lists
		room -= len(unknown)
		missing, extra = append(append(missing, changed...), unknown...), append(extra, x...)
	}
	o, err := s.apply(ctx, peer, extra)
	if err != nil {
		return err
	}
	differed := o.Written
	for batch := range slices.Chunk(missing, maxAskedFor) {
		q := url.Values{"id": batch}
		p, err := s.fetchPage(ctx, base+"objects?"+q.Encode())
		if err != nil {
			return err
		}
		if err := s.takePage(ctx, host, p); err != nil {
			return err
		}
		differed += len(p.Items)
	}
	if differed > 0 {
		s.Log.Info("islands: compared", "island", host, "set right", differed)
	}
	return s.changeSync(ctx, host, func(v *SyncState) { v.Compared, v.Differed = s.Now().UTC(), differed })
}

// listedMargin is how many entries a peer may list beyond those for which there is room, and be asked for them: so it shows, and
// is counted, that there are more.
const listedMargin = 1000

// differences are what a peer has in one bucket in another version than we, what it has and we have not, and what we have by way
// of it (held) and it has not. What came here after the change began is none of these: their list may be older.
func (s *Service) differences(host string, n byte, items []string, held []heldVersion, began directory.Seq) (changed, unknown []string, extra []news, err error) {
	theirs := make(map[string]string, len(items))
	for _, item := range items {
		name, v, ok := strings.Cut(item, " ")
		origin, id, _ := strings.Cut(name, "/")
		sum := sha256.Sum256([]byte(name))
		if !ok || !directory.ID(id).Valid() || sum[0] != n || len(item) > maxListed {
			return nil, nil, nil, fmt.Errorf("%.100q in bucket %d of %s: %w", item, n, host, errForm)
		}
		if origin != s.host {
			theirs[name] = v
		}
	}
	for i := range held {
		v := &held[i].is
		name := v.name()
		have, there := theirs[name]
		if at, known := s.Directory.Version(directory.ID(held[i].local.String())); known && at > began {
			delete(theirs, name)
			continue
		}
		if !there {
			extra = append(extra, news{&state{origin: v.host, id: directory.ID(v.id.String())}, true})
			continue
		}
		delete(theirs, name)
		if have != string(appendVersion(nil, v.epoch, v.version)) {
			changed = append(changed, name)
		}
	}
	return changed, slices.Sorted(maps.Keys(theirs)), extra, nil
}

// maxListed is how long one line of a bucket is at most, in bytes: a host, a UUID and two numbers.
const maxListed = 400

// fetchJSON reads a document of a peer, which may ask for patience a few times while it makes it.
func (s *Service) fetchJSON(ctx context.Context, address string, v any) error {
	a, err := s.Network.FetchAs(ctx, actorName, address, []fetch.MediaType{{Type: "application/json"}})
	var later *fetch.StatusError
	soon := func() bool { // it makes it still, or has answered much in this moment
		return errors.As(err, &later) && (later.Code == http.StatusServiceUnavailable || later.Code == http.StatusTooManyRequests) && later.RetryAfter > 0
	}
	for try := 0; try < maxWaits && soon(); try++ {
		wait := time.NewTimer(min(later.RetryAfter, time.Minute))
		select {
		case <-ctx.Done():
			wait.Stop()
			return ctx.Err()
		case <-wait.C:
		}
		a, err = s.Network.FetchAs(ctx, actorName, address, []fetch.MediaType{{Type: "application/json"}})
	}
	if err != nil {
		return err
	}
	if err := json.Unmarshal(a.Body, v); err != nil {
		return fmt.Errorf("%.200q: %w: %w", address, fetch.ErrJSON, err)
	}
	return nil
}

func hashOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:8])
}
