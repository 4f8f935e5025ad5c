package main

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/fetch"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// TestSearchField uses the one search field as visitors do: with the keyboard, by touch, without the server's help and
// without scripts.
func TestSearchField(t *testing.T) {
	if testing.Short() {
		t.Skip("a browser takes its time: left out by -short")
	}
	b := startBrowser(t, serveIn(t, t.TempDir(), "-demo"))
	for _, use := range []struct {
		name string
		run  func(*testing.T, *browser)
	}{
		{"keyboard", completeByKeyboard}, {"place", framePlaces}, {"category and entry", completeToFilters}, {"phone", completeOnPhone},
		{"without answers", completeWithout}, {"without script", searchWithoutScript},
	} {
		t.Run(use.name, func(t *testing.T) { use.run(t, b) })
	}
}

// suggested waits for suggestions, and returns their types and labels, one a line.
func (w *window) suggested(text string) string {
	w.t.Helper()
	w.until(`!document.getElementById("suggestions").hidden && document.getElementById("suggestions").dataset.for === "` + text + `"`)
	return w.text(`[...document.querySelectorAll("#suggestions [role=option]")].map(o => o.parentElement.dataset.type + " " + o.querySelector(".label").textContent).join("\n")`)
}

// enter presses Enter as a keyboard does: what the page prevents when the key goes down does not happen. Keys of
// [window.press] go down and write a letter separately.
func (w *window) enter() {
	w.t.Helper()
	p := input.DispatchKeyEventParams{Type: input.DispatchKeyEventTypeKeyDown, Key: "Enter", Code: "Enter", Text: "\r", WindowsVirtualKeyCode: 13, NativeVirtualKeyCode: 13}
	send(w, input.DispatchKeyEvent, p)
	p.Type, p.Text = input.DispatchKeyEventTypeKeyUp, ""
	send(w, input.DispatchKeyEvent, p)
}

// activeOption is the text of the option that the field points to, or empty.
const activeOption = `document.getElementById(document.getElementById("q").getAttribute("aria-activedescendant"))?.querySelector(".label").textContent ?? ""`

func completeByKeyboard(t *testing.T, b *browser) {
	for _, l := range []look{{}, {dark: true}} {
		w := b.window(t, l)
		w.open("/")
		w.until(`document.getElementById("q").getAttribute("role") === "combobox"`)
		below := w.text(`JSON.stringify(document.getElementById("count").getBoundingClientRect())`)
		w.click("#q")
		w.press("saint-et")
		list := strings.Split(w.suggested("saint-et"), "\n")
		if list[0] != "place Saint-Étienne (42)" || len(list) < 3 {
			t.Errorf("saint-et completes to %q", list)
		}
		if now := w.text(`JSON.stringify(document.getElementById("count").getBoundingClientRect())`); now != below {
			t.Errorf("the page moved from %s to %s", below, now)
		}
		if said := w.text(`document.getElementById("suggested").textContent`); !strings.HasPrefix(said, fmt.Sprint(len(list))) {
			t.Errorf("%d suggestions are announced as %q", len(list), said)
		}
		for _, want := range [][2]string{{"aria-expanded", "true"}, {"aria-controls", "suggestions"}, {"aria-autocomplete", "list"}} {
			if got := w.text(`document.getElementById("q").getAttribute("` + want[0] + `")`); got != want[1] {
				t.Errorf("%s is %q", want[0], got)
			}
		}
		w.accessible("suggestions")

		// Arrows go around, Home goes back to the text, Escape closes and keeps it.
		labels := func(i int) string { return list[i][strings.IndexByte(list[i], ' ')+1:] }
		for _, step := range []struct {
			key  string
			want string
		}{
			{kb.ArrowDown, labels(0)}, {kb.ArrowDown, labels(1)}, {kb.ArrowUp, labels(0)}, {kb.ArrowUp, labels(len(list) - 1)},
			{kb.ArrowDown, labels(0)}, {kb.Home, ""}, {kb.ArrowDown, labels(0)}, {kb.End, ""},
		} {
			w.press(step.key)
			if got := w.text(activeOption); got != step.want {
				t.Errorf("after %q the field points to %q, want %q", step.key, got, step.want)
			}
			if n := w.num(`document.querySelectorAll("#suggestions [aria-selected=true]").length`); (n == 1) != (step.want != "") {
				t.Errorf("after %q %d options are selected", step.key, n)
			}
		}
		w.accessible("an option")
		w.press(kb.Escape)
		w.until(`document.getElementById("suggestions").hidden && document.getElementById("q").value === "saint-et"`)
		if f := w.focus(); !strings.HasPrefix(f, "INPUT#q") {
			t.Errorf("Escape moves the focus to %s", f)
		}
		w.press(kb.ArrowDown)
		w.until(`!document.getElementById("suggestions").hidden`)
		w.press(kb.Tab)
		w.until(`document.getElementById("suggestions").hidden`)
		if f := w.focus(); strings.HasPrefix(f, "INPUT#q") || strings.HasPrefix(f, "BODY") {
			t.Errorf("Tab leaves the focus on %s", f)
		}
		if at := w.where(); at != "/" {
			t.Errorf("nothing was chosen, the address is %s", at)
		}
	}
}

