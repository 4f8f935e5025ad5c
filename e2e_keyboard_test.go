package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/chromedp/kb"
)

// tabTo presses Tab until the focus is on an element that matches.
func (w *window) tabTo(selector string, most int) {
	w.t.Helper()
	for range most {
		w.press(kb.Tab)
		if w.is(fmt.Sprintf("document.activeElement?.matches(%q)", selector)) {
			return
		}
		w.hasFocus("Tab")
	}
	w.t.Fatalf("%d times Tab do not lead to %s, but to %s", most, selector, w.focus())
}

func byKeyboard(t *testing.T, b *browser) {
	w := b.window(t, look{})
	w.openMap("/")
	all := w.inStep()
	w.is("(window.same = true)")

	// The first thing is a way past the header.
	w.press(kb.Tab)
	if !w.is(`document.activeElement.matches("a.skip[href='#content']") && document.activeElement.getBoundingClientRect().top >= 0 && document.activeElement.getBoundingClientRect().height > 20`) {
		t.Errorf("the first Tab shows %s", w.focus())
	}
	w.press(kb.Enter)
	w.until(`document.activeElement.id === "content"`)

	// Words, the count, a card, its entry, and back.
	w.tabTo("#q", 3)
	w.press("jardin", kb.Enter)
	w.until(`new URLSearchParams(location.search).get("q") === "jardin" && document.activeElement.id === "count"`)
	w.tabTo("#list > li:first-child a", 12)
	name := w.text(`document.activeElement.textContent.trim()`)
	w.press(kb.Enter)
	w.until(`location.pathname.startsWith("/e/") && document.activeElement.tagName === "H1"`)
	w.press(kb.Escape)
	w.until(`location.pathname === "/" && !document.getElementById("entry")`)
	if f := w.focus(); !strings.Contains(f, name) {
		t.Errorf("after Escape the focus is on %s, want %s", f, name)
	}

	// A chip stays in hand while the list changes under it, on and off.
	w.openMap("/")
	w.is("(window.same = true)")
	w.tabTo(`.chips a[href="/?category=nature"]`, 20)
	w.press(kb.Enter)
	w.until(`location.search === "?category=nature"`)
	some := w.inStep()
	w.hasFocus("choosing a chip")
	if !w.is(`document.activeElement.matches(".chips a[aria-current]")`) {
		t.Errorf("the focus is on %s, want the chosen chip", w.focus())
	}
	w.press(kb.Enter)
	w.until(`location.search === ""`)
	w.count(all)
	w.hasFocus("leaving a chip")
	if some >= all {
		t.Errorf("the chip keeps %d of %d", some, all)
	}

	// The map: its way past, arrows, plus and minus, a cluster, a pin.
	w.tabTo("a.skip[href='#after-map']", 80)
	if !w.is(`document.activeElement.getBoundingClientRect().height > 20`) {
		t.Error("the way past the map cannot be seen")
	}
	w.press(kb.Enter)
	w.press(kb.Tab)
	if w.is(`document.activeElement.closest(".canvas")`) {
		t.Errorf("past the map the focus is on %s", w.focus())
	}
	w.is(`(document.querySelector("a.skip[href='#after-map']").focus(), true)`)
	w.tabTo(".leaflet-container", 12)
	w.press(kb.ArrowRight, kb.ArrowDown)
	w.until(`location.search.startsWith("?bbox=")`)
	w.inStep()
	w.inside()
	w.hasFocus("arrows")
	here := w.where()
	w.press("+")
	w.until(fmt.Sprintf(`location.pathname + location.search !== %q && !document.querySelector(".leaflet-zoom-anim")`, here))
	w.inStep()
	if !w.is(`document.activeElement.closest(".leaflet-container")`) {
		t.Errorf("after moving the map the focus is on %s", w.focus())
	}
	w.openMap("/")
	w.is("(window.same = true)")
	w.is(`(document.querySelector(".leaflet-container").focus(), true)`)
	w.tabTo(".crowd", 80)
	w.press(kb.Enter)
	w.until(`location.search.startsWith("?bbox=") && !document.querySelector(".leaflet-zoom-anim")`)
	w.inStep()
	w.until(`document.querySelector(".pin, .crowd")`)
	if !w.is(`document.activeElement.closest(".map")`) {
		t.Errorf("after opening a cluster the focus is on %s", w.focus())
	}
	w.openMap("/")
	w.is("(window.same = true)")
	w.is(`(document.querySelector(".leaflet-container").focus(), true)`)
	w.tabTo("a.pin", 80)
	if got := w.text(`getComputedStyle(document.activeElement.querySelector(".tip")).display`); got == "none" {
		t.Error("a pin with the focus does not show its name")
	}
	href := w.text(`document.activeElement.getAttribute("href")`)
	w.press(kb.Enter)
	w.until(fmt.Sprintf(`location.pathname === decodeURI(%q) && document.activeElement.tagName === "H1"`, href))
	w.press(kb.Escape)
	w.until(`location.pathname === "/" && !document.getElementById("entry")`)
	w.hasFocus("Escape")
	if !w.is("window.same") {
		t.Error("a step loaded a whole page")
	}
	// An entry opened by its own address has a way to the list too.
	w.open(href)
	w.tabTo("[data-back]", 8)
	w.press(kb.Enter)
	w.until(`location.pathname === "/" && document.querySelector("#list > li")`)
}

