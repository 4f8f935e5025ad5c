package api_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"mime/multipart"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// listening is a server behind a real connection, with a short time for what is not large.
func (s *site) listening(ordinary time.Duration) (address string) {
	s.t.Helper()
	s.server.Handler().Server().ReadTimeout = ordinary
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		s.t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.server.Serve(ctx, ln, time.Second) }()
	s.t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			s.t.Error(err)
		}
	})
	return ln.Addr().String()
}

// suggestion is the form of a suggestion for an entry with a picture of some size, and its content type.
func (p *author) suggestion(path string, picture []byte) (body []byte, contentType string) {
	p.t.Helper()
	v := p.fieldsOfPage(path)
	v.Set("action", "picture")
	v.Set("picture_alt", "La cour au printemps")
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for key, list := range v {
		for _, one := range list {
			_ = w.WriteField(key, one)
		}
	}
	_ = w.WriteField("csrf", p.token(path))
	part, err := w.CreateFormFile("picture", "x.jpg")
	if err != nil {
		p.t.Fatal(err)
	}
	_, _ = part.Write(picture)
	_ = w.Close()
	return b.Bytes(), w.FormDataContentType()
}

// slowly reads a body of which the rest comes later.
type slowly struct {
	first, rest io.Reader
	pause       time.Duration
}

func (s *slowly) Read(b []byte) (int, error) {
	if n, err := s.first.Read(b); err != io.EOF {
		return n, err
	}
	time.Sleep(s.pause) // the line is slow: that is what is looked at
	s.pause = 0
	return s.rest.Read(b)
}

// TestUploadsOverSlowLines: a picture may take longer than other requests, as it does for most people who send one; those
// who announce one and go away keep nobody else from it.
func TestUploadsOverSlowLines(t *testing.T) {
	var err error
	// Where the machine stands still for longer than the ordinary time, whoever sends is cut off whatever comes: then with more of it.
	for _, ordinary := range []time.Duration{300 * time.Millisecond, 2 * time.Second, 10 * time.Second} {
		if err = uploadSlowly(t, ordinary); err == nil {
			return
		}
		t.Logf("with %v for what is not large: %v", ordinary, err)
	}
	t.Error(err)
}

// uploadSlowly sends a picture that takes longer than the ordinary time, and then something else that does.
func uploadSlowly(t *testing.T, ordinary time.Duration) error {
	t.Helper()
	s := openPosting(t)
	s.member("Anna", trusted).addOrganisation("La Fourmilière", fieldsOf("summary", "Un lieu")).leads(t, "^/e/")
	p := s.visitor()
	const path = "/e/la-fourmiliere/suggest"
	body, contentType := p.suggestion(path, append(photo(t), make([]byte, 300<<10)...))
	at := s.listening(ordinary)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	for range 12 { // more than one address may send at once
		c, err := net.Dial("tcp", at)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := fmt.Fprintf(c, "POST %s HTTP/1.1\r\nHost: example.com\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\nhalf", path, contentType, 15<<20); err != nil {
			t.Logf("who goes away was cut off before: %v", err)
		}
		c.Close()
	}
	half := len(body) / 2
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+at+path, &slowly{bytes.NewReader(body[:half]), bytes.NewReader(body[half:]), ordinary + ordinary/2})
	if err != nil {
		t.Fatal(err)
	}
	req.ContentLength, req.Host = int64(len(body)), "example.com"
	req.Header.Set("Content-Type", contentType)
	for name, value := range p.cookies {
		req.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("it is cut off: %w", err)
	}
	page, err := io.ReadAll(res.Body)
	res.Body.Close()
	if err != nil || res.StatusCode != http.StatusOK || !strings.Contains(string(page), "La cour au printemps") || !strings.Contains(string(page), "/media/") {
		return fmt.Errorf("status %d, %v: %s", res.StatusCode, err, plainProblems(string(page)))
	}
	// Anything else is not waited for.
	c, err := net.Dial("tcp", at)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := fmt.Fprintf(c, "POST /add HTTP/1.1\r\nHost: example.com\r\nContent-Length: 1000\r\n\r\nhalf"); err != nil {
		return err
	}
	_ = c.SetReadDeadline(time.Now().Add(2 * time.Minute))
	answer, err := io.ReadAll(c)
	if err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 408") {
		return fmt.Errorf("what is not large: %v %.100s", err, answer)
	}
	return nil
}
