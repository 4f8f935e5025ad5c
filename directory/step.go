package directory

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// stepper is the place of a follower in the log, while it is driven here.
type stepper struct {
	d      *Directory
	name   string
	shared bool
	at     Seq // as it is in the store
}

type stepKey struct{}

func (s *stepper) read(ctx context.Context) error {
	at, err := s.d.store.Cursor(ctx, s.name)
	if err == nil {
		s.at = at
	}
	return err
}

// to makes a position durable, also while the program stops: what has been done shall not be done again.
func (s *stepper) to(ctx context.Context, at Seq) error {
	if at <= s.at {
		return nil
	}
	if !s.shared { // every node has its own, whatever the others say
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 3*time.Second)
		defer cancel()
		err := s.d.store.SaveCursor(ctx, s.name, at)
		if err == nil {
			s.at = at
		}
		return err
	}
	err := s.d.steps.move(ctx, s.d.store, CursorMove{s.name, s.at, at})
	if err == nil {
		s.at = at
	}
	return err
}

// Progress makes durable that a follower is done with every change up to at, in the midst of [Follower.Consume], with the
// context that this was given. The error wraps [ErrStale] when another process drives the follower now: stop.
func Progress(ctx context.Context, at Seq) error {
	s, ok := ctx.Value(stepKey{}).(*stepper)
	if !ok {
		return fmt.Errorf("progress to %d: not in a follower's context", at)
	}
	return s.to(ctx, at)
}

// steps saves the positions of many followers with few writes: while the store writes some, others gather.
type steps struct {
	writing sync.Mutex
	mu      sync.Mutex
	next    *stepBatch
	many    bool // several came together last time; guarded by writing
}

type stepBatch struct {
	moves []CursorMove
	stale map[string]bool
	done  chan struct{}
	err   error
}

// gather is how long positions are waited for while many followers move.
const gather = 25 * time.Millisecond

// move does not end before the position is durable or the store has failed.
func (q *steps) move(ctx context.Context, store Store, m CursorMove) error {
	q.mu.Lock()
	b := q.next
	if b == nil {
		b = &stepBatch{done: make(chan struct{})}
		q.next = b
	}
	b.moves = append(b.moves, m)
	first := len(b.moves) == 1
	q.mu.Unlock()
	if first {
		q.write(ctx, store, b)
	} else {
		<-b.done
	}
	if b.err == nil && b.stale[m.Name] {
		return fmt.Errorf("cursor %s is not at %d: %w", m.Name, m.From, ErrStale)
	}
	return b.err
}

func (q *steps) write(ctx context.Context, store Store, b *stepBatch) {
	q.writing.Lock()
	defer q.writing.Unlock()
	if q.many {
		time.Sleep(gather)
	}
	q.mu.Lock()
	q.next = nil
	q.mu.Unlock()
	q.many = len(b.moves) > 2
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 3*time.Second)
	defer cancel()
	stale, err := store.MoveCursors(ctx, b.moves)
	b.err, b.stale = err, make(map[string]bool, len(stale))
	for _, name := range stale {
		b.stale[name] = true
	}
	close(b.done)
}

// readings are the last parts of the log that were read: a thousand followers at the same place share one reading.
type readings struct {
	mu   sync.Mutex
	last []*reading
}

type reading struct {
	at, head Seq
	done     chan struct{}
	changes  []Change
	err      error
}

const (
	maxReadings = 4
	keptChanges = 50 // a reading of more is shared only while it is read
)

// after returns the changes that come after at, as far as this process knows of them.
func (d *Directory) after(ctx context.Context, at Seq) ([]Change, error) {
	head := d.Head()
	if at >= head {
		return nil, nil
	}
	q := &d.readings
	q.mu.Lock()
	for _, r := range q.last {
		if r.at == at && r.head == head {
			q.mu.Unlock()
			<-r.done
			if r.err == nil {
				return r.changes, nil
			}
			return d.store.Changes(ctx, at, followerBatch)
		}
	}
	r := &reading{at: at, head: head, done: make(chan struct{})}
	q.last = append(q.last, r)
	if len(q.last) > maxReadings {
		q.last = append([]*reading(nil), q.last[1:]...)
	}
	q.mu.Unlock()
	r.changes, r.err = d.store.Changes(ctx, at, followerBatch)
	close(r.done)
	if r.err != nil || len(r.changes) > keptChanges {
		q.mu.Lock()
		for i, other := range q.last {
			if other == r {
				q.last = append(append([]*reading(nil), q.last[:i]...), q.last[i+1:]...)
				break
			}
		}
		q.mu.Unlock()
	}
	return r.changes, r.err
}
