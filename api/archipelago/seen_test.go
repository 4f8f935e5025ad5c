package archipelago_test

import (
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"archipel/api/account"
	"archipel/directory"
	"archipel/federation/islands"
	"archipel/frontend"

	"github.com/paulmach/orb"
)

var askedField = regexp.MustCompile(`name="asked" value="([^"]*)"`)

func square(west, south, east, north float64) *directory.Shape {
	return &directory.Shape{Geometry: orb.Polygon{{{west, south}, {east, south}, {east, north}, {west, north}, {west, south}}}}
}

// TestSayingYesToWhatWasSeen: an answer from a page that is not true any more gives nothing, and a page shows all that is asked.
func TestSayingYesToWhatWasSeen(t *testing.T) {
	a, b := newWorld(t, "Île A"), newWorld(t, "Île B")
	ctx, bob, back := t.Context(), b.member(account.Admin), frontend.IslandURL(a.host)
	ask := func(scope islands.Scope) (tag string) {
		t.Helper()
		if _, err := islands.Ask(ctx, a.store, "http://"+b.host, scope, islands.Show); err != nil {
			t.Fatal(err)
		}
		eventually(t, "b is asked", func() bool {
			out := b.with(a).Out
			return out.State == islands.Asked && out.Asked.Tag() == scope.Tag()
		})
		found := askedField.FindAllStringSubmatch(bob.get(back).body, -1)
		if len(found) != 2 || found[0][1] != found[1][1] {
			t.Fatalf("the forms that answer say that they are about %v", found)
		}
		return found[0][1]
	}
	tag := ask(islands.Scope{Others: true})
	if page := bob.get(back).body; !strings.Contains(page, " · Aussi ce que nous montrons d’autres îles") {
		t.Error("the page does not say that what comes of others is asked for too")
	}
	if _, err := islands.Refuse(ctx, b.store, a.host, "Non."); err != nil {
		t.Fatal(err)
	}
	for _, do := range [][]string{{"do", "accept"}, {"do", "give", "form", "give", "where", "all"}} {
		if got := bob.form(back, back, append(do, "asked", tag)...); got.status != http.StatusConflict || b.with(a).Out.State != islands.Refused {
			t.Errorf("%v after somebody refused: %d, then %s", do, got.status, b.with(a).Out.State)
		}
	}

	tag = ask(islands.Scope{Area: square(4, 45, 4.1, 45.1)})
	ask(islands.Scope{Area: square(3, 44, 6, 47)})
	give := []string{"do", "give", "form", "give", "where", "kept", "kinds", "place"}
	if got := bob.form(back, back, append(give, "asked", tag)...); got.status != http.StatusConflict || b.with(a).Out.State != islands.Asked {
		t.Errorf("an outline that nobody has seen: %d, then %s", got.status, b.with(a).Out.State)
	}
	if got := bob.form(back, back, give...); got.status != http.StatusSeeOther || b.with(a).Out.State != islands.Narrowed || b.with(a).Out.Agreed.Area == nil {
		t.Fatalf("giving less: %d, %+v", got.status, b.with(a).Out)
	}
	// Another operator gives still less; who sees the page from before does not give more again.
	tag = askedField.FindStringSubmatch(bob.get(back).body)[1]
	if _, err := islands.Accept(ctx, b.store, a.host, &islands.Scope{Kinds: []directory.Kind{directory.Event}}, false); err != nil {
		t.Fatal(err)
	}
	if got := bob.form(back, back, "do", "give", "form", "give", "where", "all", "asked", tag); got.status != http.StatusConflict || len(b.with(a).Out.Agreed.Kinds) != 1 {
		t.Errorf("giving from an old page: %d, %+v", got.status, b.with(a).Out.Agreed)
	}
	if got := bob.form(back, back, "do", "give", "form", "give", "where", "all"); got.status != http.StatusSeeOther || len(b.with(a).Out.Agreed.Kinds) != 0 {
		t.Errorf("giving from the page as it is: %d, %+v", got.status, b.with(a).Out.Agreed)
	}
}

// TestWhatAPlainActorBrings is found from its page: what waits, and the words of its server.
func TestWhatAPlainActorBrings(t *testing.T) {
	w := newWorld(t, "Ici")
	const server, handle = nowhere, "relay@" + nowhere
	value, err := json.Marshal(islands.Agreement{Plain: &islands.Plain{Typed: "@" + handle}, In: islands.Side{State: islands.Accepted, Standing: true, Policy: islands.Review}})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.store.PutRecord(t.Context(), "island", directory.Record{Key: handle, Value: value}); err != nil {
		t.Fatal(err)
	}
	// Before the server knows that it is followed, it would take out of view what comes from there.
	eventually(t, "it is known", func() bool {
		standing, err := w.islands.Standing(t.Context())
		return err == nil && len(standing) == 1
	})
	e, err := w.d.Put(t.Context(), "island:"+handle, directory.Entry{Kind: directory.Place, Name: "Atelier vélo", Lang: "fr", Status: directory.Pending, Origin: server, Sites: []orb.Point{{4.3, 45.4}},
		Private: &directory.Private{Mirror: &directory.Mirrored{Version: 1, Via: []string{handle}}}})
	if err != nil {
		t.Fatal(err)
	}
	admin, at, queue := w.member(account.Admin), frontend.IslandURL(handle), "/moderate/islands?island="+strings.NewReplacer("@", "%40", ":", "%3A").Replace(handle)
	var page string
	eventually(t, "it waits", func() bool {
		page = admin.get(at).body
		return w.entry(e.ID).Status == directory.Pending && strings.Contains(page, `href="`+queue)
	})
	eventually(t, "it is listed, and its actor is offered", func() bool {
		list := admin.get(queue).body
		return strings.Contains(list, "Atelier vélo") && strings.Contains(list, handle+" 1")
	})
	if got := admin.form(queue, "/moderate/islands", "do", "show_all", "island", handle); got.status != http.StatusSeeOther {
		t.Errorf("showing all of it: %d", got.status)
	}
	eventually(t, "all of it is shown", func() bool { return publicEntry(w, e.ID) })
	words := at + "/words"
	if !strings.Contains(page, `href="`+words+`"`) || admin.get(words).status != http.StatusOK {
		t.Fatal("its page does not lead to its words")
	}
	if got := admin.send(words, "word.0", "chantier", "ours.0", "-"); got.status != http.StatusSeeOther {
		t.Errorf("saying its words: %d", got.status)
	}
	if said, err := islands.Map(t.Context(), w.store, server); err != nil || len(said) != 1 {
		t.Errorf("of what comes of the server it is said %v, %v", said, err)
	}
}
