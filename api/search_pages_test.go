package api_test

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestMoreOfASearch reads a search page by page, as QGIS does, while somebody writes.
func TestMoreOfASearch(t *testing.T) {
	s := openFinding(t, nil)
	next := func(c collection) string {
		for _, l := range c.Links {
			if l.Rel == "next" {
				return strings.TrimPrefix(l.Href, "http://example.com")
			}
		}
		return ""
	}
	const query = "/api/collections/entries/items?q=v%C3%A9lo&limit=5"
	var all, page collection
	s.json("/api/collections/entries/items?q=v%C3%A9lo&limit=1000", &all)
	s.json(query, &page)
	listed := map[string]bool{}
	for n := 0; ; n++ {
		for _, f := range page.Features {
			if listed[f.ID] {
				t.Errorf("%s is listed twice", f.ID)
			}
			listed[f.ID] = true
		}
		at := next(page)
		if at == "" {
			break
		}
		s.put(place("Vélo de passage", "Lyon", 4.84, 45.76, "atelier-velo"))
		for end := time.Now().Add(2 * time.Minute); s.server.Search.Status(t.Context()).At < s.d.Head(); time.Sleep(5 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatal("the index does not follow")
			}
		}
		page = collection{}
		s.json(at, &page)
		if n > 50 {
			t.Fatal("it never ends")
		}
	}
	for _, f := range all.Features {
		if !listed[f.ID] {
			t.Errorf("%s was left out", f.ID)
		}
	}
	if len(all.Features) < 10 {
		t.Fatalf("only %d are found", len(all.Features))
	}
	for _, after := range []string{"x", "AAAA", "%3F%3F"} {
		if a := s.get(query + "&after=" + after); a.StatusCode != http.StatusBadRequest || !strings.Contains(a.body, `"field":"after"`) {
			t.Errorf("after=%s: %d %s", after, a.StatusCode, a.body)
		}
	}
}
