package api_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"archipel/api"
	"archipel/api/account"
	"archipel/directory"

	"github.com/paulmach/orb"
)

// owned is an entry that somebody owns.
func (p *author) owned(name string, change ...func(*directory.Entry)) directory.Entry {
	p.t.Helper()
	e := place(name, "Saint-Étienne", 4.39, 45.44, "coworking")
	e.Private = &directory.Private{Owners: []string{p.id}, Email: "secret@example.org", Note: "à ne pas dire"}
	for _, f := range change {
		f(&e)
	}
	return p.put(e)[0]
}

// fieldsOfPage are the fields of the form of a page, as a browser would send them back.
func (p *author) fieldsOfPage(path string) url.Values {
	p.t.Helper()
	body := p.open(path).body
	v := url.Values{}
	for _, m := range regexp.MustCompile(`<input[^>]*>`).FindAllString(body, -1) {
		name, value := attribute(m, "name"), attribute(m, "value")
		kind := attribute(m, "type")
		if name == "" || name == "csrf" || kind == "file" || (kind == "radio" || kind == "checkbox") && !strings.Contains(m, " checked") {
			continue
		}
		v.Add(name, value)
	}
	for _, m := range regexp.MustCompile(`(?s)<textarea([^>]*)>\n?(.*?)</textarea>`).FindAllStringSubmatch(body, -1) {
		v.Add(attribute("<x "+m[1], "name"), unescape(m[2]))
	}
	for _, m := range regexp.MustCompile(`(?s)<select([^>]*)>(.*?)</select>`).FindAllStringSubmatch(body, -1) {
		chosen := regexp.MustCompile(`<option value="([^"]*)" selected`).FindStringSubmatch(m[2])
		if chosen == nil {
			chosen = []string{"", ""}
		}
		v.Add(attribute("<x "+m[1], "name"), unescape(chosen[1]))
	}
	return v
}

func attribute(tag, name string) string {
	m := regexp.MustCompile(`\s` + name + `="([^"]*)"`).FindStringSubmatch(tag)
	if m == nil {
		return ""
	}
	return unescape(m[1])
}

func unescape(s string) string {
	return strings.NewReplacer("&lt;", "<", "&gt;", ">", "&#34;", `"`, "&quot;", `"`, "&#39;", "'", "&amp;", "&").Replace(s)
}

func TestEditKeepsWhatTheFormDoesNotShow(t *testing.T) {
	s := openPosting(t)
	anna := s.member("Anna")
	s.had = "disparue" // the taxonomy loses it before the form is opened
	full := anna.owned("La Fourmilière", func(e *directory.Entry) {
		e.Sites = append(e.Sites, orb.Point{4.5, 45.5})
		e.Categories = []string{"coworking", "atelier-velo", "energie", "disparue", "amap", "repair-cafe", "tiers-lieu", "ferme"}
		e.Links = []directory.Link{{Rel: "mastodon", URL: "https://social.example/@f", Title: "Nous"}}
		e.Extra = map[string]string{"clé": "valeur"}
		e.Identifiers = map[string]string{"siret": "12345678900012"}
		e.Accessibility = map[string]string{"toilets": "yes"}
		e.Description = "Ligne 1\n\nLigne 2 <b>&amp;"
		e.Tags = []string{"un", "deux mots"}
		e.Area = &directory.Area{Zones: []string{"XX-ancien"}} // that nobody knows any more
		e.Source = &directory.Source{Name: "Liste", ExternalID: "7"}
		e.Licence = "ODbL-1.0"
		e.OpeningHours = "Mo-Fr 09:00-18:00"
	})
	s.had = ""
	v := anna.fieldsOfPage("/e/la-fourmiliere/edit")
	anna.send("/e/la-fourmiliere/edit", v).leads(t, "^/e/la-fourmiliere$")
	same := s.bySlug("la-fourmiliere")
	if diff := directory.Diff(&full, &same); len(diff) > 1 || len(diff) == 1 && diff[0].Field != "checked" {
		t.Errorf("saving an untouched form changed %+v", diff)
	}
	v = anna.fieldsOfPage("/e/la-fourmiliere/edit")
	v.Set("name", "La Fourmilière du Crêt")
	anna.send("/e/la-fourmiliere/edit", v).leads(t, "^/e/la-fourmiliere$")
	if e := s.bySlug("la-fourmiliere"); e.Name != "La Fourmilière du Crêt" || !reflect.DeepEqual(e.Private, full.Private) || len(e.Sites) != 2 || !e.Public() {
		t.Errorf("got %+v", e)
	}
}

