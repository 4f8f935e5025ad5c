package api_test

import (
	"strings"
	"testing"

	"archipel/directory"
	"archipel/directory/hours"
)

// hostile is put into every text; none of it may come out as markup.
const hostile = `"><script>alert(1)</script><img src=x onerror=alert(2)>'{{7*7}}</title></script>`

func TestHostileTextStaysText(t *testing.T) {
	s := open(t)
	e := place(hostile, hostile, 4.39, 45.44)
	e.Summary = hostile
	e.Description = hostile + "\n\n[click](javascript:alert(1)) <iframe src=https://evil.example> ![x](https://evil.example/x.png) [ok](https://example.org)"
	e.Tags = []string{hostile}
	e.Address = &directory.Address{Street: hostile, Locality: hostile, Region: hostile, PostalCode: hostile}
	e.Contact = &directory.Contact{Name: hostile, Website: "https://example.org/?\"><script>"}
	e.Links = []directory.Link{{URL: "https://example.org/'\"><script>alert(1)</script>", Title: hostile}}
	e.OpeningHours = hours.Quote(hostile)
	e.Accessibility = map[string]string{"note": hostile}
	e.Source = &directory.Source{Name: hostile, ExternalID: hostile}
	e.Extra = map[string]string{hostile: hostile}
	e.Images = []directory.Image{{URL: "https://evil.example/a.jpg", Alt: hostile, Credit: hostile}}
	outcomes, err := s.d.Write(t.Context(), directory.Write{Author: hostile, Note: hostile, Entries: []directory.Entry{e}})
	if err != nil || outcomes[0].Err != nil {
		t.Fatal(err, outcomes[0].Err)
	}
	e = outcomes[0].Entry
	e.Name += "!"
	s.put(e)
	for _, path := range []string{"/", "/e/" + e.Slug, "/e/" + e.Slug + "/history", "/about", "/?q=" + "%22%3E%3Cscript%3Ealert(1)%3C/script%3E", "/?tag=%3Cscript%3Ealert(1)%3C/script%3E", "/?fragment=1", "/entries.atom", "/%3Cscript%3Ealert(1)%3C/script%3E"} {
		a := s.get(path)
		for _, bad := range []string{"<script>alert", "<img src=x", "onerror=alert(2)>", "javascript:alert", "<iframe", "evil.example/x.png\"", "src=\"https://"} {
			if bad == "javascript:alert" && path == "/entries.atom" {
				continue // plain text there
			}
			if strings.Contains(a.body, bad) {
				at := strings.Index(a.body, bad)
				t.Errorf("%s: %q comes out: …%s…", path, bad, a.body[max(0, at-100):min(len(a.body), at+100)])
			}
		}
		if csp := a.Header.Get("Content-Security-Policy"); !strings.HasPrefix(csp, "default-src 'self'") || strings.Contains(csp, "unsafe") {
			t.Errorf("%s: policy %q", path, csp)
		}
	}
	page := s.get("/e/" + e.Slug).body
	if !strings.Contains(page, `href="https://example.org"`) {
		t.Error("the harmless link is gone")
	}
}

func TestPagesInTwoLanguagesWithoutThirdParties(t *testing.T) {
	s := open(t)
	entries := fill(s)
	for _, path := range []string{"/", "/e/" + entries[0].Slug, "/e/" + entries[5].Slug, "/e/" + entries[0].Slug + "/history", "/about", "/nowhere"} {
		for _, lang := range []string{"fr", "en"} {
			a := s.get(path, "Accept-Language", lang, "Accept", "text/html")
			if !strings.Contains(a.body, `<html lang="`+lang+`"`) {
				t.Errorf("%s in %s: %s", path, lang, a.body[:min(200, len(a.body))])
			}
			for _, bad := range []string{"style=\"", "onclick=", "javascript:", "{{", "<no value>", "%!"} {
				if strings.Contains(a.body, bad) {
					t.Errorf("%s in %s contains %s", path, lang, bad)
				}
			}
			for _, attr := range []string{"src=\"http", "<link rel=\"stylesheet\" href=\"http"} {
				if strings.Contains(a.body, attr) {
					t.Errorf("%s asks somebody else: %s", path, attr)
				}
			}
		}
	}
	if a := s.get("/"); strings.Contains(a.body, "Fête passée") || !strings.Contains(a.body, "Atelier du samedi") || strings.Contains(a.body, "Brouillon") {
		t.Error("home shows what is over or not public, or misses what comes")
	}
}
