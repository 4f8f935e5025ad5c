package api_test

import (
	"context"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"archipel/api"
	"archipel/api/account"
	"archipel/directory"
	"archipel/geo"

	"github.com/paulmach/orb"
)

// hostileIsland is what an island may call itself.
const hostileIsland = `Île <script>alert(1)</script>"'>&`

// shores is an archipelago as pages know it: islands by host, and what was added to their entries, written as it is there.
type shores struct {
	d      *directory.Directory
	names  map[string]string
	silent map[string]time.Time
	added  map[directory.ID]api.Curation
	rev    map[directory.ID]int64
}

func (s *shores) Island(host string) (name, home string) {
	if name = s.names[host]; name == "" {
		name = host
	}
	return name, "https://" + host + "/"
}

func (s *shores) Page(e *directory.Entry) string {
	return "https://" + e.Origin + "/e/there?a=1&b=2"
}

func (s *shores) SilentSince(e *directory.Entry) time.Time { return s.silent[e.Origin] }

func (s *shores) Curation(_ context.Context, id directory.ID) (api.Curation, int64, error) {
	return s.added[id], s.rev[id], nil
}

func (s *shores) Curate(ctx context.Context, author string, id directory.ID, c api.Curation, rev int64) (directory.Entry, error) {
	e, err := s.d.Entry(ctx, id)
	switch {
	case err != nil:
		return e, err
	case s.rev[id] != rev:
		return e, directory.ErrStale
	case len(c.Remark) > 1000:
		return e, directory.Invalid{{Field: "remark", Code: directory.CodeTooLong, Params: map[string]any{"max": 1000, "got": len(c.Remark)}}}
	}
	s.added[id], s.rev[id] = c, rev+1
	e.Extra, e.Status = map[string]string{}, directory.Published
	if c.Hide {
		e.Status = directory.Hidden
	}
	if c.Remark != "" {
		e.Extra["remark"] = c.Remark
	}
	if c.Highlight {
		e.Extra["highlight"] = "yes"
	}
	if len(c.Categories) > 0 {
		e.Categories = c.Categories
	}
	return s.d.Put(ctx, author, e)
}

func (s *shores) Hide(ctx context.Context, author string, id directory.ID, note string) error {
	s.added[id] = api.Curation{Hide: true}
	e, err := s.d.Entry(ctx, id)
	if err == nil {
		e.Status = directory.Hidden
		_, err = s.d.Write(ctx, directory.Write{Author: author, Note: note, Entries: []directory.Entry{e}})
	}
	return err
}

// openShores is a town with two entries of its own and two of other islands.
func openShores(t *testing.T) (tn *town, there *shores, mirrored directory.Entry) {
	t.Helper()
	tn = openTown(t)
	there = &shores{d: tn.d, names: map[string]string{"b.example": hostileIsland}, silent: map[string]time.Time{}, added: map[directory.ID]api.Curation{}, rev: map[directory.ID]int64{}}
	tn.server.Archipelago = there
	tn.put(place("La Nôtre", "Lyon", 4.84, 45.76, "amap"), event("Notre fête", now.AddDate(0, 0, 2), ""))
	farm := place("La Leur", "Lyon", 4.84, 45.76, "amap")
	farm.Origin, farm.Licence = "b.example", "ODbL-1.0"
	feast := event("Leur fête", now.AddDate(0, 0, 3), "")
	feast.Origin = "c.example"
	return tn, there, tn.put(farm, feast)[0]
}

