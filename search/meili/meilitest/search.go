package meilitest

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

type request struct {
	IndexUID              string   `json:"indexUid"`
	Q                     *string  `json:"q"`
	Offset                int      `json:"offset"`
	Limit                 *int     `json:"limit"`
	Page                  *int     `json:"page"`
	HitsPerPage           *int     `json:"hitsPerPage"`
	AttributesToRetrieve  []string `json:"attributesToRetrieve"`
	AttributesToSearchOn  []string `json:"attributesToSearchOn"`
	AttributesToCrop      []string `json:"attributesToCrop"`
	AttributesToHighlight []string `json:"attributesToHighlight"`
	Filter                any      `json:"filter"`
	Sort                  []string `json:"sort"`
	Facets                []string `json:"facets"`
	MatchingStrategy      string   `json:"matchingStrategy"`
	ShowRankingScore      bool     `json:"showRankingScore"`
	Locales               []string `json:"locales"`
	Hybrid                any      `json:"hybrid"`
}

func (s *Server) multiSearch(body []byte) (int, any) {
	var q struct {
		Queries    []json.RawMessage `json:"queries"`
		Federation any               `json:"federation"`
	}
	if err := json.Unmarshal(body, &q); err != nil {
		e := invalid("bad_request", "%v", err)
		return e.Status, e
	}
	var results []any
	for i, raw := range q.Queries {
		var head struct {
			IndexUID string `json:"indexUid"`
		}
		_ = json.Unmarshal(raw, &head)
		x := s.indexes[head.IndexUID]
		var e *Error
		var res any
		if x == nil {
			e = notFound("index_not_found", "Index `%s` not found.", head.IndexUID)
		} else {
			res, e = x.search(raw, head.IndexUID)
		}
		if e != nil {
			e.Message = fmt.Sprintf("Inside `.queries[%d]`: %s", i, e.Message)
			return e.Status, e
		}
		results = append(results, res)
	}
	return 200, map[string]any{"results": results}
}

var geoSort = regexp.MustCompile(`^_geoPoint\(([-0-9.eE]+), *([-0-9.eE]+)\):(asc|desc)$`)

func (x *index) search(body []byte, uid string) (any, *Error) {
	var q request
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&q); err != nil {
		return nil, invalid("bad_request", "%v", err)
	}
	for _, f := range q.Facets {
		if !has(x.settings.FilterableAttributes, f) {
			return nil, invalid("invalid_search_facets", "Invalid facet distribution: Attribute `%s` is not filterable.", f)
		}
	}
	for _, a := range q.AttributesToSearchOn {
		if !has(x.settings.SearchableAttributes, a) {
			return nil, invalid("invalid_search_attributes_to_search_on", "Attribute `%s` is not searchable.", a)
		}
	}
	var sorts []func(a, b *match) int
	for _, s := range q.Sort {
		f, e := x.sorter(s)
		if e != nil {
			return nil, e
		}
		sorts = append(sorts, f)
	}
	switch q.MatchingStrategy {
	case "", "last", "all", "frequency":
	default:
		return nil, invalid("invalid_search_matching_strategy", "Unknown value `%s` at `.matchingStrategy`: expected one of `last`, `all`, `frequency`", q.MatchingStrategy)
	}
	keep, e := x.parseFilter(q.Filter)
	if e != nil {
		return nil, e
	}
	text := ""
	if q.Q != nil {
		text = *q.Q
	}
	found := x.match(text, q.MatchingStrategy, q.AttributesToSearchOn, keep)
	x.rank(found, sorts)

	res := map[string]any{"query": text, "processingTimeMs": 0, "indexUid": uid}
	most := x.settings.Pagination.MaxTotalHits
	total := min(len(found), most)
	from, size := q.Offset, 20
	if q.Limit != nil {
		size = *q.Limit
	}
	if q.Page != nil || q.HitsPerPage != nil {
		size = 20
		if q.HitsPerPage != nil {
			size = *q.HitsPerPage
		}
		page := 1
		if q.Page != nil {
			page = *q.Page
		}
		from = max(0, page-1) * size
		pages := 0
		if size > 0 {
			pages = (total + size - 1) / size
		}
		if page == 0 {
			size = 0
		}
		res["page"], res["hitsPerPage"], res["totalHits"], res["totalPages"] = page, size, total, pages
	} else {
		res["offset"], res["limit"], res["estimatedTotalHits"] = from, size, total
	}
	if from < 0 || size < 0 {
		return nil, invalid("invalid_search_offset", "Invalid value type at `.offset`: expected a positive integer.")
	}
	hits := []any{}
	for _, m := range found[min(from, total):min(from+size, total)] {
		hits = append(hits, x.display(m, &q))
	}
	res["hits"] = hits
	if len(q.Facets) > 0 {
		res["facetDistribution"], res["facetStats"] = x.facets(found, q.Facets), map[string]any{}
	}
	return res, nil
}

