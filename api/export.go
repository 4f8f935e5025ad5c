package api

import "github.com/gofiber/fiber/v2"

var formats = map[string]string{}

func (s *Server) export(string) fiber.Handler { return nil }
