package staticmap

import (
	"cmp"
	"image"
	"image/color"
	"image/draw"
	"math"
	"slices"
	"strconv"

	"github.com/paulmach/orb"
	"golang.org/x/image/vector"
)

// A Marker is an entry, or a cluster of several, on the map.
type Marker struct {
	Position orb.Point // [longitude, latitude]

	// Kind gives the shape: "organisation" a disc, "place" a rounded square, "initiative" a
	// leaf, "event" a flag. Any other is drawn as a place.
	Kind string

	// Colour fills the shape, as #rgb or #rrggbb; anything else is a calm default.
	Colour string

	Approximate bool // a soft ring: the position is not exact
	Selected    bool // larger, and in front of all others
	Number      int  // over 0: written in the shape, as in a list on paper

	// Count over 1 makes it a cluster of that many entries. Colours are then those of its
	// leading categories, the first three of which make its ring.
	Count   int
	Colours []string
}

// A mark is a marker with its place on the picture, in pixels.
type mark struct {
	Marker
	x, y, r float64
}

// ClusterRadius is the radius of a cluster's disc in CSS pixels: its area grows with the
// logarithm of the count.
func ClusterRadius(count int) float64 {
	return 11 * math.Sqrt(1+math.Log10(float64(max(1, count)))*0.8)
}

const (
	markerRadius   = 9.0  // CSS pixels
	selectedRadius = 12.5 // CSS pixels
	softRing       = 2.1  // radii of the marker
)

// placeMarkers returns those that reach into the picture in the order of drawing: from
// north to south, clusters over single ones, numbers that a list has over clusters, the selected one last.
func placeMarkers(v view, markers []Marker) []mark {
	var out []mark
	for _, m := range markers {
		k := mark{Marker: m, r: markerRadius}
		k.x, k.y = v.pixel(mercator(m.Position))
		switch {
		case m.Count > 1:
			k.r = ClusterRadius(m.Count)
		case m.Selected:
			k.r = selectedRadius
		case m.Number > 99:
			k.r = 11
		}
		k.r *= v.scale
		if reach := 2.6 * k.r; k.x > -reach && k.y > -reach && k.x < float64(v.pixelsX)+reach && k.y < float64(v.pixelsY)+reach {
			out = append(out, k)
		}
	}
	order := func(m mark) int {
		switch {
		case m.Selected:
			return 3
		case m.Number > 0:
			return 2
		case m.Count > 1:
			return 1
		}
		return 0
	}
	slices.SortStableFunc(out, func(a, b mark) int {
		return cmp.Or(cmp.Compare(order(a), order(b)), cmp.Compare(a.y, b.y), cmp.Compare(a.x, b.x))
	})
	return out
}

func (m mark) box(scale float64) box {
	r := m.r + 2*scale
	if m.Approximate {
		r = m.r*softRing + scale
	}
	b := box{m.x - r, m.y - r, m.x + r, m.y + r}
	if m.Count <= 1 && m.Kind == "event" {
		b.y0, b.y1 = m.y-2*m.r-2*scale, m.y+2*scale // a flag stands on its point
		b.x0, b.x1 = m.x-2*scale, m.x+2*m.r
	}
	return b
}

func drawMarkers(c *canvas, t *typesetter, p palette, marks []mark) {
	for _, m := range marks {
		if m.Count > 1 {
			m.drawCluster(c, t, p)
		} else {
			m.drawSingle(c, t, p)
		}
	}
}

func (m mark) colour(p palette, s string) color.RGBA {
	if col, ok := parseColor(s); ok {
		return col
	}
	return p.fallback
}

func (m mark) drawCluster(c *canvas, t *typesetter, p palette) {
	s := c.scale
	pen := newPen(c, m.x, m.y, m.r+6*s)
	at := orb.Point{m.x, m.y}
	pen.disc(orb.Point{m.x, m.y + 1*s}, m.r+2.2*s)
	pen.fill(p.shadow)
	pen.disc(at, m.r+1.6*s)
	pen.fill(p.edge)
	pen.disc(at, m.r)
	pen.fill(p.disc)
	colours := m.Colours[:min(3, len(m.Colours))]
	if len(colours) == 0 {
		colours = []string{m.Colour}
	}
	step := 2 * math.Pi / float64(len(colours))
	for i, name := range colours {
		gap := 0.0
		if len(colours) > 1 {
			gap = 0.9 * s / m.r
		}
		pen.arc(at, m.r, m.r-3*s, float64(i)*step+gap, float64(i+1)*step-gap)
		pen.fill(m.colour(p, name))
	}
	number := strconv.Itoa(m.Count)
	room := 2*(m.r-3*s) - 3*s
	st := style{t.fonts.bold, 12.5, 0}
	for st.size > 7 && t.width(st, number) > room {
		st.size -= 0.5
	}
	t.draw(c, st, number, m.x-t.width(st, number)/2, m.y+st.size*0.36*s, p.number, p.disc, 0)
}

