// Package archipelago is the pages of the other directories: what the operator agrees with them, how their words are said
// here, what of theirs waits for a moderator, and what everybody sees of it. The protocol is that of federation/islands.
package archipelago

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"archipel/api/account"
	"archipel/directory"
	"archipel/directory/taxonomy"
	"archipel/federation/islands"
	"archipel/frontend"
	"archipel/geo/geocode"

	"github.com/a-h/templ"
	"github.com/gofiber/fiber/v2"
	"golang.org/x/sync/singleflight"
)

// Options are the parts of a [Service]. All are required but Islands, Places, Patience, Now and Log.
type Options struct {
	Islands   *islands.Service // nil: the instance takes no part
	Directory *directory.Directory
	Mirrors   *islands.Mirrors // a view of Directory
	Taxonomy  *taxonomy.Taxonomy
	Places    *geocode.Gazetteer // territories; nil: none are known
	Scheme    string             // of the addresses of other directories: https, or http on loopback
	Patience  time.Duration      // how long a page waits for another directory; 0 for 8 seconds
	Zone      func() *time.Location
	Now       func() time.Time
	Log       *slog.Logger
}

// Service knows the other directories. Create it with [New].
type Service struct {
	Options

	mu    sync.Mutex
	found map[string]found
	seen  map[string]seen
	once  singleflight.Group
}

// found is what a directory said of itself a moment ago.
type found struct {
	about islands.Description
	err   error
	at    time.Time
}

// seen are the words of an island, as they were a moment ago.
type seen struct {
	words       []islands.SeenWord
	looked, all int
	at          time.Time
}

// New makes a service.
func New(o Options) *Service {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.Zone == nil {
		o.Zone = func() *time.Location { return time.UTC }
	}
	if o.Patience <= 0 {
		o.Patience = 8 * time.Second
	}
	if o.Scheme == "" {
		o.Scheme = "https"
	}
	return &Service{Options: o, found: map[string]found{}, seen: map[string]seen{}}
}

// Server is what the pages need of the server that shows them.
type Server struct {
	Page      func(*fiber.Ctx, string) frontend.Page // how a page begins
	Render    func(*fiber.Ctx, templ.Component) error
	Accounts  *account.Service                         // nil: there are no operators
	Picture   func(*fiber.Ctx, string, []Mark) error   // answers with a map of some points; the string is what it depends on
	Category  func(id, lang string) frontend.Category  // one of ours
	Groups    func(lang string) []frontend.OptionGroup // all of ours
	Languages func() []string                          // of our pages
}

// Mark is a numbered point on a map: [longitude, latitude].
type Mark struct {
	Point  [2]float64
	Number int
	Box    [4]float64 // west, south, east, north of the territory
}

type handlers struct {
	*Service
	Server
}

// Routes mounts the pages.
func (s *Service) Routes(app fiber.Router, server Server) {
	h := &handlers{s, server}
	app.Get("/islands", h.public)
	app.Get("/islands/map.png", h.publicMap)
	if server.Accounts == nil {
		return
	}
	admin, moderate := account.Require(account.PeersManage), account.Require(account.ModerateQueue)
	app.Get("/admin/islands", admin, h.list)
	app.Post("/admin/islands", admin, h.follow)
	app.Get("/admin/archipelago", admin, h.settings)
	app.Post("/admin/archipelago", admin, h.changeSettings)
	app.Get("/admin/islands/:host", admin, h.island)
	app.Post("/admin/islands/:host", admin, h.change)
	app.Get("/admin/islands/:host/words", admin, h.words)
	app.Post("/admin/islands/:host/words", admin, h.changeWords)
	app.Get("/moderate/islands", moderate, h.held)
	app.Post("/moderate/islands", moderate, h.decideHeld)
}

