package geo

import (
	"strconv"
	"testing"
	"time"

	"archipel/directory"

	"github.com/paulmach/orb"
)

func TestApply(t *testing.T) {
	x := NewIndex()
	entry := func(n int, status directory.Status, change ...func(*directory.Entry)) directory.Entry {
		e := directory.Entry{
			ID: testID(n), Kind: directory.Place, Slug: "maison", Name: "Maison du vélo", Status: status, Categories: []string{"bike", "repair"},
			Tags: []string{"atelier"}, Sites: []orb.Point{{4.39, 45.44}}, Address: &directory.Address{Locality: "Firminy"}, Updated: epoch,
		}
		for _, c := range change {
			c(&e)
		}
		return e
	}
	matched := func(f Filter) int {
		t.Helper()
		return must(x.Select(f, Page{})).Matched
	}
	x.Apply([]directory.Entry{
		entry(1, directory.Published), entry(2, directory.Draft), entry(3, directory.Pending), entry(4, directory.Hidden), entry(5, directory.Removed),
		entry(6, directory.Published, func(e *directory.Entry) { e.Sites, e.Address, e.Origin = nil, nil, "isle.example" }),
		entry(7, directory.Published, func(e *directory.Entry) { e.Sites = []orb.Point{{500, 0}, {1, 1}} }),
		entry(8, directory.Published, func(e *directory.Entry) { e.ID = "broken" }),
	})
	if got := x.Len(); got != 3 {
		t.Errorf("%d entries, want 3", got)
	}
	for name, c := range map[string]struct {
		f    Filter
		want int
	}{
		"by town":       {Filter{Words: "firminy"}, 2},
		"by tag":        {Filter{Tags: []string{"atelier"}}, 3},
		"by category":   {Filter{Categories: []string{"repair"}}, 3},
		"by origin":     {Filter{Origins: []string{"isle.example"}}, 1},
		"ours":          {Filter{Origins: []string{""}}, 2},
		"by place":      {Filter{BBox: &orb.Bound{Min: orb.Point{4, 45}, Max: orb.Point{5, 46}}}, 1},
		"by other site": {Filter{BBox: &orb.Bound{Min: orb.Point{0, 0}, Max: orb.Point{2, 2}}}, 1},
	} {
		if got := matched(c.f); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
	// Twice in a batch: the last counts.
	x.Apply([]directory.Entry{entry(1, directory.Published), entry(1, directory.Hidden), entry(2, directory.Hidden), entry(2, directory.Published)})
	if got := must(x.Select(Filter{Only: []directory.ID{testID(1), testID(2)}}, Page{})); got.Matched != 1 || got.Hits[0].ID != testID(2) {
		t.Errorf("after two states of each in a batch: %+v", got)
	}
	x.Apply([]directory.Entry{entry(2, directory.Removed), entry(6, directory.Removed), entry(7, directory.Draft)})
	if x.Len() != 0 || matched(Filter{}) != 0 || len(must(x.Tile(0, 0, 0, Filter{}))) != 0 {
		t.Error("entries that are no longer public are still there")
	}
}

func TestRecurringEvents(t *testing.T) {
	x := NewIndex()
	monday := time.Date(2024, 1, 1, 18, 0, 0, 0, time.UTC)
	x.Apply([]directory.Entry{{
		ID: testID(1), Kind: directory.Event, Status: directory.Published, Updated: monday.AddDate(2, 0, 0),
		Event: &directory.Schedule{Start: monday, End: monday.Add(2 * time.Hour), Timezone: "UTC", RRule: "FREQ=WEEKLY"},
	}})
	day := func(t time.Time) Filter { return Filter{From: t, To: t.AddDate(0, 0, 1)} }
	for _, c := range []struct {
		name string
		f    Filter
		want int
	}{
		{"a Monday", day(time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)), 1},
		{"a Tuesday", day(time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC)), 0},
		{"a Monday in three years", day(time.Date(2029, 1, 1, 0, 0, 0, 0, time.UTC)), 1},
		{"while it goes on", Filter{From: time.Date(2026, 11, 23, 19, 59, 0, 0, time.UTC), To: time.Date(2026, 11, 23, 21, 0, 0, 0, time.UTC)}, 1},
		{"when it has ended", Filter{From: time.Date(2026, 11, 23, 20, 0, 0, 0, time.UTC), To: time.Date(2026, 11, 23, 21, 0, 0, 0, time.UTC)}, 0},
		{"not over", Filter{Current: time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC)}, 1},
	} {
		if got := must(x.Select(c.f, Page{})).Matched; got != c.want {
			t.Errorf("%s: %d, want %d", c.name, got, c.want)
		}
	}
	list := must(x.Select(Filter{Current: time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC)}, Page{Order: ByStart}))
	if want := time.Date(2026, 11, 30, 18, 0, 0, 0, time.UTC).Unix(); list.Hits[0].Start != want {
		t.Errorf("the next date is %s", time.Unix(list.Hits[0].Start, 0).UTC())
	}
}

