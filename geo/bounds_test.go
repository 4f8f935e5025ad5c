package geo

import (
	"testing"

	"archipel/directory"

	"github.com/paulmach/orb"
)

func TestCoreLeavesOutTheFarFew(t *testing.T) {
	x := NewIndex()
	put := func(n int, p orb.Point) {
		for range n {
			if err := x.Put(Item{ID: directory.NewID(), Kind: directory.Place, Name: "a", Points: []orb.Point{p}}); err != nil {
				t.Fatal(err)
			}
		}
	}
	put(150, orb.Point{4.3, 45.4})
	put(150, orb.Point{-1.5, 47.2})
	put(2, orb.Point{55.5, -21})
	all, ok, err := x.Snapshot().Bounds(Filter{})
	if want := (orb.Bound{Min: orb.Point{-1.5, -21}, Max: orb.Point{55.5, 47.2}}); err != nil || !ok || all != want {
		t.Errorf("bounds: got %v %v %v, want %v", all, ok, err, want)
	}
	core, ok, err := x.Snapshot().Core(Filter{})
	if want := (orb.Bound{Min: orb.Point{-1.5, 45.4}, Max: orb.Point{4.3, 47.2}}); err != nil || !ok || core != want {
		t.Errorf("core: got %v %v %v, want %v", core, ok, err, want)
	}
	south := orb.Bound{Min: orb.Point{40, -30}, Max: orb.Point{60, 0}}
	if few, ok, err := x.Snapshot().Core(Filter{BBox: &south}); err != nil || !ok || few.Min != (orb.Point{55.5, -21}) {
		t.Errorf("a few are all kept: got %v %v %v", few, ok, err)
	}
	if _, ok, _ := x.Snapshot().Core(Filter{Words: "nothing"}); ok {
		t.Error("nothing has bounds")
	}
}
