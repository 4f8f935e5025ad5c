package api_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"archipel/directory"
)

// TestMovesHome: an organisation moves to another directory with its entry. Its address leads there, the map and the lists
// leave it out, its events stay and lead there too, and its team can take that back.
func TestMovesHome(t *testing.T) {
	s, there, anna, e := openFediverse(t)
	e.Claimed, e.Fediverse = now, &directory.Fediverse{Handle: "la-fourmiliere"}
	e = s.team(e)
	bal := s.put(event("Bal", now.Add(time.Hour), ""))[0]
	bal.Relations = []directory.Relation{{Rel: "organisedBy", Target: e.ID}}
	s.put(bal)
	account, page := "https://autre.example/ap/actors/"+string(directory.NewID()), "https://autre.example/e/la-fourmiliere"
	there.back[account], there.back["https://mastodon.example/@fourmi"] = true, true
	there.home = map[string]string{account: page}
	matched := func() bool {
		return strings.Contains(s.get("/api/collections/organisations/items").body, "la-fourmiliere")
	}
	if !matched() {
		t.Fatal("it is not in the list before")
	}
	a := anna.send(fediverseTeam, fieldsOf("do", "moveout", "account", "https://mastodon.example/@fourmi", "entry", "1"))
	if got := s.bySlug("la-fourmiliere"); a.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(a.body, "moveout-wrong") || got.Fediverse.MovedTo != "" || !got.Public() {
		t.Errorf("%d: the entry moves to what is no directory: %+v", a.StatusCode, got.Fediverse)
	}
	anna.send(fediverseTeam, fieldsOf("do", "moveout", "account", account, "entry", "1")).leads(t, "done=moved")
	got := s.bySlug("la-fourmiliere")
	if got.Fediverse.MovedTo != account || got.Home() != page || matched() {
		t.Errorf("%+v, in the list: %v", got.Fediverse, matched())
	}
	for _, path := range []string{"/e/la-fourmiliere", "/e/la-fourmiliere/history", "/id/" + string(e.ID)} {
		if a := s.get(path); a.StatusCode != http.StatusMovedPermanently || a.Header.Get("Location") != page || a.Header.Get("Cache-Control") != "no-cache" {
			t.Errorf("%s: %d %s", path, a.StatusCode, a.Header.Get("Location"))
		}
	}
	if a := s.get("/e/" + bal.Slug); a.StatusCode != http.StatusOK || !strings.Contains(a.body, `href="/e/la-fourmiliere"`) {
		t.Errorf("%d: its event does not lead to it", a.StatusCode)
	}
	if a := anna.open(fediverseTeam); a.StatusCode != http.StatusOK || !strings.Contains(a.body, page) {
		t.Errorf("%d: its team does not see where it is", a.StatusCode)
	}
	anna.send(fediverseTeam, fieldsOf("do", "stay")).leads(t, "done=stays")
	if a := s.get("/e/la-fourmiliere"); a.StatusCode != http.StatusOK || !matched() {
		t.Errorf("%d: it is not back", a.StatusCode)
	}
	// What a moderator hides stays hidden, and leads nowhere.
	got = s.bySlug("la-fourmiliere")
	got.Status = directory.Hidden
	s.team(got)
	anna.send(fediverseTeam, fieldsOf("do", "moveout", "account", account, "entry", "1"))
	anna.send(fediverseTeam, fieldsOf("do", "stay"))
	if got := s.bySlug("la-fourmiliere"); got.Public() {
		t.Errorf("its team showed what was hidden")
	}
}
