package transfer

import (
	"context"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"archipel/directory"
)

func TestBadRows(t *testing.T) {
	const head = "id,nom,lat,lon,site\n1,First,45,4,\n"
	const tail = "9,Last,46,5,\n"
	tests := map[string]struct {
		row, code, field string
	}{
		"quote that is not closed":      {"2,\"Open,45,4,\n", CodeQuotes, ""},
		"text behind a quote":           {"2,\"A\"B,45,4,\n", CodeQuotes, ""},
		"too few fields":                {"2,Few,45\n", CodeRagged, ""},
		"too many fields":               {"2,Many,45,4,,more\n", CodeRagged, ""},
		"NUL":                           {"2,N\x00L,45,4,\n", CodeNUL, "nom"},
		"NUL elsewhere":                 {"2,A,45,4,a\x00b\n", CodeNUL, "site"},
		"broken UTF-8":                  {"2,\"é\xff\xfeé\",45,4,\n", CodeEncoding, ""},
		"lost characters":               {"2,Caf\ufffd,45,4,\n", CodeEncoding, ""},
		"no name":                       {"2,,45,4,\n", directory.CodeRequired, "name"},
		"control character":             {"2,A\x1bB,45,4,\n", directory.CodeControl, "name"},
		"10 MB name":                    {"2," + strings.Repeat("x", 10<<20) + ",45,4,\n", directory.CodeTooLong, "name"},
		"1 MB name in quotes":           {"2,\"" + strings.Repeat("x", 1<<20) + "\",45,4,\n", directory.CodeTooLong, "name"},
		"latitude out of range":         {"2,A,245,4,\n", directory.CodeOutOfRange, "geometry"},
		"longitude out of range":        {"2,A,45,-181,\n", directory.CodeOutOfRange, "geometry"},
		"metres":                        {"2,A,6481234,845123,\n", directory.CodeOutOfRange, "geometry"},
		"swapped, out of range":         {"2,A,-120.5,45,\n", directory.CodeSwapped, "geometry"},
		"latitude that is no number":    {"2,A,north,4,\n", directory.CodeInvalid, "latitude"},
		"latitude NaN":                  {"2,A,NaN(1),4,\n", directory.CodeInvalid, "latitude"},
		"latitude infinite":             {"2,A,1e999,4,\n", directory.CodeInvalid, "latitude"},
		"one coordinate only":           {"2,A,45,,\n", directory.CodeInvalid, "geometry"},
		"the same record a second time": {"1,Again,45,4,\n", CodeDuplicate, "sourceId"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			d := newDirectory(t)
			r := mustImport(t, d, head+"é,é,,,\n"+tt.row+tail, ImportOptions{})
			counts(t, r, 3, 0, 0, 1)
			if len(r.LeftOut) != 1 {
				t.Fatalf("left out: got %v, want one row", r.LeftOut)
			}
			i := r.LeftOut[0]
			if i.Code != tt.code || i.Field != tt.field || i.Row != 3 || i.Line != 4 {
				t.Errorf("got %+v, want row 3, line 4, field %q, code %q", i, tt.field, tt.code)
			}
			if len(i.String()) > 600 {
				t.Errorf("the report quotes %d bytes", len(i.String()))
			}
			if _, ok := all(t, d)["Last"]; !ok {
				t.Error("the rows behind it were lost")
			}
		})
	}
}

