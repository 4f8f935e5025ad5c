package belonging

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
	"archipel/frontend"

	"github.com/google/uuid"
)

// Kinds of records. The key of a claim begins with the account's id, so that it is part of the export of one's data and goes
// with the account.
const (
	kindClaim = "claim"       // by account and entry
	kindKey   = "belong-link" // what the link of a mail opens, by the hash of its secret
)

const (
	proofLife  = 48 * time.Hour      // how long the link of a claim works
	mailedLife = 7 * 24 * time.Hour  // how long a claim waits for its link to be followed
	decided    = 30 * 24 * time.Hour // how long a decision is remembered: so long the same is not asked again
	patience   = 7 * 24 * time.Hour  // after which moderators see a claim that the entry's team did not answer
	maxOpen    = 10                  // claims of one account
)

// Ways of a claim.
const (
	wayMail   = "mail"   // the link of a mail to the place proves it
	wayPeople = "people" // somebody of the directory, or of the team, decides
)

// Decisions about a claim; empty: it is open.
const (
	decisionProved   = "proved"   // the link was followed
	decisionDenied   = "denied"   // who reads the place's mail does not know the claimant
	decisionApproved = "approved" // by a moderator or the team
	decisionRefused  = "refused"
)

// Claim is what somebody says: "this is my place".
type Claim struct {
	ID      string       `json:"id"` // of this claim; a link of an earlier one opens nothing
	Of      directory.ID `json:"of"`
	Account string       `json:"account"`
	Way     string       `json:"way"`
	Mail    string       `json:"mail,omitempty"` // the place's address that the link went to
	Text    string       `json:"text,omitempty"` // to who decides
	Lang    string       `json:"lang,omitempty"`
	Created time.Time    `json:"created"`
	Proved  time.Time    `json:"proved,omitzero"` // the link was followed, but the entry has a team that was there before

	Decision string    `json:"decision,omitempty"`
	Role     string    `json:"role,omitempty"` // that was granted: owner, or editor by the team
	Reason   string    `json:"reason,omitempty"`
	By       string    `json:"by,omitempty"` // as in the log
	Decided  time.Time `json:"decided,omitzero"`
	Done     bool      `json:"done,omitempty"` // what follows from the decision is done

	rev int64
}

func (c *Claim) key() string { return c.Account + "/" + string(c.Of) }

// opens is what the link of a mail opens.
type opens struct {
	Kind string `json:"kind"` // kindClaim or kindInvite
	Key  string `json:"key"`
	ID   string `json:"id"`
}

// load reads a record into v, and returns its revision: 0 when it is not there, or has expired by the service's clock.
func (s *Service) load(ctx context.Context, kind, key string, v any) (int64, error) {
	r, err := s.Directory.Store().Record(ctx, kind, key)
	if err != nil || r.Rev == 0 || !r.Expires.IsZero() && !s.now().Before(r.Expires) {
		return 0, err
	}
	if err := json.Unmarshal(r.Value, v); err != nil {
		return 0, fmt.Errorf("%s record: %w: %w", kind, directory.ErrCorrupt, err)
	}
	return r.Rev, nil
}

func (s *Service) save(ctx context.Context, kind, key string, v any, rev int64, expires time.Time) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return s.Directory.Store().PutRecord(ctx, kind, directory.Record{Key: key, Value: b, Rev: rev, Expires: expires})
}

// saveClaim writes a claim where the one that was read stood.
func (s *Service) saveClaim(ctx context.Context, c *Claim) error {
	var expires time.Time
	switch {
	case c.Decision != "" && c.Done:
		expires = c.Decided.Add(decided)
	case c.Decision == "" && c.Way == wayMail && c.Proved.IsZero():
		expires = c.Created.Add(mailedLife)
	}
	if err := s.save(ctx, kindClaim, c.key(), c, c.rev, expires); err != nil {
		return err
	}
	c.rev++
	return nil
}

// claimOf is an account's claim of an entry, also a decided one; nil when there is none.
func (s *Service) claimOf(ctx context.Context, account string, of directory.ID) (*Claim, error) {
	if account == "" {
		return nil, nil
	}
	var c Claim
	rev, err := s.load(ctx, kindClaim, account+"/"+string(of), &c)
	if err != nil || rev == 0 {
		return nil, err
	}
	c.rev = rev
	return &c, nil
}

