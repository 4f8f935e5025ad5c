package transfer

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/paulmach/orb"

	"archipel/directory"
)

const oneFeature = `{"type":"Feature","id":"node/7","geometry":{"type":"Point","coordinates":[4.39,45.44,530]},"properties":{"name":"Le Vélo","amenity":"bicycle_repair_station","addr:street":"rue A","addr:housenumber":"9","addr:postcode":"42000","addr:city":"Saint-Étienne","opening_hours":"Mo-Fr 09:00-17:00","contact:website":"velo.example","wheelchair":"yes","nested":{"a":1},"siret":12345678900012}}`

func TestGeoJSONForms(t *testing.T) {
	forms := map[string]string{
		"one feature":         oneFeature,
		"collection":          `{"type":"FeatureCollection","features":[` + oneFeature + `],"links":[{"href":"x"}]}`,
		"collection, BOM":     "\ufeff" + `{"features":[` + oneFeature + `],"type":"FeatureCollection"}`,
		"array":               "[" + oneFeature + "]",
		"lines":               oneFeature + "\n" + strings.Replace(oneFeature, "node/7", "node/8", 1) + "\n",
		"text sequence":       "\x1e" + oneFeature + "\n\x1e" + strings.Replace(oneFeature, "node/7", "node/8", 1) + "\n",
		"old crs that is WGS": `{"type":"FeatureCollection","crs":{"type":"name","properties":{"name":"urn:ogc:def:crs:OGC:1.3:CRS84"}},"features":[` + oneFeature + `]}`,
	}
	for name, file := range forms {
		t.Run(name, func(t *testing.T) {
			d := newDirectory(t)
			r := mustImport(t, d, file, ImportOptions{KeepUnused: true, Categories: labels{"amenity bicycle repair station": "velo"}})
			want := strings.Count(file, `"Feature"`)
			counts(t, r, want, 0, 0, 0)
			id, ok := d.BySource("test\x00node/7")
			if !ok {
				t.Fatal("not found by its id")
			}
			e, err := d.Entry(context.Background(), id)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(e.Sites, []orb.Point{{4.39, 45.44}}) || e.Address.Street != "9 rue A" || e.Town() != "Saint-Étienne" || e.Contact.Website != "https://velo.example" ||
				e.OpeningHours == "" || e.Accessibility["wheelchair"] != "yes" || e.Extra["nested.a"] != "1" || !reflect.DeepEqual(e.Categories, []string{"velo"}) || e.Identifiers["siret"] != "12345678900012" {
				t.Errorf("got %+v %+v", e, e.Address)
			}
			if r.Unused()[0].Name != "nested.a" {
				t.Errorf("not used: %+v", r.Unused())
			}
			counts(t, mustImport(t, d, file, ImportOptions{KeepUnused: true, Categories: labels{"amenity bicycle repair station": "velo"}}), 0, 0, want, 0)
		})
	}
}

func TestBadFeatures(t *testing.T) {
	feature := func(geometry, properties string) string {
		return `{"type":"Feature","geometry":` + geometry + `,"properties":` + properties + `}`
	}
	tests := map[string]struct{ feature, code string }{
		"no object":         {`7`, CodeSyntax},
		"no feature":        {`{"type":"Point","coordinates":[1,2]}`, CodeSyntax},
		"no properties":     {feature("null", "null"), directory.CodeRequired},
		"swapped":           {feature(`{"type":"Point","coordinates":[45,104]}`, `{"name":"A"}`), directory.CodeSwapped},
		"one number":        {feature(`{"type":"Point","coordinates":[45]}`, `{"name":"A"}`), CodeSyntax},
		"strings":           {feature(`{"type":"Point","coordinates":["4","45"]}`, `{"name":"A"}`), CodeSyntax},
		"unknown geometry":  {feature(`{"type":"Circle","coordinates":[1,2]}`, `{"name":"A"}`), CodeSyntax},
		"properties a list": {feature("null", `[1]`), CodeSyntax},
		"huge number":       {feature(`{"type":"Point","coordinates":[1e400,2]}`, `{"name":"A"}`), CodeSyntax},
		"ours but broken":   {feature("null", `{"name":"A","kind":"place","version":1,"created":"yesterday"}`), CodeSyntax},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			d := newDirectory(t)
			good := feature("null", `{"name":"Good"}`)
			r := mustImport(t, d, `{"type":"FeatureCollection","features":[`+tt.feature+`,`+good+`]}`, ImportOptions{})
			counts(t, r, 1, 0, 0, 1)
			if len(r.LeftOut) != 1 || r.LeftOut[0].Code != tt.code || r.LeftOut[0].Row != 1 {
				t.Errorf("got %v, want code %q", r.LeftOut, tt.code)
			}
			if lines := mustImport(t, newDirectory(t), good+"\n"+tt.feature+"\n"+strings.Replace(good, "Good", "More", 1)+"\n", ImportOptions{}); lines.Created != 2 || lines.Failed != 1 || lines.LeftOut[0].Line != 2 {
				t.Errorf("as lines: got %+v", lines)
			}
		})
	}
	t.Run("an empty geometry is none", func(t *testing.T) {
		d := newDirectory(t)
		r := mustImport(t, d, feature(`{"type":"Polygon","coordinates":[]}`, `{"name":"A"}`), ImportOptions{})
		if counts(t, r, 1, 0, 0, 0); len(all(t, d)["A"].Sites) != 0 || len(r.Warnings) != 0 {
			t.Errorf("got %v, %v", all(t, d)["A"].Sites, r.Warnings)
		}
	})
	t.Run("a polygon becomes its centre", func(t *testing.T) {
		d := newDirectory(t)
		r := mustImport(t, d, feature(`{"type":"Polygon","coordinates":[[[4,45],[6,45],[6,47],[4,47],[4,45]]]}`, `{"name":"A"}`), ImportOptions{})
		if e := all(t, d)["A"]; len(e.Sites) != 1 || e.Sites[0] != (orb.Point{5, 46}) || !has(r.Warnings, CodeReduced, "geometry") {
			t.Errorf("got %v, %v", e.Sites, r.Warnings)
		}
	})
}