func (x *index) display(m *match, q *request) map[string]any {
	out := map[string]any{}
	for k, v := range m.doc.raw {
		if q.AttributesToRetrieve == nil || has(q.AttributesToRetrieve, "*") || has(q.AttributesToRetrieve, k) {
			out[k] = v
		}
	}
	if q.ShowRankingScore {
		out["_rankingScore"] = 1 / (1 + float64(m.typos)/4 + float64(m.attribute)/20)
	}
	return out
}

// facets counts the values of attributes, the most frequent ones when there are too many.
func (x *index) facets(found []*match, attributes []string) map[string]map[string]int {
	out := map[string]map[string]int{}
	for _, a := range attributes {
		counts := map[string]int{}
		for _, m := range found {
			seen := map[string]bool{}
			for _, v := range values(m.doc.raw, a) {
				if s := fmt.Sprint(v); !seen[s] {
					seen[s] = true
					counts[s]++
				}
			}
		}
		names := make([]string, 0, len(counts))
		for n := range counts {
			names = append(names, n)
		}
		byCount := x.settings.Faceting.SortFacetValuesBy["*"] == "count" || x.settings.Faceting.SortFacetValuesBy[a] == "count"
		slices.SortFunc(names, func(a, b string) int {
			if byCount && counts[a] != counts[b] {
				return counts[b] - counts[a]
			}
			return strings.Compare(a, b)
		})
		for _, n := range names[min(len(names), x.settings.Faceting.MaxValuesPerFacet):] {
			delete(counts, n)
		}
		out[a] = counts
	}
	return out
}

// sorter reads one criterion of an order. Documents without the attribute come last.
func (x *index) sorter(s string) (func(a, b *match) int, *Error) {
	if m := geoSort.FindStringSubmatch(s); m != nil {
		if !has(x.settings.SortableAttributes, "_geo") {
			return nil, invalid("invalid_search_sort", "Attribute `_geo` is not sortable.")
		}
		lat, _ := strconv.ParseFloat(m[1], 64)
		lng, _ := strconv.ParseFloat(m[2], 64)
		far := func(d *match) float64 {
			la, ln, ok := position(d.doc.raw)
			if !ok {
				return 1e18
			}
			return meters(la, ln, lat, lng)
		}
		return func(a, b *match) int {
			if m[3] == "desc" {
				a, b = b, a
			}
			return cmp.Compare(far(a), far(b))
		}, nil
	}
	name, dir, ok := strings.Cut(s, ":")
	if !ok || dir != "asc" && dir != "desc" {
		return nil, invalid("invalid_search_sort", "Invalid syntax for the sort parameter: expected expression ending by `:asc` or `:desc`, found `%s`.", s)
	}
	if !has(x.settings.SortableAttributes, name) {
		return nil, invalid("invalid_search_sort", "Attribute `%s` is not sortable. Available sortable attributes are: `%s`.", name, strings.Join(x.settings.SortableAttributes, "`, `"))
	}
	return byAttribute(name, dir == "desc"), nil
}