// TestWhoseEntriesAre goes through every list: what belongs to others is there under its island's name, and only=here leaves
// it out.
func TestWhoseEntriesAre(t *testing.T) {
	tn, there, mirrored := openShores(t)
	there.silent["b.example"] = now.AddDate(0, -2, 0)
	count := func(path, name string) int { return strings.Count(tn.get(path).body, name) }
	for _, path := range []string{"/", "/agenda", "/embed", "/embed?view=agenda", "/entries.geojson", "/entries.csv", "/entries.jsonld", "/entries.atom", "/entries.rss", "/entries.ics",
		"/api/collections/entries/items", "/?fragment=1", "/?q=fete", "/api/collections/events/items"} {
		sep := "?"
		if strings.Contains(path, "?") {
			sep = "&"
		}
		a, here := tn.get(path), tn.get(path+sep+"only=here")
		if a.StatusCode != 200 || here.StatusCode != 200 {
			t.Fatalf("%s: %d, only here %d %s", path, a.StatusCode, here.StatusCode, here.body)
		}
		if !strings.Contains(a.body, "Notre fête") || !strings.Contains(a.body, "Leur fête") || !strings.Contains(a.body, "c.example") {
			t.Errorf("%s does not list both, with the island", path)
		}
		if !strings.Contains(here.body, "Notre fête") || strings.Contains(here.body, "Leur fête") || strings.Contains(here.body, "La Leur") {
			t.Errorf("%s: only=here lists something else", path)
		}
		if path != "/entries.csv" && strings.Contains(a.body, "<script>alert(1)") {
			t.Errorf("%s: an island's name is HTML", path)
		}
		if media := a.Header.Get("Content-Type"); strings.Contains(media, "json") && !json.Valid([]byte(a.body)) || strings.Contains(media, "xml") && xml.Unmarshal([]byte(a.body), new(struct{})) != nil {
			t.Errorf("%s is not well-formed", path)
		}
	}
	for query, want := range map[string]int{"": 4, "only=here": 2, "only=here&kind=place": 1, "kind=place": 2, "only=here&q=leur": 0, "q=leur": 2} {
		if n := tn.onTiles(query); n != want {
			t.Errorf("tiles of %q have %d entries, want %d", query, n, want)
		}
	}
	if a, b := tn.get("/tiles/entries/0/0/0.mvt").Header.Get("ETag"), tn.get("/tiles/entries/0/0/0.mvt?only=here").Header.Get("ETag"); a == b {
		t.Error("tiles with and without others have one tag")
	}
	if a, b := tn.get("/map.png?w=300&h=200"), tn.get("/map.png?w=300&h=200&only=here"); a.StatusCode != 200 || b.StatusCode != 200 || a.Header.Get("ETag") == b.Header.Get("ETag") {
		t.Errorf("static maps: %d %d, tags %s %s", a.StatusCode, b.StatusCode, a.Header.Get("ETag"), b.Header.Get("ETag"))
	}
	if a := tn.get("/?only=elsewhere"); a.StatusCode != 400 || !strings.Contains(a.body, "only") {
		t.Errorf("only=elsewhere: %d", a.StatusCode)
	}
	home := tn.get("/").body
	for _, want := range []string{`href="/?only=here"`, "Île &lt;script&gt;", "ODbL-1.0", "sans nouvelles"} {
		if !strings.Contains(home, want) {
			t.Errorf("the home page does not say %s", want)
		}
	}
	if body := tn.get("/?only=here").body; !strings.Contains(body, `href="/" class="chip on"`) {
		t.Error("the choice cannot be taken back")
	}
	if n := count("/agenda", "only=here"); n == 0 {
		t.Error("the agenda has no way to what is ours")
	}
	page := tn.get("/e/" + mirrored.Slug).body
	for _, want := range []string{`<link rel="canonical" href="https://b.example/e/there?a=1&amp;b=2"`, `href="https://b.example/e/there?a=1&amp;b=2"`, "Île &lt;script&gt;", "n’a pas donné de nouvelles depuis", "ODbL-1.0"} {
		if !strings.Contains(page, want) {
			t.Errorf("its page does not say %s", want)
		}
	}
	for _, bad := range []string{"<script>alert", `name="robots" content="noindex"`, "/edit\"", "/claim\""} {
		if strings.Contains(page, bad) {
			t.Errorf("its page says %s", bad)
		}
	}
	if body := tn.get("/sitemap.xml").body; strings.Contains(body, mirrored.Slug) || !strings.Contains(body, "la-notre") {
		t.Errorf("sitemap: %s", body)
	}
	var got struct{ Features []feature }
	tn.json("/api/collections/places/items", &got)
	for _, f := range got.Features {
		theirs := f.Properties["name"] == "La Leur"
		if theirs != (f.Properties["originName"] == hostileIsland) || theirs != (f.Properties["originUrl"] == "https://b.example/e/there?a=1&b=2") || theirs != (f.Properties["origin"] == "b.example") {
			t.Errorf("%v", f.Properties)
		}
	}
	var one feature
	if tn.json("/api/collections/entries/items/"+string(mirrored.ID), &one); one.Properties["originName"] != hostileIsland {
		t.Errorf("alone: %v", one.Properties)
	}
	tn.server.Archipelago = nil // entries outlive the part that brought them
	if body := tn.get("/e/" + mirrored.Slug).body; !strings.Contains(body, `href="https://b.example/"`) {
		t.Error("without federation it does not say whose it is")
	}
}

