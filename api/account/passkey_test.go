package account_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"archipel/api/account"

	"github.com/google/uuid"
)

// asJSON sends what the page's script sends.
func (b *browser) asJSON(path, body string) page {
	b.w.t.Helper()
	from := "/account"
	if b.session() == "" {
		from = "/signin"
	}
	b.header["X-CSRF-Token"] = b.csrf(from)
	defer delete(b.header, "X-CSRF-Token")
	kind := "application/json"
	if !strings.HasPrefix(body, "{") {
		kind = "application/x-www-form-urlencoded"
	}
	return b.do("POST", path, body, kind)
}

type question struct {
	PublicKey struct {
		Challenge        string
		RP               struct{ ID string }
		RPID             string `json:"rpId"`
		User             struct{ ID string }
		UserVerification string
		Exclude          []struct{ ID string }                          `json:"excludeCredentials"`
		Selection        struct{ ResidentKey, UserVerification string } `json:"authenticatorSelection"`
	}
	Problem string
}

func (p page) question(t *testing.T) question {
	t.Helper()
	var q question
	if err := json.Unmarshal([]byte(p.body), &q); err != nil {
		t.Fatalf("%d %s: %v", p.status, p.body, err)
	}
	return q
}

// register adds a device's passkey to the account that a browser is signed in to.
func (b *browser) register(d *device, name string) page {
	b.w.t.Helper()
	q := b.asJSON("/account/passkeys/begin", "passkey_name="+name).question(b.w.t)
	if q.PublicKey.Challenge == "" {
		b.w.t.Fatalf("no question: %s", q.Problem)
	}
	d.handle, _ = base64url.DecodeString(q.PublicKey.User.ID)
	return b.asJSON("/account/passkeys", d.create(q.PublicKey.Challenge))
}

func (b *browser) challenge() string {
	b.w.t.Helper()
	q := b.asJSON("/signin/passkey/begin", "").question(b.w.t)
	if q.PublicKey.Challenge == "" || q.PublicKey.UserVerification != "required" || q.PublicKey.RPID != "localhost" {
		b.w.t.Fatalf("question %+v", q)
	}
	return q.PublicKey.Challenge
}

// named is a world at a name, as passkeys need.
func named(t *testing.T) *world {
	w := newWorld(t, func(o *account.Options) {
		o.PublicURL = "http://localhost" + o.PublicURL[strings.LastIndexByte(o.PublicURL, ':'):]
	})
	w.url = w.accounts.PublicURL
	return w
}

