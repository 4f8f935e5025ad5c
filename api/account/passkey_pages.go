package account

import (
	"errors"
	"net/http"
	"strings"

	"archipel/directory"
	"archipel/frontend"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"
	"github.com/gofiber/fiber/v2"
)

// passkeyRoutes are what the page's script asks; without scripts a browser has no passkeys.
func (h *handlers) passkeyRoutes(app fiber.Router) {
	app.Post("/signin/passkey/begin", Require(SignIn), h.passkeyQuestion)
	app.Post("/signin/passkey", Require(SignIn), h.passkeySignIn)
	app.Post("/account/passkeys/begin", Require(AccountSelf), h.newPasskey)
	app.Post("/account/passkeys", Require(AccountSelf), h.keepPasskey)
	app.Post("/account/passkeys/delete", Require(AccountSelf), h.deletePasskey)
}

// said answers a script with a sentence to show.
func said(c *fiber.Ctx, status int, text string) error {
	c.Set(fiber.HeaderCacheControl, "no-store")
	return c.Status(status).JSON(fiber.Map{"problem": text})
}

// passkeyProblem answers what went wrong: people are told that it did not work, the log says why.
func (h *handlers) passkeyProblem(c *fiber.Ctx, err error, status int, key string) error {
	if !errors.Is(err, ErrPasskey) {
		return err
	}
	var why *protocol.Error
	if errors.As(err, &why) {
		h.Log.Info("passkey refused", "ip", h.client(c), "err", err, "detail", why.Details, "info", why.DevInfo)
	} else {
		h.Log.Info("passkey refused", "ip", h.client(c), "err", err)
	}
	return said(c, status, frontend.T(h.page(c, "").Lang).Text(key))
}

// passkeyQuestion asks whichever passkey the visitor has for this site.
func (h *handlers) passkeyQuestion(c *fiber.Ctx) error {
	if err := h.limits.take(limitSignInIP, h.client(c)); err != nil {
		return err
	}
	w := h.relying(c)
	if w == nil {
		return said(c, http.StatusNotFound, frontend.T(h.page(c, "").Lang).Text("passkey.off"))
	}
	question, session, err := w.BeginDiscoverableLogin(webauthn.WithUserVerification(protocol.VerificationRequired))
	if err != nil {
		return err
	}
	if err := h.keepChallenge(c.UserContext(), h.binding(c), challengeRecord{Session: *session}); err != nil {
		return h.passkeyProblem(c, err, http.StatusForbidden, "passkey.refused")
	}
	c.Set(fiber.HeaderCacheControl, "no-store")
	return c.JSON(question)
}

func (h *handlers) passkeySignIn(c *fiber.Ctx) error {
	if err := h.limits.take(limitSignInIP, h.client(c)); err != nil {
		return err
	}
	w := h.relying(c)
	if w == nil {
		return said(c, http.StatusNotFound, frontend.T(h.page(c, "").Lang).Text("passkey.off"))
	}
	a, err := h.usePasskey(c.UserContext(), w, h.binding(c), c.Body())
	if err != nil {
		return h.passkeyProblem(c, err, http.StatusForbidden, "passkey.refused")
	}
	if err := h.enter(c, a, LocalPath(c.Query("next"), "/account")); err != nil {
		return err
	}
	next := c.GetRespHeader(fiber.HeaderLocation)
	c.Response().Header.Del(fiber.HeaderLocation)
	return c.Status(http.StatusOK).JSON(fiber.Map{"next": next})
}

// reallyMe makes certain that it is the account's owner who adds or takes away a way in: having signed in just now, or the
// password.
func (h *handlers) reallyMe(c *fiber.Ctx, a *Account) error {
	if From(c).fresh {
		return nil
	}
	return h.sure(c, a)
}

