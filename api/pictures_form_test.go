package api_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"archipel/directory/media"
)

// shot is a picture of a size, of one colour.
func shot(t testing.TB, w, h int, c color.Color) []byte {
	t.Helper()
	m := image.NewRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			m.Set(x, y, c)
		}
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, m, nil); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// illustrated is an entry with three pictures, red, green and blue.
func (p *author) illustrated() {
	p.t.Helper()
	p.owned("La Fourmilière")
	for i, c := range []color.Color{color.RGBA{255, 0, 0, 255}, color.RGBA{0, 255, 0, 255}, color.RGBA{0, 0, 255, 255}} {
		v := p.fieldsOfPage("/e/la-fourmiliere/edit")
		v.Set("picture_alt", []string{"rouge", "vert", "bleu"}[i])
		p.send("/e/la-fourmiliere/edit", v, file{"x.jpg", shot(p.t, 2000-500*i, 1000, c)}).leads(p.t, "^/e/")
	}
}

func (s *site) alts() string {
	var out []string
	for _, m := range s.bySlug("la-fourmiliere").Images {
		out = append(out, m.Alt)
	}
	return strings.Join(out, " ")
}

func TestPicturesComeInSizes(t *testing.T) {
	s := openPosting(t)
	anna := s.member("Anna")
	anna.illustrated()
	e := s.bySlug("la-fourmiliere")
	if e.Images[0].Width != 1600 || e.Images[0].Height != 800 || e.Images[2].Width != 1000 || e.Images[2].Height != 1000 {
		t.Fatalf("%+v", e.Images)
	}
	body := s.get("/e/la-fourmiliere").body
	for i, widths := range []string{"400w,800w,1600w", "400w,800w,1500w", "400w,800w,1000w"} {
		tag := regexp.MustCompile(`<img[^>]*alt="` + e.Images[i].Alt + `"[^>]*>`).FindString(body)
		var got []string
		for _, one := range strings.Split(attribute(tag, "srcset"), ", ") {
			address, width, _ := strings.Cut(one, " ")
			got = append(got, width)
			p := s.get(address)
			m, _, err := image.DecodeConfig(strings.NewReader(p.body))
			if err != nil || fmt.Sprintf("%dw", m.Width) != width || p.Header.Get("Content-Length") != fmt.Sprint(len(p.body)) {
				t.Errorf("%s is %d wide, %v %v", one, m.Width, err, p.Header)
			}
		}
		if strings.Join(got, ",") != widths || attribute(tag, "sizes") == "" || attribute(tag, "width") != fmt.Sprint(e.Images[i].Width) ||
			attribute(tag, "height") != fmt.Sprint(e.Images[i].Height) || attribute(tag, "loading") != "lazy" {
			t.Errorf("%s", tag)
		}
	}
	edit := anna.open("/e/la-fourmiliere/edit").body
	if !strings.Contains(edit, `width="160"`) || !strings.Contains(edit, `height="80"`) && !strings.Contains(edit, `width="160" height="80"`) {
		t.Error("the form does not keep the place of the pictures")
	}
	// A browser that has it is told so, and nothing is sent.
	p := s.visitor().do(http.MethodGet, e.Images[0].URL, "", nil, "If-None-Match", `"`+strings.TrimPrefix(e.Images[0].URL, media.Prefix)+`"`)
	if p.StatusCode != http.StatusNotModified || p.body != "" {
		t.Errorf("%d, %d bytes", p.StatusCode, len(p.body))
	}
	if p := s.visitor().do(http.MethodHead, e.Images[0].URL, "", nil); p.StatusCode != http.StatusOK || p.body != "" {
		t.Errorf("HEAD: %d, %d bytes", p.StatusCode, len(p.body))
	}
}

