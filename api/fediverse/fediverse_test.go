package fediverse_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"archipel/api/account"
	"archipel/directory"
	"archipel/federation"
	"archipel/federation/fedtest"
)

// TestWhoMay walks every route of the room with every role, and without the token of a form.
func TestWhoMay(t *testing.T) {
	w := newWorld(t)
	people := map[account.Role]*person{}
	for _, role := range []account.Role{account.Nobody, account.Member, account.Moderator, account.Admin} {
		people[role] = w.somebody(role)
	}
	fill := strings.NewReplacer(":host", "ailleurs.example", ":list", string(directory.NewID()), ":key", strings.Repeat("a", 64))
	seen := 0
	for _, r := range w.server.Handler().GetRoutes(true) {
		own := strings.HasPrefix(r.Path, "/admin/fediverse")
		if !own && !strings.HasPrefix(r.Path, "/moderate/flags") || r.Method == http.MethodHead {
			continue
		}
		seen++
		path := fill.Replace(r.Path)
		for role, p := range people {
			may := role == account.Admin || !own && role == account.Moderator
			var a answer
			if r.Method == http.MethodGet {
				a = p.get(path)
			} else {
				page := "/account"
				if role == account.Nobody {
					page = "/forgot"
				}
				if a = p.do(r.Method, path, "action=block&severity=suspend", "application/x-www-form-urlencoded"); a.status != http.StatusForbidden {
					t.Errorf("%s %s as %q without the form's token: %d", r.Method, path, role, a.status)
				}
				a = p.form(page, path)
			}
			turned := a.status == http.StatusForbidden || a.status == http.StatusUnauthorized || role == account.Nobody && a.status == http.StatusSeeOther && strings.HasPrefix(a.location, "/signin")
			if turned == may || a.status >= 500 {
				t.Errorf("%s %s as %q: %d, may: %v", r.Method, path, role, a.status, may)
			}
		}
	}
	if seen < 14 {
		t.Errorf("only %d routes were walked", seen)
	}
	if p := w.fed.Policy(); len(p.Rules) != 0 || p.Mode != federation.ModeOpen {
		t.Errorf("somebody changed the policy: %+v", p)
	}
}

// TestEmpty: an instance that nobody has found yet says so.
func TestEmpty(t *testing.T) {
	w := newWorld(t)
	admin := w.somebody(account.Admin)
	for _, path := range []string{"/admin/fediverse", "/admin/fediverse?lang=en", "/admin/fediverse?q=%3Cb%3E&state=failing", "/admin/fediverse/servers/ailleurs.example", "/admin/fediverse/keys", "/admin"} {
		body := admin.page(path)
		if strings.Contains(body, "servers.") || strings.Contains(body, "{{") {
			t.Errorf("%s shows a key", path)
		}
	}
	if !strings.Contains(admin.page("/admin"), `href="/admin/fediverse"`) {
		t.Error("no link from the administration")
	}
	for path, want := range map[string]int{
		"/admin/fediverse?state=kaputt": 400, "/admin/fediverse?from=-1": 400, "/admin/fediverse/servers/a%20b": 404, "/admin/fediverse/servers/A.example": 404, "/admin/fediverse/keys?whose=nobody": 400,
		"/admin/fediverse/blocks/none": 404, "/admin/fediverse/server?domain=a+b": 422, "/admin/fediverse/server?domain=Ailleurs.Example": 303,
	} {
		if a := admin.get(path); a.status != want {
			t.Errorf("%s: %d, want %d", path, a.status, want)
		}
	}
}

