package freshness

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"archipel/api/signed"
	"archipel/directory"
	"archipel/frontend"

	"github.com/a-h/templ"
	"github.com/gofiber/fiber/v2"
)

// handlers are the pages behind the links of letters.
type handlers struct {
	*Service
	page   func(c *fiber.Ctx, title string) frontend.Page
	render func(c *fiber.Ctx, page templ.Component) error
}

// Routes adds the pages behind the links. Their POST proves by its signature that it is meant, also when a mail program sends
// it (RFC 8058): they belong in front of what asks for a form's token.
func (s *Service) Routes(app fiber.Router, page func(*fiber.Ctx, string) frontend.Page, render func(*fiber.Ctx, templ.Component) error) {
	h := &handlers{s, page, render}
	app.Get(path, h.show)
	app.Post(path, h.act)
}

// errOld is a link of an earlier letter, of somebody who is no longer asked about the entry, or about one that is gone.
var errOld = errors.New("the link is about what is no more")

// matter is what a link is about, as it stands.
type matter struct {
	claim
	person *person
	asked  *question
	entry  directory.Entry
	closed bool // hidden by the answer of this person, and nothing happened since
}

// read finds what a link is about.
func (s *Service) read(ctx context.Context, token string) (matter, error) {
	var c claim
	if err := s.Keys.Open(ctx, purpose, token, s.Now(), &c); err != nil {
		return matter{}, err
	}
	return s.look(ctx, c)
}

// look finds how things stand that a link is about.
func (s *Service) look(ctx context.Context, c claim) (m matter, err error) {
	m.claim = c
	if m.person, err = s.load(ctx, m.Who); err != nil || m.Entry == "" {
		return m, err
	}
	m.asked = m.person.Entries[m.Entry]
	if m.asked == nil || m.asked.Round != m.Round {
		return m, errOld
	}
	m.entry, err = s.Directory.Entry(ctx, m.Entry)
	if errors.Is(err, directory.ErrNotFound) {
		return m, errOld
	}
	if err != nil {
		return m, err
	}
	to, err := s.recipients(ctx, &m.entry)
	if err != nil {
		return m, err
	}
	if m.closed, err = s.closedBy(ctx, m); err != nil {
		return m, err
	}
	mine := slices.ContainsFunc(to, func(r recipient) bool { return r.key == m.Who })
	if !mine || m.entry.Origin != "" || !m.entry.Public() && !m.closed || m.Do == doReopen && !m.closed && m.entry.Status != directory.Published {
		return m, errOld
	}
	return m, nil
}

// closedBy reports whether an entry is hidden because the person said so, and nobody wrote since. A crash right after the
// writing leaves only the log to tell.
func (s *Service) closedBy(ctx context.Context, m matter) (bool, error) {
	if m.entry.Status != directory.Hidden || m.asked.Closed == m.entry.Version {
		return m.entry.Status == directory.Hidden, nil
	}
	last, err := s.Directory.History(ctx, m.Entry, 0, 1)
	if err != nil || len(last) == 0 {
		return false, err
	}
	said := slices.ContainsFunc(frontend.Locales(), func(lang string) bool { return last[0].Note == frontend.T(lang).Text("fresh.note_close") })
	return said && last[0].Author == author(m.Who) && last[0].Time.After(m.asked.At), nil
}

// begins is a page that nobody keeps and that tells no other site its address.
func (h *handlers) begins(c *fiber.Ctx) (frontend.Page, *frontend.Localizer) {
	p := h.page(c, "")
	p.NoIndex, p.Canonical = true, ""
	c.Set(fiber.HeaderCacheControl, "private, no-store")
	c.Set(fiber.HeaderReferrerPolicy, "no-referrer")
	c.Set("X-Robots-Tag", "noindex")
	return p, frontend.T(p.Lang)
}

// token is the signature, of the address also when the form was sent.
func token(c *fiber.Ctx) string { return c.Query("t") }

// broken is the page of a link that does nothing.
func (h *handlers) broken(c *fiber.Ctx, err error) error {
	p, l := h.begins(c)
	code, key := http.StatusBadRequest, "fresh.forged"
	switch {
	case errors.Is(err, signed.ErrForged):
	case errors.Is(err, signed.ErrExpired), errors.Is(err, errOld):
		code, key = http.StatusGone, "fresh.old"
	default:
		return err
	}
	c.Status(code)
	p.Title = l.Text("fresh.broken")
	return h.render(c, frontend.FormPage(p, frontend.FormView{Title: p.Title, Lead: []string{l.Text(key)}, Ways: []frontend.MailLink{{URL: "/", Text: l.Text("fresh.home")}}}))
}

