package meili

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"slices"

	"github.com/meilisearch/meilisearch-go"

	"archipel/directory"
	"archipel/search"
)

// asked is a query on its way.
type asked struct {
	x      *Index
	q      search.Query
	words  []search.Word
	skip   []bool // words that are left out
	offset int
}

func (a *asked) text() string { return typed(a.words, a.skip) }

// call runs fn with a deadline, unless the server is known to be away.
func (x *Index) call(ctx context.Context, fn func(ctx context.Context) error) error {
	if err := x.up(); err != nil {
		return err
	}
	limited, cancel := context.WithTimeout(ctx, x.opt.Timeout)
	defer cancel()
	err := fn(limited)
	switch {
	case err == nil:
		x.slow.Store(0)
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, context.DeadlineExceeded) && x.slow.Add(1) < slowInARow:
		// One hard query is not a broken server.
	case errors.Is(err, search.ErrUnavailable):
		x.down(err)
	}
	return err
}

// slowInARow is how many searches run into their deadline one after another before the server counts as away.
const slowInARow = 3

// Search answers q.
func (x *Index) Search(ctx context.Context, q search.Query) (res *search.Result, err error) {
	if q, err = q.Checked(); err != nil {
		return nil, err
	}
	a := &asked{x: x, q: q, words: search.Words(q.Text, q.Lang)}
	if a.offset, err = parseToken(&q); err != nil {
		return nil, err
	}
	err = x.call(ctx, func(ctx context.Context) error {
		if res, err = a.page(ctx); err != nil || res.Total > 0 {
			return err
		}
		if len(a.words) > 0 {
			changed, err := a.relax(ctx)
			if err != nil {
				return err
			}
			if changed {
				if res, err = a.page(ctx); err != nil || res.Total > 0 {
					return err
				}
			}
		}
		return a.offer(ctx, res)
	})
	if err != nil {
		return nil, err
	}
	for i, skipped := range a.skip {
		if skipped {
			w := a.words[i]
			res.Dropped = append(res.Dropped, q.Text[w.Start:w.End])
		}
	}
	return res, nil
}

// page asks for one page of results, here or there.
func (a *asked) page(ctx context.Context) (*search.Result, error) {
	if a.exact() {
		return a.collected(ctx)
	}
	res, more, err := a.direct(ctx)
	if err == nil && more {
		return a.collected(ctx) // entries with several sites are decided here
	}
	return res, err
}

// exact reports whether matches have to be decided here.
func (a *asked) exact() bool {
	return len(a.q.Polygon) > 0 || dated(&a.q) || a.q.Sort == search.Date
}

var shown = []string{"id", "name", "names", "lang", "summary", "text", "labels", "tags", "town", "place", "sites", "other"}

