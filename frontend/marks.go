package frontend

import (
	"context"
	"fmt"
	"io"
	"strconv"

	"github.com/a-h/templ"
)

// shapes are the outlines of the four kinds in a box of 32, as on the map, and
// where the middle of the icon stands in them.
var shapes = map[string]struct {
	path   string
	cx, cy float64
}{
	"organisation": {"M16 2a14 14 0 1 1 0 28a14 14 0 1 1 0-28Z", 16, 16},
	"place":        {"M10 3h12a7 7 0 0 1 7 7v12a7 7 0 0 1-7 7H10a7 7 0 0 1-7-7V10a7 7 0 0 1 7-7Z", 16, 16},
	"initiative":   {"M3 29C1 12 10 2 30 2c0 20-10 29-27 27Z", 16.5, 15.5},
	"event":        {"M4 31V2h26l-4.5 10.5L30 23H8v8Z", 16, 12.5},
}

// defaultColour is what a category without a valid colour is drawn in.
const defaultColour = "#4a6670"

// icon draws an icon of icons.txt in the colour of the text around it; an unknown name draws a tag.
func icon(name string) templ.Component {
	return templ.ComponentFunc(func(_ context.Context, w io.Writer) error {
		_, err := io.WriteString(w, `<svg class="i" viewBox="0 0 24 24" aria-hidden="true">`+iconShape(name, "tag")+`</svg>`)
		return err
	})
}

func iconShape(name, fallback string) string {
	s, ok := loadBuilt().shapes[name]
	if !ok {
		s = loadBuilt().shapes[fallback]
	}
	return s
}

// mark draws what stands on the map for an entry: its kind's shape in its
// category's colour with the category's icon. Colours are attributes of the
// SVG, since the Content-Security-Policy allows no inline style.
func mark(kind string, c Category) templ.Component {
	return templ.ComponentFunc(func(_ context.Context, w io.Writer) error {
		s, ok := shapes[kind]
		if !ok {
			s = shapes["place"]
		}
		fill, ok := parseColour(c.Color)
		if !ok {
			fill, _ = parseColour(defaultColour)
		}
		_, err := fmt.Fprintf(w, `<svg class="mark" viewBox="0 0 32 32" aria-hidden="true"><path d="%s" fill="%s"/><g transform="translate(%s %s) scale(.65)" stroke="%s">%s</g></svg>`,
			s.path, fill, decimal(s.cx-7.8), decimal(s.cy-7.8), onto(fill), iconShape(c.Icon, kind))
		return err
	})
}

// dot draws a category's icon on a disc of its colour, for chips.
func dot(c Category) templ.Component { return mark("organisation", c) }

func decimal(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }
