package geocode

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/paulmach/orb"
	"golang.org/x/sync/singleflight"
	"golang.org/x/time/rate"
)

// How long answers are kept, and what one may cost.
const (
	keepFound   = 60 * 24 * time.Hour
	keepMissing = 24 * time.Hour
	maxAnswer   = 4 << 20 // bytes
)

// ServerOptions configure a Server. Only URL and UserAgent are needed.
type ServerOptions struct {
	// URL is the base, as "https://nominatim.example.org" or with a path.
	URL string
	// UserAgent names this site and how to reach its people: public servers
	// refuse anything else.
	UserAgent string
	Timeout   time.Duration    // of one request, without the wait for its turn; 5 s when 0
	Cache     Cache            // a MemoryCache when nil
	Log       *slog.Logger     // none when nil
	Now       func() time.Time // time.Now when nil
}

// Server is a Geocoder that asks a server over HTTP: Nominatim, Photon or Addok,
// all in GeoCodeJSON. It asks a public host at most once a second, the same
// question only once at a time, remembers answers, and stops asking for a while when the server
// is down.
type Server struct {
	dialect dialect
	base    *url.URL
	agent   string
	timeout time.Duration
	cache   Cache
	log     *slog.Logger
	now     func() time.Time
	client  *http.Client
	limit   *rate.Limiter // nil for a host of one's own
	flight  singleflight.Group
	breaker breaker

	ctx     context.Context // ends with Close
	cancel  context.CancelFunc
	closing sync.Mutex
	wait    sync.WaitGroup

	health struct {
		sync.Mutex
		at  time.Time
		err error
	}
}

// NewServer asks the server that an address names: a Nominatim at
// "https://host/path", a Photon at "photon+https://...", an Addok at
// "addok+https://...", so that one setting is enough for all three.
func NewServer(o ServerOptions) (*Server, error) {
	for prefix, d := range map[string]dialect{"photon+": photon{}, "addok+": addok{}, "nominatim+": nominatim{}} {
		if rest, ok := strings.CutPrefix(strings.TrimSpace(o.URL), prefix); ok {
			o.URL = rest
			return newServer(d, o)
		}
	}
	return newServer(nominatim{}, o)
}

// NewNominatim asks a Nominatim server (https://nominatim.org/release-docs/latest/api/Overview/).
func NewNominatim(o ServerOptions) (*Server, error) { return newServer(nominatim{}, o) }

// NewPhoton asks a Photon server (https://github.com/komoot/photon).
func NewPhoton(o ServerOptions) (*Server, error) { return newServer(photon{}, o) }

// NewAddok asks an Addok server, such as the French national address base
// (https://addok.readthedocs.io/en/latest/api/). It knows France only.
func NewAddok(o ServerOptions) (*Server, error) { return newServer(addok{}, o) }

