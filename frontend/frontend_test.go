package frontend

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/a-h/templ"
	"golang.org/x/net/html"
)

// tokens reads the colours of tokens.css: light, then dark over light.
func tokens(t *testing.T) (light, dark map[string]colour) {
	t.Helper()
	raw, err := os.ReadFile("styles/tokens.css")
	if err != nil {
		t.Fatal(err)
	}
	first, second, ok := strings.Cut(string(raw), "@media")
	if !ok {
		t.Fatal("tokens.css has no dark part")
	}
	read := func(css string, into map[string]colour) map[string]colour {
		for _, m := range regexp.MustCompile(`--([a-z-]+): (#[0-9a-f]{6});`).FindAllStringSubmatch(css, -1) {
			into[m[1]], _ = parseColour(m[2])
		}
		return into
	}
	light = read(first, map[string]colour{})
	dark = map[string]colour{}
	for k, v := range light {
		dark[k] = v
	}
	return light, read(second, dark)
}

func TestContrast(t *testing.T) {
	light, dark := tokens(t)
	grounds := []string{"paper", "sand", "card", "foam"}
	for name, set := range map[string]map[string]colour{"light": light, "dark": dark} {
		check := func(text, ground string, want float64) {
			if got := contrast(set[text], set[ground]); got < want {
				t.Errorf("%s: %s on %s has %.2f:1, want %.1f:1", name, text, ground, got, want)
			}
		}
		for _, ground := range grounds {
			for _, text := range []string{"ink", "soft", "sea", "leaf", "sun", "coral"} {
				check(text, ground, 4.5)
			}
		}
		check("on-sea", "sea", 4.5)
		check("paper", "ink", 4.5)
		for _, ground := range []string{"paper", "sand", "card"} {
			check("edge", ground, 3)
		}
		check("map-label", "map-earth", 4.5)
		check("map-label", "map-halo", 4.5)
	}
	for i, want := range [][]string{lightGrounds, darkGrounds} {
		set := []map[string]colour{light, dark}[i]
		if got := []string{set["paper"].String(), set["sand"].String()}; !slices.Equal(got, want) {
			t.Errorf("themes are made for the grounds %v, tokens.css has %v", want, got)
		}
		if got, want := set["soft"].String(), []string{softLight, softDark}[i]; got != want {
			t.Errorf("themes are made for the text %v, tokens.css has %v", want, got)
		}
	}
}

// TestAccent takes colours no operator should choose: what is derived must be readable all the same.
func TestAccent(t *testing.T) {
	light, dark := tokens(t)
	pick := regexp.MustCompile(`--([a-z-]+):(#[0-9a-f]{6})`)
	for _, accent := range []string{"#000000", "#ffffff", "#ffff00", "#ff0000", "#00ff00", "#0000ff", "#808080", "#d4a017", "#e91e63"} {
		asset, ok := StaticAsset("theme-" + accent[1:] + ".css")
		if !ok {
			t.Fatalf("no theme for %s", accent)
		}
		parts := strings.SplitN(string(asset.Body), "@media", 2)
		for i, set := range []map[string]colour{light, dark} {
			own := map[string]colour{}
			for _, m := range pick.FindAllStringSubmatch(parts[i], -1) {
				own[m[1]], _ = parseColour(m[2])
			}
			for name, pair := range map[string][2]colour{
				"link on paper": {own["sea"], set["paper"]}, "link on sand": {own["sea"], set["sand"]}, "link on selection": {own["sea"], own["foam"]},
				"button": {own["on-sea"], own["sea"]}, "text on selection": {set["ink"], own["foam"]}, "soft text on selection": {set["soft"], own["foam"]},
			} {
				if got := contrast(pair[0], pair[1]); got < 4.5 {
					t.Errorf("accent %s, dark=%v: %s has %.2f:1, want 4.5:1", accent, i == 1, name, got)
				}
			}
		}
	}
	for _, bad := range []string{"theme-12345.css", "theme-gggggg.css", "theme-.css", "theme-0f5c74.css.css", "../manifest.json", "manifest.json", ""} {
		if _, ok := StaticAsset(bad); ok {
			t.Errorf("StaticAsset(%q) answers", bad)
		}
	}
}

