package api

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"slices"

	"archipel/directory"
	"archipel/directory/transfer"
	"archipel/frontend"
	"archipel/geo"

	"github.com/gofiber/fiber/v2"
)

// entryFeed is the news of one entry: itself, and what it organises, hosts or comprises, the newest change first.
func (s *Server) entryFeed(name string) fiber.Handler {
	return func(c *fiber.Ctx) error {
		e, redirected, err := s.bySlug(c, "."+name)
		if err != nil || redirected {
			return err
		}
		f, base, lang := formats[name], s.base(c), s.lang(c)
		list, err := s.undertakings(c.UserContext(), &e, geo.Filter{}, geo.Page{Order: geo.ByUpdated, Limit: f.limit})
		if err != nil {
			return err
		}
		list = append(list, e)
		slices.SortStableFunc(list, func(a, b directory.Entry) int { return b.Updated.Compare(a.Updated) })
		list = list[:min(len(list), f.limit)]
		var body bytes.Buffer
		w := f.make(&body, transfer.ExportOptions{
			Title: e.Name, ID: base + "/id/" + string(e.ID) + "#news", Self: base + c.OriginalURL(), Home: base + frontend.EntryURL(e.Slug), Lang: lang, Updated: list[0].Updated,
			Page:  func(e *directory.Entry) string { return base + frontend.EntryURL(e.Slug) },
			Label: s.Taxonomy.Label, Types: s.Taxonomy, Origin: s.origin, Attribution: s.attribution,
		})
		for i := range list {
			if err := w.Write(&list[i]); err != nil {
				return err
			}
		}
		if err := w.Close(); err != nil {
			return err
		}
		c.Set(fiber.HeaderContentType, f.media)
		c.Set(fiber.HeaderCacheControl, "no-cache")
		sum := sha256.Sum256(body.Bytes())
		if notModified(c, `"`+hex.EncodeToString(sum[:12])+`"`) {
			return nil
		}
		return c.Send(body.Bytes())
	}
}
