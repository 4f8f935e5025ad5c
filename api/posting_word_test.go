package api_test

import (
	"net/http"
	"strings"
	"testing"

	"archipel/api"
	"archipel/directory"
)

// TestAWordIsKeptThoughTheEntryChanged: who only tells the team something, while somebody saves the entry, is heard; also who
// suggests what was saved meanwhile, with a word.
func TestAWordIsKeptThoughTheEntryChanged(t *testing.T) {
	s := openPosting(t)
	anna := s.member("Anna")
	anna.owned("La Fourmilière")
	visitor := s.visitor()
	const page = "/e/la-fourmiliere/suggest"
	send := func(meanwhile, note string, more ...string) (answer, []api.Proposal, directory.Entry) {
		t.Helper()
		v := visitor.fieldsOfPage(page)
		e := s.bySlug("la-fourmiliere")
		e.Summary = meanwhile
		e = s.put(e)[0]
		v.Set("note", note)
		v.Set("sender", "voisin@example.org")
		v.Set("action", "next")
		for i := 0; i+1 < len(more); i += 2 {
			v.Set(more[i], more[i+1])
		}
		a := visitor.send(page, v)
		list, err := api.Proposals(t.Context(), s.store, "", 10)
		if err != nil {
			t.Fatal(err)
		}
		return a, list, e
	}
	a, list, e := send("Ouvert", "C’est fermé le lundi")
	a.leads(t, "^/add/thanks")
	if len(list) != 1 || list[0].Note != "C’est fermé le lundi" || list[0].Mail != "voisin@example.org" || list[0].Base != e.Version {
		t.Fatalf("kept: %+v", list)
	}
	if as, err := list[0].Proposed(&e); err != nil || len(directory.Diff(&e, &as)) != 0 {
		t.Errorf("it would take back what was saved meanwhile: %v", err)
	}
	a, list, _ = send("Fermé", "Depuis hier", "summary", "Fermé")
	if a.leads(t, "^/add/thanks"); len(list) != 2 {
		t.Errorf("%d are kept, want 2", len(list))
	}
	// What is wrong with it is said, and nothing is lost.
	a, list, _ = send("Rouvert", "Mon mot", "sender", "pas une adresse")
	if a.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(a.body, "f-sender-error") || !strings.Contains(a.body, "Mon mot") || len(list) != 2 {
		t.Errorf("a wrong address: %d, %d are kept", a.StatusCode, len(list))
	}
	// Looking for an address sends nothing.
	a, list, _ = send("Rouvert hier", "Mon mot", "action", "find")
	if a.StatusCode != http.StatusOK || !strings.Contains(a.body, "Mon mot") || len(list) != 2 {
		t.Errorf("looking for an address: %d, %d are kept", a.StatusCode, len(list))
	}
	// Without a word there is nothing to keep.
	a, list, _ = send("Rouvert lundi", "  ")
	if a.leads(t, "^/e/la-fourmiliere$"); len(list) != 2 {
		t.Errorf("%d are kept without a word", len(list))
	}
}
