package echoes_test

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
	"archipel/api/echoes"
	"archipel/directory"
	"archipel/directory/duplicates"
	"archipel/directory/media"
	"archipel/directory/mongostore"
	"archipel/directory/mongostore/mongotest"
	"archipel/directory/sqlitestore"
	"archipel/directory/taxonomy"
	"archipel/federation"
	"archipel/federation/fedtest"
	"archipel/geo"
	"archipel/geo/basemap"

	"github.com/paulmach/orb"
)

const public = "https://www.w3.org/ns/activitystreams#Public"

// world is a whole server that takes part in the fediverse, on loopback.
type world struct {
	t        *testing.T
	base     string // of what other servers see
	d        *directory.Directory
	store    directory.Store
	f        *federation.Service
	server   *api.Server
	accounts *account.Service
}

// onBothStores runs a test on the embedded store, and on MongoDB where there is one.
func onBothStores(t *testing.T, test func(t *testing.T, w *world)) {
	t.Run("sqlite", func(t *testing.T) {
		store, err := sqlitestore.Open(t.Context(), t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		test(t, newWorld(t, store))
	})
	t.Run("mongo", func(t *testing.T) {
		store, err := mongostore.Open(t.Context(), mongotest.Fresh(t))
		if err != nil {
			t.Fatal(err)
		}
		test(t, newWorld(t, store))
	})
}

func newWorld(t *testing.T, store directory.Store) *world {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, store: store, base: "http://" + ln.Addr().String()}
	words, published := taxonomy.Default(), &federation.Published{}
	index, relations, sources, alike, owners, waiting := geo.NewIndex(), &directory.Relations{}, &directory.Sources{}, &duplicates.Index{}, &api.Owners{}, &api.Waiting{}
	w.d, err = directory.Open(t.Context(), directory.Options{Store: store, Views: []directory.View{index, relations, sources, alike, owners, waiting, published}, Poll: 20 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	quiet := slog.New(slog.NewTextHandler(io.Discard, nil))
	w.f, err = federation.New(t.Context(), federation.Options{Directory: w.d, Published: published, PublicURL: w.base, Version: "test", Log: quiet,
		Site: func() federation.Site { return federation.Site{Name: "Archipel d’essai", Lang: "fr"} }})
	if err != nil {
		t.Fatal(err)
	}
	site := func() account.Site { return account.Site{Name: "Archipel d’essai", Languages: []string{"fr", "en"}} }
	mailer := account.NewMailer(account.MailerOptions{Store: store, Transport: &account.Folder{Dir: t.TempDir(), Log: quiet}, Site: site, Log: quiet})
	w.accounts, err = account.New(account.Options{Store: store, Mailer: mailer, Site: site, Address: "http://example.com", Log: quiet, Teams: owners.Keeps})
	if err != nil {
		t.Fatal(err)
	}
	w.accounts.Under = words.Under
	pictures, err := media.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	w.server, err = api.New(api.Options{Directory: w.d, Index: index, Relations: relations, Sources: sources, Taxonomy: words, Basemap: basemap.NewStack(nil, basemap.Embedded()),
		Accounts: w.accounts, Duplicates: alike, Owners: owners, Waiting: waiting, Media: pictures, Site: api.DefaultSite, Version: "test", Log: quiet, Now: time.Now,
		Fediverse: w.f, Echoes: echoes.New(echoes.Options{Directory: w.d, Federation: w.f})})
	if err != nil {
		t.Fatal(err)
	}
	w.server.SetReady(true)
	outside := httptest.NewUnstartedServer(w.f)
	outside.Listener.Close()
	outside.Listener = ln
	outside.Start()
	ctx, stop := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { w.d.Run(ctx) })
	wg.Go(func() { w.f.Run(ctx) })
	t.Cleanup(func() {
		stop()
		outside.Close()
		wg.Wait()
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

// person is a browser with its cookies, and perhaps an account.
type person struct {
	*world
	id      string
	cookies map[string]string
}

type answer struct {
	status   int
	location string
	header   http.Header
	body     string
}

func (w *world) visitor() *person { return &person{world: w, cookies: map[string]string{}} }

// member makes an account and signs it in.
func (w *world) member(name string, standing ...account.Standing) *person {
	w.t.Helper()
	a, link, err := w.accounts.Create(w.t.Context(), directory.Slugify(name)+"@people.example", name, account.Member, "fr")
	if err != nil {
		w.t.Fatal(err)
	}
	for _, to := range standing {
		if _, err := w.accounts.SetStanding(w.t.Context(), a.ID, to); err != nil {
			w.t.Fatal(err)
		}
	}
	p := w.visitor()
	p.id = a.ID
	u, err := url.Parse(link)
	if err != nil {
		w.t.Fatal(err)
	}
	if got := p.form(u.RequestURI(), "/confirm", "token", u.Query().Get("token"), "password", "trois petits chats gris"); got.status != http.StatusSeeOther {
		w.t.Fatalf("%s cannot sign in: %d %s", name, got.status, got.body)
	}
	return p
}

func (p *person) do(method, path, body string) answer {
	p.t.Helper()
	req := httptest.NewRequest(method, path, strings.NewReader(body))
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
	return answer{res.StatusCode, res.Header.Get("Location"), res.Header, string(b)}
}

func (p *person) get(path string) answer {
	p.t.Helper()
	return p.do(http.MethodGet, path, "")
}

var csrfField = regexp.MustCompile(`name="csrf" value="([^"]*)"`)

// form sends a form with the token of a page.
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

func (w *world) write(op directory.Op, list ...directory.Entry) []directory.Entry {
	w.t.Helper()
	outcomes, err := w.d.Write(w.t.Context(), directory.Write{Author: "test", Op: op, Entries: list})
	if err != nil {
		w.t.Fatal(err)
	}
	var out []directory.Entry
	for _, o := range outcomes {
		if o.Err != nil {
			w.t.Fatal(o.Err)
		}
		out = append(out, o.Entry)
	}
	return out
}

// organisation has an open account, and what its team wants; owner keeps it.
func (w *world) organisation(owner *person, change ...func(*directory.Fediverse)) directory.Entry {
	w.t.Helper()
	since := time.Now().Add(-time.Hour)
	e := w.write(directory.OpCreate, directory.Entry{Kind: directory.Organisation, Name: "La Fourmilière", Status: directory.Published, Lang: "fr", Created: since,
		Sites: []orb.Point{{4.39, 45.43}}, Private: &directory.Private{Owners: []string{owner.id}}})[0]
	e.Claimed = since
	e.Fediverse = &directory.Fediverse{Handle: "la-fourmiliere", Since: since, Replies: true, Joins: true}
	for _, f := range change {
		f(e.Fediverse)
	}
	return w.write(directory.OpTeam, e)[0]
}

// event is one to come; in the name of an organisation, unless that is empty.
func (w *world) event(name string, org directory.ID, change ...func(*directory.Entry)) directory.Entry {
	w.t.Helper()
	start := time.Now().Add(48 * time.Hour).Truncate(time.Second)
	e := directory.Entry{Kind: directory.Event, Name: name, Status: directory.Published, Lang: "fr", Sites: []orb.Point{{4.39, 45.43}}, Categories: []string{"amap"},
		Event: &directory.Schedule{Start: start, End: start.Add(2 * time.Hour)}}
	if org != "" {
		e.Private = &directory.Private{Team: org}
	}
	for _, f := range change {
		f(&e)
	}
	return w.write(directory.OpCreate, e)[0]
}

func (w *world) object(e directory.Entry) string { return w.base + "/id/" + string(e.ID) }

// says lets a peer write a note under an entry; change makes it another.
func (w *world) says(p *fedtest.Peer, kind, id string, e directory.Entry, html string, change ...func(note map[string]any)) {
	w.t.Helper()
	note := map[string]any{"id": p.URL() + "/notes/" + id, "type": "Note", "attributedTo": p.ID(), "inReplyTo": w.object(e), "content": html, "to": public, "published": "2026-01-02T03:04:05Z"}
	for _, f := range change {
		f(note)
	}
	w.posts(p, p.Activity(kind, note))
}

// posts sends an activity and waits until it is done.
func (w *world) posts(p *fedtest.Peer, doc map[string]any) {
	w.t.Helper()
	if got := p.Post(w.base+"/ap/inbox", doc, nil); got != http.StatusAccepted {
		w.t.Fatalf("%v is answered with %d", doc["type"], got)
	}
	w.eventually("the inbox to be empty", func() bool {
		records, err := w.store.Records(w.t.Context(), "ap-inbox", "", 1)
		return err == nil && len(records) == 0
	})
}

func (w *world) eventually(what string, ok func() bool) {
	w.t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if ok() {
			return
		}
	}
	w.t.Fatalf("waited in vain: %s", what)
}

// replies are what the service has under an entry.
func (w *world) replies(e directory.Entry) []federation.Reply {
	w.t.Helper()
	list, err := w.f.RepliesOf(w.t.Context(), e.ID)
	if err != nil {
		w.t.Fatal(err)
	}
	return list
}
