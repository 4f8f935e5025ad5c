package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"archipel/api/account"
	"archipel/directory"
	"archipel/frontend"

	"github.com/gofiber/fiber/v2"
)

// proposalDecisions are what can be done with a proposed correction.
var proposalDecisions = []string{"approve", "refuse"}

// islandDecisions are what can be done with one that another directory proposes: it can be asked back.
var islandDecisions = []string{"approve", "ask", "refuse"}

func (p *Proposal) decisions() []string {
	if p.Island != "" {
		return islandDecisions
	}
	return proposalDecisions
}

// proposalItems are the corrections that an actor may decide about.
func (s *Server) proposalItems(ctx context.Context, actor *account.Actor, show presenter, names map[string]string) ([]frontend.QueueItem, error) {
	var items []frontend.QueueItem
	for after := ""; ; {
		page, err := Proposals(ctx, s.Directory.Store(), after, 200)
		if err != nil || len(page) == 0 {
			return items, err
		}
		for i := range page {
			p := &page[i]
			after = string(p.ID)
			e, err := s.lives(ctx, p.Of)
			if errors.Is(err, directory.ErrNotFound) {
				continue
			}
			if err != nil {
				return nil, err
			}
			if account.May(actor, account.ModerateDecide, &e) != nil {
				continue
			}
			merged, err := s.mergeProposal(ctx, p, &e)
			if err != nil {
				return nil, err
			}
			item := frontend.QueueItem{ID: "p-" + string(p.ID), Type: "correction", Name: e.Name, Kind: string(e.Kind), Town: e.Town(), Since: p.Created.In(show.zone), Note: p.Note,
				Action: "/moderate/proposals/" + string(p.ID), Version: int64(e.Version), Choices: p.decisions()}
			if item.Author, err = s.authorFor(ctx, p.Author, names); err != nil {
				return nil, err
			}
			if item.Author == "" {
				item.Author = p.Mail
			}
			if p.Island != "" {
				name := s.island(p.Island)
				item.ToIsland, item.Author, item.Facts = true, name, []string{frontend.T(show.lang).Text("corrections.from", "Island", name)}
			}
			if p.Asked != nil {
				item.Asked = &frontend.QueueQuestion{At: p.Asked.At.In(show.zone), Text: p.Asked.Text}
			}
			if e.Public() {
				item.PageURL, item.EditURL, item.VersionsURL = frontend.EntryURL(e.Slug), frontend.EditURL(e.Slug), frontend.VersionsURL(e.Slug)
			}
			item.Fields = show.readable(shownFields(&e, &merged))
			items = append(items, item)
		}
	}
}

// shownFields are the differences that a moderator judges; what the page says already is left out.
func shownFields(before, after *directory.Entry) (out []frontend.FieldChange) {
	for _, f := range directory.Diff(before, after) {
		switch f.Field {
		case "kind", "slug", "status", "aliases":
			continue
		}
		out = append(out, frontend.FieldChange{Field: f.Field, Old: f.Before, New: f.After})
	}
	return out
}

