package links

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"archipel/directory"
	"archipel/directory/mongostore"
	"archipel/directory/mongostore/mongotest"
	"archipel/directory/sqlitestore"
	"archipel/publicnet/publicnettest"
)

// web is a server whose pages tests change; it notes who asked what.
type web struct {
	*httptest.Server
	mu    sync.Mutex
	pages map[string]func(http.ResponseWriter, *http.Request) // by path; others answer 200
	asked []string
	agent string
	slow  time.Duration
}

func newWeb(t *testing.T) *web {
	w := &web{pages: map[string]func(http.ResponseWriter, *http.Request){}}
	w.Server = httptest.NewServer(w)
	t.Cleanup(w.Close)
	return w
}

func (w *web) ServeHTTP(out http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	w.asked = append(w.asked, r.Method+" "+r.URL.Path)
	w.agent = r.UserAgent()
	page, slow := w.pages[r.URL.Path], w.slow
	w.mu.Unlock()
	time.Sleep(slow)
	if page != nil {
		page(out, r)
	}
}

func (w *web) says(path string, status int) {
	w.does(path, func(out http.ResponseWriter, _ *http.Request) { out.WriteHeader(status) })
}

func (w *web) does(path string, f func(http.ResponseWriter, *http.Request)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.pages[path] = f
}

func (w *web) count(path string) (n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, one := range w.asked {
		if _, p, _ := strings.Cut(one, " "); p == path {
			n++
		}
	}
	return n
}

// refusing is the address of a server that is not there.
func refusing(t *testing.T) string { return "http://" + publicnettest.Refusing(t) }

// world is a directory, and a clock that goes on only when somebody waits.
type world struct {
	t      *testing.T
	d      *directory.Directory
	s      *Service
	at     time.Time
	waited time.Duration
	on     bool
}

