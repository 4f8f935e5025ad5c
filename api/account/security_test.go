package account_test

import (
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"archipel/api/account"

	"github.com/gofiber/fiber/v2"
)

// TestFixation: a session that somebody planted before signing in is not the one after it, and lets nobody in.
func TestFixation(t *testing.T) {
	w := newWorld(t)
	attacker, _ := w.person("attacker@example.org", account.Member)
	_, a := w.person("jeanne@example.org", account.Member)
	planted := attacker.session()
	victim := w.browser()
	victim.setSession(planted)
	p := victim.postRaw("/signin", "csrf", victim.csrf("/account"), "mail", "jeanne@example.org", "password", password)
	if p.status != http.StatusSeeOther {
		t.Fatalf("sign-in: %d", p.status)
	}
	if got := victim.session(); got == planted || !strings.HasPrefix(got, a.ID+".") {
		t.Errorf("the session after signing in is %q, planted was %q", got, planted)
	}
	if attacker.get("/account").status == 200 {
		t.Error("the planted session still works")
	}
	// Cookies that never were a session, and one with somebody else's number before it.
	for _, bad := range []string{"x", "x.y", a.ID + "." + strings.Repeat("A", 43), a.ID + "." + strings.SplitN(planted, ".", 2)[1], a.ID + "/../" + planted, strings.Repeat("a", 5000)} {
		b := w.browser()
		b.setSession(bad)
		if p := b.get("/account"); p.status == 200 || p.status >= 500 {
			t.Errorf("the cookie %.60q: %d", bad, p.status)
		}
	}
	// The cookie changes with every sign-in, and the old one ends with it.
	old := victim.session()
	victim.postRaw("/signin", "csrf", victim.csrf("/account"), "mail", "jeanne@example.org", "password", password)
	if victim.session() == old {
		t.Error("signing in again keeps the session")
	}
	thief := w.browser()
	thief.setSession(old)
	if thief.get("/account").status == 200 {
		t.Error("the session before a sign-in outlives it")
	}
}

func TestSessions(t *testing.T) {
	w := newWorld(t)
	one, a := w.person("jeanne@example.org", account.Member)
	two := w.browser()
	two.header["User-Agent"] = "Mozilla/5.0 (Android 14; Mobile; rv:130.0) Gecko/130.0 Firefox/130.0"
	two.post("/signin", "mail", "jeanne@example.org", "password", password)
	p := one.get("/account")
	if !p.has("Firefox, Android") {
		t.Error("the other device is not listed")
	}
	secret := strings.SplitN(two.session(), ".", 2)[1]
	if p.has(secret) {
		t.Error("the page shows a session's secret")
	}
	ids := regexp.MustCompile(`action="/account/sessions/end"[^>]*>.*?name="id" value="([0-9a-f]+)"`).FindStringSubmatch(p.body)
	if ids == nil {
		t.Fatal("nothing to end a session with")
	}
	stranger, _ := w.person("other@example.org", account.Member)
	if stranger.post("/account/sessions/end", "id", ids[1]); two.get("/account").status != 200 {
		t.Error("a stranger ended the session")
	}
	for _, bad := range []string{"", "0", ids[1][:8], "%", strings.Repeat("f", 16)} {
		if one.post("/account/sessions/end", "id", bad); two.get("/account").status != 200 {
			t.Errorf("the id %q ended a session", bad)
		}
	}
	if p := one.post("/account/sessions/end", "id", ids[1]); p.status != http.StatusSeeOther || two.get("/account").status == 200 || one.get("/account").status != 200 {
		t.Error("revoking a session")
	}
	if p := one.post("/signout"); p.status != http.StatusSeeOther || one.session() != "" {
		t.Errorf("sign-out: %d", p.status)
	}
	left, err := w.store.Records(t.Context(), "session", a.ID+"/", 1)
	if err != nil || len(left) > 0 && strings.HasPrefix(left[0].Key, a.ID) {
		t.Errorf("after signing out, the store has %v (%v)", left, err)
	}

	// Idle sessions end, used ones last, none lasts for ever.
	b := w.browser()
	b.post("/signin", "mail", "jeanne@example.org", "password", password)
	for day := 0; day < 170; day += 25 {
		if b.get("/account").status != 200 {
			t.Fatalf("a session in use ended after %d days", day)
		}
		w.later(25 * 24 * time.Hour)
	}
	w.later(6 * 24 * time.Hour)
	if b.get("/account").status == 200 {
		t.Error("a session lasts longer than 180 days")
	}
	b.post("/signin", "mail", "jeanne@example.org", "password", password)
	w.later(31 * 24 * time.Hour)
	if b.get("/account").status == 200 {
		t.Error("a session that was idle for 31 days goes on")
	}
}

