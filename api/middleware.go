package api

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/a-h/templ"
	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"
	"github.com/valyala/fasthttp"
)

const requestIDKey = "request-id"

func requestID(c *fiber.Ctx) string {
	id, _ := c.Locals(requestIDKey).(string)
	return id
}

// requestNames gives each request a name that no other one of this and other processes has.
type requestNames struct {
	process string
	count   atomic.Uint64
}

func newRequestNames() *requestNames { return &requestNames{process: uuid.NewString()[:8]} }

func (r *requestNames) next() string { return r.process + "-" + strconv.FormatUint(r.count.Add(1), 36) }

// observe names, times, counts and logs every request, and turns a panic into a 500 that says nothing of the inside.
func (s *Server) observe(c *fiber.Ctx) (err error) {
	begin := time.Now()
	c.Locals(requestIDKey, s.requests.next())
	defer func() {
		if r := recover(); r != nil {
			s.Log.Error("panic", "id", requestID(c), "path", c.Path(), "panic", r, "stack", string(debug.Stack()))
			err = s.fail(c, fmt.Errorf("panic: %v", r))
		}
		took, code := time.Since(begin), c.Response().StatusCode()
		s.metrics.observe(c.Route().Path, code, took)
		if s.Log.Enabled(c.UserContext(), slog.LevelDebug) {
			s.Log.Debug("request", "id", requestID(c), "method", c.Method(), "path", c.Path(), "status", code, "took", took)
		}
	}()
	if err := c.Next(); err != nil {
		return s.fail(c, err)
	}
	return nil
}

// protect sets the headers that keep a page to itself: no third party, no frame, no sniffing.
func (s *Server) protect(c *fiber.Ctx) error {
	h := &c.Response().Header
	h.Set("X-Content-Type-Options", "nosniff")
	path := c.Path()
	if !strings.HasPrefix(path, "/tiles/") { // no document: a map asks for dozens of them, and each header counts
		h.Set("Content-Security-Policy", "default-src 'self'; frame-ancestors 'self'; base-uri 'self'; form-action 'self'")
		h.Set("Referrer-Policy", "strict-origin-when-cross-origin")
		h.Set("Permissions-Policy", "geolocation=(self), camera=(), microphone=(), interest-cohort=()")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
	}
	if strings.HasPrefix(s.PublicURL, "https://") {
		h.Set("Strict-Transport-Security", "max-age=31536000")
	}
	if strings.HasPrefix(path, "/api") || strings.HasPrefix(path, "/tiles/") || strings.HasPrefix(path, "/entries.") {
		h.Set("Access-Control-Allow-Origin", "*") // public data, no cookies
	}
	return c.Next()
}

// smallestToSqueeze is about one packet: below it compression gains nothing.
const smallestToSqueeze = 1400

const brotliLevel = 5

// squeeze compresses text answers where the client takes it.
func (s *Server) squeeze(c *fiber.Ctx) error {
	if err := c.Next(); err != nil {
		if err = s.fail(c, err); err != nil {
			return err
		}
	}
	r := c.Response()
	if r.IsBodyStream() || len(r.Body()) < smallestToSqueeze || len(r.Header.Peek(fiber.HeaderContentEncoding)) > 0 || !compressible(r.Header.ContentType()) {
		return nil
	}
	c.Vary(fiber.HeaderAcceptEncoding)
	switch h := &c.Request().Header; {
	case h.HasAcceptEncoding("br"): // a tenth smaller than gzip, for a millisecond a page
		r.SetBodyRaw(fasthttp.AppendBrotliBytesLevel(nil, r.Body(), brotliLevel))
		r.Header.Set(fiber.HeaderContentEncoding, "br")
	case h.HasAcceptEncoding("gzip"):
		r.SetBodyRaw(fasthttp.AppendGzipBytesLevel(nil, r.Body(), fasthttp.CompressDefaultCompression))
		r.Header.Set(fiber.HeaderContentEncoding, "gzip")
	}
	return nil
}

func compressible(contentType []byte) bool {
	for _, kind := range []string{"text/", "json", "xml", "javascript", "svg", "mapbox-vector-tile"} {
		if bytes.Contains(contentType, []byte(kind)) {
			return true
		}
	}
	return false
}

// render writes a page.
func (s *Server) render(c *fiber.Ctx, page templ.Component) error {
	c.Set(fiber.HeaderContentType, fiber.MIMETextHTMLCharsetUTF8)
	if len(c.Response().Header.Peek(fiber.HeaderCacheControl)) == 0 {
		c.Set(fiber.HeaderCacheControl, "no-cache")
	}
	c.Vary(fiber.HeaderAcceptLanguage, fiber.HeaderCookie)
	return page.Render(c.UserContext(), c.Response().BodyWriter())
}

// notModified answers 304 when the client has this version already; etag comes with its quotes.
func notModified(c *fiber.Ctx, etag string) bool {
	c.Set(fiber.HeaderETag, etag)
	for _, have := range strings.Split(c.Get(fiber.HeaderIfNoneMatch), ",") {
		have = strings.TrimPrefix(strings.TrimSpace(have), "W/")
		if have == etag || have == "*" {
			c.Status(http.StatusNotModified)
			return true
		}
	}
	return false
}
