package directory

import (
	"fmt"
	"testing"
)

func TestSourcesCountWhatIsPublic(t *testing.T) {
	var s Sources
	entry := func(source, licence string) Entry {
		return Entry{ID: NewID(), Status: Published, Licence: licence, Source: &Source{Name: source}}
	}
	a, b, c := entry("A", "ODbL-1.0"), entry("B", "CC0-1.0"), entry("B", "CC0-1.0")
	none := entry("", "")
	s.Apply([]Entry{a, b, c, none})
	if got, want := fmt.Sprint(s.List()), "[{B  CC0-1.0 2} {A  ODbL-1.0 1}]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	a.Status = Hidden
	b.Licence = "etalab-2.0"
	b.Source = &Source{Name: "B", URL: "https://b.example"}
	s.Apply([]Entry{a, b})
	if got, want := fmt.Sprint(s.List()), "[{B  CC0-1.0 1} {B https://b.example etalab-2.0 1}]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestRelationsFromTheOtherEnd(t *testing.T) {
	var r Relations
	host := NewID()
	of := &Entry{ID: host}
	e := Entry{ID: NewID(), Status: Published, Relations: []Relation{{"hosts", host}, {"partOf", host}}}
	r.Apply([]Entry{e})
	if got, want := fmt.Sprint(r.To(of)), fmt.Sprint([]Relation{{"hosts", e.ID}, {"partOf", e.ID}}); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	e.Relations = e.Relations[:1]
	r.Apply([]Entry{e})
	if got := r.To(of); len(got) != 1 || got[0].Rel != "hosts" {
		t.Errorf("after one was taken away: %v", got)
	}
	e.Status = Draft
	r.Apply([]Entry{e})
	if got := r.To(of); len(got) != 0 {
		t.Errorf("a draft shows: %v", got)
	}
}

// TestRelationsOfOthers: an entry of another directory puts itself under no name of ours, and ours under none of theirs.
func TestRelationsOfOthers(t *testing.T) {
	var r Relations
	org, part := Entry{ID: NewID(), Status: Published}, Entry{ID: NewID(), Status: Removed}
	part.MergedInto = org.ID
	saying := func(origin string, target ID) Entry {
		e := Entry{ID: NewID(), Status: Published, Origin: origin}
		for _, rel := range RelationRels {
			e.Relations = append(e.Relations, Relation{rel, target})
		}
		return e
	}
	rels := func(of Entry, by Entry) (list []string) {
		for _, rel := range r.To(&of) {
			if rel.Target == by.ID {
				list = append(list, rel.Rel)
			}
		}
		return list
	}
	ours, theirs, toPart := saying("", org.ID), saying("b.example", org.ID), saying("b.example", part.ID)
	r.Apply([]Entry{org, part, ours, theirs, toPart})
	if got := rels(org, ours); fmt.Sprint(got) != fmt.Sprint(RelationRels) {
		t.Errorf("ours says %v", got)
	}
	for _, e := range []Entry{theirs, toPart} {
		if got := fmt.Sprint(rels(org, e)); got != "[memberOf sameAs]" {
			t.Errorf("an entry of b says %s", got)
		}
	}
	org.Origin = "b.example"
	if got := fmt.Sprint(rels(org, ours)); got != "[memberOf sameAs]" {
		t.Errorf("of one of b's, ours says %s", got)
	}
	if got := rels(org, theirs); len(got) != len(RelationRels) {
		t.Errorf("of one of b's, b says %v", got)
	}
	org.Origin = "c.example"
	if got := fmt.Sprint(rels(org, theirs)); got != "[memberOf sameAs]" {
		t.Errorf("of one of c's, b says %s", got)
	}
}