// TestFollowers: in quarantine people wait, with hostile names; yes and no reach their servers.
func TestFollowers(t *testing.T) {
	w := newWorld(t)
	admin := w.somebody(account.Admin)
	if !strings.Contains(admin.done("/admin/fediverse/policy", "mode", "quarantine", "signed_fetch", "1"), `value="quarantine" checked`) {
		t.Error("the mode is not shown")
	}
	site, _, err := w.store.Setting(t.Context(), "site")
	if err != nil || !strings.Contains(string(site), `"signedFetch":true`) {
		t.Errorf("authorised fetch: %s, %v", site, err)
	}
	yes, no := fedtest.NewPeer(t), fedtest.NewPeer(t)
	yes.Actor["name"], yes.Actor["summary"] = `Maud <img src=x onerror=alert(1)>`, `<script>alert("xss")</script><p>J’aime \u202Eles plantes</p>`
	for _, p := range []*fedtest.Peer{yes, no} {
		w.sends(p, p.Activity("Follow", w.base+"/ap/relay"))
	}
	body := admin.page("/admin/fediverse")
	for _, want := range []string{yes.ID(), no.ID(), "Maud", "les plantes", "@maud@" + hostOf(yes)} {
		if !strings.Contains(body, want) {
			t.Errorf("the page does not show %q", want)
		}
	}
	for _, bad := range []string{"<img src=x", "<script>alert", "onerror=alert"} {
		if strings.Contains(body, bad) {
			t.Errorf("the page shows %q", bad)
		}
	}
	admin.done("/admin/fediverse/followers", "actor", yes.ID(), "decision", "accept")
	admin.done("/admin/fediverse/followers", "actor", no.ID(), "decision", "refuse")
	yes.Await("Accept", 1)
	no.Await("Reject", 1)
	admin.done("/admin/fediverse/followers", "actor", yes.ID(), "decision", "accept") // the same again is told again
	w.eventually("one follower", func() bool {
		list, err := federation.Followers(t.Context(), w.store)
		return err == nil && len(list) == 1 && list[0].Actor == yes.ID()
	})
	if a := admin.form("/admin/fediverse", "/admin/fediverse/followers", "actor", no.ID(), "decision", "accept"); a.status != http.StatusConflict {
		t.Errorf("yes to somebody who was refused: %d", a.status)
	}
	if a := admin.form("/admin/fediverse", "/admin/fediverse/followers", "actor", yes.ID(), "decision", "perhaps"); a.status != http.StatusBadRequest {
		t.Errorf("an unknown decision: %d", a.status)
	}
	// On the server's page, and blocking has its effect before the page answers.
	at := "/admin/fediverse/servers/" + hostOf(yes)
	if body := admin.page(at); !strings.Contains(body, yes.ID()) || !strings.Contains(body, "server-well") && !strings.Contains(body, "server-quiet") {
		t.Error("the server's page does not show who follows, or how it fares")
	}
	a := admin.form(at, at, "action", "block", "severity", "suspend", "reject_media", "1", "comment", "Publicité", "private", "vu le 3 mars")
	if a.status != http.StatusSeeOther {
		t.Fatalf("block: %d %s", a.status, a.body)
	}
	if n, err := federation.Followers(t.Context(), w.store); err != nil || len(n) != 0 {
		t.Errorf("after the block there are followers: %v %v", n, err)
	}
	if status := yes.Post(w.base+"/ap/inbox", yes.Activity("Like", w.base+"/ap/relay"), nil); status != http.StatusForbidden {
		t.Errorf("a blocked server is answered with %d", status)
	}
	body = admin.page(a.location)
	for _, want := range []string{"server-blocked", `value="Publicité"`, `value="vu le 3 mars"`, `value="suspend" checked`} {
		if !strings.Contains(body, want) {
			t.Errorf("the page of a blocked server does not show %q", want)
		}
	}
	if csv := admin.get("/admin/fediverse/blocks.csv"); csv.status != 200 || !strings.Contains(csv.body, hostOf(yes)+",suspend,true,false,Publicité,false") || strings.Contains(csv.body, "mars") {
		t.Errorf("export: %d %s", csv.status, csv.body)
	}
	if a := admin.form(at, at, "action", "unblock"); a.status != http.StatusSeeOther {
		t.Errorf("unblock: %d", a.status)
	}
	if w.fed.Blocks(hostOf(yes)) {
		t.Error("it is still blocked")
	}
	for _, c := range [][]string{{"action", "block"}, {"action", "block", "severity", "kill"}, {"action", "explode"}} {
		if a := admin.form(at, at, c...); a.status != http.StatusBadRequest {
			t.Errorf("%q: %d", c, a.status)
		}
	}
	own := "/admin/fediverse/servers/" + w.fed.Host()
	if a := admin.form("/admin/fediverse", own, "action", "block", "severity", "suspend"); a.status != http.StatusBadRequest || w.fed.Blocks(w.fed.Host()) {
		t.Errorf("the instance blocks itself: %d", a.status)
	}
}

