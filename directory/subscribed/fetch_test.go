package subscribed

import (
	"compress/gzip"
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"archipel/directory"
	"archipel/publicnet"
)

func TestAddresses(t *testing.T) {
	public := &Service{}
	for raw, want := range map[string]string{
		"https://asso.example/agenda.ics":         "https://asso.example/agenda.ics",
		" webcal://Asso.Example/agenda.ics#x ":    "https://asso.example/agenda.ics",
		"http://asso.example":                     "http://asso.example/",
		"asso.example/agenda.ics":                 "https://asso.example/agenda.ics",
		"":                                        directory.CodeRequired,
		"ftp://asso.example/a.ics":                directory.CodeScheme,
		"file:///etc/passwd":                      directory.CodeInvalid,
		"javascript:alert(1)":                     directory.CodeInvalid,
		"https://asso.example/a b":                directory.CodeInvalid,
		"https://user:pw@asso.example/":           directory.CodeNotHere,
		"https://127.0.0.1/a.ics":                 directory.CodeNotHere,
		"https://10.0.0.1/a.ics":                  directory.CodeNotHere,
		"https://[::1]/a.ics":                     directory.CodeNotHere,
		"https://[::ffff:169.254.169.254]/":       directory.CodeNotHere,
		"http://169.254.169.254/latest/meta-data": directory.CodeNotHere,
		"https://localhost/a.ics":                 directory.CodeNotHere,
		"https://intranet/a.ics":                  directory.CodeNotHere,
		"https://" + strings.Repeat("a", 2_000):   directory.CodeTooLong,
	} {
		got, err := public.ParseURL(raw)
		var invalid directory.Invalid
		if errors.As(err, &invalid) {
			got = invalid[0].Code
		}
		if got != want {
			t.Errorf("%q: got %q, want %q", raw, got, want)
		}
	}
}

// TestLedInside: neither a redirect nor a name that changes its mind leads to a server that is not public.
func TestLedInside(t *testing.T) {
	asked := false
	inside := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked = true }))
	defer inside.Close()
	f := newFetcher("test", false)
	tr := f.http.Transport.(*http.Transport)
	dial := tr.DialContext
	tr.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return dial(ctx, network, inside.Listener.Addr().String()) // as after DNS rebinding
	}
	_, err := f.get(t.Context(), &Calendar{URL: "http://asso.example/a.ics"}, time.Now())
	if !errors.Is(err, publicnet.ErrForbidden) || asked {
		t.Errorf("a name that leads inside: %v, asked %v", err, asked)
	}
	var failed *fetchError
	if !errors.As(err, &failed) || failed.code != BadHost {
		t.Errorf("got %+v", failed)
	}
	// The first server is on this machine, as tests may; none of those that it leads to is allowed to anybody.
	for to, code := range map[string]string{
		"http://10.0.0.1/": BadAddress, "http://169.254.169.254/latest/": BadAddress, "file:///etc/passwd": BadAddress, "http://u:p@127.0.0.1/": BadAddress,
		"gopher://127.0.0.1/": BadAddress, "/again": BadRedirects, "http://192.168.0.1:22/": BadAddress,
	} {
		outside := httptest.NewServer(http.RedirectHandler(to, http.StatusFound))
		_, err := newFetcher("test", true).get(t.Context(), &Calendar{URL: outside.URL + "/a.ics"}, time.Now())
		outside.Close()
		if failed = nil; !errors.As(err, &failed) || failed.code != code {
			t.Errorf("redirect to %s: %v", to, err)
		}
	}
}

func TestAnswers(t *testing.T) {
	good := cal(ev("a", "A", "20270320T180000"))
	for name, c := range map[string]struct {
		handler http.HandlerFunc
		code    string
	}{
		"a calendar": {func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(good)) }, ""},
		"packed": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			_, _ = z.Write([]byte(good))
			z.Close()
		}, ""},
		"redirected": {func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/there" {
				http.Redirect(w, r, "/there", http.StatusMovedPermanently)
				return
			}
			_, _ = w.Write([]byte(good))
		}, ""},
		"a bomb": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			for range 200 {
				_, _ = z.Write(make([]byte, 1<<20))
			}
			z.Close()
		}, BadSize},
		"endless": {func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				if _, err := w.Write(make([]byte, 1<<16)); err != nil {
					return
				}
			}
		}, BadSize},
		"not packed": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = w.Write([]byte(good))
		}, BadType},
		"another coding": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "br")
			_, _ = w.Write([]byte(good))
		}, BadType},
		"private": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) }, BadSignIn},
		"gone":    {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusGone) }, BadGone},
		"broken":  {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }, BadStatus},
		"hung up": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000")
			_, _ = w.Write([]byte(good[:20]))
		}, BadNetwork},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(c.handler)
			defer server.Close()
			a, err := newFetcher("test", true).get(t.Context(), &Calendar{URL: server.URL + "/a.ics"}, time.Now())
			var failed *fetchError
			if errors.As(err, &failed); failed == nil && c.code != "" || failed != nil && failed.code != c.code {
				t.Errorf("got %v, want %q", err, c.code)
			}
			if c.code == "" && (err != nil || string(a.body) != good) {
				t.Errorf("got %v", err)
			}
		})
	}
	tls := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer tls.Close()
	var failed *fetchError
	if _, err := newFetcher("test", true).get(t.Context(), &Calendar{URL: tls.URL}, time.Now()); !errors.As(err, &failed) || failed.code != BadTLS {
		t.Errorf("a certificate of nobody's: %v", err)
	}
}
