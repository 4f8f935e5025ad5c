package taxonomy

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"archipel/directory"
)

func TestDefault(t *testing.T) {
	tax := Default()
	if got := len(tax.Roots()); got < 10 {
		t.Errorf("%d roots, want at least 10", got)
	}
	if got := tax.Len() - len(tax.Roots()); got < 70 {
		t.Errorf("%d leaves, want at least 70", got)
	}
	for _, c := range tax.All() {
		if got := Contrast(c.Color); got < MinContrast {
			t.Errorf("%s: contrast %.2f with white, want %.0f", c.ID, got, MinContrast)
		}
		if c.Icon == "" {
			t.Errorf("%s: no icon", c.ID)
		}
		for _, lang := range []string{"fr", "en"} {
			if c.Label[lang] == "" {
				t.Errorf("%s: no label in %s", c.ID, lang)
			}
			if c.Parent == "" && c.Description[lang] == "" {
				t.Errorf("%s: a root without a description in %s", c.ID, lang)
			}
		}
		if len(tax.Ancestors(c.ID)) > 1 {
			t.Errorf("%s: deeper than two levels", c.ID)
		}
		// What a person or a file writes for the category leads back to it.
		for _, text := range slices.Concat([]string{c.ID, c.Label["fr"], c.Label["en"]}, c.Synonyms) {
			if got, _ := tax.Match(text); got != c.ID {
				t.Errorf("Match(%q) = %q, want %q", text, got, c.ID)
			}
		}
	}
}

// Every icon of the default has its drawing in the sprite.
func TestDefaultIcons(t *testing.T) {
	b, err := os.ReadFile("../../frontend/icons.txt")
	if err != nil {
		t.Fatal(err)
	}
	sprite := strings.Fields(string(b))
	for _, icon := range Default().Icons() {
		if !slices.Contains(sprite, icon) {
			t.Errorf("icon %q is not in frontend/icons.txt", icon)
		}
	}
}

func TestMatch(t *testing.T) {
	tax := Default()
	for text, want := range map[string]string{
		"Tiers lieux à dominante coworking": "coworking",
		"Tiers lieux à dominante fablab":    "fablab",
		"AMAP":                              "amap",
		"amaps":                             "amap",
		"Jardins partagés":                  "jardin-partage",
		"JARDIN PARTAGE":                    "jardin-partage",
		"jardin_partage":                    "jardin-partage",
		"Circuits courts":                   "circuit-court",
		"Epiceries participatives":          "epicerie-participative",
		"Recyclerie":                        "ressourcerie",
		"Ressourceries":                     "ressourcerie",
		"Repair Cafés":                      "repair-cafe",
		"Monnaies locales":                  "monnaie-locale",
		"Énergies renouvelables":            "energie-citoyenne",
		"renewable energies":                "energie-citoyenne",
		"Réseau d’échanges réciproques de savoirs": "education-populaire",
		"amenity=marketplace":                      "marche",
		" amenity = Coworking_Space ":              "coworking",
		"garden:type=community":                    "jardin-partage",
		"Alimentation > AMAP":                      "amap",
		"Économie & Finance":                       "economie",
		"Déchets":                                  "reemploi",
		"écovillages":                              "ecolieu",
		"Oeuvre":                                   "",
		"":                                         "",
		">":                                        "",
		"=":                                        "",
		"amenity=":                                 "",
		"rien de tel":                              "",
		strings.Repeat("amap ", 100):               "",
	} {
		got, ok := tax.Match(text)
		if got != want || ok != (want != "") {
			t.Errorf("Match(%.60q) = %q, %v, want %q", text, got, ok, want)
		}
	}
}

const small = `
languages: [fr, en]
categories:
  - {id: eau, label: {fr: Eau, en: Water, pt-BR: Água}, short: {en: H2O}, color: "#0369a1", icon: droplets, schema: {organisation: NGO, place: Park}}
  - {id: mare, parent: eau, label: {fr: Mare, en: Pond}, schema: {place: LandmarksOrHistoricalBuildings}}
  - {id: tetard, parent: mare, label: {fr: Têtard, en: Tadpole}, color: "#15803D", osm: [natural=water, amenity=fountain]}
  - {id: puits, parent: eau, label: {fr: Puits, en: Well}, osm: [man_made=water_well, natural=water]}
  - {id: feu, label: {fr: Feu, en: Fire}, color: "#be123c"}
  - {id: mare-feu, parent: feu, label: {fr: Mares, en: Fire pond}}
`

