package staticmap

import (
	"image/color"
	"math"
	"strconv"
)

// A palette holds the colours of a theme.
type palette struct {
	water, shoal, shallow, earth, coast  color.RGBA // shoal and shallow are bands along the coast
	green, built, road, casing, river    color.RGBA
	country, region                      color.RGBA // borders
	ink, soft, halo                      color.RGBA // words, lesser words, and what is behind them
	disc, number, edge, shadow, fallback color.RGBA // markers
	strokes                              float64    // how strong thin lines are
}

// The colours of light and dark are those of the live map (frontend/styles/tokens.css).
var palettes = map[Theme]palette{
	Light: {
		water: rgb(0xbcd8de), shoal: rgb(0xc6dee2), shallow: rgb(0xd2e5e7), earth: rgb(0xf6f1e4), coast: rgb(0x86adb6),
		green: rgb(0xdfe8cb), built: rgb(0xe6dcc8), road: rgb(0xffffff), casing: rgb(0xdccfb6), river: rgb(0xa3c9d1),
		country: rgb(0xa89a7f), region: rgb(0xd9cfba),
		ink: rgb(0x33322a), soft: rgb(0x6b675a), halo: rgb(0xf6f1e4),
		disc: rgb(0xfffdf8), number: rgb(0x22261f), edge: rgb(0xffffff), shadow: color.RGBA{0, 0, 0, 0x38}, fallback: rgb(0x4a6670),
		strokes: 1,
	},
	Dark: {
		water: rgb(0x12262d), shoal: rgb(0x152b32), shallow: rgb(0x193238), earth: rgb(0x22271f), coast: rgb(0x47626a),
		green: rgb(0x263020), built: rgb(0x30342b), road: rgb(0x3d4238), casing: rgb(0x2a2f27), river: rgb(0x1d3942),
		country: rgb(0x787d6c), region: rgb(0x393f34),
		ink: rgb(0xe0dccc), soft: rgb(0xa8a596), halo: rgb(0x22271f),
		disc: rgb(0x141713), number: rgb(0xece7da), edge: rgb(0xece7da), shadow: color.RGBA{0, 0, 0, 0x70}, fallback: rgb(0x7fa3ad),
		strokes: 1,
	},
	Print: {
		water: rgb(0xe3ecee), shoal: rgb(0xe9f0f1), shallow: rgb(0xf0f5f5), earth: rgb(0xffffff), coast: rgb(0x6f868b),
		green: rgb(0xf0f3e8), built: rgb(0xeeeeee), road: rgb(0xffffff), casing: rgb(0xb5b5b5), river: rgb(0xb9cdd1),
		country: rgb(0x777777), region: rgb(0xcccccc),
		ink: rgb(0x111111), soft: rgb(0x555555), halo: rgb(0xffffff),
		disc: rgb(0xffffff), number: rgb(0x000000), edge: rgb(0xffffff), shadow: color.RGBA{0, 0, 0, 0x55}, fallback: rgb(0x444444),
		strokes: 1.15,
	},
}

func rgb(v uint32) color.RGBA {
	return color.RGBA{uint8(v >> 16), uint8(v >> 8), uint8(v), 0xff}
}

// parseColor reads #rgb and #rrggbb.
func parseColor(s string) (color.RGBA, bool) {
	if len(s) == 4 && s[0] == '#' {
		s = string([]byte{'#', s[1], s[1], s[2], s[2], s[3], s[3]})
	}
	if len(s) != 7 || s[0] != '#' {
		return color.RGBA{}, false
	}
	v, err := strconv.ParseUint(s[1:], 16, 32)
	return rgb(uint32(v)), err == nil
}

// onto is the better legible of black and white on a colour.
func onto(c color.RGBA) color.RGBA {
	if luminance(c) > 0.3 {
		return rgb(0x1d2326)
	}
	return rgb(0xffffff)
}

func luminance(c color.RGBA) float64 {
	lin := func(v uint8) float64 { return math.Pow(float64(v)/255, 2.2) }
	return 0.2126*lin(c.R) + 0.7152*lin(c.G) + 0.0722*lin(c.B)
}
