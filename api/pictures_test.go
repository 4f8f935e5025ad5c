package api_test

import (
	"net/http"
	"strings"
	"testing"

	"archipel/api/account"
)

// TestNumberedMaps looks for pictures that show another list than the one they stand beside.
func TestNumberedMaps(t *testing.T) {
	s := open(t)
	s.put(place("À Roanne", "Roanne", 4.07, 46.036, "coworking"), place("À Saint-Étienne", "Saint-Étienne", 4.39, 45.434, "coworking"), place("À Lyon", "Lyon", 4.835, 45.758, "coworking"))
	const (
		drawn    = "/map.png?w=300&h=200&sort=distance&"
		roanne   = drawn + "near=4.07,46.036"
		etienne  = drawn + "near=4.39,45.434"
		numbered = "&numbers=1"
	)
	seen := map[string]string{}
	for _, path := range []string{
		roanne + numbered, etienne + numbered, roanne + numbered + "&limit=1", roanne + numbered + "&limit=2", etienne + numbered + "&limit=2", roanne,
	} {
		a := s.get(path)
		tag := a.Header.Get("ETag")
		if a.StatusCode != http.StatusOK || !strings.HasPrefix(a.body, "\x89PNG") {
			t.Fatalf("%s: %d %.100q", path, a.StatusCode, a.body)
		}
		for other, body := range seen {
			if body == a.body {
				t.Errorf("%s is the picture of %s", path, other)
			}
			if had := s.get(path, "If-None-Match", s.get(other).Header.Get("ETag")); had.StatusCode != http.StatusOK {
				t.Errorf("%s: %d to who has %s", path, had.StatusCode, other)
			}
		}
		if again := s.get(path, "If-None-Match", tag); again.StatusCode != http.StatusNotModified {
			t.Errorf("%s: %d to who has it", path, again.StatusCode)
		}
		if cache, vary := a.Header.Get("Cache-Control"), a.Header.Get("Vary"); cache != "public, max-age=300" || !strings.Contains(vary, "Accept-Language") || !strings.Contains(vary, "Cookie") {
			t.Errorf("%s: Cache-Control %q, Vary %q", path, cache, vary)
		}
		seen[path] = a.body
	}
	if a, b := s.get(roanne).Header.Get("ETag"), s.get(etienne).Header.Get("ETag"); a != b {
		t.Error("without numbers where one is changes the picture")
	}
}

// TestMapsOfWhatWaits are for those who may see it, and for no cache on the way.
func TestMapsOfWhatWaits(t *testing.T) {
	tn := openTown(t)
	ana, mod := tn.somebody("ana", account.Member, "fr"), tn.somebody("mod", account.Moderator, "fr")
	e := ana.sends(place("En attente", "Lyon", 4.84, 45.76, "coworking"))
	for _, c := range []struct {
		who  *person
		path string
	}{{mod, "/moderate/entries/" + string(e.ID) + "/map.png"}, {ana, "/e/" + e.Slug + "/map.png"}} {
		if a := c.who.get(c.path); a.StatusCode != http.StatusOK || a.Header.Get("Cache-Control") != "private, no-store" {
			t.Errorf("%s: %d, %q", c.path, a.StatusCode, a.Header.Get("Cache-Control"))
		}
	}
}
