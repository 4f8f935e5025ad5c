package media

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/jpeg"
	"image/png"
	"testing"
)

// shownAs is what a viewer shows of a picture whose corners are stored as RGBW, by its orientation.
var shownAs = []string{"RGBW", "GRWB", "BWRG", "WBGR", "RWBG", "WRGB", "BGRW", "GBWR"}

// Pictures as devices make them stand upright, whatever else is in the file, and nothing of it is kept.
func TestPicturesOfCameras(t *testing.T) {
	s := open(t)
	const w, h = 96, 64
	small := jpegOf(planesOf(quarters(32, 16), 3), 32, 16, false, nil, 0)
	deep := image.NewRGBA64(image.Rect(0, 0, w, h))
	draw.Draw(deep, deep.Bounds(), quarters(w, h), image.Point{}, draw.Src)
	few := image.NewPaletted(image.Rect(0, 0, w, h), color.Palette{color.RGBA{255, 0, 0, 255}, color.RGBA{0, 255, 0, 255}, color.RGBA{0, 0, 255, 255}, color.White})
	draw.Draw(few, few.Bounds(), quarters(w, h), image.Point{}, draw.Src)
	plain := func(m image.Image) []byte {
		var b bytes.Buffer
		if err := png.Encode(&b, m); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	adobe := segment(0xee, []byte("Adobe\x00\x64\x00\x00\x00\x00\x00")) // four colours as they are
	for i, want := range shownAs {
		orientation := uint16(i + 1)
		head := cameraHead(orientation, small)
		exif := tiff(binary.LittleEndian, orientation)
		for name, file := range map[string][]byte{
			"camera":                        jpegOf(planesOf(quarters(w, h), 3), w, h, false, head, 0),
			"camera, with more pictures":    append(jpegOf(planesOf(quarters(w, h), 3), w, h, false, head, 0), small...),
			"progressive":                   jpegOf(planesOf(quarters(w, h), 3), w, h, true, head, 0),
			"progressive, small head":       jpegOf(planesOf(quarters(w, h), 3), w, h, true, segment(0xe1, exifHead, exif), 0),
			"four colours":                  jpegOf(planesOf(quarters(w, h), 4), w, h, false, append(bytes.Clone(adobe), head...), 0),
			"four colours, progressive":     jpegOf(planesOf(quarters(w, h), 4), w, h, true, append(bytes.Clone(adobe), head...), 0),
			"Go's own":                      asJPEG(t, quarters(w, h), exif),
			"PNG of 16 bits, EXIF behind":   pngChunk(plain(deep), "eXIf", exif),
			"PNG with a palette":            pngChunk(plain(few), "eXIf", exif),
			"PNG with a profile and a text": pngChunk(pngChunk(plain(quarters(w, h)), "tEXt", []byte("Comment\x00GPS")), "eXIf", exif),
			"WebP":                          webpOf(w, h, exif),
			"WebP, EXIF with a head":        webpOf(w, h, append(bytes.Clone(exifHead), exif...)),
		} {
			name = fmt.Sprintf("%s, orientation %d", name, orientation)
			p, err := s.Add(t.Context(), file)
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			width, height := w, h
			if orientation >= 5 {
				width, height = h, w
			}
			if p.Width != width || p.Height != height {
				t.Errorf("%s: %d x %d", name, p.Width, p.Height)
			}
			for _, size := range Sizes {
				m, body := load(t, s, URL(p.URL, size))
				if got := corners(m); got != want {
					t.Errorf("%s, size %d: corners %s, want %s", name, size, got, want)
				}
				for _, word := range []string{"GPS", "Exif", "ICC", "XMP", "MPF", "Adobe"} {
					if bytes.Contains(body, []byte(word)) {
						t.Errorf("%s: %s is still in the file", name, word)
					}
				}
			}
		}
	}
	gray := image.NewGray16(image.Rect(0, 0, 40, 30))
	if p, err := s.Add(t.Context(), plain(gray)); err != nil || p.Width != 40 {
		t.Errorf("grey of 16 bits: %v %v", p, err)
	}
}

// Files that look like pictures and would cost too much, or are cut anywhere.
func TestPicturesThatAreTraps(t *testing.T) {
	s := open(t)
	const w, h = 96, 64
	planes := planesOf(quarters(w, h), 3)
	if _, err := s.Add(t.Context(), jpegOf(planes, w, h, true, nil, 20)); err != nil {
		t.Errorf("a few scans too many: %v", err)
	}
	if _, err := s.Add(t.Context(), jpegOf(planes, w, h, true, nil, 5000)); !errors.Is(err, ErrFormat) {
		t.Errorf("a file that goes over the picture 5000 times: %v", err)
	}
	if _, err := s.Add(t.Context(), emptyScans(320, 260, 100)); err != nil {
		t.Errorf("a small picture gone over 100 times: %v", err)
	}
	if _, err := s.Add(t.Context(), emptyScans(3200, 2600, 100)); !errors.Is(err, ErrFormat) {
		t.Errorf("a file that goes 100 times over eight million pixels: %v", err)
	}
	whole := map[string][]byte{
		"camera": jpegOf(planes, w, h, false, cameraHead(6, nil), 0), "progressive": jpegOf(planes, w, h, true, cameraHead(6, nil), 0), "four colours": jpegOf(planesOf(quarters(w, h), 4), w, h, false, segment(0xee, []byte("Adobe\x00\x64\x00\x00\x00\x00\x00")), 0),
		"WebP": webpOf(w, h, tiff(binary.BigEndian, 6)), "PNG": asPNG(t, quarters(w, h), tiff(binary.BigEndian, 6)),
	}
	for name, file := range whole {
		if _, err := s.Add(t.Context(), file); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for n := 0; n < len(file); n += 1 + len(file)/60 {
			if p, err := s.Add(t.Context(), file[:n]); err == nil {
				// What is only behind the pixels may be missing.
				if m, _ := load(t, s, p.URL); m.Bounds().Dx() != w && m.Bounds().Dx() != h {
					t.Errorf("%s cut after %d of %d bytes became %v", name, n, len(file), m.Bounds())
				}
			} else if !errors.Is(err, ErrFormat) && !errors.Is(err, ErrTooLarge) {
				t.Errorf("%s cut after %d bytes: %v", name, n, err)
			}
		}
		// A page, a script and an archive behind it, and its name in its head.
		poly := append(bytes.Clone(file), []byte("<script>alert(1)</script>PK\x03\x04%PDF-1.7")...)
		p, err := s.Add(t.Context(), poly)
		if err != nil {
			continue // it may as well be refused
		}
		for _, size := range Sizes {
			if _, body := load(t, s, URL(p.URL, size)); bytes.Contains(body, []byte("script")) || bytes.Contains(body, []byte("%PDF")) {
				t.Errorf("%s: what was behind the picture is in it", name)
			}
		}
	}
	// EXIF that leads nowhere, or round in a circle, is no orientation, and no obstacle.
	for name, block := range map[string][]byte{
		"directory behind the end": []byte("MM\x00*\xff\xff\xff\xff"), "itself": []byte("MM\x00*\x00\x00\x00\x00"), "many entries": append([]byte("II*\x00\x08\x00\x00\x00\xff\xff"), make([]byte, 50)...),
		"orientation 9": tiff(binary.LittleEndian, 9), "orientation 0": tiff(binary.BigEndian, 0), "short": []byte("MM"), "nothing": nil,
	} {
		var b bytes.Buffer
		if err := jpeg.Encode(&b, quarters(60, 40), &jpeg.Options{Quality: 95}); err != nil {
			t.Fatal(err)
		}
		file := append(append(bytes.Clone(b.Bytes()[:2]), segment(0xe1, exifHead, block)...), b.Bytes()[2:]...)
		p, err := s.Add(t.Context(), file)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if m, _ := load(t, s, p.URL); corners(m) != "RGBW" {
			t.Errorf("%s: %s", name, corners(m))
		}
	}
}
