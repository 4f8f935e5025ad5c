package storetest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"archipel/directory"
)

const (
	leaseWorks = 6
	leaseBeat  = 40 * time.Millisecond
)

// frozen is a store whose node can be paused: what it asks for hangs until it goes on, as does a process that is stopped.
type frozen struct {
	directory.Store
	mu   sync.Mutex
	wait chan struct{} // nil while it goes on
}

func (f *frozen) freeze() func() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.wait = make(chan struct{})
	return func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		close(f.wait)
		f.wait = nil
	}
}

func (f *frozen) pass(ctx context.Context) error {
	f.mu.Lock()
	wait := f.wait
	f.mu.Unlock()
	if wait != nil {
		select {
		case <-wait:
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", directory.ErrUnavailable, ctx.Err())
		}
	}
	return nil
}

func (f *frozen) PutRecord(ctx context.Context, kind string, r directory.Record) error {
	if err := f.pass(ctx); err != nil {
		return err
	}
	return f.Store.PutRecord(ctx, kind, r)
}

func (f *frozen) Records(ctx context.Context, kind, after string, limit int) ([]directory.Record, error) {
	if err := f.pass(ctx); err != nil {
		return nil, err
	}
	return f.Store.Records(ctx, kind, after, limit)
}

// crew is some nodes, and who does what as they themselves believe at the moment of an effect.
type crew struct {
	t     *testing.T
	mu    sync.Mutex
	doing map[string]*leaseNode
	twice atomic.Int32
}

type leaseNode struct {
	*crew
	name   string
	store  *frozen
	leases *directory.Leases
	mine   sync.Map // works whose function runs here
	kill   context.CancelFunc
	ended  chan struct{}
}

func (c *crew) start(name string, s directory.Store) *leaseNode {
	n := &leaseNode{crew: c, name: name, store: &frozen{Store: s}, ended: make(chan struct{})}
	n.leases = directory.NewLeases(directory.LeaseOptions{Store: n.store, Beat: leaseBeat, Log: slog.New(slog.DiscardHandler)})
	ctx, stop := context.WithCancel(context.Background())
	n.kill = stop
	var wg sync.WaitGroup
	wg.Go(func() { n.leases.Drive(ctx) })
	for i := range leaseWorks {
		work := fmt.Sprint("work ", i)
		wg.Go(func() { n.leases.Run(ctx, work, func(ctx context.Context) error { return n.work(ctx, work) }) })
	}
	go func() { wg.Wait(); close(n.ended) }()
	c.t.Cleanup(func() { stop(); <-n.ended })
	return n
}

// work has an effect again and again, as long as the node may. An effect while another node has its own at the same time is
// what must never happen.
func (n *leaseNode) work(ctx context.Context, name string) error {
	n.mine.Store(name, true)
	defer n.mine.Delete(name)
	for ctx.Err() == nil {
		if directory.Held(ctx) != nil {
			return directory.ErrLost
		}
		n.mu.Lock()
		if other := n.doing[name]; other != nil && other != n {
			n.twice.Add(1)
		}
		n.doing[name] = n
		n.mu.Unlock()
		time.Sleep(2 * time.Millisecond)
		n.mu.Lock()
		if n.doing[name] == n {
			delete(n.doing, name)
		}
		n.mu.Unlock()
	}
	return nil
}

func (n *leaseNode) works() int {
	count := 0
	n.mine.Range(func(any, any) bool { count++; return true })
	return count
}

// await waits until each node does so much.
func (c *crew) await(what string, want map[*leaseNode]int) {
	c.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		ok := true
		for n, count := range want {
			ok = ok && n.works() == count
		}
		if ok {
			return
		}
	}
	var have []string
	for n := range want {
		have = append(have, fmt.Sprint(n.name, " does ", n.works()))
	}
	slices.Sort(have)
	c.t.Fatalf("%s: waited in vain; %s", what, strings.Join(have, ", "))
}

