package geocode

import (
	"sort"
	"strconv"
	"strings"

	"archipel/geo/geocode/gazdata"

	"github.com/paulmach/orb"
)

// ZoneCode names an administrative area, for filters and for where somebody
// acts. The scheme is ISO 3166 as far as it goes:
//
//	FR         a country (ISO 3166-1 alpha-2)
//	FR-ARA     a French region (ISO 3166-2; Corsica is FR-20R)
//	FR-42      a French département or overseas territory (ISO 3166-2; FR-971, FR-NC; Paris is FR-75)
//	FR-42218   a French commune, or an arrondissement of Paris, Lyon or Marseille (INSEE code, COG)
//	BE-gn2800866  a town elsewhere (GeoNames id)
//
// The overseas regions that are one département have the département's code only.
type ZoneCode string

// Zone is an administrative area.
type Zone struct {
	Code       ZoneCode  `json:"code"`
	Name       string    `json:"name"`
	Label      string    `json:"label"`            // with what tells it from its namesakes: "Loire (42)"
	Number     string    `json:"number,omitempty"` // INSEE number of a commune, département or region
	Kind       Kind      `json:"kind"`             // commune, district, departement, region or country
	Parent     ZoneCode  `json:"parent,omitempty"`
	Box        Box       `json:"bbox"`
	Center     orb.Point `json:"center"`
	Population int       `json:"population,omitempty"`
	// Approximate means that the extent is a guess: the area's own position is not known.
	Approximate bool `json:"approximate,omitempty"`
}

// zoneAliases are other codes in use for the same areas.
var zoneAliases = map[string]string{"FR-75C": "FR-75", "FR-COR": "FR-20R", "FR-GUA": "FR-971", "FR-MTQ": "FR-972", "FR-GUF": "FR-973",
	"FR-LRE": "FR-974", "FR-MAY": "FR-976", "FR-GP": "FR-971", "FR-MQ": "FR-972", "FR-GF": "FR-973", "FR-RE": "FR-974", "FR-YT": "FR-976",
	"GP": "FR-971", "MQ": "FR-972", "GF": "FR-973", "RE": "FR-974", "YT": "FR-976", "PM": "FR-PM", "BL": "FR-BL", "MF": "FR-MF",
	"TF": "FR-TF", "WF": "FR-WF", "PF": "FR-PF", "NC": "FR-NC"}

// Zone gives the area with a code, named in a language (BCP 47); false when
// there is none. Case does not matter, and the codes that ISO 3166-1 has for
// the French overseas territories are understood.
func (g *Gazetteer) Zone(code ZoneCode, language string) (Zone, bool) {
	owner, ok := g.zoneOwner(code)
	if !ok {
		return Zone{}, false
	}
	return g.zone(owner, language), true
}

// ZoneChain gives the area with a code and those that hold it, the narrowest first;
// nil when there is none. A search in an area finds what has its code among its Zones.
func (g *Gazetteer) ZoneChain(code ZoneCode, language string) []Zone {
	owner, ok := g.zoneOwner(code)
	if !ok {
		return nil
	}
	return g.zoneChain(owner, language)
}

// Zones gives the areas that a position lies in, the narrowest first: those of the
// nearest town. There are no outlines, so near a border it may be the
// neighbour's. A commune is given within 10 km of its centre (or of its own radius), a
// département and a region within 40 km, a country within 150 km of a town.
func (g *Gazetteer) Zones(at orb.Point, language string) []Zone {
	if !validPoint(at) {
		return nil
	}
	i, far := g.nearest(at, 150e3)
	if i < 0 {
		return nil
	}
	if p := g.d.Parent[i]; p != 0 && g.d.Kind[i] == gazdata.Village {
		i = int(p - 1)
	}
	var found []Zone
	for _, z := range g.zoneChain(uint32(i), language) {
		switch z.Kind {
		case KindCommune, KindDistrict, KindVillage:
			if far > max(10e3, float64(g.d.Radius[i])*100) {
				continue
			}
		case KindDepartement, KindRegion:
			if far > 40e3 {
				continue
			}
		}
		found = append(found, z)
	}
	return found
}

