package api

import (
	"context"
	"errors"
	"slices"
	"strconv"

	"archipel/directory"
	"archipel/frontend"
	"archipel/geo"
	"archipel/geo/geocode"
	"archipel/search"

	"github.com/gofiber/fiber/v2"
	"github.com/paulmach/orb"
)

// meant is what the search engine makes of words and a zone: the entries that match, the best first.
type meant struct {
	ids      []directory.ID
	spelling string   // what was searched instead, when the words are found nowhere
	dropped  []string // words left aside, because nothing has all of them
}

// ranked is how many results are put in order of relevance; the others follow.
const ranked = search.MaxLimit

// understand asks the search engine for the words and the zone of a request, and puts its answer into the filter, where
// the map, the list and the counts find it. When the engine is away, the plain words remain and r.away is set.
func (s *Server) understand(ctx context.Context, r *request, lang string) error {
	if s.Search == nil || r.filter.Words == "" && r.query.Zone == "" {
		return nil
	}
	q := search.Query{Text: r.filter.Words, Lang: lang, Limit: ranked}
	if r.query.Zone != "" {
		q.Zones = []string{r.query.Zone}
	}
	key := strconv.FormatInt(int64(s.Search.Status(ctx).At), 36) + "\x00" + lang + "\x00" + r.query.Zone + "\x00" + q.Text
	m, ok := s.meanings.get(key)
	if !ok {
		var err error
		if m, err = s.ask(ctx, q); err != nil {
			if errors.Is(err, search.ErrUnavailable) || errors.Is(err, context.DeadlineExceeded) {
				r.away = true
				s.zoneByBox(r, lang)
				return nil
			}
			return err
		}
		s.meanings.put(key, m)
	}
	r.filter.Words = ""
	r.filter.Only = m.ids
	if r.filter.Only == nil {
		r.filter.Only = []directory.ID{}
	}
	r.spelling, r.dropped = m.spelling, m.dropped
	if q.Text != "" && (!r.given && r.filter.Near == nil && r.filter.From.IsZero() && r.filter.To.IsZero() || r.query.Sort == "relevance") {
		r.sort = "relevance"
	}
	return nil
}

// ask gets all that matches, in the order of relevance as far as that is told.
func (s *Server) ask(ctx context.Context, q search.Query) (meant, error) {
	best, err := s.Search.Search(ctx, q)
	if err != nil {
		return meant{}, err
	}
	m := meant{ids: make([]directory.ID, len(best.Hits)), spelling: best.Spelling, dropped: best.Dropped}
	for i, h := range best.Hits {
		m.ids[i] = h.ID
	}
	if best.Total <= len(m.ids) {
		return m, nil
	}
	all, err := s.Search.IDs(ctx, q)
	if err != nil {
		return meant{}, err
	}
	listed := make(map[directory.ID]bool, len(m.ids))
	for _, id := range m.ids {
		listed[id] = true
	}
	rest := slices.DeleteFunc(all, func(id directory.ID) bool { return listed[id] })
	slices.Sort(rest)
	m.ids = append(m.ids, rest...)
	return m, nil
}

// zoneByBox stands in for the search engine: the box of a zone, roughly.
func (s *Server) zoneByBox(r *request, lang string) {
	if r.query.Zone == "" || s.Places == nil || r.filter.BBox != nil {
		return
	}
	if z, ok := s.Places.Zone(geocode.ZoneCode(r.query.Zone), lang); ok {
		r.filter.BBox = &orb.Bound{Min: orb.Point{z.Box[0], z.Box[1]}, Max: orb.Point{z.Box[2], z.Box[3]}}
	}
}

// zoneOf is the territory that a request names.
func (s *Server) zoneOf(r *request, lang string) (geocode.Zone, bool) {
	if r.query.Zone == "" || s.Places == nil {
		return geocode.Zone{}, false
	}
	return s.Places.Zone(geocode.ZoneCode(r.query.Zone), lang)
}

