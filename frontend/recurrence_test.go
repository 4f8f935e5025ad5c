package frontend

import (
	"testing"
	"time"
)

func TestRecurrence(t *testing.T) {
	paris, err := time.LoadLocation("Europe/Paris")
	if err != nil {
		t.Fatal(err)
	}
	start := time.Date(2026, 12, 8, 0, 30, 0, 0, paris) // a Tuesday; still Monday in UTC
	for rule, want := range map[string][2]string{
		"FREQ=DAILY":                                  {"Chaque jour", "Every day"},
		"FREQ=DAILY;INTERVAL=3;COUNT=5":               {"Tous les 3 jours, 5 fois", "Every 3 days, 5 times"},
		"FREQ=WEEKLY":                                 {"Chaque mardi", "Every Tuesday"},
		"FREQ=WEEKLY;BYDAY=SU":                        {"Chaque dimanche", "Every Sunday"},
		"FREQ=WEEKLY;BYDAY=MO,WE,FR":                  {"Chaque semaine : lundi, mercredi et vendredi", "Every week: Monday, Wednesday and Friday"},
		"FREQ=WEEKLY;INTERVAL=2;BYDAY=TH":             {"Toutes les 2 semaines : jeudi", "Every 2 weeks: Thursday"},
		"FREQ=WEEKLY;BYDAY=TU;UNTIL=20270502T223000Z": {"Chaque mardi, jusqu’au 3 mai 2027", "Every Tuesday, until 3 May 2027"},
		"FREQ=MONTHLY":                                {"Chaque mois : le 8", "Every month: day 8"},
		"FREQ=MONTHLY;BYMONTHDAY=1,15":                {"Chaque mois : le 1er et le 15", "Every month: day 1 and day 15"},
		"FREQ=MONTHLY;BYMONTHDAY=-1":                  {"Chaque mois : le dernier jour", "Every month: the last day"},
		"FREQ=MONTHLY;BYDAY=2TU":                      {"Chaque mois : le deuxième mardi", "Every month: the second Tuesday"},
		"FREQ=MONTHLY;INTERVAL=2;BYDAY=-1SA":          {"Tous les 2 mois : le dernier samedi", "Every 2 months: the last Saturday"},
		"FREQ=YEARLY":                                 {"Chaque année", "Every year"},
		"FREQ=YEARLY;BYMONTH=12;BYMONTHDAY=8":         {"Chaque année", "Every year"},
		"FREQ=YEARLY;BYMONTH=6":                       {"", ""},
		"FREQ=MONTHLY;BYDAY=MO,TU;BYSETPOS=-1":        {"", ""},
		"FREQ=MONTHLY;BYDAY=TU":                       {"", ""},
		"FREQ=MONTHLY;BYMONTHDAY=-7":                  {"", ""},
		"FREQ=HOURLY":                                 {"", ""},
		"FREQ=DAILY;BYMONTH=7":                        {"", ""},
		"garbage":                                     {"", ""},
	} {
		for i, lang := range []string{"fr", "en"} {
			if got := T(lang).Recurrence(rule, start); got != want[i] {
				t.Errorf("%s in %s: %q, want %q", rule, lang, got, want[i])
			}
		}
	}
}

// TestRecurrenceUntilWithoutZone: an end that names no zone is one where the event takes place.
func TestRecurrenceUntilWithoutZone(t *testing.T) {
	for _, zone := range []string{"Europe/Paris", "America/Montreal", "UTC"} {
		loc, err := time.LoadLocation(zone)
		if err != nil {
			t.Fatal(err)
		}
		start := time.Date(2026, 12, 8, 20, 0, 0, 0, loc)
		for until, want := range map[string]string{
			"20270504T233000": "Every Tuesday, until 4 May 2027",
			"20270504T003000": "Every Tuesday, until 4 May 2027",
			"20270504":        "Every Tuesday, until 4 May 2027",
			time.Date(2027, 5, 4, 23, 30, 0, 0, loc).UTC().Format("20060102T150405Z"): "Every Tuesday, until 4 May 2027",
		} {
			if got := T("en").Recurrence("FREQ=WEEKLY;UNTIL="+until, start); got != want {
				t.Errorf("until %s in %s: %q, want %q", until, zone, got, want)
			}
		}
	}
}
