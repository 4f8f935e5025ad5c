package geo

import (
	"math/bits"
	"slices"
	"sort"
	"sync/atomic"
)

// keyed is a point's place in the order of the map. As a change, it is a point that came (sign 1) or went (sign -1)
// since the segment was made: what went is counted against the segment instead of being taken out, so that sums over
// a range of both are right.
type keyed struct {
	key  uint64
	pt   uint32 // index into table.pts
	sign int32
}

// A segment holds points sorted by key, with running sums, so that the number of points of a square, where their
// middle is and how many each category has come from two searches. It never changes.
type segment struct {
	keys []uint64
	pts  []uint32
	cat  []uint32 // main category of each point
	sums []sum    // of the coordinates of the points before each sumBlock-th

	block  int      // a power of two
	blocks []uint32 // at each block's start, how many points of each category came before: (n/block+1) * ncat
	ncat   int

	ends []int64 // of the points of events, when they are all over; ascending

	points uint32 // how many of the table's points existed: the segment has all of those that lived then
	views  atomic.Pointer[[]*view]
}

// newSegment makes a segment of sorted points.
func newSegment(sorted []keyed, t *table) *segment {
	n := len(sorted)
	s := &segment{
		keys: make([]uint64, n), pts: make([]uint32, n), cat: make([]uint32, n),
		sums: make([]sum, 0, n/sumBlock+1),
		ncat: len(t.categories.list), points: uint32(len(t.pts)),
	}
	// The table of counts takes at most 4 bytes per point, however many categories there are.
	s.block = max(128, 1<<bits.Len(uint(s.ncat)))
	s.blocks = make([]uint32, 0, (n/s.block+1)*s.ncat)
	counts := make([]uint32, s.ncat)
	var total sum
	for i, p := range sorted {
		if i%sumBlock == 0 {
			s.sums = append(s.sums, total)
		}
		if i%s.block == 0 {
			s.blocks = append(s.blocks, counts...)
		}
		c := t.category(t.ptRow[p.pt])
		if c != noCategory {
			counts[c]++
		}
		s.keys[i], s.pts[i], s.cat[i] = p.key, p.pt, c
		total.add(p.key, 1)
		if end := t.end(t.ptRow[p.pt]); end != maxTime {
			s.ends = append(s.ends, end)
		}
	}
	slices.Sort(s.ends)
	return s
}

// sumBlock is how many keys a cache line holds: adding up the few beyond a block costs no further access to memory.
const sumBlock = 8

// sum is the sum of the coordinates of points. It wraps around while being computed.
type sum struct{ x, y uint64 }

func (s *sum) add(key uint64, times int64) {
	x, y := unmorton(key)
	s.x += uint64(int64(x) * times)
	s.y += uint64(int64(y) * times)
}

// sum adds up the coordinates of the points [i, j).
func (s *segment) sum(i, j int) (out sum) {
	bi, bj := (i+sumBlock-1)/sumBlock, j/sumBlock
	if bi < bj {
		if bj == len(s.sums) { // nothing comes after the last whole block
			bj--
		}
		out = sum{s.sums[bj].x - s.sums[bi].x, s.sums[bj].y - s.sums[bi].y}
		for _, k := range s.keys[i : bi*sumBlock] {
			out.add(k, 1)
		}
		i = bj * sumBlock
	}
	for _, k := range s.keys[i:j] {
		out.add(k, 1)
	}
	return out
}

// ended returns how many points belong to events that are over.
func (s *segment) ended(now int64) int {
	return sort.Search(len(s.ends), func(i int) bool { return s.ends[i] > now })
}

// count adds the categories of the points [i, j) to counts, which has room for every category.
func (s *segment) count(i, j int, counts []int32) {
	if bi, bj := (i+s.block-1)/s.block, j/s.block; bj > bi+1 && (bj+1)*s.ncat <= len(s.blocks) {
		from, to := s.blocks[bi*s.ncat:(bi+1)*s.ncat], s.blocks[bj*s.ncat:(bj+1)*s.ncat]
		for c := range from {
			counts[c] += int32(to[c] - from[c])
		}
		s.countEach(i, bi*s.block, counts)
		i = bj * s.block
	}
	s.countEach(i, j, counts)
}

func (s *segment) countEach(i, j int, counts []int32) {
	for _, c := range s.cat[i:j] {
		if c != noCategory {
			counts[c]++
		}
	}
}

// sortKeyed sorts by key: six passes of a radix sort, of which those that would change nothing are left out.
func sortKeyed(a []keyed) {
	const digit = 11 // bits
	if len(a) < 1<<digit {
		slices.SortFunc(a, func(p, q keyed) int { return compare(p.key, q.key) })
		return
	}
	var hist [(64 + digit - 1) / digit][1 << digit]uint32
	for _, p := range a {
		for d := range hist {
			hist[d][p.key>>(digit*d)&(1<<digit-1)]++
		}
	}
	from, to := a, make([]keyed, len(a))
	for d := range hist {
		h, shift := &hist[d], digit*d
		if h[a[0].key>>shift&(1<<digit-1)] == uint32(len(a)) {
			continue
		}
		var at uint32
		for i, n := range h {
			h[i], at = at, at+n
		}
		for _, p := range from {
			v := p.key >> shift & (1<<digit - 1)
			to[h[v]] = p
			h[v]++
		}
		from, to = to, from
	}
	if &from[0] != &a[0] {
		copy(a, from)
	}
}

func compare(a, b uint64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}
