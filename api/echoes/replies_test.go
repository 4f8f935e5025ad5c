package echoes_test

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"archipel/api/account"
	"archipel/directory"
	"archipel/federation"
	"archipel/federation/fedtest"
)

const hostile = `<p>J'y serai&nbsp;! <a href="javascript:alert(1)">ici</a> <a href="https://ailleurs.example/p?q=1" onclick="x()">là</a></p>
<img src="https://pisteur.example/x.png"><script>alert(1)</script><svg onload=alert(1)><style>body{display:none}</style>
<form action="https://evil.example/"><input name=password></form><iframe src="https://evil.example/"></iframe>
</li></ol></article></main><h1>Annuaire fermé</h1><ul><li><blockquote>sans fin`

// TestAReplyIsDecided lives through what becomes of a reply: it waits, is shown, waits again when it is changed, is deleted.
func TestAReplyIsDecided(t *testing.T) {
	onBothStores(t, func(t *testing.T, w *world) {
		anna, visitor := w.member("Anna"), w.visitor()
		org := w.organisation(anna)
		e := w.event("Bal des fourmis", org.ID)
		team, page := "/e/"+e.Slug+"/team/replies", "/e/"+e.Slug
		maud := fedtest.NewPeer(t)
		maud.Actor["name"] = "Maud <script>x()</script>\u202eedom"
		w.says(maud, "Create", "1", e, hostile, func(note map[string]any) {
			note["url"] = "https://evil.example/notes/1" // of another server: it is not linked
		})
		if got := visitor.get(page); got.status != http.StatusOK || strings.Contains(got.body, "y serai") {
			t.Fatalf("%d: the reply is shown before anybody said so", got.status)
		}
		if got := anna.get("/me/entries"); !strings.Contains(got.body, "1 réponse d’un autre réseau") || !strings.Contains(got.body, team) {
			t.Error("the list of one's own entries does not tell of it")
		}
		if got := anna.get(page); !strings.Contains(got.body, team) || !strings.Contains(got.body, "(1 attend)") {
			t.Error("the page does not lead its team there")
		}
		if got := visitor.get(page); strings.Contains(got.body, "/team/replies") {
			t.Error("the page leads everybody there")
		}
		if got := anna.get("/e/" + org.Slug + "/team/replies"); got.status != http.StatusOK || !strings.Contains(got.body, team) {
			t.Errorf("%d: the organisation's page does not list the event", got.status)
		}
		// What is shown to the team and to everybody is harmless, and stays in its place.
		harmless := func(where, body string) {
			t.Helper()
			if !strings.Contains(body, "y serai") {
				t.Fatalf("%s: the reply is not there", where)
			}
			for _, bad := range []string{"javascript:", "onclick", "pisteur.example", "<script>alert", "<script>x", "onload", "display:none", "evil.example", "name=\"password\"", "<iframe", "<h1>Annuaire", "\u202e"} {
				if strings.Contains(body, bad) {
					t.Errorf("%s has %q", where, bad)
				}
			}
			for _, tag := range []string{"li", "ol", "ul", "article", "main", "blockquote", "div", "a"} {
				if open, closed := strings.Count(body, "<"+tag+" ")+strings.Count(body, "<"+tag+">"), strings.Count(body, "</"+tag+">"); open != closed {
					t.Errorf("%s: %d <%s> are opened, %d closed", where, open, tag, closed)
				}
			}
			if !strings.Contains(body, `rel="nofollow noreferrer"`) || !strings.Contains(body, maud.URL()+"/notes/1") || !strings.Contains(body, `rel="nofollow noopener ugc"`) {
				t.Errorf("%s: a link is missing, or followed", where)
			}
		}
		harmless("the team's page", anna.get(team).body)
		r := w.replies(e)[0]
		send := func(do string, r federation.Reply) answer {
			t.Helper()
			return anna.form(team, team, "do", do, "key", r.Key, "rev", strconv.FormatInt(r.Rev, 10), "actor", r.Actor)
		}
		if got := send("show", r); got.status != http.StatusSeeOther || !strings.Contains(got.location, "done=show") {
			t.Fatalf("%d %s", got.status, got.location)
		}
		harmless("the public page", visitor.get(page).body)
		if got := visitor.get(page).body; !strings.Contains(got, "@maud@"+strings.TrimPrefix(maud.URL(), "http://")) || !strings.Contains(got, "2 janvier 2026") {
			t.Error("the author's handle or the date is missing")
		}
		for _, other := range []string{"/api/collections/entries/items/" + string(e.ID), page + ".ics", page + "/history"} {
			if strings.Contains(visitor.get(other).body, "y serai") {
				t.Errorf("%s has the reply", other)
			}
		}
		// The same text stays shown, another one waits.
		w.says(maud, "Update", "1", e, hostile)
		if !strings.Contains(visitor.get(page).body, "y serai") {
			t.Error("an unchanged reply is gone")
		}
		w.says(maud, "Update", "1", e, "<p>Achetez mes montres</p>")
		if got := visitor.get(page).body; strings.Contains(got, "montres") || strings.Contains(got, "y serai") {
			t.Error("a changed reply is shown")
		}
		if got := send("show", r); got.status != http.StatusConflict || strings.Contains(visitor.get(page).body, "montres") {
			t.Errorf("%d: a text was approved that nobody had seen", got.status)
		}
		send("show", w.replies(e)[0])
		if !strings.Contains(visitor.get(page).body, "montres") {
			t.Error("it is not shown again")
		}
		// The team may think again; what was refused does not come back by being changed.
		send("refuse", w.replies(e)[0])
		w.says(maud, "Update", "1", e, "<p>Allez, quand même</p>")
		if got := w.replies(e)[0]; got.State != federation.ReplyRefused || strings.Contains(visitor.get(page).body, "quand même") {
			t.Errorf("%s", got.State)
		}
		send("show", w.replies(e)[0])
		// Nobody else can take it back, and its author can.
		stranger := fedtest.NewPeer(t)
		w.posts(stranger, stranger.Activity("Delete", maud.URL()+"/notes/1"))
		if !strings.Contains(visitor.get(page).body, "quand même") {
			t.Error("a stranger deleted it")
		}
		w.posts(maud, maud.Activity("Delete", map[string]any{"id": maud.URL() + "/notes/1", "type": "Tombstone"}))
		if strings.Contains(visitor.get(page).body, "quand même") || len(w.replies(e)) != 0 {
			t.Error("a deleted reply is still shown")
		}
	})
}