// direct has Meilisearch do everything. more says that some matches may not be.
func (a *asked) direct(ctx context.Context) (res *search.Result, more bool, err error) {
	q := &a.q
	limit := int64(q.Limit)
	text := a.text()
	main := &meilisearch.SearchRequest{
		IndexUID: a.x.opt.Index, Query: text, Filter: filter(q, allDims), HitsPerPage: &limit, Page: int64(a.offset/q.Limit + 1),
		MatchingStrategy: meilisearch.All, Sort: order(q, len(a.words) > 0), AttributesToRetrieve: []string{"id", "sites", "name"}, ShowRankingScore: true,
	}
	requests := []*meilisearch.SearchRequest{main}
	spelt := -1 // the request whose hits tell how the words are spelt
	switch {
	case len(a.words) == 0:
	case q.Highlight || q.Limit <= looked:
		main.AttributesToRetrieve, spelt = shown, 0
	default: // a long list of ids needs no texts
		few := int64(looked)
		spelt = len(requests)
		requests = append(requests, &meilisearch.SearchRequest{
			IndexUID: main.IndexUID, Query: text, Filter: main.Filter, HitsPerPage: &few, Page: 1, MatchingStrategy: meilisearch.All, AttributesToRetrieve: shown,
		})
	}
	if hasArea(q) || q.Sort == search.Nearness {
		main.Facets = append(main.Facets, "more")
	}
	from := map[string]int{"kind": 0, "under": 0, "tagKeys": 0}
	if q.Facets {
		alone := func(attribute string, filtered bool, d dims) {
			if !filtered {
				main.Facets = append(main.Facets, attribute)
				return
			}
			from[attribute] = len(requests)
			requests = append(requests, a.count(q, text, d, attribute))
		}
		alone("kind", len(q.Kinds) > 0, dims{false, true, true})
		alone("under", len(q.Categories) > 0, dims{true, false, true})
		alone("tagKeys", len(q.Tags) > 0, dims{true, true, false})
		at := requests[from["tagKeys"]]
		at.Facets = append(at.Facets, "tags")
	}
	answers, err := a.ask(ctx, requests)
	if err != nil {
		return nil, false, err
	}
	facets := make([]map[string]map[string]int, len(answers))
	for i, r := range answers {
		if len(r.FacetDistribution) > 0 {
			if err := json.Unmarshal(r.FacetDistribution, &facets[i]); err != nil {
				return nil, false, fmt.Errorf("meilisearch: facets: %w: %w", err, search.ErrUnavailable)
			}
		}
	}
	if facets[0]["more"]["true"] > 0 {
		return nil, true, nil
	}
	docs, err := decode(answers[0].Hits)
	if err != nil {
		return nil, false, err
	}
	if a.offset == 0 && q.Sort == search.Relevance && len(a.words) > 0 {
		// Meilisearch leaves small words aside: "Atelier 9" is as good for it as "L'atelier du 9", when that was typed.
		typed := search.Key(q.Text)
		slices.SortStableFunc(docs, func(a, b hit) int {
			x, y := search.Key(a.Name) == typed, search.Key(b.Name) == typed
			switch {
			case x == y:
				return 0
			case x:
				return -1
			}
			return 1
		})
	}
	sample := docs
	if spelt > 0 {
		if sample, err = decode(answers[spelt].Hits); err != nil {
			return nil, false, err
		}
	}
	res = &search.Result{Total: int(answers[0].TotalHits)}
	a.fill(res, docs, sample)
	if a.offset+len(docs) < res.Total && len(docs) > 0 {
		res.Next = token(q, a.offset+len(docs))
	}
	if q.Facets {
		res.Facets = &search.Facets{Kinds: map[directory.Kind]int{}, Categories: facets[from["under"]]["under"]}
		for k, n := range facets[from["kind"]]["kind"] {
			res.Facets.Kinds[directory.Kind(k)] = n
		}
		if res.Facets.Categories == nil {
			res.Facets.Categories = map[string]int{}
		}
		t := facets[from["tagKeys"]]
		res.Facets.Tags = tagCounts(t["tagKeys"], t["tags"])
	}
	return res, false, nil
}

// tagCounts are the most frequent tags, in their most frequent spelling.
func tagCounts(keys, spelt map[string]int) []search.Count {
	best := map[string]search.Count{}
	for s, n := range spelt {
		k := directory.Fold(s)
		if b, ok := best[k]; !ok || n > b.N || n == b.N && s < b.Value {
			best[k] = search.Count{Value: s, N: n}
		}
	}
	var out []search.Count
	for k, n := range keys {
		c := search.Count{Value: k, N: n}
		if b, ok := best[k]; ok {
			c.Value = b.Value
		}
		out = append(out, c)
	}
	return search.TopCounts(out, search.MaxFacets)
}

// count is a request for a total and facets.
func (a *asked) count(q *search.Query, text string, d dims, facets ...string) *meilisearch.SearchRequest {
	none := int64(0)
	return &meilisearch.SearchRequest{
		IndexUID: a.x.opt.Index, Query: text, Filter: filter(q, d), HitsPerPage: &none, Page: 1, MatchingStrategy: meilisearch.All, Facets: facets,
	}
}

// ask sends requests together.
func (a *asked) ask(ctx context.Context, requests []*meilisearch.SearchRequest) ([]meilisearch.SearchResponse, error) {
	res, err := a.x.client.MultiSearchWithContext(ctx, &meilisearch.MultiSearchRequest{Queries: requests})
	if err != nil {
		return nil, fault(ctx, "search", err)
	}
	if len(res.Results) != len(requests) {
		return nil, fmt.Errorf("meilisearch: search: %d answers to %d queries: %w", len(res.Results), len(requests), search.ErrUnavailable)
	}
	return res.Results, nil
}

// hit is a document as a search returns it.
type hit struct {
	search.Document
	TagKeys []string `json:"tagKeys"`
	Score   float64  `json:"_rankingScore"`
}

func decode(hits meilisearch.Hits) ([]hit, error) {
	out := make([]hit, len(hits))
	for i, h := range hits {
		raw, err := json.Marshal(h)
		if err == nil {
			err = json.Unmarshal(raw, &out[i])
		}
		if err != nil {
			return nil, fmt.Errorf("meilisearch: hit: %w: %w", err, search.ErrUnavailable)
		}
	}
	return out, nil
}

// fill adds hits to a result, with what is shown of them. The texts of sample tell how the words are spelt.
func (a *asked) fill(res *search.Result, docs, sample []hit) {
	res.Area, res.Measured = a.q.Middle()
	var fixes []string
	if len(a.words) > 0 {
		fixes = corrections(a.words, a.skip, sample)
		if res.Spelling == "" {
			res.Spelling = search.Respell(a.q.Text, a.words, fixes)
		}
	}
	res.Hits = make([]search.Hit, 0, len(docs))
	for i := range docs {
		res.Hits = append(res.Hits, a.show(&docs[i], fixes))
	}
}

