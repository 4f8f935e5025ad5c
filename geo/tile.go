package geo

import (
	"fmt"
	"strconv"

	"archipel/directory"

	"github.com/paulmach/orb"
)

// Marker is what is drawn at one place of the map: an entry's site, or a disc for several.
type Marker struct {
	Point orb.Point // [longitude, latitude] in degrees
	Count int       // sites

	// When Count is 1:
	ID          directory.ID
	Slug, Name  string
	Kind        directory.Kind
	Category    string // the main one
	Approximate bool
	Faded       bool // by [Filter.Faded]
	Origin      string

	// When Count is more:
	Cluster Cluster // lists the entries, in a Filter
	Leading []Count // the three main categories that most have
	OpensAt int     // zoom at which it comes apart; MaxZoom+1 when it never does, as at one address
}

// Count is how many have a value.
type Count struct {
	Value string
	Count int
}

// checkTile reports tile numbers that are not on the map.
func checkTile(z, x, y int) error {
	switch {
	case z < 0 || z > MaxZoom:
		return invalid("tile: zoom %d: want 0 to %d", z, MaxZoom)
	case x < 0 || x >= 1<<z:
		return invalid("tile: x %d: want 0 to %d at zoom %d", x, 1<<z-1, z)
	case y < 0 || y >= 1<<z:
		return invalid("tile: y %d: want 0 to %d at zoom %d", y, 1<<z-1, z)
	}
	return nil
}

// forTile compiles a filter for drawing, and returns nil for the one that matches everything.
func (s *Snapshot) forTile(f *Filter) (*query, *segment, error) {
	if f.Cluster != nil {
		return nil, nil, invalid("cluster: not for tiles")
	}
	if f.empty() {
		return nil, s.seg, nil
	}
	q, err := f.compile(s)
	if err != nil {
		return nil, nil, err
	}
	return q, s.view(q), nil
}

func (f *Filter) empty() bool {
	return f.BBox == nil && f.Near == nil && f.Radius == 0 && f.Zone == nil && len(f.Kinds) == 0 && len(f.Categories) == 0 &&
		len(f.Tags) == 0 && len(f.Origins) == 0 && f.Words == "" && f.From.IsZero() && f.To.IsZero() && f.Current.IsZero() && f.OpenAt.IsZero() && f.Only == nil
}

// scratch is memory that tiles use again.
type scratch struct {
	grid
	counts   []int32
	entries  layer
	clusters layer
	buf      []byte
	faded    uint16 // what was seen before that day has faded
}

func (s *Snapshot) scratch(q *query, seg *segment, z, x, y int) *scratch {
	sc, ok := s.pool.Get().(*scratch)
	if !ok {
		sc = new(scratch)
	}
	clear(sc.local[:])
	sc.far = nil
	sc.init(s, q, seg, z, uint32(x), uint32(y))
	if n := len(s.categories.list); len(sc.counts) < n {
		sc.counts = make([]int32, n)
	}
	return sc
}

func (sc *scratch) free() {
	pool := sc.s.pool
	sc.s, sc.q, sc.seg, sc.far = nil, nil, nil, nil // not to keep a snapshot alive
	pool.Put(sc)
}

// leading returns the ids and counts of the three categories that most points of a disc have.
func (sc *scratch) leading(d *disc) (top [3]uint32, counts [3]int32, n int) {
	all := sc.counts[:len(sc.s.categories.list)]
	clear(all)
	for _, c := range d.members[:d.count] {
		sc.seg.count(int(c.i), int(c.j), all)
		for _, p := range sc.s.delta[c.d:c.e] {
			if cat := sc.s.category(sc.s.ptRow[p.pt]); cat != noCategory && (sc.plain || sc.q.matchesPoint(p.pt)) {
				all[cat] += p.sign
			}
		}
	}
	for c, v := range all {
		if v <= 0 || n == len(top) && v < counts[n-1] {
			continue
		}
		i := n
		for i > 0 && (v > counts[i-1] || v == counts[i-1] && sc.s.categories.list[c] < sc.s.categories.list[top[i-1]]) {
			i--
		}
		if i == len(top) {
			continue
		}
		copy(top[i+1:], top[i:])
		copy(counts[i+1:], counts[i:])
		top[i], counts[i] = uint32(c), v
		n = min(n+1, len(top))
	}
	return top, counts, n
}

// single returns the point of a disc of one.
func (g *grid) single(d *disc) (pt uint32) {
	g.points(d, func(p keyed) bool { pt = p.pt; return false })
	return pt
}

// Markers returns what a tile shows under a filter, each marker in exactly one tile of a zoom: the counts of all tiles
// of a zoom add up to the number of sites that match. Errors wrap [ErrInvalid].
func (s *Snapshot) Markers(z, x, y int, f Filter) ([]Marker, error) {
	if err := checkTile(z, x, y); err != nil {
		return nil, err
	}
	q, seg, err := s.forTile(&f)
	if err != nil {
		return nil, err
	}
	sc := s.scratch(q, seg, z, x, y)
	defer sc.free()
	var out []Marker
	sc.discs(func(d *disc) {
		if d.n > 1 {
			top, counts, n := sc.leading(d)
			m := Marker{Point: d.middle(), Count: d.n, Cluster: Cluster{z, d.root.code()}, OpensAt: sc.opensAt(d)}
			for i := range n {
				m.Leading = append(m.Leading, Count{s.categories.list[top[i]], int(counts[i])})
			}
			out = append(out, m)
			return
		}
		pt := sc.single(d)
		r := s.ptRow[pt]
		in := &s.info[r]
		out = append(out, Marker{
			Point: s.pts[pt].point(), Count: 1, ID: s.ids[r].unpack(), Slug: string(s.slug(in)), Name: string(s.name(in)),
			Kind: directory.Kind(s.kinds.list[s.kind[r]]), Category: s.categoryName(r), Approximate: in.approximate,
			Origin: s.origins.list[in.origin], Faded: in.fadedBefore(dayStamp(f.Faded)),
		})
	})
	return out, nil
}

