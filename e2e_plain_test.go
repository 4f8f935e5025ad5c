package main

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp/kb"
)

// withoutScript does with plain links and a form what the island does otherwise.
func withoutScript(t *testing.T, b *browser) {
	for _, width := range []int64{1280, 390} {
		t.Run(fmt.Sprint(width), func(t *testing.T) {
			w := b.window(t, look{width: width, withoutScript: true})
			w.open("/")
			if w.is(`document.documentElement.classList.contains("js") || document.querySelector(".live-map")`) {
				t.Fatal("scripts run")
			}
			all := w.inStep()
			w.click("#q")
			w.press("jardin", kb.Enter)
			w.until(`location.search.includes("q=jardin") && document.readyState === "complete"`)
			if n := w.inStep(); n == 0 || n >= all {
				t.Errorf("the form finds %d of %d", n, all)
			}
			w.open("/")
			w.click(`.chips a[href="/?category=alimentation"]`)
			w.until(`location.search === "?category=alimentation" && document.readyState === "complete"`)
			some := w.inStep()
			w.click(`.kinds a[href*="kind=place"]`)
			w.until(`location.search.includes("kind=place") && document.readyState === "complete"`)
			if n := w.inStep(); n == 0 || n >= some {
				t.Errorf("the kind keeps %d of %d", n, some)
			}
			// The words are looked for among what was chosen.
			w.click("#q")
			w.press("pain", kb.Enter)
			w.until(`location.search.includes("q=pain") && location.search.includes("kind=place") && location.search.includes("category=alimentation")`)

			// The picture of the map: numbered as the cards are, moved and zoomed by links.
			w.open("/?category=alimentation")
			if width < 640 {
				w.click(`[data-view-link="map"]`)
				w.until(`location.search.includes("view=map") && document.readyState === "complete"`)
			}
			w.until(`(i => i.complete && i.naturalWidth >= 300)(document.getElementById("static-map"))`)
			if !w.is(`document.getElementById("static-map").checkVisibility({visibilityProperty: true})`) || w.is(`!new URL(document.getElementById("static-map").src).searchParams.has("numbers")`) {
				t.Error("no numbered picture of the map is shown")
			}
			if got := w.text(`[...document.querySelectorAll("#list > li")].filter(c => c.dataset.at).map((c, i) => c.querySelector(".num")?.textContent.replace(/\D/g, "") === String(i + 1)).join()`); strings.Contains(got, "false") || got == "" {
				t.Errorf("the cards are not numbered in order: %s", got)
			}
			picture := w.text(`document.getElementById("static-map").currentSrc`)
			w.click(".pan .zoom_in")
			w.until(`location.search.includes("bbox=") && document.readyState === "complete"`)
			before := w.box()
			w.until(fmt.Sprintf(`(i => i.complete && i.naturalWidth && i.currentSrc !== %q)(document.getElementById("static-map"))`, picture))
			w.inStep()
			w.inside()
			w.click(".pan .west")
			w.until(fmt.Sprintf(`!location.search.includes("bbox=%g,") && document.readyState === "complete"`, before[0]))
			w.inStep()
			w.inside()
			if b := w.box(); b[0] >= before[0] || b[3] != before[3] {
				t.Errorf("westwards from %v leads to %v", before, b)
			}
			here := w.where()
			w.click(".pan .zoom_out")
			w.until(fmt.Sprintf(`location.pathname + location.search !== %q`, here))
			w.inStep()

			// Page by page to the last one: everybody once.
			w.open("/")
			seen := map[string]bool{}
			for pages := 0; ; pages++ {
				for slug := range strings.FieldsSeq(w.slugs()) {
					if seen[slug] {
						t.Errorf("%s stands in the list twice", slug)
					}
					seen[slug] = true
				}
				if !w.is(`document.querySelector("a[rel=next]")`) || pages > 50 {
					break
				}
				here := w.where()
				w.click("a[rel=next]")
				w.until(fmt.Sprintf(`location.pathname + location.search !== %q && document.readyState === "complete"`, here))
			}
			if len(seen) != all {
				t.Errorf("paging shows %d of %d", len(seen), all)
			}

			// An entry, its history, and the page about it all.
			w.open("/?q=ourse")
			w.click("#list a")
			w.until(`location.pathname.startsWith("/e/") && document.readyState === "complete"`)
			entry := w.where()
			w.until(`[...document.querySelectorAll("img")].some(i => i.complete && i.naturalWidth > 100 && i.checkVisibility({visibilityProperty: true}))`)
			w.click(`.provenance a[href$="/history"]`)
			w.until(`location.pathname.endsWith("/history") && document.querySelector(".history > li time")`)
			w.click(".back a")
			w.until(fmt.Sprintf("location.pathname === %q", entry))
			w.click("[data-back]")
			w.until(`location.pathname === "/"`)
			w.click(`footer a[href="/about"]`)
			w.until(`location.pathname === "/about" && document.body.textContent.includes("GeoNames")`)
		})
	}
}

