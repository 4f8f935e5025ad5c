package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp/kb"
)

// TestBrowser uses the demonstration as visitors do, in a real browser, wide and on a phone.
func TestBrowser(t *testing.T) {
	if testing.Short() {
		t.Skip("a browser takes its time: left out by -short")
	}
	b := startBrowser(t, serveIn(t, t.TempDir(), "-demo"))
	for _, use := range []struct {
		name string
		run  func(*testing.T, *browser)
	}{
		{"the watch sees", watchSees}, {"filters", filters}, {"map", moveTheMap}, {"entry", openEntries}, {"late answers", lateAnswers}, {"phone", onAPhone},
		{"keyboard", byKeyboard}, {"tab order", tabOrder}, {"keyboard on a phone", keyboardOnPhone},
		{"without script", withoutScript}, {"budget", budgets}, {"paper", onPaper},
		{"dark", inTheDark}, {"still", withoutMotion}, {"light", lightMode}, {"languages", inTwoLanguages}, {"errors", errorPages},
	} {
		t.Run(use.name, func(t *testing.T) { use.run(t, b) })
	}
}

// watchSees makes sure that the watch over every window would notice.
func watchSees(t *testing.T, b *browser) {
	w := b.window(t, look{})
	w.open("/about")
	w.is(`(document.body.append(Object.assign(new Image(), {src: "http://other.example/x.png"})), console.error("on purpose"), true)`)
	w.is(`(document.body.append(Object.assign(document.createElement("script"), {textContent: "window.hacked = true"})), true)`)
	for _, what := range []string{"other.example", "on purpose", "inline script"} {
		found := 0
		for end := time.Now().Add(stepTakes); found == 0 && time.Now().Before(end); found = w.forgive(what) {
			time.Sleep(10 * time.Millisecond)
		}
		if found == 0 {
			t.Errorf("%s went unnoticed", what)
		}
	}
	if w.is("window.hacked") {
		t.Error("an inline script ran")
	}
	w.forgive("other.example")
}

// slugs are those of the list shown.
func (w *window) slugs() string {
	w.t.Helper()
	return w.text(`[...document.querySelectorAll("#list > li")].map(c => c.dataset.slug).join(" ")`)
}

// onTheMap adds up what the live map shows.
const onTheMap = `[...document.querySelectorAll(".crowd span")].reduce((n, e) => n + Number(e.textContent.replace(/\D/g, "")), document.querySelectorAll("a.pin").length)`

// sites counts the places of all entries, and names those entries that have several.
func (p *program) sites() (n int, several map[string]bool) {
	p.t.Helper()
	several = map[string]bool{}
	code, body := p.get("/api/collections/entries/items?limit=1000")
	var doc struct {
		Features []struct {
			Properties struct{ Slug string }
			Geometry   *struct {
				Type        string
				Coordinates []any
			}
		}
	}
	if err := json.Unmarshal([]byte(body), &doc); err != nil || code != 200 {
		p.t.Fatalf("%d %.200s %v", code, body, err)
	}
	for _, f := range doc.Features {
		switch {
		case f.Geometry == nil:
		case f.Geometry.Type == "MultiPoint":
			n += len(f.Geometry.Coordinates)
			several[f.Properties.Slug] = true
		default:
			n++
		}
	}
	return n, several
}

// first are the slugs that the API gives first.
func (p *program) first(query string, n int) string {
	p.t.Helper()
	code, body := p.get(fmt.Sprintf("/api/collections/entries/items?limit=%d&%s", n, query))
	var doc struct {
		Features []struct{ Properties struct{ Slug string } }
	}
	if err := json.Unmarshal([]byte(body), &doc); err != nil || code != 200 {
		p.t.Fatalf("%d %.200s %v", code, body, err)
	}
	var list []string
	for _, f := range doc.Features {
		list = append(list, f.Properties.Slug)
	}
	return strings.Join(list, " ")
}

