package belonging_test

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"archipel/api/account"
	"archipel/directory"
)

// TestClaimByMail: the link of a mail to the place gives the claimant the entry, once, whoever follows it.
func TestClaimByMail(t *testing.T) {
	w := newWorld(t)
	e := w.place("La Fourmilière")
	anna, eve := w.member("Anna"), w.member("Eve")
	if body := w.visitor().get("/e/" + e.Slug).body; !strings.Contains(body, "/e/"+e.Slug+"/claim") {
		t.Error("the page of an entry that nobody keeps does not ask whose place it is")
	}
	page := w.visitor().get("/e/" + e.Slug + "/claim")
	if page.status != http.StatusOK || !strings.Contains(page.body, "/signin?next=%2Fe%2F"+e.Slug+"%2Fclaim") || strings.Contains(page.body, `name="way"`) {
		t.Errorf("a visitor: %d %s", page.status, page.body)
	}
	at := "/e/" + e.Slug + "/claim"
	if a := anna.form(at, at, "way", "published"); a.status != http.StatusSeeOther || a.location != at {
		t.Fatalf("claim: %d %s", a.status, a.body)
	}
	if body := anna.get(at).body; !strings.Contains(body, "En attente de la réponse par courriel") {
		t.Error("the page does not say that a link went out")
	}
	mails := w.mailsTo("contact@fourmiliere.org")
	if len(mails) != 1 || !strings.Contains(mails[0].Text, "Anna (anna@people.example)") || !strings.Contains(mails[0].Text, "refuser") || mails[0].Lang != "fr" {
		t.Fatalf("mails %+v", mails)
	}
	link := mailLink.FindStringSubmatch(mails[0].Text)[1]
	// Mail programs look ahead: to open the link does nothing.
	if a := w.visitor().get(link); a.status != http.StatusOK || !strings.Contains(a.body, "anna@people.example") {
		t.Fatalf("the link: %d %s", a.status, a.body)
	}
	if now := w.entry(e.ID); !now.Claimed.IsZero() || len(now.Private.Owners) > 0 {
		t.Fatalf("opening the link claims: %+v", now)
	}
	// Somebody else's session follows it: it is Anna who gets the entry.
	if a := eve.form(link, "/claim", "token", token(link), "answer", "yes"); a.status != http.StatusOK || !strings.Contains(a.body, "Anna tient désormais") {
		t.Fatalf("the answer: %d %s", a.status, a.body)
	}
	now := w.entry(e.ID)
	if !slices.Equal(now.Private.Owners, []string{anna.id}) || now.Claimed.IsZero() || w.now().Sub(now.Claimed) > time.Hour {
		t.Fatalf("owners %v, claimed %v", now.Private.Owners, now.Claimed)
	}
	history, err := w.d.History(t.Context(), e.ID, 0, 1)
	if err != nil || history[0].Op != directory.OpTeam || history[0].Author != account.AuthorPrefix+anna.id || !strings.Contains(history[0].Note, "prouvée") {
		t.Errorf("the log: %v %+v", err, history)
	}
	for name, who := range map[string]*person{"the place again": w.visitor(), "the claimant": anna} {
		if a := who.get(link); a.status != http.StatusGone {
			t.Errorf("%s opens a link that was used: %d", name, a.status)
		}
		if a := who.form("/forgot", "/claim", "token", token(link), "answer", "no"); a.status != http.StatusGone && a.status != http.StatusForbidden {
			t.Errorf("%s uses it again: %d", name, a.status)
		}
	}
	body := w.visitor().get("/e/" + e.Slug).body
	if !strings.Contains(body, "Fiche tenue par son équipe depuis le") || strings.Contains(body, "/claim") || strings.Contains(body, "anna@") {
		t.Errorf("the public page: %s", body)
	}
	if mails := w.mailsTo("anna@people.example"); len(mails) != 1 || !strings.Contains(mails[0].Subject, "responsable") {
		t.Errorf("mails to the new owner: %+v", mails)
	}
	if body := w.visitor().get("/api/collections/entries/items/" + string(e.ID)).body; !strings.Contains(body, `"claimed":"2`) || strings.Contains(body, anna.id) {
		t.Errorf("the API: %s", body)
	}
}

