package islands

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"archipel/directory"

	"github.com/google/uuid"
)

// news is what a peer says of an object: its state, or that it does not show it to us any more.
type news struct {
	*state
	withdrawn bool
}

// outcome is what became of what a peer said.
type outcome struct {
	Written, Known, Refused int
	Why                     map[string]int // of what was refused
}

func (o *outcome) refuse(why string) {
	o.Refused++
	if o.Why == nil {
		o.Why = map[string]int{}
	}
	if len(o.Why) < 20 || o.Why[why] > 0 {
		o.Why[why]++
	}
}

func (o *outcome) add(more outcome) {
	o.Written, o.Known = o.Written+more.Written, o.Known+more.Known
	for why, n := range more.Why {
		o.Refused += n - 1
		o.refuse(why)
		o.Why[why] += n - 1
	}
}

// maxBatch is how many entries are written at once.
const maxBatch = 500

// Author is who wrote what came from a host, in the history.
func Author(host string) string { return "island:" + host }

// apply writes what a peer said. Writes of two batches at once do not disturb one another: who comes too late looks again.
func (s *Service) apply(ctx context.Context, peer *Agreement, all []news) (total outcome, err error) {
	for len(all) > 0 {
		n := min(len(all), maxBatch)
		batch := all[:n]
		all = all[n:]
		for try := 0; len(batch) > 0; try++ {
			again, o, err := s.applyBatch(ctx, peer, batch)
			total.add(o)
			if err != nil {
				return total, err
			}
			if try > 10 {
				return total, fmt.Errorf("%d entries change all the time: %w", len(again), directory.ErrStale)
			}
			batch = again
		}
	}
	return total, nil
}

func (s *Service) applyBatch(ctx context.Context, peer *Agreement, batch []news) (again []news, o outcome, err error) {
	batch, again = distinct(batch)
	current, local, err := s.current(ctx, batch)
	if err != nil {
		return nil, o, err
	}
	overlays, err := s.overlays(ctx, local)
	if err != nil {
		return nil, o, err
	}
	maps, err := s.mapsOf(ctx, batch)
	if err != nil {
		return nil, o, err
	}
	room, seen := peer.In.max()-s.Mirrors.fromPeer(peer.Host), s.visibility()
	var entries []directory.Entry
	var whose []news
	for i, n := range batch {
		id := local[i]
		was, exists := current[id]
		if !exists {
			was = nil
		}
		e, why := s.next(peer, n, id, was, overlays[id], maps[n.origin], seen)
		switch {
		case why != "":
			o.refuse(why)
			continue
		case e == nil:
			o.Known++
			continue
		case e.Status != directory.Removed && (was == nil || was.Status == directory.Removed):
			if room--; room < 0 {
				o.refuse(whyLimit)
				continue
			}
		}
		entries, whose = append(entries, *e), append(whose, n)
	}
	if len(entries) == 0 {
		return again, o, nil
	}
	outcomes, err := s.Directory.Write(ctx, directory.Write{Author: Author(peer.Host), Batch: "", Entries: entries})
	if err != nil {
		return nil, o, err
	}
	for i := range outcomes {
		var conflict *directory.ConflictError
		switch {
		case outcomes[i].Err == nil:
			o.Written++
		case errors.As(outcomes[i].Err, &conflict), errors.Is(outcomes[i].Err, directory.ErrNotFound):
			again = append(again, whose[i])
		default:
			o.refuse(whyInvalid)
			s.Log.Debug("islands: an entry is not valid here", "island", peer.Host, "entry", whose[i].object, "err", outcomes[i].Err)
		}
	}
	return again, o, s.settleSince(ctx, seen) // the operator may have decided something meanwhile
}

// distinct splits off what says something of an object of which the batch speaks already: it comes in the next round.
func distinct(batch []news) (first, rest []news) {
	seen := make(map[string]bool, len(batch))
	for _, n := range batch {
		if key := n.origin + "/" + string(n.id); seen[key] {
			rest = append(rest, n)
		} else {
			seen[key] = true
			first = append(first, n)
		}
	}
	return first, rest
}

// otherID is the ID of an entry whose own is somebody else's here: the same at every time.
func otherID(origin string, id directory.ID) directory.ID {
	sum := sha256.Sum256([]byte("archipel " + origin + "/" + string(id)))
	u := uuid.UUID(sum[:16])
	u[6], u[8] = u[6]&0x0f|0x80, u[8]&0x3f|0x80 // version 8 (RFC 9562): of our own making
	return directory.ID(u.String())
}

