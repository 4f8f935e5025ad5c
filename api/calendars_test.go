package api_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"archipel/api"
	"archipel/api/account"
	"archipel/directory"
	"archipel/directory/subscribed"
	"archipel/directory/taxonomy"
	"archipel/geo"
	"archipel/geo/basemap"
)

// openCalendars is a directory whose organisations can subscribe to calendars of this machine; fetch fetches what is due.
func openCalendars(t *testing.T) (s *site, fetch func()) {
	t.Helper()
	store := openStore(t, t.TempDir())
	words := taxonomy.Default()
	index, relations, sources, owners, sourced := geo.NewIndex(), &directory.Relations{}, &directory.Sources{}, &api.Owners{}, &subscribed.Index{}
	clock := func() time.Time { return now }
	d, err := directory.Open(t.Context(), directory.Options{Store: store, Views: []directory.View{index, relations, sources, owners, sourced}, Now: clock,
		Rules: func() directory.Rules { return directory.Rules{Category: words.Valid} }})
	if err != nil {
		t.Fatal(err)
	}
	quiet := slog.New(slog.NewTextHandler(io.Discard, nil))
	about := func() account.Site { return account.Site{Name: "Archipel", Languages: []string{"fr", "en"}} }
	mailer := account.NewMailer(account.MailerOptions{Store: store, Transport: &account.Folder{Dir: t.TempDir(), Log: quiet}, Site: about, Log: quiet})
	accounts, err := account.New(account.Options{Store: store, Mailer: mailer, Site: about, Address: "http://example.com", Log: quiet, Teams: owners.Keeps})
	if err != nil {
		t.Fatal(err)
	}
	calendars := subscribed.New(subscribed.Options{Directory: d, Index: sourced, Loopback: true, Now: clock, Log: quiet, Publish: api.PublishesCalendar(accounts)})
	server, err := api.New(api.Options{
		Directory: d, Index: index, Relations: relations, Sources: sources, Taxonomy: words, Basemap: basemap.NewStack(nil, basemap.Embedded()),
		Accounts: accounts, Waiting: &api.Waiting{}, Owners: owners, Calendars: calendars, Site: api.DefaultSite, Version: "test", Now: clock, Log: quiet,
	})
	if err != nil {
		t.Fatal(err)
	}
	server.SetReady(true)
	return &site{t: t, d: d, store: store, server: server, index: index}, func() {
		t.Helper()
		if err := calendars.Due(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
}

// post sends a form that stands on another page.
func (p *author) post(page, path string, v url.Values) answer {
	p.t.Helper()
	v.Set("csrf", p.token(page))
	return p.do(http.MethodPost, path, "application/x-www-form-urlencoded", strings.NewReader(v.Encode()))
}

const feedBody = "BEGIN:VCALENDAR\r\nX-WR-CALNAME:Agenda <b>&amp; co\r\nBEGIN:VEVENT\r\nUID:a\r\nSUMMARY:Atelier vélo\r\nDTSTART;TZID=Europe/Paris:20270320T180000\r\n" +
	"DTEND;TZID=Europe/Paris:20270320T200000\r\nRRULE:FREQ=WEEKLY\r\nDESCRIPTION:<script>alert(1)</script><a href=\"javascript:alert(2)\">x</a> Venez\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"

func TestCalendarsOfATeam(t *testing.T) {
	s, fetch := openCalendars(t)
	anna, bob, visitor := s.member("Anna", trusted), s.member("Bob"), s.visitor()
	anna.owned("La Fourmilière", func(e *directory.Entry) { e.Kind = directory.Organisation })
	var status atomic.Int32
	status.Store(200)
	feed := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(int(status.Load()))
		_, _ = w.Write([]byte(feedBody))
	}))
	defer feed.Close()
	page := "/e/la-fourmiliere/calendars"
	if a := visitor.open(page); a.StatusCode != http.StatusSeeOther || !strings.Contains(a.Header.Get("Location"), "/signin") {
		t.Errorf("a visitor gets %d", a.StatusCode)
	}
	if a := bob.open(page); a.StatusCode != http.StatusForbidden {
		t.Errorf("somebody else gets %d", a.StatusCode)
	}
	if a := bob.post("/account", page, url.Values{"url": {feed.URL}}); a.StatusCode != http.StatusForbidden {
		t.Errorf("somebody else subscribes: %d", a.StatusCode)
	}
	for _, bad := range []string{"", "pas une adresse", "https://10.0.0.1/a.ics", "file:///etc/passwd", `"><script>alert(1)</script>`} {
		if a := anna.send(page, url.Values{"url": {bad}}); a.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(a.body, `aria-invalid="true"`) || strings.Contains(a.body, "<script>alert") {
			t.Errorf("%q: %d", bad, a.StatusCode)
		}
	}
	anna.send(page, url.Values{"url": {feed.URL + "/secret-token.ics"}}).leads(t, "^"+page)
	fetch()
	a := anna.open(page)
	if !strings.Contains(a.body, "Agenda &lt;b&gt;") || !strings.Contains(a.body, "secret-token") {
		t.Errorf("the page does not show the calendar: %s", a.body)
	}
	e := s.bySlug("atelier-velo")
	if !e.Public() || strings.Contains(e.Description, "javascript") {
		t.Errorf("got %s, %q", e.Status, e.Description)
	}
	// Everybody sees the event with its organisation, and nobody else the address of the calendar.
	for _, path := range []string{"/e/atelier-velo", "/e/la-fourmiliere", "/api/collections/events/items", "/entries.ics", "/entries.csv", "/about", "/e/atelier-velo/history"} {
		if a := visitor.open(path); a.StatusCode != http.StatusOK || strings.Contains(a.body, "secret-token") || strings.Contains(a.body, "<script>alert") {
			t.Errorf("%s: %d, or it tells the address", path, a.StatusCode)
		}
	}
	if a := visitor.open("/e/la-fourmiliere"); !strings.Contains(a.body, "/e/atelier-velo") {
		t.Error("the organisation does not show its event")
	}
	if a := visitor.open("/e/la-fourmiliere.ics"); !strings.Contains(a.body, "SUMMARY:Atelier vélo") {
		t.Error("the organisation's calendar does not have its event")
	}
	if a := anna.open("/e/atelier-velo/edit"); !strings.Contains(a.body, "l’emporte") || !strings.Contains(a.body, page) {
		t.Errorf("the form does not say that the calendar wins: %d", a.StatusCode)
	}
	// Another team cannot reach it by way of its own entry.
	bob.owned("Le Nichoir", func(e *directory.Entry) { e.Kind = directory.Organisation })
	list, err := s.server.Calendars.Of(t.Context(), s.bySlug("la-fourmiliere").ID)
	if err != nil || len(list) != 1 {
		t.Fatal(err, list)
	}
	_, id, _ := strings.Cut(list[0].Key, "/")
	for _, path := range []string{"/e/le-nichoir/calendars/" + id, "/e/le-nichoir/calendars/..%2F" + string(s.bySlug("la-fourmiliere").ID) + "%2F" + id} {
		if a := bob.post("/account", path, url.Values{"action": {"remove"}}); a.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %d", path, a.StatusCode)
		}
	}
	if a := anna.post(page, page+"/"+id, url.Values{"action": {"refresh"}}); a.StatusCode != http.StatusTooManyRequests {
		t.Errorf("at once again: %d", a.StatusCode)
	}
	if a := anna.post(page, page+"/"+id, url.Values{"action": {"explode"}}); a.StatusCode != http.StatusBadRequest {
		t.Errorf("an unknown action: %d", a.StatusCode)
	}
	for action, shows := range map[string]string{"pause": "en pause", "resume": "de nouveau suivi"} {
		anna.post(page, page+"/"+id, url.Values{"action": {action}}).leads(t, "done="+action)
		if a := anna.open(page + "?done=" + action); !strings.Contains(a.body, shows) {
			t.Errorf("after %s", action)
		}
	}
	status.Store(404)
	anna.post(page, page+"/"+id, url.Values{"action": {"resume"}}).leads(t, "done=resume")
	fetch()
	if a := anna.open(page); !strings.Contains(a.body, "Il n’y a pas (ou plus) d’agenda") {
		t.Error("the page does not say why it failed")
	}
	boss := s.member("Cheffe", admin)
	if a := boss.open("/admin"); !strings.Contains(a.body, "Il n’y a pas (ou plus) d’agenda") || !strings.Contains(a.body, page) {
		t.Error("the page of the instance's health does not name the calendar that fails")
	}
	anna.post(page, page+"/"+id, url.Values{"action": {"remove_all"}}).leads(t, "done=remove_all")
	if a := visitor.open("/e/atelier-velo"); a.StatusCode != http.StatusGone {
		t.Errorf("its event is still there: %d", a.StatusCode)
	}
}

