package api

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"

	"archipel/directory"
	"archipel/frontend"
	"archipel/geo"
	"archipel/geo/geocode"
	"archipel/search"

	"github.com/gofiber/fiber/v2"
	"github.com/paulmach/orb"
)

// suggestion is one line below the search field.
type suggestion struct {
	Type  string `json:"type"`            // place, category or entry
	Label string `json:"label"`           //
	Hint  string `json:"hint,omitempty"`  // what tells it from its namesakes, in the visitor's language
	URL   string `json:"url"`             // what choosing it leads to
	Kind  string `json:"kind,omitempty"`  // of an entry, or of a place
	ID    string `json:"id,omitempty"`    // of a category: its own; of an entry: its main category
	Count int    `json:"count,omitempty"` // entries that a category would leave, within the other filters
}

const (
	somePlaces     = 4
	someCategories = 3
	someEntries    = 5
)

// complete gives what an unfinished query may become under the filters of a list: places, categories and entries. The
// groups come in the order in which they should be shown.
func (s *Server) complete(c *fiber.Ctx) error {
	v, err := values(c)
	if err != nil {
		return err
	}
	p := paramReader{v: v}
	typed := p.text("q", maxWords)
	v.Del("q")
	v.Del("after")
	v.Del("sort")
	r, err := s.parseValues(v)
	var other directory.Invalid
	if err != nil && !errors.As(err, &other) {
		return err
	}
	if problems := append(p.problems, other...); len(problems) > 0 {
		return problems
	}
	c.Set(fiber.HeaderCacheControl, "private, max-age=10")
	if typed == "" {
		return c.JSON([]suggestion{})
	}
	lang := s.lang(c)
	here, elsewhere, guessed := s.likely(&r, typed, lang)
	categories, entries, err := s.suggestFound(c.UserContext(), &r, typed, lang)
	if err != nil {
		return err
	}
	if len(here)+len(elsewhere)+len(categories)+len(entries) == 0 {
		here = guessed
	}
	words := frontend.T(lang)
	places := []suggestion{}
	for _, p := range slices.Concat(here, elsewhere)[:min(len(here)+len(elsewhere), somePlaces)] {
		places = append(places, suggestion{Type: "place", Label: p.Label, Hint: words.Code("place", string(p.Kind)), Kind: string(p.Kind), URL: placeQuery(r.query, p).URL("/")})
	}
	switch {
	case len(here) == 0:
		return c.JSON(slices.Concat(categories, entries, places))
	case len(categories) > 0 && here[0].Importance < wellKnown && !named(places, typed): // "fab" is hardly Fabrègues
		return c.JSON(slices.Concat(categories, places, entries))
	}
	return c.JSON(slices.Concat(places, categories, entries))
}

// likely are the places that somebody may mean: those that begin like what was typed and lie around what the directory
// has or the map shows; large ones elsewhere, by their whole names; and those that are only similar.
func (s *Server) likely(r *request, typed, lang string) (here, elsewhere, guessed []geocode.Place) {
	var known []orb.Bound
	if b, ok, err := s.Index.Snapshot().Core(geo.Filter{}); err == nil && ok {
		known = append(known, b)
	}
	if r.filter.BBox != nil && r.filter.BBox.Min[0] <= r.filter.BBox.Max[0] {
		known = append(known, *r.filter.BBox)
	}
	around := func(p geocode.Place) bool {
		box := orb.Bound{Min: p.Point, Max: p.Point}
		if !p.Box.IsZero() && p.Box[0] <= p.Box[2] {
			box = orb.Bound{Min: orb.Point{p.Box[0], p.Box[1]}, Max: orb.Point{p.Box[2], p.Box[3]}}
		}
		return len(known) == 0 || slices.ContainsFunc(known, func(b orb.Bound) bool {
			return b.Pad(min(1, max(0.5, (b.Max[1]-b.Min[1])/2))).Intersects(box)
		})
	}
	for _, p := range s.placesFor(typed, lang, r, 3*somePlaces) {
		switch whole, begins := calls(p, typed); {
		case !begins:
			guessed = append(guessed, p)
		case around(p):
			here = append(here, p)
		case whole && p.Importance >= knownFar:
			elsewhere = append(elsewhere, p)
		}
	}
	return here, elsewhere[:min(len(elsewhere), 2)], guessed[:min(len(guessed), somePlaces)]
}

// How important a place must be to be meant from far away (some 20,000 people), and before a category (some 60,000).
const (
	knownFar  = 0.45
	wellKnown = 0.5
)

// calls tells whether typed is the whole name of a place, or a word of the name begins like it. Numbers are codes of
// places, which only the gazetteer knows.
func calls(p geocode.Place, typed string) (whole, begins bool) {
	typed = saints.Replace(" " + directory.Fold(typed) + " ")
	first := strings.TrimSuffix(typed[:strings.IndexByte(typed[1:]+" ", ' ')+1], " ")
	if len(typed) > 1 && typed[1] >= '0' && typed[1] <= '9' {
		return true, true
	}
	for _, name := range []string{p.Name, p.Matched, p.Label} {
		name = saints.Replace(" " + directory.Fold(name) + " ")
		whole = whole || name == typed
		begins = begins || strings.Contains(name, first)
	}
	return whole, begins
}

