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
