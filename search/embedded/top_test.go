package embedded

import (
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
