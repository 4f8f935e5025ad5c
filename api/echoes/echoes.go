// Package echoes is what comes back from the fediverse, as people see it: the replies, likes and boosts that a page shows, and
// where the team of an entry decides which replies are shown and who comes to its events.
//
// What is kept, and until when, is decided by package federation; who may decide, by package account.
package echoes

import (
	"context"
	"slices"
	"time"

	"archipel/api/account"
	"archipel/directory"
	"archipel/federation"
	"archipel/frontend"

	"github.com/a-h/templ"
	"github.com/gofiber/fiber/v2"
)

// Options are the parts of a [Service]. All are required.
type Options struct {
	Directory  *directory.Directory
	Federation *federation.Service
}

// Service shows what came back. Create it with [New]; [Service.Routes] gives it its pages.
type Service struct {
	Options
	page   func(*fiber.Ctx, string) frontend.Page
	render func(*fiber.Ctx, templ.Component) error
	zone   func() *time.Location
}

// New makes a service.
func New(o Options) *Service {
	return &Service{Options: o, zone: func() *time.Location { return time.UTC }}
}

// Routes mounts the pages of teams, behind the middleware of accounts. page and render say how a page begins and how it is
// written, zone where the clock of the directory is.
func (s *Service) Routes(app *fiber.App, page func(*fiber.Ctx, string) frontend.Page, render func(*fiber.Ctx, templ.Component) error, zone func() *time.Location) {
	s.page, s.render, s.zone = page, render, zone
	replies, guests := account.Require(account.EntryReplies), account.Require(account.EntryGuests)
	app.Get("/e/:slug/team/replies", replies, s.repliesPage)
	app.Post("/e/:slug/team/replies", replies, s.decideReply)
	app.Get("/e/:slug/team/participants", guests, s.guestsPage)
	app.Get("/e/:slug/team/participants.csv", guests, s.guestsTable)
	app.Post("/e/:slug/team/participants", guests, s.decideGuest)
}

// Show puts on the page of an entry what came back about it, and the ways to where its team decides.
func (s *Service) Show(c *fiber.Ctx, e *directory.Entry, v *frontend.EntryView) error {
	ctx := c.UserContext()
	echo, err := s.Federation.Echo(ctx, e)
	if err != nil {
		return err
	}
	v.Echoes = frontend.EchoesView{Likes: echo.Likes, Shares: echo.Shares}
	for i := range echo.Replies {
		v.Echoes.Replies = append(v.Echoes.Replies, s.view(&echo.Replies[i]))
	}
	actor := account.From(c)
	if e.Origin != "" || e.Status == directory.Removed || !answerable(e) {
		return nil
	}
	if account.May(actor, account.EntryReplies, e) == nil {
		v.Echoes.RepliesURL = frontend.RepliesURL(e.Slug)
		list, err := s.Federation.RepliesOf(ctx, e.ID)
		if err != nil {
			return err
		}
		v.Echoes.Waiting = waiting(list)
	}
	if e.Kind == directory.Event && account.May(actor, account.EntryGuests, e) == nil {
		guests, err := s.Federation.Guests(ctx, e.ID)
		if err != nil {
			return err
		}
		_, joins, _, err := s.Federation.Wishes(ctx, e)
		if err != nil {
			return err
		}
		if joins || len(guests) > 0 {
			v.Echoes.GuestsURL = frontend.GuestsURL(e.Slug)
		}
		for _, g := range guests {
			if g.State == federation.GuestWaits {
				v.Echoes.GuestsWaiting++
			}
		}
	}
	return nil
}

// answerable reports whether people elsewhere can see an entry, and so answer it.
func answerable(e *directory.Entry) bool {
	return e.Kind == directory.Event || e.Kind == directory.Initiative
}

func waiting(list []federation.Reply) (n int) {
	for i := range list {
		if list[i].State == federation.ReplyPending {
			n++
		}
	}
	return n
}

