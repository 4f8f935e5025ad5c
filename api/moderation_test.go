package api_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"archipel/api"
	"archipel/api/account"
	"archipel/directory"
	"archipel/directory/taxonomy"
	"archipel/geo"
	"archipel/geo/basemap"
)

// town is a directory with people: whoever may sign in, and a letter box that holds every mail.
type town struct {
	*site
	accounts *account.Service
	mailer   *account.Mailer
	box      *letterBox
	waiting  *api.Waiting
	clock    func() time.Time

	had string // a category that the directory takes, and its pages do not know
}

// letterBox is a mail server that keeps what it takes.
type letterBox struct {
	mu    sync.Mutex
	mails []account.Mail
}

func (b *letterBox) Deliver(_ context.Context, m *account.Mail) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.mails = append(b.mails, *m)
	return nil
}

func (b *letterBox) Real() bool { return true }

// to lists what somebody received, after everything that waits was sent.
func (tn *town) to(mail string) (got []account.Mail) {
	tn.t.Helper()
	if err := tn.mailer.Flush(context.Background()); err != nil {
		tn.t.Fatal(err)
	}
	tn.box.mu.Lock()
	defer tn.box.mu.Unlock()
	for _, m := range tn.box.mails {
		if m.To == mail {
			got = append(got, m)
		}
	}
	return got
}

