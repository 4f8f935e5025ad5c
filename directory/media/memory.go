package media

import (
	"encoding/binary"
	"image"
	"image/color"
)

// heavy is how many bytes a picture takes that is cleaned up after at once, and does not wait until the collector comes.
const heavy = MaxMemory / 4

// takes is about how many bytes it takes to read a picture and to make its sizes.
func takes(f *format, config image.Config, file []byte) int64 {
	longer, rows, pixels := max(config.Width, config.Height), config.Height, config.Width*config.Height
	small := 0
	if by := longer / (2 * Sizes[0]); by > 1 { // see shrink
		rows /= by
		small = 4 * pixels / (by * by)
	}
	w, h := fit(config.Width, config.Height, Sizes[0])
	return decodes(f, config, file) + int64(small+4*w*rows+20*w*h+4<<20)
}

// decodes is how many bytes the decoders take for a picture.
func decodes(f *format, config image.Config, file []byte) int64 {
	pixels := int64(config.Width) * int64(config.Height)
	switch f.name {
	case "jpeg":
		return jpegDecodes(config, file)
	case "png":
		each := int64(4)
		switch config.ColorModel {
		case color.NRGBA64Model, color.RGBA64Model, color.Gray16Model:
			each = 8 // grey as well: with a transparent shade it becomes a picture in colours
		}
		if len(file) > 28 && file[28] == 1 { // interlaced: every pass is a picture of its own
			each *= 2
		}
		return each * pixels
	}
	// WebP: the colours at half the width and height, in blocks of 16 x 16; or without loss; or with a transparency without loss.
	blocks := (int64(config.Width) + 15) / 16 * ((int64(config.Height) + 15) / 16)
	switch webpFirst(file) {
	case "VP8 ":
		return blocks * 16 * 16 * 3 / 2
	case "VP8L":
		return 8 * pixels
	}
	return 12 * pixels
}

// webpFirst is the first chunk of a WebP file that holds pixels: "VP8 ", "VP8L", or "ALPH" before the former.
func webpFirst(b []byte) string {
	for i := 12; i+8 <= len(b); {
		if name := string(b[i : i+4]); name == "ALPH" || name == "VP8 " || name == "VP8L" {
			return name
		}
		size := int64(binary.LittleEndian.Uint32(b[i+4:]))
		if size > int64(len(b)) {
			break
		}
		i += 8 + int(size+size&1)
	}
	return ""
}

// jpegDecodes is decodes for a JPEG file. A progressive one is kept as coefficients of four bytes until its last scan.
func jpegDecodes(config image.Config, file []byte) int64 {
	worst := int64(config.Width) * int64(config.Height) * 24 // four colours, progressive
	for i := 2; i+4 <= len(file) && file[i] == 0xff; {
		marker := file[i+1]
		if marker == 0xff { // a fill byte
			i++
			continue
		}
		size := int(binary.BigEndian.Uint16(file[i+2:]))
		if marker < 0xc0 || marker >= 0xd0 && marker <= 0xda || size < 2 || i+2+size > len(file) {
			break
		}
		if marker > 0xc2 || marker == 0xc4 {
			i += 2 + size
			continue
		}
		frame := file[i+4 : i+2+size] // precision, height, width, number of components, and three bytes for each
		if len(frame) < 6 || len(frame) < 6+3*int(frame[5]) {
			break
		}
		components := frame[6 : 6+3*int(frame[5])]
		maxH, maxV, parts := int64(1), int64(1), int64(0)
		if len(components) == 3 {
			parts = 1 // of one component alone the sampling does not count
		} else {
			for c := 1; c < len(components); c += 3 {
				h, v := int64(components[c]>>4), int64(components[c]&15)
				maxH, maxV, parts = max(maxH, h), max(maxV, v), parts+h*v
			}
		}
		blocks := (int64(config.Width) + 8*maxH - 1) / (8 * maxH) * ((int64(config.Height) + 8*maxV - 1) / (8 * maxV)) * parts
		n := 64 * blocks
		if marker == 0xc2 {
			n *= 1 + 4
		}
		if config.ColorModel != color.YCbCrModel && config.ColorModel != color.GrayModel { // it is written into another picture
			n += 4 * int64(config.Width) * int64(config.Height)
		}
		return n
	}
	return worst // what cannot be followed here
}
