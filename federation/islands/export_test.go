package islands

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"archipel/directory"
)

// Say is what other directories are told of an entry.
func (s *Service) Say(e *directory.Entry) (map[string]any, error) {
	b, err := s.activity(e)
	if err != nil {
		return nil, err
	}
	var doc map[string]any
	return doc, json.Unmarshal(b, &doc)
}

// Understand is the entry that an activity of another directory brings, its proof checked, and how it is kept.
func (s *Service) Understand(ctx context.Context, doc map[string]any) (directory.Entry, string, error) {
	st, err := s.read(ctx, doc)
	if err != nil {
		return directory.Entry{}, "", err
	}
	return st.entry, st.raw, nil
}

// Pack and Unpack are how activities are kept.
var (
	Pack   = pack
	Unpack = unpack
)

// Purge does what is done every hour.
func (s *Service) Purge(ctx context.Context) error { return s.purge(ctx) }

// State is how asking an island fares.
func (s *Service) State(ctx context.Context, host string) (SyncState, error) {
	return s.syncState(ctx, host)
}

// OtherID is the ID of an entry whose own is taken.
var OtherID = otherID

// Epoch is that of the log.
func (s *Service) Epoch() int64 { return s.self.epoch() }

// SidesOf are the directions of an agreement.
func (a *Agreement) SidesOf(d Direction) []*Side { return a.sides(d) }

// Denies reports whether nothing of an island shall be seen, by whatever way it comes.
func Denies(in *Side) bool { return denies(in) }

// Limit is how many entries of an island are taken, as far as this process knows.
func (s *Service) Limit(host string) int { return s.cache.get(host).In.max() }

// ForgetFailure lets an island be asked again at once.
func (s *Service) ForgetFailure(ctx context.Context, host string) error {
	return s.changeSync(ctx, host, func(v *SyncState) { v.Wait, v.Cursor = v.Contact, "" })
}

// OfferOf is what the origin of an entry is told of a correction.
func (s *Service) OfferOf(t testing.TB, id directory.ID, was, mine *directory.Entry, note string) (doc map[string]any) {
	t.Helper()
	received, err := Received(was)
	if err != nil {
		t.Fatal(err)
	}
	st, _, err := s.parse(received)
	if err != nil {
		t.Fatal(err)
	}
	a := s.cache.get(was.Origin)
	wanted, changed, err := s.inTheirWords(t.Context(), a, st, was, mine)
	if err != nil {
		t.Fatal(err)
	}
	doc, err = asMap(s.offer(a, id, st, &wanted, changed, note))
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

// PageOf is an address of a page on a host.
func PageOf(address, host string) string { return pageOf(address, host) }

// ReadPlain is the entry that a document of another server is, and how it is kept.
func ReadPlain(doc map[string]any, now time.Time) (directory.Entry, string, error) {
	p, err := readPlain(doc, now)
	if err != nil {
		return directory.Entry{}, "", err
	}
	return p.entry, p.raw, nil
}

// Ledger is what an island gets, from the ledger that stands or one that is read anew: its summary, and all it lists.
func (s *Service) Ledger(ctx context.Context, host string, anew bool) (any, map[directory.ID]string, error) {
	d, err := s.sender(ctx, s.cache.get(host))
	if err != nil {
		return nil, nil, err
	}
	book := &s.ledger
	if anew {
		book = &ledgers{}
	}
	one, ok, err := book.of(ctx, d, false)
	if err != nil || !ok {
		return nil, nil, errors.Join(err, errForm)
	}
	list, all := map[directory.ID]string{}, 0
	for id, v := range one.items {
		list[id] = v.name() + " " + string(appendVersion(nil, v.epoch, v.version))
	}
	for n := range 256 {
		all += len(one.bucket(n))
	}
	if all != len(list) {
		return nil, nil, errForm
	}
	return one.summary(), list, nil
}

// Take takes what an island says, as when it is asked what changed.
func (s *Service) Take(ctx context.Context, host string, docs ...map[string]any) (written int, err error) {
	all, _, err := s.readAll(ctx, docs)
	if err != nil {
		return 0, err
	}
	o, err := s.apply(ctx, s.cache.get(host), all)
	return o.Written, err
}

// Known reports whether this process knows of something with an island.
func (s *Service) Known(host string) bool { return s.cache.get(host) != nil }

// Ledgers is how many ledgers are kept.
func (s *Service) Ledgers() int {
	s.ledger.mu.Lock()
	defer s.ledger.mu.Unlock()
	return len(s.ledger.all)
}

// LedgerInTurn makes a ledger, as long as that may take, that has to wait for its turn, and says when that was.
func (s *Service) LedgerInTurn(ctx context.Context, host string, within time.Duration) (turn time.Time, err error) {
	d, err := s.sender(ctx, s.cache.get(host))
	if err != nil {
		return turn, err
	}
	book := &ledgers{within: within, all: map[string]*ledger{}}
	m := &making{done: make(chan struct{})}
	book.reading.Lock()
	go book.make(ctx, d, m, nil, "", s.Directory.Head())
	time.Sleep(50 * time.Millisecond) // so that it waits; when it does not yet, nothing is tested and nothing fails
	turn = time.Now()
	book.reading.Unlock()
	<-m.done
	return turn, m.err
}

// LedgerRead is when everything was read for the ledger of an island.
func (s *Service) LedgerRead(host string) time.Time {
	s.ledger.mu.Lock()
	defer s.ledger.mu.Unlock()
	return s.ledger.all[host].whole
}

// ToldLicence is the licence of the site that islands were told of.
func (s *Service) ToldLicence(ctx context.Context) string {
	var v storedSelf
	if _, err := get(ctx, s.store, kindSelf, "self", &v); err != nil || v.Licence == nil {
		return ""
	}
	return *v.Licence
}
