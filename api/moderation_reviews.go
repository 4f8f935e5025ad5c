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

// kindReview is the kind of the records of public entries that somebody changed who may not publish, and that no
// moderator has looked at since; a key is the entry's ID.
const kindReview = "review"

// review says what is to be looked at of a public entry. It can be told again from the log.
type review struct {
	Base     directory.Seq `json:"base"` // the last version that somebody who may publish wrote or approved
	Last     directory.Seq `json:"last"` // the changes up to here are counted
	Since    time.Time     `json:"since"`
	Author   string        `json:"author"` // of the newest change, as in the log
	Asked    time.Time     `json:"asked,omitzero"`
	Question string        `json:"question,omitempty"`
	Answered bool          `json:"answered,omitempty"` // something changed after the question
}

// outcome is what a change of somebody who may publish says of what was to be looked at.
type outcome string

const (
	outcomeNone   outcome = ""
	outcomeAsk    outcome = "ask"
	outcomeRevert outcome = "revert"
	outcomeSeen   outcome = "seen" // with words for the author
)

// Reviews is the follower that notes which public entries were changed by somebody who may not publish, for the queue,
// and tells the author what came of it. It reads the log, so that nothing is overlooked when the program dies.
type Reviews struct {
	d        *directory.Directory
	accounts *account.Service
	base     string // scheme and host of links
	now      func() time.Time
}

// Reviews makes the follower; the server needs its accounts for it. address is where links lead while the instance has
// no public URL.
func (s *Server) Reviews(address string) *Reviews {
	base := s.PublicURL
	if base == "" {
		base = address
	}
	return &Reviews{d: s.Directory, accounts: s.Accounts, base: base, now: s.Now}
}

// Name implements [directory.Follower].
func (f *Reviews) Name() string { return "reviews" }

// Shared implements [directory.Shared]: what it notes is in the store, for all nodes.
func (f *Reviews) Shared() bool { return true }

// Consume implements [directory.Follower].
func (f *Reviews) Consume(ctx context.Context, changes []directory.Change) error {
	for i := range changes {
		if err := f.note(ctx, &changes[i]); err != nil {
			return err
		}
	}
	return nil
}

// note counts one change.
func (f *Reviews) note(ctx context.Context, ch *directory.Change) error {
	if ch.Entry.Origin != "" || lives(&ch.Entry) && !strings.HasPrefix(ch.Author, account.AuthorPrefix) {
		return nil
	}
	store, key := f.d.Store(), string(ch.Entry.ID)
	rec, err := store.Record(ctx, kindReview, key)
	if err != nil {
		return err
	}
	had, err := reviewOf(rec)
	if err != nil {
		return err
	}
	if had != nil && ch.Seq <= had.Last {
		return nil
	}
	has, came, err := f.fold(ctx, had, ch)
	if err != nil {
		return err
	}
	if came != outcomeNone && f.now().Sub(ch.Time) < lateNews {
		if err := f.tell(ctx, had.Author, ch, came); err != nil {
			return err
		}
	}
	switch {
	case has == nil && had == nil:
	case has == nil:
		err = store.DeleteRecord(ctx, kindReview, key, rec.Rev)
	default:
		if rec.Key = key; had != nil && *has == *had {
			break
		}
		if rec.Value, err = json.Marshal(has); err == nil {
			err = store.PutRecord(ctx, kindReview, rec)
		}
	}
	if err != nil {
		return fmt.Errorf("review of %s: %w", key, err)
	}
	return nil
}

// reviewOf reads a record; nil when there is none.
func reviewOf(rec directory.Record) (*review, error) {
	if rec.Rev == 0 {
		return nil, nil
	}
	r := &review{}
	if err := json.Unmarshal(rec.Value, r); err != nil {
		return nil, fmt.Errorf("review of %s: %w: %w", rec.Key, directory.ErrCorrupt, err)
	}
	return r, nil
}

// lives reports whether an entry is public, or may be so again without having been approved.
func lives(e *directory.Entry) bool { return e.Public() || e.Status == directory.Hidden }

