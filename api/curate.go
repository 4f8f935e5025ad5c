package api

import (
	"errors"
	"net/http"
	"strconv"
	"strings"

	"archipel/api/account"
	"archipel/directory"
	"archipel/frontend"

	"github.com/gofiber/fiber/v2"
)

// curateRoutes are the pages where moderators say what this directory adds to an entry of another one.
func (s *Server) curateRoutes() {
	s.app.Get("/e/:slug/curate", account.Require(account.ModerateDecide), s.curatePage)
	s.app.Post("/e/:slug/curate", account.Require(account.ModerateDecide), s.curate)
}

// mayCurate reports why somebody may not add to an entry of another directory; nil: they may.
func (s *Server) mayCurate(c *fiber.Ctx, e *directory.Entry) error {
	if s.Archipelago == nil || s.Accounts == nil || s.Waiting == nil || e.Origin == "" || e.Status == directory.Removed {
		return directory.ErrNotFound
	}
	return account.May(account.From(c), account.ModerateDecide, e)
}

// curated finds the entry of the address, for those who may add to it.
func (s *Server) curated(c *fiber.Ctx) (directory.Entry, error) {
	e, err := s.anyBySlug(c)
	if err != nil {
		return e, err
	}
	if e.Origin == "" || e.Status == directory.Removed {
		return e, directory.ErrNotFound
	}
	return e, secret(s.mayCurate(c, &e), &e)
}

func (s *Server) curatePage(c *fiber.Ctx) error {
	e, err := s.curated(c)
	if err != nil {
		return err
	}
	now, rev, err := s.Archipelago.Curation(c.UserContext(), e.ID)
	if err != nil {
		return err
	}
	return s.showCurate(c, &e, now, rev, nil, nil)
}

// showCurate shows the form. theirs is what somebody else saved meanwhile, if that is what is wrong: it stands beside what
// was typed, and sending the form again puts that in its place.
func (s *Server) showCurate(c *fiber.Ctx, e *directory.Entry, now Curation, rev int64, problems directory.Invalid, theirs *Curation) error {
	p, l := s.moderationPage(c, "curate.title")
	p.Title = l.Text("curate.title", "Name", e.Name)
	name, page := s.origin(e)
	v := frontend.CurateView{
		Slug: e.Slug, Name: e.Name, Public: e.Public(), Origin: frontend.Source{Name: name, URL: page}, Groups: s.categoriesWith(p.Lang, now.Categories), Chosen: now.Categories,
		Tags: strings.Join(now.Tags, ", "), Hide: now.Hide, Highlight: now.Highlight, Remark: now.Remark, Revision: rev, Done: c.Method() == fiber.MethodGet && c.Query("done") == "1",
	}
	if theirs != nil {
		v.Wrong = l.Text("curate.conflict")
		var names []string
		for _, id := range theirs.Categories {
			names = append(names, s.Taxonomy.Label(id, p.Lang))
		}
		yes := func(on bool) string {
			if on {
				return l.Text("curate.yes")
			}
			return l.Text("curate.no")
		}
		v.Now = []frontend.CurateLine{
			{Label: l.Text("curate.categories"), Text: strings.Join(names, ", ")}, {Label: l.Text("curate.tags"), Text: strings.Join(theirs.Tags, ", ")},
			{Label: l.Text("curate.remark"), Text: theirs.Remark}, {Label: l.Text("curate.highlight"), Text: yes(theirs.Highlight)}, {Label: l.Text("curate.hide"), Text: yes(theirs.Hide)},
		}
	}
	for _, one := range problems {
		field, text := l.ProblemText(frontend.Problem{Field: one.Field, Code: one.Code, Params: one.Params})
		v.Problems = append(v.Problems, frontend.CurateProblem{Field: one.Field, Text: field + ": " + text})
	}
	return s.render(c, frontend.Curate(p, v))
}

// curate saves what is added. It is about what the form showed: when somebody else saved meanwhile, nothing is written.
func (s *Server) curate(c *fiber.Ctx) error {
	e, err := s.curated(c)
	if err != nil {
		return err
	}
	rev, err := strconv.ParseInt(c.FormValue("revision"), 10, 64)
	if err != nil || rev < 0 {
		return invalidParam("revision", directory.CodeInvalid, c.FormValue("revision"))
	}
	wanted := Curation{Hide: c.FormValue("hide") == "1", Highlight: c.FormValue("highlight") == "1", Remark: c.FormValue("remark")}
	for _, id := range c.Context().PostArgs().PeekMulti("categories") {
		if id := string(id); id != "" && len(wanted.Categories) < maxChosen {
			wanted.Categories = append(wanted.Categories, id)
		}
	}
	for tag := range strings.SplitSeq(c.FormValue("tags"), ",") {
		if tag = strings.TrimSpace(tag); tag != "" && len(wanted.Tags) < maxChosen {
			wanted.Tags = append(wanted.Tags, tag)
		}
	}
	_, err = s.Archipelago.Curate(c.UserContext(), account.From(c).Author(), e.ID, wanted, rev)
	var invalid directory.Invalid
	switch {
	case errors.As(err, &invalid) && wantsPage(c):
		c.Status(http.StatusBadRequest)
		return s.showCurate(c, &e, wanted, rev, invalid, nil)
	case errors.Is(err, directory.ErrStale) && wantsPage(c):
		theirs, newer, err := s.Archipelago.Curation(c.UserContext(), e.ID)
		if err != nil {
			return err
		}
		c.Status(http.StatusConflict)
		return s.showCurate(c, &e, wanted, newer, nil, &theirs)
	case err != nil:
		return err
	}
	return c.Redirect(frontend.CurateURL(e.Slug)+"?done=1", http.StatusSeeOther)
}