// suggestion is one line below the search field.
type suggestion struct {
	Type  string `json:"type"` // place, category or entry
	Label string `json:"label"`
	Hint  string `json:"hint,omitempty"`
	URL   string `json:"url"`
	Kind  string `json:"kind,omitempty"`  // of an entry
	ID    string `json:"id,omitempty"`    // of a category or an entry
	Count int    `json:"count,omitempty"` // entries of a category
}

const (
	somePlaces     = 4
	someCategories = 3
	someEntries    = 5
)

// complete gives what an unfinished query may become: places, categories and entries.
func (s *Server) complete(c *fiber.Ctx) error {
	v, err := values(c)
	if err != nil {
		return err
	}
	p := paramReader{v: v}
	typed := p.text("q", maxWords)
	var near *orb.Point
	if n := p.numbers("near", 2); n != nil {
		if at := (orb.Point{n[0], n[1]}); p.position("near", at) {
			near = &at
		}
	}
	if len(p.problems) > 0 {
		return p.problems
	}
	lang := s.lang(c)
	query := frontend.ParseQuery(v)
	query.Q, query.After = "", ""
	out := []suggestion{}
	if typed == "" {
		return c.JSON(out)
	}
	for _, place := range s.placesFor(typed, lang, near, somePlaces) {
		out = append(out, suggestion{Type: "place", Label: place.Label, Hint: frontend.T(lang).Code("place", string(place.Kind)), URL: placeQuery(query, place).URL("/")})
	}
	if s.Search == nil {
		return c.JSON(out)
	}
	ask := search.Completion{Text: typed, Lang: lang, Limit: max(someCategories, someEntries)}
	if near != nil {
		ask.Near = near
	}
	found, err := s.Search.Complete(c.UserContext(), ask)
	if errors.Is(err, search.ErrUnavailable) {
		return c.JSON(out)
	}
	if err != nil {
		return err
	}
	for _, cat := range found.Categories[:min(len(found.Categories), someCategories)] {
		q := query
		if !contains(q.Categories, cat.Value) {
			q = q.Toggle("category", cat.Value)
		}
		out = append(out, suggestion{Type: "category", Label: s.Taxonomy.Label(cat.Value, lang), URL: q.URL("/"), ID: cat.Value, Count: cat.N})
	}
	ids := make([]directory.ID, 0, someEntries)
	for _, e := range found.Entries[:min(len(found.Entries), someEntries)] {
		ids = append(ids, e.ID)
	}
	entries, err := s.Directory.Entries(c.UserContext(), ids)
	if err != nil {
		return err
	}
	for i := range entries {
		if e := &entries[i]; e.Public() {
			out = append(out, suggestion{Type: "entry", Label: e.Name, Hint: e.Town(), URL: frontend.EntryURL(e.Slug), Kind: string(e.Kind), ID: e.MainCategory()})
		}
	}
	return c.JSON(out)
}

// placesFor are the towns and zones that somebody may mean.
func (s *Server) placesFor(typed, lang string, near *orb.Point, limit int) []geocode.Place {
	if s.Places == nil {
		return nil
	}
	q := geocode.Query{Text: typed, Language: lang, Limit: limit}
	if near != nil {
		q.Near = near
	} else if b, ok, err := s.Index.Snapshot().Core(geo.Filter{}); err == nil && ok {
		q.View = &geocode.Box{b.Min[0], b.Min[1], b.Max[0], b.Max[1]}
	}
	return s.Places.Complete(q)
}

// placeQuery is the list of what is in or around a place: a zone that has its own members is filtered by, a town is where
// distances are measured from, in the box that it takes on the map.
func placeQuery(q frontend.Query, p geocode.Place) frontend.Query {
	q = q.WithoutArea()
	q.Place = p.Label
	switch p.Kind {
	case geocode.KindDepartement, geocode.KindRegion, geocode.KindCountry:
		q.Zone = string(p.Zone)
		return q
	}
	q.Near = &[2]float64{p.Point[0], p.Point[1]}
	if !p.Box.IsZero() {
		q.BBox = &frontend.Bounds{West: p.Box[0], South: p.Box[1], East: p.Box[2], North: p.Box[3]}
	}
	return q
}
