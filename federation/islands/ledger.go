package islands

import (
	"cmp"
	"context"
	"encoding/base64"
	"fmt"
	"maps"
	"net/http"
	"strconv"
	"sync"
	"time"

	"archipel/directory"
	"archipel/federation"

	"github.com/google/uuid"
)

const (
	ledgerKept     = 10 * time.Minute
	ledgerWithin   = 15 * time.Minute // how long the making of one may take
	ledgerPatience = 6 * time.Second  // how long one who asks waits for that; less than they have patience
	ledgerSoon     = 20 * time.Second // after which they may ask again
	ledgerChanges  = 50_000           // after more changes everything is read anew
)

// summary is what stands, in 256 sums: the first question of two directories that compare what they have.
type summary struct {
	Cursor  string   `json:"cursor"`
	Count   int      `json:"count"`
	Buckets []string `json:"buckets"` // base64
}

// bucketList is what stands in one bucket: the second question.
type bucketList struct {
	Items []string `json:"items"` // "HOST/UUID EPOCH.VERSION"
}

// ledger is what an island gets, as it stands at one place of our log. It does not change once it is made.
type ledger struct {
	made     time.Time
	whole    time.Time // when everything was read for it, or for the one that it goes on from
	settings string    // what it depends on beside the log
	at       directory.Seq
	cursor   string
	sums     digests
	items    map[directory.ID]version

	sorted  sync.Once
	buckets [256][]version
}

func (l *ledger) take(id directory.ID, v *version) {
	if was, ok := l.items[id]; ok {
		l.sums.add(&was) // the sums are XORs: this takes it away
		delete(l.items, id)
	}
	if v != nil {
		l.sums.add(v)
		l.items[id] = *v
	}
}

func (l *ledger) summary() summary {
	out := summary{Cursor: l.cursor, Count: len(l.items)}
	for i := range l.sums {
		out.Buckets = append(out.Buckets, base64.StdEncoding.EncodeToString(l.sums[i][:]))
	}
	return out
}

func (l *ledger) bucket(n int) []version {
	l.sorted.Do(func() {
		for _, v := range l.items {
			b := v.bucket()
			l.buckets[b] = append(l.buckets[b], v)
		}
	})
	return l.buckets[n]
}

// ledgers keep for a while what islands get. One is made by reading everything, and from then on from the log.
type ledgers struct {
	mu     sync.Mutex
	all    map[string]*ledger
	making map[string]*making

	reading sync.Mutex    // of everything, for one island at a time
	within  time.Duration // how long the making of one may take, once it is its turn; 0 for ledgerWithin
}

// making is a ledger under way.
type making struct {
	done chan struct{} // closed when the others are final
	one  *ledger
	err  error
}

// of gives the ledger of an island as the log stands, or (old) the last one while there is any. Making one goes on when
// whoever asked is gone, so that they find it when they ask again; ok is false when it is still under way.
func (l *ledgers) of(ctx context.Context, d *sender, old bool) (one *ledger, ok bool, err error) {
	asked := d.s.Directory.Head()
	patience := time.NewTimer(ledgerPatience)
	defer patience.Stop()
	for {
		one, ok, err = l.next(ctx, d, old, patience.C)
		if err != nil || !ok || old || one.at >= asked {
			return one, ok, err
		}
		// It was under way before this was asked: what came since is in the next one.
	}
}

func (l *ledgers) next(ctx context.Context, d *sender, old bool, patience <-chan time.Time) (one *ledger, ok bool, err error) {
	head := d.s.Directory.Head()
	settings := fmt.Sprint(d.s.cache.revision(), d.licences, d.s.self.epoch(), d.s.Site().Licence, d.s.Taxonomy.Stamp())
	now := d.s.Now()
	l.drop(now)
	l.mu.Lock()
	last := l.all[d.a.Host]
	if last != nil && (old || last.settings == settings && last.at == head) {
		l.mu.Unlock()
		return last, true, nil
	}
	m := l.making[d.a.Host]
	if m == nil {
		m = &making{done: make(chan struct{})}
		if l.making == nil {
			l.all, l.making = map[string]*ledger{}, map[string]*making{}
		}
		l.making[d.a.Host] = m
		if last != nil && (last.settings != settings || head < last.at || head-last.at > ledgerChanges || now.Sub(last.whole) > ledgerKept) {
			last = nil
		}
		go l.make(context.WithoutCancel(ctx), d, m, last, settings, head)
	}
	l.mu.Unlock()
	select {
	case <-m.done:
		return m.one, m.err == nil, m.err
	case <-ctx.Done():
		return nil, false, ctx.Err()
	case <-patience:
		return nil, false, nil
	}
}