var saints = strings.NewReplacer(" st ", " saint ", " ste ", " sainte ")

// named tells whether a suggestion is called what was typed, or begins with it as a whole word.
func named(list []suggestion, typed string) bool {
	typed = directory.Fold(typed)
	return slices.ContainsFunc(list, func(s suggestion) bool {
		label := directory.Fold(s.Label)
		return label == typed || strings.HasPrefix(label, typed+" ")
	})
}

// suggestFound are the categories and entries; none while the search engine is away.
func (s *Server) suggestFound(ctx context.Context, r *request, typed, lang string) (categories, entries []suggestion, err error) {
	if s.Search == nil {
		return nil, nil, nil
	}
	near := r.filter.Near // distances are told from it
	if near == nil {
		near = r.middle()
	}
	found, err := s.Search.Complete(ctx, search.Completion{Text: typed, Lang: lang, Limit: max(someCategories, someEntries), Near: near})
	if errors.Is(err, search.ErrUnavailable) || errors.Is(err, context.DeadlineExceeded) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	words := frontend.T(lang)
	if len(found.Categories) > 0 {
		if err := s.understand(ctx, r, lang); err != nil { // a zone
			return nil, nil, err
		}
		counts, err := s.Index.Facets(r.filter, s.parentOf)
		if err != nil {
			return nil, nil, err
		}
		for _, cat := range found.Categories[:min(len(found.Categories), someCategories)] {
			q := r.query
			if !contains(q.Categories, cat.Value) {
				q = q.Toggle("category", cat.Value)
			}
			n := open(counts.Categories, cat.Value)
			categories = append(categories, suggestion{Type: "category", Label: s.Taxonomy.Label(cat.Value, lang), Hint: words.Plural("count.entries", n), URL: q.URL("/"), ID: cat.Value, Count: n})
		}
	}
	ids := make([]directory.ID, 0, someEntries)
	far := map[directory.ID]float64{}
	for _, e := range found.Entries[:min(len(found.Entries), someEntries)] {
		ids = append(ids, e.ID)
		far[e.ID] = e.Distance
	}
	list, err := s.Directory.Entries(ctx, ids)
	if err != nil {
		return nil, nil, err
	}
	for i := range list {
		e := &list[i]
		if !e.Shown() {
			continue
		}
		hint := e.Town()
		if d := far[e.ID]; r.filter.Near != nil && d >= 0 {
			hint = strings.TrimPrefix(hint+" · "+words.Distance(d), " · ")
		}
		entries = append(entries, suggestion{Type: "entry", Label: e.Name, Hint: hint, URL: frontend.EntryURL(e.Slug), Kind: string(e.Kind), ID: e.MainCategory()})
	}
	return categories, entries, nil
}

// middle is where the visitor looks: the middle of the box, or the point asked for.
func (r *request) middle() *orb.Point {
	b := r.filter.BBox
	if b == nil {
		return r.filter.Near
	}
	center := b.Center()
	if b.Min[0] > b.Max[0] {
		center[0] += 180
		if center[0] > 180 {
			center[0] -= 360
		}
	}
	return &center
}

// placesFor are the towns and zones that somebody may mean, those around what the list shows first.
func (s *Server) placesFor(typed, lang string, r *request, limit int) []geocode.Place {
	if s.Places == nil {
		return nil
	}
	q := geocode.Query{Text: typed, Language: lang, Limit: limit}
	s.around(&q, r)
	return s.Places.Complete(q)
}

// around tells a geocoder where the visitor looks.
func (s *Server) around(q *geocode.Query, r *request) {
	if near := r.middle(); near != nil {
		q.Near = near
	} else if b, ok, err := s.Index.Snapshot().Core(geo.Filter{}); err == nil && ok {
		q.View = &geocode.Box{b.Min[0], b.Min[1], b.Max[0], b.Max[1]}
	}
}

// placeQuery is the list of what is in or around a place: a zone that has its own members is filtered by, a town is where
// distances are measured from, in the box that it takes on the map. The words that named the place are used up.
func placeQuery(q frontend.Query, p geocode.Place) frontend.Query {
	q = q.WithoutArea()
	q.Q, q.After, q.Sort = "", "", ""
	switch p.Kind {
	case geocode.KindDepartement, geocode.KindRegion, geocode.KindCountry:
		q.Zone = string(p.Zone)
		return q
	}
	q.Place = p.Label
	q.Near = &[2]float64{p.Point[0], p.Point[1]}
	box := p.Box
	if small := aroundPoint(p.Point, 1000); box.IsZero() || box[3]-box[1] < small[3]-small[1] {
		box = small // a house alone would frame nothing
	}
	q.BBox = &frontend.Bounds{West: box[0], South: box[1], East: box[2], North: box[3]}
	return q
}

// aroundPoint is the box of a radius in metres around a position.
func aroundPoint(p orb.Point, radius float64) geocode.Box {
	const metresPerDegree = 111195
	lat := radius / metresPerDegree
	lon := lat / max(0.01, math.Cos(p[1]*math.Pi/180))
	return geocode.Box{max(-180, p[0]-lon), max(-90, p[1]-lat), min(180, p[0]+lon), min(90, p[1]+lat)}
}
