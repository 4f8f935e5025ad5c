package mongostore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"archipel/directory"
	"archipel/directory/mongostore/mongotest"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/event"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// query is one search that the server was asked for.
type query struct {
	coll         string
	filter, sort bson.Raw
}

func (q query) String() string { return fmt.Sprintf("%s %s sort %s", q.coll, q.filter, q.sort) }

// everyQuery makes every call of the store and returns what the server was asked.
func everyQuery(t *testing.T) (*Store, []query) {
	var mu sync.Mutex
	var asked []query
	add := func(coll string, filter, sort bson.RawValue) {
		f, _ := filter.DocumentOK()
		s, _ := sort.DocumentOK()
		asked = append(asked, query{coll, slices.Clone(f), slices.Clone(s)})
	}
	watch := &event.CommandMonitor{Started: func(_ context.Context, e *event.CommandStartedEvent) {
		mu.Lock()
		defer mu.Unlock()
		coll, _ := e.Command.Lookup(e.CommandName).StringValueOK()
		switch e.CommandName {
		case "find":
			add(coll, e.Command.Lookup("filter"), e.Command.Lookup("sort"))
		case "update", "delete":
			list, ok := e.Command.Lookup(e.CommandName + "s").ArrayOK()
			if !ok {
				t.Errorf("%s without a list: %s", e.CommandName, e.Command)
				return
			}
			values, _ := list.Values()
			for _, v := range values {
				add(coll, v.Document().Lookup("q"), bson.RawValue{})
			}
		case "aggregate", "count", "distinct", "findAndModify", "mapReduce":
			t.Errorf("a %s, which this test knows nothing of", e.CommandName)
		}
	}}
	s, err := open(bg, mongotest.Fresh(t), options.Client().SetMonitor(watch), patient)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	var es []directory.Entry
	var ids []directory.ID
	for i := range 200 {
		e := entry(fmt.Sprint("e", i))
		es, ids = append(es, e), append(ids, e.ID)
	}
	c := changesAfter(0, es...)
	for i := range c {
		c[i].Batch = "batch"
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	_, err = s.Append(bg, 0, c)
	must(err)
	_, err = s.Append(bg, 100, changesAfter(100, es[0])) // stale
	if err == nil {
		t.Fatal("no ErrStale")
	}
	dies(t, s, changesAfter(200, es[0]))
	_, err = s.Entries(bg, ids)
	must(err)
	must(s.Scan(bg, "", func([]directory.Entry) error { return nil }))
	_, err = s.Changes(bg, 50, 10)
	must(err)
	_, err = s.History(bg, ids[0], 0, 10)
	must(err)
	_, err = s.History(bg, ids[0], 100, 10)
	must(err)
	_, err = s.Batch(bg, "batch", 10, 10)
	must(err)
	_, err = s.Redact(bg, ids[0], 201)
	must(err)
	for range 2 {
		must(s.SaveCursor(bg, "c", 5))
	}
	_, err = s.Cursor(bg, "c")
	must(err)
	must(s.PutSetting(bg, "k", []byte("1"), 0))
	must(s.PutSetting(bg, "k", []byte("2"), 1))
	_, _, err = s.Setting(bg, "k")
	must(err)
	_, err = s.Settings(bg)
	must(err)
	must(s.Ping(bg))
	mu.Lock()
	defer mu.Unlock()
	shapes := make(map[string]query)
	for _, q := range asked {
		shapes[q.coll+fmt.Sprint(keys(q.filter), keys(q.sort))] = q
	}
	var out []query
	for _, q := range shapes {
		out = append(out, q)
	}
	if len(out) < 12 {
		t.Errorf("saw only %d different queries", len(out))
	}
	return s, out
}

func keys(doc bson.Raw) (out []string) {
	if doc == nil {
		return nil
	}
	elems, _ := doc.Elements()
	for _, e := range elems {
		out = append(out, e.Key())
	}
	return out
}

// TestDeclaredIndexes compares what is asked with what is declared: an index serves a query that names its first
// fields, all but the last by equality, and sorts along it.
func TestDeclaredIndexes(t *testing.T) {
	s, queries := everyQuery(t)
	for _, q := range queries {
		if served(q) == "" {
			t.Errorf("no declared index serves %v", q)
		}
	}
	for name, want := range indexes {
		cur, err := s.changes.Database().Collection(name).Indexes().List(bg)
		if err != nil {
			t.Fatal(err)
		}
		var have []struct{ Key bson.D }
		if err := cur.All(bg, &have); err != nil {
			t.Fatal(err)
		}
		for _, w := range want {
			if !slices.ContainsFunc(have, func(h struct{ Key bson.D }) bool { return fmt.Sprint(h.Key) == fmt.Sprint(w) }) {
				t.Errorf("%s lacks the index %v: %v", name, w, have)
			}
		}
	}
}

// served names the index that serves q.
func served(q query) string {
	candidates := append([]bson.D{{{Key: "_id", Value: 1}}}, indexes[q.coll]...)
	filter, sort := keys(q.filter), keys(q.sort)
	for _, index := range candidates {
		var fields []string
		for _, f := range index {
			fields = append(fields, f.Key)
		}
		// _id alone finds one document, whatever else the filter asks of it.
		if len(filter) > 0 && filter[0] == "_id" && fields[0] == "_id" && (len(sort) == 0 || slices.Equal(sort, fields)) {
			return "_id"
		}
		n := 0
		for n < len(filter) && n < len(fields) && filter[n] == fields[n] {
			n++
		}
		along := len(sort) <= len(fields) && slices.Equal(sort, fields[:len(sort)])
		if n == len(filter) && along && (n > 0 || len(sort) > 0) {
			return fmt.Sprint(fields)
		}
	}
	return ""
}

// TestExplain asks the server itself: nothing reads a whole collection, nothing sorts in memory.
func TestExplain(t *testing.T) {
	s, queries := everyQuery(t)
	db := s.changes.Database()
	if why := cannotExplain(t, db); why != "" {
		t.Skip("this server cannot show it: " + why)
	}
	for _, q := range queries {
		find := bson.D{{Key: "find", Value: q.coll}, {Key: "filter", Value: q.filter}}
		if q.sort != nil {
			find = append(find, bson.E{Key: "sort", Value: q.sort})
		}
		var plan struct {
			QueryPlanner struct {
				WinningPlan bson.Raw `bson:"winningPlan"`
			} `bson:"queryPlanner"`
		}
		if err := db.RunCommand(bg, bson.D{{Key: "explain", Value: find}}).Decode(&plan); err != nil {
			t.Errorf("explain %v: %v", q, err)
			continue
		}
		for _, stage := range stages(plan.QueryPlanner.WinningPlan) {
			if stage == "COLLSCAN" || stage == "SORT" {
				t.Errorf("%v is served by a %s: %s", q, stage, plan.QueryPlanner.WinningPlan)
			}
		}
	}
}

// cannotExplain tells why explain says nothing about indexes on this server, or is empty.
func cannotExplain(t testing.TB, db *mongo.Database) string {
	t.Helper()
	var out bson.M
	err := db.RunCommand(context.Background(), bson.D{{Key: "explain", Value: bson.D{{Key: "find", Value: "changes"}, {Key: "filter", Value: bson.D{}}}}}).Decode(&out)
	if err != nil {
		return "the server has no explain: " + err.Error()
	}
	if out["queryPlanner"] == nil {
		return "the server's explain has no queryPlanner"
	}
	return ""
}

func stages(plan bson.Raw) (out []string) {
	elems, _ := plan.Elements()
	for _, e := range elems {
		if s, ok := e.Value().StringValueOK(); ok && e.Key() == "stage" {
			out = append(out, s)
		}
		if d, ok := e.Value().DocumentOK(); ok {
			out = append(out, stages(d)...)
		}
		if a, ok := e.Value().ArrayOK(); ok {
			out = append(out, stages(bson.Raw(a))...)
		}
	}
	return out
}

// TestDocument: an entry is a GeoJSON Feature that other programs can read and query, not a text of ours.
func TestDocument(t *testing.T) {
	s := mustOpen(t, mongotest.Fresh(t))
	e := entry("ressourcerie")
	e.Tags = []string{"vélo"}
	e.Categories = []string{"repair"}
	e.Extra = map[string]string{"N° SIRET.": "1", "$x": "2"}
	e.Event = &directory.Schedule{Start: e.Created.In(time.FixedZone("", 7200))}
	far := entry("far")
	far.Sites = append(far.Sites[:0], [2]float64{500, 95})
	if _, err := s.Append(bg, 0, changesAfter(0, e, far)); err != nil {
		t.Fatal(err)
	}
	var doc bson.Raw
	if err := s.entries.FindOne(bg, bson.D{{Key: "_id", Value: e.ID}}).Decode(&doc); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]bson.Type{"type": bson.TypeString, "geometry.type": bson.TypeString, "geometry.coordinates.0": bson.TypeDouble,
		"properties.name": bson.TypeString, "properties.version": bson.TypeInt64, "properties.created": bson.TypeDateTime, "properties.checked": bson.TypeNull,
		"properties.event.start": bson.TypeDateTime, "properties.tags.0": bson.TypeString, "private.email": bson.TypeString,
		"properties.extra.N° SIRET%2E": bson.TypeString, "properties.extra.%24x": bson.TypeString} {
		v := doc.Lookup(strings.Split(path, ".")...)
		if v.Type != want {
			t.Errorf("%s is a %s, want %s", path, v.Type, want)
		}
	}
	for _, path := range []string{"properties.private", "properties.id", "unplaced"} {
		if v, err := doc.LookupErr(strings.Split(path, ".")...); err == nil {
			t.Errorf("%s should not be there: %v", path, v)
		}
	}
	ids := func(filter bson.D) []string {
		t.Helper()
		cur, err := s.entries.Find(bg, filter)
		if err != nil {
			t.Fatal(err)
		}
		var docs []struct {
			ID string `bson:"_id"`
		}
		if err := cur.All(bg, &docs); err != nil {
			t.Fatal(err)
		}
		var out []string
		for _, d := range docs {
			out = append(out, d.ID)
		}
		return out
	}
	for name, filter := range map[string]bson.D{
		"by slug":     {{Key: "properties.slug", Value: "ressourcerie"}},
		"by category": {{Key: "properties.categories", Value: "repair"}},
		"by time":     {{Key: "properties.event.start", Value: bson.D{{Key: "$gte", Value: e.Created}}}},
	} {
		if got := ids(filter); len(got) != 1 || got[0] != string(e.ID) {
			t.Errorf("%s: found %v, want %s", name, got, e.ID)
		}
	}
	box := bson.A{bson.A{4, 45}, bson.A{5, 45}, bson.A{5, 46}, bson.A{4, 46}, bson.A{4, 45}}
	within := bson.D{{Key: "geometry", Value: bson.D{{Key: "$geoWithin", Value: bson.D{{Key: "$geometry", Value: bson.D{{Key: "type", Value: "Polygon"}, {Key: "coordinates", Value: bson.A{box}}}}}}}}}
	t.Run("within a box", func(t *testing.T) {
		if _, err := s.entries.CountDocuments(bg, within); err != nil {
			if se := mongo.ServerError(nil); !errors.As(err, &se) {
				t.Fatal(err)
			}
			t.Skip("this server cannot show it: " + err.Error())
		}
		if got := ids(within); len(got) != 1 || got[0] != string(e.ID) {
			t.Errorf("found %v, want %s", got, e.ID)
		}
	})
}