func openTown(t *testing.T) *town {
	t.Helper()
	store := openStore(t, t.TempDir())
	words := taxonomy.Default()
	reads := &readsStore{Store: store}
	tn := &town{box: &letterBox{}, waiting: &api.Waiting{}, clock: func() time.Time { return now }}
	index, relations, sources := geo.NewIndex(), &directory.Relations{}, &directory.Sources{}
	d, err := directory.Open(t.Context(), directory.Options{
		Store: reads, Views: []directory.View{index, relations, sources, tn.waiting}, Now: func() time.Time { return tn.clock() },
		Rules: func() directory.Rules {
			return directory.Rules{Category: func(id string) bool { return id == tn.had || words.Valid(id) }}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	about := func() account.Site { return account.Site{Name: "Archipel", Languages: []string{"fr", "en"}} }
	tn.mailer = account.NewMailer(account.MailerOptions{Store: store, Transport: tn.box, Site: about, Now: func() time.Time { return tn.clock() }})
	tn.accounts, err = account.New(account.Options{Store: store, Mailer: tn.mailer, Site: about, PublicURL: "http://example.com", Now: func() time.Time { return tn.clock() }})
	if err != nil {
		t.Fatal(err)
	}
	server, err := api.New(api.Options{
		Directory: d, Index: index, Relations: relations, Sources: sources, Taxonomy: words, Basemap: basemap.NewStack(nil, basemap.Embedded()),
		Site: api.DefaultSite, PublicURL: "http://example.com", Version: "test", Now: func() time.Time { return tn.clock() }, Accounts: tn.accounts, Waiting: tn.waiting,
	})
	if err != nil {
		t.Fatal(err)
	}
	server.SetReady(true)
	tn.site = &site{t: t, d: d, store: store, reads: reads, server: server, index: index}
	return tn
}

// tellDecisions drives the follower that writes to authors, over the whole log.
func (tn *town) tellDecisions() {
	tn.t.Helper()
	changes, err := tn.d.Changes(context.Background(), 0, 1000)
	if err != nil {
		tn.t.Fatal(err)
	}
	if err := tn.server.Decisions("http://example.com").Consume(context.Background(), changes); err != nil {
		tn.t.Fatal(err)
	}
}

// person is a visitor with cookies, signed in or not.
type person struct {
	tn      *town
	id      string
	cookies map[string]string
}

func (tn *town) visitor() *person { return &person{tn: tn, cookies: map[string]string{}} }

// somebody has an account with a role and is signed in.
func (tn *town) somebody(name string, role account.Role, lang string) *person {
	tn.t.Helper()
	a, link, err := tn.accounts.Create(context.Background(), name+"@example.org", name, role, lang)
	if err != nil {
		tn.t.Fatal(err)
	}
	u, err := url.Parse(link)
	if err != nil {
		tn.t.Fatal(err)
	}
	p := tn.visitor()
	p.id = a.ID
	if got := p.post(u.RequestURI(), "/confirm", url.Values{"token": {u.Query().Get("token")}, "password": {"sept nains et demi"}}); got.StatusCode != http.StatusSeeOther {
		tn.t.Fatalf("%s cannot sign in: %d %s", name, got.StatusCode, got.body)
	}
	return p
}

func (p *person) do(method, path string, form url.Values, header ...string) answer {
	p.tn.t.Helper()
	req := httptest.NewRequest(method, path, strings.NewReader(form.Encode()))
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	req.Header.Set("Accept", "text/html")
	req.Header.Set("Accept-Language", "fr")
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	for name, value := range p.cookies {
		req.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	res, err := p.tn.server.Handler().Test(req, -1)
	if err != nil {
		p.tn.t.Fatalf("%s %s: %v", method, path, err)
	}
	defer res.Body.Close()
	for _, c := range res.Cookies() {
		p.cookies[c.Name] = c.Value
	}
	b, err := io.ReadAll(res.Body)
	if err != nil {
		p.tn.t.Fatal(err)
	}
	return answer{res, string(b)}
}

func (p *person) get(path string) answer { return p.do(http.MethodGet, path, nil) }

var csrfInForm = regexp.MustCompile(`name="csrf" value="([^"]+)"`)

// post sends a form that a page shows.
func (p *person) post(page, action string, form url.Values) answer {
	p.tn.t.Helper()
	m := csrfInForm.FindStringSubmatch(p.get(page).body)
	if m == nil {
		p.tn.t.Fatalf("no form on %s", page)
	}
	form.Set("csrf", m[1])
	return p.do(http.MethodPost, action, form)
}

// sends an entry that waits, as somebody who is not trusted does.
func (p *person) sends(e directory.Entry) directory.Entry {
	p.tn.t.Helper()
	e.Status = directory.Pending
	author := "visitor"
	if p.id != "" {
		author = account.AuthorPrefix + p.id
		e.Private = &directory.Private{Owners: []string{p.id}}
	}
	got, err := p.tn.d.Put(context.Background(), author, e)
	if err != nil {
		p.tn.t.Fatal(err)
	}
	return got
}

func (tn *town) entry(id directory.ID) directory.Entry {
	tn.t.Helper()
	e, err := tn.d.Entry(context.Background(), id)
	if err != nil {
		tn.t.Fatal(err)
	}
	return e
}

func decision(e directory.Entry, what, reason string) url.Values {
	return url.Values{"version": {seq(e.Version)}, "decision": {what}, "reason": {reason}}
}

func TestQueueApprovesAsksAndRefuses(t *testing.T) {
	tn := openTown(t)
	ana, mod := tn.somebody("ana", account.Member, "en"), tn.somebody("mod", account.Moderator, "fr")
	fresh := ana.sends(place("Le Nouveau", "Lyon", 4.84, 45.76, "coworking"))

	page := mod.get("/moderate")
	for _, want := range []string{"Le Nouveau", "nouvelle fiche", "par ana", "4.84", `value="approve"`} {
		if !strings.Contains(page.body, want) {
			t.Errorf("the queue does not say %q", want)
		}
	}
	if got := tn.get("/e/" + fresh.Slug); got.StatusCode != http.StatusNotFound {
		t.Errorf("a waiting entry is public: %d", got.StatusCode)
	}

	// A question without words is none.
	if got := mod.post("/moderate", "/moderate/entries/"+string(fresh.ID), decision(fresh, "ask", " ")); got.StatusCode != http.StatusBadRequest || !strings.Contains(got.body, "il manque une raison") {
		t.Errorf("a question without words: %d", got.StatusCode)
	}
	if got := mod.post("/moderate", "/moderate/entries/"+string(fresh.ID), decision(fresh, "ask", "À quelle <b>heure</b> ?")); got.StatusCode != http.StatusSeeOther {
		t.Fatalf("asking: %d %s", got.StatusCode, got.body)
	}
	asked := tn.entry(fresh.ID)
	if asked.Status != directory.Pending || asked.Version == fresh.Version {
		t.Errorf("a question left %s at version %d", asked.Status, asked.Version)
	}
	if body := mod.get("/moderate").body; !strings.Contains(body, "sans réponse") || !strings.Contains(body, "À quelle &lt;b&gt;heure") {
		t.Error("the question is not shown")
	}
	// The moderator who still has the old page decides nothing.
	if got := mod.post("/moderate", "/moderate/entries/"+string(fresh.ID), decision(fresh, "approve", "")); got.StatusCode != http.StatusConflict {
		t.Errorf("an old page decided: %d", got.StatusCode)
	}
	asked.Summary = "Ouvert dès neuf heures."
	answered, err := tn.d.Put(t.Context(), account.AuthorPrefix+ana.id, asked)
	if err != nil {
		t.Fatal(err)
	}
	if body := mod.get("/moderate").body; !strings.Contains(body, "la fiche a changé depuis") {
		t.Error("the answer is not noticed")
	}
	if got := mod.post("/moderate", "/moderate/entries/"+string(fresh.ID), decision(answered, "approve", "Bienvenue")); got.StatusCode != http.StatusSeeOther {
		t.Fatalf("approving: %d %s", got.StatusCode, got.body)
	} else if body := mod.get(got.Header.Get("Location")).body; !strings.Contains(body, "« Le Nouveau » est publié") || strings.Contains(body, `class="queue-item"`) {
		t.Error("what was decided is not said")
	}
	if got := tn.get("/e/" + fresh.Slug); got.StatusCode != http.StatusOK {
		t.Errorf("approved, and not public: %d", got.StatusCode)
	}
	log, err := tn.d.History(t.Context(), fresh.ID, 0, 1)
	if err != nil || log[0].Author != account.AuthorPrefix+mod.id || log[0].Note != "Bienvenue" {
		t.Errorf("the log says %+v %v", log, err)
	}

	// A change of hers, refused: the entry goes on as it was.
	changed := tn.entry(fresh.ID)
	changed.Name = "Le Nouveau Tout Neuf"
	changed = ana.sends(changed)
	if body := mod.get("/moderate?show=changed").body; !strings.Contains(body, "<ins>") || !strings.Contains(body, "Tout Neuf") || strings.Contains(body, "<dt>Carte") {
		t.Error("the difference with what was published is not shown")
	}
	if got := mod.post("/moderate", "/moderate/entries/"+string(fresh.ID), decision(changed, "refuse", "Trop neuf\r\nBcc: x@example.net")); got.StatusCode != http.StatusSeeOther {
		t.Fatalf("refusing: %d %s", got.StatusCode, got.body)
	}
	if e := tn.entry(fresh.ID); e.Name != "Le Nouveau" || !e.Public() {
		t.Errorf("a refused change left %q %s", e.Name, e.Status)
	}

	before := len(tn.to("ana@example.org")) // what accounts wrote
	tn.tellDecisions()
	tn.tellDecisions() // a crash makes it read the log again
	mails := tn.to("ana@example.org")[before:]
	if len(mails) != 3 {
		t.Fatalf("%d mails, want one for each decision", len(mails))
	}
	for _, want := range []struct{ subject, text string }{{"A question about", "À quelle <b>heure</b> ?"}, {"is published", "Bienvenue"}, {"is not published", "Trop neuf"}} {
		if !slices.ContainsFunc(mails, func(m account.Mail) bool {
			return strings.Contains(m.Subject, want.subject) && strings.Contains(m.Text, want.text) && !strings.ContainsAny(m.Subject, "\r\n") && !strings.Contains(m.HTML, "<b>heure")
		}) {
			t.Errorf("no mail says %q and %q: %+v", want.subject, want.text, mails)
		}
	}
}

func TestQueueRefusesWhatVisitorsSend(t *testing.T) {
	tn := openTown(t)
	mod := tn.somebody("mod", account.Moderator, "fr")
	e := place("Casino <script>alert(1)</script>", "Lyon", 4.84, 45.76)
	e.Lang, e.Private = "en", &directory.Private{Email: "who@example.net", Note: "mine \"><img src=x>"}
	e = tn.visitor().sends(e)
	body := mod.get("/moderate").body
	if strings.Contains(body, "<script>alert") || strings.Contains(body, "<img src=x>") || !strings.Contains(body, "who@example.net") {
		t.Error("hostile text is not kept harmless, or the sender is not named")
	}
	if got := mod.post("/moderate", "/moderate/entries/"+string(e.ID), decision(e, "refuse", "Off topic")); got.StatusCode != http.StatusSeeOther {
		t.Fatalf("refusing: %d", got.StatusCode)
	}
	if tn.entry(e.ID).Status != directory.Removed {
		t.Error("a refused entry is still there")
	}
	tn.tellDecisions()
	if mails := tn.to("who@example.net"); len(mails) != 1 || mails[0].Lang != "en" || !strings.Contains(mails[0].Text, "Off topic") {
		t.Errorf("mails: %+v", mails)
	}
}

// TestQueueDoors lets every role knock: only who moderates comes in, and a ward opens its own entries only.
func TestQueueDoors(t *testing.T) {
	tn := openTown(t)
	ana := tn.somebody("ana", account.Member, "fr")
	warden := tn.somebody("warden", account.Member, "fr")
	if _, err := tn.accounts.SetStanding(t.Context(), warden.id, account.Standing{Role: account.Member, Wards: []account.Ward{{Category: "coworking"}}}); err != nil {
		t.Fatal(err)
	}
	hers, other := ana.sends(place("Dans le rayon", "Lyon", 4.84, 45.76, "coworking")), ana.sends(place("Hors du rayon", "Lyon", 4.85, 45.77, "energie"))
	for _, c := range []struct {
		name string
		who  *person
		want int
	}{
		{"nobody", tn.visitor(), http.StatusSeeOther}, {"a member", ana, http.StatusForbidden}, {"a warden", warden, http.StatusOK},
		{"a moderator", tn.somebody("mod", account.Moderator, "fr"), http.StatusOK}, {"an administrator", tn.somebody("boss", account.Admin, "fr"), http.StatusOK},
	} {
		if got := c.who.get("/moderate"); got.StatusCode != c.want {
			t.Errorf("%s reads the queue: %d, want %d", c.name, got.StatusCode, c.want)
		}
		if got := c.who.do(http.MethodPost, "/moderate/entries/"+string(hers.ID), decision(hers, "approve", "")); got.StatusCode != http.StatusForbidden {
			t.Errorf("%s decides without the token of a form: %d", c.name, got.StatusCode)
		}
	}
	body := warden.get("/moderate").body
	if !strings.Contains(body, "Dans le rayon") || strings.Contains(body, "Hors du rayon") {
		t.Error("a warden sees another part than the own")
	}
	if got := warden.post("/moderate", "/moderate/entries/"+string(other.ID), decision(other, "approve", "")); got.StatusCode != http.StatusForbidden {
		t.Errorf("a warden decides elsewhere: %d", got.StatusCode)
	}
	if got := warden.get("/moderate/entries/" + string(other.ID) + "/map.png"); got.StatusCode != http.StatusForbidden {
		t.Errorf("a warden sees the map of an entry elsewhere: %d", got.StatusCode)
	}
	if got := warden.get("/moderate/entries/" + string(hers.ID) + "/map.png?w=600&h=240"); got.StatusCode != http.StatusOK || got.Header.Get("Content-Type") != "image/png" {
		t.Errorf("a warden does not see the map: %d %s", got.StatusCode, got.Header.Get("Content-Type"))
	}
	if got := ana.post("/account", "/moderate/entries/"+string(hers.ID), decision(hers, "approve", "")); got.StatusCode != http.StatusForbidden || tn.entry(hers.ID).Status != directory.Pending {
		t.Errorf("an author approves the own entry: %d", got.StatusCode)
	}
	if got := warden.post("/moderate", "/moderate/entries/"+string(hers.ID), decision(hers, "approve", "")); got.StatusCode != http.StatusSeeOther {
		t.Errorf("a warden cannot decide: %d", got.StatusCode)
	}
}

func seq(n directory.Seq) string { return strconv.FormatInt(int64(n), 10) }

func TestVersionsCompareAndRevert(t *testing.T) {
	tn := openTown(t)
	ana, mod := tn.somebody("ana", account.Member, "fr"), tn.somebody("mod", account.Moderator, "fr")
	e := place("Le Nom Premier <i>", "Lyon", 4.84, 45.76)
	e.Private = &directory.Private{Owners: []string{ana.id}, Phone: "+33 6 12 34 56 78"}
	first := tn.put(e)[0]
	changed := first
	changed.Name = "Le Nom Second"
	changed.Private = &directory.Private{Owners: []string{ana.id}, Editors: []string{mod.id}, Phone: "+33 6 12 34 56 78"} // joined later
	second := tn.put(changed)[0]
	page, pair := "/e/"+second.Slug+"/versions", "?from="+seq(first.Version)+"&to="+seq(second.Version)

	for _, who := range []struct {
		name string
		p    *person
		want int
	}{{"nobody", tn.visitor(), http.StatusSeeOther}, {"another member", tn.somebody("eve", account.Member, "fr"), http.StatusForbidden}, {"the owner", ana, http.StatusOK}, {"a moderator", mod, http.StatusOK}} {
		if got := who.p.get(page + pair); got.StatusCode != who.want {
			t.Errorf("%s: %d, want %d", who.name, got.StatusCode, who.want)
		}
	}
	got := mod.get(page + pair)
	if !strings.Contains(got.body, "<del>") || !strings.Contains(got.body, "Second") || strings.Contains(got.body, "Premier <i>") || strings.Contains(got.body, "12 34 56") {
		t.Error("the two versions are not compared, or more is shown than their public fields")
	}
	if strings.Contains(ana.get(page+pair).body, `/revert`) {
		t.Error("an owner is offered what moderators do")
	}
	back := url.Values{"version": {seq(second.Version)}, "to": {seq(first.Version)}, "reason": {"Vandalisme"}}
	if got := ana.post("/account", "/e/"+second.Slug+"/revert", back); got.StatusCode != http.StatusForbidden {
		t.Errorf("an owner reverts: %d", got.StatusCode)
	}
	if got := mod.post(page+pair, "/e/"+second.Slug+"/revert", url.Values{"version": {seq(first.Version)}, "to": {seq(first.Version)}, "reason": {"x"}}); got.StatusCode != http.StatusConflict {
		t.Errorf("reverting from an old page: %d", got.StatusCode)
	}
	if got := mod.post(page+pair, "/e/"+second.Slug+"/revert", url.Values{"version": {seq(second.Version)}, "to": {seq(first.Version)}}); got.StatusCode != http.StatusBadRequest {
		t.Errorf("reverting without a reason: %d", got.StatusCode)
	}
	if got := mod.post(page+pair, "/e/"+second.Slug+"/revert", url.Values{"version": {seq(second.Version)}, "to": {"999"}, "reason": {"x"}}); got.StatusCode != http.StatusNotFound {
		t.Errorf("reverting to nothing: %d", got.StatusCode)
	}
	if got := mod.post(page+pair, "/e/"+second.Slug+"/revert"+pair, back); got.StatusCode != http.StatusSeeOther {
		t.Fatalf("reverting: %d %s", got.StatusCode, got.body)
	}
	now := tn.entry(first.ID)
	log, err := tn.d.History(t.Context(), first.ID, 0, 1)
	if err != nil || now.Name != first.Name || now.Private == nil || len(now.Private.Editors) != 1 || log[0].Op != directory.OpRevert || log[0].Note != "Vandalisme" || log[0].Author != account.AuthorPrefix+mod.id {
		t.Errorf("after the revert: %+v %+v %v", now, log[0], err)
	}
	now.Status = directory.Hidden
	tn.put(now)
	if got := tn.somebody("eva", account.Member, "fr").get(page); got.StatusCode != http.StatusNotFound {
		t.Errorf("a hidden entry is betrayed by its history: %d", got.StatusCode)
	}
}
