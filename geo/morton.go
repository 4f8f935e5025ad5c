package geo

import (
	"math"
	"math/bits"

	"github.com/paulmach/orb"
)

// The world in Web Mercator (EPSG:3857) is a square of 2^32 by 2^32 units: x grows eastwards from the antimeridian,
// y southwards from about 85.05 degrees north, as in tile numbers. One unit is 9 mm at the equator. Beyond the
// latitudes of Mercator a point is drawn on the edge of the square; its exact position is kept for distances and boxes.
const (
	worldBits = 32
	maxLat    = 85.05112877980659 // atan(sinh(pi)) in degrees
)

// project returns the world coordinates of p, and is monotone in each axis.
func project(p orb.Point) (x, y uint32) {
	lat := min(max(p[1], -maxLat), maxLat)
	s := math.Sin(lat * (math.Pi / 180))
	fy := 0.5 - math.Log((1+s)/(1-s))/(4*math.Pi)
	return scale(p[0]/360 + 0.5), scale(fy)
}

func scale(f float64) uint32 {
	f = math.Floor(f * (1 << worldBits))
	return uint32(min(max(f, 0), 1<<worldBits-1))
}

// unproject returns the [longitude, latitude] of a world position.
func unproject(x, y uint32) orb.Point {
	lon := float64(x)/(1<<worldBits)*360 - 180
	n := math.Pi * (1 - 2*float64(y)/(1<<worldBits))
	return orb.Point{lon, math.Atan(math.Sinh(n)) * (180 / math.Pi)}
}

// morton interleaves x and y (y in the higher bit of each pair), so that the points of any map tile are neighbours
// in the order of their keys.
func morton(x, y uint32) uint64 { return spread(x) | spread(y)<<1 }

// keyOf returns a position's place in the order of the map.
func keyOf(p orb.Point) uint64 { return morton(project(p)) }

func unmorton(k uint64) (x, y uint32) { return squash(k), squash(k >> 1) }

func spread(v uint32) uint64 {
	x := uint64(v)
	x = (x | x<<16) & 0x0000ffff0000ffff
	x = (x | x<<8) & 0x00ff00ff00ff00ff
	x = (x | x<<4) & 0x0f0f0f0f0f0f0f0f
	x = (x | x<<2) & 0x3333333333333333
	return (x | x<<1) & 0x5555555555555555
}

func squash(x uint64) uint32 {
	x &= 0x5555555555555555
	x = (x | x>>1) & 0x3333333333333333
	x = (x | x>>2) & 0x0f0f0f0f0f0f0f0f
	x = (x | x>>4) & 0x00ff00ff00ff00ff
	x = (x | x>>8) & 0x0000ffff0000ffff
	return uint32(x | x>>16)
}

// search returns the first index in keys[from:] whose key is at least k, as an index into keys. It gallops, because
// what is looked for is usually close to from.
func search(keys []uint64, from int, k uint64) int {
	step, lo := 4, from
	for lo+step < len(keys) && keys[lo+step] < k {
		lo += step
		step *= 4
	}
	return bisect(keys, lo, min(lo+step, len(keys)), k)
}

// seek is search in both directions.
func seek(keys []uint64, from int, k uint64) int {
	if from >= len(keys) || keys[from] >= k {
		step, hi := 4, from
		for hi-step >= 0 && keys[hi-step] >= k {
			hi -= step
			step *= 4
		}
		return bisect(keys, max(hi-step, 0), min(hi, len(keys)), k)
	}
	return search(keys, from, k)
}

// bisect returns the first index in [lo, hi) whose key is at least k, or hi.
func bisect(keys []uint64, lo, hi int, k uint64) int {
	for lo < hi {
		m := int(uint(lo+hi) >> 1)
		if keys[m] < k {
			lo = m + 1
		} else {
			hi = m
		}
	}
	return lo
}

// keyRange returns the first and the last key of the square that code names at a level (its side is 2^-level of the
// world's).
func keyRange(code uint64, level uint) (first, last uint64) {
	shift := 2 * (worldBits - level)
	if shift >= 64 {
		return 0, math.MaxUint64
	}
	first = code << shift
	return first, first | (1<<shift - 1)
}

// commonLevel returns the deepest level at which two keys lie in the same square.
func commonLevel(a, b uint64) uint { return uint(bits.LeadingZeros64(a^b)) / 2 }

// sphere returns the great-circle distance in metres on a sphere of 6,371,008.8 m, the mean radius of WGS 84.
func sphere(a, b orb.Point) float64 {
	const rad = math.Pi / 180
	s1, s2 := math.Sin((a[1]-b[1])*(rad/2)), math.Sin((a[0]-b[0])*(rad/2))
	h := s1*s1 + math.Cos(a[1]*rad)*math.Cos(b[1]*rad)*s2*s2
	return 2 * earthRadius * math.Asin(math.Sqrt(min(h, 1)))
}

const earthRadius = 6371008.8
