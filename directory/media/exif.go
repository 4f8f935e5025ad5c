package media

import (
	"bytes"
	"encoding/binary"
)

// orientation is the value of EXIF's Orientation tag (1 to 8), 1 when there is none that makes sense.
func orientation(f *format, file []byte) int {
	var tiff []byte
	switch f.name {
	case "jpeg":
		tiff = jpegEXIF(file)
	case "png":
		tiff = pngEXIF(file)
	case "webp":
		tiff = webpEXIF(file)
	}
	return tiffOrientation(tiff)
}

var exifHead = []byte("Exif\x00\x00")

// jpegEXIF finds the TIFF block of the first APP1 segment that is EXIF (Exif 2.32, 4.5.4).
func jpegEXIF(b []byte) []byte {
	for i := 2; i+4 <= len(b) && b[i] == 0xff; {
		marker := b[i+1]
		if marker == 0xff { // fill bytes
			i++
			continue
		}
		if marker == 0xda || marker == 0xd9 { // the scan begins: no more headers
			return nil
		}
		size := int(binary.BigEndian.Uint16(b[i+2:]))
		if size < 2 || i+2+size > len(b) {
			return nil
		}
		if body := b[i+4 : i+2+size]; marker == 0xe1 && bytes.HasPrefix(body, exifHead) {
			return body[len(exifHead):]
		}
		i += 2 + size
	}
	return nil
}

// scans counts the scans of a JPEG file. What its segments hold, such as a thumbnail, and what is behind its end does not count.
func scans(b []byte) (n int) {
	for i := 2; i+4 <= len(b); {
		switch marker := b[i+1]; {
		case b[i] != 0xff:
			i++ // coded pixels
		case marker == 0xff: // a fill byte
			i++
		case marker == 0 || marker >= 0xd0 && marker <= 0xd7: // a byte of pixels that looks like a marker, or a restart
			i += 2
		case marker == 0xd9:
			return n
		default:
			if marker == 0xda {
				n++
			}
			i += 2 + int(binary.BigEndian.Uint16(b[i+2:]))
		}
	}
	return n
}

// pngEXIF finds the eXIf chunk.
func pngEXIF(b []byte) []byte {
	for i := 8; i+12 <= len(b); {
		size := int(binary.BigEndian.Uint32(b[i:]))
		if size < 0 || size > len(b)-i-12 {
			return nil
		}
		if string(b[i+4:i+8]) == "eXIf" {
			return b[i+8 : i+8+size]
		}
		i += 12 + size
	}
	return nil
}

// webpEXIF finds the EXIF chunk of a RIFF file.
func webpEXIF(b []byte) []byte {
	for i := 12; i+8 <= len(b); {
		size := int(binary.LittleEndian.Uint32(b[i+4:]))
		if size < 0 || size > len(b)-i-8 {
			return nil
		}
		if string(b[i:i+4]) == "EXIF" {
			return bytes.TrimPrefix(b[i+8:i+8+size], exifHead)
		}
		i += 8 + size + size&1
	}
	return nil
}

// tiffOrientation reads tag 0x0112 of the first directory.
func tiffOrientation(b []byte) int {
	if len(b) < 8 {
		return 1
	}
	var order binary.ByteOrder
	switch string(b[:4]) {
	case "II*\x00":
		order = binary.LittleEndian
	case "MM\x00*":
		order = binary.BigEndian
	default:
		return 1
	}
	at := uint64(order.Uint32(b[4:]))
	if at+2 > uint64(len(b)) {
		return 1
	}
	n := int(order.Uint16(b[at:]))
	for i := range n {
		from := at + 2 + uint64(i)*12
		if from+12 > uint64(len(b)) {
			return 1
		}
		entry := b[from : from+12]
		if order.Uint16(entry) != 0x0112 {
			continue
		}
		if v := int(order.Uint16(entry[8:])); order.Uint16(entry[2:]) == 3 && v >= 1 && v <= 8 {
			return v
		}
		return 1
	}
	return 1
}