// view is a reply as a page shows it.
func (s *Service) view(r *federation.Reply) frontend.ReplyView {
	v := frontend.ReplyView{
		Key: r.Key, Rev: r.Rev, Name: r.Name, Handle: r.Handle, Host: r.Host(), AuthorURL: r.Actor, URL: r.URL, At: r.When().In(s.zone()),
		Warning: r.Warning, HTML: r.Content, State: string(r.State),
	}
	if v.URL == "" {
		v.URL = r.ID
	}
	return v
}

// WaitingOn counts the replies about which nobody has decided, under each of the given entries that has any.
func (s *Service) WaitingOn(ctx context.Context, entries []directory.Entry) (map[directory.ID]int, error) {
	if !slices.ContainsFunc(entries, func(e directory.Entry) bool { return answerable(&e) }) {
		return nil, nil
	}
	return s.Federation.WaitingReplies(ctx)
}

// Item is a reply about which moderators decide, since nobody keeps its entry.
type Item struct {
	Entry directory.Entry
	Reply frontend.ReplyView
}

// Orphans lists the replies that wait under entries that nobody keeps and about which an actor may decide as a moderator.
func (s *Service) Orphans(ctx context.Context, actor *account.Actor) ([]Item, error) {
	count, err := s.Federation.WaitingReplies(ctx)
	if err != nil {
		return nil, err
	}
	ids := make([]directory.ID, 0, len(count))
	for id := range count {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	entries, err := s.Directory.Entries(ctx, ids)
	if err != nil {
		return nil, err
	}
	var items []Item
	for i := range entries {
		e := &entries[i]
		if !e.Public() || account.May(actor, account.ModerateDecide, e) != nil || account.May(actor, account.EntryReplies, e) != nil {
			continue
		}
		if team, err := s.Directory.Keepers(ctx, e); err != nil {
			return nil, err
		} else if len(team.All()) > 0 {
			continue
		}
		list, err := s.Federation.RepliesOf(ctx, e.ID)
		if err != nil {
			return nil, err
		}
		for i := range list {
			if list[i].State == federation.ReplyPending {
				items = append(items, Item{Entry: *e, Reply: s.view(&list[i])})
			}
		}
	}
	return items, nil
}

// Decide shows a reply or refuses it, for a moderator: see [federation.Service.DecideReply]. The caller has asked whether they
// may.
func (s *Service) Decide(ctx context.Context, entry directory.ID, key string, rev int64, show bool, by string) error {
	state := federation.ReplyRefused
	if show {
		state = federation.ReplyShown
	}
	return s.Federation.DecideReply(ctx, entry, key, rev, state, by)
}

// entry is the one of the address, for who may do something with it.
func (s *Service) entry(c *fiber.Ctx, action account.Action) (directory.Entry, error) {
	id, ok := s.Directory.BySlug(c.Params("slug"))
	if !ok {
		return directory.Entry{}, directory.ErrNotFound
	}
	e, err := s.Directory.Entry(c.UserContext(), id)
	if err != nil {
		return e, err
	}
	if e.Origin != "" || e.Status == directory.Removed {
		return e, directory.ErrNotFound
	}
	if err := account.Check(c, action, &e); err != nil {
		if !e.Public() && account.May(account.From(c), account.EntryRead, &e) != nil {
			return e, directory.ErrNotFound // nobody learns from here what is not public
		}
		return e, err
	}
	return e, nil
}

// begin is a page for a team alone.
func (s *Service) begin(c *fiber.Ctx, path string) (frontend.Page, *frontend.Localizer) {
	p := s.page(c, "")
	p.NoIndex, p.Canonical = true, ""
	if c.Method() == fiber.MethodPost {
		p.Path = path
	}
	c.Set(fiber.HeaderCacheControl, "private, no-store")
	c.Set(fiber.HeaderReferrerPolicy, "same-origin")
	return p, frontend.T(p.Lang)
}