func (a *asked) show(d *hit, fixes []string) search.Hit {
	h := search.Hit{ID: d.ID, Score: d.Score, Distance: -1}
	if mid, ok := a.q.Middle(); ok {
		h.Distance = search.Distance(mid, d.Sites)
	}
	if a.q.Highlight && len(a.words) > 0 {
		h.Excerpts = d.Excerpts(search.NewMatcher(a.words, fixes))
	}
	return h
}

// relax leaves words out when nothing has all of them, wherever it is: those that are found nowhere first, then the
// most frequent. It reports whether it left any out.
func (a *asked) relax(ctx context.Context) (bool, error) {
	nowhere := search.Query{}
	requests := []*meilisearch.SearchRequest{a.count(&nowhere, a.text(), dims{})}
	var used []int
	for i, w := range a.words {
		if !w.Stop {
			used = append(used, i)
			requests = append(requests, a.count(&nowhere, typed(a.words[i:i+1], nil), dims{}))
		}
	}
	if len(used) < 2 {
		return false, nil
	}
	answers, err := a.ask(ctx, requests)
	if err != nil || answers[0].TotalHits > 0 {
		return false, err
	}
	often := map[int]int64{}
	for n, i := range used {
		often[i] = answers[n+1].TotalHits
	}
	rank := func(i int) int64 {
		if often[i] == 0 {
			return 1 << 62
		}
		return often[i]
	}
	slices.SortStableFunc(used, func(i, j int) int { // what goes first
		switch {
		case rank(i) != rank(j):
			if rank(i) > rank(j) {
				return -1
			}
			return 1
		}
		return j - i
	})
	requests = nil
	var skips [][]bool
	for n := 1; n < len(used); n++ {
		skip := make([]bool, len(a.words))
		for _, i := range used[:n] {
			skip[i] = true
		}
		skips = append(skips, skip)
		requests = append(requests, a.count(&nowhere, typed(a.words, skip), dims{}))
	}
	if answers, err = a.ask(ctx, requests); err != nil {
		return false, err
	}
	for n, r := range answers {
		if r.TotalHits > 0 {
			a.skip = skips[n]
			return true, nil
		}
	}
	return false, nil
}

// offer adds to an empty result what would not be empty.
func (a *asked) offer(ctx context.Context, res *search.Result) error {
	for name, less := range a.q.Without() {
		less.Facets, less.Highlight, less.Limit = false, false, 1
		if less.Sort != search.Name {
			less.Sort = search.Relevance
		}
		b := &asked{x: a.x, q: less, words: a.words, skip: a.skip}
		r, err := b.page(ctx)
		if err != nil {
			return err
		}
		if r.Total > 0 {
			res.Without = append(res.Without, search.Fewer{Filter: name, Total: r.Total})
		}
	}
	search.SortFewer(res.Without)
	mid, ok := a.q.Middle()
	if !ok || !a.q.InArea() {
		return nil
	}
	wide := a.q.WithoutArea()
	wide.Near, wide.Sort, wide.Limit, wide.Facets = &mid, search.Nearness, search.NearestN, false
	b := &asked{x: a.x, q: wide, words: a.words, skip: a.skip}
	r, err := b.page(ctx)
	if err != nil {
		return err
	}
	for _, h := range r.Hits {
		if h.Distance >= 0 {
			res.Outside = append(res.Outside, h)
		}
	}
	return nil
}

type wireToken struct {
	Query  uint64 `json:"q"`
	Offset int    `json:"o"`
}

// fingerprint tells queries apart for which a token means something else.
func fingerprint(q *search.Query) uint64 {
	c := *q
	c.After, c.Highlight, c.Facets = "", false, false
	b, _ := json.Marshal(c) // numbers, strings and times
	h := fnv.New64a()
	_, _ = h.Write(b)
	return h.Sum64()
}

func token(q *search.Query, offset int) string {
	b, _ := json.Marshal(wireToken{fingerprint(q), offset})
	return base64.RawURLEncoding.EncodeToString(b)
}

func parseToken(q *search.Query) (int, error) {
	if q.After == "" {
		return 0, nil
	}
	var t wireToken
	b, err := base64.RawURLEncoding.DecodeString(q.After)
	if err == nil {
		err = json.Unmarshal(b, &t)
	}
	if err != nil || t.Query != fingerprint(q) || t.Offset < 0 || t.Offset > maxTotalHits || t.Offset%q.Limit != 0 {
		return 0, directory.Invalid{{Field: "after", Code: directory.CodeInvalid, Params: map[string]any{"value": q.After}}}
	}
	return t.Offset, nil
}
