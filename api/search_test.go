package api_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"archipel/api"
	"archipel/directory"
	"archipel/directory/sqlitestore"
	"archipel/directory/taxonomy"
	"archipel/geo"
	"archipel/geo/basemap"
	"archipel/geo/geocode"
	"archipel/search"
	"archipel/search/embedded"

	"github.com/paulmach/orb/encoding/mvt"
)

// zonesOf names zones as the program does.
type zonesOf struct{ *geocode.Gazetteer }

func (z zonesOf) Zones(e *directory.Entry) (codes []string) {
	for _, p := range e.Sites {
		for _, zone := range z.Gazetteer.Zones(p, "") {
			codes = append(codes, string(zone.Code))
		}
	}
	return codes
}

// openFinding is a site with the embedded search engine, the gazetteer and an address server, which may be nil.
func openFinding(t *testing.T, addresses http.HandlerFunc) *site {
	t.Helper()
	store, err := sqlitestore.Open(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	places, err := geocode.NewGazetteer("FR")
	if err != nil {
		t.Fatal(err)
	}
	finder, err := embedded.Open(t.TempDir(), embedded.Options{Source: store, Builder: search.Builder{Zoner: zonesOf{places}}, Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { finder.Close() })
	locator := geocode.NewLocator(places, nil)
	if addresses != nil {
		web := httptest.NewServer(addresses)
		t.Cleanup(web.Close)
		server, err := geocode.NewServer(geocode.ServerOptions{URL: web.URL, UserAgent: "archipel-test", Timeout: 2 * time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { server.Close() })
		locator = geocode.NewLocator(places, server)
	}
	words := taxonomy.Default()
	index, relations, sources := geo.NewIndex(), &directory.Relations{}, &directory.Sources{}
	d, err := directory.Open(t.Context(), directory.Options{
		Store: store, Views: []directory.View{index, relations, sources}, Followers: []directory.Follower{finder}, Now: func() time.Time { return now },
		Rules: func() directory.Rules { return directory.Rules{Category: words.Valid} },
	})
	if err != nil {
		t.Fatal(err)
	}
	server, err := api.New(api.Options{
		Directory: d, Index: index, Relations: relations, Sources: sources, Taxonomy: words, Search: finder, Places: places, Locator: locator,
		Basemap: basemap.NewStack(nil, basemap.Embedded()), Site: api.DefaultSite, Version: "test", Now: func() time.Time { return now },
	})
	if err != nil {
		t.Fatal(err)
	}
	server.SetReady(true)
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); d.Run(ctx) }()
	t.Cleanup(func() { stop(); <-done })
	s := &site{t: t, d: d, store: store, server: server, index: index}
	s.put(region()...)
	for end := time.Now().Add(2 * time.Minute); finder.Status(t.Context()).At < d.Head(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("the index stays at %+v", finder.Status(t.Context()))
		}
	}
	return s
}

// region has sixty places around three towns, and two that nobody may see.
func region() []directory.Entry {
	towns := []struct {
		name     string
		lon, lat float64
	}{{"Saint-Étienne", 4.39, 45.434}, {"Roanne", 4.07, 46.036}, {"Lyon", 4.835, 45.758}}
	kinds := []directory.Kind{directory.Place, directory.Organisation, directory.Initiative}
	categories := []string{"coworking", "atelier-velo", "cafe-associatif", "jardin-partage"}
	nouns := []string{"Atelier vélo", "Jardin partagé", "Café", "Coopérative"}
	var list []directory.Entry
	for i := range 60 {
		town := towns[i%3]
		e := place(fmt.Sprintf("%s n° %d", nouns[i%4], i), town.name, town.lon+float64(i%7)/500, town.lat+float64(i%5)/500, categories[i%4])
		e.Kind = kinds[i%len(kinds)]
		if i%2 == 0 {
			e.Summary = "On y répare des vélos, <b>gratuitement</b> & ensemble."
		}
		if i%10 == 9 {
			e.Sites = nil
		}
		list = append(list, e)
	}
	hidden, draft := place("Secret vélo caché", "Lyon", 4.84, 45.76), place("Secret vélo brouillon", "Lyon", 4.84, 45.76)
	hidden.Status, draft.Status = directory.Hidden, directory.Draft
	return append(list, hidden, draft)
}

