package api

import (
	"errors"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"archipel/api/account"
	"archipel/directory"
	"archipel/frontend"
	"archipel/geo"

	"github.com/gofiber/fiber/v2"
)

// Posting in the name of an organisation, and the relations of an entry on its form.

// speaks reports whether something of a kind can be posted in an entry's name: events in that of whatever has a team,
// everything else in that of an organisation.
func speaks(e *directory.Entry, kind directory.Kind) bool {
	return e.Origin == "" && (e.Status == directory.Published || e.Status == directory.Pending) && (e.Kind == directory.Organisation || kind == directory.Event && e.Kind != directory.Event)
}

// inNameOf posts an entry in the name of an organisation: its team keeps the entry, whoever is of it from then on. The entry
// says so; that of the organisation stays as it is, however much is posted.
func (s *Server) inNameOf(c *fiber.Ctx, e *directory.Entry, organiser string) *directory.Problem {
	if organiser == "" {
		return nil
	}
	wrong := &directory.Problem{Field: "organiser", Code: directory.CodeUnknown, Params: map[string]any{"value": organiser}}
	org, err := s.Directory.Entry(c.UserContext(), directory.ID(organiser))
	if err != nil || org.ID == e.ID || !speaks(&org, e.Kind) || account.May(account.From(c), account.EntryLeave, &org) != nil {
		return wrong // also what there is not, and what is others'
	}
	e.Private = &directory.Private{Team: org.ID}
	if org.Private != nil && org.Private.Team != "" {
		e.Private.Team = org.Private.Team // a place of an organisation's: the organisation's team keeps both
	}
	relation := directory.Relation{Rel: "partOf", Target: org.ID}
	if e.Kind == directory.Event {
		relation.Rel = "organisedBy"
	}
	if !slices.Contains(e.Relations, relation) {
		e.Relations = append(e.Relations, relation)
	}
	return nil
}

// mostOrganisers is how many entries are read for the list of those in whose name one may post.
const mostOrganisers = 300

// organisers are the organisations in whose name the actor may post something of a kind. What is posted in their name is not
// read for it.
func (s *Server) organisers(c *fiber.Ctx, kind directory.Kind, chosen string) ([]frontend.Option, error) {
	actor := account.From(c)
	speaking := func(organisation bool) []directory.ID {
		return s.mine(actor.ID, func(e owned) bool {
			return (e.kind == directory.Organisation) == organisation && speaks(&directory.Entry{Kind: e.kind, Status: e.status}, kind)
		})
	}
	ids := append(speaking(true), speaking(false)...)
	if at := slices.Index(ids, directory.ID(chosen)); at >= mostOrganisers {
		ids[mostOrganisers-1] = ids[at]
	}
	mine, err := s.Directory.Entries(c.UserContext(), ids[:min(len(ids), mostOrganisers)])
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(mine, func(a, b directory.Entry) int { return strings.Compare(string(a.ID), string(b.ID)) })
	var out []frontend.Option
	for i := range mine {
		if e := &mine[i]; speaks(e, kind) && account.May(actor, account.EntryLeave, e) == nil {
			out = append(out, frontend.Option{Value: string(e.ID), Label: e.Name, Selected: chosen == string(e.ID)})
		}
	}
	return out, nil
}

// How many relations of an entry a form shows, the others stay as they are; and how many it holds with those that are being
// added.
const (
	shownRelations  = 60
	maxRelationRows = 80
)

// editableRelations are the relations that a form shows, and the others.
func editableRelations(list []directory.Relation) (shown, others []directory.Relation) {
	n := min(len(list), shownRelations)
	return list[:n:n], list[n:]
}

// unseenRelations is how many relations of an entry its form does not show.
func unseenRelations(e *directory.Entry) int {
	_, others := editableRelations(e.Relations)
	return len(others)
}

// relationRows reads the relations of a form.
func relationRows(v url.Values) []directory.Relation {
	var out []directory.Relation
	for _, row := range rows(v, "relations", maxRelationRows, "rel", "target", "remove") {
		r := directory.Relation{Rel: row["rel"], Target: directory.ID(row["target"])}
		if row["remove"] == "" && r.Target != "" && !slices.Contains(out, r) {
			out = append(out, r)
		}
	}
	return out
}

// sentRelations are the rows of a form with what is chosen and not among them yet.
func sentRelations(sent url.Values) []directory.Relation {
	list := relationRows(sent)
	if r := (directory.Relation{Rel: sent.Get("relation.rel"), Target: directory.ID(sent.Get("relation.target"))}); r.Target != "" && !slices.Contains(list, r) {
		list = append(list, r)
	}
	return list
}

// showRelations makes relations those of a form.
func showRelations(v url.Values, list []directory.Relation) {
	for key := range v {
		if strings.HasPrefix(key, "relations[") {
			v.Del(key)
		}
	}
	for i, r := range list {
		if i < maxRelationRows {
			v.Set("relations["+strconv.Itoa(i)+"].rel", r.Rel)
			v.Set("relations["+strconv.Itoa(i)+"].target", string(r.Target))
		}
	}
}

