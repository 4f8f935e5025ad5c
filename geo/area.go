package geo

import (
	"math"
	"slices"

	"github.com/paulmach/orb"
)

// area is where a filter looks: the points that are in one of the boxes, within the radius, and in the zone.
type area struct {
	boxes  []orb.Bound // in [-180, 180], west <= east; one or two
	near   *orb.Point
	radius float64
	zone   *Zone
	exact  bool        // a box alone: no more than being in it is asked for
	keys   [][2]uint64 // when not nil, the first and last keys of the squares that count
}

var world = orb.Bound{Min: orb.Point{-180, -90}, Max: orb.Point{180, 90}}

// area checks the spatial parts and returns nil when there are none. Cluster is handled apart.
func (f *Filter) area() (*area, error) {
	a := &area{boxes: []orb.Bound{world}}
	if f.Near != nil {
		if err := checkPoint(*f.Near); err != nil {
			return nil, withField("near", err)
		}
	}
	switch {
	case !(f.Radius >= 0) || math.IsInf(f.Radius, 1):
		return nil, invalid("radius %v: want metres, not negative", f.Radius)
	case f.Radius > 0 && f.Near == nil:
		return nil, invalid("radius: needs a point to be near")
	case f.Radius > 0:
		a.near, a.radius = f.Near, f.Radius
		a.boxes = around(*f.Near, f.Radius)
	}
	if f.BBox != nil {
		boxes, err := split(*f.BBox)
		if err != nil {
			return nil, err
		}
		a.boxes = intersect(a.boxes, boxes)
	}
	if f.Zone != nil {
		a.zone = f.Zone
		a.boxes = intersect(a.boxes, []orb.Bound{f.Zone.bound})
	}
	if f.BBox == nil && a.near == nil && a.zone == nil {
		return nil, nil
	}
	a.exact = a.near == nil && a.zone == nil
	return a, nil
}

func withField(field string, err error) error { return &fieldError{field, err} }

type fieldError struct {
	field string
	err   error
}

func (e *fieldError) Error() string { return e.field + ": " + e.err.Error() }
func (e *fieldError) Unwrap() error { return e.err }

// split checks a box and cuts it at the antimeridian.
func split(b orb.Bound) ([]orb.Bound, error) {
	w, s, e, n := b.Min[0], b.Min[1], b.Max[0], b.Max[1]
	switch {
	case !(math.Abs(w) <= 540 && math.Abs(e) <= 540):
		return nil, invalid("bbox: longitudes %v and %v: want degrees, west then east", w, e)
	case !(math.Abs(s) <= 90 && math.Abs(n) <= 90):
		return nil, invalid("bbox: latitudes %v and %v: want -90 to 90, south then north", s, n)
	case s > n:
		return nil, invalid("bbox: its south %v is north of its north %v", s, n)
	}
	if e-w >= 360 {
		return []orb.Bound{{Min: orb.Point{-180, s}, Max: orb.Point{180, n}}}, nil
	}
	w, e = turn(w), turn(e)
	if w <= e {
		return []orb.Bound{{Min: orb.Point{w, s}, Max: orb.Point{e, n}}}, nil
	}
	return []orb.Bound{
		{Min: orb.Point{w, s}, Max: orb.Point{180, n}},
		{Min: orb.Point{-180, s}, Max: orb.Point{e, n}},
	}, nil
}

func turn(lon float64) float64 {
	switch {
	case lon > 180:
		return lon - 360
	case lon < -180:
		return lon + 360
	}
	return lon
}

// around returns the boxes that hold a circle on the sphere.
func around(c orb.Point, radius float64) []orb.Bound {
	const deg = 180 / math.Pi
	r := radius / earthRadius * (1 + 1e-9)
	lat := r*deg + 1e-9
	s, n := c[1]-lat, c[1]+lat
	if s <= -90 || n >= 90 || r >= math.Pi/2 {
		return []orb.Bound{{Min: orb.Point{-180, max(s, -90)}, Max: orb.Point{180, min(n, 90)}}}
	}
	lon := math.Asin(min(1, math.Sin(r)/math.Cos(c[1]/deg)))*deg + 1e-9
	if lon >= 180 {
		return []orb.Bound{{Min: orb.Point{-180, s}, Max: orb.Point{180, n}}}
	}
	boxes, _ := split(orb.Bound{Min: orb.Point{c[0] - lon, s}, Max: orb.Point{c[0] + lon, n}})
	return boxes
}

