// Package basemap is the background of the maps, served without third parties.
//
// [Embedded] is the whole world, compiled into the program: coasts, lakes and borders of
// Natural Earth and the towns of GeoNames, clipped, simplified and encoded as vector
// tiles (Mapbox Vector Tile 2.1) on demand. It is good to about zoom 9 and answers beyond
// it with the same geometry, exactly clipped. [Open] reads an operator's file, PMTiles
// version 3 or MBTiles 1.3, with vector or raster tiles. [NewStack] puts a file on top of the
// world: the file answers where it has tiles, the world everywhere else.
//
// # Schema
//
// Layers and attributes are named as in the Protomaps basemap, version 4, so that one set
// of style rules draws both. Tiles are 4096 units wide with a buffer of 64 units; polygons
// and lines may reach into the buffer, points may not. What is not earth is sea: paint the
// background as water.
//
//	earth       polygons  kind=earth
//	water       polygons  kind=lake
//	boundaries  lines     kind=country, kind_detail=2 (tiles from zoom 0)
//	                      kind=region, kind_detail=4 (tiles from zoom 6)
//	places      points    kind=country, or kind=locality with kind_detail=city|town|village
//	                      name, for countries also name:fr, name:en and so on, and for
//	                      towns name:fr where it is another
//	                      population (two significant digits), population_rank (0 to 17)
//	                      capital=yes
//	                      min_zoom: the zoom of a 256-pixel map from which to show it
//
// An operator's vector file of that schema adds roads, landuse, landcover, buildings, pois.
// A tile of zoom z is meant to be drawn 512 pixels wide, and so holds the places of zoom z+1.
package basemap