// budgets weighs what comes over the wire, headers included.
func budgets(t *testing.T, b *browser) {
	for _, c := range []struct {
		name string
		look look
		most float64 // KB
	}{
		{"without script", look{withoutScript: true}, 40}, {"without script on a phone", look{width: 390, withoutScript: true}, 40},
		{"light", look{saveData: true}, 60}, {"everything", look{}, 150}, {"everything on a phone", look{width: 390}, 150},
	} {
		w := b.window(t, c.look)
		if c.look.withoutScript || c.look.saveData || c.look.width > 0 {
			w.open("/")
		} else {
			w.openMap("/")
		}
		w.until(`(i => i.complete && i.naturalWidth)(document.getElementById("static-map"))`)
		if c.name == "everything on a phone" {
			w.click(`[data-view-link="map"]`)
			w.until(`document.querySelector(".live .holder .crowd")`)
		}
		// The answers already begun end within this.
		w.until(`performance.getEntriesByType("resource").every(r => r.responseEnd > 0)`)
		eventually(t, "the page is counted", func() bool { return w.kilobytes() >= 10 })
		got := w.kilobytes()
		t.Logf("home, %s: %.1f KB", c.name, got)
		if got > c.most {
			t.Errorf("home, %s: %.1f KB over the wire, at most %.0f: %s", c.name, got, c.most, strings.Join(w.sent, " "))
		}
	}
}

func onPaper(t *testing.T, b *browser) {
	for _, script := range []bool{true, false} {
		w := b.window(t, look{withoutScript: !script})
		if script {
			w.openMap("/?category=alimentation")
		} else {
			w.open("/?category=alimentation")
		}
		w.until(`(i => i.complete && i.naturalWidth)(document.getElementById("static-map"))`)
		cards := strings.Fields(w.slugs())
		pdf := send(w, page.PrintToPDF, page.PrintToPDFParams{PaperWidth: 8.27, PaperHeight: 11.69}).Data
		keep(t, fmt.Sprintf("list-%v.pdf", script), pdf)
		if !bytes.HasPrefix(pdf, []byte("%PDF-")) || len(cards) < 15 {
			t.Fatalf("%d bytes of %.10q for %d cards", len(pdf), pdf, len(cards))
		}
		if pages := len(regexp.MustCompile(`/Type\s*/Page\b`).FindAll(pdf, -1)); pages < 2 || pages > 8 {
			t.Errorf("%d cards on %d sheets", len(cards), pages)
		}
		for _, slug := range cards { // each name is a link, on paper too
			if !bytes.Contains(pdf, []byte("/e/"+slug+")")) {
				t.Errorf("%s is not on paper", slug)
			}
		}
		send(w, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Media: "print"})
		for selector, shown := range map[string]bool{"#static-map": true, ".num": true, ".card .paper": true, "footer.site": true, ".credits": true, ".field": false, ".chips": false, ".switch": false, ".leaflet-container": false, ".pan": false, "nav": false} {
			if got := w.is(fmt.Sprintf(`[...document.querySelectorAll(%q)].some(e => e.checkVisibility({visibilityProperty: true}))`, selector)); got != shown {
				t.Errorf("%s on paper: %v, want %v", selector, got, shown)
			}
		}
	}
}

// keep writes a file into the folder that E2E_KEEP names, to look at.
func keep(t *testing.T, name string, b []byte) {
	t.Helper()
	if dir := os.Getenv("E2E_KEEP"); dir != "" {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o644); err != nil {
			t.Error(err)
		}
	}
}

func inTheDark(t *testing.T, b *browser) {
	for _, width := range []int64{1280, 390} {
		w := b.window(t, look{width: width, dark: true})
		w.open("/?category=alimentation&view=map")
		w.until(`document.querySelector(".live .holder")`)
		if w.is(`getComputedStyle(document.body).backgroundColor.match(/\d+/g).slice(0, 3).some(v => v > 80)`) {
			t.Error("the page is not dark")
		}
		if !strings.Contains(w.text(`document.getElementById("static-map").currentSrc`), "theme=dark") {
			t.Error("the picture of the map is not dark")
		}
		w.accessible(fmt.Sprint("dark home, ", width))
		w.open("/e/" + b.p.first("kind=place", 1))
		w.accessible(fmt.Sprint("dark entry, ", width))
		w.open("/about")
		w.accessible(fmt.Sprint("dark about, ", width))
	}
}

