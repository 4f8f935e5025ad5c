package api_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"archipel/directory"

	"github.com/paulmach/orb/encoding/mvt"
)

func opening(name, hours string) directory.Entry {
	e := place(name, "Saint-Étienne", 4.39, 45.44)
	e.OpeningHours = hours
	return e
}

// now is a Friday, 10:00 in Paris.
func fillOpening(s *site) {
	s.put(
		opening("Bureau", "Mo-Fr 09:00-12:00,14:00-18:00; PH off"),
		opening("Bar", "Th-Sa 18:00-02:00"),
		opening("Automate", "24/7"),
		opening("Jardin", "Mo-Su sunrise-sunset"),
		opening("Secours", `"du lundi au vendredi, appelez"`),
		opening("Sans horaires", ""),
		event("Fête", now.Add(time.Hour), ""),
	)
}

func TestOpenAt(t *testing.T) {
	s := open(t)
	fillOpening(s)
	for at, want := range map[string]string{
		"now":                       "Automate|Bureau",
		"2027-03-12T09:00:00Z":      "Automate|Bureau",
		"2027-03-12T13:00:00+01:00": "Automate",
		"2027-03-13T01:59:59+01:00": "Automate|Bar",
		"2027-03-13T02:00:00+01:00": "Automate",
		"2027-03-12T17:30":          "Automate|Bureau",
		"2027-05-06T10:00":          "Automate", // Ascension
		"2027-03-12T10:00:00-05:00": "Automate|Bureau",
	} {
		for _, query := range []string{"open_at=" + url.QueryEscape(at), "open_at=" + at} {
			var c collection
			s.json("/api/collections/entries/items?"+query, &c)
			if c.names() != want || c.Matched != len(c.Features) {
				t.Errorf("%s: got %s, want %s", query, c.names(), want)
			}
			n := strings.Count(want, "|") + 1
			if got := s.sites("/tiles/entries/0/0/0.mvt?" + query); got != n {
				t.Errorf("%s: the tile has %d, want %d", query, got, n)
			}
			var exported collection
			if s.json("/entries.geojson?"+query, &exported); exported.names() != want {
				t.Errorf("%s: the export has %s", query, exported.names())
			}
			if lines := strings.Count(s.get("/entries.csv?"+query).body, "\n"); lines != n+1 {
				t.Errorf("%s: the CSV has %d lines", query, lines)
			}
			if feed := s.get("/entries.atom?" + query).body; strings.Count(feed, "<entry>") != n {
				t.Errorf("%s: the feed has %d", query, strings.Count(feed, "<entry>"))
			}
			page := s.get("/?"+query, "Accept-Language", "fr").body
			for name := range strings.SplitSeq(want, "|") {
				if !strings.Contains(page, name) {
					t.Errorf("%s: the page has no %s", query, name)
				}
			}
			if strings.Contains(page, "Sans horaires") {
				t.Errorf("%s: the page has what has no hours", query)
			}
		}
	}
}

// sites counts what a tile shows.
func (s *site) sites(path string) (n int) {
	s.t.Helper()
	a := s.get(path)
	layers, err := mvt.Unmarshal([]byte(a.body))
	if a.StatusCode != 200 || err != nil {
		s.t.Fatalf("%s: %d %v", path, a.StatusCode, err)
	}
	for _, l := range layers {
		for _, f := range l.Features {
			if count, ok := f.Properties["count"].(float64); ok {
				n += int(count)
			} else {
				n++
			}
		}
	}
	return n
}

func TestBadOpenAt(t *testing.T) {
	s := open(t)
	for _, value := range []string{"later", "10:00", "2027-03-12", "2027-13-01T10:00:00Z", "now/now", "2027-03-12T25:00", "2027-02-30T10:00:00Z", strings.Repeat("9", 5000)} {
		for _, path := range []string{"/api/collections/places/items", "/tiles/entries/0/0/0.mvt", "/entries.csv"} {
			a := s.get(path + "?open_at=" + value)
			if a.StatusCode != 400 || !strings.Contains(a.body, `"field":"open_at","code":"invalid"`) {
				t.Errorf("%s, %.20s: %d %.300s", path, value, a.StatusCode, a.body)
			}
		}
	}
}

func TestTilesOfOpenChangeByTheMinute(t *testing.T) {
	s := open(t)
	fillOpening(s)
	tag := func(at string) string { return s.get("/tiles/entries/0/0/0.mvt?open_at=" + at).Header.Get("ETag") }
	if tag("2027-03-12T09:00:00Z") != tag("2027-03-12T09:00:59Z") {
		t.Error("two tags in a minute")
	}
	if tag("2027-03-12T11:59:00Z") == tag("2027-03-12T12:00:00Z") {
		t.Error("the same tag in another minute")
	}
}

func TestOpenOnPages(t *testing.T) {
	s := open(t)
	fillOpening(s)
	home := s.get("/?lang=fr").body
	for _, want := range []string{
		"open_at=now", "Ouvert maintenant", "Ouvert jusqu’à 12:00", // the office
		"Fermé, ouvre aujourd’hui, 18:00",                                                                      // the bar
		"lu–ve 09:00–12:00, 14:00–18:00. Fermé les jours fériés.", "je–sa 18:00–02:00", "Mo-Su sunrise-sunset", // on paper
	} {
		if !strings.Contains(home, want) {
			t.Errorf("the home page lacks %q", want)
		}
	}
	if chosen := s.get("/?lang=fr&open_at=now").body; !strings.Contains(chosen, "(choisi, retirer)") {
		t.Error("the choice does not show")
	}
	for slug, wants := range map[string][]string{
		"bureau":   {"09:00–12:00, 14:00–18:00", `<tr class="today"><th scope="row">Vendredi</th><td>09:00`, `<th scope="row">Samedi</th><td>fermé`, "Fermé les jours fériés."},
		"bar":      {"18:00–02:00"},
		"automate": {"24 h sur 24"},
		"secours":  {"du lundi au vendredi, appelez"},
		"jardin":   {"à vérifier"},
	} {
		page := s.get("/e/" + slug + "?lang=fr").body
		for _, want := range wants {
			if !strings.Contains(page, want) {
				t.Errorf("%s lacks %q", slug, want)
			}
		}
	}
	if page := s.get("/e/bureau?lang=en").body; !strings.Contains(page, "Opening hours") || !strings.Contains(page, "Open until") {
		t.Error("no English")
	}
}
