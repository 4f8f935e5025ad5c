package api

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"archipel/api/account"
	"archipel/directory"
	"archipel/directory/duplicates"
	"archipel/frontend"

	"github.com/gofiber/fiber/v2"
)

// kindTwin is the kind of the records of entries of different islands of which somebody said that they are the same, by
// [pairKey].
const kindTwin = "twin"

type twinLink struct {
	A     directory.ID `json:"a"`
	B     directory.ID `json:"b"`
	By    string       `json:"by"`
	At    time.Time    `json:"at"`
	Ended bool         `json:"ended,omitempty"` // it is undone, and goes once the entries know
}

// Twins lets one of several entries that are the same stand for the others in the public view of this instance: the one that
// its own people keep, else ours, else the oldest. It is a shared [directory.Follower]: when the one that is shown goes,
// changes hands or comes back, the entries are settled again.
type Twins struct{ Directory *directory.Directory }

// Name implements [directory.Follower].
func (t Twins) Name() string { return "twins" }

// Shared implements [directory.Shared].
func (t Twins) Shared() bool { return true }

// Consume implements [directory.Follower].
func (t Twins) Consume(ctx context.Context, changes []directory.Change) error {
	links, err := t.links(ctx)
	if err != nil || len(links) == 0 {
		return err
	}
	changed := map[directory.ID]bool{}
	for i := range changes {
		if changes[i].Op != directory.OpTwin {
			changed[changes[i].Entry.ID] = true
		}
	}
	return t.settle(ctx, links, func(id directory.ID) bool { return changed[id] })
}

// Settle does what was left undone when a program ended in the middle.
func (t Twins) Settle(ctx context.Context) error {
	links, err := t.links(ctx)
	if err != nil {
		return err
	}
	return t.settle(ctx, links, func(directory.ID) bool { return true })
}

func (t Twins) links(ctx context.Context) (links []twinLink, err error) {
	store := t.Directory.Store()
	for after := ""; ; {
		page, err := store.Records(ctx, kindTwin, after, 500)
		if err != nil || len(page) == 0 {
			return links, err
		}
		for _, r := range page {
			after = r.Key
			var l twinLink
			if err := json.Unmarshal(r.Value, &l); err != nil {
				return nil, fmt.Errorf("twin %s: %w: %w", r.Key, directory.ErrCorrupt, err)
			}
			links = append(links, l)
		}
	}
}

// settle looks at the groups of linked entries of which one is asked for.
func (t Twins) settle(ctx context.Context, links []twinLink, asked func(directory.ID) bool) error {
	group := map[directory.ID][]directory.ID{} // the others that an entry is linked with
	for _, l := range links {
		group[l.A], group[l.B] = append(group[l.A], l.A), append(group[l.B], l.B) // also when nothing is left of the group
		if !l.Ended {
			group[l.A], group[l.B] = append(group[l.A], l.B), append(group[l.B], l.A)
		}
	}
	seen := map[directory.ID]bool{}
	for id := range group {
		if seen[id] {
			continue
		}
		members, wanted := []directory.ID{}, false
		for next := []directory.ID{id}; len(next) > 0; {
			one := next[0]
			if next = next[1:]; seen[one] {
				continue
			}
			seen[one] = true
			members, wanted = append(members, one), wanted || asked(one)
			next = append(next, group[one]...)
		}
		if !wanted {
			continue
		}
		if err := t.settleGroup(ctx, members); err != nil {
			return err
		}
	}
	for _, l := range links {
		if l.Ended && (asked(l.A) || asked(l.B)) {
			if err := t.Directory.Store().DeleteRecord(ctx, kindTwin, pairKey(l.A, l.B), 0); err != nil {
				return err
			}
		}
	}
	return nil
}

// settleGroup chooses who of entries that are the same is shown, and writes that into all of them.
func (t Twins) settleGroup(ctx context.Context, ids []directory.ID) error {
	for try := 0; ; try++ {
		entries, err := t.Directory.Entries(ctx, ids)
		if err != nil {
			return err
		}
		shown := shownTwin(entries)
		var write []directory.Entry
		for i := range entries {
			e := entries[i].Clone()
			twin := shown
			if e.ID == shown || len(ids) == 1 {
				twin = ""
			}
			if e.Private != nil && e.Private.Twin == twin || e.Private == nil && twin == "" || !e.Public() && twin != "" {
				continue // what is not public needs nobody to stand for it
			}
			if e.Private == nil {
				e.Private = &directory.Private{}
			}
			e.Private.Twin = twin
			write = append(write, e)
		}
		if len(write) == 0 {
			return nil
		}
		outcomes, err := t.Directory.Write(ctx, directory.Write{Author: "system", Op: directory.OpTwin, Entries: write})
		if err != nil {
			return err
		}
		for i := range outcomes {
			err = errors.Join(err, outcomes[i].Err)
		}
		var conflict *directory.ConflictError
		if err == nil || try == 10 || !errors.As(err, &conflict) {
			return err
		}
	}
}

