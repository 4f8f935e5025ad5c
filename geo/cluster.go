package geo

import (
	"math"

	"github.com/paulmach/orb"
)

// MaxZoom is the deepest zoom with tiles.
const MaxZoom = 24

// Clusters are made on a grid of 4 by 4 cells per tile: 64 pixels where a tile is drawn at 256. The points of a cell
// go to one disc, which stands in the middle of them. Discs that would be closer than 56 pixels are merged: the cell
// with most points keeps its disc, and every neighbouring cell whose middle is closer gives its points to it, unless it
// has a closer one; and so on with the cells that are left. Ties are broken by a hash of the cell's number, so the
// outcome depends on nothing but the points, and is the same from whichever tile it is looked at.
//
// That is decided on demand, from a cell towards its fuller neighbours, which is a few steps.
const (
	cellBits = 2
	cells    = 1 << cellBits
	spacing  = 56.0 / 64 // of a cell
	ring     = 3         // cells around a tile that have their place in an array
	side     = cells + 2*ring
)

type cell struct {
	x, y   uint32 // in cells
	n      int32  // points
	i, j   int32  // of the segment
	d, e   int32  // of the delta
	known  uint8
	isRoot bool
	owner  uint64 // code of the cell that has the disc
	mx, my uint32 // middle, in world units
}

const (
	unloaded = iota
	loaded
	decided
)

// grid is the cells at one zoom as far as they have been looked at.
type grid struct {
	s      *Snapshot
	q      *query
	seg    *segment // the points that match
	plain  bool     // all do
	zoom   int
	level  uint
	mask   uint32 // cells per side of the world, less one
	ox, oy uint32 // first cell of the tile
	near   uint64 // square of the least distance between discs, in world units
	hint   int
	local  [side * side]cell
	far    map[uint64]*cell
}

func (g *grid) init(s *Snapshot, q *query, seg *segment, z int, tx, ty uint32) {
	g.s, g.q, g.seg, g.zoom = s, q, seg, z
	g.plain = q == nil || q.plain()
	g.level = uint(z + cellBits)
	g.mask = 1<<g.level - 1
	g.ox, g.oy = tx<<cellBits, ty<<cellBits
	d := uint64(spacing * float64(uint64(1)<<(worldBits-g.level)))
	g.near = d * d
}

// at returns a cell with its points counted. x goes around the world, y must be on it.
func (g *grid) at(x, y uint32) *cell {
	x &= g.mask
	var c *cell
	if lx, ly := (x-g.ox+ring)&g.mask, y-g.oy+ring; lx < side && ly < side {
		c = &g.local[ly*side+lx]
	} else {
		code := morton(x, y)
		if c = g.far[code]; c == nil {
			if g.far == nil {
				g.far = map[uint64]*cell{}
			}
			c = &cell{}
			g.far[code] = c
		}
	}
	if c.known == unloaded {
		g.load(c, x, y)
	}
	return c
}

func (g *grid) load(c *cell, x, y uint32) {
	c.x, c.y, c.known = x, y, loaded
	first, last := keyRange(morton(x, y), g.level)
	keys := g.seg.keys
	i := seek(keys, g.hint, first)
	j := i
	if last == math.MaxUint64 {
		j = len(keys)
	} else if i < len(keys) && keys[i] <= last {
		j = search(keys, i, last+1)
	}
	g.hint = j
	c.i, c.j = int32(i), int32(j)
	n := int64(j - i)
	total := g.seg.sum(i, j)
	if len(g.s.delta) > 0 {
		d, e := deltaRange(g.s.delta, first, last)
		c.d, c.e = int32(d), int32(e)
		for _, p := range g.s.delta[d:e] {
			if g.plain || g.q.matchesPoint(p.pt) {
				n += int64(p.sign)
				total.add(p.key, int64(p.sign))
			}
		}
	}
	c.n = int32(n)
	if n > 0 {
		c.mx, c.my = uint32(total.x/uint64(n)), uint32(total.y/uint64(n))
	}
}

