package geo

import (
	"encoding/binary"
	"math/bits"
)

// A layer writes one layer of points of a Mapbox Vector Tile 2.1, which is a Protocol Buffers message.
type layer struct {
	name     string
	keys     []string
	features []byte
	values   []byte
	count    int // features
	nvalues  uint64
	known    []known
	id       uint64
	tags     []byte
}

// known is a value that features share.
type known struct{ what, index uint64 }

const (
	extentBits = 12
	extent     = 1 << extentBits
)

func (l *layer) reset(name string, keys []string) {
	l.name, l.keys, l.count, l.nvalues = name, keys, 0, 0
	l.features, l.values, l.known = l.features[:0], l.values[:0], l.known[:0]
}

// begin starts a feature; id 0 means that it has none.
func (l *layer) begin(id uint64) { l.id, l.tags = id, l.tags[:0] }

func (l *layer) tag(key int, value uint64) {
	l.tags = binary.AppendUvarint(append(l.tags, byte(key)), value)
}

func (l *layer) text(key int, s []byte) {
	n := uint64(len(s))
	l.values = append(l.values, 0x22) // Layer.values
	l.values = binary.AppendUvarint(l.values, 1+varintLen(n)+n)
	l.values = append(binary.AppendUvarint(append(l.values, 0x0a), n), s...) // Value.string_value
	l.tag(key, l.nvalues)
	l.nvalues++
}

func (l *layer) number(key int, v uint64) {
	if i, ok := l.find(2<<62 | v); ok {
		l.tag(key, i)
		return
	}
	l.values = append(l.values, 0x22, byte(1+varintLen(v)), 0x28) // Value.uint_value
	l.values = binary.AppendUvarint(l.values, v)
	l.tag(key, l.nvalues)
	l.nvalues++
}

func (l *layer) yes(key int) {
	i, ok := l.find(1 << 62)
	if !ok {
		l.values = append(l.values, 0x22, 2, 0x38, 1) // Value.bool_value
		l.nvalues++
	}
	l.tag(key, i)
}

// shared writes a text that other features may have too; what tells it from others.
func (l *layer) shared(key int, what uint64, s string) {
	if i, ok := l.find(what); ok {
		l.tag(key, i)
		return
	}
	l.text(key, []byte(s))
}

// find returns the index of a value that is there, or notes that it comes next.
func (l *layer) find(what uint64) (index uint64, ok bool) {
	for _, k := range l.known {
		if k.what == what {
			return k.index, true
		}
	}
	l.known = append(l.known, known{what, l.nvalues})
	return l.nvalues, false
}

// end finishes the feature as a point.
func (l *layer) end(x, y uint32) {
	zx, zy := uint64(x)<<1, uint64(y)<<1 // zigzag
	geometry := 1 + varintLen(zx) + varintLen(zy)
	n := uint64(len(l.tags))
	size := 1 + varintLen(n) + n + 2 + 1 + varintLen(geometry) + geometry
	if l.id != 0 {
		size += 1 + varintLen(l.id)
	}
	b := binary.AppendUvarint(append(l.features, 0x12), size) // Layer.features
	if l.id != 0 {
		b = binary.AppendUvarint(append(b, 0x08), l.id)
	}
	b = append(binary.AppendUvarint(append(b, 0x12), n), l.tags...)
	b = append(b, 0x18, 1) // type: POINT
	b = binary.AppendUvarint(append(b, 0x22), geometry)
	b = append(b, 9) // MoveTo, once
	l.features = binary.AppendUvarint(binary.AppendUvarint(b, zx), zy)
	l.count++
}

// body returns the length of the layer's message.
func (l *layer) body() uint64 {
	n := 2 + 1 + varintLen(uint64(len(l.name))) + uint64(len(l.name)) + uint64(len(l.features)+len(l.values)) + 1 + varintLen(extent)
	for _, k := range l.keys {
		n += 1 + varintLen(uint64(len(k))) + uint64(len(k))
	}
	return n
}

func (l *layer) size() int {
	if l.count == 0 {
		return 0
	}
	n := l.body()
	return int(1 + varintLen(n) + n)
}

// appendTo writes the layer, or nothing when it is empty.
func (l *layer) appendTo(b []byte) []byte {
	if l.count == 0 {
		return b
	}
	b = binary.AppendUvarint(append(b, 0x1a), l.body()) // Tile.layers
	b = append(b, 0x78, 2)                              // version
	b = append(binary.AppendUvarint(append(b, 0x0a), uint64(len(l.name))), l.name...)
	b = append(b, l.features...)
	for _, k := range l.keys {
		b = append(binary.AppendUvarint(append(b, 0x1a), uint64(len(k))), k...)
	}
	b = append(b, l.values...)
	return binary.AppendUvarint(append(b, 0x28), extent)
}

// varintLen returns how many bytes a number takes.
func varintLen(v uint64) uint64 { return uint64(bits.Len64(v|1)+6) / 7 }
