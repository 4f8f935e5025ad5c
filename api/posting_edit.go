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
	"strings"
	"time"

	"archipel/api/account"
	"archipel/directory"
	"archipel/frontend"

	"github.com/gofiber/fiber/v2"
)

// editable finds the entry of the address that the actor may see.
func (s *Server) editable(c *fiber.Ctx) (directory.Entry, error) {
	id, ok := s.Directory.BySlug(c.Params("slug"))
	if !ok {
		return directory.Entry{}, directory.ErrNotFound
	}
	e, err := s.Directory.Entry(c.UserContext(), id)
	switch {
	case err != nil:
		return e, err
	case e.Status == directory.Removed:
		return e, goneError{}
	case !s.mayRead(c, &e):
		return directory.Entry{}, directory.ErrNotFound // not even that it exists
	}
	return e, nil
}

func (s *Server) editPage(c *fiber.Ctx) error {
	e, err := s.editable(c)
	if err != nil {
		return err
	}
	if account.Check(c, account.EntryEdit, &e) != nil {
		if s.suggestible(&e) {
			return c.Redirect(frontend.SuggestURL(e.Slug), http.StatusSeeOther)
		}
		return account.Check(c, account.EntryEdit, &e)
	}
	view := s.editView(c, &e, false)
	if view.Broken, err = s.brokenOf(c.UserContext(), &e); err != nil {
		return err
	}
	stands, _, err := s.reviewedForm(c, e, &view)
	if err != nil {
		return err
	}
	view.Unseen = unseenRelations(&stands)
	return s.showForm(c, view, formOf(&stands, s.zone()), nil, nil)
}

func (s *Server) suggestPage(c *fiber.Ctx) error {
	e, err := s.editable(c)
	if err != nil {
		return err
	}
	if !s.suggestible(&e) {
		return account.May(account.From(c), account.EntryEdit, &directory.Entry{Origin: e.Origin})
	}
	if e.Origin != "" && !s.Corrections.Correctable(&e) {
		return s.elsewherePage(c, &e)
	}
	v := s.editView(c, &e, true)
	if !account.From(c).SignedIn() {
		v.SignInURL = signInFor(c.Path())
	}
	return s.showForm(c, v, formOf(&e, s.zone()), nil, nil)
}

func (s *Server) editView(c *fiber.Ctx, e *directory.Entry, suggestion bool) frontend.PostingView {
	v := frontend.PostingView{Action: frontend.EditURL(e.Slug), Back: frontend.EntryURL(e.Slug), Name: e.Name, Version: int64(e.Version), Suggestion: suggestion}
	if suggestion {
		v.Action, v.Island = frontend.SuggestURL(e.Slug), s.island(e.Origin)
	} else if v.Imported, v.ImportedURL = s.calendarNote(c.UserContext(), e); s.Calendars != nil && e.Kind != directory.Event {
		v.CalendarsURL = frontend.CalendarsURL(e.Slug)
	}
	if !suggestion && e.Origin == "" && account.May(account.From(c), account.EntryRemove, e) == nil {
		v.RemoveURL = frontend.RemoveURL(e.Slug)
	}
	v.Dates, v.ExtraDates = s.datesOf(e, s.lang(c))
	return v
}

// edit changes an entry, or shows what is wrong, or what somebody else wrote meanwhile.
func (s *Server) edit(c *fiber.Ctx) error {
	e, err := s.editable(c)
	if err != nil {
		return err
	}
	if err := account.Check(c, account.EntryEdit, &e); err != nil {
		return err
	}
	return s.takeEdit(c, e, false)
}

// suggest keeps a proposal for a public entry.
func (s *Server) suggest(c *fiber.Ctx) error {
	e, err := s.editable(c)
	if err != nil {
		return err
	}
	if err := account.Check(c, account.EntrySuggest, &e); err != nil {
		return err
	}
	if !s.suggestible(&e) {
		return directory.ErrNotFound
	}
	if e.Origin != "" && !s.Corrections.Correctable(&e) {
		return s.elsewherePage(c, &e)
	}
	return s.takeEdit(c, e, true)
}

