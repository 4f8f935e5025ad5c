package geo

import (
	"bytes"
	"fmt"
	"math/bits"
	"slices"
	"strings"
	"time"

	"archipel/directory"

	"github.com/paulmach/orb"
)

// Filter says which entries are meant. Its parts must all hold; the zero value means every entry. With any of BBox,
// Radius, Zone or Cluster set, an entry matches when one of its sites lies there, and entries without position do not.
type Filter struct {
	// BBox holds its edges. Min is [west, south], Max [east, north], in degrees; west > east crosses the antimeridian,
	// and longitudes may go once around the world (up to 540 either way).
	BBox *orb.Bound
	// Near is the [longitude, latitude] that distances are measured from; with a Radius in metres, the sites within.
	Near   *orb.Point
	Radius float64
	// Zone is a territory.
	Zone *Zone
	// Cluster holds the sites that are drawn as one disc under the other parts of the filter.
	Cluster *Cluster

	Kinds      []directory.Kind // any of these
	Categories []string         // any of these; descendants are the caller's to add
	Tags       []string         // any of these
	Origins    []string         // any of these; the empty string is ours

	// Words must each occur somewhere in the name, the tags or the town, without regard to case and accents.
	Words string
	// From and To keep what takes place between them: events of which an occurrence ends after From and starts before
	// To. Either may be zero. What has no time does not match then.
	From, To time.Time
	// Current, unless zero, leaves out events whose dates are all over by then. What has no time stays.
	Current time.Time
	// OpenAt, unless zero, keeps what is open then for certain, on the clocks of its location, to the minute. What has no
	// opening hours does not match.
	OpenAt time.Time
	// Faded, unless zero, leaves nothing out: what nobody has confirmed or changed since its day (UTC) is marked in tiles.
	Faded time.Time
	// Only, when not nil, keeps the entries that it holds, such as the results of a search.
	Only []directory.ID
}

// Cluster names a disc that a tile shows at a zoom.
type Cluster struct {
	Zoom int
	ID   uint64
}

// query is a Filter made ready for one snapshot.
type query struct {
	s        *Snapshot
	area     *area // nil: everywhere
	kinds    *[256]bool
	cats     []bool
	tags     []bool
	origins  []bool
	words    [][]byte
	grams    uint64
	timed    bool
	from, to int64
	current  int64  // minTime: the past as well
	only     bitset // rows, dead ones too
	open     bitset // opening hours, by number; nil: any
	near     *orb.Point
	key      string // see Filter.key
}

func (f *Filter) compile(s *Snapshot) (*query, error) {
	q := &query{s: s, near: f.Near, key: f.key()}
	var err error
	if q.area, err = f.area(); err != nil {
		return nil, err
	}
	if len(f.Kinds) > 0 {
		q.kinds = &[256]bool{}
		for _, k := range f.Kinds {
			if i, ok := s.kinds.find(string(k)); ok {
				q.kinds[i] = true
			}
		}
	}
	q.cats = s.categories.set(f.Categories)
	q.tags = s.tagNames.set(f.Tags)
	q.origins = s.origins.set(f.Origins)
	for w := range strings.FieldsSeq(directory.Fold(f.Words)) {
		q.words = append(q.words, []byte(w))
		q.grams |= gramsOf([]byte(w))
	}
	if !f.From.IsZero() || !f.To.IsZero() {
		q.timed, q.from, q.to = true, minTime, maxTime
		if !f.From.IsZero() {
			q.from = f.From.Unix()
		}
		if !f.To.IsZero() {
			q.to = f.To.Unix()
		}
		if q.from > q.to {
			return nil, invalid("time: from %s is after to %s", f.From.Format(time.RFC3339), f.To.Format(time.RFC3339))
		}
	}
	q.current = minTime
	if !f.Current.IsZero() {
		q.current = f.Current.Unix()
		q.key += fmt.Sprintf("u%d", s.seg.ended(q.current)) // the same for all moments between two ends
	}
	if !f.OpenAt.IsZero() {
		q.open = s.hourly.at(f.openMinute())
	}
	if f.Only != nil {
		q.only = newBitset(len(s.ids))
		for _, i := range f.Only {
			if i, err := packID(i); err == nil {
				s.versions(i, q.only.set)
			}
		}
	}
	if f.Cluster != nil {
		keys, err := s.clusterKeys(f.Cluster, q)
		if err != nil {
			return nil, err
		}
		if q.area == nil {
			q.area = &area{boxes: []orb.Bound{world}}
		}
		q.area.keys, q.area.exact = keys, false
	}
	return q, nil
}

// openMinute is OpenAt without seconds.
func (f *Filter) openMinute() time.Time { return f.OpenAt.Truncate(time.Minute) }

func sortedCopy(list []string) []string {
	list = slices.Clone(list)
	slices.Sort(list)
	return slices.Compact(list)
}

const (
	minTime = -1 << 62
	maxTime = 1 << 62
)

// set returns which names are listed, or nil for an empty list.
func (n *names) set(list []string) []bool {
	if len(list) == 0 {
		return nil
	}
	out := make([]bool, len(n.list))
	for _, s := range list {
		if i, ok := n.find(s); ok {
			out[i] = true
		}
	}
	return out
}

// plain reports whether every entry matches.
func (q *query) plain() bool { return q.area == nil && q.attributesPlain() }

