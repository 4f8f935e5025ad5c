package api

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"archipel/api/account"
	"archipel/api/fediverse"
	"archipel/directory"
	"archipel/frontend"

	"github.com/gofiber/fiber/v2"
)

// flagRoutes is the decision about what other servers report.
func (s *Server) flagRoutes() {
	if s.Operators != nil {
		s.app.Post("/moderate/flags/:key", account.Require(account.ModerateQueue), s.decideFlag)
	}
}

// flagged is the entry that a report of another server is about; one without a name when it is the directory as a whole, or
// nothing of it is here any more: what waits is shown, since it counts.
func (s *Server) flagged(ctx context.Context, f *fediverse.Flag) (e directory.Entry, err error) {
	for _, id := range f.Entries {
		if e, err = s.lives(ctx, id); !errors.Is(err, directory.ErrNotFound) {
			return e, err
		}
	}
	return directory.Entry{}, nil
}

// flagItems are the reports of other servers that an actor may answer.
func (s *Server) flagItems(ctx context.Context, actor *account.Actor, show presenter) ([]frontend.QueueItem, error) {
	if s.Operators == nil {
		return nil, nil
	}
	flags, err := s.Operators.Flags(ctx)
	if err != nil {
		return nil, err
	}
	var items []frontend.QueueItem
	l := frontend.T(show.lang)
	for i := range flags {
		f := &flags[i]
		e, err := s.flagged(ctx, f)
		if err != nil {
			return nil, err
		}
		if account.May(actor, account.ModerateDecide, &e) != nil {
			continue
		}
		item := frontend.QueueItem{ID: "f-" + f.Key, Type: "report", Name: e.Name, Kind: string(e.Kind), Town: e.Town(), Since: f.Received.In(show.zone), Author: f.Server, Note: f.Text,
			Report: "elsewhere", From: f.Sender, Unheard: true, Action: "/moderate/flags/" + f.Key, Version: int64(e.Version), Choices: []string{"accept", "dismiss"}}
		switch {
		case e.ID == "":
			item.Name = s.Site().Name
		case e.Public():
			item.PageURL, item.EditURL, item.VersionsURL = frontend.EntryURL(e.Slug), frontend.EditURL(e.Slug), frontend.VersionsURL(e.Slug)
			item.Choices = reportDecisions
		}
		if more := len(f.Entries) - 1; more > 0 {
			item.Facts = append(item.Facts, l.Plural("report.more", more))
		}
		if f.Text == "" {
			item.Facts = append(item.Facts, l.Text("report.no_text"))
		}
		items = append(items, item)
	}
	return items, nil
}

// decideFlag answers a report of another server; of two moderators one does.
func (s *Server) decideFlag(c *fiber.Ctx) error {
	ctx, l := c.UserContext(), frontend.T(s.lang(c))
	f, waits, err := s.Operators.Flag(ctx, c.Params("key"))
	if err != nil {
		return err
	}
	e, err := s.flagged(ctx, &f)
	if err != nil {
		return err
	}
	if err := account.Check(c, account.ModerateDecide, &e); err != nil {
		return err
	}
	name := e.Name
	if e.ID == "" {
		name = s.Site().Name
	}
	decision := c.FormValue("decision")
	if !slices.Contains(reportDecisions, decision) || decision == "remove" && !e.Public() {
		return invalidParam("decision", directory.CodeUnknown, decision)
	}
	reason, problem := reasonOf(c, decision == "remove")
	if problem != nil {
		if !wantsPage(c) {
			return directory.Invalid{*problem}
		}
		_, text := l.ProblemText(frontend.Problem{Field: problem.Field, Code: problem.Code, Params: problem.Params})
		c.Status(http.StatusBadRequest)
		return s.showQueue(c, attempt{id: "f-" + f.Key, reason: reason, problem: text, wrong: l.Text("queue.reason_missing", "Name", name)})
	}
	conflict := func() error {
		c.Status(http.StatusConflict)
		return s.showQueue(c, attempt{id: "f-" + f.Key, reason: reason, wrong: l.Text("queue.conflict", "Name", name)})
	}
	if !waits || decision == "remove" && c.FormValue("version") != strconv.FormatInt(int64(e.Version), 10) {
		return conflict()
	}
	if decision == "remove" {
		// The entry goes first: when the program dies in between, the report waits on, and not an entry that should be gone.
		err := s.takeAway(ctx, e, account.From(c).Author(), reason)
		var theirs *directory.ConflictError
		if errors.As(err, &theirs) {
			return conflict()
		}
		if err != nil {
			return err
		}
	}
	err = s.Operators.Decide(ctx, f, decision, reason, account.From(c).Author())
	if errors.Is(err, directory.ErrStale) {
		return conflict()
	}
	if err != nil {
		return err
	}
	q := url.Values{"show": {"report"}}
	if e.ID != "" {
		q.Set("done", decision)
		q.Set("entry", string(e.ID))
	}
	return c.Redirect("/moderate?"+q.Encode(), http.StatusSeeOther)
}
