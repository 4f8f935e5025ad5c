package transfer

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/paulmach/orb"

	"archipel/directory"
)

// cell is one value of a row with the column that it comes from.
type cell struct {
	col   *Column
	value string
}

// row is a row of the file as it was read.
type row struct {
	number, line int
	cells        []cell
	idParts      []string         // values of the id columns that the mapping names
	native       *directory.Entry // a feature that an Archipel wrote
	points       []orb.Point      // of a feature
	reduced      bool
}

// record is a row that became an entry.
type record struct {
	row      *row
	entry    directory.Entry
	given    map[string]bool // fields that the row speaks about
	id       directory.ID    // its id in an Archipel's own export, else empty
	key      string          // identifies the record within the file and its source
	warnings []Issue
}

func (r *record) warn(field, code, value, text string) {
	r.warnings = append(r.warnings, Issue{
		Row: r.row.number, Line: r.row.line, Name: r.entry.Name, Field: field, Code: code, Value: excerpt(value), Text: text,
	})
}

// builder makes entries of rows.
type builder struct {
	opts      *ImportOptions
	mapping   *Mapping
	zone      *time.Location
	own       bool // the file was written by an Archipel: ids are ours
	unmatched map[string]int
	defaults  []cell
}

func newBuilder(o *ImportOptions, m *Mapping, unmatched map[string]int) (*builder, error) {
	b := &builder{opts: o, mapping: m, zone: time.UTC, unmatched: unmatched}
	if m.Timezone != "" {
		zone, err := time.LoadLocation(m.Timezone)
		if err != nil {
			return nil, fmt.Errorf("time zone %.40q: %w", m.Timezone, err)
		}
		b.zone = zone
	}
	for _, name := range slices.Sorted(maps.Keys(m.Defaults)) {
		b.defaults = append(b.defaults, cell{&Column{Name: "default " + name, Field: name}, m.Defaults[name]})
	}
	return b, nil
}

// parts is a row sorted by target.
type parts struct {
	*record
	one  map[target]string
	many []cell
}

// refused is why a row cannot become an entry.
type refused struct{ field, code, value, text string }

func (r *refused) Error() string { return r.field + ": " + r.text }

// build makes an entry of a row, or says why not (*refused or [directory.Invalid]).
func (b *builder) build(r *row) (*record, error) {
	rec := &record{row: r, given: map[string]bool{}}
	if r.native != nil {
		b.adopt(rec)
	} else if err := b.compose(rec); err != nil {
		return rec, err
	}
	e := &rec.entry
	b.provenance(rec)
	if e.Status = b.opts.Status; e.Status == "" {
		e.Status = directory.Published
	}
	b.fitSummary(rec)
	directory.Normalize(e)
	if err := b.positions(rec); err != nil {
		return rec, err
	}
	if err := b.validate(rec); err != nil {
		return rec, err
	}
	site := ""
	if e.Contact != nil {
		site = e.Contact.Website
	}
	for _, text := range []string{e.Name, e.Summary, site} {
		if mojibake.MatchString(text) {
			rec.warn("", CodeMojibake, text, "the text seems to have been decoded wrongly before it came here")
			break
		}
	}
	for _, f := range fields {
		if !f.empty(e) {
			rec.given[f.name] = true
		}
	}
	rec.key = e.Source.Key()
	if rec.key == "" && rec.id == "" {
		return rec, &refused{"source", directory.CodeRequired, "", "no source is named, so the record could not be recognised next time"}
	}
	return rec, nil
}

// adopt takes over a feature that an Archipel wrote, whole.
func (b *builder) adopt(rec *record) {
	rec.entry = rec.row.native.Clone()
	rec.id = rec.entry.ID
	for _, f := range fields {
		rec.given[f.name] = true // an export is complete: what is not there is empty
	}
}

