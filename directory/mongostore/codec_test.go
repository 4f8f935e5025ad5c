package mongostore

import (
	"math"
	"testing"

	"archipel/directory"
	"archipel/directory/storetest"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// TestCodec needs no server: what is encoded comes back.
func TestCodec(t *testing.T) {
	c := newCodec()
	for name, e := range map[string]directory.Entry{"full": storetest.Full(t), "typical": storetest.Typical(1), "empty": {ID: directory.NewID()}} {
		raw, err := c.marshal(featureOf(&e))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if err := raw.Validate(); err != nil {
			t.Errorf("%s: invalid BSON: %v", name, err)
		}
		var got directory.Entry
		if err := c.entry(raw, &got); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if d := storetest.Diff(got, e); d != "" {
			t.Errorf("%s: entry%s", name, d)
		}
	}
	// Text that is not UTF-8 does not reach a server, which would refuse the whole batch.
	e := storetest.Typical(1)
	e.Name, e.Extra = "caf\xe9", map[string]string{"cl\xe9": "\xff"}
	raw, err := c.marshal(featureOf(&e))
	if err != nil {
		t.Fatal(err)
	}
	if v := raw.Lookup("properties", "name").StringValue(); v != "caf\uFFFD" {
		t.Errorf("name is stored as %q", v)
	}
	if v, err := raw.LookupErr("properties", "extra", "cl\uFFFD"); err != nil || v.StringValue() != "\uFFFD" {
		t.Errorf("extra is stored as %v, %v", v, err)
	}
}

// sound reports whether b is BSON to its last level. A server sends nothing else, and the driver trusts it: it makes
// room for whatever length it reads.
func sound(b bson.Raw) bool {
	if b.Validate() != nil {
		return false
	}
	values, err := b.Values()
	if err != nil {
		return false
	}
	for _, v := range values {
		if v.Validate() != nil {
			return false
		}
		if d, ok := v.DocumentOK(); ok && !sound(d) {
			return false
		}
		if a, ok := v.ArrayOK(); ok && !sound(bson.Raw(a)) {
			return false
		}
	}
	return true
}

// FuzzCodec decodes what other programs may have stored: an error, or an entry, and no panic.
func FuzzCodec(f *testing.F) {
	c := newCodec()
	for i := range 3 {
		e := storetest.Typical(i)
		raw, err := c.marshal(featureOf(&e))
		if err != nil {
			f.Fatal(err)
		}
		f.Add([]byte(raw))
	}
	full := storetest.Full(f)
	raw, err := c.marshal(featureOf(&full))
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte(raw))
	for _, geometry := range []any{nil, bson.D{{Key: "type", Value: "Point"}, {Key: "coordinates", Value: bson.A{int32(4), int64(45), 1.5}}}} {
		raw, err := bson.Marshal(bson.D{{Key: "_id", Value: "a"}, {Key: "type", Value: "Feature"}, {Key: "geometry", Value: geometry},
			{Key: "unplaced", Value: bson.A{bson.A{400.0, int32(-1)}}}, {Key: "properties", Value: bson.D{{Key: "extra", Value: bson.D{{Key: "%2E%00", Value: "\xff"}}},
				{Key: "created", Value: bson.DateTime(math.MaxInt64)}, {Key: "version", Value: 2.0}}}})
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var e directory.Entry
		if !sound(b) || c.entry(b, &e) != nil {
			return
		}
		if _, err := c.marshal(featureOf(&e)); err != nil {
			t.Errorf("what was decoded cannot be encoded: %v", err)
		}
	})
}

func BenchmarkCodec(b *testing.B) {
	c := newCodec()
	e := storetest.Typical(1)
	raw, err := c.marshal(featureOf(&e))
	if err != nil {
		b.Fatal(err)
	}
	b.Run("Encode", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			c.marshal(featureOf(&e))
		}
	})
	b.Run("Decode", func(b *testing.B) {
		b.ReportAllocs()
		b.SetBytes(int64(len(raw)))
		for b.Loop() {
			var e directory.Entry
			if err := c.entry(raw, &e); err != nil {
				b.Fatal(err)
			}
		}
	})
}
