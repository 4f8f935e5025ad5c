// Command simulation runs many directories of ours in one process, over real connections: they agree to follow one another,
// mirror, change, go away and come back, and one of them lies. At the end every mirror is compared with its origin.
//
//	go run ./scripts/simulation -islands 200 -entries 10000
//
// It prints a table of what that cost. Nothing in it is modelled: federation, stores, signatures and proofs are the
// program's, only the network is the machine's own.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"time"

	"archipel/directory"
)

// settings are what is simulated.
type settings struct {
	islands, entries, changes int
	rate                      float64       // changes a second
	down                      float64       // share of the islands that are always away
	turn                      time.Duration // after which others are away
	poll                      time.Duration // how often an island asks those that it follows
	look                      time.Duration // how often it looks for what was decided; 0 as the program does
	seed                      uint64
	folder                    string
	patience                  time.Duration // for any one phase
	say                       func(format string, args ...any)
}

func main() {
	s := settings{say: func(format string, args ...any) {
		fmt.Fprintf(os.Stderr, time.Now().Format("15:04:05 ")+format+"\n", args...)
	}}
	flag.IntVar(&s.islands, "islands", 200, "how many directories")
	flag.IntVar(&s.entries, "entries", 10_000, "entries of each")
	flag.IntVar(&s.changes, "changes", 4000, "changes, while islands come and go and one lies")
	flag.Float64Var(&s.rate, "rate", 20, "changes a second")
	flag.Float64Var(&s.down, "down", 0.1, "share of the islands that are away at any time")
	flag.DurationVar(&s.turn, "turn", 40*time.Second, "after which others are away")
	flag.DurationVar(&s.look, "look", 10*time.Second, "how often an island looks for what its operator decided, and has heard (the program: 2s)")
	flag.DurationVar(&s.poll, "poll", time.Minute, "how often an island asks those that it follows (the program: 10m)")
	flag.Uint64Var(&s.seed, "seed", 1, "of what happens by chance")
	flag.StringVar(&s.folder, "folder", "", "for the stores, some 17 KB an entry; empty for a temporary one")
	flag.DurationVar(&s.patience, "patience", time.Hour, "for any one phase")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	r, err := run(ctx, s)
	if err != nil {
		fmt.Fprintln(os.Stderr, "simulation:", err)
		os.Exit(1)
	}
	fmt.Print(r.table())
	if r.differ > 0 || r.forged > 0 {
		os.Exit(1)
	}
}

// run simulates, and cleans up.
func run(ctx context.Context, s settings) (*report, error) {
	if s.folder == "" {
		folder, err := os.MkdirTemp("", "archipel-simulation-")
		if err != nil {
			return nil, err
		}
		defer func() {
			if err := os.RemoveAll(folder); err != nil {
				fmt.Fprintln(os.Stderr, "simulation:", err)
			}
		}()
		s.folder = folder
	}
	folder, err := filepath.Abs(s.folder)
	if err != nil {
		return nil, err
	}
	w := &world{folder: folder, entries: s.entries, poll: s.poll, look: s.look, random: rand.New(rand.NewPCG(s.seed, 1))}
	defer func() {
		for _, in := range w.isles {
			in.stop()
			_ = syscall.Close(in.held)
		}
	}()
	r := &report{settings: s}

	began := time.Now()
	for n := range s.islands {
		in, err := newIsle(w, n)
		if err != nil {
			return nil, err
		}
		w.isles = append(w.isles, in)
		if err := w.fill(ctx, in); err != nil {
			return nil, err
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
	}
	w.plan()
	liar := &hostile{in: w.isles[min(10, len(w.isles)-1)]}
	liar.in.stop()
	w.liar = liar.in
	liar.in.tamper = liar.tamper
	if err := liar.in.open(); err != nil {
		return nil, err
	}
	r.follows, r.filled = len(w.follows), time.Since(began)
	s.say("%d islands with %d entries each, %d agreements: %v", s.islands, s.entries, r.follows, r.filled.Round(time.Second))

	if err := w.mirror(ctx, s, r); err != nil {
		return nil, err
	}
	if err := w.rest(ctx, s, r); err != nil {
		return nil, err
	}
	if err := w.live(ctx, s, r, liar); err != nil {
		return nil, err
	}
	if r.mirrored, r.differ, r.forged, r.example, err = w.compare(ctx); err != nil {
		return nil, err
	}
	if r.example != "" {
		s.say("%s", r.example)
	}
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	r.heap = memory.HeapAlloc
	return r, w.failed
}

// wire is what went over the wires of all islands so far, but for what the liar sent and answered.
func (w *world) wire() (sum cost) {
	for _, in := range w.isles {
		if in == w.liar {
			continue
		}
		sum.requests += in.traffic.requests.Load()
		sum.bytes += in.traffic.bytes.Load() - in.traffic.lies.Load()
	}
	var used syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &used) == nil {
		sum.processor = time.Duration(used.Utime.Nano() + used.Stime.Nano())
	}
	return sum
}