func TestPasskeySignsIn(t *testing.T) {
	w := named(t)
	b, a := w.person("anna@example.org", account.Member)
	d, second := newDevice(w.url), newDevice(w.url)
	q := b.asJSON("/account/passkeys/begin", "").question(t)
	if q.PublicKey.RP.ID != "localhost" || q.PublicKey.Selection.ResidentKey != "required" || q.PublicKey.Selection.UserVerification != "required" {
		t.Errorf("question %+v", q)
	}
	if p := b.register(d, "T%C3%A9l%C3%A9phone"); p.status != http.StatusCreated || !strings.Contains(p.body, "/account?done=passkey") {
		t.Fatalf("%d %s %s", p.status, p.body, &w.log)
	}
	// The second device is told about the first one.
	if q := b.asJSON("/account/passkeys/begin", "").question(t); len(q.PublicKey.Exclude) != 1 || q.PublicKey.Exclude[0].ID != base64url.EncodeToString(d.id) {
		t.Errorf("excluded %+v", q.PublicKey.Exclude)
	}
	if p := b.register(second, "Local"); p.status != http.StatusCreated {
		t.Fatalf("%d %s", p.status, p.body)
	}
	if page := b.get("/account").body; !strings.Contains(page, "Téléphone") || !strings.Contains(page, "Local") {
		t.Error("the passkeys are not listed")
	}
	list, err := w.accounts.Passkeys(t.Context(), a.ID)
	if err != nil || len(list) != 2 || !list[0].Seen.IsZero() {
		t.Fatalf("%+v %v", list, err)
	}

	v := w.browser()
	c := v.challenge()
	d.count++
	p := v.asJSON("/signin/passkey?next=%2Fme%2Fentries", d.get(c))
	if p.status != http.StatusOK || !strings.Contains(p.body, `"/me/entries"`) || v.session() == "" || p.location != "" {
		t.Fatalf("%d %s %s", p.status, p.body, &w.log)
	}
	if v.get("/account").status != http.StatusOK {
		t.Error("not signed in")
	}
	list, err = w.accounts.Passkeys(t.Context(), a.ID)
	if err != nil || list[0].Seen.IsZero() == list[1].Seen.IsZero() {
		t.Errorf("the last use is not known: %+v %v", list, err)
	}

	// A fresh session at every sign-in; the one before is over.
	before := v.session()
	c = v.asJSON("/signin/passkey/begin", "").question(t).PublicKey.Challenge
	d.count++
	if p := v.asJSON("/signin/passkey", d.get(c)); p.status != http.StatusOK || v.session() == before {
		t.Fatalf("%d %s", p.status, p.body)
	}
	old := w.browser()
	old.setSession(before)
	if old.get("/account").status == http.StatusOK {
		t.Error("the old session still works")
	}

	// Removed, it opens nothing; the other does.
	for _, one := range list {
		if one.Name == "Téléphone" {
			if p := b.post("/account/passkeys/delete", "id", one.ID); p.status != http.StatusSeeOther {
				t.Fatalf("%d %s", p.status, p.body)
			}
		}
	}
	v = w.browser()
	d.count++
	if p := v.asJSON("/signin/passkey", d.get(v.challenge())); p.status != http.StatusForbidden || v.session() != "" {
		t.Errorf("a removed passkey: %d %s", p.status, p.body)
	}
	second.count++
	if p := v.asJSON("/signin/passkey", second.get(v.challenge())); p.status != http.StatusOK {
		t.Errorf("the other passkey: %d %s", p.status, p.body)
	}
}

