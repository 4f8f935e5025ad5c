// Package gazdata holds the gazetteer's file format: what scripts/gazetteer
// writes and what the geocoder reads at start, and the folding that both use.
//
// # Format
//
// A gzip stream of: the 8 bytes "ARCHGAZ2"; a uvarint count of zones and each
// zone; a uvarint count of places and, column by column, each place's values; the
// names; the postal codes; the key order. Integers are uvarints (or zigzag
// varints where a difference is stored), strings are a uvarint length and that many UTF-8
// bytes. Positions are in 1e-5 degrees, radii in units of 100 m. The precise order is
// that of Encode and Decode, which mirror one another.
//
// Folded names are not stored: Decode folds the names again. The order of the
// keys is stored, so that starting does not sort half a million strings.
package gazdata

import "bytes"

// Kind says what a place or a zone of the gazetteer is.
type Kind uint8

// The kinds, from the smallest.
const (
	Village        Kind = iota // a settlement inside a commune: a delegated commune, a hamlet
	Arrondissement             // a district of Paris, Lyon or Marseille
	Commune                    // a French commune
	Town                       // a settlement outside France
	Departement
	Region
	Country
)

// Zone is an administrative area above the town.
type Zone struct {
	Code   string // "FR", "FR-ARA", "FR-42": see geocode.ZoneCode
	Number string // the national number: "84" for Auvergne-Rhône-Alpes, "42" for Loire
	Kind   Kind
	Parent int    // index of the parent zone, -1 for a country
	Names  []Name // the first is the official or local one
	Pop    uint32
	// Box is the extent [west, south, east, north] in degrees, computed from the
	// places inside and padded.
	Box [4]float64
}

// Name is a name in a language (BCP 47), or in none in particular.
type Name struct{ Lang, Text string }

// Place is a settlement, as the generator gives it.
type Place struct {
	Zone     int    // index of the département or, outside France, of the country
	ID       uint32 // GeoNames id, 0 when the place has no position of its own
	Insee    string // French commune code (COG), else empty
	Lon, Lat float64
	Pop      uint32
	Kind     Kind
	Approx   bool    // the position is estimated from the neighbours
	Radius   float64 // of the settlement and its surroundings, in metres
	Parent   int     // index of the commune that holds it, -1 when none
	Names    []string
	NameFR   int // index in Names of the French name, 0 when it is the first
	Post     []uint32
}

// Data is the gazetteer in memory: columns by place, and one sorted list of
// keys over the folded names. It is never changed after Decode.
type Data struct {
	Zones []Zone

	Zone   []uint16 // by place: index in Zones
	ID     []uint32
	Insee  []uint32 // base 36 of the code, 0 when none; see InseeText
	Lat    []int32  // 1e-5 degrees
	Lon    []int32
	Pop    []uint32
	Kind   []Kind
	Approx []bool
	Radius []uint16 // hundreds of metres
	Parent []uint32 // index+1 of the commune, 0 when none
	NameFR []uint8

	NameStart []uint32 // by owner (place, then zone): its first name; one more at the end
	Owner     []uint32 // by name: the place, or len(places)+zone
	text      string   // the names as they are written, end to end
	textOff   []uint32
	folded    []byte // the folded names, each ended by a zero byte
	foldOff   []uint32
	NameLang  []uint8 // by name of a zone: index in Langs

	KeyOff  []uint32 // by key, sorted: where it starts in the folded names
	KeyName []uint32 // by key: its name

	PostPlace []uint32 // (place, code) pairs in the order of places
	PostCode  []uint32
	PostStart []uint32 // by place: its first pair; one more at the end
	PostOrder []uint32 // the pairs in the order of codes
}

// Langs are the languages of the zones' names; "" is no language in particular.
var Langs = []string{"", "fr", "en", "de", "es", "it", "pt", "nl", "br", "oc", "eu", "ca"}

// Places is how many places there are.
func (d *Data) Places() int { return len(d.Zone) }

// Names is how many names there are, and Keys how many keys lead to them.
func (d *Data) Names() int { return len(d.Owner) }

// Text is a name as it is written.
func (d *Data) Text(name uint32) string { return d.text[d.textOff[name]:d.textOff[name+1]] }

// Folded is a name in its searchable form.
func (d *Data) Folded(name uint32) []byte {
	return d.folded[d.foldOff[name] : d.foldOff[name+1]-1]
}

// IsWord tells whether a key starts inside its name, at a later word.
func (d *Data) IsWord(key int) bool { return d.KeyOff[key] != d.foldOff[d.KeyName[key]] }

// Before is the part of the name before the key's word, empty when the key is
// the whole name.
func (d *Data) Before(key int) []byte {
	return d.folded[d.foldOff[d.KeyName[key]]:d.KeyOff[key]]
}

// Key is the text of a key: a folded name from one of its words to its end.
func (d *Data) Key(key int) []byte {
	return d.folded[d.KeyOff[key] : d.foldOff[d.KeyName[key]+1]-1]
}

// tail is the key with its zero byte, and whatever follows it.
func (d *Data) tail(key int) []byte { return d.folded[d.KeyOff[key]:] }

// PrefixRange gives the keys [lo, hi) within [lo, hi) that start with prefix,
// of which the first n bytes are known to be shared by the given range.
func (d *Data) PrefixRange(lo, hi int, prefix []byte, n int) (int, int) {
	want := prefix[n:]
	cmp := func(k int) int {
		t := d.tail(k)
		t = t[min(n, len(t)):]
		if len(t) > len(want) {
			t = t[:len(want)]
		}
		return bytes.Compare(t, want)
	}
	a, b := lo, hi
	for a < b {
		m := int(uint(a+b) >> 1)
		if cmp(m) < 0 {
			a = m + 1
		} else {
			b = m
		}
	}
	first := a
	// Gallop: ranges shrink quickly, so the end is most often near.
	step := 1
	b = first
	for b < hi && cmp(b) == 0 {
		a = b
		b += step
		step *= 2
	}
	if b > hi {
		b = hi
	}
	if first == b {
		return first, first
	}
	for a < b {
		m := int(uint(a+b) >> 1)
		if cmp(m) <= 0 {
			a = m + 1
		} else {
			b = m
		}
	}
	return first, a
}

// ByteAt is the byte of a key at position n, 0 at its end.
func (d *Data) ByteAt(key, n int) byte {
	t := d.KeyOff[key] + uint32(n)
	if int(t) >= len(d.folded) {
		return 0
	}
	return d.folded[t]
}

// InseeNumber packs a commune code ("42218", "2A004") in 32 bits; 0 for an
// empty one or anything else that is not up to six letters and digits.
func InseeNumber(code string) uint32 {
	if len(code) == 0 || len(code) > 5 {
		return 0
	}
	n := uint32(0)
	for i := range len(code) {
		c := code[i]
		switch {
		case '0' <= c && c <= '9':
			n = n*36 + uint32(c-'0')
		case 'A' <= c && c <= 'Z':
			n = n*36 + uint32(c-'A') + 10
		default:
			return 0
		}
	}
	return n
}

// InseeText is the commune code that InseeNumber packed: always five signs.
func InseeText(n uint32) string {
	if n == 0 {
		return ""
	}
	const digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	var b [5]byte
	for i := 4; i >= 0; i-- {
		b[i] = digits[n%36]
		n /= 36
	}
	return string(b[:])
}
