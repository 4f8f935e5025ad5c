package api

import (
	"errors"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"archipel/api/account"
	"archipel/directory"
	"archipel/frontend"

	"github.com/gofiber/fiber/v2"
)

// unclaimedImport reports whether an entry of ours came from a source, and nobody keeps it or has looked at it since.
func unclaimedImport(e *directory.Entry) bool {
	return e.Public() && e.Origin == "" && e.Source.Key() != "" && e.Kind != directory.Event && e.Checked.IsZero() && e.Claimed.IsZero() && (e.Private == nil || len(e.Private.Owners) == 0)
}

// Imported counts the public entries that came from a source and that nobody keeps or has looked at.
func (w *Waiting) Imported() int {
	w.mu.RLock()
	defer w.mu.RUnlock()
	return len(w.imported)
}

// importedAfter lists up to limit of them in the order in which they were made.
func (w *Waiting) importedAfter(after directory.ID, limit int) []directory.ID {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.inOrder == nil {
		w.inOrder = slices.Sorted(maps.Keys(w.imported))
	}
	from, found := slices.BinarySearch(w.inOrder, after)
	if found {
		from++
	}
	return slices.Clone(w.inOrder[from:min(from+limit, len(w.inOrder))])
}

// importedReads is how many entries a page of imports reads at most: who decides about few of them goes on from there.
const importedReads = 1000

// importedDecisions are what can be done with an import that nobody keeps: it is right, or it is taken away.
var importedDecisions = []string{"confirm", "remove"}

// importedItems is a page of the imports that nobody keeps, as far as the actor decides about them.
func (s *Server) importedItems(c *fiber.Ctx, lang string) (items []frontend.QueueItem, next string, err error) {
	actor, show := account.From(c), s.presenter(lang)
	from := func(after directory.ID) string {
		return "/moderate?" + url.Values{"show": {"imported"}, "after": {string(after)}}.Encode()
	}
	ids := s.Waiting.importedAfter(directory.ID(c.Query("after")), importedReads+1)
	if len(ids) > importedReads {
		ids = ids[:importedReads]
		next = from(ids[importedReads-1])
	}
	for part := range slices.Chunk(ids, 200) {
		entries, err := s.Directory.Entries(c.UserContext(), part)
		if err != nil {
			return nil, "", err
		}
		for i := range entries {
			e := &entries[i]
			if !unclaimedImport(e) || account.May(actor, account.ModerateDecide, e) != nil {
				continue
			}
			if len(items) == queuePage {
				return items, from(directory.ID(items[queuePage-1].ID[len("i-"):])), nil
			}
			item := frontend.QueueItem{ID: "i-" + string(e.ID), Type: "imported", Name: e.Name, Kind: string(e.Kind), Town: e.Town(), Since: e.Created.In(show.zone), Author: e.Source.Name, Action: "/moderate/imported/" + string(e.ID),
				Version: int64(e.Version), Choices: importedDecisions, PageURL: frontend.EntryURL(e.Slug), EditURL: frontend.EditURL(e.Slug), VersionsURL: frontend.VersionsURL(e.Slug), Fields: show.readable(shownFields(nil, e))}
			if id := e.MainCategory(); id != "" {
				item.Category = show.category(id)
			}
			if item.Same, err = s.alike(c.UserContext(), actor, e); err != nil {
				return nil, "", err
			}
			items = append(items, item)
		}
	}
	return items, next, nil
}

// decideImported says that an imported entry is right, or takes it away.
func (s *Server) decideImported(c *fiber.Ctx) error {
	ctx := c.UserContext()
	e, err := s.Directory.Entry(ctx, directory.ID(c.Params("id")))
	if err != nil {
		return err
	}
	if err := secret(account.Check(c, account.ModerateDecide, &e), &e); err != nil {
		return err
	}
	decision := c.FormValue("decision")
	if !slices.Contains(importedDecisions, decision) {
		return invalidParam("decision", directory.CodeUnknown, decision)
	}
	l, id, name := frontend.T(s.lang(c)), "i-"+string(e.ID), e.Name
	reason, problem := reasonOf(c, decision == "remove")
	if problem != nil {
		if !wantsPage(c) {
			return directory.Invalid{*problem}
		}
		_, text := l.ProblemText(frontend.Problem{Field: problem.Field, Code: problem.Code, Params: problem.Params})
		c.Status(http.StatusBadRequest)
		return s.showQueue(c, attempt{id: id, reason: reason, problem: text, wrong: l.Text("queue.reason_missing", "Name", name)})
	}
	err = &directory.ConflictError{Theirs: e}
	if unclaimedImport(&e) && c.FormValue("version") == strconv.FormatInt(int64(e.Version), 10) {
		if e.Checked = s.Now().UTC(); decision == "remove" {
			e.Status = directory.Removed
		}
		var outcomes []directory.Outcome
		if outcomes, err = s.Directory.Write(ctx, directory.Write{Author: account.From(c).Author(), Note: reason, Entries: []directory.Entry{e}}); err != nil {
			return err
		}
		err = outcomes[0].Err
	}
	var conflict *directory.ConflictError
	if errors.As(err, &conflict) && wantsPage(c) {
		c.Status(http.StatusConflict)
		return s.showQueue(c, attempt{id: id, reason: reason, wrong: l.Text("queue.conflict", "Name", name)})
	}
	if err != nil {
		return err
	}
	return c.Redirect("/moderate?"+url.Values{"show": {"imported"}, "done": {decision}, "entry": {string(e.ID)}}.Encode(), http.StatusSeeOther)
}
