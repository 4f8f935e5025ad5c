package media

import (
	"bytes"
	"image"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/image/draw"
)

// realPictures are the pictures that packages of npm bring along (see .ci/run), as another reader of EXIF describes them:
// how they are stored, their orientation (0: none is said), and which of them show the same when they are looked at.
var realPictures = map[string]struct {
	w, h, orientation int
	shows             string
}{
	"exif-orient/Landscape_1.jpg": {600, 450, 1, "landscape"}, "exif-orient/Portrait_1.jpg": {450, 600, 1, "portrait"},
	"exif-orient/Landscape_2.jpg": {600, 450, 2, "landscape"}, "exif-orient/Portrait_2.jpg": {450, 600, 2, "portrait"},
	"exif-orient/Landscape_3.jpg": {600, 450, 3, "landscape"}, "exif-orient/Portrait_3.jpg": {450, 600, 3, "portrait"},
	"exif-orient/Landscape_4.jpg": {600, 450, 4, "landscape"}, "exif-orient/Portrait_4.jpg": {450, 600, 4, "portrait"},
	"exif-orient/Landscape_5.jpg": {450, 600, 5, "landscape"}, "exif-orient/Portrait_5.jpg": {600, 450, 5, "portrait"},
	"exif-orient/Landscape_6.jpg": {450, 600, 6, "landscape"}, "exif-orient/Portrait_6.jpg": {600, 450, 6, "portrait"},
	"exif-orient/Landscape_7.jpg": {450, 600, 7, "landscape"}, "exif-orient/Portrait_7.jpg": {600, 450, 7, "portrait"},
	"exif-orient/Landscape_8.jpg": {450, 600, 8, "landscape"}, "exif-orient/Portrait_8.jpg": {600, 450, 8, "portrait"},

	"exif/sony-alpha-6000.jpg":   {6000, 4000, 1, ""}, // 24 million pixels
	"exif/short-ascii-II.jpg":    {4208, 3120, 1, ""}, // Xiaomi MI 3, with a position
	"exif/evil1.jpg":             {640, 480, 1, ""},   // Canon PowerShot S400, its EXIF damaged
	"exif/short-ascii-MM.jpg":    {480, 360, 1, ""},   // Canon PowerShot S40
	"exif/test1.jpg":             {180, 135, 1, ""},   // Apple iPhone 4S, with a position
	"exif/test2.jpg":             {180, 142, 0, ""},   // Apple iPhone 4S, with a position
	"exif/test3.jpg":             {180, 135, 1, ""},   // Apple iPhone 4S, with a position
	"exif/down-mirrored.jpg":     {480, 640, 4, ""},   // of one colour channel
	"exif/right.jpg":             {640, 480, 8, ""},   // of one colour channel
	"exif/lens_info.jpg":         {1, 1, 0, ""},
	"exif-js/DSCN0614_small.jpg": {400, 300, 1, ""}, // Nikon E4600
	"exif-js/dsc_09827.jpg":      {400, 266, 1, ""}, // Nikon D100
	"exif-js/Bloated-Hero.jpg":   {1024, 576, 1, ""},
	"exif-js/Bush-dog.jpg":       {400, 398, 1, ""},
	"exif-parser/starfish.jpg":   {1278, 720, 1, ""}, // Nokia Lumia 820, with a position
	"exif-parser/test.jpg":       {2, 1, 1, ""},
}

// Pictures of real cameras stand upright, fit, and keep nothing but their pixels. The folder comes of .ci/run.
func TestRealCameras(t *testing.T) {
	dir := os.Getenv("ARCHIPEL_TEST_CAMERAS")
	if dir == "" {
		t.Skip("ARCHIPEL_TEST_CAMERAS names no folder with pictures of real cameras; .ci/run fetches them")
	}
	paths, err := filepath.Glob(filepath.Join(dir, "*", "*.jpg"))
	if err != nil || len(paths) != len(realPictures) {
		t.Fatalf("%d pictures in %s, want %d: %v", len(paths), dir, len(realPictures), err)
	}
	s := open(t)
	first := map[string]*image.RGBA{}
	for _, path := range paths { // by name: the upright one of each set comes first
		name := filepath.Base(filepath.Dir(path)) + "/" + filepath.Base(path)
		want, known := realPictures[name]
		file, err := os.ReadFile(path)
		if err != nil || !known {
			t.Errorf("%s: known %v, %v", name, known, err)
			continue
		}
		p, err := s.Add(t.Context(), file)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		w, h := want.w, want.h
		if want.orientation >= 5 {
			w, h = h, w
		}
		for i, size := range Sizes {
			m, body := load(t, s, URL(p.URL, size))
			got := m.Bounds().Size()
			scale := min(1, float64(size)/float64(max(w, h)))
			if math.Abs(float64(got.X)-float64(w)*scale) > 1 || math.Abs(float64(got.Y)-float64(h)*scale) > 1 || max(got.X, got.Y) > size {
				t.Errorf("%s of %d x %d, orientation %d: %v at size %d", name, want.w, want.h, want.orientation, got, size)
			}
			if left := besidesPixels(body); left != "" {
				t.Errorf("%s, size %d: %s is left", name, size, left)
			}
			if i > 0 || want.shows == "" {
				continue
			}
			seen, same := sample(m), first[want.shows]
			if same == nil {
				first[want.shows] = seen
				continue
			}
			// The first of each set is another edition, and each bears its number: what counts is that no other way of standing
			// is nearly as near.
			near := difference(same, seen)
			for o := 2; o <= 8; o++ {
				if far := difference(sample(upright(same, o)), seen); near > 20 || near > far/2 {
					t.Errorf("%s: %.1f of 255 from how it should stand, %.1f from how it would by orientation %d", name, near, far, o)
				}
			}
		}
	}
	if len(first) != 2 {
		t.Errorf("%d sets of eight, want 2", len(first))
	}
}

// besidesPixels names the segments of a JPEG file that say anything but pixels, and what stands behind its end.
func besidesPixels(b []byte) string {
	var left []string
	i := 2
	for ; i+4 <= len(b) && b[i] == 0xff && b[i+1] != 0xda; i += 2 + int(b[i+2])<<8 + int(b[i+3]) {
		if m := b[i+1]; m >= 0xe0 && m <= 0xef || m == 0xfe {
			left = append(left, "a segment "+string("0123456789abcdef"[m>>4])+string("0123456789abcdef"[m&15]))
		}
	}
	if i > len(b) || bytes.Index(b[i:], []byte{0xff, 0xd9}) != len(b)-i-2 || bytes.Contains(b[2:], []byte{0xff, 0xd8, 0xff}) {
		left = append(left, "something behind the picture, or a picture in it")
	}
	return strings.Join(left, ", ")
}

// sample is a picture at 32 x 32 pixels.
func sample(m image.Image) *image.RGBA {
	out := image.NewRGBA(image.Rect(0, 0, 32, 32))
	draw.BiLinear.Scale(out, out.Bounds(), m, m.Bounds(), draw.Src, nil)
	return out
}

// difference is how far apart the channels of two pictures of one size are on average, 0 to 255.
func difference(a, b *image.RGBA) float64 {
	sum := 0.0
	for i := range a.Pix {
		sum += math.Abs(float64(a.Pix[i]) - float64(b.Pix[i]))
	}
	return sum / float64(len(a.Pix)) * 4 / 3 // alpha is the same everywhere
}
