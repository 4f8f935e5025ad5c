package storetest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"archipel/directory"

	"github.com/paulmach/orb"
)

var background = context.Background()

func testEmpty(t *testing.T, b Backend) {
	s := b.fresh(t)
	if h := head(t, s); h != 0 {
		t.Errorf("Head = %d, want 0", h)
	}
	if got := all(t, s); len(got) != 0 {
		t.Errorf("Changes = %d, want none", len(got))
	}
	if got := scan(t, s, ""); len(got) != 0 {
		t.Errorf("Scan = %d entries, want none", len(got))
	}
	if got, err := s.Entries(background, []directory.ID{directory.NewID()}); len(got) != 0 || err != nil {
		t.Errorf("Entries = %d, %v, want none", len(got), err)
	}
	if got, err := s.Entries(background, nil); len(got) != 0 || err != nil {
		t.Errorf("Entries(nil) = %d, %v, want none", len(got), err)
	}
	if n, err := s.Append(background, 0, nil); n != 0 || err != nil {
		t.Errorf("Append of nothing = %d, %v", n, err)
	}
	if err := s.Ping(background); err != nil {
		t.Errorf("Ping: %v", err)
	}
}

func testAppend(t *testing.T, b Backend) {
	s := b.fresh(t)
	e := simple("ressourcerie")
	want := put(t, s, directory.OpCreate, e)
	want[0].Entry.Name = "changed by the caller afterwards"
	if got := one(t, s, e.ID); got.Name != e.Name || got.Version != 1 {
		t.Errorf("entry after its first change: %q version %d", got.Name, got.Version)
	}
	// One batch may hold several changes of one entry: the last one stands.
	e2, f := e, simple("café")
	e.Name, e2.Name = "first", "second"
	put(t, s, directory.OpUpdate, e, f, e2)
	if got := one(t, s, e.ID); got.Name != "second" || got.Version != 4 {
		t.Errorf("entry after the batch: %q version %d, want second, 4", got.Name, got.Version)
	}
	agree(t, s)
}

func testAppendStale(t *testing.T, b Backend) {
	s := b.fresh(t)
	put(t, s, directory.OpCreate, names(3)...)
	for _, after := range []directory.Seq{0, 2, 4, 1000} {
		n, err := s.Append(background, after, changesOf(after, directory.OpCreate, simple("late"), simple("later")))
		wantErr(t, fmt.Sprintf("Append after %d of 3", after), err, directory.ErrStale)
		if n != 0 {
			t.Errorf("Append after %d of 3 stands %d times, want 0", after, n)
		}
	}
	if _, err := s.Append(background, 2, nil); err == nil {
		t.Error("Append of nothing after 2 of 3 gives no error")
	}
	if got := agree(t, s); len(got) != 3 {
		t.Errorf("the log has %d changes, want 3", len(got))
	}
	// The same changes again, after they stood: somebody else's by their ids, so stale.
	again := changesOf(2, directory.OpCreate, simple("again"))
	if _, err := s.Append(background, 2, again); err == nil {
		t.Error("a taken place in the log was written")
	}
}

func testAppendRefuses(t *testing.T, b Backend) {
	s := b.fresh(t)
	wrong := map[string]func([]directory.Change){
		"seq":        func(c []directory.Change) { c[1].Seq = 7 },
		"version":    func(c []directory.Change) { c[1].Entry.Version = 7 },
		"no id":      func(c []directory.Change) { c[1].ID = "" },
		"no entry":   func(c []directory.Change) { c[1].Entry.ID = "" },
		"not number": func(c []directory.Change) { c[1].Entry.Sites = pointsOf(nan, 45) },
	}
	for name, spoil := range wrong {
		c := changesOf(0, directory.OpCreate, names(3)...)
		spoil(c)
		if n, err := s.Append(background, 0, c); err == nil || n != 0 {
			t.Errorf("%s: Append = %d, %v: want an error and nothing written", name, n, err)
		}
	}
	if h := head(t, s); h != 0 {
		t.Errorf("Head = %d after refused changes, want 0", h)
	}
}

