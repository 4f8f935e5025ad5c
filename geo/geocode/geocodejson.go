package geocode

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/paulmach/orb"
)

// collection is a GeoCodeJSON answer (geocoding 0.1.0), as Nominatim, Photon and
// Addok send it, and the error shapes that come in its place. Photon and Addok
// put the properties one level higher than Nominatim.
type collection struct {
	Type     string          `json:"type"`
	Features []feature       `json:"features"`
	Error    json.RawMessage `json:"error"`
}

type feature struct {
	Geometry struct {
		Type        string        `json:"type"`
		Coordinates []looseNumber `json:"coordinates"`
	} `json:"geometry"`
	Properties struct {
		properties
		Geocoding *properties `json:"geocoding"`
	} `json:"properties"`
	BBox []looseNumber `json:"bbox"`
}

type properties struct {
	Type        looseText     `json:"type"`
	OSMType     looseText     `json:"osm_type"`
	OSMID       looseNumber   `json:"osm_id"`
	OSMKey      looseText     `json:"osm_key"`
	OSMValue    looseText     `json:"osm_value"`
	Label       looseText     `json:"label"`
	Name        looseText     `json:"name"`
	Housenumber looseText     `json:"housenumber"`
	Street      looseText     `json:"street"`
	Locality    looseText     `json:"locality"`
	Postcode    looseText     `json:"postcode"`
	City        looseText     `json:"city"`
	District    looseText     `json:"district"`
	County      looseText     `json:"county"`
	State       looseText     `json:"state"`
	Country     looseText     `json:"country"`
	CountryCode looseText     `json:"country_code"`
	CountryISO  looseText     `json:"countrycode"` // Photon
	Citycode    looseText     `json:"citycode"`    // Addok: INSEE
	Importance  looseNumber   `json:"importance"`
	Extent      []looseNumber `json:"extent"` // Photon: west, north, east, south
}

// looseNumber is a number that some servers write as a string; anything else is
// not a number.
type looseNumber float64

func (n *looseNumber) UnmarshalJSON(b []byte) error {
	s := strings.Trim(string(b), `"`)
	v, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsInf(v, 0) {
		v = math.NaN()
	}
	*n = looseNumber(v)
	return nil
}

// looseText is a text that may come as a number, or in a list; anything else is empty.
type looseText string

func (t *looseText) UnmarshalJSON(b []byte) error {
	var s string
	var list []string
	var n json.Number
	switch {
	case json.Unmarshal(b, &s) == nil:
	case json.Unmarshal(b, &n) == nil:
		s = n.String()
	case json.Unmarshal(b, &list) == nil && len(list) > 0:
		s = list[0]
	}
	s, _ = plain(strings.ToValidUTF8(cutText(s), "")) // whatever it came as
	*t = looseText(s)
	return nil
}

// cutText keeps what a label may need of a text.
func cutText(s string) string { return s[:min(len(s), MaxText)] }

// errAnswer is an answer that cannot be understood.
var errAnswer = errors.New("unreadable answer")

// parseGeocodeJSON reads an answer. Features that have no usable position or
// no name are left out. It reports ErrNotFound when none is left, ErrBadQuery or
// ErrUnavailable for an error inside an answer.
func parseGeocodeJSON(body []byte, source string) ([]Place, error) {
	var c collection
	if err := json.Unmarshal(body, &c); err != nil {
		var list []json.RawMessage
		if json.Unmarshal(body, &list) == nil && len(list) == 0 {
			return nil, ErrNotFound // "[]" from other formats
		}
		return nil, fmt.Errorf("%w: %v", errAnswer, err)
	}
	if len(c.Error) > 0 && string(c.Error) != "null" {
		return nil, errorInside(c.Error)
	}
	if c.Type != "FeatureCollection" {
		return nil, fmt.Errorf("%w: no FeatureCollection", errAnswer)
	}
	var places []Place
	for i, f := range c.Features {
		if i == MaxLimit {
			break
		}
		if p, ok := f.place(source); ok {
			if p.Importance == 0 { // the order of the answer tells it
				p.Importance = 0.5 / float64(i+1)
			}
			places = append(places, p)
		}
	}
	if len(places) == 0 {
		return nil, ErrNotFound
	}
	return places, nil
}

// errorInside reads {"error": "Unable to geocode"} and {"error": {"code", "message"}}.
func errorInside(raw json.RawMessage) error {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		if strings.Contains(strings.ToLower(text), "unable to geocode") {
			return ErrNotFound
		}
		return fmt.Errorf("%w: %.200s", errAnswer, text)
	}
	var object struct {
		Code    looseNumber `json:"code"`
		Message looseText   `json:"message"`
	}
	if json.Unmarshal(raw, &object) == nil && object.Code >= 400 && object.Code < 500 && object.Code != 429 && object.Code != 408 {
		return &QueryError{"text", string(object.Message)}
	}
	return fmt.Errorf("%w: error %.200s", errAnswer, raw)
}