func TestBadFiles(t *testing.T) {
	tests := map[string]struct{ file, want string }{
		"empty":                   {"", "empty"},
		"spaces":                  {" \n \n", "empty"},
		"only a BOM":              {"\ufeff", "empty"},
		"no name column":          {"id,lat,lon\n1,45,4\n", "no column is the name"},
		"NUL in the header":       {"id,n\x00om\n1,A\n", "not text"},
		"open quote in header":    {"id,\"nom\n1,A\n", "header"},
		"not GeoJSON":             {`{"type":"Topology"}`, "want a FeatureCollection"},
		"GeoJSON cut short":       {`{"type":"FeatureCollection","features":[{"type":"Feature","geometry":null,"properties":{"name":"A","id":1}},{"type":"Fea`, "in the middle"},
		"GeoJSON broken":          {`{"type":"FeatureCollection","features":[{"type":"Feature","geometry":null,"properties":{"name":"A","id":1}}, oops]}`, "broken GeoJSON"},
		"features is no array":    {`{"type":"FeatureCollection","features":{}}`, "no array"},
		"another reference frame": {`{"type":"FeatureCollection","crs":{"type":"name","properties":{"name":"urn:ogc:def:crs:EPSG::2154"}},"features":[]}`, "WGS 84"},
		"nothing but a bracket":   {"{", "in the middle"},
		"deep nesting":            {`{"a":` + strings.Repeat("[", 20000), "broken GeoJSON"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			r, err := Import(context.Background(), newDirectory(t), strings.NewReader(tt.file), ImportOptions{Source: "s"})
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("got %v, want an error with %q", err, tt.want)
			}
			if r == nil || r.Incomplete == "" {
				t.Errorf("the report must say that the file was not read to its end: %+v", r)
			}
		})
	}
	t.Run("header only", func(t *testing.T) {
		counts(t, mustImport(t, newDirectory(t), "id,nom\n", ImportOptions{}), 0, 0, 0, 0)
	})
	t.Run("what stands before the break is kept", func(t *testing.T) {
		d := newDirectory(t)
		Import(context.Background(), d, strings.NewReader(tests["GeoJSON cut short"].file), ImportOptions{Source: "s"}) //nolint:errcheck // asserted above
		if _, ok := all(t, d)["A"]; !ok {
			t.Error("the feature before the break was lost")
		}
	})
	t.Run("reading fails", func(t *testing.T) {
		file := io.MultiReader(strings.NewReader("id,nom\n1,A\n"), failing{})
		if r, err := Import(context.Background(), newDirectory(t), file, ImportOptions{Source: "s"}); err == nil || r.Created > 1 {
			t.Errorf("got %v and %+v, want the read error", err, r)
		}
	})
	t.Run("a feature without end", func(t *testing.T) {
		file := io.MultiReader(strings.NewReader(`{"type":"FeatureCollection","features":[{"a":"`), endless{})
		if _, err := Import(context.Background(), newDirectory(t), file, ImportOptions{Source: "s"}); err == nil || !strings.Contains(err.Error(), "64 MiB") {
			t.Errorf("got %v, want the limit", err)
		}
	})
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, fmt.Errorf("the disk is gone") }

type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'x'
	}
	return len(p), nil
}

// A quote that is never closed costs its own row; the rest is not swallowed, and it does not take for ever.
func TestManyOpenQuotes(t *testing.T) {
	var b strings.Builder
	b.WriteString("id,nom\n")
	for i := range 5000 {
		fmt.Fprintf(&b, "%d,\"open %d\n", 2*i, i)
		fmt.Fprintf(&b, "%d,fine %d\n", 2*i+1, i)
	}
	began := time.Now()
	r := mustImport(t, newDirectory(t), b.String(), ImportOptions{})
	if r.Created < 2500 || r.Created+r.Failed != r.Rows {
		t.Errorf("got %d created and %d left out of %d", r.Created, r.Failed, r.Rows)
	}
	if took := time.Since(began); took > 2*time.Minute {
		t.Errorf("took %s", took)
	}
}

func TestLongQuotedFieldWithLines(t *testing.T) {
	d := newDirectory(t)
	text := strings.Repeat("une ligne\r\n\r\n", 300)
	counts(t, mustImport(t, d, "id,nom,description\r\n1,A,\""+text+"\"\"fin\"\"\"\r\n2,B,\r\n", ImportOptions{}), 2, 0, 0, 0)
	if got := all(t, d)["A"].Description; !strings.HasSuffix(got, "ligne\n\n\"fin\"") {
		t.Errorf("got …%q", got[max(0, len(got)-30):])
	}
}

