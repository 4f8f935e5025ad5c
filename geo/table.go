package geo

import (
	"encoding/binary"
	"hash/maphash"
	"math"
	"math/bits"
	"slices"
	"sync/atomic"
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
	dead  []uint64 // atomic: 0, or the snapshot's number from which on the row is gone
	grams []uint64 // see gramsOf
	lists []uint32 // n+1 ends: lists[r]:lists[r+1] are row r's, in these three columns of columns
	cats  []uint32 // ids of categories, the main one first
	tagAt []uint32
	tags  []uint32
	ptAt  []uint32
	pts   []orb.Point
	ptRow []uint32
	spnAt []uint32
	spans []span
	text  []byte // slug, name, town, and words: the folded name, tags and town

	slots []uint32 // open hash table of row+1 by id, every version of an entry; atomic
	seed  maphash.Seed

	kinds, categories, tagNames, origins names
}

// info is the part of a row that filters seldom look at.
type info struct {
	text                                uint64 // where its text starts
	name                                uint64 // first 8 bytes of the folded name, big-endian
	updated                             int64  // Unix seconds
	sum                                 uint64 // hash of everything the row says
	origin                              uint32
	slugLen, nameLen, townLen, wordsLen uint16
	foldLen                             uint16 // how much of the words is the name
	approximate                         bool
}

// span is a date of an event in Unix seconds, end excluded.
type span struct{ start, end int64 }

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
	id    id
	words []byte
	fold  int
	grams uint64
	sum   uint64
	key   uint64 // of the first point
}

func prepare(it *Item) (p prepared) {
	p.id, _ = packID(it.ID)
	name := clip(directory.Fold(it.Name))
	p.words = make([]byte, 0, len(name)+len(it.Town)+2)
	p.words = append(p.words, name...)
	p.fold = len(name)
	for _, t := range it.Tags {
		p.words = appendWords(p.words, t)
	}
	p.words = appendWords(p.words, it.Town)
	p.grams = gramsOf(p.words)

	h := sumBytes(1, p.id[:])
	for _, s := range []string{string(it.Kind), it.Slug, it.Name, it.Town, it.Origin} {
		h = sumString(h, s)
	}
	for _, list := range [][]string{it.Categories, it.Tags} {
		h = sumInt(h, uint64(len(list)))
		for _, s := range list {
			h = sumString(h, s)
		}
	}
	for i, pt := range it.Points {
		if i == 0 {
			p.key = keyOf(pt)
		}
		h = sumInt(sumInt(h, math.Float64bits(pt[0])), math.Float64bits(pt[1]))
	}
	for _, s := range it.Times {
		h = sumInt(sumInt(h, uint64(s.Start.Unix())), uint64(s.End.Unix()))
	}
	h = sumInt(h, uint64(it.Updated.Unix()))
	if it.Approximate {
		h = sumInt(h, 1)
	}
	p.sum = h
	return p
}

// appendWords adds folded text to words, apart from what is there: a search never matches across the line break.
func appendWords(words []byte, s string) []byte {
	if s == "" || len(words) > 2*maxText {
		return words
	}
	return append(append(words, '\n'), clip(directory.Fold(s))...)
}

// gramsOf is a signature of the pairs of neighbouring bytes in b: a text can contain another only if its signature
// contains the other's.
func gramsOf(b []byte) (g uint64) {
	for i := 1; i < len(b); i++ {
		g |= 1 << ((uint32(b[i-1])*31 + uint32(b[i])*7) * 2654435761 >> 26)
	}
	return g
}

