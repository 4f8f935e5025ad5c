package account

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"archipel/directory"

	"github.com/gofiber/fiber/v2"
)

// How long a session lasts: from its last use, and at all.
const (
	sessionIdle  = 30 * 24 * time.Hour
	sessionLife  = 180 * 24 * time.Hour
	sessionTouch = 10 * time.Minute // how exactly its last use is known
)

// recently is how long after signing in one is believed without being asked for the password again.
const recently = 15 * time.Minute

// session is what is kept of one; its key is the account's id and the hash of the cookie.
type session struct {
	Epoch   int64     `json:"epoch"` // of the account when it began
	Created time.Time `json:"created"`
	Seen    time.Time `json:"seen"`
	Device  string    `json:"device,omitempty"` // "Firefox, Android"; no address is kept
}

// Session is a session as its owner sees it.
type Session struct {
	ID      string // names it for revocation; not the cookie
	Created time.Time
	Seen    time.Time
	Device  string
	Current bool
}

// cookieName is the session's cookie. Under https its prefix keeps other hosts of the same domain from setting it.
func (s *Service) cookieName() string {
	if s.secure() {
		return "__Host-session"
	}
	return "session"
}

func (s *Service) visitorCookie() string {
	if s.secure() {
		return "__Host-visitor"
	}
	return "visitor"
}

// signUpCookie tells the browser in which a sign-up was asked for.
func (s *Service) signUpCookie() string {
	if s.secure() {
		return "__Host-signup"
	}
	return "signup"
}

func (s *Service) secure() bool { return strings.HasPrefix(s.PublicURL, "https://") }

func (s *Service) setCookie(c *fiber.Ctx, name, value string, life time.Duration) {
	cookie := &fiber.Cookie{Name: name, Value: value, Path: "/", HTTPOnly: true, SameSite: fiber.CookieSameSiteLaxMode, Secure: s.secure(), MaxAge: int(life.Seconds())}
	if value == "" {
		cookie.Expires, cookie.MaxAge = time.Unix(1, 0), 0
	}
	c.Cookie(cookie)
}

// begin signs somebody in: a fresh session, and the end of whatever session the request came with.
func (s *Service) begin(c *fiber.Ctx, a *Account) error {
	if err := s.end(c); err != nil {
		return err
	}
	now := s.Now().UTC()
	token := secret()
	one := session{Epoch: a.Epoch, Created: now, Seen: now, Device: device(c.Get(fiber.HeaderUserAgent))}
	if err := save(c.UserContext(), s.Store, kindSession, a.ID+"/"+hashed(token), one, 0, now.Add(sessionIdle)); err != nil {
		return err
	}
	s.setCookie(c, s.cookieName(), a.ID+"."+token, sessionLife)
	s.setCookie(c, s.visitorCookie(), "", 0)
	c.Locals(actorKey, withSession(a.Actor(), hashed(token)))
	c.Locals(bindingKey, a.ID+"."+token)
	return nil
}

func withSession(actor *Actor, id string) *Actor {
	actor.session = id
	return actor
}

// end forgets the session that the request came with, on both sides.
func (s *Service) end(c *fiber.Ctx) error {
	id, token, ok := strings.Cut(c.Cookies(s.cookieName()), ".")
	if ok && id != "" && token != "" && len(id)+len(token) < 200 {
		if err := s.Store.DeleteRecord(c.UserContext(), kindSession, id+"/"+hashed(token), 0); err != nil {
			return err
		}
	}
	s.setCookie(c, s.cookieName(), "", 0)
	c.Locals(actorKey, Anonymous())
	c.Locals(bindingKey, nil)
	return nil
}

