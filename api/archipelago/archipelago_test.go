package archipelago_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"archipel/api/account"
	"archipel/directory"
	"archipel/federation/islands"
	"archipel/frontend"
)

// routes are the pages with forms, and who may come in.
var routes = []struct {
	method, path string
	from         account.Role
}{
	{"GET", "/admin/islands", account.Admin}, {"POST", "/admin/islands", account.Admin}, {"GET", "/admin/archipelago", account.Admin}, {"POST", "/admin/archipelago", account.Admin},
	{"GET", "/admin/islands/other.example", account.Admin}, {"POST", "/admin/islands/other.example", account.Admin},
	{"GET", "/admin/islands/other.example/words", account.Admin}, {"POST", "/admin/islands/other.example/words", account.Admin},
	{"GET", "/moderate/islands", account.Moderator}, {"POST", "/moderate/islands", account.Moderator},
}

func TestRoles(t *testing.T) {
	w := newWorld(t, "Ici")
	rank := map[account.Role]int{account.Nobody: 0, account.Member: 1, account.Moderator: 2, account.Admin: 3}
	for _, role := range []account.Role{account.Nobody, account.Member, account.Moderator, account.Admin} {
		p := w.member(role)
		for _, r := range routes {
			var got answer
			if r.method == "GET" {
				got = p.get(r.path)
			} else {
				got = p.send(r.path, "do", "nothing")
			}
			turned := got.status == http.StatusForbidden || got.status == http.StatusUnauthorized || strings.HasPrefix(got.location, "/signin")
			if allowed := rank[role] >= rank[r.from]; turned == allowed || got.status >= 500 {
				t.Errorf("%s %s as %q: %d %s", r.method, r.path, role, got.status, got.location)
			}
		}
		if got := p.get("/islands"); got.status != http.StatusOK {
			t.Errorf("/islands as %q: %d", role, got.status)
		}
	}
	admin := w.member(account.Admin)
	for _, r := range routes {
		if r.method == "POST" {
			if got := admin.do("POST", r.path, "do=save&csrf=wrong"); got.status != http.StatusForbidden {
				t.Errorf("%s without a good token: %d", r.path, got.status)
			}
		}
	}
	for _, host := range []string{"..%2f..", "a%20b", "%3Cscript%3E", "HOST.example", "user@" + strings.Repeat("x", 400)} {
		if got := admin.get("/admin/islands/" + host); got.status != http.StatusNotFound {
			t.Errorf("/admin/islands/%.20s: %d", host, got.status)
		}
	}
}

