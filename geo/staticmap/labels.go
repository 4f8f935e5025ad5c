package staticmap

import (
	"cmp"
	"image/color"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/paulmach/orb"
)

// A box is an area of the picture in pixels.
type box struct{ x0, y0, x1, y1 float64 }

func (b box) overlaps(o box) bool { return b.x0 < o.x1 && o.x0 < b.x1 && b.y0 < o.y1 && o.y0 < b.y1 }

func (b box) grown(x, y float64) box { return box{b.x0 - x, b.y0 - y, b.x1 + x, b.y1 + y} }

type boxes []box

func (bs boxes) free(b box) bool {
	for _, o := range bs {
		if o.overlaps(b) {
			return false
		}
	}
	return true
}

// drawLabels names countries and towns, the important ones first, where nothing else is.
// The first boxes taken are those of markers: a town under one of them is named beside it.
func drawLabels(c *canvas, t *typesetter, p palette, v view, places []place, lang string, taken boxes, markers int) {
	slices.SortStableFunc(places, func(a, b place) int {
		country := func(p place) int {
			if p.kind == "country" {
				return 1
			}
			return 0
		}
		capital := func(p place) float64 {
			if p.capital {
				return p.people*3 + 100_000
			}
			return p.people
		}
		return cmp.Or(cmp.Compare(country(b), country(a)), cmp.Compare(capital(b), capital(a)),
			cmp.Compare(b.rank, a.rank), cmp.Compare(a.name, b.name))
	})
	left := 8 + v.pixelsX*v.pixelsY/int(9000*v.scale*v.scale)
	picture := box{0, 0, float64(v.pixelsX), float64(v.pixelsY)}.grown(-4*v.scale, -4*v.scale)
	within := func(b box) bool {
		return b.x0 >= picture.x0 && b.x1 <= picture.x1 && b.y0 >= picture.y0 && b.y1 <= picture.y1
	}
	for _, place := range places {
		if left == 0 {
			break
		}
		name := place.name
		if local := place.local[lang]; local != "" {
			name = local
		}
		st, ok := labelStyle(t, place, v.zoom)
		if place.kind == "country" {
			name = strings.ToUpper(name)
		}
		if !ok || !t.legible(st, name) || len(name) > 60 {
			continue
		}
		w, h := t.width(st, name), st.size*v.scale
		if place.kind != "locality" {
			b := box{place.x - w/2, place.y - h*0.6, place.x + w/2, place.y + h*0.5}
			if within(b) && taken.free(b.grown(6*v.scale, 4*v.scale)) {
				taken = append(taken, b)
				t.draw(c, st, name, b.x0, place.y+h*0.35, p.soft, p.halo, 1.6)
				left--
			}
			continue
		}
		dot := 2.1 * v.scale
		at := box{place.x - dot, place.y - dot, place.x + dot, place.y + dot}
		base, covered := at, false
		for _, o := range taken[:markers] {
			if o.overlaps(at) {
				base, covered = o, true
				break
			}
		}
		if !covered && !taken.free(at) {
			continue
		}
		gap := 3 * v.scale
		middle := (base.y0 + base.y1) / 2
		center := (base.x0 + base.x1) / 2
		for i, b := range []box{
			{base.x1 + gap, middle - h*0.55, base.x1 + gap + w, middle + h*0.55},
			{base.x0 - gap - w, middle - h*0.55, base.x0 - gap, middle + h*0.55},
			{center - w/2, base.y0 - h*1.2, center + w/2, base.y0 - h*0.15},
			{center - w/2, base.y1 + h*0.1, center + w/2, base.y1 + h*1.15},
		} {
			// Side by side is legible closer than one above the other is.
			if !within(b) || !taken.free(b.grown(4*v.scale, 2*v.scale).without(base, i)) {
				continue
			}
			ink := p.ink
			if prominence(place, v.zoom) < 0.5 {
				ink = blend(p.ink, p.soft, 0.55)
			}
			if !covered {
				drawDot(c, place, dot, ink, p.halo)
				taken = append(taken, at)
			}
			taken = append(taken, b)
			t.draw(c, st, name, b.x0, b.y1-h*0.19, ink, p.halo, 1.6)
			left--
			break
		}
	}
}

// drawDot marks a town, a capital by a ring.
func drawDot(c *canvas, town place, r float64, ink, halo color.RGBA) {
	at := orb.Point{town.x, town.y}
	pen := newPen(c, town.x, town.y, r+3*c.scale)
	pen.disc(at, r+1.3*c.scale)
	pen.fill(halo)
	pen.disc(at, r)
	pen.fill(ink)
	if town.capital {
		pen.disc(at, r*0.5)
		pen.fill(halo)
	}
}

