package directory_test

import (
	"slices"
	"testing"

	"archipel/directory"
)

// TestKeepers: an entry is kept by its own people and by those of the organisation in whose name it was posted, wherever that
// one lives on; nobody is named twice.
func TestKeepers(t *testing.T) {
	d := openDirectory(t, directory.Options{})
	of := func(name string, team directory.ID, owners, editors []string) directory.Entry {
		e := place(name)
		e.Private = &directory.Private{Owners: owners, Editors: editors, Team: team}
		return put(t, d, e)
	}
	org := of("Association", "", []string{"olga", "ana"}, []string{"ed", "ben"})
	above := of("Fédération", "", []string{"rosa"}, nil)
	inName := of("Association membre", above.ID, nil, nil)
	gone := of("Dissoute", "", []string{"gil"}, nil)
	gone.Status = directory.Removed
	gone = put(t, d, gone)
	check := func(what string, e directory.Entry, owners, editors []string) {
		t.Helper()
		k, err := d.Keepers(t.Context(), &e)
		if err != nil || !slices.Equal(k.Owners, owners) || !slices.Equal(k.Editors, editors) || !slices.Equal(k.All(), slices.Concat(owners, editors)) {
			t.Errorf("%s: %+v, %v; want %v and %v", what, k, err, owners, editors)
		}
	}
	check("nobody", put(t, d, place("Rien")), nil, nil)
	posted := of("Atelier", org.ID, []string{"ben", "olga"}, []string{"ana", "max"})
	check("both", posted, []string{"ben", "olga", "ana"}, []string{"max", "ed"})
	check("in the name of one that is gone", of("Orpheline", gone.ID, []string{"ben"}, nil), []string{"ben"}, nil)
	check("in the name of one that never was", of("Perdue", directory.NewID(), nil, nil), nil, nil)
	check("only its own organisation", of("Petite-fille", inName.ID, nil, nil), nil, nil)
	if _, err := d.Merge(t.Context(), mergeOf(above, org)); err != nil {
		t.Fatal(err)
	}
	check("in the name of one that lives on", posted, []string{"ben", "olga", "rosa", "ana"}, []string{"max", "ed"})
	host := of("Maison", "", []string{"hugo"}, nil)
	own := of("Association de la Maison", "", []string{"mia"}, nil)
	host.Private.Team = own.ID
	host = put(t, d, host)
	m := mergeOf(host, own)
	m.Team = false
	host, err := d.Merge(t.Context(), m)
	if err != nil {
		t.Fatal(err)
	}
	check("in its own name by now", host, []string{"hugo"}, nil)
}
