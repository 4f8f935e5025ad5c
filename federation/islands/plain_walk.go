package islands

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"archipel/directory"
	"archipel/federation"
	"archipel/federation/fetch"
	"archipel/federation/vocab"

	"github.com/google/uuid"
)

// Limits of reading one actor's outbox.
const (
	walkAll     = 60                   // pages, the first time and once a day
	walkNew     = 3                    // pages, in between
	walkItems   = 1500                 // of them
	walkFetches = 300                  // things that are asked for one by one
	walkPast    = 550 * 24 * time.Hour // what was published before says nothing of what is to come
	lookAtMost  = 200                  // known events that are looked at again, in a day
	giveUpFails = 5                    // in a row, and then the rest waits
	forgetAfter = 20 * time.Hour       // until what was refused is looked at again
	plainPolls  = 6                    // times less often than islands are plain actors asked
)

// walk reads the outbox of a plain actor, newest first; with full as far as makes sense, and what is known of it is looked
// at again. Servers do not say reliably what has changed or gone: so both is needed.
func (s *Service) walk(ctx context.Context, peer *Agreement, full bool) error {
	now, err := With(ctx, s.store, peer.Host) // what is wanted of it may be newer than what this process has at hand
	if err != nil || now.Plain == nil || !now.In.Active() || now.Actor == "" {
		return cmp.Or(err, fmt.Errorf("%s: %w", peer.Host, ErrNoAgreement))
	}
	peer = &now
	scoped, err := s.inTerritory(ctx, peer)
	if err != nil {
		return err
	}
	doc, err := s.Network.RemoteActor(ctx, peer.Actor)
	if err != nil {
		if federation.Gone(err) {
			return s.leftPlain(ctx, peer.Host)
		}
		return err
	}
	next := vocab.ReadThing(doc).Outbox
	if !vocab.SameOrigin(next, peer.Actor) {
		return fmt.Errorf("the outbox of %.200q is %.200q: %w", peer.Actor, next, errForm)
	}
	w := &walking{s: s, peer: peer, full: full, seen: map[string]bool{}, wanted: fmt.Sprint(peer.Host, " ", scoped.In.Asked.Tag(), " ", peer.Plain.Online, " ")}
	pages := walkNew
	if full {
		pages = walkAll
	}
	for page := 0; next != "" && page <= pages && w.items < walkItems && !w.seen[next]; page++ {
		w.seen[next] = true
		doc, err := s.plainPage(ctx, peer, next)
		if err != nil {
			return err
		}
		written := w.total.Written
		w.old = 0
		items, more, err := w.read(ctx, doc)
		if err != nil {
			return err
		}
		if items > 0 && (!full && w.total.Written == written || w.old == items) {
			break
		}
		next = more
	}
	if full {
		if err := w.again(ctx); err != nil {
			return err
		}
	}
	s.noteRefusal(ctx, peer.Host, w.total)
	return s.changeSync(ctx, peer.Host, func(v *SyncState) {
		if full {
			v.Compared, v.Differed, v.Cursor = s.Now().UTC(), w.total.Written, ""
		}
	})
}

type walking struct {
	s       *Service
	peer    *Agreement
	full    bool
	wanted  string // of the peer: what was refused under another scope is looked at again
	total   outcome
	seen    map[string]bool // pages and things
	items   int
	fetches int
	fails   int // in a row
	old     int // items of this page from long ago
}

// plainPage gets a collection, or a page of one.
func (s *Service) plainPage(ctx context.Context, peer *Agreement, address string) (map[string]any, error) {
	if !vocab.SameOrigin(address, peer.Actor) {
		return nil, fmt.Errorf("%.200q leads to another server: %w", address, errForm)
	}
	if err := s.fetches.spend(ctx, peer.Host, vocab.Host(address), true); err != nil {
		return nil, err
	}
	a, err := s.Network.FetchAs(ctx, federation.Relay, address, fetch.Activity)
	if err != nil {
		return nil, err
	}
	return fetch.Object(a.Body)
}

// read takes what is in a collection or a page, and says where it goes on. A first page that comes along is read too.
func (w *walking) read(ctx context.Context, doc map[string]any) (n int, next string, err error) {
	items := append(vocab.Items(doc, "orderedItems"), vocab.Items(doc, "items")...)
	n = len(items)
	if w.items += n; w.items > walkItems {
		items = items[:max(0, n-(w.items-walkItems))]
	}
	var all []heard
	for _, item := range items {
		if h, ok := w.item(item); ok && !w.seen[h.id] {
			w.seen[h.id] = true
			all = append(all, h)
		}
	}
	for _, h := range all {
		if err := w.take(ctx, h); err != nil {
			return n, "", err
		}
	}
	for _, property := range []string{"next", "first"} {
		on := vocab.Refs(doc, property)
		if len(on) == 0 {
			continue
		}
		r := on[0]
		if r.Doc != nil && len(vocab.Items(r.Doc, "orderedItems"))+len(vocab.Items(r.Doc, "items")) > 0 && property == "first" {
			more, next, err := w.read(ctx, r.Doc)
			return n + more, next, err
		}
		return n, r.ID, nil
	}
	return n, "", nil
}