func gz(b []byte) int {
	var out bytes.Buffer
	w, _ := gzip.NewWriterLevel(&out, gzip.BestCompression)
	_, _ = w.Write(b)
	_ = w.Close()
	return out.Len()
}

// TestBudget holds what visitors download to its limits, in compressed bytes.
func TestBudget(t *testing.T) {
	size := func(names ...string) (n int) {
		for _, name := range names {
			a, ok := StaticAsset(strings.TrimPrefix(AssetURL(name), "/static/"))
			if !ok {
				t.Fatalf("no asset %s", name)
			}
			n += gz(a.Body)
		}
		return n
	}
	page := gz(get(t, "/").Body.Bytes())
	plain := page + size("app.css", "mark.svg")
	all := plain + size("island.js", "livemap.js", "map.css", "icons.svg")
	t.Logf("home %d, without JavaScript and picture %d, with everything but pictures and tiles %d", page, plain, all)
	if plain > 15<<10 {
		t.Errorf("page, styles and mark weigh %d, want at most 15 KB beside a picture of 25 KB", plain)
	}
	if all > 110<<10 {
		t.Errorf("everything weighs %d, want at most 110 KB beside pictures and tiles of 40 KB", all)
	}
	if js := size("island.js"); js > 6<<10 {
		t.Errorf("the island without the map weighs %d, want at most 6 KB", js)
	}
}

var allPages = []string{"/", "/?q=zzz", "/?category=food&kind=place&near=4.38,45.43&radius=5000&tag=a&zone=42&bbox=4,45,5,46&datetime=today&open_at=now", "/first", "/e/fiche-0", "/e/fiche-3", "/e/fiche-0?fragment=1", "/?fragment=1", "/e/fiche-0/history", "/about", "/error/400", "/error/404", "/error/410", "/error/500", "/error/503"}

// TestPolicy walks every page for what the Content-Security-Policy would refuse, and for broken references.
func TestPolicy(t *testing.T) {
	for _, path := range allPages {
		for _, lang := range []string{"fr", "en"} {
			sep := "?"
			if strings.Contains(path, "?") {
				sep = "&"
			}
			doc, err := html.Parse(get(t, path+sep+"lang="+lang).Body)
			if err != nil {
				t.Fatal(err)
			}
			ids, wanted := map[string]int{}, []string{}
			h1 := 0
			for n := range doc.Descendants() {
				if n.Type != html.ElementNode {
					continue
				}
				if n.Data == "style" {
					t.Errorf("%s: a <style> element", path)
				}
				if n.Data == "h1" {
					h1++
				}
				for _, a := range n.Attr {
					switch {
					case a.Key == "style" || strings.HasPrefix(a.Key, "on"):
						t.Errorf("%s: <%s %s=%q>", path, n.Data, a.Key, a.Val)
					case a.Key == "id":
						ids[a.Val]++
					case a.Key == "for" || a.Key == "href" && strings.HasPrefix(a.Val, "#"):
						wanted = append(wanted, strings.TrimPrefix(a.Val, "#"))
					case (a.Key == "src" || a.Key == "srcset" || a.Key == "href" && n.Data == "link" && attr(n, "rel") != "canonical" && attr(n, "rel") != "alternate") && !strings.HasPrefix(a.Val, "/"):
						t.Errorf("%s: <%s> loads %q, which is not ours", path, n.Data, a.Val)
					case a.Key == "href" && strings.HasPrefix(strings.ToLower(a.Val), "javascript:"):
						t.Errorf("%s: link to %q", path, a.Val)
					}
					if a.Key == "src" || n.Data == "link" && strings.HasPrefix(a.Val, "/static/") {
						if name, ok := strings.CutPrefix(a.Val, "/static/"); ok {
							if _, ok := StaticAsset(name); !ok {
								t.Errorf("%s: no asset %s", path, name)
							}
						}
					}
				}
				if n.Data == "script" && attr(n, "src") == "" && attr(n, "type") != "application/json" && attr(n, "type") != "application/ld+json" {
					t.Errorf("%s: an inline script", path)
				}
				if n.Data == "script" && attr(n, "src") == "" && !json.Valid([]byte(n.FirstChild.Data)) {
					t.Errorf("%s: %s is not JSON: %.80s", path, attr(n, "type"), n.FirstChild.Data)
				}
				if n.Data == "img" && !hasAttr(n, "alt") {
					t.Errorf("%s: an image without alt", path)
				}
			}
			for id, n := range ids {
				if n > 1 {
					t.Errorf("%s: id %q stands %d times", path, id, n)
				}
			}
			for _, id := range wanted {
				if ids[id] == 0 {
					t.Errorf("%s: nothing has the id %q", path, id)
				}
			}
			if !strings.Contains(path, "fragment") && h1 != 1 {
				t.Errorf("%s: %d h1, want one", path, h1)
			}
		}
	}
}

