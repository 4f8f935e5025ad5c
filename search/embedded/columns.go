package embedded

import (
	"math"
	"time"

	"github.com/paulmach/orb"

	"archipel/directory"
	"archipel/search"
)

// columns hold in memory what entries are filtered, sorted and counted by, one row each. A row's number (its ord)
// belongs to its entry as long as the columns live, also when the entry comes and goes.
type columns struct {
	ords map[directory.ID]uint32
	rows []row
	head []float64 // by row: the first letters of its key as a number, +Inf when it is dead
	live int       // rows that can be found

	kinds [4]int // how many live rows have each kind
	cats  values
	tags  values
	zones values
	towns map[string]string // the same text once
}

type row struct {
	id    directory.ID
	key   string // search.Key of the name
	set   []uint32
	sites sites
	extra *extra
	upd   int64 // Unix seconds

	live             bool
	kind             uint8
	ncat, ntag, nzon uint8 // set holds categories, tags and zones, in this order
}

// extra is what few entries have.
type extra struct {
	more     []orb.Point // sites after the first
	schedule *directory.Schedule
}

type sites struct {
	first orb.Point
	any   bool
}

// values gives numbers to the values of a column and counts them.
type values struct {
	ids    map[string]uint32
	names  []string // as first seen
	counts []int    // of live rows
	labels [][]string
}

func (v *values) id(key, name string) uint32 {
	if id, ok := v.ids[key]; ok {
		return id
	}
	if v.ids == nil {
		v.ids = map[string]uint32{}
	}
	id := uint32(len(v.names))
	v.ids[key] = id
	v.names = append(v.names, name)
	v.counts = append(v.counts, 0)
	return id
}

func newColumns() *columns {
	return &columns{ords: map[directory.ID]uint32{}, towns: map[string]string{}}
}

// ord returns the row of an entry, a new dead one if need be.
func (c *columns) ord(id directory.ID) uint32 {
	if o, ok := c.ords[id]; ok {
		return o
	}
	o := uint32(len(c.rows))
	c.ords[id] = o
	c.rows = append(c.rows, row{id: id})
	c.head = append(c.head, math.Inf(1))
	return o
}

func (c *columns) count(r *row, by int) {
	c.live += by
	c.kinds[r.kind] += by
	for _, v := range r.cats() {
		c.cats.counts[v] += by
	}
	for _, v := range r.tags() {
		c.tags.counts[v] += by
	}
}

func (r *row) cats() []uint32  { return r.set[:r.ncat] }
func (r *row) tags() []uint32  { return r.set[r.ncat : r.ncat+r.ntag] }
func (r *row) zones() []uint32 { return r.set[int(r.ncat)+int(r.ntag):] }

func (r *row) positions(buf []orb.Point) []orb.Point {
	buf = buf[:0]
	if r.sites.any {
		buf = append(buf, r.sites.first)
	}
	if r.extra != nil {
		buf = append(buf, r.extra.more...)
	}
	return buf
}

func (r *row) schedule() *directory.Schedule {
	if r.extra == nil {
		return nil
	}
	return r.extra.schedule
}

// drop makes an entry impossible to find.
func (c *columns) drop(id directory.ID) {
	o, ok := c.ords[id]
	if !ok || !c.rows[o].live {
		return
	}
	r := &c.rows[o]
	c.count(r, -1)
	*r = row{id: r.id}
	c.head[o] = math.Inf(1)
}

