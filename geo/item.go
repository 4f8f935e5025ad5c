package geo

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"archipel/directory"
	"archipel/directory/hours"

	"github.com/google/uuid"
	"github.com/paulmach/orb"
)

// Item is what the index knows of a public entry.
type Item struct {
	ID          directory.ID // a UUID
	Kind        directory.Kind
	Slug        string
	Name        string
	Town        string
	Categories  []string         // the main one first
	Tags        []string         //
	Points      []orb.Point      // sites as [longitude, latitude] in degrees; none when the entry has no position
	Approximate bool             // the position is known at town level only
	Times       []directory.Span // of an event: its dates, ascending; an End that is not after Start means the instant
	Hours       string           // opening hours as OpenStreetMap writes them; what package hours does not understand is never open
	Holidays    hours.Holidays   // where it is; nil when they are not known
	Updated     time.Time
	Seen        time.Time // when a person last confirmed or changed it, kept to the day; zero: it never fades
	Origin      string    // host of the instance it belongs to; empty when ours
}

// ErrInvalid is wrapped by the errors about items, filters, pages and tile numbers that cannot be: the caller's fault.
var ErrInvalid = errors.New("invalid")

func invalid(format string, args ...any) error {
	return fmt.Errorf("%w %s", ErrInvalid, fmt.Sprintf(format, args...))
}

func (it *Item) check() error {
	if _, err := packID(it.ID); err != nil {
		return err
	}
	if !slices.Contains(directory.Kinds, it.Kind) {
		return invalid("kind %.50q of %s", string(it.Kind), it.ID)
	}
	for i, p := range it.Points {
		if err := checkPoint(p); err != nil {
			return fmt.Errorf("%w: points[%d] of %s", err, i, it.ID)
		}
	}
	return nil
}

func checkPoint(p orb.Point) error {
	switch {
	case !(math.Abs(p[0]) <= 180):
		return invalid("longitude %v: want -180 to 180", p[0])
	case !(math.Abs(p[1]) <= 90):
		return invalid("latitude %v: want -90 to 90", p[1])
	}
	return nil
}

type id [16]byte

func packID(s directory.ID) (i id, err error) {
	if parseCanonical(&i, string(s)) {
		return i, nil
	}
	u, err := uuid.Parse(string(s))
	if err != nil {
		return id{}, invalid("id %.50q: want a UUID", string(s))
	}
	return id(u), nil
}

// parseCanonical reads the usual form of a UUID, xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx in lower case.
func parseCanonical(i *id, s string) bool {
	if len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return false
	}
	var bad byte
	n := 0
	for at := 0; at < 36; at += 2 {
		if s[at] == '-' {
			at++
		}
		hi, lo := hexDigits[s[at]], hexDigits[s[at+1]]
		bad |= hi | lo
		i[n] = hi<<4 | lo
		n++
	}
	return bad < 16
}

// hexDigits holds the value of each lower-case hexadecimal digit, and 255 for everything else.
var hexDigits = func() (t [256]byte) {
	for c := range t {
		t[c] = 255
	}
	for v, c := range "0123456789abcdef" {
		t[c] = byte(v)
	}
	return t
}()

func (i id) unpack() directory.ID { return directory.ID(uuid.UUID(i).String()) }