func newServer(d dialect, o ServerOptions) (*Server, error) {
	base, err := url.Parse(strings.TrimSpace(o.URL))
	if err != nil || base.Host == "" || base.Scheme != "http" && base.Scheme != "https" {
		return nil, fmt.Errorf("%s: %q is not an http(s) address", d.name(), o.URL)
	}
	if strings.TrimSpace(o.UserAgent) == "" {
		return nil, fmt.Errorf("%s: a User-Agent is needed", d.name())
	}
	base.RawQuery, base.Fragment = "", ""
	base.Path = strings.TrimRight(base.Path, "/")
	s := &Server{dialect: d, base: base, agent: o.UserAgent, timeout: o.Timeout, cache: o.Cache, log: o.Log, now: o.Now}
	if s.timeout <= 0 {
		s.timeout = 5 * time.Second
	}
	if s.cache == nil {
		s.cache = &MemoryCache{}
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.now == nil {
		s.now = time.Now
	}
	s.breaker.now = s.now
	if !ownHost(base.Hostname()) {
		s.limit = rate.NewLimiter(1, 1)
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.client = &http.Client{
		Transport: &http.Transport{
			Proxy: http.ProxyFromEnvironment, MaxIdleConnsPerHost: 4, IdleConnTimeout: 30 * time.Second,
			DialContext: (&net.Dialer{Timeout: 3 * time.Second}).DialContext, ResponseHeaderTimeout: s.timeout,
			MaxResponseHeaderBytes: 64 << 10,
		},
		// A move to https or to another path is fine; another host is not what was configured.
		CheckRedirect: func(r *http.Request, via []*http.Request) error {
			if len(via) > 3 || r.URL.Hostname() != base.Hostname() || r.URL.Scheme != "http" && r.URL.Scheme != "https" {
				return fmt.Errorf("redirects to %s", r.URL.Host)
			}
			return nil
		},
	}
	return s, nil
}

// Close ends requests on their way and waits for them.
func (s *Server) Close() error {
	s.closing.Lock()
	s.cancel()
	s.closing.Unlock()
	s.wait.Wait()
	s.client.CloseIdleConnections()
	return nil
}

// begin counts a request that Close waits for; false when it is too late.
func (s *Server) begin() bool {
	s.closing.Lock()
	defer s.closing.Unlock()
	if s.ctx.Err() != nil {
		return false
	}
	s.wait.Add(1)
	return true
}

// Name is the kind of server: "nominatim", "photon" or "addok".
func (s *Server) Name() string { return s.dialect.name() }

// ownHost tells a server of one's own, which may be asked as often as it can
// answer, from a public one: a loopback or private address, a name without a dot
// (as in a compose file) or in a private domain.
func ownHost(host string) bool {
	if ip, err := netip.ParseAddr(host); err == nil {
		return ip.IsLoopback() || ip.IsPrivate() || ip.IsLinkLocalUnicast()
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	for _, suffix := range []string{".localhost", ".local", ".internal", ".lan", ".home.arpa"} {
		if strings.HasSuffix(host, suffix) {
			return true
		}
	}
	return !strings.Contains(host, ".")
}

// Search keeps the promise of Geocoder.
func (s *Server) Search(ctx context.Context, q Query) ([]Place, error) {
	if err := q.Validate(); err != nil {
		return nil, err
	}
	values, err := s.dialect.search(q)
	if err != nil {
		return nil, err
	}
	places, err := s.ask(ctx, s.dialect.searchPath(q), values)
	if err != nil {
		return nil, fmt.Errorf("%s search: %w", s.Name(), err)
	}
	places = rank(q, places)
	return places[:min(len(places), q.Limit)], nil
}

// Reverse keeps the promise of Geocoder.
func (s *Server) Reverse(ctx context.Context, at orb.Point, language string) ([]Place, error) {
	if !validPoint(at) {
		return nil, &QueryError{"near", "want a longitude from -180 to 180 and a latitude from -90 to 90"}
	}
	if len(language) > 35 || !languageTag(language) {
		return nil, &QueryError{"language", "want a language tag (BCP 47)"}
	}
	path, values := s.dialect.reverse(at, language)
	places, err := s.ask(ctx, path, values)
	if err != nil {
		return nil, fmt.Errorf("%s reverse: %w", s.Name(), err)
	}
	return places, nil
}

// ask answers from the cache, else from the server; from an old answer when
// the server is unavailable.
func (s *Server) ask(ctx context.Context, path string, values url.Values) ([]Place, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	key := s.Name() + " " + s.base.Host + s.base.Path + path + "?" + values.Encode()
	old, stored, known := s.remembered(ctx, key)
	if keep := keepFound; known {
		if len(old) == 0 {
			keep = keepMissing
		}
		if age := s.now().Sub(stored); age < keep {
			if len(old) == 0 {
				return nil, ErrNotFound
			}
			return old, nil
		}
	}
	// The request outlives a caller who leaves: others may wait for it too, and
	// its answer is worth remembering.
	result := s.flight.DoChan(key, func() (any, error) {
		if !s.begin() {
			return nil, fmt.Errorf("%w: closed", ErrUnavailable)
		}
		defer s.wait.Done()
		return s.fetch(key, path, values)
	})
	select {
	case r := <-result:
		if r.Err == nil {
			return r.Val.([]Place), nil
		}
		if errors.Is(r.Err, ErrUnavailable) && len(old) > 0 {
			return old, nil
		}
		return nil, r.Err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// remembered reads the cache; a cache that fails is as good as empty.
func (s *Server) remembered(ctx context.Context, key string) ([]Place, time.Time, bool) {
	value, stored, ok, err := s.cache.Get(ctx, key)
	if err != nil {
		s.log.WarnContext(ctx, "geocoding cache not read", "error", err)
	}
	if !ok {
		return nil, time.Time{}, false
	}
	var places []Place
	if err := json.Unmarshal(value, &places); err != nil {
		return nil, time.Time{}, false
	}
	return places, stored, true
}

// fetch waits for its turn, asks the server and remembers what it said.
func (s *Server) fetch(key, path string, values url.Values) ([]Place, error) {
	if ok, why := s.breaker.allow(); !ok {
		return nil, fmt.Errorf("%w: not asked again yet after: %v", ErrUnavailable, why)
	}
	if err := s.turn(); err != nil {
		s.breaker.abandon()
		return nil, fmt.Errorf("%w: %v", ErrUnavailable, err)
	}
	ctx, cancel := context.WithTimeout(s.ctx, s.timeout)
	defer cancel()
	body, again, err := s.get(ctx, path, values)
	var places []Place
	if err == nil {
		places, err = parseGeocodeJSON(body, s.Name())
	}
	switch {
	case err == nil, errors.Is(err, ErrNotFound):
		s.breaker.done(nil, 0)
	case errors.Is(err, ErrBadQuery):
		s.breaker.done(nil, 0)
		return nil, err
	default:
		s.breaker.done(err, again)
		s.log.Warn("geocoder did not answer", "server", s.Name(), "url", s.base.Redacted(), "error", err)
		return nil, fmt.Errorf("%w: %v", ErrUnavailable, err)
	}
	if value, jsonErr := json.Marshal(places); jsonErr == nil {
		if cacheErr := s.cache.Put(ctx, key, value, s.now()); cacheErr != nil {
			s.log.Warn("geocoding cache not written", "error", cacheErr)
		}
	}
	return places, err
}

// maxQueue is how long a question may wait for its turn at a public host.
const maxQueue = 15 * time.Second

// turn waits until a public host may be asked again.
func (s *Server) turn() error {
	if s.limit == nil {
		return nil
	}
	turn := s.limit.Reserve()
	if turn.Delay() > maxQueue {
		turn.Cancel()
		return errors.New("too many questions are waiting")
	}
	timer := time.NewTimer(turn.Delay())
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-s.ctx.Done():
		return s.ctx.Err()
	}
}

// get makes one request. It gives the body of a 200, ErrBadQuery for what the
// server refuses, and any other error for what is wrong with the server, with how long it
// wants to be left alone.
func (s *Server) get(ctx context.Context, path string, values url.Values) ([]byte, time.Duration, error) {
	u := *s.base
	u.Path += path
	u.RawQuery = values.Encode()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, 0, err
	}
	r.Header.Set("User-Agent", s.agent)
	r.Header.Set("Accept", "application/json")
	resp, err := s.client.Do(r)
	if err != nil {
		if whole := (*url.Error)(nil); errors.As(err, &whole) {
			err = whole.Err // without the address: what a visitor typed stays out of the log
		}
		return nil, 0, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return nil, 0, err
	}
	switch code := resp.StatusCode; {
	case len(body) > maxAnswer:
		return nil, 0, fmt.Errorf("answer of more than %d bytes", maxAnswer)
	case code == http.StatusOK:
		return body, 0, nil
	case code == http.StatusBadRequest || code == http.StatusUnprocessableEntity || code == http.StatusRequestURITooLong:
		return nil, 0, &QueryError{"text", refusal(body)}
	case code == http.StatusTooManyRequests || code == http.StatusServiceUnavailable:
		return nil, retryAfter(resp.Header.Get("Retry-After"), code), fmt.Errorf("status %d", code)
	case code == http.StatusForbidden || code == http.StatusUnauthorized:
		return nil, 5 * time.Minute, fmt.Errorf("status %d: refused", code)
	default:
		return nil, 0, fmt.Errorf("status %d", code)
	}
}

// refusal is the message of a 400, which comes as JSON or as text.
func refusal(body []byte) string {
	var c collection
	if json.Unmarshal(body, &c) == nil && len(c.Error) > 0 {
		var bad *QueryError
		if errors.As(errorInside(c.Error), &bad) && bad.Reason != "" {
			return bad.Reason
		}
	}
	text, _ := plain(strings.ToValidUTF8(string(body[:min(len(body), 200)]), ""))
	if text == "" || strings.HasPrefix(text, "<") || strings.HasPrefix(text, "{") {
		return "refused by the server"
	}
	return text
}

// retryAfter reads the header of RFC 9110, 10.2.3, in seconds only, within an hour.
func retryAfter(header string, code int) time.Duration {
	if n, err := strconv.Atoi(strings.TrimSpace(header)); err == nil && n > 0 {
		return min(time.Hour, time.Duration(n)*time.Second)
	}
	if code == http.StatusTooManyRequests {
		return 30 * time.Second
	}
	return 0
}

// Health is nil when the server answered well lately, or does so now; else it
// says what is wrong, as ErrUnavailable. It takes two seconds at most, and asks the server itself only
// every five seconds (every minute when it is public), so a readiness page may call it freely.
func (s *Server) Health(ctx context.Context) error {
	success, last := s.breaker.state()
	if last == nil && s.now().Sub(success) < 30*time.Second {
		return nil
	}
	every := 5 * time.Second
	if s.limit != nil {
		every = time.Minute
	}
	s.health.Lock()
	defer s.health.Unlock()
	if !s.health.at.IsZero() && s.now().Sub(s.health.at) < every {
		return s.health.err
	}
	if s.limit != nil && !s.limit.Allow() {
		return s.health.err
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	err := s.dialect.healthy(func(path string, values url.Values) ([]byte, error) {
		body, _, err := s.get(ctx, path, values)
		return body, err
	})
	if err == nil {
		s.breaker.done(nil, 0)
	} else {
		if errors.Is(ctx.Err(), context.Canceled) {
			return ctx.Err()
		}
		err = fmt.Errorf("%w: %s: %v", ErrUnavailable, s.Name(), err)
	}
	s.health.at, s.health.err = s.now(), err
	return err
}
