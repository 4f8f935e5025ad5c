// Package geocode finds where a name or an address is, and what lies at a
// position.
//
// Geocoder is the promise; Gazetteer (towns, postal codes, départements, regions
// and countries, embedded), Nominatim, Photon and Addok keep it. Geo puts them
// together: completion always from the gazetteer, addresses from a server when there is one,
// the town when there is none.
//
// Positions are [longitude, latitude] in WGS 84 degrees (RFC 7946), boxes are
// [west, south, east, north].
package geocode

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"unicode/utf8"

	"github.com/paulmach/orb"
)

// What a Geocoder reports; test with errors.Is.
var (
	// ErrNotFound means that the question was understood and nothing is known.
	ErrNotFound = errors.New("nothing found")
	// ErrUnavailable means that no answer could be had: no server, a broken
	// one, or one that took too long. Asking again later makes sense.
	ErrUnavailable = errors.New("geocoder unavailable")
	// ErrBadQuery means that the question makes no sense; see QueryError for the field.
	ErrBadQuery = errors.New("bad query")
)

// QueryError is an ErrBadQuery that names the field of Query that is wrong.
type QueryError struct{ Field, Reason string }

func (e *QueryError) Error() string { return "bad query: " + e.Field + ": " + e.Reason }

// Unwrap makes errors.Is(err, ErrBadQuery) true.
func (e *QueryError) Unwrap() error { return ErrBadQuery }

// Geocoder answers where something is.
type Geocoder interface {
	// Search gives the places that a query may mean, the likeliest first, at
	// most Query.Limit. It reports ErrNotFound rather than an empty list,
	// ErrBadQuery for a question that no answer can fit, ErrUnavailable when no answer
	// could be had, and the context's error when that ended first.
	Search(ctx context.Context, q Query) ([]Place, error)
	// Reverse gives what lies at a position, the narrowest first, named in a
	// language (BCP 47, empty for the local one). Errors are those of Search.
	Reverse(ctx context.Context, at orb.Point, language string) ([]Place, error)
}

// Limits of a Query.
const (
	MaxText      = 300 // bytes in any text of a query
	DefaultLimit = 10
	MaxLimit     = 50
)

// Query is a question to a Geocoder: either Text, or some of Street, City, Postcode
// and Country.
type Query struct {
	Text string // "Saillans", "12 rue de la Paix 75002 Paris", "42000", "Loire"

	Street, City, Postcode, Country string

	Language  string     // of the answer, BCP 47; empty for the local one
	Near      *orb.Point // nearer places come first; [longitude, latitude]
	View      *Box       // the viewed area: places inside come first
	Countries []string   // ISO 3166-1 alpha-2: nothing from elsewhere
	Limit     int        // DefaultLimit when 0, at most MaxLimit
}

// Structured tells whether the query gives an address in parts.
func (q Query) Structured() bool {
	return q.Street != "" || q.City != "" || q.Postcode != "" || q.Country != ""
}

// Validate reports a QueryError when the query cannot be asked, and brings
// blanks, Limit, Countries and Language to their plain form.
func (q *Query) Validate() error {
	for _, f := range []struct {
		name string
		text *string
	}{{"text", &q.Text}, {"street", &q.Street}, {"city", &q.City}, {"postcode", &q.Postcode}, {"country", &q.Country}} {
		t, err := plain(*f.text)
		if err != nil {
			return &QueryError{f.name, err.Error()}
		}
		*f.text = t
	}
	switch {
	case q.Text != "" && q.Structured():
		return &QueryError{"text", "give either one text or an address in parts, not both"}
	case q.Text == "" && !q.Structured():
		return &QueryError{"text", "empty"}
	case q.Limit < 0 || q.Limit > MaxLimit:
		return &QueryError{"limit", fmt.Sprintf("want 1 to %d", MaxLimit)}
	case q.Near != nil && !validPoint(*q.Near):
		return &QueryError{"near", "want a longitude from -180 to 180 and a latitude from -90 to 90"}
	case q.View != nil && !q.View.Valid():
		return &QueryError{"view", "want west, south, east, north in degrees"}
	}
	if q.Limit == 0 {
		q.Limit = DefaultLimit
	}
	countries := make([]string, 0, len(q.Countries))
	for _, c := range q.Countries {
		if len(c) != 2 || !letters(c) {
			return &QueryError{"countries", "want two-letter codes (ISO 3166-1)"}
		}
		countries = append(countries, strings.ToUpper(c))
	}
	q.Countries = countries
	if len(q.Language) > 35 || !languageTag(q.Language) {
		return &QueryError{"language", "want a language tag (BCP 47)"}
	}
	return nil
}

// plain trims a text and turns its control characters into blanks.
func plain(s string) (string, error) {
	if len(s) > MaxText {
		return "", fmt.Errorf("longer than %d bytes", MaxText)
	}
	if !utf8.ValidString(s) {
		return "", errors.New("not UTF-8")
	}
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 {
			return ' '
		}
		return r
	}, s)
	return strings.Join(strings.Fields(s), " "), nil
}

func letters(s string) bool {
	for i := range len(s) {
		if c := s[i] | 0x20; c < 'a' || c > 'z' {
			return false
		}
	}
	return true
}