func byAttribute(name string, desc bool) func(a, b *match) int {
	return func(a, b *match) int {
		va, vb := values(a.doc.raw, name), values(b.doc.raw, name)
		switch {
		case len(va) == 0 && len(vb) == 0:
			return 0
		case len(va) == 0:
			return 1
		case len(vb) == 0:
			return -1
		}
		if desc {
			va, vb = vb, va
		}
		if fa, ok := va[0].(float64); ok {
			if fb, ok := vb[0].(float64); ok {
				return cmp.Compare(fa, fb)
			}
			return -1
		}
		return strings.Compare(strings.ToLower(fmt.Sprint(va[0])), strings.ToLower(fmt.Sprint(vb[0])))
	}
}

// match is a document that words found.
type match struct {
	doc       *document
	words     int // how many words of the query it has
	typos     int
	attribute int  // ranks of the attributes it has them in, summed
	inexact   int  // words that it has not exactly as asked
	whole     bool // an attribute is exactly the query
}

func (x *index) rank(found []*match, sorts []func(a, b *match) int) {
	rules := []func(a, b *match) int{func(a, b *match) int { return strings.Compare(a.doc.id, b.doc.id) }}[:0]
	for _, r := range x.settings.RankingRules {
		switch name, dir, custom := strings.Cut(r, ":"); {
		case custom:
			rules = append(rules, byAttribute(name, dir == "desc"))
		case r == "sort":
			rules = append(rules, sorts...)
		case r == "words":
			rules = append(rules, func(a, b *match) int { return b.words - a.words })
		case r == "typo":
			rules = append(rules, func(a, b *match) int { return a.typos - b.typos })
		case r == "attribute":
			rules = append(rules, func(a, b *match) int { return a.attribute - b.attribute })
		case r == "exactness":
			rules = append(rules, func(a, b *match) int {
				if a.whole != b.whole {
					if a.whole {
						return -1
					}
					return 1
				}
				return a.inexact - b.inexact
			})
		}
	}
	slices.SortFunc(found, func(a, b *match) int {
		for _, r := range rules {
			if c := r(a, b); c != 0 {
				return c
			}
		}
		return strings.Compare(a.doc.id, b.doc.id)
	})
}

// maxQueryWords is how many words of a query count.
const maxQueryWords = 10

// match finds the documents that pass keep and have the words of a query: all of them, or with the strategies last and
// frequency the first ones. Quoted words have to follow one another, words after a minus must not be there.
func (x *index) match(text, strategy string, on []string, keep condition) []*match {
	var without, phrases [][]string
	text = regexp.MustCompile(`-?"[^"]*"?`).ReplaceAllStringFunc(text, func(s string) string {
		w := tokens(s)
		if strings.HasPrefix(s, "-") {
			without = append(without, w)
		} else if len(w) > 0 {
			phrases = append(phrases, w)
		}
		return " "
	})
	var plain []string
	for _, f := range strings.Fields(text) {
		if strings.HasPrefix(f, "-") && len(f) > 1 {
			without = append(without, tokens(f))
			continue
		}
		plain = append(plain, f)
	}
	words := tokens(strings.Join(plain, " "))
	last := ""
	if r, _ := utf8.DecodeLastRuneInString(text); len(words) > 0 && r != ' ' {
		last = words[len(words)-1]
	}
	var query []string
	for i, w := range words {
		if !x.stop[w] || (i == len(words)-1 && last != "") {
			query = append(query, w)
		}
	}
	query = query[:min(len(query), maxQueryWords)]
	attributes := make([]int, 0, len(x.settings.SearchableAttributes))
	for i, a := range x.settings.SearchableAttributes {
		if on == nil || has(on, a) {
			attributes = append(attributes, i)
		}
	}
	var out []*match
next:
	for _, d := range x.docs {
		if !keep(d.raw) {
			continue
		}
		for _, p := range phrases {
			if !d.hasPhrase(p, attributes) {
				continue next
			}
		}
		for _, p := range without {
			if d.hasPhrase(p, attributes) {
				continue next
			}
		}
		m := &match{doc: d}
		for i := 0; i < len(query); i++ {
			h, n := x.best(d, query, i, last, attributes)
			if n == 0 {
				break
			}
			m.words += n
			m.typos += h.typos
			m.attribute += h.attribute
			if !h.exact {
				m.inexact++
			}
			i += n - 1
		}
		if m.words < len(query) && (strategy == "all" || m.words == 0) {
			continue
		}
		for _, a := range attributes {
			joined := strings.Trim(strings.Join(d.words[a], " "), " ")
			m.whole = m.whole || (len(query) > 0 && joined == strings.Join(query, " "))
		}
		out = append(out, m)
	}
	return out
}