// fold is what is to be looked at after one more change: nil when nothing is. r is left as it is.
func (f *Reviews) fold(ctx context.Context, r *review, ch *directory.Change) (*review, outcome, error) {
	if ch.Redacted || !lives(&ch.Entry) {
		return nil, outcomeNone, nil
	}
	next := &review{}
	if r != nil {
		*next = *r
	}
	next.Last = ch.Seq
	id, ok := strings.CutPrefix(ch.Author, account.AuthorPrefix)
	if !ok || ch.Op == directory.OpTeam || ch.Op == directory.OpMerge {
		return onlyIf(r, next), outcomeNone, nil
	}
	past, err := f.d.History(ctx, ch.Entry.ID, ch.Seq, 1)
	if err != nil {
		return nil, outcomeNone, err
	}
	if len(past) == 0 || past[0].Redacted || !lives(&past[0].Entry) {
		return nil, outcomeNone, nil // just published, by somebody who may
	}
	before := &past[0].Entry
	actor, err := f.accounts.Acting(ctx, id)
	if err != nil {
		return nil, outcomeNone, err
	}
	differs := len(judged(before, &ch.Entry)) > 0
	decides := account.May(actor, account.ModerateDecide, before) == nil // a trusted author's words are not for others
	if account.May(actor, account.EntryPublish, before) == nil {
		switch {
		case r == nil || differs && ch.Op != directory.OpRevert:
			return nil, outcomeNone, nil
		case !differs && !ch.Entry.Checked.Equal(before.Checked):
			if ch.Note != "" && decides {
				return nil, outcomeSeen, nil
			}
			return nil, outcomeNone, nil
		case !differs && ch.Note != "" && decides:
			next.Asked, next.Question, next.Answered = ch.Time, ch.Note, false
			return next, outcomeAsk, nil
		case !differs:
			return next, outcomeNone, nil
		}
		base, err := f.d.At(ctx, ch.Entry.ID, r.Base)
		if err != nil {
			return nil, outcomeNone, err
		}
		if !base.Redacted && len(judged(&base.Entry, &ch.Entry)) == 0 {
			return nil, outcomeRevert, nil
		}
		return nil, outcomeNone, nil
	}
	if !differs {
		return onlyIf(r, next), outcomeNone, nil
	}
	if r == nil {
		next.Base, next.Since = past[0].Seq, ch.Time
	}
	next.Author, next.Answered = ch.Author, !next.Asked.IsZero()
	base, err := f.d.At(ctx, ch.Entry.ID, next.Base)
	if err != nil {
		return nil, outcomeNone, err
	}
	if !base.Redacted && len(judged(&base.Entry, &ch.Entry)) == 0 {
		return nil, outcomeNone, nil // its author took it back
	}
	return next, outcomeNone, nil
}

// onlyIf is next when there was something to look at.
func onlyIf(r, next *review) *review {
	if r == nil {
		return nil
	}
	return next
}

// judged are the differences that moderators judge: what its people say by confirming it, who keeps it and what it
// organises, which the other entry's people allow, are none.
func judged(before, after *directory.Entry) []frontend.FieldChange {
	plain := func(e *directory.Entry) *directory.Entry {
		p := *e
		p.Checked, p.Claimed = time.Time{}, time.Time{}
		p.Relations = slices.DeleteFunc(slices.Clone(e.Relations), func(r directory.Relation) bool { return r.Rel == "organises" })
		return &p
	}
	return shownFields(plain(before), plain(after))
}

// tell writes to the author of what was looked at.
func (f *Reviews) tell(ctx context.Context, author string, ch *directory.Change, came outcome) error {
	id, ok := strings.CutPrefix(author, account.AuthorPrefix)
	if !ok || author == ch.Author {
		return nil
	}
	m := account.Message{
		Key: "review " + string(ch.Entry.ID) + " " + strconv.FormatInt(int64(ch.Seq), 10), Template: "mail.decision_ask", Account: id,
		Params: map[string]string{"Entry": ch.Entry.Name, "Reason": ch.Note}, Link: f.base + frontend.EntryURL(ch.Entry.Slug),
	}
	if came != outcomeAsk {
		m.Template = "mail.change_" + string(came)
	}
	return f.accounts.Mailer.Send(ctx, m)
}

