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

	"archipel/directory"
	"archipel/frontend"

	"github.com/gofiber/fiber/v2"
)

// A draft that was sent is no draft any more. For a day it leaves word of what it became, so that sending it again, after an
// answer that was lost or with a second click, leads where the first answer led.

// kindSent is the kind of the records of drafts that were sent; a key is that of the draft.
const kindSent = "draft-sent"

const sentLife = 24 * time.Hour

// sentError says that a draft was sent, and what it became. Only who could read the draft gets it.
type sentError struct {
	Entry   directory.ID `json:"entry"`
	visitor bool         // it was sent without an account
}

func (e *sentError) Error() string { return "the draft was sent: it is entry " + string(e.Entry) }

// noteSent forgets a draft and leaves word of what it became. A program that dies in between has done neither, or left the draft:
// sending that again makes no second entry, for it has the identity of the first.
func (s *Server) noteSent(ctx context.Context, d *draft, entry directory.ID) error {
	b, err := json.Marshal(sentError{Entry: entry})
	if err != nil {
		return err
	}
	// Stores go by their own clock.
	err = s.Directory.Store().PutRecord(ctx, kindSent, directory.Record{Key: d.key, Value: b, Expires: time.Now().Add(sentLife)})
	if err != nil && !errors.Is(err, directory.ErrStale) { // it is there when two sent at once
		return err
	}
	return s.dropDraft(ctx, d)
}

// notThere is the error for a draft that is not there: a [sentError] when it was sent.
func (s *Server) notThere(ctx context.Context, keys ...string) error {
	for _, key := range keys {
		r, err := s.Directory.Store().Record(ctx, kindSent, key)
		if err != nil {
			return err
		}
		if r.Rev == 0 {
			continue
		}
		sent := &sentError{visitor: strings.HasPrefix(key, "visitor/")}
		if err := json.Unmarshal(r.Value, sent); err != nil {
			return fmt.Errorf("draft that was sent: %w: %w", directory.ErrCorrupt, err)
		}
		return sent
	}
	return directory.ErrNotFound
}

// orResult leads to what a draft became, when err says that it was sent.
func (s *Server) orResult(c *fiber.Ctx, err error) error {
	var sent *sentError
	if !errors.As(err, &sent) {
		return err
	}
	if c.FormValue("action") == "keep" { // what the island keeps while one types, arriving late
		return c.SendStatus(http.StatusNoContent)
	}
	e, err := s.Directory.Entry(c.UserContext(), sent.Entry)
	if err != nil {
		return err
	}
	return s.leadOn(c, &e, !sent.visitor)
}

// leadOn leads on from the last step, to what was sent by somebody with an account, or without one.
func (s *Server) leadOn(c *fiber.Ctx, e *directory.Entry, account bool) error {
	switch {
	case e.Public():
		return c.Redirect(frontend.EntryURL(e.Slug), http.StatusSeeOther)
	case account && e.Status == directory.Pending:
		return c.Redirect("/me/entries?done=waits", http.StatusSeeOther)
	case account:
		return c.Redirect("/me/entries", http.StatusSeeOther)
	case e.Status == directory.Pending:
		return c.Redirect("/add/thanks?"+url.Values{"name": {e.Name}}.Encode(), http.StatusSeeOther)
	}
	return goneError{} // moderators have decided meanwhile
}
