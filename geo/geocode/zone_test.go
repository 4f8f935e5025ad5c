package geocode

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/paulmach/orb"
)

func codes(zones []Zone) []ZoneCode {
	var list []ZoneCode
	for _, z := range zones {
		list = append(list, z.Code)
	}
	return list
}

func TestZones(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		at   orb.Point
		want []ZoneCode
	}{
		{"Saint-Étienne", orb.Point{4.39, 45.43}, []ZoneCode{"FR-42218", "FR-42", "FR-ARA", "FR"}},
		{"Saillans", orb.Point{5.183, 44.695}, []ZoneCode{"FR-26289", "FR-26", "FR-ARA", "FR"}},
		{"a village of Le Mené", orb.Point{-2.517, 48.299}, []ZoneCode{"FR-22046", "FR-22", "FR-BRE", "FR"}},
		{"Paris 11e", orb.Point{2.38, 48.859}, []ZoneCode{"FR-75111", "FR-75056", "FR-75", "FR-IDF", "FR"}},
		{"Ajaccio", orb.Point{8.738, 41.919}, []ZoneCode{"FR-2A004", "FR-2A", "FR-20R", "FR"}},
		{"Saint-Denis de La Réunion", orb.Point{55.448, -20.882}, []ZoneCode{"FR-97411", "FR-974", "FR"}},
		{"Papeete", orb.Point{-149.566, -17.537}, []ZoneCode{"FR-98735", "FR-PF", "FR"}},
		{"Brussels", orb.Point{4.3488, 50.8504}, []ZoneCode{"BE-gn2800866", "BE"}},
		{"off the coast", orb.Point{-4.0, 46.5}, []ZoneCode{"FR"}},
		{"the Atlantic", orb.Point{-40, 40}, nil},
		{"the pole", orb.Point{0, 90}, nil},
		{"nonsense", orb.Point{500, 90}, nil},
	} {
		if got := codes(france().Zones(tc.at, "fr")); !slices.Equal(got, tc.want) {
			t.Errorf("%s: got %v, want %v", tc.name, got, tc.want)
		}
	}
}

func TestZoneByCode(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		code   ZoneCode
		label  string
		parent ZoneCode
		kind   Kind
		number string
	}{
		{"FR", "France", "", KindCountry, "FR"},
		{"FR-ARA", "Auvergne-Rhône-Alpes", "FR", KindRegion, "84"},
		{"fr-42", "Loire (42)", "FR-ARA", KindDepartement, "42"},
		{"FR-84", "Vaucluse (84)", "FR-PAC", KindDepartement, "84"},
		{"FR-2A", "Corse-du-Sud (2A)", "FR-20R", KindDepartement, "2A"},
		{"FR-42218", "Saint-Étienne (42)", "FR-42", KindCommune, "42218"},
		{"FR-2A004", "Ajaccio (2A)", "FR-2A", KindCommune, "2A004"},
		{"FR-69383", "Lyon 3e Arrondissement (69)", "FR-69123", KindDistrict, "69383"},
		{"FR-971", "Guadeloupe (971)", "FR", KindDepartement, "971"},
		{"GP", "Guadeloupe (971)", "FR", KindDepartement, "971"},
		{"FR-NC", "Nouvelle-Calédonie (988)", "FR", KindDepartement, "988"},
		{"BE", "Belgique", "", KindCountry, "BE"},
		{"BE-gn2800866", "Bruxelles (Belgique)", "BE", KindCommune, ""},
	} {
		z, ok := france().Zone(tc.code, "fr")
		if !ok || z.Label != tc.label || z.Parent != tc.parent || z.Kind != tc.kind || z.Number != tc.number {
			t.Errorf("Zone(%s): got %+v, %v, want %s in %s", tc.code, z, ok, tc.label, tc.parent)
			continue
		}
		if !z.Box.Valid() || z.Box.IsZero() || !z.Box.Contains(z.Center) || z.Population == 0 {
			t.Errorf("Zone(%s): extent %v, centre %v, population %d", tc.code, z.Box, z.Center, z.Population)
		}
	}
	for _, code := range []ZoneCode{"", "XX", "FR-", "FR-ZZ", "FR-99999", "FR-4221", "BE-gn", "BE-gn0", "FR-gn1", "BE-gn99999999999", "FR-42218-1", "é"} {
		if z, ok := france().Zone(code, "fr"); ok {
			t.Errorf("Zone(%q): got %+v, want none", code, z)
		}
	}
}

