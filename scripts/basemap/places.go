package main

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/text/language"
	"golang.org/x/text/language/display"
	"golang.org/x/text/unicode/norm"
)

// placeBits is the grid of the places: 1<<20 cells a side, 38 m at the equator.
const placeBits = 20

type town struct {
	name       string
	french     string // where it is another one
	country    string
	x, y       uint32
	population int
	capital    bool
	minZoom    int
}

// parseTowns reads the GeoNames table (tab separated, see geonames.org/export) and
// keeps settlements of 1,000 people or more, every capital, and all French communes
// that it holds. Sections of towns and places of the past are left out.
func parseTowns(data []byte) ([]town, error) {
	towns, err := parseRows(data)
	if err != nil {
		return nil, err
	}
	rankTowns(towns)
	return towns, nameInFrench(towns)
}

func parseRows(data []byte) ([]town, error) {
	var towns []town
	for i, line := range bytes.Split(data, []byte("\n")) {
		if len(line) == 0 {
			continue
		}
		f := strings.Split(string(line), "\t")
		if len(f) < 15 {
			return nil, fmt.Errorf("line %d: %d columns, want 15 or more", i+1, len(f))
		}
		lat, err1 := strconv.ParseFloat(f[4], 64)
		lon, err2 := strconv.ParseFloat(f[5], 64)
		population, err3 := strconv.Atoi(f[14])
		if err := cmp.Or(err1, err2, err3); err != nil {
			return nil, fmt.Errorf("line %d: %w", i+1, err)
		}
		switch f[7] {
		case "PPLX", "PPLH", "PPLQ", "PPLW", "PPLCH", "STLMT":
			continue
		}
		capital := f[7] == "PPLC"
		if population < 1000 && !capital && f[8] != "FR" || math.Abs(lat) > 85 {
			continue
		}
		fx, fy := mercator(lon, lat)
		const size = 1 << placeBits
		towns = append(towns, town{
			name:       strings.TrimSpace(norm.NFC.String(f[1])),
			country:    f[8],
			x:          uint32(min(size-1, max(0, int(fx*size)))),
			y:          uint32(min(size-1, max(0, int(fy*size)))),
			population: population,
			capital:    capital,
		})
	}
	return towns, nil
}

// rankTowns gives each town the first zoom (of 256-pixel tiles) at which it should be
// seen: large enough for the zoom, and no more important town close by. So a small
// town of the mountains shows as early as a city's suburb shows late.
func rankTowns(towns []town) {
	slices.SortFunc(towns, func(a, b town) int {
		return cmp.Or(cmp.Compare(importance(b), importance(a)), cmp.Compare(a.name, b.name),
			cmp.Compare(a.x, b.x), cmp.Compare(a.y, b.y))
	})
	floor := map[int]int{2: 3_000_000, 3: 1_000_000, 4: 300_000, 5: 90_000, 6: 25_000, 7: 6_000, 8: 2_000, 9: 900, 10: 0}
	for i := range towns {
		towns[i].minZoom = 11
	}
	for z := 2; z <= 10; z++ {
		// One pixel of zoom z is 1<<(placeBits-8-z) cells.
		dx, dy := uint32(72)<<(placeBits-8-z), uint32(24)<<(placeBits-8-z)
		type cell struct{ x, y uint32 }
		grid := map[cell][]int{}
		for i := range towns {
			t := &towns[i]
			c := cell{t.x / dx, t.y / dy}
			if t.minZoom > z && (importance(*t) < floor[z] || crowded(towns, grid[c], t, dx, dy)) {
				continue
			}
			if t.minZoom > z {
				t.minZoom = z
			}
			for x := c.x - 1; x != c.x+2; x++ {
				for y := c.y - 1; y != c.y+2; y++ {
					grid[cell{x, y}] = append(grid[cell{x, y}], i)
				}
			}
		}
	}
}

func crowded(towns []town, near []int, t *town, dx, dy uint32) bool {
	for _, i := range near {
		o := towns[i]
		if max(o.x, t.x)-min(o.x, t.x) < dx && max(o.y, t.y)-min(o.y, t.y) < dy {
			return true
		}
	}
	return false
}

// importance is the population, more for a capital.
func importance(t town) int {
	if t.capital {
		return 4*t.population + 100_000
	}
	return t.population
}

// encodeTowns writes the columns one after the other, ordered by first zoom and then
// along the Morton curve, so that the towns of a tile are one run in each zoom.
func encodeTowns(towns []town) []byte {
	slices.SortFunc(towns, func(a, b town) int {
		return cmp.Or(cmp.Compare(a.minZoom, b.minZoom), cmp.Compare(morton(a), morton(b)), cmp.Compare(a.name, b.name))
	})
	b := binary.AppendUvarint(nil, placeBits)
	const zooms = 12
	counts := make([]int, zooms)
	for _, t := range towns {
		counts[t.minZoom]++
	}
	b = binary.AppendUvarint(b, zooms)
	for _, n := range counts {
		b = binary.AppendUvarint(b, uint64(n))
	}
	zoom, prev := -1, uint64(0)
	for _, t := range towns {
		if t.minZoom != zoom {
			zoom, prev = t.minZoom, 0
		}
		b = binary.AppendUvarint(b, morton(t)-prev)
		prev = morton(t)
	}
	for _, t := range towns {
		v := uint64(round2(t.population)) << 1
		if t.capital {
			v |= 1
		}
		b = binary.AppendUvarint(b, v)
	}
	for _, t := range towns {
		b = binary.AppendUvarint(b, uint64(len(t.name)))
	}
	for _, t := range towns {
		b = append(b, t.name...)
	}
	b = binary.AppendUvarint(b, uint64(len(exonyms)))
	last := 0
	for i, t := range towns {
		if t.french != "" {
			b = binary.AppendUvarint(b, uint64(i-last))
			b = append(binary.AppendUvarint(b, uint64(len(t.french))), t.french...)
			last = i
		}
	}
	return b
}