// TestMovedBefore: a date before the beginning of its event is found.
func TestMovedBefore(t *testing.T) {
	start := time.Date(2027, 3, 14, 18, 0, 0, 0, time.UTC)
	before := start.AddDate(0, 0, -9)
	for name, v := range map[string]directory.Schedule{
		"the first date was moved":           {RRule: "FREQ=WEEKLY", Overrides: []directory.Occurrence{{Original: start, Start: before}}},
		"there is one before the series":     {RRule: "FREQ=WEEKLY", RDates: []time.Time{before}},
		"there are extra dates and no rule":  {RDates: []time.Time{before, start.AddDate(7, 0, 0)}},
		"so many dates that some were moved": {RRule: "FREQ=DAILY;COUNT=1400", Overrides: []directory.Occurrence{{Original: start.AddDate(2, 0, 0), Start: before}}},
	} {
		v.Start, v.End, v.Timezone = start, start.Add(time.Hour), "UTC"
		x := NewIndex()
		x.Apply([]directory.Entry{{ID: testID(1), Kind: directory.Event, Status: directory.Published, Updated: start, Event: &v}})
		if got := must(x.Select(Filter{From: before, To: before.Add(time.Hour)}, Page{})).Matched; got != 1 {
			t.Errorf("%s: it is not found", name)
		}
	}
	last := itemOf(&directory.Entry{Event: &directory.Schedule{Start: start, RDates: []time.Time{start.AddDate(7, 0, 0)}}}, time.UTC)
	if len(last.Times) != 2 {
		t.Errorf("an extra date after years: %d dates", len(last.Times))
	}
}

// TestHostileEvents: an entry that lies in a store with a rule that nobody would accept costs little, and nothing while it is
// not shown.
func TestHostileEvents(t *testing.T) {
	many := "0"
	for n := 1; n < 60; n++ {
		many += "," + strconv.Itoa(n)
	}
	day := "0"
	for n := 1; n < 24; n++ {
		day += "," + strconv.Itoa(n)
	}
	entry := func(status directory.Status, rule string) directory.Entry {
		return directory.Entry{ID: testID(1), Kind: directory.Event, Status: status, Updated: epoch,
			Event: &directory.Schedule{Start: time.Date(1800, 1, 1, 0, 0, 0, 0, time.UTC), RRule: rule}}
	}
	for _, rule := range []string{"FREQ=DAILY;BYHOUR=" + day + ";BYMINUTE=" + many, "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30", "FREQ=MONTHLY;BYDAY=-6MO", "FREQ=DAILY;BYHOUR=1,2,3,4,5,6,7,8,9,10,11,12"} {
		x := NewIndex()
		x.Apply([]directory.Entry{entry(directory.Published, rule)})
		if x.Len() != 1 {
			t.Errorf("%s: the entry itself is not there", rule)
		}
		if it := itemOf(ptr(entry(directory.Published, rule)), time.UTC); len(it.Times) > maxTimes+1 {
			t.Errorf("%s: %d dates", rule, len(it.Times))
		}
	}
	x := NewIndex()
	waiting := []directory.Entry{entry(directory.Pending, "FREQ=DAILY")}
	if n := testing.AllocsPerRun(5, func() { x.Apply(waiting) }); n > 50 {
		t.Errorf("the dates of what waits are worked out: %v allocations", n)
	}
}

func ptr[T any](v T) *T { return &v }
