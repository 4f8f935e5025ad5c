package freshness

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"time"

	"archipel/api/account"
	"archipel/directory"
	"archipel/frontend"
)

// purpose is what the service's tokens are made for.
const purpose = "freshness"

// path is where the links of letters lead.
const path = "/mail/fresh"

// What a link does.
const (
	doConfirm = "confirm" // still true
	doChange  = "change"
	doClose   = "close"
	doReopen  = "reopen" // takes back a close
	doStop    = "stop"   // no more letters to this person
	doResume  = "resume" // takes back a stop
)

// claim is what a token says.
type claim struct {
	Who   string       `json:"w"` // key of a person
	Do    string       `json:"d"`
	Entry directory.ID `json:"e,omitempty"`
	Round int          `json:"r,omitempty"`
}

// link makes the path of a link.
func (s *Service) link(ctx context.Context, c claim, until time.Time) (string, error) {
	token, err := s.Keys.Sign(ctx, purpose, c, until)
	if err != nil {
		return "", err
	}
	return path + "?t=" + url.QueryEscape(token), nil
}

// base is the address of the site for links in mails.
func (s *Service) base() string {
	if s.Accounts.PublicURL != "" {
		return s.Accounts.PublicURL
	}
	return s.Accounts.Address
}

// letter writes the letter of a person's round.
func (s *Service) letter(ctx context.Context, p *person, open []subject) (account.Message, error) {
	to := open[0].to
	if to.lang == "" {
		to.lang = s.Site().Languages[0]
	}
	l := frontend.T(to.lang)
	until := p.At.AddDate(0, max(s.Site().Ask, 2), 0)
	v := frontend.FreshLetter{Lang: l.Lang()}
	for i := range open {
		e := &open[i].Entry
		one := frontend.FreshEntry{Name: e.Name, Facts: facts(l, e), URL: s.base() + frontend.EntryURL(e.Slug), Age: l.Text("fresh.mail_seen", "Age", l.Age(seen(e), s.Now()))}
		for _, do := range []string{doConfirm, doChange, doClose} {
			u, err := s.link(ctx, claim{p.key, do, e.ID, p.Round}, until)
			if err != nil {
				return account.Message{}, err
			}
			one.Links = append(one.Links, frontend.MailLink{URL: s.base() + u, Text: l.Code("fresh_do", do)})
		}
		v.Entries = append(v.Entries, one)
	}
	stop, err := s.link(ctx, claim{Who: p.key, Do: doStop}, time.Time{})
	if err != nil {
		return account.Message{}, err
	}
	why := "fresh.mail_why_contact"
	if to.account != "" {
		why = "fresh.mail_why_owner"
	}
	lead := l.Plural("fresh.mail_lead", len(open))
	if p.Pending == "remind" {
		lead = l.Text("fresh.mail_reminder") + " " + lead
	}
	v.Lead, v.Why = []string{l.Text("fresh.mail_hello"), lead}, l.Text(why)
	html, err := frontend.FreshLetterHTML(ctx, v)
	if err != nil {
		return account.Message{}, err
	}
	subject := l.Plural("fresh.mail_subject", len(open), "Name", oneLine(open[0].Name))
	return account.Message{
		Key: fmt.Sprintf("freshness %s %d %s", p.key, p.Round, p.Pending), Account: to.account, To: to.mail, Lang: to.lang,
		Subject: subject, Text: frontend.FreshLetterText(v), HTML: html, Unsubscribe: s.base() + stop,
	}, nil
}

// oneLine makes one line of a name, for a header.
func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// facts are what somebody has to look at to say whether an entry is still true.
func facts(l *frontend.Localizer, e *directory.Entry) (out []string) {
	add := func(field, value string) {
		if value = oneLine(value); value != "" {
			out = append(out, l.Text("fresh.fact", "Field", l.Field(field), "Value", value))
		}
	}
	if a := e.Address; a != nil {
		add("address", strings.Join([]string{a.Street, a.PostalCode, a.Locality}, " "))
	}
	if c := e.Contact; c != nil {
		add("contact.phone", c.Phone)
		add("contact.email", c.Email)
		add("contact.website", c.Website)
	}
	add("openingHours", e.OpeningHours)
	return out
}