// page is a page with forms that nobody keeps.
func (h *handlers) page(c *fiber.Ctx, title string, args ...any) (frontend.Page, *frontend.Localizer) {
	p := h.Server.Page(c, "")
	l := frontend.T(p.Lang)
	p.Title = l.Text(title, args...)
	p.NoIndex, p.Canonical = true, ""
	p.CSRF = h.Accounts.CSRF(c)
	if c.Method() == fiber.MethodPost {
		p.Path = c.Path()
	}
	c.Set(fiber.HeaderCacheControl, "private, no-store")
	c.Set(fiber.HeaderReferrerPolicy, "same-origin")
	return p, l
}

// off answers when the instance takes no part.
func (h *handlers) off(c *fiber.Ctx) error {
	if h.Islands == nil {
		return fiber.NewError(http.StatusNotFound)
	}
	return nil
}

// keepFound is for how long what a directory says of itself is not asked again by another look at its page.
const keepFound = time.Minute

// find asks a directory what it is, unless it was asked a moment ago.
func (s *Service) find(ctx context.Context, host string) (islands.Description, error) {
	s.mu.Lock()
	f, ok := s.found[host]
	s.mu.Unlock()
	if ok && s.Now().Sub(f.at) < keepFound {
		return f.about, f.err
	}
	// Whoever asks first asks for all who look at the same moment, and goes on when that one leaves.
	v, _, _ := s.once.Do(host, func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.Patience)
		defer cancel()
		f := found{at: s.Now()}
		f.about, f.err = s.Islands.Find(ctx, host)
		s.mu.Lock()
		defer s.mu.Unlock()
		if len(s.found) > 200 {
			clear(s.found)
		}
		s.found[host] = f
		return f, nil
	})
	f = v.(found)
	return f.about, f.err
}

// forget makes the next look ask anew.
func (s *Service) forget(host string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.found, host)
	delete(s.seen, host)
}

// why says in a code of the locale why a directory was not found.
func (s *Service) why(host string, err error) string {
	var invalid directory.Invalid
	switch {
	case errors.As(err, &invalid) && invalid[0].Code == directory.CodeTaken:
		return "self"
	case errors.As(err, &invalid):
		return "invalid"
	case host != "" && s.Islands.Network.Blocks(host):
		return "blocked"
	case away(err):
		return "away"
	}
	return "other"
}

// list shows the other directories, or looks for one.
func (h *handlers) list(c *fiber.Ctx) error {
	p, l := h.page(c, "archipelago.title")
	v := frontend.IslandsView{Off: h.Islands == nil}
	if v.Off {
		return h.Render(c, frontend.Islands(p, v))
	}
	if c.Context().QueryArgs().Has("island") {
		typed := c.Query("island")
		host, err := islands.HostOf(typed)
		if err == nil {
			h.forget(host)
			if _, err = h.find(c.UserContext(), host); err == nil {
				return c.Redirect(frontend.IslandURL(host), http.StatusSeeOther)
			}
		}
		why := h.why(host, err)
		v.Typed, v.Wrong = typed, l.Text("archipelago.why_"+why)
		switch {
		case why == "away":
			v.Anyway = frontend.IslandURL(host)
		case why == "other", why == "invalid" && strings.Contains(typed, "@"):
			v.Follow = true
		}
		c.Status(http.StatusUnprocessableEntity)
	}
	if c.Query("done") == "settings" && v.Wrong == "" {
		v.Done = l.Text("archipelago.settings_done")
	}
	all, err := h.Islands.Statuses(c.UserContext())
	if err != nil {
		return err
	}
	for i := range all {
		line := h.line(&all[i])
		in, out := all[i].In.State, all[i].Out.State
		switch {
		case in == "" && out == "":
		case out == islands.Asked || in == islands.Offered:
			v.Asking = append(v.Asking, line)
		case over(in) && over(out):
			v.Past = append(v.Past, line)
		default:
			v.Current = append(v.Current, line)
		}
	}
	v.Held = len(h.Mirrors.Listed("", waiting...))
	return h.Render(c, frontend.Islands(p, v))
}

