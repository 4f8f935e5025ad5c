package api_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"archipel/api"
	"archipel/directory"
	"archipel/directory/taxonomy"
	"archipel/geo"
	"archipel/geo/basemap"

	"github.com/paulmach/orb"
	"github.com/paulmach/orb/encoding/mvt"
)

// now is the moment at which the test directory lives.
var now = time.Date(2027, 3, 12, 9, 0, 0, 0, time.UTC)

type site struct {
	had    string // a category that the taxonomy had
	t      testing.TB
	d      *directory.Directory
	store  directory.Store
	reads  *readsStore // between the directory and the store, where it counts
	server *api.Server
	index  *geo.Index
}

func open(t testing.TB) *site {
	t.Helper()
	store := openStore(t, t.TempDir())
	words, reads := taxonomy.Default(), &readsStore{Store: store}
	index, relations, sources := geo.NewIndex(), &directory.Relations{}, &directory.Sources{}
	d, err := directory.Open(t.Context(), directory.Options{
		Store: reads, Views: []directory.View{index, relations, sources}, Now: func() time.Time { return now },
		Rules: func() directory.Rules { return directory.Rules{Category: words.Valid} },
	})
	if err != nil {
		t.Fatal(err)
	}
	server, err := api.New(api.Options{
		Directory: d, Index: index, Relations: relations, Sources: sources, Taxonomy: words,
		Basemap: basemap.NewStack(nil, basemap.Embedded()), Site: api.DefaultSite, Version: "test", Now: func() time.Time { return now },
	})
	if err != nil {
		t.Fatal(err)
	}
	server.SetReady(true)
	return &site{t: t, d: d, store: store, reads: reads, server: server, index: index}
}

func (s *site) put(entries ...directory.Entry) []directory.Entry {
	s.t.Helper()
	outcomes, err := s.d.Write(context.Background(), directory.Write{Author: "test", Entries: entries})
	if err != nil {
		s.t.Fatal(err)
	}
	out := make([]directory.Entry, len(outcomes))
	for i, o := range outcomes {
		if o.Err != nil {
			s.t.Fatalf("%s: %v", o.Entry.Name, o.Err)
		}
		out[i] = o.Entry
	}
	return out
}

type answer struct {
	*http.Response
	body string
}

