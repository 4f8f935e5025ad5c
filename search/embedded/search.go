package embedded

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/RoaringBitmap/roaring/v2"
	"github.com/blevesearch/bleve/v2/index/scorch"
	"github.com/paulmach/orb"

	"archipel/directory"
	"archipel/search"
)

var (
	everyField = []search.Field{search.InName, search.InCategory, search.InPlace, search.InText}
	titleField = []search.Field{search.InName, search.InPlace}
)

// scored is a row that words found.
type scored struct {
	ord  uint32
	text float32
	seg  int32 // where its document is, -1 when words were not asked for
	doc  uint32
	pass uint8 // what filter.test says
}

// view is what one query sees: the columns, held for reading, and the snapshot of the index.
type view struct {
	g    *generation
	snap *scorch.IndexSnapshot
	c    *columns
}

// with calls fn with the index as it stands. Damage that shows is repaired in the background.
func (x *Index) with(ctx context.Context, fn func(v *view) error) (err error) {
	err = x.use(func(g *generation) (err error) {
		defer func() {
			if r := recover(); r != nil { // the readers of segments panic on damaged files
				err = fmt.Errorf("search index: %v: %w", r, directory.ErrCorrupt)
			}
		}()
		snap, err := g.snapshot()
		if err != nil {
			return fmt.Errorf("search index: %w: %w", directory.ErrCorrupt, err)
		}
		defer snap.Close()
		g.mu.RLock()
		defer g.mu.RUnlock()
		if !x.ready.Load() && g.cols.live == 0 {
			return errFilling
		}
		return fn(&view{g, snap, g.cols})
	})
	var invalid directory.Invalid
	switch {
	case err == nil, ctx.Err() != nil, errors.Is(err, search.ErrUnavailable), errors.As(err, &invalid):
		return err
	}
	x.damaged(err)
	return errors.Join(search.ErrUnavailable, err)
}

// text is what the words of a query found.
type text struct {
	words  []search.Word
	asked  bool // there were words; all rows otherwise
	match  *match
	answer *answer
}

// find looks words up in fields.
func (v *view) find(ctx context.Context, words []search.Word, fields []search.Field, relax bool) (*text, error) {
	t := &text{words: words, asked: len(words) > 0}
	if !t.asked {
		return t, nil
	}
	m, err := newMatch(ctx, v.snap, words, fields)
	if err != nil {
		return nil, err
	}
	a, err := m.answer(relax)
	if err != nil {
		return nil, err
	}
	t.match, t.answer = m, a
	return t, nil
}

// each calls fn for every row that the words found (or for every row) and that is alive and in f's area, zones and
// dates. Only these are scored, and not at all unless worth is asked for.
func (v *view) each(t *text, f *filter, worth bool, fn func(s scored, r *row)) error {
	if !t.asked {
		if f.none() {
			for o := range v.c.rows {
				if r := &v.c.rows[o]; r.live {
					fn(scored{ord: uint32(o), seg: -1, pass: passAll}, r)
				}
			}
			return nil
		}
		for o := range v.c.rows {
			r := &v.c.rows[o]
			if pass, ok := f.test(r); ok {
				fn(scored{ord: uint32(o), seg: -1, pass: pass}, r)
			}
		}
		return nil
	}
	for si, s := range t.match.segs {
		found := t.answer.found[si]
		if found.IsEmpty() {
			continue
		}
		ords, err := v.g.rowsOf(s.seg)
		if err != nil {
			return err
		}
		var inside []uint32
		var passes []uint8
		for it := found.Iterator(); it.HasNext(); {
			doc := it.Next()
			o := ords[doc]
			if o == noOrd {
				continue
			}
			r := &v.c.rows[o]
			pass, ok := f.test(r)
			switch {
			case !ok:
			case worth:
				inside, passes = append(inside, doc), append(passes, pass)
			default:
				fn(scored{ord: o, seg: int32(si), doc: doc, pass: pass}, r)
			}
		}
		if len(inside) == 0 {
			continue
		}
		scores := t.match.score(t.answer, si, roaring.BitmapOf(inside...))
		for i, doc := range inside {
			fn(scored{ords[doc], scores[doc], int32(si), doc, passes[i]}, &v.c.rows[ords[doc]])
		}
	}
	return nil
}

