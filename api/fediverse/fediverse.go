// Package fediverse is the operator's part of the instance in the fediverse: who may take part, how other servers fare, what is
// blocked, who waits, the keys; and what other servers report, for the moderators.
//
// Everything that the pages do, the command "archipel federation" does as well. A change has its effect before the page answers.
package fediverse

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"archipel/api/account"
	"archipel/directory"
	"archipel/federation"
	"archipel/frontend"

	"github.com/a-h/templ"
	"github.com/gofiber/fiber/v2"
)

// Options are the parts of a [Service]. Directory and Federation are required.
type Options struct {
	Directory  *directory.Directory
	Federation *federation.Service
	Log        *slog.Logger
	Now        func() time.Time
}

// Service is the operator's part. Create it with [New]; the server that shows its pages calls [Service.Routes].
type Service struct {
	Options
	House
}

// House is what the pages need of the server that shows them. All are required.
type House struct {
	Accounts *account.Service
	// Page and Render say how a page begins and how it is written.
	Page   func(*fiber.Ctx, string) frontend.Page
	Render func(*fiber.Ctx, templ.Component) error
	Zone   func() *time.Location
	// SignedFetch reads and SetSignedFetch writes the setting of that name.
	SignedFetch    func(context.Context) (bool, error)
	SetSignedFetch func(context.Context, bool) error
}

// New makes a service.
func New(o Options) *Service {
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Service{Options: o}
}

// Routes adds the pages.
func (s *Service) Routes(app fiber.Router, h House) {
	s.House = h
	door := account.Require(account.PeersManage)
	at := frontend.ServersURL
	app.Get(at, door, s.overviewPage)
	app.Get(at+"/policy", door, s.policyPage)
	app.Post(at+"/policy", door, s.changePolicy)
	app.Get(at+"/allowed", door, s.removePage)
	app.Post(at+"/allowed", door, s.changeAllowed)
	app.Post(at+"/followers", door, s.decideFollower)
	app.Get(at+"/server", door, s.openServer)
	app.Get(at+"/servers/:host", door, s.serverPage)
	app.Post(at+"/servers/:host", door, s.changeServer)
	app.Get(at+"/blocks.csv", door, s.exportBlocks)
	app.Post(at+"/blocks", door, s.tryBlocks)
	app.Get(at+"/blocks/:list", door, s.blocksPage)
	app.Post(at+"/blocks/:list", door, s.decideBlocks)
	app.Get(at+"/keys", door, s.keysPage)
	app.Post(at+"/keys", door, s.rotateKeys)
}

// begins is a page with forms that nobody keeps.
func (s *Service) begins(c *fiber.Ctx, title string, args ...any) (frontend.Page, *frontend.Localizer) {
	p := s.Page(c, "")
	l := frontend.T(p.Lang)
	p.Title = l.Text(title, args...)
	p.NoIndex, p.Canonical = true, ""
	p.CSRF = s.Accounts.CSRF(c)
	if c.Method() == fiber.MethodPost {
		p.Path = frontend.ServersURL
	}
	c.Set(fiber.HeaderCacheControl, "private, no-store")
	c.Set(fiber.HeaderReferrerPolicy, "same-origin")
	return p, l
}

// back leads to a page after something was done.
func back(c *fiber.Ctx, page, done string, more ...string) error {
	q := url.Values{"done": {done}}
	for i := 0; i+1 < len(more); i += 2 {
		q.Set(more[i], more[i+1])
	}
	return c.Redirect(page+"?"+q.Encode(), http.StatusSeeOther)
}

func (s *Service) in(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return t.In(s.Zone())
}

// author is who does something, as in the log.
func author(c *fiber.Ctx) string { return account.From(c).Author() }

// field is a line that somebody typed, without what no line has; most is in bytes.
func field(c *fiber.Ctx, name string, most int) string {
	text := strings.Join(strings.Fields(strings.ToValidUTF8(c.FormValue(name), "")), " ")
	text = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return -1
		}
		return r
	}, text)
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "")
	}
	return text
}

// unknown is the error of a value that is none of a form's.
func unknown(field, value string) error {
	return directory.Invalid{{Field: field, Code: directory.CodeUnknown, Params: map[string]any{"value": value}}}
}

// whom names one of our actors by its address, with its page.
func (s *Service) whom(ctx context.Context, l *frontend.Localizer, address string) (name, page string, err error) {
	if address == s.Federation.ActorID("relay") {
		return l.Text("servers.whole"), "", nil
	}
	id, ok := s.Federation.EntryAt(address)
	if !ok {
		return address, "", nil
	}
	e, err := s.Directory.Entry(ctx, id)
	switch {
	case errors.Is(err, directory.ErrNotFound):
		return address, "", nil
	case err != nil:
		return "", "", err
	case !e.Public():
		return e.Name, "", nil
	}
	return e.Name, frontend.EntryURL(e.Slug), nil
}

// Health are the lines for the page of the directory's health.
func (s *Service) Health(ctx context.Context, l *frontend.Localizer) ([]frontend.HealthNote, error) {
	servers, load, err := s.Federation.Servers(ctx)
	if err != nil {
		return nil, fmt.Errorf("servers: %w", err)
	}
	waiting, failing := 0, 0
	for i := range servers {
		if waiting += servers[i].Waiting; servers[i].State == federation.StateFailing {
			failing++
		}
	}
	notes := []frontend.HealthNote{{Text: l.Text("servers.health", "Count", l.Number(len(servers)), "Queue", l.Number(load.Queue)), URL: frontend.ServersURL}}
	if waiting > 0 {
		notes = append(notes, frontend.HealthNote{Text: l.Plural("servers.health_waiting", waiting), URL: frontend.ServersURL + "#waiting", Bad: true})
	}
	if failing > 0 {
		notes = append(notes, frontend.HealthNote{Text: l.Plural("servers.health_failing", failing), URL: frontend.ServersURL + "?state=failing#servers"})
	}
	return notes, nil
}
