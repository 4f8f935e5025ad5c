package api

import (
	"encoding/json"
	"net/http"
	"strconv"

	"archipel/frontend"
	"archipel/geo"
	"archipel/geo/basemap"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"
)

// tileAddress reads z/x/y; what is not a tile number is not there.
func tileAddress(c *fiber.Ctx) (z, x, y int, err error) {
	for _, part := range []struct {
		name string
		into *int
	}{{"z", &z}, {"x", &x}, {"y", &y}} {
		if *part.into, err = strconv.Atoi(c.Params(part.name)); err != nil {
			return 0, 0, 0, fiber.NewError(http.StatusNotFound, "no such tile")
		}
	}
	if z < 0 || z > geo.MaxZoom || x < 0 || y < 0 || x >= 1<<z || y >= 1<<z {
		return 0, 0, 0, fiber.NewError(http.StatusNotFound, "no such tile")
	}
	return z, x, y, nil
}

// entriesTile is a vector tile of entries and clusters under the filters of the list.
func (s *Server) entriesTile(c *fiber.Ctx) error {
	z, x, y, err := tileAddress(c)
	if err != nil {
		return err
	}
	r, err := s.parse(c)
	if err != nil {
		return err
	}
	if err := s.understand(c.UserContext(), &r, s.lang(c)); err != nil {
		return err
	}
	r.filter.BBox = nil // a tile is its own box
	c.Set(fiber.HeaderContentType, basemap.TypeMVT)
	c.Set(fiber.HeaderCacheControl, "no-cache") // checked by its tag: a new entry shows at once
	r.filter.Faded = s.presenter("").fades
	now := s.Index.Snapshot()
	tag := now.ETag(z, x, y, r.filter)
	if notModified(c, tag) {
		return nil
	}
	tile, ok := s.tiles.get(tag)
	if !ok {
		if tile, err = now.Tile(z, x, y, r.filter); err != nil {
			return err
		}
		s.tiles.put(tag, tile)
	}
	return c.Send(tile)
}

type tileJSON struct {
	TileJSON string        `json:"tilejson"`
	Name     string        `json:"name"`
	Tiles    []string      `json:"tiles"`
	MinZoom  int           `json:"minzoom"`
	MaxZoom  int           `json:"maxzoom"`
	Bounds   []float64     `json:"bounds,omitempty"`
	Layers   []vectorLayer `json:"vector_layers"`
	Credit   string        `json:"attribution,omitempty"`
}

type vectorLayer struct {
	ID     string            `json:"id"`
	Fields map[string]string `json:"fields"`
}

// entriesTileJSON describes the tiles of entries (TileJSON 3.0), under the same filters.
func (s *Server) entriesTileJSON(c *fiber.Ctx) error {
	r, err := s.parse(c)
	if err != nil {
		return err
	}
	doc := tileJSON{
		TileJSON: "3.0.0", Name: s.Site().Name, MaxZoom: geo.MaxZoom,
		Tiles: []string{r.query.Filters().URL(s.base(c) + "/tiles/entries/{z}/{x}/{y}.mvt")},
		Layers: []vectorLayer{
			{"entries", map[string]string{"id": "UUID", "slug": "String", "name": "String", "kind": "String", "category": "String", "approximate": "Boolean", "faded": "Boolean, nobody confirmed it for long", "mirrored": "Boolean", "origin": "String, the host of the directory that a mirrored entry belongs to"}},
			{"clusters", map[string]string{"id": "Number", "count": "Number", "categories": "String, category:count separated by commas", "zoom": "Number"}},
		},
	}
	doc.Credit = s.tileCredit(s.lang(c), s.base(c)+"/about")
	if b, ok, err := s.Index.Snapshot().Bounds(r.filter); err == nil && ok {
		doc.Bounds = []float64{b.Min[0], b.Min[1], b.Max[0], b.Max[1]}
	}
	return c.JSON(doc)
}

// tilesOf serves the tiles of a basemap.
func (s *Server) tilesOf(source basemap.Source) fiber.Handler {
	return func(c *fiber.Ctx) error {
		z, x, y, err := tileAddress(c)
		if err != nil {
			return err
		}
		t, err := source.Tile(z, x, y)
		if err != nil {
			return err
		}
		c.Set(fiber.HeaderContentType, t.ContentType)
		c.Set(fiber.HeaderCacheControl, "public, max-age=86400")
		if notModified(c, t.ETag) {
			return nil
		}
		if t.Encoding != "" {
			c.Vary(fiber.HeaderAcceptEncoding)
			if c.Request().Header.HasAcceptEncoding(t.Encoding) {
				c.Set(fiber.HeaderContentEncoding, t.Encoding)
			} else if t, err = t.Plain(); err != nil {
				return err
			}
		}
		return c.Send(t.Data)
	}
}

func (s *Server) baseTileJSON(c *fiber.Ctx) error {
	c.Set(fiber.HeaderContentType, typeJSON)
	return c.Send(s.Basemap.TileJSON(s.base(c)))
}

// static is a built file of the pages, named by its content.
func (s *Server) static(c *fiber.Ctx) error {
	a, ok := frontend.StaticAsset(c.Params("name"))
	if !ok {
		return fiber.NewError(http.StatusNotFound)
	}
	c.Set(fiber.HeaderContentType, a.ContentType)
	c.Set(fiber.HeaderCacheControl, frontend.CacheControl)
	if notModified(c, a.ETag) {
		return nil
	}
	if a.Gzip != nil {
		c.Vary(fiber.HeaderAcceptEncoding)
		if c.Request().Header.HasAcceptEncoding("br") {
			b, ok := s.packed.get(a.Name)
			if !ok {
				b = fasthttp.AppendBrotliBytesLevel(nil, a.Body, 9)
				s.packed.put(a.Name, b)
			}
			c.Set(fiber.HeaderContentEncoding, "br")
			return c.Send(b)
		}
		if c.Request().Header.HasAcceptEncoding("gzip") {
			c.Set(fiber.HeaderContentEncoding, "gzip")
			return c.Send(a.Gzip)
		}
	}
	return c.Send(a.Body)
}

func (s *Server) robots(c *fiber.Ctx) error {
	c.Set(fiber.HeaderContentType, fiber.MIMETextPlainCharsetUTF8)
	return c.SendString("User-agent: *\nDisallow: /map.png\nDisallow: /tiles/\nDisallow: /api/\nDisallow: /*?\nSitemap: " + s.base(c) + "/sitemap.xml\n")
}

func (s *Server) favicon(c *fiber.Ctx) error {
	return c.Redirect(frontend.AssetURL("mark.svg"), http.StatusMovedPermanently)
}

func (s *Server) manifest(c *fiber.Ctx) error {
	site := s.Site()
	b, err := json.Marshal(fiber.Map{
		"name": site.Name, "short_name": site.Name, "start_url": "/", "display": "browser", "lang": site.Languages[0],
		"icons": []fiber.Map{{"src": frontend.AssetURL("mark.svg"), "sizes": "any", "type": "image/svg+xml"}},
	})
	if err != nil {
		return err
	}
	c.Set(fiber.HeaderContentType, "application/manifest+json")
	return c.Send(b)
}
