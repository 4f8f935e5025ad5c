package digest_test

import (
	"context"
	"io"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"archipel/api"
	"archipel/api/account"
	"archipel/api/digest"
	"archipel/api/signed"
	"archipel/api/smtptest"
	"archipel/directory"
	"archipel/directory/sqlitestore"
	"archipel/directory/taxonomy"
	"archipel/geo"
	"archipel/geo/basemap"
	"archipel/geo/geocode"

	"github.com/paulmach/orb"
)

// clock is a time that the test moves.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) set(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = t
}

func (c *clock) later(d time.Duration) { c.set(c.Now().Add(d)) }

const day = 24 * time.Hour

// node is one program on a store; several may share it.
type node struct {
	t       testing.TB
	clock   *clock
	store   directory.Store
	d       *directory.Directory
	mailer  *account.Mailer
	service *digest.Service
	server  *api.Server
	cookie  string
	csrf    string
}

var gazetteer = sync.OnceValues(func() (*geocode.Gazetteer, error) { return geocode.NewGazetteer("FR") })

var paris = func() *time.Location {
	zone, err := time.LoadLocation("Europe/Paris")
	if err != nil {
		panic(err)
	}
	return zone
}()

func open(t testing.TB, store directory.Store, c *clock, smtp *smtptest.Server) *node {
	t.Helper()
	n := &node{t: t, clock: c, store: store}
	words := taxonomy.Default()
	index, relations, sources := geo.NewIndex(), &directory.Relations{}, &directory.Sources{}
	var err error
	n.d, err = directory.Open(context.Background(), directory.Options{Store: store, Views: []directory.View{index, relations, sources}, Now: c.Now,
		Rules: func() directory.Rules { return directory.Rules{Category: words.Valid} }})
	if err != nil {
		t.Fatal(err)
	}
	transport, err := account.NewSMTP(smtp.URL(), "Île d’essai <bonjour@example.org>")
	if err != nil {
		t.Fatal(err)
	}
	about := func() account.Site { return account.Site{Name: "Île d’essai", Languages: []string{"fr", "en"}} }
	n.mailer = account.NewMailer(account.MailerOptions{Store: store, Transport: transport, Site: about, Now: c.Now})
	accounts, err := account.New(account.Options{Store: store, Mailer: n.mailer, Site: about, PublicURL: "http://example.com", Now: c.Now})
	if err != nil {
		t.Fatal(err)
	}
	places, err := gazetteer()
	if err != nil {
		t.Fatal(err)
	}
	n.service = digest.New(digest.Options{Directory: n.d, Index: index, Taxonomy: words, Places: places, Accounts: accounts, Keys: signed.New(store), Now: c.Now,
		Site: func() digest.Site { return digest.Site{Languages: []string{"fr", "en"}, Zone: paris} }})
	n.server, err = api.New(api.Options{Directory: n.d, Index: index, Relations: relations, Sources: sources, Taxonomy: words, Accounts: accounts,
		Digest: n.service, Basemap: basemap.NewStack(nil, basemap.Embedded()), Site: api.DefaultSite, PublicURL: "http://example.com", Now: c.Now})
	if err != nil {
		t.Fatal(err)
	}
	n.server.SetReady(true)
	return n
}

// begin is one node on a fresh store, on a Friday. It is far ahead: the store forgets what expires by the clock of the machine.
func begin(t testing.TB) (*node, *smtptest.Server) {
	t.Helper()
	smtp := smtptest.Start(t)
	return open(t, openStore(t), &clock{now: time.Date(2055, 3, 12, 9, 0, 0, 0, paris)}, smtp), smtp
}

func openStore(t testing.TB) directory.Store {
	t.Helper()
	store, err := sqlitestore.Open(context.Background(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	return store
}

func (n *node) put(e directory.Entry) directory.Entry {
	n.t.Helper()
	e, err := n.d.Put(context.Background(), "test", e)
	if err != nil {
		n.t.Fatal(err)
	}
	return e
}

// pass sends what is due, and returns how many digests there were.
func (n *node) pass() int {
	n.t.Helper()
	mails, err := n.service.Pass(context.Background())
	if err != nil {
		n.t.Fatal(err)
	}
	n.flush()
	return mails
}

func (n *node) flush() {
	n.t.Helper()
	if err := n.mailer.Flush(context.Background()); err != nil {
		n.t.Fatal(err)
	}
}

type answer struct {
	code int
	body string
}

func (n *node) do(method, path string, form url.Values, header ...string) answer {
	n.t.Helper()
	req := httptest.NewRequest(method, strings.TrimPrefix(path, "http://example.com"), strings.NewReader(form.Encode()))
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := n.server.Handler().Test(req, -1)
	if err != nil {
		n.t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		n.t.Fatal(err)
	}
	if m := regexp.MustCompile(`name="csrf" value="([^"]+)"`).FindSubmatch(b); m != nil {
		n.csrf = string(m[1])
	}
	for _, c := range res.Cookies() {
		n.cookie = c.Name + "=" + c.Value
	}
	return answer{res.StatusCode, string(b)}
}

// ask fills in the form.
func (n *node) ask(form url.Values) answer {
	n.t.Helper()
	n.do("GET", "/digest", nil)
	form.Set("csrf", n.csrf)
	return n.do("POST", "/digest", form, "Cookie", n.cookie)
}

func choice(mail string) url.Values {
	return url.Values{"mail": {mail}, "place": {"Feurs"}, "of": {"Feurs"}, "near": {"4.226,45.741"}, "km": {"20"}, "every": {"weekly"}}
}

var anyLink = regexp.MustCompile(`http://example\.com/mail/digest\?t=\S+`)

// subscribe asks and confirms.
func (n *node) subscribe(smtp *smtptest.Server, form url.Values) (confirm string) {
	n.t.Helper()
	if a := n.ask(form); a.code != 200 {
		n.t.Fatalf("asking: %d %s", a.code, a.body)
	}
	n.flush()
	all := smtp.Mails()
	m := all[len(all)-1]
	if m.To != form.Get("mail") {
		n.t.Fatalf("the last mail went to %s", m.To)
	}
	confirm = anyLink.FindString(m.Text)
	if a := n.do("POST", confirm, nil); a.code != 200 {
		n.t.Fatalf("confirming: %d %s", a.code, a.body)
	}
	return confirm
}

func place(name string, lon, lat float64) directory.Entry {
	return directory.Entry{Kind: directory.Place, Name: name, Sites: []orb.Point{{lon, lat}}, Address: &directory.Address{Locality: "Feurs"}}
}

func (n *node) subscriptions() int {
	n.t.Helper()
	list, err := n.store.Records(context.Background(), "digest", "", 1000)
	if err != nil {
		n.t.Fatal(err)
	}
	return len(list)
}

func last(smtp *smtptest.Server) smtptest.Mail { all := smtp.Mails(); return all[len(all)-1] }
