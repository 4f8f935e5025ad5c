package account

import (
	"context"
	"crypto/subtle"
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

// asker is the cookie of a browser in which somebody signs up.
func (h *handlers) asker(c *fiber.Ctx) string {
	v := c.Cookies(h.signUpCookie())
	if len(v) != 43 {
		v = secret()
	}
	h.setCookie(c, h.signUpCookie(), v, lives[linkSignUp])
	return v
}

// askedHere reports whether a sign-up was asked for in the browser that a request comes from.
func (s *Service) askedHere(c *fiber.Ctx, l *link) bool {
	v := c.Cookies(s.signUpCookie())
	return len(v) == 43 && subtle.ConstantTimeCompare([]byte(hashed(v)), []byte(l.Asker)) == 1
}

// asksAgain reports whether the page of a sign-up's link asks for a name and a password: what was typed at the sign-up counts
// only in the browser where it was typed, or somebody who signs up with the address of another would have their account too.
func (h *handlers) asksAgain(c *fiber.Ctx, l *link) (bool, error) {
	if l.Kind != linkSignUp || h.askedHere(c, l) {
		return false, nil
	}
	_, err := h.ByMail(c.UserContext(), l.Mail)
	if errors.Is(err, ErrNoAccount) {
		return true, nil
	}
	return false, err // it was made by another link meanwhile: this one only signs in
}

// confirmForm is what a link asks before it does what it is for. A link in a mail is opened by more than its reader: mail
// programs look ahead, so nothing happens before the button.
func (h *handlers) confirmForm(l *frontend.Localizer, c *fiber.Ctx, token string, what *link, a *Account, again bool) frontend.FormView {
	name, mail := what.Name, what.Mail
	if a != nil {
		name = a.Name
		if mail == "" {
			mail = a.Mail
		}
	}
	key := "account.confirm_" + string(what.Kind)
	form := frontend.Form{Action: "/confirm", Button: l.Text(key + "_button"), Fields: []frontend.FormField{{Name: "token", Kind: "hidden", Value: token}}}
	lead := []string{l.Text(key+"_lead", "Mail", mail, "Name", name)}
	switch what.Kind {
	case linkSignUp:
		if !again {
			break
		}
		if what.Password != "" {
			lead = append(lead, l.Text("account.confirm_signup_elsewhere"))
		}
		if typed := c.FormValue("name"); typed != "" {
			name = typed
		}
		form.Fields = append(form.Fields, nameField(l, name), newPasswordField(l, false))
	case linkReset:
		form.Fields = append(form.Fields, frontend.FormField{Name: "username", Kind: "hidden", Value: mail}, newPasswordField(l, true))
	case linkInvite:
		form.Fields = append(form.Fields, nameField(l, c.FormValue("name")), newPasswordField(l, false))
	case linkSetup:
		form.Fields = append(form.Fields, nameField(l, c.FormValue("name")), mailField(l, c.FormValue("mail")), newPasswordField(l, true))
	}
	return frontend.FormView{Title: l.Text(key + "_title"), Lead: lead, Forms: []frontend.Form{form}}
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
	again, err := h.asksAgain(c, what)
	if err != nil {
		return err
	}
	p, l := h.begins(c, "")
	p.Path = "/" // the links to other languages do not carry the secret
	return h.formPage(c, p, h.confirmForm(l, c, c.Query("token"), what, a, again), http.StatusOK)
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
	again, err := h.asksAgain(c, what)
	if err != nil {
		return err
	}
	p, l := h.begins(c, "")
	p.Path = "/"
	done, err := h.follow(c.UserContext(), token, rev, what, a, given{
		name: c.FormValue("name"), mail: c.FormValue("mail"), password: c.FormValue("password"), lang: p.Lang, here: h.askedHere(c, what)})
	v := h.confirmForm(l, c, token, what, a, again)
	switch {
	case err == nil:
	case errors.Is(err, ErrLink), errors.Is(err, ErrMailTaken):
		return h.deadLink(c)
	case wrongs(l, err, &v.Forms[0]):
		return h.formPage(c, p, v, http.StatusUnprocessableEntity)
	default:
		return err
	}
	if what.Kind == linkSignUp {
		h.setCookie(c, h.signUpCookie(), "", 0)
	}
	next := what.Next
	switch {
	case what.Kind == linkMail:
		next = "/account?done=mail"
	case what.Kind == linkReset && !a.Seen.IsZero(): // not the first password of a new account
		next = "/account?done=password"
	}
	return h.enter(c, done, LocalPath(next, "/account"))
}

// given is what somebody typed on the page of a link.
type given struct {
	name, mail, password, lang string

	here bool // a sign-up was asked for in the same browser
}

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
	case linkSignUp:
		if in.here {
			break
		}
		if name := strings.TrimSpace(in.name); name != "" {
			fresh.Name = name
			wrong.one(checkName(name))
		}
		if fresh.Password = ""; in.password != "" {
			wrong.add(checkPassword("password", in.password, fresh.Mail, fresh.Name))
		}
	case linkSignIn, linkMail:
	default:
		return nil, ErrLink
	}
	if err := wrong.err(); err != nil {
		return nil, err
	}
	if l.Kind == linkSetup || in.password != "" && (l.Kind == linkInvite || l.Kind == linkSignUp && !in.here) {
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
