package api

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"

	"archipel/api/account"
	"archipel/directory"
	"archipel/frontend"

	"github.com/gofiber/fiber/v2"
)

// versionsPerPage is how many changes the page of all versions lists.
const versionsPerPage = 50

// versionsRoutes are the pages of an entry's whole history, for those who may see what was never public.
func (s *Server) versionsRoutes() {
	s.app.Get("/e/:slug/versions", account.Require(account.HistoryPrivate), s.versionsPage)
	s.app.Post("/e/:slug/revert", account.Require(account.ModerateDecide), s.revert)
}

// anyBySlug finds an entry by its address, whatever its status.
func (s *Server) anyBySlug(c *fiber.Ctx) (directory.Entry, error) {
	id, ok := s.Directory.BySlug(c.Params("slug"))
	if !ok {
		return directory.Entry{}, directory.ErrNotFound
	}
	return s.Directory.Entry(c.UserContext(), id)
}

// secret turns a refusal about an entry that is not public into its absence: an address tells nobody that there is one.
func secret(err error, e *directory.Entry) error {
	if err != nil && !e.Public() {
		return directory.ErrNotFound
	}
	return err
}

func (s *Server) versionsPage(c *fiber.Ctx) error { return s.showVersions(c, "", "") }

// showVersions lists every version of an entry and compares two of them.
func (s *Server) showVersions(c *fiber.Ctx, wrong, note string) error {
	ctx := c.UserContext()
	e, err := s.anyBySlug(c)
	if err != nil {
		return err
	}
	if err := secret(account.Check(c, account.HistoryPrivate, &e), &e); err != nil {
		return err
	}
	before, err := seqParam(c, "before")
	if err != nil {
		return err
	}
	changes, err := s.Directory.History(ctx, e.ID, before, versionsPerPage+1)
	if err != nil {
		return err
	}
	p, l := s.moderationPage(c, "versions.title")
	p.Title = l.Text("versions.title", "Name", e.Name)
	show, names := s.presenter(p.Lang), map[string]string{}
	v := frontend.VersionsView{Slug: e.Slug, Name: e.Name, Version: int64(e.Version), Public: e.Public(), Wrong: wrong, Note: note,
		MayRevert: e.Origin == "" && account.May(account.From(c), account.ModerateDecide, &e) == nil}
	for i := range changes[:min(len(changes), versionsPerPage)] {
		ch := &changes[i]
		author, err := s.authorFor(ctx, ch.Author, names)
		if err != nil {
			return err
		}
		v.Lines = append(v.Lines, frontend.VersionLine{Seq: int64(ch.Seq), At: ch.Time.In(show.zone), Author: author, Operation: string(ch.Op),
			Status: string(ch.Entry.Status), Name: ch.Entry.Name, Note: ch.Note, Redacted: ch.Redacted})
	}
	if len(changes) > versionsPerPage {
		v.Older = strconv.FormatInt(int64(changes[versionsPerPage-1].Seq), 10)
	}
	from, err := seqParam(c, "from")
	if err != nil {
		return err
	}
	to, err := seqParam(c, "to")
	if err != nil {
		return err
	}
	if from > 0 && to > 0 {
		if from > to {
			from, to = to, from
		}
		old, err := s.Directory.At(ctx, e.ID, from)
		if err != nil {
			return err
		}
		later, err := s.Directory.At(ctx, e.ID, to)
		if err != nil {
			return err
		}
		v.From, v.To, v.Erased = int64(from), int64(to), old.Redacted || later.Redacted
		if !v.Erased {
			for _, f := range directory.Diff(&old.Entry, &later.Entry) {
				v.Fields = append(v.Fields, frontend.FieldChange{Field: f.Field, Old: f.Before, New: f.After})
			}
			v.Fields = s.presenter(s.lang(c)).readable(v.Fields)
		}
		v.MayRevert = v.MayRevert && !old.Redacted && from != e.Version
	} else if len(v.Lines) > 1 {
		v.From, v.To = v.Lines[1].Seq, v.Lines[0].Seq
		v.MayRevert = false // after having compared
	}
	v.Compared = from > 0 && to > 0
	if account.May(account.From(c), account.ModerateDecide, &e) == nil && e.Origin == "" {
		switch {
		case e.Public():
			v.MergeURL = frontend.MergeURL(string(e.ID), "")
		case e.Status == directory.Removed && e.MergedInto != "":
			if into, err := s.lives(ctx, e.ID); err == nil {
				v.IntoName, v.IntoURL = into.Name, frontend.VersionsURL(into.Slug)
				v.MayUnmerge = account.May(account.From(c), account.ModerateDecide, &into) == nil
			}
		}
	}
	if id := directory.ID(c.Query("merged")); id != "" && wrong == "" && s.Relations.Resolve(id) == e.ID {
		if part, err := s.Directory.Entry(ctx, id); err == nil && account.May(account.From(c), account.ModerateDecide, &part) == nil {
			v.Done, v.PartURL = l.Text("merge.done", "Name", part.Name), frontend.VersionsURL(part.Slug)
		}
	} else if c.Query("unmerged") == "1" && wrong == "" && e.Status != directory.Removed {
		v.Done = l.Text("merge.undone", "Name", e.Name)
	}
	if done, _ := seqParam(c, "done"); done > 0 && wrong == "" {
		v.Done = l.Text("versions.done", "N", strconv.FormatInt(int64(done), 10))
		if n, err := strconv.Atoi(c.Query("lost")); err == nil && n > 0 {
			v.Done += " " + l.Plural("versions.lost", n)
		}
	}
	return s.render(c, frontend.Versions(p, v))
}

