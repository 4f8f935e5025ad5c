package api

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"archipel/api/account"
	"archipel/directory"
	"archipel/frontend"

	"github.com/gofiber/fiber/v2"
	"golang.org/x/time/rate"
)

// Fediverse is what pages need of the instance in the fediverse. A reason is a code of the locale's [fediverse_why], empty
// when all is well.
type Fediverse interface {
	// Host is the part of our handles after the @.
	Host() string
	// FollowersOf is how many follow an organisation, and how many wait for the operator's yes.
	FollowersOf(id directory.ID) (following, waiting int)
	// Participants is how many people elsewhere say that they come to an event.
	Participants(ctx context.Context, id directory.ID) (int, error)
	// SubscribePage returns the page on somebody's own server, of which typed is the handle there, where they follow ours.
	SubscribePage(ctx context.Context, typed, ours string) (address, reason string)
	// AccountElsewhere finds an account on another server by its handle or address. back is whether it names the account of e
	// as its own too.
	AccountElsewhere(ctx context.Context, typed string, e *directory.Entry) (address string, back bool, reason string)
	// PageElsewhere is the page of an organisation in another directory, by the address of its account; "" of other accounts.
	PageElsewhere(ctx context.Context, address string) string
}

func (s *Server) fediverseRoutes() {
	s.app.Get("/fediverse", s.fediversePage)
	s.app.Get("/e/:slug/follow", s.followPage)
	if s.Accounts == nil {
		return
	}
	grant := account.Require(account.EntryGrant)
	s.app.Get("/e/:slug/team/fediverse", grant, s.fediverseTeam)
	s.app.Post("/e/:slug/team/fediverse", grant, s.changeFediverse)
}

// askLimit bounds how often one visitor, and all together, make us ask other servers.
type askLimit struct {
	now func() time.Time
	mu  sync.Mutex
	by  map[string]*rate.Limiter
	all *rate.Limiter
}

func newAskLimit(now func() time.Time) *askLimit {
	return &askLimit{now: now, by: map[string]*rate.Limiter{}, all: rate.NewLimiter(5, 50)}
}

func (a *askLimit) allow(visitor string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.by) > 10_000 {
		clear(a.by)
	}
	l := a.by[visitor]
	if l == nil {
		l = rate.NewLimiter(rate.Every(6*time.Second), 10)
		a.by[visitor] = l
	}
	now := a.now()
	return l.AllowN(now, 1) && a.all.AllowN(now, 1)
}

// visitor is who that is for [askLimit.allow]: not the proxy in front of us.
func (s *Server) visitor(c *fiber.Ctx) string {
	if s.Accounts == nil {
		return c.IP()
	}
	return s.Accounts.Client(c)
}

// askFor is how long a visitor waits for another server.
const askFor = 8 * time.Second

// takesPart reports whether somebody elsewhere can follow an organisation: see federation.
func takesPart(e *directory.Entry) bool {
	return e.Kind == directory.Organisation && e.Public() && e.Origin == "" && !e.Claimed.IsZero() && e.Fediverse != nil && !e.Fediverse.Off
}

// fediverseLinks says on an organisation's page how it is followed from elsewhere.
func (s *Server) fediverseLinks(c *fiber.Ctx, e *directory.Entry, v *frontend.EntryView) {
	if s.Fediverse == nil {
		return
	}
	if takesPart(e) {
		v.Handle, v.MovedTo = "@"+e.Fediverse.Handle+"@"+s.Fediverse.Host(), e.Fediverse.MovedTo
	}
	if s.Accounts != nil && e.Kind == directory.Organisation && e.Origin == "" && account.May(account.From(c), account.EntryGrant, e) == nil {
		v.FediverseURL = frontend.FediverseTeamURL(e.Slug)
	}
	if s.Echoes != nil {
		if err := s.Echoes.Show(c, e, v); err != nil {
			s.Log.Error("what came back from the fediverse cannot be shown", "entry", e.ID, "err", err) // the page is whole without it
		}
	}
	if e.Kind == directory.Event && e.Public() {
		if n, err := s.Fediverse.Participants(c.UserContext(), e.ID); err == nil {
			v.Participants = n
		}
	}
}

