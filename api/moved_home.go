package api

import (
	"net/http"

	"archipel/directory"

	"github.com/gofiber/fiber/v2"
)

// settleHome takes an organisation out of the directory that has moved to another one with its entry, and back when its team
// takes that back. What somebody else hid stays hidden.
func settleHome(next, was *directory.Entry) {
	moved := func(e *directory.Entry) bool { return e.Fediverse != nil && e.Fediverse.MovedHome != "" }
	switch {
	case moved(next) && !moved(was) && was.Public():
		next.Status = directory.Hidden
	case moved(next) && !moved(was):
		next.Fediverse.MovedHome = ""
	case !moved(next) && was.Home() != "":
		next.Status = directory.Published
	}
}

// leadHome leads from the page of an organisation that has moved to another directory to its page there. Browsers do not keep
// the answer, since its team can take the move back.
func leadHome(c *fiber.Ctx, home string) error {
	c.Set(fiber.HeaderCacheControl, "no-cache")
	return c.Redirect(home, http.StatusMovedPermanently)
}