// TestSameSet holds every way to see a list to the same entries.
func TestSameSet(t *testing.T) {
	s := openFinding(t, nil)
	for _, query := range []string{
		"", "q=vélo", "q=velos", "q=atelier vélo", "q=jardni", "zone=FR-42", "zone=FR-69&q=atelier", "zone=FR-42218", "near=4.39,45.434&radius=5000",
		"near=4.39,45.434&radius=80000&q=vélo", "near=4.39,45.434", "bbox=4,45,5,45.6&zone=FR-42", "category=atelier-velo&q=roanne", "q=zzzxq", "zone=FR-20R",
		"kind=place&kind=initiative&q=jardin&zone=FR-ARA", "q=vélo&tag=none",
	} {
		v, err := url.ParseQuery(query)
		if err != nil {
			t.Fatal(err)
		}
		q := v.Encode()
		var items struct {
			Matched  int `json:"numberMatched"`
			Features []struct {
				Geometry   *struct{ Type string }
				Properties struct{ Slug, Kind string }
			}
		}
		s.json("/api/collections/entries/items?limit=1000&"+q, &items)
		var want []string
		kinds := map[string]int{}
		sites := 0
		for _, f := range items.Features {
			want = append(want, f.Properties.Slug)
			kinds[f.Properties.Kind]++
			if f.Geometry != nil {
				sites++
			}
		}
		slices.Sort(want)
		if items.Matched != len(want) {
			t.Errorf("%s: %d matched, %d given", query, items.Matched, len(want))
		}
		var exported struct {
			Features []struct{ Properties struct{ Slug string } }
		}
		s.json("/entries.geojson?"+q, &exported)
		var got []string
		for _, f := range exported.Features {
			got = append(got, f.Properties.Slug)
		}
		if slices.Sort(got); !slices.Equal(got, want) {
			t.Errorf("%s: GeoJSON has %d, the API %d", query, len(got), len(want))
		}
		if lines := strings.Count(s.get("/entries.csv?"+q).body, "https://") + strings.Count(s.get("/entries.csv?"+q).body, "\n"); lines < len(want) {
			t.Errorf("%s: CSV has %d lines for %d", query, lines, len(want))
		}
		total, slugs := s.listed(q)
		if slices.Sort(slugs); total != len(want) || !slices.Equal(slugs, want) {
			t.Errorf("%s: the list has %d of %d, the API %d", query, len(slugs), total, len(want))
		}
		page := s.get("/?fragment=1&" + q).body
		for kind, n := range kinds {
			m := regexp.MustCompile(`(?s)kind=` + kind + `[^>]*>.{0,400}?<span class="count">.*?</svg>\s*([\d\x{a0}\x{202f}]+)`).FindStringSubmatch(page)
			if len(v["kind"]) == 0 && (m == nil || m[1] != strconv.Itoa(n)) {
				t.Errorf("%s: the page counts %v of kind %s, there are %d", query, m, kind, n)
			}
		}
		if v.Has("bbox") { // tiles are boxes themselves
			continue
		}
		if shown := s.onTiles(q); shown != sites {
			t.Errorf("%s: the tiles have %d, the API %d with a position", query, shown, sites)
		}
	}
}

