package media

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"image"
	"math"
)

// Pictures as cameras, phones and image editors write them, made here so that every byte of them is known.

// jpegWriter writes JPEG files that Go's encoder does not: progressive ones, and ones of four colours.
type jpegWriter struct {
	bytes.Buffer
	bits  uint32
	nBits uint
}

// Huffman tables with codes of one length: four bits for the symbols of DC, eight for those of AC.
var (
	dcSymbols = []byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}
	acSymbols = func() []byte {
		out := []byte{0x00, 0xf0}
		for run := range 16 {
			for size := 1; size <= 10; size++ {
				out = append(out, byte(run<<4|size))
			}
		}
		return out
	}()
)

func (w *jpegWriter) segment(marker byte, body []byte) {
	w.Write([]byte{0xff, marker})
	w.Write(binary.BigEndian.AppendUint16(nil, uint16(len(body)+2)))
	w.Write(body)
}

func (w *jpegWriter) put(value uint32, n uint) {
	for n > 0 {
		n--
		w.bits = w.bits<<1 | value>>n&1
		if w.nBits++; w.nBits == 8 {
			w.WriteByte(byte(w.bits))
			if byte(w.bits) == 0xff {
				w.WriteByte(0)
			}
			w.bits, w.nBits = 0, 0
		}
	}
}

func (w *jpegWriter) flush() {
	for w.nBits != 0 {
		w.put(1, 1)
	}
}

// symbol writes a code: symbols have codes of length n, in their order.
func (w *jpegWriter) symbol(list []byte, n uint, s byte) {
	w.put(uint32(bytes.IndexByte(list, s)), n)
}

// size is how many extra bits a number takes.
func size(v int) uint {
	n := uint(0)
	for a := max(v, -v); a > 0; a >>= 1 {
		n++
	}
	return n
}

func (w *jpegWriter) extra(v int) {
	n := size(v)
	if v < 0 {
		v += 1<<n - 1
	}
	w.put(uint32(v), n)
}

// zigzag is the order of coefficients in a file.
var zigzag = func() (out [64]int) {
	i := 0
	for sum := range 15 {
		for k := range sum + 1 {
			x, y := k, sum-k // upwards
			if sum%2 == 1 {
				x, y = sum-k, k
			}
			if x < 8 && y < 8 {
				out[i] = y*8 + x
				i++
			}
		}
	}
	return out
}()

// transform is the discrete cosine transform of a block, divided by the one step of quantisation.
func transform(block *[64]float64, step float64) (out [64]int) {
	for v := range 8 {
		for u := range 8 {
			sum := 0.0
			for y := range 8 {
				for x := range 8 {
					sum += block[y*8+x] * math.Cos(float64(2*x+1)*float64(u)*math.Pi/16) * math.Cos(float64(2*y+1)*float64(v)*math.Pi/16)
				}
			}
			if u == 0 {
				sum /= math.Sqrt2
			}
			if v == 0 {
				sum /= math.Sqrt2
			}
			out[v*8+u] = int(math.Round(sum / 4 / step))
		}
	}
	return out
}

