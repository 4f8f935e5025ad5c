package api

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"archipel/api/account"
	"archipel/directory"
	"archipel/frontend"

	"github.com/gofiber/fiber/v2"
)

// steps of adding an entry, in their order.
var steps = []string{"what", "where", "about"}

// stepFields are the beginnings of the fields that a step asks for, and so can be wrong in.
var stepFields = map[string][]string{
	"what":  {"kind", "name", "categories"},
	"where": {"geometry", "address", "area"},
	"about": {""},
}

// maxFields bounds a form.
const maxFields = 400

// form reads what was sent, a file aside: as a multipart or a plain form.
func form(c *fiber.Ctx) (url.Values, error) {
	v := url.Values{}
	if strings.HasPrefix(c.Get(fiber.HeaderContentType), fiber.MIMEMultipartForm) {
		m, err := c.MultipartForm()
		if err != nil {
			return nil, fiber.NewError(http.StatusBadRequest)
		}
		for key, list := range m.Value {
			v[key] = slices.Clone(list)
		}
	} else {
		var err error
		if v, err = url.ParseQuery(string(c.Body())); err != nil {
			return nil, fiber.NewError(http.StatusBadRequest)
		}
	}
	if len(v) > maxFields {
		return nil, fiber.NewError(http.StatusBadRequest)
	}
	for key, list := range v {
		if len(list) > maxChosen {
			v[key] = list[:maxChosen]
		}
		for i, s := range v[key] {
			// The line break that a browser puts before the end of a text is not the author's.
			s = strings.ReplaceAll(strings.ToValidUTF8(s, ""), "\r\n", "\n")
			if utf8.RuneCountInString(s) > 2*directory.MaxDescription {
				return nil, directory.Invalid{{Field: key, Code: directory.CodeTooLong, Params: map[string]any{"max": directory.MaxDescription, "got": utf8.RuneCountInString(s)}}}
			}
			v[key][i] = strings.ReplaceAll(s, "\x00", "")
		}
	}
	return v, nil
}

// addPage is the first step of a new entry. Nothing is kept before something is sent.
func (s *Server) addPage(c *fiber.Ctx) error {
	d := s.newDraft(account.From(c))
	if kind := c.Query("kind"); slices.Contains(directory.Kinds, directory.Kind(kind)) {
		d.Values.Set("kind", kind)
	}
	if name := c.Query("name"); len(name) < 300 {
		d.Values.Set("name", name)
	}
	return s.showStep(c, d, "what", nil, nil)
}

// add takes the first step of a new entry.
func (s *Server) add(c *fiber.Ctx) error {
	actor := account.From(c)
	if err := s.mayAdd(c); err != nil {
		return err
	}
	if actor.SignedIn() {
		have, err := s.draftsOf(c.UserContext(), actor.ID)
		if err != nil {
			return err
		}
		if len(have) > maxDrafts {
			return c.Redirect("/me/entries", http.StatusSeeOther)
		}
	}
	return s.takeStep(c, s.newDraft(actor), "what")
}

// mayAdd decides whether the actor may add an entry, or at least suggest one.
func (s *Server) mayAdd(c *fiber.Ctx) error {
	if account.From(c).SignedIn() {
		return account.Check(c, account.EntryCreate, nil)
	}
	return account.Check(c, account.EntrySuggest, nil)
}

func (s *Server) stepPage(c *fiber.Ctx) error {
	d, err := s.draft(c)
	if err != nil {
		return s.orResult(c, err)
	}
	if !slices.Contains(steps, c.Params("step")) {
		return directory.ErrNotFound
	}
	return s.showStep(c, d, c.Params("step"), nil, nil)
}

func (s *Server) step(c *fiber.Ctx) error {
	if err := s.mayAdd(c); err != nil {
		return err
	}
	d, err := s.draft(c)
	if err != nil {
		return s.orResult(c, err)
	}
	if !slices.Contains(steps, c.Params("step")) {
		return directory.ErrNotFound
	}
	return s.orResult(c, s.takeStep(c, d, c.Params("step")))
}

// discard erases a draft.
func (s *Server) discard(c *fiber.Ctx) error {
	if err := s.mayAdd(c); err != nil {
		return err
	}
	d, err := s.draft(c)
	if err != nil {
		return s.orResult(c, err)
	}
	if err := s.dropDraft(c.UserContext(), d); err != nil {
		return err
	}
	if !account.From(c).SignedIn() {
		return c.Redirect("/", http.StatusSeeOther)
	}
	return c.Redirect("/me/entries?done=discarded", http.StatusSeeOther)
}

