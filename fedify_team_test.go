package main

import (
	"encoding/json"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"archipel/directory"
	"archipel/federation"
	"archipel/federation/fedtest"
)

// TestFedifyTeam: somebody on a server of another make answers an event, wants to come to it and reports it, and the people here
// decide on their pages; then people here report an event of that server, to that server.
func TestFedifyTeam(t *testing.T) {
	for _, knock := range []string{"draft-cavage-http-signatures-12", "rfc9421"} {
		t.Run(knock, func(t *testing.T) { teamDecides(t, startFedify(t, knock)) })
	}
}

func teamDecides(t *testing.T, f *fedify) {
	peer := f.await("listening", "")
	origin, maud := peer["origin"].(string), peer["actor"].(string)
	theirs := strings.TrimPrefix(origin, "http://")
	dir, address := t.TempDir(), freePort(t)
	base := "http://" + address
	p := start(t, nil, "serve", "-data", dir, "-listen", address, "-public-url", base, "-federation", "on")
	d := openBeside(t, dir)
	write := func(op directory.Op, e directory.Entry) directory.Entry {
		t.Helper()
		outcomes, err := d.Write(t.Context(), directory.Write{Author: "test", Op: op, Entries: []directory.Entry{e}})
		if err != nil || outcomes[0].Err != nil {
			t.Fatal(err, outcomes[0].Err)
		}
		return outcomes[0].Entry
	}
	olga, mod, visitor := newHand(p), newHand(p), newHand(p)
	olga.enters(t, dir, "olga@example.org", "member")
	mod.enters(t, dir, "mod@example.org", "moderator")
	page := func(h *hand, path string) string {
		_, body, _ := h.ask("GET", path, "", nil)
		return html.UnescapeString(body)
	}

	org := organisation(t, d, "la-fourmiliere")
	org.Private, org.Fediverse.JoinsAsk = &directory.Private{Owners: []string{accountOf(t, d, "olga@example.org")}}, true
	org = write(directory.OpTeam, org)
	e := fair("Troc de plantes")
	e.Private = &directory.Private{Team: org.ID}
	e = write("", e)
	id, public, team := base+"/id/"+string(e.ID), "/e/"+e.Slug, "/e/"+e.Slug+"/team"
	eventually(t, "the page of the event", func() bool { code, _, _ := visitor.ask("GET", public, "", nil); return code == http.StatusOK })
	eventually(t, "the organisation", func() bool {
		status, _ := fedtest.Get(t, base+"/ap/actors/"+string(org.ID))
		return status == http.StatusOK
	})
	f.order("lookup", "target", base+"/ap/actors/"+string(org.ID))
	f.await("found", "")

	// A reply waits for the team, which shows it; its author takes it back.
	f.order("reply", "target", id, "content", "<p>J'y serai</p>")
	eventually(t, "the reply among those that wait", func() bool { return strings.Contains(page(olga, team+"/replies"), "J'y serai") })
	if strings.Contains(page(visitor, public), "J'y serai") {
		t.Error("everybody reads it before the team said yes")
	}
	if code, body, _ := visitor.ask("GET", team+"/replies", "", nil); code == http.StatusOK && strings.Contains(body, "serai") {
		t.Error("a visitor sees what waits")
	}
	decide(t, olga, team+"/replies", "show")
	handle := "@maud@" + theirs
	eventually(t, "the reply on the page", func() bool {
		body := page(visitor, public)
		return strings.Contains(body, "J'y serai") && strings.Contains(body, handle) && strings.Contains(body, "Maud")
	})
	f.order("unreply")
	eventually(t, "the reply to be gone", func() bool {
		body := page(visitor, public)
		return strings.Contains(body, e.Name) && !strings.Contains(body, "J'y serai") && !strings.Contains(body, handle)
	})
	if replies, err := federation.Replies(t.Context(), d.Store()); err != nil || len(replies) != 0 {
		t.Errorf("kept: %v %v", replies, err)
	}

	// Who wants to come is asked about; the answer arrives.
	f.order("get", "target", id)
	if m := f.await("got", ""); m["joinMode"] != "restricted" {
		t.Errorf("the event says %v", m)
	}
	f.order("join", "target", id)
	eventually(t, "the guest who waits", func() bool { return strings.Contains(page(olga, team+"/participants"), handle) })
	if code, _, _ := visitor.ask("GET", team+"/participants", "", nil); code == http.StatusOK {
		t.Error("everybody knows who wants to come")
	}
	for _, m := range f.heard() {
		if m["type"] == "Accept" {
			t.Errorf("it is accepted by nobody: %v", m)
		}
	}
	decide(t, olga, team+"/participants", "accept")
	if m := f.await("received", "Accept"); m["actor"] != base+"/ap/actors/"+string(org.ID) {
		t.Errorf("Accept is %v", m)
	}
	if body := page(olga, team+"/participants"); !strings.Contains(body, handle) {
		t.Error("who comes is not listed")
	}
	f.order("leave", "target", id)
	eventually(t, "the guest to be off the list", func() bool {
		body := page(olga, team+"/participants")
		return strings.Contains(body, e.Name) && !strings.Contains(body, handle)
	})

	// What they report is before the moderators.
	f.order("flag", "target", id, "content", "Cet événement est faux")
	eventually(t, "the report among those that wait", func() bool {
		body := page(mod, "/moderate?show=report")
		return strings.Contains(body, "Cet événement est faux") && strings.Contains(body, theirs) && strings.Contains(body, e.Name)
	})

	// What is reported here about an event of theirs arrives there, of the directory as such: at once of who has an account, and
	// of everybody else when a moderator says so.
	fest := fair("Fest-noz")
	fest.ID, fest.Origin, fest.Source = directory.NewID(), theirs, &directory.Source{Name: theirs, ExternalID: origin + "/events/1", URL: origin + "/events/1"}
	fest.Licence, fest.Private = directory.LicenceNotStated, &directory.Private{Mirror: &directory.Mirrored{Via: []string{"maud@" + theirs}, Received: time.Now()}}
	fest = write("", fest)
	report := "/e/" + fest.Slug + "/report"
	eventually(t, "the page of their event", func() bool { code, _, _ := visitor.ask("GET", report, "", nil); return code == http.StatusOK })
	reports := func(h *hand, text string) {
		t.Helper()
		if code, body, _ := h.post(report, report, url.Values{"category": {"inappropriate"}, "text": {text}, "forward": {"1"}, "sender": {"rita@example.org"}}); code != http.StatusOK {
			t.Fatalf("reporting: %d %s", code, body)
		}
	}
	arrives := func(text string) {
		t.Helper()
		m := f.await("received", "Flag") // Fedify has verified its signature
		objects, _ := m["objects"].([]any)
		if content, _ := m["content"].(string); m["actor"] != base+"/ap/relay" || !strings.Contains(content, text) {
			t.Errorf("Flag is %v, want %q of the relay", m, text)
		}
		if len(objects) != 2 || !slices.Contains(objects, any(maud)) || !slices.Contains(objects, any(origin+"/events/1")) {
			t.Errorf("it is about %v", objects)
		}
		for _, name := range []string{"olga", "rita", "mod@", accountOf(t, d, "olga@example.org"), accountOf(t, d, "mod@example.org")} {
			if whole := m["whole"].(string); strings.Contains(whole, name) {
				t.Errorf("it names %q: %s", name, whole)
			}
		}
	}
	reports(olga, "Ce n'est pas vrai")
	arrives("Ce n'est pas vrai")
	reports(visitor, "Une arnaque, dit Rita")
	eventually(t, "the visitor's report", func() bool { return strings.Contains(page(mod, "/moderate?show=report"), "Une arnaque") })
	action := regexp.MustCompile(`action="(/moderate/reports/[^"]+)"`)
	passed := false
	for _, item := range strings.Split(page(mod, "/moderate?show=report"), "<article") {
		if m := action.FindStringSubmatch(item); m != nil && strings.Contains(item, "Une arnaque") {
			code, body, _ := mod.post("/moderate?show=report", m[1], url.Values{"decision": {"pass"}, "reason": {"Vérifié par nous"}})
			if passed = code == http.StatusSeeOther; !passed {
				t.Fatalf("passing it on: %d %s", code, body)
			}
		}
	}
	if !passed {
		t.Fatal("it cannot be passed on")
	}
	arrives("Vérifié par nous")
	if err := p.stop(); err != nil {
		t.Errorf("it stopped with %v; it said %s", err, p.stderr)
	}
}

// decide presses a button of the only one on a page of a team.
func decide(t *testing.T, h *hand, path, do string) {
	t.Helper()
	_, body, _ := h.ask("GET", path, "", nil)
	fields := url.Values{"do": {do}}
	for _, m := range regexp.MustCompile(`name="(key|rev|actor)" value="([^"]*)"`).FindAllStringSubmatch(body, -1) {
		fields.Add(m[1], html.UnescapeString(m[2]))
	}
	if len(fields["key"]) != 1 {
		t.Fatalf("%s has %d to decide about: %s", path, len(fields["key"]), body)
	}
	if code, body, _ := h.post(path, path, fields); code != http.StatusSeeOther {
		t.Fatalf("%s %s: %d %s", path, do, code, body)
	}
}

// accountOf is the account of a mail address.
func accountOf(t *testing.T, d *directory.Directory, mail string) string {
	t.Helper()
	rec, err := d.Store().Record(t.Context(), "account-mail", mail)
	var of struct{ Account string }
	if err != nil || rec.Rev == 0 || json.Unmarshal(rec.Value, &of) != nil || of.Account == "" {
		t.Fatalf("no account of %s: %v", mail, err)
	}
	return of.Account
}
