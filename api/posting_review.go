package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"archipel/api/account"
	"archipel/directory"
	"archipel/frontend"

	"github.com/gofiber/fiber/v2"
)

// reviewsFirst reports whether what an actor changes of an entry waits until moderators have looked at it.
func (s *Server) reviewsFirst(actor *account.Actor, e *directory.Entry) bool {
	return s.Site().Review == ReviewBefore && e.Public() && account.May(actor, account.EntryPublish, e) != nil
}

// reviewedForm is the entry that a form shows: as it stands, or with the change of the actor's that waits already. It
// says so in the view. More than one waits when the program died while one took the place of another.
func (s *Server) reviewedForm(c *fiber.Ctx, e directory.Entry, v *frontend.PostingView) (directory.Entry, []Proposal, error) {
	actor := account.From(c)
	if v.Reviewed = s.reviewsFirst(actor, &e); !v.Reviewed {
		return e, nil, nil
	}
	waits, err := s.waitingOf(c.UserContext(), actor, e.ID)
	if err != nil || len(waits) == 0 {
		return e, nil, err
	}
	newest := &waits[len(waits)-1]
	merged, err := s.mergeProposal(c.UserContext(), newest, &e)
	if err != nil {
		return e, nil, err
	}
	v.WaitsSince = frontend.T(s.lang(c)).Stamp(newest.Created.In(s.zone()))
	return merged, waits, nil
}

// waitingOf are the changes of an entry by an actor that wait, the oldest first.
func (s *Server) waitingOf(ctx context.Context, actor *account.Actor, of directory.ID) (list []Proposal, err error) {
	for after := ""; ; {
		page, err := Proposals(ctx, s.Directory.Store(), after, 200)
		if err != nil || len(page) == 0 {
			return list, err
		}
		for i := range page {
			after = string(page[i].ID)
			if page[i].Of == of && page[i].Author == actor.Author() {
				list = append(list, page[i])
			}
		}
	}
}

// hold keeps a change for moderators, in the place of those that wait: each has an identity of its own, so that nobody
// approves what was not on the page. A change that changes nothing takes them back. The answer is empty then.
func (s *Server) hold(c *fiber.Ctx, was, mine *directory.Entry, waits []Proposal) (directory.ID, error) {
	ctx, store, actor := c.UserContext(), s.Directory.Store(), account.From(c)
	var id directory.ID
	if len(judged(was, mine)) > 0 || len(directory.Diff(relationsOnly(was), relationsOnly(mine))) > 0 {
		public := mine.Clone()
		public.Private = nil
		b, err := directory.EncodeStored(&public)
		if err != nil {
			return "", err
		}
		p := Proposal{ID: directory.NewID(), Of: was.ID, Base: was.Version, Entry: b, Author: actor.Author(), Lang: s.lang(c), Created: s.Now().UTC()}
		value, err := json.Marshal(p)
		if err != nil {
			return "", err
		}
		if err := store.PutRecord(ctx, KindProposal, directory.Record{Key: string(p.ID), Value: value}); err != nil {
			return "", err
		}
		id = p.ID
	}
	for i := range waits {
		if err := store.DeleteRecord(ctx, KindProposal, string(waits[i].ID), 0); err != nil {
			return "", err
		}
	}
	return id, nil
}

// relationsOnly is an entry of which nothing but the relations is told.
func relationsOnly(e *directory.Entry) *directory.Entry {
	return &directory.Entry{ID: e.ID, Kind: e.Kind, Relations: e.Relations}
}

// holdForm keeps what a form changes.
func (s *Server) holdForm(c *fiber.Ctx, was, mine *directory.Entry, waits []Proposal) error {
	id, err := s.hold(c, was, mine, waits)
	switch {
	case err != nil:
		return err
	case id == "":
		return c.Redirect(frontend.EntryURL(was.Slug), http.StatusSeeOther)
	}
	return c.Redirect("/me/entries?done=change", http.StatusSeeOther)
}

// holdItem keeps what a program changes, and answers that it is accepted, not done.
func (s *Server) holdItem(c *fiber.Ctx, was, mine *directory.Entry) error {
	directory.Normalize(mine)
	var invalid directory.Invalid
	if err := directory.Validate(mine, directory.Rules{Category: s.Taxonomy.Valid, Zone: s.validZone}.Keeping(was)); errors.As(err, &invalid) {
		return invalid
	} else if err != nil {
		return err
	}
	waits, err := s.waitingOf(c.UserContext(), account.From(c), was.ID)
	if err != nil {
		return err
	}
	id, err := s.hold(c, was, mine, waits)
	if err != nil {
		return err
	}
	if id == "" {
		return s.sendItem(c, was)
	}
	c.Status(http.StatusAccepted)
	return c.JSON(fiber.Map{"proposal": id, "title": strings.TrimSpace(frontend.T(s.lang(c)).Text("review.kept"))})
}
