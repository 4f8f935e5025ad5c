package staticmap

import (
	"math"
	"slices"

	"github.com/paulmach/orb"
)

// A view maps the unit square of Web Mercator (y down) to picture pixels.
type view struct {
	pixelsX, pixelsY int
	scale            float64 // picture pixels for a CSS pixel
	zoom             float64 // of 256-pixel tiles, in CSS pixels
	world            float64 // picture pixels around the world
	left, top        float64 // of the picture, in pixels from the north-west of the world
}

func newView(o Options) view {
	v := view{
		pixelsX: int(math.Round(float64(o.Width) * o.Scale)),
		pixelsY: int(math.Round(float64(o.Height) * o.Scale)),
		scale:   o.Scale,
		zoom:    o.Zoom,
	}
	center := o.Center
	if b := o.BBox; b != nil {
		center, v.zoom = fitBox(*b, float64(o.Width), float64(o.Height), 18)
	}
	// A map lower than the picture would leave bare bands above and below the world.
	v.zoom = max(v.zoom, math.Log2(float64(o.Height)/256))
	v.world = 256 * math.Exp2(v.zoom) * v.scale
	at := mercator(center)
	v.left = at[0]*v.world - float64(v.pixelsX)/2
	v.top = at[1]*v.world - float64(v.pixelsY)/2
	v.top = max(0, min(v.world-float64(v.pixelsY), v.top))
	return v
}

// pixel is where a point of the unit square is drawn, in the copy of the world nearest to
// the middle of the picture.
func (v view) pixel(p orb.Point) (x, y float64) {
	x = p[0]*v.world - v.left
	middle := float64(v.pixelsX) / 2
	x -= math.Round((x-middle)/v.world) * v.world
	return x, p[1]*v.world - v.top
}

// metres is the length of a CSS pixel on the ground in the middle of the picture.
func (v view) metres() float64 {
	y := (v.top + float64(v.pixelsY)/2) / v.world
	return 40_075_016.686 / math.Cosh(math.Pi*(1-2*y)) / v.world * v.scale
}

// mercator projects degrees onto the unit square, y down.
func mercator(p orb.Point) orb.Point {
	lat := max(-85.051129, min(85.051129, p[1])) * math.Pi / 180
	return orb.Point{p[0]/360 + 0.5, 0.5 - math.Asinh(math.Tan(lat))/(2*math.Pi)}
}

func unproject(p orb.Point) orb.Point {
	lon := (p[0] - math.Floor(p[0])) * 360
	return orb.Point{lon - 180, math.Atan(math.Sinh(math.Pi*(1-2*p[1]))) * 180 / math.Pi}
}

// fitZoom is the zoom of a single point: a neighbourhood.
const fitZoom = 13

// Fit returns the middle, as [longitude, latitude], and the zoom at which all points are
// on a picture of that many CSS pixels with room for their markers. It goes around the
// world the short way, and no deeper than zoom 13. Without points it shows the world.
func Fit(points []orb.Point, width, height int) (center orb.Point, zoom float64) {
	var lons []float64
	south, north := 90.0, -90.0
	for _, p := range points {
		if onEarth(p) {
			lons = append(lons, p[0])
			south, north = min(south, p[1]), max(north, p[1])
		}
	}
	if len(lons) == 0 {
		return orb.Point{0, 25}, max(0, math.Log2(float64(max(1, width))/256))
	}
	slices.Sort(lons)
	// The box lies opposite of the widest gap between neighbours.
	west, east := lons[0], lons[len(lons)-1]
	gap := west + 360 - east
	for i := 1; i < len(lons); i++ {
		if d := lons[i] - lons[i-1]; d > gap {
			gap, west, east = d, lons[i], lons[i-1]
		}
	}
	return fitBox([4]float64{west, south, east, north}, float64(width), float64(height), fitZoom)
}

// fitBox leaves a margin for markers of a twelfth of the picture, or 40 pixels if that is less.
func fitBox(b [4]float64, width, height, deepest float64) (orb.Point, float64) {
	sw, ne := mercator(orb.Point{b[0], b[1]}), mercator(orb.Point{b[2], b[3]})
	if ne[0] < sw[0] {
		ne[0]++
	}
	zoom := func(size, span float64) float64 {
		room := max(1, size-2*min(40, size/12))
		return math.Log2(room / 256 / max(span, 1e-9))
	}
	z := min(zoom(width, ne[0]-sw[0]), zoom(height, sw[1]-ne[1]), deepest)
	middle := orb.Point{(sw[0] + ne[0]) / 2, (sw[1] + ne[1]) / 2}
	return unproject(middle), max(0, z)
}
