package staticmap

import (
	"bytes"
	"context"
	"errors"
	"image"
	_ "image/jpeg" // raster basemaps
	_ "image/png"  // raster basemaps
	"math"
	"strings"

	"archipel/geo/basemap"

	"github.com/paulmach/orb"
	"github.com/paulmach/orb/clip"
	"github.com/paulmach/orb/encoding/mvt"
	"github.com/paulmach/orb/geojson"
	_ "golang.org/x/image/webp" // raster basemaps
)

// A scene is what the basemap shows in a view, in picture pixels.
type scene struct {
	view     view
	under    *scene // what pictures of a raster basemap lie on, may be nil
	pictures []picture

	earth, green, built, lakes, buildings []orb.Ring
	coast, shore, rivers                  [][]orb.Point
	country, region                       [][]orb.Point
	roads                                 [roadClasses][][]orb.Point
	places                                []place
}

// A picture is a raster tile, where all of it would stand, and the part that is wanted.
type picture struct {
	img      image.Image
	to, clip image.Rectangle
}

// A place is a candidate for a label. x and y are picture pixels.
type place struct {
	x, y    float64
	name    string
	local   map[string]string // names by language
	kind    string
	rank    float64
	people  float64
	capital bool
}

const (
	highway = iota
	majorRoad
	minorRoad
	path
	rail
	roadClasses
)

// margin is how far around the picture, in CSS pixels, the basemap is read, so that wide
// lines and the halos of what lies just outside are there.
const margin = 12

// loadScene reads the tiles that the view needs.
func loadScene(ctx context.Context, src basemap.Source, v view) (*scene, error) {
	s := &scene{view: v}
	info := src.Info()
	if layered, ok := src.(interface{ World() basemap.Source }); ok && !info.Vector() {
		var err error
		if s.under, err = loadScene(ctx, layered.World(), v); err != nil {
			return nil, err
		}
		s.places = s.under.places
	}
	tilePixels := 512.0
	if !info.Vector() {
		tilePixels = 256
	}
	z := int(math.Round(math.Log2(v.world / tilePixels)))
	z = max(info.MinZoom, 0, min(z, info.MaxZoom))
	size := v.world / math.Exp2(float64(z))
	pad := margin * v.scale
	firstX, lastX := int(math.Floor((v.left-pad)/size)), int(math.Floor((v.left+float64(v.pixelsX)+pad)/size))
	firstY, lastY := int(math.Floor((v.top-pad)/size)), int(math.Floor((v.top+float64(v.pixelsY)+pad)/size))
	for y := max(0, firstY); y <= min(lastY, 1<<z-1); y++ {
		for x := firstX; x <= lastX; x++ {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			if err := s.load(src, z, x, y, size); err != nil {
				return nil, err
			}
		}
	}
	return s, nil
}

// load adds one tile; x may lie on another copy of the world. Where the source has no
// such tile, the nearest one above is enlarged.
func (s *scene) load(src basemap.Source, z, x, y int, size float64) error {
	wrapped := x & (1<<z - 1)
	for up := 0; up <= min(z, 8); up++ {
		t, err := src.Tile(z-up, wrapped>>up, y>>up)
		if errors.Is(err, basemap.ErrNoTile) {
			continue
		}
		if err != nil {
			return err
		}
		part := 1 / math.Exp2(float64(up)) // of the tile found
		mask := 1<<up - 1
		window := orb.Bound{Min: orb.Point{float64(wrapped&mask) * part, float64(y&mask) * part}}
		window.Max = orb.Point{window.Min[0] + part, window.Min[1] + part}
		left, top := float64(x)*size-s.view.left, float64(y)*size-s.view.top
		if t.ContentType != basemap.TypeMVT {
			return s.addPicture(t, window, left, top, size)
		}
		layers, err := t.Layers()
		if err != nil {
			return err
		}
		for _, l := range layers {
			s.addLayer(l, window, left, top, size)
		}
		return nil
	}
	return nil
}

// maxTilePixels bounds the pictures of a raster basemap.
const maxTilePixels = 1024

func (s *scene) addPicture(t basemap.Tile, window orb.Bound, left, top, size float64) error {
	config, _, err := image.DecodeConfig(bytes.NewReader(t.Data))
	if err != nil {
		return err
	}
	if config.Width > maxTilePixels || config.Height > maxTilePixels {
		return errors.New("a tile of the basemap is too large a picture")
	}
	img, _, err := image.Decode(bytes.NewReader(t.Data))
	if err != nil {
		return err
	}
	// Draw the whole tile so that the window comes to stand at left, top.
	scale := size / (window.Max[0] - window.Min[0])
	x, y := left-window.Min[0]*scale, top-window.Min[1]*scale
	s.pictures = append(s.pictures, picture{
		img:  img,
		to:   image.Rect(round(x), round(y), round(x+scale), round(y+scale)),
		clip: image.Rect(round(left), round(top), round(left+size), round(top+size)),
	})
	return nil
}

func round(v float64) int { return int(math.Round(v)) }

