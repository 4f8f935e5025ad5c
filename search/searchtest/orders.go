package searchtest

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/paulmach/orb"

	"archipel/directory"
	"archipel/search"
)

var lyon = orb.Point{4.8357, 45.764}

func testOrders(t *testing.T, x search.Index) {
	ctx := context.Background()
	for _, sort := range []search.Sort{search.Relevance, search.Nearness, search.Date, search.Name} {
		for _, text := range []string{"", "coworking"} {
			q := search.Query{Text: text, Lang: "fr", Sort: sort, Near: &lyon, Limit: 100}
			all, err := x.Search(ctx, q)
			if err != nil {
				t.Fatalf("%s %q: %v", sort, text, err)
			}
			if len(all.Hits) != all.Total || all.Next != "" {
				t.Errorf("%s %q: %d of %d hits, next %q", sort, text, len(all.Hits), all.Total, all.Next)
			}
			var paged []search.Hit
			q.Limit = 3
			for page := 0; page < 50; page++ {
				res, err := x.Search(ctx, q)
				if err != nil {
					t.Fatalf("%s %q page %d: %v", sort, text, page, err)
				}
				paged = append(paged, res.Hits...)
				if q.After = res.Next; q.After == "" {
					break
				}
			}
			if got, want := names(paged), names(all.Hits); !slices.Equal(got, want) {
				t.Errorf("%s %q in pages: got %q, want %q", sort, text, got, want)
			}
			switch sort {
			case search.Name:
				if !slices.IsSortedFunc(all.Hits, func(a, b search.Hit) int {
					return strings.Compare(search.Key(names([]search.Hit{a})[0]), search.Key(names([]search.Hit{b})[0]))
				}) {
					t.Errorf("by name: %q", names(all.Hits))
				}
			case search.Nearness:
				last := 0.0
				for i, h := range all.Hits {
					if h.Distance >= 0 && h.Distance < last-1 || h.Distance < 0 && i < len(all.Hits)-1 && all.Hits[i+1].Distance >= 0 {
						t.Errorf("nearest first: %f after %f", h.Distance, last)
					}
					last = max(last, h.Distance)
				}
			case search.Date:
				if text != "" {
					continue
				}
				want := []string{"Marché paysan", "Fête de la Récup", "Repair Café de juin", "Fablab des Pentes"}
				if got := names(all.Hits); !slices.Equal(got[:4], want) {
					t.Errorf("by date: got %q, want first %q", got, want)
				}
			}
		}
	}
}

func testOutside(t *testing.T, x search.Index) {
	box := orb.Bound{Min: orb.Point{5.0, 44.5}, Max: orb.Point{5.6, 44.9}} // the Diois: no fablab
	res, err := x.Search(context.Background(), search.Query{Text: "fablab", Lang: "fr", BBox: &box, Categories: []string{"fablab"}})
	if err != nil {
		t.Fatal(err)
	}
	if res.Total != 0 || len(res.Hits) != 0 {
		t.Errorf("inside: got %q, want nothing", names(res.Hits))
	}
	if len(res.Outside) < 3 || !slices.Contains(names(res.Outside)[:3], "Fabrique Stéphanoise") {
		t.Errorf("outside: got %q, want the fablab of Saint-Étienne among the nearest", names(res.Outside))
	}
	for _, h := range res.Outside {
		if h.Distance < 50_000 || h.Distance > 1_000_000 {
			t.Errorf("outside: %q at %f m", names([]search.Hit{h}), h.Distance)
		}
	}
	if len(res.Without) != 1 || res.Without[0].Filter != "area" || res.Without[0].Total < 3 {
		t.Errorf("fewer filters: got %+v, want the area", res.Without)
	}
	res, err = x.Search(context.Background(), search.Query{Text: "fablab", Lang: "fr", BBox: &box})
	if err != nil || res.Spelling != "" || res.Dropped != nil {
		t.Errorf("a word that is found elsewhere is not corrected: %+v, %v", res, err)
	}
}

func testSpelling(t *testing.T, x search.Index) {
	for _, c := range []struct {
		text, spelling string
		dropped        []string
	}{
		{"cowrking nantes", "coworking nantes", nil},
		{"fab lab lion", "fab lab lyon", nil},
		{"fablab lyon", "", nil},
		{"atelier", "", nil},
		{"Fabrique xyzzyplugh", "", []string{"xyzzyplugh"}},
		{"Loos-en-Gohxlle", "Loos-en-gohelle", nil},
	} {
		res, err := x.Search(context.Background(), search.Query{Text: c.text, Lang: "fr"})
		if err != nil {
			t.Fatalf("search %q: %v", c.text, err)
		}
		if long, err := x.Search(context.Background(), search.Query{Text: c.text, Lang: "fr", Limit: search.MaxLimit}); err != nil || long.Spelling != res.Spelling || long.Total != res.Total {
			t.Errorf("a long list for %q: got %+v, %v; want spelling %q and total %d", c.text, long, err, res.Spelling, res.Total)
		}
		if res.Spelling != c.spelling {
			t.Errorf("spelling of %q: got %q, want %q", c.text, res.Spelling, c.spelling)
		}
		if !slices.Equal(res.Dropped, c.dropped) {
			t.Errorf("words left out of %q: got %q, want %q", c.text, res.Dropped, c.dropped)
		}
	}
}

