package frontend

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// startBrowser starts a real Chromium, or skips the test where there is none; under CI that is a failure.
func startBrowser(t *testing.T) (context.Context, string, *watch) {
	t.Helper()
	if testing.Short() {
		t.Skip("a browser takes its time: left out by -short")
	}
	path := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "chrome"} {
		if p, err := exec.LookPath(name); err == nil {
			path = p
			break
		}
	}
	if path == "" {
		skip(t, "no Chromium found")
	}
	server := httptest.NewServer(previewHandler())
	t.Cleanup(server.Close)
	// Its folder is one that chromedp makes and removes with patience: what Chromium leaves running may still write into it.
	allocator, stop := chromedp.NewExecAllocator(context.Background(), chromedp.ExecPath(path), chromedp.Headless, chromedp.NoFirstRun, chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true),
		// A slow machine is not to slow down what is not in front, nor a container to have too little of /dev/shm.
		chromedp.Flag("disable-background-timer-throttling", true), chromedp.Flag("disable-backgrounding-occluded-windows", true),
		chromedp.Flag("disable-renderer-backgrounding", true), chromedp.Flag("disable-hang-monitor", true), chromedp.Flag("disable-dev-shm-usage", true))
	t.Cleanup(stop)
	tab, closeTab := chromedp.NewContext(allocator)
	t.Cleanup(closeTab)
	w := &watch{origin: server.URL}
	if err := chromedp.Listen(tab, w.event); err != nil {
		t.Fatal(err)
	}
	send(t, tab, emulation.SetFocusEmulationEnabled, emulation.SetFocusEmulationEnabledParams{Enabled: true})
	send(t, tab, network.Enable, network.EnableParams{})
	send(t, tab, network.SetExtraHTTPHeaders, network.SetExtraHTTPHeadersParams{Headers: network.Headers{"Accept-Language": "fr"}})
	return tab, server.URL, w
}

// stepTakes is how long one step may take on a slow machine that does much else.
const stepTakes = 2 * time.Minute

// send gives the browser one command.
func send[P, R any](t *testing.T, tab context.Context, command cdp.Command[P, R], params P) {
	t.Helper()
	ctx, cancel := context.WithTimeout(tab, stepTakes)
	defer cancel()
	if _, err := chromedp.Call(ctx, command, params); err != nil {
		t.Fatal(err)
	}
}

// do runs steps with a limit.
func do(t *testing.T, tab context.Context, steps ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	ctx, cancel := context.WithTimeout(tab, stepTakes)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		t.Fatal(err)
	}
}

// js evaluates an expression, a promise awaited.
func js[T any](t *testing.T, tab context.Context, expression string) T {
	t.Helper()
	ctx, cancel := context.WithTimeout(tab, stepTakes)
	defer cancel()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		t.Fatalf("%.80s: %v", expression, err)
	}
	return v
}

// until waits for an expression to be true. An answer that a navigation cuts off is asked again.
func until(t *testing.T, tab context.Context, expression string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(tab, stepTakes)
	defer cancel()
	for ctx.Err() == nil {
		if ok, err := chromedp.Run(ctx, chromedp.Evaluate[bool]("!!("+expression+")")); err == nil && ok {
			return
		}
		time.Sleep(30 * time.Millisecond)
	}
	t.Fatalf("never true: %s (at %s)", expression, js[string](t, tab, "location.href"))
}

// still waits until nothing moves in the page, and nothing that was asked for is on its way to it.
func still(t *testing.T, tab context.Context) {
	t.Helper()
	until(t, tab, `!document.querySelector("[aria-busy], .leaflet-zoom-anim, .leaflet-pan-anim") &&
		document.getAnimations().every(a => a.playState !== "running" || a.effect?.getComputedTiming().endTime === Infinity)`)
}

func skip(t *testing.T, why string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal(why)
	}
	t.Skip(why)
}

// watch collects what must not happen: requests elsewhere, errors in the console.
type watch struct {
	origin   string
	mu       sync.Mutex
	wrong    []string
	foreseen string
}

func (w *watch) event(ev any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch e := ev.(type) {
	case *network.EventRequestWillBeSent:
		if !strings.HasPrefix(e.Request.URL, w.origin+"/") && !strings.HasPrefix(e.Request.URL, "about:") {
			w.wrong = append(w.wrong, "request to "+e.Request.URL)
		}
	case *runtime.EventExceptionThrown:
		w.wrong = append(w.wrong, e.ExceptionDetails.Text+" "+e.ExceptionDetails.Exception.Description)
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.ConsoleAPICalledTypeError {
			var parts []string
			for _, a := range e.Args {
				parts = append(parts, string(a.Value)+a.Description)
			}
			w.wrong = append(w.wrong, "console: "+strings.Join(parts, " "))
		}
	}
}

