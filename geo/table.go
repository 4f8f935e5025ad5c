package geo

import (
	"encoding/binary"
	"hash/maphash"
	"iter"
	"math"
	"math/bits"
	"slices"
	"strings"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"archipel/directory"

	"github.com/paulmach/orb"
)

// A table holds entries as columns that only grow: a changed entry is a new row, and the old one is marked as dead.
// Readers hold a copy of the struct, which shows them the rows that were there when it was made. Only the writer
// appends, and dead and slots are the only memory that it changes under the readers' eyes, atomically.
type table struct {
	ids   []id
	kind  []uint8
	info  []info
	dead  []uint32 // atomic: 0, or the snapshot's number from which on the row is gone
	grams []uint64 // see gramsOf
	lists []uint32 // n+1 ends: lists[r]:lists[r+1] are row r's, in these three columns of columns
	cats  []uint32 // ids of categories, the main one first
	tagAt []uint32
	tags  []uint32
	ptAt  []uint32
	pts   []fixed
	ptRow []uint32
	spnAt []uint32
	spans []span
	hours []uint32 // number of the opening hours
	text  []byte   // slug, name, and words: the folded name, tags and town

	slots []uint32 // open hash table of every row by id; atomic
	seed  maphash.Seed

	kinds, categories, tagNames, origins names
	hourly                               hourly
}

// info is the part of a row that filters seldom look at.
type info struct {
	sum                        uint64 // hash of everything the row says
	text                       uint32 // where its text starts, in units of textUnit bytes
	updated                    uint32 // Unix seconds, until 2106
	origin                     uint32
	slugLen, nameLen, wordsLen uint16
	foldLen                    uint16 // how much of the words is the name
	seen                       uint16 // days since 1970, until 2149; 0: it never fades
	approximate                bool
}

// textUnit lets 32 bits say where a text is in 16 GB of them.
const textUnit = 4

// fixed is a [longitude, latitude] in units of 1e-7 degrees, which is a centimetre: a position with seven decimals is
// kept as it is.
type fixed struct{ lon, lat int32 }

func fix(p orb.Point) fixed {
	return fixed{int32(math.Round(p[0] * 1e7)), int32(math.Round(p[1] * 1e7))}
}

func (f fixed) point() orb.Point { return orb.Point{float64(f.lon) / 1e7, float64(f.lat) / 1e7} }

// span is a date of an event in Unix seconds, end excluded, and the days that it touches where it takes place.
type span struct {
	start, end int64
	day        Day
	more       uint16 // days after the first
	off        bool   // it is cancelled
}

// names numbers strings. It only grows: the words of entries that are gone stay until the process ends, which is
// bounded by what was ever published.
type names struct {
	list []string
	ids  map[string]uint32 // the writer's
}

func (n *names) id(s string) uint32 {
	if i, ok := n.ids[s]; ok {
		return i
	}
	i := uint32(len(n.list))
	s = strings.Clone(s) // it may be part of something large
	n.list = append(n.list, s)
	n.ids[s] = i
	return i
}

// find returns the number of a string without touching the writer's map.
func (n *names) find(s string) (uint32, bool) {
	i := slices.Index(n.list, s)
	return uint32(i), i >= 0
}

func newTable() table {
	t := table{seed: maphash.MakeSeed(), lists: []uint32{0}, tagAt: []uint32{0}, ptAt: []uint32{0}, spnAt: []uint32{0}}
	for _, n := range []*names{&t.kinds, &t.categories, &t.tagNames, &t.origins} {
		n.ids = map[string]uint32{}
	}
	t.origins.id("") // ours is number 0
	t.hourly = newHourly()
	t.slots = make([]uint32, 64)
	return t
}

// maxText bounds each text of a row: a marker does not carry more, whatever an entry says.
const maxText = 4096

func clip(s string) string {
	if len(s) <= maxText {
		return s
	}
	end := maxText
	for end > 0 && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end]
}

// prepared is the costly part of an item, which can be made on several processors.
type prepared struct {
	words []byte
	fold  int
	id    id
	grams uint64
	sum   uint64
	key   uint64 // of the first point
}

