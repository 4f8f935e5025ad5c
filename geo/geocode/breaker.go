package geocode

import (
	"sync"
	"time"
)

// breaker keeps callers from waiting for a server that is down. Two failures in
// a row open it; while it is open nothing is asked, but for one trial each time
// the pause has passed. The pause doubles from 2 seconds up to a minute, and a success
// closes it.
type breaker struct {
	now func() time.Time

	mu       sync.Mutex
	failures int
	until    time.Time // open until then
	pause    time.Duration
	trial    bool // one request is on its way
	last     error
	success  time.Time
}

const (
	firstPause = 2 * time.Second
	mostPause  = time.Minute
)

// allow tells whether a request may be made; then done must be called.
func (b *breaker) allow() (bool, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.failures < 2 {
		return true, nil
	}
	if b.trial || b.now().Before(b.until) {
		return false, b.last
	}
	b.trial = true
	return true, nil
}

// done tells how a request went: nil for any real answer. At least is how long
// the server asked to be left alone.
func (b *breaker) done(err error, atLeast time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.trial = false
	if err == nil {
		b.failures, b.pause, b.last, b.success = 0, 0, nil, b.now()
		return
	}
	b.last = err
	b.failures++
	if atLeast > 0 {
		b.failures = max(2, b.failures)
	}
	if b.failures < 2 {
		return
	}
	b.pause = min(mostPause, max(firstPause, 2*b.pause))
	b.until = b.now().Add(max(b.pause, atLeast))
}

// abandon takes back an allow that came to nothing: no request was made.
func (b *breaker) abandon() {
	b.mu.Lock()
	b.trial = false
	b.mu.Unlock()
}

// state is when the last request went well that did, and the last error, nil when
// the last request went well or none was made.
func (b *breaker) state() (success time.Time, last error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.success, b.last
}
