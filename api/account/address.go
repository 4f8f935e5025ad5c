package account

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"
)

// proxies are the reverse proxies whose word is taken for where a request comes from.
type proxies []netip.Prefix

func parseProxies(list []string) (proxies, error) {
	var out proxies
	for _, s := range list {
		if s = strings.TrimSpace(s); s == "" {
			continue
		}
		if p, err := netip.ParsePrefix(s); err == nil {
			out = append(out, p.Masked())
			continue
		}
		a, err := netip.ParseAddr(s)
		if err != nil {
			return nil, fmt.Errorf("%q is neither an address nor a range like 10.0.0.0/8", s)
		}
		a = a.Unmap()
		out = append(out, netip.PrefixFrom(a, a.BitLen()))
	}
	return out, nil
}

func (p proxies) has(a netip.Addr) bool {
	for _, prefix := range p {
		if prefix.Contains(a) {
			return true
		}
	}
	return false
}

// client is where a request comes from: the peer of the connection or, when that is a trusted proxy, the last address in
// X-Forwarded-For that is none.
func (p proxies) client(peer netip.Addr, forwarded string) netip.Addr {
	peer = peer.Unmap()
	if !p.has(peer) {
		return peer
	}
	hops := strings.Split(forwarded, ",")
	for i := len(hops) - 1; i >= 0; i-- {
		a, err := netip.ParseAddr(strings.TrimSpace(hops[i]))
		if err != nil {
			break // what a proxy did not write is not believed
		}
		peer = a.Unmap()
		if !p.has(peer) {
			break
		}
	}
	return peer
}

// clientKey is what limits count by: an IPv4 address, or the /64 network that one subscriber of IPv6 has.
func clientKey(a netip.Addr) string {
	if a.Is6() {
		if p, err := a.WithZone("").Prefix(64); err == nil {
			return p.String()
		}
	}
	return a.String()
}

func (s *Service) client(c *fiber.Ctx) string {
	peer, _ := netip.AddrFromSlice(c.Context().RemoteIP())
	return s.ClientOf(peer, &c.Request().Header)
}

// ClientOf is [Service.Client] of a request of which only the header was read.
func (s *Service) ClientOf(peer netip.Addr, h *fasthttp.RequestHeader) string {
	forwarded := ""
	// Several lines of the header are one list (RFC 9110, 5.3).
	for _, line := range h.PeekAll(fiber.HeaderXForwardedFor) {
		if forwarded != "" {
			forwarded += ","
		}
		forwarded += string(line)
	}
	return clientKey(s.proxies.client(peer, forwarded))
}

// Client is where a request comes from, as limits count it: an IPv4 address, or a /64 network of IPv6. Trusted proxies are
// believed.
func (s *Service) Client(c *fiber.Ctx) string { return s.client(c) }