// TestWay goes from finding an island to leaving it, with the forms that its pages show.
func TestWay(t *testing.T) {
	a, b := newWorld(t, "Île A"), newWorld(t, "Île B")
	first := b.put("La Grainothèque", "bourse-aux-graines")
	alice, bob := a.member(account.Admin), b.member(account.Admin)

	if got := alice.get("/admin/islands?island=http://" + b.host + "/about"); got.status != http.StatusSeeOther || got.location != frontend.IslandURL(b.host) {
		t.Fatalf("finding: %d %s", got.status, got.location)
	}
	at := frontend.IslandURL(b.host)
	if got := alice.get(at); !strings.Contains(got.body, "Île B") || !strings.Contains(got.body, "ODbL-1.0") || !strings.Contains(got.body, "<summary>Demander ses fiches</summary>") || !strings.Contains(got.body, `name="message"`) {
		t.Fatalf("the island: %d", got.status)
	}
	// What is wrong is said, and what was typed stays.
	got := alice.form(at, at, "do", "ask", "form", "ask", "where", "zones", "zone", "Forez", "kinds", "place", "policy", "review", "message", "Bonjour voisins")
	if got.status != http.StatusBadRequest || !strings.Contains(got.body, "Bonjour voisins") || !strings.Contains(got.body, `value="Forez"`) || !strings.Contains(got.body, `id="ask-kind-place" name="kinds" value="place" checked`) {
		t.Errorf("asking without a territory: %d", got.status)
	}
	if got := alice.form(at, at, "do", "ask", "form", "ask", "where", "all", "kinds", "village"); got.status != http.StatusBadRequest {
		t.Errorf("asking for villages: %d", got.status)
	}
	got = alice.form(at, at, "do", "ask", "form", "ask", "where", "all", "kinds", "place", "policy", "review", "message", "Bonjour <b>voisins</b>")
	if got.status != http.StatusSeeOther {
		t.Fatalf("asking: %d", got.status)
	}
	eventually(t, "b is asked", func() bool { return b.with(a).Out.State == islands.Asked })
	back := frontend.IslandURL(a.host)
	if page := bob.get(back).body; !strings.Contains(page, "Bonjour &lt;b&gt;voisins&lt;/b&gt;") {
		t.Error("the message is not there, or not as text")
	}
	if page := bob.get("/admin").body; !strings.Contains(page, "Île A demande") {
		t.Error("the health of the directory does not say who asks")
	}
	if page := alice.get(at).body; !strings.Contains(page, "Nous avons dit") || strings.Contains(page, "Elle dit") {
		t.Error("our message is said to be theirs")
	}
	// Nobody says yes to more than what they have seen.
	if got := bob.form(back, back, "do", "accept", "asked", (&islands.Scope{}).Tag()); got.status != http.StatusConflict || b.with(a).Out.State != islands.Asked {
		t.Errorf("accepting what was asked before: %d, then %q", got.status, b.with(a).Out.State)
	}
	// Two operators answer at once: the second is told.
	if got := bob.form(back, back, "do", "accept"); got.status != http.StatusSeeOther {
		t.Fatalf("accepting: %d", got.status)
	}
	if got := bob.form(back, back, "do", "refuse", "reason", "trop tard"); got.status != http.StatusConflict {
		t.Errorf("refusing what was accepted: %d", got.status)
	}
	eventually(t, "the entry waits", func() bool { return a.entry(first.ID).Status == directory.Pending })
	if page := alice.get(at).body; !strings.Contains(page, "<summary>Changer ce que nous demandons</summary>") || strings.Contains(page, "<summary>Demander ses fiches") {
		t.Error("what is shown already is asked for anew")
	}
	if a.with(b).In.PassOn {
		t.Error("it may pass on what it may not")
	}

	// Reviewing: nothing ticked, then left aside, then shown after all.
	mod := a.member(account.Moderator)
	if page := mod.get("/moderate").body; !strings.Contains(page, "/moderate/islands") {
		t.Error("the queue does not lead to what waits")
	}
	if page := mod.get("/moderate/islands").body; !strings.Contains(page, first.Name) {
		t.Error("what waits is not listed")
	}
	if got := mod.form("/moderate/islands", "/moderate/islands", "do", "show"); got.status != http.StatusBadRequest {
		t.Errorf("showing nothing: %d", got.status)
	}
	if got := mod.form("/moderate/islands", "/moderate/islands", "do", "aside", "id", string(first.ID)); got.status != http.StatusSeeOther {
		t.Errorf("leaving aside: %d", got.status)
	}
	if e := a.entry(first.ID); e.Status != directory.Hidden {
		t.Errorf("left aside it is %s", e.Status)
	}
	if page := mod.get("/moderate/islands?show=aside").body; !strings.Contains(page, first.Name) {
		t.Error("what was left aside is not listed")
	}
	if got := mod.form("/moderate/islands?show=aside", "/moderate/islands", "do", "show", "show", "aside", "id", string(first.ID)); got.status != http.StatusSeeOther || a.entry(first.ID).Status != directory.Published {
		t.Errorf("showing after all: %d, %s", got.status, a.entry(first.ID).Status)
	}
	if e := a.entry(first.ID); len(e.Tags) != 1 || e.Tags[0] != "bourse-aux-graines" {
		t.Errorf("a word without one of ours is %q", e.Tags)
	}
	// What comes again keeps what was decided.
	first.Summary = "Des graines à prendre et à donner."
	if _, err := b.d.Put(t.Context(), "test", first); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the change comes", func() bool { return a.entry(first.ID).Summary != "" })
	if e := a.entry(first.ID); e.Status != directory.Published {
		t.Errorf("after a change it is %s", e.Status)
	}

	// Words: one that is not ours is refused, one of ours reaches the entry.
	words := at + "/words"
	if page := alice.get(words).body; !strings.Contains(page, `value="bourse-aux-graines"`) {
		t.Error("the word is not listed")
	}
	if got := alice.form(words, words, "word.0", "bourse-aux-graines", "ours.0", "no-such-category"); got.status != http.StatusBadRequest {
		t.Errorf("a category that is not ours: %d", got.status)
	}
	if got := alice.form(words, words, "word.0", "bourse-aux-graines", "ours.0", "coworking"); got.status != http.StatusSeeOther {
		t.Errorf("saying a word: %d", got.status)
	}
	eventually(t, "the entry is written anew", func() bool { e := a.entry(first.ID); return e.MainCategory() == "coworking" && len(e.Tags) == 0 })
	if got := alice.form(words, words, "word.0", "bourse-aux-graines", "ours.0", "-"); got.status != http.StatusSeeOther {
		t.Errorf("leaving a word: %d", got.status)
	}
	eventually(t, "the word is its own again", func() bool { e := a.entry(first.ID); return e.MainCategory() == "" && len(e.Tags) == 1 })

	// Policy and limit.
	if got := alice.form(at, at, "do", "policy", "policy", "show", "limit", "beaucoup"); got.status != http.StatusBadRequest || !strings.Contains(got.body, `value="beaucoup"`) {
		t.Errorf("a limit that is no number: %d", got.status)
	}
	if got := alice.form(at, at, "do", "policy", "policy", "show", "limit", "1 000"); got.status != http.StatusSeeOther || a.with(b).In.MaxItems != 1000 || a.with(b).In.Policy != islands.Show {
		t.Errorf("policy: %d %+v", got.status, a.with(b).In)
	}
	for _, do := range []string{"now", "compare"} {
		if got := alice.form(at, at, "do", do); got.status != http.StatusSeeOther {
			t.Errorf("%s: %d", do, got.status)
		}
	}
	// Giving less withdraws what is not in it.
	if got := bob.form(back, back, "do", "give", "form", "give", "where", "all", "kinds", "event", "pass_on", "1"); got.status != http.StatusSeeOther {
		t.Errorf("giving less: %d", got.status)
	}
	eventually(t, "the entry is withdrawn", func() bool { return !publicEntry(a, first.ID) })
	if got := bob.form(back, back, "do", "give", "form", "give", "where", "all", "pass_on", "1"); got.status != http.StatusSeeOther {
		t.Errorf("giving all: %d", got.status)
	}
	eventually(t, "the entry is back", func() bool { return publicEntry(a, first.ID) })
	if page := a.member(account.Nobody).get("/islands").body; !strings.Contains(page, "Île B") || !strings.Contains(page, "ODbL-1.0") {
		t.Error("the archipelago does not show the island")
	}
	if got := a.member(account.Nobody).get("/islands/map.png"); got.status != http.StatusOK || !strings.HasPrefix(got.body, "\x89PNG") {
		t.Errorf("the map: %d", got.status)
	}

	// Pausing, going on, leaving.
	if got := alice.form(at, at, "do", "pause"); got.status != http.StatusBadRequest {
		t.Errorf("pausing without a direction: %d", got.status)
	}
	if got := alice.form(at, at, "do", "pause", "direction", "in"); got.status != http.StatusSeeOther {
		t.Errorf("pausing: %d", got.status)
	}
	eventually(t, "what came is out of view", func() bool { return !publicEntry(a, first.ID) })
	eventually(t, "b has heard of the pause", func() bool { return b.with(a).Out.State == islands.Paused })
	if got := alice.form(at, at, "do", "resume", "direction", "in"); got.status != http.StatusSeeOther {
		t.Errorf("going on: %d", got.status)
	}
	eventually(t, "it is in view again", func() bool { return publicEntry(a, first.ID) })
	if got := bob.form(back, back, "do", "end", "direction", "out"); got.status != http.StatusSeeOther {
		t.Errorf("ending: %d", got.status)
	}
	eventually(t, "what came is gone", func() bool { return !publicEntry(a, first.ID) })
	if page := alice.get("/admin/islands").body; !strings.Contains(page, `id="islands-past"`) {
		t.Error("the island is not among those of before")
	}
}

