package geocode

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/paulmach/orb"
)

// The answers below follow the two projects' documentation.
const (
	photonAnswer = `{"type":"FeatureCollection","features":[{"type":"Feature","properties":{"osm_type":"R","osm_id":117858,"osm_key":"place","osm_value":"city",
		"type":"city","postcode":"42000","countrycode":"FR","name":"Saint-Étienne","county":"Loire","state":"Auvergne-Rhône-Alpes","country":"France",
		"extent":[4.2,45.5,4.5,45.36]},"geometry":{"type":"Point","coordinates":[4.387,45.44]}},
		{"type":"Feature","properties":{"osm_type":"N","osm_id":5,"type":"house","housenumber":"8","street":"Rue Michelet","postcode":"42000","city":"Saint-Étienne","countrycode":"FR","country":"France"},
		"geometry":{"type":"Point","coordinates":[4.389,45.437]}}]}`
	addokAnswer = `{"type":"FeatureCollection","version":"draft","features":[{"type":"Feature","geometry":{"type":"Point","coordinates":[4.389,45.437]},
		"properties":{"label":"8 Rue Michelet 42000 Saint-Étienne","score":0.97,"housenumber":"8","id":"42218_4460_00008","name":"8 Rue Michelet",
		"postcode":"42000","citycode":"42218","x":808500.1,"y":6480000.2,"city":"Saint-Étienne","context":"42, Loire, Auvergne-Rhône-Alpes","type":"housenumber",
		"importance":0.71,"street":"Rue Michelet"}}],"attribution":"BAN","licence":"ETALAB-2.0","query":"8 rue michelet","limit":5}`
)

func TestPhoton(t *testing.T) {
	t.Parallel()
	var asked []string
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.String())
		if r.URL.Path == "/status" {
			io.WriteString(w, `{"status":"Ok","import_date":"2026-01-01T00:00:00Z"}`)
			return
		}
		io.WriteString(w, photonAnswer)
	}))
	defer web.Close()
	s, err := NewPhoton(ServerOptions{URL: web.URL + "/", UserAgent: "archipel-test", Timeout: soon})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	ctx := context.Background()
	near := orb.Point{4.4, 45.4}
	got, err := s.Search(ctx, Query{Street: "8 rue Michelet", City: "Saint-Étienne", Postcode: "42000", Language: "fr-FR", Near: &near})
	if err != nil || got[0].Label != "8 Rue Michelet, 42000 Saint-Étienne, France" || got[0].Kind != KindHouse || got[0].OSMType != "node" || got[0].Codes.Country != "FR" {
		t.Errorf("got %+v, %v", got, err)
	}
	if asked[0] != "/api?lang=fr&lat=45.5&limit=10&lon=4.5&q=8+rue+michelet%2C+42000+saint-%C3%A9tienne" {
		t.Errorf("asked %s", asked[0])
	}
	got, err = s.Search(ctx, Query{Text: "saint étienne", Language: "es"})
	if err != nil || got[0].Name != "Saint-Étienne" || got[0].Kind != KindCommune || got[0].Box != (Box{4.2, 45.36, 4.5, 45.5}) || got[0].OSMType != "relation" {
		t.Errorf("got %+v, %v", got, err)
	}
	if _, err := s.Reverse(ctx, near, "fr"); err != nil {
		t.Error(err)
	}
	if _, err := s.Search(ctx, Query{Text: "---"}); !errors.Is(err, ErrBadQuery) {
		t.Errorf("got %v", err)
	}
	if err := s.Health(ctx); err != nil {
		t.Error(err)
	}
}

func TestAddok(t *testing.T) {
	t.Parallel()
	var asked []string
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.String())
		io.WriteString(w, addokAnswer)
	}))
	defer web.Close()
	s, err := NewAddok(ServerOptions{URL: web.URL, UserAgent: "archipel-test", Timeout: soon})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	got, err := s.Search(context.Background(), Query{Street: "8 rue Michelet", City: "Saint-Étienne", Postcode: "42000", Country: "France"})
	if err != nil || got[0].Label != "8 Rue Michelet, 42000 Saint-Étienne" || got[0].Kind != KindHouse || got[0].Codes.INSEE != "42218" || got[0].Importance != 0.71 || got[0].OSMType != "" {
		t.Errorf("got %+v, %v", got, err)
	}
	if asked[0] != "/search/?limit=10&postcode=42000&q=8+rue+michelet%2C+42000+saint-%C3%A9tienne" {
		t.Errorf("asked %s", asked[0])
	}
	if _, err := s.Search(context.Background(), Query{Text: "a"}); !errors.Is(err, ErrBadQuery) {
		t.Errorf("got %v", err)
	}
	if err := s.Health(context.Background()); err != nil {
		t.Error(err)
	}
}