// newest brings what a record says up to the entry as it stands, so that the queue never shows what is decided already.
func (f *Reviews) newest(ctx context.Context, r *review, e *directory.Entry) (*review, error) {
	if r == nil || r.Last >= e.Version {
		return r, nil
	}
	changes, err := f.d.History(ctx, e.ID, 0, historyRead)
	if err != nil {
		return nil, err
	}
	for i := range slices.Backward(changes) {
		if r == nil || changes[i].Seq <= r.Last {
			continue
		}
		if r, _, err = f.fold(ctx, r, &changes[i]); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// changeDecisions are what can be done with a change that is public already.
var changeDecisions = []string{"seen", "ask", "revert"}

// changed are the public entries that were changed by somebody who may not publish, as far as the actor decides about them.
func (s *Server) changed(ctx context.Context, actor *account.Actor) (list []queued, err error) {
	reviews := s.Reviews("")
	for after := ""; ; {
		page, err := s.Directory.Store().Records(ctx, kindReview, after, 500)
		if err != nil || len(page) == 0 {
			return list, err
		}
		ids, found := make([]directory.ID, len(page)), map[directory.ID]*review{}
		for i := range page {
			after, ids[i] = page[i].Key, directory.ID(page[i].Key)
			if found[ids[i]], err = reviewOf(page[i]); err != nil {
				return nil, err
			}
		}
		entries, err := s.Directory.Entries(ctx, ids)
		if err != nil {
			return nil, err
		}
		for i := range entries {
			e := &entries[i]
			if !e.Public() || account.May(actor, account.ModerateDecide, e) != nil {
				continue
			}
			r, err := reviews.newest(ctx, found[e.ID], e)
			if err != nil {
				return nil, err
			}
			if r == nil {
				continue
			}
			q := queued{entry: e, review: r}
			if !r.Asked.IsZero() && !r.Answered {
				q.asking = 1
			}
			list = append(list, q)
		}
	}
}

// changedItem tells of a change that is public and to be looked at.
func (s *Server) changedItem(ctx context.Context, show presenter, e *directory.Entry, r *review, names map[string]string) (frontend.QueueItem, error) {
	item := frontend.QueueItem{
		ID: "r-" + string(e.ID), Type: "changed", Name: e.Name, Kind: string(e.Kind), Town: e.Town(), Since: r.Since.In(show.zone), Action: "/moderate/changes/" + string(e.ID),
		Version: int64(e.Version), Choices: changeDecisions, PageURL: frontend.EntryURL(e.Slug), EditURL: frontend.EditURL(e.Slug),
		VersionsURL: frontend.VersionsURL(e.Slug) + "?" + url.Values{"from": {strconv.FormatInt(int64(r.Base), 10)}, "to": {strconv.FormatInt(int64(e.Version), 10)}}.Encode(),
		Facts:       []string{frontend.T(show.lang).Text("queue.public_already")},
	}
	if id := e.MainCategory(); id != "" {
		item.Category = show.category(id)
	}
	var err error
	if item.Author, err = s.authorFor(ctx, r.Author, names); err != nil {
		return item, err
	}
	if !r.Asked.IsZero() {
		item.Asked = &frontend.QueueQuestion{At: r.Asked.In(show.zone), Text: r.Question, Answered: r.Answered}
	}
	base, err := s.Directory.At(ctx, e.ID, r.Base)
	if err != nil {
		return item, err
	}
	if base.Redacted {
		item.Fields, item.Choices = show.readable(shownFields(nil, e)), []string{"seen", "ask"}
	} else {
		item.Fields = show.readable(judged(&base.Entry, e))
	}
	return item, nil
}

// decideChange says that a change which is public is right, asks its author, or takes it back. It is about the version
// that the form shows.
func (s *Server) decideChange(c *fiber.Ctx) error {
	ctx, l := c.UserContext(), frontend.T(s.lang(c))
	e, err := s.Directory.Entry(ctx, directory.ID(c.Params("id")))
	if err != nil {
		return err
	}
	if err := secret(account.Check(c, account.ModerateDecide, &e), &e); err != nil {
		return err
	}
	decision, id := c.FormValue("decision"), "r-"+string(e.ID)
	if !slices.Contains(changeDecisions, decision) {
		return invalidParam("decision", directory.CodeUnknown, decision)
	}
	reason, problem := reasonOf(c, decision != "seen")
	if problem != nil {
		if !wantsPage(c) {
			return directory.Invalid{*problem}
		}
		_, text := l.ProblemText(frontend.Problem{Field: problem.Field, Code: problem.Code, Params: problem.Params})
		c.Status(http.StatusBadRequest)
		return s.showQueue(c, attempt{id: id, reason: reason, problem: text, wrong: l.Text("queue.reason_missing", "Name", e.Name)})
	}
	rec, err := s.Directory.Store().Record(ctx, kindReview, string(e.ID))
	if err != nil {
		return err
	}
	r, err := reviewOf(rec)
	if err == nil {
		r, err = s.Reviews("").newest(ctx, r, &e)
	}
	if err != nil {
		return err
	}
	name := e.Name
	if r == nil || !e.Public() || c.FormValue("version") != strconv.FormatInt(int64(e.Version), 10) {
		err = &directory.ConflictError{Theirs: e}
	} else {
		err = s.settleChange(ctx, account.From(c).Author(), e, r, decision, reason)
	}
	var conflict *directory.ConflictError
	if errors.As(err, &conflict) && wantsPage(c) {
		c.Status(http.StatusConflict)
		return s.showQueue(c, attempt{id: id, reason: reason, wrong: l.Text("queue.conflict", "Name", name)})
	}
	if err != nil {
		return err
	}
	return c.Redirect("/moderate?"+url.Values{"show": {"changed"}, "done": {decision}, "entry": {string(e.ID)}}.Encode(), http.StatusSeeOther)
}

// settleChange writes a decision into the log, from where [Reviews] has it. e is the entry as the moderator saw it.
func (s *Server) settleChange(ctx context.Context, author string, e directory.Entry, r *review, decision, reason string) error {
	switch decision {
	case "revert":
		_, err := s.goBack(ctx, author, e, r.Base, e.Version, reason)
		return err
	case "ask":
		if e.Private == nil {
			e.Private = &directory.Private{}
		}
		e.Private.Note = appendLine(e.Private.Note, "? "+reason)
	default:
		now := s.Now().UTC()
		if next := e.Checked.Add(time.Second); now.Before(next) {
			now = next // that somebody looked is a change, however soon
		}
		e.Checked = now
	}
	outcomes, err := s.Directory.Write(ctx, directory.Write{Author: author, Note: reason, Entries: []directory.Entry{e}})
	if err != nil {
		return err
	}
	return outcomes[0].Err
}