// fediversePage tells people how to follow the directory and its organisations from another network.
func (s *Server) fediversePage(c *fiber.Ctx) error {
	if s.Fediverse == nil {
		return fiber.NewError(http.StatusNotFound)
	}
	l := frontend.T(s.lang(c))
	p := s.page(c, l.Text("fediverse.title"))
	host := s.Fediverse.Host()
	return s.render(c, frontend.Fediverse(p, frontend.FediverseView{Relay: "@relay@" + host, Example: "@" + l.Text("fediverse.example") + "@" + host}))
}

// followPage asks somebody for their own server, and leads there.
func (s *Server) followPage(c *fiber.Ctx) error {
	id, ok := s.Directory.BySlug(c.Params("slug"))
	if !ok || s.Fediverse == nil {
		return fiber.NewError(http.StatusNotFound)
	}
	e, err := s.Directory.Entry(c.UserContext(), id)
	if err != nil {
		return err
	}
	if !takesPart(&e) {
		return fiber.NewError(http.StatusNotFound)
	}
	if e.Slug != c.Params("slug") {
		return c.Redirect(frontend.FollowURL(e.Slug), http.StatusMovedPermanently)
	}
	l := frontend.T(s.lang(c))
	p := s.page(c, l.Text("fediverse.follow_title", "Name", e.Name))
	p.NoIndex, p.Canonical = true, ""
	handle := "@" + e.Fediverse.Handle + "@" + s.Fediverse.Host()
	v := frontend.FollowView{Slug: e.Slug, Name: e.Name, Handle: handle, Typed: strings.TrimSpace(c.Query("account")), MovedTo: e.Fediverse.MovedTo}
	c.Set(fiber.HeaderCacheControl, "private, no-store")
	// The form leads to a page on the visitor's own server, which is not known before.
	c.Set(fiber.HeaderContentSecurityPolicy, "default-src 'self'; frame-ancestors 'self'; base-uri 'self'; form-action 'self' https:")
	if c.Context().QueryArgs().Has("account") {
		reason := "handle"
		switch {
		case v.Typed == "":
		case !s.asks.allow(s.visitor(c)):
			reason = "often"
			c.Status(http.StatusTooManyRequests)
		default:
			ctx, cancel := context.WithTimeout(c.UserContext(), askFor)
			defer cancel()
			var address string
			if address, reason = s.Fediverse.SubscribePage(ctx, v.Typed, handle); reason == "" {
				return c.Redirect(address, http.StatusSeeOther)
			}
		}
		if c.Response().StatusCode() == http.StatusOK {
			c.Status(http.StatusUnprocessableEntity)
		}
		v.Wrong = l.Code("fediverse_why", reason)
		if _, server, ok := strings.Cut(strings.TrimPrefix(v.Typed, "@"), "@"); ok && reason == "no_page" {
			v.Server = server
		}
	}
	return s.render(c, frontend.Follow(p, v))
}

// fediverseTeam is where the owners of an organisation say how it takes part.
func (s *Server) fediverseTeam(c *fiber.Ctx) error {
	e, err := s.teamEntry(c)
	if err != nil {
		return err
	}
	return s.showFediverseTeam(c, &e, nil, "")
}

// teamEntry is the organisation of the address, for its owners.
func (s *Server) teamEntry(c *fiber.Ctx) (directory.Entry, error) {
	id, ok := s.Directory.BySlug(c.Params("slug"))
	if !ok || s.Fediverse == nil {
		return directory.Entry{}, directory.ErrNotFound
	}
	e, err := s.Directory.Entry(c.UserContext(), id)
	if err != nil {
		return e, err
	}
	if e.Kind != directory.Organisation || e.Origin != "" || e.Status == directory.Removed {
		return e, directory.ErrNotFound
	}
	if err := account.Check(c, account.EntryGrant, &e); err != nil {
		if !s.mayRead(c, &e) {
			return e, directory.ErrNotFound
		}
		return e, err
	}
	return e, nil
}

