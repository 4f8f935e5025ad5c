package account

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"archipel/directory"

	"github.com/google/uuid"
)

// checkName says what is wrong with the name of an account.
func checkName(name string) *directory.Problem { return checkText("name", strings.TrimSpace(name), 80) }

// problems collects what is wrong with a form.
type problems directory.Invalid

func (p *problems) add(err error) {
	var invalid directory.Invalid
	if errors.As(err, &invalid) {
		*p = append(*p, invalid...)
	}
}

func (p *problems) one(problem *directory.Problem) {
	if problem != nil {
		*p = append(*p, *problem)
	}
}

func (p problems) err() error {
	if len(p) == 0 {
		return nil
	}
	return directory.Invalid(p)
}

// register asks for an account: nothing is made before the address is confirmed. password may be empty; it counts only in
// the browser that has the cookie asker.
func (s *Service) register(ctx context.Context, mail, name, password, lang, next, asker string) error {
	var wrong problems
	normal, err := NormalMail(mail)
	wrong.add(err)
	wrong.one(checkName(name))
	if password != "" {
		wrong.add(checkPassword("password", password, normal, name))
	}
	if err := wrong.err(); err != nil {
		return err
	}
	l := link{Kind: linkSignUp, Mail: normal, Name: strings.TrimSpace(name), Lang: lang, Role: Member, Next: next, Asker: hashed(asker)}
	if password != "" {
		if l.Password, err = s.password.hash(ctx, password); err != nil {
			return err
		}
	}
	return s.askLink(ctx, l)
}

// verify checks a password; the error is [ErrSignIn], whatever does not fit.
func (s *Service) verify(ctx context.Context, mail, password string) (*Account, error) {
	a, err := s.ByMail(ctx, mail)
	if err != nil && !errors.Is(err, ErrNoAccount) {
		return nil, err
	}
	hash := ""
	if a != nil {
		hash = a.Password
	}
	same, err := s.password.matches(ctx, password, hash)
	if err != nil {
		return nil, err
	}
	if !same || a.Blocked {
		return nil, ErrSignIn
	}
	return a, nil
}

// setPassword changes a password and ends every session and link.
func (s *Service) setPassword(ctx context.Context, id, password string) (*Account, error) {
	a, err := s.Get(ctx, id)
	if err != nil {
		return nil, err
	}
	if err := checkPassword("password", password, a.Mail, a.Name); err != nil {
		return nil, err
	}
	hash, err := s.password.hash(ctx, password)
	if err != nil {
		return nil, err
	}
	had := a.Password != ""
	a, err = s.update(ctx, id, func(a *Account) error {
		a.Password = hash
		a.Epoch++
		return nil
	})
	if err == nil && had {
		s.notify(ctx, a, "mail.password_changed", nil)
	}
	return a, err
}

// setMail makes a confirmed address the account's.
func (s *Service) setMail(ctx context.Context, id, mail string) (*Account, error) {
	if err := s.claimMail(ctx, mail, id); err != nil {
		return nil, err
	}
	var old string
	a, err := s.update(ctx, id, func(a *Account) error {
		old, a.Mail = a.Mail, mail
		a.Epoch++
		return nil
	})
	if err != nil || old == mail {
		return a, err
	}
	if err := s.Store.DeleteRecord(ctx, kindMail, old, 0); err != nil {
		return a, err
	}
	s.inform(ctx, Message{Key: "mail changed " + uuid.NewString(), To: old, Lang: a.Lang, Template: "mail.mail_changed", Params: map[string]string{"Name": a.Name, "Mail": mail}})
	return a, nil
}

// notify tells somebody about their account. What is told has happened already, so a failure is only logged.
func (s *Service) notify(ctx context.Context, a *Account, template string, params map[string]string) {
	if params == nil {
		params = map[string]string{}
	}
	params["Name"] = a.Name
	s.inform(ctx, Message{Key: template + " " + uuid.NewString(), Account: a.ID, Template: template, Params: params})
}

func (s *Service) inform(ctx context.Context, m Message) {
	if err := s.Mailer.Send(ctx, m); err != nil {
		s.Log.Error("a notice could not be queued", "template", m.Template, "err", err)
	}
}

// Create makes an account without a password and returns a single-use link that lets its owner choose one. It is for
// operators: nobody confirms the address.
func (s *Service) Create(ctx context.Context, mail, name string, role Role, lang string) (*Account, string, error) {
	var wrong problems
	normal, err := NormalMail(mail)
	wrong.add(err)
	if name == "" {
		name, _, _ = strings.Cut(normal, "@")
	}
	wrong.one(checkName(name))
	if !validRole(role) {
		wrong = append(wrong, directory.Problem{Field: "role", Code: directory.CodeUnknown, Params: map[string]any{"value": string(role)}})
	}
	if err := wrong.err(); err != nil {
		return nil, "", err
	}
	a := &Account{Mail: normal, Name: strings.TrimSpace(name), Role: role, Lang: lang}
	if err := s.create(ctx, a); err != nil {
		return nil, "", err
	}
	address, err := s.Welcome(ctx, a)
	return a, address, err
}

