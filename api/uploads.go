package api

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"

	"archipel/directory/media"

	"github.com/valyala/fasthttp"
	"golang.org/x/sync/semaphore"
)

// Requests that bring a picture or a file to import are large, come slowly from where lines are slow, and are read before
// anybody knows who sends them. So they have time by their length, and only so much of them is in memory at once.
const (
	// maxUpload is the largest body of a request that brings a picture, in bytes: the picture and a form around it.
	maxUpload = media.MaxBytes + 1<<20

	smallBody   = 64 << 10                // bytes that the ordinary time is enough for
	slowLine    = 32 << 10                // bytes a second of the slowest line that is waited for: 256 kbit/s
	uploadsAll  = 4 * uploadsOf           // bytes that are in memory at once
	uploadsOf   = 2 * (maxImport + 1<<20) // bytes of them that one address sends
	uploadWaits = time.Minute             // for others to be done
	fullLingers = 5 * time.Second         // for who could not be let in to read that
)

// errUploadsFull is for who has waited too long for other uploads to be done.
var errUploadsFull = errors.New("too many files are being sent at this moment")

// largest is how many bytes requests to a path may have; 0: as many as any other.
func largest(path string) int {
	switch {
	case takesImports(path):
		return maxImport + 1<<20
	case takesPictures(path):
		return maxUpload
	}
	return 0
}

// takesPictures reports whether requests to a path may bring a picture.
func takesPictures(path string) bool {
	return strings.HasPrefix(path, "/add/") || strings.HasPrefix(path, "/e/") && (strings.HasSuffix(path, "/edit") || strings.HasSuffix(path, "/suggest"))
}

// widen lets the requests that bring files be larger than any other. It is asked before a body is read.
func widen(h *fasthttp.RequestHeader) fasthttp.RequestConfig {
	if !h.IsPost() {
		return fasthttp.RequestConfig{}
	}
	path, _, _ := strings.Cut(string(h.RequestURI()), "?")
	return fasthttp.RequestConfig{MaxRequestBodySize: largest(path)}
}

// uploads are the large bodies that are being read and answered.
type uploads struct {
	client func(peer netip.Addr, h *fasthttp.RequestHeader) string // where a request comes from

	wait time.Duration // until there is room

	all *semaphore.Weighted // bytes
	mu  sync.Mutex
	of  map[string]*share

	// Whether a large body comes is seen by a hook that has the header alone; where it comes from, and when it ends, by the
	// connection. The deadline that the hook asks for is set next, by the same goroutine: with it the connection takes this.
	coming chan coming
}

// share is what one address sends at once.
type share struct {
	room  *semaphore.Weighted // bytes
	users int                 // that have or want some; without any it is forgotten
}

// coming is a large body that was announced.
type coming struct {
	header *fasthttp.RequestHeader
	size   int64
}

// handOver is the time that the hook asks for when the connection is to settle it: longer than any other.
const handOver = 24 * time.Hour

func newUploads(client func(netip.Addr, *fasthttp.RequestHeader) string) *uploads {
	return &uploads{client: client, wait: uploadWaits, all: semaphore.NewWeighted(uploadsAll), of: map[string]*share{}, coming: make(chan coming, 1)}
}

// listen gives connections that bound what they bring, to be served by this server alone. full answers who cannot be let in.
func (u *uploads) listen(server *fasthttp.Server, ln net.Listener, full func(*fasthttp.RequestCtx)) net.Listener {
	failed := server.ErrorHandler
	server.ErrorHandler = func(c *fasthttp.RequestCtx, err error) {
		if errors.Is(err, errUploadsFull) {
			full(c)
			return
		}
		failed(c, err)
	}
	server.HeaderReceived = func(h *fasthttp.RequestHeader) fasthttp.RequestConfig {
		config := widen(h)
		size := h.ContentLength()
		if size == -1 { // it comes in chunks, without saying how many
			size = config.MaxRequestBodySize
		}
		if size <= smallBody || size > config.MaxRequestBodySize {
			return config
		}
		u.coming <- coming{h, int64(size)}
		config.ReadTimeout = handOver
		return config
	}
	return &uploadListener{ln, u, server.ReadTimeout}
}

