package api

import (
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"archipel/directory"
	"archipel/frontend"
	"archipel/geo"
	"archipel/geo/geocode"

	"github.com/gofiber/fiber/v2"
	"github.com/paulmach/orb"
)

// Limits on what one request may ask for.
const (
	defaultLimit = 20
	maxLimit     = 1000
	maxWords     = 200     // characters of q
	maxChosen    = 50      // values of one repeated filter
	maxRadius    = 2e6     // metres
	maxKey       = 2 << 10 // bytes of "after"
)

// request is what a list was asked for: as it stands in the address, and as the index understands it.
type request struct {
	query  frontend.Query
	filter geo.Filter
	sort   string // as given, or chosen: name, updated, distance, start, relevance
	given  bool   // sort was given
	limit  int
	after  string

	away     bool     // the search engine did not answer; plain words are looked for
	spelling string   // what was searched instead of the words
	dropped  []string // words left aside
}

// sorts are the accepted values of sort, by what the index calls them.
var sorts = map[string]geo.Order{"name": geo.ByName, "updated": geo.ByUpdated, "distance": geo.ByDistance, "start": geo.ByStart, "relevance": geo.ByOnly}

// values reads the query string; Fiber's own reader drops repeated values.
func values(c *fiber.Ctx) (url.Values, error) {
	v, err := url.ParseQuery(string(c.Request().URI().QueryString()))
	if err != nil {
		return nil, invalidParam("query", directory.CodeInvalid, err.Error())
	}
	for key, list := range v {
		for _, s := range list {
			if !utf8.ValidString(s) || strings.ContainsRune(s, 0) {
				return nil, directory.Invalid{{Field: key, Code: directory.CodeControl}}
			}
		}
		if len(list) > maxChosen {
			return nil, directory.Invalid{{Field: key, Code: directory.CodeTooMany, Params: map[string]any{"max": maxChosen, "got": len(list)}}}
		}
	}
	return v, nil
}

// parse reads and checks every parameter of a list, and reports all problems at once, as directory.Invalid.
func (s *Server) parse(c *fiber.Ctx) (request, error) {
	v, err := values(c)
	if err != nil {
		return request{}, err
	}
	return s.parseValues(v)
}

