package api

import (
	"cmp"
	"context"
	"errors"
	"html"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"archipel/directory"
	"archipel/frontend"
	"archipel/geo"
	"archipel/geo/geocode"
	"archipel/search"

	"github.com/gofiber/fiber/v2"
)

const (
	maxOffered = 3 // places above a list
	maxFewer   = 4 // ways out of an empty list
)

// offerPlaces says which places the words of a list may mean. The gazetteer answers at once; an address server is asked
// when somebody submits what looks like an address, or what nothing was found for.
func (s *Server) offerPlaces(c *fiber.Ctx, r *request, matched int, lang string) (out frontend.Found) {
	typed := r.query.Q
	if typed == "" || r.query.After != "" || utf8.RuneCountInString(typed) < 2 {
		return out
	}
	words := frontend.T(lang)
	offer := func(p geocode.Place) {
		hint := words.Code("place", string(p.Kind))
		if p.Approximate && p.Kind != geocode.KindVillage {
			hint = words.Text("found.approximate")
		}
		out.Places = append(out.Places, frontend.Way{Label: p.Label, Hint: hint, URL: placeQuery(r.query, p).URL("/")})
	}
	for _, p := range s.meantPlaces(r, typed, lang) {
		offer(p)
	}
	address := looksLikeAddress(typed)
	submitted := c.Query("fragment") != "1" || c.Query("submitted") == "1"
	if len(out.Places) > 0 || s.Locator == nil || !submitted || !address && (matched > 0 || !s.Locator.HasServer()) {
		return out
	}
	q := geocode.Query{Text: typed, Language: lang, Limit: maxOffered}
	s.around(&q, r)
	answer, err := s.Locator.Find(c.UserContext(), q) // takes three seconds at most
	for _, p := range answer.Places[:min(len(answer.Places), maxOffered)] {
		offer(p)
	}
	switch {
	case answer.Missing == geocode.MissingAnswer:
		out.Missing = words.Text("found.address_away")
	case answer.Missing == geocode.MissingServer && address:
		out.Missing = words.Text("found.no_addresses")
	case err != nil && !errors.Is(err, geocode.ErrNotFound) && !errors.Is(err, geocode.ErrBadQuery):
		s.Log.Warn("looking for an address", "err", err) // the error does not carry what was typed
	}
	return out
}

// meantPlaces are the towns and zones that are called what was typed, or else larger ones that begin like it.
func (s *Server) meantPlaces(r *request, typed, lang string) []geocode.Place {
	here, elsewhere, _ := s.likely(r, typed, lang)
	text := saints.Replace(" " + directory.Fold(typed) + " ")
	var called, begin []geocode.Place
	for _, p := range slices.Concat(here, elsewhere) {
		name := saints.Replace(" " + directory.Fold(p.Name) + " ")
		if whole, _ := calls(p, typed); whole {
			called = append(called, p)
		} else if len(text) >= 6 && p.Importance >= largeEnough && strings.HasPrefix(name, strings.TrimSuffix(text, " ")) {
			begin = append(begin, p)
		}
	}
	if len(called) == 0 {
		called = begin
	}
	return called[:min(len(called), maxOffered)]
}

// largeEnough is how important a place must be to be offered for the beginning of its name: some 6,000 people.
const largeEnough = 0.4

// looksLikeAddress tells a number with words beside it: "12 rue de la République", "Hauptstraße 5 Berlin".
func looksLikeAddress(text string) bool {
	digit, words := false, 0
	for _, w := range strings.FieldsFunc(text, func(r rune) bool { return unicode.IsSpace(r) || r == ',' || r == ';' }) {
		letters := 0
		for _, r := range w {
			switch {
			case unicode.IsDigit(r):
				digit = true
			case unicode.IsLetter(r):
				letters++
			}
		}
		if letters > 1 {
			words++
		}
	}
	return digit && words > 0
}