// enter waits until there is room for a body, and returns what gives it back.
func (u *uploads) enter(ctx context.Context, client string, size int64) (leave func(), err error) {
	u.mu.Lock()
	s := u.of[client]
	if s == nil {
		s = &share{room: semaphore.NewWeighted(uploadsOf)}
		u.of[client] = s
	}
	s.users++
	u.mu.Unlock()
	out := func() {
		u.mu.Lock()
		defer u.mu.Unlock()
		if s.users--; s.users == 0 {
			delete(u.of, client)
		}
	}
	// Who waits for others of the same address takes nothing from those of other addresses.
	if err := acquire(ctx, s.room, size); err != nil {
		out()
		return nil, errUploadsFull
	}
	if err := acquire(ctx, u.all, size); err != nil {
		s.room.Release(size)
		out()
		return nil, errUploadsFull
	}
	return func() {
		u.all.Release(size)
		s.room.Release(size)
		out()
	}, nil
}

// acquire waits for room until ctx ends. Where there is some, nobody is sent away, even if their time to wait is over.
func acquire(ctx context.Context, room *semaphore.Weighted, size int64) error {
	if room.TryAcquire(size) {
		return nil
	}
	return room.Acquire(ctx, size)
}

type uploadListener struct {
	net.Listener
	uploads  *uploads
	ordinary time.Duration // for a body that is not large
}

func (l *uploadListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &uploadConn{Conn: c, uploads: l.uploads, ordinary: l.ordinary}, nil
}

// uploadConn is a connection that brings no more than there is room for.
type uploadConn struct {
	net.Conn
	uploads  *uploads
	ordinary time.Duration

	mu     sync.Mutex
	leave  func() // gives back the room of the body that was let in
	closed bool
	full   bool // there was no room
}

// SetReadDeadline is called when a request begins and when it has ended; and in between when a large body comes.
func (c *uploadConn) SetReadDeadline(t time.Time) error {
	c.done(false)
	if time.Until(t) < handOver/2 {
		return c.Conn.SetReadDeadline(t)
	}
	body := <-c.uploads.coming
	peer, _ := netip.ParseAddrPort(c.RemoteAddr().String())
	client := c.uploads.client(peer.Addr(), body.header)
	ctx, cancel := context.WithTimeout(context.Background(), c.uploads.wait)
	defer cancel()
	leave, err := c.uploads.enter(ctx, client, body.size)
	if err != nil {
		c.full = true // the next read says so: an error of this method is one of the program
		return nil
	}
	c.mu.Lock()
	if c.leave = leave; c.closed {
		c.leave = nil
		leave()
	}
	c.mu.Unlock()
	return c.Conn.SetReadDeadline(time.Now().Add(c.ordinary + time.Duration(body.size)*time.Second/slowLine))
}

func (c *uploadConn) Read(b []byte) (int, error) {
	if c.full {
		return 0, errUploadsFull
	}
	return c.Conn.Read(b)
}

// ReadFrom lets what is sent go the way that it would without this.
func (c *uploadConn) ReadFrom(r io.Reader) (int64, error) { return io.Copy(c.Conn, r) }

// Close lets the word that there was no room arrive: a connection that is closed with bytes unread may take it along.
func (c *uploadConn) Close() error {
	c.done(true)
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok && c.full && half.CloseWrite() == nil {
		_ = c.Conn.SetReadDeadline(time.Now().Add(fullLingers))
		_, _ = io.Copy(io.Discard, io.LimitReader(c.Conn, maxUpload))
	}
	return c.Conn.Close()
}

// done gives back what was taken for a body that is read and answered.
func (c *uploadConn) done(closed bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = c.closed || closed
	if c.leave != nil {
		c.leave()
		c.leave = nil
	}
}

// uploadsFull answers who waited in vain. What was sent is not read, so nothing is known but that.
func (s *Server) uploadsFull(ctx *fasthttp.RequestCtx) {
	c := s.app.AcquireCtx(ctx)
	defer s.app.ReleaseCtx(c)
	if err := s.fail(c, errUploadsFull); err != nil {
		s.Log.Error("a request could not be answered", "err", err)
	}
}
