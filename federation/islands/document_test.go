package islands_test

import (
	"context"
	"encoding/json"
	"reflect"
	"slices"
	"testing"
	"time"

	"archipel/directory"
	"archipel/directory/storetest"
	"archipel/federation/islands"

	"github.com/paulmach/orb"
)

// full is an entry of a kind in which every public field has a value.
func full(t *testing.T, kind directory.Kind, host string) directory.Entry {
	e := storetest.Full(t)
	e.Kind, e.Status, e.Origin, e.Licence, e.MergedInto, e.Version = kind, directory.Published, "", "ODbL-1.0", "", 7
	e.Private.Mirror = nil
	if kind != directory.Event {
		e.Event = nil
	}
	if kind != directory.Organisation {
		e.Fediverse = nil
	}
	for _, at := range []*time.Time{&e.Created, &e.Updated} {
		*at = at.UTC()
	}
	return e
}

// TestEveryFieldTravels sends an entry of each kind in which no field is empty, found by reflection, as it is sent, kept and
// read: nothing is missing or different but what never leaves.
func TestEveryFieldTravels(t *testing.T) {
	a, b := newIsle(t, nil), newIsle(t, nil)
	for kind, typ := range map[directory.Kind]string{directory.Event: "Event", directory.Place: "Place", directory.Initiative: "Article", directory.Organisation: "Page"} {
		e := full(t, kind, b.host)
		doc, err := b.s.Say(&e)
		if err != nil {
			t.Fatal(err)
		}
		if got := doc["object"].(map[string]any)["type"]; got != typ {
			t.Errorf("%s is a %v", kind, got)
		}
		got, raw, err := a.s.Understand(t.Context(), doc)
		if err != nil {
			t.Fatalf("%s: %v", kind, err)
		}
		want := e.Clone()
		want.Private, want.Origin = nil, b.host
		checkFilled(t, reflect.ValueOf(want), string(kind), kind)
		if diff := storetest.Diff(directory.Change{Entry: got}, directory.Change{Entry: want}); diff != "" {
			t.Errorf("%s: %s", kind, diff)
		}
		kept, err := islands.Unpack(raw)
		if err != nil || !reflect.DeepEqual(kept, doc) {
			t.Errorf("%s is kept otherwise than it came: %v", kind, err)
		}
		if plain, err := json.Marshal(doc); err == nil {
			t.Logf("%s: %d bytes, kept in %d", kind, len(plain), len(raw))
		}
		if kept["object"].(map[string]any)["name"] = "Autre"; a.understands(kept) {
			t.Error("a changed name is believed")
		}
	}
}

// checkFilled makes sure that the test tests something.
func checkFilled(t *testing.T, v reflect.Value, path string, kind directory.Kind) {
	t.Helper()
	for i := range v.NumField() {
		name := v.Type().Field(i).Name
		switch {
		case name == "Private" || name == "MergedInto" || name == "Event" && kind != directory.Event || name == "Fediverse" && kind != directory.Organisation:
		case v.Field(i).IsZero():
			t.Errorf("%s.%s is empty", path, name)
		}
	}
}

func (in *isle) understands(doc map[string]any) bool {
	_, _, err := in.s.Understand(context.Background(), doc)
	return err == nil
}

// TestWhatIsSaidIsComplete: an entry that names no licence and no source gets those of the directory, and pictures have
// whole addresses.
func TestWhatIsSaidIsComplete(t *testing.T) {
	a, b := newIsle(t, nil), newIsle(t, nil)
	e := b.put(directory.Entry{Kind: directory.Place, Name: "La Mare", Sites: []orb.Point{{4, 45}}, Images: []directory.Image{{URL: "/media/x.jpg", Alt: "Une mare"}}, Private: &directory.Private{Note: "secret"}})
	doc, err := b.s.Say(&e)
	if err != nil {
		t.Fatal(err)
	}
	got, _, err := a.s.Understand(t.Context(), doc)
	if err != nil || got.Licence != "ODbL-1.0" || got.Source == nil || got.Source.URL != b.base+"/e/"+e.Slug || got.Images[0].URL != b.base+"/media/x.jpg" {
		t.Errorf("got %+v, %v", got, err)
	}
	for name, spoil := range map[string]func(activity, object, feature map[string]any){
		"no licence":      func(_, _, f map[string]any) { delete(f["properties"].(map[string]any), "licence") },
		"another id":      func(_, o, _ map[string]any) { o["id"] = b.base + "/id/" + string(directory.NewID()) },
		"another version": func(_, o, _ map[string]any) { o["version"] = 99.0 },
		"another time":    func(a, _, _ map[string]any) { a["published"] = "2031-01-01T00:00:00Z" },
		"another verb":    func(a, _, _ map[string]any) { a["type"] = "Delete" },
		"no proof":        func(a, _, _ map[string]any) { delete(a, "proof") },
		"half a version":  func(_, o, _ map[string]any) { o["version"] = 1.5 },
		"a list of types": func(_, o, _ map[string]any) { o["type"] = []any{[]any{}} },
		"no feature":      func(_, o, _ map[string]any) { delete(o, "feature") },
		"not published":   func(_, _, f map[string]any) { f["properties"].(map[string]any)["status"] = "draft" },
		"another actor":   func(a, _, _ map[string]any) { a["actor"] = b.base + "/ap/relay" },
	} {
		spoiled := deep(doc)
		o := spoiled["object"].(map[string]any)
		spoil(spoiled, o, o["feature"].(map[string]any))
		if a.understands(spoiled) {
			t.Errorf("%s: it is believed", name)
		}
	}
	if !a.understands(deep(doc)) {
		t.Error("what was not changed is not believed")
	}
}

// TestNothingIsKeptThatCannotBeRead: numbers are longer as they are kept than they may come.
func TestNothingIsKeptThatCannotBeRead(t *testing.T) {
	for n, fits := range map[int]bool{150: true, 200: false} {
		numbers := []any{}
		for range n {
			numbers = append(numbers, slices.Repeat([]any{1e20}, 1000))
		}
		raw, err := islands.Pack(map[string]any{"numbers": numbers})
		if fits != (err == nil) {
			t.Errorf("%d thousand numbers: %v", n, err)
		}
		if err == nil {
			if _, err := islands.Unpack(raw); err != nil {
				t.Errorf("%d thousand numbers are kept, and cannot be read: %v", n, err)
			}
		}
	}
}

func deep(doc map[string]any) (copied map[string]any) {
	b, err := json.Marshal(doc)
	if err == nil {
		err = json.Unmarshal(b, &copied)
	}
	if err != nil {
		panic(err)
	}
	return copied
}
