package main

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
)

// A topology is a TopoJSON file (specification 1.0.0) with quantised arcs.
type topology struct {
	Type      string `json:"type"`
	Transform struct {
		Scale     [2]float64 `json:"scale"`
		Translate [2]float64 `json:"translate"`
	} `json:"transform"`
	Objects map[string]object `json:"objects"`
	Arcs    [][][2]float64    `json:"arcs"` // after parsing: absolute [longitude, latitude]
}

type object struct {
	Type       string          `json:"type"`
	ID         string          `json:"id"`
	Arcs       json.RawMessage `json:"arcs"`
	Geometries []object        `json:"geometries"`
}

func parseTopology(data []byte) (*topology, error) {
	var t topology
	if err := json.Unmarshal(data, &t); err != nil {
		return nil, err
	}
	if t.Type != "Topology" || t.Transform.Scale[0] == 0 {
		return nil, errors.New("not a quantised TopoJSON topology")
	}
	for _, arc := range t.Arcs {
		var x, y float64
		for i := range arc {
			x, y = x+arc[i][0], y+arc[i][1]
			arc[i] = [2]float64{
				x*t.Transform.Scale[0] + t.Transform.Translate[0],
				y*t.Transform.Scale[1] + t.Transform.Translate[1],
			}
		}
	}
	return &t, nil
}

// polygons returns the arc indices of an object: polygon, ring, arc.
func (o object) polygons() ([][][]int, error) {
	switch o.Type {
	case "Polygon":
		var p [][]int
		err := json.Unmarshal(o.Arcs, &p)
		return [][][]int{p}, err
	case "MultiPolygon":
		var mp [][][]int
		err := json.Unmarshal(o.Arcs, &mp)
		return mp, err
	case "GeometryCollection":
		var all [][][]int
		for _, g := range o.Geometries {
			ps, err := g.polygons()
			if err != nil {
				return nil, err
			}
			all = append(all, ps...)
		}
		return all, nil
	case "":
		return nil, nil // a null geometry
	}
	return nil, fmt.Errorf("unexpected geometry type %q", o.Type)
}

// A world is what the embedded file of one scale holds, on the integer Web Mercator
// grid of 1<<bits cells a side: arcs, land polygons made of arcs, and border arcs.
type world struct {
	bits    uint
	arcs    [][][2]int
	land    [][][]int
	borders []int
}

func (t *topology) world(bits uint) (*world, error) {
	w := &world{bits: bits}
	for _, arc := range t.Arcs {
		w.arcs = append(w.arcs, quantise(arc, bits))
	}
	land, err := t.Objects["land"].polygons()
	if err != nil {
		return nil, err
	}
	for _, polygon := range land {
		var rings [][]int
		for _, ring := range polygon {
			if !t.atPole(ring) {
				rings = append(rings, ring)
			}
		}
		w.land = append(w.land, rings)
	}
	owner := map[int]int{}
	seen := map[int]bool{}
	for i, c := range t.Objects["countries"].Geometries {
		polygons, err := c.polygons()
		if err != nil {
			return nil, err
		}
		for _, polygon := range polygons {
			for _, ring := range polygon {
				for _, a := range ring {
					if a < 0 {
						a = ^a
					}
					if first, ok := owner[a]; !ok {
						owner[a] = i
					} else if first != i && !seen[a] {
						seen[a] = true
						w.borders = append(w.borders, a)
					}
				}
			}
		}
	}
	if len(w.land) == 0 || len(w.borders) == 0 {
		return nil, errors.New("no land or no borders")
	}
	return w, nil
}

// atPole tells the degenerate ring that marks the south pole in the 1:50m file.
func (t *topology) atPole(ring []int) bool {
	for _, a := range ring {
		if a < 0 {
			a = ^a
		}
		for _, p := range t.Arcs[a] {
			if p[1] > -89 {
				return false
			}
		}
	}
	return true
}

// mercator projects degrees into the unit square, y down. Latitudes beyond 86 degrees
// are cut there: they lie outside the square map.
func mercator(lon, lat float64) (x, y float64) {
	lat = max(-86, min(86, lat))
	return lon/360 + 0.5, 0.5 - math.Asinh(math.Tan(lat*math.Pi/180))/(2*math.Pi)
}

// quantise projects a line onto the grid without repeated points. A line that crosses
// the antimeridian goes on beyond the edge of the grid instead of jumping back.
func quantise(line [][2]float64, bits uint) [][2]int {
	size := 1 << bits
	var out [][2]int
	for _, p := range line {
		fx, fy := mercator(p[0], p[1])
		q := [2]int{int(math.Round(fx * float64(size))), int(math.Round(fy * float64(size)))}
		if n := len(out); n > 0 {
			for q[0]-out[n-1][0] > size/2 {
				q[0] -= size
			}
			for q[0]-out[n-1][0] < -size/2 {
				q[0] += size
			}
			if q == out[n-1] {
				continue
			}
		}
		out = append(out, q)
	}
	return out
}

// encode writes the format that archipel/geo/basemap documents in decode.go.
func (w *world) encode() []byte {
	b := binary.AppendUvarint(nil, uint64(w.bits))
	b = appendLines(b, w.arcs)
	b = binary.AppendUvarint(b, uint64(len(w.land)))
	for _, polygon := range w.land {
		b = binary.AppendUvarint(b, uint64(len(polygon)))
		for _, ring := range polygon {
			b = binary.AppendUvarint(b, uint64(len(ring)))
			prev := 0
			for _, a := range ring {
				b = binary.AppendVarint(b, int64(a-prev))
				prev = a
			}
		}
	}
	b = binary.AppendUvarint(b, uint64(len(w.borders)))
	prev := 0
	for _, a := range w.borders {
		b = binary.AppendVarint(b, int64(a-prev))
		prev = a
	}
	return b
}

// appendLines writes a count and then each line: its number of points and the
// differences from point to point, running on from line to line.
func appendLines(b []byte, lines [][][2]int) []byte {
	b = binary.AppendUvarint(b, uint64(len(lines)))
	var x, y int
	for _, line := range lines {
		b = binary.AppendUvarint(b, uint64(len(line)))
		for _, p := range line {
			b = binary.AppendVarint(b, int64(p[0]-x))
			b = binary.AppendVarint(b, int64(p[1]-y))
			x, y = p[0], p[1]
		}
	}
	return b
}
