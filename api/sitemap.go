package api

import (
	"encoding/xml"
	"net/url"
	"time"

	"archipel/geo"

	"github.com/gofiber/fiber/v2"
)

// maxSitemap is the most addresses that a sitemap may list (sitemaps.org).
const maxSitemap = 50_000

type urlset struct {
	XMLName xml.Name     `xml:"http://www.sitemaps.org/schemas/sitemap/0.9 urlset"`
	URLs    []sitemapURL `xml:"url"`
}

type sitemapURL struct {
	Loc string `xml:"loc"`
}

// sitemap lists the pages of our own entries that changed last, as many as a sitemap takes. Those of other directories are not
// in it: their pages here name those at their origins as the canonical ones, and a sitemap has canonical addresses only.
func (s *Server) sitemap(c *fiber.Ctx) error {
	base := s.base(c)
	sel, err := s.Index.Select(geo.Filter{Origins: []string{""}, Current: s.Now().Truncate(time.Minute)}, geo.Page{Order: geo.ByUpdated, Limit: maxSitemap - 2})
	if err != nil {
		return err
	}
	set := urlset{URLs: []sitemapURL{{base + "/"}, {base + "/about"}}}
	for _, hit := range sel.Hits {
		set.URLs = append(set.URLs, sitemapURL{base + "/e/" + url.PathEscape(hit.Slug)})
	}
	b, err := xml.Marshal(set)
	if err != nil {
		return err
	}
	c.Set(fiber.HeaderContentType, "application/xml; charset=utf-8")
	return c.Send(append([]byte(xml.Header), b...))
}
