package basemap

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
)

// Limits on what a PMTiles file may make the reader allocate.
const (
	maxDirectory = 32 << 20 // bytes of an unpacked directory
	maxMetadata  = 8 << 20
	maxTile      = 16 << 20
	maxDepth     = 4 // of directories, as in the specification's reference readers
)

// errPMTiles is wrapped by all complaints about the content of a PMTiles file.
var errPMTiles = errors.New("not a valid PMTiles version 3 file")

// pmHeader is the fixed header of PMTiles version 3, specification section 3.
type pmHeader struct {
	rootOffset, rootLength uint64
	metaOffset, metaLength uint64
	leafOffset, leafLength uint64
	dataOffset, dataLength uint64
	internal, compression  byte // 1 none, 2 gzip, 3 brotli, 4 zstd
	tileType               byte // 1 MVT, 2 PNG, 3 JPEG, 4 WebP, 5 AVIF
	minZoom, maxZoom       byte
	bounds                 [4]float64
}

const pmHeaderSize = 127

func parsePMHeader(b []byte) (pmHeader, error) {
	var h pmHeader
	if len(b) < pmHeaderSize || string(b[:7]) != "PMTiles" {
		return h, fmt.Errorf("%w: the header is missing", errPMTiles)
	}
	if b[7] != 3 {
		return h, fmt.Errorf("%w: it is version %d", errPMTiles, b[7])
	}
	u := func(at int) uint64 { return binary.LittleEndian.Uint64(b[at:]) }
	e7 := func(at int) float64 { return float64(int32(binary.LittleEndian.Uint32(b[at:]))) / 1e7 }
	h = pmHeader{
		rootOffset: u(8), rootLength: u(16), metaOffset: u(24), metaLength: u(32),
		leafOffset: u(40), leafLength: u(48), dataOffset: u(56), dataLength: u(64),
		internal: b[97], compression: b[98], tileType: b[99], minZoom: b[100], maxZoom: b[101],
		bounds: [4]float64{e7(102), e7(106), e7(110), e7(114)},
	}
	switch {
	case h.internal != 1 && h.internal != 2:
		return h, fmt.Errorf("%w: its directories are compressed in a way that is not supported (%d; only gzip is)", errPMTiles, h.internal)
	case h.compression > 2: // 0 is unknown: the bytes tell
		return h, fmt.Errorf("%w: its tiles are compressed in a way that is not supported (%d; only gzip is)", errPMTiles, h.compression)
	case h.tileType < 1 || h.tileType > 4:
		return h, fmt.Errorf("%w: its tiles are of a type that is not supported (%d)", errPMTiles, h.tileType)
	case h.minZoom > h.maxZoom || h.maxZoom > MaxZoom:
		return h, fmt.Errorf("%w: zooms %d to %d", errPMTiles, h.minZoom, h.maxZoom)
	case h.rootLength > maxDirectory || h.metaLength > maxMetadata:
		return h, fmt.Errorf("%w: the root directory or the metadata are too long", errPMTiles)
	}
	if !validBounds(h.bounds) {
		return h, fmt.Errorf("%w: bounds %v", errPMTiles, h.bounds)
	}
	return h, nil
}

// A pmEntry is one run of tiles that share their content, or (run 0) a leaf directory.
type pmEntry struct {
	id     uint64
	offset uint64
	length uint32
	run    uint32
}