// takeStep keeps what was sent, and goes on when it is right; else it shows the step again with what is wrong.
func (s *Server) takeStep(c *fiber.Ctx, d *draft, step string) error {
	v, err := form(c)
	if err != nil {
		return err
	}
	d.merge(step, v)
	show := &shown{place: v.Get("place"), zone: v.Get("zone"), pictureAlt: v.Get("picture_alt")}
	problems := s.assist(c, d.Values, v, show)
	if id := directory.ID(v.Get("not_same")); id.Valid() && !d.isNotSame(id) && len(d.NotSame) < 100 {
		d.NotSame = append(d.NotSame, id)
		show.stay = true
	}
	e, wrong := s.build(d)
	problems = append(problems, onlyOf(step, wrong)...)
	if step == "what" && len(e.Categories) == 0 {
		problems = append(problems, directory.Problem{Field: "categories", Code: directory.CodeRequired})
	}
	if d.rev > 0 || strings.TrimSpace(d.Values.Get("name")) != "" { // a form sent empty is not worth keeping
		if refused, err := s.keepDraft(c, d); err != nil {
			return err
		} else if refused != nil {
			return s.showStep(c, d, step, append(problems, *refused), show)
		}
	}
	if v.Get("action") == "keep" { // the island keeps what is typed
		return c.SendStatus(http.StatusNoContent)
	}
	if show.stay {
		problems = nil // asked for something else than going on: what is missing is said later
	}
	if len(problems) > 0 || show.stay {
		return s.showStep(c, d, step, problems, show)
	}
	switch step {
	case "what":
		return c.Redirect(d.url("where"), http.StatusSeeOther)
	case "where":
		return c.Redirect(d.url("about"), http.StatusSeeOther)
	}
	return s.sendEntry(c, d, e, v)
}

// keepDraft saves what was typed. It gives a problem when somebody without an account has more kept than anybody needs: it is
// on the form, and nowhere else.
func (s *Server) keepDraft(c *fiber.Ctx, d *draft) (refused *directory.Problem, err error) {
	var limited *account.Limited
	if d.rev == 0 {
		if err := s.Accounts.LimitDrafts(c); errors.As(err, &limited) {
			return &directory.Problem{Field: "name", Code: "drafts_many", Params: map[string]any{"minutes": minutes(limited)}}, nil
		}
	}
	err = s.saveDraft(c.UserContext(), d)
	if errors.Is(err, errDraftLarge) {
		return &directory.Problem{Field: "description", Code: "draft_large"}, nil
	}
	return nil, err
}

// minutes is how long somebody has to wait, at least one.
func minutes(l *account.Limited) int { return int(l.After.Minutes()) + 1 }

// build makes the entry of a draft, with everything that is wrong with it.
func (s *Server) build(d *draft) (directory.Entry, directory.Invalid) {
	e := directory.Entry{ID: d.ID, Status: directory.Pending}
	problems := s.fill(d.Values, &e)
	return e, append(problems, s.judge(&e, nil, problems)...)
}

// judge normalises an entry and gives what is wrong with it, fields aside of which a form has already complained. What
// stands may keep its categories.
func (s *Server) judge(e, stands *directory.Entry, said directory.Invalid) directory.Invalid {
	directory.Normalize(e)
	var found directory.Invalid
	err := directory.Validate(e, directory.Rules{Category: s.Taxonomy.Valid, Zone: s.validZone}.Keeping(stands))
	if !errors.As(err, &found) {
		return nil
	}
	return slices.DeleteFunc(found, func(p directory.Problem) bool {
		return slices.ContainsFunc(said, func(q directory.Problem) bool {
			return q.Field == p.Field || strings.HasPrefix(q.Field, p.Field+"Date") || strings.HasPrefix(q.Field, p.Field+"Time")
		})
	})
}

func onlyOf(step string, problems directory.Invalid) directory.Invalid {
	return slices.DeleteFunc(slices.Clone(problems), func(p directory.Problem) bool {
		return !slices.ContainsFunc(stepFields[step], func(prefix string) bool { return strings.HasPrefix(p.Field, prefix) })
	})
}

