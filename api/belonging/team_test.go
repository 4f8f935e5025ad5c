package belonging_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"archipel/api/account"
	"archipel/directory"
)

func edited(by ...*person) func(*directory.Entry) {
	return func(e *directory.Entry) {
		for _, p := range by {
			e.Private.Editors = append(e.Private.Editors, p.id)
		}
	}
}

// TestTeamPage: the team and moderators see who is of it and their mails; nobody else sees the page.
func TestTeamPage(t *testing.T) {
	w := newWorld(t)
	olga, edi, eve := w.member("Olga"), w.member("Edi"), w.member("Eve")
	mod, admin := w.member("Mod", account.Moderator), w.member("Ada", account.Admin)
	e := w.place("La Fourmilière", ownedBy(olga), edited(edi))
	draft := w.place("Brouillon", ownedBy(olga), func(e *directory.Entry) { e.Status = directory.Draft })
	team := "/e/" + e.Slug + "/team"
	for name, who := range map[string]*person{"owner": olga, "editor": edi, "moderator": mod, "admin": admin} {
		a := who.get(team)
		if a.status != http.StatusOK || !strings.Contains(a.body, olga.mail) || !strings.Contains(a.body, edi.mail) {
			t.Errorf("%s: %d", name, a.status)
		}
		if invites := strings.Contains(a.body, team+"/invite"); invites != (name != "editor") {
			t.Errorf("%s invites: %v", name, invites)
		}
		if body := who.get("/e/" + e.Slug).body; !strings.Contains(body, team) {
			t.Errorf("%s: no way to the team", name)
		}
	}
	if a := eve.get(team); a.status != http.StatusForbidden || strings.Contains(a.body, olga.mail) {
		t.Errorf("a stranger: %d", a.status)
	}
	if a := w.visitor().get(team); a.status != http.StatusSeeOther || !strings.HasPrefix(a.location, "/signin?") {
		t.Errorf("nobody: %d %s", a.status, a.location)
	}
	if a := eve.get("/e/" + draft.Slug + "/team"); a.status != http.StatusNotFound {
		t.Errorf("a stranger learns of a draft: %d", a.status)
	}
	for _, path := range []string{"/e/" + e.Slug, "/e/" + e.Slug + "/history", "/api/collections/entries/items/" + string(e.ID), "/entries.csv", "/e/" + e.Slug + "/claim"} {
		if body := eve.get(path).body; strings.Contains(body, olga.mail) || strings.Contains(body, olga.id) || strings.Contains(body, "Olga") {
			t.Errorf("%s tells who keeps the entry", path)
		}
	}
}

// TestTeamIsNotOthers: strangers and editors change nothing, by whatever route; and what one team may is not done to another.
func TestTeamIsNotOthers(t *testing.T) {
	w := newWorld(t)
	olga, edi, eve := w.member("Olga"), w.member("Edi"), w.member("Eve")
	e := w.place("La Fourmilière", ownedBy(olga), edited(edi))
	other := w.place("Ailleurs", ownedBy(eve))
	for _, path := range []string{"/team/invite", "/team/withdraw", "/team/role", "/team/remove", "/team/handover", "/team/giveback", "/team/claims"} {
		for name, who := range map[string]*person{"a stranger": eve, "an editor": edi} {
			a := who.form("/account", "/e/"+e.Slug+path, "account", olga.id, "role", "editor", "mail", "x@example.org", "sure", "1", "decision", "owner")
			if a.status != http.StatusForbidden {
				t.Errorf("%s, %s: %d", name, path, a.status)
			}
		}
		if a := w.visitor().form("/signin", "/e/"+e.Slug+path, "account", olga.id); a.status != http.StatusUnauthorized {
			t.Errorf("nobody, %s: %d", path, a.status)
		}
		if a := olga.do(http.MethodPost, "/e/"+e.Slug+path, "account="+edi.id+"&role=owner&sure=1&mail=x@example.org"); a.status != http.StatusForbidden {
			t.Errorf("without a token, %s: %d", path, a.status)
		}
	}
	if a := eve.form("/account", "/e/"+e.Slug+"/team/leave"); a.status != http.StatusForbidden {
		t.Errorf("a stranger leaves: %d", a.status)
	}
	// Naming the owner of another entry does nothing, also not to put the own one into other hands.
	for _, path := range []string{"/team/role", "/team/remove", "/team/handover"} {
		if a := eve.form("/account", "/e/"+other.Slug+path, "account", olga.id, "role", "owner"); a.status != http.StatusNotFound {
			t.Errorf("%s of somebody who is not of the team: %d", path, a.status)
		}
	}
	// An invitation of one entry is not taken back through another.
	olga.form("/e/"+e.Slug+"/team", "/e/"+e.Slug+"/team/invite", "mail", "bea@people.example", "role", "editor")
	id := between(olga.get("/e/"+e.Slug+"/team").body, `name="invite" value="`, `"`)
	eve.form("/account", "/e/"+other.Slug+"/team/withdraw", "invite", id)
	if body := olga.get("/e/" + e.Slug + "/team").body; !strings.Contains(body, "bea@people.example") {
		t.Error("another team took the invitation back")
	}
	if now := w.entry(e.ID); now.Version != e.Version {
		t.Errorf("the entry changed: %+v", now.Private)
	}
}

