package searchtest

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/paulmach/orb"

	"archipel/directory"
)

// Taxonomy is a small tree of categories.
type Taxonomy struct{}

var labels = map[string][]string{
	"shared-places": {"Lieux partagés", "Shared places", "Tiers-lieu"},
	"coworking":     {"Espace de coworking", "Coworking space", "Bureaux partagés"},
	"fablab":        {"Fablab", "Atelier de fabrication numérique", "Makerspace"},
	"workshop":      {"Atelier partagé", "Shared workshop"},
	"food":          {"Alimentation", "Food"},
	"amap":          {"AMAP", "Community supported agriculture", "Paniers paysans"},
	"grocery":       {"Épicerie associative", "Food co-op"},
	"garden":        {"Jardin partagé", "Community garden"},
	"events":        {"Rendez-vous", "Events"},
}

var parents = map[string]string{
	"coworking": "shared-places", "fablab": "shared-places", "workshop": "shared-places",
	"amap": "food", "grocery": "food", "garden": "food",
}

// Labels returns the names of a category.
func (Taxonomy) Labels(id string) []string { return labels[id] }

// Ancestors returns the categories above it.
func (Taxonomy) Ancestors(id string) []string {
	if p := parents[id]; p != "" {
		return []string{p}
	}
	return nil
}

// Zoner puts every position into France, and some into a département; without a position the postal code tells.
type Zoner struct{}

// Zones names the zones of an entry.
func (Zoner) Zones(e *directory.Entry) (zones []string) {
	for _, p := range e.Sites {
		zones = append(zones, zonesAt(p)...)
	}
	if a := e.Address; len(e.Sites) == 0 && a != nil && len(a.PostalCode) == 5 {
		zones = append(zones, "FR", "FR-"+a.PostalCode[:2])
	}
	return zones
}

func zonesAt(p orb.Point) []string {
	z := []string{"FR"}
	switch {
	case p[0] > 4.6 && p[0] < 5.2 && p[1] > 45.5 && p[1] < 46:
		z = append(z, "FR-69")
	case p[0] > 3.9 && p[0] < 4.6 && p[1] > 45.2 && p[1] < 45.7:
		z = append(z, "FR-42")
	case p[0] < -1.3 && p[0] > -2 && p[1] > 47 && p[1] < 47.5:
		z = append(z, "FR-44")
	}
	return z
}

// ID is the id of the fixture's entry with a name.
func ID(name string) directory.ID {
	return directory.ID(uuid.NewSHA1(uuid.Nil, []byte(name)).String())
}

// Day is when the fixture takes place.
var Day = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

func place(name, category, street, code, town string, lon, lat float64) directory.Entry {
	e := directory.Entry{
		ID: ID(name), Kind: directory.Place, Name: name, Lang: "fr", Status: directory.Published,
		Address: &directory.Address{Street: street, PostalCode: code, Locality: town, Country: "FR"},
		Updated: Day, Created: Day,
	}
	if category != "" {
		e.Categories = strings.Split(category, " ")
	}
	if lon != 0 {
		e.Sites = []orb.Point{{lon, lat}}
	}
	return e
}

func event(name, rule string, start time.Time, hours int, town string, lon, lat float64) directory.Entry {
	e := place(name, "events", "", "", town, lon, lat)
	e.Kind = directory.Event
	e.Event = &directory.Schedule{Start: start, End: start.Add(time.Duration(hours) * time.Hour), Timezone: "Europe/Paris", RRule: rule}
	return e
}