// listed reads a list to its end.
func (s *site) listed(query string) (total int, slugs []string) {
	s.t.Helper()
	card := regexp.MustCompile(`<li class="card[^>]*data-slug="([^"]+)"`)
	more := regexp.MustCompile(`<a [^>]*rel="next" href="([^"]+)"`)
	for path := "/?" + query; path != ""; {
		a := s.get(path + "&fragment=1")
		m := regexp.MustCompile(`data-total="(\d+)"`).FindStringSubmatch(a.body)
		if a.StatusCode != 200 || m == nil {
			s.t.Fatalf("GET %s: %d %.300s", path, a.StatusCode, a.body)
		}
		total, _ = strconv.Atoi(m[1])
		if total == 0 {
			return 0, nil // the nearest elsewhere are no part of it
		}
		for _, c := range card.FindAllStringSubmatch(a.body, -1) {
			slugs = append(slugs, c[1])
		}
		path = ""
		if m := more.FindStringSubmatch(a.body); m != nil {
			path = strings.ReplaceAll(m[1], "&amp;", "&")
		}
	}
	return total, slugs
}

// onTiles counts what the tiles of one zoom hold.
func (s *site) onTiles(query string) (n int) {
	s.t.Helper()
	a := s.get("/tiles/entries/0/0/0.mvt?" + query)
	if a.StatusCode == http.StatusNoContent {
		return 0
	}
	layers, err := mvt.Unmarshal([]byte(a.body))
	if a.StatusCode != 200 || err != nil {
		s.t.Fatalf("tile of %s: %d %v", query, a.StatusCode, err)
	}
	for _, layer := range layers {
		for _, f := range layer.Features {
			if layer.Name == "clusters" {
				n += int(f.Properties["count"].(float64))
			} else {
				n++
			}
		}
	}
	return n
}

// oddWords is what nobody types by accident.
var oddWords = []string{
	"", " ", "a", "é", "1", "le la les", "de", strings.Repeat("a", 200), strings.Repeat("vélo ", 40), strings.Repeat("é", 2000), strings.Repeat("x", 10_000), strings.Repeat("x y ", 2500),
	"\x00", "a\x00b", "\x01\x02\x1f", "\u202evélo", "\ufeff", "שלום עולם", "مرحبا بالعالم", "🚲", "👩‍👩‍👧‍👦", "🇫🇷", "日本語", "ｖｅｌｏ", "\xff\xfe", "%", "%00", "a%zz",
	`"`, `'`, `"vélo`, `vélo" AND "x`, `+vélo -caché`, `name:secret`, `*`, `?`, `vél*`, `/.*/`, `vélo~2`, `vélo^5`, `(vélo OR caché)`, `[a TO z]`, `\`, `\\"`, `a\`,
	`status = hidden`, `status:hidden`, `_geoRadius(45,4,100)`, `kind IN [place]`, `id EXISTS`, `' OR 1=1 --`, `{"$ne":null}`, `<script>alert(1)</script>`, `</mark>`, `${7*7}`, `{{.}}`,
	"secret", "Secret vélo caché", "brouillon", "12 rue", "42", "99999", "FR-42", "-1", "1e309", "NaN",
}

func TestHostileWords(t *testing.T) {
	s := openFinding(t, nil)
	for _, words := range oddWords {
		q := url.QueryEscape(words)
		if words == "a%zz" {
			q = words // a broken escape
		}
		for _, path := range []string{"/complete?q=", "/complete?zone=FR-42&near=4,45&q=", "/?q=", "/?fragment=1&submitted=1&q=", "/?zone=FR-20R&q=", "/api/collections/entries/items?q=", "/entries.geojson?q=", "/entries.atom?q=", "/tiles/entries/0/0/0.mvt?q="} {
			a := s.get(path + q)
			if a.StatusCode >= 500 {
				t.Errorf("GET %s%.60q: %d", path, words, a.StatusCode)
			}
			if a.StatusCode == 400 && len(words) < 800 && words != "\x00" && words != "a\x00b" && words != "\xff\xfe" && words != "a%zz" {
				t.Errorf("GET %s%.60q: refused: %.300s", path, words, a.body)
			}
			if body := strings.ReplaceAll(a.body, words, ""); strings.Contains(body, "secret-velo") || strings.Contains(body, "Secret vélo") {
				t.Errorf("GET %s%.60q: shows what is hidden", path, words)
			}
			if strings.Contains(a.body, "<script>alert(1)") {
				t.Errorf("GET %s%.60q: not escaped", path, words)
			}
		}
	}
	for _, path := range []string{"/complete?q=x&category=nope", "/complete?q=x&near=200,100", "/complete?q=x&zone=ZZ-99", "/complete?q=x&bbox=1", "/complete?q=x&kind=nope"} {
		if a := s.get(path, "Accept", "application/json"); a.StatusCode != 400 || !strings.Contains(a.body, strings.SplitN(strings.SplitN(path, "&", 2)[1], "=", 2)[0]) {
			t.Errorf("GET %s: %d %.300s", path, a.StatusCode, a.body)
		}
	}
}

