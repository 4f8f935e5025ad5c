package frontend

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// TestIsland uses the page as visitors do. Every step stays in one document: window.same is set once and must survive.
func TestIsland(t *testing.T) {
	tab, base, w := startBrowser(t)
	open := func(t *testing.T, path string, width int64) {
		t.Helper()
		still(t, tab) // a page that is left while it asks for something says that this failed
		viewport(t, tab, width, 844, false)
		do(t, tab, chromedp.Navigate(base+path))
		js[bool](t, tab, `(window.same = true)`)
	}
	address := func(t *testing.T) string {
		t.Helper()
		return strings.TrimPrefix(js[string](t, tab, "location.href"), base)
	}
	press := func(t *testing.T, key string) {
		t.Helper()
		do(t, tab, chromedp.KeyEvent(key))
	}
	click := func(t *testing.T, selector string) {
		t.Helper()
		until(t, tab, "document.querySelector(`"+selector+"`)")
		js[bool](t, tab, `(document.querySelector(`+"`"+selector+"`"+`).click(), true)`)
	}

	t.Run("filter and back", func(t *testing.T) {
		open(t, "/", 1280)
		until(t, tab, `document.querySelector(".live .crowd")`)
		click(t, `.chips li:nth-child(2) a`)
		until(t, tab, `location.search === "?category=repair" && document.querySelectorAll("#list > li").length === 4`)
		if got := js[string](t, tab, `document.getElementById("announce").textContent`); !strings.Contains(got, "4 fiches") {
			t.Errorf("announced %q, want the count", got)
		}
		if got := js[string](t, tab, `document.activeElement.textContent.trim()`); !strings.Contains(got, "Réparer") {
			t.Errorf("focus on %q, want the chip", got)
		}
		if got := js[string](t, tab, `document.querySelector("#search input[type=hidden]").outerHTML`); !strings.Contains(got, "repair") {
			t.Errorf("the form keeps %q, want the category", got)
		}
		click(t, `.kinds li:nth-child(2) a`)
		until(t, tab, `location.search === "?category=repair&kind=place"`)
		js[bool](t, tab, `(history.back(), true)`)
		until(t, tab, `location.search === "?category=repair" && document.querySelectorAll("#list > li").length === 4`)
		js[bool](t, tab, `(history.back(), true)`)
		until(t, tab, `location.search === "" && document.querySelectorAll("#list > li").length === 16`)
	})

	t.Run("search", func(t *testing.T) {
		open(t, "/?kind=place", 1280)
		js[bool](t, tab, `(document.getElementById("q").focus(), true)`)
		do(t, tab, chromedp.KeyEvent("potager"))
		press(t, kb.Enter)
		until(t, tab, `new URLSearchParams(location.search).get("q") === "potager" && new URLSearchParams(location.search).get("kind") === "place" && document.querySelectorAll("#list > li").length === 1`)
		if got := js[string](t, tab, `document.activeElement.id`); got != "count" {
			t.Errorf("focus on #%s, want the count", got)
		}
	})

	t.Run("move the map", func(t *testing.T) {
		open(t, "/", 1280)
		until(t, tab, `document.querySelector(".live .pin")`)
		js[bool](t, tab, `(document.querySelector(".leaflet-container").focus(), true)`)
		press(t, kb.ArrowRight)
		until(t, tab, `new URLSearchParams(location.search).get("bbox")`)
		still(t, tab)
		length := js[int](t, tab, "history.length")
		for _, key := range []string{kb.ArrowRight, "+"} {
			before := address(t)
			press(t, key)
			until(t, tab, `location.href !== "`+base+before+`"`)
			still(t, tab)
		}
		until(t, tab, `document.querySelectorAll("#list > li").length < 16 || document.querySelector(".empty")`)
		if got := js[int](t, tab, "history.length"); got != length {
			t.Errorf("three moves made %d history entries, want one", got-length+1)
		}
		click(t, "#follow")
		before := address(t)
		press(t, kb.ArrowLeft)
		until(t, tab, `!document.getElementById("search-here").hidden`)
		if got := address(t); got != before {
			t.Errorf("the list followed the map to %s, though it was not asked to", got)
		}
		click(t, "#search-here")
		until(t, tab, `document.getElementById("search-here").hidden`)
		until(t, tab, `location.href !== "`+base+before+`"`)
	})

	t.Run("open an entry and return", func(t *testing.T) {
		open(t, "/", 1280)
		until(t, tab, `document.querySelector(".live .pin")`)
		js[bool](t, tab, `(document.querySelector(".column").scrollTop = 700, true)`)
		click(t, `[data-slug="fiche-6"] a[data-entry]`)
		until(t, tab, `location.pathname === "/e/fiche-6" && document.activeElement.tagName === "H1"`)
		until(t, tab, `document.querySelector(".pin.chosen")`)
		if got := js[string](t, tab, `document.title`); !strings.Contains(got, "Bibliothèque") {
			t.Errorf("title %q, want the entry's", got)
		}
		click(t, "[data-back]")
		until(t, tab, `location.pathname === "/" && !document.getElementById("entry")`)
		if got := js[int](t, tab, `document.querySelector(".column").scrollTop`); got != 700 {
			t.Errorf("the list stands at %d, want 700 as before", got)
		}
		if got := js[string](t, tab, `document.activeElement.textContent`); !strings.Contains(got, "Bibliothèque") {
			t.Errorf("focus on %q, want the entry one came from", got)
		}
		js[bool](t, tab, `(history.forward(), true)`)
		until(t, tab, `location.pathname === "/e/fiche-6" && document.getElementById("entry")`)
	})

	t.Run("pins by keyboard", func(t *testing.T) {
		open(t, "/", 1280)
		until(t, tab, `document.querySelector(".live .pin")`)
		until(t, tab, `document.querySelector('.pin[data-slug="fiche-6"]')`)
		js[bool](t, tab, `(document.querySelector('.pin[data-slug="fiche-6"]').focus(), true)`)
		if !js[bool](t, tab, `!!document.querySelector('.card.lit[data-slug="fiche-6"]')`) {
			t.Error("the card of the focused pin is not lit")
		}
		press(t, kb.Enter)
		until(t, tab, `location.pathname === "/e/fiche-6"`)
		open(t, "/", 1280)
		until(t, tab, `document.querySelector('.crowd[aria-label^="7 "]')`)
		js[bool](t, tab, `(document.querySelector('.crowd[aria-label^="7 "]').focus(), true)`)
		press(t, kb.Enter)
		until(t, tab, `!document.querySelector('.crowd[aria-label^="7 "]') && document.querySelectorAll(".pin").length > 1`)
	})

	t.Run("card lights its pin", func(t *testing.T) {
		open(t, "/", 1280)
		until(t, tab, `document.querySelector(".live .pin")`)
		js[bool](t, tab, `(document.querySelector('[data-slug="fiche-6"] a').focus(), true)`)
		until(t, tab, `document.querySelector('.pin.lit[data-slug="fiche-6"]')`)
		js[bool](t, tab, `(document.querySelector('[data-slug="fiche-0"] a').focus(), true)`) // within a cluster
		until(t, tab, `document.querySelector('.pin.ghost') && !document.querySelector('.pin.lit[data-slug="fiche-6"]')`)
	})

	t.Run("light", func(t *testing.T) {
		open(t, "/?light=1", 1280)
		until(t, tab, `!document.getElementById("show-live").hidden`)
		if js[bool](t, tab, `performance.getEntriesByType("resource").some(r => /livemap|tiles/.test(r.name))`) {
			t.Error("the live map was loaded though nobody asked")
		}
		picture := js[string](t, tab, `document.getElementById("static-map").src`)
		click(t, `.kinds li:nth-child(2) a`)
		until(t, tab, `location.search.includes("kind=place") && document.readyState === "complete"`)
		if got := js[string](t, tab, `document.getElementById("static-map").src`); got == picture {
			t.Error("the picture does not follow the filter")
		}
		open(t, "/?light=1", 1280)
		until(t, tab, `!document.getElementById("show-live").hidden`)
		click(t, "#show-live")
		until(t, tab, `document.querySelector(".live .pin")`)
	})

	t.Run("turning the screen is no move", func(t *testing.T) {
		open(t, "/", 1280)
		until(t, tab, `document.querySelector(".live .pin")`)
		viewport(t, tab, 1000, 600, false)
		do(t, tab, chromedp.Sleep(600*time.Millisecond))
		if got := address(t); got != "/" {
			t.Errorf("at %s, want /", got)
		}
	})

	t.Run("crowd that no zoom takes apart", func(t *testing.T) {
		open(t, "/?view=map", 390)
		until(t, tab, `document.querySelector('.crowd[aria-label^="2 "]')`)
		click(t, `.crowd[aria-label^="2 "]`)
		until(t, tab, `location.search === "?bbox=4.2258%2C45.7418%2C4.2262%2C45.7422" && document.querySelectorAll("#list > li").length === 1`)
		until(t, tab, `document.querySelector("main.split").dataset.view === "list" && document.activeElement.id === "count"`)
	})

	t.Run("around me", func(t *testing.T) {
		if _, err := chromedp.CallBrowser(tab, browser.SetPermission, browser.SetPermissionParams{Origin: base, Permission: &browser.PermissionDescriptor{Name: "geolocation"}, Setting: browser.PermissionSettingGranted}); err != nil {
			t.Fatal(err)
		}
		lat, lon, accuracy := 45.439695, 4.387178, 10.0
		send(t, tab, emulation.SetGeolocationOverride, emulation.SetGeolocationOverrideParams{Latitude: &lat, Longitude: &lon, Accuracy: &accuracy})
		open(t, "/?bbox=4,45,5,46", 1280)
		until(t, tab, `!document.getElementById("locate").hidden`)
		click(t, "#locate")
		until(t, tab, `location.search.includes("near")`)
		if got, want := js[string](t, tab, `new URLSearchParams(location.search).get("near")`), "4.387,45.440"; got != want {
			t.Errorf("near=%s, want %s: rounded", got, want)
		}
		if strings.Contains(address(t), "bbox") {
			t.Errorf("%s still has the box", address(t))
		}
	})

	t.Run("phone", func(t *testing.T) {
		open(t, "/", 390)
		until(t, tab, `document.documentElement.classList.contains("js")`)
		if js[bool](t, tab, `!!document.querySelector("#map.live")`) {
			t.Error("the live map started behind the list")
		}
		click(t, `[data-view-link="map"]`)
		until(t, tab, `location.search === "?view=map" && document.querySelector(".live .pin")`)
		click(t, `.pin[data-slug="fiche-6"]`)
		until(t, tab, `location.pathname === "/e/fiche-6" && document.querySelector("#entry h1").getBoundingClientRect().top < 400`)
		click(t, "[data-back]")
		until(t, tab, `location.search === "?view=map" && document.querySelector(".leaflet-container").getBoundingClientRect().height > 300`)
	})

	t.Run("server away", func(t *testing.T) {
		open(t, "/", 1280)
		until(t, tab, `document.querySelector(".live .pin")`)
		w.foresee("away")
		js[bool](t, tab, `(window.fetch = () => Promise.reject(new TypeError("away")), true)`)
		click(t, `.chips li:nth-child(2) a`)
		until(t, tab, `document.querySelector(".toast") && document.querySelectorAll("#list > li").length === 16 && location.search === ""`)
	})

	if !js[bool](t, tab, "window.same") {
		t.Error("a step loaded a new document")
	}
	w.check(t)
}

