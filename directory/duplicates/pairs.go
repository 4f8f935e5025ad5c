package duplicates

import (
	"cmp"
	"context"
	"slices"
	"time"

	"archipel/directory"
)

// Pair is two entries that are likely the same, both of this instance or of different ones; A is the smaller id.
type Pair struct {
	A, B     directory.ID
	Score    float64 // from [LikelyFrom] to 1
	Reasons  []Reason
	Distance float64 // metres, negative when one of the two has no position
	Twins    bool    // they are of different instances
}

// LikelyFrom is the score from which two entries are likely the same.
const LikelyFrom = 0.8

const (
	fewShare = 200 // entries that share a word or a square, above which it is not followed for pairs: others lead there
	maxPairs = 20_000

	workFor = 5 * time.Millisecond // at a time, while others read the index
	restFor = 20 * time.Millisecond
)

// pairs are those found so far; guarded by Index.mu.
type pairs struct {
	found map[[2]directory.ID]Pair
	of    map[directory.ID][]directory.ID // the others of each
	queue []*known                        // to be looked at
	busy  int                             // taken from the queue, and not done with
	wake  chan struct{}
}

// Run looks for pairs among everything that the index holds, little by little, and again for what changes, until ctx ends.
// apart is asked about each pair: whether somebody said that the two are not the same. Without Run there are no pairs.
func (x *Index) Run(ctx context.Context, apart func(ctx context.Context, a, b directory.ID) bool) {
	p := &pairs{found: map[[2]directory.ID]Pair{}, of: map[directory.ID][]directory.ID{}, wake: make(chan struct{}, 1)}
	x.mu.Lock()
	for _, k := range x.entries {
		p.queue = append(p.queue, k)
	}
	x.pairs = p
	x.mu.Unlock()
	for ctx.Err() == nil {
		if x.work(ctx, p, apart) {
			select {
			case <-ctx.Done():
			case <-time.After(restFor):
			}
			continue
		}
		select {
		case <-ctx.Done():
		case <-p.wake:
		}
	}
}

// meeting is a pair, and what was known of the two when it was found.
type meeting struct {
	Pair
	one, other *known
}

// work looks at some of the queue; it reports whether something is left.
func (x *Index) work(ctx context.Context, p *pairs, apart func(context.Context, directory.ID, directory.ID) bool) bool {
	for began := time.Now(); time.Since(began) < workFor && ctx.Err() == nil; {
		x.mu.Lock()
		if len(p.queue) == 0 {
			p.queue = nil
			x.mu.Unlock()
			return false
		}
		last := len(p.queue) - 1
		k := p.queue[last]
		p.queue, p.busy = p.queue[:last], 1
		x.mu.Unlock()

		x.mu.RLock()
		var found []meeting
		if x.entries[k.id] == k {
			found = x.partners(k)
		}
		x.mu.RUnlock()
		found = slices.DeleteFunc(found, func(m meeting) bool { return apart(ctx, m.A, m.B) })
		x.mu.Lock()
		p.busy = 0
		for _, m := range found { // one that changed meanwhile is in the queue again
			if x.entries[m.one.id] == m.one && x.entries[m.other.id] == m.other {
				p.add(m.Pair)
			}
		}
		x.mu.Unlock()
	}
	return ctx.Err() == nil
}

func (p *pairs) add(f Pair) {
	key := [2]directory.ID{f.A, f.B}
	if _, has := p.found[key]; !has {
		if len(p.found) >= maxPairs {
			return // there is enough to do
		}
		p.of[f.A], p.of[f.B] = append(p.of[f.A], f.B), append(p.of[f.B], f.A)
	}
	p.found[key] = f
}

// drop forgets a pair, if it is one.
func (p *pairs) drop(a, b directory.ID) {
	delete(p.found, [2]directory.ID{min(a, b), max(a, b)})
	for _, id := range [][2]directory.ID{{a, b}, {b, a}} {
		if p.of[id[0]] = slices.DeleteFunc(p.of[id[0]], func(o directory.ID) bool { return o == id[1] }); len(p.of[id[0]]) == 0 {
			delete(p.of, id[0])
		}
	}
}

// changed is told, with Index.mu held, of an entry as it is now; nil: it is gone.
func (p *pairs) changed(id directory.ID, k *known) {
	for _, other := range slices.Clone(p.of[id]) {
		p.drop(id, other)
	}
	if k == nil {
		return
	}
	p.queue = append(p.queue, k)
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// partners are the likely pairs of an entry. Unlike [Index.Find] it follows only what few entries share.
func (x *Index) partners(k *known) (out []meeting) {
	seen := map[*known]bool{k: true}
	look := func(list []*known) {
		if len(list) > fewShare {
			return
		}
		for _, o := range list {
			if seen[o] || k.origin == o.origin && !k.ours { // what another instance has twice is its own business
				continue
			}
			seen[o] = true
			if c, ok := x.compare(k, o); ok && c.Score >= LikelyFrom {
				out = append(out, meeting{Pair{A: min(k.id, o.id), B: max(k.id, o.id), Score: c.Score, Reasons: c.Reasons, Distance: c.Distance, Twins: k.origin != o.origin}, k, o})
			}
		}
	}
	for _, key := range k.keys {
		look(x.byKey[key])
	}
	for _, w := range k.words {
		look(w.list)
	}
	if k.placed {
		for dx := int32(-1); dx <= 1; dx++ {
			for dy := int32(-1); dy <= 1; dy++ {
				look(x.byCell[cell{k.cell.x + dx, k.cell.y + dy}])
			}
		}
	}
	return out
}

// Pairs gives the pairs of this instance found so far, the likeliest first, and how many entries are yet to be looked at.
func (x *Index) Pairs() (list []Pair, left int) { return x.list(false) }

// Twins gives the pairs of different instances found so far, like [Index.Pairs].
func (x *Index) Twins() (list []Pair, left int) { return x.list(true) }

func (x *Index) list(twins bool) (list []Pair, left int) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	if x.pairs == nil {
		return nil, 0
	}
	for _, f := range x.pairs.found {
		if f.Twins == twins {
			list = append(list, f)
		}
	}
	slices.SortFunc(list, func(a, b Pair) int {
		return cmp.Or(cmp.Compare(b.Score, a.Score), cmp.Compare(a.A, b.A), cmp.Compare(a.B, b.B))
	})
	return list, len(x.pairs.queue) + x.pairs.busy
}

// Apart drops a pair that is none.
func (x *Index) Apart(a, b directory.ID) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.pairs != nil {
		x.pairs.drop(a, b)
	}
}
