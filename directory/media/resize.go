package media

import (
	"image"

	"golang.org/x/image/draw"
)

// sized makes every one of the [Sizes], upright.
func sized(src image.Image, orientation int) []*image.RGBA {
	out := make([]*image.RGBA, len(Sizes))
	var from image.Image = shrink(src, Sizes[0])
	for i, size := range Sizes {
		scaled := scale(from, size)
		from = scaled
		out[i] = scaled
	}
	for i := range out {
		out[i] = upright(out[i], orientation)
	}
	return out
}

// fit gives the measures of a picture whose longer side is at most size.
func fit(w, h, size int) (int, int) {
	if w <= size && h <= size {
		return w, h
	}
	if w >= h {
		return size, max(1, (h*size+w/2)/w)
	}
	return max(1, (w*size+h/2)/h), size
}

// shrink divides a picture that is much too large by a whole number, as the mean of what falls together: it is much
// faster than a good filter, and leaves the filter enough to work with.
func shrink(src image.Image, size int) image.Image {
	b := src.Bounds()
	by := max(b.Dx(), b.Dy()) / (2 * size)
	if by < 2 {
		return src
	}
	w, h := b.Dx()/by, b.Dy()/by
	if w < 1 || h < 1 {
		return src
	}
	out := image.NewRGBA(image.Rect(0, 0, w, h))
	// A band at a time is converted, by the fast paths of package draw.
	band := image.NewRGBA(image.Rect(0, 0, b.Dx(), by))
	for y := range h {
		draw.Draw(band, band.Bounds(), src, image.Pt(b.Min.X, b.Min.Y+y*by), draw.Src)
		for x := range w {
			var r, g, bl, a int
			for dy := range by {
				line := band.Pix[dy*band.Stride+x*by*4:][: by*4 : by*4]
				for i := 0; i < len(line); i += 4 {
					r, g, bl, a = r+int(line[i]), g+int(line[i+1]), bl+int(line[i+2]), a+int(line[i+3])
				}
			}
			p := out.Pix[y*out.Stride+x*4:][:4:4]
			n := by * by
			p[0], p[1], p[2], p[3] = uint8(r/n), uint8(g/n), uint8(bl/n), uint8(a/n)
		}
	}
	return out
}

// scaleBand is how many lines, and then columns, are scaled at once: the filter takes 32 bytes for every line of what it is
// given, times every column of what it makes.
const scaleBand = 64

// scale copies a picture so that its longer side is at most size.
func scale(src image.Image, size int) *image.RGBA {
	b := src.Bounds()
	w, h := fit(b.Dx(), b.Dy(), size)
	out := image.NewRGBA(image.Rect(0, 0, w, h))
	if w == b.Dx() && h == b.Dy() {
		draw.Draw(out, out.Bounds(), src, b.Min, draw.Src)
		return out
	}
	// First it is made narrower, then lower: in the direction that stays, the filter changes nothing.
	narrow := image.NewRGBA(image.Rect(0, 0, w, b.Dy()))
	lines := draw.CatmullRom.NewScaler(w, scaleBand, b.Dx(), scaleBand)
	for y := 0; y < b.Dy(); y += scaleBand {
		band := image.Rect(0, y, w, min(y+scaleBand, b.Dy()))
		lines.Scale(narrow, band, src, image.Rect(b.Min.X, b.Min.Y+y, b.Max.X, b.Min.Y+band.Max.Y), draw.Src, nil)
	}
	columns := draw.CatmullRom.NewScaler(scaleBand, h, scaleBand, b.Dy())
	for x := 0; x < w; x += scaleBand {
		band := image.Rect(x, 0, min(x+scaleBand, w), h)
		columns.Scale(out, band, narrow, image.Rect(x, 0, band.Max.X, b.Dy()), draw.Src, nil)
	}
	return out
}

// upright turns and mirrors a picture as EXIF's Orientation says.
func upright(m *image.RGBA, orientation int) *image.RGBA {
	if orientation <= 1 || orientation > 8 {
		return m
	}
	w, h := m.Bounds().Dx(), m.Bounds().Dy()
	outW, outH := w, h
	if orientation >= 5 {
		outW, outH = h, w
	}
	out := image.NewRGBA(image.Rect(0, 0, outW, outH))
	for y := range h {
		for x := range w {
			var tx, ty int
			switch orientation {
			case 2: // mirrored left to right
				tx, ty = w-1-x, y
			case 3: // upside down
				tx, ty = w-1-x, h-1-y
			case 4: // mirrored top to bottom
				tx, ty = x, h-1-y
			case 5: // rows and columns exchanged
				tx, ty = y, x
			case 6: // to be turned a quarter clockwise
				tx, ty = h-1-y, x
			case 7: // exchanged along the other diagonal
				tx, ty = h-1-y, w-1-x
			case 8: // to be turned a quarter anticlockwise
				tx, ty = y, w-1-x
			}
			copy(out.Pix[ty*out.Stride+tx*4:][:4], m.Pix[y*m.Stride+x*4:][:4])
		}
	}
	return out
}
