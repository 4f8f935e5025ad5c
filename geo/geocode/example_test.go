package geocode_test

import (
	"context"
	"fmt"

	"archipel/geo/geocode"
)

func Example() {
	gazetteer, err := geocode.NewGazetteer("FR")
	if err != nil {
		panic(err)
	}
	finder := geocode.NewLocator(gazetteer, nil)
	for _, p := range finder.Complete(geocode.Query{Text: "st etien", Language: "fr", Limit: 2}) {
		fmt.Println(p.Label, p.Zone)
	}
	at, err := finder.Locate(context.Background(), geocode.Address{Street: "12 rue du Port", Postcode: "26340", City: "Saillans"}, "fr")
	fmt.Println(at.Place.Label, at.Precision, at.Approximate, err)
	for _, z := range gazetteer.Zones(at.Point, "fr") {
		fmt.Print(z.Code, " ")
	}
	fmt.Println()
	// Output:
	// Saint-Étienne (42) FR-42218
	// Saint-Étienne-du-Rouvray (76) FR-76575
	// Saillans (26) town true <nil>
	// FR-26289 FR-26 FR-ARA FR
}