// deltaRange returns the changes with keys from first to last.
func deltaRange(delta []keyed, first, last uint64) (i, j int) {
	i = firstAtLeast(delta, 0, first)
	if last == math.MaxUint64 {
		return i, len(delta)
	}
	return i, firstAtLeast(delta, i, last+1)
}

func firstAtLeast(delta []keyed, lo int, k uint64) int {
	hi := len(delta)
	for lo < hi {
		m := int(uint(lo+hi) >> 1)
		if delta[m].key < k {
			lo = m + 1
		} else {
			hi = m
		}
	}
	return lo
}

func (c *cell) code() uint64 { return morton(c.x, c.y) }

// before reports whether c keeps its disc rather than o.
func (c *cell) before(o *cell) bool {
	if c.n != o.n {
		return c.n > o.n
	}
	const odd = 0x9e3779b97f4a7c15 // multiplying by an odd number is one-to-one
	return c.code()*odd < o.code()*odd
}

func (c *cell) distance(o *cell) uint64 {
	dx, dy := int64(int32(c.mx-o.mx)), int64(c.my)-int64(o.my) // x goes around the world
	return uint64(dx*dx + dy*dy)
}

// neighbours calls fn with the cells around c that have points.
func (g *grid) neighbours(c *cell, fn func(o *cell)) {
	for dy := uint32(0); dy < 3; dy++ {
		y := c.y + dy - 1
		if y > g.mask {
			continue
		}
		for dx := uint32(0); dx < 3; dx++ {
			if dx == 1 && dy == 1 {
				continue
			}
			if o := g.at(c.x+dx-1, y); o.n > 0 {
				fn(o)
			}
		}
	}
}

// decide finds out whether c, which has points, keeps its disc, or which cell has it.
func (g *grid) decide(c *cell) {
	if c.known == decided {
		return
	}
	var best *cell
	var least uint64
	g.neighbours(c, func(o *cell) {
		if !o.before(c) {
			return
		}
		d := c.distance(o)
		if d >= g.near || best != nil && (d > least || d == least && best.before(o)) {
			return
		}
		if g.decide(o); o.isRoot {
			best, least = o, d
		}
	})
	c.known = decided
	if best == nil {
		c.isRoot, c.owner = true, c.code()
	} else {
		c.owner = best.code()
	}
}

// disc is what is drawn at one place: the points of a cell and of those that were merged into it.
type disc struct {
	root    *cell
	n       int
	members [9]*cell // the root first
	count   int      // of members
}

// disc returns the disc of a root.
func (g *grid) disc(root *cell) disc {
	d := disc{root: root, n: int(root.n), count: 1}
	d.members[0] = root
	code := root.code()
	g.neighbours(root, func(o *cell) {
		if root.before(o) && root.distance(o) < g.near {
			if g.decide(o); o.owner == code {
				d.members[d.count] = o
				d.count++
				d.n += int(o.n)
			}
		}
	})
	return d
}

// discs calls fn with the discs of the tile, which are those whose root is one of its cells: each disc belongs to one
// tile, and stands inside it.
func (g *grid) discs(fn func(d *disc)) {
	first, last := keyRange(morton(g.ox>>cellBits, g.oy>>cellBits), uint(g.zoom))
	g.hint = bisect(g.seg.keys, 0, len(g.seg.keys), first)
	if g.hint == len(g.seg.keys) || g.seg.keys[g.hint] > last {
		if d, e := deltaRange(g.s.delta, first, last); d == e {
			return
		}
	}
	for i := range uint64(cells * cells) { // first the points of all, in the order in which they are stored
		x, y := unmorton(i)
		g.at(g.ox+x, g.oy+y)
	}
	for i := range uint64(cells * cells) {
		x, y := unmorton(i)
		c := g.at(g.ox+x, g.oy+y)
		if c.n == 0 {
			continue
		}
		if g.decide(c); c.isRoot {
			d := g.disc(c)
			fn(&d)
		}
	}
}