func TestForgery(t *testing.T) {
	w := newWorld(t)
	b, a := w.person("jeanne@example.org", account.Member)
	other, _ := w.person("other@example.org", account.Member)
	good := func() string { return b.csrf("/account") }
	for name, c := range map[string]struct {
		header map[string]string
		csrf   string
		want   int
	}{
		"as a browser does":       {map[string]string{"Origin": w.url, "Sec-Fetch-Site": "same-origin"}, good(), 303},
		"no header, good token":   {nil, good(), 303},
		"no token":                {map[string]string{"Origin": w.url, "Sec-Fetch-Site": "same-origin"}, "", 403},
		"nonsense":                {nil, "x", 403},
		"somebody else's token":   {nil, other.csrf("/account"), 403},
		"a visitor's token":       {nil, w.browser().csrf("/signin"), 403},
		"from elsewhere":          {map[string]string{"Origin": "https://evil.example"}, good(), 403},
		"from a sibling":          {map[string]string{"Sec-Fetch-Site": "same-site"}, good(), 403},
		"cross-site":              {map[string]string{"Sec-Fetch-Site": "cross-site"}, good(), 403},
		"from a sandbox":          {map[string]string{"Origin": "null"}, good(), 403},
		"from a sandbox, said":    {map[string]string{"Origin": "null", "Sec-Fetch-Site": "cross-site"}, good(), 403},
		"ours, without referrer":  {map[string]string{"Origin": "null", "Sec-Fetch-Site": "same-origin"}, good(), 303},
		"looks alike":             {map[string]string{"Origin": w.url + ".evil.example"}, good(), 403},
		"another scheme":          {map[string]string{"Origin": strings.Replace(w.url, "http:", "https:", 1)}, good(), 403},
		"the token in a header":   {map[string]string{"X-CSRF-Token": good()}, "", 303},
		"a bad token in a header": {map[string]string{"X-CSRF-Token": "x"}, good(), 403},
	} {
		b.header = c.header
		if p := b.postRaw("/account/profile", "csrf", c.csrf, "name", "Jeanne", "lang", "fr"); p.status != c.want {
			t.Errorf("%s: %d, want %d", name, p.status, c.want)
		}
	}
	b.header = map[string]string{}
	// A form of another content type, and JSON, need it as well.
	if p := b.do("POST", "/account/profile", `{"name":"x"}`, "application/json"); p.status != 403 {
		t.Errorf("JSON without a token: %d", p.status)
	}
	if p := b.do("POST", "/account/profile", "name=x", "text/plain"); p.status != 403 {
		t.Errorf("plain text without a token: %d", p.status)
	}
	// The API answers cookies only with a token.
	if p := b.do("POST", "/api/collections/entries/items", `{}`, "application/json"); p.status != 403 {
		t.Errorf("the API with a cookie and no token: %d", p.status)
	}
	// Getting changes nothing.
	for _, path := range []string{"/signout", "/account/delete", "/account/tokens"} {
		if p := b.get(path); p.status < 400 {
			t.Errorf("GET %s: %d", path, p.status)
		}
	}
	if got, err := w.accounts.Get(t.Context(), a.ID); err != nil || got.Name != "Jeanne" {
		t.Errorf("at the end: %+v, %v", got, err)
	}
	// Signing in is protected as well, so that nobody is signed in as somebody else unknowingly.
	if p := w.browser().postRaw("/signin", "mail", "jeanne@example.org", "password", password); p.status != 403 {
		t.Errorf("a sign-in without a token: %d", p.status)
	}
}

