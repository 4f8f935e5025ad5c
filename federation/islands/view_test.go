package islands

import (
	"slices"
	"testing"

	"archipel/directory"

	"github.com/google/uuid"
	"github.com/paulmach/orb"
)

// TestListed: what waits is found by whose it is, or by the plain actor by way of which it came.
func TestListed(t *testing.T) {
	var m Mirrors
	entry := func(origin string, s directory.Status, via ...string) directory.ID {
		e := directory.Entry{ID: directory.ID(uuid.NewString()), Kind: directory.Event, Origin: origin, Status: s, Private: &directory.Private{Mirror: &directory.Mirrored{Via: via}}}
		m.Apply([]directory.Entry{e})
		return e.ID
	}
	island := entry("isere.example", directory.Pending, "isere.example")
	one := entry("agora.example", directory.Pending, "relay@agora.example")
	other := entry("ailleurs.example", directory.Draft, "fete@gancio.example", "relay@agora.example")
	entry("agora.example", directory.Published, "relay@agora.example")
	for host, want := range map[string][]directory.ID{
		"": {island, one, other}, "isere.example": {island}, "relay@agora.example": {one, other}, "fete@gancio.example": {other}, "agora.example": {one}, "agora@agora.example": nil,
	} {
		slices.Sort(want)
		if got := m.Listed(host, directory.Pending, directory.Draft); !slices.Equal(got, want) {
			t.Errorf("of %q %v wait, want %v", host, got, want)
		}
	}
}

// TestBoxOfOurs: a handful of entries on the other side of the world do not move a directory there, and entries that go
// leave the box.
func TestBoxOfOurs(t *testing.T) {
	var m Mirrors
	var list []directory.Entry
	add := func(lon, lat float64) {
		list = append(list, directory.Entry{
			ID: directory.ID(uuid.NewString()), Kind: directory.Place, Status: directory.Published, Sites: []orb.Point{{lon, lat}},
		})
	}
	if _, box := (&Mirrors{}).ours(); box != nil {
		t.Errorf("without entries: %v", box)
	}
	for i := range 100 {
		add(4+float64(i)/100, 45+float64(i)/200)
	}
	add(55.5, -21)
	m.Apply(list)
	if counts, box := m.ours(); counts[directory.Place] != 101 || box == nil || box[0] < 4 || box[2] > 5 || box[1] < 44.9 || box[3] > 45.5 {
		t.Errorf("one of a hundred far away: %v, %v", counts, box)
	}
	for i := range list {
		if i < 100 {
			list[i].Status = directory.Removed
		}
	}
	m.Apply(list)
	if counts, box := m.ours(); counts[directory.Place] != 1 || box == nil || box[0] != 55.5 || box[3] != -21 {
		t.Errorf("only the one far away is left: %v, %v", counts, box)
	}
}