// resume finds who has the cookie, or nil.
func (s *Service) resume(ctx context.Context, cookie string) (*Actor, error) {
	id, token, ok := strings.Cut(cookie, ".")
	if !ok || len(id) != 36 || len(token) != 43 {
		return nil, nil
	}
	key := id + "/" + hashed(token)
	var one session
	rev, err := load(ctx, s.Store, kindSession, key, &one)
	if err != nil || rev == 0 {
		return nil, err
	}
	a, err := s.Get(ctx, id)
	if errors.Is(err, ErrNoAccount) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	now := s.Now().UTC()
	if a.Blocked || one.Epoch != a.Epoch || now.Sub(one.Created) > sessionLife || now.Sub(one.Seen) > sessionIdle {
		return nil, nil
	}
	if now.Sub(one.Seen) > sessionTouch {
		one.Seen = now
		// Somebody else touching or ending it at the same moment is as good.
		if err := save(ctx, s.Store, kindSession, key, one, rev, now.Add(sessionIdle)); err != nil && !errors.Is(err, directory.ErrStale) {
			return nil, err
		}
	}
	actor := withSession(a.Actor(), hashed(token))
	actor.fresh = now.Sub(one.Created) < recently
	return actor, nil
}

// eachRecord calls fn with every record of a kind whose key belongs to an account.
func (s *Service) eachRecord(ctx context.Context, kind, id string, fn func(directory.Record) error) error {
	prefix := id + "/"
	for after := prefix; ; {
		page, err := s.Store.Records(ctx, kind, after, 100)
		if err != nil {
			return err
		}
		for _, r := range page {
			if !strings.HasPrefix(r.Key, prefix) {
				return nil
			}
			if err := fn(r); err != nil {
				return err
			}
			after = r.Key
		}
		if len(page) == 0 {
			return nil
		}
	}
}

// Sessions lists where somebody is signed in, the one used last first.
func (s *Service) Sessions(ctx context.Context, a *Actor) ([]Session, error) {
	of, err := s.Get(ctx, a.ID)
	if err != nil {
		return nil, err
	}
	var out []Session
	err = s.eachRecord(ctx, kindSession, a.ID, func(r directory.Record) error {
		var one session
		if err := json.Unmarshal(r.Value, &one); err != nil {
			return fmt.Errorf("session: %w: %w", directory.ErrCorrupt, err)
		}
		if hash := strings.TrimPrefix(r.Key, a.ID+"/"); one.Epoch == of.Epoch {
			out = append(out, Session{ID: hash[:16], Created: one.Created, Seen: one.Seen, Device: one.Device, Current: hash == a.session})
		}
		return nil
	})
	sortBy(out, func(a, b Session) bool { return a.Seen.After(b.Seen) })
	return out, err
}

// EndSession signs somebody out elsewhere.
func (s *Service) EndSession(ctx context.Context, a *Actor, id string) error {
	return s.deleteByPrefix(ctx, kindSession, a.ID, id)
}

func (s *Service) deleteByPrefix(ctx context.Context, kind, account, id string) error {
	if len(id) != 16 {
		return nil
	}
	return s.eachRecord(ctx, kind, account, func(r directory.Record) error {
		if strings.HasPrefix(r.Key, account+"/"+id) {
			return s.Store.DeleteRecord(ctx, kind, r.Key, 0)
		}
		return nil
	})
}

// device is a browser as people know theirs, from the header that it sends.
func device(agent string) string {
	pick := func(names ...[2]string) string {
		for _, n := range names {
			if strings.Contains(agent, n[0]) {
				return n[1]
			}
		}
		return ""
	}
	browser := pick([2]string{"Firefox/", "Firefox"}, [2]string{"Edg", "Edge"}, [2]string{"OPR/", "Opera"}, [2]string{"SamsungBrowser", "Samsung Internet"},
		[2]string{"Chrome/", "Chrome"}, [2]string{"Safari/", "Safari"}, [2]string{"curl/", "curl"})
	system := pick([2]string{"Android", "Android"}, [2]string{"iPhone", "iPhone"}, [2]string{"iPad", "iPad"}, [2]string{"Windows", "Windows"},
		[2]string{"Mac OS", "macOS"}, [2]string{"CrOS", "ChromeOS"}, [2]string{"Linux", "Linux"})
	return strings.Trim(browser+", "+system, ", ")
}
