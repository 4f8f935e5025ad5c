package api_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"archipel/api/account"
	"archipel/directory"
)

// program is a client with an API token.
type program struct {
	*author
	token string
}

func (p *author) program(scopes ...account.Scope) *program {
	p.t.Helper()
	token, err := p.server.Accounts.NewToken(context.Background(), &account.Actor{ID: p.id}, "test", scopes)
	if err != nil {
		p.t.Fatal(err)
	}
	return &program{p.visitor(), token}
}

func (p *program) call(method, path, contentType, body string, header ...string) answer {
	p.t.Helper()
	return p.do(method, path, contentType, strings.NewReader(body), append(header, "Authorization", "Bearer "+p.token)...)
}

const geo1 = "application/geo+json"

func TestPart4(t *testing.T) {
	s := openPosting(t)
	anna := s.member("Anna", trusted)
	both := anna.program(account.ScopeRead, account.ScopeWrite)
	items := "/api/collections/places/items"
	feature := `{"type":"Feature","geometry":{"type":"Point","coordinates":[4.39,45.44]},"properties":{"kind":"place","name":"La Fourmilière","summary":"Avant","tags":["un"],"openingHours":"Mo 09:00-12:00"}}`
	a := both.call("POST", items, geo1, feature)
	if a.StatusCode != http.StatusCreated || !strings.HasSuffix(a.Header.Get("Content-Type"), "geo+json") {
		t.Fatalf("POST: %d %s", a.StatusCode, a.body)
	}
	at := strings.TrimPrefix(a.Header.Get("Location"), "http://example.com")
	tag := a.Header.Get("ETag")
	if got := s.get(at); got.StatusCode != http.StatusOK || got.Header.Get("ETag") != tag {
		t.Fatalf("GET %s: %d %s, want the ETag %s", at, got.StatusCode, got.Header.Get("ETag"), tag)
	}
	read := func(a answer) (e directory.Entry) {
		t.Helper()
		if a.StatusCode != http.StatusOK {
			t.Fatalf("status %d %s", a.StatusCode, a.body)
		}
		if err := json.Unmarshal([]byte(a.body), &e); err != nil {
			t.Fatal(err)
		}
		return e
	}
	patch := "application/merge-patch+json"
	for _, c := range []struct {
		name, method, path, contentType, body string
		header                                []string
		status                                int
		word                                  string
	}{
		{"PUT without If-Match", "PUT", at, geo1, feature, nil, 428, ""},
		{"PATCH without If-Match", "PATCH", at, patch, `{}`, nil, 428, ""},
		{"DELETE without If-Match", "DELETE", at, "", "", nil, 428, ""},
		{"an old version", "PUT", at, geo1, feature, []string{"If-Match", `"v999"`}, 412, ""},
		{"a weak tag", "PATCH", at, patch, `{}`, []string{"If-Match", "W/" + tag}, 412, ""},
		{"another type", "PUT", at, "text/plain", feature, []string{"If-Match", tag}, 415, ""},
		{"no JSON", "PUT", at, geo1, "{", []string{"If-Match", tag}, 400, `"field":"body"`},
		{"no Feature", "PUT", at, geo1, `{"type":"FeatureCollection"}`, []string{"If-Match", tag}, 400, `"field":"type"`},
		{"a number for a name", "PATCH", at, patch, `{"properties":{"name":7}}`, []string{"If-Match", tag}, 400, `"field":"name"`},
		{"axes swapped", "PATCH", at, patch, `{"geometry":{"type":"Point","coordinates":[45.44,100.39]}}`, []string{"If-Match", tag}, 400, `"code":"swapped"`},
		{"a line", "PATCH", at, patch, `{"geometry":{"type":"LineString","coordinates":[[1,2],[3,4]]}}`, []string{"If-Match", tag}, 400, `"field":"`},
		{"no category", "PATCH", at, patch, `{"properties":{"categories":["nothing-like-it"]}}`, []string{"If-Match", tag}, 400, `"field":"categories[0]"`},
		{"hours in words", "PATCH", at, patch, `{"properties":{"openingHours":"le matin"}}`, []string{"If-Match", tag}, 400, `"field":"openingHours"`},
		{"a picture that is not here", "PATCH", at, patch, `{"properties":{"images":[{"url":"/media/00000000000000000000000000000000-1600.jpg"}]}}`, []string{"If-Match", tag}, 400, `"field":"images[0].url"`},
		{"script in a link", "PATCH", at, patch, `{"properties":{"links":[{"url":"javascript:alert(1)"}]}}`, []string{"If-Match", tag}, 400, `"field":"links[0].url"`},
		{"a relation to nothing", "PATCH", at, patch, `{"properties":{"relations":[{"rel":"hosts","target":"` + string(directory.NewID()) + `"}]}}`, []string{"If-Match", tag}, 400, `"field":"relations[0].target"`},
		{"the wrong collection", "PATCH", strings.Replace(at, "places", "events", 1), patch, `{}`, []string{"If-Match", tag}, 404, ""},
		{"no collection", "POST", "/api/collections/things/items", geo1, feature, nil, 404, ""},
		{"the wrong kind", "POST", "/api/collections/events/items", geo1, feature, nil, 400, `"field":"kind"`},
		{"no name", "POST", items, geo1, `{"type":"Feature","geometry":null,"properties":{"kind":"place"}}`, nil, 400, `"field":"name"`},
	} {
		a := both.call(c.method, c.path, c.contentType, c.body, c.header...)
		if a.StatusCode != c.status || !strings.Contains(a.body, c.word) || !strings.HasPrefix(a.Header.Get("Content-Type"), "application/problem+json") {
			t.Errorf("%s: %d %s %s, want %d %s", c.name, a.StatusCode, a.Header.Get("Content-Type"), a.body, c.status, c.word)
		}
	}
	// Who may not.
	eve := s.member("Eve")
	for name, p := range map[string]*program{"a reader": anna.program(account.ScopeRead), "another member": eve.program(account.ScopeRead, account.ScopeWrite)} {
		if a := p.call("PATCH", at, patch, `{"properties":{"name":"Piraté"}}`, "If-Match", tag); a.StatusCode != http.StatusForbidden {
			t.Errorf("%s: %d", name, a.StatusCode)
		}
	}
	if a := s.visitor().do("PATCH", at, patch, strings.NewReader(`{}`), "If-Match", tag); a.StatusCode != http.StatusUnauthorized {
		t.Errorf("nobody: %d", a.StatusCode)
	}
	if a := s.visitor().do("POST", items, geo1, strings.NewReader(feature)); a.StatusCode != http.StatusUnauthorized {
		t.Errorf("nobody adds: %d", a.StatusCode)
	}
	// A signed-in browser without the token of a form.
	if a := anna.do("DELETE", at, "", nil, "If-Match", tag); a.StatusCode != http.StatusForbidden {
		t.Errorf("a session without a CSRF token: %d", a.StatusCode)
	}

	e := read(both.call("PATCH", at, patch, `{"properties":{"summary":"Après","tags":null,"contact":{"phone":"04 77 12 34 56"}}}`, "If-Match", tag))
	if e.Summary != "Après" || e.Tags != nil || e.Contact.Phone == "" || e.Name != "La Fourmilière" || len(e.Sites) != 1 {
		t.Errorf("PATCH: %+v", e)
	}
	e = read(both.call("PUT", at, geo1, `{"type":"Feature","geometry":null,"properties":{"kind":"place","name":"Autre"}}`, "If-Match", fmt.Sprintf(`"v%d"`, e.Version)))
	if e.Name != "Autre" || e.Summary != "" || e.Contact != nil || len(e.Sites) != 0 || e.Slug != "la-fourmiliere" {
		t.Errorf("PUT: %+v", e)
	}
	// Reading and putting back what was read changes nothing.
	whole := s.get(at)
	again := read(both.call("PUT", at, geo1, whole.body, "If-Match", whole.Header.Get("ETag")))
	if again.Version != e.Version {
		t.Errorf("putting back what was read made version %d of %d", again.Version, e.Version)
	}
	if a := both.call("DELETE", at, "", "", "If-Match", whole.Header.Get("ETag")); a.StatusCode != http.StatusNoContent {
		t.Errorf("DELETE: %d %s", a.StatusCode, a.body)
	}
	if a := s.get(at); a.StatusCode != http.StatusGone {
		t.Errorf("after DELETE: %d", a.StatusCode)
	}
}