// TestBasic: behind a proxy that asks for a password of its own, browsers send that with every request; one signs in by the
// cookie as elsewhere, and forms need their token.
func TestBasic(t *testing.T) {
	w := newWorld(t)
	w.person("jeanne@example.org", account.Member)
	b := w.browser()
	b.header["Authorization"] = "Basic amVhbm5lOnNlY3JldA=="
	if p := b.post("/signin", "mail", "jeanne@example.org", "password", password); p.status != http.StatusSeeOther {
		t.Fatalf("signing in: %d", p.status)
	}
	if p := b.get("/account"); p.status != 200 || !strings.Contains(p.header.Get("Cache-Control"), "private") {
		t.Errorf("signed in: %d to %q", p.status, p.location)
	}
	if p := b.postRaw("/account/profile", "name", "x", "lang", "fr"); p.status != 403 {
		t.Errorf("a form without its token: %d", p.status)
	}
	if p := b.do("POST", "/api/collections/entries/items", `{}`, "application/json"); p.status != 403 {
		t.Errorf("the API with a cookie and no token: %d", p.status)
	}
	if p := b.post("/account/profile", "name", "Jeanne", "lang", "fr"); p.status != http.StatusSeeOther {
		t.Errorf("a form with its token: %d", p.status)
	}
}

func TestBruteForce(t *testing.T) {
	w := newWorld(t)
	w.person("jeanne@example.org", account.Member)
	w.person("jean@example.org", account.Member)
	w.later(time.Hour)
	b := w.browser()
	csrf := b.csrf("/signin")
	refused := 0
	for i := range 12 {
		p := b.postRaw("/signin", "csrf", csrf, "mail", "Jeanne@example.org ", "password", "wrong wrong wrong")
		switch {
		case p.status == http.StatusTooManyRequests:
			refused++
			if p.header.Get("Retry-After") == "" || !p.has("<h1>") {
				t.Error("429 without a page or Retry-After")
			}
		case p.status != http.StatusUnauthorized || i >= 8:
			t.Errorf("attempt %d: %d", i, p.status)
		}
	}
	if refused != 4 {
		t.Errorf("%d of 12 attempts were turned away, want 4", refused)
	}
	if p := b.postRaw("/signin", "csrf", csrf, "mail", "jeanne@example.org", "password", password); p.status != http.StatusTooManyRequests {
		t.Errorf("the right password after too many wrong ones: %d", p.status)
	}
	if p := b.postRaw("/signin", "csrf", csrf, "mail", "jean@example.org", "password", password); p.status != http.StatusSeeOther {
		t.Errorf("somebody else meanwhile: %d", p.status)
	}
	w.later(16 * time.Minute)
	if p := w.browser().post("/signin", "mail", "jeanne@example.org", "password", password); p.status != http.StatusSeeOther {
		t.Errorf("a quarter of an hour later: %d", p.status)
	}
	// One machine that tries many addresses, forging where it comes from.
	b, csrf = w.browser(), ""
	csrf = b.csrf("/signin")
	turned := false
	for i := range 60 {
		b.header = map[string]string{"X-Forwarded-For": "198.51.100." + string(rune('0'+i%10))}
		p := b.postRaw("/signin", "csrf", csrf, "mail", "p"+strings.Repeat("x", i)+"@example.org", "password", "wrong wrong wrong")
		turned = turned || p.status == http.StatusTooManyRequests
	}
	if !turned {
		t.Error("a machine may try as many addresses as it likes")
	}
	// The present password is asked for by what is dangerous: it cannot be guessed there either.
	w.later(time.Hour)
	jean, _ := w.person("j3@example.org", account.Member)
	turned = false
	for range 12 {
		p := jean.post("/account/password", "now", "wrong wrong wrong", "password", "another long password")
		turned = turned || p.status == http.StatusTooManyRequests
	}
	if !turned {
		t.Error("a borrowed session may guess the password as often as it likes")
	}
}

