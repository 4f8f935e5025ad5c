package geo

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"archipel/directory"

	"github.com/paulmach/orb"
)

// TestReadersDuringWrites reads from several goroutines while entries move, so that the race detector sees it, and checks
// that each snapshot agrees with itself.
func TestReadersDuringWrites(t *testing.T) {
	x := NewIndex()
	x.limit = 200
	var stop sync.WaitGroup
	done := make(chan struct{})
	for reader := range 3 {
		stop.Go(func() {
			r := rand.New(rand.NewPCG(5, uint64(reader)))
			for {
				select {
				case <-done:
					return
				default:
				}
				f := randomFilter(r, nil)
				f.Only = nil
				s := x.Snapshot()
				list, err := s.Select(f, Page{Limit: 5})
				if err != nil {
					t.Error(err)
					return
				}
				facets, _ := s.Facets(f, testParent)
				kinds := 0
				for _, k := range facets.Kinds {
					kinds += k.Count
				}
				if facets.Matched != list.Matched || kinds != list.Matched {
					t.Errorf("one snapshot matches %d, %d and %d", list.Matched, facets.Matched, kinds)
					return
				}
				var sites [3]int
				for z := range sites {
					for x := range 1 << z {
						for y := range 1 << z {
							for _, k := range must(s.Markers(z, x, y, f)) {
								sites[z] += k.Count
							}
						}
					}
				}
				if sites[0] != sites[1] || sites[1] != sites[2] {
					t.Errorf("one snapshot has %v sites at the first zooms", sites)
					return
				}
			}
		})
	}
	r := rand.New(rand.NewPCG(6, 6))
	m := model{}
	for range 300 {
		write(r, x, m, 1200)
	}
	close(done)
	stop.Wait()
}

