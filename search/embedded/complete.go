package embedded

import (
	"context"
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
		err = v.each(t, v.c.filter(&search.Query{}), true, func(s scored, r *row) {
			top.offer(order.of(v.c, s, r), s, r)
		})
		if err != nil {
			return err
		}
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

// categories returns those with entries that are called like the words.
func (v *view) categories(words []search.Word, limit int) []search.Count {
	cats := &v.c.cats
	named := make([]search.Named, 0, len(cats.names))
	for id, n := range cats.counts {
		if n > 0 {
			named = append(named, search.Named{Count: search.Count{Value: cats.names[id], N: n}, Keys: cats.labels[id]})
		}
	}
	return search.MatchNames(words, named, limit)
}
