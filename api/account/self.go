package account

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"

	"archipel/directory"
	"archipel/frontend"

	"github.com/gofiber/fiber/v2"
)

// done are the words that the page of one's account says after something was done, by the parameter "done".
var done = []string{"profile", "password", "session", "token_deleted", "passkey", "passkey_deleted"}

// wrong is what was wrong with one of the page's forms.
type wrong struct {
	form int // index of AccountView.Forms; 3: the token's, 4: deletion
	err  error
}

func (h *handlers) accountPage(c *fiber.Ctx) error {
	return h.showAccount(c, "", "", nil)
}

// showAccount draws the page; said is what was done, token a fresh API token.
func (h *handlers) showAccount(c *fiber.Ctx, said, token string, bad *wrong) error {
	actor := From(c)
	ctx := c.UserContext()
	a, err := h.Get(ctx, actor.ID)
	if err != nil {
		return err
	}
	p, l := h.begins(c, "")
	p.Title = l.Text("me.title")
	if c.Method() == fiber.MethodPost {
		p.Path = "/account"
	}
	v := frontend.AccountView{Name: a.Name, Mail: a.Mail, Done: said, NewToken: token, Notice: h.noMail(l)}
	switch asked := c.Query("done"); {
	case said != "":
	case slices.Contains(done, asked):
		key := "account." + asked + "_done"
		switch asked {
		case "token_deleted":
			key = "account.token_deleted"
		case "passkey_deleted":
			key = "passkey.deleted"
		case "passkey":
			key = "passkey.done"
		}
		v.Done = l.Text(key)
	case asked == "mail":
		v.Done = l.Text("account.mail_done", "Mail", a.Mail)
	}
	if actor.Can(ModerateQueue) {
		v.Admin = append(v.Admin, frontend.MailLink{URL: frontend.ModerateURL(""), Text: l.Text("queue.title")})
	}
	if actor.Can(SiteEdit) {
		v.Admin = append(v.Admin, frontend.MailLink{URL: "/admin", Text: l.Text("admin.title")})
	}
	if actor.Can(AccountsManage) {
		v.Admin = append(v.Admin, frontend.MailLink{URL: "/admin/accounts", Text: l.Text("account.admin_accounts")})
	}
	now := h.passwordField(l, a)
	profile := frontend.Form{Title: l.Text("account.profile_title"), Action: "/account/profile", Button: l.Text("account.profile_button"), Quiet: true,
		Fields: []frontend.FormField{nameField(l, a.Name), {Name: "lang", Kind: "select", Label: l.Text("account.lang"), List: languages(h.Site().Languages, a.Lang, p.Lang)}}}
	mail := frontend.Form{Title: l.Text("account.mail_title"), Lead: l.Text("account.mail_lead"), Action: "/account/mail", Button: l.Text("account.mail_button"), Quiet: true,
		Fields: append([]frontend.FormField{{Name: "mail", Kind: "email", Label: l.Text("account.mail_new"), Auto: "email", Must: true, Long: 254}}, now...)}
	password := frontend.Form{Title: l.Text("account.password_title"), Action: "/account/password", Button: l.Text("account.password_button"), Quiet: true, Fields: now}
	if a.Password == "" {
		password.Lead, password.Button = l.Text("account.password_none"), l.Text("account.password_set")
	}
	fresh := newPasswordField(l, true)
	fresh.Label = l.Text("account.password_new")
	password.Fields = append(slices.Clone(now), fresh)
	v.Forms = []frontend.Form{profile, mail, password}
	v.TokenForm = frontend.Form{Title: l.Text("account.token_title"), Action: "/account/tokens", Button: l.Text("account.token_button"), Quiet: true,
		Fields: []frontend.FormField{{Name: "token_name", Kind: "text", Label: l.Text("account.token_name"), Must: true, Long: 60, Auto: "off"}}}
	for _, s := range Scopes {
		v.TokenForm.Fields = append(v.TokenForm.Fields, frontend.FormField{Name: "scopes", Kind: "checkbox", Value: string(s), Label: l.Text("scope." + string(s)), On: s == ScopeRead})
	}
	if !actor.fresh { // as [handlers.reallyMe] asks
		if v.TokenForm.Fields = append(v.TokenForm.Fields, now...); len(now) == 0 {
			v.TokenForm.Lead = l.Text("account.refused_confirm")
		}
	}
	v.Delete = frontend.Form{Title: l.Text("account.delete_title"), Lead: l.Text("account.delete_lead"), Action: "/account/delete", Button: l.Text("account.delete_button"), Danger: true,
		Fields: append(slices.Clone(now), frontend.FormField{Name: "sure", Kind: "checkbox", Value: "yes", Label: l.Text("account.delete_sure")})}
	if err := h.listAccess(c, actor, &v); err != nil {
		return err
	}
	if v.Passkeys, err = h.passkeysView(c, l, a); err != nil {
		return err
	}
	if said == "" && c.Query("done") == "password" {
		v.Done += stillOpen(l, &v)
	}
	code := http.StatusOK
	if bad != nil {
		code = http.StatusUnprocessableEntity
		form := [...]*frontend.Form{&v.Forms[0], &v.Forms[1], &v.Forms[2], &v.TokenForm, &v.Delete}[bad.form]
		if !wrongs(l, bad.err, form) {
			return bad.err
		}
		for i := range form.Fields {
			if f := &form.Fields[i]; f.Kind == "text" || f.Kind == "email" {
				f.Value = c.FormValue(f.Name)
			}
		}
	}
	c.Status(code)
	return h.render(c, frontend.Account(p, v))
}