func testRoundTrip(t *testing.T, b Backend) {
	place := b.New(t)
	s := b.open(t, place)
	e := Full(t)
	c := changesOf(0, directory.OpMerge, e)
	c[0].Batch, c[0].Note, c[0].Author = "import-1", "« pourquoi »\n🙂", "peer:example.org"
	putChanges(t, s, c)
	for _, s := range []directory.Store{s, b.open(t, place)} {
		check := func(how string, got []directory.Change, err error) {
			t.Helper()
			if err != nil || len(got) != 1 {
				t.Fatalf("%s = %d changes, %v: want one", how, len(got), err)
			}
			if d := Diff(got[0], c[0]); d != "" {
				t.Errorf("%s: change%s", how, d)
			}
		}
		got, err := s.Changes(background, 0, 10)
		check("Changes", got, err)
		got, err = s.History(background, e.ID, 0, 10)
		check("History", got, err)
		got, err = s.Batch(background, "import-1", 0, 10)
		check("Batch", got, err)
		if d := Diff(one(t, s, e.ID), c[0].Entry); d != "" {
			t.Errorf("Entries: entry%s", d)
		}
		if d := Diff(scan(t, s, "")[0], c[0].Entry); d != "" {
			t.Errorf("Scan: entry%s", d)
		}
	}
}

// testOddEntries writes what validation refuses or rarely sees: a store keeps it all the same, so that no log can be
// stuck on one entry.
func testOddEntries(t *testing.T, b Backend) {
	s := b.fresh(t)
	odd := map[string]func(*directory.Entry){
		"nothing but an id":    func(e *directory.Entry) { *e = directory.Entry{ID: e.ID} },
		"no position":          func(e *directory.Entry) { e.Sites = nil },
		"several sites":        func(e *directory.Entry) { e.Sites = pointsOf(4, 45, 4, 45, 5.5, -46.25) },
		"antimeridian":         func(e *directory.Entry) { e.Sites = pointsOf(180, 0, -180, 0) },
		"poles":                func(e *directory.Entry) { e.Sites = pointsOf(0, 90, 0, -90) },
		"whole numbers":        func(e *directory.Entry) { e.Sites = pointsOf(4, 45) },
		"out of range":         func(e *directory.Entry) { e.Sites = pointsOf(200, 95) },
		"one of two too far":   func(e *directory.Entry) { e.Sites = pointsOf(4, 45, 1e9, -1e9) },
		"smallest numbers":     func(e *directory.Entry) { e.Sites = pointsOf(5e-324, -0.1+0.3) },
		"crossing area":        func(e *directory.Entry) { e.Area = area(orb.Polygon{{{0, 0}, {1, 1}, {1, 0}, {0, 1}, {0, 0}}}) },
		"area with one corner": func(e *directory.Entry) { e.Area = area(orb.Polygon{{{0, 0}, {0, 0}, {0, 0}, {0, 0}}}) },
		"area out of range":    func(e *directory.Entry) { e.Area = area(orb.MultiPolygon{{{{400, 0}, {1, 1}, {1, 0}, {400, 0}}}}) },
		"query operators": func(e *directory.Entry) {
			e.Name, e.Slug, e.Tags = `{"$gt": ""}`, "$where", []string{"a.b", "$inc", "'; DROP TABLE entries; --"}
		},
		"separators": func(e *directory.Entry) { e.Description = "a\u2028b\u2029c\r\n\t\\\"</script><!--\u0000|\u0085\ufeff" },
		"scripts":    func(e *directory.Entry) { e.Name = "مرحبا e\u0301 👩‍👩‍👧‍👦 ﬁ \U0010FFFD" },
		"keys": func(e *directory.Entry) {
			e.Extra = map[string]string{"": "", "a.b.c": "1", "$set": "2", ".": "3", "\x00": "4"}
		},
		"long text": func(e *directory.Entry) { e.Description = longText() },
		"removed":   func(e *directory.Entry) { e.Status, e.MergedInto = directory.Removed, directory.NewID() },
	}
	want := make(map[string]directory.Entry)
	for name, spoil := range odd {
		e := simple(name)
		spoil(&e)
		c := put(t, s, directory.OpCreate, e)
		want[name] = c[0].Entry
	}
	for name, w := range want {
		if d := Diff(one(t, s, w.ID), w); d != "" {
			t.Errorf("%s: entry%.300s", name, d)
		}
		got, err := s.History(background, w.ID, 0, 1)
		if err != nil || len(got) != 1 {
			t.Fatalf("%s: History = %d, %v", name, len(got), err)
		}
		if d := Diff(got[0].Entry, w); d != "" {
			t.Errorf("%s: change%.300s", name, d)
		}
	}
	agree(t, s)
}

func area(g orb.Geometry) *directory.Area {
	return &directory.Area{Shape: &directory.Shape{Geometry: g}}
}

