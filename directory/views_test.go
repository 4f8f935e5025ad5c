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
	e := Entry{ID: NewID(), Status: Published, Relations: []Relation{{"hosts", host}, {"partOf", host}}}
	r.Apply([]Entry{e})
	if got, want := fmt.Sprint(r.To(host)), fmt.Sprint([]Relation{{"hosts", e.ID}, {"partOf", e.ID}}); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	e.Relations = e.Relations[:1]
	r.Apply([]Entry{e})
	if got := r.To(host); len(got) != 1 || got[0].Rel != "hosts" {
		t.Errorf("after one was taken away: %v", got)
	}
	e.Status = Draft
	r.Apply([]Entry{e})
	if got := r.To(host); len(got) != 0 {
		t.Errorf("a draft shows: %v", got)
	}
}
