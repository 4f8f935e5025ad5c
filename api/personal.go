package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"archipel/api/account"
	"archipel/directory"
)

// Forget erases from the directory what is known of a person whose account is deleted: the person's place in the teams of
// entries, the mail address beside entries, and with it the content of the changes that hold it. Entries that nobody but
// the person ever saw go altogether; others stay, under the account's number. It can be repeated.
func Forget(d *directory.Directory) func(context.Context, *account.Account) error {
	return func(ctx context.Context, a *account.Account) error {
		known, err := traces(ctx, d, a)
		if err != nil {
			return err
		}
		for id, t := range known {
			if err := forgetIn(ctx, d, a, id, t); err != nil {
				return fmt.Errorf("forget account %s in entry %s: %w", a.ID, id, err)
			}
		}
		if err := ForgetDrafts(ctx, d.Store(), a.ID); err != nil {
			return err
		}
		if err := forgetCorrections(ctx, d.Store(), a); err != nil {
			return err
		}
		return forgetProposals(ctx, d.Store(), a)
	}
}

// forgetProposals takes a person's mail address out of the corrections that wait.
func forgetProposals(ctx context.Context, store directory.Store, a *account.Account) error {
	for after := ""; ; {
		page, err := store.Records(ctx, KindProposal, after, 100)
		if err != nil || len(page) == 0 {
			return err
		}
		for _, r := range page {
			after = r.Key
			var p Proposal
			if err := json.Unmarshal(r.Value, &p); err != nil {
				return fmt.Errorf("proposal %s: %w: %w", r.Key, directory.ErrCorrupt, err)
			}
			if !strings.EqualFold(p.Mail, a.Mail) {
				continue
			}
			p.Mail = ""
			if r.Value, err = json.Marshal(p); err != nil {
				return err
			}
			// Somebody who decided on it meanwhile took it away.
			if err := store.PutRecord(ctx, KindProposal, r); err != nil && !errors.Is(err, directory.ErrStale) {
				return err
			}
		}
	}
}

// trace is what the log of one entry holds of a person.
type trace struct {
	team   bool          // the entry's present team has the account
	mail   directory.Seq // the newest change with the person's mail address
	public bool          // it was public at some time
}

// traces reads the whole log, which is the only place that knows what entries once held.
func traces(ctx context.Context, d *directory.Directory, a *account.Account) (map[directory.ID]trace, error) {
	found, public := map[directory.ID]trace{}, map[directory.ID]bool{}
	for after := directory.Seq(0); ; {
		changes, err := d.Changes(ctx, after, 1000)
		if err != nil {
			return nil, err
		}
		if len(changes) == 0 {
			break
		}
		for i := range changes {
			c := &changes[i]
			e := &c.Entry
			after = c.Seq
			if e.Public() {
				public[e.ID] = true
			}
			t, was := found[e.ID]
			t.team = e.Private != nil && (slices.Contains(e.Private.Owners, a.ID) || slices.Contains(e.Private.Editors, a.ID))
			if e.Private != nil && strings.EqualFold(e.Private.Email, a.Mail) {
				t.mail = c.Seq
			}
			if was || t.team || t.mail > 0 {
				found[e.ID] = t
			}
		}
	}
	for id, t := range found {
		t.public = public[id]
		found[id] = t
	}
	return found, nil
}

func forgetIn(ctx context.Context, d *directory.Directory, a *account.Account, id directory.ID, t trace) error {
	for try := 0; ; try++ {
		e, err := d.Entry(ctx, id)
		if err != nil {
			return err
		}
		if e.Private == nil || e.Status == directory.Removed && e.Name == "" {
			break
		}
		e = e.Clone()
		without := func(list []string) []string {
			return slices.DeleteFunc(list, func(s string) bool { return s == a.ID })
		}
		before := len(e.Private.Owners) + len(e.Private.Editors)
		e.Private.Owners, e.Private.Editors = without(e.Private.Owners), without(e.Private.Editors)
		others := len(e.Private.Owners) + len(e.Private.Editors)
		if !t.public && others == 0 && before > 0 {
			return d.Redact(ctx, "system", id)
		}
		mine := strings.EqualFold(e.Private.Email, a.Mail)
		if mine {
			e.Private.Email, e.Private.Phone = "", ""
		}
		if before == others && !mine {
			break
		}
		w := directory.Write{Author: "system"}
		if before != others {
			w.Op = directory.OpTeam
			handDown(&e)
		}
		w.Entries = []directory.Entry{e}
		outcomes, err := d.Write(ctx, w)
		if err != nil {
			return err
		}
		if err := outcomes[0].Err; err == nil {
			break
		} else if try == 5 {
			return err
		}
	}
	if t.mail == 0 {
		return nil
	}
	_, err := d.Store().Redact(ctx, id, t.mail)
	return err
}