// mirror lets everybody follow as planned, and waits until all is there.
func (w *world) mirror(ctx context.Context, s settings, r *report) error {
	ctx, cancel := context.WithTimeout(ctx, s.patience)
	defer cancel()
	began, before := time.Now(), w.wire()
	own := map[*isle]map[directory.ID]directory.Entry{}
	for _, in := range w.isles {
		var err error
		if own[in], _, err = in.public(ctx); err != nil {
			return err
		}
	}
	s.say("read once: %v", time.Since(began).Round(time.Second))
	if err := w.agree(ctx); err != nil {
		return err
	}
	s.say("all agreed after %v", time.Since(began).Round(time.Second))
	for _, in := range w.isles {
		want := len(w.expected(in, own))
		for in.shown() != want {
			if err := pause(ctx, 500*time.Millisecond); err != nil {
				return fmt.Errorf("island %d shows %d entries of others, not %d: %w", in.n, in.shown(), want, err)
			}
		}
		r.first += want
	}
	r.mirroring, r.mirrorCost = time.Since(began), w.wire().since(before)
	s.say("first mirroring of %d entries: %v, %v", r.first, r.mirroring.Round(time.Second), w.paths.take())
	return nil
}

// shown is how many entries of others an island shows.
func (in *isle) shown() (n int) {
	for _, c := range in.marks.Counts() {
		n += c.Public
	}
	return n
}

// rest watches what an archipelago costs in which nothing happens, for three rounds of asking.
func (w *world) rest(ctx context.Context, s settings, r *report) error {
	if err := pause(ctx, s.poll); err != nil { // what is still under way
		return err
	}
	before := w.wire()
	if err := pause(ctx, 3*s.poll); err != nil {
		return err
	}
	r.idle = 3 * s.poll
	r.idleCost = w.wire().since(before)
	s.say("at rest: %v", w.paths.take())
	return nil
}

// live lets things happen: changes, islands that go and come, and one that lies. Then all are there, and it is waited until
// every change stands where it is to stand.
func (w *world) live(ctx context.Context, s settings, r *report, liar *hostile) error {
	before, began := w.wire(), time.Now()
	lying, stop := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer func() { stop(); wg.Wait() }()
	if s.islands > 2 {
		if err := w.meet(ctx, s, func() bool { liar.steal(ctx); return len(liar.stolen) > 0 }); err != nil {
			return fmt.Errorf("the liar has nothing to lie with: %w", err)
		}
		wg.Go(func() { liar.flood(lying) })
	}
	changed := map[*isle]map[directory.ID]bool{}
	var ids []([]directory.ID)
	for _, in := range w.isles {
		own, _, err := in.public(ctx)
		if err != nil {
			return err
		}
		list := make([]directory.ID, 0, len(own))
		for id := range own {
			list = append(list, id)
		}
		ids = append(ids, list)
	}
	wg.Go(func() { w.churn(lying, s, liar.in) })
	for i := 0; i < s.changes; {
		if err := pause(ctx, time.Duration(float64(time.Second)/s.rate)); err != nil {
			return err
		}
		in := w.isles[w.random.IntN(len(w.isles))]
		id := ids[in.n][w.random.IntN(len(ids[in.n]))]
		if in.mu.TryLock() {
			err := error(nil)
			if in.up.Load() {
				var e directory.Entry
				if e, err = in.d.Entry(ctx, id); err == nil && e.Public() {
					if id, err = w.change(ctx, in, e, i); err == nil {
						if changed[in] == nil {
							changed[in] = map[directory.ID]bool{}
						}
						changed[in][id] = true
						i++
					}
				}
			}
			in.mu.Unlock()
			if err != nil {
				return fmt.Errorf("island %d: %w", in.n, err)
			}
		}
	}
	r.living = time.Since(began)
	if s.islands > 2 { // however soon the changes were done
		if err := w.meet(ctx, s, func() bool { return liar.sent.Load() > 0 }); err != nil {
			return fmt.Errorf("the liar says nothing: %w", err)
		}
	}
	stop()
	wg.Wait()
	for _, in := range w.isles {
		if !in.up.Load() {
			if err := in.open(); err != nil {
				return err
			}
		}
	}
	calm := time.Now()
	s.say("%d changes made in %v, %v; all islands are there again", s.changes, r.living.Round(time.Second), w.paths.take())
	ctx, cancel := context.WithTimeout(ctx, s.patience)
	defer cancel()
	// A directory is believed what it says of its own entries, also that an old state of one is the latest. Comparing, which
	// is done every night, sets that right.
	liar.quiet.Store(true)
	if s.islands > 2 {
		if err := w.compareWith(ctx, s, liar.in); err != nil {
			return fmt.Errorf("comparing with the liar: %w", err)
		}
	}
	for {
		n, example, err := w.differing(ctx, changed)
		if err != nil {
			return err
		}
		if n == 0 {
			break
		}
		if err := pause(ctx, time.Second); err != nil {
			return fmt.Errorf("%d changes have not arrived, as that %s: %w", n, example, err)
		}
	}
	r.settled, r.liveCost = time.Since(calm), w.wire().since(before)
	r.took = w.arrived.take()
	r.lies, r.liesRefused, r.stolen = liar.sent.Load(), liar.refused.Load(), len(liar.stolen)
	s.say("settled after %v, %v", r.settled.Round(time.Second), w.paths.take())
	return nil
}

