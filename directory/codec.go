package directory

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/paulmach/orb"
	"github.com/paulmach/orb/geojson"
)

// Shape is a GeoJSON geometry.
type Shape struct{ orb.Geometry }

// MarshalJSON writes a GeoJSON geometry object (RFC 7946, section 3.1).
func (s Shape) MarshalJSON() ([]byte, error) {
	if s.Geometry == nil {
		return []byte("null"), nil
	}
	return geojson.NewGeometry(s.Geometry).MarshalJSON()
}

// UnmarshalJSON reads a GeoJSON geometry object.
func (s *Shape) UnmarshalJSON(b []byte) (err error) {
	if bytes.Equal(bytes.TrimSpace(b), []byte("null")) {
		s.Geometry = nil
		return nil
	}
	g, err := unmarshalGeometry(b, 0)
	if err != nil {
		return err
	}
	s.Geometry = g
	return nil
}

// properties is Entry without its methods, so that encoding/json sees plain fields.
type properties Entry

type publicFeature struct {
	Type       string      `json:"type"`
	ID         ID          `json:"id"`
	Geometry   Shape       `json:"geometry"`
	Properties *properties `json:"properties"`
}

type storedProperties struct {
	*properties
	Private *Private `json:"private,omitempty"`
}

type storedFeature struct {
	Type       string           `json:"type"`
	ID         ID               `json:"id"`
	Geometry   Shape            `json:"geometry"`
	Properties storedProperties `json:"properties"`
}

// Geometry returns e's sites as GeoJSON has them: nil, a Point, or a MultiPoint.
func (e *Entry) Geometry() orb.Geometry {
	switch len(e.Sites) {
	case 0:
		return nil
	case 1:
		return e.Sites[0]
	}
	return orb.MultiPoint(e.Sites)
}

// SetGeometry takes a Point, a MultiPoint or nil, and refuses everything else.
func (e *Entry) SetGeometry(g orb.Geometry) error {
	switch g := g.(type) {
	case nil:
		e.Sites = nil
	case orb.Point:
		e.Sites = []orb.Point{g}
	case orb.MultiPoint:
		e.Sites = append([]orb.Point(nil), g...)
	default:
		return fmt.Errorf("geometry of type %s: want Point or MultiPoint", g.GeoJSONType())
	}
	return nil
}

// MarshalJSON writes the public form: a GeoJSON Feature without anything private.
func (e Entry) MarshalJSON() ([]byte, error) {
	return json.Marshal(publicFeature{"Feature", e.ID, Shape{e.Geometry()}, (*properties)(&e)})
}

// UnmarshalJSON reads a GeoJSON Feature in the public form. Unknown properties are ignored.
func (e *Entry) UnmarshalJSON(b []byte) error {
	f := publicFeature{Properties: (*properties)(e)}
	if err := json.Unmarshal(b, &f); err != nil {
		return err
	}
	return e.finish(f.Type, f.ID, f.Geometry)
}

// EncodeStored writes e whole, private fields included, as a GeoJSON Feature for a store.
func EncodeStored(e *Entry) ([]byte, error) {
	return json.Marshal(storedFeature{"Feature", e.ID, Shape{e.Geometry()}, storedProperties{(*properties)(e), e.Private}})
}

// DecodeStored reads what [EncodeStored] wrote.
func DecodeStored(b []byte, e *Entry) error {
	f := storedFeature{Properties: storedProperties{properties: (*properties)(e)}}
	if err := json.Unmarshal(b, &f); err != nil {
		return fmt.Errorf("stored entry: %w: %w", ErrCorrupt, err)
	}
	if err := e.finish(f.Type, f.ID, f.Geometry); err != nil {
		return fmt.Errorf("stored entry: %w: %w", ErrCorrupt, err)
	}
	e.Private = f.Properties.Private
	return nil
}

func (e *Entry) finish(typ string, id ID, s Shape) error {
	if typ != "Feature" {
		return fmt.Errorf("type is %.40q: want a GeoJSON Feature", typ)
	}
	e.ID = id
	return e.SetGeometry(s.Geometry)
}

// maxCollections is how many GeometryCollections may be in one another, since reading each reads all that is in it again. RFC
// 7946, section 3.1.8, advises against any.
const maxCollections = 4

// unmarshalGeometry reads a geometry without ever panicking on foreign bytes, and refuses positions that are not
// two or three numbers (RFC 7946, section 3.1.1). depth is how many collections it is in.
func unmarshalGeometry(b []byte, depth int) (g orb.Geometry, err error) {
	defer func() {
		if r := recover(); r != nil {
			g, err = nil, fmt.Errorf("geometry: %v", r)
		}
	}()
	var head struct {
		Type        string          `json:"type"`
		Coordinates json.RawMessage `json:"coordinates"`
		Geometries  json.RawMessage `json:"geometries"`
	}
	if err := json.Unmarshal(b, &head); err != nil {
		return nil, fmt.Errorf("geometry: %w", err)
	}
	// The two common cases by hand: this runs for every entry when a directory starts.
	switch head.Type {
	case "Point":
		p, err := position(head.Coordinates)
		return p, err
	case "MultiPoint":
		var raw []json.RawMessage
		if err := json.Unmarshal(head.Coordinates, &raw); err != nil {
			return nil, fmt.Errorf("geometry: %w", err)
		}
		mp := make(orb.MultiPoint, len(raw))
		for i, r := range raw {
			if mp[i], err = position(r); err != nil {
				return nil, err
			}
		}
		return mp, nil
	case "GeometryCollection":
		if depth == maxCollections {
			return nil, errors.New("geometry: collections in one another")
		}
		var raw []json.RawMessage
		if err := json.Unmarshal(head.Geometries, &raw); err != nil {
			return nil, fmt.Errorf("geometry: %w", err)
		}
		c := make(orb.Collection, len(raw))
		for i, r := range raw {
			if c[i], err = unmarshalGeometry(r, depth+1); err != nil {
				return nil, err
			}
		}
		return c, nil
	}
	gg, err := geojson.UnmarshalGeometry(b)
	if err != nil {
		return nil, fmt.Errorf("geometry: %w", err)
	}
	return gg.Geometry(), nil
}

func position(b json.RawMessage) (orb.Point, error) {
	var c []float64
	if err := json.Unmarshal(b, &c); err != nil {
		return orb.Point{}, fmt.Errorf("geometry: %w", err)
	}
	if len(c) < 2 || len(c) > 4 {
		return orb.Point{}, errors.New("geometry: a position has two numbers, [longitude, latitude]")
	}
	return orb.Point{c[0], c[1]}, nil
}
