package basemap

import (
	"errors"
	"fmt"
	"math"
	"runtime"
	"sync"
	"testing"

	"github.com/paulmach/orb"
	"github.com/paulmach/orb/encoding/mvt"
)

var world = Embedded()

func decode(t testing.TB, src Source, z, x, y int) map[string]*mvt.Layer {
	t.Helper()
	tile, err := src.Tile(z, x, y)
	if err != nil {
		t.Fatalf("tile %d/%d/%d: %v", z, x, y, err)
	}
	layers, err := mvt.UnmarshalGzipped(tile.Data)
	if err != nil {
		t.Fatalf("tile %d/%d/%d: %v", z, x, y, err)
	}
	byName := map[string]*mvt.Layer{}
	for _, l := range layers {
		byName[l.Name] = l
	}
	return byName
}

// polygons returns the polygons of a layer as the decoder sees them.
func polygons(t testing.TB, l *mvt.Layer) []orb.Polygon {
	t.Helper()
	if l == nil {
		return nil
	}
	var out []orb.Polygon
	for _, f := range l.Features {
		switch g := f.Geometry.(type) {
		case orb.Polygon:
			out = append(out, g)
		case orb.MultiPolygon:
			out = append(out, g...)
		default:
			t.Fatalf("layer %s has a %T", l.Name, g)
		}
	}
	return out
}

// covered tells whether a point in tile units lies in one of the polygons.
func covered(ps []orb.Polygon, at orb.Point) bool {
	for _, p := range ps {
		in := false
		for _, r := range p {
			for i := 1; i < len(r); i++ {
				a, b := r[i-1], r[i]
				if (a[1] > at[1]) != (b[1] > at[1]) && at[0] < a[0]+(at[1]-a[1])/(b[1]-a[1])*(b[0]-a[0]) {
					in = !in
				}
			}
		}
		if in {
			return true
		}
	}
	return false
}

// TestPyramid decodes every tile of the first zooms and a sample of the deeper ones, and
// checks windings, extents and what must be in a layer.
func TestPyramid(t *testing.T) {
	for z := 0; z <= 8; z++ {
		step := 1
		if z > 4 {
			step = 1<<(z-4) + 1 // not a power of two, so that all remainders come up
		}
		for x := 0; x < 1<<z; x += step {
			for y := 0; y < 1<<z; y += step {
				checkTile(t, z, x, y)
			}
		}
	}
}

func checkTile(t *testing.T, z, x, y int) {
	t.Helper()
	at := fmt.Sprintf("%d/%d/%d", z, x, y)
	for name, l := range decode(t, world, z, x, y) {
		if l.Version != 2 || l.Extent != extent {
			t.Fatalf("%s %s: version %d, extent %d", at, name, l.Version, l.Extent)
		}
		for _, f := range l.Features {
			if f.Properties["kind"] == nil {
				t.Fatalf("%s %s: a feature without a kind", at, name)
			}
			b := f.Geometry.Bound()
			pad := float64(buffer)
			if name == "places" {
				pad = 0
			}
			if b.Min[0] < -pad || b.Min[1] < -pad || b.Max[0] > extent+pad || b.Max[1] > extent+pad {
				t.Fatalf("%s %s: reaches %v", at, name, b)
			}
		}
		if name != "earth" && name != "water" {
			continue
		}
		for _, p := range polygons(t, l) {
			for i, r := range p {
				if a := doubleArea(r); len(r) < 4 || !r.Closed() || (a > 0) != (i == 0) {
					t.Fatalf("%s %s: ring %d has %d points and area %v", at, name, i, len(r), a/2)
				}
			}
			if a, outer := math.Abs(areaOf(p)), math.Abs(doubleArea(p[0]))/2; a > outer {
				t.Fatalf("%s %s: area %v exceeds its outside %v", at, name, a, outer)
			}
		}
	}
}

func areaOf(p orb.Polygon) float64 {
	sum := 0.0
	for _, r := range p {
		sum += doubleArea(r) / 2
	}
	return sum
}

