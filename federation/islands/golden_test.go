package islands_test

import (
	"context"
	"encoding/json"
	"flag"
	"io"
	"net/http"
	"testing"
	"time"

	"archipel/directory"
	"archipel/federation/fedtest"
)

var update = flag.Bool("update", false, "write the files of what is sent anew")

// TestGolden holds to files what another directory is told.
func TestGolden(t *testing.T) {
	in := newIsle(t, nil)
	golden := func(name string, doc map[string]any) {
		t.Helper()
		b, err := json.Marshal(doc)
		if err != nil {
			t.Fatal(err)
		}
		fedtest.Golden(t, *update, name+".json", b, in.base, "HOST", in.host, "NAME")
	}
	served := func(path string) (doc map[string]any) {
		t.Helper()
		r, err := http.NewRequestWithContext(context.Background(), http.MethodGet, in.base+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Accept", "application/activity+json")
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		b, err := io.ReadAll(res.Body)
		if err == nil {
			err = json.Unmarshal(b, &doc)
		}
		if err != nil || res.StatusCode != http.StatusOK {
			t.Fatalf("%s: %d, %v", path, res.StatusCode, err)
		}
		return doc
	}
	golden("mirror", served("/ap/mirror"))
	golden("mirror-webfinger", served("/.well-known/webfinger?resource=acct:mirror@"+in.host))
	island := served("/mirror/island")
	if all, _ := island["categories"].([]any); len(all) < 10 {
		t.Errorf("the categories are %v", all)
	}
	delete(island, "categories") // as many as the taxonomy has
	golden("island", island)

	place, dance := farm("Ferme du Haut"), directory.Entry{
		ID: "0190a3a0-7b1c-7e2f-8d3c-000000000002", Kind: directory.Event, Name: "Bal", Lang: "fr", Summary: "On danse.", Licence: "ODbL-1.0", Sites: farm("").Sites,
		Event: &directory.Schedule{Start: time.Date(2027, 7, 1, 16, 0, 0, 0, time.UTC), End: time.Date(2027, 7, 1, 22, 0, 0, 0, time.UTC), Timezone: "Europe/Paris"},
	}
	place.ID = "0190a3a0-7b1c-7e2f-8d3c-000000000001"
	say := func(name string, e directory.Entry) {
		t.Helper()
		doc, err := in.s.Say(&e)
		if err != nil {
			t.Fatal(err)
		}
		golden(name, doc)
	}
	place, dance = in.put(place), in.put(dance)
	say("place", place)
	say("event", dance)
	// What is changed in the millisecond in which it was made is said as if it were new.
	eventually(t, "the next millisecond", func() bool { return time.Since(place.Created) > 2*time.Millisecond })
	place.Name = "Ferme du Bas"
	place = in.put(place)
	say("place-update", place)
	place.Status = directory.Removed
	say("delete", in.put(place))
}