// jpegOf writes planes of samples as a JPEG file, progressive or not; before is put behind the first marker. scans repeats
// the last scan of a progressive file, which says nothing new.
func jpegOf(planes [][]byte, w, h int, progressive bool, before []byte, scans int) []byte {
	const step = 8
	out := &jpegWriter{}
	out.Write([]byte{0xff, 0xd8})
	out.Write(before)
	table := make([]byte, 65)
	for i := range 64 {
		table[1+i] = step
	}
	out.segment(0xdb, table)
	frame := binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16([]byte{8}, uint16(h)), uint16(w))
	frame = append(frame, byte(len(planes)))
	for i := range planes {
		frame = append(frame, byte(i+1), 0x11, 0)
	}
	out.segment(map[bool]byte{false: 0xc0, true: 0xc2}[progressive], frame)
	huffman := func(class byte, bits int, symbols []byte) {
		counts := make([]byte, 16)
		counts[bits-1] = byte(len(symbols))
		out.segment(0xc4, append(append([]byte{class}, counts...), symbols...))
	}
	huffman(0x00, 4, dcSymbols)
	huffman(0x10, 8, acSymbols)
	wide, high := (w+7)/8, (h+7)/8
	coefficients := make([][][64]int, len(planes))
	for p, plane := range planes {
		for by := range high {
			for bx := range wide {
				var block [64]float64
				for y := range 8 {
					for x := range 8 {
						block[y*8+x] = float64(plane[min(by*8+y, h-1)*w+min(bx*8+x, w-1)]) - 128
					}
				}
				coefficients[p] = append(coefficients[p], transform(&block, step))
			}
		}
	}
	scan := func(parts []int, first, last byte, block func(p, n int)) {
		head := []byte{byte(len(parts))}
		for _, p := range parts {
			head = append(head, byte(p+1), 0)
		}
		out.segment(0xda, append(head, first, last, 0))
		for n := range wide * high {
			for _, p := range parts {
				block(p, n)
			}
		}
		out.flush()
	}
	all := make([]int, len(planes))
	for i := range all {
		all[i] = i
	}
	before0 := make([]int, len(planes))
	dc := func(p, n int) {
		d := coefficients[p][n][0] - before0[p]
		before0[p] += d
		out.symbol(dcSymbols, 4, byte(size(d)))
		out.extra(d)
	}
	ac := func(p, n int) {
		run := 0
		for _, at := range zigzag[1:] {
			v := coefficients[p][n][at]
			if v == 0 {
				run++
				continue
			}
			for ; run > 15; run -= 16 {
				out.symbol(acSymbols, 8, 0xf0)
			}
			out.symbol(acSymbols, 8, byte(run<<4)|byte(size(v)))
			out.extra(v)
			run = 0
		}
		if run > 0 {
			out.symbol(acSymbols, 8, 0)
		}
	}
	if progressive {
		scan(all, 0, 0, dc)
		for p := range planes {
			scan([]int{p}, 1, 63, ac)
		}
		for range scans {
			scan([]int{0}, 1, 63, func(int, int) { out.symbol(acSymbols, 8, 0) })
		}
	} else {
		scan(all, 0, 63, func(p, n int) { dc(p, n); ac(p, n) })
	}
	out.Write([]byte{0xff, 0xd9})
	return out.Bytes()
}

// emptyScans is a grey progressive JPEG file whose scans say of all blocks, in few bytes, that there is nothing new in them.
func emptyScans(w, h, scans int) []byte {
	out := &jpegWriter{}
	out.Write([]byte{0xff, 0xd8})
	out.segment(0xdb, append([]byte{0}, bytes.Repeat([]byte{1}, 64)...))
	out.segment(0xc2, append(binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16([]byte{8}, uint16(h)), uint16(w)), 1, 1, 0x11, 0))
	out.segment(0xc4, []byte{0x10, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xe0}) // one code: a run of 2^14 blocks and more
	for range scans {
		out.segment(0xda, []byte{1, 1, 0, 1, 63, 0})
		for n := (w + 7) / 8 * ((h + 7) / 8); n > 0; n -= 1<<15 - 1 {
			out.put(1<<14-1, 16)
		}
		out.flush()
	}
	out.Write([]byte{0xff, 0xd9})
	return out.Bytes()
}

// planesOf are the samples of a picture as a file of three (Y, Cb, Cr) or four (inverted C, M, Y, K) components has them.
func planesOf(m *image.RGBA, n int) [][]byte {
	planes := make([][]byte, n)
	for i := 0; i < len(m.Pix); i += 4 {
		r, g, b := float64(m.Pix[i]), float64(m.Pix[i+1]), float64(m.Pix[i+2])
		if n == 4 {
			for c := range 3 {
				planes[c] = append(planes[c], m.Pix[i+c]) // Adobe's are inverted: what is left of the paper
			}
			planes[3] = append(planes[3], 255)
			continue
		}
		planes[0] = append(planes[0], byte(math.Round(0.299*r+0.587*g+0.114*b)))
		planes[1] = append(planes[1], byte(math.Round(min(255, 128-0.168736*r-0.331264*g+0.5*b))))
		planes[2] = append(planes[2], byte(math.Round(min(255, 128+0.5*r-0.418688*g-0.081312*b))))
	}
	return planes
}

func segment(marker byte, body ...[]byte) []byte {
	var w jpegWriter
	w.segment(marker, bytes.Join(body, nil))
	return w.Bytes()
}

