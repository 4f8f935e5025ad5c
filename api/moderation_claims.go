package api

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"

	"archipel/api/account"
	"archipel/api/belonging"
	"archipel/directory"
	"archipel/frontend"

	"github.com/gofiber/fiber/v2"
)

// claimChoices are what a moderator does with somebody's claim of an entry; claimDone what the queue says afterwards.
var (
	claimChoices = []string{"approve", "refuse"}
	claimDone    = []string{"claim_approve", "claim_refuse"}
)

// claimRoutes is the decision of moderators about a claim.
func (s *Server) claimRoutes() {
	s.app.Post("/moderate/claims/:id", account.Require(account.ModerateQueue), s.decideClaim)
}

// claimItems are the claims that an actor may decide about.
func (s *Server) claimItems(ctx context.Context, actor *account.Actor, show presenter, names map[string]string) ([]frontend.QueueItem, error) {
	claims, err := s.belonging.Open(ctx)
	if err != nil {
		return nil, err
	}
	l := frontend.T(show.lang)
	var items []frontend.QueueItem
	for _, c := range claims {
		e, err := s.Directory.Entry(ctx, c.Of)
		if errors.Is(err, directory.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if account.May(actor, account.ModerateDecide, &e) != nil {
			continue
		}
		who, err := s.Accounts.Get(ctx, c.Account)
		if errors.Is(err, account.ErrNoAccount) {
			continue
		}
		if err != nil {
			return nil, err
		}
		item := frontend.QueueItem{ID: "c-" + c.ID, Type: "claim", Name: e.Name, Kind: string(e.Kind), Town: e.Town(), Since: c.Created.In(show.zone), Author: who.Name + ", " + who.Mail,
			Note: c.Text, Action: "/moderate/claims/" + c.ID, Version: int64(e.Version), Choices: claimChoices,
			PageURL: frontend.EntryURL(e.Slug), EditURL: frontend.EditURL(e.Slug), VersionsURL: frontend.VersionsURL(e.Slug)}
		if !c.Proved.IsZero() {
			item.Facts = append(item.Facts, l.Text("queue.claim_proved", "Mail", c.Mail))
		}
		team, err := s.Directory.Keepers(ctx, &e)
		if err != nil {
			return nil, err
		}
		if len(team.Owners) > 0 {
			item.Facts = append(item.Facts, l.Text("queue.claim_kept"))
		}
		items = append(items, item)
	}
	return items, nil
}

// decideClaim approves or refuses a claim; the claimant gets the reason by mail.
func (s *Server) decideClaim(c *fiber.Ctx) error {
	ctx, l := c.UserContext(), frontend.T(s.lang(c))
	claims, err := s.belonging.Open(ctx)
	if err != nil {
		return err
	}
	at := slices.IndexFunc(claims, func(one belonging.Claim) bool { return one.ID == c.Params("id") })
	if at < 0 {
		if err := account.Check(c, account.ModerateDecide, nil); err != nil {
			return err
		}
		if !wantsPage(c) {
			return directory.ErrNotFound
		}
		c.Status(http.StatusConflict)
		return s.showQueue(c, attempt{wrong: l.Text("queue.gone")})
	}
	e, err := s.Directory.Entry(ctx, claims[at].Of)
	if err != nil {
		return err
	}
	if err := account.Check(c, account.ModerateDecide, &e); err != nil {
		return err
	}
	decision := c.FormValue("decision")
	if !slices.Contains(claimChoices, decision) {
		return invalidParam("decision", directory.CodeUnknown, decision)
	}
	reason, problem := reasonOf(c, decision == "refuse")
	if problem != nil {
		if !wantsPage(c) {
			return directory.Invalid{*problem}
		}
		_, text := l.ProblemText(frontend.Problem{Field: problem.Field, Code: problem.Code, Params: problem.Params})
		c.Status(http.StatusBadRequest)
		return s.showQueue(c, attempt{id: "c-" + claims[at].ID, reason: reason, problem: text, wrong: l.Text("queue.reason_missing", "Name", e.Name)})
	}
	err = s.belonging.Decide(ctx, &claims[at], account.From(c).Author(), decision == "approve", reason)
	if errors.Is(err, directory.ErrStale) && wantsPage(c) {
		c.Status(http.StatusConflict)
		return s.showQueue(c, attempt{wrong: l.Text("queue.gone")})
	}
	if err != nil {
		return err
	}
	return c.Redirect("/moderate?"+url.Values{"show": {"claim"}, "done": {"claim_" + decision}, "entry": {string(e.ID)}}.Encode(), http.StatusSeeOther)
}
