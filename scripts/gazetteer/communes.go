package main

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"archipel/geo/geocode/gazdata"
)

// buildCommunes makes every present commune, its settlements, its delegated
// communes and its districts. french holds GeoNames' rows by commune code.
func (b *builder) buildCommunes(french map[string][]row) error {
	known, err := readPositions(positions)
	if err != nil {
		return err
	}
	var unlocated []string
	for _, code := range slices.Sorted(maps.Keys(b.current)) {
		c := b.current[code]
		rows := french[code]
		if at, ok := known[code]; ok && len(rows) == 0 {
			rows = []row{{name: c.Nom, lat: at[1], lon: at[0], pop: c.Population, country: "FR"}}
		}
		if len(rows) == 0 {
			unlocated = append(unlocated, code)
			continue
		}
		b.addCommune(c, rows)
	}
	located := len(b.placeOf)
	b.estimate(unlocated)
	b.note("%d communes located, %d estimated from their neighbours", located, len(unlocated))
	b.addDistricts(french, known)
	b.addFormer(french)
	return nil
}

// addCommune adds a commune whose position is known from at least one row, and
// its other settlements.
func (b *builder) addCommune(c *commune, rows []row) {
	want := bare(c.Nom)
	main := -1
	for i, r := range rows {
		if bare(r.name) == want && (main < 0 || r.pop > rows[main].pop) {
			main = i
		}
	}
	p := gazdata.Place{Zone: b.zoneAt["D"+c.Departement], Insee: c.Code, Pop: uint32(c.Population), Kind: gazdata.Commune,
		Parent: -1, Names: []string{c.Nom}, Post: postcodes(*c), Radius: min(9000, radius(c.Population))}
	if main < 0 && len(rows) == 1 {
		main = 0 // the chief town of a commune that has another name
	}
	if main >= 0 {
		p.ID, p.Lat, p.Lon = rows[main].id, rows[main].lat, rows[main].lon
		p.Names = withAlternates(p.Names, rows[main])
	} else {
		p.Lat, p.Lon = middle(rows)
	}
	for i, r := range rows {
		if i != main && !isDistrict.MatchString(r.name) {
			p.Radius = max(p.Radius, min(15000, 1500+distance(p.Lat, p.Lon, r.lat, r.lon)))
		}
	}
	at := len(b.places)
	b.places = append(b.places, p)
	b.placeOf[c.Code] = at
	for i, r := range rows {
		if (i == main && bare(r.name) == want) || isDistrict.MatchString(r.name) || (i == main && len(rows) == 1) {
			continue
		}
		v := b.settlement(r, p.Zone, gazdata.Village)
		v.Insee, v.Parent = c.Code, at
		b.places = append(b.places, v)
	}
}

// bare is a folded name without its article: GeoNames and the official list differ
// there.
func bare(name string) string {
	f := gazdata.FoldName(name)
	if first, rest, ok := strings.Cut(f, " "); ok && gazdata.Articles[first] {
		return rest
	}
	return f
}

// middle is the mean position, weighted by population.
func middle(rows []row) (lat, lon float64) {
	var sum float64
	for _, r := range rows {
		w := float64(max(r.pop, 100))
		lat, lon, sum = lat+w*r.lat, lon+w*r.lon, sum+w
	}
	return lat / sum, lon / sum
}

// distance is in metres, on a sphere, for near points.
func distance(lat1, lon1, lat2, lon2 float64) float64 {
	x := (lon2 - lon1) * math.Cos((lat1+lat2)/2*math.Pi/180)
	return math.Hypot(x, lat2-lat1) * 111200
}

// estimate places the communes that GeoNames leaves out (most have fewer than
// 500 people) in the middle of those that share a postal code, else of those
// of the same arrondissement, else of the département. The radius tells how far the others
// lie from there.
func (b *builder) estimate(unlocated []string) {
	groups := map[string][]int{}
	for code, at := range b.placeOf {
		for _, key := range neighbourhoods(b.current[code]) {
			groups[key] = append(groups[key], at)
		}
	}
	for _, g := range groups {
		slices.Sort(g)
	}
	for _, code := range unlocated {
		c := b.current[code]
		p := gazdata.Place{Zone: b.zoneAt["D"+c.Departement], Insee: code, Pop: uint32(c.Population), Kind: gazdata.Commune, Approx: true,
			Parent: -1, Names: []string{c.Nom}, Post: postcodes(*c)}
		for _, key := range neighbourhoods(c) {
			if g := groups[key]; len(g) > 0 {
				p.Lat, p.Lon, p.Radius = b.centre(g)
				break
			}
		}
		if p.Radius == 0 {
			b.note("no position at all for %s %s", code, c.Nom)
			continue
		}
		if c.Population >= 7000 {
			b.note("estimated although large: %s %s, %d people", code, c.Nom, c.Population)
		}
		b.placeOf[code] = len(b.places)
		b.places = append(b.places, p)
	}
}

