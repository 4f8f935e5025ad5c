package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// browser is a real Chromium in front of a running program.
type browser struct {
	ctx context.Context
	p   *program
	axe string // axe-core, or empty when its packages are not here
}

// startBrowser starts Chromium, or skips the test where there is none; under CI that is a failure.
func startBrowser(t *testing.T, p *program) *browser {
	t.Helper()
	path := needTool(t, "chromium", "chromium-browser", "google-chrome", "chrome")
	p.caughtUp()
	// Its folder is one that chromedp makes and removes with patience: what Chromium leaves running may still write into it.
	allocator, stop := chromedp.NewExecAllocator(context.Background(), chromedp.ExecPath(path),
		chromedp.Headless, chromedp.NoFirstRun, chromedp.NoSandbox, chromedp.DisableGPU, chromedp.Flag("disable-quic", true), chromedp.Flag("hide-scrollbars", true),
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true),
		// A slow machine is not to slow down what is not in front, nor a container to have too little of /dev/shm.
		chromedp.Flag("disable-background-timer-throttling", true), chromedp.Flag("disable-backgrounding-occluded-windows", true),
		chromedp.Flag("disable-renderer-backgrounding", true), chromedp.Flag("disable-hang-monitor", true), chromedp.Flag("disable-dev-shm-usage", true))
	t.Cleanup(stop)
	ctx, closeBrowser := chromedp.NewContext(allocator)
	t.Cleanup(closeBrowser)
	if err := chromedp.Do(ctx, chromedp.Navigate("about:blank")); err != nil {
		t.Fatal(err)
	}
	return &browser{ctx: ctx, p: p, axe: axeSource(t)}
}

// axeSource is axe-core from the npm packages of the frontend. They are not fetched for a test outside CI.
func axeSource(t *testing.T) string {
	t.Helper()
	cmd := exec.Command("go", "run", "./scripts/frontend", "-modules")
	if os.Getenv("CI") != "true" {
		cmd.Env = append(os.Environ(), "npm_config_offline=true")
	}
	out, err := cmd.Output()
	if err == nil {
		var b []byte
		if b, err = os.ReadFile(filepath.Join(strings.TrimSpace(string(out)), "axe-core", "axe.min.js")); err == nil {
			return string(b)
		}
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("axe-core cannot be had: %v", err)
	}
	t.Logf("axe-core is left out, its npm packages are not here: %v", err)
	return ""
}

// look is what a window is like.
type look struct {
	width                          int64 // 1280 when it is 0
	english, dark, still, saveData bool
	withoutScript                  bool
}

// window is one tab with its own cookies and cache. Whatever goes wrong in it fails its test at the end.
type window struct {
	t     *testing.T
	ctx   context.Context
	b     *browser
	at    string // the program's address
	phone bool
	mu    sync.Mutex
	wrong []string
	owed  []string // words of what a test brought about and is noted later
	bytes float64  // over the wire, headers included
	sent  []string
}

func (b *browser) window(t *testing.T, l look) *window {
	t.Helper()
	ctx, done := chromedp.NewContext(b.ctx, chromedp.WithNewBrowserContext())
	t.Cleanup(done)
	if l.width == 0 {
		l.width = 1280
	}
	w := &window{t: t, ctx: ctx, b: b, at: b.p.url, phone: l.width < 640}
	if err := chromedp.Listen(ctx, w.event); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		for _, s := range w.wrong {
			t.Error(s)
		}
	})
	// Node positions and focus events are those of a window that has the focus.
	send(w, emulation.SetFocusEmulationEnabled, emulation.SetFocusEmulationEnabledParams{Enabled: true})
	headers := network.Headers{"Accept-Language": "fr"}
	if l.english {
		headers["Accept-Language"] = "en"
	}
	if l.saveData {
		headers["Save-Data"] = "on"
	}
	send(w, network.SetExtraHTTPHeaders, network.SetExtraHTTPHeadersParams{Headers: headers})
	height := int64(860)
	if w.phone {
		height = 844
	}
	send(w, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: l.width, Height: height, DeviceScaleFactor: 1, Mobile: w.phone})
	scheme, motion := "light", "no-preference"
	if l.dark {
		scheme = "dark"
	}
	if l.still {
		motion = "reduce"
	}
	send(w, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: motion}}})
	send(w, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: l.withoutScript})
	return w
}