// Search answers q.
func (x *Index) Search(ctx context.Context, q search.Query) (res *search.Result, err error) {
	q, err = q.Checked()
	if err != nil {
		return nil, err
	}
	after, err := parseKey(&q)
	if err != nil {
		return nil, err
	}
	err = x.with(ctx, func(v *view) error {
		t, err := v.find(ctx, search.Words(q.Text, q.Lang), everyField, true)
		if err != nil {
			return err
		}
		res, err = v.answer(ctx, &q, t, after, x.opt.Now())
		return err
	})
	if err != nil {
		return nil, err
	}
	return res, nil
}

func (v *view) answer(ctx context.Context, q *search.Query, t *text, after *key, now time.Time) (*search.Result, error) {
	res := &search.Result{Hits: []search.Hit{}}
	res.Area, res.Measured = q.Middle()
	f := v.c.filter(q)
	order := newOrder(q, t, now)
	top := newTop(q.Limit+1, after)
	var tally *tally
	if q.Facets {
		tally = newTally(v.c, f, t)
	}
	var err error
	if !t.asked && f.none() && order.by == search.Name { // the page that most people see first
		res.Total = v.c.live
		for o, by := range v.c.head {
			if top.may(by) && v.c.rows[o].live {
				top.offer(by, scored{ord: uint32(o), seg: -1}, &v.c.rows[o])
			}
		}
	} else {
		err = v.list(res, t, f, order, top, tally)
	}
	if err = errors.Join(err, ctx.Err()); err != nil {
		return nil, err
	}
	best := top.sorted()
	if len(best) > q.Limit {
		best = best[:q.Limit]
		res.Next = best[q.Limit-1].key.token(q)
	}
	var show *shower
	if t.asked {
		fixes := t.match.corrections(t.answer)
		res.Spelling = search.Respell(q.Text, t.words, fixes)
		for i, w := range t.words {
			if t.answer.dropped[i] {
				res.Dropped = append(res.Dropped, q.Text[w.Start:w.End])
			}
		}
		show = newShower(t, fixes)
	}
	for _, c := range best {
		res.Hits = append(res.Hits, v.hit(q, c, show))
	}
	if tally != nil {
		res.Facets = tally.facets()
	}
	if res.Total == 0 {
		err = v.offer(q, t, res, now, show)
	}
	return res, err
}

// list counts what matches, and puts it in order.
func (v *view) list(res *search.Result, t *text, f *filter, order *order, top *top, tally *tally) error {
	return v.each(t, f, true, func(s scored, r *row) {
		if tally != nil {
			tally.add(r, s.pass)
		}
		if s.pass != passAll {
			return
		}
		res.Total++
		top.offer(order.of(v.c, s, r), s, r)
	})
}

func (v *view) hit(q *search.Query, c candidate, show *shower) search.Hit {
	r := &v.c.rows[c.s.ord]
	h := search.Hit{ID: r.id, Score: float64(c.s.text), Distance: -1}
	if mid, ok := q.Middle(); ok {
		h.Distance = search.Distance(mid, r.positions(nil))
	}
	if q.Highlight && show != nil && c.s.seg >= 0 {
		if d, err := stored(show.t.match.segs[c.s.seg].seg, uint64(c.s.doc)); err == nil {
			h.Excerpts = d.Excerpts(show.matcher)
		}
	}
	return h
}