func TestConflictShowsBothAndLosesNothing(t *testing.T) {
	s := openPosting(t)
	anna := s.member("Anna")
	anna.owned("La Fourmilière", func(e *directory.Entry) { e.Summary = "avant" })
	mine := anna.fieldsOfPage("/e/la-fourmiliere/edit")
	theirs := anna.fieldsOfPage("/e/la-fourmiliere/edit")
	theirs.Set("summary", "de Béa")
	theirs.Set("contact.phone", "04 77 00 00 00")
	anna.send("/e/la-fourmiliere/edit", theirs).leads(t, "^/e/")
	mine.Set("summary", "d’Anna")
	mine.Set("description", "et sa description")
	a := anna.send("/e/la-fourmiliere/edit", mine)
	if a.StatusCode != http.StatusConflict || !strings.Contains(a.body, "de Béa") || !strings.Contains(a.body, `value="d’Anna"`) || !strings.Contains(a.body, "et sa description") {
		t.Fatalf("status %d: %.500s", a.StatusCode, a.body)
	}
	if e := s.bySlug("la-fourmiliere"); e.Summary != "de Béa" || e.Description != "" {
		t.Errorf("something was overwritten: %+v", e)
	}
	// What only the other one changed is taken over, so sending again keeps it.
	if !strings.Contains(a.body, `value="04 77 00 00 00"`) {
		t.Error("the other's phone is not in the form")
	}
	mine.Set("version", attribute(regexp.MustCompile(`<input type="hidden" name="version"[^>]*>`).FindString(a.body), "value"))
	mine.Set("contact.phone", "04 77 00 00 00")
	anna.send("/e/la-fourmiliere/edit", mine).leads(t, "^/e/")
	if e := s.bySlug("la-fourmiliere"); e.Summary != "d’Anna" || e.Description != "et sa description" || e.Contact.Phone != "04 77 00 00 00" {
		t.Errorf("after the second sending: %+v", e)
	}
}