// cameraHead is what a phone writes before the picture: EXIF of some size with a thumbnail of another orientation, a
// position and notes of the maker; XMP; a colour profile in parts; and the list of the pictures behind the first.
func cameraHead(orientation uint16, thumbnail []byte) []byte {
	const at1 = 8 + 2 + 2*12 + 4
	b := []byte("MM\x00*\x00\x00\x00\x08")
	entry := func(tag, kind uint16, count, value uint32) {
		b = binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(b, tag), kind), count), value)
	}
	b = binary.BigEndian.AppendUint16(b, 2)
	entry(0x010f, 2, 4, uint32('A')<<24)
	entry(0x0112, 3, 1, uint32(orientation)<<16)
	b = binary.BigEndian.AppendUint32(b, at1)
	b = binary.BigEndian.AppendUint16(b, 3) // the directory of the thumbnail
	entry(0x0112, 3, 1, 3<<16)
	entry(0x0201, 4, 1, at1+2+3*12+4)
	entry(0x0202, 4, 1, uint32(len(thumbnail)))
	b = binary.BigEndian.AppendUint32(b, 0)
	b = append(b, thumbnail...)
	b = append(b, bytes.Repeat([]byte("GPS 45.4397 \xff\xd8\xff\xda"), 1500)...) // the maker's notes look like anything
	profile := bytes.Repeat([]byte("ICC"), 9000)
	return bytes.Join([][]byte{
		segment(0xe1, []byte("http://ns.adobe.com/xap/1.0/\x00<x:xmpmeta tiff:Orientation='3'>GPS</x:xmpmeta>")),
		{0xff}, // a fill byte
		segment(0xe1, exifHead, b),
		segment(0xe2, []byte("ICC_PROFILE\x00\x01\x02"), profile[:13000]), segment(0xe2, []byte("ICC_PROFILE\x00\x02\x02"), profile[13000:]),
		segment(0xe2, []byte("MPF\x00MM\x00*\x00\x00\x00\x08")),
		segment(0xfe, []byte("GPS in a comment")),
	}, nil)
}

// webpOf is a lossless WebP file of [quarters], in the extended form with a colour profile, EXIF and XMP.
func webpOf(w, h int, exif []byte) []byte {
	var bits []byte
	n := 0
	put := func(value uint32, count int) { // the least bit first
		for i := range count {
			if n%8 == 0 {
				bits = append(bits, 0)
			}
			bits[n/8] |= byte(value>>i&1) << (n % 8)
			n++
		}
	}
	put(0x2f, 8)
	put(uint32(w-1), 14)
	put(uint32(h-1), 14)
	put(0, 1+3)                                                    // no alpha; version 0
	put(0, 3)                                                      // no transform, no cache of colours, one group of codes
	two := func() { put(3, 2); put(0, 1); put(0, 1); put(255, 8) } // simple, two symbols: 0 and 255
	two()                                                          // green
	two()                                                          // red
	two()                                                          // blue
	put(1, 2)
	put(1, 1)
	put(255, 8) // alpha: always 255
	put(1, 2)
	put(0, 1)
	put(0, 1) // distance: never used
	m := quarters(w, h)
	for i := 0; i < len(m.Pix); i += 4 {
		put(uint32(m.Pix[i+1])&1, 1)
		put(uint32(m.Pix[i])&1, 1)
		put(uint32(m.Pix[i+2])&1, 1)
	}
	chunk := func(name string, body []byte) []byte {
		out := append(binary.LittleEndian.AppendUint32([]byte(name), uint32(len(body))), body...)
		if len(body)%2 == 1 {
			out = append(out, 0)
		}
		return out
	}
	size3 := func(v int) []byte { return []byte{byte(v), byte(v >> 8), byte(v >> 16)} }
	head := append([]byte{0x20 | 0x08 | 0x04, 0, 0, 0}, append(size3(w-1), size3(h-1)...)...) // a profile, EXIF, XMP
	body := bytes.Join([][]byte{[]byte("WEBP"), chunk("VP8X", head), chunk("ICCP", bytes.Repeat([]byte("ICC"), 333)), chunk("VP8L", bits),
		chunk("EXIF", exif), chunk("XMP ", []byte("<x>GPS</x>"))}, nil)
	return append(binary.LittleEndian.AppendUint32([]byte("RIFF"), uint32(len(body))), body...)
}

// pngChunk puts a chunk before the end of a PNG file.
func pngChunk(file []byte, name string, body []byte) []byte {
	end := len(file) - 12
	chunk := append([]byte(name), body...)
	full := binary.BigEndian.AppendUint32(append(binary.BigEndian.AppendUint32(nil, uint32(len(body))), chunk...), crc32.ChecksumIEEE(chunk))
	return bytes.Join([][]byte{file[:end], full, file[end:]}, nil)
}