func newWorld(t *testing.T) *world {
	t.Helper()
	store, err := sqlitestore.Open(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return worldIn(t, store)
}

func worldIn(t *testing.T, store directory.Store) *world {
	t.Helper()
	t.Cleanup(func() { store.Close() })
	var err error
	// Records expire by the clock of the store, so that of the test begins with it.
	w := &world{t: t, at: time.Now().UTC(), on: true}
	w.d, err = directory.Open(t.Context(), directory.Options{Store: store, Now: func() time.Time { return w.at }})
	if err != nil {
		t.Fatal(err)
	}
	w.s = New(w.options())
	return w
}

func (w *world) options() Options {
	return Options{Directory: w.d, On: func() bool { return w.on }, UserAgent: "Archipel/test (+https://ile.example)", Loopback: true, Log: slog.New(slog.DiscardHandler),
		Now: func() time.Time { return w.at }, Wait: func(ctx context.Context, d time.Duration) error {
			w.at, w.waited = w.at.Add(max(d, 0)), w.waited+max(d, 0)
			return ctx.Err()
		}}
}

func (w *world) put(name string, website string, links ...string) directory.Entry {
	w.t.Helper()
	e := directory.Entry{Kind: directory.Organisation, Name: name, Contact: &directory.Contact{Website: website}}
	for _, l := range links {
		e.Links = append(e.Links, directory.Link{Rel: "related", URL: l})
	}
	e, err := w.d.Put(w.t.Context(), "test", e)
	if err != nil {
		w.t.Fatal(err)
	}
	return e
}

// days has a round take place every day for some days.
func (w *world) days(n int) {
	w.t.Helper()
	for range n {
		w.at = w.at.Add(28 * time.Hour)
		if _, err := w.s.Round(w.t.Context()); err != nil {
			w.t.Fatal(err)
		}
	}
}

// told is what is said of an entry: codes and addresses.
func (w *world) told(e directory.Entry) string {
	w.t.Helper()
	list, err := w.s.Of(w.t.Context(), &e)
	if err != nil {
		w.t.Fatal(err)
	}
	var out []string
	for _, one := range list {
		out = append(out, one.Code+" "+one.URL)
	}
	return strings.Join(out, ", ")
}

// TestVerdicts: what each answer of a server, lasting two months, comes to.
func TestVerdicts(t *testing.T) {
	w, web, gone := newWorld(t), newWeb(t), refusing(t)
	// What looking a name up says depends on where this machine stands: here nobody knows one.
	transport := w.s.http.Transport.(*http.Transport)
	dial := transport.DialContext
	transport.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		if host, _, _ := net.SplitHostPort(address); net.ParseIP(host) == nil {
			return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
		}
		return dial(ctx, network, address)
	}
	for path, status := range map[string]int{"/401": 401, "/403": 403, "/429": 429, "/400": 400, "/999": 999, "/404": 404, "/410": 410, "/500": 500, "/503": 503} {
		web.says(path, status)
	}
	web.does("/nohead", func(out http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodHead {
			out.WriteHeader(http.StatusNotFound)
		}
	})
	for path, to := range map[string]string{"/old": "/new", "/deep": "/", "/slash": "/slash/", "/away": gone + "/", "/round": "/round", "/private": "http://10.0.0.1/", "/file": "file:///etc/passwd"} {
		web.does(path, func(out http.ResponseWriter, r *http.Request) { http.Redirect(out, r, to, http.StatusMovedPermanently) })
	}
	web.does("/today", func(out http.ResponseWriter, r *http.Request) { http.Redirect(out, r, "/new", http.StatusFound) })
	web.does("/endless", func(out http.ResponseWriter, r *http.Request) {
		for range 10_000 {
			if _, err := out.Write(make([]byte, 1<<10)); err != nil {
				return
			}
		}
	})
	var entries []directory.Entry
	cases := []struct{ address, want string }{
		{"/", ""}, {"/401", ""}, {"/403", ""}, {"/429", ""}, {"/400", ""}, {"/999", ""}, {"/nohead", ""}, {"/today", ""}, {"/deep", ""}, {"/slash", ""}, {"/round", ""}, {"/endless", ""},
		{"/404", Gone}, {"/410", Gone}, {"/500", Failing}, {"/503", Failing}, {"/old", MovedFor}, {"/away", Refused}, {"/private", Host}, {"/file", Host},
		{gone, Refused}, {"http://10.0.0.1/", Host}, {"http://169.254.169.254/latest/meta-data", Host}, {"https://[fd00::1]/", Host}, {"http://0.0.0.0:1/", Host}, {"http://printer/", Host},
	}
	for _, c := range cases {
		if strings.HasPrefix(c.address, "/") {
			c.address = web.URL + c.address
		}
		entries = append(entries, w.put("Fiche "+c.address, c.address))
	}
	w.days(1)
	for i, c := range cases {
		if got := w.told(entries[i]); got != "" && c.want != MovedFor {
			t.Errorf("%s is called broken after one failure: %s", c.address, got)
		}
	}
	w.days(60)
	for i, c := range cases {
		code, _, _ := strings.Cut(w.told(entries[i]), " ")
		if code != c.want {
			t.Errorf("%s: %q, want %q", c.address, code, c.want)
		}
	}
	if list, err := w.s.Of(t.Context(), &entries[16]); err != nil || len(list) != 1 || list[0].To != web.URL+"/new" {
		t.Errorf("where it has moved: %+v %v", list, err)
	}
	if web.agent != "Archipel/test (+https://ile.example)" {
		t.Errorf("it calls itself %q", web.agent)
	}
	broken, moved, err := w.s.Count(t.Context())
	if err != nil || broken != 13 || moved != 1 {
		t.Errorf("%d broken, %d moved, %v", broken, moved, err)
	}
	var listed int
	for after := ""; ; {
		page, next, err := w.s.List(t.Context(), after, 5)
		if err != nil || len(page) > 5 {
			t.Fatal(len(page), err)
		}
		if listed += len(page); next == "" {
			break
		}
		after = next
	}
	if listed != 14 {
		t.Errorf("%d are listed", listed)
	}
	// In 71 days, a page that answers is asked about once a month, one that fails every week or so.
	if n := web.count("/"); n > 12 { // it is also where /deep leads, and vouches for the network
		t.Errorf("the front page was asked %d times", n)
	}
	if n := web.count("/403"); n > 6 {
		t.Errorf("who turns programs away was asked %d times", n)
	}
	if n := web.count("/404"); n < 8 || n > 40 {
		t.Errorf("what is gone was asked %d times", n)
	}
}