func (b *builder) compose(rec *record) error {
	p := &parts{record: rec, one: map[target]string{}}
	e := &rec.entry
	for _, c := range rec.row.cells {
		v := strings.TrimSpace(unguard(c.value))
		if strings.IndexByte(v, 0) >= 0 {
			return &refused{c.col.Name, CodeNUL, v, "holds a NUL byte"}
		}
		if c.col.Field == "" {
			if b.opts.KeepUnused && !missing(v) && c.col.Reason != "left out by the mapping" && c.col.Name != "" {
				put(&e.Extra, c.col.Name, v)
			}
			continue
		}
		t := target(c.col.Field)
		rec.given[mergeName(t)] = true
		switch {
		case missing(v):
		case t.multiple():
			p.many = append(p.many, cell{c.col, v})
		default:
			p.one[t] = v
		}
	}
	for _, c := range b.defaults {
		if t := target(c.col.Field); t.multiple() {
			p.many = append(p.many, c)
		} else if p.one[t] == "" {
			p.one[t] = c.value
		}
	}
	e.Name = p.one["name"]
	if e.Name == "" {
		return &refused{"name", directory.CodeRequired, "", "there is no name"}
	}
	for _, step := range []func(*parts) error{b.texts, b.categories, b.where, b.contacts, b.structured, b.when} {
		if err := step(p); err != nil {
			return err
		}
	}
	return nil
}

func (b *builder) texts(p *parts) error {
	e := &p.entry
	e.Summary, e.Description, e.Lang = p.one["summary"], p.one["description"], p.one["lang"]
	e.OpeningHours, e.Licence = p.one["openingHours"], p.one["licence"]
	if e.Lang == "" {
		e.Lang = b.mapping.Lang
	}
	kind := p.one["kind"]
	if kind != "" {
		k, ok := kindOf(kind)
		if !ok {
			return &refused{"kind", directory.CodeUnknown, kind, "is none of organisation, place, initiative, event"}
		}
		e.Kind = k
	}
	if v := p.one["checked"]; v != "" {
		if t, _, err := moment(v, b.zone); err == nil {
			e.Checked = t
		} else {
			p.warn("checked", CodeDropped, v, "is no date, left out")
		}
	}
	if v := p.one["approximate"]; v != "" {
		var err error
		if e.Approximate, err = truth(v); err != nil {
			p.warn("approximate", CodeDropped, v, "is neither yes nor no, left out")
		}
	}
	if b.own {
		e.Slug = p.one["slug"]
		if t, err := time.Parse(time.RFC3339Nano, p.one["created"]); err == nil {
			e.Created = t
		}
		if t, err := time.Parse(time.RFC3339Nano, p.one["updated"]); err == nil {
			e.Updated = t
		}
		fmt.Sscan(p.one["version"], (*int64)(&e.Version)) //nolint:errcheck // 0 when it is none
		if id := directory.ID(p.one["id"]); id.Valid() {
			e.ID, p.id = id, id
		}
	}
	return nil
}

var kindWords = map[string]directory.Kind{
	"organisation": directory.Organisation, "organization": directory.Organisation, "organisations": directory.Organisation, "structure": directory.Organisation,
	"association": directory.Organisation, "asso": directory.Organisation, "entreprise": directory.Organisation, "company": directory.Organisation,
	"ngo": directory.Organisation, "ong": directory.Organisation, "cooperative": directory.Organisation, "acteur": directory.Organisation,
	"place": directory.Place, "places": directory.Place, "lieu": directory.Place, "lieux": directory.Place, "site": directory.Place, "equipement": directory.Place,
	"initiative": directory.Initiative, "initiatives": directory.Initiative, "projet": directory.Initiative, "project": directory.Initiative, "action": directory.Initiative,
	"event": directory.Event, "events": directory.Event, "evenement": directory.Event, "evenements": directory.Event, "manifestation": directory.Event,
}

func kindOf(s string) (directory.Kind, bool) {
	k, ok := kindWords[directory.Fold(s)]
	return k, ok
}

func (b *builder) categories(p *parts) error {
	e := &p.entry
	for _, c := range p.many {
		switch c.col.Field {
		case "tags":
			e.Tags = append(e.Tags, list(c.value)...)
		case "categories":
			p.given["tags"] = true // values without a category become tags
			if c.col.osm != "" {
				if b.opts.Categories != nil {
					if id, ok := b.opts.Categories.Match(c.col.osm + "=" + c.value); ok {
						e.Categories = append(e.Categories, id)
						continue
					}
				}
				if slices.Contains([]string{"yes", "no"}, c.value) {
					continue
				}
			}
			b.categorise(e, c.value)
		}
	}
	return nil
}

