package api_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"archipel/api/account"
	"archipel/directory"
)

// TestOneOffEventIsCancelled: the form of an event has its status, and an untouched form leaves it as it was.
func TestOneOffEventIsCancelled(t *testing.T) {
	s := openPosting(t)
	anna := s.member("Anna")
	anna.owned("Fête des voisins", func(e *directory.Entry) {
		e.Kind, e.Event = directory.Event, &directory.Schedule{Start: now.AddDate(0, 0, 7), Timezone: "Europe/Paris"}
	})
	v := anna.fieldsOfPage("/e/fete-des-voisins/edit")
	if !v.Has("event.status") {
		t.Fatal("the form has no status")
	}
	v.Set("event.status", "cancelled")
	anna.send("/e/fete-des-voisins/edit", v).leads(t, "^/e/")
	if e := s.bySlug("fete-des-voisins"); e.Event.State != directory.Cancelled {
		t.Fatalf("the event is %q", e.Event.State)
	}
	if body := s.get("/e/fete-des-voisins").body; !strings.Contains(body, "Annulé") {
		t.Error("its page does not say that it is cancelled")
	}
	for state, want := range map[string]directory.EventState{"": "", "tentative": directory.Tentative, "scheduled": directory.Scheduled, "movedOnline": directory.MovedOnline} {
		v = anna.fieldsOfPage("/e/fete-des-voisins/edit")
		v.Set("event.status", state)
		anna.send("/e/fete-des-voisins/edit", v).leads(t, "^/e/")
		v = anna.fieldsOfPage("/e/fete-des-voisins/edit")
		anna.send("/e/fete-des-voisins/edit", v).leads(t, "^/e/")
		if e := s.bySlug("fete-des-voisins"); e.Event.State != want {
			t.Errorf("%q became %q", state, e.Event.State)
		}
	}
	v.Set("event.status", "exploded")
	if a := anna.send("/e/fete-des-voisins/edit", v); a.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(a.body, "f-event-status-error") {
		t.Errorf("an unknown status: %d", a.StatusCode)
	}
	// The steps of a new entry do not ask.
	where := anna.send("/add", fieldsOf("kind", "event", "name", "Bal", "categories", "coworking")).leads(t, "where$")
	if body := anna.open(strings.Replace(where, "/where", "/about", 1)).body; !strings.Contains(body, "event.startDate") || strings.Contains(body, `name="event.status"`) {
		t.Error("a new event is asked for its status")
	}
}

// TestOwnerTakesEntryDown: what its page says, what it needs, and what is left.
func TestOwnerTakesEntryDown(t *testing.T) {
	s := openPosting(t)
	anna, eve := s.member("Anna"), s.member("Eve")
	e := anna.owned("La Fourmilière")
	const path = "/e/la-fourmiliere/remove"
	if body := anna.open("/e/la-fourmiliere/edit").body; !strings.Contains(body, `href="`+path+`"`) {
		t.Error("the form does not lead there")
	}
	page := anna.open(path)
	if page.StatusCode != http.StatusOK || !strings.Contains(page.body, "La Fourmilière") || !strings.Contains(page.body, "historique") || strings.Contains(page.Header.Get("Cache-Control"), "public") {
		t.Fatalf("%d %.300s", page.StatusCode, page.body)
	}
	fields := func(more ...string) url.Values {
		v := anna.fieldsOfPage(path)
		for i := 0; i < len(more); i += 2 {
			v.Set(more[i], more[i+1])
		}
		return v
	}
	if a := eve.open(path); a.StatusCode != http.StatusForbidden {
		t.Errorf("Eve opens it: %d", a.StatusCode)
	}
	if a := s.visitor().open(path); a.StatusCode != http.StatusSeeOther || !strings.HasPrefix(a.Header.Get("Location"), "/signin") {
		t.Errorf("a visitor: %d to %s", a.StatusCode, a.Header.Get("Location"))
	}
	post := func(p *author, v url.Values) answer {
		return p.do(http.MethodPost, path, "application/x-www-form-urlencoded", strings.NewReader(v.Encode()))
	}
	stolen := fields("sure", "1", "csrf", eve.token("/add"))
	for name, a := range map[string]answer{"Eve": post(eve, stolen), "no token": post(anna, fields("sure", "1"))} {
		if a.StatusCode != http.StatusForbidden {
			t.Errorf("%s takes it down: %d", name, a.StatusCode)
		}
	}
	if a := anna.send(path, fields("reason", "Nous avons déménagé")); a.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(a.body, "f-sure-error") || !strings.Contains(a.body, "Nous avons déménagé") {
		t.Errorf("without saying yes: %d", a.StatusCode)
	}
	if a := anna.send(path, fields("sure", "1", "reason", strings.Repeat("x", 2001))); a.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(a.body, "f-reason-error") {
		t.Errorf("a reason that is too long: %d", a.StatusCode)
	}
	if a := anna.send(path, fields("sure", "1", "version", "")); a.StatusCode != http.StatusBadRequest {
		t.Errorf("without a version: %d", a.StatusCode)
	}
	// Somebody changes it between looking and confirming.
	old := fields("sure", "1", "reason", "vieux")
	edit := anna.fieldsOfPage("/e/la-fourmiliere/edit")
	edit.Set("summary", "tout neuf")
	anna.send("/e/la-fourmiliere/edit", edit).leads(t, "^/e/")
	if a := anna.send(path, old); a.StatusCode != http.StatusConflict || !strings.Contains(a.body, "vieux") || strings.Contains(a.body, " checked") {
		t.Errorf("an old version: %d", a.StatusCode)
	}
	if now := s.bySlug("la-fourmiliere"); !now.Public() {
		t.Fatal("it is gone already")
	}
	to := anna.send(path, fields("sure", "1", "reason", " Nous avons déménagé ")).leads(t, "^/me/entries")
	if body := anna.open(to).body; !strings.Contains(body, "La fiche est retirée") || strings.Contains(body, "La Fourmilière") {
		t.Error("the list of one's own entries does not say so")
	}
	for _, p := range []string{"/e/la-fourmiliere", path, "/e/la-fourmiliere/edit"} {
		if a := anna.open(p); a.StatusCode != http.StatusGone {
			t.Errorf("%s answers %d", p, a.StatusCode)
		}
	}
	changes, err := s.d.History(t.Context(), e.ID, 0, 1)
	if err != nil || len(changes) != 1 || changes[0].Op != directory.OpRemove || changes[0].Note != "Nous avons déménagé" || changes[0].Author != account.AuthorPrefix+anna.id {
		t.Errorf("%v %+v", err, changes)
	}
}

