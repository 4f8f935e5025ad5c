package embedded

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"unicode/utf8"

	"github.com/RoaringBitmap/roaring/v2"
	"github.com/blevesearch/bleve/v2/index/scorch"
	segment "github.com/blevesearch/scorch_segment_api/v2"

	"archipel/search"
)

// How much a match is worth, by field and by how it matches. The order of the products is the order of results.
var (
	fieldNames  = [search.Fields]string{"n", "c", "p", "t"}
	fieldWeight = [search.Fields]float32{10, 5, 3, 1}
)

const (
	asWritten  = 1
	asJoined   = .97
	asSpelled  = .95 // another spelling of the word
	asStem     = .9
	asBegun    = .75
	oneTypo    = .45
	twoTypos   = .25
	maxExpand  = 2000 // terms that a beginning or a misspelling may stand for, per field and segment
	noOrd      = ^uint32(0)
	shortWords = 5 // letters from which on the beginning of a word may be misspelt
)

// match is the evaluation of words against one snapshot of the index. The bitmaps in it belong to the snapshot.
type match struct {
	ctx    context.Context
	words  []search.Word
	fields []search.Field
	segs   []*segMatch
	fuzzy  []*misspelt // per word, made when needed
}

type segMatch struct {
	seg   *scorch.SegmentSnapshot
	dicts [search.Fields]segment.TermDictionary
	exact []*hits // per word
	loose []*hits // with typos
}

// hits is where one word is found in one segment, the best matches first.
type hits struct {
	tiers []tier
	all   *roaring.Bitmap
	fixes []fix
}

type tier struct {
	weight float32
	docs   *roaring.Bitmap
}

// fix is a term that a misspelt word may stand for.
type fix struct {
	term  string
	typos int
	docs  *roaring.Bitmap
}

type misspelt struct {
	word, joined *search.Automaton
}

func newMatch(ctx context.Context, snap *scorch.IndexSnapshot, words []search.Word, fields []search.Field) (*match, error) {
	m := &match{ctx: ctx, words: words, fields: fields, fuzzy: make([]*misspelt, len(words))}
	for _, s := range snap.Segments() {
		sm := &segMatch{seg: s, exact: make([]*hits, len(words)), loose: make([]*hits, len(words))}
		for _, f := range fields {
			d, err := s.Segment().Dictionary(fieldNames[f])
			if err != nil {
				return nil, fmt.Errorf("open terms of %s: %w", fieldNames[f], err)
			}
			sm.dicts[f] = d
		}
		m.segs = append(m.segs, sm)
	}
	return m, nil
}

// postings returns where a term stands, nil when nowhere.
func postings(d segment.TermDictionary, term string) (*roaring.Bitmap, error) {
	list, err := d.PostingsList([]byte(term), nil, nil)
	if err != nil || list == nil || list.Count() == 0 {
		return nil, err
	}
	it := list.Iterator(false, false, false, nil)
	if o, ok := it.(segment.OptimizablePostingsIterator); ok {
		if n, one := o.DocNum1Hit(); one {
			return roaring.BitmapOf(uint32(n)), nil
		}
		if bm := o.ActualBitmap(); bm != nil {
			return bm, nil
		}
	}
	bm := roaring.New()
	for {
		p, err := it.Next()
		if err != nil || p == nil {
			return bm, err
		}
		bm.Add(uint32(p.Number()))
	}
}

// expand returns where the terms from the beginning on stand that an automaton (nil: all) accepts.
func (m *match) expand(d segment.TermDictionary, begin string, a segment.Automaton, keep func(term string, docs *roaring.Bitmap)) error {
	from := []byte(begin)
	if begin == "" {
		from = []byte{3} // after the marks of derived terms
	}
	var to []byte
	if begin != "" {
		to = append([]byte(begin[:len(begin)-1]), begin[len(begin)-1]+1)
	}
	it := d.AutomatonIterator(a, from, to)
	for n := 0; n < maxExpand; n++ {
		if n%256 == 255 && m.ctx.Err() != nil {
			return m.ctx.Err()
		}
		e, err := it.Next()
		if err != nil {
			return err
		}
		if e == nil {
			break
		}
		term := e.Term
		docs, err := postings(d, term)
		if err != nil {
			return err
		}
		if docs != nil {
			keep(term, docs)
		}
	}
	return nil
}