func TestTree(t *testing.T) {
	tax, err := Parse("small", []byte(small))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name      string
		got, want any
	}{
		{"roots", tax.Roots(), []string{"eau", "feu"}},
		{"children", tax.Children("eau"), []string{"mare", "puits"}},
		{"children of nobody", tax.Children("x"), []string(nil)},
		{"descendants", tax.Descendants("eau"), []string{"eau", "mare", "tetard", "puits"}},
		{"descendants of nobody", tax.Descendants("x"), []string(nil)},
		{"ancestors", tax.Ancestors("tetard"), []string{"mare", "eau"}},
		{"root", tax.Root("tetard"), "eau"},
		{"root of a root", tax.Root("feu"), "feu"},
		{"root of nobody", tax.Root("x"), ""},
		{"label", tax.Label("eau", "en"), "Water"},
		{"label with region", tax.Label("eau", "en-GB"), "Water"},
		{"label in the region", tax.Label("eau", "pt-BR"), "Água"},
		{"label falls back", tax.Label("eau", "de"), "Eau"},
		{"label without language", tax.Label("eau", ""), "Eau"},
		{"label of nobody", tax.Label("x", "fr"), "x"},
		{"short", tax.ShortLabel("eau", "en"), "H2O"},
		{"short falls back to the label of its language", tax.ShortLabel("eau", "fr"), "Eau"},
		{"schema own", tax.SchemaType("mare", directory.Place), "LandmarksOrHistoricalBuildings"},
		{"schema inherited", tax.SchemaType("tetard", directory.Organisation), "NGO"},
		{"schema of the kind", tax.SchemaType("tetard", directory.Event), "Event"},
		{"schema of nobody", tax.SchemaType("x", directory.Initiative), "Project"},
		{"osm", tax.OSMTags("tetard"), []string{"natural=water", "amenity=fountain"}},
		{"valid", tax.Valid("mare"), true},
		{"not valid", tax.Valid("Mare"), false},
	} {
		if !reflect.DeepEqual(c.got, c.want) {
			t.Errorf("%s: got %v, want %v", c.name, c.got, c.want)
		}
	}
	c, _ := tax.Category("mare")
	if c.Color != "#0369a1" || c.Icon != "droplets" {
		t.Errorf("mare inherits %q %q, want its parent's colour and icon", c.Color, c.Icon)
	}
	if c, _ = tax.Category("tetard"); c.Color != "#15803d" {
		t.Errorf("colour %q, want lower case", c.Color)
	}
	// The first position in a list counts more than the order of the file.
	if got, _ := tax.Match("natural=water"); got != "tetard" {
		t.Errorf("natural=water is %q, want tetard", got)
	}
	// An id and a label with the same sound in two branches: the id wins.
	if got, _ := tax.Match("mares"); got != "mare" {
		t.Errorf("mares is %q, want mare", got)
	}
}

func TestJSON(t *testing.T) {
	for name, tax := range map[string]*Taxonomy{"default": Default()} {
		b, err := json.Marshal(tax)
		if err != nil {
			t.Fatal(err)
		}
		var back Taxonomy
		if err := json.Unmarshal(b, &back); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if !reflect.DeepEqual(tax.now.Load(), back.now.Load()) {
			t.Errorf("%s: JSON does not bring the same taxonomy back", name)
		}
		if again, _ := json.Marshal(&back); !bytes.Equal(b, again) {
			t.Errorf("%s: JSON is not stable", name)
		}
	}
	items := Default().Items("en")
	if len(items) != Default().Len() || items[0].Label == "" || items[1].Color == "" {
		t.Errorf("items %+v ... are incomplete", items[:2])
	}
}

