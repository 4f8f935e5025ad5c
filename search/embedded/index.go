// Package embedded is the search engine that runs inside the program: bleve's inverted index on disk, and what
// entries are filtered, sorted and counted by in columns in memory.
//
// Words are looked up in the index's term dictionaries and evaluated as bitmaps per segment, so that totals and facets
// are exact at no further cost. Positions are tested in the columns, which is faster and more exact than an index of
// cells at the size of one directory.
package embedded

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	bolterrors "go.etcd.io/bbolt/errors"
	"golang.org/x/sync/errgroup"

	"archipel/directory"
	"archipel/search"
)

// Options say where an Index reads from.
type Options struct {
	Source  search.Source  // nil: the index cannot fill itself again
	Builder search.Builder // what it knows of categories and zones
	Log     *slog.Logger   // nil: silent
	Now     func() time.Time
}

// Index is a [search.Index] in a folder. One process may have it open.
type Index struct {
	dir string
	opt Options

	mu     sync.RWMutex // held for reading while gen is in use
	gen    *generation  // nil until there is one, and after Close
	closed bool

	write   chan struct{} // holds a token while nobody writes to gen
	rebuild chan struct{} // holds a token while nobody builds a new generation
	ready   atomic.Bool   // gen has everything that was there when it was opened
	working atomic.Bool   // a new generation is being built
	failure atomic.Pointer[error]
	blamed  atomic.Int64 // when a search last blamed the files, in Unix nanoseconds

	kick chan struct{}
	quit chan struct{} // closed by Close
	stop context.CancelFunc
	done chan struct{}
}

var _ search.Index = (*Index)(nil)

// ErrInUse says that another process has the index open.
var ErrInUse = errors.New("search index is in use by another process")

// Open opens the index in dir, or makes one there. A damaged index is replaced. When the index lacks something that
// its Source has, it catches up in the background, and answers with ErrUnavailable while it has nothing at all.
// Open fails when another process has the index open.
func Open(dir string, opt Options) (*Index, error) {
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	if opt.Now == nil {
		opt.Now = time.Now
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("open search index: %w", err)
	}
	x := &Index{dir: dir, opt: opt, write: make(chan struct{}, 1), rebuild: make(chan struct{}, 1), kick: make(chan struct{}, 1), quit: make(chan struct{}), done: make(chan struct{})}
	x.write <- struct{}{}
	x.rebuild <- struct{}{}
	name := readCurrent(dir)
	if name != "" {
		g, err := openGeneration(filepath.Join(dir, name), &x.opt.Builder)
		switch {
		case errors.Is(err, bolterrors.ErrTimeout):
			return nil, fmt.Errorf("open %s: %w", dir, ErrInUse)
		case err != nil:
			opt.Log.Warn("search index cannot be read, building a new one", "dir", dir, "err", err)
		default:
			x.gen = g
		}
	}
	if x.gen == nil {
		if err := x.fresh(); err != nil {
			return nil, err
		}
	}
	x.sweep()
	ctx, stop := context.WithCancel(context.Background())
	x.stop = stop
	if opt.Source == nil {
		x.ready.Store(true)
	}
	go x.tend(ctx)
	return x, nil
}

// fresh puts an empty index in the place of none.
func (x *Index) fresh() error {
	name := x.nextName()
	g, err := newGeneration(filepath.Join(x.dir, name), &x.opt.Builder, nil)
	if err != nil {
		return fmt.Errorf("open search index: %w", err)
	}
	if err := errors.Join(g.apply(nil, nil, mark{}), writeCurrent(x.dir, name)); err != nil {
		return errors.Join(fmt.Errorf("open search index: %w", err), g.close())
	}
	x.gen = g
	return nil
}

func (x *Index) nextName() string {
	most := 0
	found, _ := filepath.Glob(filepath.Join(x.dir, "index-*"))
	for _, f := range found {
		if n, err := strconv.Atoi(strings.TrimPrefix(filepath.Base(f), "index-")); err == nil {
			most = max(most, n)
		}
	}
	return fmt.Sprintf("index-%06d", most+1)
}

