package geo

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"archipel/directory"
)

func itoa(n int) string { return strconv.Itoa(n) }

// checkList walks through the pages of a list in a random order, and compares it with the list sorted by hand.
func checkList(t *testing.T, r *rand.Rand, x *Index, m model, f Filter) {
	t.Helper()
	order := pick(r, []Order{ByName, ByStart, ByUpdated})
	if f.Near != nil {
		order = ByDistance
	} else if f.Only != nil && r.IntN(2) == 0 {
		order = ByOnly
	}
	var want []Item
	for _, it := range m {
		if ok, _ := f.brute(&it, ""); ok {
			want = append(want, it)
		}
	}
	distance := func(it *Item) float64 {
		d := math.Inf(1)
		for _, p := range it.Points {
			d = min(d, sphere(*f.Near, p))
		}
		return d
	}
	start := func(it *Item) int64 {
		for _, s := range it.Times {
			since := f.From
			if f.Current.After(since) {
				since = f.Current
			}
			if since.IsZero() || s.End.After(since) || s.Start.Equal(since) {
				return s.Start.Unix()
			}
		}
		return math.MaxInt64
	}
	slices.SortFunc(want, func(a, b Item) int {
		c := 0
		switch order {
		case ByName:
			c = strings.Compare(directory.Fold(a.Name), directory.Fold(b.Name))
		case ByDistance:
			c = cmp.Compare(distance(&a), distance(&b))
		case ByStart:
			c = cmp.Compare(start(&a), start(&b))
		case ByUpdated:
			c = b.Updated.Compare(a.Updated)
		case ByOnly:
			c = cmp.Compare(slices.Index(f.Only, a.ID), slices.Index(f.Only, b.ID))
		}
		return cmp.Or(c, strings.Compare(string(a.ID), string(b.ID)))
	})
	p := Page{Order: order, Limit: pick(r, []int{0, 7, 50, 10_000})}
	if len(want) > 300 && p.Limit == 7 {
		p.Limit = 60
	}
	at := 0
	for {
		got, err := x.Select(f, p)
		if err != nil {
			t.Fatal(err)
		}
		if got.Matched != len(want) {
			t.Errorf("matched %d, want %d", got.Matched, len(want))
			return
		}
		for _, h := range got.Hits {
			if at >= len(want) || h.ID != want[at].ID {
				t.Errorf("order %d, limit %d: hit %d of %d is wrong", order, p.Limit, at, len(want))
				return
			}
			if order == ByDistance && len(want[at].Points) > 0 && h.Distance != distance(&want[at]) {
				t.Errorf("distance %v, want %v", h.Distance, distance(&want[at]))
			}
			if order == ByStart && h.Start != start(&want[at]) && start(&want[at]) != math.MaxInt64 {
				t.Errorf("start %v, want %v", h.Start, start(&want[at]))
			}
			at++
		}
		if p.After = got.Next; p.After == "" {
			break
		}
	}
	if at != len(want) {
		t.Errorf("order %d, limit %d: %d hits, want %d", order, p.Limit, at, len(want))
	}
}
