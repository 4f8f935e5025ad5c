package belonging_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"archipel/api"
	"archipel/api/account"
	"archipel/directory"
	"archipel/directory/duplicates"
	"archipel/directory/media"
	"archipel/directory/sqlitestore"
	"archipel/directory/taxonomy"
	"archipel/geo"
	"archipel/geo/basemap"

	"github.com/paulmach/orb"
)

// box is a mail server that keeps what it gets.
type box struct {
	mu    sync.Mutex
	mails []account.Mail
}

func (b *box) Real() bool { return true }

func (b *box) Deliver(_ context.Context, m *account.Mail) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.mails = append(b.mails, *m)
	return nil
}

// world is a whole server with its store, its mailbox and a clock that can be set ahead.
type world struct {
	t        *testing.T
	d        *directory.Directory
	store    directory.Store
	server   *api.Server
	accounts *account.Service
	box      *box
	site     account.Site
	told     directory.Seq // up to where changes of teams were told

	mu      sync.Mutex
	ahead   time.Duration
	stopped time.Time
}

func (w *world) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.stopped.IsZero() {
		return w.stopped.Add(w.ahead)
	}
	return time.Now().Add(w.ahead)
}

// stop lets time pass by later alone: midnight does not come in between.
func (w *world) stop() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stopped = time.Now()
}

func (w *world) later(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ahead += d
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, box: &box{}, site: account.Site{Name: "Archipel d’essai", Languages: []string{"fr", "en"}}}
	var err error
	if w.store, err = sqlitestore.Open(t.Context(), t.TempDir()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.store.Close() })
	words := taxonomy.Default()
	index, relations, sources, alike, owners, waiting := geo.NewIndex(), &directory.Relations{}, &directory.Sources{}, &duplicates.Index{}, &api.Owners{}, &api.Waiting{}
	w.d, err = directory.Open(t.Context(), directory.Options{Store: w.store, Views: []directory.View{index, relations, sources, alike, owners, waiting}})
	if err != nil {
		t.Fatal(err)
	}
	quiet := slog.New(slog.NewTextHandler(io.Discard, nil))
	site := func() account.Site { return w.site }
	mailer := account.NewMailer(account.MailerOptions{Store: w.store, Transport: w.box, Site: site, Now: w.now, Log: quiet})
	w.accounts, err = account.New(account.Options{Store: w.store, Mailer: mailer, Site: site, Address: "http://example.com", Now: w.now, Log: quiet,
		Forget: api.Forget(w.d), Owned: api.Owned(w.d), Teams: owners.Keeps})
	if err != nil {
		t.Fatal(err)
	}
	pictures, err := media.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	w.server, err = api.New(api.Options{Directory: w.d, Index: index, Relations: relations, Sources: sources, Taxonomy: words, Basemap: basemap.NewStack(nil, basemap.Embedded()),
		Accounts: w.accounts, Duplicates: alike, Owners: owners, Waiting: waiting, Media: pictures, Site: api.DefaultSite, Version: "test", Log: quiet, Now: w.now})
	if err != nil {
		t.Fatal(err)
	}
	w.server.SetReady(true)
	return w
}

// person is a browser with its cookies, and perhaps an account.
type person struct {
	*world
	id, mail string
	cookies  map[string]string
}

type answer struct {
	status   int
	location string
	body     string
}

func (w *world) visitor() *person { return &person{world: w, cookies: map[string]string{}} }

// member makes an account and signs it in.
func (w *world) member(name string, role ...account.Role) *person {
	w.t.Helper()
	mail := directory.Slugify(name) + "@people.example"
	a, link, err := w.accounts.Create(w.t.Context(), mail, name, account.Member, "fr")
	if err != nil {
		w.t.Fatal(err)
	}
	if len(role) > 0 {
		if _, err := w.accounts.SetStanding(w.t.Context(), a.ID, account.Standing{Role: role[0]}); err != nil {
			w.t.Fatal(err)
		}
	}
	p := w.visitor()
	p.id, p.mail = a.ID, mail
	u, err := url.Parse(link)
	if err != nil {
		w.t.Fatal(err)
	}
	if got := p.form(u.RequestURI(), "/confirm", "token", u.Query().Get("token"), "password", "trois petits chats gris"); got.status != http.StatusSeeOther {
		w.t.Fatalf("%s cannot sign in: %d %s", name, got.status, got.body)
	}
	return p
}

