package api

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"archipel/directory"

	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/middleware/adaptor"
)

// federate mounts the instance's part in the fediverse. It stands before cookies and forms: other servers have neither.
// Entries have one address for people and for servers, which tell themselves apart by what they accept.
func (s *Server) federate(app *fiber.App) {
	if s.Federation == nil {
		return
	}
	h := s.toldClient(adaptor.HTTPHandler(fromClient(s.Federation)))
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
		if ok {
			var err error
			if ok, err = s.everPublic(c.UserContext(), id); err != nil {
				return err
			}
		}
		if !ok {
			return directory.ErrNotFound // of what was never shown nobody learns that it is here
		}
		return c.Redirect(s.base(c)+"/id/"+string(id), http.StatusSeeOther)
	})
}

// everPublic reports whether an entry is public, or was by one of its last fifty changes.
func (s *Server) everPublic(ctx context.Context, id directory.ID) (bool, error) {
	e, err := s.Directory.Entry(ctx, id)
	if err != nil || e.Public() {
		return err == nil, err
	}
	changes, err := s.Directory.History(ctx, id, 0, 50)
	return slices.ContainsFunc(changes, func(c directory.Change) bool { return c.Entry.Public() }), err
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