// TestCalendarsOfANewcomer: while an organisation waits, its calendars are kept and not read, and then no more of their events
// wait than people can read. The page says so.
func TestCalendarsOfANewcomer(t *testing.T) {
	s, fetch := openCalendars(t)
	eve := s.member("Eve")
	org := eve.owned("La Fourmilière", func(e *directory.Entry) { e.Kind, e.Status = directory.Organisation, directory.Pending })
	asked := atomic.Int32{}
	var body strings.Builder
	for i := range subscribed.MaxPending + 3 {
		body.WriteString("BEGIN:VEVENT\r\nUID:" + strconv.Itoa(i) + "\r\nSUMMARY:Soirée " + strconv.Itoa(i) + "\r\nDTSTART:20270401T180000Z\r\nEND:VEVENT\r\n")
	}
	feed := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		_, _ = w.Write([]byte("BEGIN:VCALENDAR\r\n" + body.String() + "END:VCALENDAR\r\n"))
	}))
	defer feed.Close()
	page := "/e/la-fourmiliere/calendars"
	eve.send(page, url.Values{"url": {feed.URL}}).leads(t, "done=added")
	fetch()
	if a := eve.open(page); asked.Load() != 0 || !strings.Contains(a.body, "n’est pas en ligne") || !strings.Contains(a.body, "quand la fiche sera en ligne") {
		t.Errorf("fetched %d times, or the page does not say why not: %s", asked.Load(), a.body)
	}
	org.Status = directory.Published
	s.put(org)
	list, err := s.server.Calendars.Of(t.Context(), org.ID)
	if err != nil || len(list) != 1 {
		t.Fatal(err, list)
	}
	if err := s.server.Calendars.Pause(t.Context(), list[0].Key, false); err != nil { // due at once
		t.Fatal(err)
	}
	fetch()
	if a := eve.open(page); strings.Contains(a.body, "n’est pas en ligne") || !strings.Contains(a.body, "3 évènements ne sont pas encore repris") || !strings.Contains(a.body, "200 autres") {
		t.Errorf("the page does not say how many wait: %s", a.body)
	}
}