// parsePMDirectory reads an unpacked directory (specification section 4.2).
func parsePMDirectory(b []byte) ([]pmEntry, error) {
	bad := false
	next := func(limit uint64) uint64 {
		v, n := binary.Uvarint(b)
		if n <= 0 || v > limit {
			bad = true
			b = nil
			return 0
		}
		b = b[n:]
		return v
	}
	const big = 1 << 60
	n := next(uint64(len(b)) / 4) // an entry has four numbers
	entries := make([]pmEntry, n)
	id := uint64(0)
	for i := range entries {
		step := next(big)
		if id += step; id > big || i > 0 && step == 0 {
			bad = true
		}
		entries[i].id = id
	}
	for i := range entries {
		entries[i].run = uint32(next(1<<32 - 1))
	}
	for i := range entries {
		if entries[i].length = uint32(next(1<<32 - 1)); entries[i].length == 0 {
			bad = true
		}
	}
	for i := range entries {
		v := next(big)
		switch {
		case v > 0:
			entries[i].offset = v - 1
		case i > 0:
			entries[i].offset = entries[i-1].offset + uint64(entries[i-1].length)
		default:
			bad = true
		}
	}
	if bad {
		return nil, fmt.Errorf("%w: a directory is damaged", errPMTiles)
	}
	return entries, nil
}

// find returns the entry for a tile, or a leaf that may know it.
func find(entries []pmEntry, id uint64) (pmEntry, bool) {
	i, exact := slices.BinarySearchFunc(entries, id, func(e pmEntry, id uint64) int {
		switch {
		case e.id < id:
			return -1
		case e.id > id:
			return 1
		}
		return 0
	})
	if !exact {
		i--
	}
	if i < 0 {
		return pmEntry{}, false
	}
	e := entries[i]
	return e, e.run == 0 || id-e.id < uint64(e.run)
}

// tileID is the position of a tile on the Hilbert curves of all zooms, one after the other.
func tileID(z, x, y int) uint64 {
	id := (uint64(1)<<(2*z) - 1) / 3
	for s := uint64(1) << z >> 1; s > 0; s >>= 1 {
		tx, ty := uint64(x)&s, uint64(y)&s
		switch {
		case tx == 0 && ty == 0:
		case tx == 0:
			id += s * s
		case ty != 0:
			id += 2 * s * s
		default:
			id += 3 * s * s
		}
		if ty == 0 {
			if tx != 0 {
				x, y = int(s)-1-x&int(s-1), int(s)-1-y&int(s-1)
			}
			x, y = y, x
		}
	}
	return id
}

// pmTiles is an open PMTiles file.
type pmTiles struct {
	file   io.ReaderAt
	closer io.Closer
	size   int64
	header pmHeader
	info   Info
	root   []pmEntry
	leaves *lru[uint64, []pmEntry] // by offset
}

func openPMTiles(path string) (*pmTiles, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	st, err := f.Stat()
	if err == nil {
		var p *pmTiles
		if p, err = newPMTiles(f, st.Size()); err == nil {
			p.closer = f
			return p, nil
		}
	}
	f.Close()
	return nil, err
}

// newPMTiles reads the header, the root directory and the metadata.
func newPMTiles(file io.ReaderAt, size int64) (*pmTiles, error) {
	p := &pmTiles{file: file, size: size, leaves: newLRU[uint64, []pmEntry](400_000)}
	head, err := p.section(0, pmHeaderSize)
	if err != nil {
		return nil, err
	}
	if p.header, err = parsePMHeader(head); err != nil {
		return nil, err
	}
	h := p.header
	for _, s := range [][2]uint64{{h.leafOffset, h.leafLength}, {h.dataOffset, h.dataLength}} {
		if s[0] > uint64(size) || s[1] > uint64(size)-s[0] {
			return nil, fmt.Errorf("%w: it is cut short", errPMTiles)
		}
	}
	if p.root, err = p.directory(h.rootOffset, h.rootLength); err != nil {
		return nil, err
	}
	p.info = Info{
		ContentType: [...]string{"", TypeMVT, TypePNG, TypeJPEG, TypeWebP}[h.tileType],
		MinZoom:     int(h.minZoom), MaxZoom: int(h.maxZoom), Bounds: h.bounds,
	}
	if h.metaLength == 0 {
		return p, nil
	}
	packed, err := p.section(h.metaOffset, h.metaLength)
	if err != nil {
		return nil, err
	}
	meta, err := p.unpack(packed, maxMetadata)
	if err != nil {
		return nil, err
	}
	var m struct{ Name, Attribution any }
	if err := json.Unmarshal(meta, &m); err != nil {
		return nil, fmt.Errorf("%w: the metadata are not JSON", errPMTiles)
	}
	p.info.Name = plainAny(m.Name)
	if a := plainAny(m.Attribution); a != "" {
		p.info.Attribution = []string{a}
	}
	return p, nil
}

