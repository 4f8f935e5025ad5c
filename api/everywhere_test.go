package api_test

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"archipel/api"
	"archipel/api/account"
	"archipel/api/digest"
	"archipel/api/freshness"
	"archipel/api/signed"
	"archipel/directory"
	"archipel/directory/duplicates"
	"archipel/directory/hours"
	"archipel/directory/links"
	"archipel/directory/media"
	"archipel/directory/subscribed"
	"archipel/directory/taxonomy"
	"archipel/geo"
	"archipel/geo/basemap"

	"github.com/paulmach/orb"
)

// openWhole is a town whose server has every room of the house.
func openWhole(t *testing.T) *town {
	t.Helper()
	dir := t.TempDir()
	store := openStore(t, dir)
	words, reads := taxonomy.Default(), &readsStore{Store: store}
	clock := func() time.Time { return now }
	tn := &town{box: &letterBox{}, waiting: &api.Waiting{}, clock: clock}
	index, relations, sources, alike, owners, sourced := geo.NewIndex(), &directory.Relations{}, &directory.Sources{}, &duplicates.Index{}, &api.Owners{}, &subscribed.Index{}
	d, err := directory.Open(t.Context(), directory.Options{Store: reads, Views: []directory.View{index, relations, sources, tn.waiting, alike, owners, sourced}, Now: clock,
		Rules: func() directory.Rules { return directory.Rules{Category: words.Valid} }})
	if err != nil {
		t.Fatal(err)
	}
	pictures, err := media.Open(dir + "/media")
	if err != nil {
		t.Fatal(err)
	}
	quiet := slog.New(slog.NewTextHandler(io.Discard, nil))
	about := func() account.Site { return account.Site{Name: "Archipel", Languages: []string{"fr", "en"}} }
	tn.mailer = account.NewMailer(account.MailerOptions{Store: store, Transport: tn.box, Site: about, Now: clock, Log: quiet})
	tn.accounts, err = account.New(account.Options{Store: store, Mailer: tn.mailer, Site: about, PublicURL: "http://example.com", Now: clock, Log: quiet})
	if err != nil {
		t.Fatal(err)
	}
	keys, places := signed.New(store), gazetteer()
	server, err := api.New(api.Options{
		Directory: d, Index: index, Relations: relations, Sources: sources, Taxonomy: words, Basemap: basemap.NewStack(nil, basemap.Embedded()), Places: places,
		Site: api.DefaultSite, PublicURL: "http://example.com", Version: "test", Now: clock, Accounts: tn.accounts, Waiting: tn.waiting, Log: quiet, DataDir: dir,
		Duplicates: alike, Owners: owners, Media: pictures,
		Calendars: subscribed.New(subscribed.Options{Directory: d, Index: sourced, Now: clock, Log: quiet, Publish: api.PublishesCalendar(tn.accounts)}),
		Links:     links.New(links.Options{Directory: d, On: func() bool { return true }, Now: clock, Log: quiet}),
		Freshness: freshness.New(freshness.Options{Directory: d, Accounts: tn.accounts, Keys: keys, Unseen: tn.waiting.Unseen, Now: clock, Site: func() freshness.Settings { return freshness.Settings{Languages: []string{"fr"}} }}),
		Digest: digest.New(digest.Options{Directory: d, Index: index, Taxonomy: words, Places: places, Accounts: tn.accounts, Keys: keys, Now: clock,
			Site: func() digest.Site { return digest.Site{Languages: []string{"fr"}, Zone: time.UTC} }}),
	})
	if err != nil {
		t.Fatal(err)
	}
	server.SetReady(true)
	tn.site = &site{t: t, d: d, store: store, reads: reads, server: server, index: index}
	return tn
}

// tileAt is the address of a tile in which a point is.
func tileAt(p orb.Point, z int) string {
	n := math.Exp2(float64(z))
	lat := p[1] * math.Pi / 180
	return fmt.Sprintf("%d/%d/%d", z, int((p[0]+180)/360*n), int((1-math.Asinh(math.Tan(lat))/math.Pi)/2*n))
}

