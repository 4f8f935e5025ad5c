package basemap

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"math"
	"sync"

	"github.com/paulmach/orb"
	"github.com/paulmach/orb/clip"
	"github.com/paulmach/orb/encoding/mvt"
	"github.com/paulmach/orb/geojson"
)

const (
	extent = 4096 // units of a tile
	buffer = 64   // units around it that polygons and lines may reach into

	// embeddedZoom is the deepest zoom worth asking for: later ones add no detail.
	embeddedZoom = 10

	// Tiles from pieceZoom on are cut from pieces of the level, themselves of the zooms
	// that cutZoom tells, rather than from lines that run around a continent.
	pieceZoom = 4
)

// A Basemap is the embedded world. It unpacks what it needs when it is first asked.
// Safe for concurrent use.
type Basemap struct {
	levels [lastLevel + 1]func() (*level, error)
	places func() (*places, error)
	tiles  *lru[[3]int, Tile]
	pieces *lru[[3]int, *level]
}

// Embedded returns the world that is compiled into the program. It holds at most some
// 30 MB of memory when all of its zooms have been used; keep one and share it.
func Embedded() *Basemap {
	b := &Basemap{
		places: sync.OnceValues(readPlaces),
		tiles:  newLRU[[3]int, Tile](6 << 20),
		pieces: newLRU[[3]int, *level](100_000), // points
	}
	for z := range b.levels {
		b.levels[z] = sync.OnceValues(func() (*level, error) { return newLevel(z) })
	}
	return b
}

// Info describes the embedded world.
func (b *Basemap) Info() Info {
	return Info{
		ContentType: TypeMVT,
		MaxZoom:     embeddedZoom,
		Bounds:      worldBounds,
		Attribution: []string{"Natural Earth (public domain)", "GeoNames (CC BY 4.0)"},
		Name:        "World",
	}
}

// Tile encodes the tile, gzipped, or returns ErrNoTile.
func (b *Basemap) Tile(z, x, y int) (Tile, error) {
	if !onMap(z, x, y) {
		return Tile{}, ErrNoTile
	}
	key := [3]int{z, x, y}
	if t, ok := b.tiles.get(key); ok {
		return t, nil
	}
	data, err := b.encode(z, x, y)
	if err != nil {
		return Tile{}, fmt.Errorf("basemap tile %d/%d/%d: %w", z, x, y, err)
	}
	t := newTile(data, TypeMVT, "gzip")
	b.tiles.put(key, t, len(t.Data)+200)
	return t, nil
}

func (b *Basemap) encode(z, x, y int) ([]byte, error) {
	l, err := b.geometry(z, x, y)
	if err != nil {
		return nil, err
	}
	p, err := b.places()
	if err != nil {
		return nil, err
	}
	var layers mvt.Layers
	add := func(name string, features []*geojson.Feature) {
		if len(features) > 0 {
			layers = append(layers, &mvt.Layer{Name: name, Version: 2, Extent: extent, Features: features})
		}
	}
	add("earth", areaFeatures(l.earth, "earth", z, x, y))
	add("water", areaFeatures(l.water, "lake", z, x, y))
	borders := lineFeatures(l.borders, "country", 2, z, x, y)
	add("boundaries", append(borders, lineFeatures(l.regions, "region", 4, z, x, y)...))
	add("places", p.features(z, x, y))
	data, err := mvt.Marshal(layers)
	if err != nil {
		return nil, err
	}
	var buf bytes.Buffer
	zw, _ := gzip.NewWriterLevel(&buf, gzip.DefaultCompression) // the level is valid
	if _, err := zw.Write(data); err != nil {
		return nil, err
	}
	if err := zw.Close(); err != nil {
		return nil, err
	}
	return buf.Bytes(), nil
}

// geometry returns what to cut the tile from: the whole level, or a piece of it.
func (b *Basemap) geometry(z, x, y int) (*level, error) {
	l, err := b.levels[min(z, lastLevel)]()
	if err != nil || z < pieceZoom {
		return l, err
	}
	cut := cutZoom(z)
	key := [3]int{min(z, lastLevel), x >> (z - cut), y >> (z - cut)}
	if piece, ok := b.pieces.get(key); ok {
		return piece, nil
	}
	piece, points := l.cut(tileBound(cut, key[1], key[2]))
	b.pieces.put(key, piece, points+100)
	return piece, nil
}

func cutZoom(z int) int {
	if z < lastLevel {
		return 3
	}
	return 5
}

// tileBound is the tile with its buffer, on the unit square.
func tileBound(z, x, y int) orb.Bound {
	size := math.Ldexp(1, -z)
	pad := size * buffer / extent
	return orb.Bound{
		Min: orb.Point{float64(x)*size - pad, float64(y)*size - pad},
		Max: orb.Point{float64(x+1)*size + pad, float64(y+1)*size + pad},
	}
}

