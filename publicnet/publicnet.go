// Package publicnet connects to servers of the public network and to no others, whatever an address that a stranger
// gave says, redirects to or resolves to.
package publicnet

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"syscall"
	"time"
)

// ErrForbidden is an address that may not be asked: its scheme, its user part, its port, or a host that is not public.
var ErrForbidden = errors.New("this address may not be asked")

// notPublic are the ranges of the registries of special-purpose addresses (RFC 6890 and its updates) that no server of
// the public network has, and those that carry an IPv4 address inside, which could be any of them.
var notPublic = prefixes(
	"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
	"192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
	"224.0.0.0/4", "240.0.0.0/4",
	"::/96", "::ffff:0:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20",
	"5f00::/16", "fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8",
)

func prefixes(texts ...string) []netip.Prefix {
	all := make([]netip.Prefix, len(texts))
	for i, t := range texts {
		all[i] = netip.MustParsePrefix(t)
	}
	return all
}

// CheckAddress refuses what is not an address of the public network; with loopback, those of this machine are allowed as
// well. address is host:port, the host an IP address. The error wraps [ErrForbidden].
func CheckAddress(address string, loopback bool) error {
	ap, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("%.100q: %w: %w", address, ErrForbidden, err)
	}
	ip := ap.Addr().Unmap().WithZone("")
	if loopback && ip.IsLoopback() {
		return nil
	}
	for _, p := range notPublic {
		if p.Contains(ip) {
			return fmt.Errorf("%s is not a public address: %w", ip, ErrForbidden)
		}
	}
	return nil
}

// Rules say what else than https on the public network may be asked.
type Rules struct {
	// Loopback allows http and https on loopback addresses. For tests and for trying several instances on one machine.
	Loopback bool
	// Plain allows http without encryption.
	Plain bool
}

// Check reports whether u may be asked, as far as can be told without looking its name up; a [Transport] looks again
// when it connects. The error wraps [ErrForbidden].
func (r Rules) Check(u *url.URL) error {
	refuse := func(why string) error { return fmt.Errorf("%.200q: %s: %w", u.Redacted(), why, ErrForbidden) }
	host := u.Hostname()
	switch {
	case u.User != nil:
		return refuse("names a user")
	case host == "":
		return refuse("names no host")
	case u.Opaque != "":
		return refuse("is no web address")
	case u.Scheme == "https", u.Scheme == "http" && (r.Plain || r.Loopback && isLoopbackName(host)):
	default:
		return refuse("is not https")
	}
	if ip := net.ParseIP(host); ip != nil {
		return CheckAddress(net.JoinHostPort(host, "0"), r.Loopback)
	}
	if !r.Loopback && (!strings.Contains(host, ".") || strings.HasSuffix(strings.ToLower(strings.TrimSuffix(host, ".")), ".localhost")) {
		return refuse("is a local name")
	}
	return nil
}

func isLoopbackName(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// Transport connects to public addresses only, with little patience. Answers come as they were sent, compressed or not.
func Transport(loopback bool) *http.Transport {
	dialer := &net.Dialer{Timeout: 5 * time.Second, Control: func(_, address string, _ syscall.RawConn) error {
		// After the name was looked up, for every connection: a name that changes its mind between a check and the
		// connection gains nothing.
		return CheckAddress(address, loopback)
	}}
	return &http.Transport{
		Proxy:                  nil, // a proxy would connect in our place, unchecked
		DialContext:            dialer.DialContext,
		ForceAttemptHTTP2:      true,
		DisableCompression:     true,
		MaxIdleConns:           1000, // a delivery goes to hundreds of hosts, and to the same ones the next time
		MaxIdleConnsPerHost:    2,
		MaxConnsPerHost:        6,
		IdleConnTimeout:        60 * time.Second,
		TLSHandshakeTimeout:    5 * time.Second,
		MaxResponseHeaderBytes: 32 << 10,
	}
}

// RetryAfter reads a Retry-After header (RFC 9110, section 10.2.3), between 0 and a day.
func RetryAfter(h http.Header, now time.Time) time.Duration {
	raw := strings.TrimSpace(h.Get("Retry-After"))
	if raw == "" {
		return 0
	}
	wait, err := time.ParseDuration(raw + "s")
	if err != nil {
		at, err := http.ParseTime(raw)
		if err != nil {
			return 0
		}
		wait = at.Sub(now)
	}
	return min(max(wait, 0), 24*time.Hour)
}
