package account

import (
	"errors"
	"net/http"
	"net/url"

	"archipel/directory"
	"archipel/frontend"

	"github.com/a-h/templ"
	"github.com/gofiber/fiber/v2"
)

// handlers are the pages of accounts.
type handlers struct {
	*Service
	page   func(c *fiber.Ctx, title string) frontend.Page
	render func(c *fiber.Ctx, page templ.Component) error
}

// Routes adds the pages of accounts to a server, which says how its pages begin and how they are written.
func (s *Service) Routes(app fiber.Router, page func(*fiber.Ctx, string) frontend.Page, render func(*fiber.Ctx, templ.Component) error) {
	h := &handlers{s, page, render}
	app.Get("/signup", h.signUpPage)
	app.Post("/signup", Require(SignIn), h.signUp)
	app.Get("/signin", h.signInPage)
	app.Post("/signin", Require(SignIn), h.signIn)
	app.Post("/signin/link", Require(SignIn), h.signInLink)
	app.Get("/forgot", h.forgotPage)
	app.Post("/forgot", Require(SignIn), h.forgot)
	app.Get("/confirm", h.confirmPage)
	app.Post("/confirm", Require(SignIn), h.confirm)
	app.Post("/signout", Require(SignIn), h.signOut)

	app.Get("/account", Require(AccountSelf), h.accountPage)
	app.Post("/account/profile", Require(AccountSelf), h.saveProfile)
	app.Post("/account/mail", Require(AccountSelf), h.changeMail)
	app.Post("/account/password", Require(AccountSelf), h.changePassword)
	app.Post("/account/sessions/end", Require(AccountSelf), h.endSession)
	app.Post("/account/tokens", Require(TokenUse), h.makeToken)
	app.Post("/account/tokens/delete", Require(TokenUse), h.deleteToken)
	app.Get("/account/export", Require(AccountSelf), h.export)
	app.Post("/account/delete", Require(AccountSelf), h.delete)

	h.passkeyRoutes(app)

	app.Get("/admin/accounts", Require(AccountsManage), h.accountsPage)
	app.Post("/admin/accounts/standing", Require(AccountsManage), h.setStanding)
	app.Post("/admin/accounts/invite", Require(AccountsInvite), h.invite)
}

// begins is a page of accounts: it has a form, nobody keeps it, and no other site learns its address by a link.
func (h *handlers) begins(c *fiber.Ctx, title string) (frontend.Page, *frontend.Localizer) {
	p := h.page(c, "")
	l := frontend.T(p.Lang)
	if title != "" {
		p.Title = l.Text(title)
	}
	p.NoIndex, p.Canonical = true, ""
	p.CSRF = h.CSRF(c)
	c.Set(fiber.HeaderCacheControl, "private, no-store")
	c.Set(fiber.HeaderReferrerPolicy, "same-origin") // with "no-referrer", browsers would send the page's own form as from nowhere
	return p, l
}

// noMail is said on pages that send mails while no mail server is configured.
func (h *handlers) noMail(l *frontend.Localizer) string {
	if h.Mailer.Configured() {
		return ""
	}
	return l.Text("account.mail_off")
}

// wrongs puts what is wrong with a form beside its fields, and reports false when err is about something else.
func wrongs(l *frontend.Localizer, err error, form *frontend.Form) bool {
	var invalid directory.Invalid
	if !errors.As(err, &invalid) {
		return false
	}
	for _, one := range invalid {
		_, text := l.ProblemText(frontend.Problem{Field: one.Field, Code: one.Code, Params: one.Params})
		for i := range form.Fields {
			if form.Fields[i].Name == one.Field {
				form.Fields[i].Wrong = text
			}
		}
	}
	return true
}

// formPage answers with a form; after a mistake with what is wrong and what was typed.
func (h *handlers) formPage(c *fiber.Ctx, p frontend.Page, v frontend.FormView, code int) error {
	p.Title = v.Title
	c.Status(code)
	return h.render(c, frontend.FormPage(p, v))
}

func (h *handlers) signUpForm(l *frontend.Localizer, c *fiber.Ctx) frontend.FormView {
	v := frontend.FormView{Title: l.Text("account.signup_title"), Lead: []string{l.Text("account.signup_lead")}, Notice: h.noMail(l),
		Ways: []frontend.MailLink{{URL: "/signin", Text: l.Text("account.have_account")}}}
	v.Forms = []frontend.Form{{Action: "/signup", Button: l.Text("account.signup_button"), Fields: []frontend.FormField{
		nameField(l, c.FormValue("name")), mailField(l, c.FormValue("mail")), newPasswordField(l, false),
		{Name: "next", Kind: "hidden", Value: LocalPath(param(c, "next"), "")},
	}}}
	return v
}

func nameField(l *frontend.Localizer, value string) frontend.FormField {
	return frontend.FormField{Name: "name", Kind: "text", Label: l.Text("account.name"), Hint: l.Text("account.name_hint"), Value: value, Auto: "nickname", Must: true, Long: 80}
}