// seqParam reads a number of a change from the query; 0 when it is not there.
func seqParam(c *fiber.Ctx, name string) (directory.Seq, error) {
	raw := c.Query(name)
	if raw == "" {
		return 0, nil
	}
	n, err := strconv.ParseInt(raw, 10, 64)
	if err != nil || n < 1 {
		return 0, invalidParam(name, directory.CodeInvalid, raw)
	}
	return directory.Seq(n), nil
}

// revert makes an entry what it was after an earlier change.
func (s *Server) revert(c *fiber.Ctx) error {
	e, err := s.anyBySlug(c)
	if err != nil {
		return err
	}
	if err := secret(account.Check(c, account.ModerateDecide, &e), &e); err != nil {
		return err
	}
	if e.Origin != "" { // what it was may be what its origin took back, or what no agreement stands behind
		return &account.Refusal{Action: account.ModerateDecide, Reason: account.ReasonElsewhere}
	}
	// The address has a "to" of its own: the newer one of the versions that are compared, which FormValue prefers.
	to, err := strconv.ParseInt(string(c.Context().PostArgs().Peek("to")), 10, 64)
	if err != nil || to < 1 {
		return invalidParam("to", directory.CodeInvalid, string(c.Context().PostArgs().Peek("to")))
	}
	base, err := strconv.ParseInt(c.FormValue("version"), 10, 64)
	if err != nil {
		return invalidParam("version", directory.CodeInvalid, c.FormValue("version"))
	}
	l := frontend.T(s.lang(c))
	note, problem := reasonOf(c, true)
	if problem != nil {
		if !wantsPage(c) {
			return directory.Invalid{*problem}
		}
		_, text := l.ProblemText(frontend.Problem{Field: problem.Field, Code: problem.Code, Params: problem.Params})
		c.Status(http.StatusBadRequest)
		return s.showVersions(c, text, note)
	}
	back, err := s.goBack(c.UserContext(), account.From(c).Author(), e, directory.Seq(to), directory.Seq(base), note)
	var conflict *directory.ConflictError
	if errors.As(err, &conflict) && wantsPage(c) {
		c.Status(http.StatusConflict)
		return s.showVersions(c, l.Text("versions.conflict", "Name", e.Name), note)
	}
	if err != nil {
		return err
	}
	query := "?done=" + strconv.FormatInt(to, 10)
	if past, err := s.Directory.At(c.UserContext(), e.ID, directory.Seq(to)); err == nil && len(past.Entry.Images) > len(back.Images) {
		query += "&lost=" + strconv.Itoa(len(past.Entry.Images)-len(back.Images))
	}
	return c.Redirect("/e/"+url.PathEscape(back.Slug)+"/versions"+query, http.StatusSeeOther)
}

// goBack makes an entry what it was after the change to. Its team stays who it is now, and what is public does not go back
// to waiting. Pictures that were erased meanwhile stay away.
func (s *Server) goBack(ctx context.Context, author string, now directory.Entry, to, base directory.Seq, note string) (directory.Entry, error) {
	past, err := s.Directory.At(ctx, now.ID, to)
	if err != nil {
		return directory.Entry{}, err
	}
	if past.Redacted {
		return directory.Entry{}, goneError{}
	}
	e := past.Entry
	e.Version, e.Private = base, now.Private
	s.dropLost(ctx, &e)
	if now.Public() && (e.Status == directory.Pending || e.Status == directory.Draft) {
		e.Status = directory.Published
	}
	outcomes, err := s.Directory.Write(ctx, directory.Write{Author: author, Op: directory.OpRevert, Note: note, Entries: []directory.Entry{e}})
	if err != nil {
		return directory.Entry{}, err
	}
	return outcomes[0].Entry, outcomes[0].Err
}