// Welcome is a new single-use link that lets an account's owner choose a password, valid for a week.
func (s *Service) Welcome(ctx context.Context, a *Account) (string, error) {
	return s.newLink(ctx, link{Kind: linkReset, Account: a.ID, Epoch: a.Epoch, Mail: a.Mail, Life: 7 * 24 * time.Hour})
}

func validRole(r Role) bool { return r == Member || r == Moderator || r == Admin }

// Standing is what administrators change of an account.
type Standing struct {
	Role    Role
	Trusted bool
	Blocked bool
	Wards   []Ward
}

// SetStanding changes an account's role and what goes with it. The last administrator stays one.
func (s *Service) SetStanding(ctx context.Context, id string, to Standing) (*Account, error) {
	if !validRole(to.Role) {
		return nil, directory.Invalid{{Field: "role", Code: directory.CodeUnknown, Params: map[string]any{"value": string(to.Role)}}}
	}
	if to.Role != Admin || to.Blocked {
		if err := s.notLastAdmin(ctx, id); err != nil {
			return nil, err
		}
	}
	return s.update(ctx, id, func(a *Account) error {
		if to.Blocked && !a.Blocked {
			a.Epoch++ // signed out everywhere
		}
		a.Role, a.Trusted, a.Blocked, a.Wards = to.Role, to.Trusted, to.Blocked, to.Wards
		return nil
	})
}

func (s *Service) notLastAdmin(ctx context.Context, id string) error {
	var is, other bool
	err := s.All(ctx, func(a *Account) bool {
		if a.Role == Admin && !a.Blocked {
			is, other = is || a.ID == id, other || a.ID != id
		}
		return true
	})
	if err == nil && is && !other {
		return ErrLastAdmin
	}
	return err
}

// Delete erases an account, and by Options.Forget what else is known of the person. The account goes last, so that a
// deletion that was cut short can be asked for again. What the person wrote stays under the account's number alone.
func (s *Service) Delete(ctx context.Context, id string) error {
	if err := s.notLastAdmin(ctx, id); err != nil {
		return err
	}
	// From here on nobody acts in its name.
	a, err := s.update(ctx, id, func(a *Account) error {
		if !a.Leaving {
			a.Epoch++
		}
		a.Blocked, a.Leaving = true, true
		return nil
	})
	if err != nil {
		return err
	}
	if s.Forget != nil {
		if err := s.Forget(ctx, a); err != nil {
			return err
		}
	}
	kinds, err := s.Store.RecordKinds(ctx)
	if err != nil {
		return err
	}
	for _, kind := range kinds { // whatever kind: what has the account's id and "/" before its key is the account's
		err := s.eachRecord(ctx, kind, id, func(r directory.Record) error { return s.Store.DeleteRecord(ctx, kind, r.Key, 0) })
		if err != nil {
			return err
		}
	}
	s.inform(ctx, Message{Key: "deleted " + id, To: a.Mail, Lang: a.Lang, Template: "mail.deleted", Params: map[string]string{"Name": a.Name}})
	if err := s.Store.DeleteRecord(ctx, kindMail, a.Mail, 0); err != nil {
		return err
	}
	return s.Store.DeleteRecord(ctx, kindAccount, id, 0)
}

// Tidy finishes deletions that were cut short.
func (s *Service) Tidy(ctx context.Context) error {
	var leaving []string
	err := s.All(ctx, func(a *Account) bool {
		if a.Leaving {
			leaving = append(leaving, a.ID)
		}
		return true
	})
	for _, id := range leaving {
		err = errors.Join(err, s.Delete(ctx, id))
	}
	return err
}

// exported is all that is kept of a person, as the person gets it.
type exported struct {
	Account  exportedAccount `json:"account"`
	Sessions []Session       `json:"sessions"`
	Tokens   []Token         `json:"tokens"`
	Owned    any             `json:"directory,omitempty"`
	Digests  any             `json:"digests,omitempty"`

	Records map[string][]json.RawMessage `json:"records,omitempty"` // by kind: drafts and the like
}

type exportedAccount struct {
	Account
	Password    string `json:"password,omitempty"` // a hash is nobody's business: left out
	HasPassword bool   `json:"has_password"`
}

// Export is everything that is kept of somebody, without secrets.
func (s *Service) Export(ctx context.Context, actor *Actor) (any, error) {
	a, err := s.Get(ctx, actor.ID)
	if err != nil {
		return nil, err
	}
	out := exported{Account: exportedAccount{Account: *a, HasPassword: a.Password != ""}}
	if out.Sessions, err = s.Sessions(ctx, actor); err != nil {
		return nil, err
	}
	if out.Tokens, err = s.Tokens(ctx, a.ID); err != nil {
		return nil, err
	}
	if s.Owned != nil {
		if out.Owned, err = s.Owned(ctx, a); err != nil {
			return nil, err
		}
	}
	if s.Digests != nil {
		if out.Digests, err = s.Digests(ctx, a); err != nil {
			return nil, err
		}
	}
	kinds, err := s.Store.RecordKinds(ctx)
	if err != nil {
		return nil, err
	}
	out.Records = map[string][]json.RawMessage{}
	for _, kind := range kinds {
		if kind == kindSession || kind == kindToken { // told above, without their hashes
			continue
		}
		err := s.eachRecord(ctx, kind, a.ID, func(r directory.Record) error {
			out.Records[kind] = append(out.Records[kind], r.Value)
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}