// written finds word i in a segment as it is written, bent, joined with a neighbour, or begun.
func (m *match) written(s *segMatch, i int) (*hits, error) {
	if s.exact[i] != nil {
		return s.exact[i], nil
	}
	h := &hits{}
	w := &m.words[i]
	joined := make([]string, 0, 2)
	if w.Joined != "" {
		joined = append(joined, w.Joined)
	}
	if i > 0 && m.words[i-1].Joined != "" {
		joined = append(joined, m.words[i-1].Joined)
	}
	for _, f := range m.fields {
		d, weight := s.dicts[f], fieldWeight[f]
		add := func(term string, worth float32) error {
			docs, err := postings(d, term)
			if docs != nil {
				h.tiers = append(h.tiers, tier{weight * worth, docs})
			}
			return err
		}
		if err := add(w.Text, asWritten); err != nil {
			return nil, err
		}
		if err := add(search.MarkStem+w.Stem, asStem); err != nil {
			return nil, err
		}
		if w.Stem != w.Text {
			if err := add(w.Stem, asStem); err != nil {
				return nil, err
			}
		}
		for _, a := range w.Also {
			if err := add(a, asSpelled); err != nil {
				return nil, err
			}
		}
		for _, j := range joined {
			if err := add(j, asJoined); err != nil {
				return nil, err
			}
		}
		if !w.Prefix {
			continue
		}
		begun := roaring.New()
		if len(w.Text) <= search.ShortPrefix {
			if f != search.InText || len(w.Text) == search.ShortPrefix {
				if err := add(search.MarkPrefix+w.Text, asBegun); err != nil {
					return nil, err
				}
			}
		} else if err := m.expand(d, w.Text, nil, func(_ string, docs *roaring.Bitmap) { begun.Or(docs) }); err != nil {
			return nil, err
		}
		for _, j := range joined {
			if len(j) > search.ShortPrefix+1 {
				if err := m.expand(d, j, nil, func(_ string, docs *roaring.Bitmap) { begun.Or(docs) }); err != nil {
					return nil, err
				}
			}
		}
		if !begun.IsEmpty() {
			h.tiers = append(h.tiers, tier{weight * asBegun, begun})
		}
	}
	h.finish()
	s.exact[i] = h
	return h, nil
}

func (h *hits) finish() {
	slices.SortStableFunc(h.tiers, func(a, b tier) int { return cmp.Compare(b.weight, a.weight) })
	h.all = roaring.New()
	for _, t := range h.tiers {
		h.all.Or(t.docs)
	}
}

// misspelt finds word i in a segment also where it is written with a few other letters.
func (m *match) misspelt(s *segMatch, i int) (*hits, error) {
	if s.loose[i] != nil {
		return s.loose[i], nil
	}
	exact, err := m.written(s, i)
	if err != nil {
		return nil, err
	}
	h := &hits{tiers: slices.Clone(exact.tiers)}
	if m.fuzzy[i] == nil {
		m.fuzzy[i] = newMisspelt(&m.words[i])
	}
	for _, a := range []*search.Automaton{m.fuzzy[i].word, m.fuzzy[i].joined} {
		if a == nil {
			continue
		}
		begin := ""
		if a.Max() == 1 { // a wrong first letter counts twice
			_, n := utf8.DecodeRuneInString(a.Word())
			begin = a.Word()[:n]
		}
		for _, f := range m.fields {
			var found [3]*roaring.Bitmap
			err := m.expand(s.dicts[f], begin, a, func(term string, docs *roaring.Bitmap) {
				n := a.Typos(term)
				if n > a.Max() || n == 0 {
					return
				}
				if found[n] == nil {
					found[n] = roaring.New()
				}
				found[n].Or(docs)
				h.fixes = append(h.fixes, fix{term, n, docs})
			})
			if err != nil {
				return nil, err
			}
			for n, worth := range map[int]float32{1: oneTypo, 2: twoTypos} {
				if found[n] != nil {
					h.tiers = append(h.tiers, tier{fieldWeight[f] * worth, found[n]})
				}
			}
		}
	}
	h.finish()
	s.loose[i] = h
	return h, nil
}

func newMisspelt(w *search.Word) *misspelt {
	f := &misspelt{}
	if w.Typos > 0 {
		f.word = search.NewAutomaton(w.Text, w.Typos, w.Prefix && utf8.RuneCountInString(w.Text) >= shortWords)
	}
	if n := search.Typos(w.Joined); n > 0 && w.Typos == 0 {
		f.joined = search.NewAutomaton(w.Joined, n, false)
	}
	return f
}

// of finds word i in s, with typos where loose says so.
func (m *match) of(s *segMatch, i int, loose []bool) (*hits, error) {
	if loose[i] {
		return m.misspelt(s, i)
	}
	return m.written(s, i)
}

