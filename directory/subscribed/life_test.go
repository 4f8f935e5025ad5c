package subscribed

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"archipel/directory"
	"archipel/directory/sqlitestore"
)

func TestSuddenlyEmpty(t *testing.T) {
	told := 0
	w := newWorld(t, func(o *Options) {
		o.Tell = func(_ context.Context, _ *Calendar, _ *directory.Entry, held bool) {
			if held {
				told++
			}
		}
	})
	var all []string
	for i := range 6 {
		all = append(all, ev(fmt.Sprint(i), fmt.Sprint("E", i), fmt.Sprintf("202704%02dT180000", i+10)))
	}
	w.feed.set(cal(all...), 200)
	w.subscribe()
	w.due()
	for name, body := range map[string]string{"empty": cal(), "half": cal(all[:3]...)} {
		w.feed.set(body, 200)
		c := w.again()
		if w.names() != "E0|E1|E2|E3|E4|E5" || c.Held == nil || c.Held.Of != 6 || !c.Failing() {
			t.Errorf("%s: got %s, %+v", name, w.names(), c.Held)
		}
	}
	if told != 1 {
		t.Errorf("the team was told %d times", told)
	}
	// A file that was cut in the middle, a page instead of a calendar, a server that fails: nothing goes either.
	for _, body := range []string{strings.TrimSuffix(cal(all[:5]...), "END:VCALENDAR\r\n"), "<html>Bienvenue</html>"} {
		w.feed.set(body, 200)
		if w.again(); w.names() != "E0|E1|E2|E3|E4|E5" {
			t.Errorf("%.20q: got %s", body, w.names())
		}
	}
	w.feed.set(cal(all...), 200)
	if c := w.again(); c.Held != nil || c.Trouble != nil || c.Failing() {
		t.Errorf("it is back, and still held: %+v", c)
	}
	// The team says that it is meant.
	w.feed.set(cal(all[0]), 200)
	c := w.again()
	if err := w.s.Accept(t.Context(), c.Key); err != nil {
		t.Fatal(err)
	}
	if c = w.due(); w.names() != "E0" || c.Held != nil || c.Accept {
		t.Errorf("got %s, %+v", w.names(), c)
	}
}

// TestSeriesEnds: of a series that has begun, what took place stays.
func TestSeriesEnds(t *testing.T) {
	w := newWorld(t)
	series, other := ev("s", "Série", "20270301T180000", "RRULE:FREQ=WEEKLY"), ev("o", "Autre", "20270501T180000")
	w.feed.set(cal(series, other), 200)
	w.subscribe()
	w.due()
	w.feed.set(cal(other), 200)
	w.again()
	v := w.event("Série").Event
	if n := len(v.Occurrences(v.Start, v.Start.AddDate(1, 0, 0), 0, nil)); n != 2 {
		t.Errorf("%d dates: %s", n, v.RRule)
	}
}

func TestConditional(t *testing.T) {
	w := newWorld(t)
	w.feed.etag = true
	w.feed.set(cal(ev("a", "A", "20270320T180000")), 200)
	w.subscribe()
	w.due()
	first := w.calendar()
	for range 3 {
		w.again()
	}
	c := w.calendar()
	if w.feed.asked != 4 || w.feed.full != 1 || c.Interval <= first.Interval || c.Interval > seldomest || c.Events != 1 {
		t.Errorf("asked %d times, %d whole answers, %v", w.feed.asked, w.feed.full, c.Interval)
	}
}

