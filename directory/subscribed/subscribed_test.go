package subscribed

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"archipel/directory"
	"archipel/directory/sqlitestore"

	"github.com/paulmach/orb"
)

// clock is a time that tests move.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) later(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// feed is a server with one calendar.
type feed struct {
	*httptest.Server
	mu     sync.Mutex
	body   string
	status int
	header map[string]string
	etag   bool
	asked  int
	full   int // answers with a body
}

func (f *feed) set(body string, status int, header ...string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.body, f.status, f.header = body, status, map[string]string{}
	for i := 0; i+1 < len(header); i += 2 {
		f.header[header[i]] = header[i+1]
	}
}

func (f *feed) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked++
	for k, v := range f.header {
		w.Header().Set(k, v)
	}
	if f.etag && f.status == http.StatusOK {
		tag := fmt.Sprintf(`"%x"`, len(f.body))
		w.Header().Set("ETag", tag)
		if r.Header.Get("If-None-Match") == tag {
			w.WriteHeader(http.StatusNotModified)
			return
		}
	}
	f.full++
	w.WriteHeader(f.status)
	_, _ = w.Write([]byte(f.body))
}

type world struct {
	t     *testing.T
	d     *directory.Directory
	store directory.Store
	s     *Service
	feed  *feed
	clock *clock
	org   directory.Entry
	index *Index
}