// all returns, per segment, the documents that have every word of use.
func (m *match) all(use, loose []bool) (found []*roaring.Bitmap, total uint64, err error) {
	found = make([]*roaring.Bitmap, len(m.segs))
	for si, s := range m.segs {
		if err := m.ctx.Err(); err != nil {
			return nil, 0, err
		}
		var docs *roaring.Bitmap
		for i := range m.words {
			if !use[i] {
				continue
			}
			h, err := m.of(s, i, loose)
			if err != nil {
				return nil, 0, err
			}
			if docs == nil {
				docs = h.all.Clone()
			} else {
				docs.And(h.all)
			}
			if docs.IsEmpty() {
				break
			}
		}
		if docs == nil {
			docs = roaring.New()
		}
		if gone := s.seg.Deleted(); gone != nil {
			docs.AndNot(gone)
		}
		found[si] = docs
		total += docs.GetCardinality()
	}
	return found, total, nil
}

// frequency is how many documents have word i.
func (m *match) frequency(i int, loose []bool) (n uint64, err error) {
	for _, s := range m.segs {
		h, err := m.of(s, i, loose)
		if err != nil {
			return 0, err
		}
		n += h.all.GetCardinality()
	}
	return n, nil
}

// answer is what words found.
type answer struct {
	found   []*roaring.Bitmap // per segment
	use     []bool            // words that count
	loose   []bool            // words that may be misspelt
	dropped []bool
}

// answer finds the documents that have all words, relaxing step by step until there are some: first the words that are
// found nowhere may be misspelt, then every word, then words are left out, the most frequent first.
func (m *match) answer(relax bool) (*answer, error) {
	n := len(m.words)
	a := &answer{use: make([]bool, n), loose: make([]bool, n), dropped: make([]bool, n)}
	left := 0
	for i, w := range m.words {
		if !w.Stop {
			a.use[i] = true
			left++
		}
	}
	if left == 0 { // "le la les": then these are what is looked for
		for i := range m.words {
			a.use[i] = true
		}
		left = n
	}
	try := func() (bool, error) {
		found, total, err := m.all(a.use, a.loose)
		a.found = found
		return total > 0, err
	}
	if ok, err := try(); ok || err != nil {
		return a, err
	}
	changed := false
	for i := range m.words {
		if !a.use[i] {
			continue
		}
		if f, err := m.frequency(i, a.loose); err != nil {
			return nil, err
		} else if f == 0 {
			a.loose[i], changed = true, true
		}
	}
	if changed {
		if ok, err := try(); ok || err != nil {
			return a, err
		}
	}
	unknown := slices.Clone(a.loose)
	for i := range a.loose {
		a.loose[i] = a.use[i]
	}
	if ok, err := try(); ok || err != nil || !relax {
		return a, err
	}
	a.loose = unknown
	for ; left > 1; left-- {
		worst, most := -1, uint64(0)
		for i := range m.words {
			if !a.use[i] {
				continue
			}
			f, err := m.frequency(i, a.loose)
			if err != nil {
				return nil, err
			}
			if f == 0 {
				worst = i
				break
			}
			if f >= most {
				worst, most = i, f
			}
		}
		a.use[worst], a.dropped[worst] = false, true
		if ok, err := try(); ok || err != nil {
			return a, err
		}
	}
	clear(a.dropped)
	return a, nil
}

// score returns the worth of the words in each of docs, which are of the documents found in a segment.
func (m *match) score(a *answer, si int, docs *roaring.Bitmap) []float32 {
	s := m.segs[si]
	worth := make([]float32, docs.Maximum()+1)
	for i := range m.words {
		if !a.use[i] {
			continue
		}
		h := s.exact[i]
		if a.loose[i] {
			h = s.loose[i]
		}
		rest := docs.Clone()
		for _, t := range h.tiers {
			at := roaring.And(rest, t.docs)
			if at.IsEmpty() {
				continue
			}
			for it := at.Iterator(); it.HasNext(); {
				worth[it.Next()] += t.weight
			}
			if rest.AndNot(at); rest.IsEmpty() {
				break
			}
		}
	}
	return worth
}

// corrections returns for each word the term that stands for it in most of the documents found, or "" where the word
// itself does.
func (m *match) corrections(a *answer) []string {
	out := make([]string, len(m.words))
	for i := range m.words {
		if !a.use[i] || !a.loose[i] {
			continue
		}
		type vote struct {
			typos int
			docs  uint64
		}
		votes := map[string]vote{}
		own := uint64(0)
		for si, s := range m.segs {
			own += a.found[si].AndCardinality(s.exact[i].all)
			for _, f := range s.loose[i].fixes {
				if n := f.docs.AndCardinality(a.found[si]); n > 0 {
					v := votes[f.term]
					votes[f.term] = vote{f.typos, v.docs + n}
				}
			}
		}
		best := vote{99, 0}
		for term, v := range votes {
			if v.typos < best.typos || v.typos == best.typos && (v.docs > best.docs || v.docs == best.docs && term < out[i]) {
				best, out[i] = v, term
			}
		}
		if own > best.docs {
			out[i] = ""
		}
	}
	return out
}