// TestInvite: somebody without an account follows an invitation, makes one and is of the team; once.
func TestInvite(t *testing.T) {
	w := newWorld(t)
	olga := w.member("Olga")
	e := w.place("La Fourmilière", ownedBy(olga))
	team := "/e/" + e.Slug + "/team"
	if a := olga.form(team, team+"/invite", "mail", "bea@people.example\r\nBcc: x@evil.example", "role", "editor"); a.status != http.StatusUnprocessableEntity {
		t.Errorf("a line break in the address: %d", a.status)
	}
	if a := olga.form(team, team+"/invite", "mail", "bea@people.example", "role", "admin"); a.status != http.StatusBadRequest {
		t.Errorf("another role: %d", a.status)
	}
	if a := olga.form(team, team+"/invite", "mail", "Bea@People.example", "role", "editor"); a.status != http.StatusSeeOther || !strings.Contains(olga.get(a.location).body, "Invitation envoyée") {
		t.Fatalf("invite: %d %s", a.status, a.body)
	}
	link := w.linkTo("bea@people.example")
	bea := w.visitor()
	page := bea.get(link)
	if page.status != http.StatusOK || !strings.Contains(page.body, "Olga vous invite") || !strings.Contains(page.body, "Créer un compte avec bea@people.example") {
		t.Fatalf("the page: %d %s", page.status, page.body)
	}
	if a := bea.form(link, "/join", "token", token(link), "answer", "yes"); a.status != http.StatusUnauthorized {
		t.Errorf("joining without an account: %d", a.status)
	}
	a := bea.form(link, "/join", "token", token(link), "answer", "account")
	if a.status != http.StatusSeeOther || !strings.HasPrefix(a.location, "/confirm?token=") {
		t.Fatalf("making an account: %d %s", a.status, a.location)
	}
	u, _ := url.Parse(a.location)
	a = bea.form(a.location, "/confirm", "token", u.Query().Get("token"), "name", "Béa", "password", "")
	if a.status != http.StatusSeeOther || !strings.HasPrefix(a.location, "/join?token=") {
		t.Fatalf("the account: %d %s %s", a.status, a.location, a.body)
	}
	if body := bea.get(a.location).body; !strings.Contains(body, "Rejoindre l’équipe") {
		t.Fatalf("back on the page: %s", body)
	}
	if a := bea.form(a.location, "/join", "token", token(link), "answer", "yes"); a.status != http.StatusSeeOther || a.location != team+"?done=joined" {
		t.Fatalf("join: %d %s", a.status, a.location)
	}
	known, err := w.accounts.ByMail(t.Context(), "bea@people.example")
	if err != nil {
		t.Fatal(err)
	}
	if now := w.entry(e.ID); !slices.Equal(now.Private.Editors, []string{known.ID}) {
		t.Errorf("editors %v", now.Private.Editors)
	}
	if mails := w.mailsTo(olga.mail); len(mails) != 1 || !strings.Contains(mails[0].Text, "rejoint l’équipe") {
		t.Errorf("mails to the owner: %+v", mails)
	}
	eve := w.member("Eve")
	if a := eve.get(link); a.status != http.StatusGone {
		t.Errorf("the link once more: %d", a.status)
	}
	if a := eve.form("/account", "/join", "token", token(link), "answer", "yes"); a.status != http.StatusGone {
		t.Errorf("joining once more: %d", a.status)
	}
}