// categorise tries the whole value first, because the name of a category may hold a comma.
func (b *builder) categorise(e *directory.Entry, value string) {
	if b.category(e, value) {
		return
	}
	for _, v := range list(value) {
		if b.category(e, v) {
			continue
		}
		if k, ok := kindOf(v); ok {
			if e.Kind == "" {
				e.Kind = k
			}
			continue
		}
		e.Tags = append(e.Tags, v)
		if v = excerpt(v); b.unmatched[v] > 0 || len(b.unmatched) < 1000 {
			b.unmatched[v]++
		}
	}
}

func (b *builder) category(e *directory.Entry, value string) bool {
	if ids, ok := b.mapping.categories[directory.Fold(value)]; ok {
		e.Categories = append(e.Categories, ids...)
		return true
	}
	if b.opts.Categories != nil {
		if id, ok := b.opts.Categories.Match(value); ok {
			e.Categories = append(e.Categories, id)
			return true
		}
	}
	return false
}

var wholeAddress = regexp.MustCompile(`^(.*?)[\s,;-]*\b((?:F-)?[0-9]{5})\s+([\p{L}][\p{L}\p{M} '’.-]+?)(?:\s+cedex(?:\s+[0-9]+)?)?(?:\s*,\s*france)?$`)
var zerosOnly = regexp.MustCompile(`^0+$`)

func (b *builder) where(p *parts) error {
	e := &p.entry
	a := directory.Address{
		Street: strings.Join(strings.Fields(p.one["street"]), " "), PostalCode: p.one["postalCode"], Locality: p.one["locality"],
		Region: p.one["region"], Country: p.one["country"], Code: p.one["municipality"],
	}
	if n := p.one["housenumber"]; n != "" && a.Street != "" {
		a.Street = n + " " + a.Street
	}
	for _, s := range []*string{&a.PostalCode, &a.Code} {
		if zerosOnly.MatchString(*s) {
			*s = "" // how spreadsheets write that there is none
		}
	}
	if a.PostalCode == "" && a.Locality == "" {
		if m := wholeAddress.FindStringSubmatch(a.Street); m != nil {
			a.Street, a.PostalCode, a.Locality = m[1], strings.TrimPrefix(m[2], "F-"), strings.TrimSpace(m[3])
			p.given["postalCode"], p.given["locality"] = true, true
		}
	}
	if len(a.PostalCode) == 4 && len(a.Code) == 5 && strings.HasPrefix(a.Code, "0") {
		a.PostalCode = "0" + a.PostalCode // a spreadsheet took it for a number
	}
	if len(a.Country) > 2 {
		if code := countries[directory.Fold(a.Country)]; code != "" {
			a.Country = code
		}
	}
	if a != (directory.Address{}) {
		e.Address = &a
	}
	for _, c := range p.many {
		if c.col.Field == "zones" {
			if e.Area == nil {
				e.Area = &directory.Area{}
			}
			e.Area.Zones = append(e.Area.Zones, list(c.value)...)
		}
	}
	return b.coordinates(p)
}

var countries = map[string]string{"france": "FR", "belgique": "BE", "belgium": "BE", "suisse": "CH", "switzerland": "CH", "luxembourg": "LU", "allemagne": "DE",
	"germany": "DE", "deutschland": "DE", "espagne": "ES", "spain": "ES", "italie": "IT", "italy": "IT", "fra": "FR", "monaco": "MC", "quebec": "CA", "canada": "CA",
	"royaume uni": "GB", "united kingdom": "GB", "portugal": "PT", "pays bas": "NL", "netherlands": "NL", "andorre": "AD"}

