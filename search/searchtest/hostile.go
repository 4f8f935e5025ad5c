package searchtest

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/paulmach/orb"

	"archipel/directory"
	"archipel/search"
)

// hostile is what people, robots and attackers type.
var hostile = []string{
	"", " ", "a", "é", "9", "%", strings.Repeat("a", 10_000), strings.Repeat("a b ", 2_500), strings.Repeat("é", 10_000), strings.Repeat("\"", 10_000),
	"le la les de du", "the of and", "d'", "l'", "'", "’’’", "\x00", "a\x00b\x01c\x7f", "\xff\xfe\xfd", "a\xc3", "\u202eetiel ta\u202c", "مركز المجتمع", "מרכז קהילתי", "共同工作空間",
	"コワーキング スペース", "ห้องสมุด", "🌱🏡", "atelier 🌱", "👩\u200d🌾", "e\u0301te\u0301", "ﬁnance", "Ⅷ ½ ①", "İstanbul ıI", "ß ẞ",
	`"fablab lyon"`, `"fablab`, `-fablab`, `+fablab -lyon`, `name:fablab`, `n:zorglub`, `fablab~2`, `fablab^10`, `fab*`, `*`, `?`, `f?blab`, `/fab.*/`, `/(a+)+$/`, `(fablab`, `fablab)`, `((((((((`,
	`fablab AND lyon`, `OR`, `NOT fablab`, `AND OR NOT`, `{"q":"x"}`, `[1 TO 5]`, `<script>alert(1)</script>`, `'; DROP TABLE entries; --`, `\`, `\\\"`, `kind = "draft" OR kind EXISTS`, `status:draft`, `_geoRadius(0,0,9)`,
	"zorglub@example.org", "rue secrète", "mark", "Brouillon", "a-b-c-d-e-f-g-h-i-j-k-l-m-n-o-p", "1 2 3 4 5 6 7 8 9 10 11 12", "....", "a.b.c.d.e.f", "http://example.org/?q=fablab&x=[]",
}

func testHostile(t *testing.T, x search.Index) {
	ctx := context.Background()
	secret := map[directory.ID]bool{}
	for _, e := range Fixture() {
		secret[e.ID] = !e.Public()
	}
	for _, text := range hostile {
		for _, lang := range []string{"", "fr", "xx", "zz-Hans-\"'"} {
			q := search.Query{Text: text, Lang: lang, Facets: true, Highlight: true, Categories: nil, Limit: 100}
			res, err := x.Search(ctx, q)
			if err != nil {
				t.Errorf("search %.60q (%s): %v", text, lang, err)
				continue
			}
			for _, h := range res.Hits {
				if hidden, known := secret[h.ID]; hidden || !known {
					t.Errorf("search %.60q: found %q", text, names([]search.Hit{h}))
				}
			}
			if _, err := x.IDs(ctx, search.Query{Text: text, Lang: lang}); err != nil {
				t.Errorf("ids of %.60q: %v", text, err)
			}
			if _, err := x.Complete(ctx, search.Completion{Text: text, Lang: lang}); err != nil {
				t.Errorf("complete %.60q: %v", text, err)
			}
		}
		bad := search.Query{Categories: []string{text}, Tags: []string{text}, Zones: []string{text}}
		if res, err := x.Search(ctx, bad); err != nil || res.Total != 0 {
			t.Errorf("filters %.60q: got %+v, %v; want nothing", text, res, err)
		}
	}
	// An operator is a word like another one.
	for quoted, plain := range map[string]string{`"fablab lyon"`: "fablab lyon", `-fablab`: "fablab", `fab* lyon`: "fab lyon", `(fablab) AND`: "fablab and"} {
		a, err := x.Search(ctx, search.Query{Text: quoted, Lang: "fr"})
		if err != nil {
			t.Fatal(err)
		}
		b, err := x.Search(ctx, search.Query{Text: plain, Lang: "fr"})
		if err != nil || a.Total != b.Total || a.Total == 0 {
			t.Errorf("search %q finds %d, %q finds %d, %v", quoted, a.Total, plain, b.Total, err)
		}
	}
}

func testInvalid(t *testing.T, x search.Index) {
	nan := math.NaN()
	many := slices.Repeat([]string{"x"}, search.MaxValues+1)
	for _, c := range []struct {
		field string
		q     search.Query
	}{
		{"limit", search.Query{Limit: -1}},
		{"limit", search.Query{Limit: search.MaxLimit + 1}},
		{"sort", search.Query{Sort: "price"}},
		{"kind[1]", search.Query{Kinds: []directory.Kind{directory.Event, "secret"}}},
		{"category", search.Query{Categories: many}},
		{"tag", search.Query{Tags: many}},
		{"zone", search.Query{Zones: many}},
		{"bbox", search.Query{BBox: &orb.Bound{Min: orb.Point{-190, 0}, Max: orb.Point{0, 1}}}},
		{"bbox", search.Query{BBox: &orb.Bound{Min: orb.Point{0, 2}, Max: orb.Point{1, 1}}}},
		{"bbox", search.Query{BBox: &orb.Bound{Min: orb.Point{nan, 0}, Max: orb.Point{1, 1}}}},
		{"near", search.Query{Near: &orb.Point{0, 91}}},
		{"near", search.Query{Radius: 10}},
		{"near", search.Query{Sort: search.Nearness}},
		{"radius", search.Query{Near: &orb.Point{0, 0}, Radius: -1}},
		{"radius", search.Query{Near: &orb.Point{0, 0}, Radius: nan}},
		{"radius", search.Query{Near: &orb.Point{0, 0}, Radius: math.Inf(1)}},
		{"to", search.Query{From: Day, To: Day}},
		{"after", search.Query{After: "nonsense"}},
		{"after", search.Query{After: "eyJzIjoibmFtZSJ9", Sort: search.Date}},
	} {
		_, err := x.Search(context.Background(), c.q)
		var bad directory.Invalid
		if !errors.As(err, &bad) || len(bad) != 1 || bad[0].Field != c.field {
			t.Errorf("search %+v: got %v, want a problem with %s", c.q, err, c.field)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := x.Search(ctx, search.Query{Text: "atelier"}); !errors.Is(err, context.Canceled) {
		t.Errorf("search of somebody who went away: got %v, want %v", err, context.Canceled)
	}
	if st := x.Status(context.Background()); st.Err != nil {
		t.Errorf("status after bad input: %+v", st)
	}
}