// TestRecovers: what answers again, was corrected, or is no entry's any more is told of no longer.
func TestRecovers(t *testing.T) {
	t.Run("sqlite", func(t *testing.T) { recovers(t, newWorld(t)) })
	t.Run("mongo", func(t *testing.T) {
		store, err := mongostore.Open(t.Context(), mongotest.Fresh(t))
		if err != nil {
			t.Fatal(err)
		}
		recovers(t, worldIn(t, store))
	})
}

func recovers(t *testing.T, w *world) {
	web := newWeb(t)
	web.says("/gone", 404)
	e := w.put("La Fourmilière", web.URL, web.URL+"/gone#contact")
	other := w.put("Le Nichoir", web.URL+"/gone")
	w.days(2)
	if got := w.told(e); got != "" {
		t.Errorf("after two days: %s", got)
	}
	w.days(8)
	if got := w.told(e); got != "gone "+web.URL+"/gone#contact" {
		t.Errorf("got %q", got)
	}
	list, _, err := w.s.List(t.Context(), "", 10)
	if err != nil || len(list) != 1 || len(list[0].Entries) != 2 {
		t.Errorf("one address of two entries: %+v %v", list, err)
	}
	web.says("/gone", 200)
	w.days(9)
	if w.told(e) != "" || w.told(other) != "" {
		t.Errorf("it answers again: %s, %s", w.told(e), w.told(other))
	}
	web.says("/gone", 410)
	w.days(60)
	e.Links = nil
	if w.told(other) == "" || w.told(e) != "" {
		t.Errorf("corrected in one entry: %s, %s", w.told(e), w.told(other))
	}
	// What is hidden, a draft, another island's or switched off asks nobody.
	before := len(web.asked)
	for _, status := range []directory.Status{directory.Draft, directory.Pending, directory.Hidden} {
		if _, err := w.d.Put(t.Context(), "test", directory.Entry{Kind: directory.Place, Name: "Secret", Status: status, Contact: &directory.Contact{Website: web.URL + "/secret"}}); err != nil {
			t.Fatal(err)
		}
	}
	w.on = false
	w.days(40)
	if len(web.asked) != before || w.told(other) != "" {
		t.Error("it is switched off, and asks")
	}
	w.on = true
	w.days(1)
	if web.count("/secret") != 0 {
		t.Error("what is not public was asked")
	}
	if living(&directory.Entry{Status: directory.Published, Origin: "ile.example"}, w.at) {
		t.Error("another island's entries are looked at")
	}
}

