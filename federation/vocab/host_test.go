package vocab

import (
	"regexp"
	"strings"
	"testing"
)

// FuzzHost holds the short way to the parser's, and what comes of either to what a server can be called, always by the same name.
func FuzzHost(f *testing.F) {
	for _, seed := range []string{
		"https://mobilizon.fr/@maud", "https://a-b.example/users/x#main-key", "https://a.-b.example/", "https://a-.example/", "https://.a/", "https://a../x",
		"https://xn--bcher-kva.example/", "https://b\u00fccher.example/", "https://a.example:443/", "https://A.example/", "https://a.example/%zz", "https://u@a.example/",
		"https://127.0.0.1/x", "https://1/", "https://a--b.example/", "https://ab--c.example/x", "https://a.example", "http://a.example:8080/x", "http://a:80/", "http://:80/", "https://a:99999/", "https://a:/", "https:///x", "https://a_b.example/x",
		"https://a>example/x", "https://a,b/x", "https://[::1]:8080/x", "https://[fe80::1%25lo]/x", "http://:8080/x", "https://./x", "https://a%20b/x", "https://\u2100.example/", "https://[::ffff:1.2.3.4]/",
		"https://a../x", "https://a\u3002/x", "https://a.example\uff0e/", "https://a_b.example./x", "https://a.xn--/x", "https://.a/x", "https://\u00ad.a/", "https://a..b/x", "http://a:0/",
		"https://a:65535/x", "https://[0:0::1]/x", "https://[::ffff:102:304]/x", "https://xn--abc-.example/", "https://" + strings.Repeat("a.", 126) + "a/", "https://" + strings.Repeat("a.", 127) + "a/",
		"https://a.example:65536/x", "https://a.example:0443/x", "https://a_b.example./x", "https://a.example:" + strings.Repeat("9", 400) + "/x", "https://" + strings.Repeat("a.", 150) + "example/x",
	} {
		f.Add(seed)
	}
	// The encoder of IDNA needs seconds for these.
	var long strings.Builder
	for r := range rune(10000) {
		long.WriteRune('\u4e00' + r)
	}
	f.Add("https://" + long.String() + "/")
	form := regexp.MustCompile(`^([a-z0-9._-]*[a-z0-9_-][a-z0-9._-]*|\[[0-9a-f.:]+\])(:[1-9][0-9]{0,4})?$`)
	f.Fuzz(func(t *testing.T, address string) {
		if host := Host(address); host != "" && (!form.MatchString(host) || len(host) > maxHost+len(":65535")) {
			t.Errorf("%q: no server is called %q", address, host)
		} else if scheme, _, _ := strings.Cut(address, ":"); host != "" && Host(scheme+"://"+host+"/") != host {
			t.Errorf("%q: the host is %q, and the host of that %q", address, host, Host(scheme+"://"+host+"/"))
		}
		if got, ok := plainHost(address); ok && got != anyHost(address) {
			t.Errorf("%q: %q, the parser says %q", address, got, anyHost(address))
		}
	})
}