// decideProposal takes a proposed correction over, or refuses it.
func (s *Server) decideProposal(c *fiber.Ctx) error {
	ctx, l, store := c.UserContext(), frontend.T(s.lang(c)), s.Directory.Store()
	rec, err := store.Record(ctx, KindProposal, c.Params("id"))
	if err != nil {
		return err
	}
	if rec.Rev == 0 {
		if err := account.Check(c, account.ModerateQueue, nil); err != nil {
			return err
		}
		c.Status(http.StatusConflict)
		return s.showQueue(c, attempt{wrong: l.Text("queue.gone")})
	}
	var p Proposal
	if err := json.Unmarshal(rec.Value, &p); err != nil {
		return fmt.Errorf("proposal %s: %w: %w", rec.Key, directory.ErrCorrupt, err)
	}
	e, err := s.lives(ctx, p.Of)
	if err != nil {
		return err
	}
	if err := account.Check(c, account.ModerateDecide, &e); err != nil {
		return err
	}
	decision := c.FormValue("decision")
	if !slices.Contains(p.decisions(), decision) {
		return invalidParam("decision", directory.CodeUnknown, decision)
	}
	reason, problem := reasonOf(c, decision != "approve")
	if problem != nil {
		if !wantsPage(c) {
			return directory.Invalid{*problem}
		}
		_, text := l.ProblemText(frontend.Problem{Field: problem.Field, Code: problem.Code, Params: problem.Params})
		c.Status(http.StatusBadRequest)
		return s.showQueue(c, attempt{id: "p-" + rec.Key, reason: reason, problem: text, wrong: l.Text("queue.reason_missing", "Name", e.Name)})
	}
	name := e.Name
	if decision == "ask" {
		return s.askIsland(c, rec, &p, reason)
	}
	if decision == "approve" {
		conflict := func() error {
			c.Status(http.StatusConflict)
			return s.showQueue(c, attempt{id: "p-" + rec.Key, reason: reason, wrong: l.Text("queue.conflict", "Name", name)})
		}
		if c.FormValue("version") != strconv.FormatInt(int64(e.Version), 10) {
			return conflict()
		}
		merged, err := s.mergeProposal(ctx, &p, &e)
		if err != nil {
			return err
		}
		note := reason
		if note == "" {
			note = p.Note
		}
		outcomes, err := s.Directory.Write(ctx, directory.Write{Author: account.From(c).Author(), Note: note, Entries: []directory.Entry{merged}})
		if err != nil {
			return err
		}
		var stale *directory.ConflictError
		if errors.As(outcomes[0].Err, &stale) {
			return conflict()
		}
		if outcomes[0].Err != nil {
			return outcomes[0].Err
		}
		e = outcomes[0].Entry
	}
	if p.Island != "" {
		if s.Corrections != nil {
			if err := s.Corrections.AnswerOffer(ctx, p.ID, decision, reason); err != nil {
				return err
			}
		}
	} else if err := s.tellProposer(ctx, &p, decision, name, reason); err != nil {
		return err
	}
	if err := s.closeProposal(ctx, &p, decision, reason, account.From(c).Author()); err != nil {
		return err
	}
	return c.Redirect("/moderate?"+url.Values{"show": {"correction"}, "done": {decision}, "entry": {string(e.ID)}}.Encode(), http.StatusSeeOther)
}

// tellProposer writes to who proposed a correction.
func (s *Server) tellProposer(ctx context.Context, p *Proposal, decision, name, reason string) error {
	m := account.Message{Key: "proposal " + string(p.ID), Template: "mail.proposal_" + decision, Params: map[string]string{"Entry": name, "Reason": reason}}
	return s.answer(ctx, m, p.Author, p.Mail, p.Lang)
}

// askIsland puts a question to the directory that proposes a correction, which waits on.
func (s *Server) askIsland(c *fiber.Ctx, rec directory.Record, p *Proposal, question string) error {
	ctx := c.UserContext()
	p.Asked = &askedProposal{s.Now().UTC(), question}
	value, err := json.Marshal(p)
	if err != nil {
		return err
	}
	rec.Value = value
	if err := s.Directory.Store().PutRecord(ctx, KindProposal, rec); err != nil {
		return err
	}
	if s.Corrections != nil {
		if err := s.Corrections.AnswerOffer(ctx, p.ID, "ask", question); err != nil {
			return err
		}
	}
	return c.Redirect("/moderate?"+url.Values{"show": {"correction"}, "done": {"ask"}, "entry": {string(p.Of)}}.Encode(), http.StatusSeeOther)
}

// kindProposalClosed is the kind of the records of corrections that were decided, for a year.
const kindProposalClosed = "proposal-closed"

// closeProposal keeps who decided what, and takes the proposal out of the queue.
func (s *Server) closeProposal(ctx context.Context, p *Proposal, decision, reason, by string) error {
	now := s.Now().UTC()
	value, err := json.Marshal(map[string]any{"of": p.Of, "author": p.Author, "decision": decision, "reason": reason, "by": by, "decided": now})
	if err != nil {
		return err
	}
	store := s.Directory.Store()
	err = store.PutRecord(ctx, kindProposalClosed, directory.Record{Key: string(p.ID), Value: value, Expires: now.Add(closedKept)})
	if err != nil && !errors.Is(err, directory.ErrStale) {
		return err
	}
	return store.DeleteRecord(ctx, KindProposal, string(p.ID), 0)
}
