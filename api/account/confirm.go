package account

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"archipel/frontend"

	"github.com/gofiber/fiber/v2"
)

// deadLink is the page of a link that does not work.
func (h *handlers) deadLink(c *fiber.Ctx) error {
	p, l := h.begins(c, "account.link_dead_title")
	return h.formPage(c, p, frontend.FormView{Title: l.Text("account.link_dead_title"), Lead: []string{l.Text("account.link_dead_lead")}, Ways: []frontend.MailLink{
		{URL: "/signin", Text: l.Text("account.signin_title")}, {URL: "/forgot", Text: l.Text("account.forgot_title")}, {URL: "/", Text: l.Text("error.home")},
	}}, http.StatusGone)
}

// confirmForm is what a link asks before it does what it is for. A link in a mail is opened by more than its reader: mail
// programs look ahead, so nothing happens before the button.
func (h *handlers) confirmForm(l *frontend.Localizer, c *fiber.Ctx, token string, what *link, a *Account) frontend.FormView {
	name, mail := what.Name, what.Mail
	if a != nil {
		name = a.Name
		if mail == "" {
			mail = a.Mail
		}
	}
	key := "account.confirm_" + string(what.Kind)
	form := frontend.Form{Action: "/confirm", Button: l.Text(key + "_button"), Fields: []frontend.FormField{{Name: "token", Kind: "hidden", Value: token}}}
	switch what.Kind {
	case linkReset:
		form.Fields = append(form.Fields, frontend.FormField{Name: "username", Kind: "hidden", Value: mail}, newPasswordField(l, true))
	case linkInvite:
		form.Fields = append(form.Fields, nameField(l, c.FormValue("name")), newPasswordField(l, false))
	case linkSetup:
		form.Fields = append(form.Fields, nameField(l, c.FormValue("name")), mailField(l, c.FormValue("mail")), newPasswordField(l, true))
	}
	return frontend.FormView{Title: l.Text(key + "_title"), Lead: []string{l.Text(key+"_lead", "Mail", mail, "Name", name)}, Forms: []frontend.Form{form}}
}

func (h *handlers) confirmPage(c *fiber.Ctx) error {
	if err := h.limits.take(limitLinkIP, h.client(c)); err != nil {
		return err
	}
	what, a, _, err := h.peek(c.UserContext(), c.Query("token"))
	if errors.Is(err, ErrLink) {
		return h.deadLink(c)
	}
	if err != nil {
		return err
	}
	p, l := h.begins(c, "")
	p.Path = "/" // the links to other languages do not carry the secret
	return h.formPage(c, p, h.confirmForm(l, c, c.Query("token"), what, a), http.StatusOK)
}

func (h *handlers) confirm(c *fiber.Ctx) error {
	if err := h.limits.take(limitLinkIP, h.client(c)); err != nil {
		return err
	}
	token := c.FormValue("token")
	what, a, rev, err := h.peek(c.UserContext(), token)
	if errors.Is(err, ErrLink) {
		return h.deadLink(c)
	}
	if err != nil {
		return err
	}
	p, l := h.begins(c, "")
	p.Path = "/"
	done, err := h.follow(c.UserContext(), token, rev, what, a, given{name: c.FormValue("name"), mail: c.FormValue("mail"), password: c.FormValue("password"), lang: p.Lang})
	v := h.confirmForm(l, c, token, what, a)
	switch {
	case err == nil:
	case errors.Is(err, ErrLink), errors.Is(err, ErrMailTaken):
		return h.deadLink(c)
	case wrongs(l, err, &v.Forms[0]):
		return h.formPage(c, p, v, http.StatusUnprocessableEntity)
	default:
		return err
	}
	next := what.Next
	if what.Kind == linkMail {
		next = "/account?done=mail"
	}
	return h.enter(c, done, LocalPath(next, "/account"))
}

// given is what somebody typed on the page of a link.
type given struct{ name, mail, password, lang string }

// follow does what a link is for, once, and returns who is to be signed in. What was typed is checked before the link is
// used up.
func (s *Service) follow(ctx context.Context, token string, rev int64, l *link, a *Account, in given) (*Account, error) {
	var wrong problems
	fresh := &Account{Mail: l.Mail, Name: l.Name, Role: l.Role, Lang: in.lang, Password: l.Password}
	switch l.Kind {
	case linkReset:
		wrong.add(checkPassword("password", in.password, a.Mail, a.Name))
	case linkSetup, linkInvite:
		fresh.Name = strings.TrimSpace(in.name)
		wrong.one(checkName(fresh.Name))
		if l.Kind == linkSetup {
			mail, err := NormalMail(in.mail)
			wrong.add(err)
			fresh.Mail = mail
		}
		if in.password != "" || l.Kind == linkSetup {
			wrong.add(checkPassword("password", in.password, fresh.Mail, fresh.Name))
		}
	case linkSignUp, linkSignIn, linkMail:
	default:
		return nil, ErrLink
	}
	if err := wrong.err(); err != nil {
		return nil, err
	}
	if l.Kind == linkSetup || l.Kind == linkInvite && in.password != "" {
		hash, err := s.password.hash(ctx, in.password)
		if err != nil {
			return nil, err
		}
		fresh.Password = hash
	}
	if err := s.spend(ctx, token, rev); err != nil {
		return nil, err
	}
	switch l.Kind {
	case linkSignIn:
		return a, nil
	case linkReset:
		return s.setPassword(ctx, a.ID, in.password)
	case linkMail:
		return s.setMail(ctx, a.ID, l.Mail)
	}
	err := s.create(ctx, fresh)
	if errors.Is(err, ErrMailTaken) && l.Kind == linkSignUp {
		// It was asked for twice, and the other link was followed first. Whoever has this one reads that mail.
		if known, err := s.ByMail(ctx, l.Mail); err == nil && !known.Blocked {
			return known, nil
		}
	}
	if err != nil {
		return nil, err
	}
	s.Log.Info("account made", "account", fresh.ID, "role", fresh.Role, "by", string(l.Kind))
	return fresh, nil
}
