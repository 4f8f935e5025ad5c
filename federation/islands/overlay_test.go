package islands_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"archipel/directory"
	"archipel/directory/taxonomy"
	"archipel/federation/islands"
)

const otherWords = `
languages: [fr, en]
categories:
  - {id: manger, label: {fr: Manger, en: Eating}, color: "#4d7c0f"}
  - {id: paysans, parent: manger, label: {fr: Paysannes et paysans, en: Peasants}, osm: [place=farm]}
  - {id: repair-cafe, parent: manger, label: {fr: Café réparation, en: Repair café}}
  - {id: lutherie, label: {fr: Lutherie, en: Violin making}, color: "#4d7c0f"}
`

// speaking is an island with words of its own.
func speaking(t *testing.T, yaml string) *isle {
	t.Helper()
	words, err := taxonomy.Parse("test", []byte(yaml))
	if err != nil {
		t.Fatal(err)
	}
	in := newIsle(t, nil)
	in.stop()
	in.words = words
	in.open()
	return in
}

// TestWords: categories of another island are found in ours by their tags and names, by what the operator says, or stay
// under their own name; a changed map is seen at once.
func TestWords(t *testing.T) {
	a, b := newIsle(t, nil), speaking(t, otherWords)
	put := func(name string, categories ...string) directory.Entry {
		e := farm(name)
		e.Categories = categories
		return b.put(e)
	}
	farmer, cafe, violins := put("Ferme", "paysans"), put("Café", "repair-cafe", "paysans"), put("Luthier", "lutherie")
	a.follow(b, islands.Scope{}, islands.Show)
	a.shown(b, "Café", "Ferme", "Luthier")
	for id, want := range map[directory.ID]string{farmer.ID: "[ferme] []", cafe.ID: "[repair-cafe ferme] []", violins.ID: "[] [Lutherie]"} {
		if e := a.entry(id); fmt.Sprint(e.Categories, e.Tags) != want {
			t.Errorf("%s is %v %v, want %s", e.Name, e.Categories, e.Tags, want)
		}
	}
	d, err := a.s.Find(t.Context(), b.base)
	if err != nil {
		t.Fatal(err)
	}
	said := map[string]string{}
	for _, m := range a.s.Translate(d.Words(), nil) {
		said[m.ID] = m.Ours
	}
	if said["paysans"] != "ferme" || said["lutherie"] != "" || said["repair-cafe"] != "repair-cafe" {
		t.Errorf("the words mean %v", said)
	}
	ctx := t.Context()
	if err := a.s.SetMap(ctx, "test", b.host, map[string]string{"lutherie": "repair-cafe", "paysans": ""}); err != nil {
		t.Fatal(err)
	}
	if e := a.entry(violins.ID); fmt.Sprint(e.Categories, e.Tags) != "[repair-cafe] []" {
		t.Errorf("mapped it is %v %v", e.Categories, e.Tags)
	}
	if e := a.entry(farmer.ID); fmt.Sprint(e.Categories, e.Tags) != "[] [Paysannes et paysans]" {
		t.Errorf("unmapped it is %v %v", e.Categories, e.Tags)
	}
	violins.Name = "Lutherie du Forez"
	b.put(violins)
	a.shown(b, "Café", "Ferme", "Lutherie du Forez")
	if e := a.entry(violins.ID); fmt.Sprint(e.Categories) != "[repair-cafe]" {
		t.Errorf("after an update it is %v", e.Categories)
	}
	var invalid directory.Invalid
	if err := a.s.SetMap(ctx, "test", b.host, map[string]string{"lutherie": "nothing"}); !errors.As(err, &invalid) {
		t.Errorf("a map to nothing: %v", err)
	}
	if got, err := islands.Map(ctx, a.store, b.host); err != nil || got["lutherie"] != "repair-cafe" {
		t.Errorf("the map is %v, %v", got, err)
	}
}

