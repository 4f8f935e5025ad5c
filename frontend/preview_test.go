package frontend

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/a-h/templ"
	"github.com/paulmach/orb"
	"github.com/paulmach/orb/encoding/mvt"
	"github.com/paulmach/orb/geojson"
	"github.com/paulmach/orb/maptile"
)

// previewNow is the moment of every preview: a Saturday morning.
var previewNow = time.Date(2026, 11, 21, 10, 30, 0, 0, time.UTC)

var previewCategories = []Category{
	{"food", "Alimentation", "carrot", "#4f7a28"}, {"repair", "Réparer et réemployer", "hammer", "#a4571c"},
	{"move", "Se déplacer", "bike", "#1f6f8b"}, {"energy", "Énergie et climat", "sun", "#b58900"},
	{"nature", "Nature et jardins", "sprout", "#2f7d4f"}, {"culture", "Culture et rencontres", "theater", "#8a3f74"},
	{"learn", "Apprendre", "book-open", "#4a5aa8"}, {"money", "Économie solidaire", "hand-coins", "#7a5c2e"},
	{"care", "Soin et entraide", "heart", "#b23a48"}, {"digital", "Numérique libre", "cpu", "#52606d"},
}

type previewEntry struct {
	name, kind, town, summary string
	category                  int
	lon, lat                  float64
}

var previewEntries = []previewEntry{
	{"La Fourmilière", "organisation", "Saint-Étienne", "Atelier partagé où l’on répare, fabrique et transmet, du vélo à la machine à coudre.", 1, 4.3872, 45.4397},
	{"Le Potager du Furan", "place", "Saint-Étienne", "Jardin collectif ouvert à toutes et tous le mercredi et le samedi, graines à échanger.", 4, 4.3921, 45.4455},
	{"Épicerie La Bonne Mesure", "place", "Saint-Étienne", "Vrac, légumes de la Loire et pain du fournil voisin ; gérée par ses adhérent·es.", 0, 4.3815, 45.4362},
	{"Repair café du Crêt de Roc", "event", "Saint-Étienne", "Apportez votre grille-pain : on le répare ensemble, autour d’un café.", 1, 4.3990, 45.4412},
	{"Véloroute des Gorges", "initiative", "Saint-Victor-sur-Loire", "Collectif pour une voie cyclable continue entre le barrage de Grangent et le centre.", 2, 4.2560, 45.4480},
	{"Soleil en partage", "initiative", "Firminy", "Toitures solaires citoyennes : quatre installations, deux cents foyers associés.", 3, 4.2880, 45.3880},
	{"Bibliothèque d’objets du Forez", "place", "Montbrison", "On y emprunte une perceuse, une tente ou un appareil à raclette, pour presque rien.", 1, 4.0650, 45.6070},
	{"AMAP de la Plaine", "organisation", "Feurs", "Paniers de saison le jeudi soir, treize fermes à moins de vingt kilomètres.", 0, 4.2260, 45.7420},
	{"Café associatif Le Grand Huit", "place", "Roanne", "Un lieu pour ne rien acheter, ou un café : jeux, débats, concerts du vendredi.", 5, 4.0720, 46.0340},
	{"Coopérative Les Tisserandes", "organisation", "Panissières", "Filature et couture en circuit court, laine des monts du Lyonnais.", 7, 4.3420, 45.7890},
	{"Fête des possibles", "event", "Saint-Chamond", "Une journée pour rencontrer celles et ceux qui font la transition dans la vallée du Gier.", 5, 4.5130, 45.4750},
	{"École de la terre", "organisation", "Saint-Just-Saint-Rambert", "Maraîchage, greffe et taille : des chantiers pour apprendre en faisant.", 6, 4.2620, 45.4990},
	{"Réseau d’entraide du Soleil", "organisation", "Saint-Étienne", "Courses, papiers, visites : des voisin·es au téléphone tous les matins.", 8, 4.4060, 45.4300},
	{"Atelier du logiciel libre", "place", "Saint-Étienne", "Donnez une seconde vie à votre ordinateur et reprenez la main sur vos données.", 9, 4.3850, 45.4500},
	{"Compost de la place Jacquard", "initiative", "Saint-Étienne", "Quarante familles, trois bacs, une permanence le dimanche à onze heures.", 4, 4.3795, 45.4432},
	{"Recyclerie des Monts", "place", "Saint-Genest-Malifaux", "Meubles, vaisselle et livres collectés dans le Pilat, remis en état sur place.", 1, 4.4160, 45.3410},
}

