package api_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"archipel/api/account"
	"archipel/directory"
)

func merging(kept, other directory.Entry, more ...string) url.Values {
	v := url.Values{"keep": {string(kept.ID)}, "other": {string(other.ID)}, "kept_version": {seq(kept.Version)}, "other_version": {seq(other.Version)}}
	for i := 0; i+1 < len(more); i += 2 {
		v.Set(more[i], more[i+1])
	}
	return v
}

// TestMergeEndToEnd: two entries become one on the page, every address of the one that goes leads to the other, and the
// merge is taken back.
func TestMergeEndToEnd(t *testing.T) {
	tn := openTown(t)
	ana, mod := tn.somebody("ana", account.Member, "fr"), tn.somebody("mod", account.Moderator, "fr")
	a, b := place("Le Café <i>bleu", "Lyon", 4.84, 45.76, "coworking"), place("Café bleu <script>alert(1)</script>", "Lyon", 4.84, 45.76, "energie")
	a.Summary, b.Summary = "Un café", "Un autre café <img src=x>"
	a.Private = &directory.Private{Owners: []string{ana.id}, Phone: "+33 6 12 34 56 78"}
	both := tn.put(a, b)
	kept, other := both[0], both[1]
	report := directory.Entry{} // relations of a third entry
	report = place("Le Voisin", "Lyon", 4.85, 45.76)
	report.Relations = []directory.Relation{{Rel: "memberOf", Target: other.ID}}
	neighbour := tn.put(report)[0]

	// What waits about the one that goes stays answerable.
	if got := tn.visitor().post("/e/"+other.Slug+"/report", "/e/"+other.Slug+"/report", url.Values{"category": {"duplicate"}, "text": {"le même"}}); got.StatusCode != http.StatusOK {
		t.Fatalf("reporting: %d", got.StatusCode)
	}

	choose := mod.get("/moderate/merge?keep=" + string(other.ID))
	if choose.StatusCode != http.StatusOK || strings.Contains(choose.body, "<script>alert") {
		t.Fatalf("choosing: %d", choose.StatusCode)
	}
	for _, with := range []string{string(kept.ID), kept.Slug, "http://example.com/e/" + url.PathEscape(kept.Slug) + "?x=1", "/id/" + string(kept.ID)} {
		got := mod.get("/moderate/merge?keep=" + string(other.ID) + "&other=" + url.QueryEscape(with))
		if got.StatusCode != http.StatusOK || !strings.Contains(got.body, `name="field.summary"`) || !strings.Contains(got.body, `name="keep" value="`+string(kept.ID)+`"`) {
			t.Errorf("%q: %d, or the entry that its people keep is not proposed to stay", with, got.StatusCode)
		}
		if strings.Contains(got.body, "<script>alert") || strings.Contains(got.body, "<img src=x>") || strings.Contains(got.body, "12 34 56") {
			t.Errorf("%q: texts are not kept harmless, or private fields shown", with)
		}
	}
	if got := mod.get("/moderate/merge?keep=" + string(other.ID) + "&other=" + string(kept.ID) + "&as=1"); !strings.Contains(got.body, `name="keep" value="`+string(other.ID)+`"`) {
		t.Error("the sides cannot be exchanged")
	}
	if got := mod.get("/moderate/merge?keep=" + string(kept.ID) + "&other=nowhere"); got.StatusCode != http.StatusBadRequest || !strings.Contains(got.body, "nowhere") {
		t.Errorf("an address that is none: %d", got.StatusCode)
	}

	page := "/moderate/merge?keep=" + string(kept.ID) + "&other=" + string(other.ID)
	old := kept
	old.Version--
	if got := mod.post(page, "/moderate/merge", merging(old, other)); got.StatusCode != http.StatusConflict || tn.entry(other.ID).Status == directory.Removed {
		t.Errorf("merging from an old page: %d", got.StatusCode)
	}
	got := mod.post(page, "/moderate/merge", merging(kept, other, "field.summary", "other", "reason", "la même maison"))
	if got.StatusCode != http.StatusSeeOther {
		t.Fatalf("merging: %d %s", got.StatusCode, got.body)
	}
	if body := mod.get(got.Header.Get("Location")).body; !strings.Contains(body, "fait maintenant partie") {
		t.Error("what was done is not said")
	}
	now := tn.entry(kept.ID)
	if now.Summary != b.Summary || len(now.Categories) != 2 || now.Name != a.Name {
		t.Errorf("the result: %+v", now)
	}
	for path, want := range map[string]string{
		"/e/" + other.Slug: "/e/" + url.PathEscape(kept.Slug), "/e/" + other.Slug + ".ics": "/e/" + url.PathEscape(kept.Slug) + ".ics", "/e/" + other.Slug + "/history": "/e/" + url.PathEscape(kept.Slug) + "/history",
		"/id/" + string(other.ID): "/e/" + url.PathEscape(kept.Slug), "/e/" + other.Slug + "/report": "/e/" + url.PathEscape(kept.Slug) + "/report",
		"/api/collections/places/items/" + string(other.ID):         "http://example.com/api/collections/places/items/" + string(kept.ID),
		"/api/collections/events/items/" + string(other.ID):         "http://example.com/api/collections/entries/items/" + string(kept.ID),
		"/api/collections/entries/items/" + string(other.ID) + "?x": "http://example.com/api/collections/entries/items/" + string(kept.ID) + "?x",
	} {
		if got := tn.get(path); got.StatusCode != http.StatusMovedPermanently || got.Header.Get("Location") != want || got.Header.Get("Cache-Control") != "no-cache" {
			t.Errorf("%s: %d %q %q, want %q", path, got.StatusCode, got.Header.Get("Location"), got.Header.Get("Cache-Control"), want)
		}
	}
	if body := tn.get("/e/" + kept.Slug).body; !strings.Contains(body, "Le Voisin") {
		t.Error("who pointed at the one that went is not shown on the other's page")
	}
	if body := tn.get("/e/" + neighbour.Slug).body; !strings.Contains(body, "/e/"+url.PathEscape(kept.Slug)) {
		t.Error("a relation to the one that went leads nowhere")
	}
	body := mod.get("/moderate?show=report").body
	if !strings.Contains(body, "Le Café &lt;i&gt;bleu") || !strings.Contains(body, "le même") {
		t.Error("a report about the one that went is not about the other")
	}
	if got := mod.post("/moderate?show=report", reportAction(t, body), url.Values{"decision": {"accept"}, "reason": {"réunies"}}); got.StatusCode != http.StatusSeeOther {
		t.Errorf("answering it: %d", got.StatusCode)
	}

	// It was two after all.
	versions := mod.get("/e/" + other.Slug + "/versions")
	if versions.StatusCode != http.StatusOK || !strings.Contains(versions.body, "/unmerge") {
		t.Fatalf("the history of the one that went: %d", versions.StatusCode)
	}
	if got := ana.post("/account", "/e/"+other.Slug+"/unmerge", url.Values{"version": {seq(tn.entry(other.ID).Version)}}); got.StatusCode != http.StatusForbidden && got.StatusCode != http.StatusNotFound {
		t.Errorf("a member takes it back: %d", got.StatusCode)
	}
	if got := mod.post("/e/"+other.Slug+"/versions", "/e/"+other.Slug+"/unmerge", url.Values{"version": {"1"}}); got.StatusCode != http.StatusConflict {
		t.Errorf("from an old page: %d", got.StatusCode)
	}
	if got := mod.post("/e/"+other.Slug+"/versions", "/e/"+other.Slug+"/unmerge", url.Values{"version": {seq(tn.entry(other.ID).Version)}}); got.StatusCode != http.StatusSeeOther {
		t.Fatalf("taking it back: %d %s", got.StatusCode, got.body)
	}
	for _, e := range both {
		if now := tn.entry(e.ID); !now.Public() || now.Summary != e.Summary || len(now.Categories) != 1 {
			t.Errorf("after taking it back: %+v", now)
		}
		if got := tn.get("/e/" + e.Slug); got.StatusCode != http.StatusOK {
			t.Errorf("%s: %d", e.Slug, got.StatusCode)
		}
	}
}

