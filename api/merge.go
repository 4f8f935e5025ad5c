package api

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"archipel/api/account"
	"archipel/directory"
	"archipel/frontend"

	"github.com/gofiber/fiber/v2"
)

// mergeRoutes are the pages on which two entries that are the same become one.
func (s *Server) mergeRoutes() {
	door := account.Require(account.ModerateDecide)
	s.app.Get("/moderate/merge", door, s.mergePage)
	s.app.Post("/moderate/merge", door, s.merge)
	s.app.Post("/e/:slug/unmerge", door, s.unmerge)
}

// lives reads an entry, or the one in which it lives on since it was merged.
func (s *Server) lives(ctx context.Context, id directory.ID) (directory.Entry, error) {
	return s.Directory.Entry(ctx, s.Relations.Resolve(id))
}

// moved leads from what was merged to the public entry in which it lives on; done is false when there is none. The answer is
// not kept by browsers, since a merge can be taken back.
func (s *Server) moved(c *fiber.Ctx, e *directory.Entry, address func(*directory.Entry) string) (into directory.Entry, done bool, err error) {
	if e.Status != directory.Removed || e.MergedInto == "" {
		return into, false, nil
	}
	into, err = s.lives(c.UserContext(), e.ID)
	if err != nil || into.ID == e.ID || !into.Public() {
		return into, false, err
	}
	c.Set(fiber.HeaderCacheControl, "no-cache")
	return into, true, c.Redirect(address(&into), http.StatusMovedPermanently)
}

// mergeEntry finds an entry by what somebody pastes or a link says: its id, the last part of its address, or the address.
func (s *Server) mergeEntry(c *fiber.Ctx, raw string) (directory.Entry, error) {
	raw = strings.TrimSpace(raw)
	if u, err := url.Parse(raw); err == nil && (u.IsAbs() || strings.HasPrefix(raw, "/")) {
		raw = strings.TrimPrefix(strings.TrimPrefix(strings.Trim(u.Path, "/"), "e/"), "id/")
		raw, _, _ = strings.Cut(raw, "/")
	}
	id := directory.ID(raw)
	if !id.Valid() {
		known, ok := s.Directory.BySlug(raw)
		if !ok {
			return directory.Entry{}, directory.ErrNotFound
		}
		id = known
	}
	e, err := s.lives(c.UserContext(), id)
	if err != nil {
		return e, err
	}
	return e, secret(account.Check(c, account.ModerateDecide, &e), &e)
}

func (s *Server) mergePage(c *fiber.Ctx) error {
	return s.showMerge(c, c.Query("keep"), c.Query("other"), nil, "")
}

// showMerge shows two entries side by side, or those that may be the same as one.
func (s *Server) showMerge(c *fiber.Ctx, keep, with string, typed url.Values, wrong string) error {
	kept, err := s.mergeEntry(c, keep)
	if err != nil {
		return err
	}
	p, l := s.moderationPage(c, "merge.title")
	v := frontend.MergeView{Kept: mergeSide(l, &kept), Wrong: wrong, Note: typed.Get("reason")}
	if with != "" {
		other, err := s.mergeEntry(c, with)
		switch problem := directory.Mergeable(&kept, &other); {
		case errors.Is(err, directory.ErrNotFound):
			v.Wrong, v.Typed = l.Text("merge.unknown", "Value", with), with
		case err != nil:
			return err
		case directory.Mergeable(&other, &kept) == nil && typed == nil && (problem != nil || c.Query("as") == "" && betterKept(&other, &kept)):
			kept, other = other, kept
			s.compareMerge(&v, l, &kept, &other, typed)
		case problem != nil:
			v.Wrong, v.Typed = l.Text("merge.impossible", "Name", other.Name), with
		default:
			s.compareMerge(&v, l, &kept, &other, typed)
		}
		if v.Other != nil {
			if v.TeamSize, err = s.comeAlong(c.UserContext(), &kept, &other); err != nil {
				return err
			}
		}
	}
	if v.Other == nil {
		if v.Same, err = s.mergeCandidates(c, &kept); err != nil {
			return err
		}
	}
	if v.Wrong != "" && c.Response().StatusCode() == http.StatusOK {
		c.Status(http.StatusBadRequest)
	}
	return s.render(c, frontend.Merge(p, v))
}