// stillOpen says after a change of password what it did not end. Keys of programs are not ended with it: what an operator's
// scripts do every night would stop without a word. But their owner learns of each, also of one that somebody else made.
func stillOpen(l *frontend.Localizer, v *frontend.AccountView) string {
	var names []string
	for _, one := range v.Passkeys.Rows {
		names = append(names, one.Name)
	}
	for _, one := range v.Tokens {
		names = append(names, one.Name)
	}
	if len(names) == 0 {
		return ""
	}
	return " " + l.Text("account.password_keys", "Keys", strings.Join(names, ", "))
}

func (h *handlers) listAccess(c *fiber.Ctx, actor *Actor, v *frontend.AccountView) error {
	sessions, err := h.Sessions(c.UserContext(), actor)
	if err != nil {
		return err
	}
	for _, s := range sessions {
		v.Sessions = append(v.Sessions, frontend.SessionRow{ID: s.ID, Device: s.Device, Created: s.Created, Seen: s.Seen, Current: s.Current})
	}
	tokens, err := h.Tokens(c.UserContext(), actor.ID)
	for _, t := range tokens {
		row := frontend.TokenRow{ID: t.ID, Name: t.Name, Created: t.Created, Seen: t.Seen}
		for _, s := range t.Scopes {
			row.Scopes = append(row.Scopes, string(s))
		}
		v.Tokens = append(v.Tokens, row)
	}
	return err
}

// passwordField asks for the present password, of those who have one.
func (h *handlers) passwordField(l *frontend.Localizer, a *Account) []frontend.FormField {
	if a.Password == "" {
		return nil
	}
	return []frontend.FormField{{Name: "now", Kind: "password", Label: l.Text("account.password_now"), Auto: "current-password", Must: true, Long: maxPassword}}
}

func languages(offered []string, chosen, shown string) []frontend.Choice {
	if chosen == "" {
		chosen = shown
	}
	out := make([]frontend.Choice, len(offered))
	for i, lang := range offered {
		out[i] = frontend.Choice{Value: lang, Label: frontend.T(lang).Text("language"), Chosen: lang == chosen}
	}
	return out
}

// sure makes certain that it is really the account's owner: by the password, or by having signed in just now.
func (h *handlers) sure(c *fiber.Ctx, a *Account) error {
	if err := h.limits.take(limitPassword, a.ID); err != nil {
		return err
	}
	if a.Password == "" {
		if From(c).fresh {
			return nil
		}
		return &Refusal{AccountSelf, ReasonConfirm}
	}
	same, err := h.password.matches(c.UserContext(), c.FormValue("now"), a.Password)
	if err != nil || same {
		return err
	}
	return directory.Invalid{{Field: "now", Code: "wrong_password"}}
}

func (h *handlers) saveProfile(c *fiber.Ctx) error {
	name, lang := strings.TrimSpace(c.FormValue("name")), c.FormValue("lang")
	var bad problems
	bad.one(checkName(name))
	if lang != "" && !slices.Contains(h.Site().Languages, lang) {
		bad.one(&directory.Problem{Field: "lang", Code: directory.CodeUnknown, Params: map[string]any{"value": lang}})
	}
	if err := bad.err(); err != nil {
		return h.showAccount(c, "", "", &wrong{0, err})
	}
	a, err := h.update(c.UserContext(), From(c).ID, func(a *Account) error {
		a.Name, a.Lang = name, lang
		return nil
	})
	if err != nil {
		return err
	}
	if a.Lang != "" {
		c.Cookie(&fiber.Cookie{Name: "lang", Value: a.Lang, Path: "/", MaxAge: 365 * 24 * 3600, SameSite: fiber.CookieSameSiteLaxMode, HTTPOnly: true})
	}
	return c.Redirect("/account?done=profile", http.StatusSeeOther)
}