// foresee allows what has a word in it: a test is about to bring it about itself.
func (w *watch) foresee(word string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.foreseen = word
}

func (w *watch) check(t *testing.T) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, s := range w.wrong {
		if w.foreseen == "" || !strings.Contains(s, w.foreseen) {
			t.Error(s)
		}
	}
}

func viewport(t *testing.T, tab context.Context, width, height int64, dark bool) {
	t.Helper()
	scheme := "light"
	if dark {
		scheme = "dark"
	}
	send(t, tab, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: width, Height: height, DeviceScaleFactor: 1, Mobile: width < 600})
	send(t, tab, emulation.SetTouchEmulationEnabled, emulation.SetTouchEmulationEnabledParams{Enabled: width < 600})
	send(t, tab, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}})
}

// axeSource is axe-core, from the npm packages of the build.
func axeSource(t *testing.T) string {
	t.Helper()
	out, err := exec.Command("go", "run", "../scripts/frontend", "-dir", ".", "-modules").Output()
	if err != nil {
		skip(t, fmt.Sprintf("the npm packages cannot be had: %v", err))
	}
	b, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(out)), "axe-core", "axe.min.js"))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestAxe looks at every page, narrow and wide, light and dark. FRONTEND_SHOTS names a folder for pictures of them.
func TestAxe(t *testing.T) {
	tab, base, w := startBrowser(t)
	axe := axeSource(t)
	pages := []struct{ name, path, ready string }{
		{"home", "/", ".live .crowd"}, {"filtered", "/?category=repair&q=a&kind=place", ".live .pin"}, {"empty", "/?q=zzz", ".empty"}, {"map", "/?view=map", ".live .crowd"}, {"light", "/?light=1", "#show-live:not([hidden])"},
		{"first", "/first", "main"}, {"entry", "/e/fiche-0", "#entry"}, {"event", "/e/fiche-3?lang=en", "#entry"}, {"history", "/e/fiche-0/history", "main"}, {"about", "/about?lang=en", "main"},
		{"error400", "/error/400", "main"}, {"error410", "/error/410", "main"}, {"error503", "/error/503", "main"},
	}
	shots := os.Getenv("FRONTEND_SHOTS")
	for _, size := range []struct {
		width, height int64
		dark          bool
	}{{1280, 860, false}, {390, 844, false}, {1280, 860, true}, {390, 844, true}} {
		for i, p := range pages {
			if size.dark && i%3 != 0 && shots == "" {
				continue // dark differs in colours only
			}
			if size.width < 600 && (p.name == "home" || p.name == "filtered") {
				p.ready = "#results"
			}
			name := fmt.Sprintf("%s-%d", p.name, size.width)
			if size.dark {
				name += "-dark"
			}
			t.Run(name, func(t *testing.T) {
				viewport(t, tab, size.width, size.height, size.dark)
				do(t, tab, chromedp.Navigate(base+p.path))
				until(t, tab, `document.querySelector("`+p.ready+`")`)
				do(t, tab, chromedp.Sleep(300*time.Millisecond)) // the map's last tiles
				still(t, tab)
				shoot(t, tab, name)
				do(t, tab, chromedp.Evaluate[chromedp.Void](axe))
				found := js[string](t, tab, `axe.run(document, {runOnly: ["wcag2a","wcag2aa","wcag21aa","wcag22aa","best-practice"], rules: {"target-size": {enabled: true}}}).then(r => JSON.stringify(r.violations.map(v => ({id: v.id, impact: v.impact, nodes: v.nodes.map(n => n.target + " " + n.failureSummary)}))))`)
				var violations []struct {
					ID, Impact string
					Nodes      []string
				}
				if err := json.Unmarshal([]byte(found), &violations); err != nil {
					t.Fatal(err)
				}
				for _, v := range violations {
					t.Errorf("%s (%s):\n  %s", v.ID, v.Impact, strings.Join(v.Nodes, "\n  "))
				}
			})
		}
	}
	w.check(t)
}

// saveShot keeps a picture in the folder FRONTEND_SHOTS, when it is named.
func saveShot(t *testing.T, name string, take func() ([]byte, error)) {
	t.Helper()
	dir := os.Getenv("FRONTEND_SHOTS")
	if dir == "" {
		return
	}
	picture, err := take()
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, name+".png"), picture, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}