// betterKept reports whether a is the entry to keep rather than b, when nobody said which: the one that is public, that its
// own people keep, and else the older one, whose address is known longest.
func betterKept(a, b *directory.Entry) bool {
	switch {
	case a.Public() != b.Public():
		return a.Public()
	case a.Kept() != b.Kept():
		return a.Kept()
	}
	return a.Created.Before(b.Created)
}

func mergeSide(l *frontend.Localizer, e *directory.Entry) frontend.MergeSide {
	side := frontend.MergeSide{ID: string(e.ID), Name: e.Name, Town: e.Town(), Version: int64(e.Version), Status: string(e.Status), URL: frontend.EntryURL(e.Slug)}
	if e.Source != nil {
		side.Source = e.Source.Name
	}
	return side
}

// compareMerge puts two entries side by side.
func (s *Server) compareMerge(v *frontend.MergeView, l *frontend.Localizer, kept, other *directory.Entry, typed url.Values) {
	show := s.presenter(l.Lang())
	v.Kept = mergeSide(l, kept)
	side := mergeSide(l, other)
	v.Other = &side
	choice := map[string]directory.Side{}
	for _, f := range directory.MergeFields(kept, other) {
		m := frontend.MergeField{Field: f.Field, Kept: mergeValues(show, f.Kept), Other: mergeValues(show, f.Other), FromOther: f.Prefer == directory.Other}
		if t := typed.Get("field." + f.Field); t != "" {
			m.FromOther = t == string(directory.Other)
		}
		if m.FromOther {
			choice[f.Field] = directory.Other
		}
		v.Fields = append(v.Fields, m)
	}
	v.Team = other.Public() // whoever sends a double of an entry does not become its owner without somebody saying so
	if typed != nil {
		v.Team = typed.Get("team") == "1"
	}
	// What of both stays: shown as what is added to the kept entry.
	united := directory.Unite(kept, other, choice, false)
	for _, f := range directory.Diff(kept, &united) {
		if slices.Contains([]string{"categories", "tags", "links", "images", "relations", "licence"}, f.Field) || strings.HasPrefix(f.Field, "source.") ||
			strings.HasPrefix(f.Field, "translations.") || strings.HasPrefix(f.Field, "extra.") {
			v.United = append(v.United, frontend.FieldChange{Field: f.Field, Old: f.Before, New: f.After})
		}
	}
	v.United = show.readable(v.United)
}

// comeAlong counts who keeps the result of a merge when the people of the other entry do.
func (s *Server) comeAlong(ctx context.Context, kept, other *directory.Entry) (int, error) {
	if other.Private == nil {
		return 0, nil
	}
	if !directory.TakesTeam(kept, other) {
		return len(other.Private.Owners) + len(other.Private.Editors), nil
	}
	team, err := s.Directory.Keepers(ctx, other)
	return max(1, len(team.All())), err // an organisation may have nobody for now
}

func mergeValues(show presenter, list []directory.FieldValue) (out []frontend.MergeValue) {
	for _, v := range list {
		out = append(out, frontend.MergeValue{Field: v.Field, Value: show.readableValue(v.Field, v.Value)})
	}
	return out
}

// mergeCandidates are the entries that may be the same as one, and that the actor may decide about.
func (s *Server) mergeCandidates(c *fiber.Ctx, e *directory.Entry) (out []frontend.QueueSame, err error) {
	if s.Duplicates == nil {
		return nil, nil
	}
	for _, candidate := range s.Duplicates.Find(e, 12) {
		other, err := s.Directory.Entry(c.UserContext(), candidate.ID)
		if err != nil {
			return nil, err
		}
		if other.Origin != "" || account.May(account.From(c), account.ModerateDecide, &other) != nil {
			continue
		}
		same := frontend.QueueSame{Name: other.Name, Town: other.Town(), URL: frontend.EntryURL(other.Slug), MergeURL: frontend.MergeURL(string(e.ID), string(other.ID))}
		for _, r := range candidate.Reasons {
			same.Reasons = append(same.Reasons, string(r))
		}
		out = append(out, same)
	}
	return out, nil
}

