package belonging_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"archipel/api/account"
	"archipel/directory"

	"github.com/paulmach/orb"
)

// post adds an entry by its three steps, in the name of an organisation, and returns the last answer.
func (p *person) post(kind, name, organiser string) answer {
	p.t.Helper()
	where := p.form("/add", "/add", "kind", kind, "name", name, "categories", "coworking")
	if where.status != http.StatusSeeOther {
		p.t.Fatalf("first step: %d %s", where.status, where.body)
	}
	about := p.form(where.location, where.location, "where", "here", "lat", "45.44", "lon", "4.39")
	if about.status != http.StatusSeeOther {
		p.t.Fatalf("second step: %d %s", about.status, about.body)
	}
	return p.form(about.location, about.location, "summary", "x", "organiser", organiser, "event.startDate", p.now().AddDate(0, 1, 0).Format(time.DateOnly), "event.startTime", "18:30", "event.timezone", "Europe/Paris")
}

func (w *world) named(name string) directory.Entry {
	w.t.Helper()
	id, ok := w.d.BySlug(directory.Slugify(name))
	if !ok {
		w.t.Fatalf("no entry %q", name)
	}
	return w.entry(id)
}

// TestPostInTheNameOf: what was posted in an organisation's name is its team's, whoever is of it at that moment.
func TestPostInTheNameOf(t *testing.T) {
	w := newWorld(t)
	olga, edi, eve := w.member("Olga"), w.member("Edi"), w.member("Eve")
	org := w.place("La Fourmilière", ownedBy(olga), edited(edi))
	foreign := w.place("Ailleurs", ownedBy(eve))
	for _, kind := range []string{"initiative", "event"} {
		name := "Projet " + kind
		if a := edi.post(kind, name, string(foreign.ID)); a.status != http.StatusUnprocessableEntity || !strings.Contains(a.body, "f-organiser-error") {
			t.Fatalf("%s in the name of others: %d %s", kind, a.status, a.location)
		}
		name += " deux"
		if a := edi.post(kind, name, string(org.ID)); a.status != http.StatusSeeOther {
			t.Fatalf("%s: %d %s", kind, a.status, a.body)
		}
		e := w.named(name)
		if e.Private.Team != org.ID || len(e.Private.Owners) > 0 || e.Status != directory.Pending {
			t.Fatalf("%s: %+v %s", kind, e.Private, e.Status)
		}
		edit := "/e/" + e.Slug + "/edit"
		if body := edi.get("/me/entries").body; !strings.Contains(body, edit) {
			t.Errorf("%s is not among the entries of who posted it", kind)
		}
		for name, who := range map[string]*person{"an owner of the organisation": olga, "who posted it": edi} {
			if a := who.get(edit); a.status != http.StatusOK {
				t.Errorf("%s, %s: %d", kind, name, a.status)
			}
		}
		if a := eve.get(edit); a.status != http.StatusNotFound {
			t.Errorf("%s, a stranger: %d", kind, a.status)
		}
		e.Status = directory.Published
		if _, err := w.d.Put(t.Context(), "test", e); err != nil {
			t.Fatal(err)
		}
		if body := w.visitor().get("/e/" + org.Slug).body; !strings.Contains(body, name) {
			t.Errorf("the organisation's page does not show its %s", kind)
		}
		if body := w.visitor().get("/e/" + e.Slug).body; !strings.Contains(body, "La Fourmilière") {
			t.Errorf("the page of the %s does not name its organisation", kind)
		}
	}
	// The organisation's own entry is not rewritten for it: neither its colleagues nor its readers are told of a change.
	if now := w.entry(org.ID); now.Version != org.Version {
		t.Errorf("version %d of the organisation became %d: %v", org.Version, now.Version, now.Relations)
	}
	if a := w.visitor().get("/e/" + org.Slug + ".ics"); !strings.Contains(a.body, "SUMMARY:Projet event deux") {
		t.Errorf("the organisation's calendar lacks its event: %d", a.status)
	}
	if a := w.visitor().get("/e/" + org.Slug + ".atom"); !strings.Contains(a.body, "Projet event deux") {
		t.Errorf("the organisation's news lack its event: %d", a.status)
	}
	// Who leaves the organisation's team loses what was posted in its name; who joins has it.
	team := "/e/" + org.Slug + "/team"
	olga.form(team, team+"/remove", "account", edi.id)
	olga.form(team, team+"/invite", "mail", eve.mail, "role", "editor")
	link := w.linkTo(eve.mail)
	if a := eve.form(link, "/join", "token", token(link), "answer", "yes"); a.status != http.StatusSeeOther {
		t.Fatalf("join: %d", a.status)
	}
	e := w.named("Projet initiative deux")
	e.Status = directory.Hidden
	if _, err := w.d.Put(t.Context(), "test", e); err != nil {
		t.Fatal(err)
	}
	if a := edi.get("/e/" + e.Slug + "/edit"); a.status != http.StatusNotFound {
		t.Errorf("who left still edits: %d", a.status)
	}
	if a := eve.get("/e/" + e.Slug + "/edit"); a.status != http.StatusOK {
		t.Errorf("who joined does not edit: %d", a.status)
	}
	if a := eve.get("/e/" + e.Slug + "/team"); a.status != http.StatusOK || !strings.Contains(a.body, team) {
		t.Errorf("the team's page does not lead to the organisation's: %d", a.status)
	}
	// The one table decides for programs as well.
	tokenOf := func(p *person) string {
		token, err := w.accounts.NewToken(t.Context(), &account.Actor{ID: p.id}, "test", []account.Scope{account.ScopeRead, account.ScopeWrite})
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	for name, tt := range map[string]struct {
		who  *person
		want int
	}{"who joined": {eve, http.StatusPreconditionRequired}, "who left": {edi, http.StatusNotFound}} {
		if a := w.visitor().do(http.MethodPatch, "/api/collections/entries/items/"+string(e.ID), "{}", "Authorization", "Bearer "+tokenOf(tt.who), "Content-Type", "application/merge-patch+json"); a.status != tt.want && !(name == "who left" && a.status == http.StatusForbidden) {
			t.Errorf("%s, by the API: %d, want %d", name, a.status, tt.want)
		}
	}
	// Nobody says by a form or a program whose team keeps an entry.
	if a := w.visitor().do(http.MethodPost, "/api/collections/initiatives/items", `{"type":"Feature","geometry":null,"properties":{"kind":"initiative","name":"N","team":"`+string(org.ID)+`"}}`, "Authorization", "Bearer "+tokenOf(edi), "Content-Type", "application/geo+json"); a.status != http.StatusBadRequest {
		t.Errorf("a team by the API: %d", a.status)
	}
}

// TestPostedStaysWithAMergedTeam: when an organisation becomes one with another, that one's team keeps what was posted in its name.
func TestPostedStaysWithAMergedTeam(t *testing.T) {
	w := newWorld(t)
	olga, paul := w.member("Olga"), w.member("Paul")
	old, into := w.place("La Fourmilière", ownedBy(olga)), w.place("La Grande Fourmilière", ownedBy(paul))
	posted := w.place("Jardin commun", func(e *directory.Entry) { e.Private = &directory.Private{Team: old.ID} })
	edit := "/e/" + posted.Slug + "/edit"
	if a, b := olga.get(edit), paul.get(edit); a.status != http.StatusOK || b.status == http.StatusOK {
		t.Fatalf("before: %d %d", a.status, b.status)
	}
	old.Status, old.MergedInto = directory.Removed, into.ID
	if _, err := w.d.Put(t.Context(), "test", old); err != nil {
		t.Fatal(err)
	}
	if a, b := olga.get(edit), paul.get(edit); a.status == http.StatusOK || b.status != http.StatusOK {
		t.Errorf("after: %d %d", a.status, b.status)
	}
	if body := paul.get("/me/entries").body; !strings.Contains(body, edit) {
		t.Error("it is not among the entries of the other team")
	}
	if a := paul.get("/e/" + posted.Slug + "/team"); a.status != http.StatusOK || !strings.Contains(a.body, "La Grande Fourmilière") {
		t.Errorf("the team's page: %d", a.status)
	}
}

// fieldsOf is what a page's form holds.
func fieldsOf(body string) url.Values {
	v := url.Values{}
	for _, tag := range strings.Split(body, "<input ")[1:] {
		tag, _, _ = strings.Cut(tag, ">")
		name, value := between(tag, `name="`, `"`), between(tag, `value="`, `"`)
		if strings.Contains(tag, `type="checkbox"`) && !strings.Contains(tag, " checked") || name == "" || strings.Contains(tag, `type="file"`) {
			continue
		}
		v.Add(name, value)
	}
	return v
}

func (p *person) submit(page string, more ...string) answer {
	p.t.Helper()
	_, body, ok := strings.Cut(p.get(page).body, `id="posting"`)
	if !ok {
		p.t.Fatalf("%s has no form", page)
	}
	body, _, _ = strings.Cut(body, "</form>")
	v := fieldsOf(body)
	for i := 0; i+1 < len(more); i += 2 {
		v.Set(more[i], more[i+1])
	}
	return p.do(http.MethodPost, page, v.Encode())
}

// TestRelationsOnTheForm: entries are looked for and tied without scripts; ties are checked, survive renaming, and go.
func TestRelationsOnTheForm(t *testing.T) {
	w := newWorld(t)
	olga, eve := w.member("Olga"), w.member("Eve")
	org := w.place("La Fourmilière", ownedBy(olga))
	network := w.place("Réseau des ateliers", ownedBy(eve), func(e *directory.Entry) { e.Sites = []orb.Point{{4.4, 45.5}} })
	project := w.place("Jardin commun", ownedBy(olga))
	secret := w.place("Secret", ownedBy(eve), func(e *directory.Entry) { e.Status = directory.Draft })
	edit := "/e/" + org.Slug + "/edit"
	a := olga.submit(edit, "action", "relation", "relation.q", "Réseau")
	if a.status != http.StatusOK || !strings.Contains(a.body, string(network.ID)) || strings.Contains(a.body, string(secret.ID)) {
		t.Fatalf("looking for an entry: %d", a.status)
	}
	if a := olga.submit(edit, "action", "relation", "relation.q", "Secret"); strings.Contains(a.body, string(secret.ID)) || !strings.Contains(a.body, "Aucune fiche") {
		t.Error("a draft of others is found")
	}
	a = olga.submit(edit, "action", "next", "relation.target", string(network.ID), "relation.rel", "memberOf")
	if a.status != http.StatusSeeOther {
		t.Fatalf("tying: %d %s", a.status, a.body)
	}
	want := directory.Relation{Rel: "memberOf", Target: network.ID}
	if now := w.entry(org.ID); !slices.Equal(now.Relations, []directory.Relation{want}) {
		t.Fatalf("relations %v", now.Relations)
	}
	olga.submit(edit, "action", "next", "relation.target", string(project.ID), "relation.rel", "organises")
	if now := w.entry(org.ID); len(now.Relations) != 2 {
		t.Fatalf("relations %v", now.Relations)
	}
	for name, tt := range map[string][2]string{
		"organising what is others'": {string(network.ID), "organises"}, "what there is not": {string(directory.NewID()), "memberOf"},
		"a draft of others": {string(secret.ID), "memberOf"}, "no relation": {string(network.ID), "owns"}, "itself": {string(org.ID), "partOf"}, "no id": {"x", "partOf"},
	} {
		if a := olga.submit(edit, "action", "next", "relation.target", tt[0], "relation.rel", tt[1]); a.status != http.StatusUnprocessableEntity {
			t.Errorf("%s: %d", name, a.status)
		}
	}
	// An event is in the calendar of what it is a part of: that is for the team of that to say.
	ball := w.place("Bal", ownedBy(olga), func(e *directory.Entry) {
		e.Kind, e.Event = directory.Event, &directory.Schedule{Start: time.Now().AddDate(0, 1, 0), Timezone: "Europe/Paris"}
	})
	if a := olga.submit("/e/"+ball.Slug+"/edit", "action", "next", "relation.target", string(network.ID), "relation.rel", "partOf"); a.status != http.StatusUnprocessableEntity ||
		!strings.Contains(between(a.body, `id="f-relations"`, "</fieldset>"), "Seule l’équipe de cette autre fiche") {
		t.Errorf("an event as a part of what is others': %d", a.status)
	}
	if a := olga.submit("/e/"+ball.Slug+"/edit", "action", "next", "relation.target", string(project.ID), "relation.rel", "partOf"); a.status != http.StatusSeeOther {
		t.Errorf("an event as a part of one's own: %d", a.status)
	}
	// From both ends, after both were renamed.
	network.Name, network.Slug = "Réseau renommé", "reseau-renomme"
	if _, err := w.d.Put(t.Context(), "test", network); err != nil {
		t.Fatal(err)
	}
	now := w.entry(org.ID)
	now.Name, now.Slug = "La Grande Fourmilière", "grande-fourmiliere"
	if _, err := w.d.Put(t.Context(), "test", now); err != nil {
		t.Fatal(err)
	}
	if body := w.visitor().get("/e/grande-fourmiliere").body; !strings.Contains(body, "Réseau renommé") || !strings.Contains(body, "Jardin commun") {
		t.Error("a tie does not survive renaming")
	}
	if body := w.visitor().get("/e/reseau-renomme").body; !strings.Contains(body, "La Grande Fourmilière") {
		t.Error("a tie is not seen from its other end")
	}
	edit = "/e/grande-fourmiliere/edit"
	if a := olga.submit(edit, "action", "next"); a.status != http.StatusSeeOther || len(w.entry(org.ID).Relations) != 2 {
		t.Errorf("an untouched form: %d %v", a.status, w.entry(org.ID).Relations)
	}
	// Somebody saves first: what was chosen and not added yet stands in the form that says so, and is saved from there.
	old := olga.get(edit).body
	now = w.entry(org.ID)
	now.Summary = "Écrit entre-temps"
	if _, err := w.d.Put(t.Context(), "test", now); err != nil {
		t.Fatal(err)
	}
	_, old, _ = strings.Cut(old, `id="posting"`)
	old, _, _ = strings.Cut(old, "</form>")
	v := fieldsOf(old)
	v.Set("relation.target", string(project.ID))
	v.Set("relation.rel", "partOf")
	v.Set("action", "next")
	a = olga.do(http.MethodPost, edit, v.Encode())
	if !strings.Contains(a.body, "Écrit entre-temps") || strings.Count(a.body, string(project.ID)) < 2 {
		t.Errorf("a conflict loses a relation: %d", a.status)
	}
	_, form, _ := strings.Cut(a.body, `id="posting"`)
	form, _, _ = strings.Cut(form, "</form>")
	v = fieldsOf(form)
	v.Set("action", "next")
	if a := olga.do(http.MethodPost, edit, v.Encode()); a.status != http.StatusSeeOther || len(w.entry(org.ID).Relations) != 3 || w.entry(org.ID).Summary != "Écrit entre-temps" {
		t.Errorf("saving after a conflict: %d %v", a.status, w.entry(org.ID).Relations)
	}
	olga.submit(edit, "action", "next", "relations[2].remove", "1")
	if a := olga.submit(edit, "action", "next", "relations[0].remove", "1"); a.status != http.StatusSeeOther || len(w.entry(org.ID).Relations) != 1 {
		t.Errorf("untying: %d %v", a.status, w.entry(org.ID).Relations)
	}
}

// TestManyRelations: an organisation that is tied to more than its form shows keeps what it does not show, and can be tied to
// more, until there are as many as an entry may have; things are posted in its name all the same.
func TestManyRelations(t *testing.T) {
	w := newWorld(t)
	olga, eve := w.member("Olga"), w.member("Eve")
	project := w.place("Jardin commun", ownedBy(olga))
	foreign := w.place("Ailleurs", ownedBy(eve))
	many := func(n int) (list []directory.Relation) {
		for range n {
			list = append(list, directory.Relation{Rel: "organises", Target: directory.NewID()})
		}
		return list
	}
	org := w.place("La Fourmilière", ownedBy(olga), func(e *directory.Entry) { e.Relations = many(70) })
	edit := "/e/" + org.Slug + "/edit"
	page := olga.get(edit).body
	if !strings.Contains(page, "10 autres liens ne sont pas montrés") || !strings.Contains(page, "relations[59].target") || strings.Contains(page, "relations[60].target") {
		t.Fatal("the form does not say that there are more than it shows")
	}
	if a := olga.submit(edit, "action", "relation", "relation.q", "Jardin"); a.status != http.StatusOK || !strings.Contains(a.body, string(project.ID)) {
		t.Fatalf("looking for an entry: %d", a.status)
	}
	// Added before it is saved, it stands among the rows.
	a := olga.submit(edit, "action", "relate", "relation.target", string(project.ID), "relation.rel", "partOf")
	if a.status != http.StatusOK || between(a.body, `name="relations[60].target" value="`, `"`) != string(project.ID) {
		t.Fatalf("adding a tie: %d", a.status)
	}
	_, form, _ := strings.Cut(a.body, `id="posting"`)
	form, _, _ = strings.Cut(form, "</form>")
	v := fieldsOf(form)
	v.Set("action", "next")
	v.Set("relations[0].remove", "1")
	// Somebody takes one away meanwhile that the form did not show, and one that it did; another is added.
	now := w.entry(org.ID)
	gone := []directory.Relation{now.Relations[65], now.Relations[5]}
	now.Relations = slices.DeleteFunc(slices.Clone(now.Relations), func(r directory.Relation) bool { return slices.Contains(gone, r) })
	added := many(1)[0]
	now.Relations = append(now.Relations, added)
	if _, err := w.d.Put(t.Context(), "test", now); err != nil {
		t.Fatal(err)
	}
	a = olga.do(http.MethodPost, edit, v.Encode())
	if a.status != http.StatusConflict {
		t.Fatalf("a conflict: %d", a.status)
	}
	_, form, _ = strings.Cut(a.body, `id="posting"`)
	form, _, _ = strings.Cut(form, "</form>")
	v = fieldsOf(form)
	v.Set("action", "next")
	if a := olga.do(http.MethodPost, edit, v.Encode()); a.status != http.StatusSeeOther {
		t.Fatalf("saving after a conflict: %d %s", a.status, a.body)
	}
	want := slices.DeleteFunc(slices.Clone(org.Relations), func(r directory.Relation) bool { return r == org.Relations[0] || slices.Contains(gone, r) })
	want = append(want, added, directory.Relation{Rel: "partOf", Target: project.ID})
	got := w.entry(org.ID).Relations
	if len(got) != len(want) || slices.ContainsFunc(want, func(r directory.Relation) bool { return !slices.Contains(got, r) }) {
		t.Errorf("%d relations, want %d:\n%v\n%v", len(got), len(want), got, want)
	}
	// Also far down the list nobody ties what is others'.
	if a := olga.submit(edit, "action", "next", "relation.target", string(foreign.ID), "relation.rel", "organises"); a.status != http.StatusUnprocessableEntity {
		t.Errorf("organising what is others': %d", a.status)
	}
	full := w.entry(org.ID)
	full.Relations = many(directory.MaxRelations)
	if _, err := w.d.Put(t.Context(), "test", full); err != nil {
		t.Fatal(err)
	}
	if a := olga.submit(edit, "action", "next", "relation.target", string(project.ID), "relation.rel", "partOf"); a.status != http.StatusUnprocessableEntity || !strings.Contains(a.body, "f-relations") {
		t.Errorf("one tie too many: %d", a.status)
	}
	if a := olga.post("event", "Bal", string(org.ID)); a.status != http.StatusSeeOther {
		t.Fatalf("an event of an organisation with as many ties as there may be: %d %s", a.status, a.body)
	}
	if e := w.named("Bal"); !slices.Contains(e.Relations, directory.Relation{Rel: "organisedBy", Target: org.ID}) || e.Private.Team != org.ID {
		t.Errorf("the event is %v of %v", e.Relations, e.Private)
	}
}

// TestToldFromBothSides: what both sides say is shown once.
func TestToldFromBothSides(t *testing.T) {
	w := newWorld(t)
	olga := w.member("Olga")
	org := w.place("La Fourmilière", ownedBy(olga))
	project := w.place("Jardin commun", ownedBy(olga), func(e *directory.Entry) {
		e.Relations = []directory.Relation{{Rel: "organisedBy", Target: org.ID}}
	})
	alone := strings.Count(w.visitor().get("/e/"+org.Slug).body, "Jardin commun")
	org.Relations = []directory.Relation{{Rel: "organises", Target: project.ID}}
	if _, err := w.d.Put(t.Context(), "test", org); err != nil {
		t.Fatal(err)
	}
	if got := strings.Count(w.visitor().get("/e/"+org.Slug).body, "Jardin commun"); alone == 0 || got != alone {
		t.Errorf("named %d times, %d when one side says it", got, alone)
	}
}
