package geo

import (
	"fmt"
	"testing"
	"time"

	"archipel/directory"
	"archipel/directory/hours"
)

func TestOpenAt(t *testing.T) {
	x := NewIndex()
	item := func(n int, opening string, holidays hours.Holidays) Item {
		return Item{ID: testID(n), Kind: directory.Place, Slug: fmt.Sprint("p", n), Name: "Place", Hours: opening, Holidays: holidays, Updated: epoch}
	}
	if err := x.Put(
		item(1, "Mo-Fr 09:00-18:00; PH off", hours.France),
		item(2, "Mo-Fr 09:00-18:00; PH off", hours.AlsaceMoselle),
		item(3, "Mo-Fr 09:00-18:00; PH off", nil),
		item(4, "ouvert tous les jours", hours.France),
		item(5, "", hours.France),
		item(6, "Mo-Su 09:00-18:00+", hours.France),
	); err != nil {
		t.Fatal(err)
	}
	paris, err := time.LoadLocation("Europe/Paris")
	if err != nil {
		t.Fatal(err)
	}
	for at, want := range map[string]int{
		"2026-04-02 10:00": 3, // not place 3: there it may be a holiday
		"2026-04-02 08:59": 0, "2026-04-02 18:00": 0,
		"2026-04-03 10:00": 2, // Good Friday
		"2026-05-01 10:00": 1, // a holiday that is not known for one
	} {
		when, err := time.ParseInLocation("2006-01-02 15:04", at, paris)
		if err != nil {
			t.Fatal(err)
		}
		sel, err := x.Select(Filter{OpenAt: when.Add(40 * time.Second)}, Page{Limit: 10})
		if err != nil {
			t.Fatal(err)
		}
		if sel.Matched != want {
			t.Errorf("%s: got %d open, want %d: %v", at, sel.Matched, want, sel.Hits)
		}
	}
	// New hours are asked as well, at the same moment, by holders of old and new snapshots.
	at := time.Date(2026, 4, 3, 10, 0, 0, 0, paris)
	old := x.Snapshot()
	if err := x.Put(item(7, "24/7", hours.France)); err != nil {
		t.Fatal(err)
	}
	for i, s := range []*Snapshot{old, x.Snapshot(), old} {
		sel, err := s.Select(Filter{OpenAt: at}, Page{})
		if want := 2 + i%2; err != nil || sel.Matched != want {
			t.Errorf("got %d, %v, want %d", sel.Matched, err, want)
		}
	}
	before := x.Version()
	if err := x.Put(item(7, "24/7", hours.AlsaceMoselle)); err != nil || x.Version() == before {
		t.Errorf("other holidays are the same version: %v", err)
	}
}

// 100,000 entries with 3,000 different opening hours, asked at another minute each time.
func BenchmarkOpenAt(b *testing.B) {
	items := benchItems(benchSize)
	for i := range items {
		if i%3 > 0 {
			n := i % 9000 / 3
			items[i].Hours, items[i].Holidays = fmt.Sprintf("Mo-Fr %02d:%02d-12:00,14:00-%02d:00; PH off", 6+n%4, n/4%60, 15+n/240%12), hours.France
		}
	}
	x := NewIndex()
	if err := x.Put(items...); err != nil {
		b.Fatal(err)
	}
	at := time.Date(2026, 4, 2, 10, 0, 0, 0, time.UTC)
	for name, every := range map[string]bool{"same minute": false, "other minute": true} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if every {
					at = at.Add(time.Minute)
				}
				if _, err := x.Select(Filter{OpenAt: at}, Page{Limit: 20}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
