package account_test

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"archipel/api"
	"archipel/api/account"
	"archipel/api/digest"
	"archipel/api/freshness"
	"archipel/api/signed"
	"archipel/directory"
	"archipel/directory/sqlitestore"
	"archipel/directory/subscribed"
	"archipel/directory/taxonomy"
	"archipel/geo"
	"archipel/geo/basemap"
)

// box is a mail server that keeps what it gets, and can be away.
type box struct {
	mu    sync.Mutex
	mails []account.Mail
	err   error
}

func (b *box) Real() bool { return true }

func (b *box) Deliver(_ context.Context, m *account.Mail) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.err == nil {
		b.mails = append(b.mails, *m)
	}
	return b.err
}

// world is a whole server, its store, its mailbox and its clock.
type world struct {
	t        *testing.T
	url      string
	store    directory.Store
	d        *directory.Directory
	accounts *account.Service
	mailer   *account.Mailer
	box      *box
	server   *api.Server
	site     account.Site

	mu    sync.Mutex
	ahead time.Duration
	log   strings.Builder
}

func (w *world) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return time.Now().Add(w.ahead)
}

// later lets time pass.
func (w *world) later(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ahead += d
}

func (w *world) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.log.Write(p)
}

func newWorld(t *testing.T, change ...func(*account.Options)) *world {
	t.Helper()
	w := &world{t: t, box: &box{}, site: account.Site{Name: "Archipel d’essai", Languages: []string{"fr", "en"}}}
	var err error
	if w.store, err = sqlitestore.Open(t.Context(), t.TempDir()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.store.Close() })
	words := taxonomy.Default()
	index, relations, sources := geo.NewIndex(), &directory.Relations{}, &directory.Sources{}
	w.d, err = directory.Open(t.Context(), directory.Options{Store: w.store, Views: []directory.View{index, relations, sources},
		Rules: func() directory.Rules { return directory.Rules{Category: words.Valid} }})
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w.url = "http://" + ln.Addr().String()
	site := func() account.Site { return w.site }
	log := slog.New(slog.NewTextHandler(w, nil))
	w.mailer = account.NewMailer(account.MailerOptions{Store: w.store, Transport: w.box, Site: site, Now: w.now, Log: log})
	o := account.Options{Store: w.store, Mailer: w.mailer, Site: site, PublicURL: w.url, Now: w.now, Log: log}
	o.Forget, o.Owned = api.Forget(w.d), api.Owned(w.d)
	for _, f := range change {
		f(&o)
	}
	if w.accounts, err = account.New(o); err != nil {
		t.Fatal(err)
	}
	keys := signed.New(w.store)
	asking := freshness.New(freshness.Options{Directory: w.d, Accounts: w.accounts, Keys: keys, Unseen: (&api.Waiting{}).Unseen, Now: w.now,
		Site: func() freshness.Settings { return freshness.Settings{Languages: w.site.Languages} }})
	digests := digest.New(digest.Options{Directory: w.d, Index: index, Taxonomy: words, Accounts: w.accounts, Keys: keys, Now: w.now,
		Site: func() digest.Site { return digest.Site{Languages: w.site.Languages, Zone: time.UTC} }})
	w.server, err = api.New(api.Options{Calendars: subscribed.New(subscribed.Options{Directory: w.d, Index: &subscribed.Index{}}), Freshness: asking, Digest: digests, Directory: w.d, Index: index, Relations: relations, Sources: sources, Taxonomy: words, Accounts: w.accounts, Waiting: &api.Waiting{},
		Basemap: basemap.NewStack(nil, basemap.Embedded()), Site: api.DefaultSite, Version: "test", PublicURL: o.PublicURL, Log: log, DataDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	w.server.SetReady(true)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- w.server.Serve(ctx, ln, time.Second) }()
	t.Cleanup(func() { stop(); <-ended })
	return w
}

// browser is somebody with a cookie jar.
type browser struct {
	w      *world
	client *http.Client
	header map[string]string
}

type page struct {
	status   int
	location string
	header   http.Header
	body     string
}

