package geo

import "github.com/paulmach/orb"

// Bounds returns the smallest box that holds every site of the entries that match, as [west, south] and [east, north] in
// degrees, never across the antimeridian; ok is false when none has a position. Errors wrap [ErrInvalid].
func (s *Snapshot) Bounds(f Filter) (b orb.Bound, ok bool, err error) {
	q, err := f.compile(s)
	if err != nil {
		return b, false, err
	}
	s.sites(q, func(p orb.Point) { b, ok = extend(b, p, ok), true })
	return b, ok, nil
}

// Core returns what [Snapshot.Bounds] does for where most of the sites are: of many, the outermost hundredth on each side
// is left out, so that a few overseas do not make a map of the world. A few are all kept.
func (s *Snapshot) Core(f Filter) (b orb.Bound, ok bool, err error) {
	q, err := f.compile(s)
	if err != nil {
		return b, false, err
	}
	const (
		few   = 100
		steps = 4 // buckets to the degree
	)
	var lons [360*steps + 1]int
	var lats [180*steps + 1]int
	n := 0
	s.sites(q, func(p orb.Point) {
		n++
		lons[int((p[0]+180)*steps)]++
		lats[int((p[1]+90)*steps)]++
	})
	if n < few {
		return s.Bounds(f)
	}
	west, east := middle(lons[:], n/100)
	south, north := middle(lats[:], n/100)
	core := orb.Bound{Min: orb.Point{float64(west)/steps - 180, float64(south)/steps - 90}, Max: orb.Point{float64(east+1)/steps - 180, float64(north+1)/steps - 90}}
	s.sites(q, func(p orb.Point) {
		if core.Contains(p) {
			b, ok = extend(b, p, ok), true
		}
	})
	return b, ok, nil
}

// middle returns the first and the last bucket that are left when at most skip are taken away from each end.
func middle(buckets []int, skip int) (first, last int) {
	for left := skip; first < len(buckets)-1; first++ {
		if left -= buckets[first]; left < 0 {
			break
		}
	}
	last = len(buckets) - 1
	for left := skip; last > first; last-- {
		if left -= buckets[last]; left < 0 {
			break
		}
	}
	return first, last
}

func extend(b orb.Bound, p orb.Point, started bool) orb.Bound {
	if !started {
		return orb.Bound{Min: p, Max: p}
	}
	return b.Extend(p)
}

// sites calls fn with the sites that match.
func (s *Snapshot) sites(q *query, fn func(p orb.Point)) {
	s.rows(q, func(r uint32) {
		for _, p := range s.rowPts(r) {
			if q.area == nil || q.area.has(p) {
				fn(p)
			}
		}
	})
}
