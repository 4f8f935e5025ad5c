package api_test

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"archipel/api"
	"archipel/api/account"
	"archipel/directory"
)

var revisionInForm = regexp.MustCompile(`name="revision" value="(\d+)"`)

func TestAdminChangesTheSite(t *testing.T) {
	tn := openTown(t)
	boss := tn.somebody("boss", account.Admin, "fr")
	tn.put(place("Quelque part", "Lyon", 4.84, 45.76), directory.Entry{Kind: directory.Organisation, Name: "Nulle part"})
	page := boss.get("/admin")
	if page.StatusCode != http.StatusOK || !strings.Contains(page.body, "Fiches sans position ni territoire : 1") {
		t.Fatalf("the page: %d", page.StatusCode)
	}
	revision := revisionInForm.FindStringSubmatch(page.body)[1]
	for _, c := range []struct{ name, field, value string }{
		{"no name", "name", " "}, {"no colour", "accent", "red"}, {"no language", "languages", "fr,xx"}, {"no zone", "timezone", "Mars/Base"}, {"no licence", "licence", "mine"},
		{"no way", "signup", "nobody"}, {"two lines", "tagline", "a\nb"}, {"control characters", "operator", "a\x1bb"},
	} {
		got := boss.post("/admin", "/admin/site", url.Values{"revision": {revision}, c.field: {c.value}})
		if got.StatusCode != http.StatusBadRequest || !strings.Contains(got.body, `<p class="queue-wrong">`) {
			t.Errorf("%s: %d", c.name, got.StatusCode)
		}
	}
	form := url.Values{"revision": {revision}, "name": {"Annuaire <script>alert(1)</script>"}, "about": {"Un\r\n\r\ndeux"}, "languages": {"en, fr"}, "accent": {"#123456"}, "licence": {"ODbL-1.0"}, "signup": {"invitation"}}
	if got := boss.post("/admin", "/admin/site", form); got.StatusCode != http.StatusSeeOther {
		t.Fatalf("saving: %d %s", got.StatusCode, got.body)
	}
	value, _, err := tn.store.Setting(t.Context(), api.SiteKey)
	if err != nil {
		t.Fatal(err)
	}
	site, err := api.ParseSite(value)
	if err != nil || site.About != "Un\n\ndeux" || site.Languages[0] != "en" || site.SignUp != account.SignUpInvitation || site.Timezone != "Europe/Paris" {
		t.Errorf("the site: %+v %v", site, err)
	}
	if strings.Contains(boss.get("/admin").body, "<script>alert") {
		t.Error("a name is a script")
	}
	if got := boss.post("/admin", "/admin/site", form); got.StatusCode != http.StatusConflict {
		t.Errorf("saving from an old page: %d", got.StatusCode)
	}
	mod := tn.somebody("mod", account.Moderator, "fr")
	if got := mod.get("/admin"); got.StatusCode != http.StatusForbidden {
		t.Errorf("a moderator administers: %d", got.StatusCode)
	}
	if got := mod.post("/account", "/admin/site", form); got.StatusCode != http.StatusForbidden {
		t.Errorf("a moderator changes the site: %d", got.StatusCode)
	}
}
