package islands

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"archipel/directory"
	"archipel/federation"
	"archipel/federation/vocab"

	"github.com/google/uuid"
	"golang.org/x/time/rate"
)

const (
	keptPast    = 30 * 24 * time.Hour // what is over for so long is not shown any more
	maxDerived  = 3                   // things that one activity can make us look at
	fetchBurst  = 60                  // of one server, and for one actor; then
	fetchPerSec = 2                   // so many a second
)

// heard is a thing that somebody speaks of.
type heard struct {
	id     string
	doc    map[string]any // from whoever may speak for it; nil: it is to be fetched from where it belongs
	listed bool           // in a list, where it may be older than what is known
}

// errBusy is the error of asking more than is good for a server.
var errBusy = errors.New("too many requests of one server at once")

// fetchLimits bound what plain actors make us ask: each of them, and each server that they name.
type fetchLimits struct {
	mu  sync.Mutex
	all map[string]*rate.Limiter
}

func (f *fetchLimits) of(key string) *rate.Limiter {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.all == nil || len(f.all) >= 10_000 {
		f.all = map[string]*rate.Limiter{}
	}
	l := f.all[key]
	if l == nil {
		l = rate.NewLimiter(fetchPerSec, fetchBurst)
		f.all[key] = l
	}
	return l
}

// spend waits, or not, until one more document may be fetched of a server for a plain actor.
func (f *fetchLimits) spend(ctx context.Context, way, host string, wait bool) error {
	for _, key := range []string{way, "at " + host} {
		if l := f.of(key); wait {
			if err := l.Wait(ctx); err != nil {
				return err
			}
		} else if !l.Allow() {
			return errBusy
		}
	}
	return nil
}

// receivePlain takes what comes of a plain actor that is followed, and what is said of things that came by way of one.
func (s *Service) receivePlain(ctx context.Context, a *vocab.Activity) (taken bool, err error) {
	peer := s.followed(a.Actor)
	switch a.Type {
	case "Accept", "Reject":
		if peer == nil {
			return false, nil
		}
		return true, s.answeredPlain(ctx, peer.Host, a)
	case "Announce", "Undo":
		if peer == nil {
			return false, nil
		}
		return s.announcedPlain(ctx, peer, a)
	case "Create", "Update", "Delete":
	default:
		return false, nil
	}
	o := a.Object()
	if o.ID == a.Actor {
		if a.Type == "Delete" && peer != nil {
			return false, s.leftPlain(ctx, peer.Host) // the rest of the instance forgets it too
		}
		return false, nil
	}
	if peer == nil {
		for _, owner := range ownersOf(o.Doc) { // a group's event comes of a member of it
			if of := s.followed(owner); of != nil && vocab.SameOrigin(owner, a.Actor) {
				peer = of
			}
		}
	}
	if ways := s.Mirrors.plainWays(o.ID); len(ways) > 0 && (peer == nil || !slices.Contains(ways, peer.Host)) {
		peer = s.cache.get(ways[0])
	} else if len(ways) == 0 && (a.Type == "Delete" || o.Doc != nil && o.Type != "Event") {
		return false, nil // not a thing that we have, nor would
	}
	if peer == nil || peer.Plain == nil {
		return false, nil
	}
	if !vocab.SameOrigin(o.ID, a.Actor) {
		return true, nil // nobody changes what is another server's
	}
	h := heard{id: o.ID}
	if slices.Contains(ownersOf(o.Doc), a.Actor) && a.Type != "Delete" && vocab.Text(o.Doc, "type") == "Event" {
		h.doc = o.Doc
	}
	return true, s.pushedPlain(ctx, peer, []heard{h})
}

// announcedPlain takes what a plain actor passes on, or takes back.
func (s *Service) announcedPlain(ctx context.Context, peer *Agreement, a *vocab.Activity) (taken bool, err error) {
	objects := a.Objects
	if a.Type == "Undo" {
		if o := a.Object(); o.Type != "Announce" || vocab.Text(o.Doc, "actor") != a.Actor {
			return false, nil
		}
		objects = vocab.Refs(a.Object().Doc, "object")
	}
	var all []heard
	for _, o := range objects[:min(len(objects), maxDerived)] {
		switch {
		case vocab.Host(o.ID) == s.host:
			return false, nil // of ours: counted with the others
		case o.Type == "Create" || o.Type == "Update" || o.Type == "Delete": // FEP-1b12: what somebody did, of which only the name counts
			for _, inner := range vocab.Refs(o.Doc, "object")[:min(len(vocab.Refs(o.Doc, "object")), 1)] {
				all = append(all, heard{id: inner.ID})
			}
		default:
			all = append(all, heard{id: o.ID})
		}
	}
	if a.Type == "Announce" {
		return true, s.pushedPlain(ctx, peer, all)
	}
	var gone []news
	for _, h := range all {
		gone = append(gone, news{&state{origin: vocab.Host(h.id), id: plainID(h.id), object: h.id}, true})
	}
	_, err = s.apply(ctx, peer, gone)
	return true, err
}

