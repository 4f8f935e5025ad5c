package mongostore

import (
	"bytes"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
)

// proxy stands between a store and the server, and cuts the line where a test says.
type proxy struct {
	server string
	ln     net.Listener

	mu       sync.Mutex
	gone     bool // close every line at once. The port is kept: another program might take it meanwhile
	conns    map[net.Conn]bool
	cut      string // cut the line when the store sends this, once
	before   bool   // before the server hears it, instead of before its answer
	then     func() // called when the line was cut
	cuts     int
	deaf     bool // swallow everything, as a network does that drops packets
	handlers sync.WaitGroup
}

// newProxy returns a proxy, and uri as it goes through it.
func newProxy(t testing.TB, uri string) (*proxy, string) {
	t.Helper()
	scheme, rest, _ := strings.Cut(uri, "://")
	if scheme != "mongodb" {
		t.Skip("a mongodb+srv address cannot be led through a proxy")
	}
	base, query, _ := strings.Cut(rest, "?")
	hosts, database, _ := strings.Cut(base, "/")
	user := hosts[:strings.LastIndexByte(hosts, '@')+1]
	host, _, _ := strings.Cut(hosts[len(user):], ",")
	if !strings.Contains(host, ":") {
		host += ":27017"
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{server: host, ln: ln, conns: make(map[net.Conn]bool)}
	p.handlers.Go(p.listen)
	t.Cleanup(func() {
		ln.Close()
		p.vanish()
		p.handlers.Wait()
	})
	through := scheme + "://" + user + ln.Addr().String() + "/" + database + "?directConnection=true"
	for _, opt := range strings.Split(query, "&") {
		if k, _, _ := strings.Cut(opt, "="); k != "" && k != "directConnection" && k != "replicaSet" {
			through += "&" + opt
		}
	}
	return p, through
}

func (p *proxy) listen() {
	for {
		c, err := p.ln.Accept()
		if err != nil {
			return
		}
		p.handlers.Go(func() { p.handle(c) })
	}
}

// vanish closes every line, and every one to come.
func (p *proxy) vanish() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.gone = true
	for c := range p.conns {
		c.Close()
	}
}

func (p *proxy) comeBack() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.gone = false
}

func (p *proxy) cutLines() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.cuts
}

// hold has a line closed when the proxy vanishes; it is closed already when it has.
func (p *proxy) hold(c net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.conns[c] = true; p.gone {
		c.Close()
	}
}

func (p *proxy) drop(c net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.conns, c)
	c.Close()
}

func (p *proxy) handle(c net.Conn) {
	p.hold(c)
	defer p.drop(c)
	s, err := net.Dial("tcp", p.server)
	if err != nil {
		return
	}
	p.hold(s)
	defer p.drop(s)
	var answer sync.Mutex // held while no answer may pass
	lost := false
	p.handlers.Go(func() {
		defer c.Close()
		buf := make([]byte, 64<<10)
		for {
			n, err := s.Read(buf)
			if err != nil {
				return
			}
			answer.Lock()
			gone := lost
			answer.Unlock()
			if gone {
				return
			}
			c.Write(buf[:n])
		}
	})
	buf := make([]byte, 64<<10)
	for {
		n, err := c.Read(buf)
		if err != nil {
			return
		}
		p.mu.Lock()
		deaf := p.deaf
		hit := p.cut != "" && bytes.Contains(buf[:n], []byte(p.cut))
		before, then := p.before, p.then
		if hit {
			p.cut, p.cuts = "", p.cuts+1
		}
		p.mu.Unlock()
		if deaf {
			continue
		}
		if hit && before {
			if then != nil {
				then()
			}
			return
		}
		if hit {
			answer.Lock()
			lost = true
			answer.Unlock()
		}
		if _, err := s.Write(buf[:n]); err != nil {
			return
		}
		if hit {
			io.Copy(s, c) // the rest of the request; ends when the answer came and was thrown away
			return
		}
	}
}