func (s *Server) parseValues(v url.Values) (request, error) {
	// A repeated filter may also come as one value with commas, as OGC API has it.
	for _, key := range []string{"kind", "category", "tag"} {
		if list := v[key]; len(list) == 1 && strings.Contains(list[0], ",") && key != "tag" {
			v[key] = strings.Split(list[0], ",")
		}
	}
	r := request{query: frontend.ParseQuery(v), limit: defaultLimit}
	p := paramReader{v: v}
	f := &r.filter

	f.Words = p.text("q", maxWords)
	for _, kind := range r.query.Kinds {
		if !slices.Contains(directory.Kinds, directory.Kind(kind)) {
			p.add("kind", directory.CodeUnknown, kind)
		}
		f.Kinds = append(f.Kinds, directory.Kind(kind))
	}
	for _, id := range r.query.Categories {
		under := s.Taxonomy.Under(id)
		if under == nil {
			p.add("category", directory.CodeUnknown, id)
		}
		f.Categories = append(f.Categories, under...)
	}
	for i, id := range r.query.Categories { // links with a former id go on working
		r.query.Categories[i] = s.Taxonomy.Current(id)
	}
	for _, tag := range r.query.Tags {
		if utf8.RuneCountInString(tag) > 100 {
			p.add("tag", directory.CodeTooLong, tag)
		}
	}
	f.Tags = r.query.Tags
	f.BBox = p.bbox("bbox")
	if n := p.numbers("near", 2); n != nil {
		point := orb.Point{n[0], n[1]}
		p.position("near", point)
		f.Near = &point
	}
	if n := p.numbers("radius", 1); n != nil {
		switch {
		case n[0] <= 0 || n[0] > maxRadius:
			p.problems = append(p.problems, directory.Problem{Field: "radius", Code: directory.CodeOutOfRange, Params: map[string]any{"value": n[0], "min": 1, "max": int(maxRadius)}})
		case f.Near == nil:
			p.problems = append(p.problems, directory.Problem{Field: "near", Code: directory.CodeRequired})
		default:
			f.Radius = n[0]
		}
	}
	f.From, f.To = p.interval("datetime", s.Now(), s.zone())
	f.OpenAt = p.moment("open_at", s.Now(), s.zone())
	switch r.query.Only {
	case "":
	case frontend.OnlyHere:
		f.Origins = []string{""}
	default:
		p.add("only", directory.CodeUnknown, r.query.Only)
	}
	if r.query.Datetime == "" {
		f.Current = s.Now().Truncate(time.Minute) // so that tiles of one minute are the same
	}
	r.after = p.v.Get("after")
	if len(r.after) > maxKey {
		p.add("after", directory.CodeTooLong, r.after)
	}
	if raw := v.Get("limit"); raw != "" {
		n, err := strconv.Atoi(raw)
		if err != nil || n < 1 {
			p.problems = append(p.problems, directory.Problem{Field: "limit", Code: directory.CodeOutOfRange, Params: map[string]any{"value": raw, "min": 1, "max": maxLimit}})
		}
		r.limit = min(n, maxLimit) // OGC API Features: a larger limit is cut, not refused
	}
	r.sort = v.Get("sort")
	if _, ok := sorts[r.sort]; r.sort != "" && !ok {
		p.add("sort", directory.CodeUnknown, r.sort)
	}
	r.given = r.sort != ""
	if zone := r.query.Zone; zone != "" {
		if s.Places == nil {
			p.add("zone", directory.CodeUnknown, zone)
		} else if z, ok := s.Places.Zone(geocode.ZoneCode(zone), ""); ok {
			r.query.Zone = string(z.Code)
		} else {
			p.add("zone", directory.CodeUnknown, zone)
		}
	}
	if r.sort == "distance" && f.Near == nil {
		p.problems = append(p.problems, directory.Problem{Field: "near", Code: directory.CodeRequired})
	}
	if r.sort == "" || r.sort == "relevance" { // relevance is what understand makes of it, when there are words
		switch {
		case f.Near != nil:
			r.sort = "distance"
		case !f.From.IsZero() || !f.To.IsZero():
			r.sort = "start"
		default:
			r.sort = "name"
		}
	}
	if len(p.problems) > 0 {
		return r, p.problems
	}
	return r, nil
}

// zone is the site's time zone. It is kept: to read it takes longer than to draw a tile.
func (s *Server) zone() *time.Location {
	name := s.Site().Timezone
	if kept := s.inZone.Load(); kept != nil && kept.String() == name {
		return kept
	}
	loc, err := time.LoadLocation(name)
	if err != nil {
		return time.UTC
	}
	s.inZone.Store(loc)
	return loc
}

// page is what the index is asked for.
func (r *request) page() geo.Page {
	return geo.Page{Order: sorts[r.sort], Limit: r.limit, After: r.after}
}

type paramReader struct {
	v        url.Values
	problems directory.Invalid
}

func (p *paramReader) add(field, code, value string) {
	p.problems = append(p.problems, invalidParam(field, code, value)...)
}

func (p *paramReader) text(field string, most int) string {
	s := strings.TrimSpace(p.v.Get(field))
	if n := utf8.RuneCountInString(s); n > most {
		p.problems = append(p.problems, directory.Problem{Field: field, Code: directory.CodeTooLong, Params: map[string]any{"max": most, "got": n}})
		return ""
	}
	return s
}

// numbers reads n numbers separated by commas; nil when the parameter is absent or wrong.
func (p *paramReader) numbers(field string, counts ...int) []float64 {
	raw := strings.TrimSpace(p.v.Get(field))
	if raw == "" {
		return nil
	}
	parts := strings.Split(raw, ",")
	if !slices.Contains(counts, len(parts)) {
		p.add(field, directory.CodeInvalid, raw)
		return nil
	}
	out := make([]float64, len(parts))
	for i, part := range parts {
		f, err := strconv.ParseFloat(strings.TrimSpace(part), 64)
		if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
			p.add(field, directory.CodeInvalid, raw)
			return nil
		}
		out[i] = f
	}
	return out
}

