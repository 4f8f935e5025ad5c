package federation

import (
	"sync"
	"time"

	"archipel/federation/vocab"

	"golang.org/x/net/publicsuffix"
	"golang.org/x/time/rate"
)

const (
	newActorsPerHour = 20      // of one registrable domain
	perSecond, burst = 20, 400 // requests of one host
	maxLimiters      = 10_000
)

// limiters bound what one server, or one domain with many names, can make us do.
type limiters struct {
	mu       sync.Mutex
	requests map[string]*rate.Limiter
	actors   map[string]*budget

	unlimited bool // for measuring what the program itself can take
}

type budget struct {
	since time.Time
	spent int
}

func newLimiters() *limiters {
	return &limiters{requests: map[string]*rate.Limiter{}, actors: map[string]*budget{}}
}

// request reports whether one more request of a host is taken now.
func (l *limiters) request(host string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.unlimited {
		return true
	}
	if len(l.requests) >= maxLimiters {
		clear(l.requests)
	}
	r := l.requests[host]
	if r == nil {
		r = rate.NewLimiter(perSecond, burst)
		l.requests[host] = r
	}
	return r.Allow()
}

// newActor reports whether one more actor of a domain may be got to know in this hour.
func (l *limiters) newActor(id string, now time.Time) bool {
	domain := registrable(vocab.Host(id))
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.actors) >= maxLimiters {
		clear(l.actors)
	}
	b := l.actors[domain]
	if b == nil || now.Sub(b.since) >= time.Hour {
		b = &budget{since: now}
		l.actors[domain] = b
	}
	b.spent++
	return b.spent <= newActorsPerHour
}

// registrable is the part of a host name that somebody registered, or the host itself.
func registrable(host string) string {
	if d, err := publicsuffix.EffectiveTLDPlusOne(host); err == nil {
		return d
	}
	return host
}
