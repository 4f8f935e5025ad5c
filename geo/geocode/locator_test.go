package geocode

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/paulmach/orb"
)

// answer is a Geocoder that says one thing, and counts the questions.
type answer struct {
	places []Place
	err    error
	asked  int
}

func (a *answer) Search(context.Context, Query) ([]Place, error) { a.asked++; return a.places, a.err }
func (a *answer) Reverse(context.Context, orb.Point, string) ([]Place, error) {
	a.asked++
	return a.places, a.err
}

func TestFindWithoutServer(t *testing.T) {
	t.Parallel()
	l := NewLocator(france(), nil)
	for _, tc := range []struct {
		text, label string
		approximate bool
	}{
		{"Saillans", "Saillans (26)", false},
		{"42000", "Saint-Étienne (42)", false},
		{"Loire", "Loire (42)", false},
		{"12 rue du Port, 26340 Saillans", "Saillans (26)", true},
		{"12 rue du Port 26340 Saillans France", "Saillans (26)", true},
		{"12 rue des Lilas, Loos-en-Gohelle", "Loos-en-Gohelle (62)", true},
		{"3 place Jean Jaurès Saint-Étienne", "Saint-Étienne (42)", true},
		{"8 rue Michelet St-Etienne", "Saint-Étienne (42)", true},
		{"14 rue de Lyon 42000", "Saint-Étienne (42)", true},
		{"1 Grand'Rue, 68190 Ungersheim", "Ungersheim (68)", true},
	} {
		a, err := l.Find(context.Background(), Query{Text: tc.text, Language: "fr"})
		if err != nil || a.Places[0].Label != tc.label || a.Places[0].Approximate != tc.approximate {
			t.Errorf("%q: got %q, %v, want %s", tc.text, labels(a.Places), err, tc.label)
			continue
		}
		if (a.Missing == MissingServer) != tc.approximate {
			t.Errorf("%q: missing is %q", tc.text, a.Missing)
		}
	}
	for _, text := range []string{"12 rue de Lyon", "rue des Lilas", "fablab", "zzz zzz", "🎉"} {
		if a, err := l.Find(context.Background(), Query{Text: text, Language: "fr"}); !errors.Is(err, ErrNotFound) {
			t.Errorf("%q: got %q, %v", text, labels(a.Places), err)
		}
	}
	if l.HasServer() || l.Health(context.Background()) != nil {
		t.Error("no server is nothing broken")
	}
}

func TestFindWithServer(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	house := Place{Name: "12 Rue du Port", Label: "12 Rue du Port, 26340 Saillans", Kind: KindHouse, Point: orb.Point{5.183, 44.695}}
	address := Query{Text: "12 rue du Port 26340 Saillans"}
	server := &answer{places: []Place{house}}
	l := NewLocator(france(), server)
	if a, err := l.Find(ctx, address); err != nil || a.Places[0].Label != house.Label || a.Missing != MissingNothing {
		t.Errorf("got %+v, %v", a, err)
	}
	if _, err := l.Find(ctx, Query{Text: "Saint-Étienne"}); err != nil || server.asked != 1 {
		t.Errorf("a town needs no server: asked %d times, %v", server.asked, err)
	}
	*server = answer{err: ErrUnavailable}
	if a, err := l.Find(ctx, address); err != nil || !a.Places[0].Approximate || a.Missing != MissingAnswer {
		t.Errorf("broken: got %+v, %v", a, err)
	}
	if _, err := l.Search(ctx, Query{Text: "zzz zzz"}); !errors.Is(err, ErrUnavailable) {
		t.Errorf("broken, and nothing known: got %v", err)
	}
	*server = answer{err: ErrNotFound}
	if a, err := l.Find(ctx, address); err != nil || !a.Places[0].Approximate || a.Missing != MissingNothing {
		t.Errorf("unknown there: got %+v, %v", a, err)
	}
	*server = answer{err: context.Canceled}
	if _, err := l.Find(ctx, address); !errors.Is(err, context.Canceled) {
		t.Errorf("left: got %v", err)
	}
	*server = answer{err: ErrUnavailable}
	if got, err := l.Reverse(ctx, orb.Point{5.183, 44.695}, "fr"); err != nil || got[0].Label != "Saillans (26)" {
		t.Errorf("reverse: got %q, %v", labels(got), err)
	}
	var none *Server
	if NewLocator(france(), none).HasServer() {
		t.Error("a nil *Server is no server")
	}
}

