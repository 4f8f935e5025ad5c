package main

import (
	"slices"
	"testing"

	"archipel/directory"
	"archipel/geo/geocode"

	"github.com/paulmach/orb"
)

// TestZonesOfEntries holds that an entry is found in the municipality of its address, on the right side of a border.
func TestZonesOfEntries(t *testing.T) {
	places, err := geocode.NewGazetteer(homeCountry)
	if err != nil {
		t.Fatal(err)
	}
	border := orb.Point{2.427, 48.8555} // in Montreuil, nearer to the middle of Vincennes
	lyon := orb.Point{4.835, 45.76}
	montreuil := &directory.Address{Street: "1 rue de Paris", PostalCode: "93100", Locality: "Montreuil", Country: "FR"}
	for _, tc := range []struct {
		name string
		e    directory.Entry
		want []string // among the zones
		not  []string
	}{
		{"position alone", directory.Entry{Sites: []orb.Point{lyon}}, []string{"FR-69", "FR-ARA", "FR"}, nil},
		{"border", directory.Entry{Sites: []orb.Point{border}, Address: montreuil}, []string{"FR-93048", "FR-93", "FR-IDF"}, []string{"FR-94080", "FR-94"}},
		{"municipality's code", directory.Entry{Sites: []orb.Point{border}, Address: &directory.Address{Code: "93048"}}, []string{"FR-93048", "FR-93"}, []string{"FR-94"}},
		{"two sites", directory.Entry{Sites: []orb.Point{border, lyon}, Address: montreuil}, []string{"FR-93048", "FR-69"}, []string{"FR-94"}},
		{"two sites, code", directory.Entry{Sites: []orb.Point{border, lyon}, Address: &directory.Address{Code: "93048"}}, []string{"FR-93048", "FR-69"}, []string{"FR-94"}},
		{"no position", directory.Entry{Address: montreuil}, []string{"FR-93048", "FR-93", "FR"}, nil},
		{"no position, unknown code", directory.Entry{Address: &directory.Address{Code: "00000", PostalCode: "93100", Locality: "Montreuil"}}, []string{"FR-93048"}, nil},
		{"code of another country", directory.Entry{Address: &directory.Address{Code: "93048", Country: "BE"}}, nil, []string{"FR-93048", "FR"}},
		{"nothing", directory.Entry{}, nil, []string{"FR"}},
	} {
		got := zoner{places}.Zones(&tc.e)
		for _, z := range tc.want {
			if !slices.Contains(got, z) {
				t.Errorf("%s: %v lack %s", tc.name, got, z)
			}
		}
		for _, z := range tc.not {
			if slices.Contains(got, z) {
				t.Errorf("%s: %v have %s", tc.name, got, z)
			}
		}
	}
}
