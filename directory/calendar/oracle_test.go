package calendar

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"archipel/directory"

	"github.com/paulmach/orb"
)

type understood struct {
	Name  string
	Zones []struct {
		Name    string
		Offsets []int
	}
	Events []map[string]any
}

// read gives a calendar to Debian's python3-icalendar.
func read(t *testing.T, cal string, moments ...int64) understood {
	moments = append([]int64{}, moments...) // never null
	t.Helper()
	python := "/usr/bin/python3" // where Debian's package goes; another one may come first in the path
	if out, err := exec.Command(python, "-c", "import icalendar").CombinedOutput(); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("python3-icalendar is missing: %v %s", err, out)
		}
		t.Skip("python3-icalendar is not installed")
	}
	list, err := json.Marshal(moments)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(python, filepath.Join("testdata", "read.py"), string(list))
	cmd.Stdin = strings.NewReader(cal)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, stderr.String())
	}
	var u understood
	if err := json.Unmarshal(out, &u); err != nil {
		t.Fatal(err)
	}
	return u
}

func TestReadBack(t *testing.T) {
	hostile := "Fête; du \"vélo\", 1\\2\r\nEND:VEVENT 👩‍🚀 " + strings.Repeat("é", 10_000)
	e := event(hostile, directory.Schedule{
		Start: at(t, "2027-03-14 18:00"), End: at(t, "2027-03-14 20:00"), Timezone: "Europe/Paris", RRule: "FREQ=WEEKLY;UNTIL=20270601;BYDAY=SU",
		ExDates: []time.Time{at(t, "2027-03-28 18:00")}, RDates: []time.Time{at(t, "2027-04-07 18:00")},
		Overrides: []directory.Occurrence{{Original: at(t, "2027-04-04 18:00"), Start: at(t, "2027-04-05 19:00"), State: directory.Cancelled}},
	})
	e.Sites, e.Tags = []orb.Point{{4.39, 45.44}}, []string{"a b", "c;d", "e\\f"} // version 4 of the reader takes an escaped comma for the end of a category
	e.Address = &directory.Address{Street: "2; place, du \\ Peuple", Locality: "Saint-Étienne"}
	e.Contact = &directory.Contact{Name: "Ju\"lie; Roux, 3", Email: "julie@asso.example"}
	days := event("Salon", directory.Schedule{Start: at(t, "2027-07-14 00:00"), End: at(t, "2027-07-17 00:00"), AllDay: true, Timezone: "Europe/Paris"})
	got := read(t, written(t, options(), e, days))
	if len(got.Events) != 3 || len(got.Zones) != 1 || got.Name != "Agenda" {
		t.Fatalf("got %d events, %d zones, %q", len(got.Events), len(got.Zones), got.Name)
	}
	flat := strings.ReplaceAll(hostile, "\r\n", "\n")
	for i, want := range []map[string]string{
		{
			"SUMMARY": flat, "DTSTART": "2027-03-14T17:00:00Z", "DTEND": "2027-03-14T19:00:00Z", "EXDATE": "[2027-03-28T16:00:00Z]", "RDATE": "[2027-04-07T16:00:00Z]",
			"RRULE": "FREQ=WEEKLY;UNTIL=20270601T215959Z;BYDAY=SU", "GEO": "45.44;4.39", "LOCATION": "2; place, du \\ Peuple, Saint-Étienne",
			"CATEGORIES": "[a b c;d e\\f]", "ORGANIZER": "mailto:julie@asso.example", "SEQUENCE": "7", "STATUS": "CONFIRMED", "UID": string(someID) + "@annuaire.example", "DTSTAMP": "2027-03-01T10:30:00Z",
		},
		{"RECURRENCE-ID": "2027-04-04T16:00:00Z", "DTSTART": "2027-04-05T17:00:00Z", "STATUS": "CANCELLED", "UID": string(someID) + "@annuaire.example"},
		{"SUMMARY": "Salon", "DTSTART": "2027-07-14", "DTEND": "2027-07-17"},
	} {
		if got.Events[i]["ERRORS"] != nil {
			t.Errorf("event %d: %v", i, got.Events[i]["ERRORS"])
		}
		for key, value := range want {
			if have := fmt.Sprint(got.Events[i][key]); have != value {
				t.Errorf("event %d, %s: got %.120q, want %.120q", i, key, have, value)
			}
		}
	}
}

// TestZonesReadBack compares what the descriptions of zones mean to the reader with the zones themselves, across twenty
// years of changes.
func TestZonesReadBack(t *testing.T) {
	var moments []int64
	for when := time.Date(2010, 1, 1, 1, 30, 0, 0, time.UTC); when.Year() < 2031; when = when.Add(53*time.Hour + 7*time.Minute) {
		moments = append(moments, when.Unix())
	}
	for _, name := range []string{"Europe/Paris", "America/New_York", "America/St_Johns", "Asia/Tokyo", "Africa/Casablanca", "America/Sao_Paulo", "Australia/Sydney", "Australia/Lord_Howe", "Europe/Dublin", "Indian/Reunion"} {
		t.Run(name, func(t *testing.T) {
			loc := zoneOf(t, name)
			got := read(t, written(t, options(), event("A", directory.Schedule{Start: at(t, "2027-03-14 18:00"), Timezone: name})), moments...)
			if len(got.Zones) != 1 || len(got.Zones[0].Offsets) != len(moments) {
				t.Fatalf("got %d zones", len(got.Zones))
			}
			wrong := 0
			for i, have := range got.Zones[0].Offsets {
				when := time.Unix(moments[i], 0).In(loc)
				if _, want := when.Zone(); have != want {
					if wrong++; wrong < 4 {
						t.Errorf("%s: got %d seconds, want %d", when, have, want)
					}
				}
			}
		})
	}
}
