package echoes_test

import (
	"encoding/csv"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"archipel/directory"
	"archipel/federation"
	"archipel/federation/fedtest"
)

// TestCounts says how many like and share an event, where its organisation has an account, and is right when they take it back.
func TestCounts(t *testing.T) {
	onBothStores(t, func(t *testing.T, w *world) {
		anna := w.member("Anna")
		e, other := w.event("Bal", w.organisation(anna).ID), w.event("Bal sans compte", "")
		maud, paul := fedtest.NewPeer(t), fedtest.NewPeer(t)
		says := func(e directory.Entry, want string) {
			t.Helper()
			w.eventually(want, func() bool {
				body := w.visitor().get("/e/" + e.Slug).body
				if want == "" {
					return !strings.Contains(body, "sur d’autres réseaux") && !strings.Contains(body, "partagé ")
				}
				return strings.Contains(body, want)
			})
		}
		says(e, "")
		like := maud.Activity("Like", w.object(e))
		w.posts(maud, like)
		w.posts(maud, maud.Activity("Like", w.object(e))) // one of each
		w.posts(paul, paul.Activity("Like", w.object(e)))
		w.posts(paul, paul.Activity("Announce", w.object(e)))
		w.posts(paul, paul.Activity("Like", w.object(other)))
		says(e, "2 personnes aiment")
		says(e, "partagé 1 fois")
		says(other, "")
		w.posts(maud, maud.Activity("Undo", like))
		says(e, "1 personne aime")
		// A silenced server is left aside, also with what it did before; the same words come back with it.
		w.says(paul, "Create", "1", e, "Bonjour de Paul")
		r := w.replies(e)[0]
		if err := w.f.DecideReply(t.Context(), e.ID, r.Key, r.Rev, federation.ReplyShown, "test"); err != nil {
			t.Fatal(err)
		}
		says(e, "Bonjour de Paul")
		for _, severity := range []federation.Severity{federation.Silence, federation.Suspend} {
			rule := func(severity federation.Severity) {
				t.Helper()
				if _, err := federation.ChangePolicy(t.Context(), w.store, func(p *federation.Policy) error {
					delete(p.Rules, strings.TrimPrefix(paul.URL(), "http://"))
					if severity != "" {
						p.Rules[strings.TrimPrefix(paul.URL(), "http://")] = federation.Rule{Severity: severity}
					}
					return nil
				}); err != nil {
					t.Fatal(err)
				}
			}
			rule(severity)
			says(e, "")
			w.eventually("the words to go", func() bool { return !strings.Contains(w.visitor().get("/e/"+e.Slug).body, "Bonjour de Paul") })
			if strings.Contains(anna.get("/e/"+e.Slug+"/team/replies").body, "Bonjour de Paul") {
				t.Errorf("%s: the team still has it", severity)
			}
			rule("")
			says(e, "Bonjour de Paul")
		}
		// Whoever deletes their account takes everything along.
		w.posts(paul, paul.Activity("Delete", paul.ID()))
		says(e, "")
		if len(w.replies(e)) != 0 {
			t.Error("what a deleted account wrote is still there")
		}
	})
}

// TestGuests asks the team about everybody who wants to come, tells them what it said, and shows the list to nobody else.
func TestGuests(t *testing.T) {
	onBothStores(t, func(t *testing.T, w *world) {
		anna := w.member("Anna")
		e := w.event("Bal", w.organisation(anna, func(f *directory.Fediverse) { f.JoinsAsk = true }).ID)
		page := "/e/" + e.Slug + "/team/participants"
		maud, paul := fedtest.NewPeer(t), fedtest.NewPeer(t)
		maud.Actor["name"] = `=HYPERLINK("https://evil.example/")`
		if _, doc := fedtest.Get(t, w.object(e)); doc["joinMode"] != "restricted" {
			t.Errorf("joinMode is %v", doc["joinMode"])
		}
		join := maud.Activity("Join", w.object(e))
		join["participationMessage"] = "<b>À deux</b>, @moi"
		w.posts(maud, join)
		w.posts(paul, paul.Activity("Join", w.object(e)))
		if n, err := w.f.Participants(t.Context(), e.ID); n != 0 || err != nil {
			t.Errorf("%d come before anybody said yes, %v", n, err)
		}
		guests, err := w.f.Guests(t.Context(), e.ID)
		if err != nil || len(guests) != 2 {
			t.Fatal(guests, err)
		}
		decide := func(peer *fedtest.Peer, do string) {
			t.Helper()
			guests, err := w.f.Guests(t.Context(), e.ID)
			if err != nil {
				t.Fatal(err)
			}
			for _, g := range guests {
				if g.Actor == peer.ID() {
					if got := anna.form(page, page, "do", do, "key", g.Key, "rev", strconv.FormatInt(g.Rev, 10)); !strings.Contains(got.location, "done="+do) {
						t.Fatalf("%s: %d %s", do, got.status, got.body)
					}
					other := map[string]string{"accept": "refuse", "refuse": "accept"}[do]
					if got := anna.form(page, page, "do", other, "key", g.Key, "rev", strconv.FormatInt(g.Rev, 10)); got.status != http.StatusConflict {
						t.Errorf("%s after %s, from the same page: %d", other, do, got.status)
					}
				}
			}
		}
		decide(maud, "accept")
		if got := maud.Await("Accept", 1)[0]; got["object"].(map[string]any)["id"] != join["id"] {
			t.Errorf("%v", got)
		}
		decide(paul, "refuse")
		paul.Await("Reject", 1)
		w.posts(paul, paul.Activity("Join", w.object(e))) // asks again, and hears the same
		paul.Await("Reject", 2)
		body := anna.get(page).body
		if !strings.Contains(body, "À deux, @moi") || !strings.Contains(body, "HYPERLINK") {
			t.Error("the list does not say who comes")
		}
		table := anna.get(page + ".csv")
		rows, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(table.body, "\ufeff"))).ReadAll()
		if err != nil || len(rows) != 3 || rows[1][4] != "comes" || rows[2][4] != "refused" || !strings.HasPrefix(rows[1][1], "'=") || !strings.HasPrefix(rows[1][0], "maud@") {
			t.Errorf("%v %v", rows, err)
		}
		visitor := w.visitor()
		if got := visitor.get("/e/" + e.Slug).body; strings.Contains(got, "HYPERLINK") || strings.Contains(got, "participants") || !strings.Contains(got, "1 ") {
			t.Error("the public page says who comes")
		}
		// What they take back is gone, and a decision about it too late.
		w.posts(maud, maud.Activity("Leave", w.object(e)))
		if guests, _ := w.f.Guests(t.Context(), e.ID); len(guests) != 1 {
			t.Errorf("%d guests", len(guests))
		}
		if n := len(maud.Received("Reject")); n != 0 {
			t.Errorf("who left is told %d times", n)
		}
	})
}
