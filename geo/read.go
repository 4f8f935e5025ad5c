package geo

// These read the current snapshot. Take a [Snapshot] where several answers must fit together.

// Tile is [Snapshot.Tile] of the current state.
func (x *Index) Tile(z, tx, ty int, f Filter) ([]byte, error) { return x.Snapshot().Tile(z, tx, ty, f) }

// Markers is [Snapshot.Markers] of the current state.
func (x *Index) Markers(z, tx, ty int, f Filter) ([]Marker, error) {
	return x.Snapshot().Markers(z, tx, ty, f)
}

// ETag is [Snapshot.ETag] of the current state. Ask for it before the tile, or of the same snapshot.
func (x *Index) ETag(z, tx, ty int, f Filter) string { return x.Snapshot().ETag(z, tx, ty, f) }

// Select is [Snapshot.Select] of the current state.
func (x *Index) Select(f Filter, p Page) (Selection, error) { return x.Snapshot().Select(f, p) }

// Facets is [Snapshot.Facets] of the current state.
func (x *Index) Facets(f Filter, parent func(category string) string) (Facets, error) {
	return x.Snapshot().Facets(f, parent)
}
