package api

import (
	"context"
	"net/http"
	"net/url"
	"strconv"

	"archipel/api/account"
	"archipel/directory"
	"archipel/directory/duplicates"
	"archipel/frontend"

	"github.com/gofiber/fiber/v2"
)

// pairsPage is how many pairs one page of the list shows.
const pairsPage = 20

// pairsLooked is how many pairs are looked at for one page: who decides about few of them goes on from there.
const pairsLooked = 200

// pairRoutes are the page of moderators about entries that are likely the same.
func (s *Server) pairRoutes() {
	door := account.Require(account.ModerateDecide)
	s.app.Get("/moderate/duplicates", door, s.pairs)
	s.app.Post("/moderate/duplicates", door, s.apart)
}

// NotSame gives whether somebody said that two entries are not the same.
func NotSame(store directory.Records) func(ctx context.Context, a, b directory.ID) bool {
	return func(ctx context.Context, a, b directory.ID) bool {
		r, err := store.Record(ctx, kindNotSame, pairKey(a, b))
		return err == nil && r.Rev > 0 // when the store is away: the page asks again
	}
}

// pairs lists the pairs that the actor may decide about, the likeliest first.
func (s *Server) pairs(c *fiber.Ctx) error {
	ctx, actor := c.UserContext(), account.From(c)
	p, l := s.moderationPage(c, "pairs.title")
	from, err := strconv.Atoi(c.Query("from", "0"))
	if err != nil || from < 0 {
		return invalidParam("from", directory.CodeInvalid, c.Query("from"))
	}
	v := frontend.PairsView{From: from}
	var list []duplicates.Pair
	if s.Duplicates != nil {
		list, v.Left = s.Duplicates.Pairs()
	}
	show, apart := s.presenter(p.Lang), NotSame(s.Directory.Store())
	for v.Total = len(list); from < min(len(list), v.From+pairsLooked) && len(v.Pairs) < pairsPage; from++ {
		one := list[from]
		if apart(ctx, one.A, one.B) { // said on another node
			continue
		}
		both, err := s.Directory.Entries(ctx, []directory.ID{one.A, one.B})
		if err != nil {
			return err
		}
		if len(both) < 2 || account.May(actor, account.ModerateDecide, &both[0]) != nil || account.May(actor, account.ModerateDecide, &both[1]) != nil {
			continue
		}
		a, b := &both[0], &both[1]
		if directory.Mergeable(a, b) != nil && directory.Mergeable(b, a) != nil {
			continue // one of them went a moment ago
		}
		if betterKept(b, a) {
			a, b = b, a
		}
		row := frontend.PairRow{One: pairSide(show, a), Other: pairSide(show, b), Distance: one.Distance, MergeURL: frontend.MergeURL(string(a.ID), string(b.ID))}
		for _, r := range one.Reasons {
			row.Reasons = append(row.Reasons, string(r))
		}
		v.Pairs = append(v.Pairs, row)
	}
	if from < len(list) {
		v.Next = "/moderate/duplicates?" + url.Values{"from": {strconv.Itoa(from)}}.Encode()
	}
	if c.Query("done") == "1" {
		v.Done = l.Text("pairs.done")
	}
	return s.render(c, frontend.Pairs(p, v))
}

func pairSide(show presenter, e *directory.Entry) frontend.PairSide {
	side := frontend.PairSide{ID: string(e.ID), Name: e.Name, Kind: string(e.Kind), Town: e.Town(), Status: string(e.Status), URL: frontend.EntryURL(e.Slug)}
	if id := e.MainCategory(); id != "" {
		side.Category = show.category(id)
	}
	if e.Source != nil {
		side.Source = e.Source.Name
	}
	return side
}

// apart remembers that two entries are not the same.
func (s *Server) apart(c *fiber.Ctx) error {
	var ids []directory.ID
	for _, field := range []string{"one", "other"} {
		e, err := s.Directory.Entry(c.UserContext(), directory.ID(c.FormValue(field)))
		if err != nil {
			return err
		}
		if err := secret(account.Check(c, account.ModerateDecide, &e), &e); err != nil {
			return err
		}
		ids = append(ids, e.ID)
	}
	if ids[0] == ids[1] {
		return invalidParam("other", directory.CodeInvalid, c.FormValue("other"))
	}
	if err := s.rememberNotSame(c.UserContext(), ids[0], ids[1:], account.From(c).Author()); err != nil {
		return err
	}
	if s.Duplicates != nil {
		s.Duplicates.Apart(ids[0], ids[1])
	}
	from, err := strconv.Atoi(c.FormValue("from"))
	if err != nil || from < 0 {
		from = 0
	}
	return c.Redirect("/moderate/duplicates?"+url.Values{"done": {"1"}, "from": {strconv.Itoa(from)}}.Encode(), http.StatusSeeOther)
}