func publicEntry(w *world, id directory.ID) bool {
	e := w.entry(id)
	return e.Public()
}

// TestInvitation is accepted for what was offered, and declined.
func TestInvitation(t *testing.T) {
	a, b := newWorld(t, "Île A"), newWorld(t, "Île B")
	alice, bob := a.member(account.Admin), b.member(account.Admin)
	at, back := frontend.IslandURL(b.host), frontend.IslandURL(a.host)
	if got := bob.form(back, back, "do", "offer", "form", "offer", "where", "all", "kinds", "place"); got.status != http.StatusSeeOther {
		t.Fatalf("inviting: %d", got.status)
	}
	eventually(t, "a is invited", func() bool { return a.with(b).In.State == islands.Offered })
	if page := alice.get(at).body; !strings.Contains(page, `id="ask-kind-place" name="kinds" value="place" checked`) {
		t.Error("the form does not ask for what is offered")
	}
	if page := bob.get(back).body; !strings.Contains(page, `value="uninvite" class="">Retirer l’invitation`) || strings.Contains(page, "Retirer la demande") {
		t.Error("who invites does not see that the invitation can be taken back")
	}
	if got := alice.form(at, at, "do", "decline", "direction", "in"); got.status != http.StatusSeeOther {
		t.Errorf("declining: %d", got.status)
	}
	if s := a.with(b).In; s.State != islands.Ended || !s.ByUs {
		t.Errorf("declined: %+v", s)
	}
	if page := alice.get(at).body; !strings.Contains(page, "décliné son invitation") || strings.Contains(page, "Nous ne montrons plus") {
		t.Error("the page speaks of more than an invitation that was declined")
	}
	if got := bob.form(back, back, "do", "uninvite", "direction", "out"); got.location != back+"?done=uninvite" {
		t.Errorf("taking it back: %d %s", got.status, got.location)
	}
	if page := bob.get(back + "?done=uninvite").body; !strings.Contains(page, "L’invitation est retirée") || !strings.Contains(page, "Nous avons retiré notre invitation") || b.with(a).Out.State != islands.Ended {
		t.Errorf("taken back: %+v", b.with(a).Out)
	}
}

