package digest

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"archipel/api/account"
	"archipel/api/signed"
	"archipel/directory"
	"archipel/frontend"

	"github.com/a-h/templ"
	"github.com/gofiber/fiber/v2"
)

// purpose is what the service's tokens are made for; path is where the links of mails lead.
const (
	purpose = "digest"
	path    = "/mail/digest"
)

// What a link does.
const (
	doConfirm = "confirm"
	doChange  = "change"
	doStop    = "stop"
	doForget  = "forget" // all subscriptions of the address
)

// claim is what a token says.
type claim struct {
	Do     string  `json:"d"`
	Key    string  `json:"k,omitempty"` // of a subscription
	ID     string  `json:"i,omitempty"` // of a subscription that is not yet confirmed
	Choice *Choice `json:"c,omitempty"`
}

func (s *Service) link(ctx context.Context, c claim, until time.Time) (string, error) {
	token, err := s.Keys.Sign(ctx, purpose, c, until)
	return path + "?t=" + url.QueryEscape(token), err
}

// handlers are the pages of digests.
type handlers struct {
	*Service
	page   func(c *fiber.Ctx, title string) frontend.Page
	render func(c *fiber.Ctx, page templ.Component) error
}

// Links adds the pages behind the links of mails. Their POST proves by its signature that it is meant, also when a mail program
// sends it (RFC 8058): they belong in front of what asks for a form's token.
func (s *Service) Links(app fiber.Router, page func(*fiber.Ctx, string) frontend.Page, render func(*fiber.Ctx, templ.Component) error) {
	h := &handlers{s, page, render}
	app.Get(path, h.show)
	app.Post(path, h.act)
}

// Routes adds the form that asks for a digest.
func (s *Service) Routes(app fiber.Router, page func(*fiber.Ctx, string) frontend.Page, render func(*fiber.Ctx, templ.Component) error) {
	h := &handlers{s, page, render}
	app.Get("/digest", h.form)
	app.Post("/digest", account.Require(account.Subscribe), h.ask)
}

// form shows the form, filled in with the list that somebody comes from.
func (h *handlers) form(c *fiber.Ctx) error {
	v, err := url.ParseQuery(string(c.Request().URI().QueryString()))
	if err != nil {
		return directory.Invalid{{Field: "query", Code: directory.CodeInvalid}}
	}
	return h.showForm(c, http.StatusOK, h.typed(v), nil, "")
}

// ask sends the link that confirms. The answer is the same whether the address is known or not.
func (h *handlers) ask(c *fiber.Ctx) error {
	v, err := url.ParseQuery(string(c.Body()))
	if err != nil {
		return directory.Invalid{{Field: "body", Code: directory.CodeInvalid}}
	}
	f := h.typed(v)
	p, l := h.begins(c)
	choice, wrong := h.choice(c, &f, p.Lang)
	mail, err := account.NormalMail(f.mail)
	var invalid directory.Invalid
	if errors.As(err, &invalid) {
		wrong = append(wrong, invalid...)
	}
	if len(wrong) > 0 {
		return h.showForm(c, http.StatusBadRequest, f, wrong, "")
	}
	choice.Mail, choice.Lang = mail, p.Lang
	if v.Get("fax") == "" { // only programs fill it in
		if err := h.Accounts.LimitMails(c, mail); err != nil {
			return err
		}
		u, err := h.link(c.UserContext(), claim{Do: doConfirm, ID: string(directory.NewID()), Choice: &choice}, h.Now().Add(confirmWithin))
		if err != nil {
			return err
		}
		err = h.Accounts.Mailer.Send(c.UserContext(), account.Message{
			Key: "digest confirm " + string(directory.NewID()), To: mail, Lang: p.Lang, Template: "mail.digest_confirm",
			Params: map[string]string{"Place": h.known(c.UserContext(), &choice)}, Link: h.base() + u,
		})
		if err != nil {
			return err
		}
	}
	p.Title = l.Text("digest.sent_title")
	return h.render(c, frontend.FormPage(p, frontend.FormView{Title: p.Title, Lead: []string{l.Text("digest.sent", "Mail", mail)}, Ways: home(l)}))
}

func home(l *frontend.Localizer) []frontend.MailLink {
	return []frontend.MailLink{{URL: "/", Text: l.Text("fresh.home")}}
}

// begins is a page that nobody keeps and that tells no other site its address.
func (h *handlers) begins(c *fiber.Ctx) (frontend.Page, *frontend.Localizer) {
	p := h.page(c, "")
	p.NoIndex, p.Canonical = true, ""
	c.Set(fiber.HeaderCacheControl, "private, no-store")
	c.Set(fiber.HeaderReferrerPolicy, "same-origin")
	return p, frontend.T(p.Lang)
}