func TestSuggestions(t *testing.T) {
	s := openPosting(t)
	anna := s.member("Anna")
	e := anna.owned("La Fourmilière")
	visitor := s.visitor()
	if a := visitor.open("/e/la-fourmiliere"); !strings.Contains(a.body, "/e/la-fourmiliere/suggest") || strings.Contains(a.body, "/e/la-fourmiliere/edit") {
		t.Error("the page does not offer a correction")
	}
	if a := visitor.open("/e/la-fourmiliere/edit"); a.Header.Get("Location") != "/e/la-fourmiliere/suggest" {
		t.Errorf("editing leads a visitor to %q", a.Header.Get("Location"))
	}
	v := visitor.fieldsOfPage("/e/la-fourmiliere/suggest")
	v.Set("summary", "Fermé le lundi")
	v.Set("sender", "voisin@example.org")
	v.Set("note", "j’habite en face")
	visitor.send("/e/la-fourmiliere/suggest", v).leads(t, "^/add/thanks")
	if now := s.bySlug("la-fourmiliere"); now.Version != e.Version {
		t.Error("the suggestion changed the entry")
	}
	list, err := api.Proposals(context.Background(), s.store, "", 10)
	if err != nil || len(list) != 1 || list[0].Of != e.ID || list[0].Mail != "voisin@example.org" || list[0].Note != "j’habite en face" || list[0].Base != e.Version {
		t.Fatalf("%v %+v", err, list)
	}
	if strings.Contains(string(list[0].Entry), "secret@example.org") {
		t.Error("the proposal holds private fields")
	}
	proposed, err := list[0].Proposed(&e)
	if err != nil || proposed.Summary != "Fermé le lundi" || proposed.Private == nil {
		t.Errorf("%v %+v", err, proposed)
	}
	// A program that fills in everything is thanked, and nothing is kept.
	v.Set("fax", "spam")
	visitor.send("/e/la-fourmiliere/suggest", v).leads(t, "^/add/thanks")
	if list, _ := api.Proposals(context.Background(), s.store, "", 10); len(list) != 1 {
		t.Errorf("%d proposals", len(list))
	}
	// A whole entry, without an account.
	visitor.addOrganisation("Le Nichoir", fieldsOf("summary", "Des oiseaux", "sender", "moi@example.org")).leads(t, "^/add/thanks")
	if got := s.bySlug("le-nichoir"); got.Status != directory.Pending || got.Private == nil || got.Private.Email != "moi@example.org" || len(got.Private.Owners) > 0 {
		t.Errorf("got %+v %+v", got.Status, got.Private)
	}
	limited := false
	for i := 0; i < 20 && !limited; i++ {
		v.Del("fax")
		v.Set("summary", fmt.Sprint("encore ", i))
		limited = visitor.send("/e/la-fourmiliere/suggest", v).StatusCode == http.StatusTooManyRequests
	}
	if !limited {
		t.Error("suggestions are not limited")
	}
}

func TestDuplicatesAreShownAndRemembered(t *testing.T) {
	s := openPosting(t)
	s.put(place("La Fourmilière", "Saint-Étienne", 4.39, 45.4347, "coworking"))
	anna := s.member("Anna")
	if a := anna.open("/add/same?kind=place&name=la+fourmiliere&address.addressLocality=Saint-Etienne"); !strings.Contains(a.body, "La Fourmilière") || !strings.Contains(a.body, "nom semblable") {
		t.Errorf("nothing is shown while typing: %s", a.body)
	}
	a := anna.addOrganisation("La Fourmiliere", fieldsOf("summary", "x"))
	if a.StatusCode != http.StatusOK || !strings.Contains(a.body, `name="not_same"`) {
		t.Fatalf("a likely duplicate went through: %d", a.StatusCode)
	}
	draft := regexp.MustCompile(`action="(/add/[A-Z2-7]{26}/about)"`).FindStringSubmatch(a.body)[1]
	id := regexp.MustCompile(`name="not_same" value="([^"]+)"`).FindStringSubmatch(a.body)[1]
	if b := anna.send(draft, fieldsOf("summary", "x", "not_same", id)); b.StatusCode != http.StatusOK || strings.Contains(b.body, `name="not_same"`) {
		t.Errorf("it is still shown: %d", b.StatusCode)
	}
	anna.send(draft, fieldsOf("summary", "x", "action", "next")).leads(t, "^/me/entries")
	records, err := s.store.Records(context.Background(), "not-same", "", 10)
	if err != nil || len(records) != 1 || !strings.Contains(records[0].Key, id) {
		t.Errorf("%v %v", err, records)
	}
	// What waits for moderation is a duplicate only for those who may see it.
	anna.addOrganisation("Verger de Planfoy", fieldsOf("summary", "x")).leads(t, "^/me/entries")
	query := "/add/same?kind=place&name=Verger+de+Planfoy&address.addressLocality=Saint-Etienne"
	if a := s.visitor().open(query); strings.Contains(a.body, "Planfoy") {
		t.Error("a visitor learns of an entry that waits")
	}
	if a := anna.open(query); !strings.Contains(a.body, "Planfoy") {
		t.Error("its owner does not learn of it")
	}
}