func TestHeaders(t *testing.T) {
	d := newDirectory(t)
	r := mustImport(t, d, "id,nom,nom,Titre,,adresse,rue,X-Interne\n1,Vrai,Faux,Autre,a,1 place B,2 rue C,secret\n", ImportOptions{KeepUnused: true})
	counts(t, r, 1, 0, 0, 0)
	e := all(t, d)["Vrai"]
	if e.Address.Street != "2 rue C" || e.Extra["X-Interne"] != "secret" || e.Extra["adresse"] != "1 place B" {
		t.Errorf("got %+v, %v", e.Address, e.Extra)
	}
	reasons := map[string]bool{}
	for _, c := range r.Unused() {
		reasons[c.Reason] = true
		if c.Filled != 1 {
			t.Errorf("%q: %d filled, want 1", c.Name, c.Filled)
		}
	}
	for _, want := range []string{"a column of this name comes before", "name is taken from nom", "has no name", "street is taken from rue", "not recognised"} {
		if !reasons[want] {
			t.Errorf("no column is unused because it %q: %v", want, reasons)
		}
	}
}

func TestCoordinates(t *testing.T) {
	tests := map[string]struct {
		head, row string
		lon, lat  float64
	}{
		"decimal commas":     {"lat;lon", "45,25;4,5", 4.5, 45.25},
		"degrees and signs":  {"lat;lon", "45°15'00\"\"N;4° 30' O", -4.5, 45.25},
		"hemisphere first":   {"lat;lon", "S 45.25;W4.5", -4.5, -45.25},
		"y and x":            {"x;y", "4.5;45.25", 4.5, 45.25},
		"one column":         {"lat,lon;z", "45.25,4.5;", 4.5, 45.25},
		"coordonnées":        {"coordonnées;z", "45.25, 4.5;", 4.5, 45.25},
		"all decimal commas": {"coordonnees_gps;z", "45,25,4,5;", 4.5, 45.25},
		"brackets":           {"geo_point_2d;z", "[45.25, 4.5];", 4.5, 45.25},
		"lonlat":             {"lon_lat;z", "4.5,45.25;", 4.5, 45.25},
		"WKT":                {"geom;z", "POINT(4.5 45.25);", 4.5, 45.25},
		"EWKT":               {"geom;z", "\"SRID=4326;POINT(4.5 45.25)\";", 4.5, 45.25},
		"GeoJSON":            {"geometry;z", `"{""type"":""Point"",""coordinates"":[4.5,45.25]}";`, 4.5, 45.25},
		"minus sign":         {"lat;lon", "45.25;\u22124.5", -4.5, 45.25},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			d := newDirectory(t)
			row := tt.row
			if !strings.HasPrefix(row, "\"") && strings.Contains(row, "\"\"") {
				row = "\"" + strings.Replace(row, ";", "\";", 1)
			}
			r := mustImport(t, d, "id;nom;"+tt.head+"\n1;A;"+row+"\n", ImportOptions{})
			e := all(t, d)["A"]
			if len(e.Sites) != 1 || e.Sites[0][0] != tt.lon || e.Sites[0][1] != tt.lat {
				t.Errorf("got %v, want [%v %v]\n%v", e.Sites, tt.lon, tt.lat, r.LeftOut)
			}
		})
	}
}

func TestSwappedAndMissingCoordinates(t *testing.T) {
	const file = "id,nom,cp,ville,lat,lon\n1,Tourné,42000,Saint-Étienne,4.39,45.44\n2,Nulle part,42000,Saint-Étienne,0,0\n3,La Réunion,97400,Saint-Denis,-20.9,55.45\n"
	d := newDirectory(t)
	r := mustImport(t, d, file, ImportOptions{Lang: "fr"})
	counts(t, r, 2, 0, 0, 1)
	if len(r.LeftOut) != 1 || r.LeftOut[0].Code != directory.CodeSwapped || !strings.Contains(r.LeftOut[0].Text, "look swapped") {
		t.Errorf("got %v, want a swapped row", r.LeftOut)
	}
	if e := all(t, d)["Nulle part"]; len(e.Sites) != 0 || !has(r.Warnings, CodeNullIsland, "geometry") || r.NoPosition != 1 {
		t.Errorf("0, 0: got %v and %v", e.Sites, r.Warnings)
	}
	r = mustImport(t, d, file, ImportOptions{Lang: "fr", FixSwapped: true, NeedPosition: true})
	counts(t, r, 1, 0, 1, 1)
	if e := all(t, d)["Tourné"]; len(e.Sites) != 1 || e.Sites[0][0] != 4.39 || !has(r.Warnings, CodeAltered, "geometry") {
		t.Errorf("got %v and %v, want it turned round and reported", e.Sites, r.Warnings)
	}
}

