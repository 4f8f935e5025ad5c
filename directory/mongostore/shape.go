package mongostore

import (
	"errors"
	"fmt"
	"reflect"

	"archipel/directory"

	"github.com/paulmach/orb"
	"go.mongodb.org/mongo-driver/v2/bson"
)

// encodeShape writes a GeoJSON geometry object, or null.
func encodeShape(ec bson.EncodeContext, w bson.ValueWriter, v reflect.Value) error {
	g := v.Interface().(directory.Shape).Geometry
	if g == nil {
		return w.WriteNull()
	}
	if g.GeoJSONType() == "GeometryCollection" {
		return errors.New("a geometry collection cannot be stored")
	}
	dw, err := w.WriteDocument()
	if err != nil {
		return err
	}
	vw, err := dw.WriteDocumentElement("type")
	if err != nil {
		return err
	}
	if err := vw.WriteString(g.GeoJSONType()); err != nil {
		return err
	}
	if vw, err = dw.WriteDocumentElement("coordinates"); err != nil {
		return err
	}
	enc, err := ec.LookupEncoder(reflect.TypeOf(g)) // orb's geometries are nested slices of numbers
	if err != nil {
		return err
	}
	if err := enc.EncodeValue(ec, vw, reflect.ValueOf(g)); err != nil {
		return err
	}
	return dw.WriteDocumentEnd()
}

var rawType = reflect.TypeFor[bson.Raw]()

func decodeShape(dc bson.DecodeContext, r bson.ValueReader, v reflect.Value) error {
	if r.Type() == bson.TypeNull {
		v.SetZero()
		return r.ReadNull()
	}
	dec, err := dc.LookupDecoder(rawType)
	if err != nil {
		return err
	}
	var raw bson.Raw
	if err := dec.DecodeValue(dc, r, reflect.ValueOf(&raw).Elem()); err != nil {
		return err
	}
	g, err := geometry(raw)
	if err != nil {
		return err
	}
	v.Set(reflect.ValueOf(directory.Shape{Geometry: g}))
	return nil
}

// geometry reads a GeoJSON geometry object. Numbers may be of any BSON type: another program may have written them.
func geometry(raw bson.Raw) (g orb.Geometry, err error) {
	typ, _ := raw.Lookup("type").StringValueOK()
	c := raw.Lookup("coordinates")
	switch typ {
	case "Point":
		g, err = point(c)
	case "MultiPoint":
		g, err = as[orb.MultiPoint](list(c, point))
	case "LineString":
		g, err = line(c)
	case "MultiLineString":
		g, err = as[orb.MultiLineString](list(c, line))
	case "Polygon":
		g, err = polygon(c)
	case "MultiPolygon":
		g, err = as[orb.MultiPolygon](list(c, polygon))
	default:
		return nil, fmt.Errorf("geometry of type %.40q", typ)
	}
	if err != nil {
		return nil, err
	}
	return g, nil
}

func line(v bson.RawValue) (orb.LineString, error) { return as[orb.LineString](list(v, point)) }
func ring(v bson.RawValue) (orb.Ring, error)       { return as[orb.Ring](list(v, point)) }
func polygon(v bson.RawValue) (orb.Polygon, error) { return as[orb.Polygon](list(v, ring)) }

func as[To ~[]T, T any](l []T, err error) (To, error) { return To(l), err }

func list[T any](v bson.RawValue, elem func(bson.RawValue) (T, error)) ([]T, error) {
	a, ok := v.ArrayOK()
	if !ok {
		return nil, errors.New("geometry: coordinates are no array")
	}
	values, err := a.Values()
	if err != nil {
		return nil, err
	}
	out := make([]T, len(values))
	for i := range values {
		if out[i], err = elem(values[i]); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func point(v bson.RawValue) (p orb.Point, err error) {
	c, err := list(v, number)
	if err != nil {
		return p, err
	}
	if len(c) < 2 {
		return p, errors.New("geometry: a position has two numbers, [longitude, latitude]")
	}
	return orb.Point{c[0], c[1]}, nil
}

func number(v bson.RawValue) (float64, error) {
	f, ok := v.AsFloat64OK()
	if !ok {
		return 0, errors.New("geometry: a coordinate is no number")
	}
	return f, nil
}