// TestOtherScope: while another scope is asked for what stood before stays, and only ending it, with a warning, takes it away.
func TestOtherScope(t *testing.T) {
	a, b := newWorld(t, "Île A"), newWorld(t, "Île B")
	alice := a.member(account.Admin)
	at := frontend.IslandURL(b.host)
	e := b.put("Café du coin", "cafe")
	if _, err := islands.Ask(t.Context(), a.store, "http://"+b.host, islands.Scope{Kinds: []directory.Kind{directory.Place}}, islands.Show); err != nil {
		t.Fatal(err)
	}
	eventually(t, "b is asked", func() bool { return b.with(a).Out.State == islands.Asked })
	if page := alice.get(at).body; !strings.Contains(page, `value="withdraw"`) {
		t.Error("a wish cannot be taken back")
	}
	if _, err := islands.Accept(t.Context(), b.store, a.host, nil, false); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the entry is here", func() bool { return publicEntry(a, e.ID) })
	eventually(t, "a knows", func() bool { return a.with(b).In.State == islands.Accepted })
	if got := alice.form(at, at, "do", "ask", "form", "ask", "where", "all"); got.status != http.StatusSeeOther {
		t.Fatalf("asking for more: %d", got.status)
	}
	page := alice.get(at).body
	if !strings.Contains(page, "demandons un autre périmètre") || strings.Contains(page, `value="withdraw"`) || !strings.Contains(page, "Ses fiches disparaissent tout de suite") || !strings.Contains(page, `value="end" class="danger"`) {
		t.Error("the page does not say what stands, or takes it away without asking")
	}
	if got := alice.form(at, at, "do", "withdraw", "direction", "in"); got.status != http.StatusConflict {
		t.Errorf("a page from before takes it away: %d", got.status)
	}
	if in := a.with(b).In; !in.Standing || in.State != islands.Asked || !publicEntry(a, e.ID) {
		t.Errorf("it stands so: %+v", in)
	}
	if got := alice.form(at, at, "do", "end", "direction", "in"); got.status != http.StatusSeeOther {
		t.Errorf("ending: %d", got.status)
	}
	eventually(t, "the entry is gone", func() bool { return !publicEntry(a, e.ID) })
}