// TestEveryZone checks what must hold for each of them: the code leads back, the
// chain ends at a country, and the extents of parents hold their children's middles.
func TestEveryZone(t *testing.T) {
	t.Parallel()
	g := france()
	departements := 0
	for _, raw := range g.d.Zones {
		z, ok := g.Zone(ZoneCode(raw.Code), "en")
		if !ok || z.Name == "" || !z.Box.Valid() {
			t.Fatalf("%s: %+v", raw.Code, z)
		}
		chain := g.ZoneChain(z.Code, "en")
		if chain[len(chain)-1].Kind != KindCountry {
			t.Errorf("%s: the chain is %v", z.Code, codes(chain))
		}
		if z.Kind == KindDepartement {
			departements++
			if parent, _ := g.Zone(z.Parent, ""); parent.Kind == KindRegion && !parent.Box.Contains(z.Center) {
				t.Errorf("%s lies outside %s", z.Label, parent.Label)
			}
		}
	}
	if departements != 109 {
		t.Errorf("%d départements and territories, want 109", departements)
	}
	communes := 0
	for n, i := range g.insee {
		if n == 0 {
			t.Fatal("a commune without code")
		}
		z, ok := g.Zone(g.placeCode(int(i)), "fr")
		if !ok || z.Name == "" || z.Parent == "" {
			t.Fatalf("commune %d: %+v", i, z)
		}
		if z.Kind == KindCommune {
			communes++
		}
	}
	if communes < 34950 {
		t.Errorf("%d communes, want nearly all of the 34,969", communes)
	}
}

func TestZoneChildren(t *testing.T) {
	t.Parallel()
	if got := len(france().ZoneChildren("FR", "fr")); got != 13+13 {
		t.Errorf("France has %d regions and overseas territories, want 26", got)
	}
	if got := codes(france().ZoneChildren("FR-BRE", "fr")); !slices.Equal(got, []ZoneCode{"FR-22", "FR-29", "FR-35", "FR-56"}) {
		t.Errorf("Brittany has %v", got)
	}
	if got := france().ZoneChildren("FR-42218", "fr"); len(got) != 0 {
		t.Errorf("a commune has %v", got)
	}
}

func TestReverse(t *testing.T) {
	t.Parallel()
	got, err := france().Reverse(context.Background(), orb.Point{2.79, 50.458}, "fr")
	if err != nil || got[0].Label != "Loos-en-Gohelle (62)" || got[1].Label != "Pas-de-Calais (62)" || got[2].Label != "Hauts-de-France" || got[3].Label != "France" {
		t.Errorf("got %q, %v", labels(got), err)
	}
	if _, err := france().Reverse(context.Background(), orb.Point{-40, 40}, "fr"); !errors.Is(err, ErrNotFound) {
		t.Errorf("in the ocean: got %v", err)
	}
	if _, err := france().Reverse(context.Background(), orb.Point{0, 91}, "fr"); !errors.Is(err, ErrBadQuery) {
		t.Errorf("off the globe: got %v", err)
	}
}

// TestNearest compares the grid with looking at everything.
func TestNearest(t *testing.T) {
	t.Parallel()
	g := france()
	for _, at := range []orb.Point{{4.4, 45.4}, {179.9, -17}, {-179.9, -17}, {0, 0}, {20, 70}, {25.5, 78.5}, {-68.3, -54.9}, {-100, 60}, {2.3, 48.86}} {
		want, far := -1, 300e3
		for i := range g.d.Places() {
			if g.d.Approx[i] {
				continue
			}
			if m := Distance(at, g.point(i)); m < far {
				want, far = i, m
			}
		}
		got, m := g.nearest(at, 300e3)
		if got != want && m != far {
			t.Errorf("%v: got place %d at %.0f m, want %d at %.0f m", at, got, m, want, far)
		}
	}
}

func TestZonesOf(t *testing.T) {
	t.Parallel()
	// A street of Montreuil that is nearer to the middle of Vincennes.
	at := orb.Point{2.427, 48.8555}
	if got := france().Zones(at, "fr")[0].Label; got == "Montreuil (93)" {
		t.Fatalf("the position alone gives %s: choose another for this test", got)
	}
	for _, tc := range []struct {
		address Address
		want    ZoneCode
	}{
		{Address{Street: "1 rue de Paris", Postcode: "93100", City: "Montreuil"}, "FR-93048"},
		{Address{City: "MONTREUIL", Postcode: "93100"}, "FR-93048"},
		{Address{City: "Marseille", Postcode: "13001"}, "FR-94080"}, // too far to be true
		{Address{City: "Nulpart"}, "FR-94080"},
		{Address{}, "FR-94080"},
	} {
		if got := codes(france().ZonesOf(at, tc.address, "fr")); len(got) != 4 || got[0] != tc.want {
			t.Errorf("%+v: got %v, want %s first", tc.address, got, tc.want)
		}
	}
}

func TestZonesAt(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		address Address
		want    []ZoneCode
	}{
		{Address{Street: "3 rue X", Postcode: "42000", City: "Saint-Étienne"}, []ZoneCode{"FR-42218", "FR-42", "FR-ARA", "FR"}},
		{Address{Postcode: "26340", City: "SAILLANS", Country: "FR"}, []ZoneCode{"FR-26289", "FR-26", "FR-ARA", "FR"}},
		{Address{Postcode: "42000"}, []ZoneCode{"FR-42218", "FR-42", "FR-ARA", "FR"}},
		{Address{City: "Saillans"}, []ZoneCode{"FR"}}, // one in the Drôme, one in the Gironde
		{Address{City: "Nulpart-sur-Rien"}, nil},
		{Address{Street: "12 rue de Lyon"}, nil},
		{Address{}, nil},
	} {
		if got := codes(france().ZonesAt(tc.address, "fr")); !slices.Equal(got, tc.want) {
			t.Errorf("%+v: got %v, want %v", tc.address, got, tc.want)
		}
	}
}
