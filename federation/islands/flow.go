package islands

import (
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// What one island can make us do. Beyond what it tells us by itself, we ask when it suits us; beyond what it can mean, not
// at all for a while.
const (
	pushBurst, pushPerSecond = 500, 5
	takeBurst, takePerHour   = 2 * DefaultMaxItems, DefaultMaxItems / 2
	offerBurst, offerPerHour = 20, 20 // corrections that we bring; four times as many are taken
)

type flows struct {
	mu  sync.Mutex
	all map[string]*flow
}

type flow struct{ pushed, taken, offered, offering *rate.Limiter }

func (f *flows) of(host string) *flow {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.all == nil {
		f.all = map[string]*flow{}
	}
	one := f.all[host]
	if one == nil {
		one = &flow{rate.NewLimiter(pushPerSecond, pushBurst), rate.NewLimiter(rate.Every(time.Hour/takePerHour), takeBurst),
			rate.NewLimiter(rate.Every(time.Hour/(4*offerPerHour)), 4*offerBurst), rate.NewLimiter(rate.Every(time.Hour/offerPerHour), offerBurst)}
		f.all[host] = one
	}
	return one
}

// push reports whether one more activity that an island sent is looked at now.
func (f *flows) push(host string, now time.Time) bool { return f.of(host).pushed.AllowN(now, 1) }

// take counts entries of an island, and reports whether it was still within what is taken.
func (f *flows) take(host string, n int, now time.Time) bool {
	r := f.of(host).taken.ReserveN(now, n)
	return r.OK() && r.DelayFrom(now) == 0
}

// may reports whether more of an island is taken now.
func (f *flows) may(host string, now time.Time) bool { return f.of(host).taken.TokensAt(now) >= 1 }

// offer reports whether one more correction of an island is looked at, offers whether one more is brought to it now.
func (f *flows) offer(host string, now time.Time) bool  { return f.of(host).offered.AllowN(now, 1) }
func (f *flows) offers(host string, now time.Time) bool { return f.of(host).offering.AllowN(now, 1) }