// fediverseDone are the words that the page says after something was done.
var fediverseDone = []string{"chosen", "saved", "off", "on", "moving", "moved", "stays"}

func (s *Server) showFediverseTeam(c *fiber.Ctx, e *directory.Entry, typed *directory.Fediverse, wrong string, field ...string) error {
	l := frontend.T(s.lang(c))
	p := s.page(c, l.Text("fediverse.team_title", "Name", e.Name))
	p.NoIndex, p.Canonical = true, ""
	if c.Method() == fiber.MethodPost {
		p.Path = frontend.TeamURL(e.Slug) + "/fediverse"
	}
	if p.CSRF == "" {
		p.CSRF = s.csrf(c)
	}
	v := frontend.FediverseTeamView{
		Slug: e.Slug, Name: e.Name, Claimed: !e.Claimed.IsZero(), Public: e.Public(), Host: s.Fediverse.Host(),
		Handle: directory.SuggestHandle(e.Name), Types: directory.ActorTypes, Type: directory.ActorTypes[0], Replies: true, Discoverable: true, Wrong: map[string]string{},
	}
	f := e.Fediverse
	if f != nil {
		v.Chosen, v.Handle, v.On, v.MovedTo, v.MovedHome = true, f.Handle, takesPart(e), f.MovedTo, e.Home()
		v.Following, v.Waiting = s.Fediverse.FollowersOf(e.ID)
	}
	if typed != nil {
		f = typed
		if !v.Chosen {
			v.Handle = typed.Handle
		}
	}
	if f != nil {
		v.Type, v.Discoverable, v.Indexable, v.Replies, v.Joins, v.JoinsAsk = f.ActorType(), f.Discoverable, f.Indexable, f.Replies, f.Joins, f.JoinsAsk
		v.AlsoKnownAs = f.AlsoKnownAs
	}
	v.Typed = c.FormValue("account")
	for _, name := range field {
		v.Wrong[name] = wrong
	}
	if done := c.Query("done"); slices.Contains(fediverseDone, done) && wrong == "" {
		v.Done = l.Text("fediverse.done_" + done)
	}
	if wrong != "" {
		c.Status(http.StatusUnprocessableEntity)
	}
	return s.render(c, frontend.FediverseTeam(p, v))
}

