// Package publicnettest has servers for tests that are not there.
package publicnettest

import (
	"net"
	"testing"
)

// Refusing is an address of this machine, as "127.0.0.1:40001", that refuses connections until the test ends. A port that was
// only let go could be another program's at any moment; this one is held by the other end of a connection.
func Refusing(t testing.TB) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	out, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	in, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		out.Close()
		in.Close()
	})
	return out.LocalAddr().String()
}