func (w *world) browser() *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		w.t.Fatal(err)
	}
	return &browser{w: w, header: map[string]string{}, client: &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

func (b *browser) do(method, path, body, contentType string) page {
	b.w.t.Helper()
	req, err := http.NewRequest(method, b.w.url+path, strings.NewReader(body))
	if err != nil {
		b.w.t.Fatal(err)
	}
	req.Header.Set("Accept", "text/html")
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	for k, v := range b.header {
		req.Header.Set(k, v)
	}
	res, err := b.client.Do(req)
	if err != nil {
		b.w.t.Fatal(err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		b.w.t.Fatal(err)
	}
	return page{res.StatusCode, res.Header.Get("Location"), res.Header, string(raw)}
}

func (b *browser) get(path string) page { b.w.t.Helper(); return b.do("GET", path, "", "") }

var csrfForm = regexp.MustCompile(`name="csrf" value="([^"]+)"`)

// csrf is the token of a page with a form.
func (b *browser) csrf(path string) string {
	b.w.t.Helper()
	m := csrfForm.FindStringSubmatch(b.get(path).body)
	if m == nil {
		b.w.t.Fatalf("%s has no form", path)
	}
	return m[1]
}

// post sends a form with a good token; fields are pairs.
func (b *browser) post(path string, fields ...string) page {
	b.w.t.Helper()
	from := "/account"
	if b.get(from).status != http.StatusOK {
		from = "/forgot"
	}
	return b.postRaw(path, append([]string{"csrf", b.csrf(from)}, fields...)...)
}

func (b *browser) postRaw(path string, fields ...string) page {
	b.w.t.Helper()
	form := url.Values{}
	for i := 0; i+1 < len(fields); i += 2 {
		form.Add(fields[i], fields[i+1])
	}
	return b.do("POST", path, form.Encode(), "application/x-www-form-urlencoded")
}

// session is the value of the session's cookie, empty without one.
func (b *browser) session() string {
	u, _ := url.Parse(b.w.url)
	for _, c := range b.client.Jar.Cookies(u) {
		if c.Name == "session" {
			return c.Value
		}
	}
	return ""
}

func (b *browser) setSession(value string) {
	u, _ := url.Parse(b.w.url)
	b.client.Jar.SetCookies(u, []*http.Cookie{{Name: "session", Value: value, Path: "/"}})
}

// mail delivers what waits and returns the newest mail to an address; nil when there is none.
func (w *world) mail(to string) *account.Mail {
	w.t.Helper()
	if err := w.mailer.Flush(context.Background()); err != nil {
		w.t.Fatal(err)
	}
	w.box.mu.Lock()
	defer w.box.mu.Unlock()
	for i := len(w.box.mails) - 1; i >= 0; i-- {
		if w.box.mails[i].To == to {
			m := w.box.mails[i]
			return &m
		}
	}
	return nil
}

func (w *world) mails(to string) int {
	w.mail(to)
	w.box.mu.Lock()
	defer w.box.mu.Unlock()
	n := 0
	for _, m := range w.box.mails {
		if m.To == to {
			n++
		}
	}
	return n
}

var tokenLink = regexp.MustCompile(`/confirm\?token=([A-Za-z0-9_-]+)`)

// token is the secret of the link in the newest mail to an address.
func (w *world) token(to string) string {
	w.t.Helper()
	m := w.mail(to)
	if m == nil {
		w.t.Fatalf("no mail to %s", to)
	}
	found := tokenLink.FindStringSubmatch(m.Text)
	if found == nil {
		w.t.Fatalf("no link in %q", m.Text)
	}
	return found[1]
}

const password = "quatre mots bien longs"

// person makes an account the short way and signs it in.
func (w *world) person(mail string, role account.Role) (*browser, *account.Account) {
	w.t.Helper()
	a, link, err := w.accounts.Create(context.Background(), mail, strings.Split(mail, "@")[0], role, "fr")
	if err != nil {
		w.t.Fatal(err)
	}
	b := w.browser()
	if got := b.post("/confirm", "token", strings.Split(link, "token=")[1], "password", password); got.status != http.StatusSeeOther {
		w.t.Fatalf("choosing a password: %d %s", got.status, got.body)
	}
	a, err = w.accounts.Get(context.Background(), a.ID)
	if err != nil {
		w.t.Fatal(err)
	}
	return b, a
}

func (p page) has(s string) bool { return strings.Contains(p.body, s) }