// changeFediverse changes how an organisation takes part.
func (s *Server) changeFediverse(c *fiber.Ctx) error {
	e, err := s.teamEntry(c)
	if err != nil {
		return err
	}
	l := frontend.T(s.lang(c))
	why := func(field, reason string) error {
		return s.showFediverseTeam(c, &e, nil, l.Code("fediverse_why", reason), field)
	}
	if e.Claimed.IsZero() {
		return why("do", "claim")
	}
	if e.Fediverse == nil && c.FormValue("do") != "choose" {
		return why("handle", "first")
	}
	var change func(*directory.Fediverse)
	done, note := c.FormValue("do"), ""
	consent := func(f *directory.Fediverse) {
		f.Type = c.FormValue("type")
		f.Discoverable, f.Indexable = c.FormValue("discoverable") != "", c.FormValue("indexable") != ""
		f.Replies, f.Joins, f.JoinsAsk = c.FormValue("replies") != "", c.FormValue("joins") != "", c.FormValue("joinsAsk") != ""
	}
	switch done {
	case "choose":
		if e.Fediverse != nil {
			return why("handle", "chosen")
		}
		handle := c.FormValue("handle")
		change = func(f *directory.Fediverse) { f.Handle, f.Since = handle, s.Now(); consent(f) }
		done, note = "chosen", "note_on"
	case "save":
		change = consent
		done, note = "saved", "note_saved"
	case "off":
		change = func(f *directory.Fediverse) { f.Off = true }
		note = "note_off"
	case "on":
		change = func(f *directory.Fediverse) { f.Off, f.Since = false, s.Now() }
		note = "note_on"
	case "movein", "moveout":
		address, reason := s.movesTo(c, &e, done)
		if reason != "" {
			return s.showFediverseTeam(c, &e, nil, l.Code("fediverse_why", reason), done)
		}
		home := ""
		if done == "moveout" && c.FormValue("entry") != "" {
			if home = s.Fediverse.PageElsewhere(c.UserContext(), address); home == "" {
				return why(done, "no_directory")
			}
		}
		if change = func(f *directory.Fediverse) { f.MovedTo, f.MovedHome = address, home }; done == "movein" {
			change = func(f *directory.Fediverse) {
				if !slices.Contains(f.AlsoKnownAs, address) {
					f.AlsoKnownAs = append(f.AlsoKnownAs, address)
				}
			}
		}
		done, note = map[string]string{"movein": "moving", "moveout": "moved"}[done], "note_moved"
	case "forget":
		change = func(f *directory.Fediverse) {
			f.AlsoKnownAs = slices.DeleteFunc(f.AlsoKnownAs, func(a string) bool { return a == c.FormValue("address") })
		}
		done, note = "saved", "note_saved"
	case "stay":
		change = func(f *directory.Fediverse) { f.MovedTo, f.MovedHome = "", "" }
		done, note = "stays", "note_moved"
	default:
		return why("do", "unknown")
	}
	typed, err := s.writeFediverse(c, &e, note, change)
	var invalid directory.Invalid
	switch {
	case errors.As(err, &invalid):
		field := strings.TrimPrefix(invalid[0].Field, "fediverse.")
		return s.showFediverseTeam(c, &e, typed, problemText(l, invalid[0]), field)
	case err != nil:
		return err
	}
	return c.Redirect(frontend.TeamURL(e.Slug)+"/fediverse?"+url.Values{"done": {done}}.Encode(), http.StatusSeeOther)
}

// movesTo finds the other account of a move, or says why it cannot be.
func (s *Server) movesTo(c *fiber.Ctx, e *directory.Entry, way string) (address, reason string) {
	typed := strings.TrimSpace(c.FormValue("account"))
	if typed == "" {
		return "", "handle"
	}
	if !s.asks.allow(s.visitor(c)) {
		return "", "often"
	}
	ctx, cancel := context.WithTimeout(c.UserContext(), askFor)
	defer cancel()
	address, back, reason := s.Fediverse.AccountElsewhere(ctx, typed, e)
	switch {
	case reason != "":
		return "", reason
	case way == "moveout" && !back:
		return "", "not_back"
	case way == "movein" && len(e.Fediverse.AlsoKnownAs) >= directory.MaxAlsoKnownAs:
		return "", "five"
	}
	return address, ""
}

// writeFediverse writes a change of an organisation's part, over what others write meanwhile. typed is what was to be written.
func (s *Server) writeFediverse(c *fiber.Ctx, e *directory.Entry, note string, change func(*directory.Fediverse)) (typed *directory.Fediverse, err error) {
	for try := 0; ; try++ {
		next := e.Clone()
		if next.Fediverse == nil {
			next.Fediverse = &directory.Fediverse{}
		}
		change(next.Fediverse)
		settleHome(&next, e)
		directory.Normalize(&next)
		words := frontend.T(s.Site().Languages[0]).Text("fediverse." + note)
		outcomes, err := s.Directory.Write(c.UserContext(), directory.Write{Author: account.From(c).Author(), Op: directory.OpTeam, Note: words, Entries: []directory.Entry{next}})
		if err != nil {
			return next.Fediverse, err
		}
		var conflict *directory.ConflictError
		if err = outcomes[0].Err; !errors.As(err, &conflict) || try == 5 {
			return next.Fediverse, err
		}
		*e = conflict.Theirs
		if account.May(account.From(c), account.EntryGrant, e) != nil {
			return next.Fediverse, err // somebody has just taken it away
		}
	}
}

func problemText(l *frontend.Localizer, p directory.Problem) string {
	_, text := l.ProblemText(frontend.Problem{Field: p.Field, Code: p.Code, Params: p.Params})
	return text
}
