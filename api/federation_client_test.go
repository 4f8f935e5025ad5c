package api_test

import (
	"io"
	"log/slog"
	"net/http"
	"testing"
	"time"

	"archipel/api"
	"archipel/api/account"
	"archipel/directory"
	"archipel/directory/taxonomy"
	"archipel/geo"
	"archipel/geo/basemap"
)

// TestClientOfFederation: what is behind a trusted proxy is counted by the client's own address; others can write into
// X-Forwarded-For what they like.
func TestClientOfFederation(t *testing.T) {
	for name, want := range map[string]string{"0.0.0.0": "198.51.100.7", "192.0.2.1": "0.0.0.0"} {
		store := openStore(t, t.TempDir())
		index, relations, sources := geo.NewIndex(), &directory.Relations{}, &directory.Sources{}
		d, err := directory.Open(t.Context(), directory.Options{Store: store, Views: []directory.View{index, relations, sources}})
		if err != nil {
			t.Fatal(err)
		}
		quiet := slog.New(slog.NewTextHandler(io.Discard, nil))
		about := func() account.Site { return account.Site{Name: "Archipel", Languages: []string{"fr", "en"}} }
		mailer := account.NewMailer(account.MailerOptions{Store: store, Transport: &account.Folder{Dir: t.TempDir(), Log: quiet}, Site: about, Log: quiet})
		accounts, err := account.New(account.Options{Store: store, Mailer: mailer, Site: about, Address: "http://example.com", Log: quiet, Proxies: []string{name}})
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		server, err := api.New(api.Options{
			Directory: d, Index: index, Relations: relations, Sources: sources, Taxonomy: taxonomy.Default(), Basemap: basemap.NewStack(nil, basemap.Embedded()),
			Site: api.DefaultSite, Version: "test", Now: func() time.Time { return now }, Accounts: accounts, Waiting: &api.Waiting{}, Log: quiet,
			Federation: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { got = r.RemoteAddr }),
		})
		if err != nil {
			t.Fatal(err)
		}
		server.SetReady(true)
		s := &site{t: t, d: d, store: store, server: server, index: index}
		s.get("/ap/relay", "X-Forwarded-For", "203.0.113.9, 198.51.100.7")
		if got != want {
			t.Errorf("with the proxy %s trusted the client is %q, want %q", name, got, want)
		}
		// So is who asks from which server an organisation can be followed.
		there := &elsewhere{pages: map[string]string{"@maud@la.example": "https://la.example/authorize?uri="}}
		server.Fediverse = there
		e := s.put(directory.Entry{Kind: directory.Organisation, Name: "La Fourmilière"})[0]
		e.Claimed, e.Fediverse = now, &directory.Fediverse{Handle: "la-fourmiliere"}
		s.team(e)
		ask := func(from string) int {
			return s.get("/e/la-fourmiliere/follow?account=%40maud%40la.example", "X-Forwarded-For", from).StatusCode
		}
		code := 0
		for range 40 {
			if code = ask("198.51.100.7"); code == http.StatusTooManyRequests {
				break
			}
		}
		next := http.StatusSeeOther
		if want == "0.0.0.0" {
			next = http.StatusTooManyRequests // for us it is the same visitor
		}
		if got := ask("198.51.100.8"); code != http.StatusTooManyRequests || got != next {
			t.Errorf("with the proxy %s trusted one visitor was answered %d in the end, and the next %d, want 429 and %d", name, code, got, next)
		}
	}
}
