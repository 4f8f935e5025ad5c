// Package transfer moves entries in and out of a directory as files: imports of CSV and GeoJSON, exports as GeoJSON,
// CSV, JSON-LD and Atom, and full backups.
package transfer
