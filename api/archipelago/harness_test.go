package archipelago_test

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"archipel/api"
	"archipel/api/account"
	"archipel/api/archipelago"
	"archipel/directory"
	"archipel/directory/sqlitestore"
	"archipel/directory/taxonomy"
	"archipel/federation"
	"archipel/federation/islands"
	"archipel/geo"
	"archipel/geo/basemap"

	"github.com/paulmach/orb"
)

// nobody is a mail server that throws away what it gets.
type nobody struct{}

func (nobody) Real() bool                                   { return true }
func (nobody) Deliver(context.Context, *account.Mail) error { return nil }

// world is a whole directory on loopback, with its pages.
type world struct {
	t        *testing.T
	host     string
	d        *directory.Directory
	store    directory.Store
	server   *api.Server
	accounts *account.Service
	islands  *islands.Service
	mirrors  *islands.Mirrors

	mu    sync.Mutex
	pages *archipelago.Service
	says  func(w http.ResponseWriter, r *http.Request) bool // instead of what it would answer to other directories
}

func (w *world) say(f func(http.ResponseWriter, *http.Request) bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.says = f
}

func newWorld(t *testing.T, name string) *world {
	t.Helper()
	w := &world{t: t, mirrors: &islands.Mirrors{}}
	var err error
	if w.store, err = sqlitestore.Open(context.Background(), t.TempDir()); err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w.host = ln.Addr().String()
	base := "http://" + w.host
	words := taxonomy.Default()
	index, relations, sources, published, waiting := geo.NewIndex(), &directory.Relations{}, &directory.Sources{}, &federation.Published{}, &api.Waiting{}
	w.d, err = directory.Open(context.Background(), directory.Options{Store: w.store, Views: []directory.View{index, relations, sources, published, waiting, w.mirrors}, Poll: 20 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	quiet := slog.New(slog.DiscardHandler)
	about := func() account.Site { return account.Site{Name: name, Languages: []string{"fr", "en"}} }
	mailer := account.NewMailer(account.MailerOptions{Store: w.store, Transport: nobody{}, Site: about, Log: quiet})
	if w.accounts, err = account.New(account.Options{Store: w.store, Mailer: mailer, Site: about, PublicURL: base, Log: quiet}); err != nil {
		t.Fatal(err)
	}
	network, err := federation.New(context.Background(), federation.Options{Directory: w.d, Published: published, PublicURL: base, Version: "test", Log: quiet,
		Site: func() federation.Site { return federation.Site{Name: name, Lang: "fr"} }})
	if err != nil {
		t.Fatal(err)
	}
	w.islands, err = islands.New(context.Background(), islands.Options{Network: network, Directory: w.d, Mirrors: w.mirrors, Taxonomy: words, PublicURL: base, Version: "test", Log: quiet, Look: 50 * time.Millisecond,
		Site: func() islands.Site { return islands.Site{Name: name, Languages: []string{"fr"}, Licence: "ODbL-1.0"} }})
	if err != nil {
		t.Fatal(err)
	}
	w.pages = archipelago.New(archipelago.Options{Islands: w.islands, Directory: w.d, Mirrors: w.mirrors, Taxonomy: words, Scheme: "http", Patience: 2 * time.Minute, Log: quiet})
	w.server, err = api.New(api.Options{Directory: w.d, Index: index, Relations: relations, Sources: sources, Taxonomy: words, Basemap: basemap.NewStack(nil, basemap.Embedded()), Accounts: w.accounts,
		Waiting: waiting, Site: api.DefaultSite, Version: "test", PublicURL: base, Log: quiet, Islands: w.pages})
	if err != nil {
		t.Fatal(err)
	}
	w.server.SetReady(true)
	other := httptest.NewUnstartedServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.mu.Lock()
		says := w.says
		w.mu.Unlock()
		if says == nil || !says(rw, r) {
			network.ServeHTTP(rw, r)
		}
	}))
	other.Listener.Close()
	other.Listener = ln
	other.Start()
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { w.d.Run(ctx) })
	wg.Go(func() { network.Run(ctx) })
	wg.Go(func() { w.islands.Run(ctx) })
	t.Cleanup(func() {
		cancel()
		other.CloseClientConnections()
		other.Close()
		wg.Wait()
		if err := w.store.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

// off lets the pages believe that the instance takes no part.
func (w *world) off() { w.pages.Islands = nil }

func (w *world) put(name string, categories ...string) directory.Entry {
	w.t.Helper()
	e, err := w.d.Put(context.Background(), "test", directory.Entry{Kind: directory.Place, Name: name, Lang: "fr", Status: directory.Published, Categories: categories, Sites: []orb.Point{{4.3, 45.4}}})
	if err != nil {
		w.t.Fatal(err)
	}
	return e
}

// entry is one as it stands, and waits until the pages have it so: the store has a write a moment before them.
func (w *world) entry(id directory.ID) directory.Entry {
	w.t.Helper()
	e, err := w.d.Entry(context.Background(), id)
	if err != nil {
		return directory.Entry{}
	}
	if err := w.d.Refresh(context.Background()); err != nil {
		w.t.Fatal(err)
	}
	return e
}

func (w *world) with(other *world) islands.Agreement {
	w.t.Helper()
	a, err := islands.With(context.Background(), w.store, other.host)
	if err != nil {
		w.t.Fatal(err)
	}
	return a
}

// nowhere is a server that never answers. A port that was free a moment ago may be somebody's by now; this one nobody is given.
const nowhere = "127.0.0.1:1"

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("waited in vain: %s", what)
}

// person is a browser with its cookies, and perhaps an account.
type person struct {
	*world
	cookies map[string]string
}

type answer struct {
	status   int
	location string
	body     string
}

// member makes an account and signs it in; who has no role is a visitor.
func (w *world) member(role account.Role) *person {
	w.t.Helper()
	p := &person{w, map[string]string{}}
	if role == account.Nobody {
		return p
	}
	_, link, err := w.accounts.Create(w.t.Context(), string(directory.NewID())+"@people.example", string(role), role, "fr")
	if err != nil {
		w.t.Fatal(err)
	}
	u, err := url.Parse(link)
	if err != nil {
		w.t.Fatal(err)
	}
	if got := p.form(u.RequestURI(), "/confirm", "token", u.Query().Get("token"), "password", "trois petits chats gris"); got.status != http.StatusSeeOther {
		w.t.Fatalf("%s cannot sign in: %d %s", role, got.status, got.body)
	}
	return p
}

func (p *person) do(method, path, body string) answer {
	p.t.Helper()
	req := httptest.NewRequest(method, path, strings.NewReader(body))
	req.Header.Set("Accept", "text/html")
	if body != "" {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for name, value := range p.cookies {
		req.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	res, err := p.server.Handler().Test(req, -1)
	if err != nil {
		p.t.Fatalf("%s %s: %v", method, path, err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	for _, c := range res.Cookies() {
		if p.cookies[c.Name] = c.Value; c.Value == "" {
			delete(p.cookies, c.Name)
		}
	}
	return answer{res.StatusCode, res.Header.Get("Location"), string(b)}
}

func (p *person) get(path string) answer {
	p.t.Helper()
	return p.do(http.MethodGet, path, "")
}

var hiddenField = regexp.MustCompile(`name="(csrf|asked)" value="([^"]*)"`)

// form sends a form with the hidden fields of a page, unless they are given.
func (p *person) form(page, action string, pairs ...string) answer {
	p.t.Helper()
	v := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		v.Add(pairs[i], pairs[i+1])
	}
	for _, m := range hiddenField.FindAllStringSubmatch(p.get(page).body, -1) {
		if !v.Has(m[1]) {
			v.Set(m[1], m[2])
		}
	}
	return p.do(http.MethodPost, action, v.Encode())
}

// send is form with the token of the person's own page.
func (p *person) send(action string, pairs ...string) answer {
	p.t.Helper()
	page := "/account"
	if p.get(page).status != http.StatusOK {
		page = "/signin"
	}
	return p.form(page, action, pairs...)
}
