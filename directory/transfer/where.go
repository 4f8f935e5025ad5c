package transfer

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/paulmach/orb"

	"archipel/directory"
)

var wholeAddress = regexp.MustCompile(`^(.*?)[\s,;-]*\b((?:F-)?[0-9]{5})\s+([\p{L}][\p{L}\p{M} '’.-]+?)(?:\s+cedex(?:\s+[0-9]+)?)?(?:\s*,\s*france)?$`)
var zerosOnly = regexp.MustCompile(`^0+$`)

func (b *builder) where(p *parts) error {
	a := directory.Address{
		Street: strings.Join(strings.Fields(p.one["street"]), " "), PostalCode: p.one["postalCode"], Locality: p.one["locality"],
		Region: p.one["region"], Country: p.one["country"], Code: p.one["municipalityCode"],
	}
	if b.own {
		return b.place(p, a)
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
	return b.place(p, a)
}

func (b *builder) place(p *parts, a directory.Address) error {
	e := &p.entry
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
	if len(e.Sites) == 0 || rec.id != "" {
		return nil // what an Archipel wrote was checked there; the range is checked with everything else
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
	if e.Lang == "" && rec.id == "" { // what an Archipel wrote says all there is to say
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