func (h *handlers) say(c *fiber.Ctx, code int, title, text string, forms ...frontend.Form) error {
	p, l := h.begins(c)
	p.Title = title
	c.Status(code)
	return h.render(c, frontend.FormPage(p, frontend.FormView{Title: title, Lead: strings.Split(text, "\n"), Forms: forms, Ways: home(l)}))
}

// broken is the page of a link that does nothing.
func (h *handlers) broken(c *fiber.Ctx, err error) error {
	_, l := h.begins(c)
	switch {
	case errors.Is(err, signed.ErrForged):
		return h.say(c, http.StatusBadRequest, l.Text("fresh.broken"), l.Text("fresh.forged"))
	case errors.Is(err, signed.ErrExpired):
		return h.say(c, http.StatusGone, l.Text("fresh.broken"), l.Text("digest.old"))
	case errors.Is(err, errFull):
		return h.say(c, http.StatusConflict, l.Text("digest.full_title"), l.Text("digest.full", "Count", l.Number(perAddress)))
	}
	return err
}

// follow reads what a link is about: the subscription is nil before it is confirmed, and after it ended.
func (h *handlers) follow(c *fiber.Ctx) (m claim, sub *subscription, err error) {
	ctx := c.UserContext()
	if err := h.Keys.Open(ctx, purpose, c.Query("t"), h.Now(), &m); err != nil {
		return m, nil, err
	}
	key := m.Key
	if m.Do == doConfirm {
		if m.Choice == nil {
			return m, nil, signed.ErrForged
		}
		key = addressKey(m.Choice.Mail) + m.ID
	}
	sub, err = h.load(ctx, key)
	return m, sub, err
}

// show is the page of a link: what it would do, and the button that does it. It changes nothing.
func (h *handlers) show(c *fiber.Ctx) error {
	m, sub, err := h.follow(c)
	if err != nil {
		return h.broken(c, err)
	}
	_, l := h.begins(c)
	form := frontend.Form{Action: path + "?t=" + url.QueryEscape(c.Query("t")), Button: l.Text("digest.button_" + m.Do), Danger: m.Do == doStop || m.Do == doForget}
	switch {
	case m.Do == doConfirm && sub != nil:
		return h.confirmed(c, sub)
	case m.Do == doConfirm:
		return h.say(c, http.StatusOK, l.Text("digest.confirm_title"), h.inWords(l, m.Choice), form)
	case m.Do == doForget:
		return h.say(c, http.StatusOK, l.Text("digest.forget_title"), l.Text("digest.forget"), form)
	case sub == nil:
		return h.say(c, http.StatusOK, l.Text("digest.ended_title"), l.Text("digest.ended"))
	case m.Do == doStop:
		return h.say(c, http.StatusOK, l.Text("digest.stop_title"), h.inWords(l, &sub.Choice), form)
	}
	return h.manage(c, http.StatusOK, sub, typedOf(&sub.Choice), nil, "")
}

// act does what a link is for. Doing it again changes nothing more.
func (h *handlers) act(c *fiber.Ctx) error {
	ctx := c.UserContext()
	m, sub, err := h.follow(c)
	if err != nil {
		return h.broken(c, err)
	}
	_, l := h.begins(c)
	switch {
	case m.Do == doConfirm:
		if sub, err = h.subscribe(ctx, *m.Choice, m.ID); err != nil {
			return h.broken(c, err)
		}
		return h.confirmed(c, sub)
	case m.Do == doForget:
		if err := h.forget(ctx, m.Key); err != nil {
			return err
		}
		return h.say(c, http.StatusOK, l.Text("digest.ended_title"), l.Text("digest.ended"))
	case sub == nil:
		return h.say(c, http.StatusOK, l.Text("digest.ended_title"), l.Text("digest.ended"))
	case m.Do == doStop:
		if err := h.end(ctx, sub.key); err != nil {
			return err
		}
		return h.say(c, http.StatusOK, l.Text("digest.ended_title"), l.Text("digest.ended"))
	}
	v, err := url.ParseQuery(string(c.Body()))
	if err != nil {
		return directory.Invalid{{Field: "body", Code: directory.CodeInvalid}}
	}
	f := h.typed(v)
	choice, wrong := h.choice(c, &f, sub.Lang)
	if len(wrong) > 0 {
		return h.manage(c, http.StatusBadRequest, sub, f, wrong, "")
	}
	choice.Mail, choice.Lang = sub.Mail, l.Lang()
	if choice.Every != sub.Every || !sub.Paused.IsZero() {
		sub.Next = next(choice.Every, h.Now(), h.Site().Zone)
	}
	sub.Choice, sub.Paused, sub.Returned, sub.Sent = choice, time.Time{}, 0, ""
	if err := h.save(ctx, sub); errors.Is(err, directory.ErrStale) {
		return h.manage(c, http.StatusConflict, sub, f, nil, l.Text("digest.conflict"))
	} else if err != nil {
		return err
	}
	return h.confirmed(c, sub)
}

