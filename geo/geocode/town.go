package geocode

import "archipel/geo/geocode/gazdata"

// locate answers an address in parts with the towns it may lie in: the first
// of these that finds something.
func (g *Gazetteer) locate(q Query) []Place {
	french := len(q.Postcode) == 5 && digitsOnly(q.Postcode)
	if zs := g.named[gazdata.FoldName(q.Country)]; len(zs) > 0 {
		french = french && g.d.Zones[zs[0]].Code == "FR"
	} else if q.Country != "" {
		french = french && (q.Country == "FR" || q.Country == "fr")
	}
	var texts []string
	if q.City != "" && french {
		texts = append(texts, q.Postcode+" "+q.City)
	}
	if q.City != "" && q.Country != "" {
		texts = append(texts, q.City+" "+q.Country)
	}
	if french {
		texts = append(texts, q.Postcode)
	}
	if q.City != "" {
		texts = append(texts, q.City)
	} else if q.Country != "" && q.Street == "" && q.Postcode == "" {
		texts = append(texts, q.Country)
	}
	for _, text := range texts {
		ask := q
		ask.Text, ask.Street, ask.City, ask.Postcode, ask.Country = text, "", "", "", ""
		if found := g.complete(ask); len(found) > 0 {
			if q.Street != "" {
				for i := range found {
					found[i].Approximate = true
				}
			}
			return found
		}
	}
	return nil
}
