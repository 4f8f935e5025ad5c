package main

import (
	"fmt"
	"slices"

	"archipel/directory"

	"github.com/paulmach/orb"
)

func farm(name string) directory.Entry {
	return directory.Entry{
		Kind: directory.Place, Name: name, Lang: "fr", Categories: []string{"ferme"}, Sites: []orb.Point{{4.39, 45.44}}, Summary: "Légumes de saison.",
		Address: &directory.Address{Locality: "Saint-Étienne", PostalCode: "42000", Country: "FR"}, Licence: "ODbL-1.0",
		Private: &directory.Private{Email: "secret@example.org"},
	}
}

// away moves an entry out of the Loire, trade out of food.
func away(e *directory.Entry) {
	e.Sites[0] = orb.Point{3.08, 45.78}
	e.Address = &directory.Address{Locality: "Clermont-Ferrand", PostalCode: "63000", Country: "FR"}
}

func home(e *directory.Entry) {
	e.Sites[0] = orb.Point{4.39, 45.44}
	e.Address = &directory.Address{Locality: "Saint-Étienne", PostalCode: "42000", Country: "FR"}
}

func trade(e *directory.Entry) { e.Categories = []string{"coworking"} }

func remove(e *directory.Entry) { e.Status = directory.Removed }

func rename(name string) func(*directory.Entry) {
	return func(e *directory.Entry) { e.Name = name }
}

// churn is an ordinary week of a directory: some come, some change, move, go, and come back.
func (x *trio) churn(i *islet, week string) {
	var made []directory.ID
	for n := range 12 {
		made = append(made, i.put(farm(fmt.Sprintf("%s %s %d", i.name, week, n))).ID)
	}
	i.edit(made[0], rename(i.name+" "+week+" renommée"))
	i.edit(made[1], away)
	i.edit(made[2], trade)
	i.edit(made[3], remove)
	i.edit(made[4], away)
	i.edit(made[4], home)
	i.edit(made[5], func(e *directory.Entry) { e.Status = directory.Hidden })
	i.edit(made[6], func(e *directory.Entry) { e.Licence = "etalab-2.0" })
	var older []directory.ID // of the weeks before
	for id, e := range i.entries() {
		if e.Origin == "" && e.Status == directory.Published && !slices.Contains(made, id) {
			older = append(older, id)
		}
	}
	slices.Sort(older)
	for n, id := range older {
		switch n % 7 {
		case 0:
			i.edit(id, rename(fmt.Sprintf("%s, %s", i.name, week)))
		case 1:
			i.edit(id, home)
		case 2:
			i.edit(id, away)
		case 3:
			if n%2 == 1 {
				i.edit(id, remove)
			}
		}
	}
}