// addresses are those of every page and document that the server gives, as far as they can be about an entry. A route with a
// parameter that is not known here fails the test: somebody has to say what it is about.
func (tn *town) addresses(e *directory.Entry) (list []string) {
	tn.t.Helper()
	tile := "10/527/365"
	if len(e.Sites) > 0 {
		tile = tileAt(e.Sites[0], 10)
	}
	collection := map[directory.Kind]string{directory.Organisation: "organisations", directory.Place: "places", directory.Initiative: "initiatives", directory.Event: "events"}[e.Kind]
	fill := strings.NewReplacer(":z/:x/:y", tile, ":slug", url.PathEscape(e.Slug), ":id", string(e.ID), ":collection", collection, ":draft", "none", ":step", "what", ":ext", "png", ":name", "x.jpg",
		":lang", "fr", ":token", "none", ":batch", "none")
	param := regexp.MustCompile(`/:|\*`)
	more := []string{"q=" + url.QueryEscape(e.Name), "kind=" + string(e.Kind), "fragment=1", "view=list&sort=name", "lang=en", "theme=dark"}
	for _, r := range tn.server.Handler().GetRoutes(true) {
		if r.Method != http.MethodGet {
			continue
		}
		path := fill.Replace(r.Path)
		if param.MatchString(path) {
			tn.t.Errorf("%s: not known how to ask for it", r.Path)
			continue
		}
		if slices.Contains(list, path) {
			continue
		}
		list = append(list, path)
		if path == "/" || path == "/agenda" || path == "/embed" || path == "/complete" || path == "/map.png" || strings.HasPrefix(path, "/entries.") || strings.HasSuffix(path, "/items") || path == "/add/same" {
			for _, query := range more {
				list = append(list, path+"?"+query)
			}
		}
	}
	list = append(list, "/api/collections/entries", "/api/collections/entries/items", "/api/collections/entries/items/"+string(e.ID), "/tiles/entries/"+tileAt(orb.Point{4.84, 45.76}, 14)+".mvt")
	if len(list) < 60 {
		tn.t.Fatalf("%d addresses only", len(list))
	}
	return list
}

// mark begins everything that no outsider may read.
const mark = "zqxgeheim"

// TestNobodyReadsWhatIsPrivate asks for every address of the server, about an entry with private fields and about entries that
// are not public, as a visitor and as a member who has nothing to do with them.
func TestNobodyReadsWhatIsPrivate(t *testing.T) {
	tn := openWhole(t)
	member, mod := tn.somebody("somebody", account.Member, "fr"), tn.somebody("mod", account.Moderator, "fr")
	private := func() *directory.Private {
		return &directory.Private{Owners: []string{mark + "-owner"}, Editors: []string{mark + "-editor"}, Email: mark + "@example.org", Phone: "+33 4 99 88 77 66", Note: mark + " note"}
	}
	secrets := []string{mark, "99887766", "99 88 77 66"}
	event := directory.Event
	put := func(kind directory.Kind, name string, status directory.Status) directory.Entry {
		e := place(name, "Lyon", 4.84, 45.76, "coworking")
		e.Kind, e.Status, e.Private = kind, status, private()
		if kind == event {
			e.Event = &directory.Schedule{Start: now.Add(48 * time.Hour), End: now.Add(50 * time.Hour), RRule: "FREQ=WEEKLY"}
		}
		saved, err := tn.d.Put(t.Context(), account.AuthorPrefix+mark, e)
		if err != nil {
			t.Fatal(err)
		}
		return saved
	}
	known := put(directory.Organisation, "La Fourmilière", directory.Published)
	known.Summary = "Deux fois écrite."
	known.Private = private()
	if _, err := tn.d.Put(t.Context(), account.AuthorPrefix+mark, known); err != nil {
		t.Fatal(err)
	}
	all := []directory.Entry{known, put(event, "Atelier vélo", directory.Published)}
	for _, status := range []directory.Status{directory.Draft, directory.Pending, directory.Hidden, directory.Removed} {
		all = append(all, put(directory.Place, mark+" "+string(status), status), put(event, mark+" date "+string(status), status))
	}
	// Entries that were public and are not any more keep their past to themselves too.
	gone := put(directory.Place, mark+" jadis", directory.Published)
	gone.Status = directory.Hidden
	gone, err := tn.d.Put(t.Context(), "system", gone)
	if err != nil {
		t.Fatal(err)
	}
	all = append(all, gone)

	if body := mod.get("/moderate").body; !strings.Contains(body, mark+" note") || !strings.Contains(body, mark+" pending") {
		t.Fatal("even moderators do not see the marks: nothing is proved")
	}
	shown := 0
	for i := range all {
		e := &all[i]
		for _, path := range tn.addresses(e) {
			for who, p := range map[string]*person{"a visitor": tn.visitor(), "a member": member} {
				if who == "a member" && i > 3 && !strings.Contains(path, e.Slug) && !strings.Contains(path, string(e.ID)) {
					continue // asked for the first ones
				}
				got := p.get(path)
				body := got.body
				for _, echo := range []string{e.Name, url.QueryEscape(e.Name), url.PathEscape(e.Name), e.Slug} { // what was asked for may be said again
					if !e.Public() {
						body = strings.ReplaceAll(body, echo, "")
					}
				}
				for _, secret := range secrets {
					if at := strings.Index(body, secret); at >= 0 {
						t.Errorf("%s reads %s about a %s entry: …%s…", who, path, e.Status, body[max(0, at-120):min(len(body), at+60)])
						break
					}
				}
				if strings.Contains(got.body, "La Fourmilière") {
					shown++
				}
				own := strings.HasPrefix(path, "/e/") || strings.HasPrefix(path, "/id/") || strings.Contains(path, "/items/")
				if own && !e.Public() && got.StatusCode < 300 {
					t.Errorf("%s gets %d from %s about a %s entry", who, got.StatusCode, path, e.Status)
				}
			}
		}
	}
	if shown < 30 {
		t.Errorf("the public entry is on %d of all documents only: too little was asked", shown)
	}
	// Words that only private fields have find nothing.
	for _, word := range []string{mark, "99887766"} {
		for _, path := range []string{"/api/collections/entries/items?q=" + word, "/entries.geojson?q=" + word, "/api/collections/events/items?q=" + word} {
			if body := tn.get(path).body; strings.Contains(body, `"Feature"`) {
				t.Errorf("%s finds something", path)
			}
		}
	}
}