func filters(t *testing.T, b *browser) {
	for _, width := range []int64{1280, 390} {
		t.Run(fmt.Sprint(width), func(t *testing.T) {
			w := b.window(t, look{width: width})
			w.open("/")
			w.is("(window.same = true)")
			all := w.inStep()
			if all < 180 {
				t.Fatalf("%d entries", all)
			}
			w.accessible("home")

			// Each step narrows, stands in the address, and shows what the API finds.
			w.click(`.chips a[href="/?category=alimentation"]`)
			w.until(`location.search === "?category=alimentation"`)
			some := w.inStep()
			w.hasFocus("a chip")
			w.click(`.kinds a[href*="kind=place"]`)
			w.until(`location.search.includes("kind=place")`)
			fewer := w.inStep()
			w.hasFocus("a kind")
			if all <= some || some <= fewer || fewer == 0 {
				t.Errorf("the filters keep %d of %d of %d", fewer, some, all)
			}
			w.accessible("filtered")
			w.click(`.active a:first-child`)
			w.until(`location.search.split("&").length === 1`)
			w.inStep()
			w.hasFocus("removing a filter")

			w.back()
			w.count(fewer)
			w.back()
			w.until(`location.search === "?category=alimentation"`)
			w.count(some)
			w.back()
			w.until(`location.search === ""`)
			w.count(all)
			w.forward()
			w.count(some)
			w.back()
			w.count(all)

			// Words, and another order.
			w.click("#q")
			w.press("vélo", kb.Enter)
			w.until(`new URLSearchParams(location.search).get("q") === "vélo"`)
			found := w.num(`Number(document.getElementById("results").dataset.total)`)
			if found == 0 || found >= all {
				t.Errorf("the word finds %d of %d", found, all)
			}
			if f := w.focus(); !strings.Contains(f, "count") {
				t.Errorf("after a search the focus is on %s, want the count", f)
			}
			w.open("/")
			w.click(`.sorts a[href*="sort=updated"]`)
			w.until(`location.search === "?sort=updated"`)
			w.inStep()
			if got, want := w.slugs(), b.p.first("sort=updated", 5); !strings.HasPrefix(got, want) {
				t.Errorf("sorted by change: %.200s, want %s first", got, want)
			}
			w.open("/?q=zzzxq")
			w.until(`document.querySelector(".empty") && document.querySelector(".empty").textContent.includes("zzzxq")`)
			w.accessible("nothing found")
			w.click(`.empty a[href="/"]`)
			w.until(`location.search === ""`)
			w.count(all)
			w.hasFocus("leaving an empty list")
			w.open("/?bbox=0,43,0.5,43.5")
			w.until(`document.querySelectorAll(".empty .cards > li").length === 5`)
			w.accessible("empty area")
			w.click(`[data-everywhere]`)
			w.until(`location.search === ""`)
			w.count(all)
		})
	}
}