func TestFailures(t *testing.T) {
	told := 0
	w := newWorld(t, func(o *Options) {
		o.Tell = func(_ context.Context, c *Calendar, _ *directory.Entry, held bool) {
			if !held && c.Trouble != nil {
				told++
			}
		}
	})
	w.feed.set(cal(ev("a", "A", "20270320T180000")), 200)
	w.subscribe()
	w.due()
	w.feed.set("", http.StatusServiceUnavailable, "Retry-After", "7200")
	c := w.again()
	if c.Trouble == nil || c.Trouble.Code != BadStatus || c.Trouble.Status != 503 || c.Next.Sub(w.clock.now()) < 2*time.Hour {
		t.Fatalf("got %+v, next in %v", c.Trouble, c.Next.Sub(w.clock.now()))
	}
	since, asked := c.Trouble.Since, w.feed.asked
	w.clock.later(time.Hour)
	if w.due(); w.feed.asked != asked {
		t.Error("it asked before the server wanted")
	}
	w.feed.set("", http.StatusNotFound)
	for range 4 {
		c = w.again()
	}
	if told != 1 || c.Failures != 5 || !c.Trouble.Since.Equal(since) || c.Trouble.Code != BadGone || c.Next.Sub(w.clock.now()) < 3*time.Hour || w.names() != "A" {
		t.Errorf("told %d times, %+v %+v", told, c, c.Trouble)
	}
	active, failing, err := w.s.Health(t.Context())
	if err != nil || active != 1 || len(failing) != 1 {
		t.Errorf("health: %d, %d, %v", active, len(failing), err)
	}
	w.feed.set(cal(ev("a", "A", "20270620T180000")), 200)
	if c = w.again(); c.Trouble != nil || c.Failures != 0 {
		t.Errorf("it works again, and says %+v", c.Trouble)
	}
}

// TestPeopleDecide: what people did to an entry of a calendar stands.
func TestPeopleDecide(t *testing.T) {
	w := newWorld(t)
	w.feed.set(cal(ev("a", "A", "20270420T180000"), ev("b", "B", "20270421T180000")), 200)
	c, err := w.s.Add(t.Context(), &w.org, w.feed.URL, "somebody")
	if err != nil {
		t.Fatal(err)
	}
	w.due()
	a, b := w.event("A"), w.event("B")
	if a.Status != directory.Pending {
		t.Fatalf("whoever is not trusted published: %s", a.Status)
	}
	a.Status, b.Status = directory.Published, directory.Removed
	for _, e := range []directory.Entry{a, b} {
		if _, err := w.d.Put(t.Context(), "account:moderator", e); err != nil {
			t.Fatal(err)
		}
	}
	w.feed.set(cal(ev("a", "A2", "20270420T180000"), ev("b", "B2", "20270421T180000")), 200)
	if w.again(); w.names() != "A2" || w.event("A2").Status != directory.Published {
		t.Errorf("got %s", w.names())
	}
	// The edge of the subscription: again, too soon, paused, removed.
	if _, err := w.s.Add(t.Context(), &w.org, w.feed.URL+"/", "anna"); !errors.Is(err, ErrSubscribed) {
		t.Errorf("twice: %v", err)
	}
	w.clock.later(time.Hour)
	if err := w.s.Refresh(t.Context(), c.Key); err != nil {
		t.Error(err)
	}
	if err := w.s.Refresh(t.Context(), c.Key); !errors.Is(err, ErrSoon) {
		t.Errorf("at once again: %v", err)
	}
	if err := w.s.Pause(t.Context(), c.Key, true); err != nil {
		t.Error(err)
	}
	asked := w.feed.asked
	if w.again(); w.feed.asked != asked {
		t.Error("a paused calendar was fetched")
	}
	if err := w.s.Remove(t.Context(), c.Key, false); err != nil || w.names() != "A2" {
		t.Errorf("removed without its events: %v, %s", err, w.names())
	}
	if err := w.s.Refresh(t.Context(), c.Key); !errors.Is(err, ErrNone) {
		t.Errorf("what was removed is fetched: %v", err)
	}
	// Subscribed to again, it finds its events; removed with them, they go.
	if c, err = w.s.Add(t.Context(), &w.org, w.feed.URL, "anna"); err != nil {
		t.Fatal(err)
	}
	if w.due(); w.names() != "A2" {
		t.Errorf("doubled: %s", w.names())
	}
	if err := w.s.Remove(t.Context(), c.Key, true); err != nil || w.names() != "" {
		t.Errorf("removed with its events: %v, %s", err, w.names())
	}
}

