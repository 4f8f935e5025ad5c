package media

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// quarters is a picture whose corners tell how it stands: red, green, blue and white, clockwise from the top left.
func quarters(w, h int) *image.RGBA {
	m := image.NewRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			c := color.RGBA{255, 0, 0, 255}
			switch {
			case x >= w/2 && y < h/2:
				c = color.RGBA{0, 255, 0, 255}
			case x >= w/2:
				c = color.RGBA{0, 0, 255, 255}
			case y >= h/2:
				c = color.RGBA{255, 255, 255, 255}
			}
			m.SetRGBA(x, y, c)
		}
	}
	return m
}

// tiff is an EXIF block with an orientation and a position that must not survive.
func tiff(order binary.AppendByteOrder, orientation uint16) []byte {
	b := []byte("II*\x00")
	if order == binary.AppendByteOrder(binary.BigEndian) {
		b = []byte("MM\x00*")
	}
	b = order.AppendUint32(b, 8)
	b = order.AppendUint16(b, 2)
	b = order.AppendUint16(order.AppendUint16(order.AppendUint32(order.AppendUint16(order.AppendUint16(b, 0x0112), 3), 1), orientation), 0)
	b = order.AppendUint32(order.AppendUint32(order.AppendUint16(order.AppendUint16(b, 0x010e), 2), 12), 38)
	b = order.AppendUint32(b, 0)
	return append(b, "GPS 45.4397\x00"...)
}

func asJPEG(t testing.TB, m image.Image, exif []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, m, &jpeg.Options{Quality: 95}); err != nil {
		t.Fatal(err)
	}
	if exif == nil {
		return b.Bytes()
	}
	segment := append([]byte("Exif\x00\x00"), exif...)
	out := append([]byte{0xff, 0xd8, 0xff, 0xe1}, binary.BigEndian.AppendUint16(nil, uint16(len(segment)+2))...)
	return append(append(out, segment...), b.Bytes()[2:]...)
}

func asPNG(t testing.TB, m image.Image, exif []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	if exif == nil {
		return b.Bytes()
	}
	chunk := append([]byte("eXIf"), exif...)
	full := append(binary.BigEndian.AppendUint32(nil, uint32(len(exif))), chunk...)
	full = binary.BigEndian.AppendUint32(full, crc32.ChecksumIEEE(chunk))
	return append(append(bytes.Clone(b.Bytes()[:33]), full...), b.Bytes()[33:]...) // after IHDR
}

