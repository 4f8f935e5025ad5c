package mongostore

import (
	"errors"
	"strings"
	"testing"

	"archipel/directory"
	"archipel/directory/mongostore/mongotest"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// dies writes to the log as a writer that dies before it projects.
func dies(t testing.TB, s *Store, c []directory.Change) {
	t.Helper()
	docs, err := s.encode(c[0].Seq-1, c)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.changes.InsertMany(bg, docs); err != nil {
		t.Fatal(err)
	}
}

func scanned(t testing.TB, s *Store) map[directory.ID]directory.Entry {
	t.Helper()
	out := make(map[directory.ID]directory.Entry)
	err := s.Scan(bg, "", func(es []directory.Entry) error {
		for _, e := range es {
			out[e.ID] = e
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestUnprojected: a writer died between the log and the projection. Readers see its change at once, on every node, and
// whoever comes next repairs the entries.
func TestUnprojected(t *testing.T) {
	uri := mongotest.Fresh(t)
	s, other := mustOpen(t, uri), mustOpen(t, uri)
	a, b := entry("a"), entry("b")
	if _, err := s.Append(bg, 0, changesAfter(0, a, b)); err != nil {
		t.Fatal(err)
	}
	a.Name, b.Name = "a2", "b2"
	fresh := entry("c")
	dies(t, s, changesAfter(2, a, fresh))
	for name, s := range map[string]*Store{"the writer's node": s, "another node": other} {
		got, err := s.Entries(bg, []directory.ID{fresh.ID, b.ID, a.ID})
		if err != nil || len(got) != 3 || got[0].Version != 4 || got[1].Version != 2 || got[2].Name != "a2" || got[2].Private == nil {
			t.Errorf("Entries on %s = %+v, %v", name, got, err)
		}
	}
	if got := scanned(t, other); len(got) != 3 || got[a.ID].Name != "a2" {
		t.Errorf("Scan = %d entries, %q: want 3, a2", len(got), got[a.ID].Name)
	}

	// The next writer completes what the dead one left.
	dies(t, s, changesAfter(4, b))
	if n, err := s.Append(bg, 5, changesAfter(5, entry("d"))); n != 1 || err != nil {
		t.Fatalf("Append = %d, %v", n, err)
	}
	projected := func(id directory.ID, version int64) {
		t.Helper()
		err := s.entries.FindOne(bg, bson.D{{Key: "_id", Value: id}, {Key: "properties.version", Value: version}}).Err()
		if err != nil {
			t.Errorf("version %d of %s is not in entries: %v", version, id, err)
		}
	}
	projected(b.ID, 5)
	if from, err := s.marker(bg); from != 6 || err != nil {
		t.Errorf("marker = %d, %v: want 6", from, err)
	}

	// Redact does not let a blank reach the entries.
	b.Name = "b3"
	dies(t, s, changesAfter(6, b))
	if n, err := other.Redact(bg, b.ID, 7); n != 3 || err != nil {
		t.Errorf("Redact = %d, %v: want 3", n, err)
	}
	if got, err := s.Entries(bg, []directory.ID{b.ID}); err != nil || len(got) != 1 || got[0].Name != "b3" {
		t.Errorf("Entries after Redact = %+v, %v: want b3", got, err)
	}

	// Open rebuilds entries that were lost.
	if err := s.entries.Drop(bg); err != nil {
		t.Fatal(err)
	}
	if err := s.state.Drop(bg); err != nil {
		t.Fatal(err)
	}
	if got := scanned(t, mustOpen(t, uri)); len(got) != 4 || got[a.ID].Name != "a2" {
		t.Errorf("after rebuilding: %d entries, want 4", len(got))
	}
}

// TestGap: a log that lost a change is said to be damaged, not silently read on.
func TestGap(t *testing.T) {
	s := mustOpen(t, mongotest.Fresh(t))
	dies(t, s, changesAfter(0, entry("1"), entry("2")))
	dies(t, s, changesAfter(3, entry("4")))
	if got, err := s.Changes(bg, 0, 10); len(got) != 2 || err != nil {
		t.Errorf("Changes before the gap = %d, %v: want 2", len(got), err)
	}
	if _, err := s.Changes(bg, 2, 10); !errors.Is(err, directory.ErrCorrupt) {
		t.Errorf("Changes at the gap: %v, want ErrCorrupt", err)
	}
}

func TestNewerLayout(t *testing.T) {
	uri := mongotest.Fresh(t)
	s := mustOpen(t, uri)
	if _, err := s.state.UpdateByID(bg, "schema", bson.D{{Key: "$set", Value: bson.D{{Key: "version", Value: schemaVersion + 1}}}}); err != nil {
		t.Fatal(err)
	}
	_, err := openStore(bg, uri)
	if !errors.Is(err, directory.ErrCorrupt) || !strings.Contains(err.Error(), "version 2") {
		t.Errorf("Open of a newer layout: %v, want ErrCorrupt that names the version", err)
	}
}

// TestForeignDocuments: what another program broke in a document is named, and is no panic.
func TestForeignDocuments(t *testing.T) {
	s := mustOpen(t, mongotest.Fresh(t))
	e := entry("e")
	if _, err := s.Append(bg, 0, changesAfter(0, e)); err != nil {
		t.Fatal(err)
	}
	restore := func() {
		t.Helper()
		c := changesAfter(1, e)
		doc, err := s.codec.marshal(featureOf(&c[0].Entry))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.entries.ReplaceOne(bg, bson.D{{Key: "_id", Value: e.ID}}, doc); err != nil {
			t.Fatal(err)
		}
	}
	for name, set := range map[string]bson.D{
		"no properties": {{Key: "properties", Value: nil}},
		"text geometry": {{Key: "geometry", Value: "POINT(4 45)"}},
		"wrong type":    {{Key: "properties.created", Value: "yesterday"}},
		"coordinates":   {{Key: "geometry", Value: bson.D{{Key: "type", Value: "Point"}, {Key: "coordinates", Value: bson.A{"4", 45}}}}},
		"a line":        {{Key: "geometry", Value: bson.D{{Key: "type", Value: "LineString"}, {Key: "coordinates", Value: bson.A{bson.A{4, 45}, bson.A{5, 45}}}}}},
	} {
		restore()
		if _, err := s.entries.UpdateByID(bg, e.ID, bson.D{{Key: "$set", Value: set}}); err != nil {
			t.Logf("%s: the server refuses it itself: %v", name, err)
			continue
		}
		if _, err := s.Entries(bg, []directory.ID{e.ID}); !errors.Is(err, directory.ErrCorrupt) {
			t.Errorf("%s: Entries: %v, want ErrCorrupt", name, err)
		}
	}
	// Whole numbers are numbers.
	restore()
	set := bson.D{{Key: "$set", Value: bson.D{{Key: "geometry", Value: bson.D{{Key: "type", Value: "Point"}, {Key: "coordinates", Value: bson.A{int32(4), int64(45)}}}}}}}
	if _, err := s.entries.UpdateByID(bg, e.ID, set); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Entries(bg, []directory.ID{e.ID}); err != nil || len(got) != 1 || got[0].Sites[0] != [2]float64{4, 45} {
		t.Errorf("Entries with whole numbers = %+v, %v", got, err)
	}
}
