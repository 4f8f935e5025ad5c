package main

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/dom"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp/kb"
)

// TestPosting adds an organisation with a picture and a weekly event of its, on a phone, with and without scripts.
func TestPosting(t *testing.T) {
	dir := t.TempDir()
	p := serveIn(t, dir, "-demo")
	defer p.stop()
	b := startBrowser(t, p)
	picture := filepath.Join(t.TempDir(), "la cour.jpg")
	m := image.NewRGBA(image.Rect(0, 0, 900, 600))
	for i := range 900 * 600 {
		m.Set(i%900, i/900, color.RGBA{uint8(i % 900 / 4), uint8(i / 900 / 3), 90, 255})
	}
	var body bytes.Buffer
	if err := jpeg.Encode(&body, m, nil); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(picture, body.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, plain := range []bool{false, true} {
		t.Run(fmt.Sprintf("scripts=%v", !plain), func(t *testing.T) {
			name := map[bool]string{false: "Ressourcerie du Furan vif", true: "Verger citoyen de Montaud"}[plain]
			w := b.window(t, look{width: 390, withoutScript: plain})
			w.signIn(dir, fmt.Sprintf("anna%v@example.org", plain))
			w.open("/")
			w.click(`a.nav-add`)
			w.until(`location.pathname === "/add" && document.readyState === "complete"`)
			w.axe(plain, "step 1")
			w.shot("post1")
			// Nothing filled in: it says what is missing, and the focus is on it.
			w.submit("next")
			w.until(`document.querySelectorAll(".summary-of-problems li").length === 3`)
			w.until(`document.activeElement.id === "problems-title"`)
			w.axe(plain, "step 1, refused")
			w.expect("422")
			w.shot("post1-refused")
			w.click(`input[name=kind][value=organisation]`)
			w.fill("name", name)
			w.choose("categories", "coworking")
			w.submit("next")
			w.until(`/\/where$/.test(location.pathname)`)
			if !plain {
				w.until(`document.querySelector("#pin .leaflet-marker-icon")`)
			}
			w.axe(plain, "step 2")
			w.fill("address.postalCode", "42000")
			w.fill("address.addressLocality", "Saint-Étienne")
			w.shot("post2")
			w.submit("next")
			w.until(`document.querySelector("[name=place]")`)
			w.axe(plain, "step 2, places")
			w.shot("post2-places")
			if !plain {
				// The pin stands on the place that is offered, and moves with the arrow keys: then it is the pin that counts.
				w.until(`Math.abs(Number(document.getElementById("f-lat").value) - 45.43) < 0.05`)
				w.is(`(document.querySelector("#pin .leaflet-marker-icon").focus(), true)`)
				w.press(kb.ArrowRight, kb.ArrowRight)
				w.until(`!document.querySelector("[name=place]:checked")`)
			}
			w.submit("next")
			w.until(`/\/about$/.test(location.pathname)`)
			w.axe(plain, "step 3")
			w.fill("summary", "On répare et on donne.")
			w.fill("description", "Premier paragraphe.\n\nSecond.")
			w.fill("contact.website", "furan-vif.example")
			w.click(`[name="hours.mode"][value=table]`)
			for _, day := range []string{"we", "sa"} {
				w.fill("hours."+day+".0.from", "14:00")
				w.fill("hours."+day+".0.to", "18:00")
			}
			if !plain {
				w.until(`document.getElementById("hours-preview").textContent.includes("14:00–18:00")`)
			}
			w.axe(plain, "step 3, hours")
			w.shot("post3-hours")
			w.attach("#f-picture", picture)
			w.submit("picture")
			w.until(`document.querySelector(".picture-row img")?.naturalWidth === 400`)
			w.fill("images[0].alt", "La cour de la ressourcerie")
			w.shot("post3")
			w.submit("next")
			w.until(`/^\/e\//.test(location.pathname) && document.readyState === "complete"`)
			if got := w.text(`document.querySelector("h1").textContent`); got != name {
				t.Errorf("the page of %q", got)
			}
			if !w.is(`document.querySelector(".picture img").alt === "La cour de la ressourcerie"`) {
				t.Error("the page has no picture")
			}
			w.axe(plain, "the entry")
			slug := strings.TrimPrefix(w.where(), "/e/")

			// A weekly event in its name.
			w.open("/add?kind=event")
			w.fill("name", "Atelier de "+name)
			w.choose("categories", "coworking")
			w.submit("next")
			w.until(`/\/where$/.test(location.pathname)`)
			w.click(`[name=where][value=area]`)
			w.fill("zone", "Loire")
			w.submit("zone")
			w.until(`document.querySelector("input[type=checkbox][name='area.zones']:checked")`)
			w.submit("next")
			w.until(`/\/about$/.test(location.pathname)`)
			w.axe(plain, "step 3 of an event")
			w.fill("event.startDate", time.Now().AddDate(0, 5, 0).Format(time.DateOnly))
			w.fill("event.startTime", "18:00")
			w.fill("event.endTime", "20:00")
			w.choose("event.repeat", "weekly")
			w.is(fmt.Sprintf(`(s => { s.value = [...s.options].find(o => o.textContent === %q).value; return true })(document.querySelector("[name=organiser]"))`, name))
			w.shot("post3-event")
			w.submit("next")
			w.until(`/^\/e\//.test(location.pathname) && document.readyState === "complete"`)
			w.open("/e/" + slug)
			if !w.is(`document.querySelector(".related")?.textContent.includes("Atelier de")`) {
				t.Error("the organisation does not show its event")
			}
			// Changing it.
			w.click(`a[href$="/edit"]`)
			w.until(`/\/edit$/.test(location.pathname) && document.readyState === "complete"`)
			w.axe(plain, "the form of an entry")
			w.fill("summary", "On répare, on donne, on apprend.")
			w.submit("next")
			w.until(`/^\/e\/[^/]*$/.test(location.pathname) && document.querySelector(".lead")?.textContent.includes("apprend")`)
			// Somebody else was faster: both versions are shown, and what was typed is in the form.
			w.open("/e/" + slug + "/edit")
			w.is(`(v => { v.value = String(Number(v.value) - 1); return true })(document.querySelector("[name=version]"))`)
			w.fill("summary", "Écrit en même temps.")
			w.submit("next")
			w.until(`document.querySelector(".conflict td")`)
			w.expect("409")
			if !w.is(`document.activeElement.id === "conflict-title" && document.querySelector("[name=summary]").value === "Écrit en même temps." && document.querySelector(".conflict").textContent.includes("on apprend")`) {
				t.Error("the conflict does not show both, or the focus is elsewhere: " + w.focus())
			}
			w.axe(plain, "a conflict")
			w.shot("conflict")
			w.submit("next")
			w.until(`/^\/e\/[^/]*$/.test(location.pathname) && document.querySelector(".lead")?.textContent.includes("même temps")`)
			w.open("/me/entries")
			w.axe(plain, "own entries")
			w.shot("own")
			if !w.is(`document.querySelectorAll(".own li").length === 2`) {
				t.Error("own entries are not two")
			}
		})
	}
}

// axe runs axe-core where scripts run.
func (w *window) axe(plain bool, state string) {
	w.t.Helper()
	if !plain {
		w.accessible(state)
	}
}

// signIn makes an account by the command line and follows its link.
func (w *window) signIn(dir, mail string) {
	w.t.Helper()
	cmd := exec.Command(os.Args[0], "account", "create", "-data", dir, "-role", "moderator", "-mail", mail)
	cmd.Env = append(os.Environ(), "ARCHIPEL_TEST_PROGRAM=1")
	out, err := cmd.CombinedOutput()
	link := regexp.MustCompile(`https?://\S+`).FindString(string(out))
	if err != nil || link == "" {
		w.t.Fatalf("account create: %v\n%s", err, out)
	}
	u, err := url.Parse(link)
	if err != nil {
		w.t.Fatal(err)
	}
	w.open(u.RequestURI())
	w.fill("password", "trois petits chats gris")
	w.is(`(document.querySelector("main form").requestSubmit(), true)`)
	w.until(`location.pathname === "/account" && document.readyState === "complete"`)
}

// fill puts a value in a field, as typing does.
func (w *window) fill(name, value string) {
	w.t.Helper()
	if !w.is(fmt.Sprintf(`(e => { if (!e) return false; e.value = %q; e.dispatchEvent(new Event("input", {bubbles: true})); return true })(document.querySelector('main form [name=%q]:not([type=hidden])'))`, value, name)) {
		w.t.Fatalf("no field %s at %s", name, w.where())
	}
}

// choose takes an option of a list.
func (w *window) choose(name, value string) {
	w.t.Helper()
	if !w.is(fmt.Sprintf(`(e => { e.value = %q; return e.value === %q })(document.querySelector('select[name=%q]'))`, value, value, name)) {
		w.t.Fatalf("%s has no option %s", name, value)
	}
}

// submit presses the visible button of an action, and waits for the next page.
func (w *window) submit(action string) {
	w.t.Helper()
	w.is(`(document.body.dataset.sent = "1")`)
	w.click(fmt.Sprintf(`#posting button[value=%q]:not(.hidden)`, action))
	w.until(`!document.body.dataset.sent && document.readyState === "complete"`)
}

// attach chooses a file.
func (w *window) attach(selector, path string) {
	w.t.Helper()
	r := send(w, runtime.Evaluate, runtime.EvaluateParams{Expression: fmt.Sprintf("document.querySelector(%q)", selector)})
	send(w, dom.SetFileInputFiles, dom.SetFileInputFilesParams{Files: []string{path}, ObjectID: r.Result.ObjectID})
}

// shot keeps a picture of the page where ARCHIPEL_TEST_SHOTS names a folder, for people to look at.
func (w *window) shot(name string) {
	w.t.Helper()
	dir := os.Getenv("ARCHIPEL_TEST_SHOTS")
	if dir == "" {
		return
	}
	whole := true
	r := send(w, page.CaptureScreenshot, page.CaptureScreenshotParams{CaptureBeyondViewport: &whole})
	b := r.Data
	if err := os.WriteFile(filepath.Join(dir, name+".png"), []byte(b), 0o600); err != nil {
		w.t.Fatal(err)
	}
}
