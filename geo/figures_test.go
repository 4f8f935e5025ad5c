package geo

import (
	"encoding/json"
	"math"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/paulmach/orb"
)

// processor returns the processor time that this process has taken: what else runs does not count.
func processor(t *testing.T) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// TestFigures measures for scripts/bench what making the clusters alone takes: of positions and categories that are in
// memory, as supercluster is given them, without the names and words of entries.
func TestFigures(t *testing.T) {
	in, out := os.Getenv("BENCH_POINTS"), os.Getenv("BENCH_OUT")
	if in == "" || out == "" {
		t.Skip("only for scripts/bench/run.sh, which sets BENCH_POINTS and BENCH_OUT")
	}
	b, err := os.ReadFile(in)
	if err != nil {
		t.Fatal(err)
	}
	heap := func() float64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return float64(m.HeapAlloc)
	}
	n := strings.Count(string(b), "\n")
	before := heap()
	tab := newTable()
	tab.grow(n)
	tab.cats = make([]uint32, 0, n)
	for line := range strings.Lines(string(b)) {
		f := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		lon, err := strconv.ParseFloat(f[0], 64)
		if err != nil {
			t.Fatal(err)
		}
		lat, err := strconv.ParseFloat(f[1], 64)
		if err != nil {
			t.Fatal(err)
		}
		tab.ptRow = append(tab.ptRow, uint32(len(tab.pts)))
		tab.pts = append(tab.pts, fix(orb.Point{lon, lat}))
		tab.cats = append(tab.cats, tab.categories.id(f[6]))
		tab.lists = append(tab.lists, uint32(len(tab.cats)))
	}
	// What only whole entries have.
	tab.ids, tab.kind, tab.info, tab.dead, tab.grams, tab.tagAt, tab.ptAt, tab.spnAt, tab.slots = nil, nil, nil, nil, nil, nil, nil, make([]uint32, n+1), nil

	build := math.Inf(1)
	var seg *segment
	for range 5 {
		seg = nil
		runtime.GC()
		start := processor(t)
		sorted := make([]keyed, n)
		for i, p := range tab.pts {
			sorted[i] = keyed{keyOf(p.point()), uint32(i), 1}
		}
		sortKeyed(sorted)
		seg = newSegment(sorted, &tab)
		build = min(build, (processor(t) - start).Seconds())
	}
	figures := map[string]float64{"cpu": build, "bytes": heap() - before - float64(4*n)} // less the empty list of times
	if len(seg.keys) != n {
		t.Fatalf("the clusters hold %d points, want %d", len(seg.keys), n)
	}
	runtime.KeepAlive(&tab)
	runtime.KeepAlive(b) // was there before as well
	b, err = json.Marshal(figures)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(out, b, 0o644); err != nil {
		t.Fatal(err)
	}
}