// sendEntry makes an entry of a draft: published when its author may, else waiting for moderation.
func (s *Server) sendEntry(c *fiber.Ctx, d *draft, e directory.Entry, v url.Values) error {
	ctx, actor := c.UserContext(), account.From(c)
	if !actor.SignedIn() {
		if done, err := s.suspicious(c, v, e.Name); done || err != nil {
			return err
		}
	}
	if same, err := s.sameAs(c, d, &e); err != nil {
		return err
	} else if len(same) > 0 && v.Get("action") != "anyway" && likely(same) {
		return s.showStep(c, d, "about", nil, &shown{stay: true})
	}
	if problems := s.own(c, &e, v); len(problems) > 0 {
		return s.showStep(c, d, "about", problems, nil)
	}
	saved, err := s.Directory.Put(ctx, actor.Author(), e)
	var conflict *directory.ConflictError
	var invalid directory.Invalid
	switch {
	case errors.As(err, &conflict):
		saved = conflict.Theirs // it was sent already, and the answer was lost
	case errors.As(err, &invalid):
		return s.showStep(c, d, "about", invalid, nil)
	case err != nil:
		return err
	}
	if err := s.rememberNotSame(ctx, saved.ID, d.NotSame, actor.Author()); err != nil {
		return err
	}
	if err := s.noteSent(ctx, d, saved.ID); err != nil {
		return err
	}
	return s.leadOn(c, &saved, actor.SignedIn())
}

// own settles what the server decides of a new entry: whose it is, under which licence, and whether it waits.
func (s *Server) own(c *fiber.Ctx, e *directory.Entry, v url.Values) directory.Invalid {
	actor := account.From(c)
	e.Version, e.Origin, e.Source = 0, "", nil
	if e.Licence == "" {
		e.Licence = s.Site().Licence
	}
	if e.Lang == "" {
		e.Lang = s.lang(c)
	}
	e.Status = directory.Pending
	if !actor.SignedIn() {
		e.Private = &directory.Private{Email: strings.TrimSpace(v.Get("sender")), Note: strings.TrimSpace(v.Get("note"))}
		check := directory.Entry{Kind: directory.Place, Name: "x", Status: directory.Pending, Private: &directory.Private{Email: e.Private.Email, Note: e.Private.Note}}
		directory.Normalize(&check)
		var invalid directory.Invalid
		if errors.As(directory.Validate(&check, directory.Rules{}), &invalid) {
			for i := range invalid {
				invalid[i].Field = map[string]string{"private.email": "sender", "private.note": "note"}[invalid[i].Field]
			}
		}
		return invalid
	}
	e.Private = &directory.Private{Owners: []string{actor.ID}}
	if problem := s.inNameOf(c, e, v.Get("organiser")); problem != nil {
		return directory.Invalid{*problem}
	}
	e.Checked = s.Now()
	if account.May(actor, account.EntryPublish, e) == nil {
		e.Status = directory.Published
	}
	return nil
}

// thanks is the page after a suggestion.
func (s *Server) thanks(c *fiber.Ctx) error {
	p := s.page(c, frontend.T(s.lang(c)).Text("posting.thanks"))
	p.NoIndex, p.Canonical = true, ""
	name := []rune(c.Query("name"))
	v := frontend.PostingDoneView{Name: string(name[:min(len(name), directory.MaxName)])}
	if slug := c.Query("entry"); slug != "" {
		if _, ok := s.Directory.BySlug(slug); ok {
			v.URL = frontend.EntryURL(slug)
		}
	}
	return s.render(c, frontend.PostingDone(p, v))
}

// postingRoutes adds the pages on which entries are added and changed. Without accounts there are none.
func (s *Server) postingRoutes() {
	app := s.app
	app.Get("/media/:name", s.picture)
	if s.Accounts == nil {
		return
	}
	app.Get("/add", s.addPage)
	app.Post("/add", s.add)
	app.Get("/add/thanks", s.thanks)
	app.Get("/add/same", s.sameFragment)
	app.Get("/add/hours", s.hoursFragment)
	app.Post("/add/:draft/discard", s.discard)
	app.Get("/add/:draft/:step", s.stepPage)
	app.Post("/add/:draft/:step", s.step)
	app.Get("/e/:slug/edit", s.editPage)
	app.Post("/e/:slug/edit", s.edit)
	app.Get("/e/:slug/remove", s.removePage)
	app.Post("/e/:slug/remove", s.remove)
	app.Get("/e/:slug/suggest", s.suggestPage)
	app.Post("/e/:slug/suggest", s.suggest)
	app.Get("/me/entries", s.ownEntries)
}
