package api_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

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
