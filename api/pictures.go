package api

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"strconv"

	"archipel/directory"
	"archipel/geo"
	"archipel/geo/basemap"
	"archipel/geo/staticmap"

	"github.com/gofiber/fiber/v2"
	"github.com/paulmach/orb"
)

// pictures draws static maps and keeps the last ones.
type pictures struct {
	renderer *staticmap.Renderer
	basemap  basemap.Source
	drawn    *lru[string, []byte]
}

func newPictures(source basemap.Source) (*pictures, error) {
	r, err := staticmap.New(2)
	if err != nil {
		return nil, err
	}
	return &pictures{r, source, newLRU[string, []byte](200)}, nil
}

// pictureOptions reads w, h, scale and theme; the sizes that pages ask for are w=1200&h=630 at most, so the limits are
// those of a large screen.
func pictureOptions(v url.Values) (o staticmap.Options, problems directory.Invalid) {
	o = staticmap.Options{Width: 600, Height: 400, Scale: 1, Theme: staticmap.Light}
	for _, side := range []struct {
		name string
		into *int
	}{{"w", &o.Width}, {"h", &o.Height}} {
		if raw := v.Get(side.name); raw != "" {
			n, err := strconv.Atoi(raw)
			if err != nil || n < 50 || n > 1400 {
				problems = append(problems, directory.Problem{Field: side.name, Code: directory.CodeOutOfRange, Params: map[string]any{"value": raw, "min": 50, "max": 1400}})
				continue
			}
			*side.into = n
		}
	}
	switch raw := v.Get("scale"); raw {
	case "", "1":
	case "2":
		o.Scale = min(2, staticmap.MaxPixels/float64(max(o.Width, o.Height)))
	default:
		problems = append(problems, invalidParam("scale", directory.CodeUnknown, raw)...)
	}
	switch raw := v.Get("theme"); raw {
	case "", "light", "dark", "print":
		if raw != "" {
			o.Theme = staticmap.Theme(raw)
		}
	default:
		problems = append(problems, invalidParam("theme", directory.CodeUnknown, raw)...)
	}
	return o, problems
}

// send draws a picture, or takes the one drawn before under the same key, and answers with it. The key must tell apart all
// that is drawn: one visitor's picture is given to the next under it.
func (s *Server) send(c *fiber.Ctx, key string, o staticmap.Options) error {
	sum := sha256.Sum256([]byte(s.Taxonomy.Stamp() + " " + key)) // categories have colours
	tag := `"` + hex.EncodeToString(sum[:12]) + `"`
	c.Set(fiber.HeaderContentType, "image/png")
	if len(c.Response().Header.Peek(fiber.HeaderCacheControl)) == 0 {
		c.Set(fiber.HeaderCacheControl, "public, max-age=300")
	}
	c.Vary(fiber.HeaderAcceptLanguage, fiber.HeaderCookie) // names on the map are in the visitor's language
	if notModified(c, tag) {
		return nil
	}
	b, ok := s.maps.drawn.get(tag)
	if !ok {
		o.Basemap = s.maps.basemap
		var out bytes.Buffer
		if err := s.maps.renderer.Render(c.UserContext(), &out, o); err != nil {
			return fmt.Errorf("static map: %w", err)
		}
		b = out.Bytes()
		s.maps.drawn.put(tag, b)
	}
	return c.Send(b)
}

// listMap is the picture of a list: clusters and single entries, and with numbers=1 the entries of the page numbered as
// they are there.
func (s *Server) listMap(c *fiber.Ctx) error {
	v, err := values(c)
	if err != nil {
		return err
	}
	r, err := s.parseValues(v)
	if err != nil {
		return err
	}
	o, problems := pictureOptions(v)
	if len(problems) > 0 {
		return problems
	}
	if err := s.understand(c.UserContext(), &r, s.lang(c)); err != nil {
		return err
	}
	box := s.area(&r, s.lang(c))
	o.BBox = &[4]float64{box.West, box.South, box.East, box.North}
	o.Language = s.lang(c)
	now := s.Index.Snapshot()
	key := fmt.Appendf(nil, "%s %v %d %d %v %s %s", now.ETag(0, 0, 0, r.filter), *o.BBox, o.Width, o.Height, o.Scale, o.Theme, o.Language)
	var listed found
	if v.Get("numbers") == "1" {
		if listed, err = s.find(c, &r); err != nil {
			return err
		}
		// Which entries have which number depends on the order, the point they are near and the page, and on what was
		// written since now.
		key = fmt.Appendf(key, " of %d:", listed.matched)
		for i := range listed.entries {
			key = fmt.Appendf(key, " %s %d", listed.entries[i].ID, listed.entries[i].Version)
		}
	}
	if o.Markers, err = s.listMarkers(now, &r, o, listed); err != nil {
		return err
	}
	return s.send(c, string(key), o)
}

