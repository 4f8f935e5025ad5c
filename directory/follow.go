package directory

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// FollowerState says how a follower fares.
type FollowerState struct {
	Name  string
	At    Seq       // consumed up to here
	Err   error     // why it does not get on, nil when it does
	Since time.Time // of the error

	Elsewhere bool // another node drives it, or nobody yet; what is said of it here is not how it fares
}

// Later is an error of [Follower.Consume] that says when the same changes shall come again.
type Later struct {
	After time.Duration
	Err   error
}

func (l *Later) Error() string { return l.Err.Error() }
func (l *Later) Unwrap() error { return l.Err }

type follower struct {
	Follower
	shared  bool
	here    atomic.Bool   // a shared one is driven on this node
	stopped chan struct{} // closed when it is not driven any more
	mu      sync.Mutex
	state   FollowerState
}

func newFollower(f Follower) *follower {
	s, ok := f.(Shared)
	return &follower{Follower: f, shared: ok && s.Shared(), stopped: make(chan struct{})}
}

// Follow adds a follower to a directory that may be running. It goes on from its saved cursor, so whoever wants only what
// comes saves one first. A follower of the same name is replaced, and has stopped before the new one begins.
func (d *Directory) Follow(f Follower) {
	d.changeFollowers(f.Name(), newFollower(f))
}

// Unfollow takes a follower away. Its cursor stays.
func (d *Directory) Unfollow(name string) {
	d.changeFollowers(name, nil)
}

func (d *Directory) changeFollowers(name string, add *follower) {
	d.followMu.Lock()
	defer d.followMu.Unlock()
	kept := slices.DeleteFunc(slices.Clone(d.followers), func(f *follower) bool { return f.Name() == name })
	if add != nil {
		kept = append(kept, add)
	}
	d.followers = kept
	close(d.joined)
	d.joined = make(chan struct{})
}

// Run watches for what other processes write and drives the followers, until ctx ends and all of them have stopped.
func (d *Directory) Run(ctx context.Context) {
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() { d.watch(ctx) })
	wg.Go(func() { d.leases.Drive(ctx) })
	type driven struct {
		*follower
		stop context.CancelFunc
	}
	running := map[string]driven{}
	for ctx.Err() == nil {
		d.followMu.Lock()
		followers, joined := d.followers, d.joined
		d.followMu.Unlock()
		wanted := make(map[string]bool, len(followers))
		for _, f := range followers {
			wanted[f.Name()] = true
			before, known := running[f.Name()]
			if known && before.follower == f {
				continue
			}
			if known {
				before.stop()
			}
			one, stop := context.WithCancel(ctx)
			running[f.Name()] = driven{f, stop}
			wg.Go(func() {
				defer close(f.stopped)
				defer stop()
				if known {
					<-before.stopped
				}
				d.driveShared(one, f)
			})
		}
		for name, f := range running {
			if !wanted[name] {
				f.stop()
				<-f.stopped // a follower of that name that comes later begins after it
				delete(running, name)
			}
		}
		select {
		case <-ctx.Done():
		case <-joined:
		}
	}
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
	d.followMu.Lock()
	followers := d.followers
	d.followMu.Unlock()
	states := make([]FollowerState, len(followers))
	for i, f := range followers {
		f.mu.Lock()
		states[i] = f.state
		f.mu.Unlock()
		states[i].Name, states[i].Elsewhere = f.Name(), f.shared && d.leases != nil && !f.here.Load()
	}
	return states
}

// driveShared drives a follower, on this node while no other does when it is [Shared].
func (d *Directory) driveShared(ctx context.Context, f *follower) {
	if !f.shared {
		d.drive(ctx, f)
		return
	}
	name := "follow " + f.Name()
	if len(name) > MaxRecordKey {
		name = fmt.Sprintf("%s %x", name[:MaxRecordKey-80], sha256.Sum256([]byte(name)))
	}
	d.leases.Run(ctx, name, func(ctx context.Context) error {
		f.here.Store(true)
		defer f.here.Store(false)
		d.drive(ctx, f)
		return nil
	})
}

// followerBatch is how many changes a follower is given at once.
const followerBatch = 500

// drive feeds one follower until ctx ends. Failures are retried with a growing, jittered pause of at most a minute, or
// when the follower says (see [Later]).
func (d *Directory) drive(ctx context.Context, f *follower) {
	pauseFor := time.Duration(0)
	fail := func(what string, err error) {
		if ctx.Err() != nil {
			return
		}
		var later *Later
		if errors.As(err, &later) {
			f.report(0, err, d.now())
			pause(ctx, later.After)
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
	step := &stepper{d: d, name: f.Name(), shared: f.shared}
	for known := false; !known && ctx.Err() == nil; {
		if err := step.read(ctx); err != nil {
			fail("read cursor", err)
			continue
		}
		known = true
	}
	consuming := context.WithValue(ctx, stepKey{}, step)
	for ctx.Err() == nil {
		woken := d.woken()
		changes, err := d.after(ctx, step.at)
		if err != nil {
			fail("read the log", err)
			continue
		}
		if len(changes) == 0 {
			f.report(step.at, nil, d.now())
			pauseFor = 0
			select {
			case <-ctx.Done():
			case <-woken:
			}
			continue
		}
		if Held(ctx) != nil {
			return // another node goes on from the cursor
		}
		err = f.Consume(consuming, changes)
		if err == nil {
			err = step.to(ctx, changes[len(changes)-1].Seq)
		}
		if errors.Is(err, ErrStale) {
			// Somebody moved the cursor: what they say is where it goes on.
			d.log.Warn("a follower was driven by somebody else too", "follower", f.Name())
			if err = step.read(ctx); err == nil {
				continue
			}
		}
		if err != nil {
			fail("consume", err) // the same changes may come again; effects are idempotent
			continue
		}
		pauseFor = 0
		f.report(step.at, nil, d.now())
	}
}

// redactor finishes redactions: a process may die between the change that says so and the erasing. That change is written blank,
// and stays: what it says of a mirrored entry keeps the entry from coming back, also where only the log is restored.
type redactor struct{ store Store }

func (redactor) Name() string { return "redact" }
func (redactor) Shared() bool { return true }

func (r redactor) Consume(ctx context.Context, changes []Change) error {
	for _, c := range changes {
		if c.Op == OpRedact {
			if _, err := r.store.Redact(ctx, c.Entry.ID, c.Seq-1); err != nil {
				return err
			}
		}
	}
	return nil
}