func TestProblems(t *testing.T) {
	ok := "languages: [fr]\ncategories:\n"
	for _, c := range []struct {
		name, text string
		want       []string // in this order
	}{
		{"empty", "", []string{"empty"}},
		{"not text", "\xff\xfe", []string{"UTF-8"}},
		{"broken", "categories: [", []string{"line 1"}},
		{"a list", "- a", []string{"line 1: the file: want fields"}},
		{"two documents", ok + "  - {id: a, label: {fr: A}, color: '#000000'}\n---\nlanguages: [en]\n", []string{"more than one document"}},
		{"nothing in it", "languages: []\ncategories: []", []string{"languages: missing", "line 2: categories: empty"}},
		{"unknown field", ok + "  - {id: a, label: {fr: A}, colour: '#000000'}", []string{`line 3: category "a": colour: unknown field`, "color: missing"}},
		{"several at once, in order", ok + `
  - id: Bad Id
    label: {fr: A}
    color: "#000000"
  - id: b
    color: "#ffff00"
  - id: c
    parent: nowhere
    label: {fr: C}
  - id: c
    label: {fr: C}
    color: red
`, []string{
			`line 4: category "Bad Id": id: "Bad Id": want lower-case`,
			`line 7: category "b": label: no label in "fr"`,
			`line 8: category "b": color: #ffff00 is too light`,
			`line 9: category "c": parent: no category "nowhere"`,
			`line 12: category "c": id: already used in line 9`,
			`line 14: category "c": color: "red": want "#rrggbb"`,
		}},
		{"colour without quotes", ok + "  - id: a\n    label: {fr: A}\n    color: #000000\n", []string{`line 5: category "a": color: empty: want "#rrggbb" in quotes`}},
		{"comma without quotes", ok + "  - {id: a, label: {fr: un, deux}, color: '#000000'}", []string{"label.deux: empty (put quotes"}},
		{"circle", ok + "  - {id: a, parent: c, label: {fr: A}}\n  - {id: b, parent: a, label: {fr: B}}\n  - {id: c, parent: b, label: {fr: C}}\n", []string{`line 3: category "a": parent: goes round in a circle: a -> c -> b -> a`}},
		{"own parent", ok + "  - {id: a, parent: a, label: {fr: A}}", []string{"circle: a -> a"}},
		{"below a circle", ok + "  - {id: z, parent: a, label: {fr: Z}}\n  - {id: a, parent: a, label: {fr: A}}", []string{"circle: a -> a"}},
		{"too deep", ok + `  - {id: a, label: {fr: A}, color: "#000000"}
  - {id: b, parent: a, label: {fr: B}}
  - {id: c, parent: b, label: {fr: C}}
  - {id: d, parent: c, label: {fr: D}}
  - {id: e, parent: d, label: {fr: E}}
  - {id: f, parent: e, label: {fr: F}}
`, []string{`category "f": parent: level 6`}},
		{"field twice", ok + "  - {id: a, id: b, label: {fr: A}, color: '#000000'}", []string{"id: given twice"}},
		{"same label beside it", ok + "  - {id: a, label: {fr: Un}, color: '#000000'}\n  - {id: b, label: {fr: UN}, color: '#000000'}", []string{`category "b": label.fr: "UN" is also the label of "a"`}},
		{"same synonym", ok + "  - {id: a, label: {fr: A}, color: '#000000', synonyms: [Mots clés]}\n  - {id: b, label: {fr: B}, color: '#000000', synonyms: [mot clé]}", []string{`"mot clé" also means "a"`}},
		{"bad tag, type, need, language, kind", ok + "  - {id: a, label: {fr: A, '1': B}, color: '#000000', osm: [cafe], schema: {person: Thing, place: thing}, needs: [Good Food]}",
			[]string{"osm[0]", `needs[0]`, `"1" is not a language`}},
		{"kinds", ok + "  - {id: a, label: {fr: A}, color: '#000000', schema: {person: Thing, place: thing}}", []string{"no "}},
		{"alias", ok + "  - {id: a, label: &l {fr: A}, color: '#000000'}\n  - {id: b, label: *l, color: '#000000'}", []string{"references", "no label"}},
		{"merge key", ok + "  - &x {id: a, label: {fr: A}, color: '#000000'}\n  - {<<: *x, id: b, label: {fr: B}, color: '#000000'}", []string{"references"}},
		{"category is a word", ok + "  - amap", []string{"line 3: a category: want fields"}},
		{"id is a list", ok + "  - {id: [a], label: {fr: A}, color: '#000000'}", []string{"id: want a text"}},
		{"label is a word", ok + "  - {id: a, label: Un, color: '#000000'}", []string{"label: want one text per key", "no label"}},
		{"label too long", ok + "  - {id: a, label: {fr: " + strings.Repeat("é", 81) + "}, color: '#000000'}", []string{"label.fr: longer than 80"}},
		{"control characters", ok + "  - {id: a, label: {fr: \"a\\x07\"}, color: '#000000'}", []string{"control characters"}},
		{"bad language", "languages: [français de France]\ncategories:\n  - {id: a, label: {fr: A}, color: '#000000'}", []string{"not a language tag"}},
		{"too large", strings.Repeat("#", MaxBytes+1), []string{"larger than"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Parse("f.yaml", []byte(c.text))
			if err == nil {
				t.Fatal("no error")
			}
			rest := err.Error()
			for _, w := range c.want {
				_, after, found := strings.Cut(rest, w)
				if !found {
					t.Fatalf("got\n%s\nwant, in order, %q", err, c.want)
				}
				rest = after
			}
		})
	}
}

