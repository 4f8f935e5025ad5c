package meili

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/paulmach/orb"

	"archipel/directory"
	"archipel/search"
)

// typed is what is sent of the words of a query: folded, without articles and small words, and without anything that
// Meilisearch takes for an operator.
func typed(words []search.Word, skip []bool) string {
	var b strings.Builder
	only := true
	for i, w := range words {
		if !w.Stop && (skip == nil || !skip[i]) {
			only = false
		}
	}
	unfinished := false
	for i, w := range words {
		if (w.Stop && !only) || (skip != nil && skip[i]) {
			continue
		}
		if b.Len() > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(w.Text)
		unfinished = w.Prefix
	}
	if b.Len() > 0 && !unfinished {
		b.WriteByte(' ') // Meilisearch takes the last word for unfinished unless something follows
	}
	return b.String()
}

// dims says which of a query's own filters on kinds, categories and tags to send.
type dims struct{ kind, category, tag bool }

var allDims = dims{true, true, true}

// filter is a query's filters as Meilisearch has them. Polygons and dates are only narrowed down.
func filter(q *search.Query, d dims) string {
	parts := []string{"kind EXISTS"} // everything but the mark
	if dated(q) {
		parts[0] = `kind = "event"`
	}
	in := func(attribute string, values []string) {
		quoted := make([]string, len(values))
		for i, v := range values {
			quoted[i] = quote(v)
		}
		parts = append(parts, attribute+" IN ["+strings.Join(quoted, ", ")+"]")
	}
	if d.kind && len(q.Kinds) > 0 {
		var kinds []string
		for _, k := range q.Kinds {
			kinds = append(kinds, string(k))
		}
		in("kind", kinds)
	}
	if d.category && len(q.Categories) > 0 {
		in("under", q.Categories)
	}
	if d.tag && len(q.Tags) > 0 {
		var keys []string
		for _, t := range q.Tags {
			keys = append(keys, directory.Fold(t))
		}
		in("tagKeys", keys)
	}
	if len(q.Zones) > 0 {
		in("zones", q.Zones)
	}
	if q.BBox != nil {
		parts = append(parts, box(*q.BBox, ""))
	}
	if q.Near != nil && q.Radius > 0 {
		circle := fmt.Sprintf("_geoRadius(%s, %s, %s)", number(q.Near[1]), number(q.Near[0]), number(q.Radius))
		parts = append(parts, box(around(*q.Near, q.Radius), circle))
	}
	if len(q.Polygon) > 0 {
		parts = append(parts, box(q.Polygon.Bound(), ""))
	}
	return strings.Join(parts, " AND ")
}

// box finds documents whose main site is in b (or, when given, in main), or which have other sites that may be.
func box(b orb.Bound, main string) string {
	w, s, e, n := b.Min[0], b.Min[1], b.Max[0], b.Max[1]
	bounding := func(w, e float64) string {
		return fmt.Sprintf("_geoBoundingBox([%s, %s], [%s, %s])", number(n), number(e), number(s), number(w))
	}
	others := fmt.Sprintf("more = true AND south <= %s AND north >= %s", number(n), number(s))
	if w <= e {
		if main == "" {
			main = bounding(w, e)
		}
		others += fmt.Sprintf(" AND west <= %s AND east >= %s", number(e), number(w))
	} else if main == "" { // across the antimeridian
		main = bounding(w, 180) + " OR " + bounding(-180, e)
	}
	return "(" + main + " OR (" + others + "))"
}

// around is a box that holds a circle; it spans all longitudes near a pole.
func around(p orb.Point, radius float64) orb.Bound {
	dy := radius/110_000 + 1e-6
	b := orb.Bound{Min: orb.Point{-180, max(p[1]-dy, -90)}, Max: orb.Point{180, min(p[1]+dy, 90)}}
	shrink := math.Cos(math.Max(math.Abs(b.Min[1]), math.Abs(b.Max[1])) * math.Pi / 180)
	if shrink < 0.01 || dy/shrink >= 180 {
		return b
	}
	dx := dy / shrink
	b.Min[0], b.Max[0] = p[0]-dx, p[0]+dx
	if b.Min[0] < -180 {
		b.Min[0] += 360
	}
	if b.Max[0] > 180 {
		b.Max[0] -= 360
	}
	return b
}

func number(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }

// quote writes a value so that nothing in it is an operator.
func quote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}

func dated(q *search.Query) bool { return !q.From.IsZero() || !q.To.IsZero() }

func hasArea(q *search.Query) bool {
	return q.BBox != nil || (q.Near != nil && q.Radius > 0) || len(q.Polygon) > 0
}

// order is a query's order as Meilisearch has it, nil for its ranking rules.
func order(q *search.Query, words bool) []string {
	switch q.Sort {
	case search.Nearness:
		mid, _ := q.Middle()
		return []string{fmt.Sprintf("_geoPoint(%s, %s):asc", number(mid[1]), number(mid[0])), "key:asc", "id:asc"}
	case search.Relevance:
		if words {
			return nil
		}
	}
	return []string{"key:asc", "id:asc"}
}