func open(t testing.TB) *Store {
	t.Helper()
	s, err := Open(filepath.Join(t.TempDir(), "media"))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func has(t testing.TB, s *Store, url string) bool {
	t.Helper()
	ok, err := s.Has(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	return ok
}

// dirOf is where a store keeps its files.
func dirOf(s *Store) string { return string(s.files.(folder)) }

func load(t testing.TB, s *Store, url string) (image.Image, []byte) {
	t.Helper()
	f, err := s.Read(t.Context(), strings.TrimPrefix(url, Prefix))
	if err != nil {
		t.Fatalf("%s: %v", url, err)
	}
	body, err := io.ReadAll(f)
	if err = errors.Join(err, f.Close()); err != nil || int64(len(body)) != f.Size {
		t.Fatalf("%s: %d bytes of %d, %v", url, len(body), f.Size, err)
	}
	m, _, err := image.Decode(bytes.NewReader(body))
	if err != nil {
		t.Fatalf("%s: %v", url, err)
	}
	return m, body
}

// corners names the colours of a picture's corners, clockwise from the top left.
func corners(m image.Image) string {
	b := m.Bounds()
	x0, x1, y0, y1 := b.Min.X+b.Dx()/6, b.Max.X-b.Dx()/6-1, b.Min.Y+b.Dy()/6, b.Max.Y-b.Dy()/6-1
	var out []byte
	for _, p := range []image.Point{{x0, y0}, {x1, y0}, {x1, y1}, {x0, y1}} {
		r, g, bl, _ := m.At(p.X, p.Y).RGBA()
		switch {
		case r > 0xc000 && g > 0xc000 && bl > 0xc000:
			out = append(out, 'W')
		case r > 0xc000:
			out = append(out, 'R')
		case g > 0xc000:
			out = append(out, 'G')
		case bl > 0xc000:
			out = append(out, 'B')
		default:
			out = append(out, '?')
		}
	}
	return string(out)
}

func TestEveryOrientationIsAppliedAndForgotten(t *testing.T) {
	s := open(t)
	// What a viewer shows of a picture whose corners are stored as RGBW.
	shown := []string{"RGBW", "GRWB", "BWRG", "WBGR", "RWBG", "WRGB", "BGRW", "GBWR"}
	for i, want := range shown {
		for _, order := range []binary.AppendByteOrder{binary.LittleEndian, binary.BigEndian} {
			exif := tiff(order, uint16(i+1))
			for format, file := range map[string][]byte{"jpeg": asJPEG(t, quarters(90, 60), exif), "png": asPNG(t, quarters(90, 60), exif)} {
				name := fmt.Sprintf("%s %d %s", format, i+1, order)
				p, err := s.Add(t.Context(), file)
				if err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				m, body := load(t, s, p.URL)
				if got := corners(m); got != want {
					t.Errorf("%s: corners %s, want %s", name, got, want)
				}
				w, h := 90, 60
				if i >= 4 {
					w, h = 60, 90
				}
				if p.Width != w || p.Height != h || m.Bounds().Dx() != w {
					t.Errorf("%s: %d x %d, want %d x %d", name, p.Width, p.Height, w, h)
				}
				if bytes.Contains(body, []byte("GPS")) || bytes.Contains(body, []byte("Exif")) {
					t.Errorf("%s: the position is still in the file", name)
				}
			}
		}
	}
}

func TestSizes(t *testing.T) {
	s := open(t)
	p, err := s.Add(t.Context(), asJPEG(t, quarters(3300, 2200), nil))
	if err != nil {
		t.Fatal(err)
	}
	if p.Width != 1600 || p.Height != 1067 {
		t.Errorf("got %d x %d, want 1600 x 1067", p.Width, p.Height)
	}
	for _, size := range Sizes {
		m, _ := load(t, s, URL(p.URL, size))
		if m.Bounds().Dx() != size || corners(m) != "RGBW" {
			t.Errorf("%d: %v %s", size, m.Bounds(), corners(m))
		}
	}
	if !has(t, s, p.URL) || has(t, s, "/media/../secret") || has(t, s, "https://example.org/x.jpg") {
		t.Error("Has is wrong")
	}
	if got := URL("https://example.org/a.jpg", 400); got != "https://example.org/a.jpg" {
		t.Errorf("a foreign address became %s", got)
	}
}

func TestTransparencyStays(t *testing.T) {
	s := open(t)
	m := quarters(700, 300)
	for x := range 100 {
		m.SetRGBA(x, 5, color.RGBA{})
	}
	p, err := s.Add(t.Context(), asPNG(t, m, nil))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasSuffix(p.URL, ".png") {
		t.Fatalf("%s: want a PNG", p.URL)
	}
	got, _ := load(t, s, p.URL)
	if _, _, _, a := got.At(50, 5).RGBA(); a != 0 {
		t.Errorf("alpha %d, want 0", a)
	}
	if got, err := s.Add(t.Context(), asPNG(t, quarters(700, 300), nil)); err != nil || !strings.HasSuffix(got.URL, ".jpg") {
		t.Errorf("an opaque PNG became %s, %v: want a JPEG", got.URL, err)
	}
}

// bomb is a PNG of a few bytes that claims to be enormous.
func bomb(w, h uint32) []byte {
	head := append([]byte("IHDR"), binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, w), h)...)
	head = append(head, 8, 2, 0, 0, 0)
	b := append([]byte("\x89PNG\r\n\x1a\n"), 0, 0, 0, 13)
	b = append(b, head...)
	return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(head))
}