func TestHostileTexts(t *testing.T) {
	d := newDirectory(t)
	file := "id,nom,description,site,facebook,courriel,tél,image,horaires,date début\n" +
		`1,"<script>alert(1)</script>","<img src=x onerror=alert(1)>",javascript:alert(1),"javascript:alert(2)",<x>@y,"☎ <b>","data:text/html,x",` + strings.Repeat("Mo ", 900) + ",demain\n"
	r := mustImport(t, d, file, ImportOptions{})
	counts(t, r, 0, 0, 0, 1) // the date decides: an event without a readable start
	r = mustImport(t, d, strings.Replace(file, ",demain", ",", 1), ImportOptions{})
	counts(t, r, 1, 0, 0, 0)
	e := all(t, d)["<script>alert(1)</script>"]
	if e.Contact != nil && (e.Contact.Website != "" || e.Contact.Phone != "") || len(e.Links) != 0 || len(e.Images) != 0 || e.OpeningHours != "" {
		t.Errorf("got contact %+v, links %v, images %v, hours %.20q", e.Contact, e.Links, e.Images, e.OpeningHours)
	}
	if len(r.Warnings) < 5 {
		t.Errorf("every value left out is named: got %v", r.Warnings)
	}
}

func TestEvents(t *testing.T) {
	d := newDirectory(t)
	const file = "id;titre;date début;heure début;date fin;heure fin\n1;Marché;02/06/2027;18h30;02/06/2027;22h\n2;Fête;2027-06-05;;2027-06-06;\n3;Bal;3 juin;;;\n4;Atelier;2027-06-02T18:30:00+02:00;;;\n5;Ordre;2027-06-02;;2027-06-01;\n"
	r := mustImport(t, d, file, ImportOptions{Timezone: "Europe/Paris"})
	counts(t, r, 3, 0, 0, 2)
	e := all(t, d)
	if v := e["Marché"].Event; v == nil || v.Start.UTC().Format(time.RFC3339) != "2027-06-02T16:30:00Z" || v.End.Sub(v.Start) != 210*time.Minute || v.AllDay || v.Timezone != "Europe/Paris" {
		t.Errorf("Marché: got %+v", v)
	}
	if v := e["Fête"].Event; v == nil || !v.AllDay || v.End.Sub(v.Start) != 48*time.Hour {
		t.Errorf("Fête lasts two days: got %+v", v)
	}
	if v := e["Atelier"].Event; v == nil || v.Start.UTC().Hour() != 16 {
		t.Errorf("Atelier: got %+v", v)
	}
	if !has(r.LeftOut, directory.CodeInvalid, "start") || !has(r.LeftOut, directory.CodeOrder, "end") {
		t.Errorf("left out: got %v", r.LeftOut)
	}
}

// A list of places may have a column "date": it makes no events of them when the operator says what they are.
func TestDatesOfPlaces(t *testing.T) {
	const file = "id,nom,date,tarif\n1,A,2019-01-01,5 €\n2,B,hier,\n"
	d := newDirectory(t)
	r := mustImport(t, d, file, ImportOptions{Kind: directory.Place})
	if counts(t, r, 2, 0, 0, 0); len(r.Unused()) != 2 || r.Unused()[0].Reason != "only events have it" || all(t, d)["A"].Kind != directory.Place {
		t.Errorf("got %+v, %+v", r.Unused(), all(t, d))
	}
	r = mustImport(t, newDirectory(t), file, ImportOptions{})
	counts(t, r, 1, 0, 0, 1)
	r = mustImport(t, newDirectory(t), "id,nom,genre,date\n1,A,lieu,\n2,B,événement,2027-01-01\n", ImportOptions{Kind: directory.Place})
	counts(t, r, 2, 0, 0, 0)
}
