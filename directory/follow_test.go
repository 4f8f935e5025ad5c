package directory_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"archipel/directory"
)

// listener is a Follower that notes the names it was given, and fails while failing says so.
type listener struct {
	name    string
	failing func() error
	mu      sync.Mutex
	heard   []string
	asked   int
}

func (l *listener) Name() string { return l.name }

func (l *listener) Consume(_ context.Context, changes []directory.Change) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.asked++
	if l.failing != nil {
		if err := l.failing(); err != nil {
			return err
		}
	}
	for _, c := range changes {
		l.heard = append(l.heard, c.Entry.Name)
	}
	return nil
}

func (l *listener) names() ([]string, int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]string(nil), l.heard...), l.asked
}

func waitFor(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for range 500 {
		if ok() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("waited in vain: %s", what)
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

	second := &listener{name: "late"}
	d.Follow(second)
	put(t, d, place("after"))
	waitFor(t, "the one that took its place", func() bool { names, _ := second.names(); return len(names) == 1 && names[0] == "after" })
	if names, _ := first.names(); len(names) != 1 {
		t.Errorf("the replaced follower heard %q", names)
	}

	d.Unfollow("late")
	for _, f := range d.Followers() {
		if f.Name == "late" {
			t.Errorf("%q is still listed", f.Name)
		}
	}
	put(t, d, place("nobody hears"))
	time.Sleep(50 * time.Millisecond)
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
	waitFor(t, "the first try", func() bool { _, asked := l.names(); return asked == 1 })
	time.Sleep(100 * time.Millisecond)
	if _, asked := l.names(); asked != 1 {
		t.Errorf("asked %d times within the pause that it wanted", asked)
	}
	states := d.Followers()
	if s := states[len(states)-1]; s.Err == nil || s.Since.IsZero() {
		t.Errorf("its state says nothing of the failure: %+v", s)
	}
	mu.Lock()
	down = false
	mu.Unlock()
	waitFor(t, "the second try", func() bool { names, _ := l.names(); return len(names) == 1 })
}