func mailField(l *frontend.Localizer, value string) frontend.FormField {
	return frontend.FormField{Name: "mail", Kind: "email", Label: l.Text("account.mail"), Value: value, Auto: "email", Must: true, Long: 254}
}

func newPasswordField(l *frontend.Localizer, must bool) frontend.FormField {
	f := frontend.FormField{Name: "password", Kind: "password", Label: l.Text("account.password"), Hint: l.Text("account.password_hint"), Auto: "new-password", Must: must, Long: maxPassword}
	if !must {
		f.Hint = l.Text("account.password_optional_hint")
	}
	return f
}

// param is a value of the form or, before there is one, of the address.
func param(c *fiber.Ctx, name string) string {
	if v := c.FormValue(name); v != "" {
		return v
	}
	return c.Query(name)
}

func (h *handlers) signUpPage(c *fiber.Ctx) error {
	if From(c).SignedIn() {
		return c.Redirect("/account", http.StatusSeeOther)
	}
	p, l := h.begins(c, "account.signup_title")
	if v, closed := h.closed(l); closed {
		return h.formPage(c, p, v, http.StatusOK)
	}
	return h.formPage(c, p, h.signUpForm(l, c), http.StatusOK)
}

// closed is the page that says why nobody can sign up, if so.
func (h *handlers) closed(l *frontend.Localizer) (frontend.FormView, bool) {
	v := frontend.FormView{Title: l.Text("account.signup_title"), Ways: []frontend.MailLink{{URL: "/signin", Text: l.Text("account.have_account")}}}
	switch h.Site().SignUp {
	case SignUpClosed:
		v.Lead = []string{l.Text("account.signup_closed")}
	case SignUpInvitation:
		v.Lead = []string{l.Text("account.signup_invited")}
	default:
		return v, false
	}
	return v, true
}

func (h *handlers) signUp(c *fiber.Ctx) error {
	p, l := h.begins(c, "account.signup_title")
	if v, closed := h.closed(l); closed {
		return h.formPage(c, p, v, http.StatusForbidden)
	}
	mail := c.FormValue("mail")
	if err := h.limits.take(limitSignUpIP, h.client(c)); err != nil {
		return err
	}
	if err := h.mayMail(c, mail); err != nil {
		return err
	}
	err := h.register(c.UserContext(), mail, c.FormValue("name"), c.FormValue("password"), p.Lang, LocalPath(c.FormValue("next"), ""), h.asker(c))
	if err != nil {
		v := h.signUpForm(l, c)
		if !wrongs(l, err, &v.Forms[0]) {
			return err
		}
		return h.formPage(c, p, v, http.StatusUnprocessableEntity)
	}
	return h.checkMail(c, p, l, mail, "/signup")
}

// mayMail counts a mail that a visitor makes us send. Addresses count alike, whether somebody has them or not.
func (h *handlers) mayMail(c *fiber.Ctx, mail string) error {
	return h.LimitMails(c, mail)
}

// checkMail is the answer to everything that sends a mail: the same whether somebody has the address or not.
func (h *handlers) checkMail(c *fiber.Ctx, p frontend.Page, l *frontend.Localizer, mail, again string) error {
	normal, err := NormalMail(mail)
	if err != nil {
		return err
	}
	return h.formPage(c, p, frontend.FormView{
		Title: l.Text("account.check_title"), Lead: []string{l.Text("account.check_lead", "Mail", normal), l.Text("account.check_spam")}, Notice: h.noMail(l),
		Ways: []frontend.MailLink{{URL: again, Text: l.Text("account.check_again")}},
	}, http.StatusOK)
}

func (h *handlers) signInForm(l *frontend.Localizer, c *fiber.Ctx) frontend.FormView {
	next := frontend.FormField{Name: "next", Kind: "hidden", Value: LocalPath(param(c, "next"), "")}
	v := frontend.FormView{Title: l.Text("account.signin_title"), Notice: h.noMail(l), Forms: []frontend.Form{
		{Action: "/signin", Button: l.Text("account.signin_button"), Fields: []frontend.FormField{
			mailField(l, c.FormValue("mail")), {Name: "password", Kind: "password", Label: l.Text("account.password"), Auto: "current-password", Must: true, Long: maxPassword}, next}},
		{Title: l.Text("account.link_title"), Lead: l.Text("account.link_lead"), Action: "/signin/link", Button: l.Text("account.link_button"), Quiet: true,
			Fields: []frontend.FormField{mailField(l, c.FormValue("mail")), next}},
	}, Ways: []frontend.MailLink{{URL: "/forgot", Text: l.Text("account.forgot_title")}}}
	if h.Site().SignUp == SignUpOpen || h.Site().SignUp == "" {
		address := "/signup"
		if next.Value != "" {
			address += "?next=" + url.QueryEscape(next.Value)
		}
		v.Ways = append(v.Ways, frontend.MailLink{URL: address, Text: l.Text("account.no_account")})
	}
	if next.Value != "" {
		v.Lead = []string{l.Text("account.signin_needed")}
	}
	if h.relying(c) != nil {
		v.Passkey = &frontend.PasskeyButton{Next: next.Value}
	}
	return v
}