func (p *person) do(method, path, body string, header ...string) answer {
	p.t.Helper()
	req := httptest.NewRequest(method, path, strings.NewReader(body))
	if body != "" {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
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

var csrfField = regexp.MustCompile(`name="csrf" value="([^"]*)"`)

// form sends a form with the token of the page on which it stands.
func (p *person) form(page, action string, pairs ...string) answer {
	p.t.Helper()
	v := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		v.Add(pairs[i], pairs[i+1])
	}
	if m := csrfField.FindStringSubmatch(p.get(page).body); m != nil {
		v.Set("csrf", m[1])
	}
	return p.do(http.MethodPost, action, v.Encode())
}

// place is a public entry; change makes it another.
func (w *world) place(name string, change ...func(*directory.Entry)) directory.Entry {
	w.t.Helper()
	e := directory.Entry{Kind: directory.Organisation, Name: name, Status: directory.Published, Lang: "fr", Sites: []orb.Point{{4.39, 45.43}},
		Contact: &directory.Contact{Email: "contact@fourmiliere.org", Website: "https://www.fourmiliere.org/accueil"}}
	for _, f := range change {
		f(&e)
	}
	outcomes, err := w.d.Write(w.t.Context(), directory.Write{Author: "test", Entries: []directory.Entry{e}})
	if err != nil || outcomes[0].Err != nil {
		w.t.Fatal(err, outcomes)
	}
	return outcomes[0].Entry
}

func ownedBy(owners ...*person) func(*directory.Entry) {
	return func(e *directory.Entry) {
		e.Private = &directory.Private{}
		for _, p := range owners {
			e.Private.Owners = append(e.Private.Owners, p.id)
		}
	}
}

func (w *world) entry(id directory.ID) directory.Entry {
	w.t.Helper()
	e, err := w.d.Entry(w.t.Context(), id)
	if err != nil {
		w.t.Fatal(err)
	}
	if e.Private == nil {
		e.Private = &directory.Private{}
	}
	return e
}

// mailsTo sends what waits, and takes the mails to an address out of the box.
func (w *world) mailsTo(to string) []account.Mail {
	w.t.Helper()
	changes, err := w.d.Changes(w.t.Context(), w.told, 1000)
	if err != nil {
		w.t.Fatal(err)
	}
	if len(changes) > 0 {
		if err := w.server.TeamMails().Consume(w.t.Context(), changes); err != nil {
			w.t.Fatal(err)
		}
		w.told = changes[len(changes)-1].Seq
	}
	if err := w.accounts.Mailer.Flush(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	w.box.mu.Lock()
	defer w.box.mu.Unlock()
	var found, rest []account.Mail
	for _, m := range w.box.mails {
		if m.To == to {
			found = append(found, m)
		} else {
			rest = append(rest, m)
		}
	}
	w.box.mails = rest
	return found
}

var mailLink = regexp.MustCompile(`http://example\.com(/\S*)`)

// linkTo is the link of the one mail to an address.
func (w *world) linkTo(to string) string {
	w.t.Helper()
	mails := w.mailsTo(to)
	if len(mails) != 1 {
		w.t.Fatalf("%d mails to %s, want one: %+v", len(mails), to, mails)
	}
	m := mailLink.FindStringSubmatch(mails[0].Text)
	if m == nil {
		w.t.Fatalf("no link in %s", mails[0].Text)
	}
	return m[1]
}

func token(link string) string {
	u, err := url.Parse(link)
	if err != nil {
		return ""
	}
	return u.Query().Get("token")
}

func itoa(n directory.Seq) string { return strconv.FormatInt(int64(n), 10) }
