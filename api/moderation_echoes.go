package api

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"archipel/api/account"
	"archipel/directory"
	"archipel/frontend"

	"github.com/gofiber/fiber/v2"
)

// echoChoices are what a moderator does with a reply from another network; echoDone what the queue says afterwards.
var (
	echoChoices = []string{"approve", "refuse"}
	echoDone    = []string{"reply_approve", "reply_refuse"}
)

// echoRoutes is the decision of moderators about replies under entries that nobody keeps.
func (s *Server) echoRoutes() {
	if s.Echoes != nil {
		s.app.Post("/moderate/replies/:id/:key", account.Require(account.ModerateQueue), s.decideEcho)
	}
}

// echoItems are the replies that an actor may decide about.
func (s *Server) echoItems(ctx context.Context, actor *account.Actor, show presenter, _ map[string]string) ([]frontend.QueueItem, error) {
	if s.Echoes == nil {
		return nil, nil
	}
	orphans, err := s.Echoes.Orphans(ctx, actor)
	if err != nil {
		return nil, err
	}
	l := frontend.T(show.lang)
	var items []frontend.QueueItem
	for _, o := range orphans {
		e, r := &o.Entry, &o.Reply
		author := r.Handle
		if author == "" {
			author = r.Host
		}
		if r.Name != "" {
			author = r.Name + ", " + author
		}
		item := frontend.QueueItem{ID: "r-" + r.Key, Type: "reply", Name: e.Name, Kind: string(e.Kind), Town: e.Town(), Since: r.At.In(show.zone), Author: author,
			Words: r.HTML, Action: "/moderate/replies/" + string(e.ID) + "/" + r.Key, Version: r.Rev, Choices: echoChoices, PageURL: frontend.EntryURL(e.Slug)}
		if r.Warning != "" {
			item.Facts = append(item.Facts, l.Text("queue.reply_warning", "Text", r.Warning))
		}
		items = append(items, item)
	}
	return items, nil
}

// decideEcho shows a reply under the entry or refuses it. It is about the text that the form shows: when its author has
// changed or deleted it meanwhile, nothing is decided.
func (s *Server) decideEcho(c *fiber.Ctx) error {
	ctx := c.UserContext()
	e, err := s.Directory.Entry(ctx, directory.ID(c.Params("id")))
	if err != nil {
		return err
	}
	for _, action := range []account.Action{account.ModerateDecide, account.EntryReplies} {
		if err := account.Check(c, action, &e); err != nil {
			return err
		}
	}
	decision := c.FormValue("decision")
	if !slices.Contains(echoChoices, decision) {
		return invalidParam("decision", directory.CodeUnknown, decision)
	}
	rev, err := strconv.ParseInt(c.FormValue("version"), 10, 64)
	if err != nil || rev < 1 {
		return invalidParam("version", directory.CodeInvalid, c.FormValue("version"))
	}
	err = s.Echoes.Decide(ctx, e.ID, c.Params("key"), rev, decision == "approve", account.From(c).Author())
	if (errors.Is(err, directory.ErrStale) || errors.Is(err, directory.ErrNotFound)) && wantsPage(c) {
		c.Status(http.StatusConflict)
		return s.showQueue(c, attempt{wrong: frontend.T(s.lang(c)).Text("queue.gone")})
	}
	if err != nil {
		return err
	}
	return c.Redirect("/moderate?"+url.Values{"show": {"reply"}, "done": {"reply_" + decision}, "entry": {string(e.ID)}}.Encode(), http.StatusSeeOther)
}