// event notes what must not happen: requests elsewhere, breaches of the policy, errors in the console.
func (w *window) event(ev any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	note := func(text string) {
		if i := slices.IndexFunc(w.owed, func(word string) bool { return strings.Contains(text, word) }); i >= 0 {
			w.owed = slices.Delete(w.owed, i, i+1)
			return
		}
		w.wrong = append(w.wrong, text)
	}
	switch e := ev.(type) {
	case *network.EventRequestWillBeSent:
		w.sent = append(w.sent, strings.TrimPrefix(e.Request.URL, w.at))
		// The browser's own icons, of a date field for instance, are data and go nowhere.
		if !strings.HasPrefix(e.Request.URL, w.at+"/") && !strings.HasPrefix(e.Request.URL, "about:") && !strings.HasPrefix(e.Request.URL, "data:") {
			note("a request leaves the origin: " + e.Request.URL)
		}
	case *network.EventLoadingFinished:
		w.bytes += e.EncodedDataLength
	case *runtime.EventExceptionThrown:
		text := e.ExceptionDetails.Text
		if e.ExceptionDetails.Exception != nil {
			text += " " + e.ExceptionDetails.Exception.Description
		}
		note("exception: " + text)
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.ConsoleAPICalledTypeError || e.Type == runtime.ConsoleAPICalledTypeWarning {
			text := "console:"
			for _, a := range e.Args {
				text += " " + string(a.Value) + a.Description
			}
			note(text)
		}
	case *log.EventEntryAdded:
		if e.Entry.Level == log.EntryLevelError || e.Entry.Source == log.EntrySourceSecurity {
			note(fmt.Sprintf("%s: %s %s", e.Entry.Source, e.Entry.Text, e.Entry.URL))
		}
	}
}

// forgive forgets what a test brought about itself, and tells how often it happened.
func (w *window) forgive(word string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	before := len(w.wrong)
	w.wrong = slices.DeleteFunc(w.wrong, func(s string) bool { return strings.Contains(s, word) })
	return before - len(w.wrong)
}

// expect forgives what a test brought about itself once, also when the browser tells of it later than of the page.
func (w *window) expect(word string) {
	if w.forgive(word) > 0 {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.owed = append(w.owed, word)
}

// asked tells whether an address with a word in it was requested.
func (w *window) asked(word string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.ContainsFunc(w.sent, func(s string) bool { return strings.Contains(s, word) })
}

// stepTakes is how long a step may take, on a slow machine that does other things as well: what is wrong is wrong after that.
const stepTakes = 2 * time.Minute

func send[P, R any](w *window, command cdp.Command[P, R], params P) R {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.ctx, stepTakes)
	defer cancel()
	r, err := chromedp.Call(ctx, command, params)
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

func (w *window) do(steps ...chromedp.Action[chromedp.Void]) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.ctx, stepTakes)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		w.t.Fatal(err)
	}
}

