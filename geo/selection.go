package geo

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/binary"
	"math"
	"slices"

	"archipel/directory"

	"github.com/paulmach/orb"
)

// Order is how a list is sorted. Equals are ordered by ID.
type Order uint8

// Orders.
const (
	ByName     Order = iota // as folded: no regard to case and accents
	ByDistance              // from Filter.Near; entries without position last
	ByStart                 // of the first date after Filter.From and Current, or that goes on then; without one last
	ByUpdated               // newest first
	ByOnly                  // as Filter.Only has them, such as by relevance
)

// Page is a part of a list.
type Page struct {
	Order Order
	Limit int    // 0: all
	After string // Selection.Next of the page before, under the same order
}

// Selection is a part of the list of the entries that match.
type Selection struct {
	Hits    []Hit
	Matched int    // entries that match in all
	Next    string // Page.After of the next page; empty when this is the last
}

// Hit is an entry of a Selection.
type Hit struct {
	ID       directory.ID
	Slug     string
	Distance float64   // metres from Filter.Near to its nearest site; -1 when either is missing
	Start    int64     // Unix seconds, in a list ByStart: the occurrence it is listed for; else 0
	Point    orb.Point // the site that is meant: the nearest, or the first where the filter looks
	Placed   bool      // it has a position
}

// place is where a row stands in an order: by rank, then by folded name where the order is by name, then by ID.
type place struct {
	rank uint64
	name []byte
	id   id
	row  uint32
}

func (p *place) compare(q *place) int {
	if c := cmp.Compare(p.rank, q.rank); c != 0 {
		return c
	}
	if c := bytes.Compare(p.name, q.name); c != 0 {
		return c
	}
	return bytes.Compare(p.id[:], q.id[:])
}

// Select lists the entries that match, once each however many sites they have. Pages are found by where the one before
// ended, so that nothing is listed twice or left out when others write in between, except what itself moved; ByOnly, where
// Only may be another list by then, from the entry that the page ended with, or where it was. Errors wrap [ErrInvalid].
func (s *Snapshot) Select(f Filter, p Page) (Selection, error) {
	q, err := f.compile(s)
	if err != nil {
		return Selection{}, err
	}
	switch {
	case p.Order > ByOnly:
		return Selection{}, invalid("order %d", p.Order)
	case p.Order == ByDistance && f.Near == nil:
		return Selection{}, invalid("order: by distance from no point")
	case p.Order == ByOnly && f.Only == nil:
		return Selection{}, invalid("order: there is no list to follow")
	case p.Limit < 0:
		return Selection{}, invalid("limit %d: want 0 for all, or more", p.Limit)
	}
	var after *place
	if p.After != "" {
		if after, err = parseAfter(p, &f); err != nil {
			return Selection{}, err
		}
	}
	rank := s.ranker(&f, q, p.Order)
	out := Selection{}
	var best heap
	more := false
	s.rows(q, func(r uint32) {
		out.Matched++
		c := place{row: r}
		worst := uint64(math.MaxUint64)
		full := p.Limit > 0 && len(best) == p.Limit
		if full {
			worst = best[0].rank
		}
		var ok bool
		if c.rank, ok = rank(r, worst); !ok || c.rank > worst {
			more = true
			return
		}
		c.id = s.ids[r]
		if p.Order == ByName {
			c.name = s.sortName(r)
		}
		if after != nil && c.compare(after) <= 0 {
			return
		}
		switch {
		case !full:
			best.push(c)
		case c.compare(&best[0]) < 0:
			best[0] = c
			best.down(0)
			more = true
		default:
			more = true
		}
	})
	slices.SortFunc(best, func(a, b place) int { return a.compare(&b) })
	out.Hits = make([]Hit, len(best))
	for i := range best {
		out.Hits[i] = s.hit(&best[i], q, p.Order)
	}
	if more && len(best) > 0 {
		out.Next = best[len(best)-1].token(p, &f)
	}
	return out, nil
}

// rows calls fn with the rows that are alive and match.
func (s *Snapshot) rows(q *query, fn func(r uint32)) {
	if q.area != nil {
		s.rowsIn(q.area).each(func(r uint32) {
			if s.aliveAt(r, s.seq) && q.matches(r) {
				fn(r)
			}
		})
		return
	}
	for r := range uint32(len(s.ids)) {
		if s.aliveAt(r, s.seq) && q.matches(r) {
			fn(r)
		}
	}
}

func (s *Snapshot) hit(p *place, q *query, o Order) Hit {
	h := Hit{ID: p.id.unpack(), Slug: string(s.slug(&s.info[p.row])), Distance: -1}
	for i, pt := range s.rowPts(p.row) {
		if i == 0 {
			h.Point, h.Placed = pt, true
		}
		if q.near != nil {
			if d := sphere(*q.near, pt); i == 0 || d < h.Distance {
				h.Distance, h.Point = d, pt
			}
		} else if q.area != nil && q.area.has(pt) {
			h.Point = pt
			break
		}
	}
	if o == ByStart && p.rank != lastRank {
		h.Start = unsigned(p.rank)
	}
	return h
}