// TestClaimDenied: who reads the place's mail says no; nothing changes, and the address is not asked again.
func TestClaimDenied(t *testing.T) {
	w := newWorld(t)
	e := w.place("La Fourmilière")
	eve := w.member("Eve")
	at := "/e/" + e.Slug + "/claim"
	eve.form(at, at, "way", "published")
	link := w.linkTo("contact@fourmiliere.org")
	if a := w.visitor().form(link, "/claim", "token", token(link), "answer", "no"); a.status != http.StatusOK || !strings.Contains(a.body, "refusée") {
		t.Fatalf("the answer: %d %s", a.status, a.body)
	}
	if now := w.entry(e.ID); now.Version != e.Version {
		t.Errorf("the entry changed: %+v", now)
	}
	if mails := w.mailsTo(eve.mail); len(mails) != 1 || !strings.Contains(mails[0].Text, "a refusé") {
		t.Errorf("mails to the claimant: %+v", mails)
	}
	if a := eve.form(at, at, "way", "published"); a.status != http.StatusConflict || !strings.Contains(a.body, "déjà répondu") {
		t.Errorf("asking again: %d", a.status)
	}
	if mails := w.mailsTo("contact@fourmiliere.org"); len(mails) > 0 {
		t.Errorf("the place is asked again: %+v", mails)
	}
	if a := eve.form(at, at, "way", "people", "text", "Je suis la présidente, appelez le 04 77 00 00 00"); a.status != http.StatusSeeOther {
		t.Errorf("a moderator: %d %s", a.status, a.body)
	}
}

// TestClaimLinkEnds: after 48 hours, after a withdrawal, after a new link, when the address is not the place's any more, and
// when the account is gone, the link opens nothing.
func TestClaimLinkEnds(t *testing.T) {
	for name, tt := range map[string]func(w *world, anna *person, e directory.Entry){
		"two days later": func(w *world, _ *person, _ directory.Entry) { w.later(48*time.Hour + time.Minute) },
		"withdrawn": func(w *world, anna *person, e directory.Entry) {
			at := "/e/" + e.Slug + "/claim"
			if a := anna.form(at, at+"/withdraw"); a.status != http.StatusSeeOther {
				w.t.Fatalf("withdraw: %d", a.status)
			}
		},
		"asked again": func(w *world, anna *person, e directory.Entry) {
			at := "/e/" + e.Slug + "/claim"
			anna.form(at, at, "way", "domain", "mail", "anna@fourmiliere.org")
		},
		"another address": func(w *world, _ *person, e directory.Entry) {
			e.Contact = &directory.Contact{Email: "nouveau@ailleurs.org"}
			if _, err := w.d.Put(w.t.Context(), "test", e); err != nil {
				w.t.Fatal(err)
			}
		},
		"the entry hidden": func(w *world, _ *person, e directory.Entry) {
			e.Status = directory.Hidden
			if _, err := w.d.Put(w.t.Context(), "test", e); err != nil {
				w.t.Fatal(err)
			}
		},
		"the account deleted": func(w *world, anna *person, _ directory.Entry) {
			if err := w.accounts.Delete(w.t.Context(), anna.id); err != nil {
				w.t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			e := w.place("La Fourmilière")
			anna := w.member("Anna")
			at := "/e/" + e.Slug + "/claim"
			anna.form(at, at, "way", "published")
			link := w.linkTo("contact@fourmiliere.org")
			reader := w.visitor()
			if a := reader.get(link); a.status != http.StatusOK {
				t.Fatalf("before: %d", a.status)
			}
			tt(w, anna, e)
			if a := reader.get(link); a.status != http.StatusGone {
				t.Errorf("the page answers %d", a.status)
			}
			if a := reader.form("/forgot", "/claim", "token", token(link), "answer", "yes"); a.status != http.StatusGone {
				t.Errorf("the answer is taken: %d", a.status)
			}
			if now := w.entry(e.ID); !now.Claimed.IsZero() || len(now.Private.Owners) > 0 {
				t.Errorf("the entry is claimed: %+v", now.Private)
			}
		})
	}
}

