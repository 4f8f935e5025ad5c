package api_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"archipel/api/account"
	"archipel/directory"
	"archipel/directory/links"
)

// TestBrokenLinks: who looks after an entry reads which of its links no longer answer, and nobody else does.
func TestBrokenLinks(t *testing.T) {
	tn := openTown(t)
	at := now
	tn.clock = func() time.Time { return at }
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/gone":
			w.WriteHeader(http.StatusGone)
		case "/old":
			http.Redirect(w, r, "/nouvelle-page", http.StatusMovedPermanently)
		}
	}))
	t.Cleanup(web.Close)
	on := true
	tn.server.Links = links.New(links.Options{Directory: tn.d, On: func() bool { return on }, Loopback: true, Now: tn.clock,
		Wait: func(ctx context.Context, _ time.Duration) error { return ctx.Err() }})
	anna, zoe, admin := tn.somebody("anna", account.Member, "fr"), tn.somebody("zoe", account.Moderator, "fr"), tn.somebody("adele", account.Admin, "en")
	e := place("La Fourmilière", "Feurs", 4.22, 45.74, "amap")
	e.Contact = &directory.Contact{Website: web.URL + "/gone"}
	e.Links = []directory.Link{{Rel: "related", URL: web.URL + "/old"}, {Rel: "related", URL: web.URL + "/fine"}}
	e.Private = &directory.Private{Owners: []string{anna.id}}
	e = tn.put(e)[0]
	for range 5 {
		if _, err := tn.server.Links.Round(t.Context()); err != nil {
			t.Fatal(err)
		}
		at = at.Add(5 * 24 * time.Hour)
	}
	for who, path := range map[string]string{"the team": "/e/" + e.Slug + "/team", "the form": "/e/" + e.Slug + "/edit"} {
		body := anna.get(path).body
		if !strings.Contains(body, "Cette page n’existe plus.") || !strings.Contains(body, web.URL+"/nouvelle-page") || strings.Contains(body, "nofollow noreferrer noopener\">"+web.URL+"/fine") {
			t.Errorf("%s reads\n%s", who, body)
		}
	}
	list := zoe.get("/moderate/links").body
	if strings.Count(list, "La Fourmilière") < 2 || !strings.Contains(list, web.URL+"/gone") || !strings.Contains(list, "/e/"+e.Slug+"/edit") || strings.Contains(list, web.URL+"/fine") {
		t.Errorf("moderators read\n%s", list)
	}
	if body := admin.get("/admin").body; !strings.Contains(body, "Links that no longer answer: 1; links that have moved: 1") {
		t.Error("the page of the directory's health does not count them")
	}
	if code := anna.get("/moderate/links").StatusCode; code != http.StatusForbidden {
		t.Errorf("a member: %d", code)
	}
	for _, path := range []string{"/e/" + e.Slug, "/e/" + e.Slug + "/suggest"} {
		if body := tn.visitor().get(path).body; strings.Contains(body, "n’existe plus") || strings.Contains(body, "nouvelle-page") {
			t.Errorf("a visitor reads of it on %s", path)
		}
	}
	// Corrected, it is told of no longer, though the address still fails.
	e.Contact.Website = web.URL + "/fine"
	e.Private = &directory.Private{Owners: []string{anna.id}}
	e = tn.put(e)[0]
	if body := zoe.get("/moderate/links").body; strings.Contains(body, web.URL+"/gone") {
		t.Error("what was corrected is still listed")
	}
	if body := anna.get("/e/" + e.Slug + "/team").body; strings.Contains(body, "n’existe plus") {
		t.Error("what was corrected is still told to its team")
	}
	on = false
	if body := anna.get("/e/" + e.Slug + "/team").body; strings.Contains(body, "nouvelle-page") {
		t.Error("switched off, and told")
	}
}
