package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"io"
	"mime/quotedprintable"
	"net/http"
	"net/mail"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"archipel/directory/mongostore/mongotest"
)

// TestAssociation is what an association and its directory live through, on both stores, on a phone, with and without
// scripts: somebody signs up, adds an organisation with a picture and a weekly event, moderators approve, everybody sees
// them, a change is compared and taken back.
func TestAssociation(t *testing.T) {
	if testing.Short() {
		t.Skip("a browser takes its time: left out by -short")
	}
	t.Run("sqlite", association)
	t.Run("mongo", func(t *testing.T) {
		t.Setenv("MONGODB_URI", mongotest.Fresh(t))
		association(t)
	})
}

// aPicture writes a JPEG file as an album holds it.
func aPicture(t *testing.T) string {
	t.Helper()
	m := image.NewRGBA(image.Rect(0, 0, 900, 600))
	for i := range 900 * 600 {
		m.Set(i%900, i/900, color.RGBA{uint8(i % 900 / 4), uint8(i / 900 / 3), 90, 255})
	}
	var body bytes.Buffer
	if err := jpeg.Encode(&body, m, nil); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "la cour.jpg")
	if err := os.WriteFile(path, body.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func association(t *testing.T) {
	dir := t.TempDir()
	p := serveIn(t, dir)
	b := startBrowser(t, p)
	picture := aPicture(t)
	soon := time.Now().AddDate(0, 0, 3)
	for _, plain := range []bool{false, true} {
		t.Run(fmt.Sprintf("scripts=%v", !plain), func(t *testing.T) {
			name := map[bool]string{false: "Ressourcerie du Furan", true: "Verger de Montaud"}[plain]
			event := "Atelier de " + name
			look := look{width: 390, withoutScript: plain}
			author, moderator := b.window(t, look), b.window(t, look)
			to := fmt.Sprintf("anna%v@example.org", plain)
			author.signUp(t, dir, to)
			enterAs(moderator, dir, fmt.Sprintf("mod%v@example.org", plain), "moderator")

			// The organisation, with a picture.
			author.open("/add?kind=organisation")
			author.fill("name", name)
			author.choose("categories", "coworking")
			author.submit("next")
			author.until(`/\/where$/.test(location.pathname)`)
			author.fill("address.postalCode", "42000")
			author.fill("address.addressLocality", "Saint-Étienne")
			author.submit("next")
			author.until(`document.querySelector("[name=place]")`)
			author.submit("next")
			author.until(`/\/about$/.test(location.pathname)`)
			author.fill("summary", "On répare et on donne.")
			author.attach("#f-picture", picture)
			author.submit("picture")
			author.until(`document.querySelector(".picture-row img")?.naturalWidth > 0`)
			author.fill("images[0].alt", "La cour de la ressourcerie")
			author.submit("next")
			author.until(`/^\/(e|me)\//.test(location.pathname)`)
			author.axe(plain, "sent")
			if n := p.matched(""); n != map[bool]int{false: 0, true: 2}[plain] {
				t.Errorf("%d entries are public before anybody approved", n)
			}

			// A weekly event of its.
			author.open("/add?kind=event")
			author.fill("name", event)
			author.choose("categories", "coworking")
			author.submit("next")
			author.until(`/\/where$/.test(location.pathname)`)
			author.click(`[name=where][value=area]`)
			author.fill("zone", "Loire")
			author.submit("zone")
			author.until(`document.querySelector("input[type=checkbox][name='area.zones']:checked")`)
			author.submit("next")
			author.until(`/\/about$/.test(location.pathname)`)
			author.fill("event.startDate", soon.Format(time.DateOnly))
			author.fill("event.startTime", "18:00")
			author.fill("event.endTime", "20:00")
			author.choose("event.repeat", "weekly")
			author.is(fmt.Sprintf(`(s => { s.value = [...s.options].find(o => o.textContent === %q).value; return true })(document.querySelector("[name=organiser]"))`, name))
			author.submit("next")
			author.until(`/^\/(e|me)\//.test(location.pathname)`)

			// Moderators see both and approve.
			for _, title := range []string{name, event} {
				moderator.decide(title, "approve", "", "est publié")
			}
			moderator.axe(plain, "the queue")

			// Everybody sees them: on the map, in the agenda, in a calendar.
			p.caughtUp()
			slug := p.slugOf(name)
			visitor := b.window(t, look)
			visitor.open("/?view=map")
			if !plain {
				visitor.until(`document.querySelector(".live .holder .pin, .live .holder .crowd")`)
			}
			visitor.axe(plain, "the map")
			visitor.comes("/?q="+strings.Fields(name)[0], fmt.Sprintf(`[...document.querySelectorAll("#list > li h2, #list > li h3")].some(e => e.textContent.includes(%q))`, name))
			visitor.open("/agenda?view=day&date=" + soon.Format(time.DateOnly))
			visitor.until(fmt.Sprintf(`[...document.querySelectorAll(".date h4 a")].some(a => a.textContent.includes(%q))`, event))
			visitor.axe(plain, "the agenda")
			visitor.open("/agenda?view=day&date=" + soon.AddDate(0, 0, 7).Format(time.DateOnly))
			visitor.until(fmt.Sprintf(`[...document.querySelectorAll(".date h4 a")].some(a => a.textContent.includes(%q))`, event))
			visitor.open("/e/" + slug)
			visitor.until(`document.querySelector(".picture img")?.naturalWidth > 0 && document.querySelector(".picture img").alt === "La cour de la ressourcerie"`)
			visitor.axe(plain, "the organisation")
			occasion := "/e/" + p.slugOf(event)
			visitor.click(fmt.Sprintf(`a[href=%q]`, occasion))
			visitor.until(fmt.Sprintf(`location.pathname === %q && document.querySelector("h1").textContent.includes(%q) && document.querySelector('.doors a[href$=".ics"]')`, occasion, event))
			visitor.axe(plain, "the event")
			calendar := download(t, visitor.text(`document.querySelector('.doors a[href$=".ics"]').href`))
			for _, want := range []string{"BEGIN:VEVENT", "RRULE:FREQ=WEEKLY", "SUMMARY:" + event, soon.Format("20060102") + "T180000"} {
				if !strings.Contains(strings.ReplaceAll(calendar, "\r\n ", ""), want) {
					t.Errorf("the calendar has no %s:\n%s", want, calendar)
				}
			}

			// A change is public at once; the queue compares it with what was approved, and takes it back with a reason.
			author.open("/e/" + slug + "/edit")
			author.axe(plain, "the form of an entry")
			author.fill("summary", "On répare, on donne, on apprend.")
			author.submit("next")
			author.until(fmt.Sprintf(`location.pathname === "/e/%s"`, slug))
			visitor.open("/e/" + slug)
			visitor.until(`document.body.textContent.includes("on apprend")`)
			moderator.comes("/moderate?show=changed", fmt.Sprintf(`(e => e?.querySelector(".diff del, .diff ins"))(%s)`, queued(name))) // the queue is told from the log
			moderator.axe(plain, "a change in the queue")
			moderator.decide(name, "seen", "", "relue")
			author.open("/e/" + slug + "/edit")
			author.fill("summary", "Tout est à vendre.")
			author.submit("next")
			author.until(fmt.Sprintf(`location.pathname === "/e/%s"`, slug))
			moderator.open("/e/" + slug + "/versions")
			moderator.click(`main form[method=get] button`)
			moderator.until(`document.querySelector("#compared")`)
			moderator.axe(plain, "two versions")
			moderator.is(`(document.getElementById("revert-reason").value = "C’était mieux avant.", document.getElementById("revert-reason").form.requestSubmit(), true)`)
			moderator.until(`document.querySelector(".queue-done")`)
			visitor.open("/e/" + slug)
			visitor.until(`document.body.textContent.includes("on apprend") && !document.body.textContent.includes("à vendre")`)
			mailed(t, dir, to, "C’était mieux avant.")
			for _, w := range []*window{author, moderator, visitor} {
				w.fits()
			}
		})
	}
}

// queued is the item of the moderators' queue with a title, in JavaScript.
func queued(title string) string {
	return fmt.Sprintf(`[...document.querySelectorAll(".queue-item")].find(e => e.querySelector("h2").textContent.trim() === %q)`, title)
}

// decide answers an item of the queue, and waits for what the page says then.
func (w *window) decide(title, decision, reason, says string) {
	w.t.Helper()
	w.comes("/moderate", queued(title))
	w.is(fmt.Sprintf(`(e => { e.querySelector("textarea").value = %q; e.querySelector("button[value=%s]").setAttribute("data-now", ""); return true })(%s)`, reason, decision, queued(title)))
	w.click("[data-now]")
	w.until(fmt.Sprintf(`document.querySelector(".queue-done")?.textContent.includes(%q)`, says))
}

// mailed waits for a mail to somebody that says something.
func mailed(t *testing.T, dir, to, words string) {
	t.Helper()
	eventually(t, "a mail says "+words, func() bool {
		return strings.Contains(mailsTo(t, dir, to), words)
	})
}

// mailsTo is everything that the folder of mails holds for somebody.
func mailsTo(t *testing.T, dir, to string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "mails", "*.eml"))
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if m, err := mail.ReadMessage(bytes.NewReader(b)); err == nil && strings.Contains(m.Header.Get("To"), to) {
			text, _ := io.ReadAll(quotedprintable.NewReader(m.Body))
			all.Write(text)
		}
	}
	return all.String()
}

