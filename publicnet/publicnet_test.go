package publicnet

import (
	"errors"
	"net"
	"testing"
)

// TestAddressesThatAreNotPublic lists what a name may lead to without being asked.
func TestAddressesThatAreNotPublic(t *testing.T) {
	for _, ip := range []string{
		"127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1", "255.255.255.255", "192.0.2.1",
		"::1", "::", "fe80::1", "fc00::1", "fd12::1", "ff02::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "2001:0:1::", "2001:db8::1", "fe80::1%eth0",
	} {
		if err := CheckAddress(net.JoinHostPort(ip, "443"), false); !errors.Is(err, ErrForbidden) {
			t.Errorf("%s: %v", ip, err)
		}
	}
	for _, ip := range []string{"93.184.215.14", "8.8.8.8", "2a01:4f8::1", "172.32.0.1", "100.128.0.1"} {
		if err := CheckAddress(net.JoinHostPort(ip, "443"), false); err != nil {
			t.Errorf("%s: %v", ip, err)
		}
	}
	if err := CheckAddress("10.0.0.1:443", true); !errors.Is(err, ErrForbidden) {
		t.Errorf("loopback allows a private address: %v", err)
	}
}