func (s *Server) takeEdit(c *fiber.Ctx, e directory.Entry, suggestion bool) error {
	sent, err := form(c)
	if err != nil {
		return err
	}
	version, err := strconv.ParseInt(sent.Get("version"), 10, 64)
	if err != nil || version < 1 {
		return directory.Invalid{{Field: "version", Code: directory.CodeRequired}}
	}
	// What a form leaves out was not asked: only what it has counts. Its lists begin anew.
	view := s.editView(c, &e, suggestion)
	stands, waits := e, []Proposal(nil)
	if !suggestion {
		if stands, waits, err = s.reviewedForm(c, e, &view); err != nil {
			return err
		}
	}
	view.Unseen = unseenRelations(&stands)
	typed := formOf(&stands, s.zone())
	for key := range typed {
		for _, list := range []string{"links[", "images[", "approximate", "event.allDay", "hours."} {
			if strings.HasPrefix(key, list) {
				typed.Del(key)
			}
		}
		if strings.HasPrefix(key, "relations[") && sent.Has("relations") {
			typed.Del(key)
		}
	}
	for key, list := range sent {
		typed[key] = list
	}
	if sent.Has("lat") && !sent.Has("approximate") {
		typed.Del("approximate")
	}
	show := &shown{zone: sent.Get("zone"), pictureAlt: sent.Get("picture_alt")}
	problems := s.assist(c, typed, sent, show)
	view.Version = version
	if int64(e.Version) != version {
		if sent.Has("relations") && !suggestion { // also what is chosen and not added yet
			showRelations(typed, sentRelations(sent))
		}
		return s.showConflict(c, e, directory.Seq(version), typed, view, show)
	}
	mine := stands.Clone()
	if !suggestion {
		untied, err := s.takeRelations(c, &e, &mine, sent, typed, show)
		if err != nil {
			return err
		}
		problems = append(problems, untied...)
	}
	wrong := s.fill(typed, &mine)
	judged := s.judge(&mine, &stands, wrong)
	if mine.OpeningHours == e.OpeningHours { // what stands may stay, also what was kept before there was a check of it
		judged = slices.DeleteFunc(judged, func(p directory.Problem) bool { return p.Field == "openingHours" })
	}
	problems = append(append(problems, wrong...), judged...)
	if show.stay {
		return s.showForm(c, view, typed, nil, show)
	}
	if len(problems) > 0 {
		return s.showForm(c, view, typed, problems, show)
	}
	if suggestion {
		return s.propose(c, &e, &mine, sent, typed, view)
	}
	actor := account.From(c)
	if account.May(actor, account.EntryLeave, &mine) == nil {
		mine.Checked = s.Now() // its own people have just read it
	}
	if view.Reviewed {
		return s.holdForm(c, &e, &mine, waits)
	}
	saved, err := s.Directory.Put(c.UserContext(), actor.Author(), mine)
	var conflict *directory.ConflictError
	var invalid directory.Invalid
	switch {
	case errors.As(err, &conflict):
		return s.showConflict(c, conflict.Theirs, directory.Seq(version), typed, view, show)
	case errors.As(err, &invalid):
		return s.showForm(c, view, typed, invalid, show)
	case err != nil:
		return err
	}
	return c.Redirect(frontend.EntryURL(saved.Slug), http.StatusSeeOther)
}

// showConflict brings together what was typed and what somebody else saved meanwhile: fields that only one of the two
// changed are as that one left them; for those that both changed, what was typed stands in the form and both are shown.
func (s *Server) showConflict(c *fiber.Ctx, theirs directory.Entry, base directory.Seq, typed url.Values, view frontend.PostingView, show *shown) error {
	before, tiedBefore := url.Values{}, []directory.Relation(nil)
	if past, err := s.Directory.At(c.UserContext(), theirs.ID, base); err == nil && !past.Redacted {
		before, tiedBefore = formOf(&past.Entry, s.zone()), past.Entry.Relations
	}
	now := formOf(&theirs, s.zone())
	merged, mine := url.Values{}, theirs.Clone()
	for key, list := range typed {
		merged[key] = list
	}
	mergeHours(merged, before, now)
	for key := range keysOf(before, now) {
		if hoursKey(key) {
			continue
		}
		if !typed.Has(key) || same(typed[key], before[key]) {
			if list, ok := now[key]; ok {
				merged[key] = slices.Clone(list)
			} else {
				merged.Del(key)
			}
		}
	}
	s.fill(merged, &mine)
	if typed.Has("relations") {
		_, unseen := editableRelations(tiedBefore)
		meant := slices.Concat(relationRows(typed), unseen)
		mine.Relations = tied(tiedBefore, theirs.Relations, meant)
		shown, others := editableRelations(theirs.Relations)
		showRelations(merged, slices.DeleteFunc(tied(tiedBefore, shown, meant), func(r directory.Relation) bool { return slices.Contains(others, r) }))
	}
	directory.Normalize(&mine)
	show.conflict = nil
	for _, f := range directory.Diff(&theirs, &mine) {
		show.conflict = append(show.conflict, frontend.FieldChange{Field: f.Field, Old: f.Before, New: f.After})
	}
	show.conflict = s.presenter(s.lang(c)).readable(show.conflict)
	view.Version, view.Name = int64(theirs.Version), theirs.Name
	view.Unseen = unseenRelations(&theirs)
	if len(show.conflict) == 0 && !show.stay { // both wrote the same
		if view.Suggestion && strings.TrimSpace(typed.Get("note")) != "" {
			return s.propose(c, &theirs, &mine, typed, merged, view) // or nothing but a word to the team
		}
		return c.Redirect(frontend.EntryURL(theirs.Slug), http.StatusSeeOther)
	}
	return s.showForm(c, view, merged, nil, show)
}

// tied are the relations that stand now with what was typed: what it adds to those that its writer read, without what it
// takes away from them.
func tied(before, now, typed []directory.Relation) []directory.Relation {
	out := slices.DeleteFunc(slices.Clone(now), func(r directory.Relation) bool {
		return slices.Contains(before, r) && !slices.Contains(typed, r)
	})
	for _, r := range typed {
		if !slices.Contains(before, r) && !slices.Contains(out, r) {
			out = append(out, r)
		}
	}
	return out
}