func testExcerpts(t *testing.T, x search.Index) {
	for _, c := range []struct{ text, name, field, marked, within string }{
		{"fablab lyon", "Fablab des Pentes", "name", "Fablab", "Fablab des Pentes"},
		{"fablab lyon", "Fablab des Pentes", "town", "Lyon", "Lyon"},
		{"fab lab lion", "La Petite Fabrique Ouverte", "summary", "Fab|Lab", "Fab Lab associatif"},
		{"tramway", "Le Grand Bureau", "description", "tramway", "à deux pas du tramway."},
		{"épicerie drôme", "Épicerie Cœur de Drôme", "name", "Épicerie|Drôme", "Épicerie Cœur de Drôme"},
		{"l'atelier", "L'Atelier du 9", "name", "Atelier", "L'Atelier du 9"},
		{"legume", "Paniers du Diois", "summary", "légumes", "légumes, fromages"},
	} {
		res, err := x.Search(context.Background(), search.Query{Text: c.text, Lang: "fr", Highlight: true, Limit: 50})
		if err != nil {
			t.Fatalf("search %q: %v", c.text, err)
		}
		found := false
		for _, h := range res.Hits {
			for _, e := range h.Excerpts {
				last := 0
				var marked []string
				for _, m := range e.Marks {
					if m.Start < last || m.End <= m.Start || m.End > len(e.Text) || !utf8.ValidString(e.Text[m.Start:m.End]) {
						t.Fatalf("search %q: marks %v in %q", c.text, e.Marks, e.Text)
					}
					last = m.End
					marked = append(marked, e.Text[m.Start:m.End])
				}
				if len(marked) == 0 {
					t.Errorf("search %q: an excerpt without marks: %q", c.text, e.Text)
				}
				if h.ID == ID(c.name) && e.Field == c.field {
					found = true
					if got := strings.Join(marked, "|"); got != c.marked || !strings.Contains(e.Text, c.within) {
						t.Errorf("search %q: %s of %q: got %q in %q, want %q in %q", c.text, c.field, c.name, got, e.Text, c.marked, c.within)
					}
				}
			}
		}
		if !found {
			t.Errorf("search %q: no excerpt of the %s of %q", c.text, c.field, c.name)
		}
	}
}

func testComplete(t *testing.T, x search.Index) {
	for _, c := range []struct {
		text, lang string
		categories []string // all of them, in order
		first      string   // entry
	}{
		{"fab", "fr", []string{"fablab"}, "Fablab des Pentes"},
		{"fabl", "fr", []string{"fablab"}, "Fablab des Pentes"},
		{"cow", "fr", []string{"coworking"}, "Co-Working de l'Île"},
		{"espace de cow", "fr", []string{"coworking"}, ""},
		{"jardin par", "fr", []string{"garden"}, ""},
		{"communty", "en", []string{"garden", "amap"}, ""},
		{"atelier du 9", "fr", nil, "L'Atelier du 9"},
		{"fablab nan", "fr", nil, "FabLab Nantais"},
		{"ruche estu", "fr", nil, "Ruche d'Estuaire"},
		{"stephamo", "fr", nil, "Fabrique Stéphanoise"},
		{"zorglub", "fr", nil, ""},
		{"", "fr", nil, ""},
		{"\x00\"'", "fr", nil, ""},
	} {
		got, err := x.Complete(context.Background(), search.Completion{Text: c.text, Lang: c.lang, Near: &lyon})
		if err != nil {
			t.Fatalf("complete %q: %v", c.text, err)
		}
		var cats []string
		for _, k := range got.Categories {
			cats = append(cats, k.Value)
			if k.N == 0 {
				t.Errorf("complete %q: category %s has no entries", c.text, k.Value)
			}
		}
		if c.categories != nil && !sameSet(cats, c.categories) {
			t.Errorf("complete %q: got categories %q, want %q", c.text, cats, c.categories)
		}
		var entries []string
		for _, m := range got.Entries {
			entries = append(entries, m.Name)
			if strings.Contains(m.Name, "Zorglub") {
				t.Errorf("complete %q: the hidden %q", c.text, m.Name)
			}
			if e := ID(m.Name); e != m.ID || m.Kind == "" {
				t.Errorf("complete %q: got %+v, want id %s", c.text, m, e)
			}
		}
		if c.first != "" && (len(entries) == 0 || entries[0] != c.first) && !(len(entries) > 1 && len(c.text) < 5 && slices.Contains(entries, c.first)) {
			t.Errorf("complete %q: got entries %q, want %q", c.text, entries, c.first)
		}
		if c.first == "" && c.categories == nil && len(entries) > 0 {
			t.Errorf("complete %q: got entries %q, want none", c.text, entries)
		}
	}
	var bad directory.Invalid
	if _, err := x.Complete(context.Background(), search.Completion{Text: "a", Limit: 51}); !errors.As(err, &bad) || bad[0].Field != "limit" {
		t.Errorf("complete with limit 51: got %v, want a problem with limit", err)
	}
}

func sameSet(a, b []string) bool { return slices.Equal(sorted(a), sorted(b)) }
