package api

import (
	"context"
	"strconv"
	"strings"
	"time"

	"archipel/api/account"
	"archipel/directory"
	"archipel/frontend"
)

// lateNews is when a decision is too old to write a mail about: a log that was restored is not told again.
const lateNews = 7 * 24 * time.Hour

// Decisions is the follower that tells authors what moderators decided. It reads the log, so that a decision which stands
// is told, also when the program died right after; the mailer sends each mail once.
type Decisions struct {
	d      *directory.Directory
	mailer *account.Mailer
	base   string // scheme and host of links
	site   func() Site
	now    func() time.Time
}

// Decisions makes the follower; the server needs its accounts for it. address is where links lead while the instance has
// no public URL.
func (s *Server) Decisions(address string) *Decisions {
	base := s.PublicURL
	if base == "" {
		base = address
	}
	return &Decisions{d: s.Directory, mailer: s.Accounts.Mailer, base: base, site: s.Site, now: s.Now}
}

// Name implements [directory.Follower].
func (f *Decisions) Name() string { return "decision-mails" }

// Shared implements [directory.Shared]: a mail goes out once, however many nodes there are.
func (f *Decisions) Shared() bool { return true }

// Consume implements [directory.Follower].
func (f *Decisions) Consume(ctx context.Context, changes []directory.Change) error {
	for i := range changes {
		ch := &changes[i]
		if !strings.HasPrefix(ch.Author, account.AuthorPrefix) || ch.Redacted || f.now().Sub(ch.Time) > lateNews {
			continue
		}
		past, err := f.d.History(ctx, ch.Entry.ID, ch.Seq, historyRead)
		if err != nil {
			return err
		}
		if len(past) == 0 || past[0].Entry.Status != directory.Pending || past[0].Redacted {
			continue
		}
		st := storyOf(past)
		if st.author == ch.Author {
			continue // one's own
		}
		decision := decisionOf(ch, &past[0].Entry, st)
		if decision == "" {
			continue
		}
		if err := f.tell(ctx, ch, &past[0].Entry, st.author, decision); err != nil {
			return err
		}
	}
	return nil
}

// decisionOf recognises what a change decided about the entry that waited before it; empty: nothing.
func decisionOf(ch *directory.Change, before *directory.Entry, st story) string {
	switch {
	case isQuestion(ch, before, st.author):
		return "ask"
	case ch.Entry.MergedInto != "":
		return "merge"
	case ch.Entry.Status == directory.Removed, ch.Op == directory.OpRevert && ch.Entry.Public():
		return "refuse"
	case ch.Entry.Public():
		return "approve"
	}
	return ""
}

// tell writes to whoever sent the entry.
func (f *Decisions) tell(ctx context.Context, ch *directory.Change, before *directory.Entry, author, decision string) error {
	m := account.Message{
		Key: "decision " + string(ch.Entry.ID) + " " + strconv.FormatInt(int64(ch.Seq), 10), Template: "mail.decision_" + decision,
		Params: map[string]string{"Entry": before.Name, "Reason": ch.Note},
	}
	if id, ok := strings.CutPrefix(author, account.AuthorPrefix); ok {
		m.Account = id
	} else if before.Private != nil && before.Private.Email != "" {
		m.To, m.Lang = before.Private.Email, f.language(before)
	} else {
		return nil // nobody to write to
	}
	switch {
	case decision == "merge":
		into, err := f.d.Entry(ctx, ch.Entry.MergedInto)
		if err != nil {
			return err
		}
		m.Link, m.Params["Into"] = f.base+frontend.EntryURL(into.Slug), into.Name
	case decision == "approve" || ch.Entry.Public():
		m.Link = f.base + frontend.EntryURL(ch.Entry.Slug)
	case m.Account != "" && decision == "ask":
		m.Link = f.base + frontend.EntryURL(ch.Entry.Slug)
	default:
		m.Link = f.base + "/"
	}
	return f.mailer.Send(ctx, m)
}

// language is that of an entry where the directory speaks it, for a reader without an account.
func (f *Decisions) language(e *directory.Entry) string {
	for _, lang := range f.site().Languages {
		if e.Lang != "" && sameLanguage(lang, e.Lang) {
			return lang
		}
	}
	return ""
}
