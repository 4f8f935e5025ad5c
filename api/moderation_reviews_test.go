package api_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"archipel/api"
	"archipel/api/account"
	"archipel/directory"
)

// noteChanges drives the follower that notes what is to be looked at, over the whole log.
func (tn *town) noteChanges() {
	tn.t.Helper()
	changes, err := tn.d.Changes(tn.t.Context(), 0, 1000)
	if err != nil {
		tn.t.Fatal(err)
	}
	if err := tn.server.Reviews("http://example.com").Consume(tn.t.Context(), changes); err != nil {
		tn.t.Fatal(err)
	}
}

// kept puts a public entry of somebody's.
func (tn *town) kept(e directory.Entry, owner *person) directory.Entry {
	tn.t.Helper()
	e.Status, e.Private = directory.Published, &directory.Private{Owners: []string{owner.id}}
	saved, err := tn.d.Put(tn.t.Context(), "system", e)
	if err != nil {
		tn.t.Fatal(err)
	}
	return saved
}

// change sends the edit form of an entry, with other words in some fields.
func (p *person) change(id directory.ID, fields url.Values) answer {
	p.tn.t.Helper()
	e := p.tn.entry(id)
	fields.Set("version", strconv.FormatInt(int64(e.Version), 10))
	return p.post("/e/"+e.Slug+"/edit", "/e/"+e.Slug+"/edit", fields)
}

func (p *person) decideChange(id directory.ID, decision, reason string) answer {
	p.tn.t.Helper()
	return p.post("/moderate", "/moderate/changes/"+string(id), url.Values{"decision": {decision}, "reason": {reason}, "version": {strconv.FormatInt(int64(p.tn.entry(id).Version), 10)}})
}

func TestChangesAreLookedAtAfterwards(t *testing.T) {
	tn := openTown(t)
	anna, mod := tn.somebody("anna", account.Member, "fr"), tn.somebody("mod", account.Moderator, "fr")
	first := place("La Fourmilière", "Lyon", 4.84, 45.76)
	first.Summary = "On y répare."
	e := tn.kept(first, anna)
	listed := func() bool {
		return strings.Contains(mod.get("/moderate?show=changed").body, `id="r-`+string(e.ID)+`"`)
	}
	if got := anna.change(e.ID, url.Values{"summary": {"On y danse."}}); got.StatusCode != http.StatusSeeOther {
		t.Fatalf("changing: %d %s", got.StatusCode, got.body)
	}
	if tn.entry(e.ID).Summary != "On y danse." {
		t.Error("the change is not public at once")
	}
	tn.noteChanges()
	queue := mod.get("/moderate?show=changed").body
	for _, want := range []string{`id="r-` + string(e.ID), "répare.", "danse.", "déjà publique"} {
		if !strings.Contains(queue, want) {
			t.Errorf("the queue does not say %s", want)
		}
	}
	if anna.post("/account", "/moderate/changes/"+string(e.ID), url.Values{"decision": {"seen"}, "version": {strconv.FormatInt(int64(tn.entry(e.ID).Version), 10)}}).StatusCode != http.StatusForbidden {
		t.Error("the author approves the own change")
	}
	if got := mod.decideChange(e.ID, "revert", ""); got.StatusCode != http.StatusBadRequest {
		t.Errorf("going back without a reason: %d", got.StatusCode)
	}

	// A question reaches the author once; the answer is seen.
	tn.clock = func() time.Time { return now.Add(time.Hour) }
	if got := mod.decideChange(e.ID, "ask", "Quelle danse ?"); got.StatusCode != http.StatusSeeOther {
		t.Fatalf("asking: %d %s", got.StatusCode, got.body)
	}
	tn.noteChanges()
	tn.noteChanges() // as after a crash
	if mails := tn.to("anna@example.org"); len(mails) == 0 || strings.Count(mails[len(mails)-1].Text, "Quelle danse ?") != 1 || toldOf(mails, "Quelle danse") != 1 {
		t.Errorf("the author got %d mails", len(mails))
	}
	if !listed() || !strings.Contains(mod.get("/moderate?show=changed").body, "sans réponse") {
		t.Error("a question ends the review")
	}
	if got := anna.change(e.ID, url.Values{"summary": {"On y danse le forró."}}); got.StatusCode != http.StatusSeeOther {
		t.Fatal(got.StatusCode)
	}
	// The queue tells of a change that the follower has not read yet against the version that was approved.
	if page := mod.get("/moderate?show=changed").body; !strings.Contains(page, "répare.") || !strings.Contains(page, "forró") || !strings.Contains(page, "a changé depuis") {
		t.Error("the answer is not compared with what was approved")
	}
	old := strconv.FormatInt(int64(tn.entry(e.ID).Version)-1, 10)
	if got := mod.post("/moderate", "/moderate/changes/"+string(e.ID), url.Values{"decision": {"seen"}, "version": {old}}); got.StatusCode != http.StatusConflict {
		t.Errorf("deciding about another version: %d", got.StatusCode)
	}

	// Going back needs a reason, which the author reads.
	if got := mod.decideChange(e.ID, "revert", "La danse, c’est <b>fini</b>."); got.StatusCode != http.StatusSeeOther {
		t.Fatalf("going back: %d %s", got.StatusCode, got.body)
	}
	if listed() {
		t.Error("what is decided is listed before the follower read it")
	}
	tn.noteChanges()
	tn.noteChanges()
	if got := tn.entry(e.ID); got.Summary != "On y répare." || len(got.Private.Owners) != 1 || !got.Public() {
		t.Errorf("it is %q", got.Summary)
	}
	mails := tn.to("anna@example.org")
	if toldOf(mails, "La danse, c’est") != 1 || strings.Contains(mails[len(mails)-1].HTML, "<b>fini") {
		t.Errorf("the reason came %d times: %+v", toldOf(mails, "La danse, c’est"), mails)
	}
	if listed() {
		t.Error("it is listed after all")
	}

	// What was seen is the base of the next.
	anna.change(e.ID, url.Values{"summary": {"On y coud."}})
	tn.noteChanges()
	if got := mod.decideChange(e.ID, "seen", "Joli travail."); got.StatusCode != http.StatusSeeOther {
		t.Fatalf("approving: %d %s", got.StatusCode, got.body)
	}
	tn.noteChanges()
	tn.noteChanges()
	if toldOf(tn.to("anna@example.org"), "Joli travail.") != 1 {
		t.Error("the words of the approval do not reach the author once")
	}
	if listed() {
		t.Error("it is listed after it was seen")
	}
	anna.change(e.ID, url.Values{"summary": {"On y tricote."}})
	tn.noteChanges()
	if page := mod.get("/moderate?show=changed").body; !strings.Contains(page, "coud.") || !strings.Contains(page, "tricote.") || strings.Contains(page, "répare.") {
		t.Error("the difference is not with what was approved")
	}
	anna.change(e.ID, url.Values{"summary": {"On y coud."}})
	if tn.noteChanges(); listed() {
		t.Error("what was taken back is to be looked at")
	}
}

