package api_test

import (
	"fmt"
	"html"
	"net/http"
	"regexp"
	"strings"
	"testing"
)

func TestEmbed(t *testing.T) {
	s := open(t)
	fill(s)
	for _, c := range []struct{ name, path, want, not string }{
		{"list", "/embed", "La Fourmilière", "<script"},
		{"filtered", "/embed?category=coworking&theme=dark", `class="theme-dark"`, "Café des Possibles"},
		{"map", "/embed?view=map&theme=light", `class="canvas"`, "Brouillon"},
		{"agenda", "/embed?view=agenda&lang=en", "Atelier du samedi", "La Fourmilière"},
		{"another language", "/embed?lang=en", `<html lang="en"`, "site-header"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := s.get(c.path, "Accept", "text/html")
			if a.StatusCode != http.StatusOK || !strings.Contains(a.body, c.want) || strings.Contains(a.body, c.not) {
				t.Errorf("got %d\n%s", a.StatusCode, a.body)
			}
			if strings.Contains(a.body, `<header class="site"`) || strings.Contains(a.body, "<form") {
				t.Error("it has the header or the forms of the site")
			}
			if got := a.Header.Get("Content-Security-Policy"); !strings.Contains(got, "frame-ancestors *") {
				t.Errorf("policy %q", got)
			}
			if got := a.Header.Values("Set-Cookie"); len(got) > 0 {
				t.Errorf("it sets %q", got)
			}
			if strings.Contains(a.body, "style=\"") || regexp.MustCompile(`(src|href)="https?://[^e]`).MatchString(a.body) {
				t.Error("it loads something from elsewhere, or has inline styles")
			}
		})
	}
	for _, path := range []string{"/", "/agenda", "/embed/new", "/e/la-fourmiliere", "/about"} {
		if got := s.get(path).Header.Get("Content-Security-Policy"); !strings.Contains(got, "frame-ancestors 'self'") {
			t.Errorf("%s: policy %q", path, got)
		}
	}
}

// TestIconIsThere follows the address that browsers ask for by themselves.
func TestIconIsThere(t *testing.T) {
	s := open(t)
	a := s.get("/favicon.ico")
	if icon := s.get(a.Header.Get("Location")); a.StatusCode != http.StatusMovedPermanently || icon.StatusCode != http.StatusOK {
		t.Errorf("got %d, then %d", a.StatusCode, icon.StatusCode)
	}
}

func TestEmbedSnippet(t *testing.T) {
	s := open(t)
	fill(s)
	a := s.get(`/embed/new?q="><script>alert(1)</script>&view=agenda&theme=dark&frame_lang=en&width=400&height=700&category=coworking`)
	if a.StatusCode != http.StatusOK || strings.Contains(a.body, "<script>alert") {
		t.Fatalf("got %d", a.StatusCode)
	}
	m := regexp.MustCompile(`(?s)<textarea[^>]*>(.*?)</textarea>`).FindStringSubmatch(a.body)
	if m == nil {
		t.Fatal("no snippet")
	}
	code := html.UnescapeString(m[1])
	frame := regexp.MustCompile(`<iframe src="([^"]*)" title="[^"]+" width="400" height="700"`).FindStringSubmatch(code)
	if frame == nil || strings.Contains(code, "<script") {
		t.Fatalf("got %s", code)
	}
	src := html.UnescapeString(frame[1])
	for _, want := range []string{"http://example.com/embed?", "category=coworking", "view=agenda", "theme=dark", "lang=en", "q=%22%3E%3Cscript"} {
		if !strings.Contains(src, want) {
			t.Errorf("%s is not in %s", want, src)
		}
	}
	if got := s.get(strings.TrimPrefix(src, "http://example.com")); got.StatusCode != http.StatusOK || strings.Contains(got.body, "<script>alert") {
		t.Errorf("the frame: got %d", got.StatusCode)
	}
}

// TestBadParametersOfPages holds that what makes no sense is refused and named, on every page with filters.
func TestBadParametersOfPages(t *testing.T) {
	s := open(t)
	fillAgenda(s)
	for _, c := range []struct{ path, field string }{
		{"/agenda?view=year", "view"}, {"/agenda?date=2027-02-30", "date"}, {"/agenda?date=0001-01-01", "date"}, {"/agenda?date=9999-12-31", "date"}, {"/agenda?date=demain", "date"},
		{"/agenda?bbox=1,2,3", "bbox"}, {"/agenda?category=none", "category"}, {"/agenda?datetime=soon", "datetime"}, {"/agenda?near=400,2", "near"}, {"/agenda?view=day&date=2027-03-13&after=x", "after"},
		{"/agenda?view=day&date=2027-03-13&after=-1", "after"}, {"/agenda?q=" + strings.Repeat("a", 300), "q"},
		{"/embed?view=grid", "view"}, {"/embed?theme=pink", "theme"}, {"/embed?view=agenda&date=x", "date"}, {"/embed?bbox=x", "bbox"},
		{"/embed/new?width=5", "width"}, {"/embed/new?height=99999", "height"}, {"/embed/new?height=tall", "height"}, {"/embed/new?frame_lang=xx", "frame_lang"}, {"/embed/new?category=none", "category"},
	} {
		t.Run(c.path, func(t *testing.T) {
			a := s.get(c.path, "Accept", "application/json")
			if a.StatusCode != http.StatusBadRequest || !strings.Contains(a.body, fmt.Sprintf(`"field":"%s"`, c.field)) {
				t.Errorf("got %d %s, want 400 about %s", a.StatusCode, a.body, c.field)
			}
		})
	}
}