// takeRelations puts the relations of a form into the entry e that it changes, those that it does not show aside, and says what
// is wrong with new ones.
func (s *Server) takeRelations(c *fiber.Ctx, was, e *directory.Entry, sent, typed url.Values, show *shown) (directory.Invalid, error) {
	if !sent.Has("relations") {
		return nil, nil
	}
	_, others := editableRelations(e.Relations)
	list := sentRelations(sent)
	showRelations(typed, list)
	if len(list) > maxRelationRows {
		show.stay = false
		return directory.Invalid{{Field: "relations", Code: directory.CodeTooMany, Params: map[string]any{"max": maxRelationRows, "got": len(list)}}}, nil
	}
	for _, r := range others {
		if !slices.Contains(list, r) {
			list = append(list, r)
		}
	}
	e.Relations = list
	err := s.check(c, was, &directory.Entry{Kind: e.Kind, Images: was.Images, Area: was.Area, OpeningHours: was.OpeningHours, Relations: list})
	var wrong directory.Invalid
	if errors.As(err, &wrong) {
		err = nil
	}
	for i, r := range list {
		if !slices.Contains(directory.RelationRels, r.Rel) && !slices.Contains(was.Relations, r) {
			wrong = append(wrong, directory.Problem{Field: "relations[" + strconv.Itoa(i) + "].target", Code: directory.CodeUnknown, Params: map[string]any{"value": r.Rel}})
		}
	}
	if wrong != nil && show.stay {
		show.stay = false // what was just chosen cannot be: said at once
	}
	return wrong, err
}

// relationsView is what a form shows of an entry's relations, and what was found for more.
func (s *Server) relationsView(c *fiber.Ctx, values url.Values, show *shown) (*frontend.RelationsView, error) {
	v := &frontend.RelationsView{Query: show.relations, Asked: show.related}
	self, query := directory.ID(""), show.relations
	if id, ok := s.Directory.BySlug(c.Params("slug")); ok {
		self = id
	}
	list := relationRows(values)
	for _, r := range list {
		row := frontend.RelationRow{Rel: r.Rel, Target: string(r.Target), Name: "–"}
		e, err := s.Directory.Entry(c.UserContext(), r.Target)
		if err != nil && !errors.Is(err, directory.ErrNotFound) {
			return nil, err
		}
		if err == nil && e.Status != directory.Removed && s.mayRead(c, &e) {
			row.Name, row.Town, row.URL = e.Name, e.Town(), frontend.EntryURL(e.Slug)
		}
		v.Rows = append(v.Rows, row)
	}
	if !show.related || query == "" {
		return v, nil
	}
	var found []directory.Entry
	add := func(list []directory.Entry) {
		for _, e := range list {
			if e.ID != self && e.Public() && !slices.ContainsFunc(found, func(o directory.Entry) bool { return o.ID == e.ID }) {
				found = append(found, e)
			}
		}
	}
	// One's own first: they are what one mostly ties to, also before they are public.
	mine, err := s.ownNamed(c, query)
	if err != nil {
		return nil, err
	}
	for _, e := range mine {
		if e.ID != self && e.Status != directory.Removed {
			found = append(found, e)
		}
	}
	near, err := s.saying(c, query)
	if err != nil {
		return nil, err
	}
	add(near)
	l := frontend.T(s.lang(c))
	for _, e := range found[:min(len(found), 20)] {
		v.Found = append(v.Found, frontend.Option{Value: string(e.ID), Label: join(", ", e.Name, l.Code("kind", string(e.Kind)), e.Town())})
	}
	return v, nil
}

// ownNamed are some of the actor's own entries that have the words in their name: of the public ones as the index finds them,
// and of the newest others, which are read.
func (s *Server) ownNamed(c *fiber.Ctx, words string) (out []directory.Entry, err error) {
	const most = 20
	actor := account.From(c)
	others := s.mine(actor.ID, func(e owned) bool { return e.status != directory.Published })
	public := s.mine(actor.ID, func(e owned) bool { return e.status == directory.Published })
	ids := others[max(0, len(others)-mostOrganisers):]
	if len(public) > 0 {
		sel, err := s.Index.Select(geo.Filter{Only: public, Words: words}, geo.Page{Limit: 5 * most})
		if err != nil {
			return nil, err
		}
		for _, h := range sel.Hits {
			ids = append(ids, h.ID)
		}
	}
	entries, err := s.Directory.Entries(c.UserContext(), ids)
	if err != nil {
		return nil, err
	}
	folded := directory.Fold(words)
	for _, e := range entries {
		if strings.Contains(directory.Fold(e.Name), folded) && len(out) < most {
			out = append(out, e)
		}
	}
	return out, nil
}

// saying are public entries that words find, the best first.
func (s *Server) saying(c *fiber.Ctx, words string) ([]directory.Entry, error) {
	if len(words) > maxWords {
		words = strings.ToValidUTF8(words[:maxWords], "")
	}
	r, err := s.other(c.UserContext(), frontend.Query{Q: words}, s.lang(c))
	if err != nil {
		return nil, err
	}
	list, err := s.find(c, &r)
	return list.entries, err
}
