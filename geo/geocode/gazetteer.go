package geocode

import (
	"bytes"
	"context"
	_ "embed"
	"fmt"
	"io"
	"math"
	"slices"
	"sort"
	"strconv"

	"archipel/geo/geocode/gazdata"

	"github.com/paulmach/orb"
)

//go:embed data/gazetteer.gz
var embedded []byte

// Credit is what the about page must say of the embedded gazetteer's sources.
type Credit struct{ Name, URL, Licence, LicenceURL string }

// GazetteerCredits are the sources of the embedded gazetteer.
func GazetteerCredits() []Credit {
	return []Credit{
		{"GeoNames", "https://www.geonames.org/", "CC BY 4.0", "https://creativecommons.org/licenses/by/4.0/"},
		{"INSEE, La Poste, Etalab: découpage administratif", "https://github.com/datagouv/decoupage-administratif",
			"Licence Ouverte 2.0", "https://www.etalab.gouv.fr/licence-ouverte-open-licence/"},
	}
}

// NominatimCredit is what must be said where addresses come from a server with
// OpenStreetMap's data (Nominatim, Photon).
func NominatimCredit() Credit {
	return Credit{"© OpenStreetMap contributors", "https://www.openstreetmap.org/copyright", "ODbL 1.0", "https://opendatacommons.org/licenses/odbl/1-0/"}
}

// addressCredit is what must be said of a server with the Base Adresse Nationale (Addok).
func addressCredit() Credit {
	return Credit{"Base Adresse Nationale", "https://adresse.data.gouv.fr/", "Licence Ouverte 2.0", "https://www.etalab.gouv.fr/licence-ouverte-open-licence/"}
}

// Gazetteer is the embedded Geocoder of towns, postal codes, départements, regions
// and countries: 220,000 places of the world, and all the communes of France. It
// knows no street. It never changes, so everything may use it at the same time.
type Gazetteer struct {
	d       *gazdata.Data
	home    string // country whose places come first
	insee   map[uint32]uint32
	zones   map[string]int   // by code
	numbers map[string]int   // départements by INSEE number
	named   map[string][]int // zones by folded name
	chain   [][]int          // by zone: itself and its parents
	weight  []float32        // by place: what its population and kind add to a score
	zoneW   []float32        // by zone
	keyMost []uint8          // by key: the score of its beginning at most, before nearness
	grid    grid
}

// NewGazetteer unpacks the embedded data, once and for all: about a tenth of a
// second and 30 MB. Home is the country (ISO 3166-1) whose places
// come first when nothing else tells them apart; it may be empty.
func NewGazetteer(home string) (*Gazetteer, error) {
	return ReadGazetteer(bytes.NewReader(embedded), home)
}

// ReadGazetteer is NewGazetteer for a file that scripts/gazetteer wrote.
func ReadGazetteer(r io.Reader, home string) (*Gazetteer, error) {
	d, err := gazdata.Decode(r)
	if err != nil {
		return nil, fmt.Errorf("gazetteer: %w", err)
	}
	g := &Gazetteer{d: d, home: home, insee: make(map[uint32]uint32, 36000), zones: map[string]int{}, numbers: map[string]int{},
		named: map[string][]int{}}
	for i, z := range d.Zones {
		g.zones[z.Code] = i
		if z.Kind == gazdata.Departement {
			g.numbers[z.Number] = i
		}
		for _, n := range z.Names {
			f := gazdata.FoldName(n.Text)
			if !slices.Contains(g.named[f], i) {
				g.named[f] = append(g.named[f], i)
			}
		}
		chain := []int{i}
		if z.Parent >= 0 {
			chain = append(chain, g.chain[z.Parent]...)
		}
		g.chain = append(g.chain, chain)
		g.zoneW = append(g.zoneW, populationWeight(z.Pop))
	}
	g.weight = make([]float32, d.Places())
	for i := range g.weight {
		w := populationWeight(d.Pop[i])
		if d.Approx[i] {
			w -= 3
		}
		if d.Kind[i] == gazdata.Village || d.Kind[i] == gazdata.Arrondissement {
			w -= 8
		}
		if home != "" && d.Zones[g.country(int(d.Zone[i]))].Code == home {
			w += 12
		}
		g.weight[i] = w
		if n := d.Insee[i]; n != 0 && d.Kind[i] != gazdata.Village {
			g.insee[n] = uint32(i)
		}
	}
	g.keyMost = make([]uint8, len(d.KeyName))
	for k, name := range d.KeyName {
		owner := d.Owner[name]
		most := float64(g.ownerWeight(owner)) + scoreStart
		if d.IsWord(k) {
			most -= scoreStart - scoreBareStart
		} else if int(owner) < d.Places() && name != d.NameStart[owner] && name != d.NameStart[owner]+uint32(d.NameFR[owner]) {
			most -= scoreStart - scoreOtherOpen
		}
		g.keyMost[k] = uint8(math.Ceil(most))
	}
	g.grid = newGrid(d)
	return g, nil
}

