package api_test

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"archipel/api"
	"archipel/directory"
)

// elsewhere stands for the other servers: what each answers is written down.
type elsewhere struct {
	asked []string
	pages map[string]string // where somebody follows, by their handle; "!reason" is a reason
	back  map[string]bool   // accounts that name ours as their own
	home  map[string]string // pages of organisations in other directories, by their accounts
}

func (e *elsewhere) PageElsewhere(_ context.Context, account string) string { return e.home[account] }

func (*elsewhere) Host() string                                            { return "annuaire.example" }
func (*elsewhere) FollowersOf(directory.ID) (int, int)                     { return 12, 1 }
func (*elsewhere) Participants(context.Context, directory.ID) (int, error) { return 3, nil }

func (e *elsewhere) SubscribePage(_ context.Context, typed, ours string) (string, string) {
	e.asked = append(e.asked, typed+" "+ours)
	if page := e.pages[typed]; page != "" && !strings.HasPrefix(page, "!") {
		return page + url.QueryEscape(ours), ""
	} else if page != "" {
		return "", page[1:]
	}
	return "", "server"
}

func (e *elsewhere) AccountElsewhere(_ context.Context, typed string, _ *directory.Entry) (string, bool, string) {
	back, known := e.back[typed]
	if !known {
		return "", false, "unknown"
	}
	return typed, back, ""
}

// openFediverse is a directory that takes part in the fediverse, with an organisation that Anna keeps.
func openFediverse(t *testing.T) (*site, *elsewhere, *author, directory.Entry) {
	t.Helper()
	s := openPosting(t)
	there := &elsewhere{pages: map[string]string{}, back: map[string]bool{}}
	s.server.Fediverse = there
	anna := s.member("Anna")
	e := anna.owned("La Fourmilière", func(e *directory.Entry) { e.Kind = directory.Organisation })
	return s, there, anna, e
}

// team writes an entry as its team does.
func (s *site) team(e directory.Entry) directory.Entry {
	s.t.Helper()
	outcomes, err := s.d.Write(context.Background(), directory.Write{Author: "test", Op: directory.OpTeam, Entries: []directory.Entry{e}})
	if err != nil || outcomes[0].Err != nil {
		s.t.Fatal(err, outcomes[0].Err)
	}
	return outcomes[0].Entry
}

const fediverseTeam = "/e/la-fourmiliere/team/fediverse"

// TestChooseAHandle lets the owner of an organisation open its account, change what it lets others do, and switch it off.
func TestChooseAHandle(t *testing.T) {
	s, _, anna, e := openFediverse(t)
	now := func() *directory.Fediverse { return s.bySlug("la-fourmiliere").Fediverse }
	// Nobody does before the team has proved that the organisation is theirs.
	if a := anna.open(fediverseTeam); a.StatusCode != http.StatusOK || strings.Contains(a.body, `name="handle"`) {
		t.Errorf("%d: an unclaimed organisation can choose", a.StatusCode)
	}
	early := fieldsOf("do", "choose", "handle", "la-fourmiliere")
	early.Set("csrf", anna.token("/add"))
	if a := anna.do(http.MethodPost, fediverseTeam, "application/x-www-form-urlencoded", strings.NewReader(early.Encode())); a.StatusCode != http.StatusUnprocessableEntity || now() != nil {
		t.Errorf("%d %+v", a.StatusCode, now())
	}
	e.Claimed = time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	e = s.team(e)
	if a := anna.open(fediverseTeam); !strings.Contains(a.body, `value="la-fourmiliere"`) {
		t.Error("no handle is proposed")
	}
	for _, wrong := range []string{"", "x", "relay", "Fourmi lière", "<b>", strings.Repeat("a", 40)} {
		a := anna.send(fediverseTeam, fieldsOf("do", "choose", "handle", wrong))
		if a.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(a.body, `id="handle-wrong"`) || now() != nil {
			t.Errorf("%q: %d %+v", wrong, a.StatusCode, now())
		}
	}
	anna.send(fediverseTeam, fieldsOf("do", "choose", "handle", "@La-Fourmiliere", "discoverable", "1", "replies", "1", "type", "Group", "off", "1", "movedTo", "https://evil.example/", "since", "1999-01-01")).leads(t, "done=chosen")
	f := now()
	if f == nil || f.Handle != "la-fourmiliere" || !f.Discoverable || f.Indexable || !f.Replies || f.Joins || f.Off || f.MovedTo != "" || f.Since.IsZero() {
		t.Fatalf("%+v", f)
	}
	if got := s.bySlug("la-fourmiliere"); !got.Claimed.Equal(e.Claimed) || len(got.Private.Owners) != 1 {
		t.Errorf("the team changed: %+v", got)
	}
	a := anna.open(fediverseTeam)
	if !strings.Contains(a.body, "@la-fourmiliere@annuaire.example") || !strings.Contains(a.body, "12 personnes") || strings.Contains(a.body, `name="handle"`) {
		t.Error("the page does not show the account")
	}
	if a := anna.send(fediverseTeam, fieldsOf("do", "choose", "handle", "autre")); a.StatusCode != http.StatusUnprocessableEntity || now().Handle != "la-fourmiliere" {
		t.Errorf("%d %+v", a.StatusCode, now())
	}
	anna.send(fediverseTeam, fieldsOf("do", "save", "indexable", "1", "joins", "1", "type", "Organization")).leads(t, "done=saved")
	if f := now(); f.Discoverable || !f.Indexable || f.Replies || !f.Joins || f.Type != "Organization" {
		t.Errorf("%+v", f)
	}
	if a := anna.send(fediverseTeam, fieldsOf("do", "save", "type", "Person")); a.StatusCode != http.StatusUnprocessableEntity || now().Type != "Organization" {
		t.Errorf("%d %+v", a.StatusCode, now())
	}
	if a := s.get("/e/la-fourmiliere"); !strings.Contains(a.body, `href="/e/la-fourmiliere/follow"`) || !strings.Contains(a.body, "<code>@la-fourmiliere@annuaire.example</code>") {
		t.Error("its page does not say how to follow it")
	}
	anna.send(fediverseTeam, fieldsOf("do", "off")).leads(t, "done=off")
	if !now().Off || s.get("/e/la-fourmiliere/follow").StatusCode != http.StatusNotFound || strings.Contains(s.get("/e/la-fourmiliere").body, "/follow") {
		t.Error("it is not off")
	}
	anna.send(fediverseTeam, fieldsOf("do", "on")).leads(t, "done=on")
	if now().Off {
		t.Error("it is not on")
	}
	// A handle is one organisation's.
	b := anna.owned("Les Fourmis", func(e *directory.Entry) { e.Kind = directory.Organisation })
	b.Claimed = e.Claimed
	s.team(b)
	if a := anna.send("/e/les-fourmis/team/fediverse", fieldsOf("do", "choose", "handle", "la-fourmiliere")); a.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(a.body, `id="handle-wrong"`) {
		t.Errorf("%d: two of one name", a.StatusCode)
	}
}

