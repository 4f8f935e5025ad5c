package embedded

import (
	"encoding/base64"
	"errors"
	"testing"

	"archipel/directory"
	"archipel/search"
)

func FuzzParseKey(f *testing.F) {
	k := key{3.5, "atelier", "0190-x"}
	f.Add(k.token(&search.Query{Sort: search.Name}), "name")
	f.Add("", "name")
	f.Add("e30", "")
	f.Add("eyJzIjoibmFtZSIsImIiOjFlOTk5fQ", "name")
	for _, w := range []string{
		`null`, `{"s":"name","S":"date","b":-0,"i":"\ud800"}`, `{"s":"<\u2028&","b":5e-324,"n":"\ufffd\u0000","i":"x"}`, `{"s":"\ufffd","b":1.7976931348623157e308}`, `{"s":"name","b":123456789012345678901,"i":null}`, ` {"B":"1"}`,
	} {
		for _, sort := range []string{"name", "", "<\u2028&", "\ufffd", "\xff"} {
			f.Add(base64.RawURLEncoding.EncodeToString([]byte(w)), sort)
		}
	}
	f.Fuzz(func(t *testing.T, token, sort string) {
		q := search.Query{Sort: search.Sort(sort), After: token}
		k, err := parseKey(&q)
		var bad directory.Invalid
		switch {
		case err != nil:
			if !errors.As(err, &bad) || bad[0].Field != "after" {
				t.Fatalf("error %v", err)
			}
		case token == "":
		default:
			again := search.Query{Sort: q.Sort, After: k.token(&q)}
			l, err := parseKey(&again)
			if err != nil || l.compare(k) != 0 {
				t.Fatalf("%+v comes back as %+v, %v", k, l, err)
			}
		}
	})
}