// TestCalendarsOfAPlaceOfATeam: what an organisation's trusted people keep in its name publishes its calendars as they do.
func TestCalendarsOfAPlaceOfATeam(t *testing.T) {
	s, fetch := openCalendars(t)
	anna := s.member("Anna", trusted)
	org := anna.owned("La Fourmilière", func(e *directory.Entry) { e.Kind = directory.Organisation })
	hall := place("Salle des fêtes", "Saint-Étienne", 4.39, 45.44, "coworking")
	hall.Private = &directory.Private{Team: org.ID}
	s.put(hall)
	feed := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(feedBody)) }))
	defer feed.Close()
	page := "/e/salle-des-fetes/calendars"
	if a := anna.open(page); strings.Contains(a.body, "attendent d’être relus") {
		t.Error("the page says that events wait")
	}
	anna.send(page, url.Values{"url": {feed.URL}}).leads(t, "done=added")
	fetch()
	if e := s.bySlug("atelier-velo"); !e.Public() {
		t.Errorf("its event is %s", e.Status)
	}
}

// TestManyEvents: the page of an organisation with hundreds of events shows those that come next, its calendar all of them.
func TestManyEvents(t *testing.T) {
	s, fetch := openCalendars(t)
	anna := s.member("Anna", trusted)
	anna.owned("La Fourmilière", func(e *directory.Entry) { e.Kind = directory.Organisation })
	var body strings.Builder
	body.WriteString("BEGIN:VCALENDAR\r\n")
	for i := range 300 {
		at := paris(13, 18).AddDate(0, 0, 299-i) // the last one first
		body.WriteString("BEGIN:VEVENT\r\nUID:" + strconv.Itoa(i) + "\r\nSUMMARY:Soirée n° " + strconv.Itoa(300-i) + ".\r\nDTSTART:" + at.UTC().Format("20060102T150405Z") + "\r\nEND:VEVENT\r\n")
	}
	body.WriteString("END:VCALENDAR\r\n")
	feed := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(body.String())) }))
	defer feed.Close()
	anna.send("/e/la-fourmiliere/calendars", url.Values{"url": {feed.URL}}).leads(t, "done=added")
	fetch()
	page := s.get("/e/la-fourmiliere").body
	for name, shown := range map[string]bool{"Soirée n° 1.": true, "Soirée n° 60.": true, "Soirée n° 61.": false, "Soirée n° 300.": false} {
		if strings.Contains(page, name) != shown {
			t.Errorf("%s is shown: %v", name, !shown)
		}
	}
	if n := strings.Count(s.get("/e/la-fourmiliere.ics").body, "BEGIN:VEVENT"); n != 300 {
		t.Errorf("the calendar has %d events", n)
	}
}

