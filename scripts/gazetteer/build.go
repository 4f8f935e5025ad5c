package main

import (
	"cmp"
	_ "embed"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"archipel/geo/geocode/gazdata"
)

//go:embed exonyms_fr.tsv
var exonymsFR string

//go:embed positions.tsv
var positions string

type builder struct {
	rows  []row
	admin *admin

	zones  []gazdata.Zone
	places []gazdata.Place
	zoneAt map[string]int // "FR", "R84", "D42"

	current map[string]*commune // present communes by code
	former  map[string]string   // an older code: the present one
	placeOf map[string]int      // present commune: its place
	notes   []string
}

func newBuilder(rows []row, a *admin) *builder {
	return &builder{rows: rows, admin: a, zoneAt: map[string]int{}, current: map[string]*commune{},
		former: map[string]string{}, placeOf: map[string]int{}}
}

func (b *builder) note(format string, args ...any) {
	b.notes = append(b.notes, fmt.Sprintf(format, args...))
}

func (b *builder) report(w io.Writer) {
	for _, n := range b.notes {
		fmt.Fprintln(w, n)
	}
}

func (b *builder) build() error {
	b.buildZones()
	for i := range b.admin.communes {
		c := &b.admin.communes[i]
		if c.Type == "commune-actuelle" {
			b.current[c.Code] = c
			for _, old := range c.AnciensCodes {
				b.former[old] = c.Code
			}
		}
	}
	for _, c := range b.admin.communes {
		if c.ChefLieu != "" && b.current[c.Code] == nil {
			b.former[c.Code] = c.ChefLieu
		}
	}
	french := map[string][]row{}
	for _, r := range b.rows {
		if r.country == "FR" || overseas[r.country] != "" {
			if code := b.communeOf(r); code != "" {
				french[code] = append(french[code], r)
				continue
			}
			zone := b.zoneAt["FR"]
			if n := overseas[r.country]; n != "" {
				zone = b.zoneAt["D"+n]
			}
			b.places = append(b.places, b.settlement(r, zone, gazdata.Village))
			continue
		}
		if zone, ok := b.zoneAt[r.country]; ok {
			b.places = append(b.places, b.settlement(r, zone, gazdata.Town))
		}
	}
	if err := b.buildCommunes(french); err != nil {
		return err
	}
	if err := b.nameInFrench(); err != nil {
		return err
	}
	b.sort()
	b.measureZones()
	return nil
}

// communeOf finds the present commune of a GeoNames row: GeoNames puts the code
// in its fourth level, in the third for some territories, and sometimes an old
// one.
func (b *builder) communeOf(r row) string {
	for _, code := range []string{r.admin[3], r.admin[2], r.admin[1]} {
		if len(code) != 5 {
			continue
		}
		if b.current[code] != nil {
			return code
		}
		if now := b.former[code]; b.current[now] != nil {
			return now
		}
	}
	if n := overseas[r.country]; n != "" { // no code at all: by name
		name := gazdata.FoldName(r.name)
		for code, c := range b.current {
			if c.Departement == n && gazdata.FoldName(c.Nom) == name {
				return code
			}
		}
	}
	return ""
}

// settlement makes a place of a row.
func (b *builder) settlement(r row, zone int, kind gazdata.Kind) gazdata.Place {
	p := gazdata.Place{Zone: zone, ID: r.id, Lat: r.lat, Lon: r.lon, Pop: uint32(max(0, r.pop)), Kind: kind,
		Radius: radius(r.pop), Parent: -1, Names: []string{r.name}}
	p.Names = withAlternates(p.Names, r)
	return p
}

// withAlternates adds a row's other names, each searchable form once.
func withAlternates(names []string, r row) []string {
	seen := map[string]bool{"": true}
	for _, n := range names {
		seen[gazdata.FoldName(n)] = true
	}
	for _, n := range append([]string{r.name}, r.alternates...) {
		n = strings.TrimSpace(n)
		if f := gazdata.FoldName(n); !seen[f] && (n == r.name || keepAlternate(r, n)) {
			seen[f] = true
			names = append(names, n)
		}
	}
	return names[:min(len(names), 250)]
}

// radius is the usual extent of a settlement with its surroundings, in metres:
// 2 km for a village, 5 for Saint-Étienne, 9 at most for a French commune, 25 for London.
func radius(pop int) float64 { return 2000 + 250*math.Sqrt(max(0, float64(pop))/1000) }

// nameInFrench marks the names that the French use for foreign towns.
func (b *builder) nameInFrench() error {
	best := map[string]int{} // country and folded name: the largest place
	for i, p := range b.places {
		if p.Kind != gazdata.Town {
			continue
		}
		key := b.zones[p.Zone].Code + " " + gazdata.FoldName(p.Names[0])
		if j, ok := best[key]; !ok || b.places[j].Pop < p.Pop {
			best[key] = i
		}
	}
	for line := range strings.Lines(exonymsFR) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		col := strings.Split(line, "\t")
		if len(col) != 3 {
			return fmt.Errorf("exonyms_fr.tsv: %q: want country, name, French name", line)
		}
		i, ok := best[col[0]+" "+gazdata.FoldName(col[1])]
		if !ok {
			return fmt.Errorf("exonyms_fr.tsv: no %s in %s", col[1], col[0])
		}
		p := &b.places[i]
		want := gazdata.FoldName(col[2])
		at := slices.IndexFunc(p.Names, func(n string) bool { return gazdata.FoldName(n) == want })
		if at < 0 {
			b.note("exonyms_fr.tsv: GeoNames does not know %s as %s", col[1], col[2])
			at = len(p.Names)
			p.Names = append(p.Names, col[2])
		}
		p.Names[at], p.NameFR = col[2], at
	}
	return nil
}

// sort brings places to their final order: by country, zone, commune, size of
// kind and id; then close identifiers are neighbours and pack well.
func (b *builder) sort() {
	order := make([]int, len(b.places))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(x, y int) int {
		p, q := &b.places[x], &b.places[y]
		return cmp.Or(cmp.Compare(p.Zone, q.Zone), cmp.Compare(p.Insee, q.Insee), -cmp.Compare(p.Kind, q.Kind), cmp.Compare(p.ID, q.ID), cmp.Compare(x, y))
	})
	place := make([]int, len(order))
	sorted := make([]gazdata.Place, len(order))
	for to, from := range order {
		place[from], sorted[to] = to, b.places[from]
	}
	for i := range sorted {
		if sorted[i].Parent >= 0 {
			sorted[i].Parent = place[sorted[i].Parent]
		}
	}
	b.places = sorted
}

func postcodes(c commune) []uint32 {
	var list []uint32
	for _, s := range c.Post {
		if n, err := strconv.ParseUint(s, 10, 32); err == nil {
			list = append(list, uint32(n))
		}
	}
	slices.Sort(list)
	return list
}