// TestNotPublic: the calendars of an organisation that is not public are kept, and not read.
func TestNotPublic(t *testing.T) {
	w := newWorld(t)
	w.feed.set(cal(ev("a", "A", "20270420T180000")), 200)
	status := func(s directory.Status) {
		t.Helper()
		w.org.Status = s
		var err error
		if w.org, err = w.d.Put(t.Context(), "account:moderator", w.org); err != nil {
			t.Fatal(err)
		}
	}
	status(directory.Pending)
	w.subscribe()
	for range 3 {
		c := w.again()
		if w.feed.asked != 0 || w.names() != "" || c.State != Active || c.Failing() || c.Claim != "" || !c.Next.After(w.clock.now()) {
			t.Fatalf("asked %d times, %s, %+v", w.feed.asked, w.names(), c)
		}
	}
	status(directory.Published)
	if w.again(); w.names() != "A" {
		t.Errorf("it is public, and has %q", w.names())
	}
	status(directory.Hidden)
	w.feed.set(cal(ev("a", "A", "20270420T180000"), ev("b", "B", "20270420T180000")), 200)
	if w.again(); w.names() != "A" {
		t.Errorf("it is hidden, and has %q", w.names())
	}
}

// TestFewWait: of a calendar whose events are moderated, no more wait at once than people can read, those that come next first.
func TestFewWait(t *testing.T) {
	w := newWorld(t)
	var all []string
	for i := range MaxPending + 50 {
		at := time.Date(2026, 11, 25, 18, 0, 0, 0, time.UTC).AddDate(0, 0, i) // the first ones are over
		all = append(all, ev(fmt.Sprint(i), at.Format("E 2006-01-02"), at.Format("20060102T150405")))
	}
	w.feed.set(cal(all...), 200)
	if _, err := w.s.Add(t.Context(), &w.org, w.feed.URL, "somebody"); err != nil {
		t.Fatal(err)
	}
	waiting := func(c *Calendar, want, left int) []directory.Entry {
		t.Helper()
		var out []directory.Entry
		for _, e := range w.events() {
			if e.Status == directory.Pending {
				out = append(out, e)
			}
		}
		if len(out) != want || c.Waiting != left || c.Trouble != nil {
			t.Fatalf("%d wait, %d are not taken, %+v; want %d and %d", len(out), c.Waiting, c.Trouble, want, left)
		}
		return out
	}
	list := waiting(w.due(), MaxPending, 50)
	if last := list[len(list)-1].Name; last != "E 2027-08-01" {
		t.Errorf("the last that waits is %s", last)
	}
	waiting(w.again(), MaxPending, 50)
	for _, e := range list[:60] { // they are read
		e.Status = directory.Published
		if _, err := w.d.Put(t.Context(), "account:moderator", e); err != nil {
			t.Fatal(err)
		}
	}
	waiting(w.again(), MaxPending-10, 0)
	if n := len(w.events()); n != MaxPending+50 {
		t.Errorf("%d events", n)
	}
}

// TestForeignEntries: an entry of somebody else's that bears the name of a calendar's source is neither changed nor removed.
func TestForeignEntries(t *testing.T) {
	w := newWorld(t)
	w.feed.set(cal(ev("a", "A", "20270420T180000"), ev("b", "B", "20270421T180000")), 200)
	c := w.subscribe()
	for _, uid := range []string{"b", "x"} {
		foreign := directory.Entry{Kind: directory.Event, Name: "Fremd " + uid, Source: &directory.Source{Name: c.Name, ExternalID: uid},
			Private: &directory.Private{Owners: []string{"eve"}}, Event: &directory.Schedule{Start: w.clock.now().AddDate(0, 1, 0)}}
		if _, err := w.d.Put(t.Context(), "account:eve", foreign); err != nil {
			t.Fatal(err)
		}
	}
	if c = w.due(); w.names() != "A|Fremd b|Fremd x" || len(c.Refused) != 1 || c.Refused[0].Name != "B" {
		t.Errorf("got %s, %+v", w.names(), c.Refused)
	}
	if err := w.s.Remove(t.Context(), c.Key, true); err != nil || w.names() != "Fremd b|Fremd x" {
		t.Errorf("removed with the calendar: %v, %s", err, w.names())
	}
}

