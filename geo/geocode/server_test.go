package geocode

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/paulmach/orb"
)

const oneHouse = `{"type":"FeatureCollection","features":[{"type":"Feature","properties":{"geocoding":{"osm_type":"node","osm_id":"12","type":"house",
	"housenumber":"12","street":"Rue du Port","postcode":26340,"city":"Saillans","country":"France","country_code":"fr"}},
	"geometry":{"type":"Point","coordinates":["5.18","44.69"]}}]}`

// soon is how long an answer may take that is to come, on a machine that does much else; one that never comes is given up by
// tests that set a shorter time.
const soon = time.Minute

func answering(t *testing.T, handler http.HandlerFunc) *Server {
	t.Helper()
	web := httptest.NewServer(handler)
	t.Cleanup(web.Close)
	s, err := NewNominatim(ServerOptions{URL: web.URL, UserAgent: "archipel-test", Timeout: soon})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func say(status int, contentType, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(status)
		io.WriteString(w, body)
	}
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	const js = "application/json; charset=utf-8"
	for _, tc := range []struct {
		name    string
		handler http.HandlerFunc
		want    error
	}{
		{"found, numbers as strings", say(200, js, oneHouse), nil},
		{"empty list", say(200, js, `[]`), ErrNotFound},
		{"no features", say(200, js, `{"type":"FeatureCollection","features":[]}`), ErrNotFound},
		{"features null", say(200, js, `{"type":"FeatureCollection","features":null}`), ErrNotFound},
		{"features without positions", say(200, js, `{"type":"FeatureCollection","features":[{},{"geometry":null},{"geometry":{"coordinates":[1]}},{"geometry":{"coordinates":["x","y"]},"properties":{"name":"x"}},{"geometry":{"coordinates":[999,0]},"properties":{"name":"x"}}]}`), ErrNotFound},
		{"error as text in a 200", say(200, js, `{"error":"Unable to geocode"}`), ErrNotFound},
		{"another error as text in a 200", say(200, js, `{"error":"database is down"}`), ErrUnavailable},
		{"error object in a 200", say(200, js, `{"error":{"code":500,"message":"broken"}}`), ErrUnavailable},
		{"refusal in a 200", say(200, js, `{"error":{"code":"400","message":"Nothing to search for."}}`), ErrBadQuery},
		{"400 in JSON", say(400, js, `{"error":{"code":400,"message":"Nothing to search for."}}`), ErrBadQuery},
		{"400 in text", say(400, "text/plain", `ERROR 400: Parameter 'format' must be one of`), ErrBadQuery},
		{"400 in HTML", say(400, "text/html", `<html><h1>Bad Request</h1>`), ErrBadQuery},
		{"400 empty", say(400, "text/plain", ``), ErrBadQuery},
		{"502 in HTML", say(502, "text/html", `<html><h1>Bad Gateway</h1></html>`), ErrUnavailable},
		{"500 in JSON", say(500, js, `{"error":{"code":500,"message":"Query took too long to process."}}`), ErrUnavailable},
		{"403 in HTML", say(403, "text/html", `<html>Usage limit reached</html>`), ErrUnavailable},
		{"404", say(404, js, `{"title": "404 Not Found"}`), ErrUnavailable},
		{"429", say(429, js, `{}`), ErrUnavailable},
		{"HTML in a 200", say(200, "text/html", `<!doctype html><html>maintenance</html>`), ErrUnavailable},
		{"broken JSON", say(200, js, oneHouse[:200]), ErrUnavailable},
		{"nothing at all", say(200, js, ``), ErrUnavailable},
		{"null", say(200, js, `null`), ErrUnavailable},
		{"a number", say(200, js, `12`), ErrUnavailable},
		{"another format's list", say(200, js, `[{"place_id":1,"lat":"1","lon":"2"}]`), ErrUnavailable},
		{"deep", say(200, js, strings.Repeat("[", 100000)), ErrUnavailable},
		{"no content", say(204, js, ``), ErrUnavailable},
		{"huge", func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, `{"type":"FeatureCollection","x":"`)
			chunk := bytes.Repeat([]byte("x"), 1<<20)
			for range 8 {
				if _, err := w.Write(chunk); err != nil {
					return
				}
			}
		}, ErrUnavailable},
		{"slow", func(w http.ResponseWriter, r *http.Request) {
			<-r.Context().Done()
		}, ErrUnavailable},
		{"slow in the middle", func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, `{"type":`)
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		}, ErrUnavailable},
		{"hung up", func(w http.ResponseWriter, r *http.Request) { panic(http.ErrAbortHandler) }, ErrUnavailable},
		{"redirect elsewhere", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://example.invalid/", http.StatusFound)
		}, ErrUnavailable},
		{"redirect in circles", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, r.URL.String()+"x", http.StatusFound)
		}, ErrUnavailable},
		{"redirect on the same host", func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/moved" {
				http.Redirect(w, r, "/moved?"+r.URL.RawQuery, http.StatusMovedPermanently)
				return
			}
			io.WriteString(w, oneHouse)
		}, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			s := answering(t, tc.handler)
			if strings.HasPrefix(tc.name, "slow") {
				s.timeout = 100 * time.Millisecond
			}
			got, err := s.Search(context.Background(), Query{Text: "12 rue du Port Saillans"})
			if !errors.Is(err, tc.want) {
				t.Fatalf("got %v, %v, want %v", got, err, tc.want)
			}
			if err != nil && strings.Contains(err.Error(), "Port") {
				t.Errorf("the error tells what was typed: %v", err)
			}
			for _, other := range []error{ErrNotFound, ErrUnavailable, ErrBadQuery} {
				if other != tc.want && errors.Is(err, other) {
					t.Errorf("%v is %v as well", err, other)
				}
			}
			if tc.want == nil && (got[0].Label != "12 Rue du Port, 26340 Saillans, France" || got[0].Kind != KindHouse || got[0].OSMID != 12 || got[0].Point != orb.Point{5.18, 44.69}) {
				t.Errorf("got %+v", got)
			}
		})
	}
}