func (q *query) attributesPlain() bool {
	return q.kinds == nil && q.cats == nil && q.tags == nil && q.origins == nil && len(q.words) == 0 && !q.timed && q.current == minTime && q.only == nil && q.open == nil
}

// matches reports whether a row, dead or alive, has what the filter asks for, wherever it is.
func (q *query) matches(r uint32) bool {
	return (q.kinds == nil || q.kinds[q.s.kind[r]]) &&
		(q.cats == nil || anyOf(q.cats, q.s.rowCats(r))) &&
		(q.tags == nil || anyOf(q.tags, q.s.rowTags(r))) &&
		q.matchesRest(r)
}

// matchesRest leaves out the kinds, categories and tags.
func (q *query) matchesRest(r uint32) bool {
	if q.only != nil && !q.only.has(r) {
		return false
	}
	if q.open != nil && !q.open.has(q.s.hours[r]) {
		return false
	}
	if q.origins != nil && !q.origins[q.s.info[r].origin] {
		return false
	}
	if q.timed && !q.inTime(r) || q.current != minTime && q.over(r) {
		return false
	}
	if len(q.words) > 0 {
		if q.s.grams[r]&q.grams != q.grams {
			return false
		}
		words := q.s.words(&q.s.info[r])
		for _, w := range q.words {
			if !bytes.Contains(words, w) {
				return false
			}
		}
	}
	return true
}

func (q *query) inTime(r uint32) bool {
	for _, sp := range q.s.rowSpans(r) {
		if sp.end > q.from && sp.start < q.to {
			return true
		}
	}
	return false
}

// over reports whether a row has times, and all of them have ended.
func (q *query) over(r uint32) bool {
	return q.s.end(r) <= q.current
}

func anyOf(set []bool, list []uint32) bool {
	for _, v := range list {
		if set[v] {
			return true
		}
	}
	return false
}

// view is the points of a segment that match a filter. Points that die later still count in it, and are counted
// against it like in the segment, so it stays right as long as the segment does.
type view struct {
	key string
	seg *segment
}

// maxViews is how many filters are remembered. Together they hold no more points than keptPoints, or than there are.
const (
	maxViews   = 16
	keptPoints = 1 << 17
)

// view returns the points of the segment that match.
func (s *Snapshot) view(q *query) *segment {
	if q.plain() {
		return s.seg
	}
	was := s.seg.views.Load()
	var list []*view
	if was != nil {
		list = *was
	}
	for _, v := range list {
		if v.key == q.key {
			return v.seg
		}
	}
	var sorted []keyed
	for i, pt := range s.seg.pts {
		if q.matchesPoint(pt) {
			sorted = append(sorted, keyed{s.seg.keys[i], pt, 1})
		}
	}
	v := &view{q.key, newSegment(sorted, &s.table)}
	now, room := []*view{v}, max(keptPoints, len(s.seg.keys))-len(sorted)
	for _, o := range list { // newest first
		if room -= len(o.seg.keys); room < 0 || len(now) == maxViews {
			break
		}
		now = append(now, o)
	}
	s.seg.views.CompareAndSwap(was, &now) // when another reader was faster, the next one makes it again
	return v.seg
}

// matchesPoint is matches for one site, which must itself lie in the area.
func (q *query) matchesPoint(pt uint32) bool {
	return q.matches(q.s.ptRow[pt]) && (q.area == nil || q.area.has(q.s.pts[pt].point()))
}

// key names what the filter selects, equal for equal filters whatever their order of values, without Cluster and Current.
func (f *Filter) key() string {
	var b strings.Builder
	if f.BBox != nil {
		fmt.Fprintf(&b, "b%v", *f.BBox)
	}
	if f.Radius > 0 && f.Near != nil {
		fmt.Fprintf(&b, "n%v,%v", *f.Near, f.Radius)
	}
	if f.Zone != nil {
		fmt.Fprintf(&b, "z%x", f.Zone.sum)
	}
	kinds := make([]string, len(f.Kinds))
	for i, k := range f.Kinds {
		kinds[i] = string(k)
	}
	for i, list := range [][]string{kinds, f.Categories, f.Tags, f.Origins, strings.Fields(directory.Fold(f.Words))} {
		if len(list) > 0 {
			fmt.Fprintf(&b, "%c%q", "KCTOW"[i], sortedCopy(list))
		}
	}
	if !f.From.IsZero() || !f.To.IsZero() {
		fmt.Fprintf(&b, "t%d,%d", f.From.Unix(), f.To.Unix())
	}
	if !f.OpenAt.IsZero() {
		fmt.Fprintf(&b, "h%d,%q", f.openMinute().Unix(), f.OpenAt.Location())
	}
	if f.Only != nil {
		var lo, hi uint64
		for _, s := range f.Only {
			h := sumString(7, string(s))
			lo += h
			hi += sumInt(h, 11)
		}
		fmt.Fprintf(&b, "o%d,%x,%x", len(f.Only), lo, hi)
	}
	return b.String()
}

// bitset is a set of small numbers.
type bitset []uint64

func newBitset(n int) bitset { return make(bitset, (n+63)/64) }

func (b bitset) set(i uint32) { b[i/64] |= 1 << (i % 64) }

func (b bitset) has(i uint32) bool { return b[i/64]>>(i%64)&1 != 0 }

// each calls fn with the members, ascending.
func (b bitset) each(fn func(i uint32)) {
	for w, v := range b {
		for v != 0 {
			fn(uint32(w*64 + bits.TrailingZeros64(v)))
			v &= v - 1
		}
	}
}