// add appends a row for it.
func (t *table) add(it *Item, p *prepared) (row uint32) {
	row = uint32(len(t.ids))
	in := info{
		text: uint64(len(t.text)), updated: it.Updated.Unix(), sum: p.sum, approximate: it.Approximate,
		origin: t.origins.id(it.Origin), foldLen: uint16(p.fold), wordsLen: uint16(len(p.words)),
	}
	var first [8]byte
	copy(first[:], p.words[:p.fold])
	in.name = binary.BigEndian.Uint64(first[:])
	slug, name, town := clip(it.Slug), clip(it.Name), clip(it.Town)
	in.slugLen, in.nameLen, in.townLen = uint16(len(slug)), uint16(len(name)), uint16(len(town))
	t.text = append(append(append(append(t.text, slug...), name...), town...), p.words...)

	t.ids = append(t.ids, p.id)
	t.kind = append(t.kind, uint8(t.kinds.id(string(it.Kind))))
	t.info = append(t.info, in)
	t.dead = append(t.dead, 0)
	t.grams = append(t.grams, p.grams)
	t.cats = appendUnique(t.cats, int(t.lists[row]), it.Categories, &t.categories)
	t.lists = append(t.lists, uint32(len(t.cats)))
	t.tags = appendUnique(t.tags, int(t.tagAt[row]), it.Tags, &t.tagNames)
	t.tagAt = append(t.tagAt, uint32(len(t.tags)))
	for _, pt := range it.Points {
		t.pts = append(t.pts, pt)
		t.ptRow = append(t.ptRow, row)
	}
	t.ptAt = append(t.ptAt, uint32(len(t.pts)))
	for _, s := range it.Times {
		sp := span{s.Start.Unix(), s.End.Unix()}
		if sp.end <= sp.start {
			sp.end = sp.start + 1
		}
		t.spans = append(t.spans, sp)
	}
	t.spnAt = append(t.spnAt, uint32(len(t.spans)))
	t.link(row)
	return row
}

func appendUnique(to []uint32, from int, list []string, n *names) []uint32 {
	for _, s := range list {
		if v := n.id(s); !slices.Contains(to[from:], v) {
			to = append(to, v)
		}
	}
	return to
}

// link enters a row into the hash table.
func (t *table) link(row uint32) {
	if len(t.ids)*2 > len(t.slots) {
		t.rehash(len(t.ids) * 3)
		return
	}
	t.place(row)
}

// rehash makes a hash table of at least n slots for the rows that there are.
func (t *table) rehash(n int) {
	t.slots = make([]uint32, 1<<bits.Len(uint(n-1)))
	for r := range t.ids {
		t.place(uint32(r))
	}
}

func (t *table) place(row uint32) {
	mask := len(t.slots) - 1
	at := int(maphash.Bytes(t.seed, t.ids[row][:])) & mask
	for atomic.LoadUint32(&t.slots[at]) != 0 {
		at = (at + 1) & mask
	}
	atomic.StoreUint32(&t.slots[at], row+1)
}

// versions calls fn with every row of an entry that this copy of the table shows, dead ones too.
func (t *table) versions(i id, fn func(row uint32)) {
	mask := len(t.slots) - 1
	for at := int(maphash.Bytes(t.seed, i[:])) & mask; ; at = (at + 1) & mask {
		row := atomic.LoadUint32(&t.slots[at])
		if row == 0 {
			return
		}
		if row--; int(row) < len(t.ids) && t.ids[row] == i {
			fn(row)
		}
	}
}

func (t *table) kill(row uint32, at uint64) { atomic.StoreUint64(&t.dead[row], at) }

func (t *table) aliveAt(row uint32, at uint64) bool {
	d := atomic.LoadUint64(&t.dead[row])
	return d == 0 || d > at
}

func (t *table) rowCats(r uint32) []uint32    { return t.cats[t.lists[r]:t.lists[r+1]] }
func (t *table) rowTags(r uint32) []uint32    { return t.tags[t.tagAt[r]:t.tagAt[r+1]] }
func (t *table) rowPts(r uint32) []orb.Point  { return t.pts[t.ptAt[r]:t.ptAt[r+1]] }
func (t *table) rowSpans(r uint32) []span     { return t.spans[t.spnAt[r]:t.spnAt[r+1]] }
func (t *table) slug(in *info) []byte         { return t.text[in.text : in.text+uint64(in.slugLen)] }
func (t *table) foldedName(in *info) []byte   { return t.words(in)[:in.foldLen] }
func (t *table) category(r uint32) (c uint32) { return mainOf(t.rowCats(r)) }

func (t *table) name(in *info) []byte {
	at := in.text + uint64(in.slugLen)
	return t.text[at : at+uint64(in.nameLen)]
}

func (t *table) words(in *info) []byte {
	at := in.text + uint64(in.slugLen) + uint64(in.nameLen) + uint64(in.townLen)
	return t.text[at : at+uint64(in.wordsLen)]
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

func sumBytes(h uint64, b []byte) uint64 { return sumString(h, string(b)) }

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
