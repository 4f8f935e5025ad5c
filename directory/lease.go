package directory

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// leaseBeat is how often a node says that it lives, unless [LeaseOptions] say otherwise. A node that dies is replaced after
// less than seven beats: 21 s.
const leaseBeat = 3 * time.Second

const (
	kindNode  = "node"  // by the id of the node: the sign of life of each, as a counter
	kindLease = "lease" // by the name of the work: who does it
)

// ErrLost reports that the work belongs to another node now: stop, and leave alone what is half done.
var ErrLost = errors.New("another node does this now")

// LeaseOptions configure [Leases]. Store is required.
type LeaseOptions struct {
	Store Records
	Log   *slog.Logger
	Beat  time.Duration // for tests: the other times keep their proportion to it
}

// Leases share work among the nodes of one instance: of what has a name, one node at a time does it.
//
// Each node has a record in which it counts its beats, and each work one that names its node. A node whose counter another
// has seen stand still for long enough, by the other's own monotonic clock, is declared dead by erasing its record; that is
// a compare-and-set, so one that wakes up finds out before it says that it lives. A node that cannot say so stops working well
// before the others may think it dead. The clocks of the nodes need not agree, only run at the same speed.
//
// Work is spread evenly: a node takes no more than its share while others live.
//
// A nil *Leases is that of a lone node: it does everything, at once.
type Leases struct {
	store       Records
	log         *slog.Logger
	beat        time.Duration
	valid, dead time.Duration // how long one may go on without being able to say that it lives; after how long it is thought dead

	mu    sync.Mutex
	works map[string]*work // what this node would do
	news  chan struct{}    // something was added, or has ended

	node  string    // id of this node, a new one after it was declared dead; "" before it is known
	rev   int64     // of its record
	alive time.Time // when the last beat that succeeded began; guarded by mu

	seen    map[string]*sign // of the other nodes
	scanned time.Time
	free    map[string]time.Time // since when work that nobody does was seen so
}

// sign is the last sign of life of another node, and when it was seen to change.
type sign struct {
	rev   int64
	value string
	since time.Time
}

// work is something that this node would do. Its fields are guarded by Leases.mu.
type work struct {
	name    string
	do      func(context.Context) error
	parent  context.Context
	leaving bool // not wanted any more

	// While it is done, and until its end was seen:
	ctx     context.Context
	stop    context.CancelFunc
	stopped chan struct{} // closed when it has ended; nil when it is not done here
	rev     int64         // of the lease
	giving  bool          // others shall have it
}

// leaseRecord says who does a work; an empty node: nobody.
type leaseRecord struct {
	Node string `json:"node"`
}

// NewLeases makes the leases of a node. They do nothing before [Leases.Drive] runs.
func NewLeases(o LeaseOptions) *Leases {
	l := &Leases{
		store: o.Store, log: o.Log, beat: o.Beat, works: map[string]*work{}, news: make(chan struct{}, 1),
		seen: map[string]*sign{}, free: map[string]time.Time{},
	}
	if l.log == nil {
		l.log = slog.Default()
	}
	if l.beat <= 0 {
		l.beat = leaseBeat
	}
	l.valid, l.dead = 3*l.beat, 5*l.beat
	return l
}

// Run does work under a name whenever this node is the one to do it, until ctx ends. The context that work gets ends when
// the work goes to another node; work must end then, for nobody else begins before it has. Before each effect that cannot be
// taken back it asks [Held]: a node that was paused may have been replaced in the meantime. When work ends by itself it is
// called again after a pause.
func (l *Leases) Run(ctx context.Context, name string, do func(context.Context) error) {
	if l == nil {
		again(ctx, name, slog.Default(), do)
		return
	}
	w := &work{name: name, do: do, parent: ctx}
	for !l.add(w) { // one of the same name is about to end
		if pause(ctx, l.beat/10) != nil {
			return
		}
	}
	l.wake()
	<-ctx.Done()
	l.mu.Lock()
	w.leaving = true
	stopped, rev := w.stopped, w.rev
	l.mu.Unlock()
	if stopped != nil {
		<-stopped
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), l.beat)
		l.giveUp(last, name, rev)
		cancel()
	}
	l.mu.Lock()
	delete(l.works, name)
	l.mu.Unlock()
}

func (l *Leases) add(w *work) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.works[w.name] != nil {
		return false
	}
	l.works[w.name] = w
	return true
}

// again calls do, and again after a pause when it ends by itself.
func again(ctx context.Context, name string, log *slog.Logger, do func(context.Context) error) {
	for wait := 200 * time.Millisecond; ctx.Err() == nil; wait = min(2*wait, time.Minute) {
		if err := do(ctx); err != nil && ctx.Err() == nil && !errors.Is(err, ErrLost) {
			log.Warn("shared work failed, will try again", "work", name, "err", err)
		}
		if pause(ctx, wait) != nil {
			return
		}
	}
}

type heldKey struct{}

// Held returns nil while the work that ctx was made for belongs to this node, else an error wrapping [ErrLost] or that of
// ctx. A context that was made for no work is held for ever.
func Held(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if l, ok := ctx.Value(heldKey{}).(*Leases); ok && !l.living() {
		return ErrLost
	}
	return nil
}

// living reports whether this node may believe that nobody thinks it dead.
func (l *Leases) living() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.node != "" && time.Since(l.alive) < l.valid
}

