package geo

import (
	"errors"
	"fmt"
	"math"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"archipel/directory"
)

// Index is the directory's map in memory: what it knows of every public entry, found by place and by filter.
//
// Reading takes no lock: every method that reads works on the snapshot that was current when it began. Writers wait
// for one another. The zero value is not usable; see [NewIndex].
type Index struct {
	// Zone is the time zone of events that name none; nil means UTC. Set it before the first entries come.
	Zone *time.Location

	writing sync.Mutex
	current atomic.Pointer[Snapshot]
	limit   int       // see smallDelta
	pool    sync.Pool // of *scratch
}

// Snapshot is one state of the index, for as long as it is held: what is read from one belongs together.
//
// Points are in seg, corrected by the changes in delta, sorted by key.
type Snapshot struct {
	seq   uint32 // grows with every write; orders the deaths of rows
	sum   uint64 // of everything alive; see Version
	alive int    // entries
	rest  int    // rows that died since the table was last packed
	seg   *segment
	delta []keyed
	pool  *sync.Pool
	table
}

// NewIndex returns an empty index.
func NewIndex() *Index {
	s := &Snapshot{table: newTable()}
	s.seg = newSegment(nil, &s.table)
	x := &Index{limit: smallDelta}
	s.pool = &x.pool
	x.current.Store(s)
	return x
}

// Len returns the number of entries.
func (x *Index) Len() int { return x.current.Load().alive }

// Version names the content of the index. It changes with every write that changes what a reader could see, is the
// same again when the same content comes back, and the same in every process that has this content.
func (x *Index) Version() string { return x.current.Load().Version() }

// Snapshot returns the current state.
func (x *Index) Snapshot() *Snapshot { return x.current.Load() }

// Len returns the number of entries.
func (s *Snapshot) Len() int { return s.alive }

// Version is [Index.Version] of this state.
func (s *Snapshot) Version() string { return fmt.Sprintf("%x-%016x", s.alive, s.sum) }

// Put inserts items, or replaces those that are there by the same ID; of several with the same ID the last counts.
// Items that cannot be are left out, and reported by an error that wraps [ErrInvalid].
func (x *Index) Put(items ...Item) error {
	good, err := items, error(nil)
	for i := range items {
		if e := items[i].check(); e != nil {
			if err == nil {
				good = slices.Clone(items[:i])
			}
			err = errors.Join(err, e)
		} else if err != nil {
			good = append(good, items[i])
		}
	}
	x.update(good, nil)
	return err
}

// Remove takes entries out. Unknown ones are ignored.
func (x *Index) Remove(ids ...directory.ID) {
	gone := make([]id, 0, len(ids))
	for _, s := range ids {
		if i, err := packID(s); err == nil {
			gone = append(gone, i)
		}
	}
	x.update(nil, gone)
}

const (
	// A write copies the changes, so they are merged into the segment beyond this number,
	smallDelta = 4096
	// except while large batches arrive: then only when they are a quarter of what is there.
	largeBatch = 1024
)

func (x *Index) update(items []Item, gone []id) {
	if len(items)+len(gone) == 0 {
		return
	}
	ready := prepareAll(items)

	x.writing.Lock()
	defer x.writing.Unlock()
	old := x.current.Load()
	s := *old
	if s.seq == math.MaxUint32 || len(s.ids)+len(items) > maxRows {
		s.compact(0) // a new table, in which nothing is dead: count from the start again
		s.seq = 0
		if len(s.ids)+len(items) > maxRows {
			panic(fmt.Sprintf("geo: more than %d entries", maxRows))
		}
	}
	s.seq++
	if len(items) >= largeBatch {
		s.grow(len(items))
		s.growLists(items, ready)
	}
	var fresh []keyed
	kill := func(row uint32) {
		s.kill(row, s.seq)
		s.alive--
		s.rest++
		s.sum -= s.info[row].sum
		for p := s.ptAt[row]; p < s.ptAt[row+1]; p++ {
			if p < s.seg.points {
				fresh = append(fresh, keyed{keyOf(s.pts[p].point()), p, -1})
			}
		}
	}
	for _, i := range gone {
		s.versions(i, func(row uint32) {
			if s.dead[row] == 0 {
				kill(row)
			}
		})
	}
	fresh = slices.Grow(fresh, len(items))
	for i := range items {
		p := uint32(len(s.pts))
		if older, found := s.add(&items[i], &ready[i]); found {
			kill(older)
		}
		for j, pt := range items[i].Points {
			key := ready[i].key
			if j > 0 {
				key = keyOf(fix(pt).point())
			}
			fresh = append(fresh, keyed{key, p + uint32(j), 1})
		}
		s.alive++
		s.sum += ready[i].sum
	}
	s.delta = s.mergeDelta(fresh)

	limit := x.limit
	if len(items)+len(gone) >= largeBatch {
		limit = max(limit, len(s.seg.keys)/4)
	}
	if len(s.delta) > limit {
		s.compact(x.limit)
	}
	x.current.Store(&s)
}

// prepareAll does what needs no lock, on all processors when it is much.
func prepareAll(items []Item) []prepared {
	out := make([]prepared, len(items))
	const chunk = 2048
	var next atomic.Int64
	work := func() {
		for {
			end := int(next.Add(chunk))
			from := end - chunk
			if from >= len(items) {
				return
			}
			buf := make([]byte, 0, (min(end, len(items))-from)*64)
			for i := from; i < min(end, len(items)); i++ {
				out[i], buf = prepare(&items[i], buf)
			}
		}
	}
	var wg sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(items)/chunk) {
		wg.Go(work)
	}
	work()
	wg.Wait()
	return out
}

// mergeDelta returns the changes with the fresh ones among them, without the points that came and are gone again.
func (s *Snapshot) mergeDelta(fresh []keyed) []keyed {
	sortKeyed(fresh)
	out := make([]keyed, 0, len(s.delta)+len(fresh))
	old := s.delta
	for len(old)+len(fresh) > 0 {
		var c keyed
		if len(fresh) == 0 || len(old) > 0 && old[0].key <= fresh[0].key {
			c, old = old[0], old[1:]
		} else {
			c, fresh = fresh[0], fresh[1:]
		}
		if c.sign < 0 || s.dead[s.ptRow[c.pt]] == 0 {
			out = append(out, c)
		}
	}
	return out
}

// compact makes a new segment of all points that are alive, and a new table when many rows are dead.
func (s *Snapshot) compact(limit int) {
	sorted := make([]keyed, 0, len(s.seg.keys)+len(s.delta))
	i, delta := 0, s.delta
	for i < len(s.seg.keys) || len(delta) > 0 {
		var p keyed
		if len(delta) == 0 || i < len(s.seg.keys) && s.seg.keys[i] <= delta[0].key {
			p = keyed{s.seg.keys[i], s.seg.pts[i], 1}
			i++
		} else {
			c := delta[0]
			delta = delta[1:]
			if c.sign < 0 {
				continue
			}
			p = c
		}
		if s.dead[s.ptRow[p.pt]] == 0 {
			sorted = append(sorted, p)
		}
	}
	if limit == 0 || s.rest > max(limit, s.alive/4) {
		s.pack(sorted)
	}
	s.seg = newSegment(sorted, &s.table)
	s.delta = nil
}
