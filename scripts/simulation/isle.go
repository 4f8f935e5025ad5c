package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"archipel/directory"
	"archipel/directory/sqlitestore"
	"archipel/directory/taxonomy"
	"archipel/federation"
	"archipel/federation/islands"
)

// isle is one directory: the program's own federation on a store and a port of its own.
type isle struct {
	n          int
	w          *world
	folder     string
	held       int // the socket that keeps its port
	host, base string
	traffic    traffic

	mu     sync.Mutex // held while it is opened or stopped
	up     atomic.Bool
	d      *directory.Directory
	store  *sqlitestore.Store
	net    *federation.Service
	s      *islands.Service
	marks  *islands.Mirrors
	ending func()

	tamper func(h http.Handler) http.Handler // what a hostile island does to its answers
}

// traffic is what went over the wires of one island, both ways, headers included; lies are the bodies in it that the liar sent.
type traffic struct{ requests, bytes, lies atomic.Int64 }

// counted counts what is read from and written to the connections that others open to an island.
type counted struct {
	net.Conn
	t *traffic
}

func (c counted) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.t.bytes.Add(int64(n))
	return n, err
}

func (c counted) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	c.t.bytes.Add(int64(n))
	return n, err
}

type counting struct {
	net.Listener
	t *traffic
}

func (l counting) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return counted{c, l.t}, nil
}

// newIsle reserves a port, which stays the island's through every restart, for its addresses hold it.
func newIsle(w *world, n int) (*isle, error) {
	held, port, err := hold()
	if err != nil {
		return nil, err
	}
	host := fmt.Sprintf("127.0.0.1:%d", port)
	in := &isle{n: n, w: w, held: held, folder: filepath.Join(w.folder, fmt.Sprint(n)), host: host, base: "http://" + host}
	return in, in.open()
}

// hold binds a port to a socket that never listens. So whoever wants any port is not given it while the island is away, and
// connections to it are refused; the island itself listens there all the same, as both sockets allow it.
func hold() (socket, port int, err error) {
	if socket, err = syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0); err != nil {
		return 0, 0, err
	}
	err = syscall.SetsockoptInt(socket, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1)
	if err == nil {
		err = syscall.Bind(socket, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}})
	}
	var at syscall.Sockaddr
	if err == nil {
		at, err = syscall.Getsockname(socket)
	}
	if err != nil {
		_ = syscall.Close(socket)
		return 0, 0, err
	}
	return socket, at.(*syscall.SockaddrInet4).Port, nil
}

// open starts the island.
func (in *isle) open() (err error) {
	in.mu.Lock()
	defer in.mu.Unlock()
	ctx := context.Background()
	if in.store, err = sqlitestore.Open(ctx, in.folder); err != nil {
		return err
	}
	published, words := &federation.Published{}, taxonomy.Default()
	in.marks = &islands.Mirrors{}
	log := slog.New(slog.DiscardHandler)
	rules := directory.Rules{Category: words.Valid}
	in.d, err = directory.Open(ctx, directory.Options{
		Store: in.store, Views: []directory.View{published, in.marks, arrivals{in}}, Log: log, Poll: time.Minute,
		Rules: func() directory.Rules { return rules },
	})
	if err != nil {
		return err
	}
	in.net, err = federation.New(ctx, federation.Options{
		Directory: in.d, Published: published, PublicURL: in.base, Version: "simulation", Log: log,
		Site: func() federation.Site { return federation.Site{Name: fmt.Sprint("Île ", in.n), Lang: "fr"} },
	})
	if err != nil {
		return err
	}
	in.s, err = islands.New(ctx, islands.Options{
		Network: in.net, Directory: in.d, Mirrors: in.marks, Taxonomy: words, PublicURL: in.base, Version: "simulation", Log: log,
		Site: func() islands.Site {
			return islands.Site{Name: fmt.Sprint("Île ", in.n), Languages: []string{"fr"}, Licence: "ODbL-1.0"}
		},
		Poll: in.w.poll, Look: in.w.look,
	})
	if err != nil {
		return err
	}
	ln, err := net.Listen("tcp", in.host)
	if err != nil {
		return err
	}
	var h http.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		in.w.paths.count(r)
		if in.w.liar != nil && strings.Contains(r.Header.Get("Signature"), in.w.liar.base+"/") {
			in.traffic.lies.Add(max(0, r.ContentLength))
		} else {
			in.traffic.requests.Add(1)
		}
		in.net.ServeHTTP(w, r)
	})
	if in.tamper != nil {
		h = in.tamper(h)
	}
	server := &http.Server{Handler: h, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)}
	running, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() { _ = server.Serve(counting{ln, &in.traffic}) }) // ends with Close
	wg.Go(func() { in.d.Run(running) })
	wg.Go(func() { in.net.Run(running) })
	wg.Go(func() { in.s.Run(running) })
	store := in.store
	in.ending = func() {
		cancel()
		_ = server.Close()
		wg.Wait()
		if err := store.Close(); err != nil {
			in.w.fail(fmt.Errorf("island %d: %w", in.n, err))
		}
	}
	in.up.Store(true)
	return nil
}

// stop ends the island as abruptly as one may within a process: its connections break, its port refuses.
func (in *isle) stop() {
	in.up.Store(false)
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.ending != nil {
		in.ending()
		in.ending = nil
	}
}

// agree lets everybody ask as planned, and accept what they are asked.
func (w *world) agree(ctx context.Context) error {
	for i := range w.follows {
		f := &w.follows[i]
		if _, err := islands.Ask(ctx, f.who.store, f.whom.base, f.scope(), islands.Show); err != nil {
			return err
		}
	}
	waiting := slices.Clone(w.follows)
	for len(waiting) > 0 {
		var still []follow
		for _, f := range waiting {
			a, err := islands.With(ctx, f.whom.store, f.who.host)
			if err != nil || a.Out.State != islands.Asked {
				still = append(still, f)
				continue
			}
			if _, err := islands.Accept(ctx, f.whom.store, f.who.host, nil, true); err != nil {
				return err
			}
		}
		waiting = still
		if err := pause(ctx, 200*time.Millisecond); err != nil {
			return fmt.Errorf("%d wishes did not arrive: %w", len(waiting), err)
		}
	}
	return nil
}

// paths counts requests by what they are for.
type paths struct {
	mu  sync.Mutex
	all map[string]int64
}

func (p *paths) count(r *http.Request) {
	name := r.URL.Path
	if strings.HasSuffix(name, "/inbox") {
		name = "inbox"
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.all == nil {
		p.all = map[string]int64{}
	}
	p.all[name]++
}

func (p *paths) take() map[string]int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := p.all
	p.all = nil
	return all
}