// eval evaluates an expression in the page, a promise awaited. What throws is tried again for a while: between two pages
// nothing is there.
func eval[T any](w *window, expression string) T {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.ctx, stepTakes)
	defer cancel()
	for {
		v, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
		if err == nil {
			return v
		}
		select {
		case <-ctx.Done():
			w.t.Fatalf("%.100s: %v", expression, err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// truth makes a condition of an expression, and of what a promise brings.
func truth(expression string) string {
	return "(v => typeof v?.then === 'function' ? v.then(x => !!x) : !!v)(" + expression + ")"
}

func (w *window) is(expression string) bool     { w.t.Helper(); return eval[bool](w, truth(expression)) }
func (w *window) text(expression string) string { w.t.Helper(); return eval[string](w, expression) }
func (w *window) num(expression string) int     { w.t.Helper(); return eval[int](w, expression) }

// until waits for an expression to be true in a page that is there as a whole. A page that is just being replaced, or
// still comes in, counts as not yet.
func (w *window) until(expression string) {
	w.t.Helper()
	whole := `document.readyState === "complete" && (` + expression + `)`
	ctx, cancel := context.WithTimeout(w.ctx, stepTakes)
	defer cancel()
	for ctx.Err() == nil {
		ok, err := chromedp.Run(ctx, chromedp.Evaluate[bool](truth(whole), chromedp.EvalAwaitPromise))
		if ok && err == nil {
			return
		}
		time.Sleep(15 * time.Millisecond)
	}
	w.t.Fatalf("never true: %s\nat %s, focus on %s", expression, w.text("location.href"), w.focus())
}

// open goes to a path of the program and waits for the page, its scripts included.
func (w *window) open(path string) {
	w.t.Helper()
	w.do(chromedp.Navigate(w.at + path))
	w.until(`document.readyState === "complete"`)
}

// comes opens a page until it shows something that is done a moment later than what was answered.
func (w *window) comes(path, expression string) {
	w.t.Helper()
	eventually(w.t, path+" shows "+expression, func() bool {
		w.open(path)
		return w.is(expression)
	})
}

// openMap opens a page and waits until its live map shows something.
func (w *window) openMap(path string) {
	w.t.Helper()
	w.open(path)
	w.until(`document.querySelector(".live .holder .pin, .live .holder .crowd") && !document.querySelector(".leaflet-zoom-anim")`)
}

// click presses the mouse on the middle of an element, as people do: what lies above it gets the click.
func (w *window) click(selector string) {
	w.t.Helper()
	w.until(fmt.Sprintf("document.querySelector(%q)", selector))
	find := fmt.Sprintf(`(e => {
		if (!e) return [0, 0, 0];
		e.scrollIntoView({block: "nearest", inline: "nearest"});
		let r = e.getBoundingClientRect(), x = r.x + r.width / 2, y = r.y + r.height / 2;
		const over = () => { const top = document.elementFromPoint(x, y); return top && (e.contains(top) || top.contains(e)); };
		if (!over()) { e.scrollIntoView({block: "center", inline: "center"}); r = e.getBoundingClientRect(); x = r.x + r.width / 2; y = r.y + r.height / 2; }
		return [x, y, over() ? 1 : 0];
	})(document.querySelector(%q))`, selector)
	// A page that still moves, or shows something over it for a moment, is waited for.
	hit := eval[[]float64](w, find)
	for end := time.Now().Add(stepTakes); ; {
		time.Sleep(10 * time.Millisecond)
		was := hit
		if hit = eval[[]float64](w, find); hit[2] == 1 && slices.Equal(hit, was) {
			break
		}
		if time.Now().After(end) {
			w.t.Fatalf("%s is covered by %s", selector, w.text(fmt.Sprintf("document.elementFromPoint(%f, %f)?.outerHTML.slice(0, 200) ?? 'nothing'", hit[0], hit[1])))
		}
	}
	w.mouse(input.DispatchMouseEventTypeMouseMoved, hit[0], hit[1])
	w.mouse(input.DispatchMouseEventTypeMousePressed, hit[0], hit[1])
	w.mouse(input.DispatchMouseEventTypeMouseReleased, hit[0], hit[1])
}

func (w *window) mouse(what input.DispatchMouseEventType, x, y float64) {
	w.t.Helper()
	p := input.DispatchMouseEventParams{Type: what, X: x, Y: y, Button: input.MouseButtonLeft, ClickCount: 1}
	if what == input.DispatchMouseEventTypeMouseMoved {
		p.ClickCount = 0
	}
	if what != input.DispatchMouseEventTypeMouseReleased {
		p.Buttons = 1
	}
	send(w, input.DispatchMouseEvent, p)
}

func (w *window) press(keys ...string) {
	w.t.Helper()
	for _, k := range keys {
		w.do(chromedp.KeyEvent(k))
	}
}

func (w *window) back()    { w.t.Helper(); w.is("(history.back(), true)") }
func (w *window) forward() { w.t.Helper(); w.is("(history.forward(), true)") }

// where is the path and the query of the page's address.
func (w *window) where() string { w.t.Helper(); return w.text("location.pathname + location.search") }

// focus names the element that has the focus.
func (w *window) focus() string {
	return w.text(`(e => !e ? "NOTHING" : e.tagName + (e.id ? "#" + e.id : "") + (typeof e.className === "string" && e.className ? "." + e.className.replaceAll(" ", ".") : "") + " " + (e.getAttribute("aria-label") || e.textContent || "").trim().replace(/\s+/g, " ").slice(0, 60))(document.activeElement)`)
}

// hasFocus fails when the focus fell off the page.
func (w *window) hasFocus(after string) {
	w.t.Helper()
	if f := w.focus(); strings.HasPrefix(f, "BODY") || f == "NOTHING" {
		w.t.Errorf("after %s the focus is lost to %s", after, f)
	}
}

// counts is true of a list of n entries that is not about to change, in JavaScript.
func counts(n int) string {
	return fmt.Sprintf(`!document.querySelector("#results[aria-busy]") && document.getElementById("results")?.dataset.total === "%d" && document.getElementById("count").textContent.replace(/\D/g, "") === "%d"`, n, n)
}

// count waits for a list of n entries, of the URL shown.
func (w *window) count(n int) { w.t.Helper(); w.until(counts(n)) }

// inStep waits until the list shows what the API finds for the address, and returns how many that is. An address that changes
// meanwhile, as that of a map that still moves, is looked at anew.
func (w *window) inStep() int {
	w.t.Helper()
	for end := time.Now().Add(stepTakes); ; time.Sleep(15 * time.Millisecond) {
		at := w.where()
		u, err := url.Parse(at)
		if err != nil {
			w.t.Fatal(err)
		}
		q := u.Query()
		q.Del("view")
		n := w.b.p.matched(q.Encode())
		if w.is(fmt.Sprintf(`document.readyState === "complete" && location.pathname + location.search === %q && %s`, at, counts(n))) {
			return n
		}
		if time.Now().After(end) {
			w.t.Fatalf("the list never shows the %d of %s, but %s", n, at, w.text(`document.getElementById("results")?.dataset.total ?? "nothing"`))
		}
	}
}

// box is the bbox of the address.
func (w *window) box() (b [4]float64) {
	w.t.Helper()
	u, err := url.Parse(w.where())
	if err != nil {
		w.t.Fatal(err)
	}
	if _, err := fmt.Sscanf(u.Query().Get("bbox"), "%g,%g,%g,%g", &b[0], &b[1], &b[2], &b[3]); err != nil {
		w.t.Fatalf("no box in %s", u)
	}
	return b
}

// inside fails when a card of the list lies outside the box of the address. A list that is just being replaced is waited for.
func (w *window) inside() {
	w.t.Helper()
	_, several := w.b.p.sites() // of these the card tells one, and another may be inside
	for end := time.Now().Add(stepTakes); ; time.Sleep(15 * time.Millisecond) {
		b, wrong := w.box(), ""
		for _, card := range eval[[][2]string](w, `[...document.querySelectorAll("#list > li")].map(c => [c.dataset.slug, c.dataset.at])`) {
			at := card[1]
			var lon, lat float64
			if several[card[0]] {
				continue
			}
			if _, err := fmt.Sscanf(at, "%g,%g", &lon, &lat); err != nil || lon < b[0]-1e-3 || lon > b[2]+1e-3 || lat < b[1]-1e-3 || lat > b[3]+1e-3 {
				wrong = fmt.Sprintf("a card at %q, outside %v", at, b)
			}
		}
		if wrong == "" {
			return
		}
		if time.Now().After(end) {
			w.t.Fatal(wrong)
		}
	}
}

// accessible runs axe on the page as it stands.
func (w *window) accessible(state string) {
	w.t.Helper()
	if w.b.axe == "" {
		return
	}
	if !w.is("window.axe") {
		w.do(chromedp.Evaluate[chromedp.Void](w.b.axe))
	}
	found := w.text(`axe.run(document, {runOnly: ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa", "best-practice"], rules: {"target-size": {enabled: true}}, resultTypes: ["violations"]}).then(r => JSON.stringify(r.violations.map(v => ({id: v.id, impact: v.impact, nodes: v.nodes.map(n => n.target + " " + n.failureSummary)}))))`)
	var violations []struct {
		ID, Impact string
		Nodes      []string
	}
	if err := json.Unmarshal([]byte(found), &violations); err != nil {
		w.t.Fatal(err)
	}
	for _, v := range violations {
		text := fmt.Sprintf("axe, %s: %s (%s):\n  %s", state, v.ID, v.Impact, strings.Join(v.Nodes[:min(len(v.Nodes), 5)], "\n  "))
		if v.Impact == "serious" || v.Impact == "critical" {
			w.t.Error(text)
		} else {
			w.t.Log(text)
		}
	}
}

// kilobytes is what came over the wire since the window was opened.
func (w *window) kilobytes() float64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return math.Round(w.bytes/102.4) / 10
}