func attr(n *html.Node, key string) string {
	for _, a := range n.Attr {
		if a.Key == key {
			return a.Val
		}
	}
	return ""
}

func hasAttr(n *html.Node, key string) bool {
	return slices.ContainsFunc(n.Attr, func(a html.Attribute) bool { return a.Key == key })
}

// TestStylesheets finds what the policy refuses or a reader of another direction would miss.
func TestStylesheets(t *testing.T) {
	files, err := filepath.Glob("styles/*.css")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	physical := regexp.MustCompile(`(?m)(?:^|[;{\s])(margin|padding|border)-(left|right):|text-align: (left|right)|float: (left|right)`)
	for _, name := range files {
		raw, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(raw, []byte("data:")) || bytes.Contains(raw, []byte("url(")) {
			t.Errorf("%s loads something", name)
		}
		if m := physical.Find(raw); m != nil {
			t.Errorf("%s: %q is of one writing direction", name, m)
		}
	}
}

// TestHostile puts an attack into every text of every view: it must come out as text.
func TestHostile(t *testing.T) {
	evil := `"><script>alert(1)</script><img src=x onerror=alert(1)>` + "\u202e' onmouseover='x" + `</script><!--`
	page := Page{Lang: "fr", Path: "//evil.example/\"><script>", Title: evil, Description: evil, Canonical: evil, ImageURL: evil, Now: previewNow,
		Site: Site{Name: evil, Territory: evil, Tagline: evil, Accent: evil, LogoURL: "javascript:alert(1)", PublicURL: "https://a.example", Languages: []string{"fr", "en", evil}, ReportURL: "javascript:{slug}", SignUpURL: "//evil.example", AddURL: "data:text/html,x"}}
	cat := Category{ID: evil, Label: evil, Icon: evil, Color: `#fff" onload="alert(1)`}
	card := Card{ID: evil, Slug: evil, Name: evil, Kind: evil, Category: cat, Town: evil, Summary: evil, Origin: evil, PrintLine: evil, Number: 1, Position: &Position{Lon: math.Inf(1), Lat: math.NaN()},
		Alive: Alive{Status: evil, Next: &Occurrence{Start: previewNow, Name: evil, Status: evil}}}
	q := Query{Q: evil, Kinds: []string{evil}, Categories: []string{evil}, Tags: []string{evil}, Place: evil, Zone: evil, Datetime: evil, OpenAt: evil, Sort: evil, After: evil, Lang: evil, View: evil}
	m := MapView{Bounds: Bounds{1, 2, 3, 4}, Categories: []Category{cat}, Credits: []Credit{{Name: evil, URL: "javascript:alert(1)", Licence: evil, LicenceURL: "vbscript:x", Note: evil}}, BaseTiles: evil, DarkImage: true}
	home := HomeView{Query: q, Cards: []Card{card}, Total: 1, Directory: 5, Categories: []Chip{{Category: cat, Selected: true, Children: []Chip{{Category: cat}}}}, Kinds: []Chip{{Category: cat}}, Next: evil,
		Sorts: []string{evil}, Labels: map[string]string{evil: evil}, Notices: []string{evil}, Map: m, Command: evil, DataDir: evil}
	none := home
	none.Cards, none.Nearest, none.Suggestion, none.Everywhere, none.Total = nil, []Card{card}, evil, 2, 0
	entry := EntryView{ID: evil, Slug: evil, Name: evil, Kind: "event", Lang: evil, Category: cat, Categories: []Category{cat}, Tags: []string{evil}, Town: evil, Summary: evil, Address: Address{evil, evil, evil, evil, evil},
		Position: &Position{Lon: 4, Lat: 45}, Sites: []Place{{Name: evil}, {Name: evil}}, Area: evil, Contact: Contact{evil, []string{evil}, []string{evil}, []string{"javascript:alert(1)", evil}},
		Links: []Link{{evil, evil, "javascript:alert(1)"}, {evil, evil, "https://a.example/\"onclick=\""}}, Hours: &Hours{Raw: evil, Comment: evil, Days: []HoursDay{{0, []string{evil}, true}}},
		Images: []Image{{URL: "javascript:alert(1)", Alt: evil}, {URL: "/x.jpg\" onload=\"x", Alt: evil, Credit: evil, Licence: evil}}, Accessibility: []Fact{{evil, evil}, {"note", evil}},
		Event:   &EventView{Occurrence: Occurrence{Start: previewNow, Status: evil}, TimeZone: evil, Recurrence: evil, OnlineURL: "javascript:x", RegisterURL: "data:x", Price: evil, Languages: []string{evil}},
		Related: []RelatedGroup{{evil, []Card{card}}}, Licence: Licence{evil, evil, "javascript:x"}, Source: &Source{evil, "javascript:x"}, Origin: &Source{evil, evil}, SchemaType: evil, Back: "//evil.example", Map: m, Notices: []string{evil}}
	views := map[string]templ.Component{
		"home": Home(page, home), "empty": Home(page, none), "first": Home(page, HomeView{Command: evil, DataDir: evil}), "entry": Entry(page, entry),
		"history": History(page, HistoryView{evil, evil, []Change{{Author: evil, Operation: evil, Note: evil, Fields: []FieldChange{{evil, evil, "x" + evil}}}}, evil, evil}),
		"queue": Queue(page, QueueView{Tabs: []QueueTab{{Show: evil, URL: evil}}, Done: evil, Wrong: evil, Next: evil, Items: []QueueItem{{ID: evil, Type: evil, Name: evil, Kind: evil,
			Category: Category{Label: evil}, Town: evil, Author: evil, Note: evil, Fields: []FieldChange{{evil, evil, "x" + evil}}, Same: []QueueSame{{evil, evil, evil, []string{evil}, evil}}, PageURL: evil,
			EditURL: evil, VersionsURL: evil, MapURL: evil, Action: evil, Asked: &QueueQuestion{Text: evil}, Report: evil, Choices: []string{evil}, Reason: evil, Problem: evil}}}),
		"merge": Merge(page, MergeView{Kept: MergeSide{evil, evil, evil, evil, evil, evil, 1}, Other: &MergeSide{evil, evil, evil, evil, evil, evil, 1}, TeamSize: 1, Note: evil, Wrong: evil,
			Fields: []MergeField{{Field: evil, Kept: []MergeValue{{evil, evil}}, Other: []MergeValue{{"x", evil}}}}, United: []FieldChange{{evil, evil, "x" + evil}}}),
		"taxonomy": Taxonomy(page, TaxonomyView{Lines: []TaxonomyLine{{Category: Category{evil, evil, evil, evil}, Former: []string{evil}}}, Add: evilCategory(evil), Done: evil, Wrong: []string{evil}}),
		"category": TaxonomyCategory(page, TaxonomyView{Add: evilCategory(evil), Category: Category{evil, evil, evil, evil}, Wrong: []string{evil}}),
		"imports": Imports(page, ImportsView{Lines: []ImportLine{{Name: evil, Note: evil, Author: evil, Licence: evil, File: evil, Sources: []string{evil}, URL: evil, UndoURL: evil}},
			Working: []ImportLine{{Name: evil, URL: evil, State: evil}}, Wrong: evil, Typed: url.Values{"source": {evil}, "licence": {evil}, "source_url": {evil}, "lang": {evil}, "timezone": {evil}}}),
		"import":       Import(page, ImportView{ID: evil, State: "tried", Batch: evil, File: evil, Source: evil, Licence: evil, Author: evil, Error: evil, Failed: 9, LeftOut: []ImportIssue{{1, 1, evil, evil, evil, evil}}}),
		"undo":         ImportUndo(page, evil),
		"sources":      SourcesPage(page, SourcesView{Sources: []SourceTerms{{evil, evil, evil, evil, []string{evil}, 1}}, Done: evil, Wrong: evil}),
		"merge choice": Merge(page, MergeView{Kept: MergeSide{evil, evil, evil, evil, evil, evil, 1}, Typed: evil, Same: []QueueSame{{evil, evil, evil, []string{evil}, evil}}}),
		"versions": Versions(page, VersionsView{Slug: evil, Name: evil, MergeURL: evil, IntoName: evil, IntoURL: evil, PartURL: evil, MayUnmerge: true, Public: true, Compared: true, MayRevert: true, Fields: []FieldChange{{evil, evil, "x" + evil}}, Note: evil, Done: evil, Wrong: evil,
			Older: evil, Lines: []VersionLine{{Author: evil, Operation: evil, Status: evil, Name: evil, Note: evil}}}),
		"report":  Report(page, ReportView{Slug: evil, Name: evil, Categories: []string{evil}, Category: evil, Text: evil, Sender: evil, Wrong: map[string]string{"text": evil, "sender": evil, "category": evil}}),
		"about":   About(page, AboutView{Operator: evil, Contact: "javascript:alert(1)@x", Address: evil, Sources: m.Credits, Basemap: m.Credits, Version: evil, SourceURL: "javascript:x", APIURL: "javascript:x"}),
		"problem": ProblemPage(page, ProblemView{Status: 400, Problems: []Problem{{evil, evil, map[string]any{evil: evil, "": evil}}}, Name: evil, Kept: url.Values{evil: {evil}}, RetryURL: "javascript:x", RequestID: evil, Nearest: []Card{card}}),
		"gone":    ProblemPage(page, ProblemView{Status: 410, Name: evil, Kept: url.Values{"q": {evil}}, RetryURL: "//evil.example/x", Method: evil}),
	}
	for name, view := range views {
		var b bytes.Buffer
		if err := view.Render(context.Background(), &b); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		doc, err := html.Parse(&b)
		if err != nil {
			t.Fatal(err)
		}
		for n := range doc.Descendants() {
			if n.Type != html.ElementNode {
				continue
			}
			if n.Data == "script" && attr(n, "src") == "" && !strings.HasPrefix(attr(n, "type"), "application/") {
				t.Errorf("%s: a script got in", name)
			}
			if n.Data == "img" && attr(n, "src") == "x" {
				t.Errorf("%s: an image got in", name)
			}
			for _, a := range n.Attr {
				v := strings.ToLower(strings.TrimSpace(a.Val))
				if strings.HasPrefix(a.Key, "on") {
					t.Errorf("%s: <%s %s>", name, n.Data, a.Key)
				}
				if (a.Key == "href" || a.Key == "src" || a.Key == "action") && (strings.HasPrefix(v, "javascript:") || strings.HasPrefix(v, "data:") || strings.HasPrefix(v, "vbscript:") || strings.HasPrefix(v, "//")) {
					t.Errorf("%s: <%s %s=%q>", name, n.Data, a.Key, a.Val)
				}
			}
		}
	}
}