func TestAllowed(t *testing.T) {
	w := newWorld(t)
	admin := w.somebody(account.Admin)
	admin.done("/admin/fediverse/allowed", "domain", " Ami.Example.org ", "action", "add")
	admin.done("/admin/fediverse/allowed", "domain", "bücher.example.org", "action", "add")
	body := admin.done("/admin/fediverse/policy", "mode", "allowlist")
	if !w.fed.Blocks("autre.example.org") || w.fed.Blocks("ami.example.org") || !strings.Contains(body, "xn--bcher-kva.example.org") {
		t.Error("the list has no effect")
	}
	if a := admin.form("/admin/fediverse", "/admin/fediverse/allowed", "domain", `"><script>alert(1)</script>`, "action", "add"); a.status != http.StatusUnprocessableEntity || strings.Contains(a.body, "<script>alert") {
		t.Errorf("no domain: %d", a.status)
	}
	admin.done("/admin/fediverse/allowed", "domain", "ami.example.org", "action", "remove")
	if !w.fed.Blocks("ami.example.org") {
		t.Error("it is still allowed")
	}
	if body := admin.page("/admin/fediverse/servers/ami.example.org"); !strings.Contains(body, "server-blocked") {
		t.Error("its page does not say that nothing is exchanged")
	}
}

// TestAllowlistIsAskedFor: a mode that shuts followers out says how many, and asks; what else was chosen is kept.
func TestAllowlistIsAskedFor(t *testing.T) {
	w := newWorld(t)
	admin := w.somebody(account.Admin)
	friend, other := fedtest.NewPeer(t), fedtest.NewPeer(t)
	for _, p := range []*fedtest.Peer{friend, other} {
		w.sends(p, p.Activity("Follow", w.base+"/ap/relay"))
	}
	count := func() int {
		list, err := federation.Followers(t.Context(), w.store)
		if err != nil {
			t.Fatal(err)
		}
		return len(list)
	}
	ask := func(words ...string) {
		t.Helper()
		a := admin.form("/admin/fediverse", "/admin/fediverse/policy", "mode", "allowlist", "signed_fetch", "1")
		if a.status != http.StatusSeeOther || !strings.HasPrefix(a.location, "/admin/fediverse/policy?") || count() != 2 || w.fed.Policy().Mode != federation.ModeOpen {
			t.Fatalf("nothing is asked: %d %s, %d follow", a.status, a.location, count())
		}
		body := admin.page(a.location)
		for _, want := range append(words, `name="mode" value="allowlist"`, `name="signed_fetch" value="1"`, `name="sure" value="1"`) {
			if !strings.Contains(body, want) {
				t.Errorf("the question does not show %q", want)
			}
		}
	}
	ask("2 abonné·es seront perdu·es", "Aucun serveur n’est admis")
	// With its port: all peers of a test are one machine.
	admin.done("/admin/fediverse/allowed", "domain", hostOf(friend), "action", "add")
	ask("1 abonné·e sera perdu·e")
	admin.done("/admin/fediverse/policy", "mode", "allowlist", "signed_fetch", "1", "sure", "1")
	if list, err := federation.Followers(t.Context(), w.store); err != nil || len(list) != 1 || list[0].Actor != friend.ID() {
		t.Errorf("who follows now: %v, %v", list, err)
	}
	// Taking the server away takes its followers along: that is asked, too, on both pages that do it.
	server := "/admin/fediverse/servers/" + url.PathEscape(hostOf(friend))
	for _, a := range []answer{
		admin.form("/admin/fediverse", "/admin/fediverse/allowed", "domain", hostOf(friend), "action", "remove"),
		admin.form(server, server, "action", "disallow"),
	} {
		if a.status != http.StatusSeeOther || !strings.HasPrefix(a.location, "/admin/fediverse/allowed?") {
			t.Fatalf("nothing is asked: %d %s", a.status, a.location)
		}
		if list, err := federation.Followers(t.Context(), w.store); err != nil || len(list) != 1 {
			t.Fatalf("before the answer %d follow, %v", len(list), err)
		}
		body := admin.page(a.location)
		for _, want := range []string{"1 abonné·e de ce serveur sera perdu·e", hostOf(friend), `name="action" value="remove"`, `name="sure" value="1"`} {
			if !strings.Contains(body, want) {
				t.Errorf("the question does not show %q", want)
			}
		}
	}
	admin.done("/admin/fediverse/allowed", "domain", hostOf(friend), "action", "remove", "sure", "1")
	if list, err := federation.Followers(t.Context(), w.store); err != nil || len(list) != 0 {
		t.Errorf("who follows when nobody is allowed: %v, %v", list, err)
	}
	// Where nobody is lost nothing is asked.
	if a := admin.get("/admin/fediverse/allowed?domain=" + url.QueryEscape(hostOf(friend))); a.status != http.StatusSeeOther {
		t.Errorf("the question about nobody: %d", a.status)
	}
	admin.done("/admin/fediverse/policy", "mode", "open")
	admin.done("/admin/fediverse/policy", "mode", "allowlist")
}