// testLeases lets nodes come, stop, hang and die. Work is spread evenly, all of it is done, and never by two at once.
func testLeases(t *testing.T, b Backend) {
	place := b.New(t)
	c := &crew{t: t, doing: map[string]*leaseNode{}}
	first := c.start("first", b.open(t, place))
	c.await("a lone node", map[*leaseNode]int{first: leaseWorks})
	second := c.start("second", b.open(t, place))
	c.await("two nodes", map[*leaseNode]int{first: leaseWorks / 2, second: leaseWorks / 2})

	// One hangs, as a process that is stopped or cut off from the store; the other takes over, and gives back.
	goOn := first.store.freeze()
	c.await("one of two hangs", map[*leaseNode]int{first: 0, second: leaseWorks})
	goOn()
	c.await("it goes on", map[*leaseNode]int{first: leaseWorks / 2, second: leaseWorks / 2})

	// One ends in order: what it did is free at once.
	first.kill()
	<-first.ended
	c.await("one of two ended", map[*leaseNode]int{second: leaseWorks})

	// One dies: it never says another word.
	third := c.start("third", b.open(t, place))
	c.await("a third comes", map[*leaseNode]int{second: leaseWorks / 2, third: leaseWorks / 2})
	second.store.freeze()
	second.kill()
	c.await("one of two died", map[*leaseNode]int{third: leaseWorks})
	if n := c.twice.Load(); n > 0 {
		t.Errorf("%d times two nodes did the same work", n)
	}
	records, err := b.open(t, place).Records(background, "node", "", 10)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range records {
		if !r.Expires.IsZero() {
			t.Errorf("node %s expires by somebody's clock, which another node may not share", r.Key)
		}
	}
}

// late is a follower that hangs in the middle of its work.
type late struct {
	heard chan struct{}
	goOn  chan struct{}
	after chan error // what it was told when it wanted to save how far it came
}

func (*late) Name() string { return "shared" }
func (*late) Shared() bool { return true }

func (l *late) Consume(ctx context.Context, changes []directory.Change) error {
	if l.heard != nil {
		close(l.heard)
		l.heard = nil
	}
	<-l.goOn
	err := directory.Held(ctx)
	if err == nil {
		return nil
	}
	l.after <- errors.Join(err, directory.Progress(ctx, changes[len(changes)-1].Seq))
	return err
}

// testFencing lets a follower hang on one node until another has taken over and gone on: the first does not move the cursor
// back, or on, when it wakes up. The clocks of the two nodes are hours apart.
func testFencing(t *testing.T, b Backend) {
	place := b.New(t)
	open := func(ahead time.Duration) (*directory.Directory, *frozen) {
		store := &frozen{Store: b.open(t, place)}
		d, err := directory.Open(background, directory.Options{
			Store: store, Poll: 10 * time.Millisecond, Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return time.Now().Add(ahead) },
			Leases: directory.NewLeases(directory.LeaseOptions{Store: store, Beat: leaseBeat, Log: slog.New(slog.DiscardHandler)}),
		})
		if err != nil {
			t.Fatal(err)
		}
		return d, store
	}
	drive := func(d *directory.Directory) {
		ctx, stop := context.WithCancel(background)
		ended := make(chan struct{})
		go func() { d.Run(ctx); close(ended) }()
		t.Cleanup(func() { stop(); <-ended })
	}
	write := func(d *directory.Directory) directory.Seq {
		e, err := d.Put(background, "test", directory.Entry{Kind: directory.Initiative, Name: "Essai"})
		if err != nil {
			t.Fatal(err)
		}
		return e.Version
	}
	one, store := open(3 * time.Hour)
	heard := make(chan struct{})
	slow := &late{heard: heard, goOn: make(chan struct{}), after: make(chan error, 1)}
	one.Follow(slow)
	drive(one)
	write(one)
	<-heard
	goOn := store.freeze()

	two, _ := open(-2 * time.Hour)
	quick := &late{goOn: make(chan struct{}), after: make(chan error, 1)}
	close(quick.goOn)
	two.Follow(quick)
	drive(two)
	last := write(two)
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		at, err := two.Store().Cursor(background, "shared")
		if err != nil {
			t.Fatal(err)
		}
		if at == last {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("nobody took over: the cursor is at %d, want %d", at, last)
		}
	}
	goOn()
	close(slow.goOn)
	if err := <-slow.after; !errors.Is(err, directory.ErrStale) {
		t.Errorf("who was replaced could save how far it came: %v", err)
	}
	if at, err := two.Store().Cursor(background, "shared"); at != last || err != nil {
		t.Errorf("the cursor is at %d, want %d, %v", at, last, err)
	}
}
