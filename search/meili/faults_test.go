package meili_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"archipel/directory"
	"archipel/search"
	"archipel/search/meili"
	"archipel/search/meili/meilitest"
	"archipel/search/searchtest"
)

func TestOpenRefusesNonsense(t *testing.T) {
	for _, url := range []string{"", "localhost:7700", "ftp://example.org"} {
		if _, err := meili.Open(meili.Options{URL: url}); err == nil || !strings.Contains(err.Error(), "http") {
			t.Errorf("open %q: got %v, want an error that says what a URL is", url, err)
		}
	}
}

type fixture struct {
	server *meilitest.Server
	log    *searchtest.Log
	index  *meili.Index
}

func filled(t *testing.T, change func(*meili.Options)) *fixture {
	t.Helper()
	f := &fixture{server: meilitest.New(t, "key"), log: searchtest.NewLog("faults")}
	f.log.Put(searchtest.Fixture()...)
	o := options(t, f.server.URL, "key", "faults", f.log, search.Builder{Taxonomy: searchtest.Taxonomy{}, Zoner: searchtest.Zoner{}})
	if change != nil {
		change(&o)
	}
	x, err := meili.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = x.Close() })
	f.index = x
	searchtest.WaitReady(t, x, 39)
	return f
}

// total asks until there is an answer: where a server counts as away after a fifth of a second, a busy machine is now and then.
func (f *fixture) total(t *testing.T, text string) int {
	t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(10 * time.Millisecond) {
		res, err := f.index.Search(t.Context(), search.Query{Text: text})
		if err == nil {
			return res.Total
		}
		if !errors.Is(err, search.ErrUnavailable) || time.Now().After(deadline) {
			t.Fatalf("search %q: %v", text, err)
		}
	}
}

func entry(name string) directory.Entry {
	return directory.Entry{ID: searchtest.ID(name), Kind: directory.Place, Name: name, Status: directory.Published, Updated: searchtest.Day}
}

// TestServerAway breaks the server in many ways: searches fail at once with a typed error, nothing that is written
// meanwhile is lost, and everything goes on by itself when it is back.
func TestServerAway(t *testing.T) {
	for name, fault := range map[string]meilitest.Faults{
		"Connections": {Away: true},
		"Gateway":     {Status: 502},
		"Overloaded":  {Status: 503},
		"Hanging":     {Slow: time.Hour},
		"Forbidden": {Refuse: func(*http.Request) *meilitest.Error {
			return &meilitest.Error{Status: 403, Message: "The provided API key is invalid.", Code: "invalid_api_key", Type: "auth"}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			f := filled(t, func(o *meili.Options) { o.Timeout = 200 * time.Millisecond })
			f.server.Break(fault)
			_, err := f.index.Search(t.Context(), search.Query{Text: "atelier"})
			if !errors.Is(err, search.ErrUnavailable) {
				t.Fatalf("search: got %v, want %v", err, search.ErrUnavailable)
			}
			before := f.server.Came(http.MethodPost)
			for range 20 {
				if _, err := f.index.Search(t.Context(), search.Query{Text: "atelier"}); !errors.Is(err, search.ErrUnavailable) {
					t.Fatalf("search again: got %v, want %v", err, search.ErrUnavailable)
				}
				if _, err := f.index.IDs(t.Context(), search.Query{}); !errors.Is(err, search.ErrUnavailable) {
					t.Fatalf("ids: got %v, want %v", err, search.ErrUnavailable)
				}
				if _, err := f.index.Complete(t.Context(), search.Completion{Text: "a"}); !errors.Is(err, search.ErrUnavailable) {
					t.Fatalf("complete: got %v, want %v", err, search.ErrUnavailable)
				}
			}
			if asked := f.server.Came(http.MethodPost) - before; asked > 10 {
				t.Errorf("60 calls asked a server that is away %d times: a page cannot wait for that", asked)
			}
			if st := f.index.Status(t.Context()); !errors.Is(st.Err, search.ErrUnavailable) {
				t.Errorf("status: got %+v, want %v", st, search.ErrUnavailable)
			}
			changes := f.log.Put(entry("Écrit pendant la panne"))
			if err := f.index.Consume(t.Context(), changes); !errors.Is(err, search.ErrUnavailable) {
				t.Errorf("consume: got %v, want %v", err, search.ErrUnavailable)
			}
			f.server.Break(meilitest.Faults{})
			searchtest.WaitReady(t, f.index, 40) // without another Consume
			if got := f.total(t, "écrit pendant la panne"); got != 1 {
				t.Errorf("written while the server was away: found %d, want 1", got)
			}
			searchtest.Consume(t, f.index, changes)
			if got := f.total(t, "écrit pendant la panne"); got != 1 {
				t.Errorf("consumed again: found %d, want 1", got)
			}
		})
	}
}