// item is what an item of an outbox is about: an activity of the actor, an event, or the address of either.
func (w *walking) item(item any) (heard, bool) {
	if address, ok := item.(string); ok {
		return heard{id: address, listed: true}, true
	}
	doc, _ := item.(map[string]any)
	t := vocab.ReadThing(doc)
	old := !t.Published.IsZero() && w.s.Now().Sub(t.Published) > walkPast
	if old {
		w.old++
	}
	switch t.Type {
	case "Event":
		h := heard{id: t.ID, listed: true}
		if vocab.SameOrigin(t.ID, w.peer.Actor) {
			h.doc = doc
		}
		return h, t.ID != ""
	case "Create", "Update", "Announce":
		refs := vocab.Refs(doc, "object")
		if len(refs) != 1 || vocab.Text(doc, "actor") != w.peer.Actor && !vocab.SameOrigin(vocab.Text(doc, "actor"), w.peer.Actor) {
			return heard{}, false
		}
		if refs[0].Type != "" && refs[0].Type != "Event" && refs[0].Type != "Create" && refs[0].Type != "Update" {
			return heard{}, false // notes, articles, pictures
		}
		h := heard{id: refs[0].ID, listed: true}
		// Its own server lists it: what comes along is that server's word.
		if t.Type != "Announce" && refs[0].Type == "Event" && vocab.SameOrigin(h.id, w.peer.Actor) {
			h.doc = refs[0].Doc
		}
		return h, h.doc != nil || !old
	}
	return heard{}, false
}

// take takes one thing. What has to be fetched is fetched when it is not known, and was not refused some hours ago. What comes
// along and is refused each time is counted once.
func (w *walking) take(ctx context.Context, h heard) error {
	s, key := w.s, w.wanted+h.id
	before := s.refused.lately(key, s.Now())
	if h.doc == nil {
		if slices.Contains(s.Mirrors.plainWays(h.id), w.peer.Host) || before || w.fetches >= walkFetches {
			return nil
		}
		w.fetches++
	}
	o, err := s.takePlain(ctx, w.peer, []heard{h}, true)
	if err != nil {
		return w.failed(ctx, err)
	}
	w.fails = 0
	if h.doc == nil && o.Written == 0 || o.Refused > 0 {
		s.refused.note(key, s.Now())
	}
	if h.doc != nil && before && !w.full {
		o.Refused, o.Why = 0, nil
	}
	w.total.add(o)
	return nil
}

// failed counts servers that do not answer: one is passed over, a row of them is an error.
func (w *walking) failed(ctx context.Context, err error) error {
	if ctx.Err() != nil || !away(err) {
		return err
	}
	if w.fails++; w.fails >= giveUpFails {
		return err
	}
	return nil
}

// again looks at what came by way of the actor: what is over for long, or would not be taken any more, is withdrawn; what is
// to come is asked for anew where it belongs, the nearest first and some of the others.
func (w *walking) again(ctx context.Context) error {
	s := w.s
	var ids []directory.ID
	s.Mirrors.standing(w.peer.Host, func(local uuid.UUID, _ version) { ids = append(ids, directory.ID(local.String())) })
	scoped, err := s.inTerritory(ctx, w.peer)
	if err != nil {
		return err
	}
	type coming struct {
		at      time.Time
		address string
	}
	var next []coming
	for batch := range slices.Chunk(ids, 200) {
		entries, err := s.Directory.Entries(ctx, batch)
		if err != nil {
			return err
		}
		var leave []news
		for i := range entries {
			e := &entries[i]
			doc, err := Received(e)
			if err != nil || doc == nil || e.Private.Mirror.Epoch != plainEpoch {
				continue
			}
			p, err := readPlain(doc, s.Now())
			if err != nil {
				continue
			}
			p.entry.Sites = e.Sites
			why := s.refusesPlain(scoped, p)
			switch {
			case why == whyOver && s.Now().Sub(e.Event.Start) > keptPast && s.Now().Sub(e.Event.End) > keptPast, why != "" && why != whyOver:
				n := news{&state{origin: e.Origin, id: p.id, object: p.object}, true}
				leave = append(leave, n)
			case why == "" && !w.seen[p.object]:
				next = append(next, coming{e.Event.Start, p.object})
			}
		}
		if _, err := s.apply(ctx, w.peer, leave); err != nil {
			return err
		}
	}
	slices.SortFunc(next, func(a, b coming) int { return a.at.Compare(b.at) })
	if rest := next[min(len(next), lookAtMost/2):]; len(rest) > 0 {
		rand.Shuffle(len(rest), func(i, j int) { rest[i], rest[j] = rest[j], rest[i] })
	}
	for _, c := range next[:min(len(next), lookAtMost)] {
		o, err := s.takePlain(ctx, w.peer, []heard{{id: c.address}}, true)
		if err != nil {
			if err := w.failed(ctx, err); err != nil {
				return err
			}
			continue
		}
		w.fails = 0
		w.total.add(o)
	}
	return nil
}

// lately remembers what was looked at in vain.
type lately struct {
	mu  sync.Mutex
	all map[string]time.Time
}

func (l *lately) note(key string, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.all == nil || len(l.all) >= 20_000 {
		l.all = map[string]time.Time{}
	}
	l.all[key] = now
}

func (l *lately) lately(key string, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	at, there := l.all[key]
	return there && now.Sub(at) < forgetAfter
}

// pollOf is how often a peer is asked.
func (s *Service) pollOf(way string) time.Duration {
	if isPlain(way) {
		return plainPolls * s.Poll
	}
	return s.Poll
}