func (l *Leases) wake() {
	select {
	case l.news <- struct{}{}:
	default:
	}
}

// Drive keeps this node alive and shares the work, until ctx ends and all work has ended.
func (l *Leases) Drive(ctx context.Context) {
	if l == nil {
		return
	}
	// Between two beats, since what must stop must not wait for a store that hangs.
	watched, stop := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() { l.watch(watched) })
	tick := time.NewTicker(l.beat)
	defer tick.Stop()
	for ctx.Err() == nil {
		if err := l.round(ctx); err != nil && ctx.Err() == nil {
			l.log.Warn("the nodes cannot be asked who does what", "err", err)
		}
		select {
		case <-ctx.Done():
		case <-tick.C:
		case <-l.news:
		}
	}
	stop()
	wg.Wait()
	for _, stopped := range l.stopAll() {
		<-stopped
	}
	l.mu.Lock()
	node, rev := l.node, l.rev
	l.node = ""
	l.mu.Unlock()
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), l.beat)
	defer cancel()
	if node != "" { // what it did is free for others from now on
		_ = l.store.DeleteRecord(last, kindNode, node, rev) // else the others find out by themselves
	}
}

// watch ends the work of a node that cannot say that it lives.
func (l *Leases) watch(ctx context.Context) {
	tick := time.NewTicker(l.beat / 3)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if !l.living() {
			l.stopAll()
		}
	}
}

// stopAll stops everything that is done here, and returns what is closed when it has ended.
func (l *Leases) stopAll() []chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	var ends []chan struct{}
	for _, w := range l.works {
		if w.stopped != nil {
			w.stop()
			ends = append(ends, w.stopped)
		}
	}
	return ends
}

// round says that this node lives, looks who else does, and takes or gives up work.
func (l *Leases) round(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, l.valid-l.beat)
	defer cancel()
	if err := l.sayAlive(ctx); err != nil {
		return err
	}
	nodes, err := l.look(ctx)
	if err != nil {
		return err
	}
	leases := map[string]Record{}
	for after := ""; ; {
		page, err := l.store.Records(ctx, kindLease, after, 500)
		if err != nil {
			return err
		}
		if len(page) == 0 {
			break
		}
		for _, r := range page {
			leases[r.Key] = r
		}
		after = page[len(page)-1].Key
	}
	return l.share(ctx, nodes, leases)
}

// sayAlive counts one beat. Who was declared dead in the meantime begins anew, without any work.
func (l *Leases) sayAlive(ctx context.Context) error {
	l.mu.Lock()
	node, rev := l.node, l.rev
	l.mu.Unlock()
	begin := time.Now()
	if node != "" {
		value := json.RawMessage(fmt.Sprintf(`{"beat":%d}`, rev+1))
		err := l.store.PutRecord(ctx, kindNode, Record{Key: node, Value: value, Rev: rev})
		if errors.Is(err, ErrStale) {
			// A write whose answer was lost may stand: nobody but us counts there.
			var r Record
			if r, err = l.store.Record(ctx, kindNode, node); err == nil && r.Rev > 0 {
				l.mu.Lock()
				l.rev = r.Rev
				l.mu.Unlock()
				return fmt.Errorf("node %s: %w", node, ErrStale)
			}
			if err == nil {
				l.log.Warn("this node was thought dead; it begins anew", "node", node)
				l.stopAll()
				node = ""
			}
		}
		if err != nil {
			return err
		}
	}
	if node == "" {
		node, rev = string(NewID()), 0
		if err := l.store.PutRecord(ctx, kindNode, Record{Key: node, Value: []byte(`{"beat":1}`)}); err != nil {
			return err
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.node, l.rev, l.alive = node, rev+1, begin
	return nil
}

// look returns who lives, this node among them, and declares dead those who have given no sign for long enough.
func (l *Leases) look(ctx context.Context) (map[string]bool, error) {
	now := time.Now()
	if now.Sub(l.scanned) > 3*l.beat { // we were away ourselves: what stood still meanwhile says nothing
		clear(l.seen)
		clear(l.free)
	}
	alive := map[string]bool{l.node: true}
	there := map[string]bool{}
	for after := ""; ; {
		page, err := l.store.Records(ctx, kindNode, after, 500)
		if err != nil {
			return nil, err
		}
		if len(page) == 0 {
			break
		}
		after = page[len(page)-1].Key
		read := time.Now() // a sign may have been given as late as this
		for _, r := range page {
			if r.Key == l.node {
				continue
			}
			there[r.Key] = true
			s := l.seen[r.Key]
			if s == nil || s.rev != r.Rev || s.value != string(r.Value) {
				l.seen[r.Key] = &sign{r.Rev, string(r.Value), read}
				alive[r.Key] = true
				continue
			}
			if now.Sub(s.since) < l.dead {
				alive[r.Key] = true
				continue
			}
			err := l.store.DeleteRecord(ctx, kindNode, r.Key, r.Rev)
			switch {
			case err == nil:
				l.log.Warn("a node died", "node", r.Key)
				delete(l.seen, r.Key)
				delete(there, r.Key)
			case errors.Is(err, ErrStale): // it has just given one, or somebody else was faster
				alive[r.Key] = true
			default:
				return nil, err
			}
		}
	}
	for node := range l.seen {
		if !there[node] {
			delete(l.seen, node)
		}
	}
	l.scanned = now
	return alive, nil
}
