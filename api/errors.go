package api

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"archipel/api/account"
	"archipel/directory"
	"archipel/frontend"
	"archipel/geo"
	"archipel/geo/basemap"

	"github.com/gofiber/fiber/v2"
)

// problemDocument is RFC 9457, with the fields that are wrong.
type problemDocument struct {
	Type   string              `json:"type"`
	Title  string              `json:"title"`
	Status int                 `json:"status"`
	Detail string              `json:"detail,omitempty"`
	ID     string              `json:"instance,omitempty"`
	Errors []problemFieldError `json:"errors,omitempty"`
}

type problemFieldError struct {
	Field  string         `json:"field"`
	Code   string         `json:"code"`
	Detail string         `json:"detail"`
	Params map[string]any `json:"params,omitempty"`
}

// status is the one table from errors to HTTP statuses.
func status(err error) int {
	var invalid directory.Invalid
	var conflict *directory.ConflictError
	var fiberErr *fiber.Error
	var refusal *account.Refusal
	var limited *account.Limited
	switch {
	case errors.As(err, &invalid), errors.Is(err, geo.ErrInvalid):
		return http.StatusBadRequest
	case errors.As(err, &conflict):
		return http.StatusConflict
	case errors.Is(err, directory.ErrNotFound), errors.Is(err, basemap.ErrNoTile):
		return http.StatusNotFound
	case errors.Is(err, directory.ErrGone):
		return http.StatusGone
	case errors.Is(err, account.ErrLink):
		return http.StatusGone
	case errors.Is(err, account.ErrToken), errors.As(err, &refusal) && refusal.Reason == account.ReasonSignIn:
		return http.StatusUnauthorized
	case refusal != nil:
		return http.StatusForbidden
	case errors.As(err, &limited):
		return http.StatusTooManyRequests
	case errors.Is(err, account.ErrNoAccount):
		return http.StatusNotFound
	case errors.Is(err, account.ErrMailTaken), errors.Is(err, account.ErrLastAdmin):
		return http.StatusConflict
	case errors.Is(err, account.ErrBusy), errors.Is(err, errUploadsFull):
		return http.StatusServiceUnavailable
	case errors.Is(err, directory.ErrFull):
		return http.StatusInsufficientStorage
	case errors.Is(err, directory.ErrUnavailable), errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return http.StatusServiceUnavailable
	case errors.As(err, &fiberErr):
		return fiberErr.Code
	}
	return http.StatusInternalServerError
}

// goneError is a removed entry; its name is told when it may be.
type goneError struct{ name string }

func (e goneError) Error() string { return "entry was removed" }
func (e goneError) Unwrap() error { return directory.ErrGone }

// fail answers every error: problem+json for programs, a page in the visitor's language for people.
func (s *Server) fail(c *fiber.Ctx, err error) error {
	code := status(err)
	if code >= 500 {
		s.Log.Error("request failed", "id", requestID(c), "path", c.Path(), "status", code, "err", err)
	}
	if code == http.StatusServiceUnavailable || code == http.StatusInsufficientStorage {
		c.Set(fiber.HeaderRetryAfter, "5")
	}
	var limited *account.Limited
	if errors.As(err, &limited) {
		c.Set(fiber.HeaderRetryAfter, strconv.Itoa(int(limited.After.Seconds())+1))
	}
	if code == http.StatusUnauthorized {
		if wantsPage(c) && c.Method() == fiber.MethodGet && s.Accounts != nil {
			return c.Redirect("/signin?next="+url.QueryEscape(c.OriginalURL()), http.StatusSeeOther)
		}
		c.Set(fiber.HeaderWWWAuthenticate, "Bearer")
	}
	c.Set(fiber.HeaderCacheControl, "no-store")
	c.Response().Header.Del(fiber.HeaderETag)
	c.Status(code)
	var invalid directory.Invalid
	errors.As(err, &invalid)
	words := frontend.T(s.lang(c))
	problems := make([]frontend.Problem, len(invalid))
	for i, p := range invalid {
		problems[i] = frontend.Problem{Field: p.Field, Code: p.Code, Params: p.Params}
	}
	if !wantsPage(c) {
		doc := problemDocument{Type: "about:blank", Title: http.StatusText(code), Status: code, ID: "urn:request:" + requestID(c)}
		for i, p := range problems {
			_, text := words.ProblemText(p)
			doc.Errors = append(doc.Errors, problemFieldError{p.Field, p.Code, text, p.Params})
			if i == 0 {
				doc.Detail = p.Field + ": " + text
			}
		}
		if err := c.JSON(doc); err != nil {
			return err
		}
		c.Set(fiber.HeaderContentType, "application/problem+json")
		return nil
	}
	v := frontend.ProblemView{Status: code, Problems: problems, RequestID: requestID(c)}
	var refusal *account.Refusal
	switch {
	case errors.As(err, &refusal):
		v.Text, v.SignIn = words.Text("account.refused_"+string(refusal.Reason)), refusal.Reason == account.ReasonSignIn
	case limited != nil:
		v.Text = words.Plural("account.limited", int(limited.After.Minutes())+1)
	case errors.Is(err, account.ErrBusy):
		v.Text = words.Text("account.busy")
	case errors.Is(err, errUploadsFull):
		v.Text = words.Text("posting.uploads_full")
	}
	var gone goneError
	if errors.As(err, &gone) {
		v.Name = gone.name
	}
	if code == http.StatusBadRequest || code == http.StatusServiceUnavailable {
		v.Kept, _ = url.ParseQuery(string(c.Request().URI().QueryString()))
		v.RetryURL = c.Path()
	}
	p := s.page(c, "")
	p.NoIndex, p.Canonical = true, ""
	return s.render(c, frontend.ProblemPage(p, v))
}

// wantsPage tells people from programs: by what was asked for first, then by what is accepted.
func wantsPage(c *fiber.Ctx) bool {
	path := c.Path()
	for _, prefix := range []string{"/api", "/tiles/", "/entries.", "/static/", "/healthz", "/readyz", "/metrics"} {
		if strings.HasPrefix(path, prefix) {
			return false
		}
	}
	accept := c.Get(fiber.HeaderAccept)
	return !strings.Contains(accept, "json") || strings.Contains(accept, "text/html")
}

// invalidParam is a query parameter that makes no sense.
func invalidParam(field, code, value string) directory.Invalid {
	if len(value) > 200 {
		value = strings.ToValidUTF8(value[:200], "")
	}
	return directory.Invalid{{Field: field, Code: code, Params: map[string]any{"value": value}}}
}
