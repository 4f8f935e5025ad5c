// Package transfer moves entries in and out of a directory as files: imports of CSV and GeoJSON, exports as GeoJSON,
// CSV, JSON-LD and Atom, and full backups.
//
// # What an import reads
//
// CSV in UTF-8 (with or without a byte order mark), UTF-16 (with one) or Windows-1252, between commas, semicolons, tabs
// or bars; and GeoJSON (RFC 7946) as a FeatureCollection, one Feature, or one Feature a line (RFC 8142 too). Which one it
// is, is detected. Files are streamed: memory does not grow with their size, but for 16 bytes a row.
//
// A bad row is left out, is named in the [Report] with its line, field, reason and value, and costs no other row. A bad
// value of an optional field (a website that is none) is left out with a warning, and the row is imported.
//
// # Columns
//
// Columns are recognised by their French and English names, whatever their case, accents and punctuation: nom, NOM_TL,
// raison sociale, titre; adresse, rue; CP; commune, NOMCOM; INSEECOM; LAT, latitude, y; LONG, lng, x; coordonnées,
// geo_point_2d; WEB, site internet; TWITTER; courriel; TYPO, catégorie, type; and so on. A [Mapping] names the others. The
// fields that a column may fill are the columns of our own CSV:
//
//	id kind slug name summary description lang categories tags longitude latitude sites approximate zones area street
//	postalCode locality region country municipalityCode contactName email phone website links openingHours images accessibility
//	identifiers start end allDay timezone rrule exdates rdates overrides eventStatus attendanceUrl registerUrl price languages
//	relations translations extra licence sourceName sourceUrl sourceId checked
//
// and besides: latlon and lonlat (both coordinates in one cell), geometry (WKT or GeoJSON), housenumber, startTime, endTime,
// link.REL, identifier.KEY, accessibility.KEY, extra.NAME with the words of [directory.LinkRels] and its neighbours, and "-" for
// a column that nobody wants. Lists stand between bars, semicolons or commas, or are JSON arrays; sites, area, links, images,
// accessibility, identifiers, overrides, relations, translations and extra are JSON. Coordinates are degrees in WGS 84; a
// decimal comma, and degrees with minutes and seconds, are understood. A date without a time of day makes an event of
// whole days, whose end is its last day.
//
// # Mapping files
//
// A mapping file is TOML; testdata/mapping.toml is one with every setting. Its tables are [columns] (column = field),
// [categories] (value = list of categories' ids) and [defaults] (field = value for rows that have none).
//
// A value that names no category, neither in the mapping nor for [Categories], becomes a tag, and the report says so.
//
// # Which entry a row is about
//
// A record is told by the name of its source and its id there: the columns that the mapping's id names, else a column
// named id, identifiant, code, ref or the like. Without one, its id is made from its folded name, street, postcode and
// town (of a record without an address: name and position to about 100 m; of an event also its start), so that a record
// whose name or address changes is a new one. Rows of an Archipel's own export are told by the entry's id first: they
// update the entry that they came from, and keep their id and address where they are imported elsewhere. Of a
// spreadsheet that kept only the id and some other columns of such an export, only those columns count.
//
// The same record twice in one file is left out the second time. An entry that a person removed here stays removed, one
// that an undo removed comes back.
//
// # What happens to an entry that is there already
//
// Field by field: what the row does not give stays. What the source has not changed since it last did stays as it is
// here, edited or not. What the source has changed is taken over; where somebody has edited the same field here, the
// source's value stands, and the report quotes the one it replaced, which the history keeps too. Of categories, tags,
// links, images and relations single elements are added and taken away. An empty cell never erases a local edit, nor a
// position. Importing a file again therefore changes nothing.
//
// Every change of an import carries its batch, by which [Undo] takes it back.
//
// # Exports and backups
//
// A [Writer] streams public entries with their licence and source. What [NewCSV] and [NewGeoJSON] write, an import
// elsewhere brings back without losing a public field. [Backup] saves everything, private fields, settings and the log
// included, and [Restore] rebuilds the same directory from it.
package transfer