func TestRequest(t *testing.T) {
	t.Parallel()
	var seen atomic.Pointer[http.Request]
	s := answering(t, func(w http.ResponseWriter, r *http.Request) {
		seen.Store(r)
		io.WriteString(w, oneHouse)
	})
	view := Box{5.11, 44.61, 5.32, 44.78}
	if _, err := s.Search(context.Background(), Query{Text: " 12 Rue du\tPort", Language: "fr", Countries: []string{"fr", "CH"}, View: &view}); err != nil {
		t.Fatal(err)
	}
	r := seen.Load()
	if got := r.URL.String(); got != "/search?accept-language=fr&addressdetails=1&countrycodes=fr%2Cch&format=geocodejson&limit=10&q=12+rue+du+port&viewbox=5%2C44.5%2C5.5%2C45" {
		t.Errorf("asked %s", got)
	}
	if got := r.Header.Get("User-Agent"); got != "archipel-test" {
		t.Errorf("as %s", got)
	}
}

func TestServerOptions(t *testing.T) {
	t.Parallel()
	for _, o := range []ServerOptions{{}, {URL: "http://x"}, {UserAgent: "x"}, {URL: "ftp://x", UserAgent: "x"}, {URL: "nominatim:8080", UserAgent: "x"}, {URL: "::", UserAgent: "x"}} {
		if s, err := NewNominatim(o); err == nil {
			t.Errorf("%+v: got %v, want an error", o, s.base)
		}
	}
	for address, name := range map[string]string{"https://a.org/x": "nominatim", " photon+https://a.org ": "photon", "addok+http://a.org/": "addok", "nominatim+http://a": "nominatim"} {
		s, err := NewServer(ServerOptions{URL: address, UserAgent: "x"})
		if err != nil || s.Name() != name {
			t.Errorf("%s: got %v, want %s", address, err, name)
			continue
		}
		s.Close()
	}
	for host, own := range map[string]bool{"127.0.0.1": true, "::1": true, "localhost": true, "10.1.2.3": true, "192.168.1.9": true, "nominatim": true,
		"geo.internal": true, "fd00::1": true, "nominatim.openstreetmap.org": false, "photon.komoot.io": false, "8.8.8.8": false, "example.org.": false} {
		if got := ownHost(host); got != own {
			t.Errorf("%s: own host is %v, want %v", host, got, own)
		}
	}
}