// TestBlockLists: a list is shown before it is in force; rows that are wrong are named; what it says is only text.
func TestBlockLists(t *testing.T) {
	w := newWorld(t)
	admin := w.somebody(account.Admin)
	a := admin.upload("<b>liste</b>.csv", "#domain,#severity,#reject_media,#reject_reports,#public_comment,#obfuscate\n"+
		"mal.example.net,suspend,true,true,<script>alert(1)</script>,false\nbruit.example.net,silence,false,false,,false\nm*l.example.net,suspend,false,false,,true\nfr,suspend,,,,\npire.example.net,kill,,,,\n")
	if a.status != http.StatusSeeOther {
		t.Fatalf("upload: %d %s", a.status, a.body)
	}
	if len(w.fed.Policy().Rules) != 0 {
		t.Error("it is in force before anybody looked at it")
	}
	preview := a.location
	body := admin.page(preview)
	for _, want := range []string{"mal.example.net", "bruit.example.net", "Ligne 5", "Ligne 6", "kill", "&lt;script&gt;"} {
		if !strings.Contains(body, want) {
			t.Errorf("the preview does not show %q", want)
		}
	}
	if strings.Contains(body, "<script>alert") || strings.Contains(body, "<b>liste") {
		t.Error("the preview shows what the list says as it is")
	}
	if a := admin.form(preview, preview, "action", "perhaps"); a.status != http.StatusBadRequest {
		t.Errorf("an unknown action: %d", a.status)
	}
	if a := admin.form(preview, preview, "action", "take"); a.status != http.StatusSeeOther {
		t.Fatalf("take: %d %s", a.status, a.body)
	}
	if !w.fed.Blocks("sous.mal.example.net") || w.fed.Blocks("bruit.example.net") || len(w.fed.Policy().Rules) != 2 {
		t.Errorf("rules: %+v", w.fed.Policy().Rules)
	}
	if a := admin.get(preview); a.status != http.StatusNotFound {
		t.Errorf("a list that was taken over is still there: %d", a.status)
	}
	// What it replaces is shown; a list that changes nothing says so.
	a = admin.upload("encore.txt", "bruit.example.net\nmal.example.net\n")
	if body := admin.page(a.location); !strings.Contains(body, "<del>") {
		t.Error("what a list replaces is not shown")
	}
	admin.form(a.location, a.location, "action", "discard")
	if w.fed.Blocks("bruit.example.net") {
		t.Error("a list that was thrown away is in force")
	}
	for name, file := range map[string]string{"nothing": "", "no names": "\n\n#rien\n"} {
		if a := admin.upload("x.csv", file); a.status != http.StatusUnprocessableEntity {
			t.Errorf("%s: %d", name, a.status)
		}
	}
	var long strings.Builder
	for i := range 14_000 {
		fmt.Fprintf(&long, "h%d.example.net,suspend,true,true,%s\n", i, strings.Repeat("x", 20))
	}
	if a := admin.upload("long.csv", long.String()); a.status != http.StatusUnprocessableEntity {
		t.Errorf("too long: %d %s %d", a.status, a.location, long.Len())
	}
}

func TestKeys(t *testing.T) {
	w := newWorld(t)
	admin := w.somebody(account.Admin)
	key := func() string {
		_, doc := fedtest.Get(t, w.base+"/ap/relay")
		k, _ := doc["publicKey"].(map[string]any)
		return fmt.Sprint(k["id"], k["publicKeyPem"])
	}
	before := key()
	if a := admin.form("/admin/fediverse/keys?whose=relay", "/admin/fediverse/keys", "whose", "relay"); a.status != http.StatusSeeOther || key() != before {
		t.Errorf("without a confirmation: %d", a.status)
	}
	if body := admin.done("/admin/fediverse/keys", "whose", "relay", "sure", "1"); key() == before || !strings.Contains(body, "L’annuaire lui-même") {
		t.Error("the keys are the same")
	}
	if a := admin.form("/admin/fediverse", "/admin/fediverse/keys", "whose", "nobody", "sure", "1"); a.status != http.StatusBadRequest {
		t.Errorf("of nobody: %d", a.status)
	}
}