// current reads the entries that a batch is about, as they stand, and says under which IDs they are here.
func (s *Service) current(ctx context.Context, batch []news) (map[directory.ID]*directory.Entry, []directory.ID, error) {
	local := make([]directory.ID, len(batch))
	for i := range batch {
		local[i] = batch[i].id
	}
	current := map[directory.ID]*directory.Entry{}
	load := func(ids []directory.ID) error {
		found, err := s.Directory.Entries(ctx, ids)
		for i := range found {
			current[found[i].ID] = &found[i]
		}
		return err
	}
	if err := load(local); err != nil {
		return nil, nil, err
	}
	var others []directory.ID
	for i := range batch {
		if e := current[batch[i].id]; e != nil && e.Origin != batch[i].origin {
			local[i] = otherID(batch[i].origin, batch[i].id)
			others = append(others, local[i])
		}
	}
	if len(others) > 0 {
		if err := load(others); err != nil {
			return nil, nil, err
		}
	}
	for i := range batch { // what took its place is nobody else's either
		if e := current[local[i]]; e != nil && e.Origin != batch[i].origin {
			delete(current, local[i])
			local[i] = ""
		}
	}
	return current, local, nil
}

// next is the entry as it is to stand after what a peer said; nil when nothing changes. why says what makes it impossible.
func (s *Service) next(peer *Agreement, n news, id directory.ID, was *directory.Entry, over *Overlay, words map[string]string, seen visibility) (e *directory.Entry, why string) {
	var m *directory.Mirrored
	if was != nil && was.Private != nil {
		m = was.Private.Mirror
	}
	if n.withdrawn {
		return s.without(peer.Host, was, m, seen), ""
	}
	if id == "" {
		return nil, whyTaken
	}
	if n.gone {
		if was == nil || !m.Newer(n.epoch, n.version) {
			return nil, ""
		}
		return s.removed(was, &directory.Mirrored{Epoch: n.epoch, Version: n.version, ID: idOf(m)}), ""
	}
	newer := m.Newer(n.epoch, n.version)
	via := []string{peer.Host}
	known := false
	if m != nil {
		var added bool
		if via, added = withVia(m.Via, peer.Host); !added {
			known = true
		}
	}
	if why := s.refusal(peer, n); why != "" {
		// A peer that shows what it should not show is not listened to; what it showed before goes.
		if known && newer {
			return s.without(peer.Host, was, m, seen), ""
		}
		return nil, why
	}
	gone := was != nil && was.Status == directory.Removed
	switch {
	case newer:
	case known && !gone:
		return nil, ""
	case gone && m.Raw != "" && m.Was == "":
		// Somebody took it away here, its origin did not: it is as if it were hidden.
	case gone && m.Was != "" && m.Epoch == n.epoch && m.Version == n.version:
		// It was withdrawn and comes back as it was.
	case gone:
		return nil, "" // its origin took it back
	default: // another way to what we know, or to less than that
		c := was.Clone()
		c.Private.Mirror.Via = via
		s.settle(&c, over, seen)
		return &c, ""
	}
	return s.taken(peer, n, id, was, m, via, over, words, seen), ""
}

// idOf is an entry's ID at its origin where that is another one than here.
func idOf(m *directory.Mirrored) directory.ID {
	if m == nil {
		return ""
	}
	return m.ID
}

// taken is the entry in the state that a peer brought.
func (s *Service) taken(peer *Agreement, n news, id directory.ID, was *directory.Entry, m *directory.Mirrored, via []string, over *Overlay, words map[string]string, seen visibility) *directory.Entry {
	e := n.entry.Clone()
	e.ID, e.Version, e.Slug, e.Aliases, e.MergedInto = id, 0, "", nil, ""
	e.Private = &directory.Private{Mirror: &directory.Mirrored{Epoch: n.epoch, Version: n.version, Via: via, URL: n.page, Received: s.Now().UTC().Truncate(time.Millisecond), Raw: n.raw}}
	mirror := e.Private.Mirror
	if id != n.id {
		mirror.ID = n.id
	}
	e.Status = map[Policy]directory.Status{Review: directory.Pending, Suggest: directory.Draft}[peer.In.Policy]
	if e.Status == "" {
		e.Status = directory.Published
	}
	if was != nil {
		e.Version = was.Version
		switch {
		case was.Status != directory.Removed:
			e.Status, e.Slug = was.Status, was.Slug
			if m != nil {
				mirror.Was, mirror.Held = m.Was, m.Held
			}
		case m != nil && m.Was != "":
			e.Status = m.Was // as it was when it was withdrawn
		case m != nil && m.Raw != "": // what goes without anybody here deciding it leaves nothing of what was said
			e.Status = directory.Hidden
		}
	}
	s.translate(&e, n.words, words)
	curate(&e, over)
	s.settle(&e, over, seen)
	return &e
}