// sweep removes what earlier processes left behind.
func (x *Index) sweep() {
	found, _ := filepath.Glob(filepath.Join(x.dir, "index-*"))
	for _, f := range found {
		if f != x.gen.path {
			if err := os.RemoveAll(f); err != nil {
				x.opt.Log.Warn("an old search index cannot be removed", "path", f, "err", err)
			}
		}
	}
}

// Name is the follower's name.
func (x *Index) Name() string { return "search" }

// lock takes a token.
func lock(ctx context.Context, token chan struct{}) error {
	select {
	case <-token:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

var errClosed = fmt.Errorf("search index is closed: %w", search.ErrUnavailable)

// use calls fn with the generation in use; it is not closed meanwhile.
func (x *Index) use(fn func(g *generation) error) (err error) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	if x.closed {
		return errClosed
	}
	return fn(x.gen)
}

// Consume takes changes in order. What the index already has is left out; what it lacks before them is fetched first.
func (x *Index) Consume(ctx context.Context, changes []directory.Change) error {
	if len(changes) == 0 {
		return nil
	}
	if !x.ready.Load() { // it is being filled, which will bring these as well
		if err := x.settle(ctx); err != nil {
			return err
		}
	}
	if err := lock(ctx, x.write); err != nil {
		return err
	}
	defer func() { x.write <- struct{}{} }()
	return x.use(func(g *generation) error {
		if gap := changes[0].Seq - 1; g.at().Seq < gap {
			if x.opt.Source == nil {
				return fmt.Errorf("search index is at %d and has nowhere to read the changes up to %d", g.at().Seq, gap)
			}
			if err := catchUp(ctx, g, x.opt.Source, gap); err != nil {
				return err
			}
		}
		if err := consume(g, changes); err != nil {
			return err
		}
		return g.warm()
	})
}

// consume applies changes that follow on, or overlap with, what g has.
func consume(g *generation, changes []directory.Change) error {
	at := g.at().Seq
	for len(changes) > 0 && changes[0].Seq <= at {
		changes = changes[1:]
	}
	if len(changes) == 0 {
		return nil
	}
	docs, gone := search.Latest(changes, g.builder)
	last := changes[len(changes)-1]
	return g.apply(docs, gone, mark{Seq: last.Seq, Change: last.ID})
}

const batchSize = 1000

// catchUp brings g to at least upTo from the log.
func catchUp(ctx context.Context, g *generation, src search.Source, upTo directory.Seq) error {
	for g.at().Seq < upTo {
		changes, err := src.Changes(ctx, g.at().Seq, batchSize)
		if err != nil {
			return fmt.Errorf("read the log: %w", err)
		}
		if len(changes) == 0 {
			return nil // the log is shorter than it was
		}
		if err := consume(g, changes); err != nil {
			return err
		}
	}
	return nil
}

// Reindex builds a new index from the Source and puts it in the place of the one in use.
func (x *Index) Reindex(ctx context.Context) error {
	if x.opt.Source == nil {
		return errors.New("reindex: there is no source")
	}
	if err := lock(ctx, x.rebuild); err != nil {
		return err
	}
	defer func() { x.rebuild <- struct{}{} }()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		select {
		case <-x.quit:
			cancel()
		case <-ctx.Done():
		}
	}()
	x.working.Store(true)
	defer x.working.Store(false)
	start := x.opt.Now()
	name := x.nextName()
	g, err := newGeneration(filepath.Join(x.dir, name), &x.opt.Builder, bulk)
	if err != nil {
		return fmt.Errorf("reindex: %w", err)
	}
	if err = x.fill(ctx, g); err == nil {
		err = x.swap(ctx, g, name)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("reindex: %w", err), g.close(), os.RemoveAll(g.path))
	}
	x.opt.Log.Info("search index built", "entries", x.Status(ctx).Entries, "at", x.Status(ctx).At, "took", x.opt.Now().Sub(start))
	return nil
}