// pushedPlain takes what was sent to us. What is too much now is found when the actor's outbox is read.
func (s *Service) pushedPlain(ctx context.Context, peer *Agreement, all []heard) error {
	if !peer.In.Active() {
		return nil
	}
	if !s.flows.push(peer.Host, s.Now()) || !s.flows.take(peer.Host, len(all), s.Now()) {
		return s.want(ctx, peer.Host, false)
	}
	o, err := s.takePlain(ctx, peer, all, false)
	if errors.Is(err, errBusy) {
		return s.want(ctx, peer.Host, false)
	}
	if err != nil {
		return err
	}
	s.noteRefusal(ctx, peer.Host, o)
	return s.changeSync(ctx, peer.Host, func(v *SyncState) { v.Contact = s.Now().UTC() })
}

// look gets an event from where it belongs, unless it is at hand. gone says that it is not there any more; why, when it is
// not empty, that it cannot be taken. An error may pass.
func (s *Service) look(ctx context.Context, peer *Agreement, h heard, wait bool) (p *plainEvent, gone bool, why string, err error) {
	for range 2 {
		host := vocab.Host(h.id)
		if why := s.strange(peer, host); why != "" {
			return nil, false, why, nil
		}
		if h.doc == nil {
			if err := s.fetches.spend(ctx, peer.Host, host, wait); err != nil {
				return nil, false, "", err
			}
			doc, err := s.Network.Object(ctx, h.id)
			switch {
			case isGone(doc, err):
				return nil, true, "", nil
			case err != nil && federation.MayPass(err):
				return nil, false, "", err
			case err != nil:
				return nil, false, whyAway, nil
			case vocab.Host(vocab.Text(doc, "id")) != host:
				return nil, false, whyAway, nil
			}
			h.doc = doc
		}
		switch t := vocab.ReadThing(h.doc); t.Type {
		case "Event":
			p, err := readPlain(h.doc, s.Now())
			if err != nil {
				return nil, false, whyForm, nil
			}
			p.event = p
			return p, false, "", nil
		case "Create", "Update", "Announce": // an activity by its address: the thing that it is about
			refs := vocab.Refs(h.doc, "object")
			if len(refs) != 1 {
				return nil, false, whyForm, nil
			}
			inner := heard{id: refs[0].ID, listed: h.listed}
			if refs[0].Type == "Event" && vocab.SameOrigin(refs[0].ID, t.ID) {
				inner.doc = refs[0].Doc
			}
			h = inner
		default:
			return nil, false, notEvent, nil
		}
	}
	return nil, false, notEvent, nil
}

// notEvent is why most of what servers send is not taken; it is no news to anybody.
const notEvent = "no event"

// strange says why things of a host do not come by way of a plain actor, or is empty.
func (s *Service) strange(peer *Agreement, host string) string {
	direct := s.cache.get(host)
	switch {
	case host == "" || host == s.host:
		return notEvent
	case s.Network.Blocks(host):
		return whyServer
	case host != peer.Server() && host != vocab.Host(peer.Actor) && !peer.In.Asked.Others:
		return whyElse
	case direct != nil && direct.In.Standing:
		return whyIsland
	}
	return ""
}

// takePlain writes what a plain actor speaks of, as it stands where it belongs.
func (s *Service) takePlain(ctx context.Context, peer *Agreement, all []heard, wait bool) (o outcome, err error) {
	var batch []news
	var from []heard
	for _, h := range all {
		p, gone, why, err := s.look(ctx, peer, h, wait)
		switch {
		case err != nil:
			return o, err
		case why == notEvent:
			o.Known++
			continue
		case why != "":
			o.refuse(why)
			continue
		case gone:
			p = &plainEvent{state: &state{origin: vocab.Host(h.id), id: plainID(h.id), object: h.id, epoch: plainEpoch, gone: true}}
		}
		batch, from = append(batch, news{state: p.state}), append(from, h)
	}
	if len(batch) == 0 {
		return o, nil
	}
	current, local, err := s.current(ctx, batch)
	if err != nil {
		return o, err
	}
	scoped, err := s.inTerritory(ctx, peer)
	if err != nil {
		return o, err
	}
	var take []news
	var again []heard
	for i, n := range batch {
		switch s.order(n.state, current[local[i]], from[i]) {
		case isKnown:
			o.Known++
		case isOlder:
			again = append(again, heard{id: n.object})
		default:
			if n.event != nil && len(n.entry.Sites) == 0 && n.entry.Address != nil && s.Locate != nil {
				s.Locate(ctx, &n.entry)
			}
			take = append(take, n)
		}
	}
	more, err := s.apply(ctx, scoped, take)
	o.add(more)
	if err == nil && len(again) > 0 {
		more, err = s.takePlain(ctx, peer, again, wait)
		o.add(more)
	}
	return o, err
}

type ordering int

const (
	isNews ordering = iota
	isKnown
	isOlder // or it cannot be told: its own server is to be asked
)