func moveTheMap(t *testing.T, b *browser) {
	w := b.window(t, look{})
	w.openMap("/")
	w.is("(window.same = true)")
	all := w.inStep()
	w.accessible("home with the live map")
	sites, _ := b.p.sites()
	if shown := w.num(onTheMap); shown < all/2 || shown > sites {
		t.Errorf("the map shows %d of %d sites of %d entries", shown, sites, all)
	}

	// Pan with the mouse from a place without a pin.
	drag := func(dx, dy float64) {
		t.Helper()
		from := eval[[]float64](w, `(() => {
			const r = document.querySelector(".live-map").getBoundingClientRect();
			for (let y = r.top + 80; y < r.bottom - 40; y += 15) for (let x = r.left + 40; x < r.right - 80; x += 15)
				if (!document.elementFromPoint(x, y).closest(".pin, .crowd, .leaflet-control, .map-tools") && document.elementFromPoint(x, y).closest(".live-map")) return [x, y];
		})()`)
		w.mouse(input.DispatchMouseEventTypeMousePressed, from[0], from[1])
		for i := 1.0; i <= 8; i++ {
			w.mouse(input.DispatchMouseEventTypeMouseMoved, from[0]+dx*i/8, from[1]+dy*i/8)
		}
		w.mouse(input.DispatchMouseEventTypeMouseReleased, from[0]+dx, from[1]+dy)
	}
	drag(320, 260)
	w.until(`location.search.startsWith("?bbox=")`)
	w.until(`!document.querySelector(".leaflet-pan-anim")`)
	panned := w.inStep()
	w.inside()
	if panned >= all {
		t.Errorf("after moving, the list still has all %d", panned)
	}
	before := w.box()

	w.click(".leaflet-control-zoom-in")
	w.until(fmt.Sprintf(`!location.search.includes("bbox=%g") && !document.querySelector(".leaflet-zoom-anim")`, before[0]))
	zoomed := w.inStep()
	w.inside()
	if b := w.box(); b[2]-b[0] > (before[2]-before[0])*0.6 {
		t.Errorf("zoomed in from %v to %v", before, b)
	}
	if zoomed > panned {
		t.Errorf("zoomed in, the list grows from %d to %d", panned, zoomed)
	}
	// Any number of moves is one step back.
	w.back()
	w.until(`location.search === ""`)
	w.count(all)
	w.forward()
	w.until(`location.search.startsWith("?bbox=")`)
	w.count(zoomed)

	// Unless the list shall not follow: then a button does it.
	w.click("#follow")
	here := w.where()
	w.click(".leaflet-control-zoom-out")
	w.until(`!document.getElementById("search-here").hidden`)
	if w.where() != here {
		t.Errorf("the list followed to %s", w.where())
	}
	w.click("#search-here")
	w.until(fmt.Sprintf("location.pathname + location.search !== %q", here))
	w.inStep()
	w.inside()

	// A cluster opens, a card and its pin light each other.
	w.openMap("/")
	pins := w.num(`document.querySelectorAll(".pin").length`)
	w.click(".crowd")
	w.until(fmt.Sprintf(`location.search.startsWith("?bbox=") && document.querySelectorAll(".pin").length !== %d`, pins))
	w.inStep()
	w.openMap("/?category=alimentation&kind=place")
	listed := `[...document.querySelectorAll(".pin[data-slug]")].map(p => p.dataset.slug).find(slug => document.querySelector('#list > li[data-slug="' + slug + '"]'))`
	w.until(listed)
	slug := w.text(listed)
	w.is(fmt.Sprintf(`(document.querySelector('#list > li[data-slug="%s"] a').focus(), true)`, slug))
	w.until(fmt.Sprintf(`document.querySelector('.pin.lit[data-slug="%s"]')`, slug))
	w.is(fmt.Sprintf(`(document.querySelector('.pin[data-slug="%s"]').focus(), true)`, slug))
	w.until(fmt.Sprintf(`document.querySelector('#list > li.lit[data-slug="%s"]')`, slug))
}

func openEntries(t *testing.T, b *browser) {
	w := b.window(t, look{})
	w.openMap("/?category=alimentation")
	w.inStep()
	w.is("(window.same = true)")
	w.is(`(document.querySelector(".column").scrollTop = 900, true)`)
	w.until(`document.querySelector(".column").scrollTop === 900`)
	// The first card that can be seen.
	slug := w.text(`[...document.querySelectorAll("#list > li")].find(c => c.getBoundingClientRect().top > 150).dataset.slug`)
	name := w.text(fmt.Sprintf(`document.querySelector('#list > li[data-slug="%s"] h3').textContent.trim()`, slug))
	w.click(fmt.Sprintf(`#list > li[data-slug="%s"] a`, slug))
	w.until(fmt.Sprintf(`location.pathname === "/e/%s" && document.querySelector("#entry h1")?.textContent === %q`, slug, name))
	if f := w.focus(); !strings.HasPrefix(f, "H1") {
		t.Errorf("the entry is open, and the focus on %s", f)
	}
	if got := w.text("document.title"); !strings.Contains(got, name) {
		t.Errorf("its title is %q, want %q in it", got, name)
	}
	w.until(`document.querySelector(".pin.chosen")`)
	w.accessible("an entry beside the live map")
	w.click("[data-back]")
	w.until(`location.search === "?category=alimentation" && !document.getElementById("entry")`)
	if top := w.num(`document.querySelector(".column").scrollTop`); top != 900 {
		t.Errorf("back in the list it stands at %d, want 900", top)
	}
	if f := w.focus(); !strings.Contains(f, name) {
		t.Errorf("back in the list the focus is on %s, want %s", f, name)
	}
	w.forward()
	w.until(fmt.Sprintf(`location.pathname === "/e/%s" && document.querySelector("#entry h1")?.textContent === %q`, slug, name))
	w.back()
	w.until(`location.search === "?category=alimentation" && !document.getElementById("entry")`)

	// From a marker.
	w.until(`document.querySelector("a.pin:not(.ghost)")`)
	href := w.text(`(() => { const p = [...document.querySelectorAll("a.pin")].find(p => { const r = p.getBoundingClientRect(); const top = document.elementFromPoint(r.x + r.width / 2, r.y + r.height / 2); return p.contains(top); }); return p ? p.getAttribute("href") : ""; })()`)
	if href == "" {
		t.Fatal("no pin can be clicked")
	}
	w.click(fmt.Sprintf(`a.pin[href="%s"]`, href))
	w.until(fmt.Sprintf(`location.pathname === decodeURI(%q) && document.querySelector("#entry h1")`, href))
	if !w.is("window.same") {
		t.Error("a step loaded a whole page")
	}
	// An entry's address is its own.
	title := w.text(`document.querySelector("#entry h1").textContent`)
	w.open(href)
	if got := w.text(`document.querySelector("h1").textContent`); got != title {
		t.Errorf("its address leads to %q, want %q", got, title)
	}
	w.click("[data-back]")
	w.until(`location.pathname === "/" && document.querySelectorAll("#list > li").length > 5`)
}

