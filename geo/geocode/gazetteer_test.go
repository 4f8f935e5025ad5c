package geocode

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"

	"archipel/geo/geocode/gazdata"

	"github.com/paulmach/orb"
)

// france is the embedded gazetteer, unpacked once for all tests.
var france = sync.OnceValue(func() *Gazetteer {
	g, err := NewGazetteer("FR")
	if err != nil {
		panic(err)
	}
	return g
})

func TestCompleteFirst(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ text, label string }{
		{"Saillans", "Saillans (26)"},
		{"saillans (26)", "Saillans (26)"},
		{"Saillans 33", "Saillans (33)"},
		{"Sailans", "Saillans (26)"},
		{"Saillnas", "Saillans (26)"},
		{"Saillanss", "Saillans (26)"},
		{"Zaillans", "Saillans (26)"},
		{"Le Mené", "Le Mené (22)"},
		{"le mene", "Le Mené (22)"},
		{"Mené", "Le Mené (22)"},
		{"UNGERSHEIM", "Ungersheim (68)"},
		{"Ungersheim Haut-Rhin", "Ungersheim (68)"},
		{"Loos-en-Gohelle", "Loos-en-Gohelle (62)"},
		{"loos en gohelle", "Loos-en-Gohelle (62)"},
		{"Loos en Gohele", "Loos-en-Gohelle (62)"},
		{"Saint-Étienne", "Saint-Étienne (42)"},
		{"Saint-E\u0301tienne", "Saint-Étienne (42)"},
		{"saint etienne", "Saint-Étienne (42)"},
		{"St-Étienne", "Saint-Étienne (42)"},
		{"st. etienne", "Saint-Étienne (42)"},
		{"saintetienne", "Saint-Étienne (42)"},
		{"Ste-Foy-lès-Lyon", "Sainte-Foy-lès-Lyon (69)"},
		{"42000", "Saint-Étienne (42)"},
		{"42000 St Etienne", "Saint-Étienne (42)"},
		{"Saint-Étienne, Loire, France", "Saint-Étienne (42)"},
		{"42", "Loire (42)"},
		{"2a", "Corse-du-Sud (2A)"},
		{"971", "Guadeloupe (971)"},
		{"Loire", "Loire (42)"},
		{"Loire (42)", "Loire (42)"},
		{"drome", "Drôme (26)"},
		{"Auvergne-Rhône-Alpes", "Auvergne-Rhône-Alpes"},
		{"rhone alpes", "Auvergne-Rhône-Alpes"},
		{"FR-ARA", "Auvergne-Rhône-Alpes"},
		{"PACA", "Provence-Alpes-Côte d'Azur"},
		{"l'hay les roses", "L'Haÿ-les-Roses (94)"},
		{"L’Haÿ", "L'Haÿ-les-Roses (94)"},
		{"Paris", "Paris (75)"},
		{"Lyon 3", "Lyon 3e Arrondissement (69)"},
		{"75011", "Paris (75)"},
		{"Lutèce", "Paris (75)"},
		{"Collinée", "Collinée, Le Mené (22)"},
		{"Bruxelles", "Bruxelles (Belgique)"},
		{"31062 Toulouse", "Toulouse (31)"},
		{"1000 Bruxelles", "Bruxelles (Belgique)"},
		{"brussels", "Bruxelles (Belgique)"},
		{"Londres", "Londres (Royaume-Uni)"},
		{"Köln", "Cologne (Allemagne)"},
		{"Москва", "Moscou (Russie)"},
		{"東京", "Tokyo (Japon)"},
		{"Belgique", "Belgique"},
		{"Germany", "Allemagne"},
		{"Grenobe", "Grenoble (38)"},
		{"Cayenne", "Cayenne (973)"},
		{"Nouméa", "Nouméa (988)"},
	} {
		found := france().Complete(Query{Text: tc.text, Language: "fr"})
		if len(found) == 0 || found[0].Label != tc.label {
			t.Errorf("Complete(%q): got %q, want %q first", tc.text, labels(found), tc.label)
		}
	}
}

func labels(places []Place) []string {
	var list []string
	for _, p := range places {
		list = append(list, p.Label)
	}
	return list
}

func TestCompleteWhileTyping(t *testing.T) {
	t.Parallel()
	// Every beginning of a name, from four letters, must offer the town.
	for _, name := range []string{"Saint-Étienne", "Loos-en-Gohelle", "Ungersheim", "Marseille", "Auvergne-Rhône-Alpes", "Le Mené"} {
		runes := []rune(name)
		for n := 4; n <= len(runes); n++ {
			text := string(runes[:n])
			found := france().Complete(Query{Text: text, Language: "fr", Limit: 10})
			if !slices.ContainsFunc(found, func(p Place) bool { return p.Name == name }) {
				t.Errorf("Complete(%q): got %q, want %s among them", text, labels(found), name)
			}
		}
	}
}

