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

var palettes = map[Theme]palette{
	Light: {
		water: rgb(0xc3d9dc), shoal: rgb(0xcbdfe1), shallow: rgb(0xd4e5e6), earth: rgb(0xf8f3e8), coast: rgb(0x8fb0b5),
		green: rgb(0xe6ebd3), built: rgb(0xece2d1), road: rgb(0xffffff), casing: rgb(0xddd0b9), river: rgb(0xa9c8cd),
		country: rgb(0xb39c7d), region: rgb(0xdccfb8),
		ink: rgb(0x34373a), soft: rgb(0x77705f), halo: rgb(0xf8f3e8),
		disc: rgb(0xfffdf8), number: rgb(0x263238), edge: rgb(0xffffff), shadow: color.RGBA{0, 0, 0, 0x38}, fallback: rgb(0x4a6670),
		strokes: 1,
	},
	Dark: {
		water: rgb(0x17262d), shoal: rgb(0x1a2b32), shallow: rgb(0x1e3138), earth: rgb(0x2a3134), coast: rgb(0x4b666e),
		green: rgb(0x2b3732), built: rgb(0x333a3d), road: rgb(0x454d51), casing: rgb(0x23292c), river: rgb(0x274049),
		country: rgb(0x7d735f), region: rgb(0x3f4746),
		ink: rgb(0xe2dccd), soft: rgb(0xa39c8c), halo: rgb(0x22292c),
		disc: rgb(0x12191c), number: rgb(0xf4efe3), edge: rgb(0xf4efe3), shadow: color.RGBA{0, 0, 0, 0x70}, fallback: rgb(0x7fa3ad),
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