// offer adds to an empty result what would not be empty.
func (v *view) offer(q *search.Query, t *text, res *search.Result, now time.Time, show *shower) error {
	for name, less := range q.Without() {
		n := 0
		err := v.each(t, v.c.filter(&less), false, func(s scored, r *row) {
			if s.pass == passAll {
				n++
			}
		})
		if err != nil {
			return err
		}
		if n > 0 {
			res.Without = append(res.Without, search.Fewer{Filter: name, Total: n})
		}
	}
	search.SortFewer(res.Without)
	mid, ok := q.Middle()
	if !ok || !q.InArea() {
		return nil
	}
	wide := q.WithoutArea()
	wide.Near, wide.Sort, wide.After = &mid, search.Nearness, ""
	order := newOrder(&wide, t, now)
	top := newTop(search.NearestN, nil)
	err := v.each(t, v.c.filter(&wide), false, func(s scored, r *row) {
		if r.sites.any && s.pass == passAll {
			top.offer(order.of(v.c, s, r), s, r)
		}
	})
	for _, c := range top.sorted() {
		res.Outside = append(res.Outside, v.hit(&wide, c, show))
	}
	return err
}

// IDs returns every entry that matches q.
func (x *Index) IDs(ctx context.Context, q search.Query) (ids []directory.ID, err error) {
	q.Limit, q.After = 0, ""
	if q, err = q.Checked(); err != nil {
		return nil, err
	}
	err = x.with(ctx, func(v *view) error {
		t, err := v.find(ctx, search.Words(q.Text, q.Lang), everyField, true)
		if err != nil {
			return err
		}
		ids = []directory.ID{}
		return v.each(t, v.c.filter(&q), false, func(s scored, r *row) {
			if s.pass == passAll {
				ids = append(ids, r.id)
			}
		})
	})
	if err != nil {
		return nil, err
	}
	return ids, nil
}

// order gives rows the number they are sorted by, the smallest first.
type order struct {
	by   search.Sort
	mid  orb.Point
	near bool
	from time.Time
	text string // search.Key of the words, for names that are just that
	t    *text
	buf  []orb.Point
}

func newOrder(q *search.Query, t *text, now time.Time) *order {
	o := &order{by: q.Sort, from: q.From, t: t}
	o.mid, o.near = q.Middle()
	o.near = o.near && (q.Sort == search.Nearness || q.Near != nil)
	if o.from.IsZero() {
		o.from = now
	}
	if t.asked {
		o.text = search.Key(q.Text)
	} else if o.by == search.Relevance {
		o.by = search.Name
	}
	return o
}

const (
	nowhere = 1e12 // metres: entries without a position
	undated = 1e12 // seconds: entries that do not happen
)

func (o *order) of(c *columns, s scored, r *row) float64 {
	switch o.by {
	case search.Relevance:
		return -float64(s.text) - o.bonus(c, r)
	case search.Nearness:
		o.buf = r.positions(o.buf)
		if d := search.Distance(o.mid, o.buf); d >= 0 {
			return d
		}
		return nowhere
	case search.Date:
		if at, ok := search.Next(r.schedule(), o.from, time.Time{}); ok {
			return float64(at.Unix())
		}
		return undated - float64(r.upd)*1e-1
	}
	return c.head[s.ord]
}

// bonus is for names that are what was typed, begin with it, or hold it in one piece, and for what is near.
func (o *order) bonus(c *columns, r *row) float64 {
	b := 0.0
	if i := strings.Index(r.key, o.text); i >= 0 && o.text != "" {
		begins := i == 0 || r.key[i-1] == ' '
		ends := i+len(o.text) == len(r.key) || r.key[i+len(o.text)] == ' '
		switch {
		case len(r.key) == len(o.text):
			b += 10
		case i == 0 && ends:
			b += 4
		case begins && ends:
			b += 2
		case begins:
			b++
		}
		b += 2 * float64(len(o.text)) / float64(len(r.key)+len(o.text))
	}
	if o.near {
		o.buf = r.positions(o.buf)
		if d := search.Distance(o.mid, o.buf); d >= 0 {
			b += 3 / (1 + d/10_000)
		}
	}
	return b
}

func finite(f float64) bool { return !math.IsNaN(f) && !math.IsInf(f, 0) }