func reportAction(t *testing.T, body string) string {
	t.Helper()
	_, rest, ok := strings.Cut(body, `action="/moderate/reports/`)
	path, _, _ := strings.Cut(rest, `"`)
	if !ok {
		t.Fatal("no form for the report")
	}
	return "/moderate/reports/" + path
}

// TestMergeDoors: who moderates a part decides about that part, on both sides; and what waits can be merged into what is
// there, which its sender is told.
func TestMergeDoors(t *testing.T) {
	tn := openTown(t)
	ana, mod, warden := tn.somebody("ana", account.Member, "fr"), tn.somebody("mod", account.Moderator, "fr"), tn.somebody("warden", account.Member, "fr")
	if _, err := tn.accounts.SetStanding(t.Context(), warden.id, account.Standing{Role: account.Member, Wards: []account.Ward{{Category: "coworking"}}}); err != nil {
		t.Fatal(err)
	}
	inside, outside := tn.put(place("Dans le rayon", "Lyon", 4.84, 45.76, "coworking"))[0], tn.put(place("Hors du rayon", "Lyon", 4.84, 45.76, "energie"))[0]
	for name, who := range map[string]*person{"a member": ana, "a warden of one side": warden} {
		if got := who.post("/account", "/moderate/merge", merging(inside, outside)); got.StatusCode != http.StatusForbidden {
			t.Errorf("%s merges: %d", name, got.StatusCode)
		}
		if got := who.get("/moderate/merge?keep=" + string(inside.ID) + "&other=" + string(outside.ID)); got.StatusCode != http.StatusForbidden {
			t.Errorf("%s compares: %d", name, got.StatusCode)
		}
	}
	if got := mod.do(http.MethodPost, "/moderate/merge", merging(inside, outside)); got.StatusCode != http.StatusForbidden {
		t.Errorf("without the token of a form: %d", got.StatusCode)
	}
	fresh := ana.sends(place("Dans le rayon", "Lyon", 4.84, 45.76, "coworking"))
	if body := warden.get("/moderate/merge?keep=" + string(inside.ID) + "&other=" + string(fresh.ID)).body; strings.Contains(body, `name="team" value="1" checked`) || !strings.Contains(body, `name="team"`) {
		t.Error("whoever sends a double owns the entry unless somebody says no")
	}
	if got := warden.post("/moderate/merge?keep="+string(inside.ID)+"&other="+string(fresh.ID), "/moderate/merge", merging(inside, fresh, "reason", "déjà là")); got.StatusCode != http.StatusSeeOther {
		t.Fatalf("merging what waits: %d %s", got.StatusCode, got.body)
	}
	if now := tn.entry(inside.ID); now.Private != nil && len(now.Private.Owners) > 0 {
		t.Errorf("the sender owns the entry: %+v", now.Private)
	}
	before := len(tn.to("ana@example.org"))
	tn.tellDecisions()
	mails := tn.to("ana@example.org")[before:]
	if len(mails) != 1 || !strings.Contains(mails[0].Text, "déjà là") || !strings.Contains(mails[0].Text, "/e/"+inside.Slug) {
		t.Errorf("mails: %+v", mails)
	}
	if body := mod.get("/moderate").body; strings.Contains(body, `class="queue-item"`) {
		t.Error("it still waits")
	}
}

