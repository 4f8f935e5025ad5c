package fetch

import (
	"fmt"
	"net/netip"
)

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

// checkAddress refuses what is not an address of the public network. address is host:port, the host an IP address.
func checkAddress(address string, loopback bool) error {
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