// TestSnapshotStays writes on while a snapshot is held.
func TestSnapshotStays(t *testing.T) {
	x, m := NewIndex(), model{}
	x.limit = 100
	r := rand.New(rand.NewPCG(9, 9))
	for range 30 {
		write(r, x, m, 400)
	}
	s := x.Snapshot()
	version, before := s.Version(), map[string]int{}
	for _, h := range must(s.Select(Filter{}, Page{})).Hits {
		before[string(h.ID)+h.Slug]++
	}
	tile, _ := s.Tile(0, 0, 0, Filter{})
	tile = slices.Clone(tile)
	for range 60 {
		write(r, x, m, 400)
	}
	after := map[string]int{}
	for _, h := range must(s.Select(Filter{}, Page{})).Hits {
		after[string(h.ID)+h.Slug]++
	}
	now, _ := s.Tile(0, 0, 0, Filter{})
	if s.Version() != version || len(before) != len(after) || string(now) != string(tile) {
		t.Error("a snapshot changed after it was taken")
	}
	if x.Version() == version {
		t.Error("the version stayed the same after writes")
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// TestSameContentSameBytes comes to the same entries in two ways: version, tags and tiles must be the same.
func TestSameContentSameBytes(t *testing.T) {
	r := rand.New(rand.NewPCG(10, 10))
	a, b, m := NewIndex(), NewIndex(), model{}
	a.limit = 150
	for range 120 {
		write(r, a, m, 900)
	}
	var items []Item
	for _, it := range m { // in no order
		items = append(items, it)
	}
	b.Put(items...)
	if a.Version() != b.Version() {
		t.Fatalf("versions %s and %s", a.Version(), b.Version())
	}
	f := Filter{Current: epoch.Add(500 * time.Hour)}
	for z := range 6 {
		for x := range 1 << z {
			for y := range 1 << z {
				for _, f := range []Filter{{}, f} {
					one, other := must(a.Tile(z, x, y, f)), must(b.Tile(z, x, y, f))
					if string(one) != string(other) || a.ETag(z, x, y, f) != b.ETag(z, x, y, f) {
						t.Fatalf("tile %d/%d/%d differs", z, x, y)
					}
				}
			}
		}
	}
}

func TestETag(t *testing.T) {
	x := NewIndex()
	r := rand.New(rand.NewPCG(1, 1))
	it := randomItem(r, 1)
	it.Times = []directory.Span{{Start: epoch, End: epoch.Add(time.Hour)}}
	it.Points = []orb.Point{{4, 45}}
	x.Put(it)
	seen := map[string]string{}
	note := func(what, tag string) {
		t.Helper()
		if before, ok := seen[tag]; ok {
			t.Errorf("%s and %s have the tag %s", what, before, tag)
		}
		if !strings.HasPrefix(tag, `"`) || !strings.HasSuffix(tag, `"`) || strings.Count(tag, `"`) != 2 {
			t.Errorf("%s has the tag %s", what, tag)
		}
		seen[tag] = what
	}
	note("all", x.ETag(1, 0, 0, Filter{}))
	note("another tile", x.ETag(1, 0, 1, Filter{}))
	note("a kind", x.ETag(1, 0, 0, Filter{Kinds: []directory.Kind{directory.Place}}))
	note("a category", x.ETag(1, 0, 0, Filter{Categories: []string{"place"}}))
	note("two categories", x.ETag(1, 0, 0, Filter{Categories: []string{"a", "b"}}))
	if x.ETag(1, 0, 0, Filter{Categories: []string{"b", "a"}}) != x.ETag(1, 0, 0, Filter{Categories: []string{"a", "b"}}) {
		t.Error("the order of categories makes another tag")
	}
	note("open", x.ETag(1, 0, 0, Filter{OpenAt: epoch}))
	note("open a minute later", x.ETag(1, 0, 0, Filter{OpenAt: epoch.Add(time.Minute)}))
	note("open elsewhere", x.ETag(1, 0, 0, Filter{OpenAt: epoch.In(time.FixedZone("elsewhere", 3600))}))
	if x.ETag(1, 0, 0, Filter{OpenAt: epoch}) != x.ETag(1, 0, 0, Filter{OpenAt: epoch.Add(59 * time.Second)}) {
		t.Error("tags differ within a minute")
	}
	note("none", x.ETag(1, 0, 0, Filter{Only: []directory.ID{}}))
	note("before it ends", x.ETag(1, 0, 0, Filter{Current: epoch.Add(30 * time.Minute)}))
	if x.ETag(1, 0, 0, Filter{Current: epoch}) != x.ETag(1, 0, 0, Filter{Current: epoch.Add(30 * time.Minute)}) {
		t.Error("time alone makes another tag")
	}
	note("after it ended", x.ETag(1, 0, 0, Filter{Current: epoch.Add(2 * time.Hour)}))
	old := x.ETag(1, 0, 0, Filter{})
	it.Name += "!"
	x.Put(it)
	note("another name", x.ETag(1, 0, 0, Filter{}))
	it.Name = strings.TrimSuffix(it.Name, "!")
	x.Put(it)
	if x.ETag(1, 0, 0, Filter{}) != old {
		t.Error("the same content has another tag")
	}
	x.Remove(it.ID)
	note("empty", x.ETag(1, 0, 0, Filter{}))
}

// TestEndedEventsLeave asks again with the same filter later on.
func TestEndedEventsLeave(t *testing.T) {
	x := NewIndex()
	x.limit = 0 // the event is in the segment
	it := Item{ID: testID(1), Kind: directory.Event, Points: []orb.Point{{4, 45}}, Times: []directory.Span{{Start: epoch, End: epoch.Add(time.Hour)}}}
	x.Put(it)
	for _, c := range []struct {
		after time.Duration
		want  int
	}{{30 * time.Minute, 1}, {59 * time.Minute, 1}, {time.Hour, 0}, {48 * time.Hour, 0}, {0, 1}} {
		f := Filter{Current: epoch.Add(c.after)}
		if got := len(must(x.Markers(3, 4, 2, f))); got != c.want {
			t.Errorf("after %s the map has %d markers, want %d", c.after, got, c.want)
		}
		if got := must(x.Select(f, Page{})).Matched; got != c.want {
			t.Errorf("after %s the list has %d, want %d", c.after, got, c.want)
		}
	}
}

func TestSamePlaceStaysOneDisc(t *testing.T) {
	x := NewIndex()
	var items []Item
	for i := range 200 {
		items = append(items, Item{ID: testID(i), Kind: directory.Organisation, Name: fmt.Sprintf("Entry %03d", i), Slug: fmt.Sprintf("e%d", i), Points: []orb.Point{{4.3872, 45.4397}}})
	}
	x.Put(items...)
	px, py := project(items[0].Points[0])
	for _, z := range []int{0, 12, MaxZoom} {
		markers := must(x.Markers(z, int(uint64(px)<<z>>32), int(uint64(py)<<z>>32), Filter{}))
		if len(markers) != 1 || markers[0].Count != 200 || markers[0].OpensAt != MaxZoom+1 {
			t.Fatalf("zoom %d: %+v", z, markers)
		}
		var slugs []string
		page := Page{Limit: 60}
		for {
			list := must(x.Select(Filter{Cluster: &markers[0].Cluster}, page))
			for _, h := range list.Hits {
				slugs = append(slugs, h.Slug)
			}
			if page.After = list.Next; page.After == "" {
				break
			}
		}
		if len(slugs) != 200 || slugs[0] != "e0" || slugs[199] != "e199" {
			t.Errorf("zoom %d: the disc lists %d entries", z, len(slugs))
		}
	}
}

// TestChainOfCells has cells that depend on one another far beyond a tile: each has one more point than the one west of
// it, and all stand closer than discs may.
func TestChainOfCells(t *testing.T) {
	const z, length = 10, 40
	cell := uint32(1) << (32 - z - cellBits)
	x, m := NewIndex(), model{}
	n := 0
	var items []Item
	for i := range length {
		for range i + 1 {
			px := uint32(1)<<31 + uint32(i)*cell + cell/4
			if i%2 == 1 {
				px -= cell / 8
			}
			it := Item{ID: testID(n), Kind: directory.Place, Points: []orb.Point{fix(unproject(px, 1<<31+cell/2)).point()}}
			items = append(items, it)
			m[it.ID] = it
			n++
		}
	}
	x.Put(items...)
	checkZoom(t, x, m, Filter{}, z)
}

// TestBoxEdges puts points on the edge of a box, and others beside it that the map's own grid cannot tell from them.
func TestBoxEdges(t *testing.T) {
	x := NewIndex()
	x.limit = 0
	var items []Item
	for i := range 400 {
		items = append(items, Item{ID: testID(i), Kind: directory.Place, Points: []orb.Point{{0, float64(i%20) / 10}}})
	}
	for i := range 100 {
		items = append(items, Item{ID: testID(1000 + i), Kind: directory.Place, Points: []orb.Point{{10, []float64{90, 86, 85.2, -90}[i%4]}}})
	}
	x.Put(items...)
	for _, c := range []struct {
		name string
		box  orb.Bound
		want int
	}{
		{"on the edge", orb.Bound{Min: orb.Point{0, 0}, Max: orb.Point{1, 2}}, 400},
		{"a hair east of it", orb.Bound{Min: orb.Point{1e-10, 0}, Max: orb.Point{1, 2}}, 0},
		{"a point", orb.Bound{Min: orb.Point{0, 0.5}, Max: orb.Point{0, 0.5}}, 20},
		{"beyond Mercator", orb.Bound{Min: orb.Point{-180, 85.5}, Max: orb.Point{180, 90}}, 50},
		{"the pole", orb.Bound{Min: orb.Point{-180, 89}, Max: orb.Point{180, 90}}, 25},
		{"up to where Mercator ends", orb.Bound{Min: orb.Point{-20, 80}, Max: orb.Point{20, 85.1}}, 0},
		{"the south pole", orb.Bound{Min: orb.Point{0, -90}, Max: orb.Point{20, -89}}, 25},
		{"all around", orb.Bound{Min: orb.Point{-200, -90}, Max: orb.Point{200, 90}}, 500},
		{"the other side", orb.Bound{Min: orb.Point{170, -90}, Max: orb.Point{-170, 90}}, 0},
		{"across the antimeridian, the long way", orb.Bound{Min: orb.Point{5, -90}, Max: orb.Point{1, 90}}, 500},
		{"turned once", orb.Bound{Min: orb.Point{359, -10}, Max: orb.Point{361, 10}}, 400},
	} {
		if got := must(x.Select(Filter{BBox: &c.box}, Page{Limit: 1})).Matched; got != c.want {
			t.Errorf("%s: %d, want %d", c.name, got, c.want)
		}
	}
}

func TestInvalid(t *testing.T) {
	x := NewIndex()
	good := Item{ID: testID(1), Kind: directory.Place, Points: []orb.Point{{1, 2}}}
	bad := []Item{
		{ID: "entry-1", Kind: directory.Place},
		{ID: testID(2), Kind: "shop"},
		{ID: testID(3), Kind: directory.Place, Points: []orb.Point{{181, 0}}},
		{ID: testID(4), Kind: directory.Place, Points: []orb.Point{{0, math.NaN()}}},
		{ID: testID(5), Kind: directory.Place, Points: []orb.Point{{0, 0}, {math.Inf(1), 0}}},
	}
	err := x.Put(append(bad, good)...)
	if !errors.Is(err, ErrInvalid) || x.Len() != 1 {
		t.Errorf("bad items: %v, and %d are in", err, x.Len())
	}
	for _, part := range []string{"entry-1", "shop", "181", "NaN", "points[1]"} {
		if !strings.Contains(fmt.Sprint(err), part) {
			t.Errorf("the error %q does not name %s", err, part)
		}
	}
	near := orb.Point{0, 0}
	box := func(w, s, e, n float64) Filter {
		return Filter{BBox: &orb.Bound{Min: orb.Point{w, s}, Max: orb.Point{e, n}}}
	}
	for name, f := range map[string]Filter{
		"bbox: its south":        box(0, 10, 1, 5),
		"bbox: latitudes":        box(0, -91, 1, 5),
		"bbox: longitudes":       box(0, 0, 541, 5),
		"bbox: longitudes NaN":   box(math.NaN(), 0, 1, 5),
		"radius: needs":          {Radius: 5},
		"radius -1":              {Near: &near, Radius: -1},
		"radius NaN":             {Near: &near, Radius: math.NaN()},
		"radius +Inf":            {Near: &near, Radius: math.Inf(1)},
		"near: invalid latitude": {Near: &orb.Point{0, 91}},
		"time: from":             {From: epoch.Add(time.Hour), To: epoch},
		"cluster: zoom":          {Cluster: &Cluster{Zoom: 25}},
		"cluster: 16 is not on":  {Cluster: &Cluster{Zoom: 0, ID: 16}},
		"cluster: zoom -1":       {Cluster: &Cluster{Zoom: -1, ID: 1}},
		"cluster: 1844674407370": {Cluster: &Cluster{Zoom: 24, ID: math.MaxUint64}},
	} {
		_, err := x.Select(f, Page{})
		want := strings.Fields(name)[0]
		if !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), strings.TrimSuffix(want, ":")) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := x.Facets(f, nil); !errors.Is(err, ErrInvalid) {
			t.Errorf("facets, %s: %v", name, err)
		}
		if _, err := x.Tile(0, 0, 0, f); !errors.Is(err, ErrInvalid) {
			t.Errorf("tile, %s: %v", name, err)
		}
	}
	for _, n := range [][3]int{{-1, 0, 0}, {25, 0, 0}, {1 << 40, 0, 0}, {0, 1, 0}, {0, 0, 1}, {3, 8, 0}, {3, 0, -1}, {24, 1 << 24, 0}, {2, math.MinInt, 0}} {
		if _, err := x.Tile(n[0], n[1], n[2], Filter{}); !errors.Is(err, ErrInvalid) {
			t.Errorf("tile %v: %v", n, err)
		}
	}
	next := Page{Limit: 1, After: place{id: id{1}}.tokenForTest()}
	for name, p := range map[string]Page{
		"limit":                 {Limit: -1},
		"order":                 {Order: 77},
		"order: by distance":    {Order: ByDistance},
		"order: there is no":    {Order: ByOnly},
		"after: not the end":    {After: "????"},
		"after: the end of a":   {Order: ByUpdated, After: next.After},
		"after: not the end of": {After: strings.Repeat("A", 5000)},
	} {
		if _, err := x.Select(Filter{}, p); !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), name) {
			t.Errorf("page %s: %v", name, err)
		}
	}
	for name, m := range map[string]orb.MultiPolygon{
		"no polygon": nil, "a ring": {{{{0, 0}, {1, 1}}}}, "latitude": {{{{0, 0}, {0, 91}, {1, 1}}}},
	} {
		if _, err := NewZone(m); !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), name) {
			t.Errorf("zone %s: %v", name, err)
		}
	}
}

