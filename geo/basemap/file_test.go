package basemap

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"database/sql"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

type testTile struct {
	z, x, y int
	data    []byte
}

func pack(t testing.TB, b []byte) []byte {
	t.Helper()
	var buf bytes.Buffer
	zw := gzip.NewWriter(&buf)
	if _, err := zw.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := zw.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func pmDirectory(entries []pmEntry) []byte {
	b := binary.AppendUvarint(nil, uint64(len(entries)))
	last := uint64(0)
	for _, e := range entries {
		b = binary.AppendUvarint(b, e.id-last)
		last = e.id
	}
	for _, e := range entries {
		b = binary.AppendUvarint(b, uint64(e.run))
	}
	for _, e := range entries {
		b = binary.AppendUvarint(b, uint64(e.length))
	}
	for i, e := range entries {
		if i > 0 && e.offset == entries[i-1].offset+uint64(entries[i-1].length) {
			b = binary.AppendUvarint(b, 0)
		} else {
			b = binary.AppendUvarint(b, e.offset+1)
		}
	}
	return b
}

// buildPMTiles writes a file as the specification has it. Leaves of leafSize entries are
// used when it is over 0; equal neighbours become runs.
func buildPMTiles(t testing.TB, tiles []testTile, tileType byte, meta string, leafSize int) []byte {
	t.Helper()
	return writePMTiles(t, tiles, tileType, meta, leafSize, 2)
}

// writePMTiles is buildPMTiles with directories and metadata packed (2) or not (1).
func writePMTiles(t testing.TB, tiles []testTile, tileType byte, meta string, leafSize int, packing byte) []byte {
	t.Helper()
	pack := pack
	if packing == 1 {
		pack = func(_ testing.TB, b []byte) []byte { return b }
	}
	slices.SortFunc(tiles, func(a, b testTile) int {
		return cmp.Compare(tileID(a.z, a.x, a.y), tileID(b.z, b.x, b.y))
	})
	var data []byte
	var entries []pmEntry
	low, high := 99, 0
	for _, tile := range tiles {
		low, high = min(low, tile.z), max(high, tile.z)
		id := tileID(tile.z, tile.x, tile.y)
		if n := len(entries); n > 0 {
			e := &entries[n-1]
			if id == e.id+uint64(e.run) && bytes.Equal(data[e.offset:e.offset+uint64(e.length)], tile.data) {
				e.run++
				continue
			}
		}
		entries = append(entries, pmEntry{id, uint64(len(data)), uint32(len(tile.data)), 1})
		data = append(data, tile.data...)
	}
	var leaves []byte
	root := entries
	if leafSize > 0 {
		root = nil
		for chunk := range slices.Chunk(entries, leafSize) {
			leaf := pack(t, pmDirectory(chunk))
			root = append(root, pmEntry{chunk[0].id, uint64(len(leaves)), uint32(len(leaf)), 0})
			leaves = append(leaves, leaf...)
		}
	}
	rootBytes, metaBytes := pack(t, pmDirectory(root)), pack(t, []byte(meta))
	h := make([]byte, pmHeaderSize)
	copy(h, "PMTiles\x03")
	at := uint64(pmHeaderSize)
	for i, section := range [][]byte{rootBytes, metaBytes, leaves, data} {
		binary.LittleEndian.PutUint64(h[8+16*i:], at)
		binary.LittleEndian.PutUint64(h[16+16*i:], uint64(len(section)))
		at += uint64(len(section))
	}
	h[96], h[97], h[98], h[99], h[100], h[101] = 1, packing, 2, tileType, byte(low), byte(high)
	if tileType != 1 {
		h[98] = 1
	}
	for i, v := range []float64{4, 45, 5, 46} {
		binary.LittleEndian.PutUint32(h[102+4*i:], uint32(int32(v*1e7)))
	}
	return slices.Concat(h, rootBytes, metaBytes, leaves, data)
}

// regionTiles are vector tiles of the world itself, of zooms 6 to 9 around 4.5 E 45.5 N.
func regionTiles(t testing.TB) []testTile {
	t.Helper()
	var tiles []testTile
	for z := 6; z <= 9; z++ {
		for x := 0; x < 1<<z; x++ {
			for y := 0; y < 1<<z; y++ {
				if touches([4]float64{4, 45, 5, 46}, z, x, y) {
					tile, err := world.Tile(z, x, y)
					if err != nil {
						t.Fatal(err)
					}
					tiles = append(tiles, testTile{z, x, y, tile.Data})
				}
			}
		}
	}
	return tiles
}

const testMeta = `{"name":"Loire <b>test</b>","attribution":"<a href=\"https://x.example\" onclick='x()'>&copy; Contributeurs</a> <script>alert(1)</script>"}`

func writeFile(t testing.TB, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func buildMBTiles(t testing.TB, tiles []testTile, meta map[string]string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "région #1?.mbtiles")
	db, err := sql.Open("sqlite", "file:"+strings.NewReplacer("#", "%23", "?", "%3f").Replace(path))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	exec := func(query string, args ...any) {
		if _, err := db.Exec(query, args...); err != nil {
			t.Fatal(err)
		}
	}
	exec(`CREATE TABLE metadata (name text, value text)`)
	exec(`CREATE TABLE tiles (zoom_level integer, tile_column integer, tile_row integer, tile_data blob)`)
	exec(`CREATE UNIQUE INDEX tile_index ON tiles (zoom_level, tile_column, tile_row)`)
	for k, v := range meta {
		exec(`INSERT INTO metadata VALUES (?, ?)`, k, v)
	}
	for _, tile := range tiles {
		exec(`INSERT INTO tiles VALUES (?, ?, ?, ?)`, tile.z, tile.x, 1<<tile.z-1-tile.y, tile.data)
	}
	return path
}

func TestTileID(t *testing.T) {
	// From the reference implementation.
	for _, c := range []struct {
		z, x, y int
		want    uint64
	}{{0, 0, 0, 0}, {1, 0, 0, 1}, {1, 0, 1, 2}, {1, 1, 1, 3}, {1, 1, 0, 4}, {2, 0, 0, 5}, {12, 3423, 1763, 19078479}} {
		if got := tileID(c.z, c.x, c.y); got != c.want {
			t.Errorf("tileID(%d, %d, %d) is %d, want %d", c.z, c.x, c.y, got, c.want)
		}
	}
	// A bijection of each zoom.
	seen := map[uint64]bool{}
	for x := range 64 {
		for y := range 64 {
			seen[tileID(6, x, y)] = true
		}
	}
	if len(seen) != 64*64 {
		t.Errorf("zoom 6 has %d ids, want 4096", len(seen))
	}
}

func TestFiles(t *testing.T) {
	tiles := regionTiles(t)
	for name, path := range map[string]string{
		"pmtiles":        writeFile(t, "a.pmtiles", buildPMTiles(t, slices.Clone(tiles), 1, testMeta, 0)),
		"pmtiles leaves": writeFile(t, "b.pmtiles", buildPMTiles(t, slices.Clone(tiles), 1, testMeta, 3)),
		"mbtiles": buildMBTiles(t, tiles, map[string]string{
			"format": "pbf", "bounds": "4.0,45.0,5.0,46.0", "name": "Loire <b>test</b>",
			"attribution": `<a href="https://x.example">&copy; Contributeurs</a> <script>alert(1)</script>`,
		}),
	} {
		f, err := Open(path)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		info := f.Info()
		if info.MinZoom != 6 || info.MaxZoom != 9 || info.Bounds != [4]float64{4, 45, 5, 46} || !info.Vector() ||
			info.Name != "Loire test" || !slices.Equal(info.Attribution, []string{"© Contributeurs alert(1)"}) {
			t.Errorf("%s: info %+v", name, info)
		}
		for _, want := range tiles {
			got, err := f.Tile(want.z, want.x, want.y)
			if err != nil || !bytes.Equal(got.Data, want.data) || got.Encoding != "gzip" || got.ContentType != TypeMVT || len(got.ETag) < 10 {
				t.Errorf("%s: tile %d/%d/%d: %v, %q, %q, %q", name, want.z, want.x, want.y, err, got.Encoding, got.ContentType, got.ETag)
			}
		}
		for _, c := range [][3]int{{5, 16, 11}, {10, 0, 0}, {9, 0, 0}, {-1, 0, 0}, {70, 1, 1}, {7, 1 << 40, 2}} {
			if _, err := f.Tile(c[0], c[1], c[2]); !errors.Is(err, ErrNoTile) {
				t.Errorf("%s: tile %v: %v, want ErrNoTile", name, c, err)
			}
		}
		checkStack(t, name, f)
		if err := f.Close(); err != nil {
			t.Errorf("%s: close: %v", name, err)
		}
	}
}

func checkStack(t *testing.T, name string, f File) {
	t.Helper()
	s := NewStack(f, world)
	for _, c := range []struct {
		z, x, y int
		ok      bool
	}{
		{0, 0, 0, true}, {5, 16, 11, true}, // below the file
		{9, 0, 0, true}, {9, 262, 183, true}, // beside it, and in it
		{10, 0, 0, true}, {10, 524, 366, false}, // deeper: beside it, and in it
		{11, 0, 0, false}, {64, 0, 0, false},
	} {
		if _, err := s.Tile(c.z, c.x, c.y); c.ok != (err == nil) || err != nil && !errors.Is(err, ErrNoTile) {
			t.Errorf("%s: stack %d/%d/%d: %v", name, c.z, c.x, c.y, err)
		}
	}
	var doc struct {
		TileJSON     string
		Tiles        []string
		MinZoom      int
		MaxZoom      int
		Bounds       []float64
		Attribution  string
		VectorLayers []struct{ ID string } `json:"vector_layers"`
	}
	if err := json.Unmarshal(s.TileJSON("https://example.org/"), &doc); err != nil {
		t.Fatal(err)
	}
	if doc.TileJSON != "3.0.0" || doc.Tiles[0] != "https://example.org/tiles/base/{z}/{x}/{y}.mvt" || doc.MinZoom != 0 || doc.MaxZoom != 10 ||
		doc.Bounds[0] != -180 || len(doc.VectorLayers) < 4 ||
		doc.Attribution != "© Contributeurs alert(1) · Natural Earth (public domain) · GeoNames (CC BY 4.0)" {
		t.Errorf("%s: TileJSON %s", name, s.TileJSON("https://example.org/"))
	}
}

func TestRasterFile(t *testing.T) {
	png := []byte("\x89PNG\r\n\x1a\n not really")
	tiles := []testTile{{8, 131, 91, png}, {8, 131, 92, png}}
	for name, path := range map[string]string{
		"pmtiles": writeFile(t, "a.pmtiles", buildPMTiles(t, slices.Clone(tiles), 2, "{}", 0)),
		"mbtiles": buildMBTiles(t, tiles, map[string]string{"format": "PNG"}),
	} {
		f, err := Open(path)
		if err != nil {
			t.Fatal(name, err)
		}
		defer f.Close()
		s := NewStack(f, world)
		tile, err := s.Tile(8, 131, 91)
		if err != nil || tile.ContentType != TypePNG || tile.Encoding != "" || !bytes.Equal(tile.Data, png) {
			t.Errorf("%s: %+v, %v", name, tile, err)
		}
		if _, err := s.Tile(3, 4, 2); !errors.Is(err, ErrNoTile) {
			t.Errorf("%s: a vector tile among pictures: %v", name, err)
		}
		if !bytes.Contains(s.TileJSON(""), []byte(`/tiles/base/{z}/{x}/{y}.png`)) {
			t.Errorf("%s: TileJSON %s", name, s.TileJSON(""))
		}
	}
}

// TestDamagedFiles expects one line that names the file, or a tile error; never a panic.
func TestDamagedFiles(t *testing.T) {
	whole := buildPMTiles(t, regionTiles(t), 1, testMeta, 3)
	change := func(at int, b byte) []byte {
		c := slices.Clone(whole)
		c[at] = b
		return c
	}
	for name, data := range map[string][]byte{
		"empty": nil, "text": []byte("hello, I am a text file"), "header only": whole[:100], "cut short": whole[:len(whole)/2],
		"version 2": change(7, 2), "zstd": change(97, 4), "brotli tiles": change(98, 3), "avif": change(99, 5), "zooms": change(101, 3),
		"bounds": change(105, 0x7f), "root offset": change(13, 0xff), "root length": change(20, 0xff), "metadata": change(30, 0xff),
		"root": change(140, 0xff), "half a database": []byte("SQLite format 3\x00 and nothing more"),
	} {
		path := writeFile(t, "bad", data)
		f, err := Open(path)
		if err == nil {
			f.Close()
			t.Errorf("%s: opened", name)
			continue
		}
		if msg := err.Error(); !strings.Contains(msg, path) || strings.Contains(msg, "\n") || strings.Count(msg, path) > 1 {
			t.Errorf("%s: error %q", name, msg)
		}
	}
	if _, err := Open(filepath.Join(t.TempDir(), "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file that is not there: %v", err)
	}
	for name, meta := range map[string]map[string]string{
		"no format": {}, "format": {"format": "docx"}, "bounds": {"format": "pbf", "bounds": "1,2,3"},
		"bounds off the map": {"format": "pbf", "bounds": "1,2,300,4"}, "bounds NaN": {"format": "pbf", "bounds": "NaN,2,3,4"},
	} {
		if f, err := Open(buildMBTiles(t, []testTile{{1, 0, 0, []byte("x")}}, meta)); err == nil {
			f.Close()
			t.Errorf("mbtiles %s: opened", name)
		}
	}
	if f, err := Open(buildMBTiles(t, nil, map[string]string{"format": "pbf"})); err == nil {
		f.Close()
		t.Error("mbtiles without tiles: opened")
	}
}

func TestPlainText(t *testing.T) {
	for in, want := range map[string]string{
		`<a href="javascript:x">OSM</a>`:  "OSM",
		"a\n\tb \u202e c\x00":             "a b c",
		"&lt;b&gt; &amp; \xff":            "<b> &",
		strings.Repeat("é", 500):          strings.Repeat("é", 300) + "…",
		`<img src=x onerror="alert(1)">x`: "x",
	} {
		if got := plainText(in); got != want {
			t.Errorf("plainText(%.40q) is %q, want %q", in, got, want)
		}
	}
}

// TestFeaturesOfNowhere: twenty bytes may claim half a billion points, which the decoder would make room for.
func TestFeaturesOfNowhere(t *testing.T) {
	for name, tile := range nowhere() {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		layers, err := newTile(tile, TypeMVT, "").Layers()
		runtime.ReadMemStats(&after)
		if took := after.TotalAlloc - before.TotalAlloc; err == nil || took > 1<<20 {
			t.Errorf("%s: %v, %v, and %d KB are taken", name, layers, err, took>>10)
		}
	}
}

func nowhere() map[string][]byte {
	part := func(number byte, body string) string { return string([]byte{number<<3 | 2, byte(len(body))}) + body }
	const points, many = "\x18\x01", "\xff\xff\xff\xff\x0f\x02\x02\x02\x02" // "close the path", half a billion times
	return map[string][]byte{
		"no move":             []byte(part(3, part(2, points+part(4, many)))),
		"no geometry":         []byte(part(3, part(2, points+part(4, "\x09\x02\x02"+many))+part(2, points))),
		"no move, at last":    []byte(part(3, part(2, points+part(4, "\x09\x02\x02")+part(4, many)))),
		"nothing in it":       []byte(part(3, part(2, points+part(4, "")))),
		"another wire type":   []byte(part(3, "\x78\x02"+part(15, part(2, points+part(4, many))))),
		"a layer as a number": []byte("\x18" + part(2, points+part(4, many))),
	}
}

func FuzzPMTiles(f *testing.F) {
	tiles := []testTile{{0, 0, 0, []byte("a")}, {1, 0, 0, []byte("b")}, {1, 0, 1, []byte("b")}, {1, 1, 1, []byte("c")}}
	f.Add(buildPMTiles(f, slices.Clone(tiles), 1, testMeta, 0))
	f.Add(buildPMTiles(f, slices.Clone(tiles), 1, "{}", 1))
	f.Add(writePMTiles(f, slices.Clone(tiles), 1, testMeta, 0, 1))
	f.Add(writePMTiles(f, slices.Clone(tiles), 2, `{"Name":"a","name":7}`, 1, 1))
	f.Add([]byte("PMTiles\x03"))
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := newPMTiles(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			return
		}
		for z := range 4 {
			for x := range 1 << z {
				if tile, err := p.Tile(z, x, x); err == nil && len(tile.Data) > len(data) {
					t.Errorf("a tile of %d bytes in a file of %d", len(tile.Data), len(data))
				}
			}
		}
	})
}

