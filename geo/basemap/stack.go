package basemap

import (
	"encoding/json"
	"errors"
	"html"
	"math"
	"strings"
)

// A Stack answers from an operator's file where it has the tile, and from the world
// everywhere else. Pictures and vector tiles cannot be mixed under one address: on top of
// a file of pictures the world stays silent, and is to be drawn underneath from its own.
type Stack struct {
	top   Source // may be nil
	world Source
}

// NewStack puts top, which may be nil, on the world.
func NewStack(top, world Source) *Stack { return &Stack{top, world} }

// Tile asks the file, then the world. Deeper than the file goes, its area has no tiles at
// all: what is drawn there is the file's last zoom, enlarged.
func (s *Stack) Tile(z, x, y int) (Tile, error) {
	if s.top == nil {
		return s.world.Tile(z, x, y)
	}
	info := s.top.Info()
	if z > s.Info().MaxZoom {
		return Tile{}, ErrNoTile
	}
	t, err := s.top.Tile(z, x, y)
	if err == nil || !info.Vector() || !errors.Is(err, ErrNoTile) {
		return t, err
	}
	if z > info.MaxZoom && touches(info.Bounds, z, x, y) {
		return Tile{}, ErrNoTile
	}
	return s.world.Tile(z, x, y)
}

// Info describes both together: a file of pictures as itself.
func (s *Stack) Info() Info {
	world := s.world.Info()
	if s.top == nil {
		return world
	}
	info := s.top.Info()
	if info.Vector() {
		info.MinZoom = min(info.MinZoom, world.MinZoom)
		info.MaxZoom = max(info.MaxZoom, world.MaxZoom)
		info.Bounds = world.Bounds
	}
	info.Attribution = append(append([]string(nil), info.Attribution...), world.Attribution...)
	return info
}

// World is what lies under the file.
func (s *Stack) World() Source { return s.world }

// touches tells whether a tile overlaps bounds in degrees.
func touches(bounds [4]float64, z, x, y int) bool {
	size := math.Ldexp(1, -z)
	west, east := float64(x)*size*360-180, float64(x+1)*size*360-180
	north, south := latitude(float64(y)*size), latitude(float64(y+1)*size)
	return west < bounds[2] && east > bounds[0] && south < bounds[3] && north > bounds[1]
}

// latitude of a height on the unit square, in degrees.
func latitude(y float64) float64 {
	return math.Atan(math.Sinh(math.Pi*(1-2*y))) * 180 / math.Pi
}

// TileJSON describes the source as TileJSON 3.0. The tiles are at publicURL followed by
// /tiles/base/{z}/{x}/{y} and the ending of their type. The attribution is HTML, as the
// specification has it, without any markup.
func (s *Stack) TileJSON(publicURL string) []byte { return TileJSON(s.Info(), publicURL) }

// TileJSON describes any source; see Stack.TileJSON.
func TileJSON(info Info, publicURL string) []byte {
	endings := map[string]string{TypeMVT: "mvt", TypePNG: "png", TypeJPEG: "jpg", TypeWebP: "webp"}
	doc := map[string]any{
		"tilejson":    "3.0.0",
		"scheme":      "xyz",
		"tiles":       []string{strings.TrimRight(publicURL, "/") + "/tiles/base/{z}/{x}/{y}." + endings[info.ContentType]},
		"minzoom":     info.MinZoom,
		"maxzoom":     info.MaxZoom,
		"bounds":      info.Bounds,
		"attribution": html.EscapeString(strings.Join(info.Attribution, " · ")),
	}
	if info.Name != "" {
		doc["name"] = info.Name
	}
	if info.Vector() {
		doc["vector_layers"] = vectorLayers
	}
	b, err := json.Marshal(doc)
	if err != nil {
		panic(err) // nothing in it can fail
	}
	return b
}

type vectorLayer struct {
	ID          string            `json:"id"`
	Description string            `json:"description"`
	Fields      map[string]string `json:"fields"`
}

var vectorLayers = []vectorLayer{
	{"earth", "Land", map[string]string{"kind": "String"}},
	{"water", "Lakes", map[string]string{"kind": "String"}},
	{"boundaries", "Borders of countries and regions", map[string]string{"kind": "String", "kind_detail": "Number"}},
	{"places", "Countries and towns", map[string]string{
		"kind": "String", "kind_detail": "String", "name": "String", "population": "Number",
		"population_rank": "Number", "min_zoom": "Number", "capital": "String",
	}},
}