func languageTag(s string) bool {
	for i := range len(s) {
		c := s[i]
		if !(c == '-' || '0' <= c && c <= '9' || letters(string(c))) {
			return false
		}
	}
	return true
}

func validPoint(p orb.Point) bool {
	return p[0] >= -180 && p[0] <= 180 && p[1] >= -90 && p[1] <= 90
}

// Kind says what a Place is.
type Kind string

// The kinds, from the most to the least precise.
const (
	KindHouse       Kind = "house"  // a house number
	KindPOI         Kind = "poi"    // something with a name: a shop, a station, a hamlet's chapel
	KindStreet      Kind = "street" // a street or a square
	KindLocality    Kind = "locality"
	KindDistrict    Kind = "district" // part of a town; an arrondissement of Paris, Lyon, Marseille
	KindPostcode    Kind = "postcode"
	KindVillage     Kind = "village" // a settlement inside a commune
	KindCommune     Kind = "commune" // a French commune, or a town elsewhere
	KindCounty      Kind = "county"  // outside France, between town and state
	KindDepartement Kind = "departement"
	KindRegion      Kind = "region" // a French region, or a state elsewhere
	KindCountry     Kind = "country"
	KindUnknown     Kind = "unknown"
)

// Place is an answer.
type Place struct {
	Name    string `json:"name"`              // "Saillans"
	Label   string `json:"label"`             // "Saillans (26)", "12 rue de la Paix, 75002 Paris"
	Matched string `json:"matched,omitempty"` // the other name that the query meant, when it is not Name
	Kind    Kind   `json:"kind"`

	Point orb.Point `json:"point"`         // [longitude, latitude]
	Box   Box       `json:"bbox,omitzero"` // what to show of the map; zero when unknown
	// Approximate means that the place itself was not located: a town stands
	// for an address, or neighbours for a village.
	Approximate bool `json:"approximate,omitempty"`

	Zone  ZoneCode `json:"zone,omitempty"` // the area to filter by; empty for an address
	Codes Codes    `json:"codes,omitzero"`

	OSMType    string  `json:"osmType,omitempty"` // node, way or relation; empty when not from OpenStreetMap
	OSMID      int64   `json:"osmId,omitempty"`
	Importance float64 `json:"importance,omitempty"` // 0 to 1
	Source     string  `json:"source"`               // "gazetteer", "nominatim", "photon", "addok"
}

// Codes are the official codes of a place; any may be empty.
type Codes struct {
	INSEE       string   `json:"insee,omitempty"` // of the commune (COG)
	Postcodes   []string `json:"postcodes,omitempty"`
	Departement string   `json:"departement,omitempty"` // INSEE number: "42", "2A", "971"
	Region      string   `json:"region,omitempty"`      // INSEE number: "84"
	Country     string   `json:"country,omitempty"`     // ISO 3166-1 alpha-2
	GeoNames    uint32   `json:"geonames,omitempty"`
}

// IsZero tells that no code is known.
func (c Codes) IsZero() bool {
	return c.INSEE == "" && len(c.Postcodes) == 0 && c.Departement == "" && c.Region == "" && c.Country == "" && c.GeoNames == 0
}

// Box is an extent in degrees: west, south, east, north. West is greater than east
// when it crosses the antimeridian.
type Box [4]float64

// Valid tells whether the box lies on the globe, and has its south below its north.
func (b Box) Valid() bool {
	return validPoint(orb.Point{b[0], b[1]}) && validPoint(orb.Point{b[2], b[3]}) && b[1] <= b[3]
}

// IsZero tells an unknown extent.
func (b Box) IsZero() bool { return b == Box{} }

// Contains tells whether a position lies in the box or on its edge.
func (b Box) Contains(p orb.Point) bool {
	if p[1] < b[1] || p[1] > b[3] {
		return false
	}
	if b[0] <= b[2] {
		return b[0] <= p[0] && p[0] <= b[2]
	}
	return p[0] >= b[0] || p[0] <= b[2]
}

// Center is the middle of the box.
func (b Box) Center() orb.Point {
	lon := (b[0] + b[2]) / 2
	if b[0] > b[2] {
		lon += 180
		if lon > 180 {
			lon -= 360
		}
	}
	return orb.Point{lon, (b[1] + b[3]) / 2}
}

// around is the box of a radius in metres around a position.
func around(p orb.Point, radius float64) Box {
	dLat := radius / metresPerDegree
	dLon := radius / (metresPerDegree * max(0.01, math.Cos(p[1]*math.Pi/180)))
	return Box{max(-180, p[0]-dLon), max(-90, p[1]-dLat), min(180, p[0]+dLon), min(90, p[1]+dLat)}
}

const metresPerDegree = 111195.0

// Distance is in metres along the sphere.
func Distance(a, b orb.Point) float64 {
	const rad = math.Pi / 180
	sLat, sLon := math.Sin((b[1]-a[1])*rad/2), math.Sin((b[0]-a[0])*rad/2)
	h := sLat*sLat + math.Cos(a[1]*rad)*math.Cos(b[1]*rad)*sLon*sLon
	return 2 * 6371008.8 * math.Asin(math.Sqrt(min(1, h)))
}
