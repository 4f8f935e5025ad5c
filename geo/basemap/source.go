package basemap

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
)

// ErrNoTile says that a source has no tile there: outside of its bounds or zooms, or
// coordinates that no map has.
var ErrNoTile = errors.New("no such tile")

// A Source serves tiles of the Web Mercator scheme, y counted from the north (XYZ).
// It may be used by several goroutines at once. The coordinates may be anything: what is
// not on the map is ErrNoTile.
type Source interface {
	Tile(z, x, y int) (Tile, error)
	Info() Info
}

// The content types of tiles.
const (
	TypeMVT  = "application/vnd.mapbox-vector-tile"
	TypePNG  = "image/png"
	TypeJPEG = "image/jpeg"
	TypeWebP = "image/webp"
)

// A Tile is what to send. Data is shared and must not be changed.
type Tile struct {
	Data        []byte
	ContentType string // one of the Type constants
	Encoding    string // the Content-Encoding of Data: empty, or "gzip"
	ETag        string // a strong entity tag with its quotes
}

// Info describes a source.
type Info struct {
	ContentType      string
	MinZoom, MaxZoom int
	Bounds           [4]float64 // west, south, east, north in degrees
	Attribution      []string   // plain text, one credit each
	Name             string     // plain text, may be empty
}

// Vector tells whether the source has vector tiles, rather than pictures.
func (i Info) Vector() bool { return i.ContentType == TypeMVT }

// MaxZoom is the deepest zoom that any source answers: a tile there is a few metres wide.
const MaxZoom = 22

func onMap(z, x, y int) bool {
	return z >= 0 && z <= MaxZoom && x >= 0 && y >= 0 && x < 1<<z && y < 1<<z
}

func newTile(data []byte, contentType, encoding string) Tile {
	sum := sha256.Sum256(data)
	return Tile{Data: data, ContentType: contentType, Encoding: encoding,
		ETag: `"` + hex.EncodeToString(sum[:12]) + `"`}
}
