package geocode

import (
	"slices"
	"strings"

	"archipel/geo/geocode/gazdata"

	"github.com/paulmach/orb"
)

// locate answers an address in parts with the towns it may lie in: the first
// of these that finds something. People write a postal code of the next town, or one
// of an office (CEDEX) that no list has, so the département that it begins with counts too.
func (g *Gazetteer) locate(q Query) []Place {
	post := g.frenchPostcode(q)
	var texts []string
	if q.City != "" {
		if post != "" {
			texts = append(texts, post+" "+q.City, q.City+" "+departementOf(post))
		}
		if q.Country != "" {
			texts = append(texts, q.City+" "+q.Country)
		}
	}
	if post != "" && g.hasPost(post) {
		texts = append(texts, post)
	}
	if q.City != "" {
		texts = append(texts, q.City)
	} else if q.Country != "" && q.Street == "" && q.Postcode == "" {
		texts = append(texts, q.Country)
	}
	for _, text := range texts {
		ask := q
		ask.Text, ask.Street, ask.City, ask.Postcode, ask.Country = text, "", "", "", ""
		l := g.lookup(ask, true)
		if found := l.places(); len(found) > 0 {
			for i := range found {
				found[i].Approximate = found[i].Approximate || q.Street != ""
			}
			return found
		}
	}
	return nil
}

// frenchPostcode is the query's postal code when it is a French one.
func (g *Gazetteer) frenchPostcode(q Query) string {
	post := strings.ReplaceAll(q.Postcode, " ", "")
	if len(post) == 4 && digitsOnly(post) { // a spreadsheet took the first zero
		post = "0" + post
	}
	if len(post) != 5 || !digitsOnly(post) {
		return ""
	}
	if zs := g.named[gazdata.FoldName(q.Country)]; len(zs) > 0 && g.d.Zones[zs[0]].Code != "FR" {
		return ""
	} else if len(zs) == 0 && q.Country != "" && !strings.EqualFold(q.Country, "FR") {
		return ""
	}
	if len(q.Postcode) == 4 && q.Country == "" && g.home != "FR" {
		return ""
	}
	return post
}

// departementOf is the number of the département of a postal code. In Corsica
// postal codes do not tell the two apart.
func departementOf(post string) string {
	switch post[:2] {
	case "97", "98":
		return post[:3]
	case "20":
		return "Corse"
	}
	return post[:2]
}

// hasPost tells whether some commune has this postal code.
func (g *Gazetteer) hasPost(post string) bool {
	lo, hi, ok := postRange(post)
	return ok && g.postIndex(hi) > g.postIndex(lo)
}

// ZonesOf gives the areas of an entry that has a position and an address, the
// narrowest first. The address tells the right side of a border when its town lies near the
// position (within 15 km of its centre, or its radius); otherwise it is Zones.
func (g *Gazetteer) ZonesOf(at orb.Point, a Address, language string) []Zone {
	q := Query{City: a.City, Postcode: a.Postcode, Country: a.Country, Language: language, Limit: 5}
	if !validPoint(at) || strings.TrimSpace(a.City) == "" || q.Validate() != nil {
		return g.Zones(at, language)
	}
	for _, p := range g.locate(q) {
		if p.Zone == "" || p.Kind == KindCountry || p.Kind == KindRegion || p.Kind == KindDepartement {
			continue
		}
		if Distance(at, p.Point) < max(15e3, Distance(p.Point, orb.Point{p.Box[2], p.Box[3]})) {
			return g.ZoneChain(p.Zone, language)
		}
	}
	return g.Zones(at, language)
}

// ZonesAt gives the areas of an entry that has an address and no position, the narrowest first; nil when its town
// is not known, or could be one of several.
func (g *Gazetteer) ZonesAt(a Address, language string) []Zone {
	q := Query{City: a.City, Postcode: a.Postcode, Country: a.Country, Language: language, Limit: 5}
	if strings.TrimSpace(a.City) == "" && strings.TrimSpace(a.Postcode) == "" || q.Validate() != nil {
		return nil
	}
	found := g.locate(q)
	if len(found) == 0 || found[0].Zone == "" {
		return nil
	}
	chain := g.ZoneChain(found[0].Zone, language)
	for _, other := range found[1:] {
		if other.Name != found[0].Name && strings.TrimSpace(a.City) != "" || other.Kind == KindVillage || other.Zone == "" {
			continue // another town, that only begins like it
		}
		chain = shared(chain, g.ZoneChain(other.Zone, language))
	}
	return chain
}

// shared is what two chains have in common: what holds both.
func shared(a, b []Zone) []Zone {
	i := 0
	for ; i < len(a); i++ {
		if slices.ContainsFunc(b, func(z Zone) bool { return z.Code == a[i].Code }) {
			break
		}
	}
	return a[i:]
}