func toldOf(mails []account.Mail, words string) (n int) {
	for _, m := range mails {
		if strings.Contains(m.Text, words) {
			n++
		}
	}
	return n
}

// send sends a body of any kind.
func (p *person) send(method, path, kind, body string, header ...string) answer {
	p.tn.t.Helper()
	req := httptest.NewRequest(method, path, strings.NewReader(body))
	req.Header.Set("Content-Type", kind)
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	for name, value := range p.cookies {
		req.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	res, err := p.tn.server.Handler().Test(req, -1)
	if err != nil {
		p.tn.t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		p.tn.t.Fatal(err)
	}
	return answer{res, string(b)}
}

func TestNothingToLookAt(t *testing.T) {
	tn := openTown(t)
	anna, mod := tn.somebody("anna", account.Member, "fr"), tn.somebody("mod", account.Moderator, "fr")
	e := tn.kept(place("La Fourmilière", "Lyon", 4.84, 45.76), anna)
	if _, err := tn.accounts.SetStanding(t.Context(), anna.id, account.Standing{Role: account.Member, Trusted: true}); err != nil {
		t.Fatal(err)
	}
	anna.change(e.ID, url.Values{"summary": {"De confiance."}})
	mod.change(e.ID, url.Values{"summary": {"De la modération."}})
	changes, err := tn.d.Changes(t.Context(), 0, 100)
	if err != nil || len(changes) != 3 {
		t.Fatal(len(changes), err)
	}
	if tn.noteChanges(); strings.Contains(mod.get("/moderate?show=changed").body, `id="r-`) {
		t.Error("what somebody wrote who may publish is to be looked at")
	}
}

func TestChangesAreLookedAtBefore(t *testing.T) {
	tn := openTown(t)
	anna, mod := tn.somebody("anna", account.Member, "fr"), tn.somebody("mod", account.Moderator, "fr")
	site := api.DefaultSite()
	site.Review = api.ReviewBefore
	tn.server.Site = func() api.Site { return site }
	first := place("La Fourmilière", "Lyon", 4.84, 45.76)
	first.Summary = "On y répare."
	e := tn.kept(first, anna)
	if page := anna.get("/e/" + e.Slug + "/edit").body; !strings.Contains(page, "aura relues") {
		t.Error("the form does not say that changes wait")
	}
	for _, summary := range []string{"On y danse.", "On y danse, le soir."} {
		if got := anna.change(e.ID, url.Values{"summary": {summary}}); got.StatusCode != http.StatusSeeOther || got.Header.Get("Location") != "/me/entries?done=change" {
			t.Fatalf("changing: %d %s", got.StatusCode, got.Header.Get("Location"))
		}
		if got := tn.entry(e.ID); got.Summary != "On y répare." {
			t.Fatalf("the change is public: %q", got.Summary)
		}
		if page := anna.get("/e/" + e.Slug + "/edit").body; !strings.Contains(page, summary) || !strings.Contains(page, "attend depuis") {
			t.Error("the form does not go on from what waits")
		}
	}
	// A field that the second form leaves out is as the waiting change has it.
	anna.change(e.ID, url.Values{"contact.phone": {"+33 4 77 00 00 00"}})
	page := mod.get("/moderate?show=correction").body
	found := regexp.MustCompile(`/moderate/proposals/([0-9a-f-]+)`).FindAllStringSubmatch(page, -1)
	if len(found) != 1 || !strings.Contains(page, "le soir") || !strings.Contains(page, "+33") {
		t.Fatalf("%d changes wait", len(found))
	}
	decide := func(id string) answer {
		return mod.post("/moderate", "/moderate/proposals/"+id, url.Values{"decision": {"approve"}, "version": {strconv.FormatInt(int64(tn.entry(e.ID).Version), 10)}})
	}
	if got := decide(string(directory.NewID())); got.StatusCode != http.StatusConflict {
		t.Errorf("approving what was replaced: %d", got.StatusCode)
	}
	if got := decide(found[0][1]); got.StatusCode != http.StatusSeeOther {
		t.Fatalf("approving: %d %s", got.StatusCode, got.body)
	}
	if got := tn.entry(e.ID); got.Summary != "On y danse, le soir." || got.Contact == nil || got.Contact.Phone == "" || len(got.Private.Owners) != 1 {
		t.Errorf("after approval: %+v", got)
	}
	// Programs are told that it waits; the export of one's data has it.
	stands := tn.entry(e.ID)
	m := regexp.MustCompile(`name="csrf" value="([^"]+)"`).FindStringSubmatch(anna.get("/add").body)
	req := []string{"If-Match", tn.get("/api/collections/places/items/" + string(e.ID)).Header.Get("ETag"), "X-CSRF-Token", m[1], "Accept", "application/json"}
	patch := func(body string) answer {
		return anna.send(http.MethodPatch, "/api/collections/places/items/"+string(e.ID), "application/merge-patch+json", body, req...)
	}
	if got := patch(`{"properties":{"summary":"Par un programme."}}`); got.StatusCode != http.StatusAccepted || !strings.Contains(got.body, `"proposal"`) {
		t.Errorf("a program changes it: %d %s", got.StatusCode, got.body)
	}
	if got := patch(`{"properties":{"name":""}}`); got.StatusCode != http.StatusBadRequest || !strings.Contains(got.body, "name") {
		t.Errorf("a program sends what is wrong: %d %s", got.StatusCode, got.body)
	}
	if tn.entry(e.ID).Version != stands.Version || !strings.Contains(mod.get("/moderate?show=correction").body, "programme") {
		t.Error("the change of a program does not wait")
	}
	a, err := tn.accounts.Get(t.Context(), anna.id)
	if err != nil {
		t.Fatal(err)
	}
	owned, err := api.Owned(tn.d)(t.Context(), a)
	if b, bad := json.Marshal(owned); err != nil || bad != nil || !strings.Contains(string(b), "Par un programme.") {
		t.Errorf("the export of one's data: %s %v", b, err)
	}
	// What changes nothing takes back what waits.
	anna.change(e.ID, url.Values{"summary": {"Autre chose."}})
	anna.change(e.ID, url.Values{"summary": {"On y danse, le soir."}})
	if strings.Contains(mod.get("/moderate?show=correction").body, "/moderate/proposals/") {
		t.Error("a change that was taken back waits")
	}
	// Moderators do not wait.
	mod.change(e.ID, url.Values{"summary": {"De la modération."}})
	if tn.entry(e.ID).Summary != "De la modération." {
		t.Error("a moderator waits")
	}
	if tn.noteChanges(); strings.Contains(mod.get("/moderate?show=changed").body, `id="r-`) {
		t.Error("what was approved is to be looked at again")
	}
	for review, says := range map[api.Review]string{api.ReviewAfter: "paraissent tout de suite", api.ReviewBefore: "quand l’équipe les a relues"} {
		if site.Review = review; !strings.Contains(tn.visitor().get("/about").body, says) {
			t.Errorf("the page about the directory does not say that changes are looked at %s", review)
		}
	}
}
