package geocode

import (
	"context"
	"errors"
	"strings"

	"github.com/paulmach/orb"
)

// Address is an address in parts, as an entry or a row of an import has it. Any
// part may be empty.
type Address struct {
	Street, Postcode, City, Country string
}

// Precision says how well an address was located.
type Precision string

// The precisions.
const (
	PrecisionHouse  Precision = "house"  // at the door
	PrecisionStreet Precision = "street" // somewhere in the street, or the named place
	PrecisionTown   Precision = "town"   // the middle of the town: Approximate
)

// Position is where an address is.
type Position struct {
	Point       orb.Point // [longitude, latitude]
	Precision   Precision
	Approximate bool // only the town was found
	// Retry means that the server which may know better could not be asked:
	// locating the same address later may give more.
	Retry bool
	Place Place
}

// Locate finds an address for an import or a form, in a language (BCP 47) and
// within countries (ISO 3166-1; none for everywhere): with the server when there is one, and at
// town level otherwise. A server's answer in another town than the address says is
// not believed. It reports ErrNotFound when not even the town is known, and ErrBadQuery for an
// address without town or postal code.
//
// Asked one by one, a public server is asked once a second; what it said is in
// the cache, so an import that starts again goes fast to where it was.
func (l *Locator) Locate(ctx context.Context, a Address, language string, countries ...string) (Position, error) {
	q := Query{Street: a.Street, Postcode: a.Postcode, City: a.City, Country: a.Country, Language: language, Countries: countries, Limit: 5}
	if strings.TrimSpace(a.City+a.Postcode) == "" {
		if strings.TrimSpace(a.Street) == "" {
			return Position{}, &QueryError{"city", "empty, and so is the postal code"}
		}
		q = Query{Text: strings.Join(nonEmpty(a.Street, a.Country), ", "), Language: language, Countries: countries, Limit: 5}
	}
	if err := q.Validate(); err != nil {
		return Position{}, err
	}
	var towns []Place
	if q.Structured() {
		towns = l.gazetteer.locate(q)
	} else {
		towns = l.townOf(q)
	}
	retry := false
	if l.server != nil && (q.Street+q.Text != "" || len(towns) == 0) {
		place, err := l.fromServer(ctx, q, towns)
		if err == nil {
			return located(place), nil
		}
		if ctx.Err() != nil {
			return Position{}, ctx.Err()
		}
		retry = errors.Is(err, ErrUnavailable)
	}
	if len(towns) == 0 {
		if retry {
			return Position{}, ErrUnavailable
		}
		return Position{}, ErrNotFound
	}
	return Position{Point: towns[0].Point, Precision: PrecisionTown, Approximate: true, Retry: retry, Place: towns[0]}, nil
}

// fromServer asks in parts, then in one line, which servers take more freely,
// for something better than the town. It reports ErrNotFound when there is none.
func (l *Locator) fromServer(ctx context.Context, q Query, towns []Place) (Place, error) {
	asks := []Query{q}
	if q.Structured() {
		line := Query{Text: freeText(q), Language: q.Language, Countries: q.Countries, Limit: q.Limit}
		if line.Validate() == nil {
			asks = append(asks, line)
		}
	}
	for _, ask := range asks {
		found, err := l.server.Search(ctx, ask)
		if err != nil {
			if errors.Is(err, ErrNotFound) || errors.Is(err, ErrBadQuery) {
				continue
			}
			return Place{}, err
		}
		for _, p := range found {
			if believable(p, towns) && (len(towns) == 0 || located(p).Precision != PrecisionTown) {
				return p, nil
			}
		}
	}
	return Place{}, ErrNotFound
}

// believable tells whether a place lies in or near one of the towns that the
// address may mean.
func believable(p Place, towns []Place) bool {
	for _, t := range towns {
		reach := 10e3 + Distance(t.Point, orb.Point{t.Box[2], t.Box[3]})
		if Distance(p.Point, t.Point) < reach {
			return true
		}
	}
	return len(towns) == 0
}

func located(p Place) Position {
	at := Position{Point: p.Point, Place: p}
	switch p.Kind {
	case KindHouse:
		at.Precision = PrecisionHouse
	case KindPOI, KindStreet, KindLocality:
		at.Precision = PrecisionStreet
	default:
		at.Precision, at.Approximate = PrecisionTown, true
		at.Place.Approximate = true
	}
	return at
}

func nonEmpty(texts ...string) []string {
	var list []string
	for _, t := range texts {
		if t = strings.TrimSpace(t); t != "" {
			list = append(list, t)
		}
	}
	return list
}