// TestMoves names accounts elsewhere, and moves to one that names ours.
func TestMoves(t *testing.T) {
	s, there, anna, e := openFediverse(t)
	e.Claimed, e.Fediverse = now, &directory.Fediverse{Handle: "la-fourmiliere"}
	s.team(e)
	fediverse := func() *directory.Fediverse { return s.bySlug("la-fourmiliere").Fediverse }
	there.back["https://la.example/fourmi"], there.back["https://ici.example/fourmi"] = false, true
	for _, way := range []string{"movein", "moveout"} {
		for _, typed := range []string{"", "https://inconnu.example/"} {
			if a := anna.send(fediverseTeam, fieldsOf("do", way, "account", typed)); a.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(a.body, way+"-wrong") {
				t.Errorf("%s %q: %d", way, typed, a.StatusCode)
			}
		}
	}
	anna.send(fediverseTeam, fieldsOf("do", "movein", "account", "https://la.example/fourmi")).leads(t, "done=moving")
	if f := fediverse(); len(f.AlsoKnownAs) != 1 || f.AlsoKnownAs[0] != "https://la.example/fourmi" {
		t.Errorf("%+v", f)
	}
	if a := anna.send(fediverseTeam, fieldsOf("do", "moveout", "account", "https://la.example/fourmi")); a.StatusCode != http.StatusUnprocessableEntity || fediverse().MovedTo != "" {
		t.Errorf("%d: it moves to an account that does not want it", a.StatusCode)
	}
	anna.send(fediverseTeam, fieldsOf("do", "moveout", "account", "https://ici.example/fourmi")).leads(t, "done=moved")
	if f := fediverse(); f.MovedTo != "https://ici.example/fourmi" {
		t.Errorf("%+v", f)
	}
	anna.send(fediverseTeam, fieldsOf("do", "stay")).leads(t, "done=stays")
	anna.send(fediverseTeam, fieldsOf("do", "forget", "address", "https://la.example/fourmi")).leads(t, "done=saved")
	if f := fediverse(); f.MovedTo != "" || len(f.AlsoKnownAs) > 0 {
		t.Errorf("%+v", f)
	}
}

