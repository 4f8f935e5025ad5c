package api_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"archipel/api/account"
	"archipel/directory"
)

// undue are fields that no form decides about, as somebody would try to send them.
func undue(me string) url.Values {
	v := url.Values{}
	for _, prefix := range []string{"", "private.", "properties.", "entry."} {
		for key, value := range map[string]string{
			"status": "published", "owners": me, "owners[0]": me, "Owners": me, "editors": me, "team": me, "origin": "evil.example", "slug": "evil", "aliases": "evil", "id": string(directory.NewID()), "kind": "event",
			"claimed": "2020-01-01T00:00:00Z", "checked": "2020-01-01T00:00:00Z", "created": "2020-01-01T00:00:00Z", "fediverse": "evil", "fediverse.handle": "evil", "mergedInto": string(directory.NewID()),
			"source": "evil", "source.name": "evil", "source.externalId": "1", "private": "evil", "email": "evil@example.org", "trusted": "1", "role": "admin", "author": "account:" + me,
		} {
			if prefix+key != "kind" {
				v.Set(prefix+key, value)
			}
		}
	}
	return v
}

// TestFormsAssignNothingElse sends every undue field with the forms that add and change entries, and with the writes of the
// API: what the server decides stays what it decided.
func TestFormsAssignNothingElse(t *testing.T) {
	tn := openWhole(t)
	anna, eve := tn.somebody("anna", account.Member, "fr"), tn.somebody("eve", account.Member, "fr")
	first := place("La Fourmilière", "Lyon", 4.84, 45.76, "coworking")
	e := tn.kept(first, anna)
	check := func(what string, got directory.Entry) {
		t.Helper()
		if got.Slug == "evil" || len(got.Aliases) > 0 || got.Origin != "" || got.Source != nil || !got.Claimed.IsZero() || got.Fediverse != nil || got.MergedInto != "" || got.Created.Year() == 2020 ||
			got.Checked.Year() == 2020 || got.Private == nil || len(got.Private.Owners) != 1 || got.Private.Owners[0] != anna.id || len(got.Private.Editors) > 0 || got.Private.Team != "" || got.Private.Email != "" {
			t.Errorf("%s: %+v %+v", what, got, got.Private)
		}
	}
	fields := undue(eve.id)
	fields.Set("summary", "Changé.")
	if got := anna.change(e.ID, fields); got.StatusCode != http.StatusSeeOther {
		t.Fatalf("changing: %d %s", got.StatusCode, got.body)
	}
	now := tn.entry(e.ID)
	if check("the form that changes an entry", now); now.Summary != "Changé." || now.Status != directory.Published || now.Kind != directory.Place || now.ID != e.ID {
		t.Errorf("the form that changes an entry: %+v", now)
	}
	// A new one waits, whatever it says of itself.
	fields = undue(eve.id)
	for key, value := range map[string]string{"kind": "place", "name": "Le Nouveau", "categories": "coworking", "action": "next"} {
		fields.Set(key, value)
	}
	got := anna.post("/add", "/add", fields)
	where := got.Header.Get("Location")
	if got.StatusCode != http.StatusSeeOther || !strings.HasSuffix(where, "/where") {
		t.Fatalf("adding: %d %s", got.StatusCode, where)
	}
	about := strings.TrimSuffix(where, "where") + "about"
	// Somebody's draft is nobody else's: neither read nor continued nor thrown away.
	for name, p := range map[string]*person{"eve": eve, "a visitor": tn.visitor()} {
		for _, path := range []string{where, about} {
			if got := p.get(path); got.StatusCode != http.StatusNotFound || strings.Contains(got.body, "Le Nouveau") {
				t.Errorf("%s reads somebody's draft: %d", name, got.StatusCode)
			}
		}
		for _, path := range []string{where, about, strings.TrimSuffix(where, "where") + "discard"} {
			if got := p.post("/add", path, url.Values{"name": {"Pris"}}); got.StatusCode != http.StatusNotFound {
				t.Errorf("%s sends %s: %d", name, path, got.StatusCode)
			}
		}
	}
	fields = undue(eve.id)
	for key, value := range map[string]string{"lat": "45.76", "lon": "4.84", "action": "next"} {
		fields.Set(key, value)
	}
	if got := anna.post(where, where, fields); got.StatusCode != http.StatusSeeOther {
		t.Fatalf("where: %d %s", got.StatusCode, got.body)
	}
	fields = undue(eve.id)
	fields.Set("summary", "Tout neuf.")
	fields.Set("action", "anyway")
	if got := anna.post(about, about, fields); got.StatusCode != http.StatusSeeOther {
		t.Fatalf("about: %d %s", got.StatusCode, got.body)
	}
	pending := tn.waiting.Pending()
	if len(pending) != 1 {
		t.Fatalf("%d entries wait", len(pending))
	}
	if now = tn.entry(pending[0]); now.Name != "Le Nouveau" || now.Kind != directory.Place {
		t.Errorf("the new entry: %+v", now)
	}
	now.Checked = time.Time{}
	check("the form that adds an entry", now)

	// Others' entries: what is public can be read and nothing of it be changed; what waits is not there.
	for _, of := range []directory.Entry{tn.entry(e.ID), now} {
		page := "/e/" + of.Slug
		for name, p := range map[string]*person{"eve": eve, "a visitor": tn.visitor()} {
			before := tn.entry(of.ID)
			for _, path := range []string{"/edit", "/calendars", "/team/invite", "/team/role", "/team/remove", "/team/handover", "/revert", "/fediverse"} {
				got := p.post("/add", page+path, url.Values{"version": {seq(before.Version)}, "name": {"Pris"}, "mail": {"eve@example.org"}, "account": {eve.id}, "to": {"1"}, "reason": {"x"}, "role": {"owner"}, "url": {"https://example.org/a.ics"}})
				if got.StatusCode < 400 && !strings.HasPrefix(got.Header.Get("Location"), "/signin") {
					t.Errorf("%s sends %s%s: %d %s", name, page, path, got.StatusCode, got.Header.Get("Location"))
				}
				if !of.Public() && got.StatusCode != http.StatusNotFound && got.StatusCode != http.StatusForbidden && got.StatusCode != http.StatusUnauthorized {
					t.Errorf("%s learns that %s is there: %d", name, path, got.StatusCode)
				}
			}
			if after := tn.entry(of.ID); after.Version != before.Version {
				t.Errorf("%s changed %s", name, of.Name)
			}
		}
	}
}
