package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"archipel/api/account"
	"archipel/directory"
	"archipel/frontend"

	"github.com/gofiber/fiber/v2"
)

// Corrections is the way by which corrections travel between directories that have an agreement.
type Corrections interface {
	// Page is the address of an entry of another directory there.
	Page(e *directory.Entry) string
	// Correctable reports whether a correction of an entry of another directory can be brought to it.
	Correctable(e *directory.Entry) bool
	// Suggest offers a correction of an entry to the directory that it belongs to: was is the entry as it stands here, mine
	// as it should be. Nothing private of it goes, nor who suggests it. The answer comes to [CorrectionAnswered], under the id.
	// A [directory.Invalid] says what is missing.
	Suggest(ctx context.Context, id directory.ID, was, mine *directory.Entry, note string) error
	// AnswerOffer tells the directory that suggested a correction what was decided: "approve", "refuse" or, when nothing is
	// yet, "ask". A second answer of the same kind does nothing.
	AnswerOffer(ctx context.Context, id directory.ID, answer, reason string) error
}

// kindCorrection is the kind of the records of corrections that were brought to another directory: who waits for an answer.
// Nothing of it leaves the instance.
const kindCorrection = "correction-sent"

type sentCorrection struct {
	Of      directory.ID `json:"of"`
	Name    string       `json:"name"`   // of the entry
	Island  string       `json:"island"` // what it calls itself
	Author  string       `json:"author"`
	Mail    string       `json:"mail,omitempty"`
	Lang    string       `json:"lang,omitempty"`
	Note    string       `json:"note,omitempty"`
	Created time.Time    `json:"created"`
}

// TakeCorrection keeps what another directory suggests for an entry of ours as a [Proposal]. What came before, or was
// decided, is not kept twice; a [directory.Invalid] is of no use to anybody. Categories that the entry has, or had when its
// sender read it, may stay.
func TakeCorrection(d *directory.Directory, rules func() directory.Rules) func(context.Context, directory.Correction) error {
	return func(ctx context.Context, c directory.Correction) error {
		now, err := d.Entry(ctx, c.Of)
		if err != nil {
			return err
		}
		base := &now
		if c.Base != now.Version {
			if read, err := d.At(ctx, c.Of, c.Base); err == nil {
				base = &read.Entry
			}
		}
		if err := directory.Validate(&c.Entry, rules().Keeping(&now, base)); err != nil {
			return err
		}
		store := d.Store()
		for _, kind := range []string{KindProposal, kindProposalClosed} {
			if rec, err := store.Record(ctx, kind, string(c.ID)); err != nil || rec.Rev > 0 {
				return err
			}
		}
		b, err := directory.EncodeStored(&c.Entry)
		if err != nil {
			return err
		}
		value, err := json.Marshal(Proposal{ID: c.ID, Of: c.Of, Base: c.Base, Entry: b, Author: "island:" + c.Island, Island: c.Island, Note: c.Note, Created: c.Created})
		if err != nil {
			return err
		}
		err = store.PutRecord(ctx, KindProposal, directory.Record{Key: string(c.ID), Value: value})
		if errors.Is(err, directory.ErrStale) {
			return nil
		}
		return err
	}
}

// CorrectionUnfit says in a language why a correction is refused that is not valid here, for people of another directory.
func CorrectionUnfit(lang string, invalid directory.Invalid) string {
	l := frontend.T(lang)
	text := l.Text("corrections.unfit")
	for _, p := range invalid {
		field, problem := l.ProblemText(frontend.Problem{Field: p.Field, Code: p.Code, Params: p.Params})
		text += "\n" + l.Text("corrections.unfit_field", "Field", field, "Problem", problem)
	}
	return text
}