func (p place) tokenForTest() string { return p.token(Page{}, &Filter{}) }

// FuzzAfter feeds hostile page keys.
func FuzzAfter(f *testing.F) {
	f.Add("AAAA", uint8(0))
	f.Add(place{id: id{1}, name: []byte("abc")}.tokenForTest(), uint8(0))
	for o := ByName; o <= ByOnly; o++ {
		p := place{rank: lastRank - 1, id: id{1}}
		f.Add(p.token(Page{Order: o}, &Filter{Near: &orb.Point{}}), uint8(o))
	}
	x := NewIndex()
	x.Put(Item{ID: testID(1), Kind: directory.Place, Name: "b"}, Item{ID: testID(2), Kind: directory.Place, Name: "abd", Points: []orb.Point{{1, 2}}})
	f.Fuzz(func(t *testing.T, after string, order uint8) {
		s, err := x.Select(Filter{Near: &orb.Point{}}, Page{Order: Order(order), Limit: 1, After: after})
		if err == nil && s.Matched != 2 || err != nil && !errors.Is(err, ErrInvalid) {
			t.Errorf("%q: %+v, %v", after, s, err)
		}
	})
}

// TestClusterThatWasJoined follows the link of a disc that has since been merged into its neighbour's.
func TestClusterThatWasJoined(t *testing.T) {
	const z = 10
	cell := uint32(1) << (32 - z - cellBits)
	x := NewIndex()
	put := func(n int, px uint32) {
		x.Put(Item{ID: testID(n), Kind: directory.Place, Points: []orb.Point{unproject(px, 1<<31+cell/2)}})
	}
	edge := uint32(1)<<31 + cell
	put(1, edge-cell/8)
	put(2, edge-cell/8)
	markers := must(x.Markers(z, 512, 512, Filter{}))
	if len(markers) != 1 || markers[0].Count != 2 {
		t.Fatalf("%+v", markers)
	}
	for n := range 3 {
		put(3+n, edge+cell/8)
	}
	if now := must(x.Markers(z, 512, 512, Filter{})); len(now) != 1 || now[0].Count != 5 || now[0].Cluster == markers[0].Cluster {
		t.Fatalf("%+v", now)
	}
	if got := must(x.Select(Filter{Cluster: &markers[0].Cluster}, Page{})).Matched; got != 5 {
		t.Errorf("the old link lists %d, want 5", got)
	}
}

