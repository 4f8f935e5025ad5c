package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"io"
	"log/slog"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
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
	"archipel/geo/geocode"
)

var gazetteer = sync1(func() *geocode.Gazetteer {
	g, err := geocode.NewGazetteer("FR")
	if err != nil {
		panic(err)
	}
	return g
})

func sync1[T any](f func() T) func() T {
	var v T
	done := false
	return func() T {
		if !done {
			v, done = f(), true
		}
		return v
	}
}

// openPosting is a directory in which people can add entries.
func openPosting(t *testing.T, around ...func(directory.Store) directory.Store) *site {
	t.Helper()
	dir := t.TempDir()
	plain, err := sqlitestore.Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { plain.Close() })
	var store directory.Store = plain
	for _, wrap := range around {
		store = wrap(store)
	}
	words, s := taxonomy.Default(), &site{t: t}
	index, relations, sources, alike, owners := geo.NewIndex(), &directory.Relations{}, &directory.Sources{}, &duplicates.Index{}, &api.Owners{}
	d, err := directory.Open(t.Context(), directory.Options{
		Store: store, Views: []directory.View{index, relations, sources, alike, owners}, Now: func() time.Time { return now },
		Rules: func() directory.Rules {
			return directory.Rules{Category: func(id string) bool { return id == s.had || words.Valid(id) }}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	pictures, err := media.Open(filepath.Join(dir, "media"))
	if err != nil {
		t.Fatal(err)
	}
	quiet := slog.New(slog.NewTextHandler(io.Discard, nil))
	about := func() account.Site { return account.Site{Name: "Archipel", Languages: []string{"fr", "en"}} }
	mailer := account.NewMailer(account.MailerOptions{Store: store, Transport: &account.Folder{Dir: filepath.Join(dir, "mails"), Log: quiet}, Site: about, Log: quiet})
	accounts, err := account.New(account.Options{Store: store, Mailer: mailer, Site: about, Address: "http://example.com", Log: quiet})
	if err != nil {
		t.Fatal(err)
	}
	places := gazetteer()
	server, err := api.New(api.Options{
		Directory: d, Index: index, Relations: relations, Sources: sources, Taxonomy: words, Basemap: basemap.NewStack(nil, basemap.Embedded()),
		Accounts: accounts, Duplicates: alike, Owners: owners, Media: pictures, Places: places, Locator: geocode.NewLocator(places, nil),
		Site: api.DefaultSite, Version: "test", Now: func() time.Time { return now }, Log: quiet,
	})
	if err != nil {
		t.Fatal(err)
	}
	server.SetReady(true)
	s.d, s.store, s.server, s.index = d, store, server, index
	return s
}

// author is a browser with its cookies.
type author struct {
	*site
	cookies map[string]string
	id      string
}

func (s *site) visitor() *author { return &author{site: s, cookies: map[string]string{}} }

// member makes an account and signs it in, as who gets its link does.
func (s *site) member(name string, standing ...account.Standing) *author {
	s.t.Helper()
	accounts := s.server.Accounts
	a, link, err := accounts.Create(context.Background(), directory.Slugify(name)+"@example.org", name, account.Member, "fr")
	if err != nil {
		s.t.Fatal(err)
	}
	for _, to := range standing {
		if _, err := accounts.SetStanding(context.Background(), a.ID, to); err != nil {
			s.t.Fatal(err)
		}
	}
	u, err := url.Parse(link)
	if err != nil {
		s.t.Fatal(err)
	}
	p := s.visitor()
	p.id = a.ID
	v := url.Values{"csrf": {p.token(u.RequestURI())}, "token": {u.Query().Get("token")}, "password": {"trois petits chats gris"}}
	if a := p.do(http.MethodPost, "/confirm", "application/x-www-form-urlencoded", strings.NewReader(v.Encode())); a.StatusCode != http.StatusSeeOther || p.cookies["session"] == "" {
		s.t.Fatalf("%s could not sign in: %d %s", name, a.StatusCode, a.body)
	}
	return p
}

var (
	trusted = account.Standing{Role: account.Member, Trusted: true}
	admin   = account.Standing{Role: account.Admin}
)

func (p *author) do(method, path, contentType string, body io.Reader, header ...string) answer {
	p.t.Helper()
	req := httptest.NewRequest(method, path, body)
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
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
		p.cookies[c.Name] = c.Value
	}
	return answer{res, string(b)}
}

func (p *author) open(path string) answer {
	p.t.Helper()
	return p.do(http.MethodGet, path, "", nil)
}

var csrfForm = regexp.MustCompile(`name="csrf" value="([^"]+)"`)

// token is the CSRF token of a page.
func (p *author) token(path string) string {
	p.t.Helper()
	m := csrfForm.FindStringSubmatch(p.open(path).body)
	if m == nil {
		p.t.Fatalf("no form on %s", path)
	}
	return m[1]
}

// file is a picture of a form.
type file struct {
	name string
	body []byte
}

// send fills in and sends the form of a page.
func (p *author) send(path string, fields url.Values, files ...file) answer {
	p.t.Helper()
	page := path
	if strings.HasSuffix(path, "/discard") {
		page = "/add"
	}
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	_ = w.WriteField("csrf", p.token(page))
	for key, list := range fields {
		for _, v := range list {
			_ = w.WriteField(key, v)
		}
	}
	for _, f := range files {
		part, err := w.CreateFormFile("picture", f.name)
		if err != nil {
			p.t.Fatal(err)
		}
		_, _ = part.Write(f.body)
	}
	_ = w.Close()
	return p.do(http.MethodPost, path, w.FormDataContentType(), &b)
}

// leads is where an answer leads.
func (a answer) leads(t testing.TB, want string) string {
	t.Helper()
	to := a.Header.Get("Location")
	if a.StatusCode != http.StatusSeeOther || !regexp.MustCompile(want).MatchString(to) {
		t.Fatalf("status %d to %q, want a way to %s: %s", a.StatusCode, to, want, plainProblems(a.body))
	}
	return to
}

func plainProblems(body string) string {
	_, rest, ok := strings.Cut(body, `class="problems"`)
	if !ok {
		return fmt.Sprintf("%.300s", body)
	}
	rest, _, _ = strings.Cut(rest, "</ul>")
	return regexp.MustCompile(`<[^>]*>|\s+`).ReplaceAllString(rest, " ")
}

func fieldsOf(pairs ...string) url.Values {
	v := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		v.Add(pairs[i], pairs[i+1])
	}
	return v
}