type suggested struct {
	Type, Label, Hint, URL, Kind, ID string
	Count                            int
}

func TestComplete(t *testing.T) {
	s := openFinding(t, nil)
	ask := func(query string) (list []suggested) {
		t.Helper()
		v, _ := url.ParseQuery(query)
		s.json("/complete?"+v.Encode(), &list)
		return list
	}
	first := func(query, kind, label string) suggested {
		t.Helper()
		list := ask(query)
		if len(list) == 0 || list[0].Type != kind || list[0].Label != label {
			t.Fatalf("%s completes to %+v", query, list)
		}
		return list[0]
	}
	// A town is a point in its box, an area a zone; the filters stay, what was typed does not.
	town := first("q=saint-et&category=coworking&kind=place", "place", "Saint-Étienne (42)")
	if v := params(t, town.URL); v.Get("near") == "" || v.Get("bbox") == "" || v.Get("place") != town.Label || v.Get("category") != "coworking" || v.Has("q") || v.Has("zone") {
		t.Errorf("the town leads to %s", town.URL)
	}
	if v := params(t, first("q=loire&q2=x&near=4,45&place=X&bbox=1,2,3,4", "place", "Loire (42)").URL); v.Encode() != "zone=FR-42" {
		t.Errorf("the département leads to %s", v.Encode())
	}
	if v := params(t, first("q=42000", "place", "Saint-Étienne (42)").URL); v.Get("near") == "" {
		t.Errorf("the postal code leads to %s", v.Encode())
	}
	if list := ask("q=velo"); list[0].Type == "place" {
		t.Errorf("velo means %s first", list[0].Label)
	}
	// What a category promises is what its list has.
	for _, filters := range []string{"", "&zone=FR-42", "&near=4.39,45.434&radius=9000", "&kind=organisation&bbox=4,45,5,45.6"} {
		var cat *suggested
		for _, e := range ask("q=atelier velo" + filters) {
			if e.Type == "category" && e.ID == "atelier-velo" {
				cat = &e
			}
			if e.Type == "entry" && !strings.HasPrefix(e.URL, "/e/") {
				t.Errorf("an entry leads to %s", e.URL)
			}
		}
		if cat == nil {
			t.Fatalf("no category under %q", filters)
		}
		if total, _ := s.listed(params(t, cat.URL).Encode()); total != cat.Count {
			t.Errorf("under %q the category promises %d and has %d", filters, cat.Count, total)
		}
	}
	if list := ask("q="); len(list) != 0 {
		t.Errorf("nothing completes to %+v", list)
	}
	en := []suggested{}
	if err := json.Unmarshal([]byte(s.get("/complete?lang=en&q=loire").body), &en); err != nil || !strings.Contains(en[0].Hint, "département") && !strings.Contains(en[0].Hint, "department") {
		t.Errorf("in English: %+v %v", en, err)
	}
}

func params(t *testing.T, address string) url.Values {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return u.Query()
}