// TestClaimAddresses: what is no address at the place's own domain gets no mail.
func TestClaimAddresses(t *testing.T) {
	w := newWorld(t)
	eve := w.member("Eve")
	site := func(url string) func(*directory.Entry) {
		return func(e *directory.Entry) { e.Contact = &directory.Contact{Website: url} }
	}
	for _, tt := range []struct{ name, site, mail string }{
		{"another domain", "https://fourmiliere.org", "eve@evil.example"},
		{"a domain that ends alike", "https://fourmiliere.org", "eve@lafourmiliere.org"},
		{"a subdomain of another", "https://fourmiliere.org", "eve@fourmiliere.org.evil.fr"},
		{"the domain before the at", "https://fourmiliere.org", "fourmiliere.org@evil.fr"},
		{"a second address", "https://fourmiliere.org", "eve@evil.fr,x@fourmiliere.org"},
		{"a line break", "https://fourmiliere.org", "x@fourmiliere.org\r\nBcc: eve@evil.fr"},
		{"an encoded line break", "https://fourmiliere.org", "x%0d%0aBcc: eve@evil.fr@fourmiliere.org"},
		{"a name with an address", "https://fourmiliere.org", "Eve <eve@evil.fr> <x@fourmiliere.org>"},
		{"letters that look alike", "https://fourmiliere.org", "eve@fourmiliеre.org"}, // a Cyrillic е
		{"a public mail provider", "https://gmail.com", "eve@gmail.com"},
		{"pages of a provider", "http://fourmiliere.free.fr", "eve@free.fr"},
		{"pages of a provider, same host", "http://fourmiliere.free.fr", "eve@fourmiliere.free.fr"},
		{"a blog among many", "https://fourmiliere.wordpress.com", "eve@fourmiliere.wordpress.com"},
		{"the host of blogs", "https://fourmiliere.wordpress.com", "eve@wordpress.com"},
		{"code pages", "https://fourmiliere.github.io", "eve@fourmiliere.github.io"},
		{"a social network", "https://www.facebook.com/fourmiliere", "eve@facebook.com"},
		{"a public suffix", "https://asso.fr", "eve@asso.fr"},
		{"another name below a public suffix", "https://fourmiliere.asso.fr", "eve@autre.asso.fr"},
		{"a number", "https://192.0.2.7", "eve@192.0.2.7"},
		{"an unknown top level", "https://fourmiliere.intranet", "eve@fourmiliere.intranet"},
		{"no website", "", "eve@fourmiliere.org"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e := w.place("Lieu "+tt.name, site(tt.site))
			at := "/e/" + e.Slug + "/claim"
			if a := eve.form(at, at, "way", "domain", "mail", tt.mail); a.status != http.StatusUnprocessableEntity {
				t.Errorf("%q for %s: %d %s", tt.mail, tt.site, a.status, a.location)
			}
			w.mailsTo("nobody")
			w.box.mu.Lock()
			defer w.box.mu.Unlock()
			if len(w.box.mails) > 0 {
				t.Errorf("a mail went out to %s", w.box.mails[0].To)
			}
			w.box.mails = nil
		})
	}
	for _, tt := range []struct{ name, site, mail, to string }{
		{"the domain", "https://fourmiliere.org", "eve@fourmiliere.org", "eve@fourmiliere.org"},
		{"with www", "http://www.fourmiliere.org/equipe?x=1#y", "Eve@Fourmiliere.ORG", "eve@fourmiliere.org"},
		{"a subdomain for mail", "https://fourmiliere.org:8443", "eve@mail.fourmiliere.org", "eve@mail.fourmiliere.org"},
		{"below a suffix of two", "https://fourmiliere.asso.fr", "eve@fourmiliere.asso.fr", "eve@fourmiliere.asso.fr"},
		{"letters with accents", "https://fourmilière.fr", "eve@fourmilière.fr", "eve@xn--fourmilire-66a.fr"},
		{"as the network writes them", "https://fourmilière.fr", "eve@xn--fourmilire-66a.fr", "eve@xn--fourmilire-66a.fr"},
		{"full-width letters", "https://fourmiliere.org", "eve@\uff46ourmiliere.org", "eve@fourmiliere.org"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			paul := w.member("Paul " + tt.name)
			e := w.place("Bon lieu "+tt.name, site(tt.site))
			at := "/e/" + e.Slug + "/claim"
			if a := paul.form(at, at, "way", "domain", "mail", tt.mail); a.status != http.StatusSeeOther {
				t.Fatalf("%q for %s: %d %s", tt.mail, tt.site, a.status, a.body)
			}
			link := w.linkTo(tt.to)
			w.visitor().form(link, "/claim", "token", token(link), "answer", "yes")
			if now := w.entry(e.ID); !slices.Contains(now.Private.Owners, paul.id) {
				t.Errorf("owners %v", now.Private.Owners)
			}
		})
	}
}

