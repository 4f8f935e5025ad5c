package account_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"archipel/api/account"
)

// TestKeyAsks: a key for programs takes what a passkey takes: having signed in just now, or the password. Its owner is told.
func TestKeyAsks(t *testing.T) {
	w := newWorld(t)
	b, a := w.person("jeanne@example.org", account.Member)
	before := w.mails("jeanne@example.org")
	if p := b.post("/account/tokens", "token_name", "veille", "scopes", "read"); p.status != 200 || !p.has("<code>archipel_") {
		t.Fatalf("just signed in: %d", p.status)
	}
	if m := w.mail("jeanne@example.org"); w.mails("jeanne@example.org") != before+1 || !strings.Contains(m.Text, "« veille »") {
		t.Errorf("its owner is not told: %+v", m)
	}
	w.later(20 * time.Minute)
	for _, now := range []string{"", "wrong wrong wrong"} {
		if p := b.post("/account/tokens", "token_name", "vol", "scopes", "write", "now", now); p.status != 422 || p.has("<code>archipel_") {
			t.Errorf("later, with the password %q: %d", now, p.status)
		}
	}
	if p := b.post("/account/tokens", "token_name", "import", "scopes", "write", "now", password); p.status != 200 || !p.has("<code>archipel_") {
		t.Errorf("later, with the password: %d", p.status)
	}
	if list, err := w.accounts.Tokens(t.Context(), a.ID); err != nil || len(list) != 2 {
		t.Errorf("%d keys (%v), want 2", len(list), err)
	}

	// Who has no password signs in again.
	v := w.browser()
	v.post("/signup", "name", "Louise", "mail", "louise@example.org")
	v.post("/confirm", "token", w.token("louise@example.org"))
	w.later(20 * time.Minute)
	if p := v.get("/account"); !p.has("moins d’un quart d’heure") {
		t.Errorf("the page does not say to sign in again: %d", p.status)
	}
	if p := v.post("/account/tokens", "token_name", "vol", "scopes", "read"); p.status != http.StatusForbidden {
		t.Errorf("without a password, later: %d", p.status)
	}
}

// TestKeysAfterReset: a key goes on working after a new password, as scripts need it, and its owner is told on the page that
// follows, where it can be ended.
func TestKeysAfterReset(t *testing.T) {
	w := newWorld(t)
	b, a := w.person("jeanne@example.org", account.Member)
	if p := b.get("/account?done=password"); !p.has("Le mot de passe a changé") || p.has("fonctionnent encore") {
		t.Error("keys are spoken of where there is none")
	}
	key, err := w.accounts.NewToken(t.Context(), a.Actor(), "veille <b>", []account.Scope{account.ScopeRead})
	if err != nil {
		t.Fatal(err)
	}
	w.mail("jeanne@example.org") // that there is a key
	w.browser().post("/forgot", "mail", "jeanne@example.org")
	v := w.browser()
	p := v.post("/confirm", "token", w.token("jeanne@example.org"), "password", "cinq mots encore plus longs")
	if p.status != http.StatusSeeOther || p.location != "/account?done=password" {
		t.Fatalf("the reset: %d to %q", p.status, p.location)
	}
	if p := v.get(p.location); !p.has("fonctionnent encore") || strings.Count(p.body, "veille &lt;b&gt;") < 2 || !p.has(`action="/account/tokens/delete"`) {
		t.Errorf("the page after the reset: %d", p.status)
	}
	script := w.browser()
	script.header["Authorization"] = "Bearer " + key
	if p := script.get("/api/collections"); p.status != 200 {
		t.Errorf("the key after the reset: %d", p.status)
	}
}
