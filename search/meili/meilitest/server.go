// Package meilitest serves Meilisearch's HTTP API as its documentation describes it, from memory, for tests: indexes,
// settings, documents, asynchronous tasks that may fail, search with filters, facets and sorting, swapped indexes, and
// errors with their documented codes. Its words are matched after the documented rules (typos, prefixes, neighbours
// written as one word, stop words, synonyms), which is enough for small directories and nothing else.
package meilitest

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// Server is a stand-in of a Meilisearch server. It starts its tasks in the order in which they came.
type Server struct {
	URL string
	key string

	mu      sync.Mutex
	indexes map[string]*index
	tasks   []*task
	faults  Faults
	queue   chan func()
	calls   map[string]int
	came    map[string]int
	mended  chan struct{} // closed by the next Break
	closing chan struct{}
}

// Faults is what goes wrong. The zero value is a healthy server.
type Faults struct {
	Away     bool                       // connections are cut
	Status   int                        // every request is answered with this status
	Slow     time.Duration              // before every answer
	TaskTime time.Duration              // before every task, or until the next Break
	FailTask func(kind string) *Error   // why a task of this kind fails, nil when it does not
	Refuse   func(*http.Request) *Error // why a request is refused, nil when it is not
}

// Error is an error as the API has it.
type Error struct {
	Status  int    `json:"-"`
	Message string `json:"message"`
	Code    string `json:"code"`
	Type    string `json:"type"`
	Link    string `json:"link"`
}

func invalid(code, format string, args ...any) *Error {
	return &Error{Status: 400, Message: fmt.Sprintf(format, args...), Code: code, Type: "invalid_request", Link: "https://docs.meilisearch.com/errors#" + code}
}

func notFound(code, format string, args ...any) *Error {
	e := invalid(code, format, args...)
	e.Status = 404
	return e
}

type task struct {
	UID        int       `json:"uid"`
	BatchUID   int       `json:"batchUid"`
	IndexUID   *string   `json:"indexUid"`
	Status     string    `json:"status"`
	Type       string    `json:"type"`
	Details    any       `json:"details"`
	Error      *Error    `json:"error"`
	CanceledBy *int      `json:"canceledBy"`
	Duration   *string   `json:"duration"`
	EnqueuedAt time.Time `json:"enqueuedAt"`
	StartedAt  time.Time `json:"startedAt"`
	FinishedAt time.Time `json:"finishedAt"`
}

// New starts a server on a loopback port until the test ends. A key, unless empty, is asked for.
func New(t testing.TB, key string) *Server {
	s := &Server{key: key, indexes: map[string]*index{}, queue: make(chan func(), 10_000), calls: map[string]int{}, came: map[string]int{}, mended: make(chan struct{}), closing: make(chan struct{})}
	h := httptest.NewServer(s)
	s.URL = h.URL
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case run := <-s.queue:
				run()
			case <-s.closing:
				return
			}
		}
	})
	t.Cleanup(func() {
		close(s.closing)
		h.CloseClientConnections()
		h.Close()
		wg.Wait()
	})
	return s
}

// Break makes things go wrong from now on; Break(Faults{}) repairs them.
func (s *Server) Break(f Faults) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = f
	close(s.mended)
	s.mended = make(chan struct{})
}

// Wipe loses all indexes, as a server does whose disk was replaced.
func (s *Server) Wipe() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.indexes)
}

// Indexes returns how many documents each index holds.
func (s *Server) Indexes() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := map[string]int{}
	for uid, x := range s.indexes {
		m[uid] = len(x.docs)
	}
	return m
}

// Calls returns how often each route was asked.
func (s *Server) Calls(route string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls[route]
}

// Came returns how many requests of a method came, whatever became of them.
func (s *Server) Came(method string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.came[method]
}

func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.came[r.Method]++
	f := s.faults
	s.mu.Unlock()
	if f.Slow > 0 {
		select {
		case <-time.After(f.Slow):
		case <-r.Context().Done():
		case <-s.closing:
		}
	}
	if f.Away {
		if h, ok := w.(http.Hijacker); ok {
			if c, _, err := h.Hijack(); err == nil {
				c.Close()
				return
			}
		}
	}
	if f.Status != 0 {
		w.WriteHeader(f.Status)
		return
	}
	status, body := s.answer(r, f)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if body != nil {
		_ = json.NewEncoder(w).Encode(body)
	}
}