func TestManyProblems(t *testing.T) {
	text := "languages: [fr]\ncategories:\n" + strings.Repeat("  - {label: {fr: A}}\n", 200)
	_, err := Parse("f.yaml", []byte(text))
	if err == nil || !strings.Contains(err.Error(), "and 150 more") {
		t.Errorf("got %v, want the first 50 and the number of the rest", err)
	}
}

func TestLoad(t *testing.T) {
	path := filepath.Join(t.TempDir(), "t.yaml")
	if _, err := Load(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing file: got %v", err)
	}
	if err := os.WriteFile(path, DefaultYAML(), 0o600); err != nil {
		t.Fatal(err)
	}
	tax, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(tax.now.Load(), Default().now.Load()) {
		t.Error("the written default reads differently")
	}
	if err := os.WriteFile(path, []byte("a: b"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(path); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("got %v, want an error that names the file", err)
	}
}

func TestContrast(t *testing.T) {
	for color, want := range map[string]float64{"#000000": 21, "#ffffff": 1, "#777777": 4.48, "red": 0} {
		if got := Contrast(color); got < want-.01 || got > want+.01 {
			t.Errorf("Contrast(%s) = %.3f, want %.2f", color, got, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(small))
	f.Add([]byte("languages: [fr]\ncategories:\n  - {id: a, parent: b, label: {fr: A}}\n"))
	f.Add([]byte(`{"languages":["fr"],"categories":[{"id":"a","label":{"fr":"A"},"color":"#000000"}]}`))
	// What an escape says and YAML does not read again, and fields that hold nothing.
	f.Add([]byte("languages: [fr]\ncategories: [{id: a, color: \"#000000\", label: {fr: \"x\\x80y\"}}]"))
	f.Add([]byte("languages: [fr]\ncategories: [{id: a, color: \"#000000\", label: {fr: \"x\\Ny\\uFFFEz\"}}]"))
	f.Add([]byte("languages: [fr, en]\ncategories:\n- {id: a, color: \"#000000\", label: {fr: A, en: \"a\\Lb\"}, short: {}, schema: {}, description: {fr: \"a\\n b\"}}\n" +
		"- {id: b, parent: a, former: [c, d], osm: [a=b], needs: [food], synonyms: [x, 'no'], schema: {place: Place}, label: {fr: B, en: C}}"))
	f.Fuzz(func(t *testing.T, b []byte) {
		tax, err := Parse("f", b)
		if err != nil {
			return
		}
		out, err := json.Marshal(tax)
		if err != nil {
			t.Fatal(err)
		}
		back, err := Parse("f", out)
		if err != nil {
			t.Fatalf("what was written cannot be read: %v", err)
		}
		if len(tax.All()) != tax.Len() || !reflect.DeepEqual(tax.now.Load(), back.now.Load()) {
			t.Fatalf("the tree is not whole: %d of %d", len(tax.All()), tax.Len())
		}
		if out, err = tax.YAML(); err != nil {
			t.Fatal(err)
		}
		if back, err = Parse("f", out); err != nil || !reflect.DeepEqual(tax.now.Load(), back.now.Load()) {
			t.Fatalf("the YAML is read as another: %v", err)
		}
	})
}

func FuzzMatch(f *testing.F) {
	tax := Default()
	f.Add("Jardins partagés")
	f.Add("a > b > ")
	f.Add("amenity=cafe")
	f.Fuzz(func(t *testing.T, s string) {
		id, ok := tax.Match(s)
		if ok != tax.Valid(id) {
			t.Fatalf("Match(%q) = %q, %v", s, id, ok)
		}
		if twice := Fold(Fold(s)); len(twice) > len(Fold(s)) {
			t.Fatalf("Fold(%q) grows: %q", s, twice)
		}
	})
}