// TestHostileDescriptions looks at islands that lie about themselves.
func TestHostileDescriptions(t *testing.T) {
	a, b := newWorld(t, "Ici"), newWorld(t, "Ailleurs")
	admin := a.member(account.Admin)
	answers := func(contentType, body string) {
		b.say(func(w http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path != "/mirror/island" {
				return false
			}
			w.Header().Set("Content-Type", contentType)
			fmt.Fprint(w, body)
			return true
		})
	}
	many := make([]map[string]any, 5000)
	for i := range many {
		many[i] = map[string]any{"id": fmt.Sprintf("<img src=x onerror=alert(%d)>", i), "label": map[string]string{"fr": "</select><script>alert(1)</script>"}}
	}
	script := "</title><script>alert(1)</script>\"'\u202e"
	hostile := map[string]any{
		"version": 1, "name": script, "summary": script, "url": "javascript:alert(1)", "actor": "http://evil.example/", "languages": []string{script, "fr", strings.Repeat("x", 9000)},
		"licence": script, "licences": []string{script}, "rules": script + strings.Repeat("règle ", 3000), "contact": "javascript:alert(1)//@", "entries": map[string]int{"place": -5, script: 3}, "mirrored": -1,
		"software": script, "categories": many, "territory": map[string]any{"name": script, "zones": []string{script}, "bbox": []float64{-1e300, -1e300, 1e300, 1e300}},
	}
	b1, err := json.Marshal(hostile)
	if err != nil {
		t.Fatal(err)
	}
	answers("application/json", string(b1))
	if got := admin.get("/admin/islands?island=" + b.host); got.status != http.StatusSeeOther {
		t.Fatalf("a liar: %d", got.status)
	}
	page := admin.get(frontend.IslandURL(b.host))
	if page.status != http.StatusOK || strings.Contains(page.body, "<script>alert") || strings.Contains(page.body, "<img src=x") || strings.Contains(page.body, `href="javascript`) || strings.Contains(page.body, "\u202e") {
		t.Errorf("a liar's page: %d", page.status)
	}
	if len(page.body) > 2<<20 {
		t.Errorf("a liar's page has %d bytes", len(page.body))
	}
	// It asks us, and is shown to everybody: what it says of itself is no better there.
	if _, err := islands.Ask(context.Background(), b.store, "http://"+a.host, islands.Scope{}, ""); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the liar asks", func() bool { return a.with(b).Out.State == islands.Asked })
	at := frontend.IslandURL(b.host)
	if got := admin.form(at, at, "do", "accept"); got.status != http.StatusSeeOther {
		t.Fatalf("accepting a liar: %d", got.status)
	}
	for _, path := range []string{"/islands", "/admin/islands", "/admin", at, at + "/words?show=rest"} {
		if got := admin.get(path); got.status != http.StatusOK || strings.Contains(got.body, "<script>alert") || strings.Contains(got.body, `href="javascript`) {
			t.Errorf("%s with a liar: %d", path, got.status)
		}
	}
	if got := admin.get("/islands/map.png"); got.status >= 500 {
		t.Errorf("the map with a liar: %d", got.status)
	}

	c := newWorld(t, "Encore ailleurs")
	for name, body := range map[string]string{
		"no JSON": "<html>", "a list": "[]", "a number": "7", "wrong types": `{"name": {"x": 1}, "entries": [], "categories": "all"}`, "too deep": strings.Repeat(`{"name":`, 5000), "nothing": "", "huge": `{"name": "` + strings.Repeat("x", 3<<20) + `"}`,
	} {
		c.say(func(w http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path != "/mirror/island" {
				return false
			}
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprint(w, body)
			return true
		})
		got := admin.get("/admin/islands?island=" + c.host)
		if got.status != http.StatusUnprocessableEntity || !strings.Contains(got.body, `id="island-wrong"`) || !strings.Contains(got.body, c.host) {
			t.Errorf("%s: %d %s", name, got.status, got.location)
		}
	}
	for _, typed := range []string{"javascript:alert(1)", "a b", "", "https://user:secret@x.example", strings.Repeat("x", 400), a.host, "\x00", "http://[::1"} {
		if got := admin.get("/admin/islands?island=" + strings.NewReplacer(" ", "%20", "\x00", "%00").Replace(typed)); got.status != http.StatusUnprocessableEntity && got.status != http.StatusBadRequest {
			t.Errorf("looking for %.40q: %d", typed, got.status)
		}
	}
}