func (s *Server) answer(r *http.Request, f Faults) (int, any) {
	fail := func(e *Error) (int, any) { return e.Status, e }
	path := strings.Trim(r.URL.Path, "/")
	if s.key != "" && path != "health" {
		switch got := r.Header.Get("Authorization"); {
		case got == "":
			return fail(&Error{401, "The Authorization header is missing. It must use the bearer authorization method.", "missing_authorization_header", "auth", ""})
		case got != "Bearer "+s.key:
			return fail(&Error{403, "The provided API key is invalid.", "invalid_api_key", "auth", ""})
		}
	}
	if f.Refuse != nil {
		if e := f.Refuse(r); e != nil {
			return fail(e)
		}
	}
	var body []byte
	if r.Method == http.MethodPost || r.Method == http.MethodPatch || r.Method == http.MethodPut {
		if !strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") {
			e := invalid("invalid_content_type", "The Content-Type %q is invalid. Accepted values for the Content-Type header are: application/json", r.Header.Get("Content-Type"))
			e.Status = 415
			return fail(e)
		}
		var err error
		if body, err = io.ReadAll(r.Body); err != nil || !json.Valid(body) {
			return fail(invalid("malformed_payload", "The json payload provided is malformed."))
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	p := strings.Split(path, "/")
	route := r.Method + " " + path
	if p[0] == "indexes" && len(p) > 1 {
		route = r.Method + " indexes/*" + strings.TrimPrefix(path, "indexes/"+p[1])
		if len(p) > 3 && p[2] == "documents" && p[3] != "delete-batch" {
			route = r.Method + " indexes/*/documents/*"
		}
	}
	s.calls[route]++
	switch {
	case route == "GET health":
		return 200, map[string]string{"status": "available"}
	case route == "GET version":
		return 200, map[string]string{"commitSha": "unknown", "commitDate": "unknown", "pkgVersion": "1.50.0"}
	case r.Method == "GET" && p[0] == "tasks" && len(p) == 2:
		n, err := strconv.Atoi(p[1])
		if err != nil || n < 0 || n >= len(s.tasks) {
			return fail(notFound("task_not_found", "Task `%s` not found.", p[1]))
		}
		copied := *s.tasks[n]
		return 200, copied
	case route == "POST indexes":
		return s.createIndex(body)
	case route == "POST swap-indexes":
		return s.swap(body)
	case route == "POST multi-search":
		return s.multiSearch(body)
	}
	if p[0] != "indexes" || len(p) < 2 {
		return fail(notFound("not_found", "The route %s does not exist.", r.URL.Path))
	}
	uid := p[1]
	if !validUID.MatchString(uid) {
		return fail(invalid("invalid_index_uid", "`%s` is not a valid index uid.", uid))
	}
	x := s.indexes[uid]
	missing := notFound("index_not_found", "Index `%s` not found.", uid)
	switch route {
	case "GET indexes/*", "GET indexes/*/stats", "GET indexes/*/settings", "POST indexes/*/search", "GET indexes/*/documents/*":
		if x == nil {
			return fail(missing)
		}
	}
	switch route {
	case "GET indexes/*":
		return 200, map[string]any{"uid": uid, "primaryKey": "id", "createdAt": x.created, "updatedAt": x.created}
	case "GET indexes/*/stats":
		return 200, map[string]any{"numberOfDocuments": len(x.docs), "isIndexing": false, "fieldDistribution": map[string]int{}}
	case "GET indexes/*/settings":
		return 200, x.settings
	case "DELETE indexes/*":
		return s.enqueue(&uid, "indexDeletion", nil, func() *Error {
			if s.indexes[uid] == nil {
				return missing
			}
			delete(s.indexes, uid)
			return nil
		})
	case "PATCH indexes/*/settings":
		set, e := parseSettings(body)
		if e != nil {
			return fail(e)
		}
		return s.enqueue(&uid, "settingsUpdate", set, func() *Error {
			s.make(uid).apply(set)
			return nil
		})
	case "POST indexes/*/documents":
		var docs []map[string]any
		if err := json.Unmarshal(body, &docs); err != nil {
			return fail(invalid("malformed_payload", "The json payload provided is malformed: %v.", err))
		}
		return s.enqueue(&uid, "documentAdditionOrUpdate", map[string]int{"receivedDocuments": len(docs)}, func() *Error { return s.make(uid).add(docs) })
	case "POST indexes/*/documents/delete-batch":
		var ids []any
		if err := json.Unmarshal(body, &ids); err != nil {
			return fail(invalid("malformed_payload", "The json payload provided is malformed: %v.", err))
		}
		return s.enqueue(&uid, "documentDeletion", map[string]int{"providedIds": len(ids)}, func() *Error {
			x := s.indexes[uid]
			if x == nil {
				return missing
			}
			for _, id := range ids {
				delete(x.docs, fmt.Sprint(id))
			}
			return nil
		})
	case "GET indexes/*/documents/*":
		d := x.docs[p[3]]
		if d == nil {
			return fail(notFound("document_not_found", "Document `%s` not found.", p[3]))
		}
		return 200, d.raw
	case "POST indexes/*/search":
		res, e := x.search(body, uid)
		if e != nil {
			return fail(e)
		}
		return 200, res
	}
	return fail(&Error{405, "Method not allowed or unknown route.", "bad_request", "invalid_request", ""})
}

var validUID = regexp.MustCompile(`^[a-zA-Z0-9_-]{1,400}$`)

// make returns an index, creating it as adding documents or settings to a missing one does.
func (s *Server) make(uid string) *index {
	if s.indexes[uid] == nil {
		s.indexes[uid] = newIndex()
	}
	return s.indexes[uid]
}

// enqueue puts a task into the queue; run is called with s.mu held. The caller holds s.mu.
func (s *Server) enqueue(uid *string, kind string, details any, run func() *Error) (int, any) {
	t := &task{UID: len(s.tasks), IndexUID: uid, Status: "enqueued", Type: kind, Details: details, EnqueuedAt: time.Now()}
	s.tasks = append(s.tasks, t)
	summary := map[string]any{"taskUid": t.UID, "indexUid": uid, "status": t.Status, "type": kind, "enqueuedAt": t.EnqueuedAt}
	s.queue <- func() {
		s.mu.Lock()
		f, mended := s.faults, s.mended
		t.Status, t.StartedAt = "processing", time.Now()
		s.mu.Unlock()
		if f.TaskTime > 0 {
			select {
			case <-time.After(f.TaskTime):
			case <-mended:
			case <-s.closing:
			}
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		var e *Error
		if f.FailTask != nil {
			e = f.FailTask(kind)
		}
		if e == nil {
			e = run()
		}
		t.Status, t.Error = "succeeded", e
		if e != nil {
			t.Status = "failed"
		}
		t.FinishedAt = time.Now()
		d := fmt.Sprintf("PT%.6fS", t.FinishedAt.Sub(t.StartedAt).Seconds())
		t.Duration = &d
	}
	return 202, summary
}

func (s *Server) createIndex(body []byte) (int, any) {
	var q struct {
		UID        string  `json:"uid"`
		PrimaryKey *string `json:"primaryKey"`
	}
	if err := json.Unmarshal(body, &q); err != nil || q.UID == "" {
		e := invalid("missing_index_uid", "Missing field `uid`")
		return e.Status, e
	}
	if !validUID.MatchString(q.UID) {
		e := invalid("invalid_index_uid", "`%s` is not a valid index uid.", q.UID)
		return e.Status, e
	}
	return s.enqueue(&q.UID, "indexCreation", nil, func() *Error {
		if s.indexes[q.UID] != nil {
			return invalid("index_already_exists", "Index `%s` already exists.", q.UID)
		}
		s.indexes[q.UID] = newIndex()
		return nil
	})
}

func (s *Server) swap(body []byte) (int, any) {
	var swaps []struct {
		Indexes []string `json:"indexes"`
		Rename  bool     `json:"rename"`
	}
	if err := json.Unmarshal(body, &swaps); err != nil {
		e := invalid("malformed_payload", "%v", err)
		return e.Status, e
	}
	for _, w := range swaps {
		if len(w.Indexes) != 2 || w.Indexes[0] == w.Indexes[1] {
			e := invalid("invalid_swap_indexes", "Two indexes must be given for each swap. The list `%v` contains %d indexes.", w.Indexes, len(w.Indexes))
			return e.Status, e
		}
	}
	return s.enqueue(nil, "indexSwap", map[string]any{"swaps": swaps}, func() *Error {
		for _, w := range swaps {
			for _, uid := range w.Indexes {
				if s.indexes[uid] == nil {
					return notFound("index_not_found", "Index `%s` not found.", uid)
				}
			}
			a, b := w.Indexes[0], w.Indexes[1]
			s.indexes[a], s.indexes[b] = s.indexes[b], s.indexes[a]
		}
		return nil
	})
}
