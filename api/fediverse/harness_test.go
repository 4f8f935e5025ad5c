package fediverse_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"mime/multipart"
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
	"archipel/api/fediverse"
	"archipel/directory"
	"archipel/directory/sqlitestore"
	"archipel/directory/taxonomy"
	"archipel/federation"
	"archipel/federation/fedtest"
	"archipel/federation/vocab"
	"archipel/geo"
	"archipel/geo/basemap"

	"github.com/paulmach/orb"
)

// noMail is a mail server that forgets.
type noMail struct{}

func (noMail) Real() bool                                   { return true }
func (noMail) Deliver(context.Context, *account.Mail) error { return nil }

// world is a whole server whose fediverse is served on loopback.
type world struct {
	t        *testing.T
	base     string // where other servers find it
	store    directory.Store
	d        *directory.Directory
	fed      *federation.Service
	accounts *account.Service
	server   *api.Server
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t}
	var err error
	if w.store, err = sqlitestore.Open(t.Context(), t.TempDir()); err != nil {
		t.Fatal(err)
	}
	index, relations, sources, owners, waiting, published := geo.NewIndex(), &directory.Relations{}, &directory.Sources{}, &api.Owners{}, &api.Waiting{}, &federation.Published{}
	w.d, err = directory.Open(t.Context(), directory.Options{Store: w.store, Views: []directory.View{index, relations, sources, owners, waiting, published}, Poll: 20 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w.base = "http://" + ln.Addr().String()
	quiet := slog.New(slog.NewTextHandler(io.Discard, nil))
	w.fed, err = federation.New(t.Context(), federation.Options{Directory: w.d, Published: published, PublicURL: w.base, Version: "test", Log: quiet,
		Site: func() federation.Site { return federation.Site{Name: "Archipel d’essai", Lang: "fr"} }})
	if err != nil {
		t.Fatal(err)
	}
	remote := httptest.NewUnstartedServer(w.fed)
	remote.Listener.Close()
	remote.Listener = ln
	remote.Start()
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { w.d.Run(ctx) })
	running.Go(func() { w.fed.Run(ctx) })
	t.Cleanup(func() {
		stop()
		remote.Close()
		running.Wait()
		w.store.Close()
	})
	site := func() account.Site { return account.Site{Name: "Archipel d’essai", Languages: []string{"fr", "en"}} }
	mailer := account.NewMailer(account.MailerOptions{Store: w.store, Transport: noMail{}, Site: site, Log: quiet})
	w.accounts, err = account.New(account.Options{Store: w.store, Mailer: mailer, Site: site, Address: "http://example.com", Log: quiet, Forget: api.Forget(w.d), Owned: api.Owned(w.d), Teams: owners.Keeps})
	if err != nil {
		t.Fatal(err)
	}
	w.server, err = api.New(api.Options{Directory: w.d, Index: index, Relations: relations, Sources: sources, Taxonomy: taxonomy.Default(), Basemap: basemap.NewStack(nil, basemap.Embedded()),
		Accounts: w.accounts, Owners: owners, Waiting: waiting, Site: api.DefaultSite, Version: "test", Log: quiet,
		Operators: fediverse.New(fediverse.Options{Directory: w.d, Federation: w.fed, Log: quiet})})
	if err != nil {
		t.Fatal(err)
	}
	w.server.SetReady(true)
	return w
}

// person is a browser with its cookies, and perhaps an account.
type person struct {
	*world
	cookies map[string]string
}

type answer struct {
	status   int
	location string
	header   http.Header
	body     string
}

func (w *world) visitor() *person { return &person{world: w, cookies: map[string]string{}} }

// somebody makes an account and signs it in.
func (w *world) somebody(role account.Role) *person {
	w.t.Helper()
	p := w.visitor()
	if role == account.Nobody {
		return p
	}
	a, link, err := w.accounts.Create(w.t.Context(), strings.ToLower(string(directory.NewID()))+"@people.example", "Camille", account.Member, "fr")
	if err != nil {
		w.t.Fatal(err)
	}
	if _, err := w.accounts.SetStanding(w.t.Context(), a.ID, account.Standing{Role: role}); err != nil {
		w.t.Fatal(err)
	}
	u, err := url.Parse(link)
	if err != nil {
		w.t.Fatal(err)
	}
	if got := p.form(u.RequestURI(), "/confirm", "token", u.Query().Get("token"), "password", "trois petits chats gris"); got.status != http.StatusSeeOther {
		w.t.Fatalf("cannot sign in: %d %s", got.status, got.body)
	}
	return p
}