func TestWeeklyEventOfAnOrganisation(t *testing.T) {
	s := openPosting(t)
	anna := s.member("Anna", trusted)
	host := anna.owned("La Fourmilière")
	where := anna.send("/add", fieldsOf("kind", "event", "name", "Atelier du jeudi", "categories", "atelier-velo")).leads(t, "where$")
	about := anna.send(where, fieldsOf("where", "here", "lat", "45,44", "lon", "4,39", "address.addressLocality", "", "address.postalCode", "", "address.streetAddress", "")).leads(t, "about$")
	if a := anna.open(about); !strings.Contains(a.body, string(host.ID)) || !strings.Contains(a.body, "f-event-startDate") {
		t.Fatal("the form of an event lacks its fields")
	}
	if a := anna.send(about, fieldsOf("event.startDate", "", "event.startTime", "", "event.timezone", "Europe/Paris")); !strings.Contains(a.body, "#f-event-startDate") {
		t.Errorf("an event without a date: %d %s", a.StatusCode, plainProblems(a.body))
	}
	if a := anna.send(about, fieldsOf("event.startDate", "2027-03-18", "event.startTime", "18:30", "event.endDate", "2027-03-17", "event.endTime", "20:00", "event.timezone", "Europe/Paris")); !strings.Contains(a.body, "#f-event-endDate") {
		t.Errorf("an end before its start: %d %s", a.StatusCode, plainProblems(a.body))
	}
	anna.send(about, fieldsOf("event.startDate", "2027-03-18", "event.startTime", "18:30", "event.endDate", "", "event.endTime", "20:00", "event.timezone", "Europe/Paris",
		"event.repeat", "weekly", "event.until", "2027-06-30", "event.price", "prix libre", "organiser", string(host.ID))).leads(t, "^/e/atelier-du-jeudi$")
	e := s.bySlug("atelier-du-jeudi")
	if got := e.Event.Start.Format("2006-01-02T15:04Z07:00") + " " + e.Event.End.Format("15:04") + " " + e.Event.RRule; got != "2027-03-18T17:30Z 19:00 FREQ=WEEKLY;BYDAY=TH;UNTIL=20270630T215959Z" {
		t.Errorf("got %s", got)
	}
	if a := s.get("/e/la-fourmiliere"); !strings.Contains(a.body, "Atelier du jeudi") {
		t.Error("the organiser's page does not show its event")
	}
	// The form gives back what it took.
	v := anna.fieldsOfPage("/e/atelier-du-jeudi/edit")
	anna.send("/e/atelier-du-jeudi/edit", v).leads(t, "^/e/")
	now := s.bySlug("atelier-du-jeudi")
	for _, d := range directory.Diff(&e, &now) {
		if d.Field != "checked" {
			t.Errorf("saving an untouched form changed %+v", d)
		}
	}
}

