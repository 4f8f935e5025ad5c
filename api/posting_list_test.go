package api_test

import (
	"fmt"
	"strings"
	"testing"

	"archipel/api/account"
	"archipel/directory"
)

// TestOwnEntriesOfAGreatTeam: somebody whose organisation has thousands of events gets pages of bounded work, with what waits
// first and what is over apart; and the form to add an entry does not read what was posted in the name of the organisation.
func TestOwnEntriesOfAGreatTeam(t *testing.T) {
	tn := openWhole(t)
	anna := tn.somebody("anna", account.Member, "fr")
	asso := tn.put(directory.Entry{Kind: directory.Organisation, Name: "La Fourmilière", Private: &directory.Private{Owners: []string{anna.id}}})[0]
	var events []directory.Entry
	for i := range 700 {
		e := event(fmt.Sprintf("Passé %03d", i), now.AddDate(0, -1, -i), "")
		if i >= 580 {
			e = event(fmt.Sprintf("À venir %03d", i), now.AddDate(0, 0, 701-i), "")
		}
		if i == 699 {
			e.Name, e.Status = "En attente 699", directory.Pending
		}
		e.Private = &directory.Private{Team: asso.ID}
		events = append(events, e)
	}
	tn.put(events...)
	read := func(path string) string {
		t.Helper()
		var body string
		if _, entries := tn.reads.of(func() { body = anna.get(path).body }); entries > 60 {
			t.Errorf("%s reads %d entries", path, entries)
		}
		return body
	}
	first := read("/me/entries")
	waits, org, soonest := strings.Index(first, "En attente 699"), strings.Index(first, "La Fourmilière"), strings.Index(first, "À venir 698")
	if strings.Count(first, "/edit\"") != 50 || waits < 0 || org < waits || soonest < org || strings.Contains(first, "Passé") || !strings.Contains(first, "passés (580)") {
		t.Errorf("the first page has %d entries: what waits at %d, the organisation at %d, the next date at %d", strings.Count(first, "/edit\""), waits, org, soonest)
	}
	all := first
	for page := first; strings.Contains(page, `rel="next"`); all += page {
		page = read(nextPage(t, page))
	}
	for _, e := range events[580:] {
		if strings.Count(all, ">"+e.Name+"<") != 1 {
			t.Errorf("%q is on the pages %d times", e.Name, strings.Count(all, ">"+e.Name+"<"))
		}
	}
	past := read("/me/entries?show=past")
	if !strings.Contains(past, "Passé 000") || strings.Contains(past, "Passé 050") || strings.Contains(past, "À venir") || !strings.Contains(past, "<h1>Mes événements passés") {
		t.Error("the list of what is over does not begin with the last dates")
	}
	if next := read(nextPage(t, past)); !strings.Contains(next, "Passé 050") || strings.Contains(next, "À venir") {
		t.Error("the list of what is over does not go on")
	}
	if bad := anna.get("/me/entries?show=x"); bad.StatusCode != 400 {
		t.Errorf("a list that is none: %d", bad.StatusCode)
	}
	draft := anna.post("/add", "/add", fieldsOf("kind", "event", "name", "Bal", "categories", "coworking")).Header.Get("Location")
	about := anna.post(draft, draft, fieldsOf("where", "here", "lat", "45.44", "lon", "4.39")).Header.Get("Location")
	if body := read(about); !strings.Contains(body, `value="`+string(asso.ID)+`"`) || strings.Contains(body, "À venir") {
		t.Errorf("%s does not offer the organisation alone", about)
	}
	if list := read("/me/entries"); !strings.Contains(list, "Brouillons") || !strings.Contains(list, "Bal") {
		t.Error("the draft is not there")
	}
}
