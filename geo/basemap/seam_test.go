package basemap

import (
	"math"
	"testing"

	"github.com/paulmach/orb"
)

// TestSeams compares neighbouring tiles where their buffers overlap: both must say the
// same of each point that is not right at a coast.
func TestSeams(t *testing.T) {
	for _, c := range []struct{ z, x, y int }{
		{1, 0, 0}, {1, 1, 0}, {1, 0, 1}, {2, 1, 1}, {3, 7, 1}, {3, 4, 2}, {3, 7, 7}, {4, 7, 5}, {4, 15, 3}, {5, 15, 11},
		{6, 31, 22}, {6, 63, 16}, {7, 63, 44}, {7, 64, 45}, {7, 127, 32}, {8, 124, 88}, {9, 250, 178}, {10, 503, 358}, {12, 2011, 1434},
	} {
		here := polygons(t, decode(t, world, c.z, c.x, c.y)["earth"])
		n := 1 << c.z
		east := polygons(t, decode(t, world, c.z, (c.x+1)%n, c.y)["earth"])
		compareSeam(t, c, "east", here, east, orb.Point{extent, 0})
		if c.y+1 < n {
			south := polygons(t, decode(t, world, c.z, c.x, c.y+1)["earth"])
			compareSeam(t, c, "south", here, south, orb.Point{0, extent})
		}
	}
}

func compareSeam(t *testing.T, at any, side string, a, b []orb.Polygon, shift orb.Point) {
	t.Helper()
	for i := range 160 {
		for _, d := range []float64{-48.5, -20.5, -1.5, 1.5, 20.5, 48.5} {
			along := float64(i)*extent/160 + 0.37
			p := orb.Point{extent + d, along}
			if shift[0] == 0 {
				p = orb.Point{along, extent + d}
			}
			inA, sureA := surely(a, p)
			inB, sureB := surely(b, orb.Point{p[0] - shift[0], p[1] - shift[1]})
			if sureA && sureB && inA != inB {
				t.Errorf("tile %v, seam to the %s at %v: land is %v here and %v there", at, side, p, inA, inB)
				return
			}
		}
	}
}

// surely also tells whether the points around agree, two units away.
func surely(ps []orb.Polygon, p orb.Point) (in, sure bool) {
	in = covered(ps, p)
	for _, d := range []orb.Point{{2, 0}, {-2, 0}, {0, 2}, {0, -2}, {1, 1}, {-1, -1}} {
		if covered(ps, orb.Point{p[0] + d[0], p[1] + d[1]}) != in {
			return in, false
		}
	}
	return in, true
}

// TestBordersMeet follows the border lines over the edge of a tile into the next one.
func TestBordersMeet(t *testing.T) {
	ends := func(x int, edge float64) []float64 {
		var ys []float64
		l := decode(t, world, 6, x, 22)["boundaries"]
		if l == nil {
			return nil
		}
		for _, f := range l.Features {
			lines, ok := f.Geometry.(orb.MultiLineString)
			if line, single := f.Geometry.(orb.LineString); single {
				lines, ok = orb.MultiLineString{line}, true
			}
			if !ok {
				t.Fatalf("a boundary is a %T", f.Geometry)
			}
			for _, line := range lines {
				for i := 1; i < len(line); i++ {
					a, b := line[i-1], line[i]
					if (a[0] < edge) != (b[0] < edge) {
						ys = append(ys, a[1]+(edge-a[0])/(b[0]-a[0])*(b[1]-a[1]))
					}
				}
			}
		}
		return ys
	}
	total := 0
	for x := 31; x < 36; x++ {
		left, right := ends(x, extent), ends(x+1, 0)
		total += len(left)
		if len(left) != len(right) {
			t.Errorf("between %d and %d: %d lines leave and %d arrive", x, x+1, len(left), len(right))
			continue
		}
		for _, y := range left {
			nearest := math.Inf(1)
			for _, o := range right {
				nearest = min(nearest, math.Abs(o-y))
			}
			if nearest > 2 {
				t.Errorf("between %d and %d: a line leaves at %v and none arrives there", x, x+1, y)
			}
		}
	}
	if total == 0 {
		t.Error("no line crosses any of the edges: the test has nothing to look at")
	}
}

// TestPlaces looks for towns where they are, once each.
func TestPlaces(t *testing.T) {
	for _, c := range []struct {
		name, lang string
		kind       string
		lon, lat   float64
		zooms      []int
	}{
		{"Saint-Étienne", "", "locality", 4.39, 45.43389, []int{7, 9, 10, 14, 19, 20, 21, 22}},
		{"Firminy", "", "locality", 4.28687, 45.3881, []int{9, 10, 14}},
		{"Paris", "", "locality", 2.3488, 48.85341, []int{3, 4, 9, 14}},
		{"Wellington", "", "locality", 174.77557, -41.28664, []int{5, 9}},
	} {
		fx, fy := c.lon/360+0.5, 0.5-math.Asinh(math.Tan(c.lat*math.Pi/180))/(2*math.Pi)
		for _, z := range c.zooms {
			scale := math.Ldexp(1, z)
			// The town is in the tile, or right over the edge when tiles are smaller than
			// the grid that towns stand on.
			found := 0
			for dx := -1; dx <= 1; dx++ {
				for dy := -1; dy <= 1; dy++ {
					if z < 19 && (dx != 0 || dy != 0) {
						continue
					}
					l := decode(t, world, z, int(fx*scale)+dx, int(fy*scale)+dy)["places"]
					if l == nil {
						continue
					}
					for _, f := range l.Features {
						if f.Properties["name"] == c.name && f.Properties["kind"] == c.kind {
							found++
						}
					}
				}
			}
			if found != 1 {
				t.Errorf("%s at zoom %d: found %d times", c.name, z, found)
			}
		}
	}
	l := decode(t, world, 4, 8, 5)["places"]
	french := map[any]any{}
	for _, f := range l.Features {
		french[f.Properties["name"]] = f.Properties["name:fr"]
	}
	for name, want := range map[string]any{"Italy": "Italie", "Genoa": "Gênes", "Munich": nil} {
		if got := french[name]; got != want {
			t.Errorf("%s is %v in French, want %v", name, got, want)
		}
	}
}

func TestMorton(t *testing.T) {
	for _, c := range [][2]uint32{{0, 0}, {1, 0}, {0, 1}, {1<<20 - 1, 1<<20 - 1}, {123456, 654321}} {
		if x, y := demorton(morton(c[0], c[1])); x != c[0] || y != c[1] {
			t.Errorf("%v became %d, %d", c, x, y)
		}
	}
}