// TestClaimRefused: who may not claim, what cannot be claimed, and forms from elsewhere.
func TestClaimRefused(t *testing.T) {
	w := newWorld(t)
	eve := w.member("Eve")
	mirrored := w.place("Ailleurs", func(e *directory.Entry) { e.Origin = "autre.example" })
	draft := w.place("Brouillon", func(e *directory.Entry) { e.Status = directory.Draft })
	e := w.place("La Fourmilière")
	if a := eve.form("/account", "/e/"+mirrored.Slug+"/claim", "way", "published"); a.status != http.StatusForbidden {
		t.Errorf("a mirrored entry: %d", a.status)
	}
	if a := eve.get("/e/" + mirrored.Slug + "/claim"); a.status != http.StatusForbidden {
		t.Errorf("the page of a mirrored entry: %d", a.status)
	}
	if body := eve.get("/e/" + mirrored.Slug).body; strings.Contains(body, "/claim") {
		t.Error("a mirrored entry asks whose place it is")
	}
	if a := eve.form("/account", "/e/"+draft.Slug+"/claim", "way", "published"); a.status != http.StatusNotFound {
		t.Errorf("a draft: %d", a.status)
	}
	at := "/e/" + e.Slug + "/claim"
	if a := w.visitor().form("/forgot", at, "way", "published"); a.status != http.StatusUnauthorized {
		t.Errorf("nobody: %d", a.status)
	}
	if a := eve.do(http.MethodPost, at, "way=published"); a.status != http.StatusForbidden {
		t.Errorf("without a token: %d", a.status)
	}
	token := csrfField.FindStringSubmatch(eve.get(at).body)[1]
	if a := eve.do(http.MethodPost, at, "way=published&csrf="+token, "Origin", "https://evil.example"); a.status != http.StatusForbidden {
		t.Errorf("from another origin: %d", a.status)
	}
	if a := eve.do(http.MethodPost, at, "way=published&csrf="+token, "Sec-Fetch-Site", "cross-site"); a.status != http.StatusForbidden {
		t.Errorf("from another site: %d", a.status)
	}
	for name, pairs := range map[string][]string{"no way": nil, "an unknown way": {"way", "magic"}, "no words": {"way", "people", "text", " \n "}, "too many": {"way", "people", "text", strings.Repeat("x", 2001)}} {
		if a := eve.form(at, at, pairs...); a.status != http.StatusUnprocessableEntity {
			t.Errorf("%s: %d", name, a.status)
		}
	}
	if w.mailsTo("contact@fourmiliere.org") != nil {
		t.Error("a mail went out")
	}
}

// TestTwoClaimsAtOnce: of two who prove it, the first keeps the entry; the other asks the first, and only a moderator
// decides over their heads.
func TestTwoClaimsAtOnce(t *testing.T) {
	w := newWorld(t)
	e := w.place("La Fourmilière")
	at := "/e/" + e.Slug + "/claim"
	anna, bob, mod := w.member("Anna"), w.member("Bob"), w.member("Mod", account.Moderator)
	anna.form(at, at, "way", "domain", "mail", "anna@fourmiliere.org")
	bob.form(at, at, "way", "domain", "mail", "bob@fourmiliere.org")
	links := []string{w.linkTo("anna@fourmiliere.org"), w.linkTo("bob@fourmiliere.org")}
	var wg sync.WaitGroup
	for _, link := range links {
		reader := w.visitor()
		reader.get(link)
		wg.Go(func() { reader.form(link, "/claim", "token", token(link), "answer", "yes") })
	}
	wg.Wait()
	now := w.entry(e.ID)
	if len(now.Private.Owners) != 1 {
		t.Fatalf("owners %v", now.Private.Owners)
	}
	first, second := anna, bob
	if now.Private.Owners[0] == bob.id {
		first, second = bob, anna
	}
	mails := w.mailsTo(first.mail)
	if len(mails) != 2 {
		t.Errorf("mails to the first: %+v", mails)
	}
	if body := second.get(at).body; !strings.Contains(body, "Prouvé, en attente des responsables") {
		t.Errorf("the second is not told: %s", body)
	}
	if body := first.get("/e/" + e.Slug + "/team").body; !strings.Contains(body, second.mail) {
		t.Error("the team does not see the request")
	}
	queue := mod.get("/moderate?show=claim").body
	if !strings.Contains(queue, second.mail) || !strings.Contains(queue, "l’a confirmé") {
		t.Fatalf("the queue: %s", queue)
	}
	action := between(queue, `action="/moderate/claims/`, `"`)
	if a := mod.form("/moderate?show=claim", "/moderate/claims/"+action, "decision", "approve", "reason", "Vu au téléphone"); a.status != http.StatusSeeOther {
		t.Fatalf("approve: %d %s", a.status, a.body)
	}
	if now := w.entry(e.ID); !slices.Equal(now.Private.Owners, []string{first.id, second.id}) {
		t.Errorf("owners %v", now.Private.Owners)
	}
	if a := mod.form("/account", "/moderate/claims/"+action, "decision", "refuse", "reason", "non"); a.status != http.StatusConflict {
		t.Errorf("deciding twice: %d", a.status)
	}
}