// drop lets go of those that were made long ago.
func (l *ledgers) drop(now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for host, one := range l.all {
		if now.Sub(one.made) > ledgerKept {
			delete(l.all, host)
		}
	}
}

func (l *ledgers) make(ctx context.Context, d *sender, m *making, last *ledger, settings string, head directory.Seq) {
	one := &ledger{settings: settings, at: head}
	var err error
	if one.cursor, err = d.s.tokenAt(ctx, head); err == nil {
		if last == nil {
			err = l.read(ctx, d, one)
		} else {
			one.sums, one.items, one.whole = last.sums, maps.Clone(last.items), last.whole
			err = d.goOn(ctx, one, last.at)
		}
	}
	one.made = d.s.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	if m.err = err; err == nil {
		m.one, l.all[d.a.Host] = one, one
	}
	delete(l.making, d.a.Host)
	close(m.done)
}

// read makes a ledger of all entries.
func (l *ledgers) read(ctx context.Context, d *sender, one *ledger) error {
	l.reading.Lock()
	defer l.reading.Unlock()
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(l.within, ledgerWithin))
	defer cancel()
	one.whole = d.s.Now()
	one.items = map[directory.ID]version{}
	return d.s.Directory.Scan(ctx, func(entries []directory.Entry) error {
		for i := range entries {
			d.enter(one, &entries[i])
		}
		return ctx.Err()
	})
}

// goOn brings a ledger from a place of the log to its own.
func (d *sender) goOn(ctx context.Context, one *ledger, from directory.Seq) error {
	ctx, cancel := context.WithTimeout(ctx, ledgerWithin)
	defer cancel()
	for from < one.at {
		changes, err := d.s.Directory.Changes(ctx, from, pageStep)
		if err != nil {
			return err
		}
		if len(changes) == 0 {
			return fmt.Errorf("change %d: %w", from+1, directory.ErrNotFound)
		}
		for i := range changes {
			if from = changes[i].Seq; from > one.at {
				break
			}
			d.enter(one, &changes[i].Entry)
		}
	}
	return nil
}

// enter puts the state of an entry into a ledger.
func (d *sender) enter(one *ledger, e *directory.Entry) {
	if d.shows(e) {
		if v, err := d.s.versionOf(e, d.s.self.epoch()); err == nil {
			one.take(e.ID, &v)
			return
		}
	}
	one.take(e.ID, nil)
}

// ledgerOf answers for what goes wrong with the ledger of who asks, or gives it.
func (s *Service) ledgerOf(w http.ResponseWriter, r *http.Request, d *sender, old bool) *ledger {
	one, ok, err := s.ledger.of(r.Context(), d, old)
	switch {
	case err != nil:
		s.fail(w, err)
	case !ok:
		w.Header().Set("Retry-After", strconv.Itoa(int(ledgerSoon/time.Second)))
		federation.Refuse(w, http.StatusServiceUnavailable, "it is being made: ask again")
	default:
		return one
	}
	return nil
}

func (s *Service) digest(w http.ResponseWriter, r *http.Request) {
	d := s.peerOf(w, r)
	if d == nil {
		return
	}
	if one := s.ledgerOf(w, r, d, false); one != nil {
		s.answerPacked(w, r, "application/json", one.summary())
	}
}

func (s *Service) bucket(w http.ResponseWriter, r *http.Request) {
	d := s.peerOf(w, r)
	if d == nil {
		return
	}
	n, err := strconv.Atoi(r.URL.Query().Get("n"))
	if err != nil || n < 0 || n > 255 {
		federation.Refuse(w, http.StatusBadRequest, "n: want 0 to 255")
		return
	}
	one := s.ledgerOf(w, r, d, true)
	if one == nil {
		return
	}
	list := bucketList{Items: []string{}}
	for _, v := range one.bucket(n) {
		list.Items = append(list.Items, string(appendVersion([]byte(v.name()+" "), v.epoch, v.version)))
	}
	s.answerPacked(w, r, "application/json", list)
}

// versionOf is the state of an entry as two directories compare it.
func (s *Service) versionOf(e *directory.Entry, epoch int64) (version, error) {
	v := version{host: s.host, epoch: epoch, version: e.Version}
	id := e.ID
	if e.Origin != "" {
		m := e.Private.Mirror
		v.host, v.epoch, v.version = e.Origin, m.Epoch, m.Version
		if m.ID != "" {
			id = m.ID
		}
	}
	var err error
	v.id, err = uuid.Parse(string(id))
	return v, err
}
