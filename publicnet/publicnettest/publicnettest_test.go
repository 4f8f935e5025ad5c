package publicnettest

import (
	"errors"
	"net"
	"syscall"
	"testing"
)

// TestRefusing: nobody answers there, and nobody else can.
func TestRefusing(t *testing.T) {
	address := Refusing(t)
	if c, err := net.Dial("tcp", address); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("got %v, %v, want a refusal", c, err)
	}
	if ln, err := net.Listen("tcp", address); err == nil {
		ln.Close()
		t.Error("somebody else can have the port")
	}
}
