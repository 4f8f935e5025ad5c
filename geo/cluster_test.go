package geo

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"testing"

	"archipel/directory"

	"github.com/paulmach/orb"
	"github.com/paulmach/orb/encoding/mvt"
)

type tileNumber struct{ x, y int }

// checkZoom compares all tiles of a zoom with the list: nothing lost, nothing twice, discs apart, each in its tile, and
// its list as long as it says.
func checkZoom(t *testing.T, x *Index, m model, f Filter, z int) {
	t.Helper()
	want := 0
	tiles := map[tileNumber]bool{}
	for _, it := range m {
		ok, points := f.brute(&it, "")
		if !ok {
			continue
		}
		want += len(points)
		for _, p := range points {
			px, py := project(p)
			tx, ty := int(uint64(px)<<z>>32), int(uint64(py)<<z>>32)
			for dx := -1; dx <= 1; dx++ { // a disc may stand in the tile beside
				for dy := -1; dy <= 1; dy++ {
					if ty+dy >= 0 && ty+dy < 1<<z {
						tiles[tileNumber{(tx + dx) & (1<<z - 1), ty + dy}] = true
					}
				}
			}
		}
	}
	got := 0
	var all []Marker
	s := x.Snapshot()
	f.Faded = epoch.AddDate(0, 0, z%5) // marks some, leaves out none
	for n := range tiles {
		markers, err := s.Markers(z, n.x, n.y, f)
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range markers {
			got += k.Count
			px, py := project(k.Point)
			if tx, ty := int(uint64(px)<<z>>32), int(uint64(py)<<z>>32); k.Count == 1 && (tx != n.x || ty != n.y) {
				t.Errorf("zoom %d: marker at %v is in tile %v", z, k.Point, n)
			}
			if len(k.Leading) > 0 && k.Leading[0].Count > k.Count {
				t.Errorf("zoom %d: a category has %d of %d", z, k.Leading[0].Count, k.Count)
			}
			if k.Count > 1 && (k.OpensAt <= z || k.OpensAt > MaxZoom+1) {
				t.Errorf("zoom %d: a disc opens at %d", z, k.OpensAt)
			}
		}
		all = append(all, markers...)
		checkTileBytes(t, s, z, n, f, markers)
	}
	if got != want {
		t.Errorf("zoom %d: tiles add up to %d sites, want %d", z, got, want)
	}
	checkApart(t, z, all)
	for i, k := range all {
		if k.Count > 1 && i%7 == 0 {
			checkListed(t, s, m, f, k)
		}
	}
}

func checkApart(t *testing.T, z int, all []Marker) {
	t.Helper()
	size := float64(uint64(1)<<(32-z)) * 56 / 256
	for i := range all {
		ax, ay := project(all[i].Point)
		for j := range all[:i] {
			bx, by := project(all[j].Point)
			if d := math.Hypot(float64(int32(ax-bx)), float64(ay)-float64(by)); d < size-4 {
				t.Errorf("zoom %d: discs at %v and %v are %.1f pixels apart", z, all[i].Point, all[j].Point, d/size*56)
			}
		}
	}
}

// checkListed compares the list behind a disc with its count.
func checkListed(t *testing.T, s *Snapshot, m model, f Filter, k Marker) {
	t.Helper()
	f.Cluster = &k.Cluster
	list, err := s.Select(f, Page{})
	if err != nil {
		t.Fatal(err)
	}
	sites, main := 0, map[string]int{}
	q, err := f.compile(s)
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range list.Hits {
		it := m[h.ID]
		f := f
		f.Cluster = nil
		_, points := f.brute(&it, "")
		for _, p := range points {
			if q.area.has(p) {
				sites++
				if len(it.Categories) > 0 {
					main[it.Categories[0]]++
				}
			}
		}
	}
	if sites != k.Count || list.Matched != len(list.Hits) || list.Matched == 0 {
		t.Errorf("cluster %v of %d sites lists %d entries with %d sites", k.Cluster, k.Count, list.Matched, sites)
	}
	var leading []Count
	for c, n := range main {
		leading = append(leading, Count{c, n})
	}
	slices.SortFunc(leading, func(a, b Count) int { return cmp.Or(b.Count-a.Count, strings.Compare(a.Value, b.Value)) })
	if leading = leading[:min(3, len(leading))]; !slices.Equal(leading, k.Leading) {
		t.Errorf("cluster of %d sites has %v, want %v", k.Count, k.Leading, leading)
	}
}

// checkTileBytes decodes a tile with another implementation and compares it with the markers.
func checkTileBytes(t *testing.T, s *Snapshot, z int, n tileNumber, f Filter, markers []Marker) {
	t.Helper()
	data, err := s.Tile(z, n.x, n.y, f)
	if err != nil {
		t.Fatal(err)
	}
	layers, err := mvt.Unmarshal(data)
	if err != nil {
		t.Fatalf("tile %d %v: %v", z, n, err)
	}
	entries, clusters := map[directory.ID]Marker{}, map[uint64]Marker{}
	for _, k := range markers {
		if k.Count == 1 {
			entries[k.ID] = k
		} else {
			clusters[k.Cluster.ID] = k
		}
	}
	for _, l := range layers {
		if l.Version != 2 || l.Extent != 4096 {
			t.Errorf("layer %s has version %d and extent %d", l.Name, l.Version, l.Extent)
		}
		for _, feature := range l.Features {
			p, ok := feature.Geometry.(orb.Point)
			if !ok || p[0] < 0 || p[0] > 4095 || p[1] < 0 || p[1] > 4095 {
				t.Errorf("geometry %v", feature.Geometry)
			}
			v := feature.Properties
			switch l.Name {
			case "entries":
				k, ok := entries[directory.ID(v.MustString("id", ""))]
				if !ok || v.MustString("name", "") != k.Name || v.MustString("slug", "") != k.Slug || v.MustString("kind", "") != string(k.Kind) ||
					v.MustString("category", "") != k.Category || v.MustBool("approximate", false) != k.Approximate || v.MustBool("mirrored", false) != (k.Origin != "") || v.MustBool("faded", false) != k.Faded {
					t.Errorf("entry %v, want %+v", v, k)
				}
			case "clusters":
				k, ok := clusters[uint64(v["id"].(float64))]
				text := ""
				for i, c := range k.Leading {
					if i > 0 {
						text += ","
					}
					text += c.Value + ":" + itoa(c.Count)
				}
				if !ok || v["count"] != float64(k.Count) || v["zoom"] != float64(k.OpensAt) || v["categories"] != text {
					t.Errorf("cluster %v, want %+v", v, k)
				}
			default:
				t.Errorf("layer %q", l.Name)
			}
		}
	}
	total := 0
	for _, l := range layers {
		total += len(l.Features)
	}
	if total != len(markers) {
		t.Errorf("tile %d %v has %d features, want %d", z, n, total, len(markers))
	}
}