// framePlaces chooses a town, then a département: the map shows their extents, the address says so, and back works.
func framePlaces(t *testing.T, b *browser) {
	w := b.window(t, look{})
	w.openMap("/")
	all := w.inStep()
	w.click("#q")
	w.press("roann")
	w.suggested("roann")
	w.press(kb.ArrowDown)
	w.enter()
	w.until(`new URLSearchParams(location.search).get("place") === "Roanne (42)"`)
	n := w.inStep()
	if n == 0 || n >= all {
		t.Errorf("Roanne has %d of %d", n, all)
	}
	w.inside()
	if got := w.num(`[...document.querySelectorAll("#list .distance")].length`); got == 0 {
		t.Error("no distance is told")
	}
	w.until(`document.getElementById("q").value === ""`)
	if f := w.focus(); !strings.Contains(f, "count") {
		t.Errorf("after choosing the focus is on %s, want the count", f)
	}
	town := w.box()
	if town[2]-town[0] > 0.3 {
		t.Errorf("Roanne takes %v", town)
	}

	// Moving the map searches there, and measures from Roanne all the same.
	w.until(`!document.querySelector(".leaflet-zoom-anim")`)
	near := w.text(`new URLSearchParams(location.search).get("near")`)
	w.click(".leaflet-control-zoom-out")
	w.until(fmt.Sprintf(`!location.search.includes("bbox=%g") && !document.querySelector(".leaflet-zoom-anim")`, town[0]))
	w.inStep()
	w.inside()
	if now := w.text(`new URLSearchParams(location.search).get("near")`); now != near {
		t.Errorf("moving the map moved the point from %s to %s", near, now)
	}
	w.back()
	w.count(n)
	w.back()
	w.until(`location.search === ""`)
	w.count(all)

	w.click("#q")
	w.press("loire")
	list := w.suggested("loire")
	if !strings.HasPrefix(list, "place Loire (42)") {
		t.Errorf("loire completes to %q", list)
	}
	w.press(kb.ArrowDown)
	w.enter()
	w.until(`location.search === "?zone=FR-42"`)
	loire := w.inStep()
	if loire <= n || loire > all {
		t.Errorf("the Loire has %d, Roanne %d", loire, n)
	}
	w.until(`document.querySelector(".active").textContent.includes("Loire (42)")`)
	if box := w.text(`document.getElementById("results").dataset.bounds`); !strings.HasPrefix(box, "3.") {
		t.Errorf("the map of the Loire shows %s", box)
	}
	w.accessible("a zone")
}

func completeToFilters(t *testing.T, b *browser) {
	w := b.window(t, look{})
	w.open("/?kind=place")
	w.inStep()
	w.click("#q")
	w.press("repair")
	list := strings.Split(w.suggested("repair"), "\n")
	var category string
	for i, s := range list {
		if name, ok := strings.CutPrefix(s, "category "); ok {
			category = name
			for range i + 1 {
				w.press(kb.ArrowDown)
			}
			break
		}
	}
	if category == "" {
		t.Fatalf("no category among %q", list)
	}
	hint := w.text(`document.querySelector("#suggestions [aria-selected=true] .hint").textContent`)
	w.enter()
	w.until(`new URLSearchParams(location.search).getAll("category").length === 1 && location.search.includes("kind=place")`)
	if n := w.inStep(); !strings.HasPrefix(hint, fmt.Sprint(n)+"\u00a0") && !strings.HasPrefix(hint, fmt.Sprint(n)+" ") {
		t.Errorf("%s was said to have %s, and has %d", category, hint, n)
	}

	// An entry opens in the list's place.
	w.open("/")
	w.is("(window.same = true)")
	w.click("#q")
	w.press("fablab")
	w.suggested("fablab")
	name := w.text(`document.querySelector("#suggestions [data-type=entry] [role=option] .label").textContent`)
	w.click(`#suggestions [data-type=entry] [role=option]`)
	w.until(`location.pathname.startsWith("/e/") && document.querySelector("#entry h1")`)
	if got := w.text(`document.querySelector("#entry h1").textContent.trim()`); got != name {
		t.Errorf("%q opened %q", name, got)
	}
	w.back()
	w.until(`location.pathname === "/" && !document.getElementById("browse").hidden`)
	if !w.is("window.same") {
		t.Error("the page was loaded again")
	}
	if v := w.text(`document.getElementById("q").value`); v != "" {
		t.Errorf("the field still has %q, the list has not", v)
	}
}

