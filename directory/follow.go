package directory

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"
)

// FollowerState says how a follower fares.
type FollowerState struct {
	Name  string
	At    Seq       // consumed up to here
	Err   error     // why it does not get on, nil when it does
	Since time.Time // of the error
}

type follower struct {
	Follower
	mu    sync.Mutex
	state FollowerState
}

func (f *follower) report(at Seq, err error, now time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err == nil {
		f.state = FollowerState{Name: f.Name(), At: at}
		return
	}
	if f.state.Err == nil {
		f.state.Since = now
	}
	f.state.Name, f.state.Err = f.Name(), err
}

// Followers says how each follower fares.
func (d *Directory) Followers() []FollowerState {
	states := make([]FollowerState, len(d.followers))
	for i, f := range d.followers {
		f.mu.Lock()
		states[i] = f.state
		f.mu.Unlock()
		states[i].Name = f.Name()
	}
	return states
}

// followerBatch is how many changes a follower is given at once.
const followerBatch = 500

// drive feeds one follower until ctx ends. Failures are retried with a growing, jittered pause of at most a minute.
func (d *Directory) drive(ctx context.Context, f *follower) {
	pauseFor := time.Duration(0)
	fail := func(what string, err error) {
		if ctx.Err() != nil {
			return
		}
		if pauseFor == 0 {
			d.log.Warn("follower failed, will try again", "follower", f.Name(), "step", what, "err", err)
			pauseFor = 200 * time.Millisecond
		} else if pauseFor *= 2; pauseFor > time.Minute {
			pauseFor = time.Minute
		}
		f.report(0, err, d.now())
		pause(ctx, pauseFor/2+rand.N(pauseFor))
	}
	var at Seq
	for known := false; !known && ctx.Err() == nil; {
		saved, err := d.store.Cursor(ctx, f.Name())
		if err != nil {
			fail("read cursor", err)
			continue
		}
		at, known = saved, true
	}
	for ctx.Err() == nil {
		woken := d.woken()
		changes, err := d.store.Changes(ctx, at, followerBatch)
		if err != nil {
			fail("read the log", err)
			continue
		}
		if len(changes) == 0 {
			f.report(at, nil, d.now())
			pauseFor = 0
			select {
			case <-ctx.Done():
			case <-woken:
			}
			continue
		}
		if err := f.Consume(ctx, changes); err != nil {
			fail("consume", err)
			continue
		}
		at = changes[len(changes)-1].Seq
		if err := d.store.SaveCursor(ctx, f.Name(), at); err != nil {
			fail("save cursor", err) // the same changes may come again after a restart; effects are idempotent
			continue
		}
		pauseFor = 0
		f.report(at, nil, d.now())
	}
}

// redactor finishes redactions: a process may die between the change that says so and the erasing.
type redactor struct{ store Store }

func (redactor) Name() string { return "redact" }

func (r redactor) Consume(ctx context.Context, changes []Change) error {
	for _, c := range changes {
		if c.Op == OpRedact {
			if _, err := r.store.Redact(ctx, c.Entry.ID, c.Seq); err != nil {
				return err
			}
		}
	}
	return nil
}