// cut returns the part of the level inside the bound, and its number of points.
func (l *level) cut(bound orb.Bound) (*level, int) {
	points := 0
	areas := func(in []area) (out []area) {
		for _, a := range in {
			clipArea(bound, a, func(rings []orb.Ring) {
				for i, r := range rings {
					rings[i] = append(make(orb.Ring, 0, len(r)), r...) // clipped in place: let go of the rest
					points += len(r)
				}
				out = append(out, area{rings, rings[0].Bound()})
			})
		}
		return out
	}
	lines := func(in []line) (out []line) {
		for _, ln := range in {
			clipLine(bound, ln, func(ls orb.LineString) {
				points += len(ls)
				out = append(out, line{ls, ls.Bound()})
			})
		}
		return out
	}
	piece := &level{earth: areas(l.earth), water: areas(l.water), borders: lines(l.borders), regions: lines(l.regions)}
	return piece, points
}

// clipArea calls found with what of the area is inside the bound, for each of the
// copies of the world beside one another that reach it.
func clipArea(bound orb.Bound, a area, found func([]orb.Ring)) {
	for _, shift := range shifts(a.bound) {
		box := moved(bound, -shift)
		if !box.Intersects(a.bound) {
			continue
		}
		var rings []orb.Ring
		for _, ring := range a.rings {
			in := ring.Clone() // clipping uses its input as scratch space
			if !inside(box, ring.Bound()) {
				in = clip.Ring(box, in)
			}
			if len(in) < 4 {
				if rings == nil {
					break
				}
				continue
			}
			for i := range in {
				in[i][0] += shift
			}
			rings = append(rings, in)
		}
		if rings != nil {
			found(rings)
		}
	}
}

func clipLine(bound orb.Bound, l line, found func(orb.LineString)) {
	for _, shift := range shifts(l.bound) {
		box := moved(bound, -shift)
		if !box.Intersects(l.bound) {
			continue
		}
		for _, part := range clip.LineString(box, l.points) {
			if shift != 0 {
				part = part.Clone()
				for i := range part {
					part[i][0] += shift
				}
			}
			found(part)
		}
	}
}

// shifts are the copies of the world to look at. What is wider than the world already
// holds its own copies.
func shifts(b orb.Bound) []float64 {
	if b.Max[0]-b.Min[0] > 1.5 {
		return []float64{0}
	}
	return []float64{0, -1, 1}
}

func moved(b orb.Bound, dx float64) orb.Bound {
	b.Min[0] += dx
	b.Max[0] += dx
	return b
}

func inside(outer, inner orb.Bound) bool {
	return outer.Contains(inner.Min) && outer.Contains(inner.Max)
}

func toTile(p orb.Point, scale float64, x, y int) orb.Point {
	return orb.Point{
		math.Round((p[0]*scale - float64(x)) * extent),
		math.Round((p[1]*scale - float64(y)) * extent),
	}
}

// snap rounds points to tile units and drops repeated ones.
func snap(in []orb.Point, z, x, y int) []orb.Point {
	scale := math.Ldexp(1, z)
	out := make([]orb.Point, 0, len(in))
	for _, p := range in {
		q := toTile(p, scale, x, y)
		if n := len(out); n == 0 || out[n-1] != q {
			out = append(out, q)
		}
	}
	return out
}

func areaFeatures(areas []area, kind string, z, x, y int) []*geojson.Feature {
	bound := tileBound(z, x, y)
	var out []*geojson.Feature
	for _, a := range areas {
		clipArea(bound, a, func(rings []orb.Ring) {
			if p := tilePolygon(rings, z, x, y); p != nil {
				f := geojson.NewFeature(p)
				f.Properties["kind"] = kind
				out = append(out, f)
			}
		})
	}
	return out
}

// tilePolygon rounds and winds the rings as the format wants them: the outside with a
// positive area (y down), holes with a negative one. It is nil when nothing is left,
// also when a hole is all of the outside.
func tilePolygon(rings []orb.Ring, z, x, y int) orb.Polygon {
	var p orb.Polygon
	outside := 0.0
	for _, ring := range rings {
		r := orb.Ring(snap(ring, z, x, y))
		a := doubleArea(r)
		if len(r) < 4 || a == 0 {
			if p == nil {
				return nil
			}
			continue
		}
		if p == nil {
			outside = math.Abs(a)
		} else if math.Abs(a) >= outside {
			return nil
		}
		if (a > 0) != (p == nil) {
			r.Reverse()
		}
		p = append(p, r)
	}
	return p
}

func doubleArea(r orb.Ring) float64 {
	sum := 0.0
	for i := 1; i < len(r); i++ {
		sum += r[i-1][0]*r[i][1] - r[i][0]*r[i-1][1]
	}
	return sum
}

func lineFeatures(lines []line, kind string, detail, z, x, y int) []*geojson.Feature {
	bound := tileBound(z, x, y)
	var parts orb.MultiLineString
	for _, l := range lines {
		clipLine(bound, l, func(ls orb.LineString) {
			if s := snap(ls, z, x, y); len(s) > 1 {
				parts = append(parts, s)
			}
		})
	}
	if len(parts) == 0 {
		return nil
	}
	f := geojson.NewFeature(parts)
	f.Properties["kind"] = kind
	f.Properties["kind_detail"] = detail
	return []*geojson.Feature{f}
}