// addLayer cuts the layer exactly at the window, so that tiles meet without overlap.
func (s *scene) addLayer(l *mvt.Layer, window orb.Bound, left, top, size float64) {
	extent := float64(max(1, l.Extent))
	box := orb.Bound{
		Min: orb.Point{window.Min[0] * extent, window.Min[1] * extent},
		Max: orb.Point{window.Max[0] * extent, window.Max[1] * extent},
	}
	k := size / (box.Max[0] - box.Min[0])
	c := cutter{box, func(p orb.Point) orb.Point {
		return orb.Point{left + (p[0]-box.Min[0])*k, top + (p[1]-box.Min[1])*k}
	}}
	for _, f := range l.Features {
		kind := text(f, "kind")
		switch l.Name {
		case "earth":
			s.earth = c.rings(s.earth, f.Geometry)
			s.coast = c.outlines(s.coast, f.Geometry)
		case "water":
			if kind != "ocean" {
				s.lakes = c.rings(s.lakes, f.Geometry)
				s.shore = c.outlines(s.shore, f.Geometry)
				s.rivers = c.lines(s.rivers, f.Geometry)
			}
		case "landuse", "landcover":
			switch kind {
			case "park", "forest", "wood", "grass", "nature_reserve", "national_park", "meadow", "garden",
				"cemetery", "recreation_ground", "village_green", "scrub", "grassland", "orchard", "allotments":
				s.green = c.rings(s.green, f.Geometry)
			case "urban_area", "residential":
				s.built = c.rings(s.built, f.Geometry)
			}
		case "buildings":
			s.buildings = c.rings(s.buildings, f.Geometry)
		case "roads":
			if class, ok := roadClass(kind); ok {
				s.roads[class] = c.lines(s.roads[class], f.Geometry)
			}
		case "boundaries":
			if number(f, "kind_detail") == 2 || kind == "country" {
				s.country = c.lines(s.country, f.Geometry)
			} else if kind == "region" {
				s.region = c.lines(s.region, f.Geometry)
			}
		case "places":
			s.addPlace(f, c)
		}
	}
}

func roadClass(kind string) (int, bool) {
	switch kind {
	case "highway":
		return highway, true
	case "major_road", "medium_road":
		return majorRoad, true
	case "minor_road":
		return minorRoad, true
	case "path":
		return path, true
	case "rail":
		return rail, true
	}
	return 0, false
}

func (s *scene) addPlace(f *geojson.Feature, c cutter) {
	p, ok := f.Geometry.(orb.Point)
	if mp, many := f.Geometry.(orb.MultiPoint); many && len(mp) > 0 {
		p, ok = mp[0], true
	}
	// The far edges belong to the next tile.
	if !ok || !c.box.Contains(p) || p[0] == c.box.Max[0] || p[1] == c.box.Max[1] {
		return
	}
	if number(f, "min_zoom") > s.view.zoom+0.35 {
		return
	}
	at := c.place(p)
	place := place{
		x: at[0], y: at[1], name: text(f, "name"), kind: text(f, "kind"),
		rank: number(f, "population_rank"), people: number(f, "population"), capital: text(f, "capital") != "",
	}
	for key, value := range f.Properties {
		if lang, ok := strings.CutPrefix(key, "name:"); ok {
			if place.local == nil {
				place.local = map[string]string{}
			}
			place.local[lang], _ = value.(string)
		}
	}
	s.places = append(s.places, place)
}

func text(f *geojson.Feature, key string) string {
	v, _ := f.Properties[key].(string)
	return v
}

func number(f *geojson.Feature, key string) float64 {
	switch v := f.Properties[key].(type) {
	case int64:
		return float64(v)
	case uint64:
		return float64(v)
	case float64:
		return v
	case float32:
		return float64(v)
	case int:
		return float64(v)
	}
	return 0
}

// A cutter clips geometry in tile units and places it on the picture.
type cutter struct {
	box   orb.Bound
	place func(orb.Point) orb.Point
}

func (c cutter) rings(out []orb.Ring, g orb.Geometry) []orb.Ring {
	for _, r := range ringsOf(g) {
		if len(r) < 4 || !c.box.Intersects(r.Bound()) {
			continue
		}
		if cut := clip.Ring(c.box, r.Clone()); len(cut) > 3 {
			out = append(out, c.placed(cut))
		}
	}
	return out
}

// outlines are the edges of polygons, without those along the tile's own edge.
func (c cutter) outlines(out [][]orb.Point, g orb.Geometry) [][]orb.Point {
	for _, r := range ringsOf(g) {
		out = c.add(out, orb.LineString(r))
	}
	return out
}

func (c cutter) lines(out [][]orb.Point, g orb.Geometry) [][]orb.Point {
	switch g := g.(type) {
	case orb.LineString:
		out = c.add(out, g)
	case orb.MultiLineString:
		for _, l := range g {
			out = c.add(out, l)
		}
	}
	return out
}

func (c cutter) add(out [][]orb.Point, l orb.LineString) [][]orb.Point {
	if len(l) < 2 || !c.box.Intersects(l.Bound()) {
		return out
	}
	for _, part := range clip.LineString(c.box, l, clip.OpenBound(true)) {
		if len(part) > 1 {
			out = append(out, c.placed(part))
		}
	}
	return out
}

func (c cutter) placed(in []orb.Point) []orb.Point {
	out := make([]orb.Point, len(in))
	for i, p := range in {
		out[i] = c.place(p)
	}
	return out
}

func ringsOf(g orb.Geometry) []orb.Ring {
	switch g := g.(type) {
	case orb.Polygon:
		return g
	case orb.MultiPolygon:
		var all []orb.Ring
		for _, p := range g {
			all = append(all, p...)
		}
		return all
	}
	return nil
}