func previewCard(i int) Card {
	e := previewEntries[i]
	c := Card{
		ID: fmt.Sprintf("019a0000-0000-7000-8000-%012d", i), Slug: fmt.Sprintf("fiche-%d", i), Name: e.name, Kind: e.kind, Category: previewCategories[e.category],
		Town: e.town, Summary: e.summary, Position: &Position{Lon: e.lon, Lat: e.lat, Approximate: i == 4}, Number: i + 1,
		PrintLine: "12 rue de la République, " + e.town, PrintPhone: "04 77 00 00 00", PrintHours: "me 14:00–18:00, sa 10:00–12:30",
		Distance: 180 + float64(i*i)*420, Fictitious: true,
	}
	c.Alive.Checked = previewNow.AddDate(0, -i%14-1, 0)
	c.Alive.Stale = i%14 > 11
	switch i % 4 {
	case 0:
		c.Alive.Open, c.Alive.Until = Open, previewNow.Add(8*time.Hour+30*time.Minute)
	case 1:
		c.Alive.Open, c.Alive.Until = Closed, previewNow.AddDate(0, 0, 1).Add(-30*time.Minute)
	}
	if e.kind == "event" {
		c.Alive = Alive{Next: &Occurrence{Start: previewNow.AddDate(0, 0, 7), End: previewNow.AddDate(0, 0, 7).Add(2 * time.Hour)}}
	}
	if i == 0 {
		c.Alive.Next = &Occurrence{Start: previewNow.AddDate(0, 0, 4), Name: "atelier vélo"}
	}
	if i == 10 {
		c.Alive.Status = "cancelled"
	}
	if i == 8 {
		c.Origin = "Archipel du Roannais"
	}
	return c
}

func previewPage(r *http.Request) Page {
	site := Site{Name: "Archipel de la Loire", Territory: "Saint-Étienne et la Loire", PublicURL: "http://" + r.Host, Languages: []string{"fr", "en"}, Demo: true,
		ReportURL: "mailto:bonjour@example.org?subject={slug}", Accent: r.URL.Query().Get("accent")}
	return Page{Lang: Negotiate(r.URL.Query().Get("lang"), "", r.Header.Get("Accept-Language"), site.Languages, "fr"), Path: r.URL.RequestURI(),
		Description: "Organisations, lieux, initiatives et événements de la transition près de chez vous.",
		Canonical:   site.PublicURL + r.URL.RequestURI(), ImageURL: site.PublicURL + "/map.png?w=1200&h=630", Now: previewNow, Site: site, Light: r.URL.Query().Get("light") == "1"}
}

func previewMap() MapView {
	return MapView{Bounds: Bounds{3.9, 45.3, 4.75, 46.1}, Categories: previewCategories, MaxZoom: 16, BaseMaxZoom: 9,
		Credits: []Credit{{Name: "Natural Earth", URL: "https://www.naturalearthdata.com/"}, {Name: "GeoNames", URL: "https://www.geonames.org/", Licence: "CC BY 4.0", LicenceURL: "https://creativecommons.org/licenses/by/4.0/"}}}
}

func previewHome(q Query) HomeView {
	v := HomeView{Query: q, Directory: 214, Everywhere: 0, Map: previewMap()}
	for i, e := range previewEntries {
		if q.BBox != nil && (e.lon < q.BBox.West || e.lon > q.BBox.East || e.lat < q.BBox.South || e.lat > q.BBox.North) {
			continue
		}
		if len(q.Categories) > 0 && !contains(q.Categories, previewCategories[e.category].ID) || len(q.Kinds) > 0 && !contains(q.Kinds, e.kind) ||
			q.Q != "" && !strings.Contains(strings.ToLower(e.name+e.town), strings.ToLower(q.Q)) {
			continue
		}
		c := previewCard(i)
		c.Number = len(v.Cards) + 1
		v.Cards = append(v.Cards, c)
	}
	v.Total = len(v.Cards)
	if v.Total == 0 {
		v.Everywhere, v.Nearest = 3, []Card{previewCard(0), previewCard(6)}
	}
	if v.Total > 14 {
		v.Next = "key-14"
		v.Total = 214
	}
	for i, c := range previewCategories {
		v.Categories = append(v.Categories, Chip{Category: c, Count: 41 - 3*i, Selected: contains(q.Categories, c.ID)})
	}
	for i, k := range kinds {
		v.Kinds = append(v.Kinds, Chip{Category: Category{ID: k}, Count: []int{78, 64, 39, 33}[i], Selected: contains(q.Kinds, k)})
	}
	return v
}

