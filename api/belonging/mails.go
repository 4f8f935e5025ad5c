package belonging

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"archipel/api/account"
	"archipel/directory"
	"archipel/frontend"
)

// lateNews is when a change of a team is too old to write a mail about: a log that was restored is not told again.
const lateNews = 7 * 24 * time.Hour

// Mails is the follower that tells people what changed in the teams they are of. It reads the log, so that what stands is
// told, also when the program died right after; the mailer sends each mail once.
func (s *Service) Mails() directory.Follower { return mails{s} }

type mails struct{ s *Service }

// Name implements [directory.Follower].
func (mails) Name() string { return "team-mails" }

// Shared implements [directory.Shared].
func (mails) Shared() bool { return true }

// Consume implements [directory.Follower].
func (m mails) Consume(ctx context.Context, changes []directory.Change) error {
	for i := range changes {
		ch := &changes[i]
		if ch.Op != directory.OpTeam || ch.Redacted || m.s.now().Sub(ch.Time) > lateNews {
			continue
		}
		past, err := m.s.Directory.History(ctx, ch.Entry.ID, ch.Seq, 1)
		if err != nil {
			return err
		}
		if len(past) == 0 || past[0].Redacted {
			continue
		}
		if err := m.tell(ctx, ch, &past[0].Entry); err != nil {
			return err
		}
	}
	return nil
}

func teamOf(e *directory.Entry) directory.Private {
	if e.Private == nil {
		return directory.Private{}
	}
	return *e.Private
}

// tell writes to everybody whose place in the team changed and who did not do it, and to the owners that others stay.
func (m mails) tell(ctx context.Context, ch *directory.Change, was *directory.Entry) error {
	before, after := teamOf(was), teamOf(&ch.Entry)
	role := func(p directory.Private, id string) string {
		switch {
		case slices.Contains(p.Owners, id):
			return roleOwner
		case slices.Contains(p.Editors, id):
			return roleEditor
		}
		return ""
	}
	author := strings.TrimPrefix(ch.Author, account.AuthorPrefix)
	everybody := slices.Concat(before.Owners, before.Editors, after.Owners, after.Editors)
	slices.Sort(everybody)
	changed := false
	for _, id := range slices.Compact(everybody) {
		from, to := role(before, id), role(after, id)
		if from == to {
			continue
		}
		changed = true
		// Who proved or asked for it is told, too: that was another day.
		if id == author && from != "" {
			continue
		}
		template := map[string]string{roleOwner: "mail.team_owner", roleEditor: "mail.team_editor", "": "mail.team_out"}[to]
		link := frontend.TeamURL(ch.Entry.Slug)
		if to == "" {
			link = frontend.EntryURL(ch.Entry.Slug)
		}
		if err := m.send(ctx, ch, id, template, link); err != nil {
			return err
		}
	}
	if !changed {
		return nil
	}
	for _, id := range after.Owners {
		if id != author && role(before, id) == roleOwner {
			if err := m.send(ctx, ch, id, "mail.team_news", frontend.TeamURL(ch.Entry.Slug)); err != nil {
				return err
			}
		}
	}
	return nil
}

func (m mails) send(ctx context.Context, ch *directory.Change, to, template, link string) error {
	err := m.s.Accounts.Mailer.Send(ctx, account.Message{
		Key: fmt.Sprintf("team %s %d %s", ch.Entry.ID, ch.Seq, to), Account: to, Template: template,
		Params: map[string]string{"Entry": ch.Entry.Name, "Reason": ch.Note}, Link: m.s.Accounts.Base() + link,
	})
	if err != nil {
		return fmt.Errorf("mail about the team of %s: %w", ch.Entry.ID, err)
	}
	return nil
}