func TestMailFlooding(t *testing.T) {
	w := newWorld(t)
	w.person("jeanne@example.org", account.Member)
	sent, turned := w.mails("jeanne@example.org"), 0
	for i := range 12 {
		path := []string{"/signin/link", "/forgot", "/signup"}[i%3]
		if p := w.browser().post(path, "mail", "jeanne@example.org", "name", "x"); p.status == http.StatusTooManyRequests {
			turned++
		}
	}
	if n := w.mails("jeanne@example.org") - sent; n > 4 || turned < 8 {
		t.Errorf("%d mails in an hour, %d requests turned away", n, turned)
	}
	for range 24 {
		w.later(time.Hour)
		w.browser().post("/forgot", "mail", "jeanne@example.org")
	}
	if n := w.mails("jeanne@example.org") - sent; n > 24 {
		t.Errorf("%d mails in a day", n)
	}
	// Many addresses from one machine.
	w.later(48 * time.Hour)
	n := 0
	for i := range 30 {
		if w.browser().post("/signup", "name", "x", "mail", strings.Repeat("a", i+1)+"@victim.example").status == 200 {
			n++
		}
	}
	if n > 15 {
		t.Errorf("one machine made us write to %d strangers", n)
	}
}

// TestEnumeration: to whoever does not read the mail, known and unknown addresses look alike.
func TestEnumeration(t *testing.T) {
	w := newWorld(t)
	w.person("jeanne@example.org", account.Member)
	w.later(2 * time.Hour)
	varying := regexp.MustCompile(`value="[A-Za-z0-9_-]{86}"|(known|nobody|jeanne)@example\.org|[0-9a-f]{8}-[0-9a-f]{4}`)
	for _, path := range []string{"/signup", "/signin/link", "/forgot", "/signin"} {
		var seen [2]page
		for i, mail := range []string{"jeanne@example.org", "nobody@example.org"} {
			b := w.browser()
			seen[i] = b.postRaw(path, "csrf", b.csrf("/forgot"), "mail", mail, "name", "X", "password", "wrong wrong wrong")
			seen[i].body = varying.ReplaceAllString(seen[i].body, "*")
		}
		if seen[0].status != seen[1].status || seen[0].body != seen[1].body || seen[0].location != seen[1].location {
			t.Errorf("%s answers %d to a known address and %d to an unknown one, or other words:\n%s\n%s", path, seen[0].status, seen[1].status, seen[0].body, seen[1].body)
		}
		for _, h := range []string{"Set-Cookie", "Content-Length"} {
			if (seen[0].header.Get(h) == "") != (seen[1].header.Get(h) == "") {
				t.Errorf("%s tells by %s", path, h)
			}
		}
	}
	if w.mails("nobody@example.org") != 1 { // the sign-up
		t.Errorf("an unknown address got %d mails, want 1", w.mails("nobody@example.org"))
	}

	// Checking a password takes as long for unknown addresses. Each is measured in turn, for longer on a busy machine, and the
	// quickest are compared: without a check it would be thirty times quicker.
	took := func(mail string) time.Duration {
		w.later(time.Hour)
		b := w.browser()
		csrf := b.csrf("/forgot")
		begin := time.Now()
		b.postRaw("/signin", "csrf", csrf, "mail", mail, "password", "wrong wrong wrong")
		return time.Since(begin)
	}
	var known, unknown []time.Duration
	for {
		known, unknown = append(known, took("jeanne@example.org")), append(unknown, took("nobody@example.org"))
		if a, b := slices.Min(known), slices.Min(unknown); len(known) >= 9 && a <= 6*b && b <= 6*a {
			break
		} else if len(known) == 200 {
			t.Fatalf("a known address takes %v, an unknown one %v", a, b)
		}
	}
}

