package api

import (
	"errors"
	"net/http"
	"net/url"
	"strconv"

	"archipel/api/account"
	"archipel/directory"
	"archipel/frontend"

	"github.com/gofiber/fiber/v2"
)

// removable finds the entry of the address that the actor may take down. What belongs to another directory is taken down
// there.
func (s *Server) removable(c *fiber.Ctx) (directory.Entry, error) {
	e, err := s.editable(c)
	if err != nil {
		return e, err
	}
	return e, account.Check(c, account.EntryRemove, &e)
}

// removePage says what taking an entry down does. It changes nothing.
func (s *Server) removePage(c *fiber.Ctx) error {
	e, err := s.removable(c)
	if err != nil {
		return err
	}
	return s.showRemoval(c, &e, frontend.RemovalView{}, "", nil)
}

func (s *Server) showRemoval(c *fiber.Ctx, e *directory.Entry, v frontend.RemovalView, reason string, problems directory.Invalid) error {
	p := s.page(c, "")
	p.Title = frontend.T(p.Lang).Text("removal.title", "Name", e.Name)
	p.NoIndex, p.Canonical = true, ""
	v.Form = frontend.EntryForm{Values: url.Values{"reason": {reason}}, CSRF: s.csrf(c)}
	for _, one := range problems {
		v.Form.Problems = append(v.Form.Problems, frontend.Problem{Field: one.Field, Code: one.Code, Params: one.Params})
	}
	v.Slug, v.Name, v.Version, v.Public, v.Event = e.Slug, e.Name, int64(e.Version), e.Public(), e.Kind == directory.Event
	v.Moderate = s.Waiting != nil && account.May(account.From(c), account.ModerateDecide, e) == nil
	c.Set(fiber.HeaderCacheControl, "private, no-store")
	c.Set("Referrer-Policy", "same-origin")
	switch {
	case v.Changed:
		c.Status(http.StatusConflict)
	case len(problems) > 0:
		c.Status(http.StatusUnprocessableEntity)
	}
	return s.render(c, frontend.Removal(p, v))
}

// remove takes an entry down. Its history stays, and its address answers that it is gone.
func (s *Server) remove(c *fiber.Ctx) error {
	e, err := s.removable(c)
	if err != nil {
		return err
	}
	sent, err := form(c)
	if err != nil {
		return err
	}
	version, err := strconv.ParseInt(sent.Get("version"), 10, 64)
	if err != nil || version < 1 {
		return directory.Invalid{{Field: "version", Code: directory.CodeRequired}}
	}
	reason, problem := checkedText(sent.Get("reason"), "reason", false, maxReason)
	if int64(e.Version) != version {
		return s.showRemoval(c, &e, frontend.RemovalView{Changed: true}, reason, nil)
	}
	var problems directory.Invalid
	if problem != nil {
		problems = append(problems, *problem)
	}
	if sent.Get("sure") == "" {
		problems = append(problems, directory.Problem{Field: "sure", Code: directory.CodeRequired})
	}
	if len(problems) > 0 {
		return s.showRemoval(c, &e, frontend.RemovalView{}, reason, problems)
	}
	actor := account.From(c)
	mine := account.May(actor, account.EntryLeave, &e) == nil
	e.Status = directory.Removed
	outcomes, err := s.Directory.Write(c.UserContext(), directory.Write{Author: actor.Author(), Note: reason, Entries: []directory.Entry{e}})
	if err == nil {
		err = outcomes[0].Err
	}
	var conflict *directory.ConflictError
	switch {
	case errors.As(err, &conflict) && conflict.Theirs.Status != directory.Removed:
		return s.showRemoval(c, &conflict.Theirs, frontend.RemovalView{Changed: true}, reason, nil)
	case errors.As(err, &conflict):
		return goneError{} // somebody else took it down first
	case err != nil:
		return err
	case mine || s.Waiting == nil:
		return c.Redirect("/me/entries?done=removed", http.StatusSeeOther)
	}
	return c.Redirect("/moderate?"+url.Values{"done": {"remove"}, "entry": {string(e.ID)}}.Encode(), http.StatusSeeOther)
}