// TestSecondsOfEventsStay: a form shows minutes; one that leaves them as they were changes nothing of when an event takes
// place, and proposes nothing. In the hour that comes twice it stays in its own.
func TestSecondsOfEventsStay(t *testing.T) {
	s := openPosting(t)
	anna, visitor := s.member("Anna"), s.visitor()
	start := time.Date(2027, 10, 31, 1, 30, 24, 167e6, time.UTC) // the second 02:30 in Paris
	e := anna.owned("Bal de nuit", func(e *directory.Entry) {
		e.Kind = directory.Event
		e.Event = &directory.Schedule{Start: start, End: start.Add(90 * time.Minute), Timezone: "Europe/Paris", RRule: "FREQ=WEEKLY;BYDAY=SU;UNTIL=20271231T120000Z",
			RDates: []time.Time{start.Add(49 * time.Hour)}, Overrides: []directory.Occurrence{{Original: start.AddDate(0, 0, 7), Start: start.AddDate(0, 0, 8), State: directory.Rescheduled}}}
	})
	v := visitor.fieldsOfPage("/e/bal-de-nuit/suggest")
	v.Set("summary", "On danse.")
	visitor.send("/e/bal-de-nuit/suggest", v).leads(t, "^/add/thanks")
	list, err := api.Proposals(t.Context(), s.store, "", 10)
	if err != nil || len(list) != 1 {
		t.Fatalf("%d wait, %v", len(list), err)
	}
	var proposed directory.Entry
	if err := directory.DecodeStored(list[0].Entry, &proposed); err != nil {
		t.Fatal(err)
	}
	if diff := directory.Diff(&e, &proposed); len(diff) != 1 || diff[0].Field != "summary" {
		t.Errorf("it proposes %+v", diff)
	}
	v = anna.fieldsOfPage("/e/bal-de-nuit/edit")
	anna.send("/e/bal-de-nuit/edit", v).leads(t, "^/e/bal-de-nuit$")
	same := s.bySlug("bal-de-nuit")
	for _, d := range directory.Diff(&e, &same) {
		if d.Field != "checked" {
			t.Errorf("saving an untouched form changed %+v", d)
		}
	}
	v.Set("version", seq(same.Version))
	v.Set("event.endTime", "04:15")
	anna.send("/e/bal-de-nuit/edit", v).leads(t, "^/e/bal-de-nuit$")
	if now := s.bySlug("bal-de-nuit"); !now.Event.Start.Equal(e.Event.Start) || now.Event.End.Format(time.RFC3339Nano) != "2027-10-31T03:15:00Z" {
		t.Errorf("it is from %v to %v", now.Event.Start, now.Event.End)
	}
}

func TestNobodyElseEdits(t *testing.T) {
	s := openPosting(t)
	anna, eve := s.member("Anna"), s.member("Eve")
	e := anna.owned("La Fourmilière")
	hidden := anna.owned("Le Secret", func(e *directory.Entry) { e.Status = directory.Pending })
	v := anna.fieldsOfPage("/e/la-fourmiliere/edit")
	v.Set("name", "Piraté")
	csrf := eve.token("/add")
	v.Set("csrf", csrf)
	if a := eve.do("POST", "/e/la-fourmiliere/edit", "application/x-www-form-urlencoded", strings.NewReader(v.Encode())); a.StatusCode != http.StatusForbidden {
		t.Errorf("Eve edits: %d", a.StatusCode)
	}
	for _, path := range []string{"/e/le-secret", "/e/le-secret/edit", "/e/le-secret/suggest", "/e/le-secret/history", "/e/le-secret/map.png", "/api/collections/entries/items/" + string(hidden.ID)} {
		if a := eve.open(path); a.StatusCode != http.StatusNotFound {
			t.Errorf("Eve opens %s: %d", path, a.StatusCode)
		}
	}
	if a := eve.do("POST", "/e/le-secret/suggest", "application/x-www-form-urlencoded", strings.NewReader(v.Encode())); a.StatusCode != http.StatusNotFound {
		t.Errorf("Eve suggests for what she cannot see: %d", a.StatusCode)
	}
	// A form of another site.
	v = anna.fieldsOfPage("/e/la-fourmiliere/edit")
	for name, header := range map[string][]string{"no token": nil, "another origin": {"Origin", "https://evil.example"}, "another site": {"Sec-Fetch-Site", "cross-site"}} {
		if name != "no token" {
			v.Set("csrf", anna.token("/e/la-fourmiliere/edit"))
		} else {
			v.Del("csrf")
		}
		if a := anna.do("POST", "/e/la-fourmiliere/edit", "application/x-www-form-urlencoded", strings.NewReader(v.Encode()), header...); a.StatusCode != http.StatusForbidden {
			t.Errorf("%s: %d", name, a.StatusCode)
		}
	}
	if now := s.bySlug("la-fourmiliere"); now.Version != e.Version {
		t.Error("something was written")
	}
	for _, body := range []string{anna.open("/e/la-fourmiliere/edit").body, s.get("/e/la-fourmiliere").body, s.get("/api/collections/entries/items/" + string(e.ID)).body, s.visitor().open("/e/la-fourmiliere/suggest").body} {
		if strings.Contains(body, "secret@example.org") || strings.Contains(body, "à ne pas dire") || strings.Contains(body, anna.id) {
			t.Error("a private field is shown")
		}
	}
}

