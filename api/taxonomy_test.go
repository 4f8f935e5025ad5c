package api_test

import (
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"archipel/api"
	"archipel/api/account"
	"archipel/directory"
	"archipel/directory/taxonomy"
)

func (p *person) revision(page string) string {
	p.tn.t.Helper()
	m := revisionInForm.FindStringSubmatch(p.get(page).body)
	if m == nil {
		p.tn.t.Fatalf("no revision on %s", page)
	}
	return m[1]
}

func TestTaxonomyIsEdited(t *testing.T) {
	tn := openTown(t)
	boss := tn.somebody("boss", account.Admin, "fr")
	seen := tn.put(place("Bureau <b>", "Lyon", 4.84, 45.76, "coworking"), place("Deux", "Lyon", 4.85, 45.77, "fablab", "coworking"))
	hidden := place("Caché", "Lyon", 4.86, 45.78, "coworking")
	hidden.Status = directory.Hidden
	hidden = tn.put(hidden)[0]
	const tree = "/admin/taxonomy"

	page := boss.get(tree)
	if page.StatusCode != http.StatusOK || !strings.Contains(page.body, "/admin/taxonomy/coworking") || !strings.Contains(page.body, "2 fiches") {
		t.Fatalf("the tree: %d", page.StatusCode)
	}
	// An attempt that is wrong in several ways.
	wrong := boss.post(tree, tree, url.Values{"revision": {"0"}, "label.fr": {"Lieux <script>alert(1)</script>"}, "color": {"#ffff00"}, "osm": {"nonsense"}, "schema.place": {"no type"}})
	if wrong.StatusCode != http.StatusBadRequest || strings.Contains(wrong.body, "<script>alert") || !strings.Contains(wrong.body, "&lt;script&gt;alert") || !strings.Contains(wrong.body, "#ffff00") {
		t.Errorf("a wrong category: %d, or what was typed is lost", wrong.StatusCode)
	}
	got := boss.post(tree, tree, url.Values{"revision": {"0"}, "label.fr": {"Îlots <i>"}, "label.en": {"Islets"}, "parent": {"coworking"}, "color": {"#123456"}, "icon": {"bike"}, "synonyms": {"Archipélien\r\nInsulaire"}})
	if got.StatusCode != http.StatusSeeOther {
		t.Fatalf("adding: %d %s", got.StatusCode, got.body)
	}
	if body := boss.get(got.Header.Get("Location")).body; !strings.Contains(body, "« Îlots &lt;i&gt; » est ajoutée") || strings.Contains(body, "Îlots <i>") {
		t.Error("what was added is not said, or not harmless")
	}
	// It is usable at once, without a start.
	one := seen[0]
	one.Categories = []string{"ilots-i"}
	one = tn.put(one)[0]
	for _, path := range []string{"/?category=ilots-i", "/?category=coworking", "/add"} {
		if body := boss.get(path).body; path != "/add" && !strings.Contains(body, "Bureau") || strings.Contains(body, "Îlots <i>") {
			t.Errorf("%s does not know the new category", path)
		}
	}
	if body := tn.get("/api/taxonomy").body; !strings.Contains(body, `"Insulaire"`) {
		t.Error("the API does not know it")
	}

	// Renaming and moving; from an old page nothing happens.
	at := tree + "/ilots-i"
	form := url.Values{"revision": {boss.revision(at)}, "action": {"save"}, "label.fr": {"Îles"}, "label.en": {"Islands"}, "parent": {"energie"}}
	if got := boss.post(at, at, form); got.StatusCode != http.StatusSeeOther {
		t.Fatalf("saving: %d %s", got.StatusCode, got.body)
	}
	if got := boss.post(at, at, form); got.StatusCode != http.StatusConflict || !strings.Contains(got.body, "avant vous") {
		t.Errorf("from an old page: %d", got.StatusCode)
	}
	if body := tn.get("/?category=energie").body; !strings.Contains(body, "Bureau") {
		t.Error("the entry did not move with its category")
	}
	if got := boss.post(at, at, url.Values{"revision": {boss.revision(at)}, "action": {"save"}, "label.fr": {"Îles"}, "label.en": {"Islands"}, "parent": {"ilots-i"}}); got.StatusCode != http.StatusBadRequest {
		t.Errorf("below itself: %d", got.StatusCode)
	}

	// What is not empty is not removed, also when only hidden entries have it.
	if got := boss.post(at, at, url.Values{"revision": {boss.revision(at)}, "action": {"remove"}}); got.StatusCode != http.StatusConflict {
		t.Errorf("removing what is full: %d", got.StatusCode)
	}
	if got := boss.post(at, at, url.Values{"revision": {boss.revision(at)}, "action": {"merge"}, "into": {"ilots-i"}}); got.StatusCode != http.StatusBadRequest {
		t.Errorf("merging into itself: %d", got.StatusCode)
	}

	// Merging: every entry keeps its place, old addresses go on working, drafts and hidden ones move too.
	old := tree + "/coworking"
	got = boss.post(old, old, url.Values{"revision": {boss.revision(old)}, "action": {"merge"}, "into": {"fablab"}})
	if got.StatusCode != http.StatusSeeOther || !strings.Contains(boss.get(got.Header.Get("Location")).body, "2 fiches déplacées") {
		t.Fatalf("merging: %d %s %s", got.StatusCode, got.body, got.Header.Get("Location"))
	}
	for _, id := range []directory.ID{seen[1].ID, hidden.ID} {
		if e := tn.entry(id); len(e.Categories) != 1 || e.Categories[0] != "fablab" {
			t.Errorf("%s has %v", e.Name, e.Categories)
		}
	}
	log, err := tn.d.History(t.Context(), hidden.ID, 0, 1)
	if err != nil || !strings.HasPrefix(log[0].Batch, "categories-") || log[0].Author != account.AuthorPrefix+boss.id || log[0].Note == "" {
		t.Errorf("the log: %+v %v", log, err)
	}
	for _, path := range []string{"/?category=coworking", "/embed?category=coworking", "/entries.atom?category=coworking", "/api/collections/entries/items?category=coworking", "/?category=fablab"} {
		if got := tn.get(path); got.StatusCode != http.StatusOK || !strings.Contains(got.body, "Deux") {
			t.Errorf("%s: %d", path, got.StatusCode)
		}
	}
	if got := boss.get(old); got.StatusCode != http.StatusOK || !strings.Contains(got.body, "/admin/taxonomy/fablab") {
		t.Errorf("the page of a former id: %d", got.StatusCode)
	}

	// As after a start, and on another node.
	again := taxonomy.Default()
	if rev, err := api.LoadTaxonomy(t.Context(), tn.store, again); err != nil || rev == 0 || again.Current("coworking") != "fablab" || again.Label("ilots-i", "fr") != "Îles" {
		t.Errorf("read again: %d %v", rev, err)
	}

	// Out as a file and in again; a file without what entries have is refused.
	file := boss.get("/admin/taxonomy.yaml")
	if file.StatusCode != http.StatusOK || !strings.HasPrefix(file.Header.Get("Content-Type"), "application/yaml") {
		t.Fatalf("the file: %d", file.StatusCode)
	}
	without := "languages: [fr]\ncategories:\n  - {id: seule, label: {fr: Seule}, color: \"#123456\"}\n"
	if got := boss.post(tree, tree+"/import", url.Values{"revision": {boss.revision(tree)}, "text": {without}}); got.StatusCode != http.StatusConflict || !strings.Contains(got.body, "fablab") {
		t.Errorf("a file without what entries have: %d", got.StatusCode)
	}
	if got := boss.post(tree, tree+"/import", url.Values{"revision": {boss.revision(tree)}, "text": {"languages: [fr]\ncategories: 3"}}); got.StatusCode != http.StatusBadRequest {
		t.Errorf("a file that is none: %d", got.StatusCode)
	}
	with := strings.Replace(without, "{id: seule,", "{id: seule, former: [fablab, ilots-i],", 1)
	if got := boss.post(tree, tree+"/import", url.Values{"revision": {boss.revision(tree)}, "text": {with}}); got.StatusCode != http.StatusSeeOther {
		t.Fatalf("a file with them as former ids: %d %s", got.StatusCode, got.body)
	}
	if e := tn.entry(one.ID); e.Categories[0] != "seule" {
		t.Errorf("after the file: %v", e.Categories)
	}
}