// handDown gives an entry whose last owner is gone to whoever edits it the longest. One that nobody keeps is not claimed any more.
func handDown(e *directory.Entry) {
	p := e.Private
	if len(p.Owners) == 0 && len(p.Editors) > 0 && p.Team == "" {
		p.Owners, p.Editors = p.Editors[:1:1], slices.Clone(p.Editors[1:])
	}
	if len(p.Owners) == 0 && p.Team == "" {
		e.Claimed = time.Time{}
	}
}

// ownedEntry is an entry in the export of a person's data.
type ownedEntry struct {
	ID     directory.ID     `json:"id"`
	Name   string           `json:"name"`
	Status directory.Status `json:"status"`
	Role   string           `json:"role"` // owner or editor
}

// ownedChange is a change that a person made.
type ownedChange struct {
	Seq   directory.Seq `json:"seq"`
	Time  time.Time     `json:"time"`
	Op    directory.Op  `json:"operation"`
	Entry directory.ID  `json:"entry"`
	Name  string        `json:"name,omitempty"` // of the entry at that time
	Note  string        `json:"note,omitempty"`
}

type ownedWaits struct {
	Of      directory.ID     `json:"of"`
	Created time.Time        `json:"created"`
	Note    string           `json:"note,omitempty"`
	Entry   *directory.Entry `json:"entry"` // as it would be
}

// ownedSent is a correction that waits for the answer of another directory.
type ownedSent struct {
	Of      directory.ID `json:"of"`
	Island  string       `json:"island"`
	Created time.Time    `json:"created"`
	Note    string       `json:"note,omitempty"`
}

// Owned lists what belongs to an account, for the export of one's data: entries whose team has it, every change that it
// made, and those that wait for moderators.
func Owned(d *directory.Directory) func(context.Context, *account.Account) (any, error) {
	return func(ctx context.Context, a *account.Account) (any, error) {
		var out struct {
			Entries []ownedEntry  `json:"entries"`
			Changes []ownedChange `json:"changes"`
			Waiting []ownedWaits  `json:"waiting,omitempty"`
			Sent    []ownedSent   `json:"sent,omitempty"`
		}
		for after := directory.Seq(0); ; {
			changes, err := d.Changes(ctx, after, 1000)
			if err != nil {
				return nil, err
			}
			if len(changes) == 0 {
				break
			}
			for i := range changes {
				c := &changes[i]
				if after = c.Seq; c.Author == account.AuthorPrefix+a.ID {
					out.Changes = append(out.Changes, ownedChange{c.Seq, c.Time, c.Op, c.Entry.ID, c.Entry.Name, c.Note})
				}
			}
		}
		err := d.Scan(ctx, func(entries []directory.Entry) error {
			for i := range entries {
				e := &entries[i]
				switch {
				case e.Private == nil:
				case slices.Contains(e.Private.Owners, a.ID):
					out.Entries = append(out.Entries, ownedEntry{e.ID, e.Name, e.Status, "owner"})
				case slices.Contains(e.Private.Editors, a.ID):
					out.Entries = append(out.Entries, ownedEntry{e.ID, e.Name, e.Status, "editor"})
				}
			}
			return nil
		})
		for after := ""; err == nil; {
			var page []Proposal
			if page, err = Proposals(ctx, d.Store(), after, 200); len(page) == 0 {
				break
			}
			for i := range page {
				p := &page[i]
				if after = string(p.ID); p.Author != account.AuthorPrefix+a.ID {
					continue
				}
				var e directory.Entry
				if err = directory.DecodeStored(p.Entry, &e); err != nil {
					break
				}
				out.Waiting = append(out.Waiting, ownedWaits{p.Of, p.Created, p.Note, &e})
			}
		}
		if err == nil {
			err = corrections(ctx, d.Store(), func(_ directory.Record, c *sentCorrection) error {
				if c.Author == account.AuthorPrefix+a.ID {
					out.Sent = append(out.Sent, ownedSent{c.Of, c.Island, c.Created, c.Note})
				}
				return nil
			})
		}
		return out, err
	}
}
