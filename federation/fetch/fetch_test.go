package fetch

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

func TestCheck(t *testing.T) {
	public, local := New(Options{}), New(Options{Loopback: true})
	for address, want := range map[string][2]bool{ // may the public one ask, may the local one
		"https://ecrins.example/u/1":       {true, true},
		"https://ecrins.example:8443/u/1":  {true, true},
		"http://ecrins.example/":           {false, false},
		"https://user:pw@ecrins.example/":  {false, false},
		"ftp://ecrins.example/":            {false, false},
		"file:///etc/passwd":               {false, false},
		"https:ecrins.example":             {false, false},
		"https:///x":                       {false, false},
		"https://127.0.0.1/":               {false, true},
		"https://[::1]/":                   {false, true},
		"http://127.0.0.1:8080/":           {false, true},
		"https://localhost/":               {false, true},
		"https://intranet/":                {false, true}, // a name of one word, which a resolver may complete; the address is checked all the same
		"https://db.localhost/":            {false, true},
		"https://169.254.169.254/":         {false, false},
		"https://[::ffff:169.254.169.254]": {false, false},
	} {
		u, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		for i, c := range []*Client{public, local} {
			if err := c.Check(u); (err == nil) != want[i] || err != nil && !errors.Is(err, ErrForbidden) {
				t.Errorf("%s, loopback %v: %v", address, i == 1, err)
			}
		}
	}
}

// TestNameThatLeadsInside asks a name whose address is looked up after every check of the text: the connection is refused.
func TestNameThatLeadsInside(t *testing.T) {
	asked := false
	server := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked = true }))
	defer server.Close()
	c := New(Options{})
	tr := c.http.Transport.(*http.Transport)
	// As after DNS rebinding: the name is public, what it leads to is not.
	dial := tr.DialContext
	tr.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return dial(ctx, network, server.Listener.Addr().String())
	}
	_, err := c.Get(t.Context(), "https://ecrins.example/u/1", Activity, nil)
	if !errors.Is(err, ErrForbidden) || asked {
		t.Errorf("got %v; the server inside was asked: %v", err, asked)
	}
}

func TestGet(t *testing.T) {
	mux := http.NewServeMux()
	serve := func(path, contentType, body string) {
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", contentType)
			_, _ = w.Write([]byte(body))
		})
	}
	serve("/as2", "application/activity+json; charset=utf-8", "{}")
	serve("/ld", `application/ld+json; profile="https://www.w3.org/ns/activitystreams"`, "{}")
	serve("/ld-bare", "application/ld+json", "{}")
	serve("/json", "application/json", "{}")
	serve("/html", "text/html", "{}")
	serve("/large", "application/activity+json", strings.Repeat(" ", MaxBody+1))
	mux.HandleFunc("/away", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Retry-After", "120")
		w.WriteHeader(http.StatusTooManyRequests)
	})
	for from, to := range map[string]string{"/1": "/2", "/2": "/3", "/3": "/as2", "/0": "/1", "/out": "http://10.0.0.1/", "/file": "file:///etc/passwd", "/user": "http://u:p@127.0.0.1/"} {
		mux.Handle(from, http.RedirectHandler(to, http.StatusFound))
	}
	server := httptest.NewServer(mux)
	defer server.Close()
	c := New(Options{Loopback: true, UserAgent: "test"})
	signed := 0
	for path, want := range map[string]error{
		"/as2": nil, "/ld": nil, "/1": nil, "/ld-bare": ErrType, "/json": ErrType, "/html": ErrType, "/large": ErrTooLarge,
		"/0": ErrForbidden, "/out": ErrForbidden, "/file": ErrForbidden, "/user": ErrForbidden,
	} {
		signed = 0
		_, err := c.Get(t.Context(), server.URL+path, Activity, func(*http.Request, []byte) error { signed++; return nil })
		if !errors.Is(err, want) {
			t.Errorf("%s: got %v, want %v", path, err, want)
		}
		if path == "/1" && signed != 4 {
			t.Errorf("of 4 requests %d were signed", signed)
		}
	}
	var status *StatusError
	if _, err := c.Get(t.Context(), server.URL+"/away", Activity, nil); !errors.As(err, &status) || status.Code != 429 || status.RetryAfter != 2*time.Minute {
		t.Errorf("a server that is busy: %v, %+v", err, status)
	}
}

func TestObject(t *testing.T) {
	deep := func(n int) string { return strings.Repeat(`{"a":`, n) + "1" + strings.Repeat("}", n) }
	for text, ok := range map[string]bool{
		`{"a":[1,{"b":null}]}`: true, deep(MaxDepth): true, deep(MaxDepth + 1): false, `[]`: false, `{"a":1}{}`: false, `{"a":1,"a":2}`: false,
		`{"@graph":1}`: false, `{"a":{"@included":1}}`: false, ``: false, `{`: false, `{"a" 1}`: false, `{"a":[1,]}`: false, `null`: false,
		`{"a":[` + strings.Repeat("1,", MaxItems-1) + `1]}`: true, `{"a":[` + strings.Repeat("1,", MaxItems) + `1]}`: false,
	} {
		if _, err := Object([]byte(text)); (err == nil) != ok || err != nil && !errors.Is(err, ErrJSON) {
			t.Errorf("%.60s: %v", text, err)
		}
	}
}

func FuzzObject(f *testing.F) {
	f.Add([]byte(`{"a":[1,{"b":"\u00e9"}],"@graph":{}}`))
	f.Add([]byte(`{"a":1,"a":2}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if m, err := Object(b); err == nil && m == nil || err != nil && !errors.Is(err, ErrJSON) {
			t.Errorf("%v, %v", m, err)
		}
	})
}