func (d *document) hasPhrase(p []string, attributes []int) bool {
	for _, a := range attributes {
		for i := range d.words[a] {
			if len(p) > 0 && i+len(p) <= len(d.words[a]) && slices.Equal(d.words[a][i:i+len(p)], p) {
				return true
			}
		}
	}
	return false
}

type found struct {
	typos, attribute int
	exact            bool
}

// best finds word i of a query in a document, or it and those after it written as one; n is how many that are.
func (x *index) best(d *document, query []string, i int, last string, attributes []int) (found, int) {
	best, n := found{typos: 99}, 0
	better := func(f found, words int) {
		if f.typos < best.typos || f.typos == best.typos && f.attribute < best.attribute {
			best, n = f, words
		}
	}
	for words := 1; words <= 3 && i+words <= len(query); words++ {
		w := strings.Join(query[i:i+words], "")
		prefix := i+words == len(query) && query[i+words-1] == last
		budget := x.typos(w)
		if words > 1 {
			budget = min(budget, 1) // joined words may have one typo less
		}
		forms := append([]string{w}, x.settings.Synonyms[w]...)
		for rank, a := range attributes {
			list := d.words[a]
			for k, t := range list {
				if t == "" {
					continue
				}
				for fi, form := range forms {
					switch {
					case t == form:
						better(found{words - 1, rank, fi == 0}, words)
					case prefix && strings.HasPrefix(t, form):
						better(found{words - 1, rank, false}, words)
					case k+1 < len(list) && list[k+1] != "" && t+list[k+1] == form: // one word of the query, two here
						better(found{1, rank, false}, words)
					case fi == 0 && budget > 0:
						if far := distance(w, t, prefix); far <= budget {
							better(found{far + words - 1, rank, false}, words)
						}
					}
				}
			}
		}
	}
	return best, n
}

func (x *index) typos(w string) int {
	t := &x.settings.TypoTolerance
	n := utf8.RuneCountInString(w)
	switch {
	case !t.Enabled, has(t.DisableOnWords, w), t.DisableOnNumbers && strings.Trim(w, "0123456789") == "":
		return 0
	case n >= t.MinWordSizeForTypos.TwoTypos:
		return 2
	case n >= t.MinWordSizeForTypos.OneTypo:
		return 1
	}
	return 0
}

// distance is Damerau's and Levenshtein's between two words, or with prefix the least of the beginnings of b; a wrong
// first letter counts twice.
func distance(a, b string, prefix bool) int {
	x, y := []rune(a), []rune(b)
	if len(y) > len(x)+3 && !prefix {
		return 9
	}
	rows := make([][]int, len(x)+1)
	for i := range rows {
		rows[i] = make([]int, len(y)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(x); i++ {
		for j := 1; j <= len(y); j++ {
			cost := 1
			if x[i-1] == y[j-1] {
				cost = 0
			}
			rows[i][j] = min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+cost)
			if i > 1 && j > 1 && x[i-1] == y[j-2] && x[i-2] == y[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	d := rows[len(x)][len(y)]
	if prefix {
		d = slices.Min(rows[len(x)])
	}
	if d > 0 && x[0] != y[0] {
		d++
	}
	return d
}