type feature struct{ Properties map[string]any }

// TestOnlyOurs: where nothing is of others there is nothing to leave out, and nobody says that an entry of ours is recommended.
func TestOnlyOurs(t *testing.T) {
	tn := openTown(t)
	e := place("La Nôtre", "Lyon", 4.84, 45.76, "amap")
	e.Extra = map[string]string{"remark": "Je me recommande", "highlight": "yes"}
	e = tn.put(e)[0]
	for _, path := range []string{"/", "/agenda", "/e/" + e.Slug} {
		if body := tn.get(path).body; strings.Contains(body, "only=here") || strings.Contains(body, "ecommand") {
			t.Errorf("%s speaks of islands", path)
		}
	}
}

// TestClustersOfAll: the counts of clusters are exact with what is of others, and without it.
func TestClustersOfAll(t *testing.T) {
	tn := openTown(t)
	var entries []directory.Entry
	for i := range 300 {
		e := place(fmt.Sprintf("Lieu %d", i), "Lyon", 4+float64(i%17)/10, 45+float64(i%13)/10)
		e.Origin = []string{"", "b.example", "c.example"}[i%3]
		entries = append(entries, e)
	}
	tn.put(entries...)
	if all, here := tn.onTiles(""), tn.onTiles("only=here"); all != 300 || here != 100 {
		t.Errorf("tiles count %d, here %d", all, here)
	}
	if body := tn.get("/").body; !strings.Contains(body, "300 fiches") {
		t.Error("the list does not count them")
	}
	if body := tn.get("/?only=here").body; !strings.Contains(body, "100 fiches") {
		t.Error("the list does not count ours")
	}
	b, ok, err := tn.index.Snapshot().Bounds(geo.Filter{Origins: []string{""}})
	if err != nil || !ok || !b.Contains(orb.Point{4.5, 45.5}) {
		t.Errorf("ours lie in %v, %v", b, err)
	}
}

// TestCurateDoors lets every role knock.
func TestCurateDoors(t *testing.T) {
	tn, _, mirrored := openShores(t)
	ours := "la-notre"
	member, mod, admin := tn.somebody("ana", account.Member, "fr"), tn.somebody("mod", account.Moderator, "fr"), tn.somebody("boss", account.Admin, "fr")
	in, out := tn.somebody("in", account.Member, "fr"), tn.somebody("out", account.Member, "fr")
	for p, category := range map[*person]string{in: "amap", out: "energie"} {
		if _, err := tn.accounts.SetStanding(t.Context(), p.id, account.Standing{Role: account.Member, Wards: []account.Ward{{Category: category}}}); err != nil {
			t.Fatal(err)
		}
	}
	path := "/e/" + mirrored.Slug + "/curate"
	for _, c := range []struct {
		name string
		who  *person
		want int
	}{{"a visitor", tn.visitor(), http.StatusSeeOther}, {"a member", member, 403}, {"who minds its category", in, 200}, {"who minds another", out, 403}, {"a moderator", mod, 200}, {"an admin", admin, 200}} {
		if got := c.who.get(path); got.StatusCode != c.want {
			t.Errorf("%s: %d, want %d", c.name, got.StatusCode, c.want)
		}
		if got := c.who.get("/e/" + mirrored.Slug).body; strings.Contains(got, path) != (c.want == 200) {
			t.Errorf("%s: the page shows the way: %v", c.name, c.want != 200)
		}
		if got := c.who.get("/e/" + ours + "/curate"); got.StatusCode == 200 {
			t.Errorf("%s can curate what is ours", c.name)
		}
		if got := c.who.do(http.MethodPost, path, url.Values{"revision": {"0"}, "remark": {"x"}}); got.StatusCode < 400 && c.want == 200 {
			t.Errorf("%s saves without the form's token: %d", c.name, got.StatusCode)
		}
	}
	if tn.entry(mirrored.ID).Version != mirrored.Version {
		t.Error("somebody changed it")
	}
}