// lastRank is the rank of what has none.
const lastRank = math.MaxUint64

// signed and unsigned map integers to ranks in the same order, and back.
func signed(v int64) uint64   { return uint64(v) ^ 1<<63 }
func unsigned(r uint64) int64 { return int64(r ^ 1<<63) }

// ranker returns the function that ranks rows. It may return false instead when the rank is surely above worst.
func (s *Snapshot) ranker(f *Filter, q *query, o Order) func(r uint32, worst uint64) (uint64, bool) {
	switch o {
	case ByDistance:
		near := *f.Near
		return func(r uint32, worst uint64) (uint64, bool) {
			if s.ptAt[r] == s.ptAt[r+1] {
				return lastRank, true
			}
			// A degree of latitude is never shorter than this, which spares most of the sines.
			const metres = earthRadius * math.Pi / 180 * (1 - 1e-12)
			limit, best := math.Inf(1), math.Inf(1)
			if worst != lastRank {
				limit = math.Float64frombits(worst)
			}
			for p := s.ptAt[r]; p < s.ptAt[r+1]; p++ {
				pt := s.pts[p].point()
				if math.Abs(pt[1]-near[1])*metres <= min(limit, best) {
					best = min(best, sphere(near, pt))
				}
			}
			return math.Float64bits(best), !math.IsInf(best, 1)
		}
	case ByStart:
		since := q.current
		if q.timed {
			since = max(since, q.from)
		}
		return func(r uint32, _ uint64) (uint64, bool) {
			for _, sp := range s.rowSpans(r) {
				if sp.end > since {
					return signed(sp.start), true
				}
			}
			return lastRank, true
		}
	case ByUpdated:
		return func(r uint32, _ uint64) (uint64, bool) { return ^uint64(s.info[r].updated), true }
	case ByOnly:
		at := make(map[uint32]uint64, len(f.Only))
		for i, want := range f.Only {
			if packed, err := packID(want); err == nil {
				s.versions(packed, func(r uint32) {
					if _, ok := at[r]; !ok {
						at[r] = uint64(i)
					}
				})
			}
		}
		return func(r uint32, _ uint64) (uint64, bool) { return at[r], true }
	}
	return func(r uint32, _ uint64) (uint64, bool) {
		var first [8]byte
		copy(first[:], s.foldedName(&s.info[r]))
		return binary.BigEndian.Uint64(first[:]), true
	}
}

// maxSortName is how much of a name sorts, in bytes; it travels in Next.
const maxSortName = 96

func (s *Snapshot) sortName(r uint32) []byte {
	n := s.foldedName(&s.info[r])
	return n[:min(len(n), maxSortName)]
}

// token writes a place as Selection.Next.
func (p *place) token(page Page, f *Filter) string {
	b := []byte{byte(page.Order)}
	b = binary.BigEndian.AppendUint32(b, listSum(page, f))
	b = binary.BigEndian.AppendUint64(b, p.rank)
	b = append(append(b, p.id[:]...), p.name...)
	return base64.RawURLEncoding.EncodeToString(b)
}

// listSum tells lists apart whose places mean something else.
func listSum(page Page, f *Filter) uint32 {
	if page.Order != ByDistance {
		return 0
	}
	return uint32(sumInt(math.Float64bits(f.Near[0]), math.Float64bits(f.Near[1])))
}

func parseAfter(page Page, f *Filter) (*place, error) {
	const head = 1 + 4 + 8
	b, err := base64.RawURLEncoding.DecodeString(page.After)
	var p place
	if err != nil || len(b) < head+len(p.id) || len(b) > head+len(p.id)+maxSortName {
		return nil, invalid("after: not the end of a page")
	}
	if Order(b[0]) != page.Order || binary.BigEndian.Uint32(b[1:]) != listSum(page, f) {
		return nil, invalid("after: the end of a page of another list")
	}
	p.rank = binary.BigEndian.Uint64(b[5:])
	copy(p.id[:], b[head:])
	p.name = b[head+len(p.id):]
	if page.Order == ByOnly {
		i := slices.IndexFunc(f.Only, func(d directory.ID) bool {
			packed, err := packID(d)
			return err == nil && packed == p.id
		})
		if i >= 0 {
			p.rank = uint64(i)
		} else {
			p.id, p.name = id{}, nil // what was next has its rank now
		}
	}
	return &p, nil
}

// heap keeps the places that come first, the last of them on top.
type heap []place

func (h *heap) push(p place) {
	*h = append(*h, p)
	a := *h
	for i := len(a) - 1; i > 0; {
		up := (i - 1) / 2
		if a[up].compare(&a[i]) >= 0 {
			return
		}
		a[up], a[i] = a[i], a[up]
		i = up
	}
}

func (h heap) down(i int) {
	for {
		c := 2*i + 1
		if c >= len(h) {
			return
		}
		if c+1 < len(h) && h[c+1].compare(&h[c]) > 0 {
			c++
		}
		if h[i].compare(&h[c]) >= 0 {
			return
		}
		h[i], h[c] = h[c], h[i]
		i = c
	}
}
