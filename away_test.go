package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"archipel/search/meili/meilitest"
)

// addressStandIn is a Nominatim that can be cut off.
type addressStandIn struct {
	url  string
	away atomic.Bool
}

func newAddressStandIn(t *testing.T) *addressStandIn {
	s := &addressStandIn{}
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.away.Load() {
			panic(http.ErrAbortHandler) // the connection is cut
		}
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		switch r.URL.Path {
		case "/status":
			io.WriteString(w, `{"status":0,"message":"OK","data_updated":"2026-11-01T00:00:00+00:00","software_version":"5.2.0"}`)
		default:
			number, _, _ := strings.Cut(r.URL.Query().Get("q"), " ")
			fmt.Fprintf(w, `{"type":"FeatureCollection","features":[{"type":"Feature","properties":{"geocoding":{"osm_type":"node","osm_id":12,"type":"house",
				"housenumber":%q,"street":"Rue du Port","postcode":"26340","city":"Saillans","country":"France","country_code":"fr"}},"geometry":{"type":"Point","coordinates":[5.18,44.69]}}]}`, number)
		}
	}))
	t.Cleanup(web.Close)
	s.url = web.URL
	return s
}

// parts is what /readyz says of the parts that may be away.
func (p *program) parts() map[string]string {
	p.t.Helper()
	var doc struct {
		Ready bool
		Parts map[string]string
	}
	eventually(p.t, "the program is ready, whatever is away", func() bool {
		code, body := p.get("/readyz")
		if err := json.Unmarshal([]byte(body), &doc); err != nil {
			p.t.Fatalf("/readyz: %d %s %v", code, body, err)
		}
		return code == 200 && doc.Ready
	})
	return doc.Parts
}

// TestEnginesAway cuts off the search engine and the address server while the program runs. Pages go on and say so,
// /readyz tells, and what was written meanwhile is found when they are back, without a restart.
func TestEnginesAway(t *testing.T) {
	engine, addresses := meilitest.New(t, "key"), newAddressStandIn(t)
	dir := t.TempDir()
	p := serveIn(t, dir, "-demo", "-meili", engine.URL, "-meili-key", "key", "-nominatim", addresses.url)
	notes := func(query string) string {
		t.Helper()
		code, body := p.get("/?" + query)
		if code != 200 {
			t.Fatalf("/?%s: %d", query, code)
		}
		return body
	}
	const searchAway, addressAway = "La recherche complète ne répond pas", "Le service d’adresses ne répond pas"
	address := func(number int) string {
		return "q=" + url.QueryEscape(fmt.Sprintf("%d rue du Port, Saillans", number))
	}

	eventually(t, "the engine has everything", func() bool { return p.matched("q=v%C3%A9lo") > 5 && p.parts()["search"] == "ok" })
	eventually(t, "misspelt words are found", func() bool { return p.matched("q=tiers+liue") > 0 })
	// The program has little patience with either, and on a busy machine they may be late: then it asks again.
	eventually(t, "/readyz has an address server", func() bool { return p.parts()["geocoder"] == "ok" })
	eventually(t, "the address is offered", func() bool {
		body := notes(address(1))
		return strings.Contains(body, "1 Rue du Port") && !strings.Contains(body, searchAway) && !strings.Contains(body, addressAway)
	})

	// Both go.
	engine.Break(meilitest.Faults{Away: true})
	addresses.away.Store(true)
	began := time.Now()
	body := notes("q=fablab")
	if took := time.Since(began); took > time.Minute {
		t.Errorf("a page took %v without the engine", took)
	}
	if !strings.Contains(body, searchAway) || !strings.Contains(body, `class="card"`) {
		t.Error("without the engine the page says nothing, or finds nothing")
	}
	if n := p.matched("q=fablab"); n == 0 {
		t.Error("without the engine the API finds nothing")
	}
	if body := notes("zone=FR-42"); !strings.Contains(body, searchAway) || !strings.Contains(body, `class="card"`) {
		t.Error("without the engine a zone is empty, or nothing is said")
	}
	code, list := p.get("/complete?q=saint-et")
	if code != 200 || !strings.Contains(list, "Saint-Étienne (42)") {
		t.Errorf("without the engine completion gives %d %.200s", code, list)
	}
	if body := notes(address(2)); !strings.Contains(body, addressAway) || !strings.Contains(body, "<strong>Saillans (26)</strong>") {
		t.Error("without the address server the page says nothing, or forgets the town")
	}
	if body := notes(address(1)); !strings.Contains(body, "1 Rue du Port") {
		t.Error("a known address is forgotten while the server is away")
	}
	eventually(t, "/readyz tells", func() bool { got := p.parts(); return got["search"] != "ok" && got["geocoder"] != "ok" })

	// Something is written meanwhile.
	file := filepath.Join(dir, "new.csv")
	if err := os.WriteFile(file, []byte("Nom,Type,Latitude,Longitude,Ville\nZinzolin des Monts,Lieu,45.44,4.39,Saint-Étienne\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, problems, err := archipel(t, "import", "-data", dir, "-source", "new", "-licence", "CC0-1.0", file); err != nil {
		t.Fatalf("%v %s %s", err, out, problems)
	}
	eventually(t, "what is new is in the list without the engine", func() bool { return p.matched("q=zinzolin") == 1 })

	// Both come back, and misspelt words find what came meanwhile.
	engine.Break(meilitest.Faults{})
	addresses.away.Store(false)
	eventually(t, "what came meanwhile is found", func() bool { return p.matched("q=zinzolni") == 1 })
	eventually(t, "the page does not say any more that the engine is away", func() bool { return !strings.Contains(notes("q=zinzolin"), searchAway) })
	eventually(t, "/readyz tells that they are back", func() bool { got := p.parts(); return got["search"] == "ok" && got["geocoder"] == "ok" })
	number := 3
	eventually(t, "addresses are found again", func() bool {
		number++
		return strings.Contains(notes(address(number)), fmt.Sprintf("%d Rue du Port", number))
	})
}
