package account

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"archipel/directory"
)

func TestNormalMail(t *testing.T) {
	for in, want := range map[string]string{
		" Jeanne@Example.ORG ": "jeanne@example.org", "a.b+c@sous.domaine.fr": "a.b+c@sous.domaine.fr", "rené@école.fr": "rené@école.fr",
		"admin@localhost": "admin@localhost",
		"":                "", "jeanne": "", "@b.fr": "", "a@": "", "a@b": "", "a b@c.fr": "", "a@b..fr": "", "a@-b.fr": "", ".a@b.fr": "", "a..b@c.fr": "",
		"a@b.fr\r\nBcc: x@y.fr": "", "a@b.fr\nx": "", "a@b.fr,c@d.fr": "", `"a"@b.fr`: "", "<a@b.fr>": "", "a@b.fr>": "", "a\x00@b.fr": "", "a@[127.0.0.1]": "",
		strings.Repeat("a", 65) + "@b.fr": "", "a@" + strings.Repeat("b.", 130) + "fr": "",
	} {
		got, err := NormalMail(in)
		var invalid directory.Invalid
		if got != want && want != "" || want == "" && (err == nil || !errors.As(err, &invalid) || invalid[0].Field != "mail") {
			t.Errorf("NormalMail(%q) = %q, %v; want %q", in, got, err, want)
		}
	}
}

func TestLocalPath(t *testing.T) {
	for in, want := range map[string]string{
		"/e/x?y=1": "/e/x?y=1", "/": "/", "": "/no", "//evil.example": "/no", "https://evil.example": "/no", "/\\evil.example": "/no", "\\\\evil": "/no",
		"javascript:alert(1)": "/no", "/a\r\nSet-Cookie: x": "/no", "e/x": "/no", "///evil": "/no", "/\tevil": "/no", "/%2f/evil": "/no", "/%": "/no",
		"/" + strings.Repeat("a", 1000): "/no", "/.//evil.example": "/.//evil.example",
	} {
		if got := LocalPath(in, "/no"); got != want {
			t.Errorf("LocalPath(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestClient(t *testing.T) {
	p, err := parseProxies([]string{"127.0.0.1", " 10.0.0.0/8", "", "::1"})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ peer, forwarded, want string }{
		{"203.0.113.7", "", "203.0.113.7"},
		{"203.0.113.7", "198.51.100.1", "203.0.113.7"}, // whoever comes directly says what they like
		{"127.0.0.1", "198.51.100.1", "198.51.100.1"},
		{"127.0.0.1", "1.2.3.4, 198.51.100.1", "198.51.100.1"}, // the first one was written by the visitor
		{"127.0.0.1", "1.2.3.4, 198.51.100.1, 10.1.2.3", "198.51.100.1"},
		{"127.0.0.1", "", "127.0.0.1"},
		{"127.0.0.1", "nonsense", "127.0.0.1"},
		{"127.0.0.1", "1.2.3.4, nonsense", "127.0.0.1"},
		{"::ffff:127.0.0.1", "198.51.100.1", "198.51.100.1"},
		{"::1", "2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"},
	} {
		if got := clientKey(p.client(netip.MustParseAddr(c.peer), c.forwarded)); got != c.want {
			t.Errorf("from %s, forwarded %q: got %s, want %s", c.peer, c.forwarded, got, c.want)
		}
	}
	if _, err := parseProxies([]string{"localhost"}); err == nil {
		t.Error("a name is taken for an address")
	}
}

func TestLimiter(t *testing.T) {
	now := time.Unix(1e9, 0)
	l := newLimiter(func() time.Time { return now })
	three := limit{"t", 3, time.Minute}
	for i := range 3 {
		if err := l.take(three, "a"); err != nil {
			t.Fatalf("event %d: %v", i, err)
		}
	}
	var limited *Limited
	if err := l.take(three, "a"); !errors.As(err, &limited) || limited.After != 20*time.Second {
		t.Errorf("the fourth: %v, want 20 s to wait", err)
	}
	if l.take(three, "b") != nil || l.take(limit{"u", 3, time.Minute}, "a") != nil {
		t.Error("another key or another limit is counted with it")
	}
	now = now.Add(20 * time.Second)
	if l.take(three, "a") != nil || l.take(three, "a") == nil {
		t.Error("after 20 s exactly one more is allowed")
	}
	for i := range maxBuckets + 10 {
		l.take(three, fmt.Sprint(i))
	}
	if len(l.buckets) > maxBuckets {
		t.Errorf("%d buckets, want at most %d", len(l.buckets), maxBuckets)
	}
}

func TestCheckPassword(t *testing.T) {
	for in, want := range map[string]string{
		"quatre mots bien longs": "", "Tr0ub4dor&3x": "", "ééééàààà-ù": "",
		"": "required", "court": "too_short", strings.Repeat("ab3d", 51): "too_long", "aaaaaaaaaaaa": "guessable", "jeanne@example.org": "guessable",
		"1234567890": "guessable", "motdepasse": "guessable", "motdepasse123": "guessable", "azertyuiop": "guessable", "Jeanne Dupont": "guessable",
		"archipel2026": "guessable", "mal\xffmal\xffmal\xff": "control",
	} {
		err := checkPassword("password", in, "jeanne@example.org", "Jeanne Dupont")
		var invalid directory.Invalid
		got := ""
		if errors.As(err, &invalid) {
			got = invalid[0].Code
		}
		if got != want {
			t.Errorf("checkPassword(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestCSRFToken(t *testing.T) {
	one, two := newCSRF("cookie"), newCSRF("cookie")
	if one == two {
		t.Error("the token does not change: compressed pages leak it")
	}
	for _, c := range []struct {
		token, binding string
		want           bool
	}{{one, "cookie", true}, {two, "cookie", true}, {one, "other", false}, {one, "", false}, {"", "cookie", false}, {one[:80], "cookie", false}, {one + "AA", "cookie", false}, {"!!", "cookie", false}} {
		if got := validCSRF(c.token, c.binding); got != c.want {
			t.Errorf("validCSRF(%q, %q) = %v", c.token, c.binding, got)
		}
	}
}