// listMarkers are the entries of the page (none when it is not numbered), numbered, over everything else that matches, clustered.
func (s *Server) listMarkers(now *geo.Snapshot, r *request, o staticmap.Options, listed found) ([]staticmap.Marker, error) {
	var markers []staticmap.Marker
	numbered := map[directory.ID]bool{}
	for i := range listed.entries {
		e := &listed.entries[i]
		numbered[e.ID] = true
		if len(e.Sites) > 0 {
			markers = append(markers, staticmap.Marker{Position: e.Sites[0], Kind: string(e.Kind), Colour: s.colour(e.MainCategory()), Approximate: e.Approximate, Number: len(markers) + 1})
		}
	}
	if listed.matched > 0 && listed.matched == len(listed.entries) {
		return markers, nil
	}
	f := r.filter
	f.BBox = nil
	z, tiles := cover(*o.BBox, o.Width, o.Height)
	var around []staticmap.Marker
	for _, t := range tiles {
		found, err := now.Markers(z, t[0], t[1], f)
		if err != nil {
			return nil, err
		}
		for _, m := range found {
			if m.Count == 1 && numbered[m.ID] {
				continue
			}
			out := staticmap.Marker{Position: m.Point, Kind: string(m.Kind), Colour: s.colour(m.Category), Approximate: m.Approximate, Count: m.Count}
			for _, lead := range m.Leading {
				out.Colours = append(out.Colours, s.colour(lead.Value))
			}
			around = append(around, out)
		}
	}
	return append(around, markers...), nil
}

// colour is a category's, or its parent's.
func (s *Server) colour(category string) string {
	c, _ := s.Taxonomy.Category(category)
	return c.Color
}

// cover lists the tiles [x, y] that a picture of the box needs, at the zoom where one tile is drawn about 256 pixels wide.
func cover(box [4]float64, width, height int) (z int, tiles [][2]int) {
	mercator := func(lat float64) float64 {
		lat = max(-85.05, min(85.05, lat)) * math.Pi / 180
		return 0.5 - math.Asinh(math.Tan(lat))/(2*math.Pi)
	}
	west, east := box[0]/360+0.5, box[2]/360+0.5
	if east < west {
		east++
	}
	north, south := mercator(box[3]), mercator(box[1])
	w, h := max(east-west, 1e-7), max(south-north, 1e-7)
	zoom := math.Log2(min(float64(width)/(256*w), float64(height)/(256*h)))
	z = int(max(0, min(maxEntryZoom, math.Round(zoom))))
	n := math.Exp2(float64(z))
	// The picture shows more than the box in one direction: what its shape leaves over.
	cx, cy := (west+east)/2, (north+south)/2
	w, h = float64(width)/256/math.Exp2(zoom), float64(height)/256/math.Exp2(zoom)
	x0, x1 := int(math.Floor((cx-w/2)*n)), int(math.Floor((cx+w/2)*n))
	y0, y1 := int(math.Floor((cy-h/2)*n)), int(math.Floor((cy+h/2)*n))
	size := int(n)
	if x1-x0 >= size {
		x0, x1 = 0, size-1
	}
	for y := max(0, y0); y <= min(size-1, y1); y++ {
		for x := x0; x <= x1; x++ {
			tiles = append(tiles, [2]int{((x % size) + size) % size, y})
		}
	}
	return z, tiles
}

// entryMap is the picture of where an entry is.
func (s *Server) entryMap(c *fiber.Ctx) error {
	e, redirected, err := s.bySlug(c, "/map.png")
	if err != nil || redirected {
		return err
	}
	return s.mapOf(c, &e)
}

// mapOf draws where an entry is, whoever may see it.
func (s *Server) mapOf(c *fiber.Ctx, e *directory.Entry) error {
	if len(e.Sites) == 0 {
		return fiber.NewError(http.StatusNotFound, "no position")
	}
	if !e.Public() {
		c.Set(fiber.HeaderCacheControl, "private, no-store")
	}
	v, err := values(c)
	if err != nil {
		return err
	}
	o, problems := pictureOptions(v)
	if len(problems) > 0 {
		return problems
	}
	if v.Get("w") == "" && v.Get("h") == "" {
		o.Width, o.Height = 1200, 630 // what a shared link shows
	}
	for i, site := range e.Sites {
		o.Markers = append(o.Markers, staticmap.Marker{Position: site, Kind: string(e.Kind), Colour: s.colour(e.MainCategory()), Approximate: e.Approximate, Selected: i == 0})
	}
	if o.Center, o.Zoom = staticmap.Fit(e.Sites, o.Width, o.Height); len(e.Sites) == 1 {
		o.Zoom = min(o.Zoom, s.closest(orb.Point(e.Sites[0])))
	}
	o.Language = s.lang(c)
	return s.send(c, fmt.Sprintf("%s %s %d %d %v %s %s", e.ID, entryTag(e), o.Width, o.Height, o.Scale, o.Theme, o.Language), o)
}

// closest is the deepest zoom at which the basemap still says where one is: its streets, or else its towns.
func (s *Server) closest(p orb.Point) float64 {
	if info := s.Basemap.Info(); info.MaxZoom > 12 && p[0] >= info.Bounds[0] && p[0] <= info.Bounds[2] {
		return 15
	}
	return 10
}