// TestSilence has the server take one request of the work in the background and never answer it: the index comes back
// all the same.
func TestSilence(t *testing.T) {
	for _, silent := range []string{"/stats", "/documents/", "/documents", "/tasks/"} {
		t.Run(strings.Trim(silent, "/"), func(t *testing.T) {
			f := filled(t, func(o *meili.Options) { o.Timeout = 200 * time.Millisecond })
			var asked, away atomic.Bool
			away.Store(true)
			f.server.Break(meilitest.Faults{Refuse: func(r *http.Request) *meilitest.Error {
				if away.Load() {
					return &meilitest.Error{Status: 503, Message: "away", Code: "away", Type: "internal"}
				}
				matches := strings.HasSuffix(r.URL.Path, silent) || strings.HasSuffix(silent, "/") && strings.Contains(r.URL.Path, silent)
				if matches && asked.CompareAndSwap(false, true) {
					_, _ = io.Copy(io.Discard, r.Body) // so that the end of the connection is seen
					<-r.Context().Done()
				}
				return nil
			}})
			if err := f.index.Consume(t.Context(), f.log.Put(entry("Écrit dans le silence"))); !errors.Is(err, search.ErrUnavailable) {
				t.Errorf("consume: got %v, want %v", err, search.ErrUnavailable)
			}
			away.Store(false)
			searchtest.WaitReady(t, f.index, 40)
			if !asked.Load() {
				t.Errorf("nothing was asked at %s", silent)
			}
			if got := f.total(t, "écrit dans le silence"); got != 1 {
				t.Errorf("written while the server was silent: found %d, want 1", got)
			}
		})
	}
}

// TestSlowQuery has one search run into its deadline: the next one is answered. See TestOneSlowQuery for those in between.
func TestSlowQuery(t *testing.T) {
	f := filled(t, func(o *meili.Options) { o.Timeout = 300 * time.Millisecond })
	var asked atomic.Bool
	f.server.Break(meilitest.Faults{Refuse: func(r *http.Request) *meilitest.Error {
		if r.Method == http.MethodPost && asked.CompareAndSwap(false, true) {
			_, _ = io.Copy(io.Discard, r.Body) // so that the end of the connection is seen
			<-r.Context().Done()
		}
		return nil
	}})
	if _, err := f.index.Search(t.Context(), search.Query{Text: "lent"}); !errors.Is(err, search.ErrUnavailable) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("search: got %v, want a deadline", err)
	}
	if got := f.total(t, "loos en gohelle"); got != 1 {
		t.Errorf("the search after it: found %d, want 1", got)
	}
}