func TestOpenRedirects(t *testing.T) {
	w := newWorld(t)
	w.person("jeanne@example.org", account.Member)
	for next, want := range map[string]string{"/about?x=1": "/about?x=1", "//evil.example": "/account", "https://evil.example": "/account", "/\\evil.example": "/account", "javascript:alert(1)": "/account", "": "/account"} {
		w.later(time.Hour)
		if p := w.browser().post("/signin", "mail", "jeanne@example.org", "password", password, "next", next); p.location != want {
			t.Errorf("after signing in with next=%q: %q, want %q", next, p.location, want)
		}
		b := w.browser()
		b.post("/signin/link", "mail", "jeanne@example.org", "next", next)
		if p := b.post("/confirm", "token", w.token("jeanne@example.org")); p.location != want {
			t.Errorf("after a link with next=%q: %q, want %q", next, p.location, want)
		}
	}
	if p := w.browser().get("/account"); p.location != "/signin?next=%2Faccount" {
		t.Errorf("a page for people with accounts leads to %q", p.location)
	}
	// What a request says of its host gets into no mail.
	b := w.browser()
	b.header["X-Forwarded-Host"] = "evil.example"
	b.post("/forgot", "mail", "jeanne@example.org")
	if m := w.mail("jeanne@example.org"); strings.Contains(m.Text, "evil") || !strings.Contains(m.Text, w.url+"/confirm") {
		t.Errorf("the link in the mail: %s", m.Text)
	}
}

func TestCookieFlags(t *testing.T) {
	for _, https := range []bool{false, true} {
		w := newWorld(t, func(o *account.Options) {
			if https {
				o.PublicURL = "https://annuaire.example"
			}
		})
		_, link, err := w.accounts.Create(t.Context(), "jeanne@example.org", "J", account.Member, "fr")
		if err != nil {
			t.Fatal(err)
		}
		if https && !strings.HasPrefix(link, "https://annuaire.example/confirm") {
			t.Errorf("the link is %s", link)
		}
		res, err := http.Get(w.url + "/forgot")
		if err != nil {
			t.Fatal(err)
		}
		visitor := res.Cookies()
		page, err := io.ReadAll(res.Body)
		res.Body.Close()
		m := csrfForm.FindSubmatch(page)
		if err != nil || m == nil || len(visitor) != 1 {
			t.Fatalf("the form: %q, %v, cookies %v", page, err, visitor)
		}
		req, err := http.NewRequest("POST", w.url+"/confirm", strings.NewReader("csrf="+string(m[1])+"&token="+strings.Split(link, "token=")[1]+"&password=quatre+mots+bien+longs"))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", fiber.MIMEApplicationForm)
		req.Header.Set("Cookie", visitor[0].Name+"="+visitor[0].Value)
		res, err = (&http.Transport{}).RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		var session *http.Cookie
		for _, c := range append(res.Cookies(), visitor...) {
			if strings.HasSuffix(c.Name, "session") {
				session = c
			}
			if strings.HasSuffix(c.Name, "session") || strings.HasSuffix(c.Name, "visitor") {
				if !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" || c.Secure != https || strings.HasPrefix(c.Name, "__Host-") != https {
					t.Errorf("https %v: cookie %s", https, c.Raw)
				}
			}
		}
		if session == nil || session.MaxAge <= 0 {
			t.Errorf("https %v: no session: %d %v", https, res.StatusCode, res.Cookies())
		}
	}
}

