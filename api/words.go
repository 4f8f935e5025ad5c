package api

import (
	"context"
	"errors"
	"slices"
	"strconv"

	"archipel/directory"
	"archipel/geo/geocode"
	"archipel/search"

	"github.com/paulmach/orb"
)

// meant is what the search engine makes of words and a zone: the entries that match, the best first.
type meant struct {
	ids      []directory.ID
	spelling string   // what was searched instead, when the words are found nowhere
	dropped  []string // words left aside, because nothing has all of them
}

// maxMeant bounds the answers that are kept, by what their IDs take: each some 64 bytes, so 30 MB together. A short word
// matches most of a directory, and is asked again after every change.
const maxMeant = 500_000

func newMeanings() *lru[string, meant] {
	return newWeighedLRU[string](maxMeant, func(m meant) int { return 20 + len(m.ids) })
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
	key := s.Taxonomy.Stamp() + strconv.FormatInt(int64(s.Search.Status(ctx).At), 36) + "\x00" + lang + "\x00" + r.query.Zone + "\x00" + q.Text
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
	r.filter.Only = s.freshFirst(m.ids)
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