// CorrectionAnswered tells people what another directory says of the corrections that they suggested: "approve", "refuse",
// "ask" or "lost". The same key is told once.
func CorrectionAnswered(store directory.Store, mailer *account.Mailer) func(ctx context.Context, id directory.ID, answer, key, reason string) error {
	return func(ctx context.Context, id directory.ID, answer, key, reason string) error {
		rec, err := store.Record(ctx, kindCorrection, string(id))
		if err != nil || rec.Rev == 0 {
			return err
		}
		var c sentCorrection
		if err := json.Unmarshal(rec.Value, &c); err != nil {
			return fmt.Errorf("correction %s: %w: %w", id, directory.ErrCorrupt, err)
		}
		m := account.Message{Key: "correction " + string(id) + " " + key, Template: "mail.correction_" + answer, Params: map[string]string{"Entry": c.Name, "Island": c.Island, "Reason": reason}}
		if err := answerBy(ctx, mailer, m, c.Author, c.Mail, c.Lang); err != nil {
			return err
		}
		if answer == "ask" {
			return nil // another answer will come
		}
		return store.DeleteRecord(ctx, kindCorrection, string(id), 0)
	}
}

// island is what a directory calls itself, or its host while nothing is known of it.
func (s *Server) island(host string) string {
	if s.Archipelago == nil || host == "" {
		return host
	}
	name, _ := s.Archipelago.Island(host)
	return name
}

// suggestElsewhere brings a correction to the directory that an entry belongs to. Who waits for the answer is noted first.
func (s *Server) suggestElsewhere(c *fiber.Ctx, was, mine *directory.Entry, mail, note string) error {
	ctx, id := c.UserContext(), directory.NewID()
	value, err := json.Marshal(sentCorrection{
		Of: was.ID, Name: was.Name, Island: s.island(was.Origin), Author: account.From(c).Author(), Mail: mail, Lang: s.lang(c), Note: note, Created: s.Now().UTC(),
	})
	if err != nil {
		return err
	}
	store := s.Directory.Store()
	if err := store.PutRecord(ctx, kindCorrection, directory.Record{Key: string(id), Value: value}); err != nil {
		return err
	}
	if err := s.Corrections.Suggest(ctx, id, was, mine, note); err != nil {
		return errors.Join(err, store.DeleteRecord(ctx, kindCorrection, string(id), 0))
	}
	return c.Redirect("/add/thanks?"+url.Values{"name": {was.Name}, "entry": {was.Slug}}.Encode(), http.StatusSeeOther)
}

// elsewherePage says where an entry of another directory can be corrected, when nothing can be brought there.
func (s *Server) elsewherePage(c *fiber.Ctx, e *directory.Entry) error {
	p := s.page(c, frontend.T(s.lang(c)).Text("posting.suggest"))
	p.NoIndex, p.Canonical = true, ""
	c.Set(fiber.HeaderCacheControl, "private, no-store")
	return s.render(c, frontend.CorrectElsewhere(p, frontend.ElsewhereView{Name: e.Name, Island: s.island(e.Origin), URL: s.Corrections.Page(e), Back: frontend.EntryURL(e.Slug)}))
}

// suggestible reports whether people can suggest something for an entry as it stands: it is ours, or there is an
// archipelago by which its own directory may hear of it.
func (s *Server) suggestible(e *directory.Entry) bool {
	return e.Public() && (e.Origin == "" || s.Corrections != nil)
}

// corrections calls fn with those that wait for an answer elsewhere.
func corrections(ctx context.Context, store directory.Records, fn func(directory.Record, *sentCorrection) error) error {
	for after := ""; ; {
		page, err := store.Records(ctx, kindCorrection, after, 200)
		if err != nil || len(page) == 0 {
			return err
		}
		for _, r := range page {
			after = r.Key
			var one sentCorrection
			if err := json.Unmarshal(r.Value, &one); err != nil {
				return fmt.Errorf("correction %s: %w: %w", r.Key, directory.ErrCorrupt, err)
			}
			if err := fn(r, &one); err != nil {
				return err
			}
		}
	}
}

// forgetCorrections takes a person out of the corrections that wait for an answer elsewhere.
func forgetCorrections(ctx context.Context, store directory.Store, a *account.Account) error {
	return corrections(ctx, store, func(r directory.Record, c *sentCorrection) error {
		if c.Author != account.AuthorPrefix+a.ID && !strings.EqualFold(c.Mail, a.Mail) {
			return nil
		}
		return store.DeleteRecord(ctx, kindCorrection, r.Key, 0)
	})
}