func TestRefused(t *testing.T) {
	s := open(t)
	whole := asJPEG(t, quarters(300, 300), nil)
	for name, c := range map[string]struct {
		file []byte
		want error
	}{
		"pixel bomb":          {bomb(50_000, 50_000), ErrTooLarge},
		"just too many":       {bomb(8_000, 5_001), ErrTooLarge},
		"a very long line":    {bomb(30_000, 1), ErrTooLarge},
		"heavy":               {append(bytes.Clone(whole), make([]byte, MaxBytes)...), ErrTooLarge},
		"nothing":             {nil, ErrFormat},
		"text":                {[]byte("<script>alert(1)</script>"), ErrFormat},
		"SVG":                 {[]byte(`<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>`), ErrFormat},
		"GIF":                 {[]byte("GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff;"), ErrFormat},
		"cut short":           {whole[:len(whole)/3], ErrFormat},
		"head alone":          {whole[:3], ErrFormat},
		"no pixels":           {bomb(0, 0), ErrFormat},
		"WebP of nonsense":    {[]byte("RIFF\x20\x00\x00\x00WEBPVP8 \x10\x00\x00\x00nonsensenonsense"), ErrFormat},
		"PNG with no content": {bomb(20, 20), ErrFormat},
	} {
		if p, err := s.Add(t.Context(), c.file); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v %v, want %v", name, p, err, c.want)
		}
	}
	if files, _ := os.ReadDir(dirOf(s)); len(files) > 0 {
		t.Errorf("%d files were left by what was refused", len(files))
	}
}

func TestPolyglotComesOutAsAPictureAlone(t *testing.T) {
	s := open(t)
	file := append(asJPEG(t, quarters(64, 64), nil), []byte("<script>alert(document.cookie)</script>PK\x03\x04")...)
	// A comment in the head as well.
	payload := []byte("<?php system($_GET['c']); ?>")
	file = append(append([]byte{0xff, 0xd8, 0xff, 0xfe}, binary.BigEndian.AppendUint16(nil, uint16(len(payload)+2))...), append(payload, file[2:]...)...)
	p, err := s.Add(t.Context(), file)
	if err != nil {
		t.Fatal(err)
	}
	for _, size := range Sizes {
		_, body := load(t, s, URL(p.URL, size))
		for _, word := range []string{"script", "php", "PK\x03\x04"} {
			if bytes.Contains(body, []byte(word)) {
				t.Errorf("%q is in the picture of size %d", word, size)
			}
		}
	}
}

func TestReadServesNothingElse(t *testing.T) {
	s := open(t)
	if err := os.WriteFile(filepath.Join(dirOf(s), "secret.jpg"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"secret.jpg", "../media.go", "", ".new-1", strings.Repeat("a", 32) + "-800.svg", strings.Repeat("a", 32) + "-800.jpg", strings.Repeat("a", 32) + "-801.jpg"} {
		if _, err := s.Read(t.Context(), name); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%q: %v, want not found", name, err)
		}
	}
}

// The smallest WebP pictures there are, lossy and lossless.
const (
	lossyWebP    = "UklGRiIAAABXRUJQVlA4IBYAAAAwAQCdASoBAAEADsD+JaQAA3AAAAAA"
	losslessWebP = "UklGRhoAAABXRUJQVlA4TA0AAAAvAAAAEAcQERGIiP4HAA=="
)

