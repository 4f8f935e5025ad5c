package directory

import (
	"errors"
	"strings"
	"testing"

	"archipel/directory/hours"
)

func TestOpeningHours(t *testing.T) {
	for _, c := range []struct{ text, origin, code, value string }{
		{"", "", "", ""},
		{"Mo-Fr 09:00-18:00; PH off", "", "", ""},
		{`"sur rendez-vous"`, "", "", ""},
		{"Mo-Fr 9h-18h", "", CodeInvalid, "9h-18h"},
		{"Mo-Fr 09:00-", "", CodeInvalid, "Mo-Fr 09:00-"},
		{"du lundi au vendredi", "", CodeInvalid, "du lundi au vendredi"},
		{"du lundi au vendredi", "voisins.example", "", ""},
		{strings.Repeat("Mo;", 400), "", CodeTooLong, ""},
	} {
		e := Entry{Kind: Place, Name: "x", Status: Published, OpeningHours: c.text, Origin: c.origin}
		err := Validate(&e, Rules{})
		var problems Invalid
		if c.code == "" {
			if err != nil {
				t.Errorf("%.40s: %v", c.text, err)
			}
			continue
		}
		if !errors.As(err, &problems) || len(problems) != 1 || problems[0].Field != "openingHours" || problems[0].Code != c.code || c.value != "" && problems[0].Params["value"] != c.value {
			t.Errorf("%.40s: got %#v", c.text, err)
		}
	}
}

// Hours that were stored before there was a check keep nobody from changing something else, or from taking an old version back.
func TestStoredHours(t *testing.T) {
	was := Entry{OpeningHours: "tous les jours"}
	for _, c := range []struct {
		text string
		was  *Entry
		op   Op
		want string
	}{
		{"tous les jours", &was, OpUpdate, ""},
		{"le mardi", &was, OpUpdate, "le mardi"},
		{"le mardi", &was, OpRevert, ""},
		{"le mardi", nil, OpCreate, "le mardi"},
	} {
		e := Entry{OpeningHours: c.text}
		if got := sameHours(&e, c.was, c.op).OpeningHours; got != c.want || e.OpeningHours != c.text {
			t.Errorf("%s, %s: got %q, want %q", c.text, c.op, got, c.want)
		}
	}
}

func TestHolidaysOfEntry(t *testing.T) {
	for _, c := range []struct {
		address *Address
		want    hours.Holidays
	}{{nil, hours.France}, {&Address{Locality: "Roanne"}, hours.France}, {&Address{PostalCode: "67000"}, hours.AlsaceMoselle}, {&Address{Country: "BE"}, nil}} {
		e := Entry{Address: c.address, OpeningHours: "24/7"}
		if e.Holidays() != c.want || e.Hours() == nil {
			t.Errorf("%+v: got %v", c.address, e.Holidays())
		}
	}
	if e := (Entry{OpeningHours: "le mardi"}); e.Hours() != nil {
		t.Error("hours of a text")
	}
}
