package api

import (
	"net/http"
	"strings"

	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/middleware/adaptor"
)

// federate mounts the instance's part in the fediverse. It stands before cookies and forms: other servers have neither.
// Entries have one address for people and for servers, which tell themselves apart by what they accept.
func (s *Server) federate(app *fiber.App) {
	if s.Federation == nil {
		return
	}
	h := adaptor.HTTPHandler(s.Federation)
	for _, path := range []string{"/.well-known/webfinger", "/.well-known/host-meta", "/.well-known/nodeinfo", "/nodeinfo/2.1"} {
		app.Get(path, h)
	}
	app.All("/ap/*", h)
	app.Get("/mirror/*", h)
	app.Get("/id/:id", func(c *fiber.Ctx) error {
		c.Vary(fiber.HeaderAccept)
		if !wantsActivity(c) {
			return c.Next()
		}
		return h(c)
	})
	app.Get("/e/:slug", func(c *fiber.Ctx) error {
		c.Vary(fiber.HeaderAccept)
		if !wantsActivity(c) {
			return c.Next()
		}
		id, ok := s.Directory.BySlug(c.Params("slug"))
		if !ok {
			return fiber.NewError(http.StatusNotFound)
		}
		return c.Redirect(s.base(c)+"/id/"+string(id), http.StatusSeeOther)
	})
}

// wantsActivity tells servers of the fediverse from browsers and from programs that want the entry as GeoJSON.
func wantsActivity(c *fiber.Ctx) bool {
	accept := c.Get(fiber.HeaderAccept)
	at := strings.Index(accept, "application/activity+json")
	if at < 0 {
		if at = strings.Index(accept, "application/ld+json"); at < 0 || !strings.Contains(accept, "www.w3.org/ns/activitystreams") {
			return false
		}
	}
	html := strings.Index(accept, "text/html")
	return html < 0 || at < html
}
