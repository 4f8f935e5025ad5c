package transfer

import (
	"bytes"
	"encoding/xml"
	"strings"
	"testing"
	"time"
)

// TestRSS reads the feed back: what names and texts say stays text, ids stay when an entry changes.
func TestRSS(t *testing.T) {
	var b bytes.Buffer
	write(t, NewRSS(&b, ExportOptions{Title: "Près d'ici <&>", Home: "https://here.example/?a=1&b=2", Lang: "fr", Page: pageOf, Updated: time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)}), sample())
	var feed struct {
		XMLName xml.Name `xml:"rss"`
		Version string   `xml:"version,attr"`
		Channel struct {
			Title    string `xml:"title"`
			Link     string `xml:"link"`
			Language string `xml:"language"`
			Items    []struct {
				Title       string `xml:"title"`
				Link        string `xml:"link"`
				Description string `xml:"description"`
				PubDate     string `xml:"pubDate"`
				GUID        struct {
					ID        string `xml:",chardata"`
					PermaLink string `xml:"isPermaLink,attr"`
				} `xml:"guid"`
			} `xml:"item"`
		} `xml:"channel"`
	}
	if err := xml.Unmarshal(b.Bytes(), &feed); err != nil {
		t.Fatalf("%v in\n%s", err, b.String())
	}
	c := feed.Channel
	if feed.Version != "2.0" || c.Title != "Près d'ici <&>" || c.Link != "https://here.example/?a=1&b=2" || c.Language != "fr" || len(c.Items) != 3 {
		t.Fatalf("the feed is %+v", feed)
	}
	first, e := c.Items[0], sample()[0]
	if first.Title != e.Name || !strings.Contains(first.Description, e.Summary) || first.Link != pageOf(&e) || first.GUID.ID != "urn:uuid:"+string(e.ID) || first.GUID.PermaLink != "false" {
		t.Errorf("the first item is %+v", first)
	}
	if at, err := time.Parse(time.RFC1123, first.PubDate); err != nil || !at.Equal(e.Updated) {
		t.Errorf("its time is %q: %v", first.PubDate, err)
	}
	for _, secret := range []string{"secret@example.org", "<script>"} {
		if strings.Contains(b.String(), secret) {
			t.Errorf("the feed has %q", secret)
		}
	}
}

// TestEmptyRSS: a list without entries is a feed all the same.
func TestEmptyRSS(t *testing.T) {
	var b bytes.Buffer
	write(t, NewRSS(&b, ExportOptions{}), nil)
	if err := xml.Unmarshal(b.Bytes(), new(struct{})); err != nil {
		t.Errorf("%v in\n%s", err, b.String())
	}
}
