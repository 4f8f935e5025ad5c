package main

import (
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"archipel/directory"
	"archipel/directory/sqlitestore"

	"github.com/paulmach/orb"
)

// TestModeration decides about what waits, in a browser on a phone, with and without scripts: the author is told by mail,
// visitors say what is wrong and are answered, and an entry goes back to what it was.
func TestModeration(t *testing.T) {
	if testing.Short() {
		t.Skip("a browser takes its time: left out by -short")
	}
	dir := t.TempDir()
	names := []string{"La Recyclerie <b>du Pont</b>", "Le Four banal"}
	store, err := sqlitestore.Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	d, err := directory.Open(t.Context(), directory.Options{Store: store})
	if err != nil {
		t.Fatal(err)
	}
	var slugs []string
	for i, name := range names {
		e, err := d.Put(t.Context(), "visitor", directory.Entry{Kind: directory.Place, Name: name, Status: directory.Pending, Summary: "On y répare.", Categories: []string{"coworking"},
			Description: strings.Repeat("Un paragraphe pour voir. ", 20), Sites: []orb.Point{{4.39 + float64(i)/100, 45.44}}, Private: &directory.Private{Email: "who@example.net", Note: "Je passe devant."}})
		if err != nil {
			t.Fatal(err)
		}
		slugs = append(slugs, e.Slug)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	p := serveIn(t, dir)
	defer p.stop()
	b := startBrowser(t, p)

	for i, name := range names {
		plain := i == 1
		t.Run(fmt.Sprintf("scripts=%v", !plain), func(t *testing.T) {
			w := b.window(t, look{width: 390, withoutScript: plain})
			check := func(state string) {
				t.Helper()
				if !w.is("document.documentElement.scrollWidth <= 390") {
					t.Errorf("%s is wider than the phone: %d", state, w.num("document.documentElement.scrollWidth"))
				}
				if !plain {
					w.accessible(state)
				}
			}
			enterAs(w, dir, fmt.Sprintf("mod%d@example.org", i), []string{"admin", "moderator"}[i])
			item := fmt.Sprintf(`[...document.querySelectorAll(".queue-item")].find(e => e.querySelector("h2").textContent.trim() === %q)`, name)
			w.comes("/moderate", item)
			check("the queue")
			if !plain {
				w.until(`!document.querySelector(".queue-keys").hidden`)
				w.press("j", "r")
				w.until(`document.activeElement.tagName === "TEXTAREA"`)
				w.press("r", "j") // typed, not obeyed
				w.until(`document.activeElement.value.endsWith("rj")`)
				w.is(`(document.activeElement.value = "", document.activeElement.blur(), true)`)
				w.press("j", "a")
				w.until(`document.activeElement.value === "approve"`)
			}
			w.is(fmt.Sprintf(`(e => { e.querySelector("textarea").value = "Bienvenue parmi nous."; e.querySelector("button[value=approve]").setAttribute("data-now", ""); return true })(%s)`, item))
			w.click("[data-now]")
			w.until(`document.querySelector(".queue-done")?.textContent.includes("est publié")`)
			check("the queue after a decision")
			mailSays(t, dir, "Bienvenue parmi nous.", i+1)

			// Somebody says what is wrong.
			visitor := b.window(t, look{width: 390, withoutScript: plain})
			visitor.open("/e/" + slugs[i])
			visitor.click(`a[href$="/report"]`)
			visitor.until(`location.pathname.endsWith("/report") && document.readyState === "complete"`)
			if !plain {
				visitor.accessible("the form of reports")
			}
			visitor.click(`input[value=closed]`)
			visitor.is(`(document.querySelector("[name=sender]").value = "neighbour@example.net", true)`)
			visitor.click(`main form button[type=submit]`)
			visitor.until(`document.querySelector("h1").textContent.includes("Merci")`)
			w.comes("/moderate?show=report", item)
			check("the queue of reports")
			w.is(fmt.Sprintf(`(e => { e.querySelector("textarea").value = "Toujours ouvert hier soir."; e.querySelector("button[value=dismiss]").setAttribute("data-now", ""); return true })(%s)`, item))
			w.click("[data-now]")
			w.until(`document.querySelector(".queue-done")?.textContent.includes("rien à changer")`)
			mailSays(t, dir, "Toujours ouvert hier soir.", i+1)

			// Back to the version that was sent: the words of the time, still public.
			w.open("/e/" + slugs[i] + "/versions")
			check("all versions")
			w.click(`main form[method=get] button`)
			w.until(`document.querySelector("#compared")`)
			check("two versions")
			if !plain {
				w.open("/admin")
				check("administration")
			}
		})
	}
}

// newAccount makes an account by the command line and returns its link.
func newAccount(t *testing.T, dir, mail, role string) string {
	t.Helper()
	cmd := exec.Command(os.Args[0], "account", "create", "-data", dir, "-role", role, "-mail", mail)
	cmd.Env = append(os.Environ(), "ARCHIPEL_TEST_PROGRAM=1")
	out, err := cmd.CombinedOutput()
	link, parseErr := url.Parse(regexp.MustCompile(`https?://\S+`).FindString(string(out)))
	if err != nil || parseErr != nil || link.Path == "" {
		t.Fatalf("account create: %v %v\n%s", err, parseErr, out)
	}
	return link.RequestURI()
}

// follow opens the link of a new account, and chooses its password.
func follow(w *window, link string) {
	w.t.Helper()
	w.open(link)
	w.is(`(document.querySelector("main form [name=password]").value = "trois petits chats gris", document.querySelector("main form").requestSubmit(), true)`)
	w.until(`location.pathname === "/account" && document.readyState === "complete"`)
}

// enterAs makes an account and follows its link in the window.
func enterAs(w *window, dir, mail, role string) {
	w.t.Helper()
	follow(w, newAccount(w.t, dir, mail, role))
}

// mailSays waits until so many mails with these words were written.
func mailSays(t *testing.T, dir, words string, want int) {
	t.Helper()
	got := 0
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		files, err := filepath.Glob(filepath.Join(dir, "mails", "*.eml"))
		if err != nil {
			t.Fatal(err)
		}
		got = 0
		for _, f := range files {
			if body, err := os.ReadFile(f); err == nil && strings.Contains(string(body), words) {
				got++
			}
		}
		if got >= want {
			break
		}
	}
	if got != want {
		t.Errorf("%d mails say %q, want %d", got, words, want)
	}
}