// TestNetworkDown: while no server answers, nothing is counted; once one does, the others' failures are.
func TestNetworkDown(t *testing.T) {
	w, web := newWorld(t), newWeb(t)
	var entries []directory.Entry
	for i := range 3 * heldMax {
		entries = append(entries, w.put(fmt.Sprint("Fiche ", i), refusing(t)))
	}
	w.days(40)
	if list, err := w.d.Store().Records(t.Context(), kindTrouble, "", 10); err != nil || len(list) != 0 {
		t.Errorf("no server ever answered, and counted are %v %v", list, err)
	}
	// A link that answers: the network works. Then the machine is cut off, and it fails with the others.
	alive := w.put("Vivante", web.URL)
	for range 2 { // the first time it may come after some that fail
		if _, err := w.s.Round(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if list, err := w.d.Store().Records(t.Context(), kindTrouble, "", 100); err != nil || len(list) != len(entries) {
		t.Errorf("the network works, and %d are counted, %v", len(list), err)
	}
	web.does("/", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }) // as if its cable were cut
	w.days(60)
	if got := w.told(alive); got != "" {
		t.Errorf("cut off, and %s", got)
	}
	if got := w.told(entries[0]); got != "" {
		t.Errorf("one failure counted, and %s", got)
	}
	if t.Failed() {
		return
	}
	other := newWeb(t)
	w.put("Encore une", other.URL)
	w.days(12)
	if got := w.told(entries[0]); got == "" {
		t.Error("the network works again, and nothing is counted")
	}
	if got := w.told(alive); got == "" {
		t.Error("its server is away for long, and nothing is said")
	}
}

// TestPolite: never faster than the pace, one host only now and then, and never a second time for two entries.
func TestPolite(t *testing.T) {
	w, web := newWorld(t), newWeb(t)
	for i := range hostMax + 5 {
		w.put(fmt.Sprint("Fiche ", i), fmt.Sprintf("%s/%d", web.URL, i), web.URL+"/shared")
	}
	more, err := w.s.Round(t.Context())
	if err != nil || !more || len(web.asked) != hostMax {
		t.Fatalf("asked %d of one host in a round, more: %v, %v", len(web.asked), more, err)
	}
	if w.waited < hostPace*(hostMax-1) {
		t.Errorf("%d requests to one host in %v", hostMax, w.waited)
	}
	if more, err = w.s.Round(t.Context()); err != nil || more || len(web.asked) != hostMax+6 || web.count("/shared") != 1 {
		t.Errorf("the rest: asked %d, more: %v, %v", len(web.asked), more, err)
	}
}

const childVar = "ARCHIPEL_TEST_LINKS_CHILD"

// TestChild is a node that is killed by TestKilled; alone it does nothing.
func TestChild(t *testing.T) {
	dir := os.Getenv(childVar)
	if dir == "" {
		return // a part of TestKilled
	}
	store, err := sqlitestore.Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	d, err := directory.Open(t.Context(), directory.Options{Store: store})
	if err != nil {
		t.Fatal(err)
	}
	s := New(Options{Directory: d, On: func() bool { return true }, Loopback: true, Wait: func(ctx context.Context, _ time.Duration) error { return ctx.Err() }})
	if _, err := s.Round(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// TestKilled: a node that is killed in the middle of a round loses nothing but what it was about to write down.
func TestKilled(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a process")
	}
	dir, web := t.TempDir(), newWeb(t)
	store, err := sqlitestore.Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	d, err := directory.Open(t.Context(), directory.Options{Store: store})
	if err != nil {
		t.Fatal(err)
	}
	const n = hostMax
	for i := range n {
		e := directory.Entry{Kind: directory.Organisation, Name: fmt.Sprint("Fiche ", i), Contact: &directory.Contact{Website: fmt.Sprintf("%s/%d", web.URL, i)}}
		if _, err := d.Put(t.Context(), "test", e); err != nil {
			t.Fatal(err)
		}
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	reached := make(chan struct{})
	hold := make(chan struct{})
	var asked int
	for i := range n {
		web.does(fmt.Sprintf("/%d", i), func(http.ResponseWriter, *http.Request) {
			web.mu.Lock()
			asked++
			tenth := asked == 10
			web.mu.Unlock()
			if tenth { // the node waits for this answer when it dies
				close(reached)
				<-hold
			}
		})
	}
	cmd := exec.Command(os.Args[0], "-test.run", "^TestChild$", "-test.v")
	cmd.Env = append(os.Environ(), childVar+"="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		for lines := bufio.NewScanner(out); lines.Scan(); {
		}
	}()
	select {
	case <-reached:
	case <-time.After(2 * time.Minute):
		t.Error("the node asked nobody")
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait() // it was killed
	close(hold)
	if store, err = sqlitestore.Open(t.Context(), dir); err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	if d, err = directory.Open(t.Context(), directory.Options{Store: store}); err != nil {
		t.Fatal(err)
	}
	s := New(Options{Directory: d, On: func() bool { return true }, Loopback: true, Wait: func(ctx context.Context, _ time.Duration) error { return ctx.Err() }})
	if _, err := s.Round(t.Context()); err != nil {
		t.Fatal(err)
	}
	web.mu.Lock()
	total := asked
	web.mu.Unlock()
	if total != n+1 {
		t.Errorf("%d links were asked %d times: one was in the air", n, total)
	}
	if list, err := store.Records(t.Context(), kindFine, "", 100); err != nil || len(list) != n {
		t.Errorf("%d of %d are noted, %v", len(list), n, err)
	}
	// Stopped, it ends at once.
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	New(Options{Directory: d, On: func() bool { return true }}).Run(ended)
}
