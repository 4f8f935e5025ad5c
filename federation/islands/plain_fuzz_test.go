package islands_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"archipel/directory"
	"archipel/federation/fetch"
	"archipel/federation/islands"
)

// FuzzPlain reads what servers say of events: whatever they say, what comes of it is an entry that can be kept, under the host
// that its id names, and what is kept is read again as the same.
func FuzzPlain(f *testing.F) {
	files, err := filepath.Glob("../testdata/peers/*/*event*.json")
	if err != nil || len(files) < 5 {
		f.Fatal(len(files), err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		var doc struct {
			Object json.RawMessage `json:"object"`
		}
		if err := json.Unmarshal(b, &doc); err != nil {
			f.Fatal(err)
		}
		f.Add([]byte(doc.Object))
	}
	f.Add([]byte(`{"id":"https://a.example/id/0190a3a0-7b1c-7e2f-8d3c-1f2e3d4c5b6a","type":["Event"],"name":"x","startTime":"2027-01-01T00:00:00Z","location":["y",{"type":"VirtualLocation","url":"https://v.example"}],"contentMap":{"fr":"<p>a","zz-":"b"}}`))
	f.Add([]byte(`{"id":"http://[::1]:80/x","type":"Event","name":"\u202ex\n","startTime":"0001-01-01T00:00:00+23:59","endTime":"9999-12-31T23:59:59Z","timezone":"Local","published":"9999-01-01T00:00:00Z"}`))
	for _, host := range []string{"a>example", "a_b.example", "[2001:db8::1]:8443", "b\u00fccher.example", strings.Repeat("a", 301), "a.example:0" + strings.Repeat("9", 301)} {
		f.Add([]byte(`{"id":"https://` + host + `/x","type":"Event","name":"x","startTime":"2027-01-01T00:00:00Z"}`))
	}
	// What grows when it is kept, since that is in the form NFC; and addresses with signs that no line and no link has.
	long := strings.Repeat("\u0958\U0001d160", 600)
	for _, more := range []string{
		`"id":"https://a.example/\u202e\u0085","url":"https://a.example/\u3000"`,
		`"id":"https://a.example/x","externalParticipationUrl":"https://a.example/\u00a0x","location":{"type":"VirtualLocation","url":"https://a.example/\u2003x"}`,
		`"id":"https://a.example/x","attachment":[{"type":"Link","href":"https://a.example/\u2028x"},{"type":"Image","url":"https://a.example/x","name":"` + long + `"}]`,
		`"id":"https://a.example/x","summary":"` + long + `","contentMap":{"fr":"` + strings.Repeat(long, 10) + `"},"tag":[{"type":"Hashtag","name":"## ` + long + `"}]`,
		`"id":"https://a.example/x","inLanguage":"fr","nameMap":{"sr-1994-polyton-419":"x","iw":"y","he":"z","x-` + strings.Repeat("aaaaaaaa-", 20) + `a":"w"}`,
		`"id":"https://a.example/x","inLanguage":"` + strings.Repeat("en-t-en-", 2000) + `"`,
		`"id":"https://a.example/x","nameMap":{"fr":"a` + strings.Repeat("\u0301", 199) + `"},"location":{"name":"` + long + `","address":{"addressLocality":"` + long + `"}}`,
	} {
		f.Add([]byte(`{"type":"Event","name":"x","startTime":"2027-01-01T00:00:00Z",` + more + `}`))
	}
	now := time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, b []byte) {
		doc, err := fetch.Object(b)
		if err != nil {
			return
		}
		e, raw, err := islands.ReadPlain(doc, now)
		if err != nil {
			return
		}
		directory.Normalize(&e)
		e.Categories = nil // they are said in our words before they are kept
		if err := directory.Validate(&e, directory.Rules{}); err != nil && e.Event.Start.Year() > 1800 && e.Event.Start.Year() < 2200 && (e.Event.End.IsZero() || e.Event.End.Year() < 2200) {
			t.Fatalf("%v of %s", err, b)
		}
		if e.Updated.After(now) || e.Created.After(now) {
			t.Fatalf("it was changed at %s", e.Updated)
		}
		kept, err := islands.Unpack(raw)
		if err != nil {
			t.Fatal(err)
		}
		again, _, err := islands.ReadPlain(kept, now)
		if err != nil || again.ID != e.ID || again.Name != e.Name && again.Name == "" || again.Origin != e.Origin {
			t.Fatalf("it is kept as %+v, %v", again, err)
		}
	})
}
