package digest_test

import (
	"context"
	"fmt"
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

// begin is one node on a fresh store, on a Friday.
func begin(t testing.TB) (*node, *smtptest.Server) {
	t.Helper()
	smtp := smtptest.Start(t)
	return open(t, openStore(t), &clock{now: time.Date(2027, 3, 12, 9, 0, 0, 0, paris)}, smtp), smtp
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

// TestNews: a digest tells what became public or changed in the area, once; what was only confirmed is no news; and when there
// is nothing there is no mail.
func TestNews(t *testing.T) {
	n, smtp := begin(t)
	old := n.put(place("L’Ancien", 4.22, 45.74))
	looked := n.put(place("Le Confirmé", 4.22, 45.74))
	draft := place("Le Caché", 4.22, 45.74)
	draft.Status = directory.Pending
	draft = n.put(draft)
	n.subscribe(smtp, choice("anna@example.org"))
	before := len(smtp.Mails())
	n.clock.later(3 * day) // Monday
	if got := n.pass(); got != 0 {
		t.Fatalf("%d digests without news", got)
	}
	n.put(place("Le <b>Nouveau</b>", 4.23, 45.75))
	n.put(place("Trop loin", 5.5, 45.75))
	old.Summary = "A déménagé"
	n.put(old)
	looked.Checked = n.clock.Now()
	n.put(looked)
	draft.Status = directory.Published
	n.put(draft)
	if got := n.pass(); got != 0 {
		t.Error("a weekly digest on the day of the one before")
	}
	n.clock.later(7 * day)
	if got := n.pass(); got != 1 {
		t.Fatalf("%d digests, want 1", got)
	}
	m := last(smtp)
	fresh, changed, ok := strings.Cut(m.Text, "A CHANGÉ")
	if !ok || !strings.Contains(fresh, "* Le <b>Nouveau</b>") || !strings.Contains(fresh, "* Le Caché") || !strings.Contains(changed, "* L’Ancien") {
		t.Errorf("the digest says:\n%s", m.Text)
	}
	for _, absent := range []string{"Trop loin", "Confirmé"} {
		if strings.Contains(m.Text, absent) {
			t.Errorf("the digest tells of %q", absent)
		}
	}
	if strings.Contains(m.HTML, "<b>Nouveau") || strings.Contains(m.HTML, "<img") || strings.Contains(m.HTML, "<script") {
		t.Errorf("the HTML is\n%s", m.HTML)
	}
	if m.Header.Get("List-Unsubscribe-Post") != "List-Unsubscribe=One-Click" || !anyLink.MatchString(m.Unsubscribed) || m.Header.Get("Content-Language") != "fr" {
		t.Errorf("headers: %v", m.Header)
	}
	n.clock.later(7 * day)
	if got := n.pass(); got != 0 || len(smtp.Mails()) != before+1 {
		t.Errorf("%d digests a week later, of %d mails", got, len(smtp.Mails()))
	}
}

// TestDates: coming dates are told in the site's zone, across the change of clocks, and are news once.
func TestDates(t *testing.T) {
	n, smtp := begin(t)
	n.clock.set(time.Date(2027, 3, 19, 12, 0, 0, 0, paris))
	n.subscribe(smtp, choice("anna@example.org"))
	market := place("Le marché", 4.23, 45.74)
	market.Kind = directory.Event
	market.Event = &directory.Schedule{Start: time.Date(2027, 3, 24, 8, 30, 0, 0, paris), End: time.Date(2027, 3, 24, 12, 0, 0, 0, paris), Timezone: "Europe/Paris", RRule: "FREQ=WEEKLY;COUNT=2"}
	n.put(market)
	n.clock.set(time.Date(2027, 3, 22, 6, 59, 0, 0, paris))
	if got := n.pass(); got != 0 {
		t.Fatal("a digest before seven")
	}
	n.clock.set(time.Date(2027, 3, 22, 7, 0, 0, 0, paris))
	if got := n.pass(); got != 1 {
		t.Fatalf("%d digests at seven", got)
	}
	if m := last(smtp); !strings.Contains(m.Text, "mercredi 24 mars, 08:30–12:00") || !strings.Contains(m.Text, "mercredi 31 mars, 08:30–12:00") || strings.Count(m.Text, "* Le marché") != 2 {
		t.Errorf("the digest says:\n%s", m.Text)
	}
	n.clock.set(time.Date(2027, 3, 29, 6, 59, 0, 0, paris)) // summer time since the day before
	if got := n.pass(); got != 0 {
		t.Fatal("a digest before seven in summer")
	}
	n.clock.set(time.Date(2027, 3, 29, 7, 0, 0, 0, paris))
	if got := n.pass(); got != 0 {
		t.Fatalf("%d digests of dates that were told", got)
	}
	again := place("Un autre", 4.23, 45.74)
	n.put(again)
	n.clock.set(time.Date(2027, 4, 5, 7, 0, 0, 0, paris))
	if got := n.pass(); got != 1 || strings.Contains(last(smtp).Text, "Le marché") {
		t.Errorf("%d digests in April:\n%s", got, last(smtp).Text)
	}
}

// TestConsent: nothing is kept before the button of the link is pressed; one click ends it and takes the address with it; and
// no link works twice or for somebody else.
func TestConsent(t *testing.T) {
	n, smtp := begin(t)
	known := n.ask(choice("anna@example.org"))
	n.flush()
	if n.subscriptions() != 0 {
		t.Fatal("kept before it was confirmed")
	}
	confirm := anyLink.FindString(last(smtp).Text)
	for range 3 { // what a mail scanner does
		if a := n.do("GET", confirm, nil); a.code != 200 || !strings.Contains(a.body, "<button") || n.subscriptions() != 0 {
			t.Fatalf("following the link: %d, %d kept", a.code, n.subscriptions())
		}
		n.do("HEAD", confirm, nil)
	}
	for range 2 {
		if a := n.do("POST", confirm, nil); a.code != 200 || n.subscriptions() != 1 {
			t.Fatalf("confirming: %d, %d kept", a.code, n.subscriptions())
		}
	}
	if again := n.ask(choice("anna@example.org")); again.code != known.code || strings.ReplaceAll(again.body, "\n", "") == "" || len(again.body) != len(known.body) {
		t.Error("the answer tells that the address is known")
	}
	n.put(place("Le Nouveau", 4.23, 45.75))
	n.clock.later(3 * day)
	n.pass()
	m := last(smtp)
	stop := m.Unsubscribed
	change := ""
	for _, u := range anyLink.FindAllString(m.Text, -1) {
		if u != stop {
			change = u
		}
	}
	if a := n.do("GET", stop, nil); a.code != 200 || n.subscriptions() != 1 {
		t.Fatal("following the link to unsubscribe unsubscribed")
	}
	a := n.do("GET", change, nil)
	if a.code != 200 || !strings.Contains(a.body, `value="Feurs"`) {
		t.Fatalf("the page to change: %d", a.code)
	}
	form := choice("autre@example.org")
	form.Set("km", "50")
	form["kind"] = []string{"event"}
	if a := n.do("POST", change, form); a.code != 200 || !strings.Contains(a.body, "50 km") {
		t.Fatalf("changing: %d", a.code)
	}
	if form.Set("km", "7"); n.do("POST", change, form).code != 400 {
		t.Error("a distance that is not offered")
	}
	n.put(place("Un lieu", 4.23, 45.75))
	n.clock.later(7 * day)
	if n.pass() != 0 {
		t.Error("a digest about places, after choosing dates alone")
	}
	for _, forged := range []string{"/mail/digest", "/mail/digest?t=", "/mail/digest?t=x.y", strings.Replace(stop, "?t=", "?t=A", 1)} {
		if a := n.do("POST", forged, url.Values{"List-Unsubscribe": {"One-Click"}}); a.code != 400 || n.subscriptions() != 1 {
			t.Errorf("%s: %d", forged, a.code)
		}
	}
	for range 2 {
		if a := n.do("POST", stop, url.Values{"List-Unsubscribe": {"One-Click"}}); a.code != 200 || n.subscriptions() != 0 {
			t.Fatalf("unsubscribing: %d, %d kept", a.code, n.subscriptions())
		}
	}
	n.clock.set(n.clock.Now().Add(-9 * day)) // the link would still be good
	if a := n.do("POST", confirm, nil); a.code != 410 || n.subscriptions() != 0 {
		t.Errorf("a used link confirmed again: %d", a.code)
	}
	n.subscribe(smtp, choice("anna@example.org"))
	n.clock.later(4 * day)
	if err := n.service.Forget(t.Context(), "Anna@Example.org"); err != nil || n.subscriptions() != 0 {
		t.Errorf("forgetting: %v, %d kept", err, n.subscriptions())
	}
}

// TestForm: mistakes are told beside their fields, hostile words stay words, and floods are held back.
func TestForm(t *testing.T) {
	n, smtp := begin(t)
	for name, c := range map[string]struct {
		change map[string]string
		code   int
		says   string
	}{
		"a town by its name":       {map[string]string{"place": "Feurs", "near": "", "of": ""}, 200, ""},
		"an unknown place":         {map[string]string{"place": "Xyzzyville", "near": "", "of": ""}, 400, `id="place"`},
		"a position of another":    {map[string]string{"place": "Xyzzyville", "near": "4.2,45.7", "of": "Feurs"}, 400, `id="place"`},
		"no number":                {map[string]string{"near": "NaN,45"}, 400, ""},
		"no mail":                  {map[string]string{"mail": ""}, 400, `id="mail"`},
		"a header in the address":  {map[string]string{"mail": "a@b.fr\r\nBcc: c@d.fr"}, 400, ""},
		"a header in the place":    {map[string]string{"place": "Feurs\r\nBcc: c@d.fr", "of": "Feurs Bcc: c@d.fr"}, 200, ""},
		"an unknown rhythm":        {map[string]string{"every": "hourly"}, 400, ""},
		"an unknown category":      {map[string]string{"category": "<script>"}, 400, ""},
		"words that are no markup": {map[string]string{"place": "<script>x</script>", "near": "", "of": ""}, 400, "&lt;script&gt;"},
	} {
		form := choice("anna." + strings.ReplaceAll(name, " ", "") + "@example.org")
		for k, v := range c.change {
			form.Set(k, v)
		}
		a := n.ask(form)
		if a.code != c.code || !strings.Contains(a.body, c.says) || strings.Contains(a.body, "<script>x") {
			t.Errorf("%s: %d", name, a.code)
		}
	}
	n.flush()
	for _, m := range smtp.Mails() {
		if m.Header.Get("Bcc") != "" || strings.HasPrefix(m.To, "c@") {
			t.Errorf("a header was let in: %v", m.Header)
		}
	}
	if a := n.do("POST", "/digest", choice("anna@example.org")); a.code != 403 {
		t.Errorf("without a form’s token: %d", a.code)
	}
	limited := 0
	for range 8 {
		if n.ask(choice("victim@example.org")).code == 429 {
			limited++
		}
	}
	if limited == 0 {
		t.Error("an address can be flooded")
	}
}

// TestAway: while the mail server is away nothing is lost, and when it is back nothing comes twice.
func TestAway(t *testing.T) {
	n, smtp := begin(t)
	n.subscribe(smtp, choice("anna@example.org"))
	before := len(smtp.Mails())
	n.put(place("Le Nouveau", 4.23, 45.75))
	n.clock.later(3 * day)
	smtp.Away(true)
	for range 6 {
		n.pass()
		n.clock.later(10 * time.Minute)
	}
	smtp.Away(false)
	for range 6 {
		n.clock.later(time.Hour)
		n.pass()
	}
	if got := len(smtp.Mails()) - before; got != 1 {
		t.Errorf("%d digests after an hour away, want 1", got)
	}
}

// TestCrash: a program that dies between the outbox and the subscription, and another node that goes on, send each digest once
// and leave nothing out.
func TestCrash(t *testing.T) {
	a, smtp := begin(t)
	for i := range 5 {
		form := choice(fmt.Sprintf("p%d@example.org", i))
		a.subscribe(smtp, form)
		a.clock.later(time.Hour) // limits
	}
	before := len(smtp.Mails())
	a.put(place("Le Premier", 4.23, 45.75))
	a.clock.set(time.Date(2027, 3, 15, 7, 0, 0, 0, paris))
	subs, err := a.store.Records(t.Context(), "digest", "", 100)
	if err != nil {
		t.Fatal(err)
	}
	a.pass()
	// As if the program had died before it noted what it had sent.
	for _, r := range subs {
		now, err := a.store.Record(t.Context(), "digest", r.Key)
		if err != nil {
			t.Fatal(err)
		}
		r.Rev = now.Rev
		if err := a.store.PutRecord(t.Context(), "digest", r); err != nil {
			t.Fatal(err)
		}
	}
	a.put(place("Le Second", 4.23, 45.75)) // not in the mail that was sent
	b := open(t, a.store, a.clock, smtp)
	var wg sync.WaitGroup
	for _, n := range []*node{a, b, b} {
		wg.Go(func() {
			if _, err := n.service.Pass(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	a.flush()
	if got := len(smtp.Mails()) - before; got != 5 {
		t.Fatalf("%d digests, want 5", got)
	}
	a.clock.later(7 * day)
	b.pass()
	a.pass()
	all := smtp.Mails()[before:]
	if len(all) != 10 {
		t.Fatalf("%d digests after two weeks, want 10", len(all))
	}
	for i, m := range all {
		if strings.Contains(m.Text, "Le Premier") != (i < 5) || strings.Contains(m.Text, "Le Second") != (i >= 5) {
			t.Errorf("mail %d says:\n%s", i, m.Text)
		}
	}
}

// TestReturned: a subscription whose mails come back three times in a row pauses, and says so to whoever looks.
func TestReturned(t *testing.T) {
	n, smtp := begin(t)
	n.subscribe(smtp, choice("anna@example.org"))
	n.put(place("Le Nouveau", 4.23, 45.75))
	n.clock.later(3 * day)
	n.pass()
	var change string
	for _, u := range anyLink.FindAllString(last(smtp).Text, -1) {
		if u != last(smtp).Unsubscribed {
			change = u
		}
	}
	smtp.Away(true)
	for i := range 5 {
		n.put(place(fmt.Sprintf("Lieu %d", i), 4.23, 45.75))
		n.clock.later(3 * day)
		n.pass()
		n.clock.later(4 * day) // the outbox gives up after three days
		n.flush()
	}
	if a := n.do("GET", change, nil); a.code != 200 || !strings.Contains(a.body, "les courriels revenaient") {
		t.Fatalf("the page says nothing of the pause: %d", a.code)
	}
	smtp.Away(false)
	before := len(smtp.Mails())
	if a := n.do("POST", change, choice("")); a.code != 200 {
		t.Fatalf("going on: %d", a.code)
	}
	n.clock.later(8 * day)
	n.pass()
	if len(smtp.Mails()) != before+1 {
		t.Errorf("%d mails after going on", len(smtp.Mails())-before)
	}
}