// TestPaper prints a list; FRONTEND_SHOTS keeps the sheet.
func TestPaper(t *testing.T) {
	tab, base, w := startBrowser(t)
	viewport(t, tab, 794, 1123, false)
	do(t, tab, chromedp.Navigate(base+"/"))
	send(t, tab, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Media: "print"})
	do(t, tab, chromedp.Sleep(300*time.Millisecond))
	for selector, shown := range map[string]bool{"#static-map": true, ".num": true, ".card .paper": true, ".field": false, ".chips": false, ".switch": false, ".leaflet-container": false, ".pan": false, "#static-map ~ *": false} {
		if got := js[bool](t, tab, `[...document.querySelectorAll("`+selector+`")].some(e => e.checkVisibility({visibilityProperty: true}))`); got != shown {
			t.Errorf("%s on paper: %v, want %v", selector, got, shown)
		}
	}
	shoot(t, tab, "paper")
	w.check(t)
}

// TestWithoutScript uses the page with scripts refused: links and forms do all of it.
func TestWithoutScript(t *testing.T) {
	tab, base, w := startBrowser(t)
	send(t, tab, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
	for _, width := range []int64{1280, 390} {
		viewport(t, tab, width, 844, false)
		do(t, tab, chromedp.Navigate(base+"/"))
		if js[bool](t, tab, `document.documentElement.classList.contains("js")`) {
			t.Fatal("scripts run")
		}
		for _, selector := range []string{"#locate", "#print", "#show-live", ".follow", "#search-here"} {
			if js[bool](t, tab, `document.querySelector("`+selector+`").checkVisibility()`) {
				t.Errorf("%d px: %s is shown and can do nothing", width, selector)
			}
		}
		follow := func(selector, want string) {
			t.Helper()
			js[bool](t, tab, "(document.querySelector(`"+selector+"`).click(), true)")
			until(t, tab, "location.search === `"+want+"` && document.readyState === 'complete'")
		}
		shoot(t, tab, fmt.Sprintf("noscript-%d", width))
		follow(".chips li:nth-child(2) a", "?category=repair")
		follow(".kinds li:nth-child(2) a", "?category=repair&kind=place")
		js[bool](t, tab, `(document.getElementById("q").value = "forez", true)`)
		follow("#search button[type=submit]", "?q=forez&category=repair&kind=place")
		follow(".active a.removable", "?category=repair&kind=place")
		if width < 600 {
			follow(`[data-view-link="map"]`, "?category=repair&kind=place&view=map")
			shoot(t, tab, "noscript-map-390")
		}
		if !js[bool](t, tab, `document.getElementById("static-map").getBoundingClientRect().height > 200`) {
			t.Errorf("%d px: no picture of the map", width)
		}
		js[bool](t, tab, `(document.querySelector(".pan .zoom_in").click(), true)`)
		until(t, tab, `location.search.includes("bbox=") && document.readyState === "complete"`)
		do(t, tab, chromedp.Navigate(base+"/"))
		js[bool](t, tab, `(document.querySelector(".card a").click(), true)`)
		until(t, tab, `location.pathname === "/e/fiche-0" && document.readyState === "complete"`)
	}
	w.check(t)
}

func shoot(t *testing.T, tab context.Context, name string) {
	t.Helper()
	saveShot(t, name, func() ([]byte, error) { return chromedp.Run(tab, chromedp.CaptureScreenshot()) })
}
