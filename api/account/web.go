package account

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"archipel/directory"
	"archipel/frontend"

	"github.com/gofiber/fiber/v2"
)

// Keys of what the middleware keeps with a request.
const (
	actorKey   = "account-actor"
	bindingKey = "account-binding" // the cookie that the CSRF token is bound to
	decidedKey = "account-decided" // actions on which a decision was made
)

// From is who makes a request: nobody, when the middleware found nobody.
func From(c *fiber.Ctx) *Actor {
	if a, ok := c.Locals(actorKey).(*Actor); ok {
		return a
	}
	return Anonymous()
}

// Check decides for the actor of a request, as [May] does.
func Check(c *fiber.Ctx, action Action, e *directory.Entry) error {
	decided, _ := c.Locals(decidedKey).([]Action)
	c.Locals(decidedKey, append(decided, action))
	return May(From(c), action, e)
}

// Decided are the actions on which a request's handlers decided.
func Decided(c *fiber.Ctx) []Action {
	decided, _ := c.Locals(decidedKey).([]Action)
	return decided
}

// Require lets nobody through who may not do something. It is the door of a route; of an action on an entry, the handler
// behind it calls [Check] with the entry.
func Require(action Action) fiber.Handler {
	return func(c *fiber.Ctx) error {
		if err := Check(c, action, nil); err != nil {
			return err
		}
		return c.Next()
	}
}

// withoutActor are the paths whose answers are the same for everybody.
var withoutActor = []string{"/static/", "/tiles/", "/healthz", "/readyz", "/metrics", "/favicon.ico", "/robots.txt", "/manifest.webmanifest"}

// Middleware finds out who makes a request, and keeps other sites from making one in a visitor's name: an unsafe request
// needs the token of a form of ours and must not come from elsewhere, unless it carries an API token (and then no cookie
// counts). An unsafe request on which nobody decided is an error of the program: it ends with 500.
func (s *Service) Middleware(c *fiber.Ctx) error {
	path := c.Path()
	if s.Signed(path) {
		c.Locals(actorKey, Anonymous())
		return c.Next()
	}
	if slices.ContainsFunc(withoutActor, func(p string) bool { return strings.HasPrefix(path, p) }) {
		return c.Next()
	}
	if err := s.identify(c); err != nil {
		return err
	}
	if safe(c.Method()) {
		return c.Next()
	}
	actor := From(c)
	who := limitKey{limitWriteIP, s.client(c)}
	if actor.SignedIn() {
		who = limitKey{limitWriteActor, actor.ID}
	}
	if err := s.limits.all(who); err != nil {
		return err
	}
	if !actor.Token {
		if err := s.checkForgery(c); err != nil {
			return err
		}
	}
	err := c.Next()
	if s.watch != nil {
		s.watch(c, Decided(c))
	}
	if err != nil {
		return err
	}
	if len(Decided(c)) == 0 && c.Response().StatusCode() < 400 {
		s.Log.Error("a route changes something and decides nothing", "method", c.Method(), "path", c.Route().Path)
		return fiber.NewError(http.StatusInternalServerError)
	}
	return nil
}

func safe(method string) bool {
	return method == fiber.MethodGet || method == fiber.MethodHead || method == fiber.MethodOptions
}

func (s *Service) identify(c *fiber.Ctx) error {
	// Of a reverse proxy that asks for a password of its own, browsers send that with every request, beside the cookie.
	if scheme, token, _ := strings.Cut(c.Get(fiber.HeaderAuthorization), " "); strings.EqualFold(scheme, "Bearer") {
		actor, err := s.useToken(c, strings.TrimSpace(token))
		if err != nil {
			return err
		}
		c.Locals(actorKey, s.inTeams(actor))
		if safe(c.Method()) && !slices.Contains(actor.Scopes, ScopeRead) {
			return &Refusal{EntryRead, ReasonScope}
		}
		c.Set(fiber.HeaderCacheControl, "private, no-store")
		return nil
	}
	cookie := c.Cookies(s.cookieName())
	if cookie == "" {
		return nil
	}
	actor, err := s.resume(c.UserContext(), cookie)
	if err != nil {
		return err
	}
	if actor == nil {
		s.setCookie(c, s.cookieName(), "", 0)
		return nil
	}
	c.Locals(actorKey, s.inTeams(actor))
	c.Locals(bindingKey, cookie)
	c.Set(fiber.HeaderCacheControl, "private, no-cache")
	return nil
}

