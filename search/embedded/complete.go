package embedded

import (
	"context"
	"strings"
	"time"

	"archipel/search"
)

// Complete returns categories and entries for what somebody is typing.
func (x *Index) Complete(ctx context.Context, c search.Completion) (out *search.Completed, err error) {
	q, err := c.Query()
	if err != nil {
		return nil, err
	}
	out = &search.Completed{}
	words := search.Words(q.Text, q.Lang)
	if len(words) == 0 {
		return out, nil
	}
	err = x.with(ctx, func(v *view) error {
		out.Categories = v.categories(words, q.Limit)
		t, err := v.find(ctx, words, titleField, false)
		if err != nil {
			return err
		}
		order := newOrder(&q, t, time.Time{})
		top := newTop(q.Limit, nil)
		v.each(t, func(s scored, r *row) {
			if r.live {
				top.offer(order.of(v.c, s, r), s, r)
			}
		})
		for _, c := range top.sorted() {
			d, err := stored(t.match.segs[c.s.seg].seg, uint64(c.s.doc))
			if err != nil {
				return err
			}
			m := search.Match{ID: d.ID, Kind: d.Kind, Name: d.Name, Town: d.Town, Distance: -1}
			if len(d.Category) > 0 {
				m.Category = d.Category[0]
			}
			if q.Near != nil {
				m.Distance = search.Distance(*q.Near, d.Sites)
			}
			out.Entries = append(out.Entries, m)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// categories returns those that have entries and a name with every word: names that begin with the words first, then
// those with more entries; misspelt ones when there are no others.
func (v *view) categories(words []search.Word, limit int) []search.Count {
	var begin, within, nearly []search.Count
	fuzzy := make([]*typos, len(words))
	for i := range words {
		if n := words[i].Typos; n > 0 {
			fuzzy[i] = newTypos(words[i].Text, n, words[i].Prefix)
		}
	}
	cats := &v.c.cats
	for id, labels := range cats.labels {
		if cats.counts[id] == 0 {
			continue
		}
		best := 0
		for _, l := range labels {
			best = max(best, labelMatch(l, words, fuzzy))
		}
		c := search.Count{Value: cats.names[id], N: cats.counts[id]}
		switch best {
		case 3:
			begin = append(begin, c)
		case 2:
			within = append(within, c)
		case 1:
			nearly = append(nearly, c)
		}
	}
	out := append(search.TopCounts(begin, limit), search.TopCounts(within, limit)...)
	if len(out) == 0 {
		out = search.TopCounts(nearly, limit)
	}
	return out[:min(len(out), limit)]
}

// labelMatch is 3 when a label begins with the words, 2 when it has them all, 1 with typos, 0 when it has not.
func labelMatch(label string, words []search.Word, fuzzy []*typos) int {
	parts := strings.Split(label, " ")
	best := 2
	first := false
	for i, w := range words {
		if w.Stop && !w.Prefix {
			continue
		}
		found := 0
		for n, p := range parts {
			switch {
			case p == w.Text || (w.Prefix && strings.HasPrefix(p, w.Text)):
				found = 2
				first = first || n == 0
			case found == 0 && n+1 < len(parts) && strings.HasPrefix(p+parts[n+1], w.Text) && len(w.Text) > len(p):
				found = 2
			case found == 0 && fuzzy[i] != nil && fuzzy[i].of(p) <= fuzzy[i].max:
				found = 1
			}
			if found == 2 {
				break
			}
		}
		best = min(best, found)
	}
	if best == 2 && first {
		return 3
	}
	return best
}