// prepare appends the item's words to buf, which the result shares.
func prepare(it *Item, buf []byte) (p prepared, after []byte) {
	p.id, _ = packID(it.ID)
	start := len(buf)
	buf = clipFold(buf, it.Name)
	p.fold = len(buf) - start
	for _, t := range it.Tags {
		if len(buf)-start > 2*maxText {
			break
		}
		buf = clipFold(append(buf, '\n'), t)
	}
	buf = clipFold(append(buf, '\n'), it.Town)
	p.words = buf[start:len(buf):len(buf)]
	p.grams = gramsOf(p.words)

	h := sumInt(sumInt(1, binary.LittleEndian.Uint64(p.id[:])), binary.LittleEndian.Uint64(p.id[8:]))
	h = sumString(sumString(sumString(sumString(sumString(h, string(it.Kind)), it.Slug), it.Name), it.Town), it.Origin)
	h = sumStrings(sumStrings(h, it.Categories), it.Tags)
	for i, pt := range it.Points {
		at := fix(pt)
		if i == 0 {
			p.key = keyOf(at.point())
		}
		h = sumInt(h, uint64(uint32(at.lon))|uint64(uint32(at.lat))<<32)
	}
	for _, s := range it.Times {
		h = sumInt(sumInt(h, uint64(s.Start.Unix())), uint64(s.End.Unix()))
		h = sumString(h, string(s.State))
	}
	if it.Hours != "" {
		h = sumInt(sumString(h, it.Hours), sumHolidays(it.Holidays))
	}
	h = sumInt(sumInt(h, uint64(it.Updated.Unix())), uint64(dayStamp(it.Seen)))
	if it.Approximate {
		h = sumInt(h, 1)
	}
	p.sum = h
	return p, buf
}

// clipFold appends the folded text. A search never matches across the line breaks between texts.
func clipFold(b []byte, s string) []byte {
	start := len(b)
	b = appendFold(b, s)
	return b[:min(len(b), start+maxText)]
}

// gramsOf is a signature of the pairs of neighbouring bytes in b: a text can contain another only if its signature
// contains the other's.
func gramsOf(b []byte) (g uint64) {
	for i := 1; i < len(b); i++ {
		g |= 1 << ((uint32(b[i-1])*31 + uint32(b[i])*7) * 2654435761 >> 26)
	}
	return g
}

// add appends a row for an item, and returns the row of the same entry that was alive until now, if any.
func (t *table) add(it *Item, p *prepared) (older uint32, found bool) {
	row := uint32(len(t.ids))
	if 2*len(t.ids)+2 > len(t.slots) {
		t.rehash(3*len(t.ids) + 2)
	}
	slug, name := clip(it.Slug), clip(it.Name)
	in := info{
		text: t.addText([]byte(slug), []byte(name), p.words), updated: stamp(it.Updated), sum: p.sum, seen: dayStamp(it.Seen), approximate: it.Approximate,
		origin: t.origins.id(it.Origin), slugLen: uint16(len(slug)), nameLen: uint16(len(name)),
		foldLen: uint16(p.fold), wordsLen: uint16(len(p.words)),
	}

	t.ids = append(t.ids, p.id)
	t.kind = append(t.kind, uint8(t.kinds.id(string(it.Kind))))
	t.info = append(t.info, in)
	t.dead = append(t.dead, 0)
	t.grams = append(t.grams, p.grams)
	t.hours = append(t.hours, t.hourly.id(it))
	t.cats = appendUnique(t.cats, int(t.lists[row]), it.Categories, &t.categories)
	t.lists = append(t.lists, uint32(len(t.cats)))
	t.tags = appendUnique(t.tags, int(t.tagAt[row]), it.Tags, &t.tagNames)
	t.tagAt = append(t.tagAt, uint32(len(t.tags)))
	for _, pt := range it.Points {
		t.pts = append(t.pts, fix(pt))
		t.ptRow = append(t.ptRow, row)
	}
	t.ptAt = append(t.ptAt, uint32(len(t.pts)))
	for _, s := range it.Times {
		sp := span{start: s.Start.Unix(), end: s.End.Unix(), off: s.State == directory.Cancelled}
		sp.day, sp.more = daysOf(s)
		if sp.end <= sp.start {
			sp.end = sp.start + 1
		}
		t.spans = append(t.spans, sp)
	}
	t.spnAt = append(t.spnAt, uint32(len(t.spans)))
	return t.place(row)
}

func appendUnique(to []uint32, from int, list []string, n *names) []uint32 {
	for _, s := range list {
		if v := n.id(s); !slices.Contains(to[from:], v) {
			to = append(to, v)
		}
	}
	return to
}

// The hash table holds row+1 and, above it, some bits of the hash, so that most rows of other entries need not be looked
// at. It is never more than half full.
const (
	rowBits = 27
	maxRows = 1<<rowBits - 2
	rowMask = 1<<rowBits - 1
)

func (t *table) hash(i *id) (at int, tag uint32) {
	h := maphash.Bytes(t.seed, i[:])
	return int(h) & (len(t.slots) - 1), uint32(h>>32) &^ rowMask
}

// rehash makes a hash table of at least n slots for the rows that there are.
func (t *table) rehash(n int) {
	t.slots = make([]uint32, 1<<bits.Len(uint(n-1)))
	for r := range t.ids {
		t.place(uint32(r))
	}
}