// TestInviteTellsNothing: what the inviter sees is the same whether the address has an account or not.
func TestInviteTellsNothing(t *testing.T) {
	w := newWorld(t)
	w.stop() // the page says until which day the invitation holds
	olga, known := w.member("Olga"), w.member("Connue")
	e := w.place("La Fourmilière", ownedBy(olga))
	team := "/e/" + e.Slug + "/team"
	var seen []string
	for _, mail := range []string{known.mail, "inconn" + "@people.example"} {
		a := olga.form(team, team+"/invite", "mail", mail, "role", "editor")
		body := olga.get(a.location).body
		seen = append(seen, a.location+strings.ReplaceAll(between(body, `<main`, `</main>`), mail, "X"))
		id := between(body, `name="invite" value="`, `"`)
		olga.form(team, team+"/withdraw", "invite", id)
		seen[len(seen)-1] = csrfField.ReplaceAllString(strings.ReplaceAll(seen[len(seen)-1], id, "I"), "")
	}
	if seen[0] != seen[1] {
		t.Errorf("the answers differ:\n%s\n%s", seen[0], seen[1])
	}
	if w.mailsTo(known.mail) != nil {
		t.Error("an invitation that was taken back is sent")
	}
}

// TestInviteEnds: an invitation that was taken back, is too old, or whose sender is not an owner any more, opens nothing.
func TestInviteEnds(t *testing.T) {
	for name, end := range map[string]func(w *world, olga, paul *person, team string){
		"two weeks later": func(w *world, _, _ *person, _ string) { w.later(14*24*time.Hour + time.Minute) },
		"taken back": func(w *world, olga, _ *person, team string) {
			olga.form(team, team+"/withdraw", "invite", between(olga.get(team).body, `name="invite" value="`, `"`))
		},
		"sent again": func(w *world, olga, _ *person, team string) {
			olga.form(team, team+"/invite", "mail", "bea@people.example", "role", "editor")
		},
		"its sender removed": func(w *world, olga, paul *person, team string) {
			if a := paul.form(team, team+"/remove", "account", olga.id); a.status != http.StatusSeeOther {
				w.t.Fatalf("remove: %d %s", a.status, a.body)
			}
		},
		"its sender deleted": func(w *world, olga, _ *person, _ string) {
			if err := w.accounts.Delete(w.t.Context(), olga.id); err != nil {
				w.t.Fatal(err)
			}
		},
		"given back": func(w *world, _, paul *person, team string) {
			if a := paul.form(team, team+"/giveback", "sure", "1"); a.status != http.StatusSeeOther {
				w.t.Fatalf("give back: %d", a.status)
			}
		},
		"declined": func(w *world, _, _ *person, _ string) {},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			olga, paul, bea := w.member("Olga"), w.member("Paul"), w.member("Bea")
			e := w.place("La Fourmilière", ownedBy(olga, paul))
			team := "/e/" + e.Slug + "/team"
			olga.form(team, team+"/invite", "mail", bea.mail, "role", "owner")
			link := w.linkTo(bea.mail)
			if a := bea.get(link); a.status != http.StatusOK {
				t.Fatalf("before: %d", a.status)
			}
			end(w, olga, paul, team)
			if name == "declined" {
				if a := w.visitor().form(link, "/join", "token", token(link), "answer", "no"); a.status != http.StatusOK {
					t.Fatalf("declining: %d", a.status)
				}
			}
			if a := bea.get(link); a.status != http.StatusGone {
				t.Errorf("the page answers %d", a.status)
			}
			if a := bea.form("/account", "/join", "token", token(link), "answer", "yes"); a.status != http.StatusGone {
				t.Errorf("joining: %d", a.status)
			}
			if now := w.entry(e.ID); slices.Contains(slices.Concat(now.Private.Owners, now.Private.Editors), bea.id) {
				t.Error("she is of the team")
			}
		})
	}
}