// signUp makes an account as people do: a form, a mail, a link.
func (w *window) signUp(t *testing.T, dir, to string) {
	t.Helper()
	w.open("/signup")
	w.fill("name", "Anna")
	w.fill("mail", to)
	w.fill("password", "quatre mots bien longs")
	w.is(`(document.querySelector("main form").requestSubmit(), true)`)
	w.until(fmt.Sprintf(`document.body.textContent.includes(%q)`, to))
	w.open(linkTo(t, dir, to))
	w.is(`(document.querySelector("main form").requestSubmit(), true)`)
	w.until(`location.pathname === "/account"`)
}

// slugOf is the slug of the public entry with a name.
func (p *program) slugOf(name string) string {
	p.t.Helper()
	_, body := p.get("/api/collections/entries/items?limit=100")
	var doc struct {
		Features []struct{ Properties struct{ Name, Slug string } }
	}
	if err := json.Unmarshal([]byte(body), &doc); err != nil {
		p.t.Fatal(err)
	}
	for _, f := range doc.Features {
		if f.Properties.Name == name {
			return f.Properties.Slug
		}
	}
	p.t.Fatalf("%s is not public", name)
	return ""
}

// download reads a document as a calendar program does.
func download(t *testing.T, address string) string {
	t.Helper()
	res, err := http.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s %v", address, res.Status, err)
	}
	return string(b)
}