// TestAway: an island that does not answer is told, what was typed stays, and it can be asked all the same.
func TestAway(t *testing.T) {
	w := newWorld(t, "Ici")
	admin := w.member(account.Admin)
	const host = nowhere
	got := admin.get("/admin/islands?island=http://" + host)
	if got.status != http.StatusUnprocessableEntity || !strings.Contains(got.body, "ne répond pas") || !strings.Contains(got.body, `value="http://`+host+`"`) || !strings.Contains(got.body, frontend.IslandURL(host)) {
		t.Errorf("looking: %d", got.status)
	}
	at := frontend.IslandURL(host)
	if page := admin.get(at); page.status != http.StatusOK || !strings.Contains(page.body, "ne répond pas") {
		t.Errorf("its page: %d", page.status)
	}
	if got := admin.form(at, at, "do", "ask", "form", "ask", "where", "all"); got.status != http.StatusSeeOther {
		t.Errorf("asking: %d", got.status)
	}
	eventually(t, "it is told why it cannot be told", func() bool { return strings.Contains(admin.get("/admin/islands").body, "Un problème") })
	if page := admin.get("/admin").body; !strings.Contains(page, "ne peut pas être prévenue") {
		t.Error("the health of the directory does not say so")
	}
	if got := admin.form(at, at, "do", "withdraw", "direction", "in"); got.status != http.StatusSeeOther {
		t.Errorf("taking it back: %d", got.status)
	}
}