func (s *site) get(path string, header ...string) answer {
	s.t.Helper()
	req := httptest.NewRequest(http.MethodGet, path, nil)
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := s.server.Handler().Test(req, -1)
	if err != nil {
		s.t.Fatalf("GET %s: %v", path, err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Fatalf("GET %s: %v", path, err)
	}
	if res.Header.Get("Content-Encoding") == "gzip" && req.Header.Get("Accept-Encoding") != "raw" {
		zr, err := gzip.NewReader(bytes.NewReader(b))
		if err != nil {
			s.t.Fatal(err)
		}
		if b, err = io.ReadAll(zr); err != nil {
			s.t.Fatal(err)
		}
	}
	return answer{res, string(b)}
}

func (s *site) json(path string, into any) answer {
	s.t.Helper()
	a := s.get(path)
	if a.StatusCode != http.StatusOK {
		s.t.Fatalf("GET %s: %d %s", path, a.StatusCode, a.body)
	}
	if err := json.Unmarshal([]byte(a.body), into); err != nil {
		s.t.Fatalf("GET %s: %v", path, err)
	}
	return a
}

func place(name, town string, lon, lat float64, categories ...string) directory.Entry {
	return directory.Entry{Kind: directory.Place, Name: name, Sites: []orb.Point{{lon, lat}}, Address: &directory.Address{Locality: town}, Categories: categories}
}

func event(name string, start time.Time, rrule string) directory.Entry {
	return directory.Entry{Kind: directory.Event, Name: name, Sites: []orb.Point{{4.39, 45.44}}, Event: &directory.Schedule{Start: start, End: start.Add(2 * time.Hour), Timezone: "Europe/Paris", RRule: rrule}}
}

type collection struct {
	Matched  int `json:"numberMatched"`
	Returned int `json:"numberReturned"`
	Links    []struct{ Href, Rel string }
	Features []struct {
		ID         string
		Properties struct{ Name, Slug string }
	}
}

func (c collection) names() string {
	var names []string
	for _, f := range c.Features {
		names = append(names, f.Properties.Name)
	}
	return strings.Join(names, "|")
}

func fill(s *site) []directory.Entry {
	return s.put(
		place("La Fourmilière", "Saint-Étienne", 4.39, 45.44, "coworking"),
		place("Le Café des Possibles", "Lyon", 4.84, 45.76, "cafe-associatif"),
		place("Atelier vélo du Gier", "Saint-Chamond", 4.51, 45.47, "atelier-velo"),
		directory.Entry{Kind: directory.Organisation, Name: "Énergies du Pilat", Categories: []string{"energie"}},
		event("Fête passée", now.AddDate(0, 0, -10), ""),
		event("Atelier du samedi", time.Date(2027, 3, 6, 13, 0, 0, 0, time.UTC), "FREQ=WEEKLY"),
		directory.Entry{Kind: directory.Place, Name: "Brouillon", Status: directory.Draft, Sites: []orb.Point{{4.4, 45.4}}},
		directory.Entry{Kind: directory.Place, Name: "Caché", Status: directory.Hidden, Sites: []orb.Point{{4.4, 45.4}}},
	)
}

func TestItems(t *testing.T) {
	s := open(t)
	fill(s)
	cases := []struct{ name, path, want string }{
		{"all by name", "/api/collections/entries/items", "Atelier du samedi|Atelier vélo du Gier|Énergies du Pilat|Fête passée|La Fourmilière|Le Café des Possibles"},
		{"one kind", "/api/collections/places/items", "Atelier vélo du Gier|La Fourmilière|Le Café des Possibles"},
		{"words without accents", "/api/collections/entries/items?q=ENERGIES", "Énergies du Pilat"},
		{"words in the town", "/api/collections/entries/items?q=saint", "Atelier vélo du Gier|La Fourmilière"},
		{"a root category holds its leaves", "/api/collections/entries/items?category=" + taxonomy.Default().Root("coworking"), ""},
		{"box", "/api/collections/entries/items?bbox=4.3,45.4,4.45,45.5&kind=place", "La Fourmilière"},
		{"nearest first", "/api/collections/places/items?near=4.84,45.76", "Le Café des Possibles|Atelier vélo du Gier|La Fourmilière"},
		{"radius", "/api/collections/places/items?near=4.39,45.44&radius=15000", "La Fourmilière|Atelier vélo du Gier"},
		{"weekend", "/api/collections/events/items?datetime=weekend", "Atelier du samedi"},
		{"past interval", "/api/collections/events/items?datetime=2027-03-01/2027-03-03", "Fête passée"},
		{"open interval", "/api/collections/events/items?datetime=../2027-03-03", "Fête passée"},
		{"box with heights", "/api/collections/places/items?bbox=4.3,45.4,0,4.45,45.5,100", "La Fourmilière"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			var got collection
			s.json(c.path, &got)
			if c.want == "" {
				if got.Matched == 0 || !strings.Contains(got.names(), "La Fourmilière") {
					t.Errorf("got %q", got.names())
				}
				return
			}
			if got.names() != c.want || got.Matched != strings.Count(c.want, "|")+1 {
				t.Errorf("got %q (%d matched), want %q", got.names(), got.Matched, c.want)
			}
		})
	}
}

func TestPagingFollowsLinksToTheEnd(t *testing.T) {
	s := open(t)
	var all []directory.Entry
	for i := range 45 {
		all = append(all, place(fmt.Sprintf("Lieu %02d", i), "Roanne", 4.07, 46.03))
	}
	s.put(all...)
	next, seen := "/api/collections/entries/items?limit=10", map[string]bool{}
	for pages := 0; next != ""; pages++ {
		if pages > 5 {
			t.Fatal("no end")
		}
		var got collection
		s.json(strings.TrimPrefix(next, "http://example.com"), &got)
		if got.Matched != 45 {
			t.Errorf("matched %d", got.Matched)
		}
		for _, f := range got.Features {
			if seen[f.ID] {
				t.Errorf("%s twice", f.Properties.Name)
			}
			seen[f.ID] = true
		}
		next = ""
		for _, l := range got.Links {
			if l.Rel == "next" {
				next = l.Href
			}
		}
	}
	if len(seen) != 45 {
		t.Errorf("saw %d of 45", len(seen))
	}
}