// points calls fn with the points of a disc, until it returns false.
func (g *grid) points(d *disc, fn func(p keyed) bool) {
	for _, c := range d.members[:d.count] {
		changed := c.d < c.e // else all are alive
		for i := c.i; i < c.j; i++ {
			if pt := g.seg.pts[i]; (!changed || g.s.aliveAt(g.s.ptRow[pt], g.s.seq)) && !fn(keyed{g.seg.keys[i], pt, 1}) {
				return
			}
		}
		for _, p := range g.s.delta[c.d:c.e] {
			if p.sign > 0 && (g.plain || g.q.matchesPoint(p.pt)) && !fn(p) {
				return
			}
		}
	}
}

// opensAt returns the first deeper zoom at which the outermost points of a disc are a cell apart, or MaxZoom+1 when
// that is never. For the many points of large discs the next zoom is good enough, if some are in different cells there.
func (g *grid) opensAt(d *disc) int {
	if d.n > 64 {
		if d.count > 1 {
			return g.zoom + 1
		}
		lo, hi := g.outermost(d)
		return max(g.zoom+1, min(int(commonLevel(lo, hi))+1-cellBits, MaxZoom+1))
	}
	var minX, minY, maxX, maxY int64
	g.points(d, func(p keyed) bool {
		x, y := unmorton(p.key)
		dx, dy := int64(int32(x-d.root.mx)), int64(y)-int64(d.root.my)
		minX, maxX, minY, maxY = min(minX, dx), max(maxX, dx), min(minY, dy), max(maxY, dy)
		return true
	})
	extent := max(maxX-minX, maxY-minY)
	for z := g.zoom + 1; z <= MaxZoom; z++ {
		if extent >= 1<<(worldBits-uint(z+cellBits)) {
			return z
		}
	}
	return MaxZoom + 1
}

// outermost returns the first and the last key among the points of a disc of one cell.
func (g *grid) outermost(d *disc) (lo, hi uint64) {
	c := d.root
	lo = math.MaxUint64
	alive := func(i int32) bool { return c.d == c.e || g.s.aliveAt(g.s.ptRow[g.seg.pts[i]], g.s.seq) }
	for i := c.i; i < c.j; i++ {
		if alive(i) {
			lo = g.seg.keys[i]
			break
		}
	}
	for i := c.j - 1; i >= c.i; i-- {
		if alive(i) {
			hi = g.seg.keys[i]
			break
		}
	}
	for _, p := range g.s.delta[c.d:c.e] {
		if p.sign > 0 && (g.plain || g.q.matchesPoint(p.pt)) {
			lo, hi = min(lo, p.key), max(hi, p.key)
		}
	}
	return lo, hi
}

// clusterKeys returns the ranges of keys of a disc's cells.
func (s *Snapshot) clusterKeys(c *Cluster, q *query) ([][2]uint64, error) {
	if c.Zoom < 0 || c.Zoom > MaxZoom {
		return nil, invalid("cluster: zoom %d: want 0 to %d", c.Zoom, MaxZoom)
	}
	level := uint(c.Zoom + cellBits)
	if c.ID >= 1<<(2*level) {
		return nil, invalid("cluster: %d is not on the map at zoom %d", c.ID, c.Zoom)
	}
	x, y := unmorton(c.ID)
	var g grid
	g.init(s, q, s.view(q), c.Zoom, x>>cellBits, y>>cellBits)
	root := g.at(x, y)
	if root.n == 0 {
		return [][2]uint64{}, nil
	}
	// After a change the cell may have joined another disc: then that one is meant.
	g.decide(root)
	if !root.isRoot {
		root = g.at(unmorton(root.owner))
	}
	d := g.disc(root)
	var out [][2]uint64
	for _, m := range d.members[:d.count] {
		first, last := keyRange(m.code(), level)
		out = append(out, [2]uint64{first, last})
	}
	return out, nil
}

// middle returns where a disc is drawn.
func (d *disc) middle() orb.Point { return unproject(d.root.mx, d.root.my) }