// neighbourhoods are the groups a commune belongs to, the narrowest first.
func neighbourhoods(c *commune) []string {
	var keys []string
	for _, p := range c.Post {
		keys = append(keys, "P"+p+c.Departement)
	}
	if c.Arrondissement != "" {
		keys = append(keys, "A"+c.Arrondissement)
	}
	return append(keys, "D"+c.Departement)
}

// centre is the mean of places and the radius that holds most of them, in metres.
func (b *builder) centre(group []int) (lat, lon, r float64) {
	for _, i := range group {
		lat, lon = lat+b.places[i].Lat, lon+b.places[i].Lon
	}
	n := float64(len(group))
	lat, lon = lat/n, lon/n
	for _, i := range group {
		r += distance(lat, lon, b.places[i].Lat, b.places[i].Lon)
	}
	return lat, lon, min(30000, 4000+1.3*r/n)
}

var isDistrict = regexp.MustCompile(`^(Paris|Lyon|Marseille) \d\d`)

// addDistricts adds the arrondissements of Paris, Lyon and Marseille, whose
// postal codes end with their number.
func (b *builder) addDistricts(french map[string][]row, known map[string][2]float64) {
	for _, c := range b.admin.communes {
		city, ok := b.placeOf[c.Commune]
		if c.Type != "arrondissement-municipal" || !ok {
			continue
		}
		p := gazdata.Place{Zone: b.places[city].Zone, Insee: c.Code, Pop: uint32(c.Population), Kind: gazdata.Arrondissement,
			Parent: city, Names: []string{c.Nom}, Post: postcodes(c), Lat: b.places[city].Lat, Lon: b.places[city].Lon,
			Approx: true, Radius: 2000}
		number, _ := strconv.Atoi(c.Code[3:])
		if c.Code[:3] == "693" {
			number -= 80
		}
		if c.Code[:3] == "132" || c.Code[:3] == "751" {
			number %= 100
		}
		prefix := fmt.Sprintf("%s %02d", b.places[city].Names[0], number)
		for _, r := range french[c.Commune] {
			if strings.HasPrefix(r.name, prefix) {
				p.ID, p.Lat, p.Lon, p.Approx = r.id, r.lat, r.lon, false
			}
		}
		if at, ok := known[c.Code]; ok && p.Approx {
			p.Lon, p.Lat, p.Approx = at[0], at[1], false
		}
		p.Names = append(p.Names, fmt.Sprintf("%s %d", b.places[city].Names[0], number))
		b.places = append(b.places, p)
	}
}

// addFormer adds the delegated and associated communes that are not there as a
// settlement already: people go on using their names.
func (b *builder) addFormer(french map[string][]row) {
	seen := map[string]bool{}
	for code, rows := range french {
		for _, r := range rows {
			seen[code+bare(r.name)] = true
		}
	}
	var former []commune
	for _, c := range b.admin.communes {
		if at, ok := b.placeOf[c.ChefLieu]; ok && bare(c.Nom) != bare(b.places[at].Names[0]) && !seen[c.ChefLieu+bare(c.Nom)] {
			seen[c.ChefLieu+bare(c.Nom)] = true
			former = append(former, c)
		}
	}
	slices.SortFunc(former, func(x, y commune) int { return cmp.Compare(x.Code, y.Code) })
	for _, c := range former {
		at := b.placeOf[c.ChefLieu]
		town := b.places[at]
		b.places = append(b.places, gazdata.Place{Zone: town.Zone, Insee: c.ChefLieu, Kind: gazdata.Village, Approx: true,
			Lat: town.Lat, Lon: town.Lon, Radius: max(4000, town.Radius), Parent: at, Names: []string{c.Nom}})
	}
	b.note("%d former communes added by name", len(former))
}

// readPositions reads the positions checked by hand: code, latitude, longitude.
func readPositions(text string) (map[string][2]float64, error) {
	known := map[string][2]float64{}
	for line := range strings.Lines(text) {
		col := strings.Fields(line)
		if len(col) == 0 || col[0][0] == '#' {
			continue
		}
		if len(col) < 3 {
			return nil, fmt.Errorf("positions.tsv: %q: want code, latitude, longitude", line)
		}
		lat, err1 := strconv.ParseFloat(col[1], 64)
		lon, err2 := strconv.ParseFloat(col[2], 64)
		if err1 != nil || err2 != nil || math.Abs(lat) > 90 || math.Abs(lon) > 180 {
			return nil, fmt.Errorf("positions.tsv: %q: want code, latitude, longitude", line)
		}
		known[col[0]] = [2]float64{lon, lat}
	}
	return known, nil
}
