package freshness_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"archipel/api"
	"archipel/api/account"
	"archipel/api/freshness"
	"archipel/api/signed"
	"archipel/api/smtptest"
	"archipel/directory"
	"archipel/directory/sqlitestore"
	"archipel/directory/taxonomy"
	"archipel/geo"
	"archipel/geo/basemap"

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

func (c *clock) later(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

const day = 24 * time.Hour

// node is one program on a store; several may share it.
type node struct {
	t        *testing.T
	clock    *clock
	store    directory.Store
	d        *directory.Directory
	accounts *account.Service
	mailer   *account.Mailer
	waiting  *api.Waiting
	service  *freshness.Service
	server   *api.Server
	ask      int
}

// open makes a node on a store, with a mail server.
func open(t *testing.T, store directory.Store, c *clock, smtp *smtptest.Server) *node {
	t.Helper()
	n := &node{t: t, clock: c, store: store, waiting: &api.Waiting{}, ask: 12}
	words := taxonomy.Default()
	index, relations, sources := geo.NewIndex(), &directory.Relations{}, &directory.Sources{}
	var err error
	n.d, err = directory.Open(t.Context(), directory.Options{Store: store, Views: []directory.View{index, relations, sources, n.waiting}, Now: c.Now,
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
	n.accounts, err = account.New(account.Options{Store: store, Mailer: n.mailer, Site: about, PublicURL: "http://example.com", Now: c.Now})
	if err != nil {
		t.Fatal(err)
	}
	n.service = freshness.New(freshness.Options{Directory: n.d, Accounts: n.accounts, Keys: signed.New(store), Unseen: n.waiting.Unseen, Now: c.Now,
		Site: func() freshness.Settings { return freshness.Settings{Ask: n.ask, Languages: []string{"fr", "en"}} }})
	n.server, err = api.New(api.Options{Directory: n.d, Index: index, Relations: relations, Sources: sources, Taxonomy: words, Accounts: n.accounts, Waiting: n.waiting,
		Freshness: n.service, Basemap: basemap.NewStack(nil, basemap.Embedded()), Site: api.DefaultSite, PublicURL: "http://example.com", Now: c.Now})
	if err != nil {
		t.Fatal(err)
	}
	n.server.SetReady(true)
	return n
}

// begin is one node on a fresh store. It is far ahead: the store forgets what expires by the clock of the machine.
func begin(t *testing.T) (*node, *smtptest.Server) {
	t.Helper()
	smtp := smtptest.Start(t)
	return open(t, openStore(t), &clock{now: time.Date(2055, 3, 12, 9, 0, 0, 0, time.UTC)}, smtp), smtp
}

func openStore(t *testing.T) directory.Store {
	t.Helper()
	store, err := sqlitestore.Open(t.Context(), t.TempDir())
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

func (n *node) entry(id directory.ID) directory.Entry {
	n.t.Helper()
	e, err := n.d.Entry(context.Background(), id)
	if err != nil {
		n.t.Fatal(err)
	}
	return e
}

// pass asks once, and sends what waits.
func (n *node) pass() int {
	n.t.Helper()
	letters, err := n.service.Pass(context.Background())
	if err != nil {
		n.t.Fatal(err)
	}
	if err := n.mailer.Flush(context.Background()); err != nil {
		n.t.Fatal(err)
	}
	return letters
}

// person makes an account.
func (n *node) person(mail string) *account.Account {
	n.t.Helper()
	a, _, err := n.accounts.Create(context.Background(), mail, "Anna", account.Member, "en")
	if err != nil {
		n.t.Fatal(err)
	}
	return a
}

type answer struct {
	code     int
	body     string
	location string
	header   http.Header
}

func (n *node) do(method, path, body string) answer {
	n.t.Helper()
	req := httptest.NewRequest(method, strings.TrimPrefix(path, "http://example.com"), strings.NewReader(body))
	if body != "" {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
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
	return answer{res.StatusCode, string(b), res.Header.Get("Location"), res.Header}
}

var letterLink = regexp.MustCompile(`(?m)^http://example\.com/mail/fresh\?t=\S+$`)

// links are the answers that a letter offers, three of each entry.
func links(t *testing.T, m smtptest.Mail) []string {
	t.Helper()
	all := letterLink.FindAllString(m.Text, -1)
	if len(all) == 0 || len(all)%3 != 0 {
		t.Fatalf("%d links in the letter:\n%s", len(all), m.Text)
	}
	return all
}

func place(name, mail string, owners ...string) directory.Entry {
	e := directory.Entry{Kind: directory.Place, Name: name, Sites: []orb.Point{{4.39, 45.43}}, Address: &directory.Address{Street: "3 rue du Lavoir", Locality: "Feurs"}}
	if mail != "" {
		e.Contact = &directory.Contact{Email: mail, Phone: "+33 4 77 00 00 00"}
	}
	if len(owners) > 0 {
		e.Private = &directory.Private{Owners: owners}
	}
	return e
}