// TestEditorsAndIslandsKeepEntries: an editor changes an entry and cannot take it down; nobody takes down here what belongs
// to another directory.
func TestEditorsAndIslandsKeepEntries(t *testing.T) {
	s := openPosting(t)
	bea, chief := s.member("Béa"), s.member("Chef", admin)
	bea.owned("La Ruche", func(e *directory.Entry) { e.Private.Owners, e.Private.Editors = nil, []string{bea.id} })
	if body := bea.open("/e/la-ruche/edit").body; strings.Contains(body, "/e/la-ruche/remove") {
		t.Error("an editor is led to taking it down")
	}
	if a := bea.open("/e/la-ruche/remove"); a.StatusCode != http.StatusForbidden {
		t.Errorf("an editor: %d", a.StatusCode)
	}
	far := place("Le Phare", "Saint-Étienne", 4.39, 45.44, "coworking")
	far.Origin = "island.example"
	s.put(far)
	if a := chief.open("/e/le-phare/remove"); a.StatusCode != http.StatusForbidden {
		t.Errorf("an entry of another island: %d", a.StatusCode)
	}
	v := url.Values{"csrf": {chief.token("/add")}, "sure": {"1"}, "version": {"2"}}
	if a := chief.do(http.MethodPost, "/e/le-phare/remove", "application/x-www-form-urlencoded", strings.NewReader(v.Encode())); a.StatusCode != http.StatusForbidden || !strings.Contains(s.get("/e/le-phare").body, "Le Phare") {
		t.Errorf("it is taken down: %d", a.StatusCode)
	}
}

// TestModeratorTakesEntryDown: the moderator lands on the queue, and brings it back from the history.
func TestModeratorTakesEntryDown(t *testing.T) {
	tn := openTown(t)
	mod := tn.somebody("mod", account.Moderator, "fr")
	e := tn.put(place("La Ruche", "Saint-Étienne", 4.39, 45.44, "coworking"))[0]
	const path = "/e/la-ruche/remove"
	page := mod.get(path)
	if page.StatusCode != http.StatusOK || !strings.Contains(page.body, "/e/la-ruche/versions") {
		t.Fatalf("%d %.300s", page.StatusCode, page.body)
	}
	a := mod.post(path, path, url.Values{"version": {seq(e.Version)}, "sure": {"1"}, "reason": {"doublon"}})
	to := a.Header.Get("Location")
	if a.StatusCode != http.StatusSeeOther || to != "/moderate?done=remove&entry="+string(e.ID) {
		t.Fatalf("%d to %s", a.StatusCode, to)
	}
	if body := mod.get(to).body; !strings.Contains(body, "« La Ruche » est retiré.") {
		t.Error("the queue does not say so")
	}
	gone := tn.entry(e.ID)
	if gone.Status != directory.Removed {
		t.Fatalf("it is %s", gone.Status)
	}
	pair := "/e/la-ruche/versions?from=" + seq(e.Version) + "&to=" + seq(gone.Version)
	mod.post(pair, "/e/la-ruche/revert", url.Values{"version": {seq(gone.Version)}, "to": {seq(e.Version)}, "reason": {"par erreur"}}).leads(t, "^/e/la-ruche/versions")
	if back := tn.entry(e.ID); !back.Public() || back.Name != "La Ruche" {
		t.Errorf("it did not come back: %+v", back)
	}
}
