package geocode

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/paulmach/orb"
)

// fakeNominatim answers the questions of the conformance suite with what a real
// server said to them, and everything else as a real one does.
func fakeNominatim(t *testing.T) http.Handler {
	answers := map[string]string{
		"q=encamp":                                    "encamp",
		"q=avinguda meritxell andorra la vella":       "meritxell",
		"q=carrer verge del pilar 1 andorra la vella": "house",
		"street=carrer major&city=encamp":             "structured",
		"lat=42.53598&lon=1.58368":                    "reverse",
	}
	file := func(w http.ResponseWriter, name string) {
		b, err := os.ReadFile(filepath.Join("testdata", "nominatim-"+name+".json"))
		if err != nil {
			t.Error(err)
		}
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		w.Write(b)
	}
	refuse := func(w http.ResponseWriter, message string) {
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		w.WriteHeader(http.StatusBadRequest)
		w.Write([]byte(`{"error":{"code":400,"message":"` + message + `"}}`))
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /status", func(w http.ResponseWriter, r *http.Request) {
		w.Write([]byte(`{"status":0,"message":"OK","software_version":"5.3.3","database_version":"5.3.3-0"}`))
	})
	mux.HandleFunc("GET /search", func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		if q.Get("format") != "geocodejson" {
			http.Error(w, "ERROR 400: Parameter 'format' must be one of: xml, geojson, geocodejson, json, jsonv2", http.StatusBadRequest)
			return
		}
		if q.Has("q") && q.Has("city") {
			refuse(w, "Structured query parameters cannot be used together with 'q' parameter.")
			return
		}
		if v := q.Get("viewbox"); v != "" && len(strings.Split(v, ",")) != 4 {
			refuse(w, "Bounding box parameter needs 4 coordinates.")
			return
		}
		for question, name := range answers {
			want, _ := url.ParseQuery(question)
			matches := true
			for k := range want {
				matches = matches && q.Get(k) == want.Get(k)
			}
			if c := q.Get("countrycodes"); matches && (c == "" || strings.Contains(c, "ad")) {
				file(w, name)
				return
			}
		}
		file(w, "none")
	})
	mux.HandleFunc("GET /reverse", func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		if name := answers["lat="+q.Get("lat")+"&lon="+q.Get("lon")]; name != "" {
			file(w, name)
			return
		}
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		w.Write([]byte(`{"error":"Unable to geocode"}`))
	})
	return mux
}

// outage stands before a server and can be stopped, started again, and slowed down. Stopped, it breaks connections off without
// an answer: a port that is let go could be another program's meanwhile.
type outage struct {
	*httptest.Server
	stopped atomic.Bool
	delay   atomic.Int64 // nanoseconds
	asked   atomic.Int64
}

func newOutage(t *testing.T, target string) *outage {
	u, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	o := &outage{}
	proxy := httputil.NewSingleHostReverseProxy(u)
	o.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if o.stopped.Load() {
			panic(http.ErrAbortHandler)
		}
		o.asked.Add(1)
		select {
		case <-time.After(time.Duration(o.delay.Load())):
		case <-r.Context().Done():
			return
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(o.Close)
	return o
}

func (o *outage) start() { o.stopped.Store(false) }
func (o *outage) stop()  { o.stopped.Store(true) }

// clock is a time that a test moves.
type clock struct{ ns atomic.Int64 }

func newClock() *clock {
	c := &clock{}
	c.ns.Store(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).UnixNano())
	return c
}
func (c *clock) now() time.Time          { return time.Unix(0, c.ns.Load()) }
func (c *clock) advance(d time.Duration) { c.ns.Add(int64(d)) }

// TestNominatim runs the suite on a stand-in always, and on a real server with
// Andorra (scripts/nominatim/start.sh) when TEST_NOMINATIM_URL names one.
func TestNominatim(t *testing.T) {
	t.Run("stand-in", func(t *testing.T) {
		fake := httptest.NewServer(fakeNominatim(t))
		defer fake.Close()
		conformance(t, fake.URL)
	})
	t.Run("real", func(t *testing.T) {
		real := os.Getenv("TEST_NOMINATIM_URL")
		if real == "" {
			t.Skip("TEST_NOMINATIM_URL is not set: start one with scripts/nominatim/start.sh")
		}
		conformance(t, real)
	})
}

