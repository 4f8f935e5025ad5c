package hours

import (
	"math/rand/v2"
	"reflect"
	"testing"
	"time"
)

// What a table can say comes back from its text as the same table.
func TestTablesComeBack(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 11))
	for n := range 2000 {
		want := randomTable(r)
		text := want.String()
		h, err := Parse(text)
		if err != nil {
			t.Fatalf("table %d, %+v: %s: %v", n, want, text, err)
		}
		got, ok := h.Table()
		if !ok || !reflect.DeepEqual(got, want) {
			t.Fatalf("table %d, %s (%v):\ngot  %+v\nwant %+v", n, text, ok, got, want)
		}
		if again := got.String(); again != text {
			t.Fatalf("table %d: %s was written again as %s", n, text, again)
		}
	}
}

func randomTable(r *rand.Rand) Table {
	var t Table
	spans := func(wraps bool) []Span {
		var out []Span
		at := 15 * (1 + r.IntN(30))
		for range r.IntN(MaxRanges + 1) {
			s := Span{From: at, To: at + 15*(1+r.IntN(20)), State: Open}
			if s.To >= dayMinutes {
				break
			}
			out = append(out, s)
			at = s.To + 15*(1+r.IntN(10))
			if at >= dayMinutes {
				break
			}
		}
		if n := len(out); n > 0 && wraps && r.IntN(4) == 0 {
			out[n-1].To = dayMinutes + 15*r.IntN(2)
			if out[n-1].To == dayMinutes+15 {
				out[n-1].To = dayMinutes + 10
			}
		}
		return out
	}
	wraps := r.IntN(3) == 0
	same := spans(wraps)
	for i := range t.Week {
		switch r.IntN(6) {
		case 0:
			t.Week[i] = spans(wraps)
		case 1:
		default:
			t.Week[i] = same
		}
	}
	if r.IntN(8) == 0 {
		for i := range t.Week {
			t.Week[i] = []Span{{From: 0, To: dayMinutes, State: Open}}
		}
	}
	if r.IntN(3) == 0 {
		t.Comment = []string{"sur rendez-vous", "vérifier avant de venir", "sonner deux fois, 2e étage; au fond", "ouvert || fermé"}[r.IntN(4)]
	}
	if r.IntN(3) == 0 {
		t.From = time.Month(1 + r.IntN(12))
		t.To = time.Month(1 + r.IntN(12))
		if t.From == t.To%12+1 {
			t.From, t.To = 0, 0 // a year that begins elsewhere
		}
	}
	if t.timed() {
		switch r.IntN(4) {
		case 0:
			t.Holidays = AllClosed
		case 1:
			if own := spans(false); len(own) > 0 {
				t.Holidays, t.HolidayHours = OwnHours, own
			}
		}
	} else if t.Comment == "" {
		t.From, t.To = 0, 0
	}
	if t.Holidays == OwnHours { // own hours that are those of every day are none
		usual := true
		for _, s := range t.Week {
			usual = usual && reflect.DeepEqual(s, t.HolidayHours)
		}
		if usual {
			t.Holidays, t.HolidayHours = AsUsual, nil
		}
	}
	if t.Empty() {
		t.Week[2] = []Span{{From: 600, To: 720, State: Open}}
	}
	return t
}

