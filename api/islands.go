package api

import (
	"fmt"

	"archipel/api/archipelago"
	"archipel/frontend"
	"archipel/geo/staticmap"

	"github.com/gofiber/fiber/v2"
	"github.com/paulmach/orb"
)

// islandRoutes mounts the pages of the other directories.
func (s *Server) islandRoutes() {
	if s.Islands == nil {
		return
	}
	s.HealthNotes = append(s.HealthNotes, s.Islands.Health)
	s.Islands.Routes(s.app, archipelago.Server{
		Page: s.page, Render: s.render, Accounts: s.Accounts, Picture: s.islandsMap, Groups: s.categoryOptions,
		Category:  func(id, lang string) frontend.Category { return s.presenter(lang).category(id) },
		Languages: func() []string { return s.Site().Languages },
	})
}

// islandsMap is the picture of where the islands are.
func (s *Server) islandsMap(c *fiber.Ctx, key string, marks []archipelago.Mark) error {
	v, err := values(c)
	if err != nil {
		return err
	}
	o, problems := pictureOptions(v)
	if len(problems) > 0 {
		return problems
	}
	var corners []orb.Point
	for _, m := range marks {
		corners = append(corners, orb.Point{m.Box[0], m.Box[1]}, orb.Point{m.Box[2], m.Box[3]})
		o.Markers = append(o.Markers, staticmap.Marker{Position: m.Point, Kind: "organisation", Number: m.Number})
	}
	o.Center, o.Zoom = staticmap.Fit(corners, o.Width, o.Height)
	o.Zoom, o.Language = min(o.Zoom, 9), s.lang(c)
	return s.send(c, fmt.Sprintf("islands %s %d %d %v %s %s", key, o.Width, o.Height, o.Scale, o.Theme, o.Language), o)
}
