package islands_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"archipel/directory"
	"archipel/directory/sqlitestore"
	"archipel/directory/taxonomy"
	"archipel/federation"
	"archipel/federation/islands"

	"github.com/paulmach/orb"
)

// isle is one directory of ours, on loopback.
type isle struct {
	t        testing.TB
	host     string
	base     string
	dir      string
	gate     *gate
	d        *directory.Directory
	store    directory.Store
	net      *federation.Service
	s        *islands.Service
	mirrors  *islands.Mirrors
	words    *taxonomy.Taxonomy
	clock    *clock
	bytes    atomic.Int64 // of answers to other islands
	asked    atomic.Int64
	stop     func()
	intercep func(w http.ResponseWriter, r *http.Request) bool
	mu       sync.Mutex
	letters  *letters
	quiet    bool                   // it hears, and does nothing by itself
	zoned    atomic.Pointer[func()] // called when it is asked in which zones an entry lies
	licence  atomic.Pointer[string] // of the site; nil: ODbL-1.0
	guard    func(directory.Store) directory.Store
}

// clock can be set ahead.
type clock struct{ ahead atomic.Int64 }

func (c *clock) now() time.Time          { return time.Now().Add(time.Duration(c.ahead.Load())) }
func (c *clock) forward(d time.Duration) { c.ahead.Add(int64(d)) }

func newIsle(t testing.TB, c *clock) *isle {
	t.Helper()
	g := newGate(t)
	host := g.ln.Addr().String()
	in := &isle{t: t, host: host, base: "http://" + host, dir: t.TempDir(), gate: g, words: taxonomy.Default(), clock: c, letters: &letters{}}
	if c == nil {
		in.clock = &clock{}
	}
	in.open()
	return in
}

// counter counts what is answered.
type counter struct {
	http.ResponseWriter
	n *atomic.Int64
}

func (c counter) Write(b []byte) (int, error) {
	c.n.Add(int64(len(b)))
	return c.ResponseWriter.Write(b)
}