func (b *builder) coordinates(p *parts) error {
	e := &p.entry
	bad := func(field, value string, err error) error {
		return &refused{field, directory.CodeInvalid, value, "cannot be read: " + err.Error()}
	}
	lat, lon := p.one["latitude"], p.one["longitude"]
	switch {
	case lat != "" && lon != "":
		y, err := degrees(lat)
		if err != nil {
			return bad("latitude", lat, err)
		}
		x, err := degrees(lon)
		if err != nil {
			return bad("longitude", lon, err)
		}
		e.Sites = []orb.Point{{x, y}}
	case lat != "" || lon != "":
		return &refused{"geometry", directory.CodeInvalid, lat + lon, "only one of latitude and longitude is there"}
	case p.one["latlon"] != "" && !strings.ContainsAny(p.one["latlon"], "PT{"):
		y, x, err := pair(p.one["latlon"])
		if err != nil {
			return bad("geometry", p.one["latlon"], err)
		}
		e.Sites = []orb.Point{{x, y}}
	case p.one["lonlat"] != "":
		x, y, err := pair(p.one["lonlat"])
		if err != nil {
			return bad("geometry", p.one["lonlat"], err)
		}
		e.Sites = []orb.Point{{x, y}}
	case p.one["geometry"] != "" || p.one["latlon"] != "":
		text := p.one["geometry"]
		if text == "" {
			text = p.one["latlon"]
		}
		points, reduced, err := geometry(text)
		if err != nil {
			return bad("geometry", text, err)
		}
		e.Sites, p.row.reduced = points, reduced
	default:
		e.Sites = slices.Clone(p.row.points)
	}
	if text := p.one["sites"]; text != "" {
		var more []orb.Point
		if err := json.Unmarshal([]byte(text), &more); err != nil {
			return bad("sites", text, err)
		}
		e.Sites = append(e.Sites, more...)
	}
	if p.row.reduced {
		p.warn("geometry", CodeReduced, "", "a line or an area became its centre")
	}
	return nil
}

// metropolitan France: whatever has a French address and lies elsewhere, but here when turned round, is turned round.
var franceBound = orb.Bound{Min: orb.Point{-5.6, 41}, Max: orb.Point{10, 51.6}}

// positions checks every position of the entry: missing, swapped, out of range.
func (b *builder) positions(rec *record) error {
	e := &rec.entry
	if len(e.Sites) == 0 {
		return nil
	}
	kept := e.Sites[:0:0]
	for _, p := range e.Sites {
		if p == (orb.Point{}) {
			rec.warn("geometry", CodeNullIsland, "0, 0", "coordinates 0, 0 were taken as missing")
			continue
		}
		if b.swapped(e, p) {
			if !b.opts.FixSwapped {
				return &refused{"geometry", directory.CodeSwapped, fmt.Sprintf("longitude %v latitude %v", p[0], p[1]), "latitude and longitude look swapped"}
			}
			rec.warn("geometry", CodeAltered, fmt.Sprintf("longitude %v latitude %v", p[0], p[1]), "latitude and longitude looked swapped and were exchanged")
			p = orb.Point{p[1], p[0]}
		}
		if math.Abs(p[0]) > 180 || math.Abs(p[1]) > 90 {
			text := "longitude or latitude out of range"
			if math.Abs(p[0]) > 1000 || math.Abs(p[1]) > 1000 {
				text = "these are metres of a projection (Lambert 93, Web Mercator), not degrees"
			}
			return &refused{"geometry", directory.CodeOutOfRange, fmt.Sprintf("longitude %v latitude %v", p[0], p[1]), text}
		}
		kept = append(kept, p)
	}
	e.Sites = kept
	return nil
}

func (b *builder) swapped(e *directory.Entry, p orb.Point) bool {
	turned := orb.Point{p[1], p[0]}
	if math.Abs(p[1]) > 90 {
		return math.Abs(p[1]) <= 180 && math.Abs(p[0]) <= 90
	}
	bound := b.opts.Bounds
	if bound == (orb.Bound{}) {
		if !french(e) {
			return false
		}
		bound = franceBound
	}
	return !bound.Contains(p) && bound.Contains(turned)
}

func french(e *directory.Entry) bool {
	a := e.Address
	if a == nil {
		return false
	}
	return a.Country == "FR" || a.Country == "" && len(a.PostalCode) == 5 && strings.HasPrefix(e.Lang, "fr")
}