// order gives what was heard its place among the states of the same thing: by the time that it says itself; and when it says
// none, what came or was fetched last is the last.
func (s *Service) order(st *state, was *directory.Entry, h heard) ordering {
	var m *directory.Mirrored
	if was != nil && was.Private != nil {
		m = was.Private.Mirror
	}
	if m != nil && m.Epoch == 0 && m.Version == 0 {
		m = nil // purged
	}
	if m != nil && m.Epoch > plainEpoch {
		return isKnown // by its own directory, which says more
	}
	if st.gone {
		if m == nil || was.Status == directory.Removed && m.Was == "" {
			return isKnown
		}
		st.version = m.Version + 1
		return isNews
	}
	said := st.entry.Created
	if !st.event.stated.IsZero() {
		said = st.entry.Updated
	}
	st.version = directory.Seq(max(1, said.UnixMilli()))
	switch {
	case m == nil:
	case was.Status == directory.Removed && m.Was != "": // it was withdrawn, and comes as it is
		st.version = max(st.version, m.Version)
	case was.Status == directory.Removed: // its server took it back, and brings it again
		if h.listed {
			return isOlder
		}
		st.version = max(st.version, m.Version+1)
	case s.sameAs(st, was):
		st.version = m.Version
		st.entry.Sites, st.entry.Approximate = was.Sites, was.Approximate
	case st.version > m.Version:
	case h.doc != nil && h.listed:
		return isOlder
	case h.doc != nil && !st.event.stated.IsZero() && st.version < m.Version:
		return isKnown // sent again
	default:
		st.version = m.Version + 1
	}
	return isNews
}

// sameAs reports whether what was heard is what is known, but for what people do not see.
func (s *Service) sameAs(st *state, was *directory.Entry) bool {
	doc, err := unpack(was.Private.Mirror.Raw)
	if err != nil {
		return false
	}
	before, err := readPlain(doc, s.Now())
	if err != nil {
		return false
	}
	a, b := before.entry, st.entry
	a.Created, a.Updated, b.Created, b.Updated = time.Time{}, time.Time{}, time.Time{}, time.Time{}
	return reflect.DeepEqual(a, b) && reflect.DeepEqual(before.words, st.words) && before.public == st.event.public
}

// inTerritory is an agreement whose scope names a territory: this directory's own, when it says none itself.
func (s *Service) inTerritory(ctx context.Context, a *Agreement) (*Agreement, error) {
	if len(a.In.Asked.Zones) > 0 || a.In.Asked.Area != nil {
		return a, nil
	}
	set, err := LoadSettings(ctx, s.store)
	if err != nil {
		return nil, err
	}
	c := *a
	c.In.Asked.Zones, c.In.Asked.Area = set.Zones, set.Area
	return &c, nil
}

// refusesPlain says why an event of a plain actor is not taken, or is empty. peer is as inTerritory gives it.
func (s *Service) refusesPlain(peer *Agreement, p *plainEvent) string {
	e := &p.entry
	if why := s.strange(peer, p.origin); why != "" {
		return why
	}
	if !p.public {
		return whyPrivate
	}
	if over(e, s.Now()) {
		return whyOver
	}
	scope := peer.In.Asked
	if len(e.Sites) == 0 && len(s.Zones(e)) == 0 {
		if !peer.Plain.Online || !p.online && e.Event.AttendanceURL == "" {
			return whyPlace
		}
		scope.Zones, scope.Area = nil, nil
	}
	if !scope.holds(&candidate{Entry: e, words: p.words, zoneOf: s.Zones}) {
		return whyScope
	}
	return ""
}

// over reports whether an event is past.
func over(e *directory.Entry, now time.Time) bool {
	end := e.Event.End
	if end.IsZero() {
		end = e.Event.Start.Add(24 * time.Hour)
	}
	return end.Before(now)
}

// plainWays are the plain actors by way of which a thing is here.
func (m *Mirrors) plainWays(address string) (ways []string) {
	host := vocab.Host(address)
	if host == "" {
		return nil
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	for _, id := range []directory.ID{plainID(address), otherID(host, plainID(address))} {
		u, err := uuid.Parse(string(id))
		k, there := m.all[u]
		if err != nil || !there || m.names.list[k.origin] != host {
			continue
		}
		ways = slices.DeleteFunc(strings.Fields(m.names.list[k.via]), func(way string) bool { return !isPlain(way) })
	}
	return ways
}

// kept is what was last received of an entry, as it came.
func (s *Service) kept(e *directory.Entry) (*state, error) {
	doc, err := unpack(e.Private.Mirror.Raw)
	if err != nil {
		return nil, err
	}
	if e.Private.Mirror.Epoch != plainEpoch {
		st, _, err := s.parse(doc)
		return st, err
	}
	p, err := readPlain(doc, s.Now())
	if err != nil {
		return nil, err
	}
	if len(p.entry.Sites) == 0 { // it was found by its address
		p.entry.Sites, p.entry.Approximate = e.Sites, e.Approximate
	}
	return p.state, nil
}
