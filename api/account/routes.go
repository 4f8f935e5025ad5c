package account

import (
	"archipel/frontend"

	"github.com/a-h/templ"
	"github.com/gofiber/fiber/v2"
)

// handlers are the pages of accounts.
type handlers struct {
	*Service
	page   func(c *fiber.Ctx, title string) frontend.Page
	render func(c *fiber.Ctx, page templ.Component) error
}

// Routes adds the pages of accounts to a server, which says how its pages begin and how they are written.
func (s *Service) Routes(app fiber.Router, page func(*fiber.Ctx, string) frontend.Page, render func(*fiber.Ctx, templ.Component) error) {
	h := &handlers{s, page, render}
	_ = h
}