// confirmed is the page of a subscription that stands.
func (h *handlers) confirmed(c *fiber.Ctx, sub *subscription) error {
	_, l := h.begins(c)
	text := h.inWords(l, &sub.Choice) + "\n" + l.Text("digest.next", "Date", l.Date(sub.Next.In(h.Site().Zone), h.Now().In(h.Site().Zone)))
	return h.say(c, http.StatusOK, l.Text("digest.confirmed_title"), text)
}

// inWords says what a choice is.
func (h *handlers) inWords(l *frontend.Localizer, c *Choice) string {
	var about []string
	for _, k := range c.Kinds {
		about = append(about, l.Text("kinds."+string(k)))
	}
	for _, id := range c.Categories {
		about = append(about, h.Taxonomy.Label(id, l.Lang()))
	}
	if len(about) == 0 {
		about = []string{l.Text("digest.everything")}
	}
	return l.Text("digest.words_"+string(c.Every), "Place", c.Place, "Radius", l.Distance(float64(c.Radius)*1000)) + "\n" + strings.Join(about, ", ")
}

// showForm is the page that asks for a digest.
func (h *handlers) showForm(c *fiber.Ctx, code int, f typed, wrong directory.Invalid, said string) error {
	p, l := h.begins(c)
	p.CSRF = h.Accounts.CSRF(c)
	v := h.view(l, f, wrong)
	v.Title, v.Lead, v.Action, v.Button, v.Said, v.WithMail, v.Mail = l.Text("digest.title"), l.Text("digest.lead"), "/digest", l.Text("digest.send"), said, true, f.mail
	if !h.Accounts.Mailer.Configured() {
		v.Notice = l.Text("account.mail_off")
	}
	p.Title = v.Title
	c.Status(code)
	return h.render(c, frontend.Digest(p, v))
}

// manage is the page that changes a subscription.
func (h *handlers) manage(c *fiber.Ctx, code int, sub *subscription, f typed, wrong directory.Invalid, said string) error {
	p, l := h.begins(c)
	v := h.view(l, f, wrong)
	v.Title, v.Action, v.Button, v.Said = l.Text("digest.change_title"), path+"?t="+url.QueryEscape(c.Query("t")), l.Text("digest.button_change"), said
	if !sub.Paused.IsZero() {
		v.Notice = l.Text("digest.paused", "Date", l.DateOnly(sub.Paused.In(h.Site().Zone)))
	}
	for do, key := range map[string]string{doStop: sub.key, doForget: addressKey(sub.Mail)} {
		u, err := h.link(c.UserContext(), claim{Do: do, Key: key}, h.Now().Add(day))
		if err != nil {
			return err
		}
		v.Ways = append(v.Ways, frontend.MailLink{URL: u, Text: l.Text("digest.button_" + do)})
	}
	slices.SortFunc(v.Ways, func(a, b frontend.MailLink) int { return strings.Compare(b.Text, a.Text) })
	p.Title = v.Title
	c.Status(code)
	return h.render(c, frontend.Digest(p, v))
}

// view is the form with what was typed.
func (h *handlers) view(l *frontend.Localizer, f typed, wrong directory.Invalid) frontend.DigestView {
	v := frontend.DigestView{Place: f.place, Near: f.near, Of: f.of, Wrong: map[string]string{}}
	for _, one := range wrong {
		_, v.Wrong[one.Field] = l.ProblemText(frontend.Problem{Field: one.Field, Code: one.Code, Params: one.Params})
	}
	for _, o := range f.offered {
		v.Places = append(v.Places, frontend.Choice{Value: o.value, Label: o.label, Chosen: o.value == f.near})
	}
	for _, km := range Radii {
		v.Radii = append(v.Radii, frontend.Choice{Value: strconv.Itoa(km), Label: l.Distance(float64(km) * 1000), Chosen: km == f.radius})
	}
	for _, r := range Rhythms {
		v.Rhythms = append(v.Rhythms, frontend.Choice{Value: string(r), Label: l.Text("digest." + string(r)), Chosen: string(r) == f.every})
	}
	for _, k := range directory.Kinds {
		v.Kinds = append(v.Kinds, frontend.Choice{Value: string(k), Label: l.Text("kinds." + string(k)), Chosen: slices.Contains(f.kinds, string(k))})
	}
	ids := h.Taxonomy.Roots()
	for _, id := range f.categories { // a narrower one, from the list that somebody comes from
		if h.Taxonomy.Valid(id) && !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	for _, id := range ids {
		v.Categories = append(v.Categories, frontend.Choice{Value: id, Label: h.Taxonomy.Label(id, l.Lang()), Chosen: slices.Contains(f.categories, id)})
	}
	return v
}
