package directory_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"archipel/directory"
)

// listener is a Follower that notes the names it was given, each once, since any change may come again; it fails while failing
// says so.
type listener struct {
	name    string
	failing func() error
	mu      sync.Mutex
	heard   []string
	asked   []time.Time // until it heard something
}

func (l *listener) Name() string { return l.name }

func (l *listener) Consume(_ context.Context, changes []directory.Change) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.heard) == 0 {
		l.asked = append(l.asked, time.Now())
	}
	if l.failing != nil {
		if err := l.failing(); err != nil {
			return err
		}
	}
	for _, c := range changes {
		if !slices.Contains(l.heard, c.Entry.Name) {
			l.heard = append(l.heard, c.Entry.Name)
		}
	}
	return nil
}

func (l *listener) names() ([]string, []time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.heard), slices.Clone(l.asked)
}

func waitFor(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("waited in vain: %s", what)
}

// at says how far a follower has come, by its saved cursor.
func at(d *directory.Directory, name string) directory.Seq {
	for _, f := range d.Followers() {
		if f.Name == name {
			return f.At
		}
	}
	return 0
}

func TestFollowWhileRunning(t *testing.T) {
	d := openDirectory(t, directory.Options{})
	run(t, d)
	put(t, d, place("before"))
	if err := d.Store().SaveCursor(t.Context(), "late", d.Head()); err != nil {
		t.Fatal(err)
	}
	first := &listener{name: "late"}
	d.Follow(first)
	put(t, d, place("while"))
	waitFor(t, "the follower to hear of it", func() bool { names, _ := first.names(); return len(names) == 1 && names[0] == "while" })
	// One that is replaced between hearing of a change and the saving of its cursor leaves it to the next to hear again.
	waitFor(t, "its cursor", func() bool { return at(d, "late") == d.Head() })

	second := &listener{name: "late"}
	d.Follow(second)
	// It says where it is once it has begun; by then the one before has stopped.
	waitFor(t, "the one that takes its place", func() bool { return at(d, "late") == d.Head() })
	put(t, d, place("after"))
	waitFor(t, "the one that took its place", func() bool { names, _ := second.names(); return len(names) == 1 && names[0] == "after" })
	if names, _ := first.names(); len(names) != 1 {
		t.Errorf("the replaced follower heard %q", names)
	}

	waitFor(t, "its cursor", func() bool { return at(d, "late") == d.Head() })
	d.Unfollow("late")
	for _, f := range d.Followers() {
		if f.Name == "late" {
			t.Errorf("%q is still listed", f.Name)
		}
	}
	for _, name := range []string{"witness", "second witness"} { // which has joined after the other left
		w := &listener{name: name}
		d.Follow(w)
		waitFor(t, "a witness", func() bool { names, _ := w.names(); return len(names) == 3 })
	}
	put(t, d, place("nobody hears"))
	waitFor(t, "the witness", func() bool { return at(d, "second witness") == d.Head() })
	if names, _ := second.names(); len(names) != 1 {
		t.Errorf("after Unfollow it heard %q", names)
	}
}

func TestLaterSaysWhen(t *testing.T) {
	d := openDirectory(t, directory.Options{})
	down := true
	var mu sync.Mutex
	l := &listener{name: "slow", failing: func() error {
		mu.Lock()
		defer mu.Unlock()
		if down {
			return &directory.Later{After: 300 * time.Millisecond, Err: errors.New("the other side is away")}
		}
		return nil
	}}
	d.Follow(l)
	run(t, d)
	put(t, d, place("waits"))
	waitFor(t, "what its state says of the failure", func() bool {
		states := d.Followers()
		s := states[len(states)-1]
		return s.Err != nil && !s.Since.IsZero()
	})
	mu.Lock()
	down = false
	mu.Unlock()
	waitFor(t, "the second try", func() bool { names, _ := l.names(); return len(names) == 1 })
	_, asked := l.names()
	for i, at := range asked[1:] {
		if pause := at.Sub(asked[i]); pause < 300*time.Millisecond {
			t.Errorf("asked again after %v, sooner than it wanted", pause)
		}
	}
}