// place makes a Place of a feature, when it has a position and a name.
func (f feature) place(source string) (Place, bool) {
	g := f.Properties.properties
	if f.Properties.Geocoding != nil {
		g = *f.Properties.Geocoding
	}
	if len(f.Geometry.Coordinates) < 2 {
		return Place{}, false
	}
	at := orb.Point{float64(f.Geometry.Coordinates[0]), float64(f.Geometry.Coordinates[1])}
	if !validPoint(at) {
		return Place{}, false
	}
	p := Place{Point: at, Source: source, Kind: g.kind(), Name: string(g.Name)}
	p.Label = g.label(p.Kind)
	if p.Label == "" {
		return Place{}, false
	}
	if p.Name == "" {
		p.Name, _, _ = strings.Cut(p.Label, ",")
	}
	p.Codes = Codes{Country: strings.ToUpper(string(g.CountryCode + g.CountryISO))}
	if len(p.Codes.Country) != 2 || !letters(p.Codes.Country) {
		p.Codes.Country = ""
	}
	if g.Postcode != "" {
		p.Codes.Postcodes = []string{string(g.Postcode)}
	}
	if source == "addok" {
		p.Codes.INSEE, p.Codes.Country = string(g.Citycode), "FR"
	}
	p.OSMType, p.OSMID = osmType(string(g.OSMType)), osmID(g.OSMID)
	if p.OSMType == "" || p.OSMID == 0 {
		p.OSMType, p.OSMID = "", 0
	}
	if v := float64(g.Importance); v > 0 && v <= 1 {
		p.Importance = v
	}
	p.Box = f.box(g, p)
	return p, true
}

func osmType(s string) string {
	switch strings.ToLower(s) {
	case "n", "node":
		return "node"
	case "w", "way":
		return "way"
	case "r", "relation":
		return "relation"
	}
	return ""
}

func osmID(n looseNumber) int64 {
	if v := float64(n); v >= 1 && v < 1<<53 {
		return int64(v)
	}
	return 0
}

// kind maps the types of the three servers.
func (g properties) kind() Kind {
	switch g.Type {
	case "house", "housenumber":
		if g.Housenumber == "" && g.Name != "" && g.Type == "house" {
			return KindPOI
		}
		return KindHouse
	case "poi", "other":
		return KindPOI
	case "street":
		return KindStreet
	case "locality":
		return KindLocality
	case "district":
		return KindDistrict
	case "postcode", "zip":
		return KindPostcode
	case "city", "municipality", "town", "village":
		return KindCommune
	case "county":
		return KindCounty
	case "state", "region":
		return KindRegion
	case "country":
		return KindCountry
	}
	return KindUnknown
}

// label is the name or the number and street, then postal code and town, then
// the country; what the server wrote when there are no parts.
func (g properties) label(kind Kind) string {
	first := string(g.Name)
	street := strings.TrimSpace(string(g.Housenumber + " " + g.Street))
	switch {
	case g.Housenumber != "" && strings.HasPrefix(first, string(g.Housenumber)+" "): // Addok: the name has the number
		street = ""
	case first == "":
		first, street = street, ""
	}
	if kind == KindHouse && first == string(g.Housenumber) {
		first, street = street, ""
	}
	town := strings.TrimSpace(string(g.Postcode + " " + g.City))
	var parts []string
	for _, s := range []string{first, street, string(g.Locality), town, string(g.Country)} {
		if s != "" && !slices.Contains(parts, s) && !(s == string(g.Postcode+" "+g.Name) && len(parts) > 0) {
			parts = append(parts, s)
		}
	}
	if first == "" || len(parts) < 2 {
		if g.Label != "" {
			return string(g.Label)
		}
	}
	return strings.Join(parts, ", ")
}

// box is the extent that the server gives, else one that suits the kind.
func (f feature) box(g properties, p Place) Box {
	if e := g.Extent; len(e) == 4 {
		b := Box{float64(e[0]), min(float64(e[1]), float64(e[3])), float64(e[2]), max(float64(e[1]), float64(e[3]))}
		if b.Valid() && b.Contains(p.Point) {
			return b
		}
	}
	if e := f.BBox; len(e) == 4 {
		if b := (Box{float64(e[0]), float64(e[1]), float64(e[2]), float64(e[3])}); b.Valid() && b.Contains(p.Point) {
			return b
		}
	}
	return around(p.Point, map[Kind]float64{KindHouse: 120, KindPOI: 150, KindStreet: 400, KindLocality: 900, KindDistrict: 1500, KindPostcode: 4000,
		KindCommune: 4000, KindVillage: 2000, KindCounty: 20e3, KindRegion: 80e3, KindCountry: 300e3, KindUnknown: 1000}[p.Kind])
}
