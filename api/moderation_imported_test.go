package api_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"archipel/api/account"
	"archipel/directory"
	"archipel/directory/taxonomy"
)

// TestQueueOfManyAndOfImports: more than one look can read is counted and shown all the same; what was imported and nobody
// keeps has a part of its own.
func TestQueueOfManyAndOfImports(t *testing.T) {
	tn := openTown(t)
	mod := tn.somebody("mod", account.Moderator, "fr")
	var many []directory.Entry
	for i := range 530 {
		e := directory.Entry{Kind: directory.Initiative, Name: fmt.Sprintf("Attend %03d", i), Status: directory.Pending}
		many = append(many, e)
	}
	tn.put(many...)
	changed := tn.put(place("Publié", "Lyon", 4.84, 45.76))[0]
	changed.Name, changed.Status = "Publié, changé", directory.Pending
	tn.put(changed)
	for look := range 2 { // the second knows the histories that the first has read
		body := mod.get("/moderate?from=520").body
		if !strings.Contains(body, `<span class="count">531</span>`) || !strings.Contains(body, "Attend 5") {
			t.Errorf("look %d: those beyond the first 500 are not there", look)
		}
	}
	if body := mod.get("/moderate?show=changed").body; !strings.Contains(body, "Publié, changé") || strings.Count(body, `class="queue-item"`) != 1 {
		t.Error("the part of the changed ones is another")
	}

	var imported []directory.Entry
	for i := range 25 {
		e := place(fmt.Sprintf("Importé %02d <i>", i), "Lyon", 4.8, 45.7, "amap")
		e.Source = &directory.Source{Name: "Base", ExternalID: fmt.Sprint(i)}
		imported = append(imported, e)
	}
	imported = tn.put(imported...)
	const part = "/moderate?show=imported"
	first := mod.get(part)
	if strings.Count(first.body, `class="queue-item"`) != 20 || !strings.Contains(first.body, `<span class="count">25</span>`) || strings.Contains(first.body, "00 <i>") {
		t.Fatalf("the part of imports: %d", first.StatusCode)
	}
	_, rest, _ := strings.Cut(first.body, `rel="next" href="`)
	next, _, _ := strings.Cut(rest, `"`)
	if body := mod.get(strings.ReplaceAll(next, "&amp;", "&")).body; strings.Count(body, `class="queue-item"`) != 5 {
		t.Errorf("the next page %q", next)
	}
	at := "/moderate/imported/" + string(imported[0].ID)
	if got := mod.post(part, at, url.Values{"decision": {"remove"}, "version": {seq(imported[0].Version)}}); got.StatusCode != http.StatusBadRequest {
		t.Errorf("removing without a reason: %d", got.StatusCode)
	}
	if got := mod.post(part, at, url.Values{"decision": {"confirm"}, "version": {"1"}}); got.StatusCode != http.StatusConflict {
		t.Errorf("from an old page: %d", got.StatusCode)
	}
	if got := mod.post(part, at, url.Values{"decision": {"confirm"}, "version": {seq(imported[0].Version)}}); got.StatusCode != http.StatusSeeOther || tn.entry(imported[0].ID).Checked.IsZero() {
		t.Errorf("confirming: %d", got.StatusCode)
	}
	if body := mod.get(part).body; !strings.Contains(body, `<span class="count">24</span>`) {
		t.Error("what is confirmed is still counted")
	}
	ana := tn.somebody("ana", account.Member, "fr")
	if got := ana.post("/account", at, url.Values{"decision": {"confirm"}}); got.StatusCode != http.StatusForbidden {
		t.Errorf("a member confirms: %d", got.StatusCode)
	}
}

// TestWardsCoverWhatIsBelow: who moderates a category moderates those below it, and a zone what lies in it.
func TestWardsCoverWhatIsBelow(t *testing.T) {
	tn := openTown(t)
	words := taxonomy.Default()
	tn.accounts.Under = words.Under
	tn.accounts.Zones = func(e *directory.Entry) []string {
		if len(e.Sites) > 0 && e.Sites[0][0] > 5 {
			return []string{"FR-38", "FR-84"}
		}
		return nil
	}
	for name, ward := range map[string]account.Ward{"category": {Category: "alimentation"}, "zone": {Zone: "38"}, "code": {Zone: "FR-38"}} {
		who := tn.somebody(name, account.Member, "fr")
		if _, err := tn.accounts.SetStanding(t.Context(), who.id, account.Standing{Role: account.Member, Wards: []account.Ward{ward}}); err != nil {
			t.Fatal(err)
		}
		inside, outside := place("Dedans "+name, "Grenoble", 5.72, 45.18, "amap"), place("Dehors "+name, "Lyon", 4.84, 45.76, "fablab")
		inside.Status, outside.Status = directory.Pending, directory.Pending
		tn.put(inside, outside)
		if body := who.get("/moderate").body; !strings.Contains(body, "Dedans "+name) || strings.Contains(body, "Dehors") {
			t.Errorf("%s: another part than the own", name)
		}
	}
}
