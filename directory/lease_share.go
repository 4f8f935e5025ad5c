package directory

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"
)

// share takes work that nobody does, up to this node's share, and gives up what is more than that.
func (l *Leases) share(ctx context.Context, nodes map[string]bool, leases map[string]Record) error {
	var failures []error
	works, mine := l.reap(ctx)
	slices.SortFunc(works, func(a, b *work) int { return strings.Compare(a.name, b.name) })
	most := (len(works) + len(nodes) - 1) / len(nodes)
	now := time.Now()
	for _, w := range works {
		if time.Since(now) > l.beat {
			l.wake() // the rest after the next sign of life
			break
		}
		r := leases[w.name]
		var holder leaseRecord
		_ = json.Unmarshal(r.Value, &holder) // one that cannot be read is nobody's
		l.mu.Lock()
		busy := w.stopped != nil
		switch {
		case busy && mine > most && w.ctx.Err() == nil:
			w.giving = true
			w.stop()
			mine--
		case busy && (holder.Node != l.node || r.Rev != w.rev):
			w.stop() // cannot be while we live; but if it is, what the store says holds
		}
		l.mu.Unlock()
		switch {
		case busy:
			continue
		case holder.Node != "" && holder.Node != l.node && nodes[holder.Node]:
			delete(l.free, w.name)
			continue
		}
		since, known := l.free[w.name]
		if !known {
			since = now
			l.free[w.name] = now
		}
		if mine >= most && now.Sub(since) < l.dead {
			continue // for those who have less; should nobody take it, we do
		}
		taken, err := l.take(ctx, w, r, holder.Node)
		if err != nil {
			failures = append(failures, err)
		}
		if taken {
			mine++
		}
	}
	return errors.Join(failures...)
}

// reap sees what has ended, and returns what this node would do and how much of it it does.
func (l *Leases) reap(ctx context.Context) (works []*work, mine int) {
	type given struct {
		name string
		rev  int64
	}
	var give []given
	l.mu.Lock()
	for _, w := range l.works {
		if w.leaving {
			continue
		}
		if w.stopped != nil {
			select {
			case <-w.stopped:
				if w.giving {
					give = append(give, given{w.name, w.rev})
				}
				w.stopped, w.giving = nil, false
			default:
				mine++
			}
		}
		works = append(works, w)
	}
	l.mu.Unlock()
	for _, g := range give {
		l.giveUp(ctx, g.name, g.rev)
	}
	return works, mine
}

// giveUp lets others have a work that has ended here.
func (l *Leases) giveUp(ctx context.Context, name string, rev int64) {
	err := l.store.PutRecord(ctx, kindLease, Record{Key: name, Value: []byte(`{"node":""}`), Rev: rev})
	if err != nil && !errors.Is(err, ErrStale) {
		l.log.Warn("work is not given up yet", "work", name, "err", err) // the next round of this node takes it again, or its end frees it
	}
	l.log.Debug("work given up", "work", name)
}

// take writes this node into a lease of nobody who lives, and begins the work.
func (l *Leases) take(ctx context.Context, w *work, r Record, holder string) (bool, error) {
	if holder != "" && holder != l.node {
		// It may have begun to live since we looked: whoever takes work has a record before.
		if node, err := l.store.Record(ctx, kindNode, holder); err != nil || node.Rev > 0 {
			return false, err
		}
	}
	value, err := json.Marshal(leaseRecord{l.node})
	if err != nil {
		return false, err
	}
	err = l.store.PutRecord(ctx, kindLease, Record{Key: w.name, Value: value, Rev: r.Rev})
	if errors.Is(err, ErrStale) {
		return false, nil // somebody was faster
	}
	if err != nil {
		return false, err
	}
	delete(l.free, w.name)
	l.mu.Lock()
	if w.leaving {
		l.mu.Unlock()
		l.giveUp(ctx, w.name, r.Rev+1)
		return false, nil
	}
	defer l.mu.Unlock()
	stopped := make(chan struct{})
	w.rev, w.stopped = r.Rev+1, stopped
	w.ctx, w.stop = context.WithCancel(context.WithValue(w.parent, heldKey{}, l))
	l.log.Debug("work taken", "work", w.name, "node", l.node)
	go func(ctx context.Context) { // Run and Drive wait for it
		defer l.wake()
		defer close(stopped)
		again(ctx, w.name, l.log, w.do)
	}(w.ctx)
	return true, nil
}
