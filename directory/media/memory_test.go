package media

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"image"
	"image/color"
	"math"
	"runtime"
	"runtime/debug"
	"slices"
	"testing"
)

// allocated is how many bytes f allocates, the fewest of three times: buffers that are used again are made again after a collection
// and by another processor, when those before are no longer there.
func allocated(f func()) int64 {
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	fewest := int64(math.MaxInt64)
	for range 3 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		f()
		runtime.ReadMemStats(&after)
		fewest = min(fewest, int64(after.TotalAlloc-before.TotalAlloc))
	}
	return fewest
}

// claims is a PNG file that says it is of another size than it is, and perhaps interlaced.
func claims(file []byte, w, h uint32, interlaced byte) []byte {
	out := bytes.Clone(file)
	binary.BigEndian.PutUint32(out[16:], w)
	binary.BigEndian.PutUint32(out[20:], h)
	out[28] = interlaced
	binary.BigEndian.PutUint32(out[29:], crc32.ChecksumIEEE(out[12:29]))
	return out
}

// TestWhatPicturesTake: the memory that is set aside for a picture is what the decoders and the filter take, and not many times as much.
func TestWhatPicturesTake(t *testing.T) {
	s := open(t)
	const w, h = 720, 480
	m := quarters(w, h)
	plain := func(m image.Image) []byte { return asPNG(t, m, nil) }
	three, four := planesOf(m, 3), planesOf(m, 4)
	adobe := segment(0xee, []byte("Adobe\x00\x64\x00\x00\x00\x00\x00"))
	half := image.NewNRGBA(m.Bounds())
	for i := range half.Pix {
		half.Pix[i] = uint8(i)
	}
	for name, file := range map[string][]byte{
		"JPEG":                           asJPEG(t, m, nil),
		"JPEG, colours as fine":          jpegOf(three, w, h, false, nil, 0),
		"JPEG, grey":                     asJPEG(t, image.NewGray(m.Bounds()), nil),
		"JPEG, progressive":              jpegOf(three, w, h, true, nil, 0),
		"JPEG, four colours":             jpegOf(four, w, h, false, adobe, 0),
		"JPEG, four colours progressive": jpegOf(four, w, h, true, adobe, 0),
		"PNG":                            plain(m),
		"PNG, transparent":               plain(half),
		"PNG, grey":                      plain(image.NewGray(m.Bounds())),
		"PNG, palette":                   plain(image.NewPaletted(m.Bounds(), color.Palette{color.White, color.Black})),
		"PNG of 16 bits":                 plain(image.NewNRGBA64(m.Bounds())),
		"PNG of 16 bits, grey":           plain(image.NewGray16(m.Bounds())),
		"WebP without loss":              webpOf(w, h, nil),
		"JPEG of a phone":                asJPEG(t, quarters(4000, 3000), nil),
	} {
		f := sniff(file)
		config, err := f.config(bytes.NewReader(file))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		read := allocated(func() { _, err = f.decode(bytes.NewReader(file)) })
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if want := decodes(f, config, file); read > want+want/20+1<<20 || want > 5*read {
			t.Errorf("%s: reading takes %d KB, and %d are set aside", name, read>>10, want>>10)
		}
		whole := allocated(func() { _, err = s.Add(t.Context(), file) })
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		want := takes(f, config, file)
		t.Logf("%-32s reading %6d KB of %6d, all %6d KB of %6d", name, read>>10, decodes(f, config, file)>>10, whole>>10, want>>10)
		if whole > want {
			t.Errorf("%s: all takes %d KB, and %d are set aside", name, whole>>10, want>>10)
		}
	}
}

// enlarged says of a JPEG file that it is larger than what is in it.
func enlarged(t testing.TB, file []byte, w, h uint16) []byte {
	t.Helper()
	out := bytes.Clone(file)
	for i := 2; i+9 < len(out) && out[i] == 0xff; i += 2 + int(binary.BigEndian.Uint16(out[i+2:])) {
		if out[i+1] == 0xc0 || out[i+1] == 0xc2 {
			binary.BigEndian.PutUint16(out[i+5:], h)
			binary.BigEndian.PutUint16(out[i+7:], w)
			return out
		}
	}
	t.Fatal("no frame")
	return nil
}

// TestPicturesThatWouldFillTheMemory: some hundred bytes may claim to be what takes 800 MB, and are refused before it is taken.
func TestPicturesThatWouldFillTheMemory(t *testing.T) {
	s := open(t)
	m := quarters(64, 64)
	three, four := planesOf(m, 3), planesOf(m, 4)
	adobe := segment(0xee, []byte("Adobe\x00\x64\x00\x00\x00\x00\x00"))
	deep := asPNG(t, image.NewNRGBA64(m.Bounds()), nil)
	phone := enlarged(t, asJPEG(t, m, nil), 8000, 5000)
	for name, c := range map[string]struct {
		file []byte
		want error
	}{
		"progressive":                  {enlarged(t, jpegOf(three, 64, 64, true, nil, 0), 8000, 5000), ErrTooHeavy},
		"progressive, four colours":    {enlarged(t, jpegOf(four, 64, 64, true, adobe, 0), 8000, 5000), ErrTooHeavy},
		"with what leads astray":       {slices.Concat(phone[:2], []byte{0xff, 0}, phone[2:]), ErrTooHeavy},
		"16 bits":                      {claims(deep, 8000, 5000, 0), ErrTooHeavy},
		"16 bits, interlaced":          {claims(deep, 4000, 5000, 1), ErrTooHeavy},
		"of a phone, of 40 million":    {phone, ErrFormat}, // it is read, and ends too soon
		"progressive, of 12 million":   {enlarged(t, jpegOf(three, 64, 64, true, nil, 0), 4000, 3000), ErrFormat},
		"PNG of 8 bits, of 40 million": {claims(asPNG(t, quarters(64, 64), nil), 8000, 5000, 0), ErrFormat},
	} {
		var err error
		took := allocated(func() { _, err = s.Add(t.Context(), c.file) })
		if !errors.Is(err, c.want) || errors.Is(err, ErrTooHeavy) && took > 1<<20 {
			t.Errorf("%s: %v after %d KB, want %v", name, err, took>>10, c.want)
		}
	}
}
