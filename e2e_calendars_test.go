package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"
)

// TestCalendars subscribes to a calendar in a browser, finds its events in the agenda, cancels one of their dates, and reads why
// a fetch failed: on a phone without scripts, and on a large screen with them.
func TestCalendars(t *testing.T) {
	dir, address := t.TempDir(), freePort(t)
	p := serveIn(t, dir, "-demo", "-listen", address, "-public-url", "http://"+address) // this machine alone: it may ask servers on it
	defer p.stop()
	day := time.Now().AddDate(0, 0, 3)
	var broken atomic.Bool
	feed := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if broken.Load() {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		fmt.Fprintf(w, "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nX-WR-CALNAME:Agenda du collectif\r\n")
		fmt.Fprintf(w, "BEGIN:VEVENT\r\nUID:a%s\r\nSUMMARY:Chantier %s\r\nDTSTART;TZID=Europe/Paris:%sT180000\r\nDURATION:PT2H\r\nRRULE:FREQ=WEEKLY\r\nEND:VEVENT\r\n", r.URL.Path, r.URL.Path[1:], day.Format("20060102"))
		fmt.Fprintf(w, "BEGIN:VEVENT\r\nUID:b%s\r\nSUMMARY:Sans titre lisible\r\nDTSTART:bientot\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n", r.URL.Path)
	}))
	defer feed.Close()
	_, body := p.get("/api/collections/organisations/items?limit=1")
	var found struct {
		Features []struct{ Properties struct{ Slug string } }
	}
	if err := json.Unmarshal([]byte(body), &found); err != nil || len(found.Features) == 0 {
		t.Fatal(err, body)
	}
	page := "/e/" + found.Features[0].Properties.Slug + "/calendars"
	b := startBrowser(t, p)
	for _, plain := range []bool{false, true} {
		t.Run(fmt.Sprintf("scripts=%v", !plain), func(t *testing.T) {
			broken.Store(false)
			l := look{width: 1280}
			if plain {
				l = look{width: 390, withoutScript: true}
			}
			w := b.window(t, l)
			w.signIn(dir, fmt.Sprintf("cal%v@example.org", plain))
			name := map[bool]string{false: "au-soleil", true: "sous-la-pluie"}[plain]
			w.open(page)
			w.axe(plain, "no calendar")
			w.fill("url", "http://10.0.0.1/agenda.ics")
			w.is(`(document.querySelector("#f-url").form.requestSubmit(), true)`)
			w.until(`document.querySelector("#f-url-error") && document.activeElement.id === "f-url"`)
			w.expect("422")
			w.axe(plain, "a wrong address")
			w.fill("url", feed.URL+"/"+name)
			w.is(`(document.querySelector("#f-url").form.requestSubmit(), true)`)
			w.until(`document.querySelector(".calendar-item")`)
			eventually(t, "the calendar is fetched", func() bool {
				w.open(page)
				return w.is(`[...document.querySelectorAll(".calendar-item h2")].some(e => e.textContent.includes("Agenda du collectif")) && !document.querySelector("main").textContent.includes("pas encore")`)
			})
			w.axe(plain, "a calendar")
			w.shot("calendars-" + name)
			event := "/e/chantier-" + name
			w.open(event + "/edit")
			if !w.is(`document.querySelector("main").textContent.includes("l’emporte")`) {
				t.Error("the form does not say that the calendar wins")
			}
			w.is(`(document.querySelectorAll(".dates-edit details").forEach(d => d.open = true), true)`)
			w.axe(plain, "the dates of an event")
			w.shot("dates-" + name)
			if !w.is(`(e => { e.value = "cancelled"; return e.value === "cancelled" })(document.querySelector(".date-row select"))`) {
				t.Fatal("no date to cancel")
			}
			w.submit("next")
			w.until(fmt.Sprintf(`location.pathname === %q`, event))
			w.until(`document.querySelector(".occurrences .off")`)
			w.open("/agenda?view=day&date=" + day.AddDate(0, 0, 7).Format(time.DateOnly))
			w.until(fmt.Sprintf(`document.querySelector('a[href^=%q]')`, event))
			broken.Store(true)
			w.open(page)
			w.is(`(document.querySelector('[name=action][value=resume], [name=action][value=pause]').click(), true)`)
			w.until(`document.querySelector("[name=action][value=resume]")`)
			w.click(`[name=action][value=resume]`)
			w.until(`document.querySelector("[name=action][value=pause]") && document.readyState === "complete"`)
			eventually(t, "the page tells why the fetch failed", func() bool {
				w.open(page)
				return w.is(`!!document.querySelector(".calendar-item .field-error")`)
			})
			w.axe(plain, "a calendar that fails")
			w.shot("failing-" + name)
			w.is(`(document.querySelectorAll(".calendar-item details").forEach(d => d.open = true), true)`)
			w.click(`.calendar-item [value=remove_all]`)
			w.until(`!document.querySelector(".calendar-item")`)
		})
	}
}