// TestCurating: what the operator adds survives updates, goes no further, and can be taken back.
func TestCurating(t *testing.T) {
	a, b := newIsle(t, nil), newIsle(t, nil)
	ctx := context.Background()
	first := b.put(farm("Ferme"))
	a.follow(b, islands.Scope{}, islands.Show)
	a.shown(b, "Ferme")
	o := islands.Overlay{Categories: []string{"marche"}, Tags: []string{"chez nous"}, Highlight: true, Remark: "Le samedi\nseulement."}
	e, err := a.s.Curate(ctx, "account:x", first.ID, o, 0)
	if err != nil || fmt.Sprint(e.Categories, e.Tags, e.Extra) != "[marche] [chez nous] map[highlight:yes remark:Le samedi seulement.]" {
		t.Errorf("curated: %v %v %v, %v", e.Categories, e.Tags, e.Extra, err)
	}
	first.Name = "Ferme du haut"
	first = b.put(first)
	a.shown(b, "Ferme du haut")
	if e := a.entry(first.ID); fmt.Sprint(e.Categories, e.Tags) != "[marche] [chez nous]" || e.Extra[islands.ExtraRemark] != "Le samedi seulement." {
		t.Errorf("after an update: %v %v %v", e.Categories, e.Tags, e.Extra)
	}
	o.Hide = true
	if _, err := a.s.Curate(ctx, "account:x", first.ID, o, 1); err != nil {
		t.Fatal(err)
	}
	a.shown(b)
	first.Name = "Ferme du bas"
	b.put(first)
	eventually(t, "the update arrives", func() bool { return a.entry(first.ID).Name == "Ferme du bas" })
	a.shown(b)
	if e, err = a.s.Curate(ctx, "account:x", first.ID, islands.Overlay{}, 2); err != nil || len(e.Extra) > 0 || fmt.Sprint(e.Categories, e.Tags) != "[ferme] []" {
		t.Errorf("taken back: %v %v %v, %v", e.Categories, e.Tags, e.Extra, err)
	}
	a.shown(b, "Ferme du bas")
	if got, rev, err := islands.LoadOverlay(ctx, a.store, first.ID); err != nil || rev != 3 || got.By != "account:x" || got.Hide {
		t.Errorf("the overlay is %+v, %v", got, err)
	}
	if err := a.s.Sync(ctx, b.host, true); err != nil {
		t.Fatal(err)
	}
	if st, err := a.s.State(ctx, b.host); err != nil || st.Differed != 0 {
		t.Errorf("what was curated counts as %d differences, %v", st.Differed, err)
	}
	mine := a.put(farm("À moi"))
	for name, err := range map[string]error{
		"of ours":    second(a.s.Curate(ctx, "x", mine.ID, islands.Overlay{}, 0)),
		"of nobody":  second(a.s.Curate(ctx, "x", directory.NewID(), islands.Overlay{}, 0)),
		"a category": second(a.s.Curate(ctx, "x", first.ID, islands.Overlay{Categories: []string{"nothing"}}, 3)),
		"a tag":      second(a.s.Curate(ctx, "x", first.ID, islands.Overlay{Tags: []string{strings.Repeat("x", 101)}}, 3)),
		"a remark":   second(a.s.Curate(ctx, "x", first.ID, islands.Overlay{Remark: fmt.Sprint(make([]int, 2000))}, 3)),
	} {
		if err == nil {
			t.Errorf("%s can be curated", name)
		}
	}
	if _, err := a.s.Curate(ctx, "account:y", first.ID, islands.Overlay{Hide: true}, 2); !errors.Is(err, directory.ErrStale) {
		t.Errorf("an overlay over one that was not seen: %v", err)
	}
	a.shown(b, "Ferme du bas")
}

// TestTakenAway: what a moderator takes away stays out of view whatever its origin does, also what was removed by itself.
func TestTakenAway(t *testing.T) {
	a, b := newIsle(t, nil), newIsle(t, nil)
	ctx := t.Context()
	hidden, removed := b.put(farm("Ferme")), b.put(farm("Jardin"))
	a.follow(b, islands.Scope{}, islands.Show)
	a.shown(b, "Ferme", "Jardin")
	if _, err := a.s.Curate(ctx, "account:x", hidden.ID, islands.Overlay{Remark: "Le samedi."}, 0); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := a.s.Hide(ctx, "account:y", hidden.ID, "Pas une ferme."); err != nil {
			t.Fatal(err)
		}
	}
	if log, err := a.d.History(ctx, hidden.ID, 0, 10); err != nil || len(log) != 3 || log[0].Note != "Pas une ferme." || log[0].Author != "account:y" {
		t.Errorf("the history says %+v, %v", log, err)
	}
	if o, _, err := a.s.Overlay(ctx, hidden.ID); err != nil || !o.Hide || o.Remark == "" || o.By != "account:y" {
		t.Errorf("the overlay is %+v, %v", o, err)
	}
	gone := a.entry(removed.ID)
	gone.Status = directory.Removed
	a.put(gone)
	a.shown(b)
	hidden.Name, removed.Name = "Ferme du haut", "Jardin du haut"
	b.put(hidden)
	b.put(removed)
	eventually(t, "both changes arrive", func() bool {
		return a.entry(hidden.ID).Name == "Ferme du haut" && a.entry(removed.ID).Name == "Jardin du haut"
	})
	for _, id := range []directory.ID{hidden.ID, removed.ID} {
		if e := a.entry(id); e.Status != directory.Hidden {
			t.Errorf("%s is %s", e.Name, e.Status)
		}
	}
	if err := a.s.Sync(ctx, b.host, true); err != nil {
		t.Fatal(err)
	}
	if st, err := a.s.State(ctx, b.host); err != nil || st.Differed != 0 {
		t.Errorf("what was taken away counts as %d differences, %v", st.Differed, err)
	}
	a.shown(b)
}