// shownTwin chooses among entries that are the same; empty when none of them is public.
func shownTwin(entries []directory.Entry) directory.ID {
	public := slices.DeleteFunc(slices.Clone(entries), func(e directory.Entry) bool { return !e.Public() })
	if len(public) == 0 {
		return ""
	}
	yes := func(b bool) int {
		if b {
			return 0
		}
		return 1
	}
	return slices.MinFunc(public, func(a, b directory.Entry) int {
		return cmp.Or(yes(!a.Claimed.IsZero())-yes(!b.Claimed.IsZero()), yes(a.Origin == "")-yes(b.Origin == ""), cmp.Compare(a.ID, b.ID))
	}).ID
}

func (s *Server) twinRoutes() {
	door := account.Require(account.ModerateDecide)
	s.app.Get("/moderate/twins", door, s.twins)
	s.app.Post("/moderate/twins", door, s.decideTwins)
}

// twins lists the pairs of different islands that the actor may decide about, and those that are linked.
func (s *Server) twins(c *fiber.Ctx) error {
	ctx, actor := c.UserContext(), account.From(c)
	p, l := s.moderationPage(c, "twins.title")
	from, err := strconv.Atoi(c.Query("from", "0"))
	if err != nil || from < 0 {
		return invalidParam("from", directory.CodeInvalid, c.Query("from"))
	}
	show, v := s.presenter(p.Lang), frontend.TwinsView{}
	row := func(a, b directory.ID) (frontend.TwinRow, bool, error) {
		both, err := s.Directory.Entries(ctx, []directory.ID{a, b})
		if err != nil || len(both) < 2 || !mayTwin(actor, &both[0], &both[1]) {
			return frontend.TwinRow{}, false, err
		}
		return frontend.TwinRow{One: s.twinSide(show, &both[0]), Other: s.twinSide(show, &both[1]), Distance: -1}, true, nil
	}
	links, err := Twins{s.Directory}.links(ctx)
	if err != nil {
		return err
	}
	linked := map[string]bool{}
	for _, link := range links {
		linked[pairKey(link.A, link.B)] = true
	}
	links = slices.DeleteFunc(links, func(l twinLink) bool { return l.Ended })
	old, err := strconv.Atoi(c.Query("linked", "0"))
	if err != nil || old < 0 {
		return invalidParam("linked", directory.CodeInvalid, c.Query("linked"))
	}
	old = min(old, len(links))
	to := min(old+pairsLooked, len(links))
	for _, link := range links[old:to] {
		one, may, err := row(link.A, link.B)
		if err != nil {
			return err
		}
		if may {
			v.Linked = append(v.Linked, one)
		}
	}
	if to < len(links) {
		v.NextLinked = "/moderate/twins?" + url.Values{"linked": {strconv.Itoa(to)}}.Encode()
	}
	var list []duplicates.Pair
	if s.Duplicates != nil {
		list, v.Left = s.Duplicates.Twins()
	}
	apart := NotSame(s.Directory.Store())
	for until := min(len(list), from+pairsLooked); from < until && len(v.Pairs) < pairsPage; from++ {
		pair := list[from]
		if linked[pairKey(pair.A, pair.B)] || apart(ctx, pair.A, pair.B) {
			continue
		}
		one, may, err := row(pair.A, pair.B)
		if err != nil {
			return err
		}
		if !may || one.One.Status != string(directory.Published) || one.Other.Status != string(directory.Published) {
			continue
		}
		for _, r := range pair.Reasons {
			one.Reasons = append(one.Reasons, string(r))
		}
		one.Distance = pair.Distance
		one.One.Shown, one.Other.Shown = false, false // as long as they are not linked, that says nothing
		v.Pairs = append(v.Pairs, one)
	}
	if from < len(list) {
		v.Next = "/moderate/twins?" + url.Values{"from": {strconv.Itoa(from)}}.Encode()
	}
	switch done := c.Query("done"); done {
	case "link", "apart", "unlink":
		v.Done = l.Text("twins.done_" + done)
	}
	return s.render(c, frontend.Twins(p, v))
}