func TestQuery(t *testing.T) {
	in := "bbox=4,45.1,5,46&category=food&category=repair&category=food&kind=place&near=4.38721,45.43971&open_at=now&q=+jardin+&radius=5000&tag=a%26b&x=1"
	v, err := url.ParseQuery(in)
	if err != nil {
		t.Fatal(err)
	}
	q := ParseQuery(v)
	want := "/?bbox=4%2C45.1%2C5%2C46&category=food&category=repair&kind=place&near=4.387%2C45.44&open_at=now&q=jardin&radius=5000&tag=a%26b"
	if got := q.URL("/"); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got := q.Toggle("category", "food").Toggle("kind", "event").Categories; !slices.Equal(got, []string{"repair"}) || !slices.Equal(q.Categories, []string{"food", "repair"}) {
		t.Errorf("toggle: got %v, and the original is %v", got, q.Categories)
	}
	if got := (Query{After: "k", Kinds: []string{"place"}}).Toggle("kind", "place"); got.After != "" || got.Kinds == nil && len(got.Values()) != 0 {
		t.Errorf("a changed filter goes back to the first page: %+v", got)
	}
	if got := q.WithoutArea(); got.BBox != nil || got.Near != nil || got.Radius != 0 || got.Q != "jardin" {
		t.Errorf("without area: %+v", got)
	}
	if got := TilesURL(q); strings.Contains(got, "bbox") || !strings.HasPrefix(got, "/tiles/entries/{z}/{x}/{y}.mvt?") || !strings.Contains(got, "radius=5000") {
		t.Errorf("tiles: %s", got)
	}
	for _, bad := range []string{"bbox=1,2,3", "bbox=a,b,c,d", "bbox=NaN,1,2,3", "near=1", "near=1,Inf", "radius=x"} {
		v, _ := url.ParseQuery(bad)
		if q := ParseQuery(v); q.BBox != nil || q.Near != nil || q.Radius != 0 {
			t.Errorf("%s was read as %+v", bad, q)
		}
	}
	if (Query{View: "map", Lang: "en", Sort: "name"}).Filtered() || !q.Filtered() {
		t.Error("Filtered is about what narrows the list, and nothing else")
	}
}

