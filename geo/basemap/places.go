package basemap

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/paulmach/orb"
	"github.com/paulmach/orb/geojson"
)

// places holds the towns in columns, by first zoom and then along the Morton curve: the
// towns of a tile are one run in each zoom.
type places struct {
	bits      int
	zooms     []int // zooms[z] is the first town of zoom z; one more at the end
	codes     []uint64
	people    []uint32 // doubled, plus one for a capital
	names     []uint32 // where each name begins; one more at the end
	text      string
	french    map[int]string // of the towns that go by another name in French
	countries []country
}

type country struct {
	at      orb.Point // on the unit square
	minZoom int
	names   []string
	langs   []string
}

func readPlaces() (*places, error) {
	r, err := openData("places")
	if err != nil {
		return nil, err
	}
	p := &places{bits: r.uint()}
	n := 0
	for range r.count() {
		p.zooms = append(p.zooms, n)
		n += r.uint()
	}
	p.zooms = append(p.zooms, n)
	if n > len(r.data) {
		return nil, fmt.Errorf("places: %w", errData)
	}
	p.codes, p.people, p.names = make([]uint64, n), make([]uint32, n), make([]uint32, n+1)
	for z := range len(p.zooms) - 1 {
		code := uint64(0)
		for i := p.zooms[z]; i < p.zooms[z+1]; i++ {
			code += uint64(r.uint())
			p.codes[i] = code
		}
	}
	for i := range p.people {
		p.people[i] = uint32(r.uint())
	}
	size, last := 0, 0
	for i := range n {
		size += r.uint()
		p.names[i+1] = uint32(size)
	}
	p.text = r.text(size)
	p.french = map[int]string{}
	for range r.count() {
		last += r.uint()
		p.french[last] = r.text(r.uint())
	}
	if r.err != nil {
		return nil, fmt.Errorf("places: %w", r.err)
	}
	p.countries, err = readCountries()
	return p, err
}

func readCountries() ([]country, error) {
	r, err := openData("countries")
	if err != nil {
		return nil, err
	}
	cell := math.Ldexp(1, -r.uint())
	langs := make([]string, r.count())
	for i := range langs {
		langs[i] = r.text(r.uint())
	}
	countries := make([]country, r.count())
	for i := range countries {
		c := country{at: orb.Point{float64(r.uint()) * cell, float64(r.uint()) * cell}, minZoom: r.uint(), langs: langs}
		for range langs {
			c.names = append(c.names, r.text(r.uint()))
		}
		countries[i] = c
	}
	if r.err != nil {
		return nil, fmt.Errorf("countries: %w", r.err)
	}
	return countries, nil
}

// features returns the places of a tile in tile coordinates, the most important first.
func (p *places) features(z, x, y int) []*geojson.Feature {
	scale := math.Ldexp(1, z)
	var out []*geojson.Feature
	for _, c := range p.countries {
		if c.minZoom > z+1 || z > 6 ||
			int(c.at[0]*scale) != x || int(c.at[1]*scale) != y {
			continue
		}
		f := geojson.NewFeature(toTile(c.at, scale, x, y))
		f.Properties["kind"] = "country"
		f.Properties["min_zoom"] = c.minZoom
		f.Properties["population_rank"] = len(populationRanks)
		for i, lang := range c.langs {
			f.Properties["name:"+lang] = c.names[i]
			if lang == "en" {
				f.Properties["name"] = c.names[i]
			}
		}
		out = append(out, f)
	}
	var found []int
	from, to := p.codeRange(z, x, y)
	for zoom := range len(p.zooms) - 1 {
		if zoom > z+1 {
			break
		}
		codes := p.codes[p.zooms[zoom]:p.zooms[zoom+1]]
		i, _ := slices.BinarySearch(codes, from)
		for ; i < len(codes) && codes[i] < to; i++ {
			found = append(found, p.zooms[zoom]+i)
		}
	}
	slices.SortFunc(found, func(a, b int) int {
		return cmp.Or(cmp.Compare(p.people[b]&1, p.people[a]&1), cmp.Compare(p.people[b], p.people[a]), cmp.Compare(a, b))
	})
	for _, i := range found {
		out = append(out, p.feature(i, scale, x, y))
	}
	return out
}

func (p *places) feature(i int, scale float64, x, y int) *geojson.Feature {
	cell := math.Ldexp(1, -p.bits)
	cx, cy := demorton(p.codes[i])
	at := orb.Point{(float64(cx) + 0.5) * cell, (float64(cy) + 0.5) * cell}
	population := int(p.people[i] >> 1)
	zoom, _ := slices.BinarySearch(p.zooms, i+1)
	f := geojson.NewFeature(toTile(at, scale, x, y))
	f.Properties["kind"] = "locality"
	f.Properties["kind_detail"] = kindDetail(population)
	f.Properties["name"] = p.text[p.names[i]:p.names[i+1]]
	f.Properties["population"] = population
	f.Properties["population_rank"] = populationRank(population)
	f.Properties["min_zoom"] = zoom - 1
	if french := p.french[i]; french != "" {
		f.Properties["name:fr"] = french
	}
	if p.people[i]&1 == 1 {
		f.Properties["capital"] = "yes"
	}
	return f
}

// codeRange is the run of Morton codes inside a tile. Tiles smaller than a cell have the
// cell that their north-west corner is in, when that corner is in the middle of it.
func (p *places) codeRange(z, x, y int) (from, to uint64) {
	if z <= p.bits {
		shift := 2 * (p.bits - z)
		code := morton(uint32(x), uint32(y))
		return code << shift, (code + 1) << shift
	}
	d := z - p.bits
	middle := 1 << (d - 1)
	if x&(1<<d-1) != middle || y&(1<<d-1) != middle {
		return 0, 0
	}
	code := morton(uint32(x>>d), uint32(y>>d))
	return code, code + 1
}

// populationRanks are the thresholds of Protomaps' population_rank.
var populationRanks = []int{
	200, 1000, 2000, 5000, 10_000, 20_000, 50_000, 100_000, 200_000, 500_000,
	1_000_000, 5_000_000, 10_000_000, 20_000_000, 50_000_000, 100_000_000, 1_000_000_000,
}

func populationRank(population int) int {
	i, found := slices.BinarySearch(populationRanks, population)
	if found {
		i++
	}
	return i
}

func kindDetail(population int) string {
	switch {
	case population >= 50_000:
		return "city"
	case population >= 5_000:
		return "town"
	}
	return "village"
}

func morton(x, y uint32) uint64 { return spread(x) | spread(y)<<1 }

func demorton(m uint64) (x, y uint32) { return gather(m), gather(m >> 1) }

// spread puts a zero bit before each bit.
func spread(v uint32) uint64 {
	m := uint64(v)
	m = (m | m<<16) & 0x0000ffff0000ffff
	m = (m | m<<8) & 0x00ff00ff00ff00ff
	m = (m | m<<4) & 0x0f0f0f0f0f0f0f0f
	m = (m | m<<2) & 0x3333333333333333
	return (m | m<<1) & 0x5555555555555555
}

// gather is the inverse of spread; other bits are ignored.
func gather(m uint64) uint32 {
	m &= 0x5555555555555555
	m = (m | m>>1) & 0x3333333333333333
	m = (m | m>>2) & 0x0f0f0f0f0f0f0f0f
	m = (m | m>>4) & 0x00ff00ff00ff00ff
	m = (m | m>>8) & 0x0000ffff0000ffff
	return uint32(m | m>>16)
}
