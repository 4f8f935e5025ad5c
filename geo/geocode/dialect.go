package geocode

import (
	"encoding/json"
	"fmt"
	"math"
	"net/url"
	"strconv"
	"strings"

	"archipel/geo/geocode/gazdata"

	"github.com/paulmach/orb"
)

// dialect is how a kind of server is asked. The requests are brought to a plain
// form, so that questions that mean the same share one answer in the cache.
type dialect interface {
	name() string
	searchPath(q Query) string
	search(q Query) (url.Values, error)
	reverse(at orb.Point, language string) (string, url.Values)
	healthy(get func(path string, values url.Values) ([]byte, error)) error
}

func degrees(v float64) string { return strconv.FormatFloat(math.Round(v*1e5)/1e5, 'f', -1, 64) }

// coarse is the viewed area in steps of half a degree, so that moving the map a
// little asks nothing new. Empty without an area.
func coarse(q Query) (Box, bool) {
	var b Box
	switch {
	case q.View != nil && q.View[0] <= q.View[2]:
		b = *q.View
	case q.Near != nil:
		b = around(*q.Near, 20e3)
	default:
		return b, false
	}
	return Box{math.Floor(b[0]*2) / 2, math.Floor(b[1]*2) / 2, math.Ceil(b[2]*2) / 2, math.Ceil(b[3]*2) / 2}, true
}

// tidy is a text as it is sent: lower case, one blank. Accents stay, for the
// server to judge.
func tidy(s string) string { return strings.ToLower(strings.Join(strings.Fields(s), " ")) }

// freeText is the query in one line.
func freeText(q Query) string {
	if !q.Structured() {
		return q.Text
	}
	var parts []string
	for _, s := range []string{q.Street, strings.TrimSpace(q.Postcode + " " + q.City), q.Country} {
		if s != "" {
			parts = append(parts, s)
		}
	}
	return strings.Join(parts, ", ")
}

type nominatim struct{}

func (nominatim) name() string            { return "nominatim" }
func (nominatim) searchPath(Query) string { return "/search" }

func (nominatim) search(q Query) (url.Values, error) {
	v := url.Values{"format": {"geocodejson"}, "addressdetails": {"1"}, "limit": {strconv.Itoa(max(10, q.Limit))}}
	if q.Structured() {
		for name, text := range map[string]string{"street": q.Street, "city": q.City, "postalcode": q.Postcode, "country": q.Country} {
			if text != "" {
				v.Set(name, tidy(text))
			}
		}
	} else {
		if gazdata.Fold(q.Text) == "" {
			return nil, &QueryError{"text", "no letter and no digit"}
		}
		v.Set("q", tidy(q.Text))
	}
	if q.Language != "" {
		v.Set("accept-language", q.Language)
	}
	if len(q.Countries) > 0 {
		v.Set("countrycodes", strings.ToLower(strings.Join(q.Countries, ",")))
	}
	if b, ok := coarse(q); ok {
		v.Set("viewbox", degrees(b[0])+","+degrees(b[1])+","+degrees(b[2])+","+degrees(b[3]))
	}
	return v, nil
}

func (nominatim) reverse(at orb.Point, language string) (string, url.Values) {
	v := url.Values{"format": {"geocodejson"}, "addressdetails": {"1"}, "lat": {degrees(at[1])}, "lon": {degrees(at[0])}}
	if language != "" {
		v.Set("accept-language", language)
	}
	return "/reverse", v
}

// healthy looks at the status inside: the answer is a 200 even when the database
// is broken.
func (nominatim) healthy(get func(string, url.Values) ([]byte, error)) error {
	body, err := get("/status", url.Values{"format": {"json"}})
	if err != nil {
		return err
	}
	var status struct {
		Status  *int   `json:"status"`
		Message string `json:"message"`
	}
	if err := json.Unmarshal(body, &status); err != nil || status.Status == nil {
		return errAnswer
	}
	if *status.Status != 0 {
		return fmt.Errorf("status %d: %.100s", *status.Status, status.Message)
	}
	return nil
}

type photon struct{}

func (photon) name() string            { return "photon" }
func (photon) searchPath(Query) string { return "/api" }

// photonLanguages are those that a Photon server has without further settings;
// it refuses the others.
var photonLanguages = map[string]bool{"fr": true, "en": true, "de": true}

func (photon) search(q Query) (url.Values, error) {
	v := url.Values{"q": {tidy(freeText(q))}, "limit": {strconv.Itoa(max(10, q.Limit))}}
	if gazdata.Fold(v.Get("q")) == "" {
		return nil, &QueryError{"text", "no letter and no digit"}
	}
	if l := lang(q.Language); photonLanguages[l] {
		v.Set("lang", l)
	}
	if b, ok := coarse(q); ok {
		v.Set("lon", degrees(b.Center()[0]))
		v.Set("lat", degrees(b.Center()[1]))
	}
	return v, nil
}

func (photon) reverse(at orb.Point, language string) (string, url.Values) {
	v := url.Values{"lon": {degrees(at[0])}, "lat": {degrees(at[1])}}
	if l := lang(language); photonLanguages[l] {
		v.Set("lang", l)
	}
	return "/reverse", v
}

func (photon) healthy(get func(string, url.Values) ([]byte, error)) error {
	body, err := get("/status", nil)
	if err != nil {
		return err
	}
	var status struct {
		Status string `json:"status"`
	}
	if json.Unmarshal(body, &status) != nil || !strings.EqualFold(status.Status, "ok") {
		return errAnswer
	}
	return nil
}

type addok struct{}

func (addok) name() string            { return "addok" }
func (addok) searchPath(Query) string { return "/search/" }

func (addok) search(q Query) (url.Values, error) {
	text := q
	text.Country = "" // it knows one only
	v := url.Values{"q": {tidy(freeText(text))}, "limit": {strconv.Itoa(max(10, q.Limit))}}
	if len(gazdata.Fold(v.Get("q"))) < 3 {
		return nil, &QueryError{"text", "fewer than three letters"}
	}
	if q.Structured() && len(q.Postcode) == 5 && digitsOnly(q.Postcode) {
		v.Set("postcode", q.Postcode)
	}
	if b, ok := coarse(q); ok {
		v.Set("lon", degrees(b.Center()[0]))
		v.Set("lat", degrees(b.Center()[1]))
	}
	return v, nil
}

func (addok) reverse(at orb.Point, _ string) (string, url.Values) {
	return "/reverse/", url.Values{"lon": {degrees(at[0])}, "lat": {degrees(at[1])}}
}

// healthy asks an ordinary question: Addok has no page for it.
func (addok) healthy(get func(string, url.Values) ([]byte, error)) error {
	body, err := get("/search/", url.Values{"q": {"paris"}, "limit": {"1"}})
	if err != nil {
		return err
	}
	_, err = parseGeocodeJSON(body, "addok")
	return err
}