// xss is what must never come out as it went in.
const xss = `"><script>alert(1)</script><img src=x onerror=alert(1)>'`

func TestStoredScriptIsText(t *testing.T) {
	s := openPosting(t)
	anna := s.member("Anna", trusted)
	fields := fieldsOf("summary", xss, "description", xss+"\n\n[x](javascript:alert(1)) <svg onload=alert(1)>", "tags", xss, "contact.name", xss,
		"links[0].url", "https://e.example/?a="+"%22%3E", "links[0].title", xss, "picture_alt", xss)
	anna.addOrganisation("Nom "+xss, fields, file{`"><script>alert(2)</script>.jpg`, photo(t)}).leads(t, "^/e/")
	page := anna.open("/me/entries").body
	slug := strings.SplitN(strings.SplitN(page, `href="/e/`, 2)[1], `"`, 2)[0]
	bad := anna.addOrganisation("Encore "+xss, fieldsOf("summary", strings.Repeat("x", 501), "contact.email", xss, "contact.phone", xss, "contact.website", xss, "openingHours", xss, "links[0].url", xss)).body
	for name, body := range map[string]string{"entry": anna.open("/e/" + slug).body, "form": anna.open("/e/" + slug + "/edit").body, "own entries": page, "list": anna.open("/").body,
		"history": anna.open("/e/" + slug + "/history").body, "refused": bad, "thanks": s.visitor().open("/add/thanks?name=" + "%22%3E%3Cscript%3Ealert(1)%3C/script%3E").body,
		"prefilled": s.visitor().open("/add?name=%22%3E%3Cscript%3Ealert(1)%3C/script%3E").body, "same": anna.open("/add/same?kind=place&name=" + "Nom+script+alert+1+img+src+x+onerror+alert&lon=4.39&lat=45.43").body} {
		for _, raw := range []string{"<script>alert", "<img src=x", "<svg onload", `href="javascript:`} {
			if strings.Contains(body, raw) {
				t.Errorf("%s: %s comes out as it went in", name, raw)
			}
		}
		if name == "entry" && !strings.Contains(body, "&lt;script&gt;alert(1)") {
			t.Error("the page does not show the text at all")
		}
	}
}

func TestUploadsAreBounded(t *testing.T) {
	s := openPosting(t)
	anna := s.member("Anna")
	a := anna.addOrganisation("La Fourmilière", fieldsOf("summary", "x", "picture_alt", "y"), file{"a.jpg", []byte("<svg xmlns='http://www.w3.org/2000/svg'/>")})
	if a.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(a.body, "n’est pas une image lisible") || !strings.Contains(a.body, `href="#f-picture"`) {
		t.Errorf("an SVG: %d", a.StatusCode)
	}
	draft := strings.SplitN(strings.SplitN(a.body, `action="/add/`, 2)[1], `"`, 2)[0]
	if a := anna.send("/add/"+draft, fieldsOf("picture_alt", "y"), file{"a.jpg", append(photo(t), make([]byte, 15<<20)...)}); a.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(a.body, "trop grande") {
		t.Errorf("15 MB and more: %d", a.StatusCode)
	}
	for _, path := range []string{"/media/../posting.go", "/media/x.jpg", "/media/00000000000000000000000000000000-1600.jpg", "/media/00000000000000000000000000000000-1600.svg"} {
		if a := s.get(path); a.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %d", path, a.StatusCode)
		}
	}
}