// TestOneRequestAtATime checks that the same question is asked once, however
// many want to know, and that who leaves does not take the answer away.
func TestOneRequestAtATime(t *testing.T) {
	t.Parallel()
	var asked atomic.Int64
	open := make(chan struct{})
	s := answering(t, func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		<-open
		io.WriteString(w, oneHouse)
	})
	left, leave := context.WithCancel(context.Background())
	gone := make(chan error, 1)
	go func() { _, err := s.Search(left, Query{Text: "rue du Port"}); gone <- err }()
	for deadline := time.Now().Add(2 * time.Minute); asked.Load() == 0 && time.Now().Before(deadline); time.Sleep(time.Millisecond) {
	}
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if _, err := s.Search(context.Background(), Query{Text: "Rue du  port"}); err != nil {
				t.Error(err)
			}
		})
	}
	time.Sleep(20 * time.Millisecond) // most of them wait by now; those that come later find the answer
	leave()
	if err := <-gone; !errors.Is(err, context.Canceled) {
		t.Errorf("who left got %v", err)
	}
	close(open)
	wg.Wait()
	if n := asked.Load(); n != 1 {
		t.Errorf("asked %d times", n)
	}
	if _, err := s.breaker.state(); err != nil {
		t.Errorf("a caller who leaves is no failure of the server: %v", err)
	}
}

// TestPublicHost checks the pace: the limiter is set for public hosts only, so
// one is put on a server of our own.
func TestPublicHost(t *testing.T) {
	t.Parallel()
	public, err := NewNominatim(ServerOptions{URL: "https://nominatim.openstreetmap.org", UserAgent: "archipel-test"})
	if err != nil || public.limit == nil || public.limit.Limit() != 1 || public.limit.Burst() != 1 {
		t.Fatalf("a public host must be asked once a second at most: %+v, %v", public.limit, err)
	}
	defer public.Close()
	var mu sync.Mutex
	var times []time.Time
	s := answering(t, func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		times = append(times, time.Now())
		mu.Unlock()
		io.WriteString(w, oneHouse)
	})
	s.limit = public.limit
	start := time.Now()
	var wg sync.WaitGroup
	for i := range 3 {
		wg.Go(func() { s.Search(context.Background(), Query{Text: fmt.Sprint("rue ", i)}) })
	}
	wg.Wait()
	for i, at := range times { // one may have been long on its way, and come just before the next
		if since := at.Sub(start); since < time.Duration(i)*time.Second-50*time.Millisecond {
			t.Errorf("asked %d times after %v", i+1, since)
		}
	}
	if len(times) != 3 {
		t.Errorf("asked %d times", len(times))
	}
	for range 40 {
		s.limit.Reserve()
	}
	if _, err := s.Search(context.Background(), Query{Text: "one more"}); !errors.Is(err, ErrUnavailable) {
		t.Errorf("a long queue: got %v", err)
	}
	if len(times) != 3 {
		t.Error("the queue was waited for")
	}
	if _, err := s.breaker.state(); err != nil {
		t.Errorf("a long queue is no failure of the server: %v", err)
	}
}

func TestCloseEndsRequests(t *testing.T) {
	t.Parallel()
	asked := make(chan struct{})
	s := answering(t, func(w http.ResponseWriter, r *http.Request) {
		close(asked)
		<-r.Context().Done()
	})
	s.timeout = time.Hour
	got := make(chan error, 1)
	go func() { _, err := s.Search(context.Background(), Query{Text: "rue du Port"}); got <- err }()
	<-asked
	s.Close()
	if err := <-got; !errors.Is(err, ErrUnavailable) {
		t.Errorf("got %v", err)
	}
	if _, err := s.Search(context.Background(), Query{Text: "rue du Quai"}); !errors.Is(err, ErrUnavailable) {
		t.Errorf("after Close: got %v", err)
	}
}