// merge makes one entry of two. It is about the versions that the form shows: when somebody changed one of them meanwhile,
// nothing is written.
func (s *Server) merge(c *fiber.Ctx) error {
	kept, err := s.mergeEntry(c, c.FormValue("keep"))
	if err != nil {
		return err
	}
	other, err := s.Directory.Entry(c.UserContext(), directory.ID(c.FormValue("other"))) // also when it is merged already
	if err != nil {
		return err
	}
	if err := secret(account.Check(c, account.ModerateDecide, &other), &other); err != nil {
		return err
	}
	m := directory.Merge{Author: account.From(c).Author(), Kept: kept.ID, Other: other.ID, Choice: map[string]directory.Side{}, Team: c.FormValue("team") == "1"}
	for name, to := range map[string]*directory.Seq{"kept_version": &m.KeptVersion, "other_version": &m.OtherVersion} {
		n, err := strconv.ParseInt(c.FormValue(name), 10, 64)
		if err != nil {
			return invalidParam(name, directory.CodeInvalid, c.FormValue(name))
		}
		*to = directory.Seq(n)
	}
	typed := url.Values{}
	c.Context().PostArgs().VisitAll(func(key, value []byte) {
		typed.Add(string(key), string(value))
		field, ok := strings.CutPrefix(string(key), "field.")
		if side := directory.Side(value); ok && (side == directory.Kept || side == directory.Other) {
			m.Choice[field] = side
		}
	})
	l := frontend.T(s.lang(c))
	note, problem := reasonOf(c, false)
	if m.Note = note; problem != nil {
		if !wantsPage(c) {
			return directory.Invalid{*problem}
		}
		_, text := l.ProblemText(frontend.Problem{Field: problem.Field, Code: problem.Code, Params: problem.Params})
		c.Status(http.StatusBadRequest)
		return s.showMerge(c, string(kept.ID), string(other.ID), typed, text)
	}
	saved, err := s.Directory.Merge(c.UserContext(), m)
	var conflict *directory.ConflictError
	var invalid directory.Invalid
	switch {
	case errors.As(err, &conflict) && wantsPage(c):
		c.Status(http.StatusConflict)
		return s.showMerge(c, string(kept.ID), string(other.ID), nil, l.Text("versions.conflict", "Name", conflict.Theirs.Name))
	case errors.As(err, &invalid) && wantsPage(c):
		c.Status(http.StatusBadRequest)
		field, text := l.ProblemText(frontend.Problem{Field: invalid[0].Field, Code: invalid[0].Code, Params: invalid[0].Params})
		return s.showMerge(c, string(kept.ID), string(other.ID), typed, field+": "+text)
	case err != nil:
		return err
	}
	return c.Redirect(frontend.VersionsURL(saved.Slug)+"?"+url.Values{"merged": {string(other.ID)}}.Encode(), http.StatusSeeOther)
}

// unmerge takes a merge back.
func (s *Server) unmerge(c *fiber.Ctx) error {
	e, err := s.anyBySlug(c)
	if err != nil {
		return err
	}
	if err := secret(account.Check(c, account.ModerateDecide, &e), &e); err != nil {
		return err
	}
	if into, err := s.Directory.Entry(c.UserContext(), e.MergedInto); err == nil {
		if err := secret(account.Check(c, account.ModerateDecide, &into), &into); err != nil {
			return err
		}
	}
	version, err := strconv.ParseInt(c.FormValue("version"), 10, 64)
	if err != nil {
		return invalidParam("version", directory.CodeInvalid, c.FormValue("version"))
	}
	l := frontend.T(s.lang(c))
	note, problem := reasonOf(c, false)
	if problem != nil {
		return directory.Invalid{*problem}
	}
	_, err = s.Directory.Unmerge(c.UserContext(), account.From(c).Author(), note, e.ID, directory.Seq(version))
	var conflict *directory.ConflictError
	var invalid directory.Invalid
	if (errors.As(err, &conflict) || errors.As(err, &invalid)) && wantsPage(c) {
		c.Status(http.StatusConflict)
		return s.showVersions(c, l.Text("versions.conflict", "Name", e.Name), note)
	}
	if err != nil {
		return err
	}
	return c.Redirect(frontend.VersionsURL(e.Slug)+"?unmerged=1", http.StatusSeeOther)
}