// addOrganisation goes through the three steps without scripts, and returns where the last one leads.
func (p *author) addOrganisation(name string, last url.Values, files ...file) answer {
	p.t.Helper()
	where := p.send("/add", fieldsOf("kind", "organisation", "name", name, "categories", "coworking")).leads(p.t, `^/add/[A-Z2-7]{26}/where$`)
	a := p.send(where, fieldsOf("where", "here", "address.streetAddress", "4 rue de la Paix", "address.postalCode", "42000", "address.addressLocality", "Saint-Étienne", "lat", "", "lon", ""))
	if a.StatusCode != http.StatusOK || !strings.Contains(a.body, `name="place"`) {
		p.t.Fatalf("no places are offered: %d %s", a.StatusCode, plainProblems(a.body))
	}
	place := regexp.MustCompile(`name="place" value="([^"]+)"`).FindStringSubmatch(a.body)[1]
	about := p.send(where, fieldsOf("where", "here", "address.streetAddress", "4 rue de la Paix", "address.postalCode", "42000", "address.addressLocality", "Saint-Étienne", "lat", "", "lon", "",
		"place", strings.ReplaceAll(place, "&amp;", "&"))).leads(p.t, `/about$`)
	return p.send(about, last, files...)
}

func photo(t testing.TB) []byte {
	t.Helper()
	m := image.NewRGBA(image.Rect(0, 0, 640, 480))
	for i := range m.Pix {
		m.Pix[i] = uint8(i)
	}
	m.Set(1, 1, color.White)
	var b bytes.Buffer
	if err := jpeg.Encode(&b, m, nil); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func (s *site) bySlug(slug string) directory.Entry {
	s.t.Helper()
	id, ok := s.d.BySlug(slug)
	if !ok {
		s.t.Fatalf("nothing at %s", slug)
	}
	e, err := s.d.Entry(context.Background(), id)
	if err != nil {
		s.t.Fatal(err)
	}
	return e
}

func TestAddByForm(t *testing.T) {
	s := openPosting(t)
	anna := s.member("Anna")
	anna.addOrganisation("La Fourmilière", fieldsOf("summary", "Un lieu commun", "description", "Bonjour", "contact.website", "fourmiliere.example", "openingHours", "Mo-Fr 09:00-18:00",
		"links[0].url", "", "links[1].url", "https://forum.example", "picture_alt", "La cour, pleine de monde"), file{"IMG_1.jpg", photo(t)}).leads(t, `^/me/entries`)
	e := s.bySlug("la-fourmiliere")
	if e.Status != directory.Pending || e.Name != "La Fourmilière" || e.MainCategory() != "coworking" || len(e.Sites) != 1 || !e.Approximate ||
		e.Address.Code != "42218" || e.Contact.Website != "https://fourmiliere.example" || len(e.Links) != 1 || e.OpeningHours == "" || e.Lang != "fr" {
		b, _ := json.MarshalIndent(e, "", " ")
		t.Errorf("got %s", b)
	}
	if len(e.Images) != 1 || e.Images[0].Alt != "La cour, pleine de monde" || e.Images[0].Width != 640 {
		t.Fatalf("images %+v", e.Images)
	}
	if e.Private == nil || len(e.Private.Owners) != 1 || e.Private.Owners[0] != anna.id {
		t.Errorf("private %+v", e.Private)
	}
	picture := s.get(e.Images[0].URL)
	if picture.StatusCode != http.StatusOK || picture.Header.Get("Content-Type") != "image/jpeg" || !strings.Contains(picture.Header.Get("Cache-Control"), "immutable") ||
		picture.Header.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("picture: %d %v", picture.StatusCode, picture.Header)
	}
	// It waits: others do not see it, its owner does, and finds it on the page of her entries.
	if a := s.get("/e/la-fourmiliere"); a.StatusCode != http.StatusNotFound {
		t.Errorf("anybody sees what waits: %d", a.StatusCode)
	}
	if a := anna.open("/e/la-fourmiliere"); a.StatusCode != http.StatusOK || !strings.Contains(a.body, "attend d’être relue") || !strings.Contains(a.body, "/e/la-fourmiliere/edit") {
		t.Errorf("its owner does not see it: %d", a.StatusCode)
	}
	if a := anna.open("/me/entries"); !strings.Contains(a.body, "La Fourmilière") || !strings.Contains(a.body, "En attente") || strings.Contains(a.body, "Brouillons") {
		t.Errorf("own entries: %d", a.StatusCode)
	}
	// A trusted author publishes at once.
	s.member("Tom", trusted).addOrganisation("Le Nichoir du Crêt", fieldsOf("summary", "Des oiseaux")).leads(t, `^/e/le-nichoir-du-cret$`)
	if e := s.bySlug("le-nichoir-du-cret"); !e.Public() {
		t.Errorf("status %s", e.Status)
	}
}

