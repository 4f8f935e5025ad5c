package federation_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"archipel/federation"
	"archipel/federation/fedtest"
)

// TestFollowerMoves lets a follower go on by another account, which names the old one as its own; and nobody be moved by
// anybody else.
func TestFollowerMoves(t *testing.T) {
	in := open(t, nil)
	org := in.organisation("la-fourmiliere", nil)
	old, next, stranger := fedtest.NewPeer(t), fedtest.NewPeer(t), fedtest.NewPeer(t)
	in.follows(old, in.actor(org))
	in.follows(old, in.relay())
	move := func(by *fedtest.Peer, who, to string) {
		t.Helper()
		a := by.Activity("Move", who)
		a["target"] = to
		if status := by.Post(in.inbox(), a, nil); status != http.StatusAccepted {
			t.Fatalf("Move is answered with %d", status)
		}
		eventually(t, "the move to be done", in.idle)
	}
	stays := func(why string) {
		t.Helper()
		records := in.records("ap-follower")
		if len(records) != 2 || records[0]["actor"] != old.ID() || records[1]["actor"] != old.ID() {
			t.Fatalf("%s: %v", why, records)
		}
	}
	move(old, old.ID(), next.ID())
	stays("the new account does not name the old one")
	stranger.Lock()
	stranger.Actor["alsoKnownAs"] = []string{old.ID()}
	stranger.Unlock()
	move(stranger, old.ID(), stranger.ID())
	stays("a stranger moves somebody to itself")
	move(old, old.ID(), in.actor(org))
	stays("it is moved to one of ours")
	move(old, old.ID(), next.URL()+"/users/nobody")
	stays("there is no such account")
	move(next, next.ID(), old.ID())
	stays("somebody moves who does not follow")

	next.Lock()
	next.Actor["alsoKnownAs"] = []string{old.ID()}
	next.Unlock()
	move(old, old.ID(), next.ID())
	for _, r := range in.records("ap-follower") {
		if r["actor"] != next.ID() || r["host"] != strings.TrimPrefix(next.URL(), "http://") || !strings.HasPrefix(r["inbox"].(string), next.URL()) {
			t.Errorf("%v", r)
		}
	}
	if n := in.followers(); n != 1 {
		t.Errorf("%v follow the instance", n)
	}
	// What comes now comes to the new account, once, and nothing to the old one.
	before := len(old.Received("Create"))
	in.organises(org, event("Bal"))
	next.Await("Create", 1)
	if n := len(old.Received("Create")); n != before || len(next.Received("Create")) != 1 {
		t.Errorf("the old account heard %d, the new one %d", n-before, len(next.Received("Create")))
	}
	// It leaves by its new name.
	next.Post(in.inbox(), next.Activity("Undo", map[string]any{"type": "Follow", "actor": next.ID(), "object": in.actor(org)}), nil)
	eventually(t, "it to leave", func() bool { return len(in.records("ap-follower")) == 1 })
}

// TestBlockedByAFollower: whoever blocks one of our actors follows no more, and what they wrote goes.
func TestBlockedByAFollower(t *testing.T) {
	in := open(t, nil)
	e := in.put(fair())
	p := in.followed()
	p.Post(in.inbox(), p.Activity("Create", map[string]any{
		"id": p.URL() + "/notes/1", "type": "Note", "attributedTo": p.ID(), "inReplyTo": in.base + "/id/" + string(e.ID), "content": "Bonjour", "to": "as:Public",
	}), nil)
	eventually(t, "the reply", func() bool { return len(in.records("ap-reply")) == 1 })
	p.Post(in.inbox(), p.Activity("Block", in.relay()), nil)
	eventually(t, "all of it to go", func() bool {
		return len(in.records("ap-reply"))+len(in.records("ap-reply-by"))+len(in.records("ap-follower")) == 0
	})
}