// TestFlags: what another server reports waits among the reports, and is decided there.
func TestFlags(t *testing.T) {
	w := newWorld(t)
	mod, member := w.somebody(account.Moderator), w.somebody(account.Member)
	p := fedtest.NewPeer(t)
	e := w.place(func(e *directory.Entry) { e.Kind = directory.Initiative })
	flag := func(text string, objects ...any) string {
		a := p.Activity("Flag", append([]any{w.base + "/ap/relay"}, objects...))
		a["content"] = text
		w.sends(p, a)
		reports, err := w.fed.OpenReports(t.Context())
		if err != nil || len(reports) == 0 {
			t.Fatalf("no report came: %v", err)
		}
		return "/moderate/flags/" + reports[len(reports)-1].Key()
	}
	at := flag(`<p>Ce lieu <img src=x onerror=alert(1)>n’existe plus</p>`, w.base+"/id/"+string(e.ID))
	body := mod.page("/moderate?show=report")
	for _, want := range []string{e.Name, hostOf(p), p.ID(), "existe plus", at} {
		if !strings.Contains(body, want) {
			t.Errorf("the queue does not show %q", want)
		}
	}
	if strings.Contains(body, "<img src=x") {
		t.Error("the queue shows a stranger's HTML")
	}
	if a := member.form("/account", at, "decision", "dismiss"); a.status != http.StatusForbidden {
		t.Errorf("a member decides: %d", a.status)
	}
	if a := mod.form("/account", at, "decision", "remove", "version", "1"); a.status != http.StatusBadRequest {
		t.Errorf("taken away without a reason: %d", a.status)
	}
	if a := mod.form("/account", at, "decision", "remove", "reason", "Fermé.", "version", "99"); a.status != http.StatusConflict {
		t.Errorf("about another version: %d", a.status)
	}
	if a := mod.form("/account", at, "decision", "dismiss"); a.status != http.StatusSeeOther {
		t.Fatalf("dismiss: %d %s", a.status, a.body)
	}
	if a := mod.form("/account", at, "decision", "accept"); a.status != http.StatusConflict {
		t.Errorf("decided twice: %d", a.status)
	}
	at = flag("Encore", w.base+"/id/"+string(e.ID))
	if a := mod.form("/account", at, "decision", "remove", "reason", "Fermé.", "version", fmt.Sprint(e.Version)); a.status != http.StatusSeeOther {
		t.Fatalf("remove: %d %s", a.status, a.body)
	}
	if now, err := w.d.Entry(t.Context(), e.ID); err != nil || now.Status != directory.Removed {
		t.Errorf("the entry is %s, %v", now.Status, err)
	}
	// One of another island is hidden, so that what changes there leaves it so.
	theirs := w.place(func(e *directory.Entry) { e.Origin = "autre.example" })
	at = flag("Là-bas", w.base+"/id/"+string(theirs.ID))
	if a := mod.form("/account", at, "decision", "remove", "reason", "Fermé.", "version", fmt.Sprint(theirs.Version)); a.status != http.StatusSeeOther {
		t.Fatalf("remove what is of another island: %d %s", a.status, a.body)
	}
	if now, err := w.d.Entry(t.Context(), theirs.ID); err != nil || now.Status != directory.Hidden {
		t.Errorf("what is of another island is %s, %v", now.Status, err)
	}
	flag("Tout l’annuaire") // about nothing but the instance
	if body := mod.page("/moderate?show=report"); !strings.Contains(body, "Tout l’annuaire") {
		t.Error("a report of the whole directory is not shown")
	}
	// What a report was about is here no more, or never was: it waits all the same, and can be put away.
	lost := federation.Report{ID: p.URL() + "/flags/lost", Actor: p.ID(), Objects: []string{w.base + "/id/" + string(directory.NewID())}, Content: "Plus rien", Received: time.Now().UTC()}
	value, err := json.Marshal(lost)
	if err == nil {
		err = w.store.PutRecord(t.Context(), "ap-report", directory.Record{Key: lost.Key(), Value: value})
	}
	if err != nil {
		t.Fatal(err)
	}
	if body := mod.page("/moderate?show=report"); !strings.Contains(body, "Plus rien") {
		t.Error("a report of what is gone waits unseen")
	}
	if a := mod.form("/account", "/moderate/flags/"+lost.Key(), "decision", "dismiss"); a.status != http.StatusSeeOther {
		t.Errorf("it cannot be put away: %d", a.status)
	}
	admin := w.somebody(account.Admin)
	server := "/admin/fediverse/servers/" + url.PathEscape(hostOf(p))
	if body := admin.page(server); !strings.Contains(body, "Tout l’annuaire") || !strings.Contains(body, "Rien à changer") {
		t.Error("the server's page does not show its reports and what became of them")
	}
	if a := admin.form(server, server, "action", "block", "severity", "noop", "reject_reports", "1"); a.status != http.StatusSeeOther {
		t.Fatal(a.status)
	}
	if body := mod.page("/moderate?show=report"); strings.Contains(body, "Tout l’annuaire") {
		t.Error("reports of a server that is not heard are shown")
	}
}

