package transfer

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"encoding/xml"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/paulmach/orb"

	"archipel/directory"
)

func sample() []directory.Entry {
	at := time.Date(2027, 3, 1, 12, 0, 0, 0, time.UTC)
	return []directory.Entry{
		{
			ID: "0190b6c8-0000-7000-8000-000000000001", Kind: directory.Organisation, Name: "=HYPERLINK(\"http://evil.example\")", Summary: "</script><script>alert(1)</script> & ]]>",
			Categories: []string{"amap"}, Tags: []string{"+1", "@x"}, Sites: []orb.Point{{4.39, 45.44}, {4.4, 45.5}}, Licence: "ODbL-1.0", Source: &directory.Source{Name: "OpenStreetMap", URL: "https://osm.example", ExternalID: "node/1"},
			Contact: &directory.Contact{Phone: "+33 4 77 00 00 00", Website: "https://a.example/?a=1&b=2"}, Links: []directory.Link{{Rel: "mastodon", URL: "https://m.example/@a"}},
			Status: directory.Published, Created: at, Updated: at, Version: 7, Private: &directory.Private{Email: "secret@example.org"},
		},
		{
			ID: "0190b6c8-0000-7000-8000-000000000002", Kind: directory.Event, Name: "Fête\x01", Address: &directory.Address{Locality: "Feurs"}, Sites: []orb.Point{{4.22, 45.74}}, Status: directory.Published, Created: at, Updated: at,
			Event: &directory.Schedule{Start: time.Date(2027, 6, 4, 22, 0, 0, 0, time.UTC), End: time.Date(2027, 6, 6, 22, 0, 0, 0, time.UTC), AllDay: true, Timezone: "Europe/Paris", State: directory.Cancelled, RRule: "FREQ=MONTHLY;BYDAY=1MO,TU;UNTIL=20271231T000000Z", AttendanceURL: "https://visio.example"},
		},
		{ID: "0190b6c8-0000-7000-8000-000000000003", Kind: directory.Place, Name: "Le lieu", Sites: []orb.Point{{4, 45}}, OpeningHours: "Mo-Fr 09:00-17:00", Accessibility: map[string]string{"wheelchair": "yes"}, Status: directory.Published, Created: at, Updated: at},
	}
}