func TestBadQueries(t *testing.T) {
	s := open(t)
	fill(s)
	cases := []struct{ query, field, code string }{
		{"bbox=1,2,3", "bbox", "invalid"},
		{"bbox=a,b,c,d", "bbox", "invalid"},
		{"bbox=NaN,0,1,1", "bbox", "invalid"},
		{"bbox=0,0,Inf,1", "bbox", "invalid"},
		{"bbox=4,46,5,45", "bbox", "invalid"},
		{"bbox=-190,0,1,1", "bbox", "out_of_range"},
		{"bbox=45,95,46,100", "bbox", "swapped"},
		{"near=4", "near", "invalid"},
		{"near=45,104", "near", "swapped"},
		{"near=500,1", "near", "out_of_range"},
		{"radius=100", "near", "required"},
		{"near=4,45&radius=-1", "radius", "out_of_range"},
		{"near=4,45&radius=1e12", "radius", "out_of_range"},
		{"limit=0", "limit", "out_of_range"},
		{"limit=-1", "limit", "out_of_range"},
		{"limit=ten", "limit", "out_of_range"},
		{"limit=99999999999999999999", "limit", "out_of_range"},
		{"datetime=yesterday", "datetime", "invalid"},
		{"datetime=2027-13-01", "datetime", "invalid"},
		{"datetime=../..", "datetime", "invalid"},
		{"datetime=2027-03-02/2027-03-01", "datetime", "order"},
		{"kind=shop", "kind", "unknown"},
		{"category=nope", "category", "unknown"},
		{"sort=random", "sort", "unknown"},
		{"sort=distance", "near", "required"},
		{"q=" + strings.Repeat("x", 10_000), "q", "too_long"},
		{"q=%00", "q", "control"},
		{"q=%ff", "q", "control"},
		{"q=%zz", "query", "invalid"},
		{"after=rubbish!", "after", "invalid"},
		{"after=" + strings.Repeat("A", 3000), "after", "too_long"},
		{strings.Repeat("tag=a&", 60), "tag", "too_many"},
	}
	for _, c := range cases {
		t.Run(c.query[:min(len(c.query), 40)], func(t *testing.T) {
			a := s.get("/api/collections/entries/items?" + c.query)
			var problem struct {
				Status int
				Errors []struct{ Field, Code, Detail string }
			}
			if err := json.Unmarshal([]byte(a.body), &problem); err != nil {
				t.Fatalf("%d %s", a.StatusCode, a.body)
			}
			if a.StatusCode != 400 || a.Header.Get("Content-Type") != "application/problem+json" || len(problem.Errors) != 1 ||
				problem.Errors[0].Field != c.field || problem.Errors[0].Code != c.code || problem.Errors[0].Detail == "" || problem.Errors[0].Detail == c.code {
				t.Errorf("got %d %s", a.StatusCode, a.body)
			}
			page := s.get("/?"+c.query, "Accept", "text/html", "Accept-Language", "fr")
			if page.StatusCode != 400 || !strings.Contains(page.body, "<h1") {
				t.Errorf("the page: %d", page.StatusCode)
			}
		})
	}
	if a := s.get("/api/collections/entries/items?unheard=of"); a.StatusCode != 400 {
		t.Errorf("an unknown parameter: %d", a.StatusCode)
	}
}

func TestWhatIsNotThere(t *testing.T) {
	s := open(t)
	entries := fill(s)
	draft, hidden := entries[6], entries[7]
	removed := entries[0]
	removed.Status = directory.Removed
	s.put(removed)
	renamed := entries[1]
	renamed.Slug = "cafe"
	s.put(renamed)
	cases := []struct {
		path string
		want int
	}{
		{"/e/nothing", 404}, {"/e/nothing/history", 404}, {"/e/nothing/map.png", 404}, {"/id/x", 404}, {"/nowhere", 404},
		{"/e/" + draft.Slug, 404}, {"/e/" + draft.Slug + "/history", 404}, {"/id/" + string(draft.ID), 404}, {"/e/" + hidden.Slug, 404},
		{"/api/collections/entries/items/" + string(hidden.ID), 404},
		{"/api/collections/entries/items/" + string(directory.NewID()), 404},
		{"/api/collections/entries/items/" + string(removed.ID), 410},
		{"/api/collections/events/items/" + string(entries[2].ID), 404},
		{"/e/" + entries[0].Slug, 410}, {"/e/le-cafe-des-possibles", 301}, {"/e/cafe", 200},
		{"/api/collections/nope/items", 404}, {"/api/collections/nope", 404},
		{"/tiles/entries/99/0/0.mvt", 404}, {"/tiles/entries/2/9/0.mvt", 404}, {"/tiles/entries/-1/0/0.mvt", 404},
		{"/tiles/entries/99999999999999999999/0/0.mvt", 404}, {"/tiles/base/40/0/0.mvt", 404}, {"/static/nope.css", 404}, {"/static/..%2f..%2fgo.mod", 404},
		{"/map.png?w=100000", 400}, {"/map.png?theme=neon", 400}, {"/e/cafe/history?before=x", 400},
	}
	for _, c := range cases {
		if a := s.get(c.path); a.StatusCode != c.want {
			t.Errorf("GET %s: %d, want %d", c.path, a.StatusCode, c.want)
		}
	}
}

