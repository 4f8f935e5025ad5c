package staticmap

import (
	"image"
	"image/color"
	"image/draw"
	"math"

	"golang.org/x/image/font"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/math/fixed"
)

// A style is a face of a size in CSS pixels, with space between the letters.
type style struct {
	font    *opentype.Font
	size    float64
	spacing float64
}

// A typesetter measures and draws words. It belongs to one picture.
type typesetter struct {
	fonts fonts
	scale float64
	faces map[style]font.Face
}

func newTypesetter(f fonts, scale float64) *typesetter {
	return &typesetter{f, scale, map[style]font.Face{}}
}

func (t *typesetter) close() {
	for _, f := range t.faces {
		f.Close()
	}
}

func (t *typesetter) face(s style) font.Face {
	if f, ok := t.faces[s]; ok {
		return f
	}
	f, err := opentype.NewFace(s.font, &opentype.FaceOptions{Size: s.size * t.scale, DPI: 72, Hinting: font.HintingNone})
	if err != nil {
		panic(err) // only for options that are not valid
	}
	t.faces[s] = f
	return f
}

// width of a text in picture pixels.
func (t *typesetter) width(s style, text string) float64 {
	return t.layout(s, text, func(fixed.Int26_6, rune) {})
}

// layout calls each rune with its place and returns the width.
func (t *typesetter) layout(s style, text string, each func(x fixed.Int26_6, r rune)) float64 {
	f := t.face(s)
	var x fixed.Int26_6
	last := rune(-1)
	for _, r := range text {
		if last >= 0 {
			x += f.Kern(last, r) + fixed.Int26_6(s.spacing*t.scale*64)
		}
		each(x, r)
		advance, _ := f.GlyphAdvance(r)
		x += advance
		last = r
	}
	return float64(x) / 64
}

// legible tells whether the font has every letter of the text.
func (t *typesetter) legible(s style, text string) bool {
	for _, r := range text {
		if i, err := s.font.GlyphIndex(nil, r); err != nil || i == 0 {
			return false
		}
	}
	return text != ""
}

// draw writes the text with its left end at x and its baseline at y, in front of a halo
// of a radius in CSS pixels.
func (t *typesetter) draw(c *canvas, s style, text string, x, y float64, ink, halo color.RGBA, radius float64) {
	f := t.face(s)
	pad := int(math.Ceil(radius*t.scale)) + 2
	size := s.size * t.scale
	ox, oy := math.Floor(x), math.Floor(y)
	w := int(math.Ceil(t.width(s, text))) + 2*pad + 2
	h := int(math.Ceil(size*1.5)) + 2*pad
	base := pad + int(math.Ceil(size*1.05))
	mask := image.NewAlpha(image.Rect(0, 0, w, h))
	dot := fixed.Point26_6{X: fixed.Int26_6((x - ox + float64(pad)) * 64), Y: fixed.Int26_6((y - oy + float64(base)) * 64)}
	t.layout(s, text, func(dx fixed.Int26_6, r rune) {
		dr, glyph, at, _, ok := f.Glyph(fixed.Point26_6{X: dot.X + dx, Y: dot.Y}, r)
		if ok {
			draw.DrawMask(mask, dr, image.Opaque, image.Point{}, glyph, at, draw.Over)
		}
	})
	to := image.Rect(0, 0, w, h).Add(image.Pt(int(ox)-pad, int(oy)-base))
	if radius > 0 {
		draw.DrawMask(c.img, to, image.NewUniform(halo), image.Point{}, grow(mask, radius*t.scale), image.Point{}, draw.Over)
	}
	draw.DrawMask(c.img, to, image.NewUniform(ink), image.Point{}, mask, image.Point{}, draw.Over)
}

// grow widens a mask by a radius with a soft edge.
func grow(m *image.Alpha, radius float64) *image.Alpha {
	type tap struct {
		dx, dy int
		weight uint32
	}
	var taps []tap
	n := int(math.Ceil(radius))
	for dy := -n; dy <= n; dy++ {
		for dx := -n; dx <= n; dx++ {
			if k := radius + 0.5 - math.Hypot(float64(dx), float64(dy)); k > 0 {
				taps = append(taps, tap{dx, dy, uint32(256 * min(1, k))})
			}
		}
	}
	w, h := m.Rect.Dx(), m.Rect.Dy()
	out := image.NewAlpha(m.Rect)
	for y := range h {
		for x := range w {
			a := uint32(m.Pix[y*m.Stride+x])
			if a == 0 {
				continue
			}
			for _, t := range taps {
				px, py := x+t.dx, y+t.dy
				if px < 0 || py < 0 || px >= w || py >= h {
					continue
				}
				if v := uint8(a * t.weight >> 8); v > out.Pix[py*out.Stride+px] {
					out.Pix[py*out.Stride+px] = v
				}
			}
		}
	}
	return out
}
