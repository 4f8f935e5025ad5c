package federation

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"

	"archipel/federation/vocab"

	"golang.org/x/net/publicsuffix"
	"golang.org/x/time/rate"
)

const (
	newActorsPerHour       = 20        // of one registrable domain
	unprovenPerHour        = 1000      // new actors that are asked for on the word of one address
	perSecond, burst       = 20, 400   // requests of one host, whose signatures hold
	anyPerSecond, anyBurst = 100, 2000 // requests of one address, whatever they are
	maxLimiters            = 10_000
)

// limiters bound what one server, or one domain with many names, can make us do. Nobody can use up what is another's: until a
// signature holds, what a request says of its server is a claim, and the address that it came from pays.
type limiters struct {
	mu       sync.Mutex
	requests map[string]*rate.Limiter // by host
	clients  map[string]*rate.Limiter // by address
	actors   map[string]*budget       // by domain
	claimed  map[string]*budget       // by address, and by address and domain

	unlimited bool // for measuring what the program itself can take
}

type budget struct {
	since time.Time
	spent int
}

func newLimiters() *limiters {
	return &limiters{requests: map[string]*rate.Limiter{}, clients: map[string]*rate.Limiter{}, actors: map[string]*budget{}, claimed: map[string]*budget{}}
}

// client reports whether one more request from an address is looked at now.
func (l *limiters) client(address string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.unlimited || bucket(l.clients, address, anyPerSecond, anyBurst).Allow()
}

// request reports whether one more request of a host is taken now. Its signature holds.
func (l *limiters) request(host string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.unlimited || bucket(l.requests, host, perSecond, burst).Allow()
}

// exhausted reports whether a host has sent so much that its next request is not worth looking at.
func (l *limiters) exhausted(host string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	r := l.requests[host]
	return !l.unlimited && r != nil && r.Tokens() < 1
}

func bucket(of map[string]*rate.Limiter, key string, perSecond rate.Limit, burst int) *rate.Limiter {
	r := of[key]
	if r == nil {
		if len(of) >= maxLimiters {
			clear(of)
		}
		r = rate.NewLimiter(perSecond, burst)
		of[key] = r
	}
	return r
}

// newActor reports whether one more actor of a domain may be asked for in this hour, because a request from an address names
// it. The address is "" where that is decided by ourselves.
func (l *limiters) newActor(client, id string, now time.Time) bool {
	domain := registrable(vocab.Host(id))
	l.mu.Lock()
	defer l.mu.Unlock()
	if b := hour(l.actors, domain, now); b.spent >= newActorsPerHour {
		return false
	}
	b := hour(l.claimed, client+" "+domain, now)
	b.spent++
	if b.spent > newActorsPerHour {
		return false
	}
	if client == "" {
		return true
	}
	b = hour(l.claimed, client, now)
	b.spent++
	return b.spent <= unprovenPerHour
}

// metActor counts a new actor of a domain, who has proved to be it.
func (l *limiters) metActor(id string, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	hour(l.actors, registrable(vocab.Host(id)), now).spent++
}

// hour is what was spent in this hour.
func hour(of map[string]*budget, key string, now time.Time) *budget {
	b := of[key]
	if b == nil || now.Sub(b.since) >= time.Hour {
		if len(of) >= maxLimiters {
			clear(of)
		}
		b = &budget{since: now}
		of[key] = b
	}
	return b
}

type clientKey struct{}

// withClient is a context of what a request asks for that nobody has proved yet.
func withClient(ctx context.Context, r *http.Request) context.Context {
	return context.WithValue(ctx, clientKey{}, clientOf(r))
}

// clientOf is the address that a request comes from, as [network] has it. The web server in front knows better than the
// connection, and says so in RemoteAddr.
func clientOf(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	if a, err := netip.ParseAddr(host); err == nil {
		return network(a)
	}
	return host
}

// registrable is the part of a host name that somebody registered, or its address as [network] has it.
// Ports are not told apart, for who has one has all; but on this machine each is another server.
func registrable(host string) string {
	name := host
	if bare, _, err := net.SplitHostPort(host); err == nil {
		name = bare
	}
	if a, err := netip.ParseAddr(strings.Trim(name, "[]")); err == nil {
		if a = a.Unmap(); a.IsLoopback() {
			return host
		}
		return network(a)
	}
	if d, err := publicsuffix.EffectiveTLDPlusOne(name); err == nil {
		return d
	}
	return name
}

// network is an address, of IPv6 the /64 network that one subscriber has.
func network(a netip.Addr) string {
	if a = a.Unmap(); a.Is6() {
		if p, err := a.WithZone("").Prefix(64); err == nil {
			return p.String()
		}
	}
	return a.String()
}