func (h *handlers) signInPage(c *fiber.Ctx) error {
	if From(c).SignedIn() {
		return c.Redirect(LocalPath(c.Query("next"), "/account"), http.StatusSeeOther)
	}
	p, l := h.begins(c, "account.signin_title")
	v := h.signInForm(l, c)
	if c.Query("out") == "1" {
		v.Lead = []string{l.Text("account.signed_out")}
	}
	return h.formPage(c, p, v, http.StatusOK)
}

func (h *handlers) signIn(c *fiber.Ctx) error {
	mail, ip := c.FormValue("mail"), h.client(c)
	normal, err := NormalMail(mail)
	if err != nil {
		normal = "?" // what is no address counts as well
	}
	if err := h.limits.all(limitKey{limitSignInIP, ip}, limitKey{limitSignInPair, ip + " " + normal}, limitKey{limitSignInMail, normal}); err != nil {
		return err
	}
	a, err := h.verify(c.UserContext(), mail, c.FormValue("password"))
	if errors.Is(err, ErrSignIn) {
		h.Log.Info("sign-in refused", "ip", ip)
		p, l := h.begins(c, "account.signin_title")
		v := h.signInForm(l, c)
		v.Problem = l.Text("account.signin_wrong")
		return h.formPage(c, p, v, http.StatusUnauthorized)
	}
	if err != nil {
		return err
	}
	return h.enter(c, a, LocalPath(c.FormValue("next"), "/account"))
}

// enter signs somebody in and goes on.
func (h *handlers) enter(c *fiber.Ctx, a *Account, next string) error {
	if err := h.begin(c, a); err != nil {
		return err
	}
	now := h.Now().UTC()
	_, err := h.update(c.UserContext(), a.ID, func(a *Account) error {
		a.Seen = now
		return nil
	})
	if err != nil {
		return err
	}
	if a.Lang != "" {
		c.Cookie(&fiber.Cookie{Name: "lang", Value: a.Lang, Path: "/", MaxAge: 365 * 24 * 3600, SameSite: fiber.CookieSameSiteLaxMode, HTTPOnly: true})
	}
	c.Set(fiber.HeaderCacheControl, "no-store")
	return c.Redirect(LocalPath(next, "/account"), http.StatusSeeOther)
}

func (h *handlers) signInLink(c *fiber.Ctx) error {
	return h.mailLink(c, linkSignIn, "account.signin_title", "/signin", func(l *frontend.Localizer) (frontend.FormView, int) { return h.signInForm(l, c), 1 })
}

func (h *handlers) forgotForm(l *frontend.Localizer, c *fiber.Ctx) frontend.FormView {
	return frontend.FormView{Title: l.Text("account.forgot_title"), Lead: []string{l.Text("account.forgot_lead")}, Notice: h.noMail(l), Forms: []frontend.Form{
		{Action: "/forgot", Button: l.Text("account.forgot_button"), Fields: []frontend.FormField{mailField(l, c.FormValue("mail"))}},
	}}
}

func (h *handlers) forgotPage(c *fiber.Ctx) error {
	p, l := h.begins(c, "account.forgot_title")
	return h.formPage(c, p, h.forgotForm(l, c), http.StatusOK)
}

func (h *handlers) forgot(c *fiber.Ctx) error {
	return h.mailLink(c, linkReset, "account.forgot_title", "/forgot", func(l *frontend.Localizer) (frontend.FormView, int) { return h.forgotForm(l, c), 0 })
}

// mailLink sends a link to the address of a form; form makes the page again and says which of its forms it was.
func (h *handlers) mailLink(c *fiber.Ctx, kind linkKind, title, again string, form func(*frontend.Localizer) (frontend.FormView, int)) error {
	p, l := h.begins(c, title)
	mail, err := NormalMail(c.FormValue("mail"))
	if err != nil {
		v, which := form(l)
		wrongs(l, err, &v.Forms[which])
		return h.formPage(c, p, v, http.StatusUnprocessableEntity)
	}
	if err := h.mayMail(c, mail); err != nil {
		return err
	}
	if err := h.askLink(c.UserContext(), link{Kind: kind, Mail: mail, Lang: p.Lang, Next: LocalPath(c.FormValue("next"), "")}); err != nil {
		return err
	}
	return h.checkMail(c, p, l, mail, again)
}

func (h *handlers) signOut(c *fiber.Ctx) error {
	if err := h.end(c); err != nil {
		return err
	}
	c.Set("Clear-Site-Data", `"cache"`)
	return c.Redirect("/signin?out=1", http.StatusSeeOther)
}