// fill writes every public entry of the Source to g, which nobody else uses.
func (x *Index) fill(ctx context.Context, g *generation) error {
	src := x.opt.Source
	head, err := src.Head(ctx)
	if err != nil {
		return fmt.Errorf("read the log: %w", err)
	}
	// Two batches at a time: one is analysed while the other waits for the disk.
	writers, building := errgroup.WithContext(ctx)
	writers.SetLimit(2)
	var docs []search.Document
	err = src.Scan(building, "", func(entries []directory.Entry) error {
		for i := range entries {
			if !entries[i].Shown() {
				continue
			}
			docs = append(docs, g.builder.Document(&entries[i]))
			if len(docs) == batchSize {
				full := docs
				docs = nil
				writers.Go(func() error { return g.apply(full, nil, mark{}) })
			}
		}
		return building.Err()
	})
	if failed := writers.Wait(); failed != nil {
		return failed
	}
	if err != nil {
		return fmt.Errorf("read entries: %w", err)
	}
	m, err := markOf(ctx, src, head)
	if err != nil {
		return err
	}
	if err := g.apply(docs, nil, m); err != nil {
		return err
	}
	// Entries may have been read in a later state than head's; going on to where the log ends now makes them all
	// agree, so that no entry appears again for a moment in an older state.
	if head, err = src.Head(ctx); err != nil {
		return fmt.Errorf("read the log: %w", err)
	}
	if err := catchUp(ctx, g, src, head); err != nil {
		return err
	}
	if err := g.scorch.ForceMerge(ctx, nil); err != nil {
		return fmt.Errorf("merge index: %w", err)
	}
	if err := g.reopen(); err != nil {
		return err
	}
	return g.warm()
}

// markOf names the change at a Seq.
func markOf(ctx context.Context, src search.Source, at directory.Seq) (mark, error) {
	m := mark{Seq: at}
	if at == 0 {
		return m, nil
	}
	changes, err := src.Changes(ctx, at-1, 1)
	if err != nil {
		return m, fmt.Errorf("read the log: %w", err)
	}
	if len(changes) > 0 {
		m.Change = changes[0].ID
	}
	return m, nil
}

// swap puts g in the place of the index in use.
func (x *Index) swap(ctx context.Context, g *generation, name string) error {
	if err := lock(ctx, x.write); err != nil {
		return err
	}
	defer func() { x.write <- struct{}{} }()
	head, err := x.opt.Source.Head(ctx)
	if err != nil {
		return fmt.Errorf("read the log: %w", err)
	}
	if err := catchUp(ctx, g, x.opt.Source, head); err != nil {
		return err
	}
	x.mu.Lock()
	if x.closed {
		x.mu.Unlock()
		return errClosed
	}
	if err := writeCurrent(x.dir, name); err != nil {
		x.mu.Unlock()
		return err
	}
	old := x.gen
	x.gen = g
	x.mu.Unlock()
	x.ready.Store(true)
	x.failure.Store(nil)
	if err := errors.Join(old.close(), os.RemoveAll(old.path)); err != nil {
		x.opt.Log.Warn("the old search index cannot be removed", "path", old.path, "err", err)
	}
	return nil
}

// Status says how the index fares.
func (x *Index) Status(context.Context) search.Status {
	st := search.Status{Engine: "embedded", Rebuilding: x.working.Load() || !x.ready.Load()}
	err := x.use(func(g *generation) error {
		g.mu.RLock()
		defer g.mu.RUnlock()
		st.Entries, st.At = g.cols.live, g.mark.Seq
		return nil
	})
	switch p := x.failure.Load(); {
	case err != nil:
		st.Err = err
	case p != nil:
		st.Err = *p
	case !x.ready.Load() && st.Entries == 0:
		st.Err = errFilling
	}
	return st
}

var errFilling = fmt.Errorf("search index is being filled: %w", search.ErrUnavailable)

// Close ends background work and closes the index.
func (x *Index) Close() error {
	x.mu.Lock()
	if x.closed {
		x.mu.Unlock()
		return nil
	}
	x.closed = true
	x.mu.Unlock()
	close(x.quit)
	x.stop()
	<-x.done
	<-x.rebuild
	<-x.write
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.gen.close()
}
