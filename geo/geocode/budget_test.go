package geocode

import (
	"runtime"
	"testing"
)

// TestBudget keeps the promised memory: 60 MB for the places of France. What takes time is measured by the benchmarks.
func TestBudget(t *testing.T) {
	if testing.Short() || racing {
		t.Skip("measures a program as it is built for people")
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	g, err := NewGazetteer("FR")
	if err != nil {
		t.Fatal(err)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if kept := int64(after.HeapAlloc) - int64(before.HeapAlloc); kept > 60e6 {
		t.Errorf("keeps %d bytes", kept)
	}
	runtime.KeepAlive(g)
}
