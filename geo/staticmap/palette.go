package staticmap

import (
	"cmp"
	"image"
	"image/color"
	"image/png"
	"io"
	"slices"
)

// maxColours keeps the file small; words need some steps of grey, areas none.
const maxColours = 32

// writePNG writes an opaque picture with a palette. The colours to keep, as far as they
// are in the picture and there is room, are in it exactly.
func writePNG(w io.Writer, img *image.RGBA, keep []color.RGBA) error {
	enc := png.Encoder{CompressionLevel: png.BestCompression}
	return enc.Encode(w, reduce(img, keep))
}

type swatch struct {
	rgb   uint32
	count int
}

// reduce keeps the most frequent colours as they are, so that areas stay even, and
// summarises the many blends of their edges by median cut.
func reduce(img *image.RGBA, keep []color.RGBA) *image.Paletted {
	counts := map[uint32]int{}
	for i := 0; i < len(img.Pix); i += 4 {
		counts[pack(img.Pix[i:])]++
	}
	var chosen []swatch
	for _, c := range keep {
		key := pack([]uint8{c.R, c.G, c.B})
		if n, ok := counts[key]; ok && len(chosen) < maxColours/2 {
			chosen = append(chosen, swatch{key, n})
			delete(counts, key)
		}
	}
	rest := make([]swatch, 0, len(counts))
	for c, n := range counts {
		rest = append(rest, swatch{c, n})
	}
	slices.SortFunc(rest, func(a, b swatch) int {
		return cmp.Or(cmp.Compare(b.count, a.count), cmp.Compare(a.rgb, b.rgb))
	})
	if room := maxColours - len(chosen); len(rest) > room {
		exact := room / 3
		chosen = append(chosen, rest[:exact]...)
		rest = medianCut(rest[exact:], room-exact)
	}
	chosen = append(chosen, rest...)
	out := image.NewPaletted(img.Rect, nil)
	for _, s := range chosen {
		out.Palette = append(out.Palette, rgb(s.rgb))
	}
	index := map[uint32]uint8{}
	for i := 0; i < len(img.Pix); i += 4 {
		c := pack(img.Pix[i:])
		n, ok := index[c]
		if !ok {
			n = uint8(nearest(out.Palette, c))
			index[c] = n
		}
		out.Pix[i/4] = n
	}
	return out
}

func pack(p []uint8) uint32 { return uint32(p[0])<<16 | uint32(p[1])<<8 | uint32(p[2]) }

func nearest(p color.Palette, c uint32) int {
	best, at := int32(1<<30), 0
	for i := range p {
		q := p[i].(color.RGBA)
		dr, dg, db := int32(q.R)-int32(c>>16), int32(q.G)-int32(c>>8&0xff), int32(q.B)-int32(c&0xff)
		if d := 2*dr*dr + 4*dg*dg + 3*db*db; d < best {
			best, at = d, i
		}
	}
	return at
}

// medianCut returns n colours that stand for all.
func medianCut(all []swatch, n int) []swatch {
	type box struct {
		in    []swatch
		shift uint // of the channel with the widest spread
		score int  // spread times pixels
	}
	measure := func(in []swatch) box {
		b, total, widest := box{in: in}, 0, -1
		for _, s := range in {
			total += s.count
		}
		for _, shift := range []uint{0, 8, 16} {
			low, high := 255, 0
			for _, s := range in {
				v := int(s.rgb >> shift & 0xff)
				low, high = min(low, v), max(high, v)
			}
			if high-low > widest {
				widest, b.shift = high-low, shift
			}
		}
		b.score = widest * widest * (total + 20)
		return b
	}
	boxes := []box{measure(all)}
	for len(boxes) < n {
		at := 0
		for i := range boxes {
			if boxes[i].score > boxes[at].score {
				at = i
			}
		}
		b := boxes[at]
		if len(b.in) < 2 {
			break
		}
		slices.SortFunc(b.in, func(x, y swatch) int {
			return cmp.Or(cmp.Compare(x.rgb>>b.shift&0xff, y.rgb>>b.shift&0xff), cmp.Compare(x.rgb, y.rgb))
		})
		half, total, cut := 0, 0, 1
		for _, s := range b.in {
			total += s.count
		}
		for i, s := range b.in[:len(b.in)-1] {
			if half += s.count; half >= total/2 {
				cut = i + 1
				break
			}
			cut = i + 1
		}
		boxes[at] = measure(b.in[:cut])
		boxes = append(boxes, measure(b.in[cut:]))
	}
	var out []swatch
	for _, b := range boxes {
		var r, g, bl, n int
		for _, s := range b.in {
			r, g, bl, n = r+int(s.rgb>>16)*s.count, g+int(s.rgb>>8&0xff)*s.count, bl+int(s.rgb&0xff)*s.count, n+s.count
		}
		out = append(out, swatch{uint32(r/n)<<16 | uint32(g/n)<<8 | uint32(bl/n), n})
	}
	return out
}
