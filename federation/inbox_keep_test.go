package federation

import (
	"context"
	"sync"
	"testing"
	"time"
)

// TestCalm: what came is done also while much goes on coming in.
func TestCalm(t *testing.T) {
	var q intake
	q.came.Store(much)
	flood, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		for flood.Err() == nil {
			q.came.Add(much)
			time.Sleep(time.Millisecond)
		}
	})
	defer wg.Wait()
	defer stop()
	done := make(chan struct{})
	go func() { q.calm(flood); close(done) }()
	select {
	case <-done:
	case <-time.After(2 * time.Minute):
		t.Fatal("it waits for ever")
	}
	for deadline := time.Now().Add(2 * time.Minute); q.came.Load() == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("nothing comes any more")
		}
	}
}