// Fixture returns the entries that the expectations are about: shared places as a regional list has them, with the
// spellings that people use.
func Fixture() []directory.Entry {
	with := func(e directory.Entry, change func(e *directory.Entry)) directory.Entry {
		change(&e)
		return e
	}
	list := []directory.Entry{
		place("Fablab des Pentes", "fablab", "12 montée de la Grande-Côte", "69001", "Lyon", 4.8305, 45.7712),
		with(place("La Petite Fabrique Ouverte", "fablab", "40 boulevard des Canuts", "69004", "Lyon", 4.8271, 45.7785), func(e *directory.Entry) {
			e.Summary = "Fab Lab associatif : imprimantes 3D, découpe laser et machines à coudre."
		}),
		place("Atelier Confluent", "workshop", "3 quai Rambaud", "69002", "Lyon", 4.8165, 45.7431),
		place("Cowork'in Lyon Part-Dieu", "coworking", "8 rue Garibaldi", "69003", "Lyon", 4.8532, 45.7604),
		place("FabLab Nantais", "fablab", "7 rue de la Noue Bras de Fer", "44200", "Nantes", -1.5611, 47.2051),
		place("La Ruche à bureaux", "coworking", "2 allée de l'Erdre", "44000", "Nantes", -1.5536, 47.2184),
		place("Co-Working de l'Île", "", "15 boulevard de la Prairie", "44200", "Nantes", -1.5502, 47.2066),
		with(place("Le Grand Bureau", "coworking", "1 place du Commerce", "44000", "Nantes", -1.5589, 47.2137), func(e *directory.Entry) {
			e.Description = "## Bienvenue\n\nUn [espace](https://example.org) calme, à **deux pas** du tramway. On y répare aussi les vélos."
			e.Tags = []string{"vélo", "calme"}
		}),
		place("Le Lion Vert", "grocery", "5 rue du Port", "49220", "Le Lion-d'Angers", -0.7117, 47.6301),
		place("Mantes Coworking", "coworking", "10 rue Gambetta", "78200", "Mantes-la-Jolie", 1.7169, 48.9907),
		place("L'Atelier du 9", "coworking", "9 rue du Moulin", "62280", "Saint-Martin-Boulogne", 1.6182, 50.7265),
		place("L'Atelier du 26", "coworking", "26 rue des Lilas", "31300", "Toulouse", 1.4281, 43.5962),
		place("L'atelier des collines", "coworking", "Esplanade des Arts", "04100", "Manosque", 5.7861, 43.8318),
		place("L'ATELIER", "coworking", "100 avenue des Minimes", "31500", "Toulouse", 1.4641, 43.5951),
		with(place("Ateliers de la Belle Étoile", "workshop", "4 rue du Four", "35000", "Rennes", -1.6757, 48.1124), func(e *directory.Entry) {
			e.Tags = []string{"Compost", "vélo"}
		}),
		place("Le Comptoir des Idées", "coworking", "7 place du Peuple", "42000", "Saint-Étienne", 4.3871, 45.4397),
		place("Fabrique Stéphanoise", "fablab", "5 rue de la Badouillère", "42000", "St-Etienne", 4.3886, 45.4351),
		place("Le Préau", "coworking", "Le Village", "07200", "Saint-Étienne-de-Boulogne", 4.459, 44.7017),
		place("Ruche d'Estuaire", "coworking", "La Croix", "44360", "St Étienne de Montluc", -1.7794, 47.2766),
		place("Le Terril Partagé", "coworking", "1 rue de la Fosse 11", "62750", "Loos-en-Gohelle", 2.7928, 50.4576),
		place("Centre Loosien", "coworking", "4 rue du Maréchal", "59120", "Loos", 3.0155, 50.6112),
		place("Maison Sainte-Foy", "garden", "2 chemin du Vallon", "69110", "Sainte-Foy-lès-Lyon", 4.7957, 45.7334),
		place("AMAP des Trois Rivières", "amap", "", "26400", "Crest", 5.0225, 44.7286),
		with(place("Paniers du Diois", "amap", "", "26150", "Die", 5.3701, 44.7534), func(e *directory.Entry) {
			e.Summary = "Une A.M.A.P. de montagne : légumes, fromages et pain."
			e.Tags = []string{"compost", "légumes"}
		}),
		place("Épicerie Cœur de Drôme", "grocery", "Grande Rue", "26340", "Saillans", 5.1947, 44.6951),
		with(place("Common Garden", "garden", "", "", "Crest", 5.0213, 44.7301), func(e *directory.Entry) {
			e.Lang, e.Summary = "en", "Neighbours growing vegetables together, with beehives and a library of tools."
			e.Translations = map[string]directory.Translation{"fr": {Name: "Jardin Commun", Summary: "Des voisines cultivent ensemble."}}
		}),
		with(place("Réseau des Communs", "", "", "", "", 0, 0), func(e *directory.Entry) {
			e.Kind = directory.Organisation
			e.Summary = "Met en lien les lieux partagés de la vallée ; sans adresse fixe."
			e.Area = &directory.Area{Zones: []string{"FR-26"}}
		}),
		with(place("Ressourcerie aux Deux Sites", "workshop", "", "42100", "Saint-Étienne", 4.3903, 45.4212), func(e *directory.Entry) {
			e.Sites = append(e.Sites, orb.Point{4.0702, 46.0351}) // Roanne
		}),
		with(place("Initiative Rivière Vivante", "", "", "", "Die", 5.3722, 44.7511), func(e *directory.Entry) {
			e.Kind = directory.Initiative
		}),
		place("Tiers-lieu du Taveuni", "shared-places", "", "", "Taveuni", 179.98, -16.85),
		place("Lavena Lodge", "shared-places", "", "", "Lavena", -179.88, -16.86),
		event("Fête de la Récup", "", Day.AddDate(0, 0, 5), 8, "Crest", 5.0225, 44.7286),
		event("Marché paysan", "FREQ=WEEKLY;BYDAY=SA", time.Date(2025, 1, 4, 8, 0, 0, 0, time.UTC), 4, "Die", 5.3701, 44.7534),
		event("Assemblée passée", "", Day.AddDate(0, -2, 0), 2, "Lyon", 4.8357, 45.764),
		event("Repair Café de juin", "", Day.AddDate(0, 1, 0), 3, "Lyon", 4.8357, 45.764),
	}
	hidden := func(name string, status directory.Status) directory.Entry {
		return with(place(name, "fablab", "1 rue Secrète", "69001", "Lyon", 4.83, 45.77), func(e *directory.Entry) { e.Status = status })
	}
	list = append(list,
		hidden("Fablab Brouillon Zorglub", directory.Draft), hidden("Fablab Attente Zorglub", directory.Pending),
		hidden("Fablab Caché Zorglub", directory.Hidden), hidden("Fablab Retiré Zorglub", directory.Removed))
	for i := range list {
		list[i].Updated = Day.Add(-time.Duration(i) * time.Hour)
		list[i].Private = &directory.Private{Email: "zorglub@example.org", Note: "zorglub", Owners: []string{"zorglub"}}
	}
	return list
}

// Names returns the names of entries in the order of ids.
func Names(ids []directory.ID) []string {
	names := map[directory.ID]string{}
	for _, e := range Fixture() {
		names[e.ID] = e.Name
	}
	out := make([]string, len(ids))
	for i, id := range ids {
		if out[i] = names[id]; out[i] == "" {
			out[i] = fmt.Sprintf("unknown %s", id)
		}
	}
	return out
}

func sorted(s []string) []string { return slices.Sorted(slices.Values(s)) }