// ZoneChildren gives the areas right inside one: regions of a country,
// départements of a region. Communes are too many and are not given.
func (g *Gazetteer) ZoneChildren(code ZoneCode, language string) []Zone {
	owner, ok := g.zoneOwner(code)
	if !ok {
		return nil
	}
	parent := int(owner) - g.d.Places()
	var found []Zone
	for z := range g.d.Zones {
		if g.d.Zones[z].Parent == parent && parent >= 0 {
			found = append(found, g.zone(uint32(g.d.Places()+z), language))
		}
	}
	return found
}

func (g *Gazetteer) zoneOwner(code ZoneCode) (uint32, bool) {
	if len(code) > 20 {
		return 0, false
	}
	s := strings.ToUpper(string(code))
	if to, ok := zoneAliases[s]; ok {
		s = to
	}
	if z, ok := g.zones[s]; ok {
		return uint32(g.d.Places() + z), true
	}
	country, rest, ok := strings.Cut(s, "-")
	if !ok {
		return 0, false
	}
	if id, ok := strings.CutPrefix(rest, "GN"); ok {
		zone, known := g.zones[country]
		n, err := strconv.ParseUint(id, 10, 32)
		if !known || err != nil || n == 0 {
			return 0, false
		}
		return g.byGeoNames(zone, uint32(n))
	}
	if country != "FR" || len(rest) != 5 {
		return 0, false
	}
	i, ok := g.insee[gazdata.InseeNumber(rest)]
	return i, ok
}

// byGeoNames finds a town by its id: outside France the places of a country are
// sorted by it.
func (g *Gazetteer) byGeoNames(zone int, id uint32) (uint32, bool) {
	lo, hi := g.zonePlaces(zone)
	i := lo + sort.Search(hi-lo, func(k int) bool { return g.d.ID[lo+k] >= id })
	if i < hi && g.d.ID[i] == id {
		return uint32(i), true
	}
	return 0, false
}

// placeCode is the code of the area that a place is, or lies in.
func (g *Gazetteer) placeCode(i int) ZoneCode {
	if n := g.d.Insee[i]; n != 0 {
		return ZoneCode("FR-" + gazdata.InseeText(n))
	}
	zone := g.d.Zones[g.d.Zone[i]]
	if g.d.Kind[i] != gazdata.Town {
		return ZoneCode(zone.Code) // a settlement overseas without a commune
	}
	return ZoneCode(zone.Code + "-gn" + strconv.FormatUint(uint64(g.d.ID[i]), 10))
}

func (g *Gazetteer) zone(owner uint32, language string) Zone {
	p := g.ownerPlace(owner, -1, language)
	z := Zone{Code: p.Zone, Name: p.Name, Label: p.Label, Kind: p.Kind, Box: p.Box, Center: p.Point, Approximate: p.Approximate}
	if n := g.d.Places(); int(owner) >= n {
		raw := g.d.Zones[int(owner)-n]
		z.Number, z.Population = raw.Number, int(raw.Pop)
		if raw.Parent >= 0 {
			z.Parent = ZoneCode(g.d.Zones[raw.Parent].Code)
		}
		return z
	}
	z.Number, z.Population = p.Codes.INSEE, int(g.d.Pop[owner])
	z.Parent = ZoneCode(g.d.Zones[g.d.Zone[owner]].Code)
	if parent := g.d.Parent[owner]; parent != 0 {
		z.Parent = g.placeCode(int(parent - 1))
	}
	return z
}

func (g *Gazetteer) zoneChain(owner uint32, language string) []Zone {
	var chain []Zone
	if n := uint32(g.d.Places()); owner < n {
		if g.d.Kind[owner] != gazdata.Village || g.d.Parent[owner] != 0 {
			chain = append(chain, g.zone(owner, language))
		}
		if parent := g.d.Parent[owner]; parent != 0 {
			chain = append(chain, g.zone(parent-1, language))
		}
	}
	for _, z := range g.chain[g.ownerZone(owner)] {
		chain = append(chain, g.zone(uint32(g.d.Places()+z), language))
	}
	return chain
}