// place enters a row into the hash table, and returns the row of the same entry that was alive until now, if any.
func (t *table) place(row uint32) (older uint32, found bool) {
	at, tag := t.hash(&t.ids[row])
	for {
		slot := atomic.LoadUint32(&t.slots[at])
		if slot == 0 {
			atomic.StoreUint32(&t.slots[at], tag|(row+1))
			return older, found
		}
		if r := slot&rowMask - 1; slot&^rowMask == tag && t.ids[r] == t.ids[row] && t.dead[r] == 0 {
			older, found = r, true
		}
		at = (at + 1) & (len(t.slots) - 1)
	}
}

// versions calls fn with every row of an entry that this copy of the table shows, dead ones too.
func (t *table) versions(i id, fn func(row uint32)) {
	at, tag := t.hash(&i)
	for ; ; at = (at + 1) & (len(t.slots) - 1) {
		slot := atomic.LoadUint32(&t.slots[at])
		if slot == 0 {
			return
		}
		if r := slot&rowMask - 1; slot&^rowMask == tag && int(r) < len(t.ids) && t.ids[r] == i {
			fn(r)
		}
	}
}

// addText stores texts one after the other and returns where, for info.text.
func (t *table) addText(slug, name, words []byte) uint32 {
	for len(t.text)%textUnit != 0 {
		t.text = append(t.text, 0)
	}
	at := len(t.text) / textUnit
	t.text = append(append(append(t.text, slug...), name...), words...)
	return uint32(at)
}

// stamp returns Unix seconds from 1970 to 2106, and the nearest of these for any other time.
func stamp(t time.Time) uint32 { return uint32(min(max(t.Unix(), 0), math.MaxUint32)) }

// dayStamp is the day of t in UTC, 0 for the zero time.
func dayStamp(t time.Time) uint16 { return uint16(min(max(t.Unix()/86400, 0), math.MaxUint16)) }

func (t *table) kill(row, at uint32) { atomic.StoreUint32(&t.dead[row], at) }

func (t *table) aliveAt(row, at uint32) bool {
	d := atomic.LoadUint32(&t.dead[row])
	return d == 0 || d > at
}

func (t *table) rowCats(r uint32) []uint32 { return t.cats[t.lists[r]:t.lists[r+1]] }
func (t *table) rowTags(r uint32) []uint32 { return t.tags[t.tagAt[r]:t.tagAt[r+1]] }
func (t *table) rowSpans(r uint32) []span  { return t.spans[t.spnAt[r]:t.spnAt[r+1]] }
func (t *table) category(r uint32) uint32  { return mainOf(t.rowCats(r)) }
func (t *table) slug(in *info) []byte      { return t.part(in, 0, in.slugLen) }
func (t *table) name(in *info) []byte      { return t.part(in, int(in.slugLen), in.nameLen) }
func (t *table) words(in *info) []byte {
	return t.part(in, int(in.slugLen)+int(in.nameLen), in.wordsLen)
}
func (t *table) foldedName(in *info) []byte { return t.words(in)[:in.foldLen] }

func (t *table) part(in *info, from int, n uint16) []byte {
	at := int(in.text)*textUnit + from
	return t.text[at : at+int(n)]
}

// rowPts ranges over the sites of a row.
func (t *table) rowPts(r uint32) iter.Seq2[int, orb.Point] {
	return func(yield func(int, orb.Point) bool) {
		for i, p := range t.pts[t.ptAt[r]:t.ptAt[r+1]] {
			if !yield(i, p.point()) {
				return
			}
		}
	}
}

// end returns when the last date of an event ends, or maxTime for what has no time.
func (t *table) end(r uint32) int64 {
	end := int64(maxTime)
	for i, sp := range t.rowSpans(r) {
		if i == 0 || sp.end > end {
			end = sp.end
		}
	}
	return end
}

// noCategory stands for an entry without any.
const noCategory = ^uint32(0)

func mainOf(cats []uint32) uint32 {
	if len(cats) == 0 {
		return noCategory
	}
	return cats[0]
}

// sum functions mix what a row says into 64 bits. They are the same in every process, so that several nodes with the
// same entries make the same ETags.
func sumInt(h, v uint64) uint64 {
	hi, lo := bits.Mul64(h^v^0x9e3779b97f4a7c15, 0xd6e8feb86659fd93)
	return hi ^ lo + 0x632be59bd9b4e019
}

func sumStrings(h uint64, list []string) uint64 {
	h = sumInt(h, uint64(len(list)))
	for _, s := range list {
		h = sumString(h, s)
	}
	return h
}

func sumString(h uint64, s string) uint64 {
	h = sumInt(h, uint64(len(s)))
	for len(s) >= 8 {
		h = sumInt(h, uint64(s[0])|uint64(s[1])<<8|uint64(s[2])<<16|uint64(s[3])<<24|
			uint64(s[4])<<32|uint64(s[5])<<40|uint64(s[6])<<48|uint64(s[7])<<56)
		s = s[8:]
	}
	var v uint64
	for i := range len(s) {
		v |= uint64(s[i]) << (8 * i)
	}
	return sumInt(h, v)
}