// TestGoneForLong: somebody whom we have forgotten deletes their account; their server, and no signature, says that they are gone.
func TestGoneForLong(t *testing.T) {
	in := open(t, nil)
	e := in.put(fair())
	p, liar := fedtest.NewPeer(t), fedtest.NewPeer(t)
	for _, peer := range []*fedtest.Peer{p, liar} {
		peer.Post(in.inbox(), peer.Activity("Create", map[string]any{
			"id": peer.URL() + "/notes/1", "type": "Note", "attributedTo": peer.ID(), "inReplyTo": in.base + "/id/" + string(e.ID), "content": "Bonjour", "to": "as:Public",
		}), nil)
	}
	eventually(t, "the replies", func() bool { return len(in.records("ap-reply")) == 2 })
	p.Lock()
	p.Answer = func(w http.ResponseWriter, r *http.Request) bool {
		w.WriteHeader(http.StatusGone)
		return true
	}
	p.Unlock()
	if err := in.s.ForgetActors(t.Context()); err != nil {
		t.Fatal(err)
	}
	if code := p.Post(in.inbox(), p.Activity("Delete", p.ID()), nil); code != http.StatusAccepted {
		t.Errorf("who is gone is answered with %d", code)
	}
	eventually(t, "the reply to go", func() bool { return len(in.records("ap-reply")) == 1 })
	// Of somebody who is still there, a stranger cannot say that they are gone.
	forged := p.Activity("Delete", liar.ID())
	forged["actor"], forged["id"] = liar.ID(), liar.URL()+"/activities/77"
	if code := p.Post(in.inbox(), forged, nil); code == http.StatusAccepted {
		t.Error("a forged Delete is taken")
	}
	if len(in.records("ap-reply")) != 1 {
		t.Error("somebody else deleted a reply")
	}
}