func TestCompletePlace(t *testing.T) {
	t.Parallel()
	got := france().Complete(Query{Text: "saint étienne", Language: "fr"})[0]
	if d := Distance(got.Point, orb.Point{4.39, 45.434}); d > 500 {
		t.Errorf("Saint-Étienne is %v, %.0f m away", got.Point, d)
	}
	if !got.Box.Contains(got.Point) || got.Box[2]-got.Box[0] > 0.3 || got.Box[2]-got.Box[0] < 0.05 {
		t.Errorf("Saint-Étienne's box is %v", got.Box)
	}
	c := got.Codes
	if c.INSEE != "42218" || c.Departement != "42" || c.Region != "84" || c.Country != "FR" || !slices.Contains(c.Postcodes, "42100") {
		t.Errorf("Saint-Étienne's codes are %+v", c)
	}
	if got.Zone != "FR-42218" || got.Kind != KindCommune || got.Approximate || got.Source != "gazetteer" {
		t.Errorf("Saint-Étienne is %+v", got)
	}
	loire := france().Complete(Query{Text: "Loire", Language: "fr"})[0]
	// The département goes from 44°14' to 46°17' N and 3°41' to 4°46' E: the
	// computed extent must be near that.
	for i, want := range []float64{3.69, 45.23, 4.76, 46.28} {
		if math.Abs(loire.Box[i]-want) > 0.12 {
			t.Errorf("Loire's box is %v: side %d is far from %v", loire.Box, i, want)
		}
	}
	if loire.Kind != KindDepartement || loire.Zone != "FR-42" {
		t.Errorf("Loire is %+v", loire)
	}
	small := france().Complete(Query{Text: "Saillans 33", Language: "fr"})[0]
	if !small.Approximate {
		t.Errorf("a commune that nothing locates must be approximate: %+v", small)
	}
}

func TestCompleteNearAndCountries(t *testing.T) {
	t.Parallel()
	g := france()
	bordeaux, drome := orb.Point{-0.57, 44.84}, orb.Point{5.1, 44.7}
	if got := g.Complete(Query{Text: "Saillans", Near: &bordeaux})[0].Label; got != "Saillans (33)" {
		t.Errorf("near Bordeaux: got %s", got)
	}
	if got := g.Complete(Query{Text: "Saillans", Near: &drome})[0].Label; got != "Saillans (26)" {
		t.Errorf("near Valence: got %s", got)
	}
	view := Box{-74, 45, -73, 46}
	if got := g.Complete(Query{Text: "saint je", View: &view, Countries: []string{"ca"}})[0]; got.Codes.Country != "CA" {
		t.Errorf("only in Canada: got %s", got.Label)
	}
	for _, p := range g.Complete(Query{Text: "val", Countries: []string{"BE", "CH"}}) {
		if p.Codes.Country != "BE" && p.Codes.Country != "CH" {
			t.Errorf("only in Belgium and Switzerland: got %s", p.Label)
		}
	}
	if got := g.Complete(Query{Text: "42000", Countries: []string{"BE"}}); len(got) != 0 {
		t.Errorf("a French postal code in Belgium: got %q", labels(got))
	}
	if got := g.Complete(Query{Text: "Bruxelles", Language: "en"})[0].Label; got != "Brussels (Belgium)" {
		t.Errorf("in English: got %s", got)
	}
}

func TestBadText(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"empty": "", "blank": " \t\n", "letter": "s", "digits": "99999999", "long": strings.Repeat("a", 10000),
		"control": "sa\x00\x01\x7fill\u0085ans", "broken": "sa\xff\xfeillans", "rtl": "\u202eمرسيليا\u202c", "hebrew": "פריז", "emoji": "🏡🌻 🎉",
		"operators": `name:"x" OR (a AND b) ~2 ^3 [1 TO 2] {*} \/ +-!&&||`, "quote": `"'`, "zalgo": "S\u0301\u0302\u0303\u0304aint", "zero": "\x00",
		"wide": "ＰＡＲＩＳ", "words": strings.Repeat("a ", 100), "dashes": "-----", "percent": "%00%s%n", "hangul": "서울",
	} {
		got := france().Complete(Query{Text: text, Language: "fr"})
		if len(got) > DefaultLimit {
			t.Errorf("%s: %d answers", name, len(got))
		}
		_, err := france().Search(context.Background(), Query{Text: text, Language: "fr"})
		if err != nil && !errors.Is(err, ErrNotFound) && !errors.Is(err, ErrBadQuery) {
			t.Errorf("%s: Search: %v", name, err)
		}
		if (name == "long" || name == "empty" || name == "broken") && !errors.Is(err, ErrBadQuery) {
			t.Errorf("%s: Search: got %v, want a bad query", name, err)
		}
	}
	if got := france().Complete(Query{Text: "sa\x00illans"}); len(got) != 0 && got[0].Name == "" {
		t.Errorf("an answer without a name: %+v", got)
	}
	if got := france().Complete(Query{Text: "ＰＡＲＩＳ"}); len(got) == 0 || got[0].Name != "Paris" {
		t.Errorf("full-width letters: got %q", labels(got))
	}
}