// TestOnlyPublicReplies leaves aside what is not for everybody, and takes down what is no longer.
func TestOnlyPublicReplies(t *testing.T) {
	onBothStores(t, func(t *testing.T, w *world) {
		anna := w.member("Anna")
		e := w.event("Bal", w.organisation(anna).ID)
		maud := fedtest.NewPeer(t)
		for i, change := range []func(map[string]any){
			func(n map[string]any) { n["to"] = w.base + "/ap/relay" },
			func(n map[string]any) { n["to"] = maud.ID() + "/followers" },
			func(n map[string]any) { delete(n, "to") },
			func(n map[string]any) { n["to"] = []string{}; n["bto"] = public },
		} {
			w.says(maud, "Create", fmt.Sprint("private", i), e, "Secret", change)
		}
		if list := w.replies(e); len(list) != 0 {
			t.Fatalf("private words are kept: %+v", list)
		}
		w.says(maud, "Create", "1", e, "Bonjour", func(n map[string]any) { n["to"], n["cc"] = maud.ID()+"/followers", []string{public} }) // unlisted
		r := w.replies(e)[0]
		if err := w.f.DecideReply(t.Context(), e.ID, r.Key, r.Rev, federation.ReplyShown, "test"); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(w.visitor().get("/e/"+e.Slug).body, "Bonjour") {
			t.Fatal("an unlisted reply is not shown")
		}
		w.says(maud, "Update", "1", e, "Bonjour", func(n map[string]any) { n["to"] = maud.ID() + "/followers" })
		if strings.Contains(w.visitor().get("/e/"+e.Slug).body, "Bonjour") {
			t.Error("what is for followers only is shown")
		}
	})
}

