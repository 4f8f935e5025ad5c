package searchtest

import (
	"context"
	"slices"
	"strings"
	"testing"

	"archipel/directory"
	"archipel/search"
)

// expectation is what a person expects of words.
type expectation struct {
	name  string
	text  string
	lang  string
	first []string // the first results, in any order
	all   []string // anywhere in the results
	not   []string // nowhere in the results
	only  bool     // first is everything
}

var expectations = []expectation{
	{name: "a kind of place and a town", text: "fablab lyon", first: []string{"Fablab des Pentes", "La Petite Fabrique Ouverte"}, not: []string{"FabLab Nantais", "Le Lion Vert"}},
	{name: "written apart and misspelt", text: "fab lab lion", first: []string{"Fablab des Pentes", "La Petite Fabrique Ouverte"}, not: []string{"FabLab Nantais"}},
	{name: "written apart", text: "fab lab nantes", first: []string{"FabLab Nantais"}},
	{name: "a letter is missing", text: "cowrking nantes", first: []string{"La Ruche à bureaux", "Le Grand Bureau", "Co-Working de l'Île"}, not: []string{"Fablab des Pentes"}},
	{name: "a word of many names", text: "atelier", first: []string{"L'ATELIER"}, all: []string{"L'Atelier du 9", "L'Atelier du 26", "L'atelier des collines", "Atelier Confluent", "Ateliers de la Belle Étoile"}, not: []string{"La Ruche à bureaux"}},
	{name: "without hyphen and accent", text: "saint etienne", all: []string{"Le Comptoir des Idées", "Fabrique Stéphanoise", "Le Préau", "Ruche d'Estuaire", "Ressourcerie aux Deux Sites"}, not: []string{"L'Atelier du 9"}},
	{name: "abbreviated", text: "St-Étienne", all: []string{"Le Comptoir des Idées", "Fabrique Stéphanoise", "Le Préau", "Ruche d'Estuaire", "Ressourcerie aux Deux Sites"}, not: []string{"L'Atelier du 9"}},
	{name: "abbreviated, feminine", text: "Ste Foy", first: []string{"Maison Sainte-Foy"}},
	{name: "a name with small words and a number", text: "l'atelier du 9", first: []string{"L'Atelier du 9"}},
	{name: "the same with a typographic apostrophe", text: "L’ATELIER DU 9", first: []string{"L'Atelier du 9"}},
	{name: "a town with hyphens", text: "Loos-en-Gohelle", first: []string{"Le Terril Partagé"}, only: true},
	{name: "a town that begins like another", text: "loos", all: []string{"Centre Loosien", "Le Terril Partagé"}},
	{name: "a postal code", text: "42000", first: []string{"Le Comptoir des Idées", "Fabrique Stéphanoise"}, only: true},
	{name: "the beginning of a postal code", text: "4200", all: []string{"Le Comptoir des Idées", "Fabrique Stéphanoise"}},
	{name: "a postal code is not misspelt", text: "42001", not: []string{"Le Comptoir des Idées"}},
	{name: "as one types", text: "fabl", all: []string{"Fablab des Pentes", "FabLab Nantais", "La Petite Fabrique Ouverte"}},
	{name: "written as one", text: "coworking ile", first: []string{"Co-Working de l'Île"}},
	{name: "ligature", text: "coeur drome", first: []string{"Épicerie Cœur de Drôme"}},
	{name: "only one word misspelt by two letters", text: "stefanoise", first: []string{"Fabrique Stéphanoise"}},
	{name: "plural for singular", text: "ateliers confluents", first: []string{"Atelier Confluent"}},
	{name: "category in another language", text: "food co-op", lang: "en", first: []string{"Épicerie Cœur de Drôme", "Le Lion Vert"}},
	{name: "synonym of a category", text: "makerspace lyon", first: []string{"Fablab des Pentes", "La Petite Fabrique Ouverte"}},
	{name: "abbreviation with dots", text: "amap die", first: []string{"Paniers du Diois"}},
	{name: "English", text: "bees vegetables", lang: "en", first: []string{"Common Garden"}},
	{name: "translated name", text: "jardin commun", first: []string{"Common Garden"}},
	{name: "a word of the description", text: "tramway", first: []string{"Le Grand Bureau"}, only: true},
	{name: "markup is not text", text: "example.org", not: []string{"Le Grand Bureau"}},
	{name: "a word that nothing has beside one that something has", text: "fabrique xyzzyplugh", first: []string{"Fabrique Stéphanoise", "La Petite Fabrique Ouverte"}},
	{name: "nothing", text: "xyzzyplugh", only: true},
	{name: "hidden entries and private fields", text: "zorglub", only: true},
	{name: "a hidden entry by its very name", text: "Fablab Brouillon Zorglub", not: []string{"Fablab Brouillon Zorglub"}},
	{name: "only small words", text: "la des", all: []string{}},
}

func testExpectations(t *testing.T, x search.Index) {
	for _, e := range expectations {
		t.Run(e.name, func(t *testing.T) {
			lang := e.lang
			if lang == "" {
				lang = "fr"
			}
			q := search.Query{Text: e.text, Lang: lang, Limit: 100, Highlight: true, Facets: true}
			res, err := x.Search(context.Background(), q)
			if err != nil {
				t.Fatalf("search %q: %v", e.text, err)
			}
			got := names(res.Hits)
			if e.only && len(got) != len(e.first) {
				t.Errorf("search %q: got %q, want only %q", e.text, got, e.first)
			}
			if len(got) < len(e.first) || !slices.Equal(sorted(got[:len(e.first)]), sorted(e.first)) {
				t.Errorf("search %q: got first %q, want first %q", e.text, got, e.first)
			}
			for _, want := range e.all {
				if !slices.Contains(got, want) {
					t.Errorf("search %q: got %q, want also %q", e.text, got, want)
				}
			}
			for _, not := range e.not {
				if slices.Contains(got, not) {
					t.Errorf("search %q: got %q, want no %q", e.text, got, not)
				}
			}
			for _, name := range got {
				if strings.Contains(name, "Zorglub") {
					t.Errorf("search %q: found the hidden %q", e.text, name)
				}
			}
			if res.Total != len(got) {
				t.Errorf("search %q: total %d of %d hits", e.text, res.Total, len(got))
			}
			ids, err := x.IDs(context.Background(), q)
			if err != nil {
				t.Fatalf("ids of %q: %v", e.text, err)
			}
			if !slices.Equal(sorted(Names(ids)), sorted(got)) {
				t.Errorf("ids of %q: got %q, want %q", e.text, Names(ids), got)
			}
		})
	}
}

func names(hits []search.Hit) []string {
	ids := make([]directory.ID, len(hits))
	for i, h := range hits {
		ids[i] = h.ID
	}
	return Names(ids)
}