func (s *Snapshot) categoryName(r uint32) string {
	if c := s.category(r); c != noCategory {
		return s.categories.list[c]
	}
	return ""
}

// Tile returns what Markers does as a Mapbox Vector Tile 2.1, which is empty when there is nothing. Errors wrap
// [ErrInvalid]. Its layers have points only, in an extent of 4096:
//
//   - "entries": id, slug, name, kind, category (the main one, if any), approximate and mirrored (present when true),
//     and with the latter origin (a host), faded (when [Filter.Faded] says so);
//   - "clusters": count, categories (the three leading main ones, as "amap:12,fablab:3"), id (with the zoom, a
//     [Cluster]; also the feature's id) and zoom (at which it comes apart; MaxZoom+1 when it never does).
//
// There is no buffer: a point at the edge is in one tile only, and must be drawn beyond the edge of that tile.
func (s *Snapshot) Tile(z, x, y int, f Filter) ([]byte, error) {
	if err := checkTile(z, x, y); err != nil {
		return nil, err
	}
	q, seg, err := s.forTile(&f)
	if err != nil {
		return nil, err
	}
	sc := s.scratch(q, seg, z, x, y)
	defer sc.free()
	sc.faded = dayStamp(f.Faded)
	sc.entries.reset("entries", entryKeys)
	sc.clusters.reset("clusters", clusterKeys)
	sc.discs(func(d *disc) {
		if d.n > 1 {
			sc.addCluster(d)
		} else {
			sc.addEntry(d)
		}
	})
	if sc.entries.count+sc.clusters.count == 0 {
		return nil, nil
	}
	out := make([]byte, 0, sc.entries.size()+sc.clusters.size())
	return sc.clusters.appendTo(sc.entries.appendTo(out)), nil
}

var (
	entryKeys   = []string{"id", "slug", "name", "kind", "category", "approximate", "mirrored", "origin", "faded"}
	clusterKeys = []string{"count", "categories", "id", "zoom"}
)

func (sc *scratch) addEntry(d *disc) {
	l, s := &sc.entries, sc.s
	r := s.ptRow[sc.single(d)]
	in := &s.info[r]
	l.begin(0)
	sc.buf = append(sc.buf[:0], s.ids[r].unpack()...)
	l.text(0, sc.buf)
	l.text(1, s.slug(in))
	l.text(2, s.name(in))
	l.shared(3, uint64(s.kind[r]), s.kinds.list[s.kind[r]])
	if c := s.category(r); c != noCategory {
		l.shared(4, 1<<32|uint64(c), s.categories.list[c])
	}
	if in.approximate {
		l.yes(5)
	}
	if in.origin != 0 {
		l.yes(6)
		l.shared(7, 2<<32|uint64(in.origin), s.origins.list[in.origin])
	}
	if in.fadedBefore(sc.faded) {
		l.yes(8)
	}
	l.end(sc.position(d))
}

// fadedBefore reports whether nobody has confirmed or changed an entry since a day; 0 is none.
func (in *info) fadedBefore(day uint16) bool { return in.seen != 0 && in.seen < day }

func (sc *scratch) addCluster(d *disc) {
	l := &sc.clusters
	l.begin(d.root.code())
	l.number(0, uint64(d.n))
	sc.buf = sc.buf[:0]
	top, counts, n := sc.leading(d)
	for i := range n {
		if i > 0 {
			sc.buf = append(sc.buf, ',')
		}
		sc.buf = append(append(sc.buf, sc.s.categories.list[top[i]]...), ':')
		sc.buf = strconv.AppendInt(sc.buf, int64(counts[i]), 10)
	}
	l.text(1, sc.buf)
	l.number(2, d.root.code())
	l.number(3, uint64(sc.opensAt(d)))
	l.end(sc.position(d))
}

// position returns where a disc stands in its tile.
func (sc *scratch) position(d *disc) (x, y uint32) {
	shift := uint(worldBits - sc.zoom)
	return within(d.root.mx, shift), within(d.root.my, shift)
}

func within(v uint32, shift uint) uint32 {
	return uint32((uint64(v) & (1<<shift - 1)) << extentBits >> shift)
}

// ended returns how many sites belong to events that are over.
func (s *Snapshot) ended(now int64) int {
	n := s.seg.ended(now)
	for _, p := range s.delta {
		if s.end(s.ptRow[p.pt]) <= now {
			n += int(p.sign)
		}
	}
	return n
}

// ETag returns a strong entity tag (RFC 9110, section 8.8.3) for a tile under a filter. It is the same in every process
// with the same entries.
func (s *Snapshot) ETag(z, x, y int, f Filter) string {
	h := sumString(sumInt(sumInt(sumInt(3, uint64(z)), uint64(x)), uint64(y)), f.key())
	if !f.Current.IsZero() {
		h = sumInt(h, uint64(s.ended(f.Current.Unix())))
	}
	h = sumInt(h, uint64(dayStamp(f.Faded)))
	return fmt.Sprintf(`"%s-%016x"`, s.Version(), h)
}