// TestFediverseIsTheOwners lets nobody else near the account of an organisation.
func TestFediverseIsTheOwners(t *testing.T) {
	s, _, anna, e := openFediverse(t)
	bob, carl := s.member("Bob"), s.member("Carl")
	e.Claimed, e.Private.Editors = now, []string{bob.id}
	s.team(e)
	for name, p := range map[string]*author{"visitor": s.visitor(), "editor": bob, "stranger": carl} {
		if a := p.open(fediverseTeam); a.StatusCode == http.StatusOK {
			t.Errorf("%s sees the page", name)
		}
		v := fieldsOf("do", "choose", "handle", "voleur")
		v.Set("csrf", p.token("/add"))
		if a := p.do(http.MethodPost, fediverseTeam, "application/x-www-form-urlencoded", strings.NewReader(v.Encode())); a.StatusCode < 300 || strings.Contains(a.Header.Get("Location"), "done=") {
			t.Errorf("%s: %d %s", name, a.StatusCode, a.Header.Get("Location"))
		}
		if strings.Contains(p.open("/e/la-fourmiliere").body, fediverseTeam) {
			t.Errorf("%s is led there", name)
		}
	}
	if s.bySlug("la-fourmiliere").Fediverse != nil {
		t.Error("somebody chose a handle")
	}
	if !strings.Contains(anna.open("/e/la-fourmiliere").body, fediverseTeam) {
		t.Error("the owner is not led there")
	}
	// Without the token of a form of ours nothing happens.
	if a := anna.do(http.MethodPost, fediverseTeam, "application/x-www-form-urlencoded", strings.NewReader("do=choose&handle=voleur")); a.StatusCode != http.StatusForbidden {
		t.Errorf("without a token: %d", a.StatusCode)
	}
	for _, path := range []string{"/e/nobody/team/fediverse", "/e/nobody/follow"} {
		if a := anna.open(path); a.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %d", path, a.StatusCode)
		}
	}
}

// TestRemoteFollow leads to somebody's own server, or says why not.
func TestRemoteFollow(t *testing.T) {
	s, there, _, e := openFediverse(t)
	e.Claimed, e.Fediverse = now, &directory.Fediverse{Handle: "la-fourmiliere"}
	s.team(e)
	there.pages["@maud@la.example"] = "https://la.example/authorize?uri="
	there.pages["@maud@muet.example"] = "!no_page"
	a := s.get("/e/la-fourmiliere/follow")
	if a.StatusCode != http.StatusOK || !strings.Contains(a.body, "@la-fourmiliere@annuaire.example") || !strings.Contains(a.body, `name="account"`) {
		t.Fatalf("%d", a.StatusCode)
	}
	if csp := a.Header.Get("Content-Security-Policy"); !strings.Contains(csp, "form-action 'self' https:") || !strings.Contains(csp, "default-src 'self'") {
		t.Errorf("a browser would not follow the form: %s", csp)
	}
	a = s.get("/e/la-fourmiliere/follow?account=" + url.QueryEscape(" @maud@la.example "))
	if a.StatusCode != http.StatusSeeOther || a.Header.Get("Location") != "https://la.example/authorize?uri=%40la-fourmiliere%40annuaire.example" || !strings.Contains(a.Header.Get("Cache-Control"), "no-store") {
		t.Errorf("%d %s", a.StatusCode, a.Header.Get("Location"))
	}
	for typed, want := range map[string]string{"": "account-wrong", "@maud@muet.example": `href="https://muet.example"`, "@x@absent.example": "account-wrong", `"><script>alert(1)</script>`: "account-wrong"} {
		a := s.get("/e/la-fourmiliere/follow?account=" + url.QueryEscape(typed))
		if a.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(a.body, want) || strings.Contains(a.body, "<script>alert") {
			t.Errorf("%q: %d", typed, a.StatusCode)
		}
	}
	// Nobody makes us ask the whole world.
	n := len(there.asked)
	for range 40 {
		a = s.get("/e/la-fourmiliere/follow?account=%40maud%40la.example")
	}
	if a.StatusCode != http.StatusTooManyRequests || len(there.asked)-n > 15 {
		t.Errorf("%d after %d questions", a.StatusCode, len(there.asked)-n)
	}
}

func TestFediversePage(t *testing.T) {
	s, _, _, _ := openFediverse(t)
	if a := s.get("/fediverse"); a.StatusCode != http.StatusOK || !strings.Contains(a.body, "@relay@annuaire.example") || !strings.Contains(a.body, "Mobilizon") {
		t.Errorf("%d", a.StatusCode)
	}
	if a := s.get("/fediverse", "Accept-Language", "en"); !strings.Contains(a.body, "Follow from the fediverse") {
		t.Error("not in English")
	}
	if a := s.get("/about"); !strings.Contains(a.body, `href="/fediverse"`) {
		t.Error("nothing leads there")
	}
	e := s.put(event("Bal", now.Add(time.Hour), ""))[0]
	if a := s.get("/e/" + e.Slug); !strings.Contains(a.body, "3 personnes d’autres réseaux y vont") {
		t.Error("who comes is not said")
	}
	s.server.Fediverse = nil
	if a := s.get("/fediverse"); a.StatusCode != http.StatusNotFound {
		t.Errorf("without the fediverse: %d", a.StatusCode)
	}
	if strings.Contains(s.get("/about").body, `href="/fediverse"`) {
		t.Error("it leads nowhere")
	}
}

var _ api.Fediverse = (*elsewhere)(nil)