// put makes a document possible to find.
func (c *columns) put(d *search.Document, tax search.Taxonomy) {
	c.drop(d.ID)
	o := c.ord(d.ID)
	r := &c.rows[o]
	r.live, r.kind, r.key, r.upd = true, kindNumber(d.Kind), search.Key(d.Name), d.Updated.Unix()
	c.head[o] = head(r.key)
	distinct := func(v *values, list []string, fold bool) uint8 {
		from := len(r.set)
	next:
		for _, s := range list {
			key := s
			if fold {
				if key = directory.Fold(s); key == "" {
					continue
				}
			}
			id := v.id(key, s)
			for _, have := range r.set[from:] {
				if have == id {
					continue next
				}
			}
			if len(r.set)-from < 255 {
				r.set = append(r.set, id)
			}
		}
		return uint8(len(r.set) - from)
	}
	r.set = make([]uint32, 0, len(d.Under)+len(d.Tags)+len(d.Zones))
	r.ncat = distinct(&c.cats, d.Under, false)
	r.ntag = distinct(&c.tags, d.Tags, true)
	r.nzon = distinct(&c.zones, d.Zones, false)
	for i := len(c.cats.labels); i < len(c.cats.names); i++ {
		c.cats.labels = append(c.cats.labels, search.NameKeys(tax, c.cats.names[i]))
	}
	if len(d.Sites) > 0 {
		r.sites = sites{d.Sites[0], true}
	}
	if len(d.Sites) > 1 || d.Schedule != nil {
		r.extra = &extra{schedule: d.Schedule}
		if len(d.Sites) > 1 {
			r.extra.more = d.Sites[1:]
		}
	}
	c.count(r, 1)
}

// head is the first six bytes of a key, which a float64 holds exactly.
func head(key string) float64 {
	var n uint64
	for i := range 6 {
		n <<= 8
		if i < len(key) {
			n |= uint64(key[i])
		}
	}
	return float64(n)
}

func kindNumber(k directory.Kind) uint8 {
	for i, have := range directory.Kinds {
		if k == have {
			return uint8(i)
		}
	}
	return 0
}

// filter is a Query's filters against these columns.
type filter struct {
	kinds            uint8 // bit per kind, 0 for any
	cats, tags, zons []bool
	hasCat, hasTag   bool
	hasZone          bool
	area             *search.Area
	everywhere       bool
	from, to         time.Time
	dated            bool
}

func (c *columns) filter(q *search.Query) *filter {
	f := &filter{area: search.NewArea(q), from: q.From, to: q.To}
	for _, k := range q.Kinds {
		f.kinds |= 1 << kindNumber(k)
	}
	pick := func(v *values, list []string, fold bool) ([]bool, bool) {
		if len(list) == 0 {
			return nil, false
		}
		set := make([]bool, len(v.names))
		for _, s := range list {
			if fold {
				s = directory.Fold(s)
			}
			if id, ok := v.ids[s]; ok {
				set[id] = true
			}
		}
		return set, true
	}
	f.cats, f.hasCat = pick(&c.cats, q.Categories, false)
	f.tags, f.hasTag = pick(&c.tags, q.Tags, true)
	f.zons, f.hasZone = pick(&c.zones, q.Zones, false)
	f.everywhere = f.area.Everywhere()
	f.dated = !q.From.IsZero() || !q.To.IsZero()
	return f
}

// none reports whether every live row passes.
func (f *filter) none() bool {
	return f.kinds == 0 && !f.hasCat && !f.hasTag && !f.hasZone && f.everywhere && !f.dated
}

func anyOf(set []bool, ids []uint32) bool {
	for _, id := range ids {
		if int(id) < len(set) && set[id] {
			return true
		}
	}
	return false
}

// Which of a filter's three dimensions a row passes.
const (
	passKind = 1 << iota
	passCat
	passTag
	passAll = passKind | passCat | passTag
)

// test says which dimensions r passes; ok is false when it is dead, or outside the area, the zones or the dates.
func (f *filter) test(r *row) (pass uint8, ok bool) {
	if !r.live {
		return 0, false
	}
	if f.kinds == 0 || f.kinds&(1<<r.kind) != 0 {
		pass |= passKind
	}
	if !f.hasCat || anyOf(f.cats, r.cats()) {
		pass |= passCat
	}
	if !f.hasTag || anyOf(f.tags, r.tags()) {
		pass |= passTag
	}
	if pass == 0 {
		return 0, false
	}
	if f.hasZone && !anyOf(f.zons, r.zones()) {
		return 0, false
	}
	if !f.everywhere {
		in := r.sites.any && f.area.Contains(r.sites.first)
		if !in && r.extra != nil {
			in = f.area.ContainsAny(r.extra.more)
		}
		if !in {
			return 0, false
		}
	}
	if f.dated {
		if _, ok := search.Next(r.schedule(), f.from, f.to); !ok {
			return 0, false
		}
	}
	return pass, true
}
