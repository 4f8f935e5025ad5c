package geocode

import (
	"context"
	"errors"
	"strings"
	"time"

	"archipel/geo/geocode/gazdata"

	"github.com/paulmach/orb"
)

// Locator is the Geocoder that the rest of the program uses: the gazetteer and, when
// there is one, a server.
type Locator struct {
	gazetteer *Gazetteer
	server    Geocoder // nil when there is none
	patience  time.Duration
}

// patience is how long a visitor waits for a server before the town is shown
// instead. The server's answer is remembered all the same for the next one who asks.
const patience = 3 * time.Second

// NewLocator puts a gazetteer and a server together; the server may be nil.
func NewLocator(g *Gazetteer, server Geocoder) *Locator {
	if s, ok := server.(*Server); ok && s == nil {
		server = nil
	}
	return &Locator{g, server, patience}
}

// Gazetteer is the embedded one, for zones.
func (l *Locator) Gazetteer() *Gazetteer { return l.gazetteer }

// Complete answers while somebody types: from the gazetteer, at once.
func (l *Locator) Complete(q Query) []Place { return l.gazetteer.Complete(q) }

// Missing says why an answer may lack what a server knows: streets and house
// numbers.
type Missing string

// Why a server did not take part.
const (
	MissingNothing Missing = ""
	MissingServer  Missing = "none"        // no server is configured
	MissingAnswer  Missing = "unavailable" // it is down, or too slow
)

// Answer is what Find gives.
type Answer struct {
	Places  []Place
	Missing Missing // tell people when it is not MissingNothing
}

// Find answers a submitted query. The whole name of a town or zone is
// answered by the gazetteer alone; anything else by the server, and by the
// gazetteer at town level, marked as approximate, when the server is absent or fails. It
// reports ErrNotFound, ErrBadQuery or the context's end, never ErrUnavailable;
// with ErrNotFound, Missing still tells whether a server was asked.
func (l *Locator) Find(ctx context.Context, q Query) (Answer, error) {
	if err := q.Validate(); err != nil {
		return Answer{}, err
	}
	known, whole := l.gazetteer.submit(q)
	if whole {
		return Answer{Places: known}, nil
	}
	a := Answer{Missing: MissingServer}
	if l.server != nil {
		asking, cancel := context.WithTimeout(ctx, l.patience)
		found, err := l.server.Search(asking, q)
		cancel()
		switch {
		case err == nil:
			return Answer{Places: found}, nil
		case errors.Is(err, ErrUnavailable) || errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil:
			a.Missing = MissingAnswer
		case errors.Is(err, ErrNotFound):
			a.Missing = MissingNothing
		case errors.Is(err, ErrBadQuery): // the server's own limits are no reason to say nothing
			a.Missing = MissingNothing
		default:
			return Answer{}, err
		}
	}
	if len(known) == 0 {
		known = l.townOf(q)
	}
	if len(known) == 0 {
		return a, ErrNotFound
	}
	a.Places = known
	return a, nil
}

// Search is Find as a Geocoder. It reports ErrUnavailable when nothing was found
// and a server could not be asked.
func (l *Locator) Search(ctx context.Context, q Query) ([]Place, error) {
	a, err := l.Find(ctx, q)
	if errors.Is(err, ErrNotFound) && a.Missing == MissingAnswer {
		return nil, ErrUnavailable
	}
	return a.Places, err
}

// Reverse keeps the promise of Geocoder: the server's answer, else the nearest
// town.
func (l *Locator) Reverse(ctx context.Context, at orb.Point, language string) ([]Place, error) {
	if l.server != nil {
		asking, cancel := context.WithTimeout(ctx, l.patience)
		found, err := l.server.Reverse(asking, at, language)
		cancel()
		if err == nil || errors.Is(err, ErrBadQuery) || ctx.Err() != nil {
			return found, err
		}
	}
	return l.gazetteer.Reverse(ctx, at, language)
}

// Health is nil when addresses can be found: the server, when one is
// configured, answers.
func (l *Locator) Health(ctx context.Context) error {
	if s, ok := l.server.(interface{ Health(context.Context) error }); ok {
		return s.Health(ctx)
	}
	return nil
}

// HasServer tells whether addresses can be found at all.
func (l *Locator) HasServer() bool { return l.server != nil }

// Credits are the sources of what is found, for the about page.
func (l *Locator) Credits() []Credit {
	list := GazetteerCredits()
	switch s, _ := l.server.(*Server); {
	case l.server == nil:
		return list
	case s != nil && s.Name() == (addok{}).name():
		return append(list, addressCredit())
	}
	return append(list, NominatimCredit())
}

// submit is what the gazetteer says of a submitted query, and whether it is
// the whole name of something, so that no server need be asked.
func (g *Gazetteer) submit(q Query) ([]Place, bool) {
	if q.Structured() {
		return g.locate(q), q.Street == ""
	}
	l := g.lookup(q, true)
	return l.places(), l.exact
}

// townOf finds the town in the last words of an address: "12 rue des Lilas, 26340
// Saillans". The answer is approximate.
func (l *Locator) townOf(q Query) []Place {
	if q.Structured() {
		return nil // locate did that
	}
	words := strings.Fields(strings.NewReplacer(",", " ", ";", " ").Replace(q.Text))
	if i := lastPostcode(words); i >= 0 {
		if found := l.tail(q, words[i:]); len(found) > 0 {
			return found
		}
		if found := l.tail(q, words[i:i+1]); len(found) > 0 {
			return found
		}
	}
	if i := strings.LastIndexAny(q.Text, ",;"); i >= 0 {
		if found := l.tail(q, strings.Fields(q.Text[i+1:])); len(found) > 0 {
			return found
		}
	}
	for n := min(6, len(words)-1); n > 0; n-- {
		if links[gazdata.Fold(words[len(words)-n-1])] {
			continue // "rue de Lyon" is not in Lyon
		}
		if found := l.tail(q, words[len(words)-n:]); len(found) > 0 && (l.gazetteer.home == "" || found[0].Codes.Country == l.gazetteer.home) {
			return found
		}
	}
	return nil
}

// links are the words that bind a name to the word before.
var links = map[string]bool{"de": true, "des": true, "du": true, "la": true, "le": true, "les": true, "l": true, "d": true, "of": true,
	"rue": true, "place": true, "avenue": true, "boulevard": true, "chemin": true, "route": true, "impasse": true, "quai": true,
	"allee": true, "cours": true, "square": true, "saint": true, "sainte": true, "st": true, "ste": true}

// lastPostcode is where the last French postal code of an address stands, or -1.
func lastPostcode(words []string) int {
	for i := len(words) - 1; i >= 0; i-- {
		if len(words[i]) == 5 && digitsOnly(words[i]) {
			return i
		}
	}
	return -1
}

// tail answers the whole name of a town in some words, as approximate.
func (l *Locator) tail(q Query, words []string) []Place {
	q.Text = strings.Join(words, " ")
	if q.Validate() != nil {
		return nil
	}
	look := l.gazetteer.lookup(q, true)
	if !look.exact && !(len(words) == 1 && lastPostcode(words) == 0) {
		return nil
	}
	found := look.places()
	for i := range found {
		found[i].Approximate = true
	}
	return found
}