// TestDatesOneByOne moves, cancels, leaves out and restores dates of an event, and reads them in all places that show them.
func TestDatesOneByOne(t *testing.T) {
	s, _ := openCalendars(t)
	anna := s.member("Anna", trusted)
	start := time.Date(2027, 3, 19, 17, 0, 0, 0, time.UTC) // 18:00 in Paris
	anna.put(func() directory.Entry {
		e := event("Atelier", start, "FREQ=WEEKLY")
		e.Private = &directory.Private{Owners: []string{anna.id}}
		return e
	}())
	at := func(week int) string { return "event.at." + strconv.FormatInt(atParis(19+7*week, 18).Unix(), 10) + "." }
	edit := func(change url.Values) answer {
		t.Helper()
		v := anna.fieldsOfPage("/e/atelier/edit")
		for k, list := range change {
			v[k] = list
		}
		return anna.send("/e/atelier/edit", v)
	}
	if v := anna.fieldsOfPage("/e/atelier/edit"); v.Get(at(0)+"date") != "2027-03-19" || v.Get(at(2)+"time") != "18:00" || v.Get(at(11)+"date") == "" {
		t.Fatalf("the form does not show the dates: %v", v)
	}
	edit(url.Values{at(0) + "state": {"cancelled"}, at(1) + "date": {"2027-03-27"}, at(1) + "time": {"10:30"}, at(2) + "state": {"left_out"},
		"event.extra.new0.date": {"2027-03-30"}, "event.extra.new0.time": {"20:00"}}).leads(t, "^/e/atelier$")
	v := s.bySlug("atelier").Event
	if len(v.Overrides) != 2 || v.Overrides[0].State != directory.Cancelled || !v.Overrides[1].Start.Equal(time.Date(2027, 3, 27, 9, 30, 0, 0, time.UTC)) ||
		len(v.ExDates) != 1 || !v.ExDates[0].Equal(atParis(33, 18)) || len(v.RDates) != 1 || !v.RDates[0].Equal(time.Date(2027, 3, 30, 18, 0, 0, 0, time.UTC)) {
		t.Fatalf("got %+v", v)
	}
	// An untouched form changes none of it.
	edit(nil).leads(t, "^/e/atelier$")
	if again := s.bySlug("atelier").Event; len(again.Overrides) != 2 || len(again.ExDates) != 1 || len(again.RDates) != 1 {
		t.Errorf("an untouched form changed the dates: %+v", again)
	}
	ics := s.get("/e/atelier.ics").body
	for _, want := range []string{"RECURRENCE-ID;TZID=Europe/Paris:20270319T180000", "STATUS:CANCELLED", "RECURRENCE-ID;TZID=Europe/Paris:20270326T180000",
		"DTSTART;TZID=Europe/Paris:20270327T103000", "DTEND;TZID=Europe/Paris:20270327T123000", "EXDATE;TZID=Europe/Paris:20270402T180000", "RDATE;TZID=Europe/Paris:20270330T200000"} {
		if !strings.Contains(ics, want) {
			t.Errorf("%s is not in the calendar", want)
		}
	}
	for day, shown := range map[string]bool{"2027-03-19": true, "2027-03-26": false, "2027-03-27": true, "2027-03-30": true, "2027-04-02": false, "2027-04-09": true} {
		heading := "[" + day[5:7] + day[8:] + "]"
		if got := told(s.get("/agenda?view=day&date=" + day).body); strings.Contains(got, heading+" Atelier") != shown {
			t.Errorf("the agenda of %s: %s", day, got)
		}
	}
	body := s.get("/e/atelier").body
	if !strings.Contains(body, "2027-03-27T10:30") || strings.Contains(body, "2027-04-02T18:00") || !strings.Contains(strings.ToLower(body), "annulé") {
		t.Errorf("the page of the entry does not show the changes: %s", body)
	}
	// Back as planned, one by one; an emptied extra date goes.
	extra := "event.extra." + strconv.FormatInt(v.RDates[0].Unix(), 10) + "."
	edit(url.Values{at(0) + "state": {""}, at(1) + "state": {""}, at(2) + "state": {""}, extra + "date": {""}}).leads(t, "^/e/atelier$")
	if v = s.bySlug("atelier").Event; len(v.Overrides)+len(v.ExDates)+len(v.RDates) != 0 {
		t.Errorf("not restored: %+v", v)
	}
	// What cannot be is said, and a date of another series changes nothing.
	if a := edit(url.Values{at(0) + "state": {"moved"}, at(0) + "date": {"demain"}}); a.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(a.body, "demain") {
		t.Errorf("a date that is none: %d", a.StatusCode)
	}
	if a := edit(url.Values{at(0) + "state": {"exploded"}}); a.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("a state that is none: %d", a.StatusCode)
	}
	edit(url.Values{"event.at.12345.state": {"cancelled"}, "event.at.x.state": {"cancelled"}, "event.extra.99.date": {"2027-05-05"}}).leads(t, "^/e/atelier$")
	if v = s.bySlug("atelier").Event; len(v.Overrides)+len(v.ExDates)+len(v.RDates) != 0 {
		t.Errorf("dates of nobody's were taken: %+v", v)
	}
}

// atParis is an hour of a day of March 2027 by the clocks of Paris; days go on into April.
func atParis(day, hour int) time.Time { return paris(day, hour).UTC() }
