package staticmap

import (
	"math"

	"github.com/paulmach/orb"
)

// shape returns the outline of a kind in a box of 32, the same as on the live map, and
// where the middle of what stands in it is.
func shape(kind string) (outline []orb.Point, cx, cy float64) {
	switch kind {
	case "organisation":
		return turn(nil, 16, 16, 14, 0, 360), 16, 16
	case "initiative":
		leaf := curve([]orb.Point{{3, 29}}, orb.Point{1, 12}, orb.Point{10, 2}, orb.Point{30, 2})
		return curve(leaf, orb.Point{30, 22}, orb.Point{20, 31}, orb.Point{3, 29}), 16.5, 15.5
	case "event":
		return []orb.Point{{4, 31}, {4, 2}, {30, 2}, {25.5, 12.5}, {30, 23}, {8, 23}, {8, 31}}, 15, 12.5
	}
	square := turn(nil, 22, 10, 7, -90, 0)
	square = turn(square, 22, 22, 7, 0, 90)
	square = turn(square, 10, 22, 7, 90, 180)
	return turn(square, 10, 10, 7, 180, 270), 16, 16
}

// turn appends an arc from angle a to b in degrees, clockwise, 0 is east.
func turn(out []orb.Point, cx, cy, r, a, b float64) []orb.Point {
	n := int((b - a) / 7.5)
	for i := range n {
		s, k := math.Sincos((a + (b-a)*float64(i)/float64(n-1)) * math.Pi / 180)
		out = append(out, orb.Point{cx + r*k, cy + r*s})
	}
	return out
}

// curve appends a cubic Bézier curve from the last point.
func curve(out []orb.Point, b, c, d orb.Point) []orb.Point {
	a := out[len(out)-1]
	for i := 1; i <= 16; i++ {
		t := float64(i) / 16
		u := 1 - t
		var p orb.Point
		for axis := range p {
			p[axis] = u*u*u*a[axis] + 3*u*u*t*b[axis] + 3*u*t*t*c[axis] + t*t*t*d[axis]
		}
		out = append(out, p)
	}
	return out
}

// offset moves every edge of a clockwise outline (y down) outwards by d, with mitred
// corners of at most twice that.
func offset(in []orb.Point, d float64) []orb.Point {
	if d == 0 {
		return in
	}
	points := in[:0:0]
	for i, p := range in {
		if q := in[(i+1)%len(in)]; math.Hypot(p[0]-q[0], p[1]-q[1]) > 1e-6 {
			points = append(points, p)
		}
	}
	normal := func(a, b orb.Point) orb.Point {
		dx, dy := b[0]-a[0], b[1]-a[1]
		l := math.Hypot(dx, dy)
		return orb.Point{dy / l, -dx / l}
	}
	n := len(points)
	out := make([]orb.Point, n)
	for i, p := range points {
		a := normal(points[(i+n-1)%n], p)
		b := normal(p, points[(i+1)%n])
		k := d / max(0.5, 1+a[0]*b[0]+a[1]*b[1])
		out[i] = orb.Point{p[0] + (a[0]+b[0])*k, p[1] + (a[1]+b[1])*k}
	}
	return out
}
