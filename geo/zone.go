package geo

import (
	"math"

	"github.com/paulmach/orb"
)

// Zone is a territory made ready for asking which points it holds. It never changes.
type Zone struct {
	bound orb.Bound
	sum   uint64
	bands [][]edge // edges by band of latitude
}

type edge struct{ x0, y0, x1, y1 float64 }

const zoneBands = 512

// NewZone prepares polygons, in [longitude, latitude] degrees, with holes. Rings need not be closed. A territory that
// crosses the antimeridian is cut there, as RFC 7946, section 3.1.9 asks.
func NewZone(m orb.MultiPolygon) (*Zone, error) {
	z := &Zone{bands: make([][]edge, zoneBands)}
	var edges []edge
	first := true
	for _, poly := range m {
		for _, ring := range poly {
			if len(ring) < 3 {
				return nil, invalid("zone: a ring of %d positions", len(ring))
			}
			z.sum = sumInt(z.sum, uint64(len(ring)))
			for i, p := range ring {
				if err := checkPoint(p); err != nil {
					return nil, withField("zone", err)
				}
				if first {
					z.bound, first = orb.Bound{Min: p, Max: p}, false
				}
				z.bound = z.bound.Extend(p)
				z.sum = sumInt(sumInt(z.sum, math.Float64bits(p[0])), math.Float64bits(p[1]))
				q := ring[(i+1)%len(ring)]
				edges = append(edges, edge{p[0], p[1], q[0], q[1]})
			}
		}
	}
	if len(edges) == 0 {
		return nil, invalid("zone: it has no polygon")
	}
	for _, e := range edges {
		if e.y0 == e.y1 {
			continue
		}
		if e.y0 > e.y1 { // so that a border gives the same answer from both sides
			e = edge{e.x1, e.y1, e.x0, e.y0}
		}
		for b := z.band(e.y0); b <= z.band(e.y1); b++ {
			z.bands[b] = append(z.bands[b], e)
		}
	}
	return z, nil
}

func (z *Zone) band(y float64) int {
	h := z.bound.Max[1] - z.bound.Min[1]
	if h == 0 {
		return 0
	}
	return min(max(int((y-z.bound.Min[1])/h*zoneBands), 0), zoneBands-1)
}

// Bound returns the smallest box that holds the zone.
func (z *Zone) Bound() orb.Bound { return z.bound }

// Contains reports whether p lies in the zone, by the even-odd rule. Of two zones that share a border, a point on it
// is in one only.
func (z *Zone) Contains(p orb.Point) bool {
	if !inBox(&z.bound, p) {
		return false
	}
	in := false
	for _, e := range z.bands[z.band(p[1])] {
		if (e.y0 > p[1]) != (e.y1 > p[1]) && p[0] < (e.x1-e.x0)*(p[1]-e.y0)/(e.y1-e.y0)+e.x0 {
			in = !in
		}
	}
	return in
}
