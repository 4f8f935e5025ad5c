package main

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"archipel/directory"
	"archipel/federation"
	"archipel/federation/fedtest"
)

// TestFedifyOrganisation lets somebody on a server of another make follow an organisation of a directory that shows its posts
// to servers only that say who they are: through new keys, and through the death of ours in the middle of a delivery.
func TestFedifyOrganisation(t *testing.T) {
	for _, knock := range []string{"draft-cavage-http-signatures-12", "rfc9421"} {
		t.Run(knock, func(t *testing.T) { followsOrganisation(t, startFedify(t, knock)) })
	}
}

func followsOrganisation(t *testing.T, f *fedify) {
	f.await("listening", "")
	dir, address := t.TempDir(), freePort(t)
	base := "http://" + address
	args := []string{"serve", "-data", dir, "-listen", address, "-public-url", base, "-federation", "on"}
	runBeside(t, "site", "-data", dir, "signedFetch=true")
	p := start(t, nil, args...)
	d := openBeside(t, dir)
	org := organisation(t, d, "la-fourmiliere")
	actor := base + "/ap/actors/" + string(org.ID)

	eventually(t, "the organisation to be known", func() bool {
		status, _ := fedtest.Get(t, base+"/.well-known/webfinger?resource=acct:la-fourmiliere@"+address)
		return status == 200
	})
	f.order("finger", "target", base, "handle", "@la-fourmiliere@"+address)
	if m := f.await("fingered", ""); m["id"] != actor || m["subject"] != "acct:la-fourmiliere@"+address {
		t.Fatalf("WebFinger says %v", m)
	}
	if status, _ := fedtest.Get(t, actor); status != 401 {
		t.Errorf("without a signature the actor answers %d", status)
	}
	f.order("lookup", "target", actor)
	if m := f.await("found", ""); m["id"] != actor || m["type"] != "Group" || m["name"] != org.Name || m["keys"] != 1.0 {
		t.Fatalf("it finds %v", m)
	}
	f.order("follow")
	if m := f.await("received", "Accept"); m["actor"] != actor {
		t.Errorf("Accept is %v", m)
	}

	publish := func(name string) directory.Entry {
		t.Helper()
		e := fair(name)
		e.ID, e.Private = directory.NewID(), &directory.Private{Team: org.ID}
		outcomes, err := d.Write(t.Context(), directory.Write{Author: "test", Entries: []directory.Entry{e}})
		if err != nil || outcomes[0].Err != nil {
			t.Fatal(err, outcomes[0].Err)
		}
		return outcomes[0].Entry
	}
	arrives := func(kind, name string) map[string]any {
		t.Helper()
		for {
			m := f.await("received", kind)
			if m["actor"] != actor {
				t.Errorf("%s is of %v", kind, m["actor"])
			}
			if o := m["object"].(map[string]any); o["name"] == name || name == "" {
				return m
			}
		}
	}
	e := publish("Troc de plantes")
	id := base + "/id/" + string(e.ID)
	if o := arrives("Create", e.Name)["object"].(map[string]any); o["id"] != id || o["type"] != "Event" || o["start"] == nil {
		t.Errorf("Create brings %v", o)
	}
	f.order("get", "target", id)
	if m := f.await("got", ""); m["id"] != id || m["type"] != "Event" {
		t.Errorf("the object is %v", m)
	}
	likes := func() float64 {
		_, doc := fedtest.Get(t, base+"/ap/objects/"+string(e.ID)+"/likes")
		n, _ := doc["totalItems"].(float64)
		return n
	}
	participants := func() int {
		records, err := d.Store().Records(t.Context(), "ap-join", "", 10)
		if err != nil {
			t.Fatal(err)
		}
		return len(records)
	}
	f.order("like", "target", id)
	eventually(t, "the Like", func() bool { return likes() == 1 })
	f.await("done", "like")
	f.order("unlike")
	eventually(t, "the Undo", func() bool { return likes() == 0 })
	f.order("reply", "target", id, "content", "<p>J'y serai</p>")
	eventually(t, "the reply", func() bool {
		replies, err := federation.Replies(t.Context(), d.Store())
		return err == nil && len(replies) == 1 && replies[0].Entry == e.ID
	})
	f.order("flag", "target", actor, "content", "Faux")
	eventually(t, "the report", func() bool {
		reports, err := federation.Reports(t.Context(), d.Store())
		return err == nil && len(reports) == 1 && reports[0].Objects[0] == actor
	})
	f.order("join", "target", id)
	f.await("received", "Accept")
	eventually(t, "the participation", func() bool { return participants() == 1 })
	f.order("leave", "target", id)
	eventually(t, "the participation to end", func() bool { return participants() == 0 })

	// New keys: told of by the old ones, then used.
	runBeside(t, "federation", "-data", dir, "rotate-keys", "la-fourmiliere")
	e.Name = "Grand troc de plantes"
	e, err := d.Put(t.Context(), "test", e)
	if err != nil {
		t.Fatal(err)
	}
	arrives("Update", e.Name)
	eventually(t, "the new keys", func() bool { f.order("lookup", "target", actor); return f.await("found", "")["keys"] == 2.0 })
	publish("Après les clés")
	arrives("Create", "Après les clés")

	// Ours dies while theirs has what it brought and has not said so yet.
	f.order("hold")
	f.await("done", "hold")
	publish("Pendant")
	f.await("held", "")
	p.kill()
	f.order("release")
	for i := range 3 {
		publish(fmt.Sprint("Meanwhile ", i))
	}
	p = start(t, nil, args...)
	created := map[any]int{}
	eventually(t, "each of six events", func() bool {
		clear(created)
		for _, m := range f.heard() {
			if m["event"] == "received" && m["type"] == "Create" {
				created[m["id"]]++
			}
		}
		return len(created) >= 6
	})
	if len(created) != 6 { // each name came, once: Fedify knows by its id what came before
		t.Errorf("%d events came, want 6: %v", len(created), created)
	}
	for id, n := range created {
		if n != 1 {
			t.Errorf("%v came %d times", id, n)
		}
	}
	e.Status = directory.Removed
	if _, err = d.Put(t.Context(), "test", e); err != nil {
		t.Fatal(err)
	}
	if o := arrives("Delete", "")["object"].(map[string]any); o["id"] != id {
		t.Errorf("Delete brings %v", o)
	}
	f.order("unfollow")
	eventually(t, "the follower to leave", func() bool {
		_, doc := fedtest.Get(t, actor+"/followers")
		return doc["totalItems"] == 0.0
	})
	if err := p.stop(); err != nil {
		t.Errorf("it stopped with %v; it said %s", err, p.stderr)
	}
}

