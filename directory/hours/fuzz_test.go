package hours

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

// FuzzParse holds every value to this: an error names a place in it, and what is understood has a canonical form that says
// the same, and answers that fit together.
func FuzzParse(f *testing.F) {
	o, loc := readOracle(f)
	for i, a := range o.Answers {
		if i%5 == 0 {
			f.Add(a.Value, o.Instants[i])
		}
	}
	f.Add("Mo-Fr 09:00-12:00;", int64(0))
	f.Add("week 1-24/7 10:00-12:00", int64(0))
	f.Add("Jan"+strings.Repeat("1,", 170)+"1", int64(0)) // "Jan 01" each time it is written again
	f.Add(strings.Repeat("Mo;", 341), int64(0))
	f.Add("23:00-24:00", int64(212_533_200)) // the evening before midnight came twice
	f.Fuzz(func(t *testing.T, value string, seconds int64) {
		h, err := Parse(value)
		var e *Error
		if err != nil {
			if !errors.As(err, &e) || e.Pos < 0 || e.Pos > len(value) {
				t.Fatalf("%q: got %v", value, err)
			}
			return
		}
		again, err := Parse(h.String())
		if err != nil || again.String() != h.String() {
			t.Fatalf("%q: canonical form %q: %v, %v", value, h, again, err)
		}
		at := time.Unix(seconds%4e9, 0).In(loc)
		state, comment := h.At(at)
		if s, c := again.At(at); s != state || c != comment {
			t.Fatalf("%q at %s: %s, but %q: %s", value, at, state, h, s)
		}
		for _, spans := range h.Week(at) {
			last := 0
			for _, s := range spans {
				if s.From < last || s.To < s.From || s.To > 2*dayMinutes || s.To == s.From && !s.OpenEnd {
					t.Fatalf("%q: week %v", value, spans)
				}
				last = s.From
			}
		}
		c, ok := h.Next(at)
		if !ok {
			return
		}
		before, _ := h.At(c.At.Add(-time.Second))
		if after, _ := h.At(c.At); !c.At.After(at) || after != c.State || after == state || before != state {
			t.Fatalf("%q after %s (%s): change %v, %s before it", value, at, state, c, before)
		}
	})
}

func BenchmarkParse(b *testing.B) {
	for b.Loop() {
		if _, err := Parse("Mo-Fr 08:30-12:00,13:30-18:00; Sa 09:00-12:00; PH off"); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAt(b *testing.B) {
	h := mustParse(b, "Mo-Fr 08:30-12:00,13:30-18:00; Sa 09:00-12:00; PH off")
	at := time.Date(2026, 5, 4, 10, 0, 0, 0, paris(b))
	for b.Loop() {
		if s, _ := h.At(at); s != Open {
			b.Fatal(s)
		}
	}
}

func BenchmarkNext(b *testing.B) {
	h := mustParse(b, "Mo-Fr 08:30-12:00,13:30-18:00; Sa 09:00-12:00; PH off")
	at := time.Date(2026, 5, 4, 10, 0, 0, 0, paris(b))
	for b.Loop() {
		if _, ok := h.Next(at); !ok {
			b.Fatal("no change")
		}
	}
}

// A value made to cost much.
func BenchmarkHostileNext(b *testing.B) {
	value := ""
	for i := 0; len(value) < maxLength-20; i++ {
		value += fmt.Sprintf("SH %02d:%02d-%02d:59 off; ", i%24, i%50, i%24)
	}
	h := mustParse(b, value)
	at := time.Date(2026, 5, 4, 10, 0, 0, 0, paris(b))
	for b.Loop() {
		if c, ok := h.Next(at); ok {
			b.Fatal(c)
		}
	}
}