func (h *handlers) changeMail(c *fiber.Ctx) error {
	a, err := h.Get(c.UserContext(), From(c).ID)
	if err != nil {
		return err
	}
	mail, err := NormalMail(c.FormValue("mail"))
	if err == nil {
		err = h.sure(c, a)
	}
	if err == nil {
		err = h.mayMail(c, mail)
	}
	if err != nil {
		return h.showAccount(c, "", "", &wrong{1, err})
	}
	p := h.page(c, "")
	if err := h.askLink(c.UserContext(), link{Kind: linkMail, Mail: mail, Account: a.ID, Epoch: a.Epoch, Lang: p.Lang}); err != nil {
		return err
	}
	return h.showAccount(c, frontend.T(p.Lang).Text("account.mail_sent", "Mail", mail), "", nil)
}

func (h *handlers) changePassword(c *fiber.Ctx) error {
	a, err := h.Get(c.UserContext(), From(c).ID)
	if err != nil {
		return err
	}
	if err = checkPassword("password", c.FormValue("password"), a.Mail, a.Name); err == nil {
		err = h.sure(c, a)
	}
	if err != nil {
		return h.showAccount(c, "", "", &wrong{2, err})
	}
	if a, err = h.setPassword(c.UserContext(), a.ID, c.FormValue("password")); err != nil {
		return err
	}
	if err := h.begin(c, a); err != nil { // every session ended, this one too: here is another
		return err
	}
	return c.Redirect("/account?done=password", http.StatusSeeOther)
}

func (h *handlers) endSession(c *fiber.Ctx) error {
	if err := h.EndSession(c.UserContext(), From(c), c.FormValue("id")); err != nil {
		return err
	}
	return c.Redirect("/account?done=session", http.StatusSeeOther)
}

func (h *handlers) makeToken(c *fiber.Ctx) error {
	var scopes []Scope
	for _, s := range c.Request().PostArgs().PeekMulti("scopes") {
		scopes = append(scopes, Scope(s))
	}
	a, err := h.Get(c.UserContext(), From(c).ID)
	if err != nil {
		return err
	}
	token := ""
	if err = h.reallyMe(c, a); err == nil {
		token, err = h.NewToken(c.UserContext(), From(c), c.FormValue("token_name"), scopes)
	}
	if err != nil {
		return h.showAccount(c, "", "", &wrong{3, err})
	}
	return h.showAccount(c, frontend.T(h.page(c, "").Lang).Text("account.token_made"), token, nil)
}

func (h *handlers) deleteToken(c *fiber.Ctx) error {
	if err := h.DeleteToken(c.UserContext(), From(c), c.FormValue("id")); err != nil {
		return err
	}
	return c.Redirect("/account?done=token_deleted", http.StatusSeeOther)
}

func (h *handlers) export(c *fiber.Ctx) error {
	if err := h.limits.take(limitExportActor, From(c).ID); err != nil {
		return err
	}
	data, err := h.Export(c.UserContext(), From(c))
	if err != nil {
		return err
	}
	b, err := json.MarshalIndent(data, "", "  ")
	if err != nil {
		return err
	}
	c.Set(fiber.HeaderContentType, fiber.MIMEApplicationJSONCharsetUTF8)
	c.Set(fiber.HeaderContentDisposition, `attachment; filename="archipel.json"`)
	c.Set(fiber.HeaderCacheControl, "private, no-store")
	return c.Send(b)
}

func (h *handlers) delete(c *fiber.Ctx) error {
	a, err := h.Get(c.UserContext(), From(c).ID)
	if err != nil {
		return err
	}
	if err = h.sure(c, a); err == nil && c.FormValue("sure") != "yes" {
		err = directory.Invalid{{Field: "sure", Code: directory.CodeRequired}}
	}
	if err != nil {
		return h.showAccount(c, "", "", &wrong{4, err})
	}
	switch err := h.Delete(c.UserContext(), a.ID); {
	case errors.Is(err, ErrLastAdmin):
		p, l := h.begins(c, "")
		return h.formPage(c, p, frontend.FormView{Title: l.Text("account.delete_title"), Lead: []string{l.Text("account.last_admin")}, Ways: []frontend.MailLink{
			{URL: "/admin/accounts", Text: l.Text("account.admin_accounts")}, {URL: "/account", Text: l.Text("me.title")}}}, http.StatusConflict)
	case err != nil:
		return err
	}
	if err := h.end(c); err != nil {
		return err
	}
	p, l := h.begins(c, "")
	p.Visitor = h.Visitor(c)
	return h.formPage(c, p, frontend.FormView{Title: l.Text("account.delete_done_title"), Lead: []string{l.Text("account.delete_done_lead")},
		Ways: []frontend.MailLink{{URL: "/", Text: l.Text("error.home")}}}, http.StatusOK)
}
