package islands_test

import (
	"encoding/json"
	"os"
	"path/filepath"
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
	for _, host := range []string{"a>example", "a_b.example", "[2001:db8::1]:8443", "b\u00fccher.example"} {
		f.Add([]byte(`{"id":"https://` + host + `/x","type":"Event","name":"x","startTime":"2027-01-01T00:00:00Z"}`))
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