func contains(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}

func previewEntryView(i int) EntryView {
	c := previewCard(i)
	v := EntryView{ID: c.ID, Slug: c.Slug, Name: c.Name, Kind: c.Kind, Lang: "fr", Category: c.Category, Categories: []Category{previewCategories[6]}, Tags: []string{"réparation", "bénévolat"},
		Town: c.Town, Summary: c.Summary, DescriptionHTML: "<p>Chaque semaine, une vingtaine de bénévoles accueillent celles et ceux qui veulent réparer plutôt que jeter. On vient avec un objet, on repart avec un savoir-faire.</p><h3>Ce qu’on y trouve</h3><ul><li>des outils à main et électroportatifs</li><li>un atelier vélo</li><li>une table de couture</li></ul>",
		Address: Address{Street: "12 rue de la République", PostalCode: "42000", Town: c.Town}, Position: c.Position, Area: "Saint-Étienne Métropole",
		Contact:       Contact{Phones: []string{"04 77 00 00 00"}, Emails: []string{"bonjour@fourmiliere.example"}, Websites: []string{"https://fourmiliere.example/"}},
		Links:         []Link{{Rel: "mastodon", URL: "https://social.example/@fourmiliere"}, {Label: "Programme", URL: "https://fourmiliere.example/programme"}, {URL: "javascript:alert(1)", Label: "hostile"}},
		Hours:         &Hours{Days: []HoursDay{{time.Monday, nil, false}, {time.Wednesday, []string{"14:00–18:00"}, false}, {time.Saturday, []string{"10:00–12:30", "14:00–19:00"}, true}}},
		Accessibility: []Fact{{"wheelchair", "yes"}, {"hearing", "limited"}}, Alive: c.Alive,
		Related: []RelatedGroup{{"organises", []Card{previewCard(3), previewCard(10)}}, {"memberOf", []Card{previewCard(9)}}},
		Licence: Licence{ID: "ODbL-1.0", URL: "https://opendatacommons.org/licenses/odbl/"}, Source: &Source{"Recensement des lieux 2026", "https://data.example/lieux"},
		Updated: previewNow.AddDate(0, -1, 0), Version: 12, Fictitious: true, Map: previewMap()}
	v.Map.Bounds = Bounds{c.Position.Lon - 0.03, c.Position.Lat - 0.02, c.Position.Lon + 0.03, c.Position.Lat + 0.02}
	if c.Kind == "event" {
		v.Event = &EventView{Occurrence: *c.Alive.Next, Recurrence: "Chaque dernier samedi du mois", Price: "Prix libre", RegisterURL: "https://fourmiliere.example/inscription",
			Upcoming: []Occurrence{{Start: previewNow.AddDate(0, 1, 5), End: previewNow.AddDate(0, 1, 5).Add(2 * time.Hour)}, {Start: previewNow.AddDate(0, 2, 2), Status: "cancelled"}}}
	}
	return v
}

