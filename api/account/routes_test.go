package account_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"archipel/api/account"
	"archipel/directory"

	"github.com/gofiber/fiber/v2"
	"github.com/paulmach/orb"
)

// ownRoutes are the unsafe routes of this package, and what they must decide on first.
var ownRoutes = map[string]account.Action{
	"/signup": account.SignIn, "/signin": account.SignIn, "/signin/link": account.SignIn, "/forgot": account.SignIn, "/confirm": account.SignIn, "/signout": account.SignIn,
	"/digest":          account.Subscribe,
	"/account/profile": account.AccountSelf, "/account/mail": account.AccountSelf, "/account/password": account.AccountSelf, "/account/sessions/end": account.AccountSelf,
	"/signin/passkey/begin": account.SignIn, "/signin/passkey": account.SignIn,
	"/account/passkeys/begin": account.AccountSelf, "/account/passkeys": account.AccountSelf, "/account/passkeys/delete": account.AccountSelf,
	"/account/tokens": account.TokenUse, "/account/tokens/delete": account.TokenUse, "/account/delete": account.AccountSelf,
	"/e/:slug/claim": account.EntryClaim, "/e/:slug/claim/withdraw": account.EntryClaim, "/claim": account.MailAnswer, "/join": account.MailAnswer,
	"/e/:slug/team/invite": account.EntryGrant, "/e/:slug/team/withdraw": account.EntryGrant, "/e/:slug/team/role": account.EntryGrant, "/e/:slug/team/remove": account.EntryGrant,
	"/e/:slug/team/claims": account.EntryGrant, "/e/:slug/team/handover": account.EntryGrant, "/e/:slug/team/giveback": account.EntryGrant, "/e/:slug/team/leave": account.EntryLeave,
	"/moderate/claims/:id": account.ModerateQueue, "/e/:slug/remove": account.EntryRemove,
	"/admin/accounts/standing": account.AccountsManage, "/admin/accounts/invite": account.AccountsInvite,
}

// TestEveryRoute walks every unsafe route of the server with every role: each must make a decision, and who is refused
// must be turned away. A new route that decides nothing fails here.
func TestEveryRoute(t *testing.T) {
	w := newWorld(t)
	var route string
	var decided []account.Action
	w.accounts.Watch(func(c *fiber.Ctx, actions []account.Action) { route, decided = c.Route().Path, actions })
	outcomes, err := w.d.Write(t.Context(), directory.Write{Author: "test", Entries: []directory.Entry{
		{Kind: directory.Place, Name: "La Fourmilière", Status: directory.Published, Sites: []orb.Point{{4.39, 45.43}}, Categories: []string{"amap"}},
	}})
	if err != nil || outcomes[0].Err != nil {
		t.Fatal(err, outcomes)
	}
	e := outcomes[0].Entry
	people := map[account.Role]*browser{account.Nobody: w.browser()}
	actors := map[account.Role]*account.Actor{account.Nobody: account.Anonymous()}
	fill := strings.NewReplacer(":slug", e.Slug, ":id", string(e.ID), ":draft", "none", ":step", "what")
	seen := map[string]bool{}
	for _, r := range w.server.Handler().GetRoutes(true) {
		if r.Method == fiber.MethodGet || r.Method == fiber.MethodHead || r.Method == fiber.MethodOptions || r.Method == fiber.MethodConnect || r.Method == fiber.MethodTrace {
			continue
		}
		if strings.HasPrefix(r.Path, "/ap/") || strings.HasPrefix(r.Path, "/mail/") {
			continue // other servers sign what they send, and we the links of mails
		}
		key := r.Method + " " + r.Path
		made := false
		w.later(20 * time.Minute) // nobody hurries
		for _, role := range []account.Role{account.Nobody, account.Member, account.Moderator, account.Admin} {
			// Some routes end the session or the account: everybody comes fresh.
			if role != account.Nobody {
				b, a := w.person(strings.ToLower(string(directory.NewID()))+"@example.org", role)
				people[role], actors[role] = b, a.Actor()
			}
			b := people[role]
			path := "/account"
			if role == account.Nobody {
				path = "/forgot"
			}
			route, decided = "", nil
			token := b.csrf(path)
			body, contentType := "csrf="+token, fiber.MIMEApplicationForm
			b.header = map[string]string{}
			if strings.HasPrefix(r.Path, "/api/") { // what a script of ours would send
				body, contentType = "{}", "application/geo+json"
				if r.Method == fiber.MethodPatch {
					contentType = "application/merge-patch+json"
				}
				b.header["X-CSRF-Token"], b.header["If-Match"] = token, fmt.Sprintf("%q", fmt.Sprint(e.Version))
			}
			p := b.do(r.Method, strings.Replace(fill.Replace(r.Path), ":collection", "entries", 1), body, contentType)
			if p.status >= 500 {
				t.Errorf("%s as %q: %d %s", key, role, p.status, &w.log)
			}
			if len(decided) == 0 {
				if p.status < 400 {
					t.Errorf("%s as %q: %d without a decision", key, role, p.status)
				}
				continue
			}
			made = true
			if want, own := ownRoutes[r.Path]; own && decided[0] != want {
				t.Errorf("%s decides on %s, want %s", key, decided[0], want)
			}
			refused := account.May(actors[role], decided[0], nil) != nil
			turned := p.status == http.StatusForbidden || p.status == http.StatusUnauthorized
			if refused && !turned {
				t.Errorf("%s as %q: %s is refused, and the answer is %d", key, role, decided[0], p.status)
			}
			if !refused && p.status == http.StatusUnauthorized && role != account.Nobody && r.Path != "/signin" { // 401 is also the wrong password
				t.Errorf("%s as %q: %s is allowed, and the answer is %d", key, role, decided[0], p.status)
			}
		}
		if !made {
			t.Errorf("%s decides nothing: stand it behind account.Require, or call account.Check", key)
		}
		seen[r.Path] = true
		if route != "" && route != r.Path {
			t.Logf("%s is answered by %s", key, route)
		}
	}
	for path := range ownRoutes {
		if !seen[path] {
			t.Errorf("POST %s is gone", path)
		}
	}
}

// TestUndecided: a route that changes something without asking who may is stopped by the middleware.
func TestUndecided(t *testing.T) {
	w := newWorld(t)
	app := fiber.New()
	app.Use(w.accounts.Middleware)
	app.Get("/form", func(c *fiber.Ctx) error { return c.SendString(`name="csrf" value="` + w.accounts.CSRF(c) + `"`) })
	app.Post("/careless", func(c *fiber.Ctx) error { return c.SendString("done") })
	app.Post("/careful", account.Require(account.ReportCreate), func(c *fiber.Ctx) error { return c.SendString("done") })
	req, err := http.NewRequest("GET", "http://x/form", nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := app.Test(req, -1)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	token := csrfForm.FindSubmatch(body)[1]
	for path, want := range map[string]int{"/careless": 500, "/careful": 200} {
		req, err := http.NewRequest("POST", "http://x"+path, strings.NewReader("csrf="+string(token)))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", fiber.MIMEApplicationForm)
		req.AddCookie(res.Cookies()[0])
		res, err := app.Test(req, -1)
		if err != nil {
			t.Fatal(err)
		}
		if res.StatusCode != want {
			t.Errorf("%s: %d, want %d", path, res.StatusCode, want)
		}
	}
}
