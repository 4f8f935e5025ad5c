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

const leaseWorks = 6

// beatFor is how often nodes shall say that they live: often, for a short test, but no more often than a slow machine can keep up
// with, where a node would be thought dead again and again.
func beatFor(t *testing.T, s directory.Store) time.Duration {
	t.Helper()
	slowest := time.Duration(0)
	for i := range 10 {
		begin := time.Now()
		put1(t, s, "beat", directory.Record{Key: fmt.Sprint(i), Value: []byte(`1`)})
		if _, err := s.Records(background, "beat", "", 10); err != nil {
			t.Fatal(err)
		}
		slowest = max(slowest, time.Since(begin))
	}
	return min(max(40*time.Millisecond, 5*slowest), time.Second)
}

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

func (f *frozen) DeleteRecord(ctx context.Context, kind, key string, rev int64) error {
	if err := f.pass(ctx); err != nil {
		return err
	}
	return f.Store.DeleteRecord(ctx, kind, key, rev)
}

func (f *frozen) Record(ctx context.Context, kind, key string) (directory.Record, error) {
	if err := f.pass(ctx); err != nil {
		return directory.Record{}, err
	}
	return f.Store.Record(ctx, kind, key)
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
	beat  time.Duration
	mu    sync.Mutex
	doing map[string]effect
	twice atomic.Int32
}

// effect is what a node has by now; began is from before it asked whether it may.
type effect struct {
	node  *leaseNode
	began time.Time
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
	n.leases = directory.NewLeases(directory.LeaseOptions{Store: n.store, Beat: c.beat, Log: slog.New(slog.DiscardHandler)})
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
// what must never happen. Two beats is how long one may last: a node stops after three without a sign of life, and is replaced
// after five; when the machine lets it stand still for longer than that in the midst of one, no lease can help.
func (n *leaseNode) work(ctx context.Context, name string) error {
	n.mine.Store(name, true)
	defer n.mine.Delete(name)
	for ctx.Err() == nil {
		mine := effect{n, time.Now()}
		if directory.Held(ctx) != nil {
			return directory.ErrLost
		}
		n.mu.Lock()
		other, busy := n.doing[name]
		if busy && other.node != n && time.Since(other.began) < 2*n.beat && time.Since(mine.began) < 2*n.beat {
			n.twice.Add(1)
		}
		n.doing[name] = mine
		n.mu.Unlock()
		time.Sleep(2 * time.Millisecond)
		n.mu.Lock()
		if n.doing[name].node == n {
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
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
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
	c := &crew{t: t, beat: beatFor(t, b.open(t, place)), doing: map[string]effect{}}
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
	told := directory.Progress(ctx, changes[len(changes)-1].Seq)
	for end := time.Now().Add(patience); told != nil && !errors.Is(told, directory.ErrStale) && time.Now().Before(end); {
		told = directory.Progress(ctx, changes[len(changes)-1].Seq) // a store that is slow says nothing about the cursor
	}
	select {
	case l.after <- errors.Join(err, told):
	default: // nobody asks again
	}
	return err
}

// testFencing lets a follower hang on one node until another has taken over and gone on: the first does not move the cursor
// back, or on, when it wakes up. The clocks of the two nodes are hours apart.
func testFencing(t *testing.T, b Backend) {
	place := b.New(t)
	beat := beatFor(t, b.open(t, place))
	open := func(ahead time.Duration) (*directory.Directory, *frozen) {
		store := &frozen{Store: b.open(t, place)}
		d, err := directory.Open(background, directory.Options{
			Store: store, Poll: 10 * time.Millisecond, Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return time.Now().Add(ahead) },
			Leases: directory.NewLeases(directory.LeaseOptions{Store: store, Beat: beat, Log: slog.New(slog.DiscardHandler)}),
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
	wake := sync.OnceFunc(func() { close(slow.goOn) })
	t.Cleanup(wake)
	write(one)
	select {
	case <-heard:
	case <-time.After(patience):
		t.Fatal("the follower heard nothing")
	}
	goOn := store.freeze()

	two, _ := open(-2 * time.Hour)
	quick := &late{goOn: make(chan struct{}), after: make(chan error, 1)}
	close(quick.goOn)
	two.Follow(quick)
	drive(two)
	last := write(two)
	for deadline := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
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
	wake()
	if err := <-slow.after; !errors.Is(err, directory.ErrStale) {
		t.Errorf("who was replaced could save how far it came: %v", err)
	}
	if at, err := two.Store().Cursor(background, "shared"); at != last || err != nil {
		t.Errorf("the cursor is at %d, want %d, %v", at, last, err)
	}
}
