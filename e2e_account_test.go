package main

import (
	"fmt"
	"io"
	"net/mail"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestAccountsInABrowser signs up, confirms, looks at one's account and at everybody's, on a phone with and without
// scripts.
func TestAccountsInABrowser(t *testing.T) {
	if testing.Short() {
		t.Skip("a browser takes its time")
	}
	dir := t.TempDir()
	p := serveIn(t, dir)
	b := startBrowser(t, p)
	for _, l := range []look{{width: 390}, {width: 390, withoutScript: true}, {width: 1280, dark: true, english: true}} {
		name := fmt.Sprintf("%d %v", l.width, l.withoutScript)
		t.Run(name, func(t *testing.T) {
			w := b.window(t, l)
			check := func(state string) {
				t.Helper()
				if !l.withoutScript {
					w.accessible(state)
				}
				if wide := w.num("document.documentElement.scrollWidth"); int64(wide) > l.width {
					t.Errorf("%s is %d pixels wide, the window %d", state, wide, l.width)
				}
			}
			to := fmt.Sprintf("p%d%v%v@example.org", l.width, l.withoutScript, l.dark)
			w.open("/")
			w.click(`header a[href="/signin"]`)
			w.until(`location.pathname === "/signin" && document.readyState === "complete"`)
			check("sign in")
			w.click(`main a[href^="/signup"]`)
			w.until(`location.pathname === "/signup" && document.readyState === "complete"`)
			check("sign up")
			w.is(`(document.querySelector("input[name=name]").value = "Camille de la Fourmilière-du-Haut-Forez", document.querySelector("input[name=mail]").value = "` + to + `", document.querySelector("input[name=password]").value = "quatre mots bien longs", true)`)
			w.click(`main form button`)
			w.until(`document.querySelector("h1").textContent.length > 0 && document.body.textContent.includes("` + to + `")`)
			check("check your mail")
			w.open(linkTo(t, dir, to))
			check("confirm")
			w.click(`main form button`)
			w.until(`location.pathname === "/account" && document.readyState === "complete"`)
			check("account")
			if !w.is(`document.querySelector(".nav-account .who").textContent.includes("Camille")`) {
				t.Error("the header does not know who is signed in")
			}
			w.is(`(document.querySelector("input[name=token_name]").value = "essai", true)`)
			w.click(`form[action="/account/tokens"] button`)
			w.until(`document.querySelector(".secret code") !== null`)
			check("a new token")
			if err := run(t.Context(), []string{"account", "-data", dir, "role", to, "admin"}, func(string) string { return "" }, io.Discard, io.Discard); err != nil {
				t.Fatal(err)
			}
			w.open("/admin/accounts")
			w.is(`(document.querySelectorAll("details").forEach(d => d.open = true), true)`)
			check("accounts")
			w.open("/account")
			w.click(`form[action="/signout"] button`)
			w.until(`location.pathname === "/signin" && document.querySelector('header a[href="/signin"]') !== null`)
		})
	}
}

// linkTo is the path of the link in the newest mail to an address, from the folder where mails are written.
func linkTo(t *testing.T, dir, to string) string {
	t.Helper()
	link := regexp.MustCompile(`/confirm\?token=[A-Za-z0-9_-]+`)
	for deadline := time.Now().Add(2 * time.Minute); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		files, err := filepath.Glob(filepath.Join(dir, "mails", "*.eml"))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range files {
			f, err := os.Open(name)
			if err != nil {
				t.Fatal(err)
			}
			m, err := mail.ReadMessage(f)
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(m.Body)
			f.Close()
			if err != nil {
				t.Fatal(err)
			}
			// Quoted-printable breaks lines and writes = as =3D.
			text := strings.NewReplacer("=\r\n", "", "=\n", "", "=3D", "=").Replace(string(body))
			if found := link.FindString(text); found != "" && strings.Contains(m.Header.Get("To"), to) {
				return found
			}
		}
	}
	t.Fatalf("no mail to %s", to)
	return ""
}