func intersect(a, b []orb.Bound) (out []orb.Bound) {
	for _, p := range a {
		for _, q := range b {
			r := orb.Bound{
				Min: orb.Point{max(p.Min[0], q.Min[0]), max(p.Min[1], q.Min[1])},
				Max: orb.Point{min(p.Max[0], q.Max[0]), min(p.Max[1], q.Max[1])},
			}
			if r.Min[0] <= r.Max[0] && r.Min[1] <= r.Max[1] {
				out = append(out, r)
			}
		}
	}
	return out
}

// has reports whether p lies in the area.
func (a *area) has(p orb.Point) bool {
	return slices.ContainsFunc(a.boxes, func(b orb.Bound) bool { return inBox(&b, p) }) &&
		(a.keys == nil || a.hasKey(keyOf(p))) &&
		(a.near == nil || sphere(*a.near, p) <= a.radius) &&
		(a.zone == nil || a.zone.Contains(p))
}

func (a *area) hasKey(k uint64) bool {
	return slices.ContainsFunc(a.keys, func(r [2]uint64) bool { return k >= r[0] && k <= r[1] })
}

func inBox(b *orb.Bound, p orb.Point) bool {
	return p[0] >= b.Min[0] && p[0] <= b.Max[0] && p[1] >= b.Min[1] && p[1] <= b.Max[1]
}

// rowsIn returns the rows that have a site in the area, dead ones too.
func (s *Snapshot) rowsIn(a *area) bitset {
	rows := newBitset(len(s.ids))
	for _, r := range a.keys {
		for i := bisect(s.seg.keys, 0, len(s.seg.keys), r[0]); i < len(s.seg.keys) && s.seg.keys[i] <= r[1]; i++ {
			if pt := s.seg.pts[i]; a.has(s.pts[pt].point()) {
				rows.set(s.ptRow[pt])
			}
		}
	}
	for i := range a.boxes {
		if a.keys != nil {
			break
		}
		d := descent{s: s, a: a, rows: rows, box: &a.boxes[i]}
		d.x0, d.y0 = project(orb.Point{d.box.Min[0], d.box.Max[1]})
		d.x1, d.y1 = project(orb.Point{d.box.Max[0], d.box.Min[1]})
		d.visit(0, 0, 0, len(s.seg.keys))
	}
	for _, c := range s.delta {
		if c.sign > 0 && a.has(s.pts[c.pt].point()) {
			rows.set(s.ptRow[c.pt])
		}
	}
	return rows
}

// descent marks the points of a segment that lie in one box of an area, going down the squares of the map.
type descent struct {
	s              *Snapshot
	a              *area
	box            *orb.Bound
	x0, y0, x1, y1 uint32 // the box in world units, edges included
	rows           bitset
}

// visit handles the points [i, j) of a square.
func (d *descent) visit(code uint64, level uint, i, j int) {
	if i == j {
		return
	}
	first, last := keyRange(code, level)
	sx0, sy0 := unmorton(first)
	sx1, sy1 := unmorton(last)
	if sx1 < d.x0 || sx0 > d.x1 || sy1 < d.y0 || sy0 > d.y1 {
		return
	}
	// Edges are shared with points that a unit cannot tell from them, and the first and last row of the square hold
	// everything beyond the latitudes of Mercator: only what is strictly inside needs no closer look.
	inside := sx0 > d.x0 && sx1 < d.x1 && sy0 > d.y0 && sy1 < d.y1
	if inside && d.a.exact {
		for _, pt := range d.s.seg.pts[i:j] {
			d.rows.set(d.s.ptRow[pt])
		}
		return
	}
	if inside || j-i <= 32 || level == worldBits {
		for _, pt := range d.s.seg.pts[i:j] {
			if d.a.has(d.s.pts[pt].point()) {
				d.rows.set(d.s.ptRow[pt])
			}
		}
		return
	}
	for c := range uint64(4) {
		end := j
		if c < 3 {
			_, last := keyRange(code<<2|c, level+1)
			end = bisect(d.s.seg.keys, i, j, last+1)
		}
		d.visit(code<<2|c, level+1, i, end)
		i = end
	}
}
