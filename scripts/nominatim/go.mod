// This module pins the extract of OpenStreetMap that the scripts import: the test
// data of a Go module, which the ordinary module cache brings along. It has no code.
module archipel/scripts/nominatim

go 1.26.0

require github.com/paulmach/osm v0.8.0