func TestPasskeyRefusals(t *testing.T) {
	w := named(t)
	b, a := w.person("anna@example.org", account.Member)
	other, bea := w.person("bea@example.org", account.Member)
	good := newDevice(w.url)
	if p := b.register(good, "x"); p.status != http.StatusCreated {
		t.Fatalf("%d %s", p.status, p.body)
	}
	beas, err := uuid.Parse(bea.ID)
	if err != nil {
		t.Fatal(err)
	}
	try := func(name string, change func(d *device)) {
		t.Helper()
		w.later(time.Minute) // the limit of tries is another test's
		d := *good
		good.count++
		d.count = good.count
		change(&d)
		v := w.browser()
		if p := v.asJSON("/signin/passkey", d.get(v.challenge())); p.status != http.StatusForbidden || v.session() != "" {
			t.Errorf("%s: %d %s", name, p.status, p.body)
		}
	}
	try("foreign origin", func(d *device) { d.origin = "https://evil.example" })
	try("same name, other scheme", func(d *device) { d.origin = strings.Replace(d.origin, "http:", "https:", 1) })
	try("other port", func(d *device) { d.origin = "http://localhost:1" })
	try("other site's key", func(d *device) { d.rpID = "evil.example" })
	try("nobody verified", func(d *device) { d.flags = 1 })
	try("nobody present", func(d *device) { d.flags = 4 })
	try("another account", func(d *device) { d.handle = beas[:] })
	try("no account", func(d *device) { d.handle = nil })
	try("an account that does not exist", func(d *device) { d.handle = bytes.Repeat([]byte{7}, 16) })
	try("another key", func(d *device) { d.key = newDevice("").key })
	try("another credential", func(d *device) { d.id = newDevice("").id })
	try("counter gone back", func(d *device) { d.count = 1 })

	// The right answer, to which something is wrong besides.
	v := w.browser()
	c := v.challenge()
	good.count++
	answer := good.get(c)
	if p := w.browser().asJSON("/signin/passkey", answer); p.status != http.StatusForbidden {
		t.Errorf("in another browser: %d", p.status)
	}
	if p := v.asJSON("/signin/passkey", answer); p.status != http.StatusForbidden {
		t.Errorf("a challenge that was used up: %d", p.status)
	}
	c = v.challenge()
	good.count++
	answer = good.get(c)
	w.later(6 * time.Minute)
	if p := v.asJSON("/signin/passkey", answer); p.status != http.StatusForbidden {
		t.Errorf("too late: %d", p.status)
	}
	good.count++
	answer = good.get(v.challenge())
	if p := v.asJSON("/signin/passkey", answer); p.status != http.StatusOK {
		t.Fatalf("the right one: %d %s %s", p.status, p.body, &w.log)
	}
	if p := v.asJSON("/signin/passkey", answer); p.status != http.StatusForbidden {
		t.Errorf("replayed: %d", p.status)
	}
	if p := w.browser().asJSON("/signin/passkey", good.get(base64url.EncodeToString(bytes.Repeat([]byte{1}, 32)))); p.status != http.StatusForbidden {
		t.Errorf("a challenge of its own: %d", p.status)
	}
	for name, body := range map[string]string{"nothing": "{}", "no JSON": "{", "text": `{"id":"<script>"}`, "long": `{"id":"` + strings.Repeat("A", 100_000) + `"}`} {
		w.later(time.Minute)
		if p := w.browser().asJSON("/signin/passkey", body); p.status != http.StatusForbidden || strings.Contains(p.body, "script") {
			t.Errorf("%s: %d %s", name, p.status, p.body)
		}
	}
	// Without the token of the page, or from elsewhere.
	v = w.browser()
	c = v.challenge()
	good.count++
	if p := v.do("POST", "/signin/passkey", good.get(c), "application/json"); p.status != http.StatusForbidden || v.session() != "" {
		t.Errorf("without a token: %d", p.status)
	}

	// A question to sign in adds no passkey, and the other way round; nobody answers another account's.
	w.later(time.Minute)
	fresh, _ := w.person("carl@example.org", account.Member)
	if p := fresh.asJSON("/account/passkeys", newDevice(w.url).create(fresh.asJSON("/signin/passkey/begin", "").question(t).PublicKey.Challenge)); p.status != http.StatusUnprocessableEntity {
		t.Errorf("a passkey for a sign-in: %d %s", p.status, p.body)
	}
	again, _ := w.person("dora@example.org", account.Member)
	good.count++
	if p := again.asJSON("/signin/passkey", good.get(again.asJSON("/account/passkeys/begin", "").question(t).PublicKey.Challenge)); p.status != http.StatusForbidden {
		t.Errorf("a sign-in for a passkey: %d %s", p.status, p.body)
	}
	if p := other.asJSON("/account/passkeys", newDevice(w.url).create(again.asJSON("/account/passkeys/begin", "").question(t).PublicKey.Challenge)); p.status != http.StatusUnprocessableEntity {
		t.Errorf("a passkey from another account's question: %d %s", p.status, p.body)
	}
	for name, change := range map[string]func(d *device){
		"foreign origin": func(d *device) { d.origin = "https://evil.example" }, "nobody verified": func(d *device) { d.flags = 1 }, "other site": func(d *device) { d.rpID = "evil.example" },
	} {
		d := newDevice(w.url)
		change(d)
		if p := again.register(d, "x"); p.status != http.StatusUnprocessableEntity {
			t.Errorf("added with %s: %d %s", name, p.status, p.body)
		}
	}

	// Somebody else cannot take a passkey away, and a blocked account has no way in.
	list, err := w.accounts.Passkeys(t.Context(), a.ID)
	if err != nil || len(list) != 1 {
		t.Fatal(list, err)
	}
	fresh.post("/account/passkeys/delete", "id", list[0].ID)
	if left, err := w.accounts.Passkeys(t.Context(), a.ID); err != nil || len(left) != 1 {
		t.Errorf("%v %v", left, err)
	}
	if _, err := w.accounts.SetStanding(t.Context(), a.ID, account.Standing{Role: account.Member, Blocked: true}); err != nil {
		t.Fatal(err)
	}
	try("blocked", func(*device) {})
}