// TestSeveralNodes: of several nodes one fetches, and no event is made twice.
func TestSeveralNodes(t *testing.T) {
	w := newWorld(t)
	w.feed.set(cal(ev("a", "A", "20270420T180000")), 200)
	w.subscribe()
	var wg sync.WaitGroup
	for range 6 {
		s := w.node()
		wg.Go(func() {
			if err := s.Due(context.Background()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if w.feed.asked != 1 || w.names() != "A" {
		t.Errorf("asked %d times, %s", w.feed.asked, w.names())
	}
}

const childVar = "ARCHIPEL_TEST_CALENDAR_CHILD"

// TestChild is a node that is killed by TestKilled; alone it does nothing.
func TestChild(t *testing.T) {
	where := os.Getenv(childVar)
	if where == "" {
		return // a part of TestKilled
	}
	dir, at, _ := strings.Cut(where, "|")
	moment, err := time.Parse(time.RFC3339, at)
	if err != nil {
		t.Fatal(err)
	}
	store, err := sqlitestore.Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	index := &Index{}
	now := func() time.Time { return moment }
	d, err := directory.Open(t.Context(), directory.Options{Store: store, Views: []directory.View{index}, Now: now})
	if err != nil {
		t.Fatal(err)
	}
	fmt.Println("ready")
	publish := func(context.Context, string, *directory.Entry) bool { return true }
	if err := New(Options{Directory: d, Index: index, Loopback: true, Now: now, Publish: publish}).Due(t.Context()); err != nil {
		t.Fatal(err)
	}
	fmt.Println("done")
}

// TestKilled kills a node in the middle of taking a calendar over, again and again: in the end everything is there, once.
func TestKilled(t *testing.T) {
	if testing.Short() {
		t.Skip("starts processes")
	}
	const events = 700
	w := newWorld(t)
	dir := t.TempDir()
	store, err := sqlitestore.Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	d, err := directory.Open(t.Context(), directory.Options{Store: store, Now: w.clock.now})
	if err != nil {
		t.Fatal(err)
	}
	org, err := d.Put(t.Context(), "test", directory.Entry{Kind: directory.Organisation, Name: "La Fourmilière"})
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for i := range events {
		all = append(all, ev(fmt.Sprint(i), fmt.Sprint("E", i), fmt.Sprintf("2027%02d%02dT180000", 4+i%6, i%28+1)))
	}
	w.feed.set(cal(all...), 200)
	s := New(Options{Directory: d, Index: &Index{}, Loopback: true, Now: w.clock.now})
	if _, err := s.Add(t.Context(), &org, w.feed.URL, "anna"); err != nil {
		t.Fatal(err)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	child := func(wait time.Duration) (done bool) {
		w.clock.later(10 * time.Minute) // the claim of a dead node has ended
		cmd := exec.Command(os.Args[0], "-test.run", "^TestChild$", "-test.v")
		cmd.Env = append(os.Environ(), childVar+"="+dir+"|"+w.clock.now().Format(time.RFC3339))
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for lines.Scan() && !strings.Contains(lines.Text(), "ready") {
		}
		if wait > 0 {
			time.AfterFunc(wait, func() { _ = cmd.Process.Kill() })
		}
		for lines.Scan() {
			done = done || strings.Contains(lines.Text(), "done")
		}
		_ = cmd.Wait() // it was killed
		return done
	}
	killed := 0
	for range 6 {
		if !child(time.Millisecond + rand.N(120*time.Millisecond)) {
			killed++
		}
	}
	w.clock.later(30 * time.Hour) // whatever became of the others, it is due
	if !child(0) {
		t.Fatal("it does not come to an end")
	}
	store, err = sqlitestore.Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	seen := map[string]int{}
	err = store.Scan(t.Context(), "", func(list []directory.Entry) error {
		for _, e := range list {
			if e.Kind == directory.Event {
				seen[e.Source.ExternalID]++
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for uid, n := range seen {
		if n != 1 {
			t.Errorf("event %s is there %d times", uid, n)
		}
	}
	if len(seen) != events {
		t.Errorf("%d events of %d, after %d deaths", len(seen), events, killed)
	}
	t.Logf("killed %d times of 6", killed)
}