func (in *isle) open() {
	t := in.t
	t.Helper()
	opened, err := sqlitestore.Open(context.Background(), in.dir)
	if err != nil {
		t.Fatal(err)
	}
	var store directory.Store = opened
	if in.guard != nil {
		store = in.guard(store)
	}
	published := &federation.Published{}
	in.store, in.mirrors = store, &islands.Mirrors{}
	log := slog.New(slog.DiscardHandler)
	if os.Getenv("TEST_LOG") != "" {
		log = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug})).With("on", in.host)
	}
	rules := directory.Rules{Category: in.words.Valid}
	in.d, err = directory.Open(context.Background(), directory.Options{
		Store: store, Views: []directory.View{published, in.mirrors}, Poll: 20 * time.Millisecond, Log: log,
		Rules: func() directory.Rules { return rules },
	})
	if err != nil {
		t.Fatal(err)
	}
	in.net, err = federation.New(context.Background(), federation.Options{
		Directory: in.d, Published: published, PublicURL: in.base, Version: "test", Log: log, Now: in.clock.now,
		Site: func() federation.Site { return federation.Site{Name: "Île " + in.host, Lang: "fr"} },
	})
	if err != nil {
		t.Fatal(err)
	}
	in.s, err = islands.New(context.Background(), islands.Options{
		Network: in.net, Directory: in.d, Mirrors: in.mirrors, Taxonomy: in.words, PublicURL: in.base, Version: "test", Log: log, Now: in.clock.now,
		Site: func() islands.Site {
			site := islands.Site{Name: "Île " + in.host, Languages: []string{"fr"}, Licence: "ODbL-1.0"}
			if licence := in.licence.Load(); licence != nil {
				site.Licence = *licence
			}
			return site
		},
		Zones: func(e *directory.Entry) []string {
			if f := in.zoned.Load(); f != nil {
				(*f)()
			}
			return zones(e)
		}, Look: 50 * time.Millisecond, Correct: in.letters.correct, Unfit: in.letters.unfit, Answered: in.letters.answered,
	})
	if err != nil {
		t.Fatal(err)
	}
	server := &httptest.Server{Listener: in.gate.open(), Config: &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		in.asked.Add(1)
		in.mu.Lock()
		over := in.intercep
		in.mu.Unlock()
		if over != nil && over(w, r) {
			return
		}
		in.net.ServeHTTP(counter{w, &in.bytes}, r)
	})}}
	server.Start()
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { in.d.Run(ctx) })
	wg.Go(func() { in.net.Run(ctx) })
	if !in.quiet {
		wg.Go(func() { in.s.Run(ctx) })
	}
	var once sync.Once
	in.stop = func() {
		once.Do(func() {
			cancel()
			server.CloseClientConnections()
			server.Close()
			wg.Wait()
			if err := opened.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	t.Cleanup(in.stop)
}

// zones knows the Loire, and what is west of it.
func zones(e *directory.Entry) []string {
	if len(e.Sites) == 0 {
		return nil
	}
	if e.Sites[0][0] >= 3.7 {
		return []string{"FR-42", "FR"}
	}
	return []string{"FR-63", "FR"}
}

// farm is an entry of the Loire that may be passed on.
func farm(name string) directory.Entry {
	return directory.Entry{
		Kind: directory.Place, Name: name, Lang: "fr", Categories: []string{"ferme"}, Sites: []orb.Point{{4.3, 45.4}}, Licence: "ODbL-1.0",
		Summary: "Légumes de saison.", Private: &directory.Private{Email: "secret@example.org", Note: "à ne pas dire"},
	}
}

func (in *isle) put(e directory.Entry) directory.Entry {
	in.t.Helper()
	e, err := in.d.Put(context.Background(), "test", e)
	if err != nil {
		in.t.Fatal(err)
	}
	return e
}

func (in *isle) entry(id directory.ID) directory.Entry {
	in.t.Helper()
	e, err := in.d.Entry(context.Background(), id)
	if err != nil {
		return directory.Entry{}
	}
	return e
}

func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("waited in vain: %s", what)
}

func (in *isle) with(other *isle) islands.Agreement {
	in.t.Helper()
	a, err := islands.With(context.Background(), in.store, other.host)
	if err != nil {
		in.t.Fatal(err)
	}
	return a
}

// follow lets in follow other for a scope, and waits until both know.
func (in *isle) follow(other *isle, scope islands.Scope, policy islands.Policy) {
	in.t.Helper()
	ctx := context.Background()
	if _, err := islands.Ask(ctx, in.store, other.base, scope, policy); err != nil {
		in.t.Fatal(err)
	}
	eventually(in.t, "the wish arrives", func() bool { out := other.with(in).Out; return out.State == islands.Asked || out.Active() })
	if _, err := islands.Accept(ctx, other.store, in.host, nil, true); err != nil {
		in.t.Fatal(err)
	}
	eventually(in.t, "the answer arrives", func() bool { a := in.with(other).In; return a.State == islands.Accepted })
}

// visible is the names of the public entries that belong to a host, sorted by id.
func (in *isle) visible(origin string) map[directory.ID]directory.Entry {
	in.t.Helper()
	all := map[directory.ID]directory.Entry{}
	err := in.d.Scan(context.Background(), func(entries []directory.Entry) error {
		for _, e := range entries {
			if e.Public() && e.Origin == origin {
				all[e.ID] = e
			}
		}
		return nil
	})
	if err != nil {
		in.t.Fatal(err)
	}
	return all
}

func (in *isle) names(origin string) string {
	var names []string
	for _, e := range in.visible(origin) {
		names = append(names, e.Name)
	}
	return fmt.Sprint(sorted(names))
}

func sorted(list []string) []string {
	for i := range list {
		for j := i + 1; j < len(list); j++ {
			if strings.Compare(list[j], list[i]) < 0 {
				list[i], list[j] = list[j], list[i]
			}
		}
	}
	return list
}

// TestOneFollowsTheOther is the whole way: asked, accepted, everything that there is, then each change.
func TestOneFollowsTheOther(t *testing.T) {
	a, b := newIsle(t, nil), newIsle(t, nil)
	first, hidden := b.put(farm("Ferme des Bruyères")), farm("Pas encore")
	hidden.Status = directory.Draft
	b.put(hidden)
	d, err := a.s.Find(t.Context(), b.base)
	if err != nil || d.Name != "Île "+b.host || d.Entries["place"] != 1 || d.Licence != "ODbL-1.0" || len(d.Categories) == 0 || d.Territory.Box == nil {
		t.Fatalf("Find = %+v, %v", d, err)
	}
	a.follow(b, islands.Scope{}, islands.Show)
	eventually(t, "what there was arrives", func() bool { return len(a.visible(b.host)) == 1 })
	got := a.entry(first.ID)
	if got.Name != first.Name || got.Origin != b.host || got.Licence != "ODbL-1.0" || got.Source == nil || got.Source.Name != "Île "+b.host || got.Private.Email != "" || got.Private.Note != "" || got.Categories[0] != "ferme" {
		t.Errorf("it arrived as %+v with %+v", got, got.Private)
	}
	if got.Private.Mirror.Version != first.Version || got.Private.Mirror.Via[0] != b.host {
		t.Errorf("it is known as %+v", got.Private.Mirror)
	}

	second := b.put(farm("Jardin du Pilat"))
	eventually(t, "what is new arrives", func() bool { return a.names(b.host) == "[Ferme des Bruyères Jardin du Pilat]" })
	second.Name = "Jardins du Pilat"
	second = b.put(second)
	eventually(t, "a change arrives", func() bool { return a.entry(second.ID).Name == "Jardins du Pilat" })
	second.Status = directory.Removed
	b.put(second)
	eventually(t, "a removal arrives", func() bool { return a.entry(second.ID).Status == directory.Removed })
	if a.names(b.host) != "[Ferme des Bruyères]" || b.names(a.host) != "[]" {
		t.Errorf("a shows %s", a.names(b.host))
	}
	if history, err := a.d.History(t.Context(), first.ID, 0, 10); err != nil || history[0].Author != islands.Author(b.host) {
		t.Errorf("history: %+v, %v", history, err)
	}
}