// TestVoices shows at once what somebody trusted writes, and nothing of somebody who is blocked.
func TestVoices(t *testing.T) {
	onBothStores(t, func(t *testing.T, w *world) {
		anna, visitor := w.member("Anna"), w.visitor()
		e := w.event("Bal", w.organisation(anna).ID)
		team, page := "/e/"+e.Slug+"/team/replies", "/e/"+e.Slug
		maud, troll := fedtest.NewPeer(t), fedtest.NewPeer(t)
		w.says(maud, "Create", "1", e, "Un")
		w.says(troll, "Create", "1", e, "Injure une")
		w.says(troll, "Create", "2", e, "Injure deux")
		for actor, do := range map[string]string{maud.ID(): "always", troll.ID(): "block"} {
			if got := anna.form(team, team, "do", do, "actor", actor); !strings.Contains(got.location, "done="+do) {
				t.Fatalf("%s: %d %s", do, got.status, got.body)
			}
		}
		w.says(maud, "Create", "2", e, "Deux")
		w.says(troll, "Create", "3", e, "Injure trois")
		if got := visitor.get(page).body; !strings.Contains(got, "Un") || !strings.Contains(got, "Deux") || strings.Contains(got, "Injure") {
			t.Error("what was said about them does not hold")
		}
		for _, r := range w.replies(e) {
			if want := map[string]federation.ReplyState{maud.ID(): federation.ReplyShown, troll.ID(): federation.ReplyRefused}[r.Actor]; r.State != want {
				t.Errorf("%s: %s", r.Content, r.State)
			}
		}
		if got := anna.form(team, team, "do", "always", "actor", "https://nobody.example/users/x"); got.status != http.StatusConflict {
			t.Errorf("somebody who never wrote: %d", got.status)
		}
		anna.form(team, team, "do", "forget", "actor", maud.ID())
		w.says(maud, "Create", "3", e, "Trois")
		if strings.Contains(visitor.get(page).body, "Trois") {
			t.Error("what was forgotten still holds")
		}
		if got := anna.form(team, team, "do", "explode"); got.status != http.StatusBadRequest {
			t.Errorf("%d", got.status)
		}
	})
}

