package staticmap

import (
	"image"
	"image/color"
	"image/draw"
	"math"

	"github.com/paulmach/orb"
	"golang.org/x/image/vector"
)

// A canvas is the picture, and the shape that is being built on it. Coordinates are
// picture pixels; widths are given in CSS pixels.
type canvas struct {
	img    *image.RGBA
	raster *vector.Rasterizer
	scale  float64
	empty  bool
}

func newCanvas(w, h int, scale float64) *canvas {
	return &canvas{image.NewRGBA(image.Rect(0, 0, w, h)), vector.NewRasterizer(w, h), scale, true}
}

func (c *canvas) clear(col color.RGBA) {
	draw.Draw(c.img, c.img.Bounds(), image.NewUniform(col), image.Point{}, draw.Src)
}

// fill paints the shape built so far, and starts another one.
func (c *canvas) fill(col color.Color) {
	if !c.empty {
		c.raster.Draw(c.img, c.img.Bounds(), image.NewUniform(col), image.Point{})
		c.reset()
	}
}

func (c *canvas) reset() {
	b := c.img.Bounds()
	c.raster.Reset(b.Dx(), b.Dy())
	c.empty = true
}

// polygon adds a closed line. Overlaps of lines that run the same way stay filled; a
// line that runs the other way cuts a hole.
func (c *canvas) polygon(points []orb.Point) {
	if len(points) < 3 {
		return
	}
	c.empty = false
	c.raster.MoveTo(float32(points[0][0]), float32(points[0][1]))
	for _, p := range points[1:] {
		c.raster.LineTo(float32(p[0]), float32(p[1]))
	}
	c.raster.ClosePath()
}

// stroke adds a line of a width with round ends and joins.
func (c *canvas) stroke(points []orb.Point, width float64) {
	r := width * c.scale / 2
	for i := 1; i < len(points); i++ {
		c.segment(points[i-1], points[i], r)
	}
	if r < 0.6 {
		return // joins of hairlines cannot be seen
	}
	for _, p := range points {
		c.disc(p, r)
	}
}

func (c *canvas) segment(a, b orb.Point, r float64) {
	dx, dy := b[0]-a[0], b[1]-a[1]
	l := math.Hypot(dx, dy)
	if l == 0 {
		return
	}
	nx, ny := -dy/l*r, dx/l*r
	c.polygon([]orb.Point{{a[0] + nx, a[1] + ny}, {a[0] - nx, a[1] - ny}, {b[0] - nx, b[1] - ny}, {b[0] + nx, b[1] + ny}})
}

// disc adds a filled circle that runs the way that segments do.
func (c *canvas) disc(at orb.Point, r float64) {
	n := 8 + int(r*2)
	points := make([]orb.Point, n)
	for i := range points {
		s, k := math.Sincos(2 * math.Pi * float64(i) / float64(n))
		points[i] = orb.Point{at[0] + r*k, at[1] + r*s}
	}
	c.polygon(points)
}

// dashes adds a broken line: on and off are in CSS pixels.
func (c *canvas) dashes(points []orb.Point, width, on, off float64) {
	on, off = on*c.scale, off*c.scale
	left, drawing := on, true
	for i := 1; i < len(points); i++ {
		a, b := points[i-1], points[i]
		length := math.Hypot(b[0]-a[0], b[1]-a[1])
		for at := 0.0; at < length; {
			step := min(left, length-at)
			if drawing {
				c.segment(along(a, b, at/length), along(a, b, (at+step)/length), width*c.scale/2)
			}
			at += step
			if left -= step; left <= 1e-9 {
				drawing = !drawing
				left = on
				if !drawing {
					left = off
				}
			}
		}
	}
}

func along(a, b orb.Point, t float64) orb.Point {
	return orb.Point{a[0] + (b[0]-a[0])*t, a[1] + (b[1]-a[1])*t}
}

// arc adds a part of a ring, clockwise from angle a to b (radians, 0 is up).
func (c *canvas) arc(at orb.Point, outer, inner, a, b float64) {
	n := 4 + int((b-a)*outer/2)
	var points []orb.Point
	on := func(r, angle float64) {
		s, k := math.Sincos(angle)
		points = append(points, orb.Point{at[0] + r*s, at[1] - r*k})
	}
	for i := range n + 1 {
		on(outer, a+(b-a)*float64(i)/float64(n))
	}
	for i := range n + 1 {
		on(inner, b-(b-a)*float64(i)/float64(n))
	}
	c.polygon(points)
}
