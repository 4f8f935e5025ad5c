package main

import (
	"cmp"
	"math"
	"slices"

	"archipel/geo/geocode/gazdata"

	"golang.org/x/text/language"
	"golang.org/x/text/language/display"
)

// regions gives each region of metropolitan France its ISO 3166-2 code and the
// names, other than the official one, that people use.
var regions = map[string]struct {
	iso   string
	names []gazdata.Name
}{
	"84": {"FR-ARA", []gazdata.Name{{Lang: "", Text: "AURA"}}},
	"27": {"FR-BFC", nil},
	"53": {"FR-BRE", []gazdata.Name{{Lang: "en", Text: "Brittany"}, {Lang: "br", Text: "Breizh"}}},
	"24": {"FR-CVL", nil},
	"94": {"FR-20R", []gazdata.Name{{Lang: "en", Text: "Corsica"}}},
	"44": {"FR-GES", nil},
	"32": {"FR-HDF", nil},
	"11": {"FR-IDF", nil},
	"28": {"FR-NOR", []gazdata.Name{{Lang: "en", Text: "Normandy"}}},
	"75": {"FR-NAQ", []gazdata.Name{{Lang: "oc", Text: "Nòva Aquitània"}}},
	"76": {"FR-OCC", []gazdata.Name{{Lang: "en", Text: "Occitania"}, {Lang: "oc", Text: "Occitània"}}},
	"52": {"FR-PDL", nil},
	"93": {"FR-PAC", []gazdata.Name{{Lang: "", Text: "PACA"}, {Lang: "", Text: "Région Sud"}}},
}

// overseas maps the overseas territories' ISO 3166-1 codes, which GeoNames
// uses as countries, to their INSEE numbers.
var overseas = map[string]string{"GP": "971", "MQ": "972", "GF": "973", "RE": "974", "YT": "976", "PM": "975", "BL": "977",
	"MF": "978", "TF": "984", "WF": "986", "PF": "987", "NC": "988"}

// zoneCode is the code of the département or overseas territory with this
// INSEE number, as ISO 3166-2 writes it.
func zoneCode(number string) string {
	if number == "989" {
		return "FR-CP"
	}
	for iso, n := range overseas {
		if n == number && n >= "975" && n != "976" {
			return "FR-" + iso
		}
	}
	return "FR-" + number
}

var countryLangs = []string{"fr", "en", "de", "es", "it", "pt", "nl"}

// buildZones makes the list of zones, parents first: countries, regions,
// départements, each group in the order of codes.
func (b *builder) buildZones() {
	seen := map[string]bool{}
	var countries []string
	for _, r := range b.rows {
		if overseas[r.country] == "" && !seen[r.country] && len(r.country) == 2 {
			seen[r.country] = true
			countries = append(countries, r.country)
		}
	}
	slices.Sort(countries)
	for _, c := range countries {
		z := gazdata.Zone{Code: c, Number: c, Kind: gazdata.Country, Parent: -1}
		region := language.MustParseRegion(c)
		for _, l := range countryLangs {
			name := display.Regions(language.MustParse(l)).Name(region)
			if name != "" && name != c {
				z.Names = append(z.Names, gazdata.Name{Lang: l, Text: name})
			}
		}
		if len(z.Names) == 0 {
			z.Names = []gazdata.Name{{Text: c}}
		}
		b.zoneAt[c] = len(b.zones)
		b.zones = append(b.zones, z)
	}
	france := b.zoneAt["FR"]
	byCode := func(x, y division) int { return cmp.Compare(x.Code, y.Code) }
	slices.SortFunc(b.admin.region, byCode)
	slices.SortFunc(b.admin.departements, byCode)
	for _, r := range b.admin.region {
		iso, ok := regions[r.Code]
		if !ok {
			continue // an overseas region is its département
		}
		b.zoneAt["R"+r.Code] = len(b.zones)
		names := append([]gazdata.Name{{Lang: "fr", Text: r.Nom}}, iso.names...)
		b.zones = append(b.zones, gazdata.Zone{Code: iso.iso, Number: r.Code, Kind: gazdata.Region, Parent: france, Names: names})
	}
	for _, d := range b.admin.departements {
		parent, ok := b.zoneAt["R"+d.Region]
		if !ok {
			parent = france
		}
		b.zoneAt["D"+d.Code] = len(b.zones)
		b.zones = append(b.zones, gazdata.Zone{Code: zoneCode(d.Code), Number: d.Code, Kind: gazdata.Departement, Parent: parent,
			Names: []gazdata.Name{{Lang: "fr", Text: d.Nom}}})
	}
}

// measureZones computes populations and extents from the places inside.
func (b *builder) measureZones() {
	inside := make([][]int, len(b.zones))
	for i, p := range b.places {
		if p.Kind != gazdata.Village && p.Kind != gazdata.Arrondissement {
			for z := p.Zone; z >= 0; z = b.zones[z].Parent {
				b.zones[z].Pop += p.Pop
			}
		}
		if p.Approx {
			continue
		}
		for z := p.Zone; z >= 0; z = b.zones[z].Parent {
			if b.zones[z].Code == "FR" && b.zones[p.Zone].Parent == z {
				break // France's own extent is the European one
			}
			inside[z] = append(inside[z], i)
		}
	}
	for z := range b.zones {
		b.zones[z].Box = b.extent(inside[z], b.zones[z].Kind)
	}
	for z := range b.zones {
		if p := b.zones[z].Parent; p >= 0 && b.zones[z].Box == ([4]float64{}) {
			b.zones[z].Box = b.zones[p].Box // nobody lives there
		}
	}
}

// extent is the box of the places, padded by half of the usual distance
// between neighbours (3 to 15 km). A country drops the farthest places in a
// thousand, so that one island does not make it span the globe.
func (b *builder) extent(places []int, kind gazdata.Kind) [4]float64 {
	if len(places) == 0 {
		return [4]float64{}
	}
	var lons, lats []float64
	for _, i := range places {
		lons, lats = append(lons, b.places[i].Lon), append(lats, b.places[i].Lat)
	}
	slices.Sort(lons)
	slices.Sort(lats)
	cut := 0
	if kind == gazdata.Country {
		cut = len(lons) / 400
	}
	last := len(lons) - 1 - cut
	box := [4]float64{lons[cut], lats[cut], lons[last], lats[last]}
	mid := math.Cos((box[1] + box[3]) / 2 * math.Pi / 180)
	w, h := (box[2]-box[0])*111.2*mid, (box[3]-box[1])*111.2
	pad := min(15, max(3, 0.6*math.Sqrt(w*h/float64(len(lons)))))
	dLat, dLon := pad/111.2, pad/(111.2*max(0.05, mid))
	return [4]float64{max(-180, box[0]-dLon), max(-90, box[1]-dLat), min(180, box[2]+dLon), min(90, box[3]+dLat)}
}