func between(s, from, to string) string {
	_, rest, _ := strings.Cut(s, from)
	found, _, _ := strings.Cut(rest, to)
	return found
}

// TestClaimByPeople: without a proof a moderator decides, and says why.
func TestClaimByPeople(t *testing.T) {
	w := newWorld(t)
	e := w.place("La Fourmilière", func(e *directory.Entry) { e.Contact = nil })
	at := "/e/" + e.Slug + "/claim"
	anna, eve, mod := w.member("Anna"), w.member("Eve"), w.member("Mod", account.Moderator)
	if body := anna.get(at).body; strings.Contains(body, `value="published"`) || strings.Contains(body, `value="domain"`) {
		t.Error("ways are offered that lead nowhere")
	}
	anna.form(at, at, "way", "people", "text", "Je suis Anna <script>alert(1)</script>\nappelez-moi")
	eve.form(at, at, "way", "people", "text", "Moi aussi")
	queue := mod.get("/moderate?show=claim").body
	if strings.Contains(queue, "<script>alert") || !strings.Contains(queue, "appelez-moi") || !strings.Contains(queue, anna.mail) {
		t.Fatalf("the queue: %s", queue)
	}
	ids := strings.Split(queue, `action="/moderate/claims/`)
	if len(ids) != 3 {
		t.Fatalf("%d claims", len(ids)-1)
	}
	first, second := strings.SplitN(ids[1], `"`, 2)[0], strings.SplitN(ids[2], `"`, 2)[0]
	for name, who := range map[string]*person{"a member": eve, "nobody": w.visitor()} {
		if a := who.form("/signin", "/moderate/claims/"+first, "decision", "approve"); a.status != http.StatusForbidden && a.status != http.StatusUnauthorized {
			t.Errorf("%s decides: %d", name, a.status)
		}
	}
	if a := mod.form("/moderate", "/moderate/claims/"+second, "decision", "refuse"); a.status != http.StatusBadRequest {
		t.Errorf("refusing without a reason: %d", a.status)
	}
	if a := mod.form("/moderate", "/moderate/claims/"+second, "decision", "refuse", "reason", "Nous ne vous connaissons pas"); a.status != http.StatusSeeOther {
		t.Fatalf("refuse: %d %s", a.status, a.body)
	}
	if mails := w.mailsTo(eve.mail); len(mails) != 1 || !strings.Contains(mails[0].Text, "Nous ne vous connaissons pas") {
		t.Errorf("mails to who was refused: %+v", mails)
	}
	if body := eve.get(at).body; !strings.Contains(body, "Nous ne vous connaissons pas") {
		t.Error("the page does not give the reason")
	}
	if a := eve.form(at, at, "way", "people", "text", "Si, si"); a.status != http.StatusConflict {
		t.Errorf("asking again: %d", a.status)
	}
	if a := mod.form("/moderate", "/moderate/claims/"+first, "decision", "approve"); a.status != http.StatusSeeOther || !strings.Contains(mod.get(a.location).body, "est confiée") {
		t.Fatalf("approve: %d %s", a.status, a.body)
	}
	now := w.entry(e.ID)
	if !slices.Equal(now.Private.Owners, []string{anna.id}) || now.Claimed.IsZero() {
		t.Errorf("owners %v, claimed %v", now.Private.Owners, now.Claimed)
	}
	history, err := w.d.History(t.Context(), e.ID, 0, 1)
	if err != nil || history[0].Author != account.AuthorPrefix+mod.id || history[0].Op != directory.OpTeam {
		t.Errorf("the log: %v %+v", err, history)
	}
	if body := w.visitor().get("/e/" + e.Slug + "/history").body; !strings.Contains(body, "Prise en charge acceptée") || strings.Contains(body, "anna@") || strings.Contains(body, anna.id) {
		t.Errorf("the history: %s", body)
	}
}

