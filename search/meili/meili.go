// Package meili finds entries with a Meilisearch server, 1.15 or later, through its documented HTTP API.
//
// The server holds documents and answers words; what it cannot say exactly (positions in polygons, entries with several
// sites, recurring events) is decided here, on the matches that it returns. While it is away every method fails at once
// with an error wrapping [search.ErrUnavailable], and the index finds out by itself when it is back.
package meili

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/meilisearch/meilisearch-go"

	"archipel/directory"
	"archipel/search"
)

// Options say which server to use, and how.
type Options struct {
	URL       string
	Key       string         // API key, may be empty
	Index     string         // uid of the index, default "archipel_entries"
	Languages []string       // whose stop words and locales are set, default fr and en
	Source    search.Source  // nil: the index cannot fill itself again
	Builder   search.Builder // what it knows of categories and zones
	Log       *slog.Logger   // nil: silent
	Now       func() time.Time

	Timeout     time.Duration // of a search, default 2 s
	TaskTimeout time.Duration // of one task, default 10 min
	Poll        time.Duration // how often a task and a server that is away are asked, default 50 ms and 20 times that
}

// Index is a [search.Index] on a Meilisearch server. Several processes may share it.
type Index struct {
	opt      Options
	client   meilisearch.ServiceManager
	settings *meilisearch.Settings
	version  string

	write   chan struct{} // holds a token while this process does not write
	ready   atomic.Bool   // the index has been seen to be ours and complete
	working atomic.Bool   // a new index is being built
	closed  atomic.Bool
	slow    atomic.Int32 // searches in a row that ran into their deadline

	mu      sync.Mutex
	failure error // why the server does not answer, nil when it does
	at      directory.Seq
	entries int
	behind  bool // this process could not write something

	kick chan struct{}
	stop context.CancelFunc
	done chan struct{}
}

var _ search.Index = (*Index)(nil)

// patience is how many times longer than a search any other request may take. A server that took a connection and then
// fell silent must not hold up the work in the background for ever.
const patience = 15

// Open returns an index on the server. It does not wait for the server, which may be away.
func Open(opt Options) (*Index, error) {
	if !strings.HasPrefix(opt.URL, "http://") && !strings.HasPrefix(opt.URL, "https://") {
		return nil, fmt.Errorf("meilisearch: URL %q: want http:// or https://", opt.URL)
	}
	if opt.Index == "" {
		opt.Index = "archipel_entries"
	}
	if len(opt.Languages) == 0 {
		opt.Languages = []string{"fr", "en"}
	}
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	if opt.Now == nil {
		opt.Now = time.Now
	}
	if opt.Timeout == 0 {
		opt.Timeout = 2 * time.Second
	}
	if opt.TaskTimeout == 0 {
		opt.TaskTimeout = 10 * time.Minute
	}
	if opt.Poll == 0 {
		opt.Poll = 50 * time.Millisecond
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = 32
	x := &Index{
		opt: opt, settings: settings(opt.Languages), write: make(chan struct{}, 1), kick: make(chan struct{}, 1), done: make(chan struct{}),
		client: meilisearch.New(strings.TrimRight(opt.URL, "/"), meilisearch.WithAPIKey(opt.Key), meilisearch.DisableRetries(),
			meilisearch.WithCustomClient(&http.Client{Transport: transport, Timeout: patience * opt.Timeout})),
	}
	x.version = version(x.settings)
	x.write <- struct{}{}
	ctx, stop := context.WithCancel(context.Background())
	x.stop = stop
	go x.tend(ctx)
	return x, nil
}

// Name is the follower's name.
func (x *Index) Name() string { return "search" }

// Shared implements [directory.Shared]: the nodes of an instance share one index.
func (x *Index) Shared() bool { return true }

var errClosed = fmt.Errorf("search index is closed: %w", search.ErrUnavailable)

// errLost says that the index is not on the server, or is not ours.
var errLost = errors.New("the index is missing or out of date")

// fault makes an error of the client one of ours.
func fault(ctx context.Context, what string, err error) error {
	if err == nil {
		return nil
	}
	var e *meilisearch.Error
	if errors.As(err, &e) {
		code := e.MeilisearchApiError.Code
		if code == "index_not_found" || code == "document_not_found" {
			return fmt.Errorf("meilisearch: %s: %w: %w", what, errLost, search.ErrUnavailable)
		}
		if code != "" {
			return fmt.Errorf("meilisearch: %s: %s (%d %s): %w", what, e.MeilisearchApiError.Message, e.StatusCode, code, search.ErrUnavailable)
		}
		if e.StatusCode != 0 {
			return fmt.Errorf("meilisearch: %s: status %d: %w", what, e.StatusCode, search.ErrUnavailable)
		}
		if e.OriginError != nil {
			err = e.OriginError
		}
	}
	if c := ctx.Err(); c != nil {
		err = c
	}
	return fmt.Errorf("meilisearch: %s: %w: %w", what, err, search.ErrUnavailable)
}

// down notes that the server does not answer as it should, and has tend look into it.
func (x *Index) down(err error) {
	x.mu.Lock()
	first := x.failure == nil
	x.failure = err
	x.mu.Unlock()
	if first {
		x.opt.Log.Warn("meilisearch does not answer", "err", err)
	}
	select {
	case x.kick <- struct{}{}:
	default:
	}
}

// up returns why the server cannot be asked now, or nil.
func (x *Index) up() error {
	if x.closed.Load() {
		return errClosed
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.failure != nil {
		return x.failure
	}
	if !x.ready.Load() {
		return fmt.Errorf("meilisearch: the index is being filled: %w", search.ErrUnavailable)
	}
	return nil
}

// Status says how the index fares.
func (x *Index) Status(context.Context) search.Status {
	err := x.up()
	x.mu.Lock()
	defer x.mu.Unlock()
	return search.Status{Engine: "meilisearch", Entries: x.entries, At: x.at, Rebuilding: x.working.Load() || !x.ready.Load(), Err: err}
}

// Close ends background work. The index stays on the server.
func (x *Index) Close() error {
	if x.closed.Swap(true) {
		return nil
	}
	x.stop()
	<-x.done
	x.client.Close()
	return nil
}