func TestTokens(t *testing.T) {
	w := newWorld(t)
	admin, _ := w.person("admin@example.org", account.Admin)
	make := func(scopes ...string) string {
		t.Helper()
		fields := []string{"token_name", "essai"}
		for _, s := range scopes {
			fields = append(fields, "scopes", s)
		}
		m := regexp.MustCompile(`<code>(archipel_[^<]+)</code>`).FindStringSubmatch(admin.post("/account/tokens", fields...).body)
		if m == nil {
			t.Fatal("no token is shown")
		}
		return m[1]
	}
	read, write := make("read"), make("read", "write")
	if admin.get("/account").has(read[len("archipel_"):]) {
		t.Error("a token is shown twice")
	}
	for _, bad := range [][]string{{}, {"token_name", "x"}, {"token_name", "x", "scopes", "admin"}, {"token_name", "", "scopes", "read"}, {"token_name", strings.Repeat("x", 61), "scopes", "read"}} {
		if p := admin.post("/account/tokens", bad...); p.status != 422 {
			t.Errorf("a token of %v: %d", bad, p.status)
		}
	}
	use := func(token, method, path string) int {
		b := w.browser()
		b.header["Authorization"] = "Bearer " + token
		return b.do(method, path, "role=admin&name=x", "application/x-www-form-urlencoded").status
	}
	if got := use(read, "GET", "/api/collections"); got != 200 {
		t.Errorf("reading with a token: %d", got)
	}
	for _, path := range []string{"/account/profile", "/account/tokens", "/account/delete", "/admin/accounts/standing", "/signin"} {
		for _, token := range []string{read, write} {
			if got := use(token, "POST", path); got != http.StatusForbidden {
				t.Errorf("POST %s with a token: %d, want 403", path, got)
			}
		}
	}
	for _, path := range []string{"/account", "/account/export", "/admin/accounts"} {
		if got := use(write, "GET", path); got != http.StatusForbidden {
			t.Errorf("GET %s with a token: %d, want 403", path, got)
		}
	}
	for _, bad := range []string{"x", "archipel_", read + "x", read[:len(read)-1], strings.Replace(read, "archipel_", "archipel_0", 1), "archipel_" + strings.Repeat("0", 32) + "_" + strings.Repeat("A", 43)} {
		if got := use(bad, "GET", "/api/collections"); got != http.StatusUnauthorized {
			t.Errorf("the token %.30q: %d, want 401", bad, got)
		}
	}
	// A token beside a cookie: the token counts, so that no cookie adds to it.
	admin.header["Authorization"] = "Bearer " + read
	if p := admin.get("/admin/accounts"); p.status != http.StatusForbidden {
		t.Errorf("a token beside an administrator's cookie: %d", p.status)
	}
	delete(admin.header, "Authorization")
	id := regexp.MustCompile(`action="/account/tokens/delete"[^>]*>.*?name="id" value="([0-9a-f]+)"`).FindStringSubmatch(admin.get("/account").body)
	other, _ := w.person("other@example.org", account.Member)
	if other.post("/account/tokens/delete", "id", id[1]); use(write, "GET", "/api/collections") != 200 {
		t.Error("a stranger deleted a token")
	}
	admin.post("/account/tokens/delete", "id", id[1])
	if use(write, "GET", "/api/collections") != http.StatusUnauthorized && use(read, "GET", "/api/collections") != http.StatusUnauthorized {
		t.Error("a deleted token works")
	}
}

// TestMassAssignment: fields that a form does not have change nothing.
func TestMassAssignment(t *testing.T) {
	w := newWorld(t)
	extra := []string{"role", "admin", "Role", "admin", "trusted", "1", "blocked", "0", "id", "x", "epoch", "9", "wards", "@42", "kind", "setup", "account", "x"}
	b := w.browser()
	b.post("/signup", append([]string{"name", "J", "mail", "jeanne@example.org", "password", password}, extra...)...)
	if p := b.post("/confirm", append([]string{"token", w.token("jeanne@example.org"), "mail", "evil@example.org", "name", "evil"}, extra...)...); p.status != http.StatusSeeOther {
		t.Fatalf("confirming: %d", p.status)
	}
	b.post("/account/profile", append([]string{"name", "J2", "lang", "fr", "mail", "evil@example.org"}, extra...)...)
	a, err := w.accounts.ByMail(t.Context(), "jeanne@example.org")
	if err != nil || a.Role != account.Member || a.Trusted || len(a.Wards) > 0 || a.Name != "J2" || a.Epoch != 0 {
		t.Errorf("the account became %+v (%v)", a, err)
	}
	for _, path := range []string{"/admin/accounts/standing", "/admin/accounts/invite"} {
		if p := b.post(path, "id", a.ID, "role", "admin", "mail", "x@example.org"); p.status != http.StatusForbidden {
			t.Errorf("a member at %s: %d", path, p.status)
		}
	}
}