func TestSearchPage(t *testing.T) {
	s := openFinding(t, nil)
	page := func(query string) string {
		t.Helper()
		v, _ := url.ParseQuery(query)
		a := s.get("/?" + v.Encode())
		if a.StatusCode != 200 {
			t.Fatalf("%s: %d", query, a.StatusCode)
		}
		return a.body
	}
	for _, c := range []struct {
		name, query string
		has, lacks  []string
	}{
		{"a town", "q=St Etienne&kind=place", []string{`<strong>Saint-Étienne (42)</strong>`, `kind=place&amp;near=4.39`, "place=Saint-%C3%89tienne"}, []string{"Saint-Étienne-le-Molard"}},
		{"the beginning of a town", "q=roann", []string{`<strong>Roanne (42)</strong>`}, nil},
		{"a département", "q=Loire", []string{`href="/?zone=FR-42"`}, nil},
		{"no town", "q=atelier", []string{`data-total="15"`}, []string{`class="places"`}},
		{"marked", "q=vélos", []string{"On y répare des <mark>vélos</mark>, &lt;b&gt;gratuitement"}, []string{"<b>gratuitement"}},
		{"marked with a letter wrong", "q=répre", []string{"On y <mark>répare</mark> des"}, nil},
		{"corrected", "q=jardni", []string{`href="/?q=jardin"`}, nil},
		{"nothing", "q=zzzxq", []string{`data-total="0"`, "zzzxq", `href="/"`}, []string{"Sans «"}},
		{"a filter less", "q=vélo&category=cafe-associatif&kind=event", []string{`data-total="0"`, `href="/?category=cafe-associatif&amp;q=v%C3%A9lo"`}, nil},
		{"one alone", "q=vélo&tag=nulle-part&kind=event", []string{`data-total="0"`, `href="/?q=v%C3%A9lo"`, "sans autre choix"}, nil},
		{"elsewhere, box", "q=vélo&bbox=0,43,0.5,43.5", []string{`data-total="0"`, `data-everywhere`, "Les plus proches", `class="distance"`}, nil},
		{"elsewhere, zone", "q=vélo&zone=FR-75", []string{`data-total="0"`, `data-everywhere`, "Les plus proches", `class="distance"`, "<mark>vélos</mark>"}, nil},
		{"elsewhere, zone and category", "category=coworking&zone=FR-75", []string{`data-total="0"`, `href="/?category=coworking"`, `class="distance"`}, nil},
		{"elsewhere, radius", "q=vélo&near=0,43&radius=1000", []string{`data-total="0"`, `class="distance"`}, nil},
		{"distances in a list", "near=4.39,45.434&bbox=4.3,45.3,4.5,45.5", []string{`class="distance"`}, nil},
	} {
		body := page(c.query)
		for _, want := range c.has {
			if !strings.Contains(body, want) {
				t.Errorf("%s: the page lacks %q", c.name, want)
			}
		}
		for _, not := range c.lacks {
			if strings.Contains(body, not) {
				t.Errorf("%s: the page has %q", c.name, not)
			}
		}
	}
	// Every way out of an empty list keeps its promise.
	way := regexp.MustCompile(`<a href="([^"]+)" data-filter>Sans [^<]*</a>\s*<span class="soft">(\d+)`)
	body := page("q=vélo&category=cafe-associatif&kind=event&zone=FR-42")
	ways := way.FindAllStringSubmatch(body, -1)
	if len(ways) == 0 {
		t.Error("no way out of an empty list")
	}
	for _, w := range ways {
		u := params(t, strings.ReplaceAll(w[1], "&amp;", "&"))
		if total, _ := s.listed(u.Encode()); strconv.Itoa(total) != w[2] || total == 0 {
			t.Errorf("%s promises %s and has %d", w[1], w[2], total)
		}
	}
}

// house is an answer of Nominatim.
const house = `{"type":"FeatureCollection","features":[{"type":"Feature","properties":{"geocoding":{"osm_type":"node","osm_id":12,"type":"house",
	"housenumber":"12","street":"Rue du Port","postcode":"26340","city":"Saillans","country":"France","country_code":"fr"}},"geometry":{"type":"Point","coordinates":[5.18,44.69]}}]}`