// previewHandler serves every page with made-up content, the way the real server does: same policy, same routes.
func previewHandler() http.Handler {
	mux := http.NewServeMux()
	page := func(full, fragment func(*http.Request) templ.Component, status int) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			c := full
			if fragment != nil && r.URL.Query().Get("fragment") != "" {
				c = fragment
			}
			w.WriteHeader(status)
			_ = c(r).Render(r.Context(), w)
		}
	}
	home := func(r *http.Request) HomeView { return previewHome(ParseQuery(r.URL.Query())) }
	entry := func(r *http.Request) EntryView {
		i, _ := strconv.Atoi(strings.TrimPrefix(r.PathValue("slug"), "fiche-"))
		return previewEntryView(i % len(previewEntries))
	}
	titled := func(r *http.Request, title string) Page {
		p := previewPage(r)
		p.Title = title
		return p
	}
	mux.HandleFunc("/{$}", page(func(r *http.Request) templ.Component { return Home(previewPage(r), home(r)) },
		func(r *http.Request) templ.Component { return HomeFragment(previewPage(r), home(r)) }, 200))
	mux.HandleFunc("/first", page(func(r *http.Request) templ.Component { return Home(previewPage(r), HomeView{DataDir: "./data"}) }, nil, 200))
	mux.HandleFunc("/e/{slug}", page(func(r *http.Request) templ.Component { return Entry(titled(r, entry(r).Name), entry(r)) },
		func(r *http.Request) templ.Component { return EntryFragment(titled(r, entry(r).Name), entry(r)) }, 200))
	mux.HandleFunc("/e/{slug}/history", page(func(r *http.Request) templ.Component {
		return History(titled(r, "Historique"), HistoryView{Slug: "fiche-0", Name: "La Fourmilière", Older: "3", Changes: []Change{
			{Seq: 42, At: previewNow, Author: "import", Operation: "update", Fields: []FieldChange{{"summary", "Atelier où l’on répare et fabrique.", "Atelier partagé où l’on répare, fabrique et transmet."}, {"openingHours", "", "We 14:00-18:00"}}},
			{Seq: 12, At: previewNow.AddDate(0, -2, 0), Operation: "redact", Redacted: true}, {Seq: 3, At: previewNow.AddDate(-1, 0, 0), Operation: "create"}}})
	}, nil, 200))
	mux.HandleFunc("/about", page(func(r *http.Request) templ.Component {
		return About(titled(r, "À propos"), AboutView{Entries: 214, Operator: "Association Les Îlots, Saint-Étienne", Contact: "bonjour@example.org", Version: "0.1.0", APIURL: "/api",
			Sources: []Credit{{Name: "Recensement des lieux 2026", Licence: "ODbL-1.0", LicenceURL: "https://opendatacommons.org/licenses/odbl/", Count: 132}}, Basemap: previewMap().Credits})
	}, nil, 200))
	for _, status := range []int{400, 404, 410, 500, 503} {
		mux.HandleFunc(fmt.Sprintf("/error/%d", status), page(func(r *http.Request) templ.Component {
			v := ProblemView{Status: status, Name: "La Fourmilière", RequestID: "01J9ZK"}
			if status == 400 {
				v.Problems = []Problem{{"bbox", "out_of_range", map[string]any{"value": "200", "min": -180, "max": 180}}, {"links[1].url", "scheme", map[string]any{"value": "javascript:alert(1)"}}}
			}
			if status == 503 {
				v.Kept, v.RetryURL = map[string][]string{"name": {"La Fourmilière"}, "summary": {strings.Repeat("Un atelier partagé. ", 8)}}, "/"
			}
			return ProblemPage(titled(r, "Erreur"), v)
		}, nil, status))
	}
	mux.HandleFunc("/static/{name}", func(w http.ResponseWriter, r *http.Request) {
		a, ok := StaticAsset(r.PathValue("name"))
		if !ok {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", a.ContentType)
		w.Header().Set("Cache-Control", CacheControl)
		_, _ = w.Write(a.Body)
	})
	mux.HandleFunc("/map.png", previewImage)
	mux.HandleFunc("/e/{slug}/map.png", previewImage)
	mux.HandleFunc("/tiles/", previewTile)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", "default-src 'self'")
		mux.ServeHTTP(w, r)
	})
}

func previewImage(w http.ResponseWriter, r *http.Request) {
	width, _ := strconv.Atoi(r.URL.Query().Get("w"))
	height, _ := strconv.Atoi(r.URL.Query().Get("h"))
	m := image.NewRGBA(image.Rect(0, 0, max(1, min(width, 2000)), max(1, min(height, 2000))))
	for y := range m.Rect.Max.Y {
		for x := range m.Rect.Max.X {
			c := color.RGBA{0xf6, 0xf1, 0xe4, 255}
			if math.Abs(float64(x)-float64(m.Rect.Max.X)*(0.4+0.1*math.Sin(float64(y)/90))) < 5 {
				c = color.RGBA{0xbc, 0xd8, 0xde, 255}
			}
			m.Set(x, y, c)
		}
	}
	var b bytes.Buffer
	_ = png.Encode(&b, m)
	w.Header().Set("Content-Type", "image/png")
	_, _ = w.Write(b.Bytes())
}