func TestPicturesAreOrderedDescribedAndRemoved(t *testing.T) {
	s := openPosting(t)
	anna := s.member("Anna")
	anna.illustrated()
	for _, c := range []struct {
		orders [3]string
		want   string
	}{
		{[3]string{"1", "2", "3"}, "rouge vert bleu"}, {[3]string{"1", "2", "1"}, "bleu rouge vert"}, {[3]string{"3", "2", "3"}, "rouge vert bleu"},
		{[3]string{"3", "1", "2"}, "vert bleu rouge"}, {[3]string{"x", "-1", "99"}, "vert bleu rouge"}, {[3]string{"2", "2", "3"}, "bleu vert rouge"}, {[3]string{"3", "2", "1"}, "rouge vert bleu"},
	} {
		v := anna.fieldsOfPage("/e/la-fourmiliere/edit")
		for i, n := range c.orders {
			v.Set(fmt.Sprintf("images[%d].order", i), n)
		}
		anna.send("/e/la-fourmiliere/edit", v).leads(t, "^/e/")
		if got := s.alts(); got != c.want {
			t.Errorf("%v: %s, want %s", c.orders, got, c.want)
		}
	}
	v := anna.fieldsOfPage("/e/la-fourmiliere/edit")
	v.Set("images[1].alt", `vert & "calme"`)
	v.Set("images[0].remove", "1")
	v.Set("images[0].order", "3")
	anna.send("/e/la-fourmiliere/edit", v).leads(t, "^/e/")
	if got := s.alts(); got != `vert & "calme" bleu` {
		t.Errorf("got %s", got)
	}
	v = anna.fieldsOfPage("/e/la-fourmiliere/edit")
	v.Set("images[0].alt", "")
	if a := anna.send("/e/la-fourmiliere/edit", v); a.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(a.body, "#f-images-0-alt") {
		t.Errorf("%d", a.StatusCode)
	}
	// Pictures that nobody uploaded are none, wherever they are said to be.
	v = anna.fieldsOfPage("/e/la-fourmiliere/edit")
	for i, address := range []string{"/media/" + strings.Repeat("0", 32) + "-1600.jpg", "https://evil.example/x.jpg", "/media/../x", "javascript:alert(1)"} {
		v.Set(fmt.Sprintf("images[%d].url", 2+i), address)
		v.Set(fmt.Sprintf("images[%d].alt", 2+i), "x")
	}
	anna.send("/e/la-fourmiliere/edit", v).leads(t, "^/e/")
	if got := s.alts(); got != `vert & "calme" bleu` {
		t.Errorf("got %s", got)
	}
}

// While the place of the pictures cannot be reached, forms keep what was typed, say so, and lose no picture.
func TestPicturesAway(t *testing.T) {
	s := openPosting(t)
	anna := s.member("Anna")
	anna.illustrated()
	before := s.alts()
	away, err := media.OpenBucket("s3://key:secret@127.0.0.1:1/pictures?tls=off")
	if err != nil {
		t.Fatal(err)
	}
	if err := away.Reach(context.Background()); !errors.Is(err, media.ErrAway) {
		t.Fatalf("%v", err)
	}
	s.server.Media = away
	v := anna.fieldsOfPage("/e/la-fourmiliere/edit")
	v.Set("summary", "gardé")
	v.Set("picture_alt", "encore")
	a := anna.send("/e/la-fourmiliere/edit", v, file{"x.jpg", photo(t)})
	if a.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(a.body, `href="#f-picture"`) || !strings.Contains(a.body, "gardé") || !strings.Contains(a.body, `value="encore"`) {
		t.Errorf("%d %s", a.StatusCode, plainProblems(a.body))
	}
	// An address that the form has and the entry has not: nobody can say whether it is there.
	v = anna.fieldsOfPage("/e/la-fourmiliere/edit")
	v.Set("images[3].url", "/media/"+strings.Repeat("1", 32)+"-1600.jpg")
	v.Set("images[3].alt", "peut-être")
	if a := anna.send("/e/la-fourmiliere/edit", v); a.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(a.body, "peut-être") {
		t.Errorf("%d %s", a.StatusCode, plainProblems(a.body))
	}
	// What the entry has already needs no look.
	v = anna.fieldsOfPage("/e/la-fourmiliere/edit")
	v.Set("summary", "autre")
	anna.send("/e/la-fourmiliere/edit", v).leads(t, "^/e/")
	if got := s.alts(); got != before || s.bySlug("la-fourmiliere").Summary != "autre" {
		t.Errorf("got %s", got)
	}
	if a := s.get(s.bySlug("la-fourmiliere").Images[0].URL); a.StatusCode != http.StatusServiceUnavailable || strings.Contains(a.body, "127.0.0.1") || strings.Contains(a.Header.Get("Cache-Control"), "immutable") {
		t.Errorf("%d %v %s", a.StatusCode, a.Header, a.body)
	}
}