func TestBreaker(t *testing.T) {
	t.Parallel()
	c := newClock()
	var asked atomic.Int64
	var broken atomic.Bool
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		if broken.Load() {
			w.Header().Set("Retry-After", "120")
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		io.WriteString(w, oneHouse)
	}))
	defer web.Close()
	s, err := NewNominatim(ServerOptions{URL: web.URL, UserAgent: "archipel-test", Timeout: soon, Now: c.now})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	n := 0
	ask := func() error {
		n++
		_, err := s.Search(context.Background(), Query{Text: fmt.Sprint("rue ", n)})
		return err
	}
	broken.Store(true)
	for range 50 {
		if err := ask(); !errors.Is(err, ErrUnavailable) {
			t.Fatalf("got %v", err)
		}
	}
	if got := asked.Load(); got != 1 {
		t.Errorf("asked %d times a server that wants to be left alone", got)
	}
	c.advance(119 * time.Second)
	ask()
	if got := asked.Load(); got != 1 {
		t.Errorf("asked before the time it gave")
	}
	c.advance(2 * time.Second)
	ask()
	if got := asked.Load(); got != 2 {
		t.Errorf("one trial is due: asked %d times", got)
	}
	broken.Store(false)
	c.advance(2 * time.Minute)
	if err := ask(); err != nil {
		t.Errorf("the server is back: got %v", err)
	}
	if err := s.Health(context.Background()); err != nil {
		t.Errorf("the server is back: health is %v", err)
	}
}

func TestHealth(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		handler http.HandlerFunc
		healthy bool
	}{
		"well":      {say(200, "application/json", `{"status":0,"message":"OK"}`), true},
		"broken":    {say(200, "application/json", `{"status":700,"message":"Database connection failed"}`), false},
		"no status": {say(200, "application/json", `{}`), false},
		"html":      {say(200, "text/html", `<html>`), false},
		"down":      {say(502, "text/html", `<html>`), false},
	} {
		s := answering(t, tc.handler)
		err := s.Health(context.Background())
		// It takes two seconds at most, in which this machine may be at something else.
		for deadline := time.Now().Add(2 * time.Minute); tc.healthy && err != nil && time.Now().Before(deadline); err = s.Health(context.Background()) {
			time.Sleep(50 * time.Millisecond)
			s.health.at = time.Time{}
		}
		if (err == nil) != tc.healthy || err != nil && !errors.Is(err, ErrUnavailable) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestFileCache(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	path := filepath.Join(t.TempDir(), "with space & ü?#%.db")
	var asked atomic.Int64
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		io.WriteString(w, oneHouse)
	}))
	defer web.Close()
	c := newClock()
	for run := range 2 { // the second run finds what the first one learnt
		cache, err := OpenCache(ctx, path)
		if err != nil {
			t.Fatal(err)
		}
		s, err := NewNominatim(ServerOptions{URL: web.URL, UserAgent: "archipel-test", Timeout: soon, Cache: cache, Now: c.now})
		if err != nil {
			t.Fatal(err)
		}
		got, err := s.Search(ctx, Query{Text: "12 rue du Port"})
		if err != nil || got[0].Label != "12 Rue du Port, 26340 Saillans, France" || got[0].OSMID != 12 || got[0].Box.IsZero() {
			t.Errorf("run %d: got %+v, %v", run, got, err)
		}
		s.Close()
		if err := cache.Close(); err != nil {
			t.Error(err)
		}
	}
	if n := asked.Load(); n != 1 {
		t.Errorf("asked %d times", n)
	}
	cache, err := OpenCache(ctx, path)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := cache.Prune(ctx, c.now().Add(-time.Hour)); n != 0 || err != nil {
		t.Errorf("pruned %d, %v", n, err)
	}
	if n, err := cache.Prune(ctx, c.now().Add(time.Hour)); n != 1 || err != nil {
		t.Errorf("pruned %d, %v", n, err)
	}
	// A cache that fails is as good as none.
	cache.Close()
	s, _ := NewNominatim(ServerOptions{URL: web.URL, UserAgent: "archipel-test", Timeout: soon, Cache: cache})
	defer s.Close()
	if _, err := s.Search(ctx, Query{Text: "12 rue du Port"}); err != nil {
		t.Errorf("with a broken cache: %v", err)
	}
	if _, err := OpenCache(ctx, filepath.Join(t.TempDir(), "no", "such", "folder.db")); err == nil {
		t.Error("a folder that is not there: want an error")
	}
}

func TestMemoryCacheIsBounded(t *testing.T) {
	t.Parallel()
	c := &MemoryCache{}
	for i := range maxMemoryItems + 100 {
		c.Put(context.Background(), fmt.Sprint(i), nil, time.Time{})
	}
	if n := len(c.items); n != maxMemoryItems {
		t.Errorf("holds %d", n)
	}
}
