package api_test

import (
	"net/http"
	"testing"
	"time"

	"archipel/api"
	"archipel/directory"
	"archipel/directory/taxonomy"
	"archipel/geo"
	"archipel/geo/basemap"

	"github.com/paulmach/orb"
)

// TestNamesOfWhatIsNotPublic: servers are led from a page to its object only when it is public, or was. Of anything else they
// learn no more than of what does not exist.
func TestNamesOfWhatIsNotPublic(t *testing.T) {
	store := openStore(t, t.TempDir())
	index, relations, sources := geo.NewIndex(), &directory.Relations{}, &directory.Sources{}
	d, err := directory.Open(t.Context(), directory.Options{Store: store, Views: []directory.View{index, relations, sources}, Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	server, err := api.New(api.Options{
		Directory: d, Index: index, Relations: relations, Sources: sources, Taxonomy: taxonomy.Default(), Basemap: basemap.NewStack(nil, basemap.Embedded()),
		Site: api.DefaultSite, Version: "test", Now: func() time.Time { return now },
		Federation: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusTeapot) }),
	})
	if err != nil {
		t.Fatal(err)
	}
	server.SetReady(true)
	s := &site{t: t, d: d, store: store, server: server, index: index}
	ask := func(slug string) answer { return s.get("/e/"+slug, "Accept", "application/activity+json") }
	nothing := ask("personne")
	if nothing.StatusCode != http.StatusNotFound {
		t.Fatalf("of nothing: %d", nothing.StatusCode)
	}
	for _, first := range []directory.Status{directory.Pending, directory.Hidden, directory.Removed, directory.Published} {
		for _, then := range []directory.Status{directory.Pending, directory.Hidden, directory.Removed, directory.Published} {
			name := "De " + string(first) + " à " + string(then)
			e := s.put(directory.Entry{Kind: directory.Initiative, Name: name, Status: first, Sites: []orb.Point{{4.4, 45.4}}})[0]
			if e.Status = then; first != then {
				e = s.put(e)[0]
			}
			a := ask(e.Slug)
			if first == directory.Published || then == directory.Published {
				if a.StatusCode != http.StatusSeeOther || a.Header.Get("Location") != "http://example.com/id/"+string(e.ID) {
					t.Errorf("%s: %d %s", name, a.StatusCode, a.Header.Get("Location"))
				}
			} else if a.StatusCode != nothing.StatusCode || a.Header.Get("Location") != "" || len(a.body) != len(nothing.body) {
				t.Errorf("%s: %d %q %s, of nothing %s", name, a.StatusCode, a.Header.Get("Location"), a.body, nothing.body)
			}
		}
	}
}