// TestRotateKeysCommand makes new keys beside a server, and says whose.
func TestRotateKeysCommand(t *testing.T) {
	dir := t.TempDir()
	say := func(args ...string) (string, error) {
		var out, said bytes.Buffer
		err := run(t.Context(), append([]string{"federation", "-data", dir, "rotate-keys"}, args...), func(string) string { return "" }, &out, &said)
		return out.String(), err
	}
	if out, err := say(); err != nil || out != "relay has new keys\n" {
		t.Errorf("%q %v", out, err)
	}
	if out, err := say("nobody"); err == nil || !strings.Contains(err.Error(), "nobody") {
		t.Errorf("%q %v", out, err)
	}
	d := openBeside(t, dir)
	org := organisation(t, d, "la-fourmiliere")
	if err := federation.RotateKeys(t.Context(), d.Store(), org.ID); err != nil { // it has none yet: they are made, and replaced
		t.Fatal(err)
	}
	if out, err := say("@la-fourmiliere@annuaire.example"); err != nil || out != "la-fourmiliere has new keys\n" {
		t.Errorf("%q %v", out, err)
	}
	if out, err := say("all"); err != nil || out != "la-fourmiliere has new keys\nrelay has new keys\n" {
		t.Errorf("%q %v", out, err)
	}
}

// runBeside runs the program beside the one that serves.
func runBeside(t *testing.T, args ...string) {
	t.Helper()
	var out, said bytes.Buffer
	if err := run(t.Context(), args, func(string) string { return "" }, &out, &said); err != nil {
		t.Fatalf("archipel %v: %v\n%s", args, err, &said)
	}
}

// organisation writes an organisation that takes part in the fediverse.
func organisation(t *testing.T, d *directory.Directory, handle string) directory.Entry {
	t.Helper()
	e, err := d.Put(t.Context(), "test", directory.Entry{Kind: directory.Organisation, Name: "La Fourmilière", Lang: "fr"})
	if err != nil {
		t.Fatal(err)
	}
	e.Claimed = time.Now().Add(-time.Hour)
	e.Fediverse = &directory.Fediverse{Handle: handle, Since: e.Claimed, Replies: true, Joins: true}
	outcomes, err := d.Write(t.Context(), directory.Write{Author: "test", Op: directory.OpTeam, Entries: []directory.Entry{e}})
	if err != nil || outcomes[0].Err != nil {
		t.Fatal(err, outcomes[0].Err)
	}
	return outcomes[0].Entry
}
