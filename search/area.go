package search

import (
	"math"
	"time"

	"github.com/paulmach/orb"
	"github.com/paulmach/orb/geo"
	"github.com/paulmach/orb/planar"
)

var zeroTime time.Time

// Middle returns where distances are measured from: Near, or else the middle of the box or of the polygon.
func (q *Query) Middle() (orb.Point, bool) {
	switch {
	case q.Near != nil:
		return *q.Near, true
	case q.BBox != nil:
		w, e := q.BBox.Min[0], q.BBox.Max[0]
		if w > e {
			e += 360
		}
		lon := (w + e) / 2
		if lon > 180 {
			lon -= 360
		}
		return orb.Point{lon, (q.BBox.Min[1] + q.BBox.Max[1]) / 2}, true
	case len(q.Polygon) > 0:
		return q.Polygon.Bound().Center(), true
	}
	return orb.Point{}, false
}

// Area tests positions against the box, the circle and the polygon of a Query.
type Area struct {
	box     *orb.Bound
	near    *orb.Point
	radius  float64
	polygon orb.MultiPolygon
	bound   orb.Bound   // of the polygon
	bounds  []orb.Bound // of its parts
	reach   float64     // degrees of latitude that radius spans, with a margin
}

// NewArea prepares the area of q. Zones are not part of it.
func NewArea(q *Query) *Area {
	a := &Area{box: q.BBox, polygon: q.Polygon}
	if q.Near != nil && q.Radius > 0 {
		a.near, a.radius = q.Near, q.Radius
		a.reach = q.Radius/110_000 + 1e-9 // a degree of latitude is more than 110 km everywhere
	}
	if len(a.polygon) > 0 {
		a.bound = a.polygon.Bound()
		for _, p := range a.polygon {
			a.bounds = append(a.bounds, p.Bound())
		}
	}
	return a
}

// Everywhere reports whether every position is inside, and so is an entry without one.
func (a *Area) Everywhere() bool { return a.box == nil && a.near == nil && len(a.polygon) == 0 }

// Contains reports whether p lies in all parts of the area; borders are inside.
func (a *Area) Contains(p orb.Point) bool {
	if b := a.box; b != nil {
		if p[1] < b.Min[1] || p[1] > b.Max[1] {
			return false
		}
		if b.Min[0] <= b.Max[0] {
			if p[0] < b.Min[0] || p[0] > b.Max[0] {
				return false
			}
		} else if p[0] < b.Min[0] && p[0] > b.Max[0] {
			return false
		}
	}
	if a.near != nil {
		if math.Abs(p[1]-a.near[1]) > a.reach || geo.DistanceHaversine(*a.near, p) > a.radius {
			return false
		}
	}
	if len(a.polygon) > 0 {
		if !a.bound.Contains(p) {
			return false
		}
		for i, poly := range a.polygon {
			if a.bounds[i].Contains(p) && planar.PolygonContains(poly, p) {
				return true
			}
		}
		return false
	}
	return true
}

// ContainsAny reports whether one of the positions is inside. Entries without a position are nowhere.
func (a *Area) ContainsAny(ps []orb.Point) bool {
	for _, p := range ps {
		if a.Contains(p) {
			return true
		}
	}
	return false
}

// Distance returns the metres (on a sphere) from p to the nearest of the positions, -1 when there is none.
func Distance(p orb.Point, ps []orb.Point) float64 {
	best := -1.0
	for _, s := range ps {
		if d := geo.DistanceHaversine(p, s); best < 0 || d < best {
			best = d
		}
	}
	return best
}
