package account_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"archipel/api/account"
	"archipel/directory"
)

func TestSignUpToDeletion(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	if p := b.get("/"); !p.has(`href="/signin"`) || b.session() != "" {
		t.Error("a visitor has no way to sign in, or a session already")
	}
	p := b.post("/signup", "name", "Jeanne <b>", "mail", " Jeanne@Example.org", "password", password)
	if p.status != 200 || !p.has("jeanne@example.org") {
		t.Fatalf("sign-up: %d %s", p.status, p.body)
	}
	if _, err := w.accounts.ByMail(t.Context(), "jeanne@example.org"); !errors.Is(err, account.ErrNoAccount) {
		t.Errorf("an account before the address is confirmed: %v", err)
	}
	token := w.token("jeanne@example.org")
	m := w.mail("jeanne@example.org")
	if m.Lang != "fr" || strings.Contains(m.HTML+m.Text, "Jeanne") || !strings.Contains(m.Text, "Bonjour,") {
		t.Errorf("the mail: %+v", m)
	}
	if p := b.get("/confirm?token=" + token); p.status != 200 || p.has(token+`&`) || p.header.Get("Referrer-Policy") != "same-origin" || !strings.Contains(p.header.Get("Cache-Control"), "no-store") {
		t.Errorf("the page of the link: %d, %v", p.status, p.header)
	}
	if _, err := w.accounts.ByMail(t.Context(), "jeanne@example.org"); err == nil {
		t.Error("looking at the link made the account: mail programs look ahead")
	}
	if p := b.post("/confirm", "token", token); p.status != http.StatusSeeOther || p.location != "/account" {
		t.Fatalf("confirming: %d to %q", p.status, p.location)
	}
	me := b.get("/account")
	if me.status != 200 || !me.has("Jeanne &lt;b&gt;") || me.has("Jeanne <b>") || !b.get("/").has(`href="/account"`) {
		t.Errorf("signed in: %d", me.status)
	}
	if p := b.post("/confirm", "token", token); p.status != http.StatusGone {
		t.Errorf("the link works twice: %d", p.status)
	}
	if p := b.post("/account/profile", "name", "Jeanne D.", "lang", "en"); p.status != http.StatusSeeOther || !b.get("/account").has("Your account") {
		t.Errorf("profile: %d", p.status)
	}
	if p := b.post("/account/profile", "name", "\u202eevil", "lang", "xx"); p.status != 422 {
		t.Errorf("a bad profile: %d", p.status)
	}

	// The address changes when the new one is confirmed, and the old one is told.
	if p := b.post("/account/mail", "mail", "jd@example.org", "now", "wrong wrong wrong"); p.status != 422 || w.mails("jd@example.org") != 0 {
		t.Errorf("changing the address with a wrong password: %d", p.status)
	}
	if p := b.post("/account/mail", "mail", "jd@example.org", "now", password); p.status != 200 {
		t.Errorf("changing the address: %d", p.status)
	}
	if m := w.mail("jd@example.org"); strings.Contains(m.HTML+m.Text, "Jeanne") {
		t.Errorf("a name goes to an address that may be a stranger's: %s", m.Text)
	}
	if a, err := w.accounts.ByMail(t.Context(), "jeanne@example.org"); err != nil || a.Mail != "jeanne@example.org" {
		t.Errorf("the address changed too early: %v", err)
	}
	other := w.browser()
	if p := other.post("/confirm", "token", w.token("jd@example.org")); p.status != http.StatusSeeOther {
		t.Errorf("confirming the address: %d", p.status)
	}
	if a, err := w.accounts.ByMail(t.Context(), "jd@example.org"); err != nil || a.Name != "Jeanne D." {
		t.Errorf("after the change: %v", err)
	}
	if _, err := w.accounts.ByMail(t.Context(), "jeanne@example.org"); err == nil {
		t.Error("the old address is still hers")
	}
	if w.mail("jeanne@example.org") == nil || !strings.Contains(w.mail("jeanne@example.org").Text, "jd@example.org") {
		t.Error("the old address is not told")
	}

	p = other.get("/account/export")
	var data struct {
		Account  map[string]any
		Sessions []any
	}
	if err := json.Unmarshal([]byte(p.body), &data); err != nil || data.Account["mail"] != "jd@example.org" || data.Account["password"] != nil || len(data.Sessions) != 1 || strings.Contains(p.body, "argon2") {
		t.Errorf("export: %s", p.body)
	}
	a, _ := w.accounts.ByMail(t.Context(), "jd@example.org")
	if p := other.post("/account/delete", "now", password); p.status != 422 {
		t.Errorf("deletion without the box ticked: %d", p.status)
	}
	if p := other.post("/account/delete", "now", password, "sure", "yes"); p.status != 200 || other.session() != "" {
		t.Errorf("deletion: %d %s", p.status, p.body)
	}
	if _, err := w.accounts.Get(t.Context(), a.ID); !errors.Is(err, account.ErrNoAccount) {
		t.Errorf("after deletion: %v", err)
	}
	kinds, err := w.store.RecordKinds(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	w.mail("jd@example.org")
	for _, kind := range kinds {
		list, err := w.store.Records(t.Context(), kind, "", 1000)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range list {
			if strings.Contains(r.Key+string(r.Value), "example.org") || strings.Contains(r.Key, a.ID) {
				t.Errorf("left behind: %s %s %s", kind, r.Key, r.Value)
			}
		}
	}
}

// TestSignUpElsewhere: somebody signs up with the address of another, who presses the button of the link. The password typed
// by the first opens nothing; the second may choose one on the page.
func TestSignUpElsewhere(t *testing.T) {
	w := newWorld(t)
	const theirs = "le mot de passe de l’autre"
	opens := func(mail, password string) bool {
		return w.browser().post("/signin", "mail", mail, "password", password).status == http.StatusSeeOther
	}
	ask := func(b *browser, mail string, fields ...string) string {
		t.Helper()
		if p := b.post("/signup", append([]string{"mail", mail}, fields...)...); p.status != 200 {
			t.Fatalf("sign-up: %d %s", p.status, p.body)
		}
		return w.token(mail)
	}
	stranger := w.browser()
	token := ask(stranger, "anna@example.org", "name", "Mallory", "password", theirs)
	anna := w.browser()
	own := ask(anna, "anna@example.org", "name", "Anna")
	if p := anna.get("/confirm?token=" + own); p.has(`name="password"`) || p.has(`name="name"`) {
		t.Error("the browser that asked is asked again")
	}
	p := anna.get("/confirm?token=" + token)
	if !p.has(`name="password"`) || !p.has(`value="Mallory"`) || !p.has("ne compte donc pas") {
		t.Errorf("the page of the stranger's link: %s", p.body)
	}
	if p := anna.post("/confirm", "token", token, "name", "Anna", "password", "court"); p.status != 422 || !p.has(`value="Anna"`) {
		t.Errorf("a short password: %d %s", p.status, p.body)
	}
	if p := anna.post("/confirm", "token", token, "name", "Anna", "password", ""); p.status != http.StatusSeeOther {
		t.Fatalf("the stranger's link: %d %s", p.status, p.body)
	}
	a, err := w.accounts.ByMail(t.Context(), "anna@example.org")
	if err != nil || a.Password != "" || a.Name != "Anna" || opens("anna@example.org", theirs) {
		t.Errorf("the stranger's password is kept, or their name: %+v, %v", a, err)
	}
	other := w.browser()
	if p := other.get("/confirm?token=" + own); p.status != 200 || p.has(`name="password"`) {
		t.Errorf("the page of a link that only signs in: %d", p.status)
	}
	if p := other.post("/confirm", "token", own); p.status != http.StatusSeeOther || other.get("/account").status != 200 {
		t.Errorf("the second link: %d", p.status)
	}

	// Another device of one's own: the password is typed again, the name need not be.
	token = ask(w.browser(), "jeanne@example.org", "name", "Jeanne", "password", theirs)
	phone := w.browser()
	if p := phone.post("/confirm", "token", token, "password", password); p.status != http.StatusSeeOther {
		t.Fatalf("confirming on the phone: %d %s", p.status, p.body)
	}
	if a, err := w.accounts.ByMail(t.Context(), "jeanne@example.org"); err != nil || a.Name != "Jeanne" || opens("jeanne@example.org", theirs) || !opens("jeanne@example.org", password) {
		t.Errorf("confirmed on the phone: %+v, %v", a, err)
	}

	// The browser that asked keeps what was typed, whatever else its form sends.
	b := w.browser()
	ask(b, "louise@example.org", "name", "Louise", "password", password) // twice: either link will do
	token = ask(b, "louise@example.org", "name", "Louise", "password", password)
	if p := b.post("/confirm", "token", token, "password", theirs); p.status != http.StatusSeeOther || !opens("louise@example.org", password) {
		t.Errorf("confirming where it was asked for: %d", p.status)
	}
}

func TestLinks(t *testing.T) {
	w := newWorld(t)
	_, a := w.person("jeanne@example.org", account.Member)
	ask := func(path string) string {
		t.Helper()
		if p := w.browser().post(path, "mail", "jeanne@example.org"); p.status != 200 {
			t.Fatalf("%s: %d", path, p.status)
		}
		return w.token("jeanne@example.org")
	}
	token := ask("/signin/link")
	b := w.browser()
	if p := b.post("/confirm", "token", token); p.status != http.StatusSeeOther || b.get("/account").status != 200 {
		t.Errorf("a sign-in link: %d", p.status)
	}
	late := ask("/signin/link")
	w.later(21 * time.Minute)
	for _, bad := range []string{late, "", "short", strings.Repeat("A", 43), strings.Repeat("é", 43)} {
		if p := w.browser().post("/confirm", "token", bad); p.status != http.StatusGone {
			t.Errorf("the link %q: %d, want 410", bad, p.status)
		}
		if p := w.browser().get("/confirm?token=" + bad); p.status != http.StatusGone {
			t.Errorf("the page of the link %q: %d, want 410", bad, p.status)
		}
	}
	w.later(2 * time.Hour)

	// A link that many follow at once lets one in.
	token = ask("/signin/link")
	var wg sync.WaitGroup
	var mu sync.Mutex
	in := 0
	for range 6 {
		b := w.browser()
		csrf := b.csrf("/forgot")
		wg.Go(func() {
			p := b.postRaw("/confirm", "csrf", csrf, "token", token)
			mu.Lock()
			defer mu.Unlock()
			if p.status == http.StatusSeeOther {
				in++
			} else if p.status != http.StatusGone {
				t.Errorf("a follower: %d", p.status)
			}
		})
	}
	wg.Wait()
	if in != 1 {
		t.Errorf("%d were let in by one link", in)
	}

	// A new password ends sessions and links that were made before.
	w.later(time.Hour)
	before, old := ask("/signin/link"), w.browser()
	old.post("/signin", "mail", "jeanne@example.org", "password", password)
	token = ask("/forgot")
	if p := w.browser().post("/confirm", "token", token, "password", "court"); p.status != 422 {
		t.Errorf("a short password: %d", p.status)
	}
	if p := w.browser().post("/confirm", "token", token, "password", "cinq mots encore plus longs"); p.status != http.StatusSeeOther {
		t.Errorf("the reset, after a mistake: %d", p.status)
	}
	if p := old.get("/account"); p.status != http.StatusSeeOther || !strings.HasPrefix(p.location, "/signin") {
		t.Errorf("an old session after the reset: %d", p.status)
	}
	if p := w.browser().post("/confirm", "token", before); p.status != http.StatusGone {
		t.Errorf("an older link after the reset: %d", p.status)
	}
	if p := w.browser().post("/signin", "mail", "jeanne@example.org", "password", password); p.status != http.StatusUnauthorized {
		t.Errorf("the old password: %d", p.status)
	}
	if !strings.Contains(w.mail("jeanne@example.org").Subject, "mot de passe") {
		t.Error("nobody told her that the password changed")
	}

	// What is in the store lets nobody in.
	list, err := w.store.Records(t.Context(), "link", "", 100)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range list {
		if strings.Contains(string(r.Value), token) || r.Key == token {
			t.Error("a secret is kept as it is")
		}
	}
	if a.Password != "" && !strings.HasPrefix(a.Password, "$argon2id$") {
		t.Errorf("the password is kept as %q", a.Password)
	}
}

func TestSignUpModes(t *testing.T) {
	w := newWorld(t)
	admin, _ := w.person("admin@example.org", account.Admin)
	w.person("mod@example.org", account.Moderator)
	for _, mode := range []account.SignUp{account.SignUpInvitation, account.SignUpClosed} {
		w.site.SignUp = mode
		if p := w.browser().post("/signup", "name", "X", "mail", "x@example.org"); p.status != http.StatusForbidden || w.mails("x@example.org") != 0 {
			t.Errorf("%s: %d", mode, p.status)
		}
		if p := w.browser().get("/signup"); p.status != 200 || p.has(`action="/signup"`) {
			t.Errorf("%s: the page has a form", mode)
		}
	}
	if p := admin.post("/admin/accounts/invite", "mail", "amie@example.org", "role", "admin"); p.status != 200 {
		t.Fatalf("invitation: %d %s", p.status, p.body)
	}
	b := w.browser()
	if p := b.post("/confirm", "token", w.token("amie@example.org"), "name", "Amie", "role", "admin", "mail", "other@example.org"); p.status != http.StatusSeeOther {
		t.Fatalf("following the invitation: %d %s", p.status, p.body)
	}
	a, err := w.accounts.ByMail(t.Context(), "amie@example.org")
	if err != nil || a.Role != account.Member || a.Name != "Amie" || a.Password != "" {
		t.Errorf("invited: %+v, %v", a, err)
	}
}

func TestSetup(t *testing.T) {
	w := newWorld(t)
	link, err := w.accounts.SetupLink(t.Context())
	if err != nil || !strings.HasPrefix(link, w.url) {
		t.Fatal(link, err)
	}
	again, err := w.accounts.SetupLink(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	token := strings.Split(link, "token=")[1]
	b := w.browser()
	if p := b.post("/confirm", "token", token, "name", "A", "mail", "a@example.org"); p.status != 422 {
		t.Errorf("without a password: %d", p.status)
	}
	if p := b.post("/confirm", "token", token, "name", "A", "mail", "a@example.org", "password", password); p.status != http.StatusSeeOther {
		t.Fatalf("the first account: %d %s", p.status, p.body)
	}
	if p := b.get("/admin/accounts"); p.status != 200 || !p.has("a@example.org") {
		t.Errorf("the list of accounts: %d", p.status)
	}
	if p := w.browser().post("/confirm", "token", strings.Split(again, "token=")[1], "name", "B", "mail", "b@example.org", "password", password); p.status != http.StatusGone {
		t.Errorf("a second set-up link after the first was used: %d", p.status)
	}
	if link, err := w.accounts.SetupLink(t.Context()); err != nil || link != "" {
		t.Errorf("a set-up link although there is an administrator: %q, %v", link, err)
	}
}

func TestAdministration(t *testing.T) {
	w := newWorld(t)
	admin, me := w.person("admin@example.org", account.Admin)
	b, a := w.person("jeanne@example.org", account.Member)
	if p := admin.get("/admin/accounts?q=JEANNE"); !p.has("jeanne@example.org") || p.has("admin@example.org<br>") {
		t.Error("the search for an account")
	}
	if p := admin.post("/admin/accounts/standing", "id", a.ID, "role", "moderator", "trusted", "1", "wards", "amap@42 velo @69"); p.status != http.StatusSeeOther {
		t.Errorf("a new role: %d %s", p.status, p.body)
	}
	got, err := w.accounts.Get(t.Context(), a.ID)
	if err != nil || got.Role != account.Moderator || !got.Trusted || len(got.Wards) != 3 || got.Wards[0] != (account.Ward{Category: "amap", Zone: "42"}) {
		t.Errorf("after the change: %+v, %v", got, err)
	}
	for name, bad := range map[string][]string{
		"role": {"id", a.ID, "role", "god"}, "wards": {"id", a.ID, "role", "member", "wards", "a<b"}, "no role": {"id", a.ID},
	} {
		if p := admin.post("/admin/accounts/standing", bad...); p.status != 422 {
			t.Errorf("bad %s: %d", name, p.status)
		}
	}
	if p := admin.post("/admin/accounts/standing", "id", me.ID, "role", "member"); p.status != http.StatusForbidden {
		t.Errorf("one's own role: %d", p.status)
	}
	if p := admin.post("/admin/accounts/standing", "id", "nobody", "role", "member"); p.status != http.StatusNotFound {
		t.Errorf("nobody's role: %d", p.status)
	}
	if _, err := w.accounts.SetStanding(t.Context(), me.ID, account.Standing{Role: account.Member}); !errors.Is(err, account.ErrLastAdmin) {
		t.Errorf("the last administrator steps down: %v", err)
	}
	if p := admin.post("/account/delete", "now", password, "sure", "yes"); p.status != http.StatusConflict {
		t.Errorf("the last administrator leaves: %d", p.status)
	}
	if p := admin.post("/admin/accounts/standing", "id", a.ID, "role", "member", "blocked", "1"); p.status != http.StatusSeeOther {
		t.Errorf("blocking: %d", p.status)
	}
	if p := b.get("/account"); p.status != http.StatusSeeOther {
		t.Errorf("somebody blocked goes on: %d", p.status)
	}
	if p := w.browser().post("/signin", "mail", "jeanne@example.org", "password", password); p.status != http.StatusUnauthorized {
		t.Errorf("somebody blocked signs in: %d", p.status)
	}
	before := w.mails("jeanne@example.org")
	if w.browser().post("/signin/link", "mail", "jeanne@example.org"); w.mails("jeanne@example.org") != before {
		t.Error("somebody blocked gets a link")
	}
}

// TestDeletionResumes: what is to be erased elsewhere fails once; the account stays closed, and Tidy finishes.
func TestDeletionResumes(t *testing.T) {
	fails := true
	var forgotten []string
	w := newWorld(t, func(o *account.Options) {
		o.Forget = func(_ context.Context, a *account.Account) error {
			if fails {
				return directory.ErrUnavailable
			}
			forgotten = append(forgotten, a.ID)
			return nil
		}
	})
	b, a := w.person("jeanne@example.org", account.Member)
	if p := b.post("/account/delete", "now", password, "sure", "yes"); p.status != http.StatusServiceUnavailable {
		t.Errorf("while the store is away: %d", p.status)
	}
	if p := b.get("/account"); p.status == 200 {
		t.Error("half deleted, and still signed in")
	}
	fails = false
	if err := w.accounts.Tidy(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := w.accounts.Get(t.Context(), a.ID); !errors.Is(err, account.ErrNoAccount) || len(forgotten) != 1 {
		t.Errorf("after Tidy: %v, forgotten %v", err, forgotten)
	}
}