func keysOf(list ...url.Values) map[string]bool {
	keys := map[string]bool{}
	for _, v := range list {
		for key := range v {
			keys[key] = true
		}
	}
	return keys
}

// same compares what was typed as people do: line breaks and blanks at the ends do not count.
func same(a, b []string) bool {
	trim := func(list []string) string {
		var out []string
		for _, s := range list {
			if s = strings.TrimSpace(strings.ReplaceAll(s, "\r\n", "\n")); s != "" {
				out = append(out, s)
			}
		}
		return strings.Join(out, "\x00")
	}
	return trim(a) == trim(b)
}

// KindProposal is the kind of the records of proposals; a key is the proposal's ID.
const KindProposal = "proposal"

// Proposal is a correction that somebody suggests for a public entry, and that waits for a moderator. It is kept beside
// the log: nothing of it is public.
type Proposal struct {
	ID      directory.ID  `json:"id"`
	Of      directory.ID  `json:"of"`   // the entry
	Base    directory.Seq `json:"base"` // the version that its sender read
	Entry   []byte        `json:"entry"`
	Author  string        `json:"author"`         // as in the log
	Mail    string        `json:"mail,omitempty"` // how to answer; never leaves the instance
	Note    string        `json:"note,omitempty"`
	Lang    string        `json:"lang,omitempty"`
	Created time.Time     `json:"created"`

	Island string         `json:"island,omitempty"` // host of the directory that suggests it; empty: somebody here
	Asked  *askedProposal `json:"asked,omitempty"`
}

// askedProposal is a question that a moderator put to whoever suggested something.
type askedProposal struct {
	At   time.Time `json:"at"`
	Text string    `json:"text"`
}

// Proposed is the entry as the proposal would have it, with the private fields of the one that stands.
func (p *Proposal) Proposed(now *directory.Entry) (directory.Entry, error) {
	var e directory.Entry
	if err := directory.DecodeStored(p.Entry, &e); err != nil {
		return e, err
	}
	e.Private, e.Status, e.Version = now.Clone().Private, now.Status, now.Version
	return e, nil
}

// Proposals lists proposals after a key, the oldest first.
func Proposals(ctx context.Context, store directory.Records, after string, limit int) ([]Proposal, error) {
	records, err := store.Records(ctx, KindProposal, after, limit)
	if err != nil {
		return nil, err
	}
	out := make([]Proposal, len(records))
	for i, r := range records {
		if err := json.Unmarshal(r.Value, &out[i]); err != nil {
			return nil, fmt.Errorf("proposal %s: %w: %w", r.Key, directory.ErrCorrupt, err)
		}
	}
	return out, nil
}

// propose keeps a correction for a moderator to read.
func (s *Server) propose(c *fiber.Ctx, was, mine *directory.Entry, sent, typed url.Values, view frontend.PostingView) error {
	actor := account.From(c)
	if len(directory.Diff(was, mine)) == 0 && strings.TrimSpace(sent.Get("note")) == "" {
		return s.showForm(c, view, typed, directory.Invalid{{Field: "note", Code: directory.CodeRequired}}, nil)
	}
	contact := directory.Entry{Kind: directory.Place, Name: "x", Status: directory.Pending, Private: &directory.Private{Email: sent.Get("sender"), Note: sent.Get("note")}}
	directory.Normalize(&contact)
	var invalid directory.Invalid
	if errors.As(directory.Validate(&contact, directory.Rules{}), &invalid) {
		for i := range invalid {
			invalid[i].Field = map[string]string{"private.email": "sender", "private.note": "note"}[invalid[i].Field]
		}
		return s.showForm(c, view, typed, invalid, nil)
	}
	if done, err := s.suspicious(c, sent, was.Name); done || err != nil {
		return err
	}
	if was.Origin != "" {
		mail, note := "", ""
		if contact.Private != nil {
			mail, note = contact.Private.Email, contact.Private.Note
		}
		err := s.suggestElsewhere(c, was, mine, mail, note)
		if errors.As(err, &invalid) {
			return s.showForm(c, view, typed, invalid, nil)
		}
		return err
	}
	public := mine.Clone()
	public.Private = nil
	b, err := directory.EncodeStored(&public)
	if err != nil {
		return err
	}
	p := Proposal{ID: directory.NewID(), Of: was.ID, Base: was.Version, Entry: b, Author: actor.Author(), Lang: s.lang(c), Created: s.Now().UTC()}
	if contact.Private != nil {
		p.Mail, p.Note = contact.Private.Email, contact.Private.Note
	}
	value, err := json.Marshal(p)
	if err != nil {
		return err
	}
	if err := s.Directory.Store().PutRecord(c.UserContext(), KindProposal, directory.Record{Key: string(p.ID), Value: value}); err != nil {
		return err
	}
	return c.Redirect("/add/thanks?"+url.Values{"name": {was.Name}, "entry": {was.Slug}}.Encode(), http.StatusSeeOther)
}
