package geocode

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/paulmach/orb"
)

func FuzzParseGeocodeJSON(f *testing.F) {
	files, _ := filepath.Glob("testdata/nominatim-*.json")
	if len(files) == 0 {
		f.Fatal("no seeds")
	}
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	for _, s := range []string{photonAnswer, addokAnswer, oneHouse, `[]`, `{"error":"Unable to geocode"}`, `{"error":{"code":400,"message":"x"}}`, `{"error":{"code":"x"}}`,
		`{"type":"FeatureCollection","features":[{"geometry":{"coordinates":["1","2"]},"properties":{"name":["a\nb\u0000\u0085"],"housenumber":1e5,"country_code":"é"}}]}`,
		`{"type":"FeatureCollection","features":[{"geometry":{"coordinates":[-180,90]},"properties":{"geocoding":{"label":` + strings.Repeat("1", 4000) + `}},"bbox":[179,89,-179,90]}]}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, source := range []string{"nominatim", "photon", "addok"} {
			places, err := parseGeocodeJSON(b, source)
			if (err == nil) != (len(places) > 0) {
				t.Fatalf("%d places and %v", len(places), err)
			}
			if err != nil && !errors.Is(err, ErrNotFound) && !errors.Is(err, ErrBadQuery) && !errors.Is(err, errAnswer) {
				t.Fatalf("untyped error %v", err)
			}
			for _, p := range places {
				if !validPoint(p.Point) || p.Label == "" || p.Importance < 0 || p.Importance > 1 || !p.Box.Valid() || len(p.Label) > 3000 ||
					!utf8.ValidString(p.Label) || strings.ContainsAny(p.Label, "\x00\n") {
					t.Fatalf("bad place %+v", p)
				}
			}
			rank(Query{Text: "12 rue du port", Near: &orb.Point{1, 2}}, places)
		}
	})
}

func FuzzComplete(f *testing.F) {
	for _, s := range []string{"Saillans (26)", "St-Étienne", "42000", "42", "Loire", "saint e", "東京", "l'hay", "12 rue du Port, 26340 Saillans", "fr-ara", "a b c d e f", "\xff", "st st st"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		l := NewLocator(france(), nil)
		for _, p := range l.Complete(Query{Text: text, Language: "fr", Limit: 3}) {
			if p.Name == "" || p.Label == "" || !validPoint(p.Point) || !p.Box.Valid() {
				t.Fatalf("bad place %+v", p)
			}
		}
		if _, err := l.Find(t.Context(), Query{Text: text}); err != nil && !errors.Is(err, ErrNotFound) && !errors.Is(err, ErrBadQuery) {
			t.Fatal(err)
		}
		france().Zone(ZoneCode(text), "")
	})
}