// round2 keeps two significant digits: the map ranks towns, it does not count people.
func round2(n int) int {
	unit := 1
	for n/unit >= 100 {
		unit *= 10
	}
	return n / unit * unit
}

func morton(t town) uint64 {
	var m uint64
	for i := range placeBits {
		m |= uint64(t.x>>i&1)<<(2*i) | uint64(t.y>>i&1)<<(2*i+1)
	}
	return m
}

// A label is a country's name in labelLanguages, where it stands, and the length of
// the country's diagonal on the unit square, which decides from which zoom it is shown.
type label struct {
	names []string
	x, y  float64
	size  float64
}

var labelLanguages = []language.Tag{
	language.English, language.French, language.Spanish, language.German, language.Italian,
	language.Portuguese, language.Dutch, language.Catalan, language.Greek, language.Polish,
}

// countryLabels places each country's name well inside its largest polygon.
func (t *topology) countryLabels() []label {
	var labels []label
	for _, c := range t.Objects["countries"].Geometries {
		code, err := strconv.Atoi(c.ID)
		if err != nil {
			continue // a territory without an ISO 3166-1 number
		}
		region, err := language.EncodeM49(code)
		if err != nil || !region.IsCountry() {
			continue
		}
		polygons, err := c.polygons()
		if err != nil {
			continue
		}
		var l label
		var best float64
		for _, polygon := range polygons {
			rings := t.project(polygon)
			if a := math.Abs(area(rings[0])); a > best {
				best = a
				l.x, l.y, l.size = inside(rings)
			}
		}
		if best == 0 || region.String() == "AQ" {
			continue
		}
		for _, lang := range labelLanguages {
			l.names = append(l.names, display.Regions(lang).Name(region))
		}
		labels = append(labels, l)
	}
	return labels
}

// project makes rings on the unit square of a polygon's arcs, running on over the
// antimeridian.
func (t *topology) project(polygon [][]int) [][][2]float64 {
	var rings [][][2]float64
	for _, arcs := range polygon {
		var ring [][2]float64
		for _, a := range arcs {
			arc := t.Arcs[max(a, ^a)]
			for i := range arc {
				p := arc[i]
				if a < 0 {
					p = arc[len(arc)-1-i]
				}
				x, y := mercator(p[0], p[1])
				if n := len(ring); n > 0 {
					x += math.Round(ring[n-1][0] - x)
				}
				ring = append(ring, [2]float64{x, y})
			}
		}
		rings = append(rings, ring)
	}
	return rings
}

// inside searches a grid over the polygon for the point farthest from its edges, wide
// shapes counting more since a name is wide, and returns it and the diagonal.
func inside(rings [][][2]float64) (x, y, diagonal float64) {
	minX, minY, maxX, maxY := 9.0, 9.0, -9.0, -9.0
	for _, p := range rings[0] {
		minX, maxX = min(minX, p[0]), max(maxX, p[0])
		minY, maxY = min(minY, p[1]), max(maxY, p[1])
	}
	const n = 32
	best := -1.0
	for i := 1; i < n; i++ {
		for j := 1; j < n; j++ {
			px, py := minX+(maxX-minX)*float64(i)/n, minY+(maxY-minY)*float64(j)/n
			in, nearest := false, math.Inf(1)
			for _, r := range rings {
				for k := range r {
					a, b := r[k], r[(k+1)%len(r)]
					if (a[1] > py) != (b[1] > py) && px < a[0]+(py-a[1])/(b[1]-a[1])*(b[0]-a[0]) {
						in = !in
					}
					nearest = min(nearest, math.Hypot((a[0]-px)/2, a[1]-py))
				}
			}
			if in && nearest > best {
				best, x, y = nearest, px, py
			}
		}
	}
	if best < 0 {
		x, y = rings[0][0][0], rings[0][0][1]
	}
	return x - math.Floor(x), y, math.Hypot(maxX-minX, maxY-minY)
}

func area(ring [][2]float64) float64 {
	var sum float64
	for i := range ring {
		a, b := ring[i], ring[(i+1)%len(ring)]
		sum += a[0]*b[1] - b[0]*a[1]
	}
	return sum / 2
}

// encodeCountries writes the languages, then each label: x and y on the place grid, the
// first zoom, and the names.
func encodeCountries(labels []label) []byte {
	slices.SortFunc(labels, func(a, b label) int {
		return cmp.Or(cmp.Compare(b.size, a.size), cmp.Compare(a.names[0], b.names[0]))
	})
	text := func(b []byte, s string) []byte {
		return append(binary.AppendUvarint(b, uint64(len(s))), s...)
	}
	b := binary.AppendUvarint(nil, placeBits)
	b = binary.AppendUvarint(b, uint64(len(labelLanguages)))
	for _, l := range labelLanguages {
		b = text(b, l.String())
	}
	b = binary.AppendUvarint(b, uint64(len(labels)))
	for _, l := range labels {
		b = binary.AppendUvarint(b, uint64(l.x*(1<<placeBits)))
		b = binary.AppendUvarint(b, uint64(l.y*(1<<placeBits)))
		// The zoom at which the diagonal is some 60 pixels long.
		zoom := math.Ceil(math.Log2(60 / 256.0 / max(l.size, 1e-6)))
		b = binary.AppendUvarint(b, uint64(max(1, min(6, zoom))))
		for _, name := range l.names {
			b = text(b, name)
		}
	}
	return b
}