// TestInviteOnce: of several accounts that follow one link at the same moment, one is let in.
func TestInviteOnce(t *testing.T) {
	w := newWorld(t)
	olga := w.member("Olga")
	e := w.place("La Fourmilière", ownedBy(olga))
	team := "/e/" + e.Slug + "/team"
	olga.form(team, team+"/invite", "mail", "bea@people.example", "role", "editor")
	link := w.linkTo("bea@people.example")
	var wg sync.WaitGroup
	for _, name := range []string{"A", "B", "C", "D"} {
		p := w.member(name)
		wg.Go(func() { p.form(link, "/join", "token", token(link), "answer", "yes") })
	}
	wg.Wait()
	if now := w.entry(e.ID); len(now.Private.Editors) != 1 {
		t.Errorf("%d were let in", len(now.Private.Editors))
	}
}

// TestTeamChanges: roles, removal, handing over, leaving and giving back; an entry never loses its last owner by accident.
func TestTeamChanges(t *testing.T) {
	w := newWorld(t)
	olga, edi := w.member("Olga"), w.member("Edi")
	e := w.place("La Fourmilière", ownedBy(olga), edited(edi))
	team := "/e/" + e.Slug + "/team"
	owners, editors := func() []string { return w.entry(e.ID).Private.Owners }, func() []string { return w.entry(e.ID).Private.Editors }

	for name, a := range map[string]answer{
		"leaving":         olga.form(team, team+"/leave"),
		"removing":        olga.form("/account", team+"/remove", "account", olga.id),
		"becoming editor": olga.form("/account", team+"/role", "account", olga.id, "role", "editor"),
	} {
		if a.status != http.StatusConflict || !slices.Equal(owners(), []string{olga.id}) {
			t.Errorf("the last owner, %s: %d, owners %v", name, a.status, owners())
		}
	}
	if a := olga.form("/account", team+"/handover", "account", olga.id); a.status != http.StatusBadRequest {
		t.Errorf("handing over to oneself: %d", a.status)
	}
	if a := olga.form(team, team+"/handover", "account", edi.id); a.status != http.StatusSeeOther || !slices.Equal(owners(), []string{edi.id}) || !slices.Equal(editors(), []string{olga.id}) {
		t.Fatalf("handing over: %d, owners %v, editors %v", a.status, owners(), editors())
	}
	if mails := w.mailsTo(edi.mail); len(mails) != 1 || !strings.Contains(mails[0].Subject, "responsable") {
		t.Errorf("mails to the new owner: %+v", mails)
	}
	if a := olga.form("/account", team+"/role", "account", olga.id, "role", "owner"); a.status != http.StatusForbidden {
		t.Errorf("an editor makes herself owner: %d", a.status)
	}
	if a := edi.form(team, team+"/role", "account", olga.id, "role", "owner"); a.status != http.StatusSeeOther || len(owners()) != 2 || len(editors()) != 0 {
		t.Errorf("an owner more: %d %v", a.status, owners())
	}
	if a := edi.form(team, team+"/leave"); a.status != http.StatusSeeOther || !slices.Equal(owners(), []string{olga.id}) {
		t.Errorf("leaving: %d %v", a.status, owners())
	}
	if mails := w.mailsTo(olga.mail); len(mails) != 2 { // made an owner, and told that the other left
		t.Errorf("%d mails to the owner who stays: %+v", len(mails), mails)
	}
	if a := edi.get(team); a.status != http.StatusForbidden {
		t.Errorf("who left sees the team: %d", a.status)
	}
	if a := olga.form(team, team+"/giveback"); a.status != http.StatusUnprocessableEntity || len(owners()) != 1 {
		t.Errorf("giving back without being sure: %d", a.status)
	}
	if a := olga.form(team, team+"/giveback", "sure", "1"); a.status != http.StatusSeeOther || len(owners()) != 0 || !w.entry(e.ID).Claimed.IsZero() {
		t.Errorf("giving back: %d %v", a.status, owners())
	}
	if body := w.visitor().get("/e/" + e.Slug).body; !strings.Contains(body, "/e/"+e.Slug+"/claim") {
		t.Error("what was given back cannot be claimed")
	}
	for _, op := range []string{"rendue", "quitté", "transmise"} {
		if body := w.visitor().get("/e/" + e.Slug + "/history").body; !strings.Contains(body, op) {
			t.Errorf("the history does not tell %q", op)
		}
	}
}