// TestMassAssignment gives every field of an entry in a form and through the API, and looks which of them arrive.
func TestMassAssignment(t *testing.T) {
	s := openPosting(t)
	anna := s.member("Anna")
	e := anna.owned("La Fourmilière", func(e *directory.Entry) { e.Status = directory.Pending })
	v := anna.fieldsOfPage("/e/la-fourmiliere/edit")
	for _, field := range []string{"status", "Status", "origin", "owners", "private.owners", "Private", "slug", "aliases", "id", "ID", "source.name", "mergedInto", "created", "claimed", "fediverse", "fediverse.handle", "handle", "kind", "licence"} {
		v.Set(field, "published")
	}
	v.Set("kind", "event")
	anna.send("/e/la-fourmiliere/edit", v)
	now := s.bySlug("la-fourmiliere")
	if now.Status != directory.Pending || now.Origin != "" || now.Kind != directory.Place || now.Source != nil || !reflect.DeepEqual(now.Private, e.Private) || now.Slug != e.Slug || now.Licence != e.Licence || !now.Claimed.IsZero() || now.Fediverse != nil {
		t.Errorf("a form changed what the server decides: %+v", now)
	}
	token, err := s.server.Accounts.NewToken(context.Background(), &account.Actor{ID: anna.id}, "test", []account.Scope{account.ScopeRead, account.ScopeWrite})
	if err != nil {
		t.Fatal(err)
	}
	body := map[string]any{"type": "Feature", "id": directory.NewID(), "geometry": nil, "properties": map[string]any{
		"kind": "event", "name": "Autre nom", "status": "published", "origin": "evil.example", "slug": "accueil", "aliases": []string{"about"}, "version": 999,
		"source": map[string]any{"name": "Moi"}, "mergedInto": directory.NewID(), "created": "1999-01-01T00:00:00Z", "checked": "2999-01-01T00:00:00Z", "claimed": "2020-01-01T00:00:00Z", "fediverse": map[string]any{"handle": "la-fourmiliere"},
	}}
	b, _ := json.Marshal(body)
	a := s.visitor().do("PUT", "/api/collections/entries/items/"+string(e.ID), "application/geo+json", strings.NewReader(string(b)), "Authorization", "Bearer "+token, "If-Match", fmt.Sprintf(`"v%d"`, now.Version))
	if a.StatusCode != http.StatusOK {
		t.Fatalf("PUT: %d %s", a.StatusCode, a.body)
	}
	got := s.bySlug("la-fourmiliere")
	if got.Name != "Autre nom" || got.Status != directory.Pending || got.Origin != "" || got.Slug != "la-fourmiliere" || len(got.Aliases) > 0 || got.Source != nil || got.MergedInto != "" ||
		!got.Created.Equal(e.Created) || got.Kind != directory.Place || !reflect.DeepEqual(got.Private, e.Private) || got.Checked.Year() > 2100 || !got.Claimed.IsZero() || got.Fediverse != nil || got.ID != e.ID {
		t.Errorf("the API changed what the server decides: %+v", got)
	}
	// A new entry through the API is the writer's, and waits.
	a = s.visitor().do("POST", "/api/collections/places/items", "application/geo+json", strings.NewReader(strings.Replace(string(b), `"event"`, `"place"`, 1)), "Authorization", "Bearer "+token)
	if a.StatusCode != http.StatusCreated {
		t.Fatalf("POST: %d %s", a.StatusCode, a.body)
	}
	id := directory.ID(a.Header.Get("Location")[strings.LastIndex(a.Header.Get("Location"), "/")+1:])
	made, err := s.d.Entry(context.Background(), id)
	if err != nil || made.Status != directory.Pending || made.Origin != "" || made.Source != nil || !made.Claimed.IsZero() || made.Fediverse != nil || made.Slug == "accueil" || string(made.ID) == body["id"] || len(made.Private.Owners) != 1 || made.Private.Owners[0] != anna.id {
		t.Errorf("%v %+v", err, made)
	}
	// What is not a property of an entry is told.
	for _, extra := range []string{`"private":{"owners":["x"]}`, `"owners":["x"]`, `"descripton":"x"`} {
		a := s.visitor().do("POST", "/api/collections/places/items", "application/geo+json", strings.NewReader(`{"type":"Feature","geometry":null,"properties":{"kind":"place","name":"N",`+extra+`}}`), "Authorization", "Bearer "+token)
		if a.StatusCode != http.StatusBadRequest || !strings.Contains(a.body, `"code":"unknown"`) {
			t.Errorf("%s: %d %s", extra, a.StatusCode, a.body)
		}
	}
}

