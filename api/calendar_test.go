package api_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"archipel/api/account"
	"archipel/directory"
)

// unfold joins the lines of a calendar that were folded.
func unfold(body string) string { return strings.ReplaceAll(body, "\r\n ", "") }

func TestCalendars(t *testing.T) {
	s := open(t)
	made := s.put(
		event("Repair café", paris(13, 14), "FREQ=WEEKLY"),
		lasting("Bal, au parc", paris(20, 21), 3*time.Hour),
		lasting("Vieille fête", paris(1, 9).AddDate(-1, 0, 0), time.Hour),
		lasting("Fête d’il y a peu", paris(1, 9), time.Hour),
		directory.Entry{Kind: directory.Event, Name: "Brouillon", Status: directory.Draft, Event: &directory.Schedule{Start: paris(14, 9)}},
		place("Lieu", "Lyon", 4.84, 45.76, "coworking"),
	)
	group := s.put(directory.Entry{Kind: directory.Organisation, Name: "Asso", Relations: []directory.Relation{{Rel: "organises", Target: made[0].ID}, {Rel: "hosts", Target: made[1].ID}, {Rel: "organises", Target: made[4].ID}}})[0]
	for _, c := range []struct {
		name, path string
		want       []string
		not        []string
	}{
		{"one event", "/e/repair-cafe.ics", []string{"SUMMARY:Repair café", "RRULE:FREQ=WEEKLY", "UID:" + string(made[0].ID) + "@example.com", "URL:http://example.com/e/repair-cafe", "X-WR-CALNAME:Repair café"}, []string{"Bal"}},
		{"an organisation's", "/e/" + group.Slug + ".ics", []string{"SUMMARY:Repair café", `SUMMARY:Bal\, au parc`, "X-WR-CALNAME:Asso"}, []string{"Brouillon", "Vieille"}},
		{"a place without events", "/e/lieu.ics", []string{"BEGIN:VCALENDAR", "END:VCALENDAR"}, []string{"VEVENT"}},
		{"any list: what is to come, and what was not long ago", "/entries.ics", []string{"Repair", "Bal", "d’il y a peu"}, []string{"Vieille", "Brouillon", "Lieu", "Asso"}},
		{"filtered", "/entries.ics?q=bal", []string{"Bal"}, []string{"Repair"}},
		{"other dates", "/entries.ics?datetime=2026-01-01/2026-12-31", []string{"Vieille"}, []string{"Repair", "Bal"}},
		{"of a place elsewhere", "/entries.ics?bbox=0,0,1,1", []string{"END:VCALENDAR"}, []string{"VEVENT"}},
		{"no other kind", "/entries.ics?kind=place", []string{"END:VCALENDAR"}, []string{"Lieu"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := s.get(c.path)
			if a.StatusCode != http.StatusOK || !strings.HasPrefix(a.Header.Get("Content-Type"), "text/calendar") {
				t.Fatalf("got %d %s", a.StatusCode, a.Header.Get("Content-Type"))
			}
			for _, want := range c.want {
				if !strings.Contains(unfold(a.body), want) {
					t.Errorf("%s is missing in\n%s", want, a.body)
				}
			}
			for _, not := range c.not {
				if strings.Contains(a.body, not) {
					t.Errorf("%s is there", not)
				}
			}
			etag := a.Header.Get("ETag")
			if again := s.get(c.path, "If-None-Match", etag); etag == "" || again.StatusCode != http.StatusNotModified || again.body != "" {
				t.Errorf("again with %s: got %d, want 304", etag, again.StatusCode)
			}
		})
	}
	before := s.get("/e/repair-cafe.ics").Header.Get("ETag")
	made[0].Summary = "Venez"
	s.put(made[0])
	if after := s.get("/e/repair-cafe.ics", "If-None-Match", before); after.StatusCode != http.StatusOK || !strings.Contains(after.body, "Venez") {
		t.Errorf("after a change: got %d", after.StatusCode)
	}
	for path, want := range map[string]int{"/e/nobody.ics": 404, "/e/brouillon.ics": 404, "/entries.ics?bbox=1,2,3": 400, "/entries.ics?category=none": 400, "/entries.ics?datetime=soon": 400} {
		if a := s.get(path); a.StatusCode != want {
			t.Errorf("%s: got %d, want %d", path, a.StatusCode, want)
		}
	}
}

