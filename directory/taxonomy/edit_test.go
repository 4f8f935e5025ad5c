package taxonomy

import (
	"errors"
	"slices"
	"testing"
)

const fewCategories = `
languages: [fr, en]
categories:
  - {id: food, label: {fr: Manger, en: Food}, color: "#4d7c0f", synonyms: [Repas]}
  - {id: amap, parent: food, label: {fr: AMAP, en: CSA}, osm: [shop=farm], synonyms: [Paniers]}
  - {id: shop, parent: food, label: {fr: Magasin, en: Shop}}
  - {id: csa-old, parent: amap, label: {fr: Solawi, en: Solawi}, former: [very-old]}
  - {id: energy, label: {fr: Énergie, en: Energy}, color: "#b91c1c"}
`

func parsed(t *testing.T) *Taxonomy {
	t.Helper()
	tax, err := Parse("small", []byte(fewCategories))
	if err != nil {
		t.Fatal(err)
	}
	return tax
}

func TestFormerIds(t *testing.T) {
	tax := parsed(t)
	if !tax.Valid("very-old") || tax.Current("very-old") != "csa-old" || tax.Label("very-old", "fr") != "Solawi" || tax.Root("very-old") != "food" {
		t.Error("a former id does not stand for its category")
	}
	if id, ok := tax.Match("very-old"); !ok || id != "csa-old" {
		t.Errorf("Match: %q", id)
	}
	if got := tax.Under("amap"); !slices.Equal(got, []string{"amap", "csa-old", "very-old"}) {
		t.Errorf("Under: %v", got)
	}
	if got := tax.Ancestors("very-old"); !slices.Equal(got, []string{"csa-old", "amap", "food"}) {
		t.Errorf("Ancestors: %v", got)
	}
	if got := tax.Descendants("amap"); slices.Contains(got, "very-old") {
		t.Errorf("a former id is offered: %v", got)
	}
	for name, file := range map[string]string{
		"that is a category": "languages: [fr]\ncategories:\n  - {id: a, label: {fr: A}, color: \"#4d7c0f\", former: [b]}\n  - {id: b, label: {fr: B}, parent: a}",
		"of two categories":  "languages: [fr]\ncategories:\n  - {id: a, label: {fr: A}, color: \"#4d7c0f\", former: [x]}\n  - {id: b, label: {fr: B}, parent: a, former: [x]}",
		"that is no id":      "languages: [fr]\ncategories:\n  - {id: a, label: {fr: A}, color: \"#4d7c0f\", former: [A B]}",
	} {
		if _, err := Parse("x", []byte(file)); !errors.As(err, new(*Error)) {
			t.Errorf("a former id %s: %v", name, err)
		}
	}
}

func TestEdits(t *testing.T) {
	tax := parsed(t)
	before := tax.Stamp()
	c, _ := tax.Written("amap")
	c.Label = map[string]string{"fr": "Amap", "en": "CSA"}
	c.Parent = "energy"
	moved, err := tax.With(c)
	if err != nil || moved.Root("csa-old") != "energy" || moved.Label("amap", "fr") != "Amap" || tax.Label("amap", "fr") != "AMAP" || tax.Stamp() != before {
		t.Errorf("renamed and moved: %v", err)
	}
	c.Parent = "csa-old"
	if _, err := tax.With(c); !errors.As(err, new(*Error)) {
		t.Errorf("below itself: %v", err)
	}
	order, err := tax.Moved("shop", false)
	if err != nil || !slices.Equal(order.Children("food"), []string{"shop", "amap"}) {
		t.Errorf("up: %v %v", order.Children("food"), err)
	}
	if same, err := order.Moved("shop", false); err != nil || same.Stamp() != order.Stamp() {
		t.Errorf("the first cannot go up: %v", err)
	}

	merged, err := tax.Without("amap", "shop")
	if err != nil {
		t.Fatal(err)
	}
	if merged.Current("amap") != "shop" || merged.Current("very-old") != "csa-old" || !slices.Equal(merged.Children("shop"), []string{"csa-old"}) {
		t.Errorf("merged: %s, children %v", merged.Current("amap"), merged.Children("shop"))
	}
	for _, word := range []string{"AMAP", "Paniers", "shop=farm", "CSA"} {
		if id, _ := merged.Match(word); id != "shop" {
			t.Errorf("%q means %q", word, id)
		}
	}
	twice, err := merged.Without("shop", "energy")
	if err != nil || twice.Current("amap") != "energy" || !slices.Contains(twice.Under("energy"), "amap") || twice.Root("csa-old") != "energy" {
		t.Errorf("merged twice: %v", err)
	}
	// Into one that is below it.
	below, err := tax.Without("amap", "csa-old")
	if err != nil || below.Current("amap") != "csa-old" || !slices.Equal(below.Ancestors("csa-old"), []string{"food"}) {
		t.Errorf("into its child: %v", err)
	}
	gone, err := tax.Without("food", "")
	if err != nil || gone.Valid("food") || !slices.Contains(gone.Roots(), "amap") || gone.Current("food") != "food" {
		t.Errorf("without a root: %v", err)
	}

	tax.Replace(merged)
	if tax.Valid("amap") != true || tax.Current("amap") != "shop" || tax.Stamp() == before {
		t.Error("who holds the taxonomy does not see the new one")
	}
}

func TestYAML(t *testing.T) {
	for name, tax := range map[string]*Taxonomy{"default": Default(), "with former ids": parsed(t)} {
		b, err := tax.YAML()
		if err != nil {
			t.Fatal(err)
		}
		back, err := Parse("written", b)
		if err != nil || back.Stamp() != tax.Stamp() {
			t.Errorf("%s is not the same when it is read again: %v\n%.600s", name, err, b)
		}
	}
}