// TestCountersStartAgain writes past the last number that a snapshot can have.
func TestCountersStartAgain(t *testing.T) {
	x, m := NewIndex(), model{}
	r := rand.New(rand.NewPCG(3, 1))
	for range 20 {
		write(r, x, m, 300)
	}
	s := *x.Snapshot()
	s.seq = math.MaxUint32 - 3
	x.current.Store(&s)
	for range 12 {
		held := x.Snapshot()
		n := must(held.Select(Filter{}, Page{})).Matched
		write(r, x, m, 300)
		if got := must(held.Select(Filter{}, Page{})).Matched; got != n {
			t.Fatalf("a snapshot held %d entries, then %d", n, got)
		}
		checkZoom(t, x, m, Filter{}, 3)
		checkFacets(t, x, m, Filter{})
	}
	if got := x.Snapshot().seq; got > 100 {
		t.Errorf("the counter is at %d", got)
	}
}

func TestSortKeyed(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 4))
	for _, n := range []int{0, 1, 2, 2047, 2048, 5000} {
		for _, mask := range []uint64{math.MaxUint64, 0xff, 0xff << 56, 0x7ff << 22, 0} {
			a := make([]keyed, n)
			for i := range a {
				a[i] = keyed{r.Uint64() & mask, uint32(i), 1}
			}
			want := slices.Clone(a)
			slices.SortStableFunc(want, func(p, q keyed) int { return compare(p.key, q.key) })
			sortKeyed(a)
			for i := range a {
				if a[i].key != want[i].key || n >= 2048 && a[i] != want[i] {
					t.Fatalf("%d keys under %x: at %d is %v, want %v", n, mask, i, a[i], want[i])
				}
			}
		}
	}
}