func completeOnPhone(t *testing.T, b *browser) {
	w := b.window(t, look{width: 390})
	w.open("/")
	w.until(`document.getElementById("q").getAttribute("role") === "combobox"`)
	w.click("#q")
	w.press("mar")
	w.suggested("mar")
	if low := w.num(`Math.min(...[...document.querySelectorAll("#suggestions [role=option]")].map(o => o.getBoundingClientRect().height))`); low < 44 {
		t.Errorf("an option is %d px high, want 44", low)
	}
	if !w.is(`document.documentElement.scrollWidth <= 390 && [...document.querySelectorAll("#suggestions, #suggestions *")].every(e => e.getBoundingClientRect().right <= 390)`) {
		t.Error("the suggestions are wider than the window")
	}
	w.accessible("suggestions on a phone")
	w.is(`(document.documentElement.dir = "rtl", true)`)
	if !w.is(`[...document.querySelectorAll("#suggestions, #suggestions *")].every(e => e.getBoundingClientRect().left >= 0 && e.getBoundingClientRect().right <= 390)`) {
		t.Error("from right to left the suggestions leave the window")
	}
}

// completeWithout fails every request for suggestions, and answers one too late: the field still searches.
func completeWithout(t *testing.T, b *browser) {
	w := b.window(t, look{})
	t.Cleanup(func() { // the browser may tell of the last ones late
		w.forgive("/complete")
		w.forgive("ERR_")
	})
	send(w, fetch.Enable, fetch.EnableParams{Patterns: []*fetch.RequestPattern{{URLPattern: "*/complete*"}}})
	if err := chromedp.Listen(w.ctx, func(ev any) {
		if e, ok := ev.(*fetch.EventRequestPaused); ok {
			go func() { // what the page does not want any more cannot be failed
				_, _ = chromedp.Call(w.ctx, fetch.FailRequest, fetch.FailRequestParams{RequestID: e.RequestID, ErrorReason: network.ErrorReasonConnectionFailed})
			}()
		}
	}); err != nil {
		t.Fatal(err)
	}
	w.open("/")
	w.click("#q")
	w.press("vélo")
	w.until(`performance.getEntriesByType("resource").some(e => e.name.includes("/complete"))`)
	if !w.is(`document.getElementById("suggestions").hidden`) {
		t.Error("there are suggestions")
	}
	w.press(kb.Enter)
	w.until(`new URLSearchParams(location.search).get("q") === "vélo"`)
	w.inStep()
}

// searchWithoutScript submits the plain form: a town's name offers what is around it.
func searchWithoutScript(t *testing.T, b *browser) {
	w := b.window(t, look{withoutScript: true})
	w.open("/?category=alimentation")
	w.click("#q")
	w.press("Saint-Étienne", kb.Enter)
	w.until(`new URLSearchParams(location.search).get("q") === "Saint-Étienne"`)
	if w.is(`document.getElementById("q").hasAttribute("role")`) || !w.is(`document.getElementById("suggestions").hidden`) {
		t.Error("without scripts the field promises suggestions")
	}
	offer := w.text(`document.querySelector(".places a")?.textContent.trim().replace(/\s+/g, " ") ?? ""`)
	if !strings.HasPrefix(offer, "Saint-Étienne (42)") {
		t.Fatalf("the offer is %q", offer)
	}
	w.click(".places a")
	w.until(`new URLSearchParams(location.search).get("place") === "Saint-Étienne (42)"`)
	u, err := url.Parse(w.where())
	if err != nil {
		t.Fatal(err)
	}
	if q := u.Query(); q.Get("category") != "alimentation" || q.Get("near") == "" || q.Has("q") {
		t.Errorf("the place leads to %s", u)
	}
	w.until(`document.querySelectorAll("#list > li .distance").length > 0`)
}
