package account

import (
	"time"

	"github.com/gofiber/fiber/v2"
)

// limitSuggestIP is for those without an account, whose suggestions people have to read.
var limitSuggestIP = limit{"suggest ip", 12, time.Hour}

// LimitSuggestions counts a suggestion of somebody without an account; the error is a [*Limited].
func (s *Service) LimitSuggestions(c *fiber.Ctx) error {
	return s.limits.all(limitKey{limitSuggestIP, s.client(c)})
}

// What those without an account may have kept before anybody has read it: as much at once as a class in a library does, and
// then ten an hour.
var (
	limitDraftIP   = limit{"draft ip", 40, 4 * time.Hour}
	limitPictureIP = limit{"picture ip", 40, 4 * time.Hour}
)

// LimitDrafts counts an entry that somebody without an account begins; the error is a [*Limited].
func (s *Service) LimitDrafts(c *fiber.Ctx) error { return s.limitVisitor(c, limitDraftIP) }

// LimitPictures counts a picture of somebody without an account; the error is a [*Limited].
func (s *Service) LimitPictures(c *fiber.Ctx) error { return s.limitVisitor(c, limitPictureIP) }

func (s *Service) limitVisitor(c *fiber.Ctx, of limit) error {
	if From(c).SignedIn() {
		return nil
	}
	return s.limits.take(of, s.client(c))
}

// Limits of what people make us send to others, or make others read.
var (
	limitClaim  = limit{"claim", 6, 24 * time.Hour}
	limitInvite = limit{"team invitation", 20, 24 * time.Hour}
)

// LimitClaims counts a claim of an entry by somebody signed in; the error is a [*Limited].
func (s *Service) LimitClaims(c *fiber.Ctx) error {
	return s.limits.take(limitClaim, From(c).ID)
}

// LimitInvitations counts an invitation that somebody signed in sends; the error is a [*Limited].
func (s *Service) LimitInvitations(c *fiber.Ctx) error {
	return s.limits.take(limitInvite, From(c).ID)
}

// LimitMails counts a mail that a visitor makes us send to an address, whether somebody has it or not; the error is a [*Limited].
func (s *Service) LimitMails(c *fiber.Ctx, mail string) error {
	normal, err := NormalMail(mail)
	if err != nil {
		return nil // none will be sent
	}
	return s.limits.all(limitKey{limitMailIP, s.client(c)}, limitKey{limitMailTo, normal}, limitKey{limitMailToDay, normal})
}

// LimitLinks counts an attempt to follow a link of a mail; the error is a [*Limited].
func (s *Service) LimitLinks(c *fiber.Ctx) error {
	return s.limits.take(limitLinkIP, s.client(c))
}