// TestPassOn: a report about an entry of another directory goes there, with the moderator's words and without the reporter.
func TestPassOn(t *testing.T) {
	w, there := newWorld(t), newWorld(t)
	theirs := there.place(nil)
	mirrored := w.place(func(e *directory.Entry) { e.ID, e.Origin = theirs.ID, there.fed.Host() })
	form := "/e/" + mirrored.Slug + "/report"
	visitor, mod := w.visitor(), w.somebody(account.Moderator)
	if body := visitor.page(form); !strings.Contains(body, `name="forward"`) {
		t.Fatal("the form does not offer to pass it on")
	}
	if a := visitor.form(form, form, "category", "closed", "text", "Parole de visiteur", "forward", "1"); a.status != http.StatusOK {
		t.Fatalf("report: %d %s", a.status, a.body)
	}
	if list, err := federation.PassedOn(t.Context(), w.store); err != nil || len(list) != 0 {
		t.Errorf("a visitor's report went out by itself: %+v %v", list, err)
	}
	records, err := w.store.Records(t.Context(), "report", "", 10)
	if err != nil || len(records) != 1 {
		t.Fatal(records, err)
	}
	if a := mod.form("/moderate", "/moderate/reports/"+records[0].Key, "decision", "pass", "reason", "Le lieu est fermé depuis mai."); a.status != http.StatusSeeOther {
		t.Fatalf("pass on: %d %s", a.status, a.body)
	} else if !strings.Contains(mod.page(a.location), "est transmis") {
		t.Error("the page does not say so")
	}
	arrived := func(n int) []federation.Report {
		var list []federation.Report
		there.eventually("the report arrives", func() (ok bool) {
			var err error
			list, err = there.fed.OpenReports(t.Context())
			return err == nil && len(list) == n
		})
		return list
	}
	if got := arrived(1)[0]; got.Content != "Le lieu est fermé depuis mai." || got.Actor != w.base+"/ap/relay" {
		t.Errorf("got %+v", got)
	}
	if body := there.somebody(account.Moderator).page("/moderate?show=report"); !strings.Contains(body, "fermé depuis mai") || !strings.Contains(body, theirs.Name) {
		t.Error("it does not stand in the other directory's queue")
	}
	// Somebody with an account is heard there at once; nothing says who it is.
	member := w.somebody(account.Member)
	if a := member.form(form, form, "category", "wrong", "text", "L’adresse a changé.", "forward", "1"); a.status != http.StatusOK {
		t.Fatalf("report: %d", a.status)
	}
	for _, got := range arrived(2) {
		if strings.Contains(got.Content, "Camille") || strings.Contains(got.Content, "account") {
			t.Errorf("it names the reporter: %q", got.Content)
		}
	}
	// Of an entry of ours there is nobody to tell.
	own := w.place(func(e *directory.Entry) { e.Name = "Chez nous" })
	if strings.Contains(visitor.page("/e/"+own.Slug+"/report"), `name="forward"`) {
		t.Error("a report of an entry of ours can be passed on")
	}
}