func write(t testing.TB, w Writer, entries []directory.Entry) {
	t.Helper()
	for i := range entries {
		if err := w.Write(&entries[i]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

var pageOf = func(e *directory.Entry) string { return "https://here.example/e/" + string(e.ID) }

func TestCSVRunsNoFormula(t *testing.T) {
	var b bytes.Buffer
	m := maker{Rand: rand.New(rand.NewPCG(5, 5)), full: true}
	entries := sample()
	for n := range 50 {
		entries = append(entries, m.entry(directory.Kinds[n%4], n))
	}
	write(t, NewCSV(&b, ExportOptions{BOM: true, Page: pageOf}), entries)
	if !strings.HasPrefix(b.String(), "\ufeffid,kind,") {
		t.Errorf("begins with %.20q, want a byte order mark", b.String())
	}
	rows, err := csv.NewReader(&b).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) != 54 {
		t.Fatalf("got %d rows, want 54", len(rows))
	}
	for _, row := range rows {
		for i, cell := range row {
			if cell != "" && strings.ContainsRune("=+-@\t\r\n", rune(cell[0])) && !number.MatchString(cell) {
				t.Errorf("column %s: a spreadsheet runs %q", rows[0][i], cell)
			}
		}
	}
	for _, c := range []string{"", "a", "-5", "+33477", "=1+1", "+33 4", "-x", "@a", "'", "''", "'=1", "'-5", "''=1", "\tx", "'a"} {
		if got := unguard(guard(c)); got != c {
			t.Errorf("guard and unguard make %q of %q", got, c)
		}
	}
}

type types struct{}

func (types) SchemaType(id string, kind directory.Kind) string {
	if id == "amap" {
		return "NGO"
	}
	return ""
}

func TestJSONLD(t *testing.T) {
	var b bytes.Buffer
	write(t, NewJSONLD(&b, ExportOptions{Page: pageOf, Types: types{}, Label: func(id, _ string) string { return "AMAP" }}), sample())
	if strings.Contains(b.String(), "</script>") || strings.Contains(b.String(), "secret@") {
		t.Error("the document could end a script element, or holds something private")
	}
	var doc struct {
		Context string           `json:"@context"`
		Graph   []map[string]any `json:"@graph"`
	}
	if err := json.Unmarshal(b.Bytes(), &doc); err != nil {
		t.Fatalf("%v\n%s", err, &b)
	}
	if doc.Context != "https://schema.org" || len(doc.Graph) != 3 {
		t.Fatalf("got %+v", doc)
	}
	get := func(i int, path string) any {
		var v any = doc.Graph[i]
		for name := range strings.SplitSeq(path, ".") {
			if list, ok := v.([]any); ok {
				v = list[0]
			}
			m, _ := v.(map[string]any)
			v = m[name]
		}
		return v
	}
	for _, tt := range []struct {
		i    int
		path string
		want any
	}{
		{0, "@type", "NGO"}, {0, "@id", pageOf(&sample()[0])}, {0, "keywords", "+1, @x, AMAP"}, {0, "location.geo.latitude", 45.44},
		{0, "subjectOf.license", "https://spdx.org/licenses/ODbL-1.0.html"}, {0, "subjectOf.isBasedOn.name", "OpenStreetMap"}, {0, "telephone", "+33 4 77 00 00 00"},
		{1, "@type", "Event"}, {1, "startDate", "2027-06-05"}, {1, "endDate", "2027-06-06"}, {1, "eventStatus", "https://schema.org/EventCancelled"},
		{1, "eventAttendanceMode", "https://schema.org/MixedEventAttendanceMode"}, {1, "location.address.addressLocality", "Feurs"},
		{1, "eventSchedule.repeatFrequency", "P1M"}, {1, "eventSchedule.endDate", "2027-12-31"}, {1, "geo", nil},
		{2, "@type", "Place"}, {2, "geo.longitude", 4.0}, {2, "amenityFeature.value", "yes"},
	} {
		if got := get(tt.i, tt.path); got != tt.want {
			t.Errorf("%d %s: got %v, want %v", tt.i, tt.path, got, tt.want)
		}
	}
	one, err := JSONLD(&sample()[0], ExportOptions{Page: pageOf})
	if err != nil || !bytes.Contains(one, []byte(`"@context":"https://schema.org"`)) || bytes.Contains(one, []byte("<")) {
		t.Errorf("got %s, %v", one, err)
	}
}

func TestAtom(t *testing.T) {
	var b bytes.Buffer
	write(t, NewAtom(&b, ExportOptions{Title: "Près d'ici <&>", Self: "https://here.example/atom?a=1&b=2", Home: "https://here.example/", Lang: "fr", Page: pageOf, Updated: time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)}), sample())
	var feed struct {
		XMLName xml.Name `xml:"http://www.w3.org/2005/Atom feed"`
		ID      string   `xml:"id"`
		Title   string   `xml:"title"`
		Updated string   `xml:"updated"`
		Entries []struct {
			ID      string `xml:"id"`
			Title   string `xml:"title"`
			Updated string `xml:"updated"`
			Summary string `xml:"summary"`
			Rights  string `xml:"rights"`
			Point   string `xml:"http://www.georss.org/georss point"`
			Links   []struct {
				Rel  string `xml:"rel,attr"`
				Href string `xml:"href,attr"`
			} `xml:"link"`
		} `xml:"entry"`
	}
	if err := xml.Unmarshal(b.Bytes(), &feed); err != nil {
		t.Fatalf("%v\n%s", err, &b)
	}
	if feed.ID != "https://here.example/atom?a=1&b=2" || feed.Title != "Près d'ici <&>" || feed.Updated != "2027-01-01T00:00:00Z" || len(feed.Entries) != 3 {
		t.Fatalf("got %+v", feed)
	}
	e := feed.Entries[0]
	if e.ID != "urn:uuid:0190b6c8-0000-7000-8000-000000000001" || e.Rights != "OpenStreetMap (https://osm.example), ODbL-1.0 (https://spdx.org/licenses/ODbL-1.0.html)" || e.Point != "45.44 4.39" || e.Summary != sample()[0].Summary {
		t.Errorf("got %+v", e)
	}
	if len(e.Links) != 4 || e.Links[0].Rel != "alternate" || e.Links[2].Href != "https://osm.example" || e.Links[3].Rel != "license" {
		t.Errorf("links: got %+v", e.Links)
	}
	if got := feed.Entries[1].Summary; got != "2027-06-05 – 2027-06-06, Feurs" {
		t.Errorf("when: got %q", got)
	}
}

func TestEmptyExports(t *testing.T) {
	for name, w := range map[string]func(io.Writer, ExportOptions) Writer{"GeoJSON": NewGeoJSON, "JSON-LD": NewJSONLD, "CSV": NewCSV, "Atom": NewAtom} {
		var b bytes.Buffer
		write(t, w(&b, ExportOptions{}), nil)
		switch name {
		case "GeoJSON", "JSON-LD":
			if !json.Valid(b.Bytes()) || !strings.Contains(b.String(), "[\n]") {
				t.Errorf("%s: got %s", name, &b)
			}
		case "Atom":
			if err := xml.Unmarshal(b.Bytes(), new(struct{})); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

func TestExportsReportFailingWriters(t *testing.T) {
	d := newDirectory(t)
	mustImport(t, d, bigFile(2000, "x"), ImportOptions{})
	for name, w := range map[string]func(io.Writer, ExportOptions) Writer{"GeoJSON": NewGeoJSON, "JSON-LD": NewJSONLD, "CSV": NewCSV, "Atom": NewAtom} {
		if _, err := Export(context.Background(), d, w(full{}, ExportOptions{}), nil); err == nil {
			t.Errorf("%s: no error on a full disk", name)
		}
	}
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, io.ErrShortWrite }

func TestExportIsPublicOnly(t *testing.T) {
	d := newDirectory(t)
	for _, s := range []directory.Status{directory.Published, directory.Draft, directory.Pending, directory.Hidden, directory.Removed} {
		if _, err := d.Put(context.Background(), "account:alice", directory.Entry{Kind: directory.Place, Name: string(s), Status: s}); err != nil {
			t.Fatal(err)
		}
	}
	var b bytes.Buffer
	if n, err := Export(context.Background(), d, NewGeoJSON(&b, ExportOptions{}), nil); n != 1 || err != nil || strings.Contains(b.String(), `"draft"`) {
		t.Errorf("got %d entries, %v: %s", n, err, &b)
	}
	if n, _ := Export(context.Background(), d, NewGeoJSON(io.Discard, ExportOptions{}), func(e *directory.Entry) bool { return false }); n != 0 {
		t.Errorf("got %d entries, want none", n)
	}
}