func TestCalendarLinks(t *testing.T) {
	s := open(t)
	e := s.put(event("Repair café", paris(13, 14), "FREQ=WEEKLY"))[0]
	s.put(directory.Entry{Kind: directory.Organisation, Name: "Asso", Relations: []directory.Relation{{Rel: "organises", Target: e.ID}}}, directory.Entry{Kind: directory.Organisation, Name: "Autre"})
	for path, want := range map[string]string{
		"/e/repair-cafe": `href="/e/repair-cafe.ics"`, "/e/asso": `href="webcal://example.com/e/asso.ics"`, "/agenda?q=repair": `href="webcal://example.com/entries.ics?q=repair"`,
		"/": `href="/agenda"`, "/?q=repair": `href="/agenda?q=repair"`,
	} {
		if a := s.get(path); !strings.Contains(a.body, want) {
			t.Errorf("%s has no %s", path, want)
		}
	}
	if strings.Contains(s.get("/e/autre").body, ".ics") {
		t.Error("an organisation without events offers a calendar")
	}
}

// TestNobodyElsesUndertakings: what another directory says that we organise, host or comprise is neither on our pages nor in
// our feeds and calendars, nor is what a member ties to an organisation whose team he is not of.
func TestNobodyElsesUndertakings(t *testing.T) {
	s := openPosting(t)
	anna, eve := s.member("Anna", trusted), s.member("Eve", trusted)
	org := directory.Entry{Kind: directory.Organisation, Name: "Asso", Status: directory.Published, Private: &directory.Private{Owners: []string{anna.id}}}
	org = s.put(org)[0]
	forged := []directory.Entry{event("Faux un", paris(13, 14), ""), event("Faux deux", paris(14, 14), ""), event("Faux trois", paris(15, 14), "")}
	for i, rel := range []string{"organisedBy", "partOf", "organises"} {
		forged[i].Origin, forged[i].Relations = "b.example", []directory.Relation{{Rel: rel, Target: org.ID}}
	}
	s.put(forged...)
	post := func(p *author, collection, name, rel string) answer {
		e := `{"type":"Feature","geometry":{"type":"Point","coordinates":[4.39,45.44]},"properties":{"name":"` + name + `","relations":[{"rel":"` + rel + `","target":"` + string(org.ID) + `"}]`
		if collection == "events" {
			e += `,"event":{"start":"` + paris(16, 14).Format(time.RFC3339) + `","timezone":"Europe/Paris"}`
		}
		return p.program(account.ScopeRead, account.ScopeWrite).call("POST", "/api/collections/"+collection+"/items", geo1, e+"}}")
	}
	for _, rel := range []string{"organisedBy", "partOf"} {
		if a := post(eve, "events", "Faux quatre", rel); a.StatusCode != http.StatusBadRequest || !strings.Contains(a.body, `"field":"relations[0].target"`) || !strings.Contains(a.body, `"code":"not_yours"`) {
			t.Errorf("an event that says %s: %d %s", rel, a.StatusCode, a.body)
		}
	}
	if a := post(eve, "initiatives", "Groupe local", "partOf"); a.StatusCode != http.StatusCreated {
		t.Errorf("a part of a network: %d %s", a.StatusCode, a.body)
	}
	for name, rel := range map[string]string{"Vrai un": "organisedBy", "Vrai deux": "partOf"} {
		if a := post(anna, "events", name, rel); a.StatusCode != http.StatusCreated {
			t.Errorf("%s: %d %s", name, a.StatusCode, a.body)
		}
	}
	for _, path := range []string{"/e/asso", "/e/asso.ics", "/e/asso.atom", "/e/asso.rss"} {
		body := s.get(path).body
		if strings.Contains(body, "Faux") || !strings.Contains(body, "Vrai un") || !strings.Contains(body, "Vrai deux") {
			t.Errorf("%s says\n%s", path, body)
		}
	}
}