// Eight administrators add a category at the same moment: one is told that it is there, the others to look again.
func TestTaxonomyManyEditors(t *testing.T) {
	tn := openTown(t)
	boss := tn.somebody("boss", account.Admin, "fr")
	const tree = "/admin/taxonomy"
	token := csrfInForm.FindStringSubmatch(boss.get(tree).body)[1]
	var wg sync.WaitGroup
	codes := make([]int, 8)
	for i := range codes {
		cookies := map[string]string{}
		for k, v := range boss.cookies {
			cookies[k] = v
		}
		who := &person{tn: tn, id: boss.id, cookies: cookies}
		wg.Go(func() {
			form := url.Values{"csrf": {token}, "revision": {"0"}, "label.fr": {"Île " + string(rune('A'+i))}, "label.en": {"Isle " + string(rune('A'+i))}, "color": {"#123456"}}
			codes[i] = who.do(http.MethodPost, tree, form).StatusCode
		})
	}
	wg.Wait()
	added := 0
	for _, code := range codes {
		switch code {
		case http.StatusSeeOther:
			added++
		case http.StatusConflict:
		default:
			t.Errorf("answered %d", code)
		}
	}
	if added != 1 || strings.Count(tn.get("/api/taxonomy").body, `"Isle `) != 1 {
		t.Errorf("%d were told that theirs is added", added)
	}
	for who, p := range map[string]*person{"a moderator": tn.somebody("mod", account.Moderator, "fr"), "a member": tn.somebody("ana", account.Member, "fr")} {
		for _, path := range []string{tree, tree + "/fablab", "/admin/taxonomy.yaml"} {
			if got := p.get(path); got.StatusCode != http.StatusForbidden {
				t.Errorf("%s reads %s: %d", who, path, got.StatusCode)
			}
		}
		for _, path := range []string{tree, tree + "/fablab", tree + "/import"} {
			if got := p.post("/account", path, url.Values{"revision": {"1"}}); got.StatusCode != http.StatusForbidden {
				t.Errorf("%s changes %s: %d", who, path, got.StatusCode)
			}
		}
	}
}
