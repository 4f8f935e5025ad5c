package search

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	"archipel/directory"
)

// Checked returns q with its defaults filled in and its words cut to [MaxText], or a [directory.Invalid] that names
// the fields that make no sense. Words are never wrong.
func (q Query) Checked() (Query, error) {
	var bad directory.Invalid
	wrong := func(field, code string, value any) {
		bad = append(bad, directory.Problem{Field: field, Code: code, Params: map[string]any{"value": value}})
	}
	q.Text = clip(q.Text)
	switch {
	case q.Limit < 0 || q.Limit > MaxLimit:
		bad = append(bad, directory.Problem{Field: "limit", Code: directory.CodeOutOfRange, Params: map[string]any{"value": q.Limit, "min": 1, "max": MaxLimit}})
	case q.Limit == 0:
		q.Limit = 20
	}
	if q.Sort == "" {
		q.Sort = Relevance
	}
	switch q.Sort {
	case Relevance, Nearness, Date, Name:
	default:
		wrong("sort", directory.CodeUnknown, string(q.Sort))
	}
	for i, k := range q.Kinds {
		switch k {
		case directory.Organisation, directory.Place, directory.Initiative, directory.Event:
		default:
			wrong(fmt.Sprintf("kind[%d]", i), directory.CodeUnknown, string(k))
		}
	}
	for _, l := range []struct {
		field string
		n     int
	}{{"category", len(q.Categories)}, {"tag", len(q.Tags)}, {"zone", len(q.Zones)}} {
		if l.n > MaxValues {
			bad = append(bad, directory.Problem{Field: l.field, Code: directory.CodeTooMany, Params: map[string]any{"max": MaxValues, "got": l.n}})
		}
	}
	if b := q.BBox; b != nil {
		for _, p := range [][2]float64{b.Min, b.Max} {
			if !(math.Abs(p[0]) <= 180 && math.Abs(p[1]) <= 90) {
				wrong("bbox", directory.CodeOutOfRange, p)
			}
		}
		if b.Min[1] > b.Max[1] {
			wrong("bbox", directory.CodeOrder, [4]float64{b.Min[0], b.Min[1], b.Max[0], b.Max[1]})
		}
	}
	if p := q.Near; p != nil && !(math.Abs(p[0]) <= 180 && math.Abs(p[1]) <= 90) {
		wrong("near", directory.CodeOutOfRange, *p)
	}
	switch {
	case !(q.Radius >= 0) || math.IsInf(q.Radius, 0):
		wrong("radius", directory.CodeOutOfRange, q.Radius)
	case q.Radius > 0 && q.Near == nil:
		bad = append(bad, directory.Problem{Field: "near", Code: directory.CodeRequired})
	}
	if !q.From.IsZero() && !q.To.IsZero() && !q.To.After(q.From) {
		wrong("to", directory.CodeOrder, q.To)
	}
	if _, measured := q.Middle(); q.Sort == Nearness && !measured {
		bad = append(bad, directory.Problem{Field: "near", Code: directory.CodeRequired})
	}
	if len(bad) > 0 {
		return q, bad
	}
	return q, nil
}

// clip makes text valid UTF-8 of at most MaxText characters.
func clip(s string) string {
	if len(s) > MaxText*utf8.UTFMax {
		s = s[:MaxText*utf8.UTFMax]
	}
	s = strings.ToValidUTF8(s, " ")
	n := 0
	for i := range s {
		if n == MaxText {
			return s[:i]
		}
		n++
	}
	return s
}

// InArea reports whether q asks for a part of the world.
func (q *Query) InArea() bool {
	return q.BBox != nil || (q.Near != nil && q.Radius > 0) || len(q.Polygon) > 0 || len(q.Zones) > 0
}

// WithoutArea is q everywhere.
func (q Query) WithoutArea() Query {
	q.BBox, q.Radius, q.Polygon, q.Zones = nil, 0, nil, nil
	return q
}

// Without returns q without each of its filters in turn.
func (q Query) Without() map[string]Query {
	m := map[string]Query{}
	if len(q.Kinds) > 0 {
		c := q
		c.Kinds = nil
		m["kind"] = c
	}
	if len(q.Categories) > 0 {
		c := q
		c.Categories = nil
		m["category"] = c
	}
	if len(q.Tags) > 0 {
		c := q
		c.Tags = nil
		m["tag"] = c
	}
	if len(q.Zones) > 0 {
		c := q
		c.Zones = nil
		m["zone"] = c
	}
	if q.BBox != nil || q.Radius > 0 || len(q.Polygon) > 0 {
		c := q
		c.BBox, c.Radius, c.Polygon = nil, 0, nil
		m["area"] = c
	}
	if !q.From.IsZero() || !q.To.IsZero() {
		c := q
		c.From, c.To = zeroTime, zeroTime
		m["date"] = c
	}
	return m
}

// Query is the Query of a completion, checked.
func (c Completion) Query() (Query, error) {
	limit := c.Limit
	switch {
	case limit == 0:
		limit = 6
	case limit < 0 || limit > 50:
		return Query{}, directory.Invalid{{Field: "limit", Code: directory.CodeOutOfRange, Params: map[string]any{"value": limit, "min": 1, "max": 50}}}
	}
	return Query{Text: c.Text, Lang: c.Lang, Near: c.Near, Limit: limit}.Checked()
}

// TopCounts returns the n most frequent of counts, most frequent first, then by value. It reorders counts.
func TopCounts(counts []Count, n int) []Count {
	slices.SortFunc(counts, func(a, b Count) int { return cmp.Or(cmp.Compare(b.N, a.N), cmp.Compare(a.Value, b.Value)) })
	return counts[:min(len(counts), n)]
}

// SortFewer puts what finds the most first.
func SortFewer(list []Fewer) {
	slices.SortFunc(list, func(a, b Fewer) int { return cmp.Or(cmp.Compare(b.Total, a.Total), cmp.Compare(a.Filter, b.Filter)) })
}