// claims calls fn with every claim after a prefix of its key.
func (s *Service) claims(ctx context.Context, prefix string, fn func(*Claim) error) error {
	for after := prefix; ; {
		page, err := s.Directory.Store().Records(ctx, kindClaim, after, 200)
		if err != nil || len(page) == 0 {
			return err
		}
		for _, r := range page {
			if after = r.Key; !strings.HasPrefix(r.Key, prefix) {
				return nil
			}
			if !r.Expires.IsZero() && !s.now().Before(r.Expires) {
				continue
			}
			var c Claim
			if err := json.Unmarshal(r.Value, &c); err != nil {
				return fmt.Errorf("claim %s: %w: %w", r.Key, directory.ErrCorrupt, err)
			}
			c.rev = r.Rev
			if err := fn(&c); err != nil {
				return err
			}
		}
	}
}

// Open lists the claims that wait for a moderator, the oldest first: those of entries without a team, those whose proof
// stands against a team, and those that a team has left without an answer. What a crash cut short is finished.
func (s *Service) Open(ctx context.Context) ([]Claim, error) {
	var out []Claim
	err := s.claims(ctx, "", func(c *Claim) error {
		if c.Decision != "" {
			if c.Done {
				return nil
			}
			return s.finish(ctx, c)
		}
		if c.Way == wayMail && c.Proved.IsZero() {
			return nil
		}
		e, err := s.Directory.Entry(ctx, c.Of)
		if errors.Is(err, directory.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		if !e.Public() || e.Origin != "" {
			return nil
		}
		team, err := s.Directory.Keepers(ctx, &e)
		if err != nil {
			return err
		}
		if len(team.Owners) > 0 && c.Proved.IsZero() && s.now().Sub(c.Created) < patience {
			return nil
		}
		out = append(out, *c)
		return nil
	})
	slices.SortStableFunc(out, func(a, b Claim) int { return a.Created.Compare(b.Created) })
	return out, err
}

// openOf lists the claims of an entry that its team can answer.
func (s *Service) openOf(ctx context.Context, of directory.ID) ([]Claim, error) {
	var out []Claim
	err := s.claims(ctx, "", func(c *Claim) error {
		if c.Of == of && c.Decision == "" && (c.Way == wayPeople || !c.Proved.IsZero()) {
			out = append(out, *c)
		}
		return nil
	})
	return out, err
}

// errAgain is a claim that cannot be made now; the text is a key of the locale's [claim].
type errAgain struct{ key string }

func (e errAgain) Error() string { return "claim: " + e.key }

// begin keeps a claim: a new one, or the same again with a fresh link.
func (s *Service) begin(ctx context.Context, want Claim) (*Claim, error) {
	was, err := s.claimOf(ctx, want.Account, want.Of)
	if err != nil {
		return nil, err
	}
	open := 0
	err = s.claims(ctx, want.Account+"/", func(c *Claim) error {
		if c.Decision == "" && c.Of != want.Of {
			open++
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if open >= maxOpen {
		return nil, errAgain{"wrong_many"}
	}
	if was != nil {
		switch {
		case was.Decision != "" && !was.Done:
			return was, s.finish(ctx, was)
		case was.Decision == decisionDenied && want.Way == wayMail && want.Mail == was.Mail:
			return nil, errAgain{"wrong_denied"}
		case was.Decision == decisionRefused && want.Way == wayPeople:
			return nil, errAgain{"wrong_refused"}
		case was.Decision == "" && !was.Proved.IsZero():
			return was, nil // it waits for people already, with a proof
		case was.Decision == "" && was.Way == want.Way && was.Mail == want.Mail && was.Way == wayPeople:
			was.Text = want.Text
			return was, s.saveClaim(ctx, was)
		}
		want.rev = was.rev
	}
	want.ID, want.Created = uuid.NewString(), s.now()
	if err := s.saveClaim(ctx, &want); err != nil {
		if errors.Is(err, directory.ErrStale) { // sent twice at once
			if again, err := s.claimOf(ctx, want.Account, want.Of); err != nil || again != nil {
				return again, err
			}
		}
		return nil, err
	}
	return &want, nil
}

// Decide takes a moderator's decision about a claim of [Service.Open], once: of several who decide at the same time, the others
// get an error wrapping [directory.ErrStale].
func (s *Service) Decide(ctx context.Context, c *Claim, by string, approve bool, reason string) error {
	decision := decisionRefused
	if approve {
		decision = decisionApproved
	}
	return s.decide(ctx, c, decision, "", by, reason)
}

// decide takes a decision about a claim, once, and does what follows.
func (s *Service) decide(ctx context.Context, c *Claim, decision, role, by, reason string) error {
	c.Decision, c.Role, c.By, c.Reason, c.Decided = decision, role, by, reason, s.now()
	if err := s.saveClaim(ctx, c); err != nil {
		return err
	}
	return s.finish(ctx, c)
}

// finish does what a decision asks for; all of it may be done again.
func (s *Service) finish(ctx context.Context, c *Claim) error {
	m := account.Message{Key: "claim " + c.ID + " " + c.Decision, Account: c.Account, Lang: c.Lang, Params: map[string]string{"Reason": c.Reason}}
	e, err := s.Directory.Entry(ctx, c.Of)
	if err != nil && !errors.Is(err, directory.ErrNotFound) {
		return err
	}
	m.Params["Entry"], m.Link = e.Name, s.Accounts.Base()+frontend.EntryURL(e.Slug)
	switch c.Decision {
	case decisionProved, decisionApproved:
		waits, err := s.grant(ctx, c)
		if err != nil {
			return err
		}
		if waits { // a team was there first
			c.Decision, c.By, c.Proved, c.Decided = "", "", c.Decided, time.Time{}
			if err := s.saveClaim(ctx, c); err != nil {
				return err
			}
			return s.tellOwners(ctx, c)
		}
	case decisionDenied:
		m.Template = "mail.claim_denied"
	case decisionRefused:
		m.Template = "mail.claim_refused"
	}
	if m.Template != "" {
		if err := s.Accounts.Mailer.Send(ctx, m); err != nil {
			return err
		}
	}
	c.Done = true
	return s.saveClaim(ctx, c)
}

// grant puts the claimant into the entry's team. waits reports that the proof alone does not do: others keep the entry.
func (s *Service) grant(ctx context.Context, c *Claim) (waits bool, err error) {
	note := "note_approved"
	if c.Decision == decisionProved {
		note = "note_proved"
	}
	_, err = s.change(ctx, c.Of, c.By, s.note(note, c.Reason), func(e *directory.Entry) error {
		waits = false
		if !e.Public() || e.Origin != "" {
			return errUnchanged // it is gone meanwhile: nothing to be granted
		}
		if _, err := s.Accounts.Get(ctx, c.Account); err != nil {
			if errors.Is(err, account.ErrNoAccount) {
				return errUnchanged
			}
			return err
		}
		team, err := s.Directory.Keepers(ctx, e)
		if err != nil {
			return err
		}
		if c.Decision == decisionProved && len(team.Owners) > 0 && !slices.Contains(team.Owners, c.Account) {
			waits = true
			return errUnchanged
		}
		join(e, c.Account, c.Role)
		proved := c.Decision == decisionProved || !c.Proved.IsZero() || c.Role == "" // by a moderator
		if proved && e.Claimed.IsZero() {
			e.Claimed = s.now()
		}
		return nil
	})
	return waits, err
}

// tellOwners writes to those who keep an entry that somebody else claims it.
func (s *Service) tellOwners(ctx context.Context, c *Claim) error {
	e, err := s.Directory.Entry(ctx, c.Of)
	if err != nil {
		return err
	}
	team, err := s.Directory.Keepers(ctx, &e)
	if err != nil {
		return err
	}
	who, err := s.Accounts.Get(ctx, c.Account)
	if err != nil {
		return err
	}
	for _, owner := range team.Owners {
		err := s.Accounts.Mailer.Send(ctx, account.Message{Key: "claim " + c.ID + " to " + owner, Account: owner, Template: "mail.claim_owners",
			Params: map[string]string{"Entry": e.Name, "Name": who.Name, "Text": c.Text}, Link: s.Accounts.Base() + frontend.TeamURL(e.Slug)})
		if err != nil {
			return err
		}
	}
	return nil
}