// TestGivenUp has people leave before they are answered, which says nothing of the server.
func TestGivenUp(t *testing.T) {
	f := filled(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range 10 {
		if _, err := f.index.Search(ctx, search.Query{Text: "parti"}); !errors.Is(err, context.Canceled) {
			t.Errorf("search of somebody who went away: got %v", err)
		}
	}
	if st := f.index.Status(t.Context()); st.Err != nil {
		t.Errorf("status: %+v", st)
	}
}

// TestSourceAway has the store fail while the server is well: what is indexed is found all the same.
func TestSourceAway(t *testing.T) {
	f := filled(t, nil)
	f.log.Break(directory.ErrUnavailable)
	f.server.Break(meilitest.Faults{Status: 503})
	if _, err := f.index.Search(t.Context(), search.Query{}); !errors.Is(err, search.ErrUnavailable) {
		t.Errorf("search: got %v, want %v", err, search.ErrUnavailable)
	}
	f.server.Break(meilitest.Faults{})
	searchtest.WaitReady(t, f.index, 39)
	if got := f.total(t, ""); got != 35 {
		t.Errorf("found %d, want 35", got)
	}
}

// TestServerAwayAtFirst opens the index before there is a server.
func TestServerAwayAtFirst(t *testing.T) {
	s := meilitest.New(t, "")
	s.Break(meilitest.Faults{Away: true})
	log := searchtest.NewLog("late")
	log.Put(searchtest.Fixture()...)
	x, err := meili.Open(options(t, s.URL, "", "late", log, search.Builder{}))
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	if _, err := x.Search(t.Context(), search.Query{}); !errors.Is(err, search.ErrUnavailable) {
		t.Errorf("search: got %v, want %v", err, search.ErrUnavailable)
	}
	s.Break(meilitest.Faults{})
	searchtest.WaitReady(t, x, 39)
}

// TestFailedTask has the server accept documents and then fail to index them.
func TestFailedTask(t *testing.T) {
	f := filled(t, nil)
	failed := 0
	f.server.Break(meilitest.Faults{FailTask: func(kind string) *meilitest.Error {
		if kind == "documentAdditionOrUpdate" && failed < 3 {
			failed++
			return &meilitest.Error{Message: "No space left on device.", Code: "no_space_left_on_device", Type: "system"}
		}
		return nil
	}})
	changes := f.log.Put(entry("Tâche manquée"))
	if err := f.index.Consume(t.Context(), changes); !errors.Is(err, search.ErrUnavailable) || !strings.Contains(err.Error(), "no_space_left_on_device") {
		t.Errorf("consume: got %v, want what the task says", err)
	}
	searchtest.WaitReady(t, f.index, 40)
	if got := f.total(t, "manquée"); got != 1 {
		t.Errorf("after the failures: found %d, want 1", got)
	}
	if failed != 3 {
		t.Errorf("%d tasks failed, want 3", failed)
	}
}

// TestTaskDeadline has the server never finish.
func TestTaskDeadline(t *testing.T) {
	f := filled(t, func(o *meili.Options) { o.TaskTimeout = time.Second })
	f.server.Break(meilitest.Faults{TaskTime: time.Hour})
	err := f.index.Consume(t.Context(), f.log.Put(entry("Tâche lente")))
	if !errors.Is(err, search.ErrUnavailable) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("consume: got %v, want a deadline", err)
	}
	f.server.Break(meilitest.Faults{})
	searchtest.WaitReady(t, f.index, 40)
}

// TestLostOnServer loses the index while both run, as when the server's disk is replaced.
func TestLostOnServer(t *testing.T) {
	f := filled(t, nil)
	f.server.Wipe()
	before := f.server.Calls("POST swap-indexes")
	// It says so, unless it has found out by itself by now and built another one.
	if _, err := f.index.Search(t.Context(), search.Query{Text: "atelier"}); !errors.Is(err, search.ErrUnavailable) && (err != nil || f.server.Calls("POST swap-indexes") == before) {
		t.Errorf("search: got %v, want %v", err, search.ErrUnavailable)
	}
	searchtest.WaitReady(t, f.index, 39)
	if got := f.total(t, ""); got != 35 {
		t.Errorf("found %d, want 35", got)
	}
	if m := f.server.Indexes(); len(m) != 1 || m["faults"] != 36 {
		t.Errorf("the server holds %v, want one index of 35 entries and a mark", m)
	}
}