// TestLand asks for places that are surely land or sea, at many zooms.
func TestLand(t *testing.T) {
	for _, c := range []struct {
		name     string
		lon, lat float64
		want     bool
	}{
		{"Saint-Étienne", 4.39, 45.434, true},
		{"Paris", 2.35, 48.86, true},
		{"middle of Siberia", 100, 62, true},
		{"Chukotka east of the antimeridian", -175, 66.5, true},
		{"Chukotka west of the antimeridian", 178, 67, true},
		{"Antarctica", 0, -84, true},
		{"Antarctica at the antimeridian", 179.99, -84.95, true},
		{"Antarctica at the other side", -179.99, -84.95, true},
		{"Gulf of Guinea", 0, 0, false},
		{"Bay of Biscay", -4, 45, false},
		{"North Pole", 10, 85, false},
		{"Pacific at the antimeridian", 179.99, 10, false},
		{"Caspian Sea", 51, 40, false},
		{"Brasília", -47.9, -15.8, true},
	} {
		for z := range 15 {
			fx, fy := c.lon/360+0.5, 0.5-math.Asinh(math.Tan(c.lat*math.Pi/180))/(2*math.Pi)
			scale := math.Ldexp(1, z)
			x, y := int(fx*scale), int(fy*scale)
			p := orb.Point{(fx*scale - float64(x)) * extent, (fy*scale - float64(y)) * extent}
			if got := covered(polygons(t, decode(t, world, z, x, y)["earth"]), p); got != c.want {
				t.Errorf("%s at zoom %d: land %v, want %v", c.name, z, got, c.want)
			}
		}
	}
}

func TestNoTile(t *testing.T) {
	for _, c := range [][3]int{
		{-1, 0, 0}, {0, 1, 0}, {0, 0, 1}, {3, -1, 0}, {3, 0, -1}, {3, 8, 0}, {3, 0, 8}, {23, 0, 0},
		{63, 1, 1}, {64, 0, 0}, {math.MaxInt, 0, 0}, {math.MinInt, math.MinInt, math.MinInt}, {22, math.MaxInt, 3},
	} {
		if _, err := world.Tile(c[0], c[1], c[2]); !errors.Is(err, ErrNoTile) {
			t.Errorf("tile %v: %v, want ErrNoTile", c, err)
		}
	}
	if _, err := world.Tile(MaxZoom, 1<<MaxZoom-1, 1<<MaxZoom-1); err != nil {
		t.Errorf("the last tile: %v", err)
	}
}

// TestConcurrent asks a fresh world from several sides, for the race detector.
func TestConcurrent(t *testing.T) {
	b := Embedded()
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for z := range 11 {
				tile, err := b.Tile(z, (1<<z)/2, (1<<z)*3/8)
				if err != nil {
					t.Error(err)
					return
				}
				plain, err := tile.Plain()
				if err != nil || plain.ETag == tile.ETag || plain.Encoding != "" || len(plain.Data) < len(tile.Data)/2 {
					t.Errorf("goroutine %d, zoom %d: %v, %s, %s", i, z, err, plain.ETag, tile.ETag)
				}
			}
		})
	}
	wg.Wait()
}

// TestEmbeddedSize keeps the repository and the program light.
func TestEmbeddedSize(t *testing.T) {
	entries, err := files.ReadDir("data")
	if err != nil {
		t.Fatal(err)
	}
	var total int64
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		total += info.Size()
	}
	if total == 0 || total > 3_000_000 {
		t.Errorf("the embedded files have %d bytes, want at most 3 MB", total)
	}
}

// TestMemory holds the promise of a modest heap with every zoom in use.
func TestMemory(t *testing.T) {
	before := heap()
	b := Embedded()
	for z := range 12 {
		for i := range 24 {
			x := (1<<z)/2 + i%5
			y := (1<<z)*3/8 + i/5
			if _, err := b.Tile(z, x, y); err != nil && z > 4 {
				t.Fatal(err)
			}
		}
	}
	used := heap() - before
	t.Logf("%.1f MB of heap", float64(used)/(1<<20))
	if used > 40<<20 {
		t.Errorf("%d bytes of heap, want at most 40 MB", used)
	}
	runtime.KeepAlive(b)
}

func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func BenchmarkTile(b *testing.B) {
	for _, c := range []struct{ z, x, y int }{{0, 0, 0}, {3, 4, 2}, {4, 8, 5}, {5, 16, 11}, {6, 32, 22}, {7, 65, 45}, {9, 262, 183}, {12, 2098, 1468}} {
		b.Run(fmt.Sprintf("z%d", c.z), func(b *testing.B) {
			if _, err := world.Tile(c.z, c.x, c.y); err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				data, err := world.encode(c.z, c.x, c.y)
				if err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(float64(len(data)), "bytes")
			}
		})
	}
}