// TestTextOfTheEntryGoesBackAlone: reverting what an entry says does not change who keeps it.
func TestTextOfTheEntryGoesBackAlone(t *testing.T) {
	w := newWorld(t)
	anna, mod := w.member("Anna"), w.member("Mod", account.Moderator)
	e := w.place("La Fourmilière")
	at := "/e/" + e.Slug + "/claim"
	anna.form(at, at, "way", "published")
	link := w.linkTo("contact@fourmiliere.org")
	w.visitor().form(link, "/claim", "token", token(link), "answer", "yes")
	claimed := w.entry(e.ID)
	claimed.Summary = "Autre chose"
	if _, err := w.d.Put(t.Context(), "test", claimed); err != nil {
		t.Fatal(err)
	}
	now := w.entry(e.ID)
	if a := mod.form("/account", "/e/"+e.Slug+"/revert", "to", itoa(e.Version), "version", itoa(now.Version), "reason", "erreur"); a.status != http.StatusSeeOther {
		t.Fatalf("revert: %d %s", a.status, a.body)
	}
	back := w.entry(e.ID)
	if back.Summary != "" || !slices.Equal(back.Private.Owners, []string{anna.id}) || !back.Claimed.Equal(claimed.Claimed) {
		t.Errorf("after reverting: %q %v %v", back.Summary, back.Private.Owners, back.Claimed)
	}
}

// TestDeletedAccounts: an entry does not stay in the hands of somebody who is gone.
func TestDeletedAccounts(t *testing.T) {
	w := newWorld(t)
	olga, edi, solo := w.member("Olga"), w.member("Edi"), w.member("Solo")
	team := w.place("La Fourmilière", ownedBy(olga), edited(edi))
	alone := w.place("Seule", ownedBy(solo), func(e *directory.Entry) { e.Contact = &directory.Contact{Email: "seule@example.org"} })
	at := "/e/" + alone.Slug + "/claim"
	solo.form(at, at, "way", "published")
	link := w.linkTo("seule@example.org")
	w.visitor().form(link, "/claim", "token", token(link), "answer", "yes")
	if w.entry(alone.ID).Claimed.IsZero() {
		t.Fatal("not claimed")
	}
	for _, p := range []*person{olga, solo} {
		if err := w.accounts.Delete(t.Context(), p.id); err != nil {
			t.Fatal(err)
		}
	}
	if now := w.entry(team.ID); !slices.Equal(now.Private.Owners, []string{edi.id}) || len(now.Private.Editors) > 0 {
		t.Errorf("who is left does not become the owner: %+v", now.Private)
	}
	if mails := w.mailsTo(edi.mail); len(mails) != 1 || !strings.Contains(mails[0].Subject, "responsable") {
		t.Errorf("mails to who is left: %+v", mails)
	}
	if now := w.entry(alone.ID); !now.Public() || !now.Claimed.IsZero() || len(now.Private.Owners) > 0 {
		t.Errorf("an entry that nobody keeps: %v %v %+v", now.Status, now.Claimed, now.Private)
	}
	if records, err := w.store.Records(t.Context(), "claim", solo.id+"/", 10); err != nil || len(records) > 0 {
		t.Errorf("claims of who is gone: %v %d", err, len(records))
	}
}
