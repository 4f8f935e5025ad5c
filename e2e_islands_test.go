package main

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"archipel/directory"
)

// TestIslandsInBrowser goes the operator's way between two real programs, on a phone: find an island, ask, accept on the
// other side, see entries arrive, say its words in ours, decide about what is to be reviewed, leave.
func TestIslandsInBrowser(t *testing.T) {
	if testing.Short() {
		t.Skip("a browser takes its time: left out by -short")
	}
	dirA, addressA, dirB, addressB := t.TempDir(), freePort(t), t.TempDir(), freePort(t)
	begin := func(dir, address, name string) *program {
		if _, stderr, err := archipel(t, "site", "-data", dir, "licence=ODbL-1.0", "name="+name); err != nil {
			t.Fatal(err, stderr)
		}
		return start(t, nil, "serve", "-data", dir, "-listen", address, "-public-url", "http://"+address, "-federation", "on")
	}
	a, b := begin(dirA, addressA, "Île de la Loire"), begin(dirB, addressB, "Île du <b>Rhône</b>")
	there := openBeside(t, dirB)
	put := func(name string) directory.Entry {
		t.Helper()
		e := fair(name)
		e.Categories = []string{"bourse-aux-graines"} // a word that nobody else has
		e, err := there.Put(t.Context(), "test", e)
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	fairB := put("Troc de plantes")
	chrome := startBrowser(t, a)
	wa := chrome.window(t, look{width: 390})
	wb := (&browser{ctx: chrome.ctx, p: b, axe: chrome.axe}).window(t, look{width: 390})
	enterAs(wa, dirA, "a@example.org", "admin")
	enterAs(wb, dirB, "b@example.org", "admin")
	good := func(w *window, state string) {
		t.Helper()
		w.fits()
		w.accessible(state)
		w.shot(strings.ReplaceAll(state, " ", "-"))
	}
	// sends presses a button, and waits for the next page.
	sends := func(w *window, selector string) {
		t.Helper()
		w.is(`(document.body.dataset.sent = "1")`)
		w.click(selector)
		w.until(`!document.body.dataset.sent`)
	}
	comes := (*window).comes // what the programs tell one another takes a moment

	// Find it: what nobody answers at is told, and what was typed stays.
	wa.open("/admin")
	sends(wa, `a[href="/admin/islands"]`)
	good(wa, "no island yet")
	wa.fill("island", "http://"+freePort(t))
	sends(wa, `form[action="/admin/islands"] button`)
	wa.expect("422")
	wa.until(`document.querySelector("#island-wrong") && document.querySelector("#island").value.startsWith("http://127.0.0.1:")`)
	good(wa, "an island that does not answer")
	wa.fill("island", "http://"+addressB+"/about")
	sends(wa, `form[action="/admin/islands"] button`)
	wa.until(`document.querySelector("h1").textContent === "Île du <b>Rhône</b>" && document.querySelector("#about")`)
	good(wa, "an island that was found")

	// Ask it, for a territory that is looked for by its name.
	wa.is(`(document.querySelector("#ask-zone").value = "Loire", true)`)
	sends(wa, `#ask button[value=zone]`)
	wa.until(`document.querySelector("#ask input[name=zones][value=FR-42]")`)
	wa.is(`(document.querySelectorAll("#ask input[name=zones]").forEach(z => z.checked = z.value === "FR-42"), document.querySelector("#ask-kind-event").checked = true)`)
	wa.is(`(document.querySelector("#message").value = "Bonjour <i>du</i> pays d’à côté.", true)`)
	good(wa, "the form that asks")
	sends(wa, `#ask button[value=ask]`)
	wa.until(`document.querySelector(".queue-done")`)
	good(wa, "an island that is asked")

	// Accept it on the other side, where the health of the directory says that somebody asks.
	comes(wb, "/admin", `[...document.querySelectorAll(".admin-health a")].some(a => a.textContent.includes("Île de la Loire"))`)
	wb.open(wb.text(`document.querySelector('.admin-health a[href^="/admin/islands/127.0.0.1"]').getAttribute("href")`))
	wb.until(`document.body.textContent.includes("Bonjour <i>du</i> pays d’à côté.") && document.body.textContent.includes("Loire (42)")`)
	good(wb, "an island that asks us")
	sends(wb, `button[value=accept]`)
	wb.until(`document.querySelector(".queue-done")`)

	// Its entries are in the list, under a word of its own.
	comes(wa, "/", fmt.Sprintf(`document.querySelector("#list")?.textContent.includes(%q)`, fairB.Name))
	comes(wa, "/e/"+fairB.Slug, `document.querySelector("main").textContent.includes("bourse-aux-graines")`)

	// Say the word in ours: the entry that is here is written anew.
	words := "/admin/islands/" + addressB + "/words"
	comes(wa, words, `[...document.querySelectorAll(".islands-words code")].some(c => c.textContent === "bourse-aux-graines")`)
	good(wa, "words to be said")
	wa.is(`(document.querySelector("#word-0").value = "seed-library", document.querySelector("#word-0").value = document.querySelector("#word-0").value || [...document.querySelectorAll("#word-0 optgroup option")][3].value, true)`)
	ours := wa.text(`document.querySelector("#word-0").selectedOptions[0].textContent`)
	sends(wa, `.islands form button.primary`)
	wa.until(`document.querySelector(".queue-done")`)
	comes(wa, "/e/"+fairB.Slug, fmt.Sprintf(`document.querySelector("main").textContent.includes(%q) && !document.querySelector("main").textContent.includes("bourse-aux-graines")`, ours))

	// Correct an entry of theirs: their moderators decide, and what they accept comes back.
	plainB, err := there.Put(t.Context(), "test", fair("Bourse aux boutures"))
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the entry to correct came", func() bool {
		status, _ := a.get("/e/" + plainB.Slug)
		return status == http.StatusOK
	})
	wa.open("/e/" + plainB.Slug)
	sends(wa, `main a[href$="/suggest"]`)
	wa.until(`document.querySelector("main .notice").textContent.includes("Île du <b>Rhône</b>")`)
	wa.fill("summary", "Le troc commence à dix heures.")
	good(wa, "a correction for another island")
	sends(wa, `#posting button.primary`)
	wa.until(`location.pathname === "/add/thanks" && document.querySelector("main").textContent.includes("Bourse aux boutures")`)
	good(wa, "a correction that was sent")
	comes(wb, "/moderate?show=correction", `document.querySelector(".queue-item")?.textContent.includes("Le troc commence à dix heures.")`)
	wb.until(`document.querySelector(".queue-item").textContent.includes("Île de la Loire")`)
	good(wb, "a correction of another island")
	sends(wb, `.queue-item button[value=approve]`)
	wb.until(`document.querySelector(".queue-done")`)
	comes(wa, "/e/"+plainB.Slug, `document.querySelector("main").textContent.includes("Le troc commence à dix heures.")`)
	if corrected, err := there.Entry(t.Context(), plainB.ID); err != nil || corrected.Summary != "Le troc commence à dix heures." || corrected.Description != plainB.Description {
		t.Errorf("corrected over there: %q, %q, %v", corrected.Summary, corrected.Description, err)
	}

	// From now on what comes is reviewed first.
	island := "/admin/islands/" + addressB
	wa.open(island)
	good(wa, "an island that is followed")
	wa.choose("policy", "review")
	sends(wa, `button[value=policy]`)
	second := put("Fête des semences")
	comes(wa, "/moderate/islands", fmt.Sprintf(`document.querySelector(".islands-held")?.textContent.includes(%q)`, second.Name))
	good(wa, "entries to review")
	if status, _ := a.get("/e/" + second.Slug); status == http.StatusOK {
		t.Error("what is to be reviewed is public")
	}
	wa.click(`.islands-held input[type=checkbox]`)
	sends(wa, `button[value=show]`)
	wa.until(`document.querySelector(".queue-done")`)
	comes(wa, "/", fmt.Sprintf(`document.querySelector("#list")?.textContent.includes(%q)`, second.Name))

	// Everybody sees the archipelago, also without scripts.
	plain := chrome.window(t, look{width: 1280, withoutScript: true})
	plain.open("/about")
	sends(plain, `a[href="/islands"]`)
	plain.until(`document.querySelector(".islands-list a")?.textContent === "Île du <b>Rhône</b>" && document.querySelector(".islands-map img").naturalWidth > 0`)
	plain.shot("archipelago-wide")
	wa.open("/islands")
	good(wa, "the archipelago")

	// Leave: what came is gone from the list at once.
	wa.open(island)
	wa.is(`(document.querySelector("#in").parentElement.querySelectorAll(".islands-do details").forEach(d => d.open = true), true)`)
	good(wa, "before leaving")
	sends(wa, `section[aria-labelledby=in] .islands-do button[value=end]`)
	wa.until(`document.querySelector(".queue-done")`)
	for _, e := range []directory.Entry{fairB, second} {
		eventually(t, "an entry is gone", func() bool {
			status, _ := a.get("/e/" + e.Slug)
			return slices.Contains([]int{http.StatusNotFound, http.StatusGone}, status)
		})
	}
	comes(wa, "/", fmt.Sprintf(`!document.querySelector("main").textContent.includes(%q)`, fairB.Name))
	comes(wb, "/admin/islands", `document.querySelector("#islands-past")`)
	good(wb, "islands of before")
}
