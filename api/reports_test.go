package api_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"archipel/api"
	"archipel/api/account"
	"archipel/directory"
)

func complaint(category, text, sender string) url.Values {
	return url.Values{"category": {category}, "text": {text}, "sender": {sender}}
}

// waitingReports are the records of reports that wait.
func (tn *town) waitingReports() []api.Report {
	tn.t.Helper()
	records, err := tn.store.Records(tn.t.Context(), api.KindReport, "", 100)
	if err != nil {
		tn.t.Fatal(err)
	}
	out := make([]api.Report, len(records))
	for i, r := range records {
		if err := json.Unmarshal(r.Value, &out[i]); err != nil {
			tn.t.Fatal(err)
		}
	}
	return out
}

func TestReports(t *testing.T) {
	tn := openTown(t)
	mod := tn.somebody("mod", account.Moderator, "fr")
	e := tn.put(place("Le Café", "Lyon", 4.84, 45.76))[0]
	page := "/e/" + e.Slug + "/report"
	if body := tn.visitor().get("/e/" + e.Slug).body; !strings.Contains(body, page) {
		t.Error("the entry's page does not lead to the form")
	}

	for _, c := range []struct {
		name string
		form url.Values
	}{
		{"no category", complaint("", "x", "")}, {"an unknown one", complaint("nonsense", "x", "")},
		{"wrong without words", complaint("wrong", " ", "")}, {"no address", complaint("closed", "", "nobody")},
		{"two addresses", complaint("closed", "", "a@example.org\r\nBcc: b@example.org")}, {"control characters", complaint("closed", "a\x00b", "")},
		{"too long", complaint("closed", strings.Repeat("é", 2001), "")},
	} {
		if got := tn.visitor().post(page, page, c.form); got.StatusCode != http.StatusBadRequest || !strings.Contains(got.body, `class="queue-wrong"`) {
			t.Errorf("%s: %d", c.name, got.StatusCode)
		}
	}
	trapped := complaint("closed", "spam", "")
	trapped.Set("fax", "1")
	if got := tn.visitor().post(page, page, trapped); got.StatusCode != http.StatusOK || len(tn.waitingReports()) != 0 {
		t.Errorf("what a program filled in was kept: %d", got.StatusCode)
	}
	if got := tn.visitor().do(http.MethodPost, page, complaint("closed", "", "")); got.StatusCode != http.StatusForbidden {
		t.Errorf("a form of another site: %d", got.StatusCode)
	}
	for range 2 { // twice the same is once
		if got := tn.visitor().post(page, page, complaint("wrong", "Le <script>téléphone</script> sonne ailleurs", "who@example.net")); got.StatusCode != http.StatusOK || !strings.Contains(got.body, "bien arrivé") {
			t.Fatalf("reporting: %d", got.StatusCode)
		}
	}
	waiting := tn.waitingReports()
	if len(waiting) != 1 {
		t.Fatalf("%d reports wait, want one", len(waiting))
	}
	body := mod.get("/moderate?show=report").body
	if !strings.Contains(body, "Une information est fausse") || strings.Contains(body, "<script>téléphone") || !strings.Contains(body, "who@example.net") {
		t.Error("the report is not shown as it should be")
	}
	if strings.Contains(tn.visitor().get("/e/"+e.Slug).body, "who@example.net") || strings.Contains(tn.visitor().get("/e/"+e.Slug+"/history").body, "sonne ailleurs") {
		t.Error("a report is public")
	}

	action := "/moderate/reports/" + string(e.ID) + "/" + string(waiting[0].ID)
	answer := url.Values{"version": {seq(e.Version)}, "decision": {"accept"}, "reason": {"Numéro corrigé."}}
	if got := tn.somebody("ana", account.Member, "fr").post("/account", action, answer); got.StatusCode != http.StatusForbidden {
		t.Errorf("a member answers a report: %d", got.StatusCode)
	}
	if got := mod.post("/moderate", action, url.Values{"version": {seq(e.Version)}, "decision": {"dismiss"}}); got.StatusCode != http.StatusBadRequest {
		t.Errorf("an answer without a reason: %d", got.StatusCode)
	}
	if got := mod.post("/moderate", action, answer); got.StatusCode != http.StatusSeeOther {
		t.Fatalf("answering: %d %s", got.StatusCode, got.body)
	}
	if mails := tn.to("who@example.net"); len(mails) != 1 || !strings.Contains(mails[0].Text, "Numéro corrigé.") {
		t.Errorf("the answer: %+v", mails)
	}
	if tn.visitor().post(page, page, complaint("closed", "Fermé", "")); len(tn.waitingReports()) != 1 {
		t.Fatal("another report is not taken")
	}
	if got := mod.post("/moderate", action, answer); got.StatusCode != http.StatusConflict {
		t.Errorf("answering twice: %d", got.StatusCode)
	}

	// An answer that was cut short right after the decision is finished when the queue is looked at.
	r := tn.waitingReports()[0]
	r.Decision, r.Reason, r.By, r.Mail, r.Decided = "remove", "Fermé pour de bon", account.AuthorPrefix+mod.id, "late@example.net", now
	value, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	if err := tn.store.PutRecord(t.Context(), api.KindReport, directory.Record{Key: string(r.Of) + "/" + string(r.ID), Value: value, Rev: 1}); err != nil {
		t.Fatal(err)
	}
	mod.get("/moderate")
	mod.get("/moderate")
	log, err := tn.d.History(t.Context(), e.ID, 0, 1)
	if err != nil || tn.entry(e.ID).Status != directory.Removed || log[0].Note != "Fermé pour de bon" || len(tn.waitingReports()) != 0 || len(tn.to("late@example.net")) != 1 {
		t.Errorf("what was cut short is not finished once: %+v %v, %d wait, %d mails", log, err, len(tn.waitingReports()), len(tn.to("late@example.net")))
	}
}

