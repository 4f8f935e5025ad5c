package geo

import "github.com/paulmach/orb"

// Bounds returns the smallest box that holds every site of the entries that match, as [west, south] and [east, north] in
// degrees, never across the antimeridian; ok is false when none has a position. Errors wrap [ErrInvalid].
func (s *Snapshot) Bounds(f Filter) (b orb.Bound, ok bool, err error) {
	q, err := f.compile(s)
	if err != nil {
		return b, false, err
	}
	s.rows(q, func(r uint32) {
		for _, p := range s.rowPts(r) {
			if q.area != nil && !q.area.has(p) {
				continue
			}
			if !ok {
				b, ok = orb.Bound{Min: p, Max: p}, true
			} else {
				b = b.Extend(p)
			}
		}
	})
	return b, ok, nil
}