// Adding and removing takes having signed in just now, or the password.
func TestPasskeyTakesBeingSure(t *testing.T) {
	w := named(t)
	b, a := w.person("anna@example.org", account.Member)
	if p := b.register(newDevice(w.url), "x"); p.status != http.StatusCreated {
		t.Fatalf("%d %s", p.status, p.body)
	}
	list, err := w.accounts.Passkeys(t.Context(), a.ID)
	if err != nil || len(list) != 1 {
		t.Fatal(list, err)
	}
	w.later(20 * time.Minute)
	begin := func(fields string) page { return b.asJSON("/account/passkeys/begin", fields) }
	if p := begin("passkey_name=y"); p.status == http.StatusOK || p.question(t).Problem == "" {
		t.Errorf("added without being sure: %d %s", p.status, p.body)
	}
	if p := b.post("/account/passkeys/delete", "id", list[0].ID); p.status != http.StatusForbidden {
		t.Errorf("removed without being sure: %d", p.status)
	}
	if p := b.post("/account/passkeys/delete", "id", list[0].ID, "now", "not this one"); p.status != http.StatusForbidden {
		t.Errorf("removed with a wrong password: %d", p.status)
	}
	left, err := w.accounts.Passkeys(t.Context(), a.ID)
	if err != nil || len(left) != 1 {
		t.Fatal(left, err)
	}
	if p := begin("passkey_name=y&now=" + strings.ReplaceAll(password, " ", "+")); p.status != http.StatusOK {
		t.Errorf("not added with the password: %d %s", p.status, p.body)
	}
	if p := b.post("/account/passkeys/delete", "id", list[0].ID, "now", password); p.status != http.StatusSeeOther {
		t.Errorf("not removed with the password: %d %s", p.status, p.body)
	}
	if left, err = w.accounts.Passkeys(t.Context(), a.ID); err != nil || len(left) != 0 {
		t.Error(left, err)
	}
}

// Two answers with one counter at the same moment: one session.
func TestPasskeyCounterIsCountedOnce(t *testing.T) {
	w := named(t)
	b, _ := w.person("anna@example.org", account.Member)
	d := newDevice(w.url)
	if p := b.register(d, "x"); p.status != http.StatusCreated {
		t.Fatalf("%d %s", p.status, p.body)
	}
	d.count = 9
	var wait sync.WaitGroup
	var mu sync.Mutex
	good := 0
	for range 4 {
		v := w.browser()
		answer := d.get(v.challenge())
		wait.Go(func() {
			if p := v.asJSON("/signin/passkey", answer); p.status == http.StatusOK {
				mu.Lock()
				good++
				mu.Unlock()
			}
		})
	}
	wait.Wait()
	if good != 1 {
		t.Errorf("%d of 4 copies got in", good)
	}
}

// A device that does not count says zero for ever.
func TestPasskeyWithoutACounter(t *testing.T) {
	w := named(t)
	b, a := w.person("anna@example.org", account.Member)
	d := newDevice(w.url)
	d.count, d.flags = 0, 1|4|8|16
	if p := b.register(d, "x"); p.status != http.StatusCreated {
		t.Fatalf("%d %s", p.status, p.body)
	}
	for range 2 {
		v := w.browser()
		if p := v.asJSON("/signin/passkey", d.get(v.challenge())); p.status != http.StatusOK {
			t.Fatalf("%d %s", p.status, p.body)
		}
	}
	if list, err := w.accounts.Passkeys(t.Context(), a.ID); err != nil || len(list) != 1 || !list[0].Synced {
		t.Errorf("%+v %v", list, err)
	}
}