func (m mark) drawSingle(c *canvas, t *typesetter, p palette) {
	s := c.scale
	fill := m.colour(p, m.Colour)
	pen := newPen(c, m.x, m.y, 2.8*m.r+4*s)
	if m.Approximate {
		soft := m.r * softRing
		pen.disc(orb.Point{m.x, m.y}, soft)
		pen.fill(color.NRGBA{fill.R, fill.G, fill.B, 0x30})
		pen.arc(orb.Point{m.x, m.y}, soft, soft-1.2*s, 0, 2*math.Pi)
		pen.fill(color.NRGBA{fill.R, fill.G, fill.B, 0x80})
	}
	outline, cx, cy := shape(m.Kind)
	// The shapes are drawn in a box of 32; 14 is their radius. A flag stands on the foot
	// of its pole, the others around their middle.
	k := m.r / 14
	ox, oy := m.x-16*k, m.y-16*k
	if m.Kind == "event" {
		ox, oy = m.x-4*k, m.y-31*k
	}
	var middle orb.Point
	grown := func(by, dy float64) []orb.Point {
		out := make([]orb.Point, len(outline))
		for i, q := range outline {
			out[i] = orb.Point{ox + q[0]*k, oy + q[1]*k + dy}
		}
		return offset(out, by)
	}
	middle = orb.Point{ox + cx*k, oy + cy*k}
	pen.polygon(grown(2.2*s, 1*s))
	pen.fill(p.shadow)
	pen.polygon(grown(1.7*s, 0))
	pen.fill(p.edge)
	pen.polygon(grown(0, 0))
	pen.fill(fill)
	if m.Number <= 0 {
		pen.disc(middle, m.r*0.27)
		pen.fill(onto(fill))
		return
	}
	number := strconv.Itoa(m.Number)
	st := style{t.fonts.bold, 10.5, 0}
	if m.Selected {
		st.size = 13
	}
	for st.size > 6 && t.width(st, number) > 1.7*m.r {
		st.size -= 0.5
	}
	t.draw(c, st, number, middle[0]-t.width(st, number)/2, middle[1]+st.size*0.36*s, onto(fill), fill, 0)
}

// A pen draws one small thing without touching the rest of the picture.
type pen struct {
	canvas
	at image.Point
	to *image.RGBA
}

func newPen(c *canvas, x, y, reach float64) *pen {
	r := int(math.Ceil(reach)) + 1
	at := image.Pt(int(math.Floor(x))-r, int(math.Floor(y))-r)
	return &pen{canvas{raster: vector.NewRasterizer(2*r+1, 2*r+1), scale: c.scale, empty: true}, at, c.img}
}

func (p *pen) move(q orb.Point) orb.Point {
	return orb.Point{q[0] - float64(p.at.X), q[1] - float64(p.at.Y)}
}

func (p *pen) disc(at orb.Point, r float64) { p.canvas.disc(p.move(at), r) }

func (p *pen) arc(at orb.Point, outer, inner, a, b float64) {
	p.canvas.arc(p.move(at), outer, inner, a, b)
}

func (p *pen) polygon(points []orb.Point) {
	moved := make([]orb.Point, len(points))
	for i, q := range points {
		moved[i] = p.move(q)
	}
	p.canvas.polygon(moved)
}

// fill paints the shape onto the picture, as far as it lies on it.
func (p *pen) fill(col color.Color) {
	size := p.raster.Size()
	mask := image.NewAlpha(image.Rectangle{Max: size})
	p.raster.Draw(mask, mask.Rect, image.Opaque, image.Point{})
	draw.DrawMask(p.to, mask.Rect.Add(p.at), image.NewUniform(col), image.Point{}, mask, image.Point{}, draw.Over)
	p.raster.Reset(size.X, size.Y)
	p.empty = true
}