func FuzzPMDirectory(f *testing.F) {
	f.Add(pmDirectory([]pmEntry{{0, 0, 10, 1}, {5, 10, 3, 4}, {40, 0, 10, 0}}))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0x0f})
	f.Fuzz(func(t *testing.T, data []byte) {
		entries, err := parsePMDirectory(data)
		if err != nil {
			return
		}
		for i, e := range entries {
			if i > 0 && e.id <= entries[i-1].id {
				t.Fatalf("entry %d is out of order", i)
			}
			if got, ok := find(entries, e.id); (e.run > 0) && (!ok || got != e) {
				t.Fatalf("entry %d is not found", i)
			}
		}
	})
}

func FuzzLayers(f *testing.F) {
	tile, err := world.Tile(12, 2098, 1468)
	if err != nil {
		f.Fatal(err)
	}
	data, err := gunzip(tile.Data, maxTile)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	for _, tile := range nowhere() {
		f.Add(tile)
	}
	f.Add([]byte("\x1a\x2d\x78\x02\x0a\x01a\x12\x13\x08\x07\x12\x02\x00\x00\x18\x03\x22\x09\x09\x00\x00\x12\x04\x00\x00\x04\x0f\x1a\x01k\x22\x03\x0a\x01v\x22\x09\x19\x00\x00\x00\x00\x00\x00\xf0\x3f"))
	f.Fuzz(func(t *testing.T, data []byte) {
		_, _ = newTile(data, TypeMVT, encodingOf(data)).Layers() // must not panic
	})
}

func BenchmarkPMTiles(b *testing.B) {
	f, err := Open(writeFile(b, "a.pmtiles", buildPMTiles(b, regionTiles(b), 1, testMeta, 3)))
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	for b.Loop() {
		if _, err := f.Tile(9, 262, 183); err != nil {
			b.Fatal(err)
		}
	}
}

func ExampleTileJSON() {
	doc := TileJSON(Info{ContentType: TypePNG, MaxZoom: 3, Attribution: []string{"A", "B"}}, "https://example.org")
	fmt.Println(string(doc))
	// Output: {"attribution":"A · B","bounds":[0,0,0,0],"maxzoom":3,"minzoom":0,"scheme":"xyz","tilejson":"3.0.0","tiles":["https://example.org/tiles/base/{z}/{x}/{y}.png"]}
}