func conformance(t *testing.T, target string) {
	ctx := context.Background()
	open := func(t *testing.T, o *outage, c *clock) *Server {
		s, err := NewNominatim(ServerOptions{URL: o.URL, UserAgent: "archipel-test (tests@example.org)", Timeout: soon, Now: c.now})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		return s
	}
	fresh := func(t *testing.T) (*Server, *outage, *clock) {
		o, c := newOutage(t, target), newClock()
		return open(t, o, c), o, c
	}
	encamp := orb.Point{1.5836, 42.5359}

	t.Run("search", func(t *testing.T) {
		s, o, _ := fresh(t)
		got, err := s.Search(ctx, Query{Text: "Encamp", Language: "fr", Near: &encamp})
		if err != nil || len(got) == 0 {
			t.Fatalf("got %v, %v", got, err)
		}
		p := got[0]
		if p.Name != "Encamp" || p.Kind != KindCommune || p.Codes.Country != "AD" || p.OSMType == "" || p.OSMID == 0 || p.Source != "nominatim" {
			t.Errorf("got %+v", p)
		}
		if Distance(p.Point, encamp) > 6000 || !p.Box.Contains(p.Point) || p.Importance <= 0 || p.Importance > 1 {
			t.Errorf("got %+v", p)
		}
		// The second time, in other words, comes from the cache.
		before := o.asked.Load()
		if _, err := s.Search(ctx, Query{Text: "  ENCAMP ", Language: "fr", Near: &encamp}); err != nil || o.asked.Load() != before {
			t.Errorf("asked again: %d requests, %v", o.asked.Load()-before, err)
		}
	})
	t.Run("street", func(t *testing.T) {
		s, _, _ := fresh(t)
		got, err := s.Search(ctx, Query{Text: "Avinguda Meritxell Andorra la Vella", Language: "fr"})
		if err != nil || got[0].Kind != KindStreet || got[0].Name != "Avinguda Meritxell" || !strings.HasSuffix(got[0].Label, ", AD500 Andorre-la-Vieille, Andorre") {
			t.Errorf("got %+v, %v", got, err)
		}
	})
	t.Run("house", func(t *testing.T) {
		s, _, _ := fresh(t)
		got, err := s.Search(ctx, Query{Text: "Carrer Verge del Pilar 1 Andorra la Vella", Language: "fr"})
		if err != nil || got[0].Kind != KindHouse || !strings.Contains(got[0].Label, "1 Carrer Verge del Pilar, AD500 Andorre-la-Vieille") {
			t.Errorf("got %+v, %v", got, err)
		}
	})
	t.Run("structured", func(t *testing.T) {
		s, _, _ := fresh(t)
		got, err := s.Search(ctx, Query{Street: "Carrer Major", City: "Encamp", Language: "fr"})
		if err != nil || got[0].Kind != KindStreet || got[0].Name != "Carrer Major" {
			t.Errorf("got %+v, %v", got, err)
		}
	})
	t.Run("limit and countries", func(t *testing.T) {
		s, _, _ := fresh(t)
		got, err := s.Search(ctx, Query{Text: "Encamp", Language: "fr", Limit: 1})
		if err != nil || len(got) != 1 {
			t.Errorf("one at most: got %d, %v", len(got), err)
		}
		if got, err := s.Search(ctx, Query{Text: "Encamp", Language: "fr", Countries: []string{"JP"}}); !errors.Is(err, ErrNotFound) {
			t.Errorf("only in Japan: got %v, %v", got, err)
		}
	})
	t.Run("reverse", func(t *testing.T) {
		s, _, _ := fresh(t)
		at := orb.Point{1.58368, 42.53598}
		got, err := s.Reverse(ctx, at, "fr")
		if err != nil || Distance(got[0].Point, at) > 500 || !strings.Contains(got[0].Label, "Encamp") {
			t.Errorf("got %+v, %v", got, err)
		}
		if got, err := s.Reverse(ctx, orb.Point{0, 0}, "fr"); !errors.Is(err, ErrNotFound) {
			t.Errorf("in the ocean: got %v, %v", got, err)
		}
		if _, err := s.Reverse(ctx, orb.Point{0, 100}, "fr"); !errors.Is(err, ErrBadQuery) {
			t.Errorf("off the globe: got %v", err)
		}
	})
	t.Run("nothing", func(t *testing.T) {
		s, o, c := fresh(t)
		for range 3 {
			if got, err := s.Search(ctx, Query{Text: "zzzznothing"}); !errors.Is(err, ErrNotFound) {
				t.Errorf("got %v, %v", got, err)
			}
		}
		if n := o.asked.Load(); n != 1 {
			t.Errorf("asked %d times: a miss is remembered", n)
		}
		c.advance(25 * time.Hour)
		s.Search(ctx, Query{Text: "zzzznothing"})
		if n := o.asked.Load(); n != 2 {
			t.Errorf("asked %d times: a miss is forgotten after a day", n)
		}
	})
	t.Run("hostile", func(t *testing.T) {
		s, _, _ := fresh(t)
		for _, text := range []string{"", "---", "x", "🏡", "\x00\x01", "\u202eمرسيليا", `"' OR 1=1; --`, "%%%", strings.Repeat("a", 10000), strings.Repeat("a b ", 70),
			"[pub] 42,1", "q=x&limit=9999"} {
			_, err := s.Search(ctx, Query{Text: text, Language: "fr"})
			if err != nil && !errors.Is(err, ErrNotFound) && !errors.Is(err, ErrBadQuery) {
				t.Errorf("%.20q: %v", text, err)
			}
		}
		if err := s.Health(ctx); err != nil {
			t.Errorf("after hostile texts: %v", err)
		}
	})
	t.Run("timeout", func(t *testing.T) {
		s, o, _ := fresh(t)
		s.timeout = time.Second
		o.delay.Store(int64(10 * time.Minute))
		short, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
		defer cancel()
		start := time.Now()
		if _, err := s.Search(short, Query{Text: "Encamp"}); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) > 2*time.Minute {
			t.Errorf("the caller's deadline: got %v after %v", err, time.Since(start))
		}
		if _, err := s.Search(ctx, Query{Text: "Encamp"}); !errors.Is(err, ErrUnavailable) || time.Since(start) > 2*time.Minute {
			t.Errorf("the client's own: got %v after %v", err, time.Since(start))
		}
	})
	t.Run("restart", func(t *testing.T) {
		s, o, c := fresh(t)
		if _, err := s.Search(ctx, Query{Text: "Encamp", Language: "fr"}); err != nil {
			t.Fatal(err)
		}
		o.stop()
		for range 2 {
			if _, err := s.Search(ctx, Query{Street: "Carrer Major", City: "Encamp", Language: "fr"}); !errors.Is(err, ErrUnavailable) {
				t.Errorf("stopped: got %v", err)
			}
		}
		if err := s.Health(ctx); !errors.Is(err, ErrUnavailable) {
			t.Errorf("stopped: health is %v", err)
		}
		// What was answered before still is, even long after.
		c.advance(61 * 24 * time.Hour)
		if _, err := s.Search(ctx, Query{Text: "Encamp", Language: "fr"}); err != nil {
			t.Errorf("stopped: an old answer is better than none: %v", err)
		}
		o.start()
		err := errors.New("not asked")
		// It takes two seconds at most, in which this machine may be at something else.
		for deadline := time.Now().Add(2 * time.Minute); err != nil && time.Now().Before(deadline); err = s.Health(ctx) {
			time.Sleep(50 * time.Millisecond)
			c.advance(2 * time.Minute)
		}
		if err != nil {
			t.Errorf("back: health is %v", err)
		}
		if got, err := s.Search(ctx, Query{Street: "Carrer Major", City: "Encamp", Language: "fr"}); err != nil || got[0].Name != "Carrer Major" {
			t.Errorf("back: got %v, %v", got, err)
		}
	})
	t.Run("locate", func(t *testing.T) {
		s, o, c := fresh(t)
		l := NewLocator(france(), s)
		at, err := l.Locate(ctx, Address{Street: "Carrer Major", City: "Encamp"}, "fr")
		if err != nil || at.Precision != PrecisionStreet || at.Approximate || at.Retry {
			t.Errorf("a street: got %+v, %v", at, err)
		}
		at, err = l.Locate(ctx, Address{Street: "Carrer Inexistent de Res 99", City: "Encamp"}, "fr")
		if err != nil || at.Precision != PrecisionTown || !at.Approximate || at.Retry || Distance(at.Point, encamp) > 6000 {
			t.Errorf("an unknown street: got %+v, %v", at, err)
		}
		o.stop()
		at, err = l.Locate(ctx, Address{Street: "Carrer Nou", City: "Encamp"}, "fr")
		if err != nil || !at.Approximate || !at.Retry {
			t.Errorf("server stopped: got %+v, %v", at, err)
		}
		if _, err = l.Locate(ctx, Address{Street: "Carrer Nou", City: "Zzzznothing"}, "fr"); !errors.Is(err, ErrUnavailable) {
			t.Errorf("server stopped, unknown town: got %v", err)
		}
		o.start()
		c.advance(2 * time.Minute)
		if _, err = l.Locate(ctx, Address{Street: "Carrer Nou", City: "Zzzznothing"}, "fr"); !errors.Is(err, ErrNotFound) {
			t.Errorf("unknown town: got %v", err)
		}
	})
}
