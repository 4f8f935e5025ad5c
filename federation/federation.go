// Package federation is the directory in the fediverse: an ActivityPub actor that others follow, the objects that it
// publishes, what comes in from other servers, and what may come in. FEDERATION.md says what it speaks.
package federation

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"archipel/directory"
	"archipel/federation/fetch"
	"archipel/federation/vocab"
)

// Options configure a [Service]. Directory, Published, PublicURL and Site are required.
type Options struct {
	Directory *directory.Directory
	Published *Published  // a view of Directory
	PublicURL string      // scheme and host, without a trailing slash: what every address begins with, for ever
	Site      func() Site // asked whenever it is shown
	Version   string
	Log       *slog.Logger
	Now       func() time.Time
}

// Site is what other servers see of the instance.
type Site struct {
	Name, Summary string
	Lang          string // BCP 47
	Icon          string // address of a PNG, or ""
	SignedFetch   bool   // posts and organisations are shown to servers that sign their requests, and to no other
}

// Service is one instance's part in the fediverse. Create it with [New], serve it as an http.Handler and drive it with
// [Service.Run].
type Service struct {
	Options
	base, host string // "https://annuaire.example", "annuaire.example"
	store      directory.Store
	client     *fetch.Client
	ring       keyring
	mux        *http.ServeMux
	bodies     *bodies

	policy    *policyCache
	actors    *actorCache
	hosts     *hostStates
	followers *followerSet
	work      chan struct{} // something came in
	passing   chan struct{} // a report is to be passed on
	limits    *limiters
	intake    intake   // makes what came in durable
	came      *seenSet // what came in, as far as this process remembers
	rooms     guests
	authors   authors
	traces    traces
	echoes    echoCache
	crowd     replyCrowd
	flags     sync.Mutex    // held while a report is taken, so that their number is true
	settle    time.Duration // see settleFor
}

// New opens the instance's identity, and makes its keys when it has none. On a public address that is a loopback one,
// http is spoken and loopback addresses may be asked: for trying several instances on one machine.
func New(ctx context.Context, o Options) (*Service, error) {
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	u, err := url.Parse(o.PublicURL)
	if err != nil {
		return nil, fmt.Errorf("public address: %w", err)
	}
	agent := "Archipel/" + o.Version + " (+" + o.PublicURL + ")"
	loopback := isLoopback(u.Hostname())
	client := fetch.New(fetch.Options{UserAgent: agent, Loopback: loopback})
	if u.Scheme != "https" && !loopback || u.Path != "" || vocab.Host(o.PublicURL) == "" {
		return nil, fmt.Errorf("public address %q: other servers reach only https://HOST", o.PublicURL)
	}
	s := &Service{
		Options: o, base: o.PublicURL, host: vocab.Host(o.PublicURL), store: o.Directory.Store(), client: client,
		work: make(chan struct{}, 1), passing: make(chan struct{}, 1), bodies: newBodies(), limits: newLimiters(), came: newSeenSet(), settle: settleFor,
	}
	own, err := openKeys(ctx, s.store, relayKey)
	if err != nil {
		return nil, fmt.Errorf("federation keys: %w", err)
	}
	s.ring.all = map[string]*keys{relayKey: own}
	s.policy = &policyCache{store: s.store, log: o.Log}
	if err := s.policy.refresh(ctx); err != nil {
		return nil, fmt.Errorf("federation policy: %w", err)
	}
	s.actors = newActorCache(s)
	s.hosts = &hostStates{store: s.store, now: o.Now, all: map[string]*hostState{}}
	s.followers = &followerSet{all: map[string]follower{}}
	if err := s.loadFollowers(ctx); err != nil {
		return nil, fmt.Errorf("followers: %w", err)
	}
	s.routes()
	return s, nil
}

func isLoopback(host string) bool {
	return host == "localhost" || host == "::1" || strings.HasPrefix(host, "127.")
}

// Run processes what came in and watches the policy, until ctx ends. Deliveries are driven by the Directory.
func (s *Service) Run(ctx context.Context) {
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() { s.Directory.Leases().Run(ctx, "federation inbox", s.processInbox) })
	wg.Go(func() { s.Directory.Leases().Run(ctx, "federation reports", s.passOn) })
	wg.Go(func() { s.watchPolicy(ctx) })
}

func (s *Service) routes() {
	s.mux = http.NewServeMux()
	s.mux.HandleFunc("GET /.well-known/webfinger", s.webfinger)
	s.mux.HandleFunc("GET /.well-known/host-meta", s.hostMeta)
	s.mux.HandleFunc("GET /.well-known/nodeinfo", s.nodeInfoLinks)
	s.mux.HandleFunc("GET /nodeinfo/2.1", s.nodeInfo)
	s.mux.HandleFunc("GET /ap/relay", s.actor)
	s.mux.HandleFunc("GET /ap/actors/{actor}", s.organisation)
	for _, actor := range []string{"/ap/relay", "/ap/actors/{actor}"} {
		s.mux.HandleFunc("GET "+actor+"/outbox", s.outbox)
		s.mux.HandleFunc("GET "+actor+"/followers", s.followersCollection)
		s.mux.HandleFunc("GET "+actor+"/followers/sync", s.followersSync)
		s.mux.HandleFunc("POST "+actor+"/inbox", s.inbox)
		for _, name := range emptyCollections {
			s.mux.HandleFunc("GET "+actor+"/"+name, s.emptyCollection)
		}
	}
	s.mux.HandleFunc("GET /ap/actors/{actor}/upcoming", s.upcoming)
	s.mux.HandleFunc("POST /ap/inbox", s.inbox)
	s.mux.HandleFunc("GET /ap/activities/{id}/{seq}", s.activity)
	s.mux.HandleFunc("GET /ap/announces/{id}", s.announced)
	s.mux.HandleFunc("GET /ap/objects/{id}/{what}", s.reactions)
	s.mux.HandleFunc("GET /id/{id}", s.object)
}

// ServeHTTP implements http.Handler.
func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	defer func() {
		if p := recover(); p != nil {
			s.Log.Error("federation: panic", "path", r.URL.Path, "panic", p)
			refuse(w, http.StatusInternalServerError, "")
		}
	}()
	s.mux.ServeHTTP(w, r)
}

// The addresses of the instance actor and what belongs to it. They stand in other servers' databases: none may change.
func (s *Service) relayID() string     { return s.base + "/ap/relay" }
func (s *Service) sharedInbox() string { return s.base + "/ap/inbox" }

func (s *Service) objectID(id directory.ID) string { return s.base + "/id/" + string(id) }

// entryOf is the entry whose object has that address.
func (s *Service) entryOf(address string) (directory.ID, bool) {
	rest, ok := strings.CutPrefix(address, s.base+"/id/")
	id := directory.ID(rest)
	return id, ok && id.Valid()
}

// ours reports whether an address belongs to this instance.
func (s *Service) ours(address string) bool { return vocab.Host(address) == s.host }