func (p *person) do(method, path, body, contentType string) answer {
	p.t.Helper()
	req := httptest.NewRequest(method, path, strings.NewReader(body))
	req.Header.Set("Accept", "text/html")
	if body != "" {
		req.Header.Set("Content-Type", contentType)
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
	return answer{res.StatusCode, res.Header.Get("Location"), res.Header, string(b)}
}

func (p *person) get(path string) answer {
	p.t.Helper()
	return p.do(http.MethodGet, path, "", "")
}

// page is a page that must be there.
func (p *person) page(path string) string {
	p.t.Helper()
	a := p.get(path)
	if a.status != http.StatusOK {
		p.t.Fatalf("%s: %d %s", path, a.status, a.body)
	}
	return a.body
}

var csrfField = regexp.MustCompile(`name="csrf" value="([^"]*)"`)

func (p *person) csrf(page string) string {
	p.t.Helper()
	if m := csrfField.FindStringSubmatch(p.get(page).body); m != nil {
		return m[1]
	}
	return ""
}

// form sends a form with the token of the page on which it stands.
func (p *person) form(page, action string, pairs ...string) answer {
	p.t.Helper()
	v := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		v.Add(pairs[i], pairs[i+1])
	}
	if token := p.csrf(page); token != "" {
		v.Set("csrf", token)
	}
	return p.do(http.MethodPost, action, v.Encode(), "application/x-www-form-urlencoded")
}

// done sends a form of the overview that must succeed, and returns the page after it.
func (p *person) done(action string, pairs ...string) string {
	p.t.Helper()
	a := p.form("/admin/fediverse", action, pairs...)
	if a.status != http.StatusSeeOther {
		p.t.Fatalf("%s %q: %d %s", action, pairs, a.status, a.body)
	}
	return p.page(a.location)
}

// upload brings a list of blocks.
func (p *person) upload(name, file string) answer {
	p.t.Helper()
	var b bytes.Buffer
	form := multipart.NewWriter(&b)
	if err := form.WriteField("csrf", p.csrf("/admin/fediverse")); err != nil {
		p.t.Fatal(err)
	}
	f, err := form.CreateFormFile("file", name)
	if err == nil {
		_, err = io.WriteString(f, file)
	}
	if err != nil || form.Close() != nil {
		p.t.Fatal(err)
	}
	return p.do(http.MethodPost, "/admin/fediverse/blocks", b.String(), form.FormDataContentType())
}

func hostOf(p *fedtest.Peer) string { return vocab.Host(p.URL()) }

// place is a public entry; change makes it another.
func (w *world) place(change func(*directory.Entry)) directory.Entry {
	w.t.Helper()
	e := directory.Entry{Kind: directory.Place, Name: "La Fourmilière", Status: directory.Published, Lang: "fr", Sites: []orb.Point{{4.39, 45.43}}}
	if change != nil {
		change(&e)
	}
	outcomes, err := w.d.Write(w.t.Context(), directory.Write{Author: "test", Entries: []directory.Entry{e}})
	if err != nil || outcomes[0].Err != nil {
		w.t.Fatal(err, outcomes)
	}
	return outcomes[0].Entry
}

// sends brings an activity of a peer, and waits until it is done.
func (w *world) sends(p *fedtest.Peer, activity map[string]any) {
	w.t.Helper()
	if status := p.Post(w.base+"/ap/inbox", activity, nil); status != http.StatusAccepted {
		w.t.Fatalf("%s was answered with %d", activity["type"], status)
	}
	w.eventually("what came in to be done", func() bool {
		records, err := w.store.Records(w.t.Context(), "ap-inbox", "", 1)
		return err == nil && len(records) == 0
	})
}

func (w *world) eventually(what string, ok func() bool) {
	w.t.Helper()
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if ok() {
			return
		}
	}
	w.t.Fatalf("waited in vain: %s", what)
}
