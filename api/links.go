package api

import (
	"context"
	"net/url"
	"slices"
	"time"

	"archipel/api/account"
	"archipel/directory"
	"archipel/directory/links"
	"archipel/frontend"

	"github.com/gofiber/fiber/v2"
)

// brokenPage is how many links one page of the list shows.
const brokenPage = 50

// linkRoutes is the page of moderators about links that do not answer.
func (s *Server) linkRoutes() {
	s.app.Get("/moderate/links", account.Require(account.ModerateQueue), s.brokenLinks)
}

// checksLinks reports whether links are tried: not where the operator does not want that, nor those of a demonstration.
func (s *Server) checksLinks() bool {
	site := s.Site()
	return s.Links != nil && site.CheckLinks && !site.Demo
}

// brokenLinks lists the links that do not answer any more, with the entries that have them.
func (s *Server) brokenLinks(c *fiber.Ctx) error {
	p, _ := s.moderationPage(c, "broken.title")
	v := frontend.BrokenView{Off: !s.checksLinks()}
	if v.Off {
		return s.render(c, frontend.Broken(p, v))
	}
	after := c.Query("after")
	if len(after) > 64 {
		return invalidParam("after", directory.CodeTooLong, after[:64])
	}
	list, next, err := s.Links.List(c.UserContext(), after, brokenPage)
	if err != nil {
		return err
	}
	actor, zone := account.From(c), s.zone()
	for i := range list {
		entries, err := s.Directory.Entries(c.UserContext(), list[i].Entries)
		if err != nil {
			return err
		}
		row := brokenLink(&list[i], zone)
		for j := range entries {
			e := &entries[j]
			if e.Public() && slices.Contains(links.Addresses(e), list[i].URL) && account.May(actor, account.ModerateDecide, e) == nil {
				row.In = append(row.In, frontend.BrokenIn{Name: e.Name, URL: frontend.EntryURL(e.Slug), EditURL: frontend.EditURL(e.Slug)})
			}
		}
		if len(row.In) > 0 { // else it was corrected, or is for others to look after
			v.Links = append(v.Links, row)
		}
	}
	if next != "" {
		v.Next = "/moderate/links?" + url.Values{"after": {next}}.Encode()
	}
	return s.render(c, frontend.Broken(p, v))
}

func brokenLink(t *links.Trouble, zone *time.Location) frontend.BrokenLink {
	return frontend.BrokenLink{URL: t.URL, Code: t.Code, To: t.To, Since: t.Since.In(zone), Tried: t.Tried.In(zone)}
}

// brokenOf is what the people of an entry are told of its links.
func (s *Server) brokenOf(ctx context.Context, e *directory.Entry) (out []frontend.BrokenLink, err error) {
	if s.Links == nil || !e.Public() {
		return nil, nil
	}
	list, err := s.Links.Of(ctx, e)
	for i := range list {
		out = append(out, brokenLink(&list[i], s.zone()))
	}
	return out, err
}

// linkHealth counts the links that do not answer, for the page of the directory's health.
func (s *Server) linkHealth(ctx context.Context, l *frontend.Localizer) ([]frontend.HealthNote, error) {
	if !s.checksLinks() {
		return nil, nil
	}
	broken, moved, err := s.Links.Count(ctx)
	if err != nil {
		return nil, err
	}
	return []frontend.HealthNote{{Text: l.Text("broken.health", "Count", l.Number(broken), "Moved", l.Number(moved)), URL: "/moderate/links"}}, nil
}
