package basemap

import (
	"bytes"
	"errors"
	"fmt"
	"html"
	"io"
	"os"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/paulmach/orb/encoding/mvt"
	"github.com/paulmach/protoscan"
)

// A File is an operator's file of tiles. Close ends its use.
type File interface {
	Source
	io.Closer
}

// Open reads a file of vector or raster tiles: PMTiles version 3, or MBTiles 1.3, told
// apart by their first bytes. The error is one line that names the file.
func Open(path string) (File, error) {
	f, err := open(path)
	if err != nil {
		return nil, fmt.Errorf("basemap file %s: %w", path, err)
	}
	return f, nil
}

func open(path string) (File, error) {
	head, err := firstBytes(path)
	if err != nil {
		var pathError *os.PathError
		if errors.As(err, &pathError) {
			err = pathError.Err // the path is named by Open
		}
		return nil, err
	}
	switch {
	case bytes.HasPrefix(head, []byte("PMTiles")):
		return openPMTiles(path)
	case bytes.HasPrefix(head, []byte("SQLite format 3\x00")):
		return openMBTiles(path)
	}
	return nil, errors.New("neither a PMTiles nor an MBTiles file")
}

func firstBytes(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	head := make([]byte, 16)
	n, err := io.ReadFull(f, head)
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return nil, err
	}
	return head[:n], nil
}

var worldBounds = [4]float64{-180, -85.051129, 180, 85.051129}

// validBounds holds for boxes in degrees with a width and a height; NaN fails.
func validBounds(b [4]float64) bool {
	return b[0] >= -180 && b[1] >= -90 && b[2] <= 180 && b[3] <= 90 && b[0] < b[2] && b[1] < b[3]
}

var tags = regexp.MustCompile(`(?s)<[^>]*>`)

// plainText takes the markup out of a text of a file, so that it can be shown as text:
// tags are dropped, entities read, white space joined, and the rest cut after 300 runes.
func plainText(s string) string {
	if len(s) > 20_000 {
		s = s[:20_000]
	}
	s = tags.ReplaceAllString(strings.ToValidUTF8(s, ""), "")
	s = strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return ' '
		}
		if unicode.IsControl(r) || unicode.In(r, unicode.Bidi_Control) {
			return -1
		}
		return r
	}, html.UnescapeString(s))
	s = strings.Join(strings.Fields(s), " ")
	if utf8.RuneCountInString(s) > 300 {
		s = string([]rune(s)[:300]) + "…"
	}
	return s
}

// Plain returns the tile unpacked, with an entity tag of its own, for a client that does
// not accept its encoding.
func (t Tile) Plain() (Tile, error) {
	if t.Encoding == "" {
		return t, nil
	}
	data, err := gunzip(t.Data, 4*maxTile)
	if err != nil {
		return Tile{}, fmt.Errorf("damaged tile: %w", err)
	}
	return newTile(data, t.ContentType, ""), nil
}

// Layers decodes a vector tile, whatever its encoding. Coordinates are tile units, y down.
func (t Tile) Layers() (layers mvt.Layers, err error) {
	if t.ContentType != TypeMVT {
		return nil, fmt.Errorf("a tile of %s has no layers", t.ContentType)
	}
	defer func() {
		// The decoder is not meant for hostile input.
		if p := recover(); p != nil {
			layers, err = nil, fmt.Errorf("damaged vector tile: %v", p)
		}
	}()
	if t, err = t.Plain(); err != nil {
		return nil, err
	}
	if err := checkFeatures(t.Data); err != nil {
		return nil, err
	}
	return mvt.Unmarshal(t.Data)
}

var errFeature = errors.New("damaged vector tile: a feature that is drawn nowhere")

// checkFeatures refuses what makes the decoder set memory aside for half a billion points: a geometry that begins with anything
// but a move, whose number it believes, or a feature without one, for which it goes on with what is left of the one before.
func checkFeatures(tile []byte) error {
	return eachPart(tile, 3, tileWires, func(layer []byte) error {
		return eachPart(layer, 2, layerWires, func(feature []byte) error {
			geometries := 0
			err := eachPart(feature, 4, featureWires, func(g []byte) error {
				if geometries++; len(g) == 0 || g[0]&7 != 1 {
					return errFeature
				}
				return nil
			})
			if err == nil && geometries == 0 {
				err = errFeature
			}
			return err
		})
	})
}

// The wire types of the fields that the decoder reads, whatever type they say they are of.
var (
	tileWires  = map[int]int{3: protoscan.WireTypeLengthDelimited}
	layerWires = map[int]int{1: protoscan.WireTypeLengthDelimited, 2: protoscan.WireTypeLengthDelimited, 3: protoscan.WireTypeLengthDelimited,
		4: protoscan.WireTypeLengthDelimited, 5: protoscan.WireTypeVarint, 15: protoscan.WireTypeVarint}
	featureWires = map[int]int{1: protoscan.WireTypeVarint, 2: protoscan.WireTypeLengthDelimited, 3: protoscan.WireTypeVarint, 4: protoscan.WireTypeLengthDelimited}
)

// eachPart calls fn with every field of that number in a message.
func eachPart(message []byte, number int, wires map[int]int, fn func([]byte) error) error {
	m := protoscan.New(message)
	for m.Next() {
		if want, known := wires[m.FieldNumber()]; known && m.WireType() != want {
			return errors.New("damaged vector tile: a field of another type")
		}
		if m.FieldNumber() != number {
			m.Skip()
			continue
		}
		part, err := m.MessageData()
		if err == nil {
			err = fn(part)
		}
		if err != nil {
			return err
		}
	}
	return m.Err()
}