// meet waits until something is so.
func (w *world) meet(ctx context.Context, s settings, so func() bool) error {
	ctx, cancel := context.WithTimeout(ctx, s.patience)
	defer cancel()
	for !so() {
		if err := pause(ctx, 100*time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}

// compareWith lets all that follow an island compare everything with it.
func (w *world) compareWith(ctx context.Context, s settings, of *isle) error {
	for i := range w.follows {
		f := &w.follows[i]
		if f.whom != of {
			continue
		}
		var err error
		if met := w.meet(ctx, s, func() bool { err = f.who.s.Sync(ctx, of.host, true); return err == nil }); met != nil {
			return errors.Join(met, err)
		}
	}
	return nil
}

// churn keeps a share of the islands away, in turns, until ctx ends.
func (w *world) churn(ctx context.Context, s settings, not *isle) {
	random := rand.New(rand.NewPCG(s.seed, 2))
	var away []*isle
	for {
		for _, in := range away {
			if err := in.open(); err != nil {
				w.fail(err)
				return
			}
		}
		away = nil
		for _, n := range random.Perm(len(w.isles))[:int(s.down*float64(len(w.isles)))] {
			if in := w.isles[n]; in != not {
				in.stop()
				away = append(away, in)
			}
		}
		if pause(ctx, s.turn) != nil {
			return
		}
	}
}

// differing counts where what was changed does not stand yet as it is to stand, with one of these places.
func (w *world) differing(ctx context.Context, changed map[*isle]map[directory.ID]bool) (n int, example string, err error) {
	own := map[*isle]map[directory.ID]directory.Entry{}
	var ids []directory.ID
	for in, list := range changed {
		some := make([]directory.ID, 0, len(list))
		for id := range list {
			some = append(some, id)
		}
		ids = append(ids, some...)
		entries, err := in.d.Entries(ctx, some)
		if err != nil {
			return 0, "", err
		}
		own[in] = map[directory.ID]directory.Entry{}
		for _, e := range entries {
			if e.Public() {
				own[in][e.ID] = e
			}
		}
	}
	for _, in := range w.isles {
		want := w.expected(in, own)
		got, err := in.d.Entries(ctx, ids)
		if err != nil {
			return 0, "", err
		}
		for i := range got {
			e := &got[i]
			if e.Origin == "" || !e.Public() {
				continue
			}
			if o, ok := want[e.ID]; !ok || e.Private.Mirror.Version != o.Version {
				n++
				example = fmt.Sprintf("island %d shows version %d %q of island %s; it is to be %d %q", in.n, e.Private.Mirror.Version, e.Name, e.Origin, o.Version, o.Name)
			}
			delete(want, e.ID)
		}
		n += len(want)
		for _, e := range want {
			example = fmt.Sprintf("island %d lacks %q of version %d", in.n, e.Name, e.Version)
		}
	}
	return n, example, nil
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