// evil is in every text of an entry that takes it.
const evil = `"><script>alert(1)</script><img src=x onerror=alert(2)>'&lt;svg onload=alert(3)>`

// TestEveryTextIsTextEverywhere asks for every address of the server, as everybody, about entries whose texts are all hostile.
func TestEveryTextIsTextEverywhere(t *testing.T) {
	tn := openWhole(t)
	admin := tn.somebody("admin", account.Admin, "fr")
	anna := tn.somebody("anna", account.Member, "en")
	fill := func(e *directory.Entry) {
		e.Name, e.Summary, e.Description = evil, evil, evil+"\n\n[x](javascript:alert(4)) <iframe src=//evil.example></iframe>"
		e.Translations = map[string]directory.Translation{"en": {Name: evil, Summary: evil, Description: evil}}
		e.Tags, e.Extra = []string{evil}, map[string]string{evil: evil}
		e.Address = &directory.Address{Street: evil, PostalCode: evil, Locality: evil, Region: evil, Code: "69123"}
		e.Contact = &directory.Contact{Name: evil, Website: `https://example.org/?"><script>alert(5)</script>`}
		e.Links = []directory.Link{{URL: `https://example.org/'"><script>alert(6)</script>`, Title: evil}}
		e.OpeningHours = hours.Quote(evil)
		e.Images = []directory.Image{{URL: `https://evil.example/"><script>alert(7)</script>.jpg`, Alt: evil, Credit: evil}}
		e.Accessibility = map[string]string{"note": evil, "wheelchair": "yes"}
		e.Source = &directory.Source{Name: evil, ExternalID: evil + string(e.Kind) + string(e.Status)}
		if e.Private = (&directory.Private{Note: evil, Owners: []string{anna.id}}); e.Kind == directory.Event {
			e.Event = &directory.Schedule{Start: now.Add(48 * time.Hour), End: now.Add(50 * time.Hour), RRule: "FREQ=WEEKLY", Price: evil, RegisterURL: `https://example.org/"><script>alert(8)</script>`}
		}
	}
	var all []directory.Entry
	for _, kind := range []directory.Kind{directory.Organisation, directory.Event} {
		for _, status := range []directory.Status{directory.Published, directory.Pending} {
			e := place("x", "Lyon", 4.84, 45.76, "coworking")
			e.Kind, e.Status = kind, status
			fill(&e)
			outcomes, err := tn.d.Write(t.Context(), directory.Write{Author: account.AuthorPrefix + anna.id, Note: evil, Entries: []directory.Entry{e}})
			if err != nil || outcomes[0].Err != nil {
				t.Fatal(err, outcomes)
			}
			e = outcomes[0].Entry
			e.Summary = "Encore " + evil
			outcomes, err = tn.d.Write(t.Context(), directory.Write{Author: account.AuthorPrefix + anna.id, Note: evil, Entries: []directory.Entry{e}})
			if err != nil || outcomes[0].Err != nil {
				t.Fatal(err, outcomes)
			}
			all = append(all, outcomes[0].Entry)
		}
	}
	tn.noteChanges()
	visitor := tn.visitor()
	report := "/e/" + all[0].Slug + "/report"
	visitor.post(report, report, url.Values{"category": {"wrong"}, "text": {evil}, "mail": {"x@example.net"}})
	bad := regexp.MustCompile(`(?i)<script>alert|<img src=x|<svg onload|<iframe src=//|href="javascript:|src="https://evil`)
	texts := 0
	for i := range all {
		for _, path := range tn.addresses(&all[i]) {
			for who, p := range map[string]*person{"a visitor": visitor, "the owner": anna, "an administrator": admin} {
				got := p.get(path)
				kind := got.Header.Get("Content-Type")
				switch {
				case strings.HasPrefix(kind, "text/html"):
					if at := bad.FindStringIndex(got.body); at != nil {
						t.Errorf("%s gets %s: …%s…", who, path, got.body[max(0, at[0]-150):min(len(got.body), at[1]+40)])
					}
					if csp := got.Header.Get("Content-Security-Policy"); !strings.HasPrefix(csp, "default-src ") || strings.Contains(csp, "unsafe") {
						t.Errorf("%s: policy %q", path, csp)
					}
					if strings.Contains(got.body, "alert(1)") {
						texts++
					}
				case strings.Contains(kind, "xml"):
					for d := xml.NewDecoder(strings.NewReader(got.body)); ; {
						token, err := d.Token()
						if errors.Is(err, io.EOF) {
							break
						}
						if start, ok := token.(xml.StartElement); err != nil || ok && (start.Name.Local == "script" || start.Name.Local == "img") {
							t.Fatalf("%s: %v %v", path, token, err)
						}
					}
				case strings.Contains(kind, "json"):
					if !json.Valid([]byte(got.body)) {
						t.Errorf("%s: no JSON", path)
					}
				case strings.HasPrefix(kind, "text/calendar"):
					for _, line := range strings.Split(strings.TrimSuffix(got.body, "\r\n"), "\r\n") {
						if !regexp.MustCompile(`^( |[A-Z-]+[;:])`).MatchString(line) {
							t.Errorf("%s: the line %q", path, line)
						}
					}
				}
				if got.Header.Get("X-Content-Type-Options") != "nosniff" {
					t.Errorf("%s may be sniffed", path)
				}
			}
		}
	}
	if texts < 40 {
		t.Errorf("the texts are on %d pages only: too little was asked", texts)
	}

	// Mails: words stay words in HTML, and lines stay one line in headers.
	waits := all[1]
	if got := admin.post("/moderate", "/moderate/entries/"+string(waits.ID), url.Values{"version": {seq(waits.Version)}, "decision": {"ask"}, "reason": {evil}}); got.StatusCode != http.StatusSeeOther {
		t.Fatalf("asking: %d", got.StatusCode)
	}
	tn.tellDecisions()
	if err := tn.mailer.Send(t.Context(), account.Message{Key: "two lines", To: "x@example.net", Template: "mail.decision_approve", Params: map[string]string{"Entry": "a\r\nBcc: evil@example.org", "Reason": ""}, Link: "http://example.com/"}); err != nil {
		t.Fatal(err)
	}
	for _, m := range append(tn.to("anna@example.org"), tn.to("x@example.net")...) {
		if bad.MatchString(m.HTML) || strings.ContainsAny(m.Subject+m.To+m.Unsubscribe, "\r\n") {
			t.Errorf("a mail: %q\n%s", m.Subject, m.HTML)
		}
	}
	if len(tn.to("anna@example.org")) < 1 {
		t.Error("no mail was looked at")
	}
}