func (s *Server) twinSide(show presenter, e *directory.Entry) frontend.TwinSide {
	return frontend.TwinSide{PairSide: pairSide(show, e), Island: e.Origin, Shown: e.Shown()}
}

// mayTwin reports whether an actor may say of two entries of different islands that they are the same: a moderator of one of
// ours, or of where those of others are.
func mayTwin(actor *account.Actor, a, b *directory.Entry) bool {
	return a.ID != b.ID && a.Origin != b.Origin && account.May(actor, account.ModerateDecide, a) == nil && account.May(actor, account.ModerateDecide, b) == nil
}

// decideTwins links two entries, undoes that, or remembers that they are not the same.
func (s *Server) decideTwins(c *fiber.Ctx) error {
	ctx, store := c.UserContext(), s.Directory.Store()
	var both []directory.Entry
	for _, field := range []string{"one", "other"} {
		e, err := s.Directory.Entry(ctx, directory.ID(c.FormValue(field)))
		if err != nil {
			return err
		}
		if err := secret(account.Check(c, account.ModerateDecide, &e), &e); err != nil {
			return err
		}
		both = append(both, e)
	}
	a, b := &both[0], &both[1]
	if !mayTwin(account.From(c), a, b) {
		return invalidParam("other", directory.CodeInvalid, c.FormValue("other"))
	}
	key, decision := pairKey(a.ID, b.ID), c.FormValue("decision")
	rec, err := store.Record(ctx, kindTwin, key)
	if err != nil {
		return err
	}
	put := func(ended bool) error {
		rec.Key = key
		if rec.Value, err = json.Marshal(twinLink{A: min(a.ID, b.ID), B: max(a.ID, b.ID), By: account.From(c).Author(), At: s.Now().UTC(), Ended: ended}); err != nil {
			return err
		}
		if err := store.PutRecord(ctx, kindTwin, rec); err != nil && !errors.Is(err, directory.ErrStale) { // somebody else decided at this moment
			return err
		}
		t := Twins{s.Directory}
		links, err := t.links(ctx)
		if err != nil {
			return err
		}
		return t.settle(ctx, links, func(id directory.ID) bool { return id == a.ID || id == b.ID })
	}
	switch decision {
	case "link":
		if !a.Public() || !b.Public() {
			return invalidParam("other", directory.CodeInvalid, c.FormValue("other"))
		}
		err = put(false)
	case "unlink":
		if rec.Rev > 0 {
			err = put(true)
		}
	case "apart":
		if err = s.rememberNotSame(ctx, a.ID, []directory.ID{b.ID}, account.From(c).Author()); err == nil && s.Duplicates != nil {
			s.Duplicates.Apart(a.ID, b.ID)
		}
	default:
		return invalidParam("decision", directory.CodeUnknown, decision)
	}
	if err != nil {
		return err
	}
	return c.Redirect("/moderate/twins?"+url.Values{"done": {decision}}.Encode(), http.StatusSeeOther)
}

// standsFor is the entry that stands for a public one in the public view, if one does.
func (s *Server) standsFor(ctx context.Context, e *directory.Entry) (directory.Entry, bool, error) {
	if e.Shown() || !e.Public() {
		return directory.Entry{}, false, nil
	}
	into, err := s.Directory.Entry(ctx, e.Private.Twin)
	if errors.Is(err, directory.ErrNotFound) {
		return into, false, nil
	}
	return into, err == nil && into.Shown(), err
}

// leadTwin leads from the page of an entry to that of the one that stands for it; its own people see theirs, and a notice.
func (s *Server) leadTwin(c *fiber.Ctx, e *directory.Entry, v *frontend.EntryView) (led bool, err error) {
	into, stands, err := s.standsFor(c.UserContext(), e)
	if err != nil || !stands {
		return false, err
	}
	if account.May(account.From(c), account.EntryEdit, e) == nil || account.May(account.From(c), account.ModerateDecide, e) == nil {
		if v != nil {
			v.Notices = append(v.Notices, frontend.T(s.lang(c)).Text("twins.stands")+" "+into.Name)
		}
		return false, nil
	}
	c.Set(fiber.HeaderCacheControl, "no-cache")
	return true, c.Redirect(frontend.EntryURL(into.Slug), http.StatusFound)
}