func newWorld(t *testing.T, change ...func(*Options)) *world {
	t.Helper()
	store, err := sqlitestore.Open(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	w := &world{t: t, store: store, feed: &feed{status: http.StatusOK}, clock: &clock{at: time.Date(2027, 3, 12, 9, 0, 0, 0, time.UTC)}, index: &Index{}}
	w.d, err = directory.Open(t.Context(), directory.Options{Store: store, Views: []directory.View{w.index}, Now: w.clock.now})
	if err != nil {
		t.Fatal(err)
	}
	w.feed.Server = httptest.NewServer(w.feed)
	t.Cleanup(w.feed.Close)
	w.org, err = w.d.Put(t.Context(), "test", directory.Entry{
		Kind: directory.Organisation, Name: "La Fourmilière", Sites: []orb.Point{{4.39, 45.43}}, Licence: "ODbL-1.0", Lang: "fr",
		Address: &directory.Address{Street: "3 rue Pointe Cadet", Locality: "Saint-Étienne"}, Private: &directory.Private{Owners: []string{"anna"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	w.s = w.node(change...)
	return w
}

// node is a service as one process has it.
func (w *world) node(change ...func(*Options)) *Service {
	paris, err := time.LoadLocation("Europe/Paris")
	if err != nil {
		w.t.Fatal(err)
	}
	o := Options{Directory: w.d, Index: w.index, Loopback: true, Now: w.clock.now, Zone: func() *time.Location { return paris },
		Publish: func(_ context.Context, account string, _ *directory.Entry) bool { return account == "anna" }}
	for _, f := range change {
		f(&o)
	}
	return New(o)
}

func (w *world) subscribe() *Calendar {
	w.t.Helper()
	c, err := w.s.Add(w.t.Context(), &w.org, w.feed.URL+"/agenda.ics", "anna")
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

// due fetches what is due.
func (w *world) due() *Calendar {
	w.t.Helper()
	if err := w.s.Due(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	return w.calendar()
}

// again lets a day and more pass and fetches.
func (w *world) again() *Calendar {
	w.t.Helper()
	w.clock.later(30 * time.Hour)
	return w.due()
}

func (w *world) calendar() *Calendar {
	w.t.Helper()
	all, err := w.s.Of(w.t.Context(), w.org.ID)
	if err != nil || len(all) != 1 {
		w.t.Fatalf("%d calendars, %v", len(all), err)
	}
	return all[0]
}

// events are the events that are not removed, by name.
func (w *world) events() []directory.Entry {
	w.t.Helper()
	var out []directory.Entry
	err := w.d.Scan(w.t.Context(), func(list []directory.Entry) error {
		for _, e := range list {
			if e.Kind == directory.Event && e.Status != directory.Removed {
				out = append(out, e)
			}
		}
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
	slices.SortFunc(out, func(a, b directory.Entry) int { return strings.Compare(a.Name, b.Name) })
	return out
}

func (w *world) names() string {
	w.t.Helper()
	var names []string
	for _, e := range w.events() {
		names = append(names, e.Name)
	}
	return strings.Join(names, "|")
}

func (w *world) event(name string) directory.Entry {
	w.t.Helper()
	for _, e := range w.events() {
		if e.Name == name {
			return e
		}
	}
	w.t.Fatalf("no event %q among %s", name, w.names())
	return directory.Entry{}
}

// ev is one VEVENT.
func ev(uid, name, start string, more ...string) string {
	return "BEGIN:VEVENT\r\nUID:" + uid + "\r\nSUMMARY:" + name + "\r\nDTSTART;TZID=Europe/Paris:" + start + "\r\n" + strings.Join(append(more, ""), "\r\n") + "END:VEVENT\r\n"
}

func cal(events ...string) string {
	return "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nX-WR-CALNAME:Agenda\r\n" + strings.Join(events, "") + "END:VCALENDAR\r\n"
}

func TestLife(t *testing.T) {
	w := newWorld(t)
	a, b := ev("a", "Atelier", "20270320T180000", "DTEND;TZID=Europe/Paris:20270320T200000", "LOCATION:Salle des fêtes\\, 42100 Saint-Étienne"), ev("b", "Bal", "20270401T200000", "RRULE:FREQ=WEEKLY;COUNT=5")
	past := ev("p", "Passé", "20270301T180000")
	w.feed.set(cal(a, b, past), 200)
	w.subscribe()
	c := w.due()
	if w.names() != "Atelier|Bal|Passé" || c.Trouble != nil || c.Events != 3 || c.Title != "Agenda" || c.Fetched.IsZero() || !c.Next.After(c.Fetched) || c.Claim != "" {
		t.Fatalf("got %s, %+v", w.names(), c)
	}
	e := w.event("Atelier")
	if e.Status != directory.Published || e.Private == nil || e.Private.Team != w.org.ID || !slices.Contains(e.Relations, directory.Relation{Rel: "organisedBy", Target: w.org.ID}) ||
		e.Source == nil || e.Source.ExternalID != "a" || strings.Contains(fmt.Sprint(e.Source), "agenda.ics") || e.Licence != "ODbL-1.0" || e.Address.Locality != "Saint-Étienne" || e.Address.PostalCode != "42100" {
		t.Errorf("got %+v %+v %+v", e, e.Source, e.Private)
	}
	if bal := w.event("Bal"); len(bal.Sites) != 1 || bal.Address.Street != "3 rue Pointe Cadet" {
		t.Errorf("an event without a place is not with its organisation: %+v", bal.Sites)
	}
	// Nothing changed: nothing is written.
	head := w.d.Head()
	w.feed.set(cal(a, b, past)+"\r\n", 200) // other bytes, the same events
	if c = w.again(); w.d.Head() != head || c.Trouble != nil {
		t.Errorf("an unchanged calendar wrote %d changes", w.d.Head()-head)
	}
	// Changes are followed, with what the calendar does not say kept; what is gone goes, what is over stays.
	w.price(e)
	w.feed.set(cal(strings.Replace(a, "Atelier", "Atelier vélo", 1), past), 200)
	c = w.again()
	if w.names() != "Atelier vélo|Passé" {
		t.Errorf("got %s, %+v", w.names(), c)
	}
	if now := w.event("Atelier vélo"); now.ID != e.ID || now.Event.Price != "2 €" {
		t.Errorf("it lost its identity or its price: %+v", now.Event)
	}
	// What the calendar took away and brings back is the same entry again.
	w.feed.set(cal(a, b), 200)
	if w.again(); w.names() != "Atelier|Bal|Passé" {
		t.Errorf("got %s", w.names())
	}
}

// price puts a price on an event by hand.
func (w *world) price(e directory.Entry) {
	w.t.Helper()
	e.Event.Price = "2 €"
	if _, err := w.d.Put(w.t.Context(), "account:anna", e); err != nil {
		w.t.Fatal(err)
	}
}