// ownerWeight is what an owner's own size adds to any score.
func (g *Gazetteer) ownerWeight(owner uint32) float32 {
	n := uint32(g.d.Places())
	if owner < n {
		return g.weight[owner]
	}
	w := g.zoneW[owner-n]
	if g.home != "" && g.d.Zones[g.country(int(owner-n))].Code == g.home {
		w += 12
	}
	return w
}

// populationWeight is what a population adds to a score: 6 for each power of ten.
func populationWeight(pop uint32) float32 { return 6 * float32(math.Log10(float64(pop)+1)) }

// country is the zone of the country of a zone.
func (g *Gazetteer) country(zone int) int { c := g.chain[zone]; return c[len(c)-1] }

func (g *Gazetteer) point(i int) orb.Point {
	return orb.Point{float64(g.d.Lon[i]) / 1e5, float64(g.d.Lat[i]) / 1e5}
}

// owner is a place, or len(places)+zone.
func (g *Gazetteer) ownerPoint(owner uint32) orb.Point {
	if n := g.d.Places(); int(owner) >= n {
		return Box(g.d.Zones[int(owner)-n].Box).Center()
	}
	return g.point(int(owner))
}

func (g *Gazetteer) ownerZone(owner uint32) int {
	if n := g.d.Places(); int(owner) >= n {
		return int(owner) - n
	}
	return int(g.d.Zone[owner])
}

// Search keeps the promise of Geocoder. An address in parts is answered with
// its town, or what else is known of it, marked as approximate.
func (g *Gazetteer) Search(ctx context.Context, q Query) ([]Place, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := q.Validate(); err != nil {
		return nil, err
	}
	if !q.Structured() {
		if found := g.lookup(q, true).places(); len(found) > 0 {
			return found, nil
		}
		return nil, ErrNotFound
	}
	if found := g.locate(q); len(found) > 0 {
		return found, nil
	}
	return nil, ErrNotFound
}

// Complete gives the places whose names start as Query.Text does, while it is
// being typed, in about a tenth of a millisecond. A text that makes no sense completes to nothing.
func (g *Gazetteer) Complete(q Query) []Place {
	if q.Validate() != nil || q.Structured() {
		return nil
	}
	return g.complete(q)
}

// Reverse keeps the promise of Geocoder: the nearest town within 100 km, then the
// areas that hold it. Communes have no outline here, so the town is approximate.
func (g *Gazetteer) Reverse(ctx context.Context, at orb.Point, language string) ([]Place, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if !validPoint(at) {
		return nil, &QueryError{"near", "want a longitude from -180 to 180 and a latitude from -90 to 90"}
	}
	i, far := g.nearest(at, 100e3)
	if i < 0 {
		return nil, ErrNotFound
	}
	first := g.place(i, -1, language)
	first.Approximate = first.Approximate || far > 1000
	found := []Place{first}
	if p := g.d.Parent[i]; p != 0 {
		found = append(found, g.place(int(p-1), -1, language))
	}
	for _, z := range g.chain[g.d.Zone[i]] {
		found = append(found, g.zonePlace(z, -1, language))
	}
	return found, nil
}

// ownerPlace describes an owner; name is the name that matched, or -1.
func (g *Gazetteer) ownerPlace(owner uint32, name int, language string) Place {
	if n := g.d.Places(); int(owner) >= n {
		return g.zonePlace(int(owner)-n, name, language)
	}
	return g.place(int(owner), name, language)
}

