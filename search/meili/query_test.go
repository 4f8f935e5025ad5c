package meili

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/paulmach/orb"
	"github.com/paulmach/orb/geo"

	"archipel/directory"
	"archipel/search"
)

func FuzzParseToken(f *testing.F) {
	q, err := search.Query{Text: "atelier"}.Checked()
	if err != nil {
		f.Fatal(err)
	}
	for _, n := range []int{40, 41, -20, maxTotalHits, maxTotalHits + q.Limit, math.MaxInt} {
		f.Add(token(&q, n))
	}
	f.Add("e30")
	f.Add("\xff")
	f.Fuzz(func(t *testing.T, after string) {
		q.After = after
		n, err := parseToken(&q)
		var bad directory.Invalid
		if err != nil && (!errors.As(err, &bad) || bad[0].Field != "after") {
			t.Fatalf("error %v", err)
		}
		if err == nil && (n < 0 || n > maxTotalHits || n%q.Limit != 0) {
			t.Fatalf("offset %d", n)
		}
	})
}

func TestTyped(t *testing.T) {
	for text, want := range map[string]string{
		"l'atelier du 9":        "atelier 9 ",
		`"fablab" -lyon`:        "fablab lyon",
		"La Ruche ":             "ruche ",
		"la des":                "la des",
		"kind = 'draft' OR x":   "kind draft x",
		"St-Étienne":            "st etienne",
		"":                      "",
		strings.Repeat("é ", 3): "e e e ",
	} {
		if got := typed(search.Words(text, "fr"), nil); got != want {
			t.Errorf("%q: sends %q, want %q", text, got, want)
		}
	}
}

// TestAround checks that the box around a circle holds it.
func TestAround(t *testing.T) {
	for _, p := range []orb.Point{{4.8, 45.7}, {179.9, -16}, {-179.99, 60}, {10, 89}, {10, -89.9}, {0, 0}} {
		for _, radius := range []float64{10, 1000, 100_000, 2_000_000, 20_000_000} {
			q := search.Query{BBox: ptr(around(p, radius))}
			if _, err := q.Checked(); err != nil {
				t.Fatalf("around %v %f: %v", p, radius, err)
			}
			box := search.NewArea(&q)
			for bearing := 0.0; bearing < 360; bearing += 15 {
				on := geo.PointAtBearingAndDistance(p, bearing, min(radius, 19_000_000)*.999)
				for on[0] > 180 {
					on[0] -= 360
				}
				for on[0] < -180 {
					on[0] += 360
				}
				if !box.Contains(on) {
					t.Errorf("the box %v around %v does not hold %v, %f m away", *q.BBox, p, on, radius)
				}
			}
		}
	}
}

func ptr[T any](v T) *T { return &v }

// TestOneSlowQuery: a search that runs into its deadline says little of the server, three in a row say that it is away.
func TestOneSlowQuery(t *testing.T) {
	x := &Index{opt: Options{Timeout: time.Minute, Log: slog.New(slog.DiscardHandler)}, kick: make(chan struct{}, 1)}
	x.ready.Store(true)
	slow := func(ctx context.Context) error { return fault(ctx, "search", context.DeadlineExceeded) }
	quick := func(context.Context) error { return nil }
	for i, query := range []func(context.Context) error{slow, slow, quick, slow, slow} {
		if err := x.call(t.Context(), query); i != 2 && !errors.Is(err, context.DeadlineExceeded) || i == 2 && err != nil {
			t.Errorf("query %d: %v", i, err)
		}
		if err := x.up(); err != nil {
			t.Fatalf("after query %d it counts as away: %v", i, err)
		}
	}
	if err := x.call(t.Context(), slow); !errors.Is(err, search.ErrUnavailable) || x.up() == nil {
		t.Errorf("after three in a row it does not count as away: %v", err)
	}
}
