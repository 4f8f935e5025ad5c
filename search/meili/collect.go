package meili

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/meilisearch/meilisearch-go"

	"archipel/directory"
	"archipel/search"
)

// collect fetches every match of the words in the area, to be decided here. d says which filters Meilisearch applies.
func (a *asked) collect(ctx context.Context, d dims, attributes []string) ([]hit, error) {
	every := int64(maxTotalHits)
	q := a.q
	if q.Sort == search.Date {
		q.Sort = search.Name
	}
	answers, err := a.ask(ctx, []*meilisearch.SearchRequest{{
		IndexUID: a.x.opt.Index, Query: a.text(), Filter: filter(&q, d), HitsPerPage: &every, Page: 1, MatchingStrategy: meilisearch.All,
		Sort: order(&q, len(a.words) > 0), AttributesToRetrieve: attributes, ShowRankingScore: true,
	}})
	if err != nil {
		return nil, err
	}
	docs, err := decode(answers[0].Hits)
	if err != nil {
		return nil, err
	}
	area := search.NewArea(&a.q)
	return slices.DeleteFunc(docs, func(h hit) bool {
		if !area.Everywhere() && !area.ContainsAny(h.Sites) {
			return true
		}
		if dated(&a.q) {
			_, ok := search.Next(h.Schedule, a.q.From, a.q.To)
			return !ok
		}
		return false
	}), nil
}

// collected answers a query whose matches are decided here.
func (a *asked) collected(ctx context.Context) (*search.Result, error) {
	q := &a.q
	d := allDims
	if q.Facets {
		d = dims{} // each dimension is counted without its own filter
	}
	docs, err := a.collect(ctx, d, []string{"id", "kind", "under", "tags", "tagKeys", "sites", "schedule", "name", "updated"})
	if err != nil {
		return nil, err
	}
	res := &search.Result{}
	if q.Facets {
		docs, res.Facets = tally(q, docs)
	}
	a.sort(docs)
	res.Total = len(docs)
	from := min(a.offset, len(docs))
	to := min(from+q.Limit, len(docs))
	page := docs[from:to]
	if to < len(docs) {
		res.Next = token(q, to)
	}
	sample := page
	if len(a.words) > 0 && len(page) > 0 {
		if q.Highlight {
			page, err = a.texts(ctx, page)
			sample = page
		} else {
			sample, err = a.texts(ctx, page[:min(len(page), looked)])
		}
		if err != nil {
			return nil, err
		}
	}
	a.fill(res, page, sample)
	return res, nil
}

// texts fetches what is shown of a page.
func (a *asked) texts(ctx context.Context, page []hit) ([]hit, error) {
	ids := make([]string, len(page))
	for i := range page {
		ids[i] = string(page[i].ID)
	}
	only := search.Query{}
	n := int64(len(ids))
	answers, err := a.ask(ctx, []*meilisearch.SearchRequest{{
		IndexUID: a.x.opt.Index, Filter: filter(&only, dims{}) + " AND id IN [" + quoted(ids) + "]", HitsPerPage: &n, Page: 1, AttributesToRetrieve: shown,
	}})
	if err != nil {
		return nil, err
	}
	docs, err := decode(answers[0].Hits)
	if err != nil {
		return nil, err
	}
	by := map[directory.ID]hit{}
	for _, h := range docs {
		by[h.ID] = h
	}
	out := make([]hit, 0, len(page))
	for _, h := range page {
		if full, ok := by[h.ID]; ok { // not removed in between
			full.Score = h.Score
			out = append(out, full)
		}
	}
	return out, nil
}

func quoted(list []string) string {
	b := []byte{}
	for i, s := range list {
		if i > 0 {
			b = append(b, ", "...)
		}
		b = append(b, quote(s)...)
	}
	return string(b)
}

// tally counts facets, and returns the documents that pass every filter.
func tally(q *search.Query, docs []hit) ([]hit, *search.Facets) {
	f := &search.Facets{Kinds: map[directory.Kind]int{}, Categories: map[string]int{}}
	keys, spelt := map[string]int{}, map[string]int{}
	var pass []hit
	tags := make([]string, len(q.Tags))
	for i, t := range q.Tags {
		tags[i] = directory.Fold(t)
	}
	for _, h := range docs {
		k := len(q.Kinds) == 0 || slices.Contains(q.Kinds, h.Kind)
		c := len(q.Categories) == 0 || slices.ContainsFunc(h.Under, func(id string) bool { return slices.Contains(q.Categories, id) })
		t := len(tags) == 0 || slices.ContainsFunc(h.TagKeys, func(key string) bool { return slices.Contains(tags, key) })
		if c && t {
			f.Kinds[h.Kind]++
		}
		if k && t {
			for _, id := range h.Under {
				f.Categories[id]++
			}
		}
		if k && c {
			for _, key := range h.TagKeys {
				keys[key]++
			}
			for _, s := range h.Tags {
				spelt[s]++
			}
		}
		if k && c && t {
			pass = append(pass, h)
		}
	}
	f.Tags = tagCounts(keys, spelt)
	return pass, f
}

// sort puts documents into orders that Meilisearch does not know.
func (a *asked) sort(docs []hit) {
	by := make(map[directory.ID]float64, len(docs))
	switch a.q.Sort {
	case search.Nearness:
		mid, _ := a.q.Middle()
		for i := range docs {
			if by[docs[i].ID] = search.Distance(mid, docs[i].Sites); by[docs[i].ID] < 0 {
				by[docs[i].ID] = 1e12
			}
		}
	case search.Date:
		from := a.q.From
		if from.IsZero() {
			from = a.x.opt.Now()
		}
		for i := range docs {
			if at, ok := search.Next(docs[i].Schedule, from, time.Time{}); ok {
				by[docs[i].ID] = float64(at.Unix())
			} else {
				by[docs[i].ID] = 1e12 - float64(docs[i].Updated.Unix())*1e-1
			}
		}
	default:
		return
	}
	slices.SortStableFunc(docs, func(x, y hit) int { return cmp.Compare(by[x.ID], by[y.ID]) }) // they come by name
}

// IDs returns every entry that matches q.
func (x *Index) IDs(ctx context.Context, q search.Query) (ids []directory.ID, err error) {
	q.Limit, q.After, q.Highlight, q.Facets = 0, "", false, false
	if q.Sort != search.Nearness {
		q.Sort = search.Name
	}
	if q, err = q.Checked(); err != nil {
		return nil, err
	}
	a := &asked{x: x, q: q, words: search.Words(q.Text, q.Lang)}
	attributes := []string{"id"}
	if hasArea(&q) {
		attributes = append(attributes, "sites")
	}
	if dated(&q) {
		attributes = append(attributes, "schedule")
	}
	err = x.call(ctx, func(ctx context.Context) error {
		docs, err := a.collect(ctx, allDims, attributes)
		if err == nil && len(docs) == 0 && len(a.words) > 0 {
			var changed bool
			if changed, err = a.relax(ctx); changed && err == nil {
				docs, err = a.collect(ctx, allDims, attributes)
			}
		}
		ids = make([]directory.ID, len(docs))
		for i := range docs {
			ids[i] = docs[i].ID
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return ids, nil
}
