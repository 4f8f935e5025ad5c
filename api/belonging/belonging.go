// Package belonging is who keeps an entry: how people of a place prove that they are, and how their team changes.
//
// Claims and invitations are records of the store; who is of a team stands in the entry itself, so that the log tells every
// change of it. What anybody may do is decided by package account alone.
package belonging

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"archipel/api/account"
	"archipel/directory"
	"archipel/frontend"

	"github.com/a-h/templ"
	"github.com/gofiber/fiber/v2"
)

// Options are the parts of a [Service]. All are required but Broken.
type Options struct {
	Directory *directory.Directory
	Accounts  *account.Service
	Site      func() account.Site
	// Page and Render say how a page begins and how it is written.
	Page   func(*fiber.Ctx, string) frontend.Page
	Render func(*fiber.Ctx, templ.Component) error
	// Broken lists the links of an entry that do not answer any more; nil: nobody looks.
	Broken func(context.Context, *directory.Entry) ([]frontend.BrokenLink, error)
}

// Service knows who keeps what. Create it with [New].
type Service struct{ Options }

// New makes a service. It registers with the accounts' mailer, so there is one for each.
func New(o Options) *Service {
	s := &Service{o}
	o.Accounts.Mailer.Register("claim-proof", s.makeProof)
	o.Accounts.Mailer.Register("team-invite", s.makeInvite)
	return s
}

func (s *Service) now() time.Time { return s.Accounts.Now().UTC().Truncate(time.Millisecond) }

// note is a comment for the log, in the directory's language: a text of the locale's [team], and what somebody added.
func (s *Service) note(key, more string) string {
	text := frontend.T(s.Site().Languages[0]).Text("team." + key)
	if more != "" {
		text += "\n" + more
	}
	return text
}

// Roles in a team.
const (
	roleOwner  = "owner"
	roleEditor = "editor"
)

// errUnchanged ends a [Service.change] without writing.
var errUnchanged = errors.New("nothing to change")

// change changes who keeps an entry, in the log; f is called again when somebody else wrote meanwhile.
func (s *Service) change(ctx context.Context, id directory.ID, author, note string, f func(*directory.Entry) error) (directory.Entry, error) {
	for try := 0; ; try++ {
		e, err := s.Directory.Entry(ctx, id)
		if err != nil {
			return e, err
		}
		e = e.Clone()
		if e.Private == nil {
			e.Private = &directory.Private{}
		}
		if err := f(&e); errors.Is(err, errUnchanged) {
			return e, nil
		} else if err != nil {
			return e, err
		}
		outcomes, err := s.Directory.Write(ctx, directory.Write{Author: author, Op: directory.OpTeam, Note: note, Entries: []directory.Entry{e}})
		if err != nil {
			return e, err
		}
		var conflict *directory.ConflictError
		if err := outcomes[0].Err; !errors.As(err, &conflict) || try == 5 {
			if err != nil {
				return e, fmt.Errorf("team of entry %s: %w", id, err)
			}
			return outcomes[0].Entry, nil
		}
	}
}

// join puts an account into an entry's own team; whoever is its owner stays one.
func join(e *directory.Entry, id, role string) {
	if slices.Contains(e.Private.Owners, id) {
		return
	}
	if role == roleEditor {
		if !slices.Contains(e.Private.Editors, id) {
			e.Private.Editors = append(e.Private.Editors, id)
		}
		return
	}
	e.Private.Editors = without(e.Private.Editors, id)
	e.Private.Owners = append(e.Private.Owners, id)
}

func without(list []string, id string) []string {
	return slices.DeleteFunc(list, func(s string) bool { return s == id })
}
