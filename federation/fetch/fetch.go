// Package fetch asks other servers, without letting them lead it astray: public addresses only, https only, small and
// uncompressed answers of the right type, few redirects, little time.
package fetch

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"archipel/publicnet"
)

// Limits of what other servers may make us do.
const (
	MaxBody      = 1 << 20 // bytes of an answer
	MaxRedirects = 3
	Timeout      = 10 * time.Second // for everything: names, connections, redirects, the body
)

// Errors that callers test with [errors.Is].
var (
	ErrForbidden = publicnet.ErrForbidden // scheme, user part, port, or an address that is not public
	ErrTooLarge  = errors.New("the answer is too large")
	ErrType      = errors.New("the answer has the wrong type")
)

// StatusError is an answer that is no success.
type StatusError struct {
	Code       int
	RetryAfter time.Duration // 0 when not said
}

func (e *StatusError) Error() string { return fmt.Sprintf("the server answered %d", e.Code) }

// Client asks other servers. Create it with [New].
type Client struct {
	http     *http.Client
	agent    string
	loopback bool
}

// Options configure a [Client].
type Options struct {
	UserAgent string
	// Loopback lets it ask http and https on loopback addresses, and nothing else than before. For tests and for
	// trying several instances on one machine.
	Loopback bool
}

// New makes a client.
func New(o Options) *Client {
	c := &Client{agent: o.UserAgent, loopback: o.Loopback}
	c.http = &http.Client{
		Timeout:       Timeout,
		Transport:     publicnet.Transport(o.Loopback),
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return c
}

// Check reports whether u may be asked, as far as can be told without looking its name up. The error wraps [ErrForbidden].
func (c *Client) Check(u *url.URL) error {
	return publicnet.Rules{Loopback: c.loopback}.Check(u)
}

// Answer is what another server said.
type Answer struct {
	URL    *url.URL // where it came from, after redirects
	Status int
	Header http.Header
	Body   []byte
}

// Sign puts a signature on a request that is about to be sent; body is empty for GET.
type Sign func(r *http.Request, body []byte) error

// Get fetches a document of one of the given media types, following redirects; every hop is checked and signed anew
// (sign may be nil). An answer that is not 200 is a *[StatusError].
func (c *Client) Get(ctx context.Context, address string, types []MediaType, sign Sign) (*Answer, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, fmt.Errorf("%.200q: %w: %w", address, ErrForbidden, err)
	}
	ctx, cancel := context.WithTimeout(ctx, Timeout)
	defer cancel()
	accept := make([]string, len(types))
	for i, t := range types {
		accept[i] = t.String()
	}
	for hop := 0; ; hop++ {
		u.Fragment, u.RawFragment = "", ""
		a, err := c.once(ctx, http.MethodGet, u, nil, http.Header{"Accept": {strings.Join(accept, ", ")}}, sign)
		if err != nil {
			return nil, err
		}
		if location := a.Header.Get("Location"); isRedirect(a.Status) && location != "" {
			if hop == MaxRedirects {
				return nil, fmt.Errorf("%.200q: more than %d redirects: %w", address, MaxRedirects, ErrForbidden)
			}
			if u, err = u.Parse(location); err != nil {
				return nil, fmt.Errorf("redirect of %.200q: %w: %w", address, ErrForbidden, err)
			}
			continue
		}
		if a.Status != http.StatusOK {
			return nil, &StatusError{Code: a.Status, RetryAfter: publicnet.RetryAfter(a.Header, time.Now())}
		}
		if !slices.ContainsFunc(types, func(t MediaType) bool { return t.matches(a.Header.Get("Content-Type")) }) {
			return nil, fmt.Errorf("%.200q: %.100q: %w", address, a.Header.Get("Content-Type"), ErrType)
		}
		return a, nil
	}
}

// Post sends a body. An answer that is not 2xx is a *[StatusError]; redirects are not followed.
func (c *Client) Post(ctx context.Context, address, contentType string, body []byte, sign Sign) error {
	u, err := url.Parse(address)
	if err != nil {
		return fmt.Errorf("%.200q: %w: %w", address, ErrForbidden, err)
	}
	ctx, cancel := context.WithTimeout(ctx, Timeout)
	defer cancel()
	a, err := c.once(ctx, http.MethodPost, u, body, http.Header{"Content-Type": {contentType}}, sign)
	if err != nil {
		return err
	}
	if a.Status/100 != 2 {
		return &StatusError{Code: a.Status, RetryAfter: publicnet.RetryAfter(a.Header, time.Now())}
	}
	return nil
}

func isRedirect(code int) bool {
	return code == 301 || code == 302 || code == 303 || code == 307 || code == 308
}

// once sends one request and reads its answer within the limits.
func (c *Client) once(ctx context.Context, method string, u *url.URL, body []byte, header http.Header, sign Sign) (*Answer, error) {
	if err := c.Check(u); err != nil {
		return nil, err
	}
	r, err := http.NewRequestWithContext(ctx, method, u.String(), bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("%.200q: %w: %w", u.Redacted(), ErrForbidden, err)
	}
	for k, v := range header {
		r.Header[k] = v
	}
	r.Header.Set("User-Agent", c.agent)
	if sign != nil {
		if err := sign(r, body); err != nil {
			return nil, fmt.Errorf("sign %s: %w", u.Redacted(), err)
		}
	}
	res, err := c.http.Do(r)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	a := &Answer{URL: u, Status: res.StatusCode, Header: res.Header}
	if method == http.MethodPost && res.StatusCode/100 == 2 {
		_, _ = io.CopyN(io.Discard, res.Body, 4<<10) // so that the connection can be used again; nothing in it matters
		return a, nil
	}
	enc := res.Header.Get("Content-Encoding")
	packed := strings.EqualFold(enc, "gzip") && asksPacked(r)
	if enc != "" && !strings.EqualFold(enc, "identity") && !packed {
		return nil, fmt.Errorf("%s: compressed with %.40q, which was not asked for: %w", u.Redacted(), enc, ErrType)
	}
	if a.Body, err = io.ReadAll(io.LimitReader(res.Body, MaxBody+1)); err != nil {
		return nil, fmt.Errorf("read %s: %w", u.Redacted(), err)
	}
	if len(a.Body) > MaxBody {
		return nil, fmt.Errorf("%s: more than %d bytes: %w", u.Redacted(), MaxBody, ErrTooLarge)
	}
	if packed {
		if a.Body, err = unpack(a.Body, u.Redacted()); err != nil {
			return nil, err
		}
	}
	return a, nil
}

// MediaType is a media type with the parameter that it must have, if any.
type MediaType struct{ Type, Param, Value string }

// Media types of what is fetched.
var (
	Activity = []MediaType{
		{"application/activity+json", "", ""},
		{"application/ld+json", "profile", "https://www.w3.org/ns/activitystreams"},
	}
	JRD = []MediaType{{"application/jrd+json", "", ""}, {"application/json", "", ""}}
)

func (t MediaType) String() string {
	if t.Param == "" {
		return t.Type
	}
	return fmt.Sprintf("%s; %s=%q", t.Type, t.Param, t.Value)
}

func (t MediaType) matches(contentType string) bool {
	have, params, err := mime.ParseMediaType(contentType)
	if err != nil || have != t.Type {
		return false
	}
	// A profile is a list of addresses separated by spaces (RFC 6906).
	return t.Param == "" || slices.Contains(strings.Fields(params[t.Param]), t.Value)
}

// IsActivity reports whether a Content-Type says ActivityStreams.
func IsActivity(contentType string) bool {
	return slices.ContainsFunc(Activity, func(t MediaType) bool { return t.matches(contentType) })
}
