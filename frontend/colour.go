package frontend

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// colour is sRGB, each part from 0 to 1.
type colour struct{ r, g, b float64 }

// parseColour reads "#rrggbb" and nothing else.
func parseColour(s string) (colour, bool) {
	if len(s) != 7 || s[0] != '#' {
		return colour{}, false
	}
	n, err := strconv.ParseUint(s[1:], 16, 32)
	if err != nil {
		return colour{}, false
	}
	return colour{float64(n>>16) / 255, float64(n>>8&255) / 255, float64(n&255) / 255}, true
}

func (c colour) String() string {
	part := func(v float64) int { return int(math.Round(math.Max(0, math.Min(1, v)) * 255)) }
	return fmt.Sprintf("#%02x%02x%02x", part(c.r), part(c.g), part(c.b))
}

// luminance is the relative luminance of WCAG 2.
func (c colour) luminance() float64 {
	linear := func(v float64) float64 {
		if v <= 0.04045 {
			return v / 12.92
		}
		return math.Pow((v+0.055)/1.055, 2.4)
	}
	return 0.2126*linear(c.r) + 0.7152*linear(c.g) + 0.0722*linear(c.b)
}

// contrast is the contrast ratio of WCAG 2, from 1 to 21.
func contrast(a, b colour) float64 {
	x, y := a.luminance(), b.luminance()
	return (math.Max(x, y) + 0.05) / (math.Min(x, y) + 0.05)
}

func mix(a, b colour, part float64) colour {
	return colour{a.r + (b.r-a.r)*part, a.g + (b.g-a.g)*part, a.b + (b.b-a.b)*part}
}

var (
	white = colour{1, 1, 1}
	black = colour{}
)

// readable moves c towards black or white until it stands out from every ground by the ratio.
func readable(c colour, ratio float64, grounds ...colour) colour {
	best := c
	for _, target := range []colour{black, white} {
		for part := 0.0; part <= 1; part += 0.02 {
			try := mix(c, target, part)
			enough := true
			for _, g := range grounds {
				// the colour will be written with eight bits: judge what will be seen
				written, _ := parseColour(try.String())
				enough = enough && contrast(written, g) >= ratio
			}
			if enough {
				return try
			}
			best = try
		}
	}
	return best
}

// onto is white or near-black, whichever reads better on c.
func onto(c colour) string {
	ink, _ := parseColour("#16211f")
	if contrast(c, white) >= 3 || contrast(c, white) >= contrast(c, ink) {
		return "#ffffff"
	}
	return ink.String()
}

// Paper and sand of tokens.css, on which derived tones must be readable, and the quiet text that must be readable on them.
const softLight, softDark = "#5a5c50", "#b5b2a4"

var (
	lightGrounds = []string{"#fcf9f2", "#f2ecdf"}
	darkGrounds  = []string{"#191c1a", "#252a27"}
)

// themeCSS derives the tones of an accent: a link and button colour readable
// on paper and sand, a text colour on it, and a pale ground for what is
// selected, for light and dark.
func themeCSS(accent colour) string {
	tones := func(grounds []string, dark bool) string {
		var g []colour
		for _, s := range grounds {
			c, _ := parseColour(s)
			g = append(g, c)
		}
		base := accent
		if dark {
			base = mix(accent, white, 0.35)
		}
		part, soft := 0.14, softLight
		if dark {
			part, soft = 0.3, softDark
		}
		// the ground of what is selected: as much of the accent as the quiet text on it bears
		text, _ := parseColour(soft)
		foam := g[0]
		for ; part > 0.02; part -= 0.02 {
			foam, _ = parseColour(mix(g[0], accent, part).String())
			if contrast(foam, text) >= 4.6 {
				break
			}
		}
		sea := readable(base, 4.6, append(g, foam)...)
		on := white
		if contrast(sea, white) < 4.5 {
			on, _ = parseColour("#101413")
		}
		return fmt.Sprintf("--sea:%s;--on-sea:%s;--foam:%s", sea, on, foam)
	}
	var b strings.Builder
	fmt.Fprintf(&b, ":root{%s}\n", tones(lightGrounds, false))
	fmt.Fprintf(&b, "@media (prefers-color-scheme:dark){:root{%s}}\n", tones(darkGrounds, true))
	return b.String()
}
