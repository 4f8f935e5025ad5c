package signature

import (
	"encoding/json"
	"math"
	"testing"

	"github.com/gowebpki/jcs"
)

// FuzzCanonical holds the fast way to the library's.
func FuzzCanonical(f *testing.F) {
	for _, s := range []string{
		`{}`, `null`, `[1,2.5,-0.0,1e21,1e-7,123456789012345680000,0.000001,333333333.33333329]`, `{"b":1,"a":{"z":[true,false,null],"y":""}}`,
		`{"é":1,"e":2,"😀":3,"ﬀ":4}`, `"\u0000\u001f\b\t\n\f\r\"\\/<>&\u2028 é 😀"`, `{"a":"\ud800"}`, `{"x":5e-324,"y":1.7976931348623157e308}`, `{"\"":"\u007f"}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var v any
		if json.Unmarshal(b, &v) != nil {
			return
		}
		plain, err := json.Marshal(v)
		if err != nil {
			return
		}
		switch v.(type) {
		case map[string]any, []any:
		default:
			return // the library takes nothing else
		}
		want, errWant := jcs.Transform(plain)
		got, err := canonical(v)
		if (err == nil) != (errWant == nil) || err == nil && string(got) != string(want) {
			t.Errorf("%s: got %s, %v, want %s, %v", plain, got, err, want, errWant)
		}
	})
}

func TestCanonicalRefuses(t *testing.T) {
	for _, v := range []any{math.NaN(), math.Inf(1), map[string]any{"x": func() {}}} {
		if b, err := canonical(map[string]any{"v": v}); err == nil {
			t.Errorf("%v is written %s", v, b)
		}
	}
}
