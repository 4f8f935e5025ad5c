package frontend

import (
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// Query is what a list was asked for, as it stands in the URL.
//
// It carries values, it does not judge them: the caller validates. Coordinates
// are rounded when a URL is made (four decimals, about 10 m, for a box; three,
// about 100 m, for a point), so that a shared address does not tell where
// somebody stands.
type Query struct {
	Q          string      // words
	Kinds      []string    // kind=, repeated
	Categories []string    // category=, repeated
	Tags       []string    // tag=, repeated
	Near       *[2]float64 // near=lon,lat
	Radius     float64     // radius= in metres, with Near; 0 for none
	Place      string      // place=, the words for Near ("Roanne")
	Zone       string      // zone=, a territory code
	BBox       *Bounds     // bbox=west,south,east,north
	Datetime   string      // datetime=, RFC 3339 or an interval, or today, weekend, week
	OpenAt     string      // open_at=, "now" or RFC 3339
	Only       string      // only=, "here" leaves out what belongs to other islands
	Sort       string      // sort=
	After      string      // after=, the key of the next page
	Lang       string      // lang=
	View       string      // view=list or map, on a phone
}

// ParseQuery reads a query leniently: what cannot be read is left out.
// Validate the raw values first where a mistake must be told.
func ParseQuery(v url.Values) Query {
	q := Query{
		Q: strings.TrimSpace(v.Get("q")), Kinds: nonEmpty(v["kind"]), Categories: nonEmpty(v["category"]), Tags: nonEmpty(v["tag"]),
		Place: v.Get("place"), Zone: v.Get("zone"), Datetime: v.Get("datetime"), OpenAt: v.Get("open_at"), Only: v.Get("only"),
		Sort: v.Get("sort"), After: v.Get("after"), Lang: v.Get("lang"), View: v.Get("view"),
	}
	if n, ok := floats(v.Get("near"), 2); ok {
		q.Near = &[2]float64{n[0], n[1]}
	}
	if r, ok := floats(v.Get("radius"), 1); ok {
		q.Radius = r[0]
	}
	if b, ok := floats(v.Get("bbox"), 4); ok {
		q.BBox = &Bounds{b[0], b[1], b[2], b[3]}
	}
	return q
}

// Values is the query as URL parameters, without empty ones.
func (q Query) Values() url.Values {
	v := url.Values{}
	set := func(key, value string) {
		if value != "" {
			v.Set(key, value)
		}
	}
	set("q", q.Q)
	for key, list := range map[string][]string{"kind": q.Kinds, "category": q.Categories, "tag": q.Tags} {
		if len(list) > 0 {
			v[key] = slices.Clone(list)
		}
	}
	if q.Near != nil {
		set("near", coordinate(q.Near[0], 3)+","+coordinate(q.Near[1], 3))
		if q.Radius > 0 {
			set("radius", strconv.FormatFloat(q.Radius, 'f', -1, 64))
		}
	}
	set("place", q.Place)
	set("zone", q.Zone)
	if q.BBox != nil {
		set("bbox", q.BBox.String())
	}
	set("datetime", q.Datetime)
	set("open_at", q.OpenAt)
	set("only", q.Only)
	set("sort", q.Sort)
	set("after", q.After)
	set("lang", q.Lang)
	set("view", q.View)
	return v
}

// URL is path with the query, parameters in alphabetical order.
func (q Query) URL(path string) string {
	if s := q.Values().Encode(); s != "" {
		return path + "?" + s
	}
	return path
}

// Filters is the query without what only concerns a page of the list: sort, after, view and lang.
func (q Query) Filters() Query {
	q.Sort, q.After, q.View, q.Lang = "", "", "", ""
	return q
}

// Toggle switches one value of kind, category or tag, and goes back to the first page.
func (q Query) Toggle(key, value string) Query {
	flip := func(list []string) []string {
		if i := slices.Index(list, value); i >= 0 {
			return slices.Delete(slices.Clone(list), i, i+1)
		}
		return append(slices.Clone(list), value)
	}
	switch key {
	case "kind":
		q.Kinds = flip(q.Kinds)
	case "category":
		q.Categories = flip(q.Categories)
	case "tag":
		q.Tags = flip(q.Tags)
	}
	q.After = ""
	return q
}

// Without leaves one filter out; value matters for kind, category and tag only.
func (q Query) Without(key, value string) Query {
	q.After = ""
	switch key {
	case "q":
		q.Q = ""
	case "kind", "category", "tag":
		if slices.Contains(q.list(key), value) {
			q = q.Toggle(key, value)
		}
	case "near":
		q.Near, q.Radius, q.Place = nil, 0, ""
		if q.Sort == "distance" {
			q.Sort = ""
		}
	case "zone":
		q.Zone = ""
	case "bbox":
		q.BBox = nil
	case "datetime":
		q.Datetime = ""
	case "open_at":
		q.OpenAt = ""
	case "only":
		q.Only = ""
	}
	return q
}

// WithoutArea leaves out box, point and zone: the same search everywhere.
func (q Query) WithoutArea() Query {
	return q.Without("bbox", "").Without("near", "").Without("zone", "")
}

// Filtered reports whether anything narrows the list.
func (q Query) Filtered() bool {
	f := q.Filters()
	f.Place = ""
	return len(f.Values()) > 0
}

func (q Query) list(key string) []string {
	switch key {
	case "kind":
		return q.Kinds
	case "category":
		return q.Categories
	case "tag":
		return q.Tags
	}
	return nil
}

// String is the box as a bbox parameter: west,south,east,north.
func (b Bounds) String() string {
	return strings.Join([]string{coordinate(b.West, 4), coordinate(b.South, 4), coordinate(b.East, 4), coordinate(b.North, 4)}, ",")
}

// moved is the box shifted by parts of its own size, kept on the map.
func (b Bounds) moved(dx, dy float64) Bounds {
	w, h := b.width(), b.North-b.South
	dy = math.Max(-85-b.South, math.Min(85-b.North, dy*h))
	return Bounds{wrap(b.West + dx*w), b.South + dy, wrap(b.East + dx*w), b.North + dy}
}

// zoomed is the box around the same centre, its sides multiplied by factor.
func (b Bounds) zoomed(factor float64) Bounds {
	w, h := math.Min(360, b.width()*factor), math.Min(170, (b.North-b.South)*factor)
	cx, cy := b.West+b.width()/2, (b.South+b.North)/2
	cy = math.Max(-85+h/2, math.Min(85-h/2, cy))
	if w >= 360 {
		return Bounds{-180, cy - h/2, 180, cy + h/2}
	}
	return Bounds{wrap(cx - w/2), cy - h/2, wrap(cx + w/2), cy + h/2}
}

func (b Bounds) width() float64 {
	if b.East < b.West {
		return b.East - b.West + 360
	}
	return b.East - b.West
}

func wrap(lon float64) float64 {
	if lon >= -180 && lon <= 180 {
		return lon
	}
	return lon - 360*math.Floor((lon+180)/360)
}

func coordinate(v float64, decimals int) string {
	s := strconv.FormatFloat(v, 'f', decimals, 64)
	s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	if s == "-0" || s == "" {
		return "0"
	}
	return s
}

func floats(s string, n int) ([]float64, bool) {
	parts := strings.Split(s, ",")
	if s == "" || len(parts) != n {
		return nil, false
	}
	out := make([]float64, n)
	for i, p := range parts {
		f, err := strconv.ParseFloat(strings.TrimSpace(p), 64)
		if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
			return nil, false
		}
		out[i] = f
	}
	return out, true
}

func nonEmpty(in []string) []string {
	var out []string
	for _, s := range in {
		if s = strings.TrimSpace(s); s != "" && !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}
