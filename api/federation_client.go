package api

import (
	"net/http"

	"github.com/gofiber/fiber/v2"
)

type clientAddress struct{}

// fromClient serves requests as if they came from the client itself, and not from the proxy in front of us: what other servers
// may ask for is counted by that.
func fromClient(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if client, ok := r.Context().Value(clientAddress{}).(string); ok {
			r.RemoteAddr = client
		}
		h.ServeHTTP(w, r)
	})
}

// toldClient tells [fromClient] who that is.
func (s *Server) toldClient(h fiber.Handler) fiber.Handler {
	return func(c *fiber.Ctx) error {
		if s.Accounts != nil {
			c.Context().SetUserValue(clientAddress{}, s.Accounts.Client(c))
		}
		return h(c)
	}
}