// newPasskey asks the browser to make a passkey.
func (h *handlers) newPasskey(c *fiber.Ctx) error {
	l := frontend.T(h.page(c, "").Lang)
	w := h.relying(c)
	if w == nil {
		return said(c, http.StatusNotFound, l.Text("passkey.off"))
	}
	user, err := h.passkeyOf(c.UserContext(), From(c).ID)
	if err != nil {
		return err
	}
	name := strings.TrimSpace(c.FormValue("passkey_name"))
	if name == "" {
		name = device(c.Get(fiber.HeaderUserAgent))
	}
	if name == "" {
		name = l.Text("passkey.unnamed")
	}
	if one := checkText("passkey_name", name, 60); one != nil {
		err = directory.Invalid{*one}
	} else if len(user.keys) >= maxPasskeys {
		err = directory.Invalid{{Field: "passkey_name", Code: directory.CodeTooMany, Params: map[string]any{"max": maxPasskeys, "got": len(user.keys) + 1}}}
	} else {
		err = h.reallyMe(c, user.Account)
	}
	var invalid directory.Invalid
	var refused *Refusal
	switch {
	case errors.As(err, &invalid):
		field, text := l.ProblemText(frontend.Problem{Field: invalid[0].Field, Code: invalid[0].Code, Params: invalid[0].Params})
		return said(c, http.StatusUnprocessableEntity, field+" – "+text)
	case errors.As(err, &refused):
		return said(c, http.StatusForbidden, l.Text("passkey.sign_in_again"))
	case err != nil:
		return err
	}
	question, session, err := w.BeginRegistration(user, webauthn.WithExclusions(webauthn.Credentials(user.keys).CredentialDescriptors()))
	if err != nil {
		return err
	}
	if err := h.keepChallenge(c.UserContext(), h.binding(c), challengeRecord{Account: user.ID, Name: name, Session: *session}); err != nil {
		return h.passkeyProblem(c, err, http.StatusForbidden, "passkey.refused")
	}
	c.Set(fiber.HeaderCacheControl, "no-store")
	return c.JSON(question)
}

// keepPasskey takes the passkey that the browser made.
func (h *handlers) keepPasskey(c *fiber.Ctx) error {
	w := h.relying(c)
	if w == nil {
		return said(c, http.StatusNotFound, frontend.T(h.page(c, "").Lang).Text("passkey.off"))
	}
	if err := h.addPasskey(c.UserContext(), w, h.binding(c), From(c).ID, c.Body()); err != nil {
		return h.passkeyProblem(c, err, http.StatusUnprocessableEntity, "passkey.not_kept")
	}
	h.Log.Info("passkey added", "account", From(c).ID)
	return c.Status(http.StatusCreated).JSON(fiber.Map{"next": "/account?done=passkey"})
}

func (h *handlers) deletePasskey(c *fiber.Ctx) error {
	a, err := h.Get(c.UserContext(), From(c).ID)
	if err != nil {
		return err
	}
	if err := h.reallyMe(c, a); err != nil {
		var invalid directory.Invalid
		if errors.As(err, &invalid) {
			return &Refusal{AccountSelf, ReasonConfirm}
		}
		return err
	}
	if err := h.DeletePasskey(c.UserContext(), a.ID, c.FormValue("id")); err != nil {
		return err
	}
	h.Log.Info("passkey removed", "account", a.ID)
	return c.Redirect("/account?done=passkey_deleted", http.StatusSeeOther)
}

// passkeysView is the part of one's account about passkeys.
func (h *handlers) passkeysView(c *fiber.Ctx, l *frontend.Localizer, a *Account) (*frontend.PasskeysView, error) {
	list, err := h.Passkeys(c.UserContext(), a.ID)
	if err != nil {
		return nil, err
	}
	v := &frontend.PasskeysView{Can: h.relying(c) != nil}
	for _, one := range list {
		v.Rows = append(v.Rows, frontend.PasskeyRow{ID: one.ID, Name: one.Name, Created: one.Created, Seen: one.Seen, Synced: one.Synced})
	}
	v.Form = frontend.Form{Action: "/account/passkeys/begin", Button: l.Text("passkey.add"), Quiet: true,
		Fields: []frontend.FormField{{Name: "passkey_name", Kind: "text", Label: l.Text("passkey.name"), Hint: l.Text("passkey.name_hint"), Auto: "off", Long: 60}}}
	if !From(c).fresh {
		if v.Now = h.passwordField(l, a); v.Now == nil {
			v.SignInAgain = true
		}
		v.Form.Fields = append(v.Form.Fields, v.Now...)
	}
	return v, nil
}
