package basemap

import (
	"bytes"
	"compress/gzip"
	"embed"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/paulmach/orb"
)

// The embedded files, written by scripts/basemap. Numbers are varints of encoding/binary,
// coordinates are on a Web Mercator grid of 1<<bits cells a side, y down, and may run
// over the antimeridian.
//
//	land-*     bits, arcs, land polygons (rings (arc indices, ^i for a reversed arc)), border arcs
//	lakes,     bits, number of parts of each shape, parts
//	regions
//	countries  bits, languages, labels (x, y, first zoom, a name in each language)
//	places     bits, number of towns of each first zoom, then columns: Morton codes,
//	           populations doubled (plus one: a capital), lengths of names, names; then
//	           the French names (steps between towns, name)
//
//go:embed data/*.bin.gz
var files embed.FS

// A reader walks over one unpacked embedded file. The first error sticks.
type reader struct {
	data []byte
	err  error
}

var errData = errors.New("damaged data")

func openData(name string) (*reader, error) {
	packed, err := files.ReadFile("data/" + name + ".bin.gz")
	if err != nil {
		return nil, err
	}
	zr, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	data, err := io.ReadAll(zr)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return &reader{data: data}, nil
}

func (r *reader) uint() int {
	v, n := binary.Uvarint(r.data)
	if n <= 0 || v > math.MaxInt64/2 {
		r.err, r.data = errData, nil
		return 0
	}
	r.data = r.data[n:]
	return int(v)
}

func (r *reader) int() int {
	v, n := binary.Varint(r.data)
	if n <= 0 {
		r.err, r.data = errData, nil
		return 0
	}
	r.data = r.data[n:]
	return int(v)
}

// count is a number of things that take at least a byte each.
func (r *reader) count() int {
	n := r.uint()
	if n > len(r.data) {
		r.err, r.data = errData, nil
		return 0
	}
	return n
}

func (r *reader) text(n int) string {
	if n > len(r.data) {
		r.err, r.data = errData, nil
		return ""
	}
	s := string(r.data[:n])
	r.data = r.data[n:]
	return s
}

// lines reads lines of grid points onto the unit square.
func (r *reader) lines(bits int) []orb.LineString {
	lines := make([]orb.LineString, r.count())
	cell := math.Ldexp(1, -bits)
	var x, y int
	for i := range lines {
		line := make(orb.LineString, r.count())
		for j := range line {
			x, y = x+r.int(), y+r.int()
			line[j] = orb.Point{float64(x) * cell, float64(y) * cell}
		}
		lines[i] = line
	}
	return lines
}

// A topology is land made of shared arcs, so that coast and border agree when simplified.
type topology struct {
	arcs    []orb.LineString
	land    [][][]int
	borders []int
}

func readTopology(name string) (*topology, error) {
	r, err := openData(name)
	if err != nil {
		return nil, err
	}
	t := &topology{arcs: r.lines(r.uint())}
	t.land = make([][][]int, r.count())
	arc := 0
	check := func() int {
		if i := max(arc, ^arc); i >= len(t.arcs) || len(t.arcs[i]) == 0 {
			r.err, arc = errData, 0
		}
		return arc
	}
	for i := range t.land {
		rings := make([][]int, r.count())
		for j := range rings {
			ring := make([]int, r.count())
			arc = 0
			for k := range ring {
				arc += r.int()
				ring[k] = check()
			}
			rings[j] = ring
		}
		t.land[i] = rings
	}
	t.borders = make([]int, r.count())
	arc = 0
	for i := range t.borders {
		arc += r.int()
		t.borders[i] = check()
	}
	if r.err != nil {
		return nil, fmt.Errorf("%s: %w", name, r.err)
	}
	return t, nil
}

// readShapes reads lakes (rings) or regions (lines): the parts of each shape.
func readShapes(name string) ([][]orb.LineString, error) {
	r, err := openData(name)
	if err != nil {
		return nil, err
	}
	bits := r.uint()
	shapes := make([][]orb.LineString, r.count())
	counts := make([]int, len(shapes))
	for i := range counts {
		counts[i] = r.uint()
	}
	parts := r.lines(bits)
	for i, n := range counts {
		if n > len(parts) {
			return nil, fmt.Errorf("%s: %w", name, errData)
		}
		shapes[i], parts = parts[:n:n], parts[n:]
	}
	if r.err != nil || len(parts) > 0 {
		return nil, fmt.Errorf("%s: %w", name, errData)
	}
	return shapes, nil
}