// testTimes: instants are kept to the millisecond, whatever their zone and century, zero stays zero, UTC stays UTC.
func testTimes(t *testing.T, b Backend) {
	s := b.fresh(t)
	paris, india := time.FixedZone("", 2*3600), time.FixedZone("", 5*3600+1800)
	times := []time.Time{
		{}, epoch, epoch.Add(time.Millisecond), time.Unix(0, 0).UTC(), time.Date(1871, 3, 18, 5, 0, 0, 0, time.UTC),
		time.Date(2026, 7, 14, 23, 59, 59, 999e6, paris), time.Date(2027, 1, 1, 0, 0, 0, 1e6, india), time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC),
	}
	for _, at := range times {
		e := simple("time")
		e.Checked, e.Created = at, at
		e.Event = &directory.Schedule{Start: at, End: at, ExDates: []time.Time{at}, Overrides: []directory.Occurrence{{Original: at, Start: at}}}
		c := put(t, s, directory.OpCreate, e)
		got := one(t, s, e.ID)
		if d := Diff(got, c[0].Entry); d != "" {
			t.Errorf("%v: entry%s", at, d)
		}
		if got.Checked.IsZero() != at.IsZero() || got.Event.End.IsZero() != at.IsZero() {
			t.Errorf("%v: zero times differ: %v, %v", at, got.Checked, got.Event.End)
		}
		if at.Location() == time.UTC && got.Event.Start.Location() != time.UTC {
			t.Errorf("%v came back in %v", at, got.Event.Start.Location())
		}
	}
	agree(t, s)
}

func testChanges(t *testing.T, b Backend) {
	s := b.fresh(t)
	putMany(t, s, names(25))
	for _, tt := range []struct {
		after directory.Seq
		limit int
		first directory.Seq
		n     int
	}{{0, 10, 1, 10}, {10, 10, 11, 10}, {20, 10, 21, 5}, {25, 10, 0, 0}, {99, 10, 0, 0}, {0, 0, 0, 0}, {0, -1, 0, 0}, {24, 1, 25, 1}} {
		got, err := s.Changes(background, tt.after, tt.limit)
		if err != nil || len(got) != tt.n || tt.n > 0 && got[0].Seq != tt.first {
			t.Errorf("Changes(%d, %d) = %d changes, %v: want %d from %d", tt.after, tt.limit, len(got), err, tt.n, tt.first)
		}
	}
}

func testHistory(t *testing.T, b Backend) {
	s := b.fresh(t)
	e, other := simple("mine"), simple("other")
	for range 15 {
		put(t, s, directory.OpUpdate, e, other)
	}
	var got []directory.Seq
	before := directory.Seq(0)
	for {
		page, err := s.History(background, e.ID, before, 4)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			break
		}
		for _, c := range page {
			if c.Entry.ID != e.ID {
				t.Fatalf("History gave change %d of another entry", c.Seq)
			}
			got = append(got, c.Seq)
		}
		before = page[len(page)-1].Seq
	}
	if len(got) != 15 {
		t.Fatalf("History has %d changes, want 15", len(got))
	}
	for i, seq := range got {
		if want := directory.Seq(29 - 2*i); seq != want {
			t.Errorf("History[%d] = %d, want %d", i, seq, want)
		}
	}
	if page, err := s.History(background, directory.NewID(), 0, 10); len(page) != 0 || err != nil {
		t.Errorf("History of an unknown entry = %d, %v", len(page), err)
	}
	if page, err := s.History(background, e.ID, 0, 0); len(page) != 0 || err != nil {
		t.Errorf("History with limit 0 = %d, %v", len(page), err)
	}
}

func testBatch(t *testing.T, b Backend) {
	s := b.fresh(t)
	c := changesOf(0, directory.OpCreate, names(30)...)
	for i := range c {
		c[i].Batch = []string{"", "a", "b"}[i%3]
	}
	putChanges(t, s, c)
	for batch, want := range map[string]directory.Seq{"a": 2, "b": 3} {
		n, after := 0, directory.Seq(0)
		for {
			page, err := s.Batch(background, batch, after, 3)
			if err != nil {
				t.Fatal(err)
			}
			if len(page) == 0 {
				break
			}
			for _, c := range page {
				if c.Seq != want || c.Batch != batch {
					t.Fatalf("Batch(%s) gave change %d of %q, want %d", batch, c.Seq, c.Batch, want)
				}
				want, after, n = want+3, c.Seq, n+1
			}
		}
		if n != 10 {
			t.Errorf("Batch(%s) has %d changes, want 10", batch, n)
		}
	}
	for _, batch := range []string{"", "unknown"} {
		if page, err := s.Batch(background, batch, 0, 10); len(page) != 0 || err != nil {
			t.Errorf("Batch(%q) = %d, %v: want none", batch, len(page), err)
		}
	}
}