func TestPasskeysNeedAName(t *testing.T) {
	w := newWorld(t) // at a number
	if page := w.browser().get("/signin").body; strings.Contains(page, "data-passkey") {
		t.Error("passkeys are offered where no browser makes any")
	}
	b, _ := w.person("anna@example.org", account.Member)
	if page := b.get("/account").body; strings.Contains(page, "data-passkey") || !strings.Contains(page, "https") {
		t.Error("it is not said why there are none")
	}
	if p := w.browser().asJSON("/signin/passkey/begin", ""); p.status != http.StatusNotFound {
		t.Errorf("%d", p.status)
	}
	if page := named(t).browser().get("/signin").body; !strings.Contains(page, `hidden data-passkey="get"`) {
		t.Error("the button is not hidden from browsers without scripts")
	}
}

// TestPasskeyMails: the owner of an account is told of each way in that is added or taken away, once, and of no other.
func TestPasskeyMails(t *testing.T) {
	w := named(t)
	b, a := w.person("anna@example.org", account.Member)
	had := w.mails("anna@example.org")
	d := newDevice(w.url)
	if p := b.register(d, "Ma+cl%C3%A9"); p.status != http.StatusCreated {
		t.Fatalf("%d %s", p.status, p.body)
	}
	if m := w.mail("anna@example.org"); w.mails("anna@example.org") != had+1 || !strings.Contains(m.Subject, "ajoutée") || !strings.Contains(m.Text, "Ma clé") {
		t.Errorf("added: %d mails, %+v", w.mails("anna@example.org")-had, m)
	}
	if p := b.asJSON("/account/passkeys", d.create("no question")); p.status != http.StatusUnprocessableEntity || w.mails("anna@example.org") != had+1 {
		t.Errorf("one that was not kept: %d, %d mails", p.status, w.mails("anna@example.org")-had)
	}
	list, err := w.accounts.Passkeys(t.Context(), a.ID)
	if err != nil || len(list) != 1 {
		t.Fatal(list, err)
	}
	other, _ := w.person("bea@example.org", account.Member)
	for _, id := range []string{list[0].ID, "0123456789abcdef", ""} {
		other.post("/account/passkeys/delete", "id", id)
	}
	for range 2 {
		b.post("/account/passkeys/delete", "id", list[0].ID)
	}
	if m := w.mail("anna@example.org"); w.mails("anna@example.org") != had+2 || !strings.Contains(m.Subject, "supprimée") || !strings.Contains(m.Text, "Ma clé") {
		t.Errorf("removed: %d mails, %+v", w.mails("anna@example.org")-had, m)
	}
	if m := w.mail("bea@example.org"); m != nil && strings.Contains(m.Subject, "clé") {
		t.Errorf("somebody else is told: %+v", m)
	}
}

// The export of one's data has one's passkeys; with the account they go.
func TestPasskeysLeaveWithTheAccount(t *testing.T) {
	w := named(t)
	b, a := w.person("anna@example.org", account.Member)
	d := newDevice(w.url)
	if p := b.register(d, "Ma+cl%C3%A9"); p.status != http.StatusCreated {
		t.Fatalf("%d %s", p.status, p.body)
	}
	if p := b.get("/account/export"); !strings.Contains(p.body, "Ma clé") {
		t.Errorf("export: %s", p.body)
	}
	if err := w.accounts.Delete(context.Background(), a.ID); err != nil {
		t.Fatal(err)
	}
	if list, err := w.accounts.Passkeys(t.Context(), a.ID); err != nil || len(list) != 0 {
		t.Errorf("%v %v", list, err)
	}
	v := w.browser()
	d.count++
	if p := v.asJSON("/signin/passkey", d.get(v.challenge())); p.status != http.StatusForbidden {
		t.Errorf("%d", p.status)
	}
}
