package links

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"archipel/publicnet"
)

// Limits of a visit.
const (
	visitTimeout = 20 * time.Second // for everything: names, connections, redirects
	maxHops      = 6
	maxRead      = 4 << 10 // bytes of a page: that it begins is enough
)

// result is how a visit went.
type result struct {
	answered bool   // some server answered
	code     string // empty: nothing is wrong
	status   int
	to       string        // of [MovedFor]
	after    time.Duration // when the server wants to be asked again
}

// visit asks an address, no sooner than it is polite. The error is that of ctx.
func (s *Service) visit(ctx context.Context, raw, host string) (result, error) {
	now := s.Now()
	wait := pace
	if last, ok := s.asked[host]; ok {
		wait = max(wait, hostPace-now.Sub(last))
	}
	if len(s.asked) > 10*roundMax {
		clear(s.asked)
	}
	if err := s.Wait(ctx, wait); err != nil {
		return result{}, err
	}
	s.asked[host] = s.Now()
	r := s.ask(ctx, http.MethodHead, raw)
	// Many servers know no HEAD, or answer it otherwise than the page.
	if r.code != "" && r.code != MovedFor && r.code != Host && ctx.Err() == nil {
		if err := s.Wait(ctx, time.Second); err != nil {
			return result{}, err
		}
		r = s.ask(ctx, http.MethodGet, raw)
	}
	return r, ctx.Err()
}

// ask follows an address to where it leads.
func (s *Service) ask(ctx context.Context, method, raw string) result {
	ctx, cancel := context.WithTimeout(ctx, visitTimeout)
	defer cancel()
	u, err := url.Parse(raw)
	if err != nil {
		return result{code: Host}
	}
	begun, lasting, answered := *u, true, false
	for range maxHops {
		if s.rules.Check(u) != nil {
			return result{code: Host, answered: answered}
		}
		r, err := http.NewRequestWithContext(ctx, method, u.String(), nil)
		if err != nil {
			return result{code: Host, answered: answered}
		}
		r.Header.Set("User-Agent", s.UserAgent)
		r.Header.Set("Accept", "text/html, */*;q=0.5")
		res, err := s.http.Do(r)
		if err != nil {
			return result{code: reason(err), answered: answered}
		}
		_, _ = io.CopyN(io.Discard, res.Body, maxRead)
		res.Body.Close()
		answered = true
		to := res.Header.Get("Location")
		if to == "" || res.StatusCode/100 != 3 {
			return judge(res, &begun, u, lasting, s.Now())
		}
		lasting = lasting && (res.StatusCode == http.StatusMovedPermanently || res.StatusCode == http.StatusPermanentRedirect)
		if u, err = u.Parse(to); err != nil {
			return result{answered: true} // a server of odd manners, which answers
		}
		u.Fragment, u.RawFragment = "", ""
	}
	return result{answered: true} // round in circles: often for programs only, which keep no cookies
}

// judge says what an answer means. Only "not found" and "gone" say that there is no page; who is turned away, asked to sign in,
// or told to slow down, is a program that knocks.
func judge(res *http.Response, from, at *url.URL, lasting bool, now time.Time) result {
	r := result{answered: true, status: res.StatusCode, after: publicnet.RetryAfter(res.Header, now)}
	switch {
	case res.StatusCode == http.StatusNotFound || res.StatusCode == http.StatusGone:
		r.code = Gone
	case res.StatusCode >= 500 && res.StatusCode != http.StatusNotImplemented && res.StatusCode < 600:
		r.code = Failing
	case res.StatusCode/100 == 2 && lasting && elsewhere(from, at):
		r.code, r.to = MovedFor, at.String()
	}
	return r
}

// elsewhere reports whether two addresses differ by more than what nobody need write anew: the scheme, "www", a final slash. A
// page of a site that now leads to its front page has no new address.
func elsewhere(from, at *url.URL) bool {
	plain := func(u *url.URL) (host, path string) {
		return strings.TrimPrefix(strings.ToLower(u.Host), "www."), strings.Trim(u.EscapedPath(), "/")
	}
	hostA, pathA := plain(from)
	hostB, pathB := plain(at)
	if hostA == hostB && (pathA == pathB || pathB == "") {
		return false
	}
	// The front page of a site in the visitor's language is that front page.
	return !(hostA == hostB && pathA == "" && len(pathB) <= 5)
}

// reason tells what kind of failure an error of the network is.
func reason(err error) string {
	var dns *net.DNSError
	var unknown x509.UnknownAuthorityError
	var host x509.HostnameError
	var invalid x509.CertificateInvalidError
	var verify *tls.CertificateVerificationError
	var timeout net.Error
	switch {
	case errors.Is(err, publicnet.ErrForbidden), errors.As(err, &dns) && dns.IsNotFound:
		return Host
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return Timeout
	case errors.As(err, &unknown), errors.As(err, &host), errors.As(err, &invalid), errors.As(err, &verify):
		return TLS
	}
	return Refused
}