// previewTile serves /tiles/{entries,base}/{z}/{x}/{y}.mvt with the layers of the real ones.
func previewTile(w http.ResponseWriter, r *http.Request) {
	var layer string
	var z, x, y int
	if _, err := fmt.Sscanf(strings.ReplaceAll(strings.TrimSuffix(r.URL.Path, ".mvt"), "/", " "), " tiles %s %d %d %d", &layer, &z, &x, &y); err != nil || z < 0 || z > 22 {
		http.NotFound(w, r)
		return
	}
	tile := maptile.New(uint32(x), uint32(y), maptile.Zoom(z))
	var layers mvt.Layers
	if layer == "base" {
		earth := geojson.NewFeatureCollection().Append(geojson.NewFeature(orb.Polygon{{{-20, 30}, {30, 30}, {30, 60}, {-20, 60}, {-20, 30}}}))
		river := orb.LineString{}
		for lat := 44.5; lat < 47; lat += 0.02 {
			river = append(river, orb.Point{4.17 + 0.08*math.Sin(lat*9), lat})
		}
		water := geojson.NewFeatureCollection().Append(geojson.NewFeature(river))
		places := geojson.NewFeatureCollection()
		for i, p := range []struct {
			name     string
			lon, lat float64
		}{{"Saint-Étienne", 4.387, 45.44}, {"Roanne", 4.07, 46.036}, {"Montbrison", 4.065, 45.607}, {"Feurs", 4.226, 45.742}, {"Firminy", 4.288, 45.388}} {
			f := geojson.NewFeature(orb.Point{p.lon, p.lat})
			f.Properties = geojson.Properties{"name": p.name, "kind": "locality", "min_zoom": float64(i), "population_rank": 10 - i}
			places.Append(f)
		}
		layers = mvt.Layers{mvt.NewLayer("earth", earth), mvt.NewLayer("water", water), mvt.NewLayer("places", places)}
	} else {
		layers = previewEntryLayers(tile, previewHome(ParseQuery(r.URL.Query())).Cards)
	}
	layers.ProjectToTile(tile)
	layers.Clip(mvt.MapboxGLDefaultExtentBound)
	b, err := mvt.Marshal(layers)
	if err != nil {
		http.Error(w, err.Error(), 500)
		return
	}
	w.Header().Set("Content-Type", "application/vnd.mapbox-vector-tile")
	_, _ = w.Write(b)
}

func previewEntryLayers(tile maptile.Tile, cards []Card) mvt.Layers {
	entries, clusters := geojson.NewFeatureCollection(), geojson.NewFeatureCollection()
	var crowd []Card
	for _, c := range cards {
		at := orb.Point{c.Position.Lon, c.Position.Lat}
		if !tile.Bound().Contains(at) {
			continue
		}
		if tile.Z < 11 && strings.HasPrefix(c.Town, "Saint-Étienne") {
			crowd = append(crowd, c)
			continue
		}
		if c.Town == "Feurs" { // stands for two at one address, which no zoom takes apart
			f := geojson.NewFeature(at)
			f.Properties = geojson.Properties{"count": 2, "categories": "food:2", "id": 9, "zoom": 25}
			clusters.Append(f)
			continue
		}
		f := geojson.NewFeature(at)
		f.Properties = geojson.Properties{"id": c.ID, "slug": c.Slug, "name": c.Name, "kind": c.Kind, "category": c.Category.ID, "approximate": c.Position.Approximate}
		entries.Append(f)
	}
	if len(crowd) > 0 {
		f := geojson.NewFeature(orb.Point{4.3872, 45.4397})
		f.Properties = geojson.Properties{"count": len(crowd), "categories": "repair:3,nature:2,food:1", "id": 7}
		clusters.Append(f)
	}
	// As the real tiles do, show no two closer than 56 pixels: the first stands for the others.
	pixels := 256 * math.Exp2(float64(tile.Z)) / 360
	apart := geojson.NewFeatureCollection()
	for _, f := range entries.Features {
		near := func(other *geojson.Feature) bool {
			a, b := f.Geometry.(orb.Point), other.Geometry.(orb.Point)
			return math.Hypot((a[0]-b[0])*pixels, (a[1]-b[1])*pixels*1.42) < 56
		}
		if tile.Z < 11 || !slices.ContainsFunc(apart.Features, near) {
			apart.Append(f)
		}
	}
	entries = apart
	return mvt.Layers{mvt.NewLayer("entries", entries), mvt.NewLayer("clusters", clusters)}
}

// TestPreview serves the made-up pages on FRONTEND_PREVIEW (an address) until it is interrupted, to look at them.
func TestPreview(t *testing.T) {
	address := os.Getenv("FRONTEND_PREVIEW")
	if address == "" {
		t.Skip("FRONTEND_PREVIEW names no address: nobody wants to look at the pages")
	}
	server := &http.Server{Addr: address, Handler: previewHandler()}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, os.Interrupt)
	go func() {
		<-stop
		_ = server.Close()
	}()
	t.Logf("http://%s", address)
	if err := server.ListenAndServe(); err != http.ErrServerClosed {
		t.Fatal(err)
	}
}

func get(t *testing.T, path string) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	previewHandler().ServeHTTP(w, httptest.NewRequest("GET", path, nil))
	return w
}
