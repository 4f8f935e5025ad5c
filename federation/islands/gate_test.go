package islands_test

import (
	"errors"
	"net"
	"sync"
	"testing"
	"time"
)

// gate holds the port of an isle as long as its test lasts: nobody else is given it while the isle does not run. Who comes in
// that time is turned away at once.
type gate struct {
	ln net.Listener
	mu sync.Mutex
	in *inside // nil while the isle does not run
}

func newGate(t testing.TB) *gate {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g := &gate{ln: ln}
	t.Cleanup(func() { ln.Close() })
	go g.run()
	return g
}

func (g *gate) run() {
	for {
		c, err := g.ln.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			time.Sleep(10 * time.Millisecond) // too many files are open
			continue
		}
		g.mu.Lock()
		in := g.in
		g.mu.Unlock()
		if in == nil || !in.take(c) {
			c.Close()
		}
	}
}

// open is a listener for an isle that begins to run. It must be closed before there is another one.
func (g *gate) open() net.Listener {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.in = &inside{gate: g, conns: make(chan net.Conn), closed: make(chan struct{})}
	return g.in
}

// inside is the listener of one run of an isle.
type inside struct {
	gate   *gate
	conns  chan net.Conn
	once   sync.Once
	closed chan struct{}
}

func (in *inside) take(c net.Conn) bool {
	select {
	case in.conns <- c:
		return true
	case <-in.closed:
		return false
	}
}

func (in *inside) Accept() (net.Conn, error) {
	select {
	case c := <-in.conns:
		return c, nil
	case <-in.closed:
		return nil, net.ErrClosed
	}
}

func (in *inside) Addr() net.Addr { return in.gate.ln.Addr() }

func (in *inside) Close() error {
	in.once.Do(func() {
		in.gate.mu.Lock()
		defer in.gate.mu.Unlock()
		if in.gate.in == in {
			in.gate.in = nil
		}
		close(in.closed)
	})
	return nil
}

// hush lets an isle do nothing by itself from now on: it is asked, it hears, and it asks when the test says so.
func (in *isle) hush() {
	in.t.Helper()
	in.stop()
	in.quiet = true
	in.open()
}

// compared waits until an isle has compared all that it has of another one. What is shown may be shown before that.
func (in *isle) compared(of *isle) {
	in.t.Helper()
	eventually(in.t, "all was compared", func() bool {
		st, err := in.s.State(in.t.Context(), of.host)
		return err == nil && !st.Compared.IsZero()
	})
}

// told waits until an isle has said to a follower all that there is to say, also that there is something to be asked for, which
// is said first and may come after what is asked by itself.
func (in *isle) told(to *isle) {
	in.t.Helper()
	eventually(in.t, "all is said", func() bool {
		for _, f := range in.d.Followers() {
			if f.Name == "island "+to.host {
				return f.Err == nil && f.At == in.d.Head()
			}
		}
		return false
	})
}