// TestAddresses asks the address server when a form was sent, and never lets the list wait for it.
func TestAddresses(t *testing.T) {
	var asked, given atomic.Int32
	var hangs atomic.Bool
	s := openFinding(t, func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		defer given.Add(1)
		if hangs.Load() {
			<-r.Context().Done() // nobody wants to know any more
			return
		}
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		io.WriteString(w, house)
	})
	get := func(path string) string {
		t.Helper()
		a := s.get(path)
		if a.StatusCode != 200 {
			t.Fatalf("GET %s: %d", path, a.StatusCode)
		}
		return a.body
	}
	const offered = "12 Rue du Port"
	// found is a page once the address is on it: one that is not waited for so long is remembered for who asks next.
	found := func(path string) (body string) {
		t.Helper()
		for end := time.Now().Add(2 * time.Minute); ; time.Sleep(10 * time.Millisecond) {
			if body = get(path); strings.Contains(body, offered) || !strings.Contains(body, "service d’adresses ne répond pas") || time.Now().After(end) {
				return body
			}
		}
	}
	address := url.QueryEscape("12 rue du Port, Saillans")
	if body := get("/?fragment=1&q=" + address); asked.Load() != 0 || strings.Contains(body, "Rue du Port, ") {
		t.Error("moving the map asks for addresses")
	}
	for _, path := range []string{"/?q=v%C3%A9lo", "/?q=Saillans", "/?q=" + address + "&after=x"} {
		if s.get(path); asked.Load() != 0 {
			t.Fatalf("GET %s asks for addresses", path)
		}
	}
	for _, path := range []string{"/?q=" + address, "/?fragment=1&submitted=1&q=" + address} {
		body := found(path)
		if !strings.Contains(body, offered) || !strings.Contains(body, "near=5.18%2C44.69") || !strings.Contains(body, "bbox=5.") {
			t.Errorf("GET %s: the address is not offered", path)
		}
	}
	if n := asked.Load(); n != 1 {
		t.Errorf("the server was asked %d times for one address", n)
	}
	if body := found("/?q=introuvableville"); asked.Load() != 2 || !strings.Contains(body, offered) {
		t.Error("what nothing was found for is not looked for as an address")
	}
	for end := time.Now().Add(2 * time.Minute); given.Load() != 2 && time.Now().Before(end); time.Sleep(time.Millisecond) {
	}
	hangs.Store(true)
	body := get("/?q=" + url.QueryEscape("7 chemin des Vignes, 42000 Saint-Étienne"))
	if given.Load() != 2 {
		t.Error("the list waited for the address until nobody wanted to know it any more")
	}
	for end := time.Now().Add(2 * time.Minute); asked.Load() != 3; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("the address server was asked %d times, want 3", asked.Load())
		}
	}
	if !strings.Contains(body, "service d’adresses ne répond pas") || !strings.Contains(body, "<strong>Saint-Étienne (42)</strong>") {
		t.Error("the page does not say that the addresses are missing, or does not offer the town")
	}
	if body := get("/about"); !strings.Contains(body, "OpenStreetMap") || !strings.Contains(body, "Etalab") || !strings.Contains(body, "service d’adresses") {
		t.Error("the about page does not credit what is found with")
	}

	// Without a server, the town of an address is offered, and the page says what it does not know.
	plain := openFinding(t, nil)
	if body := plain.get("/?q=" + address).body; !strings.Contains(body, "<strong>Saillans (26)</strong>") || !strings.Contains(body, "ne connaît pas les rues") {
		t.Error("without a server the town is not offered")
	}
	if body := plain.get("/about").body; strings.Contains(body, "OpenStreetMap contributors") || strings.Contains(body, "service d’adresses") || !strings.Contains(body, "GeoNames") {
		t.Error("the about page credits a server that there is not")
	}
}