func (g *Gazetteer) place(i, name int, language string) Place {
	d := g.d
	zone := d.Zones[d.Zone[i]]
	country := d.Zones[g.country(int(d.Zone[i]))]
	shown := d.NameStart[i]
	if lang(language) == "fr" {
		shown += uint32(d.NameFR[i])
	}
	p := Place{Name: d.Text(shown), Kind: KindCommune, Point: g.point(i), Approximate: d.Approx[i], Zone: g.placeCode(i), Source: "gazetteer",
		Importance: importance(d.Pop[i]), Codes: Codes{INSEE: gazdata.InseeText(d.Insee[i]), Country: country.Code, GeoNames: d.ID[i]}}
	if name >= 0 && !bytes.HasPrefix(d.Folded(shown), d.Folded(uint32(name))) {
		p.Matched = d.Text(uint32(name))
	}
	p.Box = around(p.Point, float64(d.Radius[i])*100)
	for k := d.PostStart[i]; k < d.PostStart[i+1]; k++ {
		p.Codes.Postcodes = append(p.Codes.Postcodes, postText(d.PostCode[k]))
	}
	p.Label = p.Name
	if parent := d.Parent[i]; parent != 0 && d.Kind[i] == gazdata.Village {
		p.Label += ", " + d.Text(d.NameStart[parent-1])
		p.Codes.Postcodes = g.place(int(parent-1), -1, language).Codes.Postcodes
	}
	switch d.Kind[i] {
	case gazdata.Village:
		p.Kind = KindVillage
	case gazdata.Arrondissement:
		p.Kind = KindDistrict
	}
	for _, z := range g.chain[d.Zone[i]] {
		switch d.Zones[z].Kind {
		case gazdata.Departement:
			p.Codes.Departement = d.Zones[z].Number
		case gazdata.Region:
			p.Codes.Region = d.Zones[z].Number
		}
	}
	if zone.Kind == gazdata.Departement {
		p.Label += " (" + zone.Number + ")"
	} else {
		p.Label += " (" + zoneName(zone, language) + ")"
	}
	return p
}

func (g *Gazetteer) zonePlace(z, name int, language string) Place {
	d, zone := g.d, g.d.Zones[z]
	p := Place{Name: zoneName(zone, language), Zone: ZoneCode(zone.Code), Box: Box(zone.Box), Point: Box(zone.Box).Center(), Source: "gazetteer",
		Importance: importance(zone.Pop), Codes: Codes{Country: d.Zones[g.country(z)].Code}}
	p.Label = p.Name
	if name >= 0 && d.Text(uint32(name)) != p.Name {
		p.Matched = d.Text(uint32(name))
	}
	for _, c := range g.chain[z] {
		switch d.Zones[c].Kind {
		case gazdata.Departement:
			p.Codes.Departement = d.Zones[c].Number
		case gazdata.Region:
			p.Codes.Region = d.Zones[c].Number
		}
	}
	switch zone.Kind {
	case gazdata.Departement:
		p.Kind = KindDepartement
		p.Label += " (" + zone.Number + ")"
	case gazdata.Region:
		p.Kind = KindRegion
	default:
		p.Kind = KindCountry
	}
	return p
}

func importance(pop uint32) float64 { return min(1, math.Log10(float64(pop)+1)/9.5) }

func postText(code uint32) string {
	s := strconv.Itoa(int(code))
	if len(s) < 5 {
		s = "00000"[len(s):] + s
	}
	return s
}

// zoneName is the zone's name in a language, else the first.
func zoneName(z gazdata.Zone, language string) string {
	want := lang(language)
	for _, n := range z.Names {
		if n.Lang == want && want != "" {
			return n.Text
		}
	}
	if len(z.Names) == 0 {
		return z.Code
	}
	return z.Names[0].Text
}

// lang is the language of a tag: "fr" of "fr-CA".
func lang(tag string) string {
	for i := range len(tag) {
		if tag[i] == '-' {
			return asciiLower(tag[:i])
		}
	}
	return asciiLower(tag)
}

func asciiLower(s string) string {
	b := []byte(s)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c + 32
		}
	}
	return string(b)
}

// places are those of a zone: they are sorted by zone.
func (g *Gazetteer) zonePlaces(zone int) (lo, hi int) {
	n := g.d.Places()
	return sort.Search(n, func(i int) bool { return int(g.d.Zone[i]) >= zone }),
		sort.Search(n, func(i int) bool { return int(g.d.Zone[i]) > zone })
}
