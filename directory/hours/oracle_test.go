package hours

import (
	"compress/gzip"
	"encoding/json"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
	_ "time/tzdata"
)

// oracle is what npm's opening_hours answers; scripts/hours writes it.
type oracle struct {
	Library  string
	Zone     string
	Instants []int64
	Answers  []struct {
		Value, State, Error string
		Offset              int
		States              string // of the instants from Offset on: o, u, c, or x where it knows no school holidays
		Comments            []string
		Said                string // index of the comment, in base 36
		Next                []int64
	}
}

func readOracle(t testing.TB) (o oracle, loc *time.Location) {
	t.Helper()
	f, err := os.Open("testdata/oracle.json.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.NewDecoder(z).Decode(&o); err != nil {
		t.Fatal(err)
	}
	if loc, err = time.LoadLocation(o.Zone); err != nil {
		t.Fatal(err)
	}
	return o, loc
}

// guesses reports whether the value depends on what only the library knows: there we say Unknown.
func guesses(value string) bool {
	return strings.Contains(value, "SH") || strings.Contains(value, "sun") || strings.Contains(value, "dawn") || strings.Contains(value, "dusk")
}

// dayAfterSpring reports whether t is in the first hour of the day after a day of 23 hours, where the library takes the day
// before yesterday for yesterday.
func dayAfterSpring(t time.Time) bool {
	return t.Hour() == 0 && t.Add(-24*time.Hour).Day() == t.AddDate(0, 0, -2).Day()
}

// clocksChange reports whether a day is not of 24 hours, or the one after such a day.
func clocksChange(t time.Time) bool {
	y, m, d := t.Date()
	return time.Date(y, m, d+1, 0, 0, 0, 0, t.Location()).Sub(time.Date(y, m, d-1, 0, 0, 0, 0, t.Location())) != 48*time.Hour
}

func TestOracle(t *testing.T) {
	o, loc := readOracle(t)
	var values, compared, certain, open, uncertain, next int
	seen := map[int64]bool{}
	for _, a := range o.Answers {
		h, err := Parse(a.Value)
		if a.Error != "" {
			if err == nil {
				t.Errorf("%s: understood, but %s says %s", a.Value, o.Library, a.Error)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", a.Value, err)
			continue
		}
		if again, err := Parse(h.String()); err != nil || again.String() != h.String() {
			t.Errorf("%s: canonical form %s: %v, %v", a.Value, h, again, err)
		}
		if a.State != "" {
			h = h.With(AlsaceMoselle)
		}
		values++
		wrong := 0
		for i, want := range a.States {
			at := time.Unix(o.Instants[(a.Offset+i)%len(o.Instants)], 0).In(loc)
			state, comment := h.At(at)
			if want == 'x' || dayAfterSpring(at) {
				continue
			}
			compared++
			seen[at.Unix()] = true
			if guesses(a.Value) {
				uncertain++
				if state == Unknown {
					continue
				}
				certain++
			}
			if state == Open {
				open++
			}
			if got := rune("cou"[state]); got != want {
				if wrong++; wrong <= 3 {
					t.Errorf("%s at %s: got %s, want %c", a.Value, at.Format("Mon 2006-01-02 15:04 MST"), state, want)
				}
			}
			if a.Comments == nil {
				continue
			}
			n, _ := strconv.ParseInt(a.Said[i:i+1], 36, 32)
			if comment != a.Comments[n] {
				if wrong++; wrong <= 3 {
					t.Errorf("%s at %s: got comment %q, want %q", a.Value, at.Format("Mon 2006-01-02 15:04"), comment, a.Comments[n])
				}
			}
		}
		if guesses(a.Value) || strings.HasPrefix(a.Value, "Feb 29") {
			continue // the library finds no next leap year
		}
		for i, want := range a.Next {
			at := time.Unix(o.Instants[(a.Offset+i)%len(o.Instants)], 0).In(loc)
			change, ok := h.Next(at)
			got := change.At.Unix()
			if !ok {
				got = 0
			}
			if got-at.Unix() > 390*86400 {
				got = 0 // further than was asked for
			}
			if clocksChange(at) || clocksChange(change.At) || clocksChange(time.Unix(want, 0).In(loc)) {
				continue // there the library contradicts itself; TestNextIsTheFirstChange has these days
			}
			next++
			if got != want {
				if wrong++; wrong <= 3 {
					t.Errorf("%s: change after %s: got %s, want %s", a.Value, at.Format("Mon 2006-01-02 15:04 MST"), time.Unix(got, 0).In(loc).Format("Mon 2006-01-02 15:04 MST"), time.Unix(want, 0).In(loc).Format("Mon 2006-01-02 15:04 MST"))
				}
			}
		}
	}
	t.Logf("%s: %d values, %d moments, %d answers compared (%d open; %d on values with SH or the sun, %d of them certain), %d changes", o.Library, values, len(seen), compared, open, uncertain, certain, next)
	if values < 200 || len(seen) < 10_000 || open < compared/10 || certain < uncertain/4 {
		t.Error("too little was compared")
	}
}
