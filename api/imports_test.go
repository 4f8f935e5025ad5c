package api_test

import (
	"bytes"
	"context"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"archipel/api/account"
	"archipel/directory"
)

// brings sends a form with a file.
func (p *person) brings(page, action, file, content string, fields map[string]string) answer {
	p.tn.t.Helper()
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	fields["csrf"] = csrfInForm.FindStringSubmatch(p.get(page).body)[1]
	for name, value := range fields {
		if err := w.WriteField(name, value); err != nil {
			p.tn.t.Fatal(err)
		}
	}
	part, err := w.CreateFormFile("file", file)
	if err == nil {
		_, err = part.Write([]byte(content))
	}
	if err != nil || w.Close() != nil {
		p.tn.t.Fatal(err)
	}
	req := httptest.NewRequest(http.MethodPost, action, &body)
	req.Header.Set("Content-Type", w.FormDataContentType())
	req.Header.Set("Accept", "text/html")
	req.Header.Set("Accept-Language", "fr")
	for name, value := range p.cookies {
		req.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	res, err := p.tn.server.Handler().Test(req, -1)
	if err != nil {
		p.tn.t.Fatal(err)
	}
	defer res.Body.Close()
	var got bytes.Buffer
	if _, err := got.ReadFrom(res.Body); err != nil {
		p.tn.t.Fatal(err)
	}
	return answer{res, got.String()}
}

// within waits for a state of a page.
func (p *person) within(path, text string) answer {
	p.tn.t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(10 * time.Millisecond) {
		got := p.get(path)
		if strings.Contains(got.body, text) {
			return got
		}
		if time.Now().After(deadline) {
			p.tn.t.Fatalf("%s never says %q: %s", path, text, got.body)
		}
	}
}

const lieux = "id,nom,résumé,lat,lon\n1,Le Premier,un,45.76,4.84\n2,Le Second <script>alert(1)</script>,deux,45.77,4.85\n3,,sans nom,45.78,4.86\n"

func TestImportByPage(t *testing.T) {
	tn := openTown(t)
	boss := tn.somebody("boss", account.Admin, "fr")
	const page = "/admin/imports"
	if got := boss.brings(page, page, "lieux.csv", "", map[string]string{"source": "Essai"}); got.StatusCode != http.StatusBadRequest {
		t.Errorf("an empty file: %d", got.StatusCode)
	}
	if got := boss.brings(page, page, "lieux.csv", lieux, map[string]string{"source": ""}); got.StatusCode != http.StatusBadRequest {
		t.Errorf("without a name: %d", got.StatusCode)
	}
	if got := boss.brings(page, page, "lieux.csv", lieux, map[string]string{"source": "Essai", "licence": "the best"}); got.StatusCode != http.StatusBadRequest {
		t.Errorf("a licence that is none: %d", got.StatusCode)
	}
	got := boss.brings(page, page, `<img src=x>.csv`, lieux, map[string]string{"source": "Essai", "licence": "etalab-2.0", "lang": "fr", "status": "published", "timezone": "Europe/Paris"})
	if got.StatusCode != http.StatusSeeOther {
		t.Fatalf("trying: %d %s", got.StatusCode, got.body)
	}
	at := got.Header.Get("Location")
	tried := boss.get(at)
	for _, want := range []string{"Pas encore importé", "Ligne 3", "<dd>2</dd>", "etalab-2.0"} {
		if !strings.Contains(tried.body, want) {
			t.Errorf("the trial does not say %q", want)
		}
	}
	if strings.Contains(tried.body, "<img src=x>") || strings.Contains(tried.body, "<script>alert") {
		t.Error("a name is markup")
	}
	if body := tn.get("/?q=premier").body; strings.Contains(body, "Le Premier") {
		t.Error("a trial wrote")
	}
	if got := boss.post(at, at, url.Values{"action": {"run"}}); got.StatusCode != http.StatusSeeOther {
		t.Fatalf("importing: %d", got.StatusCode)
	}
	// The server stops before the import began; it runs after the start.
	if body := boss.get(at).body; !strings.Contains(body, "Attend son tour") {
		t.Error("it does not wait")
	}
	running, stop := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { tn.server.RunImports(running); close(ended) }()
	defer func() { stop(); <-ended }()
	boss.within(at, "Terminé")
	if body := tn.get("/?q=premier").body; !strings.Contains(body, "Le Premier") {
		t.Error("nothing was imported")
	}
	list := boss.get(page).body
	if !strings.Contains(list, "par boss") || !strings.Contains(list, "2 créées") || !strings.Contains(list, "etalab-2.0") {
		t.Error("the list does not say who brought what")
	}

	if body := boss.get("/admin").body; !strings.Contains(body, `href="/moderate?show=imported"`) {
		t.Error("the page of health does not name the imports that nobody keeps")
	}
	// The terms of the source reach every entry of it, in the export too.
	sources := "/admin/sources"
	m := revisionInForm.FindStringSubmatch(boss.get(sources).body)
	terms := url.Values{"revision": {m[1]}, "name": {"Essai"}, "url": {"https://data.example/essai"}, "licence": {"ODbL-1.0"}, "attribution": {"© Essai <b>2026</b>"}}
	for field, value := range map[string]string{"url": "javascript:alert(1)", "licence": "mine", "name": "Personne"} {
		bad := url.Values{}
		for k, v := range terms {
			bad[k] = v
		}
		bad.Set(field, value)
		if got := boss.post(sources, sources, bad); got.StatusCode != http.StatusBadRequest {
			t.Errorf("%s %q: %d", field, value, got.StatusCode)
		}
	}
	if got := boss.post(sources, sources, terms); got.StatusCode != http.StatusSeeOther || !strings.HasSuffix(got.Header.Get("Location"), "n=2") {
		t.Fatalf("terms: %d %s %s", got.StatusCode, got.Header.Get("Location"), got.body)
	}
	if got := boss.post(sources, sources, terms); got.StatusCode != http.StatusConflict {
		t.Errorf("terms from an old page: %d", got.StatusCode)
	}
	if body := tn.get("/entries.csv").body; strings.Count(body, ",ODbL-1.0,") != 2 || strings.Count(body, "© Essai <b>2026</b>") != 2 || strings.Count(body, "https://data.example/essai") != 2 {
		t.Error("the export does not carry the terms")
	}
	for _, path := range []string{"/e/le-premier", "/about"} {
		if body := tn.get(path).body; !strings.Contains(body, "© Essai &lt;b&gt;2026") {
			t.Errorf("%s does not carry the attribution", path)
		}
	}

	// Taking it back asks first.
	_, rest, _ := strings.Cut(list, `href="/admin/imports/undo/`)
	batch, _, _ := strings.Cut(rest, `"`)
	undo := "/admin/imports/undo/" + batch
	if got := boss.post(undo, undo, url.Values{}); got.StatusCode != http.StatusSeeOther || got.Header.Get("Location") != undo {
		t.Errorf("without being sure: %d", got.StatusCode)
	}
	if got := boss.get("/admin/imports/undo/nonsense"); got.StatusCode != http.StatusNotFound {
		t.Errorf("what is no import: %d", got.StatusCode)
	}
	if got = boss.post(undo, undo, url.Values{"sure": {"1"}}); got.StatusCode != http.StatusSeeOther {
		t.Fatalf("taking it back: %d", got.StatusCode)
	}
	boss.within(got.Header.Get("Location"), "Terminé")
	if id, ok := tn.d.BySlug("le-premier"); !ok || tn.entry(id).Status != directory.Published {
		t.Error("what somebody changed since was taken away")
	}
}

func TestImportDoors(t *testing.T) {
	tn := openTown(t)
	mod := tn.somebody("mod", account.Moderator, "fr")
	for _, path := range []string{"/admin/imports", "/admin/imports/x", "/admin/imports/undo/x", "/admin/sources"} {
		if got := mod.get(path); got.StatusCode != http.StatusForbidden {
			t.Errorf("a moderator reads %s: %d", path, got.StatusCode)
		}
		if got := mod.post("/account", path, url.Values{}); got.StatusCode != http.StatusForbidden {
			t.Errorf("a moderator sends %s: %d", path, got.StatusCode)
		}
	}
}
