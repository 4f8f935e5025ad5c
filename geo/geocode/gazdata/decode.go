package gazdata

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
)

// ErrFormat is reported by Decode for bytes that are not a gazetteer.
var ErrFormat = errors.New("not a gazetteer file")

// Bounds of a file: what it may unpack to, in bytes, and its places.
const (
	maxSize   = 64 << 20
	maxPlaces = 2 << 20
)

// Decode reads what Encode wrote. Foreign bytes give ErrFormat, never a panic.
func Decode(r io.Reader) (*Data, error) {
	zr, err := gzip.NewReader(r)
	if err != nil {
		return nil, fmt.Errorf("%w: %v", ErrFormat, err)
	}
	// One allocation of the right size in the ordinary case.
	buf := bytes.NewBuffer(make([]byte, 0, 14<<20))
	if _, err := io.Copy(buf, io.LimitReader(zr, maxSize+1)); err != nil {
		return nil, fmt.Errorf("%w: %v", ErrFormat, err)
	}
	if buf.Len() > maxSize {
		return nil, fmt.Errorf("%w: unpacks to more than %d bytes", ErrFormat, maxSize)
	}
	return decode(buf.Bytes())
}

type decoder struct {
	b   []byte
	bad bool
}

func (d *decoder) uint() uint64 {
	if len(d.b) > 0 && d.b[0] < 0x80 {
		v := d.b[0]
		d.b = d.b[1:]
		return uint64(v)
	}
	v, n := binary.Uvarint(d.b)
	if n <= 0 {
		d.bad, d.b = true, nil
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *decoder) int() int {
	v, n := binary.Varint(d.b)
	if n <= 0 {
		d.bad, d.b = true, nil
		return 0
	}
	d.b = d.b[n:]
	return int(v)
}

// count is a number of things that follow, each at least one byte long.
func (d *decoder) count() int {
	n := d.uint()
	if n > uint64(len(d.b)) {
		d.bad, d.b = true, nil
		return 0
	}
	return int(n)
}

// below is a number that must be less than n.
func (d *decoder) below(n int) int {
	v := d.uint()
	if v >= uint64(n) {
		d.bad = true
		return 0
	}
	return int(v)
}

func (d *decoder) bytes(n int) []byte {
	if n > len(d.b) {
		d.bad, d.b = true, nil
		return nil
	}
	b := d.b[:n]
	d.b = d.b[n:]
	return b
}

func (d *decoder) str() string { return string(d.bytes(d.count())) }

func decode(b []byte) (*Data, error) {
	in := &decoder{b: b}
	if string(in.bytes(len(magic))) != magic {
		return nil, ErrFormat
	}
	d := &Data{}
	for range min(in.count(), 1<<16-1) {
		z := Zone{Code: in.str(), Number: in.str(), Kind: Kind(in.below(int(Country) + 1))}
		z.Parent = in.below(len(d.Zones)+1) - 1
		z.Pop = uint32(in.uint())
		for i := range z.Box {
			v := in.int()
			if limit := int(180e5) >> (i & 1); v < -limit || v > limit { // 180 degrees or 90
				in.bad = true
			}
			z.Box[i] = float64(v) / 1e5
		}
		d.Zones = append(d.Zones, z)
	}
	d.decodePlaces(in)
	if in.bad {
		return nil, fmt.Errorf("%w: places", ErrFormat)
	}
	d.decodeNames(in)
	if in.bad {
		return nil, fmt.Errorf("%w: names", ErrFormat)
	}
	return d, nil
}

func (d *Data) decodePlaces(in *decoder) {
	n := in.count()
	if n > maxPlaces {
		in.bad = true
		return
	}
	d.Zone, d.ID, d.Insee = make([]uint16, n), make([]uint32, n), make([]uint32, n)
	d.Lat, d.Lon, d.Pop = make([]int32, n), make([]int32, n), make([]uint32, n)
	d.Kind, d.Approx, d.Radius = make([]Kind, n), make([]bool, n), make([]uint16, n)
	d.Parent, d.NameFR, d.PostStart = make([]uint32, n), make([]uint8, n), make([]uint32, n+1)
	delta := func(limit int, set func(i, v int)) {
		v := 0
		for i := range n {
			v += in.int()
			if v < -limit || v > limit {
				in.bad = true
				v = 0
			}
			set(i, v)
		}
	}
	delta(1<<16-1, func(i, v int) {
		if v < 0 || v >= len(d.Zones) {
			in.bad, v = true, 0
		}
		d.Zone[i] = uint16(v)
	})
	delta(1<<32-1, func(i, v int) { d.ID[i] = uint32(v) })
	delta(1<<32-1, func(i, v int) { d.Insee[i] = uint32(v) })
	delta(90e5, func(i, v int) { d.Lat[i] = int32(v) })
	delta(180e5, func(i, v int) { d.Lon[i] = int32(v) })
	for i := range n {
		d.Pop[i] = uint32(in.uint())
	}
	for i := range n {
		v := in.below(int(Country)<<1 + 2)
		d.Kind[i], d.Approx[i] = Kind(v>>1), v&1 == 1
	}
	for i := range n {
		d.Radius[i] = uint16(in.uint())
	}
	for i := range n {
		d.Parent[i] = uint32(in.below(n + 1))
	}
	for _, p := range d.Parent {
		if p != 0 && d.Parent[p-1] != 0 {
			in.bad = true // a commune lies in no other place
		}
	}
	for i := range n {
		d.NameFR[i] = uint8(in.below(256))
	}
	total := 0
	for i := range n {
		d.PostStart[i] = uint32(total)
		total += in.below(1000)
	}
	d.PostStart[n] = uint32(total)
	if in.bad || total > len(in.b) {
		in.bad = true
		return
	}
	d.PostPlace, d.PostCode, d.PostOrder = make([]uint32, total), make([]uint32, total), make([]uint32, total)
	for i := range n {
		v := 0
		for k := d.PostStart[i]; k < d.PostStart[i+1]; k++ {
			v += in.int()
			d.PostPlace[k], d.PostCode[k], d.PostOrder[k] = uint32(i), uint32(v), k
		}
	}
	slices.SortFunc(d.PostOrder, func(a, b uint32) int {
		return cmp.Or(cmp.Compare(d.PostCode[a], d.PostCode[b]), cmp.Compare(a, b))
	})
}

func (d *Data) decodeNames(in *decoder) {
	n, nz := d.Places(), len(d.Zones)
	d.NameStart = make([]uint32, n+nz+1)
	d.Owner = make([]uint32, 0, n*2)
	d.NameLang = make([]uint8, 0, nz*4)
	own := func(owner, count int) {
		d.NameStart[owner] = uint32(len(d.Owner))
		if len(d.Owner)+count > len(in.b) { // each has a length, at least
			in.bad, in.b = true, nil
			return
		}
		for range count {
			d.Owner = append(d.Owner, uint32(owner))
		}
	}
	for i := range n {
		count := in.below(256)
		if count == 0 || int(d.NameFR[i]) >= count {
			in.bad = true
			return
		}
		own(i, count)
		if in.bad {
			return
		}
	}
	placeNames := len(d.Owner)
	for z := range nz {
		count := in.below(64)
		own(n+z, count)
		for range count {
			d.NameLang = append(d.NameLang, uint8(in.below(len(Langs))))
		}
	}
	total := len(d.Owner)
	d.NameStart[n+nz] = uint32(total)
	if in.bad || total > len(in.b) {
		in.bad = true
		return
	}
	d.textOff = make([]uint32, total+1)
	size := 0
	for i := range total {
		d.textOff[i] = uint32(size)
		size += in.below(1000)
	}
	d.textOff[total] = uint32(size)
	d.text = string(in.bytes(size))
	if in.bad {
		return
	}
	d.foldNames()
	d.decodeKeys(in)
	for z := range nz {
		for k := d.NameStart[n+z]; k < d.NameStart[n+z+1]; k++ {
			d.Zones[z].Names = append(d.Zones[z].Names, Name{Langs[d.NameLang[int(k)-placeNames]], d.Text(k)})
		}
	}
}

// foldNames fills the folded names.
func (d *Data) foldNames() {
	total := len(d.Owner)
	d.folded = make([]byte, 0, len(d.text)+total)
	d.foldOff = make([]uint32, total+1)
	for i := range total {
		d.foldOff[i] = uint32(len(d.folded))
		d.folded = AppendFold(d.folded, d.Text(uint32(i)))
		f := d.folded[d.foldOff[i]:]
		if bytes.Contains(f, []byte("st")) {
			if s := ExpandSaint(string(f)); len(s) != len(f) {
				d.folded = append(d.folded[:d.foldOff[i]], s...)
			}
		}
		d.folded = append(d.folded, 0)
	}
	d.foldOff[total] = uint32(len(d.folded))
}

// decodeKeys reads the order of the keys and finds where each one starts.
func (d *Data) decodeKeys(in *decoder) {
	count := in.count()
	d.KeyName, d.KeyOff = make([]uint32, count), make([]uint32, count)
	if len(d.Owner) == 0 && count > 0 {
		in.bad = true
		return
	}
	for i := range count {
		d.KeyName[i] = uint32(in.below(len(d.Owner)))
	}
	for i := range count {
		word := in.below(256)
		off := d.foldOff[d.KeyName[i]]
		if word > 0 {
			starts := WordStarts(string(d.Folded(d.KeyName[i])))
			if word > len(starts) {
				in.bad = true
				return
			}
			off += uint32(starts[word-1])
		}
		d.KeyOff[i] = off
	}
}