func TestBounds(t *testing.T) {
	for _, c := range []struct {
		name      string
		got, want Bounds
	}{
		{"east", Bounds{0, 0, 10, 10}.moved(0.5, 0), Bounds{5, 0, 15, 10}},
		{"over the antimeridian", Bounds{170, 0, 180, 10}.moved(0.5, 0), Bounds{175, 0, -175, 10}},
		{"no further than the map", Bounds{0, 70, 10, 84}.moved(0, 1), Bounds{0, 71, 10, 85}},
		{"in", Bounds{0, 0, 8, 8}.zoomed(0.5), Bounds{2, 2, 6, 6}},
		{"in across the antimeridian", Bounds{170, 0, -170, 20}.zoomed(0.5), Bounds{175, 5, -175, 15}},
		{"out to the whole world", Bounds{-170, -80, 170, 80}.zoomed(4), Bounds{-180, -85, 180, 85}},
	} {
		if c.got != c.want {
			t.Errorf("%s: got %v, want %v", c.name, c.got, c.want)
		}
	}
}

func TestDiffWords(t *testing.T) {
	long := strings.Repeat("mot ", 4000)
	for _, c := range [][2]string{{"", ""}, {"", "a"}, {"a b", ""}, {"un atelier de vélo", "un grand atelier"}, {"a\nb", "a b"}, {long + "x " + long, long + "y " + long}, {strings.Repeat("a b ", 2000), strings.Repeat("c d ", 2000)}} {
		var before, after strings.Builder
		for _, e := range diffWords(c[0], c[1]) {
			if e.op != '+' {
				before.WriteString(e.text)
			}
			if e.op != '-' {
				after.WriteString(e.text)
			}
		}
		if before.String() != c[0] || after.String() != c[1] {
			t.Errorf("%.40q to %.40q: the pieces make %.40q and %.40q", c[0], c[1], before.String(), after.String())
		}
	}
	if got := fmt.Sprint(diffWords("un atelier de vélo", "un grand atelier de vélo")); got != "[{0 un } {43 grand } {0 atelier de vélo}]" {
		t.Errorf("got %s", got)
	}
}

