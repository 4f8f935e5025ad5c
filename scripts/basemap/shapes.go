package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// A shape is one record of a shapefile: its parts, in [longitude, latitude].
type shape [][][2]float64

// parseShapefile reads the polylines and polygons of an ESRI .shp file (ESRI
// Shapefile Technical Description, July 1998; types 3 and 5 only).
func parseShapefile(data []byte) ([]shape, error) {
	if len(data) < 100 || binary.BigEndian.Uint32(data) != 9994 {
		return nil, errors.New("not a shapefile")
	}
	var shapes []shape
	for rest := data[100:]; len(rest) > 0; {
		if len(rest) < 12 {
			return nil, errors.New("truncated record header")
		}
		size := 2 * int(binary.BigEndian.Uint32(rest[4:]))
		if size < 4 || len(rest) < 8+size {
			return nil, errors.New("truncated record")
		}
		record := rest[8 : 8+size]
		rest = rest[8+size:]
		kind := binary.LittleEndian.Uint32(record)
		if kind == 0 {
			continue
		}
		if kind != 3 && kind != 5 || size < 44 {
			return nil, fmt.Errorf("unexpected shape type %d", kind)
		}
		parts := int(binary.LittleEndian.Uint32(record[36:]))
		points := int(binary.LittleEndian.Uint32(record[40:]))
		if size < 44+4*parts+16*points {
			return nil, errors.New("truncated shape")
		}
		var s shape
		for i := range parts {
			from := int(binary.LittleEndian.Uint32(record[44+4*i:]))
			to := points
			if i+1 < parts {
				to = int(binary.LittleEndian.Uint32(record[48+4*i:]))
			}
			if from > to || to > points {
				return nil, errors.New("bad part index")
			}
			var line [][2]float64
			for j := from; j < to; j++ {
				at := 44 + 4*parts + 16*j
				line = append(line, [2]float64{
					math.Float64frombits(binary.LittleEndian.Uint64(record[at:])),
					math.Float64frombits(binary.LittleEndian.Uint64(record[at+8:])),
				})
			}
			s = append(s, line)
		}
		shapes = append(shapes, s)
	}
	return shapes, nil
}

// encodeShapes writes the shapes on a grid of 1<<bits cells, simplified by tolerance
// (in cells): the bits, the number of parts of each shape, then all parts as lines.
func encodeShapes(shapes []shape, bits uint, tolerance float64) []byte {
	var counts []int
	var lines [][][2]int
	for _, s := range shapes {
		n := 0
		for _, part := range s {
			line := simplify(quantise(part, bits), tolerance)
			if len(line) < 2 || line[0] == line[len(line)-1] && len(line) < 4 {
				if n == 0 && line != nil && part[0] == part[len(part)-1] {
					break // a lake smaller than the grid, and its islands
				}
				continue
			}
			lines = append(lines, line)
			n++
		}
		if n > 0 {
			counts = append(counts, n)
		}
	}
	b := binary.AppendUvarint(nil, uint64(bits))
	b = binary.AppendUvarint(b, uint64(len(counts)))
	for _, n := range counts {
		b = binary.AppendUvarint(b, uint64(n))
	}
	return appendLines(b, lines)
}

// simplify is Douglas-Peucker with the distance to the segment, so that it works for
// closed lines too.
func simplify(line [][2]int, tolerance float64) [][2]int {
	if len(line) < 3 {
		return line
	}
	worst, at := 0.0, 0
	a, b := line[0], line[len(line)-1]
	for i := 1; i < len(line)-1; i++ {
		if d := distance(line[i], a, b); d > worst {
			worst, at = d, i
		}
	}
	if worst <= tolerance {
		return [][2]int{a, b}
	}
	left := simplify(line[:at+1], tolerance)
	right := simplify(line[at:], tolerance)
	return append(append([][2]int(nil), left...), right[1:]...)
}

func distance(p, a, b [2]int) float64 {
	x, y := float64(p[0]-a[0]), float64(p[1]-a[1])
	dx, dy := float64(b[0]-a[0]), float64(b[1]-a[1])
	if l := dx*dx + dy*dy; l > 0 {
		t := max(0, min(1, (x*dx+y*dy)/l))
		x, y = x-t*dx, y-t*dy
	}
	return math.Hypot(x, y)
}
