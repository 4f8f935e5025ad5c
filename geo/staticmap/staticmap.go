// Package staticmap draws a map as a small PNG: for pages without JavaScript, for the
// preview that other sites show of a link (og:image), and for paper.
package staticmap

import (
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"io"
	"math"
	"slices"

	"archipel/geo/basemap"

	"github.com/paulmach/orb"
	"golang.org/x/image/font/gofont/gobold"
	"golang.org/x/image/font/gofont/goitalic"
	"golang.org/x/image/font/gofont/gomedium"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/opentype"
)

// MaxPixels is the most pixels that a picture may have on a side.
const MaxPixels = 2048

// MaxMarkers is the most markers that one picture takes. Cluster before.
const MaxMarkers = 5000

// ErrOptions is wrapped by every complaint about Options; the text names the field.
var ErrOptions = errors.New("static map")

// A Theme is a set of colours.
type Theme string

// The themes. Print is for paper: a white land and dark words.
const (
	Light Theme = "light"
	Dark  Theme = "dark"
	Print Theme = "print"
)

// Options says what to draw.
type Options struct {
	Width, Height int     // in CSS pixels
	Scale         float64 // picture pixels for one CSS pixel, 0.5 to 4; 0 means 1

	// Where: either BBox as west, south, east, north in degrees (west > east crosses the
	// antimeridian), or, when it is nil, Center as [longitude, latitude] and Zoom, which
	// may be fractional and is that of 256-pixel tiles, 0 to 20.
	BBox   *[4]float64
	Center orb.Point
	Zoom   float64

	Markers  []Marker
	Theme    Theme  // empty means Light
	Language string // of the names where the map knows several, like "fr"; empty means the map's own
	Basemap  basemap.Source
}

// A Renderer draws a bounded number of pictures at a time. Safe for concurrent use.
type Renderer struct {
	slots chan struct{}
	fonts fonts
}

type fonts struct{ regular, medium, bold, italic *opentype.Font }

// New returns a Renderer that draws at most concurrent pictures at the same time; others
// wait for their turn.
func New(concurrent int) (*Renderer, error) {
	r := &Renderer{slots: make(chan struct{}, max(1, concurrent))}
	for _, f := range []struct {
		font **opentype.Font
		data []byte
	}{{&r.fonts.regular, goregular.TTF}, {&r.fonts.medium, gomedium.TTF}, {&r.fonts.bold, gobold.TTF}, {&r.fonts.italic, goitalic.TTF}} {
		parsed, err := opentype.Parse(f.data)
		if err != nil {
			return nil, fmt.Errorf("static map font: %w", err)
		}
		*f.font = parsed
	}
	return r, nil
}

// Render draws the map and writes it as a PNG. The same options on the same basemap give
// the same bytes. It gives up when ctx is done before its turn comes or between layers.
func (r *Renderer) Render(ctx context.Context, w io.Writer, o Options) error {
	if err := o.check(); err != nil {
		return err
	}
	select {
	case r.slots <- struct{}{}:
		defer func() { <-r.slots }()
	case <-ctx.Done():
		return ctx.Err()
	}
	img, err := r.draw(ctx, o)
	if err != nil {
		return err
	}
	return writePNG(w, img, keptColours(o))
}

func (r *Renderer) draw(ctx context.Context, o Options) (*image.RGBA, error) {
	v := newView(o)
	c := newCanvas(v.pixelsX, v.pixelsY, o.Scale)
	p := palettes[o.Theme]
	scene, err := loadScene(ctx, o.Basemap, v)
	if err != nil {
		return nil, err
	}
	if err := scene.draw(ctx, c, p); err != nil {
		return nil, err
	}
	t := newTypesetter(r.fonts, o.Scale)
	defer t.close()
	marks := placeMarkers(v, o.Markers)
	var taken boxes
	for _, m := range marks {
		taken = append(taken, m.box(o.Scale))
	}
	drawFurniture(c, t, p, v, o, &taken)
	drawLabels(c, t, p, v, scene.places, o.Language, taken, len(marks))
	drawMarkers(c, t, p, marks)
	return c.img, ctx.Err()
}

// keptColours are those that mean something: land and water, then the markers' own.
func keptColours(o Options) []color.RGBA {
	p := palettes[o.Theme]
	kept := []color.RGBA{p.earth, p.water, p.green, p.built, p.road, p.disc, p.edge}
	for _, m := range o.Markers {
		for _, name := range append(m.Colours[:min(3, len(m.Colours)):min(3, len(m.Colours))], m.Colour) {
			if c, ok := parseColor(name); ok && !slices.Contains(kept, c) {
				kept = append(kept, c)
			}
		}
		if len(kept) > maxColours {
			break
		}
	}
	return kept
}

// check completes the defaults and refuses what cannot be drawn.
func (o *Options) check() error {
	if o.Scale == 0 {
		o.Scale = 1
	}
	if o.Theme == "" {
		o.Theme = Light
	}
	bad := func(field string, value any, want string) error {
		return fmt.Errorf("%w: %s is %v, want %s", ErrOptions, field, value, want)
	}
	pixels := fmt.Sprintf("16 or more, and at most %d pixels after scaling", MaxPixels)
	switch {
	case !(o.Scale >= 0.5 && o.Scale <= 4):
		return bad("scale", o.Scale, "0.5 to 4")
	case o.Width < 16 || math.Round(float64(o.Width)*o.Scale) > MaxPixels:
		return bad("width", o.Width, pixels)
	case o.Height < 16 || math.Round(float64(o.Height)*o.Scale) > MaxPixels:
		return bad("height", o.Height, pixels)
	case o.Basemap == nil:
		return bad("basemap", nil, "a source of tiles")
	case len(o.Markers) > MaxMarkers:
		return bad("markers", len(o.Markers), fmt.Sprintf("at most %d", MaxMarkers))
	}
	if _, ok := palettes[o.Theme]; !ok {
		return bad("theme", o.Theme, "light, dark or print")
	}
	if b := o.BBox; b != nil {
		if !(onEarth(orb.Point{b[0], b[1]}) && onEarth(orb.Point{b[2], b[3]}) && b[1] <= b[3]) {
			return bad("bbox", *b, "west, south, east, north in degrees")
		}
	} else if !onEarth(o.Center) {
		return bad("center", o.Center, "[longitude, latitude] in degrees")
	} else if !(o.Zoom >= 0 && o.Zoom <= 20) {
		return bad("zoom", o.Zoom, "0 to 20")
	}
	for i, m := range o.Markers {
		if !onEarth(m.Position) {
			return bad(fmt.Sprintf("markers[%d]", i), m.Position, "[longitude, latitude] in degrees")
		}
	}
	return nil
}

// onEarth is false for NaN too.
func onEarth(p orb.Point) bool {
	return p[0] >= -180 && p[0] <= 180 && p[1] >= -90 && p[1] <= 90
}
