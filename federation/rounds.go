package federation

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"time"

	"archipel/directory"
	"archipel/federation/vocab"
)

const (
	processAtOnce = 32 // hosts whose activities are done at the same time
	heapsAtOnce   = 8  // records that are read at the same time: 2 MB, and at most 8

	maxRetries = 300 // activities of one host that are to be tried again; of more the oldest are left aside

	// A round waits so long for what takes longer than activities do; for a host that was slow a moment ago, less.
	usual       = 250 * time.Millisecond
	patience    = 2 * time.Second
	impatience  = 100 * time.Millisecond
	slowFor     = 10 * time.Minute
	lookAgain   = 50 * time.Millisecond
	maxLateness = 256 // hosts that nobody waits for
)

// heap is a record of what came in.
type heap struct {
	key   string
	items []*item
}

// item is a received activity.
type item struct {
	received
	again   bool // it is done anew, though it was done before: the operator said so
	ready   bool // nothing remains to be done
	waiting bool // its time has not come
}

// readHeap reads a record of what came in. One activity alone, and not a list, is one that an operator wants done anew.
func readHeap(r directory.Record) (heap, error) {
	h := heap{key: r.Key}
	if len(r.Value) > 0 && r.Value[0] == '{' {
		it := &item{again: true}
		h.items = append(h.items, it)
		return h, json.Unmarshal(r.Value, &it.received)
	}
	var list []received
	err := json.Unmarshal(r.Value, &list)
	for _, one := range list {
		h.items = append(h.items, &item{received: one})
	}
	return h, err
}

// rounds does what came in. Each host's activities are done one after the other; what takes long is not waited for, and
// stays on the list until it is known how it ended.
type rounds struct {
	s       *Service
	done    *seenLog
	late    map[string]*straggler // by host: one each, and meanwhile nothing else of it is begun
	slow    map[string]time.Time  // hosts that were not waited for, and when
	retries map[string]int        // by host, as the last pass found them
	running sync.WaitGroup
}

func newRounds(s *Service, done *seenLog) *rounds {
	return &rounds{s: s, done: done, late: map[string]*straggler{}, slow: map[string]time.Time{}, retries: map[string]int{}}
}

// straggler is an activity that goes on being done while the round in which it began is over.
type straggler struct {
	key   string // of its record, or of the one that it was in when it began
	seen  seenID
	it    item // how it ended; to be read when ended is closed
	ended chan struct{}
}

func (l *straggler) hasEnded() bool {
	select {
	case <-l.ended:
		return true
	default:
		return false
	}
}

// is reports whether it is that one of the list.
func (l *straggler) is(key string, it *item) bool {
	return it.seen() == l.seen && (key == l.key || strings.HasPrefix(key, l.key+"/"))
}

// pass does everything that is due, in rounds of some records.
func (r *rounds) pass(ctx context.Context) error {
	ended := map[string]*straggler{} // their records are on the list for certain
	for host, l := range r.late {
		if l.hasEnded() {
			ended[host] = l
		}
	}
	for host, at := range r.slow {
		if time.Since(at) > slowFor {
			delete(r.slow, host)
		}
	}
	retries := map[string]int{}
	for after := ""; ; {
		r.s.intake.calm(ctx)
		records, err := r.s.store.Records(ctx, kindInbox, after, heapsAtOnce)
		if err != nil {
			return err
		}
		if len(records) == 0 {
			break
		}
		after = records[len(records)-1].Key
		heaps, byHost := r.sort(records, retries)
		r.run(ctx, byHost)
		if err := directory.Held(ctx); err != nil {
			return err // what is not taken off the list will be done after the start, or by another node
		}
		if err := r.takeOff(ctx, heaps); err != nil {
			return err
		}
	}
	r.retries = retries
	for host, l := range ended {
		if r.late[host] == l {
			delete(r.late, host) // it is not on the list any more
		}
	}
	return nil
}

// listed is an activity on the list.
type listed struct {
	*item
	key string // of its record
}

// sort reads records, and finds what is to be done now, by host.
func (r *rounds) sort(records []directory.Record, retries map[string]int) (heaps []heap, byHost map[string][]listed) {
	byHost = map[string][]listed{}
	taken, now := map[seenID]bool{}, r.s.Now()
	for _, rec := range records {
		h, err := readHeap(rec)
		if err != nil {
			r.s.Log.Error("federation: a received activity is damaged and left aside", "key", rec.Key, "err", err)
			continue
		}
		heaps = append(heaps, h)
		for _, it := range h.items {
			id, host := it.seen(), vocab.Host(it.Actor)
			late := r.late[host]
			if late != nil && late.hasEnded() && late.is(h.key, it) {
				again := it.again
				*it, late = late.it, nil
				it.again = again
				delete(r.late, host)
				if !it.ready && it.Tries > 0 && !it.again {
					retries[host]++
				}
				taken[id] = true
				continue
			}
			switch {
			case !it.again && it.Tries == 0 && (taken[id] || r.done.has(id)):
				it.ready = true // it came to two nodes, or twice at once, or its record outlived it
			case it.Tries > 0 && !it.again && r.retries[host] > maxRetries:
				r.retries[host]--
				it.ready = true
				r.s.Log.Warn("federation: activity left aside, too many of its host are to be tried again", "id", it.ID, "actor", it.Actor)
			case late != nil || it.Next.After(now):
				it.waiting = true
			default:
				byHost[host] = append(byHost[host], listed{it, h.key})
			}
			if it.Tries > 0 && !it.again && !it.ready {
				retries[host]++
			}
			taken[id] = true
		}
	}
	return heaps, byHost
}

// worker does what is due of one host.
type worker struct {
	host    string
	items   []listed
	release func() // of its place among those that work

	mu    sync.Mutex
	at    int
	begun time.Time     // the one that is being done; zero: none
	spent time.Duration // on those that took longer than usual
	left  bool          // nobody waits for it any more
	late  *straggler    // what it was at then
}

func (w *worker) run(ctx context.Context, s *Service) {
	for i, it := range w.items {
		w.mu.Lock()
		if w.left {
			w.mu.Unlock()
			return
		}
		w.at, w.begun = i, time.Now()
		one := *it.item
		w.mu.Unlock()
		if directory.Held(ctx) == nil {
			s.finish(ctx, &one)
		}
		w.mu.Lock()
		w.spent += max(0, time.Since(w.begun)-usual)
		w.begun = time.Time{}
		if w.left {
			w.late.it = one
			close(w.late.ended)
			w.mu.Unlock()
			s.wake()
			return
		}
		*it.item = one
		w.mu.Unlock()
	}
}

// leave ends that w is waited for, when it has taken longer than that. What it is at remains on the list, and what it has not
// begun.
func (w *worker) leave(patience time.Duration) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.begun.IsZero() || w.spent+time.Since(w.begun) < patience {
		return false
	}
	w.left = true
	it := w.items[w.at]
	w.late = &straggler{key: it.key, seen: it.seen(), ended: make(chan struct{})}
	for _, it := range w.items[w.at:] {
		it.waiting = true
	}
	return true
}

// run does the activities of many hosts, and waits for those that do not take long.
func (r *rounds) run(ctx context.Context, byHost map[string][]listed) {
	slots, over := make(chan struct{}, processAtOnce), make(chan *worker, len(byHost))
	open := map[*worker]struct{}{}
	for host, items := range byHost {
		w := &worker{host: host, items: items, release: sync.OnceFunc(func() { <-slots })}
		open[w] = struct{}{}
		r.running.Go(func() {
			slots <- struct{}{}
			w.run(ctx, r.s)
			w.release()
			over <- w
		})
	}
	tick := time.NewTicker(lookAgain)
	defer tick.Stop()
	for len(open) > 0 {
		select {
		case w := <-over:
			delete(open, w)
			continue
		case <-tick.C:
		}
		for w := range open {
			wait := patience
			if _, slow := r.slow[w.host]; slow {
				wait = impatience
			}
			if len(r.late) < maxLateness && w.leave(wait) {
				r.late[w.host], r.slow[w.host] = w.late, time.Now()
				w.release()
				delete(open, w)
			}
		}
	}
}

// takeOff writes anew what is not done, notes what is, and erases the records: in this order, so that a crash between two
// of them loses nothing.
func (r *rounds) takeOff(ctx context.Context, heaps []heap) error {
	s, done := r.s, r.done
	var ids []seenID
	var empty []string
	for _, h := range heaps {
		if len(h.items) == 1 && !h.items[0].ready {
			if it := h.items[0]; !it.waiting {
				if err := s.rewrite(ctx, h.key, it); err != nil {
					return err
				}
			}
			continue
		}
		for i, it := range h.items {
			if it.ready {
				if id := it.seen(); !done.has(id) {
					ids = append(ids, id)
				}
				continue
			}
			// A record of its own, behind its heap and before whatever came later.
			err := put(ctx, s.store, kindInbox, fmt.Sprintf("%s/%04d", h.key, i), []received{it.received}, 0, time.Time{})
			if err != nil && !isStale(err) {
				return err
			}
		}
		empty = append(empty, h.key)
	}
	if err := done.done(ctx, ids, s.Now()); err != nil {
		return err
	}
	for _, key := range empty {
		if err := s.store.DeleteRecord(ctx, kindInbox, key, 0); err != nil {
			return err
		}
	}
	return nil
}

// rewrite puts one activity that is to be tried again in its own place.
func (s *Service) rewrite(ctx context.Context, key string, it *item) error {
	r, err := s.store.Record(ctx, kindInbox, key)
	if err != nil || r.Rev == 0 {
		return err
	}
	var v any = []received{it.received}
	if it.again {
		v = it.received
	}
	return put(ctx, s.store, kindInbox, key, v, r.Rev, time.Time{})
}
