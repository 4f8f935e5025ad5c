package account

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"archipel/directory"

	"github.com/google/uuid"
)

// linkKind is what a single-use link does.
type linkKind string

const (
	linkSignUp linkKind = "signup" // makes the account that somebody asked for
	linkSignIn linkKind = "signin"
	linkReset  linkKind = "reset"  // lets a new password be chosen
	linkMail   linkKind = "mail"   // makes an address the account's
	linkInvite linkKind = "invite" // lets an account be made although sign-up is closed
	linkSetup  linkKind = "setup"  // lets the first administrator be made
)

// lives is how long links work, unless one says otherwise.
var lives = map[linkKind]time.Duration{
	linkSignUp: 24 * time.Hour, linkSignIn: 20 * time.Minute, linkReset: 20 * time.Minute, linkMail: 24 * time.Hour,
	linkInvite: 14 * 24 * time.Hour, linkSetup: 7 * 24 * time.Hour,
}

// link is what is kept of one; its key is the hash of its secret.
type link struct {
	Kind     linkKind      `json:"kind"`
	Account  string        `json:"account,omitempty"`
	Epoch    int64         `json:"epoch,omitempty"` // of the account when it was made: a change of password ends it
	Mail     string        `json:"mail,omitempty"`
	Name     string        `json:"name,omitempty"`
	Password string        `json:"password,omitempty"` // hash
	Asker    string        `json:"asker,omitempty"`    // hash of the cookie of the browser in which a sign-up was asked for
	Lang     string        `json:"lang,omitempty"`
	Role     Role          `json:"role,omitempty"`
	Next     string        `json:"next,omitempty"` // local path to go on to
	Life     time.Duration `json:"life,omitempty"`
}

// newLink writes a link and returns its address.
func (s *Service) newLink(ctx context.Context, l link) (string, error) {
	life := l.Life
	if life == 0 {
		life = lives[l.Kind]
	}
	token := secret()
	if err := save(ctx, s.Store, kindLink, hashed(token), l, 0, s.Now().Add(life)); err != nil {
		return "", err
	}
	return s.base() + "/confirm?token=" + url.QueryEscape(token), nil
}

// Secret is a fresh token for a link, and the key under which what it opens is kept: nobody who reads the store can use it.
func Secret() (token, key string) {
	token = secret()
	return token, hashed(token)
}

// SecretKey is the key of a token of [Secret], empty for what cannot be one.
func SecretKey(token string) string {
	if len(token) != 43 {
		return ""
	}
	return hashed(token)
}

// OwnLink is the path of a single-use link that makes an account for an address whose owner just followed a link to us, or
// [ErrMailTaken]. It goes on to next.
func (s *Service) OwnLink(ctx context.Context, mail, lang, next string) (string, error) {
	switch _, err := s.ByMail(ctx, mail); {
	case err == nil:
		return "", ErrMailTaken
	case !errors.Is(err, ErrNoAccount):
		return "", err
	}
	address, err := s.newLink(ctx, link{Kind: linkInvite, Mail: mail, Lang: lang, Role: Member, Next: next, Life: time.Hour})
	return strings.TrimPrefix(address, s.Base()), err
}

// Base is the scheme and host of the site for links in mails: never one that a request claims.
func (s *Service) Base() string { return s.base() }

// base is the address of the site for links in mails: never one that a request claims.
func (s *Service) base() string {
	if s.PublicURL != "" {
		return s.PublicURL
	}
	return s.Address
}

// peek reads a link without using it up. The account is nil when there is none yet.
func (s *Service) peek(ctx context.Context, token string) (*link, *Account, int64, error) {
	if len(token) != 43 {
		return nil, nil, 0, ErrLink
	}
	var l link
	r, err := s.Store.Record(ctx, kindLink, hashed(token))
	if err != nil {
		return nil, nil, 0, err
	}
	if r.Rev == 0 || !r.Expires.IsZero() && !s.Now().Before(r.Expires) {
		return nil, nil, 0, ErrLink
	}
	if err := json.Unmarshal(r.Value, &l); err != nil { // what was read above: a second look may find it used up
		return nil, nil, 0, fmt.Errorf("%s record: %w: %w", kindLink, directory.ErrCorrupt, err)
	}
	if l.Account == "" {
		if l.Kind == linkSetup {
			has, err := s.HasAdmin(ctx)
			if err != nil {
				return nil, nil, 0, err
			}
			if has {
				return nil, nil, 0, ErrLink
			}
		}
		return &l, nil, r.Rev, nil
	}
	a, err := s.Get(ctx, l.Account)
	if errors.Is(err, ErrNoAccount) || err == nil && (a.Blocked || a.Epoch != l.Epoch) {
		return nil, nil, 0, ErrLink
	}
	return &l, a, r.Rev, err
}

// spend uses a link up: of several who try at once, one succeeds.
func (s *Service) spend(ctx context.Context, token string, rev int64) error {
	err := s.Store.DeleteRecord(ctx, kindLink, hashed(token), rev)
	if errors.Is(err, directory.ErrStale) {
		return ErrLink
	}
	return err
}

// askLink sends a link to an address by mail. It does the same work whether an account has the address or not: who it is
// for is looked up when the mail is sent.
func (s *Service) askLink(ctx context.Context, l link) error {
	return s.Mailer.Send(ctx, Message{Key: "link " + uuid.NewString(), To: l.Mail, Lang: l.Lang, ask: &l})
}

// fillLink makes the link that a mail asks for.
func (s *Service) fillLink(ctx context.Context, msg *Message, l link) (send bool, err error) {
	a, err := s.ByMail(ctx, l.Mail)
	if err != nil && !errors.Is(err, ErrNoAccount) {
		return false, err
	}
	// No word that somebody typed goes to an address that is not yet known to be theirs: only an account's owner is called
	// by name.
	msg.Template, msg.Params = "mail."+string(l.Kind), map[string]string{"Mail": l.Mail}
	if a != nil {
		msg.Params["Name"] = a.Name
	}
	switch l.Kind {
	case linkSignUp, linkInvite:
		if a == nil {
			break
		}
		// Whoever asked must not learn that the address is known; its owner does.
		if a.Blocked || l.Kind == linkInvite {
			return false, nil
		}
		l = link{Kind: linkSignIn, Next: l.Next}
		msg.Template = "mail.known"
		fallthrough
	case linkSignIn, linkReset:
		if a == nil || a.Blocked {
			return false, nil
		}
		l.Account, l.Epoch = a.ID, a.Epoch
		if a.Lang != "" {
			msg.Lang = a.Lang
		}
	case linkMail:
		if a != nil { // somebody else has it; they are told nothing
			return false, nil
		}
		of, err := s.Get(ctx, l.Account)
		if errors.Is(err, ErrNoAccount) || err == nil && of.Epoch != l.Epoch {
			return false, nil
		}
		if err != nil {
			return false, err
		}
	default:
		return false, fmt.Errorf("%w: no mail has a link of kind %q", ErrRefused, l.Kind)
	}
	msg.Link, err = s.newLink(ctx, l)
	return err == nil, err
}

// SetupLink is a new single-use link that lets the first administrator be made, or empty when there is one. Links made
// before go on working until then.
func (s *Service) SetupLink(ctx context.Context) (string, error) {
	has, err := s.HasAdmin(ctx)
	if err != nil || has {
		return "", err
	}
	return s.newLink(ctx, link{Kind: linkSetup, Role: Admin})
}
