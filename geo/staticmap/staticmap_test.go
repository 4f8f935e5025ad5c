package staticmap

import (
	"bytes"
	"context"
	"errors"
	"image"
	"image/color"
	"image/png"
	"math"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"archipel/geo/basemap"

	"github.com/paulmach/orb"
	"github.com/paulmach/orb/encoding/mvt"
	"github.com/paulmach/orb/geojson"
)

func renderer(t testing.TB, n int) *Renderer {
	t.Helper()
	r, err := New(n)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func render(t testing.TB, o Options) (image.Image, []byte) {
	t.Helper()
	if o.Basemap == nil {
		o.Basemap = world
	}
	if o.Width == 0 {
		o.Width, o.Height = 600, 400
	}
	var buf bytes.Buffer
	if err := renderer(t, 1).Render(context.Background(), &buf, o); err != nil {
		t.Fatal(err)
	}
	data := bytes.Clone(buf.Bytes())
	img, err := png.Decode(&buf)
	if err != nil {
		t.Fatal(err)
	}
	return img, data
}

// near counts the pixels close to a colour.
func near(img image.Image, want color.RGBA) int {
	p := img.(*image.Paletted)
	n := 0
	for _, i := range p.Pix {
		if close(p.Palette[i], want) {
			n++
		}
	}
	return n
}

func close(c color.Color, want color.RGBA) bool {
	r, g, b, _ := c.RGBA()
	d := func(v uint32, w uint8) bool { return math.Abs(float64(v>>8)-float64(w)) <= 6 }
	return d(r, want.R) && d(g, want.G) && d(b, want.B)
}

func TestRender(t *testing.T) {
	for _, theme := range []Theme{Light, Dark, Print} {
		img, data := render(t, Options{Center: saintEtienne, Zoom: 9, Theme: theme, Markers: loire(), Language: "fr"})
		if img.Bounds().Dx() != 600 || img.Bounds().Dy() != 400 {
			t.Errorf("%s: size %v", theme, img.Bounds())
		}
		p, ok := img.(*image.Paletted)
		if !ok || len(p.Palette) > maxColours {
			t.Errorf("%s: not a small palette: %T", theme, img)
		}
		if len(data) > 25_000 {
			t.Errorf("%s: %d bytes, want at most 25,000", theme, len(data))
		}
		if n := near(img, palettes[theme].earth); n < 600*400*3/4 {
			t.Errorf("%s: %d pixels of land around Saint-Étienne", theme, n)
		}
		if n := near(img, palettes[theme].water); n > 600*400/50 {
			t.Errorf("%s: %d pixels of water around Saint-Étienne", theme, n)
		}
		_, again := render(t, Options{Center: saintEtienne, Zoom: 9, Theme: theme, Markers: loire(), Language: "fr"})
		if !bytes.Equal(data, again) {
			t.Errorf("%s: two pictures of the same differ", theme)
		}
	}
}

// TestGround compares pixels with what is surely land or sea, on pictures that cross the
// edges of tiles, the antimeridian and the end of the world.
func TestGround(t *testing.T) {
	for _, c := range []struct {
		name string
		o    Options
		lon  float64
		lat  float64
		land bool
	}{
		{"France", Options{Center: orb.Point{2.6, 46.6}, Zoom: 5}, 3.2, 47.6, true},
		{"Biscay", Options{Center: orb.Point{2.6, 46.6}, Zoom: 5}, -5, 46.3, false},
		{"Chukotka from the west", Options{Center: orb.Point{179, 66}, Zoom: 4}, 177.2, 68.3, true},
		{"Chukotka from the east", Options{Center: orb.Point{-179, 66}, Zoom: 4}, 177.2, 68.3, true},
		{"Chukotka over the line", Options{Center: orb.Point{179, 66}, Zoom: 4}, -176.4, 66.9, true},
		{"Bering Sea", Options{Center: orb.Point{179, 62}, Zoom: 4}, -179, 60.5, false},
		{"Sahara on the world", Options{Center: orb.Point{0, 0}, Zoom: 0, Width: 256, Height: 256}, 10, 24, true},
		{"Antarctica", Options{Center: orb.Point{0, -70}, Zoom: 2}, 60, -82, true},
		{"Australia by box", Options{BBox: &[4]float64{110, -40, 155, -10}}, 134, -24, true},
		{"Box over the antimeridian", Options{BBox: &[4]float64{170, -25, -170, -10}}, 178, -17.8, true},
		{"Caspian Sea", Options{Center: orb.Point{50, 42}, Zoom: 5}, 51, 40.5, false},
		{"Léman", Options{Center: orb.Point{6.5, 46.4}, Zoom: 9}, 6.6, 46.46, false},
	} {
		c.o.Theme = Print
		o := c.o
		if o.Width == 0 {
			o.Width, o.Height = 600, 400
		}
		o.Basemap = world
		img, _ := render(t, o)
		if err := o.check(); err != nil {
			t.Fatal(err)
		}
		x, y := newView(o).pixel(mercator(orb.Point{c.lon, c.lat}))
		want, other := palettes[Print].earth, palettes[Print].water
		if !c.land {
			want, other = other, want
		}
		// A word may stand there: look at the pixels around too.
		var found, not int
		for dx := -4; dx <= 4; dx++ {
			for dy := -4; dy <= 4; dy++ {
				at := img.At(int(x)+dx, int(y)+dy)
				if close(at, want) {
					found++
				} else if close(at, other) {
					not++
				}
			}
		}
		if found < 20 || not > found/2 {
			t.Errorf("%s: at pixel %.0f,%.0f %d pixels are as they should be and %d the contrary", c.name, x, y, found, not)
		}
	}
}

// TestMarkers looks for each kind's colour where its marker is.
func TestMarkers(t *testing.T) {
	pink := rgb(0xd6336c)
	for _, kind := range []string{"organisation", "place", "initiative", "event", "something"} {
		m := Marker{Position: saintEtienne, Kind: kind, Colour: "#d6336c"}
		plain, _ := render(t, Options{Center: saintEtienne, Zoom: 9, Markers: []Marker{m}})
		n := near(plain, pink)
		if n < 60 || n > 500 {
			t.Errorf("%s: %d pixels of its colour", kind, n)
		}
		m.Selected = true
		selected, _ := render(t, Options{Center: saintEtienne, Zoom: 9, Markers: []Marker{m}})
		if s := near(selected, pink); s < n*3/2 {
			t.Errorf("%s: %d pixels when selected, %d before", kind, s, n)
		}
		m.Selected, m.Number = false, 7
		numbered, _ := render(t, Options{Center: saintEtienne, Zoom: 9, Markers: []Marker{m}})
		if bytes.Equal(numbered.(*image.Paletted).Pix, plain.(*image.Paletted).Pix) {
			t.Errorf("%s: no number to be seen", kind)
		}
		crowd := Marker{Position: saintEtienne, Count: 140}
		if over, _ := render(t, Options{Center: saintEtienne, Zoom: 9, Markers: []Marker{m, crowd}}); near(over, pink) < n/2 {
			t.Errorf("%s: its number is under a cluster", kind)
		}
	}
	exact, _ := render(t, Options{Center: saintEtienne, Zoom: 9, Markers: []Marker{{Position: saintEtienne, Colour: "#d6336c"}}})
	vague, _ := render(t, Options{Center: saintEtienne, Zoom: 9, Markers: []Marker{{Position: saintEtienne, Colour: "#d6336c", Approximate: true}}})
	x, y := 300+16, 200
	if close(exact.At(x, y), palettes[Light].earth) == close(vague.At(x, y), palettes[Light].earth) {
		t.Error("an approximate marker has no ring")
	}
	cluster, _ := render(t, Options{Center: saintEtienne, Zoom: 9, Markers: []Marker{{
		Position: saintEtienne, Count: 1512, Colours: []string{"#d6336c", "#1c7ed6", "#37b24d", "#000001"}}}})
	for _, c := range []uint32{0xd6336c, 0x1c7ed6, 0x37b24d} {
		if near(cluster, rgb(c)) < 15 {
			t.Errorf("the ring of the cluster lacks #%06x", c)
		}
	}
	// At every place around the edge, and far away, also with bad colours.
	var edge []Marker
	for lon := -180.0; lon <= 180; lon += 5 {
		for lat := -90.0; lat <= 90; lat += 10 {
			edge = append(edge, Marker{Position: orb.Point{lon, lat}, Kind: "event", Colour: "red;", Count: int(lon)})
		}
	}
	render(t, Options{Center: orb.Point{180, 80}, Zoom: 2, Markers: edge})
}

func TestClusterRadius(t *testing.T) {
	area := func(n int) float64 { return math.Pow(ClusterRadius(n), 2) }
	for n := 10; n <= 1_000_000; n *= 10 {
		// Ten times as many add the same area.
		if a, b := area(n*10)-area(n), area(n)-area(n/10); math.Abs(a-b) > 1e-6 || a <= 0 {
			t.Errorf("from %d on the area grows by %v, before by %v", n, a, b)
		}
	}
}

func TestOptions(t *testing.T) {
	good := Options{Width: 300, Height: 200, Center: saintEtienne, Zoom: 8, Basemap: world}
	for field, change := range map[string]func(*Options){
		"width":    func(o *Options) { o.Width = 2049 },
		"width ":   func(o *Options) { o.Width = -1 },
		"width  ":  func(o *Options) { o.Width, o.Scale = 1500, 2 },
		"height":   func(o *Options) { o.Height = math.MaxInt },
		"scale":    func(o *Options) { o.Scale = math.NaN() },
		"scale ":   func(o *Options) { o.Scale = 40 },
		"theme":    func(o *Options) { o.Theme = "sepia" },
		"center":   func(o *Options) { o.Center = orb.Point{math.NaN(), 0} },
		"center ":  func(o *Options) { o.Center = orb.Point{0, 91} },
		"zoom":     func(o *Options) { o.Zoom = math.Inf(1) },
		"zoom ":    func(o *Options) { o.Zoom = -1 },
		"bbox":     func(o *Options) { o.BBox = &[4]float64{0, 10, 5, 5} },
		"bbox ":    func(o *Options) { o.BBox = &[4]float64{0, math.NaN(), 5, 5} },
		"markers[": func(o *Options) { o.Markers = []Marker{{Position: orb.Point{500, 0}}} },
		"markers ": func(o *Options) { o.Markers = make([]Marker, MaxMarkers+1) },
		"basemap":  func(o *Options) { o.Basemap = nil },
	} {
		o := good
		change(&o)
		err := renderer(t, 1).Render(context.Background(), &bytes.Buffer{}, o)
		if !errors.Is(err, ErrOptions) || !strings.Contains(err.Error(), strings.TrimSpace(field)) {
			t.Errorf("%s: %v", field, err)
		}
	}
	for _, o := range []Options{
		{Width: 16, Height: 16, Zoom: 20}, {Width: 2048, Height: 2048, Zoom: 3.3}, {Width: 512, Height: 512, Scale: 4, Zoom: 0},
		{Width: 100, Height: 2048, Center: orb.Point{-180, -90}}, {Width: 300, Height: 200, BBox: &[4]float64{5, 5, 5, 5}},
	} {
		o.Basemap = world
		img, _ := render(t, o)
		s := max(1, o.Scale)
		if got := img.Bounds().Size(); got != image.Pt(int(float64(o.Width)*s), int(float64(o.Height)*s)) {
			t.Errorf("%+v: size %v", o, got)
		}
	}
}

func TestFit(t *testing.T) {
	for name, points := range map[string][]orb.Point{
		"none":         nil,
		"one":          {saintEtienne},
		"the same":     {saintEtienne, saintEtienne},
		"a region":     {{4.0, 45.2}, {4.9, 46.1}, {4.39, 45.44}},
		"Fiji":         {{179, -17}, {-179, -16}, {178, -18}},
		"world":        {{-170, 60}, {170, -45}, {10, 0}},
		"north, south": {{4, -60}, {4.1, 70}},
		"not on Earth": {{500, 500}, {math.NaN(), 0}},
	} {
		center, zoom := Fit(points, 600, 400)
		o := Options{Width: 600, Height: 400, Center: center, Zoom: zoom, Basemap: world}
		if err := o.check(); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		v := newView(o)
		for _, p := range points {
			if !onEarth(p) {
				continue
			}
			if x, y := v.pixel(mercator(p)); v.zoom == zoom && (x < 12 || y < 12 || x > 588 || y > 388) {
				t.Errorf("%s: %v is at pixel %.0f,%.0f of zoom %.2f around %v", name, p, x, y, zoom, center)
			}
		}
	}
	if _, zoom := Fit([]orb.Point{saintEtienne}, 600, 400); zoom != fitZoom {
		t.Errorf("one point is shown at zoom %v", zoom)
	}
	if center, zoom := Fit([]orb.Point{{179, -17}, {-179, -16}}, 600, 400); math.Abs(math.Abs(center[0])-180) > 0.01 || zoom < 5 {
		t.Errorf("Fiji is shown around %v at zoom %v", center, zoom)
	}
}

// fake serves made-up tiles, counts those that ask at the same time, and may fail.
type fake struct {
	info      basemap.Info
	data      []byte
	err       error
	now, most atomic.Int32
}

func (f *fake) Info() basemap.Info { return f.info }

func (f *fake) Tile(z, x, y int) (basemap.Tile, error) {
	n := f.now.Add(1)
	defer f.now.Add(-1)
	for m := f.most.Load(); n > m && !f.most.CompareAndSwap(m, n); m = f.most.Load() {
	}
	return basemap.Tile{Data: f.data, ContentType: f.info.ContentType}, f.err
}

// TestStreets draws a tile with all that an operator's file adds.
func TestStreets(t *testing.T) {
	layer := func(name string, g orb.Geometry, kind string) *mvt.Layer {
		f := geojson.NewFeature(g)
		f.Properties["kind"] = kind
		f.Properties["name"] = "Quartier"
		return &mvt.Layer{Name: name, Version: 2, Extent: 4096, Features: []*geojson.Feature{f}}
	}
	square := func(x, y, size float64) orb.Polygon {
		return orb.Polygon{{{x, y}, {x + size, y}, {x + size, y + size}, {x, y + size}, {x, y}}}
	}
	data, err := mvt.Marshal(mvt.Layers{
		layer("earth", square(-64, -64, 4224), "earth"),
		layer("water", square(-64, -64, 4224), "ocean"), // under the earth, whatever the order
		layer("landuse", square(0, 0, 1500), "park"),
		layer("water", square(2500, 0, 1500), "lake"),
		layer("buildings", square(0, 2500, 1500), "building"),
		layer("roads", orb.LineString{{0, 2048}, {4096, 2048}}, "highway"),
		layer("roads", orb.LineString{{2048, 0}, {2048, 4096}}, "minor_road"),
		layer("places", orb.Point{3300, 3300}, "neighbourhood"),
	})
	if err != nil {
		t.Fatal(err)
	}
	src := &fake{info: basemap.Info{ContentType: basemap.TypeMVT, MinZoom: 14, MaxZoom: 15, Attribution: []string{"© Contributeurs"}}, data: data}
	img, _ := render(t, Options{Center: saintEtienne, Zoom: 15, Basemap: src, Scale: 2})
	p := palettes[Light]
	for name, c := range map[string]color.RGBA{"park": p.green, "lake": p.water, "building": p.built, "road": p.road, "casing": p.casing, "earth": p.earth, "word": p.soft} {
		if n := near(img, c); n < 12 {
			t.Errorf("%s: %d pixels", name, n)
		}
	}
	src.data = []byte("\x1a\xff\xff\xff\x0fnot a tile")
	if err := renderer(t, 1).Render(context.Background(), &bytes.Buffer{}, Options{Width: 100, Height: 100, Basemap: src}); err == nil {
		t.Error("a damaged tile was drawn")
	}
	src.err = errors.New("the disk is gone")
	if err := renderer(t, 1).Render(context.Background(), &bytes.Buffer{}, Options{Width: 100, Height: 100, Basemap: src}); !errors.Is(err, src.err) {
		t.Errorf("a failing source: %v", err)
	}
}

// TestPictures draws a raster basemap over the world.
func TestPictures(t *testing.T) {
	tile := image.NewRGBA(image.Rect(0, 0, 256, 256))
	for i := range tile.Pix {
		tile.Pix[i] = [4]uint8{0x12, 0x99, 0x44, 0xff}[i%4]
	}
	var buf bytes.Buffer
	if err := png.Encode(&buf, tile); err != nil {
		t.Fatal(err)
	}
	src := &fake{info: basemap.Info{ContentType: basemap.TypePNG, MaxZoom: 9, Bounds: [4]float64{-180, -85, 180, 85}}, data: buf.Bytes()}
	for _, zoom := range []float64{8.3, 11} {
		img, _ := render(t, Options{Center: saintEtienne, Zoom: zoom, Basemap: basemap.NewStack(src, world)})
		if n := near(img, color.RGBA{0x12, 0x99, 0x44, 0xff}); n < 600*400*8/10 {
			t.Errorf("zoom %v: %d pixels of the tiles' colour", zoom, n)
		}
	}
	src.err = basemap.ErrNoTile
	img, _ := render(t, Options{Center: saintEtienne, Zoom: 8.3, Basemap: basemap.NewStack(src, world)})
	if n := near(img, palettes[Light].earth); n < 600*400/2 {
		t.Errorf("outside of the file: %d pixels of land", n)
	}
	src.err, src.data = nil, []byte("GIF89a")
	if err := renderer(t, 1).Render(context.Background(), &bytes.Buffer{}, Options{Width: 100, Height: 100, Basemap: src}); err == nil {
		t.Error("a tile that is no picture was drawn")
	}
}

func TestBounded(t *testing.T) {
	src := &fake{info: basemap.Info{ContentType: basemap.TypeMVT, MaxZoom: 5}}
	r := renderer(t, 2)
	var wg sync.WaitGroup
	for range 12 {
		wg.Go(func() {
			var buf bytes.Buffer
			if err := r.Render(context.Background(), &buf, Options{Width: 400, Height: 300, Zoom: 4, Basemap: src}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := src.most.Load(); n > 2 || n < 1 {
		t.Errorf("%d pictures were drawn at the same time, want at most 2", n)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for range 2 {
		r.slots <- struct{}{} // nobody gets a turn
	}
	if err := r.Render(ctx, &bytes.Buffer{}, Options{Width: 400, Height: 300, Basemap: src}); !errors.Is(err, context.Canceled) {
		t.Errorf("waiting in vain: %v", err)
	}
}

func BenchmarkRender(b *testing.B) {
	for name, o := range map[string]Options{
		"loire9":  {Center: saintEtienne, Zoom: 9, Markers: loire()},
		"france5": {Center: orb.Point{2.6, 46.6}, Zoom: 5},
		"world1":  {Center: orb.Point{10, 30}, Zoom: 1},
	} {
		o.Width, o.Height, o.Basemap = 600, 400, world
		r := renderer(b, 1)
		b.Run(name, func(b *testing.B) {
			var buf bytes.Buffer
			for b.Loop() {
				buf.Reset()
				if err := r.Render(context.Background(), &buf, o); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(buf.Len()), "bytes")
		})
	}
}
