package geo

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"archipel/directory"
)

// TestDates compares the dates of random events with a look at each of them, under filters, while they change.
func TestDates(t *testing.T) {
	paris, err := time.LoadLocation("Europe/Paris")
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	begin := time.Date(2027, 3, 1, 0, 0, 0, 0, paris)
	x := NewIndex()
	items := map[directory.ID]Item{}
	make1 := func(id directory.ID, n int) Item {
		it := Item{ID: id, Kind: directory.Event, Name: fmt.Sprintf("Date %d", n), Categories: []string{[]string{"a", "b"}[n%2]}}
		at := begin.Add(time.Duration(rng.IntN(60*24)) * time.Hour)
		for range rng.IntN(4) {
			s := directory.Span{Start: at, End: at.Add(time.Duration(rng.IntN(100)) * time.Hour)}
			if rng.IntN(5) == 0 {
				s.State = directory.Cancelled
			}
			it.Times = append(it.Times, s)
			at = at.Add(time.Duration(24+rng.IntN(300)) * time.Hour)
		}
		return it
	}
	var ids []directory.ID
	for n := range 400 {
		it := make1(directory.NewID(), n)
		ids, items[it.ID] = append(ids, it.ID), it
		if err := x.Put(it); err != nil {
			t.Fatal(err)
		}
	}
	for round := range 30 {
		id := ids[rng.IntN(len(ids))]
		if round%3 == 0 {
			x.Remove(id)
			delete(items, id)
		} else {
			items[id] = make1(id, round)
			if err := x.Put(items[id]); err != nil {
				t.Fatal(err)
			}
		}
		first := DayOf(begin) + Day(rng.IntN(60))
		last := first + Day(rng.IntN(20))
		f := Filter{Kinds: []directory.Kind{directory.Event}}
		if round%2 == 0 {
			f.Categories = []string{"a"}
		}
		if round%5 == 0 {
			f.Current = begin.Add(time.Duration(rng.IntN(60*24)) * time.Hour)
		}
		want := map[string]int{}
		for _, it := range items {
			if f.Categories != nil && it.Categories[0] != "a" {
				continue
			}
			for _, s := range it.Times {
				day, more := daysOf(s)
				end := s.End
				if !end.After(s.Start) {
					end = s.Start.Add(time.Second)
				}
				if day <= last && day+Day(more) >= first && (f.Current.IsZero() || end.After(f.Current)) {
					want[fmt.Sprintf("%s %d %v", it.ID, s.Start.Unix(), s.State == directory.Cancelled)]++
				}
			}
		}
		snapshot := x.Snapshot()
		dates, err := snapshot.Dates(f, first, last)
		if err != nil {
			t.Fatal(err)
		}
		for i, d := range dates {
			id, _, name := snapshot.DateEntry(d)
			want[fmt.Sprintf("%s %d %v", id, d.Start, d.Off)]--
			if name != items[id].Name {
				t.Errorf("%s is called %q, want %q", id, name, items[id].Name)
			}
			if i > 0 && dates[i-1].Start > d.Start {
				t.Errorf("date %d comes after a later one", i)
			}
		}
		for key, n := range want {
			if n != 0 {
				t.Fatalf("round %d: %s is there %d times too few", round, key, n)
			}
		}
	}
}

func TestDaysOf(t *testing.T) {
	tokyo := time.FixedZone("", 9*3600)
	at := func(day, hour, minute int) time.Time { return time.Date(2027, 3, day, hour, minute, 0, 0, tokyo) }
	for _, c := range []struct {
		name       string
		start, end time.Time
		more       uint16
	}{
		{"an instant", at(1, 9, 0), at(1, 9, 0), 0}, {"an evening", at(1, 20, 0), at(1, 23, 0), 0}, {"until midnight", at(1, 20, 0), at(2, 0, 0), 0},
		{"until two", at(1, 20, 0), at(2, 2, 0), 0}, {"until the morning", at(1, 20, 0), at(2, 7, 0), 1}, {"two whole days", at(1, 0, 0), at(3, 0, 0), 1},
		{"two evenings", at(1, 20, 0), at(3, 1, 0), 1}, {"the end before the start", at(5, 1, 0), at(4, 1, 0), 0}, {"ten years", at(1, 0, 0), at(1, 0, 0).AddDate(10, 0, 0), maxDays},
	} {
		first, more := daysOf(directory.Span{Start: c.start, End: c.end})
		if more != c.more || first.In(time.UTC).Day() != c.start.Day() {
			t.Errorf("%s: day %s and %d more, want %d", c.name, first.In(time.UTC).Format(time.DateOnly), more, c.more)
		}
	}
}

func TestZoneOfEventsThatNameNone(t *testing.T) {
	paris, err := time.LoadLocation("Europe/Paris")
	if err != nil {
		t.Fatal(err)
	}
	x := NewIndex()
	x.Zone = paris
	start := time.Date(2027, 3, 14, 0, 30, 0, 0, paris)
	x.Apply([]directory.Entry{{ID: directory.NewID(), Kind: directory.Event, Name: "A", Status: directory.Published, Updated: start, Event: &directory.Schedule{Start: start.UTC(), RRule: "FREQ=WEEKLY;COUNT=3"}}})
	dates, err := x.Snapshot().Dates(Filter{}, DayOf(start), DayOf(start)+30)
	if err != nil {
		t.Fatal(err)
	}
	for i, d := range dates {
		want := start.AddDate(0, 0, 7*i)
		if d.First != DayOf(want) || d.Start != want.Unix() {
			t.Errorf("date %d: %s, want %s", i, time.Unix(d.Start, 0).In(paris), want)
		}
	}
	if len(dates) != 3 {
		t.Errorf("%d dates, want 3", len(dates))
	}
}
