package api

import (
	"bytes"
	"context"
	"errors"
	"io"
	"mime/multipart"
	"net"
	"net/http"
	"net/netip"
	"testing"
	"time"

	"github.com/valyala/fasthttp"
)

// TestRoomForUploads: one address cannot take the room of the others, nor keep what it gave back.
func TestRoomForUploads(t *testing.T) {
	u := newUploads(nil)
	whole := int64(maxImport + 1<<20)
	long, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	impatient, cancel := context.WithCancel(t.Context())
	cancel()
	if out, err := u.enter(impatient, "a", whole); err != nil {
		t.Fatalf("there is room, and it is not given at once: %v", err)
	} else {
		out()
	}
	var leave []func()
	for _, who := range []string{"a", "b", "c", "d"} {
		for range uploadsOf / whole {
			out, err := u.enter(long, who, whole)
			if err != nil {
				t.Fatalf("%s is kept out by others: %v", who, err)
			}
			leave = append(leave, out)
		}
		if _, err := u.enter(impatient, who, whole); !errors.Is(err, errUploadsFull) {
			t.Fatalf("%s sends more than its share: %v", who, err)
		}
	}
	if _, err := u.enter(impatient, "e", whole); !errors.Is(err, errUploadsFull) {
		t.Fatalf("more than fits: %v", err)
	}
	// Who waits comes in when somebody leaves.
	in := make(chan error, 1)
	go func() {
		out, err := u.enter(long, "e", whole)
		if err == nil {
			out()
		}
		in <- err
	}()
	leave[0]()
	if err := <-in; err != nil {
		t.Fatal(err)
	}
	for _, out := range leave[1:] {
		out()
	}
	if len(u.of) != 0 || !u.all.TryAcquire(uploadsAll) {
		t.Errorf("%d addresses are remembered, or room was lost", len(u.of))
	}
}

// TestNoRoomForAnUpload: who waits in vain is told so, behind a proxy too; others are not held up by it.
func TestNoRoomForAnUpload(t *testing.T) {
	u := newUploads(func(peer netip.Addr, h *fasthttp.RequestHeader) string {
		if !peer.IsLoopback() {
			t.Errorf("it comes from %s", peer)
		}
		return string(h.Peek("X-Forwarded-For"))
	})
	u.wait = 10 * time.Millisecond
	out, err := u.enter(t.Context(), "a", uploadsOf)
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &fasthttp.Server{
		Handler:            func(*fasthttp.RequestCtx) {},
		ErrorHandler:       func(c *fasthttp.RequestCtx, err error) { c.Error(err.Error(), http.StatusBadRequest) },
		MaxRequestBodySize: maxBody, ReadTimeout: time.Minute,
	}
	served := u.listen(server, ln, func(c *fasthttp.RequestCtx) { c.Error("full", http.StatusServiceUnavailable) })
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(served) }()
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	part, err := w.CreateFormFile("picture", "x.jpg")
	if err != nil {
		t.Fatal(err)
	}
	_, _ = part.Write(make([]byte, 3<<20))
	_ = w.Close()
	send := func(from string) (int, error) {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
		defer cancel()
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+ln.Addr().String()+"/e/x/suggest", bytes.NewReader(body.Bytes()))
		if err != nil {
			return 0, err
		}
		req.Header.Set("Content-Type", w.FormDataContentType())
		req.Header.Set("X-Forwarded-For", from)
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			return 0, err
		}
		defer res.Body.Close()
		_, err = io.Copy(io.Discard, res.Body)
		return res.StatusCode, err
	}
	for _, c := range []struct {
		from string
		want int
	}{{"a", http.StatusServiceUnavailable}, {"b", http.StatusOK}, {"a", http.StatusServiceUnavailable}, {"b", http.StatusOK}} {
		if got, err := send(c.from); err != nil || got != c.want {
			t.Errorf("%s: %d %v, want %d", c.from, got, err, c.want)
		}
	}
	out()
	if got, err := send("a"); err != nil || got != http.StatusOK {
		t.Errorf("when there is room again: %d %v", got, err)
	}
	http.DefaultClient.CloseIdleConnections()
	if err := server.Shutdown(); err != nil {
		t.Error(err)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
	// The last connection gives its room back as it is closed, which the server's end does not wait for.
	remembered := func() int {
		u.mu.Lock()
		defer u.mu.Unlock()
		return len(u.of)
	}
	for end := time.Now().Add(2 * time.Minute); remembered() != 0; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d addresses are remembered", remembered())
		}
	}
	if !u.all.TryAcquire(uploadsAll) {
		t.Error("room was lost")
	}
}
