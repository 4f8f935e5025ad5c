package mongostore

import (
	"bytes"
	"fmt"
	"math"
	"reflect"
	"strings"
	"time"
	"unicode/utf8"

	"archipel/directory"

	"github.com/paulmach/orb"
	"go.mongodb.org/mongo-driver/v2/bson"
)

// feature is an entry as other programs find it in MongoDB: a GeoJSON Feature, with _id for id. Times are BSON dates,
// in milliseconds; a time that is not set is null.
type feature struct {
	ID         directory.ID       `bson:"_id"`
	Type       string             `bson:"type"`
	Geometry   directory.Shape    `bson:"geometry"`
	Properties *properties        `bson:"properties"`
	Private    *directory.Private `bson:"private,omitempty"`

	// Unplaced are positions that are not on the earth: a 2dsphere index refuses a document that has them in its
	// geometry, and no write to the log may be stuck for that.
	Unplaced [][]float64 `bson:"unplaced,omitempty"`
}

// properties is an entry without its methods: its fields are named by their JSON tags.
type properties directory.Entry

type change struct {
	Seq              directory.Seq `bson:"_id"`
	directory.Change `bson:",inline"`
	Feature          feature `bson:"entry"`
}

func featureOf(e *directory.Entry) feature {
	f := feature{ID: e.ID, Type: "Feature", Properties: (*properties)(e), Private: e.Private}
	for _, p := range e.Sites {
		if !(math.Abs(p[0]) <= 180 && math.Abs(p[1]) <= 90) {
			for _, p := range e.Sites {
				f.Unplaced = append(f.Unplaced, p[:])
			}
			return f
		}
	}
	f.Geometry.Geometry = e.Geometry()
	return f
}

func (f *feature) entry(e *directory.Entry) error {
	if f.Type != "Feature" || f.Properties == nil {
		return fmt.Errorf("stored entry %s: %w: it is no GeoJSON Feature", f.ID, directory.ErrCorrupt)
	}
	*e = directory.Entry(*f.Properties)
	e.ID, e.Private = f.ID, f.Private
	for _, p := range f.Unplaced {
		if len(p) != 2 {
			return fmt.Errorf("stored entry %s: %w: a position has two numbers", f.ID, directory.ErrCorrupt)
		}
		e.Sites = append(e.Sites, orb.Point(p))
	}
	if len(f.Unplaced) > 0 {
		return nil
	}
	if err := e.SetGeometry(f.Geometry.Geometry); err != nil {
		return fmt.Errorf("stored entry %s: %w: %w", f.ID, directory.ErrCorrupt, err)
	}
	return nil
}

// codec turns our types into BSON and back.
type codec struct{ registry *bson.Registry }

func newCodec() codec {
	r := bson.NewRegistry()
	r.RegisterTypeEncoder(reflect.TypeFor[time.Time](), bson.ValueEncoderFunc(encodeTime))
	r.RegisterTypeEncoder(reflect.TypeFor[directory.Shape](), bson.ValueEncoderFunc(encodeShape))
	r.RegisterTypeDecoder(reflect.TypeFor[directory.Shape](), bson.ValueDecoderFunc(decodeShape))
	r.RegisterKindEncoder(reflect.String, bson.ValueEncoderFunc(encodeString))
	r.RegisterKindEncoder(reflect.Map, bson.ValueEncoderFunc(encodeMap))
	r.RegisterKindDecoder(reflect.Map, bson.ValueDecoderFunc(decodeMap))
	return codec{r}
}

func (c codec) marshal(v any) (bson.Raw, error) {
	var buf bytes.Buffer
	enc := bson.NewEncoder(bson.NewDocumentWriter(&buf))
	enc.SetRegistry(c.registry)
	enc.UseJSONStructTags()
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return buf.Bytes(), nil
}

func (c codec) unmarshal(raw bson.Raw, v any) error {
	dec := bson.NewDecoder(bson.NewDocumentReader(bytes.NewReader(raw)))
	dec.SetRegistry(c.registry)
	dec.UseJSONStructTags()
	if err := dec.Decode(v); err != nil {
		return fmt.Errorf("%w: %w", directory.ErrCorrupt, err)
	}
	return nil
}

// entry and change decode one document.
func (c codec) entry(raw bson.Raw, e *directory.Entry) error {
	var f feature
	if err := c.unmarshal(raw, &f); err != nil {
		return fmt.Errorf("stored entry: %w", err)
	}
	return f.entry(e)
}

func (c codec) change(raw bson.Raw, out *directory.Change) error {
	var d change
	if err := c.unmarshal(raw, &d); err != nil {
		return fmt.Errorf("stored change: %w", err)
	}
	*out = d.Change
	out.Seq = d.Seq
	return d.Feature.entry(&out.Entry)
}

func encodeTime(_ bson.EncodeContext, w bson.ValueWriter, v reflect.Value) error {
	t := v.Interface().(time.Time)
	if t.IsZero() {
		return w.WriteNull()
	}
	return w.WriteDateTime(t.UnixMilli())
}

// encodeString keeps out what no server accepts, as encoding/json does.
func encodeString(_ bson.EncodeContext, w bson.ValueWriter, v reflect.Value) error {
	s := v.String()
	if !utf8.ValidString(s) {
		s = strings.ToValidUTF8(s, "\uFFFD")
	}
	return w.WriteString(s)
}

// Keys come from people (the columns of an import), and BSON and MongoDB take neither every character nor every first
// one: those are percent-encoded.
var (
	escape   = strings.NewReplacer("%", "%25", ".", "%2E", "$", "%24", "\x00", "%00")
	unescape = strings.NewReplacer("%25", "%", "%2E", ".", "%24", "$", "%00", "\x00")
)

func encodeMap(ec bson.EncodeContext, w bson.ValueWriter, v reflect.Value) error {
	if v.IsNil() {
		return w.WriteNull()
	}
	enc, err := ec.LookupEncoder(v.Type().Elem())
	if err != nil {
		return err
	}
	dw, err := w.WriteDocument()
	if err != nil {
		return err
	}
	for it := v.MapRange(); it.Next(); {
		vw, err := dw.WriteDocumentElement(escape.Replace(strings.ToValidUTF8(it.Key().String(), "\uFFFD")))
		if err != nil {
			return err
		}
		if err := enc.EncodeValue(ec, vw, it.Value()); err != nil {
			return err
		}
	}
	return dw.WriteDocumentEnd()
}

func decodeMap(dc bson.DecodeContext, r bson.ValueReader, v reflect.Value) error {
	if r.Type() == bson.TypeNull {
		v.SetZero()
		return r.ReadNull()
	}
	dec, err := dc.LookupDecoder(v.Type().Elem())
	if err != nil {
		return err
	}
	dr, err := r.ReadDocument()
	if err != nil {
		return err
	}
	m := reflect.MakeMap(v.Type())
	for {
		key, vr, err := dr.ReadElement()
		if err == bson.ErrEOD {
			v.Set(m)
			return nil
		}
		if err != nil {
			return err
		}
		elem := reflect.New(v.Type().Elem()).Elem()
		if err := dec.DecodeValue(dc, vr, elem); err != nil {
			return err
		}
		m.SetMapIndex(reflect.ValueOf(unescape.Replace(key)).Convert(v.Type().Key()), elem)
	}
}
