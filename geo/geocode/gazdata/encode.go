package gazdata

import (
	"bufio"
	"bytes"
	"cmp"
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"slices"
)

const magic = "ARCHGAZ2"

// Encode writes zones and places in the format of the package. Places must be
// in their final order (Parent and Zone are indices); the same input
// always gives the same bytes.
func Encode(w io.Writer, zones []Zone, places []Place) error {
	zw, err := gzip.NewWriterLevel(w, gzip.BestCompression)
	if err != nil {
		return err
	}
	e := &encoder{w: bufio.NewWriter(zw)}
	e.raw(magic)
	e.uint(len(zones))
	for _, z := range zones {
		e.zone(z)
	}
	if err := e.places(places); err != nil {
		return err
	}
	e.names(zones, places)
	if e.err != nil {
		return e.err
	}
	if err := e.w.Flush(); err != nil {
		return err
	}
	return zw.Close()
}

type encoder struct {
	w   *bufio.Writer
	err error
}

func (e *encoder) raw(s string) {
	if _, err := e.w.WriteString(s); err != nil && e.err == nil {
		e.err = err
	}
}

func (e *encoder) uint(n int) {
	var b [binary.MaxVarintLen64]byte
	e.raw(string(b[:binary.PutUvarint(b[:], uint64(n))]))
}

func (e *encoder) int(n int) {
	var b [binary.MaxVarintLen64]byte
	e.raw(string(b[:binary.PutVarint(b[:], int64(n))]))
}

func (e *encoder) str(s string) { e.uint(len(s)); e.raw(s) }

func micro(deg float64) int { return int(math.Round(deg * 1e5)) }

func (e *encoder) zone(z Zone) {
	e.str(z.Code)
	e.str(z.Number)
	e.uint(int(z.Kind))
	e.uint(z.Parent + 1)
	e.uint(int(z.Pop))
	for _, v := range z.Box {
		e.int(micro(v))
	}
}

func (e *encoder) places(places []Place) error {
	e.uint(len(places))
	column := func(value func(p *Place) int) {
		for i := range places {
			e.uint(value(&places[i]))
		}
	}
	delta := func(value func(p *Place) int) {
		last := 0
		for i := range places {
			v := value(&places[i])
			e.int(v - last)
			last = v
		}
	}
	for i, p := range places {
		if p.Insee != "" && InseeText(InseeNumber(p.Insee)) != p.Insee {
			return fmt.Errorf("place %d: commune code %q", i, p.Insee)
		}
		if len(p.Names) == 0 || p.NameFR >= len(p.Names) {
			return fmt.Errorf("place %d: names %q", i, p.Names)
		}
	}
	delta(func(p *Place) int { return p.Zone })
	delta(func(p *Place) int { return int(p.ID) })
	delta(func(p *Place) int { return int(InseeNumber(p.Insee)) })
	delta(func(p *Place) int { return micro(p.Lat) })
	delta(func(p *Place) int { return micro(p.Lon) })
	column(func(p *Place) int { return int(p.Pop) })
	column(func(p *Place) int {
		k := int(p.Kind) << 1
		if p.Approx {
			k |= 1
		}
		return k
	})
	column(func(p *Place) int { return int(math.Round(p.Radius / 100)) })
	column(func(p *Place) int { return p.Parent + 1 })
	column(func(p *Place) int { return p.NameFR })
	column(func(p *Place) int { return len(p.Post) })
	for _, p := range places {
		last := 0
		for _, c := range p.Post {
			e.int(int(c) - last)
			last = int(c)
		}
	}
	return nil
}

// names writes the names and the order of the keys over them.
func (e *encoder) names(zones []Zone, places []Place) {
	type key struct {
		text string
		name int
		word int // which of the name's keys: 0 is the whole name
	}
	var texts []string
	var keys []key
	add := func(text string, words bool) {
		folded := FoldName(text)
		keys = append(keys, key{folded, len(texts), 0})
		if words {
			for i, at := range WordStarts(folded) {
				keys = append(keys, key{folded[at:], len(texts), i + 1})
			}
		}
		texts = append(texts, text)
	}
	for _, p := range places {
		e.uint(len(p.Names))
		for i, n := range p.Names {
			add(n, i == 0 && byWord(p.Kind))
		}
	}
	for _, z := range zones {
		e.uint(len(z.Names))
		for _, n := range z.Names {
			e.uint(max(0, slices.Index(Langs, n.Lang)))
			add(n.Text, byWord(z.Kind))
		}
	}
	for _, t := range texts {
		e.uint(len(t))
	}
	for _, t := range texts {
		e.raw(t)
	}
	slices.SortFunc(keys, func(a, b key) int {
		if c := bytes.Compare([]byte(a.text), []byte(b.text)); c != 0 {
			return c
		}
		return cmp.Or(a.name-b.name, a.word-b.word)
	})
	e.uint(len(keys))
	for _, k := range keys {
		e.uint(k.name)
	}
	for _, k := range keys {
		e.uint(k.word)
	}
}

// byWord tells whether the later words of such a name are keys too.
func byWord(k Kind) bool { return k != Town && k != Country }