// follow follows a server that is no directory of the archipelago, for its events in our territory.
func (h *handlers) follow(c *fiber.Ctx) error {
	if err := h.off(c); err != nil {
		return err
	}
	a, err := islands.Follow(c.UserContext(), h.Directory.Store(), c.FormValue("island"), islands.Scope{}, islands.Policy(c.FormValue("policy")), c.FormValue("online") != "")
	var invalid directory.Invalid
	if errors.As(err, &invalid) {
		p, l := h.page(c, "archipelago.title")
		v := frontend.IslandsView{Typed: c.FormValue("island"), Wrong: problemText(l, invalid[0]), Follow: true}
		c.Status(http.StatusBadRequest)
		return h.Render(c, frontend.Islands(p, v))
	}
	return h.changed(c, a.Host, "ask", err)
}

// over reports whether nothing goes on in a direction.
func over(s islands.State) bool { return s == "" || s == islands.Refused || s == islands.Ended }

// line is an island at a glance.
func (s *Service) line(st *islands.Status) frontend.IslandLine {
	zone := s.Zone()
	line := frontend.IslandLine{
		Name: st.Name, Host: st.Host, URL: frontend.IslandURL(st.Host), Address: s.addressOf(&st.Agreement), Territory: st.About.Territory.Name,
		Count: frontend.IslandCount{Public: st.Count.Public, Waiting: st.Count.Waiting, Hidden: st.Count.Hidden, Via: st.Count.Via},
		Stale: st.Stale, Blocked: st.Blocked, Problem: st.Problem, Behind: int(max(0, st.Behind)),
	}
	if line.Name == "" {
		line.Name = st.Host
	}
	if !st.Sync.Contact.IsZero() {
		line.Contact = st.Sync.Contact.In(zone)
	}
	if st.Problem != "" && st.Sync.Error == st.Problem && !st.Sync.Since.IsZero() {
		line.Since = st.Sync.Since.In(zone)
	}
	for _, d := range []islands.Direction{islands.In, islands.Out} {
		if side := sideOf(&st.Agreement, d); side.State != "" {
			line.Sides = append(line.Sides, frontend.IslandSide{Direction: string(d), State: stateCode(side), Since: side.Since.In(zone)})
		}
	}
	return line
}

// addressOf is where people find another directory.
func (s *Service) addressOf(a *islands.Agreement) string {
	if a.About.Address != "" {
		return a.About.Address
	}
	if strings.Contains(a.Host, "@") {
		return ""
	}
	return (&url.URL{Scheme: s.Scheme, Host: a.Host, Path: "/"}).String()
}

func sideOf(a *islands.Agreement, d islands.Direction) *islands.Side {
	if d == islands.In {
		return &a.In
	}
	return &a.Out
}

// stateCode is a state, with who said so where that matters, and whether anything had been agreed to.
func stateCode(s *islands.Side) string {
	code := string(s.State)
	switch {
	case s.State == islands.Asked && s.Standing:
		return "asked_more"
	case s.State == islands.Ended && s.ByUs && s.Unbound:
		return "taken_back"
	}
	if s.ByUs && slices.Contains([]islands.State{islands.Refused, islands.Paused, islands.Ended}, s.State) {
		code += "_us"
	}
	return code
}

// status is one island; its states are empty when nothing was ever said.
func (s *Service) status(ctx context.Context, host string) (islands.Status, error) {
	all, err := s.Islands.Statuses(ctx)
	if err != nil {
		return islands.Status{}, err
	}
	for i := range all {
		if all[i].Host == host {
			return all[i], nil
		}
	}
	return islands.Status{Agreement: islands.Agreement{Host: host}, Blocked: s.Islands.Network.Blocks(host)}, nil
}

// hostParam is the island of a page's address.
func (h *handlers) hostParam(c *fiber.Ctx) (string, error) {
	if err := h.off(c); err != nil {
		return "", err
	}
	host := c.Params("host")
	if known, err := islands.With(c.UserContext(), h.Directory.Store(), host); err == nil && (known.In.State != "" || known.Out.State != "") {
		return host, nil
	}
	if canonical, err := islands.HostOf(host); err != nil || canonical != host {
		return "", directory.ErrNotFound
	}
	return host, nil
}