func decode64(t testing.TB, text string) []byte {
	t.Helper()
	b, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestWebP(t *testing.T) {
	s := open(t)
	for name, text := range map[string]string{"lossy": lossyWebP, "lossless": losslessWebP} {
		file := decode64(t, text)
		p, err := s.Add(t.Context(), file)
		if err != nil || p.Width != 1 || p.Height != 1 {
			t.Errorf("%s: %+v %v", name, p, err)
		}
		for want := 1; want <= 8; want++ {
			exif := append([]byte("Exif\x00\x00"), tiff(binary.LittleEndian, uint16(want))...)
			turned := append(bytes.Clone(file), "EXIF"...)
			turned = append(binary.LittleEndian.AppendUint32(turned, uint32(len(exif))), exif...)
			if got := orientation(sniff(turned), turned); got != want {
				t.Errorf("%s: orientation %d, want %d", name, got, want)
			}
		}
	}
}

func TestSweep(t *testing.T) {
	s := open(t)
	ctx := context.Background()
	used, err := s.Add(ctx, asJPEG(t, quarters(40, 40), nil))
	if err != nil {
		t.Fatal(err)
	}
	unused, err := s.Add(ctx, asJPEG(t, quarters(60, 40), nil))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dirOf(s), ".new-123"), []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	wanted := func(url string) bool { return url == used.URL }
	if n, err := s.Sweep(ctx, time.Now().Add(-time.Hour), wanted); n != 0 || err != nil {
		t.Errorf("young files: %d erased, %v", n, err)
	}
	if n, err := s.Sweep(ctx, time.Now().Add(time.Hour), wanted); n != 4 || err != nil {
		t.Errorf("%d erased, %v: want three sizes and a left-over", n, err)
	}
	if !has(t, s, used.URL) || has(t, s, unused.URL) {
		t.Error("the wrong picture is gone")
	}
}

func FuzzAdd(f *testing.F) {
	f.Add(asJPEG(f, quarters(8, 8), tiff(binary.LittleEndian, 6)))
	f.Add(asPNG(f, quarters(8, 8), tiff(binary.BigEndian, 8)))
	f.Add([]byte("RIFF\x20\x00\x00\x00WEBPEXIF\xff\xff\xff\xff"))
	m := quarters(16, 16)
	f.Add(jpegOf(planesOf(m, 3), 16, 16, true, nil, 2))
	f.Add(jpegOf(planesOf(m, 4), 16, 16, true, segment(0xee, []byte("Adobe\x00\x64\x00\x00\x00\x00\x00")), 0))
	f.Add(asPNG(f, image.NewPaletted(m.Bounds(), color.Palette{color.White, color.Transparent}), nil))
	f.Add(webpOf(8, 8, tiff(binary.LittleEndian, 7)))
	lossy, lossless := decode64(f, lossyWebP), decode64(f, losslessWebP)
	f.Add(lossy)
	f.Add(lossless)
	chunks := func(parts ...string) []byte { // the transparency apart, as it is and packed
		body := "WEBP" + strings.Join(parts, "") + string(lossy[12:])
		return []byte("RIFF" + string(binary.LittleEndian.AppendUint32(nil, uint32(len(body)))) + body)
	}
	f.Add(chunks("VP8X\x0a\x00\x00\x00\x10\x00\x00\x00\x00\x00\x00\x00\x00\x00", "ALPH\x02\x00\x00\x00\x04\x80"))
	f.Add(chunks("VP8X\x0a\x00\x00\x00\x10\x00\x00\x00\x00\x00\x00\x00\x00\x00", "ALPH\x0a\x00\x00\x00\x01"+string(lossless[25:33])+"\x00"))
	s := open(f)
	f.Fuzz(func(t *testing.T, file []byte) {
		for i := range formats {
			if n := orientation(&formats[i], file); n < 1 || n > 8 {
				t.Fatalf("orientation %d", n)
			}
		}
		if len(file) >= 2000 {
			return
		}
		if f := sniff(file); f != nil {
			if c, err := f.config(bytes.NewReader(file)); err == nil && c.Width*c.Height > 1<<18 {
				return // forty bytes can be thirty million pixels of one colour, which takes a second
			}
		}
		p, err := s.Add(t.Context(), file)
		if err == nil && (p.Width < 1 || p.Height < 1 || !has(t, s, p.URL)) {
			t.Fatalf("accepted and not kept: %+v", p)
		}
		if err != nil && !errors.Is(err, ErrFormat) && !errors.Is(err, ErrTooLarge) {
			t.Fatal(err)
		}
	})
}

func BenchmarkAdd(b *testing.B) {
	s := open(b)
	file := asJPEG(b, quarters(4000, 3000), tiff(binary.BigEndian, 6))
	for b.Loop() {
		if _, err := s.Add(b.Context(), file); err != nil {
			b.Fatal(err)
		}
	}
}