func plainAny(v any) string {
	s, _ := v.(string)
	return plainText(s)
}

func (p *pmTiles) section(offset, length uint64) ([]byte, error) {
	if offset > uint64(p.size) || length > uint64(p.size)-offset {
		return nil, fmt.Errorf("%w: it is cut short", errPMTiles)
	}
	b := make([]byte, length)
	if _, err := p.file.ReadAt(b, int64(offset)); err != nil && err != io.EOF {
		return nil, err
	}
	return b, nil
}

func (p *pmTiles) unpack(b []byte, limit int) ([]byte, error) {
	if p.header.internal == 1 {
		return b, nil
	}
	out, err := gunzip(b, limit)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errPMTiles, err)
	}
	return out, nil
}

// gunzip unpacks at most limit bytes.
func gunzip(b []byte, limit int) ([]byte, error) {
	zr, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		return nil, err
	}
	out, err := io.ReadAll(io.LimitReader(zr, int64(limit)+1))
	if err != nil {
		return nil, err
	}
	if len(out) > limit {
		return nil, fmt.Errorf("it unpacks to more than %d bytes", limit)
	}
	return out, nil
}

func (p *pmTiles) directory(offset, length uint64) ([]pmEntry, error) {
	if length > maxDirectory {
		return nil, fmt.Errorf("%w: a directory is too long", errPMTiles)
	}
	packed, err := p.section(offset, length)
	if err != nil {
		return nil, err
	}
	b, err := p.unpack(packed, maxDirectory)
	if err != nil {
		return nil, err
	}
	return parsePMDirectory(b)
}

func (p *pmTiles) Info() Info { return p.info }

func (p *pmTiles) Close() error { return p.closer.Close() }

func (p *pmTiles) Tile(z, x, y int) (Tile, error) {
	if !onMap(z, x, y) || z < p.info.MinZoom || z > p.info.MaxZoom {
		return Tile{}, ErrNoTile
	}
	id, entries := tileID(z, x, y), p.root
	for range maxDepth {
		e, ok := find(entries, id)
		if !ok {
			return Tile{}, ErrNoTile
		}
		if e.run > 0 {
			return p.read(e)
		}
		leaf, ok := p.leaves.get(e.offset)
		if !ok {
			if e.offset > p.header.leafLength || uint64(e.length) > p.header.leafLength-e.offset {
				return Tile{}, fmt.Errorf("%w: a leaf directory lies outside of its section", errPMTiles)
			}
			var err error
			if leaf, err = p.directory(p.header.leafOffset+e.offset, uint64(e.length)); err != nil {
				return Tile{}, err
			}
			p.leaves.put(e.offset, leaf, len(leaf)+10)
		}
		entries = leaf
	}
	return Tile{}, fmt.Errorf("%w: its directories are nested too deeply", errPMTiles)
}

func (p *pmTiles) read(e pmEntry) (Tile, error) {
	if e.length > maxTile || e.offset > p.header.dataLength || uint64(e.length) > p.header.dataLength-e.offset {
		return Tile{}, fmt.Errorf("%w: a tile lies outside of its section", errPMTiles)
	}
	b, err := p.section(p.header.dataOffset+e.offset, uint64(e.length))
	if err != nil {
		return Tile{}, err
	}
	return newTile(b, p.info.ContentType, encodingOf(b)), nil
}

// encodingOf looks at the bytes rather than at what the file says of them.
func encodingOf(b []byte) string {
	if len(b) > 2 && b[0] == 0x1f && b[1] == 0x8b {
		return "gzip"
	}
	return ""
}