func TestWhatIsWrongIsSaidAndNothingIsLost(t *testing.T) {
	s := openPosting(t)
	anna := s.member("Anna")
	a := anna.send("/add", fieldsOf("kind", "", "name", "", "categories", ""))
	for _, want := range []string{`href="#f-kind"`, `href="#f-name"`, `href="#f-categories"`, `id="f-name-error"`, `autofocus`, `aria-invalid="true"`} {
		if !strings.Contains(a.body, want) {
			t.Errorf("step 1: no %s", want)
		}
	}
	if a.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("status %d", a.StatusCode)
	}
	long := strings.Repeat("é", 501)
	a = anna.addOrganisation("La Fourmilière", fieldsOf("summary", long, "description", "gardé", "contact.email", "pas une adresse", "openingHours", "quand on veut",
		"links[0].url", "javascript:alert(1)", "picture_alt", ""), file{"x.jpg", photo(t)})
	for _, want := range []string{"#f-summary", "#f-contact-email", "#f-openingHours", "#f-links-0-url", "#f-images-0-alt", long, "gardé", "pas une adresse", "quand on veut", "/media/"} {
		if !strings.Contains(a.body, want) {
			t.Errorf("step 3: no %q", want)
		}
	}
	// Coming back another day, it is all there.
	page := anna.open("/me/entries").body
	draft := regexp.MustCompile(`/add/[A-Z2-7]{26}`).FindString(page)
	if b := anna.open(draft + "/about").body; !strings.Contains(b, "pas une adresse") || !strings.Contains(b, "quand on veut") {
		t.Error("the draft forgot what was typed")
	}
	// Nobody else reads it.
	for name, other := range map[string]*author{"a visitor": s.visitor(), "another member": s.member("Eve"), "an administrator": s.member("Root", admin)} {
		if a := other.open(draft + "/about"); a.StatusCode != http.StatusNotFound {
			t.Errorf("%s reads the draft: %d", name, a.StatusCode)
		}
	}
	anna.send(draft+"/discard", nil).leads(t, "/me/entries")
	if a := anna.open(draft + "/about"); a.StatusCode != http.StatusNotFound {
		t.Errorf("a discarded draft is there: %d", a.StatusCode)
	}
}