func TestStructuredData(t *testing.T) {
	p := previewPage(httptest.NewRequest("GET", "http://a.example/e/x", nil))
	read := func(v EntryView) map[string]any {
		var doc map[string]any
		if err := json.Unmarshal([]byte(entryJSONLD(p, v)), &doc); err != nil {
			t.Fatal(err)
		}
		return doc
	}
	org := read(previewEntryView(0))
	if org["@type"] != "Organization" || org["location"].(map[string]any)["geo"].(map[string]any)["longitude"] != 4.3872 || org["geo"] != nil {
		t.Errorf("an organisation has its point in location.geo: %v", org)
	}
	if org["url"] != "http://a.example/e/fiche-0" {
		t.Errorf("url %v, want an absolute one", org["url"])
	}
	event := read(previewEntryView(3))
	if event["@type"] != "Event" || event["startDate"] != "2026-11-28T10:30:00Z" || event["eventStatus"] != "https://schema.org/EventScheduled" || event["location"] == nil {
		t.Errorf("event: %v", event)
	}
	library := previewEntryView(6)
	library.SchemaType = "Library"
	if doc := read(library); doc["@type"] != "Library" || doc["geo"] == nil {
		t.Errorf("library: %v", doc)
	}
	nowhere := previewEntryView(1)
	nowhere.Position.Lat = math.NaN()
	read(nowhere)
}

