package meili

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/meilisearch/meilisearch-go"

	"archipel/search"
)

// Complete returns categories and entries for what somebody is typing.
func (x *Index) Complete(ctx context.Context, c search.Completion) (*search.Completed, error) {
	q, err := c.Query()
	if err != nil {
		return nil, err
	}
	out := &search.Completed{}
	a := &asked{x: x, q: q, words: search.Words(q.Text, q.Lang)}
	if len(a.words) == 0 {
		return out, nil
	}
	err = x.call(ctx, func(ctx context.Context) error {
		everything := search.Query{}
		answers, err := a.ask(ctx, []*meilisearch.SearchRequest{
			{
				IndexUID: x.opt.Index, Query: a.text(), Filter: filter(&everything, dims{}), Limit: int64(q.Limit), MatchingStrategy: meilisearch.All,
				AttributesToSearchOn: []string{"key", "name", "joined", "names.text", "town", "place"},
				AttributesToRetrieve: []string{"id", "kind", "name", "town", "category", "sites"},
			},
			a.count(&everything, "", dims{}, "under"),
		})
		if err != nil {
			return err
		}
		docs, err := decode(answers[0].Hits)
		if err != nil {
			return err
		}
		for _, d := range docs {
			m := search.Match{ID: d.ID, Kind: d.Kind, Name: d.Name, Town: d.Town, Distance: -1}
			if len(d.Category) > 0 {
				m.Category = d.Category[0]
			}
			if q.Near != nil {
				m.Distance = search.Distance(*q.Near, d.Sites)
			}
			out.Entries = append(out.Entries, m)
		}
		var facets map[string]map[string]int
		if err := json.Unmarshal(answers[1].FacetDistribution, &facets); err != nil {
			return fmt.Errorf("meilisearch: facets: %w: %w", err, search.ErrUnavailable)
		}
		var named []search.Named
		for id, n := range facets["under"] {
			named = append(named, search.Named{Count: search.Count{Value: id, N: n}, Keys: search.NameKeys(x.opt.Builder.Taxonomy, id)})
		}
		out.Categories = search.MatchNames(a.words, named, q.Limit)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// looked is how many hits are looked at for the spelling of words.
const looked = 20

// corrections says, for each word that none of the first hits has, which of their words stands for it. Meilisearch
// does not tell.
func corrections(words []search.Word, skip []bool, docs []hit) []string {
	fixes := make([]string, len(words))
	for i, w := range words {
		if w.Stop || w.Typos == 0 || (skip != nil && skip[i]) {
			continue
		}
		alone := search.NewMatcher(words[i:i+1], nil)
		near := search.NewAutomaton(w.Text, w.Typos, false)
		found := false
		votes := map[string]int{}
		for _, d := range docs[:min(len(docs), looked)] {
			seen := map[string]bool{}
			for _, text := range d.texts() {
				for _, t := range search.Tokens(text) {
					found = found || alone.Matches(t.Text, d.Lang)
					if !seen[t.Text] && near.Typos(t.Text) <= w.Typos {
						seen[t.Text] = true
						votes[t.Text]++
					}
				}
			}
		}
		if found {
			continue
		}
		for t, n := range votes {
			if b := fixes[i]; b == "" || n > votes[b] || n == votes[b] && t < b {
				fixes[i] = t
			}
		}
	}
	return fixes
}

func (h *hit) texts() []string {
	out := []string{h.Name, h.Labels, h.Town, h.Place, h.Summary, h.Text, h.Other}
	for _, n := range h.Names {
		out = append(out, n.Text)
	}
	return append(out, h.Tags...)
}