// places is a locator that knows a few towns.
type places struct {
	known map[string]Located
	asked []string
	err   error
}

func (p *places) Locate(_ context.Context, a directory.Address, _ string) (Located, bool, error) {
	p.asked = append(p.asked, a.Locality)
	if p.err != nil {
		return Located{}, false, p.err
	}
	at, ok := p.known[a.Locality]
	return at, ok, nil
}

func TestImportLocates(t *testing.T) {
	const file = "id,nom,adresse,ville,lat,lon\n1,A,1 rue X,Feurs,,\n2,B,2 rue Y,Roanne,,\n3,C,,Atlantide,,\n4,D,,Feurs,45,4\n5,E,,,,\n"
	p := &places{known: map[string]Located{"Feurs": {orb.Point{4.22, 45.74}, false}, "Roanne": {orb.Point{4.07, 46.03}, true}}}
	d := newDirectory(t)
	r := mustImport(t, d, file, ImportOptions{Locator: p})
	counts(t, r, 5, 0, 0, 0)
	e := all(t, d)
	if e["A"].Approximate || len(e["A"].Sites) != 1 || !e["B"].Approximate || len(e["C"].Sites) != 0 || r.Located != 2 || r.Approximate != 1 || r.NoPosition != 2 {
		t.Errorf("got %+v, %+v", r, e)
	}
	if !has(r.Warnings, CodeNoPosition, "geometry") || !has(r.Warnings, CodeApproximate, "geometry") {
		t.Errorf("warnings: %v", r.Warnings)
	}
	p.asked = nil
	counts(t, mustImport(t, d, file, ImportOptions{Locator: p}), 0, 0, 5, 0)
	if len(p.asked) != 1 {
		t.Errorf("asked again for %v, want only the one that was not found", p.asked)
	}
	counts(t, mustImport(t, d, file, ImportOptions{}), 0, 0, 5, 0) // without a locator the positions stay
	p.asked = nil
	moved := strings.Replace(file, "1 rue X,Feurs", "1 rue X,Roanne", 1)
	if r := mustImport(t, d, moved, ImportOptions{Locator: p}); r.Updated != 1 || all(t, d)["A"].Sites[0] != (orb.Point{4.07, 46.03}) || !all(t, d)["A"].Approximate {
		t.Errorf("a new address, a new position: got %+v, %+v", r, all(t, d)["A"])
	}

	p = &places{err: errors.New("no answer")}
	r = mustImport(t, newDirectory(t), file, ImportOptions{Locator: p})
	if r.Created != 5 || len(p.asked) != 3 || !has(r.Warnings, CodeLocator, "") {
		t.Errorf("a locator that is away: got %+v after asking %d times", r, len(p.asked))
	}
	r = mustImport(t, newDirectory(t), file, ImportOptions{NeedPosition: true})
	if r.Created != 1 || r.Failed != 4 || !has(r.LeftOut, CodeNoPosition, "geometry") {
		t.Errorf("only with a position: got %+v", r)
	}
}

func TestLocateMissing(t *testing.T) {
	ctx := context.Background()
	d := newDirectory(t)
	mustImport(t, d, "id,nom,adresse,ville,lat,lon\n1,A,1 rue X,Feurs,,\n2,B,,Atlantide,,\n3,C,,Feurs,45,4\n", ImportOptions{})
	p := &places{known: map[string]Located{"Feurs": {orb.Point{4.22, 45.74}, false}}}
	r, err := LocateMissing(ctx, d, p, "later", nil)
	if err != nil || r.Updated != 1 || r.NoPosition != 1 || r.Rows != 2 || len(all(t, d)["A"].Sites) != 1 {
		t.Errorf("got %+v, %v", r, err)
	}
	var text strings.Builder
	if _, err := r.WriteTo(&text); err != nil || !strings.Contains(text.String(), "positions of 2 entries") || !strings.Contains(text.String(), "batch later") {
		t.Errorf("got %s, %v", text.String(), err)
	}
	if u, err := Undo(ctx, d, "later"); err != nil || u.Restored != 1 || len(all(t, d)["A"].Sites) != 0 {
		t.Errorf("undo: got %+v, %v", u, err)
	}
}