func TestSafeLink(t *testing.T) {
	for in, want := range map[string]string{
		"https://a.example/x?y=1": "https://a.example/x?y=1", "/e/x": "/e/x", "mailto:a@b.example": "mailto:a@b.example", "tel:+33477": "tel:+33477",
		"javascript:alert(1)": "", " JaVaScRiPt:alert(1)": "", "data:text/html,x": "", "//evil.example": "", `/\evil.example`: "", "https:///x": "", "x": "", "": "", "ht\ntp://a": "", "file:///etc/passwd": "",
	} {
		if got := string(safeLink(in)); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
	if got := telLink("04 77 (0) 12.34"); got != "tel:047701234" {
		t.Errorf("got %s", got)
	}
}

func TestIcons(t *testing.T) {
	names := Icons()
	if len(names) < 100 {
		t.Fatalf("%d icons", len(names))
	}
	for _, name := range append([]string{"island"}, kinds...) {
		if !slices.Contains(names, name) {
			t.Errorf("our own icon %s is missing", name)
		}
	}
	sources, err := filepath.Glob("*.templ")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range append(sources, "views.go") {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`@icon\("([a-z0-9-]+)"\)|aliveLine\{"[a-z ]*", "([a-z0-9-]+)"`).FindAllStringSubmatch(string(raw), -1) {
			if name := m[1] + m[2]; !slices.Contains(names, name) {
				t.Errorf("%s draws %q, which icons.txt does not name", file, name)
			}
		}
	}
}

func evilCategory(evil string) CategoryForm {
	options := []Option{{Value: evil, Label: evil}}
	return CategoryForm{ID: evil, Parent: evil, Icon: evil, Color: evil, Texts: []CategoryText{{evil, evil, evil, evil, true}}, Synonyms: evil, OSM: evil, Needs: evil, Schema: options,
		Icons: []string{evil}, Parents: options, Others: options, Former: []string{evil}}
}