func TestSendingTwiceMakesOneEntry(t *testing.T) {
	s := openPosting(t)
	anna := s.member("Anna")
	about := anna.send("/add", fieldsOf("kind", "place", "name", "La Fourmilière", "categories", "coworking")).leads(t, "where$")
	about = strings.Replace(about, "/where", "/about", 1)
	key := anna.id + "/" + strings.Split(about, "/")[2]
	draft, err := s.store.Record(context.Background(), "draft", key)
	if err != nil || draft.Rev == 0 {
		t.Fatalf("no draft at %s: %v", key, err)
	}
	anna.send(about, fieldsOf("summary", "x")).leads(t, "^/me/entries")
	first := s.bySlug("la-fourmiliere")
	// The program died after writing the entry and before forgetting the draft.
	draft.Rev = 0
	if err := s.store.PutRecord(context.Background(), "draft", draft); err != nil {
		t.Fatal(err)
	}
	anna.send(about, fieldsOf("summary", "x")).leads(t, "^/me/entries")
	if again := s.bySlug("la-fourmiliere"); again.Version != first.Version {
		t.Errorf("version %d became %d", first.Version, again.Version)
	}
	if _, ok := s.d.BySlug("la-fourmiliere-2"); ok {
		t.Error("there are two")
	}
	if head := s.d.Head(); head != first.Version {
		t.Errorf("the log went on to %d", head)
	}
	// When the account is deleted, drafts go.
	anna.send("/add", fieldsOf("kind", "place", "name", "Brouillon", "categories", "coworking")).leads(t, "where$")
	if err := api.ForgetDrafts(context.Background(), s.store, anna.id); err != nil {
		t.Fatal(err)
	}
	if left, err := s.store.Records(context.Background(), "draft", "", 10); err != nil || len(left) > 0 {
		t.Errorf("%v %d drafts are left", err, len(left))
	}
}

func TestPicturesThatNothingRefersToGo(t *testing.T) {
	s := openPosting(t)
	anna := s.member("Anna")
	anna.addOrganisation("La Fourmilière", fieldsOf("summary", "x", "picture_alt", "y"), file{"a.jpg", photo(t)}).leads(t, "^/me/entries")
	e := s.bySlug("la-fourmiliere")
	future := time.Now().Add(time.Hour)
	if n, err := s.server.SweepPictures(context.Background(), future); n != 0 || err != nil {
		t.Errorf("a picture in use: %d erased, %v", n, err)
	}
	v := anna.fieldsOfPage("/e/la-fourmiliere/edit")
	v.Set("images[0].remove", "1")
	anna.send("/e/la-fourmiliere/edit", v).leads(t, "^/e/")
	if now := s.bySlug("la-fourmiliere"); len(now.Images) != 0 {
		t.Fatalf("images %+v", now.Images)
	}
	if n, err := s.server.SweepPictures(context.Background(), future); n != 3 || err != nil {
		t.Errorf("%d erased, %v, want three sizes", n, err)
	}
	if a := s.get(e.Images[0].URL); a.StatusCode != http.StatusNotFound {
		t.Errorf("the picture answers %d", a.StatusCode)
	}
}
