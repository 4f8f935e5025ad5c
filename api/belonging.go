package api

import (
	"archipel/api/account"
	"archipel/directory"
	"archipel/frontend"

	"github.com/gofiber/fiber/v2"
)

// belongingLinks says on an entry's page who keeps it, and leads its own people to where they say so.
func (s *Server) belongingLinks(c *fiber.Ctx, e *directory.Entry, v *frontend.EntryView) {
	if e.Claimed.IsZero() && e.Public() && e.Origin == "" {
		v.ClaimURL = frontend.ClaimURL(e.Slug)
	}
	if account.May(account.From(c), account.EntryTeam, e) == nil {
		v.TeamURL = frontend.TeamURL(e.Slug)
	}
}

// TeamMails is the follower that tells people what changed in the teams they are of; nil without accounts.
func (s *Server) TeamMails() directory.Follower {
	if s.belonging == nil {
		return nil
	}
	return s.belonging.Mails()
}
