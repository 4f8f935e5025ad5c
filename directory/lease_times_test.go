package directory

import (
	"testing"
	"time"
)

// TestLeaseTimes holds the times to what is promised: a node stops working well before another can take its place, and is
// replaced within 30 s.
func TestLeaseTimes(t *testing.T) {
	for _, beat := range []time.Duration{0, time.Millisecond, time.Second} {
		l := NewLeases(LeaseOptions{Beat: beat})
		if l.valid < 2*l.beat || l.dead < l.valid+l.beat || 7*l.beat < l.dead+2*l.beat || l.beat <= 0 {
			t.Errorf("beat %s: valid for %s, dead after %s", l.beat, l.valid, l.dead)
		}
	}
	if l := NewLeases(LeaseOptions{}); l.dead+2*l.beat > 25*time.Second {
		t.Errorf("a node that dies is replaced after %s", l.dead+2*l.beat)
	}
}