// tabOrder walks through whole pages: everything that takes the focus is seen, marked, and comes in the order of reading.
func tabOrder(t *testing.T, b *browser) {
	slug := b.p.first("kind=place", 1)
	for _, page := range []struct {
		path  string
		width int64
		order []string // these in this order
	}{
		{"/?category=alimentation", 1280, []string{"a.skip[href='#content']", ".brand", "#q", ".chips a", ".kinds a", ".sorts a", "#list a", "a.skip[href='#after-map']", ".leaflet-container", "footer a"}},
		{"/", 390, []string{"a.skip[href='#content']", ".brand", "#q", ".chips a", ".kinds a", "#list a", "footer a"}},
		{"/e/" + slug, 1280, []string{"a.skip[href='#content']", "[data-back]", ".doors a", ".provenance a", "a.skip[href='#after-map']"}},
		{"/about", 390, []string{"a.skip[href='#content']", ".brand", "main a", "footer a"}},
	} {
		t.Run(fmt.Sprint(strings.Trim(page.path, "/?"), page.width), func(t *testing.T) {
			w := b.window(t, look{width: page.width, still: true})
			if page.width > 600 {
				w.openMap(page.path)
			} else {
				w.open(page.path)
			}
			place := make([]int, len(page.order)) // where each was first met; 0: not yet
			steps := 0
			for steps = 1; steps < 250; steps++ {
				w.press(kb.Tab)
				state := eval[[]any](w, `(async () => {
					await new Promise(r => requestAnimationFrame(() => requestAnimationFrame(r))); // scrolled there
					const e = document.activeElement;
					if (!e || e === document.body) return ["", ""];
					const r = e.getBoundingClientRect(), s = getComputedStyle(e), x = r.x + r.width / 2, y = r.y + r.height / 2;
					const seen = e.checkVisibility({visibilityProperty: true, opacityProperty: true}) && r.width > 4 && r.height > 4 && x >= 0 && x <= innerWidth && y >= 0 && y <= innerHeight;
					const ring = [s, getComputedStyle(e, "::after"), ...(e.closest(".field") ? [getComputedStyle(e.closest(".field"))] : [])].some(s => s.outlineStyle !== "none" && parseFloat(s.outlineWidth) >= 2);
					const top = seen && document.elementFromPoint(x, y);
					const covered = seen && !e.closest(".live-map") && top && !e.contains(top) && !top.contains(e);
					return [e.tagName + " " + (e.getAttribute("aria-label") || e.textContent || e.id).trim().slice(0, 40), (seen ? "" : "not in view ") + (ring ? "" : "not marked ") + (covered ? "covered by " + top.tagName + "." + top.className : "")];
				})(document.activeElement)`)
				if state[0] == "" {
					break
				}
				if state[1] != "" {
					t.Errorf("step %d, %s: %s", steps, state[0], state[1])
				}
				for i, selector := range page.order {
					if place[i] == 0 && w.is(fmt.Sprintf("document.activeElement.matches(%q)", selector)) {
						place[i] = steps
					}
				}
			}
			if steps < 8 || steps == 250 {
				t.Errorf("the focus left the page after %d steps", steps)
			}
			for i := range place {
				if place[i] == 0 || i > 0 && place[i] < place[i-1] {
					t.Errorf("%s is met at step %d, in %v", page.order[i], place[i], place)
				}
			}
		})
	}
}

func keyboardOnPhone(t *testing.T, b *browser) {
	w := b.window(t, look{width: 390})
	w.open("/?category=alimentation")
	w.is("(window.same = true)")
	w.tabTo(`[data-view-link="map"]`, 80)
	w.press(kb.Enter)
	w.until(`document.querySelector(".live .holder") && location.search.includes("view=map")`)
	w.hasFocus("showing the map")
	w.is(`(document.querySelector(".leaflet-container").focus(), true)`)
	w.tabTo(".pin, .crowd", 12)
	w.press(kb.Enter)
	w.until(`location.pathname.startsWith("/e/") || location.search.includes("bbox")`)
	w.hasFocus("Enter on the map")
	w.tabTo(`[data-view-link="list"], [data-back]`, 80)
	w.press(kb.Enter)
	w.until(`document.querySelector("#list > li").checkVisibility()`)
	w.hasFocus("showing the list")
	if !w.is("window.same") {
		t.Error("a step loaded a whole page")
	}
}