func TestQueryErrorsNameTheField(t *testing.T) {
	t.Parallel()
	far := orb.Point{200, 0}
	nan := orb.Point{math.NaN(), 0}
	for field, q := range map[string]Query{
		"text":      {Text: "x", City: "y"},
		"street":    {Street: strings.Repeat("x", 301)},
		"limit":     {Text: "x", Limit: 51},
		"near":      {Text: "x", Near: &far},
		"view":      {Text: "x", View: &Box{0, 1, 0, 0}},
		"countries": {Text: "x", Countries: []string{"France"}},
		"language":  {Text: "x", Language: "fr&x=1"},
	} {
		var bad *QueryError
		if err := q.Validate(); !errors.As(err, &bad) || bad.Field != field || !errors.Is(err, ErrBadQuery) {
			t.Errorf("%s: got %v", field, err)
		}
	}
	if err := (&Query{Text: "x", Near: &nan}).Validate(); !errors.Is(err, ErrBadQuery) {
		t.Errorf("a position that is not a number: got %v", err)
	}
}

func TestGazetteerSearchAddress(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		q    Query
		want string
	}{
		{Query{Street: "12 rue du Port", City: "Saillans", Postcode: "26340", Country: "France"}, "Saillans (26)"},
		{Query{Street: "1 rue X", Postcode: "42000"}, "Saint-Étienne (42)"},
		{Query{City: "Nulpart-les-Oies", Postcode: "62750"}, "Loos-en-Gohelle (62)"},
		{Query{City: "Toulouse", Postcode: "31062"}, "Toulouse (31)"},                  // an office's code, and a commune's number
		{Query{City: "Saint-Malo", Postcode: "35280"}, "Saint-Malo (35)"},              // another town's code
		{Query{City: "Narbonne", Postcode: "11000"}, "Narbonne (11)"},                  // the same
		{Query{City: "Ambérieu-en-Bugey", Postcode: "1500"}, "Ambérieu-en-Bugey (01)"}, // the zero lost
		{Query{City: "Ajaccio", Postcode: "20090"}, "Ajaccio (2A)"},
		{Query{City: "Bastia Cedex", Postcode: "20200"}, "Bastia (2B)"},
		{Query{City: "LYON CEDEX 03", Postcode: "69003"}, "Lyon (69)"},
		{Query{City: "Paris 11e", Postcode: "75011"}, "Paris 11e Arrondissement (75)"},
		{Query{City: "ungersheim", Country: "FR"}, "Ungersheim (68)"},
		{Query{Street: "Rue de la Loi 16", City: "Bruxelles", Postcode: "1000", Country: "Belgique"}, "Bruxelles (Belgique)"},
	} {
		tc.q.Language = "fr"
		got, err := france().Search(context.Background(), tc.q)
		if err != nil || got[0].Label != tc.want {
			t.Errorf("%+v: got %q, %v, want %s", tc.q, labels(got), err, tc.want)
			continue
		}
		if tc.q.Street != "" && !got[0].Approximate {
			t.Errorf("%+v: a town standing for an address must be approximate", tc.q)
		}
	}
	if _, err := france().Search(context.Background(), Query{Street: "rue du Port"}); !errors.Is(err, ErrNotFound) {
		t.Errorf("a street alone: got %v", err)
	}
}

// TestEveryTownIsFound types the name of every commune, as it is written and as
// people type it, with its département's number.
func TestEveryTownIsFound(t *testing.T) {
	t.Parallel()
	g := france()
	missed := 0
	for _, i := range g.insee {
		if g.d.Kind[i] != gazdata.Commune || (testing.Short() || racing) && i%20 != 0 {
			continue
		}
		want := g.place(int(i), -1, "fr")
		for _, text := range []string{want.Label, strings.ToUpper(want.Name) + " " + want.Codes.Departement,
			strings.ReplaceAll(strings.ToLower(" "+want.Name), " saint-", " st ") + ", " + want.Codes.Departement} {
			found := g.Complete(Query{Text: text, Language: "fr", Limit: 5})
			// Some départements have two communes of one name.
			if len(found) == 0 || found[0].Label != want.Label && gazdata.FoldName(found[0].Label) != gazdata.FoldName(want.Label) && found[0].Zone != want.Zone {
				missed++
				if missed < 20 {
					t.Errorf("%q: got %q", text, labels(found))
				}
			}
		}
	}
	if missed > 0 {
		t.Errorf("%d missed", missed)
	}
}