// TestWhoDecides walks the pages with every role, and sends their forms without the token that a page of ours has.
func TestWhoDecides(t *testing.T) {
	onBothStores(t, func(t *testing.T, w *world) {
		owner, editor := w.member("Olga"), w.member("Ed")
		own := w.event("Bal", "", func(e *directory.Entry) {
			e.Private = &directory.Private{Owners: []string{owner.id}, Editors: []string{editor.id}}
		})
		maud := fedtest.NewPeer(t)
		w.says(maud, "Create", "1", own, "Bonjour")
		people := map[string]*person{
			"nobody": w.visitor(), "member": w.member("Max"), "editor": editor, "owner": owner,
			"warden":      w.member("Wanda", account.Standing{Role: account.Member, Wards: []account.Ward{{Category: "amap"}}}),
			"other ward":  w.member("Willy", account.Standing{Role: account.Member, Wards: []account.Ward{{Category: "repair-cafe"}}}),
			"moderator":   w.member("Mona", account.Standing{Role: account.Moderator}),
			"other owner": w.member("Omar"),
		}
		w.event("Autre", "", func(e *directory.Entry) { e.Private = &directory.Private{Owners: []string{people["other owner"].id}} })
		may := map[string]map[string]bool{
			"/team/replies":          {"editor": true, "owner": true, "warden": true, "moderator": true},
			"/team/participants":     {"editor": true, "owner": true, "moderator": true},
			"/team/participants.csv": {"editor": true, "owner": true, "moderator": true},
		}
		for path, allowed := range may {
			for name, p := range people {
				got := p.get("/e/" + own.Slug + path)
				if (got.status == http.StatusOK) != allowed[name] || strings.Contains(got.body, "Bonjour") && !allowed[name] {
					t.Errorf("GET %s as %s: %d", path, name, got.status)
				}
				if allowed[name] && !strings.Contains(got.header.Get("Cache-Control"), "no-store") {
					t.Errorf("GET %s as %s may be cached", path, name)
				}
				if strings.HasSuffix(path, ".csv") {
					continue
				}
				r := w.replies(own)[0]
				fields := []string{"do", "refuse", "key", r.Key, "rev", strconv.FormatInt(r.Rev, 10)}
				if got := p.do(http.MethodPost, "/e/"+own.Slug+path, strings.Join([]string{"do=refuse", "key=" + r.Key, "rev=" + fields[5]}, "&")); got.status < 400 {
					t.Errorf("POST %s as %s without a token: %d", path, name, got.status)
				}
				if w.replies(own)[0].State == federation.ReplyRefused {
					t.Fatalf("%s refused it without a token", name)
				}
				if got := p.form("/e/"+own.Slug+path, "/e/"+own.Slug+path, fields...); !allowed[name] && got.status < 400 {
					t.Errorf("POST %s as %s: %d", path, name, got.status)
				} else if path == "/team/replies" && (w.replies(own)[0].State == federation.ReplyRefused) != allowed[name] {
					t.Errorf("POST %s as %s: %d, and it is %s", path, name, got.status, w.replies(own)[0].State)
				}
				r = w.replies(own)[0]
				if r.State == federation.ReplyRefused {
					if err := w.f.DecideReply(t.Context(), own.ID, r.Key, r.Rev, federation.ReplyShown, "test"); err != nil {
						t.Fatal(err)
					}
				}
			}
		}
	})
}

// TestOrphans puts replies under entries that nobody keeps into the moderators' queue, and no others.
func TestOrphans(t *testing.T) {
	onBothStores(t, func(t *testing.T, w *world) {
		anna, mona := w.member("Anna"), w.member("Mona", account.Standing{Role: account.Moderator})
		kept, orphan := w.event("Bal tenu", w.organisation(anna).ID), w.event("Bal orphelin", "")
		maud := fedtest.NewPeer(t)
		w.says(maud, "Create", "1", kept, "Mot pour la fourmi")
		w.says(maud, "Create", "2", orphan, "Mot pour personne", func(n map[string]any) { n["summary"] = "attention" })
		queue := mona.get("/moderate?show=reply")
		if !strings.Contains(queue.body, "Mot pour personne") || !strings.Contains(queue.body, "attention") || strings.Contains(queue.body, "Mot pour la fourmi") {
			t.Fatalf("%d: the queue is not what it should be", queue.status)
		}
		r := w.replies(orphan)[0]
		action := "/moderate/replies/" + string(orphan.ID) + "/" + r.Key
		if got := anna.form("/account", action, "decision", "approve", "version", strconv.FormatInt(r.Rev, 10)); got.status != http.StatusForbidden {
			t.Errorf("a member decides: %d", got.status)
		}
		if got := mona.form("/moderate?show=reply", action, "decision", "approve", "version", strconv.FormatInt(r.Rev+1, 10)); got.status != http.StatusConflict {
			t.Errorf("what was not seen is decided: %d", got.status)
		}
		got := mona.form("/moderate?show=reply", action, "decision", "approve", "version", strconv.FormatInt(r.Rev, 10))
		if got.status != http.StatusSeeOther || !strings.Contains(mona.get(got.location).body, "est affichée sous") {
			t.Errorf("%d %s", got.status, got.location)
		}
		if !strings.Contains(w.visitor().get("/e/"+orphan.Slug).body, "Mot pour personne") {
			t.Error("it is not shown")
		}
	})
}
