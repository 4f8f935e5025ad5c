package api_test

import (
	"context"
	"net"
	"testing"
	"time"
)

// TestStoppedAtOnce: a server that is stopped before it began to serve ends all the same.
func TestStoppedAtOnce(t *testing.T) {
	for range 20 {
		s := open(t)
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		stop()
		ended := make(chan error, 1)
		go func() { ended <- s.server.Serve(ctx, ln, time.Second) }()
		select {
		case err := <-ended:
			if err != nil {
				t.Errorf("it ends with %v", err)
			}
		case <-time.After(2 * time.Minute):
			t.Fatal("it does not end")
		}
	}
}
