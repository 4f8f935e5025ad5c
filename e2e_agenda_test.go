package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestBrowserAgenda uses the agenda and the frames of the demonstration in a real browser.
func TestBrowserAgenda(t *testing.T) {
	if testing.Short() {
		t.Skip("a browser takes its time: left out by -short")
	}
	b := startBrowser(t, serveIn(t, t.TempDir(), "-demo"))
	t.Run("agenda", func(t *testing.T) { agenda(t, b) })
	t.Run("framed", func(t *testing.T) { framed(t, b) })
}

// fits fails when the page is wider than its window.
func (w *window) fits() {
	w.t.Helper()
	if got := w.text(`document.documentElement.scrollWidth > innerWidth ? "wider than its window: " + document.documentElement.scrollWidth : ""`); got != "" {
		w.t.Errorf("%s is %s", w.where(), got)
	}
}

// agenda walks through the agenda with links alone, and looks at it with axe.
func agenda(t *testing.T, b *browser) {
	for _, l := range []look{{withoutScript: true}, {width: 390}, {dark: true}, {width: 390, dark: true, english: true}} {
		t.Run(fmt.Sprintf("%d %v", l.width, l.dark), func(t *testing.T) {
			w := b.window(t, l)
			t.Cleanup(func() { w.forgive("leaves the origin: data:image/svg") }) // the browser's own picture in a field for dates
			w.open("/")
			w.click(`header.site a[href="/agenda"]`)
			w.until(`location.pathname === "/agenda" && document.readyState === "complete"`)
			if w.is(`!document.querySelector(".day h3") || !document.querySelector(".date h4 a")`) {
				t.Fatal("the agenda of the demonstration has no dates")
			}
			w.fits()
			if !l.withoutScript {
				w.accessible("agenda")
			}
			for _, mode := range []string{"day", "weekend", "week", "month"} {
				w.click(fmt.Sprintf(`.periods a[href*="view=%s"]`, mode))
				w.until(fmt.Sprintf(`location.search.includes("view=%s") && document.readyState === "complete" && document.querySelector('.periods a[aria-current][href*="view=%s"]')`, mode, mode))
				w.fits()
			}
			if !l.withoutScript {
				w.accessible("month")
			}
			month := w.text(`document.getElementById("count").textContent`)
			w.click(`.turn a[rel~="prev"]`)
			w.until(`location.search.includes("date=") && document.readyState === "complete"`)
			if got := w.text(`document.getElementById("count").textContent`); got == month {
				t.Errorf("one month earlier than %q is %q", month, got)
			}
			w.click(`.turn a[rel~="next"]`)
			w.until(fmt.Sprintf(`document.readyState === "complete" && document.getElementById("count").textContent === %q`, month))
			// A day of the next month: of this one the first may be over by now.
			w.click(`.turn a[rel~="next"]`)
			w.until(fmt.Sprintf(`document.getElementById("count").textContent !== %q && document.querySelector(".month td:not(.outside) .number")`, month))
			w.click(`.month td:not(.outside) .number`)
			w.until(`location.search.includes("view=day") && document.readyState === "complete"`)
			w.click(`.date h4 a, .going a`)
			w.until(`location.pathname.startsWith("/e/") && document.querySelector('.doors a[href$=".ics"]')`)
		})
	}
}

// framed shows a list, a map and an agenda in a frame of another site.
func framed(t *testing.T, b *browser) {
	for _, view := range []string{"list", "map", "agenda"} {
		t.Run(view, func(t *testing.T) {
			w := b.window(t, look{})
			host := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
				rw.Header().Set("Content-Type", "text/html; charset=utf-8")
				fmt.Fprintf(rw, `<!doctype html><title>host</title><iframe src="%s/embed?view=%s&theme=dark" title="x" width="600" height="700"></iframe>`, b.p.url, view)
			}))
			defer host.Close()
			t.Cleanup(func() { // until the end: a frame asks for this and that as long as it is there
				w.forgive("leaves the origin: " + b.p.url + "/")
				w.forgive("leaves the origin: " + host.URL + "/")
			})
			w.at = host.URL
			w.open("/")
			w.until(`document.readyState === "complete" && frames.length === 1`)
			eventually(t, "the frame shows its page", func() bool { return w.asked("/static/app.") }) // one that must not be in a frame is not drawn
			if n := w.forgive("frame-ancestors"); n > 0 {
				t.Error("the browser does not show the frame")
			}
			// By itself, to look into it.
			w.at = b.p.url
			for _, theme := range []string{"dark", "light"} {
				w.open("/embed?view=" + view + "&theme=" + theme)
				w.until(`document.querySelector(".card, .date") && document.readyState === "complete"`)
				if view == "map" {
					w.until(`document.querySelector(".live .leaflet-container")`)
				}
				w.accessible(view)
				if got := w.text(`document.cookie`); got != "" {
					t.Errorf("cookies %q", got)
				}
				if got := w.text(`getComputedStyle(document.body).colorScheme`); got != theme {
					t.Errorf("its colours are %q, want %q", got, theme)
				}
			}
			w.open("/embed/new?view=" + view)
			w.until(`document.querySelector("#snippet") && document.readyState === "complete"`)
			w.accessible(view)
			if code := w.text(`document.getElementById("snippet").value`); !strings.Contains(code, `<iframe src="`+b.p.url+`/embed`) {
				t.Errorf("the snippet is %s", code)
			}
		})
	}
}