func TestLocate(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	at := orb.Point{5.1835, 44.6951}
	address := Address{Street: "12 rue du Port", Postcode: "26340", City: "Saillans"}
	for _, tc := range []struct {
		name    string
		server  *answer
		address Address
		want    Precision
		retry   bool
		err     error
	}{
		{"house", &answer{places: []Place{{Kind: KindHouse, Point: at}}}, address, PrecisionHouse, false, nil},
		{"street", &answer{places: []Place{{Kind: KindStreet, Point: at}}}, address, PrecisionStreet, false, nil},
		{"another town's street is not believed", &answer{places: []Place{{Kind: KindStreet, Point: orb.Point{2.3, 48.8}}}}, address, PrecisionTown, false, nil},
		{"the town alone", &answer{places: []Place{{Kind: KindCommune, Point: at}}}, address, PrecisionTown, false, nil},
		{"not found", &answer{err: ErrNotFound}, address, PrecisionTown, false, nil},
		{"broken", &answer{err: ErrUnavailable}, address, PrecisionTown, true, nil},
		{"no street: the server is not needed", &answer{err: ErrUnavailable}, Address{City: "Saillans"}, PrecisionTown, false, nil},
		{"unknown town", &answer{err: ErrNotFound}, Address{Street: "1 rue X", City: "Zzzznulpart"}, "", false, ErrNotFound},
		{"unknown town, broken", &answer{err: ErrUnavailable}, Address{Street: "1 rue X", City: "Zzzznulpart"}, "", false, ErrUnavailable},
		{"empty", &answer{}, Address{}, "", false, ErrBadQuery},
		{"one line", &answer{places: []Place{{Kind: KindHouse, Point: at}}}, Address{Street: "12 rue du Port, Saillans"}, PrecisionHouse, false, nil},
		{"a wrong postal code", &answer{err: ErrNotFound}, Address{City: "Saillans", Postcode: "99999"}, PrecisionTown, false, nil},
	} {
		got, err := NewLocator(france(), tc.server).Locate(ctx, tc.address, "fr")
		if !errors.Is(err, tc.err) || got.Precision != tc.want || got.Retry != tc.retry || got.Approximate != (tc.want == PrecisionTown) {
			t.Errorf("%s: got %+v, %v", tc.name, got, err)
		}
		if err == nil && Distance(got.Point, at) > 3000 {
			t.Errorf("%s: at %v", tc.name, got.Point)
		}
	}
}

func TestFindIsPatientOnlyForAWhile(t *testing.T) {
	t.Parallel()
	s := answering(t, func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	s.timeout = 10 * time.Minute
	l := NewLocator(france(), s)
	l.patience = 50 * time.Millisecond
	start := time.Now()
	a, err := l.Find(context.Background(), Query{Text: "12 rue du Port 26340 Saillans"})
	if err != nil || !a.Places[0].Approximate || a.Missing != MissingAnswer || time.Since(start) > 2*time.Minute {
		t.Errorf("got %+v, %v after %v", a, err, time.Since(start))
	}
	if got, err := l.Reverse(context.Background(), orb.Point{5.183, 44.695}, "fr"); err != nil || got[0].Source != "gazetteer" {
		t.Errorf("reverse: got %q, %v", labels(got), err)
	}
	gone, leave := context.WithCancel(context.Background())
	leave()
	if _, err := l.Find(gone, Query{Text: "12 rue du Port 26340 Saillans"}); !errors.Is(err, context.Canceled) {
		t.Errorf("who left got %v", err)
	}
}