// TestFollow: what is no directory can be followed for its events.
func TestFollow(t *testing.T) {
	w := newWorld(t, "Ici")
	admin := w.member(account.Admin)
	const handle = "relay@" + nowhere
	if got := admin.get("/admin/islands?island=@" + handle); got.status != http.StatusUnprocessableEntity || !strings.Contains(got.body, `value="follow"`) {
		t.Errorf("looking for a handle: %d", got.status)
	}
	if got := admin.send("/admin/islands", "do", "follow", "island", "nobody at all", "policy", "show"); got.status != http.StatusBadRequest || !strings.Contains(got.body, "nobody at all") {
		t.Errorf("following nobody: %d", got.status)
	}
	got := admin.send("/admin/islands", "do", "follow", "island", "@"+handle, "policy", "review")
	if got.status != http.StatusSeeOther {
		t.Fatalf("following: %d", got.status)
	}
	at := frontend.IslandURL(handle)
	if page := admin.get(at); page.status != http.StatusOK || !strings.Contains(page.body, "fédivers") || strings.Contains(page.body, `id="ask"`) {
		t.Errorf("its page: %d", page.status)
	}
	if got := admin.form(at, at, "do", "withdraw", "direction", "in"); got.status != http.StatusSeeOther {
		t.Errorf("taking it back: %d", got.status)
	}
}

func TestSettings(t *testing.T) {
	w := newWorld(t, "Ici")
	admin := w.member(account.Admin)
	const page = "/admin/archipelago"
	for name, form := range map[string][]string{
		"a licence of nobody": {"do", "save", "licences", "all-rights-reserved"},
		"a point":             {"do", "save", "area", `{"type":"Point","coordinates":[4,45]}`},
		"no JSON":             {"do", "save", "area", `<polygon>`},
		"an open ring":        {"do", "save", "area", `{"type":"Polygon","coordinates":[[[4,45],[5,45],[5,46],[4,46]]]}`},
		"far away":            {"do", "save", "area", `{"type":"Polygon","coordinates":[[[400,45],[5,45],[5,46],[400,45]]]}`},
		"too much":            {"do", "save", "rules", strings.Repeat("é", 4001)},
	} {
		if got := admin.form(page, page, append(form, "rules", "Nos <b>conditions</b>")...); got.status != http.StatusBadRequest {
			t.Errorf("%s: %d", name, got.status)
		} else if name != "too much" && !strings.Contains(got.body, "Nos &lt;b&gt;conditions&lt;/b&gt;") {
			t.Errorf("%s: what was typed is lost", name)
		}
	}
	area := `{"type":"Feature","properties":{},"geometry":{"type":"Polygon","coordinates":[[[4,45],[5,45],[5,46],[4,45]]]}}`
	if got := admin.form(page, page, "do", "save", "licences", "CC0-1.0", "zones", "FR-42", "rules", "Citez-nous.", "area", area); got.status != http.StatusSeeOther {
		t.Fatalf("saving: %d", got.status)
	}
	d, err := w.islands.Describe(context.Background())
	if err != nil || len(d.Licences) != 1 || d.Licences[0] != "CC0-1.0" || d.Rules != "Citez-nous." || len(d.Territory.Zones) != 1 || d.Territory.Shape == nil {
		t.Errorf("it says of itself %+v, %v", d, err)
	}
	if got := admin.form(page, page, "do", "save"); got.status != http.StatusSeeOther {
		t.Errorf("passing nothing on: %d", got.status)
	}
	if set, err := islands.LoadSettings(context.Background(), w.store); err != nil || len(set.Licences) != 0 {
		t.Errorf("no licence is passed on, but %v, %v", set.Licences, err)
	}
}

// TestOff: without federation the page says so, and nothing else is there.
func TestOff(t *testing.T) {
	w := newWorld(t, "Ici")
	w.off()
	admin := w.member(account.Admin)
	if got := admin.get("/admin/islands"); got.status != http.StatusOK || !strings.Contains(got.body, "public-url") {
		t.Errorf("off: %d", got.status)
	}
	for _, path := range []string{"/islands", "/islands/map.png", "/admin/archipelago", "/admin/islands/other.example", "/moderate/islands"} {
		if got := admin.get(path); got.status != http.StatusNotFound {
			t.Errorf("%s: %d", path, got.status)
		}
	}
	if page := admin.get("/about").body; strings.Contains(page, `href="/islands"`) {
		t.Error("about leads to what is not there")
	}
}