func (p *paramReader) position(field string, at orb.Point) bool {
	switch {
	case math.Abs(at[1]) > 90 && math.Abs(at[1]) <= 180 && math.Abs(at[0]) <= 90:
		p.add(field, directory.CodeSwapped, p.v.Get(field))
	case math.Abs(at[0]) > 180 || math.Abs(at[1]) > 90:
		p.add(field, directory.CodeOutOfRange, p.v.Get(field))
	default:
		return true
	}
	return false
}

// bbox reads west,south,east,north, or the six numbers of a box with heights, which are left aside (OGC API Features
// 7.15.3). West may exceed east, across the antimeridian.
func (p *paramReader) bbox(field string) *orb.Bound {
	n := p.numbers(field, 4, 6)
	if n == nil {
		return nil
	}
	if len(n) == 6 {
		n = []float64{n[0], n[1], n[3], n[4]}
	}
	if !p.position(field, orb.Point{n[0], n[1]}) || !p.position(field, orb.Point{n[2], n[3]}) {
		return nil
	}
	if n[1] > n[3] {
		p.add(field, directory.CodeInvalid, p.v.Get(field))
		return nil
	}
	return &orb.Bound{Min: orb.Point{n[0], n[1]}, Max: orb.Point{n[2], n[3]}}
}

// interval reads an instant or an interval of RFC 3339 times, open with ".." or nothing (OGC API Features 7.15.4), a
// date, or today, weekend, week. End excluded.
func (p *paramReader) interval(field string, now time.Time, zone *time.Location) (from, to time.Time) {
	raw := strings.TrimSpace(p.v.Get(field))
	if raw == "" {
		return
	}
	now = now.In(zone)
	midnight := time.Date(now.Year(), now.Month(), now.Day(), 0, 0, 0, 0, zone)
	switch raw {
	case "now":
		return now, now.Add(time.Second)
	case "today":
		return now, midnight.AddDate(0, 0, 1)
	case "weekend":
		saturday := midnight.AddDate(0, 0, (int(time.Saturday)-int(now.Weekday())+7)%7)
		if now.Weekday() == time.Sunday {
			saturday = midnight.AddDate(0, 0, -1)
		}
		return later(now, saturday), saturday.AddDate(0, 0, 2)
	case "week":
		return now, midnight.AddDate(0, 0, 7)
	case "month":
		return now, midnight.AddDate(0, 1, 0)
	}
	begin, end, isInterval := strings.Cut(raw, "/")
	first, firstEnd, ok1 := instant(begin, zone)
	if !isInterval {
		if !ok1 || first.IsZero() {
			p.add(field, directory.CodeInvalid, raw)
			return
		}
		return first, firstEnd
	}
	_, lastEnd, ok2 := instant(end, zone)
	if !ok1 || !ok2 || first.IsZero() && lastEnd.IsZero() {
		p.add(field, directory.CodeInvalid, raw)
		return time.Time{}, time.Time{}
	}
	if !first.IsZero() && !lastEnd.IsZero() && !first.Before(lastEnd) {
		p.problems = append(p.problems, directory.Problem{Field: field, Code: directory.CodeOrder})
		return time.Time{}, time.Time{}
	}
	return first, lastEnd
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// instant reads a time, a date, or an open end; until is where it is over.
func instant(s string, zone *time.Location) (at, until time.Time, ok bool) {
	if s == "" || s == ".." {
		return at, until, true
	}
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		return t, t.Add(time.Second), true
	}
	if t, err := time.ParseInLocation("2006-01-02", s, zone); err == nil {
		return t, t.AddDate(0, 0, 1), true
	}
	return at, until, false
}
