// Package geo knows where the entries of the directory are: it finds them by place and filter, counts them, and draws
// them as clusters and vector tiles.
//
// An [Index] is a directory.View. It holds a compact marker of every public entry, also of those without position, in
// columns (some 200 bytes each, and what its name and slug take), and answers from memory:
//
//	x := geo.NewIndex()
//	x.Apply(entries)                                   // or Put and Remove
//	tile, err := x.Tile(12, 2109, 1472, geo.Filter{})  // Mapbox Vector Tile
//	list, err := x.Select(geo.Filter{Near: &here, Radius: 5000}, geo.Page{Order: geo.ByDistance, Limit: 20})
//	counts, err := x.Facets(geo.Filter{BBox: &box, Kinds: kinds}, nil)
//
// Positions are [longitude, latitude] in degrees, WGS 84, everywhere, kept to seven decimals (a centimetre). Distances are
// metres on a sphere of the Earth's mean radius.
//
// # Entries and sites
//
// An entry may have several sites. Lists and facets count an entry once, however many of its sites match. The map counts
// sites: a cluster of 5 may be three entries. An entry whose filter asks for a place appears on the map with the sites
// that lie there only.
//
// # How it works
//
// The sites are sorted along a Morton curve, on which every tile of the map is one stretch, with running sums of their
// coordinates and of their main categories; what a square of the map holds takes two searches, at every zoom alike.
// Squares whose points are too close for two discs are merged by a rule that looks at neighbours only (see cluster.go).
// Changes go to a short sorted list, in which a site that went counts -1, and which is merged into the sorted whole
// now and then. A filter is answered by a copy of the sums for the sites that match, made on first use and remembered
// until the next merge. Each write publishes a new [Snapshot]; readers take no lock and wait for nobody.
//
// Counts are exact and nothing is left out at any zoom: the tiles of a zoom add up to the number of sites that match.
// Sites at the very same position stay one disc at the deepest zoom; [Filter.Cluster] lists what a disc holds.
package geo