// settle gives an entry of another directory the status that it has for its own sake, unless something keeps it out of view:
// no agreement stands behind it, or the operator hides it.
func (s *Service) settle(e *directory.Entry, over *Overlay, seen visibility) {
	m := e.Private.Mirror
	base := e.Status
	if m.Was != "" {
		base = m.Was
	}
	held := !seen.visible(e.Origin, m.Via)
	switch {
	case !held:
		m.Held = time.Time{}
	case m.Held.IsZero():
		m.Held = s.Now().UTC().Truncate(time.Millisecond)
	}
	if held || over != nil && over.Hide {
		e.Status, m.Was = directory.Hidden, base
	} else {
		e.Status, m.Was = base, ""
	}
}

// without is an entry that a peer does not show us any more; nil when that changes nothing.
func (s *Service) without(host string, was *directory.Entry, m *directory.Mirrored, seen visibility) *directory.Entry {
	if m == nil || was.Status == directory.Removed {
		return nil
	}
	at, found := slices.BinarySearch(m.Via, host)
	if !found {
		return nil
	}
	if len(m.Via) > 1 {
		c := was.Clone()
		c.Private.Mirror.Via = slices.Delete(c.Private.Mirror.Via, at, at+1)
		if !seen.visible(c.Origin, c.Private.Mirror.Via) {
			s.settle(&c, nil, seen)
		}
		return &c
	}
	base := was.Status
	if m.Was != "" {
		base = m.Was
	}
	return s.removed(was, &directory.Mirrored{Epoch: m.Epoch, Version: m.Version, ID: m.ID, Was: base})
}

// removed is what stays of an entry that is not shown here any more.
func (s *Service) removed(was *directory.Entry, m *directory.Mirrored) *directory.Entry {
	m.Held = s.Now().UTC().Truncate(time.Millisecond)
	m.Received = m.Held
	return &directory.Entry{
		ID: was.ID, Kind: was.Kind, Origin: was.Origin, Slug: was.Slug, Status: directory.Removed, Version: was.Version,
		Private: &directory.Private{Mirror: m},
	}
}

// refusal says why what a peer shows is not taken, or is empty.
func (s *Service) refusal(peer *Agreement, n news) string {
	if peer.Plain != nil {
		return s.refusesPlain(peer, n.event)
	}
	if n.origin != peer.Host {
		if !peer.In.Asked.Others || !peer.In.Agreed.Others {
			return whyOthers
		}
		if direct := s.cache.get(n.origin); direct != nil && denies(&direct.In) {
			return whyLeft
		}
	}
	if s.Network.Blocks(n.origin) {
		return whyBlocked
	}
	in := &peer.In
	if n.origin != peer.Host { // the words of the agreement are those of the peer, and these are not
		in = &Side{Asked: peer.In.Asked, Agreed: peer.In.Agreed}
		in.Asked.Categories, in.Agreed.Categories = nil, nil
	}
	if !in.holds(&candidate{Entry: &n.entry, words: n.words, zoneOf: s.Zones}) {
		return whyScope
	}
	return ""
}

// denies reports whether an agreement says that nothing of that island shall be seen, by whatever way it comes: we left it, also
// when it has invited us since then.
func denies(in *Side) bool {
	return in.ByUs && !in.Unbound && (in.State == Ended || in.State == Paused || in.State == Offered)
}

// readAll understands activities, on as many processors as there are, and keeps their order. What cannot be taken is
// counted; the error is about what may pass.
func (s *Service) readAll(ctx context.Context, docs []map[string]any) (all []news, o outcome, err error) {
	states, errs := make([]*state, len(docs)), make([]error, len(docs))
	var wg sync.WaitGroup
	const workers = 4
	for w := range workers {
		wg.Go(func() {
			for i := w; i < len(docs); i += workers {
				states[i], errs[i] = s.readSafe(ctx, docs[i])
			}
		})
	}
	wg.Wait()
	for i, st := range states {
		switch e := errs[i]; {
		case e == nil:
			all = append(all, news{state: st})
		case errors.Is(e, errOurs):
			o.Known++
		case ctx.Err() != nil:
			return nil, o, ctx.Err()
		case errors.Is(e, directory.ErrUnavailable):
			return nil, o, e
		default:
			// Also when a third server is away that could prove it: others wait for nobody, and comparing brings it later.
			o.refuse(whyUnproved)
			s.Log.Debug("islands: refused", "err", e)
		}
	}
	return all, o, nil
}

func (s *Service) readSafe(ctx context.Context, doc map[string]any) (st *state, err error) {
	defer func() {
		if r := recover(); r != nil {
			st, err = nil, fmt.Errorf("panic: %v: %w", r, errForm)
		}
	}()
	return s.read(ctx, doc)
}