// TestCurate adds to an entry of another island: it is shown, in the history, and not lost to another moderator's old page.
func TestCurate(t *testing.T) {
	tn, there, mirrored := openShores(t)
	mod, other := tn.somebody("mod", account.Moderator, "fr"), tn.somebody("other", account.Moderator, "fr")
	path := "/e/" + mirrored.Slug + "/curate"
	form := func() url.Values {
		return url.Values{"revision": {"0"}, "categories": {"", "coworking", ""}, "tags": {"chez nous, , deux mots"}, "highlight": {"1"}, "remark": {`Le samedi <b>seulement</b>`}}
	}
	got := mod.post(path, path, form())
	if got.StatusCode != http.StatusSeeOther || !strings.Contains(mod.get(got.Header.Get("Location")).body, "C’est enregistré") {
		t.Fatalf("saving: %d %s", got.StatusCode, got.body)
	}
	if c := there.added[mirrored.ID]; !slices.Equal(c.Categories, []string{"coworking"}) || !slices.Equal(c.Tags, []string{"chez nous", "deux mots"}) || !c.Highlight || c.Hide {
		t.Errorf("saved: %+v", c)
	}
	page := tn.get("/e/" + mirrored.Slug).body
	for _, want := range []string{"Le samedi &lt;b&gt;seulement", "Note de ", "Recommandé par "} {
		if !strings.Contains(page, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	if body := tn.get("/").body; !strings.Contains(body, "recommandé") {
		t.Error("the list does not say that it is recommended")
	}
	if body := mod.get("/e/" + mirrored.Slug + "/versions").body; !strings.Contains(body, "mod") {
		t.Error("the history does not say who did it")
	}
	if log, err := tn.d.History(t.Context(), mirrored.ID, 0, 1); err != nil || log[0].Author != account.AuthorPrefix+mod.id {
		t.Errorf("the log says %v, %v", log, err)
	}
	old := form()
	old.Set("remark", "Jamais le samedi")
	if got = other.post(path, path, old); got.StatusCode != http.StatusConflict || !strings.Contains(got.body, "Le samedi &lt;b&gt;") || !strings.Contains(got.body, "Jamais le samedi") || !strings.Contains(got.body, `name="revision" value="1"`) {
		t.Errorf("an old page: %d", got.StatusCode)
	}
	if there.added[mirrored.ID].Remark != `Le samedi <b>seulement</b>` {
		t.Error("an old page replaced what was saved")
	}
	long := form()
	long.Set("revision", "1")
	long.Set("remark", strings.Repeat("x", 1001))
	if got = mod.post(path, path, long); got.StatusCode != http.StatusBadRequest || !strings.Contains(got.body, `aria-invalid="true"`) || !strings.Contains(got.body, strings.Repeat("x", 1001)) {
		t.Errorf("a long remark: %d", got.StatusCode)
	}
	for _, bad := range []string{"", "-1", "x"} {
		wrong := form()
		wrong.Set("revision", bad)
		if got = mod.post(path, path, wrong); got.StatusCode != http.StatusBadRequest {
			t.Errorf("revision %q: %d", bad, got.StatusCode)
		}
	}
	if got = mod.post(path, path, url.Values{"revision": {"1"}, "hide": {"1"}}); got.StatusCode != http.StatusSeeOther {
		t.Fatalf("hiding: %d", got.StatusCode)
	}
	if got := tn.get("/e/" + mirrored.Slug); got.StatusCode != http.StatusNotFound {
		t.Errorf("hidden, it answers %d", got.StatusCode)
	}
	if got = mod.get(path); got.StatusCode != http.StatusOK {
		t.Errorf("hidden, it cannot be shown again: %d", got.StatusCode)
	}
	if got := tn.visitor().get(path); got.StatusCode == http.StatusOK {
		t.Error("a visitor learns of it")
	}
}

// TestReportsOfWhatIsTheirs: what is of another island is hidden, not removed, so that what changes there leaves it so.
func TestReportsOfWhatIsTheirs(t *testing.T) {
	for _, alone := range []bool{false, true} {
		tn, there, mirrored := openShores(t)
		if alone { // its island is not heard at present
			tn.server.Archipelago = nil
		}
		mod, page := tn.somebody("mod", account.Moderator, "fr"), "/e/"+mirrored.Slug+"/report"
		if got := tn.visitor().post(page, page, complaint("wrong", "Ce n’est pas là", "")); got.StatusCode != http.StatusOK {
			t.Fatalf("reporting: %d", got.StatusCode)
		}
		action := "/moderate/reports/" + string(mirrored.ID) + "/" + string(tn.waitingReports()[0].ID)
		if got := mod.post("/moderate", action, url.Values{"version": {seq(mirrored.Version)}, "decision": {"remove"}, "reason": {"Pas là."}}); got.StatusCode != http.StatusSeeOther {
			t.Fatalf("taking it away: %d %s", got.StatusCode, got.body)
		}
		log, err := tn.d.History(t.Context(), mirrored.ID, 0, 1)
		if err != nil || tn.entry(mirrored.ID).Status != directory.Hidden || there.added[mirrored.ID].Hide == alone || log[0].Note != "Pas là." || log[0].Author != account.AuthorPrefix+mod.id {
			t.Errorf("alone %v: %s, hidden by us %v, %+v %v", alone, tn.entry(mirrored.ID).Status, there.added[mirrored.ID].Hide, log, err)
		}
		if len(tn.waitingReports()) != 0 || tn.visitor().get("/e/"+mirrored.Slug).StatusCode != http.StatusNotFound {
			t.Error("the report waits on, or what it is about is still shown")
		}
	}
}

// TestNoWayBackForWhatIsTheirs: an earlier version is what its origin took back, or what no agreement stands behind.
func TestNoWayBackForWhatIsTheirs(t *testing.T) {
	tn, _, first := openShores(t)
	mod := tn.somebody("mod", account.Moderator, "fr")
	second := first
	second.Status = directory.Hidden
	second = tn.put(second)[0]
	pair := "/e/" + first.Slug + "/versions?from=" + seq(first.Version) + "&to=" + seq(second.Version)
	if got := mod.get(pair); got.StatusCode != http.StatusOK || strings.Contains(got.body, "/revert") {
		t.Errorf("its versions: %d, with a way back", got.StatusCode)
	}
	got := mod.post("/account", "/e/"+first.Slug+"/revert", url.Values{"version": {seq(second.Version)}, "to": {seq(first.Version)}, "reason": {"x"}})
	if got.StatusCode != http.StatusForbidden || tn.entry(first.ID).Status != directory.Hidden {
		t.Errorf("going back: %d, then it is %s", got.StatusCode, tn.entry(first.ID).Status)
	}
}

// TestDemoSpeaksOfItsOwn: in a demonstration, what comes from another island is not called fictitious.
func TestDemoSpeaksOfItsOwn(t *testing.T) {
	tn, _, mirrored := openShores(t)
	site := api.DefaultSite()
	site.Demo = true
	tn.server.Site = func() api.Site { return site }
	const fictitious = "sert à la démonstration"
	if body := tn.get("/e/la-notre").body; !strings.Contains(body, fictitious) {
		t.Error("the page of our own entry does not say that it is fictitious")
	}
	if body := tn.get("/e/" + mirrored.Slug).body; !strings.Contains(body, "La Leur") || strings.Contains(body, fictitious) {
		t.Error("the page of an entry of another island says that it is fictitious")
	}
}