// correctedWords is the search for what was looked for instead.
func correctedWords(r *request) *frontend.Way {
	if r.spelling == "" {
		return nil
	}
	q := r.query
	q.Q, q.After = r.spelling, ""
	return &frontend.Way{Label: r.spelling, URL: q.URL("/")}
}

// other is another list, understood: what a link to q would show.
func (s *Server) other(ctx context.Context, q frontend.Query, lang string) (request, error) {
	q.After = ""
	r, err := s.parseValues(q.Values())
	if err != nil {
		return r, err
	}
	return r, s.understand(ctx, &r, lang)
}

// count is how many entries another list has.
func (s *Server) count(ctx context.Context, q frontend.Query, lang string) (int, error) {
	r, err := s.other(ctx, q, lang)
	if err != nil {
		return 0, err
	}
	sel, err := s.Index.Select(r.filter, geo.Page{Limit: 1})
	return sel.Matched, err
}

// helpEmpty says what an empty list could become: the same everywhere with the nearest entries, or with a filter less.
func (s *Server) helpEmpty(c *fiber.Ctx, r *request, v *frontend.HomeView, show presenter) error {
	ctx, q := c.UserContext(), r.query
	if q.BBox != nil || q.Near != nil || q.Zone != "" {
		wide, err := s.other(ctx, q.WithoutArea(), show.lang)
		if err != nil {
			return err
		}
		if wide.filter.Near = r.middle(); wide.filter.Near == nil {
			if z, ok := s.zoneOf(r, show.lang); ok {
				wide.filter.Near = &z.Center
			}
		}
		wide.limit, wide.sort = 5, "distance"
		found, err := s.find(c, &wide)
		if err != nil {
			return err
		}
		v.Everywhere, v.Nearest = found.matched, show.cards(found.entries, found.distance)
		s.mark(v.Nearest, found.entries, &wide, show)
	}
	var ways []frontend.Way
	try := func(label string, less frontend.Query) error {
		n, err := s.count(ctx, less, show.lang)
		if err == nil && n > 0 {
			less.After = ""
			ways = append(ways, frontend.Way{Label: label, URL: less.URL("/"), Count: n})
		}
		return err
	}
	words, narrowing := frontend.T(show.lang), frontend.Narrowing(show.lang, *v)
	for _, f := range narrowing {
		if err := try(words.Text("found.without", "What", f.Label), f.Without); err != nil {
			return err
		}
	}
	if len(ways) == 0 && v.Everywhere == 0 { // one less is not enough
		for _, f := range narrowing {
			if err := try(words.Text("found.only", "What", f.Label), f.Alone); err != nil {
				return err
			}
		}
	}
	slices.SortStableFunc(ways, func(a, b frontend.Way) int { return cmp.Compare(b.Count, a.Count) })
	v.Found.Fewer = ways[:min(len(ways), maxFewer)]
	return nil
}

// mark highlights in the cards of a search what matched: in the summary, or else a piece of the description.
func (s *Server) mark(cards []frontend.Card, entries []directory.Entry, r *request, show presenter) {
	if r.query.Q == "" || len(cards) != len(entries) {
		return
	}
	m := search.NewMatcher(search.Words(cmp.Or(r.spelling, r.query.Q), show.lang), nil)
	var plain search.Builder
	for i := range cards {
		shown := entries[i]
		shown.Name, shown.Summary, shown.Description, shown.Lang = show.texts(&entries[i])
		shown.Translations = nil
		doc := plain.Document(&shown)
		for _, e := range doc.Excerpts(m) {
			if e.Field == "summary" || e.Field == "description" {
				cards[i].ExcerptHTML = marked(e)
				break
			}
		}
	}
}

// marked is an excerpt as HTML.
func marked(e search.Excerpt) string {
	var b strings.Builder
	at := 0
	for _, k := range e.Marks {
		b.WriteString(html.EscapeString(e.Text[at:k.Start]))
		b.WriteString("<mark>" + html.EscapeString(e.Text[k.Start:k.End]) + "</mark>")
		at = k.End
	}
	b.WriteString(html.EscapeString(e.Text[at:]))
	return b.String()
}