func TestReportsDoNotFlood(t *testing.T) {
	tn := openTown(t)
	e := tn.put(place("Le Café", "Lyon", 4.84, 45.76), place("Un autre", "Lyon", 4.85, 45.76))
	page, limited := "/e/"+e[0].Slug+"/report", false
	for i := range 20 {
		got := tn.visitor().post(page, page, complaint("closed", fmt.Sprint("n° ", i), ""))
		limited = limited || got.StatusCode == http.StatusTooManyRequests
		if i == 5 && !strings.Contains(got.body, "est au courant") {
			t.Error("who comes later is not told that the team knows")
		}
	}
	if n := len(tn.waitingReports()); n != 5 || !limited {
		t.Errorf("%d reports of one entry wait, and the address is limited: %v", n, limited)
	}
}

func TestProposals(t *testing.T) {
	tn := openTown(t)
	mod := tn.somebody("mod", account.Moderator, "fr")
	e := place("Le Café", "Lyon", 4.84, 45.76)
	e.Contact, e.Private = &directory.Contact{Phone: "+33 4 77 00 00 00"}, &directory.Private{Note: "à nous"}
	e = tn.put(e)[0]
	propose := func(change func(*directory.Entry)) api.Proposal {
		t.Helper()
		mine := tn.entry(e.ID)
		base := mine.Version
		change(&mine)
		mine.Private = nil
		b, err := directory.EncodeStored(&mine)
		if err != nil {
			t.Fatal(err)
		}
		p := api.Proposal{ID: directory.NewID(), Of: e.ID, Base: base, Entry: b, Author: "visitor", Mail: "who@example.net", Lang: "en", Note: "vu <b>sur place</b>", Created: now}
		value, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		if err := tn.store.PutRecord(t.Context(), api.KindProposal, directory.Record{Key: string(p.ID), Value: value}); err != nil {
			t.Fatal(err)
		}
		return p
	}
	first := propose(func(e *directory.Entry) { e.Contact.Phone = "+33 4 77 11 11 11"; e.Summary = "Au coin." })
	second := propose(func(e *directory.Entry) { e.Name = "Casino" })

	// Somebody else changes another field meanwhile: both stand in the end.
	standing := tn.entry(e.ID)
	standing.OpeningHours = "Mo-Fr 09:00-18:00"
	standing = tn.put(standing)[0]
	body := mod.get("/moderate?show=correction").body
	if !strings.Contains(body, "Casino") || !strings.Contains(body, "vu &lt;b&gt;") || strings.Contains(body, "<dt>Horaires") {
		t.Error("the corrections are not shown against what stands now")
	}
	if got := mod.post("/moderate", "/moderate/proposals/"+string(first.ID), decision(e, "approve", "")); got.StatusCode != http.StatusConflict {
		t.Errorf("approving from an old page: %d", got.StatusCode)
	}
	if got := mod.post("/moderate", "/moderate/proposals/"+string(first.ID), decision(standing, "approve", "")); got.StatusCode != http.StatusSeeOther {
		t.Fatalf("approving: %d %s", got.StatusCode, got.body)
	}
	after := tn.entry(e.ID)
	if after.Contact.Phone != "+33 4 77 11 11 11" || after.Summary != "Au coin." || after.OpeningHours == "" || after.Name != "Le Café" || after.Private == nil || after.Slug != e.Slug || !after.Created.Equal(e.Created) {
		t.Errorf("the correction made %+v", after)
	}
	if got := mod.post("/moderate", "/moderate/proposals/"+string(second.ID), decision(after, "refuse", "No.")); got.StatusCode != http.StatusSeeOther {
		t.Fatalf("refusing: %d", got.StatusCode)
	}
	if got := mod.post("/account", "/moderate/proposals/"+string(second.ID), decision(after, "approve", "")); got.StatusCode != http.StatusConflict || tn.entry(e.ID).Name != "Le Café" {
		t.Errorf("deciding again: %d", got.StatusCode)
	}
	if mails := tn.to("who@example.net"); len(mails) != 2 || mails[0].Lang != "en" {
		t.Errorf("mails: %+v", mails)
	}
}
