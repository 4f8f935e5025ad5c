package main

import (
	"fmt"
	"os"
	"os/exec"
	"testing"

	"archipel/directory"
	"archipel/directory/sqlitestore"

	"github.com/paulmach/orb"
)

// TestReviewBefore has a directory look at changes before they appear: what somebody changes of their own page waits, they see
// it in their form and nobody else does, and a moderator lets it through, on a phone, with and without scripts.
func TestReviewBefore(t *testing.T) {
	if testing.Short() {
		t.Skip("a browser takes its time: left out by -short")
	}
	dir := t.TempDir()
	set := exec.Command(os.Args[0], "site", "-data", dir, "review=before")
	set.Env = append(os.Environ(), "ARCHIPEL_TEST_PROGRAM=1")
	if out, err := set.CombinedOutput(); err != nil {
		t.Fatalf("site: %v\n%s", err, out)
	}
	link := newAccount(t, dir, "anna@example.org", "member")
	store, err := sqlitestore.Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	accounts, err := store.Records(t.Context(), "account", "", 10)
	if err != nil || len(accounts) != 1 {
		t.Fatal(accounts, err)
	}
	d, err := directory.Open(t.Context(), directory.Options{Store: store})
	if err != nil {
		t.Fatal(err)
	}
	names, slugs := []string{"La Recyclerie", "Le Four banal"}, []string{}
	for i, name := range names {
		e, err := d.Put(t.Context(), "test", directory.Entry{Kind: directory.Place, Name: name, Summary: "On y répare.", Categories: []string{"coworking"},
			Sites: []orb.Point{{4.39 + float64(i)/100, 45.44}}, Private: &directory.Private{Owners: []string{accounts[0].Key}}})
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
			anna, zoe, visitor := b.window(t, look{width: 390, withoutScript: plain}), b.window(t, look{width: 390, withoutScript: plain}), b.window(t, look{width: 390, withoutScript: plain})
			if i == 0 {
				follow(anna, link)
			} else {
				anna.open("/signin")
				anna.is(`(document.querySelector("main form [name=mail]").value = "anna@example.org", document.querySelector("main form [name=password]").value = "trois petits chats gris", document.querySelector("main form").requestSubmit(), true)`)
				anna.until(`location.pathname !== "/signin" && document.readyState === "complete"`)
			}
			edit := func(summary string) {
				t.Helper()
				anna.open("/e/" + slugs[i] + "/edit")
				anna.until(`document.querySelector("main").textContent.includes("les aura relues")`)
				anna.is(fmt.Sprintf(`(document.querySelector("#posting [name=summary]").value = %q, true)`, summary))
				anna.click(`#posting button[type=submit].primary`)
				anna.until(`location.pathname === "/me/entries" && document.querySelector("main").textContent.includes("Votre modification est enregistrée")`)
			}
			edit("On y coud aussi.")
			edit("On y coud et on y tricote.") // takes the place of the first
			anna.open("/e/" + slugs[i] + "/edit")
			anna.until(`document.querySelector("#posting [name=summary]").value === "On y coud et on y tricote."`)
			if !plain {
				anna.accessible("the form with a change that waits")
			}
			visitor.open("/e/" + slugs[i])
			visitor.until(`document.querySelector("main").textContent.includes("On y répare.")`)

			enterAs(zoe, dir, fmt.Sprintf("zoe%d@example.org", i), "moderator")
			item := fmt.Sprintf(`[...document.querySelectorAll(".queue-item")].filter(e => e.querySelector("h2").textContent.trim() === %q)`, name)
			zoe.comes("/moderate?show=correction", item+`.length === 1 && `+item+`[0].textContent.includes("tricote")`)
			if !zoe.is("document.documentElement.scrollWidth <= 390") {
				t.Errorf("the queue is wider than the phone: %d", zoe.num("document.documentElement.scrollWidth"))
			}
			zoe.is(fmt.Sprintf(`(e => { e.querySelector("button[value=approve]").setAttribute("data-now", ""); return true })(%s[0])`, item))
			zoe.click("[data-now]")
			zoe.until(`document.querySelector(".queue-done")`)
			visitor.open("/e/" + slugs[i])
			visitor.until(`document.querySelector("main").textContent.includes("On y coud et on y tricote.")`)
			anna.open("/e/" + slugs[i] + "/edit")
			anna.until(`!document.querySelector("main").textContent.includes("attend depuis")`)
		})
	}
}