// show is the page of a link: what it would do, and the button that does it. It changes nothing.
func (h *handlers) show(c *fiber.Ctx) error {
	m, err := h.read(c.UserContext(), token(c))
	if err != nil {
		return h.broken(c, err)
	}
	p, l := h.begins(c)
	do := m.Do
	if m.closed && do != doClose {
		do = doReopen
	}
	v := frontend.FormView{Title: l.Text("fresh.ask_"+do, "Name", m.entry.Name)}
	form := frontend.Form{Action: path + "?t=" + token(c), Button: l.Text("fresh.button_" + do), Danger: do == doClose}
	switch {
	case m.closed && do == doClose, do == doStop && !m.person.Never.IsZero():
		return h.done(c, m)
	case do == doStop || do == doResume:
		v.Lead = []string{l.Text("fresh.lead_" + do)}
	case do == doReopen:
		v.Lead = []string{l.Text("fresh.lead_reopen")}
	default:
		v.Lead = append([]string{l.Text("fresh.lead_"+do, "Age", l.Age(seen(&m.entry), h.Now()))}, facts(l, &m.entry)...)
		v.Ways = []frontend.MailLink{{URL: frontend.EntryURL(m.entry.Slug), Text: l.Text("fresh.see")}}
	}
	v.Forms, p.Title = []frontend.Form{form}, v.Title
	return h.render(c, frontend.FormPage(p, v))
}

// act does what a link is for. Doing it again changes nothing more.
func (h *handlers) act(c *fiber.Ctx) error {
	ctx := c.UserContext()
	m, err := h.read(ctx, token(c))
	if err != nil {
		return h.broken(c, err)
	}
	switch m.Do {
	case doStop, doResume:
		err = h.update(ctx, m.Who, func(p *person) {
			if p.Never = h.Now().UTC(); m.Do == doResume {
				p.Never = time.Time{}
			}
		})
	case doChange:
		if err = h.answered(ctx, m, 0); err == nil {
			to := frontend.SuggestURL(m.entry.Slug)
			if author(m.Who) != "visitor" {
				to = frontend.EditURL(m.entry.Slug)
			}
			return c.Redirect(to, http.StatusSeeOther)
		}
	default:
		err = h.write(ctx, m)
	}
	if err != nil {
		return h.broken(c, err)
	}
	if m, err = h.read(ctx, token(c)); err != nil {
		return h.broken(c, err)
	}
	return h.done(c, m)
}

// write changes the entry as the link says, by the log, unless it is so already.
func (s *Service) write(ctx context.Context, m matter) error {
	note := frontend.T(s.Site().Languages[0]).Text("fresh.note_" + m.Do)
	for try := 0; ; try++ {
		e := m.entry
		switch {
		case m.Do == doClose && m.closed, m.Do == doReopen && !m.closed, m.Do == doConfirm && m.asked.Answer == doConfirm && !m.closed && !seen(&e).Before(m.asked.At):
			return nil // done before
		case m.Do == doClose:
			e.Status = directory.Hidden
		case m.Do == doReopen:
			e.Status = directory.Published
		default:
			e.Status, e.Checked = directory.Published, s.Now().UTC()
		}
		outcomes, err := s.Directory.Write(ctx, directory.Write{Author: author(m.Who), Note: note, Entries: []directory.Entry{e}})
		if err != nil {
			return err
		}
		var conflict *directory.ConflictError
		if err := outcomes[0].Err; errors.As(err, &conflict) && try < 5 {
			if m, err = s.look(ctx, m.claim); err != nil {
				return err
			}
			continue
		} else if err != nil {
			return err
		}
		closed := directory.Seq(0)
		if m.Do == doClose {
			closed = outcomes[0].Entry.Version
		}
		return s.answered(ctx, m, closed)
	}
}

// answered notes an answer.
func (s *Service) answered(ctx context.Context, m matter, closed directory.Seq) error {
	return s.update(ctx, m.Who, func(p *person) {
		if q := p.Entries[m.Entry]; q != nil && q.Round == m.Round {
			if q.Answer, q.Closed = m.Do, closed; m.Do == doReopen {
				q.Answer = ""
			}
		}
	})
}

// done is the page after the button: what stands now, and the way back.
func (h *handlers) done(c *fiber.Ctx, m matter) error {
	p, l := h.begins(c)
	v := frontend.FormView{Title: l.Text("fresh.done_"+m.Do, "Name", m.entry.Name), Lead: []string{l.Text("fresh.then_" + m.Do)}}
	undo := claim{Who: m.Who, Entry: m.Entry, Round: m.Round}
	switch m.Do {
	case doClose:
		undo.Do = doReopen
	case doStop:
		undo.Do = doResume
	case doConfirm, doReopen:
		v.Ways = []frontend.MailLink{{URL: frontend.EntryURL(m.entry.Slug), Text: l.Text("fresh.see")}}
	}
	if undo.Do != "" {
		u, err := h.link(c.UserContext(), undo, h.Now().Add(30*day))
		if err != nil {
			return err
		}
		v.Forms = []frontend.Form{{Action: u, Button: l.Text("fresh.button_" + undo.Do), Quiet: true}}
	}
	p.Title = v.Title
	return h.render(c, frontend.FormPage(p, v))
}