// inTeams lets [May] ask for whom the actor keeps entries.
func (s *Service) inTeams(a *Actor) *Actor {
	if s.Teams != nil {
		id := a.ID
		a.keeps = func(team directory.ID) (owns, edits bool) { return s.Teams(id, team) }
	}
	a.under, a.zones = s.Under, s.Zones
	return a
}

// checkForgery refuses what a page of another site sends.
func (s *Service) checkForgery(c *fiber.Ctx) error {
	refused := &Refusal{Reason: ReasonCSRF}
	site := c.Get("Sec-Fetch-Site")
	if site != "" && site != "same-origin" && site != "none" {
		return refused
	}
	// A browser that was told to send no referrer says "null" of our own pages too, and Sec-Fetch-Site tells the truth.
	if origin := c.Get(fiber.HeaderOrigin); origin != "" && !(origin == "null" && site == "same-origin") {
		u, err := url.Parse(origin)
		if err != nil || u.Host == "" {
			return refused // also "null", of sandboxed frames
		}
		if s.PublicURL != "" {
			if !strings.EqualFold(origin, s.PublicURL) {
				return refused
			}
		} else if !strings.EqualFold(u.Host, string(c.Request().Host())) {
			return refused
		}
	}
	if strings.HasPrefix(c.Path(), "/api/") && c.Cookies(s.cookieName()) == "" {
		return nil // a program without an account: there is no name of a visitor to act in
	}
	sent := c.Get("X-CSRF-Token")
	if sent == "" {
		sent = c.FormValue("csrf")
	}
	if !validCSRF(sent, s.binding(c)) {
		return refused
	}
	return nil
}

// binding is the cookie that forms are bound to: the session's, or a visitor's.
func (s *Service) binding(c *fiber.Ctx) string {
	if b, ok := c.Locals(bindingKey).(string); ok {
		return b
	}
	if v := c.Cookies(s.visitorCookie()); len(v) == 43 {
		return v
	}
	return ""
}

// CSRF is the token that every form carries in its field "csrf", and scripts in the header X-CSRF-Token. A visitor
// without a session gets a cookie for it, so call it only where there is a form.
func (s *Service) CSRF(c *fiber.Ctx) string {
	b := s.binding(c)
	if b == "" {
		b = secret()
		s.setCookie(c, s.visitorCookie(), b, 0)
		c.Locals(bindingKey, b)
	}
	return newCSRF(b)
}

// newCSRF masks the token with a random pad: compressed pages do not leak what changes each time.
func newCSRF(binding string) string {
	var pad [32]byte
	rand.Read(pad[:]) // never fails
	out := pad[:]
	for i, b := range csrfOf(binding) {
		out = append(out, b^pad[i])
	}
	return base64.RawURLEncoding.EncodeToString(out)
}

func validCSRF(token, binding string) bool {
	raw, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || len(raw) != 64 || binding == "" {
		return false
	}
	for i := range 32 {
		raw[i] ^= raw[32+i]
	}
	return subtle.ConstantTimeCompare(raw[:32], csrfOf(binding)) == 1
}

func csrfOf(binding string) []byte {
	mac := hmac.New(sha256.New, []byte(binding))
	mac.Write([]byte("csrf"))
	return mac.Sum(nil)
}

// Visitor is what every page shows of who reads it.
func (s *Service) Visitor(c *fiber.Ctx) *frontend.Visitor {
	a := From(c)
	return &frontend.Visitor{Name: a.Name, SignedIn: a.SignedIn(), Role: string(a.Role), Moderates: a.Can(ModerateQueue), Administers: a.Can(SiteEdit)}
}

// LocalPath is where a form may lead afterwards: a path on this site, or fallback.
func LocalPath(next, fallback string) string {
	if next == "" || next[0] != '/' || strings.HasPrefix(next, "//") || len(next) > 1000 ||
		strings.ContainsFunc(next, func(r rune) bool { return r < ' ' || r == '\\' || r == 0x7f }) {
		return fallback
	}
	u, err := url.Parse(next)
	if err != nil || u.Host != "" || u.Scheme != "" || u.User != nil || strings.HasPrefix(u.Path, "//") {
		return fallback
	}
	return u.RequestURI()
}