// TestMergeOfWhatAnOrganisationKeeps: the page counts the people of the organisation in whose name the other was posted, and
// proposes to keep what an organisation keeps.
func TestMergeOfWhatAnOrganisationKeeps(t *testing.T) {
	tn := openTown(t)
	olga, ed, mod := tn.somebody("olga", account.Member, "fr"), tn.somebody("ed", account.Member, "fr"), tn.somebody("mod", account.Moderator, "fr")
	first := place("Association", "Lyon", 4.84, 45.76)
	first.Private = &directory.Private{Owners: []string{olga.id}, Editors: []string{ed.id}}
	empty := place("Sans personne", "Lyon", 4.84, 45.76)
	orgs := tn.put(first, empty)
	inNameOf := func(name string, org directory.Entry) directory.Entry {
		e := place(name, "Lyon", 4.84, 45.76)
		e.Private = &directory.Private{Team: org.ID}
		return tn.put(e)[0]
	}
	older := tn.put(place("La Fourmilière", "Lyon", 4.84, 45.76))[0]
	posted, alone := inNameOf("Fourmilière (la)", orgs[0]), inNameOf("Fourmis", orgs[1])
	for _, c := range []struct {
		kept, other directory.Entry
		text        string
	}{
		{older, posted, "Les 2 personnes qui tiennent « Fourmilière (la) »"}, {older, alone, "La personne qui tient « Fourmis »"},
		{alone, posted, ""}, {posted, older, ""},
	} {
		body := mod.get("/moderate/merge?as=1&keep=" + string(c.kept.ID) + "&other=" + string(c.other.ID)).body
		if strings.Contains(body, `name="team"`) != (c.text != "") || !strings.Contains(body, c.text) {
			t.Errorf("%s into %s: want %q", c.other.Name, c.kept.Name, c.text)
		}
	}
	if body := mod.get("/moderate/merge?keep=" + string(older.ID) + "&other=" + string(posted.ID)).body; !strings.Contains(body, `name="keep" value="`+string(posted.ID)+`"`) {
		t.Error("the entry that an organisation keeps is not proposed to stay")
	}
	if got := mod.post("/moderate/merge?as=1&keep="+string(older.ID)+"&other="+string(posted.ID), "/moderate/merge", merging(older, posted, "team", "1")); got.StatusCode != http.StatusSeeOther {
		t.Fatalf("merging: %d %s", got.StatusCode, got.body)
	}
	if now := tn.entry(older.ID); now.Private == nil || now.Private.Team != orgs[0].ID {
		t.Errorf("the organisation lost it: %+v", now.Private)
	}
}
