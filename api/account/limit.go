package account

import (
	"fmt"
	"math"
	"sync"
	"time"
)

// limit is how often something may happen: so many at once, then evenly spread over the time.
type limit struct {
	name string
	many int
	over time.Duration
}

// Limits per address of the network, per account, and per mail address, whether an account has it or not. They are kept
// in memory: every node counts for itself, and a restart forgets.
var (
	limitSignInIP    = limit{"sign-in ip", 40, 15 * time.Minute}
	limitSignInPair  = limit{"sign-in pair", 8, 15 * time.Minute} // one mail address from one network address
	limitSignInMail  = limit{"sign-in mail", 60, time.Hour}       // from everywhere
	limitSignUpIP    = limit{"sign-up ip", 10, time.Hour}
	limitMailIP      = limit{"mail ip", 15, time.Hour}
	limitMailTo      = limit{"mail to", 4, time.Hour}
	limitMailToDay   = limit{"mail to day", 10, 24 * time.Hour}
	limitLinkIP      = limit{"link ip", 60, 15 * time.Minute}
	limitPassword    = limit{"password", 10, 15 * time.Minute} // asked again of somebody signed in
	limitWriteIP     = limit{"write ip", 120, time.Minute}
	limitWriteActor  = limit{"write account", 60, time.Minute}
	limitExportActor = limit{"export", 10, time.Hour}
)

// Limited is the error of somebody who asks too often.
type Limited struct {
	After time.Duration // until it is worth trying again
}

func (l *Limited) Error() string { return fmt.Sprintf("too often: again in %v", l.After) }

// maxBuckets bounds the memory of a limiter: some 10 MB.
const maxBuckets = 100_000

type limiter struct {
	now     func() time.Time
	mu      sync.Mutex
	buckets map[string]time.Time // until when the bucket is not yet empty again
}

func newLimiter(now func() time.Time) *limiter {
	return &limiter{now: now, buckets: map[string]time.Time{}}
}

// take counts one event, or returns a [*Limited] and counts nothing. It is the generic cell rate algorithm: a bucket is the
// moment at which all that went in has leaked out.
func (l *limiter) take(of limit, key string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	now, id := l.now(), of.name+"\x00"+key
	step := of.over / time.Duration(of.many)
	until := l.buckets[id]
	if until.Before(now) {
		until = now
	}
	if wait := until.Add(step).Sub(now) - of.over; wait > 0 {
		return &Limited{After: time.Duration(math.Ceil(wait.Seconds())) * time.Second}
	}
	if len(l.buckets) >= maxBuckets {
		l.sweep(now)
	}
	l.buckets[id] = until.Add(step)
	return nil
}

// sweep makes room: first what has leaked out, then, under attack, whatever comes.
func (l *limiter) sweep(now time.Time) {
	for k, until := range l.buckets {
		if !until.After(now) {
			delete(l.buckets, k)
		}
	}
	for k := range l.buckets {
		if len(l.buckets) < maxBuckets*9/10 {
			return
		}
		delete(l.buckets, k)
	}
}

// all takes from several limits; the first that is exhausted decides.
func (l *limiter) all(pairs ...limitKey) error {
	for _, p := range pairs {
		if err := l.take(p.limit, p.key); err != nil {
			return err
		}
	}
	return nil
}

type limitKey struct {
	limit
	key string
}