// TestGoneSinceYesterday: whose account we know, with a copy that is no longer fresh, deletes it; by then their server answers
// 410, and there is no key any more that the Delete could be checked with.
func TestGoneSinceYesterday(t *testing.T) {
	for name, forget := range map[string]bool{"known": false, "forgotten": true} {
		t.Run(name, func(t *testing.T) {
			c := &clock{}
			in := open(t, c)
			e := in.put(fair())
			object := in.base + "/id/" + string(e.ID)
			follower, fan, writer := in.followed(), fedtest.NewPeer(t), fedtest.NewPeer(t)
			for _, peer := range []*fedtest.Peer{follower, fan, writer} {
				peer.Now = c.now
			}
			fan.Post(in.inbox(), fan.Activity("Like", object), nil)
			writer.Post(in.inbox(), writer.Activity("Create", map[string]any{
				"id": writer.URL() + "/notes/1", "type": "Note", "attributedTo": writer.ID(), "inReplyTo": object, "content": "Bonjour", "to": "as:Public",
			}), nil)
			eventually(t, "the reply and the like", func() bool { return len(in.records("ap-reply")) == 1 && len(in.records("ap-reaction")) == 1 })
			c.forward(25 * time.Hour)
			if forget {
				if err := in.s.ForgetActors(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			// Of those who are still there, a stranger cannot say that they are gone.
			liar := fedtest.NewPeer(t)
			liar.Now = c.now
			for _, peer := range []*fedtest.Peer{follower, fan, writer} {
				forged := liar.Activity("Delete", peer.ID())
				forged["actor"], forged["id"] = peer.ID(), peer.URL()+"/activities/77"
				if code := liar.Post(in.inbox(), forged, nil); code == http.StatusAccepted {
					t.Error("a forged Delete is taken")
				}
			}
			if err := in.s.SetVoice(t.Context(), e.ID, writer.ID(), federation.VoiceShow, "account:test"); err != nil {
				t.Fatal(err)
			}
			for _, peer := range []*fedtest.Peer{follower, fan, writer} {
				peer.Lock()
				peer.Answer = func(w http.ResponseWriter, r *http.Request) bool {
					if peer == fan { // some say it in another way
						w.Header().Set("Content-Type", "application/activity+json")
						fmt.Fprintf(w, `{"@context":"https://www.w3.org/ns/activitystreams","id":%q,"type":["Tombstone"]}`, peer.ID())
						return true
					}
					w.WriteHeader(http.StatusGone)
					return true
				}
				peer.Unlock()
			}
			c.forward(25 * time.Hour)
			if len(in.records("ap-reply")) != 1 || len(in.records("ap-reaction")) != 1 || in.followers() != 1 {
				t.Error("somebody else deleted an account")
			}
			for _, peer := range []*fedtest.Peer{follower, fan, writer} {
				if forget {
					if err := in.s.ForgetActors(t.Context()); err != nil {
						t.Fatal(err)
					}
				}
				if code := peer.Post(in.inbox(), peer.Activity("Delete", peer.ID()), nil); code != http.StatusAccepted {
					t.Errorf("who is gone is answered with %d", code)
				}
			}
			eventually(t, "reply, decision, like and follower to go", func() bool {
				return len(in.records("ap-reply")) == 0 && len(in.records("ap-voice")) == 0 && len(in.records("ap-reaction")) == 0 && in.followers() == 0
			})
		})
	}
}

// TestFloodOfReplies keeps so many of one domain under one entry, and no more.
func TestFloodOfReplies(t *testing.T) {
	in := open(t, nil)
	in.s.Unlimited()
	e := in.put(fair())
	p := fedtest.NewPeer(t)
	for i := range 70 {
		p.Post(in.inbox(), p.Activity("Create", map[string]any{
			"id": fmt.Sprint(p.URL(), "/notes/", i), "type": "Note", "attributedTo": p.ID(), "inReplyTo": in.base + "/id/" + string(e.ID),
			"content": strings.Repeat("<p>Bonjour</p>", 5000), "to": "as:Public", "filler": strings.Repeat("x", 30_000),
		}), nil)
	}
	eventually(t, "all to be done", in.idle)
	replies := in.records("ap-reply")
	if len(replies) != 60 || len(in.records("ap-reply-by")) != 60 {
		t.Errorf("%d replies are kept", len(replies))
	}
	for _, r := range replies {
		if n := len(r["content"].(string)); n > 10_000 || n < 1000 || r["doc"] != nil {
			t.Fatalf("%d bytes of a reply are kept, and its document: %v", n, r["doc"] != nil)
		}
	}
	// What is taken back makes room.
	p.Post(in.inbox(), p.Activity("Delete", p.URL()+"/notes/0"), nil)
	p.Post(in.inbox(), p.Activity("Create", map[string]any{
		"id": p.URL() + "/notes/99", "type": "Note", "attributedTo": p.ID(), "inReplyTo": in.base + "/id/" + string(e.ID), "content": "Encore", "to": "as:Public",
	}), nil)
	eventually(t, "the last one", func() bool {
		return slices.ContainsFunc(in.records("ap-reply"), func(r map[string]any) bool { return r["content"] == "Encore" })
	})
}

// TestAnotherInbox: whoever says that their inbox is elsewhere now gets there what comes, and not again what came to the old one.
func TestAnotherInbox(t *testing.T) {
	in := open(t, nil)
	p := in.followed()
	for i := range 3 {
		in.put(event(fmt.Sprint("Bal ", i)))
	}
	p.Await("Create", 3)
	in.delivered(p, "/inbox") // a moment after they came; a crash in between repeats them
	p.Lock()
	p.Actor["endpoints"] = map[string]any{"sharedInbox": p.URL() + "/other/inbox"}
	p.Unlock()
	in.does(p, p.Activity("Update", p.ID()))
	in.put(event("Après"))
	in.delivered(p, "/other/inbox")
	if n := len(p.Received("Create")); n != 4 || !slices.Contains(p.Asked(), "POST /other/inbox") {
		t.Errorf("%d came, by %v", n, p.Asked())
	}
}