func onAPhone(t *testing.T, b *browser) {
	w := b.window(t, look{width: 390})
	w.open("/")
	all := w.inStep()
	w.is("(window.same = true)")
	if w.asked("/livemap.") && w.is(`document.querySelector(".live")`) {
		t.Error("the live map started behind the list")
	}
	if width := w.num("document.documentElement.scrollWidth"); width > 390 {
		t.Errorf("the page is %d px wide on a screen of 390", width)
	}
	// Down the list, into an entry and back to the same place.
	w.is("(scrollTo(0, 1200), true)")
	w.until("scrollY === 1200")
	slug := w.text(`[...document.querySelectorAll("#list > li")].find(c => c.getBoundingClientRect().top > 100).dataset.slug`)
	w.click(fmt.Sprintf(`#list > li[data-slug="%s"] a`, slug))
	w.until(fmt.Sprintf(`location.pathname === "/e/%s" && document.querySelector("#entry h1")`, slug))
	if top := w.num(`Math.round(document.querySelector("#entry h1").getBoundingClientRect().top)`); top < 0 || top > 500 {
		t.Errorf("the entry's name stands at %d px", top)
	}
	w.accessible("an entry on a phone")
	w.back()
	w.until(`location.pathname === "/" && !document.getElementById("entry")`)
	w.until("Math.abs(scrollY - 1200) < 80")

	w.click(`[data-view-link="map"]`)
	w.until(`location.search === "?view=map" && document.querySelector(".live .holder")`)
	if h := w.num(`document.querySelector(".live-map").clientHeight`); h < 350 {
		t.Errorf("the map is %d px high", h)
	}
	w.accessible("the map on a phone")
	w.click(".leaflet-control-zoom-in")
	w.until(`new URLSearchParams(location.search).get("bbox") && !document.querySelector(".leaflet-zoom-anim")`)
	near := w.inStep()
	if near >= all {
		t.Errorf("the list did not follow the map: %d of %d", near, all)
	}
	w.click(`[data-view-link="list"]`)
	w.until(`!location.search.includes("view=map") && document.querySelector("#list > li").checkVisibility() && !document.querySelector(".live-map").checkVisibility({visibilityProperty: true})`)
	w.count(near)
	w.inside()
	w.click(`[data-view-link="map"]`)
	w.until(`location.search.includes("view=map") && document.querySelector("a.pin, .crowd")`)
	for range 12 { // into the crowd until an entry stands alone
		if w.is(`[...document.querySelectorAll("a.pin")].some(p => { const r = p.getBoundingClientRect(); return p.contains(document.elementFromPoint(r.x + r.width / 2, r.y + r.height / 2)); })`) {
			break
		}
		here := w.where()
		w.click(".crowd")
		w.until(fmt.Sprintf(`location.pathname + location.search !== %q && !document.querySelector(".leaflet-zoom-anim")`, here))
		w.inStep()
	}
	href := w.text(`[...document.querySelectorAll("a.pin")].find(p => { const r = p.getBoundingClientRect(); return p.contains(document.elementFromPoint(r.x + r.width / 2, r.y + r.height / 2)); }).getAttribute("href")`)
	w.click(fmt.Sprintf(`a.pin[href="%s"]`, href))
	w.until(`location.pathname.startsWith("/e/") && document.querySelector("#entry h1").getBoundingClientRect().top < 500`)
	w.click("[data-back]")
	w.until(`location.search.includes("view=map") && document.querySelector(".live-map").clientHeight > 350`)
	if !w.is("window.same") {
		t.Error("a step loaded a whole page")
	}
}
