package api

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"archipel/api/account"
	"archipel/directory"
	"archipel/frontend"

	"github.com/gofiber/fiber/v2"
)

// stalePage is how many entries one page of the list shows.
const stalePage = 50

// freshnessRoutes are the pages of moderators about what nobody confirmed, and what was hidden.
func (s *Server) freshnessRoutes() {
	door := account.Require(account.ModerateQueue)
	s.app.Get("/moderate/stale", door, s.staleList)
	s.app.Post("/moderate/stale/:id", door, s.settleStale)
}

// staleShows are the lists of the page.
var staleShows = []string{"stale", "hidden"}

func (s *Server) staleList(c *fiber.Ctx) error { return s.showStale(c, "") }

// showStale lists the public entries that have faded, those that wait longest first; or the hidden ones.
func (s *Server) showStale(c *fiber.Ctx, wrong string) error {
	p, l := s.moderationPage(c, "stale.title")
	shown := c.Query("show", "stale")
	if !slices.Contains(staleShows, shown) {
		return invalidParam("show", directory.CodeUnknown, shown)
	}
	from, err := strconv.Atoi(c.Query("from", "0"))
	if err != nil || from < 0 {
		return invalidParam("from", directory.CodeInvalid, c.Query("from"))
	}
	show := s.presenter(p.Lang)
	ids := s.Waiting.Hidden()
	if shown == "stale" {
		ids = s.Waiting.Unseen(show.fades)
	}
	v := frontend.StaleView{Lead: l.Text("stale.lead_" + shown), Wrong: wrong, Total: len(ids)}
	for _, name := range staleShows {
		v.Tabs = append(v.Tabs, frontend.QueueTab{Show: name, URL: "/moderate/stale?show=" + name, On: name == shown})
	}
	actor := account.From(c)
	for from < len(ids) && len(v.Rows) < stalePage {
		n := min(stalePage-len(v.Rows), len(ids)-from)
		entries, err := s.Directory.Entries(c.UserContext(), ids[from:from+n])
		if err != nil {
			return err
		}
		from += n
		for i := range entries {
			e := &entries[i]
			if account.May(actor, account.ModerateDecide, e) != nil || shown == "stale" && (!e.Public() || e.Kind == directory.Event) || shown == "hidden" && e.Status != directory.Hidden {
				continue
			}
			row := frontend.StaleRow{Name: e.Name, Kind: string(e.Kind), Town: e.Town(), URL: frontend.EntryURL(e.Slug), VersionsURL: frontend.VersionsURL(e.Slug),
				Action: "/moderate/stale/" + string(e.ID), Version: int64(e.Version), Decision: "confirm"}
			when := show.alive(e, nil).Seen
			if id := e.MainCategory(); id != "" {
				row.Category = show.category(id)
			}
			if shown == "hidden" {
				row.Decision, when = "reopen", e.Updated.In(show.zone)
				last, err := s.Directory.History(c.UserContext(), e.ID, 0, 1)
				if err != nil {
					return err
				}
				if len(last) > 0 {
					row.Note = last[0].Note
				}
			}
			row.Said = l.Text("stale.seen_"+shown, "Age", l.Age(when, show.now))
			v.Rows = append(v.Rows, row)
		}
	}
	if from < len(ids) {
		v.Next = "/moderate/stale?" + url.Values{"show": {shown}, "from": {strconv.Itoa(from)}}.Encode()
	}
	if done := c.Query("done"); done == "confirm" || done == "reopen" {
		v.Done = l.Text("stale.done_" + done)
	}
	return s.render(c, frontend.Stale(p, v))
}

// settleStale is a moderator who knows that an entry is still true, or makes a hidden one visible again.
func (s *Server) settleStale(c *fiber.Ctx) error {
	e, err := s.Directory.Entry(c.UserContext(), directory.ID(c.Params("id")))
	if err != nil {
		return err
	}
	if err := account.Check(c, account.ModerateDecide, &e); err != nil {
		return err
	}
	version, err := strconv.ParseInt(c.FormValue("version"), 10, 64)
	if err != nil {
		return invalidParam("version", directory.CodeInvalid, c.FormValue("version"))
	}
	decision, shown := c.FormValue("decision"), "stale"
	switch {
	case decision == "confirm" && e.Public() && e.Origin == "":
		e.Checked = s.Now().UTC()
	case decision == "reopen" && e.Status == directory.Hidden && e.Origin == "":
		e.Status, shown = directory.Published, "hidden"
	default:
		return invalidParam("decision", directory.CodeUnknown, decision)
	}
	e.Version = directory.Seq(version)
	_, err = s.Directory.Put(c.UserContext(), account.From(c).Author(), e)
	var conflict *directory.ConflictError
	if errors.As(err, &conflict) && wantsPage(c) {
		c.Status(http.StatusConflict)
		return s.showStale(c, frontend.T(s.lang(c)).Text("stale.conflict", "Name", e.Name))
	}
	if err != nil {
		return err
	}
	return c.Redirect("/moderate/stale?"+url.Values{"show": {shown}, "done": {decision}}.Encode(), http.StatusSeeOther)
}

// faded reports whether an entry of ours has faded, for the order of what is found.
func (w *Waiting) faded(id directory.ID, before time.Time) bool {
	v, ok := w.placed[id]
	return ok && !v.event && v.seen.Before(before)
}

// Faded lists which of some entries nobody confirmed since a moment.
func (w *Waiting) Faded(ids []directory.ID, before time.Time) map[directory.ID]bool {
	w.mu.RLock()
	defer w.mu.RUnlock()
	out := map[directory.ID]bool{}
	for _, id := range ids {
		if w.faded(id, before) {
			out[id] = true
		}
	}
	return out
}

// freshFirst is what a search found, the best first, with what nobody confirmed for long some places lower. It is never nil.
func (s *Server) freshFirst(found []directory.ID) []directory.ID {
	if found == nil {
		return []directory.ID{}
	}
	fades := s.presenter("").fades
	if s.Waiting == nil || fades.IsZero() {
		return found
	}
	n := min(len(found), ranked)
	faded := s.Waiting.Faded(found[:n], fades)
	if len(faded) == 0 {
		return found
	}
	ids := slices.Clone(found) // what was found is kept for others
	sink(ids, n, faded)
	return ids
}

// sink moves what has faded some places down an order of relevance, the first n of ids: an exact match stays on the first page.
func sink(ids []directory.ID, n int, faded map[directory.ID]bool) {
	if len(faded) == 0 {
		return
	}
	rank := make(map[directory.ID]int, n)
	for i, id := range ids[:n] {
		if rank[id] = 2 * i; faded[id] {
			rank[id] = 3*i + 7 // three places at the top, a third of the way further down
		}
	}
	slices.SortStableFunc(ids[:n], func(a, b directory.ID) int { return rank[a] - rank[b] })
}
