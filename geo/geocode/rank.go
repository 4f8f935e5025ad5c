package geocode

import (
	"cmp"
	"slices"
	"strings"

	"archipel/geo/geocode/gazdata"

	"github.com/paulmach/orb"
)

// rank orders a server's answers by how many of the query's words they say, how
// important they are, and how near the viewed area; what lies in other
// countries than those asked for is left out.
func rank(q Query, places []Place) []Place {
	words := strings.Fields(gazdata.FoldName(freeText(q)))
	near := q.Near
	if near == nil && q.View != nil {
		c := q.View.Center()
		near = &c
	}
	type scored struct {
		Place
		score float64
	}
	var list []scored
	for _, p := range places {
		if len(q.Countries) > 0 && p.Codes.Country != "" && !slices.Contains(q.Countries, p.Codes.Country) {
			continue
		}
		list = append(list, scored{p, exactness(words, p) + p.Importance + nearby(q, near, p)})
	}
	slices.SortStableFunc(list, func(a, b scored) int { return cmp.Compare(b.score, a.score) })
	out := make([]Place, len(list))
	for i, s := range list {
		out[i] = s.Place
	}
	return out
}

// exactness is up to 2: the share of the query's words that the label has, and a
// half more each for a name or a house number that is among them.
func exactness(words []string, p Place) float64 {
	if len(words) == 0 {
		return 0
	}
	label := strings.Fields(gazdata.FoldName(p.Label))
	said := 0
	for _, w := range words {
		if slices.Contains(label, w) {
			said++
		}
	}
	score := float64(said) / float64(len(words))
	name := gazdata.FoldName(p.Name)
	if whole := strings.Join(words, " "); name != "" && (whole == name || strings.HasPrefix(whole, name+" ")) {
		score += 0.5
	}
	if p.Kind == KindHouse && len(label) > 0 && slices.Contains(words, label[0]) && digitsOnly(label[0][:1]) {
		score += 0.5
	}
	return score
}

// nearby is up to 0.6.
func nearby(q Query, near *orb.Point, p Place) float64 {
	if near == nil {
		return 0
	}
	score := 0.3 / (1 + Distance(*near, p.Point)/50e3)
	if q.View != nil && q.View.Contains(p.Point) {
		score += 0.3
	}
	return score
}