// What a table shows says the same as the text; what it cannot say it does not pretend to.
func TestTable(t *testing.T) {
	for _, c := range []struct{ value, again string }{ // again is empty when a table cannot say it
		{"Mo-Fr 09:00-12:00,14:00-18:00; Sa 10:00-12:00", "Mo-Fr 09:00-12:00,14:00-18:00; Sa 10:00-12:00"},
		{"Mo 09:00-12:00; Tu 09:00-12:00; We 09:00-12:00", "Mo-We 09:00-12:00"},
		{"Mo-Su 09:00-12:00; Tu off", "Mo,We-Su 09:00-12:00"},
		{"24/7", "24/7"},
		{"00:00-24:00", "24/7"},
		{"24/7; PH off", "24/7; PH off"},
		{"Mo-Fr 09:00-12:00,14:00-18:00,20:00-22:00", "Mo-Fr 09:00-12:00,14:00-18:00,20:00-22:00"},
		{"Mo-Fr 08:00-09:00,10:00-11:00,12:00-13:00,14:00-15:00", ""}, // four ranges
		{"Mo-Fr 08:00-09:00,09:00-11:00,12:00-13:00,14:00-15:00", "Mo-Fr 08:00-11:00,12:00-13:00,14:00-15:00"},
		{"Fr-Sa 22:00-02:00", "Fr,Sa 22:00-02:00"},
		{"Mo-Fr 09:00-12:00; PH off", "Mo-Fr 09:00-12:00; PH off"},
		{"Mo-Fr,PH 09:00-12:00", "Mo-Fr 09:00-12:00; PH 09:00-12:00"},
		{"PH 10:00-12:00", "PH 10:00-12:00"},
		{"Apr-Oct Mo-Fr 09:00-12:00", "Apr-Oct Mo-Fr 09:00-12:00"},
		{"Nov-Feb Sa 14:00-17:00; PH off", "Nov-Feb Sa 14:00-17:00; PH off"},
		{"Apr-Oct 00:00-24:00", "Apr-Oct 00:00-24:00"},
		{"Jun", "Jun 00:00-24:00"},
		{`Mo-Fr 09:00-12:00 open "sur rendez-vous"`, `Mo-Fr 09:00-12:00 open "sur rendez-vous"`},
		{`"sur rendez-vous"`, `"sur rendez-vous"`},
		{`"sur rendez-vous"; PH off`, `"sur rendez-vous"; PH off`},
		{`May-Sep "sur rendez-vous"`, `May-Sep "sur rendez-vous"`},
		{`24/7 open "automate"`, `Mo-Su 00:00-24:00 open "automate"`},

		{`Mo-Fr 09:00-12:00 "sur rendez-vous"`, ""}, // may be open
		{`Mo 09:00-12:00 open "a"; Tu 09:00-12:00 open "b"`, ""},
		{`Mo 09:00-12:00 open "a"; Tu 09:00-12:00`, ""},
		{`Mo-Fr 09:00-12:00; Sa off "travaux"`, ""},
		{`Mo-Fr 09:00-12:00 || "sur rendez-vous"`, ""},
		{"Mo-Fr 18:00+", ""},
		{"Mo-Fr 14:00-17:00+", ""},
		{"Sa[1] 10:00-12:00", ""},
		{"week 1-53/2 Mo 10:00-12:00", ""},
		{"SH off", ""}, {"SH Mo-Fr 10:00-12:00", ""},
		{"Dec 25 off", ""}, {"Mo-Fr 09:00-12:00; Dec 25 off", ""},
		{"Apr-Oct Mo 09:00-12:00; Nov-Mar Mo 10:00-12:00", ""}, // two seasons
		{"Apr,Jun Mo 09:00-12:00", ""},
		{"Mo-Fr 09:00-12:00; Aug off", ""},
		{"Mo sunrise-sunset", ""},
		{"Mo 09:00-33:00", ""}, // a day and a night in one
		{"unknown", ""}, {"off", ""}, {"Mo-Su off", ""},
		{"PH Sa 10:00-12:00", ""},
		{"Mo-Fr 09:00-12:00; PH,Sa 10:00-12:00", "Mo-Fr 09:00-12:00; Sa 10:00-12:00; PH 10:00-12:00"},
	} {
		h := mustParse(t, c.value)
		table, ok := h.Table()
		if ok != (c.again != "") {
			t.Errorf("%s: a table can say it: %v (%+v)", c.value, ok, table)
			continue
		}
		if got := table.String(); ok && got != c.again {
			t.Errorf("%s: written as %s, want %s", c.value, got, c.again)
		}
	}
}

// A table says what the text says, on every day of a year, at every quarter of an hour.
func TestTableMeansTheSame(t *testing.T) {
	o, loc := readOracle(t)
	said := 0
	for _, a := range o.Answers {
		value := a.Value
		h, err := Parse(value)
		if err != nil {
			continue
		}
		table, ok := h.Table()
		if !ok {
			continue
		}
		said++
		again := mustParse(t, table.String())
		for at := time.Date(2026, 1, 1, 0, 7, 0, 0, loc); at.Year() == 2026; at = at.Add(97 * time.Minute) {
			s1, c1 := h.At(at)
			if s2, c2 := again.At(at); s1 != s2 || c1 != c2 {
				t.Fatalf("%s, written %s, at %v: %v %q and %v %q", value, table.String(), at, s1, c1, s2, c2)
			}
		}
	}
	if said < 40 {
		t.Errorf("only %d of the values fit a table", said)
	}
}