func withoutMotion(t *testing.T, b *browser) {
	moving := `[...document.querySelectorAll("*")].filter(e => ["", "::before", "::after"].some(p => { const s = getComputedStyle(e, p); return s.transitionDuration.split(",").some(d => parseFloat(d) > 0.001) || s.animationName !== "none" && parseFloat(s.animationDuration) > 0.001; })).map(e => e.tagName + "." + e.className).slice(0, 5).join(" ")`
	w := b.window(t, look{still: true})
	w.openMap("/")
	w.is(`(window.moved = false, new MutationObserver(() => { if (document.querySelector(".leaflet-zoom-anim, .leaflet-pan-anim")) window.moved = true; }).observe(document.querySelector(".live-map"), {subtree: true, attributes: true, attributeFilter: ["class"]}), true)`)
	w.click(".leaflet-control-zoom-in")
	w.until(`location.search.includes("bbox")`)
	w.inStep()
	if got := w.text(moving); got != "" {
		t.Errorf("this moves: %s", got)
	}
	if w.is("window.moved") || w.is(`getComputedStyle(document.documentElement).scrollBehavior === "smooth"`) {
		t.Error("the map or the page glides")
	}
	// With motion it does move, or the test would see nothing.
	w = b.window(t, look{})
	w.openMap("/")
	if w.text(moving) == "" {
		t.Error("no motion is found where there should be some")
	}
}

// lightMode loads no live map until it is asked for: by the visitor's choice or by Save-Data.
func lightMode(t *testing.T, b *browser) {
	for _, saveData := range []bool{false, true} {
		w := b.window(t, look{saveData: saveData})
		if saveData {
			w.open("/")
		} else {
			w.open("/about")
			w.click(`footer a[href*="light=1"]`)
			w.until(`location.search.includes("light=1") && document.readyState === "complete"`)
			w.open("/")
		}
		w.until(`document.getElementById("show-live").checkVisibility()`)
		w.accessible("light")
		w.click(`.chips a[href="/?category=alimentation"]`)
		w.until(`location.search === "?category=alimentation"`)
		w.inStep()
		if w.asked("livemap") || w.asked("/tiles/") || w.is(`document.querySelector(".live-map")`) {
			t.Errorf("the live map was loaded though nobody asked: %v", w.sent)
		}
		w.click("#show-live")
		w.until(`document.querySelector(".live .holder .pin, .live .holder .crowd")`)
		eventually(t, "the live map is loaded", func() bool { return w.asked("livemap") && w.asked("/tiles/") })
		w.hasFocus("asking for the map")
		w.click(`footer a[href*="light=0"]`)
		w.until(`document.querySelector(".live .holder .pin, .live .holder .crowd")`)
	}
}

func inTwoLanguages(t *testing.T, b *browser) {
	for _, width := range []int64{1280, 390} {
		w := b.window(t, look{width: width, english: true})
		w.open("/?q=jardin")
		if lang, count := w.text("document.documentElement.lang"), w.text(`document.getElementById("count").textContent`); lang != "en" || !strings.Contains(count, "entr") {
			t.Errorf("in English: lang %q, %q", lang, count)
		}
		w.accessible("English home")
		w.click(`.languages a[hreflang="fr"]`)
		w.until(`document.documentElement.lang === "fr" && document.readyState === "complete"`)
		if got := w.text(`new URLSearchParams(location.search).get("q")`); got != "jardin" {
			t.Errorf("changing the language lost the words: %q", got)
		}
		for _, path := range []string{"/", "/about", "/e/" + b.p.first("kind=event", 1)} { // the choice is kept
			w.open(path)
			if got := w.text("document.documentElement.lang"); got != "fr" {
				t.Errorf("%s after choosing French: %q", path, got)
			}
			w.accessible(path)
		}
	}
}

// status is that of the page shown.
func (w *window) status(want int) {
	w.t.Helper()
	if got := w.num(`performance.getEntriesByType("navigation")[0].responseStatus`); got != want {
		w.t.Errorf("%s: status %d, want %d", w.where(), got, want)
	}
	w.expect(fmt.Sprintf("responded with a status of %d", want))
}

func errorPages(t *testing.T, b *browser) {
	for _, english := range []bool{false, true} {
		w := b.window(t, look{width: 390, english: english})
		words := map[string][2]string{"/e/nobody-here": {"n’existe pas", "does not exist"}, "/nothing": {"n’existe pas", "does not exist"}, "/?bbox=1,2,3": {"Zone de la carte", "Map area"}, "/?q=" + strings.Repeat("a", 5000): {"Recherche", "Search"}}
		for path, text := range words {
			w.open(path)
			status := http.StatusNotFound
			if strings.HasPrefix(path, "/?") {
				status = http.StatusBadRequest
			}
			w.status(status)
			want := text[0]
			if english {
				want = text[1]
			}
			if !w.is(fmt.Sprintf("document.querySelector('main').textContent.includes(%q)", want)) {
				t.Errorf("%.40s does not say %q: %s", path, want, w.text(`document.querySelector("main").textContent.replace(/\s+/g, " ").slice(0, 300)`))
			}
			if width := w.num("document.documentElement.scrollWidth"); width > 390 {
				t.Errorf("%.40s is %d px wide", path, width)
			}
			w.accessible(path[:min(len(path), 20)])
			w.click(`main a[href="/"]`)
			w.until(`location.pathname === "/" && document.querySelector("#list > li")`)
		}
	}
}