// provenance fills in where the record comes from and what identifies it there.
func (b *builder) provenance(rec *record) {
	e := &rec.entry
	if e.Licence == "" {
		e.Licence = b.mapping.Licence
	}
	if e.Lang == "" {
		e.Lang = b.mapping.Lang
	}
	if e.Kind == "" {
		switch {
		case e.Event != nil:
			e.Kind = directory.Event
		case b.mapping.Kind != "":
			e.Kind = directory.Kind(b.mapping.Kind)
		default:
			e.Kind = directory.Place
		}
	}
	if rec.id != "" { // known by its id; what it says about its source stays
		if e.Source == nil && b.mapping.Source != "" {
			e.Source = &directory.Source{Name: b.mapping.Source, URL: b.mapping.SourceURL, ExternalID: string(rec.id)}
		}
		return
	}
	if e.Source == nil {
		e.Source = &directory.Source{}
	}
	s := e.Source
	if s.Name == "" {
		s.Name = b.mapping.Source
	}
	if s.URL == "" && s.Name == b.mapping.Source {
		s.URL = b.mapping.SourceURL
	}
	if len(rec.row.idParts) > 0 && strings.Join(rec.row.idParts, "") != "" {
		s.ExternalID = strings.Join(rec.row.idParts, "/")
	}
	if s.ExternalID == "" {
		s.ExternalID = contentID(e)
	}
	if len(s.ExternalID) > directory.MaxLine {
		s.ExternalID = digest(s.ExternalID)
	}
	if s.Name == "" {
		e.Source = nil
	}
}

// contentID identifies a record of a source that gives no ids: by its name, street, postcode and town, or where it has
// no address by its name and position to about 100 m, and for an event also by its start. See the package documentation.
func contentID(e *directory.Entry) string {
	parts := []string{directory.Fold(e.Name)}
	if a := e.Address; a != nil && a.Street+a.PostalCode+a.Locality != "" {
		parts = append(parts, directory.Fold(a.Street), directory.Fold(a.PostalCode), directory.Fold(a.Locality))
	} else if len(e.Sites) > 0 {
		parts = append(parts, fmt.Sprintf("%.3f %.3f", e.Sites[0][0], e.Sites[0][1]))
	}
	if e.Event != nil {
		parts = append(parts, e.Event.Start.UTC().Format(time.RFC3339))
	}
	return digest(strings.Join(parts, "\x00"))
}

func digest(s string) string {
	sum := sha256.Sum256([]byte(s))
	return "~" + hex.EncodeToString(sum[:12])
}

// fitSummary moves a summary that is too long into the description, and keeps its beginning.
func (b *builder) fitSummary(rec *record) {
	e := &rec.entry
	if utf8.RuneCountInString(e.Summary) <= directory.MaxSummary {
		return
	}
	rec.warn("summary", CodeAltered, e.Summary, fmt.Sprintf("longer than %d characters: moved into the description, the summary is its beginning", directory.MaxSummary))
	whole := e.Summary
	cut := []rune(whole)[:directory.MaxSummary-1]
	for i := len(cut) - 1; i > directory.MaxSummary/2; i-- {
		if cut[i] == ' ' {
			cut = cut[:i]
			break
		}
	}
	e.Summary = string(cut) + "…"
	if e.Description == "" {
		e.Description = whole
	} else if !strings.Contains(e.Description, whole) {
		e.Description = whole + "\n\n" + e.Description
	}
}

// validate drops optional values that no entry may have, with a warning, and refuses the row for the others.
func (b *builder) validate(rec *record) error {
	for range 40 {
		var invalid directory.Invalid
		if err := directory.Validate(&rec.entry, b.opts.Rules); err == nil || !errors.As(err, &invalid) {
			return err
		}
		dropped := false
		for _, p := range invalid {
			if value, ok := drop(&rec.entry, p.Field); ok {
				dropped = true
				rec.warn(p.Field, CodeDropped, value, strings.ReplaceAll(p.Code, "_", " ")+", left out")
				break // indexes have moved
			}
		}
		if !dropped {
			return invalid
		}
		directory.Normalize(&rec.entry)
	}
	return directory.Validate(&rec.entry, b.opts.Rules)
}

func put(m *map[string]string, k, v string) {
	if *m == nil {
		*m = map[string]string{}
	}
	(*m)[k] = v
}