// TestClaimOfAKeptEntry: who keeps the entry is asked first; after a week without an answer a moderator sees it.
func TestClaimOfAKeptEntry(t *testing.T) {
	w := newWorld(t)
	owner, eve, mod := w.member("Olga"), w.member("Eve"), w.member("Mod", account.Moderator)
	e := w.place("La Fourmilière", ownedBy(owner))
	at := "/e/" + e.Slug + "/claim"
	if a := eve.form(at, at, "way", "people", "text", "J’y travaille"); a.status != http.StatusSeeOther {
		t.Fatalf("claim: %d %s", a.status, a.body)
	}
	mails := w.mailsTo(owner.mail)
	if len(mails) != 1 || !strings.Contains(mails[0].Text, "J’y travaille") {
		t.Fatalf("mails to the owner: %+v", mails)
	}
	if queue := mod.get("/moderate?show=claim").body; strings.Contains(queue, eve.mail) {
		t.Error("a moderator is asked before the team had its time")
	}
	w.later(8 * 24 * time.Hour)
	if queue := mod.get("/moderate?show=claim").body; !strings.Contains(queue, eve.mail) {
		t.Error("a claim that nobody answers stays unseen")
	}
	team := "/e/" + e.Slug + "/team"
	id := between(owner.get(team).body, `name="claim" value="`, `"`)
	if a := eve.form("/account", team+"/claims", "claim", id, "decision", "owner"); a.status != http.StatusForbidden {
		t.Errorf("the claimant answers: %d", a.status)
	}
	if a := owner.form(team, team+"/claims", "claim", id, "decision", "refuse"); a.status != http.StatusUnprocessableEntity {
		t.Errorf("refusing without a word: %d", a.status)
	}
	if a := owner.form(team, team+"/claims", "claim", id, "decision", "editor", "reason", "Bienvenue"); a.status != http.StatusSeeOther {
		t.Fatalf("accept: %d %s", a.status, a.body)
	}
	now := w.entry(e.ID)
	if !slices.Equal(now.Private.Owners, []string{owner.id}) || !slices.Equal(now.Private.Editors, []string{eve.id}) || !now.Claimed.IsZero() {
		t.Errorf("owners %v, editors %v, claimed %v: nobody has proved anything", now.Private.Owners, now.Private.Editors, now.Claimed)
	}
	// An owner who proves it makes the entry a claimed one.
	if a := owner.form(at, at, "way", "published"); a.status != http.StatusSeeOther {
		t.Fatalf("the owner's claim: %d %s", a.status, a.body)
	}
	link := w.linkTo("contact@fourmiliere.org")
	w.visitor().form(link, "/claim", "token", token(link), "answer", "yes")
	if now := w.entry(e.ID); now.Claimed.IsZero() || !slices.Equal(now.Private.Owners, []string{owner.id}) {
		t.Errorf("after the owner's proof: %v %v", now.Claimed, now.Private.Owners)
	}
}

// TestClaimsAreLimited: nobody makes us flood an address, or moderators.
func TestClaimsAreLimited(t *testing.T) {
	w := newWorld(t)
	eve := w.member("Eve")
	sent := 0
	for i := range 12 {
		e := w.place("Lieu "+strings.Repeat("x", i+1), func(e *directory.Entry) { e.Contact = &directory.Contact{Email: "victime@example.org"} })
		at := "/e/" + e.Slug + "/claim"
		if a := eve.form(at, at, "way", "published"); a.status == http.StatusSeeOther {
			sent++
		} else if a.status != http.StatusTooManyRequests {
			t.Fatalf("%d %s", a.status, a.body)
		}
	}
	if got := len(w.mailsTo("victime@example.org")); got != sent || sent == 0 || sent > 4 {
		t.Errorf("%d mails for %d claims", got, sent)
	}
	// Sent twice, a claim is one claim, and one mail.
	paul := w.member("Paul")
	e := w.place("Un autre lieu")
	at := "/e/" + e.Slug + "/claim"
	paul.form(at, at, "way", "people", "text", "Un")
	paul.form(at, at, "way", "people", "text", "Deux")
	records, err := w.store.Records(context.Background(), "claim", paul.id+"/", 100)
	if err != nil || len(records) != 1 || !strings.Contains(string(records[0].Value), "Deux") {
		t.Errorf("%v %d records", err, len(records))
	}
}
