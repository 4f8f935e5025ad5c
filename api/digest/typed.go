package digest

import (
	"context"
	"fmt"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"archipel/directory"
	"archipel/geo/geocode"

	"github.com/gofiber/fiber/v2"
	"github.com/paulmach/orb"
)

// typed is a form as it was filled in.
type typed struct {
	mail, place       string
	near, of          string // a position "lon,lat", and the name of the place that it is of
	radius            int    // kilometres
	kinds, categories []string
	every             string
	offered           []offer // places of that name
}

// offer is a place that a name may mean.
type offer struct{ value, label string }

const (
	maxPlace  = 120 // characters
	maxChosen = 30  // categories
)

// typed reads a form, or the address of a list: both name things alike, but lists measure in metres.
func (h *handlers) typed(v url.Values) typed {
	f := typed{mail: v.Get("mail"), place: oneLine(strings.ToValidUTF8(v.Get("place"), "")), near: v.Get("near"), of: v.Get("of"), kinds: v["kind"], categories: v["category"], every: v.Get("every")}
	if chosen := v.Get("chosen"); chosen != "" { // one of the places that the name may mean
		f.near, f.of = chosen, f.place
	}
	if !v.Has("of") && f.near != "" { // from a list
		f.of = f.place
	}
	f.radius = 20
	if km, err := strconv.Atoi(v.Get("km")); err == nil {
		f.radius = km
	} else if metres, err := strconv.ParseFloat(v.Get("radius"), 64); err == nil && metres > 0 {
		f.radius = Radii[len(Radii)-1]
		for _, km := range slices.Backward(Radii) {
			if float64(km)*1000 >= metres {
				f.radius = km
			}
		}
	}
	if f.every == "" {
		f.every = string(Weekly)
	}
	return f
}

// typedOf is the form of a choice.
func typedOf(c *Choice) typed {
	f := typed{mail: c.Mail, place: c.Place, near: position(c.Near[0], c.Near[1]), of: c.Place, radius: c.Radius, categories: c.Categories, every: string(c.Every)}
	for _, k := range c.Kinds {
		f.kinds = append(f.kinds, string(k))
	}
	return f
}

// position writes a position with some hundred metres of exactness: who lives where is nobody's concern.
func position(lon, lat float64) string { return fmt.Sprintf("%.3f,%.3f", lon, lat) }

// choice checks what was typed, all of it at once, but the mail address. A name that may mean several places is offered.
func (h *handlers) choice(c *fiber.Ctx, f *typed, lang string) (out Choice, wrong directory.Invalid) {
	add := func(field, code, value string) {
		wrong = append(wrong, directory.Problem{Field: field, Code: code, Params: map[string]any{"value": value}})
	}
	out = Choice{Place: f.place, Radius: f.radius, Every: Rhythm(f.every)}
	switch lon, lat, ok := point(f.near); {
	case f.place == "":
		add("place", directory.CodeRequired, "")
	case utf8.RuneCountInString(f.place) > maxPlace || strings.ContainsFunc(f.place, func(r rune) bool { return r < ' ' || r == 0x7f }):
		add("place", directory.CodeInvalid, "")
	case f.near != "" && f.of == f.place && !ok:
		add("near", directory.CodeInvalid, f.near)
	case f.near != "" && f.of == f.place:
		out.Near = [2]float64{lon, lat}
	default:
		h.locate(c, f, &out, lang)
		if out.Near == ([2]float64{}) {
			add("place", directory.CodeUnknown, f.place)
		}
	}
	if !slices.Contains(Radii, f.radius) {
		add("km", directory.CodeUnknown, strconv.Itoa(f.radius))
	}
	if !slices.Contains(Rhythms, out.Every) {
		add("every", directory.CodeUnknown, f.every)
	}
	for _, k := range f.kinds {
		if !slices.Contains(directory.Kinds, directory.Kind(k)) {
			add("kind", directory.CodeUnknown, k)
		} else if !slices.Contains(out.Kinds, directory.Kind(k)) {
			out.Kinds = append(out.Kinds, directory.Kind(k))
		}
	}
	if len(out.Kinds) == len(directory.Kinds) {
		out.Kinds = nil
	}
	for _, id := range f.categories {
		if !h.Taxonomy.Valid(id) {
			add("category", directory.CodeUnknown, id)
		} else if !slices.Contains(out.Categories, id) {
			out.Categories = append(out.Categories, id)
		}
	}
	if len(f.categories) > maxChosen {
		wrong = append(wrong, directory.Problem{Field: "category", Code: directory.CodeTooMany, Params: map[string]any{"max": maxChosen, "got": len(f.categories)}})
	}
	return out, wrong
}

// locate finds the place of a name. Of several, it takes the one that is called exactly so; else it offers them.
func (h *handlers) locate(c *fiber.Ctx, f *typed, out *Choice, lang string) {
	f.near, f.of = "", ""
	if h.Places == nil {
		return
	}
	found, err := h.Places.Search(c.UserContext(), geocode.Query{Text: f.place, Language: lang, Limit: 6})
	if err != nil {
		return // it knows none, or cannot understand it
	}
	var same []geocode.Place
	for _, p := range found {
		f.offered = append(f.offered, offer{position(p.Point[0], p.Point[1]), p.Label})
		if p.Label == f.place || directory.Fold(p.Name) == directory.Fold(f.place) {
			same = append(same, p)
		}
	}
	for _, p := range same {
		if p.Label == f.place {
			same = []geocode.Place{p}
		}
	}
	if len(same) == 1 || len(found) == 1 {
		p := append(same, found...)[0]
		f.offered = nil
		out.Place, out.Near = p.Label, [2]float64{p.Point[0], p.Point[1]}
	}
}

// known is what the gazetteer calls the place of a choice, or its position: what somebody typed goes to no address that did
// not yet say yes.
func (s *Service) known(ctx context.Context, c *Choice) string {
	if s.Places != nil {
		at := orb.Point(c.Near)
		named, _ := s.Places.Search(ctx, geocode.Query{Text: c.Place, Language: c.Lang, Near: &at, Limit: 6}) // none: the next question
		for _, p := range named {
			if p.Label == c.Place || directory.Fold(p.Name) == directory.Fold(c.Place) {
				return p.Label
			}
		}
		if near, err := s.Places.Reverse(ctx, at, c.Lang); err == nil {
			return near[0].Label
		}
	}
	return position(c.Near[0], c.Near[1])
}

// point reads "lon,lat" in degrees.
func point(s string) (lon, lat float64, ok bool) {
	first, second, ok := strings.Cut(s, ",")
	lon, err1 := strconv.ParseFloat(first, 64)
	lat, err2 := strconv.ParseFloat(second, 64)
	ok = ok && err1 == nil && err2 == nil && math.Abs(lon) <= 180 && math.Abs(lat) <= 90 // not NaN either
	return lon, lat, ok
}
