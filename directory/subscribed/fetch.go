package subscribed

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"archipel/directory/ical"
	"archipel/publicnet"
)

// Limits of a fetch.
const (
	fetchTimeout = 10 * time.Second // for everything: names, connections, redirects, the body
	maxRedirects = 3
)

// fetchError is a fetch that failed, for a reason that the team can read.
type fetchError struct {
	code   string
	status int
	after  time.Duration // when the server wants to be asked again; 0: it does not say
	err    error
}

func (e *fetchError) Error() string { return fmt.Sprintf("%s: %v", e.code, e.err) }
func (e *fetchError) Unwrap() error { return e.err }

// answer is a calendar as a server sent it.
type answer struct {
	body      []byte
	etag      string
	modified  string
	unchanged bool // it is as it was
}

type fetcher struct {
	http     *http.Client
	agent    string
	loopback bool
}

func newFetcher(agent string, loopback bool) *fetcher {
	return &fetcher{agent: agent, loopback: loopback, http: &http.Client{
		Transport:     publicnet.Transport(loopback),
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// get fetches a calendar, unless it is as it was. Errors are *[fetchError].
func (f *fetcher) get(ctx context.Context, c *Calendar, now time.Time) (*answer, error) {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	u, err := url.Parse(c.URL)
	if err != nil {
		return nil, &fetchError{code: BadAddress, err: err}
	}
	plain := u.Scheme == "http"
	for hop := 0; ; hop++ {
		// Whoever gave an address with encryption is not led to one without.
		if err := (publicnet.Rules{Loopback: f.loopback, Plain: plain}).Check(u); err != nil {
			return nil, &fetchError{code: BadAddress, err: err}
		}
		res, err := f.once(ctx, u, c)
		if err != nil {
			return nil, reason(err)
		}
		if to := res.Header.Get("Location"); to != "" && res.StatusCode/100 == 3 && res.StatusCode != http.StatusNotModified {
			res.Body.Close()
			if hop == maxRedirects {
				return nil, &fetchError{code: BadRedirects, err: fmt.Errorf("more than %d redirects", maxRedirects)}
			}
			if u, err = u.Parse(to); err != nil {
				return nil, &fetchError{code: BadAddress, err: err}
			}
			u.Fragment, u.RawFragment = "", ""
			continue
		}
		defer res.Body.Close()
		return read(res, now)
	}
}

func (f *fetcher) once(ctx context.Context, u *url.URL, c *Calendar) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, err
	}
	r.Header.Set("User-Agent", f.agent)
	r.Header.Set("Accept", "text/calendar, text/*;q=0.5, */*;q=0.1")
	r.Header.Set("Accept-Encoding", "gzip")
	if c.ETag != "" {
		r.Header.Set("If-None-Match", c.ETag)
	}
	if c.Modified != "" {
		r.Header.Set("If-Modified-Since", c.Modified)
	}
	return f.http.Do(r)
}

// read takes an answer within the limits.
func read(res *http.Response, now time.Time) (*answer, error) {
	after := publicnet.RetryAfter(res.Header, now)
	fail := func(code string) (*answer, error) {
		return nil, &fetchError{code: code, status: res.StatusCode, after: after, err: fmt.Errorf("the server answered %d", res.StatusCode)}
	}
	switch code := res.StatusCode; {
	case code == http.StatusNotModified:
		return &answer{unchanged: true}, nil
	case code == http.StatusOK:
	case code == http.StatusUnauthorized || code == http.StatusForbidden:
		return fail(BadSignIn)
	case code == http.StatusNotFound || code == http.StatusGone:
		return fail(BadGone)
	default:
		return fail(BadStatus)
	}
	body := io.Reader(res.Body)
	switch strings.ToLower(res.Header.Get("Content-Encoding")) {
	case "", "identity":
	case "gzip", "x-gzip":
		z, err := gzip.NewReader(res.Body)
		if err != nil {
			return nil, &fetchError{code: BadType, err: err}
		}
		body = z
	default:
		return nil, &fetchError{code: BadType, err: fmt.Errorf("compressed with %.40q", res.Header.Get("Content-Encoding"))}
	}
	var b bytes.Buffer
	n, err := io.Copy(&b, io.LimitReader(body, ical.MaxBytes+1))
	if err != nil {
		return nil, reason(err)
	}
	if n > ical.MaxBytes {
		return nil, &fetchError{code: BadSize, err: ical.ErrTooLarge}
	}
	return &answer{body: b.Bytes(), etag: header(res, "ETag"), modified: header(res, "Last-Modified")}, nil
}

// header is a header worth keeping.
func header(res *http.Response, name string) string {
	if v := res.Header.Get(name); len(v) <= 300 {
		return v
	}
	return ""
}

// reason tells what kind of failure an error of the network is.
func reason(err error) *fetchError {
	var dns *net.DNSError
	var unknown x509.UnknownAuthorityError
	var host x509.HostnameError
	var invalid x509.CertificateInvalidError
	var verify *tls.CertificateVerificationError
	var timeout net.Error
	code := BadNetwork
	switch {
	case errors.Is(err, publicnet.ErrForbidden), errors.As(err, &dns) && !dns.IsTimeout:
		code = BadHost
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		code = BadTimeout
	case errors.As(err, &unknown), errors.As(err, &host), errors.As(err, &invalid), errors.As(err, &verify):
		code = BadTLS
	case errors.Is(err, gzip.ErrChecksum), errors.Is(err, gzip.ErrHeader):
		code = BadType
	}
	return &fetchError{code: code, err: err}
}
