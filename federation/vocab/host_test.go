package vocab

import "testing"

// FuzzHost holds the short way to the parser's.
func FuzzHost(f *testing.F) {
	for _, seed := range []string{
		"https://mobilizon.fr/@maud", "https://a-b.example/users/x#main-key", "https://a.-b.example/", "https://a-.example/", "https://.a/", "https://a../x",
		"https://xn--bcher-kva.example/", "https://b\u00fccher.example/", "https://a.example:443/", "https://A.example/", "https://a.example/%zz", "https://u@a.example/",
		"https://127.0.0.1/x", "https://1/", "https://a--b.example/", "https://ab--c.example/x", "https://a.example", "http://a.example:8080/x", "http://a:80/", "http://:80/", "https://a:99999/", "https://a:/", "https:///x", "https://a_b.example/x",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, address string) {
		if got, ok := plainHost(address); ok && got != anyHost(address) {
			t.Errorf("%q: %q, the parser says %q", address, got, anyHost(address))
		}
	})
}
