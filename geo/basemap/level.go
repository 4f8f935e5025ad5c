package basemap

import (
	"math"

	"github.com/paulmach/orb"
)

// A level is the world's geometry as one zoom needs it, on the unit square, y down.
type level struct {
	earth   []area
	water   []area
	borders []line
	regions []line
}

// An area is a polygon: rings[0] is the outside, the others are holes.
type area struct {
	rings []orb.Ring
	bound orb.Bound
}

type line struct {
	points orb.LineString
	bound  orb.Bound
}

// lastLevel is the zoom from which the data is used as it is.
const lastLevel = 6

// regionZoom is the first zoom of tiles with the lines between a country's regions.
const regionZoom = 6

func scaleOf(z int) string {
	switch {
	case z <= 1:
		return "land-110m"
	case z <= 3:
		return "land-50m"
	}
	return "land-10m"
}

// newLevel simplifies by arc, before anything is clipped, so that neighbouring tiles and
// neighbouring layers see the same points.
func newLevel(z int) (*level, error) {
	t, err := readTopology(scaleOf(z))
	if err != nil {
		return nil, err
	}
	lakes, err := readShapes("lakes")
	if err != nil {
		return nil, err
	}
	pixel := math.Ldexp(1, -z-9) // tiles are drawn 512 pixels wide
	tolerance := pixel * 0.7
	if z >= lastLevel {
		tolerance = 0
	}
	for i := range t.arcs {
		t.arcs[i] = simplify(t.arcs[i], tolerance)
	}
	l := &level{}
	for _, polygon := range t.land {
		var rings []orb.Ring
		for i, arcs := range polygon {
			ring := t.ring(arcs)
			if tooSmall(ring, pixel) {
				if i == 0 {
					break
				}
				continue
			}
			rings = append(rings, ring)
		}
		if len(rings) > 0 {
			l.earth = append(l.earth, area{rings, rings[0].Bound()})
		}
	}
	for _, lake := range lakes {
		l.addLake(lake, tolerance, pixel)
	}
	for _, a := range t.borders {
		l.borders = append(l.borders, line{t.arcs[a], t.arcs[a].Bound()})
	}
	if z >= regionZoom {
		regions, err := readShapes("regions")
		if err != nil {
			return nil, err
		}
		for _, shape := range regions {
			for _, part := range shape {
				part = simplify(part, tolerance)
				l.regions = append(l.regions, line{part, part.Bound()})
			}
		}
	}
	return l, nil
}

// addLake takes the parts of an ESRI polygon: outer rings run clockwise on the map, which
// is a positive area with y down, and holes follow the ring they lie in.
func (l *level) addLake(parts []orb.LineString, tolerance, pixel float64) {
	var rings []orb.Ring
	flush := func() {
		if len(rings) > 0 {
			l.water = append(l.water, area{rings, rings[0].Bound()})
		}
		rings = nil
	}
	for _, part := range parts {
		outer := orb.Ring(part).Orientation() == orb.CCW
		if outer {
			flush()
		}
		ring := orb.Ring(simplify(part, tolerance))
		if tooSmall(ring, 2*pixel) || len(rings) == 0 && !outer {
			continue
		}
		rings = append(rings, ring)
	}
	flush()
}

func tooSmall(ring orb.Ring, pixel float64) bool {
	b := ring.Bound()
	return len(ring) < 4 || (b.Max[0]-b.Min[0])+(b.Max[1]-b.Min[1]) < pixel
}

// ring joins arcs. The result runs on over the antimeridian. A ring that goes around a
// pole is laid out three times side by side and closed beyond the edge of the map, so that
// every tile sees it whole.
func (t *topology) ring(arcs []int) orb.Ring {
	size := 0
	for _, a := range arcs {
		size += len(t.arcs[max(a, ^a)])
	}
	ring := make(orb.Ring, 0, size)
	for _, a := range arcs {
		arc := t.arcs[max(a, ^a)]
		shift := 0.0
		for i := range arc {
			p := arc[i]
			if a < 0 {
				p = arc[len(arc)-1-i]
			}
			if n := len(ring); i == 0 && n > 0 {
				shift = math.Round(ring[n-1][0] - p[0])
				continue
			}
			ring = append(ring, orb.Point{p[0] + shift, p[1]})
		}
	}
	first, last := ring[0], ring[len(ring)-1]
	turn := math.Round(last[0] - first[0])
	if turn == 0 {
		ring[len(ring)-1] = first
		return ring
	}
	pole := 1.25
	if first[1] < 0.5 {
		pole = -0.25
	}
	wide := make(orb.Ring, 0, 3*len(ring)+3)
	for _, shift := range []float64{-turn, 0, turn} {
		for _, p := range ring {
			wide = append(wide, orb.Point{p[0] + shift, p[1]})
		}
	}
	return append(wide, orb.Point{wide[len(wide)-1][0], pole}, orb.Point{wide[0][0], pole}, wide[0])
}

// simplify is Douglas-Peucker with the distance to the segment, which keeps both ends and
// works for closed lines. It returns the line itself when there is nothing to do.
func simplify(in orb.LineString, tolerance float64) orb.LineString {
	if tolerance <= 0 || len(in) < 3 {
		return in
	}
	keep := make([]bool, len(in))
	keep[0], keep[len(in)-1] = true, true
	type span struct{ from, to int }
	for stack := []span{{0, len(in) - 1}}; len(stack) > 0; {
		s := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		worst, at := tolerance*tolerance, -1
		for i := s.from + 1; i < s.to; i++ {
			if d := distance2(in[i], in[s.from], in[s.to]); d > worst {
				worst, at = d, i
			}
		}
		if at >= 0 {
			keep[at] = true
			stack = append(stack, span{s.from, at}, span{at, s.to})
		}
	}
	n := 0
	for _, k := range keep {
		if k {
			n++
		}
	}
	out := make(orb.LineString, 0, n)
	for i, k := range keep {
		if k {
			out = append(out, in[i])
		}
	}
	return out
}

func distance2(p, a, b orb.Point) float64 {
	x, y := p[0]-a[0], p[1]-a[1]
	dx, dy := b[0]-a[0], b[1]-a[1]
	if l := dx*dx + dy*dy; l > 0 {
		t := max(0, min(1, (x*dx+y*dy)/l))
		x, y = x-t*dx, y-t*dy
	}
	return x*x + y*y
}
