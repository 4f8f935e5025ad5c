package geocode

import (
	"math"

	"archipel/geo/geocode/gazdata"

	"github.com/paulmach/orb"
)

// grid finds the nearest place: the located ones, by cells of half a degree.
type grid struct {
	start  []uint32 // by cell, one more at the end
	places []uint32
}

const (
	cellsPerDegree = 2
	gridWidth      = 360 * cellsPerDegree
	gridHeight     = 180 * cellsPerDegree
)

func cell(lon, lat float64) (x, y int) {
	x = int(math.Floor((lon + 180) * cellsPerDegree))
	y = int(math.Floor((lat + 90) * cellsPerDegree))
	return min(x, gridWidth-1), min(y, gridHeight-1)
}

// newGrid sorts the places by cell (a counting sort). Estimated positions stay
// out: they are nobody's neighbour.
func newGrid(d *gazdata.Data) grid {
	g := grid{start: make([]uint32, gridWidth*gridHeight+1), places: make([]uint32, d.Places())}
	at := make([]uint32, d.Places())
	total := 0
	for i := range at {
		x, y := cell(float64(d.Lon[i])/1e5, float64(d.Lat[i])/1e5)
		at[i] = uint32(y*gridWidth + x)
		if !d.Approx[i] {
			g.start[at[i]+1]++
			total++
		}
	}
	for c := 1; c < len(g.start); c++ {
		g.start[c] += g.start[c-1]
	}
	next := append([]uint32(nil), g.start...)
	g.places = g.places[:total]
	for i, c := range at {
		if !d.Approx[i] {
			g.places[next[c]] = uint32(i)
			next[c]++
		}
	}
	return g
}

// nearest gives the nearest place with a known position and how far it is in
// metres, or -1 when there is none within the limit.
func (g *Gazetteer) nearest(at orb.Point, limit float64) (int, float64) {
	x, y := cell(at[0], at[1])
	best, far := -1, limit
	visit := func(cx, cy int) {
		if cy < 0 || cy >= gridHeight {
			return
		}
		c := cy*gridWidth + (cx%gridWidth+gridWidth)%gridWidth
		for _, i := range g.grid.places[g.grid.start[c]:g.grid.start[c+1]] {
			if m := Distance(at, g.point(int(i))); m < far {
				best, far = int(i), m
			}
		}
	}
	side := metresPerDegree / cellsPerDegree
	for ring := 0; ring <= gridWidth/2; ring++ {
		// The ring's cells are at least this far; towards the poles, a cell is narrow.
		lat := min(89.9, math.Abs(at[1])+float64(ring+1)/cellsPerDegree)
		reach := float64(ring-1) * side * math.Cos(lat*math.Pi/180)
		if ring > 1 && reach > far {
			break
		}
		if ring == 0 {
			visit(x, y)
			continue
		}
		for k := -ring; k <= ring; k++ {
			visit(x+k, y-ring)
			visit(x+k, y+ring)
		}
		for k := -ring + 1; k < ring; k++ {
			visit(x-ring, y+k)
			visit(x+ring, y+k)
		}
	}
	return best, far
}
