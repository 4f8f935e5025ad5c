package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestBrowserImported looks at what an operator brought in from a list, as it arrives, and at what was taken back.
func TestBrowserImported(t *testing.T) {
	if testing.Short() {
		t.Skip("a browser takes its time: left out by -short")
	}
	dir := t.TempDir()
	b := startBrowser(t, serveIn(t, dir))
	w := b.window(t, look{})
	w.open("/")
	if !w.is(`document.querySelector("main").textContent.includes("import") && document.querySelector("main").textContent.includes("-demo")`) {
		t.Error("the first page does not tell how to begin")
	}
	if got := w.text(`[...document.querySelectorAll("pre")].map(p => p.textContent).join("\n")`); !strings.Contains(got, dir) {
		t.Errorf("the commands of the first page write elsewhere than into %s:\n%s", dir, got)
	}
	w.accessible("first page")

	if out, _, err := archipel(t, "import", "-data", dir, "-source", "Recensement d'essai", "-licence", "etalab-2.0", places(t, 700)); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	w.until(`fetch("/api/collections/entries/items?limit=1").then(r => r.json()).then(d => d.numberMatched === 700)`)
	w.openMap("/")
	w.count(700)
	w.accessible("an imported list")
	if got := w.num(onTheMap); got < 600 || got > 700 {
		t.Errorf("the map shows %d of 700", got)
	}
	w.click(`#list a`)
	w.until(`document.querySelector("#entry .provenance")?.textContent.includes("Recensement d'essai")`)
	if !w.is(`document.querySelector("#entry .provenance a[href*='etalab']")`) {
		t.Error("the licence is not linked")
	}
	w.accessible("an entry with little in it")
	w.open("/about")
	if !w.is(`document.querySelector("main").textContent.includes("Recensement d'essai") && document.querySelector("main").textContent.includes("700")`) {
		t.Error("the page about the directory does not credit the source")
	}

	// Hostile and very long texts, and a name that is taken back.
	nasty := filepath.Join(t.TempDir(), "nasty.csv")
	long := strings.Repeat("Interminable", 15)
	rows := "nom;description;site;latitude;longitude;commune\n" +
		`"<img src=x onerror=alert(1)><script>alert(2)</script>";"<script>alert(3)</script> [x](javascript:alert(4)) <b onclick=alert(5)>gras</b>";https://example.org/?a=<script>;45.4;4.4;Saint-Étienne` + "\n" +
		long + ";" + long + long + ";;45.41;4.41;" + long + "\n"
	if err := os.WriteFile(nasty, []byte(rows), 0o600); err != nil {
		t.Fatal(err)
	}
	out, _, err := archipel(t, "import", "-data", dir, "-source", "Malveillance", "-json", nasty)
	var report struct{ Batch string }
	if err != nil || json.Unmarshal([]byte(out), &report) != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	w.until(`fetch("/api/collections/entries/items?limit=1").then(r => r.json()).then(d => d.numberMatched === 702)`)
	b.p.caughtUp()
	small := b.window(t, look{width: 390})
	for _, query := range []string{"alert", "interminable"} {
		small.open("/?q=" + query)
		small.count(1)
		if width := small.num("document.documentElement.scrollWidth"); width > 390 {
			t.Errorf("the list with %s is %d px wide", query, width)
		}
		small.click("#list a")
		small.until(`document.querySelector("#entry h1")`)
		if width := small.num("document.documentElement.scrollWidth"); width > 390 {
			t.Errorf("the entry with %s is %d px wide", query, width)
		}
		if n := small.num(`document.querySelectorAll("main [onerror], main [onclick], main script:not([type='application/json']):not([type='application/ld+json']), main a[href^=javascript]").length`); n > 0 {
			t.Errorf("%d hostile elements in the entry with %s", n, query)
		}
		small.accessible("an entry with " + query)
	}
	gone := small.where()
	if _, _, err := archipel(t, "import", "-data", dir, "-undo", report.Batch); err != nil {
		t.Fatal(err)
	}
	w.until(`fetch("/api/collections/entries/items?limit=1").then(r => r.json()).then(d => d.numberMatched === 700)`)
	for _, english := range []bool{false, true} {
		w := b.window(t, look{width: 390, english: english})
		w.open(gone)
		w.status(410)
		if want := map[bool]string{false: "retirée", true: "removed"}[english]; !w.is(fmt.Sprintf("document.querySelector('h1').textContent.includes(%q)", want)) {
			t.Errorf("a removed entry says %q, want %q in it", w.text("document.querySelector('h1').textContent"), want)
		}
		w.accessible("a removed entry")
	}
}