func TestTilesAddUp(t *testing.T) {
	s := open(t)
	var all []directory.Entry
	for i := range 300 {
		all = append(all, place(fmt.Sprint("Lieu ", i), "", -1.5+float64(i%20)*0.4, 43+float64(i/20)*0.4, []string{"coworking", "amap"}[i%2]))
	}
	s.put(all...)
	sum := func(path string) (n int) {
		a := s.get(path)
		layers, err := mvt.Unmarshal([]byte(a.body))
		if a.StatusCode != 200 || err != nil {
			t.Fatalf("%s: %d %v", path, a.StatusCode, err)
		}
		for _, l := range layers {
			for _, f := range l.Features {
				switch l.Name {
				case "entries":
					n++
				case "clusters":
					n += int(f.Properties["count"].(float64))
				}
			}
		}
		return n
	}
	if n := sum("/tiles/entries/0/0/0.mvt"); n != 300 {
		t.Errorf("the world has %d of 300", n)
	}
	if n := sum("/tiles/entries/0/0/0.mvt?category=amap"); n != 150 {
		t.Errorf("one category: %d of 150", n)
	}
	n := 0
	for x := range 8 {
		for y := range 8 {
			n += sum(fmt.Sprintf("/tiles/entries/3/%d/%d.mvt", x, y))
		}
	}
	if n != 300 {
		t.Errorf("zoom 3 has %d of 300", n)
	}
	tag := s.get("/tiles/entries/0/0/0.mvt").Header.Get("ETag")
	if a := s.get("/tiles/entries/0/0/0.mvt", "If-None-Match", tag); a.StatusCode != 304 || a.body != "" {
		t.Errorf("the same tile again: %d", a.StatusCode)
	}
	s.put(place("Nouveau", "", 4, 45))
	if a := s.get("/tiles/entries/0/0/0.mvt", "If-None-Match", tag); a.StatusCode != 200 {
		t.Errorf("after a write: %d", a.StatusCode)
	}
}

func TestStoreAway(t *testing.T) {
	s := open(t)
	entries := fill(s)
	s.store.Close()
	for path, want := range map[string]int{"/e/" + entries[0].Slug: 503, "/api/collections/entries/items": 503, "/healthz": 200, "/readyz": 503, "/tiles/entries/0/0/0.mvt": 200} {
		a := s.get(path)
		if a.StatusCode != want || want == 503 && !strings.HasPrefix(path, "/readyz") && a.Header.Get("Retry-After") == "" {
			t.Errorf("GET %s: %d, want %d", path, a.StatusCode, want)
		}
	}
}

func TestExports(t *testing.T) {
	s := open(t)
	var all []directory.Entry
	for i := range 1203 {
		all = append(all, place(fmt.Sprint("Lieu ", i), "Roanne", 4.07, 46.03, "amap"))
	}
	s.put(all...)
	var features collection
	if s.json("/entries.geojson?category=amap", &features); len(features.Features) != 1203 {
		t.Errorf("GeoJSON has %d of 1203", len(features.Features))
	}
	if n := strings.Count(s.get("/entries.csv").body, "\n"); n != 1204 {
		t.Errorf("CSV has %d lines", n)
	}
	var graph struct {
		Graph []any `json:"@graph"`
	}
	if s.json("/entries.jsonld", &graph); len(graph.Graph) != 1203 {
		t.Errorf("JSON-LD has %d of 1203", len(graph.Graph))
	}
	if n := strings.Count(s.get("/entries.atom").body, "<entry>"); n != 100 {
		t.Errorf("the feed has %d entries", n)
	}
	if a := s.get("/entries.csv?bbox=1"); a.StatusCode != 400 {
		t.Errorf("a bad filter: %d", a.StatusCode)
	}
}

func TestOpenAPIAndLanding(t *testing.T) {
	s := open(t)
	fill(s)
	var doc struct {
		OpenAPI string
		Paths   map[string]any
	}
	if s.json("/api/openapi.json", &doc); doc.OpenAPI != "3.0.3" || doc.Paths["/collections/{collectionId}/items"] == nil {
		t.Errorf("got %+v", doc)
	}
	for _, path := range []string{"/api", "/api/", "/api/conformance", "/api/collections", "/api/collections/events", "/api/taxonomy", "/tiles/entries.json", "/tiles/base.json", "/manifest.webmanifest"} {
		var any map[string]any
		s.json(path, &any)
	}
	for _, path := range []string{"/robots.txt", "/sitemap.xml", "/metrics", "/healthz", "/readyz"} {
		if a := s.get(path); a.StatusCode != 200 || a.body == "" {
			t.Errorf("%s: %d", path, a.StatusCode)
		}
	}
}