// TestSettingsChange opens an index that was built with other settings.
func TestSettingsChange(t *testing.T) {
	f := filled(t, nil)
	if err := f.index.Close(); err != nil {
		t.Fatal(err)
	}
	built := f.server.Calls("POST swap-indexes")
	for i, languages := range [][]string{{"fr", "en"}, {"fr", "en", "de"}} {
		o := options(t, f.server.URL, "key", "faults", f.log, search.Builder{Taxonomy: searchtest.Taxonomy{}, Zoner: searchtest.Zoner{}})
		o.Languages = languages
		x, err := meili.Open(o)
		if err != nil {
			t.Fatal(err)
		}
		searchtest.WaitReady(t, x, 39)
		if got := f.server.Calls("POST swap-indexes") - built; got != i {
			t.Errorf("languages %q: built %d times since, want %d", languages, got, i)
		}
		if err := x.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestFailedReindex leaves the index in use alone, and nothing behind.
func TestFailedReindex(t *testing.T) {
	for _, kind := range []string{"indexCreation", "settingsUpdate", "documentAdditionOrUpdate", "indexSwap"} {
		t.Run(kind, func(t *testing.T) {
			f := filled(t, nil)
			f.server.Break(meilitest.Faults{FailTask: func(k string) *meilitest.Error {
				if k == kind {
					return &meilitest.Error{Message: "refused", Code: "internal", Type: "internal"}
				}
				return nil
			}})
			if err := f.index.Reindex(t.Context()); err == nil || !strings.Contains(err.Error(), "refused") {
				t.Errorf("reindex: got %v, want what the task says", err)
			}
			f.server.Break(meilitest.Faults{})
			if got := f.total(t, ""); got != 35 {
				t.Errorf("found %d, want 35", got)
			}
			for deadline := time.Now().Add(2 * time.Minute); len(f.server.Indexes()) != 1; time.Sleep(10 * time.Millisecond) {
				if time.Now().After(deadline) {
					t.Fatalf("the server holds %v", f.server.Indexes())
				}
			}
		})
	}
}

// TestRequests counts what a search costs.
func TestRequests(t *testing.T) {
	f := filled(t, nil)
	before := f.server.Calls("POST multi-search")
	for i := range 5 {
		if _, err := f.index.Search(t.Context(), search.Query{Text: "atelier", Facets: true, Highlight: true, Kinds: []directory.Kind{directory.Place}, Tags: []string{"vélo"}, Limit: 1 + i}); err != nil {
			t.Fatal(err)
		}
	}
	if got := f.server.Calls("POST multi-search") - before; got != 5 {
		t.Errorf("5 searches took %d requests, want 5", got)
	}
}

// TestQuoting writes values that look like filters.
func TestQuoting(t *testing.T) {
	f := filled(t, nil)
	for _, tag := range []string{`"`, `\`, `\"`, `a" OR kind EXISTS OR tags = "`, `'] OR kind EXISTS`, "x, y", "]", "NULL"} {
		e := entry("Étiquette " + fmt.Sprint(len(tag)) + tag)
		e.Categories, e.Tags = []string{tag}, []string{tag + "z"}
		searchtest.Consume(t, f.index, f.log.Put(e))
		res, err := f.index.Search(t.Context(), search.Query{Categories: []string{tag}})
		if err != nil || res.Total != 1 {
			t.Errorf("category %q: got %+v, %v; want one", tag, res, err)
		}
		if res, err = f.index.Search(t.Context(), search.Query{Tags: []string{tag + "z"}}); err != nil || res.Total < 1 || res.Total > 8 {
			t.Errorf("tag %q: got %+v, %v", tag, res, err)
		}
	}
}

// TestNameAsTyped has a name that differs from another one by a small word.
func TestNameAsTyped(t *testing.T) {
	f := filled(t, nil)
	searchtest.Consume(t, f.index, f.log.Put(entry("Atelier 9")))
	for text, want := range map[string]string{"l'atelier du 9": "L'Atelier du 9", "atelier 9": "Atelier 9"} {
		for _, limit := range []int{5, 500} {
			res, err := f.index.Search(t.Context(), search.Query{Text: text, Lang: "fr", Limit: limit})
			if err != nil || res.Total < 2 || res.Hits[0].ID != searchtest.ID(want) {
				t.Errorf("search %q: got %+v, %v; want %q first", text, res, err, want)
			}
		}
	}
}