// without keeps a label's margin off the thing that it stands beside (right, left, above,
// below).
func (b box) without(o box, side int) box {
	switch side {
	case 0:
		b.x0 = max(b.x0, o.x1+0.5)
	case 1:
		b.x1 = min(b.x1, o.x0-0.5)
	case 2:
		b.y1 = min(b.y1, o.y0-0.1)
	case 3:
		b.y0 = max(b.y0, o.y1+0.1)
	}
	return b
}

// prominence is how large a place is for a zoom: about 0 for the smallest worth naming.
func prominence(p place, zoom float64) float64 {
	rank := p.rank + 0.8*(zoom-5) - 8
	if p.capital {
		rank += 1.5
	}
	return rank
}

func labelStyle(t *typesetter, p place, zoom float64) (style, bool) {
	switch p.kind {
	case "country":
		return style{t.fonts.medium, max(8.5, min(11, 7.5+zoom*0.7)), 1.2}, zoom < 7.5
	case "locality":
		n := prominence(p, zoom)
		st := style{t.fonts.regular, math.Round(2*max(10.5, min(14.5, 11+0.75*n))) / 2, 0.1}
		if n >= 2.2 {
			st.font = t.fonts.medium
		}
		return st, true
	case "neighbourhood", "macrohood":
		return style{t.fonts.regular, 10.5, 0.3}, zoom >= 13
	}
	return style{}, false
}

// drawFurniture draws the scale bar and the credits, and takes their places.
func drawFurniture(c *canvas, t *typesetter, p palette, v view, o Options, taken *boxes) {
	s := v.scale
	height := float64(v.pixelsY)
	small := style{t.fonts.regular, 9.5, 0.1}
	edge := 8 * s
	barEnd := 0.0
	if length, name, ok := scaleBar(v); ok && o.Width >= 160 {
		x, y := edge, height-edge
		barEnd = x + length + edge
		u := func(dx, dy float64) orb.Point { return orb.Point{x + dx, y + dy} }
		line := []orb.Point{u(0, -4*s), u(0, 0), u(length, 0), u(length, -4*s)}
		c.stroke(line, 3.4)
		c.fill(p.halo)
		c.stroke(line, 1.2)
		c.fill(p.ink)
		t.draw(c, small, name, x+4*s, y-4*s, p.ink, p.halo, 1.5)
		*taken = append(*taken, box{x, y - 15*s, x + max(length, t.width(small, name)+8*s), y + 3*s})
	}
	y := height - 5*s
	lines := wrap(t, small, o.Basemap.Info().Attribution, float64(v.pixelsX)-barEnd-2*edge)
	for _, line := range slices.Backward(lines) {
		w := t.width(small, line)
		x := float64(v.pixelsX) - w - 6*s
		t.draw(c, small, line, x, y, blend(p.ink, p.soft, 0.4), p.halo, 1.5)
		*taken = append(*taken, box{x - 3*s, y - 11*s, x + w, y + 3*s})
		y -= 12 * s
	}
}

// wrap puts credits on lines. A credit is never cut: it is owed.
func wrap(t *typesetter, st style, credits []string, width float64) []string {
	var lines []string
	add := func(word, joint string) {
		if n := len(lines); n > 0 && t.width(st, lines[n-1]+joint+word) <= width {
			lines[n-1] += joint + word
			return
		}
		lines = append(lines, word)
	}
	for _, credit := range credits {
		if t.width(st, credit) <= width {
			add(credit, " · ")
			continue
		}
		joint := " · "
		for _, word := range strings.Fields(credit) {
			add(word, joint)
			joint = " "
		}
	}
	return lines
}

// scaleBar returns a round length in picture pixels and its name. Maps of the whole world
// have no one scale.
func scaleBar(v view) (pixels float64, name string, ok bool) {
	if v.zoom < 4 {
		return 0, "", false
	}
	m := v.metres()
	room := 90 * m
	unit := math.Pow(10, math.Floor(math.Log10(room)))
	length := unit
	for _, k := range []float64{2, 5} {
		if k*unit <= room {
			length = k * unit
		}
	}
	if length >= 1000 {
		name = strconv.Itoa(int(length/1000)) + " km"
	} else {
		name = strconv.Itoa(int(max(1, length))) + " m"
	}
	return length / m * v.scale, name, true
}
