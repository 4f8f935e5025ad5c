package staticmap

import (
	"context"
	"image/color"
	"image/draw"
	"math"

	"github.com/paulmach/orb"
	ximagedraw "golang.org/x/image/draw"
)

// draw paints the basemap from the water up.
func (s *scene) draw(ctx context.Context, c *canvas, p palette) error {
	if s.under != nil {
		if err := s.under.draw(ctx, c, p); err != nil {
			return err
		}
		for _, pic := range s.pictures {
			dst := c.img.SubImage(pic.clip).(draw.Image)
			ximagedraw.ApproxBiLinear.Scale(dst, pic.to, pic.img, pic.img.Bounds(), draw.Over, nil)
		}
		return ctx.Err()
	}
	c.clear(p.water)
	for _, pic := range s.pictures {
		dst := c.img.SubImage(pic.clip).(draw.Image)
		ximagedraw.ApproxBiLinear.Scale(dst, pic.to, pic.img, pic.img.Bounds(), draw.Over, nil)
	}
	glow := min(1, 0.4+0.12*s.view.zoom)
	s.strokes(c, s.coast, 13*glow, p.shoal)
	s.strokes(c, s.coast, 6*glow, p.shallow)
	areas(c, s.earth, p.earth)
	areas(c, s.built, p.built)
	areas(c, s.green, p.green)
	if err := ctx.Err(); err != nil {
		return err
	}
	for _, l := range s.region {
		c.stroke(l, 0.9*p.strokes)
	}
	c.fill(p.region)
	areas(c, s.lakes, p.water)
	s.strokes(c, s.shore, 0.7*p.strokes, p.coast)
	s.strokes(c, s.rivers, max(0.8, math.Exp2((s.view.zoom-11)/2)), p.river)
	if s.view.zoom >= 14 {
		areas(c, s.buildings, p.built)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	s.drawRoads(c, p)
	s.strokes(c, s.coast, min(0.9, 0.5+0.1*s.view.zoom)*p.strokes, p.coast)
	width := min(1.2, 0.5+0.14*s.view.zoom) * p.strokes
	if s.view.zoom >= 3 {
		s.strokes(c, s.country, 3, blend(p.country, p.earth, 0.78))
	}
	s.strokes(c, s.country, width, p.country)
	return ctx.Err()
}

func areas(c *canvas, rings []orb.Ring, col color.RGBA) {
	for _, r := range rings {
		c.polygon(r)
	}
	c.fill(col)
}

// strokes draws lines; wide ones do not need every point.
func (s *scene) strokes(c *canvas, lines [][]orb.Point, width float64, col color.RGBA) {
	for _, l := range lines {
		if width > 4 {
			l = thin(l, width*c.scale/5)
		}
		c.stroke(l, width)
	}
	c.fill(col)
}

// thin drops points that are closer than d to the one before.
func thin(in []orb.Point, d float64) []orb.Point {
	out := in[:1:1]
	for i, p := range in[1:] {
		q := out[len(out)-1]
		if i == len(in)-2 || math.Hypot(p[0]-q[0], p[1]-q[1]) >= d {
			out = append(out, p)
		}
	}
	return out
}

// drawRoads draws casings first, so that crossings are open.
func (s *scene) drawRoads(c *canvas, p palette) {
	zoom := s.view.zoom
	grow := math.Exp2((zoom - 13) * 0.55)
	width := [roadClasses]float64{highway: 4.2, majorRoad: 3, minorRoad: 1.6, path: 0.7, rail: 0.8}
	from := [roadClasses]float64{highway: 5, majorRoad: 8, minorRoad: 12.5, path: 14, rail: 11}
	for class := range width {
		width[class] *= grow
	}
	cased := zoom >= 10.5
	for _, class := range []int{rail, path, minorRoad, majorRoad, highway} {
		if zoom < from[class] {
			continue
		}
		for _, l := range s.roads[class] {
			switch {
			case class == rail || class == path:
				c.dashes(l, max(0.7, width[class]), 4, 2)
			case cased:
				c.stroke(l, width[class]+2)
			default:
				c.stroke(l, max(0.8, width[class]))
			}
		}
		c.fill(p.casing)
	}
	if !cased {
		return
	}
	for _, class := range []int{minorRoad, majorRoad, highway} {
		if zoom >= from[class] {
			s.strokes(c, s.roads[class], width[class], p.road)
		}
	}
}

// blend is a mixed with a part of b.
func blend(a, b color.RGBA, part float64) color.RGBA {
	mix := func(x, y uint8) uint8 { return uint8(math.Round(float64(x)*(1-part) + float64(y)*part)) }
	return color.RGBA{mix(a.R, b.R), mix(a.G, b.G), mix(a.B, b.B), 0xff}
}
