package account

import (
	"os"
	"testing"

	"github.com/gofiber/fiber/v2"
)

// Watch tells f of every unsafe request that came to a handler, and on what it decided.
func (s *Service) Watch(f func(c *fiber.Ctx, decided []Action)) { s.watch = f }

// TestMain makes passwords cheap: the tests check hundreds.
func TestMain(m *testing.M) {
	cost.Memory, cost.Iterations = 8*1024, 1
	os.Exit(m.Run())
}
