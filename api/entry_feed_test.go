package api_test

import (
	"encoding/xml"
	"net/http"
	"strings"
	"testing"

	"archipel/directory"
)

// TestEntryFeed: the news of an organisation are itself and what it organises, as Atom and as RSS, and no drafts.
func TestEntryFeed(t *testing.T) {
	s := open(t)
	made := s.put(event("Repair café <b>", paris(13, 14), "FREQ=WEEKLY"), event("Brouillon", paris(14, 14), ""), event("D’autres", paris(15, 14), ""))
	made[1].Status = directory.Draft
	draft := s.put(made[1])[0]
	asso := s.put(directory.Entry{Kind: directory.Organisation, Name: "Asso", Relations: []directory.Relation{{Rel: "organises", Target: made[0].ID}, {Rel: "organises", Target: draft.ID}}})[0]
	var atom struct {
		ID      string `xml:"id"`
		Title   string `xml:"title"`
		Entries []struct {
			Title string `xml:"title"`
		} `xml:"entry"`
	}
	a := s.get("/e/asso.atom")
	if err := xml.Unmarshal([]byte(a.body), &atom); err != nil || a.StatusCode != http.StatusOK || !strings.HasPrefix(a.Header.Get("Content-Type"), "application/atom+xml") {
		t.Fatalf("%d %s: %v", a.StatusCode, a.Header.Get("Content-Type"), err)
	}
	if atom.Title != "Asso" || !strings.HasSuffix(atom.ID, "/id/"+string(asso.ID)+"#news") || len(atom.Entries) != 2 || strings.Contains(a.body, "Brouillon") || strings.Contains(a.body, "D’autres") {
		t.Errorf("got %+v", atom)
	}
	var rss struct {
		Items []struct {
			Title string `xml:"title"`
		} `xml:"channel>item"`
	}
	if a := s.get("/e/asso.rss"); xml.Unmarshal([]byte(a.body), &rss) != nil || len(rss.Items) != 2 || !strings.HasPrefix(a.Header.Get("Content-Type"), "application/rss+xml") {
		t.Errorf("%d %s", a.StatusCode, a.body)
	}
	if again := s.get("/e/asso.atom", "If-None-Match", a.Header.Get("ETag")); again.StatusCode != http.StatusNotModified {
		t.Errorf("the same again: %d", again.StatusCode)
	}
	made[0].Summary = "Venez"
	s.put(made[0])
	if again := s.get("/e/asso.atom", "If-None-Match", a.Header.Get("ETag")); again.StatusCode != http.StatusOK || !strings.Contains(again.body, "Venez") {
		t.Errorf("after a change: %d", again.StatusCode)
	}
	for path, want := range map[string]int{"/e/brouillon.atom": 404, "/e/nobody.rss": 404, "/e/repair-cafe-b.atom": 200} {
		if got := s.get(path).StatusCode; got != want {
			t.Errorf("%s: %d, want %d", path, got, want)
		}
	}
	page := s.get("/e/asso").body
	for _, want := range []string{`href="/e/asso.atom"`, `type="application/rss+xml"`, `type="text/calendar"`} {
		if !strings.Contains(page, want) {
			t.Errorf("the page does not lead to %s", want)
		}
	}
}
